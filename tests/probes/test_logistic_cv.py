"""LogisticProbeCV and logistic_probe_path: selection, routing, errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_wine
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


def test_few_rows_are_dealt_into_five_folds(rng):
    X, y = data_of(rng, n=203)
    y[:198], y[198:200], y[200:202], y[202] = np.arange(198) % 2, 2, 3, 4
    folds = list(LogisticProbeCV(random_state=0)._splitter(y).split(X, y))
    assert len(folds) == 5
    held = np.concatenate([test for _, test in folds])
    assert_array_equal(np.sort(held), np.arange(202))  # the row of class 4 never
    for train, test in folds:
        assert len(test) in (40, 41)
        assert len(np.intersect1d(train, test)) == 0
        assert len(train) + len(test) == len(y)
        assert_array_equal(np.unique(y[train]), np.arange(5))
        assert np.bincount(y[test])[:2].min() >= 19
    assert len(list(LogisticProbeCV()._splitter().split(X[:3], [0, 0, 1]))) == 2


@pytest.mark.parametrize(("n", "n_folds"), [(9999, 5), (10_000, 1)])
def test_many_rows_are_held_out_once(rng, n, n_folds):
    X, y = data_of(rng, n=n, d=2)
    assert LogisticProbeCV(2, random_state=0).fit(X, y).scores_.shape == (n_folds, 2)


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


@pytest.mark.parametrize("cv", [None, 0.1])
def test_classes_of_one_row_cannot_be_held_out(cv):
    with pytest.raises(ValueError, match="no class has two rows"):
        LogisticProbeCV(cv=cv).fit([[0.0], [1.0]], [0, 1])


def test_failed_fit_leaves_the_old_one(rng):
    X, y = data_of(rng)
    probe = LogisticProbeCV(CS).fit(X, y)
    before = dict(vars(probe))
    with pytest.raises(ValueError, match="at least 2 classes"):
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


def test_path_function_names_what_is_wrong(rng):
    X, y = data_of(rng)
    with pytest.warns(ConvergenceWarning, match="did not converge at C=5"):
        logistic_probe_path(X, y, [5.0], max_iter=1)
    with pytest.raises(ValueError, match="Cs must be a list of positive numbers"):
        logistic_probe_path(X, y, [0.0])
    with pytest.raises(InvalidParameterError, match="'tol'"):
        logistic_probe_path(X, y, [1.0], tol=-1)
