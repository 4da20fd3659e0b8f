"""Gradient flow and iterated ridge against explicit refits, and what they refuse."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
    RandomFeatures,
)
from tests.random_features._given import RidgeOnlyClassifierCV, RidgeOnlyCV
from tests.random_features.test_rf_loo import make

TIMES = np.array([0.3, 3.0, 30.0, 1000.0])


def features(X, k):
    return RandomFeatures(n_components=k, random_state=0).fit_transform(X)


def centre(Phi, Y, w, fit_intercept):
    share = w / w.sum() if fit_intercept else np.zeros(len(w))
    mean, y_mean, root = share @ Phi, share @ Y, np.sqrt(w)[:, None]
    return root * (Phi - mean), root * (Y - y_mean), mean, y_mean


def flow(A, B, times):
    """Integrate gradient descent by matrix exponentials, of shape (n_times, k, t)."""
    k, t = A.shape[1], B.shape[1]
    system = np.block([[-A.T @ A, A.T @ B], [np.zeros((t, k + t))]])
    return np.array([expm(time * system)[:k, k:] for time in times])


def iterated(A, B, times):
    def ridge(target, alpha):
        return Ridge(alpha, fit_intercept=False, solver="svd").fit(A, target).coef_.T

    once = [ridge(B, 1 / time) for time in times]
    return np.array(
        [c + ridge(B - A @ c, 1 / time) for c, time in zip(once, times, strict=True)]
    )


REFITS = {"flow": flow, "iterated": iterated}


def left_out(refit, X, Y, k, w, fit_intercept, times=TIMES):
    """Return residuals (n_times, n, t) of rows that leave with their whole weight."""
    Phi, found = features(X, k), []
    for i in range(len(X)):
        left = np.where(np.arange(len(X)) == i, 0.0, w)
        A, B, mean, y_mean = centre(Phi, Y, left, fit_intercept)
        coef = refit(A, B, times)
        found.append(Y[i] - y_mean - (Phi[i] - mean) @ coef)
    return np.swapaxes(found, 0, 1)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("k", [9, 24, 60])
@pytest.mark.parametrize("name", REFITS)
def test_residuals_equal_refits(name, k, weighted, fit_intercept):
    X, Y = make(24, t=2)
    w = np.random.default_rng(1).uniform(0.3, 3, 24) if weighted else np.ones(24)
    expected = left_out(REFITS[name], X, Y, k, w, fit_intercept)
    for solver in ("primal", "dual"):
        model = RidgeOnlyCV(
            k,
            1 / TIMES,
            filter=name,
            solver=solver,
            fit_intercept=fit_intercept,
            store_cv_results=True,
            random_state=0,
        ).fit(X, Y, w)
        errors = np.moveaxis(model.cv_results_[:, :, ::-1], 2, 0)
        assert_allclose(errors, expected**2, rtol=1e-4, atol=1e-4)
        means = np.average(expected**2, axis=1, weights=w)
        assert_allclose(model.loo_error_path_[::-1], means, rtol=2e-6)


@pytest.mark.parametrize(
    ("n_nodes", "atol"), [(8, 1e-3), (12, 1e-5), (16, 1e-7), (24, 2e-11)]
)
@pytest.mark.parametrize("solver", ["primal", "dual"])
def test_more_nodes_come_closer_to_refits(solver, n_nodes, atol, monkeypatch):
    monkeypatch.setattr("sklearn_ext._numerics._filters.N_NODES", n_nodes)
    X, Y = make(24, t=2)
    w = np.random.default_rng(1).uniform(0.3, 3, 24)
    for k in (9, 60):
        expected = left_out(flow, X, Y, k, w, True)
        given = {"filter": "flow", "solver": solver, "random_state": 0}
        for time, residuals in zip(TIMES, expected, strict=True):
            model = RidgeOnlyCV(k, [1 / time], **given).fit(X, Y, w)
            assert_allclose(model.loo_residuals_, residuals, atol=atol)


@pytest.mark.parametrize("name", REFITS)
def test_a_weight_leaves_as_a_whole(name):
    X, y = make(30)
    w = np.random.default_rng(2).integers(0, 4, 30)
    model = RidgeOnlyCV(12, filter=name, random_state=0)
    weighted = clone(model).fit(X, y, w)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(weighted.alphas_, repeated.alphas_, rtol=1e-9)
    assert_allclose(weighted.loo_error_path_, repeated.loo_error_path_, rtol=1e-6)
    assert weighted.alpha_ == pytest.approx(repeated.alpha_)
    doubled = clone(model).fit(X, y, 2.0 * w)
    assert doubled.alpha_ == pytest.approx(2 * weighted.alpha_)
    assert_allclose(doubled.predict(X), weighted.predict(X), rtol=1e-7)


@pytest.mark.parametrize("k", [9, 60, "infinite"])
@pytest.mark.parametrize("name", REFITS)
def test_fixed_models_equal_their_definitions(name, k):
    X, Y = make(24, t=2)
    w = np.random.default_rng(1).uniform(0.3, 3, 24)
    if k == "infinite":  # any features of the same kernel matrix
        kernel = RandomFeatureRidge(k, random_state=0).fit(X, Y).get_kernel()
        e, U = np.linalg.eigh(kernel(X, X))
        Phi = U * np.sqrt(np.maximum(e, 0))
    else:
        Phi = features(X, k)
    A, B, mean, y_mean = centre(Phi, Y, w, True)
    coefs = REFITS[name](A, B, TIMES)
    tuned = RidgeOnlyCV(k, 1 / TIMES, filter=name, random_state=0).fit(X, Y, w)
    for j, (time, coef) in enumerate(zip(TIMES, coefs, strict=True)):
        model = RandomFeatureRidge(k, 1 / time, filter=name, random_state=0)
        model.fit(X, Y, w)
        fitted = y_mean + (Phi - mean) @ coef
        assert_allclose(model.predict(X), fitted, rtol=1e-6, atol=1e-7)
        assert model.solver_.endswith("-eigen")
        train = np.average((Y - fitted) ** 2, axis=0, weights=w)
        assert_allclose(tuned.train_error_path_[::-1][j], train, rtol=1e-5, atol=1e-9)
        assert_allclose(tuned.dof_path_[::-1][j], model.effective_dof_, rtol=1e-9)
    smoother = REFITS[name](A, np.diag(np.sqrt(w)), TIMES[:1])[0]  # applied to rows
    dof = 1 + np.trace((np.sqrt(w)[:, None] * (Phi - mean)) @ smoother / np.sqrt(w))
    assert_allclose(tuned.dof_path_[-1], dof, rtol=1e-6)


@pytest.mark.parametrize("solver", ["primal", "dual"])
@pytest.mark.parametrize("k", [9, 24, 60])
def test_endless_time_is_no_ridge(k, solver):
    X, y = make(24)
    given = {"solver": solver, "random_state": 0}
    ridge = RidgeOnlyCV(k, [0.0, 1.0], **given).fit(X, y)
    grid = [0.0, 1e-9, 1.0] if k == 9 else [0.0, 1.0]
    for name in REFITS:
        model = RidgeOnlyCV(k, grid, filter=name, **given).fit(X, y)
        assert_allclose(model.loo_error_path_[0], ridge.loo_error_path_[0], rtol=1e-6)
        assert_allclose(model.dof_path_[0], ridge.dof_path_[0])
        if k == 9 and name == "flow":  # all that there is was fitted long before
            exact = RidgeOnlyCV(k, [0.0], solver="primal", random_state=0).fit(X, y)
            late = model.loo_error_path_[1]  # the dual side has no ridge as a limit
            assert_allclose(late, exact.loo_error_path_[0], rtol=1e-5)


def test_folds_use_the_filter():
    X, Y = make(30, t=2)
    for k in (9, 60):
        model = RidgeOnlyCV(
            k, 1 / TIMES, filter="flow", cv=KFold(3), random_state=0
        ).fit(X, Y)
        errors = []
        for train, test in KFold(3).split(X):
            fold = [
                RandomFeatureRidge(k, 1 / time, filter="flow", random_state=0)
                .fit(X[train], Y[train])
                .predict(X[test])
                for time in TIMES
            ]
            errors.append(((Y[test] - fold) ** 2).mean(axis=1))
        assert_allclose(
            model.fold_error_path_[::-1], np.mean(errors, axis=0), rtol=1e-6
        )


def test_blocks_equal_one_fit():
    X, y = make(60)
    for name in REFITS:
        model = RidgeOnlyCV(12, filter=name, random_state=0)
        whole, blocks = clone(model).fit(X, y), clone(model)
        for at in (slice(0, 20), slice(20, 60)):
            blocks.partial_fit(X[at], y[at])
        assert_allclose(blocks.loo_error_path_, whole.loo_error_path_, rtol=1e-7)
        assert_allclose(blocks.predict(X), whole.predict(X), rtol=1e-7)


def test_rows_in_single_precision():
    X, y = make(60)
    X = X.astype(np.float32)
    for name in REFITS:
        double, single = (
            RidgeOnlyCV(12, filter=name, random_state=0).fit(rows, y)
            for rows in (X.astype(np.float64), X)
        )
        assert_allclose(
            single.loo_error_path_[5:], double.loo_error_path_[5:], rtol=1e-3
        )
        assert single.predict(X).dtype == np.float32


def test_time_is_one_over_alpha():
    X, y = make()
    model = RidgeOnlyCV(20, filter="flow", random_state=0).fit(X, y)
    assert model.time_ == 1 / model.alpha_
    several = RidgeOnlyCV(20, filter="flow", alpha_per_target=True, random_state=0)
    several.fit(*make(t=2))
    assert_allclose(several.time_, 1 / several.alpha_)
    endless = RidgeOnlyCV(20, [0.0], filter="flow", random_state=0).fit(X, y)
    assert endless.time_ == np.inf


@pytest.mark.parametrize("name", ["flow", "iterated"])
def test_classes_are_chosen_by_the_filter(name):
    X, y = load_digits(n_class=3, return_X_y=True)
    model = RandomFeatureRidgeClassifierCV(64, filter=name, random_state=0)
    model.fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.97
    assert model.predict_proba(X[1::2]).max(axis=1).mean() > 0.9
    fixed = RandomFeatureRidgeClassifier(
        64, filter=name, standardize="clip", random_state=0
    )
    assert fixed.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.97
    binary = RidgeOnlyClassifierCV(64, filter=name, random_state=0)
    assert binary.fit(X, y > 0).predict_proba(X).shape == (len(X), 2)


def test_what_is_not_known_of_a_filter_is_refused():
    X, y = make()
    model = RidgeOnlyCV(20, filter="flow", random_state=0).fit(X, y)
    for name, message in [
        ("gcv_path_", "biased"),
        ("kappa_", "ridges alone"),
        ("fitting_ratio_", "ridges alone"),
    ]:
        with pytest.raises(AttributeError, match=message):
            getattr(model, name)
    with pytest.raises(AttributeError, match="filter='flow'"):
        _ = RidgeOnlyCV(20, random_state=0).fit(X, y).time_
    with pytest.raises(ValueError, match="biased for filter='flow'"):
        RidgeOnlyCV(20, filter="flow", cv="gcv").fit(X, y)
    again = RidgeOnlyCV(20, filter="iterated", cv="gcv", random_state=0).fit(X, y)
    assert np.isfinite(again.gcv_path_).all()
    for solver in ("cholesky", "cg"):
        with pytest.raises(ValueError, match="needs eigenvectors"):
            RandomFeatureRidge(filter="flow", solver=solver).fit(X, y)
    with pytest.raises(ValueError, match="'filter' parameter"):
        RandomFeatureRidgeCV(filter="lasso").fit(X, y)


def test_leverages_of_the_flow_would_not_be_leave_one_out():
    X, y = make(24)
    A = centre(features(X, 9), y[:, None], np.ones(24), True)[0]
    smoother = A @ flow(A, np.eye(24), [1000.0])[0] + 1 / 24
    short = ((y - smoother @ y) / (1 - np.diag(smoother))) ** 2
    model = RidgeOnlyCV(9, [1e-3], filter="flow", random_state=0).fit(X, y)
    gap = np.mean(short) / model.loo_error_path_[0] - 1
    assert abs(gap) > 1e-3


def test_many_targets_keep_no_grid():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 2)), rng.normal(size=(30, 200))
    model = RandomFeatureRidge(10, filter="flow", random_state=0).fit(X, Y)
    assert len(pickle.dumps(model)) < 2 * 8 * Y.size
