"""CompSumClassifier: optimum, labels that lie, bad input."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ext._numerics._logistic import prepare
from sklearn_ext.losses import CompSumClassifier, comp_sum_loss
from tests._marks import CALLBACKS
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


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.7, 2])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_gradient(tau, n_classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % n_classes
    f = prepare(X, y, rng.random(40) + 0.1, n_classes).at(0.7, tau - 1)
    theta = rng.normal(size=f.start().shape)
    slope = f(theta).gradient
    for _ in range(3):
        v = rng.normal(size=theta.shape)
        ends = [f(theta + h * v).value for h in (1e-6, -1e-6)]
        assert_allclose(slope @ v, (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.7])
def test_convex_up_to_one_and_not_beyond(tau):
    X, y = np.array([[1.0], [2.0]]), np.array([0, 1])
    f = prepare(X, y, np.ones(2), 2, fit_intercept=False).at(np.inf, tau - 1)
    a, b = np.array([0.0, 0.0]), np.array([-8.0, 0.0])  # a counterexample above one
    bend = (f(a).value + f(b).value) / 2 - f((a + b) / 2).value
    assert bend > 0 if tau <= 1 else bend < -0.03


@pytest.mark.parametrize("tau", [0, 0.5, 1])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_convex_along_random_segments(tau, n_classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % n_classes
    f = prepare(X, y, rng.random(40) + 0.1, n_classes).at(0.7, tau - 1)
    for _ in range(20):
        a, b = rng.normal(size=(2, f.start().size))
        ends = f(a).value + f(b).value
        assert f((a + b) / 2).value <= ends / 2 * (1 + 1e-12)


@pytest.mark.parametrize("tau", [0, 1, 1.7])
def test_all_rows_equal_predict_the_prior(tau):
    X, y = np.full((6, 2), 0.1), np.array([0, 1, 1, 0, 1, 1])
    model = CompSumClassifier(tau, tol=1e-10).fit(X, y)
    assert_allclose(model.coef_, 0, atol=1e-12)
    odds = 2 ** (1 / (2 - tau))  # the population's minimiser is a power of the prior
    assert_allclose(model.predict_proba(X)[0, 1], odds / (1 + odds), rtol=1e-3)


def test_a_class_without_weight_is_left_out(table):
    X, y = table
    w = (y != y.max()).astype(float) if y.max() > 1 else np.ones(len(y))
    names = y if y.max() > 1 else np.where(np.arange(len(y)) < 5, 7, y)
    w = np.where(names == 7, 0.0, w)
    model = CompSumClassifier().fit(X, names, w)
    alone = CompSumClassifier().fit(X[w > 0], names[w > 0])
    assert model.classes_.tolist() == alone.classes_.tolist() == [0, 1]
    assert_allclose(model.coef_, alone.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sum_exponential_loss_survives_a_start_that_is_far_off(dtype):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)).astype(dtype), np.arange(60) % 2
    w = np.where(y == 1, 1e7, 1.0)  # nearly one class alone
    model = CompSumClassifier(0.0).fit(X * 1e3, y, w)
    assert np.isfinite(model.objective_)
    assert model.converged_


@pytest.mark.parametrize("tau", [1.3, 1.7, 2.0])
def test_a_reweighted_logistic_step_never_raises_the_objective(table, tau):
    X, y = table
    model = CompSumClassifier(tau, C=0.5, max_iter=3, tol=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    for _ in range(4):
        own = model.label_quality(X, y)
        step = CompSumClassifier(1, C=0.5, tol=1e-10).fit(X, y, own ** (tau - 1))
        lost = comp_sum_loss(step.label_quality(X, y), tau=tau).mean()
        value = lost + (step.coef_**2).sum() / (2 * 0.5 * len(y))
        assert value <= model.objective_ + 1e-9
        model.coef_, model.intercept_ = step.coef_, step.intercept_
        model.objective_ = value


@pytest.mark.slow
@parametrize_with_checks([CompSumClassifier(tau) for tau in (0.0, 1.0, 2.0)])
def test_scikit_learn_checks_for_other_losses(estimator, check):
    check(estimator)


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


@CALLBACKS
def test_callback_stops_the_fit(wine):
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

    @pytest.mark.parametrize("tau", [0, 0.5, 1])
    def test_separable_without_penalty(self, wine, tau):
        with pytest.warns(ConvergenceWarning, match=r"use separability\(X, y\)"):
            CompSumClassifier(tau, C=np.inf).fit(*wine)

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
