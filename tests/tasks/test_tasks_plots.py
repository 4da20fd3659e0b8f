"""Displays of the family."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.tasks import ContextCurveDisplay, TaskRidge, TaskShrinkageDisplay
from tests.tasks.conftest import make


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_curve_shows_the_sizes_and_units():
    table = make(0, n_tasks=20, low=9, high=12)
    shown = ContextCurveDisplay.from_estimator(
        TaskRidge(), table.X, table.y, table.groups, n_repeats=2, random_state=0
    )
    labels = [text.get_text() for text in shown.ax_.get_xticklabels()]
    assert labels == ["0", "1", "2", "4", "8"]
    assert "mean squared error" in shown.ax_.get_ylabel()
    assert_allclose(shown.line_.get_ydata(), shown.curve.error.mean(axis=1))


def test_arrows_lead_from_least_squares_to_the_posterior():
    table = make(1, n_tasks=9, low=5, high=9)
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    shown = TaskShrinkageDisplay.from_estimator(model, coefficient=1)
    own = [
        np.linalg.lstsq(
            np.column_stack([np.ones(rows.sum()), table.X[rows]]),
            table.y[rows],
            rcond=None,
        )[0][2]
        for rows in (table.groups == g for g in range(9))
    ]
    assert_allclose(shown.own, own, rtol=1e-6)
    assert_allclose(shown.posterior, model.task_coef_[:, 1], rtol=1e-9)
    assert shown.population == pytest.approx(model.coef_[1])
    assert shown.arrows_ is not None


def test_tasks_without_enough_rows_have_no_arrow():
    table = make(2, n_tasks=9, low=1, high=6)
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    shown = TaskShrinkageDisplay.from_estimator(model)
    few = np.bincount(table.groups) < 3
    assert np.isnan(shown.own[few]).all()
    assert np.isfinite(shown.posterior).all()


def test_names_come_from_the_frame_also_through_a_pipeline():
    table = make(3, low=3)
    frame = pd.DataFrame(table.X, columns=["price", "age"])
    pipe = make_pipeline(StandardScaler(), TaskRidge())
    pipe.fit(frame, table.y, taskridge__groups=table.groups)
    shown = TaskShrinkageDisplay.from_estimator(pipe, coefficient="age")
    assert shown.ax_.get_xlabel() == "slope of age"
    frame["store"] = table.groups
    model = TaskRidge(group_feature="store").fit(frame, table.y)
    shown = TaskShrinkageDisplay.from_estimator(model, coefficient="price")
    assert shown.ax_.get_xlabel() == "slope of price"
    with pytest.raises(ValueError, match=r"none of the model's: intercept, slope of"):
        TaskShrinkageDisplay.from_estimator(model, coefficient="store")
