"""Objectives that are sums over coordinates: coverage and concave functions of sums."""

from numbers import Real

import numpy as np
from scipy import sparse

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._numerics._arrays import (
    dense,
    float64,
    is_numpy,
    namespace,
    relu,
    to_numpy,
)
from sklearn_ext.submodular._objectives._base import SubmodularObjective, check_factors


class CoordinateObjective(SubmodularObjective):
    """A weighted sum over coordinates; a state is a vector of their levels.

    A subclass says by how much entries ``x`` raise the heights of levels ``c``
    (``_raise``, which is also told the coordinates that they are ``at``), and how high
    a level is (``_height``); unless it says otherwise, a level is a sum of entries.
    """

    of_vectors = True  # states can lie under one another in an array
    may_fail = False
    entries = "features", None  # what they are called, and their largest value

    _parameter_constraints: dict = {"weights": ["array-like", None]}

    def __init__(self, *, weights=None):
        self.weights = weights

    def _fit_reference(self, X, sample_weight, random_state):
        self.n_coords_ = n = X.shape[1]
        weights = np.full(n, 1 / n) if self.weights is None else self.weights
        self.coord_weights_ = check_factors(self, weights, n, "a coordinate")

    def _represent(self, X):
        return self._in_range(X, *self.entries)

    def _empty(self):
        return np.zeros(self.n_coords_)

    def _gains(self, rows, state):
        # float32 entries become float64 with the state, without a copy
        x, at = (rows.data, rows.indices) if sparse.issparse(rows) else (rows, ...)
        raised = self._raise(x, state[at], at)
        return row_sums(raised, rows, self.coord_weights_)

    def _add(self, state, row):
        return state + dense_row(row)

    def _value(self, state):
        return self._height(state) @ self.coord_weights_


class MaximumObjective(CoordinateObjective):
    """A coordinate's level is the largest value in the set.

    Rows, states and weights may be tensors on a device.
    """

    of_maxima = True  # exchanges need the two largest values alone

    def _raise(self, x, c, at):
        return relu(x - c)

    def _add(self, state, row):
        return namespace(state).maximum(state, dense_row(row))

    def _height(self, state):
        return state


class Coverage(MaximumObjective):
    r"""Weighted coverage: how much of the coordinates a set touches.

    .. math:: f(S) = \sum_j w_j \max_{e \in S} x_{ej}

    with entries in [0, 1]: for zeros and ones the weight of all columns that the set
    covers. A gain costs as many operations as the row has stored entries.

    Parameters
    ----------
    weights : array-like of shape (n_features,), default=None
        Weight of each column; None weighs all alike, summing to one.

    Attributes
    ----------
    n_coords_ : int
        Number of coordinates.
    coord_weights_ : ndarray of shape (n_coords,)
        Their weights.

    See Also
    --------
    ProbabilisticCoverage : Entries are chances that add up.
    SaturatedCoverage : Several rows share the covering of a column.

    Examples
    --------
    >>> from sklearn_ext.submodular import Coverage, maximize
    >>> found = maximize(Coverage(), [[1, 1, 0], [1, 0, 0], [0, 0, 1]], 2)
    >>> found.indices.tolist()
    [0, 2]
    """

    entries = "entries", 1


def _difference_of_roots(x, c):
    total = np.sqrt(c + x) + np.sqrt(c)
    return np.divide(x, total, out=np.zeros(total.shape), where=total > 0)


# name: (phi, phi(c + x) - phi(c) in a form that does not cancel)
CONCAVE = {
    "sqrt": (np.sqrt, _difference_of_roots),
    "log1p": (np.log1p, lambda x, c: np.log1p(x / (1 + c))),
    "ratio": (lambda t: t / (1 + t), lambda x, c: x / ((1 + c) * (1 + c + x))),
}


class FeatureBased(CoordinateObjective):
    r"""Concave functions of feature sums: rewards diversity of features.

    .. math:: f(S) = \sum_j w_j \, \varphi\Bigl(\sum_{e \in S} x_{ej}\Bigr)

    with non-negative features. Gains are computed in forms that do not cancel: they are
    right to the last digits even when a row adds 1e-15 of what is there.

    Parameters
    ----------
    concave : {"sqrt", "log1p", "ratio"}, default="sqrt"
        The function: a root, ``log(1 + t)`` or ``t / (1 + t)``.
    weights : array-like of shape (n_features,), default=None
        Weight of each column; None weighs all alike, summing to one.

    Attributes
    ----------
    n_coords_ : int
        Number of coordinates.
    coord_weights_ : ndarray of shape (n_coords,)
        Their weights.

    See Also
    --------
    SaturatedCoverage : Sums that count up to a cap.
    Coverage : The largest value counts, not the sum.

    Examples
    --------
    >>> from sklearn_ext.submodular import FeatureBased, maximize
    >>> found = maximize(FeatureBased(), [[4, 0], [3, 0], [0, 1]], 2)
    >>> found.indices.tolist()
    [0, 2]
    """

    _parameter_constraints: dict = {
        **CoordinateObjective._parameter_constraints,
        "concave": [StrOptions(set(CONCAVE))],
    }

    def __init__(self, concave="sqrt", *, weights=None):
        self.concave = concave
        self.weights = weights

    def _raise(self, x, c, at):
        return CONCAVE[self.concave][1](x, c)

    def _height(self, state):
        return CONCAVE[self.concave][0](state)


class SaturatedCoverage(CoordinateObjective):
    r"""Sums of features up to a cap: no feature is served without end.

    .. math:: f(S) = \sum_j w_j \min\Bigl(\sum_{e \in S} x_{ej},\;
              \alpha \sum_{r \in W} x_{rj}\Bigr)

    where W are the rows that the objective was fitted to.

    Parameters
    ----------
    alpha : float, default=0.1
        Share of a feature's total over the reference rows at which it saturates.
    weights : array-like of shape (n_features,), default=None
        Weight of each column; None weighs all alike, summing to one.

    Attributes
    ----------
    n_coords_ : int
        Number of coordinates.
    coord_weights_ : ndarray of shape (n_coords,)
        Their weights.

    See Also
    --------
    FeatureBased : A smooth concave function instead of a cap.

    Examples
    --------
    >>> from sklearn_ext.submodular import SaturatedCoverage, maximize
    >>> found = maximize(SaturatedCoverage(0.5), [[4, 0], [3, 0], [0, 1]], 2)
    >>> found.indices.tolist()
    [0, 2]
    """

    _parameter_constraints: dict = {
        **CoordinateObjective._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, alpha=0.1, *, weights=None):
        self.alpha = alpha
        self.weights = weights

    def _fit_reference(self, X, sample_weight, random_state):
        X = self._represent(X)
        super()._fit_reference(X, sample_weight, random_state)
        totals = np.asarray(X.sum(axis=0, dtype=np.float64)).reshape(-1)
        self._caps = self.alpha * totals

    def _raise(self, x, c, at):
        return np.minimum(x, np.maximum(self._caps[at] - c, 0))

    def _height(self, state):
        return np.minimum(state, self._caps)


class ProbabilisticCoverage(CoordinateObjective):
    r"""Chance that a set covers each coordinate, when rows cover independently.

    .. math:: f(S) = \sum_j w_j \Bigl(1 - \prod_{e \in S} (1 - p_{ej})\Bigr)

    Parameters
    ----------
    weights : array-like of shape (n_features,), default=None
        Weight of each column; None weighs all alike, summing to one.

    Attributes
    ----------
    n_coords_ : int
        Number of coordinates.
    coord_weights_ : ndarray of shape (n_coords,)
        Their weights.

    See Also
    --------
    Coverage : The best row covers, chances do not add up.

    Examples
    --------
    >>> from sklearn_ext.submodular import ProbabilisticCoverage, maximize
    >>> chances = [[0.9, 0], [0.8, 0], [0, 0.5]]
    >>> maximize(ProbabilisticCoverage(), chances, 2).indices.tolist()
    [0, 2]
    """

    entries = "probabilities", 1

    def _empty(self):
        return np.ones(self.n_coords_)

    def _raise(self, x, c, at):
        return x * c

    def _add(self, state, row):
        return state * (1 - dense_row(row))

    def _height(self, state):
        return 1 - state


def dense_row(row):
    """Return one row of coordinates as a plain float64 vector."""
    return float64(dense(row).reshape(-1))


def row_sums(data, rows, weights):
    """Sum weighted entries by row, each row in the same order in every batch.

    Parameters
    ----------
    data : ndarray or tensor
        Entries: of shape (n_rows, n_coords), or (n_stored,) for a sparse array.
    rows : {ndarray, sparse array} of shape (n_rows, n_coords)
        The rows that they belong to.
    weights : ndarray of shape (n_coords,)
        Weights of the coordinates.

    Returns
    -------
    ndarray of shape (n_rows,)
        Sums. BLAS would sum a row in another order in another batch, as devices may.
    """
    if not is_numpy(data):
        return to_numpy(data @ weights)
    if not sparse.issparse(rows):
        return np.einsum("ij,j->i", data, weights)
    owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.bincount(owner, data * weights[rows.indices], minlength=rows.shape[0])
