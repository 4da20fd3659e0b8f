"""The ridge of each action from the sums: its reward, its width, and the evidence."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg
from scipy.linalg.blas import dtrmm

from sklearn_ext._numerics._factors import EigenFactor, eigh
from sklearn_ext.bandits._rewards import deviation
from sklearn_ext.bandits._ridge._shared import share_slopes

ALPHAS = np.logspace(-2, 1, 13)  # beyond, the mean learns too late to be acted upon
WAVE_PENALTIES = (1.0, 4.0, 16.0, 64.0, 256.0)  # of waves, in units of the columns'
EPS = np.finfo(np.float64).eps
RESOLVED = 1e-13  # of the trace, below which a penalty is nothing but rounding
ROWS = 1024  # whose widths are computed at a time


@dataclass(frozen=True)
class Scale:
    """Coordinates in which the penalty is ``alpha`` times the identity.

    Attributes
    ----------
    origin, spread : ndarray of shape (n_components,)
        Features become ``(phi - origin) / spread``.
    reward : float
        Standard deviation of the rewards, the unit in which sums are solved; one where
        all rewards are equal.
    """

    origin: np.ndarray
    spread: np.ndarray
    reward: float

    @classmethod
    def of(cls, statistics, *, scaled):
        """Return the coordinates of pooled means and variances.

        Parameters
        ----------
        statistics : BanditStatistics
            The sums.
        scaled : bool
            Whether the features have a fixed scale, so that it is left as it is. A
            constant column is left so, too.
        """
        x_mean, r_mean, x_var, r_var = statistics.pooled
        spread = np.ones_like(x_var)
        if not scaled:
            varies = x_var > (10 * EPS * x_mean) ** 2
            spread = np.sqrt(np.where(varies, x_var, 1.0))
        return cls(x_mean, spread, deviation(r_mean, r_var))

    def with_waves(self, n_columns, penalty):
        """Return the coordinates in which waves are penalised by a further factor."""
        spread = self.spread.copy()
        spread[n_columns:] *= np.sqrt(penalty)
        return replace(self, spread=spread)

    def rows(self, Z):
        """Return features in these coordinates."""
        return (Z - self.origin) / self.spread


@dataclass(frozen=True)
class Products:
    """Centred products of each action, its row of the prior included, without units."""

    mean: np.ndarray  # (n_actions, n_components)
    level: np.ndarray  # (n_actions,), in units of the rewards
    weight: np.ndarray  # (n_actions,), the row of the prior included
    A: np.ndarray  # (n_actions, n_components, n_components)
    c: np.ndarray  # (n_actions, n_components)
    yy: np.ndarray  # (n_actions,)
    n: float  # rows of all actions, without those of the prior

    @classmethod
    def of(cls, statistics, scale):
        """Return the products of sums in the coordinates of a scale."""
        full, s = statistics.with_prior_row(), scale.spread
        return cls(
            (full.x_mean - scale.origin) / s,
            full.r_mean,
            full.weight,
            full.xx / np.multiply.outer(s, s),
            full.xr / s / scale.reward,
            full.rr / scale.reward / scale.reward,
            float(statistics.weight.sum()),
        )

    def with_waves(self, n_columns, penalty):
        """Return the products in coordinates with a further penalty of the waves."""
        if penalty == 1:
            return self
        s = np.ones(self.c.shape[1])
        s[n_columns:] = np.sqrt(penalty)
        A = self.A / np.multiply.outer(s, s)
        return replace(self, mean=self.mean / s, A=A, c=self.c / s)


def evidence(products, alpha):
    r"""Return minus twice the log evidence of a penalty, up to a constant.

    The coefficients of each action are normal with variance :math:`s^2 / \alpha`, the
    noise has variance :math:`s^2`, the levels are free:
    :math:`n \log s^2 + \sum_k \log\det(I + A_k / \alpha)` at its best
    :math:`s^2 = \sum_k (yy_k - c_k'(A_k + \alpha)^{-1} c_k) / n`.

    Parameters
    ----------
    products : Products
        Centred products of each action.
    alpha : float
        The penalty.

    Returns
    -------
    value : float
        The criterion.
    noise_var : float
        The best :math:`s^2`.
    log_det : float
        :math:`\sum_k \log\det(I + A_k / \alpha)`.
    L : ndarray of shape (n_actions, n_components + 1, n_components + 1)
        Lower triangles of :math:`A_k + \alpha`, bordered by :math:`c_k`.
    """
    K, m = products.c.shape
    slack = products.yy + 1.0  # keeps the last pivot positive where noise is nil
    bordered = np.empty((K, m + 1, m + 1))
    bordered[:, :m, :m] = products.A
    bordered[:, np.arange(m), np.arange(m)] += alpha
    bordered[:, m, :m] = bordered[:, :m, m] = products.c
    bordered[:, m, m] = products.yy + slack
    L = _cholesky(bordered)
    pivots = np.einsum("kjj->kj", L)
    residual = np.sum(np.maximum(pivots[:, m] ** 2 - slack, 0.0))
    noise_var = max(residual, EPS * products.yy.sum()) / max(products.n, EPS)
    log_det = 2 * float(np.log(pivots[:, :m]).sum()) - K * m * np.log(alpha)
    value = products.n * np.log(noise_var) + log_det if noise_var > 0 else -np.inf
    return float(value), float(noise_var), log_det, L


def _cholesky(G):
    try:
        return np.linalg.cholesky(G)
    except np.linalg.LinAlgError:  # rounding ate the penalty: give it some back
        jitter = 10 * EPS * G.shape[1] * np.einsum("kjj->k", G)
        return np.linalg.cholesky(G + jitter[:, None, None] * np.eye(G.shape[1]))


def choose_penalties(products, n_columns, start=None, features=None):
    """Return the positions of the penalties with the largest evidence.

    Parameters
    ----------
    products : Products
        Centred products of each action.
    n_columns : int
        Components that are columns; those after them are waves.
    start : tuple of int or None, default=None
        Where to walk downhill from; None looks at all of ALPHAS, first without a
        further penalty of the waves.
    features : ndarray of shape (n_actions, q) or None, default=None
        Features of the actions, if their slopes have a part in common.

    Returns
    -------
    tuple of int
        Positions in ALPHAS, and in WAVE_PENALTIES.
    """
    if not products.yy.any():
        return int(np.searchsorted(ALPHAS, 1.0)), 0
    n_waves = products.c.shape[1] - n_columns
    sizes = len(ALPHAS), len(WAVE_PENALTIES) if n_waves else 1
    known, scaled = {}, {}

    def value(at):
        i, j = at
        if j not in scaled:
            scaled[j] = products.with_waves(n_columns, WAVE_PENALTIES[j])
        if at not in known:
            known[at] = _value(scaled[j], ALPHAS[i], features)
        return known[at]

    at = start or min(((i, 0) for i in range(sizes[0])), key=value)
    while True:
        i, j = at
        near = [at, (i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        near = [(i, j) for i, j in near if 0 <= i < sizes[0] and 0 <= j < sizes[1]]
        best = min(near, key=value)
        if best == at:
            return at
        at = best


def _value(products, alpha, features):
    if features is None:
        return evidence(products, alpha)[0]
    return share_slopes(products, _inverses(products, alpha), alpha, features).value


def _inverses(products, alpha):
    return np.array([_factor(A, alpha).inverse() for A in products.A])


@dataclass(frozen=True)
class Posterior:
    """What the ridges say of a row: a reward and its variance for each action.

    Attributes
    ----------
    scale : Scale
        Coordinates.
    mean : ndarray of shape (n_actions, n_components)
        Means of the features of each action.
    level : ndarray of shape (n_actions,)
        Means of the rewards.
    coef : ndarray of shape (n_actions, n_components)
        Slopes, in units of the rewards.
    weight : ndarray of shape (n_actions,)
        Rows, that of the prior included.
    base : ndarray of shape (n_actions,)
        Intercepts, in the coordinates of the scale.
    inverse : ndarray of shape (n_actions, n_components, n_components)
        Inverse products of the width.
    alpha, noise_var, log_det : float
        Penalty, variance of the noise, and twice the information gain.
    mean_inverse : ndarray of the shape of ``inverse`` or None
        Inverse products of the mean; ``inverse`` itself for penalties up to one, and
        None for larger ones until rows come one by one.
    """

    scale: Scale
    mean: np.ndarray
    level: np.ndarray
    coef: np.ndarray
    base: np.ndarray
    weight: np.ndarray
    inverse: np.ndarray
    alpha: float
    noise_var: float
    log_det: float
    mean_inverse: np.ndarray | None

    @classmethod
    def of(cls, products, scale, alpha, features=None):
        """Solve the ridge of each action for one penalty.

        Parameters
        ----------
        products : Products
            Centred products of each action.
        scale : Scale
            Their coordinates.
        alpha : float
            The penalty.
        features : ndarray of shape (n_actions, q) or None, default=None
            Features of the actions, if their slopes have a part in common.

        Returns
        -------
        Posterior
            The solution.
        """
        K, m = products.c.shape
        _, noise_var, log_det, L = evidence(products, alpha)
        coef, inverse = np.empty((K, m)), np.empty((K, m, m))
        traces = np.einsum("kjj->k", products.A)
        for k in range(K):
            mean = Triangle(L[k, :m, :m])
            if alpha < RESOLVED * traces[k]:  # the penalty is rounding
                mean = _factor(products.A[k], alpha)
            coef[k] = mean.solve(products.c[k])
            width = mean if alpha <= 1 else _factor(products.A[k], 1.0)
            inverse[k] = width.inverse()
        mean_inverse = inverse if alpha <= 1 else None
        if features is not None and products.yy.any():
            mean_inverse = inverse if alpha <= 1 else _inverses(products, alpha)
            prior = share_slopes(products, mean_inverse, alpha, features)
            coef += alpha * np.einsum("kij,kj->ki", mean_inverse, prior.slopes)
            noise_var, log_det = prior.noise_var, prior.log_det
        coef *= scale.reward
        return cls(
            scale,
            products.mean,
            products.level,
            coef,
            products.level - np.einsum("kj,kj->k", products.mean, coef),
            products.weight,
            inverse,
            float(alpha),
            scale.reward**2 * noise_var if products.yy.any() else 0.0,
            log_det,
            mean_inverse,
        )

    def ready_for_rows(self, statistics):
        """Return the posterior with all that `after_row` needs.

        Parameters
        ----------
        statistics : BanditStatistics
            The sums that it was solved from.

        Returns
        -------
        Posterior
            With ``mean_inverse``.
        """
        if self.mean_inverse is not None:
            return self
        products = Products.of(statistics, self.scale)
        return replace(self, mean_inverse=_inverses(products, self.alpha))

    def after_row(self, z, k, reward, w):
        """Return the posterior after one more row of one action, by a rank-one update.

        The coordinates, the row of the prior, penalty and noise stay what they were.

        Parameters
        ----------
        z : ndarray of shape (n_components,)
            Features in the coordinates of the scale.
        k : int
            Position of the action.
        reward : float
            What came back.
        w : float
            Weight of the row.

        Returns
        -------
        Posterior
            In time of :math:`O(K m^2)`, of which all but :math:`O(m^2)` is a copy.
        """
        weight, level, mean = self.weight.copy(), self.level.copy(), self.mean.copy()
        coef, base, inverse = self.coef.copy(), self.base.copy(), self.inverse.copy()
        before = float(weight[k])
        share = w / (before + w)
        between = before * share
        d, error = z - mean[k], reward - float(level[k])
        E = inverse[k]
        q = E.dot(d)
        pivot = 1 + between * float(d.dot(q))
        E -= q[:, None] * (between / pivot * q)
        mean_inverse = inverse
        if self.mean_inverse is not self.inverse:
            mean_inverse = self.mean_inverse.copy()
            E = mean_inverse[k]
            q = E.dot(d)
            pivot = 1 + between * float(d.dot(q))
            E -= q[:, None] * (between / pivot * q)
        coef[k] += between * (error - float(d.dot(coef[k]))) / pivot * q
        mean[k] += share * d
        level[k] += share * error
        weight[k] += w
        base[k] = level[k] - mean[k].dot(coef[k])
        return Posterior(
            self.scale,
            mean,
            level,
            coef,
            base,
            weight,
            inverse,
            self.alpha,
            self.noise_var,
            self.log_det + math.log(max(pivot, 1.0)),
            mean_inverse,
        )

    def rewards(self, Z):
        """Predict the reward of each action.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_components)
            Features in the coordinates of the scale.

        Returns
        -------
        ndarray of shape (n_samples, n_actions)
            Predictions.
        """
        return Z @ self.coef.T + self.base

    def variances(self, Z):
        """Return the variance of each prediction, in units of the noise's.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_components)
            Features in the coordinates of the scale.

        Returns
        -------
        ndarray of shape (n_samples, n_actions)
            :math:`1/(n_k+1) + (z - m_k)' E_k^{-1} (z - m_k)`.
        """
        if len(Z) == 1:
            return self._variances_of_one(Z[0])[None]
        out = np.empty((len(Z), len(self.weight)))
        if len(Z) < Z.shape[1] / 2:
            for i, z in enumerate(Z):
                out[i] = self._variances_of_one(z)
            return out
        m, ones = Z.shape[1], np.ones((len(Z), 1))
        Z = np.hstack([Z, ones])  # so that one triangle has the mean and the level, too
        for k, (inverse, mean) in enumerate(zip(self.inverse, self.mean, strict=True)):
            root = np.zeros((m + 1, m + 1))
            root[:m, :m] = _root(inverse)
            root[:m, m] = -root[:m, :m] @ mean
            root[m, m] = 1 / np.sqrt(self.weight[k])
            for start in range(0, len(Z), ROWS):
                # half the operations of a product with the inverse itself
                T = dtrmm(1.0, root, Z[start : start + ROWS].T)
                out[start : start + ROWS, k] = np.einsum("ji,ji->i", T, T)
        return out

    def _variances_of_one(self, z):
        D = z - self.mean
        product = np.matmul(self.inverse, D[..., None])[..., 0]
        return np.einsum("kj,kj->k", product, D) + 1 / self.weight


def _root(inverse):
    """Return an upper triangle whose product with its transpose is the inverse."""
    L, info = linalg.lapack.dpotrf(inverse, lower=1, clean=1)
    if info == 0:
        return L.T
    e, V = eigh(inverse)
    return linalg.qr((V * np.sqrt(e)).T, mode="r", check_finite=False)[0]


@dataclass(frozen=True)
class Triangle:
    """A matrix by its lower Cholesky factor, zero above the diagonal."""

    L: np.ndarray

    def solve(self, b):
        """Return the solution of the matrix for one right side."""
        return linalg.lapack.dpotrs(self.L, b, lower=1)[0]

    def inverse(self):
        """Return the inverse matrix."""
        inverse = linalg.lapack.dpotri(self.L, lower=1)[0]  # its upper part stays zero
        inverse = inverse + inverse.T
        inverse.flat[:: len(inverse) + 1] /= 2
        return inverse


@dataclass(frozen=True)
class Eigenvectors:
    """A matrix that rounding made singular, by its eigenvectors."""

    factor: EigenFactor

    def solve(self, b):
        """Return the least-norm solution for one right side."""
        return self.factor.solve(b[:, None])[:, 0]

    def inverse(self):
        """Return the pseudo-inverse."""
        V = self.factor.V
        return (V * self.factor.inverse) @ V.T


def _factor(A, alpha):
    B = A.copy()
    B.flat[:: len(B) + 1] += alpha
    if alpha >= RESOLVED * np.trace(A):  # else pivots may be rounding of either sign
        L, info = linalg.lapack.dpotrf(B, lower=1, clean=1)
        if info == 0:
            return Triangle(L)
    e, V = eigh(A)
    cut = len(A) * EPS * e.max(initial=0.0)
    return Eigenvectors(EigenFactor(np.maximum(e, 0.0), V, alpha, cut))
