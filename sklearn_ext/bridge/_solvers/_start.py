"""From two samples to a mixture: where a fit starts, and the passes it makes.

Clusters are found on the host by NumPy; their draws ignore row order and repetition.
"""

from dataclasses import replace

import numpy as np

from sklearn_ext._numerics._arrays import namespace
from sklearn_ext.bridge._mixture import PotentialMixture, features
from sklearn_ext.bridge._samples import CLOSE, principal_axes, systematic
from sklearn_ext.bridge._solvers._fixed_point import (
    Fit,
    Moments,
    State,
    evaluate,
    expect,
    gaussian_step,
    iterate,
    problem_of,
    raw_moments,
)

START_PASSES = 5  # after which the best of several starts goes on
ANNEAL = (30.0, 10.0, 3.0)  # multiples of epsilon, ten passes each
STAGES = ((5_000, 15), (50_000, 5))  # rows and passes before all rows are used
STAGED_FROM = 100_000
STARTING_ROWS = 5000  # represent any number
SURPLUS = 3  # clusters for each component, before they are merged


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
            fit = Fit(_at(problem, fit.state, options.epsilon))
        elif mixture is not None:
            fit = Fit(evaluate(problem, mixture))
        else:
            fit = start(problem, sides[1], rng)
        fit = iterate(problem, fit, min(passes, options.max_iter), report)
        n_iter += len(fit.curve)
        if fit.stopped:
            break
    return fit, n_iter


def growing_parts(source, target):
    """Return parts of large samples that represent them, and passes to make on each."""
    return [
        (source.represented(size), target.represented(size), passes)
        for size, passes in stages(source, target)
    ]


def stages(source, target):
    """Return the sizes of parts of large samples, and passes; others have none."""
    is_large = max(source.X.shape[0], target.X.shape[0]) > STAGED_FROM
    return STAGES if is_large else ()


def most_passes(source, target, options):
    """Return how many passes a fit may make, those on parts of the rows included."""
    parts = [min(passes, options.max_iter) for _, passes in stages(source, target)]
    return sum(parts) + options.max_iter


def start(problem, target, rng):
    """Make a few passes from each of several starts and go on from the lowest loss.

    With annealing these are at a larger epsilon, which then falls to the wanted one.
    """
    options, rows = problem.options, represent(target)
    n_init = 1 if options.n_components == 1 else options.n_init
    fits = [
        Fit(first_state(problem, rows[0], *first_components(rows, options, rng)))
        for _ in range(n_init)
    ]
    if n_init > 1:
        passes = min(START_PASSES, options.max_iter)
        fits = [iterate(problem, fit, passes) for fit in fits]
        best = min(fit.state.loss for fit in fits)
        # the first of those that rounding may order either way
        fits = [f for f in fits if f.state.loss <= best + CLOSE * (1 + abs(best))]
    return Fit(annealed(problem, fits[0].state)) if options.anneal else fits[0]


def annealed(problem, state):
    """Bring a state at a larger epsilon to the wanted one, level by level."""
    epsilon = problem.options.epsilon
    for factor in ANNEAL:
        state = _at(problem, state, factor * epsilon)
        state = iterate(problem, Fit(state), 10).state
    return _at(problem, state, epsilon)


def _at(problem, state, epsilon):
    """Restart at another epsilon or with other rows."""
    xp = namespace(state.target.mass)
    mass = state.target.mass / xp.sum(state.target.mass)
    return evaluate(problem, state.mixture.with_epsilon(epsilon), mass)


def first_state(problem, Y, shares, centres):
    """Share the target among components and give each the whole source.

    ``Y`` are rows that represent the target, ``shares`` and ``centres`` what
    :func:`first_components` makes of them.
    """
    options, like_rows = problem.options, problem.target.blocks[0][1]
    kind, xp = options.covariance_type, namespace(like_rows)
    mass, first, second = raw_moments(features(Y, kind), shares, kind)
    if kind == "tied":
        second = ((Y * shares.sum(axis=0)[:, None]).T @ Y)[None, ...]
    there = Moments.of_sums(mass, first, second, kind)
    if centres is not None:
        there = replace(there, mean=centres)
    there = there.like(like_rows, xp.float64)
    alone = (xp.zeros_like(w)[None, :] for _, w in problem.source.blocks)
    _, all_rows = expect(alone, problem.source, kind)
    here = replace(all_rows, mass=there.mass, mean=there.mean * 0 + all_rows.mean)
    epsilon = options.epsilon * (ANNEAL[0] if options.anneal else 1)
    ell = xp.log(there.mass)
    mixture = PotentialMixture(ell, there.mean, None, None, epsilon, kind)
    lightly = replace(problem, options=replace(options, prior_strength=10.0))
    mixture = gaussian_step(lightly, State(mixture, here, there, np.inf))
    return evaluate(problem, mixture, there.mass)


def represent(sample):
    """Return rows that represent a sample at the start, their weights and an order."""
    Y, w = sample.host
    if len(Y) <= STARTING_ROWS:
        return Y, w, sample.order
    Y = Y[systematic(sample.order, w, STARTING_ROWS)]
    return Y, np.ones(len(Y)), np.arange(len(Y))


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


def clusters(Y, w, centres):
    """Return the weights of the rows that are nearest to each centre."""
    return (nearest(Y, centres)[None, :] == np.arange(len(centres))[:, None]) * w


def lloyd(Y, w, centres, max_iter=5):
    """Improve centres by weighted k-means steps; empty clusters stay where they are."""
    for _ in range(max_iter):
        share = clusters(Y, w, centres)
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


def first_components(rows, options, rng):
    """Share the rows of :func:`represent` among components.

    Returns
    -------
    shares : ndarray of shape (n_components, n_rows)
        Weights of the rows in each component; they sum to one.
    centres : ndarray of shape (n_components, n_features) or None
        Centres, where they are not the means of the shares.
    """
    (Y, w, order), K = rows, options.n_components
    if options.init_params == "k-means++":
        centres = kmeans_plus_plus(Y, w, K, order, rng)
        alike = np.full((len(centres), 1), 1 / len(centres))
        return alike * (w / w.sum()), centres
    shares = surplus_clusters(rows, K, rng)
    return merge(along_axes(Y, w, options.covariance_type), shares, K), None


def surplus_clusters(rows, n_components, rng):
    """Share the rows among more clusters than components, by k-means."""
    Y, w, order = rows
    surplus = SURPLUS if n_components > 1 else 1
    centres = kmeans_plus_plus(Y, w, surplus * n_components, order, rng)
    shares = clusters(Y, w, lloyd(Y, w, centres))
    return shares[shares.any(axis=1)] / w.sum()


def along_axes(Y, w, covariance_type):
    """Return the rows along the axes on which variances are compared."""
    if covariance_type == "diag":
        return Y
    centred, axes = principal_axes(Y, w)
    return centred @ axes
