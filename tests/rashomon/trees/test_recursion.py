"""The recursion on loss polynomials against every tree of small spaces."""

from math import prod

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sklearn_ext.rashomon._trees._descent import draw_trees, tree_shares
from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._patterns import pattern_losses, tree_patterns
from sklearn_ext.rashomon._trees._polynomials import (
    correlate_with,
    normalized,
    shifted,
    sum_of_products,
)
from sklearn_ext.rashomon._trees._problem import (
    TreeSpace,
    distinct_patterns,
    merge_rows,
)
from sklearn_ext.rashomon._trees._recursion import (
    count_trees,
    expand,
    largest_scores,
    smallest_losses,
)
from sklearn_ext.rashomon._trees._sets import ExactTreeSet
from tests.rashomon.trees._brute_force import full_trees, sparse_trees

# splits, depth, classes, repeats (complete) or trivial splits (sparse)
COMPLETE = [
    (3, 0, 2, True),
    (3, 1, 2, True),
    (3, 2, 2, True),
    (4, 2, 3, True),
    (2, 3, 2, True),
    (3, 3, 2, False),
]
SPARSE = [(m, d, k, t) for m, d, k in [(3, 1, 2), (3, 2, 2), (2, 3, 2)] for t in (1, 0)]
CASES = [(*case, True) for case in COMPLETE] + [(*case, False) for case in SPARSE]


class Case:
    """One small problem, its recursion and its enumeration."""

    def __init__(self, rng, m, depth, k, flag, complete, *, uniform=False):
        n = 14
        self.bits, self.y = rng.random((n, m)) < 0.5, rng.integers(0, k, n)
        self.w = rng.integers(1, 4, n).astype(float)
        uniform = uniform or not complete
        prior = np.full(m, 1 / m) if uniform else rng.dirichlet(np.ones(m))
        self.rows = merge_rows(self.bits, self.y, self.w, k)
        self.space = TreeSpace(
            depth,
            k,
            prior if complete else np.ones(m),
            np.ones(m, dtype=int),
            complete=complete,
            leaf_weight=1 / k if complete else 1.0,
            leaf_cost=0.0 if complete else 1.0,
            repeats=bool(flag) or not complete,
            trivial=bool(flag) or complete,
        )
        if complete:
            self.all = full_trees(self.bits, k, depth, prior, repeats=flag)
            self.loss = self.all.losses(self.y, self.w)
        else:
            self.all = sparse_trees(self.bits, k, depth, trivial=flag)
            self.loss = self.all.losses(self.y, self.w) + self.all.leaves
        self.graph = build_graph(self.rows, self.space)
        self.smallest = smallest_losses(self.graph)
        self.place = distinct_patterns(self.bits)[1]

    def expanded(self, threshold):
        return expand(self.graph, self.smallest, Grid(1.0, "exact", 1e-9), threshold)

    def inside(self, threshold):
        mass = self.all.mass * (self.loss <= threshold)
        return mass / mass.sum()


@pytest.mark.parametrize("case", CASES)
def test_loss_distribution_equals_enumeration(rng, case):
    c = Case(rng, *case)
    assert c.smallest[0][0] == c.loss.min()
    for threshold in (c.loss.min(), c.loss.min() + 3, c.loss.max()):
        found = c.expanded(threshold)
        mass = np.bincount(c.loss.astype(int), c.all.mass)
        expected = mass[found.ranges.losses.astype(int)]
        root = found.tables[0]
        actual = root.coef[0] * np.exp(root.log_scale[0])
        assert_allclose(actual, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_counts_are_exact_integers(rng, case):
    c = Case(rng, *case, uniform=True)
    found = count_trees(c.expanded(c.loss.max()).ranges)
    expected = np.bincount((c.loss - c.loss.min()).astype(int))
    assert found == expected.tolist()
    if c.space.complete:
        m, k, d = case[1 - 1], case[2], case[1]
        levels = range(d)
        free = [m if c.space.repeats else m - t for t in levels]
        size = prod(f ** (2**t) for t, f in zip(levels, free, strict=True)) * k**2**d
        assert sum(found) == c.space.size == size


def test_counts_beyond_64_bits(rng):
    bits, y = rng.random((40, 8)) < 0.5, rng.integers(0, 2, 40)
    rows = merge_rows(bits, y, np.ones(40), 2)
    ones = np.ones(8, dtype=int)
    space = TreeSpace(5, 2, np.full(8, 1 / 8), ones, leaf_weight=0.5)
    graph = build_graph(rows, space)
    smallest = smallest_losses(graph)
    losses = expand(graph, smallest, Grid(1.0, "exact", 1e-9), 40.0)
    found = count_trees(losses.ranges)
    assert sum(found) == 8**31 * 2**32
    reachable = found[: 41 - 2 * int(smallest[0][0])]
    assert reachable == reachable[::-1]  # swapping labels turns loss k into 40 - k


def test_space_sizes_of_sparse_trees():
    space = TreeSpace(3, 2, np.ones(4), np.ones(4, dtype=int), complete=False)
    sizes = [2]
    for _ in range(3):
        sizes.append(2 + 4 * sizes[-1] ** 2)
    assert space.size == sizes[-1]


@pytest.mark.parametrize("case", CASES)
def test_shares_equal_enumeration(rng, case):
    c = Case(rng, *case)
    threshold = c.loss.min() + 3
    shares, mass = tree_shares(c.expanded(threshold)), c.inside(threshold)
    for label in range(case[2]):
        expected = mass @ (c.all.labels == label)
        assert_allclose(shares.votes[c.place, label], expected, atol=1e-12)
    root = np.bincount(c.all.root + 1, mass, minlength=case[0] + 1)[1:]
    if case[1]:
        assert_allclose(shares.root, root, atol=1e-12)
    if c.space.complete:
        assert_allclose(shares.nodes.sum(), 2 ** case[1] - 1)
    else:
        assert_allclose(shares.nodes.sum(), mass @ c.all.leaves - 1)


@pytest.mark.parametrize("case", CASES)
def test_extremes_equal_enumeration(rng, case):
    c = Case(rng, *case)
    values = rng.normal(size=c.rows.weight.shape)
    first = [np.flatnonzero(c.place == i)[0] for i in range(len(values))]
    label = c.all.labels[:, first]
    score = values[np.arange(len(values)), label].sum(axis=1)
    found = c.expanded(c.loss.min() + 4).ranges
    best = largest_scores(found, values)
    for loss, value in zip(found.losses, best, strict=True):
        assert_allclose(value, score[c.loss <= loss].max(initial=-np.inf))


@pytest.mark.parametrize("case", COMPLETE)
def test_draws_are_uniform(case):
    c = Case(np.random.default_rng(5), *case, True)
    threshold, n_draws = c.loss.min() + 3, 20_000
    trees = draw_trees(c.expanded(threshold), n_draws, np.random.default_rng(0))
    drawn, mass = trees.predict(c.bits), c.inside(threshold)
    assert ((drawn != c.y) @ c.w <= threshold).all()
    every = np.concatenate([c.all.labels[mass > 0], drawn])
    kinds, key = np.unique(every, axis=0, return_inverse=True)
    expected = np.bincount(key[: (mass > 0).sum()], mass[mass > 0], len(kinds))
    seen = np.bincount(key[(mass > 0).sum() :], minlength=len(kinds))
    if len(kinds) > 1:
        assert stats.chisquare(seen, n_draws * expected).pvalue > 1e-3


@pytest.mark.parametrize("case", SPARSE)
def test_sparse_draws_match_enumeration(case):
    c = Case(np.random.default_rng(5), *case, False)
    threshold, n_draws = c.loss.min() + 3, 20_000
    trees = draw_trees(c.expanded(threshold), n_draws, np.random.default_rng(0))
    leaves = (trees.label >= 0).sum(axis=1)
    loss = (trees.predict(c.bits) != c.y) @ c.w + leaves
    assert (loss <= threshold).all()
    mass = c.inside(threshold)
    spread = np.sqrt(mass @ (c.all.leaves - mass @ c.all.leaves) ** 2 / n_draws)
    assert abs(leaves.mean() - mass @ c.all.leaves) <= 5 * spread + 1e-12
    histogram = np.bincount(loss.astype(int)) / n_draws
    expected = np.bincount(c.loss.astype(int), mass)[: len(histogram)]
    assert_allclose(histogram, expected, atol=0.02)


@pytest.mark.parametrize("case", COMPLETE)
def test_patterns_equal_enumeration(rng, case):
    c = Case(rng, *case, True)
    label = tree_patterns(c.rows, case[1], case[2], repeats=case[3])
    expected = np.unique(np.c_[c.all.labels, c.loss], axis=0)
    assert_array_equal(
        np.unique(
            np.c_[label[:, c.place], pattern_losses(label, c.rows.weight)], axis=0
        ),
        expected,
    )


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


@pytest.mark.parametrize("case", CASES)
def test_optimal_tree_has_the_smallest_loss(rng, case):
    c = Case(rng, *case)
    found = ExactTreeSet.of(c.graph, c.smallest, c.loss.min())
    assert_allclose(found.losses_of(found.best_tree()), c.loss.min())


def test_polynomial_products_against_convolution(rng):
    A, C, weight = rng.random((5, 150)), rng.random((5, 150)), rng.random(5)
    terms = [w * np.convolve(a, c)[:150] for w, a, c in zip(weight, A, C, strict=True)]
    assert_allclose(sum_of_products(A, C, weight), sum(terms), rtol=1e-13)
    adjoint = rng.random(150)
    gradient = correlate_with(C, adjoint)
    for a, c, g in zip(A, C, gradient, strict=True):
        assert_allclose(g @ a, adjoint @ np.convolve(a, c)[:150], rtol=1e-12)


def test_small_coefficients_keep_their_accuracy():
    tiny = np.array([[1e-200, 1.0, 1e-30]])
    found = sum_of_products(tiny, tiny, np.ones(1))
    assert_allclose(found, [0.0, 2e-200, 1.0], rtol=1e-15, atol=0)  # 1e-400 underflows
    coef, log_top = normalized(np.array([0.0, 1e-300]))
    assert_allclose(coef, [0, 1])
    assert_allclose(log_top, np.log(1e-300))


def test_shift_drops_what_passes_the_end():
    moved = shifted(np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([0, 2]))
    assert_array_equal(moved, [[1, 2, 3], [0, 0, 4]])
