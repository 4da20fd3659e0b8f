"""Normal equations, dual and LSQR solutions of the interpolated squared loss.

``stats`` are centred :class:`AggregateStatistics`, ``data`` the bag means and rows of
:class:`BaggedData`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, lsqr
from sklearn.exceptions import ConvergenceWarning

_NEARLY_SINGULAR = 1e-10  # least pivot below which eigh looks closer


_STOPPED_EARLY = 7  # istop of scipy's lsqr


@dataclass(frozen=True)
class Solution:
    """Slopes and what the noise estimate needs of the hat matrix."""

    coef: np.ndarray  # (n_features, n_targets)
    intercept: np.ndarray  # (n_targets,)
    x_mean: np.ndarray  # (n_features,), zero without an intercept
    residual: np.ndarray  # (n_targets,), weighted sum of squares over bags
    trace: float = np.nan  # of the hat matrix H, without the intercept
    trace_of_square: float = np.nan
    n_iter: int = 1

    def noise_variance(self, n_bags: int, fit_intercept: bool):
        """Residuals over their expected number: exact without any penalty."""
        freedom = n_bags - fit_intercept - 2 * self.trace + self.trace_of_square
        return self.residual / freedom if freedom > 1e-8 * n_bags else np.nan

    def stretched(self, factor: float) -> Solution:
        """Multiply the slopes and keep the mean prediction."""
        return replace(
            self,
            coef=factor * self.coef,
            intercept=self.intercept + (1 - factor) * (self.x_mean @ self.coef),
        )


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
    return Solution(
        coef,
        stats.y_mean - stats.x_mean @ coef,
        stats.x_mean,
        np.maximum(stats.y_scatter - explained, 0),
        np.trace(smoother),
        np.vdot(smoother, smoother.T),
    )


def symmetric_solve(A, right, *, solver="cholesky"):
    """Solve with a positive semi-definite matrix; least norm where it is singular."""
    if solver == "cholesky":
        try:
            factor = linalg.cholesky(A, lower=True, check_finite=False)
        except linalg.LinAlgError:
            pass
        else:
            if smallest_pivot(A, factor) > _NEARLY_SINGULAR:
                return linalg.cho_solve((factor, True), right, check_finite=False)
    values, vectors = linalg.eigh(A, check_finite=False)
    kept = values > 10 * len(A) * np.finfo(float).eps * max(values[-1], 0)
    if not kept.all():
        _warn_not_unique(np.sum(~kept), len(A))
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ right) / values[kept, None])


def smallest_pivot(A, factor):
    """Return the least share of a feature's own scatter that others do not explain.

    Unlike the condition number it is free of the units of the features.
    """
    return (np.diag(factor) ** 2 / np.diag(A)).min()


def _warn_not_unique(n_missing, n_features):
    warnings.warn(
        f"The slopes are not unique: {n_missing} of {n_features} directions are not "
        "determined by the bags, and the solution of least norm is taken. A positive "
        "alpha, or rho > 0, makes it stable.",
        linalg.LinAlgWarning,
        stacklevel=2,
    )


def stacked_rows(data, x_mean, rho):
    """Rows whose Gram matrix is ``B + rho W``: bags first, then deviations inside."""
    bag_rows = np.sqrt(data.omega)[:, None] * (data.x_means - x_mean)
    if rho == 0 or data.bags.are_rows:
        return bag_rows
    inside = data.X - data.bags.spread(data.x_means)
    return np.vstack([bag_rows, np.sqrt(rho * data.row_weights)[:, None] * inside])


def solve_dual(data, rho, alpha, *, fit_intercept=True) -> Solution:
    """Solve in the space of the stacked rows: cheap when features outnumber them."""
    x_mean, y_mean = _means(data, fit_intercept)
    V = stacked_rows(data, x_mean, rho).astype(float, copy=False)
    m, n_targets = len(data.omega), data.y_means.shape[1]
    target = np.zeros((len(V), n_targets))
    target[:m] = np.sqrt(data.omega)[:, None] * (data.y_means - y_mean)
    gram = V @ V.T
    to_rows = _dual_inverse(gram, alpha, n_features=V.shape[1])[:, :m]
    coef = V.T @ (to_rows @ target[:m])
    hat = gram[:m] @ to_rows
    return Solution(
        coef,
        y_mean - x_mean @ coef,
        x_mean,
        np.sum((target[:m] - V[:m] @ coef) ** 2, axis=0),
        np.trace(hat),
        np.vdot(hat, hat.T),
    )


def _dual_inverse(gram, alpha, *, n_features):
    if alpha > 0:
        ridged = gram + alpha * np.eye(len(gram))
        return symmetric_solve(ridged, np.eye(len(gram)))
    with warnings.catch_warnings():  # it counts rows where the user thinks of features
        warnings.simplefilter("ignore", linalg.LinAlgWarning)
        inverse = symmetric_solve(gram, np.eye(len(gram)))
    rank = round(np.vdot(inverse, gram))
    if rank < n_features:
        _warn_not_unique(n_features - rank, n_features)
    return inverse


def in_row_space(data, fit_intercept):
    """Rotate to as many features as rows: slopes of ridge lie in the rows' span.

    Returns the data and the basis; None where nothing was gained.
    """
    n_samples, n_features = data.X.shape
    if sparse.issparse(data.X) or n_features <= n_samples:
        return data, None
    center = data.omega @ data.x_means / data.omega.sum() if fit_intercept else 0.0
    basis = linalg.qr((data.X - center).T, mode="economic")[0]
    return replace(data, X=data.X @ basis, x_means=data.x_means @ basis), basis


def solve_lsqr(
    data, rho, alpha, *, fit_intercept=True, tol=1e-8, max_iter=None
) -> Solution:
    """Solve by LSQR on an operator: ``X`` is only ever multiplied, never copied."""
    x_mean, y_mean = _means(data, fit_intercept)
    operator = _stacked_operator(data, x_mean, rho)
    target = np.zeros((operator.shape[0], data.y_means.shape[1]))
    target[: len(data.omega)] = np.sqrt(data.omega)[:, None] * (data.y_means - y_mean)
    results = [
        lsqr(operator, t, np.sqrt(alpha), atol=tol, btol=tol, iter_lim=max_iter)
        for t in target.T
    ]
    if any(result[1] == _STOPPED_EARLY for result in results):
        warnings.warn(
            f"LSQR did not converge within {max(result[2] for result in results)} "
            "iterations. Raise max_iter, tol or alpha.",
            ConvergenceWarning,
            stacklevel=5,
        )
    coef = np.column_stack([result[0] for result in results])
    intercept = y_mean - x_mean @ coef
    errors = data.y_means - data.x_means @ coef - intercept
    return Solution(
        coef,
        intercept,
        x_mean,
        data.omega @ errors**2,
        n_iter=max(result[2] for result in results),
    )


def _means(data, fit_intercept):
    if not fit_intercept:
        return np.zeros(data.X.shape[1]), np.zeros(data.y_means.shape[1])
    total = data.omega.sum()
    return (data.omega @ data.x_means) / total, (data.omega @ data.y_means) / total


def _stacked_operator(data, x_mean, rho):
    """Products with ``stacked_rows``, any rho, without forming them."""
    means, root = data.x_means, np.sqrt(data.omega)
    m, d = len(root), len(x_mean)
    if rho == 0 or data.bags.are_rows:
        return LinearOperator(
            (m, d),
            matvec=lambda v: root * (means @ v - x_mean @ v),
            rmatvec=lambda p: means.T @ (root * p) - x_mean * (root @ p),
            dtype=float,
        )
    X, bags, inner = data.X, data.bags, np.sqrt(rho * data.row_weights)
    membership = sparse.csr_array(
        (np.ones(len(bags.codes)), bags.codes, np.arange(len(bags.codes) + 1)),
        shape=(len(bags.codes), m),
    )

    def matvec(v):
        bag_part = means @ v
        return np.concatenate(
            [root * (bag_part - x_mean @ v), inner * (X @ v - bags.spread(bag_part))]
        )

    def rmatvec(u):
        p, q = root * u[:m], inner * u[m:]
        return means.T @ (p - membership.T @ q) - x_mean * p.sum() + X.T @ q

    return LinearOperator(
        (m + X.shape[0], d), matvec=matvec, rmatvec=rmatvec, dtype=float
    )
