"""From two samples to a mixture: where a fit starts, and the passes it makes.

Clusters are found on the host by NumPy; their draws ignore row order and repetition.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext._numerics._arrays import like, namespace
from sklearn_ext.bridge._mixture import PotentialMixture, features
from sklearn_ext.bridge._solvers._fixed_point import (
    Fit,
    Moments,
    Problem,
    Rows,
    State,
    evaluate,
    expect,
    gaussian_step,
    iterate,
    raw_moments,
)

START_PASSES = 5  # after which the best of several starts goes on
ANNEAL = (30.0, 10.0, 3.0)  # multiples of epsilon, ten passes each
STAGES = ((5_000, 15), (50_000, 5))  # rows and passes before all rows are used
STAGED_FROM = 100_000
STARTING_ROWS = 5000  # represent any number
SURPLUS = 3  # clusters for each component, before they are merged
CLOSE = 1e-9  # relative difference that may be rounding


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


def problem_of(source, target, options):
    """Store both sides as the solver wants them."""
    kind = options.covariance_type
    floor = options.reg_covar * (source.mean_variance + target.mean_variance) / 2
    return Problem(
        Rows.of(source.X, source.w, kind, size=source.size),
        Rows.of(target.X, target.w, kind, size=target.size),
        kind,
        options.prior_strength,
        floor,
        options.balance_iter,
        min(1e-3, 100 * options.tol),
    )


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


def go_on(problem, first, max_iter, tol, report):
    """Continue a fit up to ``max_iter`` passes in total."""
    left = max_iter - len(first.curve)
    if first.converged or left <= 0:
        return replace(first, stopped=bool(report(first.state)))
    fit = iterate(problem, first.state, max_iter=left, tol=tol, report=report)
    return replace(fit, curve=first.curve + fit.curve)


def growing_parts(source, target):
    """Return parts of large samples that represent them, and passes to make on each."""
    sides = source, target
    if max(side.X.shape[0] for side in sides) <= STAGED_FROM:
        return []
    orders = [principal_order(*side.host) for side in sides]
    parts = []
    for size, passes in STAGES:
        part = [
            represented(side, order, size) if side.X.shape[0] > size else side
            for side, order in zip(sides, orders, strict=True)
        ]
        parts.append((*part, passes))
    return parts


def represented(sample, order, size):
    """Return ``size`` rows that stand for equal shares of the weight."""
    part = sample.rows(systematic(order, sample.host[1], size))
    return replace(part, w=part.w * 0 + 1)


def start(problem, target, options, rng):
    """Return the first fit at the wanted epsilon, through larger ones if asked to."""
    eps = options.epsilon
    if not options.anneal:
        return best_start(problem, target, options, eps, rng)
    state = best_start(problem, target, options, ANNEAL[0] * eps, rng).state
    return Fit(annealed(problem, state, options), [], False, np.inf)


def annealed(problem, state, options):
    """Bring a state at a larger epsilon to the wanted one, level by level."""
    for factor in ANNEAL:
        state = _at(problem, state, factor * options.epsilon)
        state = iterate(problem, state, max_iter=10, tol=options.tol).state
    return _at(problem, state, options.epsilon)


def _at(problem, state, epsilon):
    """Restart at another epsilon or with other rows."""
    xp = namespace(state.target.mass)
    mass = state.target.mass / xp.sum(state.target.mass)
    return evaluate(problem, state.mixture.with_epsilon(epsilon), mass)


def warm_state(problem, mixture):
    """Take the shares of a mixture as it is, without balancing it first."""
    no_steps = replace(problem, balance_iter=0)
    return evaluate(no_steps, mixture, mixture.log_weights)


def best_start(problem, target, options, epsilon, rng):
    """Make a few passes from each of several starts and keep the lowest loss."""
    n_init = 1 if options.n_components == 1 else options.n_init
    passes = min(START_PASSES, options.max_iter)
    rows, fits = represent(*target.host), []
    for _ in range(n_init):
        drawn = first_components(
            *rows,
            options.n_components,
            options.init_params,
            options.covariance_type,
            rng,
        )
        state = first_state(problem, rows[0], *drawn, epsilon)
        if n_init == 1:
            return Fit(state, [], False, np.inf)
        fits.append(iterate(problem, state, max_iter=passes, tol=options.tol))
    best = min(fit.state.loss for fit in fits)
    # the first of those that rounding may order either way
    return next(f for f in fits if f.state.loss <= best + CLOSE * (1 + abs(best)))


def first_state(problem, Y, shares, centres, epsilon):
    """Share the target among components and give each the whole source.

    ``Y`` are rows that represent the target, ``shares`` and ``centres`` what
    :func:`first_components` makes of them.
    """
    like_rows, kind = problem.target.blocks[0][1], problem.covariance_type
    xp = namespace(like_rows)
    mass, first, second = raw_moments(features(Y, kind), shares, kind)
    if kind == "tied":
        second = (Y * shares.sum(axis=0)[:, None]).T @ Y
    there = Moments.of_sums(mass, first, second, kind)
    if centres is not None:
        there = replace(there, mean=centres)
    there = there.convert(lambda a: like(a, like_rows, xp.float64))
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


def principal_axes(X, w):
    """Return the rows around their weighted mean, and the axes of their covariance."""
    X = X - w @ X / w.sum()
    return X, np.linalg.eigh((X * w[:, None]).T @ X)[1]


def principal_order(X, w):
    """Order rows along the first principal axis of their weighted covariance.

    The order depends on the weighted set of rows only, so that draws along it are the
    same however rows are ordered, repeated or weighted.
    """
    centred, axes = principal_axes(X, w)
    score = centred @ axes[:, -1]
    size = np.abs(score)
    third = w @ (score * size * size)
    if abs(third) <= CLOSE * (w @ (size * size * size)):  # no more than rounding
        size_of = np.abs(axes[:, -1])
        third = axes[np.argmax(size_of >= (1 - CLOSE) * size_of.max()), -1]
    unit = size.max() or 1.0
    score = score / (unit if third > 0 else -unit)
    # ties that only rounding would break are broken by another projection
    other = X @ np.sqrt(np.arange(2.0, 2.0 + X.shape[1]))
    return np.lexsort((other, np.round(score, 12)))


def represent(Y, w):
    """Return rows that represent a sample at the start, their weights and an order."""
    order = principal_order(Y, w)
    if len(Y) <= STARTING_ROWS:
        return Y, w, order
    Y = Y[systematic(order, w, STARTING_ROWS)]
    return Y, np.ones(len(Y)), np.arange(len(Y))


def systematic(order, w, size):
    """Take ``size`` rows at equal steps of weight along an order."""
    bounds = np.cumsum(w[order])
    levels = (np.arange(size) + 0.5) / size * bounds[-1]
    return order[np.searchsorted(bounds, levels, side="right").clip(max=len(w) - 1)]


def _draw(probability, order, rng):
    bounds = np.cumsum(probability[order])
    place = np.searchsorted(bounds, rng.random() * bounds[-1], side="right")
    return order[min(place, len(order) - 1)]


def kmeans_plus_plus(Y, w, n_components, order, rng):
    """Choose centres with probability proportional to squared distance.

    Fewer than ``n_components`` come back when the rows have fewer distinct values.
    """
    centres = [Y[_draw(w, order, rng)]]
    distance = np.sum((Y - centres[0]) ** 2, axis=1)
    while len(centres) < n_components and (w * distance).sum() > 0:
        centres.append(Y[_draw(w * distance, order, rng)])
        distance = np.minimum(distance, np.sum((Y - centres[-1]) ** 2, axis=1))
    return np.array(centres)


def nearest(Y, centres):
    """Return the index of the nearest centre, the first of those that tie."""
    half = np.sum(centres**2, axis=1) / 2
    distance = half - Y @ centres.T
    least = distance.min(axis=1, keepdims=True)
    return np.argmax(distance <= least + CLOSE * half.max(), axis=1)


def lloyd(Y, w, centres, max_iter=5):
    """Improve centres by weighted k-means steps; empty clusters stay where they are."""
    for _ in range(max_iter):
        share = (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w
        mass = share.sum(axis=1, keepdims=True)
        moved = np.where(mass > 0, share @ Y / np.where(mass > 0, mass, 1), centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def merge(Y, shares, n_components):
    """Merge clusters until as many are left as there are components.

    The pair goes first whose union fits the rows least worse: a bound on the loss in
    log-likelihood (Runnalls, 2007), half of the log-determinants of the variances
    weighted by mass. So a cluster that k-means cut in two is one again, and one that
    it missed at first was found among the surplus.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_features)
        Rows, along axes on which the variances are to be compared.
    shares : ndarray of shape (n_clusters, n_rows)
        Weights of the rows in each cluster; they sum to one.
    n_components : int
        Clusters to keep.

    Returns
    -------
    ndarray of shape (n_components, n_rows)
        Weights of the rows in each of them.
    """
    mass = shares.sum(axis=1)
    first, second = shares @ Y, shares @ Y**2
    total = second.sum(axis=0) - first.sum(axis=0) ** 2
    pooled = (second - first**2 / mass[:, None]).sum(axis=0)
    pooled = np.maximum(pooled, 1e-6 * max(total.mean(), np.finfo(float).tiny))
    few = 10 / len(Y)  # rows of the pooled variance that every cluster is shrunk by

    def spread(mass, first, second):
        m = np.asarray(mass)[..., None]
        variance = (np.maximum(second - first**2 / m, 0) + few * pooled) / (m + few)
        return mass * np.log(variance).sum(axis=-1)

    alone = spread(mass, first, second)
    groups = [[i] for i in range(len(mass))]

    def cost(i):
        union = spread(mass + mass[i], first + first[i], second + second[i])
        return union - alone - alone[i]

    costs = np.array([cost(i) for i in range(len(mass))])
    np.fill_diagonal(costs, np.inf)
    while len(groups) > n_components:
        close = costs <= costs.min() + CLOSE * np.abs(costs.min())
        i, j = sorted(np.unravel_index(np.argmax(close), costs.shape))
        groups[i] += groups.pop(j)
        mass[i], first[i], second[i] = (a[i] + a[j] for a in (mass, first, second))
        mass, first, second = (np.delete(a, j, axis=0) for a in (mass, first, second))
        alone = np.delete(alone, j)
        alone[i] = spread(mass[i], first[i], second[i])
        costs = np.delete(np.delete(costs, j, axis=0), j, axis=1)
        costs[i] = costs[:, i] = cost(i)
        costs[i, i] = np.inf
    return np.stack([shares[group].sum(axis=0) for group in groups])


def first_components(Y, w, order, n_components, init_params, covariance_type, rng):
    """Share the rows of :func:`represent` among components.

    Returns
    -------
    shares : ndarray of shape (n_components, n_rows)
        Weights of the rows in each component; they sum to one.
    centres : ndarray of shape (n_components, n_features) or None
        Centres, where they are not the means of the shares.
    """
    if init_params == "k-means++":
        centres = kmeans_plus_plus(Y, w, n_components, order, rng)
        alike = np.full((len(centres), 1), 1 / len(centres))
        return alike * (w / w.sum()), centres
    shares = surplus_clusters(Y, w, order, n_components, rng)
    return merge(along_axes(Y, w, covariance_type), shares, n_components), None


def surplus_clusters(Y, w, order, n_components, rng):
    """Share the rows among more clusters than components, by k-means."""
    surplus = SURPLUS if n_components > 1 else 1
    centres = kmeans_plus_plus(Y, w, surplus * n_components, order, rng)
    centres = lloyd(Y, w, centres)
    shares = (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w
    return shares[shares.any(axis=1)] / w.sum()


def along_axes(Y, w, covariance_type):
    """Return the rows along the axes on which variances are compared."""
    if covariance_type == "diag":
        return Y
    centred, axes = principal_axes(Y, w)
    return centred @ axes
