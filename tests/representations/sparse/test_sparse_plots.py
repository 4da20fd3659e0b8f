"""What the pictures of sparse features show."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.representations import (
    FeatureUsageDisplay,
    SparseAutoencoder,
    SparsityDisplay,
)

X = load_digits(return_X_y=True)[0][:600]


@pytest.fixture(scope="module")
def pipe():
    model = SparseAutoencoder(30, n_nonzero_coefs=4, max_iter=3, random_state=0)
    return make_pipeline(StandardScaler(), model).fit(X)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_the_curve_is_that_of_the_model_in_a_pipeline(pipe):
    rows = pipe[0].transform(X)
    for given, expected in (
        ((), pipe[1].budget_curve()),
        ((X,), pipe[1].budget_curve(rows)),
    ):
        display = SparsityDisplay.from_estimator(pipe, *given, name="digits")
        x, y = display.line_.get_data()
        assert_allclose(x, expected.n_nonzero_coefs)
        assert_allclose(y, expected.fvu)
        assert display.budget == 4
    assert display.ax_.get_legend().get_texts()[0].get_text() == "digits"


def test_usage_by_rank(pipe):
    display = FeatureUsageDisplay.from_estimator(pipe)
    assert_allclose(display.line_.get_ydata(), np.sort(pipe[1].usage_)[::-1])
    seen = FeatureUsageDisplay.from_estimator(pipe, X)
    assert_allclose(np.sort(seen.usage), np.sort(display.usage))


def test_the_slope_is_that_of_zipf():
    usage = np.append(0.5 / np.arange(1, 41), [0.0, 0.0])
    display = FeatureUsageDisplay(usage=usage).plot(name="law")
    assert_allclose(display.slope_, -1)
    assert display.line_.get_label() == "law, slope -1.00"
    assert "2 idle features" in display.ax_.get_title()
    assert np.isnan(FeatureUsageDisplay(usage=np.array([0.3])).plot().slope_)
