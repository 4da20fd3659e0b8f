"""From two weighted samples to a mixture: starts, annealing, growing samples."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext._core._compat import array_api_compat
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext.bridge._fixed_point import (
    Fit,
    Problem,
    State,
    evaluate,
    gaussian_step,
    iterate,
)
from sklearn_ext.bridge._frames import array_namespace, features
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._rows import Moments, Rows, _raw_moments, expect
from sklearn_ext.bridge._sampling import like, on_host
from sklearn_ext.bridge._start import (
    CLOSE,
    first_components,
    principal_order,
    represent,
    systematic,
)

START_PASSES = 5  # after which the best of several starts goes on
ANNEAL = (30.0, 10.0, 3.0)  # multiples of epsilon, ten passes each
STAGES = ((5_000, 15), (50_000, 5))  # rows and passes before all rows are used
STAGED_FROM = 100_000


@dataclass(frozen=True)
class Options:
    """What the solver is told beside the data."""

    n_components: int
    epsilon: float
    covariance_type: str
    prior_strength: float = 20.0
    reg_covar: float = 1e-6
    n_init: int = 2
    init_params: str = "kmeans"
    max_iter: int = 300
    tol: float = 1e-5
    balance_iter: int = 8
    anneal: bool = False


@dataclass(frozen=True)
class Sample:
    """Weighted rows of one side."""

    X: object
    w: object

    @property
    def size(self):
        """How many rows these are worth, on whatever scale the weights are.

        Each counts for its weight relative to the mean, at most for one: a value that
        many rows share is one row, and a row of vanishing weight vanishes.
        """
        w = to_numpy(self.w)
        return float(np.minimum(w / w.mean(), 1).sum())

    def distinct(self):
        """Return each row once with its summed weight, in an order of values alone."""
        found = EqualRows.of(to_numpy(self.X), w=to_numpy(self.w))
        return replace(self.rows(found.first), w=like(found.weight, self.w))

    def rows(self, chosen):
        """Return some rows with their weights."""
        xp = array_namespace(self.X)
        index = xp.asarray(chosen, device=array_api_compat.device(self.X))
        return Sample(xp.take(self.X, index, axis=0), xp.take(self.w, index))

    def around(self, mean):
        """Return the rows relative to a mean."""
        return Sample(self.X - mean, self.w)

    def numpy(self):
        """Return both as float64 on the host."""
        return to_numpy(self.X), to_numpy(self.w)

    def take(self, rows):
        """Return some rows; each stands for an equal share of the weight."""
        part = self.rows(rows)
        return replace(part, w=part.w * 0 + 1)


def to_numpy(a):
    """Bring an array to the host, in float64."""
    return np.asarray(on_host(a), dtype=np.float64)


def weighted_mean(sample):
    """Return the weighted mean of the rows, exact where a column is constant."""
    xp = array_namespace(sample.X)
    return xp.astype(double_mean(sample), sample.X.dtype)


def double_mean(sample):
    """Return the weighted mean of the rows in float64, whatever their dtype."""
    xp = array_namespace(sample.X)
    first = sample.X[0, :]
    beyond = (sample.w / xp.sum(sample.w)) @ (sample.X - first)
    return xp.astype(first, xp.float64) + xp.astype(beyond, xp.float64)


def mean_variance(sample):
    """Return the variance of a feature, averaged over features."""
    xp = array_namespace(sample.X)
    w = sample.w / xp.sum(sample.w)
    X = sample.X - weighted_mean(sample)
    return float(xp.sum((X * X) * w[:, None])) / X.shape[1]


def problem_of(source, target, options):
    """Store both sides as the solver wants them."""
    kind = options.covariance_type
    floor = options.reg_covar * (mean_variance(source) + mean_variance(target)) / 2
    return Problem(
        Rows.of(source.X, source.w, kind, size=source.size),
        Rows.of(target.X, target.w, kind, size=target.size),
        kind,
        options.prior_strength,
        floor,
        options.balance_iter,
        min(1e-3, 100 * options.tol),
    )


def first_state(problem, target, rows, options, epsilon, rng):
    """Share the target among components and give each the whole source.

    ``rows`` are what :func:`represent` makes of the target.
    """
    xp, kind = array_namespace(target.X), options.covariance_type
    shares, centres = first_components(
        *rows, options.n_components, options.init_params, kind, rng
    )
    Y = rows[0]
    second = (Y * shares.sum(axis=0)[:, None]).T @ Y if kind == "tied" else None
    raw = _raw_moments(features(Y, kind), shares, kind)
    there = Moments.from_raw(raw, second, kind)
    if centres is not None:
        there = replace(there, mean=centres)
    device = array_api_compat.device(target.X)
    there = Moments(
        *(xp.asarray(a, device=device) for a in (there.mass, there.mean, there.spread))
    )
    K = there.mass.shape[0]
    alone = (xp.zeros_like(w)[None, :] for _, w in problem.source.blocks)
    _, all_rows = expect(alone, problem.source, kind)
    spread = all_rows.spread
    if kind != "tied":
        spread = xp.concat([spread] * K, axis=0)
    here = Moments(there.mass, there.mean * 0 + all_rows.mean, spread)
    ell = xp.log(there.mass)
    mixture = PotentialMixture(ell, there.mean, None, None, epsilon, kind)
    lightly = replace(problem, prior_strength=10.0)
    mixture = gaussian_step(lightly, State(mixture, here, there, np.inf))
    return evaluate(problem, mixture, there.mass)


def best_start(problem, target, options, epsilon, rng):
    """Make a few passes from each of several starts and keep the lowest loss."""
    n_init = 1 if options.n_components == 1 else options.n_init
    passes = min(START_PASSES, options.max_iter)
    rows, fits = represent(*target.numpy()), []
    for _ in range(n_init):
        state = first_state(problem, target, rows, options, epsilon, rng)
        if n_init == 1:
            return Fit(state, [], False, np.inf)
        fits.append(iterate(problem, state, max_iter=passes, tol=options.tol))
    best = min(fit.state.loss for fit in fits)
    # the first of those that rounding may order either way
    return next(f for f in fits if f.state.loss <= best + CLOSE * (1 + abs(best)))


def _at(problem, state, epsilon):
    """Restart at another epsilon or with other rows."""
    xp = array_namespace(state.target.mass)
    mass = state.target.mass / xp.sum(state.target.mass)
    return evaluate(problem, state.mixture.with_epsilon(epsilon), mass)


def start(problem, target, options, rng):
    """Return the first fit at the wanted epsilon, through larger ones if asked to."""
    eps = options.epsilon
    if not options.anneal:
        return best_start(problem, target, options, eps, rng)
    levels = [factor * eps for factor in ANNEAL]
    state = best_start(problem, target, options, levels[0], rng).state
    for level in levels:
        state = _at(problem, state, level)
        state = iterate(problem, state, max_iter=10, tol=options.tol).state
    return Fit(_at(problem, state, eps), [], False, np.inf)


def solve(source, target, options, rng, *, mixture=None, report=lambda state: False):
    """Fit a mixture to two centred samples.

    Parameters
    ----------
    source, target : Sample
        Centred rows with weights.
    options : Options
        Parameters of model and solver.
    rng : RandomState or Generator
        Source of the starts.
    mixture : PotentialMixture or None, default=None
        Where to start; None chooses.
    report : callable
        Called with the state after each pass; returns True to stop.

    Returns
    -------
    fit : Fit
        The last state and the losses on all rows, before a shift by the means.
    n_iter : int
        Passes made, those on parts of the rows included.
    """
    parts = [(source, target, options.max_iter)]
    if mixture is None:
        parts = growing_parts(source, target) + parts
    n_iter, fit = 0, None
    for *sides, passes in parts:
        problem = problem_of(*sides, options)
        if fit is not None:
            first = Fit(_at(problem, fit.state, options.epsilon), [], False, np.inf)
        elif mixture is not None:
            first = Fit(warm_state(problem, mixture), [], False, np.inf)
        else:
            first = start(problem, sides[1], options, rng)
        fit = go_on(problem, first, min(passes, options.max_iter), options.tol, report)
        n_iter += len(fit.curve)
        if fit.stopped:
            break
    return fit, n_iter


def growing_parts(source, target):
    """Return parts of large samples that represent them, and passes to make on each."""
    sides = source, target
    if max(side.X.shape[0] for side in sides) <= STAGED_FROM:
        return []
    orders = [principal_order(*side.numpy()) for side in sides]
    parts = []
    for size, passes in STAGES:
        part = [
            side.take(systematic(order, to_numpy(side.w), size))
            if side.X.shape[0] > size
            else side
            for side, order in zip(sides, orders, strict=True)
        ]
        parts.append((*part, passes))
    return parts


def warm_state(problem, mixture):
    """Take the shares of a mixture as it is, without balancing it first."""
    no_steps = replace(problem, balance_iter=0)
    return evaluate(no_steps, mixture, mixture.log_weights)


def go_on(problem, first, max_iter, tol, report):
    """Continue a fit up to ``max_iter`` passes in total."""
    left = max_iter - len(first.curve)
    if first.converged or left <= 0:
        return replace(first, stopped=bool(report(first.state)))
    fit = iterate(problem, first.state, max_iter=left, tol=tol, report=report)
    return replace(fit, curve=first.curve + fit.curve)
