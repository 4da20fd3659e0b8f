"""Penalised log-loss of a linear model, in batches of rows, with its gradient."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sklearn_ext.probes._logistic_arrays import (
    NumpyArrays,
    TorchArrays,
    times_columns,
    times_rows,
)

Array = Any  # of NumPy or torch


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
    arrays: NumpyArrays | TorchArrays

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
        return self.arrays.double(theta)

    def split(self, theta: Array) -> tuple[Array, Array]:
        """View a flat point as ``(W, b)``."""
        k = self.n_scores
        return theta[:-k].reshape(k, -1), theta[-k:]

    @cached_property
    def batches(self) -> list[slice]:
        """The rows of each batch."""
        starts = range(0, self.X.shape[0], self.batch_size)
        return [slice(start, start + self.batch_size) for start in starts]

    @cached_property
    def _mean_of_rows(self) -> Array:
        return self.arrays.cast(self.mean, self.X)

    def __call__(self, theta: Array) -> Evaluation:
        """Evaluate value and gradient: two products of X with k columns."""
        W, _ = self.split(theta)
        W_rows, offset = self._line(theta)
        terms = _binary_terms if self.n_scores == 1 else _softmax_terms
        G, g = self.arrays.zeros(*W_rows.shape), self.arrays.zeros(self.n_scores)
        loss = curvature = 0.0
        for rows in self.batches:
            X = self.X[rows] - self._mean_of_rows if self.shift else self.X[rows]
            Z = times_columns(W_rows, X)  # (n_scores, rows)
            Z += offset
            part, bend = terms(self.arrays, Z, self.y[rows], self.w[rows])
            G += times_rows(Z, X)  # Z now holds the weighted residuals
            g += Z.sum(1)
            loss, curvature = loss + part, curvature + bend
        if not self.shift:
            G -= g[:, None] * self.mean
        if self.basis is not None:
            G = self.arrays.double(self.arrays.cast(G, self.X) @ self.basis.T)
        G += self.penalty * W
        if not self.fit_intercept:
            g = 0 * g
        value = loss + 0.5 * self.penalty * float((W * W).sum())
        flat = self.arrays.flat(G, g)
        return Evaluation(value, flat, loss, curvature)

    def _line(self, theta):
        W, b = self.split(theta)
        cast, double = self.arrays.cast, self.arrays.double
        W = cast(W, self.X)
        W = W if self.basis is None else W @ self.basis
        offset = b if self.shift else b - double(W) @ self.mean
        return W, cast(offset, self.X)[:, None]

    def scores(self, theta: Array) -> Array:
        """Scores of all rows at once, (n_scores, n_samples)."""
        W, offset = self._line(theta)
        X = self.X - self._mean_of_rows if self.shift else self.X
        return times_columns(W, X) + offset

    def value_of(self, scores: Array, theta: Array) -> float:
        """Objective from the scores at ``theta``; weights need not sum to one."""
        terms = _binary_terms if self.n_scores == 1 else _softmax_terms
        loss, _ = terms(self.arrays, scores + 0, self.y, self.w)
        W, _ = self.split(theta)
        size = float((W * W).sum())
        return loss / float(self.w.sum()) + 0.5 * self.penalty * size


def _softmax_terms(arrays, Z, y, w):
    """Turn scores into weighted residuals in place; return loss and curvature."""
    Z -= arrays.largest(Z)
    columns = arrays.count(len(y))
    own = Z[y, columns]
    arrays.exp_(Z)
    total = Z.sum(0)
    loss = float((w * (arrays.log(total) - own)).sum())
    Z /= total
    curvature = arrays.curvature(Z, w)
    Z *= w
    Z[y, columns] -= w
    return loss, curvature


def _binary_terms(arrays, Z, y, w):
    """Do the same for one score, the log-odds of the second class."""
    z = Z[0]
    small = arrays.exp_(-abs(z))  # in (0, 1]
    positive = z > 0
    loss = arrays.log1p(small) + z * positive - z * y
    p = (positive + ~positive * small) / (1 + small)
    Z[0] = w * (p - y)
    return float((w * loss).sum()), arrays.curvature(p[None], w)
