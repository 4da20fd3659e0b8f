"""Rows in numbered slots that are reused, dense or sparse."""

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    blocks,
    dense,
    device_of,
    is_numpy,
    like,
    namespace,
)


def row_store(rows):
    """Return a store that holds rows in slots 0, 1, ...

    Parameters
    ----------
    rows : {ndarray, sparse array} of shape (n_rows, n_columns)
        The first rows, which nobody else may change.

    Returns
    -------
    DenseRows or SparseRows
        The store.
    """
    return SparseRows(rows) if sparse.issparse(rows) else DenseRows(rows)


def raw_store(X):
    """Return a store of rows that are only handed back.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, ...)
        The first rows, as `any_rows` returns them; nobody else may change them.

    Returns
    -------
    RawRows or SparseRows
        The store.
    """
    return SparseRows(X) if sparse.issparse(X) else RawRows(X)


def writable(value):
    """Return an array, or a list that may hold some, that can be written.

    Parameters
    ----------
    value : object
        What a stored object held: where joblib maps files, its arrays are read-only.

    Returns
    -------
    object
        The same, with copies of such arrays.
    """
    if type(value) is list:
        return [writable(part) for part in value]
    if isinstance(value, np.ndarray) and not value.flags.writeable:
        return value.copy()
    return value


def grown(array, size):
    """Return an array with room for at least ``size`` entries, doubling it.

    Parameters
    ----------
    array : ndarray or tensor
        The array; returned itself when it is large enough and can be written.
    size : int
        Entries needed.

    Returns
    -------
    ndarray or tensor
        An array with zeros in the new entries.
    """
    if size <= len(array):
        return writable(array)
    shape = (max(size, 2 * len(array)), *array.shape[1:])
    larger = namespace(array).zeros(shape, dtype=array.dtype, device=device_of(array))
    larger[: len(array)] = array
    return larger


class DenseRows:
    """Rows of an array, or a tensor on a device, whose capacity doubles."""

    dense = True

    def __init__(self, rows):
        self._rows = np.ascontiguousarray(rows) if is_numpy(rows) else rows
        self.n_slots = len(rows)  # up to the last that was ever used

    @property
    def dtype(self):
        """Dtype of the rows."""
        return self._rows.dtype

    @property
    def width(self):
        """Entries stored by a row."""
        return self._rows.shape[1]

    @property
    def arrays(self):
        """What the rows are stored in."""
        return (self._rows,)

    def take(self, slots):
        """Return copies of rows."""
        return self._rows[slots]

    def put(self, slots, rows):
        """Write rows, whatever they are stored in."""
        if len(slots):
            self.n_slots = max(self.n_slots, int(slots.max()) + 1)
            self._rows = grown(self._rows, self.n_slots)
            rows = dense(rows)
            there = is_numpy(self._rows)  # which numpy brings them to
            self._rows[slots] = rows if there else like(rows, self._rows)

    def __getstate__(self):
        return {**self.__dict__, "_rows": self._rows[: self.n_slots]}


class RawRows(DenseRows):
    """Rows of any dtype and shape; one that the dtype cannot hold widens it."""

    def put(self, slots, rows):
        """Write rows."""
        wide = np.result_type(self._rows.dtype, rows.dtype)
        self._rows = self._rows.astype(wide, copy=False)
        super().put(slots, rows)


class SparseRows:
    """Sparse rows, one after the other; space of replaced rows is reclaimed at half."""

    dense = False

    def __init__(self, rows):
        self._n_columns = rows.shape[1]
        self._columns = np.zeros(0, dtype=np.int32)
        self._values = np.zeros(0, dtype=rows.dtype)
        self._start = np.zeros(0, dtype=np.int64)
        self._length = np.zeros(0, dtype=np.int64)
        self._used = self.n_slots = 0
        self.put(np.arange(rows.shape[0]), rows)

    @property
    def dtype(self):
        """Dtype of the rows."""
        return self._values.dtype

    @property
    def width(self):
        """Entries stored by a row, on average."""
        return max(1, self._used // max(1, len(self._length)))

    @property
    def arrays(self):
        """What the rows are stored in: values, columns, starts of rows and lengths."""
        return self._values, self._columns, self._start, self._length

    def take(self, slots):
        """Return copies of rows as a sparse array."""
        lengths = self._length[slots]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        at = np.arange(bounds[-1]) + np.repeat(
            self._start[slots] - bounds[:-1], lengths
        )
        shape = (len(slots), self._n_columns)
        parts = (self._values[at], self._columns[at], bounds)
        return sparse.csr_array(parts, shape=shape)

    def put(self, slots, rows):
        """Write rows."""
        if not len(slots):
            return
        rows = sparse.csr_array(rows)
        self.n_slots = max(self.n_slots, int(slots.max()) + 1)
        self._start = grown(self._start, self.n_slots)
        self._length = grown(self._length, self.n_slots)
        self._length[slots] = 0
        if self._used + rows.nnz > len(self._values):
            self._compact()
        stop = self._used + rows.nnz
        self._columns = grown(self._columns, stop)
        self._values = grown(self._values, stop)
        self._columns[self._used : stop] = rows.indices
        self._values[self._used : stop] = rows.data
        self._start[slots] = self._used + rows.indptr[:-1]
        self._length[slots] = np.diff(rows.indptr)
        self._used = stop

    def _compact(self):
        if 2 * self._length.sum() > self._used:
            return
        kept = self.take(np.arange(len(self._length)))
        self._start = kept.indptr[:-1].astype(np.int64)
        self._columns, self._values = kept.indices.astype(np.int32), kept.data
        self._used = len(kept.data)


class RepresentedRows:
    """Coordinates computed anew from stored rows, where a cache would be too large."""

    dense = False  # unknown: some objectives make sparse rows

    def __init__(self, oracle, source):
        self._oracle, self._source = oracle, source
        self.width = oracle.objective.n_coords_

    @property
    def dtype(self):
        """Dtype of the rows."""
        return self._source.dtype

    def take(self, slots):
        """Return coordinates of rows."""
        if not len(slots):  # which kernels refuse
            return np.empty((0, self.width))
        return self._oracle.represent(self._source.take(slots))

    def put(self, slots, rows):
        """Do nothing: the rows are in the source."""


def represent_rows(objective, X, *, batch_size=16_384):
    """Return the store of coordinates of rows, computed batch by batch.

    Parameters
    ----------
    objective : SubmodularObjective
        With its reference fitted.
    X : {ndarray, sparse array} of shape (n_rows, n_features)
        Rows, which nobody may change: objectives may take them as they are.
    batch_size : int, default=16384
        Rows worked on at a time, so that temporaries stay small.

    Returns
    -------
    DenseRows or SparseRows
        The store.
    """
    n, cut = X.shape[0], blocks(X.shape[0], batch_size)
    parts = (objective.represent(X[part]) for part in cut)
    first = next(parts)
    if sparse.issparse(first):
        return SparseRows(sparse.vstack([first, *parts], format="csr"))
    if len(cut) == 1:
        return DenseRows(first)
    # room for rows to come costs nothing before it is used; moving all rows would
    rows = np.zeros((n + n // 8, first.shape[1]), dtype=first.dtype)
    rows[cut[0]] = first
    for part, found in zip(cut[1:], parts, strict=True):
        rows[:n][part] = found
    return DenseRows(rows)
