"""A known pair and a bridge fitted to it, for all tests of a module."""

import pytest

from sklearn_ext.bridge import make_entropic_ot
from tests.bridge._small import make


@pytest.fixture(scope="module")
def pair():
    return make_entropic_ot(
        2000, 1500, 3, epsilon=1.0, n_components=3, radius=4, random_state=0
    )


@pytest.fixture(scope="module")
def bridge(pair):
    return make(fit_inverse_transform=True).fit(pair.X, X_target=pair.Y)
