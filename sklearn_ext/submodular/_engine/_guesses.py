"""A few guesses of the optimum, of which two neighbours enclose the truth."""

import copy
import math
from itertools import pairwise

import numpy as np

from sklearn_ext.submodular._engine._bucketed import BucketedGuess
from sklearn_ext.submodular._engine._guess import LeveledGuess, walk
from sklearn_ext.submodular._objectives._rounding import SLACK, alike, below
from sklearn_ext.submodular._rows._stores import grown, writable

KINDS = {"leveled": LeveledGuess, "bucketed": BucketedGuess}
NOTHING = np.empty(0, dtype=np.intp)
FIRST_SAMPLE = 1000  # rows on which the search for the truth starts


class Engine:
    r"""Keeps, under updates, sets that are nearly half as good as the best.

    Guesses are powers :math:`\gamma_j = (1 + \epsilon)^j`. When :math:`\gamma_j` is
    full (k rows gain the threshold) and :math:`\gamma_{j+1}` is not,

    .. math:: f(A_j) \ge \gamma_j / 2, \qquad
              \mathrm{OPT} \le f(A_{j+1}) + \gamma_{j+1} / 2
              \le f(A_{j+1}) + (1 + \epsilon) f(A_j),

    so that the better of the two has 1 / (2 + epsilon) of the optimum. After every
    update the pair is looked for and, if it broke, its missing neighbour built.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    settings : object
        Rows to choose (``n_select``), the spacing of the guesses (``epsilon``), how one
        is kept (``algorithm``), which are (``guesses``), and how many at most
        (``max_guesses``), as the parameters of a selector.
    state : object
        State to start from.
    rng : Generator
        Randomness.
    """

    def __init__(self, oracle, settings, state, rng):
        self.oracle, self.state, self._rng = oracle, state, rng
        self.k, self.epsilon = settings.n_select, settings.epsilon
        self._kind, self._all = KINDS[settings.algorithm], settings.guesses == "all"
        self._max, self._step = settings.max_guesses, math.log1p(settings.epsilon)
        self.guesses = {}  # power: guess
        self._singles = np.zeros(16)  # gain at the first state, by slot
        self._inside = np.zeros(16, dtype=bool)  # rows that the guesses know of
        self._top = 0.0  # the largest gain inside
        self._work = []  # updates under way, each with its generator last
        self._standing = None  # what was known before them

    # updates

    def start(self, slots, singles, standing):
        """Know of rows, whose sets the first update will build.

        Parameters
        ----------
        slots : ndarray of shape (n,)
            Rows.
        singles : ndarray of shape (n,)
            Their gains at the first state.
        standing : tuple
            What is `known` until then.
        """
        self._know(NOTHING, slots, singles)
        self._top, self._standing = singles.max(initial=0.0), standing

    def update(self, delete, insert, max_calls=None):
        """Remove and add rows, all or nothing.

        Parameters
        ----------
        delete : ndarray of shape (n_deleted,)
            Slots that leave; not to be reused before the engine is idle again.
        insert : ndarray of shape (n_inserted,)
            Slots that come.
        max_calls : int, default=None
            Gains to evaluate now, about; what is left is carried on by later updates
            while the old answer stands. None does all work now.
        """
        stop = math.inf if max_calls is None else self.oracle.n_calls + max_calls
        singles = self.oracle.gains(insert, self.state)
        at_once = max_calls is None and self.idle
        before = self._copied() if at_once and self.oracle.may_fail else None
        if self.idle and self._standing is not None:  # rows of `start` have no sets yet
            self._work.append((NOTHING, NOTHING, NOTHING, self._repair()))
        try:
            self._standing = None if at_once else self._widened(insert, singles)
            work = self._update(delete, insert, singles)
            self._work.append((delete, insert, singles, work))
            self._advance(stop)
        except BaseException:
            if before is None:
                self._begin_anew(delete, insert)
            else:
                self.__dict__ = before
            raise

    def finish(self):
        """Do all work that is left."""
        try:
            self._advance(math.inf)
        except BaseException:
            self._begin_anew()
            raise

    @property
    def idle(self):
        """Whether all updates are done."""
        return not self._work

    def _advance(self, stop):
        while self._work and self.oracle.n_calls < stop:
            try:
                next(self._work[0][-1])
            except StopIteration:
                self._work.pop(0)
                self._standing = self._standing if self._work else None

    def _copied(self):
        """Copy all that an update changes; what it only reads is shared."""
        shared = {id(part): part for part in (self.oracle, self.state)}
        return copy.deepcopy(self.__dict__, shared)

    def _begin_anew(self, delete=NOTHING, insert=NOTHING):
        """Know of the rows as before an update that failed halfway; drop all guesses.

        The next update builds them. Until then, any k rows add at most k times the
        largest gain.
        """
        for leave, come, singles, _ in self._work:
            self._know(leave, come, singles)
        self._know(insert, delete, self._singles[delete])
        self._top = self._singles[self._inside].max(initial=0.0)
        self.guesses, self._work, self._standing = {}, [], None

    def _widened(self, insert, singles):
        """Return what is known, with a bound that holds for new rows too.

        At its state an old row gains at most its threshold: what a new row gains
        beyond that is all that it can add.
        """
        slots, bound, state, tau = self.known
        gains = singles if state is self.state else self.oracle.gains(insert, state)
        beyond = np.sort(gains - tau)[-self.k :]
        return slots, bound + float(np.maximum(beyond, 0).sum()), state, tau

    def _know(self, delete, insert, singles):
        """Note which rows there are, and what they gain at the first state."""
        size = int(max(delete.max(initial=-1), insert.max(initial=-1))) + 1
        self._singles = grown(self._singles, size)
        self._inside = grown(self._inside, size)
        self._inside[delete] = False
        self._singles[insert] = singles
        self._inside[insert] = True

    def _update(self, delete, insert, singles):
        self._know(delete, insert, singles)
        if len(delete):
            if self._singles[delete].max() >= self._top:
                self._top = self._singles[self._inside].max(initial=0.0)
            for guess in self.guesses.values():
                yield from guess.delete(delete)
        if len(insert):
            self._top = max(self._top, singles.max())
            for guess in self.guesses.values():
                yield from guess.insert(insert, singles)
        yield from self._repair()

    # which guesses are kept

    def _gamma(self, power):
        return math.exp(power * self._step)

    def _power(self, value):
        """Largest power whose guess is at most a value, but for rounding."""
        return math.floor((math.log(value) + SLACK) / self._step)

    def _repair(self):
        if self._top <= 0:
            self.guesses = {}
        elif self._all:
            yield from self._keep_all()
        else:
            if not self.guesses:
                yield from self._build((yield from self._locate()))
            stride = 1
            while (power := next_power(self._full, stride, self._floor)) is not None:
                yield from self._build(power)
                stride = min(2 * stride, 16)
            self._evict()

    def _keep_all(self):
        low, high = self._power(self._top) + 1, self._power(2 * self.k * self._top) + 1
        for power in range(low, high + 1):
            if power not in self.guesses:
                yield from self._build(power)
        self.guesses = {j: self.guesses[j] for j in range(low, high + 1)}

    def _build(self, power):
        gamma = self._gamma(power)
        guess = self._kind(self.oracle, gamma, self.k, self.state, self._rng)
        slots = np.flatnonzero(self._inside)
        yield from guess.build(slots, self._singles[slots])
        self.guesses[power] = guess

    @property
    def _full(self):
        return {power: guess.full for power, guess in self.guesses.items()}

    def _floor(self):
        """Power at which fewer than k rows are useful, if no guess is full."""
        best = max(guess.gain for guess in self.guesses.values())
        return self._power(2 * self.epsilon * max(best, self._top))

    def _evict(self):
        """Keep the pair and what is nearest to it; without a pair, the lowest."""
        pair = enclosing(self._full)
        centre = min(self.guesses) if pair is None else pair[0] + 0.6
        kept = sorted(self.guesses, key=lambda power: abs(power - centre))[: self._max]
        self.guesses = {power: self.guesses[power] for power in kept}

    def _locate(self):
        """Search the power to start at, on growing samples and without levels."""
        slots = np.flatnonzero(self._inside)
        lowest = self._power(2 * self.epsilon * self._top)
        power, size = self._power(self._top), FIRST_SAMPLE
        while True:
            whole = size >= len(slots)
            sample = slots if whole else self._rng.choice(slots, size, replace=False)
            power = yield from self._climb(sample, power, lowest)
            if whole:
                return power
            size *= 8

    def _climb(self, sample, power, lowest):
        """Return the highest power that a sample fills, or the lowest of all."""
        full, stride = {}, 1
        while power is not None:
            full[power] = power <= lowest or (yield from self._fills(power, sample))
            power = next_power(full, stride, lambda: lowest)
            stride = min(2 * stride, 16)
        return max(power for power in full if full[power])

    def _fills(self, power, sample):
        tau = below(self._gamma(power) / (2 * self.k))
        order = self._rng.permutation(sample[self._singles[sample] >= tau])
        if len(order) < self.k:
            return False
        states = self.oracle.states([self.state])
        yield from walk(self.oracle, order, states, tau, self.k)
        return len(states) > self.k

    # answers

    @property
    def known(self):
        """Chosen slots, a bound, and where it is from: a state and a threshold.

        No row gains more than the threshold at the state. While work is under way all
        are those from before it, and some of the slots may have left.
        """
        if self._standing is not None:
            return self._standing
        chosen = {slot for guess in self.guesses.values() for slot in guess.chosen}
        bounds = [(float(self.k * self._top), self.state, self._top)]
        for guess in self.guesses.values():
            if not guess.full:
                bounds.append((float(guess.bound), guess.states[-1], guess.tau))
        return sorted(chosen), *min(bounds, key=lambda found: found[0])

    @property
    def candidates(self):
        """Slots chosen by any guess; some may have left while work is under way."""
        return self.known[0]

    @property
    def bound(self):
        """Bound on what k rows can add to the first state."""
        return self.known[1]

    def best(self):
        """Return the slots of the best guess, while the engine is idle."""
        if not self.guesses:
            return []
        by_power = [guess for _, guess in sorted(self.guesses.items())]
        return list(by_power[alike([guess.gain for guess in by_power]).argmax()].chosen)

    def describe(self):
        """Return power, gamma, whether full, size and gain of every guess."""
        return [
            {
                "gamma": guess.gamma,
                "full": guess.full,
                "size": len(guess.chosen),
                "value": guess.gain,
            }
            for _, guess in sorted(self.guesses.items())
        ]

    def __getstate__(self):
        self.finish()  # generators cannot be stored
        return self.__dict__.copy()

    def __setstate__(self, state):
        self.__dict__.update({k: writable(v) for k, v in state.items()})


def enclosing(full):
    """Return the nearest two powers of which the lower is full and the higher not.

    Parameters
    ----------
    full : dict of int to bool
        Whether the guess of a power is full.

    Returns
    -------
    tuple of int or None
        The powers; None where there are no such neighbours.
    """
    pairs = [(a, b) for a, b in pairwise(sorted(full)) if full[a] and not full[b]]
    return min(pairs, key=lambda pair: (pair[1] - pair[0], -pair[0]), default=None)


def next_power(full, stride, floor):
    """Return the power to look at next: stride up or down to a pair, then halve.

    Parameters
    ----------
    full : dict of int to bool
        Whether the guess of a power is full, for those looked at so far.
    stride : int
        How far to go on.
    floor : callable
        Returns the power below which none is looked at.

    Returns
    -------
    int or None
        The power; None when the answer is enclosed, or the floor reached.
    """
    if (pair := enclosing(full)) is not None:
        a, b = pair
        return None if b == a + 1 else (a + b) // 2
    highest, lowest = max(full), min(full)
    if full[highest]:
        return highest + stride
    return None if lowest <= (least := floor()) else max(lowest - stride, least)
