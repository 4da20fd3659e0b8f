"""The linear and the quadratic form that score rows for normal class densities."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import blocks

BUFFER_BYTES = 8 << 20  # rows scored at a time
BATCH = 1024  # rows that are dense at a time


@dataclass(frozen=True, eq=False)
class LinearForm:
    """Joint log scores of the shared model, up to a term common to all classes."""

    pivot: np.ndarray  # (n_features,)
    weights: np.ndarray  # (n_classes, n_features)
    intercept: np.ndarray  # (n_classes,), at the pivot

    def scores(self, X):
        """Score dense rows, in their dtype."""
        W, b = (a.astype(X.dtype, copy=False) for a in (self.weights, self.intercept))
        return (X - self.pivot.astype(X.dtype, copy=False)) @ W.T + b

    def scores_sparse(self, X):
        """Score the rows of a sparse table without making it dense."""
        return X @ self.weights.T + (self.intercept - self.weights @ self.pivot)

    def centred(self):
        """Subtract the mean over the classes: then the pivot does not matter."""
        possible = self.intercept > -np.inf
        return LinearForm(
            self.pivot,
            self.weights - self.weights[possible].mean(axis=0),
            self.intercept - self.intercept[possible].mean(),
        )

    def decision(self):
        """Return coefficients and intercepts as scikit-learn shapes them."""
        coef, intercept = self.weights, self.intercept - self.weights @ self.pivot
        if len(coef) == 2:
            return coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        return coef, intercept


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """Joint log densities, with one row of curvatures where variances are shared."""

    pivot: np.ndarray  # (n_features,)
    scale: np.ndarray  # (n_features,), so that the two products are well scaled
    curvature: np.ndarray  # (n_classes, n_features) or (1, n_features)
    weights: np.ndarray  # (n_classes, n_features)
    intercept: np.ndarray  # (n_classes,)

    def scores(self, X):
        """Score dense rows; in float64 where the squares of classes differ."""
        Z = (X - self.pivot) / self.scale
        parts = (Z * Z) @ self.curvature.T, Z, self.weights, self.intercept
        if len(self.curvature) == 1:  # what tells classes apart is linear
            parts = (part.astype(X.dtype, copy=False) for part in parts)
        squares, Z, W, b = parts
        return squares + Z @ W.T + b

    def scores_sparse(self, X):
        """Score the rows of a sparse table; dense are only features with a pivot."""
        near = self.pivot == 0
        part = self.of(near)
        Z = X[:, near] @ sparse.diags_array(1 / part.scale)
        scores = Z.power(2) @ part.curvature.T + Z @ part.weights.T
        if not near.all():
            part, X = self.of(~near), X[:, ~near]
            for rows in blocks(X.shape[0], BATCH):
                scores[rows] += part.scores(X[rows].toarray())
        return scores + self.intercept

    def of(self, features):
        """Return the form of some of the features, without an intercept."""
        return QuadraticForm(
            self.pivot[features],
            self.scale[features],
            self.curvature[:, features],
            self.weights[:, features],
            np.zeros(len(self.intercept)),
        )


def linear_form(densities, weights) -> LinearForm:
    """Return weights with the intercepts that go with them.

    Parameters
    ----------
    densities : Densities
        With one covariance V for all classes.
    weights : ndarray of shape (n_classes, n_features)
        ``V^-1 mean`` of each class, for means less the pivot.

    Returns
    -------
    LinearForm
        Measured from the pivot, which keeps float32 accurate.
    """
    intercept = densities.log_prior - 0.5 * (weights * densities.offsets).sum(axis=1)
    return LinearForm(densities.pivot, weights, intercept)


def quadratic_form(densities) -> QuadraticForm:
    """Curvatures, weights and intercepts of the log densities.

    Parameters
    ----------
    densities : Densities
        With variances by class, or shared ones.

    Returns
    -------
    QuadraticForm
        Measured from the pivot in units of the mean variance.
    """
    offsets, variances = densities.offsets, np.atleast_2d(densities.variances)
    of_classes = np.broadcast_to(variances, offsets.shape)
    scale = np.sqrt(of_classes[densities.log_prior > -np.inf].mean(axis=0))
    constant = (offsets**2 / variances + np.log(2 * np.pi * variances)).sum(axis=1)
    return QuadraticForm(
        densities.pivot,
        scale,
        -0.5 * scale**2 / variances,
        offsets * scale / variances,
        densities.log_prior - 0.5 * constant,
    )


def score_rows(form, X, batch_size=None):
    """Score rows in batches, in the floating dtype of the rows.

    Parameters
    ----------
    form : LinearForm or QuadraticForm
        What scores rows.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    batch_size : int, default=None
        Rows scored at a time; None takes as many as fit in the cache.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Joint log scores; float32 for rows in float32 or float16.
    """
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    if sparse.issparse(X):
        return form.scores_sparse(X).astype(dtype, copy=False)
    n, d = X.shape
    batch_size = batch_size or max(256, BUFFER_BYTES // (8 * d))
    scores = np.empty((n, len(form.intercept)), dtype)
    for rows in blocks(n, batch_size):
        scores[rows] = form.scores(X[rows].astype(dtype, copy=False))
    return scores
