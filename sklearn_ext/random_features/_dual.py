"""The dual side: kernel matrices, centred and weighted as features are."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.random_features._arrays import ArrayHolder, float64, namespace
from sklearn_ext.random_features._statistics import (
    RidgeStatistics,
    Rows,
    Summary,
    centred,
)


@dataclass(frozen=True)
class CentredKernel:
    """``K = A A'`` of centred weighted features ``A``, and the targets alike.

    The features are given, or exist only through their kernel matrix.
    """

    K: np.ndarray  # (n, n)
    B: np.ndarray  # (n, t)
    rows: Rows
    y_mean: np.ndarray  # (t,)
    weight: float
    fit_intercept: bool
    mean: np.ndarray  # (k,) of the features, or (n,) of the kernel's columns
    eps: float  # rounding of the products
    A: np.ndarray | None = None  # (n, k)

    @classmethod
    def of(cls, K, rows, *, fit_intercept):
        """Centre a kernel matrix of the rows."""
        xp, K = namespace(rows.w), float64(K)
        root, eps = xp.sqrt(rows.w), float(namespace(K).finfo(K.dtype).eps)
        weight, B, y_mean = _targets(rows, fit_intercept)
        mean = xp.zeros_like(K[0, :])
        if fit_intercept:
            share = rows.w / weight
            mean = K @ share
            K = K - mean[:, None] - mean[None, :] + share @ mean
        K = K * root[:, None] * root[None, :]
        return cls(K, B, rows, y_mean, weight, fit_intercept, mean, eps)

    @classmethod
    def of_features(cls, Phi, rows, *, fit_intercept):
        """Multiply centred features; ``Phi`` is overwritten where it is NumPy's."""
        xp = namespace(Phi)
        weight, B, y_mean = _targets(rows, fit_intercept)
        w = xp.astype(rows.w, Phi.dtype)
        mean = (w @ Phi) / weight if fit_intercept else xp.zeros_like(Phi[0, :])
        A = centred(Phi, mean, xp.sqrt(w))
        wide = float64(A)
        K, eps = wide @ wide.T, float(xp.finfo(wide.dtype).eps)
        return cls(K, B, rows, y_mean, weight, fit_intercept, float64(mean), eps, A)

    def coefficients(self, dual):
        """Turn dual solutions into coefficients and intercepts.

        Parameters
        ----------
        dual : array of shape (n, t)
            Solutions of ``(K + alpha I) dual = B``.

        Returns
        -------
        coef : array of shape (k, t) or (n, t)
            Coefficients of the features, or of the rows where only they exist.
        intercept : array of shape (t,)
            Intercepts.
        """
        xp = namespace(dual)
        if self.A is not None:
            coef = float64(self.A).T @ dual
        else:
            coef = xp.sqrt(self.rows.w)[:, None] * dual
            if self.fit_intercept:
                share = self.rows.w / self.weight
                coef = coef - share[:, None] * xp.sum(coef, axis=0)
        return coef, self.y_mean - self.mean @ coef


@dataclass(frozen=True)
class LateSummary(ArrayHolder):
    """Centred features of few rows, summed only if more rows are added."""

    A: np.ndarray  # (n, k)
    B: np.ndarray  # (n, t)
    mean: np.ndarray  # (k,)
    y_mean: np.ndarray  # (t,)
    weight: float
    n_rows: int

    @classmethod
    def of(cls, kernel):
        """Keep what the sums need of a kernel problem."""
        parts = kernel.A, kernel.B, kernel.mean, kernel.y_mean, kernel.weight
        return cls(*parts, int(kernel.rows.count.sum()))

    def now(self):
        """Return the summary, without rows."""
        xp, A = namespace(self.A), self.A
        moments = RidgeStatistics(
            self.weight,
            A.shape[0],
            self.n_rows,
            self.mean,
            self.y_mean,
            float64(A.T @ A),
            float64(A.T @ xp.astype(self.B, A.dtype)),
            xp.sum(self.B * self.B, axis=0),
            float(xp.finfo(A.dtype).eps),
        )
        return Summary(moments)


def _targets(rows, fit_intercept):
    xp = namespace(rows.w)
    weight = float(xp.sum(rows.w))
    y_mean = (
        (rows.w / weight) @ rows.Y if fit_intercept else xp.zeros_like(rows.Y[0, :])
    )
    return weight, (rows.Y - y_mean) * xp.sqrt(rows.w)[:, None], y_mean
