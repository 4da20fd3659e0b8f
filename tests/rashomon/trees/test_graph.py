"""Subsets of rows and what pairs of splits do in them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._problem import (
    TreeSpace,
    merge_rows,
)


@pytest.mark.parametrize("n_nodes", [1, 3])
def test_pairs_are_counted_for_many_nodes_at_once(rng, n_nodes):
    bits, y = rng.random((20, 5)) < 0.5, rng.integers(0, 3, 20)
    rows = merge_rows(bits, y, rng.random(20), 3)
    ones = np.ones(5, dtype=int)
    graph = build_graph(rows, TreeSpace(3, 3, ones / 5, ones, leaf_weight=1 / 3))
    block, upper = graph.block(np.arange(1, 1 + n_nodes)), np.array([3, 1, 3])
    node = np.array([0, n_nodes - 1, n_nodes - 1])
    found = block.pairs(block.weight, node, upper)
    for c, lower, high, i, j in np.ndindex(found.shape):
        sides = (block.bits[:, j] == lower) & (block.bits[:, upper[i]] == high)
        expected = block.weight[sides & block.inside[node[i]], c].sum()
        assert_allclose(found[c, lower, high, i, j], expected, atol=1e-12)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    "n_nodes", [3, 8, 30]
)  # few: pairs of each; many: once for all
def test_two_classes_need_their_difference_only(rng, whole, complete, n_nodes):
    bits, y = rng.random((60, 7)) < 0.4, rng.integers(0, 2, 60)
    w = rng.integers(1, 5, 60).astype(float) if whole else rng.random(60)
    ones, cost = np.ones(7, dtype=int), 0.0 if complete else 2.0
    space = TreeSpace(4, 2, ones / 7, ones, complete=complete, leaf_cost=cost)
    graph = build_graph(merge_rows(bits, y, w, 2), space)
    block = graph.block(np.arange(n_nodes), merged=True)
    assert block.weight.dtype == (np.float32 if whole else np.float64)
    every = np.indices((n_nodes, len(block.columns))).reshape(2, -1)
    stumps, weight = block.stumps_below(Grid(), *every)
    assert (weight > 0).all()
    expected = stumps.lowest().sum(axis=0).reshape(n_nodes, -1)[:, block.group]
    assert_allclose(block.smallest(), expected, rtol=1e-12, atol=1e-12)


def test_splits_with_an_empty_side_are_left_out_of_smallest_losses(rng):
    bits, y = rng.random((40, 5)) < 0.5, rng.integers(0, 2, 40)
    bits[:, 4] = True
    ones = np.ones(5)
    space = TreeSpace(2, 2, ones, ones.astype(int), complete=False, trivial=False)
    graph = build_graph(merge_rows(bits, y, ones[0] * np.ones(40), 2), space)
    best = graph.block(np.zeros(1, dtype=int)).smallest()[0]
    assert np.isinf(best[4])
    assert np.isfinite(best[:4]).all()


@pytest.mark.parametrize("repeats", [True, False])
def test_graphs_hold_every_subset_once(rng, repeats):
    bits, y = rng.random((30, 4)) < 0.5, rng.integers(0, 2, 30)
    rows, ones = merge_rows(bits, y, np.ones(30), 2), np.ones(4, dtype=int)
    space = TreeSpace(5, 2, ones / 4, ones, repeats=repeats)
    graph = build_graph(rows, space)
    known = build_graph(rows, TreeSpace(4, 2, ones / 4, ones, repeats=repeats))
    again = build_graph(rows, space, known)
    for one, other in zip(graph.levels, again.levels, strict=True):
        assert_array_equal(one.sets, other.sets)
        assert_array_equal(one.child, other.child)
        assert_array_equal(one.used, other.used)
    for t, level in enumerate(graph.levels):
        whole = np.concatenate([level.sets, level.used], axis=1)
        assert len(np.unique(whole, axis=0)) == len(level)
        for i in range(len(level)):
            place = graph.members(t, i)
            assert_allclose(level.totals[i], rows.weight[place].sum(axis=0))
            for j, side in np.ndindex(level.child.shape[1:]):
                below = graph.members(t + 1, level.child[i, j, side])
                assert_array_equal(below, place[rows.bits[place, j] == side])
