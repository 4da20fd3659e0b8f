"""The columns of the ridge: those of the table, or a map of them that is frozen early.

Sums of a map's columns add only if the map stays as it is. So it takes centre, scale
and weights from the first rows and is never changed again; rows that come later and
are far from these are clipped.
"""

from dataclasses import dataclass
from math import factorial, pi

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array

from sklearn_ext._numerics._random_features import draw_phases, gaussian_weights
from sklearn_ext.bandits._log import check_size

CLIP = 3.0  # standard deviations; heavy tails and columns that were constant at first
EPS = 10 * np.finfo(np.float64).eps
SINE = [(-1) ** i * pi ** (2 * i + 1) / factorial(2 * i + 1) for i in range(11)]
CELLS = 2**13  # of the waves, computed at a time so that they stay in the cache


def with_seed(model, seed, *, everywhere=False):
    """Give a model a seed wherever it has none, or everywhere, pipelines included."""
    given = {
        name: seed
        for name, value in model.get_params().items()
        if name.split("__")[-1] == "random_state" and (everywhere or value is None)
    }
    return model.set_params(**given) if given else model


@dataclass(frozen=True)
class PlainColumns:
    """The columns themselves; the ridge is scaled by their variances."""

    scaled = False

    def n_columns(self, n_components):
        """Return how many components are columns; the others are waves."""
        return n_components

    def __call__(self, X):
        """Return the columns."""
        return X


@dataclass(frozen=True)
class Transformed:
    """What a fitted transformer makes of the columns."""

    transformer: object
    scaled = False

    @classmethod
    def of(cls, transformer, X, seed):
        """Fit a clone to the first rows."""
        return cls(with_seed(clone(transformer), seed).fit(X, None))

    def n_columns(self, n_components):
        """Return how many components are columns; the others are waves."""
        return n_components

    def __call__(self, X):
        """Return the transformed columns, dense and in double precision."""
        Z = self.transformer.transform(X)
        Z = Z.toarray() if hasattr(Z, "toarray") else np.asarray(Z, dtype=np.float64)
        if Z.ndim != 2 or len(Z) != len(X):
            raise ValueError(
                f"feature_map={type(self.transformer).__name__} must return a table of "
                f"{len(X)} rows, got the shape {Z.shape}."
            )
        name = f"feature_map={type(self.transformer).__name__}"
        return check_array(Z, input_name=f"What {name} returns")


@dataclass(frozen=True)
class Waves:
    """Standardised, clipped columns z, and waves ``cos(z W + b) / 2`` beside them.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Of the first rows; a constant column has scale one.
    weights : ndarray of shape (n_features, n_components)
        Frequencies in turns: normal with variance ``1 / n_features``, over two pi.
    phases : ndarray of shape (n_components,)
        Phases in turns.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    phases: np.ndarray
    scaled = True  # its columns have a fixed scale

    @classmethod
    def of(cls, X, w, n_components, rng):
        """Draw waves for columns that are standardised by these weighted rows."""
        check_size(X)
        d = X.shape[1]
        share = w / w.sum()
        mean = X[0] + share @ (X - X[0])
        scale = np.sqrt(share @ (X - mean) ** 2)
        scale = np.where(scale > EPS * np.abs(mean), scale, 1.0)
        weights = gaussian_weights(d, n_components, "iid", rng) / np.sqrt(d)
        phases = draw_phases(n_components, rng)
        return cls(mean, scale, weights / (2 * pi), phases / (2 * pi))

    def n_columns(self, n_components):
        """Return how many components are columns; the others are waves."""
        return n_components - len(self.phases)

    def __call__(self, X):
        """Return ``n_features + n_components`` columns."""
        d = X.shape[1]
        out = np.empty((len(X), d + len(self.phases)))
        z = (X - self.mean) / self.scale
        np.maximum(z, -CLIP, out=z)
        np.minimum(z, CLIP, out=out[:, :d])
        turns = out[:, :d] @ self.weights
        turns += self.phases
        out[:, d:] = half_cosine(turns)
        return out


def half_cosine(turns):
    """Return half the cosine of angles in turns, overwriting them.

    ``cos(2 pi t) = 1 - 2 sin(pi t)^2``, and the sine of at most a quarter of a turn is
    a polynomial of degree 21: exact to 1e-14, in a tenth of the time of `numpy.cos`.
    """
    flat = turns.reshape(-1)
    for start in range(0, len(flat), CELLS):
        t = flat[start : start + CELLS]
        t -= np.rint(t)
        square = t * t
        sine = np.full_like(t, SINE[-1])
        for term in SINE[-2::-1]:
            sine *= square
            sine += term
        sine *= t
        np.multiply(sine, sine, out=t)
        np.subtract(0.5, t, out=t)
    return turns
