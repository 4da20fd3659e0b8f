"""More is better, predicted: Simon et al. (2024)."""

import numpy as np
from scipy import linalg
from sklearn.datasets import load_digits

from benchmarks.harness import Study
from benchmarks.random_features_data import columns_of, splits, table
from benchmarks.real_data import load
from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatures,
    kernel_eigenstructure,
    rf_eigenframework,
)


class MoreIsBetter(Study):
    title = "Test error by width, with the ridge tuned and without one"
    note = """ReLU features on standardised columns, 300 training rows, mean squared
        test error of standardised targets over five splits. Tuned: by leave-one-out.
        None: a ridge of 1e-9, where the width of 300 equals the number of rows."""
    widths = 30, 100, 300, 1000, 3000, "infinite"
    sets = "diabetes", "autompg", "magic", "digits"

    def run(self):
        rows = []
        for name in self.sets:
            X, y, task = table(name)
            Y = columns_of(y, task)
            for ridge in ("tuned", "none"):
                cells = [self.error(X, Y, width, ridge) for width in self.widths]
                rows.append([name, ridge, *(f"{cell:.3g}" for cell in cells)])
        widths = [str(width) for width in self.widths]
        return {"columns": ["data", "ridge", *widths], "rows": rows}

    @staticmethod
    def error(X, Y, width, ridge):
        errors = []
        for seed, (train, test) in enumerate(splits(len(X), n_train=300)):
            if ridge == "tuned":
                model = RandomFeatureRidgeCV(
                    width,
                    kernel="relu",
                    map="random",
                    standardize=True,
                    random_state=seed,
                )
            else:
                model = RandomFeatureRidge(
                    width, 1e-9, standardize=True, random_state=seed
                )
            error = model.fit(X[train], Y[train]).predict(X[test]) - Y[test]
            errors.append(np.mean(error**2))
        return np.mean(errors)


class Predicted(Study):
    title = "Predicted and measured test error, digits, even or odd"
    note = """200 training rows of 1797, ReLU features of pixels, with and without their
        mean; measured over ten draws of rows and features, predicted from the kernel
        matrix of all rows."""
    widths = 30, 100, 200, 1000, "infinite"
    ridges = 1e-4, 0.01, 0.1

    def run(self):
        digits = load_digits()
        y, rows = np.where(digits.target % 2, 1.0, -1.0), []
        means = {"centred": digits.data.mean(axis=0), "as they are": 0.0}
        for label, mean in means.items():
            X = (digits.data - mean) / 16
            model = RandomFeatureRidge().fit(X[:200], y[:200])
            pool = kernel_eigenstructure(model, X, y)
            for ridge in self.ridges:
                for width in self.widths:
                    theory = self.predicted(pool, width, ridge)
                    draws = [self.error(X, y, width, ridge, s) for s in range(10)]
                    found = np.mean(draws)
                    gap = f"{100 * (theory / found - 1):+.1f}"
                    errors = f"{theory:.3f}", f"{found:.3f}"
                    rows.append([label, ridge, width, *errors, gap])
        columns = ["pixels", "ridge", "width", "predicted", "measured", "difference %"]
        return {"columns": columns, "rows": rows}

    @staticmethod
    def predicted(pool, width, ridge):
        k = np.inf if width == "infinite" else width
        return rf_eigenframework(
            pool.eigenvalues, pool.eigencoefs, 200, k, ridge, n_pool=pool.n_pool
        ).test

    @staticmethod
    def error(X, y, width, ridge, seed):
        order = np.random.default_rng(seed).permutation(len(X))
        train, test = order[:200], order[200:]
        model = RandomFeatureRidge(width, ridge, random_state=seed)
        model.fit(X[train], y[train])
        return np.mean((model.predict(X[test]) - y[test]) ** 2)


class BestRatio(Study):
    title = "Best ratio of training to test error, by label noise"
    note = """ReLU kernel ridge on the pixels of 1500 of 5000 handwritten digits,
        one-hot targets, three draws. Noise: its variance over the test error without
        ridge and noise, as in the paper. Ratio: at the ridge of least test error. Cost
        of interpolation: test error without a ridge over the least one."""

    def run(self):
        bunch = load("mnist5k", as_frame=False)
        X = np.asarray(bunch.data, dtype=float) / 255
        Y = (np.asarray(bunch.target)[:, None] == np.unique(bunch.target)).astype(float)
        K = RandomFeatures(random_state=0).fit(X).kernel_matrix(X)
        rows = []
        for noise in (0, 1, 5, 50):
            found = np.mean([self.best(K, Y, noise, seed) for seed in range(3)], axis=0)
            rows.append([noise, f"{found[0]:.3f}", f"{found[1]:.3f}"])
        columns = ["noise", "ratio at the best ridge", "cost of interpolation"]
        return {"columns": columns, "rows": rows}

    @staticmethod
    def best(K, Y, noise, seed):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(K))
        train, test = order[:1500], order[1500:]
        e, U = linalg.eigh(K[np.ix_(train, train)])
        cross = K[np.ix_(test, train)] @ U
        mean = Y[train].mean(axis=0)
        clean = Y[test] - mean - cross @ (U.T @ (Y[train] - mean) / e[:, None])
        variance = noise * np.mean(clean**2)
        T = Y[train] + np.sqrt(variance) * rng.standard_normal(Y[train].shape)
        c = U.T @ (T - mean)
        curve = []
        for alpha in np.r_[0, np.geomspace(1e-6, 1e2, 81) * e[-1]]:
            rest = alpha * U @ (c / (e + alpha)[:, None])
            off = Y[test] - mean - cross @ (c / (e + alpha)[:, None])
            curve.append((np.mean(rest**2), np.mean(off**2) + variance))
        train_error, error = np.transpose(curve)
        at = error.argmin()
        return train_error[at] / error[at], error[0] / error[at]


BENCHMARKS = [MoreIsBetter, Predicted, BestRatio]
