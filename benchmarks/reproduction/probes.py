"""Naive Bayes beside logistic regression: Zheng et al. (2023)."""

import numpy as np

from benchmarks.harness import Study
from benchmarks.probes_defaults import SETS
from benchmarks.reproduction.text import marked
from sklearn_ext.probes import (
    LogisticProbe,
    NaiveBayesProbe,
    TwoRegimes,
    make_gaussian_probe_data,
)

PLAIN_BAYES = NaiveBayesProbe(
    covariance="shared",
    var_smoothing=1e-9,
    smoothing="absolute",
    var_shrinkage=0.0,
)


class RowsNeeded(Study):
    title = "Rows needed to come within 0.01 of the Bayes error"
    note = """The paper's simulation, two classes, half of the columns with variance d:
        the first size whose mean error over five draws, on 4000 new rows, is below the
        Bayes error plus 0.01. Naive Bayes without shrinkage, in steps of ln d rows;
        logistic regression with C=1, in steps of five percent."""
    dimensions = 50, 100, 200, 400

    def run(self):
        rows, needed = [], []
        for d in self.dimensions:
            step = int(np.ceil(np.log(d)))
            some = np.unique(np.rint(np.geomspace(8, 3000, 122)).astype(int))
            found = (
                self.needed(PLAIN_BAYES, d, range(4, 60, step)),
                self.needed(LogisticProbe(), d, some),
            )
            needed.append(found)
            rows.append([d, *found])
        slopes = np.polyfit(np.log(self.dimensions), np.log(needed), 1)[0]
        rows.append(["slope in log d", *(f"{slope:.2f}" for slope in slopes)])
        return {"columns": ["features", "naive Bayes", "logistic"], "rows": rows}

    @staticmethod
    def needed(probe, d, sizes):
        X_new, y_new, bayes = make_gaussian_probe_data(
            4000, d, return_bayes_error=True, random_state=999
        )
        for size in sizes:
            errors = []
            for seed in range(5):
                X, y = make_gaussian_probe_data(size, d, random_state=seed)
                if np.ptp(y):  # both classes were drawn
                    errors.append(1 - probe.fit(X, y).score(X_new, y_new))
            if errors and np.mean(errors) < bayes + 0.01:
                return int(size)
        raise AssertionError(f"not reached with {sizes[-1]} rows")


class PaperHeads(Study):
    title = "Two regimes, with the paper's settings"
    note = """Mean test error over five draws; columns scaled to [0, 1] on each training
        set, naive Bayes without shrinkage, logistic regression with the smallest and
        the largest C that the paper takes for supervised encoders, and C=1. Least error
        of a row in bold."""
    sets = (
        "food (MiniLM, 384)",
        "digits (EfficientNet, 1280)",
        "digits (pixels, 64)",
    )
    sizes = 2, 4, 8, 32, 128
    heads = {
        "naive Bayes": PLAIN_BAYES,
        "logistic, C=0.1": LogisticProbe(C=0.1),
        "logistic, C=0.2": LogisticProbe(C=0.2),
        "logistic, C=1": LogisticProbe(),
    }

    def run(self):
        rows = []
        for name in self.sets:
            X, y = SETS[name]()
            model = TwoRegimes(
                self.heads,
                train_sizes=("per_class", list(self.sizes)),
                n_repeats=5,
                preprocessor="minmax",
                refit=False,
                random_state=0,
            ).fit(X, np.asarray(y, dtype=str))
            for i, size in enumerate(self.sizes):
                errors = [1 - model.test_scores_[h][i].mean() for h in self.heads]
                rows.append([name, size, *marked(errors)])
        return {"columns": ["features", "rows a class", *self.heads], "rows": rows}


BENCHMARKS = [RowsNeeded, PaperHeads]
