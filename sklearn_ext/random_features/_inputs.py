"""From validated rows to features: scaling, then a map of any kind."""

import warnings
from dataclasses import dataclass, fields
from typing import Any

import joblib
import numpy as np
from scipy import sparse

from sklearn_ext.random_features._arrays import (
    ArrayHolder,
    dense,
    is_array,
    like,
    namespace,
    to_numpy,
)
from sklearn_ext.random_features._kernels import Kernel

MANY_ROWS = 20_000  # beyond, the kernel matrix alone takes gigabytes


@dataclass(frozen=True)
class Scaler(ArrayHolder):
    """Columns to mean zero and variance one; sparse rows are not centred."""

    mean: np.ndarray | None  # (d,)
    scale: np.ndarray  # (d,)

    @classmethod
    def of(cls, X, w):
        """Measure the weighted mean and deviation of each column."""
        xp = namespace(X)
        w = xp.astype(w, X.dtype) / xp.sum(xp.astype(w, X.dtype))
        mean = w @ X
        rounding = X.shape[0] * float(xp.finfo(X.dtype).eps)
        if sparse.issparse(X):  # a difference of squares: its noise is theirs
            variance, noise = w @ X.multiply(X) - mean**2, rounding * mean**2
        else:
            variance, noise = w @ (X - mean) ** 2, (rounding * mean) ** 2
        variance = xp.where(variance > noise, variance, xp.ones_like(variance))
        return cls(None if sparse.issparse(X) else mean, xp.sqrt(variance))

    def __call__(self, X):
        """Return scaled rows."""
        if sparse.issparse(X):
            if self.mean is not None:
                raise ValueError(
                    "standardize=True has centred the dense rows of the first fit, got "
                    "sparse rows, which it cannot centre. Pass dense rows, or fit to "
                    "sparse ones."
                )
            return X.multiply(1 / self.scale[None, :]).tocsr()
        return (X if self.mean is None else X - self.mean) / self.scale


@dataclass(frozen=True)
class InfiniteMap(ArrayHolder):
    """Kernel values with the training rows: the features of the dual form."""

    kernel: Kernel
    rows: np.ndarray  # (n, d)

    def __call__(self, X):
        """Return ``k(x, rows)``."""
        return self.kernel(X, self.rows)


@dataclass(frozen=True)
class UserMap(ArrayHolder):
    """The features of a transformer that the user supplied."""

    transformer: Any

    def __call__(self, X):
        """Return the transformer's output as a dense array that may be overwritten."""
        Phi = dense(self.transformer.transform(X))
        if hasattr(Phi, "to_numpy"):
            Phi = Phi.to_numpy()
        return Phi if Phi is not X and is_array(Phi) and _owned(Phi) else like(+Phi, X)


def _owned(Phi):
    return not isinstance(Phi, np.ndarray) or (
        Phi.base is None and Phi.flags.writeable and Phi.dtype.kind == "f"
    )


@dataclass(frozen=True)
class Features(ArrayHolder):
    """Scaling and map: rows in, features out."""

    scaler: Scaler | None
    map: ArrayHolder

    def __call__(self, X):
        """Return the features, of shape (n_samples, n_components)."""
        return self.map(X if self.scaler is None else self.scaler(X))

    def width(self, X):
        """Return the number of features."""
        if isinstance(self.map, InfiniteMap):
            return self.map.rows.shape[0]
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
