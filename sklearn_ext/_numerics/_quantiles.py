"""Quantiles of weighted values."""

import numpy as np


def covering_quantile(values, w, level):
    """Return the smallest value that covers a share of the weight.

    The share is ``level * (1 + 1 / n)``, the usual correction for ``n`` exchangeable
    values; infinite where that is above one. The scale of the weights does not matter.

    Parameters
    ----------
    values : ndarray of shape (n,)
        For instance absolute residuals of rows that were left out.
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
