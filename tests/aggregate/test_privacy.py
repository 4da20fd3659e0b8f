"""Mechanisms: the worst-case log-ratio, variances, calibration and messages."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sklearn_ext.aggregate import (
    BagRegressor,
    PrivacyLeakWarning,
    gaussian_bounds,
    gaussian_noise_scale,
    privatize_aggregates,
)

BAGS = np.repeat([0, 1, 2], [1, 4, 5])
Y = np.array([1, 0, 1, 1, 0, 1, 0, 1, 1, 1])


def release(y=Y, **changed):
    params = {"bounds": (0, 1), "random_state": 0} | changed
    return privatize_aggregates(y, BAGS, params.pop("epsilon", 0.8), **params)


@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (0.0, 3.0)])
def test_laplace_spends_exactly_epsilon(bounds):
    found = release(Y * 1.0, bounds=bounds, epsilon=0.8)
    for size, scale in zip(found.sizes, found.noise_scale, strict=True):
        moved = (bounds[1] - bounds[0]) / size  # worst case: lo becomes hi
        z = np.linspace(-30, 30, 100_001)
        ratio = stats.laplace.logpdf(z, scale=scale) - stats.laplace.logpdf(
            z, moved, scale
        )
        assert_allclose(np.abs(ratio).max(), 0.8, rtol=1e-9)


def test_half_the_scale_spends_twice_epsilon():
    """Scale B / (k epsilon) for symmetric clipping at B is not enough."""
    z = np.linspace(-30, 30, 100_001)
    scale = 2.0 / 0.8  # B = 2, k = 1
    ratio = stats.laplace.logpdf(z, scale=scale) - stats.laplace.logpdf(z, 4.0, scale)
    assert_allclose(np.abs(ratio).max(), 1.6, rtol=1e-9)


@pytest.mark.parametrize("width", [1, 4])
def test_geometric_spends_exactly_epsilon(width):
    epsilon, q = 0.8, np.exp(-0.8 / width)
    z = np.arange(-200, 201)
    log_p = np.log((1 - q) / (1 + q)) + np.abs(z) * np.log(q)
    moved = np.log((1 - q) / (1 + q)) + np.abs(z - width) * np.log(q)
    assert_allclose(np.abs(log_p - moved).max(), epsilon, rtol=1e-9)
    draws = [
        privatize_aggregates(
            np.zeros(40_000, int) + (np.arange(40_000) % 2),
            np.arange(40_000) // 2,
            epsilon,
            bounds=(0, width),
            mechanism="geometric",
            random_state=seed,
        )
        for seed in range(2)
    ]
    counts = np.concatenate([np.round(d.values * 2 - 1) for d in draws]).astype(int)
    assert_allclose(draws[0].values * 2, np.round(draws[0].values * 2))
    frequency = np.mean(counts[:, None] == np.arange(-2, 3), axis=0)
    expected = (1 - q) / (1 + q) * q ** np.abs(np.arange(-2, 3))
    assert_allclose(frequency, expected, atol=0.01)


@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-5), (0.5, 1e-5), (4.0, 1e-3)])
def test_gaussian_by_integrating_the_privacy_loss(epsilon, delta):
    scale = gaussian_noise_scale(epsilon, delta)
    z = np.linspace(-40 * scale, 40 * scale, 2_000_001)
    gap = stats.norm.pdf(z, 1.0, scale) - np.exp(epsilon) * stats.norm.pdf(z, 0, scale)
    spent = np.trapezoid(np.maximum(gap, 0), z)
    assert_allclose(spent, delta, rtol=1e-3)


def test_gaussian_reference_values():
    assert_allclose(gaussian_noise_scale(1.0, 1e-5), 3.7306, atol=1e-4)
    assert_allclose(gaussian_noise_scale(0.5, 1e-5), 7.0318, atol=1e-4)
    assert_allclose(gaussian_noise_scale(0.5, 1e-5, 3.0), 21.0954, atol=3e-4)


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian", "geometric"])
def test_variance_of_the_noise(mechanism):
    n = 200_000
    y = np.arange(n) % 2
    found = privatize_aggregates(
        y,
        np.arange(n) // 2,
        0.7,
        bounds=(0, 1),
        mechanism=mechanism,
        delta=1e-4 if mechanism == "gaussian" else 0.0,
        random_state=0,
    )
    noise = found.values - 0.5
    assert_allclose(np.var(noise), found.noise_var[0], rtol=0.02)
    assert_array_equal(found.rows, np.repeat(found.values, 2))


def test_clipping_and_resolution():
    y = np.linspace(-3, 3, 10)
    found = release(y, bounds=(-1, 1), epsilon=1e9, resolution=0.25)
    assert found.n_clipped == np.sum(np.abs(y) > 1)
    means = [np.clip(y, -1, 1)[b == BAGS].mean() for b in range(3)]
    assert_allclose(found.values, np.round(np.array(means) * 4) / 4, atol=1e-12)
    assert found.bounds == (-1.0, 1.0)


def test_release_feeds_precision_weights():
    found = release(epsilon=2.0)
    X = np.arange(10.0)[:, None]
    model = BagRegressor(bag_weight="precision")
    model.fit(X, found.rows, bags=BAGS, response_noise_var=found.noise_var)
    assert np.isfinite(model.coef_).all()


def test_bounds():
    low, high = gaussian_bounds(10_000, 2.0)
    assert low == -high
    assert np.mean(np.abs(np.random.default_rng(0).normal(0, 2, 10_000)) > high) < 1e-3
    with pytest.warns(PrivacyLeakWarning, match="smallest and the largest"):
        release(Y * 1.0, bounds="data")
    with pytest.warns(UserWarning, match="constant in every bag"):
        release(BAGS / 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epsilon": 0.0}, "'epsilon' parameter"),
        ({"delta": 1.0}, "'delta' parameter"),
        ({"delta": 0.1}, "delta belongs to mechanism='gaussian'"),
        ({"mechanism": "gaussian"}, "which needs delta > 0"),
        ({"bounds": (1, 1)}, "finite with low < high"),
        ({"bounds": None}, "bounds must be a pair"),
        ({"y": np.where(BAGS < 1, np.nan, 1.0)}, "Input y contains NaN"),
        ({"y": np.ones((len(BAGS), 2))}, "1d array"),
        ({"mechanism": "geometric", "y": Y + 0.5}, "y must be integers"),
        ({"mechanism": "geometric", "bounds": (0, 0.5)}, "bounds must be integers"),
        ({"sample_weight": np.ones(10)}, "takes no sample_weight"),
    ],
)
def test_messages(changed, message):
    with pytest.raises(ValueError, match=message):
        release(**changed)


def test_messages_of_helpers():
    with pytest.raises(ValueError, match="epsilon must be positive and delta"):
        gaussian_noise_scale(1.0, 0.0)
    with pytest.raises(ValueError, match="positive scale"):
        gaussian_bounds(100, -1.0)
