"""Sensitivity to the learning rate, and where its best value lies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.networks import learning_rate_sensitivity
from sklearn_ext.networks._transfer import best_rate

RATES = 2.0 ** np.arange(-10, -2)


def test_sensitivity_is_the_mean_excess_by_hand():
    assert_allclose(learning_rate_sensitivity([0.2, 0.1, 0.6], 1.0), (0.1 + 0.5) / 3)
    assert learning_rate_sensitivity([0.4, 0.4], 2.0) == 0.0


def test_what_diverges_costs_what_was_to_be_learnt():
    for wild in (np.inf, np.nan, 1e300, 7.0):
        assert_allclose(learning_rate_sensitivity([0.25, wild], 1.0), 0.375)


def test_where_nothing_is_learnt_nothing_is_lost():
    assert learning_rate_sensitivity([3.0, np.nan, np.inf], 1.0) == 0.0


@pytest.mark.parametrize("losses", [[], 0.3, [[0.1, 0.2]]])
def test_losses_are_one_a_rate(losses):
    with pytest.raises(ValueError, match=r"one number a learning rate.*shape"):
        learning_rate_sensitivity(losses, 1.0)


@pytest.mark.parametrize("initial", [np.nan, np.inf])
def test_the_initial_loss_is_known(initial):
    with pytest.raises(ValueError, match="initial_loss must be finite"):
        learning_rate_sensitivity([0.1], initial)


@pytest.mark.parametrize("optimum", [-8.3, -5.0, -4.6])
def test_the_best_rate_of_a_parabola_is_its_vertex(optimum):
    losses = 0.3 + 0.01 * (np.log2(RATES) - optimum) ** 2
    assert_allclose(np.log2(best_rate(RATES, losses)), optimum, rtol=1e-12)
    uneven = np.delete(RATES, 5 if optimum < -6 else 2)
    losses = 0.3 + 0.01 * (np.log2(uneven) - optimum) ** 2
    assert_allclose(np.log2(best_rate(uneven, losses)), optimum, rtol=1e-12)


def test_the_best_rate_stays_on_the_grid_where_there_is_no_parabola():
    falling = np.linspace(1, 0.1, len(RATES))
    assert best_rate(RATES, falling) == RATES[-1]
    assert best_rate(RATES, falling[::-1]) == RATES[0]
    broken = np.array([0.9, 0.5, 0.4, np.nan, np.inf, 1.0, 1.0, 1.0])
    assert best_rate(RATES, broken) == RATES[2]
    assert best_rate(RATES, np.ones(len(RATES))) == RATES[0]
    assert np.isnan(best_rate(RATES, np.full(len(RATES), np.inf)))
