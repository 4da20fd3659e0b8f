"""Factors against dense inverses, on matrices that are singular or nearly so."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext._numerics._factors import (
    CholeskyFactor,
    EigenFactor,
    Rounding,
    eigh,
    factorize,
    inverse_shrinkage,
    solve_each,
)


def gram(k=8, rank=8, seed=0, scale=1.0):
    A = np.random.default_rng(seed).standard_normal((40, rank))
    mix = np.random.default_rng(seed + 1).standard_normal((rank, k))
    return scale * (A @ mix).T @ (A @ mix)


@pytest.mark.parametrize("method", ["auto", "eigen"])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
def test_solutions_and_traces(method, alpha):
    G, B = gram(), np.random.default_rng(2).standard_normal((8, 3))
    factor = factorize(G, alpha, method)
    inverse = np.linalg.inv(G + alpha * np.eye(8))
    assert type(factor) is (EigenFactor if method == "eigen" else CholeskyFactor)
    assert_allclose(factor.solve(B), inverse @ B, rtol=1e-8, atol=1e-10)
    assert_allclose(factor.dof(), np.trace(G @ inverse), rtol=1e-10)


def test_a_singular_matrix_without_a_ridge_has_the_least_norm_solution():
    G, B = gram(rank=3), np.random.default_rng(2).standard_normal((8, 2))
    factor = factorize(G, 0.0)
    expected = np.linalg.pinv(G, rcond=1e-12, hermitian=True) @ B
    assert_allclose(factor.solve(B), expected, rtol=1e-6, atol=1e-9)
    assert_allclose(factor.dof(), 3)


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1.0, 1e20, 1e200])
def test_a_ridge_below_rounding_is_no_ridge(scale):
    G, B = gram(rank=3, scale=scale), np.random.default_rng(2).standard_normal((8, 1))
    none, tiny = factorize(G, 0.0), factorize(G, 1e-18 * np.trace(G))
    assert isinstance(tiny, EigenFactor)
    assert_allclose(tiny.solve(G @ B), none.solve(G @ B), rtol=1e-9)
    assert np.abs(tiny.solve(G @ B)).max() < 10 * np.abs(B).max()


def test_what_is_known_of_rounding_raises_the_cut():
    G = np.diag([1.0, 1e-5, 1e-9])
    e, _ = eigh(G)
    assert Rounding().cut(e) < 1e-14
    assert_allclose(Rounding(eps=1e-7).cut(e), 1e-7)
    assert_allclose(Rounding(noise=1e-4).cut(e), 1e-4)
    assert Rounding(noise=0.5).cut(np.empty(0)) == 0.5
    factor = factorize(G, 1e-10, rounding=Rounding(eps=1e-7))
    assert_allclose(factor.solve(np.eye(3)), np.diag([1, 1e5, 0]), rtol=1e-4)


def test_shrinkage_above_the_cut_keeps_all_directions():
    e = np.array([0.0, 1e-20, 1.0])
    assert_allclose(inverse_shrinkage(e, 0.5, 1e-15), 1 / (e + 0.5))
    assert_allclose(inverse_shrinkage(e, 1e-18, 1e-15), [0, 0, 1])


def test_each_target_has_its_ridge():
    G, B = gram(), np.random.default_rng(2).standard_normal((8, 3))
    for alphas in (np.array([0.1, 1.0, 10.0]), np.full(3, 0.3)):
        theta, factors = solve_each(G, B, alphas)
        for j, alpha in enumerate(alphas):
            expected = np.linalg.solve(G + alpha * np.eye(8), B[:, j])
            assert_allclose(theta[:, j], expected, rtol=1e-8, atol=1e-10)
            assert factors[j].alpha == alpha


def test_factors_of_tensors():
    torch = pytest.importorskip("torch")
    G, B = gram(), np.random.default_rng(2).standard_normal((8, 3))
    for method in ("auto", "eigen"):
        expected = factorize(G, 0.3, method)
        factor = factorize(torch.as_tensor(G), 0.3, method)
        found = factor.solve(torch.as_tensor(B))
        assert_allclose(found.numpy(), expected.solve(B), rtol=1e-8, atol=1e-10)
        assert_allclose(factor.dof(), expected.dof())
