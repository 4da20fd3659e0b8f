"""Displays of the family."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ext.losses import (
    CertifiedAccuracyDisplay,
    CompSumClassifier,
    CompSumClassifierCV,
    GroupLossDisplay,
    LabelQualityDisplay,
    NoiseReportDisplay,
    NoiseRobustnessDisplay,
    WorstGroupClassifier,
    certified_accuracy,
    noise_report,
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


def test_scores_over_the_penalty(wine):
    X, y = wine
    model = make_pipeline(StandardScaler(), CompSumClassifierCV(Cs=3, taus=(1, 1.7)))
    display = NoiseRobustnessDisplay.from_estimator(model.fit(X, y), name="wine")
    search = model[-1]
    for j, line in enumerate(display.lines_):
        assert_allclose(line.get_xdata(), search.Cs_)
        assert_allclose(line.get_ydata(), search.scores_.mean(axis=0)[:, j])
        assert line.get_label() == f"wine tau {search.taus_[j]:g}"
    chosen = display.ax_.lines[-1].get_data()
    assert_allclose(np.ravel(chosen), [search.C_, search.best_score_])
    assert display.plot().ax_ is not None
    with pytest.raises(TypeError, match="a fitted CompSumClassifierCV"):
        NoiseRobustnessDisplay.from_estimator(LogisticRegression().fit(X, y))


def test_label_quality_marks_the_suspects(wine):
    X, y = wine
    noisy = np.where(np.arange(len(y)) % 10 == 0, (y + 1) % 3, y)
    names = np.array(["a", "b", "c"])[noisy]
    model = make_pipeline(StandardScaler(), CompSumClassifier(C=0.1)).fit(X, names)
    display = LabelQualityDisplay.from_estimator(model, X, names, name="wine")
    quality = model[-1].label_quality(model[:-1].transform(X), names)
    for k, line in enumerate(display.lines_):
        assert_allclose(line.get_ydata(), np.sort(quality[noisy == k]))
    assert len(display.points_.get_xdata()) == display.suspect.sum()
    assert display.suspect[noisy != y].mean() > 0.7
    assert display.suspect[noisy == y].mean() < 0.05
    assert display.ax_.get_title().startswith("wine ")


def test_losses_of_subgroups(wine):
    X, y = wine
    g = np.array(["young", "old"])[np.arange(len(y)) % 2]
    model = WorstGroupClassifier().fit(X, y, subgroups=g)
    display = GroupLossDisplay.from_estimator(model, X, y, g, name="wine")
    heights = [bar.get_height() for bar in display.bars_]
    assert_allclose(heights, model.subgroup_losses_)
    assert_array_equal(display.subgroups, ["old", "young"])
    assert_allclose(display.weights, model.subgroup_weights_)
    assert "of the optimum" in display.ax_.get_title()
    plain = LogisticRegression().fit(X, y)
    other = GroupLossDisplay.from_estimator(plain, X, y, ax=display.ax_)
    assert other.weights is None
    assert other.gap is None
    lost = -plain.predict_log_proba(X)[np.arange(len(y)), y]
    assert_allclose(other.losses, [lost[y == k].mean() for k in range(3)])
    with pytest.raises(ValueError, match="one subgroup for each row"):
        GroupLossDisplay.from_estimator(plain, X, y, g[:-1])


def test_report_of_a_pipeline_is_that_of_its_model(wine):
    X, y = wine
    model = make_pipeline(StandardScaler(), CompSumClassifierCV(Cs=2, taus=(1,)))
    model.fit(X, y)
    one = noise_report(model, X, y, random_state=0)
    other = noise_report(model[-1], model[:-1].transform(X), y, random_state=0)
    assert_array_equal(one.wrong_proba, other.wrong_proba)


def test_the_mix_is_drawn_only_on_the_subgroups_that_it_weighs(wine):
    X, y = wine
    g = np.arange(len(y)) % 3  # named as the classes are
    fitted = WorstGroupClassifier(0.1).fit(X, y, subgroups=g)
    assert GroupLossDisplay.from_estimator(fitted, X, y).weights is None
    classes = WorstGroupClassifier(0.1).fit(X, y)
    assert GroupLossDisplay.from_estimator(classes, X, y, g).weights is None
    display = GroupLossDisplay.from_estimator(classes, X, y)
    assert_allclose(display.weights, classes.subgroup_weights_)


def test_losses_of_subgroups_are_those_that_were_fitted(wine):
    X, y = wine
    model = WorstGroupClassifier(0.1, tau=0.5).fit(X, y).set_params(tau=1.0)
    display = GroupLossDisplay.from_estimator(model, X, y)
    assert_allclose(display.losses, model.subgroup_losses_)
    assert display.ylabel == "loss, tau 0.5"


def test_losses_of_far_rows_are_not_cut(wine):
    X, y = (wine[0] * 1000).astype(np.float32), wine[1]
    model = WorstGroupClassifier(0.1).fit(X / 1000, y)
    display = GroupLossDisplay.from_estimator(model, -X, y)
    lost = -model.predict_log_proba(-X)[np.arange(len(y)), y]
    means = [np.minimum(lost[y == k], 708.3964).mean() for k in range(3)]
    assert_allclose(display.losses, means, rtol=1e-4)
    assert display.losses.max() > 100


def test_refusals_of_displays(wine):
    X, y = wine
    model, w = WorstGroupClassifier(0.1).fit(X, y), np.ones(len(y))
    quality = CompSumClassifier().fit(X, y)
    for draw in (
        lambda w: GroupLossDisplay.from_estimator(model, X, y, sample_weight=w),
        lambda w: LabelQualityDisplay.from_estimator(quality, X, y, sample_weight=w),
    ):
        with pytest.raises(ValueError, match="at least one non-zero"):
            draw(0 * w)
        with pytest.raises(ValueError, match="must be non-negative"):
            draw(-w)
        with pytest.raises(ValueError, match="shape"):
            draw(w[:3])
    with pytest.raises(TypeError, match="predict_log_proba, got LinearSVC"):
        GroupLossDisplay.from_estimator(LinearSVC().fit(X, y), X, y)
    with pytest.raises(ValueError, match="y has 5 labels for the 178 rows"):
        GroupLossDisplay.from_estimator(model, X, y[:5])
