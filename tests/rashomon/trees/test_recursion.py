"""The recursion on loss polynomials against every tree of small spaces."""

from math import prod

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._problem import (
    TreeSpace,
    merge_rows,
)
from sklearn_ext.rashomon._trees._recursion import (
    count_trees,
    expand,
    largest_scores,
    smallest_losses,
)
from tests.rashomon.trees._cases import CASES, Case


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
