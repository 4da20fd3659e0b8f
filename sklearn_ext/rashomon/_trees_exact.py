"""Exact loss distribution of a tree space by recursion on loss polynomials.

The polynomial of a node has the weight of all subtrees with loss k as its k-th
coefficient. A leaf contributes ``sum_c z**error_c``, a split the product of its sides.
Three passes: the smallest loss of every subset, how far above it a subtree can be
inside the threshold, and the coefficients in that range only. So every polynomial has
at most ``theta * n + 1`` coefficients, however large the losses are.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.rashomon._polynomials import normalized, shifted, sum_of_products
from sklearn_ext.rashomon._splits import equal_columns
from sklearn_ext.rashomon._trees_bottom import (
    Grid,
    leaf_cells,
    leaf_polynomials,
    stumps_at,
    stumps_below,
)
from sklearn_ext.rashomon._trees_space import members_of


@dataclass(frozen=True)
class TreeLosses:
    """Loss polynomials of all subsets of a graph, truncated to a threshold.

    Parameters
    ----------
    graph : Graph
        The subsets.
    grid : Grid
        What one degree means.
    low : tuple of ndarray
        For each level, the degree of the first stored coefficient of every subset.
    slack : tuple of ndarray
        For each level, the last useful degree above ``low``; negative: unreachable.
    coef : tuple of ndarray of shape (n_subsets, length)
        Coefficients divided by the largest of each subset.
    log_scale : tuple of ndarray
        Logarithms of what they were divided by.
    """

    graph: object
    grid: Grid
    low: tuple
    slack: tuple
    coef: tuple
    log_scale: tuple

    @property
    def empty(self):
        """Whether no tree is within the threshold."""
        return self.slack[0][0] < 0

    @property
    def losses(self):
        """Losses (summed over rows) of the stored coefficients of the root."""
        return (self.low[0][0] + np.arange(self.coef[0].shape[1])) / self.grid.scale

    def log_cdf(self):
        """Logarithm of the weight up to each of ``losses``."""
        with np.errstate(divide="ignore"):
            return np.log(np.cumsum(self.coef[0][0])) + self.log_scale[0][0]


@dataclass(frozen=True)
class SmallestLosses:
    """Smallest loss of any subtree at every subset, in loss units.

    Parameters
    ----------
    lows : tuple of ndarray
        One array for each level; the root's entry is the loss of the optimal tree.
    pairs : ndarray of shape (n_subsets, n_splits)
        At the last level, the smallest loss by split, where two splits follow.
    """

    lows: tuple
    pairs: np.ndarray

    def __getitem__(self, t):
        return self.lows[t]


def node_rows(graph, t, i):
    """Bits and class weights of the rows at one subset."""
    place = members_of(graph.levels[t], i, len(graph.rows.bits))
    return graph.rows.bits[place], graph.rows.weight[place]


def smallest_losses(graph):
    """Smallest loss of any subtree at every subset, in loss units.

    Parameters
    ----------
    graph : Graph
        The subsets.

    Returns
    -------
    SmallestLosses
        Losses by level.
    """
    lows, pairs = _smallest_at_bottom(graph)
    lows = [lows]
    for t in reversed(range(len(graph.levels) - 1)):
        level, below = graph.levels[t], lows[0]
        best = np.empty(len(level))
        for i in range(len(level)):
            pair = below[level.child[i]].sum(axis=1)
            best[i] = pair[graph.node_weights(t, i) > 0].min(initial=np.inf)
        lows.insert(0, _or_leaf(best, level.totals, graph.space))
    return SmallestLosses(tuple(lows), pairs)


def _smallest_at_bottom(graph):
    level, space, grid = graph.levels[-1], graph.space, Grid()
    pairs = np.full((len(level), len(space.weight)), np.inf)
    if graph.bottom_depth == 0:
        return leaf_cells(level.totals.T, space, grid).min(axis=0), pairs
    if graph.bottom_depth == 1:
        rows = graph.rows
        stumps = stumps_at(rows.bits, rows.weight, level.used[0], space, grid)
        return stumps.lowest()[None], pairs
    for nodes, place, inside in graph.batches(np.arange(len(level))):
        group, stumps, split_weight = _stumps_of(graph, nodes, place, inside, grid)
        best = stumps.lowest().sum(axis=0)
        pairs[nodes] = np.where(split_weight > 0, best, np.inf)[:, group]
    return _or_leaf(pairs.min(axis=1, initial=np.inf), level.totals, space), pairs


def _stumps_of(graph, nodes, place, inside, grid, wanted=None):
    """Stumps below some nodes, splits that are equal on their rows taken together."""
    bits, weight = graph.rows.bits[place], graph.rows.weight[place]
    space, used = graph.space, graph.levels[-1].used[nodes]
    group = np.arange(bits.shape[1])
    if space.repeats:
        columns, group = equal_columns(bits)
        bits = bits[:, columns]
        space = replace(space, weight=np.bincount(group, space.weight))
    upper = slice(None) if wanted is None else np.unique(group[wanted])
    return group, *stumps_below(
        bits, weight, used, space, grid, inside=inside, upper=upper
    )


def _or_leaf(best, totals, space):
    if space.complete:
        return best
    return np.minimum(best, leaf_cells(totals.T, space, Grid()).min(axis=0))


def expand(graph, smallest, grid, threshold):
    """Compute the loss polynomials of all subsets up to a threshold.

    Parameters
    ----------
    graph : Graph
        The subsets.
    smallest : SmallestLosses
        Result of :func:`smallest_losses`.
    grid : Grid
        Cells of the polynomials.
    threshold : float
        Largest loss, summed over rows, that is of interest.

    Returns
    -------
    TreeLosses
        The polynomials.
    """
    depth = graph.space.depth
    low = tuple(_low_cells(s, grid, depth - t) for t, s in enumerate(smallest.lows))
    budget = grid.cells_below(threshold) - low[0][0]
    slack = _useful_degrees(graph, low, budget)
    length = max(int(budget) + 1, 1)
    pairs = _low_cells(smallest.pairs, grid, min(depth, 2))
    pairs[np.isinf(smallest.pairs)] = np.iinfo(np.int64).max
    tables = [_bottom_level(graph, grid, low[-1], slack[-1], length, pairs)]
    for t in reversed(range(len(graph.levels) - 1)):
        below = (low[t + 1], *tables[0])
        tables.insert(0, _inner_level(graph, t, grid, low[t], slack[t], length, below))
    coef, log_scale = zip(*tables, strict=True)
    return TreeLosses(graph, grid, low, slack, coef, log_scale)


def _low_cells(values, grid, depth):
    """Lower bounds in cells, never above the sum of the bounds of two children."""
    values = np.where(np.isfinite(values), values, 0.0)
    if grid.rounding == "exact":
        return grid.cells(values)
    slip = grid.tolerance * grid.scale  # what rounding takes from each leaf
    lost = 2**depth * (slip + (grid.rounding == "down"))
    return np.maximum(np.ceil(values * grid.scale - lost), 0).astype(np.int64)


def _useful_degrees(graph, low, budget):
    slack = [np.full(len(level), -1, dtype=np.int64) for level in graph.levels]
    slack[0][0] = budget
    for t, level in enumerate(graph.levels[:-1]):
        for i in np.flatnonzero(slack[t] >= 0):
            child = level.child[i]
            over = low[t + 1][child].sum(axis=1) - low[t][i]
            left = np.where(graph.node_weights(t, i) > 0, slack[t][i] - over, -1)
            for side in (0, 1):
                np.maximum.at(slack[t + 1], child[:, side], left)
    return tuple(slack)


def _inner_level(graph, t, grid, low, slack, length, below):
    coef, log_scale = np.zeros((len(low), length)), np.full(len(low), -np.inf)
    for i in np.flatnonzero(slack >= 0):
        size = slack[i] + 1
        _, zero, one, weight, log_top = inner_terms(graph, t, i, low[i], size, below)
        found = sum_of_products(zero, one, weight)
        if not graph.space.complete:
            found += leaf_at(graph, t, i, grid, low[i], size) * np.exp(-log_top)
        coef[i, :size], log_scale[i] = normalized(found)
        log_scale[i] += log_top
    return coef, log_scale


def _bottom_level(graph, grid, low, slack, length, pairs):
    """Polynomials at the last stored level, several nodes at once."""
    level, space = graph.levels[-1], graph.space
    nodes = np.flatnonzero(slack >= 0)
    found = np.zeros((len(low), length))
    if len(nodes) == 0:
        return normalized(found)
    if graph.bottom_depth == 0 or not space.complete:
        cells = leaf_cells(level.totals[nodes].T, space, grid).T
        found[nodes] = leaf_polynomials(cells, space.leaf_weight, low[nodes], length)
    if graph.bottom_depth == 1:
        rows = graph.rows
        stumps = stumps_at(rows.bits, rows.weight, level.used[0], space, grid)
        found[nodes] = stumps.polynomials(low[nodes], length)
    if graph.bottom_depth == 2:
        _add_products(graph, nodes, grid, low, slack, pairs, found)
    found[np.arange(length) > slack[:, None]] = 0.0
    return normalized(found)


def _add_products(graph, nodes, grid, low, slack, pairs, found):
    """Add the products of the stumps on both sides of every split to ``found``."""
    for some, place, inside in graph.batches(nodes, found.shape[1]):
        size = slack[some] + 1
        wanted = (pairs[some] < (low[some] + size)[:, None]).any(axis=0)
        _, stumps, split_weight = _stumps_of(graph, some, place, inside, grid, wanted)
        at, zero, one, _ = bottom_terms(stumps, split_weight, low[some], size)
        factors = np.zeros((2, *split_weight.shape, zero.shape[-1]))
        factors[(0, *at)], factors[(1, *at)] = zero, one
        total = sum_of_products(factors[0], factors[1], split_weight)
        found[some, : total.shape[1]] += total


def leaf_at(graph, t, i, grid, low, length):
    """Coefficients of the leaf in place of one subset."""
    cells = leaf_cells(graph.levels[t].totals[i], graph.space, grid)
    return leaf_polynomials(cells[None], graph.space.leaf_weight, low, length)[0]


def inner_terms(graph, t, i, low, length, below):
    """Factors of the products at an inner node.

    Parameters
    ----------
    graph : Graph
        The subsets.
    t, i : int
        Level and place of the node.
    low, length : int
        First degree and number of coefficients wanted.
    below : tuple
        First degrees, coefficients and log scales of the next level.

    Returns
    -------
    splits : ndarray of int
        Splits with a product inside the range.
    zero, one : ndarray of shape (n_splits_left, length)
        Factors; the zero-side carries the shift between their degrees and ``low``.
    weight : ndarray
        Weights divided by the largest.
    log_top : float
        Logarithm of what they were divided by.
    """
    low_below, coef, log_scale = below
    child = graph.levels[t].child[i]
    weight = graph.node_weights(t, i)
    over = low_below[child].sum(axis=1) - low
    splits = np.flatnonzero((weight > 0) & (over < length))
    pick = child[splits]
    logs = log_scale[pick].sum(axis=1) + np.log(weight[splits])
    log_top = logs.max(initial=-np.inf)
    zero = shifted(coef[pick[:, 0], :length], over[splits])
    log_top = log_top if np.isfinite(log_top) else 0.0
    return splits, zero, coef[pick[:, 1], :length], np.exp(logs - log_top), log_top


def bottom_terms(stumps, split_weight, low, length):
    """Factors of the products at nodes two levels above the leaves.

    Parameters
    ----------
    stumps : Stumps
        Of all children of some nodes.
    split_weight : ndarray of shape (..., n_splits)
        Weights of the splits at the nodes.
    low, length : int or ndarray
        First degree and number of coefficients wanted, for each node.

    Returns
    -------
    place : tuple of ndarray of int
        Node (where there is an axis of nodes) and split of every product inside the
        range.
    zero, one : ndarray of shape (n_products, max(length))
        Factors; the zero-side carries the shift between their degrees and ``low``.
    weight : ndarray of shape (n_products,)
        Weights.
    """
    lows = stumps.lowest()
    low, length = np.asarray(low)[..., None], np.asarray(length)[..., None]
    over = lows.sum(axis=0) - low
    place = np.nonzero((split_weight > 0) & (over < length))
    one = lows[(1, *place)]
    zero = np.broadcast_to(low, over.shape)[place] - one
    factors = stumps.below(*place).polynomials(np.stack([zero, one]), length.max())
    return place, *factors, split_weight[place]


def optimal_tree(graph, smallest):
    """Follow the smallest losses down to one optimal tree.

    Parameters
    ----------
    graph : Graph
        The subsets.
    smallest : SmallestLosses
        Result of :func:`smallest_losses`.

    Returns
    -------
    split : ndarray of int, shape (2**depth - 1,)
        Splits of the heap, -1 where there is none.
    label : ndarray of int, shape (2**(depth + 1) - 1,)
        Class index of each leaf, -1 elsewhere.
    """
    depth = graph.space.depth
    split = np.full(2**depth - 1, -1)
    label = np.full(2 ** (depth + 1) - 1, -1)
    _descend(graph, smallest, 0, 0, 0, split, label)
    return split, label


def _descend(graph, smallest, t, i, node, split, label):
    level, space, grid = graph.levels[t], graph.space, Grid()
    leaf = leaf_cells(level.totals[i], space, grid)
    last = t == len(graph.levels) - 1
    may_stop = not space.complete or graph.bottom_depth == 0
    if may_stop and leaf.min() <= smallest[t][i]:
        label[node] = leaf.argmin()
        return
    if not last:
        child = level.child[i]
        pair = smallest[t + 1][child].sum(axis=1)
        j = np.where(graph.node_weights(t, i) > 0, pair, np.inf).argmin()
        split[node] = j
        for side in (0, 1):
            below = 2 * node + 1 + side
            _descend(graph, smallest, t + 1, child[j, side], below, split, label)
        return
    bits, weight = node_rows(graph, t, i)
    used = level.used[i]
    if graph.bottom_depth == 1:
        stumps = stumps_at(bits, weight, used, space, grid)
        _write_stump(stumps.sides, stumps.weight, node, split, label)
        return
    stumps, split_weight = stumps_below(bits, weight, used, space, grid)
    lows = stumps.lowest()
    j = np.where(split_weight > 0, lows.sum(axis=0), np.inf).argmin()
    split[node] = j
    for side in (0, 1):
        below, leaf = 2 * node + 1 + side, stumps.leaf[:, side, j]
        if not space.complete and leaf.min() <= lows[side, j]:
            label[below] = leaf.argmin()
            continue
        left = stumps.weight if stumps.weight.ndim == 1 else stumps.weight[side, j]
        _write_stump(stumps.sides[:, :, side, j], left, below, split, label)


def _write_stump(sides, weight, node, split, label):
    total = sides.min(axis=0).sum(axis=0)
    j = np.where(weight > 0, total, np.inf).argmin()
    split[node] = j
    label[2 * node + 1], label[2 * node + 2] = sides[:, :, j].argmin(axis=0)
