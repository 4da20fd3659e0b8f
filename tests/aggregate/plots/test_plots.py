"""Displays: what they hold, what they draw, and where."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_ext.aggregate import (
    BagCalibrationDisplay,
    BagRegressor,
    InterpolatingAggregateRegressorCV,
    LabelProportionClassifier,
    PrivacyTradeoffDisplay,
    RhoPathDisplay,
    RiskCurveDisplay,
    aggregate_risk,
)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_rho_path(rng):
    X, bags = rng.normal(size=(90, 3)), np.arange(90) // 3
    cv = InterpolatingAggregateRegressorCV(alphas=[0.1, 1.0]).fit(X, X[:, 0], bags=bags)
    ax = plt.subplots()[1]
    display = RhoPathDisplay.from_estimator(cv, ax=ax, name="path")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.get_title() == "path"
    assert len(display.lines_) == 2
    assert_allclose(display.lines_[1].get_ydata(), -cv.lobo_scores_[:, 1])
    assert_allclose(display.marker_.get_ydata(), -cv.best_score_)
    assert display.plot(curve_kwargs={"color": "red"}).lines_[0].get_color() == "red"


def test_risk_curve():
    sizes = [1, 2, 4]
    display = RiskCurveDisplay.from_theory(
        sizes, over="bag_size", n_samples=800, n_features=100, rho=0.1, noise_var=0.5
    )
    expected = [
        aggregate_risk(800, 800 / k, 100, 0.1, noise_var=0.5).risk for k in sizes
    ]
    assert_allclose(display.lines_[2].get_ydata(), expected)
    assert_allclose(display.risk, display.bias_squared + display.variance)
    over_rho = RiskCurveDisplay.from_theory(
        [0.1, 1.0], n_samples=800, bag_size=2, n_features=100
    )
    assert over_rho.ax_.get_xscale() == "log"
    with pytest.raises(ValueError, match="over='rho' needs bag_size"):
        RiskCurveDisplay.from_theory([1.0], n_samples=10, n_features=3)
    with pytest.raises(ValueError, match="over must be one of"):
        RiskCurveDisplay.from_theory([1.0], over="k", n_features=3)


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
def test_calibration(rng, aggregate):
    X, bags = rng.normal(size=(60, 3)), np.arange(60) // 3
    means = np.repeat(X[:, 0].reshape(-1, 3).mean(axis=1), 3)
    y = means * (3 if aggregate == "sum" else 1)
    model = BagRegressor(aggregate=aggregate).fit(X, y, bags=bags)
    display = BagCalibrationDisplay.from_estimator(model, X, y, bags=bags)
    assert_allclose(display.observed, means[::3])
    assert_allclose(display.predicted, model.predict(X).reshape(-1, 3).mean(axis=1))
    (points,) = display.points_
    assert len(points.get_offsets()) == 20


def test_calibration_of_two_classes(rng):
    X, bags = rng.normal(size=(60, 3)), np.arange(60) // 3
    labels = np.where(X[:, 0] > 0, "malignant", "benign")
    shares = np.column_stack([labels == "malignant", labels == "benign"]).astype(float)
    names = ["malignant", "benign"]  # not sorted: the columns are
    model = LabelProportionClassifier(classes=names).fit(X, shares, bags=bags)
    for y in (labels, shares):
        display = BagCalibrationDisplay.from_estimator(model, X, y, bags=bags)
        assert_allclose(display.observed, shares[:, 0].reshape(-1, 3).mean(axis=1))
        predicted = model.predict_bag_proportions(X, bags)[:, 1]
        assert_allclose(display.predicted, predicted)
        assert "share of class malignant" in display.ax_.get_xlabel()
    with pytest.raises(ValueError, match=r"y has labels \['x'\] that are not among"):
        BagCalibrationDisplay.from_estimator(model, X, ["x"] * 60, bags=bags)


def test_calibration_of_several_columns(rng):
    X, bags = rng.normal(size=(90, 3)), np.arange(90) // 3
    labels = X.argmax(axis=1)
    model = LabelProportionClassifier().fit(X, labels, bags=bags)
    pipeline = make_pipeline(FunctionTransformer(), model)
    display = BagCalibrationDisplay.from_estimator(pipeline, X, labels, bags=bags)
    assert_allclose(display.predicted, model.predict_bag_proportions(X, bags))
    assert_allclose(display.observed.sum(axis=1), 1)
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["class 0", "class 1", "class 2"]
    model = BagRegressor().fit(X, X[:, :2], bags=bags)
    display = BagCalibrationDisplay.from_estimator(model, X, X[:, :2], bags=bags)
    assert [p.get_label() for p in display.points_] == ["target 0", "target 1"]


def test_privacy_tradeoff():
    display = PrivacyTradeoffDisplay.from_theory(
        [0.5, 2.0],
        n_samples=600,
        n_features=100,
        bounds=(-4, 4),
        noise_var=1.0,
        k_max=8,
    )
    assert display.risks.shape == (2, 8)
    assert len(display.lines_) == len(display.markers_) == 2
    assert (display.risks[0] > display.risks[1]).all()
