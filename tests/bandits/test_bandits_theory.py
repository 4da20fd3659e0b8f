"""Bounds hold, and reference estimators have the mean that they should."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.bandits import regression_regret_bound, theoretical_gamma
from sklearn_ext.bandits._theory import geometric_resampling, magnitude_reduced


def test_gamma_has_the_least_bound():
    def bound(gamma):
        return 1000 * 6 / gamma + gamma * 50 / 4

    gamma = theoretical_gamma(7, 1000, 50)
    assert bound(gamma) <= min(bound(gamma * 1.01), bound(gamma / 1.01))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_the_regret_of_an_online_ridge_is_bounded(rng, alpha):
    X = rng.normal(size=(200, 4)) * [1, 1, 3, 0.1]
    u = rng.normal(size=4) / 10
    y = np.clip(X @ u + rng.uniform(-0.3, 0.3, 200), -1, 1)
    A, b, loss = alpha * np.eye(4), np.zeros(4), 0.0
    for x, target in zip(X, y, strict=True):
        A += np.outer(x, x)
        loss += (target - x @ np.linalg.solve(A, b)) ** 2
        b += target * x
    gain = 0.5 * np.linalg.slogdet(A / alpha)[1]
    best = ((y - X @ u) ** 2).sum()
    bound = regression_regret_bound(gain, alpha=alpha, norm=np.linalg.norm(u))
    assert loss - best <= bound


def test_magnitude_reduced_is_unbiased(rng):
    z = rng.normal(size=400_000) * 3 + 1
    losses = np.full(len(z), 0.3)
    found = magnitude_reduced(z, losses, np.minimum(z, 0).mean())
    assert_allclose(found.mean(), (z * losses).mean(), rtol=1e-9)
    assert found.min() >= np.minimum(z, 0).mean() - 1e-12 > (z * losses).min()


def test_geometric_resampling_tends_to_the_inverse(rng):
    rows = rng.uniform(-1, 1, size=(30, 2))
    inverse = np.linalg.inv(rows.T @ rows / 30 + 0.1 * np.eye(2))
    found = [
        geometric_resampling(rows, 400, step=0.2, reg_covar=0.1, random_state=seed)
        for seed in range(200)
    ]
    error = np.std(found, axis=0) / np.sqrt(200)
    assert (np.abs(np.mean(found, axis=0) - inverse) < 4 * error + 1e-6).all()
