"""Normal equations, dual and LSQR solutions of the interpolated squared loss.

``stats`` are centred :class:`AggregateStatistics`, ``data`` the bag means and rows of
:class:`BaggedData`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, lsqr
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext._core._validation import warn

_NEARLY_SINGULAR = 1e-10  # least pivot below which eigh looks closer
_STOPPED_EARLY = 7  # istop of scipy's lsqr


@dataclass(frozen=True)
class Solution:
    """Slopes and what the noise estimate needs of the hat matrix."""

    coef: np.ndarray  # (n_features, n_targets)
    x_mean: np.ndarray  # (n_features,), zero without an intercept
    y_mean: np.ndarray  # (n_targets,), zero without an intercept
    residual: np.ndarray  # (n_targets,), weighted sum of squares over bags
    hat: np.ndarray | None = None  # without the intercept, or of the same traces
    n_iter: int = 1

    @property
    def intercept(self):
        """The mean prediction is that of the aggregates."""
        return self.y_mean - self.x_mean @ self.coef

    @property
    def trace(self):
        """Trace of the hat matrix, without the intercept; NaN where it is unknown."""
        return np.nan if self.hat is None else np.trace(self.hat)

    def noise_variance(self, n_bags: int, fit_intercept: bool):
        """Residuals over their expected number: exact without any penalty."""
        square = np.nan if self.hat is None else np.vdot(self.hat, self.hat.T)
        freedom = n_bags - fit_intercept - 2 * self.trace + square
        return self.residual / (freedom if freedom > 1e-8 * n_bags else np.nan)


def solve_normal(stats, rho, alpha, *, solver="cholesky") -> Solution:
    """Solve ``(B + rho W + alpha I) theta = r`` for statistics that are centred."""
    between = stats.between
    A = between.copy()
    if rho > 0:
        if stats.within is None:
            raise ValueError(
                f"rho={rho:g} needs the within scatter, but these statistics were "
                "summarised for rho=0. Summarise the rows again."
            )
        A += rho * stats.within
    A[np.diag_indices_from(A)] += alpha
    n_targets = stats.cross.shape[1]
    solved = symmetric_solve(A, np.hstack([stats.cross, between]), solver=solver)
    coef, smoother = solved[:, :n_targets], solved[:, n_targets:]
    explained = np.sum(coef * (2 * stats.cross - between @ coef), axis=0)
    residual = np.maximum(stats.y_scatter - explained, 0)
    return Solution(coef, stats.x_mean, stats.y_mean, residual, smoother)


def symmetric_solve(A, right, *, solver="cholesky", n_directions=None):
    """Solve with a positive semi-definite matrix; least norm where it is singular.

    Warns when its rank is below ``n_directions``; None takes its size.
    """
    factor = None if solver == "eigh" else definite_factor(A, _NEARLY_SINGULAR)
    if factor is not None:
        rank = len(A)
        solved = linalg.cho_solve((factor, True), right, check_finite=False)
    else:
        values, vectors = linalg.eigh(A, check_finite=False)
        kept = values > 10 * len(A) * np.finfo(float).eps * max(values[-1], 0)
        rank, vectors = np.sum(kept), vectors[:, kept]
        solved = vectors @ ((vectors.T @ right) / values[kept, None])
    n_directions = n_directions or len(A)
    if rank < n_directions:
        warn(
            f"The slopes are not unique: {n_directions - rank} of {n_directions} "
            "directions are not determined by the bags, and the solution of least norm "
            "is taken. A positive alpha, or rho > 0, makes it stable.",
            linalg.LinAlgWarning,
        )
    return solved


def definite_factor(A, least):
    """Return the Cholesky factor; None where some feature is explained by others.

    That is where they leave no more than ``least`` of its own scatter. Unlike the
    condition number this is free of the units of the features.
    """
    try:
        factor = linalg.cholesky(A, lower=True, check_finite=False)
    except linalg.LinAlgError:
        return None
    return factor if (np.diag(factor) ** 2 / np.diag(A)).min() > least else None


def solve_dual(data, rho, alpha, *, fit_intercept=True) -> Solution:
    """Solve in the space of rows: cheap when features outnumber them.

    The Gram matrix of ``V`` is ``B + rho W``: bags first, then deviations inside them.
    """
    x_mean, y_mean = data.center(fit_intercept)
    V, target = data.around(x_mean, y_mean)
    m = len(V)
    if rho > 0 and not data.bags.are_rows:
        inside = data.X - data.bags.spread(data.x_means)
        V = np.vstack([V, np.sqrt(rho * data.row_weights)[:, None] * inside])
    gram = V @ V.T
    one = np.eye(len(V))
    n_directions = None if alpha > 0 else V.shape[1]  # features, not rows, are told
    ridged = gram + alpha * one
    to_rows = symmetric_solve(ridged, one[:, :m], n_directions=n_directions)
    coef = V.T @ (to_rows @ target)
    residual = np.sum((target - V[:m] @ coef) ** 2, axis=0)
    return Solution(coef, x_mean, y_mean, residual, gram[:m] @ to_rows)


def in_row_space(data, fit_intercept):
    """Rotate to as many features as rows: slopes of ridge lie in the rows' span.

    Returns the data and the basis; None where nothing was gained.
    """
    n_samples, n_features = data.X.shape
    if sparse.issparse(data.X) or n_features <= n_samples:
        return data, None
    center, _ = data.center(fit_intercept)
    basis = linalg.qr((data.X - center).T, mode="economic")[0]
    return replace(data, X=data.X @ basis, x_means=data.x_means @ basis), basis


def solve_lsqr(
    data, rho, alpha, *, fit_intercept=True, tol=1e-8, max_iter=None
) -> Solution:
    """Solve by LSQR on an operator: ``X`` is only ever multiplied, never copied."""
    x_mean, y_mean = data.center(fit_intercept)
    operator = _stacked_operator(data, x_mean, rho)
    target = np.zeros((operator.shape[0], data.y_means.shape[1]))
    target[: len(data.omega)] = np.sqrt(data.omega)[:, None] * (data.y_means - y_mean)
    options = {"atol": tol, "btol": tol, "iter_lim": max_iter}
    results = [lsqr(operator, t, np.sqrt(alpha), **options)[:3] for t in target.T]
    coefs, stops, n_iters = zip(*results, strict=True)
    if _STOPPED_EARLY in stops:
        warn(
            f"LSQR did not converge within {max(n_iters)} iterations. Raise max_iter, "
            "tol or alpha.",
            ConvergenceWarning,
        )
    coef = np.column_stack(coefs)
    errors = data.y_means - data.x_means @ coef - (y_mean - x_mean @ coef)
    residual = data.omega @ errors**2
    return Solution(coef, x_mean, y_mean, residual, n_iter=max(n_iters))


def _stacked_operator(data, x_mean, rho):
    """Products with the rows of :func:`solve_dual`, without forming them."""
    X, means, bags, root = data.X, data.x_means, data.bags, np.sqrt(data.omega)
    m, within = len(root), rho > 0 and not bags.are_rows
    inner = np.sqrt(rho * data.row_weights)

    def matvec(v):
        bag_part = means @ v
        at_bags = root * (bag_part - x_mean @ v)
        if not within:
            return at_bags
        return np.concatenate([at_bags, inner * (X @ v - bags.spread(bag_part))])

    def rmatvec(u):
        p, from_rows = root * u[:m], 0.0
        total = p.sum()
        if within:
            q = inner * u[m:]
            p, from_rows = p - np.bincount(bags.codes, q, minlength=m), X.T @ q
        return means.T @ p - x_mean * total + from_rows

    shape = m + within * X.shape[0], len(x_mean)
    return LinearOperator(shape, matvec=matvec, rmatvec=rmatvec, dtype=float)
