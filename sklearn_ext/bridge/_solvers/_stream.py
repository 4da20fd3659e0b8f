"""Stepwise updates: running moments of every component, one blend a batch."""

from dataclasses import dataclass, replace
from typing import Any

from sklearn_ext._numerics._arrays import like, namespace
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._solvers._fixed_point import (
    Moments,
    State,
    evaluate,
    gaussian_step,
)
from sklearn_ext.bridge._solvers._start import problem_of, warm_state

STEP = 2.0  # times a batch's share of the rows seen so far


@dataclass(frozen=True)
class Stream:
    """What a bridge remembers of the batches it has seen."""

    mixture: PotentialMixture  # float64, around the centre
    source: Moments
    target: Moments
    centre: Any  # means of the first batch, source and target
    weight: tuple  # seen so far, of either side
    size: tuple  # rows that these were worth

    @classmethod
    def after(cls, state, centre, sides):
        """Remember the end of a fit, in the library of the rows and on their device."""
        X = centre[0]

        def here(a):
            return like(a, X, namespace(X).float64)

        return cls(
            state.mixture.convert(here),
            state.source.convert(here),
            state.target.convert(here),
            tuple(centre),
            *zip(*((side.total, side.size) for side in sides), strict=True),
        )

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
        problem, kind = problem_of(*sides, options), options.covariance_type
        weight = [
            old + side.total for old, side in zip(self.weight, sides, strict=True)
        ]
        size = [old + side.size for old, side in zip(self.size, sides, strict=True)]
        seen = warm_state(problem, self.mixture)
        rates = [
            min(STEP * side.total / total, 1.0)
            for side, total in zip(sides, weight, strict=True)
        ]
        blended = (
            blend_moments(self.source, seen.source, rates[0], kind),
            blend_moments(self.target, seen.target, rates[1], kind),
        )
        # the prior counts rows seen so far, not those of the batch
        grown = replace(
            problem,
            source=replace(problem.source, size=size[0]),
            target=replace(problem.target, size=size[1]),
        )
        goal = gaussian_step(grown, State(self.mixture, *blended, seen.loss))
        mass = blended[1].mass
        xp = namespace(mass)
        found = evaluate(problem, goal, mass / xp.sum(mass))
        ell, old = found.mixture.log_weights, self.mixture.log_weights
        ell = ell - xp.mean(ell) + xp.mean(old)  # a common shift means nothing
        mixture = replace(found.mixture, log_weights=old + rates[0] * (ell - old))
        return Stream(mixture, *blended, self.centre, weight, size), found.loss


def blend_moments(old, new, rate, kind):
    """Move moments by ``rate`` towards new ones, as sums rather than as means."""
    mass = old.mass + rate * (new.mass - old.mass)
    pairs = zip(old.sums(kind), new.sums(kind), strict=True)
    return Moments.of_sums(mass, *((1 - rate) * a + rate * b for a, b in pairs), kind)
