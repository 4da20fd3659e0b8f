"""A good tree quickly: impurity at the top, the last two levels optimal."""

import numpy as np

from sklearn_ext.rashomon._trees_bottom import single_counts
from sklearn_ext.rashomon._trees_exact import optimal_tree, smallest_losses
from sklearn_ext.rashomon._trees_members import TreeArrays
from sklearn_ext.rashomon._trees_space import Graph, Level, TreeSpace


def greedy_tree(rows, space):
    """Grow one complete tree.

    Parameters
    ----------
    rows : Rows
        Merged rows.
    space : TreeSpace
        Complete trees.

    Returns
    -------
    TreeArrays
        The tree, alone.
    """
    trees = TreeArrays.blank(1, space.depth)
    members = np.arange(len(rows.bits))
    used = np.zeros(len(space.weight), dtype=bool)
    _grow(rows, space, members, used, 0, space.depth, trees)
    return trees


def _grow(rows, space, members, used, node, depth, trees):
    if depth <= 2:
        _finish(rows, space, members, used, node, depth, trees)
        return
    j = _purest(rows.bits[members], rows.weight[members])
    j = j if space.repeats or not used[j] else int(np.flatnonzero(~used)[0])
    trees.split[0, node] = j
    path = used | (np.arange(len(used)) == j)
    one = rows.bits[members, j]
    _grow(rows, space, members[~one], path, 2 * node + 1, depth - 1, trees)
    _grow(rows, space, members[one], path, 2 * node + 2, depth - 1, trees)


def _purest(bits, weight):
    """Split with the smallest Gini impurity."""
    counts = single_counts(bits, weight)  # (n_classes, 2, m)
    total = np.maximum(counts.sum(axis=0), 1e-300)
    return int(((counts**2).sum(axis=0) / total).sum(axis=0).argmax())


def _finish(rows, space, members, used, node, depth, trees):
    """Write the optimal subtree of depth at most two below a node."""
    part = type(rows)(rows.bits[members], rows.weight[members])
    inner = TreeSpace(
        depth,
        space.n_classes,
        space.weight,
        space.multiplicity,
        leaf_weight=space.leaf_weight,
        repeats=space.repeats,
    )
    full = np.packbits(np.ones((1, len(members)), dtype=bool), axis=1)
    totals = part.weight.sum(axis=0, keepdims=True)
    tracked = used[None] if not space.repeats else np.zeros((1, 0), dtype=bool)
    level = Level(full, tracked, totals, np.empty((1, 0, 2), dtype=np.int32))
    graph = Graph(part, inner, (level,))
    split, label = optimal_tree(graph, smallest_losses(graph))
    for place in range(len(label)):
        level = (place + 1).bit_length() - 1
        at = (node + 1) * 2**level - 1 + place - (2**level - 1)
        if place < len(split):
            trees.split[0, at] = split[place]
        trees.label[0, at] = label[place]
