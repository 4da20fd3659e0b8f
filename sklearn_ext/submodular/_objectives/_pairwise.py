"""Objectives of pairs of rows: log determinants and graph cuts."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._numerics._arrays import dense
from sklearn_ext.submodular._objectives._base import SubmodularObjective
from sklearn_ext.submodular._objectives._facility_location import FacilityLocation
from sklearn_ext.submodular._objectives._rounding import SLACK
from sklearn_ext.submodular._objectives._similarities import (
    kernel_scale,
    near_one,
    similarities,
)


@dataclass(frozen=True, eq=False)
class RowsState:
    """Chosen rows and the value of their set."""

    rows: np.ndarray  # (n_chosen, n_coords)
    value: float


@dataclass(frozen=True, eq=False)
class CholeskyState(RowsState):
    """Chosen rows, the log determinant of their matrix and its factor."""

    factor: np.ndarray  # (n_chosen, n_chosen), lower


class LogDet(SubmodularObjective):
    r"""Log determinant of the kernel of a set: volume, hence diversity.

    .. math:: f(S) = \log\det(I + \alpha K_{SS})

    The identity makes it monotone; the log determinant of the bare kernel is not. A
    gain costs O(\|S\| n_features + \|S\|^2).

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the kernel against the identity: the larger, the more near copies are
        avoided.
    kernel : {"rbf", "linear", "cosine"}, default="rbf"
        Kernel of the rows.
    gamma : float, default=None
        Scale of "rbf"; None takes one over the median squared distance.

    Attributes
    ----------
    gamma_ : float
        Scale of the kernel.
    n_coords_ : int
        Number of features.

    See Also
    --------
    FacilityLocation : Representation instead of diversity.

    Examples
    --------
    >>> from sklearn_ext.submodular import LogDet, maximize
    >>> found = maximize(LogDet(kernel="linear"), [[3.0, 0], [2.9, 0], [0, 1]], 2)
    >>> found.indices.tolist()
    [0, 2]
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "kernel": [StrOptions({"rbf", "linear", "cosine"})],
        "gamma": [Interval(Real, 0, None, closed="neither"), None],
    }

    may_fail = False

    def __init__(self, alpha=1.0, *, kernel="rbf", gamma=None):
        self.alpha = alpha
        self.kernel = kernel
        self.gamma = gamma

    def _fit_reference(self, X, sample_weight, random_state):
        self.n_coords_, self.gamma_ = X.shape[1], self.gamma
        if self.kernel == "rbf" and self.gamma is None:
            seed = check_random_state(random_state).randint(2**31 - 1)
            self.gamma_ = kernel_scale(X, np.ones(X.shape[0]), seed)

    def _represent(self, X):
        X = dense(X)
        if self.kernel == "cosine":  # the linear kernel of unit rows, without clipping
            X = near_one(X)
            norms = np.linalg.norm(X, axis=1, keepdims=True)
            return X / np.where(norms > 0, norms, 1)
        if not np.isfinite(np.einsum("ij,ij->i", X, X)).all():
            raise ValueError("LogDet squares rows, which overflows; scale the rows.")
        return X

    def _empty(self):
        return CholeskyState(np.empty((0, self.n_coords_)), 0.0, np.empty((0, 0)))

    def _kernel(self, X, Y):
        metric = "rbf" if self.kernel == "rbf" else "linear"
        return similarities(X, Y, metric, self.gamma_)

    def _solve(self, rows, state):
        """Return v with L v = alpha K(S, rows), and 1 + alpha k(row, row)."""
        if self.kernel == "rbf":
            start = np.full(len(rows), 1 + self.alpha)
        else:
            start = 1 + self.alpha * np.einsum("ij,ij->i", rows, rows)
        if not len(state.rows):
            return np.empty((0, len(rows))), start
        K = self.alpha * self._kernel(state.rows, rows)
        return solve_triangular(state.factor, K, lower=True, check_finite=False), start

    def _gains(self, rows, state):
        rows = rows.astype(np.float64, copy=False)
        v, start = self._solve(rows, state)
        return np.log(np.maximum(start - np.einsum("ij,ij->j", v, v), 1))

    def _add(self, state, row):
        row = np.asarray(row, dtype=np.float64).reshape(1, -1)
        v, start = self._solve(row, state)
        left = max(start[0] - float((v**2).sum()), 1.0)
        n = len(state.rows)
        factor = np.zeros((n + 1, n + 1))
        factor[:n, :n] = state.factor
        factor[n, :n], factor[n, n] = v[:, 0], np.sqrt(left)
        rows = np.vstack([state.rows, row])
        return CholeskyState(rows, state.value + np.log(left), factor)

    def _similarity(self, X, Y):
        return self._kernel(self._represent(X), self._represent(Y))


class GraphCut(FacilityLocation):
    r"""Similarity to the reference minus similarity inside the set.

    .. math:: f(S) = \lambda \sum_{i \in W, j \in S} s_{ij} - \sum_{i, j \in S} s_{ij}

    It is monotone when ``lam >= 2`` and the reference holds all rows that can be
    chosen. Where rows come and go that cannot be promised, so the dynamic algorithms
    refuse it; `maximize` takes it and stops when no row gains.

    Parameters
    ----------
    lam : float, default=2.0
        Weight of representation against redundancy.
    metric : str or callable, default="rbf"
        As in `FacilityLocation`, without "precomputed".
    gamma : float, default=None
        Scale of the kernel; None takes one over the median squared distance.
    reference : "sample" or array-like, default="sample"
        The rows to be represented, of shape (n_reference, n_features).
    n_reference : int, default=1000
        Number of reference rows at most.

    Attributes
    ----------
    reference_ : ndarray of shape (n_reference, n_features)
        Reference rows.
    gamma_ : float
        Scale of the kernel.
    n_coords_ : int
        Number of coordinates: features, similarity to the reference and to itself.
    coord_weights_ : ndarray of shape (n_reference,)
        Weights of the reference rows, their number in sum.

    See Also
    --------
    FacilityLocation : Monotone, and without redundancy to weigh.

    Examples
    --------
    >>> from sklearn_ext.submodular import GraphCut, maximize
    >>> found = maximize(GraphCut(1.2), [[0.0], [0.1], [0.2], [5.0]], 2)
    >>> found.indices.tolist()
    [1, 3]
    """

    monotone = False
    of_maxima = False

    _parameter_constraints: dict = {
        "lam": [Interval(Real, 0, None, closed="neither")],
        **{
            name: rule
            for name, rule in FacilityLocation._parameter_constraints.items()
            if name != "n_neighbors"
        },
    }

    def __init__(
        self,
        lam=2.0,
        *,
        metric="rbf",
        gamma=None,
        reference="sample",
        n_reference=1000,
    ):
        self.lam = lam
        self.metric = metric
        self.gamma = gamma
        self.reference = reference
        self.n_reference = n_reference

    def _fit_reference(self, X, sample_weight, random_state):
        if self.metric == "precomputed":
            raise ValueError(
                "GraphCut compares chosen rows with each other, for which precomputed "
                "similarities to a reference do not suffice: pass metric as a callable."
            )
        super()._fit_reference(X, sample_weight, random_state)
        self.n_coords_ = X.shape[1] + 2

    def _weigh(self, weights):
        self.coord_weights_ = weights  # a sum over rows, not a mean

    def _represent(self, X):
        X = dense(X)
        near = self._in_range(self._similarity(X, self.reference_), "similarities")
        own = [self._similarity(row, row)[0, 0] for row in X[:, None]]
        return np.column_stack([X, near @ self.coord_weights_, own]).astype(X.dtype)

    def _empty(self):
        return RowsState(np.empty((0, self.n_coords_)), 0.0)

    def _gains(self, rows, state):
        rows = np.asarray(rows, dtype=np.float64)
        gains = self.lam * rows[:, -2] - rows[:, -1]
        if len(state.rows):
            inside = self._similarity(rows[:, :-2], state.rows[:, :-2])
            gains -= 2 * inside.sum(axis=1)
        # a difference that is zero but for rounding is no gain
        return np.where(abs(gains) > SLACK * self.lam * rows[:, -2], gains, 0.0)

    def _add(self, state, row):
        row = np.asarray(row, dtype=np.float64).reshape(1, -1)
        gain = self._gains(row, state)[0]
        return RowsState(np.vstack([state.rows, row]), state.value + gain)

    def _value(self, state):
        return state.value
