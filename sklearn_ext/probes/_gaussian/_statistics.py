"""Sums that a Gaussian naive Bayes needs: one pass over the rows, and they add.

Each class has its weight, the sum of its rows and the sum of their squares, all taken
from a fixed pivot (a row near the data) so that large offsets do not cancel.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import blocks, dense
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

    squares: np.ndarray  # (n_features,), over all rows: that of the unit
    cubes: np.ndarray  # (n_classes, n_features)
    fourths: np.ndarray  # (n_features,), over all rows

    def of_squares(self, squares):
        """Return them in the unit that makes other squares one."""
        ratio = np.sqrt(self.squares / np.where(squares > 0, squares, np.inf))
        return Tails(squares, self.cubes * ratio**3, self.fourths * ratio**4)

    def __add__(self, other):
        squares = self.squares + other.squares
        one, more = self.of_squares(squares), other.of_squares(squares)
        return Tails(squares, one.cubes + more.cubes, one.fourths + more.fourths)


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
            present = np.flatnonzero(np.bincount(codes))  # needs no sort
            codes, classes = np.searchsorted(present, codes), classes[present]
        count = np.bincount(codes, weight, minlength=len(classes))
        weight = weight / unit
        dtype = np.dtype(np.float64 if precise else np.float32)
        batch_size = batch_size or max(64, BUFFER_BYTES // (dtype.itemsize * d))
        add = _sum_sparse if sparse.issparse(X) else _sum_dense
        with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at sums
            if pivot is None:
                rows = slice(None if sparse.issparse(X) else batch_size)
                pivot = _first_mean(X[rows], weight[rows])
            total, squares, tails = add(
                X, codes, count, weight, pivot, per_class, tails, dtype, batch_size
            )
            if tails is not None:
                cubes, fourths = tails.cubes / np.sqrt(unit), tails.fourths / unit
                tails = Tails(tails.squares * unit, cubes, fourths)
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
            self.tails and moved_tails(self, step),
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
    _check_alike(parts)
    classes = _union([part.classes for part in parts]) if classes is None else classes
    pivot = parts[0].pivot
    norm = math.hypot(*(part.weight_norm for part in parts))
    moved = [part.at(pivot) for part in parts]
    whole = [len(part.classes) == len(classes) for part in parts]
    places = [
        slice(None) if has_all else np.searchsorted(classes, part.classes)
        for part, has_all in zip(parts, whole, strict=True)
    ]

    def added(arrays):
        """Add arrays that have a row for each class that a part knows."""
        if all(whole):
            return reduce(np.add, arrays)
        total = np.zeros((len(classes), *arrays[0].shape[1:]))
        for place, rows in zip(places, arrays, strict=True):
            total[place] += rows
        return total

    count, total = added([p.count for p in moved]), added([p.sum for p in moved])
    squares, tails = [p.sumsq for p in moved], None
    squares = added(squares) if parts[0].per_class else reduce(np.add, squares)
    if parts[0].tails is not None:
        unit = reduce(np.add, [part.tails.squares for part in moved])
        alike = [part.tails.of_squares(unit) for part in moved]
        cubes = added([one.cubes for one in alike])
        tails = Tails(unit, cubes, reduce(np.add, [one.fourths for one in alike]))
    return NaiveBayesStatistics(classes, pivot, count, total, squares, norm, tails)


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
    tails = statistics.tails.of_squares(moved)
    first, step, squares = first / unit, step / unit, statistics.sumsq / unit / unit
    cubes = step * (3 * squares + step * (3 * first + count * step))
    fourths = step * (6 * squares + step * (4 * first + count * step))
    fourths = step * (4 * tails.cubes + fourths)
    return Tails(moved, tails.cubes + cubes, tails.fourths + fourths.sum(axis=0))


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
    mean = X.T.astype(np.float64) @ weight / scale
    if sparse.issparse(X):
        held = np.bincount(sparse.csr_array(X).indices, minlength=X.shape[1])
        mean[held <= n / 2] = 0.0  # zeros are many, so zero is near
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


def _sum_sparse(X, codes, count, weight, pivot, per_class, tails, dtype, batch_size):
    """Sum sparse rows; features with a pivot become dense, a batch at a time."""
    by_class = sparse.csr_array(_by_class(codes, weight, len(count)))
    squared = X.astype(np.float64).power(2)
    total, shape = (by_class @ X).toarray(), None
    squares = (by_class @ squared).toarray() if per_class else weight @ squared
    if tails:
        every = squares.sum(axis=0)  # of all rows
        Z = sparse.csr_array(X @ sparse.diags_array(np.sqrt(_inverse(every))))
        shape = Tails(every, (by_class @ Z.power(3)).toarray(), weight @ Z.power(4))
    far = np.flatnonzero(pivot)
    if len(far):
        part = sparse.csr_array(X)[:, far]
        total[:, far], squares[..., far], near = _sum_dense(
            part, codes, count, weight, pivot[far], per_class, tails, dtype, batch_size
        )
        if tails:
            shape.squares[far], shape.fourths[far] = near.squares, near.fourths
            shape.cubes[:, far] = near.cubes
    return total, squares, shape


def _inverse(squares):
    """One over what is positive, else zero."""
    positive = squares > np.finfo(squares.dtype).tiny
    return np.where(positive, 1 / np.where(positive, squares, 1), 0)


def _sum_dense(X, codes, count, weight, pivot, per_class, tails, dtype, batch_size):
    n, d = X.shape
    total = np.zeros((len(count), d))
    squares = np.zeros_like(total) if per_class else np.zeros(d)
    shape = Tails(np.zeros(d), np.zeros((len(count), d)), np.zeros(d))
    buffer = np.empty((min(batch_size, n), d), dtype)
    more = np.empty_like(buffer) if tails else None
    weight = weight.astype(dtype, copy=False)
    if dtype == np.float32 and X.dtype.itemsize <= 4:
        short = pivot.astype(dtype)
        pivot = short if (short == pivot).all() else pivot  # the same numbers
    for batch in blocks(n, batch_size):
        part, w = dense(X[batch]), weight[batch]
        rows = buffer[: len(w)]
        if pivot.dtype == dtype:
            np.copyto(rows, part)
            rows -= pivot
        else:
            np.subtract(part, pivot, out=rows, casting="same_kind")
        by_class = _by_class(codes[batch], w, len(count))
        total += by_class @ rows
        powers = np.multiply(rows, rows, out=more[: len(w)] if tails else rows)
        squared = by_class @ powers if per_class else w @ powers
        squares += squared
        if not tails:
            continue
        inverse = _inverse(scale := squared.sum(axis=0))
        powers *= inverse
        rows *= powers
        cubes = (by_class @ rows) * np.sqrt(inverse)
        np.multiply(powers, powers, out=powers)
        shape += Tails(scale, cubes, w @ powers)
    return total, squares, shape if tails else None
