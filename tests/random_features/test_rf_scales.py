"""Columns far from zero or on large scales, single precision, tiny ridges."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import FunctionTransformer

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
    RandomFeatures,
)
from sklearn_ext.random_features._kernels import Kernel
from tests.random_features._given import RidgeOnlyCV, given

ALL = [
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
]
MAPS = [
    {"n_components": 100},
    {"n_components": 100, "kernel": "rbf"},
    {"n_components": 100, "kernel": "laplacian"},
    {"n_components": 60, "map": "landmarks"},
    {"n_components": 60, "map": "landmarks", "kernel": "rbf"},
    {"n_components": "infinite"},
    {"n_components": "infinite", "kernel": "rbf"},
    {"n_components": "infinite", "standardize": True},
    {"n_components": 100, "standardize": True},
]


def weather(n=300, seed=0):
    """Year, temperature, pressure and something else, exact in single precision."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.integers(1990, 2021, n),
        rng.normal(15, 8, n),
        rng.normal(1013, 8, n),
        rng.standard_normal(n),
    ]
    X = np.column_stack(columns).astype(np.float32).astype(np.float64)
    y = np.sin(X[:, 1] / 5) + 0.1 * (X[:, 0] - 2005) + 0.05 * (X[:, 2] - 1013)
    return X, y + 0.1 * rng.standard_normal(n)


def target(cls, y):
    return (y > 0).astype(int) if "Classifier" in cls.__name__ else y


def score(model, X):
    return getattr(model, "decision_function", model.predict)(X)


@pytest.mark.parametrize("params", MAPS, ids=lambda p: "-".join(map(str, p.values())))
@pytest.mark.parametrize("cls", ALL)
def test_single_precision_of_columns_far_from_zero(cls, params):
    X, y = weather()
    y = target(cls, y)
    double = given(cls)(random_state=0, **params).fit(X[:200], y[:200])
    single = given(cls)(random_state=0, **params).fit(
        X[:200].astype(np.float32), y[:200]
    )
    expected, found = score(double, X), score(single, X.astype(np.float32))
    assert found.dtype == np.float32
    assert_allclose(found, expected, atol=5e-3 * expected.std())
    if hasattr(double, "loo_error_path_"):
        assert_allclose(single.alpha_, double.alpha_, rtol=1e-3)
        promised = double.loo_error_path_.min()
        assert_allclose(single.loo_error_path_.min(), promised, rtol=0.01)


@pytest.mark.parametrize("params", MAPS, ids=lambda p: "-".join(map(str, p.values())))
@pytest.mark.parametrize("offset", [2_000, 100_000])
def test_single_precision_at_an_offset(offset, params):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((200, 4)) + offset).astype(np.float32)
    y = np.sin(X[:, 0] - offset) + 0.1 * rng.standard_normal(200)
    double = RidgeOnlyCV(random_state=0, **params).fit(X.astype(float), y)
    single = RidgeOnlyCV(random_state=0, **params).fit(X, y)
    expected = double.predict(X.astype(float))
    assert_allclose(single.predict(X), expected, atol=0.01 * y.std())


def test_blocks_in_single_precision_far_from_zero():
    X, y = weather()
    whole = RidgeOnlyCV(50, random_state=0).fit(X, y)
    single = X.astype(np.float32)
    model = RidgeOnlyCV(50, random_state=0)
    model.partial_fit(single[:150], y[:150]).partial_fit(single[150:], y[150:])
    assert_allclose(model.predict(single), whole.predict(X), atol=5e-3 * y.std())
    other = RidgeOnlyCV(50, random_state=0).fit(sparse.csr_array(single), y)
    found = other.predict(sparse.csr_array(single))
    assert_allclose(found, whole.predict(X), atol=5e-3 * y.std())


@pytest.mark.parametrize("kernel", ["relu", "rbf", "erf", "laplacian", "matern"])
def test_features_in_single_precision_far_from_zero(kernel):
    X, _ = weather()
    features = RandomFeatures(kernel, 50, random_state=0)
    expected = features.fit(X).transform(X)
    found = features.fit(X.astype(np.float32)).transform(X.astype(np.float32))
    assert found.dtype == np.float32
    assert_allclose(found, expected, rtol=1e-5, atol=2e-5)
    K = features.kernel_matrix(X.astype(np.float32))
    assert_allclose(K, features.kernel_matrix(X), rtol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "matern", "laplacian"])
def test_kernels_of_differences_do_not_lose_them(kernel):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((20, 3)), 3)
    K = Kernel(kernel, gamma=0.3, length_scale=1.0)
    shifted = (X * 1024 + 2.0**33) / 1024  # exact in double precision
    assert_allclose(K(shifted), K(shifted - 2.0**23), rtol=1e-7)


@pytest.mark.parametrize("params", [{}, {"standardize": True}])
def test_a_narrow_column_far_from_zero_is_no_constant(params):
    rng = np.random.default_rng(0)
    X = np.c_[rng.standard_normal(2000) + 100_000, rng.standard_normal(2000)]
    X = X.astype(np.float32)
    model = RandomFeatureRidge(50, standardize=True, random_state=0).fit(X, X[:, 1])
    scale = model._features.scaler.scale
    assert_allclose(scale, X.astype(float).std(axis=0), rtol=1e-5)
    gamma = RandomFeatures("rbf", 5).fit(X[:, :1]).gamma_
    assert_allclose(gamma, 1 / X[:, 0].astype(float).var(), rtol=1e-5)


@pytest.mark.parametrize("solver", ["auto", "primal", "dual"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [1e6, 1e7, 1e8])
def test_a_ridge_below_rounding_is_truncated_with_a_warning(scale, dtype, solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.standard_normal(400)
    X = (X * [1, 1, 1, 1, scale]).astype(dtype)
    Phi = RandomFeatures(n_components=64, random_state=0).fit_transform(X)
    best = Ridge(0.1, solver="svd").fit(Phi.astype(float), y).score(Phi, y)
    model = RandomFeatureRidge(64, random_state=0, solver=solver)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert -1e-3 < model.score(X, y) < best + 0.01
    if model.n_iter_ == 0 and model.score(X, y) < best - 0.01:
        assert any("below the rounding" in str(w.message) for w in caught)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("solver", ["primal", "dual"])
def test_the_warning_says_what_to_do(cls, solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3)) * [1, 1, 1e9]
    tuned = cls.__name__.endswith("CV")
    params = {"alphas": [0.1]} if tuned else {"alpha": 0.1}
    identity = FunctionTransformer()
    model = given(cls)(feature_map=identity, solver=solver, **params)
    y = target(cls, X[:, 0])
    with pytest.warns(UserWarning, match=r"alpha=0\.1 is below .* standardize=True"):
        model.fit(X, y)
    assert np.abs(score(model, X)).max() < 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(standardize=True).fit(X, y)
        assert model.score(X, y) > 0.9


@pytest.mark.parametrize("kernel", ["relu", "rbf", "matern"])
def test_wide_sparse_rows_have_independent_weights(kernel):
    X = sparse.csr_array(
        sparse.random(50, 3000, 0.01, "csr", None, np.random.default_rng(0))
    )
    auto = RandomFeatures(kernel, 40, random_state=0).fit(X)
    iid = RandomFeatures(kernel, 40, sampling="iid", random_state=0).fit(X)
    assert_allclose(auto.random_weights_, iid.random_weights_)
    dense = RandomFeatures(kernel, 40, random_state=0).fit(X.toarray())
    assert type(dense.random_weights_).__name__ == "StructuredWeights"
    assert_allclose(dense.transform(X), dense.transform(X.toarray()), atol=1e-9)
    narrow = RandomFeatures(kernel, 40, random_state=0).fit(X[:, :100])
    same = RandomFeatures(kernel, 40, random_state=0).fit(X[:, :100].toarray())
    if kernel == "relu":  # gamma differs by rounding
        assert_allclose(narrow.random_weights_, same.random_weights_, rtol=0)


def test_models_merge_whichever_precision_their_rows_needed():
    X, y = weather()
    X = X.astype(np.float32)
    near = X - X.mean(axis=0)
    make = {"n_components": 30, "alpha": 100.0, "random_state": 0}
    both = np.r_[near, X].astype(float), np.r_[y, y]
    expected = RandomFeatureRidge(**make).fit(*both).predict(X)
    for first, second in ((near, X), (X, near)):
        model = RandomFeatureRidge(**make).fit(first, y)
        other = RandomFeatureRidge(**make).fit(second, y)
        assert model._features.double != other._features.double
        assert_allclose(model.merge(other).predict(X), expected, atol=0.01 * y.std())
