"""Intervals of slopes: they cover, or are refused with the reason."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression

from sklearn_ext.aggregate import (
    BagRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
)

TRUTH = np.array([1.0, 0.5, -0.5, 0.0])


def normal(rng, X):
    return rng.normal(size=len(X))


def unequal(rng, X):
    return 1.5 * np.abs(X[:, 0]) * rng.normal(size=len(X))


def heavy(rng, X):
    return rng.standard_t(3, size=len(X))


@pytest.mark.parametrize("noise", [normal, unequal, heavy])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize(("n", "size"), [(400, 2), (600, 5), (600, 20), (200, 10)])
def test_intervals_cover(noise, correlation, n, size):
    inside = []
    mix = np.linalg.cholesky((1 - correlation) * np.eye(4) + correlation)
    for seed in range(120):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, 4)) @ mix.T
        y = X @ TRUTH + noise(rng, X)
        model = BagRegressor(compute_covariance=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of slopes that are shrunk
            model.fit(X, y, bags=np.arange(n) // size)
        low, high = model.coef_interval()
        inside.append((low < TRUTH) & (high > TRUTH))
    assert np.mean(inside) > 0.92
    assert np.mean(inside, axis=0).min() > 0.87


@pytest.mark.parametrize("rho", [0.0, 0.1, "theory"])
def test_intervals_do_not_depend_on_penalties(rng, rho):
    X, w = rng.normal(size=(300, 3)) + 4, rng.uniform(0.5, 2, 300)
    y, bags = X @ [3.0, -2.0, 0.0] + rng.normal(size=300), rng.integers(0, 60, 300)
    least = BagRegressor(0.0, compute_covariance=True)
    least.fit(X, y, bags=bags, sample_weight=w)
    model = InterpolatingAggregateRegressor(rho, 50.0, compute_covariance=True)
    with pytest.warns(UserWarning, match="intervals around coef_ would not cover"):
        model.fit(X, y, bags=bags, sample_weight=w)
    assert_allclose(least.coef_, least.unbiased_coef_, rtol=1e-8)
    assert_allclose(model.coef_interval(), least.coef_interval(), rtol=1e-8)
    assert_allclose(model.coef_covariance_, least.coef_covariance_, rtol=1e-8)


def test_covariance_is_that_of_residuals_of_bags_left_out(rng):
    X, bags = rng.normal(size=(90, 2)), np.arange(90) // 3
    y = X @ [1.0, 2.0] + rng.normal(size=90)
    model = InterpolatingAggregateRegressorCV(rhos=[0], alphas=[0])
    model.set_params(compute_covariance=True).fit(X, y, bags=bags)
    means, targets = X.reshape(30, 3, 2).mean(axis=1), y.reshape(30, 3).mean(axis=1)
    inverse = np.linalg.inv((means - means.mean(0)).T @ (means - means.mean(0)))
    middle = np.zeros((2, 2))
    for a in range(30):
        others = np.arange(30) != a
        ols = LinearRegression().fit(means[others], targets[others])
        gap = targets[a] - ols.predict(means[a : a + 1])[0]
        pulled = (means[a] - means.mean(0)) * gap
        middle += np.outer(pulled, pulled)
    assert_allclose(model.coef_covariance_, inverse @ middle @ inverse, rtol=1e-8)


def test_streams_take_equal_noise(rng):
    X, bags = rng.normal(size=(90, 2)), np.arange(90) // 3
    Y = np.c_[X @ [1.0, 2.0], X @ [0.0, 1.0]] + rng.normal(size=(90, 2))
    model = BagRegressor(1e-9, compute_covariance=True).partial_fit(X, Y, bags=bags)
    sums = model.stats_
    expected = [v * np.linalg.inv(sums.between) for v in model.noise_var_]
    assert_allclose(model.coef_covariance_, expected, rtol=1e-6)
    assert model.coef_interval(0.9).shape == (2, 2, 2)


def test_a_bag_that_alone_decides_a_slope_leaves_it_open(rng):
    X, bags = rng.normal(size=(60, 2)), np.arange(60) // 3
    X[:, 1] = bags == 4
    y = X[:, 0] + rng.normal(size=60)
    model = BagRegressor(0.0, compute_covariance=True).fit(X, y, bags=bags)
    errors = np.sqrt(np.diag(model.coef_covariance_))
    assert errors[0] < 1
    assert errors[1] > 100


def test_what_is_refused(rng):
    X, bags = rng.normal(size=(60, 8)), np.arange(60) // 7
    y = X[:, 0] + rng.normal(size=60)
    model = BagRegressor(compute_covariance=True)
    with pytest.raises(ValueError, match="more bags than slopes, got 9 bags for 8"):
        model.fit(X, y, bags=bags)
    twins = np.c_[X[:, :2], X[:, 0] + X[:, 1]]
    with pytest.raises(ValueError, match="some columns are constant or combinations"):
        model.fit(twins, y, bags=bags)
    plain = BagRegressor().fit(X, y, bags=bags)
    with pytest.raises(ValueError, match="needs compute_covariance=True"):
        plain.coef_interval()
    model.set_params(alpha=0.0).fit(X[:, :2], y, bags=bags)
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        model.coef_interval(95)
