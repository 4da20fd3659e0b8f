"""Deviance and gradient against dense formulas and differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.tasks._posterior import Scale
from sklearn_ext.tasks._reml import Shape, deviance, fit_population
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
    shape = Shape(3, np.array([0, 2]), correlated, 1.5, restricted, fixed_mean)
    theta = rng.normal(size=2 + correlated)

    def value(theta):
        _, triangle, factor = shape.unpack(theta)
        return deviance(factor, products, shape, 1e-12)[0] + shape.penalty(triangle)[0]

    scales, triangle, factor = shape.unpack(theta)
    slope = deviance(factor, products, shape, 1e-12)[1]
    found = shape.pack(slope, scales, triangle) + shape.penalty(triangle)[1]
    steps = 1e-6 * np.eye(len(theta))
    expected = [(value(theta + s) - value(theta - s)) / 2e-6 for s in steps]
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_variance_of_zero_is_an_ordinary_point():
    _, products, _ = problem(1)
    shape = Shape(3, np.arange(3))
    value, slope, found = deviance(np.zeros((3, 3)), products, shape, 1e-12)
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
    _, triangle, factor = shape.unpack(rng.normal(size=6))
    cov = factor @ factor.T
    spread = np.sqrt(np.diag(cov))
    expected = -2.5 * np.linalg.slogdet(cov / np.outer(spread, spread))[1]
    assert_allclose(shape.penalty(triangle)[0], expected, rtol=1e-9)
