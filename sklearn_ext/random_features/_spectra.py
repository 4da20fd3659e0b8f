"""A whole grid of ridges, with exact leave-one-out, from one factorisation.

Leaving out a row of weight ``w`` divides its residual by ``1 - w a``, where ``a`` is
its leverage at unit weight. Rows are distinct and leave with their whole weight: so
integer weights and repeated rows give the same errors, and so do weights times a
constant.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.random_features._arrays import float64, like, namespace, to_numpy
from sklearn_ext.random_features._dual import CentredKernel
from sklearn_ext.random_features._solvers import eigh, inverse_shrinkage
from sklearn_ext.random_features._statistics import RidgeStatistics, Rows, centred


@dataclass(frozen=True)
class PrimalSpectrum:
    """Eigenvectors of the features' moments: ``gram = V diag(e) V'``."""

    moments: RidgeStatistics
    e: np.ndarray  # (k,)
    V: np.ndarray  # (k, k)
    c: np.ndarray  # (k, t), V' cross
    fit_intercept: bool

    @classmethod
    def of(cls, moments, *, fit_intercept):
        """Factorise."""
        e, V = eigh(moments.gram)
        return cls(moments, e, V, V.T @ moments.cross, fit_intercept)

    @property
    def n_distinct(self):
        """Number of distinct rows."""
        return self.moments.n_distinct

    @property
    def weight(self):
        """Weight of all rows."""
        return self.moments.weight

    def shrinkage(self, alphas):
        """Return ``1 / (e + alpha)``, of shape (k, n_alphas)."""
        xp = namespace(self.e)
        return xp.stack(
            [inverse_shrinkage(self.e, a, self.eps) for a in alphas], axis=1
        )

    @property
    def eps(self):
        """Rounding of the products of features."""
        return self.moments.eps

    def rounding(self):
        """Return the largest eigenvalue that rounding makes of rows that are alike."""
        mean, eps = self.moments.mean, self.eps
        return (10 * eps) ** 2 * self.moments.weight * float(mean @ mean)

    def coefficients(self, alpha, target):
        """Return the coefficients of one target, of shape (k,)."""
        return self.V @ (inverse_shrinkage(self.e, alpha, self.eps) * self.c[:, target])

    def dof(self, alphas):
        """Return degrees of freedom, intercept included, of shape (n_alphas,)."""
        return to_numpy(self.e @ self.shrinkage(alphas)) + self.fit_intercept

    def train_error(self, alphas):
        """Return weighted mean squared training errors, of shape (n_alphas, t).

        They come from sums alone, hence lose digits where they are tiny.
        """
        xp = namespace(self.e)
        W, c2 = self.shrinkage(alphas), self.c * self.c
        ridge = like(np.asarray(alphas), self.e)
        explained = (W * W * (self.e[:, None] + 2 * ridge)).T @ c2
        rss = xp.clip(self.moments.y_square - explained, min=0.0)
        return to_numpy(rss / self.moments.weight)

    def residuals(self, alphas, features, rows, *, batch_size):
        """Return leave-one-out residuals.

        Parameters
        ----------
        alphas : sequence of float
            The grid.
        features : callable
            The feature map.
        rows : Rows
            Some or all of the rows of the moments.
        batch_size : int
            Rows at a time.

        Returns
        -------
        ndarray of shape (n_alphas, n_rows, t)
            Infinite where a row determines its own prediction.
        """
        xp, t = namespace(self.e), self.c.shape[1]
        W = self.shrinkage(alphas)
        maps = xp.reshape(W[:, :, None] * self.c[:, None, :], (W.shape[0], -1))
        found, V = [], None
        for batch in rows.batches(batch_size):
            Phi = features(batch.X)
            if V is None:
                V, W, maps = (xp.astype(M, Phi.dtype) for M in (self.V, W, maps))
            Z = centred(Phi, self.moments.mean) @ V
            fitted = xp.reshape(float64(Z @ maps), (len(batch), len(alphas), t))
            leverage = float64((Z * Z) @ W)
            if self.fit_intercept:
                leverage += 1 / self.moments.weight
            remaining = 1 - batch.w[:, None] * leverage
            residual = (batch.Y - self.moments.y_mean)[:, None, :] - fitted
            floor = max(1e-10, 16 * float(xp.finfo(Phi.dtype).eps))
            found.append(_divide(residual, remaining, floor))
        return to_numpy(xp.permute_dims(xp.concat(found, axis=0), (1, 0, 2)))


@dataclass(frozen=True)
class DualSpectrum:
    """Eigenvectors of the centred kernel matrix of the rows, without the constant."""

    rows: Rows
    e: np.ndarray  # (m,), m = n - 1 with an intercept
    U: np.ndarray  # (n, m)
    c: np.ndarray  # (m, t)
    y_mean: np.ndarray  # (t,)
    weight: float
    fit_intercept: bool
    offset: float  # trace of the products of means that were subtracted
    subtracted: bool  # from products rather than from features
    eps: float  # rounding of the products

    @classmethod
    def of(cls, kernel: CentredKernel):
        """Factorise."""
        K, rows = kernel.K, kernel.rows
        xp = namespace(K)
        if kernel.fit_intercept:
            # the constant spans the null space: lift it to the top, then drop it
            u = xp.sqrt(rows.w / kernel.weight)
            lift = 2 * float(xp.linalg.trace(K)) or 1.0  # of K's own scale
            K = K + lift * u[:, None] * u[None, :]
        e, U = eigh(K)
        if kernel.fit_intercept:
            e, U = e[:-1], U[:, :-1]
        c = U.T @ kernel.B
        mean, weight = kernel.mean, kernel.weight
        # without features ``mean`` holds the kernel's products with their mean
        late = kernel.A is None
        offset = float(rows.w @ mean if late else weight * (mean @ mean))
        parts = kernel.y_mean, weight, kernel.fit_intercept, offset, late, kernel.eps
        return cls(rows, e, U, c, *parts)

    @property
    def n_distinct(self):
        """Number of distinct rows."""
        return len(self.rows)

    def rounding(self):
        """Return the largest eigenvalue that rounding makes of rows that are alike."""
        eps = self.eps
        return (10 * eps if self.subtracted else (10 * eps) ** 2) * self.offset

    def shrinkage(self, alphas):
        """Return ``1 / (e + alpha)``, of shape (m, n_alphas)."""
        xp = namespace(self.e)
        return xp.stack(
            [inverse_shrinkage(self.e, a, self.eps) for a in alphas], axis=1
        )

    def coefficients(self, alpha, target):
        """Return the dual coefficients of one target, of shape (n,)."""
        return self.U @ (inverse_shrinkage(self.e, alpha, self.eps) * self.c[:, target])

    def dof(self, alphas):
        """Return degrees of freedom, intercept included, of shape (n_alphas,)."""
        return to_numpy(self.e @ self.shrinkage(alphas)) + self.fit_intercept

    def train_error(self, alphas):
        """Return weighted mean squared training errors, of shape (n_alphas, t)."""
        xp, W = namespace(self.e), self.shrinkage(alphas)
        ridge = like(np.asarray(alphas), self.e)
        left = xp.where(ridge > 0, ridge * W, 1 - self.e[:, None] * W)
        return to_numpy((left * left).T @ (self.c * self.c) / self.weight)

    def residuals(self, alphas):
        """Return leave-one-out residuals of all rows, without cancellation.

        Returns
        -------
        ndarray of shape (n_alphas, n_rows, t)
            Infinite where a row determines its own prediction.
        """
        xp, rows = namespace(self.e), self.rows
        cut = float(xp.finfo(self.e.dtype).eps) * len(rows) * float(xp.max(self.e))
        if float(xp.min(self.e)) <= cut:  # no ridge is then the limit of small ones
            alphas = [alpha or 1e3 * cut for alpha in alphas]
        W = self.shrinkage(alphas)
        a, t = len(alphas), self.c.shape[1]
        maps = xp.reshape(W[:, :, None] * self.c[:, None, :], (W.shape[0], a * t))
        dual = xp.reshape(self.U @ maps, (len(rows), a, t))  # residual over alpha
        own = (self.U * self.U) @ W  # (1 - leverage) / alpha
        residual = dual / xp.sqrt(rows.w)[:, None, None]
        return to_numpy(xp.permute_dims(_divide(residual, own, 0.0), (1, 0, 2)))


def _divide(residual, remaining, floor):
    xp = namespace(residual)
    held = (remaining <= floor)[:, :, None]
    safe = xp.where(held, xp.ones_like(residual), remaining[:, :, None])
    return xp.where(held, xp.inf * xp.ones_like(residual), residual / safe)
