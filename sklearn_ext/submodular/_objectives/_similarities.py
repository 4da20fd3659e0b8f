"""Similarities to a few reference rows, never of all pairs."""

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import (
    cosine_similarity,
    euclidean_distances,
    linear_kernel,
    pairwise_kernels,
)

from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import near_zero
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext.submodular._objectives._rounding import alike, below

N_FOR_SCALE = 500  # rows whose distances set the scale of a kernel
DOMINANT = 0.99  # share of squared distances of a few columns; others hardly count
SHIFTED = "rbf", "neg_distance"  # what moves with all rows
SATURATED = 0.6  # share of similarities near zero or one above which few tell much


def similarities(X, Y, metric, gamma=None, farthest=None):
    """Return similarities between rows by the name of a metric, or a callable.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_rows, n_features)
        Rows.
    Y : {ndarray, sparse array} of shape (n_reference, n_features)
        Rows.
    metric : str or callable
        "rbf", "cosine" (negative ones count as zero), "linear", "neg_distance", a name
        that `sklearn.metrics.pairwise.pairwise_kernels` knows, or ``metric(X, Y)``.
    gamma : float, default=None
        Scale of kernels that have one.
    farthest : float, default=None
        Distance that has similarity zero, for "neg_distance".

    Returns
    -------
    ndarray of shape (n_rows, n_reference)
        Similarities, in doubles: singles would lose what lies far from zero.
    """
    X, Y = X.astype(np.float64, copy=False), Y.astype(np.float64, copy=False)
    thin = sparse.issparse(X), sparse.issparse(Y)
    if metric in SHIFTED and all(thin) and near_zero(Y)[0] is not Y:
        both, _ = near_zero(sparse.vstack([Y, X], format="csr"))
        X, Y = both[Y.shape[0] :], both[: Y.shape[0]]
    if metric == "rbf" and not any(thin):
        return GaussianKernel(Y, gamma)(X)
    if metric == "cosine":
        return np.maximum(cosine(X, Y), 0)
    if metric == "linear":
        return linear_kernel(X, Y, dense_output=True)
    if metric == "neg_distance":
        if not any(thin):
            X, Y = X - Y[:1], Y - Y[:1]  # products far from zero would cancel
        return np.maximum(farthest - euclidean_distances(X, Y), 0)
    if callable(metric):
        S = np.asarray(metric(X, Y))
        if S.shape != (X.shape[0], Y.shape[0]):
            raise ValueError(
                f"metric(X, Y) must return one similarity a pair of rows, an array of "
                f"shape {(X.shape[0], Y.shape[0])}, got shape {S.shape}."
            )
        return S
    scale = {} if gamma is None else {"gamma": gamma}
    return pairwise_kernels(X, Y, metric=metric, filter_params=True, **scale)


def cosine(X, Y):
    """Return cosines of the angles between rows, of whatever scale they are.

    Parameters
    ----------
    X : {array-like, sparse array} of shape (n_rows, n_features)
        Rows.
    Y : {array-like, sparse array} of shape (n_reference, n_features)
        Rows.

    Returns
    -------
    ndarray of shape (n_rows, n_reference)
        Cosines; zero where a row is zero.
    """
    return cosine_similarity(near_one(X), near_one(Y))


def near_one(X):
    """Multiply each row by the power of two that brings it near one: nothing rounds.

    The squares in norms overflow above 1e154, and scikit-learn takes rows below 1e-15
    for zero.

    Parameters
    ----------
    X : {array-like, sparse array} of shape (n_rows, n_features)
        Rows.

    Returns
    -------
    {ndarray, sparse array} of shape (n_rows, n_features)
        Rows whose largest entries are between 0.5 and 1 in size, or zero.
    """
    if not sparse.issparse(X):
        X = np.asarray(X)
        _, exponents = np.frexp(np.abs(X).max(axis=1, keepdims=True))
        return np.ldexp(X, -exponents)
    X = X.tocsr(copy=True)
    _, exponents = np.frexp(abs(X).max(axis=1).toarray().ravel())
    X.data = np.ldexp(X.data, -np.repeat(exponents, np.diff(X.indptr)))
    return X


class GaussianKernel:
    """Similarities exp(-gamma |x - y|^2) to fixed rows y, which are prepared once.

    All rows are moved together to where their squares keep their digits. scikit-learn's
    own checks would take most of the time of an update of one row.

    Parameters
    ----------
    rows : ndarray of shape (n_reference, n_features)
        The fixed rows.
    gamma : float
        Scale.
    """

    def __init__(self, rows, gamma):
        self.rows, self._gamma = rows, gamma
        self.centre = rows.mean(axis=0, dtype=np.float64)
        self.centred = rows - self.centre  # in doubles
        self._squares = np.einsum("ij,ij->i", self.centred, self.centred)

    def __call__(self, X):
        """Return similarities of rows, of shape (n_rows, n_reference)."""
        X = X - self.centre
        S = X @ self.centred.T
        S *= -2
        S += np.einsum("ij,ij->i", X, X)[:, None]
        S += self._squares
        np.maximum(S, 0, out=S)
        S *= -self._gamma
        return np.exp(S, out=S)


def drawn_rows(X, weights, size, seed):
    """Draw rows in proportion to their weights, equal ones as one row.

    Priority sampling: a row of weight w has priority w / u, with u uniform by the
    hash of its values; the first ones are drawn, and a weight below the priority of
    the first that is not is raised to it. Sums of weights over any rows are unbiased.
    Neither the order of rows, nor copies instead of weights, nor a constant factor of
    all weights change what is drawn.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_rows, n_features)
        Rows.
    weights : ndarray of shape (n_rows,)
        Non-negative weights.
    size : int
        Rows at most; all of positive weight are returned when there are no more.
    seed : int
        Another seed, other rows.

    Returns
    -------
    rows : ndarray of int
        Positions, ascending.
    weights : ndarray
        Their weights.
    """
    kept = np.flatnonzero(weights)
    if len(kept) <= size:
        return kept, weights[kept]
    groups = EqualRows.of(X, w=weights, seed=seed)
    rows, weights = groups.first, groups.weight
    if len(rows) > size:
        priority = weights / ((groups.hash + 0.5) / 2.0**64)
        order = np.argsort(-priority)
        rows, weights = rows[order[:size]], weights[order[:size]]
        weights = np.maximum(weights, priority[order[size]])
    order = np.argsort(rows)
    return rows[order], weights[order]


def kernel_scale(X, weights, seed):
    """Return one over the median squared distance of distinct rows.

    It warns where such a scale tells little: where a few columns make nearly all of
    the distances, or where nearly all similarities would be zero or one.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_rows, n_features)
        Rows.
    weights : ndarray of shape (n_rows,)
        How often each row counts.
    seed : int
        Draws rows when there are more than 500.

    Returns
    -------
    float
        The scale; 1 when all rows are the same.
    """
    rows, weights = drawn_rows(X, weights, N_FOR_SCALE, seed)
    X = (X[rows].toarray() if sparse.issparse(X) else X[rows]).astype(np.float64)
    with np.errstate(over="ignore"):  # refused below
        squares = cdist(X, X, "sqeuclidean").ravel()  # exactly zero for equal rows
    weights = weights / weights.max()  # products of tiny ones would vanish
    counts = np.outer(weights, weights).ravel()[squares > 0]
    squares = squares[squares > 0]
    if not len(squares):
        return 1.0
    order = np.argsort(squares)
    counts_up_to = np.cumsum(counts[order])
    # often a sum is just half of all: rounding must not decide which side it is on
    half = below(counts_up_to[-1] / 2)
    middle = squares[order[np.searchsorted(counts_up_to, half)]]
    with np.errstate(over="ignore"):
        scale = float(1 / middle)
    if not 0 < scale < np.inf:
        raise ValueError(
            f"The median squared distance of rows, {middle:g}, is out of range; scale "
            "the rows."
        )
    _warn_of_units(X, weights, squares / middle, counts)
    return scale


def _warn_of_units(X, weights, squares, counts):
    """Warn of columns in units that make similarities say little.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Rows.
    weights : ndarray of shape (n_rows,)
        Their weights.
    squares, counts : ndarray of shape (n_pairs,)
        Squared distances over their median, and weights of the pairs.
    """
    centred = (X - np.average(X, axis=0, weights=weights)) / np.abs(X).max()
    spread = weights @ centred**2
    order = np.argsort(-spread, kind="stable")
    shares = np.cumsum(spread[order]) / spread.sum()
    few = int(np.argmax(shares > DOMINANT)) + 1  # the fewest that drown the others
    share = shares[few - 1]
    faults = []
    if few <= max(1, len(order) // 4) and share < 1:
        faults.append(
            f"Column(s) {order[:few][:5].tolist()} of {len(order)} make {share:.2%} of "
            "the squared distances between rows, so that the other columns hardly "
            "count."
        )
    extreme = (squares > -np.log(0.01)) | (squares < -np.log(0.99))
    share = counts @ extreme / counts.sum()
    if share > SATURATED:
        faults.append(
            f"{share:.0%} of the similarities between distinct rows are below 0.01 or "
            "above 0.99: a selection can be proven good and tell little. Distances "
            "spread over orders of magnitude."
        )
    for fault in faults:
        warn(
            f"{fault} Scale the columns, for instance with encoder=StandardScaler(), "
            "or give gamma if the units are meant so."
        )


def keep_largest(S, n_neighbors):
    """Keep the largest similarities of each row, as a sparse array.

    Parameters
    ----------
    S : ndarray of shape (n_rows, n_reference)
        Similarities.
    n_neighbors : int
        How many are kept in each row.

    Returns
    -------
    csr_array of shape (n_rows, n_reference)
        The kept ones.
    """
    if n_neighbors >= S.shape[1]:
        return sparse.csr_array(S)
    columns = np.argpartition(alike(S), -n_neighbors, axis=1)[:, -n_neighbors:]
    columns.sort(axis=1)
    values = np.take_along_axis(S, columns, axis=1)
    starts = np.arange(0, values.size + 1, n_neighbors)
    return sparse.csr_array((values.ravel(), columns.ravel(), starts), shape=S.shape)
