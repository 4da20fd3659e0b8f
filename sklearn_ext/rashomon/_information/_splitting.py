"""Probabilities of rare small losses under a normal prior, by adaptive splitting.

Particles are drawn from the prior. Again and again the loss that a fifth of them reach
becomes the next level; the survivors are copied and moved apart without leaving it. The
probability is the product of the fractions, each counted over the second half of the
moves, which costs nothing and scatters less than the last places alone. A move turns a
particle on an ellipse through itself and a new draw: the prior stays as it is, whatever
the angle, and the bracket of angles shrinks towards the particle until the loss is
within the level, so that there is no step size to choose.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.rashomon._ratio import log_cdf_at

QUANTILE = 0.2  # share of the particles that reach the next level
SHRINKINGS = 100  # of a bracket, after which a particle stays where it is
STALLS = 3  # rounds of moves without a lower loss, after which a run gives up


@dataclass(frozen=True)
class SplittingRun:
    """The law of the loss as one run of splitting found it.

    Parameters
    ----------
    losses : ndarray of shape (n_losses,)
        Increasing losses.
    log_cdf : ndarray of shape (n_losses,)
        Logarithm of the probability of at most these losses.
    arrived : bool
        Whether the run reached the loss that it was sent to.
    log_probability : float
        Logarithm of the probability of that loss; of the lowest level where the run
        did not arrive.
    n_evaluations : int
        Losses that were computed.
    """

    losses: np.ndarray
    log_cdf: np.ndarray
    arrived: bool
    log_probability: float
    n_evaluations: int

    def at(self, losses):
        """Logarithm of the probability of at most these losses; -inf below all."""
        return log_cdf_at(self.losses, self.log_cdf, losses)


def split(losses_of, dim, target, *, n_particles, n_steps, rng):
    """Find the probability that a standard normal vector has at most a given loss.

    Parameters
    ----------
    losses_of : callable
        From vectors of shape (n, dim) to losses of shape (n,).
    dim : int
        Dimension.
    target : float
        The loss.
    n_particles : int
        Particles that move together.
    n_steps : int
        Moves of each particle at each level.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    SplittingRun
        The law down to the target, or as far as the run came.
    """
    z = rng.standard_normal((n_particles, dim))
    loss, n_evaluations = losses_of(z), n_particles
    level, log_share, stalls = np.inf, 0.0, 0
    known, n_kept = [], max(n_steps // 2, 1)
    while True:
        lower = next_level(loss, level, target)
        levels, times = np.unique(loss, return_counts=True)
        logs = log_share + np.log(np.cumsum(times) / len(loss))
        final = lower <= target
        use = levels >= lower
        use[-1] = True
        known.append((levels[use], logs[use]))
        if final or (lower == level and stalls == STALLS):
            break
        stalls = stalls + 1 if lower == level else 0
        inside = np.flatnonzero(loss <= lower)
        log_share += float(np.log(len(inside) / len(loss)))
        level = lower
        copied = rng.choice(inside, size=n_particles, replace=len(inside) < n_particles)
        walk = [(z[copied], loss[copied])]
        for _ in range(n_steps):
            *moved, tried = turn(losses_of, *walk[-1], level, rng)
            walk = [*walk, moved][-n_kept:]
            n_evaluations += tried
        z, loss = (np.concatenate(part) for part in zip(*walk, strict=True))
    reached = int((loss <= target).sum())
    if reached:
        log_share += float(np.log(reached / len(loss)))
        known.append(([target], [log_share]))
    losses, logs = (np.concatenate(part) for part in zip(*known, strict=True))
    order = np.lexsort([logs, losses])  # of equal losses the later, more exact level
    losses, first = np.unique(losses[order], return_index=True)
    logs = np.minimum(np.maximum.accumulate(logs[order][first]), 0.0)
    return SplittingRun(losses, logs, reached > 0, log_share, n_evaluations)


def next_level(loss, level, target):
    """Loss that a fifth of the particles reach, lower than the level if any is.

    Parameters
    ----------
    loss : ndarray of shape (n_particles,)
        Losses of the particles, all within the level.
    level : float
        The present level.
    target : float
        Loss at which to stop.

    Returns
    -------
    float
        The next level; the target once a fifth is within it.
    """
    if np.mean(loss <= target) >= QUANTILE:
        return target
    found = np.quantile(loss, QUANTILE, method="inverted_cdf")
    if found >= level:
        below = loss[loss < level]
        found = below.max() if len(below) else level
    if found <= target:  # not a fifth, but nothing lies between
        return target
    return float(found)


def turn(losses_of, z, loss, level, rng):
    """Move each particle along an ellipse without leaving the level.

    Parameters
    ----------
    losses_of : callable
        Losses of vectors.
    z : ndarray of shape (n_particles, dim)
        Particles within the level.
    loss : ndarray of shape (n_particles,)
        Their losses.
    level : float
        Largest loss allowed.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    z, loss : ndarray
        Moved particles and their losses.
    n_evaluations : int
        Losses that were computed.
    """
    across = rng.standard_normal(z.shape)
    angle = rng.uniform(0, 2 * np.pi, len(z))
    low, high = angle - 2 * np.pi, angle.copy()
    moved, found = z.copy(), loss.copy()
    active, n_evaluations = np.arange(len(z)), 0
    for _ in range(SHRINKINGS):
        phi = angle[active, None]
        trial = z[active] * np.cos(phi) + across[active] * np.sin(phi)
        value = losses_of(trial)
        n_evaluations += len(active)
        inside = value <= level
        moved[active[inside]], found[active[inside]] = trial[inside], value[inside]
        active = active[~inside]
        if not len(active):
            break
        here = angle[active]
        low[active] = np.where(here < 0, here, low[active])
        high[active] = np.where(here > 0, here, high[active])
        angle[active] = rng.uniform(low[active], high[active])
    return moved, found, n_evaluations
