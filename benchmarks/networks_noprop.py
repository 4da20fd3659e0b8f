"""The law of a numeric target, row by row, beside what else gives one.

``python -m benchmarks.networks_noprop METHOD [TABLE ...]`` fits one method to every
split and keeps its figures in ``benchmarks/results/networks_noprop.json``, where those
of other methods stay: peers may need an environment of their own.
"""

import fcntl
import json
import sys
import time
import warnings
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict

from benchmarks.harness import limited
from benchmarks.networks_tables import TABLES, table
from benchmarks.real_data import load
from benchmarks.real_data_readers import rdata
from sklearn_ext.networks import NoPropRegressor
from sklearn_ext.random_features import RandomFeatureRidgeCV

STORE = Path(__file__).parent / "results" / "networks_noprop.json"
LEVELS = (np.arange(10) + 0.5) / 10  # ten fits of a method that fits one level
RANGE = 0.05, 0.95
N_TRAIN, N_TEST, N_SPLITS = 1500, 1000, 1
LEAST = 20  # rows of a category with a column of its own
# defaults were chosen on these,
CHOICE = (
    "two humps",
    "spread",
    "deliveries",
    "concrete",
    "chem97",
    "loans",
)
# and looked at these when all was fixed
EVIDENCE = (
    "diamonds",
    "ames",
    "fifa",
    "autompg",
    "babies",
    "sacramento",
    "saratoga",
    "slid",
    "chicago",
    "hotel_rates",
    "geyser",
)


def simulated(name, n, rng):
    """Return rows of a law that is known: two humps, or a spread that grows."""
    X = rng.uniform(-1, 1, (n, 3))
    if name == "two humps":
        side = rng.choice([-1.0, 1.0], n)
        y = 2 * X[:, 0] + side * (1.5 + X[:, 1]) + 0.3 * rng.standard_normal(n)
    else:
        y = np.sin(3 * X[:, 0]) + np.exp(1.5 * X[:, 1]) * rng.standard_normal(n) / 2
    return X, y


def columns(name):
    """Return a table's columns, categories as indicators, and its target."""
    if name in ("two humps", "spread"):
        return simulated(name, N_TRAIN + N_TEST, np.random.default_rng(7))
    if name in TABLES:
        data = table(name)
        frame, y = data.X, data.y
    elif name == "geyser":
        frame = rdata("MASS/geyser")
        frame, y = frame[["waiting"]], frame["duration"].to_numpy()
    else:
        data = load(name)
        frame, y = data.data, data.target.to_numpy(dtype=np.float64)
    numbers = frame.select_dtypes("number").astype(float)
    if numbers.shape[1] < frame.shape[1]:
        categories = frame.drop(columns=numbers.columns).astype(str)
        indicators = pd.get_dummies(categories, dtype=float)
        indicators = indicators.loc[:, indicators.sum() >= LEAST]
        numbers = pd.concat([numbers, indicators], axis=1)
    X = numbers.fillna(numbers.median()).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0], np.asarray(y, dtype=np.float64)


def split(n, seed):
    """Return training and test rows."""
    order = np.random.default_rng(seed).permutation(n)
    m = min(N_TRAIN, int(0.7 * n))
    return order[:m], order[m : m + N_TEST]


# --- methods: what they say of test rows at the ten levels, and their interval --------


def ours(X, y, X_test, seed, estimator=None):
    """Fit our chains at their defaults."""
    model = NoPropRegressor(estimator=estimator, random_state=seed).fit(X, y)
    return model.predict_quantiles(X_test, LEVELS), model.predict_interval(X_test)


def ours_over_trees(X, y, X_test, seed):
    """Fit our chains to what boosted trees leave."""
    trees = HistGradientBoostingRegressor(random_state=seed)
    return ours(X, y, X_test, seed, trees)


def boosted_quantiles(X, y, X_test, seed):
    """Fit gradient boosting once a level; quantiles that cross are sorted."""
    said = [
        HistGradientBoostingRegressor(
            loss="quantile", quantile=level, random_state=seed
        )
        .fit(X, y)
        .predict(X_test)
        for level in LEVELS
    ]
    return np.sort(np.stack(said, axis=1), axis=1), None


def resampled_residuals(X, y, X_test, seed):
    """Fit a ridge on random features; its residuals out of fold are the law."""
    model = RandomFeatureRidgeCV(random_state=seed)
    folds = KFold(5, shuffle=True, random_state=seed)
    left = y - cross_val_predict(model, X, y, cv=folds)
    centre = model.fit(X, y).predict(X_test)
    return centre[:, None] + np.quantile(left, LEVELS), None


def boosted_residuals(X, y, X_test, seed):
    """Fit gradient boosting; its residuals out of fold are the law."""
    model = HistGradientBoostingRegressor(random_state=seed)
    folds = KFold(5, shuffle=True, random_state=seed)
    left = y - cross_val_predict(model, X, y, cv=folds)
    centre = model.fit(X, y).predict(X_test)
    return centre[:, None] + np.quantile(left, LEVELS), None


def quantile_forest(X, y, X_test, seed):
    """Fit a forest that keeps the targets of its leaves, at its defaults."""
    from quantile_forest import RandomForestQuantileRegressor

    model = RandomForestQuantileRegressor(random_state=seed).fit(X, y)
    return model.predict(X_test, quantiles=LEVELS.tolist()), None


def ngboost(X, y, X_test, seed):
    """Fit boosted parameters of a normal law, at the defaults of NGBoost."""
    from ngboost import NGBRegressor

    law = NGBRegressor(verbose=False, random_state=seed).fit(X, y).pred_dist(X_test)
    return np.stack([law.ppf(level) for level in LEVELS], axis=1), None


def conformal_boosting(X, y, X_test, seed):
    """Fit and calibrate an interval of boosted quantiles; a quarter of rows is kept."""
    from mapie.regression import ConformalizedQuantileRegressor
    from sklearn.model_selection import train_test_split

    trees = HistGradientBoostingRegressor(loss="quantile", random_state=seed)
    X, X_kept, y, y_kept = train_test_split(X, y, test_size=0.25, random_state=seed)
    model = ConformalizedQuantileRegressor(trees, confidence_level=0.9)
    model.fit(X, y).conformalize(X_kept, y_kept)
    return None, model.predict_interval(X_test)[1][:, :, 0]


ELSEWHERE = "quantile forest", "NGBoost", "MAPIE CQR"  # environments of their own
METHODS = {
    "ours": ours,
    "ours over trees": ours_over_trees,
    "ten HistGB": boosted_quantiles,
    "ridge + residuals": resampled_residuals,
    "HistGB + residuals": boosted_residuals,
    "quantile forest": quantile_forest,
    "NGBoost": ngboost,
    "MAPIE CQR": conformal_boosting,
}


def measure(method, name, seed):
    """Fit to a split and judge: scores in standard deviations of training targets."""
    X, y = columns(name)
    train, test = split(len(y), seed)
    start = time.process_time()
    with warnings.catch_warnings():
        for package in ("sklearn", "ngboost", "mapie", "quantile_forest"):
            warnings.filterwarnings("ignore", module=rf"{package}\.")
        said, ends = METHODS[method](X[train], y[train], X[test], seed)
    found = {"seconds": time.process_time() - start}
    unit, truth = y[train].std(), y[test]
    if said is not None:
        gap = truth[:, None] - said
        loss = np.maximum(LEVELS * gap, (LEVELS - 1) * gap)
        found["crps"] = float(2 * loss.mean() / unit)
        found |= held(said[:, [0, -1]], truth, unit, "range")
    if ends is not None:
        found |= held(ends, truth, unit, "interval")
    return found


def held(ends, truth, unit, name):
    """Return the share of targets that an interval holds, and its mean width."""
    inside = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    width = np.mean(ends[:, 1] - ends[:, 0]) / unit
    return {name: float(inside.mean()), f"{name} width": float(width)}


def stored():
    """Return what has been measured, by table, method and split."""
    return json.loads(STORE.read_text()) if STORE.exists() else {}


def main(method, *names):
    """Measure what is missing."""
    for name in names or (*CHOICE, *EVIDENCE):
        for seed in range(N_SPLITS):
            if str(seed) in stored().get(name, {}).get(method, {}):
                continue
            with limited(1):
                found = measure(method, name, seed)
            with (Path(gettempdir()) / "networks_noprop.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # others measure at the same time
                kept = stored()
                kept.setdefault(name, {}).setdefault(method, {})[str(seed)] = found
                STORE.write_text(json.dumps(kept, indent=1) + "\n")
            print(method, name, seed, found, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
