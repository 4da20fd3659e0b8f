"""Rows that are held out while a fit is made, to stop it in time."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.bridge._solvers._fixed_point import Problem, State, evaluate


@dataclass
class Holdout:
    """Rows that are held out, and the state that does best on them."""

    problem: Problem  # between these rows
    patience: int
    best_loss: float = np.inf
    best_state: State | None = None
    waited: int = 0

    def no_better(self, state):
        """Look at a state; True when it is time to stop."""
        like_rows = self.problem.source.blocks[0][0]  # on another device, perhaps
        value = evaluate(self.problem, state.mixture.like(like_rows)).loss
        self.waited += 1
        if value < self.best_loss:
            self.best_loss, self.best_state, self.waited = value, state, 0
        return self.waited >= self.patience

    def best(self, fit):
        """Return the fit with the best state; to have stopped is to have converged."""
        state = self.best_state or fit.state
        return replace(fit, state=state, converged=fit.converged or fit.stopped)


def split(sides, fraction, rng):
    """Return what is kept of both samples, and what is held out."""
    kept, held = [], []
    for side in sides:
        n = side.X.shape[0]
        n_held = round(fraction * n)
        if min(n_held, n - n_held) < 2:
            raise ValueError(
                f"early_stopping with validation_fraction={fraction} leaves fewer than "
                f"two of {n} rows on one part: use more rows or early_stopping=False."
            )
        order = np.argsort(rng.random(n), kind="stable")
        kept.append(side.rows(order[n_held:]))
        held.append(side.rows(order[:n_held]))
    return kept, held
