"""From validated rows to features: scaling, then a map of any kind."""

import warnings
from dataclasses import dataclass, fields

import joblib
import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    float64,
    is_array,
    namespace,
    single,
    to_numpy,
)
from sklearn_ext._numerics._random_features import rounding_of_means
from sklearn_ext.random_features._maps._maps import UserMap

FAR = 64  # deviations of all columns that their means may lie from zero
MANY_ROWS = 20_000  # beyond, the kernel matrix alone takes gigabytes


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


def _moments(X, w):
    """Return weighted mean and variance of each column, in double precision."""
    X, w = float64(X), float64(w)
    w = w / namespace(w).sum(w)
    mean = w @ X
    if sparse.issparse(X):
        return mean, w @ X.multiply(X) - mean**2
    return mean, w @ (X - mean) ** 2


def is_blurred_by_means(X, w):
    """Whether single precision would blur the rows' differences by what they share."""
    if not single(X):
        return False
    xp = namespace(X)
    w = xp.astype(w, X.dtype)
    w = w / xp.sum(w)
    mean = w @ X  # single precision tells the two sides of a comparison apart
    squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else xp.sum(X * X, axis=1)
    shared = float(mean @ mean)
    return shared > FAR**2 * (float(w @ squares) - shared)


@dataclass(frozen=True)
class Features(ArrayHolder):
    """Scaling and map: rows in, features out."""

    scaler: Scaler | None
    map: ArrayHolder
    double: bool = False  # whether rows in single precision need double precision

    def __call__(self, X):
        """Return the features, of shape (n_samples, n_components)."""
        X = X if self.scaler is None else self.scaler(X)
        return self.map(float64(X) if self.double else X)

    def like(self, x):
        """Return a copy in the namespace, device and precision for rows like ``x``."""
        wide = float64(x[:1, ...])
        scaler = None if self.scaler is None else self.scaler.like(wide)
        return Features(scaler, self.map.like(wide if self.double else x), self.double)

    def in_single(self):
        """Return what two maps of rows in single precision have in common.

        Which of them needs double precision may hang on the rows that each has seen.
        """
        if not self.double:
            return self
        narrow = self.map.convert(
            lambda v: namespace(v).astype(v, namespace(v).float32)
        )
        return Features(self.scaler, narrow)

    def width(self, X):
        """Return the number of features."""
        if isinstance(self.map, UserMap):
            return self(X[:1]).shape[1]
        return self.map.n_components


def same(one, two):
    """Whether two holders of arrays are equal in every field."""
    if type(one) is not type(two):
        return False
    if isinstance(one, UserMap):
        return joblib.hash(one.transformer) == joblib.hash(two.transformer)
    if isinstance(one, ArrayHolder):
        names = (field.name for field in fields(one))
        return all(same(getattr(one, name), getattr(two, name)) for name in names)
    if is_array(one):
        return np.array_equal(to_numpy(one), to_numpy(two))
    return one == two


def warn_of_memory(n):
    """Warn before a kernel matrix of many rows is allocated."""
    if n > MANY_ROWS:
        warnings.warn(
            f"n_components='infinite' with {n} rows needs at least "
            f"{8 * n**2 / 2**30:.1f} GiB for the kernel matrix. A finite n_components "
            "needs no such matrix.",
            UserWarning,
            stacklevel=6,
        )
