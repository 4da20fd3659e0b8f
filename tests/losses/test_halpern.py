"""The iterations that the benchmark sets beside the solver reach the same optimum."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.losses_halpern import Operator, anchored_extragradient, reduced_halpern
from sklearn_ext.losses import WorstGroupClassifier
from tests.losses.test_worst_group import three

STEPS = {"step": 0.5, "ratio": 1.0}


def operator(X, y, g):
    return Operator(X, np.where(y == 1, 1.0, -1.0), g, 1 / len(y))


def worst(game, v, X, y, g):
    coef, intercept = game.coefficients(v)
    lost = np.logaddexp(0, -np.where(y == 1, 1, -1) * (X @ coef + intercept))
    means = np.bincount(g, lost) / np.bincount(g)
    return means.max() + game.penalty / 2 * coef @ coef


@pytest.mark.parametrize("stochastic", [False, True])
def test_both_reach_the_certified_optimum(stochastic):
    X, y, g = three()
    best = WorstGroupClassifier(1.0, tol=1e-5).fit(X, y, subgroups=g)
    game = operator(X, y, g)
    if stochastic:
        way = {"length": 5.0, "batch": 6, "n_inner": 60}
        steps, n = reduced_halpern(game, **STEPS, **way), 100
    else:
        steps, n = anchored_extragradient(game, **STEPS), 1500
    for _ in range(n):
        v, q = next(steps)
    assert_allclose(worst(game, v, X, y, g), best.objective_, rtol=5e-3)
    assert_allclose(q, best.subgroup_weights_, atol=0.05)


def test_slopes_are_those_of_the_losses():
    X, y, g = three()
    game, rng = operator(X, y, g), np.random.default_rng(0)
    v, q = rng.normal(size=4), np.array([0.2, 0.3, 0.5])
    pull, lost = game.full(v, q)

    def value(v):
        coef, _ = game.coefficients(v)
        return -q @ game.full(v, q)[1] + game.penalty / 2 * coef @ coef

    each = np.eye(4) * 1e-6
    slope = [(value(v + e) - value(v - e)) / 2e-6 for e in each]
    assert_allclose(pull, slope, rtol=1e-6)
    other = rng.normal(size=4), np.array([0.6, 0.3, 0.1])
    rows = np.arange(len(y))
    change = game.difference(rows, (v, q), other)
    assert_allclose(change[0], pull - game.full(*other)[0])
    assert_allclose(change[1], lost - game.full(*other)[1])
