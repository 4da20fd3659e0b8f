"""Real tables with wrong labels."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import scale


def flipped(y, rate, seed=0, pair=False):
    """Move a share of labels to another class, or to the next one."""
    rng = np.random.default_rng(seed)
    n_classes = y.max() + 1
    step = 1 if pair else rng.integers(1, n_classes, len(y))
    return np.where(rng.random(len(y)) < rate, (y + step) % n_classes, y)


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y


@pytest.fixture
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X[:, :8]), y


@pytest.fixture
def digits():
    X, y = load_digits(return_X_y=True)
    return scale(X), y


@pytest.fixture(params=["cancer", "wine"])
def table(request):
    return request.getfixturevalue(request.param)
