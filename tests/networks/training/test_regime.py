"""Features or a kernel: verdicts from paired scores."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, r2_score

from sklearn_ext.networks._training._regime import Regime, row_scores


def test_row_scores_average_to_accuracy_and_r2():
    rng = np.random.default_rng(0)
    w = rng.uniform(0.5, 2, 50)
    outputs, codes = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    assert_allclose(
        np.average(row_scores(outputs, codes, w), weights=w),
        accuracy_score(codes, outputs.argmax(axis=1), sample_weight=w),
    )
    target = outputs + rng.normal(size=outputs.shape)
    assert_allclose(
        np.average(row_scores(outputs, target, w), weights=w),
        r2_score(target, outputs, sample_weight=w),
    )


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (-0.2, "kernel sufficient"),
        (0.5, "kernel sufficient"),
        (1.5, "unclear"),
        (3, "features needed"),
    ],
)
def test_verdicts(gain, verdict):
    noise = np.random.default_rng(0).normal(size=400)
    noise -= noise.mean()
    error = noise.std() / 20
    found = Regime.of(np.zeros(400), noise + gain * error, np.ones(400))
    assert found.verdict == verdict
    assert_allclose(found.standard_error, error)
    assert_allclose(found.gap, found.rich_score - found.lazy_score)


def test_weights_are_repetition_of_the_score():
    rng = np.random.default_rng(0)
    lazy, rich = rng.normal(size=(2, 30))
    one = Regime.of(lazy, rich, np.full(30, 2.0))
    assert_allclose(one.gap, (rich - lazy).mean())
    assert_allclose(
        one.standard_error, Regime.of(lazy, rich, np.ones(30)).standard_error
    )
