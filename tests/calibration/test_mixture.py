"""Mixtures under the log-loss against a general solver and a sequential loop."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from sklearn_ext.calibration import (
    LogLossMixtureClassifier,
    mixture_regret_bound,
    mixture_weights,
)
from sklearn_ext.calibration._mixture import _loss


def likelihoods(n=300, m=6, seed=0):
    return np.random.default_rng(seed).beta(2, 1 + np.arange(m) / 3, size=(n, m))


def general(ell, w):
    m = ell.shape[1]
    found = minimize(
        lambda v: -w @ np.log(ell @ v),
        np.full(m, 1 / m),
        jac=lambda v: -(w / (ell @ v)) @ ell,
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda v: v.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return found.fun


@pytest.mark.parametrize("seed", range(5))
def test_the_minimum_is_that_of_a_general_solver(seed):
    ell = likelihoods(seed=seed)
    w = np.random.default_rng(seed).random(300)
    found = mixture_weights(ell, sample_weight=w, tol=1e-10)
    w = w / w.sum()
    _, gradient, _ = _loss(ell, w, found.weights)
    assert gradient.max() <= 1 + 1e-9
    assert_allclose(gradient[found.weights > 1e-6], 1, atol=1e-6)
    assert_allclose(found.weights.sum(), 1, rtol=1e-12)
    assert found.weights.min() >= 0
    assert_allclose(found.loss, general(ell, w), atol=1e-7)
    assert found.n_iter < 40


def test_the_certificate_holds_at_every_step():
    ell = likelihoods(n=100, m=4)
    best = mixture_weights(ell, tol=1e-13).loss
    for max_iter in range(1, 12):
        found = mixture_weights(ell, tol=1e-13, max_iter=max_iter)
        assert -1e-12 <= found.loss - best <= found.gap_bound + 1e-12


def test_twins_and_a_single_model():
    ell = likelihoods(m=2)
    found = mixture_weights(ell[:, [0, 0, 1, 1]])
    alone = mixture_weights(ell)
    assert_allclose(found.loss, alone.loss, atol=2e-6)
    assert_array_equal(mixture_weights(ell[:, :1]).weights, [1])


def test_the_posterior_is_the_product_and_its_regret_is_bounded():
    rng = np.random.default_rng(0)
    ell, prior = likelihoods(60), rng.dirichlet(np.ones(6))
    v, sequential = prior.copy(), 0.0
    for row in ell:
        sequential -= np.log(v @ row)
        v = v * row / (v @ row)
    found = mixture_weights(ell, prior=prior, method="bayes")
    assert_allclose(found.weights, v, rtol=1e-9)
    losses = -np.log(ell).sum(axis=0)
    bound = mixture_regret_bound(np.log(prior), losses)
    assert bound >= 0
    assert sequential - losses.min() <= bound + 1e-9
    assert mixture_regret_bound(np.zeros(6), losses) <= np.log(6) + 1e-12
    assert_allclose(mixture_regret_bound(np.zeros(6), np.ones(6)), 0, atol=1e-12)


def test_rows_that_nobody_saw_coming():
    ell = likelihoods()
    ell[:3] = 0
    with pytest.warns(UserWarning, match="3 rows probability 0"):
        found = mixture_weights(ell)
    assert np.isfinite(found.loss)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mixture_weights(-likelihoods()), "non-negative"),
        (lambda: mixture_weights(likelihoods(), method="map"), "'convex' or 'bayes'"),
        (lambda: mixture_weights(likelihoods(), prior=[1]), "6 positive numbers"),
        (lambda: mixture_regret_bound([0, 0], [1]), "log_prior has 2 models"),
    ],
)
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def members():
    return [
        ("bayes", GaussianNB()),
        ("tree", DecisionTreeClassifier(max_depth=4, random_state=0)),
        ("ridge", RidgeClassifier()),
    ]


@pytest.mark.parametrize("weights", ["convex", "bayes"])
def test_it_mixes_its_members(weights):
    X, y = make_classification(600, n_classes=3, n_informative=6, random_state=0)
    y = np.array(["a", "b", "c"])[y]
    model = LogLossMixtureClassifier(members(), weights=weights).fit(X, y)
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    by_hand = model.weights_[0] * model.named_estimators_["bayes"].predict_proba(X)
    by_hand += model.weights_[1] * model.named_estimators_["tree"].predict_proba(X)
    scores = model.named_estimators_["ridge"].decision_function(X)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    by_hand += model.weights_[2] * odds / odds.sum(axis=1, keepdims=True)
    assert_allclose(proba, by_hand, rtol=1e-9)
    assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    losses = dict(model.oof_log_loss_)
    mixed = losses.pop("mixture")
    if weights == "convex":
        assert mixed <= min(losses.values()) + model.gap_bound_
        assert model.gap_bound_ <= 1e-6
        assert not hasattr(model, "regret_bound_")
    else:
        assert 0 <= model.regret_bound_ <= np.log(3)


def test_the_mixture_is_better_than_its_members_on_new_rows():
    X, y = make_classification(
        3000, n_classes=3, n_informative=6, flip_y=0.1, random_state=1
    )
    model = LogLossMixtureClassifier(members()).fit(X[:1500], y[:1500])
    alone = [
        log_loss(y[1500:], m.predict_proba(X[1500:])) for m in model.estimators_[:2]
    ]
    assert log_loss(y[1500:], model.predict_proba(X[1500:])) < min(alone)


def test_dropped_and_frozen_members():
    X, y = load_breast_cancer(return_X_y=True)
    frozen = FrozenEstimator(GaussianNB().fit(X[:300], y[:300]))
    given = [("tree", "drop"), ("bayes", GaussianNB()), ("old", frozen)]
    model = LogLossMixtureClassifier(given).fit(X[300:], y[300:])
    assert list(model.named_estimators_) == ["bayes", "old"]
    assert_array_equal(model.estimators_[1].theta_, frozen.theta_)


def test_members_of_other_classes_are_refused():
    X, y = make_classification(200, random_state=0)
    for other in (y * 2, np.array(["no", "yes"])[y], y + (np.arange(200) % 3 == 0)):
        frozen = FrozenEstimator(LogisticRegression().fit(X, other))
        model = LogLossMixtureClassifier([("a", frozen), ("b", GaussianNB())])
        with pytest.raises(
            ValueError, match=r"knows the classes .* y has only \[0, 1\]"
        ):
            model.fit(X, y)


def test_folds_of_which_no_row_has_weight():
    X, y = make_classification(300, random_state=0)
    w, fold = np.repeat([0, 1, 1], 100), np.repeat([0, 1, 2], 100)
    cv = PredefinedSplit(fold)
    model = LogLossMixtureClassifier(cv=cv).fit(X, y, w)
    same = LogLossMixtureClassifier(cv=PredefinedSplit(fold[100:]))
    assert_allclose(model.weights_, same.fit(X[100:], y[100:]).weights_)
    nobody = PredefinedSplit(np.where(w == 0, 0, -1))
    with pytest.raises(ValueError, match="cv tests no row of positive weight"):
        LogLossMixtureClassifier(cv=nobody).fit(X, y, w)


def test_metadata_are_routed():
    X, y = make_classification(300, random_state=0)
    w, groups = np.random.default_rng(0).random(300), np.arange(300) // 3
    with config_context(enable_metadata_routing=True):
        given = [
            ("linear", LogisticRegression().set_fit_request(sample_weight=True)),
            ("bayes", GaussianNB().set_fit_request(sample_weight=False)),
        ]
        model = LogLossMixtureClassifier(given, cv=GroupKFold(4))
        model.fit(X, y, sample_weight=w, groups=groups)
        alone = LogisticRegression().fit(X, y, w)
        assert_allclose(model.estimators_[0].coef_, alone.coef_)
    model = LogLossMixtureClassifier(given[1:]).fit(X, y, groups=groups)
    assert_allclose(model.weights_, 1)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        model.fit(X, y, colour=w)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([("a", "drop")], ValueError, "not 'drop'"),
        ([("a", GaussianNB()), ("a", GaussianNB())], ValueError, "different names"),
        ([GaussianNB()], ValueError, r"a list of \(name, classifier\)"),
        ([("a", LinearRegression())], TypeError, "'a' .LinearRegression. has neither"),
    ],
)
def test_wrong_members(given, error, message):
    X, y = make_classification(100, random_state=0)
    with pytest.raises(error, match=message):
        LogLossMixtureClassifier(given).fit(X, y)


def test_too_few_steps_are_told():
    X, y = make_classification(300, random_state=0)
    model = LogLossMixtureClassifier(members(), max_iter=1, tol=1e-12)
    with pytest.warns(ConvergenceWarning, match="raise max_iter or tol"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="the one class 1"):
        LogLossMixtureClassifier().fit(X, np.ones(300))
