"""Extremes of additive scores over a Rashomon set, by a max-plus recursion.

It is the recursion on loss polynomials with sums replaced by maxima and products by
sums: the k-th entry is the best total score of any subtree with loss k. There is no
matrix product for it, so it is several times slower.
"""

import numpy as np

from sklearn_ext.rashomon._polynomials import shifted
from sklearn_ext.rashomon._trees_bottom import (
    leaf_cells,
    pair_counts,
    single_counts,
    stumps_at,
    stumps_below,
)
from sklearn_ext.rashomon._trees_exact import node_rows
from sklearn_ext.rashomon._trees_space import members_of


def largest_score(losses, values):
    """Largest total score of any tree inside the range of ``losses``.

    Parameters
    ----------
    losses : TreeLosses
        Its graph, first degrees and useful degrees are used.
    values : ndarray of shape (n_rows, n_classes)
        Score of predicting each class at each merged row.

    Returns
    -------
    ndarray of shape (n_degrees,)
        Best score among trees with loss at most each of ``losses.losses``.
    """
    graph, below = losses.graph, None
    for t in reversed(range(len(graph.levels))):
        best = np.full_like(losses.coef[t], -np.inf)
        for i in np.flatnonzero(losses.slack[t] >= 0):
            length = losses.slack[t][i] + 1
            best[i, :length] = _node(losses, t, i, length, values, below)
        below = best
    return np.maximum.accumulate(below[0])


def _node(losses, t, i, length, values, below):
    graph, low, grid = losses.graph, losses.low[t][i], losses.grid
    level, space = graph.levels[t], graph.space
    place = members_of(level, i, len(values))
    score = values[place]
    best = np.full(length, -np.inf)
    if not space.complete or graph.bottom_depth == 0:
        cells = leaf_cells(level.totals[i], space, grid) - low
        _raise_to(best[None], cells[None], score.sum(axis=0)[None])
    if t < len(graph.levels) - 1:
        child = level.child[i]
        over = losses.low[t + 1][child].sum(axis=1) - low
        splits = np.flatnonzero((graph.node_weights(t, i) > 0) & (over < length))
        zero = shifted(below[child[splits, 0], :length], over[splits], -np.inf)
        return np.maximum(best, _best_sums(zero, below[child[splits, 1], :length]))
    if graph.bottom_depth == 0:
        return best
    bits, weight = node_rows(graph, t, i)
    used = level.used[i]
    if graph.bottom_depth == 1:
        stumps = stumps_at(bits, weight, used, space, grid)
        scores = single_counts(bits, score)
        leaf = score.sum(axis=0)
        return _stump_scores(stumps, scores, leaf, np.asarray(low), length)
    stumps, split_weight = stumps_below(bits, weight, used, space, grid)
    lows = stumps.lowest()
    over = lows.sum(axis=0) - low
    splits = np.flatnonzero((split_weight > 0) & (over < length))
    scores = pair_counts(bits, score)[..., splits, :]
    leaf = single_counts(bits, score)[..., splits]
    kept = stumps.below(splits)
    zero, one = _stump_scores(kept, scores, leaf, lows[:, splits], length)
    return np.maximum(best, _best_sums(shifted(zero, over[splits], -np.inf), one))


def _stump_scores(stumps, scores, leaf_scores, low, length):
    """Best score of every stump by loss: shape (..., length)."""
    n_classes, m = len(scores), scores.shape[-1]
    best = np.full((low.size, length), -np.inf)
    base = low.reshape(-1, 1)
    sides = stumps.sides.reshape(n_classes, 2, low.size, m)
    scores = scores.reshape(sides.shape)
    usable = np.broadcast_to(stumps.weight > 0, stumps.sides.shape[2:])
    usable = usable.reshape(low.size, m)
    for zero in range(n_classes):
        for one in range(n_classes):
            degree = sides[zero, 0] + sides[one, 1] - base
            total = scores[zero, 0] + scores[one, 1]
            _raise_to(best, np.where(usable, degree, length), total)
    if not stumps.complete:
        leaf = stumps.leaf.reshape(n_classes, low.size).T - base
        _raise_to(best, leaf, leaf_scores.reshape(n_classes, low.size).T)
    return best.reshape(*low.shape, length)


def _raise_to(best, degree, score):
    length = best.shape[1]
    inside = degree < length
    row = np.arange(len(best))[:, None] * length
    flat = best.reshape(-1)
    np.maximum.at(flat, (row + degree)[inside], np.asarray(score)[inside])
    best[...] = flat.reshape(best.shape)


def _best_sums(zero, one):
    """Max-plus sum of products: best ``zero[j, a] + one[j, b]`` for every a + b."""
    length = zero.shape[1]
    best = np.full(length, -np.inf)
    for a in np.flatnonzero(np.isfinite(zero).any(axis=0)):
        total = zero[:, a, None] + one[:, : length - a]
        np.maximum(best[a:], total.max(axis=0), out=best[a:])
    return best
