"""The Rashomon set of ridge regression: an ellipsoid, and its share of a space."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.sparse import issparse
from scipy.special import logsumexp

from sklearn_ext._numerics._arrays import near_zero
from sklearn_ext.rashomon import _ratio
from sklearn_ext.rashomon._linear._halfspaces import random_directions
from sklearn_ext.rashomon._theory import log_ball


@dataclass(frozen=True)
class RidgeStatistics:
    """Centred sums of products that can be added.

    Parameters
    ----------
    weight : float
        Total weight of the rows.
    x_mean : ndarray of shape (n_features,)
        Weighted means.
    y_mean : float
        Weighted mean of the target.
    xx : ndarray of shape (n_features, n_features)
        Weighted sums of centred products.
    xy : ndarray of shape (n_features,)
        The same with the target.
    yy : float
        The same of the target with itself.
    """

    weight: float
    x_mean: np.ndarray
    y_mean: float
    xx: np.ndarray
    xy: np.ndarray
    yy: float

    @classmethod
    def of(cls, X, y, w):
        """Sum over rows, dense or sparse, in float64."""
        y, w = y.astype(np.float64), w.astype(np.float64)
        weight = float(w.sum())
        y_mean = float(w @ y) / weight
        if issparse(X):  # centring would make it dense: correct the products instead
            X, pivot = near_zero(X.astype(np.float64))
            mean = (X.T @ w) / weight
            xx = (X.T @ X.multiply(w[:, None]).tocsr()).toarray()
            xx -= weight * np.outer(mean, mean)
            x_mean, xy = pivot + mean, X.T @ (w * (y - y_mean))
        else:
            x_mean = (w @ X.astype(np.float64)) / weight
            away = X - x_mean
            weighted = away * w[:, None]
            xx, xy = weighted.T @ away, weighted.T @ (y - y_mean)
        return cls(weight, x_mean, y_mean, xx, xy, float(w @ (y - y_mean) ** 2))

    def __add__(self, other):
        weight = self.weight + other.weight
        share = other.weight / weight
        dx, dy = other.x_mean - self.x_mean, other.y_mean - self.y_mean
        both = self.weight * share
        return RidgeStatistics(
            weight,
            self.x_mean + share * dx,
            self.y_mean + share * dy,
            self.xx + other.xx + both * np.outer(dx, dx),
            self.xy + other.xy + both * dx * dy,
            self.yy + other.yy + both * dy**2,
        )

    def about_zero(self):
        """Undo the centring, for a model without intercept."""
        total, x, y = self.weight, self.x_mean, self.y_mean
        return RidgeStatistics(
            total,
            np.zeros_like(x),
            0.0,
            self.xx + total * np.outer(x, x),
            self.xy + total * y * x,
            self.yy + total * y**2,
        )


@dataclass(frozen=True)
class Ellipsoid:
    """The set ``{w : (w - centre)' A (w - centre) <= size}``.

    Parameters
    ----------
    centre : ndarray of shape (n_features,)
        The optimum.
    values : ndarray of shape (n_features,)
        Eigenvalues of A.
    vectors : ndarray of shape (n_features, n_features)
        Eigenvectors of A, in columns.
    size : float
        Slack of the objective.
    """

    centre: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    size: float

    @property
    def log_volume(self):
        """Logarithm of the volume."""
        if self.size <= 0:
            return -np.inf
        ball = log_ball(len(self.centre), np.sqrt(self.size))
        return ball - np.log(self.values).sum() / 2

    def draw(self, n, rng):
        """Draw points uniformly, by the symmetric root of the matrix.

        Signs of eigenvectors do not change it.
        """
        points = unit_ball(n, len(self.centre), rng)
        stretch = np.sqrt(max(self.size, 0.0) / self.values)
        return self.centre + points @ (self.vectors * stretch) @ self.vectors.T

    def holds(self, points):
        """Say which points, in rows, are inside."""
        turned = (points - self.centre) @ self.vectors
        return (turned**2) @ self.values <= self.size

    def largest_in_ball(self, radius):
        """Largest value of the quadratic form in a ball around zero."""
        turned = self.vectors.T @ self.centre
        line = -2 * radius * self.values * turned
        high = quadratic_range(np.diag(radius**2 * self.values), line)[1]
        return high + self.values @ turned**2

    def half_widths(self, directions):
        """Half the range of linear functionals, given in rows."""
        turned = directions @ self.vectors
        return np.sqrt(max(self.size, 0.0) * (turned**2 / self.values).sum(axis=1))


def unit_ball(n, p, rng):
    """Draw points uniformly from the unit ball."""
    return random_directions(n, p, rng) * rng.random((n, 1)) ** (1 / p)


def solve_ridge(statistics, alpha):
    """Optimum, smallest objective and eigen-decomposition of ridge regression.

    Parameters
    ----------
    statistics : RidgeStatistics
        Sums over the rows.
    alpha : float
        Penalty.

    Returns
    -------
    centre : ndarray of shape (n_features,)
        Coefficients.
    best : float
        Smallest penalised sum of squares.
    values, vectors : ndarray
        Eigenvalues and eigenvectors of ``X'WX + alpha I``.
    """
    values, vectors = linalg.eigh(statistics.xx)
    top = max(values.max(initial=0.0), 0.0)
    values = np.maximum(values, 0.0)
    if alpha == 0 and values.min(initial=np.inf) <= 1e-12 * top:
        raise ValueError(
            "The Rashomon set has infinite volume: alpha=0 and the columns of X are "
            "linearly dependent. Use alpha > 0."
        )
    values = values + alpha
    turned = vectors.T @ statistics.xy
    centre = vectors @ (turned / values)
    best = float(statistics.yy - turned @ (turned / values))  # squares may overflow
    return centre, max(best, 0.0), values, vectors


def ellipsoid_share(ellipsoid, space, *, held=False, n_draws, confidence_level, rng):
    """Logarithm of the share of a space that the ellipsoid fills.

    Parameters
    ----------
    ellipsoid : Ellipsoid
        The Rashomon set before the space cuts it.
    space : CoefficientSpace
        Of as many coefficients.
    held : bool, default=False
        Whether the ball or the box is known to hold the whole ellipsoid.
    n_draws : int
        Draws where sampling is needed.
    confidence_level : float
        Coverage of the interval of a sampled share.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    RatioEstimate
        Exact when the ball or the box holds the whole ellipsoid.
    """
    if ellipsoid.size <= 0:
        return _ratio.exactly(-np.inf)
    if space.kind == "gaussian":
        return _gaussian_share(ellipsoid, space.scale, n_draws, confidence_level, rng)
    p, radius, ball = space.n_dims, space.radius, space.kind == "ball"
    if ball:
        log_space = log_ball(p, radius)
        reach = np.sqrt(ellipsoid.size / ellipsoid.values.min())
        whole = np.linalg.norm(ellipsoid.centre) + reach <= radius
    else:
        log_space = p * np.log(2 * radius)
        ends = abs(ellipsoid.centre) + ellipsoid.half_widths(np.eye(p))
        whole = (ends <= radius).all()
    log_ratio = ellipsoid.log_volume - log_space
    if held or whole:
        return _ratio.exactly(log_ratio)
    if log_ratio <= 0:  # draw from the smaller one: more of its points are in both
        points = ellipsoid.draw(n_draws, rng)
        norm = 2 if ball else np.inf
        inside = np.linalg.norm(points, ord=norm, axis=1) <= radius
    else:
        log_ratio = 0.0
        if ball and ellipsoid.largest_in_ball(radius) <= ellipsoid.size:
            return _ratio.exactly(0.0)
        cube = rng.uniform(-1, 1, (n_draws, p))
        points = unit_ball(n_draws, p, rng) if ball else cube
        inside = ellipsoid.holds(radius * points)
    return _ratio.counted(int(inside.sum()), n_draws, confidence_level, log_ratio)


def _gaussian_share(ellipsoid, scale, n_draws, confidence_level, rng):
    """Left tail of ``sum a (z + b)**2`` by exponentially tilted sampling."""
    a = ellipsoid.values * scale**2
    b = -(ellipsoid.vectors.T @ ellipsoid.centre) / scale
    tilt = tilt_of(a, b, ellipsoid.size)
    spread = 1 / (1 - 2 * a * tilt)
    z = rng.standard_normal((n_draws, len(a))) * np.sqrt(spread)
    z += 2 * a * tilt * b * spread
    q = ((z + b) ** 2) @ a
    log_terms = np.where(q <= ellipsoid.size, cumulants(a, b, tilt) - tilt * q, -np.inf)
    log_ratio = float(logsumexp(log_terms) - np.log(n_draws))
    ess = float(_ratio.effective_size(np.exp(log_terms - log_terms.max())))
    ends = _ratio.log_mean_interval(log_ratio, ess, n_draws, confidence_level)
    return _ratio.RatioEstimate(min(log_ratio, 0.0), *ends, "confidence", ess)


def cumulants(a, b, t):
    """Cumulant generating function of ``sum a (z + b)**2`` at t."""
    shrink = 1 - 2 * a * t
    return float((-0.5 * np.log(shrink) + a * b**2 * t / shrink).sum())


def tilt_of(a, b, target):
    """Non-positive t at which the tilted mean of the form is at most ``target``."""

    def excess(log_t):
        shrink = 1 + 2 * a * np.exp(log_t)
        return (a / shrink + a * b**2 / shrink**2).sum() - target

    if excess(-745.0) <= 0:
        return 0.0
    upper = np.log(len(a) / target + 1.0)
    while excess(upper) > 0:
        upper += 2.0
    return -float(np.exp(optimize.brentq(excess, -745.0, upper, xtol=1e-10)))


def quadratic_range(Q, g):
    """Range of ``v' Q v + g' v`` over the unit ball: trust-region subproblems.

    Parameters
    ----------
    Q : ndarray of shape (n_dims, n_dims)
        Symmetric matrix.
    g : ndarray of shape (n_dims,)
        Linear part.

    Returns
    -------
    low, high : float
        Extreme values.
    """
    return _ball_minimum(Q, g), -_ball_minimum(-Q, -g)


def _ball_minimum(Q, g):
    values, vectors = linalg.eigh(Q)
    turned = vectors.T @ g / 2
    floor = max(0.0, -values[0])

    def length(shift):
        return np.linalg.norm(turned / (values + shift))

    def value(v):
        return float(v @ (values * v) + 2 * turned @ v)

    scale = max(abs(values).max(), np.linalg.norm(turned), 1e-300)
    if values[0] > 0 and length(0.0) <= 1:
        return value(-turned / values)
    start = floor + 1e-12 * scale
    if length(start) <= 1:  # the hard case: move along the lowest direction
        flat = values + floor <= 1e-9 * scale
        v = np.where(flat, 0.0, -turned / np.where(flat, 1.0, values + floor))
        v[0] += np.sqrt(max(1 - v @ v, 0.0))
        return value(v)
    top = floor + np.linalg.norm(turned) + scale
    shift = optimize.brentq(lambda s: length(s) - 1, start, top, xtol=1e-14 * scale)
    return value(-turned / (values + shift))
