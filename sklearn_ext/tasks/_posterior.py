"""Coefficients of every task given the population and the task's own rows."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.tasks._reml import Products


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
        """Return uncentred products of all tasks in these coordinates."""
        n, d = statistics.x_mean.shape
        first = int(self.fit_intercept)
        weight = statistics.weight
        x = np.ones((n, first + d))
        x[:, first:] = (statistics.x_mean - self.x_mean) / self.x_scale
        y = (statistics.y_mean - self.y_mean) / self.y_scale
        A = weight[:, None, None] * x[:, :, None] * x[:, None]
        A[:, first:, first:] += statistics.xx / np.outer(self.x_scale, self.x_scale)
        b = (weight * y)[:, None] * x
        b[:, first:] += statistics.xy / (self.x_scale * self.y_scale)
        c = statistics.yy / self.y_scale**2 + weight * y**2
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

    def own(self, statistics):
        """Return least squares of each task alone, NaN where it is not determined."""
        products = self.products(statistics)
        values, vectors = np.linalg.eigh(products.A)
        known = values[:, :1] > 1e-10 * values[:, -1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.einsum("gjk,gj->gk", vectors, products.b) / values
        alone = np.einsum("gjk,gk->gj", vectors, half)
        return np.where(known, alone, np.nan)

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


def posterior(population, products):
    """Return means of the coefficients of each task and their share of the data.

    Parameters
    ----------
    population : Population
        The prior.
    products : Products
        Of the tasks.

    Returns
    -------
    means : ndarray of shape (n_tasks, d)
        Posterior means.
    K : ndarray of shape (n_tasks, d, d)
        Posterior covariances given the mean of the population, over the noise's.
    """
    factor = population.factor
    B = products.A @ factor
    M = np.eye(factor.shape[1]) + factor.T @ B
    K = factor @ np.linalg.inv(M) @ factor.T
    u = products.b - products.A @ population.mean
    return population.mean + np.einsum("gjk,gk->gj", K, u), K


def covariance(population, products, K):
    r"""Return covariances of the coefficients, that of the estimated mean included.

    Parameters
    ----------
    population : Population
        The prior.
    products : Products
        Of the tasks.
    K : ndarray of shape (n_tasks, d, d)
        As :func:`posterior` returns them.

    Returns
    -------
    ndarray of shape (n_tasks, d, d)
        :math:`V_g + (I - J_g) C (I - J_g)'` with :math:`J_g = V_g A_g / \sigma^2`.
    """
    rest = np.eye(len(population.mean)) - K @ products.A
    return population.noise_var * (
        K + rest @ population.mean_cov @ rest.transpose(0, 2, 1)
    )
