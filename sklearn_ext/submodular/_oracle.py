"""Gains of slots, counted."""

import numpy as np

from sklearn_ext.submodular._objective import BLOCK


class Oracle:
    """An objective on stored rows; counts evaluated gains and rebuilt levels.

    Parameters
    ----------
    objective : SubmodularObjective
        With its reference fitted.
    rows : DenseRows, SparseRows or RepresentedRows
        Coordinates by slot.
    """

    def __init__(self, objective, rows):
        self.objective, self.rows = objective, rows
        self.n_calls = self.n_rebuilds = 0

    @property
    def resolution(self):
        """Share of the largest gain below which a gain is rounding."""
        single = self.rows.dtype == np.float32
        return 64 * np.finfo(np.float32 if single else np.float64).eps

    def gains(self, slots, state):
        """Return the gain of each slot."""
        self.n_calls += len(slots)
        step = max(1, BLOCK // self.rows.width)
        if len(slots) <= step:
            return self.objective.gains(self.rows.take(slots), state)
        gains = np.empty(len(slots))
        for start in range(0, len(slots), step):
            part = slice(start, start + step)
            gains[part] = self.objective.gains(self.rows.take(slots[part]), state)
        return gains

    def gains_at(self, slots, states, which):
        """Return the gain of each slot at a state of its own."""
        self.n_calls += len(slots)
        order = np.argsort(which, kind="stable")  # rows of one state side by side
        rows = self.rows.take(slots[order])
        gains = np.empty(len(slots))
        gains[order] = self.objective.gains_at(rows, states, which[order])
        return gains

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
