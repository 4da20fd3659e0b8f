"""Logs that several tests share."""

import numpy as np
import pytest


@pytest.fixture
def log(rng):
    """Return rows, actions, rewards and weights of a small log of four actions."""
    X = rng.normal(size=(120, 3)) * [1.0, 50.0, 0.02] + [0.0, 300.0, -1.0]
    action = rng.choice(list("abcd"), size=120, p=[0.5, 0.3, 0.15, 0.05])
    slope = {"a": 1.0, "b": -1.0, "c": 0.3, "d": 0.0}
    reward = np.array([slope[a] for a in action]) * X[:, 0] + rng.normal(size=120)
    return X, action, reward, rng.integers(1, 4, size=120).astype(float)
