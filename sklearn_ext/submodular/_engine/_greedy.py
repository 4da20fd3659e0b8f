"""Static solvers on slots: greedy and its fast relatives."""

from dataclasses import dataclass, field

import numpy as np

from sklearn_ext.submodular._engine._guess import finish, walk
from sklearn_ext.submodular._objectives._rounding import alike, below

POOL_SIZE = 1000  # candidates that `pruned` looks at
N_BOUNDS = 16  # rounds after which the lazy solver computes its upper bound


@dataclass
class Picks:
    """Chosen slots in turn, their gains, the last state and a bound on the optimum."""

    state: object
    bound: float = np.inf  # on what k candidates can add to the first state
    slots: list = field(default_factory=list)
    gains: list = field(default_factory=list)

    @property
    def value(self):
        """What the chosen slots add to the first state."""
        return float(sum(self.gains))

    def take(self, oracle, slot, gain):
        """Choose one more slot."""
        self.state = oracle.add(self.state, slot)
        self.slots.append(int(slot))
        self.gains.append(float(gain))

    def bound_by(self, gains, k):
        """Use that k more rows add at most the k largest gains, or bounds of them."""
        top = gains if len(gains) <= k else np.partition(gains, -k)[-k:]
        self.bound = min(self.bound, self.value + np.maximum(top, 0).sum())


def greedy(oracle, slots, k, state, rng=None, epsilon=0.1):
    """Evaluate all gains in every round, and take the largest.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    slots : ndarray of shape (n,)
        Candidates, ascending: of gains that are equal but for rounding, the first wins.
    k : int
        Rows to choose at most; rows without gain are not chosen.
    state : object
        State to start from.
    rng : Generator, default=None
        Not used.
    epsilon : float, default=0.1
        Not used.

    Returns
    -------
    Picks
        The chosen.
    """
    picks, left, floor = Picks(state), slots, None
    while True:
        gains = oracle.gains(left, picks.state)
        picks.bound_by(gains, k)
        if len(picks.slots) == min(k, len(slots)):
            break
        best = int(alike(gains).argmax())
        floor = oracle.resolution * gains[best] if floor is None else floor
        if gains[best] <= max(floor, 0):
            break
        picks.take(oracle, left[best], gains[best])
        left = np.delete(left, best)
    return picks


def _keys(gains, at):
    """Return minus gains and positions as complex numbers: numpy sorts by both.

    Gains that are equal but for rounding are made equal.
    """
    keys = np.empty(len(at), dtype=np.complex128)
    keys.real, keys.imag = -alike(gains), at
    return keys


class _Stale:
    """Candidates by their last known gain: those never touched since, and the others.

    Both lie sorted by key. Ties go to the lower position, as in `greedy`.
    """

    def __init__(self, gains):
        self.gains = gains.copy()  # upper bounds of the current gains
        self._untouched = np.argsort(-alike(gains), kind="stable")
        self._touched = np.empty(0, dtype=np.complex128)

    def pop(self, n, limit):
        """Remove the first candidates before a key, n at most; return positions."""
        new = self._untouched[:n]
        keys = np.concatenate([self._touched[:n], _keys(self.gains[new], new)])
        keys.sort()
        keys = keys[: min(n, np.searchsorted(keys, limit))]
        if len(keys):
            n_old = int(np.searchsorted(self._touched, keys[-1], side="right"))
            self._touched = self._touched[n_old:]
            self._untouched = self._untouched[len(keys) - n_old :]
        return keys.imag.astype(np.intp)

    def push(self, keys):
        """Put candidates back, by the keys of their fresh gains."""
        keys.sort()
        at = np.searchsorted(self._touched, keys)
        self._touched = np.insert(self._touched, at, keys)


def lazy(oracle, slots, k, state, rng=None, epsilon=0.1):
    """Choose what `greedy` chooses, evaluating only gains that can be the largest.

    The parameters are those of `greedy`. Stale gains are upper bounds, so a round ends
    when the best fresh gain beats all stale ones. They are evaluated in batches of 8 to
    512, as long as the round is open.

    Returns
    -------
    Picks
        The chosen; its bound uses stale gains too.
    """
    picks = Picks(state)
    if not len(slots) or k == 0:
        picks.bound = 0.0
        return picks
    stale = _Stale(oracle.gains(slots, state))
    floor = max(0, oracle.resolution * stale.gains.max())
    check = set(np.linspace(0, k, min(k + 1, N_BOUNDS), dtype=int).tolist())
    at = int(stale.pop(1, complex(np.inf, 0))[0])
    gain = stale.gains[at]  # all gains are fresh in the first round
    while gain > floor:
        if len(picks.slots) in check:
            picks.bound_by(stale.gains, k)
        picks.take(oracle, slots[at], gain)
        stale.gains[at] = 0.0
        if len(picks.slots) == k:
            break
        at, gain = _best_now(oracle, slots, picks.state, stale)
    picks.bound_by(stale.gains, k)
    return picks


def _best_now(oracle, slots, state, stale):
    """Return position and gain of the best candidate; the others are put back."""
    fresh, best, size = [], complex(np.inf, 0), 8
    while len(batch := stale.pop(size, best)):
        stale.gains[batch] = oracle.gains(slots[batch], state)
        keys = _keys(stale.gains[batch], batch)
        fresh.append(keys)
        best = np.minimum(best, keys.min())  # by both parts
        size = min(2 * size, 512)
    if not fresh:
        return None, 0.0
    fresh = np.concatenate(fresh)
    stale.push(fresh[fresh != best])
    at = int(best.imag)
    return at, float(stale.gains[at])


def in_greedy_order(oracle, state, slots, bound=np.inf):
    """Return a set in the order in which greedy takes it.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    state : object
        State to start from.
    slots : sequence of int
        The set.
    bound : float, default=inf
        On what as many slots add to the state; the set's own would hold for it alone.

    Returns
    -------
    Picks
        The set; members that add nothing are left out.
    """
    picks = lazy(oracle, np.array(sorted(slots), dtype=np.intp), len(slots), state)
    return Picks(picks.state, bound, picks.slots, picks.gains)


def pruned(oracle, slots, k, state, rng, epsilon=0.1):
    """Choose as `lazy` does, of a random sample where the candidates are many.

    The parameters are those of `greedy`; ``rng`` draws the sample.

    Returns
    -------
    Picks
        The chosen; the bound of a sample is not one of all candidates.
    """
    if len(slots) <= POOL_SIZE:
        return lazy(oracle, slots, k, state)
    sample = np.sort(rng.choice(slots, POOL_SIZE, replace=False))
    picks = lazy(oracle, sample, k, state)
    picks.bound = np.inf
    return picks


def stochastic(oracle, slots, k, state, rng, epsilon=0.1):
    """Take, in each round, the best of a fresh random sample.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    slots : ndarray of shape (n,)
        Candidates, ascending.
    k : int
        Rows to choose at most.
    state : object
        State to start from.
    rng : Generator
        Draws the samples, of n / k log(1 / epsilon) candidates.
    epsilon : float, default=0.1
        What the expected ratio loses against greedy's.

    Returns
    -------
    Picks
        The chosen.
    """
    picks, left, top = Picks(state), slots, 0.0
    size = int(np.ceil(len(slots) / max(k, 1) * np.log(1 / epsilon)))
    for _ in range(min(k, len(slots))):
        sample = rng.choice(len(left), min(size, len(left)), replace=False)
        sample.sort()
        gains = oracle.gains(left[sample], picks.state)
        if len(sample) == len(slots):
            picks.bound_by(gains, k)
        top = max(top, gains.max())
        best = int(alike(gains).argmax())
        if gains[best] > oracle.resolution * top:
            picks.take(oracle, left[sample[best]], gains[best])
            left = np.delete(left, sample[best])
    if not len(left):
        picks.bound = picks.value  # nothing is left to add
    return picks


def threshold(oracle, slots, k, state, rng=None, epsilon=0.1):
    """Lower a threshold step by step, and take every row that still gains it.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    slots : ndarray of shape (n,)
        Candidates.
    k : int
        Rows to choose at most.
    state : object
        State to start from.
    rng : Generator, default=None
        Not used.
    epsilon : float, default=0.1
        Share by which the threshold falls.

    Returns
    -------
    Picks
        The chosen, within 1 - 1/e - epsilon of the best.
    """
    picks, known = Picks(state), oracle.gains(slots, state)
    picks.bound_by(known, k)
    top = known.max(initial=0.0)
    # the row that defines the first threshold passes it, however its gain is rounded
    tau, last = below(top), max(epsilon / k, oracle.resolution) * top
    states = oracle.states([state])
    while tau > last and len(states) <= k:
        rows = np.flatnonzero(known >= tau)
        done = finish(walk(oracle, slots[rows], states, tau, k))
        seen = np.isfinite(done.gains)
        known[rows[seen]] = done.gains[seen]
        for at in done.chosen:
            picks.slots.append(int(slots[rows[at]]))
            picks.gains.append(float(done.gains[at]))
            known[rows[at]] = 0.0
        picks.bound_by(known, k)
        tau *= 1 - epsilon
    picks.state = states[-1]
    return picks
