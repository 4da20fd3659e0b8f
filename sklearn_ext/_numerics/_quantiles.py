"""Quantiles of weighted values, and the scores of their ranks.

Repetition of a value and its weight are the same, a constant factor of all weights
changes nothing, and neither does the order of the values.
"""

import numpy as np
from scipy.special import ndtr, ndtri

TIES = 1e-12  # shares of the weight so close are equal: sums of weights round


def quantiles(values, w, levels):
    """Return the values up to which given shares of the weight lie.

    Where a share ends exactly between two values, it is the middle of both: the usual
    median.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers, none missing.
    w : ndarray of shape (n,)
        Positive weights.
    levels : array-like of shape (k,)
        Shares between 0 and 1.

    Returns
    -------
    ndarray of shape (k,)
        The quantiles, in double precision.
    """
    order, levels = np.argsort(values, kind="stable"), np.asarray(levels)
    reached = np.cumsum(w[order] / w.max())
    reached /= reached[-1]
    ends = (np.searchsorted(reached, levels + away) for away in (-TIES, TIES))
    low, high = (values[order][np.minimum(at, len(values) - 1)] for at in ends)
    return low / 2.0 + high / 2.0  # halves first, lest the sum overflow


def normal_scores(values, w, *, limit, n_levels):
    """Return some of the values, and the normal quantiles of their middle ranks.

    A value's rank is the share of the weight below it and half of its own. All distinct
    values are returned where they are few; else those on either side of levels that
    are evenly spaced in normal quantiles, so that linear interpolation between
    them is nowhere off by more than one spacing, and jumps stay jumps.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Numbers, none missing.
    w : ndarray of shape (n,)
        Weights; values of weight zero do not count.
    limit : float
        Normal quantiles that scores do not pass.
    n_levels : int
        Number of levels between the limits; twice as many values are returned at most,
        and two.

    Returns
    -------
    values : ndarray of shape (k,)
        Distinct values, ascending.
    scores : ndarray of shape (k,)
        Their scores, ascending.
    """
    found, at = np.unique(values[w > 0], return_inverse=True)
    weight = np.bincount(at, w[w > 0])
    rank = (np.cumsum(weight) - weight / 2) / weight.sum()
    last = len(found) - 1
    if last > 2 * n_levels:
        wanted = ndtr(np.linspace(-limit, limit, n_levels))
        after = np.searchsorted(rank, wanted).clip(1, last)
        kept = np.unique(np.concatenate([[0], after - 1, after, [last]]))
        found, rank = found[kept], rank[kept]
    return found, ndtri(rank).clip(-limit, limit)


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
