"""Views: their size, their formulas, what they may be learnt from."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from sklearn_ext.representations import _views
from sklearn_ext.representations._views import (
    ALL,
    AUTO,
    GraphView,
    RandomFeaturesView,
    RawView,
    TiltView,
    TransformerView,
    TreesView,
    TriangleView,
    moments_of,
    named_views,
)


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)


def fitted(name, X, **options):
    (_, view) = named_views(name)[0]
    if "random_state" in view.get_params():
        view.set_params(random_state=0)
    return view.fit(X, **options)


@pytest.mark.parametrize("name", ALL)
def test_a_view_is_centred_and_of_unit_size(name, X):
    V = fitted(name, X).transform(X)
    tol = 0.05 if name == "random_features" else 1e-10  # normal moments, 300 columns
    assert_allclose(V.mean(axis=0), 0, atol=tol)
    assert_allclose((V**2).sum(axis=1).mean(), 1, rtol=tol)


@pytest.mark.parametrize("name", AUTO)
def test_moments_are_all_that_the_cheap_views_need(name, X):
    whole = fitted(name, X).transform(X)
    w = np.ones(400)
    parts = moments_of(X[:150], w[:150]) + moments_of(X[150:], w[150:])
    (_, view) = named_views(name)[0]
    if name == "random_features":
        view.set_params(random_state=0)
    assert_allclose(view.fit_moments(parts).transform(X), whole, atol=1e-10)


@pytest.mark.parametrize("name", [*AUTO, "triangle", "trees"])
def test_weights_are_repetition(name, X):
    times = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = fitted(name, X, sample_weight=times).transform(X)
    repeated = fitted(name, np.repeat(X, times, axis=0)).transform(X)
    assert_allclose(weighted @ weighted.T, repeated @ repeated.T, atol=1e-7)


def test_tilt_of_power_zero_is_raw_turned(X):
    raw, tilt = RawView().fit(X).transform(X), TiltView(0.0).fit(X).transform(X)
    assert_allclose(tilt @ tilt.T, raw @ raw.T, atol=1e-10)


def test_tilt_kernel_is_that_of_the_covariance(X):
    A = X - X.mean(axis=0)
    covariance = A.T @ A / len(A)
    expected = A @ covariance @ A.T / np.trace(covariance @ covariance)
    tilt = TiltView().fit(X).transform(X)
    assert_allclose(tilt @ tilt.T, expected, atol=1e-10)


def test_whitening_is_minus_one(X):
    white = TiltView(-1.0).fit(X).transform(X)
    assert_allclose(white.T @ white / len(X), np.eye(6) / 6, atol=1e-10)


def test_ridge_on_tilt_penalises_by_the_inverse_covariance(X):
    y = np.random.default_rng(2).normal(size=len(X))
    A = X - X.mean(axis=0)
    S, alpha = A.T @ A / len(A), 0.7
    scale = np.trace(S @ S)
    direct = np.linalg.solve(A.T @ A + alpha * scale * np.linalg.inv(S), A.T @ y)
    V = TiltView().fit(X).transform(X)
    ridge = np.linalg.solve(V.T @ V + alpha * np.eye(6), V.T @ y)
    assert_allclose(V @ ridge, A @ direct, rtol=1e-10, atol=1e-10)


def test_products_of_random_features_tend_to_the_kernel(X):
    view = RandomFeaturesView(200_000, random_state=0).fit(X)
    few = X[:12]
    V = view.transform(few) * view.scale_ + view.centre_
    gamma = 1 / (2 * X.var(axis=0).sum())
    assert_allclose(view.gamma_, gamma)
    expected = np.exp(-gamma * cdist(few, few, "sqeuclidean"))
    assert_allclose(V @ V.T, expected, atol=0.01)


def test_mean_and_size_of_random_features_are_those_of_normal_rows():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(100_000, 3)) * [3.0, 1.0, 0.2] + 5
    for k in (10, 11):
        view = RandomFeaturesView(k, random_state=0).fit(X)
        assert_allclose(view.transform(X).mean(axis=0), 0, atol=0.01)
    sizes = []
    for seed in range(20):
        V = RandomFeaturesView(300, random_state=seed).fit(X).transform(X[:20_000])
        sizes.append((V**2).sum(axis=1).mean())
    assert_allclose(np.mean(sizes), 1, rtol=0.02)  # over draws of the waves


def test_triangle_is_the_nearness_to_centres(X):
    view = TriangleView(12, random_state=0).fit(X)
    D = cdist(X, view.centres_ + view.mean_)
    V = np.maximum(D.mean(axis=1, keepdims=True) - D, 0)
    V = V - V.mean(axis=0)
    assert_allclose(view.transform(X), V / np.sqrt((V**2).sum() / len(V)), atol=1e-9)
    one = KMeans(12, n_init=1, random_state=0).fit(X).inertia_
    nearest = cdist(X, view.centres_ + view.mean_, "sqeuclidean").min(axis=1).sum()
    assert nearest < 1.2 * one


def test_graph_functions_are_those_of_the_walk(X):
    view = GraphView(5, n_neighbors=10).fit(X)
    order = np.argsort(cdist(X, X), axis=1)[:, :10]
    A = np.zeros((len(X), len(X)))
    np.put_along_axis(A, order, 1.0, axis=1)
    A = np.maximum(A, A.T)
    e, F = np.linalg.eig(A / A.sum(axis=1, keepdims=True))
    top = np.argsort(-e.real)[:5]
    e, F = e.real[top], F.real[:, top]
    F /= np.sqrt(F.T**2 @ A.sum(axis=1))  # as V / root(degree)
    V = (np.eye(len(X))[order].mean(axis=1) @ F) / (e * np.sqrt(1.02 - e))
    V = V - V.mean(axis=0)
    V /= np.sqrt((V**2).sum() / len(V))
    found = view.transform(X)
    assert_allclose(found @ found.T, V @ V.T, atol=1e-8)


def test_the_kernel_of_trees_is_the_share_of_common_leaves(X):
    view = TreesView(400, n_trees=20, max_depth=3, random_state=0).fit(X)
    leaves = view.trees_.apply((X - view.mean_) / view.spread_)
    K = (leaves[:, None] == leaves).mean(axis=2)
    K = K - K.mean(axis=0)
    K = K - K.mean(axis=1)[:, None]
    V = view.transform(X)
    assert_allclose(V @ V.T, K * len(K) / np.trace(K), atol=1e-8)


def test_trees_feel_neither_scale_nor_level_of_columns(X):
    moved = X * [1e8, 1, 1e-8, 1, 1, 1] + [0, 1e6, 0, 0, -1e6, 0]
    one, two = (
        TreesView(400, n_trees=50, random_state=0).fit(A).transform(A)
        for A in (X, moved)
    )
    assert_allclose(one @ one.T, two @ two.T, atol=1e-5)


def test_any_transformer_is_brought_to_unit_size(X):
    V = TransformerView(PCA(2)).fit(X).transform(X)
    P = PCA(2).fit_transform(X)
    P = P / np.sqrt((P**2).sum() / len(P))
    assert_allclose(V @ V.T, P @ P.T, atol=1e-10)


def test_weights_that_a_view_cannot_take_are_refused(X):
    w = np.arange(1.0, 401)
    with pytest.raises(ValueError, match="'graph' takes no sample_weight"):
        GraphView().fit(X, sample_weight=w)
    with pytest.raises(ValueError, match="PCA takes no sample_weight"):
        TransformerView(PCA(2)).fit(X, sample_weight=w)
    GraphView().fit(X, sample_weight=np.full(400, 2.0))


def test_a_graph_of_many_rows_says_what_it_takes(X, monkeypatch):
    monkeypatch.setattr(_views, "MANY_ROWS", 399)
    with pytest.warns(UserWarning, match=r"all 400 rows .*about 0 seconds"):
        GraphView().fit(X)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shift", [0.0, 1e9])
def test_rows_that_are_all_equal_do_not_vary(name, shift):
    X = np.full((30, 3), 0.1) + shift
    view = fitted(name, X)
    assert not view.varies
    assert_allclose(view.transform(X + 1), 0)


@pytest.mark.parametrize("name", ALL)
def test_single_precision_stays_and_agrees(name, X):
    far = (X + 1000).astype(np.float32)
    one = fitted(name, far).transform(far)
    two = fitted(name, far.astype(np.float64)).transform(far.astype(np.float64))
    assert one.dtype == np.float32
    assert_allclose(one @ one.T, two @ two.T, atol=2e-3)


def test_names_and_what_is_no_view():
    assert [name for name, _ in named_views("auto")] == list(AUTO)
    assert [name for name, _ in named_views("all")] == list(ALL)
    mixed = named_views(["raw", PCA(2), PCA(3), ("own", PCA(1)), ("twice", "raw")])
    assert [name for name, _ in mixed] == ["raw", "pca", "pca-2", "own", "twice"]
    with pytest.raises(ValueError, match=r"some of \['raw'.*got 'rwa'"):
        named_views("rwa")
    with pytest.raises(TypeError, match="got 3"):
        named_views([3])
    with pytest.raises(ValueError, match="at least one view"):
        named_views([])


def test_a_graph_of_many_rows_is_said_to_take_long(X, monkeypatch):
    monkeypatch.setattr(_views, "MANY_ROWS", 399)
    with pytest.warns(UserWarning, match=r"all 400 rows .* about \d+ seconds"):
        GraphView(3).fit(X)
    monkeypatch.setattr(_views, "MANY_ROWS", 400)
    GraphView(3).fit(X)
