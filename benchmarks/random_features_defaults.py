"""Choose the defaults of random features by paired splits of real data.

``python -m benchmarks.random_features_defaults`` writes
``docs/benchmarks/tables/random_features_defaults.rst``. Every candidate is
``RandomFeatureRidgeCV`` on standardised columns with its ridge chosen by
leave-one-out, apart from the candidates of ``alpha``. The error is the test mean
squared error (classes as plus and minus one); it is compared on equal splits with that
of the reference, and the table gives the mean over data sets of the relative
difference, its standard error over data sets, and on how many data sets the candidate
is better or worse by two standard errors of its own splits.
"""

import time

import numpy as np

from benchmarks.harness import TABLES
from benchmarks.random_features_data import SETS, columns_of, splits, table
from sklearn_ext.random_features import RandomFeatureRidge, RandomFeatureRidgeCV

WIDTH = 512
GROUPS = {
    "kernel": {
        name: {"kernel": name}
        for name in ("step", "relu2", "erf", "ntk", "rbf", "laplacian", "matern")
    },
    "map": {
        f"landmarks, {name}": {"map": "landmarks", "kernel": name}
        for name in ("relu", "rbf", "laplacian", "matern")
    },
    "fourier (rbf)": {
        "phase": {"kernel": "rbf"},
        "pair": {"kernel": "rbf", "fourier": "pair"},
    },
    "sampling": {"iid": {"sampling": "iid"}},
    "gamma (rbf, times scale)": {
        f"{factor:g}": {"kernel": "rbf", "gamma_factor": factor}
        for factor in (0.25, 0.5, 2.0, 4.0)
    },
    "nu (matern)": {
        f"{nu:g}": {"kernel": "matern", "nu": nu} for nu in (0.5, 1.5, 2.5)
    },
    "length_scale (matern)": {"1": {"kernel": "matern", "length_scale": 1.0}},
    "bias_scale": {f"{scale:g}": {"bias_scale": scale} for scale in (0.0, 0.1, 1.0)},
    "n_components": {
        str(width): {"n_components": width} for width in (128, 256, 1024, 2048)
    },
    "alpha": {f"{alpha:g}": {"alpha": alpha} for alpha in (0.01, 0.1, 1.0, 10.0)},
}


def error(params, X, Y, train, test, seed):
    """Return test error and fit time of one candidate on one split."""
    given = {"kernel": "relu", "map": "random", "gamma": "scale"}
    params = {"n_components": WIDTH, "random_state": seed, **given, **params}
    if factor := params.pop("gamma_factor", None):
        params["gamma"] = factor / X.shape[1]  # columns have unit variance
    cls = RandomFeatureRidge if "alpha" in params else RandomFeatureRidgeCV
    model = cls(standardize=True, **params)
    start = time.process_time()
    model.fit(X[train], Y[train])
    seconds = time.process_time() - start
    return np.mean((model.predict(X[test]) - Y[test]) ** 2), seconds


def measure(params):
    """Return errors of shape (n_sets, n_splits) and the total fit time."""
    errors, total = [], 0.0
    for name in SETS:
        X, y, task = table(name)
        Y = columns_of(y, task)
        row = []
        for seed, (train, test) in enumerate(splits(len(X))):
            e, seconds = error(params, X, Y, train, test, seed)
            row.append(e)
            total += seconds
        errors.append(row)
    return np.array(errors), total


def compare(errors, reference):
    """Return mean relative difference, its standard error, and wins and losses."""
    gap = 100 * (errors - reference) / reference
    mean = gap.mean(axis=1)
    own = gap.std(axis=1, ddof=1) / np.sqrt(gap.shape[1])
    se = mean.std(ddof=1) / np.sqrt(len(mean))
    return mean.mean(), se, int((mean < -2 * own).sum()), int((mean > 2 * own).sum())


def main():
    """Run all candidates and write the table."""
    reference, seconds = measure({})
    rows = [["reference", "relu, random", "0", "", "", "", "1"]]
    for parameter, candidates in GROUPS.items():
        for label, params in candidates.items():
            errors, cost = measure(params)
            mean, se, better, worse = compare(errors, reference)
            row = [f"{mean:+.1f}", f"{se:.1f}", str(better), str(worse)]
            rows.append([parameter, label, *row, f"{cost / seconds:.2g}"])
            print(*rows[-1], sep="\t", flush=True)
    head = ["parameter", "value", "difference %", "s.e.", "better", "worse", "fit time"]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        lines += [f"   * - {row[0]}", *(f"     - {cell}" for cell in row[1:])]
    sets = ", ".join(SETS)
    lines += ["", f"*{len(SETS)} data sets ({sets}), 5 paired splits each.*", ""]
    TABLES.mkdir(parents=True, exist_ok=True)
    (TABLES / "random_features_defaults.rst").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
