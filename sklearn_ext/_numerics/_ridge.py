"""Ridge regression in closed form: several targets, a grid of ridges, leave-one-out.

The model is ``y = b + phi' theta``; it minimises ``sum_i w_i |y_i - b - phi_i' theta|^2
+ alpha |theta|^2``. The primal side starts from `RidgeMoments`, sums that can be added;
the dual side from a `CentredKernel`. One eigendecomposition, `PrimalSpectrum` or
`DualSpectrum`, then serves every ridge and the residuals of rows that were left out.

Leaving out a row of weight ``w`` divides its residual by ``1 - w a``, where ``a`` is
its leverage at unit weight. Where rows are distinct (see ``_equal_rows``) each leaves
with its whole weight: integer weights equal repetition, and weights times a constant
give the same errors at ridges times that constant. Other filters than ridge (see
``_filters``) are sums over complex ridges, and so are their residuals.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    device_of,
    float64,
    is_numpy,
    like,
    namespace,
    rounding,
    to_numpy,
)
from sklearn_ext._numerics._factors import Rounding, eigh, factorize
from sklearn_ext._numerics._filters import GONE, RIDGE, Filter

# single precision blurs directions that a ridge below so many roundings of the trace of
# the sums would resolve
BLURRED = 100
MAX_ITER, TOL = 50, 1e-6  # conjugate gradients: relative change of the predictions
LOST = 1e-3  # share of the targets' squares that a refinement may not cost
# how far beyond a step of the grid an eigenvalue may lie that is there but for rounding
EDGE = 1e-6
WIDTH = 512  # columns of products for complex ridges at a time: they stay in the cache


@dataclass(frozen=True)
class RidgeMoments(ArrayHolder):
    """Centred moments of features and targets; they add.

    ``gram = sum_i w_i (phi_i - mean)(phi_i - mean)'`` and so on; without an intercept
    the means are zero.
    """

    weight: float
    n: int  # number of rows
    mean: np.ndarray  # (k,)
    y_mean: np.ndarray  # (t,)
    gram: np.ndarray  # (k, k)
    cross: np.ndarray  # (k, t)
    y_square: np.ndarray  # (t,)
    fit_intercept: bool
    eps: float  # rounding of the products

    @classmethod
    def of(cls, Phi, Y, w, *, fit_intercept=True):
        """Summarise one batch; ``Phi`` is overwritten where it is NumPy's."""
        xp, weight, eps = namespace(Phi), float(namespace(w).sum(w)), rounding(Phi)
        narrow = xp.astype(w, Phi.dtype)
        mean = (narrow @ Phi) / weight if fit_intercept else xp.zeros_like(Phi[0, :])
        A = centred(Phi, mean, xp.sqrt(narrow))
        B, y_mean = _centred_targets(Y, w, weight, fit_intercept)
        gram, cross = A.T @ A, A.T @ xp.astype(B, A.dtype)
        sums = (float64(a) for a in (mean, y_mean, gram, cross, xp.sum(B * B, axis=0)))
        return cls(weight, A.shape[0], *sums, fit_intercept, eps)

    @classmethod
    def of_batches(cls, batches, *, fit_intercept=True):
        """Add up batches ``(Phi, Y, w)``."""
        parts = (cls.of(*batch, fit_intercept=fit_intercept) for batch in batches)
        total = next(parts)
        for part in parts:
            total = total + part
        return total

    def __add__(self, other):
        weight = self.weight + other.weight
        share = other.weight / weight
        gap, y_gap = other.mean - self.mean, other.y_mean - self.y_mean
        between = self.weight * share
        gram = self.gram + other.gram
        gram += (between * gap)[:, None] * gap[None, :]
        return RidgeMoments(
            weight,
            self.n + other.n,
            self.mean + share * gap,
            self.y_mean + share * y_gap,
            gram,
            self.cross + other.cross + (between * gap)[:, None] * y_gap[None, :],
            self.y_square + other.y_square + between * y_gap * y_gap,
            self.fit_intercept,
            max(self.eps, other.eps),
        )

    def __sub__(self, part):
        """Take a part of the rows out again; the inverse of the sum."""
        weight = self.weight - part.weight
        gap, y_gap = part.mean - self.mean, part.y_mean - self.y_mean
        between = part.weight * (self.weight / weight)
        gram = self.gram - part.gram
        gram -= (between * gap)[:, None] * gap[None, :]
        return RidgeMoments(
            weight,
            self.n - part.n,
            self.mean - (part.weight / weight) * gap,
            self.y_mean - (part.weight / weight) * y_gap,
            gram,
            self.cross - part.cross - (between * gap)[:, None] * y_gap[None, :],
            self.y_square - part.y_square - between * y_gap * y_gap,
            self.fit_intercept,
            self.eps,
        )

    @property
    def rounding(self):
        """What rounding makes of the sums; of rows that are alike by ``noise``."""
        shared = self.weight * float(self.mean @ self.mean)
        return Rounding(self.eps, (10 * self.eps) ** 2 * shared)

    def is_blurred(self, alphas):
        """Whether single precision made the sums too coarse for these ridges."""
        trace = float(namespace(self.gram).linalg.trace(self.gram))
        return self.eps > 1e-10 and 0 < min(alphas) < BLURRED * self.eps * trace

    def intercept(self, coef):
        """Return the intercepts that belong to coefficients of shape (k, t)."""
        return self.y_mean - self.mean @ coef


def centred(Phi, mean, scale=None):
    """Return ``scale * (Phi - mean)``; ``Phi`` is overwritten where it is NumPy's."""
    if is_numpy(Phi):
        Phi -= mean.astype(Phi.dtype, copy=False)
        if scale is not None:
            Phi *= scale[:, None]
        return Phi
    A = Phi - namespace(Phi).astype(mean, Phi.dtype)
    return A if scale is None else A * scale[:, None]


def _centred_targets(Y, w, weight, fit_intercept):
    xp = namespace(w)
    y_mean = (w / weight) @ Y if fit_intercept else xp.zeros_like(Y[0, :])
    return (Y - y_mean) * xp.sqrt(w)[:, None], y_mean


@dataclass(frozen=True)
class CentredKernel(ArrayHolder):
    """``K = A A'`` of centred weighted features ``A``, and the targets alike.

    The features are given, or exist only through their kernel matrix.
    """

    K: np.ndarray | None  # (n, n); None where nobody will solve by it
    B: np.ndarray  # (n, t)
    w: np.ndarray  # (n,)
    weight: float
    mean: np.ndarray  # (k,) of the features, or (n,) of the kernel's columns
    y_mean: np.ndarray  # (t,)
    fit_intercept: bool
    rounding: Rounding
    A: np.ndarray | None = None  # (n, k)

    @property
    def n(self):
        """Number of rows."""
        return self.w.shape[0]

    @classmethod
    def of(cls, K, Y, w, *, fit_intercept=True):
        """Centre a kernel matrix of the rows."""
        xp, K, weight = namespace(w), float64(K), float(namespace(w).sum(w))
        mean, root = xp.zeros_like(K[0, :]), xp.sqrt(w)
        if fit_intercept:
            share = w / weight
            mean = K @ share
            K = K - mean[:, None] - mean[None, :] + share @ mean
        K = K * root[:, None] * root[None, :]
        B, y_mean = _centred_targets(Y, w, weight, fit_intercept)
        known = Rounding(rounding(K), 10 * rounding(K) * float(w @ mean))
        return cls(K, B, w, weight, mean, y_mean, fit_intercept, known)

    @classmethod
    def of_features(cls, Phi, Y, w, *, fit_intercept=True):
        """Multiply centred features; ``Phi`` is overwritten where it is NumPy's."""
        xp, weight, eps = namespace(Phi), float(namespace(w).sum(w)), rounding(Phi)
        narrow = xp.astype(w, Phi.dtype)
        mean = (narrow @ Phi) / weight if fit_intercept else xp.zeros_like(Phi[0, :])
        A = centred(Phi, mean, xp.sqrt(narrow))
        wide, mean = float64(A), float64(mean)
        B, y_mean = _centred_targets(Y, w, weight, fit_intercept)
        known = Rounding(rounding(wide), (10 * eps) ** 2 * weight * float(mean @ mean))
        K = wide @ wide.T
        return cls(K, B, w, weight, mean, y_mean, fit_intercept, known, A)

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
        coef, at_mean = self.expanded(dual)
        return coef, self.y_mean - at_mean

    def expanded(self, dual):
        """Return coefficients for dual ones, and what they give at the mean row."""
        if self.A is not None:
            coef = float64(self.A).T @ dual
        else:
            xp = namespace(dual)
            coef = xp.sqrt(self.w)[:, None] * dual
            if self.fit_intercept:
                coef = coef - (self.w / self.weight)[:, None] * xp.sum(coef, axis=0)
        return coef, self.mean @ coef

    def moments(self):
        """Return the sums of features that are given."""
        A, eps = float64(self.A), rounding(self.A)
        return RidgeMoments(
            self.weight,
            self.n,
            self.mean,
            self.y_mean,
            A.T @ A,
            A.T @ self.B,
            namespace(A).sum(self.B * self.B, axis=0),
            self.fit_intercept,
            eps,
        )


@dataclass(frozen=True)
class _Spectrum:
    """What eigenvalues say on either side."""

    e: np.ndarray  # (m,), ascending
    c: np.ndarray  # (m, t), targets on the eigenvectors
    weight: float
    n: int  # rows
    fit_intercept: bool
    rounding: Rounding
    filter: Filter = field(default=RIDGE, kw_only=True)
    cut: float = field(init=False)  # up to where eigenvalues are rounding

    def __post_init__(self):
        object.__setattr__(self, "cut", self.rounding.cut(self.e))

    def shrinkage(self, alphas):
        """Return ``f(e) / e`` of the filter, of shape (m, n_alphas): what is applied.

        It is ``1 / (e + alpha)`` of ridge, zero for directions that rounding alone has
        made where the ridge does not exceed it.
        """
        columns = [self._resolved(self.filter.shrinkage, a, 0.0) for a in alphas]
        return namespace(self.e).stack(columns, axis=1)

    def left(self, alphas):
        """Return ``1 - f(e)`` of the filter, of shape (m, n_alphas)."""

        def of(e, alpha):
            return self.filter.left(e, alpha) if alpha else 0 * e

        columns = [self._resolved(of, alpha, 1.0) for alpha in alphas]
        return namespace(self.e).stack(columns, axis=1)

    def _resolved(self, function, alpha, otherwise):
        """Return ``function(e, alpha)``, where rounding alone is left a constant."""
        if alpha > self.cut:
            return function(self.e, alpha)
        alpha = alpha if alpha > GONE * self.cut else 0.0  # no e / alpha overflows
        xp, kept = namespace(self.e), self.e > self.cut
        found = function(xp.where(kept, self.e, xp.ones_like(self.e)), alpha)
        return xp.where(kept, found, otherwise * xp.ones_like(found))

    def _complex_ridges(self, alphas):
        """Yield the inverses of some alphas' complex ridges at a time.

        Yields
        ------
        inverse : array of shape (m, 2 * q)
            Real and then imaginary parts of ``1 / (e + s)`` for all their ridges s.
        weights : ndarray of shape (n_alphas, q / n_alphas)
            The weights of the ridges, complex.
        """
        xp, t = namespace(self.e), self.c.shape[1]
        size = max(1, WIDTH // (2 * t * len(self.filter.ridges(1.0)[0])))
        for start in range(0, len(alphas), size):
            at = slice(start, start + size)
            pairs = [self.filter.ridges(alpha) for alpha in alphas[at]]
            parts = [
                self._resolved(_inverse(s, part), alpha, 0.0)
                for part in (0, 1)
                for alpha, (ridges, _) in zip(alphas[at], pairs, strict=True)
                for s in ridges.tolist()
            ]
            yield xp.stack(parts, axis=1), np.array([w for _, w in pairs])

    def dof(self, alphas):
        """Return degrees of freedom, intercept included, of shape (n_alphas,)."""
        return to_numpy(self.e @ self.shrinkage(alphas)) + self.fit_intercept

    def _maps(self, W):
        """Return ``W * c`` for each column and target, of shape (m, n_columns * t)."""
        maps = W[:, :, None] * self.c[:, None, :]
        return namespace(self.e).reshape(maps, (W.shape[0], -1))

    def default_alphas(self):
        """Return the mean diagonal of the kernel matrix times powers of 10 ** (1 / 3).

        They span the eigenvalues. The diagonal is that of centred, weighted features,
        so weights times a constant give ridges times that constant.

        Returns
        -------
        ndarray
            From ``max(30 eps, 1e-10)`` of the largest eigenvalue, or what rounding
            makes of rows that are alike, up to it.
        """
        e, noise, xp = self.e, self.rounding.noise, namespace(self.e)
        largest = float(e[-1]) if e.shape[0] else 0.0
        if largest <= noise:  # all rows are alike: a ridge that leaves the mean
            return np.full(1, max(self.weight / self.n, 1e3 * noise))
        unit = float(xp.sum(e)) / self.n
        low = max(max(30 * self.rounding.eps, 1e-10) * largest, noise)
        low, high = 3 * np.log10(np.array([low, largest]) / unit)
        return unit * 10.0 ** (np.arange(np.ceil(low - EDGE), high + EDGE) / 3)


@dataclass(frozen=True)
class PrimalSpectrum(_Spectrum):
    """Eigenvectors of the features' moments: ``gram = V diag(e) V'``."""

    moments: RidgeMoments
    V: np.ndarray  # (k, k)

    @classmethod
    def of(cls, moments, filter=RIDGE):
        """Factorise."""
        (e, V), m = eigh(moments.gram), moments
        about = m.weight, m.n, m.fit_intercept, m.rounding
        return cls(e, V.T @ m.cross, *about, m, V, filter=filter)

    def solve(self, alphas):
        """Return coefficients (k, t) and intercepts (t,) for a ridge a target."""
        W = self.shrinkage(np.asarray(alphas).tolist())
        coef = self.V @ (W * self.c)
        return coef, self.moments.intercept(coef)

    def train_error(self, alphas):
        """Return weighted mean squared training errors, of shape (n_alphas, t).

        They come from sums alone, hence lose digits where they are tiny.
        """
        W = self.shrinkage(alphas)
        explained = (W * (2 - self.e[:, None] * W)).T @ (self.c * self.c)
        rss = namespace(self.e).clip(self.moments.y_square - explained, min=0.0)
        return to_numpy(rss / self.weight)

    def leave_one_out(self, alphas, batches):
        """Return residuals of rows that were left out.

        Parameters
        ----------
        alphas : sequence of float
            The grid.
        batches : iterable of tuple
            ``(Phi, Y, w)`` of some or all rows of the moments.

        Returns
        -------
        ndarray of shape (n_alphas, n_rows, t)
            Infinite where a row determines its own prediction.
        """
        xp, found = namespace(self.e), []
        real = self.filter is RIDGE
        V, left_out = self.V, self._ridges_left_out if real else self._filter_left_out
        for Phi, Y, w in batches:
            V = xp.astype(V, Phi.dtype, copy=False)
            Z = centred(Phi, self.moments.mean) @ V
            found.append(left_out(alphas, Z, Y - self.moments.y_mean, w[:, None]))
        return to_numpy(xp.permute_dims(xp.concat(found, axis=0), (1, 0, 2)))

    def _ridges_left_out(self, alphas, Z, Y, w):
        fitted, leverage = self._fitted(Z, self.shrinkage(alphas))
        leverage = leverage + self.fit_intercept / self.weight
        return _divide(Y[:, None, :] - fitted, 1 - w * leverage, self._floor(Z))

    def _filter_left_out(self, alphas, Z, Y, w):
        found = []
        for inverse, weights in self._complex_ridges([a for a in alphas if a > 0]):
            fitted, leverage = self._fitted(Z, inverse)
            q, own = weights.size, self.fit_intercept / self.weight
            residual = Y[:, None, :] - fitted[:, :q, :], -fitted[:, q:, :]
            remaining = 1 - w * (leverage[:, :q] + own), -w * leverage[:, q:]
            found.append(_divide_complex(residual, remaining, weights, self._floor(Z)))
        if 0 in alphas:
            ridgeless = self._ridges_left_out([0.0], Z, Y, w)
            return _inserted(found, ridgeless, alphas)
        return namespace(Z).concat(found, axis=1)

    def _fitted(self, Z, W):
        """Return ``Z (W c)`` (n, n_columns, t) and ``(Z * Z) W`` (n, n_columns)."""
        xp = namespace(Z)
        W, maps = (xp.astype(M, Z.dtype, copy=False) for M in (W, self._maps(W)))
        fitted = xp.reshape(float64(Z @ maps), (Z.shape[0], W.shape[1], -1))
        return fitted, float64((Z * Z) @ W)

    def _floor(self, Z):
        return max(1e-10, 16 * rounding(Z))

    def residuals(self, alphas, batches):
        """Return residuals (n_alphas, n_rows, t) of rows outside the moments."""
        xp, maps, found = namespace(self.e), self._maps(self.shrinkage(alphas)), []
        for Phi, Y, _ in batches:
            Z = float64(centred(Phi, self.moments.mean)) @ self.V
            fitted = xp.reshape(Z @ maps, (Z.shape[0], len(alphas), -1))
            found.append((Y - self.moments.y_mean)[:, None, :] - fitted)
        return to_numpy(xp.permute_dims(xp.concat(found, axis=0), (1, 0, 2)))


@dataclass(frozen=True)
class DualSpectrum(_Spectrum):
    """Eigenvectors of the centred kernel matrix of the rows, without the constant."""

    kernel: CentredKernel
    U: np.ndarray  # (n, m), m = n - 1 with an intercept

    @classmethod
    def of(cls, kernel, filter=RIDGE):
        """Factorise."""
        K, known = kernel.K, kernel.rounding
        xp = namespace(K)
        if kernel.fit_intercept:
            # the constant spans the null space: lift it to the top, then drop it
            u = xp.sqrt(kernel.w / kernel.weight)
            lift = 2 * float(xp.linalg.trace(K)) or 1.0  # of K's own scale
            K = K + lift * u[:, None] * u[None, :]
            known = replace(known, noise=max(known.noise, rounding(K) * lift))
        e, U = eigh(K)
        if kernel.fit_intercept:
            e, U = e[:-1], U[:, :-1]
        about = kernel.weight, kernel.n, kernel.fit_intercept, known
        return cls(e, U.T @ kernel.B, *about, kernel, U, filter=filter)

    def solve(self, alphas):
        """Return coefficients and intercepts for a ridge a target."""
        W = self.shrinkage(np.asarray(alphas).tolist())
        return self.kernel.coefficients(self.U @ (W * self.c))

    def train_error(self, alphas):
        """Return weighted mean squared training errors, of shape (n_alphas, t)."""
        left = self.left(alphas)
        return to_numpy((left * left).T @ (self.c * self.c) / self.weight)

    def leave_one_out(self, alphas):
        """Return residuals of all rows that were left out, without cancellation.

        Parameters
        ----------
        alphas : sequence of float
            The grid.

        Returns
        -------
        ndarray of shape (n_alphas, n_rows, t)
            Infinite where a row determines its own prediction.
        """
        xp = namespace(self.e)
        least = 0.0
        if float(xp.min(self.e)) <= self.cut:  # no ridge is the limit of small ones
            least = 1e3 * self.cut
            alphas = [alpha if alpha > self.cut else 0.0 for alpha in alphas]
        if self.filter is RIDGE:
            found = self._ridges_left_out([alpha or least for alpha in alphas])
        else:
            found = self._filter_left_out(alphas, least)
        return to_numpy(xp.permute_dims(found, (1, 0, 2)))

    def _ridges_left_out(self, alphas):
        # residual and 1 - leverage, both over alpha
        return _divide(*self._duals(self.shrinkage(alphas)), 0.0)

    def _filter_left_out(self, alphas, least):
        found = []
        for inverse, weights in self._complex_ridges([a for a in alphas if a > 0]):
            dual, own = self._duals(inverse)
            q = weights.size
            parts = (dual[:, :q, :], dual[:, q:, :]), (own[:, :q], own[:, q:])
            found.append(_divide_complex(*parts, weights, 0.0))
        if 0 in alphas:
            ridgeless = replace(self, filter=RIDGE)._ridges_left_out([least])
            return _inserted(found, ridgeless, alphas)
        return namespace(self.e).concat(found, axis=1)

    def _duals(self, W):
        """Return ``U (W c)`` at unit weight (n, n_columns, t), and ``(U * U) W``."""
        xp, shape = namespace(self.e), (self.n, W.shape[1], self.c.shape[1])
        dual = xp.reshape(self.U @ self._maps(W), shape)
        return dual / xp.sqrt(self.kernel.w)[:, None, None], (self.U * self.U) @ W

    def residuals(self, alphas, K, Y):
        """Return residuals of rows that are not in the kernel matrix.

        Parameters
        ----------
        alphas : sequence of float
            The grid.
        K : array of shape (n_new, n)
            Kernel with the rows of the spectrum, not centred; of a spectrum whose
            features exist only through their kernel matrix.
        Y : array of shape (n_new, t)
            Targets.

        Returns
        -------
        ndarray of shape (n_alphas, n_new, t)
            The residuals.
        """
        xp, kernel = namespace(self.e), self.kernel
        M, Z_mean = kernel.expanded(self.U)
        fitted = (K @ M - Z_mean) @ self._maps(self.shrinkage(alphas))
        fitted = xp.reshape(fitted, (K.shape[0], len(alphas), -1))
        residual = (Y - kernel.y_mean)[:, None, :] - fitted
        return to_numpy(xp.permute_dims(residual, (1, 0, 2)))


def _inverse(s, part):
    """Return the real (0) or imaginary (1) part of ``1 / (e + s)`` as a function of e.

    Eigenvalues whose squares overflow do no harm.
    """

    def inverse(e, _):
        x = e + s.real
        size = abs(x) + abs(s.imag)
        x, y = x / size, s.imag / size
        return (-y if part else x) / (x * x + y * y) / size

    return inverse


def _divide_complex(residual, remaining, weights, floor):
    """Return the real part of weighted sums of complex quotients.

    Parameters
    ----------
    residual : tuple of array of shape (n, q, t)
        Real and imaginary parts, the ridges of one alpha after those of the other.
    remaining : tuple of array of shape (n, q)
        The same of ``1 - leverage``.
    weights : ndarray of shape (n_alphas, q / n_alphas)
        Complex.
    floor : float
        Absolute values of ``remaining`` up to it count as zero.

    Returns
    -------
    array of shape (n, n_alphas, t)
        Infinite where nothing remains.
    """
    a, b = remaining
    xp, size = namespace(a), abs(a) + abs(b)
    held = size <= floor
    size = xp.where(held, xp.ones_like(size), size)
    a, b = a / size, b / size
    square = xp.where(held, xp.ones_like(size), (a * a + b * b) * size)
    # weights / remaining, then the real part of its product with the residual
    u, v = (like(part.reshape(-1), a) for part in (weights.real, weights.imag))
    real, imaginary = (u * a + v * b) / square, (v * a - u * b) / square
    found = real[:, :, None] * residual[0] - imaginary[:, :, None] * residual[1]
    shape = (a.shape[0], *weights.shape, found.shape[2])
    found = xp.sum(xp.reshape(found, shape), axis=2)
    held = xp.any(xp.reshape(held, shape[:-1]), axis=2)
    return xp.where(held[:, :, None], xp.inf * xp.ones_like(found), found)


def _inserted(found, ridgeless, alphas):
    """Put residuals without a ridge, where filters agree, among those of others."""
    xp, position = namespace(ridgeless), 0
    some, parts = xp.concat(found, axis=1) if found else None, []
    for alpha in alphas:
        if alpha > 0:
            parts.append(some[:, position : position + 1, :])
            position += 1
        else:
            parts.append(ridgeless)
    return xp.concat(parts, axis=1)


def _divide(residual, remaining, floor):
    xp = namespace(residual)
    held = (remaining <= floor)[:, :, None]
    safe = xp.where(held, xp.ones_like(residual), remaining[:, :, None])
    return xp.where(held, xp.inf * xp.ones_like(residual), residual / safe)


def generalized_errors(train, dof, n):
    """Return generalised cross-validation errors, infinite where nothing is left.

    Parameters
    ----------
    train : ndarray of shape (n_alphas, t)
        Weighted mean squared training errors.
    dof : ndarray of shape (n_alphas,)
        Degrees of freedom.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_alphas, t)
        The errors.
    """
    left = np.maximum(1 - dof / n, 0.0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 1e-10, train / left**2, np.inf)


def warn_of_rounding(alphas, cut):
    """Warn of ridges that were meant to count and are lost in rounding."""
    given = [alpha for alpha in np.asarray(alphas).tolist() if alpha > 0]
    if given and min(given) <= cut:
        warn(
            f"alpha={min(given):g} is below the rounding of the products of features, "
            f"{cut:.1g}: what they could not resolve was left out. Scale the columns, "
            f"for instance by standardize=True, or take alpha above {cut:.1g}."
        )


def conjugate_gradients(batches, moments, coef, alphas):
    """Refine coefficients on the exact normal equations.

    The sums of products are only as exact as single precision made them; here the
    features are multiplied in double precision, and the Cholesky factor of the sums is
    the preconditioner.

    Parameters
    ----------
    batches : callable
        Returns an iterable of ``(Phi, Y, w)``, all rows.
    moments : RidgeMoments
        Their sums.
    coef : array of shape (k, t)
        Start.
    alphas : ndarray of shape (t,)
        Ridges.

    Returns
    -------
    coef : array of shape (k, t)
        The solution.
    n_iter : int
        Iterations of the slowest target.
    """
    xp, start = namespace(coef), coef
    ridge = xp.asarray(alphas, dtype=coef.dtype, device=device_of(coef))
    trace = float(xp.linalg.trace(moments.gram))
    jitter = max(float(min(alphas)), 4 * moments.eps * trace)
    precondition = factorize(moments.gram, jitter).solve

    def blocks():
        for Phi, Y, w in batches():
            root = xp.sqrt(w)
            yield centred(float64(Phi), moments.mean, root), Y, root[:, None]

    def apply(P):
        return sum(A.T @ (A @ P) for A, *_ in blocks()) + P * ridge

    residual = -coef * ridge
    for A, Y, root in blocks():
        residual = residual + A.T @ ((Y - moments.y_mean) * root - A @ coef)
    step = direction = precondition(residual)
    rho = xp.sum(residual * step, axis=0)
    for n_iter in range(1, MAX_ITER + 1):  # noqa: B007
        image = apply(direction)
        curvature = xp.sum(direction * image, axis=0)
        alive = curvature > 0
        length = xp.where(alive, rho / xp.where(alive, curvature, 1.0), 0.0)
        coef = coef + length * direction
        residual = residual - length * image
        step = precondition(residual)
        before, rho = rho, xp.sum(residual * step, axis=0)
        # in the norm of predictions, against that of the solution
        size = xp.sum(coef * (moments.gram @ coef), axis=0)
        if bool(xp.all(rho <= TOL**2 * size)):
            break
        direction = step + rho / xp.where(before > 0, before, 1.0) * direction
    else:
        warn(
            f"The coefficients still changed by more than {TOL:g} after {MAX_ITER} "
            "conjugate gradient steps. Use precision='float64' or a larger alpha.",
            ConvergenceWarning,
        )
    # what single precision cannot even hold is no refinement
    before, after = (_objective(batches(), moments, c, ridge) for c in (start, coef))
    worse = after > before + LOST * moments.y_square
    if bool(xp.any(worse)):
        warn_of_rounding(alphas, moments.eps * trace)
    return xp.where(worse, start, coef), n_iter


def _objective(batches, moments, coef, ridge):
    """Return what is minimised, of shape (t,), by features in their own precision."""
    xp, intercept = namespace(coef), moments.intercept(coef)
    total = ridge * xp.sum(coef * coef, axis=0)
    for Phi, Y, w in batches:
        narrow, constant = (xp.astype(a, Phi.dtype) for a in (coef, intercept))
        residual = Y - float64(Phi @ narrow + constant)
        total = total + w @ (residual * residual)
    return total
