"""Real data for random features: numbers, categories as indicator columns."""

import numpy as np
import pandas as pd

from benchmarks.real_data import load

# name: (task, largest number of rows)
SETS = {
    "diabetes": ("regression", None),
    "autompg": ("regression", None),
    "ames": ("regression", None),
    "apartments": ("regression", 4000),
    "diamonds": ("regression", 4000),
    "california": ("classification", 4000),
    "magic": ("classification", 4000),
    "letter": ("classification", 4000),
    "digits": ("classification", None),
    "breast_cancer": ("classification", None),
    "satimage": ("classification", 4000),
}
LOGARITHMIC = ("ames", "diamonds")  # prices


def table(name):
    """Return ``(X, y, task)`` with dense float64 columns.

    Parameters
    ----------
    name : str
        A name of ``SETS``.

    Returns
    -------
    X : ndarray of shape (n, p)
        Columns as numbers, categories with at least ten rows as indicators.
    y : ndarray of shape (n,)
        Target; prices are logarithms.
    task : str
        ``"regression"`` or ``"classification"``.
    """
    task, n_rows = SETS[name]
    data = load(name, n_rows=n_rows)
    numbers = data.data.select_dtypes("number")
    categories = data.data.select_dtypes(exclude="number").astype(str)
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        numbers = pd.concat(
            [numbers, indicators.loc[:, indicators.sum() >= 10]], axis=1
        )
    X = numbers.fillna(numbers.median()).to_numpy(np.float64)
    y = data.target.to_numpy()
    if task == "regression":
        y = y.astype(np.float64)
        y = np.log(y) if name in LOGARITHMIC and y.min() > 100 else y
    return X[:, X.std(axis=0) > 0], y, task


def splits(n, n_splits=5, n_train=1200, n_test=1000):
    """Yield paired splits: train and test rows."""
    for seed in range(n_splits):
        order = np.random.default_rng(seed).permutation(n)
        m = min(n_train, int(0.7 * n))
        yield order[:m], order[m : m + n_test]


def columns_of(y, task):
    """Return targets as columns: standardised numbers, or plus and minus one."""
    if task == "regression":
        return ((y - y.mean()) / y.std())[:, None]
    classes = np.unique(y)
    Y = np.where(y[:, None] == classes, 1.0, -1.0)
    return Y[:, 1:] if len(classes) == 2 else Y
