"""Tables for the family of calibration: rows to learn from, and rows from elsewhere."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.real_data import load

TABLES = (
    "adult",
    "california",
    "hr",
    "magic",
    "penbased",
    "satimage",
    "spambase",
    "texture",
)
N_TRAIN, N_TEST = 1500, 2500


@dataclass(frozen=True)
class Shift:
    """A column that says which rows come from elsewhere.

    Parameters
    ----------
    name : str
        Table.
    column : str
        What decides.
    home : callable
        Takes the column, says which rows are to be learnt from.
    """

    name: str
    column: str
    home: object


SHIFTS = {
    "adult, older than 48": Shift("adult", "age", lambda c: c <= 48),
    "employment, older than 57": Shift("acs_employment", "AGEP", lambda c: c <= 57),
    "employment, 2018 after 2015": Shift("acs_employment", "year", lambda c: c <= 2015),
    "homes, north of 36.5": Shift("california", "Latitude", lambda c: c < 36.5),
    "hr, older than 45": Shift("hr", "age", lambda c: c <= 45),
    "voters, older than 60": Shift("tv16", "age", lambda c: c <= 60),
}


def table(name, n_rows=None):
    """Return numbers, with categories as indicators, and classes."""
    data = _frame(name, n_rows)
    return encoded(data.data), data.target.to_numpy()


def _frame(name, n_rows):
    try:
        data = load(name, n_rows=n_rows) if n_rows else load(name)
    except ValueError:  # fewer rows than that
        data = load(name)
    kept = data.target.notna().to_numpy()
    data.data, data.target = data.data[kept], data.target[kept]
    return data


def encoded(frame):
    """Return numbers; categories of fewer than 20 rows are left out."""
    numbers = frame.select_dtypes("number")
    categories = frame.select_dtypes(exclude="number").astype(str)
    categories = categories.loc[:, categories.nunique() <= 60]
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        indicators = indicators.loc[:, indicators.sum() >= 20]
        numbers = pd.concat([numbers, indicators], axis=1)
    X = numbers.astype(float).fillna(numbers.median()).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0]


def split(X, y, seed, n_train=N_TRAIN, n_test=N_TEST):
    """Return train rows, test rows and their classes."""
    order = np.random.default_rng(seed).permutation(len(y))
    n_train = min(n_train, int(0.6 * len(y)))
    train, test = order[:n_train], order[n_train : n_train + n_test]
    return X[train], X[test], y[train], y[test]


def drifted(X, train, seed):
    """Move half of the columns by 0.7 standard deviations, and blur them."""
    rng = np.random.default_rng(seed)
    scale = train.std(axis=0) * (rng.random(X.shape[1]) < 0.5)
    side = rng.choice([-0.7, 0.7], X.shape[1])
    return X + scale * (side + 0.5 * rng.normal(size=X.shape))


def elsewhere(label, seed):
    """Return rows to learn from, rows from home and from elsewhere, with classes."""
    shift = SHIFTS[label]
    data = _frame(shift.name, 40_000)
    home = np.asarray(shift.home(data.data[shift.column]))
    X, y = encoded(data.data.drop(columns="year", errors="ignore")), data.target
    y = y.to_numpy()
    rng = np.random.default_rng(seed)
    here, there = rng.permutation(np.flatnonzero(home)), np.flatnonzero(~home)
    there = rng.permutation(there)[:N_TEST]
    train, test = here[:N_TRAIN], here[N_TRAIN : N_TRAIN + N_TEST]
    return X[train], X[test], X[there], y[train], y[test], y[there]
