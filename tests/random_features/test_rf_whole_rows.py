"""Equal rows are one row that leaves as a whole: weights, copies, order and blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)
from tests.random_features._given import RidgeOnlyClassifierCV, RidgeOnlyCV, given

TUNED = [RandomFeatureRidgeCV, RandomFeatureRidgeClassifierCV]
WIDTHS = [20, 200, "infinite"]


def make(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    return X, np.sin(2 * X[:, 0]) + 0.5 * rng.standard_normal(n)


def target(cls, y):
    return (y > 0).astype(int) if "Classifier" in cls.__name__ else y


def answers(model, X):
    """Everything that a change of weights alone must leave as it is."""
    found = [model.predict(X), np.atleast_1d(model.best_score_), model.loo_error_path_]
    if hasattr(model, "predict_proba"):
        found += [model.predict_proba(X), np.atleast_1d(model.temperature_)]
    else:
        found.append(model.predict_interval(X))
    found += [model.gcv_path_, model.dof_path_, np.atleast_1d(model.fitting_ratio_)]
    return [*found, np.atleast_1d(model.kappa_)]


@pytest.mark.parametrize("factor", [1e-3, 2.0, 1e4])
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("cls", TUNED)
def test_a_factor_of_all_weights_is_one_of_the_ridge(cls, k, factor):
    X, y = make()
    w = np.random.default_rng(1).uniform(0.5, 3, len(X))
    plain = given(cls)(k, random_state=0).fit(X, target(cls, y), w)
    scaled = given(cls)(k, random_state=0).fit(X, target(cls, y), factor * w)
    assert_allclose(scaled.alphas_, factor * plain.alphas_, rtol=1e-9)
    assert_allclose(scaled.alpha_, factor * plain.alpha_, rtol=1e-9)
    for ours, theirs in zip(answers(scaled, X), answers(plain, X), strict=True):
        mild = slice(12, None) if len(ours) == len(plain.alphas_) else slice(None)
        assert_allclose(ours[mild], theirs[mild], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("cv", ["gcv", 4, KFold(4)])
@pytest.mark.parametrize("k", WIDTHS)
def test_a_factor_of_all_weights_changes_no_other_choice(k, cv):
    X, y = make()
    plain = RidgeOnlyCV(k, cv=cv, random_state=0).fit(X, y)
    scaled = RidgeOnlyCV(k, cv=cv, random_state=0)
    scaled.fit(X, y, np.full(len(X), 7.0))
    assert_allclose(scaled.alpha_, 7 * plain.alpha_, rtol=1e-9)
    assert_allclose(scaled.predict(X), plain.predict(X), rtol=1e-6)


def test_heavy_weights_on_diabetes_choose_and_cover_as_before():
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = RidgeOnlyCV(random_state=0)
    for factor in (1.0, 2.0, 1000.0):
        model.fit(X[:300], y[:300], np.full(300, factor))
        low, high = model.predict_interval(X[300:]).T
        assert model.score(X[300:], y[300:]) > 0.4
        assert 0.8 < np.mean((low <= y[300:]) & (y[300:] <= high)) < 0.97


def test_heavy_weights_on_breast_cancer_keep_probabilities():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    temperatures = [
        RidgeOnlyClassifierCV(100, random_state=0)
        .fit(X[:200], y[:200], np.full(200, factor))
        .temperature_
        for factor in (1.0, 10.0, 0.01)
    ]
    assert_allclose(temperatures, temperatures[0], rtol=1e-6)


@pytest.mark.parametrize("cv", ["loo", "gcv", 3, 10])
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("cls", TUNED)
def test_repetition_is_weight_in_every_choice(cls, k, cv):
    X, y = make()
    y = target(cls, y)
    w = np.random.default_rng(2).integers(0, 4, len(X))
    model = given(cls)(k, cv=cv, refine=True, random_state=0)
    weighted = clone(model).fit(X, y, w)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    shuffled = np.random.default_rng(3).permutation(w.sum())
    mixed = clone(model).fit(
        np.repeat(X, w, axis=0)[shuffled], np.repeat(y, w)[shuffled]
    )
    for other, rtol in ((repeated, 1e-12), (mixed, 1e-6)):
        assert_allclose(other.alpha_, weighted.alpha_, rtol=rtol)
        assert_allclose(other.predict(X), weighted.predict(X), rtol=rtol)
        assert_allclose(other.best_score_, weighted.best_score_, rtol=rtol)
        assert_allclose(other.kappa_, weighted.kappa_, rtol=rtol)
        if hasattr(model, "predict_proba"):
            assert_allclose(other.temperature_, weighted.temperature_, rtol=rtol)
        elif cv == "loo":
            ends = [m.predict_interval(X) for m in (other, weighted)]
            assert_allclose(*ends, rtol=rtol)


@pytest.mark.parametrize("cv", ["loo", "gcv", 4])
@pytest.mark.parametrize("k", [60, "infinite"])
def test_copies_of_noise_do_not_leak(k, cv):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 4)), rng.standard_normal(80)
    twice = np.r_[X, X], np.r_[y, y]
    once = RidgeOnlyCV(k, cv=cv, random_state=0).fit(X, y)
    model = RidgeOnlyCV(k, cv=cv, random_state=0).fit(*twice)
    assert -model.best_score_ > 0.8 * y.var()
    assert_allclose(model.best_score_, once.best_score_, rtol=1e-6)
    assert_allclose(model.predict(X), once.predict(X), rtol=1e-6, atol=1e-9)


def test_results_have_one_line_for_each_row_of_the_data():
    X, y = make(20)
    w = np.r_[0.0, np.full(19, 1.5)]
    X, y, w = np.r_[X, X[:5]], np.r_[y, y[:5]], np.r_[w, np.ones(5)]
    model = RidgeOnlyCV(15, [1.0], store_cv_results=True, random_state=0)
    model.fit(X, y, w)
    assert model.loo_indices_.tolist() == list(range(1, 25))
    held = dict(zip(model.loo_indices_, model.loo_residuals_, strict=True))
    assert [held[20 + i] for i in range(1, 5)] == [held[i] for i in range(1, 5)]
    for i in (1, 10, 20):  # of a row all copies leave
        kept = ~(X[i] == X).all(axis=1)
        fixed = RandomFeatureRidge(15, 1.0, random_state=0)
        fixed.fit(X[kept], y[kept], w[kept])
        expected = y[i] - fixed.predict(X[i : i + 1])[0]
        assert_allclose(held[i], expected, rtol=1e-8)
    assert_allclose(model.loo_predictions_ + model.loo_residuals_, y[1:])
    assert model.cv_results_.shape == (24, 1)
    assert_allclose(model.cv_results_[:, 0], model.loo_residuals_**2)
    error = np.average(model.loo_residuals_**2, weights=w[1:])
    assert_allclose(model.loo_error_path_, [error])
    assert model.n_samples_seen_ == 24


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("cv", ["loo", KFold(5)])
def test_a_scorer_sees_rows_as_they_are(cv, weighted):
    X, y = make(30)
    X, y = np.r_[X, X[:10]], np.r_[y, y[:10]]
    w = np.linspace(0.5, 3, 40) if weighted else None
    seen = []

    def scorer(model, X, y, sample_weight=None):
        seen.append((len(y), None if sample_weight is None else sample_weight.sum()))
        return get_scorer("neg_mean_absolute_error")(
            model, X, y, sample_weight=sample_weight
        )

    model = RidgeOnlyCV(10, [1.0], cv=cv, scoring=scorer, random_state=0)
    model.fit(X, y, w)
    assert sum(n for n, _ in seen) == 40
    if weighted:
        assert_allclose(sum(total for _, total in seen), w.sum())
    else:
        assert {total for _, total in seen} == {None}


def test_splitters_of_the_user_see_rows_as_they_are():
    X, y = make(20)
    X, y = np.r_[X, X[:4]], np.r_[y, y[:4]]
    folds = list(KFold(3).split(X))
    model = RidgeOnlyCV(15, [0.5], cv=folds, random_state=0).fit(X, y)
    errors = []
    for train, test in folds:
        fixed = RandomFeatureRidge(15, 0.5, random_state=0).fit(X[train], y[train])
        errors.append(np.mean((y[test] - fixed.predict(X[test])) ** 2))
    assert_allclose(model.fold_error_path_, [np.mean(errors)], rtol=1e-8)
    dual = RidgeOnlyCV(15, [0.5], cv=folds, solver="dual", random_state=0)
    assert_allclose(dual.fit(X, y).fold_error_path_, [np.mean(errors)], rtol=1e-8)


@pytest.mark.parametrize("cls", TUNED)
def test_folds_by_number_are_the_same_in_any_order(cls):
    X, y = make()
    y = target(cls, y)
    order = np.random.default_rng(0).permutation(len(X))
    one = given(cls)(20, cv=4, random_state=0).fit(X, y)
    two = given(cls)(20, cv=4, random_state=0).fit(X[order], y[order])
    assert_allclose(two.fold_error_path_, one.fold_error_path_, rtol=1e-6)
    with pytest.raises(ValueError, match="cv=70 folds need as many rows that differ"):
        given(cls)(20, cv=70).fit(X, y)


@pytest.mark.parametrize("limit", [15, 1000])
def test_a_sample_of_blocks_is_that_of_the_whole_in_any_order(limit):
    X, y = make(200)
    X, y = np.r_[X, X[:50]], np.r_[y, y[:50]]  # copies in other blocks
    model = RidgeOnlyCV(20, [0.1, 1.0], loo_subset=limit, random_state=0)
    whole = clone(model).fit(X, y)
    order = np.argsort(X[:, 0])
    blocks = [(X[part], y[part]) for part in np.array_split(order, 7)]
    parts, joined = clone(model), clone(model).fit_blocks(blocks)
    for block in blocks:
        parts.partial_fit(*block)
    for other in (parts, joined):
        assert_allclose(other.loo_error_path_, whole.loo_error_path_, rtol=1e-9)
        assert_allclose(
            other.component_coef_, whole.component_coef_, rtol=1e-9, atol=1e-12
        )
        assert_allclose(other.predict_interval(X), whole.predict_interval(X))


def test_rows_sorted_inside_their_blocks_are_sampled_evenly():
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(8000, 1)), rng.standard_normal(8000)
    parts = [part[np.argsort(X[part, 0])] for part in np.split(np.arange(8000), 20)]
    model = RidgeOnlyCV(20, loo_subset=800, random_state=0)
    model.fit_blocks([(X[part], y[part]) for part in parts])
    # 800 of 400 positions in 20 blocks: independent draws miss exp(-2) of them
    positions, counts = np.unique(model.loo_indices_, return_counts=True)
    assert counts.sum() == 800
    assert len(positions) > 0.8 * 400
    assert kstest(model.loo_indices_ / 400, "uniform").pvalue > 0.01


@pytest.mark.parametrize("cls", [RandomFeatureRidge, RandomFeatureRidgeClassifier])
def test_a_given_ridge_is_absolute(cls):
    X, y = make()
    y = target(cls, y)
    plain = given(cls)(20, 1.0, random_state=0).fit(X, y)
    scaled = given(cls)(20, 5.0, random_state=0).fit(X, y, np.full(len(X), 5.0))
    assert_allclose(scaled.component_coef_, plain.component_coef_, rtol=1e-8)
    assert_allclose(scaled.kappa_, plain.kappa_, rtol=1e-8)
    assert_allclose(scaled.fitting_ratio_, plain.fitting_ratio_, rtol=1e-8)


def test_copies_alone_leave_nothing_to_predict_from():
    X, y = np.ones((5, 2)), np.ones(5)
    with pytest.raises(ValueError, match="got n_samples=1: equal rows count as one"):
        RidgeOnlyCV(10).fit(X, y)


@pytest.mark.parametrize("cls", TUNED)
def test_scores_that_are_equal_but_for_rounding_are_ties(cls):
    X, y = make()
    model = given(cls)(20, [1e4, 1e5, 1e6], scoring=lambda model, X, y: 0.1 + 0.2)
    assert model.fit(X, target(cls, y)).alpha_ == 1e6
    found = iter([0.3, 0.1 + 0.2, 0.3])
    model.set_params(scoring=lambda model, X, y: next(found))
    assert model.fit(X, target(cls, y)).alpha_ == 1e6
