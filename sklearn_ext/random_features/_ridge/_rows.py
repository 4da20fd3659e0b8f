"""Distinct rows, where they come from, and what of them is kept."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    is_numpy,
    like,
    namespace,
    take_rows,
    to_numpy,
)
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._ridge import CentredKernel, RidgeMoments


@dataclass(frozen=True)
class Rows(ArrayHolder):
    """Distinct rows: rows of equal X and Y are one, of their summed weight."""

    X: np.ndarray  # (n, d), dense or sparse
    Y: np.ndarray  # (n, t)
    w: np.ndarray  # (n,), weights in the fit
    s: np.ndarray  # (n,), sample weights; w = s unless classes are weighted
    index: np.ndarray  # (n,), position of the first copy in the data
    key: np.ndarray  # (n,), hash
    copies: Any = None  # Copies of the data that the rows come from, if they are kept

    @classmethod
    def of(cls, X, Y, w, s, index, *, keyed=True):
        """Merge equal rows, in the order of their first copies.

        Targets that all differ say that rows do; ``keyed`` rows are hashed nonetheless.
        """
        equal = None if keyed else EqualRows.of(to_numpy(Y))
        if equal is None or len(equal) < len(index):
            equal = EqualRows.of(to_numpy(X), to_numpy(Y))
        order = np.argsort(equal.first)
        first, group = equal.first[order], np.argsort(order)[equal.group]
        copies = Copies(index, index[first][group], to_numpy(s))
        if len(first) < len(index):
            X, Y = (take_rows(table, first) for table in (X, Y))
            w, s = (like(np.bincount(group, to_numpy(v)), v) for v in (w, s))
        return cls(X, Y, w, s, index[first], equal.hash[order], copies)

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            return self.convert(lambda values: values[rows, ...])
        return self.convert(lambda values: take_rows(values, rows))

    def __add__(self, other):
        """Stack, without a look for rows that are in both."""
        names = [field.name for field in fields(self) if field.name != "copies"]
        pairs = ((getattr(self, n), getattr(other, n)) for n in names)
        return Rows(*(_stack(*pair) for pair in pairs))

    def merged(self, limit):
        """Return the ``limit`` rows of least hash, equal rows as one, in their order.

        A row that is among them is among those of each part of the data that holds it.
        """
        _, first, group = np.unique(self.key, return_index=True, return_inverse=True)
        index = np.full(len(first), np.iinfo(np.intp).max)
        np.minimum.at(index, group, self.index)
        order = np.argsort(index[:limit], kind="stable")
        w, s = (
            like(np.bincount(group, to_numpy(values))[order], values)
            for values in (self.w, self.s)
        )
        return replace(self[first[order]], index=index[order], w=w, s=s)

    def given(self):
        """Return the distinct row, the position and the sample weight of each copy.

        Of blocks only the first copies are known.
        """
        if self.copies is None:
            return np.arange(len(self)), self.index, to_numpy(self.s)
        copies = self.copies[np.isin(self.copies.first, self.index)]
        return copies.rows_among(self), copies.index, copies.s

    def deal(self, n_folds, strata=None):
        """Return the fold of each row, dealt by its hash, evenly within the strata."""
        order = np.argsort(self.key)
        w = to_numpy(self.w)[order]
        equal = EqualRows(np.argsort(order), order, w, self.key[order])
        return equal.deal(n_folds, strata)

    def part(self, at):
        """Return the rows of some copies, with the weight of these copies alone."""
        copies = self.copies[at]
        found, row = np.unique(copies.rows_among(self), return_inverse=True)
        rows = self[found]
        share = np.bincount(row, copies.s) / to_numpy(rows.s)
        w, s = (values * like(share, values) for values in (rows.w, rows.s))
        return found, replace(rows, w=w, s=s, copies=copies)

    def batches(self, features, size):
        """Yield features, targets and weights of some rows at a time."""
        for start in range(0, len(self), size):
            rows = self if size >= len(self) else self[start : start + size]
            yield features(rows.X), rows.Y, rows.w


class Remembered:
    """Features of rows that were formed before.

    Sums and leave-one-out look at the same rows, one after the other. Where these are
    one batch, their features are formed once.
    """

    def __init__(self, features, X):
        self.features, self.X, self.Phi = features, X, None

    def __call__(self, X):
        """Return the features; what comes back may be overwritten."""
        if X is not self.X:
            return self.features(X)
        if self.Phi is None:
            self.Phi = self.features(X)
        return self.Phi.copy() if is_numpy(self.Phi) else self.Phi


@dataclass(frozen=True)
class Copies:
    """Rows of positive weight as they were given, equal ones one by one."""

    index: np.ndarray  # (m,), positions in the data
    first: np.ndarray  # (m,), position of the first copy
    s: np.ndarray  # (m,), sample weights

    def __getitem__(self, at):
        return Copies(self.index[at], self.first[at], self.s[at])

    def __len__(self):
        return len(self.index)

    def rows_among(self, rows):
        """Return the distinct row of each copy; all of them must be there."""
        return np.searchsorted(rows.index, self.first)


def _stack(one, two):
    if sparse.issparse(one) or sparse.issparse(two):
        return sparse.vstack([sparse.csr_array(one), sparse.csr_array(two)])
    return namespace(one).concat([one, two], axis=0)


def span_of(Y):
    """Return the least and the largest target of each column, of shape (2, t)."""
    Y = to_numpy(Y)
    return np.stack([Y.min(axis=0), Y.max(axis=0)])


@dataclass(frozen=True)
class Summary(ArrayHolder):
    """What ``partial_fit`` keeps: the moments and, for leave-one-out, some rows.

    These depend neither on the order of the rows nor on the blocks they come in, and
    the weight of each is that of all copies, whichever block holds them. A model fitted
    at once keeps no rows; leave-one-out of what is added to it looks at the rows added.
    Of few rows it keeps their features, summed only if more are added.
    """

    n_rows: int  # copies included
    moments: RidgeMoments | CentredKernel | None  # None of an infinite width
    span: np.ndarray  # (2, t), least and largest targets
    held: Rows | None = None  # the distinct rows of least hash: a uniform sample
    limit: int = 0  # of their number

    def __add__(self, other):
        held, limit = self.held or other.held, self.limit or other.limit
        if self.held and other.held:
            held = (self.held + other.held).merged(limit)
        spans = np.concatenate([to_numpy(self.span), to_numpy(other.span)])
        moments = self._sums() + other._sums()
        return Summary(self.n_rows + other.n_rows, moments, span_of(spans), held, limit)

    def _sums(self):
        late = isinstance(self.moments, CentredKernel)
        return self.moments.moments() if late else self.moments
