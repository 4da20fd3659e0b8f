"""Leave-one-out, folds and the choice of a ridge against explicit refits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
)
from sklearn.preprocessing import FunctionTransformer

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
)
from sklearn_ext.random_features._maps import RandomMap
from tests.random_features._given import RidgeOnlyCV

ALPHAS = [1e-6, 1e-2, 1.0]


def make(n=40, d=5, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    signal = np.sin(X @ rng.standard_normal((d, t or 1)))
    y = signal + 0.3 * rng.standard_normal(signal.shape) + 2.0
    return X, y if t else y[:, 0]


def refit_residuals(X, y, alpha, k, w=None, fit_intercept=True):
    """Leave out one row, with its whole weight, by fitting again."""
    n, w = len(X), np.ones(len(X)) if w is None else w
    Phi = RandomFeatures(n_components=k, random_state=0).fit_transform(X)
    found = []
    for i in range(n):
        left = w.copy()
        left[i] = 0.0
        # a pseudo-inverse of the augmented rows: accurate for tiny ridges too
        S = left.sum()
        mean = left @ Phi / S if fit_intercept else np.zeros(k)
        y_mean = left @ y / S if fit_intercept else 0.0
        A = np.sqrt(left)[:, None] * (Phi - mean)
        b = np.sqrt(left) * (y - y_mean)
        U, s, Vt = np.linalg.svd(A, full_matrices=False)
        keep = s > 1e-12 * s[0]
        shrink = s[keep] / (s[keep] ** 2 + alpha)
        theta = Vt[keep].T @ (shrink * (U[:, keep].T @ b))
        found.append(y[i] - y_mean - (Phi[i] - mean) @ theta)
    return np.array(found)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", ["none", "fractions", "integers"])
@pytest.mark.parametrize("solver", ["auto", "primal", "dual"])
@pytest.mark.parametrize("k", [15, 40, 90])
def test_residuals_equal_refits(k, solver, weights, fit_intercept):
    X, y = make()
    rng = np.random.default_rng(1)
    w = {
        "none": None,
        "fractions": rng.uniform(0.1, 1, len(X)),
        "integers": rng.integers(1, 4, len(X)).astype(float),
    }[weights]
    for alpha, rtol in [(1.0, 1e-10), (1e-2, 1e-10), (1e-6, 1e-6)]:
        if alpha == 1e-6 and solver == "primal" and k >= 39:
            continue  # leverages of one: the dual side is for that
        model = RidgeOnlyCV(
            k, [alpha], solver=solver, fit_intercept=fit_intercept, random_state=0
        ).fit(X, y, w)
        expected = refit_residuals(X, y, alpha, k, w, fit_intercept)
        assert_allclose(model.loo_residuals_, expected, rtol=rtol, atol=rtol)
        s = np.ones(len(X)) if w is None else w
        error = np.average(expected**2, weights=s)
        assert_allclose(model.loo_error_path_, [error], rtol=2 * rtol)


def test_ridgeless_residuals_equal_least_norm_refits():
    X, y = make()
    model = RidgeOnlyCV(200, [0.0], random_state=0).fit(X, y)
    expected = refit_residuals(X, y, 0.0, 200)
    assert_allclose(model.loo_residuals_, expected, rtol=1e-6)


def test_ridgeless_residuals_with_equal_rows_are_a_limit():
    X, y = make()
    X[20:] = X[:20]  # the kernel matrix is singular beyond the constant
    model = RidgeOnlyCV(np.inf, [0.0], kernel="rbf").fit(X, y)
    twin = np.roll(y, 20)  # which stays, and is interpolated
    assert_allclose(model.loo_residuals_, y - twin, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("t", [None, 3])
def test_errors_equal_those_of_ridge_cv(t, weighted):
    X, y = make(60, t=t)
    w = np.random.default_rng(1).uniform(0.1, 1, 60) if weighted else None
    alphas = np.logspace(-3, 2, 6)
    model = RidgeOnlyCV(20, alphas, store_cv_results=True, random_state=0).fit(X, y, w)
    Phi = RandomFeatures(n_components=20, random_state=0).fit_transform(X)
    peer = RidgeCV(alphas, store_cv_results=True).fit(Phi, y, w)
    weights = np.ones(60) if w is None else w
    # the peer multiplies squared errors by the weights
    ours = (model.cv_results_.T * weights).T
    assert_allclose(ours, peer.cv_results_, rtol=1e-8)
    assert model.alpha_ == peer.alpha_
    assert_allclose(model.component_coef_, peer.coef_, rtol=1e-8)


def test_errors_equal_those_of_ridge_cv_in_single_precision():
    X, y = make(200)
    X = X.astype(np.float32)
    alphas = np.logspace(-2, 1, 4)
    model = RidgeOnlyCV(20, alphas, random_state=0).fit(X, y)
    Phi = RandomFeatures(n_components=20, random_state=0).fit_transform(X)
    peer = RidgeCV(alphas, store_cv_results=True).fit(Phi.astype(np.float64), y)
    expected = peer.cv_results_.mean(axis=0)
    assert_allclose(model.loo_error_path_, expected, rtol=1e-5)


@pytest.mark.parametrize("k", [15, 200, "infinite"])
@pytest.mark.parametrize("cv", ["loo", "gcv"])
def test_weights_equal_repeated_rows(k, cv):
    X, y = make(t=2)
    w = np.random.default_rng(0).integers(0, 4, len(X))
    model = RidgeOnlyCV(k, cv=cv, random_state=0)
    weighted = clone(model).fit(X, y, w)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w, axis=0))
    assert weighted.alpha_ == repeated.alpha_
    assert_allclose(weighted.alphas_, repeated.alphas_)
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)
    paths = ["dof_path_"] + ["loo_error_path_"] * (cv == "loo")
    for path in paths:
        ours, theirs = (getattr(m, path) for m in (weighted, repeated))
        assert_allclose(ours, theirs, rtol=1e-5)
    mild = weighted.alphas_ > 1e-4  # the sums lose digits of tiny training errors
    for path in ("train_error_path_", "gcv_path_"):
        ours, theirs = (getattr(m, path)[mild] for m in (weighted, repeated))
        assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("k", [20, 150])
def test_paths_equal_their_definitions(k):
    X, y = make(t=2)
    model = RidgeOnlyCV(k, ALPHAS, random_state=0).fit(X, y)
    for j, alpha in enumerate(ALPHAS):
        fixed = RandomFeatureRidge(k, alpha, random_state=0).fit(X, y)
        train = np.mean((y - fixed.predict(X)) ** 2, axis=0)
        dof = fixed.effective_dof_
        assert_allclose(model.dof_path_[j], dof, rtol=1e-6)
        assert_allclose(model.train_error_path_[j], train, rtol=1e-4, atol=1e-9)
        if alpha > 1e-3:
            gcv = train / (1 - dof / len(X)) ** 2
            assert_allclose(model.gcv_path_[j], gcv, rtol=1e-5)


@pytest.mark.parametrize("k", [15, 90, "infinite"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "cv",
    [
        KFold(4),
        GroupKFold(3),
        ShuffleSplit(3, random_state=0),
        RepeatedKFold(n_repeats=2),
    ],
    ids=lambda cv: type(cv).__name__,
)
@pytest.mark.filterwarnings("ignore:.*beyond the training targets")  # tiny ridges
def test_folds_equal_a_grid_search(k, cv, fit_intercept):
    X, y = make(t=2)
    if isinstance(cv, RepeatedKFold):
        cv = list(cv.split(X))
    groups = np.arange(40) % 7 if isinstance(cv, GroupKFold) else None
    params = {"fit_intercept": fit_intercept, "random_state": 0}
    model = RidgeOnlyCV(k, ALPHAS, cv=cv, **params).fit(X, y, groups=groups)
    search = GridSearchCV(
        RandomFeatureRidge(k, **params),
        {"alpha": ALPHAS},
        cv=cv,
        scoring="neg_mean_squared_error",
    ).fit(X, y, groups=groups)
    expected = -search.cv_results_["mean_test_score"]
    rtol = 1e-3 if k != 15 else 1e-6  # the smallest ridge is close to singular
    assert_allclose(model.fold_error_path_.mean(axis=1), expected, rtol=rtol)
    assert model.alpha_ == search.best_params_["alpha"]
    assert_allclose(model.predict(X), search.predict(X), rtol=1e-5, atol=1e-6)
    assert not hasattr(model, "loo_error_path_")


def test_folds_ignore_rows_of_no_weight():
    X, y = make()
    w = np.ones(40)
    w[5:15] = 0
    present = w > 0
    part = RidgeOnlyCV(15, ALPHAS, cv=4, random_state=0).fit(X[present], y[present])
    model = RidgeOnlyCV(15, ALPHAS, cv=4, random_state=0).fit(X, y, w)
    assert_allclose(model.fold_error_path_, part.fold_error_path_, rtol=1e-9)
    listed = [(np.arange(20, 40), np.arange(0, 20))]
    model.set_params(cv=listed).fit(X, y, w)
    shifted = [(np.arange(10, 30), np.arange(0, 10))]
    part.set_params(cv=shifted).fit(X[present], y[present])
    assert_allclose(model.fold_error_path_, part.fold_error_path_, rtol=1e-9)


def test_a_scorer_sees_held_out_predictions():
    X, y = make()
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    model = RidgeOnlyCV(20, ALPHAS, scoring=scorer, random_state=0).fit(X, y)
    expected = [
        -np.abs(refit_residuals(X, y, alpha, 20)).mean() for alpha in ALPHAS[1:]
    ]
    found = []
    for alpha in ALPHAS[1:]:
        one = RidgeOnlyCV(20, [alpha], scoring=scorer, random_state=0)
        found.append(one.fit(X, y).best_score_)
    assert_allclose(found, expected, rtol=1e-6)
    assert_allclose(model.best_score_, max(found), rtol=1e-9)


def test_each_target_may_have_its_ridge():
    X, y = make(t=3)
    y[:, 1] = np.random.default_rng(0).standard_normal(40)
    joint = RidgeOnlyCV(20, alpha_per_target=True, random_state=0).fit(X, y)
    for j in range(3):
        one = RidgeOnlyCV(20, random_state=0).fit(X, y[:, j])
        assert joint.alpha_[j] == one.alpha_
        assert_allclose(joint.component_coef_[j], one.component_coef_, rtol=1e-7)
        assert_allclose(joint.loo_residuals_[:, j], one.loo_residuals_, rtol=1e-7)


def test_refinement_lowers_the_error_between_neighbours():
    X, y = make(200)
    coarse = RidgeOnlyCV(20, [0.01, 1, 100], random_state=0).fit(X, y)
    fine = clone(coarse).set_params(refine=True).fit(X, y)
    assert fine.loo_error_path_.min() < coarse.loo_error_path_.min()
    assert len(fine.alphas_) == 23
    assert (np.diff(fine.alphas_) > 0).all()


@pytest.mark.parametrize("k", [20, 400])
def test_default_grid_is_a_lattice_of_the_mean_diagonal(k):
    X, y = make(300)
    model = RidgeOnlyCV(k, random_state=0).fit(X, y)
    Phi = RandomFeatures(n_components=k, random_state=0).fit_transform(X)
    centred = Phi - Phi.mean(axis=0)
    exponents = 3 * np.log10(model.alphas_ / np.mean(np.sum(centred**2, axis=1)))
    assert_allclose(exponents, np.round(exponents), atol=1e-9)
    largest = np.linalg.norm(centred, 2) ** 2
    assert 10 ** (-1 / 3) * largest <= model.alphas_[-1] <= largest
    assert model.alphas_[0] <= 10 ** (1 / 3) * 1e-10 * largest
    assert model.overfitting_cost_ >= 1


def test_a_grid_ends_at_an_eigenvalue_that_lies_on_its_lattice():
    # features of one direction: the largest eigenvalue is n times the mean diagonal
    X = np.linspace(0, 1, 10)[:, None] + np.zeros((10, 3))
    for factor in (1.0, 0.1, 3.0, 7e5):
        model = RidgeOnlyCV(feature_map=FunctionTransformer())
        model.fit(factor * X, np.arange(10.0) % 3)
        assert_allclose(model.alphas_[-1], 10 * model.alphas_[-4], rtol=1e-9)
        spread = factor**2 * 3 * np.sum((X[:, 0] - 0.5) ** 2)
        assert_allclose(model.alphas_[-1], spread, rtol=1e-9)


def test_a_subset_gives_leave_one_out_of_the_whole_model():
    X, y = make(300)
    whole = RidgeOnlyCV(20, ALPHAS, random_state=0).fit(X, y)
    part = RidgeOnlyCV(20, ALPHAS, loo_subset=50, random_state=0).fit(X, y)
    assert len(part.loo_indices_) == 50
    assert_allclose(part.dof_path_, whole.dof_path_)
    if part.alpha_ == whole.alpha_:
        rows = part.loo_indices_
        assert_allclose(part.loo_residuals_, whole.loo_residuals_[rows], rtol=1e-7)
    streamed = RidgeOnlyCV(20, ALPHAS, loo_subset=50, random_state=0)
    for start in range(0, 300, 70):
        streamed.partial_fit(X[start : start + 70], y[start : start + 70])
    assert_allclose(np.sort(streamed.loo_indices_), np.sort(part.loo_indices_))
    assert_allclose(streamed.component_coef_, part.component_coef_, rtol=1e-7)


@pytest.mark.parametrize("cv", ["loo", "gcv"])
def test_blocks_equal_one_fit(cv):
    X, y = make(200)
    whole = RidgeOnlyCV(30, cv=cv, random_state=0).fit(X, y)
    blocks = [(X[:50], y[:50]), (X[50:130], y[50:130]), (X[130:], y[130:])]
    parts = RidgeOnlyCV(30, cv=cv, random_state=0)
    for block in blocks:
        parts.partial_fit(*block)
    joined = RidgeOnlyCV(30, cv=cv, random_state=0).fit_blocks(blocks)
    halves = [RidgeOnlyCV(30, cv=cv, random_state=0) for _ in range(2)]
    halves[0].partial_fit(*blocks[0])
    halves[1].partial_fit(*blocks[1]).partial_fit(*blocks[2])
    halves[0].merge(halves[1])
    for model in (parts, joined, halves[0]):
        assert_allclose(model.alpha_, whole.alpha_, rtol=1e-9)
        assert_allclose(
            model.component_coef_, whole.component_coef_, rtol=1e-6, atol=1e-9
        )
        if cv == "loo":
            assert_allclose(model.loo_error_path_, whole.loo_error_path_, rtol=1e-5)


def test_blocks_after_a_fit_are_judged_by_their_rows():
    X, y = make(200)
    model = RidgeOnlyCV(30, random_state=0).fit(X[:100], y[:100])
    assert model._fitted.summary.held is None  # a fitted model keeps no rows
    model.partial_fit(X[100:], y[100:])
    assert (model.loo_indices_ == np.arange(100, 200)).all()
    whole = RidgeOnlyCV(30, [model.alpha_], random_state=0).fit(X, y)
    assert_allclose(model.loo_residuals_, whole.loo_residuals_[100:], rtol=1e-6)


def test_single_precision_chooses_the_same_ridge():
    X, y = make(400, 8)
    alphas = np.logspace(-3, 2, 16)
    double = RidgeOnlyCV(100, alphas, random_state=0).fit(X, y)
    single = RidgeOnlyCV(100, alphas, random_state=0)
    single.fit(X.astype(np.float32), y)
    assert single.alpha_ == double.alpha_
    assert_allclose(single.predict(X), double.predict(X), rtol=1e-3)


def test_intervals_cover():
    covered, naive = [], []
    for seed in range(20):
        X, y = make(200, seed=seed)
        model = RidgeOnlyCV(100, random_state=0).fit(X[:100], y[:100])
        low, high = model.predict_interval(X[100:], 0.8).T
        covered.append(np.mean((low <= y[100:]) & (y[100:] <= high)))
        inside = np.abs(y[:100] - model.predict(X[:100]))
        width = np.quantile(inside, 0.8)
        naive.append(np.mean(np.abs(y[100:] - model.predict(X[100:])) <= width))
    assert abs(np.mean(covered) - 0.8) < 0.03
    assert np.mean(naive) < np.mean(covered)


def test_intervals_cover_on_diabetes():
    X, y = load_diabetes(return_X_y=True)
    covered = []
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(442)
        train, test = order[:300], order[300:]
        model = RidgeOnlyCV(200, standardize=True, random_state=seed)
        model.fit(X[train], y[train])
        low, high = model.predict_interval(X[test]).T
        covered.append(np.mean((low <= y[test]) & (y[test] <= high)))
    assert abs(np.mean(covered) - 0.9) < 0.03


def test_intervals_of_several_targets_and_few_rows():
    X, y = make(t=2)
    model = RidgeOnlyCV(20, random_state=0).fit(X, y)
    ends = model.predict_interval(X, 0.5)
    assert ends.shape == (40, 2, 2)
    assert_allclose(ends.mean(axis=1), model.predict(X))
    few = RidgeOnlyCV(20, [1.0], random_state=0).fit(X[:5], y[:5])
    assert np.isinf(few.predict_interval(X, 0.95)).all()


def test_ridge_on_features_is_a_special_case_of_two_rows():
    X, y = make(2)
    model = RidgeOnlyCV(5, [1.0], random_state=0).fit(X, y)
    assert_allclose(model.loo_residuals_, y - y[::-1])


def test_features_of_one_batch_are_formed_once(monkeypatch):
    X, y = make(60)
    formed = []
    call = RandomMap.__call__
    monkeypatch.setattr(
        RandomMap, "__call__", lambda fmap, X: formed.append(len(X)) or call(fmap, X)
    )
    whole = RidgeOnlyCV(20, [1.0], random_state=0).fit(X, y)
    assert formed == [60]
    formed.clear()
    parts = RidgeOnlyCV(20, [1.0], batch_size=25, random_state=0).fit(X, y)
    assert formed == [25, 25, 10] * 2  # for sums, then for leave-one-out
    assert_allclose(parts.loo_residuals_, whole.loo_residuals_, rtol=1e-9)
    sample = RidgeOnlyCV(20, [1.0], loo_subset=30, random_state=0).fit(X, y)
    assert len(sample.loo_indices_) == 30
    assert_allclose(
        sample.loo_residuals_, whole.loo_residuals_[sample.loo_indices_], rtol=1e-9
    )
