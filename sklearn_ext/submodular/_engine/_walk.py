"""Threshold selection along an order, and the levels of those passed over.

Both are generators that pause between blocks, so that a rebuild can be carried on in
slices; `finish` runs one to its end.
"""

from dataclasses import dataclass

import numpy as np

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


def levels(oracle, slots, states, tau, low, high):
    """Return the levels of rows as `Oracle.levels` does, block by block.

    Parameters
    ----------
    oracle : Oracle
        Gains.
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

    Yields
    ------
    None
        After each block.

    Returns
    -------
    ndarray of shape (n,)
        Levels.
    """
    found = np.full(len(slots), low)
    for start in range(0, len(slots), oracle.largest):
        part = slice(start, start + oracle.largest)
        found[part] = oracle.levels(slots[part], states, tau, low, high[part])
        yield
    return found


def first_levels(oracle, slots, states, tau, high):
    """Return the levels of rows that gain a threshold at the first state.

    Parameters
    ----------
    oracle, slots, states, tau
        As for `levels`.
    high : int
        Highest level to ask for.

    Yields
    ------
    None
        After each block.

    Returns
    -------
    ndarray of shape (n,)
        Levels, at least one.
    """
    if len(slots) == 1:
        return np.array([oracle.level(slots[0], states, tau, high)])
    tops = np.full(len(slots), high)
    return (yield from levels(oracle, slots, states, tau, 1, tops))
