"""Sums that a Gaussian naive Bayes needs: one pass over the rows, and they add.

Each class has its weight, the sum of its rows and the sum of their squares, all taken
from a fixed pivot (a row near the data) so that large offsets do not cancel.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._equal_rows import EqualRows

BUFFER_BYTES = 4 << 20  # rows worked on at a time stay in the cache of one core

MANY = 4  # classes a row, from where on most of the sums of a batch would be zero
DENSE = 1024  # so small a matrix is cheaper dense: sparse ones take long to make


@dataclass(frozen=True, eq=False)
class NaiveBayesStatistics:
    """Weighted sums by class, taken from a pivot.

    Two of them add with ``+``, also when they know different classes or were taken
    from different pivots; the result is what all rows together would have given.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    pivot : ndarray of shape (n_features,)
        The point from which rows are measured.
    count : ndarray of shape (n_classes,)
        Sum of the weights of each class.
    sum : ndarray of shape (n_classes, n_features)
        Weighted sum of ``x - pivot`` of each class.
    sumsq : ndarray of shape (n_features,) or (n_classes, n_features)
        Weighted sum of ``(x - pivot) ** 2``, over all rows or by class.
    n_rows : int
        Number of rows with positive weight, copies counted once where the weights sum
        to less.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.probes import NaiveBayesStatistics
    >>> rows = np.array([[1.0], [3.0], [10.0]])
    >>> a = NaiveBayesStatistics.of(rows, np.array([0, 0, 1]), np.array([0, 1]))
    >>> (a + a).count
    array([4., 2.])
    """

    classes: np.ndarray
    pivot: np.ndarray
    count: np.ndarray
    sum: np.ndarray
    sumsq: np.ndarray
    n_rows: int

    @property
    def per_class(self) -> bool:
        """Whether the squares are kept by class."""
        return self.sumsq.ndim == 2

    @classmethod
    def of(
        cls,
        X,
        codes,
        classes,
        weight=None,
        *,
        per_class=False,
        precise=True,
        batch_size=None,
        pivot=None,
    ):
        """Sum the rows of one table in one pass.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_features)
            The rows. A sparse table is not made dense, but for features that most of
            its rows hold, a batch of rows at a time; the pivot of the others is zero.
        codes : ndarray of shape (n_samples,)
            Position of each row's label in ``classes``.
        classes : ndarray of shape (n_classes,)
            Sorted labels.
        weight : ndarray of shape (n_samples,), default=None
            Weights of the rows; None means ones.
        per_class : bool, default=False
            Whether to keep the squares by class.
        precise : bool, default=True
            Work in float64; otherwise in float32 within a batch of rows.
        batch_size : int, default=None
            Rows worked on at a time; None takes as many as fit in the cache.
        pivot : ndarray of shape (n_features,), default=None
            None takes the mean of the first batch, or of all sparse rows.

        Returns
        -------
        NaiveBayesStatistics
            The sums, in float64.
        """
        n, d = X.shape
        weight = np.ones(n) if weight is None else weight
        n_rows = int(np.count_nonzero(weight))
        if weight.sum() < n_rows:
            n_rows = len(EqualRows.of(X, codes, w=weight))
        if len(classes) > MANY * n:  # name only the classes that are there
            present = np.flatnonzero(np.bincount(codes, minlength=len(classes)))
            place = np.empty(len(classes), dtype=np.intp)
            place[present] = np.arange(len(present))
            codes, classes = place[codes], classes[present]
        count = np.bincount(codes, weight, minlength=len(classes))
        dtype = np.dtype(np.float64 if precise else np.float32)
        batch_size = batch_size or max(64, BUFFER_BYTES // (dtype.itemsize * d))
        if pivot is None:
            rows = slice(None if sparse.issparse(X) else batch_size)
            pivot = _first_mean(X[rows], weight[rows])
        add = _sum_sparse if sparse.issparse(X) else _sum_dense
        total, squares = add(
            X, codes, count, weight, pivot, per_class, dtype, batch_size
        )
        return cls(classes, pivot, count, total, squares, n_rows)

    def at(self, pivot):
        """Move the sums to another pivot.

        Parameters
        ----------
        pivot : ndarray of shape (n_features,)
            The new pivot.

        Returns
        -------
        NaiveBayesStatistics
            The sums as if they had been taken from ``pivot``.
        """
        if pivot is self.pivot or np.array_equal(pivot, self.pivot):
            return self
        step = self.pivot - pivot
        if self.per_class:
            total, count = self.sum, self.count[:, None]
        else:
            total, count = self.sum.sum(axis=0), self.count.sum()
        return NaiveBayesStatistics(
            self.classes,
            pivot,
            self.count,
            self.sum + self.count[:, None] * step,
            self.sumsq + 2 * step * total + count * step**2,
            self.n_rows,
        )

    def __add__(self, other):
        return add_up((self, other))


def add_up(parts, classes=None) -> NaiveBayesStatistics:
    """Add statistics at the pivot of the first, over the union of their classes.

    Parameters
    ----------
    parts : sequence of NaiveBayesStatistics
        At least one; they may know different classes.
    classes : ndarray of shape (n_classes,), default=None
        Sorted labels that hold those of all parts; None takes their union.

    Returns
    -------
    NaiveBayesStatistics
        Their sum, which costs one copy and one pass over each.
    """
    first = parts[0]
    _check_alike(parts)
    classes = _union([part.classes for part in parts]) if classes is None else classes
    moved = [part.at(first.pivot) for part in parts]
    n_rows = sum(part.n_rows for part in parts)
    if all(len(part.classes) == len(classes) for part in parts):
        count, total, squares = (
            reduce(np.add, [getattr(part, name) for part in moved])
            for name in ("count", "sum", "sumsq")
        )
    else:
        count, total, squares = _scatter(moved, classes)
    return NaiveBayesStatistics(classes, first.pivot, count, total, squares, n_rows)


def _scatter(parts, classes):
    """Add parts that know some of the classes only."""
    first = parts[0]
    count, total = np.zeros(len(classes)), np.zeros((len(classes), len(first.pivot)))
    squares = np.zeros_like(total) if first.per_class else np.zeros(len(first.pivot))
    for part in parts:
        where = slice(None)
        if len(part.classes) < len(classes):
            where = np.searchsorted(classes, part.classes)
        count[where] += part.count
        total[where] += part.sum
        squares[where if first.per_class else slice(None)] += part.sumsq
    return count, total, squares


def _check_alike(parts):
    if len({part.per_class for part in parts}) > 1:
        raise ValueError(
            "statistics with squares by class and with shared squares do not add."
        )
    if len(widths := {len(part.pivot) for part in parts}) > 1:
        raise ValueError(
            "statistics add when they have the same number of features, got "
            f"{sorted(widths)}."
        )


def _union(labels):
    """Sorted union; the first itself where all are the same."""
    first = labels[0]
    if all(other is first or np.array_equal(other, first) for other in labels[1:]):
        return first
    if len({other.dtype.kind in "OSU" for other in labels}) > 1:
        raise ValueError(
            "labels must be all text or all numbers, got classes "
            f"{' and '.join(str(other) for other in labels)}."
        )
    return np.unique(np.concatenate(labels))


def _first_mean(X, weight):
    """Mean of the rows of a batch; of sparse ones where most of them hold a feature."""
    n, scale = X.shape[0], max(weight.sum(), np.finfo(float).tiny)
    with np.errstate(over="ignore", invalid="ignore"):
        if sparse.issparse(X):
            held = np.bincount(sparse.csr_array(X).indices, minlength=X.shape[1])
            mean = X.T.astype(np.float64) @ weight / scale
            mean[held <= n / 2] = 0.0  # zeros are many, so zero is near
        else:
            mean = weight @ X.astype(np.float64) / scale
    # exact in float32, so that work in float32 subtracts the same pivot
    return mean.astype(np.float32).astype(float) if X.dtype.itemsize <= 4 else mean


def _by_class(codes, weight, n_classes):
    """Return the matrix whose product with rows sums them by class."""
    n = len(codes)
    if n * n_classes <= DENSE:
        by_class = np.zeros((n_classes, n), weight.dtype)
        by_class[codes, np.arange(n)] = weight
        return by_class
    return sparse.csc_array((weight, codes, np.arange(n + 1)), shape=(n_classes, n))


def _sum_sparse(X, codes, count, weight, pivot, per_class, dtype, batch_size):
    """Sum sparse rows; features with a pivot become dense, a batch at a time."""
    by_class = sparse.csr_array(_by_class(codes, weight, len(count)))
    squared = X.astype(np.float64).power(2)
    total = (by_class @ X).toarray()
    squares = (by_class @ squared).toarray() if per_class else weight @ squared
    far = np.flatnonzero(pivot)
    if len(far):
        part = sparse.csr_array(X)[:, far]
        total[:, far], squares[..., far] = _sum_dense(
            part, codes, count, weight, pivot[far], per_class, dtype, batch_size
        )
    return total, squares


def _sum_dense(X, codes, count, weight, pivot, per_class, dtype, batch_size):
    n, d = X.shape
    total = np.zeros((len(count), d))
    squares = np.zeros_like(total) if per_class else np.zeros(d)
    buffer = np.empty((min(batch_size, n), d), dtype)
    weight = weight.astype(dtype, copy=False)
    if dtype == np.float32 and X.dtype.itemsize <= 4:
        short = pivot.astype(dtype)
        pivot = short if (short == pivot).all() else pivot  # the same numbers
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the sums
        for start in range(0, n, batch_size):
            stop = min(start + batch_size, n)
            rows, w = buffer[: stop - start], weight[start:stop]
            part = X[start:stop]
            part = part.toarray() if sparse.issparse(part) else part
            if pivot.dtype == dtype:
                np.copyto(rows, part)
                rows -= pivot
            else:
                np.subtract(part, pivot, out=rows, casting="same_kind")
            by_class = _by_class(codes[start:stop], w, len(count))
            total += by_class @ rows
            np.multiply(rows, rows, out=rows)
            squares += by_class @ rows if per_class else w @ rows
    return total, squares
