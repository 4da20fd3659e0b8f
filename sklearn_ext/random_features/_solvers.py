"""One ridge: Cholesky, eigenvectors or conjugate gradients, on either side."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext._core._compat import array_api_compat
from sklearn_ext.random_features._arrays import (
    ArrayHolder,
    float64,
    is_numpy,
    namespace,
)
from sklearn_ext.random_features._statistics import centred

_device = array_api_compat.device
MAX_ITER, TOL = 50, 1e-6  # conjugate gradients: relative change of the predictions
# in single precision the sums blur directions that a ridge below so many roundings of
# their trace would resolve
BLURRED = 100


def eigh(G):
    """Return eigenvalues, ascending and clipped at zero, and eigenvectors."""
    if is_numpy(G):
        e, V = linalg.eigh(G, driver="evd", check_finite=False)
        return np.maximum(e, 0.0), V
    xp = namespace(G)
    e, V = xp.linalg.eigh(G)
    return xp.clip(e, min=0.0), V


def add_to_diagonal(G, value):
    """Return a copy of the matrix with a value added to its diagonal."""
    if is_numpy(G):
        G = G.copy()
        G.flat[:: G.shape[0] + 1] += value
        return G
    xp = namespace(G)
    return G + value * xp.eye(G.shape[0], dtype=G.dtype, device=_device(G))


def solve_lower(L, B, *, transposed=False):
    """Solve with a lower triangular matrix or its transpose."""
    if is_numpy(L):
        return linalg.solve_triangular(
            L, B, lower=True, trans=int(transposed), check_finite=False
        )
    xp = namespace(L)
    return xp.linalg.solve(xp.matrix_transpose(L) if transposed else L, B)


@dataclass(frozen=True)
class CholeskyFactor:
    """``G + alpha I = L L'``."""

    L: np.ndarray
    alpha: float

    name = "cholesky"

    def solve(self, B):
        """Return ``(G + alpha I)^-1 B``."""
        return solve_lower(self.L, solve_lower(self.L, B), transposed=True)

    def quadratic(self, A):
        """Return ``a' (G + alpha I)^-1 a`` for each row ``a``."""
        half = solve_lower(self.L, A.T)
        return namespace(half).sum(half * half, axis=0)

    def dof(self):
        """Return the trace of ``G (G + alpha I)^-1``."""
        xp, k = namespace(self.L), self.L.shape[0]
        half = solve_lower(
            self.L, xp.eye(k, dtype=self.L.dtype, device=_device(self.L))
        )
        return k - self.alpha * float(xp.sum(half * half))


@dataclass(frozen=True)
class EigenFactor:
    """``G = V diag(e) V'``, inverted where ``e`` is not rounding only."""

    e: np.ndarray
    V: np.ndarray
    alpha: float
    eps: float  # rounding of the products in G

    name = "eigen"

    @property
    def inverse(self):
        """``1 / (e + alpha)``; zero below rounding if alpha is below it too."""
        return inverse_shrinkage(self.e, self.alpha, self.eps)

    def solve(self, B):
        """Return the least-norm ``(G + alpha I)^+ B``."""
        return self.V @ (self.inverse[:, None] * (self.V.T @ B))

    def quadratic(self, A):
        """Return ``a' (G + alpha I)^+ a`` for each row ``a``."""
        Z = A @ self.V
        return (Z * Z) @ self.inverse

    def dof(self):
        """Return the trace of ``G (G + alpha I)^+``."""
        return float(namespace(self.e).sum(self.e * self.inverse))


def rounding_of(e, eps):
    """Return up to where eigenvalues are rounding; products round by ``eps``."""
    own = float(namespace(e).finfo(e.dtype).eps) * e.shape[0]
    return max(own, eps) * float(namespace(e).max(e))


def inverse_shrinkage(e, alpha, eps):
    """Return ``1 / (e + alpha)``; a pseudo-inverse if the ridge is below rounding."""
    xp, cut = namespace(e), rounding_of(e, eps)
    if alpha > cut:
        return 1 / (e + alpha)
    safe = xp.where(e > cut, e + alpha, xp.ones_like(e))
    return xp.where(e > cut, 1 / safe, xp.zeros_like(e))


def warn_of_rounding(e, alphas, eps):
    """Warn of ridges that were meant to count and are lost in rounding."""
    cut, alphas = rounding_of(e, eps), [a for a in np.asarray(alphas).tolist() if a > 0]
    if alphas and min(alphas) <= cut:
        warnings.warn(
            f"alpha={min(alphas):g} is below the rounding of the products of features, "
            f"{cut:.1g}: what they could not resolve was left out. Scale the columns, "
            f"for instance by standardize=True, or take alpha above {cut:.1g}.",
            UserWarning,
            stacklevel=6,
        )


def factorize(G, alpha, method="auto", eps=0.0):
    """Factorise ``G + alpha I``.

    Parameters
    ----------
    G : array of shape (m, m)
        Positive semidefinite.
    alpha : float
        The ridge.
    method : {"auto", "cholesky", "eigen", "cg"}
        ``"auto"`` is Cholesky where the ridge is above the rounding of ``G``.
    eps : float, default=0.0
        Rounding of the products in ``G``, where it is more than that of its dtype.

    Returns
    -------
    CholeskyFactor or EigenFactor
        The factor; Cholesky gives way to eigenvectors where it breaks down.
    """
    xp = namespace(G)
    noise = max(10 * float(xp.finfo(G.dtype).eps), eps) * float(xp.linalg.trace(G))
    if method != "eigen" and alpha > noise:
        shifted = add_to_diagonal(G, alpha)
        try:
            if is_numpy(G):
                L = linalg.cholesky(
                    shifted, lower=True, overwrite_a=True, check_finite=False
                )
            else:
                L = xp.linalg.cholesky(shifted)
            return CholeskyFactor(L, alpha)
        except (linalg.LinAlgError, RuntimeError):
            pass  # only possible where rounding ate the ridge
    return EigenFactor(*eigh(G), alpha, eps)


@dataclass(frozen=True)
class Solution(ArrayHolder):
    """A fitted ridge: ``predict`` is ``features @ coef + intercept``."""

    coef: np.ndarray  # (k, t)
    intercept: np.ndarray  # (t,)
    alpha: np.ndarray  # (t,)
    weight: float  # of all rows
    n_distinct: int
    solver: str
    dof: np.ndarray | None = None  # (t,), intercept included; None: not computed
    n_iter: int = 0


def solve_each(G, B, alphas, method="auto", eps=0.0):
    """Solve ``(G + alpha_t I) theta_t = B_t``; one factor where the ridges agree.

    Returns
    -------
    theta : array of shape (m, t)
        Solutions.
    factors : list of length t
        The factor of each target.
    """
    xp = namespace(G)
    if len(set(alphas)) == 1:
        factor = factorize(G, float(alphas[0]), method, eps)
        return factor.solve(B), [factor] * len(alphas)
    e, V = eigh(G)
    factors = [EigenFactor(e, V, float(alpha), eps) for alpha in alphas]
    columns = [factor.solve(B[:, j : j + 1]) for j, factor in enumerate(factors)]
    return xp.concat(columns, axis=1), factors


def is_blurred(moments, alphas):
    """Whether single precision sums are too coarse for these ridges."""
    xp, eps = namespace(moments.gram), moments.eps
    blur = BLURRED * eps * float(xp.linalg.trace(moments.gram))
    return eps > 1e-10 and 0 < min(alphas) < blur


def conjugate_gradients(features, rows, moments, theta, alphas, *, batch_size):
    """Refine coefficients on the exact normal equations.

    The sums of products are only as exact as single precision made them; here the
    features are multiplied in double precision, and the Cholesky factor of the sums is
    the preconditioner.

    Parameters
    ----------
    features : callable
        The feature map.
    rows : Rows
        All rows.
    moments : RidgeStatistics
        Their sums.
    theta : array of shape (k, t)
        Start.
    alphas : ndarray of shape (t,)
        Ridges.
    batch_size : int
        Rows at a time.

    Returns
    -------
    theta : array of shape (k, t)
        The solution.
    n_iter : int
        Iterations of the slowest target.
    """
    xp, eps = namespace(theta), moments.eps
    ridge = xp.asarray(alphas, dtype=theta.dtype, device=_device(theta))
    jitter = max(float(min(alphas)), 4 * eps * float(xp.linalg.trace(moments.gram)))
    precondition = factorize(moments.gram, jitter).solve

    def blocks():
        for batch in rows.batches(batch_size):
            A = centred(float64(features(batch.X)), moments.mean, xp.sqrt(batch.w))
            yield A, batch

    def apply(P):
        return sum(A.T @ (A @ P) for A, _ in blocks()) + P * ridge

    def target(batch):
        return (batch.Y - moments.y_mean) * xp.sqrt(batch.w)[:, None]

    residual = sum(A.T @ (target(batch) - A @ theta) for A, batch in blocks())
    residual = residual - theta * ridge
    step = direction = precondition(residual)
    rho = xp.sum(residual * step, axis=0)
    for iteration in range(1, MAX_ITER + 1):
        image = apply(direction)
        curvature = xp.sum(direction * image, axis=0)
        alive = curvature > 0
        length = xp.where(alive, rho / xp.where(alive, curvature, 1.0), 0.0)
        theta = theta + length * direction
        residual = residual - length * image
        step = precondition(residual)
        before, rho = rho, xp.sum(residual * step, axis=0)
        # in the norm of predictions, against that of the solution
        size = xp.sum(theta * (moments.gram @ theta), axis=0)
        if bool(xp.all(rho <= TOL**2 * size)):
            return theta, iteration
        direction = step + rho / xp.where(before > 0, before, 1.0) * direction
    warnings.warn(
        f"The coefficients still changed by more than {TOL:g} after {MAX_ITER} "
        "conjugate gradient steps. Use precision='float64' or a larger alpha.",
        ConvergenceWarning,
        stacklevel=4,
    )
    return theta, MAX_ITER
