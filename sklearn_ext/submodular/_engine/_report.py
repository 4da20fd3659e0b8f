"""From chosen slots to the set that is reported: refined, and stable."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.submodular._engine._greedy import in_greedy_order, lazy
from sklearn_ext.submodular._engine._swap import swap
from sklearn_ext.submodular._objectives._rounding import SLACK


@dataclass(frozen=True)
class Selection:
    """A chosen subset.

    Parameters
    ----------
    indices : ndarray of shape (n_selected,)
        Rows in the order of choice.
    gains : ndarray of shape (n_selected,)
        What each added to those before it.
    value : float
        Value of the set.
    upper_bound : float
        Proven bound on the value of every set of k candidates.
    n_calls : int
        Gains that were evaluated.

    Examples
    --------
    >>> from sklearn_ext.submodular import Coverage, maximize
    >>> maximize(Coverage(), [[1, 1, 0], [0, 0, 1]], 1).certificate
    1.0
    """

    indices: np.ndarray
    gains: np.ndarray
    value: float
    upper_bound: float
    n_calls: int

    @property
    def certificate(self):
        """Value over upper bound: a proven part of the best possible."""
        return self.value / self.upper_bound if self.upper_bound > 0 else 1.0


def selection_of(oracle, start, picks, bound=np.inf):
    """Return the answer of picks beyond those of a start.

    Parameters
    ----------
    oracle : Oracle
        Values.
    start : Picks
        Rows that belong to the set from the start.
    picks : Picks
        The chosen.
    bound : float, default=inf
        On what can be added to the start, beside that of ``picks``.

    Returns
    -------
    Selection
        The answer; slots are its indices.
    """
    value = oracle.value(picks.state)
    bound = oracle.value(start.state) + min(bound, picks.bound)
    return Selection(
        np.array([*start.slots, *picks.slots], dtype=np.intp),
        np.array([*start.gains, *picks.gains], dtype=np.float64),
        value,
        float(max(bound, value)),
        oracle.n_calls,
    )


def refine(oracle, settings, state, pool, best, previous):
    """Choose from a pool, but keep the previous set while it is nearly as good.

    Parameters
    ----------
    oracle : Oracle
        Gains.
    settings : object
        ``n_select`` rows are chosen. A new set replaces the previous one when it is
        better by the share ``stability``; it was improved by ``n_swaps`` exchanges.
    state : object
        State to start from.
    pool : ndarray of int
        Candidates, ascending, among them ``best`` and ``previous``.
    best : list of int
        A set that the answer must not fall below.
    previous : list of int
        The living part of the previous answer.

    Returns
    -------
    Picks
        The answer, without a bound.
    """
    k, n_swaps = settings.n_select, settings.n_swaps
    picks = lazy(oracle, pool, k, state)
    picks.bound = np.inf  # it would hold for the pool alone
    if best:
        value = oracle.value(oracle.grow(state, best)[0]) - oracle.value(state)
        if value > (1 + SLACK) * picks.value:
            picks = in_greedy_order(oracle, state, best)
    if n_swaps:
        picks = swap(oracle, picks, pool, n_swaps, state)
    if not previous:
        return picks
    kept, gains = oracle.grow(state, previous)
    more = lazy(oracle, np.setdiff1d(pool, previous), k - len(previous), kept)
    value = float(sum(gains)) + more.value
    if picks.value > (1 + max(settings.stability, SLACK)) * value:
        return picks
    return in_greedy_order(oracle, state, [*previous, *more.slots])
