"""Betting bounds: martingales by enumeration, the root by another solver, coverage."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from sklearn_ext.bandits._values._betting import (
    FRACTIONS,
    Bets,
    log_fortune,
    lower_bound,
)


def slow_fortune(terms, v):
    return np.mean([np.prod([1 - c + c * x / v for x in terms]) for c in FRACTIONS])


@pytest.mark.parametrize("n", [1, 3, 40, 300])
def test_fortune_is_that_of_a_loop(rng, n):
    terms = np.where(rng.random(n) < 0.5, 0.0, rng.exponential(size=n))
    for v in (0.1, 0.7, 3.0):
        assert_allclose(
            log_fortune(terms, v), np.log(slow_fortune(terms, v)), rtol=1e-9
        )


@pytest.mark.parametrize("horizon", [None, 4])
def test_the_fortune_is_a_martingale(horizon):
    """The mean over every sequence of draws is one, at every length."""
    values, p = np.array([0.0, 0.5, 4.0]), np.array([0.5, 0.3, 0.2])
    v = p @ values
    for n in (1, 2, 5):
        mean = 0.0
        for at in product(range(3), repeat=n):
            bets = Bets.of(values[list(at)], horizon=horizon)
            mean += p[list(at)].prod() * np.exp(bets.log_fortune(np.log(v))[0])
        assert_allclose(mean, 1, rtol=1e-12)


def test_the_fortune_falls_and_is_convex_in_log_v(rng):
    bets = Bets.of(rng.exponential(size=50))
    s = np.linspace(-8, 8, 200)
    slopes = np.array([bets.log_fortune(x)[1] for x in s])
    assert (slopes < 0).all()
    assert (np.diff(slopes) > 0).all()
    ahead, behind = ([bets.log_fortune(x + e)[0] for x in s] for e in (1e-5, -1e-5))
    assert_allclose(np.subtract(ahead, behind) / 2e-5, slopes, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 0.025, 1e-6])
@pytest.mark.parametrize("n", [1, 10, 1000])
def test_the_bound_is_the_root(rng, alpha, n):
    terms = np.where(rng.random(n) < 0.3, 0.0, rng.exponential(size=n) + 1e-3)
    terms[0] = 1.0
    found = lower_bound(terms, alpha)
    bets = Bets.of(terms)
    root = brentq(
        lambda s: bets.log_fortune(s)[0] + np.log(alpha), -60, np.log(terms.max())
    )
    assert_allclose(found, np.exp(root), rtol=1e-9)
    guesses = (found / 1e3, found * 0.99, found * 30)
    for start in guesses:
        assert_allclose(lower_bound(terms, alpha, start=start), found, rtol=1e-9)


def test_units_and_zeros(rng):
    terms = rng.exponential(size=200) * (rng.random(200) < 0.4)
    bound = lower_bound(terms, 0.05)
    assert 0 < bound < terms.mean()
    assert_allclose(lower_bound(terms * 1e-200, 0.05), bound * 1e-200, rtol=1e-9)
    assert_allclose(lower_bound(terms * 1e200, 0.05), bound * 1e200, rtol=1e-9)
    assert lower_bound(np.zeros(5), 0.05) == 0
    assert lower_bound(np.ones(0), 0.05) == 0


def test_more_rows_narrow_the_bound(rng):
    terms = rng.exponential(size=20_000)
    bounds = [lower_bound(terms[:n], 0.025) for n in (100, 1000, 20_000)]
    assert bounds[0] < bounds[1] < bounds[2] < 1.02
    assert bounds[2] > 0.95


def test_a_horizon_narrows_the_bound_there(rng):
    terms = 5.0 * (rng.random(3000) < 0.2)
    assert lower_bound(terms, 0.025, horizon=3000) > lower_bound(terms, 0.025)


@pytest.mark.parametrize("horizon", [None, 1000])
def test_coverage_while_a_policy_learns_and_one_watches(horizon):
    """In 200 logs the truth is refuted at some row in no more than alpha of them."""
    alpha, refuted = 0.05, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        reward = (rng.random((1000, 2)) < [0.3, 0.5]).astype(float)
        earned = np.array([1.0, 1.0])
        taken = np.array([2.0, 2.0])
        terms = np.empty(1000)
        for t in range(1000):
            p = (earned / taken) ** 3
            p = np.maximum(p / p.sum(), 0.02)
            p /= p.sum()
            a = int(rng.random() < p[1])
            terms[t] = (a == 0) * reward[t, 0] / p[0]
            earned[a] += reward[t, a]
            taken[a] += 1
        ways = Bets.of(terms, horizon=horizon)
        v = 0.3
        logs = [np.log1p(c * (terms / v - 1)).cumsum() for c in FRACTIONS]
        if horizon is None:
            fortune = np.exp(logs).mean(axis=0)
            last = ways.log_fortune(np.log(v))[0]
            assert_allclose(np.log(fortune[-1]), last, atol=1e-8)
            refuted += (fortune[99:] >= 1 / alpha).any()
        else:
            looks = range(100, 1001, 100)
            refuted += any(
                lower_bound(terms[:n], alpha, horizon=horizon) > v for n in looks
            )
    assert refuted <= 18  # of 200: beyond it with probability .005 if the rate were .05


def test_bets_of_a_horizon_know_only_the_past(rng):
    """A large term at the end changes nothing of what was bet before it."""
    terms = 2.0 * (rng.random(300) < 0.4)
    alone = Bets.of(terms, horizon=300)
    scaled = Bets.of(terms, size=50.0, horizon=300)
    assert_allclose(scaled.fractions[-1], alone.fractions[-1])
    longer = np.append(terms, 50.0)
    v = np.log(0.8)
    last = Bets.of(longer, horizon=300).fractions[-1]
    assert_allclose(last[:-1], alone.fractions[-1])
    bound = lower_bound(longer, 0.025, horizon=300)
    fortune = log_fortune(longer, bound, horizon=300, alpha=0.025)
    assert_allclose(fortune, -np.log(0.025), rtol=1e-9)
    assert_allclose(scaled.log_fortune(v - np.log(50))[0], alone.log_fortune(v)[0])
    assert np.isfinite(lower_bound(terms * 1e300, 0.025, horizon=300))


def test_bounds_from_far_guesses_and_of_rare_terms(rng):
    terms = rng.exponential(size=500) ** 3
    found = lower_bound(terms, 0.025)
    for start in (found / 1e6, found * 1e6, 1e3 * terms.max()):
        assert_allclose(lower_bound(terms, 0.025, start=start), found, rtol=1e-9)
    rare = np.zeros(4_000_000)
    rare[0] = 1.0
    assert lower_bound(rare, 0.025) == 0
