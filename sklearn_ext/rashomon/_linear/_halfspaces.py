"""Directions on a sphere as classifiers, judged by their weighted errors.

Rows are multiplied by their class sign, so a direction errs on a row where the product
is not positive; ties are errors.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.rashomon import _ratio

DRAWS = 20_000  # directions drawn from one stream of random numbers
BLOCK = 2**17  # entries of a table of directions by rows: what a cache holds
FEWEST = 32  # directions at once: fewer would read all rows too often
SLIVER = 1e-12  # arcs this short are rounding: equal rows turn at equal angles
QUANTILE = 0.2  # share that each level of splitting keeps


def random_directions(n, p, rng, dtype=np.float64):
    """Draw directions uniformly from the sphere."""
    w = rng.standard_normal((n, p), dtype=dtype)
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def direction_errors(directions, rows, weight=None, *, device=None):
    """Weighted errors of each direction.

    Parameters
    ----------
    directions : ndarray of shape (n_directions, n_dims)
        Hypotheses.
    rows : ndarray or SparseRows of shape (n_rows, n_dims)
        Rows times their class sign.
    weight : ndarray of shape (n_rows,) or None, default=None
        Weights; None counts rows.
    device : str or None, default=None
        Torch device; None uses numpy.

    Returns
    -------
    ndarray of shape (n_directions,)
        Errors.
    """
    if device is not None:
        from sklearn_ext.rashomon._linear import _halfspaces_torch

        return _halfspaces_torch.direction_errors_torch(
            directions, rows, weight, device=device
        )
    out = np.empty(len(directions))
    narrow = np.min_scalar_type(len(rows))  # sums of bytes are faster than of integers
    for part in blocks(len(directions), max(BLOCK // len(rows), FEWEST)):
        wrong = directions[part] @ rows.T <= 0
        if weight is None:
            out[part] = wrong.view(np.uint8).sum(axis=1, dtype=narrow)
        else:
            out[part] = wrong @ weight
    return out


@dataclass(frozen=True)
class ErrorLaw:
    """Distribution of the errors of a random direction.

    Parameters
    ----------
    errors : ndarray of shape (n_levels,)
        Increasing errors.
    log_cdf : ndarray of shape (n_replicates, n_levels)
        Logarithm of the share with at most these errors, by independent run.
    n_draws : int
        Directions drawn; zero when the law is exact.
    directions : ndarray of shape (n_kept, n_dims)
        Directions drawn uniformly from the set within the threshold.
    """

    errors: np.ndarray
    log_cdf: np.ndarray
    n_draws: int
    directions: np.ndarray

    def at(self, threshold, confidence_level):
        """Estimate the log share with at most ``threshold`` errors."""
        logs = [_ratio.log_cdf_at(self.errors, run, threshold) for run in self.log_cdf]
        if self.n_draws == 0:
            return _ratio.exactly(logs[0])
        if len(logs) == 1:
            hits = round(float(np.exp(logs[0]) * self.n_draws))
            return _ratio.counted(hits, self.n_draws, confidence_level)
        mean, low, high = _ratio.replicate_interval(logs, confidence_level)
        ess = float(len(self.directions))
        return _ratio.RatioEstimate(min(mean, 0.0), low, high, "confidence", ess)


def crude_law(rows, weight, threshold, n_draws, seed, device=None):
    """Law of the errors from plain draws; those within the threshold are kept.

    Parameters
    ----------
    rows, weight : array
        As for :func:`direction_errors`.
    threshold : float
        Largest errors in the set.
    n_draws : int
        Number of directions.
    seed : numpy.random.SeedSequence
        Source of the directions, one stream for each block.
    device : str or None, default=None
        Torch device that counts the errors; None uses numpy.

    Returns
    -------
    ErrorLaw
        One row of shares.
    """
    unequal = None if (weight == 1).all() else weight
    errors, kept = [], []
    for block in seed.spawn(-(-n_draws // DRAWS)):
        n = min(DRAWS, n_draws - DRAWS * len(errors))
        w = random_directions(n, rows.shape[1], np.random.default_rng(block))
        found = direction_errors(w, rows, unequal, device=device)
        found = np.round(found, 9)  # sums in any order
        errors.append(found)
        kept.append(w[found <= threshold])
    levels, times = np.unique(np.concatenate(errors), return_counts=True)
    log_cdf = np.log(np.cumsum(times) / n_draws)[None]
    return ErrorLaw(levels, log_cdf, n_draws, np.concatenate(kept))


def splitting_law(run, seeds, n_jobs=None):
    """Law of the errors from independent runs of :func:`split_levels`.

    Parameters
    ----------
    run : callable
        It takes ``rng`` alone, and returns errors, logarithms and directions.
    seeds : list of numpy.random.SeedSequence
        One for each run.
    n_jobs : int or None, default=None
        Threads.

    Returns
    -------
    ErrorLaw
        One row of shares for each run.
    """
    runs = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(run)(rng=np.random.default_rng(seed)) for seed in seeds
    )
    levels = np.unique(np.concatenate([errors for errors, _, _ in runs]))
    logs = [_ratio.log_cdf_at(errors, logs, levels) for errors, logs, _ in runs]
    directions = np.concatenate([w for _, _, w in runs])
    return ErrorLaw(levels, np.stack(logs), len(directions), directions)


def arcs_of(rows, weight, start, across):
    """Errors along great circles ``start cos(phi) + across sin(phi)``.

    A row is right on the half circle around the angle of its projection, so the
    errors change at two angles for each row only.

    Parameters
    ----------
    rows : ndarray or SparseRows of shape (n_rows, n_dims)
        Rows times their class sign.
    weight : ndarray of shape (n_rows,)
        Weights.
    start, across : ndarray of shape (n_circles, n_dims)
        Orthogonal unit vectors.

    Returns
    -------
    angle : ndarray of shape (n_circles, 2 n_rows)
        Increasing angles at which arcs begin.
    length : ndarray of the same shape
        Lengths of the arcs, zero for those that rounding makes.
    errors : ndarray of the same shape
        Errors inside the arcs.
    """
    along, side = start @ rows.T, across @ rows.T
    middle = np.arctan2(side, along)
    lost, gained = middle + np.pi / 2, middle - np.pi / 2
    lost = np.where(lost > np.pi, lost - 2 * np.pi, lost)
    gained = np.where(gained <= -np.pi, gained + 2 * np.pi, gained)
    angle = np.concatenate([lost, gained], axis=1)
    order = np.argsort(angle, axis=1)
    turning = np.where((along == 0) & (side == 0), 0.0, weight)  # or always an error
    change = np.concatenate([turning, -turning], axis=1)
    change = np.take_along_axis(change, order, axis=1)
    angle = np.take_along_axis(angle, order, axis=1)
    # at angle pi, just before the first arc; at a boundary there a row has turned right
    wrong = (along > 0) | ((along == 0) & (side >= 0))
    at_end = np.where(wrong, weight, 0.0).sum(axis=1)
    errors = at_end[:, None] + np.cumsum(change, axis=1)
    following = np.concatenate([angle[:, 1:], angle[:, :1] + 2 * np.pi], axis=1)
    length = following - angle
    return angle, np.where(length > SLIVER, length, 0.0), errors


def exact_circle(rows, weight):
    """Law of the errors for two dimensions: one circle holds all directions."""
    _, length, errors = _circle(rows, weight)
    levels, place = np.unique(errors, return_inverse=True)
    share = np.bincount(place, length) / (2 * np.pi)
    levels, share = levels[share > 0], share[share > 0]
    log_cdf = np.log(np.cumsum(share) / share.sum())
    return levels, np.minimum(log_cdf, 0.0)[None]


def best_on_circle(rows, weight):
    """Direction in the middle of the longest arc with the fewest errors."""
    angle, length, errors = _circle(rows, weight)
    errors = np.where(length > 0, errors, np.inf)
    arc = np.lexsort([-length, errors])[0]
    return _directions(angle[arc : arc + 1] + length[arc] / 2)[0]


def draw_on_circle(rows, weight, limit, n, rng):
    """Draw directions of the plane uniformly where errors are within a limit."""
    angle, length, errors = _circle(rows, weight)
    mass = np.where(errors <= limit, length, 0.0)
    if not mass.any():
        return np.empty((0, 2))
    arc = rng.choice(len(mass), size=n, p=mass / mass.sum())
    return _directions(angle[arc] + rng.random(n) * length[arc])


def _circle(rows, weight):
    eye = np.eye(2)
    angle, length, errors = arcs_of(rows, weight, eye[:1], eye[1:])
    return angle[0], length[0], np.round(errors[0], 9)


def _directions(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def draw_on_arcs(angle, length, errors, limit, rng):
    """Draw one angle on each circle uniformly where errors are within a limit."""
    mass = np.cumsum(np.where(errors <= limit, length, 0.0), axis=1)
    target = rng.random((len(mass), 1)) * mass[:, -1:]
    arc = np.minimum((mass <= target).sum(axis=1), mass.shape[1] - 1)
    rows = np.arange(len(mass))
    left = mass[rows, arc] - target[:, 0]  # distance to the end of the arc
    return angle[rows, arc] + length[rows, arc] - left


def split_levels(rows, weight, threshold, *, n_particles, n_steps, rng):
    """Estimate a rare share by subset simulation along great circles.

    Parameters
    ----------
    rows, weight : ndarray
        As for :func:`arcs_of`.
    threshold : float
        Errors of interest.
    n_particles : int
        Directions that move together.
    n_steps : int
        Circles for each particle at each level.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    errors : ndarray of shape (n_levels,)
        Increasing errors.
    log_cdf : ndarray of shape (n_levels,)
        Logarithm of the share with at most these errors.
    directions : ndarray of shape (n_particles, n_dims)
        Directions within the threshold.
    """
    w = random_directions(n_particles, rows.shape[1], rng)
    limit, log_share = np.inf, 0.0
    known = []
    while True:
        # one walk chooses the level, another measures it: with the same one the
        # lowest level that looks frequent enough would look too frequent
        levels, share, w = _walk(rows, weight, w, limit, n_steps // 2, rng)
        following = _next_level(levels, share, threshold, limit)
        lower = _Reservoir(w, following)
        levels, share, w = _walk(rows, weight, w, limit, n_steps, rng, lower)
        cdf = np.cumsum(share) / share.sum()
        final = following <= threshold or following == limit  # or nothing is lower
        use = slice(None) if final else levels >= following
        known.append((levels[use], np.log(cdf[use]) + log_share))
        below = cdf[levels <= following]
        if not len(below):
            break  # the second walk lost the level: the estimate stops here
        w = lower.directions
        if final:
            break
        log_share += float(np.log(below[-1]))
        limit = following
    errors, logs = (np.concatenate(part) for part in zip(*known, strict=True))
    order = np.lexsort([-logs, errors])
    errors, first = np.unique(errors[order], return_index=True)
    return errors, np.minimum(np.maximum.accumulate(logs[order][first]), 0.0), w


def _next_level(levels, share, threshold, limit):
    """Lowest level that is frequent enough, but below the limit if any was seen."""
    cdf = np.cumsum(share) / share.sum()
    inside = levels <= threshold
    if inside.any() and cdf[inside][-1] >= QUANTILE:
        return float(levels[inside][-1])
    level = levels[np.searchsorted(cdf, QUANTILE)]
    lower = levels[levels < limit]
    return float(min(level, lower[-1]) if len(lower) else level)


def _walk(rows, weight, w, limit, n_steps, rng, lower=None):
    """Move along random circles inside a limit; collect the errors on the way."""
    seen, masses = [], []
    for _ in range(n_steps):
        across = rng.standard_normal(w.shape)
        across -= (across * w).sum(axis=1, keepdims=True) * w
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        angle, length, errors = arcs_of(rows, weight, w, across)
        errors = np.round(errors, 9)
        inside = np.where(errors <= limit, length, 0.0)
        share = inside / inside.sum(axis=1, keepdims=True)
        levels, place = np.unique(errors, return_inverse=True)
        seen.append(levels)
        masses.append(np.bincount(place.ravel(), share.ravel()))
        if lower is not None:
            lower.offer(w, across, angle, length, errors, share, rng)
        phi = draw_on_arcs(angle, length, errors, limit, rng)
        w = _turned(w, across, phi)
    levels, place = np.unique(np.concatenate(seen), return_inverse=True)
    mass = np.bincount(place, np.concatenate(masses))
    return levels[mass > 0], mass[mass > 0], w


class _Reservoir:
    """Directions drawn uniformly from a lower level, out of all circles of a walk.

    A circle through a uniform direction of the level above is met in proportion to
    its length there, so it counts by the share of that length which is lower. No level
    that some circle met is lost, whatever the last circles meet.

    Parameters
    ----------
    directions : ndarray of shape (n_directions, n_dims)
        As many are kept; they are replaced as soon as a circle meets the level.
    limit : float
        Largest errors of the level.
    """

    def __init__(self, directions, limit):
        self.directions = directions.copy()
        self.limit = limit
        self.total = 0.0

    def offer(self, w, across, angle, length, errors, share, rng):
        """Replace each direction with the probability of the circles that are new."""
        lower = np.where(errors <= self.limit, share, 0.0).sum(axis=1)
        total = lower.sum()
        self.total += total
        if total == 0:
            return
        slot = np.flatnonzero(rng.random(len(self.directions)) * self.total < total)
        at = rng.choice(len(w), size=len(slot), p=lower / total)
        phi = draw_on_arcs(angle[at], length[at], errors[at], self.limit, rng)
        self.directions[slot] = _turned(w[at], across[at], phi)


def _turned(w, across, phi):
    moved = w * np.cos(phi)[:, None] + across * np.sin(phi)[:, None]
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
