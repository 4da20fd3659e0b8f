"""Exact numbers of trees: polynomials packed into Python integers.

A polynomial with counts below ``2**b`` is the integer ``sum_k count_k 2**(b k)``.
Products of integers are products of polynomials, a mask truncates them, and nothing
overflows.
"""

import numpy as np

from sklearn_ext.rashomon._trees_bottom import Grid, stumps_at, stumps_below
from sklearn_ext.rashomon._trees_exact import leaf_at, node_rows


def count_trees(losses):
    """Count the trees of every loss inside the range of ``losses``.

    Parameters
    ----------
    losses : TreeLosses
        On the grid of whole losses; weights of its trees do not matter.

    Returns
    -------
    list of int
        Exact counts, one for each of ``losses.losses``.
    """
    graph = losses.graph
    counter = _Counter(graph, losses)
    below = None
    for t in reversed(range(len(graph.levels))):
        below = {
            i: counter.node(t, i, below) for i in np.flatnonzero(losses.slack[t] >= 0)
        }
    packed = below.get(0, 0)
    mask = (1 << counter.slot) - 1
    n_degrees = losses.coef[0].shape[1]
    return [(packed >> (counter.slot * k)) & mask for k in range(n_degrees)]


class _Counter:
    """Packed polynomials of single nodes of one graph."""

    def __init__(self, graph, losses):
        self.graph, self.losses = graph, losses
        self.space = graph.space.counting()
        self.times = [int(v) for v in self.space.multiplicity]
        n_bytes = max(-(-(self.space.size.bit_length() + 1) // 8), 8)
        self.n_bytes, self.slot = n_bytes, 8 * n_bytes

    def pack(self, counts):
        """Pack integers that floats hold exactly."""
        table = np.zeros((len(counts), self.n_bytes), dtype=np.uint8)
        table[:, :8] = counts.astype("<u8").view(np.uint8).reshape(-1, 8)
        return int.from_bytes(table.tobytes(), "little")

    def node(self, t, i, below):
        """Return the packed polynomial of one subset."""
        graph, space = self.graph, self.space
        low, slack = self.losses.low[t][i], self.losses.slack[t][i]
        length = int(slack) + 1
        found = 0
        if not space.complete or graph.bottom_depth == 0:
            leaf = leaf_at(graph, t, i, self.losses.grid, low, length)
            found = self.pack(np.rint(leaf / graph.space.leaf_weight))
        if t < len(graph.levels) - 1:
            pairs = self._inner(t, i, low, length, below)
        elif graph.bottom_depth == 0:
            return found
        elif graph.bottom_depth == 1:
            bits, weight = node_rows(graph, t, i)
            used = graph.levels[t].used[i]
            stumps = stumps_at(bits, weight, used, space, self.losses.grid)
            return self.pack(stumps.polynomials(np.asarray(low), length))
        else:
            pairs = self._bottom(t, i, low, length)
        for times, zero, one, over in pairs:
            found += (times * zero * one) << (self.slot * int(over))
        return found & ((1 << (self.slot * length)) - 1)

    def _inner(self, t, i, low, length, below):
        child = self.graph.levels[t].child[i]
        over = self.losses.low[t + 1][child].sum(axis=1) - low
        usable = (self.graph.node_weights(t, i) > 0) & (over < length)
        for j in np.flatnonzero(usable):
            zero, one = child[j]
            yield self.times[j], below[zero], below[one], over[j]

    def _bottom(self, t, i, low, length):
        bits, weight = node_rows(self.graph, t, i)
        used = self.graph.levels[t].used[i]
        grid = self.losses.grid
        stumps, split_weight = stumps_below(bits, weight, used, self.space, grid)
        lows = stumps.lowest()
        over = lows.sum(axis=0) - low
        splits = np.flatnonzero((split_weight > 0) & (over < length))
        below = stumps.below(splits).polynomials(lows[:, splits], length)
        for place, j in enumerate(splits):
            zero, one = self.pack(below[0, place]), self.pack(below[1, place])
            yield self.times[j], zero, one, over[j]


def unit_grid(total):
    """Grid of whole losses with the tolerance of the threshold test."""
    return Grid(1.0, "exact", 1e-9 * total)
