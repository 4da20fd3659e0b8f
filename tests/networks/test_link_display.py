"""The picture of a link shows what the model says."""

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.networks import HierarchicalPolynomialRegressor, LinkDisplay

mpl.use("Agg")


@pytest.fixture
def rows():
    X = np.random.default_rng(0).standard_normal((200, 3))
    return X, np.exp(X[:, 0] + X[:, 1])


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    mpl.pyplot.close("all")


def test_curve_and_points_are_those_of_the_model(rows):
    X, y = rows
    model = HierarchicalPolynomialRegressor(1).fit(X, y)
    display = LinkDisplay.from_estimator(model, X, y)
    assert_allclose(display.index, model.index(X))
    assert_allclose(display.line_.get_ydata(), model.link(display.grid))
    assert_allclose(display.points_.get_offsets()[:, 1], y)
    assert {"rows", "link", "knots"} == {
        text.get_text() for text in display.ax_.get_legend().get_texts()
    }


def test_a_ridge_has_no_knots_to_show(rows):
    X, _ = rows
    y = X[:, 0] + np.random.default_rng(1).standard_normal(200)
    model = HierarchicalPolynomialRegressor(1).fit(X, y)
    display = LinkDisplay.from_estimator(model, X, y)
    assert_allclose(display.curve, display.grid)
    assert len(display.knots) == 0


def test_it_draws_on_given_axes_in_a_pipeline(rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), HierarchicalPolynomialRegressor(1))
    _, ax = mpl.pyplot.subplots()
    display = LinkDisplay.from_estimator(pipe.fit(X, y), X, y, ax=ax)
    assert display.ax_ is ax
    again = display.plot(name="g", curve_kwargs={"color": "C3"})
    assert again.line_.get_color() == "C3"


def test_bad_input_is_named(rows):
    X, y = rows
    with pytest.raises(TypeError, match="HierarchicalPolynomialRegressor"):
        LinkDisplay.from_estimator(Ridge().fit(X, y), X, y)
    model = HierarchicalPolynomialRegressor(1).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LinkDisplay.from_estimator(model, X, y[:-1])
