"""Forty-four tables: the tuned ridges at their defaults beside what else one takes.

Constructors without arguments but for seeds, raw columns on their own scales, the same
splits. The kernels, their rates and the scalings of ``"auto"`` were chosen on the
tables of ``CHOICE_NUMBERS`` and ``CHOICE_CLASSES``; those that were kept out were
looked at when all of it was fixed.
"""

import time
import warnings

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from benchmarks.defaults_data import (
    CHOICE_CLASSES,
    CHOICE_NUMBERS,
    KEPT_CLASSES,
    KEPT_NUMBERS,
    N_TEST,
    raw,
    splits,
)
from benchmarks.harness import Study
from sklearn_ext.random_features import (
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)

N_TRAIN = 800
FLOOR = 0.002  # added to both sides of a ratio: below it errors are noise
GRID = {"C": [1.0, 10.0, 100.0], "gamma": [0.1, 0.3, 1.0]}  # gamma: times 1 / columns


def tuned(machine, n_columns):
    """Return a support vector machine whose penalty and rate three folds choose."""
    name = type(machine).__name__.lower()
    rates = [share / n_columns for share in GRID["gamma"]]
    grid = {f"{name}__C": GRID["C"], f"{name}__gamma": rates}
    return GridSearchCV(make_pipeline(StandardScaler(), machine), grid, cv=3)


class _Tables(Study):
    chosen: tuple = ()
    kept: tuple = ()
    errors: tuple = ()  # names of the errors

    def run(self):
        """Fit everything on every split and compare."""
        found = {name: self._table(name) for name in (*self.chosen, *self.kept)}
        rows = [self._row(name, found[name]) for name in found]
        groups = {"kept out": self.kept, "choice": self.chosen, "all": tuple(found)}
        means = [self._mean(name, found, group) for name, group in groups.items()]
        peers = ["default", "boosting", "plain", "SVM"]
        columns = ["table", "", *peers, "over boosting"]
        if len(self.errors) > 1:
            columns.append("log-loss over boosting")
        return {
            "columns": [*columns, "seconds", "boosting s", "SVM s"],
            "rows": means + rows,
        }

    def models(self, n_columns):
        """Return the competitors by name."""
        raise NotImplementedError

    def measure(self, model, X, y):
        """Return the errors on test rows."""
        raise NotImplementedError

    def _table(self, name):
        X, y = raw(name, N_TRAIN + N_TEST)
        found = {}
        for train, test in splits(len(X), n_splits=3, n_train=N_TRAIN):
            for label, model in self.models(X.shape[1]).items():
                start = time.process_time()
                with warnings.catch_warnings():  # of rare classes
                    warnings.filterwarnings("ignore", module=r"sklearn\.")
                    model.fit(X[train], y[train])
                seconds = time.process_time() - start
                errors = [*self.measure(model, X[test], y[test]), seconds]
                found.setdefault(label, []).append(errors)
        print(name, {k: np.round(np.mean(v, 0), 3).tolist() for k, v in found.items()})
        return {label: np.mean(errors, axis=0) for label, errors in found.items()}

    def _ratios(self, errors, label="default"):
        ours, theirs = errors[label][:-1], errors["boosting"][:-1]
        return (ours + FLOOR) / (theirs + FLOOR)

    def _row(self, name, errors):
        ratios = self._ratios(errors)[: len(self.errors)]
        return [
            name,
            "kept out" if name in self.kept else "choice",
            *(f"{errors[label][0]:.3f}" for label in errors),
            *(f"{ratio:.2f}" for ratio in ratios),
            *(f"{errors[label][-1]:.2f}" for label in ("default", "boosting", "SVM")),
        ]

    def _mean(self, label, found, group):
        def mean(values):
            return float(np.exp(np.mean(np.log(values), axis=0)))

        over = {
            peer: mean([self._ratios(found[name], peer)[0] for name in group])
            for peer in ("default", "boosting", "plain", "SVM")
        }
        ratios = np.array(
            [self._ratios(found[name])[: len(self.errors)] for name in group]
        )
        seconds = [
            mean([found[name][peer][-1] for name in group])
            for peer in ("default", "boosting", "SVM")
        ]
        return [
            f"geometric mean, {label} ({len(group)})",
            "",
            *(f"{value:.3f}" for value in over.values()),
            *(f"{mean(r):.3f} (worst {r.max():.2f})" for r in ratios.T),
            *(f"{value:.2f}" for value in seconds),
        ]


class TablesOfNumbers(_Tables):
    """Mean squared errors over the variance of the target."""

    title = "Regression at the defaults"
    note = """Test mean squared error over the variance of the target, means of three
    splits of at most 800 training and 1000 test rows. *Plain* is ``kernel="relu",
    map="random", standardize=True``; *SVM* is :class:`~sklearn.svm.SVR` on standardised
    rows and targets, tuned over nine settings by three folds; boosting is at its
    defaults. The first rows give geometric means of ratios to boosting."""
    chosen, kept = CHOICE_NUMBERS, KEPT_NUMBERS
    errors = ("mean squared error",)

    def models(self, n_columns):
        """Return the competitors by name."""
        plain = {"kernel": "relu", "map": "random", "standardize": True}
        machine = TransformedTargetRegressor(
            tuned(SVR(), n_columns), transformer=StandardScaler()
        )
        return {
            "default": RandomFeatureRidgeCV(random_state=0),
            "boosting": HistGradientBoostingRegressor(random_state=0),
            "plain": RandomFeatureRidgeCV(**plain, random_state=0),
            "SVM": machine,
        }

    def measure(self, model, X, y):
        """Return the mean squared error over the variance of the target."""
        return [np.mean((model.predict(X) - y) ** 2) / np.var(y)]


class TablesOfClasses(_Tables):
    """Misclassified shares, and log-losses."""

    title = "Classification at the defaults"
    note = """Share of test rows in a wrong class, means of three splits of at most 800
    training and 1000 test rows; *SVM* is :class:`~sklearn.svm.SVC` on standardised
    rows, tuned over nine settings by three folds, without probabilities. Otherwise as
    above."""
    chosen, kept = CHOICE_CLASSES, KEPT_CLASSES
    errors = ("misclassified", "log-loss")

    def models(self, n_columns):
        """Return the competitors by name."""
        plain = {"kernel": "relu", "map": "random", "standardize": True}
        return {
            "default": RandomFeatureRidgeClassifierCV(random_state=0),
            "boosting": HistGradientBoostingClassifier(random_state=0),
            "plain": RandomFeatureRidgeClassifierCV(**plain, random_state=0),
            "SVM": tuned(SVC(), n_columns),
        }

    def measure(self, model, X, y):
        """Return the misclassified share and, where there is one, the log-loss."""
        wrong = np.mean(model.predict(X) != y)
        if not hasattr(model, "predict_proba"):
            return [wrong, np.nan]
        return [wrong, log_loss(y, model.predict_proba(X), labels=model.classes_)]
