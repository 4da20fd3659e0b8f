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
    graph = losses.ranges.graph
    trees = TreeArrays.blank(n_trees, graph.space.depth)
    degree = _pick(rng, _mass_inside(losses, threshold), n_trees)
    start = np.zeros(n_trees, dtype=int)
    front = np.stack([np.arange(n_trees), start, start, degree])
    for t in range(len(graph.levels)):
        draw = _draw_end if t == len(graph.levels) - 1 else _draw_inner
        below = [np.empty((4, 0), dtype=int)]
        for same in _groups(front[2]):
            tree, heap, place, target = front[:, same]
            below += draw(losses, t, place[0], (tree, heap, target), trees, rng)
        front = np.concatenate(below, axis=1)
    return trees


def _mass_inside(losses, threshold):
    """Coefficients of the root within a threshold."""
    root = losses.tables[0].coef[0, : losses.ranges.degrees_within(threshold)]
    if not root.any():
        raise ValueError(EMPTY)
    return root


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


def _draw_inner(losses, t, i, group, trees, rng):
    """Draw splits at a subset of level ``t``: trees, nodes, subsets, degrees below."""
    tree, heap, target = group
    child = losses.ranges.graph.levels[t].child[i]
    terms = inner_terms(losses.ranges, t, np.array([i]), losses.tables[t + 1])
    below = []
    for at, term, zero in _choices(losses, t, i, terms, group, trees, rng):
        sides, node = child[terms.split[term]].T, 2 * heap[at]
        below.append(np.stack([tree[at], node + 1, sides[0], zero - terms.over[term]]))
        below.append(np.stack([tree[at], node + 2, sides[1], target[at] - zero]))
    return below


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
    cells = leaf_cells(graph.levels[t].totals[i], graph.space, ranges.grid)
    early = graph.space.leaf_weight * np.exp(-top)
    for at in _groups(target):
        degree = target[at[0]]
        ones = terms.one.coef[:, degree::-1]
        mass = (weight * zeros[:, : degree + 1] * ones).ravel()
        leaf = cells == low + degree
        group = tree[at], heap[at]
        going, chosen = _pick_or_stop(graph.space, mass, early, leaf, group, trees, rng)
        at, term = at[going], chosen // (degree + 1)
        trees.split[tree[at], heap[at]] = terms.split[term]
        yield at, term, chosen % (degree + 1)


def _pick_or_stop(space, mass, early, allowed, group, trees, rng):
    """Draw places by their mass for those trees that are not drawn to stop here.

    Others get a leaf with one of the allowed labels, each of which has mass ``early``.
    """
    if space.complete:
        return np.arange(len(group[0])), _pick(rng, mass, len(group[0]))
    chosen = _pick(rng, np.append(mass, allowed.sum() * early), len(group[0]))
    stop = chosen == len(mass)
    if stop.any():
        tree, heap = group
        _write_leaves(trees, tree[stop], heap[stop], allowed, rng)
    return np.flatnonzero(~stop), chosen[~stop]


def _write_leaves(trees, tree, heap, allowed, rng):
    labels = np.flatnonzero(allowed)
    trees.label[tree, heap] = labels[rng.integers(len(labels), size=len(tree))]


def _draw_end(losses, t, i, group, trees, rng):
    """Draw everything below one subset of the last level."""
    (tree, heap, target), ranges = group, losses.ranges
    graph = ranges.graph
    if graph.ends_in_leaves:
        cells = leaf_cells(graph.levels[t].totals[i], graph.space, ranges.grid)
        for at in _groups(target):
            hits = cells == ranges.low[t][i] + target[at[0]]
            _write_leaves(trees, tree[at], heap[at], hits, rng)
        return []
    block = graph.block(np.array([i]))
    terms, stumps = end_terms(ranges, block, Floats(ranges))
    parts = [np.empty((5, 0), dtype=int)]
    for at, term, zero in _choices(losses, t, i, terms, group, trees, rng):
        for side, degree in ((0, zero), (1, target[at] - zero)):
            node, sides = 2 * heap[at] + 1 + side, np.full(len(at), side)
            cells = terms.low[side, term] + degree
            parts.append(np.stack([tree[at], node, sides, term, cells]))
    tree, node, side, term, cells = np.concatenate(parts, axis=1)
    for at in _groups(side, term, cells):
        stump = stumps.at(side[at[0]], term[at[0]])
        _draw_stumps(stump, cells[at[0]], (tree[at], node[at]), trees, rng)
    return []


def _draw_stumps(stump, cells, group, trees, rng):
    """Draw stumps of one node with a loss of so many cells."""
    space = stump.space
    both = stump.sides[:, None, 0] + stump.sides[None, :, 1]  # label zero, label one
    mass = np.where(both == cells, stump.weight * space.leaf_weight**2, 0.0).ravel()
    leaf = stump.leaf == cells
    going, chosen = _pick_or_stop(
        space, mass, space.leaf_weight, leaf, group, trees, rng
    )
    tree, heap = group[0][going], group[1][going]
    zero, one, trees.split[tree, heap] = np.unravel_index(chosen, both.shape)
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
    graph, root = losses.ranges.graph, _mass_inside(losses, threshold)
    m, votes = len(graph.space.weight), (len(graph.rows.bits), graph.space.n_classes)
    shares = Shares(np.zeros(votes), np.zeros(m), np.zeros(m))
    adjoint = np.zeros_like(losses.tables[0].coef)
    adjoint[0, : len(root)] = 1 / root.sum()
    for t in range(len(graph.levels)):
        last = t + 1 == len(graph.levels)
        below = None if last else np.zeros_like(losses.tables[t + 1].coef)
        for i in np.flatnonzero(adjoint.any(axis=1)):
            _add_shares(losses, t, i, adjoint[i], below, shares)
        adjoint = below
    return shares


def _add_shares(losses, t, i, adjoint, below, shares):
    """Add the shares of one node, and pass derivatives down to the next level."""
    ranges = losses.ranges
    graph, level = ranges.graph, ranges.graph.levels[t]
    length = max(int(ranges.slack[t][i]) + 1, 1)
    adjoint, scale = adjoint[:length], losses.tables[t].log_scale[i]
    if graph.may_stop(t):
        cells = leaf_cells(level.totals[i], graph.space, ranges.grid) - ranges.low[t][i]
        share = _at(adjoint, cells) * graph.space.leaf_weight * np.exp(-scale)
        shares.votes[graph.members(t, i)] += share
    if t == graph.space.depth:
        return
    if below is None:
        block = graph.block(np.array([i]))
        terms, stumps = end_terms(ranges, block, Floats(ranges))
    else:
        terms = inner_terms(ranges, t, np.array([i]), losses.tables[t + 1])
    used, to_zero, to_one = _factors(terms, adjoint, scale)
    shares.nodes[terms.split] += used
    if t == 0:
        shares.root[terms.split] = used
    if below is None:
        derivative = np.stack([to_zero, to_one])
        leaves, early, used = _stump_shares(stumps, terms.low, derivative)
        shares.nodes[:] += used
        shares.votes[block.place] += _pair_votes(block.bits, terms.split, leaves, early)
    else:
        zero, one = level.child[i][terms.split].T
        np.add.at(below[:, :length], zero, shifted(to_zero, -terms.over))
        np.add.at(below[:, :length], one, to_one)


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
