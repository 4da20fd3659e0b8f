"""The displays show what the metrics say."""

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_wine
from sklearn.naive_bayes import GaussianNB

from sklearn_ext.calibration import (
    ReliabilityDisplay,
    RiskCoverageDisplay,
    calibration_error,
)

mpl.use("Agg")


def rows(n=600, seed=0):
    rng = np.random.default_rng(seed)
    c = rng.random(n)
    return rng.random(n) < c, c


@pytest.mark.parametrize("strategy", ["quantile", "isotonic"])
def test_the_bands_hold_a_calibrated_model(strategy):
    y, p = rows()
    display = ReliabilityDisplay.from_predictions(
        y, p, strategy=strategy, random_state=0
    )
    low, high, all_low, all_high = display.bands.T
    assert np.mean((low <= display.accuracy) & (display.accuracy <= high)) > 0.8
    assert (all_low <= low + 1e-2).all()
    assert (all_high >= high - 1e-2).all()
    assert display.error.error == calibration_error(y, p).error
    assert 0 < display.pvalue <= 1
    assert "p = " in display.line_.get_label()


def test_bands_show_a_model_that_is_too_sure():
    y, p = rows(2000)
    sure = p**3 / (p**3 + (1 - p) ** 3)
    display = ReliabilityDisplay.from_predictions(y, sure, random_state=0)
    outside = (display.accuracy < display.bands[:, 2]).mean()
    assert outside > 0.5
    assert display.pvalue <= 0.01


def test_the_curve_is_errors_over_answers():
    y, c = rows()
    display = RiskCoverageDisplay.from_predictions(
        np.ones(600), y, c, threshold=0.5, name="some"
    )
    kept = c >= 0.5
    assert_allclose(display.chosen, [kept.mean(), 1 - y[kept].mean()])
    assert_allclose(display.risk[-1], 1 - y.mean())
    assert (display.low <= display.risk).all()
    assert (display.risk <= display.high).all()
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["some", "errors last", "random order", "threshold"]
    again = RiskCoverageDisplay.from_predictions(np.ones(600), y, c, ax=display.ax_)
    assert again.ax_ is display.ax_
    assert len(again.ax_.get_legend().get_texts()) == 4


@pytest.mark.parametrize("display", [ReliabilityDisplay, RiskCoverageDisplay])
def test_a_fitted_classifier_is_enough(display):
    X, y = load_wine(return_X_y=True)
    model = GaussianNB().fit(X, y)
    drawn = display.from_estimator(model, X, y)
    assert "GaussianNB" in drawn.line_.get_label()
    assert drawn.figure_ is drawn.ax_.figure


def test_unknown_strategy():
    with pytest.raises(ValueError, match="'quantile' or 'isotonic'"):
        ReliabilityDisplay.from_predictions([0, 1], [0.2, 0.8], strategy="uniform")
