"""The Rashomon set of penalised logistic regression, along rays from the optimum.

The set ``{w : J(w) <= J* + slack}`` is convex. In coordinates where the Hessian at the
optimum is the identity it is nearly a ball, so the distance to its surface along random
directions varies little: its volume is the mean of ``r**p``, and points drawn along
rays with weight ``r**p`` are uniform.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.special import expit, gammaln, logsumexp

from sklearn_ext.rashomon._intervals import log_mean_interval
from sklearn_ext.rashomon._sparse_rows import SparseRows, gram, grams

MAX_STEPS = 60
START = 1e-3  # share of the excess, or of the smallest loss, where hard maxima start
GROWTH = 1.5  # of the excess while they are followed; smaller after a failure
SLOWEST = 1.01
FLAT = 1e-14  # share of the trace that keeps a Hessian regular
BLOCK = 2**21  # entries of a table of rows by rays


@dataclass(frozen=True)
class LogisticProblem:
    """Mean log loss plus ``penalty / 2`` times squared coefficients.

    Parameters
    ----------
    X : ndarray or SparseRows of shape (n_samples, n_dims)
        Rows; a last column of ones is the intercept.
    sign : ndarray of shape (n_samples,)
        Classes as -1 and 1.
    weight : ndarray of shape (n_samples,)
        Weights with sum one.
    penalty : ndarray of shape (n_dims,)
        Penalty of each coordinate; zero for the intercept.
    """

    X: np.ndarray | SparseRows
    sign: np.ndarray
    weight: np.ndarray
    penalty: np.ndarray

    def value(self, w):
        """Objective at one point or at points in rows."""
        margin = np.atleast_2d(w) @ self.X.T * self.sign
        loss = np.logaddexp(0, -margin) @ self.weight
        loss = loss + 0.5 * (np.atleast_2d(w) ** 2) @ self.penalty
        return loss if np.ndim(w) == 2 else float(loss[0])

    def slope(self, margin):
        """Differentiate the weighted loss by the margin, once and twice."""
        wrong = expit(-margin)
        return -self.weight * wrong, self.weight * wrong * (1 - wrong)

    def gradient(self, w):
        """Gradient at points in rows."""
        first, _ = self.slope(w @ self.X.T * self.sign)
        return (first * self.sign) @ self.X + w * self.penalty

    def hessian(self, w):
        """Hessian at one point."""
        _, second = self.slope(self.X @ w * self.sign)
        return gram(self.X, second) + np.diag(self.penalty)


def minimize(problem, *, tol=1e-12):
    """Newton's method with halved steps.

    Raises
    ------
    ValueError
        When there is no minimum: classes are separable and nothing is penalised.
    """
    w = np.zeros(problem.X.shape[1])
    value = problem.value(w)
    for _ in range(MAX_STEPS):
        gradient = problem.gradient(w[None])[0]
        H = problem.hessian(w)
        step = linalg.solve(
            H + FLAT * np.trace(H) * np.eye(len(H)), gradient, assume_a="pos"
        )
        decrease = gradient @ step
        if decrease < tol * max(value, 1e-3):
            return w - step
        size = 1.0
        while size > 1e-8:
            trial = w - size * step
            found = problem.value(trial)
            if found <= value - 1e-4 * size * decrease:
                break
            size /= 2
        w, value = trial, found
        if value < 1e-7:
            break
    if problem.penalty.any():
        raise ValueError(
            "The penalty is too weak for features of this size: the minimum cannot be "
            "reached in floating point. Scale the features, or lower C."
        )
    raise ValueError(
        "The classes are separable and nothing is penalised, so the Rashomon set is "
        "unbounded. Use a finite C."
    )


@dataclass(frozen=True)
class Rays:
    """Directions from the optimum and the distances to the surface.

    Parameters
    ----------
    centre : ndarray of shape (n_dims,)
        The optimum.
    directions : ndarray of shape (n_rays, n_dims)
        Directions, scaled so that the Hessian is the identity.
    radius : ndarray of shape (n_rays,)
        Distance at which the objective exceeds its minimum by the slack.
    log_det : float
        Logarithm of the determinant of the Hessian.
    """

    centre: np.ndarray
    directions: np.ndarray
    radius: np.ndarray
    log_det: float

    @property
    def log_powers(self):
        """Logarithms of ``radius**p``."""
        return len(self.centre) * np.log(self.radius)

    @property
    def log_volume(self):
        """Logarithm of the volume."""
        p = len(self.centre)
        mean = logsumexp(self.log_powers) - np.log(len(self.radius))
        return float(log_ball(p) - self.log_det / 2 + mean)

    @property
    def ess(self):
        """Effective number of rays."""
        logs = self.log_powers
        return float(np.exp(2 * logsumexp(logs) - logsumexp(2 * logs)))

    def half_width(self, confidence_level):
        """Half the width of the interval of ``log_volume``."""
        n = len(self.radius)
        return -log_mean_interval(0.0, self.ess, n, confidence_level)[0]

    def draw(self, n, rng):
        """Draw points uniformly: rays by ``radius**p``, then along them."""
        share = np.exp(self.log_powers - self.log_powers.max())
        ray = rng.choice(len(share), size=n, p=share / share.sum())
        at = self.radius[ray] * rng.random(n) ** (1 / len(self.centre))
        return self.centre + at[:, None] * self.directions[ray]


def cast_rays(problem, centre, slack, n_rays, rng):
    """Find the surface of the set along random rays.

    Parameters
    ----------
    problem : LogisticProblem
        The objective.
    centre : ndarray of shape (n_dims,)
        Its minimum.
    slack : float
        Allowed excess.
    n_rays : int
        Number of rays.
    rng : numpy.random.Generator
        Source of directions.

    Returns
    -------
    Rays
        The intercept, where there is one, is a coordinate like the others.
    """
    whiten, log_det = whitener(problem.hessian(centre))
    directions = _sphere(n_rays, len(centre), rng) @ whiten.T
    radius = surface_along(problem, centre, directions, slack)
    return Rays(centre, directions, radius, log_det)


def surface_along(problem, centre, directions, slack):
    """Distances to the surface along given directions of whitened length one."""
    radius = np.empty(len(directions))
    for part in ray_blocks(len(directions), len(problem.X)):
        radius[part] = _surface(problem, centre, directions[part], slack)
    return radius


def excess_along(problem, centre, directions, radius, factors):
    """Excess of the objective at multiples of given distances along directions.

    Returns
    -------
    ndarray of shape (n_directions, n_factors)
        ``J(centre + factor * radius * direction) - J(centre)``.
    """
    excess = np.empty((len(directions), len(factors)))
    for part in ray_blocks(len(directions), len(problem.X)):
        start, slope, linear, square = _along(problem, centre, directions[part])
        base = problem.weight @ np.logaddexp(0, -start)
        for k, factor in enumerate(factors):
            r = factor * radius[part]
            loss = np.logaddexp(0, -start - r[:, None] * slope) @ problem.weight
            excess[part, k] = loss - base + r * linear + 0.5 * r**2 * square
    return excess


def chord_lengths(problem, centre, slack, points):
    """Lengths of the range of intercepts inside the set, for points inside."""
    limit = problem.value(centre) + slack
    lengths = np.empty(len(points))
    for part in ray_blocks(len(points), len(problem.X)):
        inside = points[part]
        penalty = 0.5 * (inside**2) @ problem.penalty
        fixed = inside @ problem.X.T * problem.sign
        shift, margin, _ = _best_shift(problem, fixed, np.zeros(len(inside)))
        best = np.logaddexp(0, -margin) @ problem.weight + penalty
        curvature = problem.slope(margin)[1].sum(axis=1)
        away = np.sqrt(2 * np.maximum(limit - best, 0) / curvature)
        ends = []
        for side in (1.0, -1.0):
            b = shift + side * away
            for _ in range(MAX_STEPS):  # convex: monotone from beyond the end
                margin = fixed + b[:, None] * problem.sign
                excess = np.logaddexp(0, -margin) @ problem.weight + penalty - limit
                if (abs(excess) <= 1e-9 * slack).all():
                    break
                b = b - excess / (problem.slope(margin)[0] @ problem.sign)
            ends.append(b)
        lengths[part] = ends[0] - ends[1]
    return lengths


def cast_profiled_rays(problem, centre, slack, n_rays, rng):
    """Find the surface when the intercept (the last coordinate) is profiled out.

    Parameters
    ----------
    problem, centre, slack, n_rays, rng
        As for :func:`cast_rays`.

    Returns
    -------
    Rays
        Rays in the space of the coefficients.
    """
    H = problem.hessian(centre)
    schur = H[:-1, :-1] - np.outer(H[:-1, -1], H[:-1, -1]) / H[-1, -1]
    whiten, log_det = whitener(schur)
    directions = _sphere(n_rays, len(centre) - 1, rng) @ whiten.T
    drift = -directions @ H[:-1, -1] / H[-1, -1]
    radius = np.empty(n_rays)
    for part in ray_blocks(n_rays, len(problem.X)):
        radius[part] = _profiled_surface(
            problem, centre, directions[part], drift[part], slack
        )
    return Rays(centre[:-1], directions, radius, log_det)


def whitener(H):
    """Coordinates in which a Hessian is the identity, and its log determinant."""
    factor = linalg.cholesky(H, lower=True)
    whiten = linalg.solve_triangular(factor.T, np.eye(len(H)))
    return whiten, float(2 * np.log(np.diag(factor)).sum())


def log_ball(p, radius=1.0):
    """Logarithm of the volume of a ball."""
    return p * np.log(radius) + p / 2 * np.log(np.pi) - gammaln(p / 2 + 1)


def _sphere(n, p, rng):
    u = rng.standard_normal((n, p))
    return u / np.linalg.norm(u, axis=1, keepdims=True)


def ray_blocks(n_rays, n_rows):
    """Slices of rays whose tables with all rows stay small."""
    step = max(BLOCK // n_rows, 1)
    return [slice(i, i + step) for i in range(0, n_rays, step)]


def _along(problem, centre, directions):
    """Margins at the optimum and their slopes; the quadratic of the penalty."""
    start = problem.X @ centre * problem.sign
    slope = directions @ problem.X.T * problem.sign
    linear = directions @ (problem.penalty * centre)
    square = (directions**2) @ problem.penalty
    return start, slope, linear, square


def _surface(problem, centre, directions, slack, tol=1e-10):
    """Newton's method along rays; convexity makes it converge from any start."""
    start, slope, linear, square = _along(problem, centre, directions)
    base = problem.weight @ np.logaddexp(0, -start)
    r = np.full(len(directions), np.sqrt(2 * slack))
    for _ in range(MAX_STEPS):
        margin = start + r[:, None] * slope
        excess = np.logaddexp(0, -margin) @ problem.weight - base - slack
        excess += r * linear + 0.5 * r**2 * square
        if (abs(excess) <= tol * slack).all():
            break
        first, _ = problem.slope(margin)
        r = r - excess / ((first * slope).sum(axis=1) + linear + r * square)
    return _on_surface(problem, centre, slack, r, excess)


def _profiled_surface(problem, centre, directions, drift, slack, tol=1e-10):
    """Newton's method for the distance, the best intercept being found each time.

    The profiled objective is convex along a ray, and at the best intercept its
    derivative is the partial one.
    """
    full = np.concatenate([directions, np.zeros((len(directions), 1))], axis=1)
    start, slope, linear, square = _along(problem, centre, full)
    base = problem.weight @ np.logaddexp(0, -start)
    r = np.full(len(directions), np.sqrt(2 * slack))
    shift = r * drift  # intercept minus its optimum
    for _ in range(MAX_STEPS):
        fixed = start + r[:, None] * slope
        shift, margin, first = _best_shift(problem, fixed, shift)
        excess = np.logaddexp(0, -margin) @ problem.weight - base - slack
        excess += r * linear + 0.5 * r**2 * square
        if (abs(excess) <= tol * slack).all():
            break
        step = -excess / ((first * slope).sum(axis=1) + linear + r * square)
        r, shift = r + step, shift + step * drift
    return _on_surface(problem, centre, slack, r, excess)


def _on_surface(problem, centre, slack, radius, excess):
    if not ((radius > 0) & (abs(excess) <= 1e-6 * slack)).all():
        raise _too_far(problem, centre, slack)
    return radius


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


def functional_maxima(problem, centre, slack, functionals, *, tol=1e-9):
    """Maximise linear functionals over the set, all at once.

    Newton's method on the conditions ``grad J = s / mu`` and ``J = J* + slack``, from
    the solution for the quadratic approximation; where that fails, the solution is
    followed from a small slack.

    Parameters
    ----------
    problem : LogisticProblem
        The objective.
    centre : ndarray of shape (n_dims,)
        Its minimum.
    slack : float
        Allowed excess.
    functionals : ndarray of shape (n_functionals, n_dims)
        One functional in each row.
    tol : float, default=1e-9
        Relative accuracy of the excess.

    Returns
    -------
    ndarray of shape (n_functionals,)
        The maxima.
    """
    out = np.empty(len(functionals))
    n, p = problem.X.shape
    step = max(BLOCK // (n + p * p), 1)
    for start in range(0, len(functionals), step):
        part = slice(start, start + step)
        out[part] = _maxima(problem, centre, slack, functionals[part], tol)
    return out


def _maxima(problem, centre, slack, s, tol):
    H = problem.hessian(centre)
    away = linalg.solve(H, s.T, assume_a="pos").T
    norm = np.sqrt((away * s).sum(axis=1))
    live = norm > 0
    best = s @ centre
    if slack <= 0 or not live.any():
        return best
    s, norm = s[live], norm[live]
    unit = away[live] / norm[:, None]
    start = _start(centre, slack, unit, norm)
    w, _, found = _climb(problem, centre, slack, s, *start, tol)
    hard = ~found
    if hard.any():
        w[hard] = _follow(problem, centre, slack, s[hard], unit[hard], norm[hard], tol)
    best[live] = (s * w).sum(axis=1)
    return best


def _start(centre, slack, unit, norm):
    """Solve the quadratic approximation; also 1 / mu, the gradient in units of s."""
    length = np.sqrt(2 * slack)
    return centre + length * unit, length / norm


def _follow(problem, centre, slack, s, unit, norm, tol):
    """Follow the maximisers from a small excess to the slack.

    Where classes are nearly separated, the quadratic approximation is no start for
    the whole slack, but the maximiser for a little less is.
    """
    top, growth = problem.value(centre), GROWTH
    reached = START * min(top, slack)
    at = _start(centre, reached, unit, norm)
    while reached < slack and growth > SLOWEST:
        following = min(growth * reached, slack)
        *trial, found = _climb(problem, centre, following, s, *at, tol)
        if found.all():
            at, reached = trial, following
        else:
            growth = np.sqrt(growth)
    if reached < slack:
        raise _too_far(problem, centre, slack)
    return at[0]


def _too_far(problem, centre, slack):
    top = problem.value(centre)
    return ValueError(
        f"A loss of {top + slack:.4g} is so far above the smallest one, {top:.4g}, "
        "that the set could not be measured. Lower theta, reference_loss or C."
    )


def _climb(problem, centre, slack, s, w, inverse, tol):
    """Newton's method from a start; also say where it found the maximiser."""
    top, eye = problem.value(centre), np.eye(len(centre))
    for _ in range(MAX_STEPS):
        margin = w @ problem.X.T * problem.sign
        first, second = problem.slope(margin)
        gradient = (first * problem.sign) @ problem.X + w * problem.penalty
        excess = problem.value(w) - top - slack
        rest = gradient - inverse[:, None] * s
        small = abs(rest).max(axis=1) <= tol * abs(gradient).max(axis=1) + 1e-15
        if (small & (abs(excess) <= tol * slack)).all():
            break
        hessians = grams(problem.X, second) + np.diag(problem.penalty)
        hessians += FLAT * np.trace(hessians, axis1=1, axis2=2)[:, None, None] * eye
        sides = np.stack([rest, s], axis=-1)
        solved = np.linalg.solve(hessians, sides)
        by_rest, by_s = solved[..., 0], solved[..., 1]
        # w moves by -by_rest + d * by_s; d makes the linearised excess vanish
        d = ((gradient * by_rest).sum(axis=1) - excess) / (gradient * by_s).sum(axis=1)
        move = -by_rest + d[:, None] * by_s
        length = np.sqrt(np.einsum("ij,ijk,ik->i", move, hessians, move))
        damp = np.minimum(1.0, 2 * np.sqrt(2 * slack) / np.maximum(length, 1e-300))
        w = w + damp[:, None] * move
        inverse = inverse + damp * d
    return w, inverse, (abs(excess) <= 1e-5 * slack + 1e-14) & (inverse > 0)
