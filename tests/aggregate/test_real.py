"""Real bags: what random ones keep and what natural ones confound."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from benchmarks.real_data import available, load
from sklearn_ext.aggregate import (
    BagRegressor,
    InstanceRegressor,
    bag_diagnostics,
    make_bags,
)

# all labels, random bags of 50, natural bags
SCORES = {"chem97": (0.451, 0.450, 0.450), "tv16": (0.111, 0.103, -0.544)}


@pytest.mark.real
@pytest.mark.parametrize("name", list(SCORES))
def test_random_bags_keep_what_natural_bags_may_lose(name):
    if not available(name):
        pytest.skip(f"{name} is not installed")
    bunch = load(name)
    X = StandardScaler().fit_transform(
        pd.get_dummies(bunch.data, drop_first=True).astype(float)
    )
    y = bunch.target
    y = np.asarray(y if y.dtype.kind in "fiu" else pd.Categorical(y).codes, float)
    natural, random = np.asarray(bunch.bags), make_bags(len(X), 50, random_state=0)
    full, expected_random, expected_natural = SCORES[name]
    known = Ridge().fit(X, y).score(X, y)
    from_random = BagRegressor().fit(X, y, bags=random).score(X, y)
    from_natural = BagRegressor().fit(X, y, bags=natural).score(X, y)
    assert abs(known - full) < 0.01
    assert abs(from_random - expected_random) < 0.01
    assert abs(from_natural - expected_natural) < 0.01
    assert from_random > known - 0.03
    assert InstanceRegressor().fit(X, y, bags=random).score(X, y) < 0.05
    assert bag_diagnostics(X, random).verdict == "random-like"
    assert bag_diagnostics(X, natural).verdict == "clustered"
