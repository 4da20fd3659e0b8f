"""The closed-form head against refits, one row left out at a time."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from sklearn_ext.representations._head import Head, WholeRows, paired_gain


def problem(n=30, k=8, t=2, seed=0):
    rng = np.random.default_rng(seed)
    V, w = rng.normal(size=(n, k)) + 1, rng.uniform(0.5, 3, n)
    return V, V @ rng.normal(size=(k, t)) + rng.normal(size=(n, t)), w


def refitted(V, Y, w, alpha):
    """Residuals of rows by models that left all rows equal to them out."""
    residual = np.empty_like(Y)
    for i in range(len(V)):
        kept = (V[i] != V).any(axis=1)
        model = Ridge(alpha=alpha, solver="cholesky")
        model.fit(V[kept], Y[kept], sample_weight=w[kept])
        residual[i] = Y[i] - model.predict(V[[i]])
    return residual


@pytest.mark.parametrize("k", [8, 60])  # more rows than columns, and fewer
def test_rows_left_out_are_those_of_refits(k):
    V, Y, w = problem(k=k)
    rows = WholeRows.of(V, Y, w)
    for alpha in (0.01, 1.0, 50.0):
        head = Head.of(V[rows.first], rows, [alpha])
        residual = refitted(V, Y, w, alpha)
        assert_allclose(head.predictions(rows), Y - residual, rtol=1e-9, atol=1e-9)
        error = (w / w.sum()) @ (residual**2).sum(axis=1)
        assert_allclose(head.error, error, rtol=1e-10)
        ridge = Ridge(alpha=alpha, solver="cholesky").fit(V, Y, sample_weight=w)
        assert_allclose(head.coef.T, ridge.coef_, rtol=1e-9, atol=1e-10)
        assert_allclose(head.intercept, ridge.intercept_, rtol=1e-9)


@pytest.mark.parametrize("k", [8, 60])
def test_equal_rows_leave_together_whatever_their_targets(k):
    V, Y, w = problem(k=k)
    V, w = V[np.r_[:30, :10, :4]], w[np.r_[:30, 5:15, 2:6]]
    Y = np.concatenate([Y, Y[:10] + 1, -Y[:4]])
    rows = WholeRows.of(V, Y, w)
    assert len(rows) == 30
    head = Head.of(V[rows.first], rows, [0.3])
    residual = refitted(V, Y, w, 0.3)
    assert_allclose(Y - head.predictions(rows), residual, rtol=1e-8, atol=1e-9)
    error = (w / w.sum()) @ (residual**2).sum(axis=1)
    assert_allclose(head.error, error, rtol=1e-9)
    ridge = Ridge(alpha=0.3, solver="cholesky").fit(V, Y, sample_weight=w)
    assert_allclose(head.coef.T, ridge.coef_, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("k", [8, 60])
def test_the_ridge_is_that_of_the_least_error_on_the_grid(k):
    V, Y, w = problem(k=k)
    rows = WholeRows.of(V, Y, w)
    grid = np.logspace(-3, 3, 25)
    errors = [Head.of(V[rows.first], rows, [alpha]).error for alpha in grid]
    assert Head.of(V[rows.first], rows, grid).alpha == grid[np.argmin(errors)]


def test_the_grid_widens_to_both_sides():
    V, Y, w = problem(n=200, k=5)
    rows = WholeRows.of(V, Y, w)
    unit = np.trace((V - V.mean(axis=0)) @ (V - V.mean(axis=0)).T) / 200
    exact = WholeRows.of(V, V @ np.ones((5, 1)), w)
    assert Head.of(V[rows.first], exact).alpha < 1e-6 * unit
    noise = WholeRows.of(V, np.random.default_rng(2).normal(size=(200, 1)), w)
    assert Head.of(V[rows.first], noise).alpha > unit * 10**2.5


def test_weights_times_a_constant_scale_the_ridge_alone():
    V, Y, w = problem()
    one, other = (
        Head.of(V[r.first], r) for r in (WholeRows.of(V, Y, f * w) for f in (1, 3))
    )
    assert_allclose(other.alpha, 3 * one.alpha, rtol=1e-12)
    assert_allclose(other.coef, one.coef, rtol=1e-10)
    assert_allclose(other.error, one.error, rtol=1e-10)


def test_nothing_to_learn_from():
    rows = WholeRows.of(np.ones((4, 2)), np.array([[0.0], [1], [1], [1]]), np.ones(4))
    assert len(rows) == 1
    head = Head.of(np.ones((1, 2)), rows)
    assert_allclose(head.intercept, 0.75)
    assert not head.coef.any()
    assert np.isnan(head.error)
    V, Y, w = problem()
    rows = WholeRows.of(V, Y, w)
    head = Head.of(np.empty((30, 0)), rows)  # no columns: means of the others
    mean = (w @ Y - w[3] * Y[3]) / (w.sum() - w[3])
    assert_allclose(head.predictions(rows)[3], mean)


def test_the_interval_of_the_gain_is_students():
    from scipy import stats

    V, Y, _ = problem()
    rows = WholeRows.of(V, Y, np.ones(30))
    one, other = (
        Head.of(V[rows.first], rows, [100.0]),
        Head.of(V[rows.first], rows, [1.0]),
    )
    gain, interval = paired_gain(one, other, rows, 0.9)
    gains = (one.residual**2).sum(axis=1) - (other.residual**2).sum(axis=1)
    assert_allclose(gain, gains.mean())
    assert_allclose(gain, one.error - other.error)
    expected = stats.ttest_1samp(gains, 0).confidence_interval(0.9)
    assert_allclose(interval, expected)
