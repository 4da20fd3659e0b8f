"""Equal rows count as one: a seeded hash of rows, and what is dealt by it.

A row that occurs twice is the same evidence as one row of weight two. Whoever leaves
rows out, deals them to folds or draws some of them therefore works on *distinct* rows,
each with its summed weight, and in an order that depends on nothing but their values:
neither shuffling, nor repetition, nor a row of weight zero changes what is chosen.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_ext._core._tables import factorize

# odd constants of the finaliser of splitmix64 (Steele, Lea and Flood, 2014)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)

ROWS = 2**14  # copied at a time
CELLS = 2**15  # hashed at a time, so that they stay in the cache of a core


@dataclass(frozen=True)
class EqualRows:
    """Groups of equal rows, ordered by their hash.

    Attributes
    ----------
    group : ndarray of shape (n_samples,)
        Group of each row; -1 where all rows of the group have weight zero.
    first : ndarray of shape (n_groups,)
        Position of the first row of each group.
    weight : ndarray of shape (n_groups,)
        Summed weight of each group, positive.
    hash : ndarray of shape (n_groups,), dtype uint64
        What orders the groups: ascending, so ``first[:k]`` are k distinct rows drawn at
        random by the seed.
    """

    group: np.ndarray
    first: np.ndarray
    weight: np.ndarray
    hash: np.ndarray

    @classmethod
    def of(cls, *tables, w=None, seed=0):
        """Group the rows of tables that stand side by side.

        Parameters
        ----------
        *tables : array or sparse matrix of shape (n_samples,) or (n_samples, k)
            Numbers; a row is equal to another if it is so in every table.
        w : ndarray of shape (n_samples,) or None, default=None
            Non-negative weights; None means ones.
        seed : int, default=0
            Another seed, another order.

        Returns
        -------
        EqualRows
            The groups of positive weight.
        """
        hashes = hash_rows(*tables, seed=seed)
        w = np.ones(len(hashes)) if w is None else w
        found, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        weight = np.bincount(group, weights=w, minlength=len(found))
        kept = weight > 0
        renamed = np.where(kept, np.cumsum(kept) - 1, -1)
        return cls(renamed[group], first[kept], weight[kept], found[kept])

    @classmethod
    def in_either_precision(cls, *tables, w=None, seed=0):
        """Group equal rows, in an order that single precision leaves as it is.

        Rows that only float64 tells apart are distinct, and still float64 and float32
        copies of a table have the same folds: the order is that of a hash of the
        values in single precision, and among equals there that of the values.

        Parameters
        ----------
        *tables, w, seed
            As for `of`.

        Returns
        -------
        EqualRows
            The groups of positive weight.
        """
        rows = cls.of(*tables, w=w, seed=seed)
        with np.errstate(over="ignore", invalid="ignore"):
            chance = _single_hashes(tables, rows.first, seed)
        order = np.lexsort((rows.hash, chance))
        place = np.empty(len(order) + 1, dtype=np.intp)
        place[order], place[-1] = np.arange(len(order)), -1
        first, weight = rows.first[order], rows.weight[order]
        return cls(place[rows.group], first, weight, chance[order])

    def __len__(self):
        return len(self.first)

    def deal(self, n_folds, strata=None):
        """Deal the groups to folds, in turn and in the order of their hash.

        Parameters
        ----------
        n_folds : int
            Number of folds.
        strata : ndarray of shape (n_samples,) or None, default=None
            Integer codes, equal for equal rows; the groups of a stratum are spread
            evenly over the folds.

        Returns
        -------
        ndarray of shape (n_samples,)
            Fold of each row, the same for equal rows; -1 for rows without a group.
        """
        order = np.arange(len(self))
        if strata is not None:
            order = np.argsort(np.asarray(strata)[self.first], kind="stable")
        fold = np.empty(len(self) + 1, dtype=np.intp)
        fold[order] = np.arange(len(self)) % n_folds
        fold[-1] = -1  # where group is -1
        return fold[self.group]


def hash_rows(*tables, seed=0):
    """Hash every row to 64 bits, whatever its storage.

    A cell's bits, moved by a constant of its column, pass the finaliser of splitmix64;
    the row's hash is the finalised sum over its columns, counted without what zeros
    give. So dense and sparse rows agree, as do float32 and float64 of equal values,
    -0.0 and 0.0, and all NaN. Among n distinct rows the chance that any two collide
    is about n² / 2⁶⁵, 3e-8 for a million.

    Parameters
    ----------
    *tables : array or sparse matrix of shape (n_samples,) or (n_samples, k)
        Numbers, side by side; cost is a few operations a stored cell.
    seed : int, default=0
        Another seed, another hash.

    Returns
    -------
    ndarray of shape (n_samples,), dtype uint64
        The hashes.
    """
    total, n_columns = np.uint64(0), 0
    for table in tables:
        table = table if sparse.issparse(table) else np.asarray(table)
        width = table.shape[1] if table.ndim == 2 else 1
        columns = np.arange(n_columns + 1, n_columns + width + 1, dtype=np.uint64)
        salts = _mix(columns * GOLDEN + _mix(np.array([seed % 2**64], np.uint64)))
        hash_table = _of_sparse if sparse.issparse(table) else _of_dense
        total = total + hash_table(table, salts)
        n_columns += width
    return _mix(total)


def as_numbers(X):
    """Return rows as numbers that tell them apart.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, ...)
        Rows of numbers, of anything, or single objects such as texts.

    Returns
    -------
    ndarray of shape (n_samples, k) or sparse matrix
        Numbers as they are, columns of anything else as codes of their values.
    """
    if sparse.issparse(X):
        return X
    if hasattr(X, "columns") or hasattr(X, "column_names"):  # a table
        names = getattr(X, "columns", None)
        names = names if hasattr(X, "iloc") else getattr(X, "column_names", names)
        return np.column_stack([_codes(X[name]) for name in names])
    X = np.asarray(X)
    X = X.reshape(len(X), -1)
    if X.dtype.kind in "fiub":
        return X
    return np.column_stack([_codes(column) for column in X.T])


def _codes(column):
    column = np.asarray(column)
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    try:
        codes, keys = factorize(column)
    except TypeError:  # values without a hash
        texts = [str(value) for value in column]
        return np.unique(texts, return_inverse=True)[1].astype(float)
    if any(isinstance(key, str) for key in keys):  # "01" is not "1", nor is it 1
        names = [f"{type(key).__name__} {key}" for key in keys]
        keys = np.unique(names, return_inverse=True)[1]
    return np.array([*keys, np.nan])[codes]  # the last is what is missing


def _single_hashes(tables, at, seed):
    """Return hashes of some rows in single precision, without a copy of all."""
    tables = [t.tocsr() if sparse.issparse(t) else np.asarray(t) for t in tables]
    chance = np.empty(len(at), dtype=np.uint64)
    for start in range(0, len(at), ROWS):
        part = at[start : start + ROWS]
        single = [t[part].astype(np.float32) for t in tables]
        chance[start : start + ROWS] = hash_rows(*single, seed=seed)
    return chance


def _of_dense(table, salts):
    n = len(table)
    table = table.reshape(n, len(salts))
    total = np.empty(n, dtype=np.uint64)
    step = max(1, CELLS // max(1, len(salts)))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        cells = _mix(_bits(table[rows]) + salts)
        total[rows] = cells.sum(axis=1, dtype=np.uint64)
    return total - _mix(salts).sum(dtype=np.uint64)


def _of_sparse(table, salts):
    table = table.tocsr()
    if not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()
    salt = salts[table.indices]
    cells = _mix(_bits(table.data) + salt) - _mix(salt)
    before = np.concatenate([[np.uint64(0)], np.cumsum(cells, dtype=np.uint64)])
    return before[table.indptr[1:]] - before[table.indptr[:-1]]


def _bits(cells):
    cells = np.add(cells, 0.0, dtype=np.float64)  # a copy without -0.0
    cells[np.isnan(cells)] = np.nan
    return cells.view(np.uint64)


def _mix(bits):
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    return bits ^ (bits >> np.uint64(31))
