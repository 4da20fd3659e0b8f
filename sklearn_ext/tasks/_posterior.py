"""Coefficients of every task given the population and the task's own rows."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.tasks._groups import positions
from sklearn_ext.tasks._products import Products
from sklearn_ext.tasks._rows import Rows
from sklearn_ext.tasks._statistics import Factors, TaskStatistics


@dataclass(frozen=True)
class Scale:
    """Coordinates of the fit: columns centred (with an intercept) and of unit scale.

    Attributes
    ----------
    x_mean, x_scale : ndarray of shape (n_features,)
        Subtracted from the columns, and what divides them then.
    y_mean, y_scale : float
        The same of the target.
    fit_intercept : bool
        Whether there is a constant column, the first one.
    """

    x_mean: np.ndarray
    x_scale: np.ndarray
    y_mean: float
    y_scale: float
    fit_intercept: bool

    @classmethod
    def of(cls, statistics, *, fit_intercept, centre_y=True):
        """Take the scale from the moments of all rows."""
        x_mean, y_mean, x_square, y_square = statistics.total
        weight = statistics.weight.sum()
        if not fit_intercept:
            x_square = x_square + weight * x_mean**2
            x_mean = np.zeros_like(x_mean)
        if not (fit_intercept and centre_y):
            y_square, y_mean = y_square + weight * y_mean**2, 0.0
        x_scale, y_scale = np.sqrt(x_square / weight), np.sqrt(y_square / weight)
        # a constant column keeps its rounding errors small, and no more
        x_scale = np.where(x_scale > 1e-12 * abs(x_mean), x_scale, 1.0)
        y_scale = y_scale if y_scale > 1e-12 * abs(y_mean) else 1.0
        return cls(x_mean, x_scale, float(y_mean), float(y_scale), fit_intercept)

    def design(self, X):
        """Return the rows of the fit, the constant column first."""
        Z = (X - self.x_mean) / self.x_scale
        return np.column_stack([np.ones(len(Z)), Z]) if self.fit_intercept else Z

    def products(self, statistics):
        """Return what the likelihood needs of all tasks in these coordinates.

        Parameters
        ----------
        statistics : TaskStatistics
            Of the tasks.

        Returns
        -------
        Products or Rows
            Products of the columns, or rows where tasks keep factors.
        """
        n, d = statistics.x_mean.shape
        first = int(self.fit_intercept)
        weight, within = statistics.weight, statistics.within
        x = np.ones((n, first + d))
        x[:, first:] = (statistics.x_mean - self.x_mean) / self.x_scale
        y = (statistics.y_mean - self.y_mean) / self.y_scale
        if isinstance(within, Factors):
            rows = np.zeros((len(within.rows), first + d))
            rows[:, first:] = within.rows[:, :-1] / self.x_scale
            root, targets = np.sqrt(weight), within.rows[:, -1] / self.y_scale
            mean = root[:, None] * x
            return Rows.of(weight, mean, root * y, rows, targets, within.sizes)
        A = weight[:, None, None] * x[:, :, None] * x[:, None]
        A[:, first:, first:] += within.xx / np.outer(self.x_scale, self.x_scale)
        b = (weight * y)[:, None] * x
        b[:, first:] += within.xy / (self.x_scale * self.y_scale)
        c = within.yy / self.y_scale**2 + weight * y**2
        return Products(weight, A, b, c)

    def coefficients(self, means):
        """Return intercepts and slopes in the units of the columns and the target."""
        first = int(self.fit_intercept)
        slopes = means[..., first:] * (self.y_scale / self.x_scale)
        level = means[..., 0] * self.y_scale if first else np.zeros(means.shape[:-1])
        return level + self.y_mean - slopes @ self.x_mean, slopes

    def centred(self, means):
        """Return coefficients in the units of the data, intercepts at the mean row."""
        first = int(self.fit_intercept)
        level = self.y_mean + self.y_scale * means[..., :first]
        slopes = means[..., first:] * (self.y_scale / self.x_scale)
        return np.concatenate([level, slopes], axis=-1)

    def covariance(self, cov):
        """Return covariances of intercept and slopes in the units of the data."""
        first = int(self.fit_intercept)
        back = np.diag(np.append(np.ones(first), 1 / self.x_scale))
        if first:
            back[0, 1:] = -self.x_mean / self.x_scale
        return self.y_scale**2 * back @ cov @ back.T

    def log_volume(self, n_rows, n_means):
        """Return what the likelihood gains when data go back to their own units."""
        return -(n_rows - n_means) * np.log(self.y_scale) - np.log(
            self.x_scale
        ).sum() * (n_means > 0)


@dataclass(frozen=True)
class Tasks:
    """What is known of some tasks, under one population.

    Attributes
    ----------
    statistics : TaskStatistics
        Of their rows.
    means : ndarray of shape (n_tasks, d)
        Posterior means, in the coordinates of the fit.
    share : ndarray of shape (n_tasks,)
        How many coefficients the rows of each decide.
    rss : ndarray of shape (n_tasks,)
        Sums of squares of their residuals.
    """

    statistics: TaskStatistics
    means: np.ndarray
    share: np.ndarray
    rss: np.ndarray

    @classmethod
    def of(cls, statistics, population, scale):
        """Condition the population on the rows of each task."""
        return cls(statistics, *scale.products(statistics).posterior(population))

    @property
    def groups(self):
        """Labels, sorted."""
        return self.statistics.groups

    @property
    def dof(self):
        """Degrees of freedom of the residuals."""
        return np.maximum(self.statistics.weight - self.share, 0)

    def replaced(self, other):
        """Return the tasks of both; the other's where both know one."""
        statistics = self.statistics.replaced(other.statistics)
        ours, theirs = (positions(t.groups, statistics.groups) for t in (self, other))
        newer = theirs >= 0
        merged = (
            np.where(newer.reshape(-1, *[1] * (b.ndim - 1)), b[theirs], a[ours])
            for a, b in (
                (self.means, other.means),
                (self.share, other.share),
                (self.rss, other.rss),
            )
        )
        return Tasks(statistics, *merged)
