"""Raw tables for the comparison of defaults: numbers as they come, on their scales."""

import numpy as np
import pandas as pd

from benchmarks.real_data import load

CLASSES = (
    "iris",
    "wine",
    "breast_cancer",
    "digits",
    "german",
    "australian",
    "titanic",
    "hr",
    "california",
    "magic",
    "satimage",
    "spambase",
)
NUMBERS = (
    "diabetes",
    "autompg",
    "ames",
    "apartments",
    "diamonds",
    "fifa",
    "flights",
    "fertility",
    "birthdays",
    "chem97",
)
N_TRAIN, N_TEST, N_SPLITS = 500, 1000, 2


def raw(name):
    """Return a table as its owner has it: numbers, and categories as indicators.

    Parameters
    ----------
    name : str
        A name of ``CLASSES`` or ``NUMBERS``.

    Returns
    -------
    X : ndarray of shape (n, p)
        Columns in their own units; missing numbers are medians, categories of fewer
        than 20 rows are left out, as are constant columns.
    y : ndarray of shape (n,)
        The target in its own units.
    """
    n_rows = N_TRAIN + N_TEST
    try:
        data = load(name, n_rows=n_rows)
    except ValueError:  # fewer rows than that
        data = load(name)
    kept = data.target.notna().to_numpy()
    frame, target = data.data[kept], data.target[kept]
    numbers = frame.select_dtypes("number")
    categories = frame.select_dtypes(exclude="number").astype(str)
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        indicators = indicators.loc[:, indicators.sum() >= 20]
        numbers = pd.concat([numbers, indicators], axis=1)
    X = numbers.astype(float).fillna(numbers.median()).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0], target.to_numpy()


def splits(n):
    """Yield train and test rows, at most ``N_TRAIN`` and ``N_TEST`` of them."""
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(n)
        m = min(N_TRAIN, int(0.7 * n))
        yield order[:m], order[m : m + N_TEST]
