"""One guess of the optimum, kept by levels: a row is tested against every prefix."""

import numpy as np

from sklearn_ext.submodular._engine._guess import Guess
from sklearn_ext.submodular._engine._walk import levels, walk


class LeveledGuess(Guess):
    r"""Rows that each gain a threshold, and how deep every other row gets.

    With chosen rows :math:`e_1, \dots, e_T`, level i holds the rows that gain the
    threshold at the first i - 1 of them:
    :math:`R_i = \{e \in R_{i-1} : f(e \mid e_1, \dots, e_{i-1}) \ge \tau\}`. Given what
    comes before, :math:`e_i` is uniform in :math:`R_i`; hence a deletion that the
    chosen rows do not steer hits it with chance :math:`1 / |R_i|`, and the expected
    cost of an update does not grow with the number of rows.
    """

    def __init__(self, oracle, gamma, k, state, rng):
        super().__init__(oracle, gamma, k, state, rng)
        self.slots = []  # e_1, ..., e_T
        self.counts = np.zeros(k + 1, dtype=np.int64)  # of R_i, from i = 1

    @property
    def full(self):
        """Whether k rows are chosen."""
        return len(self.slots) == self.k

    @property
    def chosen(self):
        """Living chosen slots."""
        return self.slots

    def _take(self, slots, found):
        """Let new rows replace one chosen row at most, and rebuild what comes after."""
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
