"""Losses of rows, thresholds and suspects."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, softmax

from sklearn_ext.losses import comp_sum_loss
from sklearn_ext.losses._row_terms import confident_labels, suspects


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.7, 2])
def test_loss_is_its_formula(tau):
    p = np.array([1e-3, 0.2, 0.9, 1.0])
    expected = -np.log(p) if tau == 1 else (1 - p ** (tau - 1)) / (tau - 1)
    assert_allclose(comp_sum_loss(p, tau=tau), expected, rtol=1e-12, atol=1e-15)


def test_loss_of_an_impossible_label():
    assert comp_sum_loss(0.0, tau=1) == np.inf
    assert comp_sum_loss(0.0, tau=2) == 1


def test_near_one_is_log_loss():
    p = np.linspace(0.01, 1, 50)
    for tau in (1 - 1e-6, 1 + 1e-6):
        assert_allclose(comp_sum_loss(p, tau=tau), comp_sum_loss(p, tau=1), rtol=1e-4)


@pytest.mark.parametrize("tau", [1.2, 1.7, 2])
def test_reweighted_log_loss_lies_above_and_touches(tau):
    rng, q = np.random.default_rng(0), tau - 1
    for _ in range(100):
        Z0, Z = 3 * rng.normal(size=(2, 4))
        before, now = -log_softmax(Z0)[0], -log_softmax(Z)[0]
        at = comp_sum_loss(np.exp(-before), tau=tau)
        bound = at + np.exp(-q * before) * (now - before)
        assert bound >= comp_sum_loss(np.exp(-now), tau=tau) - 1e-12


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.5, 1.7])
def test_minimiser_of_a_population_is_a_power_of_it(tau):
    truth = np.array([0.2, 0.3, 0.5])
    steps = np.linspace(0.005, 0.99, 198)
    grid = np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b < 0.995])
    risk = comp_sum_loss(grid, tau=tau) @ truth
    best = grid[risk.argmin()]
    expected = truth ** (1 / (2 - tau))
    assert_allclose(best, expected / expected.sum(), atol=6e-3)


def test_confident_label_is_the_likeliest_that_reaches_its_threshold():
    rng = np.random.default_rng(1)
    proba, codes = softmax(rng.normal(size=(40, 3)), axis=1), rng.integers(0, 3, 40)
    weight = rng.random(40)
    means = [
        np.average(proba[codes == k, k], weights=weight[codes == k]) for k in range(3)
    ]
    expected = []
    for row in proba:
        reached = [k for k in range(3) if row[k] >= means[k]]
        expected.append(max(reached, key=lambda k: row[k]) if reached else -1)
    assert_array_equal(confident_labels(proba, codes, weight), expected)
    seems = np.array(expected)
    assert_array_equal(suspects(proba, codes, weight), (seems >= 0) & (seems != codes))


def test_a_class_of_suspects_is_kept_whole():
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.97, 0.03]])
    codes, weight = np.array([0, 0, 1, 1]), np.ones(4)
    assert not suspects(proba, codes, weight)[2:].any()
