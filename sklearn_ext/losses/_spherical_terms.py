"""Losses of one score, the sum of all and the sum of their squares, and their sums."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.special import expit

from sklearn_ext._numerics._arrays import (
    blocks,
    flat,
    float64,
    is_numpy,
    like,
    namespace,
    to_numpy,
)

FLOOR = 1e-30  # of a variance of scores


def z_terms(own, total, squares, n_classes, noise, scale, target):
    """Z-loss of rows and its partial derivatives.

    Parameters
    ----------
    own, total, squares : ndarray of shape (n_samples,)
        Score of the label, sum of all scores, sum of their squares.
    n_classes : int
        Number of scores.
    noise : float
        What is added to the variance of the scores.
    scale, target : float
        Sharpness, and the z score beyond which a row is at rest.

    Returns
    -------
    tuple of four ndarray of shape (n_samples,)
        Loss, and its derivatives by own score, sum and sum of squares.
    """
    mean = total / n_classes
    v = np.maximum(squares / n_classes - mean**2 + noise, FLOOR)
    s = np.sqrt(v)
    z = (own - mean) / s
    lag = scale * (target - z)
    slope = -expit(lag)
    by_total = slope * (-1 / (n_classes * s) + z * mean / (n_classes * v))
    by_squares = -slope * z / (2 * n_classes * v)
    return np.logaddexp(0, lag) / scale, slope / s, by_total, by_squares


def taylor_terms(own, total, squares, n_classes):
    """Log-Taylor-softmax of rows and its partial derivatives.

    Parameters
    ----------
    own, total, squares : ndarray of shape (n_samples,)
        Score of the label, sum of all scores, sum of their squares.
    n_classes : int
        Number of scores.

    Returns
    -------
    tuple of four ndarray of shape (n_samples,)
        Loss, and its derivatives by own score, sum and sum of squares.
    """
    inner = 1 + own + own**2 / 2
    whole = n_classes + total + squares / 2
    loss = np.log(whole) - np.log(inner)
    return loss, -(1 + own) / inner, 1 / whole, 1 / (2 * whole)


@dataclass(frozen=True)
class SphericalStatistics:
    """Sums of rows from which the squared loss is solved; they add.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    count : ndarray of shape (n_classes,)
        Weight of each class.
    mean : ndarray of shape (n_features,)
        Weighted mean of the rows.
    second : ndarray of shape (n_features, n_features)
        Weighted products of the rows about their mean, added up.
    sums : ndarray of shape (n_classes, n_features)
        Weighted rows of each class about the mean, added up.
    """

    classes: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    second: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, X, codes, w, classes):
        """Add rows up."""
        count = np.bincount(codes, w, minlength=len(classes))
        members = class_members(codes, w, len(classes))
        if sparse.issparse(X):
            mean = (X.T @ w) / w.sum()
            second = (X.T @ X.multiply(w[:, None]).tocsr()).toarray()
            second = second - w.sum() * np.outer(mean, mean)
            sums = (members @ X).toarray() - np.outer(count, mean)
        else:
            pivot = X[0].astype(np.float64)  # against cancellation
            mean = pivot + sum(
                (w[rows] @ (X[rows] - pivot)) for rows in blocks(len(X), 4096)
            ) / (w.sum())
            second = sums = 0.0
            for rows in blocks(len(X), 4096):
                B = X[rows] - mean
                second = second + B.T @ (B * w[rows, None])
            sums = members @ (X - mean.astype(X.dtype)).astype(np.float64, copy=False)
        return cls(classes, count, mean, second, sums)

    def __add__(self, other):
        classes = np.union1d(self.classes, other.classes)
        weights = self.count.sum(), other.count.sum()
        share = weights[1] / sum(weights)
        mean = self.mean + share * (other.mean - self.mean)
        gap = other.mean - self.mean
        second = self.second + other.second
        second = second + weights[0] * share * np.outer(gap, gap)
        count = np.zeros(len(classes))
        sums = np.zeros((len(classes), len(mean)))
        for part in (self, other):
            at = np.searchsorted(classes, part.classes)
            count[at] += part.count
            sums[at] += part.sums + np.outer(part.count, part.mean - mean)
        return SphericalStatistics(classes, count, mean, second, sums)

    def variance(self, fit_intercept):
        """Mean variance of the columns, or mean square without an intercept."""
        value = np.trace(self.second) / (self.count.sum() * len(self.mean))
        return float(value if fit_intercept else value + np.mean(self.mean**2))

    def solve(self, alpha, fit_intercept):
        """Coefficients of least squares on one-hot labels, (n_classes, d + 1).

        The last column holds the intercepts of centred rows, zeros without.
        """
        weight = self.count.sum()
        A, B = self.second / weight, self.sums / weight
        if not fit_intercept:
            A = A + np.outer(self.mean, self.mean)
            B = B + np.outer(self.count / weight, self.mean)
        A = A + alpha * np.eye(len(A))
        try:
            W = linalg.solve(A, B.T, assume_a="pos").T
        except (linalg.LinAlgError, linalg.LinAlgWarning):
            W = (linalg.pinvh(A) @ B.T).T
        offset = self.count / weight if fit_intercept else 0 * self.count
        return np.column_stack([W, offset])


def class_members(codes, w, n_classes):
    """Sparse matrix (n_classes, n_samples) that adds weighted rows up by class."""
    indptr = np.arange(len(codes) + 1)
    return sparse.csc_array((w, codes, indptr), shape=(n_classes, len(codes)))


@dataclass(frozen=True)
class SphericalEvaluation:
    """The objective at one point."""

    value: float
    gradient: Any  # flat, where the rows are


@dataclass(frozen=True)
class SphericalObjective:
    """Mean spherical loss of all rows; no array of rows times classes is made."""

    X: Any  # (n_samples, d + 1), array or tensor: centred, a column of ones last
    y: Any  # (n_samples,), codes, where the rows are
    w: np.ndarray  # (n_samples,), sum one
    n_classes: int
    loss: str  # "z" or "taylor"
    alpha: float  # noise of the features for "z", ridge for "taylor"
    scale: float
    target: float
    fit_intercept: bool
    batch_size: int

    def __call__(self, theta):
        """Evaluate value and gradient in O(n d^2 + K d^2).

        Products of rows are made where the rows are; what is one number a row comes to
        the host.
        """
        K, D, X = self.n_classes, self.X.shape[1], self.X
        einsum = namespace(X).einsum
        W = theta.reshape(K, D)
        total, Q = float64(W).sum(0), float64(W.T @ W)
        # what noise on the features adds to the variance of scores: ranks and scales
        # agree with it, intercepts feel none
        spread = float(Q.diagonal()[:-1].sum()) - float(total[:-1] @ total[:-1]) / K
        noise = self.alpha * spread / K
        value, pull, by_own = 0.0, 0.0, np.empty(len(X))
        by_total, inner = 0 * total, 0 * Q
        sums_of, product = like(total, X), like(Q, X)
        for rows in blocks(len(X), self.batch_size):
            B, w = X[rows], self.w[rows]
            sums = (
                einsum("ij,ij->i", W[self.y[rows]], B),
                B @ sums_of,
                einsum("ij,ij->i", B @ product, B),
            )
            sums = (to_numpy(float64(part)) for part in sums)
            if self.loss == "z":
                terms = z_terms(*sums, K, noise, self.scale, self.target)
            else:
                terms = taylor_terms(*sums, K)
            value += w @ terms[0]
            by_own[rows], g_total, g_squares = (w * term for term in terms[1:])
            by_total += float64(like(g_total, B) @ B)
            inner += float64(B.T @ (B * like(g_squares, B)[:, None]))
            pull += g_squares.sum()
        G = self._by_class(by_own)
        G += like(by_total, G)
        if self.loss == "z":
            ridge = 2 * self.alpha * pull  # of W less its mean over classes
            G[:, :-1] -= like(ridge * total[:-1] / K, G)
        else:
            ridge = self.alpha
            value += 0.5 * ridge * float(Q.diagonal()[:-1].sum())
        inner = 2 * inner + like(np.diag(np.r_[np.full(D - 1, ridge), 0.0]), inner)
        G += W @ like(inner, W)
        if not self.fit_intercept:
            G[:, -1] = 0
        return SphericalEvaluation(float(value), flat(G))

    def _by_class(self, g):
        """Add rows up by class, each times its number."""
        if is_numpy(self.X):
            g = g.astype(self.X.dtype, copy=False)
            return class_members(self.y, g, self.n_classes) @ self.X
        G = like(np.zeros((self.n_classes, self.X.shape[1])), self.X)
        return G.index_add_(0, self.y, self.X * like(g, self.X)[:, None])
