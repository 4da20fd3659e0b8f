"""Exact independent draws from the Rashomon set, by walking down loss polynomials."""

import numpy as np

from sklearn_ext.rashomon._trees_bottom import leaf_cells, stumps_at, stumps_below
from sklearn_ext.rashomon._trees_exact import (
    bottom_terms,
    inner_terms,
    leaf_at,
    node_rows,
)
from sklearn_ext.rashomon._trees_members import TreeArrays


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
    degrees = useful_degrees(losses, threshold)
    root = losses.coef[0][0, :degrees]
    if not root.any():
        raise ValueError(
            "The Rashomon set is empty: no tree has a loss within the threshold. "
            "Raise theta or reference_loss."
        )
    depth = losses.graph.space.depth
    trees = TreeArrays.blank(n_trees, depth)
    target = _pick(rng, root, n_trees)
    front = (np.arange(n_trees), np.zeros(n_trees, int), np.zeros(n_trees, int), target)
    for t in range(len(losses.graph.levels)):
        front = _next_front(losses, t, front, trees, rng)
    return trees


def useful_degrees(losses, threshold):
    """Count the stored degrees of the root within a threshold."""
    length = losses.coef[0].shape[1]
    if losses.empty:
        return 0
    if threshold is None:
        return length
    return int(
        np.clip(losses.grid.cells_below(threshold) - losses.low[0][0] + 1, 0, length)
    )


def _pick(rng, mass, size):
    cumulative = np.cumsum(mass)
    place = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.minimum(place, len(mass) - 1)


def _groups(*keys):
    """Yield places with equal keys, in the order of the keys."""
    order = np.lexsort(keys[::-1])
    stacked = np.stack(keys, axis=1)[order]
    change = np.flatnonzero((stacked[1:] != stacked[:-1]).any(axis=1)) + 1
    return np.split(order, change) if len(order) else []


def _next_front(losses, t, front, trees, rng):
    """Choose splits at level ``t`` for trees grouped by subset and loss."""
    tree, heap, place, target = front
    found = []
    for same in _groups(place):
        i = place[same[0]]
        if t == len(losses.graph.levels) - 1:
            _finish(losses, t, i, (tree[same], heap[same], target[same]), trees, rng)
            continue
        child = losses.graph.levels[t].child[i]
        below = (losses.low[t + 1], losses.coef[t + 1], losses.log_scale[t + 1])
        length = losses.slack[t][i] + 1
        terms = inner_terms(losses.graph, t, i, losses.low[t][i], length, below)
        over = losses.low[t + 1][child].sum(axis=1) - losses.low[t][i]
        for at, split, zero in _split_choices(
            losses, t, i, terms, (tree[same], heap[same], target[same]), trees, rng
        ):
            ids, nodes, wanted = tree[same][at], heap[same][at], target[same][at]
            found.append((ids, 2 * nodes + 1, child[split, 0], zero - over[split]))
            found.append((ids, 2 * nodes + 2, child[split, 1], wanted - zero))
    if not found:
        return tuple(np.empty(0, dtype=int) for _ in range(4))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def _split_choices(losses, t, i, terms, group, trees, rng):
    """Draw (split, degree of the zero-side) for each tree; leaves are written."""
    tree, heap, target = group
    splits, zero, one, weight, log_top = terms
    graph = losses.graph
    leaf = None
    if not graph.space.complete:
        leaf = leaf_at(
            graph, t, i, losses.grid, losses.low[t][i], losses.slack[t][i] + 1
        ) * np.exp(-log_top)
    for at in _groups(target):
        degree = target[at[0]]
        mass = weight[:, None] * zero[:, : degree + 1] * one[:, degree::-1]
        mass = mass.ravel()
        if leaf is not None:
            mass = np.append(mass, leaf[degree])
        chosen = _pick(rng, mass, len(at))
        stop = chosen == len(splits) * (degree + 1)
        if stop.any():
            cells = leaf_cells(graph.levels[t].totals[i], graph.space, losses.grid)
            wanted = losses.low[t][i] + degree
            _write_leaves(trees, tree[at[stop]], heap[at[stop]], cells == wanted, rng)
        at, chosen = at[~stop], chosen[~stop]
        split = splits[chosen // (degree + 1)]
        trees.split[tree[at], heap[at]] = split
        yield at, split, chosen % (degree + 1)


def _write_leaves(trees, tree, heap, allowed, rng):
    labels = np.flatnonzero(allowed)
    trees.label[tree, heap] = labels[rng.integers(len(labels), size=len(tree))]


def _finish(losses, t, i, group, trees, rng):
    """Draw everything below one subset of the last level."""
    tree, heap, target = group
    graph, grid, low = losses.graph, losses.grid, losses.low[t][i]
    space, used = graph.space, graph.levels[t].used[i]
    if graph.bottom_depth == 0:
        cells = leaf_cells(graph.levels[t].totals[i], space, grid)
        for at in _groups(target):
            hits = cells == low + target[at[0]]
            _write_leaves(trees, tree[at], heap[at], hits, rng)
        return
    bits, weight = node_rows(graph, t, i)
    if graph.bottom_depth == 1:
        stumps = stumps_at(bits, weight, used, space, grid)
        for at in _groups(target):
            _draw_stumps(
                stumps, (), target[at[0]] + low, tree[at], heap[at], trees, rng
            )
        return
    stumps, split_weight = stumps_below(bits, weight, used, space, grid)
    lows = stumps.lowest()
    over = lows.sum(axis=0) - low
    (splits,), *factors = bottom_terms(
        stumps, split_weight, low, losses.slack[t][i] + 1
    )
    terms = (splits, *factors, 0.0)
    parts = []
    for at, split, zero in _split_choices(losses, t, i, terms, group, trees, rng):
        for side, degree in ((0, zero - over[split]), (1, target[at] - zero)):
            node = 2 * heap[at] + 1 + side
            sides = np.full(len(at), side)
            parts.append((tree[at], node, sides, split, degree + lows[side, split]))
    if not parts:
        return
    ids, node, side, split, degree = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    for at in _groups(side, split, degree):
        key = (side[at[0]], split[at[0]])
        _draw_stumps(stumps, key, degree[at[0]], ids[at], node[at], trees, rng)


def _draw_stumps(stumps, key, degree, tree, heap, trees, rng):
    """Draw stumps of one loss; ``key`` picks the node among the stumps."""
    sides = stumps.sides[(slice(None), slice(None), *key)]  # (K, 2, m)
    weight = stumps.weight[key] if stumps.weight.ndim > 1 else stumps.weight
    n_classes, _, m = sides.shape
    cells = sides[:, None, 0] + sides[None, :, 1]  # label zero, label one, split
    mass = np.where(cells == degree, weight * stumps.leaf_weight**2, 0.0).ravel()
    if not stumps.complete:
        leaf = stumps.leaf[(slice(None), *key)] == degree
        mass = np.append(mass, leaf.sum() * stumps.leaf_weight)
    chosen = _pick(rng, mass, len(tree))
    stop = chosen == cells.size
    if stop.any():
        _write_leaves(trees, tree[stop], heap[stop], leaf, rng)
    tree, heap, chosen = tree[~stop], heap[~stop], chosen[~stop]
    zero, one, split = np.unravel_index(chosen, (n_classes, n_classes, m))
    trees.split[tree, heap] = split
    trees.label[tree, 2 * heap + 1] = zero
    trees.label[tree, 2 * heap + 2] = one
