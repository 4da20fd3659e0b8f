"""From held-out scores to probabilities and intervals."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

LIMITS = 1e-3, 1e3  # of the temperature, where held-out scores separate the classes


def stacked(scores):
    """Return one column a class: a single column of ``{-1, 1}`` becomes two."""
    return np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores


def probabilities(scores, temperature):
    """Return ``softmax(temperature * scores)``.

    Parameters
    ----------
    scores : ndarray of shape (n, t)
        Decision values; one column for two classes.
    temperature : float
        Factor of the scores.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Probabilities.
    """
    return softmax(temperature * stacked(scores), axis=1)


def fit_temperature(scores, codes, w):
    """Return the factor of held-out scores that minimises the weighted log-loss.

    The loss is convex in the factor, so its derivative has one root.

    Parameters
    ----------
    scores : ndarray of shape (n, t)
        Held-out decision values.
    codes : ndarray of shape (n,)
        Position of each row's class.
    w : ndarray of shape (n,)
        Weights.

    Returns
    -------
    float
        The temperature, between 0.001 and 1000.
    """
    finite = np.isfinite(scores).all(axis=1)
    if not finite.any():
        return 1.0
    S, w = stacked(scores[finite].astype(np.float64)), w[finite] / w[finite].sum()
    own = S[np.arange(len(S)), codes[finite]]

    def slope(log_t):
        P = softmax(np.exp(log_t) * S, axis=1)
        return w @ ((P * S).sum(axis=1) - own)

    low, high = np.log(LIMITS)
    if slope(low) >= 0:
        return LIMITS[0]
    if slope(high) <= 0:
        return LIMITS[1]
    return float(np.exp(brentq(slope, low, high, xtol=1e-14, rtol=1e-14)))


def log_loss(scores, codes, w, temperature):
    """Return the weighted mean log-loss of ``softmax(temperature * scores)``."""
    logs = log_softmax(temperature * stacked(scores), axis=1)
    return -(w @ logs[np.arange(len(logs)), codes]) / w.sum()


def weighted_quantile(values, w, level):
    """Return the smallest value that covers a share of the weight.

    The share is ``level * (1 + 1 / n)``, the usual correction for ``n`` exchangeable
    values; infinite where that is above one.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Absolute residuals.
    w : ndarray of shape (n,)
        Weights.
    level : float
        Share to cover, between 0 and 1.

    Returns
    -------
    float
        The quantile.
    """
    level = level * (1 + 1 / len(values))
    if level > 1:
        return np.inf
    order = np.argsort(values)
    covered = np.cumsum(w[order]) / w.sum()
    at = np.searchsorted(covered, level - 1e-12)
    return float(values[order][min(at, len(values) - 1)])
