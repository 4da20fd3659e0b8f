"""Objectives made of others, or of a function of the user."""

from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sklearn_ext._core._compat import _BaseComposition
from sklearn_ext._numerics._arrays import dense
from sklearn_ext.submodular._objectives._base import (
    SubmodularObjective,
    check_factors,
)
from sklearn_ext.submodular._objectives._pairwise import RowsState

SLACK = 1e-8  # share of the scale that a gain may fall below zero by rounding


class Mixture(_BaseComposition, SubmodularObjective):
    r"""Weighted sum of objectives.

    .. math:: f(S) = \sum_i a_i f_i(S)

    Parameters
    ----------
    objectives : list of (str, objective) tuples
        The members by name; they are cloned, not changed.
    weights : array-like of shape (n_objectives,), default=None
        Non-negative weights; None means ones.

    Attributes
    ----------
    objectives_ : list of objective
        The members with their references.
    weights_ : ndarray of shape (n_objectives,)
        The weights.
    n_coords_ : int
        Number of coordinates of all members together.

    See Also
    --------
    FacilityLocation : Representation, as one member.
    LogDet : Diversity, as another.

    Examples
    --------
    >>> from sklearn_ext.submodular import Coverage, FeatureBased, Mixture, maximize
    >>> both = Mixture([("cover", Coverage()), ("sums", FeatureBased())])
    >>> maximize(both, [[1, 1, 0], [1, 0, 0], [0, 0, 1]], 2).indices.tolist()
    [0, 2]
    """

    _parameter_constraints: dict = {
        "objectives": [list],
        "weights": ["array-like", None],
    }

    def __init__(self, objectives, *, weights=None):
        self.objectives = objectives
        self.weights = weights

    def get_params(self, deep=True):
        """Return the parameters, with those of the members when asked.

        Parameters
        ----------
        deep : bool, default=True
            Whether parameters of members are included, as ``name__parameter``.

        Returns
        -------
        dict
            Parameters by name.
        """
        return self._get_params("objectives", deep=deep)

    def set_params(self, **params):
        """Set parameters, also of members: ``name__parameter``.

        Parameters
        ----------
        **params : dict
            Parameters by name.

        Returns
        -------
        self : Mixture
            The objective.
        """
        return self._set_params("objectives", **params)

    @property
    def monotone(self):
        """Whether all members are monotone."""
        return all(member.monotone for _, member in self.objectives)

    @property
    def may_fail(self):
        """Whether any member calls a function of the user."""
        return any(member.may_fail for _, member in self.objectives)

    @property
    def weighs_reference(self):
        """Whether all members take weights of reference rows."""
        return all(member.weighs_reference for _, member in self.objectives)

    def _validate_params(self):
        super()._validate_params()
        pairs = all(isinstance(p, tuple) and len(p) == 2 for p in self.objectives)
        if not self.objectives or not pairs:
            raise ValueError(
                "Mixture needs a list of pairs (name, objective), at least one, got "
                f"{self.objectives!r}."
            )
        names = [name for name, _ in self.objectives]
        if len(set(names)) < len(names):
            raise ValueError(f"Mixture needs distinct names, got {names}.")
        for _, member in self.objectives:
            member._validate_params()

    def _fit_reference(self, X, sample_weight, random_state):
        n = len(self.objectives)
        weights = np.ones(n) if self.weights is None else self.weights
        self.weights_ = check_factors(self, weights, n, "an objective")
        self.objectives_ = [
            clone(member).fit_reference(X, sample_weight, random_state)
            for _, member in self.objectives
        ]
        bounds = np.cumsum([0, *(member.n_coords_ for member in self.objectives_)])
        parts = [slice(start, stop) for start, stop in pairwise(bounds.tolist())]
        self._terms = list(zip(self.weights_, self.objectives_, parts, strict=True))
        self.n_coords_ = int(bounds[-1])

    def _represent(self, X):
        rows = [member.represent(X) for member in self.objectives_]
        if any(sparse.issparse(part) for part in rows):
            return sparse.csr_array(sparse.hstack(rows, format="csr"))
        return np.hstack(rows)

    def _empty(self):
        return tuple(member.empty_state() for member in self.objectives_)

    def _gains(self, rows, state):
        terms = zip(self._terms, state, strict=True)
        return sum(a * part.gains(rows[:, at], s) for (a, part, at), s in terms)

    def _add(self, state, row):
        terms = zip(self._terms, state, strict=True)
        return tuple(part.add(s, row[:, at]) for (_, part, at), s in terms)

    def _value(self, state):
        terms = zip(self._terms, state, strict=True)
        return sum(a * part.value(s) for (a, part, _), s in terms)

    def _similarity(self, X, Y):
        return sum(a * part.similarity(X, Y) for a, part, _ in self._terms)


class CallableObjective(SubmodularObjective):
    """A set function of the user.

    Its values are checked as they come: finite, zero for the empty set and, when it is
    said to be monotone, never falling.

    Parameters
    ----------
    func : callable
        ``func(rows)`` returns the value of a set of rows, an array of shape
        (n_chosen, n_features), and zero for no rows.
    monotone : bool, default=True
        Whether more rows never have less value; the dynamic algorithms need it.

    Attributes
    ----------
    n_coords_ : int
        Number of features.

    See Also
    --------
    check_submodular : Looks for sets where the function is not submodular.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.submodular import CallableObjective, maximize
    >>> reach = CallableObjective(lambda rows: np.sqrt(rows.sum()))
    >>> maximize(reach, [[1.0], [4.0], [2.0]], 2).indices.tolist()
    [1, 2]
    """

    _parameter_constraints: dict = {"func": [callable], "monotone": ["boolean"]}

    def __init__(self, func, *, monotone=True):
        self.func = func
        self.monotone = monotone

    def _fit_reference(self, X, sample_weight, random_state):
        self.n_coords_ = X.shape[1]
        empty = self._call(np.empty((0, self.n_coords_)))
        if empty != 0:
            raise ValueError(
                f"The function must be 0 for the empty set, got {empty:g}; subtract "
                "that from its values."
            )

    def _call(self, rows):
        value = float(self.func(rows))
        if not np.isfinite(value):
            raise ValueError(
                f"The function must be finite, got {value} for {len(rows)} row(s)."
            )
        return value

    def _represent(self, X):
        return dense(X)

    def _empty(self):
        return RowsState(np.empty((0, self.n_coords_)), 0.0)

    def _gains(self, rows, state):
        values = np.array([self._call(np.vstack([state.rows, [row]])) for row in rows])
        gains = values - state.value
        scale = max(abs(state.value), abs(values).max(initial=0))
        if self.monotone and gains.min(initial=0) < -SLACK * scale:
            raise ValueError(
                "The function is not monotone: a row lowered its value by "
                f"{-gains.min():g}. Declare CallableObjective(func, monotone=False) "
                "and use maximize or algorithm='greedy'."
            )
        return gains

    def _add(self, state, row):
        rows = np.vstack([state.rows, np.reshape(row, (1, -1))])
        return RowsState(rows, self._call(rows))
