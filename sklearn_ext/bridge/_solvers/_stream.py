"""Stepwise updates: running moments of every component, one blend a batch."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_ext._numerics._arrays import namespace
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._solvers._fixed_point import (
    Moments,
    State,
    evaluate,
    gaussian_step,
    problem_of,
)

STEP = 2.0  # times a batch's share of the rows seen so far


@dataclass(frozen=True)
class Stream:
    """What a bridge remembers of the batches it has seen."""

    mixture: PotentialMixture  # float64, around the centre
    source: Moments
    target: Moments
    centre: Any  # means of the first batch, source and target
    seen: np.ndarray  # so far of either side: weight, and rows that it was worth

    @classmethod
    def after(cls, state, centre, sides):
        """Remember the end of a fit, in the library of the rows and on their device."""
        here = state.like(centre[0], namespace(centre[0]).float64)
        return cls(here.mixture, here.source, here.target, centre, extents(sides))

    def updated(self, sides, options):
        """Blend in one centred batch.

        Parameters
        ----------
        sides : pair of Sample
            The batch around ``centre``.
        options : Options
            Parameters of the model.

        Returns
        -------
        stream : Stream
            The updated stream.
        loss : float
            Loss of the updated mixture on the batch.
        """
        batch = extents(sides)
        seen = self.seen + batch
        rates = np.minimum(STEP * batch[:, 0] / seen[:, 0], 1.0).tolist()
        # the prior counts rows seen so far, not those of the batch
        problem = problem_of(*sides, options, sizes=seen[:, 1].tolist())
        now, kind = evaluate(problem, self.mixture), options.covariance_type
        source = blend_moments(self.source, now.source, rates[0], kind)
        target = blend_moments(self.target, now.target, rates[1], kind)
        goal = gaussian_step(problem, State(self.mixture, source, target, now.loss))
        xp = namespace(target.mass)
        found = evaluate(problem, goal, target.mass / xp.sum(target.mass))
        ell, old = found.mixture.log_weights, self.mixture.log_weights
        ell = ell - xp.mean(ell) + xp.mean(old)  # a common shift means nothing
        mixture = replace(found.mixture, log_weights=old + rates[0] * (ell - old))
        return Stream(mixture, source, target, self.centre, seen), found.loss


def extents(sides):
    """Return the weight of either side, and how many rows it is worth."""
    return np.array([(side.host[1].sum(), side.size) for side in sides])


def blend_moments(old, new, rate, kind):
    """Move moments by ``rate`` towards new ones, as sums rather than as means."""
    mass = old.mass + rate * (new.mass - old.mass)
    pairs = zip(old.sums(kind), new.sums(kind), strict=True)
    return Moments.of_sums(mass, *((1 - rate) * a + rate * b for a, b in pairs), kind)
