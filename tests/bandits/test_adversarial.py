"""Follow the regularised leader: estimates by enumeration, a reacting opponent."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.bandits import (
    AdversarialLinearBandit,
    RidgeBandit,
    log_barrier_probabilities,
)
from sklearn_ext.bandits._adversarial import loss_weights

ABCD = list("abcd")


def test_estimates_are_unbiased_by_enumeration(rng):
    """All actions that a batch may have taken, each with its probability."""
    X, theta = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    policy = rng.uniform(0.2, 0.8, size=3)
    policy = np.column_stack([policy, 1 - policy])
    loss, total = X @ theta.T, np.zeros((2, 2))
    for taken in product((0, 1), repeat=3):
        mask = np.array(taken)[:, None] == np.arange(2)
        chance = policy[mask].prod()
        estimate = loss_weights(X, mask * loss, X, np.ones(3), policy, 0.0)
        total += chance * estimate / 3
    assert_allclose(total, theta, rtol=1e-9)


def test_the_covariance_is_that_of_the_policy(rng):
    X, policy = rng.normal(size=(50, 3)), rng.uniform(size=(50, 4))
    w, loss = rng.uniform(1, 2, size=50), rng.uniform(size=(50, 4))
    found = loss_weights(X, loss, X, w, policy, 0.1)
    for k in range(4):
        terms = zip(w, policy[:, k], X, strict=True)
        sigma = sum(v * p * np.outer(x, x) for v, p, x in terms) / w.sum()
        sigma += 0.1 * np.eye(3)
        assert_allclose(found[k], np.linalg.solve(sigma, X.T @ loss[:, k]))


def test_scores_cumulate_and_become_a_log_barrier(log):
    X, action, reward, _ = log
    reward = 1 / (1 + np.exp(-reward))
    bandit = AdversarialLinearBandit(ABCD, learning_rate=0.5)
    bandit.fit(X[:60], action[:60], reward=reward[:60])
    before = bandit.decision_function(X)
    p = bandit.predict_proba(X)
    assert_allclose(p, log_barrier_probabilities(before, 0.5))
    near = abs(bandit._rows_of(X)).max(axis=1) < 3  # others are clipped
    linear = X[near] @ bandit.coef_.T + bandit.intercept_
    assert_allclose(linear, before[near], rtol=1e-6, atol=1e-6 * abs(before).max())
    bandit.partial_fit(X[60:], action[60:], reward=reward[60:])
    Z = bandit._rows_of(X)
    taken = action[60:, None] == np.array(ABCD)
    step = loss_weights(
        Z[60:], taken * (1 - reward[60:, None]), Z, np.ones(120), p, 0.01
    )
    assert_allclose(bandit.decision_function(X), before - Z @ step.T, rtol=1e-8)
    assert_allclose(bandit.class_count_, [(action == a).sum() for a in ABCD])


def test_only_recent_rows_are_kept(log):
    X, action, reward, _ = log
    bandit = AdversarialLinearBandit(ABCD, n_reference=50, reward_range=(-9, 9))
    bandit.fit(X, action, reward=reward)
    assert len(bandit._reference[0]) == 50
    bandit.partial_fit(X[:20], action[:20], reward=reward[:20])
    assert_allclose(bandit._reference[0][-20:], bandit._rows_of(X[:20]))


def _earned(bandit, seed, n_batches=150, size=20):
    """Play against an opponent that punishes the current favourite."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(4, 3)) / 2
    share, total = np.full(4, 0.25), 0.0
    for batch in range(n_batches):
        X = rng.normal(size=(size, 3))
        made = bandit.decide(X, random_state=1000 * seed + batch)
        mean = 1 / (1 + np.exp(-X @ theta.T)) - 0.8 * (share - 0.25)
        mean = np.clip(mean, 0, 1)
        expected = np.take_along_axis(mean, made.action[:, None], axis=1)[:, 0]
        total += expected.mean()
        reward = (rng.uniform(size=size) < expected).astype(float)
        bandit.partial_fit(X, made.action, reward=reward)
        share = 0.9 * share + 0.1 * np.bincount(made.action, minlength=4) / size
    return total / n_batches


def test_against_an_opponent_that_punishes_the_favourite():
    ours = [_earned(AdversarialLinearBandit(range(4)), seed) for seed in range(3)]
    greedy = RidgeBandit(range(4), feature_map=None, exploration="greedy", width=0.0)
    theirs = [_earned(greedy, seed) for seed in range(3)]
    assert np.mean(ours) > np.mean(theirs)


def test_errors(log):
    X, action, reward, _ = log
    with pytest.raises(ValueError, match="pass classes="):
        AdversarialLinearBandit().partial_fit(X, action, reward=reward)
    with pytest.raises(ValueError, match="'learning_rate' parameter"):
        AdversarialLinearBandit(learning_rate=0).fit(X, action, reward=reward)
    with pytest.raises(ValueError, match="rewards go from"):
        AdversarialLinearBandit(reward_range=(0, 1)).fit(X, action, reward=reward)
