"""What the stories of the gallery and the tour say, held to it."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_ext.networks import (
    LearningRateTransferDisplay,
    MuMLPClassifier,
    MuMLPRegressor,
)

pytest.importorskip("skorch", reason="nets are trained by torch")


@pytest.mark.slow
def test_the_best_rate_of_a_narrow_plain_net_is_that_of_a_wide_one():
    X, y = load_digits(return_X_y=True)
    plain = MuMLPClassifier(n_bins=0, weight_decay=0.02, proxy_iter=8, random_state=0)
    display = LearningRateTransferDisplay.from_estimator(
        plain,
        X[:800],
        y[:800],
        hidden_units=(32, 256),
        learning_rates=2.0 ** np.arange(-11, -2),
    )
    standard, mup = display.shifts()[:, 1]
    assert standard < -2
    assert abs(mup) < 1.5


@pytest.mark.real
@pytest.mark.slow
def test_loans_need_features():
    pytest.importorskip("pandas", reason="the tables are data frames")
    from benchmarks.networks_tables import table
    from benchmarks.real_data import DatasetUnavailable

    try:
        found = table("loans")
    except DatasetUnavailable:
        pytest.skip("packages of data are missing")
    train, _ = found.split(0)
    model = MuMLPRegressor(kernel_report=True, random_state=0)
    model.fit(found.X.iloc[train], found.y[train])
    assert model.regime_ == "features needed"
