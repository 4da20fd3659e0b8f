"""Sums, ridge, width and evidence beside dense solves and brute force."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_ext.bandits._ridge._feature_map import Waves, half_cosine
from sklearn_ext.bandits._ridge._posterior import (
    ALPHAS,
    WAVE_PENALTIES,
    Posterior,
    Products,
    Scale,
    choose_penalties,
    evidence,
)
from sklearn_ext.bandits._ridge._statistics import BanditStatistics

FIELDS = ("n_rows", "weight", "x_mean", "r_mean", "xx", "xr", "rr", "r_low", "r_high")


def same(one, other, rtol=1e-10):
    for name in FIELDS:
        value = np.asarray(getattr(one, name), dtype=float)
        atol = rtol * np.abs(value[np.isfinite(value)]).max(initial=0.0)
        assert_allclose(getattr(other, name), value, rtol=rtol, atol=atol, err_msg=name)


def rows_of(rng, n=60, K=4, m=3):
    Z = rng.normal(size=(n, m)) * [1.0, 20.0, 0.1] + [5.0, -100.0, 0.0]
    return Z, rng.integers(0, K, n), rng.normal(size=n), rng.integers(1, 4, n) * 1.0


def test_sums_are_those_of_a_slow_loop(rng):
    Z, action, reward, w = rows_of(rng)
    found = BanditStatistics.of(Z, action, reward, w, 5)
    assert found.weight[4] == 0
    for k in range(4):
        rows, wk = action == k, w[action == k]
        mean = np.average(Z[rows], axis=0, weights=wk)
        level = np.average(reward[rows], weights=wk)
        D, e = Z[rows] - mean, reward[rows] - level
        assert_allclose(found.x_mean[k], mean)
        assert_allclose(found.r_mean[k], level)
        assert_allclose(
            found.xx[k], sum(v * np.outer(d, d) for v, d in zip(wk, D, strict=True))
        )
        assert_allclose(
            found.xr[k], sum(v * d * r for v, d, r in zip(wk, D, e, strict=True))
        )
        assert_allclose(found.rr[k], wk @ e**2)


def test_sums_add_in_any_order(rng):
    Z, action, reward, w = rows_of(rng)
    whole = BanditStatistics.of(Z, action, reward, w, 4)
    parts = [
        BanditStatistics.of(Z[r], action[r], reward[r], w[r], 4)
        for r in np.array_split(rng.permutation(60), 7)
    ]
    same(whole, sum(parts[1:], parts[0]))
    same(whole, sum(parts[::-1][1:], parts[-1]))
    same(whole, BanditStatistics.empty(4, 3) + whole)


def test_demonstrations_are_rewards_of_every_action(rng):
    Z, action, _, w = rows_of(rng)
    found = BanditStatistics.of_demonstrations(Z, action, w, 4)
    every = np.tile(np.arange(4), 60)
    rows = np.repeat(np.arange(60), 4)
    right = (action[rows] == every).astype(float)
    spelt = BanditStatistics.of(Z[rows], every, right, w[rows], 4)
    assert_allclose(found.n_rows, w.sum())
    for name in FIELDS[1:]:
        value = getattr(spelt, name)
        atol = 1e-10 * np.abs(value).max()
        assert_allclose(getattr(found, name), value, rtol=1e-10, atol=atol)


def test_weights_repeat_rows(rng):
    Z, action, reward, w = rows_of(rng)
    times = np.repeat(np.arange(60), w.astype(int))
    same(
        BanditStatistics.of(Z, action, reward, w, 4),
        BanditStatistics.of(
            Z[times], action[times], reward[times], np.ones(len(times)), 4
        ),
    )


def test_actions_are_taken_dropped_and_new(rng):
    Z, action, reward, w = rows_of(rng)
    known = BanditStatistics.of(Z, action, reward, w, 4)
    taken = known.take([3, -1, 0])
    assert_allclose(taken.xx[[0, 2]], known.xx[[3, 0]])
    assert not taken.weight[1]
    assert not taken.xx[1].any()


def _dense(Z, action, reward, w, k, alpha, D, query):
    """Solve one action's ridge with its pseudo-row by dense least squares."""
    pooled = np.average(Z, axis=0, weights=w)
    level = np.average(reward, weights=w)
    Zk = np.vstack([Z[action == k], pooled])
    rk, wk = np.append(reward[action == k], level), np.append(w[action == k], 1.0)
    mean, r_mean = np.average(Zk, axis=0, weights=wk), np.average(rk, weights=wk)
    S = (Zk - mean).T @ (wk[:, None] * (Zk - mean))
    c = (Zk - mean).T @ (wk * (rk - r_mean))
    f = r_mean + (query - mean) @ np.linalg.solve(S + alpha * np.diag(D), c)
    E = S + min(alpha, 1.0) * np.diag(D)
    spread = np.einsum("ij,ij->i", query - mean, np.linalg.solve(E, (query - mean).T).T)
    return f, 1 / wk.sum() + spread


@pytest.mark.parametrize("alpha", [0.03, 1.0, 30.0])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("n_query", [1, 40])  # both ways to the width
def test_ridge_and_width_are_those_of_a_dense_solve(rng, alpha, scaled, n_query):
    Z, action, reward, w = rows_of(rng)
    statistics = BanditStatistics.of(Z, action, reward, w, 5)
    scale = Scale.of(statistics, scaled=scaled)
    posterior = Posterior.of(Products.of(statistics, scale), scale, alpha)
    query = Z[:n_query] + 0.3
    rows = scale.rows(query)
    mean = np.average(Z, axis=0, weights=w)
    D = np.ones(3) if scaled else np.average((Z - mean) ** 2, axis=0, weights=w)
    for k in range(5):  # the last one was never tried
        f, v = _dense(Z, action, reward, w, k, alpha, D, query)
        assert_allclose(posterior.rewards(rows)[:, k], f, rtol=1e-9, atol=1e-10)
        assert_allclose(posterior.variances(rows)[:, k], v, rtol=1e-9)
    assert_allclose(posterior.rewards(rows)[:, 4], np.average(reward, weights=w))


def test_a_constant_column_keeps_its_scale():
    Z = np.column_stack([np.full(9, 0.1), np.arange(9.0)])
    statistics = BanditStatistics.of(Z, np.arange(9) % 2, np.arange(9.0), np.ones(9), 2)
    spread = Scale.of(statistics, scaled=False).spread
    assert spread[0] == 1
    assert_allclose(spread[1], np.arange(9.0).std())


def _marginal(Z, action, reward, alpha, noise_var):
    """Log density of the rewards, coefficients and levels integrated out."""
    total = 0.0
    for k in range(4):
        A, r = Z[action == k], reward[action == k]
        # contrasts of the rows integrate a free level out
        C = np.linalg.qr(np.column_stack([np.ones(len(r)), np.eye(len(r))[:, 1:]]))[0]
        C = C[:, 1:].T
        cov = noise_var * (np.eye(len(r) - 1) + C @ A @ A.T @ C.T / alpha)
        total += stats.multivariate_normal(cov=cov).logpdf(C @ r)
    return total


def test_evidence_is_the_marginal_likelihood(rng):
    Z, action, reward, _ = rows_of(rng)
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    reward = reward + Z[:, 0]
    statistics = BanditStatistics.of(Z, action, reward, np.ones(60), 4)
    pooled, level = Z.mean(axis=0), reward.mean()
    Z1 = np.vstack([Z, np.tile(pooled, (4, 1))])  # with the rows of the prior
    r1, a1 = np.append(reward, [level] * 4), np.append(action, np.arange(4))
    scale = Scale(pooled, np.ones(3), 1.0)
    products = Products.of(statistics, scale)
    for alpha in (0.1, 3.0, 100.0):
        value, noise_var, log_det, _ = evidence(products, alpha)
        brute = -2 * _marginal(Z1, a1, r1, alpha, noise_var)
        assert_allclose(value + 60 * (np.log(2 * np.pi) + 1), brute, rtol=1e-10)
        for factor in (0.9, 1.1):
            worse = -2 * _marginal(Z1, a1, r1, alpha, factor * noise_var)
            assert worse > brute
        A = products.A
        assert_allclose(log_det, np.linalg.slogdet(np.eye(3) + A / alpha)[1].sum())


def test_the_chosen_penalty_is_the_best_of_the_grid(rng):
    Z, action, reward, w = rows_of(rng, n=200)
    statistics = BanditStatistics.of(Z, action, reward + Z[:, 2], w, 4)
    products = Products.of(statistics, Scale.of(statistics, scaled=False))
    values = [evidence(products, alpha)[0] for alpha in ALPHAS]
    best = int(np.argmin(values))
    assert choose_penalties(products, 3) == (best, 0)
    assert choose_penalties(products, 3, (best, 0)) == (best, 0)
    start = (min(best + 3, len(ALPHAS) - 1), 0)
    assert choose_penalties(products, 3, start) == (best, 0)


@pytest.mark.parametrize("slope", [0.0, 5.0])
def test_waves_that_say_nothing_are_penalised(rng, slope):
    Z = np.column_stack([rng.normal(size=(400, 2)), 0.35 * rng.normal(size=(400, 30))])
    action = rng.integers(0, 3, size=400)
    reward = Z[:, 0] + slope * Z[:, 2:] @ rng.normal(size=30) + rng.normal(size=400)
    statistics = BanditStatistics.of(Z, action, reward, np.ones(400), 3)
    scale = Scale.of(statistics, scaled=True)
    products = Products.of(statistics, scale)
    i, j = choose_penalties(products, 2)
    assert j == 0 if slope else j > 0
    grid = [
        (evidence(products.with_waves(2, tau), alpha)[0], a, t)
        for t, tau in enumerate(WAVE_PENALTIES)
        for a, alpha in enumerate(ALPHAS)
    ]
    assert min(grid)[1:] == (i, j)
    # the penalty of a scaled coordinate is a scaled penalty
    tau, alpha = WAVE_PENALTIES[2], 0.7
    there = scale.with_waves(2, tau)
    posterior = Posterior.of(products.with_waves(2, tau), there, alpha)
    D = np.append([1.0, 1.0], np.full(30, tau))
    f, v = _dense(Z, action, reward, np.ones(400), 1, alpha, D, Z[:50])
    assert_allclose(posterior.rewards(there.rows(Z[:50]))[:, 1], f, rtol=1e-8)
    assert_allclose(posterior.variances(there.rows(Z[:50]))[:, 1], v, rtol=1e-8)


def test_rounding_that_eats_the_penalty_is_survived():
    Z = np.repeat(np.arange(12.0)[:, None], 3, axis=1)  # three equal columns
    statistics = BanditStatistics.of(Z, np.arange(12) % 2, Z[:, 0], np.ones(12), 2)
    scale = Scale.of(statistics, scaled=False)
    posterior = Posterior.of(Products.of(statistics, scale), scale, 1e-18)
    assert np.isfinite(posterior.variances(scale.rows(Z))).all()
    assert_allclose(posterior.rewards(scale.rows(Z))[:, 0], Z[:, 0], atol=1e-6)


def test_information_gain_is_the_regret_of_the_mixture(rng):
    """-log of the Bayes mixture, row by row, is the best fit plus half a log det."""
    Z, r, alpha = rng.normal(size=(40, 3)), rng.normal(size=40), 2.0
    precision, b, online, leverage = alpha * np.eye(3), np.zeros(3), 0.0, 0.0
    for z, y in zip(Z, r, strict=True):
        variance = z @ np.linalg.solve(precision, z)
        mean = z @ np.linalg.solve(precision, b)
        online -= stats.norm(mean, np.sqrt(1 + variance)).logpdf(y)
        leverage += np.log1p(variance)
        precision, b = precision + np.outer(z, z), b + y * z
    theta = np.linalg.solve(precision, b)
    best = -stats.norm(Z @ theta).logpdf(r).sum() + alpha / 2 * theta @ theta
    log_det = np.linalg.slogdet(np.eye(3) + Z.T @ Z / alpha)[1]
    assert_allclose(online, best + log_det / 2, rtol=1e-12)
    assert_allclose(leverage, log_det, rtol=1e-12)


def test_waves_are_standardised_clipped_and_tend_to_a_kernel(rng):
    X = rng.normal(size=(200, 2)) * [1.0, 1e4] + [0.0, 1e6]
    waves = Waves.of(X, np.ones(200), 20_000, np.random.RandomState(0))
    Z = waves(X)
    assert_allclose(Z[:, :2], np.clip((X - X.mean(0)) / X.std(0), -3, 3), atol=1e-9)
    assert abs(waves(X + 1e9)[:, :2]).max() == 3
    z, phi = Z[:5, :2], Z[:5, 2:]
    distance = ((z[:, None] - z[None]) ** 2).sum(axis=-1)
    kernel = np.exp(-distance / 2 / 2) / 8  # frequencies of variance 1 / n_features
    assert_allclose(phi @ phi.T / 20_000, kernel, atol=3e-3)


def test_half_cosines():
    turns = np.random.default_rng(0).normal(size=(3, 5000)) * 100
    expected = np.cos(2 * np.pi * turns) / 2
    assert_allclose(half_cosine(turns.copy()), expected, rtol=0, atol=1e-12)
    quarters = np.array([0.0, 0.25, 0.5, 0.75, 1.0, -0.25])
    assert_allclose(half_cosine(quarters), [0.5, 0, -0.5, 0, 0.5, 0], atol=1e-14)


def test_waves_of_a_constant_column():
    X = np.column_stack([np.full(30, 0.1), np.arange(30.0)])
    waves = Waves.of(X, np.ones(30), 10, np.random.RandomState(0))
    assert waves.scale[0] == 1
