"""Centred, weighted sums that can be added, and samples of rows that can be merged."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from scipy import sparse

from sklearn_ext.random_features._arrays import (
    ArrayHolder,
    float64,
    is_numpy,
    like,
    namespace,
)

BLOCK_BYTES = 2**25  # features of one batch: large enough for BLAS, small in memory


@dataclass(frozen=True)
class Rows(ArrayHolder):
    """Rows of positive weight.

    A row of sample weight ``s`` stands for ``max(1, s)`` units: for ``s`` equal rows
    where ``s`` is an integer, for one row where it is a fraction of one.
    """

    X: np.ndarray  # (n, d), dense or sparse
    Y: np.ndarray  # (n, t)
    w: np.ndarray  # (n,), weights in the fit
    s: np.ndarray  # (n,), sample weights; w = s unless classes are weighted
    index: np.ndarray  # (n,), positions in the data

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            return self.convert(lambda values: values[rows, ...])
        return self.convert(lambda values: _take(values, rows))

    def __add__(self, other):
        pairs = ((getattr(self, n), getattr(other, n)) for n in ("X", "Y", "w", "s"))
        index = np.concatenate([self.index, other.index])
        return Rows(*(_stack(*pair) for pair in pairs), index)

    @property
    def unit(self):
        """Weight in the fit of one unit of each row: what leave-one-out leaves out."""
        xp = namespace(self.s)
        return self.w * xp.where(self.s > 1, 1 / self.s, xp.ones_like(self.s))

    @property
    def n_units(self):
        """Number of units of all rows."""
        xp = namespace(self.s)
        return float(xp.sum(xp.where(self.s > 1, self.s, xp.ones_like(self.s))))

    def batches(self, size):
        """Yield the rows in batches."""
        for start in range(0, len(self), size):
            yield self if size >= len(self) else self[start : start + size]


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
class RidgeStatistics(ArrayHolder):
    """Centred moments of features and targets; they add.

    ``gram = sum_i w_i (phi_i - mean)(phi_i - mean)'`` and so on; without an intercept
    the means are zero.
    """

    weight: float
    n_units: float
    n_rows: int
    mean: np.ndarray  # (k,)
    y_mean: np.ndarray  # (t,)
    gram: np.ndarray  # (k, k)
    cross: np.ndarray  # (k, t)
    y_square: np.ndarray  # (t,)

    @classmethod
    def of(cls, Phi, rows, *, fit_intercept):
        """Summarise one batch; ``Phi`` is overwritten where it is NumPy's."""
        xp = namespace(Phi)
        weight = float(xp.sum(rows.w))
        w = xp.astype(rows.w, Phi.dtype)
        if fit_intercept:
            mean, y_mean = (w @ Phi) / weight, (rows.w @ rows.Y) / weight
        else:
            mean, y_mean = xp.zeros_like(Phi[0, :]), xp.zeros_like(rows.Y[0, :])
        A = centred(Phi, mean, xp.sqrt(w))
        B = (rows.Y - y_mean) * xp.sqrt(rows.w)[:, None]
        gram, cross = A.T @ A, A.T @ xp.astype(B, A.dtype)
        y_square = xp.sum(B * B, axis=0)
        sums = (float64(array) for array in (mean, y_mean, gram, cross, y_square))
        return cls(weight, rows.n_units, len(rows), *sums)

    def __add__(self, other):
        weight = self.weight + other.weight
        share = other.weight / weight
        gap, y_gap = other.mean - self.mean, other.y_mean - self.y_mean
        between = self.weight * share
        gram = self.gram + other.gram
        gram += (between * gap)[:, None] * gap[None, :]
        return RidgeStatistics(
            weight,
            self.n_units + other.n_units,
            self.n_rows + other.n_rows,
            self.mean + share * gap,
            self.y_mean + share * y_gap,
            gram,
            self.cross + other.cross + (between * gap)[:, None] * y_gap[None, :],
            self.y_square + other.y_square + between * y_gap * y_gap,
        )

    def __sub__(self, part):
        """Take a part of the rows out again; the inverse of the sum."""
        weight = self.weight - part.weight
        gap, y_gap = part.mean - self.mean, part.y_mean - self.y_mean
        between = part.weight * (self.weight / weight)
        gram = self.gram - part.gram
        gram -= (between * gap)[:, None] * gap[None, :]
        return RidgeStatistics(
            weight,
            self.n_units - part.n_units,
            self.n_rows - part.n_rows,
            self.mean - (part.weight / weight) * gap,
            self.y_mean - (part.weight / weight) * y_gap,
            gram,
            self.cross - part.cross - (between * gap)[:, None] * y_gap[None, :],
            self.y_square - part.y_square - between * y_gap * y_gap,
        )


def centred(Phi, mean, scale=None):
    """Return ``scale * (Phi - mean)``; ``Phi`` is overwritten where it is NumPy's."""
    if is_numpy(Phi):
        Phi -= mean.astype(Phi.dtype, copy=False)
        if scale is not None:
            Phi *= scale[:, None]
        return Phi
    A = Phi - namespace(Phi).astype(mean, Phi.dtype)
    return A if scale is None else A * scale[:, None]


def summarize(features, rows, *, fit_intercept, batch_size):
    """Return the statistics of all rows, a batch of features at a time.

    Parameters
    ----------
    features : callable
        The feature map.
    rows : Rows
        The rows.
    fit_intercept : bool
        Whether moments are centred.
    batch_size : int
        Rows at a time.

    Returns
    -------
    RidgeStatistics
        The sums.
    """
    total = None
    for batch in rows.batches(batch_size):
        Phi = features(batch.X)
        part = RidgeStatistics.of(Phi, batch, fit_intercept=fit_intercept)
        total = part if total is None else total + part
    return total


@dataclass(frozen=True)
class Sample(ArrayHolder):
    """A uniform sample of rows seen so far: those with the smallest random keys."""

    limit: int
    keys: np.ndarray  # (m,)
    rows: Rows

    @classmethod
    def of(cls, rows, limit, seed):
        """Sample from the rows; a row's key depends on the seed and its index."""
        bits = np.random.PCG64(seed)
        if len(rows):
            bits.advance(int(rows.index[0]))
        keys = np.random.Generator(bits).random(len(rows))
        if len(keys) <= limit:  # own the rows: the caller may fill the array anew
            rows = rows[np.arange(len(keys))]
        return cls(limit, keys, rows)._smallest()

    def __add__(self, other):
        keys = np.concatenate([self.keys, other.keys])
        return Sample(self.limit, keys, self.rows + other.rows)._smallest()

    def _smallest(self):
        if len(self.keys) <= self.limit:
            return self
        kept = np.sort(np.argpartition(self.keys, self.limit)[: self.limit])
        return Sample(self.limit, self.keys[kept], self.rows[kept])


@dataclass(frozen=True)
class Summary(ArrayHolder):
    """What ``partial_fit`` keeps: the moments and, for leave-one-out, some rows.

    A model fitted at once keeps no rows; leave-one-out of what is added to it looks at
    the rows added.
    """

    moments: RidgeStatistics
    sample: Sample | None = None

    def __add__(self, other):
        samples = [s for s in (self.sample, other.sample) if s is not None]
        sample = reduce(add, samples) if samples else None
        return Summary(self.moments + other.moments, sample)

    def without_rows(self):
        """Forget the rows."""
        return replace(self, sample=None)
