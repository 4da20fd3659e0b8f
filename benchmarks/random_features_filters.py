"""Gradient descent that stops early, and iterated ridge, beside ridge."""

import numpy as np
from scipy import linalg
from sklearn.model_selection import KFold
from sklearn.preprocessing import FunctionTransformer

from benchmarks.defaults_data import CHOICE_NUMBERS, KEPT_NUMBERS, raw, splits
from benchmarks.harness import Comparison, Study
from sklearn_ext.random_features import RandomFeatureRidgeCV, RandomFeatures

N_TRAIN, N_TIMES = 500, 22
FILTERS = ("flow", "iterated")


class LeaveOneOutOverTime(Comparison):
    """Leave-one-out of gradient flow at many times from one factorisation."""

    title = "Leave-one-out at 22 times of gradient flow, n=4000, k=500, float64"
    note = """Given features. *Five folds by hand* decompose the moments of each fold
    and read all times off them, which is not leave-one-out; *Gram* is the product of
    the features with themselves as one matrix product, the unit in which the cost is to
    be seen; *ridge* is our leave-one-out over as many ridges. All but Gram include the
    eigendecomposition of the moments."""
    targets = {"five_folds_by_hand": 1}

    def setup(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((4000, 30))
        self.Phi = RandomFeatures(n_components=500, random_state=0).fit_transform(X)
        self.y = np.tanh(X @ rng.standard_normal(30) / 2) + rng.normal(0, 0.3, 4000)
        self.times = np.geomspace(0.01, 1e5, N_TIMES)

    def _fit(self, name):
        model = RandomFeatureRidgeCV(
            alphas=1 / self.times, filter=name, feature_map=FunctionTransformer()
        )
        return model.fit(self.Phi, self.y)

    def time_ours(self):
        return self._fit("flow")

    def time_ridge(self):
        return self._fit("ridge")

    def time_iterated(self):
        return self._fit("iterated")

    def time_Gram(self):
        other = self.Phi.copy()  # else BLAS forms one half alone
        return self.Phi.T @ other

    def time_five_folds_by_hand(self):
        errors = np.zeros(N_TIMES)
        for train, test in KFold(5).split(self.Phi):
            mean, y_mean = self.Phi[train].mean(axis=0), self.y[train].mean()
            A, b = self.Phi[train] - mean, self.y[train] - y_mean
            e, V = linalg.eigh(A.T @ A, driver="evd")
            new, c = (self.Phi[test] - mean) @ V, V.T @ (A.T @ b)
            for j, time in enumerate(self.times):
                fitted = y_mean + new @ (c * -np.expm1(-time * e) / np.maximum(e, 1e-9))
                errors[j] += np.sum((self.y[test] - fitted) ** 2)
        return self.times[errors.argmin()]

    def quality(self, result):
        if hasattr(result, "alpha_"):
            return {"1 / alpha": 1 / result.alpha_}
        return {"1 / alpha": float(result)} if np.ndim(result) == 0 else {}


class FiltersOnTables(Study):
    """The same models with the three filters, each tuned by leave-one-out."""

    title = "Test errors of gradient flow and iterated ridge over those of ridge"
    note = f"""Test mean squared error relative to that of ridge, in percent, mean and
    standard error over four paired splits of at most {N_TRAIN} training rows. Each
    chooses its time or ridge by exact leave-one-out. *Default* chooses kernel and
    scaling as well; *narrow* and *wide* have 128 and 1024 random ReLU features of
    clipped columns. A star marks two standard errors."""

    def run(self):
        """Fit all filters on every split."""
        rows, all_gaps = [], []
        for name in (*CHOICE_NUMBERS, *KEPT_NUMBERS):
            gaps = self._gaps(name)
            mean = gaps.mean(axis=0)
            se = gaps.std(axis=0, ddof=1) / np.sqrt(len(gaps))
            all_gaps.append(mean)
            rows.append([name, *map(_cell, mean.ravel(), se.ravel())])
            print(*rows[-1], sep="\t", flush=True)
        middle = np.median(all_gaps, axis=0).ravel()
        rows.insert(0, ["median", *(f"{value:+.1f}" for value in middle)])
        columns = [f"{name}, {how}" for how in self.settings() for name in FILTERS]
        return {"columns": ["table", *columns], "rows": rows}

    def settings(self):
        """Return parameters of the models by name."""
        relu = {"kernel": "relu", "map": "random", "standardize": "clip"}
        return {
            "default": {},
            "narrow": {"n_components": 128, **relu},
            "wide": {"n_components": 1024, **relu},
        }

    def _gaps(self, name):
        """Return percents beyond ridge, of shape (n_splits, n_settings, n_filters)."""
        X, y = raw(name)
        found = []
        for train, test in splits(len(X), n_splits=4, n_train=N_TRAIN):
            row = []
            for params in self.settings().values():
                errors = {}
                for filter in ("ridge", *FILTERS):
                    model = RandomFeatureRidgeCV(
                        filter=filter, random_state=0, **params
                    ).fit(X[train], y[train])
                    gap = model._decision(X[test], "predict")[:, 0] - y[test]
                    errors[filter] = np.mean(gap**2)
                row.append([100 * (errors[f] / errors["ridge"] - 1) for f in FILTERS])
            found.append(row)
        return np.array(found)


def _cell(mean, se):
    return f"{mean:+.1f} ± {se:.1f}" + ("*" if abs(mean) > 2 * se else "")
