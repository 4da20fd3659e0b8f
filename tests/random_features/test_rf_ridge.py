"""The ridge of given alpha against scikit-learn's, on each side, by each method."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_ext.random_features import RandomFeatureRidge, RandomFeatures


def make(n=120, d=6, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    signal = np.sin(X @ rng.standard_normal((d, t or 1)))
    y = signal + 0.1 * rng.standard_normal(signal.shape) + 3.0
    return X, y if t else y[:, 0]


def peer(X, y, alpha, w=None, k=40, fit_intercept=True):
    """Ridge of scikit-learn on the same features."""
    Phi = RandomFeatures(n_components=k, random_state=0).fit_transform(X)
    model = Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="svd")
    return model.fit(Phi, y, sample_weight=w)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("t", [None, 3])
@pytest.mark.parametrize("solver", ["primal", "dual", "eigen", "cholesky", "cg"])
@pytest.mark.parametrize("k", [40, 300])
def test_coefficients_equal_ridge_on_the_same_features(
    solver, t, weighted, fit_intercept, k
):
    X, y = make(t=t)
    w = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    model = RandomFeatureRidge(
        k, 0.1, solver=solver, fit_intercept=fit_intercept, random_state=0
    ).fit(X, y, sample_weight=w)
    expected = peer(X, y, 0.1, w, k, fit_intercept)
    tolerance = {"atol": 1e-5} if solver == "cg" else {"rtol": 1e-7, "atol": 1e-9}
    assert_allclose(model.component_coef_, expected.coef_, **tolerance)
    assert_allclose(model.intercept_, expected.intercept_, **tolerance)


def test_an_alpha_for_each_target():
    X, y = make(t=3)
    alphas = np.array([1e-3, 0.1, 10.0])
    for k, side in [(40, "primal"), (300, "dual")]:
        model = RandomFeatureRidge(k, alphas, random_state=0).fit(X, y)
        expected = peer(X, y, alphas, k=k)
        assert model.solver_ == f"{side}-eigen"
        assert_allclose(model.component_coef_, expected.coef_, rtol=1e-7, atol=1e-8)
        assert model.effective_dof_.shape == (3,)


def test_no_ridge_gives_the_least_norm_solution():
    X, y = make(n=50)
    Phi = RandomFeatures(n_components=200, random_state=0).fit_transform(X)
    centred = Phi - Phi.mean(axis=0)
    expected = np.linalg.lstsq(centred, y - y.mean(), rcond=None)[0]
    for solver in ("primal", "dual"):
        model = RandomFeatureRidge(200, 0.0, solver=solver, random_state=0).fit(X, y)
        assert_allclose(model.component_coef_, expected, atol=1e-5)
        assert_allclose(model.predict(X), y, atol=1e-7)


@pytest.mark.parametrize("k", [30, 500, "infinite"])
def test_weights_equal_repeated_rows_and_zero_removes(k):
    X, y = make()
    w = np.random.default_rng(0).integers(0, 4, len(X))
    params = {"kernel": "rbf", "standardize": True, "random_state": 0}
    weighted = RandomFeatureRidge(k, **params).fit(X, y, sample_weight=w)
    repeated = RandomFeatureRidge(k, **params).fit(np.repeat(X, w, 0), np.repeat(y, w))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-9)
    assert_allclose(weighted.effective_dof_, repeated.effective_dof_, rtol=1e-8)
    assert_allclose(weighted.kappa_, repeated.kappa_, rtol=1e-8)
    assert_allclose(weighted.fitting_ratio_, repeated.fitting_ratio_, rtol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kernel", ["relu", "rbf"])
def test_infinite_width_is_kernel_ridge_on_the_centred_kernel(kernel, fit_intercept):
    X, y = make()
    X_new, _ = make(seed=5)
    model = RandomFeatureRidge(
        np.inf, 0.1, kernel=kernel, fit_intercept=fit_intercept
    ).fit(X, y)
    features = RandomFeatures(kernel, n_components=1).fit(X)
    K, K_new = features.kernel_matrix(X), features.kernel_matrix(X_new, X)
    if not fit_intercept:
        expected = K_new @ np.linalg.solve(K + 0.1 * np.eye(len(X)), y)
    else:
        H = np.eye(len(X)) - 1 / len(X)
        dual = np.linalg.solve(H @ K @ H + 0.1 * np.eye(len(X)), y - y.mean())
        expected = y.mean() + (K_new - K.mean(axis=0)) @ H @ dual
    assert_allclose(model.predict(X_new), expected, rtol=1e-8)
    assert model.X_fit_.shape == X.shape
    assert not hasattr(model, "component_coef_")
    assert model.dual_coef_.shape == (len(X),)


def test_width_converges_to_infinity_as_its_root():
    X, y = make(n=100)
    limit = RandomFeatureRidge("infinite", 0.5).fit(X, y).predict(X)
    gaps = []
    for k in (100, 1600):
        found = [
            RandomFeatureRidge(k, 0.5, random_state=seed).fit(X, y).predict(X)
            for seed in range(30)
        ]
        gaps.append(np.sqrt(np.mean((np.array(found) - limit) ** 2) * k))
    assert_allclose(gaps[0], gaps[1], rtol=0.15)


def test_dof_is_the_trace_of_the_smoother_and_kappa_inverts_a_trace():
    X, y = make()
    k, alpha = 40, 0.3
    model = RandomFeatureRidge(k, alpha, random_state=0).fit(X, y)
    Phi = RandomFeatures(n_components=k, random_state=0).fit_transform(X)
    centred = Phi - Phi.mean(axis=0)
    K = centred @ centred.T
    inverse = np.linalg.inv(K + alpha * np.eye(len(X)))
    dof = np.trace(K @ inverse) + 1
    assert_allclose(model.effective_dof_, dof, rtol=1e-9)
    dual = RandomFeatureRidge(k, alpha, solver="dual", random_state=0).fit(X, y)
    assert_allclose(dual.effective_dof_, dof, rtol=1e-9)
    # the constant is not penalised: its direction has no share in the trace
    assert_allclose(model.kappa_, 1 / (np.trace(inverse) - 1 / alpha), rtol=1e-9)
    assert_allclose(model.fitting_ratio_, (1 - dof / len(X)) ** 2, rtol=1e-9)


@pytest.mark.parametrize("sizes", [[120], [50, 70], [1, 19, 60, 40]])
@pytest.mark.parametrize("weighted", [True, False])
def test_blocks_equal_one_fit(sizes, weighted):
    X, y = make(t=2)
    w = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    whole = RandomFeatureRidge(40, random_state=0).fit(X, y, w)
    cuts = np.cumsum(sizes)[:-1]
    blocks = list(zip(np.split(X, cuts), np.split(y, cuts), strict=True))
    if weighted:
        blocks = [(*b, part) for b, part in zip(blocks, np.split(w, cuts), strict=True)]
    parts = RandomFeatureRidge(40, random_state=0)
    for block in blocks:
        parts.partial_fit(*block)
    joined = RandomFeatureRidge(40, random_state=0).fit_blocks(blocks, n_jobs=2)
    models = [RandomFeatureRidge(40, random_state=0).fit(*block) for block in blocks]
    for model in models[1:]:
        models[0].merge(model)
    for model in (parts, joined, models[0]):
        assert_allclose(
            model.component_coef_, whole.component_coef_, rtol=1e-10, atol=1e-10
        )
        assert_allclose(model.intercept_, whole.intercept_, rtol=1e-10)
        assert model.n_samples_seen_ == len(X)


def test_merging_does_not_depend_on_the_order():
    X, y = make()
    parts = [slice(0, 40), slice(40, 70), slice(70, 120)]
    found = []
    for order in ([0, 1, 2], [2, 0, 1]):
        models = [RandomFeatureRidge(30, random_state=0).fit(X[p], y[p]) for p in parts]
        first = models[order[0]]
        first.merge(models[order[1]]).merge(models[order[2]])
        found.append(first.component_coef_)
    assert_allclose(found[0], found[1], rtol=1e-10)


def test_sums_are_centred_when_means_are_large():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((400, 5)) + 5000, rng.standard_normal(400)
    identity = {"feature_map": FunctionTransformer(), "batch_size": 50}
    model = RandomFeatureRidge(alpha=1e-6, solver="primal", **identity).fit(X, y)
    expected = np.linalg.lstsq(X - X.mean(0), y - y.mean(), rcond=None)[0]
    assert_allclose(model.component_coef_, expected, rtol=1e-6)


def test_partial_fit_after_fit_goes_on():
    X, y = make()
    for k in (30, 300):  # sums kept, and sums formed late
        whole = RandomFeatureRidge(k, solver="primal", random_state=0).fit(X, y)
        model = RandomFeatureRidge(k, random_state=0).fit(X[:60], y[:60])
        model.partial_fit(X[60:], y[60:])
        assert_allclose(model.component_coef_, whole.component_coef_, atol=1e-9)


@pytest.mark.parametrize("alpha", [1e-7, 1e-5, 1e-2])
def test_single_precision_is_refined(alpha):
    X, y = make(n=600, d=10)
    double = RandomFeatureRidge(200, alpha, random_state=0).fit(X, y)
    single = RandomFeatureRidge(200, alpha, random_state=0)
    single.fit(X.astype(np.float32), y)
    predicted = single.predict(X.astype(np.float32))
    assert predicted.dtype == single.component_coef_.dtype == np.float32
    # what is left is the rounding of the features themselves
    assert_allclose(predicted, double.predict(X), rtol=2e-3)
    assert single.n_iter_ > 0 or alpha == 1e-2
    exact = RandomFeatureRidge(200, alpha, precision="float64", random_state=0)
    exact.fit(X.astype(np.float32).astype(np.float64), y)
    assert exact.component_coef_.dtype == np.float64


def test_conjugate_gradients_warn_when_they_stop_early(monkeypatch):
    monkeypatch.setattr("sklearn_ext._numerics._ridge.MAX_ITER", 1)
    monkeypatch.setattr("sklearn_ext._numerics._ridge.TOL", 0.0)
    X, y = make(n=600, d=10)
    model = RandomFeatureRidge(200, 1e-7, random_state=0)
    with pytest.warns(ConvergenceWarning, match="after 1 conjugate gradient"):
        model.fit(X.astype(np.float32), y)


def test_any_transformer_may_be_the_map():
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    nystroem = Nystroem(gamma=0.05, n_components=50, random_state=0)
    model = RandomFeatureRidge(alpha=0.5, feature_map=nystroem).fit(X, y)
    Phi = clone(nystroem).fit_transform(X)
    expected = Ridge(alpha=0.5, solver="svd").fit(Phi, y)
    assert_allclose(model.predict(X), expected.predict(Phi), rtol=1e-9)
    with pytest.raises(ValueError, match="built-in maps"):
        model.get_kernel()


def test_a_map_that_returns_its_input_does_not_change_the_data():
    X, y = make()
    before = X.copy()
    RandomFeatureRidge(feature_map=FunctionTransformer()).fit(X, y)
    RandomFeatureRidge(feature_map=FunctionTransformer(lambda X: X[:, ::-1])).fit(X, y)
    assert_allclose(X, before, rtol=0)


def test_landmarks_equal_nystroem_then_ridge():
    X, y = make()
    params = {"kernel": "rbf", "gamma": 0.2, "random_state": 3}
    model = RandomFeatureRidge(40, map="landmarks", **params).fit(X, y)
    landmarks = model._features.map.landmarks
    Phi = Nystroem(gamma=0.2, n_components=40).fit(landmarks).transform(X)
    expected = Ridge(alpha=0.1, solver="svd").fit(Phi, y).predict(Phi)
    assert_allclose(model.predict(X), expected, rtol=1e-8)


def test_standardize_equals_scaling_before():
    X, y = make()
    X = X * [1, 10, 100, 1000, 1, 1] + 7
    inside = RandomFeatureRidge(50, standardize=True, random_state=0).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    before = RandomFeatureRidge(50, random_state=0).fit(scaled, y)
    assert_allclose(inside.predict(X), before.predict(scaled), rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e9])
def test_constant_columns_are_not_blown_up(value):
    X, y = make(n=1000)
    X[:, 2] = value
    model = RandomFeatureRidge(50, standardize=True, random_state=0).fit(X, y)
    shifted = X.copy()
    shifted[:, 2] += 1.0
    assert np.abs(model.predict(shifted) - model.predict(X)).max() < 5


def test_get_kernel_is_the_kernel():
    X, y = make()
    model = RandomFeatureRidge(50, kernel="matern", length_scale=2.0).fit(X, y)
    features = RandomFeatures("matern", length_scale=2.0).fit(X)
    assert_allclose(model.get_kernel()(X), features.kernel_matrix(X))
    table = pd.DataFrame(X)
    for rows in (table, X.tolist()):
        assert_allclose(model.get_kernel()(rows), features.kernel_matrix(X))
        shown = model.get_kernel()(rows, table[:5])
        assert_allclose(shown, features.kernel_matrix(X, X[:5]))


def test_a_constant_target_is_predicted():
    X, _ = make()
    for k in (20, 500):
        model = RandomFeatureRidge(k).fit(X, np.full(len(X), 7.0))
        assert_allclose(model.component_coef_, 0.0, atol=1e-12)
        assert_allclose(model.intercept_, 7.0)


def test_target_of_one_column_keeps_its_shape():
    X, y = make()
    model = RandomFeatureRidge(20).fit(X, y[:, None])
    assert model.predict(X).shape == (len(X), 1)
    assert model.component_coef_.shape == (1, 20)


def test_batches_do_not_change_the_result():
    X, y = make()
    one = RandomFeatureRidge(20, random_state=0).fit(X, y)
    many = RandomFeatureRidge(20, batch_size=7, random_state=0).fit(X, y)
    assert_allclose(many.component_coef_, one.component_coef_, rtol=1e-10)
    assert_allclose(many.predict(X), one.predict(X), rtol=1e-10)


def test_device_computes_in_torch_and_stores_numpy():
    pytest.importorskip("torch")
    X, y = make()
    for k in (20, 300, "infinite"):
        expected = RandomFeatureRidge(k, random_state=0).fit(X, y)
        model = RandomFeatureRidge(k, device="cpu", random_state=0).fit(X, y)
        assert isinstance(model.intercept_, float)
        assert_allclose(model.predict(X), expected.predict(X), rtol=1e-8)
    model = RandomFeatureRidge(20, device="cpu", random_state=0)
    model.partial_fit(X[:50], y[:50]).partial_fit(X[50:], y[50:])
    whole = RandomFeatureRidge(20, random_state=0).fit(X, y)
    assert_allclose(model.component_coef_, whole.component_coef_, rtol=1e-8)


def test_fitted_models_keep_no_kernel_matrix_of_their_rows():
    X, y = make()
    model = RandomFeatureRidge(300, random_state=0).fit(X, y)
    assert model.solver_.startswith("dual")
    assert model._fitted.summary.moments.K is None
    assert RandomFeatureRidge("infinite").fit(X, y)._fitted.summary.moments is None


def test_views_factorize_nothing(rng):
    X = rng.normal(size=(60, 3))
    model = RandomFeatureRidge(20, alpha=0.1, random_state=0).fit(X, X[:, 0])
    late = {"effective_dof_", "kappa_", "fitting_ratio_"}
    model._repr_html_()
    assert not late & set(dir(model))
    assert model._fitted.solution.dof is None
    assert model.kappa_ > 0
    assert late <= set(dir(model))
