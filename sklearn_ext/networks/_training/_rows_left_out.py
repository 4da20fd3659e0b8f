"""Rows that differ, their order, and which of them each member leaves out."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers, hash_rows

BLOCK = 8192  # rows rounded at a time
LEAST_REST = 1e-6  # share of a class that must stay with the members that leave it out


@dataclass(frozen=True)
class DistinctRows:
    """Rows that differ in their columns or their target.

    Equal rows are one row of their summed weight, so that weights equal repetition to
    the last bit.

    Attributes
    ----------
    first : ndarray of shape (n_distinct,)
        Position of each among the rows.
    place : ndarray of shape (n_samples,)
        Place of each row among them; -1 of rows without weight.
    weight : ndarray of shape (n_distinct,)
        Summed weights, scaled to mean one.
    """

    first: np.ndarray
    place: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, X, target, w, *, seed=0):
        """Find them.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows.
        target : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Codes of classes, or numbers.
        w : ndarray of shape (n_samples,)
            Non-negative weights.
        seed : int, default=0
            Another seed, another order.

        Returns
        -------
        DistinctRows
            The rows.
        """
        numbers = as_numbers(X)
        single = numbers.dtype == np.float32  # its order needs no second hash
        find = EqualRows.of if single else EqualRows.in_either_precision
        groups = find(numbers, w=w, seed=seed).group
        target = target.reshape(len(groups), -1)
        order = np.lexsort((*target.T[::-1], groups))
        order = order[w[order] > 0]
        new = np.ones(len(order), dtype=bool)
        new[1:] = np.diff(groups[order]) != 0
        new[1:] |= (np.diff(target[order], axis=0) != 0).any(axis=1)
        place = np.full(len(groups), -1)
        place[order] = np.cumsum(new) - 1
        first = order[new]
        total = np.bincount(place[order], w[order])
        total = total / total.max()  # or the sum of weights of 1e308 overflows
        weight = total * (len(total) / total.sum())
        return cls(first, place, weight)

    def __len__(self):
        return len(self.first)


def keys_of(Z, *, rounded, fineness=1000.0, seed=0):
    """Return what orders rows and says which stay together: a hash of coded columns.

    Parameters
    ----------
    Z : ndarray or CSR matrix of shape (n_rows, n_coded)
        Coded columns.
    rounded : bool
        Whether rows that agree to a share of a unit are one: then neither units nor
        offsets of the columns, nor their precision, change order and folds.
    fineness : float, default=1000.0
        How many parts a unit has.
    seed : int, default=0
        Another seed, another order.

    Returns
    -------
    ndarray of shape (n_rows,), dtype uint64
        The keys.
    """
    if not rounded:
        return hash_rows(Z, seed=seed)
    keys = np.empty(len(Z), dtype=np.uint64)
    for at in range(0, len(Z), BLOCK):
        part = np.multiply(Z[at : at + BLOCK], fineness, dtype=np.float64)
        keys[at : at + BLOCK] = hash_rows(np.rint(part), seed=seed)
    return keys


def order_of(keys, target):
    """Return an order of rows that hangs on values alone."""
    return np.lexsort((*target.reshape(len(target), -1).T[::-1], keys))


def deal(keys, n_folds, weight, strata=None):
    """Deal rows to folds, those of equal keys together.

    A fold that holds a class whole, or all its weight but a millionth, gives it back:
    nobody learns a class from rows that are left out.

    Parameters
    ----------
    keys : ndarray of shape (n_rows,)
        Keys; their order is that of dealing.
    n_folds : int
        Number of folds.
    weight : ndarray of shape (n_rows,)
        Weights.
    strata : ndarray of int of shape (n_rows,) or None, default=None
        Classes, to be spread evenly.

    Returns
    -------
    ndarray of shape (n_rows,)
        Fold of each; -1 of those that no member may leave out.
    """
    strata = np.zeros(len(keys), dtype=np.intp) if strata is None else strata
    found, group = np.unique(keys, return_inverse=True)
    of_group = np.full(len(found), strata.max())
    np.minimum.at(of_group, group, strata)
    fold = np.empty(len(found), dtype=np.intp)
    fold[np.argsort(of_group, kind="stable")] = np.arange(len(found)) % n_folds
    n_strata = strata.max() + 1
    cell = strata * n_folds + fold[group]
    inside = np.bincount(cell, weight, n_strata * n_folds).reshape(n_strata, n_folds)
    rest = inside.sum(axis=1, keepdims=True) - inside
    whole = rest <= LEAST_REST * inside
    fold[group[whole.ravel()[cell]]] = -1
    return fold[group]
