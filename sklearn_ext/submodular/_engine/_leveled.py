"""One guess of the optimum, kept by levels: a row is tested against every prefix."""

import numpy as np

from sklearn_ext.submodular._engine._walk import first_levels, levels, walk
from sklearn_ext.submodular._objectives._rounding import below
from sklearn_ext.submodular._rows._stores import grown, writable


class LeveledGuess:
    r"""Rows that each gain a threshold, and how deep every other row gets.

    With chosen rows :math:`e_1, \dots, e_T`, level i holds the rows that gain the
    threshold at the first i - 1 of them:
    :math:`R_i = \{e \in R_{i-1} : f(e \mid e_1, \dots, e_{i-1}) \ge \tau\}`. Given what
    comes before, :math:`e_i` is uniform in :math:`R_i`; hence a deletion that the
    chosen rows do not steer hits it with chance :math:`1 / |R_i|`, and the expected
    cost of an update does not grow with the number of rows.

    Updates are generators that pause between blocks of work.

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
        self.oracle, self.gamma, self.k = oracle, gamma, k
        self._rng = rng
        self.tau = below(gamma / (2 * k))
        self.slots = []  # e_1, ..., e_T
        self.states = oracle.states(state)  # of A_0, ..., A_T
        self.level = np.zeros(16, dtype=np.int16 if k < 32_000 else np.int32)
        self.counts = np.zeros(k + 1, dtype=np.int64)  # of R_i, from i = 1

    @property
    def full(self):
        """Whether k rows are chosen."""
        return len(self.slots) == self.k

    @property
    def gain(self):
        """What the chosen rows add to the first state."""
        return self.oracle.value(self.states[-1]) - self.oracle.value(self.states[0])

    @property
    def bound(self):
        """Bound on the optimum when the guess is not full: the others gain < tau."""
        return self.gain + self.gamma / 2

    @property
    def chosen(self):
        """Living chosen slots."""
        return self.slots

    def saved(self):
        """Return a copy of all that updates change, for `restore`."""
        parts = self.slots, self.counts, self.level
        return *(part.copy() for part in parts), self.states.as_list()

    def restore(self, saved):
        """Be as when `saved` was called."""
        self.slots, self.counts, self.level, states = saved
        self.states.reset(states)

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
        self._reserve(slots)
        yield from self._construct(0, slots[singles >= self.tau])

    def insert(self, slots, singles):
        """Add rows; at most one level is replaced, and those after it rebuilt.

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
        self._reserve(slots)
        slots = slots[singles >= self.tau]
        if not len(slots):
            return
        high = min(len(self.slots), self.k - 1) + 1
        found = yield from first_levels(self.oracle, slots, self.states, self.tau, high)
        self.level[slots] = found
        fresh = self._at_least(found)
        self.counts += fresh
        deep = int(found.max())
        hits = self._rng.random(deep) * self.counts[1 : deep + 1] < fresh[1 : deep + 1]
        if hits.any():
            i = int(hits.argmax()) + 1
            yield from self._replace(i, self._rng.choice(slots[found >= i]))

    def delete(self, slots):
        """Remove rows; levels are rebuilt only from the first chosen row that went.

        Parameters
        ----------
        slots : ndarray of shape (n,)
            Rows.

        Yields
        ------
        None
            After each block.
        """
        found = self.level[slots]
        self.counts -= self._at_least(found)
        self.level[slots] = 0
        gone = [
            int(z)
            for slot, z in zip(slots, found, strict=True)
            if 0 < z <= len(self.slots) and self.slots[z - 1] == slot
        ]
        if gone:
            i = min(gone)
            yield from self._construct(i - 1, np.flatnonzero(self.level >= i))

    def __setstate__(self, state):
        self.__dict__.update({k: writable(v) for k, v in state.items()})

    def _reserve(self, slots):
        if len(slots):
            self.level = grown(self.level, int(slots.max()) + 1)

    def _at_least(self, found):
        """Count levels of at least i, for i = 0, ..., k, with zero at 0."""
        counts = np.bincount(found, minlength=self.k + 1)
        counts[0] = 0
        counts[1:] = counts[:0:-1].cumsum()[::-1]
        return counts

    def _replace(self, i, slot):
        """Make a row the i-th chosen one, and rebuild what comes after."""
        del self.slots[i - 1 :]
        self.states.cut(i)
        self.slots.append(int(slot))
        self.states.append(self.oracle.add(self.states[-1], slot))
        self.level[slot] = 0  # so that it is no candidate
        rest = np.flatnonzero(self.level >= i)
        self.level[slot] = i
        yield from self._construct(i, rest)

    def _construct(self, i, candidates):
        """Keep i chosen rows; choose the rest among candidates, and set their levels.

        Every row of a level above i is a candidate. The first accepted one of a random
        order is uniform in its level.
        """
        self.oracle.n_rebuilds += 1
        order = self._rng.permutation(candidates)
        del self.slots[i:]
        self.states.cut(i + 1)
        done = yield from walk(self.oracle, order, self.states, self.tau, self.k)
        self.slots += [int(order[at]) for at in done.chosen]
        # a row that failed at j chosen ones is at level j at most
        top = len(self.slots)
        high = np.where(done.failed_at < 0, top, done.failed_at)
        rest = np.ones(len(order), dtype=bool)
        rest[done.chosen] = False
        found = np.empty(len(order), dtype=self.level.dtype)
        found[done.chosen] = np.arange(i + 1, top + 1)
        found[rest] = yield from levels(
            self.oracle, order[rest], self.states, self.tau, i, high[rest]
        )
        self.level[order] = found
        self.counts[i + 1 :] = self._at_least(found)[i + 1 :]
