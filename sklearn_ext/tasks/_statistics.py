"""What a task's rows say of its regression: statistics that can be added.

Rows are read once. A task keeps its weight, the means of its columns and target, and
how its rows spread about them, so that columns far from zero cost no digits and blocks
of rows, in any order and from anywhere, add up to the statistics of the whole table.
The spread is a matrix of centred products where columns are few (`Sums`), and where
they are many a factor of it, which has no more rows than the task (`Factors`).
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.tasks._groups import positions, union

CELLS = 2**22  # products of a block of rows that are in memory at a time
LONG = 50  # rows a task from which a product of matrices each is faster
MANY_COLUMNS = 64  # beyond them tasks keep factors instead of products


@dataclass(frozen=True)
class TaskStatistics:
    """Weighted moments of every task.

    Attributes
    ----------
    groups : ndarray of shape (n_tasks,)
        Labels, sorted.
    weight : ndarray of shape (n_tasks,)
        Summed weights.
    x_mean : ndarray of shape (n_tasks, n_features)
        Means of the columns.
    y_mean : ndarray of shape (n_tasks,)
        Means of the target.
    within : Sums or Factors
        Centred products of columns and target.
    """

    groups: np.ndarray
    weight: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    within: "Sums | Factors"

    @classmethod
    def of(cls, X, y, groups, w):
        """Summarise rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Columns.
        y : ndarray of shape (n_samples,)
            Target.
        groups : ndarray of shape (n_samples,)
            The task of each row.
        w : ndarray of shape (n_samples,)
            Weights; rows of weight zero are absent.

        Returns
        -------
        TaskStatistics
            The statistics, in float64.
        """
        if not np.all(w > 0):
            X, y, groups, w = (a[w > 0] for a in (X, y, groups, w))
        labels, codes = np.unique(groups, return_inverse=True)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(labels)))
        table = np.column_stack([X[order], y[order]]).astype(np.float64)
        w = w[order].astype(np.float64)
        weight = np.add.reduceat(w, starts)
        base = table[starts]  # a row of each task: its differences are small numbers
        sizes = np.diff(np.append(starts, len(w)))
        table -= np.repeat(base, sizes, axis=0)
        shift = np.add.reduceat(table * w[:, None], starts) / weight[:, None]
        table -= np.repeat(shift, sizes, axis=0)
        mean = base + shift
        keep = Factors if X.shape[1] > MANY_COLUMNS else Sums
        within = keep.of(table, w, starts, sizes)
        return cls(labels, weight, mean[:, :-1], mean[:, -1], within)

    def __add__(self, other):
        groups = union(self.groups, other.groups)
        one, two = self.aligned(groups), other.aligned(groups)
        weight = one.weight + two.weight
        share = two.weight / weight
        dx, dy = two.x_mean - one.x_mean, two.y_mean - one.y_mean
        between = np.sqrt(one.weight * share)
        step = between[:, None] * np.column_stack([dx, dy])
        return TaskStatistics(
            groups,
            weight,
            one.x_mean + share[:, None] * dx,
            one.y_mean + share * dy,
            one.within.joined(two.within, step),
        )

    def aligned(self, groups):
        """Return the tasks of these labels, without rows where we know none."""
        return self.take(positions(self.groups, groups), groups)

    def take(self, tasks, groups=None):
        """Return some of the tasks; one of which nothing is known for each -1.

        Parameters
        ----------
        tasks : ndarray of int
            Positions.
        groups : ndarray, default=None
            Their labels; needed where there is a -1.

        Returns
        -------
        TaskStatistics
            Theirs.
        """
        known = tasks >= 0

        def spread(values):
            return np.where(known.reshape(-1, *[1] * (values.ndim - 1)), values, 0)

        moments = (self.weight, self.x_mean, self.y_mean)
        return TaskStatistics(
            self.groups[tasks] if groups is None else groups,
            *(spread(values[tasks]) for values in moments),
            self.within.take(tasks),
        )

    def replaced(self, other):
        """Return the tasks of both; the other's where both know one."""
        groups = union(self.groups, other.groups)
        ours, theirs = (positions(s.groups, groups) for s in (self, other))
        one = self.take(np.where(theirs < 0, ours, -1), groups)
        two = other.take(theirs, groups)
        step = np.zeros((len(groups), self.x_mean.shape[1] + 1))
        return TaskStatistics(
            groups,
            one.weight + two.weight,
            one.x_mean + two.x_mean,
            one.y_mean + two.y_mean,
            one.within.joined(two.within, step),
        )

    @property
    def vary(self):
        """Whether rows differ from their task's mean by more than rounding."""
        means = np.column_stack([self.x_mean, self.y_mean])
        largest = self.weight @ means**2 + self.within.squares
        return bool((self.within.squares > 1e-24 * largest).any())

    @property
    def total(self):
        """Means of all rows, and their centred squares column by column."""
        share = self.weight / self.weight.sum()
        x_mean, y_mean = share @ self.x_mean, share @ self.y_mean
        squares = self.within.squares
        x_square = squares[:-1] + self.weight @ (self.x_mean - x_mean) ** 2
        y_square = squares[-1] + self.weight @ (self.y_mean - y_mean) ** 2
        return x_mean, y_mean, x_square, y_square


@dataclass(frozen=True)
class Sums:
    """Centred products of each task: d x d numbers, whatever its rows.

    Attributes
    ----------
    xx : ndarray of shape (n_tasks, n_features, n_features)
        Of the columns.
    xy : ndarray of shape (n_tasks, n_features)
        Of columns and target.
    yy : ndarray of shape (n_tasks,)
        Squares of the target.
    """

    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    @classmethod
    def of(cls, table, w, starts, sizes):
        """Sum over the centred rows (columns, then target) of each task."""
        products = _products(table, w, starts, sizes)
        return cls(products[:, :-1, :-1], products[:, :-1, -1], products[:, -1, -1])

    def take(self, tasks):
        """Return those of some tasks, zeros for -1."""
        known = tasks >= 0
        return Sums(
            np.where(known[:, None, None], self.xx[tasks], 0),
            np.where(known[:, None], self.xy[tasks], 0),
            np.where(known, self.yy[tasks], 0),
        )

    def joined(self, other, step):
        """Add those of the same tasks, and a row (n_tasks, n_features + 1) each."""
        dx, dy = step[:, :-1], step[:, -1]
        return Sums(
            self.xx + other.xx + dx[:, :, None] * dx[:, None],
            self.xy + other.xy + dy[:, None] * dx,
            self.yy + other.yy + dy**2,
        )

    @property
    def squares(self):
        """Sums of centred squares over all tasks: of each column and the target."""
        return np.append(np.einsum("gjj->j", self.xx), self.yy.sum())


@dataclass(frozen=True)
class Factors:
    """For each task rows R whose products R'R are its centred products.

    A task of n rows has n - 1 of them and, by a QR decomposition, never more than
    columns and target are.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_features + 1)
        Columns and target, task by task.
    sizes : ndarray of shape (n_tasks,)
        How many each task has.
    """

    rows: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, table, w, starts, sizes):
        """Reflect the centred rows of each task so that its first one is zero."""
        root = np.sqrt(w)
        unit = root / np.repeat(np.sqrt(np.add.reduceat(w, starts)), sizes)
        table = root[:, None] * table  # its products with unit are zero
        first = np.repeat(table[starts], sizes, axis=0)
        turn = unit / np.repeat(1 + unit[starts], sizes)
        table -= turn[:, None] * first
        rest = np.ones(len(w), dtype=bool)
        rest[starts] = False
        return cls(table[rest], sizes - 1)._compressed()

    @property
    def starts(self):
        """Where the rows of each task begin."""
        return np.cumsum(self.sizes) - self.sizes

    def take(self, tasks):
        """Return those of some tasks, none for -1."""
        sizes = np.where(tasks >= 0, self.sizes[tasks], 0)
        return Factors(self.rows[_ranges(self.starts[tasks], sizes)], sizes)

    def joined(self, other, step):
        """Stack those of the same tasks, and a row (n_tasks, n_features + 1) each."""
        extra = step.any(axis=1).astype(int)
        sizes = self.sizes + other.sizes + extra
        starts = np.cumsum(sizes) - sizes
        rows = np.empty((sizes.sum(), step.shape[1]))
        rows[_ranges(starts, self.sizes)] = self.rows
        rows[_ranges(starts + self.sizes, other.sizes)] = other.rows
        rows[(starts + sizes - 1)[extra > 0]] = step[extra > 0]
        return Factors(rows, sizes)._compressed()

    def _compressed(self):
        """Replace the rows of tasks that have more than columns by their triangle."""
        most = self.rows.shape[1]
        if not (self.sizes > most).any():
            return self
        parts = np.split(self.rows, self.starts[1:])
        parts = [np.linalg.qr(R, mode="r") if len(R) > most else R for R in parts]
        return Factors(np.concatenate(parts), np.minimum(self.sizes, most))

    @property
    def squares(self):
        """Sums of centred squares over all tasks: of each column and the target."""
        return np.einsum("ij,ij->j", self.rows, self.rows)


def _ranges(starts, sizes):
    """Return starts[0], ..., starts[0] + sizes[0] - 1, starts[1], ... as one array."""
    ends = np.cumsum(sizes)
    return np.arange(sizes.sum()) + np.repeat(starts - (ends - sizes), sizes)


def _products(table, w, starts, sizes):
    """Sum the weighted products of the columns over the rows of each task."""
    n_tasks, width = len(starts), table.shape[1]
    products = np.empty((n_tasks, width, width))
    if len(w) > LONG * n_tasks:
        scaled = table * w[:, None]
        for task, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            rows = slice(start, start + size)
            products[task] = scaled[rows].T @ table[rows]
        return products
    upper = np.triu_indices(width)
    for tasks in _blocks(sizes, max(1, CELLS // len(upper[0]))):
        first, last = (
            starts[tasks.start],
            starts[tasks.stop - 1] + sizes[tasks.stop - 1],
        )
        rows = table[first:last]
        cells = rows[:, upper[0]] * (rows * w[first:last, None])[:, upper[1]]
        sums = np.add.reduceat(cells, starts[tasks] - first)
        products[tasks, *upper] = sums
        products[tasks, upper[1], upper[0]] = sums
    return products


def _blocks(sizes, n_rows):
    """Yield slices of consecutive tasks of about so many rows."""
    start, ends = 0, np.cumsum(sizes)
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + n_rows, "right")))
        yield slice(start, stop)
        start = stop
