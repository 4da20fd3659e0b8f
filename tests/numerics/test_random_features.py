"""Random weights, waves against the kernel they tend to, and the rule "scale"."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.metrics.pairwise import rbf_kernel

from sklearn_ext._numerics._random_features import (
    StructuredWeights,
    draw_phases,
    gaussian_weights,
    n_waves,
    rounding_of_means,
    scale_gamma,
    waves,
)


@pytest.mark.parametrize(("d", "k"), [(64, 10), (70, 300), (128, 128), (300, 64)])
def test_structured_weights_equal_their_dense_form(d, k):
    W = gaussian_weights(d, k, "structured", np.random.RandomState(0))
    assert isinstance(W, StructuredWeights)
    X = np.random.default_rng(0).standard_normal((20, d))
    assert_allclose(W.apply(X), X @ W.dense(), rtol=1e-10, atol=1e-12)
    D = W.dense()
    assert D.shape == W.shape == (d, k)
    assert_allclose(D.mean(), 0, atol=0.05)
    assert_allclose(D.std(), 1, atol=0.05)
    assert_allclose((W * 3.0).dense(), 3 * D)


def test_orthogonal_blocks_are_orthogonal_with_gaussian_lengths():
    W = gaussian_weights(6, 6 * 500, "orthogonal", np.random.RandomState(0))
    gram = W[:, :6].T @ W[:, :6]
    assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10)
    assert_allclose((W**2).sum(axis=0).mean(), 6, rtol=0.05)


@pytest.mark.parametrize("sampling", ["iid", "orthogonal"])
@pytest.mark.parametrize("pair", [True, False])
def test_products_of_waves_tend_to_the_kernel(sampling, pair):
    rng, k = np.random.RandomState(0), 60_001
    X = rng.standard_normal((8, 5))
    W = gaussian_weights(5, n_waves(k, pair=pair), sampling, rng) * np.sqrt(2 * 0.1)
    Phi = waves(X @ W + draw_phases(k, rng, pair=pair), k, pair=pair)
    assert Phi.shape == (8, k)
    assert_allclose(Phi @ Phi.T, rbf_kernel(X, gamma=0.1), atol=0.02)


def test_pairs_need_half_as_many_waves_and_no_phase():
    assert [n_waves(k, pair=True) for k in (1, 2, 5, 6)] == [1, 1, 3, 3]
    phases = draw_phases(5, np.random.RandomState(0), pair=True)
    assert (phases[:2] == 0).all()
    assert phases[2] > 0
    P = np.random.default_rng(0).standard_normal((4, 3))
    Phi = waves(P.copy(), 6, pair=True)
    assert_allclose(Phi, np.c_[np.cos(P), np.sin(P)] / np.sqrt(3), atol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_scale_is_that_of_all_weighted_entries(container, dtype):
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((30, 4)).astype(dtype), np.arange(30) % 3
    expected = 1 / (4 * np.repeat(X, w, axis=0).astype(float).var())
    for factor in (1.0, 1e-6, 1e6):
        found = scale_gamma(container(X), factor * w)
        assert_allclose(found, expected, rtol=1e-6)
    assert scale_gamma(container(np.full((7, 3), dtype(0.1))), np.ones(7)) == 1.0


def test_the_scale_survives_single_precision_far_from_zero():
    X = (np.random.default_rng(0).standard_normal((2000, 2)) + 1e5).astype(np.float32)
    expected = 1 / (2 * X.astype(float).var())
    assert_allclose(scale_gamma(X, np.ones(2000)), expected, rtol=1e-6)
    assert rounding_of_means(X) < 1.3e-7
    assert rounding_of_means(np.empty((10**9, 0))) > 2e-7
