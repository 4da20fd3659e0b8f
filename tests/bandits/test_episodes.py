"""Short episodes: estimates by enumeration, a lake that does not slip, bad input."""

import pickle
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.bandits import episodic_log_barrier
from sklearn_ext.bandits._episodes import _estimate

LAKE = "SFFFFHFHFFFHHFFG"


class Lake:
    """Four by four squares, holes, and a goal; nothing slips."""

    action_space, observation_space = SimpleNamespace(n=4), SimpleNamespace(n=16)

    def reset(self, seed=None):
        self.at = 0
        return 0, {}

    def step(self, action):
        row, column = divmod(self.at, 4)
        row = min(max(row + (action == 1) - (action == 3), 0), 3)
        column = min(max(column + (action == 2) - (action == 0), 0), 3)
        self.at = 4 * row + column
        there = LAKE[self.at]
        return self.at, float(there == "G"), there in "GH", False, {}


@pytest.mark.parametrize("stationary", [False, True])
def test_a_lake_is_crossed(stationary):
    policy = episodic_log_barrier(
        Lake(), 1200, horizon=20, stationary=stationary, random_state=0
    )
    assert policy.returns.shape == (1200,)
    assert policy.returns[:100].mean() < 0.3
    assert policy.returns[-200:].mean() > 0.9
    assert policy.weights.shape == (20, 4, 16)
    lake, x, ended = Lake(), 0, False
    lake.reset()
    for step in range(20):
        x, reward, ended, _, _ = lake.step(policy.act(step, x, random_state=step))
        if ended:
            break
    assert reward == 1
    assert_allclose(policy.probabilities(0, 0).sum(), 1)


def test_estimates_are_unbiased_by_enumeration():
    """One row of features, two actions, two episodes: the mean over all plays."""
    weights = np.array([[0.2, 0.1], [0.0, -0.3]])
    phi, means = np.eye(2), np.array([[0.3, 0.8], [0.6, 0.1]])  # of observation, action
    from sklearn_ext.bandits import log_barrier_probabilities

    p = log_barrier_probabilities(phi @ weights.T, 5.0)
    total = 0.0
    for actions in product(range(2), repeat=2):
        games = [([phi[i]], [a], [means[i, a]]) for i, a in enumerate(actions)]
        found = _estimate(games, [0], weights, 5.0, 1e-12, 0.0, 1.0)
        total = total + p[0, actions[0]] * p[1, actions[1]] * found
    assert_allclose(total, means.T, rtol=1e-9)


def test_features_of_ones_own_and_other_returns():
    class Line:
        action_space = SimpleNamespace(n=2)

        def reset(self, seed=None):
            self.x = np.random.default_rng(seed).normal()
            return self.x, {}

        def step(self, action):
            return self.x, 10.0 * (action == (self.x > 0)), True, False, {}

    policy = episodic_log_barrier(
        Line(),
        1000,
        horizon=1,
        feature_map=lambda x: np.array([1.0, np.sign(x)]),
        return_range=(0, 10),
        random_state=0,
    )
    assert policy.returns[-200:].mean() > 9
    assert policy.probabilities(0, 2.0)[1] > 0.9
    assert policy.probabilities(0, -2.0)[0] > 0.9


def test_same_seed_same_play():
    one, two = (
        episodic_log_barrier(Lake(), 50, horizon=20, random_state=3) for _ in range(2)
    )
    assert_allclose(one.weights, two.weights, rtol=0)


def test_policies_can_be_stored():
    policy = episodic_log_barrier(Lake(), 20, horizon=3, random_state=0)
    again = pickle.loads(pickle.dumps(policy))
    assert_allclose(again.probabilities(0, 0), policy.probabilities(0, 0))


class Broken(Lake):
    """Rewards that are no numbers."""

    def step(self, action):
        return 0, np.nan, True, False, {}


def test_errors():
    with pytest.raises(ValueError, match="lowest and the highest sum"):
        episodic_log_barrier(Lake(), 5, horizon=2, return_range=(1, 1))
    for bad in ((0, np.inf), (0, 1, 2)):
        with pytest.raises(ValueError, match="both finite"):
            episodic_log_barrier(Lake(), 5, horizon=2, return_range=bad)
    with pytest.raises(ValueError, match="gave the reward nan"):
        episodic_log_barrier(Broken(), 5, horizon=2)
    with pytest.raises(ValueError, match="'reset'"):
        episodic_log_barrier(object(), 5, horizon=2)
    lake = Lake()
    lake.observation_space = SimpleNamespace(shape=(3,))
    with pytest.raises(ValueError, match="Lake must be discrete: env"):
        episodic_log_barrier(lake, 5, horizon=2)
    with pytest.raises(ValueError, match="must return a finite vector"):
        episodic_log_barrier(Lake(), 5, horizon=2, feature_map=lambda x: [np.nan])
    lake.observation_space, lake.action_space = (SimpleNamespace(n=16, start=0),) * 2
    lake.action_space = SimpleNamespace(n=4, start=1)
    with pytest.raises(ValueError, match=r"env\.action_space starts at 1"):
        episodic_log_barrier(lake, 5, horizon=2)
    lake.action_space = SimpleNamespace(n=np.array([2, 2]))
    with pytest.raises(ValueError, match="must be discrete"):
        episodic_log_barrier(lake, 5, horizon=2)
