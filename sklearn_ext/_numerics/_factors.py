"""Factors of symmetric matrices that survive where these are singular."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from sklearn_ext._numerics._arrays import device_of, is_numpy, namespace


@dataclass(frozen=True)
class Rounding:
    """What rounding made of a matrix of products, besides the rounding of its dtype."""

    eps: float = 0.0  # of the products, relative to the largest eigenvalue
    noise: float = 0.0  # absolute, where products were subtracted from each other

    def cut(self, e):
        """Return up to where ascending eigenvalues are nothing but rounding."""
        if e.shape[0] == 0:
            return self.noise
        own = float(namespace(e).finfo(e.dtype).eps) * e.shape[0]
        return max(max(own, self.eps) * float(e[-1]), self.noise)


EXACT = Rounding()


def eigh(G):
    """Return eigenvalues, ascending and clipped at zero, and eigenvectors."""
    if is_numpy(G):
        e, V = linalg.eigh(G, driver="evd", check_finite=False)
        return np.maximum(e, 0.0), V
    xp = namespace(G)
    e, V = xp.linalg.eigh(G)
    return xp.clip(e, min=0.0), V


def inverse_shrinkage(e, alpha, cut):
    """Return ``1 / (e + alpha)``, zero for directions that rounding alone has made.

    Parameters
    ----------
    e : array of shape (m,)
        Eigenvalues.
    alpha : float
        The ridge. Where it exceeds ``cut``, rounding below it does no harm.
    cut : float
        Up to where eigenvalues are rounding.

    Returns
    -------
    array of shape (m,)
        The inverse; without a ridge a pseudo-inverse.
    """
    if alpha > cut:
        return 1 / (e + alpha)
    xp, kept = namespace(e), e > cut
    safe = xp.where(kept, e + alpha, xp.ones_like(e))
    return xp.where(kept, 1 / safe, xp.zeros_like(e))


@dataclass(frozen=True)
class CholeskyFactor:
    """``G + alpha I = L L'``."""

    L: np.ndarray
    alpha: float

    name = "cholesky"
    cut = 0.0

    def solve(self, B):
        """Return ``(G + alpha I)^-1 B``."""
        return solve_lower(self.L, solve_lower(self.L, B), transposed=True)

    def dof(self):
        """Return the trace of ``G (G + alpha I)^-1``."""
        xp, k = namespace(self.L), self.L.shape[0]
        one = xp.eye(k, dtype=self.L.dtype, device=device_of(self.L))
        half = solve_lower(self.L, one)
        return k - self.alpha * float(xp.sum(half * half))


@dataclass(frozen=True)
class EigenFactor:
    """``G = V diag(e) V'``, inverted where ``e + alpha`` is more than rounding."""

    e: np.ndarray
    V: np.ndarray
    alpha: float
    cut: float

    name = "eigen"

    @property
    def inverse(self):
        """``1 / (e + alpha)``."""
        return inverse_shrinkage(self.e, self.alpha, self.cut)

    def solve(self, B):
        """Return the least-norm ``(G + alpha I)^+ B``."""
        return self.V @ (self.inverse[:, None] * (self.V.T @ B))

    def dof(self):
        """Return the trace of ``G (G + alpha I)^+``."""
        return float(namespace(self.e).sum(self.e * self.inverse))


def factorize(G, alpha, method="auto", rounding=EXACT):
    """Factorise ``G + alpha I``.

    Parameters
    ----------
    G : array of shape (m, m)
        Positive semidefinite.
    alpha : float
        The ridge.
    method : {"auto", "cholesky", "eigen"}
        Both but ``"eigen"`` try Cholesky where the ridge is above rounding.
    rounding : Rounding
        What is known of the rounding of ``G``.

    Returns
    -------
    CholeskyFactor or EigenFactor
        The factor; Cholesky gives way to eigenvectors where it breaks down.
    """
    xp = namespace(G)
    eps = max(10 * float(xp.finfo(G.dtype).eps), rounding.eps)
    resolved = max(eps * float(xp.linalg.trace(G)), rounding.noise)
    if method != "eigen" and alpha > resolved:
        try:
            return CholeskyFactor(_cholesky(_add_to_diagonal(G, alpha)), alpha)
        except (linalg.LinAlgError, RuntimeError):
            pass  # only possible where rounding ate the ridge
    e, V = eigh(G)
    return EigenFactor(e, V, alpha, rounding.cut(e))


def solve_each(G, B, alphas, method="auto", rounding=EXACT):
    """Solve ``(G + alpha_t I) theta_t = B_t``; one factor where the ridges agree.

    Parameters
    ----------
    G : array of shape (m, m)
        Positive semidefinite.
    B : array of shape (m, t)
        Right sides.
    alphas : ndarray of shape (t,)
        A ridge for each.
    method : {"auto", "cholesky", "eigen"}
        See `factorize`.
    rounding : Rounding
        What is known of the rounding of ``G``.

    Returns
    -------
    theta : array of shape (m, t)
        Solutions.
    factors : list of length t
        The factor of each target.
    """
    if len(set(alphas)) == 1:
        factor = factorize(G, float(alphas[0]), method, rounding)
        return factor.solve(B), [factor] * len(alphas)
    e, V = eigh(G)
    factors = [EigenFactor(e, V, float(a), rounding.cut(e)) for a in alphas]
    columns = [factor.solve(B[:, j : j + 1]) for j, factor in enumerate(factors)]
    return namespace(G).concat(columns, axis=1), factors


def _cholesky(G):
    if is_numpy(G):
        return linalg.cholesky(G, lower=True, overwrite_a=True, check_finite=False)
    return namespace(G).linalg.cholesky(G)


def _add_to_diagonal(G, value):
    """Return a copy of the matrix with a value added to its diagonal."""
    if is_numpy(G):
        G = G.copy()
        G.flat[:: G.shape[0] + 1] += value
        return G
    xp = namespace(G)
    return G + value * xp.eye(G.shape[0], dtype=G.dtype, device=device_of(G))


def solve_lower(L, B, *, transposed=False, overwrite=False):
    """Solve by a lower triangular matrix, or by its transpose.

    Parameters
    ----------
    L : array of shape (m, m)
        The matrix.
    B : array of shape (m, t)
        Right sides.
    transposed : bool, default=False
        Whether to solve by the transpose.
    overwrite : bool, default=False
        Whether the right sides may be overwritten.

    Returns
    -------
    array of shape (m, t)
        The solutions.
    """
    if is_numpy(L):
        return linalg.solve_triangular(
            L,
            B,
            lower=True,
            trans=int(transposed),
            overwrite_b=overwrite,
            check_finite=False,
        )
    xp = namespace(L)
    return xp.linalg.solve(xp.matrix_transpose(L) if transposed else L, B)
