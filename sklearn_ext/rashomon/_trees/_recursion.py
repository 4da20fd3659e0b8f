"""One fold over the graph of subsets: loss polynomials, exact counts, extreme scores.

The polynomial of a node has the weight of all subtrees with loss k as its k-th
coefficient. A leaf contributes ``sum_c z**error_c``, a split the product of its sides.
Smallest losses come first: they tell how far above its own minimum a subtree can be
inside the threshold, so every polynomial has at most ``theta * n + 1`` coefficients,
however large the losses are. The fold itself does not care what is added and
multiplied: floats give the weights of trees, whole numbers of Python exact counts, and
maxima and sums the best total score of any subtree with loss k.
"""

from collections import deque
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from sklearn_ext.rashomon._trees._graph import Grid, histograms, leaf_cells, upper_sides
from sklearn_ext.rashomon._trees._polynomials import (
    best_sums,
    normalized,
    shifted,
    sum_of_products,
)

TABLE_BYTES = 2**19  # of the factors of inner nodes that are worked on at once


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


def smallest_losses(graph, report=None):
    """Smallest loss of any subtree at every subset, in loss units.

    Parameters
    ----------
    graph : Graph
        The subsets.
    report : callable or None, default=None
        Called with the number of subsets after each step.

    Returns
    -------
    SmallestLosses
        Losses by level.
    """
    level = graph.levels[-1]
    pairs = np.full((len(level), len(graph.space.weight)), np.inf)
    for block in graph.blocks(np.arange(len(level))):
        pairs[block.nodes] = block.smallest()
        if report is not None:
            report(len(block.nodes))
    best = pairs.min(axis=1, initial=np.inf)
    lows = [_or_leaf(graph, len(graph.levels) - 1, best)]
    for t in reversed(range(len(graph.levels) - 1)):
        level, best = graph.levels[t], np.empty(len(graph.levels[t]))
        for nodes in _batches(np.arange(len(level)), graph):
            pair = lows[0][level.child[nodes]].sum(axis=2)
            possible = graph.node_weights(t, nodes) > 0
            best[nodes] = np.where(possible, pair, np.inf).min(axis=1, initial=np.inf)
        lows.insert(0, _or_leaf(graph, t, best))
    return SmallestLosses(tuple(lows), pairs)


def _or_leaf(graph, t, best):
    if not graph.may_stop(t):
        return best
    leaf = leaf_cells(graph.levels[t].totals.T, graph.space, Grid())
    return np.minimum(best, leaf.min(axis=0))


def _batches(nodes, graph, length=1):
    """Go through nodes of an inner level, a few at a time."""
    step = max(TABLE_BYTES // (16 * max(len(graph.space.weight), 1) * length), 1)
    return (nodes[start : start + step] for start in range(0, len(nodes), step))


@dataclass(frozen=True)
class Ranges:
    """The losses of every subset that can be part of a tree within a threshold.

    Parameters
    ----------
    graph : Graph
        The subsets.
    grid : Grid
        What one degree means.
    low : tuple of ndarray
        For each level, the first degree of every subset.
    slack : tuple of ndarray
        For each level, the last useful degree above ``low``; negative: unreachable.
    pairs : ndarray of int, shape (n_subsets, n_splits)
        At the last level, first degrees by split.
    """

    graph: object
    grid: Grid
    low: tuple
    slack: tuple
    pairs: np.ndarray

    @classmethod
    def of(cls, graph, smallest, grid, threshold):
        """Follow the threshold, a loss summed over rows, down from the root."""
        depth = graph.space.depth
        low = tuple(_low_cells(s, grid, depth - t) for t, s in enumerate(smallest.lows))
        slack = [np.full(len(level), -1, dtype=np.int64) for level in graph.levels]
        if threshold >= smallest[0][0] - grid.tolerance:  # degrees are rounded
            slack[0][0] = grid.cells_below(threshold) - low[0][0]
        for t, level in enumerate(graph.levels[:-1]):
            for nodes in _batches(np.flatnonzero(slack[t] >= 0), graph):
                child = level.child[nodes]
                over = low[t + 1][child].sum(axis=2) - low[t][nodes, None]
                left = slack[t][nodes, None] - over
                left[graph.node_weights(t, nodes) == 0] = -1
                np.maximum.at(slack[t + 1], child, left[..., None])
        pairs = _low_cells(smallest.pairs, grid, min(depth, 2))
        pairs[np.isinf(smallest.pairs)] = np.iinfo(np.int64).max
        return cls(graph, grid, low, tuple(slack), pairs)

    @property
    def empty(self):
        """Whether no tree is within the threshold."""
        return self.slack[0][0] < 0

    @property
    def length(self):
        """Number of degrees of the root."""
        return max(int(self.slack[0][0]) + 1, 1)

    def wanted(self, nodes):
        """Whether splits of nodes of the last level may be inside: a matrix."""
        last = self.low[-1][nodes] + self.slack[-1][nodes]
        return self.pairs[nodes] <= last[:, None]

    def length_at(self, t, nodes):
        """Count the degrees that any of some subsets needs."""
        return int(self.slack[t][nodes].max(initial=0)) + 1

    @property
    def losses(self):
        """Losses (summed over rows) of the degrees of the root."""
        return (self.low[0][0] + np.arange(self.length)) / self.grid.scale

    def degrees_within(self, threshold):
        """Count the degrees of the root within a threshold; None is all of them."""
        if self.empty:
            return 0
        if threshold is None:
            return self.length
        last = self.grid.cells_below(threshold) - self.low[0][0]
        return int(np.clip(last + 1, 0, self.length))


def _low_cells(values, grid, depth):
    """Lower bounds in cells, never above the sum of the bounds of two children."""
    values = np.where(np.isfinite(values), values, 0.0)
    if grid.rounding == "exact":
        return grid.cells(values)
    slip = grid.tolerance * grid.scale  # what rounding takes from each leaf
    lost = 2**depth * (slip + (grid.rounding == "down"))
    return np.maximum(np.ceil(values * grid.scale - lost), 0).astype(np.int64)


@dataclass(frozen=True)
class Terms:
    """Products inside the range at some nodes of one level.

    Parameters
    ----------
    node : ndarray of int, shape (n_terms,)
        Place among the nodes that were asked for, increasing.
    split : ndarray of int, shape (n_terms,)
        Split, or column of a block.
    over : ndarray of int, shape (n_terms,)
        What the first degree of the product is above that of the node.
    weight : ndarray of shape (n_terms,)
        Weight of the split at the node.
    times : ndarray of int, shape (n_terms,)
        Number of equal splits.
    zero, one : object
        Values of the two sides.
    low : ndarray of int, shape (2, n_terms)
        First degrees of the two sides.
    """

    node: np.ndarray
    split: np.ndarray
    over: np.ndarray
    weight: np.ndarray
    times: np.ndarray
    zero: object
    one: object
    low: np.ndarray


def inner_terms(ranges, t, nodes, below):
    """Products at nodes above the last level, from the values of the next one."""
    graph, low = ranges.graph, ranges.low
    child, weight = graph.levels[t].child[nodes], graph.node_weights(t, nodes)
    over = low[t + 1][child].sum(axis=2) - low[t][nodes, None]
    node, split = np.nonzero((weight > 0) & (over <= ranges.slack[t][nodes, None]))
    over, weight, sides = over[node, split], weight[node, split], child[node, split].T
    times, zero, one = graph.space.multiplicity[split], below[sides[0]], below[sides[1]]
    return Terms(node, split, over, weight, times, zero, one, low[t + 1][sides])


def end_terms(ranges, block, algebra):
    """Products at nodes of the last level, and the stumps on both sides of them."""
    low, slack = ranges.low[-1][block.nodes], ranges.slack[-1][block.nodes]
    node, split = np.nonzero(ranges.wanted(block.nodes)[:, block.columns])
    stumps, weight = block.stumps_below(ranges.grid, node, split)
    first = stumps.lowest()
    over = first.sum(axis=0) - low[node]
    inside = (weight > 0) & (over <= slack[node])
    if not inside.all():
        node, split, stumps = node[inside], split[inside], stumps.at(inside)
        first, over, weight = first[:, inside], over[inside], weight[inside]
    # the zero side starts lower instead of being moved afterwards
    start = first - np.stack([over, np.zeros_like(over)])
    length = ranges.length_at(-1, block.nodes)
    sides = algebra.stumps(stumps, start, length, block, (node, split))
    times, over = block.space.multiplicity[split], 0 * over
    terms = Terms(node, split, over, weight, times, sides[0], sides[1], start)
    return terms, stumps


def fold(ranges, algebra, report=None):
    """Find the value of every reachable subset, level by level from the last one.

    Parameters
    ----------
    ranges : Ranges
        The subsets and their losses.
    algebra : Floats, Integers or Scores
        What values are, how leaves and stumps get theirs, and how they are added and
        multiplied.
    report : callable or None, default=None
        Called with the number of subsets of the last level after each step.

    Yields
    ------
    object
        Values of one level.
    """
    graph, below = ranges.graph, None
    for t in reversed(range(len(graph.levels))):
        nodes = np.flatnonzero(ranges.slack[t] >= 0)
        values = algebra.blank(len(graph.levels[t]))
        for some, terms in _terms(ranges, algebra, t, nodes, below):
            length, parts = ranges.length_at(t, some), []
            if terms is not None:
                parts.append(algebra.products(terms, len(some), length))
            if graph.may_stop(t):
                totals = graph.levels[t].totals[some].T
                cells = leaf_cells(totals, graph.space, ranges.grid)
                degree = (cells - ranges.low[t][some]).T
                parts.append(algebra.leaves(degree, length, t, some))
            found = reduce(algebra.plus, parts)
            values[some] = algebra.cut(found, ranges.slack[t][some])
            if report is not None and below is None:
                report(len(some))
        yield values
        below = values


def _terms(ranges, algebra, t, nodes, below):
    """Yield nodes of one level and their products, a few at a time; leaves: None."""
    graph, length = ranges.graph, ranges.length_at(t, nodes)
    if below is not None:
        for some in _batches(nodes, graph, length):
            yield some, inner_terms(ranges, t, some, below)
    elif graph.ends_in_leaves:
        yield nodes, None
    else:
        n_splits = ranges.wanted(nodes).sum(axis=1)
        for block in graph.blocks(nodes, n_splits, length):
            yield block.nodes, end_terms(ranges, block, algebra)[0]


@dataclass(frozen=True)
class Scaled:
    """Rows of coefficients with a logarithmic scale each.

    Parameters
    ----------
    coef : ndarray of shape (n, length)
        Coefficients divided by their scale.
    log_scale : ndarray of shape (n,)
        Logarithms of the scales.
    """

    coef: np.ndarray
    log_scale: np.ndarray

    def __getitem__(self, key):
        return Scaled(self.coef[key], self.log_scale[key])

    def __setitem__(self, key, other):
        self.coef[key, : other.coef.shape[1]] = other.coef
        self.log_scale[key] = other.log_scale


@dataclass(frozen=True)
class Floats:
    """Weights of trees by loss: sums and products of non-negative coefficients."""

    ranges: Ranges

    def blank(self, n):
        """Values of unreachable subsets: no trees."""
        return Scaled(np.zeros((n, self.ranges.length)), np.full(n, -np.inf))

    def leaves(self, degree, length, t, nodes):
        """Values of leaves in place of nodes, from the degrees of their labels."""
        coef = histograms(degree, self.ranges.graph.space.leaf_weight, length)
        return Scaled(coef, np.zeros(len(coef)))

    def stumps(self, stumps, low, length, block, at):
        """Values of stumps, from their cells and first degrees."""
        return Scaled(stumps.polynomials(low, length), np.zeros(low.shape))

    def products(self, terms, n, length):
        """Sum of the products at each of n nodes."""
        zero, one, node = terms.zero, terms.one, terms.node
        logs = zero.log_scale + one.log_scale + np.log(terms.weight)
        top = np.full(n, -np.inf)
        np.maximum.at(top, node, logs)
        top = np.where(np.isfinite(top), top, 0.0)
        count = np.bincount(node, minlength=n)
        place = np.arange(len(node)) - (np.cumsum(count) - count)[node]
        A, C = np.zeros((2, n, count.max(initial=0), length))
        weight = np.zeros(A.shape[:2])
        A[node, place] = shifted(zero.coef[:, :length], terms.over)
        C[node, place] = one.coef[:, :length]
        weight[node, place] = np.exp(logs - top[node])
        return Scaled(sum_of_products(A, C, weight), top)

    def plus(self, found, other):
        """Either one or the other."""
        scale = np.exp(other.log_scale - found.log_scale)[:, None]
        return Scaled(found.coef + other.coef * scale, found.log_scale)

    def cut(self, found, slack):
        """Drop useless degrees and rescale."""
        found.coef[np.arange(found.coef.shape[1]) > slack[:, None]] = 0.0
        coef, log_top = normalized(found.coef)
        return Scaled(coef, found.log_scale + log_top)


class Integers:
    """Numbers of trees by loss, exactly: polynomials packed into Python integers.

    A polynomial with counts below ``2**b`` is the integer ``sum_k count_k 2**(b k)``.
    Products of integers are products of polynomials, a mask truncates them, and
    nothing overflows.

    Parameters
    ----------
    ranges : Ranges
        On the grid of whole losses; weights of its trees do not matter.
    """

    def __init__(self, ranges):
        size = ranges.graph.space.size
        self.n_bytes = max(-(-(size.bit_length() + 1) // 8), 8)
        self.slot = 8 * self.n_bytes

    def blank(self, n):
        """Values of unreachable subsets: no trees."""
        return np.zeros(n, dtype=object)

    def leaves(self, degree, length, t, nodes):
        """Values of leaves in place of nodes, from the degrees of their labels."""
        return self._packed(histograms(degree, 1.0, length))

    def stumps(self, stumps, low, length, block, at):
        """Values of stumps, from their cells and first degrees."""
        ones = np.where(stumps.weight > 0, block.space.multiplicity, 0.0)
        space = replace(block.space, leaf_weight=1.0)
        counted = replace(stumps, weight=ones, space=space)
        return self._packed(counted.polynomials(low, length))

    def products(self, terms, n, length):
        """Sum of the products at each of n nodes."""
        found = self.blank(n)
        columns = terms.node, terms.times, terms.zero, terms.one, terms.over
        for node, times, zero, one, over in zip(*columns, strict=True):
            found[node] += (int(times) * zero * one) << (self.slot * int(over))
        return found

    def plus(self, found, other):
        """Either one or the other."""
        return found + other

    def cut(self, found, slack):
        """Drop useless degrees."""
        masks = [(1 << (self.slot * (int(last) + 1))) - 1 for last in slack]
        return found & np.array(masks, dtype=object)

    def _packed(self, counts):
        """Pack integers that floats hold exactly."""
        rows = counts.reshape(-1, counts.shape[-1]).astype("<u8")
        table = np.zeros((*rows.shape, self.n_bytes), dtype=np.uint8)
        table[..., :8] = rows.view(np.uint8).reshape(*rows.shape, 8)
        packed = np.empty(len(rows), dtype=object)
        packed[:] = [int.from_bytes(row.tobytes(), "little") for row in table]
        return packed.reshape(counts.shape[:-1])

    def unpacked(self, value, length):
        """List the counts in one value, one for each degree."""
        mask = (1 << self.slot) - 1
        return [(value >> (self.slot * k)) & mask for k in range(length)]


@dataclass(frozen=True)
class Scores:
    """Best total scores by loss: maxima of sums.

    There is no matrix product for it, so it is several times slower.

    Parameters
    ----------
    ranges : Ranges
        Losses of the subsets.
    values : ndarray of shape (n_rows, n_classes)
        Score of predicting each class at each merged row.
    """

    ranges: Ranges
    values: np.ndarray

    def blank(self, n):
        """Values of unreachable subsets: no trees."""
        return np.full((n, self.ranges.length), -np.inf)

    def leaves(self, degree, length, t, nodes):
        """Values of leaves in place of nodes, from the degrees of their labels."""
        sets = self.ranges.graph.levels[t].sets[nodes]
        inside = np.unpackbits(sets, axis=1, count=len(self.values))
        best = self.blank(len(nodes))
        _raise_to(best, degree, inside @ self.values, length)
        return best

    def stumps(self, stumps, low, length, block, at):
        """Values of stumps, from their cells and first degrees."""
        score = block.pairs(self.values[block.place], *at)
        best = np.full((*low.shape, self.ranges.length), -np.inf)
        for zero, one, degree in stumps.labelled(low):
            degree = np.where(stumps.weight > 0, degree, length)
            _raise_to(best, degree, score[zero, 0] + score[one, 1], length)
        if not stumps.space.complete:
            degree = np.moveaxis(stumps.leaf - low, 0, -1)
            _raise_to(best, degree, np.moveaxis(upper_sides(score), 0, -1), length)
        return best

    def products(self, terms, n, length):
        """Best sum of any product at each of n nodes."""
        best = self.blank(n)
        ends = np.searchsorted(terms.node, np.arange(n + 1))
        for i, (start, end) in enumerate(pairwise(ends)):
            if start < end:
                zero = terms.zero[start:end, :length]
                zero = shifted(zero, terms.over[start:end], -np.inf)
                best[i, :length] = best_sums(zero, terms.one[start:end, :length])
        return best

    def plus(self, found, other):
        """Either one or the other."""
        return np.maximum(found, other)

    def cut(self, found, slack):
        """Drop useless degrees."""
        found[np.arange(found.shape[1]) > slack[:, None]] = -np.inf
        return found


def _raise_to(best, degree, score, length):
    """Raise entries to the scores at their degrees, row by row."""
    inside = degree < length
    *row, _ = np.nonzero(inside)
    np.maximum.at(best, (*row, degree[inside]), score[inside])


@dataclass(frozen=True)
class TreeLosses:
    """Loss polynomials of all subsets of a graph, truncated to a threshold.

    Parameters
    ----------
    ranges : Ranges
        Their first and last degrees.
    tables : tuple of Scaled
        Coefficients by level.
    """

    ranges: Ranges
    tables: tuple

    def log_cdf(self, key=slice(None)):
        """Logarithm of the weight up to each loss of the root, or up to some."""
        root = self.tables[0]
        with np.errstate(divide="ignore"):
            return np.log(np.cumsum(root.coef[0])[key]) + root.log_scale[0]

    def log_weight_within(self, threshold):
        """Logarithm of the weight of all trees within a threshold."""
        degrees = self.ranges.degrees_within(threshold)
        return float(self.log_cdf(degrees - 1)) if degrees else -np.inf


def expand(graph, smallest, grid, threshold, stage=None):
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
    stage : callable or None, default=None
        Told how many subsets there are, it returns what hears of those that are done.

    Returns
    -------
    TreeLosses
        The polynomials.
    """
    ranges = Ranges.of(graph, smallest, grid, threshold)
    report = None if stage is None else stage(np.sum(ranges.slack[-1] >= 0))
    return TreeLosses(ranges, tuple(fold(ranges, Floats(ranges), report))[::-1])


def count_trees(ranges):
    """Count the trees of every loss.

    Parameters
    ----------
    ranges : Ranges
        On the grid of whole losses.

    Returns
    -------
    list of int
        Exact counts, one for each of ``ranges.losses``.
    """
    algebra = Integers(ranges)
    (root,) = deque(fold(ranges, algebra), maxlen=1)
    return algebra.unpacked(root[0], ranges.length)


def largest_scores(ranges, values):
    """Largest total score of any tree by loss.

    Parameters
    ----------
    ranges : Ranges
        The subsets and their losses.
    values : ndarray of shape (n_rows, n_classes)
        Score of predicting each class at each merged row.

    Returns
    -------
    ndarray of shape (n_degrees,)
        Best score among trees with loss at most each of ``ranges.losses``.
    """
    (root,) = deque(fold(ranges, Scores(ranges, values)), maxlen=1)
    return np.maximum.accumulate(root[0])


def write_optimal_tree(graph, smallest, trees, node=0):
    """Follow the smallest losses down to one optimal tree.

    Among splits and labels that are equally good up to rounding the first one is
    taken, and a leaf before any split.

    Parameters
    ----------
    graph : Graph
        The subsets.
    smallest : SmallestLosses
        Result of :func:`smallest_losses`.
    trees : TreeArrays
        The first of them is written to.
    node : int, default=0
        Where in its heap.
    """
    space, slip = graph.space, graph.rows.slip
    split, label = trees.split[0], trees.label[0]

    def choose(node, leaf, total, may_stop):
        """Write a leaf, or a split and return it, from their losses."""
        if may_stop and leaf.min() <= total.min(initial=np.inf) + slip:
            label[node] = first_best(leaf, slip)
            return None
        split[node] = j = first_best(total, slip)
        return j

    def grow(t, i, node):
        level, last = graph.levels[t], t == len(graph.levels) - 1
        total = smallest.pairs[i] if last else smallest[t + 1][level.child[i]].sum(1)
        if not last:
            possible = graph.node_weights(t, np.array([i]))[0] > 0
            total = np.where(possible, total, np.inf)
        leaf = leaf_cells(level.totals[i], space, Grid())
        j = choose(node, leaf, total, graph.may_stop(t))
        if j is None:
            return
        if last:
            block = graph.block(np.array([i]))
            stumps, _ = block.stumps_below(Grid(), np.array([0]), np.array([j]))
        for side in (0, 1):
            below = 2 * node + 1 + side
            if last:
                grow_stump(stumps.at(side, 0), below)
            else:
                grow(t + 1, level.child[i, j, side], below)

    def grow_stump(stump, node):
        total = stump.sides.min(axis=0).sum(axis=0)
        total = np.where(stump.weight > 0, total, np.inf)
        j = choose(node, stump.leaf, total, not space.complete)
        if j is not None:
            for side in (0, 1):
                label[2 * node + 1 + side] = first_best(stump.sides[:, side, j], slip)

    grow(0, 0, node)


def first_best(values, slip):
    """Place of the first value that is smallest up to rounding."""
    return int(np.flatnonzero(values <= values.min() + slip)[0])
