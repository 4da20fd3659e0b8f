"""Displays show the numbers that they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import StandardScaler, scale

from sklearn_ext.rashomon import (
    CoefficientRangeDisplay,
    MultiplicityCurveDisplay,
    MultiplicityDisplay,
    RashomonCurveDisplay,
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonRatioDisplay,
    RashomonRidge,
    RashomonTreeClassifier,
    VariableImportanceCloudDisplay,
    rashomon_curve,
)

X, y = load_breast_cancer(return_X_y=True)
X = X[:, :5]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def clf():
    return RashomonTreeClassifier(2, random_state=0).fit(X, y)


def test_ratio_display(clf):
    display = RashomonRatioDisplay.from_estimator(clf, name="trees")
    theta, log10 = display.line_.get_data()
    assert_allclose(log10[-1], clf.log10_ratio_)
    assert_allclose(theta[-1], clf.theta)
    assert "complete trees" in display.ax_.get_ylabel()
    ax = plt.subplots()[1]
    assert display.plot(ax).ax_ is ax


def test_ratio_display_shows_intervals():
    model = RashomonTreeClassifier(2, method="mc", theta=0.1, random_state=0)
    display = RashomonRatioDisplay.from_estimator(model.fit(X, y), theta=[0.05, 0.1])
    assert display.interval.shape == (2, 2)
    assert len(display.ax_.collections) == 1


def test_ratio_display_of_rays_shows_intervals():
    model = RashomonLogisticRegression(n_rays=100, n_members=2, random_state=0)
    model.fit(scale(X), y)
    display = RashomonRatioDisplay.from_estimator(model)
    assert len(display.theta) == 9
    low, high = display.interval[-1] * np.log(10)
    assert_allclose([low, high], model.log_ratio_interval_)
    assert low < model.log_ratio_ < high


def test_curve_display():
    model = RashomonTreeClassifier(n_members=5, random_state=0)
    curve = rashomon_curve(model, X, y, param_range=[0, 1, 2], cv=3)
    display = RashomonCurveDisplay(curve=curve).plot()
    assert_allclose(display.line_.get_ydata(), curve.risk)
    assert [t.get_text() for t in display.ax_.texts] == ["0", "1", "2"]
    assert display.ax_.get_legend().get_title().get_text() == "numbers: max_depth"


def test_coefficient_ranges():
    model = RashomonRidge().fit(*load_diabetes(return_X_y=True, as_frame=True))
    display = CoefficientRangeDisplay.from_estimator(model)
    width = sorted(bar.get_width() for bar in display.bars_)
    assert_allclose(width, np.sort(np.ptp(model.coef_range_, axis=1)))
    assert {t.get_text() for t in display.ax_.get_yticklabels()} == set(
        model.feature_names_in_
    )


def test_names_and_bars_stay_inside_the_figure():
    model = RashomonRidge().fit(*load_diabetes(return_X_y=True, as_frame=True))
    names = [f"a feature with a rather long name, {i}" for i in range(10)]
    display = CoefficientRangeDisplay(ranges=model.coef_range_, names=names).plot()
    display.figure_.canvas.draw()
    left = [t.get_window_extent().x0 for t in display.ax_.get_yticklabels()]
    assert min(left) >= 0
    low, high = display.ax_.get_xlim()
    assert low < model.coef_range_.min()
    assert model.coef_range_.max() < high


def test_importance_ranges(clf):
    display = VariableImportanceCloudDisplay.from_estimator(clf, X, y)
    assert len(display.bars_) == 5
    ridge = RashomonRidge().fit(*load_diabetes(return_X_y=True))
    assert len(VariableImportanceCloudDisplay.from_estimator(ridge).bars_) == 10
    for model, given, message in (
        (clf, (), "needs X and y for trees"),
        (clf, (X,), "needs X and y for trees"),
        (ridge, (X, y), "takes no X and y for ridge"),
    ):
        with pytest.raises(ValueError, match=message):
            VariableImportanceCloudDisplay.from_estimator(model, *given)


def test_multiplicity(clf):
    display = MultiplicityDisplay.from_estimator(clf, X, name="trees")
    assert_allclose(display.lines_[0].get_ydata(), np.sort(clf.vote_share(X)[:, 1]))
    other = MultiplicityDisplay.from_predictions(clf.member_predictions(X), 1)
    assert_allclose(np.sort(other.share), np.sort(clf.predict_proba(X)[:, 1]))
    logistic = RashomonLogisticRegression(random_state=0).fit(X, y)
    shown = MultiplicityDisplay.from_estimator(logistic, X).share
    assert ((shown >= 0) & (shown <= 1)).all()


def test_multiplicity_says_what_is_exact():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, :4])
    logistic = RashomonLogisticRegression(n_members=5, random_state=0).fit(X, y)
    title = MultiplicityDisplay.from_estimator(logistic, X).ax_.get_title()
    assert title == f"{logistic.ambiguity(X):.0%} of the rows depend on the model"
    linear = RashomonLinearClassifier(n_draws=2000, n_members=50, random_state=0)
    votes = linear.fit(X, y).member_predictions(X)
    share = (votes != votes[0]).any(axis=0).mean()
    title = MultiplicityDisplay.from_estimator(linear, X).ax_.get_title()
    assert (
        title == f"at least (of 50 models) {share:.0%} of the rows depend on the model"
    )


def test_multiplicity_of_three_classes():
    X, y = load_iris(return_X_y=True)
    clf = RashomonTreeClassifier(2, theta=0.05, random_state=0).fit(X, y)
    display = MultiplicityDisplay.from_estimator(clf, X, name="votes")
    share = clf.vote_share(X)
    drawn = np.column_stack([line.get_ydata() for line in display.lines_])
    assert_allclose(drawn, np.sort(share, axis=0))
    depend = ((share > 0) & (share < 1)).any(axis=1).mean()
    assert display.ax_.get_title() == f"{depend:.0%} of the rows depend on the model"
    legend = display.ax_.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == [
        f"class {c}" for c in range(3)
    ]
    assert legend.get_title().get_text() == "votes"


EMPTY = {"reference_loss": 0.0, "theta": 0.0}


@pytest.mark.parametrize(
    ("display", "model", "rows"),
    [
        (RashomonRatioDisplay, RashomonTreeClassifier(1, **EMPTY), ()),
        (MultiplicityDisplay, RashomonTreeClassifier(1, **EMPTY), (X,)),
        (MultiplicityCurveDisplay, RashomonTreeClassifier(1, **EMPTY), (X,)),
        (VariableImportanceCloudDisplay, RashomonTreeClassifier(1, **EMPTY), (X, y)),
        (VariableImportanceCloudDisplay, RashomonRidge(**EMPTY), ()),
        (CoefficientRangeDisplay, RashomonRidge(**EMPTY), ()),
        (CoefficientRangeDisplay, RashomonLogisticRegression(**EMPTY), ()),
    ],
)
def test_an_empty_set_is_named(display, model, rows):
    with pytest.warns(RuntimeWarning, match="set is empty"):
        model = clone(model).fit(StandardScaler().fit_transform(X), y)
    shown = display.from_estimator(model, *rows)
    assert "the set is empty" in shown.ax_.texts[0].get_text()


def test_reliance_in_an_empty_set_is_that_of_the_best_model():
    model = RashomonRidge(**EMPTY)
    with pytest.warns(RuntimeWarning, match="set is empty"):
        found = model.fit(X, y).model_class_reliance()
    best = RashomonRidge(theta=0.0).fit(X, y).model_class_reliance()
    assert_allclose(found, best, atol=1e-12)


def test_multiplicity_against_theta():
    theta = [0.0, 0.02, 0.05]
    for method in ("exact", "mc"):
        clf = RashomonTreeClassifier(2, method=method, random_state=0).fit(X, y)
        display = MultiplicityCurveDisplay.from_estimator(clf, X, theta=theta)
        assert_allclose(display.lines_[0].get_ydata(), display.ambiguity)
        assert (np.diff(display.ambiguity) >= 0).all()
        assert_allclose(display.discrepancy[-1], clf.discrepancy(X))
        assert_allclose(display.ambiguity[-1], clf.ambiguity(X))
        if method == "exact":
            small = clone(clf).set_params(theta=0.02).fit(X, y)
            assert_allclose(display.ambiguity[1], small.ambiguity(X))
            assert_allclose(display.discrepancy[1], small.discrepancy(X))
