"""Errors over a grid of ridges, and the choice of one."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.random_features._arrays import ArrayHolder
from sklearn_ext.random_features._solvers import Solution


@dataclass(frozen=True)
class Grid:
    """What was measured for each ridge of an ascending grid."""

    alphas: np.ndarray  # (a,)
    train: np.ndarray  # (a, t), weighted mean squared errors of all rows
    dof: np.ndarray  # (a,)
    gcv: np.ndarray  # (a, t)
    error: np.ndarray  # (a, t), weighted mean squared held-out errors
    held: tuple  # their residuals, (a, n_held, t) a fold; empty for "gcv"
    scores: np.ndarray  # (a, t) or (a, 1): higher is better

    def __add__(self, other):
        order = np.argsort(np.concatenate([self.alphas, other.alphas]), kind="stable")

        def both(one, two):
            return np.concatenate([one, two])[order]

        names = ("alphas", "train", "dof", "gcv", "error")
        parts = [both(getattr(self, n), getattr(other, n)) for n in names]
        held = tuple(map(both, self.held, other.held))
        return Grid(*parts, held, both(self.scores, other.scores))

    def best(self):
        """Return the position of the best ridge for each column of scores.

        Ties go to the largest ridge.
        """
        scores = np.where(np.isnan(self.scores), -np.inf, self.scores)
        last = len(scores) - 1
        best = last - np.argmax(scores[::-1], axis=0)
        if not np.isfinite(scores.max(axis=0)).all():
            raise ValueError(
                "No alpha of the grid has a finite held-out error: each row fixes its "
                f"own prediction. Add an alpha above {self.alphas.max():g}."
            )
        return best


@dataclass(frozen=True)
class TunedSolution(Solution, ArrayHolder):
    """A fitted ridge with the grid it was chosen from."""

    grid: Grid | None = None
    best: np.ndarray | None = None  # (t,), positions in the grid
    best_score: float = 0.0
    loo: np.ndarray | None = None  # (m, t), leave-one-out residuals
    loo_rows: object = None  # Held
    cv_results: np.ndarray | None = None  # (n_held, t, a)
    temperature: float = 1.0


@dataclass(frozen=True)
class Held:
    """Rows that leave-one-out looked at, without their features."""

    index: np.ndarray  # (m,)
    Y: np.ndarray  # (m, t)
    w: np.ndarray  # (m,)
    n_units: float


def default_alphas(largest, eps):
    """Return powers ``10 ** (j / 3)`` that span the eigenvalues.

    Their lattice is fixed, so that small changes of the data keep the grid.

    Parameters
    ----------
    largest : float
        Largest eigenvalue.
    eps : float
        Rounding of the arithmetic that formed the features.

    Returns
    -------
    ndarray
        From ``max(30 eps, 1e-10)`` of the largest eigenvalue up to it.
    """
    if not largest > 0:  # constant features: any ridge will do
        return np.ones(1)
    low, high = np.log10(max(30 * eps, 1e-10) * largest), np.log10(largest)
    return 10.0 ** (np.arange(np.ceil(3 * low), np.floor(3 * high) + 1) / 3)


def mean_squares(R, w):
    """Return weighted mean squares over rows, of shape (a, t); infinity stays."""
    with np.errstate(invalid="ignore"):
        return np.einsum("art,r->at", R * R, w / w.sum())


def generalized(train, dof, n_units):
    """Return generalised cross-validation errors, infinite where nothing is left."""
    left = np.maximum(1 - dof / n_units, 0.0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 1e-10, train / left**2, np.inf)


def between(alphas, best, n_points=20):
    """Return ridges between the neighbours of the best one."""
    low, high = alphas[max(best - 1, 0)], alphas[min(best + 1, len(alphas) - 1)]
    if not 0 < low < high:
        return np.empty(0)
    inside = np.geomspace(low, high, n_points + 2)[1:-1]
    return inside[~np.isin(inside, alphas)]
