"""Uniform draws from logistic sets, and their volumes: rays, and tempered particles.

In coordinates where the Hessian at the optimum is the identity the set is nearly a
ball, so the distance to its surface along random directions varies little: its volume
is the mean of ``r**p``, and points drawn along rays with weight ``r**p`` are uniform.

In a hundred dimensions ``r**p`` varies so much that a handful of rays carry all weight:
rare levels of one-hot columns have long tails on one side. But the directions of the
density ``exp(-b (J - J*))`` with ``b = p / (2 slack)``, whose draws lie about the
surface, have nearly the law of the directions of the set: where the objective grows
quadratically along each ray, exactly. So particles are moved from the normal density
of the Hessian to this one, by steps of temperature and Hamiltonian moves, and what is
left is a weight of each direction that is close to one. Independent groups of particles
tell how much of that can be believed.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, stats
from scipy.special import logsumexp

from sklearn_ext.rashomon._linear._halfspaces import random_directions
from sklearn_ext.rashomon._linear._logistic_sets import (
    MAX_STEPS,
    ray_blocks,
    too_far,
)
from sklearn_ext.rashomon._ratio import effective_size, systematic
from sklearn_ext.rashomon._theory import log_ball

SHARE = 4  # one in so many rays must be effective; else as many particles are moved
GROUPS = 8  # independent groups of particles
FEWEST = 16  # particles of a group
KEPT = 0.5  # effective share of the particles that a step of temperature leaves
MOVES = 2  # Hamiltonian moves after each step
LENGTH = 1.6  # mean length of a move: a quarter of a turn in a normal density
LEAPS = 40  # steps of a move at most
ACCEPTED = 0.8  # share of moves at which the length of their steps is aimed
MAX_STAGES = 60
FAR = 5.0  # how many times too far a single coordinate of group means may scatter


@dataclass(frozen=True)
class WeightedPoints:
    """Points of a set; with their weights they are uniform in it.

    Parameters
    ----------
    points : ndarray of shape (n_groups, n_each, n_dims)
        Independent groups of points.
    log_weight : ndarray of shape (n_groups, n_each)
        Logarithms of weights, whose mean in each group estimates the volume.
    inflation : float, default=1.0
        How many times the means of groups scatter more than those of independent
        points would.
    """

    points: np.ndarray
    log_weight: np.ndarray
    inflation: float = 1.0

    @property
    def log_volume(self):
        """Logarithm of the volume."""
        return float(logsumexp(self.log_weight) - np.log(self.log_weight.size))

    @property
    def ess(self):
        """Effective number of draws, by weights and by the scatter of groups."""
        logs = self.log_weight
        size = effective_size(np.exp(logs - logs.max()).ravel())
        return float(size / self.inflation)

    def half_width(self, confidence_level):
        """Half the width of Student's interval of ``log_volume``, from the groups."""
        n_groups, n_each = self.log_weight.shape
        logs = logsumexp(self.log_weight, axis=1) - np.log(n_each)
        quantile = stats.t.ppf(0.5 + confidence_level / 2, n_groups - 1)
        return float(quantile * logs.std(ddof=1) / np.sqrt(n_groups))

    def draw(self, n, rng):
        """Draw points by their weights, systematically: few are drawn twice."""
        place = systematic(self.log_weight.ravel(), n, rng)
        points = self.points.reshape(self.log_weight.size, -1)
        return points[rng.permutation(place)]


def draw_set(problem, centre, slack, n_rays, n_draws, rng):
    """Draw points of the set along rays or, where few are effective, with particles.

    Parameters
    ----------
    problem : LogisticProblem
        The objective.
    centre : ndarray of shape (n_dims,)
        Its minimum.
    slack : float
        Allowed excess.
    n_rays : int
        Number of rays; of particles there are a quarter as many.
    n_draws : int
        Number of points at least.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    models : WeightedPoints or None
        The intercept is a coordinate like the others; None without a slack.
    coefs : WeightedPoints or None
        Points of the set of coefficients that have some intercept inside.
    method : {"rays", "tempering"}
        How they were found.
    """
    if slack <= 0:
        return None, None, "rays"
    models = coefs = cast_rays(problem, centre, slack, max(n_rays, n_draws), rng)
    if models.ess >= models.log_weight.size / SHARE:
        if problem.intercept:
            coefs = cast_rays(problem, centre, slack, n_rays, rng, profiled=True)
        return models, coefs, "rays"
    models = coefs = temper(problem, centre, slack, max(n_rays // SHARE, n_draws), rng)
    if problem.intercept:
        coefs = without_intercept(problem, centre, slack, models)
    return models, coefs, "tempering"


def cast_rays(problem, centre, slack, n_rays, rng, *, profiled=False):
    """Draw a point along each of at least ``n_rays`` rays, in independent groups.

    Where it is profiled, the intercept is the best one at each point, and the points
    are coefficients alone.
    """
    H, drift = problem.hessian(centre), None
    if profiled:
        H, across, curvature = H[:-1, :-1], H[:-1, -1], H[-1, -1]
        H = H - np.outer(across, across) / curvature
    p, (whiten, log_det) = len(H), whitener(H)
    directions = random_directions(-(-n_rays // GROUPS) * GROUPS, p, rng) @ whiten.T
    if profiled:
        drift = -directions @ across / curvature
    radius = surface_along(problem, centre, directions, slack, drift)
    logs = p * np.log(radius) + log_ball(p) - log_det / 2
    points = _points_along(centre[:p], directions, radius, rng)
    return WeightedPoints(points, logs.reshape(GROUPS, -1))


def _points_along(centre, directions, radius, rng):
    at = radius * rng.random(len(radius)) ** (1 / len(centre))
    return (centre + at[:, None] * directions).reshape(GROUPS, -1, len(centre))


def surface_along(problem, centre, directions, slack, drift=None):
    """Distances to the surface along given directions of whitened length one.

    With a ``drift`` of the intercept, by which it starts to move along each direction
    of the coefficients, the best intercept is found at each distance.
    """
    if drift is not None:
        directions = np.c_[directions, np.zeros(len(directions))]
    radius = np.empty(len(directions))
    for part in ray_blocks(len(directions), len(problem.X)):
        move = None if drift is None else drift[part]
        line = _along(problem, centre, directions[part])
        first = np.full(len(line[1]), np.sqrt(2 * slack))
        radius[part] = _crossing(problem, centre, slack, line, slack, first, move)
    return radius


def whitener(H):
    """Coordinates in which a Hessian is the identity, and its log determinant."""
    factor = linalg.cholesky(H, lower=True)
    whiten = linalg.solve_triangular(factor.T, np.eye(len(H)))
    return whiten, float(2 * np.log(np.diag(factor)).sum())


def _along(problem, centre, directions):
    """Margins at the optimum and their slopes; the quadratic of the penalty."""
    start = problem.X @ centre * problem.sign
    slope = directions @ problem.X.T * problem.sign
    linear = directions @ (problem.penalty * centre)
    square = (directions**2) @ problem.penalty
    return start, slope, linear, square


def _crossing(problem, centre, slack, line, room, r, drift=None):
    """Distances along lines inside the set of a slack, where all of a room is used.

    Newton's method along lines; convexity makes it converge from any start, and from
    beyond the end monotonically. The objective whose intercept is profiled out is
    convex too, and at the best intercept its derivative is the partial one.
    """
    start, slope, linear, square = line
    base = np.logaddexp(0, -start) @ problem.weight
    shift = None if drift is None else r * drift  # intercept minus its optimum
    for _ in range(MAX_STEPS):
        margin = start + r[:, None] * slope
        if drift is not None:
            shift, margin, first = _best_shift(problem, margin, shift)
        excess = np.logaddexp(0, -margin) @ problem.weight - base - room
        excess += r * linear + 0.5 * r**2 * square
        if (abs(excess) <= 1e-10 * slack).all():
            break
        if drift is None:
            first, _ = problem.slope(margin)
        rise = (first * slope).sum(axis=1) + linear + r * square
        flat = rise < 1e-100  # a plateau of no loss: walk out of it
        step = np.where(flat, 1 + r, -excess / np.where(flat, 1.0, rise))
        r, shift = r + step, None if drift is None else shift + step * drift
    if not ((r > 0) & (abs(excess) <= 1e-6 * slack)).all():
        raise too_far(problem, centre, slack)
    return r


def _best_shift(problem, fixed, shift):
    """Minimise the loss over the intercept, for margins without it."""
    for _ in range(MAX_STEPS):
        margin = fixed + shift[:, None] * problem.sign
        first, second = problem.slope(margin)
        gradient = (first * problem.sign).sum(axis=1)
        if (abs(gradient) <= 1e-8).all():
            break
        step = gradient / np.maximum(second.sum(axis=1), 1e-12)
        shift = shift - np.clip(step, -1.0, 1.0)
    return shift, margin, first


def temper(problem, centre, slack, n_draws, rng):
    """Draw points of the set from particles in independent groups.

    Parameters
    ----------
    problem : LogisticProblem
        The objective.
    centre : ndarray of shape (n_dims,)
        Its minimum.
    slack : float
        Allowed excess.
    n_draws : int
        Number of points at least.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    WeightedPoints
        Points and weights.
    """
    n_each = max(-(-n_draws // GROUPS), FEWEST)
    density = _Density(problem, centre, slack)
    p = len(centre)
    z, log_z, arrived = _particles(density, n_each, rng)
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    directions = u @ density.whiten.T
    radius = surface_along(problem, centre, directions, slack)
    logs = p * np.log(radius) - np.log(p)
    logs -= _log_radial(problem, centre, directions, radius, density.beta)
    log_unit = p / 2 * np.log(2 * np.pi / density.beta) - density.log_det / 2
    inflation = _inflation(z.reshape(GROUPS, n_each, p)) if arrived else np.inf
    return WeightedPoints(
        _points_along(centre, directions, radius, rng),
        logs.reshape(GROUPS, n_each) + log_z[:, None] + log_unit,
        inflation,
    )


def without_intercept(problem, centre, slack, drawn):
    """Points of the set of coefficients that have some intercept inside.

    Uniform points project to coefficients with a density in proportion to the range of
    intercepts inside the set, so they are weighed by its inverse.
    """
    points = drawn.points.reshape(drawn.log_weight.size, -1)
    limit, lengths = problem.value(centre) + slack, np.zeros(len(points))
    for part in ray_blocks(len(points), len(problem.X)):
        inside = points[part]
        fixed = inside @ problem.X.T * problem.sign
        _, margin, _ = _best_shift(problem, fixed, np.zeros(len(inside)))
        best = np.logaddexp(0, -margin) @ problem.weight
        room = limit - best - 0.5 * (inside**2) @ problem.penalty
        curvature = np.maximum(problem.slope(margin)[1].sum(axis=1), 1e-12)
        away = np.sqrt(2 * np.maximum(room, 0) / curvature)
        for side in (problem.sign, -problem.sign):
            line = margin, side, 0.0, 0.0
            lengths[part] += _crossing(problem, centre, slack, line, room, away)
    logs = drawn.log_weight - np.log(lengths).reshape(drawn.log_weight.shape)
    return WeightedPoints(drawn.points[..., :-1], logs, drawn.inflation)


class _Density:
    """The density ``exp(-b (J - J*))`` in coordinates where it is nearly normal."""

    def __init__(self, problem, centre, slack):
        self.problem = problem
        self.beta = len(centre) / (2 * slack)
        self.whiten, self.log_det = whitener(problem.hessian(centre))
        self.factor = self.whiten / np.sqrt(self.beta)
        self.start = problem.X @ centre * problem.sign
        self.linear = problem.penalty * centre
        self.base = problem.value(centre) - 0.5 * self.linear @ centre

    def at(self, z):
        """Minus the logarithm of the density and its gradient, at points in rows."""
        value, gradient = np.empty(len(z)), np.empty_like(z)
        for part in ray_blocks(len(z), len(self.problem.X)):
            value[part], gradient[part] = self._block(z[part])
        return self.beta * value, self.beta * gradient

    def _block(self, z):
        problem = self.problem
        away = z @ self.factor.T
        margin = self.start + (away @ problem.X.T) * problem.sign
        small = np.exp(-abs(margin))  # one exponential for the loss and its slope
        loss = np.maximum(-margin, 0) + np.log1p(small)
        wrong = np.where(margin > 0, small, 1.0) / (1 + small)
        value = loss @ problem.weight - self.base
        value += away @ self.linear + 0.5 * (away**2) @ problem.penalty
        gradient = (wrong * (-problem.weight * problem.sign)) @ problem.X
        gradient += self.linear + away * problem.penalty
        return value, gradient @ self.factor


def _particles(density, n_each, rng):
    """Particles of the density, and the logarithm of its integral by group.

    The integral grows by one factor for each step of temperature, estimated from the
    particles on both sides of it: with those of one side alone the long tails that the
    normal density lacks would be missed, and the volume be too small.
    """
    n, p = GROUPS * n_each, density.factor.shape[1]
    z = rng.standard_normal((n, p))
    value = density.at(z)
    heat, step, log_z = 0.0, 0.3, np.zeros(GROUPS)
    for _ in range(MAX_STAGES):
        gain = 0.5 * (z**2).sum(axis=1) - value[0]
        rise = _largest_rise(gain, 1 - heat)
        log_z += _log_means(0.5 * rise * gain, n_each)
        heat = min(heat + rise, 1.0)
        logs = (rise * gain).reshape(GROUPS, n_each)
        kept = [g * n_each + systematic(logs[g], n_each, rng) for g in range(GROUPS)]
        kept = np.concatenate(kept)
        z, value = z[kept], (value[0][kept], value[1][kept])
        for _ in range(MOVES):
            z, value, share = _move(density, z, value, heat, step, rng)
            step = min(step * np.exp(0.7 * (share - ACCEPTED)), 1.0)
        gain = 0.5 * (z**2).sum(axis=1) - value[0]
        log_z -= _log_means(-0.5 * rise * gain, n_each)
        if heat == 1:
            return z, log_z, True
    return z, log_z, False


def _largest_rise(gain, most):
    """Raise the temperature as far as weights leave enough particles."""

    def spare(rise):
        terms = np.exp(rise * (gain - gain.max()))
        return effective_size(terms) - KEPT * len(gain)

    return most if spare(most) >= 0 else optimize.bisect(spare, 0.0, most)


def _log_means(logs, n_each):
    return logsumexp(logs.reshape(GROUPS, n_each), axis=1) - np.log(n_each)


def _move(density, z, value, heat, step, rng):
    """Move all particles along Hamiltonian paths; say what share arrived."""

    def slope(z, gradient):
        return (1 - heat) * z + heat * gradient

    def energy(z, level, speed):
        level = heat * level + 0.5 * (1 - heat) * (z**2).sum(axis=1)
        return level + 0.5 * (speed**2).sum(axis=1)

    level, gradient = value
    n_leaps = int(np.clip(round(LENGTH * rng.uniform(0.5, 1.5) / step), 1, LEAPS))
    speed = rng.standard_normal(z.shape)
    before = energy(z, level, speed)
    moved, to_level, to_gradient = z, level, gradient
    for _ in range(n_leaps):
        speed = speed - 0.5 * step * slope(moved, to_gradient)
        moved = moved + step * speed
        to_level, to_gradient = density.at(moved)
        speed = speed - 0.5 * step * slope(moved, to_gradient)
    chance = np.exp(np.minimum(before - energy(moved, to_level, speed), 0.0))
    taken = rng.random(len(z)) < chance
    z = np.where(taken[:, None], moved, z)
    gradient = np.where(taken[:, None], to_gradient, gradient)
    return z, (np.where(taken, to_level, level), gradient), float(chance.mean())


def _log_radial(problem, centre, directions, radius, beta):
    """Logarithm of the integral of ``t**(p-1) exp(-b (J - J*))`` along rays.

    By the trapezoidal rule in the logarithm of t, where the integrand is nearly normal
    with a standard deviation from ``1 / sqrt(2 p)``, for quadratic growth, to
    ``1 / sqrt(p)`` for linear growth, which also doubles the excess at the mode.
    """
    p = len(centre)
    width = 1 / np.sqrt(2 * p)
    steps = width * np.arange(-7, int(10 + np.log(2) / width) + 1)
    logs = np.empty((len(directions), len(steps)))
    for part in ray_blocks(len(directions), len(problem.X)):
        start, slope, linear, square = _along(problem, centre, directions[part])
        base = problem.weight @ np.logaddexp(0, -start)
        for k, step in enumerate(steps):
            r = np.exp(step) * radius[part]
            loss = np.logaddexp(0, -start - r[:, None] * slope) @ problem.weight
            excess = loss - base + r * linear + 0.5 * r**2 * square
            logs[part, k] = p * np.log(r) - beta * excess
    return logsumexp(logs, axis=1) + np.log(width)


def _inflation(z):
    """Compare the scatter of group means with that of independent particles."""
    n_each = z.shape[1]
    ratio = n_each * z.mean(axis=1).var(axis=0, ddof=1)
    ratio /= z.var(axis=1).mean(axis=0)
    return max(float(ratio.mean()), float(ratio.max()) / FAR, 1.0)
