"""Exchanges of chosen rows against others, for objectives of nearest members."""

import numpy as np

from sklearn_ext.submodular._engine._greedy import in_greedy_order
from sklearn_ext.submodular._objectives._base import BLOCK
from sklearn_ext.submodular._objectives._rounding import alike


class _Nearest:
    """The chosen rows, and the two largest values of each coordinate among them."""

    def __init__(self, chosen, weights, base):
        self.chosen, self.weights, self.base = chosen, weights, base
        self._find()

    def _find(self):
        columns = np.arange(self.chosen.shape[1])
        rows = np.vstack([self.chosen, self.base])  # the base cannot be exchanged
        self.owner = rows.argmax(axis=0)
        self.first = rows[self.owner, columns]
        rows[self.owner, columns] = -np.inf
        self.second = np.maximum(rows.max(axis=0), 0)
        self._by_owner = np.argsort(self.owner, kind="stable")
        owners = self.owner[self._by_owner]
        self._starts = np.flatnonzero(np.diff(owners, prepend=-1))
        self._owners = owners[self._starts]

    @property
    def value(self):
        return float(self.first @ self.weights)

    def best_exchange(self, rows):
        """Return, for each row, what its best exchange gains and which member goes.

        A member that goes takes with it, where it is the nearest, the difference to
        the second nearest, or to the new row where that is nearer.
        """
        gain = np.maximum(rows - self.first, 0) @ self.weights
        loss = np.maximum(rows, self.second) - np.maximum(rows, self.first)
        loss = (loss * self.weights)[:, self._by_owner]
        by_owner = np.zeros((len(rows), len(self.chosen) + 1))
        by_owner[:, self._owners] = np.add.reduceat(loss, self._starts, axis=1)
        by_member = by_owner[:, :-1]  # the last one is the base
        leaves = alike(by_member).argmax(axis=1)
        return gain + by_member[np.arange(len(rows)), leaves], leaves

    def exchange(self, leaves, row):
        self.chosen[leaves] = row
        self._find()


def swap(oracle, picks, slots, n_swaps, base=None):
    """Exchange chosen rows against candidates while the value rises.

    Candidates are gone through in blocks; within a block the best exchange is made and
    the others that promised a rise are looked at again. It ends after a pass without an
    exchange: no single exchange improves the set then, as in partitioning around
    medoids.

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
    members = np.array(picks.slots)
    chosen = oracle.host_rows(members)
    near = _Nearest(chosen, objective.coord_weights_, oracle.host(base))
    floor = oracle.resolution * near.value
    left = np.inf if n_swaps is None else n_swaps
    improved = left > 0
    while improved:
        improved = False
        step = max(1, BLOCK // objective.n_coords_)
        for start in range(0, len(slots), step):
            block = slots[start : start + step]
            made = _exchange_in(oracle, near, members, block, floor, left)
            left -= made
            improved |= made > 0 and left > 0
            if left <= 0:
                break
    return in_greedy_order(oracle, base, members, picks.bound)


def _exchange_in(oracle, near, members, block, floor, left):
    """Make exchanges with the rows of a block, and return how many."""
    made, rows = 0, oracle.host_rows(block)
    outside = ~np.isin(block, members)
    block, rows = block[outside], rows[outside]
    while len(block) and made < left:
        oracle.n_calls += len(block)
        gains, leaves = near.best_exchange(rows)
        best = int(alike(gains).argmax())
        if gains[best] <= floor:
            break
        near.exchange(leaves[best], rows[best])
        members[leaves[best]] = block[best]
        made += 1
        rest = gains > floor
        rest[best] = False
        block, rows = block[rest], rows[rest]
    return made
