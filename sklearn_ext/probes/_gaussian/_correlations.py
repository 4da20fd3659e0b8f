"""Correlations within classes, shrunk by a closed rule, and systems with them."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

BATCH = 1024  # rows worked on at a time
LEAST = 1e-8  # smallest share estimated: the system stays solvable


@dataclass(frozen=True, eq=False)
class Residuals:
    """What standardised residuals tell about correlations.

    Either the rows themselves or their product is kept, whichever is smaller.
    """

    rows: np.ndarray | None  # (n_samples, n_features), R = rows.T @ rows
    correlations: np.ndarray | None  # (n_features, n_features), R
    known: np.ndarray  # (n_features,), whether the feature varies within classes
    fourth: float  # sum over pairs a != b of mean_i (z_ia z_ib) ** 2
    weight: float  # sum of the weights
    free: float  # degrees of freedom, by which R is divided


def standardise(X, codes, weight, densities, variances, free, *, product) -> Residuals:
    """Standardise residuals and summarise them in one pass.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    densities : Densities
        Means of the classes, as offsets from a pivot.
    variances : ndarray of shape (n_features,)
        Variances within classes, divided by ``free``.
    free : float
        Degrees of freedom, positive.
    product : bool
        Keep the matrix of correlations, not the rows.

    Returns
    -------
    Residuals
        The summary.
    """
    n, d = X.shape
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    known = variances > 0
    inverse = np.where(known, 1 / np.sqrt(np.where(known, variances, 1)), 0)
    correlations = np.zeros((d, d)) if product else None
    rows = None if product else np.empty((n, d), dtype)
    fourth = 0.0
    for start in range(0, n, BATCH):
        part = slice(start, start + BATCH)
        Z = X[part] - densities.pivot - densities.offsets[codes[part]]
        Z *= inverse
        squares = Z * Z
        pairs = squares.sum(axis=1) ** 2 - (squares * squares).sum(axis=1)
        fourth += weight[part] @ pairs
        Z *= np.sqrt(weight[part] / free)[:, None]
        Z = Z.astype(dtype, copy=False)
        if product:
            correlations += Z.T @ Z
        else:
            rows[part] = Z
    total = weight.sum()
    return Residuals(rows, correlations, known, fourth / total, total, free)


def best_shrinkage(residuals) -> float:
    """Estimate the share of the identity that minimises the squared error.

    Sums over all pairs of features need no matrix of pairs: those of
    ``(z_a z_b) ** 2`` come from the norms of the rows, those of ``R_ab ** 2`` from the
    smaller of the two products of the rows with themselves.

    Parameters
    ----------
    residuals : Residuals
        Summary of the standardised residuals.

    Returns
    -------
    float
        Share between zero and one.
    """
    if residuals.free < 2:
        return 1.0  # one residual shows no variance
    if residuals.rows is None:
        gram = residuals.correlations
        diagonal = np.diag(gram)
    else:
        rows = residuals.rows.astype(np.float64)
        gram, diagonal = rows @ rows.T, (rows * rows).sum(axis=0)
    off_diagonal = (gram**2).sum() - (diagonal**2).sum()
    share = residuals.free / residuals.weight
    noise = (residuals.fourth - share**2 * off_diagonal) / residuals.free
    if noise >= off_diagonal:
        return 1.0
    return float(max(noise / off_diagonal, LEAST))


def solve_shrunken(residuals, share, targets):
    """Solve with the correlation matrix shrunk towards the identity.

    Parameters
    ----------
    residuals : Residuals
        Summary of the standardised residuals.
    share : float
        Share of the identity.
    targets : ndarray of shape (n_targets, n_features)
        Right-hand sides.

    Returns
    -------
    ndarray of shape (n_targets, n_features)
        ``((1 - share) R + share I)^-1`` applied to each target; with a singular matrix
        and no shrinkage the solution of least norm.
    """
    known = residuals.known
    solved = targets.astype(np.float64)  # unknown correlations are none
    if share == 1 or not known.any():
        return solved
    inside = targets[:, known].T
    if residuals.rows is None:
        matrix = (1 - share) * residuals.correlations[np.ix_(known, known)]
        matrix[np.diag_indices_from(matrix)] += share
        if share > 0:
            solved[:, known] = linalg.solve(matrix, inside, assume_a="pos").T
        else:
            solved[:, known] = linalg.lstsq(matrix, inside)[0].T
        return solved
    rows = residuals.rows[:, known].astype(np.float64)
    gram = (1 - share) * rows @ rows.T  # Woodbury: a system of n_samples equations
    gram[np.diag_indices_from(gram)] += share
    correction = linalg.solve(gram, (1 - share) * rows @ inside, assume_a="pos")
    solved[:, known] = (inside - rows.T @ correction).T / share
    return solved
