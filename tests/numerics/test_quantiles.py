"""The weighted quantile against its definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext._numerics._quantiles import covering_quantile, quantiles


@pytest.mark.parametrize("level", [0.1, 0.5, 0.77, 0.9])
def test_the_least_value_that_covers(level, rng):
    values, w = rng.standard_normal(30), rng.uniform(0.1, 3, 30)
    found = covering_quantile(values, w, level)
    share = level * (1 + 1 / 30)
    assert w[values <= found].sum() / w.sum() >= share
    assert w[values < found].sum() / w.sum() < share


def test_equal_weights_give_the_order_statistic_of_conformal_prediction():
    values = np.random.default_rng(0).permutation(99.0 + np.zeros(99) + np.arange(99))
    assert covering_quantile(values, np.ones(99), 0.9) == 99 + 90 - 1


def test_the_scale_of_weights_does_not_matter(rng):
    values, w = rng.standard_normal(20), rng.uniform(0.1, 3, 20)
    for factor in (1e-9, 3.0, 1e9):
        found = covering_quantile(values, factor * w, 0.8)
        assert found == covering_quantile(values, w, 0.8)


def test_too_few_values_cover_nothing_surely():
    assert covering_quantile(np.arange(9.0), np.ones(9), 0.95) == np.inf
    assert covering_quantile(np.arange(19.0), np.ones(19), 0.95) == 18


def test_a_share_that_is_met_but_for_rounding_is_met():
    values, w = np.arange(10.0), np.full(10, 0.1)
    level = 0.7 / 1.1  # the cumulative sum of seven tenths is short by an ulp
    assert covering_quantile(values, w, level) == 6
    assert_allclose(np.cumsum(w)[6], level * 1.1)


def test_shares_of_the_weight():
    rng = np.random.default_rng(0)
    values, w = rng.integers(0, 9, 60).astype(float), rng.integers(1, 5, 60)
    levels = np.linspace(0, 1, 41)
    expected = np.quantile(np.repeat(values, w), levels, method="averaged_inverted_cdf")
    for factor in (1, 0.1, 1e-300, 1e300):
        np.testing.assert_allclose(quantiles(values, factor * w, levels), expected)


def test_the_usual_median():
    assert quantiles(np.array([4.0, 1.0, 3.0, 2.0]), np.ones(4), [0.5]) == 2.5
    big = np.array([1.7e308, 1.6e308])
    np.testing.assert_allclose(quantiles(big, np.ones(2), [0.5]), [1.65e308])
