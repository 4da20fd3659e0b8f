"""The sets of models within a slack of the best penalised logistic regression.

The objective, its minimum, and exact maxima of linear functionals over the convex set
``{w : J(w) <= J* + slack}``.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.special import expit

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.rashomon._linear._sparse_rows import SparseRows, gram, grams

MAX_STEPS = 60
START = 1e-3  # share of the excess, or of the smallest loss, where hard maxima start
GROWTH = 1.5  # of the excess while they are followed; smaller after a failure
SLOWEST = 1.01
ROUNDING = 1e-13  # share of the smallest loss that a slack must exceed to be measured
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
    intercept : bool, default=False
        Whether the last coordinate is an intercept.
    """

    X: np.ndarray | SparseRows
    sign: np.ndarray
    weight: np.ndarray
    penalty: np.ndarray
    intercept: bool = False

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
            "The penalty is too weak for features or weights of this size: the minimum "
            "cannot be reached in floating point. Scale the features, divide the "
            "weights, or lower C."
        )
    raise ValueError(
        "The classes are separable and nothing is penalised, so the Rashomon set is "
        "unbounded. Use a finite C, or scale the columns down."
    )


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
    for part in blocks(len(functionals), max(BLOCK // (n + p * p), 1)):
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
        raise too_far(problem, centre, slack)
    return at[0]


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


def ray_blocks(n_rays, n_rows):
    """Slices of rays whose tables with all rows stay small."""
    return blocks(n_rays, max(BLOCK // n_rows, 1))


def too_far(problem, centre, slack):
    """Say that the set of a slack could not be measured."""
    top = problem.value(centre)
    if slack <= ROUNDING * top:
        return ValueError(
            f"A slack of {slack:.3g} is within rounding of the smallest loss, "
            f"{top:.4g}, so that the set could not be measured. Raise theta."
        )
    return ValueError(
        f"A loss of {top + slack:.4g} is so far above the smallest one, {top:.4g}, "
        "that the set could not be measured. Lower theta, reference_loss or C."
    )
