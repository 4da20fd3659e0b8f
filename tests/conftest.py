"""Fixtures for the whole suite."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before scipy loads, else array API checks skip

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture(autouse=True)
def chance():
    """Start each test with the same global generator: its outcome is no accident."""
    import numpy as np

    np.random.seed(0)


@pytest.fixture(params=range(3))
def rng(request):
    """Return generators of three seeds: properties must hold for each."""
    import numpy as np

    return np.random.default_rng(request.param)
