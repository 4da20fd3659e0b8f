"""The kernels that random features approximate, exactly."""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy import sparse, special
from sklearn.metrics.pairwise import manhattan_distances

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
        d, bias = X.shape[1], self.bias_scale**2
        parts = dense(X @ Y.T) / d, _squared_norms(X) / d, _squared_norms(Y) / d
        if self.name == "erf":
            return _arc_sine(*parts)
        if self.name in _ORDERS:
            return _arc_cosine(_ORDERS[self.name], *parts)
        neurons = _arc_cosine(1, *(part + bias for part in parts))
        if self.name == "relu":
            return neurons
        return neurons + parts[0] * _arc_cosine(0, *parts)  # and their derivatives


def _rows(X):
    """Take lists and tables of users beside the arrays of our own."""
    if is_array(X) or sparse.issparse(X):
        return float64(X)
    return np.asarray(X, dtype=np.float64)


def _squared_norms(X):
    if sparse.issparse(X):  # entries may be stored in parts: row_norms squares these
        return np.asarray(X.multiply(X).sum(axis=1)).ravel()
    if is_numpy(X):
        return np.einsum("ij,ij->i", X, X)
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


_STATIONARY = {"rbf": _rbf, "laplacian": _laplacian, "matern": _matern}
_ORDERS = {"step": 0, "relu2": 2}


def _arc_cosine(order, products, norms_x, norms_y):
    """Return the kernel of neurons ``max(w.x, 0) ** order``."""
    xp = namespace(products)
    lengths = xp.sqrt(norms_x)[:, None] * xp.sqrt(norms_y)[None, :]
    seen = lengths > 0  # a zero row is at a right angle to all, and fires no neuron
    cosine = products / xp.where(seen, lengths, xp.ones_like(lengths))
    cosine = xp.clip(cosine, min=-1.0, max=1.0)
    angle = pi - xp.acos(cosine)
    if order == 0:
        return xp.where(seen, angle / pi, xp.zeros_like(angle))
    sine = xp.sqrt(1 - cosine * cosine)
    if order == 1:
        return lengths * (sine + angle * cosine) / pi
    bracket = 3 * sine * cosine + angle * (1 + 2 * cosine * cosine)
    return lengths * lengths * bracket / (3 * pi)


def _arc_sine(products, norms_x, norms_y):
    xp = namespace(products)
    scale = xp.sqrt(1 + 2 * norms_x)[:, None] * xp.sqrt(1 + 2 * norms_y)[None, :]
    return xp.asin(xp.clip(2 * products / scale, min=-1.0, max=1.0)) * (2 / pi)
