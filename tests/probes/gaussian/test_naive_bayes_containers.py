"""NaiveBayesProbe takes rows in any dtype and container, at any distance from zero."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context

from sklearn_ext.probes import NaiveBayesProbe, ShrinkageDiscriminantProbe

MODES = pytest.mark.parametrize("covariance", ["auto", "shared", "class"])


def table(rng, n=90, d=6, k=3, offset=0.0):
    y = np.r_[np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)]
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d) + rng.normal(size=(k, d))[y]
    return X + offset, y


def same(one, other, X, rtol=1e-9):
    assert_array_equal(one.classes_, other.classes_)
    for name in ("class_count_", "theta_", "var_", "class_prior_", "epsilon_"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol, 1e-10)
    assert_allclose(one.predict_proba(X), other.predict_proba(X), 1e-7, 1e-9)


@MODES
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_floats_agree_with_float64(rng, covariance, dtype):
    X, y = table(rng, n=300)
    X = X.astype(dtype)
    wide = NaiveBayesProbe(covariance=covariance).fit(X.astype(np.float64), y)
    for precise in (True, False):
        probe = NaiveBayesProbe(covariance=covariance, precise=precise).fit(X, y)
        assert_allclose(probe.theta_, wide.theta_, rtol=1e-5, atol=1e-5)
        assert_allclose(probe.var_, wide.var_, rtol=1e-5)
        proba = probe.predict_proba(X)
        assert proba.dtype == np.float32
        assert_allclose(proba, wide.predict_proba(X.astype(float)), atol=1e-4)


def test_float32_far_from_zero_stays_accurate(rng):
    X, y = table(rng, n=300)
    X = (X + 1000).astype(np.float32)
    probe = NaiveBayesProbe().fit(X, y)
    wide = NaiveBayesProbe().fit(X.astype(np.float64), y)
    found = probe.decision_function(X)
    found = found - found.mean(axis=1, keepdims=True)
    exact = wide.decision_function(X.astype(np.float64))
    exact -= exact.mean(axis=1, keepdims=True)
    assert_allclose(found, exact, atol=1e-3)


@MODES
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_equals_dense(rng, covariance, container):
    X, y = table(rng)
    X[rng.random(X.shape) < 0.6] = 0
    dense = NaiveBayesProbe(covariance=covariance, temperature="loo").fit(X, y)
    thin = NaiveBayesProbe(covariance=covariance, temperature="loo")
    thin.fit(container(X), y)
    same(thin, dense, X)
    for method in ("predict_proba", "predict_joint_log_proba", "decision_function"):
        expected = getattr(dense, method)(X)
        assert_allclose(getattr(thin, method)(container(X)), expected, rtol=1e-8)
        assert_allclose(getattr(dense, method)(container(X)), expected, rtol=1e-8)
    mixed = NaiveBayesProbe(covariance=covariance).fit(X[:40], y[:40])
    mixed.partial_fit(container(X[40:]), y[40:])
    same(mixed, NaiveBayesProbe(covariance=covariance).fit(X, y), X)


@MODES
def test_batch_size_changes_nothing(rng, covariance):
    X, y = table(rng)
    whole = NaiveBayesProbe(covariance=covariance).fit(X, y)
    same(NaiveBayesProbe(covariance=covariance, batch_size=7).fit(X, y), whole, X)


def test_memory_does_not_grow_with_the_rows():
    import tracemalloc

    peaks = []
    for n in (20_000, 80_000):
        X, y = np.ones((n, 100), dtype=np.float32), np.arange(n) % 10
        tracemalloc.start()
        NaiveBayesProbe(batch_size=512).fit(X, y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    by_row = (peaks[1] - peaks[0]) / 60_000
    assert by_row < 80  # bytes, for labels and weights; the row itself has 400


@pytest.mark.parametrize("dispatch", [False, True])
@pytest.mark.parametrize("cls", [NaiveBayesProbe, ShrinkageDiscriminantProbe])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_torch_tensors_equal_arrays(rng, cls, dtype, dispatch):
    torch = pytest.importorskip("torch")
    X, y = table(rng)
    w = torch.tensor(rng.uniform(0.5, 2, 90))
    X, y = torch.tensor(X).to(getattr(torch, dtype)), torch.tensor(y)
    rows = (X.float() if dtype == "bfloat16" else X).numpy()
    expected = cls().fit(rows, y.numpy(), w.numpy()).predict_proba(rows)
    with config_context(array_api_dispatch=dispatch):
        probe = cls().fit(X, y, w)
        assert_array_equal(probe.predict_proba(X), expected)
        if cls is NaiveBayesProbe:
            halves = cls().partial_fit(X[:40], y[:40], range(3), w[:40])
            halves.partial_fit(X[40:], y[40:], sample_weight=w[40:])
            assert_allclose(halves.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("covariance", ["auto", "shared", "class"])
@pytest.mark.parametrize("batches", [False, True])
def test_sparse_rows_far_from_zero_stay_accurate(rng, covariance, batches):
    X, y = table(rng, n=400)
    X += np.where(rng.random(6) < 0.5, 0, 1e8)
    X[:, 0] += 1e8
    dense = NaiveBayesProbe(covariance=covariance).fit(X, y)
    probe = NaiveBayesProbe(covariance=covariance)
    if batches:
        for part in (slice(0, 50), slice(50, None)):
            probe.partial_fit(sparse.csr_array(X[part]), y[part], classes=range(3))
    else:
        probe.fit(sparse.csr_array(X), y)
    assert_allclose(probe.var_, dense.var_, rtol=1e-6)
    found = probe.predict_proba(sparse.csr_array(X))
    assert_allclose(found, dense.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("covariance", ["shared", "class"])
def test_sparse_rows_and_a_class_without_prior(rng, covariance):
    y = np.arange(60) % 3
    X = rng.normal([0, 0, 5, 5], size=(60, 4))
    X[:, :2] *= rng.random((60, 2)) < 0.3  # the others get a pivot
    probe = NaiveBayesProbe(covariance=covariance, priors=[0.5, 0.5, 0.0])
    dense = probe.fit(X, y).predict_joint_log_proba(X)
    joint = probe.fit(sparse.csr_array(X), y).predict_joint_log_proba(
        sparse.csr_array(X)
    )
    assert (joint[:, 2] == -np.inf).all()
    assert_allclose(joint, dense, rtol=1e-9)
