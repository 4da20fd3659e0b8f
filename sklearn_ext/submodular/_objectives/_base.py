"""What every objective offers: rows, states, gains."""

import numpy as np
from scipy import sparse

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.submodular._objectives._rounding import SLACK
from sklearn_ext.submodular._objectives._similarities import cosine

BLOCK = 1 << 15  # numbers worked on at a time, so that temporaries stay in the cache


class SubmodularObjective(ExtEstimator):
    """Base of the objectives: a set function of rows, seen through its gains.

    A row of data becomes a row of *coordinates* (`represent`), a set becomes a *state*.
    All methods below treat rows in batches. A subclass supplies ``_fit_reference``,
    ``_represent``, ``_gains``, ``_add`` and the empty state, and ``_value`` where a
    state does not hold its value.

    Objectives that are sums over coordinates add them in one order, whatever the batch
    a row comes in: the same row at the same state has the same gain, to the last bit.
    `LogDet`, `GraphCut` and mixtures with them compare rows by BLAS, which rounds
    differently in another batch.
    """

    monotone = True
    submodular = True
    weighs_reference = False  # whether sample_weight means something
    of_vectors = False  # whether states are vectors, that can lie in an array
    may_fail = True  # whether a function of the user may stop halfway

    def fit_reference(self, X, sample_weight=None, random_state=None):
        """Learn what stays fixed while rows come and go.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that are to be represented.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each of them counts, for objectives that have a reference set.
        random_state : int, RandomState instance or None, default=None
            Draws the reference rows when there are many.

        Returns
        -------
        self : SubmodularObjective
            The objective, ready for `represent`.
        """
        if sample_weight is not None:
            check_weighs(self)
        self._fit_reference(_as_rows(X), sample_weight, random_state)
        return self

    def represent(self, X):
        """Turn rows of data into rows of coordinates.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        {ndarray, sparse array} of shape (n_samples, n_coords)
            Their coordinates.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            rows = self._represent(_as_rows(X))
            values = rows.data if sparse.issparse(rows) else rows
            finite = np.isfinite(values.sum())  # a sum is one pass without a copy
        if not (finite or np.isfinite(values).all()):
            raise ValueError(
                f"{type(self).__name__} gives coordinates that are not finite; scale "
                "the rows, or look at its metric."
            )
        return rows

    def empty_state(self):
        """Return the state of the empty set.

        Returns
        -------
        object
            The state.
        """
        return self._empty()

    def gains(self, rows, state):
        """Return what each row would add to a set.

        Parameters
        ----------
        rows : {ndarray, sparse array} of shape (n_rows, n_coords)
            Coordinates.
        state : object
            State of the set.

        Returns
        -------
        ndarray of shape (n_rows,)
            Gains.
        """
        n, step = rows.shape[0], max(1, BLOCK // max(1, rows.shape[1]))
        if n and (n <= step or not isinstance(rows, np.ndarray)):
            return self._gains(rows, state)
        parts = [self._gains(rows[part], state) for part in blocks(n, step)]
        return np.concatenate([np.empty(0), *parts])

    def gains_at(self, rows, states, which):
        """Return the gain of each row at a state of its own.

        Parameters
        ----------
        rows : {ndarray, sparse array} of shape (n_rows, n_coords)
            Coordinates.
        states : sequence
            States; an array of vectors is fastest.
        which : ndarray of shape (n_rows,)
            Position of the state for each row. In an array one row can be looked at in
            several states.

        Returns
        -------
        ndarray of shape (n_rows,)
            Gains.
        """
        table = self.of_vectors and hasattr(states, "dtype")
        if table and not sparse.issparse(rows):
            return self._gains(rows, states[which])
        gains = np.empty(rows.shape[0])
        for at in np.unique(which):
            there = np.flatnonzero(which == at)
            gains[there] = self.gains(rows[there], states[at])
        return gains

    def add(self, state, row):
        """Return the state of a set with one row more.

        Parameters
        ----------
        state : object
            State of the set, which is left as it is.
        row : {ndarray, sparse array} of shape (1, n_coords)
            Coordinates of the row.

        Returns
        -------
        object
            The new state.
        """
        return self._add(state, row)

    def value(self, state):
        """Return the value of a set.

        Parameters
        ----------
        state : object
            State of the set.

        Returns
        -------
        float
            Value.
        """
        return float(self._value(state))

    def _value(self, state):
        return state.value

    def similarity(self, X, Y):
        """Tell how near rows are, for assigning rows to exemplars.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        Y : {array-like, sparse matrix} of shape (n_exemplars, n_features)
            Exemplars.

        Returns
        -------
        ndarray of shape (n_samples, n_exemplars)
            Similarities.
        """
        return self._similarity(X, Y)

    def _similarity(self, X, Y):
        return cosine(X, Y)

    def _in_range(self, X, what, high=None):
        """Refuse coordinates below zero or too high, naming the objective.

        Those that are outside by rounding alone are moved to the bound.
        """
        values = X.data if sparse.issparse(X) else X
        least = values.min(initial=0)
        if least == 0 and high is None:
            return X
        most = values.max(initial=high or 0)
        slack = most * (1e-5 if values.dtype == np.float32 else SLACK)
        if least < -slack:
            raise ValueError(
                f"{type(self).__name__} needs {what} of at least 0, got a "
                f"minimum of {least:g}; shift or clip them, or choose another "
                "objective."
            )
        if high is not None and most > high + slack:
            raise ValueError(
                f"{type(self).__name__} needs {what} of at most {high:g}, got a "
                f"maximum of {most:g}; rescale them."
            )
        if least < 0 or (high is not None and most > high):
            X = X.copy()  # it may be the user's
            values = X.data if sparse.issparse(X) else X
            np.clip(values, 0, high, out=values)
        return X


def check_weighs(objective):
    """Refuse weights of rows for an objective that has no reference rows.

    Parameters
    ----------
    objective : SubmodularObjective
        Whose ``weighs_reference`` is asked, if it has any.
    """
    if not getattr(objective, "weighs_reference", True):
        raise ValueError(
            f"{type(objective).__name__} has no reference rows that sample_weight "
            "could weigh; leave it out, or use FacilityLocation."
        )


def check_factors(objective, weights, n, what):
    """Return the factors of a sum, checked: one each, finite and non-negative.

    Parameters
    ----------
    objective : SubmodularObjective
        Whose sum it is.
    weights : array-like of shape (n,)
        The factors, as the user passed them.
    n : int
        How many there must be.
    what : str
        What each belongs to.

    Returns
    -------
    ndarray of shape (n,)
        The factors, in memory of their own.
    """
    weights = np.array(weights, dtype=np.float64, order="C")
    least = weights.min(initial=np.inf)
    if weights.shape != (n,) or not (least >= 0 and np.isfinite(weights).all()):
        raise ValueError(
            f"{type(objective).__name__} needs {n} non-negative weights, finite and "
            f"one {what}, got shape {weights.shape} with minimum {least:g}."
        )
    return weights


def _as_rows(X):
    if sparse.issparse(X):
        X = X.tocsr()
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()  # an entry can be stored in parts
        return X
    X = np.asarray(X)
    X = X if X.dtype.kind == "f" else X.astype(np.float64)
    if X.ndim != 2:
        raise ValueError(f"Expected rows as a 2D array, got {X.ndim} dimension(s).")
    return X
