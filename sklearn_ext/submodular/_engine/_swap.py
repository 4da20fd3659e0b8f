"""Exchanges of chosen rows against others, for objectives of nearest members."""

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext.submodular._engine._greedy import in_greedy_order
from sklearn_ext.submodular._objectives._base import BLOCK
from sklearn_ext.submodular._objectives._rounding import SLACK

NO_LIMIT = 2**62


class _Nearest:
    """The two largest values of each coordinate among the chosen rows."""

    def __init__(self, chosen, weights, base):
        self.weights, columns = weights, np.arange(len(weights))
        rows = np.vstack([chosen, base])  # the base cannot be exchanged
        owner = rows.argmax(axis=0)
        self.first = rows[owner, columns]
        rows[owner, columns] = -np.inf
        self.second = np.maximum(rows.max(axis=0), 0)
        shape = len(weights), len(rows)  # the last one is the base
        self._by_owner = sparse.csr_array((weights, (columns, owner)), shape=shape)

    def best_exchange(self, rows, slack):
        """Return, for each row, what its best exchange gains and which member goes.

        A member that goes takes with it, where it is the nearest, the difference to
        the second nearest, or to the new row where that is nearer.
        """
        gain = np.maximum(rows - self.first, 0) @ self.weights
        loss = np.maximum(rows, self.second) - np.maximum(rows, self.first)
        by_member = (loss @ self._by_owner)[:, :-1]
        best = by_member.max(axis=1)
        leaves = (by_member >= best[:, None] - slack).argmax(axis=1)
        return gain + best, leaves


def swap(oracle, picks, slots, n_swaps, base=None):
    """Exchange chosen rows against candidates while the value rises.

    Candidates are looked at in turn, again and again, and each is exchanged at once
    against the member whose place it takes best. It ends when all were looked at
    since the last exchange: no single exchange improves the set then, as in
    partitioning around medoids.

    Parameters
    ----------
    oracle : Oracle
        Gains of a `FacilityLocation` or `Coverage`.
    picks : Picks
        The set to start from.
    slots : ndarray of shape (n,)
        Candidates.
    n_swaps : int or None
        Exchanges at most; None goes on to a local optimum.
    base : ndarray of shape (n_coords,), default=None
        State of rows that always belong to the set.

    Returns
    -------
    Picks
        The improved set in greedy order, with the bound of ``picks``.

    Raises
    ------
    ValueError
        When the objective is not a maximum over the members.
    """
    objective = oracle.objective
    if not getattr(objective, "of_maxima", False):
        raise ValueError(
            "Exchanges need FacilityLocation or Coverage, got "
            f"{type(objective).__name__}; use n_swaps=0."
        )
    if not picks.slots:
        return picks
    base = oracle.empty_state() if base is None else base
    value, members = oracle.value(picks.state), np.array(picks.slots)
    most = NO_LIMIT if n_swaps is None else n_swaps
    rule = SLACK * value, oracle.resolution * value, most
    if not oracle.exchange(members, slots, to_numpy(base), *rule):
        _exchange(oracle, members, slots, to_numpy(base), *rule)
    return in_greedy_order(oracle, base, members, picks.bound)


def _exchange(oracle, members, slots, base, slack, floor, most):
    """Exchange members as `Oracle.exchange` describes it, block by block."""
    weights = to_numpy(oracle.objective.coord_weights_)
    chosen = oracle.host_rows(members)
    near = _Nearest(chosen, weights, base)
    step = max(1, BLOCK // oracle.objective.n_coords_)
    start, since = 0, 0  # the next candidate, and how many since the last exchange
    while since < len(slots) and most:
        stop = min(start + step, len(slots), start + len(slots) - since)
        block = slots[start:stop]
        gains = np.full(len(block), -np.inf)
        outside = ~np.isin(block, members)
        rows = oracle.host_rows(block)
        gains[outside], leaves = near.best_exchange(rows[outside], slack)
        oracle.n_calls += int(outside.sum())
        better = np.flatnonzero(gains > floor)
        if len(better):
            at = better[0]
            gone = leaves[outside[:at].sum()]
            chosen[gone], members[gone] = rows[at], block[at]
            near = _Nearest(chosen, weights, base)
            start, since, most = start + at + 1, 1, most - 1
        else:
            start, since = stop, since + len(block)
        start %= len(slots)
