"""The best ridge, and the width that suffices, as the theory predicts them."""

from operator import itemgetter

import numpy as np
from scipy.optimize import minimize_scalar

from sklearn_ext.random_features._theory._framework import Task


def optimal_ridge(eigenvalues, eigencoefs, n, k=np.inf, noise=0.0):
    """Return the ridge of least predicted test error.

    Parameters
    ----------
    eigenvalues, eigencoefs : array-like
        The task, as in :func:`rf_eigenframework`.
    n : float
        Number of training rows.
    k : float, default=inf
        Number of features.
    noise : float, default=0.0
        Variance of the label noise.

    Returns
    -------
    ridge : float
        The best ridge; zero where overfitting does no harm.
    test : float
        Its test error.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import optimal_ridge
    >>> eigenvalues = np.arange(1.0, 1001) ** -1.5
    >>> ridge, test = optimal_ridge(eigenvalues, eigenvalues**0.5, n=100, noise=0.1)
    >>> ridge > 0
    True
    """
    task = Task.of(eigenvalues, eigencoefs, n, k, 0.0, noise, np.inf)
    path = task.path(100)
    best = int(np.argmin(path["test"]))
    found = float(path["ridge"][best]), float(path["test"][best])
    if best == 0:
        return found
    lowest = path["gamma"][0]
    edges = path["gamma"][[max(best - 1, 1), min(best + 1, 99)]] - lowest

    def at(log_offset):
        between = task.along(np.array([lowest, lowest + np.exp(log_offset)]))
        return float(between["ridge"][1]), float(between["test"][1])

    least = minimize_scalar(
        lambda x: at(x)[1],
        bounds=np.log(edges),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return min(found, at(least.x), key=itemgetter(1))


def required_features(eigenvalues, eigencoefs, n, noise=0.0, tol=0.05):
    """Return the least width whose tuned error is close to that of infinite width.

    Parameters
    ----------
    eigenvalues, eigencoefs : array-like
        The task, as in :func:`rf_eigenframework`.
    n : float
        Number of training rows.
    noise : float, default=0.0
        Variance of the label noise.
    tol : float, default=0.05
        Relative excess of the error that is allowed.

    Returns
    -------
    int
        The number of features. With tuned ridges more features never harm, so that it
        is found by bisection.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import required_features
    >>> eigenvalues = np.arange(1.0, 1001) ** -1.5
    >>> required_features(eigenvalues, eigenvalues**0.5, n=50, noise=0.1) > 50
    True
    """
    if not tol > 0:
        raise ValueError(f"tol must be positive, got {tol!r}.")
    goal = (1 + tol) * optimal_ridge(eigenvalues, eigencoefs, n, np.inf, noise)[1]

    def enough(k):
        return optimal_ridge(eigenvalues, eigencoefs, n, float(k), noise)[1] <= goal

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
