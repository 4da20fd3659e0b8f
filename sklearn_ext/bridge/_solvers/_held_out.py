"""Rows that are held out while a fit is made, to stop it in time."""

from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_ext.bridge._solvers._fixed_point import Rows, loss


@dataclass
class Holdout:
    """Rows that are held out, and the state that does best on them."""

    sides: tuple
    patience: int
    best_loss: float = np.inf
    best_state: object = None
    waited: int = 0
    rows: list = field(default_factory=list)

    @classmethod
    def split(cls, source, target, fraction, patience, rng):
        """Return what is left of both samples, and a Holdout of the rest."""
        parts = [_split(side, fraction, rng) for side in (source, target)]
        (source, held_source), (target, held_target) = parts
        return source, target, cls((held_source, held_target), patience)

    def no_better(self, state, centre):
        """Look at a state; True when it is time to stop."""
        if not self.rows:
            kind = state.mixture.covariance_type
            self.rows = [
                Rows.of(side.X - mean, side.w, kind)
                for side, mean in zip(self.sides, centre, strict=True)
            ]
        like_rows = self.sides[0].X  # solved on another device, perhaps
        mixture = state.mixture.like(like_rows)
        value = loss(mixture, *self.rows)
        self.waited += 1
        if value < self.best_loss:
            self.best_loss, self.best_state, self.waited = value, state, 0
        return self.waited >= self.patience

    def best(self, fit):
        """Return the fit with the best state; to have stopped is to have converged."""
        state = self.best_state or fit.state
        return replace(fit, state=state, converged=fit.converged or fit.stopped)


def _split(side, fraction, rng):
    n = side.X.shape[0]
    n_held = round(fraction * n)
    if min(n_held, n - n_held) < 2:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves fewer than two "
            f"of {n} rows on one part: use more rows or early_stopping=False."
        )
    order = np.argsort(rng.random(n), kind="stable")
    return side.rows(order[n_held:]), side.rows(order[:n_held])
