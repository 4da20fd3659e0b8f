"""Columns on one scale: standardised, softly clipped, or by their quantiles.

Every scaling is measured with weights, so that repetition of a row and its weight are
the same, and a constant factor of all weights changes nothing. What moves zeros makes
sparse rows dense.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    dense,
    float64,
    like,
    namespace,
    to_numpy,
)
from sklearn_ext._numerics._quantiles import normal_scores
from sklearn_ext._numerics._random_features import rounding_of_means

SCALINGS = ("standard", "clip", "quantile")
LIMIT = 3.0  # deviations that clipped columns and normal quantiles do not pass
N_LEVELS = 128  # of a column, at whose values its quantiles are interpolated


@dataclass(frozen=True)
class Scaler(ArrayHolder):
    """Columns to mean zero and variance one; sparse rows are not centred."""

    mean: np.ndarray | None  # (d,)
    scale: np.ndarray  # (d,)

    @classmethod
    def of(cls, X, w):
        """Measure the weighted mean and deviation of each column."""
        xp, rounding = namespace(X), rounding_of_means(X)
        mean, variance = _moments(X, w)
        # of sparse rows a difference of squares: its noise is theirs
        noise = rounding * mean**2 if sparse.issparse(X) else (rounding * mean) ** 2
        variance = xp.where(variance > noise, variance, xp.ones_like(variance))
        return cls(None if sparse.issparse(X) else mean, xp.sqrt(variance))

    def __call__(self, X):
        """Return scaled rows, in their precision but computed in double."""
        if sparse.issparse(X):
            if self.mean is not None:
                raise ValueError(
                    "standardize=True has centred the dense rows of the first fit, got "
                    "sparse rows, which it cannot centre. Pass dense rows, or fit to "
                    "sparse ones."
                )
            scale = (1 / self.scale).astype(X.dtype)
            return X.multiply(scale[None, :]).tocsr()
        wide = float64(X)
        wide = (wide if self.mean is None else wide - self.mean) / self.scale
        return namespace(X).astype(wide, X.dtype, copy=False)


@dataclass(frozen=True)
class Clip(ArrayHolder):
    """Standardised columns that bend: ``z / sqrt(1 + (z / 3) ** 2)``."""

    scaler: Scaler

    @classmethod
    def of(cls, X, w):
        """Measure the weighted mean and deviation of each column."""
        return cls(Scaler.of(dense(X), w))

    def __call__(self, X):
        """Return scaled rows, none of them beyond the limit."""
        X = dense(X)
        z = self.scaler(float64(X))
        z = z / namespace(z).sqrt(1 + (z / LIMIT) ** 2)
        return namespace(X).astype(z, X.dtype, copy=False)


@dataclass(frozen=True)
class Quantiles(ArrayHolder):
    """Columns to normal quantiles of their weighted ranks, cut off at the limit.

    A value has the rank of the middle of its weight; between known values quantiles are
    interpolated, beyond them they stay.
    """

    values: np.ndarray  # (d, m), ascending, the last one repeated
    levels: np.ndarray  # (d, m)

    @classmethod
    def of(cls, X, w):
        """Rank the values of each column."""
        X = dense(X)
        table, weights = to_numpy(float64(X)), to_numpy(float64(w))
        knots = [
            normal_scores(x, weights, limit=LIMIT, n_levels=N_LEVELS) for x in table.T
        ]
        m = max(len(values) for values, _ in knots)
        stacked = [
            np.stack([np.pad(row, (0, m - len(row)), mode="edge") for row in rows])
            for rows in zip(*knots, strict=True)
        ]
        return cls(*(like(rows, float64(X[:1, ...])) for rows in stacked))

    def __call__(self, X):
        """Return quantiles in the precision of the rows."""
        X = dense(X)
        table = to_numpy(float64(X))
        values, levels = to_numpy(self.values), to_numpy(self.levels)
        columns = zip(table.T, values, levels, strict=True)
        return like(np.stack([np.interp(*column) for column in columns], axis=1), X)


def scaling(name, X, w):
    """Measure the scaling of a name, or none.

    Parameters
    ----------
    name : {"standard", "clip", "quantile"} or bool
        ``True`` is ``"standard"``.
    X : array of shape (n_samples, n_features)
        The rows.
    w : array of shape (n_samples,)
        Their weights.

    Returns
    -------
    Scaler, Clip, Quantiles or None
        The scaling.
    """
    if name is False:
        return None
    forms = {True: Scaler, "standard": Scaler, "clip": Clip, "quantile": Quantiles}
    return forms[name].of(X, w)


def _moments(X, w):
    """Return weighted mean and variance of each column, in double precision."""
    X, w = float64(X), float64(w)
    w = w / namespace(w).sum(w)
    mean = w @ X
    if sparse.issparse(X):
        return mean, w @ X.multiply(X) - mean**2
    return mean, w @ (X - mean) ** 2
