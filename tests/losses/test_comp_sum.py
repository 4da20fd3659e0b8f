"""CompSumClassifier: optimum, labels that lie, bad input."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_ext.losses import CompSumClassifier, comp_sum_loss
from tests.losses.conftest import flipped


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_one_is_logistic_regression(table, weighted, class_weight):
    X, y = table
    w = np.random.default_rng(0).integers(1, 4, len(y)) if weighted else None
    ours = CompSumClassifier(1, class_weight=class_weight, tol=1e-10).fit(X, y, w)
    theirs = LogisticRegression(class_weight=class_weight, tol=1e-10, max_iter=10000)
    theirs.fit(X, y, w)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert ours.gap_bound_ < 1e-3


def test_near_one_agrees_with_one(table):
    X, y = table
    at = CompSumClassifier(1, tol=1e-10).fit(X, y)
    for tau in (1 - 1e-6, 1 + 1e-6):
        near = CompSumClassifier(tau, tol=1e-10).fit(X, y)
        assert_allclose(near.coef_, at.coef_, atol=1e-4)


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.7, 2])
def test_objective_is_the_documented_one(table, tau):
    X, y = table
    w = np.random.default_rng(1).random(len(y))
    model = CompSumClassifier(tau, C=0.3).fit(X, y, w)
    loss = comp_sum_loss(model.label_quality(X, y), tau=tau)
    penalty = (model.coef_**2).sum() / (2 * 0.3 * w.sum())
    assert_allclose(model.objective_, np.average(loss, weights=w) + penalty, rtol=1e-9)
    assert np.isnan(model.gap_bound_) == (tau != 1)


@pytest.mark.parametrize("tau", [0, 0.5, 1.7, 2])
def test_stationary_where_it_stops(table, tau):
    X, y = table
    model = CompSumClassifier(tau, C=0.3, tol=1e-12).fit(X, y)
    own = model.label_quality(X, y)
    residual = model.predict_proba(X) - (y[:, None] == model.classes_)
    residual *= own[:, None] ** (tau - 1)
    slope = residual.T @ X / len(X)
    slope = slope[1:] if len(slope) == 2 else slope
    slope += model.coef_ / (0.3 * len(X))
    assert_allclose(slope, 0, atol=1e-5)


def test_wrong_labels_cost_less(digits):
    X, y = digits
    gains = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(y))
        train, test = order[:1000], order[1000:]
        noisy = flipped(y[train], 0.3, seed)
        scores = [
            CompSumClassifier(tau, C=C).fit(X[train], noisy).score(X[test], y[test])
            for tau, C in ((1, 0.01), (1.7, 0.1))
        ]
        gains.append(scores[1] - scores[0])
    assert np.mean(gains) > 0.01


def test_quality_ranks_wrong_labels_first(digits):
    X, y = digits
    noisy = flipped(y, 0.3)
    model = CompSumClassifier(C=0.1).fit(X, noisy)
    assert roc_auc_score(noisy == y, model.label_quality(X, noisy)) > 0.97


def test_warm_start_begins_where_it_was(wine):
    X, y = wine
    model = CompSumClassifier(warm_start=True, tol=1e-8).fit(X, y)
    before = model.objective_
    again = model.fit(X, y)
    assert again.n_iter_ <= 3
    assert_allclose(again.objective_, before, rtol=1e-6)


def test_sparse_equals_dense(table):
    X, y = table
    X = np.where(abs(X) > 0.5, X, 0)
    dense = CompSumClassifier(tol=1e-10).fit(X, y)
    thin = CompSumClassifier(tol=1e-10).fit(sparse.csr_array(X), y)
    assert_allclose(thin.coef_, dense.coef_, atol=1e-4)


def test_huge_scores_do_not_overflow(wine):
    X, y = wine
    model = CompSumClassifier(C=1e8, tol=1e-6, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
        proba = model.predict_proba(1e6 * X)
    assert np.isfinite(proba).all()
    assert_allclose(proba.sum(axis=1), 1)


def test_torch_device_gives_the_same(wine):
    pytest.importorskip("torch")
    X, y = wine
    here = CompSumClassifier(epsilon=0.1, tol=1e-8).fit(X, y)
    there = CompSumClassifier(epsilon=0.1, tol=1e-8, device="cpu").fit(X, y)
    assert_allclose(there.coef_, here.coef_, atol=1e-3)
    with pytest.raises(TypeError, match="Sparse rows are computed on the host"):
        CompSumClassifier(device="cpu").fit(sparse.csr_array(X), y)


def test_callback_stops_the_fit(wine):
    callback = pytest.importorskip("sklearn.callback")
    assert callback
    X, y = wine
    model = CompSumClassifier(tol=0, max_iter=3)
    with pytest.warns(ConvergenceWarning, match="in max_iter=3 iterations"):
        model.fit(X, y)
    assert model.n_iter_ <= 6
    assert not model.converged_


class TestRefusals:
    def test_one_class(self, wine):
        X, _ = wine
        with pytest.raises(ValueError, match="needs at least two classes, got one"):
            CompSumClassifier().fit(X, np.zeros(len(X), int))

    @pytest.mark.parametrize(
        "bad", [{"tau": -1}, {"C": 0}, {"epsilon": -1}, {"norm": 1}, {"norm": "l2"}]
    )
    def test_parameters(self, wine, bad):
        with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter"):
            CompSumClassifier(**bad).fit(*wine)

    def test_beyond_two(self, wine):
        with pytest.warns(UserWarning, match="beyond 2 rows that are fitted badly"):
            CompSumClassifier(2.5).fit(*wine)

    def test_separable_without_penalty(self, wine):
        with pytest.warns(ConvergenceWarning, match=r"use separability\(X, y\)"):
            CompSumClassifier(1, C=np.inf).fit(*wine)

    def test_weights(self, wine):
        X, y = wine
        with pytest.raises(ValueError, match="non-negative, got a minimum of -1"):
            CompSumClassifier().fit(X, y, -np.ones(len(y)))
        with pytest.raises(ValueError, match="at least one non-zero"):
            CompSumClassifier().fit(X, y, np.zeros(len(y)))
        with pytest.raises(ValueError, match="class_weight must be positive"):
            CompSumClassifier(class_weight={0: 0.0}).fit(X, y)

    def test_unknown_label(self, wine):
        X, y = wine
        model = CompSumClassifier().fit(X, y)
        with pytest.raises(ValueError, match=r"labels \[5\] that are not among"):
            model.label_quality(X, np.full(len(y), 5))
        with pytest.raises(NotFittedError):
            CompSumClassifier().label_quality(X, y)

    def test_squares_overflow(self, wine):
        X, y = wine
        with pytest.raises(ValueError, match="squares overflow"):
            CompSumClassifier().fit(X * 1e200, y)

    def test_failed_fit_leaves_the_model(self, wine):
        X, y = wine
        model = CompSumClassifier().fit(X, y)
        before = model.coef_.copy()
        with pytest.raises(ValueError, match="two classes"):
            model.fit(X[:, :2], np.zeros(len(y), int))
        assert_allclose(model.coef_, before)
        assert model.score(X, y) > 0.9
