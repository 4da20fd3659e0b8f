"""The share of a space of coefficients that a logistic Rashomon set fills."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from sklearn_ext.rashomon._linear._ellipsoids import unit_ball
from sklearn_ext.rashomon._linear._logistic_draws import log_ball
from sklearn_ext.rashomon._linear._logistic_sets import MAX_STEPS, ray_blocks
from sklearn_ext.rashomon._ratio import (
    ENOUGH,
    RatioEstimate,
    clopper_pearson,
    exactly,
    log_mean_interval,
)

PILOT = 100  # draws from the space that tell whether the set is a large part of it
LARGE = 0.1  # share from which they are better than draws from the set


@dataclass(frozen=True)
class CoefficientSpace:
    """A prior of the coefficients: uniform in a ball around zero, or normal.

    Parameters
    ----------
    n_dims : int
        Number of coefficients.
    radius : float or None
        Radius of the ball; None where the prior is normal.
    scale : float
        Standard deviation of the normal prior.
    holds_below : float
        The ball is known to hold every model with at most this loss.
    unit : ndarray of shape (n_dims,)
        What the problem's coefficients are multiplied by.
    """

    n_dims: int
    radius: float | None
    scale: float
    holds_below: float
    unit: np.ndarray

    def draw(self, n, rng):
        """Draw coefficients of the problem from the prior."""
        if self.radius is None:
            return self.scale * rng.standard_normal((n, self.n_dims)) / self.unit
        return self.radius * unit_ball(n, self.n_dims, rng) / self.unit

    def log_share(self, drawn, n_draws, rng, confidence_level):
        """Log mean density of the prior over a set, its interval and its ESS."""
        points = drawn.draw(n_draws, rng) * self.unit
        if self.radius is None:
            logs = -0.5 * ((points / self.scale) ** 2).sum(axis=1)
            logs -= self.n_dims * np.log(self.scale * np.sqrt(2 * np.pi))
            mean = float(logsumexp(logs) - np.log(n_draws))
            ess = np.exp(2 * logsumexp(logs) - logsumexp(2 * logs))
            half = -log_mean_interval(0.0, ess, n_draws, confidence_level)[0]
            return mean, mean - half, mean + half, float(ess)
        inside = np.linalg.norm(points, axis=1) <= self.radius
        logs = log_of_share(inside, confidence_level)
        return *(logs - log_ball(self.n_dims, self.radius)), float(inside.sum())


def log_of_share(inside, confidence_level):
    """Logarithms of a share and of Clopper and Pearson's interval of it."""
    ends = clopper_pearson(int(inside.sum()), len(inside), confidence_level)
    with np.errstate(divide="ignore"):
        return np.log([inside.mean(), *ends])


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
    space : CoefficientSpace
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
        return exactly(-np.inf), -np.inf
    threshold = problem.value(centre) + slack
    volume = drawn.log_volume + float(np.log(space.unit).sum())
    half = drawn.half_width(confidence_level)
    if space.radius is not None and threshold <= space.holds_below:
        log_share = low = high = -log_ball(space.n_dims, space.radius)
        ess = drawn.ess
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # a space far larger
            pilot = profiled_values(problem, space.draw(PILOT, rng)) <= threshold
        if pilot.mean() >= LARGE:
            inside = profiled_values(problem, space.draw(n_draws, rng)) <= threshold
            logs, ess = log_of_share(inside, confidence_level), float(inside.sum())
            estimate = _with_interval(*logs, ess)
            return estimate, volume
        log_share, low, high, ess = space.log_share(
            drawn, n_draws, rng, confidence_level
        )
    both = [np.hypot(half, end) for end in (log_share - low, high - log_share)]
    ends = volume + log_share - both[0], min(volume + log_share + both[1], 0.0)
    log_ratio, ess = min(volume + log_share, 0.0), min(ess, drawn.ess)
    return _with_interval(log_ratio, *ends, ess), volume


def _with_interval(log_ratio, low, high, ess):
    """Give an interval only where the draws bear one.

    With few effective draws, weights that were not seen may be larger than all others.
    """
    if ess < ENOUGH:
        return RatioEstimate(log_ratio, -np.inf, 0.0, "none", ess)
    return RatioEstimate(log_ratio, low, high, "confidence", ess)


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
