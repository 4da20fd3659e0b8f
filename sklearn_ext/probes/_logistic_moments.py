"""Moments of the rows, and what follows from them: a preconditioner and a start."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

Array = Any  # of NumPy or torch


@dataclass(frozen=True)
class Moments:
    """Weighted moments about the mean (about zero without an intercept)."""

    classes: Array  # (n_classes, n_features), sums of each class
    second: Array  # (n_features, n_features), or its diagonal (n_features,)
    decorrelated: bool = False  # the diagonal is all there is

    def turn(self, arrays) -> tuple["Moments", Array]:
        """Turn to uncorrelated features; return the basis, (n_features, n_features)."""
        values, vectors = arrays.eigh(self.second)
        return Moments(self.classes @ vectors, values.clip(0), True), vectors.T


def column_means(X, w, arrays) -> Array:
    """Weighted mean of each column, for weights that sum to one."""
    if sparse.issparse(X):
        return X.T @ w.astype(np.float64)
    pivot = X[0]  # against cancellation
    parts = (arrays.double(w[rows] @ (X[rows] - pivot)) for rows in _steps(X))
    return sum(parts, start=arrays.double(pivot))


def moments(X, y, w, mean, n_classes, arrays, *, full=True) -> Moments:
    """Compute both moments; ``full=False`` for the diagonal of the second.

    Products are in the dtype of X, sums over batches in float64.
    """
    if sparse.issparse(X):
        return _sparse_moments(X, y, w, mean, n_classes, arrays, full)
    centre = arrays.cast(mean, X)
    classes = second = 0.0
    for rows in _steps(X):
        B = X[rows] - centre
        classes = classes + arrays.double(
            arrays.class_sums(B, y[rows], w[rows], n_classes)
        )
        if full:
            B *= (w[rows] ** 0.5)[:, None]
            second = second + arrays.double(B.T @ B)
        else:
            second = second + arrays.double(w[rows] @ B**2)
    return Moments(classes, second)


def _sparse_moments(X, y, w, mean, n_classes, arrays, full):
    w = w.astype(np.float64)
    weight = np.bincount(y, w, minlength=n_classes)
    classes = arrays.class_sums(X, y, w, n_classes) - np.outer(weight, mean)
    if full:
        second = (X.T @ X.multiply(w[:, None]).tocsr()).toarray() - np.outer(mean, mean)
    else:
        second = np.maximum(X.multiply(X).T @ w - mean**2, 0)
    return Moments(classes, second)


def _steps(X, size=4096):
    return [slice(start, start + size) for start in range(0, X.shape[0], size)]


@dataclass(frozen=True)
class Preconditioner:
    """The inverse of ``curvature * S + penalty * I`` for each class, S diagonal.

    At any point the block of the Hessian that belongs to one class is a second moment
    of the rows weighted by ``p (1 - p)``; here the weights are replaced by their mean.
    """

    values: Array  # (rank,), the second moment of the rows in the objective's basis

    def __call__(self, theta, curvature: Array, penalty: float, objective) -> Array:
        """Apply the inverse to a flat vector."""
        G, g = objective.split(theta)
        curvature = curvature.clip(max(1e-2 * float(curvature.mean()), 1e-12))
        G = G / (curvature[:, None] * self.values + penalty)
        g = g / curvature
        if len(g) > 1:  # what all classes share changes no probability
            G, g = G - G.mean(0), g - g.mean()
        return objective.arrays.flat(G, g)

    def shrink(self, theta, curvature, old: float, new: float, objective) -> Array:
        """Predict the minimum at penalty ``new`` from the one at penalty ``old``."""
        W, b = objective.split(theta)
        bend = curvature.mean() * self.values  # of all classes: W still sums to zero
        return objective.arrays.flat(W * ((bend + old) / (bend + new)), b)


def discriminant(objective, found: Moments) -> Array:
    """Coefficients of a linear discriminant with a ridge, flat; intercepts are zero.

    The second moment is diagonal in the objective's coordinates, so the within-class
    one differs from a diagonal by the rank of the class means: a small system. Where
    only its diagonal is known this is the discriminant of naive Bayes.
    """
    arrays, prior = objective.arrays, objective.arrays.double(objective.prior)
    means = found.classes / prior[:, None]
    ridge = objective.penalty / float(np.mean(objective.prior * (1 - objective.prior)))
    ridge += 0.1 * float(found.second.mean()) or 1.0
    if found.decorrelated:
        W = means / (found.second + ridge)
        inner = arrays.double(np.eye(len(prior))) - (W @ means.T) * prior
        W = arrays.solve(inner, W)
    else:
        W = means / ((found.second - prior @ means**2).clip(0) + ridge)
    W = W[1:] - W[:1] if objective.n_scores == 1 else W - W.mean(0)
    return arrays.flat(W, arrays.zeros(objective.n_scores))
