"""Random draws from component mixtures and Brownian bridges; numpy draws, any array."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._numerics._arrays import like, namespace


def as_generator(random_state, usual=None):
    """Accept a Generator beside what scikit-learn accepts; None takes the usual one."""
    random_state = usual if random_state is None else random_state
    if isinstance(random_state, np.random.Generator):
        return random_state
    return check_random_state(random_state)


def normal(rng, X):
    """Draw standard normal numbers in the shape and the library of X."""
    return like(rng.standard_normal(tuple(X.shape)), X)


def choose(weights, rng):
    """Draw one component for each column of weights (K, n), by inverse CDF."""
    xp = namespace(weights)
    bounds = xp.cumulative_sum(weights, axis=0)
    levels = like(rng.random(weights.shape[1]), weights) * bounds[-1, :]
    return xp.sum(xp.astype(bounds[:-1, :] < levels, xp.int64), axis=0)


def draw_components(X, chosen, laws, rng):
    """Draw from the Gaussian of the chosen component of each row.

    ``laws`` are what ``PotentialMixture.transitions`` yields. Rows are sorted by
    component, so that each works on one slice and uses its eigenbasis once.
    """
    xp = namespace(X)
    order = xp.argsort(chosen, stable=True)
    sorted_rows = xp.take(X, order, axis=0)
    noise = xp.take(normal(rng, X), order, axis=0)
    parts, start = [], 0
    for k, (V, scale, shift, variance) in enumerate(laws):
        stop = start + int(xp.sum(xp.astype(chosen == k, xp.int64)))
        Z = sorted_rows[start:stop, :]
        Z = (Z if V is None else Z @ V) * scale + shift
        Z = Z + noise[start:stop, :] * xp.sqrt(variance)
        parts.append(Z if V is None else Z @ V.T)
        start = stop
    return xp.take(xp.concat(parts, axis=0), xp.argsort(order), axis=0)


def brownian_bridges(start, stop, times, epsilon, rng):
    """Fill in Brownian bridges of variance eps between paired rows.

    Parameters
    ----------
    start, stop : arrays of shape (n_samples, n_features)
        Where the paths are at time 0 and 1.
    times : ndarray of shape (n_times,)
        Increasing, in [0, 1].
    epsilon : float
        Variance per unit of time.
    rng : RandomState or Generator
        Source of randomness.

    Returns
    -------
    array of shape (n_samples, n_times, n_features)
        The paths at ``times``.
    """
    xp = namespace(start)
    steps = np.sqrt(epsilon * np.diff(times, prepend=0.0, append=1.0))
    walk, walks = start * 0, []
    for step in steps:
        walk = walk + normal(rng, start) * float(step)
        walks.append(walk)
    paths = [
        start * float(1 - t) + (stop - walk) * float(t) + at
        for t, at in zip(times, walks, strict=False)
    ]
    return xp.stack(paths, axis=1)


def euler_paths(plan, X, times, rng):
    """Simulate dX = g dt + sqrt(eps) dW with one Euler step an interval of times."""
    xp = namespace(X)
    paths, now = [], 0.0
    for t in times:
        if t > now:
            step = float(t - now)
            noise = normal(rng, X) * (plan.epsilon * step) ** 0.5
            X = X + plan.drift(X, now) * step + noise
        paths.append(X)
        now = float(t)
    return xp.stack(paths, axis=1)
