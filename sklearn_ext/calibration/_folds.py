"""Folds that keep whole rows together, where equal rows are copies."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.model_selection import StratifiedGroupKFold

from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers, hash_rows

N_FOLDS = 5
DISPUTED = 0.01  # share of distinct rows with an equal of another class
COINCIDENCES = 0.05  # equals expected by chance, per row


@dataclass(frozen=True)
class Equals:
    """Rows with equal columns, and what they are: copies, or draws that coincide.

    Copies of a row are one row and share a fold. In a table of few values equal rows
    are drawn again and again, will be so for new rows, too, and are dealt one by one:
    kept together, every fold would be asked about combinations that nobody knew.
    They are draws where they disagree about the class, or where as many coincidences
    are expected by chance if columns were independent.
    """

    group: np.ndarray  # (n_samples,), numbered in random order
    code: np.ndarray  # (n_samples,), the classes
    weight: np.ndarray  # (n_samples,), which of equal rows comes first
    are_draws: bool

    @classmethod
    def of(cls, X, code, weight=None):
        """Group rows, of numbers or of anything."""
        X, weight = as_numbers(X), np.zeros(len(code)) if weight is None else weight
        rows = EqualRows.in_either_precision(X)
        pairs = np.unique(rows.group * (code.max() + 1) + code) // (code.max() + 1)
        disputed = (np.bincount(pairs) > 1)[pairs].mean() > DISPUTED
        by_chance = not disputed and len(rows) < len(code) and _coincide(X[rows.first])
        return cls(rows.group, code, weight, bool(disputed or by_chance))

    @property
    def size(self):
        """Rows that count: all draws, or distinct rows."""
        return len(self.code) if self.are_draws else int(self.group.max()) + 1

    def folds(self, n_folds=N_FOLDS):
        """Deal to stratified folds, in turn; no order of rows decides."""
        if self.are_draws:
            # in turn, every fold would have the same share of every combination
            chance = hash_rows(self.group, self.code, self._turn())
            order = np.lexsort((chance, self.code))
            fold = np.empty(len(order), dtype=np.intp)
            fold[order] = np.arange(len(order)) % n_folds
        else:
            first = np.lexsort((self.code, self.group))
            kept = np.flatnonzero(np.diff(self.group[first], prepend=-1))
            order = np.argsort(self.code[first[kept]], kind="stable")
            of_group = np.empty(len(order), dtype=np.intp)
            of_group[order] = np.arange(len(order)) % n_folds
            fold = of_group[self.group]
        return [
            (np.flatnonzero(fold != k), np.flatnonzero(fold == k))
            for k in np.unique(fold)
        ]

    def _turn(self):
        """Count every row among its equals of the same class."""
        order = np.lexsort((self.weight, self.code, self.group))
        is_first = np.diff(self.group[order], prepend=-1) != 0
        is_first |= np.diff(self.code[order], prepend=-1) != 0
        places = np.arange(len(order))
        turn = np.empty(len(order))
        turn[order] = places - np.maximum.accumulate(np.where(is_first, places, 0))
        return turn


def _coincide(X):
    """Whether distinct rows would have equals if their columns were independent."""
    if sparse.issparse(X):
        return False
    n, chance = len(X), float(len(X))
    for column in X.T:
        count = np.unique(column, return_counts=True)[1]
        chance *= count @ (count - 1) / max(n * (n - 1), 1)
        if chance < COINCIDENCES:
            return False
    return True


def whole_folds(X, code, groups=None, n_folds=N_FOLDS):
    """Deal rows to stratified folds, copies to the same one.

    Rows are copies by their columns alone. If the class decided, too, a row would
    find its equals of every other class in the other folds and none of its own.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, of numbers or of anything.
    code : ndarray of shape (n_samples,)
        Their classes.
    groups : array-like of shape (n_samples,) or None
        What shares a fold instead, where the user says so.
    n_folds : int
        Number of folds.

    Returns
    -------
    list of tuple
        Train and test positions.
    """
    if groups is not None:
        return list(StratifiedGroupKFold(n_folds).split(X, code, groups))
    return Equals.of(X, code).folds(n_folds)


def some_of(part, group, most):
    """Keep the rows of at most so many groups, those that come first in their order.

    Parameters
    ----------
    part : ndarray of shape (n_part,)
        Positions of rows.
    group : ndarray of shape (n_samples,)
        Group of every row, numbered in random order.
    most : int
        Groups to keep.

    Returns
    -------
    ndarray
        Positions, in the order of ``part``.
    """
    if len(part) <= most:
        return part
    groups = np.unique(group[part])
    if len(groups) <= most:
        return part
    return part[group[part] <= groups[most - 1]]


def without(splits, kept):
    """Drop rows from splits, and name the others by their new positions.

    A split without test rows asks nothing and is dropped, too.
    """
    place, rows = np.cumsum(kept) - 1, np.arange(len(kept))
    # of positions in an array or a list, or of masks
    splits = [[rows[part] for part in split] for split in splits]
    left = [tuple(place[part[kept[part]]] for part in split) for split in splits]
    left = [(train, test) for train, test in left if len(test)]
    if not left:
        raise ValueError("cv tests no row of positive weight: nothing is held out.")
    return left
