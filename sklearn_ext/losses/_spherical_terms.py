"""Losses of one score, the sum of all and the sum of their squares, and their sums."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse
from scipy.special import expit

from sklearn_ext._numerics._arrays import blocks

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
    gradient: np.ndarray


@dataclass(frozen=True)
class SphericalObjective:
    """Mean spherical loss of all rows; no array of rows times classes is made."""

    X: np.ndarray  # (n_samples, d + 1), centred, a column of ones last
    y: np.ndarray  # (n_samples,), codes
    w: np.ndarray  # (n_samples,), sum one
    n_classes: int
    loss: str  # "z" or "taylor"
    alpha: float  # noise of the features for "z", ridge for "taylor"
    scale: float
    target: float
    fit_intercept: bool
    batch_size: int

    def __call__(self, theta):
        """Evaluate value and gradient in O(n d^2 + K d^2)."""
        K, D = self.n_classes, self.X.shape[1]
        W = theta.reshape(K, D)
        total, Q = W.sum(axis=0, dtype=np.float64), (W.T @ W).astype(np.float64)
        # what noise on the features adds to the variance of scores: ranks and scales
        # agree with it, intercepts feel none
        spread = np.trace(Q[:-1, :-1]) - total[:-1] @ total[:-1] / K
        noise = self.alpha * spread / K
        value, by_own = 0.0, np.empty(len(self.X), dtype=self.X.dtype)
        by_total, inner, pull = np.zeros(D), np.zeros((D, D)), 0.0
        for rows in blocks(len(self.X), self.batch_size):
            X, w = self.X[rows], self.w[rows]
            own = np.einsum("ij,ij->i", W[self.y[rows]], X).astype(np.float64)
            half = X @ Q.astype(X.dtype)
            squares = np.einsum("ij,ij->i", half, X).astype(np.float64)
            sums = own, X @ total.astype(X.dtype), squares
            if self.loss == "z":
                terms = z_terms(*sums, K, noise, self.scale, self.target)
            else:
                terms = taylor_terms(*sums, K)
            value += w @ terms[0]
            g, g_total, g_squares = (w * term for term in terms[1:])
            by_own[rows] = g
            by_total += g_total @ X
            inner += X.T @ (X * g_squares[:, None])
            pull += g_squares.sum()
        G = class_members(self.y, by_own, K) @ self.X
        G += by_total.astype(G.dtype)
        if self.loss == "z":
            ridge = 2 * self.alpha * pull  # of W less its mean over classes
            G[:, :-1] -= (ridge * total[:-1] / K).astype(G.dtype)
        else:
            ridge = self.alpha
            value += 0.5 * ridge * np.trace(Q[:-1, :-1])
        inner = 2 * inner
        inner[np.arange(D - 1), np.arange(D - 1)] += ridge
        G += W @ inner.astype(W.dtype)
        if not self.fit_intercept:
            G[:, -1] = 0
        return SphericalEvaluation(float(value), G.ravel())
