"""The set as one object: bounds of the ratio, the optimal tree, counts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.rashomon._trees._graph import build_graph
from sklearn_ext.rashomon._trees._problem import (
    TreeSpace,
    merge_rows,
)
from sklearn_ext.rashomon._trees._recursion import (
    count_trees,
    smallest_losses,
)
from sklearn_ext.rashomon._trees._sets import ExactTreeSet
from tests.rashomon.trees._brute_force import full_trees, sparse_trees
from tests.rashomon.trees._cases import CASES, Case


@pytest.mark.parametrize("n_cells", [32, 128, 1024])
def test_bounds_hold_for_real_weights(rng, n_cells):
    bits, y, w = rng.random((30, 4)) < 0.5, rng.integers(0, 2, 30), rng.random(30)
    every = full_trees(bits, 2, 2)
    loss, rows = every.losses(y, w), merge_rows(bits, y, w, 2)
    ones = np.ones(4, dtype=int)
    graph = build_graph(rows, TreeSpace(2, 2, ones / 4, ones, leaf_weight=0.5))
    smallest = smallest_losses(graph)
    assert_allclose(smallest[0][0], loss.min())
    threshold = loss.min() + 0.05 * w.sum()
    exact = np.log(every.mass[loss <= threshold].sum())
    found = ExactTreeSet.of(graph, smallest, threshold, n_cells)
    ends = found.estimate(threshold)
    assert ends.kind == "bound"
    assert ends.low <= exact + 1e-12
    assert exact <= ends.high + 1e-12
    finer = ExactTreeSet.of(graph, smallest, threshold, 4 * n_cells)
    assert finer.estimate(threshold).high <= ends.high + 1e-12
    drawn = found.draw(300, np.random.default_rng(0), threshold)
    assert (found.losses_of(drawn) <= threshold + 1e-7).all()


def test_rounding_does_not_fill_a_side():
    rng = np.random.default_rng(95)  # where sums of weights differ by rounding
    bits, y, w = rng.random((14, 3)) < 0.5, rng.integers(0, 2, 14), rng.random(14)
    every = sparse_trees(bits, 2, 2, trivial=False)
    ones = np.ones(3, dtype=int)
    space = TreeSpace(
        2, 2, ones.astype(float), ones, complete=False, leaf_cost=1.0, trivial=False
    )
    graph = build_graph(merge_rows(bits, y, w, 2), space)
    found = ExactTreeSet.of(graph, smallest_losses(graph), w.sum() + 4, 64)
    assert_allclose(np.exp(found.upper.log_cdf()[-1]), len(every.mass))


@pytest.mark.parametrize("case", CASES)
def test_optimal_tree_has_the_smallest_loss(rng, case):
    c = Case(rng, *case)
    found = ExactTreeSet.of(c.graph, c.smallest, c.loss.min())
    assert_allclose(found.losses_of(found.best_tree()), c.loss.min())


@pytest.mark.parametrize("case", CASES)
def test_small_counts_from_floats_are_those_of_integers(rng, case):
    c = Case(rng, *case, uniform=True)
    for threshold in (c.loss.min() - 1, c.loss.min(), c.loss.max()):
        found = ExactTreeSet.of(c.graph, c.smallest, threshold)
        assert found.count() == (c.loss <= threshold).sum()
        if found.count():
            assert sum(count_trees(found.upper.ranges)) == found.count()
