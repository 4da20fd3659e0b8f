"""Errors over a grid of ridges, and the choice of one."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.random_features._arrays import ArrayHolder, namespace, to_numpy
from sklearn_ext.random_features._solvers import Solution

TIE = 1e-10  # scores closer than this share of them are equal
# how far beyond a step of the grid an eigenvalue may lie that is there but for rounding
EDGE = 1e-6


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

        Ties, scores that differ by no more than rounding, go to the largest ridge.
        """
        scores = np.where(np.isnan(self.scores), -np.inf, self.scores)
        top = scores.max(axis=0)
        tied = scores >= top - TIE * np.abs(top)
        best = len(scores) - 1 - np.argmax(tied[::-1], axis=0)
        if not np.isfinite(top).all():
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
    """Distinct rows that leave-one-out looked at, without their features."""

    Y: np.ndarray  # (m, t)
    w: np.ndarray  # (m,)
    row: np.ndarray  # (n,), the distinct row of each copy
    index: np.ndarray  # (n,), positions of the copies in the data

    @classmethod
    def of(cls, rows):
        """Take rows; of blocks only the first copies are known."""
        if rows.copies is None:
            row, index = np.arange(len(rows)), rows.index
        else:
            copies = rows.copies.of(rows)
            row, index = copies.rows_among(rows), copies.index
        return cls(to_numpy(rows.Y), to_numpy(rows.w), row, index)


def default_alphas(spectrum):
    """Return the mean diagonal of the kernel matrix times powers of ``10 ** (1 / 3)``.

    They span the eigenvalues. The diagonal is that of centred, weighted features, so
    that weights times a constant give alphas times that constant.

    Parameters
    ----------
    spectrum : PrimalSpectrum or DualSpectrum
        The eigenvalues.

    Returns
    -------
    ndarray
        From ``max(30 eps, 1e-10)`` of the largest eigenvalue, or what rounding makes
        of rows that are alike, up to it.
    """
    e, noise = spectrum.e, spectrum.rounding()
    largest = float(e[-1]) if e.shape[0] else 0.0
    if largest <= noise:  # all rows are alike: any ridge will do
        return np.full(1, spectrum.weight / spectrum.n_distinct)
    unit = float(namespace(e).sum(e)) / spectrum.n_distinct
    low = np.log10(max(max(30 * spectrum.eps, 1e-10) * largest, noise) / unit)
    high = np.log10(largest / unit)
    steps = np.arange(np.ceil(3 * low - EDGE), np.floor(3 * high + EDGE) + 1)
    return unit * 10.0 ** (steps / 3)


def mean_squares(R, w):
    """Return weighted mean squares over rows, of shape (a, t); infinity stays."""
    with np.errstate(invalid="ignore"):
        return np.einsum("art,r->at", R * R, w / w.sum())


def generalized(train, dof, n):
    """Return generalised cross-validation errors, infinite where nothing is left."""
    left = np.maximum(1 - dof / n, 0.0)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 1e-10, train / left**2, np.inf)


def between(alphas, best, n_points=20):
    """Return ridges between the neighbours of the best one."""
    low, high = alphas[max(best - 1, 0)], alphas[min(best + 1, len(alphas) - 1)]
    if not 0 < low < high:
        return np.empty(0)
    inside = np.geomspace(low, high, n_points + 2)[1:-1]
    return inside[~np.isin(inside, alphas)]
