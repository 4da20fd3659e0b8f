"""Noise variance, covariance of slopes, and weights by precision."""

import numpy as np
from numpy.testing import assert_allclose

from sklearn_ext.aggregate import BagRegressor, InterpolatingAggregateRegressor


def test_noise_and_covariance_of_random_draws():
    rng = np.random.default_rng(0)
    X, bags = rng.normal(size=(200, 3)), rng.integers(0, 60, 200)
    coefs, noises = [], []
    for _ in range(400):
        y = X @ [1.0, 0.0, -1.0] + rng.normal(size=200)
        model = BagRegressor(1e-10, compute_covariance=True).fit(X, y, bags=bags)
        coefs.append(model.coef_)
        noises.append(model.noise_var_)
    assert_allclose(np.mean(noises), 1.0, atol=4 * np.std(noises) / 20)
    scaled = model.coef_covariance_ / model.noise_var_
    assert_allclose(np.cov(np.array(coefs).T), scaled, atol=0.25 * scaled.max())


def test_noise_of_the_dual(rng):
    X, y, bags = rng.normal(size=(10, 14)), rng.normal(size=10), np.arange(10) // 2
    fits = [
        InterpolatingAggregateRegressor(0.3, solver=solver).fit(X, y, bags=bags)
        for solver in ("dual", "cholesky")
    ]
    for name in ("effective_dof_", "noise_var_"):
        assert_allclose(*[getattr(f, name) for f in fits], rtol=1e-8, atol=1e-10)


def test_precision_weights_beat_sizes_under_release_noise():
    risk = dict.fromkeys(["precision", "size", "uniform"], 0.0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = rng.choice([1, 2, 5, 20], 200)
        bags = np.repeat(np.arange(200), sizes)
        X = rng.normal(size=(len(bags), 10))
        coef = rng.normal(size=10) / np.sqrt(10)
        y = X @ coef + rng.normal(size=len(bags))
        scale = 8.0 / sizes[bags]  # epsilon = 1 and responses between -4 and 4
        y = (
            np.bincount(bags, y)[bags] / sizes[bags]
            + scale * rng.laplace(size=200)[bags]
        )
        for weight in risk:
            noise = (
                {"response_noise_var": 2 * scale**2} if weight == "precision" else {}
            )
            model = BagRegressor(5.0, bag_weight=weight).fit(X, y, bags=bags, **noise)
            risk[weight] += np.sum((model.coef_ - coef) ** 2) / 20
    assert risk["precision"] < 0.7 * risk["size"] < 0.7 * risk["uniform"]


def test_precision_without_noise_is_size(rng):
    X, y, bags = rng.normal(size=(120, 6)), rng.normal(size=120), np.arange(120) // 5
    size = BagRegressor().fit(X, y, bags=bags)
    precise = BagRegressor(bag_weight="precision")
    precise.fit(X, y, bags=bags, response_noise_var=np.zeros(120))
    assert_allclose(precise.coef_, size.coef_, rtol=1e-9)
