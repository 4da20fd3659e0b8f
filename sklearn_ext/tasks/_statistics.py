"""What a task's rows say of its regression: sums that can be added.

Rows are read once. A task keeps its weight, the means of its columns and target, and
its centred products, so that columns far from zero cost no digits and blocks of rows,
in any order and from anywhere, add up to the statistics of the whole table.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.tasks._groups import positions, union

CELLS = 2**22  # products of a block of rows that are in memory at a time
LONG = 50  # rows a task from which a product of matrices each is faster


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
    xx : ndarray of shape (n_tasks, n_features, n_features)
        Centred products of the columns.
    xy : ndarray of shape (n_tasks, n_features)
        Centred products of columns and target.
    yy : ndarray of shape (n_tasks,)
        Centred squares of the target.
    """

    groups: np.ndarray
    weight: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

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
            The sums, in float64.
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
        products = _products(table, w, starts, sizes)
        mean = base + shift
        return cls(
            labels,
            weight,
            mean[:, :-1],
            mean[:, -1],
            products[:, :-1, :-1],
            products[:, :-1, -1],
            products[:, -1, -1],
        )

    def __add__(self, other):
        groups = union(self.groups, other.groups)
        one, two = self.aligned(groups), other.aligned(groups)
        weight = one.weight + two.weight
        share = two.weight / weight
        dx, dy = two.x_mean - one.x_mean, two.y_mean - one.y_mean
        between = one.weight * share
        return TaskStatistics(
            groups,
            weight,
            one.x_mean + share[:, None] * dx,
            one.y_mean + share * dy,
            one.xx + two.xx + between[:, None, None] * dx[:, :, None] * dx[:, None],
            one.xy + two.xy + (between * dy)[:, None] * dx,
            one.yy + two.yy + between * dy**2,
        )

    def aligned(self, groups):
        """Return the tasks of these labels, without rows where we know none."""
        at = positions(self.groups, groups)
        known = at >= 0

        def spread(values):
            return np.where(known.reshape(-1, *[1] * (values.ndim - 1)), values[at], 0)

        fields = ("weight", "x_mean", "y_mean", "xx", "xy", "yy")
        return replace(
            self,
            groups=groups,
            **{name: spread(getattr(self, name)) for name in fields},
        )

    def take(self, tasks):
        """Return some of the tasks."""
        fields = ("groups", "weight", "x_mean", "y_mean", "xx", "xy", "yy")
        return TaskStatistics(*(getattr(self, name)[tasks] for name in fields))

    def with_an_empty_task(self):
        """Return the tasks and, last, one of which nothing is known."""
        fields = ("weight", "x_mean", "y_mean", "xx", "xy", "yy")
        padded = (
            np.concatenate([a, np.zeros_like(a, shape=(1, *a.shape[1:]))])
            for a in (getattr(self, name) for name in fields)
        )
        return TaskStatistics(np.append(self.groups, self.groups[:1]), *padded)

    @property
    def total(self):
        """Means of all rows, and their centred squares column by column."""
        share = self.weight / self.weight.sum()
        x_mean, y_mean = share @ self.x_mean, share @ self.y_mean
        x_square = np.einsum("gjj->j", self.xx)
        x_square = x_square + self.weight @ (self.x_mean - x_mean) ** 2
        y_square = self.yy.sum() + self.weight @ (self.y_mean - y_mean) ** 2
        return x_mean, y_mean, x_square, y_square


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
