"""What the estimators beside trees refuse, and the words in which they do."""

import sys
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_ext.rashomon import (
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonRidge,
    RashomonSearchCV,
    ambiguity,
    rashomon_capacity,
    rashomon_curve,
)
from sklearn_ext.rashomon._ratio import check_count

RIDGE = RashomonRidge
LOGISTIC = RashomonLogisticRegression
LINEAR = RashomonLinearClassifier
ALL = [RIDGE, LOGISTIC, LINEAR]


def SEARCH(**params):
    trees = [(f"{d}", DecisionTreeClassifier(max_depth=d)) for d in (1, 2)]
    return RashomonSearchCV(trees, cv=2, **params)


def data(n=40, p=3):
    X = np.random.default_rng(0).normal(size=(n, p))
    return X, (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0).astype(int)


def refused(model, message, X=None, y=None, w=None):
    given = data()
    X, y = given[0] if X is None else X, given[1] if y is None else y
    with pytest.raises(ValueError, match=message):
        model.fit(X, y) if w is None else model.fit(X, y, w)


@pytest.mark.parametrize("make", [*ALL, SEARCH])
@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (-0.1, "The 'theta' parameter of Rashomon"),
        (np.nan, "The 'theta' parameter of Rashomon"),
        (True, "theta must be a non-negative number, got the truth value True"),
        ("wide", "The 'theta' parameter of Rashomon"),
    ],
)
def test_theta(make, theta, message):
    refused(make(theta=theta), message)


@pytest.mark.parametrize("make", ALL)
def test_theta_is_finite(make):
    refused(make(theta=np.inf), r"must be a float in the range \[0.0, inf\). Got inf")
    model = make(random_state=0).fit(*data())
    for theta, message in (
        (np.nan, "theta must be a finite number from 0 upwards, got nan"),
        (-1, "theta must be a finite number from 0 upwards, got -1"),
        ("x", r"theta must be a finite number from 0 upwards, got .*'x'"),
        (True, "theta must be a non-negative number, got the truth value True"),
    ):
        with pytest.raises(ValueError, match=message):
            model.log_ratio_at(theta)


@pytest.mark.parametrize("make", ALL)
def test_samples_are_of_the_fitted_set_whatever_set_params_said_later(make):
    model = make(random_state=0).fit(*data())
    before = model.sample(5, random_state=0)
    model.set_params(theta=model.theta + 0.3, reference_loss=2.0)
    after = model.sample(5, random_state=0)
    assert_array_equal(after.coef, before.coef)
    assert_array_equal(after.intercept, before.intercept)


@pytest.mark.parametrize("make", [LOGISTIC, LINEAR])
@pytest.mark.parametrize("y", [np.zeros(40, int), np.arange(40) % 3])
def test_refused_classes_leave_those_of_the_last_fit(make, y):
    X, known = data()
    model = make(random_state=0).fit(X, known)
    before = model.predict(X)
    refused(model, "class", X, y)
    assert_array_equal(model.predict(X), before)


def test_a_refused_method_leaves_the_losses_of_the_last_fit():
    X, y = data()
    model = LINEAR(random_state=0).fit(X, y)
    before = model.min_loss_, model.log_ratio_at(0.01)
    refused(model.set_params(method="exact"), "needs two coordinates", X, y[::-1])
    assert (model.min_loss_, model.log_ratio_at(0.01)) == before


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("reference", [np.nan, np.inf, True])
def test_reference_loss(make, reference):
    refused(make(reference_loss=reference), "reference_loss must be a finite number or")


@pytest.mark.parametrize(
    ("make", "name", "allowed"),
    [
        (RIDGE, "theta_mode", "'absolute'"),
        (RIDGE, "space", "'ball'"),
        (RIDGE, "predict_with", "'members'"),
        (LOGISTIC, "space", "'gaussian'"),
        (LOGISTIC, "class_weight", "'balanced'"),
        (LINEAR, "method", "'splitting'"),
        (LINEAR, "n_steps", "'auto'"),
        (SEARCH, "refit", "'simplest'"),
        (SEARCH, "voting", "'soft'"),
    ],
)
def test_unknown_options_are_named_beside_the_known(make, name, allowed):
    refused(make(**{name: "other"}), f"The '{name}' parameter of .*{allowed}.*'other'")


@pytest.mark.parametrize(
    ("make", "name", "value", "advice"),
    [
        (RIDGE, "n_members", True, "Give 1 if"),
        (RIDGE, "alpha", True, "Give 1 if"),
        (RIDGE, "n_draws", True, "Give 1 if"),
        (LOGISTIC, "C", True, "Give 1 if"),
        (LOGISTIC, "radius", True, "Give 1 if"),
        (LINEAR, "n_draws", True, "Give 1 if"),
        (LINEAR, "n_jobs", False, "Give 0 if"),
        (SEARCH, "n_jobs", True, "Give 1 if"),
    ],
)
def test_truth_values_are_no_numbers(make, name, value, advice):
    message = f"{name} must be a number, got the truth value {value}. {advice}"
    refused(make(**{name: value}), message)


def test_switches_stay_truth_values():
    RashomonRidge(fit_intercept=False).fit(*data())
    RashomonLinearClassifier(standardize=False, n_draws=100).fit(*data())


@pytest.mark.parametrize("make", [LINEAR, SEARCH])
def test_no_workers(make):
    refused(make(n_jobs=0), "n_jobs must be None or a whole number other than 0, got 0")


@pytest.mark.parametrize("make", [RIDGE, LOGISTIC, LINEAR])
@pytest.mark.parametrize("n", [-1, 0, True, 2.5, "3"])
def test_numbers_of_draws(make, n):
    model = make(random_state=0).fit(*data())
    message = f"n_samples must be a whole number from 1 upwards, got {n!r}"
    with pytest.raises(ValueError, match=message):
        model.sample(n)
    assert len(model.sample(np.int32(3), random_state=0)) == 3
    check_count("n_samples", 1)


@pytest.mark.parametrize("make", [LOGISTIC, LINEAR])
def test_classes(make):
    y = data()[1]
    refused(make(), "needs two classes with positive weight, got one class", y=0 * y)
    refused(make(), "got one class", w=(y == 0).astype(float))
    refused(make(), "Only binary classification is supported", y=np.arange(40) % 3)


@pytest.mark.parametrize("make", ALL)
def test_rows_and_weights(make):
    X, y = data()
    w = np.where(y == 0, -1.0, 1.0)
    refused(make(), "sample_weight must be non-negative, got a minimum of -1", w=w)
    refused(make(), "at least one non-zero number", w=0 * w)
    refused(make(), "Input X contains NaN", X=np.where(X > 1, np.nan, X))
    refused(make(), "Expected 2D array, got 1D array", X=X[:, 0])
    refused(make(), "0 feature", X=X[:, :0])
    model = make(random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"X has 2 features, but .* expecting 3"):
        model.predict(X[:, :2])


@pytest.mark.parametrize("make", ALL)
def test_constant_features(make):
    y = data()[1]
    model = make(random_state=0).fit(np.ones((40, 2)), y)
    assert np.isfinite(model.min_loss_)
    assert len(np.unique(model.predict(np.ones((3, 2))))) == 1


@pytest.mark.parametrize("make", ALL)
def test_an_empty_set_predicts_with_the_best_and_has_no_draws(make):
    X, y = data()
    with pytest.warns(RuntimeWarning, match=r"the smallest loss is .* the threshold"):
        model = make(reference_loss=-1.0, theta=0.0, random_state=0).fit(X, y)
    assert model.log_ratio_ == -np.inf
    assert len(model.members_) == 1
    assert model.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="The Rashomon set is empty"):
        model.sample()


@pytest.mark.parametrize(
    "model",
    [
        RIDGE(theta=1e4),
        RIDGE(theta=1e4, space="box"),
        RIDGE(theta=1e4, space="gaussian"),
        LOGISTIC(theta=30.0),
        LOGISTIC(theta=30.0, fit_intercept=False),
        LOGISTIC(theta=30.0, space="gaussian"),
        LINEAR(theta=1.0),
    ],
    ids=str,
)
def test_a_set_that_holds_the_space_has_ratio_one(model):
    X, y = data()
    model.set_params(random_state=0).fit(X, y)
    assert model.log_ratio_ == 0.0
    low, high = model.log_ratio_interval_
    assert -0.01 < low <= high == 0.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ranges_that_cannot_be_found_are_refused():
    message = "so far above the smallest one.*Lower theta, reference_loss or C"
    X, y = data()
    model = LOGISTIC(theta=1e6, C=1e4, random_state=0)
    with pytest.raises(ValueError, match=message):
        assert model.fit(X, y).coef_range_ is None


def test_ranges_of_huge_slacks_grow_as_their_roots():
    X, y = data()  # the penalty rules there
    near, far = (
        LOGISTIC(theta=t, fit_intercept=False).fit(X, y).coef_range_
        for t in (1e8, 1e12)
    )
    assert_allclose(far, 100 * near, rtol=0.002)


def test_weak_samples_warn():
    X, y = data()
    for model in (RIDGE(space="gaussian", n_draws=20), LOGISTIC(n_rays=20)):
        with pytest.warns(UserWarning, match="rests on .* draws, fewer than 30"):
            model.set_params(random_state=0).fit(X, y)


@pytest.mark.parametrize("device", ["cuda:7", "quantum"])
def test_a_device_that_is_not_here(device):
    X, y = data()
    message = (
        f"device='{device}' is not on this machine, which has .'cpu'.*None to stay"
    )
    with pytest.raises(RuntimeError, match=message):
        LINEAR(device=device).fit(X, y)


def test_torch_is_asked_for_by_its_extra():
    X, y = data()
    with (
        mock.patch.dict(sys.modules, {"torch": None}),
        pytest.raises(ImportError, match=r"device='cpu' needs torch: pip install"),
    ):
        LINEAR(device="cpu").fit(X, y)


def test_a_refused_fit_changes_nothing():
    X, y = load_iris(return_X_y=True)
    model = RIDGE(random_state=0).fit(X, y)
    before = model.log_ratio_
    refused(model.set_params(theta=np.inf), "Got inf", X=X, y=y)
    assert model.log_ratio_ == before


def test_ridge_adds_only_what_fits():
    X, y = data()
    model = RIDGE(random_state=0).fit(X, y)
    before = model.log_ratio_
    for other, message in (
        (RIDGE().fit(X[:, :2], y), "number of features, 3, got 2"),
        (RIDGE(fit_intercept=False).fit(X, y), "this one has True, the other False"),
    ):
        with pytest.raises(ValueError, match=message):
            model.merge(other)
    with pytest.raises(TypeError, match="merge takes a RashomonRidge, got int"):
        model.merge(3)
    assert model.log_ratio_ == before
    # the sums serve either model, so the last parameters hold for all rows
    model.set_params(fit_intercept=False).partial_fit(X + 1, y)
    whole = RIDGE(fit_intercept=False).fit(np.r_[X, X + 1], np.r_[y, y])
    assert_allclose(model.log_ratio_, whole.log_ratio_)


def test_far_rows_keep_finite_odds():
    X, y = data()
    model = LOGISTIC(predict_with="members", random_state=0).fit(X, y)
    assert np.isfinite(model.decision_function(1e6 * X)).all()
    mean = expit(model.members_.decision(X)).mean(axis=0)
    assert_allclose(model.predict_proba(X)[:, 1], mean)


def test_curve_needs_spaces():
    X, y = data()
    with pytest.raises(ValueError, match="param_range must hold at least one value"):
        rashomon_curve(RIDGE(), X, y, param_range=[])
    with pytest.raises(ValueError, match="must be one of the Rashomon estimators"):
        rashomon_curve(DecisionTreeClassifier(), X, y, param_range=[1])
    pipeline = make_pipeline(StandardScaler(), RIDGE())
    with pytest.raises(ValueError, match=r"got Pipeline\. .*model\[:-1\]\.transform"):
        rashomon_curve(pipeline, X, y, param_range=[1])


def test_a_slack_within_rounding_is_called_so(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"within rounding.*Raise theta"):
        RashomonLogisticRegression(theta=1e-15, random_state=0).fit(X, y)


def test_ridge_of_huge_weights_and_of_tiny_targets(rng):
    X = rng.normal(size=(40, 2))
    y = X[:, 0] + rng.normal(size=40)
    model = RashomonRidge(1e-9, n_members=2, random_state=0)
    loss = clone(model).fit(X, y).min_loss_
    heavy = clone(model).fit(X, y, sample_weight=np.full(40, 1e250))
    assert_allclose(heavy.min_loss_, loss, rtol=1e-9)
    assert np.isfinite(heavy.log_ratio_)
    with pytest.raises(ValueError, match="underflow"):
        clone(model).fit(X, y * 1e-200)


def test_ridge_merges_equal_features_alone(rng):
    X = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    y = X["a"] + rng.normal(size=40)
    one = RashomonRidge(n_members=2, random_state=0).fit(X, y)
    before = one.coef_.copy()
    with pytest.raises(ValueError, match=r"same order.*'a', 'b'.*'b', 'a'"):
        one.merge(clone(one).fit(X[["b", "a"]], y))
    assert_array_equal(one.coef_, before)


def test_searches_refuse_what_cannot_be_compared(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    mixed = [("a", LinearRegression()), ("b", LogisticRegression())]
    with pytest.raises(ValueError, match=r"same kind of target.*classifier and regr"):
        RashomonSearchCV(mixed).fit(X, y)
    one = [("b", LogisticRegression())]
    with pytest.raises(ValueError, match="two folds at least"):
        RashomonSearchCV(one, theta="1se", cv=ShuffleSplit(1)).fit(X, y)
    search = GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}).fit(X, y)
    search.cv_results_["iter"] = np.zeros(2)  # as successive halving has
    with pytest.raises(ValueError, match="numbers of rows that differ"):
        RashomonSearchCV.from_search(search, X, y)


def test_missing_labels_and_no_scores_are_refused():
    with pytest.raises(ValueError, match="got nan"):
        ambiguity([[np.nan, 1.0], [np.nan, 1.0]])
    with pytest.raises(ValueError, match="n_models, n_samples, n_classes"):
        rashomon_capacity(np.zeros((0, 3, 2)))
