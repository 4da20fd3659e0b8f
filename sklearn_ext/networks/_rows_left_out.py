"""Rows that differ, and which of them each member leaves out."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers

LEAST_REST = 1e-6  # share of a class that must stay with the members that leave it out


@dataclass(frozen=True)
class DistinctRows:
    """Rows that differ in their columns or their target, ordered by values alone.

    Equal rows are one row of their summed weight, so that weights equal repetition to
    the last bit, and the order of the rows says nothing.

    Attributes
    ----------
    first : ndarray of shape (n_distinct,)
        Position of each among the rows.
    place : ndarray of shape (n_samples,)
        Place of each row among them; -1 of rows without weight.
    weight : ndarray of shape (n_distinct,)
        Summed weights, scaled to mean one.
    columns : ndarray of shape (n_distinct,)
        Code of the columns alone, ascending: rows of the same columns and another
        target follow each other.
    """

    first: np.ndarray
    place: np.ndarray
    weight: np.ndarray
    columns: np.ndarray

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
        return cls(first, place, weight, groups[first])

    def __len__(self):
        return len(self.first)

    def deal(self, n_folds, strata=None):
        """Deal the rows to folds, those of equal columns together.

        A fold that holds a class whole, or all its weight but a millionth, gives it
        back: nobody learns a class from rows that are left out.

        Parameters
        ----------
        n_folds : int
            Number of folds.
        strata : ndarray of int of shape (n_distinct,) or None, default=None
            Classes, to be spread evenly.

        Returns
        -------
        ndarray of shape (n_distinct,)
            Fold of each; -1 of those that no member may leave out.
        """
        starts = np.flatnonzero(np.diff(self.columns, prepend=-1))
        group = np.repeat(np.arange(len(starts)), np.diff([*starts, len(self)]))
        strata = np.zeros(len(self), dtype=np.intp) if strata is None else strata
        order = np.argsort(strata[starts], kind="stable")
        fold = np.empty(len(starts), dtype=np.intp)
        fold[order] = np.arange(len(starts)) % n_folds
        n_strata = strata.max() + 1
        cell = strata * n_folds + fold[group]
        inside = np.bincount(cell, self.weight, n_strata * n_folds)
        inside = inside.reshape(n_strata, n_folds)
        rest = inside.sum(axis=1, keepdims=True) - inside
        whole = rest <= LEAST_REST * inside
        fold[group[whole.ravel()[cell]]] = -1
        return fold[group]
