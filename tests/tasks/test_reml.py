"""Deviance and gradient against dense formulas and differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.tasks import TaskRidge
from sklearn_ext.tasks._posterior import Scale
from sklearn_ext.tasks._reml import Shape, fit_population
from sklearn_ext.tasks._statistics import TaskStatistics
from tests.tasks.conftest import make


def problem(seed=0, **options):
    table = make(seed, **options)
    statistics = TaskStatistics.of(table.X, table.y, table.groups, np.ones(table.n))
    scale = Scale.of(statistics, fit_intercept=True)
    return table, scale.products(statistics), scale


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("fixed_mean", [True, False])
@pytest.mark.parametrize("correlated", [True, False])
def test_gradient_is_that_of_differences(rng, restricted, fixed_mean, correlated):
    _, products, _ = problem(0)
    shape = Shape(3, np.array([0, 2]), correlated, 1.5, restricted, fixed_mean, 0.4)
    theta = rng.normal(size=2 + correlated)

    def value(theta):
        value = products.deviance(shape.factor(theta), shape, 1e-12)[0]
        return value + shape.penalty(theta)[0]

    slope = products.deviance(shape.factor(theta), shape, 1e-12)[1]
    found = shape.pack(slope, theta) + shape.penalty(theta)[1]
    steps = 1e-6 * np.eye(len(theta))
    expected = [(value(theta + s) - value(theta - s)) / 2e-6 for s in steps]
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_variance_of_zero_is_an_ordinary_point():
    _, products, _ = problem(1)
    shape = Shape(3, np.arange(3))
    value, slope, found = products.deviance(np.zeros((3, 3)), shape, 1e-12)
    assert np.isfinite(value)
    assert_allclose(slope, 0, atol=1e-12)
    total = products.A.sum(axis=0)
    assert_allclose(found.mean, np.linalg.solve(total, products.b.sum(axis=0)))


def test_the_likelihood_never_falls():
    _, products, _ = problem(2)
    seen = []
    shape = Shape(3, np.arange(3))
    fit_population(
        products,
        shape,
        1e-12,
        max_iter=200,
        tol=1e-8,
        report=lambda population: seen.append(population.log_likelihood),
    )
    assert len(seen) > 3
    assert np.diff(seen).min() > -1e-9


def test_the_report_can_stop():
    _, products, _ = problem(2)
    shape = Shape(3, np.arange(3))
    found = fit_population(
        products, shape, 1e-12, max_iter=200, tol=0.0, report=lambda population: True
    )
    assert found.n_iter <= 1


def test_penalty_is_the_determinant_of_the_correlations(rng):
    shape = Shape(3, np.arange(3), strength=2.5)
    theta = rng.normal(size=6)
    factor = shape.factor(theta)
    cov = factor @ factor.T
    spread = np.sqrt(np.diag(cov))
    expected = -2.5 * np.linalg.slogdet(cov / np.outer(spread, spread))[1]
    assert_allclose(shape.penalty(theta)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.4, 1.0, 5.0, 500.0])
def test_one_variance_is_the_best_of_a_scan(rng, spread):
    """Small ones too: a search that steps over them to zero must come back."""
    groups = np.repeat(np.arange(200), 20)
    X, noise = rng.normal(size=(4000, 1)), rng.normal(size=4000)
    y = X[:, 0] + spread * rng.normal(size=200)[groups] + noise
    statistics = TaskStatistics.of(X, y, groups, np.ones(4000))
    products = Scale.of(statistics, fit_intercept=True).products(statistics)
    shape = Shape(2, np.array([0]))
    found = fit_population(products, shape, 1e-12, max_iter=100, tol=1e-8)

    def value(scale):
        return products.deviance(scale * np.eye(2, 1), shape, 1e-12)[0]

    best = min(map(value, np.geomspace(1e-3, 1e4, 300)))
    assert -2 * found.log_likelihood < best + 1e-6


@pytest.mark.parametrize("correlated", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_single_scale_is_passed_by(seed, correlated):
    """No coefficient of the fitted prior does better with another variance."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40), rng.integers(3, 9, 40))
    X = rng.normal(size=(len(groups), 3))
    W = rng.normal(size=(40, 4)) * [0.3, 0.0, 0.2, 2.0]
    y = W[groups, 0] + (X * W[groups, 1:]).sum(axis=1) + rng.normal(size=len(groups))
    statistics = TaskStatistics.of(X, y, groups, np.ones(len(y)))
    products = Scale.of(statistics, fit_intercept=True).products(statistics)
    shape = Shape(4, np.arange(4), correlated)
    found = fit_population(products, shape, 1e-12, max_iter=500, tol=1e-8)
    for j in range(4):
        for times in (0.0, 0.5, 2.0, 8.0):
            factor = found.factor.copy()
            factor[j] *= times
            there = products.deviance(factor, shape, 1e-12)[0]
            assert there > -2 * found.log_likelihood - 1e-5


@pytest.mark.parametrize("form", ["full", "diag"])
def test_little_noise_is_not_lost_in_rounding(form):
    """Tasks of fewer rows than coefficients, noise a thousandth of what differs."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(18), rng.integers(1, 10, 18))
    X = 10 * rng.normal(size=(18, 3))[groups] + rng.normal(size=(len(groups), 3))
    W = rng.normal(size=(18, 4)) * [3.0, 1.0, 0.3, 3.0]
    noise = 1e-3 * rng.normal(size=len(groups))
    y = W[groups, 0] + (X * W[groups, 1:]).sum(axis=1) + noise
    model = TaskRidge(form).fit(X, y, groups=groups)
    assert 0.5 < model.noise_var_**0.5 / 1e-3 < 2
