"""Scalings of columns: what they give, and that weights are repetition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.special import ndtri

from sklearn_ext.random_features import RandomFeatureRidge
from sklearn_ext.random_features._scaling import LIMIT, SCALINGS, scaling


def rows(n=50, d=3, seed=0):
    return np.exp(2 * np.random.default_rng(seed).standard_normal((n, d)))


@pytest.mark.parametrize("name", SCALINGS)
def test_weights_are_repetition(name):
    X, w = rows(), np.arange(50) % 4
    expected = scaling(name, np.repeat(X, w, axis=0), np.ones(w.sum()))(X)
    assert_allclose(scaling(name, X, w)(X), expected, atol=1e-12)
    assert_allclose(scaling(name, X, 1e3 * w)(X), expected, atol=1e-12)
    order = np.random.default_rng(1).permutation(50)
    assert_allclose(scaling(name, X[order], w[order])(X), expected, atol=1e-12)


def test_quantiles_are_those_of_middle_ranks():
    x = np.array([[3.0], [1.0], [1.0], [10.0]])
    found = scaling("quantile", x, np.ones(4))(np.array([[1.0], [3.0], [6.5], [10.0]]))
    z = ndtri([1 / 4, 5 / 8, 7 / 8])
    assert_allclose(found[:, 0], [z[0], z[1], (z[1] + z[2]) / 2, z[2]])


def test_many_values_and_few_knots():
    X = rows(5000, 1)
    X[:2000] = 0.0  # an atom
    found = scaling("quantile", X, np.ones(5000))
    assert found.values.shape[1] < 300
    rank = (np.searchsorted(np.sort(X[:, 0]), X[:, 0]) + 0.5) / 5000
    rank[:2000] = 0.2
    expected = ndtri(rank).clip(-LIMIT, LIMIT)
    assert_allclose(found(X)[:, 0], expected, atol=0.02)
    assert_allclose(found(X[:1]), ndtri(0.2))


@pytest.mark.parametrize("name", ["clip", "quantile"])
def test_far_rows_stay_near(name):
    X = rows()
    found = scaling(name, X, np.ones(50))(np.array([[1e9, -1e9, 1e4]]))
    assert (abs(found) <= LIMIT).all()


@pytest.mark.parametrize("name", ["clip", "quantile"])
def test_sparse_rows_are_made_dense(name):
    X = rows() * (rows(seed=1) > 1)
    y = X[:, 0]
    model = RandomFeatureRidge(10, standardize=name, random_state=0)
    expected = model.fit(X, y).predict(X)
    assert_allclose(model.predict(sparse.csr_array(X)), expected)
    assert_allclose(model.fit(sparse.csr_array(X), y).predict(X), expected, rtol=1e-6)


@pytest.mark.parametrize("name", SCALINGS)
def test_constant_columns_and_single_precision(name):
    X = np.c_[rows(), np.full(50, 7.0)].astype(np.float32)
    found = scaling(name, X, np.ones(50))(X)
    assert found.dtype == np.float32
    assert_allclose(found[:, 3], 0, atol=1e-12)
    double = scaling(name, X.astype(float), np.ones(50))(X.astype(float))
    assert_allclose(found, double, atol=1e-5)


@pytest.mark.parametrize("name", SCALINGS)
def test_tensors(name):
    torch = pytest.importorskip("torch")
    X = torch.asarray(rows())
    found = scaling(name, X, torch.ones(50, dtype=X.dtype))(X)
    assert isinstance(found, torch.Tensor)
    assert_allclose(found.numpy(), scaling(name, rows(), np.ones(50))(rows()))
