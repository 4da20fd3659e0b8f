"""TwoRegimesDisplay draws what was measured."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from sklearn_ext.probes import (
    LogisticProbe,
    NaiveBayesProbe,
    TwoRegimes,
    TwoRegimesDisplay,
)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    X, y = load_digits(return_X_y=True)
    two = {"nb": NaiveBayesProbe(), "lr": LogisticProbe()}
    return TwoRegimes(two, n_repeats=3, random_state=0).fit(X[:500], y[:500])


def display_of(crossover=30.0, n_repeats=4):
    rng = np.random.default_rng(0)
    sizes = np.array([10, 20, 40])
    errors = {name: rng.uniform(size=(3, n_repeats)) for name in "ab"}
    difference = (errors["b"] - errors["a"]).mean(axis=1)
    return TwoRegimesDisplay(
        train_sizes=sizes,
        errors=errors,
        difference=difference,
        difference_ci=difference[:, None] + [-0.1, 0.1],
        crossover=crossover,
        crossover_ci=np.array([20.0, 40.0]),
    )


def test_errors_are_drawn(model):
    display = TwoRegimesDisplay.from_estimator(model)
    for line, name in zip(display.lines_, ["nb", "lr"], strict=True):
        assert line.get_label() == name
        assert_array_equal(line.get_xdata(), model.train_sizes_)
        assert_allclose(line.get_ydata(), 1 - model.test_scores_[name].mean(axis=1))
    assert display.baseline_line_.get_label() == "majority class"
    expected = 1 - model.baseline_scores_.mean(axis=1)
    assert_allclose(display.baseline_line_.get_ydata(), expected)
    assert len(display.fill_between_) == 2
    assert display.ax_.get_ylabel() == "test error"
    assert display.ax_.get_xscale() == "log"
    assert display.figure_ is display.ax_.figure
    styles = {(line.get_marker(), line.get_linestyle()) for line in display.lines_}
    assert len(styles) == 2  # told apart without colours


def test_difference_is_drawn(model):
    display = TwoRegimesDisplay.from_estimator(model, kind="difference")
    (line,), (band,) = display.lines_, display.fill_between_
    assert display.baseline_line_ is None
    assert_allclose(line.get_ydata(), model.difference_, atol=1e-12)
    assert line.get_label() == "lr minus nb"
    corners = band.get_paths()[0].vertices[:, 1]
    assert_allclose(corners.min(), model.difference_ci_.min())
    assert_allclose(corners.max(), model.difference_ci_.max())


@pytest.mark.parametrize(("band", "n_bands"), [("ci", 2), ("std", 2), (None, 0)])
def test_bands(band, n_bands):
    display = display_of().plot(band=band)
    assert len(display.fill_between_) == n_bands
    assert display_of(n_repeats=1).plot(band=band).fill_between_ == []


def test_standard_deviations_are_those_of_repeats():
    display = display_of().plot(band="std")
    values = display.errors["a"]
    corners = display.fill_between_[0].get_paths()[0].vertices[:, 1]
    assert_allclose(corners.max(), (values.mean(axis=1) + values.std(axis=1)).max())


def test_a_crossover_is_drawn_where_there_is_one():
    assert_allclose(display_of().plot().crossover_line_.get_xdata(), 30)
    assert display_of(np.inf).plot().crossover_line_ is None
    assert display_of(10.0).plot().crossover_line_ is None


def test_the_interval_of_a_crossover_is_shaded_and_doubt_is_said():
    display = display_of()
    display.difference_ci = np.array([[0.1, 0.3], [-0.1, 0.1], [-0.3, -0.1]])
    display.plot()
    assert display.crossover_line_.get_label() == "crossover at 30 rows"
    assert_allclose(display.crossover_band_.get_x(), 20)
    assert_allclose(display.crossover_band_.get_width(), 20)
    display.difference_ci = np.array([[-0.1, 0.3], [-0.1, 0.1], [-0.3, -0.1]])
    display.crossover_ci = np.array([10.0, np.inf])
    display.plot()
    assert display.crossover_line_.get_label() == "crossover at 30 rows, unclear"
    assert_allclose(display.crossover_band_.get_width(), 30)  # ends with the grid
    display.crossover_ci = np.full(2, np.nan)
    assert display.plot().crossover_band_ is None


def test_axes_and_style_of_the_user():
    _, ax = plt.subplots()
    display = display_of()
    assert display.plot(ax, log_x=False, name="A", curve_kwargs={"lw": 7}) is display
    assert display.ax_ is ax
    assert ax.get_title() == "A"
    assert ax.get_xscale() == "linear"
    assert display.lines_[0].get_linewidth() == 7


def test_from_data():
    X, y = load_digits(return_X_y=True)
    two = {"nb": NaiveBayesProbe(), "lr": LogisticProbe()}
    display = TwoRegimesDisplay.from_data(
        two,
        X[:400],
        y[:400],
        kind="difference",
        train_sizes=[20, 80],
        n_repeats=2,
        scoring="neg_log_loss",
    )
    assert display.ax_.get_ylabel() == "difference in log loss"
    assert_array_equal(display.train_sizes, [20, 80])


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"kind": "errors"}, "kind must be 'error' or 'difference', got 'errors'"),
        ({"band": "sd"}, "band must be 'ci', 'std' or None, got 'sd'"),
    ],
)
def test_bad_input(params, match):
    with pytest.raises(ValueError, match=match):
        display_of().plot(**params)
    with pytest.raises(NotFittedError):
        TwoRegimesDisplay.from_estimator(TwoRegimes())
