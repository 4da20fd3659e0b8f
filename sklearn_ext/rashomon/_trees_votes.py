"""Exact vote shares and split usage: reverse-mode derivatives of the recursion.

The weight of the Rashomon set is a polynomial in the weights of single leaves and
splits. Its logarithmic derivatives, found in one pass from the root down, are the
shares of trees that use a leaf or a split; summed over the leaves of a row they are
the share of trees that vote for each class.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.rashomon._polynomials import correlate_with
from sklearn_ext.rashomon._trees_bottom import leaf_cells, stumps_at, stumps_below
from sklearn_ext.rashomon._trees_draws import useful_degrees
from sklearn_ext.rashomon._trees_exact import bottom_terms, inner_terms, node_rows
from sklearn_ext.rashomon._trees_space import members_of


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
    graph = losses.graph
    degrees = useful_degrees(losses, threshold)
    total = losses.coef[0][0, :degrees].sum()
    if total == 0:
        raise ValueError(
            "The Rashomon set is empty: no tree has a loss within the threshold. "
            "Raise theta or reference_loss."
        )
    m = len(graph.space.weight)
    votes = np.zeros((len(graph.rows.bits), graph.space.n_classes))
    nodes, root = np.zeros(m), np.zeros(m)
    adjoint = np.zeros_like(losses.coef[0])
    adjoint[0, :degrees] = 1 / total
    for t in range(len(graph.levels)):
        below = np.zeros_like(losses.coef[t + 1]) if t + 1 < len(graph.levels) else None
        for i in np.flatnonzero(adjoint.any(axis=1)):
            used = _one_node(losses, t, i, adjoint[i], below, votes)
            nodes += used[0] + used[1]
            if t == 0:
                root = used[0]
        adjoint = below
    return Shares(votes, root, nodes)


def _one_node(losses, t, i, adjoint, below, votes):
    """Pass derivatives down from one node; return its own and lower split shares."""
    graph, low = losses.graph, losses.low[t][i]
    level, space, grid = graph.levels[t], graph.space, losses.grid
    length = max(losses.slack[t][i] + 1, 1)
    adjoint, scale = adjoint[:length], losses.log_scale[t][i]
    last = t == len(graph.levels) - 1
    own, lower = np.zeros((2, len(space.weight)))
    if graph.bottom_depth == 0 or not space.complete:
        cells = leaf_cells(level.totals[i], space, grid) - low
        share = _at(adjoint, cells) * space.leaf_weight * np.exp(-scale)
        votes[members_of(level, i, len(votes))] += share
    if graph.bottom_depth == 0:
        return own, lower
    if not last:
        ahead = (losses.low[t + 1], losses.coef[t + 1], losses.log_scale[t + 1])
        terms = inner_terms(graph, t, i, low, length, ahead)
        splits, own[terms[0]], to_zero, to_one = _factors(terms, adjoint, scale)
        child = level.child[i][splits]
        over = ahead[0][child].sum(axis=1) - low
        np.add.at(below[:, :length], child[:, 0], _unshifted(to_zero, over))
        np.add.at(below[:, :length], child[:, 1], to_one)
        return own, lower
    bits, weight = node_rows(graph, t, i)
    place = members_of(level, i, len(votes))
    used = level.used[i]
    if graph.bottom_depth == 1:
        stumps = stumps_at(bits, weight, used, space, grid)
        derivative = adjoint * np.exp(-scale)
        leaves, _, own = _stump_shares(stumps, np.asarray(low), derivative)
        votes[place] += _stump_votes(bits, leaves)
        return own, lower
    stumps, split_weight = stumps_below(bits, weight, used, space, grid)
    (splits,), *factors = bottom_terms(stumps, split_weight, low, length)
    terms = (splits, *factors, 0.0)
    splits, own[terms[0]], to_zero, to_one = _factors(terms, adjoint, scale)
    lows = stumps.lowest()
    over = lows.sum(axis=0)[splits] - low
    derivative = np.stack([_unshifted(to_zero, over), to_one])  # (2, splits, length)
    stumps = stumps.below(splits)
    leaves, early, lower = _stump_shares(stumps, lows[:, splits], derivative)
    votes[place] += _pair_votes(bits, splits, leaves, early)
    return own, lower


def _factors(terms, adjoint, scale):
    """Differentiate for both factors of every product; share of each split."""
    splits, zero, one, weight, log_top = terms
    weight = (weight * np.exp(log_top - scale))[:, None]
    to_zero = weight * correlate_with(one, adjoint)
    to_one = weight * correlate_with(zero, adjoint)
    return splits, (to_zero * zero).sum(axis=1), to_zero, to_one


def _unshifted(rows, shift):
    source = np.arange(rows.shape[1]) + shift[:, None]
    inside = source < rows.shape[1]
    return np.where(
        inside, np.take_along_axis(rows, np.where(inside, source, 0), axis=1), 0.0
    )


def _at(coefficients, place):
    inside = (place >= 0) & (place < coefficients.shape[-1])
    return np.where(inside, coefficients[np.where(inside, place, 0)], 0.0)


def _stump_shares(stumps, low, derivative):
    """Shares of stump leaves by (class, side, ..., split), early leaves, splits."""
    n_classes = len(stumps.sides)
    shape, length = stumps.sides.shape[2:], derivative.shape[-1]
    flat = derivative.reshape(low.size, length)
    base = (np.arange(low.size) * length).reshape(low.shape)
    mass = stumps.weight * stumps.leaf_weight**2
    leaves = np.zeros((n_classes, 2, *shape))
    for zero in range(n_classes):
        for one in range(n_classes):
            place = stumps.sides[zero, 0] + stumps.sides[one, 1] - low[..., None]
            inside = place < length
            share = np.where(
                inside, flat.ravel()[np.where(inside, place, 0) + base[..., None]], 0.0
            )
            share *= mass
            leaves[zero, 0] += share
            leaves[one, 1] += share
    early = np.zeros((n_classes, *low.shape))
    if not stumps.complete:
        place = stumps.leaf - low
        inside = place < length
        early = stumps.leaf_weight * np.where(
            inside, flat.ravel()[np.where(inside, place, 0) + base], 0.0
        )
    used = leaves[:, 0].sum(axis=tuple(range(len(shape))))
    return leaves, early, used


def _stump_votes(bits, leaves):
    sides = np.concatenate([~bits, bits], axis=1).astype(float)
    return sides @ leaves.reshape(len(leaves), -1).T


def _pair_votes(bits, splits, leaves, early):
    """Votes of rows from the leaves of all stumps below all splits of a node."""
    lower = np.concatenate([~bits, bits], axis=1).astype(float)
    upper = np.concatenate([~bits[:, splits], bits[:, splits]], axis=1).astype(float)
    votes = np.empty((len(bits), len(leaves)))
    for c, table in enumerate(leaves):  # (2 lower, 2 upper, splits, m)
        table = np.moveaxis(table, 0, 2).reshape(upper.shape[1], lower.shape[1])
        votes[:, c] = ((upper @ table) * lower).sum(axis=1)
    return votes + upper @ early.reshape(len(leaves), upper.shape[1]).T
