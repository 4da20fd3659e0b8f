"""Rows that differ, in an order of values alone, dealt to folds."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ext.networks._training._rows_left_out import (
    DistinctRows,
    deal,
    keys_of,
    order_of,
)


@pytest.fixture(params=[0, 1])
def table(request):
    rng = np.random.default_rng(request.param)
    X = rng.integers(0, 4, (60, 3)).astype(float)
    return X, rng.integers(0, 3, 60), rng.integers(0, 3, 60).astype(float)


def test_repetition_and_order_say_nothing(table):
    X, y, w = table
    one = DistinctRows.of(X, y, w)
    again = np.random.default_rng(5).permutation(
        np.repeat(np.arange(60), w.astype(int))
    )
    other = DistinctRows.of(X[again], y[again], np.ones(len(again)))
    assert_array_equal(X[one.first], X[again][other.first])
    assert_array_equal(y[one.first], y[again][other.first])
    assert_array_equal(one.weight, other.weight)


def test_each_row_has_its_place(table):
    X, y, w = table
    rows = DistinctRows.of(X, y, w)
    seen = rows.place >= 0
    assert_array_equal(seen, w > 0)
    assert_array_equal(X[rows.first][rows.place[seen]], X[seen])
    assert_array_equal(y[rows.first][rows.place[seen]], y[seen])
    assert len({(*x, label) for x, label in zip(X[seen], y[seen], strict=True)}) == len(
        rows
    )
    total = np.bincount(rows.place[seen], w[seen])
    np.testing.assert_allclose(rows.weight, total / total.mean())


def test_units_offsets_and_precision_leave_the_order():
    Z = np.random.default_rng(0).normal(size=(200, 3))
    keys = keys_of(Z, rounded=True)
    assert_array_equal(keys_of(Z + 1e-9, rounded=True), keys)
    assert_array_equal(keys_of(Z.astype(np.float32), rounded=True), keys)
    assert len(set(keys)) == len(Z)
    assert not (keys_of(Z, rounded=True, seed=1) == keys).any()
    target = np.zeros(200)
    shuffled = np.random.default_rng(1).permutation(200)
    order = order_of(keys[shuffled], target)
    assert_array_equal(shuffled[order], order_of(keys, target))


def test_targets_order_rows_of_one_key():
    order = order_of(
        np.zeros(3, np.uint64), np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 0]])
    )
    assert_array_equal(order, [1, 2, 0])


def test_equal_keys_share_a_fold_and_folds_are_even():
    keys = np.random.default_rng(0).integers(0, 30, 100).astype(np.uint64)
    fold = deal(keys, 4, np.ones(100))
    for key in np.unique(keys):
        assert len(set(fold[keys == key])) == 1
    sizes = [len(np.unique(keys[fold == f])) for f in range(4)]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == len(np.unique(keys))


def test_classes_are_spread_and_never_left_out_whole():
    y = np.r_[np.zeros(35, int), np.ones(4, int), 2]  # one row of the last class
    keys = np.random.default_rng(0).permutation(40).astype(np.uint64)
    fold = deal(keys, 4, np.ones(40), y)
    assert_array_equal(np.bincount(fold[y == 1]), [1, 1, 1, 1])
    assert_array_equal(fold[y == 2], [-1])
    assert (fold[y < 2] >= 0).all()


def test_a_row_of_all_the_weight_stays():
    X = np.arange(6.0)[:, None]
    rows = DistinctRows.of(X, np.arange(6.0), np.array([1e300, 1, 1, 1, 1, 1]))
    fold = deal(X[rows.first, 0].astype(np.uint64), 3, rows.weight)
    assert fold[X[rows.first, 0] == 0] == -1
    assert np.isfinite(rows.weight).all()


def test_rows_that_do_not_differ_stay():
    rows = DistinctRows.of(np.ones((5, 2)), np.arange(5.0), np.full(5, 1e308))
    keys = keys_of(np.ones((5, 2)), rounded=False)
    assert_array_equal(deal(keys, 3, rows.weight), np.full(5, -1))
