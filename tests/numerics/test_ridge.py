"""The closed-form ridge against augmented least squares, refits and block sums."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from sklearn_ext._numerics import _ridge
from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    RidgeMoments,
    conjugate_gradients,
    generalized_errors,
    warn_of_rounding,
)

ALPHAS = [1e-2, 0.5, 20.0]


def make(n=25, k=6, t=2, seed=0):
    rng = np.random.default_rng(seed)
    Phi, w = rng.standard_normal((n, k)) + 3, rng.uniform(0.2, 4, n)
    return Phi, rng.standard_normal((n, t)) + Phi[:, :1], w


def spectra(Phi, Y, w, fit_intercept):
    how = {"fit_intercept": fit_intercept}
    return [
        PrimalSpectrum.of(RidgeMoments.of(Phi.copy(), Y, w, **how)),
        DualSpectrum.of(CentredKernel.of_features(Phi.copy(), Y, w, **how)),
        DualSpectrum.of(CentredKernel.of(Phi @ Phi.T, Y, w, **how)),
    ]


def left_out(spectrum, alphas, Phi, Y, w):
    if isinstance(spectrum, DualSpectrum):
        return spectrum.leave_one_out(alphas)
    return spectrum.leave_one_out(alphas, [(Phi.copy(), Y, w)])


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("k", [6, 40])
def test_both_sides_equal_the_peer(k, fit_intercept):
    Phi, Y, w = make(k=k)
    for alphas in (np.array([0.5, 0.5]), np.array([0.1, 7.0])):
        peer = Ridge(alphas, fit_intercept=fit_intercept, solver="svd")
        peer.fit(Phi, Y, sample_weight=w)
        for spectrum in spectra(Phi, Y, w, fit_intercept):
            coef, intercept = spectrum.solve(alphas)
            late = coef.shape[0] != k
            fitted = (Phi @ Phi.T if late else Phi) @ coef + intercept
            assert_allclose(fitted, peer.predict(Phi), rtol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("k", [6, 40])
def test_a_row_leaves_with_its_whole_weight(k, fit_intercept):
    Phi, Y, w = make(k=k)
    expected = np.empty((len(ALPHAS), *Y.shape))
    for i in range(len(Phi)):
        kept = np.arange(len(Phi)) != i
        for j, alpha in enumerate(ALPHAS):
            peer = Ridge(alpha, fit_intercept=fit_intercept, solver="svd")
            peer.fit(Phi[kept], Y[kept], sample_weight=w[kept])
            expected[j, i] = Y[i] - peer.predict(Phi[i : i + 1])[0]
    for spectrum in spectra(Phi, Y, w, fit_intercept):
        found = left_out(spectrum, ALPHAS, Phi, Y, w)
        assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("factor", [1e-6, 10.0, 1e6])
def test_weights_and_ridges_times_a_constant(factor):
    Phi, Y, w = make()
    pairs = (spectra(Phi, Y, v, True) for v in (w, factor * w))
    for one, other in zip(*pairs, strict=True):
        scaled = [factor * alpha for alpha in ALPHAS]
        assert_allclose(
            left_out(other, scaled, Phi, Y, factor * w),
            left_out(one, ALPHAS, Phi, Y, w),
            rtol=1e-8,
        )
        assert_allclose(other.default_alphas(), factor * one.default_alphas())
        assert_allclose(other.dof(scaled), one.dof(ALPHAS))
        assert_allclose(other.train_error(scaled), one.train_error(ALPHAS), rtol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_degrees_of_freedom_and_training_errors(fit_intercept):
    Phi, Y, w = make()
    root = np.sqrt(w)[:, None]
    columns = np.c_[Phi, np.ones(len(Phi))] if fit_intercept else Phi
    for spectrum in spectra(Phi, Y, w, fit_intercept):
        for j, alpha in enumerate(ALPHAS):
            penalty = alpha * np.eye(columns.shape[1])
            penalty[6:, 6:] = 0
            A = root * columns
            hat = A @ np.linalg.solve(A.T @ A + penalty, A.T)
            rest = root * Y - hat @ (root * Y)
            expected = np.sum(rest**2, axis=0) / w.sum()
            assert_allclose(spectrum.dof(ALPHAS)[j], np.trace(hat), rtol=1e-8)
            assert_allclose(spectrum.train_error(ALPHAS)[j], expected, rtol=1e-7)


def test_moments_add_and_subtract():
    Phi, Y, w = make(n=60)
    Phi += 1000.0
    whole = RidgeMoments.of(Phi.copy(), Y, w)

    def batch(start, stop):
        return Phi[start:stop].copy(), Y[start:stop], w[start:stop]

    total = RidgeMoments.of_batches([batch(0, 7), batch(7, 40), batch(40, 60)])
    one, rest = (RidgeMoments.of(*batch(*ends)) for ends in ((0, 7), (7, 60)))
    for found, expected in ((total, whole), (one + rest - one, rest)):
        assert found.n == expected.n
        for name in ("weight", "mean", "y_mean", "gram", "cross", "y_square"):
            ours, theirs = getattr(found, name), getattr(expected, name)
            assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7, err_msg=name)


def test_rows_outside_the_sums():
    Phi, Y, w = make()
    new, Z, _ = make(n=7, seed=3)
    peer = [Ridge(alpha, solver="svd").fit(Phi, Y, sample_weight=w) for alpha in ALPHAS]
    expected = np.array([Z - model.predict(new) for model in peer])
    primal, _, dual = spectra(Phi, Y, w, True)
    found = primal.residuals(ALPHAS, [(new.copy(), Z, None)])
    assert_allclose(found, expected, rtol=1e-8)
    found = dual.residuals(ALPHAS, new @ Phi.T, Z)
    assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_the_default_grid_spans_the_eigenvalues_by_the_mean_diagonal():
    Phi, Y, w = make()
    for spectrum in spectra(Phi, Y, w, True):
        alphas = spectrum.default_alphas()
        centred = Phi - w @ Phi / w.sum()
        unit = (w @ np.sum(centred**2, axis=1)) / len(w)
        steps = 3 * np.log10(alphas / unit)
        assert_allclose(steps, np.round(steps), atol=1e-8)
        assert alphas[-1] <= spectrum.e[-1] * 1.001 < 2.2 * alphas[-1]
        assert 1e-10 <= alphas[0] / spectrum.e[-1] < 2.2e-10


def test_rows_that_are_alike_get_a_ridge_that_leaves_the_mean():
    Y, w = np.arange(10.0)[:, None], np.full(10, 2.0)
    for shift in (0.1, 1.0, 1e8):
        Phi = np.full((10, 4), shift)
        for spectrum in spectra(Phi, Y, w, True):
            (alpha,) = spectrum.default_alphas()
            coef, intercept = spectrum.solve(np.array([alpha]))
            rows = Phi if len(coef) == 4 else Phi @ Phi.T
            assert_allclose(rows @ coef + intercept, 4.5, rtol=1e-3)


def test_conjugate_gradients_refine_single_precision(monkeypatch):
    Phi, Y, w = make(n=300, k=40)
    Phi = (Phi * np.geomspace(1, 1e-3, 40)).astype(np.float32)
    alphas = np.full(2, 1e-4)
    moments = RidgeMoments.of(Phi.copy(), Y, w)
    assert moments.is_blurred(alphas)
    assert not moments.is_blurred(np.full(2, 100.0))
    blurred, _ = PrimalSpectrum.of(moments).solve(alphas)

    def batches():
        for start in range(0, 300, 100):
            rows = slice(start, start + 100)
            yield Phi[rows].copy(), Y[rows], w[rows]

    coef, n_iter = conjugate_gradients(batches, moments, blurred, alphas)
    wide = Phi.astype(float) - moments.mean
    A, B = np.sqrt(w)[:, None] * wide, np.sqrt(w)[:, None] * (Y - moments.y_mean)
    exact = np.linalg.solve(A.T @ A + 1e-4 * np.eye(40), A.T @ B)
    errors = [np.linalg.norm(A @ (c - exact)) for c in (coef, blurred)]
    assert 0 < n_iter < 50
    assert errors[0] < 1e-4 * np.linalg.norm(A @ exact)
    assert errors[0] < errors[1]
    monkeypatch.setattr(_ridge, "MAX_ITER", 1)
    monkeypatch.setattr(_ridge, "TOL", 0.0)
    with pytest.warns(ConvergenceWarning, match="after 1 conjugate gradient"):
        conjugate_gradients(batches, moments, np.zeros_like(blurred), alphas)


def test_a_lost_ridge_warns_and_zero_does_not():
    with pytest.warns(UserWarning, match=r"alpha=0\.1 is below the rounding"):
        warn_of_rounding(np.array([0.1, 5.0]), 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_rounding(np.array([0.0, 5.0]), 1.0)


def test_generalized_errors():
    train, dof = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 10.0])
    found = generalized_errors(train, dof, 10)
    assert_allclose(found, [[4.0, 8.0], [np.inf, np.inf]])


def test_tensors_in_numbers_out():
    torch = pytest.importorskip("torch")
    Phi, Y, w = make()
    tensors = [torch.as_tensor(array) for array in (Phi, Y, w)]
    primal, dual, _ = spectra(Phi, Y, w, True)
    other = PrimalSpectrum.of(RidgeMoments.of(*tensors))
    found = other.leave_one_out(ALPHAS, [tuple(tensors)])
    assert_allclose(found, left_out(primal, ALPHAS, Phi, Y, w), rtol=1e-8)
    other = DualSpectrum.of(CentredKernel.of_features(*tensors))
    assert_allclose(other.leave_one_out(ALPHAS), dual.leave_one_out(ALPHAS), rtol=1e-8)
    coef, _ = other.solve(np.array([0.5, 0.5]))
    assert_allclose(to_numpy(coef), dual.solve(np.array([0.5, 0.5]))[0], rtol=1e-8)
