"""Distinct rows, where they come from, and what of them is kept."""

from dataclasses import dataclass, fields, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    is_numpy,
    like,
    namespace,
    to_numpy,
)
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._ridge import CentredKernel, RidgeMoments

BLOCK_BYTES = 2**25  # features of one batch: large enough for BLAS, small in memory


@dataclass(frozen=True)
class Rows(ArrayHolder):
    """Distinct rows: rows of equal X and Y are one, of their summed weight."""

    X: np.ndarray  # (n, d), dense or sparse
    Y: np.ndarray  # (n, t)
    w: np.ndarray  # (n,), weights in the fit
    s: np.ndarray  # (n,), sample weights; w = s unless classes are weighted
    index: np.ndarray  # (n,), position of the first copy in the data
    count: np.ndarray  # (n,), number of copies
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
            X, Y = (_take(table, first) for table in (X, Y))
            w, s = (like(np.bincount(group, to_numpy(v)), v) for v in (w, s))
        count = equal.weight[order].astype(np.intp)
        return cls(X, Y, w, s, index[first], count, equal.hash[order], copies)

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            return self.convert(lambda values: values[rows, ...])
        return self.convert(lambda values: _take(values, rows))

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
        sums = {
            name: like(np.bincount(group, to_numpy(values))[order], values)
            for name in ("w", "s", "count")
            for values in [getattr(self, name)]
        }
        return replace(self[first[order]], index=index[order], **sums)

    def deal(self, n_folds, strata=None):
        """Return the fold of each row, dealt by its hash, evenly within the strata."""
        order = np.argsort(self.key)
        equal = EqualRows(np.argsort(order), order, self.count[order], self.key[order])
        return equal.deal(n_folds, strata)

    def part(self, at):
        """Return the rows of some copies, with the weight of these copies alone."""
        copies = self.copies[at]
        found, row = np.unique(copies.rows_among(self), return_inverse=True)
        rows = self[found]
        share = np.bincount(row, copies.s) / to_numpy(rows.s)
        w, s = (values * like(share, values) for values in (rows.w, rows.s))
        count = np.bincount(row)
        return found, replace(rows, w=w, s=s, count=count, copies=copies)

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

    def of(self, rows):
        """Return the copies of some distinct rows."""
        return self[np.isin(self.first, rows.index)]


def _take(values, rows):
    if sparse.issparse(values) or is_numpy(values):
        return values[rows]
    xp = namespace(values)
    return xp.take(values, like(rows, values, dtype=xp.int64), axis=0)


def _stack(one, two):
    if sparse.issparse(one) or sparse.issparse(two):
        return sparse.vstack([sparse.csr_array(one), sparse.csr_array(two)])
    return namespace(one).concat([one, two], axis=0)


def rows_a_batch(batch_size, n_components, working_memory):
    """Return how many rows' features are formed at a time."""
    if batch_size is not None:
        return batch_size
    room = min(BLOCK_BYTES, working_memory * 2**20) // (8 * n_components)
    return int(min(max(room, 256), 8192))


@dataclass(frozen=True)
class Sample(ArrayHolder):
    """The distinct rows of least hash among those seen so far: a uniform sample.

    It depends neither on the order of the rows nor on the blocks they come in, and the
    weight of each of its rows is that of all copies, whichever block holds them.
    """

    limit: int
    rows: Rows

    @classmethod
    def of(cls, rows, limit):
        """Sample from distinct rows and own them: the caller may change his array."""
        return cls(limit, rows.merged(limit))

    def __add__(self, other):
        return Sample(self.limit, (self.rows + other.rows).merged(self.limit))

    def without_copies(self):
        """Forget where the rows come from."""
        return replace(self, rows=replace(self.rows, copies=None))


def span_of(Y):
    """Return the least and the largest target of each column, of shape (2, t)."""
    xp = namespace(Y)
    return xp.stack([xp.min(Y, axis=0), xp.max(Y, axis=0)], axis=0)


@dataclass(frozen=True)
class Summary(ArrayHolder):
    """What ``partial_fit`` keeps: the moments and, for leave-one-out, some rows.

    A model fitted at once keeps no rows; leave-one-out of what is added to it looks at
    the rows added. Of few rows it keeps their features, summed only if more are added.
    """

    n_rows: int  # copies included
    moments: RidgeMoments | CentredKernel
    sample: Sample | None = None
    span: np.ndarray | None = None  # (2, t), least and largest targets

    def __add__(self, other):
        samples = [s for s in (self.sample, other.sample) if s is not None]
        return Summary(
            self.n_rows + other.n_rows,
            self.summed().moments + other.summed().moments,
            reduce(add, samples) if samples else None,
            span_of(namespace(self.span).concat([self.span, other.span], axis=0)),
        )

    @property
    def held(self):
        """Rows that leave-one-out looks at, if any."""
        return None if self.sample is None else self.sample.rows

    def summed(self):
        """Return the summary with sums in the place of features."""
        if isinstance(self.moments, RidgeMoments):
            return self
        return replace(self, moments=self.moments.moments())

    def without_copies(self):
        """Forget where the rows come from."""
        return replace(self, sample=self.sample and self.sample.without_copies())

    def without_rows(self):
        """Forget the rows."""
        return replace(self, sample=None)
