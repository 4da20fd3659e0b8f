"""A curve through an index: a natural cubic spline, as smooth as rows left out like.

The curve is given by its values and slopes at knots; between them it is cubic, beyond
the last ones a straight line. Without a constraint it is the natural spline that
minimises ``sum_i w_i (y_i - g(t_i))^2 + lam * integral g''^2``; one eigendecomposition
of the size of the knots serves every ``lam`` and all rows that are left out.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.interpolate import CubicHermiteSpline, CubicSpline

FEWEST = 20  # distinct values of the index from which on a curve is fitted
SMOOTH = np.logspace(-8, 2, 21)  # penalties, times that which halves the broadest wave
SINGULAR = 1e-10  # penalty of the knots that no row is near, of the traces' quotient
TIE = 1e-9  # of an error, within which the smoother curve is taken
HELD = 1e-10  # what remains of a row that decides its own value


@dataclass(frozen=True)
class Link:
    """A curve: cubic between its knots, straight beyond them; without any ``g(t) = t``.

    Attributes
    ----------
    knots : ndarray of shape (n_knots,)
        Ascending values of the index.
    values : ndarray of shape (n_knots,)
        The curve there.
    slopes : ndarray of shape (n_knots,)
        Its slope there.
    """

    knots: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    @classmethod
    def identity(cls):
        """Return the curve that leaves the index as it is."""
        return cls(np.empty(0), np.empty(0), np.empty(0))

    def __call__(self, t):
        """Return the curve's values."""
        if not len(self.knots):
            return np.array(t, dtype=np.float64)
        inside = np.clip(t, self.knots[0], self.knots[-1])
        slope = np.where(t < inside, self.slopes[0], self.slopes[-1])
        cubic = self.values[0] + self.span * self.cubics(self.to_unit(inside))
        return cubic + (t - inside) * slope

    def derivative(self, t):
        """Return the curve's slopes."""
        if not len(self.knots):
            return np.ones(len(t))
        inside = np.clip(t, self.knots[0], self.knots[-1])
        return self.cubics(self.to_unit(inside), 1)

    @property
    def is_resolved(self):
        """Whether knots differ by more than the rounding of their unit."""
        eps = np.finfo(np.float64).eps * np.abs(self.knots).max(initial=0.0)
        return bool((np.diff(self.knots) > 4 * eps).all())

    @property
    def span(self):
        """Distance of the last knots; index and target share its unit."""
        return self.knots[-1] - self.knots[0]

    def to_unit(self, t):
        """Return where between the last knots an index lies, from 0 to 1."""
        return (t - self.knots[0]) / self.span

    @property
    def cubics(self):
        """The cubics on the unit interval: no power of a huge or tiny unit is taken."""
        rise = (self.values - self.values[0]) / self.span
        return CubicHermiteSpline(self.to_unit(self.knots), rise, self.slopes)

    def stretched(self, size):
        """Return the same curve for an index times a positive number."""
        return Link(size * self.knots, self.values, self.slopes / size)

    def rescaled(self, center, scale):
        """Return the curve in other units, which index and target share."""
        return Link(
            center + scale * self.knots, center + scale * self.values, self.slopes
        )


def fit_link(t, y, w, n_knots, *, monotonic=False):
    """Fit the curve whose rows left out err least.

    Parameters
    ----------
    t : ndarray of shape (n,)
        The index, of rows that are left out as wholes.
    y : ndarray of shape (n,)
        Targets.
    w : ndarray of shape (n,)
        Positive weights.
    n_knots : int
        Knots at most.
    monotonic : bool, default=False
        Whether the curve may not fall.

    Returns
    -------
    link : Link or None
        The curve; None where the index has too few distinct values, or no penalty
        leaves an error.
    residual : ndarray of shape (n,)
        Of each row by a curve that has not seen it.
    """
    knots = place_knots(t, w, n_knots)
    if knots is None:
        return None, np.full(len(t), np.inf)
    span = knots[-1] - knots[0]
    unit = (knots - knots[0]) / span  # penalties then have no units
    spline = CubicSpline(unit, np.eye(len(unit)), bc_type="natural")
    root = np.sqrt(w / w.sum())
    A = spline((t - knots[0]) / span) * root[:, None]  # the index lies between knots
    b = root * y
    waves = _Waves.of(A, _curvature(unit))
    errors = np.array([_square(waves.left_out(b, lam)) for lam in waves.grid])
    if not np.isfinite(errors.min()):
        return None, np.full(len(t), np.inf)
    lam = waves.grid[np.flatnonzero(errors <= errors.min() * (1 + TIE))[-1]]
    if not monotonic:
        values = waves.back @ waves.fitted(b, lam)
        link = Link(knots, values, spline(unit, 1) @ values / span)
        return link, waves.left_out(b, lam) / root
    values = waves.rising(b, lam)
    slopes = _tamed(spline(unit, 1) @ values, np.diff(values) / np.diff(unit))
    link = Link(knots, values, slopes / span)
    remaining = 1 - waves.leverage(lam)  # the constraint leaves a row no more than that
    with np.errstate(divide="ignore"):
        return link, np.where(remaining > HELD, (y - link(t)) / remaining, np.inf)


def place_knots(t, w, n_knots):
    """Place half of the knots at quantiles, the others evenly between the extremes.

    Quantiles alone leave long tails without knots, an even grid leaves the bulk so.

    Returns
    -------
    ndarray or None
        Ascending; None where fewer than `FEWEST` values are distinct.
    """
    order = np.argsort(t, kind="stable")
    t, w = t[order], w[order]
    low, high = t[0], t[-1]
    apart = np.flatnonzero(np.diff(t) > 1e-12 * (high - low))
    if len(apart) + 1 < FEWEST:
        return None
    n_knots = min(n_knots, (len(apart) + 1) // 2)
    half = n_knots // 2
    share = (np.cumsum(w) - w / 2) / w.sum()
    quantiles = np.interp(np.linspace(0, 1, n_knots - half + 2)[1:-1], share, t)
    even = np.linspace(low, high, half)
    knots = np.unique(np.concatenate([[low, high], quantiles, even]))
    apart = np.diff(knots) > 1e-6 * (high - low)
    return np.append(knots[:-1][apart], high) if apart.any() else None


@dataclass(frozen=True)
class _Waves:
    """Values at knots turned so that fit and penalty are both diagonal."""

    back: np.ndarray  # (k, m), from waves to values at knots
    Q: np.ndarray  # (n, m), waves at the rows, times the roots of weights
    e: np.ndarray  # (m,), penalties of the waves, ascending from zero
    least: float  # penalty that is always there
    grid: np.ndarray

    @classmethod
    def of(cls, A, penalty):
        G = A.T @ A
        least = SINGULAR * np.trace(G) / np.trace(penalty)
        while True:  # many knots that few rows are near need more
            try:
                L = linalg.cholesky(G + least * penalty, lower=True)
                break
            except linalg.LinAlgError:
                least *= 100
        half = linalg.solve_triangular(L, penalty, lower=True)
        e, V = linalg.eigh(linalg.solve_triangular(L, half.T, lower=True))
        back = linalg.solve_triangular(L, V, lower=True, trans=1)
        e = np.maximum(e, 0.0)
        e[:2] = 0.0  # straight lines
        broadest = max(e[2], 1e-14 * e[-1]) if len(e) > 2 else 1.0
        grid = least + SMOOTH / broadest
        return cls(back, A @ back, e, least, grid)

    def kept(self, lam):
        """Return what a penalty leaves of each wave."""
        return 1 / (1 + (lam - self.least) * self.e)

    def fitted(self, b, lam):
        """Return the waves' coefficients."""
        return self.kept(lam) * (self.Q.T @ b)

    def leverage(self, lam):
        """Return the leverage of each row."""
        return self.Q**2 @ self.kept(lam)

    def left_out(self, b, lam):
        """Return residuals of rows left out, times the roots of weights."""
        remaining = 1 - self.leverage(lam)
        held = remaining <= HELD
        residual = b - self.Q @ self.fitted(b, lam)
        return np.where(held, np.inf, residual / np.where(held, 1.0, remaining))

    def rising(self, b, lam):
        """Return values at the knots that do not fall: least squares in their steps."""
        # the penalised squares are |c - fitted|^2 / kept, up to a constant
        root = np.sqrt(self.kept(lam))
        target = root * (self.Q.T @ b)
        steps = np.tril(np.ones((len(target), len(target))))
        M = linalg.solve(self.back, steps) / root[:, None]
        level, M = M[:, 0], M[:, 1:]  # the first value may have any sign
        unit = level / np.linalg.norm(level)
        up, _ = optimize.nnls(M - np.outer(unit, unit @ M), target)
        first = level @ (target - M @ up) / (level @ level)
        return steps @ np.append(first, up)


def _tamed(slopes, secants):
    """Return slopes with which cubics between rising values rise (Fritsch, Carlson)."""
    before, after = np.append(secants[0], secants), np.append(secants, secants[-1])
    return np.clip(slopes, 0.0, 3 * np.minimum(before, after))


def _curvature(knots):
    """Return the matrix of ``integral g''^2`` in the values at knots."""
    h, k = np.diff(knots), len(knots)
    Q = np.zeros((k, k - 2))
    inner = np.arange(k - 2)
    Q[inner, inner] = 1 / h[:-1]
    Q[inner + 1, inner] = -1 / h[:-1] - 1 / h[1:]
    Q[inner + 2, inner] = 1 / h[1:]
    R = np.diag((h[:-1] + h[1:]) / 3)
    R[inner[:-1], inner[1:]] = R[inner[1:], inner[:-1]] = h[1:-1] / 6
    return Q @ linalg.solve(R, Q.T, assume_a="pos")


def _square(residual):
    return float(residual @ residual)
