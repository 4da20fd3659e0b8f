"""Sieve-streaming++: one pass, insertions only, memory of k / epsilon rows."""

import copy
import math

import numpy as np

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.submodular._engine._greedy import Picks
from sklearn_ext.submodular._engine._guess import finish, walk
from sklearn_ext.submodular._objectives._rounding import SLACK, alike, below


class Sieve:
    """Sets that each accept what gains their own threshold.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    k : int
        Rows of a set at most.
    state : object
        State to start from.
    epsilon : float
        Thresholds are powers of 1 + epsilon.
    """

    def __init__(self, oracle, k, state, epsilon):
        self.oracle, self.k, self.epsilon = oracle, k, epsilon
        self._state, self._step = state, math.log1p(epsilon)
        self._largest, self._best = 0.0, 0.0
        self._sets = {}  # power: (slots, states)

    def insert(self, slots):
        """Show rows to all sets.

        Parameters
        ----------
        slots : ndarray of shape (n,)
            Rows, in the order of the stream.
        """
        singles = self.oracle.gains(slots, self._state)
        largest = max(self._largest, singles.max(initial=0))
        if largest <= 0:
            return
        sets = {}  # a user's function that fails leaves the ones before
        for power in sorted({*self._sets, *self._powers(self._best, largest)}):
            first = [], self.oracle.states([self._state])
            chosen, states = self._sets.get(power, first)
            states = copy.copy(states)
            tau = below(math.exp(power * self._step))
            rows = slots[singles >= tau]
            done = finish(walk(self.oracle, rows, states, tau, self.k))
            sets[power] = [*chosen, *(int(rows[at]) for at in done.chosen)], states
        values = {power: self._value(states) for power, (_, states) in sets.items()}
        first = max(values, key=lambda power: alike(values[power]))
        # without the best set its value would fall, and sets come back that have not
        # seen all rows
        kept = {first, *self._powers(values[first], largest)}
        self._sets = {j: found for j, found in sets.items() if j in kept}
        self._largest, self._best = largest, values[first]

    def _powers(self, best, largest):
        """Powers with thresholds between (best value) / 2k and the largest gain."""
        low = math.log(max(best, largest) / (2 * self.k)) - SLACK
        high = math.log(largest) + SLACK
        return range(math.ceil(low / self._step), math.floor(high / self._step) + 1)

    def _value(self, states):
        return self.oracle.value(states[-1]) - self.oracle.value(self._state)

    @property
    def held(self):
        """Slots in any set."""
        return {slot for chosen, _ in self._sets.values() for slot in chosen}

    @property
    def picks(self):
        """The best set; its value is at least 1/2 - epsilon of the optimum.

        A set that is not full has refused every row that gains its threshold, and rows
        before its time gained less: k others add less than k thresholds to it.
        """
        picks = Picks(self._state, self.k * self._largest)
        if not self._sets:
            return picks
        for power, (slots, states) in self._sets.items():
            if len(slots) < self.k:
                more = self.k * math.exp(power * self._step)
                picks.bound = min(picks.bound, self._value(states) + more)
        slots, states = max(
            self._sets.values(), key=lambda found: alike(self._value(found[1]))
        )
        values = [self.oracle.value(state) for state in states]
        picks.slots, picks.state = list(slots), states[-1]
        picks.gains = np.diff(values).tolist()
        return picks


def sieve(oracle, slots, k, state, rng=None, epsilon=0.1):
    """Choose rows in one pass, in the order of the stream.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    slots : ndarray of shape (n,)
        Candidates in order.
    k : int
        Rows to choose at most.
    state : object
        State to start from.
    rng : Generator, default=None
        Not used.
    epsilon : float, default=0.1
        The ratio is 1/2 - epsilon.

    Returns
    -------
    Picks
        The chosen.
    """
    sets = Sieve(oracle, k, state, epsilon)
    for part in blocks(len(slots), 4096):
        sets.insert(slots[part])
    return sets.picks
