"""Temperatures from held-out scores, against a fine search and other scales."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from sklearn_ext._numerics._held_out import (
    LIMITS,
    best_temperature,
    log_loss,
    probabilities,
)


def scores_of(rng, n=300, k=3, heat=4.0):
    scores = rng.normal(size=(n, k))
    codes = np.array([rng.choice(k, p=p) for p in softmax(scores, axis=1)])
    return heat * scores, codes, rng.uniform(0.1, 3, n)


@pytest.mark.parametrize("k", [2, 5])
def test_it_is_the_minimum(rng, k):
    scores, codes, weight = scores_of(rng, k=k)

    def loss(log_t):
        z = scores / np.exp(log_t)
        own = z[np.arange(len(z)), codes]
        return weight @ (np.log(np.exp(z).sum(axis=1)) - own) / weight.sum()

    slow = minimize_scalar(loss, bounds=(-3, 9), method="bounded")
    found = best_temperature(scores, codes, weight)
    assert_allclose(np.log(found), slow.x, atol=1e-4)
    assert_allclose(log_loss(scores, codes, weight, found), slow.fun, rtol=1e-9)
    for other in (0.99, 1.01):
        assert log_loss(scores, codes, weight, other * found) > slow.fun


def test_units_of_scores_and_weights(rng):
    scores, codes, weight = scores_of(rng)
    found = best_temperature(scores, codes, weight)
    assert_allclose(best_temperature(scores, codes, 1e-8 * weight), found, rtol=1e-9)
    assert_allclose(best_temperature(7 * scores, codes, weight), 7 * found, rtol=1e-9)
    assert_allclose(best_temperature(scores + 5, codes, weight), found, rtol=1e-9)
    repeated = np.repeat(np.arange(300), 1 + np.arange(300) % 3)
    assert_allclose(
        best_temperature(scores[repeated], codes[repeated], np.ones(len(repeated))),
        best_temperature(scores, codes, 1.0 + np.arange(300) % 3),
        rtol=1e-9,
    )


def test_one_column_is_two_of_opposite_sign(rng):
    one = rng.normal(size=(100, 1))
    codes = (one[:, 0] + rng.normal(size=100) > 0).astype(int)
    both, ones = np.hstack([-one, one]), np.ones(100)
    found = best_temperature(one, codes, ones)
    assert found == best_temperature(both, codes, ones)
    assert_allclose(probabilities(one, found), softmax(both / found, axis=1))


def test_limits_hold_where_scores_separate_or_mislead(rng):
    scores, codes = np.eye(3)[[0, 1, 2]], np.arange(3)
    ones = np.ones(3)
    assert_allclose(best_temperature(scores, codes, ones), LIMITS[0])
    assert_allclose(best_temperature(-scores, codes, ones), LIMITS[1])
    assert_allclose(best_temperature(scores, codes, ones, (0.5, 2.0)), 0.5)
    assert LIMITS[0] <= best_temperature(1e200 * scores, codes, ones) <= LIMITS[1]
    assert 0 < best_temperature(np.zeros((3, 3)), codes, ones) < np.inf


def test_rows_without_a_finite_score_are_left_out(rng):
    scores, codes, weight = scores_of(rng)
    found = best_temperature(scores[1:], codes[1:], weight[1:])
    for bad in (np.nan, -np.inf):
        scores[0, 1] = bad
        assert_allclose(best_temperature(scores, codes, weight), found, rtol=1e-9)
    assert best_temperature(np.full((2, 2), np.nan), codes[:2], weight[:2]) == 1.0
