"""Copies of rows in which some columns have the values of other rows."""

import numpy as np


def corrupt(X, table, rng, *, corruption=0.5, groups=None, w=None):
    """Replace columns of each row by those of rows drawn from a table.

    Each column of each row, or each group of columns, is replaced on its own with
    probability ``corruption``; the donor is drawn anew, with a chance proportional to
    its weight. So a replaced column is a draw from its marginal distribution, and what
    it has in common with the other columns of the row is gone.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows to copy; they stay as they are.
    table : ndarray of shape (n_donors, n_features)
        Rows whose values replace.
    rng : numpy.random.Generator
        Source of randomness.
    corruption : float, default=0.5
        Probability that a column, or group of columns, is replaced.
    groups : ndarray of int of shape (n_features,) or None, default=None
        Columns of the same group are replaced together, from one donor: those of one
        one-hot block, for instance. Codes from 0 on; None means each on its own.
    w : ndarray of shape (n_donors,) or None, default=None
        Weights of the donors; None means ones.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        The copies.
    """
    n, d = X.shape
    at = np.arange(d) if groups is None else groups
    shape = n, int(at.max()) + 1 if d else 0
    donors = _donors(rng, shape, len(table), w)
    replaced = rng.random(shape) < corruption
    return np.where(replaced[:, at], table[donors[:, at], np.arange(d)], X)


def _donors(rng, shape, n, w):
    if w is None:
        return rng.integers(0, n, shape)
    reached = np.cumsum(w)
    # a draw of exactly the total belongs to nobody, but to the last with a weight
    drawn = np.searchsorted(reached / reached[-1], rng.random(shape), side="right")
    return np.minimum(drawn, np.flatnonzero(w)[-1])
