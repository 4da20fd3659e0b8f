"""What one guess of the optimum is, however its rows are kept."""

import numpy as np

from sklearn_ext.submodular._engine._walk import first_levels
from sklearn_ext.submodular._objectives._rounding import below
from sklearn_ext.submodular._rows._stores import grown, writable


class Guess:
    """Rows that each gain a threshold, and how deep every other row gets.

    A subclass says what is ``chosen``, whether that is ``full``, how it is built from
    candidates (``_construct``), and what a row that comes (``_take``) or leaves
    (``delete``) changes. Updates are generators that pause between blocks of work.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    gamma : float
        The guess; the threshold is gamma / 2k, less rounding.
    k : int
        Rows to choose.
    state : object
        State to start from.
    rng : Generator
        Randomness of the choices.
    """

    def __init__(self, oracle, gamma, k, state, rng):
        self.oracle, self.gamma, self.k, self._rng = oracle, gamma, k, rng
        self.tau = below(gamma / (2 * k))
        self.states = oracle.states(state)  # of the prefixes of what is chosen
        self.level = np.zeros(16, dtype=np.int16 if k < 32_000 else np.int32)  # by slot

    @property
    def gain(self):
        """What the chosen rows add to the first state."""
        return self._built

    @property
    def bound(self):
        """Bound on the optimum when the guess is not full: the others gain < tau."""
        return self._built + self.gamma / 2

    @property
    def _built(self):
        """What the rows that were chosen add, those that have gone since included."""
        return self.oracle.value(self.states[-1]) - self.oracle.value(self.states[0])

    def build(self, slots, singles):
        """Start from rows.

        Parameters
        ----------
        slots : ndarray of shape (n,)
            Rows.
        singles : ndarray of shape (n,)
            Their gains at the first state.

        Yields
        ------
        None
            After each block.
        """
        yield from self._construct(0, self._worthy(slots, singles))

    def insert(self, slots, singles):
        """Add rows, and rebuild what they change.

        Parameters
        ----------
        slots : ndarray of shape (n,)
            Rows.
        singles : ndarray of shape (n,)
            Their gains at the first state.

        Yields
        ------
        None
            After each block.
        """
        slots = self._worthy(slots, singles)
        if not len(slots):
            return
        high = len(self.states) - self.full
        found = yield from first_levels(self.oracle, slots, self.states, self.tau, high)
        self.level[slots] = found
        yield from self._take(slots, found)

    def _worthy(self, slots, singles):
        """Make room for rows; return those that gain the threshold by themselves."""
        if len(slots):
            self.level = grown(self.level, int(slots.max()) + 1)
        return slots[singles >= self.tau]

    def __setstate__(self, state):
        self.__dict__.update({k: writable(v) for k, v in state.items()})
