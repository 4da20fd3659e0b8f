"""The picture of a law shows what the model says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.networks import ConditionalDistributionDisplay, NoPropRegressor

mpl.use("Agg")
SMALL = {"n_blocks": 4, "n_components": 60, "n_members": 2, "random_state": 0}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 2))
    side = rng.choice([-1.0, 1.0], 300)
    return X, side * (1.5 + X[:, 0]) + 0.2 * rng.standard_normal(300)


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    mpl.pyplot.close("all")


def test_rows_have_densities_that_add_up_to_one(rows):
    X, y = rows
    model = NoPropRegressor(**SMALL).fit(X, y)
    display = ConditionalDistributionDisplay.from_estimator(model, X[:3], y[:3])
    step = display.values[1] - display.values[0]
    assert_allclose(display.density.sum(axis=1) * step, 1, atol=0.05)
    mean = (display.density * display.values).sum(axis=1) * step
    assert_allclose(mean, model.predict(X[:3]), atol=0.15)
    assert_allclose(display.lines_[1].get_ydata(), display.density[1])
    assert display.mesh_ is None


def test_two_humps_along_a_column(rows):
    X, y = rows
    names = ["width", "other"]
    frame = pd.DataFrame(X, columns=names)
    model = NoPropRegressor(**SMALL).fit(frame, y)
    found = [
        ConditionalDistributionDisplay.from_estimator(model, frame, y, column=column)
        for column in ("width", 0)
    ]
    assert_allclose(found[0].density, found[1].density)
    last = found[0].density[-1]
    middle, upper = (np.interp(v, found[0].values, last) for v in (0.0, 2.5))
    assert middle < 0.3 * upper
    assert found[0].ax_.get_xlabel() == "width"
    assert found[0].lines_ == []


def test_it_draws_on_given_axes_in_a_pipeline(rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), NoPropRegressor(**SMALL)).fit(X, y)
    _, ax = mpl.pyplot.subplots()
    display = ConditionalDistributionDisplay.from_estimator(pipe, X, column=1, ax=ax)
    assert display.ax_ is ax
    assert display.plot(name="y").ax_.get_ylabel() == "y"


def test_bad_input_is_named(rows):
    X, y = rows
    draw = ConditionalDistributionDisplay.from_estimator
    model = NoPropRegressor(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="300 rows were given, at most 12"):
        draw(model, X)
    with pytest.raises(ValueError, match="no column 'age': it knows no names"):
        draw(model, X, column="age")
    with pytest.raises(ValueError, match="below 2, got 2"):
        draw(model, X, column=2)
    with pytest.raises(ValueError, match="inconsistent"):
        draw(model, X[:3], y[:2])
    with pytest.raises(TypeError, match="NoPropRegressor"):
        draw(Ridge().fit(X, y), X[:3])
