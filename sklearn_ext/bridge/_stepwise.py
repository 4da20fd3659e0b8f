"""Stepwise updates: running moments of every component, one blend a batch."""

from dataclasses import dataclass, replace
from typing import Any

from sklearn_ext.bridge._fixed_point import State, evaluate, gaussian_step
from sklearn_ext.bridge._frames import array_namespace
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._rows import Moments
from sklearn_ext.bridge._sampling import like_double
from sklearn_ext.bridge._solve import problem_of, to_numpy, warm_state

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

        def here(a):
            return like_double(a, centre[0])

        moments = (
            Moments(*(here(a) for a in (side.mass, side.mean, side.spread)))
            for side in (state.source, state.target)
        )
        return cls(
            state.mixture.map(here),
            *moments,
            tuple(centre),
            tuple(float(to_numpy(side.w).sum()) for side in sides),
            tuple(side.size for side in sides),
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
        batch = [float(to_numpy(side.w).sum()) for side in sides]
        weight = tuple(old + new for old, new in zip(self.weight, batch, strict=True))
        size = tuple(
            old + side.size for old, side in zip(self.size, sides, strict=True)
        )
        rates = [
            min(STEP * new / total, 1.0)
            for new, total in zip(batch, weight, strict=True)
        ]
        seen = warm_state(problem, self.mixture)
        blended = [
            blend_moments(old, new, rate, kind)
            for old, new, rate in zip(
                (self.source, self.target),
                (seen.source, seen.target),
                rates,
                strict=True,
            )
        ]
        # the prior counts rows seen so far, not those of the batch
        grown = replace(
            problem,
            source=replace(problem.source, size=size[0]),
            target=replace(problem.target, size=size[1]),
        )
        goal = gaussian_step(grown, State(self.mixture, *blended, seen.loss))
        mass = blended[1].mass
        xp = array_namespace(mass)
        found = evaluate(problem, goal, mass / xp.sum(mass))
        ell, old = found.mixture.log_weights, self.mixture.log_weights
        ell = ell - xp.mean(ell) + xp.mean(old)  # a common shift means nothing
        mixture = replace(found.mixture, log_weights=old + rates[0] * (ell - old))
        return Stream(mixture, *blended, self.centre, weight, size), found.loss


def blend_moments(old, new, rate, kind):
    """Move moments by ``rate`` towards new ones, as sums rather than as means."""
    xp = array_namespace(old.mass)
    mass = old.mass + rate * (new.mass - old.mass)
    parts = []
    for moments, share in ((old, 1 - rate), (new, rate)):
        weight = share * moments.mass
        first = weight[:, None] * moments.mean
        outer = _outer(moments.mean, kind)
        if kind == "tied":
            second = share * moments.spread + moments.mean.T @ first
        else:
            tall = xp.reshape(weight, (-1,) + (1,) * (moments.spread.ndim - 1))
            second = tall * (moments.spread + outer)
        parts.append((first, second))
    first, second = (a + b for a, b in zip(*parts, strict=True))
    mean = first / mass[:, None]
    if kind == "tied":
        return Moments(mass, mean, second - mean.T @ (mass[:, None] * mean))
    tall = xp.reshape(mass, (-1,) + (1,) * (second.ndim - 1))
    return Moments(mass, mean, second / tall - _outer(mean, kind))


def _outer(mean, kind):
    xp = array_namespace(mean)
    if kind == "spherical":
        return xp.mean(mean**2, axis=1, keepdims=True)
    if kind == "full":
        return mean[:, :, None] * mean[:, None, :]
    return mean**2
