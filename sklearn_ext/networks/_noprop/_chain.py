"""A chain of blocks, each trained apart, that turns noise into draws of a target.

Let ``e`` be what a first regression leaves of the target, of mean square one. Block t
sees a row and ``z = a_t e + s_t eps`` (``a`` the signal, ``s`` the noise, ``a^2 + s^2 =
1``) and predicts ``e``. Had ``e`` the same normal law in every row, the best prediction
were ``a_t z``; a block learns what is to be added to it. All of it is in closed form:
the blocks are ridge regressions on random waves of (row, z), and what the noise does
to their sums is known, so that no noise is ever drawn to train them.
"""

from dataclasses import dataclass
from math import factorial, sqrt

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist

from sklearn_ext._numerics._arrays import ArrayHolder
from sklearn_ext._numerics._random_features import gaussian_weights
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    RidgeMoments,
)

FIRST, LAST = 5.0, 0.1  # noise over signal, of the first block and of the last
GAMMA = 0.25  # of the blocks' waves, times one over the number of columns
GAMMA_FIRST = 0.3  # of the regression's kernel, likewise
LANDMARKS = 2  # of the regression, times the number of waves
JITTER = 1e-8  # on the diagonal of the kernel: landmarks may agree in all columns
Z_RATE = 1.5  # standard deviation of the waves' frequencies along z
COLUMNS = 0.5  # size of the columns beside the regression's kernel
ALPHAS = 10.0 ** (np.arange(7, -9, -1) / 2)  # times the mean diagonal of the products
N_TERMS = 5  # of the expansion of a block's waves in the noise of one row
N_HELD = 256  # distinct rows whose leave-one-out errors choose a block's ridge
BATCH = 4096  # rows at a time
TIE = 1e-6  # errors that differ by less are equal: the larger ridge
REACH, N_KNOTS = 7.0, 128  # a block's prediction is tabulated between -REACH and REACH
FLAT = 1e-4  # least slope of the prediction, and what it stays below its largest
CONSTANT = 1e-12  # spread, relative to the largest entry, that is but rounding


def noise_levels(n_blocks):
    """Return the ratio of noise to signal that each block sees, from high to low."""
    return np.geomspace(FIRST, LAST, n_blocks)


def signal_and_noise(ratio):
    """Return ``a`` and ``s`` with ``s / a = ratio`` and ``a^2 + s^2 = 1``."""
    signal = 1 / np.sqrt(1 + np.square(ratio))
    return signal, ratio * signal


def mean_and_scale(A, w):
    """Return weighted means and standard deviations of columns; zero if constant."""
    share = w / w.sum()
    largest = abs(A).max(axis=0)
    size = np.where(largest > 0, largest, 1.0)
    mean = share @ (A / size)
    scale = np.sqrt(share @ (A / size - mean) ** 2)
    return mean * size, np.where(scale > CONSTANT, scale, 0.0) * size


def batches(n):
    """Cut n rows into slices of at most BATCH."""
    return [slice(i, i + BATCH) for i in range(0, n, BATCH)]


def standardised(A, mean, scale):
    """Centre and scale columns; constant ones become zero."""
    with np.errstate(over="ignore"):
        return np.where(scale > 0, (A - mean) / np.where(scale > 0, scale, 1.0), 0.0)


@dataclass(frozen=True)
class Waves(ArrayHolder):
    """Features ``sqrt(2 / k) cos(x' W + rate z + phase)``."""

    W: np.ndarray  # (d, k)
    rate: np.ndarray  # (k,)
    phase: np.ndarray  # (k,)

    @classmethod
    def draw(cls, d, k, gamma, rng):
        """Draw ``k`` waves for ``d`` columns, of the kernel exp(-gamma |x - x'|^2)."""
        W = gaussian_weights(d, k, "iid", rng) * np.sqrt(2 * gamma)
        rate = rng.standard_normal(k) * Z_RATE
        return cls(W, rate, rng.uniform(0, 2 * np.pi, k))

    @property
    def size(self):
        """Height of a wave."""
        return np.sqrt(2 / len(self.rate))

    def angles(self, X):
        """Return ``X W + phase``."""
        return X @ self.W + self.phase

    def expansion(self, P, noise, n_terms):
        """Expand the waves at angles ``P + rate noise eps`` in the noise.

        ``cos(p + c eps) = sum_m g_m h_m(eps)`` with the orthonormal Hermite polynomials
        ``h_m`` and ``g_m = c^m exp(-c^2 / 2) cos(p + m pi / 2) / sqrt(m!)``. So the
        mean of products over the noise is the sum of those of the ``g_m``: a row with
        its noise is ``n_terms`` rows.

        Returns
        -------
        ndarray of shape (n, n_terms, k)
            The coefficients.
        """
        C, S = np.cos(P), np.sin(P)
        turned, c = (C, -S, -C, S), self.rate * noise
        damped = self.size * np.exp(-(c**2) / 2)
        terms = [
            turned[m % 4] * (damped * c**m / sqrt(factorial(m))) for m in range(n_terms)
        ]
        return np.stack(terms, axis=1)


def _sums(C, S, e, w):
    """Sum what the moments of a block need over some rows."""
    root, we = np.sqrt(w)[:, None], w * e
    A, B = C * root, S * root
    return A.T @ A, B.T @ B, w @ C, w @ S, we @ C, we @ S


def expected_moments(waves, batches, signal, noise):
    """Return the moments of a block's ridge, the mean over all noise taken.

    With ``p`` the angle at ``z = a e`` and ``c = rate s``, products of two waves have
    the mean ``(cos(p) cos(q) - sin(p) sin(q)) exp(-(c + d)^2 / 2) / 2`` plus ``(cos(p)
    cos(q) + sin(p) sin(q)) exp(-(c - d)^2 / 2) / 2``. The target is ``e - a z = s (s e
    - a eps)``, and ``E[eps cos(p + c eps)] = -c exp(-c^2 / 2) sin(p)``.

    Parameters
    ----------
    waves : Waves
        The features.
    batches : iterable of tuple
        ``(P, e, w)``: angles at z = 0, what is left of the target, weights.
    signal, noise : float
        Of the block.

    Returns
    -------
    RidgeMoments
        The moments, as if every row were there with all its noise.
    """
    total, n, weight, first, second = None, 0, 0.0, 0.0, 0.0
    for P, e, w in batches:
        P = P + np.outer(signal * e, waves.rate)
        part = _sums(np.cos(P), np.sin(P), e, w)
        total = part if total is None else [a + b for a, b in zip(total, part)]  # noqa: B905
        n, weight = n + len(e), weight + w.sum()
        first, second = first + w @ e, second + w @ e**2
    CC, SS, C, _, eC, _ = total
    S, c, size = total[3], waves.rate * noise, waves.size
    damped = size * np.exp(-(c**2) / 2)
    near = np.exp(-((c[:, None] - c) ** 2) / 2)
    far = np.exp(-((c[:, None] + c) ** 2) / 2)
    gram = size**2 / 2 * ((CC + SS) * near + (CC - SS) * far)
    cross = damped * (noise**2 * eC + signal * noise * c * S)
    mean, y_mean = damped * C / weight, noise**2 * first / weight
    square = noise**2 * (noise**2 * second + signal**2 * weight)
    return RidgeMoments(
        weight,
        n,
        mean,
        np.array([y_mean]),
        gram - weight * np.outer(mean, mean),
        (cross - weight * mean * y_mean)[:, None],
        np.array([square - weight * y_mean**2]),
        True,
        np.finfo(float).eps,
    )


def left_out_errors(spectrum, terms, targets, w, alphas):
    """Return squared errors of rows that leave with their weight and all their noise.

    A row is the rows of its expansion (see `Waves.expansion`), which leave together.

    Parameters
    ----------
    spectrum : PrimalSpectrum
        Of the block's moments.
    terms : ndarray of shape (n, n_terms, k)
        Expansions of the rows.
    targets : ndarray of shape (n, n_terms)
        Expansions of their targets.
    w : ndarray of shape (n,)
        Their weights.
    alphas : ndarray of shape (n_alphas,)
        The ridges.

    Returns
    -------
    ndarray of shape (n_alphas, n)
        Mean squares over the noise.
    """
    moments, own = spectrum.moments, np.zeros(terms.shape[1])
    own[0] = 1.0  # the constant belongs to the first term alone
    Z = (terms - own[:, None] * moments.mean) @ spectrum.V
    targets = targets - own * moments.y_mean
    shrinkage = spectrum.shrinkage(alphas.tolist())  # (k, n_alphas)
    n, m, k = Z.shape
    fitted = Z.reshape(-1, k) @ (shrinkage * spectrum.c)
    residual = targets[:, :, None] - fitted.reshape(n, m, -1)
    upper = np.triu_indices(m)
    products = (Z[:, upper[0]] * Z[:, upper[1]]).reshape(-1, k) @ shrinkage
    products = w[:, None, None] * products.reshape(n, len(upper[0]), -1)
    remaining = np.empty((len(alphas), n, m, m))
    for place, (i, j) in enumerate(zip(*upper, strict=True)):
        own_share = w / moments.weight if i == j == 0 else 0.0
        entry = (i == j) - own_share - products[:, place].T
        remaining[:, :, i, j] = remaining[:, :, j, i] = entry
    left = np.linalg.solve(remaining, np.moveaxis(residual, 2, 0)[..., None])
    return (left[..., 0] ** 2).sum(axis=2)


def best(errors):
    """Return the first place of the least error, but for ties."""
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return int(np.argmax(errors <= errors.min() * (1 + TIE)))


@dataclass(frozen=True)
class Regression(ArrayHolder):
    """Ridge on a kernel at landmarks, and on the columns: the block that sees no z.

    The kernel is ``exp(-gamma sum_j |x_j - x'_j|)``, rough enough for steps in single
    columns; its features at m landmarks are those of its best approximation there.
    """

    landmarks: np.ndarray  # (m, d)
    gamma: float
    dual: np.ndarray  # (m,), coefficients of the kernel
    coef: np.ndarray  # (d,), of the columns
    intercept: float

    @classmethod
    def fit(cls, landmarks, gamma, X, y, w, alpha):
        """Fit, and return the residuals of rows that were left out."""
        within = cls.kernel(landmarks, landmarks, gamma)
        within[np.diag_indices_from(within)] += JITTER
        L = linalg.cholesky(within, lower=True)
        parts = [
            (cls.features(landmarks, gamma, L, X[rows]), y[rows, None], w[rows])
            for rows in batches(len(X))
        ]
        k = len(landmarks)
        if len(X) > k + X.shape[1]:
            copies = ((Phi.copy(), *rest) for Phi, *rest in parts)
            spectrum = PrimalSpectrum.of(RidgeMoments.of_batches(copies))
            alphas = _ridges(spectrum, alpha)
            left = spectrum.leave_one_out(alphas, parts)
        else:
            whole = (np.concatenate(part) for part in zip(*parts, strict=True))
            spectrum = DualSpectrum.of(CentredKernel.of_features(*whole))
            alphas = _ridges(spectrum, alpha)
            left = spectrum.leave_one_out(alphas)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = left[:, :, 0] ** 2 @ (w / w.sum())
        at = best(errors)
        coef, intercept = (part[..., 0] for part in spectrum.solve(alphas[at : at + 1]))
        dual = linalg.solve_triangular(L, coef[:k], lower=True, trans=1)
        rest = coef[k:] * cls.share(X)
        return cls(landmarks, gamma, dual, rest, float(intercept)), left[at, :, 0]

    @classmethod
    def features(cls, landmarks, gamma, L, X):
        """Return features whose products are the kernel's best approximation."""
        K = cls.kernel(landmarks, X, gamma)
        waves = linalg.solve_triangular(L, K, lower=True).T
        return np.concatenate([waves, X * cls.share(X)], axis=1)

    @staticmethod
    def kernel(A, B, gamma):
        """Return the kernel of two tables."""
        return np.exp(-gamma * cdist(A, B, "cityblock"))

    @staticmethod
    def share(X):
        """Return the size of the columns beside the kernel's features."""
        return COLUMNS / np.sqrt(X.shape[1])

    def predict(self, X):
        """Predict the target."""
        K = self.kernel(X, self.landmarks, self.gamma)
        return K @ self.dual + X @ self.coef + self.intercept


def _ridges(spectrum, alpha):
    unit = float(spectrum.e.sum()) / spectrum.n or 1.0
    return unit * (ALPHAS if alpha == "auto" else np.array([float(alpha)]))


@dataclass(frozen=True)
class Chain(ArrayHolder):
    """Columns and target on their scales, a regression, and the blocks after it."""

    x_mean: np.ndarray  # (d,)
    x_scale: np.ndarray  # (d,), zero for constant columns
    y_mean: float
    y_scale: float
    spread: float  # root mean square of what the regression leaves, of unit targets
    regression: Regression | None  # None: the caller predicts
    waves: Waves
    ratio: np.ndarray  # (n_blocks,)
    coef: np.ndarray  # (n_blocks, k)
    intercept: np.ndarray  # (n_blocks,)
    alphas: np.ndarray  # (n_blocks,), times the mean diagonal of the products
    gain: np.ndarray  # (n_blocks,), left-out error over that of a z alone

    def centre(self, X):
        """Predict by the regression alone."""
        X = standardised(X, self.x_mean, self.x_scale)
        return self.y_mean + self.y_scale * self.regression.predict(X)

    def deviations(self, X, z):
        """Return what normal values ``z`` become in each row, less the centre.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows.
        z : ndarray of shape (m,)
            Ascending values, as many below zero as above; those of a standard normal
            law give draws.

        Returns
        -------
        ndarray of shape (n, m)
            Ascending in each row.
        """
        P = self.waves.angles(standardised(X, self.x_mean, self.x_scale))
        C, S = np.cos(P) * self.waves.size, np.sin(P) * self.waves.size
        knots = np.linspace(-REACH, REACH, N_KNOTS)
        turn = np.outer(self.waves.rate, knots)
        tables = (np.cos(turn), np.sin(turn)), knots

        def posterior(t, z):
            return self._posterior(t, z, C, S, *tables)

        z = np.broadcast_to(z, (len(X), len(z)))
        return flow(z, self.ratio, posterior) * (self.spread * self.y_scale)

    def _posterior(self, t, z, C, S, turned, knots):
        """Return a block's prediction at values z of each row, and its slope in z."""
        signal, _ = signal_and_noise(self.ratio[t])
        (cos, sin), rate = turned, self.waves.rate
        A, B = C * self.coef[t], S * self.coef[t]
        values = A @ cos - B @ sin + self.intercept[t]
        slopes = -(A * rate) @ sin - (B * rate) @ cos
        added, slope = hermite(z, knots, values, slopes)
        return signal * z + added, signal + slope


def hermite(z, knots, values, slopes):
    """Interpolate each row's table by cubics; constant beyond the ends.

    Parameters
    ----------
    z : ndarray of shape (n, m)
        Where.
    knots : ndarray of shape (k,)
        Evenly spaced.
    values, slopes : ndarray of shape (n, k)
        At the knots.

    Returns
    -------
    value, slope : ndarray of shape (n, m)
        At z.
    """
    step = knots[1] - knots[0]
    at = np.clip((z - knots[0]) / step, 0, len(knots) - 1)
    left = np.minimum(at.astype(np.intp), len(knots) - 2)
    x = at - left
    (p, q), (dp, dq) = (
        (np.take_along_axis(T, left, 1), np.take_along_axis(T, left + 1, 1))
        for T in (values, slopes * step)
    )
    rise = q - p
    second, third = 3 * rise - 2 * dp - dq, dp + dq - 2 * rise
    inside = (z > knots[0]) & (z < knots[-1])
    slope = (dp + x * (2 * second + 3 * x * third)) / step
    return p + x * (dp + x * (second + x * third)), np.where(inside, slope, 0.0)


def flow(z, ratio, posterior):
    r"""Move normal values through the blocks, so that they become draws.

    The law of ``e`` given z is taken as normal, with the block's prediction m as its
    mean; its variance is ``(s^2 / a) dm/dz`` (Tweedie's formula), hence nothing is lost
    by predicting means. The next z has the law that this gives it, by a map that rises
    in z: whatever the number of blocks, a normal law comes out right, and order, hence
    quantiles, are kept.

    Parameters
    ----------
    z : ndarray of shape (n, m)
        Values of a standard normal law, ascending in each row from those below zero
        to as many above.
    ratio : ndarray of shape (n_blocks,)
        Noise over signal.
    posterior : callable
        ``posterior(t, z)`` returns the mean of ``e`` given z and its slope in z.

    Returns
    -------
    ndarray of shape (n, m)
        Values of ``e``, ascending.
    """
    signals, noises = signal_and_noise(np.append(ratio, 0.0))
    mean, slope = posterior(0, np.zeros((len(z), 1)))  # where the chain comes from
    step = (*_prior(np.zeros((len(z), 1)), mean, slope, signals[0]), z)
    for t, signal in enumerate(signals[:-1]):
        centre, square, unit = step
        z = signal * centre + np.sqrt(signal**2 * square + noises[t] ** 2) * unit
        z = rising(z)
        centre, square = _prior(z, *posterior(t, z), signal)
        spread = np.sqrt(signal**2 * square + noises[t] ** 2)
        step = centre, square, (z - signal * centre) / spread
    centre, square, unit = step
    return rising(centre + np.sqrt(square) * unit)


def rising(values):
    """Make rows ascend from the middle outwards, where most of the law is.

    What blocks say of the far ends, where they have seen nothing, changes the ends
    alone.
    """
    middle = values.shape[1] // 2
    upper = np.maximum.accumulate(values[:, middle:], axis=1)
    lower = np.minimum.accumulate(values[:, middle::-1], axis=1)
    return np.concatenate([lower[:, :0:-1], upper], axis=1)


def _prior(z, mean, slope, signal):
    """Return mean and variance of the normal law of e that give this posterior."""
    share = np.clip(signal * slope, FLAT, 1 - FLAT)
    centre = (mean - share / signal * z) / (1 - share)
    return centre, (1 - signal**2) / signal**2 * share / (1 - share)


def fit_chain(X, y, w, *, n_blocks, n_components, alpha, gamma, rng, left=None):
    """Fit a chain to distinct rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    y, w : ndarray of shape (n,)
        Targets and weights.
    n_blocks, n_components : int
        Blocks after the regression, and waves.
    alpha, gamma : float or "auto"
        Ridge and rate.
    rng : RandomState
        Of the waves.
    left : ndarray of shape (n,) or None, default=None
        What others leave of the target of rows that they have not seen; None fits the
        regression.

    Returns
    -------
    Chain
        The chain.
    """
    w = w / w.max()
    w = w / w.mean()
    x_mean, x_scale = mean_and_scale(X, w)
    y_mean, y_scale = (float(v[0]) for v in mean_and_scale(y[:, None], w))
    d = max(1, int((x_scale > 0).sum()))
    X = standardised(X, x_mean, x_scale)
    gamma = GAMMA / d if gamma == "auto" else gamma
    waves, ratio = (
        Waves.draw(X.shape[1], n_components, gamma, rng),
        noise_levels(n_blocks),
    )
    regression = None
    if left is None:
        u = standardised(y, y_mean, np.float64(y_scale))
        landmarks = X[: LANDMARKS * n_components]  # the order of rows is by chance
        regression, e = Regression.fit(landmarks, GAMMA_FIRST / d, X, u, w, alpha)
    else:
        e = left / (y_scale or 1.0)
    e = np.where(np.isfinite(e), e, 0.0)
    spread = float(np.sqrt((w / w.sum()) @ e**2))
    spread = spread if spread > CONSTANT else 0.0
    e = e / (spread or 1.0)
    blocks = fit_blocks(waves, X, e, w, ratio, alpha)
    scales = x_mean, x_scale, y_mean, y_scale, spread
    return Chain(*scales, regression, waves, ratio, *blocks)


def fit_blocks(waves, X, e, w, ratio, alpha):
    """Fit every block on its own; return their coefficients, ridges and gains."""
    held = slice(N_HELD)  # rows come in the order of a hash
    P, e_held, w_held = waves.angles(X[held]), e[held], w[held]
    found = []
    for signal, noise in zip(*signal_and_noise(ratio), strict=True):
        parts = ((waves.angles(X[rows]), e[rows], w[rows]) for rows in batches(len(X)))
        moments = expected_moments(waves, parts, signal, noise)
        spectrum = PrimalSpectrum.of(moments)
        targets = np.zeros((len(e_held), N_TERMS))
        targets[:, 0], targets[:, 1] = noise**2 * e_held, -signal * noise
        terms = waves.expansion(
            P + np.outer(signal * e_held, waves.rate), noise, N_TERMS
        )
        alphas = _ridges(spectrum, alpha)
        errors = left_out_errors(spectrum, terms, targets, w_held, alphas)
        errors = errors @ (w_held / w_held.sum())
        at = best(errors)
        coef, intercept = spectrum.solve(alphas[at : at + 1])
        alone = float(moments.y_square[0]) / moments.weight
        gain = errors[at] / alone if alone > 0 else 1.0
        unit = float(np.trace(moments.gram)) / moments.n or 1.0
        found.append((coef[:, 0], float(intercept[0]), alphas[at] / unit, gain))
    return tuple(np.array(column) for column in zip(*found, strict=True))
