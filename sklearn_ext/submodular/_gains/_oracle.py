"""Gains of slots, counted: the one place where a backend differs from another."""

import copy

import numpy as np

from sklearn_ext._numerics._arrays import blocks, dense, single, to_numpy
from sklearn_ext.submodular._objectives._base import BLOCK
from sklearn_ext.submodular._rows._stores import (
    RepresentedRows,
    grown,
    represent_rows,
    row_store,
)


class States(list):
    """States of a set that grows; those that are vectors also as one array.

    Parameters
    ----------
    states : iterable of object
        The first states, as a list takes them: skops makes it anew of all.
    """

    def __init__(self, states):
        super().__init__(states)
        self._table, self._filled = None, 0

    def cut(self, n):
        """Keep the first n states."""
        del self[n:]
        self._filled = min(self._filled, n)

    def __deepcopy__(self, memo):
        return copy.copy(self)  # a state never changes

    @property
    def table(self):
        """The states under one another, (n_states, n_coords); they must be vectors."""
        n = len(self)
        if self._table is None:
            self._table, self._filled = self[0][None], 1
        if n > len(self._table):
            self._table = grown(self._table, n)
        for at in range(self._filled, n):
            self._table[at] = self[at]
        self._filled = n
        return self._table[:n]

    def __getstate__(self):
        return {"_table": None, "_filled": 0}


class Oracle:
    """An objective on stored rows; counts evaluated gains and rebuilt levels.

    Everything that solvers and engines know of rows and states goes through it, so that
    a subclass can keep both elsewhere: compiled, or on a device.

    Parameters
    ----------
    objective : SubmodularObjective
        With its reference fitted.
    rows : DenseRows, SparseRows or RepresentedRows, default=None
        Coordinates by slot; None until `load`, `follow` or `hold`.
    """

    states = States
    largest = 2048  # rows of a block at most
    ways = 4  # states that a search of one row looks at side by side

    def __init__(self, objective, rows=None):
        self.objective, self._rows = objective, rows
        self._source = None  # the store whose rows are represented
        self.n_calls = self.n_rebuilds = 0

    @property
    def rows(self):
        """Coordinates by slot; what was not stored is computed when it is needed."""
        if self._rows is None:
            self.load(self._source.take(np.arange(self._source.n_slots)))
        return self._rows

    def __getstate__(self):
        state = self.__dict__.copy()
        if self._source is not None and not isinstance(self._rows, RepresentedRows):
            state["_rows"] = None  # they would be many times their source
        return state

    def __deepcopy__(self, memo):
        new = memo[id(self)] = object.__new__(type(self))
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    @property
    def resolution(self):
        """Share of the largest gain below which a gain is rounding."""
        return 64 * np.finfo(np.float32 if single(self.rows) else np.float64).eps

    @property
    def may_fail(self):
        """Whether a function of the user is called for a gain."""
        stored = not isinstance(self._rows, RepresentedRows)
        return getattr(self.objective, "may_fail", True) and not (
            stored and getattr(self.objective, "of_maxima", False)
        )

    @property
    def _step(self):
        """Rows evaluated at a time, that stay in the cache."""
        return max(1, BLOCK // self.rows.width)

    @property
    def _side_by_side(self):
        """Whether gains at several states come from one array of them."""
        return self.rows.dense and getattr(self.objective, "of_vectors", False)

    def represent(self, X):
        """Return coordinates of rows of data, as ``rows`` takes them."""
        return self.objective.represent(X)

    def load(self, X):
        """Take rows of data, which nobody may change."""
        self._rows = represent_rows(self.objective, X)

    def follow(self, source, max_cache_mb=np.inf):
        """Take the rows of a store, to which others come and in which they change.

        Parameters
        ----------
        source : DenseRows or SparseRows
            Rows of data.
        max_cache_mb : float, default=inf
            Memory for coordinates; beyond it they are computed anew when needed.
        """
        self._source, self._rows = source, None
        size = source.n_slots * self.objective.n_coords_ * source.dtype.itemsize
        if size > max_cache_mb * 2**20:
            self._rows = RepresentedRows(self, source)

    def hold(self, rows):
        """Take rows of coordinates."""
        self._rows = row_store(rows)

    def empty_state(self):
        """Return the state of the empty set."""
        return self.objective.empty_state()

    def gains(self, slots, state):
        """Return the gain of each slot."""
        self.n_calls += len(slots)
        if 0 < len(slots) <= self._step:  # an objective need not take no rows
            return self.objective.gains(self.rows.take(slots), state)
        gains = np.empty(len(slots))
        for part in blocks(len(slots), self._step):
            gains[part] = self.objective.gains(self.rows.take(slots[part]), state)
        return gains

    def levels(self, slots, states, tau, low, high):
        """Return the largest level at which each row still gains a threshold.

        Gains do not rise from level to level, so each row's levels are halved until one
        is left, all rows in lock step.

        Parameters
        ----------
        slots : ndarray of shape (n,)
            Rows.
        states : States
            States; level z asks for the gain at ``states[z - 1]``.
        tau : float
            Threshold.
        low : int
            Level that every row has.
        high : ndarray of shape (n,)
            Highest level to ask for.

        Returns
        -------
        ndarray of shape (n,)
            Levels.
        """
        low, high = np.full(len(slots), low), high.copy()
        if self._side_by_side:  # few rows at a time, that stay in the cache
            states, step = states.table, self._step
        else:  # many, since those that ask for the same state are evaluated together
            step = max(1, len(slots))
        for part in blocks(len(slots), step):
            self._search(slots[part], states, tau, low[part], high[part])
        return low

    def _search(self, slots, states, tau, low, high):
        """Raise ``low`` and lower ``high``, in place, until they meet."""
        open_ = np.flatnonzero(low < high)
        rows = self.rows.take(slots[open_])
        while len(open_):
            middle = (low[open_] + high[open_] + 1) // 2
            self.n_calls += len(open_)
            passed = self.objective.gains_at(rows, states, middle - 1) >= tau
            low[open_[passed]] = middle[passed]
            high[open_[~passed]] = middle[~passed] - 1
            left = low[open_] < high[open_]
            if not left.all():
                open_, rows = open_[left], rows[left]

    def level(self, slot, states, tau, high):
        """Return the level of one row that gains a threshold at the first state.

        Parameters
        ----------
        slot : int
            The row.
        states : States
            States; level z asks for the gain at ``states[z - 1]``.
        tau : float
            Threshold.
        high : int
            Highest level to ask for.

        Returns
        -------
        int
            Level, at least one.
        """
        if high == 1:
            return 1
        low, row = 1, self.rows.take(np.array([slot]))
        ways = self.ways if self._side_by_side else 1
        while low < high:
            n = min(ways, high - low)
            asked = [low + (high - low + 1) * i // (n + 1) for i in range(1, n + 1)]
            self.n_calls += n
            if ways == 1:
                gains = self.objective.gains(row, states[asked[0] - 1])
            else:
                whole = n == high - low  # one row at several states
                at = slice(low, high) if whole else [z - 1 for z in asked]
                gains = self.objective.gains_at(row, states.table, at)
            passed = sum((gains >= tau).tolist())  # the first ones
            if passed:
                low = asked[passed - 1]
            if passed < n:
                high = asked[passed] - 1
        return low

    def add(self, state, slot):
        """Return the state with one slot more."""
        return self.objective.add(state, self.rows.take(np.array([slot])))

    def value(self, state):
        """Return the value of a state."""
        value = self.objective.value(state)
        if not np.isfinite(value):
            raise ValueError(
                f"{type(self.objective).__name__} gives a set the value {value}; scale "
                "the rows."
            )
        return value

    def grow(self, state, slots):
        """Return the state with more slots, and their gains in turn."""
        gains = []
        for slot in slots:
            before, state = self.value(state), self.add(state, slot)
            gains.append(self.value(state) - before)
        return state, gains

    def exchange(self, members, slots, base, slack, floor, most):
        """Exchange members against slots up to a local optimum, where loops can.

        Parameters
        ----------
        members : ndarray of int
            Chosen slots, changed in place.
        slots : ndarray of int
            Candidates, in the order in which they are looked at.
        base : ndarray of shape (n_coords,)
            State of rows that always belong to the set.
        slack : float
            Losses that differ by less are equal; the first member leaves.
        floor : float
            Gain that an exchange must exceed.
        most : int
            Exchanges at most.

        Returns
        -------
        bool
            Whether it was done.
        """
        return False

    def host_rows(self, slots):
        """Return rows as a dense numpy array of doubles."""
        return to_numpy(dense(self.rows.take(slots))).astype(np.float64)
