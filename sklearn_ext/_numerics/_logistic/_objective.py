"""Penalised log-loss of a linear model, and what second moments foretell of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import (
    blocks,
    exp,
    finite_products,
    flat,
    float64,
    is_numpy,
    like,
    namespace,
    times_columns,
    times_rows,
    widest,
)

Array = Any  # of NumPy or torch
EXPONENT = 80.0  # its exponential is finite in single precision


class Evaluation(NamedTuple):
    """The objective at one point."""

    value: float
    gradient: Array  # (n_scores * n_features + n_scores,), flat
    loss: float  # without the penalty
    curvature: Array  # (n_scores,), weighted means of p (1 - p)


@dataclass(frozen=True)
class LogisticObjective:
    """The function of ``(W, b)`` that logistic regression minimises.

    A row x scores ``W basis (x - mean) + b``: centred, and turned so that features are
    uncorrelated, where there is a basis. Two classes have one score, more have one
    each. A point is flat: W row by row, then b.

    A row whose own class has probability p loses ``-log p``, or ``(1 - p ** q) / q``
    for another ``q`` than zero: the gradient is that of the log-loss with the weight
    of the row times ``p ** q``. Up to zero the objective is convex.
    """

    X: Array  # (n_samples, n_features), dense or CSR
    y: Array  # (n_samples,), codes of the classes
    w: Array  # (n_samples,), non-negative, sum one, in the dtype of X
    mean: Array  # (n_features,), float64; zeros without an intercept
    basis: Array | None  # (rank, n_features), orthonormal rows, in the dtype of X
    prior: np.ndarray  # (n_classes,), weighted frequencies
    penalty: float  # 1 / (C * sum of weights)
    fit_intercept: bool
    batch_size: int
    shift: bool  # subtract the mean from each batch, for offsets that would cancel
    q: float = 0.0

    @property
    def n_scores(self) -> int:
        """One score for two classes, else one each."""
        return 1 if len(self.prior) == 2 else len(self.prior)

    def start(self) -> Array:
        """Return the point where every row has the prior's probabilities."""
        rank = self.X.shape[1] if self.basis is None else len(self.basis)
        theta = np.zeros(self.n_scores * (rank + 1))
        if self.fit_intercept:
            log = np.log(self.prior)
            theta[-self.n_scores :] = log[1] - log[0] if self.n_scores == 1 else log
        return like(theta, self.X, widest(self.X))

    def split(self, theta: Array) -> tuple[Array, Array]:
        """View a flat point as ``(W, b)``."""
        k = self.n_scores
        return theta[:-k].reshape(k, -1), theta[-k:]

    @cached_property
    def _mean_of_rows(self) -> Array:
        return like(self.mean, self.X)

    def __call__(self, theta: Array) -> Evaluation:
        """Evaluate value and gradient: two products of X with k columns."""
        W, b = self.split(theta)
        W_rows, offset = self._line(theta)
        G = like(np.zeros(W_rows.shape), self.X, widest(self.X))
        g = 0 * b
        loss = curvature = 0.0
        for rows in blocks(self.X.shape[0], self.batch_size):
            X = self.X[rows] - self._mean_of_rows if self.shift else self.X[rows]
            with finite_products():
                Z = times_columns(W_rows, X)  # (n_scores, rows)
            Z += offset
            part, bend = self._terms(Z, self.y[rows], self.w[rows])
            with finite_products():
                G += times_rows(Z, X)  # Z now holds the weighted residuals
            g += Z.sum(1)
            loss, curvature = loss + part, curvature + bend
        if not self.shift:
            G -= g[:, None] * self.mean
        if self.basis is not None:
            G = float64(like(G, self.X) @ self.basis.T)
        G += self.penalty * W
        if not self.fit_intercept:
            g = 0 * g
        value = loss + 0.5 * self.penalty * float((W * W).sum())
        return Evaluation(value, flat(G, g), loss, curvature)

    def _line(self, theta):
        W, b = self.split(theta)
        W = like(W, self.X)
        W = W if self.basis is None else W @ self.basis
        offset = b if self.shift else b - float64(W) @ self.mean
        return W, like(offset, self.X)[:, None]

    def scores(self, theta: Array) -> Array:
        """Scores of all rows at once, (n_scores, n_samples)."""
        W, offset = self._line(theta)
        X = self.X - self._mean_of_rows if self.shift else self.X
        with finite_products():
            return times_columns(W, X) + offset

    def value_of(self, scores: Array, theta: Array) -> float:
        """Objective from the scores at ``theta``; weights need not sum to one."""
        loss, _ = self._terms(scores + 0, self.y, self.w)
        W, _ = self.split(theta)
        size = float((W * W).sum())
        return loss / float(self.w.sum()) + 0.5 * self.penalty * size

    def _terms(self, Z, y, w):
        """Turn scores into weighted residuals in place; return loss and curvature."""
        terms = _binary_terms if self.n_scores == 1 else _softmax_terms
        return terms(Z, y, w, self.q)


def _softmax_terms(Z, y, w, q):
    xp = namespace(Z)
    Z -= xp.max(Z, axis=0)
    own = y, xp.arange(len(y), device=None if is_numpy(Z) else Z.device)
    shifted = Z[own]
    Z = exp(Z)
    total = Z.sum(0)
    loss, v = _row_terms(xp.log(float64(total)) - shifted, w, q)
    Z /= total
    curvature = _curvature(Z, v)
    Z *= v
    Z[own] -= v
    return loss, curvature


def _binary_terms(Z, y, w, q):
    """Do the same for one score, the log-odds of the second class."""
    z = Z[0]
    small = exp(-abs(z))  # in (0, 1]
    positive = z > 0
    lost = namespace(Z).log1p(float64(small)) + z * positive - z * y
    loss, v = _row_terms(lost, w, q)
    p = (positive + ~positive * small) / (1 + small)
    Z[0] = v * (p - y)
    return loss, _curvature(p[None], v)


def _row_terms(lost, w, q):
    """From ``-log p`` of the own class to the loss and the weights of residuals."""
    if q == 0:
        return float((w * lost).sum()), w
    xp = namespace(lost)
    if q < 0:  # such a loss is no minimum: steps that lead there are too long
        lost = lost.clip(None, EXPONENT / -q)
    return float((w * -xp.expm1(-q * lost)).sum()) / q, w * like(exp(-q * lost), w)


def _curvature(p, w):
    """Weighted sums of ``p (1 - p)``, (k, n) to (k,)."""
    if not is_numpy(p):
        return float64((p - p * p) @ w)
    # not p @ w: BLAS may warn of lanes that it reads and ignores, in float32
    mean, square = np.einsum("kn,n->k", p, w), np.einsum("kn,kn,n->k", p, p, w)
    return float64(mean - square)


@dataclass(frozen=True)
class Moments:
    """Weighted moments about the mean (about zero without an intercept)."""

    classes: Array  # (n_classes, n_features), sums of each class
    second: Array  # (n_features, n_features), or its diagonal (n_features,)
    decorrelated: bool = False  # the diagonal is all there is

    def turn(self) -> tuple["Moments", Array]:
        """Turn to uncorrelated features; return the basis, (n_features, n_features)."""
        values, vectors = namespace(self.second).linalg.eigh(self.second)
        return Moments(self.classes @ vectors, values.clip(0), True), vectors.T


def column_means(X, w) -> Array:
    """Weighted mean of each column, for weights that sum to one."""
    if sparse.issparse(X):
        return X.T @ w.astype(np.float64)
    pivot = X[0]  # against cancellation
    mean = float64(pivot)
    for rows in blocks(X.shape[0], 4096):
        with finite_products():
            mean = mean + float64(w[rows] @ (X[rows] - pivot))
    return mean


def moments(X, y, w, mean, n_classes, *, full=True) -> Moments:
    """Compute both moments; ``full=False`` for the diagonal of the second.

    Products are in the dtype of X, sums over batches in float64.
    """
    if sparse.issparse(X):
        return _sparse_moments(X, y, w, mean, n_classes, full)
    centre = like(mean, X)
    classes = second = 0.0
    for rows in blocks(X.shape[0], 4096):
        B = X[rows] - centre
        classes = classes + float64(class_sums(B, y[rows], w[rows], n_classes))
        if full:
            B *= (w[rows] ** 0.5)[:, None]
            second = second + float64(B.T @ B)
        else:
            with finite_products():
                second = second + float64(w[rows] @ B**2)
    return Moments(classes, second)


def _sparse_moments(X, y, w, mean, n_classes, full):
    w = w.astype(np.float64)
    weight = np.bincount(y, w, minlength=n_classes)
    classes = class_sums(X, y, w, n_classes) - np.outer(weight, mean)
    if full:
        second = (X.T @ X.multiply(w[:, None]).tocsr()).toarray() - np.outer(mean, mean)
    else:
        second = np.maximum(X.multiply(X).T @ w - mean**2, 0)
    return Moments(classes, second)


def class_sums(X, y, w, n_classes):
    """Weighted sum of the rows of each class, (n_classes, d)."""
    if not (is_numpy(X) or sparse.issparse(X)):
        members = namespace(X).arange(n_classes, device=X.device)[:, None] == y
        return like(members * w, X) @ X
    shape = n_classes, X.shape[0]
    members = sparse.csc_array((w, y, np.arange(len(y) + 1)), shape=shape)
    total = members @ X
    return total.toarray() if sparse.issparse(total) else total


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
        return flat(G, g)

    def shrink(self, theta, curvature, old: float, new: float, objective) -> Array:
        """Predict the minimum at penalty ``new`` from the one at penalty ``old``."""
        W, b = objective.split(theta)
        bend = curvature.mean() * self.values  # of all classes: W still sums to zero
        return flat(W * ((bend + old) / (bend + new)), b)


def discriminant(objective, found: Moments) -> Array:
    """Coefficients of a linear discriminant with a ridge, flat; intercepts are zero.

    The second moment is diagonal in the objective's coordinates, so the within-class
    one differs from a diagonal by the rank of the class means: a small system. Where
    only its diagonal is known this is the discriminant of naive Bayes.
    """
    prior = like(objective.prior, found.classes)
    means = found.classes / prior[:, None]
    ridge = objective.penalty / float(np.mean(objective.prior * (1 - objective.prior)))
    ridge += 0.1 * float(found.second.mean()) or 1.0
    if found.decorrelated:
        W = means / (found.second + ridge)
        inner = like(np.eye(len(prior)), W) - (W @ means.T) * prior
        W = namespace(W).linalg.solve(inner, W)
    else:
        W = means / ((found.second - prior @ means**2).clip(0) + ridge)
    W = W[1:] - W[:1] if objective.n_scores == 1 else W - W.mean(0)
    return flat(W, 0 * W[:, 0])
