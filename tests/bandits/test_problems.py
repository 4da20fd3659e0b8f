"""Worlds with all rewards, logs, runs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_ext.bandits import (
    BanditProblem,
    RidgeBandit,
    make_bandit_from_classification,
    make_bandit_log,
    make_linear_bandit,
    simulate,
)


def test_the_right_label_earns_one():
    X, y = load_iris(return_X_y=True)
    names = np.array(["c", "a", "b"])[y]
    problem = make_bandit_from_classification(X, names, wrong_reward=-0.5)
    assert list(problem.actions) == ["a", "b", "c"]
    for action, expected in zip(problem.actions, problem.expected.T, strict=True):
        assert_array_equal(expected, np.where(names == action, 1, -0.5))
    assert_array_equal(problem.rewards, problem.expected)
    noisy = make_bandit_from_classification(X, names, noise=2.0, random_state=0)
    assert_allclose((noisy.rewards - noisy.expected).std(), 2, rtol=0.1)
    assert len(problem) == 150


@pytest.mark.parametrize("kind", ["linear", "random_features"])
def test_effects_have_unit_variance_of_which_a_share_is_common(kind):
    problems = [
        make_linear_bandit(3000, 20, 6, kind=kind, shared=0.7, random_state=s)
        for s in range(20)
    ]
    assert_allclose(np.mean([p.expected.var() for p in problems]), 1, rtol=0.15)
    common = np.mean([p.expected.mean(axis=1).var() for p in problems])
    assert_allclose(common, 0.7 + 0.3 / 6, rtol=0.2)
    noise = problems[0].rewards - problems[0].expected
    assert_allclose(noise.std(), 0.5, rtol=0.05)


def test_linear_effects_are_linear():
    problem = make_linear_bandit(200, 4, 3, random_state=0)
    X = np.column_stack([np.ones(200), problem.X])
    fit = X @ np.linalg.lstsq(X, problem.expected)[0]
    assert_allclose(fit, problem.expected, atol=1e-12)


def test_clicks_are_as_rare_as_asked():
    problem = make_linear_bandit(20_000, 5, 4, rate=0.01, random_state=0)
    assert set(np.unique(problem.rewards)) == {0.0, 1.0}
    assert 0.005 < problem.expected.mean() < 0.02
    assert_allclose(problem.rewards.mean(), problem.expected.mean(), rtol=0.1)


def test_logs_follow_the_policy():
    problem = make_linear_bandit(2000, 3, 3, random_state=0)
    X, action, reward, propensity = make_bandit_log(problem, random_state=0)
    assert X is problem.X
    assert_allclose(propensity, 1 / 3)
    assert_array_equal(reward, problem.rewards[np.arange(2000), action])
    policy = LogisticRegression().fit(X, problem.expected.argmax(axis=1))
    _, action, _, propensity = make_bandit_log(problem, policy, random_state=0)
    p = policy.predict_proba(X)
    assert_allclose(propensity, p[np.arange(2000), action])
    share = np.bincount(action, minlength=3) / 2000
    assert_allclose(share, p.mean(axis=0), atol=0.04)
    again = make_bandit_log(problem, p, random_state=0)
    assert_array_equal(again[1], action)


def test_runs_are_honest_books():
    problem = make_linear_bandit(300, 3, 4, random_state=0)
    run = simulate(
        RidgeBandit(feature_map=None),
        problem,
        batch_size=30,
        n_repeats=3,
        random_state=0,
    )
    for r in range(3):
        rows, at = run.row[r], run.action[r]
        assert_array_equal(np.sort(rows), np.arange(300))
        assert_array_equal(run.reward[r], problem.rewards[rows, at])
        best = problem.expected[rows].max(axis=1)
        assert_allclose(run.expected_regret[r], best - problem.expected[rows, at])
    assert_allclose(run.propensity[:, :30], 0.25)
    assert_allclose(run.mean_regret, run.expected_regret.mean(axis=1))
    assert run.mean_regret.mean() < 0.7 * (best.mean() - problem.expected.mean())
    assert (run.cpu_seconds > 0).all()
    assert (run.row[0] != run.row[1]).any()
    log = run.log()
    assert list(log.columns) == ["repeat", "row", "action", "reward", "propensity"]
    assert_array_equal(log["reward"][log.repeat == 2], run.reward[2])


def test_runs_repeat_whatever_the_workers():
    problem = make_linear_bandit(200, 3, 4, random_state=0)
    settings = {"batch_size": 50, "n_repeats": 2, "random_state": 3}
    one = simulate(RidgeBandit(), problem, **settings)
    two = simulate(RidgeBandit(), problem, n_jobs=2, **settings)
    assert_array_equal(one.action, two.action)
    assert_array_equal(one.propensity, two.propensity)


def test_the_bandit_of_the_user_stays_as_it_was():
    bandit = RidgeBandit()
    simulate(bandit, make_linear_bandit(50, 2, 3), batch_size=10)
    assert bandit.actions is None
    assert not hasattr(bandit, "classes_")


def test_delayed_rewards_come_later():
    problem = make_linear_bandit(400, 3, 4, random_state=0)
    settings = {"batch_size": 20, "shuffle": False, "random_state": 0}
    bandit = RidgeBandit(feature_map=None)
    late = simulate(bandit, problem, delay=5, **settings)
    assert_allclose(late.propensity[0, :120], 0.25)
    assert (late.propensity[0, 120:] != 0.25).any()
    never = simulate(bandit, problem, delay=100, **settings)
    assert_allclose(never.propensity, 0.25)


def test_actions_come_and_go_in_a_world():
    problem = make_linear_bandit(300, 3, 4, random_state=0)
    available = np.ones((300, 4), dtype=bool)
    available[:150, 2] = False
    world = BanditProblem(*vars(problem).values()).take(np.arange(300))
    world = BanditProblem(
        world.X, world.rewards, world.expected, world.actions, available
    )
    run = simulate(RidgeBandit(), world, batch_size=30, shuffle=False, random_state=0)
    assert not (run.action[0, :150] == 2).any()
    assert (run.action[0, 150:] == 2).any()
    assert run.expected_regret.min() >= 0
    _, action, _, propensity = make_bandit_log(world, random_state=0)
    assert_allclose(propensity[:150], 1 / 3)
    assert not (action[:150] == 2).any()


def test_policies_that_do_not_learn():
    problem = make_linear_bandit(200, 3, 4, random_state=0)
    uniform = DummyClassifier(strategy="uniform").fit(problem.X, np.arange(200) % 4)
    run = simulate(uniform, problem, random_state=0)
    assert_allclose(run.propensity, 0.25)


def test_policies_are_checked():
    problem = make_linear_bandit(30, 3, 4, random_state=0)
    with pytest.raises(ValueError, match=r"shape \(30, 4\).*got the shape \(30, 3\)"):
        make_bandit_log(problem, np.full((30, 3), 1 / 3))
    other = DummyClassifier().fit(problem.X, np.arange(30) % 7)
    with pytest.raises(ValueError, match="chooses among"):
        make_bandit_log(problem, other)
    with pytest.raises(ValueError, match="'problem' parameter of simulate"):
        simulate(RidgeBandit(), problem.X)
    with pytest.raises(ValueError, match="'shared' parameter"):
        make_linear_bandit(shared=2.0)
    with pytest.raises(ValueError, match="Unknown label type"):
        make_bandit_from_classification(problem.X, problem.X[:, 0])


def _world(available=None):
    problem = make_linear_bandit(60, 2, 3, random_state=0)
    fields = problem.X, problem.rewards, problem.expected, np.array([0, 5, 9])
    return BanditProblem(*fields, available)


def test_bandits_with_actions_of_their_own():
    run = simulate(RidgeBandit([0, 9]), _world(), batch_size=10, random_state=0)
    assert set(run.action[0]) == {0, 9}
    assert run.expected_regret.min() >= 0
    for actions in ([0, 5, 9, 11], [0, 1, 9]):
        with pytest.raises(ValueError, match=r"actions holds \[1+\], .*\[0, 5, 9\]"):
            simulate(RidgeBandit(actions), _world(), batch_size=10)
    available = np.ones((60, 3), dtype=bool)
    available[:, 0] = False
    run = simulate(RidgeBandit([0, 9]), _world(available), batch_size=10)
    assert set(run.action[0]) == {9}
    available[:, 2] = False
    with pytest.raises(ValueError, match="no action in row"):
        simulate(RidgeBandit([0, 9]), _world(available), batch_size=10)


def test_policies_that_know_of_no_masks_keep_to_them():
    available = np.ones((60, 3), dtype=bool)
    available[:, 0] = False
    world = _world(available)
    uniform = DummyClassifier(strategy="uniform")
    uniform.fit(world.X, world.actions[np.arange(60) % 3])
    run = simulate(uniform, world, random_state=0)
    assert set(run.action[0]) == {5, 9}
    assert run.expected_regret.min() >= 0
    assert_allclose(run.propensity, 0.5)
    _, action, _, propensity = make_bandit_log(world, uniform, random_state=0)
    assert set(action) == {5, 9}
    assert_allclose(propensity, 0.5)
    with pytest.raises(ValueError, match=r"row 0.*cannot be taken"):
        make_bandit_log(world, np.full((60, 3), 1 / 3))
    only = DummyClassifier(strategy="constant", constant=0)
    only.fit(world.X, world.actions[np.arange(60) % 3])
    for attempt in (simulate, lambda p, w: make_bandit_log(w, p)):
        with pytest.raises(ValueError, match=r"row 0.*cannot be taken"):
            attempt(only, world)


def test_worlds_of_other_shapes_are_refused():
    X, R = np.ones((4, 2)), np.ones((4, 3))
    for bad, message in (
        ((X, R[:3], R, [0, 1, 2]), r"rewards .*\(3, 3\).*\(4, 3\)"),
        ((X, R, R[:, :2], [0, 1, 2]), r"expected .*\(4, 2\)"),
        ((X, R, R, [0, 2, 1]), "sorted"),
        ((X, R, R, [0, 1, 2], R[:, :1] > 0), r"available .*\(4, 1\)"),
        ((X, R, R, [0, 1, 2], R < 0), "no action in row 0"),
    ):
        with pytest.raises(ValueError, match=message):
            BanditProblem(*bad[:3], np.array(bad[3]), *bad[4:])
