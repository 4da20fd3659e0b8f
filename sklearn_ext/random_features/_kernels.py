"""The kernels that random features approximate, exactly."""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy import sparse, special
from sklearn.metrics.pairwise import manhattan_distances
from sklearn.utils.extmath import row_norms

from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    dense,
    exp,
    float64,
    is_array,
    is_numpy,
    like,
    namespace,
    relu,
    to_numpy,
)

STATIONARY = ("rbf", "laplacian", "matern")  # functions of x - x'; the others of angles
KERNELS = ("relu", "step", "relu2", "erf", "ntk", *STATIONARY)


@dataclass(frozen=True)
class Kernel(ArrayHolder):
    """A kernel by name; ``kernel(X, Y)`` is its matrix, in double precision.

    Angles and products of ``"relu"``, ``"step"``, ``"relu2"``, ``"erf"`` and ``"ntk"``
    follow from infinitely many neurons with Gaussian weights, the others from Bochner's
    theorem.
    """

    name: str
    gamma: float | None = None
    nu: float = 1.5
    length_scale: float | None = None
    bias_scale: float = 0.5

    def __call__(self, X, Y=None):
        """Return ``K`` of shape (n_samples_X, n_samples_Y)."""
        X = _rows(X)
        Y = X if Y is None else _rows(Y)
        if self.name in STATIONARY:
            return _STATIONARY[self.name](self, X, Y)
        d = X.shape[1]
        products = dense(X @ Y.T) / d
        norms = _squared_norms(X) / d, _squared_norms(Y) / d
        return _ANGULAR[self.name](self, products, *norms)


def _rows(X):
    """Take lists and tables of users beside the arrays of our own."""
    if is_array(X) or sparse.issparse(X):
        return float64(X)
    return np.asarray(X, dtype=np.float64)


def _squared_norms(X):
    if sparse.issparse(X) or is_numpy(X):
        return row_norms(X, squared=True)
    return namespace(X).sum(X * X, axis=1)


def _squared_distances(X, Y):
    xp = namespace(X)
    if not (sparse.issparse(X) or sparse.issparse(Y)):  # squares of what they share
        centre = xp.mean(Y, axis=0)
        X, Y = X - centre, Y - centre
    D = dense(X @ Y.T)
    D *= -2.0
    D += _squared_norms(X)[:, None]
    D += _squared_norms(Y)[None, :]
    return relu(D)


def _rbf(kernel, X, Y):
    D = _squared_distances(X, Y)
    D *= -kernel.gamma
    return exp(D)


def _narrow(X):
    """Return sparse rows with the indices that scikit-learn's distances take."""
    if not sparse.issparse(X):
        return X
    X = X.tocsr()
    indices, indptr = (i.astype(np.int32, copy=False) for i in (X.indices, X.indptr))
    return sparse.csr_array((X.data, indices, indptr), shape=X.shape)


def _laplacian(kernel, X, Y):
    if sparse.issparse(X) or is_numpy(X):
        D = manhattan_distances(_narrow(X), _narrow(Y)).astype(X.dtype, copy=False)
        return np.exp(-kernel.gamma * D)
    xp = namespace(X)
    D = xp.abs(X[:, 0][:, None] - Y[:, 0][None, :])
    for j in range(1, X.shape[1]):  # one by one: the memory of one matrix, not of d
        D += xp.abs(X[:, j][:, None] - Y[:, j][None, :])
    return xp.exp(-kernel.gamma * D)


def _matern(kernel, X, Y):
    xp, nu = namespace(X), kernel.nu
    D = xp.sqrt(_squared_distances(X, Y)) * (sqrt(2 * nu) / kernel.length_scale)
    if nu == 0.5:
        return xp.exp(-D)
    if nu == 1.5:
        return (1 + D) * xp.exp(-D)
    if nu == 2.5:
        return (1 + D + D * D / 3) * xp.exp(-D)
    d = np.asarray(to_numpy(D), dtype=np.float64)
    positive = np.maximum(d, np.finfo(np.float64).tiny ** (1 / (nu + 2)))
    log_scale = (1 - nu) * np.log(2) - special.gammaln(nu)
    scaled = special.kve(nu, positive)  # kv * exp(positive): no underflow far away
    K = scaled * np.exp(log_scale + nu * np.log(positive) - positive)
    return like(np.where(d == 0, 1.0, K), D)


def _angles(products, norms_x, norms_y):
    """Return ``|x| |y|`` and the cosine of the angle, zero vectors at a right angle."""
    xp = namespace(products)
    lengths = xp.sqrt(norms_x)[:, None] * xp.sqrt(norms_y)[None, :]
    safe = xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    return lengths, xp.clip(products / safe, min=-1.0, max=1.0)


def _relu(kernel, products, norms_x, norms_y):
    xp, bias = namespace(products), kernel.bias_scale**2
    lengths, cosine = _angles(products + bias, norms_x + bias, norms_y + bias)
    sine = xp.sqrt(1 - cosine * cosine)
    return lengths * (sine + (pi - xp.acos(cosine)) * cosine) / pi


def _step(kernel, products, norms_x, norms_y):
    xp = namespace(products)
    lengths, cosine = _angles(products, norms_x, norms_y)
    K = (pi - xp.acos(cosine)) / pi
    return xp.where(lengths > 0, K, xp.zeros_like(K))  # a zero row fires no neuron


def _relu2(kernel, products, norms_x, norms_y):
    xp = namespace(products)
    lengths, cosine = _angles(products, norms_x, norms_y)
    sine = xp.sqrt(1 - cosine * cosine)
    bracket = 3 * sine * cosine + (pi - xp.acos(cosine)) * (1 + 2 * cosine * cosine)
    return lengths * lengths * bracket / (3 * pi)


def _erf(kernel, products, norms_x, norms_y):
    xp = namespace(products)
    scale = xp.sqrt(1 + 2 * norms_x)[:, None] * xp.sqrt(1 + 2 * norms_y)[None, :]
    return xp.asin(xp.clip(2 * products / scale, min=-1.0, max=1.0)) * (2 / pi)


def _ntk(kernel, products, norms_x, norms_y):
    features = _relu(kernel, products, norms_x, norms_y)
    return features + products * _step(kernel, products, norms_x, norms_y)


_STATIONARY = {"rbf": _rbf, "laplacian": _laplacian, "matern": _matern}
_ANGULAR = {
    "relu": _relu,
    "step": _step,
    "relu2": _relu2,
    "erf": _erf,
    "ntk": _ntk,
}
