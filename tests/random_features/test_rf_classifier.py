"""Classifiers: scores, probabilities from leave-one-out, weights of classes, blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from sklearn_ext._numerics._held_out import best_temperature
from sklearn_ext.random_features import (
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatures,
)

BOTH = [RandomFeatureRidgeClassifier, RandomFeatureRidgeClassifierCV]


def digits(n, seed=0):
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    X = X / 16
    return X[order[:n]], y[order[:n]], X[order[n:]], y[order[n:]]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
@pytest.mark.parametrize("k", [20, 300])
def test_scores_equal_ridge_classifier_on_the_same_features(k, class_weight, n_classes):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 5))
    y = rng.integers(0, n_classes, 80)
    w = rng.uniform(0.5, 2, 80)
    model = RandomFeatureRidgeClassifier(
        k, 0.3, class_weight=class_weight, random_state=0
    ).fit(X, y, w)
    Phi = RandomFeatures(n_components=k, random_state=0).fit_transform(X)
    weight = class_weight
    if weight == "balanced":  # by weights, not by rows: so that weights are repetitions
        share = np.bincount(y, w) / w.sum()
        weight = dict(enumerate(1 / (n_classes * share)))
    peer = RidgeClassifier(alpha=0.3, class_weight=weight, solver="svd")
    peer.fit(Phi, y, sample_weight=w)
    assert_allclose(
        model.decision_function(X), peer.decision_function(Phi), rtol=1e-7, atol=1e-9
    )
    assert (model.predict(X) == peer.predict(Phi)).all()


@pytest.mark.parametrize("n", [300, 900])
def test_leave_one_out_calibrates_better_than_training_scores(n):
    X, y, X_new, y_new = digits(n)
    codes = np.searchsorted(np.unique(y), y)
    tuned = RandomFeatureRidgeClassifierCV(random_state=0)
    # a small ridge interpolates: its training scores say nothing
    small = RandomFeatureRidgeClassifier(alpha=1e-4, random_state=0)
    for model, factor in [(tuned, 1.0), (small, 0.6)]:
        model.fit(X, y)
        ours = log_loss(y_new, model.predict_proba(X_new))
        of_training = best_temperature(model.decision_function(X), codes, np.ones(n))
        P = softmax(model.decision_function(X_new) / of_training, axis=1)
        assert ours < factor * log_loss(y_new, P)
        assert ours < 0.15


def test_two_classes_have_a_sigmoid_of_twice_the_score():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = RandomFeatureRidgeClassifier(50, random_state=0).fit(X, y)
    f = model.decision_function(X)
    assert f.ndim == 1
    expected = 1 / (1 + np.exp(-2 * model.temperature_ * f))
    assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-10)
    assert log_loss(y, model.predict_proba(X)) < 0.15


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("k", [30, 300])
def test_weights_equal_repeated_rows(cls, k):
    X, y, *_ = digits(120)
    w = np.random.default_rng(0).integers(0, 4, 120)
    y = y % 3
    for class_weight in (None, "balanced"):
        model = cls(k, class_weight=class_weight, random_state=0)
        weighted = clone(model).fit(X, y, w)
        repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
        assert_allclose(weighted.temperature_, repeated.temperature_, rtol=1e-7)
        ours, theirs = weighted.predict_proba(X), repeated.predict_proba(X)
        assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_class_weight_is_no_repetition_for_leave_one_out():
    X, y, *_ = digits(150)
    y = (y == 8).astype(int)
    plain = RandomFeatureRidgeClassifierCV(60, [1.0], random_state=0).fit(X, y)
    heavy = RandomFeatureRidgeClassifierCV(
        60, [1.0], class_weight={1: 9.0}, random_state=0
    ).fit(X, y)
    # a heavy row is left out whole: its held-out score is not its training score
    inside = heavy.decision_function(X)[y == 1].mean()
    assert heavy.loo_predictions_[y == 1].mean() < inside - 0.1
    assert heavy.loo_predictions_[y == 1].mean() > plain.loo_predictions_[y == 1].mean()


@pytest.mark.parametrize("cls", BOTH)
def test_blocks_equal_one_fit(cls):
    X, y, *_ = digits(400)
    labels = np.array([f"digit {c}" for c in y])
    whole = cls(50, random_state=0).fit(X, labels)
    parts = cls(50, random_state=0)
    for start in range(0, 400, 150):
        rows = slice(start, start + 150)
        parts.partial_fit(X[rows], labels[rows], classes=np.unique(labels))
    blocks = [(X[:90], labels[:90]), (X[90:], labels[90:])]
    joined = cls(50, random_state=0).fit_blocks(blocks, classes=np.unique(labels))
    for model in (parts, joined):
        assert_allclose(model.predict_proba(X), whole.predict_proba(X), atol=1e-7)
        assert (model.predict(X) == whole.predict(X)).all()


def test_scoring_by_accuracy():
    X, y, *_ = digits(200)
    model = RandomFeatureRidgeClassifierCV(50, scoring="accuracy", random_state=0).fit(
        X, y
    )
    held = model.classes_[model.loo_predictions_.argmax(axis=1)]
    assert_allclose(model.best_score_, np.mean(held == y))
    binary = RandomFeatureRidgeClassifierCV(50, scoring="roc_auc", random_state=0)
    assert binary.fit(X, y == 3).best_score_ > 0.9


def test_folds_are_stratified_and_probabilities_stay_leave_one_out():
    X, y, *_ = digits(200)
    model = RandomFeatureRidgeClassifierCV(50, [1.0], cv=4, random_state=0).fit(X, y)
    loo = RandomFeatureRidgeClassifierCV(50, [1.0], random_state=0).fit(X, y)
    assert_allclose(model.temperature_, loo.temperature_, rtol=1e-6)
    assert model.fold_error_path_.shape == (1, 10)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda m, X, y: m.partial_fit(X, y), "first partial_fit needs classes"),
        (
            lambda m, X, y: m.partial_fit(X, y, classes=[0, 1]),
            r"labels \[2\] that are not among the classes \[0, 1\]",
        ),
        (
            lambda m, X, y: m.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(
                X, y, classes=[0, 1, 2, 3]
            ),
            "classes must stay",
        ),
        (
            lambda m, X, y: m.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(
                X, y + 1
            ),
            r"labels \[3\]",
        ),
        (
            lambda m, X, y: m.set_params(class_weight="balanced").partial_fit(
                X, y, classes=[0, 1, 2]
            ),
            "'balanced' needs all rows at once",
        ),
        (lambda m, X, y: m.fit(X, 0 * y), "at least two classes, got one class"),
        (lambda m, X, y: m.fit(X, X[:, 0]), "Unknown label type"),
    ],
)
@pytest.mark.parametrize("cls", BOTH)
def test_errors_teach(cls, fit, message):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), np.arange(30) % 3
    with pytest.raises(ValueError, match=message):
        fit(cls(10), X, y)
