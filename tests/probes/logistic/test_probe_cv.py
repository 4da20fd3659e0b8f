"""LogisticProbeCV and logistic_probe_path: selection, routing, errors."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GroupKFold, KFold
from sklearn.preprocessing import scale
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ext.probes import LogisticProbe, LogisticProbeCV, logistic_probe_path

CS = [0.01, 0.1, 1.0]


def data_of(rng, n=120, d=6, k=3):
    y = np.r_[np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)]
    return rng.standard_normal((n, d)) + 0.6 * rng.standard_normal((k, d))[y], y


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_scores_are_those_of_single_fits(rng, scoring):
    X, y = data_of(rng)
    probe = LogisticProbeCV(CS, cv=KFold(3), scoring=scoring, tol=1e-10).fit(X, y)
    for fold, (train, test) in enumerate(KFold(3).split(X)):
        for at, C in enumerate(CS):
            one = LogisticProbe(C, tol=1e-10).fit(X[train], y[train])
            if scoring is None:
                score = one.score(X[test], y[test])
            else:
                proba = one.predict_proba(X[test])
                score = np.mean(np.log(proba[np.arange(len(test)), y[test]]))
            assert_allclose(probe.scores_[fold, at], score, rtol=1e-3)
    means = probe.scores_.mean(0)
    assert CS[int(means.argmax())] == probe.C_
    assert probe.best_score_ == means.max()
    refit = LogisticProbe(probe.C_, tol=1e-10).fit(X, y)
    assert_allclose(probe.coef_, refit.coef_, atol=1e-6)


def test_ties_go_to_the_stronger_penalty(rng):
    X, y = data_of(rng)
    probe = LogisticProbeCV([1.0, 0.01, 0.1], scoring=lambda *_: 0.5).fit(X, y)
    assert probe.C_ == 0.01
    assert_array_equal(probe.Cs_, CS)


def test_refinement_halves_the_bracket(rng):
    X, y = data_of(rng)
    probe = LogisticProbeCV([1e-2, 1, 1e2], refine=2, scoring="neg_log_loss", cv=3)
    coarse = LogisticProbeCV([1e-2, 1, 1e2], scoring="neg_log_loss", cv=3).fit(X, y)
    probe.fit(X, y)
    assert 3 < len(probe.Cs_) <= 7
    assert probe.scores_.shape == (3, len(probe.Cs_))
    assert np.all(np.diff(probe.Cs_) > 0)
    assert probe.best_score_ >= coarse.best_score_
    at = int(np.flatnonzero(probe.Cs_ == probe.C_)[0])
    near = probe.Cs_[max(at - 1, 0) : at + 2]
    assert np.log10(near[-1] / near[0]) <= 1 + 1e-9  # from 2 decades a side to 1/2


def test_held_out_fraction_takes_every_class(rng):
    X, y = data_of(rng, n=200)
    y[:190], y[190:199], y[199] = 0, 1, 2
    seen = []

    def scorer(probe, X_test, y_test):
        seen.append(y_test)
        return probe.score(X_test, y_test)

    LogisticProbeCV(2, cv=0.2, scoring=scorer, random_state=0).fit(X, y)
    assert_array_equal(np.bincount(seen[0], minlength=3), [38, 2, 0])


def folds_of(X, y, cv=None, weight=None, random_state=None):
    """Return the folds that a scorer and the rows it is handed give away."""
    held = []

    def scorer(probe, X_test, y_test):
        held.append(X_test[:, -1].astype(int))
        return 0.0

    X = np.column_stack([X, np.arange(len(X))])
    probe = LogisticProbeCV([1.0], cv=cv, scoring=scorer, random_state=random_state)
    probe.fit(X, y, sample_weight=weight)
    return held


def test_few_rows_are_dealt_into_five_folds(rng):
    X, y = data_of(rng, n=203)
    y[:198], y[198:200], y[200:202], y[202] = np.arange(198) % 2, 2, 3, 4
    folds = folds_of(X, y)
    assert len(folds) == 5
    assert_array_equal(np.sort(np.concatenate(folds)), np.arange(202))  # never class 4
    for test in folds:
        assert len(test) in (40, 41)
        assert_array_equal(np.unique(np.delete(y, test)), np.arange(5))
        assert np.bincount(y[test])[:2].min() >= 19
    assert len(folds_of(X[:3], [0, 0, 1])) == 2


def test_an_integer_is_the_number_of_folds(rng):
    X, y = data_of(rng)
    assert [len(test) for test in folds_of(X, y, cv=3)] == [40, 40, 40]


@pytest.mark.parametrize(("n", "n_folds"), [(9999, 5), (10_000, 1)])
def test_many_rows_are_held_out_once(rng, n, n_folds):
    X, y = data_of(rng, n=n, d=2)
    assert LogisticProbeCV(2, random_state=0).fit(X, y).scores_.shape == (n_folds, 2)


@pytest.mark.parametrize("cv", [None, 3, 0.2])
def test_folds_repeat_and_follow_the_seed(rng, cv):
    X, y = data_of(rng)
    first, again = folds_of(X, y, cv), folds_of(X, y, cv)
    other = folds_of(X, y, cv, random_state=1)
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


def test_folds_follow_rows_and_not_their_order(rng):
    X, y = data_of(rng)
    order = rng.permutation(len(y))
    probe, moved = (
        LogisticProbeCV(5, tol=1e-8).fit(*rows)
        for rows in ((X, y), (X[order], y[order]))
    )
    assert_allclose(moved.scores_, probe.scores_)
    assert moved.C_ == probe.C_


@pytest.mark.parametrize("cv", [None, 3, 0.2])
@pytest.mark.parametrize("form", [sparse.csr_array, lambda X: X.astype(np.float32)])
def test_folds_are_the_same_for_every_storage(rng, cv, form):
    X, y = data_of(rng)
    params = {"Cs": 3, "cv": cv, "tol": 1e-8, "scoring": "neg_log_loss"}
    plain, stored = (LogisticProbeCV(**params).fit(rows, y) for rows in (X, form(X)))
    assert_allclose(stored.scores_, plain.scores_, rtol=1e-3)


@pytest.mark.parametrize("cv", [None, 3, 0.2])
def test_weights_are_repeats_in_selection_too(rng, cv):
    X, y = data_of(rng)
    weight = rng.integers(0, 4, len(y))
    params = {"cv": cv, "scoring": "neg_log_loss", "tol": 1e-8}
    weighted = LogisticProbeCV(5, **params).fit(X, y, weight)
    rows = rng.permutation(np.repeat(np.arange(len(y)), weight))
    repeated = LogisticProbeCV(5, **params).fit(X[rows], y[rows])
    kept = weight > 0
    absent = LogisticProbeCV(5, **params).fit(X[kept], y[kept], weight[kept])
    for other in (repeated, absent):
        assert_allclose(other.Cs_, weighted.Cs_, rtol=1e-12)
        assert_allclose(other.scores_, weighted.scores_, rtol=1e-6)
        assert_allclose(other.coef_, weighted.coef_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("factor", [1 / 150, 2.0, 100.0])
@pytest.mark.parametrize("class_weight", [None, {0: 2.0}, "balanced"])
def test_the_scale_of_weights_does_not_choose_the_model(factor, class_weight):
    X, y = load_iris(return_X_y=True)
    weight = 1.0 + np.arange(len(y)) % 3
    one, other = (
        LogisticProbeCV(7, class_weight=class_weight, tol=1e-6).fit(X, y, w)
        for w in (weight, factor * weight)
    )
    assert_allclose(other.scores_, one.scores_)
    assert_allclose(other.C_ * factor, one.C_)
    assert_allclose(other.coef_, one.coef_, rtol=1e-4, atol=1e-6)


def test_a_grid_that_is_listed_is_absolute(rng):
    X, y = data_of(rng)
    probe = LogisticProbeCV(CS).fit(X, y, np.full(len(y), 7.0))
    assert_array_equal(probe.Cs_, CS)


def test_folds_that_have_no_score_are_left_out_and_named(rng):
    X, y = rng.standard_normal((60, 4)), np.r_[np.zeros(58), 1, 1]
    X[58:] += 1
    params = {"scoring": "roc_auc", "Cs": 4}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        probe = LogisticProbeCV(cv=3, **params).fit(X, y)
    message = "NaN in 1 of 3 folds, which are left out of the mean"
    assert any(message in str(warning.message) for warning in caught)
    usable = np.isfinite(probe.scores_).all(axis=1)
    assert usable.sum() == 2
    means = probe.scores_[usable].mean(axis=0)
    assert probe.Cs_[means.argmax()] == probe.C_
    assert probe.best_score_ == means.max()
    assert caught[-1].filename == __file__


def test_no_score_at_all_is_refused(rng):
    X, y = data_of(rng)
    probe = LogisticProbeCV(CS).fit(X, y)
    before = dict(vars(probe))
    probe.scoring = before["scoring"] = lambda *_: np.nan
    with pytest.raises(ValueError, match="No fold has a score for every C"):
        probe.fit(X, y)
    assert vars(probe) == before


def test_ties_but_for_rounding_go_to_the_stronger_penalty(rng):
    X, y = data_of(rng)
    means = iter([0.1 + 0.2, 0.3, 0.1])  # the first is an ulp above the second

    def scorer(probe, X_test, y_test):
        return next(means)

    probe = LogisticProbeCV([0.01, 0.1, 1.0], cv=0.2, scoring=scorer).fit(X, y)
    assert probe.C_ == 0.01
    means = iter([0.3, 0.1 + 0.2, 0.1])
    assert probe.fit(X, y).C_ == 0.01


def test_five_folds_of_few_rows_beat_one_tenth():
    X, y = load_wine(return_X_y=True)
    X, found = scale(X), {None: [], 0.1: []}
    for seed in range(5):
        rows = np.random.RandomState(seed).permutation(len(y))
        fit, new = rows[:89], rows[89:]
        for cv, accuracy in found.items():
            probe = LogisticProbeCV(cv=cv, random_state=seed).fit(X[fit], y[fit])
            accuracy.append(probe.score(X[new], y[new]))
    assert np.mean(found[None]) > np.mean(found[0.1]) + 0.01


def test_jobs_do_not_matter(rng):
    X, y = data_of(rng)
    one, two = (LogisticProbeCV(5, cv=3, n_jobs=n).fit(X, y) for n in (1, 2))
    assert_array_equal(one.scores_, two.scores_)


def test_sparse(rng):
    X, y = data_of(rng)
    dense, thin = (
        LogisticProbeCV(CS, cv=3).fit(f(X), y) for f in (np.array, sparse.csr_array)
    )
    assert_allclose(thin.scores_, dense.scores_, atol=0.03)


def test_groups_and_weights_without_routing(rng):
    X, y = data_of(rng)
    groups, weight = np.arange(len(y)) % 4, rng.integers(1, 4, len(y))
    probe = LogisticProbeCV(CS, cv=GroupKFold(2)).fit(X, y, weight, groups=groups)
    train, test = next(GroupKFold(2).split(X, y, groups))
    one = LogisticProbe(CS[0]).fit(X[train], y[train], weight[train])
    score = accuracy_score(y[test], one.predict(X[test]), sample_weight=weight[test])
    assert_allclose(probe.scores_[0, 0], score)
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing"):
        probe.fit(X, y, price=weight)


def test_routing_reaches_splitter_and_scorer(rng):
    X, y = data_of(rng)
    groups, price = np.arange(len(y)) % 4, rng.integers(1, 4, len(y))
    seen = []

    def priced(y_true, y_pred, price):
        seen.append(len(price))
        return accuracy_score(y_true, y_pred, sample_weight=price)

    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(priced).set_score_request(price=True)
        probe = LogisticProbeCV(CS, cv=GroupKFold(2), scoring=scorer)
        probe.fit(X, y, groups=groups, price=price)
        assert seen == [60] * 6
        with pytest.raises(TypeError, match="unexpected"):
            probe.fit(X, y, groups=groups, cost=price)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"Cs": [1.0, -1.0]}, "Cs must be a list of positive numbers"),
        ({"C_range": (0, 1)}, "C_range must be a list of positive numbers"),
        ({"C_range": (1, 2, 3)}, "C_range must be two positive finite numbers"),
        ({"Cs": 0}, "'Cs'"),
        ({"cv": 1.5}, "'cv'"),
    ],
)
def test_bad_parameters(rng, params, match):
    X, y = data_of(rng)
    error = InvalidParameterError if match.startswith("'") else ValueError
    with pytest.raises(error, match=match):
        LogisticProbeCV(**params).fit(X, y)


@pytest.mark.parametrize("cv", [None, 4, 0.1])
def test_classes_of_one_row_cannot_be_held_out(cv):
    with pytest.raises(ValueError, match="no class has two distinct rows"):
        LogisticProbeCV(cv=cv).fit([[0.0], [0.0], [1.0]], [0, 0, 1])


def test_failed_fit_leaves_the_old_one(rng):
    X, y = data_of(rng)
    probe = LogisticProbeCV(CS).fit(X, y)
    before = dict(vars(probe))
    with pytest.raises(ValueError, match="at least two classes"):
        probe.fit(X, np.zeros(len(y)))
    assert vars(probe) == before


def test_path_function_is_single_fits(rng):
    X, y = data_of(rng)
    weight = rng.integers(1, 3, len(y))
    coefs, intercepts, info = logistic_probe_path(
        X, y, [1.0, 0.01], sample_weight=weight, tol=1e-12
    )
    for C, coef, intercept in zip([1.0, 0.01], coefs, intercepts, strict=True):
        one = LogisticProbe(C, tol=1e-12).fit(X, y, weight)
        assert_allclose(coef, one.coef_, atol=1e-5)
        assert_allclose(intercept, one.intercept_, atol=1e-4)
    assert info.converged.all()
    assert info.gap_bound.shape == (2,)


@pytest.mark.parametrize("preconditioner", [None, "diag"])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_converged_on_a_path_is_true(load, preconditioner):
    X, y = load(return_X_y=True)  # columns in units that differ by 1e5
    Cs = np.geomspace(1e-3, 1e1, 7)
    best = logistic_probe_path(X, y, Cs, tol=1e-10, max_iter=5000, memory=30)[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # some reach max_iter
        info = logistic_probe_path(X, y, Cs, preconditioner=preconditioner)[2]
    gap = info.objective / best.objective - 1
    assert gap[info.converged].max() < 2e-3  # was .2
    assert info.converged.sum() >= 4


def test_path_function_names_what_is_wrong(rng):
    X, y = data_of(rng)
    with pytest.warns(ConvergenceWarning, match="did not converge at C=5"):
        logistic_probe_path(X, y, [5.0], max_iter=1)
    with pytest.raises(ValueError, match="Cs must be a list of positive numbers"):
        logistic_probe_path(X, y, [0.0])
    with pytest.raises(InvalidParameterError, match="'tol'"):
        logistic_probe_path(X, y, [1.0], tol=-1)


def test_one_number_weighs_every_row():
    X, y = load_iris(return_X_y=True)
    expected = LogisticProbeCV(Cs=4).fit(X, y, sample_weight=np.full(150, 2.0))
    found = LogisticProbeCV(Cs=4).fit(X, y, sample_weight=2.0)
    assert found.C_ == expected.C_
    assert_allclose(found.coef_, expected.coef_)


@pytest.mark.parametrize(("cv", "draws"), [(KFold(3), 0), (3, 1), (None, 1)])
def test_a_splitter_leaves_the_generator_alone(rng, cv, draws):
    X, y = data_of(rng)
    mine, other = np.random.RandomState(0), np.random.RandomState(0)
    LogisticProbeCV(2, cv=cv, random_state=mine).fit(X, y)
    other.randint(2**31 - 1, size=draws)
    assert mine.randint(10**6) == other.randint(10**6)
