"""The default beside boosting and support vectors that were tuned."""

import time
import warnings

import numpy as np
from scipy.stats import gmean
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.defaults_data import CHOICE_CLASSES, CHOICE_NUMBERS, KEPT_NUMBERS, raw
from benchmarks.harness import Study
from benchmarks.real_data_readers import keel
from sklearn_ext.random_features import (
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)

BOOSTING = {"learning_rate": [0.05, 0.1, 0.2], "max_leaf_nodes": [7, 31]}
MACHINE = {"svc__C": [1.0, 10.0, 100.0, 1000.0]}
N_TEST = 1000
FLOOR = 0.002  # added to both sides of a ratio: below it errors are noise


def clocked(model, X, y):
    """Fit, and return the CPU seconds."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"sklearn\.")  # raw columns
        model.fit(X, y)
    return time.process_time() - start


class TunedBoosting(Study):
    """Error and time at two numbers of rows, on each table that has enough."""

    title = "Regression at the defaults beside tuned boosting, at 200 and 2000 rows"
    note = """Test mean squared error over the variance of the target, means of two
    splits, on every table of numbers of the table above with 2500 rows or more.
    Boosting is tuned over six settings (rates .05, .1, .2; 7 or 31 leaves) by three
    folds; the search is its time. The first rows are geometric means of ours over
    theirs."""
    sizes = (200, 2000)
    n_splits = 2

    def run(self):
        """Fit both on every split."""
        rows, ratios = [], {n: [] for n in self.sizes}
        for name in (*CHOICE_NUMBERS, *KEPT_NUMBERS):
            X, y = raw(name, 6000)
            if len(X) < 2500:
                continue
            for n in self.sizes:
                ours, theirs = self._both(X, y, n)
                floor = np.array([FLOOR, 0.0])
                ratios[n].append((ours + floor) / (theirs + floor))
                error, seconds = ratios[n][-1]
                cells = ours[0], theirs[0], error, ours[1], theirs[1], seconds
                rows.append([name, str(n), *(f"{cell:.3g}" for cell in cells)])
                print(*rows[-1], sep="\t", flush=True)
        means = []
        for n, found in ratios.items():
            error, seconds = gmean(found, axis=0)
            label = f"geometric mean ({len(found)} tables)"
            means.append(
                [label, str(n), "", "", f"{error:.3f}", "", "", f"{seconds:.3f}"]
            )
        names = ["error", "tuned boosting", "ratio", "seconds", "boosting s", "ratio"]
        return {"columns": ["table", "rows", *names], "rows": means + rows}

    def _both(self, X, y, n):
        found = np.zeros((2, 2))
        for seed in range(self.n_splits):
            order = np.random.default_rng(seed).permutation(len(X))
            train, test = order[:n], order[n : n + N_TEST]
            boosting = HistGradientBoostingRegressor(random_state=0)
            models = [
                RandomFeatureRidgeCV(random_state=0),
                GridSearchCV(boosting, BOOSTING, cv=3),
            ]
            for j, model in enumerate(models):
                seconds = clocked(model, X[train], y[train])
                gap = model.predict(X[test]) - y[test]
                found[j] += np.mean(gap**2) / np.var(y[test]), seconds
        return found / self.n_splits


class TunedMachines(Study):
    """Clean geometry of classes: where support vectors are at home."""

    title = "Classification at the defaults beside tuned support vectors"
    note = """Share of test rows in a wrong class, means of three splits of at most 600
    training and 1000 test rows of tables of the KEEL repository. Support vectors have
    standardised columns, and choose among four penalties and four rates by four folds
    (the search is their time); *ReLU* is ``kernel="relu", map="random",
    standardize=True``. The first rows are geometric means over ReLU; of the tables
    marked with a star some default was chosen on."""
    names = (
        "texture",
        "wdbc",
        "vowel",
        "vehicle",
        "segment",
        "satimage",
        "phoneme",
        "ring",
        "twonorm",
        "banana",
        "ionosphere",
        "sonar",
        "penbased",
        "optdigits",
        "movement_libras",
        "heart",
    )
    n_train, n_splits = 600, 3

    def run(self):
        """Fit all on every split."""
        rows, found = [], {}
        seen = {"wdbc", "optdigits", *CHOICE_CLASSES}  # two under other names
        for name in self.names:
            errors, seconds = self._table(name)
            found[name] = (errors + FLOOR) / (errors[0] + FLOOR), seconds
            star = "*" if name in seen else ""
            times = (f"{value:.2f}" for value in seconds[1:])
            rows.append([name + star, *(f"{e:.4f}" for e in errors), *times])
            print(*rows[-1], sep="\t", flush=True)
        groups = {
            "others": [name for name in found if name not in seen],
            "choice": [name for name in found if name in seen],
            "all": list(found),
        }
        means = []
        for label, names in groups.items():
            over = gmean([found[name][0] for name in names], axis=0)
            times = gmean([found[name][1] for name in names], axis=0)[1:]
            shown = [f"{value:.3f}" for value in over] + [f"{t:.2f}" for t in times]
            means.append([f"geometric mean, {label} ({len(names)})", *shown])
        columns = ["table", "ReLU", "default", "SVM", "default s", "SVM s"]
        return {"columns": columns, "rows": means + rows}

    def _table(self, name):
        frame = keel(name).dropna()
        if len(frame) > self.n_train + N_TEST:
            frame = frame.sample(self.n_train + N_TEST, random_state=0)
        X = frame.drop(columns="class").to_numpy(np.float64)
        X, y = X[:, X.std(axis=0) > 0], frame["class"].to_numpy()
        plain = {"kernel": "relu", "map": "random", "standardize": True}
        rates = [share / X.shape[1] for share in (0.03, 0.1, 0.3, 1.0)]
        machine = make_pipeline(StandardScaler(), SVC())
        models = [
            RandomFeatureRidgeClassifierCV(**plain, random_state=0),
            RandomFeatureRidgeClassifierCV(random_state=0),
            GridSearchCV(machine, MACHINE | {"svc__gamma": rates}, cv=4),
        ]
        errors, seconds = np.zeros((2, len(models)))
        for seed in range(self.n_splits):
            order = np.random.default_rng(seed).permutation(len(X))
            m = min(self.n_train, int(0.7 * len(X)))
            train, test = order[:m], order[m : m + N_TEST]
            for j, model in enumerate(models):
                seconds[j] += clocked(model, X[train], y[train])
                errors[j] += np.mean(model.predict(X[test]) != y[test])
        return errors / self.n_splits, seconds / self.n_splits
