"""Displays draw what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.bandits import (
    ExplorationDisplay,
    RegretDisplay,
    RidgeBandit,
    make_bandit_log,
    make_linear_bandit,
    simulate,
)


@pytest.fixture
def runs():
    problem = make_linear_bandit(120, 3, 4, random_state=0)
    settings = {"batch_size": 20, "n_repeats": 3, "random_state": 0}
    yield {
        f"width {width}": simulate(RidgeBandit(width=width), problem, **settings)
        for width in (0.0, 0.5)
    }
    plt.close("all")


def test_regret(runs):
    display = RegretDisplay.from_runs(runs)
    total = runs["width 0.5"].expected_regret.cumsum(axis=1).mean(axis=0)
    assert_allclose(display.lines_[1].get_ydata(), total)
    assert display.ax_.get_legend().get_texts()[1].get_text() == "width 0.5"
    assert len(display.ax_.collections) == 2  # bands of the repeats
    ax = plt.figure().gca()
    assert display.plot(ax, kind="reward").ax_ is ax
    mean = runs["width 0.0"].reward.mean(axis=0).cumsum() / np.arange(1, 121)
    assert_allclose(display.lines_[0].get_ydata(), mean)


def test_differences_are_paired(runs):
    display = RegretDisplay.from_runs(runs, baseline="width 0.0", kind="mean")
    (line,) = display.lines_
    one, two = (r.expected_regret.cumsum(axis=1).mean(axis=0) for r in runs.values())
    assert_allclose(line.get_ydata(), (two - one) / np.arange(1, 121), atol=1e-12)
    assert "less that of width 0.0" in display.ax_.get_ylabel()


def test_runs_that_cannot_be_compared(runs):
    with pytest.raises(ValueError, match="no run to draw"):
        RegretDisplay.from_runs({})
    short = simulate(RidgeBandit(), make_linear_bandit(40, 3, 4), batch_size=20)
    with pytest.raises(ValueError, match=r"as many .*\(3, 120\).*\(1, 40\)"):
        RegretDisplay.from_runs({**runs, "short": short}, baseline="short")
    RegretDisplay.from_runs({**runs, "short": short})


def test_unknown_kinds_and_baselines(runs):
    with pytest.raises(ValueError, match="kind must be one of"):
        RegretDisplay.from_runs(runs, kind="loss")
    with pytest.raises(ValueError, match="baseline='none' is not among the runs"):
        RegretDisplay.from_runs(runs, baseline="none")


def test_exploration_of_an_estimator_and_of_a_run(runs):
    problem = make_linear_bandit(100, 3, 4, random_state=0)
    X, action, reward, _ = make_bandit_log(problem, random_state=0)
    bandit = RidgeBandit().fit(X, action, reward=reward)
    display = ExplorationDisplay.from_estimator(bandit, X, n_points=10)
    assert_allclose(display.shares[0], bandit.predict_proba(X[:10]).mean(axis=0))
    assert_allclose(display.rows, np.arange(10, 101, 10))
    assert len(display.areas_) == 4
    run = runs["width 0.5"]
    display = ExplorationDisplay.from_run(run, n_points=4)
    assert_allclose(display.shares.sum(axis=1), 1)
    assert_allclose(display.shares[0, 0], (run.action[:, :30] == 0).mean())
