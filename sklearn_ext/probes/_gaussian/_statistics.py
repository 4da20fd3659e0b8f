"""Sums that a Gaussian naive Bayes needs: one pass over the rows, and they add.

Each class has its weight, the sum of its rows and the sum of their squares, all taken
from a fixed pivot (a row near the data) so that large offsets do not cancel.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._equal_rows import EqualRows

BUFFER_BYTES = 4 << 20  # rows worked on at a time stay in the cache of one core

MANY = 4  # classes a row, from where on most of the sums of a batch would be zero
DENSE = 1024  # so small a matrix is cheaper dense: sparse ones take long to make


@dataclass(frozen=True, eq=False)
class Tails:
    """Sums of third and fourth powers, taken from the pivot of other sums.

    They are measured in the unit that makes the sum of the squares over all rows one,
    so that they neither overflow nor vanish, whatever the unit of the rows.
    """

    cubes: np.ndarray  # (n_classes, n_features)
    fourths: np.ndarray  # (n_features,), over all rows

    def __mul__(self, ratio):
        """Return them in a unit that is smaller by ``ratio``."""
        return Tails(self.cubes * ratio**3, self.fourths * ratio**4)

    def __add__(self, other):
        return Tails(self.cubes + other.cubes, self.fourths + other.fourths)

    def among(self, where, n_classes):
        """Return them with a row for each of more classes."""
        cubes = np.zeros((n_classes, len(self.fourths)))
        cubes[where] = self.cubes
        return Tails(cubes, self.fourths)


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
    weight_norm : float
        Root of the sum of the squared weights; of distinct rows where the weights sum
        to less than the number of rows.
    tails : Tails or None, default=None
        Third and fourth powers; None where nobody asks how heavy tails are.

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
    weight_norm: float
    tails: Tails | None = None

    @property
    def per_class(self) -> bool:
        """Whether the squares are kept by class."""
        return self.sumsq.ndim == 2

    @property
    def n_rows(self) -> float:
        """Effective number of rows: those of next to no weight are next to none."""
        return float((self.count.sum() / self.weight_norm) ** 2)

    @property
    def covariance(self) -> str:
        """The parameter of NaiveBayesProbe that these sums serve."""
        if not self.per_class:
            return "shared"
        return "class" if self.tails is None else "auto"

    @classmethod
    def of(
        cls,
        X,
        codes,
        classes,
        weight=None,
        *,
        per_class=False,
        tails=False,
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
        tails : bool, default=False
            Whether to keep the third and fourth powers.
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
        unit = 2.0 ** (math.frexp(weight.max())[1] - 1)  # powers must not overflow
        distinct = weight
        if weight.sum() < np.count_nonzero(weight):
            distinct = EqualRows.of(X, codes, w=weight).weight
        norm = float(unit * np.linalg.norm(distinct / unit))
        if len(classes) > MANY * n:  # name only the classes that are there
            present = np.flatnonzero(np.bincount(codes, minlength=len(classes)))
            place = np.empty(len(classes), dtype=np.intp)
            place[present] = np.arange(len(present))
            codes, classes = place[codes], classes[present]
        count = np.bincount(codes, weight, minlength=len(classes))
        weight = weight / unit
        dtype = np.dtype(np.float64 if precise else np.float32)
        batch_size = batch_size or max(64, BUFFER_BYTES // (dtype.itemsize * d))
        if pivot is None:
            rows = slice(None if sparse.issparse(X) else batch_size)
            pivot = _first_mean(X[rows], weight[rows])
        add = _sum_sparse if sparse.issparse(X) else _sum_dense
        total, squares, tails = add(
            X, codes, count, weight, pivot, (per_class, tails), dtype, batch_size
        )
        if tails is not None:
            tails = Tails(tails.cubes / np.sqrt(unit), tails.fourths / unit)
        return cls(classes, pivot, count, total * unit, squares * unit, norm, tails)

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
            self.weight_norm,
            None if self.tails is None else moved_tails(self, step),
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
    norm = math.hypot(*(part.weight_norm for part in parts))
    if all(len(part.classes) == len(classes) for part in parts):
        count, total, squares = (
            reduce(np.add, [getattr(part, name) for part in moved])
            for name in ("count", "sum", "sumsq")
        )
    else:
        count, total, squares = _scatter(moved, classes)
    tails = None
    if first.tails is not None:
        known = [np.searchsorted(classes, part.classes) for part in moved]
        tails = [
            (part.sumsq.sum(axis=0), part.tails.among(where, len(classes)))
            for part, where in zip(moved, known, strict=True)
        ]
        _, tails = reduce(_join_tails, tails)
    return NaiveBayesStatistics(
        classes, first.pivot, count, total, squares, norm, tails
    )


def moved_tails(statistics, step):
    """Return the sums of third and fourth powers of rows moved by a step.

    Parameters
    ----------
    statistics : NaiveBayesStatistics
        With such sums.
    step : ndarray of shape (n_features,) or (n_classes, n_features)
        What is added to the rows, or to those of each class.

    Returns
    -------
    Tails
        The sums, in the unit that makes that of the moved squares one.
    """
    count, first = statistics.count[:, None], statistics.sum
    moved = statistics.sumsq + step * (2 * first + count * step)
    moved = moved.sum(axis=0)
    unit = np.sqrt(np.where(moved > 0, moved, np.inf))
    tails = statistics.tails * (np.sqrt(statistics.sumsq.sum(axis=0)) / unit)
    first, step, squares = first / unit, step / unit, statistics.sumsq / unit / unit
    cubes = step * (3 * squares + step * (3 * first + count * step))
    fourths = step * (6 * squares + step * (4 * first + count * step))
    fourths = step * (4 * tails.cubes + fourths)
    return Tails(tails.cubes + cubes, tails.fourths + fourths.sum(axis=0))


def _join_tails(one, other):
    """Add pairs of squares over all rows and of what is measured in their unit."""
    (squares, tails), (more, others) = one, other
    total = squares + more
    unit = np.where(total > 0, total, 1)
    return total, tails * np.sqrt(squares / unit) + others * np.sqrt(more / unit)


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
    if len(kinds := {part.covariance for part in parts}) > 1:
        raise ValueError(
            "statistics add when they were taken for the same covariance, got "
            f"{' and '.join(sorted(kinds))}."
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


def _sum_sparse(X, codes, count, weight, pivot, kept, dtype, batch_size):
    """Sum sparse rows; features with a pivot become dense, a batch at a time."""
    per_class, tails = kept
    by_class = sparse.csr_array(_by_class(codes, weight, len(count)))
    squared = X.astype(np.float64).power(2)
    total = (by_class @ X).toarray()
    squares = (by_class @ squared).toarray() if per_class else weight @ squared
    tails = _sparse_tails(X, weight, by_class) if tails else None
    far = np.flatnonzero(pivot)
    if len(far):
        part = sparse.csr_array(X)[:, far]
        total[:, far], squares[..., far], dense = _sum_dense(
            part, codes, count, weight, pivot[far], kept, dtype, batch_size
        )
        if tails is not None:
            tails.cubes[:, far], tails.fourths[far] = dense.cubes, dense.fourths
    return total, squares, tails


def _sparse_tails(X, weight, by_class):
    """Third and fourth powers of sparse rows around zero."""
    X = sparse.csr_array(X, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the sums
        unit = np.sqrt(_inverse(weight @ X.power(2)))
        X = X @ sparse.diags_array(unit)
        return Tails((by_class @ X.power(3)).toarray(), weight @ X.power(4))


def _inverse(squares):
    """One over what is positive, else zero."""
    positive = squares > np.finfo(squares.dtype).tiny
    return np.where(positive, 1 / np.where(positive, squares, 1), 0)


def _sum_dense(X, codes, count, weight, pivot, kept, dtype, batch_size):
    (per_class, tails), (n, d) = kept, X.shape
    shape = np.zeros(d), Tails(np.zeros((len(count), d)), np.zeros(d))
    total = np.zeros((len(count), d))
    squares = np.zeros_like(total) if per_class else np.zeros(d)
    buffer = np.empty((min(batch_size, n), d), dtype)
    more = np.empty_like(buffer) if tails else None
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
            if not tails:
                np.multiply(rows, rows, out=rows)
                squares += by_class @ rows if per_class else w @ rows
                continue
            powers = np.multiply(rows, rows, out=more[: stop - start])
            squared = by_class @ powers
            squares += squared
            inverse = _inverse(scale := squared.sum(axis=0))
            powers *= inverse
            rows *= powers
            cubes = (by_class @ rows) * np.sqrt(inverse)
            np.multiply(powers, powers, out=powers)
            shape = _join_tails(shape, (scale, Tails(cubes, w @ powers)))
    return total, squares, shape[1] if tails else None
