"""Rows that are alike, tiny or reused, and containers that change between calls."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.metrics import log_loss

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
)
from tests.random_features._given import RidgeOnlyClassifierCV, RidgeOnlyCV


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    return X, np.sin(X[:, 0]) + 0.1 * rng.standard_normal(40)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_gamma_of_equal_entries_is_one(container, dtype):
    X = container(np.full((7, 3), 0.1, dtype=dtype))
    assert RandomFeatures("rbf", 10).fit(X).gamma_ == 1.0


@pytest.mark.parametrize("k", [5, 100, "infinite"])
@pytest.mark.parametrize("kernel", ["relu", "rbf"])
def test_equal_rows_give_the_mean_and_one_ridge(k, kernel):
    X = np.full((7, 3), 0.1)
    model = RidgeOnlyCV(k, kernel=kernel, random_state=0).fit(X, np.arange(7.0))
    assert model.alphas_.tolist() == [1.0]
    assert_allclose(model.predict(X), 3.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_constant_column_of_sparse_rows_keeps_its_scale(dtype, data):
    X = np.c_[data[0], np.full(40, 0.1)].astype(dtype)
    model = RandomFeatureRidge(20, standardize=True, random_state=0)
    scaler = model.fit(sparse.csr_array(X), data[1])._features.scaler
    assert scaler.scale[5] == 1.0
    assert_allclose(scaler.scale[:5], X[:, :5].std(axis=0), rtol=1e-4)


@pytest.mark.parametrize("k", [100, "infinite"])
def test_the_dual_side_has_no_scale_of_its_own(k, data):
    X, y = data
    make = {"bias_scale": 0, "random_state": 0}
    expected = RidgeOnlyCV(k, [0.1, 1.0], **make).fit(X, y)
    tiny = RidgeOnlyCV(k, [1e-21, 1e-20], **make).fit(1e-10 * X, y)
    assert_allclose(tiny.loo_residuals_, expected.loo_residuals_, rtol=1e-8)


def test_the_model_owns_its_rows(data):
    X, y = data
    buffer = X.copy()
    kernel = RandomFeatureRidge("infinite").fit(buffer, y)
    blocks = RidgeOnlyCV(20, random_state=0).partial_fit(buffer, y)
    before = kernel.predict(X)
    buffer[:] = 0
    assert_allclose(kernel.predict(X), before, rtol=0)
    expected = RidgeOnlyCV(20, random_state=0).partial_fit(X, y)
    assert_allclose(blocks.loo_residuals_, expected.loo_residuals_, rtol=0)


def test_blocks_may_change_their_container(data):
    X, y = data
    expected = RidgeOnlyCV(20, random_state=0).fit(X, y)
    model = RidgeOnlyCV(20, random_state=0).partial_fit(X[:25], y[:25])
    model.partial_fit(sparse.csr_array(X[25:]), y[25:])
    assert_allclose(model.loo_residuals_, expected.loo_residuals_, rtol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scorers_of_probabilities(n_classes, data):
    X, y = data
    classes = np.array(["a", "b", "c"])[np.digitize(y, [0, 0.5][: n_classes - 1])]
    model = RidgeOnlyClassifierCV(20, scoring="neg_log_loss", random_state=0)
    model.fit(X, classes)
    scores = model.loo_predictions_.reshape(40, -1)
    scores = np.hstack([-scores, scores]) if n_classes == 2 else scores
    P = np.exp(scores / model.temperature_)
    P /= P.sum(axis=1, keepdims=True)
    assert_allclose(model.best_score_, -log_loss(classes, P), rtol=1e-10)


@pytest.mark.parametrize("k", [20, "infinite"])
def test_intervals_of_tensors(k, data):
    torch = pytest.importorskip("torch")
    X, y = data
    expected = RidgeOnlyCV(k, random_state=0).fit(X, y).predict_interval(X)
    with sklearn.config_context(array_api_dispatch=True):
        model = RidgeOnlyCV(k, random_state=0)
        model.fit(torch.as_tensor(X), torch.as_tensor(y))
        ends = model.predict_interval(torch.as_tensor(X))
    assert isinstance(ends, torch.Tensor)
    assert_allclose(ends.numpy(), expected, rtol=1e-7)
