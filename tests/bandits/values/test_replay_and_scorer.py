"""Replay, rewards out of fold, and the value as a score."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext.bandits import (
    RidgeBandit,
    cross_fit_rewards,
    make_bandit_log,
    make_linear_bandit,
    make_policy_value_scorer,
    policy_value,
    replay,
    simulate,
)


@pytest.fixture(scope="module")
def log():
    problem = make_linear_bandit(2000, 3, 3, rate=0.3, random_state=0)
    return problem, make_bandit_log(problem, random_state=0)


def test_replay_keeps_what_the_bandit_would_have_seen(log):
    problem, (X, action, reward, p) = log
    runs = [
        replay(RidgeBandit(), X, action, reward, p, random_state=s) for s in range(3)
    ]
    kept = np.mean([run.row.shape[1] for run in runs])
    assert 0.25 * len(X) < kept < 0.42 * len(X)  # one in three
    n = min(run.row.shape[1] for run in runs)
    same = simulate(
        RidgeBandit(),
        problem.take(np.arange(n)),
        batch_size=1,
        n_repeats=3,
        random_state=0,
    )
    earned = np.mean([run.reward[0, :n].mean() for run in runs])
    assert abs(earned - same.reward.mean()) < 0.08
    for run in runs:
        assert_array_equal(np.diff(run.row[0]) > 0, True)
        assert_array_equal(action[run.row[0]], run.action[0])
        assert np.isnan(run.expected_regret).all()
        assert ((run.propensity > 0) & (run.propensity <= 1)).all()


def test_replay_of_a_log_with_unequal_propensities(rng):
    """A bandit that cannot learn (no signal) is kept at the rates of its own policy."""
    n = 6000
    p = np.tile([0.8, 0.2], (n, 1))
    action = (rng.random(n) < 0.2).astype(int)
    run = replay(
        RidgeBandit(exploration="log_barrier", gamma=1e-9),
        rng.normal(size=(n, 2)),
        action,
        np.zeros(n),
        p[np.arange(n), action],
        batch_size=100,
        random_state=0,
    )
    assert abs(run.action.mean() - 0.5) < 0.06
    assert_allclose(run.propensity, 0.5, atol=1e-6)


def test_rewards_out_of_fold_are_those_of_a_loop(log):
    _, (X, action, reward, _) = log
    X, action, reward = X[:200], action[:200], reward[:200]
    cv = TimeSeriesSplit(4)
    found = cross_fit_rewards(Ridge(), X, action, reward, cv=cv)
    slow = np.zeros((200, 3))
    for train, test in cv.split(X):
        for k in range(3):
            rows = train[action[train] == k]
            slow[test, k] = Ridge().fit(X[rows], reward[rows]).predict(X[test])
    assert_allclose(found, slow)
    assert (found[:40] == 0).all()


def test_copies_stay_together_out_of_fold(log):
    _, (X, action, reward, _) = log
    X, action, reward = X[:100], action[:100], reward[:100]
    twice = [np.concatenate([x, x]) for x in (X, action, reward)]
    model = Ridge(alpha=1e-9)
    one = cross_fit_rewards(model, X, action, reward)
    two = cross_fit_rewards(model, *twice)
    assert_allclose(two[:100], one, rtol=1e-5, atol=1e-7)
    assert_allclose(two[100:], two[:100], rtol=1e-12)


def test_an_action_without_rows_gets_the_mean(log):
    _, (X, action, reward, _) = log
    found = cross_fit_rewards(Ridge(), X, action, reward, labels=[0, 1, 2, 9])
    assert found.shape == (2000, 4)
    assert abs(found[:, 3].mean() - reward.mean()) < 0.01
    with pytest.raises(ValueError, match="cv=9 folds need 2 to 5"):
        cross_fit_rewards(Ridge(), X[:5], action[:5], reward[:5], cv=9)


@pytest.mark.parametrize("bound", [None, "lower"])
@pytest.mark.parametrize("policy", ["best", "explore"])
def test_a_search_chooses_by_value(log, policy, bound):
    _, (X, action, reward, p) = log
    with sklearn.config_context(enable_metadata_routing=True):
        bandit = RidgeBandit(feature_map=None).set_fit_request(reward=True)
        scorer = make_policy_value_scorer(policy=policy, bound=bound)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), bandit),
            {"ridgebandit__alpha": [1.0, 1e6]},
            scoring=scorer,
            cv=3,
        ).fit(X, action, reward=reward, propensity=p)
        again = pickle.loads(pickle.dumps(scorer))
        found = again(search, X, action, reward=reward, propensity=p)
    value = policy_value(action, reward, p, search, X=X, policy=policy)
    assert_allclose(found, value.lower if bound else value.value)
    assert search.best_params_ == {"ridgebandit__alpha": 1.0}


def test_without_routing_the_scorer_says_what_it_needs(log):
    _, (X, action, reward, p) = log
    scorer = make_policy_value_scorer()
    bandit = RidgeBandit().fit(X, action, reward=reward)
    assert scorer(bandit, X, action, reward=reward, propensity=p) > reward.mean()
    with pytest.raises(ValueError, match="enable metadata routing"):
        cross_validate(bandit, X, action, scoring=scorer, error_score="raise")


def test_replay_reads_the_columns_of_the_bandit(log):
    """Of more actions than were logged, those that were are still the right ones."""
    _, (X, action, reward, p) = log
    settings = {"batch_size": 50, "random_state": 0}
    wide = RidgeBandit(actions=[-1, 0, 1, 2], feature_map=None, exploration="greedy")
    run = replay(wide, X[:200], action[:200], reward[:200], p[:200], **settings)
    assert (run.propensity == 0.25).sum() > 0  # the first batch is uniform
    seen = replay(_Only(actions=[-1, 0, 1, 2]), X, action, reward, p, **settings)
    assert set(seen.action[0]) == {2}
    with pytest.raises(ValueError, match=r"action holds .*2.*not among the actions"):
        replay(RidgeBandit(actions=[0, 1]), X, action, reward, p, **settings)


class _Only(BaseEstimator):
    """Takes the last action, always."""

    def __init__(self, actions=None):
        self.actions = actions

    def decide(self, X, random_state=None):
        p = np.tile([0.0, 0.0, 0.0, 1.0], (len(X), 1))
        return SimpleNamespace(probabilities=p)

    def partial_fit(self, X, y, reward=None):
        return self


def test_rewards_of_rows_as_the_regressor_takes_them(log):
    _, (X, action, reward, _) = log
    X, action, reward = X[:200], action[:200], reward[:200]
    plain = cross_fit_rewards(Ridge(), X, action, reward)
    thin = cross_fit_rewards(
        Ridge(solver="lsqr", tol=1e-12), csr_array(X), action, reward
    )
    assert_allclose(thin, plain, atol=1e-6)
    frame = pd.DataFrame({"v": X[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b")})
    frame.loc[::7, "v"] = np.nan
    encoder = make_column_transformer(
        (OneHotEncoder(), ["kind"]), (SimpleImputer(), ["v"])
    )
    model = make_pipeline(encoder, Ridge())
    found = cross_fit_rewards(model, frame, action, reward)
    assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="NaN"):
        cross_fit_rewards(Ridge(), frame[["v"]], action, reward)
    by_class = cross_fit_rewards(Ridge(), X, action, reward, cv=StratifiedKFold(3))
    assert by_class.shape == plain.shape
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        cross_fit_rewards(Ridge(), X[:-1], action, reward)
