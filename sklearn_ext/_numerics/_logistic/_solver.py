"""Logistic regression from moments: prepare once, solve for one or many penalties."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    device_of,
    flat,
    float64,
    like,
    namespace,
    near_zero,
    rounding,
    to_numpy,
    widest,
)
from sklearn_ext._numerics._lbfgs import Minimum, Stopping, minimise
from sklearn_ext._numerics._logistic._objective import (
    LogisticObjective,
    Moments,
    Preconditioner,
    class_sums,
    column_means,
    discriminant,
    moments,
)

Array = Any  # of NumPy or torch

SPECTRAL_LIMIT = 4096  # an eigendecomposition beyond costs more than it saves
TURNED_ROWS = 4  # a feature: with fewer it is cheaper to turn rows than coefficients
TRIAL_ROWS = 4096
TRIAL_SCALES = (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 1.0, 1.5, 2.5)
PATIENCE = 1 / 6  # of stopping, where columns of unlike scales may bring plateaus
UNLIKE = 1e11  # ratio of variances at which rounding of the large ones hides the small
TRIAL_LENGTHS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 1.0)


@dataclass(frozen=True)
class Axes:
    """Orthonormal rows ``factor.T @ rows``; without a factor the rows themselves.

    Few data rows span their axes, whose product with the factor is never formed.
    """

    rows: Array  # (n, n_features), float64
    factor: Array | None = None  # (n, rank)

    def expand(self, W: Array) -> Array:
        """Turn coefficients of the axes to those of the features."""
        return (W if self.factor is None else W @ self.factor.T) @ self.rows

    def project(self, W: Array) -> Array:
        """Turn coefficients of the features to those of the axes."""
        W = W @ self.rows.T
        return W if self.factor is None else W @ self.factor


@dataclass(frozen=True)
class Problem:
    """Rows with all that does not depend on the penalty."""

    objective: LogisticObjective
    moments: Moments
    preconditioner: Preconditioner
    scales: Preconditioner  # the same, or the best that needs no correlations
    weight: float  # sum of the weights
    axes: Axes | None  # None where the features are their own
    mean: Array  # (n_features,), of the rows as given

    def at(self, C: float, q: float = 0.0) -> LogisticObjective:
        """Return the objective for one inverse penalty and exponent."""
        return replace(self.objective, penalty=1 / (C * self.weight), q=q)

    def coefficients(self, theta: Array) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients, in the dtype of the rows, and intercepts for rows as given.

        Intercepts are in float64, and of the coefficients after rounding: far from
        zero they have digits that a score must not miss.
        """
        W, b = self.objective.split(theta)
        W = W if self.axes is None else self.axes.expand(W)
        if len(W) > 1:
            W, b = W - W.mean(0), b - b.mean()
        W = like(W, self.objective.X)
        return to_numpy(W), to_numpy(b - float64(W) @ self.mean)

    def point(self, coef: np.ndarray, intercept: np.ndarray) -> Array:
        """Invert `coefficients`."""
        W, b = (like(part, self.mean) for part in (coef, intercept))
        W = W if len(W) == 1 else W - W.mean(0)
        b = b + W @ self.mean
        W = W if self.axes is None else self.axes.project(W)
        return flat(W, b)


@dataclass(frozen=True)
class Solution:
    """Coefficients for one penalty, and how good they are."""

    coef: np.ndarray  # (n_scores, n_features), in the dtype of the rows
    intercept: np.ndarray  # (n_scores,), float64
    objective: float
    gap_bound: float  # the objective exceeds its minimum by no more
    unbounded: bool  # no penalty, and the classes are separated
    minimum: Minimum


def prepare(
    X: Array,
    y: Array,
    weight: Array,
    n_classes: int,
    *,
    fit_intercept: bool = True,
    preconditioner: str | None = "auto",
    batch_size: int | None = None,
) -> Problem:
    """Compute moments and preconditioner.

    Parameters
    ----------
    X : array, tensor or CSR matrix of shape (n_samples, n_features)
        Rows, where the work is to be done.
    y : array of shape (n_samples,)
        Codes of the classes; each of them occurs.
    weight : ndarray of shape (n_samples,)
        Positive float64 weights.
    n_classes : int
        At least two.
    fit_intercept : bool
        Whether the scores have intercepts.
    preconditioner : {"auto", "gram", "diag"} or None
        What the second moment is reduced to.
    batch_size : int, optional
        Rows worked on at a time.

    Returns
    -------
    Problem
        What `solve` wants.
    """
    xp, total, pivot = namespace(X), float(weight.sum()), 0.0
    if sparse.issparse(X) and fit_intercept:
        X, pivot = near_zero(X)
    prior = np.bincount(to_numpy(y), weight, minlength=n_classes) / total
    y = like(y, X, xp.int64)
    w64 = like(weight / total, X, widest(X))
    w = like(w64, X)
    mean = column_means(X, w) if fit_intercept else _zeros(X)
    spectral = preconditioner in ("auto", "gram") and min(X.shape) <= SPECTRAL_LIMIT
    rows, centre, turn, axes, shift = X, mean, None, None, False
    reduced = None
    if spectral and X.shape[0] < X.shape[1] and not sparse.issparse(X):
        reduced = _reduce(X, w64, mean)
        spectral = reduced is not None
    if reduced is not None:
        rows, axes, values = reduced
        centre = 0 * values
        found = Moments(float64(class_sums(rows, y, w, n_classes)), values, True)
    else:
        mean = float64(like(mean, X))  # what is subtracted below, to the last digit
        full = spectral and X.shape[1] <= SPECTRAL_LIMIT
        found = moments(X, y, w, mean, n_classes, full=full)
        shift = _offset_cancels(X, mean, found.second)
        if full and _unlike(found.second.diagonal(), X, mean):
            found, full = Moments(found.classes, found.second.diagonal()), False
        if full:
            found, basis = found.turn()
            axes, turn = Axes(basis), like(basis, X)
            if X.shape[0] <= TURNED_ROWS * X.shape[1] and not sparse.issparse(X):
                rows, centre = (X - like(mean, X)) @ turn.T, 0 * mean
                turn, shift = None, False
    scales = values = found.second
    if axes is None:  # whose units may be anything: each column has a floor of its own
        most = float(scales.max()) or 1.0
        scales = values = namespace(scales).where(
            _varies(scales, X, mean), scales, most
        )
    if preconditioner is None:
        values = 0 * values + found.second.mean()
    objective = LogisticObjective(
        X=rows,
        y=y,
        w=w,
        mean=centre,
        basis=turn,
        prior=prior,
        penalty=np.nan,
        fit_intercept=fit_intercept,
        batch_size=batch_size or _batch_rows(rows, n_classes),
        shift=shift,
    )
    if axes is not None:  # a floor for directions in which the rows do not vary
        least = 1e-10 * (float(values.max()) or 1.0)
        scales, values = scales.clip(least), values.clip(least)
    return Problem(
        objective,
        found,
        Preconditioner(values),
        Preconditioner(scales),
        total,
        axes,
        mean + pivot,
    )


def solve(
    problem: Problem,
    C: float,
    *,
    q: float = 0.0,
    start: Array | None = None,
    tol: float = 1e-4,
    max_iter: int = 500,
    memory: int = 10,
    report: Callable | None = None,
) -> Solution:
    """Minimise for one inverse penalty.

    Parameters
    ----------
    problem : Problem
        Of `prepare`.
    C : float
        Inverse penalty; infinity for none.
    q : float, default=0.0
        Exponent of `LogisticObjective`; above zero the minimum is a local one.
    start : array, optional
        A flat point to start from; by default the discriminant, scaled.
    tol, max_iter, memory : float, int, int
        As `minimise` takes them.
    report : callable, optional
        Told a function that returns the current coefficients after each iteration;
        stops by True.

    Returns
    -------
    Solution
        Coefficients with a certificate.
    """
    objective = problem.at(C, q)
    start = first_point(problem, objective) if start is None else start
    smallest = float(objective.w.min())
    even = np.log(2) if q == 0 else -np.expm1(-q * np.log(2)) / q
    separated = even * smallest  # a lower loss has every row on its side
    unbounded = objective.penalty == 0
    minimum = minimise(
        objective,
        start,
        lambda vector, now: problem.preconditioner(
            vector, now.curvature, objective.penalty, objective
        ),
        lambda theta, now: duality_gap(objective, theta, now, problem.moments.classes),
        Stopping(
            tol,
            max_iter,
            floor=1e-4 * separated if unbounded else 0.0,
            patience=PATIENCE if problem.axes is None else 0.0,
            nothing=1e-12 if q == 0 else -np.inf,  # no row loses less than zero
        ),
        excess=lambda theta, now: _decrement(problem, objective, now),
        memory=memory,
        noise=rounding(objective.X),
        first_length=_first_length(objective),
        report=report
        and (lambda theta, now: report(lambda: problem.coefficients(theta))),
    )
    theta, now = minimum.theta, minimum.evaluation
    return Solution(
        *problem.coefficients(theta),
        now.value,
        duality_gap(objective, theta, now, problem.moments.classes),
        unbounded and now.loss < separated,
        minimum,
    )


def solve_path(problem: Problem, Cs, **params) -> list[Solution]:
    """Solve for every C, from the strongest penalty on; results in the given order.

    What the last prediction of a solution missed, the next one is likely to miss too:
    the error falls with the square of the step in ``log(C)``.
    """
    found: dict[int, Solution] = {}
    last, missed, before = None, 0.0, np.inf
    for at in np.argsort(Cs, kind="stable"):
        C, start = float(Cs[at]), None
        if last is not None:
            step = math.log(C) - math.log(Cs[last])
            share = min(step / before, 1.0) ** 2 if np.isfinite(step) else 0.0
            plain = _predict(problem, found[last], Cs[last], C)
            start = plain + share * missed
        found[at] = solve(problem, C, start=start, **params)
        if last is not None and step > 0:  # not a C that was there already
            missed, before = found[at].minimum.theta - plain, step
        last = at
    return [found[at] for at in range(len(Cs))]


def _predict(problem, solution, old, new):
    """Shrink a solution to where the curvature says that the next one lies."""
    now = solution.minimum.evaluation
    penalties = problem.at(old).penalty, problem.at(new).penalty
    return problem.preconditioner.shrink(
        solution.minimum.theta, now.curvature, *penalties, problem.objective
    )


def _decrement(problem, objective, now):
    """Estimate the excess over the minimum from the curvature of each column."""
    step = problem.scales(now.gradient, now.curvature, objective.penalty, objective)
    return 0.5 * float(now.gradient @ step)


def first_point(problem: Problem, objective: LogisticObjective) -> Array:
    """Return the prior plus the discriminant, scaled by what fits some rows best."""
    origin = objective.start()
    away = discriminant(objective, problem.moments)
    return origin + _best_scale(_trial(objective), origin, away, TRIAL_SCALES) * away


def _first_length(objective):
    """Try the first step on some rows: without pairs its length is unknown.

    With few rows that is no cheaper than to try it on all.
    """
    if objective.X.shape[0] < 2 * TRIAL_ROWS:
        return None
    trial = _trial(objective)
    return lambda theta, step: _best_scale(trial, theta, step, TRIAL_LENGTHS)


def _trial(objective):
    """Return the same objective for a part of the rows."""
    few = slice(None, None, -(-objective.X.shape[0] // TRIAL_ROWS))
    return replace(
        objective, X=objective.X[few], y=objective.y[few], w=objective.w[few]
    )


def _best_scale(trial, base, step, scales):
    """Return the scale of the step that the trial rows like best, zero included."""
    start, away = trial.scores(base), trial.scores(base + step)
    away -= start
    losses = {
        scale: trial.value_of(start + scale * away, base + scale * step)
        for scale in (0.0, *scales)
    }
    return min(losses, key=losses.get)


def duality_gap(objective, theta, now, class_sums) -> float:
    """Bound the excess of the objective over its minimum, at no cost in rows.

    The probabilities at theta, mixed with one constant vector q just enough to have
    the right class frequencies, are feasible for the dual problem. Where the
    intercepts are optimal this is the squared gradient over twice the penalty. With
    another exponent than zero there is no such bound: NaN.
    """
    lam = objective.penalty
    if objective.q != 0:
        return np.nan
    if lam == 0:
        return np.inf
    G, r = objective.split(now.gradient)
    _, b = objective.split(theta)
    W, _ = objective.split(theta)
    bound = float((G * G).sum()) / (2 * lam)
    r, b = to_numpy(r), to_numpy(b)
    rest = np.array([-r[0], r[0]]) if len(r) == 1 else r
    excess = float((rest / objective.prior).max())
    if not objective.fit_intercept or excess <= 0:
        return bound
    t = excess / (1 + excess)
    q = np.maximum(objective.prior - rest / excess, 0)
    entropy = -float(np.sum(q * np.log(np.maximum(q, 1e-300))))
    data = G - lam * W
    v = data + (class_sums[1:] if len(r) == 1 else class_sums)
    fit, pull = float((data * W).sum()), float((data * v).sum())
    bound += float(r @ b) + t * (now.loss - fit - float(r @ b) - entropy)
    bound += (t * t * float((v * v).sum()) - 2 * t * pull) / (2 * lam)
    return max(bound, 0.0)


def _zeros(X):
    return like(np.zeros(X.shape[1]), X, widest(X))


def _reduce(X, w, mean):
    """Coordinates of few rows in the space that they span: exact for an L2 penalty.

    None where columns in large units would hide the others in rounding.
    """
    root = (w**0.5)[:, None]
    B = namespace(X).astype(X, mean.dtype, copy=True)
    B -= mean  # in place: fresh memory costs most here
    B *= root
    if _unlike((B * B).sum(0), X, mean):
        return None
    values, U = namespace(B).linalg.eigh(B @ B.T)
    keep = values > 1e-12 * float(values.max())
    keep[-1] = True  # equal rows leave one direction of length zero
    values, U = values[keep].clip(1e-300), U[:, keep]
    lengths = values**0.5
    return like(U * lengths / root, X), Axes(B, U / lengths), values


def _varies(variances, X, mean):
    """Whether a column varies by more than the rounding of its offset."""
    step = rounding(X) * abs(like(mean, variances))
    if sparse.issparse(X):  # from sums about zero, which cancel
        return variances > 8 * step * abs(mean)
    return variances > (8 * step) ** 2


def _unlike(variances, X, mean):
    """Whether columns are in units so unlike that their axes cannot be told."""
    varying = variances[_varies(variances, X, mean)]
    return len(varying) > 0 and float(varying.max()) > UNLIKE * float(varying.min())


def _offset_cancels(X, mean, second):
    """Whether the rows lie so far from zero that products lose their digits."""
    if sparse.issparse(X):
        return False
    variance = second.diagonal() if second.ndim == 2 else second
    spread = max(float(variance.mean()), 1e-300) ** 0.5
    return rounding(X) * float(abs(mean).max()) > 1e-5 * spread


def _batch_rows(X, n_classes):
    """Rows whose features and scores stay in a cache, more where that is no matter."""
    elements = 1 << (22 if str(device_of(X)) == "cpu" else 27)
    return int(np.clip(elements // (X.shape[1] + 2 * n_classes), 512, 1 << 18))
