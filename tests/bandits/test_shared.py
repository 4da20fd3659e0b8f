"""Slopes in common beside the dense solution of the whole model."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sklearn_ext.bandits import RidgeBandit, make_bandit_log, make_linear_bandit
from sklearn_ext.bandits._ridge import _shared
from sklearn_ext.bandits._ridge._posterior import Posterior, Products, Scale
from sklearn_ext.bandits._ridge._shared import share_slopes
from sklearn_ext.bandits._ridge._statistics import BanditStatistics


@pytest.fixture
def world(rng):
    Z = rng.normal(size=(60, 3))
    action = rng.integers(0, 4, 60)
    theta = rng.normal(size=3) + 0.3 * rng.normal(size=(4, 3))
    reward = np.einsum("ij,ij->i", Z, theta[action]) + rng.normal(size=60)
    statistics = BanditStatistics.of(Z, action, reward, np.ones(60), 4)
    scale = Scale.of(statistics, scaled=True)
    return Z, action, reward, Products.of(statistics, scale), scale


@pytest.mark.parametrize("q", [1, 2])
@pytest.mark.parametrize("alpha", [0.5, 5.0])
def test_slopes_solve_the_joint_ridge(rng, world, monkeypatch, q, alpha):
    """Own and common parts as one ridge: penalised squares over (delta, W)."""
    _, _, _, products, scale = world
    F = np.ones((4, 1)) if q == 1 else rng.normal(size=(4, 2))
    monkeypatch.setattr(_shared, "COMMON", np.array([0.7]))
    found = Posterior.of(products, scale, alpha, F)
    size = 4 * 3 + q * 3
    H, b = np.zeros((size, size)), np.zeros(size)
    for k in range(4):
        J = np.zeros((3, size))  # slopes of action k from all coefficients
        J[:, 3 * k : 3 * k + 3] = np.eye(3)
        J[:, 12:] = np.kron(F[k], np.eye(3))
        H += J.T @ products.A[k] @ J
        b += J.T @ products.c[k]
    H += np.diag(np.append(np.full(12, alpha), np.full(3 * q, 0.7)))
    x = np.linalg.solve(H, b)
    W = x[12:].reshape(q, 3)
    expected = x[:12].reshape(4, 3) + F @ W
    assert_allclose(found.coef / scale.reward, expected, rtol=1e-8)
    prior = np.append(np.full(12, alpha), np.full(3 * q, 0.7))
    log_det = np.linalg.slogdet(H)[1] - np.log(prior).sum()
    assert_allclose(found.log_det, log_det, rtol=1e-8)
    left = products.yy.sum() - b @ x
    assert_allclose(found.noise_var, scale.reward**2 * left / 60, rtol=1e-8)


def test_the_common_penalty_has_the_largest_evidence(world):
    Z, action, reward, products, _ = world
    inverse = np.linalg.inv(products.A + 2.0 * np.eye(3))
    found = share_slopes(products, inverse, 2.0, np.ones((4, 1)))
    # brute force: rewards with the rows of the prior, levels integrated out
    Z1 = np.vstack([Z, np.tile(Z.mean(axis=0), (4, 1))]) - Z.mean(axis=0)
    r1 = np.append(reward, [reward.mean()] * 4) / reward.std()
    a1 = np.append(action, np.arange(4))
    own = a1[:, None] == a1
    level = np.linalg.qr(np.eye(4)[a1], mode="complete")[0][:, 4:].T
    values = []
    for common in _shared.COMMON:
        K = Z1 @ Z1.T * (own / 2.0 + 1 / common)
        V = np.eye(60) + level @ K @ level.T
        y = level @ r1
        s2 = y @ np.linalg.solve(V, y) / 60
        like = stats.multivariate_normal(cov=s2 * V).logpdf(y)
        values.append(-2 * like - 60 * (np.log(2 * np.pi) + 1))
    assert_allclose(found.value, min(values), rtol=1e-9)


def test_rare_actions_lean_on_the_others():
    """Ten rows an action: what they have in common is learnt from all."""
    losses = []
    for seed in range(4):
        problem = make_linear_bandit(2500, 10, 50, shared=0.8, random_state=seed)
        X, action, reward, _ = make_bandit_log(problem, random_state=seed)
        rest = np.arange(500, 2500)
        for features in (None, "shared"):
            bandit = RidgeBandit(
                range(50), feature_map=None, action_features=features
            ).fit(X[:500], action[:500], reward=reward[:500])
            error = bandit.predict_reward(X[rest]) - problem.expected[rest]
            losses.append((error**2).mean())
    alone, together = np.mean(losses[::2]), np.mean(losses[1::2])
    assert together < 0.7 * alone


def test_a_new_action_starts_from_its_features(rng):
    X = rng.normal(size=(800, 4))
    W = rng.normal(size=(2, 4))
    features = {label: rng.normal(size=2) for label in "abcdef"}
    labels = np.array(list("abcde"))
    action = rng.choice(labels, size=800)
    slopes = {label: x @ W for label, x in features.items()}
    reward = np.array([x @ slopes[a] for x, a in zip(X, action, strict=True)])
    bandit = RidgeBandit(feature_map=None, action_features=features)
    bandit.fit(X, action, reward=reward + 0.1 * rng.normal(size=800))
    bandit.add_actions(["f"])
    said = bandit.predict_reward(X)[:, 5]
    assert np.corrcoef(said, X @ slopes["f"])[0, 1] > 0.95
    plain = RidgeBandit(feature_map=None).fit(X, action, reward=reward)
    assert np.ptp(plain.add_actions(["f"]).predict_reward(X)[:, 5]) < 1e-9


def test_streams_know_what_is_shared(log):
    X, action, reward, _ = log
    whole = RidgeBandit(list("abcd"), feature_map=None, action_features="shared")
    whole.fit(X, action, reward=reward)
    parts = RidgeBandit(list("abcd"), feature_map=None, action_features="shared")
    for rows in np.split(np.arange(120), [40, 41, 80]):
        parts.partial_fit(X[rows], action[rows], reward=reward[rows])
    assert_allclose(parts.predict_reward(X), whole.predict_reward(X), rtol=1e-7)
    parts.partial_fit(X[:1], action[:1], reward=reward[:1])  # by a rank-one update
    moved = abs(parts.predict_reward(X) - whole.predict_reward(X)).max(axis=0)
    assert_array_equal(moved > 1e-9, np.array(list("abcd")) == action[0])


def test_features_of_actions_are_checked(log):
    X, action, reward, _ = log
    for given, message in (
        ({"a": [1.0]}, r"no entry for the actions \['b', 'c', 'd'\]"),
        ({k: np.ones(1 + (k == "a")) for k in "abcd"}, "same number of features"),
        ({k: [np.nan] for k in "abcd"}, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            RidgeBandit(action_features=given).fit(X, action, reward=reward)
    with pytest.raises(ValueError, match="'action_features' parameter"):
        RidgeBandit(action_features="own").fit(X, action, reward=reward)
