"""One guess of the optimum: rows that each gain a threshold, along an order.

A walk and the updates of a guess are generators that pause between blocks, so that a
rebuild can be carried on in slices; `finish` runs one to its end. `LeveledGuess` tests
a row against every prefix of what is chosen.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.submodular._objectives._rounding import below
from sklearn_ext.submodular._rows._stores import grown, writable

FIRST = 8  # rows of the first block


@dataclass
class Walk:
    """What a walk along an order did, by position in the order."""

    chosen: list  # positions that were accepted, in turn
    failed_at: np.ndarray  # (n,) selected rows when it failed the test; -1 untested
    gains: np.ndarray  # (n,) gain when last evaluated; inf untested


def finish(generator):
    """Run a generator to its end and return its value."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def walk(oracle, order, states, tau, k):
    """Accept, in order, each row that still gains ``tau``, up to ``k`` rows.

    Blocks are evaluated at one state; after an acceptance only those that passed are
    looked at again, since gains do not rise. The result is that of looking at row
    after row.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    order : ndarray of shape (n,)
        Slots.
    states : States
        States of the chosen sets so far, the last one current; extended in place.
    tau : float
        Threshold.
    k : int
        Rows at most, those before included.

    Yields
    ------
    None
        After each block.

    Returns
    -------
    Walk
        What happened.
    """
    n, start, size = len(order), 0, FIRST
    done = Walk([], np.full(n, -1), np.full(n, np.inf))
    while start < n and len(states) <= k:
        before = len(done.chosen)
        rest = np.arange(start, min(n, start + size))
        while len(rest) and len(states) <= k:
            gains = oracle.gains(order[rest], states[-1])
            done.gains[rest] = gains
            passed = gains >= tau
            done.failed_at[rest[~passed]] = len(states) - 1
            rest = rest[passed]
            if len(rest):
                done.chosen.append(int(rest[0]))
                states.append(oracle.add(states[-1], order[rest[0]]))
                rest = rest[1:]
        start += size
        accepted = len(done.chosen) - before
        if accepted == 0:
            size = min(2 * size, oracle.largest)
        elif accepted > 2:
            size = max(size // 2, FIRST)
        yield
    return done


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
        self.states = oracle.states([state])  # of the prefixes of what is chosen
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
        if len(slots) == 1:
            found = np.array([self.oracle.level(slots[0], self.states, self.tau, high)])
        else:
            found = yield from self._levels(slots, 1, np.full(len(slots), high))
        self.level[slots] = found
        yield from self._take(slots, found)

    def _levels(self, slots, low, high):
        """Return levels as `Oracle.levels` does, and pause between blocks."""
        found = np.full(len(slots), low)
        for part in blocks(len(slots), self.oracle.largest):
            found[part] = self.oracle.levels(
                slots[part], self.states, self.tau, low, high[part]
            )
            yield
        return found

    def _worthy(self, slots, singles):
        """Make room for rows; return those that gain the threshold by themselves."""
        if len(slots):
            self.level = grown(self.level, int(slots.max()) + 1)
        return slots[singles >= self.tau]

    def __setstate__(self, state):
        self.__dict__.update({k: writable(v) for k, v in state.items()})


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
        found[rest] = yield from self._levels(order[rest], i, high[rest])
        self.level[order] = found
        self.counts[i + 1 :] = self._at_least(found)[i + 1 :]
