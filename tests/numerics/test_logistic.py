"""The logistic solver: gradient, moments, certificate, reduction, path."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.special import softmax

from sklearn_ext._numerics._logistic import (
    _solver,
    duality_gap,
    prepare,
    solve,
    solve_path,
)
from sklearn_ext._numerics._logistic._objective import column_means, moments


def problem_of(rng, n=60, d=5, k=3, dtype=np.float64, **params):
    y = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    X = rng.standard_normal((n, d)) + 0.5 * rng.standard_normal((k, d))[y] + 2
    weight = rng.integers(1, 4, n).astype(float)
    X = X.astype(dtype)
    return prepare(X, y, weight, k, **params), X, y, weight


def slow_objective(X, y, weight, C, W, b):
    """The definition, row by row."""
    loss, total = 0.0, weight.sum()
    for x, label, w in zip(X, y, weight, strict=True):
        z = W @ x + b
        if len(z) == 1:
            loss += w * np.log1p(np.exp(-z[0] if label else z[0]))
        else:
            loss += w * (np.log(np.exp(z).sum()) - z[label])
    return loss / total + np.sum(W**2) / (2 * C * total)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("n", [60, 15, 8])  # axes for coefficients, rows, few rows
def test_objective_is_its_definition(rng, k, n):
    problem, X, y, weight = problem_of(rng, n=n, d=12 if n == 8 else 5, k=k)
    objective = problem.at(0.7)
    theta = 0.3 * rng.standard_normal(len(objective.start()))
    if k > 2:  # what classes share is free, and set to zero by `coefficients`
        W, b = objective.split(theta)
        theta = np.r_[(W - W.mean(0)).ravel(), b]
    value = slow_objective(X, y, weight, 0.7, *problem.coefficients(theta))
    assert_allclose(objective(theta).value, value, rtol=1e-12)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("q", [-1.0, 0.5, 1.0])
def test_an_exponent_is_its_definition_and_slope(rng, k, q):
    problem, X, y, weight = problem_of(rng, k=k)
    objective = problem.at(2.0, q)
    theta = 0.3 * rng.standard_normal(len(objective.start()))
    W, b = objective.split(theta)
    theta = theta if k == 2 else np.r_[(W - W.mean(0)).ravel(), b]
    W, b = problem.coefficients(theta)
    Z = X @ W.T + b
    Z = np.column_stack([0 * Z, Z]) if k == 2 else Z
    own = softmax(Z, axis=1)[np.arange(len(y)), y]
    loss = weight @ ((1 - own**q) / q) / weight.sum()
    value = loss + np.sum(W**2) / (4 * weight.sum())
    assert_allclose(objective(theta).value, value, rtol=1e-10)
    gradient = objective(theta).gradient
    for at in range(len(theta)):
        step = np.zeros_like(theta)
        step[at] = 1e-5
        up, down = objective(theta + step).value, objective(theta - step).value
        assert_allclose(gradient[at], (up - down) / 2e-5, rtol=1e-5, atol=1e-8)


def test_an_exponent_falls_from_the_log_loss_and_has_no_bound(rng):
    problem, *_ = problem_of(rng, k=3)
    start = solve(problem, 1.0).minimum.theta
    found = solve(problem, 1.0, q=0.7, start=start, tol=1e-10)
    assert found.objective < problem.at(1.0, 0.7)(start).value
    assert np.isnan(found.gap_bound)
    assert_allclose(problem.at(1.0, 0.7)(found.minimum.theta).gradient, 0, atol=1e-4)
    near = solve(problem, 1.0, q=1e-7, tol=1e-12)
    assert_allclose(near.coef, solve(problem, 1.0, tol=1e-12).coef, atol=1e-4)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_gradient_is_the_slope(rng, k, shift, intercept):
    problem, *_ = problem_of(rng, k=k, fit_intercept=intercept, batch_size=7)
    objective = replace(problem.at(2.0), shift=shift)
    theta = 0.3 * rng.standard_normal(len(objective.start()))
    gradient = objective(theta).gradient
    for at in range(len(theta) - (0 if intercept else objective.n_scores)):
        step = np.zeros_like(theta)
        step[at] = 1e-5
        up, down = objective(theta + step).value, objective(theta - step).value
        assert_allclose(gradient[at], (up - down) / 2e-5, rtol=1e-5, atol=1e-8)


def test_batches_do_not_matter(rng):
    problem, *_ = problem_of(rng)
    objective = problem.at(1.0)
    theta = rng.standard_normal(len(objective.start()))
    whole, parts = objective(theta), replace(objective, batch_size=4)(theta)
    assert_allclose(parts.gradient, whole.gradient, rtol=1e-10, atol=1e-13)
    assert_allclose(parts.curvature, whole.curvature, rtol=1e-10)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_moments_are_weighted_sums(rng, form):
    X, y = rng.standard_normal((40, 4)), np.arange(40) % 3
    w = rng.uniform(size=40)
    w /= w.sum()
    mean = column_means(form(X), w)
    assert_allclose(mean, w @ X, rtol=1e-12)
    found = moments(form(X), y, w, mean, 3)
    A = X - w @ X
    assert_allclose(found.second, (A.T * w) @ A, atol=1e-14)
    sums = [w[y == k] @ A[y == k] for k in range(3)]
    assert_allclose(found.classes, sums, atol=1e-14)
    thin = moments(form(X), y, w, mean, 3, full=False)
    assert_allclose(thin.second, np.diag(found.second), rtol=1e-12)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("n", [60, 8])
def test_gap_is_bounded_everywhere(rng, k, intercept, n):
    problem, *_ = problem_of(rng, k=k, n=n, d=9, fit_intercept=intercept)
    objective = problem.at(3.0)
    best = solve(problem, 3.0, tol=1e-13).objective
    sums = problem.moments.classes
    for size in (0.0, 0.01, 0.1, 1.0):
        theta = objective.start()
        noise = size * rng.standard_normal(len(theta))
        theta = theta + (noise if intercept else np.r_[noise[:-1], 0] * (k == 2))
        now = objective(theta)
        bound = duality_gap(objective, theta, now, sums)
        assert bound >= now.value - best - 1e-12
    assert solve(problem, 3.0, tol=1e-13).gap_bound < 1e-4


def test_gap_bound_is_infinite_without_penalty(rng):
    problem, *_ = problem_of(rng)
    assert solve(problem, np.inf).gap_bound == np.inf


@pytest.mark.parametrize("k", [2, 3])
def test_few_rows_reduce_exactly(rng, k):
    problem, X, y, weight = problem_of(rng, n=20, d=30, k=k)
    assert problem.objective.X.shape == (20, 19)  # centred, so one less
    full = prepare(X, y, weight, k, preconditioner="diag")
    small, large = (solve(p, 1.0, tol=1e-13) for p in (problem, full))
    assert_allclose(small.objective, large.objective, rtol=1e-9)
    assert_allclose(small.coef, large.coef, atol=2e-5)


def test_coefficients_and_points_are_inverse(rng):
    for n in (60, 4):
        problem, *_ = problem_of(rng, n=n)
        coef, intercept = problem.coefficients(solve(problem, 1.0).minimum.theta)
        again = problem.coefficients(problem.point(coef, intercept))
        assert_allclose(again[0], coef, atol=1e-12)
        assert_allclose(again[1], intercept, atol=1e-12)


def test_rows_sum_to_zero_over_classes(rng):
    problem, *_ = problem_of(rng, k=4)
    solution = solve(problem, 1.0)
    assert_allclose(solution.coef.sum(0), 0, atol=1e-12)
    assert_allclose(solution.intercept.sum(), 0, atol=1e-12)


def test_path_is_cold_fits(rng):
    problem, *_ = problem_of(rng, n=200, k=4)
    Cs = [3.0, 0.01, 0.2, 0.2, np.inf, 30.0, np.inf]
    path = solve_path(problem, Cs, tol=1e-12)
    for C, solution in zip(Cs, path, strict=True):
        cold = solve(problem, C, tol=1e-12)
        assert_allclose(solution.objective, cold.objective, rtol=1e-9)
        assert_allclose(solution.coef, cold.coef, atol=1e-3)


def test_path_shares_work(rng):
    problem, *_ = problem_of(rng, n=300, d=20, k=5)
    Cs = np.geomspace(0.01, 1, 6)
    path = solve_path(problem, Cs)
    cold = [solve(problem, C) for C in Cs]
    used = [sum(s.minimum.n_evaluations for s in some) for some in (path, cold)]
    assert used[0] < 0.8 * used[1]


def test_offset_is_harmless_in_single_precision(rng):
    y = np.arange(300) % 3
    X = (rng.standard_normal((300, 4)) + y[:, None]).astype(np.float32)
    ones = np.ones(300)
    plain = solve(prepare(X, y, ones, 3), 1.0)
    far = prepare(X + np.float32(4096), y, ones, 3)
    assert far.objective.shift
    assert_allclose(solve(far, 1.0).objective, plain.objective, rtol=1e-3)


def test_ill_scaled_columns_need_few_passes(rng):
    scales = np.exp(2 * rng.standard_normal(30))
    y = np.arange(400) % 4
    X = (rng.standard_normal((400, 30)) + 0.5 * (np.arange(30) % 4 == y[:, None])) * (
        scales
    )
    found = solve(prepare(X, y, np.ones(400), 4), 1.0)
    assert found.minimum.converged
    assert found.minimum.n_evaluations < 200


@pytest.mark.parametrize("large", [1e6, 1e8, 1e10])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(120, 6), (30, 40)])  # rows as they are, few rows
def test_a_column_in_tiny_units_hides_no_other(shape, dtype, large):
    """A time in nanoseconds beside lengths is penalised not at all, that is all."""
    rng = np.random.default_rng(0)
    n, y, ones = shape[0], np.arange(shape[0]) % 3, np.ones(shape[0])
    X = rng.standard_normal(shape) + 0.7 * (np.arange(shape[1]) % 3 == y[:, None])
    column = rng.standard_normal(n)
    best = solve(prepare(np.c_[X, 1e3 * column], y, ones, 3), 1.0, tol=1e-10)
    X = np.c_[X, large * column].astype(dtype)
    for preconditioner in ("auto", "diag"):
        problem = prepare(X, y, ones, 3, preconditioner=preconditioner)
        found = solve(problem, 1.0)
        assert found.minimum.converged
        assert_allclose(found.objective, best.objective, rtol=2e-3)
    found = solve(prepare(X, y, ones, 3, preconditioner=None), 1.0)
    assert not found.minimum.converged or found.objective < 1.01 * best.objective


def test_constant_columns_in_large_units_are_no_scale(rng):
    y, ones = np.arange(90) % 3, np.ones(90)
    X = rng.standard_normal((90, 4)) + y[:, None]
    best = solve(prepare(X, y, ones, 3), 1.0, tol=1e-9)
    for constant in (0.0, 7.0, 1e9, 0.1 * 3):
        problem = prepare(np.c_[X, np.full(90, constant)], y, ones, 3)
        assert problem.axes is not None  # the others still share their axes
        found = solve(problem, 1.0, tol=1e-9)
        assert_allclose(found.objective, best.objective, rtol=1e-6)


def test_trial_rows_spare_the_first_search(rng, monkeypatch):
    y, shared = np.arange(9000) % 10, 3 * rng.standard_normal((2, 20))
    X = rng.standard_normal((9000, 20)) + rng.standard_normal((9000, 2)) @ shared
    X += rng.standard_normal((10, 20))[y]
    problem, used = prepare(X, y, np.ones(9000), 10), []
    for rows in (4096, 9000):  # the second is too many to be worth a trial
        monkeypatch.setattr(_solver, "TRIAL_ROWS", rows)
        found = solve(problem, 1.0, tol=0, max_iter=1).minimum
        used.append(found.n_evaluations)
    assert used == [2, 3]


def test_tolerance_foretells_the_gap(rng):
    problem, *_ = problem_of(rng, n=400, d=20, k=5)
    best = solve(problem, 1.0, tol=1e-13).objective
    for tol in (1e-3, 1e-5, 1e-7):
        assert solve(problem, 1.0, tol=tol).objective / best - 1 < 5 * tol


@pytest.mark.parametrize("preconditioner", ["gram", "diag", None])
def test_every_preconditioner_finds_the_optimum(rng, preconditioner):
    problem, X, y, weight = problem_of(rng, k=3)
    other = prepare(X, y, weight, 3, preconditioner=preconditioner)
    best = solve(problem, 1.0, tol=1e-13).objective
    assert_allclose(solve(other, 1.0, tol=1e-12).objective, best, rtol=1e-9)


def test_single_precision_ends_where_rounding_begins():
    rng, d = np.random.default_rng(0), 400  # variances fall as on frozen features
    variance = (1 + np.arange(d) / 4) ** -1.4
    variance *= 0.5 * d / variance.sum()
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    mix = np.sqrt(variance)[:, None] * turn
    spread = np.sqrt(0.15 * (1 + np.arange(d) / 10) ** -0.7)
    means = rng.standard_normal((5, d)) * spread @ mix
    means += np.sqrt(0.5) * rng.standard_normal(d)
    y = rng.integers(0, 5, 300)
    X = means[y] + rng.standard_normal((300, d)) @ mix
    problem = prepare(X.astype(np.float32), y, np.ones(300), 5)
    for C in (31.6, 100.0):  # the gradient's rounding foretells more than tol
        found = solve(problem, C, tol=1e-9, max_iter=600, memory=20).minimum
        assert found.converged
        assert found.n_iter < 200


@pytest.mark.parametrize("scale", [1e8, 1e150])
def test_a_loss_that_rounding_hides_has_converged(rng, scale):
    """Separable in huge units: nothing is left to lower, and nobody need be warned."""
    y = np.arange(60) % 3
    X = scale * (rng.standard_normal((60, 8)) + 5 * (np.arange(8) % 3 == y[:, None]))
    for rows in (slice(60), slice(6), slice(30)):
        found = solve(prepare(X[rows], y[rows], np.ones(60)[rows], 3), 1.0)
        assert found.objective < 1e-12
        assert found.minimum.converged
