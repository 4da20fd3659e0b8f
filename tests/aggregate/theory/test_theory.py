"""The risk formulas against reference values, special cases and simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.aggregate import (
    InterpolatingAggregateRegressor,
    aggregate_risk,
    make_bags,
    optimal_bag_size,
    optimal_rho,
)

# a = m/d, b = (n-m)/d, rho, noise variance, alpha/d -> attenuation, bias², variance
TABLE = [
    (2, 2, 0, 1, 0, 1, 0, 1),
    (2, 2, 1, 1, 0, 0.5, 0.333333, 0.166667),
    (2, 2, 0.1, 0.5, 0, 0.859768, 0.043089, 0.297793),
    (2, 4, 0.3, 1, 0, 0.571429, 0.240553, 0.206452),
    (2, 4, 2, 1, 0, 0.216991, 0.639405, 0.028599),
    (0.5, 1.5, 0.1, 0.5, 0.15, 0.352455, 0.579, 0.178539),
    (0.4, 1.2, 0, 0.5, 0, 0.4, 0.6, 0.333333),
    (0.3, 0.3, 0.5, 0.5, 0, 0.3, 0.925, 0.375),
]


@pytest.mark.parametrize("row", TABLE)
def test_reference_table(row):
    a, b, rho, noise, ridge, *expected = row
    d = 100
    found = aggregate_risk((a + b) * d, a * d, d, rho, alpha=ridge * d, noise_var=noise)
    assert_allclose(
        [found.attenuation, found.bias_squared, found.variance], expected, atol=1e-6
    )
    assert_allclose(found.risk, found.bias_squared + found.variance)


@pytest.mark.parametrize("row", [row for row in TABLE if row[0] > 1 or row[4] > 0])
def test_general_covariance_reduces_to_the_isotropic_case(row):
    a, b, rho, noise, ridge, *expected = row
    d = 100
    found = aggregate_risk(
        (a + b) * d,
        a * d,
        d,
        rho,
        alpha=ridge * d,
        noise_var=noise,
        eigenvalues=np.ones(d),
    )
    assert_allclose(
        [found.attenuation, found.bias_squared, found.variance], expected, atol=1e-6
    )


def test_without_ridge_only_the_covariance_norm_counts():
    d = 50
    e = np.arange(1, d + 1.0) ** -1.5
    theta = np.random.default_rng(0).normal(size=d)
    theta /= np.sqrt(e @ theta**2)
    shaped = aggregate_risk(300, 100, d, 0.2, eigenvalues=e, theta=theta)
    round_ = aggregate_risk(300, 100, d, 0.2)
    assert_allclose(shaped.risk, round_.risk, rtol=1e-9)


@pytest.mark.parametrize(("psi", "k"), [(4, 2), (7, 3), (12, 5)])
def test_bag_and_instance_loss_in_closed_form(psi, k):
    d, noise = 100, 0.3
    n, m = psi * d, psi * d / k
    bag = aggregate_risk(n, m, d, 0.0, noise_var=noise)
    instance = aggregate_risk(n, m, d, 1.0, noise_var=noise)
    assert_allclose(bag.bias_squared, 0, atol=1e-12)
    assert_allclose(bag.variance, noise / (psi / k - 1))
    assert_allclose(instance.variance, noise / (k * (psi - 1)))
    bias = ((k - 1) / k) ** 2 + (k - 1) / (k**2 * (psi - 1))
    assert_allclose(instance.bias_squared, bias)
    turn = k * ((k + 1) * psi - k) / ((psi - k) * ((k - 1) * (psi - 1) + 1))
    for factor, bag_wins in ((0.99, False), (1.01, True)):
        signal = turn * noise * factor
        pair = [
            aggregate_risk(n, m, d, rho, noise_var=noise, signal=signal).risk
            for rho in (0.0, 1.0)
        ]
        assert (pair[0] < pair[1]) == bag_wins


def test_risk_over_bag_sizes():
    expected = {
        1: (0.2, 0.2, 0.2),
        2: (0.5, 0.4, 0.328),
        3: (1.0, 0.556, 0.446),
        5: (5.0, 0.712, 0.603),
        6: (np.inf, 0.756, 0.655),
        10: (1.9, 0.848, 0.775),
    }
    for k, values in expected.items():
        n, m, d = 600, 600 / k, 100
        found = [aggregate_risk(n, m, d, rho).risk for rho in (0.0, 1.0)]
        assert_allclose([*found, optimal_rho(n, m, d)[1]], values, atol=6e-4)


def test_optimal_weights():
    rho, risk = optimal_rho(1000, 200, 100)
    assert_allclose([rho, risk], [0.1297, 0.4298], atol=1e-4)
    rho, _ = optimal_rho(400, 200, 100, noise_var=8.0)
    assert_allclose(rho, 11.8, atol=0.05)
    ridge = [
        aggregate_risk(1000, 200, 100, rho, alpha=100.0).risk for rho in (0.0, 0.05)
    ]
    assert_allclose(ridge[0], 0.4142, atol=1e-4)
    assert ridge[1] > ridge[0]  # isotropic: a tuned ridge needs no rho


@pytest.mark.parametrize(
    ("rho", "alpha", "noise"), [(0.0, 20.0, 0.5), (0.1, 0.0, 0.5), (0.5, 10.0, 1.0)]
)
def test_formula_meets_simulation(rho, alpha, noise):
    n, m, d = 400, 160, 80
    theory = aggregate_risk(n, m, d, rho, alpha=alpha, noise_var=noise)
    risks = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, theta = rng.normal(size=(n, d)), np.full(d, d**-0.5)
        y = X @ theta + np.sqrt(noise) * rng.normal(size=n)
        bags = np.r_[np.arange(m), rng.integers(0, m, n - m)]  # unequal sizes
        model = InterpolatingAggregateRegressor(rho, alpha, fit_intercept=False)
        risks.append(np.sum((model.fit(X, y, bags=bags).coef_ - theta) ** 2))
    assert abs(np.mean(risks) - theory.risk) < max(
        4 * np.std(risks) / np.sqrt(20), 0.03 * theory.risk
    )


def test_formula_meets_simulation_for_correlated_features():
    n, m, d, rho, alpha = 600, 120, 60, 0.2, 3.0
    e = np.arange(1, d + 1.0) ** -1.0
    theta = np.full(d, 0.3)
    theory = aggregate_risk(n, m, d, rho, alpha=alpha, eigenvalues=e, theta=theta)
    risks = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, d)) * np.sqrt(e)
        y = X @ theta + rng.normal(size=n)
        model = InterpolatingAggregateRegressor(rho, alpha, fit_intercept=False)
        model.fit(X, y, bags=make_bags(n, 5, random_state=seed))
        risks.append(e @ (model.coef_ - theta) ** 2)
    assert abs(np.mean(risks) - theory.risk) < 4 * np.std(risks) / np.sqrt(40)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.1, 1.0])
def test_risk_at_two_hundred_features(rho):
    n, m, d = 800, 400, 200
    theory, risks = aggregate_risk(n, m, d, rho, noise_var=0.5).risk, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X, theta = rng.normal(size=(n, d)), np.full(d, d**-0.5)
        y = X @ theta + np.sqrt(0.5) * rng.normal(size=n)
        model = InterpolatingAggregateRegressor(rho, 0.0, fit_intercept=False)
        model.fit(X, y, bags=np.arange(n) % m)
        risks.append(np.sum((model.coef_ - theta) ** 2))
    assert abs(np.mean(risks) / theory - 1) < 3 * np.std(risks) / 10 / theory + 0.01


def test_private_bag_size():
    budget = {"epsilon": 1.0, "bounds": (-8, 8), "noise_var": 1.0}
    assert optimal_bag_size(6000, 1000, ridge=True, **budget).bag_size == 1
    free = optimal_bag_size(6000, 1000, **budget)
    assert free.bag_size > 1
    assert free.risk == free.risks.min()
    shaped = optimal_bag_size(
        600, 100, ridge=True, eigenvalues=np.arange(1, 101.0) ** -1, **budget
    )
    assert shaped.bag_size == 1
    fixed = optimal_bag_size(600, 100, rho=0.5, k_max=4, **budget)
    noise = 1.0 + 2 * 16**2 / 4
    expected = aggregate_risk(600, 150, 100, 0.5, noise_var=noise).risk
    assert_allclose(fixed.risks[3], expected)


def test_bag_size_jumps_where_noise_of_the_release_rules():
    """Variance factor over k: with psi = 6 the best size is 1 below 0.028, then 5."""
    for rho, best in ((0.027, 1), (0.029, 5)):
        factor = [
            aggregate_risk(600, 600 / k, 100, rho, signal=0.0).variance / k
            for k in range(1, 6)
        ]
        assert 1 + int(np.argmin(factor)) == best


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: aggregate_risk(10, 20, 3, 0.1), "0 < n_bags <= n_samples"),
        (lambda: aggregate_risk(10, 5, 3, -0.1), "rho and alpha must be non-negative"),
        (lambda: aggregate_risk(9, 5, 3, 0, eigenvalues=[1]), "must hold 3 numbers"),
        (
            lambda: aggregate_risk(9, 2, 3, 0, eigenvalues=[1, 2, 3]),
            "Give a small alpha",
        ),
        (
            lambda: optimal_bag_size(9, 2, epsilon=0, bounds=(0, 1), noise_var=1),
            "epsilon must be positive",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()
