"""Truncated products against plain convolutions."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.rashomon._trees._polynomials import (
    correlate_with,
    normalized,
    shifted,
    sum_of_products,
)


def test_polynomial_products_against_convolution(rng):
    A, C, weight = rng.random((5, 150)), rng.random((5, 150)), rng.random(5)
    terms = [w * np.convolve(a, c)[:150] for w, a, c in zip(weight, A, C, strict=True)]
    assert_allclose(sum_of_products(A, C, weight), sum(terms), rtol=1e-13)
    adjoint = rng.random(150)
    gradient = correlate_with(C, adjoint)
    for a, c, g in zip(A, C, gradient, strict=True):
        assert_allclose(g @ a, adjoint @ np.convolve(a, c)[:150], rtol=1e-12)


def test_small_coefficients_keep_their_accuracy():
    tiny = np.array([[1e-200, 1.0, 1e-30]])
    found = sum_of_products(tiny, tiny, np.ones(1))
    assert_allclose(found, [0.0, 2e-200, 1.0], rtol=1e-15, atol=0)  # 1e-400 underflows
    coef, log_top = normalized(np.array([0.0, 1e-300]))
    assert_allclose(coef, [0, 1])
    assert_allclose(log_top, np.log(1e-300))


def test_shift_drops_what_passes_the_end():
    moved = shifted(np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([0, 2]))
    assert_array_equal(moved, [[1, 2, 3], [0, 0, 4]])
