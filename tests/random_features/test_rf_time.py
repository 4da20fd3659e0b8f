"""Predicted errors over time against simulations, ridges and limits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.random_features import (
    optimal_ridge,
    optimal_stopping,
    overtraining,
    rf_eigenframework,
    rf_flow_curve,
)
from sklearn_ext.random_features._theory._framework import Task
from sklearn_ext.random_features._theory._time import complex_ridge, residual_products

N, MODES, NOISE = 100, 400, 0.2
LAM = np.arange(1.0, MODES + 1) ** -1.5
V = LAM**0.5


def simulated(k, times, draw, n=N, n_repeats=30):
    """Return test and training errors (n_repeats, n_times) of drawn rows."""
    test, train = np.empty((2, n_repeats, len(times)))
    for seed in range(n_repeats):
        rng = np.random.default_rng(seed)
        X, y, new, target = draw(rng, n)
        root = np.sqrt(LAM)[:, None]
        W = np.diag(root[:, 0])
        if np.isfinite(k):
            W = root * rng.standard_normal((MODES, k)) / np.sqrt(k)
        U, s, Vt = np.linalg.svd(X @ W, full_matrices=False)
        for j, time in enumerate(times):
            coef = Vt.T @ (-np.expm1(-time * s**2) / s * (U.T @ y))
            train[seed, j] = np.mean((y - X @ (W @ coef)) ** 2)
            test[seed, j] = target(new, W @ coef)
    return test, train


def endless_rows(rng, n):
    X = rng.standard_normal((n, MODES))
    y = X @ V + np.sqrt(NOISE) * rng.standard_normal(n)
    return X, y, None, lambda _, coef: np.sum((V - coef) ** 2) + NOISE


def rows_of_a_pool(rng, n):
    Q = np.linalg.qr(rng.standard_normal((MODES, MODES)))[0] * np.sqrt(MODES)
    y = Q @ V
    return Q[:n], y[:n], Q[n:], lambda new, coef: np.mean((y[n:] - new @ coef) ** 2)


@pytest.mark.parametrize("k", [30, 100, 300, np.inf])
def test_curves_meet_simulations(k):
    times = [1.0, 3.0, 30.0, 300.0]
    curve = rf_flow_curve(LAM, V, N, k, times, NOISE)
    for found, predicted in zip(
        simulated(k, times, endless_rows), (curve.test, curve.train), strict=True
    ):
        mean, se = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
        # of a hundred rows the theory, which is of many, is a percent off
        assert (np.abs(mean - predicted) < 3 * se + 0.01 * mean + 1e-6).all()


@pytest.mark.parametrize("k", [60, np.inf])
def test_curves_of_a_pool_meet_simulations(k):
    times = [0.3, 3.0, 30.0, 300.0]
    curve = rf_flow_curve(LAM, V, N, k, times, n_pool=MODES)
    for found, predicted in zip(
        simulated(k, times, rows_of_a_pool), (curve.test, curve.train), strict=True
    ):
        mean, se = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
        assert (np.abs(mean - predicted) < 3 * se + 0.01 * mean + 1e-5).all()
    without = rf_flow_curve(LAM, V, N, k, times)
    assert (without.test < curve.test).all()


@pytest.mark.parametrize("n_pool", [np.inf, 500])
@pytest.mark.parametrize("k", [30, 100, 300, np.inf])
def test_equal_ridges_are_those_of_the_framework(k, n_pool):
    ridges = np.array([1e-3, 0.3, 10.0])
    noise = 0.0 if np.isfinite(n_pool) else NOISE
    expected = rf_eigenframework(LAM, V, N, k, ridges, noise, n_pool=n_pool)
    task = Task.of(LAM, V, N, k, 0.0, noise, n_pool)
    gamma = complex_ridge(task, ridges + 0j)
    assert_allclose(gamma, expected.gamma, rtol=1e-12)
    products = residual_products(task, gamma)[:, : len(ridges)]
    assert_allclose(np.diag(products), expected.test, rtol=1e-12)
    assert_allclose(products, products.T, rtol=1e-12)
    # residuals are analytic in the ridge: a complex one is a limit of real ones
    step = 1e-4
    turned = complex_ridge(task, ridges * (1 + 1j * step))
    up, down = (
        rf_eigenframework(LAM, V, N, k, ridges * (1 + h), noise, n_pool=n_pool).gamma
        for h in (step, -step)
    )
    assert_allclose(turned.imag, (up - down) / 2, rtol=1e-5)


@pytest.mark.parametrize("k", [30, 300, np.inf])
def test_complex_roots_solve_their_equation(k):
    angle = np.linspace(0, 0.95, 12) * np.pi
    ridges = np.outer([1e-6, 1e-2, 10.0], np.exp(1j * angle)).ravel()
    gamma = complex_ridge(Task.of(LAM, V, N, k, 0.0, 0.0, np.inf), ridges)
    z = (LAM / (LAM + gamma[:, None])).sum(axis=1)
    assert_allclose((N - z) * (1 - z / k) * gamma, ridges, rtol=1e-9)


def test_endless_time_is_no_ridge_and_none_no_fit():
    for k in (30, 300, np.inf):
        curve = rf_flow_curve(LAM, V, N, k, [1e-9, 1e9, np.inf], NOISE)
        end = rf_eigenframework(LAM, V, N, k, 0.0, NOISE)
        assert_allclose(curve.test[1:], end.test, rtol=1e-3)
        assert_allclose(curve.train[1:], end.train, rtol=1e-3, atol=1e-4)
        assert_allclose([curve.test[0], curve.train[0]], V @ V + NOISE, rtol=1e-4)


def test_modes_of_eigenvalue_zero_are_never_learnt():
    lam, v = np.append(LAM, 0.0), np.append(V, 0.7)
    curve = rf_flow_curve(lam, v, N, 300, [3.0], NOISE)
    noisy = rf_flow_curve(LAM, V, N, 300, [3.0], NOISE + 0.49)
    assert_allclose(curve.test, noisy.test)
    two = rf_flow_curve(LAM, np.stack([V, V[::-1]], axis=1), N, 300, [3.0], NOISE)
    other = rf_flow_curve(LAM, V[::-1], N, 300, [3.0], NOISE)
    first = rf_flow_curve(LAM, V, N, 300, [3.0], NOISE)
    assert_allclose(two.test, first.test + other.test)


def test_overtraining_is_worst_where_features_are_as_many_as_rows():
    widths = [20, 80, 100, 125, 1600]
    best = np.array([optimal_stopping(LAM, V, N, k, NOISE)[1] for k in widths])
    harm = rf_eigenframework(LAM, V, N, widths, 0.0, NOISE).test / best
    assert harm[2] == np.inf
    assert (np.diff(harm[:3]) > 0).all()
    assert (np.diff(harm[2:]) < 0).all()
    assert (np.diff(best) < 0).all()  # who stops in time has no peak
    assert overtraining(LAM, V, N, 80, NOISE) == pytest.approx(harm[1])
    assert overtraining(LAM, V, N, 100, NOISE) == np.inf


@pytest.mark.parametrize("k", [30, 100, np.inf])
def test_the_best_time_is_the_least_of_the_curve(k):
    time, test = optimal_stopping(LAM, V, N, k, NOISE)
    near = rf_flow_curve(LAM, V, N, k, np.geomspace(0.5, 2, 21) * time, NOISE)
    assert near.test.min() >= test * (1 - 1e-6)
    # ridge and flow have nearly the same best error
    assert test == pytest.approx(optimal_ridge(LAM, V, N, k, NOISE)[1], rel=0.05)


def test_flow_wins_where_ridge_saturates():
    steep = np.arange(1.0, MODES + 1) ** -3.0
    ridge = optimal_ridge(LAM, steep, 200, noise=0.01)[1]
    flow = optimal_stopping(LAM, steep, 200, noise=0.01)[1]
    assert (flow - 0.01) / (ridge - 0.01) < 0.6


def test_where_overfitting_does_no_harm_time_is_endless():
    time, test = optimal_stopping(LAM, LAM, N)
    end = rf_eigenframework(LAM, LAM, N).test
    assert test <= end * (1 + 1e-6)
    assert overtraining(LAM, LAM, N) == pytest.approx(1.0, abs=1e-3)
    assert time > 100


@pytest.mark.parametrize("n_modes", [1, 3, 30])
@pytest.mark.parametrize("k", [5, 50, np.inf])
def test_what_is_learnt_to_the_end_needs_no_stop(n_modes, k):
    lam = np.exp(-np.arange(n_modes) / 2)
    none = np.zeros(n_modes)
    for v in (none, none + 1) if min(k, 40) > n_modes else (none,):
        assert optimal_stopping(lam, v, 40, k) == (np.inf, 0.0)
        assert overtraining(lam, v, 40, k) == 1  # and not nan
    assert overtraining(LAM, V, N) == 1


def test_what_is_refused():
    with pytest.raises(ValueError, match="positive numbers"):
        rf_flow_curve(LAM, V, N, times=[0.0])
    with pytest.raises(ValueError, match="positive numbers"):
        rf_flow_curve(LAM, V, N, times=[[1.0]])
    with pytest.raises(ValueError, match="endless rows"):
        rf_flow_curve(LAM, V, np.inf, times=[1.0])
    with pytest.raises(ValueError, match="noise must be non-negative"):
        rf_flow_curve(LAM, V, N, times=[1.0], noise=-1.0)
    with pytest.raises(ValueError, match="hold its noise"):
        rf_flow_curve(LAM, V, N, times=[1.0], noise=0.1, n_pool=500)
    default = rf_flow_curve(LAM, V, N, 300)
    assert default.time.shape == default.test.shape == (60,)
    assert default.time[-1] == np.inf
    assert (np.diff(default.train) <= 1e-6).all()
