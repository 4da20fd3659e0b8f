"""The head: ridge in closed form, and what it says of rows that were left out.

Rows that are equal in all columns are one row, with their summed weight and their mean
target, and are left out together. Nothing else is approximate: one eigendecomposition
serves all ridges, on the side of the columns or of the rows, whichever is smaller.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    RidgeMoments,
)

GRID = np.logspace(-4, 2.5, 20)  # times the mean diagonal of the weighted kernel
ENDS = (1e-9, 1e5)  # up to where the grid is widened
TIE = 1e-9  # of the error, within which the larger ridge is taken
LIGHT = 1e-16  # of the largest weight: left out or not, the others say the same
MARGIN = 0.5  # confidence with which a mixture has to better the views
CELLS = 2**22  # of residuals that are held at a time


@dataclass(frozen=True)
class WholeRows:
    """Labelled rows, equal ones joined."""

    first: np.ndarray  # (m,), positions of distinct rows
    group: np.ndarray  # (n,), whose of them each row is
    w: np.ndarray  # (m,), summed weights
    Y: np.ndarray  # (m, t), mean targets
    own: np.ndarray  # (n,), weights
    within: np.ndarray  # (n, t), targets less their group's mean

    @classmethod
    def of(cls, X, Y, w):
        """Join rows that are equal in all columns of X; weights are positive."""
        rows = EqualRows.in_either_precision(X, w=w)
        mean = np.empty((len(rows), Y.shape[1]))
        for j, column in enumerate(Y.T):
            sums = np.bincount(rows.group, weights=w * column, minlength=len(rows))
            mean[:, j] = sums / rows.weight
        return cls(rows.first, rows.group, rows.weight, mean, w, Y - mean[rows.group])

    def __len__(self):
        return len(self.first)

    @property
    def spread(self):
        """Weighted mean of squares that no model of the columns can explain, (t,)."""
        return (self.own / self.own.sum()) @ self.within**2

    @property
    def variance(self):
        """Weighted variance of the targets, of shape (t,)."""
        share = self.w / self.w.sum()
        return share @ (self.Y - share @ self.Y) ** 2 + self.spread


@dataclass(frozen=True)
class Head:
    """A fitted ridge, and its residuals of distinct rows that were left out."""

    alpha: float
    coef: np.ndarray  # (k, t)
    intercept: np.ndarray  # (t,)
    residual: np.ndarray  # (m, t)
    error: float  # weighted mean over rows of summed squares, left out

    @classmethod
    def of(cls, V, rows, alphas=None):
        """Fit to columns of the distinct rows.

        Parameters
        ----------
        V : ndarray of shape (m, k)
            Columns.
        rows : WholeRows
            Targets and weights.
        alphas : array-like or None, default=None
            Ridges to choose from; None is a grid relative to the weighted kernel.

        Returns
        -------
        Head
            That of the least error of rows that were left out.
        """
        mean = (rows.w / rows.w.sum()) @ rows.Y
        if len(rows) < 2 or not V.shape[1]:
            return cls._constant(V.shape[1], rows, mean)
        problem = _Problem.of(V, rows)
        if alphas is not None:
            grid = np.unique(np.asarray(alphas, dtype=np.float64))
            errors = problem.errors(grid)
        else:
            grid, errors = _widened(problem)
        least = errors.min()
        if not np.isfinite(least):
            return cls._constant(V.shape[1], rows, mean)
        best = float(grid[_best(errors)])
        coef, intercept = problem.spectrum.solve([best] * rows.Y.shape[1])
        (residual,) = problem.residuals([best])
        light = rows.w < LIGHT * rows.w.max()
        residual[light] = rows.Y[light] - V[light] @ coef - intercept
        error = float(rows.spread.sum() + least)
        return cls(best, coef, intercept, residual, error)

    @classmethod
    def _constant(cls, k, rows, mean):
        """Return the weighted mean of the targets; one row alone tells no error."""
        left = 1 - rows.w / rows.w.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = (rows.Y - mean) / left[:, None]
        if len(rows) < 2:
            residual = np.full_like(residual, np.nan)
        share = rows.w / rows.w.sum()
        error = float(rows.spread.sum() + (share @ residual**2).sum())
        return cls(np.inf, np.zeros((k, len(mean))), mean, residual, error)

    def mixed(self, other, share, rows):
        """Return what a mixture of the predictions of both says of rows left out."""
        residual = self.residual + share * (other.residual - self.residual)
        weight = rows.w / rows.w.sum()
        error = float(rows.spread.sum() + weight @ (residual**2).sum(axis=1))
        return replace(self, residual=residual, error=error)

    def predictions(self, rows):
        """Return the predictions of each labelled row by a model that left it out."""
        return (rows.Y - self.residual)[rows.group]


@dataclass(frozen=True)
class _Problem:
    V: np.ndarray
    rows: WholeRows
    spectrum: PrimalSpectrum | DualSpectrum

    @classmethod
    def of(cls, V, rows):
        if len(V) > V.shape[1]:
            moments = RidgeMoments.of(V.copy(), rows.Y, rows.w)
            return cls(V, rows, PrimalSpectrum.of(moments))
        kernel = CentredKernel.of_features(V.copy(), rows.Y, rows.w)
        return cls(V, rows, DualSpectrum.of(kernel))

    def residuals(self, alphas):
        if isinstance(self.spectrum, DualSpectrum):
            return self.spectrum.leave_one_out(alphas)
        return np.concatenate(list(self._blocks(alphas)), axis=1)

    def errors(self, alphas):
        """Return the weighted mean of squared residuals for each ridge."""
        share, start = self.rows.w / self.rows.w.sum(), 0
        dual = isinstance(self.spectrum, DualSpectrum)
        parts = [self.residuals(alphas)] if dual else self._blocks(alphas)
        total = np.zeros(len(alphas))
        for part in parts:
            here = share[start : start + part.shape[1]]
            total += np.einsum("ait,ait,i->a", part, part, here)
            start += part.shape[1]
        return total

    def _blocks(self, alphas):
        size = max(1, CELLS // (len(alphas) * self.rows.Y.shape[1]))
        for at in blocks(len(self.V), size):
            batch = self.V[at].copy(), self.rows.Y[at], self.rows.w[at]
            yield self.spectrum.leave_one_out(alphas, [batch])

    @property
    def unit(self):
        """Mean diagonal of the weighted kernel of distinct rows."""
        return float(self.spectrum.e.sum()) / len(self.rows)


def _widened(problem):
    """Return the grid, as wide as its best ridge is not at an end, and its errors."""
    unit = problem.unit
    if not unit > 0:
        grid = np.ones(1)
        return grid, problem.errors(grid)
    relative, step = GRID, GRID[1] / GRID[0]
    errors = problem.errors(unit * relative)
    for low in (True, False):
        while True:
            end = 0 if low else len(relative) - 1
            if _best(errors) != end or not ENDS[0] < relative[end] < ENDS[1]:
                break
            more = relative[end] * step ** np.arange(1.0, 7.0)
            if low:
                more = relative[end] ** 2 / more[::-1]
            parts = [(more, problem.errors(unit * more)), (relative, errors)]
            parts = parts if low else parts[::-1]
            relative, errors = (
                np.concatenate(part) for part in zip(*parts, strict=True)
            )
    return unit * relative, errors


def _best(errors):
    """Return the place of the largest ridge whose error is the least."""
    return int(np.flatnonzero(errors <= errors.min() * (1 + TIE))[-1])


def raw_share(raw, head, rows):
    """Return the share of the plain ridge in the mixture of both that errs least.

    Residuals of rows left out by a mixture are the mixture of residuals, so the best
    share is a quotient. It is zero unless the mixture betters the views by two thirds
    of a standard error: that much is the price of having chosen it.

    Parameters
    ----------
    raw, head : Head
        Plain ridge and views, on the same rows.
    rows : WholeRows
        The rows.

    Returns
    -------
    float
        From 0, the views alone, to 1, the plain ridge alone.
    """
    if len(rows) < 3:
        return 0.0
    apart = head.residual - raw.residual
    size = float(rows.w @ (apart**2).sum(axis=1))
    if not size > 0:
        return 0.0
    share = float(rows.w @ (apart * head.residual).sum(axis=1)) / size
    share = min(max(share, 0.0), 1.0)
    _, interval = paired_gain(head, head.mixed(raw, share, rows), rows, MARGIN)
    return share if interval[0] > 0 else 0.0


def paired_gain(one, other, rows, confidence_level):
    """Return by how much the error of the other is less, with an interval.

    Parameters
    ----------
    one, other : Head
        Heads on the same rows.
    rows : WholeRows
        The rows.
    confidence_level : float
        Of the interval.

    Returns
    -------
    gain : float
        Error of ``one`` less error of ``other``.
    interval : ndarray of shape (2,)
        By Student from the differences of distinct rows; NaN for fewer than three.
    """
    gains = (one.residual**2).sum(axis=1) - (other.residual**2).sum(axis=1)
    share, m = rows.w / rows.w.sum(), len(rows)
    gain = float(share @ gains)
    if m < 3:
        return gain, np.full(2, np.nan)
    error = np.sqrt((share**2 @ (gains - gain) ** 2) * m / (m - 1))
    half = stats.t.ppf((1 + confidence_level) / 2, m - 1) * error
    return gain, np.array([gain - half, gain + half])
