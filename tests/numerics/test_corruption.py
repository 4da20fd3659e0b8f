"""Corrupted copies: what stays, what is replaced, and by whom."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext._numerics._corruption import corrupt


@pytest.fixture
def table():
    return np.arange(60.0).reshape(20, 3)


def test_nothing_or_everything_is_replaced(table, rng):
    assert_array_equal(corrupt(table, table, rng, corruption=0.0), table)
    copies = corrupt(table, table + 1000, rng, corruption=1.0)
    assert (copies >= 1000).all()


def test_values_stay_in_their_column(table, rng):
    copies = corrupt(np.repeat(table, 50, axis=0), table, rng, corruption=0.7)
    for copied, column in zip(copies.T, table.T, strict=True):
        assert set(copied) == set(column)


def test_the_rows_stay_as_they_are(table, rng):
    frozen = table.copy()
    frozen.setflags(write=False)
    corrupt(frozen, frozen, rng)
    assert_array_equal(frozen, table)


@pytest.mark.parametrize("corruption", [0.2, 0.6])
def test_share_of_replaced_columns(table, corruption, rng):
    rows = np.full((4000, 3), -1.0)
    replaced = corrupt(rows, table, rng, corruption=corruption) >= 0
    assert_allclose(replaced.mean(axis=0), corruption, atol=0.04)
    together = (replaced[:, 0] & replaced[:, 1]).mean()
    assert abs(together - corruption**2) < 0.04


def test_columns_of_a_group_have_one_donor(table, rng):
    rows = np.full((500, 3), -1.0)
    groups = np.array([0, 1, 0])
    copies = corrupt(rows, table, rng, corruption=0.5, groups=groups)
    new = copies[:, 0] >= 0
    assert_array_equal(new, copies[:, 2] >= 0)
    assert_array_equal(copies[new, 2] - copies[new, 0], 2)
    assert (copies[new, 1] < 0).any()


def test_donors_are_drawn_by_weight(table, rng):
    w = np.zeros(20)
    w[[3, 7]] = 1, 3
    rows = np.full((4000, 3), -1.0)
    copies = corrupt(rows, table, rng, corruption=1.0, w=w)
    assert set(copies[:, 0]) == {table[3, 0], table[7, 0]}
    assert abs(np.mean(copies[:, 1] == table[7, 1]) - 0.75) < 0.03


def test_a_row_of_weight_zero_at_the_end_is_never_a_donor(table):
    class Ones:
        def random(self, shape):
            return np.full(shape, 1.0)  # rounding may bring a draw as far as the total

    w = np.r_[np.ones(19), 0.0]
    copies = corrupt(table, table, Ones(), corruption=2.0, w=w)
    assert_array_equal(copies, np.tile(table[18], (20, 1)))


def test_same_seed_same_copies_in_either_precision(table):
    one = corrupt(table, table, np.random.default_rng(0))
    small = table.astype(np.float32)
    other = corrupt(small, small, np.random.default_rng(0))
    assert other.dtype == np.float32
    assert_array_equal(one, other)
