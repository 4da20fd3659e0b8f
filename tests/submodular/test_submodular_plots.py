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
    assert display.ax_.get_ylabel() == "objective"
    assert display.plot(display.ax_).figure_ is display.figure_
    ticks = display.ax_.get_xticks()
    assert_array_equal(ticks, np.round(ticks))


def test_trace(selector):
    trace = {"oracle calls": [1, 5], "seconds": [0.1, 0.2], "certificate": [1, 0.5]}
    display = UpdateTraceDisplay.from_trace(trace)
    scales = [ax.get_yscale() for ax in display.axes_]
    assert scales == ["log", "log", "linear"]
    assert [ax.get_ylabel() for ax in display.axes_] == list(trace)
    with pytest.raises(ValueError, match=r"same length, got \[1, 2\]"):
        UpdateTraceDisplay.from_trace({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        ([0.002, 0.004, 0.009], ["0.002", "0.005"]),
        ([0.002, 3.0, 0.0], [r"$\mathdefault{10^{-2}}$", r"$\mathdefault{10^{-1}}$"]),
    ],
)
def test_labels_of_a_trace_can_be_read(seconds, labels):
    trace = {"update, seconds": seconds, "certificate": [1, 0.5, 0.7]}
    display = UpdateTraceDisplay.from_trace(trace)
    display.figure_.canvas.draw()
    upper, lower = display.axes_
    for ax in display.axes_:
        box = ax.yaxis.label.get_window_extent()
        assert box.x0 >= 0
        assert box.y1 <= display.figure_.bbox.y1
        assert not any(text.get_text() for text in ax.get_yticklabels(minor=True))
    shown = [text.get_text() for text in upper.get_yticklabels()]
    assert set(labels) <= set(shown)
    assert_array_equal(lower.get_xticks(), np.round(lower.get_xticks()))
    plt.close("all")


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_exemplars(selector, columns):
    X = load_iris().data[:, :columns]
    model = DynamicSubmodularSelector(3).fit(sparse.csr_array(X))
    display = ExemplarDisplay.from_estimator(model, sparse.csr_array(X))
    assert display.points.shape == (150, 2)
    assert display.exemplars.shape == (3, 2)
    assert [text.get_text() for text in display.ax_.texts] == ["0", "1", "2"]
    lines = display.ax_.collections[0].get_segments()  # from rows to exemplars
    assert_array_equal([line[1] for line in lines], display.exemplars[model.labels_])
    assert display.ax_.get_xlabel() == "first component"
