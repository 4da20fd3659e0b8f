"""The picture of the gain says what the model says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.representations import (
    ConcatenatedRepresentations,
    PretrainedClassifier,
    PretrainingGainDisplay,
    RepresentationSimilarityDisplay,
    representation_similarity,
)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_bars_are_importances_and_the_point_is_the_gain():
    X, y = load_digits(return_X_y=True)
    few = np.where(np.arange(len(y)) < 60, y, -1)
    pipe = make_pipeline(StandardScaler(), PretrainedClassifier(random_state=0))
    model = pipe.fit(X, few)[-1]
    display = PretrainingGainDisplay.from_estimator(pipe)
    widths = [bar.get_width() for bar in display.bars_]
    assert_allclose(widths, sorted(model.view_importance_.values()))
    point, _, (line,) = display.gain_line_
    assert_allclose(point.get_xdata(orig=False), [model.gain_])
    assert_allclose(line.get_segments()[0][:, 0], model.gain_interval_)
    assert "the views helped (90% interval" in display.ax_.get_title()
    assert display.plot(name="Mine").ax_.get_title() == "Mine"
    model.set_params(confidence_level=0.5)
    again = PretrainingGainDisplay.from_estimator(pipe)
    assert "90% interval" in again.ax_.get_title()  # as it was fitted
    with pytest.raises(TypeError, match="LogisticRegression"):
        PretrainingGainDisplay.from_estimator(LogisticRegression())


@pytest.mark.parametrize(
    ("interval", "said"),
    [([-2.0, -1.0], "harmed"), ([-1.0, 1.0], "do not tell"), ([np.nan] * 2, "do not")],
)
def test_verdicts(interval, said):
    display = PretrainingGainDisplay(
        gain=-0.5,
        interval=np.array(interval),
        confidence_level=0.9,
        names=["raw"],
        importance=np.array([0.1]),
        error_raw=0.4,
    ).plot()
    assert said in display.ax_.get_title()


def test_a_model_without_labels_so_far_has_no_picture():
    X, _ = load_digits(return_X_y=True)
    model = PretrainedClassifier().partial_fit(X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        PretrainingGainDisplay.from_estimator(model)


def test_cells_are_similarities():
    X, _ = load_digits(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), ConcatenatedRepresentations(random_state=0))
    model = pipe.fit(X)[-1]
    display = RepresentationSimilarityDisplay.from_estimator(pipe)
    assert_allclose(display.image_.get_array(), model.similarity_)
    assert display.text_[0, 1].get_text() == f"{model.similarity_[0, 1]:.2f}"
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["raw", "tilt", "random_features"]
    names = [f"net{i}" for i in range(13)]
    many = RepresentationSimilarityDisplay(similarity=np.eye(13), names=names).plot()
    assert (many.text_ == None).all()  # noqa: E711 (an array of objects)
    with pytest.raises(TypeError, match="PretrainedClassifier"):
        RepresentationSimilarityDisplay.from_estimator(PretrainedClassifier())


@pytest.mark.parametrize("wrap", [list, tuple, np.array])
def test_cells_may_be_lists(wrap):
    cells = wrap([[1.0, 0.25], [0.25, 1.0]])
    shown = RepresentationSimilarityDisplay(similarity=cells, names=("a", "b")).plot()
    assert shown.text_[0, 1].get_text() == "0.25"


def test_arrays_are_measured_and_drawn():
    A, B = np.random.default_rng(0).normal(size=(2, 50, 3))
    weight = np.arange(50) % 3
    expected = representation_similarity([A, B[:, :2]], weight)
    draw = RepresentationSimilarityDisplay.from_representations
    by_name = draw({"ours": A, "theirs": B[:, :2]}, sample_weight=weight)
    assert_allclose(by_name.similarity, expected)
    assert by_name.names == ["ours", "theirs"]
    assert draw([A.tolist(), B.tolist()]).names == ["0", "1"]
    assert draw([A, B], names=("a", "b")).names == ["a", "b"]
    with pytest.raises(ValueError, match="each of the 1 names, got shape"):
        draw([A, B], names=["a"])
    with pytest.raises(ValueError, match="two or more, got 1"):
        draw([A])


def test_arrays_in_place_of_cells_are_refused():
    A, B = np.zeros((5, 3)), np.zeros((5, 2))
    for arrays, came in [([A, A], "shape \\(2, 5, 3\\)"), ([A, B], "several shapes")]:
        display = RepresentationSimilarityDisplay(similarity=arrays, names=["a", "b"])
        with pytest.raises(ValueError, match=rf"{came}.*from_representations"):
            display.plot()
    with pytest.raises(TypeError, match=r"ConcatenatedRepresentations.*got list"):
        RepresentationSimilarityDisplay.from_estimator([A, B])
