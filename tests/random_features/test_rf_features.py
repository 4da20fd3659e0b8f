"""Feature maps against their exact kernels, and what the transformer promises."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.integrate import quad
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel

from sklearn_ext.random_features import RandomFeatures
from sklearn_ext.random_features._kernels import KERNELS, Kernel
from sklearn_ext.random_features._maps import draw_map

NAMES = sorted(KERNELS)


def rows(n=20, d=12, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def features(kernel, **params):
    params = {"gamma": 0.05, "length_scale": 2.0, "random_state": 0, **params}
    return RandomFeatures(kernel, **params)


@pytest.mark.parametrize("sampling", ["iid", "orthogonal"])
@pytest.mark.parametrize("kernel", NAMES)
def test_products_tend_to_the_kernel(kernel, sampling):
    if kernel == "laplacian":
        sampling = "auto"  # its only scheme
    X = rows(8)
    fitted = features(kernel, n_components=200_000, sampling=sampling).fit(X)
    Phi, K = fitted.transform(X), fitted.kernel_matrix(X)
    assert np.abs(Phi @ Phi.T - K).max() < 0.03 * np.abs(K).max()


@pytest.mark.parametrize("kernel", ["relu", "rbf", "matern"])
def test_structured_products_tend_to_the_kernel(kernel):
    X = rows(8, d=100)
    params = {"gamma": 0.005, "length_scale": 10.0, "sampling": "structured"}
    fitted = features(kernel, n_components=100_000, **params).fit(X)
    Phi, K = fitted.transform(X), fitted.kernel_matrix(X)
    assert np.abs(Phi @ Phi.T - K).max() < 0.03 * np.abs(K).max()


@pytest.mark.parametrize("k", [1, 2, 5, 6])
def test_pairs_are_unbiased_for_every_width(k):
    X, rng = rows(n=4, d=3), np.random.RandomState(0)
    total = 0.0
    for _ in range(700):
        how = {"fourier": "pair", "sampling": "orthogonal", "rng": rng}
        Phi = draw_map(Kernel("rbf", 0.2), 3, k, **how)(X)
        total = total + Phi @ Phi.T / 700
    assert_allclose(total, rbf_kernel(X, gamma=0.2), atol=0.13)


def test_pairs_have_unit_length():
    Phi = features("rbf", n_components=64, fourier="pair").fit_transform(rows())
    assert_allclose((Phi**2).sum(axis=1), 1.0, rtol=1e-12)


def test_stationary_kernels_are_those_of_scikit_learn():
    X, Y = rows(), rows(7, seed=1)
    assert_allclose(Kernel("rbf", 0.3)(X, Y), rbf_kernel(X, Y, gamma=0.3), rtol=1e-10)
    ours = Kernel("laplacian", 0.3)(X, Y)
    assert_allclose(ours, laplacian_kernel(X, Y, gamma=0.3), rtol=1e-10)


@pytest.mark.parametrize("nu", [0.5, 0.8, 1.5, 2.5, 7.0])
def test_matern_is_that_of_scikit_learn(nu):
    X, Y = rows(), rows(7, seed=1)
    ours = Kernel("matern", nu=nu, length_scale=1.7)
    peer = Matern(1.7, nu=nu)
    assert_allclose(ours(X, Y), peer(X, Y), rtol=1e-8)
    # general nu passes through a square root of rounded squared distances
    assert_allclose(ours(X), peer(X), rtol=1e-6)


def _mean_product(g, angle):
    """E g(w.x) g(w.x') over Gaussian w, unit x and x', by quadrature over a circle."""
    # w restricted to the plane is (r cos t, r sin t) with E r^(2p) known: integrate t
    inner = lambda t: g(np.cos(t)) * g(np.cos(t - angle)) / (2 * np.pi)  # noqa: E731
    cuts = [angle - np.pi / 2, np.pi / 2]
    return quad(inner, -np.pi, np.pi, points=cuts)[0]


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.3, 2.0, 3.0])
def test_neuron_kernels_by_quadrature(angle):
    x = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    moment = {0: 1.0, 1: 2.0, 2: 8.0}  # E r^(2p), r the length of a planar Gaussian
    for name, p, factor in [("step", 0, 2.0), ("relu", 1, 2 / 2), ("relu2", 2, 2 / 12)]:
        g = lambda t, p=p: np.maximum(t, 0) ** p if p else float(t > 0)  # noqa: E731
        expected = factor * moment[p] * _mean_product(g, angle)
        K = Kernel(name, bias_scale=0.0)(x)
        assert_allclose(K[0, 1], expected, rtol=1e-6, atol=1e-9)


def test_tangent_kernel_is_neurons_plus_gates():
    X = rows()
    parts = Kernel("relu")(X), Kernel("step")(X)
    expected = parts[0] + X @ X.T / X.shape[1] * parts[1]
    assert_allclose(Kernel("ntk")(X), expected, rtol=1e-12)


def test_relu_without_bias_has_mean_square_on_the_diagonal():
    X = rows()
    K = Kernel("relu", bias_scale=0.0)(X)
    assert_allclose(np.diag(K), (X**2).mean(axis=1), rtol=1e-12)


def test_zero_row_fires_no_neuron():
    X = np.vstack([np.zeros(3), np.ones(3)])
    for name in ("step", "relu2"):
        assert_allclose(Kernel(name)(X)[0], 0.0)
        Phi = features(name, n_components=50).fit_transform(X)
        assert_allclose(Phi[0], 0.0)


@pytest.mark.parametrize("name", ["rbf", "relu", "erf"])
def test_entries_of_sparse_rows_may_be_stored_in_parts(name):
    parts = [1.0, 1.0, 1.0, 2.0], [0, 0, 1, 2], [0, 2, 4]  # a cell of two ones
    X = sparse.csr_matrix(parts, shape=(2, 6))
    assert_allclose(Kernel(name, 0.3)(X), Kernel(name, 0.3)(X.toarray()), atol=1e-15)


@pytest.mark.parametrize("params", [{}, {"map": "landmarks"}, {"fourier": "pair"}])
@pytest.mark.parametrize("kernel", NAMES)
def test_sparse_equals_dense_and_float32_is_kept(kernel, params):
    X = rows(d=80) * (rows(d=80, seed=1) > 0)
    dense = features(kernel, n_components=20, **params).fit(X)
    for make in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        Phi = features(kernel, n_components=20, **params).fit_transform(make(X))
        # an angle near zero is accurate to the root of the rounding only
        assert_allclose(Phi, dense.transform(X), atol=1e-7)
    single = features(kernel, n_components=20, **params)
    assert single.fit_transform(X.astype(np.float32)).dtype == np.float32
    K = single.kernel_matrix(X.astype(np.float32))
    assert K.dtype == np.float64
    assert_allclose(K, dense.kernel_matrix(X.astype(np.float32)), rtol=1e-6)


def test_sparse_equals_dense_when_structured():
    X = rows(d=80) * (rows(d=80, seed=1) > 0)
    make = features("relu", n_components=200, sampling="structured")
    Phi = make.fit_transform(X)
    assert_allclose(make.transform(sparse.csr_array(X)), Phi, atol=1e-12)
    assert_allclose(make.fit_transform(sparse.csr_array(X)), Phi, atol=1e-12)


def test_landmarks_give_the_products_of_nystroem():
    X = rows(60, 5)
    fitted = RandomFeatures("rbf", 25, map="landmarks", gamma=0.3, random_state=3)
    ours = fitted.fit_transform(X)
    peer = Nystroem(gamma=0.3, n_components=25).fit(fitted.landmarks_).transform(X)
    assert_allclose(ours @ ours.T, peer @ peer.T, atol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_landmarks_depend_on_values_alone(form):
    X, w = rows(60, 5), np.arange(60) % 4
    fitted = RandomFeatures(map="landmarks", n_components=20, random_state=3)
    chosen = clone(fitted).fit(form(X[w > 0])).landmarks_
    assert len(np.unique(chosen, axis=0)) == 20
    order = np.random.default_rng(0).permutation(60)
    X, w = X[order], w[order]
    for table, weights in [(X, w), (np.repeat(X, w, axis=0), None)]:
        again = clone(fitted).fit(form(table), sample_weight=weights).landmarks_
        assert_array_equal(again, chosen)
    single = X[w > 0].astype(np.float32)
    again = clone(fitted).fit(form(single.astype(np.float64))).landmarks_
    assert_array_equal(clone(fitted).fit(form(single)).landmarks_, again)
    other = clone(fitted).set_params(random_state=4).fit(form(X[w > 0])).landmarks_
    assert (other != chosen).any()


def test_all_rows_as_landmarks_give_the_kernel():
    X = rows(40, 5)
    fitted = RandomFeatures("rbf", 100, map="landmarks", random_state=0).fit(X)
    Phi = fitted.transform(X)
    assert Phi.shape == (40, 40)
    assert_allclose(Phi @ Phi.T, fitted.kernel_matrix(X), atol=1e-9)


def test_equal_rows_may_be_landmarks():
    X = np.repeat(rows(10, 5), 3, axis=0)
    Phi = RandomFeatures("rbf", 30, map="landmarks", random_state=0).fit_transform(X)
    assert np.isfinite(Phi).all()
    assert_allclose(Phi @ Phi.T, rbf_kernel(X, gamma=1 / (5 * X.var())), atol=1e-6)


def test_rows_of_weight_zero_are_no_landmarks():
    X, w = rows(40, 5), np.r_[np.zeros(30), np.ones(10)]
    fitted = RandomFeatures(map="landmarks").fit(X, sample_weight=w)
    assert fitted.n_components_ == 10
    assert {tuple(row) for row in fitted.landmarks_} <= {tuple(row) for row in X[30:]}


def test_weights_do_not_depend_on_the_rows():
    one, two = (features("relu").fit(rows(n, seed=n)) for n in (5, 50))
    assert (one.random_weights_ == two.random_weights_).all()
    assert (one.random_offset_ == two.random_offset_).all()


def test_gamma_scale_is_weighted():
    X, w = rows(30, 4), np.arange(30) % 3
    weighted = RandomFeatures("rbf").fit(X, sample_weight=w)
    repeated = RandomFeatures("rbf").fit(np.repeat(X, w, axis=0))
    assert_allclose(weighted.gamma_, repeated.gamma_, rtol=1e-12)
    assert_allclose(repeated.gamma_, 1 / (4 * np.repeat(X, w, axis=0).var()))
    assert RandomFeatures("rbf").fit(np.ones((5, 2))).gamma_ == 1.0
    matern = RandomFeatures("matern").fit(X, sample_weight=w)
    assert_allclose(matern.length_scale_, weighted.gamma_**-0.5)
    held = RandomFeatures("rbf").fit(sparse.csr_array(X), sample_weight=w)
    assert_allclose(held.gamma_, weighted.gamma_, rtol=1e-10)


def test_dtype_overrides_that_of_the_data():
    X = rows(5)
    single = RandomFeatures(n_components=8, dtype="float32")
    assert single.fit_transform(X).dtype == np.float32


@pytest.mark.parametrize(
    ("params", "d", "message"),
    [
        ({"sampling": "structured"}, 10, "at least 64 columns, got 10"),
        ({"sampling": "structured", "kernel": "laplacian"}, 70, "rotation-invariant"),
        ({"sampling": "orthogonal", "kernel": "laplacian"}, 5, "rotation-invariant"),
        ({"kernel": "ntk", "n_components": 1}, 5, "at least 2 components"),
        ({"kernel": "cosine"}, 5, "'kernel' parameter"),
        ({"kernel": "matern", "nu": 0.0}, 5, "'nu' parameter"),
        ({"n_components": 0}, 5, "'n_components' parameter"),
        ({"n_components": 1.5}, 5, "'n_components' parameter"),
    ],
)
def test_errors_teach(params, d, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatures(**params).fit(rows(d=d))


def test_failed_fit_keeps_the_fitted_state():
    fitted = RandomFeatures(n_components=8, random_state=0).fit(rows())
    before = fitted.transform(rows())
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(np.full((3, 2), np.nan))
    assert_allclose(fitted.transform(rows()), before, rtol=0)


def test_kernel_matrix_needs_fit():
    with pytest.raises(NotFittedError):
        RandomFeatures().kernel_matrix(rows())
