"""Row losses, calibration and paired differences, against slow loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss, zero_one_loss

from sklearn_ext.probes._search._measures import (
    calibration_error,
    paired,
    row_losses,
)


def predictions(rng, n=200, k=3):
    proba, codes = rng.dirichlet(np.ones(k), n), rng.integers(0, k, n)
    return proba, codes, rng.uniform(0.5, 2, n)


def test_row_losses_have_the_means_of_scikit_learn(rng):
    proba, codes, w = predictions(rng)
    predicted = proba.argmax(axis=1)
    found = row_losses(proba, predicted, codes)
    expected = log_loss(codes, proba, sample_weight=w)
    assert_allclose(np.average(found["log_loss"], weights=w), expected)
    expected = zero_one_loss(codes, predicted, sample_weight=w)
    assert_allclose(np.average(found["error"], weights=w), expected)
    assert np.isfinite(
        row_losses(np.eye(2), [0, 1], np.array([1, 0]))["log_loss"]
    ).all()
    assert np.isnan(row_losses(None, predicted, codes)["log_loss"]).all()


def test_calibration_error_equals_a_slow_loop(rng):
    proba, codes, w = predictions(rng)
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == codes
    total = 0.0
    for k in range(10):
        inside = (confidence >= k / 10) & (confidence < (k + 1) / 10)
        if inside.any():
            share = w[inside].sum() / w.sum()
            gap = np.average((confidence - right)[inside], weights=w[inside])
            total += share * abs(gap)
    assert calibration_error(proba, codes, w) == pytest.approx(total)
    certain = np.eye(3)[codes]
    assert calibration_error(certain, codes, w) == 0
    assert calibration_error(certain, (codes + 1) % 3, w) == pytest.approx(1)
    assert np.isnan(calibration_error(None, codes, w))


def test_differences_are_paired_and_copies_are_one_row(rng):
    losses = {name: rng.uniform(size=50) for name in "ab"}
    losses["c"] = losses["a"] + 0.1
    w, group = rng.integers(1, 4, 50).astype(float), np.arange(50)
    found = paired(losses, "a", w, group)
    assert found["a"] == (0, 0)
    assert found["c"] == pytest.approx((0.1, 0), abs=1e-12)
    d = losses["b"] - losses["a"]
    mean = np.average(d, weights=w)
    assert found["b"][0] == pytest.approx(mean)
    assert found["b"][1] == pytest.approx(np.sqrt(w**2 @ (d - mean) ** 2) / w.sum())
    times = w.astype(int)
    copies = {name: np.repeat(loss, times) for name, loss in losses.items()}
    again = paired(copies, "a", np.ones(times.sum()), np.repeat(group, times))
    assert again["b"] == pytest.approx(found["b"])
