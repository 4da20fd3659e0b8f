"""Landmarks that are chosen: pivots of Cholesky, whatever the order of rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, sparse
from sklearn.base import clone

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatures,
)
from sklearn_ext.random_features import _landmarks as landmarks
from sklearn_ext.random_features._kernels import Kernel
from sklearn_ext.random_features._landmarks import greedy_landmarks

KERNELS = {
    "laplacian": Kernel("laplacian", 0.1),
    "rbf": Kernel("rbf", 0.05),
    "relu": Kernel("relu"),
}


def rows_of(n=400, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.arange(1, d + 1)


def unexplained(kernel, X, at):
    """Return what is left of the diagonal once some rows are landmarks."""
    L = np.linalg.cholesky(kernel(X[at]))
    part = linalg.solve_triangular(L, kernel(X[at], X), lower=True)
    return np.diag(kernel(X)) - (part * part).sum(axis=0)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_each_is_where_those_before_explain_least(kernel, monkeypatch):
    X = rows_of()
    monkeypatch.setattr(landmarks, "BLOCK", 1)
    at = greedy_landmarks(kernel, X, 40)
    assert len(set(at.tolist())) == 40
    for j in range(1, 40):
        left = unexplained(kernel, X, at[:j])
        assert left[at[j]] >= left.max() * (1 - 1e-6)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_blocks_leave_hardly_more_than_single_steps(kernel, monkeypatch):
    X = rows_of()
    blocks = unexplained(kernel, X, greedy_landmarks(kernel, X, 64))
    monkeypatch.setattr(landmarks, "BLOCK", 1)
    single = unexplained(kernel, X, greedy_landmarks(kernel, X, 64))
    drawn = unexplained(kernel, X, np.arange(64))
    assert blocks.max() < 1.3 * single.max()
    assert blocks.max() < drawn.max()


def test_rows_that_are_explained_are_filled_up():
    X = np.repeat(rows_of(10), 5, axis=0)
    at = greedy_landmarks(KERNELS["rbf"], X, 20)
    assert len(set(at.tolist())) == 20
    assert len(np.unique(X[at[:10]], axis=0)) == 10
    assert_array_equal(greedy_landmarks(KERNELS["rbf"], X, 60), np.arange(50))


def test_order_copies_and_weights_do_not_matter():
    X = rows_of(300)
    y = np.sin(X[:, 0]) + X[:, 1]
    w = np.random.default_rng(1).integers(1, 4, 300)
    order = np.random.default_rng(2).permutation(300)
    model = RandomFeatures("laplacian", n_components=25, map="greedy", random_state=0)
    first = clone(model).fit(X).landmarks_
    assert first.shape == (25, 5)
    assert_array_equal(clone(model).fit(X[order]).landmarks_, first)
    assert_array_equal(clone(model).fit(np.repeat(X, w, axis=0)).landmarks_, first)
    ridge = RandomFeatureRidgeCV(25, map="greedy", random_state=0)
    weighted = clone(ridge).fit(X, y, w)
    repeated = clone(ridge).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert weighted.map_ == "landmarks"
    assert weighted.kernel_ == repeated.kernel_
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)


def test_sparse_rows_and_blocks():
    X = sparse.random(200, 30, 0.2, format="csr", random_state=0)
    y = np.asarray(X.sum(axis=1)).ravel()
    given = {"kernel": "rbf", "map": "greedy", "random_state": 0}
    loose = RandomFeatureRidge(20, **given).fit(X, y)
    dense = RandomFeatureRidge(20, **given).fit(X.toarray(), y)
    assert_allclose(loose.predict(X), dense.predict(X.toarray()), rtol=1e-6)
    stream = RandomFeatureRidge(20, gamma=0.1, **given)
    for at in (slice(0, 100), slice(100, 200)):
        stream.partial_fit(X[at], y[at])
    assert stream.predict(X).shape == (200,)
