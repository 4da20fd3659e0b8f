r"""Ridge and curve by turns: ``y = g(phi'c)`` with an unknown curve g.

*Start*: the index ``t = phi'c`` is a ridge on the target, on its normal scores, or the
direction in which the spread of the features moves with the target's rank.
*Curve*: a spline through the index of rows that were left out, for a fitted index is
too close to its own targets. Without a constraint it is the natural spline that
minimises ``sum_i w_i (y_i - g(t_i))^2 + lam * integral g''^2``; one eigendecomposition
of the size of the knots serves every ``lam`` and all rows that are left out.
*Round*: with ``g`` linearised at ``t``, least squares of ``y - g(t) - g'(t)(phi'c -
t)`` are a ridge with weights ``g'(t)^2`` and response ``t + (y - g(t)) / g'(t)``; then
the curve again. All errors are of rows that were left out as wholes.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import linalg, optimize, stats
from scipy.interpolate import CubicSpline

from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    RidgeMoments,
)
from sklearn_ext.networks._hierarchical._model import Link, row_blocks

GRID = np.logspace(-5, 3, 25)  # ridges, times the mean diagonal of the weighted kernel
HELD = 1e-10  # what remains of a row that decides its own value
TIE = 1e-9  # of an error, within which the larger ridge, or smoother curve, is taken
LIGHT = 1e-15  # of the largest weight: such rows are as if they were absent
STEPS = (0.5, 0.2)  # shares of a round that are tried where it brought a loss
FLAT = 1e-3  # of the mean square slope, that each row has at least
SURE = 2.5  # standard errors of a gain that is believed; it is the best of some tries
PATIENCE = 2  # rounds without a gain
STEP = 0.01  # of the error: less is no gain
RACE = 2  # rounds after which two starts are compared
OPEN = 0.2  # of the variance: a start that leaves less has found the index
KEPT = 2**24  # cells of features up to which they are kept from round to round
RANK = 1e-6  # of the largest eigenvalue: directions of less are not looked at
FEWEST = 20  # distinct values of the index from which on a curve is fitted
SMOOTH = np.logspace(-8, 2, 21)  # penalties, times that which halves the broadest wave
SINGULAR = 1e-10  # penalty of the knots that no row is near, of the traces' quotient


@dataclass(frozen=True)
class WholeRows:
    """Distinct rows, with summed weights and mean targets; units are taken off."""

    X: np.ndarray  # (m, d)
    y: np.ndarray  # (m,), centred, of variance one
    scores: np.ndarray  # (m,), mean normal scores of the targets
    w: np.ndarray  # (m,), of mean one
    unit: float  # weight that stands for one
    center: float  # of the target
    scale: float
    spread: float  # share of the variance that no function of X explains

    @classmethod
    def of(cls, X, y, w):
        """Join rows that are equal in all columns of X."""
        top = w.max()
        kept = w > LIGHT * top
        X, y, w = X[kept], y[kept], w[kept] / top
        share = w / w.sum()
        size = np.abs(y).max() or 1.0
        z = y / size  # so that squares exist
        center = share @ z
        z = z - center
        far = np.abs(z).max()
        varies = far > 8 * np.finfo(np.float64).eps
        scale = far * np.sqrt(share @ (z / far) ** 2) if varies else 0.0
        z = z / scale if varies else np.zeros_like(z)
        rows = EqualRows.in_either_precision(X, w=w)

        def joined(column):
            sums = np.bincount(rows.group, weights=w * column, minlength=len(rows))
            return sums / rows.weight

        mean, unit = joined(z), rows.weight.mean()
        return cls(
            X=X[rows.first],
            y=mean,
            scores=joined(_normal_scores(y, share)),
            w=rows.weight / unit,
            unit=float(top * unit),
            center=float(size * center),
            scale=float(size * scale),
            spread=float(share @ (z - mean[rows.group]) ** 2),
        )

    def __len__(self):
        return len(self.y)

    @property
    def share(self):
        """Weights of sum one."""
        return self.w / self.w.sum()


def _normal_scores(y, share):
    """Return normal quantiles of the middle of each value's share; ties are equal."""
    _, place = np.unique(y, return_inverse=True)
    mass = np.bincount(place, weights=share)
    return stats.norm.ppf(np.cumsum(mass) - mass / 2)[place]


@dataclass(frozen=True)
class Stage:
    """An index with its curve, in units of the standardised target."""

    name: str  # "ridge", "link" or "refined"
    coef: np.ndarray  # (k,), of centred features
    intercept: float
    link: Link
    alpha: float
    error: float  # of rows left out, over the variance
    index: np.ndarray  # (m,), by slopes that have not seen the row
    residual: np.ndarray  # (m,), of rows left out


@dataclass(frozen=True)
class Problem:
    """Distinct rows, their features, and how to solve for an index and its curve."""

    rows: WholeRows
    features: object  # callable: some rows of X to centred features; has a length
    alphas: np.ndarray | None
    n_knots: int
    monotonic: bool

    def solve(self, max_iter, report):
        """Return the ridge and the stages of the best route after it.

        Parameters
        ----------
        max_iter : int
            Rounds of each route at most.
        report : callable
            Called with each round; afterwards its ``stopped`` says whether to go on.

        Returns
        -------
        list of Stage
            The ridge; then, where there is any, the first curve and the rounds.
        """
        starts = self._ridges(np.stack([self.rows.y, self.rows.scores], axis=1))
        first = starts[0]
        if not np.isfinite(first.error):
            return [self._constant()]
        bent = [stage for stage in map(self._bent, starts) if stage is not None]
        if not bent:
            return [first]
        best = min(bent, key=lambda stage: stage.error)
        route = self._route([best], min(max_iter, RACE), report)
        if max_iter and not self.monotonic and _least(route) > OPEN:
            other = self._spectral()
            if other is not None and other.error < _least(route):
                # its own curve is fitted to an index that has seen the targets
                other = self._route([other], min(max_iter, RACE), report)[1:]
                if _least(other) < _least(route):
                    route = other
        return [first, *self._route(route, max_iter, report)]

    @property
    def k(self):
        return len(self.features)

    def _constant(self):
        """Return the mean: one row alone, or one that outweighs all, tells no error."""
        rows, zeros = self.rows, np.zeros(self.k)
        mean = float(rows.share @ rows.y)
        index = np.full(len(rows), mean)
        error = float(rows.spread + rows.share @ (rows.y - mean) ** 2)
        return Stage(
            "ridge", zeros, mean, Link.identity(), np.inf, error, index, rows.y - mean
        )

    def _route(self, route, max_iter, report):
        """Return a route with further rounds, up to some that gained nothing."""
        route = list(route)
        while len(route) <= max_iter and not report.stopped:
            idle = len(route) - 1 - _last_gain(route)
            stage = self._refined(route[-1]) if idle < PATIENCE else None
            if stage is None:
                break
            route.append(stage)
            report(stage)
        return route

    def _blocks(self, copy=True):
        rows = self.rows
        if len(rows) * self.k <= KEPT:
            yield slice(None), self._all.copy() if copy else self._all
            return
        for at in row_blocks(len(rows), self.k):
            yield at, self.features(rows.X[at])

    @cached_property
    def _all(self):
        return self.features(self.rows.X)

    def _ridges(self, Y, w=None):
        """Return a ridge for each column of Y, and its index of rows left out.

        The index is that of slopes without the row, at the level of all rows: levels
        without a row move against its target and nothing else, hence a curve through
        them would find the target in a constant.
        """
        rows = self.rows
        w = rows.w if w is None else w
        share = w / w.sum()
        if not len(self.features):
            return [self._constant()] * Y.shape[1]
        spectrum, leverages = self._spectrum(Y, w)
        grid = spectrum.e.sum() / len(rows) * GRID
        grid = grid if grid[0] > 0 else np.ones(1)
        grid = grid if self.alphas is None else self.alphas
        leverage, fitted = leverages(spectrum.shrinkage(grid.tolist()))
        away = Y[:, None] - share @ Y - fitted  # (m, n_alphas, t)
        left = 1 - leverage - share[:, None]  # of a row's own say
        held = left <= HELD
        with np.errstate(over="ignore"):
            square = (away / np.where(held, 1.0, left)[:, :, None]) ** 2
            errors = np.tensordot(share, np.where(held[:, :, None], np.inf, square), 1)
        best = [np.flatnonzero(e <= e.min() * (1 + TIE))[-1] for e in errors.T]
        coef, intercept = spectrum.solve(grid[best])
        stages = []
        for j, i in enumerate(best):
            index = Y[:, j] - away[:, i, j] / np.maximum(1 - leverage[:, i], HELD)
            error = float(rows.spread + errors[i, j])
            residual = away[:, i, j] / np.where(held[:, i], np.nan, left[:, i])
            about = Link.identity(), float(grid[i]), error, index, residual
            stages.append(Stage("ridge", coef[:, j], float(intercept[j]), *about))
        return stages

    def _spectrum(self, Y, w):
        """Return a spectrum, and what gives leverages and fits for its shrinkage."""
        m, t = Y.shape

        def maps_of(kept):  # (n_directions, n_alphas * t)
            maps = kept[:, :, None] * spectrum.c[:, None]
            return maps.reshape(len(kept), kept.shape[1] * t)

        if len(self.rows) > self.k:
            batches = ((Phi, Y[at], w[at]) for at, Phi in self._blocks())
            spectrum = PrimalSpectrum.of(RidgeMoments.of_batches(batches))
            mean, V = spectrum.moments.mean, spectrum.V

            def leverages(W):
                maps, parts = maps_of(W), []
                for at, Phi in self._blocks(copy=False):
                    Z = (Phi - mean) @ V
                    parts.append((w[at, None] * ((Z * Z) @ W), Z @ maps))
                leverage, fitted = map(np.concatenate, zip(*parts, strict=True))
                return leverage, fitted.reshape(m, W.shape[1], t)

            return spectrum, leverages
        Phi = np.concatenate([Phi for _, Phi in self._blocks()])
        spectrum = DualSpectrum.of(CentredKernel.of_features(Phi, Y, w))
        U, root = spectrum.U, np.sqrt(w)[:, None]

        def leverages(W):
            kept = spectrum.e[:, None] * W
            fitted = U @ maps_of(kept) / root
            return (U * U) @ kept, fitted.reshape(m, W.shape[1], t)

        return spectrum, leverages

    def _bent(self, stage, name="link"):
        """Return a stage with the curve of its index, of mean square slope one."""
        rows = self.rows
        if not np.isfinite(stage.index).all():
            return None
        link, residual = fit_link(
            stage.index, rows.y, rows.w, self.n_knots, monotonic=self.monotonic
        )
        if link is None:
            return None
        slope = link.derivative(stage.index)
        size = float(np.sqrt(rows.share @ slope**2))
        if not np.isfinite(size) or size <= 0:
            return None
        away = rows.y - link(self._fitted(stage))
        if rows.share @ away**2 > rows.share @ residual**2:
            residual = away  # leaving a row out told its target: where slopes are zero
        error = rows.share @ residual**2
        return replace(
            stage,
            name=name,
            coef=size * stage.coef,
            intercept=size * stage.intercept,
            link=link.stretched(size),
            error=float(rows.spread + error),
            index=size * stage.index,
            residual=residual,
        )

    def _fitted(self, stage):
        """Return the index of the rows by slopes that have seen them."""
        parts = [Phi @ stage.coef for _, Phi in self._blocks(copy=False)]
        return np.concatenate(parts) + stage.intercept

    def _refined(self, stage):
        """Return the next round: the ridge of the linearised curve, and its curve."""
        rows, t = self.rows, stage.index
        slope = stage.link.derivative(t)
        pull = slope**2 + FLAT * (rows.share @ slope**2)
        response = t + slope * (rows.y - stage.link(t)) / pull
        (found,) = self._ridges(response[:, None], rows.w * pull)
        first = self._bent(found, "refined")
        for step in STEPS:  # where the line through the curve led too far
            if first is None or first.error <= stage.error:
                break
            parts = {
                name: step * getattr(found, name) + (1 - step) * getattr(stage, name)
                for name in ("coef", "intercept", "index")
            }
            part = self._bent(replace(found, **parts), "refined")
            if part is not None and part.error < stage.error:
                return part
        return first

    def _spectral(self):
        """Return a start for even curves: where the spread of features moves with y.

        The top eigenvector of ``sum_i s_i u_i u_i'``, for whitened features u and
        centred ranks s. Rows of high leverage, which would be eigenvectors of their
        own, count less.
        """
        rows = self.rows
        if len(rows) <= 2 * self.k:
            return None
        share, ranks = rows.share, stats.norm.cdf(rows.scores)
        ranks = ranks - share @ ranks
        moments = RidgeMoments.of_batches(
            (Phi, rows.y[at, None], share[at]) for at, Phi in self._blocks()
        )
        spectrum = PrimalSpectrum.of(moments)
        e, kept = spectrum.e, spectrum.e > max(RANK * spectrum.e[-1], 0.0)
        if not kept.any():
            return None
        white, spread = spectrum.V[:, kept] / np.sqrt(e[kept]), 0.0
        for at, Phi in self._blocks(copy=False):
            U = (Phi - moments.mean) @ white
            leverage = share[at] * (U * U).sum(axis=1)
            s = share[at] * ranks[at] * np.maximum(1 - leverage, 0.0)
            spread = spread + (U * s[:, None]).T @ U
        value, W = np.linalg.eigh(spread)
        top = -1 if value[-1] >= -value[0] else 0
        coef = white @ W[:, top]
        index = np.concatenate([Phi @ coef for _, Phi in self._blocks(copy=False)])
        if share @ (index * rows.y) < 0:
            coef, index = -coef, -index
        start = Stage("link", coef, 0.0, Link.identity(), 0.0, np.inf, index, index)
        return self._bent(start)


def _least(route):
    return min((stage.error for stage in route), default=np.inf)


def _last_gain(route):
    """Return the place of the last stage that bettered those before it."""
    place, best = 0, route[0].error
    for i, stage in enumerate(route):
        if stage.error < (1 - STEP) * best:
            place, best = i, stage.error
    return place


def choose(stages, share, min_gain):
    """Return the best stage, or the ridge where no curve is sure to better it.

    Squares of few rows may decide a mean of squares: a gain counts that exceeds
    `SURE` standard errors of the paired differences in squares, or in absolute values.
    """
    ridge = stages[0]
    errors = np.array([stage.error for stage in stages])
    best = stages[np.flatnonzero(errors <= errors.min() * (1 + TIE))[0]]
    if not best.error < (1 - min_gain) * ridge.error:
        return ridge
    for power in (2, 1):
        gains = np.abs(ridge.residual) ** power - np.abs(best.residual) ** power
        gain, m = share @ gains, len(share)
        error = np.sqrt(share**2 @ (gains - gain) ** 2 * m / (m - 1))
        if gain > SURE * error:
            return best
    return ridge


# --- the curve ------------------------------------------------------------------------


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
