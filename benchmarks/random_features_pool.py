"""How far predictions from a pool of rows can be trusted, by the share of the pool.

``python -m benchmarks.random_features_pool`` writes
``docs/benchmarks/tables/random_features_pool.rst``.
"""

import sys

import numpy as np
from sklearn.preprocessing import scale

from benchmarks.harness import Study, run_family
from benchmarks.random_features_data import columns_of, table
from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    kernel_eigenstructure,
    rf_eigenframework,
)

SETS = {
    "diabetes": "few noisy rows",
    "magic": "noisy classes",
    "ames": "220 indicators of categories",
    "diamonds": "indicators, little noise",
    "digits": "pixels",
    "breast_cancer": "few rows, little noise",
}
MAX_POOL = 1000
SHARES = {"1/8": 1 / 8, "1/4": 1 / 4, "1/2": 1 / 2, "3/4": 3 / 4}
N_DRAWS = 20


def pool_of(name):
    """Return standardised rows and centred columns of targets."""
    X, y, task = table(name)
    rows = np.random.default_rng(0).permutation(len(X))[:MAX_POOL]
    X, Y = X[rows], columns_of(y, task)[rows]
    X = scale(X[:, X.std(axis=0) > 0])
    Y = Y.reshape(len(Y), -1)
    return X, Y[:, 0] - Y[:, 0].mean()


def measured(X, y, n, width, alpha):
    """Return the mean error on rows not drawn, and its standard error."""
    errors = []
    for seed in range(N_DRAWS):
        order = np.random.default_rng(seed).permutation(len(X))
        train, test = order[:n], order[n:]
        model = RandomFeatureRidge(width, alpha, random_state=seed)
        model.fit(X[train], y[train])
        errors.append(np.mean((model.predict(X[test]) - y[test]) ** 2))
    return np.mean(errors), np.std(errors, ddof=1) / np.sqrt(N_DRAWS)


class Pool(Study):
    title = "Predicted over measured test error, by the share of the pool trained on"
    note = f"""Difference in percent, with the standard error of the measurement over
        {N_DRAWS} draws of rows and features; ReLU features, standardised columns, at
        most {MAX_POOL} rows in the pool, one target. The tuned ridge is that of least
        leave-one-out error on the pool; it is for all shares the same."""

    def run(self):
        rows = []
        for name, kind in SETS.items():
            X, y = pool_of(name)
            for width in (100, 1000):
                given = {"kernel": "relu", "map": "random", "standardize": False}
                tuned = RandomFeatureRidgeCV(width, **given, random_state=0).fit(X, y)
                pool = kernel_eigenstructure(tuned, X, y)
                for label, alpha in (
                    ("tuned", tuned.alpha_),
                    ("tuned / 30", tuned.alpha_ / 30),
                ):
                    cells = [
                        self.gap(pool, X, y, round(share * len(X)), width, alpha)
                        for share in SHARES.values()
                    ]
                    rows.append([f"{name} ({kind})", width, label, *cells])
                    print(*rows[-1], sep="\t", flush=True)
        columns = ["rows", "width", "ridge", *SHARES]
        return {"columns": columns, "rows": rows}

    @staticmethod
    def gap(pool, X, y, n, width, alpha):
        found, error = measured(X, y, n, width, alpha)
        spectrum = pool.eigenvalues, pool.eigencoefs
        point = rf_eigenframework(*spectrum, n, width, alpha, n_pool=pool.n_pool)
        return f"{100 * (point.test / found - 1):+.1f} ± {100 * error / found:.1f}"


BENCHMARKS = [Pool]

if __name__ == "__main__":
    run_family("random_features_pool", BENCHMARKS, sys.argv[1:])
