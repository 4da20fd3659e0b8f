"""Displays draw what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.datasets import load_iris

from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    ExemplarDisplay,
    SelectionCurveDisplay,
    UpdateTraceDisplay,
)


@pytest.fixture
def selector():
    yield DynamicSubmodularSelector(5).fit(load_iris().data)
    plt.close("all")


def test_curve(selector):
    display = SelectionCurveDisplay.from_estimator(selector, n_draws=5)
    assert_array_equal(display.line_.get_ydata(), selector.objective_curve_)
    assert display.random.shape == (5, 5)
    assert np.all(np.diff(display.random, axis=1) >= 0)
    assert display.ax_.get_ylabel() == "Objective"
    assert display.plot(display.ax_).figure_ is display.figure_


def test_trace(selector):
    trace = {"oracle calls": [1, 5], "seconds": [0.1, 0.2], "certificate": [1, 0.5]}
    display = UpdateTraceDisplay.from_trace(trace)
    scales = [ax.get_yscale() for ax in display.axes_]
    assert scales == ["log", "log", "linear"]
    with pytest.raises(ValueError, match=r"same length, got \[1, 2\]"):
        UpdateTraceDisplay.from_trace({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize("columns", [2, 4])
def test_exemplars(selector, columns):
    X = load_iris().data[:, :columns]
    model = DynamicSubmodularSelector(3).fit(sparse.csr_array(X))
    display = ExemplarDisplay.from_estimator(model, sparse.csr_array(X))
    assert display.points.shape == (150, 2)
    assert display.exemplars.shape == (3, 2)
    assert display.ax_.get_xlabel() == "First component"
