"""The game of a model against the worst mix of subgroups: smoothing and certificate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax, xlogy

from sklearn_ext._numerics._arrays import like, rounding, to_numpy
from sklearn_ext._numerics._lbfgs import Stopping, minimise
from sklearn_ext._numerics._logistic import Problem, duality_gap
from sklearn_ext._numerics._logistic._objective import EXPONENT, moments

FIRST, LAST, STEP = 3.0, 1e6, 3.2  # of the sharpness beta
POLISHED = 30.0  # sharpness from which a mix is foretold by slopes
EXACT = 1e-11  # decrease at which nothing is left to certify
INNER = 1e-6  # relative decrease at which a sharpness has done its work
NOTHING = 1e-9  # an objective beneath is zero: classes are separated, for no penalty
TRACE = 1e-6  # of every subgroup in a mix that is solved, so that no class vanishes


@dataclass(frozen=True)
class Game:
    """A prepared problem with the subgroup of each row and the shares within them."""

    problem: Problem
    C: float
    subgroup: np.ndarray  # (n_samples,), codes
    share: np.ndarray  # (n_samples,), weights that sum to one in each subgroup
    n_subgroups: int
    tau: float = 1.0  # of the comp-sum loss, at most one

    @property
    def plain(self):
        """The objective of all rows, which holds coordinates and penalty."""
        return self.problem.at(self.C, self.tau - 1)

    def losses(self, theta):
        """Mean loss of every subgroup."""
        Z = to_numpy(self.plain.scores(theta)).astype(np.float64)
        y = to_numpy(self.plain.y)
        if len(Z) == 1:
            lost = np.logaddexp(0, np.where(y == 1, -Z[0], Z[0]))
        else:
            lost = logsumexp(Z, axis=0) - Z[y, np.arange(len(y))]
        lost = self.share * comp_sum_of(lost, self.tau)
        return np.bincount(self.subgroup, lost, self.n_subgroups)

    def mix(self, q):
        """Return the objective of one mix of the subgroups: a logistic one."""
        plain = self.plain
        w = q[self.subgroup] * self.share
        prior = np.bincount(to_numpy(plain.y), w, minlength=len(plain.prior))
        return replace(plain, w=like(w, plain.X), prior=prior)

    def penalty_of(self, theta):
        """Penalty at a point."""
        W, _ = self.plain.split(theta)
        return 0.5 * self.plain.penalty * float((W * W).sum())

    def primal(self, theta):
        """Loss of the worst subgroup with the penalty."""
        return float(self.losses(theta).max()) + self.penalty_of(theta)

    def dual(self, q, theta, tol):
        """Solve a mix; no model does better against the worst subgroup than it.

        Parameters
        ----------
        q : ndarray of shape (n_subgroups,)
            The mix.
        theta : ndarray
            Where to start.
        tol : float
            Relative gap of the solution.

        Returns
        -------
        bound : float
            Certified minimum of the mix.
        theta : ndarray
            Its optimum.
        n_evaluations : int
            Passes over the rows.
        """
        q = (1 - TRACE) * q + TRACE / len(q)
        objective = self.mix(q)
        classes = class_sums_of(objective, objective.w) if self.tau == 1 else None

        def gap(theta, now):
            if self.tau == 1:
                return duality_gap(objective, theta, now, classes)
            return convex_gap(objective, theta, now)

        minimum = minimise(
            objective,
            theta,
            lambda vector, now: self.problem.preconditioner(
                vector, now.curvature, objective.penalty, objective
            ),
            lambda theta, now: gap(theta, now) * EXACT / tol,  # else it stops before
            Stopping(EXACT, 100),
            memory=20,
            noise=rounding(objective.X),
        )
        now = minimum.evaluation
        bound = now.value - gap(minimum.theta, now)
        return bound, minimum.theta, minimum.n_evaluations

    def multipliers(self, theta, q):
        """Return the mix whose minimum a quadratic model foretells to be largest.

        A step of the dual problem: with slopes of the subgroups as rows of S and P the
        inverse Hessian, ``q @ L - |q @ S + penalty W|^2 / 2`` in the norm of P is
        maximised over the simplex. It costs a pass for each subgroup.

        Parameters
        ----------
        theta : ndarray
            Near the optimum.
        q : ndarray of shape (n_subgroups,)
            A mix near the best one, whose curvature is taken.

        Returns
        -------
        ndarray of shape (n_subgroups,)
            The mix.
        """
        plain = self.plain
        curvature = self.mix(q)(theta).curvature
        W, b = plain.split(theta)
        pull = np.concatenate([(plain.penalty * to_numpy(W)).ravel(), np.zeros(len(b))])
        each = np.eye(self.n_subgroups)
        slopes = [to_numpy(self.mix(e)(theta).gradient) - pull for e in each]
        slopes = np.array(slopes)
        steps = [
            to_numpy(
                self.problem.preconditioner(
                    like(row, theta, theta.dtype), curvature, plain.penalty, plain
                )
            )
            for row in slopes
        ]
        A, c = slopes @ np.array(steps).T, np.array(steps) @ pull - self.losses(theta)
        return simplex_quadratic((A + A.T) / 2, c, q)


def comp_sum_of(lost, tau):
    """Turn log-losses into comp-sum losses with ``tau`` at most one, finite ones."""
    if tau == 1:
        return lost
    return np.expm1(np.minimum((1 - tau) * lost, EXPONENT)) / (1 - tau)


def class_sums_of(objective, w):
    """Weighted sums of the rows of each class in the coordinates of the objective."""
    found = moments(
        objective.X,
        objective.y,
        w,
        objective.mean,
        len(objective.prior),
        full=False,
    )
    if objective.basis is None:
        return found.classes
    return found.classes @ like(objective.basis, found.classes, found.classes.dtype).T


def convex_gap(objective, theta, now):
    """Bound the excess of a comp-sum objective with ``tau`` below one.

    The loss is ``h(c)``, increasing and convex, of the log-loss c with the softmax p.
    Its conjugate at ``s (p - e_y)`` is at most ``h*(s)`` plus s times the negative
    entropy of p, so that rows keep their weights ``s = p_y ** (tau - 1)`` while p is
    mixed with one constant vector, as `duality_gap` does, until intercepts feel no
    pull. Costs two passes over the rows.

    Parameters
    ----------
    objective : LogisticObjective
        With an exponent below zero.
    theta : array
        A point.
    now : Evaluation
        Of the objective there.

    Returns
    -------
    float
        The bound.
    """
    y, w = to_numpy(objective.y), to_numpy(objective.w).astype(np.float64)
    Z = to_numpy(objective.scores(theta)).astype(np.float64)
    Z = np.vstack([0 * Z, Z]) if len(Z) == 1 else Z
    logs = log_softmax(Z, axis=0)
    s = np.exp(np.minimum(objective.q * logs[y, np.arange(len(y))], EXPONENT))
    v = w * s
    entropy = float(v @ (np.exp(logs) * logs).sum(axis=0))
    of_weights = float(w @ (s * np.log(s) - s + 1)) / -objective.q
    total, K = v.sum(), len(Z)
    own = np.bincount(y, v, minlength=K)
    G, r = (to_numpy(part) for part in objective.split(now.gradient))
    W = to_numpy(objective.split(theta)[0])
    data = G - objective.penalty * W
    if len(r) == 1:
        r, data = np.vstack([-r, r])[:, 0], np.vstack([-data, data])
    excess = float((r / own).max())
    t = excess / (1 + excess) if objective.fit_intercept and excess > 0 else 0.0
    if t > 0:
        constant = np.maximum((own - r / excess) / total, 0)
        sums = to_numpy(class_sums_of(objective, like(v, objective.X)))
        away = np.outer(constant, sums.sum(axis=0)) - sums
        data = (1 - t) * data + t * away
        entropy = (1 - t) * entropy + t * total * float(xlogy(constant, constant).sum())
    data = data[1:] if len(W) == 1 else data
    dual = -of_weights - entropy - float((data * data).sum()) / (2 * objective.penalty)
    return max(now.value - dual, 0.0)


def simplex_quadratic(A, c, q, max_iter=2000):
    """Minimise ``q A q / 2 + c q`` over the simplex, by accelerated projections.

    Parameters
    ----------
    A : ndarray of shape (k, k)
        Positive semi-definite.
    c : ndarray of shape (k,)
        Linear part.
    q : ndarray of shape (k,)
        Where to start.
    max_iter : int, default=2000
        Steps.

    Returns
    -------
    ndarray of shape (k,)
        The minimiser.
    """
    length = 1 / max(float(np.linalg.norm(A, 2)), 1e-300)
    point, t = q, 1.0
    for _ in range(max_iter):
        new = onto_simplex(point - length * (A @ point + c))
        if (new - q) @ (point - new) > 0:  # the momentum leads uphill
            t, point = 1.0, q
            new = onto_simplex(point - length * (A @ point + c))
        if abs(new - q).max() < 1e-14:
            return new
        later = (1 + np.sqrt(1 + 4 * t * t)) / 2
        point, q, t = new + (t - 1) / later * (new - q), new, later
    return q


def onto_simplex(v):
    """Project a vector onto the simplex."""
    falling = np.sort(v)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(v) + 1)
    return np.maximum(v - excess[np.count_nonzero(falling > excess) - 1], 0)


class Smoothed(NamedTuple):
    """The smoothed worst case at one point."""

    value: float
    gradient: np.ndarray
    curvature: np.ndarray
    q: np.ndarray


@dataclass(frozen=True)
class SmoothedObjective:
    """``log mean exp(beta L) / beta`` of the losses of subgroups, with the penalty."""

    game: Game
    beta: float

    def __call__(self, theta):
        """Evaluate value and gradient: two products for scores, one for the slope."""
        losses = self.game.losses(theta)
        q = softmax(self.beta * losses) if self.beta else np.ones(len(losses))
        q = q / q.sum()
        now = self.game.mix(q)(theta)
        if self.beta:
            value = logsumexp(self.beta * losses) - np.log(len(losses))
            value = float(value) / self.beta
        else:
            value = float(losses.mean())
        value += self.game.penalty_of(theta)
        return Smoothed(value, now.gradient, now.curvature, q)


class Play(NamedTuple):
    """Where a game ended."""

    theta: np.ndarray
    q: np.ndarray
    objective: float
    lower_bound: float
    n_iter: int
    n_evaluations: int
    converged: bool
    interrupted: bool


def play(
    game: Game,
    *,
    beta: float = np.inf,
    tol: float = 1e-3,
    max_iter: int = 1000,
    report: Callable | None = None,
) -> Play:
    """Sharpen the smoothed worst case until its certificate is good enough.

    Parameters
    ----------
    game : Game
        Rows, subgroups and penalty.
    beta : float, default=inf
        Sharpness at which to end; infinity goes on until the gap is closed.
    tol : float, default=1e-3
        Gap relative to the objective.
    max_iter : int, default=1000
        Iterations at most.
    report : callable, optional
        Told a function that returns the coefficients; stops by True.

    Returns
    -------
    Play
        The best point, and the best bound with the mix that gives it.
    """
    problem, plain = game.problem, game.plain
    theta, sharpness = plain.start(), min(FIRST, beta)
    best, bound = (np.inf, theta), (0.0, None)  # no loss is negative
    n_iter = n_evaluations = 0
    while True:
        minimum = minimise(
            SmoothedObjective(game, sharpness),
            theta,
            lambda vector, now: problem.preconditioner(
                vector, now.curvature, plain.penalty, plain
            ),
            lambda theta, now: np.inf,
            Stopping(min(INNER, tol * 1e-3), max_iter - n_iter),
            memory=20,
            noise=rounding(plain.X),
            report=report
            and (lambda theta, now: report(lambda: problem.coefficients(theta))),
        )
        theta, q = minimum.theta, minimum.evaluation.q
        n_iter += minimum.n_iter
        n_evaluations += 2 * minimum.n_evaluations + 1
        best = min(best, (game.primal(theta), theta), key=lambda pair: pair[0])
        mixes = [q]
        if sharpness >= POLISHED:
            mixes.append(game.multipliers(best[1], q))
            n_evaluations += game.n_subgroups + 1
        for mix in mixes:
            lower, other, passes = game.dual(mix, theta, tol / 10)
            if lower > bound[0] or bound[1] is None:
                bound = max(float(lower), 0.0), mix
            best = min(best, (game.primal(other), other), key=lambda pair: pair[0])
            n_evaluations += passes + 1
        closed = best[0] - bound[0] <= tol * max(best[0], NOTHING)
        ended = sharpness >= min(beta, LAST)
        if np.isfinite(beta):
            converged = ended and minimum.converged
        else:
            converged, ended = closed, closed or ended
        if ended or minimum.interrupted or n_iter >= max_iter:
            break
        sharpness = min(STEP * sharpness, beta)
    if np.isfinite(beta):  # asked for this very point
        best, bound = (game.primal(theta), theta), (bound[0], q)
    return Play(
        best[1],
        bound[1],
        best[0],
        bound[0],
        n_iter,
        n_evaluations,
        bool(converged),
        minimum.interrupted,
    )
