"""From the engine's sets to the set that is reported: refined, and stable."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.submodular._engine._greedy import in_greedy_order, lazy
from sklearn_ext.submodular._engine._swap import swap
from sklearn_ext.submodular._objectives._rounding import SLACK


@dataclass(frozen=True)
class Report:
    """An answer: chosen slots in greedy order, and what is known about them."""

    slots: tuple  # initial ones first
    gains: tuple
    value: float
    bound: float  # on the value of every allowed set
    n_changes: int = 0  # rows that the answer before did not have

    @classmethod
    def of(cls, oracle, state, initial, picks, bound, previous=()):
        """Make the report of picks beyond initial slots.

        Parameters
        ----------
        oracle : Oracle
            Values.
        state : object
            State of the initial slots.
        initial : Report or None
            Report of them alone.
        picks : Picks
            The chosen.
        bound : float
            On what can be added to the initial slots.
        previous : sequence of int, default=()
            The answer before.

        Returns
        -------
        Report
            The report.
        """
        base = oracle.value(state)
        first, gains = (initial.slots, initial.gains) if initial else ((), ())
        slots = (*first, *picks.slots)
        value = oracle.value(picks.state)
        return cls(
            slots,
            (*gains, *picks.gains),
            value,
            max(base + min(bound, picks.bound), value),
            len(set(slots) - set(previous)),
        )


def refine(oracle, k, state, pool, best, previous, stability, n_swaps):
    """Choose from a pool, but keep the previous set while it is nearly as good.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    k : int
        Rows to choose.
    state : object
        State to start from.
    pool : ndarray of int
        Candidates, ascending, among them ``best`` and ``previous``.
    best : list of int
        A set that the answer must not fall below.
    previous : list of int
        The living part of the previous answer.
    stability : float
        Share by which a new set must be better to replace it.
    n_swaps : int
        Exchanges after the greedy choice.

    Returns
    -------
    Picks
        The answer, without a bound.
    """
    picks = lazy(oracle, pool, k, state)
    picks.bound = np.inf  # it would hold for the pool alone
    if best and _value(oracle, state, best) > (1 + SLACK) * picks.value:
        picks = in_greedy_order(oracle, state, best)
    if n_swaps:
        picks = swap(oracle, picks, pool, n_swaps, state)
    if not previous:
        return picks
    kept, gains = oracle.grow(state, previous)
    more = lazy(oracle, np.setdiff1d(pool, previous), k - len(previous), kept)
    value = float(sum(gains)) + more.value
    if picks.value > (1 + max(stability, SLACK)) * value:
        return picks
    return in_greedy_order(oracle, state, [*previous, *more.slots])


def _value(oracle, state, slots):
    return oracle.value(oracle.grow(state, slots)[0]) - oracle.value(state)
