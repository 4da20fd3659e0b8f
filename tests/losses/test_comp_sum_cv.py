"""CompSumClassifierCV: folds of whole rows, the grid, pruning."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_ext.losses import (
    CompSumClassifier,
    CompSumClassifierCV,
    certified_accuracy,
    certified_accuracy_scorer,
)
from sklearn_ext.losses._comp_sum_cv import _deviations
from tests._marks import CALLBACKS
from tests.losses.conftest import flipped

SMALL = {"Cs": [0.01, 0.1, 1.0], "taus": (1.0, 1.7)}


def test_scores_are_those_of_single_fits(table):
    X, y = table
    y = flipped(y, 0.2)
    folds = list(StratifiedKFold(3).split(X, y))
    w = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    options = {"prune": False, "standardize": False}
    model = CompSumClassifierCV(**SMALL, tol=1e-9, cv=folds, **options)
    model.fit(X, y, w)
    for k, (train, test) in enumerate(folds):
        for i, C in enumerate(model.Cs_):
            single = CompSumClassifier(1.0, C=C, tol=1e-9).fit(
                X[train], y[train], w[train]
            )
            score = accuracy_score(
                y[test], single.predict(X[test]), sample_weight=w[test]
            )
            assert_allclose(model.scores_[k, i, 0], score)
    last = CompSumClassifier(model.tau_, C=model.C_, tol=1e-9).fit(X, y, w)
    assert_allclose(model.coef_, last.coef_, atol=1e-6)
    assert model.best_score_ == model.scores_.mean(axis=0).max()


def test_ties_go_to_the_strongest_penalty_then_the_least_tau(wine):
    X, y = wine
    model = CompSumClassifierCV(Cs=[1e2, 1e3], taus=(1.0, 1.35), prune=False).fit(X, y)
    mean = model.scores_.mean(axis=0)
    i, j = np.argwhere(np.isclose(mean, mean.max()))[0]
    assert model.Cs_[i] == model.C_
    assert model.tau_ == model.taus_[j]


def test_copies_stand_on_one_side(table):
    X, y = table
    y = flipped(y, 0.2)
    times = np.random.default_rng(0).integers(0, 3, len(y))
    one = CompSumClassifierCV(**SMALL).fit(X, y, sample_weight=times)
    two = CompSumClassifierCV(**SMALL).fit(
        np.repeat(X, times, axis=0), np.repeat(y, times)
    )
    assert_allclose(one.scores_, two.scores_, rtol=1e-7)
    assert_allclose(one.coef_, two.coef_, rtol=1e-5, atol=1e-7)
    assert one.pruned_ == two.pruned_


def test_weights_times_a_constant_choose_the_same_model(table):
    X, y = table
    w = np.random.default_rng(1).random(len(y)) + 0.5
    one = CompSumClassifierCV(Cs=3).fit(X, y, w)
    three = CompSumClassifierCV(Cs=3).fit(X, y, 3 * w)
    assert_allclose(three.C_, one.C_ / 3)
    assert_allclose(three.coef_, one.coef_, rtol=1e-6, atol=1e-9)


def test_taus_without_one_still_start_there(wine):
    X, y = wine
    model = CompSumClassifierCV(taus=(0.5, 1.7), Cs=[0.1], prune=False).fit(X, y)
    assert_array_equal(model.taus_, [0.5, 1.7])
    assert model.scores_.shape == (5, 1, 2)


def test_a_class_of_one_row_is_always_trained_on(wine):
    X, y = wine
    y = y.copy()
    y[0] = 9
    model = CompSumClassifierCV(**SMALL).fit(X, y)
    assert 9 in model.classes_


@pytest.mark.parametrize("seed", [0, 1])
def test_pruning_helps_two_classes(seed):
    X, y = load_breast_cancer(return_X_y=True)
    X, noisy = scale(X), flipped(y, 0.3, seed)
    plain = CompSumClassifierCV(taus=(1.0,), prune=False).fit(X, noisy)
    auto = CompSumClassifierCV().fit(X, noisy)
    assert auto.pruned_
    assert auto.n_pruned_ > 50
    assert auto.score(X, y) > plain.score(X, y)


@pytest.mark.parametrize("rate", [0.0, 0.35])
def test_two_classes_are_pruned_unless_that_harms(cancer, rate):
    X, y = cancer
    t = flipped(y, rate, pair=True)
    options = {"Cs": 3, "taus": (0.5, 1.35)}
    model = CompSumClassifierCV(**options).fit(X, t)
    whole = CompSumClassifierCV(**options, prune=False).fit(X, t)
    assert model.pruned_
    assert_array_equal(model.taus_, [1.35])  # the closest to one
    assert model.scores_.shape == (5, 3, 1)
    best = whole.scores_.mean(axis=0).max()
    assert model.best_score_ > best - 0.02
    # a score that all suspect rows carry is lost by pruning: it is left
    loyal = CompSumClassifierCV(**options, scoring=_believes_labels).fit(X, t)
    if rate:
        assert not loyal.pruned_
        assert_array_equal(loyal.taus_, [0.5, 1.35])


def _believes_labels(model, X, y):
    """Penalise sure scores against a label."""
    own = np.searchsorted(model.classes_, y)
    return model.predict_log_proba(X)[np.arange(len(y)), own].mean()


def test_always_and_never(cancer):
    X, y = cancer
    y = flipped(y, 0.2)
    always = CompSumClassifierCV(**SMALL, prune=True).fit(X, y)
    never = CompSumClassifierCV(**SMALL, prune=False).fit(X, y)
    assert always.pruned_
    assert always.n_pruned_ > 0
    assert not never.pruned_
    assert never.n_pruned_ == 0


def test_scorer_and_groups(wine):
    X, y = wine
    groups = np.arange(len(y)) // 3
    splitter = GroupKFold(3)
    model = CompSumClassifierCV(
        **SMALL, cv=splitter, scoring="neg_log_loss", prune=False
    )
    model.fit(X, y, groups=groups)
    train, test = next(splitter.split(X, y, groups))
    single = CompSumClassifier(1, C=0.1).fit(X[train], y[train])
    score = -log_loss(y[test], single.predict_proba(X[test]), labels=[0, 1, 2])
    assert_allclose(model.scores_[0, 1, 0], score, rtol=1e-2)


def test_with_epsilon_certified_accuracy_decides(wine):
    X, y = wine
    options = {"epsilon": 0.4, "norm": np.inf}
    model = CompSumClassifierCV(**SMALL, **options, prune=False).fit(X, y)
    score = certified_accuracy(model, X, y, **options)
    assert abs(score - model.best_score_) < 0.1
    scorer = certified_accuracy_scorer(0.4, np.inf)
    same = CompSumClassifierCV(**SMALL, **options, prune=False, scoring=scorer)
    assert_allclose(same.fit(X, y).scores_, model.scores_)


def test_threads_change_nothing(wine):
    X, y = wine
    one = CompSumClassifierCV(**SMALL).fit(X, y)
    two = CompSumClassifierCV(**SMALL, n_jobs=2).fit(X, y)
    assert_array_equal(one.scores_, two.scores_)


def test_random_state_deals_other_folds(wine):
    X, y = wine
    y = flipped(y, 0.3)
    scores = [
        CompSumClassifierCV(**SMALL, random_state=s).fit(X, y).scores_ for s in (0, 1)
    ]
    assert not np.array_equal(*scores)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"taus": [-1]}, "taus must be non-negative numbers"),
        ({"taus": []}, "taus must be non-negative numbers"),
        ({"taus": [1, np.inf]}, "taus must be finite numbers"),
        ({"taus": ["a"]}, "taus must be non-negative numbers"),
        ({"Cs": [0.0, 1]}, "Cs must be positive numbers"),
        ({"cv": [(np.arange(50), np.arange(50, 178))]}, "fewer than two classes"),
        ({"cv": [(np.arange(178), [])]}, "tests no row"),
        ({"cv": [(np.arange(178), [178])]}, "rows beyond the 178 of X"),
        ({"cv": iter(())}, "has no folds"),
        ({"scoring": lambda *_: np.nan}, "score that is not finite"),
        ({"C_range": (1, np.inf)}, "C_range must be two positive finite"),
    ],
)
def test_refusals(wine, bad, match):
    with pytest.raises(ValueError, match=match):
        CompSumClassifierCV(**bad).fit(*wine)


def test_nothing_to_hold_out():
    X = np.random.default_rng(0).normal(size=(3, 2))
    with pytest.raises(ValueError, match="no class has two distinct rows"):
        CompSumClassifierCV().fit(X, [0, 1, 2])


def test_pruned_folds_have_not_seen_what_they_are_scored_on(rng):
    """Labels by chance on many columns: no score of a held-out row beats chance."""
    X, y = rng.normal(size=(300, 200)), rng.integers(0, 2, 300)
    model = CompSumClassifierCV(Cs=[1e-3, 1.0], taus=(1.0,), prune=True).fit(X, y)
    assert abs(model.best_score_ - 0.5) < 0.09  # three standard errors


def test_few_rows_are_pruned_by_what_two_folds_leave(rng):
    """Without two folds one class may be gone: its rows are then no suspects."""
    X, y = rng.normal(size=(7, 2)), np.array([0, 0, 0, 0, 0, 1, 1])
    model = CompSumClassifierCV(Cs=[1.0], taus=(1.0,), cv=3, prune=True).fit(X, y)
    assert set(model.predict(X)) <= {0, 1}


def test_equal_rows_of_other_labels_stand_on_one_side(rng):
    """A row labelled twice would else find its other label in the other folds."""
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    twice = np.r_[X, X], np.r_[y, (y + 1) % 3]
    model = CompSumClassifierCV(**SMALL).fit(*twice)
    rows = model._rows(*twice, None, model.classes_, reset=False)
    for train, test in model._folds(rows, None):
        assert not set(train % 60) & set(test % 60)
        assert set(rows.y[train]) == {0, 1, 2}


def test_labels_by_chance_of_rows_labelled_twice_score_one_half(rng):
    X = rng.normal(size=(150, 100))
    twice = np.r_[X, X], np.r_[np.zeros(150, int), np.ones(150, int)]
    options = {"Cs": [1.0], "taus": (1.0,)}
    for prune in (False, True):
        model = CompSumClassifierCV(**options, prune=prune).fit(*twice)
        assert_allclose(model.scores_, 0.5)


def test_a_class_that_only_shares_rows_is_left_in_every_fold(rng):
    """Two rows of the second class, both labelled twice: one fold must not own both."""
    X, y = rng.normal(size=(40, 2)), np.zeros(40, int)
    for copies in (1, 2, 3):
        shared = np.r_[X, X[:copies]], np.r_[y, np.ones(copies, int)]
        for n_folds in (2, 3, 5):
            model = CompSumClassifierCV(**SMALL, cv=n_folds).fit(*shared)
            rows = model._rows(*shared, None, model.classes_, reset=False)
            for train, _ in model._folds(rows, None):
                assert set(rows.y[train]) == {0, 1}


@pytest.mark.parametrize("prune", [False, True])
def test_units_of_the_columns_change_nothing(wine, prune):
    X, y = wine
    folds = list(StratifiedKFold(3).split(X, y))
    options = {"cv": folds, "prune": prune, "tol": 1e-9}
    seen = []

    def scorer(model, X, y):
        seen.append(X)
        return model.score(X, y)

    one = CompSumClassifierCV(**SMALL, **options).fit(X, y)
    units = np.r_[1e8, 1e-8, np.full(10, 3.0), 1.0]
    other = CompSumClassifierCV(**SMALL, **options, scoring=scorer)
    other.fit(X * units + 5 * units, y)
    assert_array_equal(other.scores_, one.scores_)
    assert_allclose(other.coef_ * units, one.coef_, rtol=1e-4, atol=1e-6)
    assert_allclose(seen[0], (X * units + 5 * units)[folds[0][1]])  # in their own
    assert_array_equal(other.predict(X * units + 5 * units), one.predict(X))


def test_standardized_is_what_a_scaler_in_front_does(wine):
    X, y = wine
    raw = X * np.r_[300.0, np.ones(12)]
    folds = list(StratifiedKFold(3).split(X, y))
    inside = CompSumClassifierCV(**SMALL, cv=folds, prune=False).fit(raw, y)
    plain = CompSumClassifierCV(**SMALL, cv=folds, prune=False, standardize=False)
    outside = make_pipeline(StandardScaler(), plain).fit(raw, y)
    assert_allclose(inside.predict_proba(raw), outside.predict_proba(raw), atol=1e-4)
    assert_allclose(inside.scores_, plain.scores_)


def test_columns_that_do_not_vary_and_sparse_ones(wine):
    X, y = wine
    X = np.column_stack([np.where(abs(X) > 0.5, X, 0), np.full(len(y), 1e5)])
    for dtype in (np.float64, np.float32):
        rows = X.astype(dtype)
        dense = CompSumClassifierCV(**SMALL).fit(rows, y)
        thin = CompSumClassifierCV(**SMALL).fit(sparse.csr_array(rows), y)
        assert abs(dense.coef_[:, -1]).max() < 1e-6
        assert_allclose(thin.scores_, dense.scores_)
        assert_array_equal(thin.predict(rows), dense.predict(rows))


def test_epsilon_is_in_the_units_of_the_columns(wine):
    X, y = wine
    options = {"epsilon": 0.2, "prune": False}
    one = CompSumClassifierCV(**SMALL, **options).fit(3 * X, y)
    two = CompSumClassifierCV(**SMALL, **options, standardize=False).fit(3 * X, y)
    assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounding_does_not_make_a_column_vary(rng, dtype):
    X = rng.normal(size=(30_000, 3)).astype(dtype) + dtype(1e3)
    X[:, 1] = 0.1
    weight = rng.random(len(X))
    for rows in (X, sparse.csr_array(X)):
        found = _deviations(rows, weight)
        assert found[1] == 1.0
        assert_allclose(found[[0, 2]], 1, rtol=0.03)


class Watch:
    """A callback that notes tasks and models, and stops after some folds."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after

    def setup(self, estimator, context):
        self.tasks, self.models, self.n_tasks = [], [], context.max_subtasks

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.parent is None:
            return False
        self.tasks.append(context.task_name)
        self.models.append(fitted_estimator)
        return len(self.tasks) == self.stop_after

    def teardown(self, estimator, context):
        pass


@CALLBACKS
@pytest.mark.parametrize("prune", [False, "auto", True])
def test_callbacks_see_each_fold_of_each_pass(wine, prune):
    X, y = wine
    watch = Watch()
    model = CompSumClassifierCV(**SMALL, cv=3, prune=prune, n_jobs=2)
    alone = clone(model).fit(X, y)
    model.set_callbacks(watch).fit(X, y)
    assert watch.tasks == ["fold"] * (3 if prune is False else 6)
    assert watch.n_tasks == len(watch.tasks)
    assert_array_equal(model.scores_, alone.scores_)
    assert_array_equal(model.coef_, alone.coef_)


@CALLBACKS
def test_callback_that_stops_has_the_best_of_the_folds_so_far_fitted(wine):
    X, y = wine
    y = flipped(y, 0.2)
    folds = list(StratifiedKFold(4).split(X, y))
    watch = Watch(stop_after=2)
    model = CompSumClassifierCV(**SMALL, cv=folds).set_callbacks(watch).fit(X, y)
    two = CompSumClassifierCV(**SMALL, cv=folds[:2], prune=False).fit(X, y)
    assert_array_equal(model.scores_, two.scores_)
    assert (model.C_, model.tau_, model.pruned_) == (two.C_, two.tau_, False)
    assert_array_equal(model.coef_, two.coef_)
    assert_array_equal(watch.models[1].coef_, two.coef_)
    assert_array_equal(watch.models[1].predict(X), two.predict(X))


@CALLBACKS
def test_pruning_is_not_judged_by_some_of_the_folds(cancer):
    X, y = cancer
    y = flipped(y, 0.2)
    whole = CompSumClassifierCV(**SMALL, cv=3).fit(X, y)
    assert whole.pruned_
    stopped = CompSumClassifierCV(**SMALL, cv=3).set_callbacks(Watch(5)).fit(X, y)
    assert not stopped.pruned_
    assert len(stopped.scores_) == 3
    last = CompSumClassifierCV(**SMALL, cv=3).set_callbacks(Watch(6)).fit(X, y)
    assert last.pruned_
    assert_array_equal(last.coef_, whole.coef_)
    asked = CompSumClassifierCV(**SMALL, cv=3, prune=True).set_callbacks(Watch(5))
    assert asked.fit(X, y).pruned_
    assert len(asked.scores_) == 2
