"""The columns of the ridge: those of the table, or a map of them that is frozen early.

Sums of a map's columns add only if the map stays as it is. So it takes centre, scale
and weights from the first rows and is never changed again; rows that come later and
are far from these are clipped.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from sklearn_ext._numerics._random_features import draw_phases, gaussian_weights, waves

CLIP = 3.0  # standard deviations; heavy tails and columns that were constant at first
EPS = 10 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class PlainColumns:
    """The columns themselves; the ridge is scaled by their variances."""

    scaled = False

    def __call__(self, X):
        """Return the columns."""
        return X


@dataclass(frozen=True)
class Transformed:
    """What a fitted transformer makes of the columns."""

    transformer: object
    scaled = False

    @classmethod
    def of(cls, transformer, X):
        """Fit a clone to the first rows."""
        return cls(clone(transformer).fit(X, None))

    def __call__(self, X):
        """Return the transformed columns, dense and in double precision."""
        Z = self.transformer.transform(X)
        Z = Z.toarray() if hasattr(Z, "toarray") else np.asarray(Z, dtype=np.float64)
        if Z.ndim != 2 or len(Z) != len(X):
            raise ValueError(
                f"feature_map={type(self.transformer).__name__} must return a table of "
                f"{len(X)} rows, got the shape {Z.shape}."
            )
        return Z


@dataclass(frozen=True)
class Waves:
    """Standardised, clipped columns z, and waves ``cos(z W + b) / 2`` beside them.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Of the first rows; a constant column has scale one.
    weights : ndarray of shape (n_features, n_components)
        Frequencies, normal with variance ``1 / n_features``.
    phases : ndarray of shape (n_components,)
        Phases.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    phases: np.ndarray
    scaled = True  # its columns have a fixed scale

    @classmethod
    def of(cls, X, w, n_components, rng):
        """Draw waves for columns that are standardised by these weighted rows."""
        d = X.shape[1]
        share = w / w.sum()
        mean = X[0] + share @ (X - X[0])
        scale = np.sqrt(share @ (X - mean) ** 2)
        scale = np.where(scale > EPS * np.abs(mean), scale, 1.0)
        weights = gaussian_weights(d, n_components, "iid", rng) / np.sqrt(d)
        return cls(mean, scale, weights, draw_phases(n_components, rng))

    def __call__(self, X):
        """Return ``n_features + n_components`` columns."""
        z = np.clip((X - self.mean) / self.scale, -CLIP, CLIP)
        k = len(self.phases)
        if k == 0:
            return z
        height = 0.5 / np.sqrt(2 / k)
        return np.hstack([z, height * waves(z @ self.weights + self.phases, k)])
