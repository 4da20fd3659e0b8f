"""Displays of the family."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.losses import (
    CertifiedAccuracyDisplay,
    CompSumClassifier,
    CompSumClassifierCV,
    NoiseReportDisplay,
    certified_accuracy,
)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_noise(wine):
    X, y = wine
    model = CompSumClassifierCV(Cs=[0.1], taus=(1.0,)).fit(X, y)
    display = NoiseReportDisplay.from_estimator(model, X, y, random_state=0)
    assert "of the labels wrong" in display.ax_.get_title()
    assert_allclose(display.image_.get_array(), display.report.confusion)
    _, ax = plt.subplots()
    assert display.plot(ax, name="wine").ax_ is ax
    assert ax.get_title().startswith("wine")


def test_certified_accuracy_is_the_step_function(wine):
    X, y = wine
    model = CompSumClassifier(1).fit(X, y)
    display = CertifiedAccuracyDisplay.from_estimator(model, X, y, name="tau 1")
    at, share = display.line_.get_data()
    for epsilon in (0.0, 0.3, 1.0):
        drawn = share[np.flatnonzero(at <= epsilon)[-1]]
        assert_allclose(drawn, certified_accuracy(model, X, y, epsilon=epsilon))
    assert display.ax_.get_legend() is not None
