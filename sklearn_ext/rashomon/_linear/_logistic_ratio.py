"""The share of a space of coefficients that a logistic Rashomon set fills."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from sklearn_ext.rashomon import _ratio
from sklearn_ext.rashomon._linear._ellipsoids import unit_ball
from sklearn_ext.rashomon._linear._logistic_sets import MAX_STEPS, ray_blocks
from sklearn_ext.rashomon._theory import log_ball

PILOT = 100  # draws from the space that tell whether the set is a large part of it
LARGE = 0.1  # share from which they are better than draws from the set


@dataclass(frozen=True)
class ScaledSpace(_ratio.CoefficientSpace):
    """A space of coefficients, whose units are not those of a problem.

    Parameters
    ----------
    kind, n_dims, radius, scale
        As for :class:`CoefficientSpace`.
    holds_below : float
        A ball is known to hold every model with at most this loss.
    unit : ndarray of shape (n_dims,)
        What the problem's coefficients are multiplied by.
    """

    holds_below: float
    unit: np.ndarray

    def draw(self, n, rng):
        """Draw coefficients of the problem from the prior."""
        if self.kind == "gaussian":
            return self.scale * rng.standard_normal((n, self.n_dims)) / self.unit
        return self.radius * unit_ball(n, self.n_dims, rng) / self.unit

    def log_density(self, drawn, n_draws, rng, confidence_level):
        """Estimate the log mean density of the prior over a set."""
        points = drawn.draw(n_draws, rng) * self.unit
        if self.kind == "ball":
            hits = int((np.linalg.norm(points, axis=1) <= self.radius).sum())
            volume = log_ball(self.n_dims, self.radius)
            return _ratio.counted(hits, n_draws, confidence_level, -volume)
        logs = -0.5 * ((points / self.scale) ** 2).sum(axis=1)
        logs -= self.n_dims * np.log(self.scale * np.sqrt(2 * np.pi))
        mean = float(logsumexp(logs) - np.log(n_draws))
        ess = float(_ratio.effective_size(np.exp(logs - logs.max())))
        half = -_ratio.log_mean_interval(0.0, ess, n_draws, confidence_level)[0]
        return _ratio.RatioEstimate(mean, mean - half, mean + half, "confidence", ess)


def estimate_ratio(
    problem, centre, slack, drawn, space, *, n_draws, confidence_level, rng
):
    """Ratio and volume of the set within a threshold.

    The volume comes from rays or particles, and draws from the set measure the density
    of the prior there. Where the set is a tenth of the space or more, these draws may
    miss the bulk of the prior, so draws from the space are counted instead.

    Parameters
    ----------
    problem : LogisticProblem
        The objective.
    centre : ndarray of shape (n_dims,)
        Its minimum; the intercept, where there is one, is the last coordinate.
    slack : float
        Allowed excess.
    drawn : WeightedPoints or None
        Points of the set of coefficients; None where the slack is not positive.
    space : ScaledSpace
        The prior.
    n_draws : int
        Number of draws from the set or from the space.
    confidence_level : float
        Coverage of the interval.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    estimate : RatioEstimate
        The ratio.
    log_volume : float
        Logarithm of the volume of the set of coefficients.
    """
    if slack <= 0:
        return _ratio.exactly(-np.inf), -np.inf
    threshold = problem.value(centre) + slack
    volume = drawn.log_volume + float(np.log(space.unit).sum())
    if space.kind == "ball" and threshold <= space.holds_below:
        density = _ratio.exactly(-log_ball(space.n_dims, space.radius))
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # a space far larger
            pilot = profiled_values(problem, space.draw(PILOT, rng)) <= threshold
        if pilot.mean() >= LARGE:
            inside = profiled_values(problem, space.draw(n_draws, rng)) <= threshold
            found = _ratio.counted(int(inside.sum()), n_draws, confidence_level)
            return _with_interval(found), volume
        density = space.log_density(drawn, n_draws, rng, confidence_level)
    half, log_ratio = drawn.half_width(confidence_level), volume + density.log_ratio
    below, above = density.log_ratio - density.low, density.high - density.log_ratio
    found = _ratio.RatioEstimate(
        min(log_ratio, 0.0),
        log_ratio - np.hypot(half, below),
        min(log_ratio + np.hypot(half, above), 0.0),
        "confidence",
        np.fmin(density.ess, drawn.ess),
    )
    return _with_interval(found), volume


def _with_interval(found):
    """Give an interval only where the draws bear one.

    With few effective draws, weights that were not seen may be larger than all others.
    """
    if found.ess < _ratio.ENOUGH:
        return replace(found, low=-np.inf, high=0.0, kind="none")
    return found


def profiled_values(problem, coef):
    """Objective at coefficients in rows, with the best intercept where there is one.

    By bisection of the derivative, which has no trouble far from the optimum.
    """
    intercept = len(problem.penalty) > coef.shape[1]
    values = np.empty(len(coef))
    for part in ray_blocks(len(coef), len(problem.X)):
        if not intercept:
            values[part] = problem.value(coef[part])
            continue
        full = np.c_[coef[part], np.zeros(len(coef[part]))]
        fixed = full @ problem.X.T * problem.sign
        high = abs(fixed).max(axis=1) + 50.0
        low = -high
        for _ in range(MAX_STEPS):
            middle = (low + high) / 2
            first, _ = problem.slope(fixed + middle[:, None] * problem.sign)
            falls = first @ problem.sign < 0
            low, high = np.where(falls, middle, low), np.where(falls, high, middle)
        full[:, -1] = middle
        values[part] = problem.value(full)
    return values
