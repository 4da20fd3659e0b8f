"""Sums of tasks against a loop over them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.tasks._statistics import TaskStatistics, _blocks


@pytest.mark.parametrize("rows_a_task", [3, 200])  # both ways to sum products
def test_moments_are_those_of_each_task(rng, rows_a_task):
    n, d = 6 * rows_a_task, 3
    X, y = rng.normal(size=(n, d)) + 1e6, rng.normal(size=n)
    groups, w = rng.integers(0, 6, n), rng.random(n)
    found = TaskStatistics.of(X, y, groups, w)
    assert_array_equal(found.groups, np.unique(groups))
    for at, task in enumerate(found.groups):
        rows = groups == task
        table, v = np.column_stack([X, y])[rows], w[rows]
        mean = v @ table / v.sum()
        products = (table - mean).T @ ((table - mean) * v[:, None])
        assert_allclose(found.weight[at], v.sum())
        assert_allclose(found.x_mean[at], mean[:-1], rtol=1e-12)
        assert_allclose(found.within.xx[at], products[:-1, :-1], rtol=1e-6, atol=1e-8)
        assert_allclose(found.within.xy[at], products[:-1, -1], rtol=1e-6, atol=1e-8)
        assert_allclose(found.within.yy[at], products[-1, -1], rtol=1e-6)


def test_addition_is_associative_and_takes_other_tasks(rng):
    X, y, w = rng.normal(size=(60, 2)) + 1e5, rng.normal(size=60), rng.random(60) + 0.1
    groups = rng.integers(0, 9, 60)
    cuts = (slice(0, 17), slice(17, 30), slice(30, 60))
    a, b, c = (TaskStatistics.of(X[s], y[s], groups[s], w[s]) for s in cuts)
    whole = TaskStatistics.of(X, y, groups, w)
    for total in ((a + b) + c, a + (b + c), c + a + b):
        for name in ("groups", "weight", "x_mean", "y_mean"):
            assert_allclose(
                getattr(total, name), getattr(whole, name), rtol=1e-7, atol=1e-7
            )
        for name in ("xx", "xy", "yy"):
            found, expected = (getattr(s.within, name) for s in (total, whole))
            assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_blocks_cover_all_tasks_in_order(rng):
    sizes = rng.integers(1, 30, 40)
    seen = [range(40)[block] for block in _blocks(sizes, 25)]
    assert_array_equal(np.concatenate(seen), np.arange(40))
    assert all(sizes[list(tasks)].sum() <= 25 or len(tasks) == 1 for tasks in seen)
