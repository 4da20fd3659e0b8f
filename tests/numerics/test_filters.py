"""Filters of a spectrum, and the complex ridges that they are sums of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext._numerics._filters import FILTERS, talbot
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    RidgeMoments,
)

E = np.concatenate([[0.0], np.logspace(-9, 9, 40)])
ALPHAS = [1e-6, 1e-2, 1.0, 1e4]


def fitted(name, e, alpha):
    return {
        "ridge": e / (e + alpha),
        "flow": -np.expm1(-e / alpha),
        "iterated": e * (e + 2 * alpha) / (e + alpha) ** 2,
    }[name]


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", FILTERS)
def test_what_is_fitted_and_what_is_left(name, alpha):
    own = FILTERS[name]
    expected = fitted(name, E, alpha)
    assert_allclose(E * own.shrinkage(E, alpha), expected, rtol=1e-8)
    assert_allclose(own.left(E, alpha), 1 - expected, atol=1e-12)
    at_zero = {"ridge": 1, "flow": 1, "iterated": 2}[name] / alpha
    assert_allclose(own.shrinkage(E, alpha)[0], at_zero)
    assert_allclose(own.shrinkage(E[1:], 0.0), 1 / E[1:])


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_a_sum_over_complex_ridges(name, alpha):
    ridges, weights = FILTERS[name].ridges(alpha)
    found = (weights * (E[:, None] / (E[:, None] + ridges))).sum(axis=1).real
    assert_allclose(found, fitted(name, E, alpha), atol=1e-6)


@pytest.mark.parametrize(
    ("n", "atol"), [(8, 1e-4), (12, 3e-7), (16, 2e-9), (24, 1e-12)]
)
def test_nodes_invert_the_transform_of_exponentials(n, atol):
    nodes, weights = talbot(n)
    rates = np.array([0.0, 1e-3, 0.1, 1.0, 10.0, 1e5])
    found = (weights * (nodes / (nodes + rates[:, None]))).sum(axis=1).real
    assert_allclose(found, np.exp(-rates), atol=atol)


@pytest.mark.parametrize("name", ["flow", "iterated"])
@pytest.mark.parametrize("side", ["primal", "dual"])
def test_residuals_do_not_overflow_and_come_in_any_number(name, side):
    rng = np.random.default_rng(0)
    Phi, Y, w = rng.standard_normal((30, 6)), rng.standard_normal((30, 3)), np.ones(30)

    def left_out(scale, alphas):
        rows = [(scale * Phi, Y, w)]
        if side == "primal":
            moments = RidgeMoments.of(*rows[0])
            spectrum = PrimalSpectrum.of(moments, FILTERS[name])
            return spectrum.leave_one_out(alphas, [(scale * Phi, Y, w)])
        kernel = CentredKernel.of_features(*rows[0])
        return DualSpectrum.of(kernel, FILTERS[name]).leave_one_out(alphas)

    many = np.logspace(-4, 3, 60).tolist()  # more than one block of columns
    expected = left_out(1.0, many)
    assert_allclose(left_out(1.0, many[7:8]), expected[7:8], rtol=1e-9)
    assert_allclose(left_out(1.0, [0.0, *many])[1:], expected, rtol=1e-9)
    large = left_out(1e120, [alpha * 1e240 for alpha in many])
    assert_allclose(large, expected, rtol=1e-6)


def test_residuals_of_tensors():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((30, 6)), rng.standard_normal((30, 2)), np.ones(30)
    alphas = [0.0, 0.1, 10.0]
    for name in ("flow", "iterated"):
        moments = RidgeMoments.of(rows[0].copy(), *rows[1:])
        spectrum = PrimalSpectrum.of(moments, FILTERS[name])
        expected = spectrum.leave_one_out(alphas, [(rows[0].copy(), *rows[1:])])
        tensors = [torch.asarray(array) for array in rows]
        spectrum = PrimalSpectrum.of(RidgeMoments.of(*tensors), FILTERS[name])
        found = spectrum.leave_one_out(alphas, [tensors])
        assert_allclose(found, expected, rtol=1e-8)
        kernel = CentredKernel.of_features(*tensors)
        found = DualSpectrum.of(kernel, FILTERS[name]).leave_one_out(alphas[1:])
        assert_allclose(found, expected[1:], rtol=1e-6, atol=1e-8)
