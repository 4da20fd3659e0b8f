"""From the root of the loss polynomials down again: uniform draws and exact shares.

Trees are drawn independently by walking down: the loss of the tree first, then a split
and how the loss is shared between its sides. Shares are reverse-mode derivatives: the
weight of the Rashomon set is a polynomial in the weights of single leaves and splits,
and its logarithmic derivatives are the shares of trees that use a leaf or a split.
Summed over the leaves of a row they are the share of trees that vote for each class.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.rashomon._trees._graph import leaf_cells
from sklearn_ext.rashomon._trees._members import TreeArrays
from sklearn_ext.rashomon._trees._polynomials import correlate_with, shifted
from sklearn_ext.rashomon._trees._problem import EMPTY
from sklearn_ext.rashomon._trees._recursion import Floats, end_terms, inner_terms


def draw_trees(losses, n_trees, rng, *, threshold=None):
    """Draw trees with probability proportional to their weight, all inside.

    Parameters
    ----------
    losses : TreeLosses
        Polynomials up to at least ``threshold``.
    n_trees : int
        Number of independent draws.
    rng : numpy.random.Generator
        Source of randomness.
    threshold : float or None, default=None
        Largest loss, summed over rows; None takes the range of ``losses``.

    Returns
    -------
    TreeArrays
        The trees; nothing is enumerated, so sets of any size will do.

    Raises
    ------
    ValueError
        When no tree is inside.
    """
    root, _ = _mass_inside(losses, threshold)
    graph = losses.ranges.graph
    trees = TreeArrays.blank(n_trees, graph.space.depth)
    target = _pick(rng, root, n_trees)
    front = (np.arange(n_trees), np.zeros(n_trees, int), np.zeros(n_trees, int), target)
    for t in range(len(graph.levels) - 1):
        front = _next_front(losses, t, front, trees, rng)
    tree, heap, place, target = front
    for same in _groups(place):
        group = tree[same], heap[same], target[same]
        _finish(losses, place[same[0]], group, trees, rng)
    return trees


def _mass_inside(losses, threshold):
    """Coefficients of the root within a threshold, and their sum."""
    root = losses.tables[0].coef[0, : losses.ranges.degrees_within(threshold)]
    if not root.any():
        raise ValueError(EMPTY)
    return root, root.sum()


def _pick(rng, mass, size):
    cumulative = np.cumsum(mass)
    place = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.minimum(place, len(mass) - 1)


def _groups(*keys):
    """Return places with equal keys, in the order of the keys."""
    order = np.lexsort(keys[::-1])
    stacked = np.stack(keys, axis=1)[order]
    change = np.flatnonzero((stacked[1:] != stacked[:-1]).any(axis=1)) + 1
    return np.split(order, change) if len(order) else []


def _next_front(losses, t, front, trees, rng):
    """Choose splits at level ``t`` for trees grouped by subset and loss."""
    tree, heap, place, target = front
    found = [(np.empty(0, dtype=int),) * 4]
    for same in _groups(place):
        i = place[same[0]]
        child = losses.ranges.graph.levels[t].child[i]
        terms = inner_terms(losses.ranges, t, np.array([i]), losses.tables[t + 1])
        group = tree[same], heap[same], target[same]
        for at, term, zero in _choices(losses, t, i, terms, group, trees, rng):
            ids, nodes, wanted = tree[same][at], heap[same][at], target[same][at]
            sides = child[terms.split[term]].T
            found.append((ids, 2 * nodes + 1, sides[0], zero - terms.over[term]))
            found.append((ids, 2 * nodes + 2, sides[1], wanted - zero))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def _choices(losses, t, i, terms, group, trees, rng):
    """Draw (term, degree of the zero-side) for each tree; leaves are written."""
    ranges, (tree, heap, target) = losses.ranges, group
    graph, low = ranges.graph, ranges.low[t][i]
    length = int(ranges.slack[t][i]) + 1
    logs = terms.zero.log_scale + terms.one.log_scale + np.log(terms.weight)
    top = logs.max(initial=-np.inf)
    top = top if np.isfinite(top) else 0.0
    weight = np.exp(logs - top)[:, None]
    zeros = shifted(terms.zero.coef[:, :length], terms.over)
    leaf = None
    if not graph.space.complete:
        cells = leaf_cells(graph.levels[t].totals[i], graph.space, ranges.grid)
        leaf = np.bincount(cells[cells < low + length] - low, minlength=length)
        leaf = leaf * graph.space.leaf_weight * np.exp(-top)
    for at in _groups(target):
        degree = target[at[0]]
        ones = terms.one.coef[:, degree::-1]
        mass = (weight * zeros[:, : degree + 1] * ones).ravel()
        if leaf is not None:
            mass = np.append(mass, leaf[degree])
        chosen = _pick(rng, mass, len(at))
        stop = chosen == len(weight) * (degree + 1)
        if stop.any():
            wanted = cells == low + degree
            _write_leaves(trees, tree[at[stop]], heap[at[stop]], wanted, rng)
        at, chosen = at[~stop], chosen[~stop]
        term = chosen // (degree + 1)
        trees.split[tree[at], heap[at]] = terms.split[term]
        yield at, term, chosen % (degree + 1)


def _write_leaves(trees, tree, heap, allowed, rng):
    labels = np.flatnonzero(allowed)
    trees.label[tree, heap] = labels[rng.integers(len(labels), size=len(tree))]


def _finish(losses, i, group, trees, rng):
    """Draw everything below one subset of the last level."""
    (tree, heap, target), ranges = group, losses.ranges
    graph, t = ranges.graph, len(ranges.graph.levels) - 1
    low = ranges.low[t][i]
    if graph.ends_in_leaves:
        cells = leaf_cells(graph.levels[t].totals[i], graph.space, ranges.grid)
        for at in _groups(target):
            hits = cells == low + target[at[0]]
            _write_leaves(trees, tree[at], heap[at], hits, rng)
        return
    block = graph.block(np.array([i]))
    terms, stumps = end_terms(ranges, block, Floats(ranges))
    parts = [(np.empty(0, dtype=int),) * 5]
    for at, term, zero in _choices(losses, t, i, terms, group, trees, rng):
        for side, degree in ((0, zero), (1, target[at] - zero)):
            node, sides = 2 * heap[at] + 1 + side, np.full(len(at), side)
            parts.append((tree[at], node, sides, term, terms.low[side, term] + degree))
    ids, node, side, term, cells = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    for at in _groups(side, term, cells):
        some = stumps.at(side[at[0]], term[at[0]])
        _draw_stumps(some, cells[at[0]], ids[at], node[at], trees, rng)


def _draw_stumps(stumps, cells, tree, heap, trees, rng):
    """Draw stumps of one node with a loss of so many cells."""
    n_classes, _, m = stumps.sides.shape
    both = stumps.sides[:, None, 0] + stumps.sides[None, :, 1]  # label zero, label one
    space = stumps.space
    weight = stumps.weight * space.leaf_weight**2
    mass = np.where(both == cells, weight, 0.0).ravel()
    if not space.complete:
        leaf = stumps.leaf == cells
        mass = np.append(mass, leaf.sum() * space.leaf_weight)
    chosen = _pick(rng, mass, len(tree))
    stop = chosen == both.size
    if stop.any():
        _write_leaves(trees, tree[stop], heap[stop], leaf, rng)
    tree, heap, chosen = tree[~stop], heap[~stop], chosen[~stop]
    zero, one, split = np.unravel_index(chosen, (n_classes, n_classes, m))
    trees.split[tree, heap] = split
    trees.label[tree, 2 * heap + 1] = zero
    trees.label[tree, 2 * heap + 2] = one


@dataclass(frozen=True)
class Shares:
    """Shares of the trees of a Rashomon set.

    Parameters
    ----------
    votes : ndarray of shape (n_rows, n_classes)
        Share of trees that assign each class to each merged row.
    root : ndarray of shape (n_splits,)
        Share of trees with each split at the root.
    nodes : ndarray of shape (n_splits,)
        Mean number of nodes of a tree with each split.
    """

    votes: np.ndarray
    root: np.ndarray
    nodes: np.ndarray


def tree_shares(losses, *, threshold=None):
    """Vote shares of all rows and usage of all splits, exactly.

    Parameters
    ----------
    losses : TreeLosses
        Polynomials up to at least ``threshold``.
    threshold : float or None, default=None
        Largest loss, summed over rows; None takes the range of ``losses``.

    Returns
    -------
    Shares
        Costs about three times as much as the polynomials.

    Raises
    ------
    ValueError
        When no tree is inside.
    """
    graph = losses.ranges.graph
    root, total = _mass_inside(losses, threshold)
    m = len(graph.space.weight)
    votes = np.zeros((len(graph.rows.bits), graph.space.n_classes))
    nodes, at_root = np.zeros(m), np.zeros(m)
    adjoint = np.zeros_like(losses.tables[0].coef)
    adjoint[0, : len(root)] = 1 / total
    for t in range(len(graph.levels)):
        last = t + 1 == len(graph.levels)
        below = None if last else np.zeros_like(losses.tables[t + 1].coef)
        for i in np.flatnonzero(adjoint.any(axis=1)):
            used = _one_node(losses, t, i, adjoint[i], below, votes)
            nodes += used[0] + used[1]
            if t == 0:
                at_root = used[0]
        adjoint = below
    return Shares(votes, at_root, nodes)


def _one_node(losses, t, i, adjoint, below, votes):
    """Pass derivatives down from one node; return its own and lower split shares."""
    ranges = losses.ranges
    graph, low = ranges.graph, ranges.low[t][i]
    level, space, grid = graph.levels[t], graph.space, ranges.grid
    length = max(int(ranges.slack[t][i]) + 1, 1)
    adjoint, scale = adjoint[:length], losses.tables[t].log_scale[i]
    last = t == len(graph.levels) - 1
    own, lower = np.zeros((2, len(space.weight)))
    if not space.complete or (last and graph.ends_in_leaves):
        cells = leaf_cells(level.totals[i], space, grid) - low
        share = _at(adjoint, cells) * space.leaf_weight * np.exp(-scale)
        votes[graph.members(t, i)] += share
    if not last:
        terms = inner_terms(ranges, t, np.array([i]), losses.tables[t + 1])
        own[terms.split], to_zero, to_one = _factors(terms, adjoint, scale)
        child = level.child[i][terms.split]
        to_zero = shifted(to_zero, -terms.over)
        np.add.at(below[:, :length], child[:, 0], to_zero)
        np.add.at(below[:, :length], child[:, 1], to_one)
        return own, lower
    if graph.ends_in_leaves:
        return own, lower
    block = graph.block(np.array([i]))
    terms, stumps = end_terms(ranges, block, Floats(ranges))
    own[terms.split], *derivative = _factors(terms, adjoint, scale)
    leaves, early, lower = _stump_shares(stumps, terms.low, np.stack(derivative))
    votes[block.place] += _pair_votes(block.bits, terms.split, leaves, early)
    return own, lower


def _factors(terms, adjoint, scale):
    """Share of each product, and derivatives for both of its factors."""
    length = len(adjoint)
    zero = shifted(terms.zero.coef[:, :length], terms.over)
    one = terms.one.coef[:, :length]
    logs = terms.zero.log_scale + terms.one.log_scale - scale
    scales = np.exp(logs) * terms.weight
    to_zero = scales[:, None] * correlate_with(one, adjoint)
    to_one = scales[:, None] * correlate_with(zero, adjoint)
    return (to_zero * zero).sum(axis=1), to_zero, to_one


def _at(rows, place):
    """Entries of rows, in their last axis, at places of the same leading shape."""
    length = rows.shape[-1]
    inside = (place >= 0) & (place < length)
    start = np.arange(0, rows.size, length).reshape(*rows.shape[:-1], 1)
    return np.where(inside, rows.ravel()[np.where(inside, place, 0) + start], 0.0)


def _stump_shares(stumps, low, derivative):
    """Shares of stump leaves by (class, side, ..., split), early leaves, splits."""
    space, n_classes = stumps.space, len(stumps.sides)
    mass = stumps.weight * space.leaf_weight**2
    leaves = np.zeros((n_classes, 2, *stumps.sides.shape[2:]))
    for zero, one, degree in stumps.labelled(low):
        share = _at(derivative, degree) * mass
        leaves[zero, 0] += share
        leaves[one, 1] += share
    early = np.zeros((n_classes, *low.shape))
    if not space.complete:
        degree = np.moveaxis(stumps.leaf - low, 0, -1)
        early = space.leaf_weight * np.moveaxis(_at(derivative, degree), -1, 0)
    used = leaves[:, 0].sum(axis=tuple(range(leaves.ndim - 2)))
    return leaves, early, used


def _pair_votes(bits, splits, leaves, early):
    """Votes of rows from the leaves of all stumps below all splits of a node."""
    lower = np.concatenate([~bits, bits], axis=1).astype(float)
    upper = np.concatenate([~bits[:, splits], bits[:, splits]], axis=1).astype(float)
    votes = np.empty((len(bits), len(leaves)))
    for c, table in enumerate(leaves):  # (2 lower, 2 upper, splits, m)
        table = np.moveaxis(table, 0, 2).reshape(upper.shape[1], lower.shape[1])
        votes[:, c] = ((upper @ table) * lower).sum(axis=1)
    return votes + upper @ early.reshape(len(leaves), upper.shape[1]).T
