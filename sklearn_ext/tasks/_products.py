r"""Likelihood and posterior from products: matrices of columns by columns a task.

From the products :math:`A_g = X_g'X_g`, :math:`b_g = X_g'y_g`, :math:`c_g = y_g'y_g`
alone,

.. math::

   M_g = I + \Lambda' A_g \Lambda, \qquad
   E_g = A_g - A_g \Lambda M_g^{-1} \Lambda' A_g, \qquad P = \sum_g E_g.

One evaluation with its gradient is a few products of stacked small matrices; rows are
not seen. `sklearn_ext.tasks._rows` has the same from the side of the rows.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.tasks._reml import concentrate, inverse_half

CELLS = 2**22  # entries of covariances that are in memory at a time


@dataclass(frozen=True)
class Products:
    """Uncentred products of all tasks in the coordinates of the fit.

    Attributes
    ----------
    weight : ndarray of shape (n_tasks,)
        Summed weights.
    A : ndarray of shape (n_tasks, d, d)
        Products of the columns, the constant one included.
    b : ndarray of shape (n_tasks, d)
        Products of columns and target.
    c : ndarray of shape (n_tasks,)
        Squares of the target.
    """

    weight: np.ndarray
    A: np.ndarray
    b: np.ndarray
    c: np.ndarray

    @property
    def gram(self):
        """Products of the columns, of all rows."""
        return self.A.sum(axis=0)

    def deviance(self, factor, shape, floor):
        """Return the deviance at a factor, its gradient, and the population.

        Parameters
        ----------
        factor : ndarray of shape (d, k)
            Lambda.
        shape : Shape
            Of the model.
        floor : float
            Least variance of the noise.

        Returns
        -------
        value : float
            Twice the negative log likelihood, at the best mean and noise.
        gradient : ndarray of shape (d, k)
            In the factor.
        population : Population
            Mean and noise.
        """
        A, b, d = self.A, self.b, shape.d
        n_tasks, k = len(A), factor.shape[1]
        B = (A.reshape(-1, d) @ factor).reshape(n_tasks, d, k)  # A_g Lambda
        # by its triangle, not its inverse: what is left of A is small, and would drown
        half, log_dets = inverse_half(
            np.einsum("jk,gjl->gkl", factor, B, optimize=True)
        )
        log_det = log_dets.sum()
        W = B @ half.transpose(0, 2, 1)
        Q, T = W @ half, half.transpose(0, 2, 1) @ half
        E = A - W @ W.transpose(0, 2, 1)
        small = np.einsum("gkl,gl->gk", half, b @ factor)  # Lambda' b_g
        e = b - np.einsum("gjk,gk->gj", W, small)
        r = self.c.sum() - (small**2).sum()
        weight = self.weight.sum()
        value, root, found = concentrate(
            factor, E.sum(axis=0), e.sum(axis=0), r, log_det, weight, shape, floor
        )
        u = b - A @ found.mean
        v = np.einsum("gkl,gl->gk", T, u @ factor)
        left = u - np.einsum("gjk,gk->gj", B, v)
        gradient = 2 * np.tensordot(B, T, axes=([0, 2], [0, 1]))
        if found.noise_var > floor:
            gradient -= 2 * left.T @ v / found.noise_var
        if shape.restricted and not shape.fixed_mean:
            inner = (E.reshape(-1, d) @ (root @ root.T)).reshape(n_tasks, d, d)
            gradient -= 2 * np.tensordot(inner, Q, axes=([0, 2], [0, 1]))
        return value, gradient, found

    def posterior(self, population):
        """Return what each task's rows say of it, given the population.

        Parameters
        ----------
        population : Population
            The prior.

        Returns
        -------
        means : ndarray of shape (n_tasks, d)
            Posterior means of the coefficients.
        share : ndarray of shape (n_tasks,)
            How many coefficients the rows of the task decide.
        rss : ndarray of shape (n_tasks,)
            Sum of squares of the residuals from the posterior means.
        """
        K = self._relative(population)
        u = self.b - self.A @ population.mean
        means = population.mean + np.einsum("gjk,gk->gj", K, u)
        fitted = np.einsum("gjk,gk->gj", self.A, means)
        rss = self.c - (means * (2 * self.b - fitted)).sum(axis=1)
        return means, np.einsum("gjk,gkj->g", K, self.A), np.maximum(rss, 0)

    def covariance(self, population):
        r"""Return covariances of the coefficients, the estimated mean's included.

        Parameters
        ----------
        population : Population
            The prior.

        Returns
        -------
        ndarray of shape (n_tasks, d, d)
            :math:`V_g + (I - J_g) C (I - J_g)'` with :math:`J_g = V_g A_g / \sigma^2`.
        """
        K = self._relative(population)
        rest = np.eye(len(population.mean)) - K @ self.A
        return population.noise_var * (
            K + rest @ population.mean_cov @ rest.transpose(0, 2, 1)
        )

    def variance(self, population, Z, tasks):
        """Return the variance of each row's mean, given its task by position.

        Parameters
        ----------
        population : Population
            The prior.
        Z : ndarray of shape (n_samples, d)
            Rows in the coordinates of the fit.
        tasks : ndarray of shape (n_samples,)
            Whose they are.

        Returns
        -------
        ndarray of shape (n_samples,)
            The variances.
        """
        cov = self.covariance(population)
        variance = np.empty(len(Z))
        step = max(1, CELLS // cov[0].size)
        for start in range(0, len(Z), step):
            rows = slice(start, start + step)
            variance[rows] = np.einsum(
                "ij,ijk,ik->i", Z[rows], cov[tasks[rows]], Z[rows], optimize=True
            )
        return variance

    def least_squares(self):
        """Return each task's own least squares, NaN where it is not determined."""
        values, vectors = np.linalg.eigh(self.A)
        known = values[:, :1] > 1e-10 * values[:, -1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.einsum("gjk,gj->gk", vectors, self.b) / values
        alone = np.einsum("gjk,gk->gj", vectors, half)
        return np.where(known, alone, np.nan)

    def _relative(self, population):
        """Return covariances given the mean of the population, over the noise's."""
        factor = population.factor
        half, _ = inverse_half(factor.T @ (self.A @ factor))
        root = factor @ half.transpose(0, 2, 1)
        return root @ root.transpose(0, 2, 1)
