"""Any model of the reward as a bandit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import check_estimator

from sklearn_ext.bandits import (
    RegressorBandit,
    log_barrier_probabilities,
    make_linear_bandit,
    simulate,
)

ABCD = list("abcd")


def bandit_of(model, **params):
    return RegressorBandit(model, ABCD, random_state=0, **params)


def test_each_action_is_a_fit_to_its_rows(log):
    X, action, reward, w = log
    bandit = bandit_of(LinearRegression()).fit(X, action, w, reward=reward)
    said = bandit.predict_reward(X)
    for k, label in enumerate(ABCD):
        rows = action == label
        alone = LinearRegression().fit(X[rows], reward[rows], w[rows]).predict(X)
        assert_allclose(said[:, k], alone, rtol=1e-9)
    gamma = 100 * np.sqrt(w.sum()) / np.sqrt(np.cov(reward, aweights=w, bias=True))
    assert_allclose(bandit.gamma_, gamma)
    expected = log_barrier_probabilities(said, gamma)
    assert_allclose(bandit.predict_proba(X), expected)
    assert_allclose(bandit.reward_mean_, np.average(reward, weights=w))
    assert_allclose(bandit.class_count_, [w[action == a].sum() for a in ABCD])


def test_demonstrations_teach_every_action(log):
    X, action, _, _ = log
    bandit = bandit_of(LinearRegression()).fit(X, action)
    for k, label in enumerate(ABCD):
        alone = LinearRegression().fit(X, action == label).predict(X)
        assert_allclose(bandit.predict_reward(X)[:, k], alone, atol=1e-9)
    assert_allclose(bandit.class_count_, 120)
    assert_allclose(bandit.reward_scale_, np.sqrt(0.25 * 0.75))


def test_the_log_is_fitted_again_when_it_has_grown(log):
    X, action, reward, _ = log
    bandit = bandit_of(DecisionTreeRegressor(max_depth=3), refit_growth=1.5)
    bandit.fit(X[:60], action[:60], reward=reward[:60])
    before = bandit.predict_reward(X)
    bandit.partial_fit(X[60:80], action[60:80], reward=reward[60:80])
    assert_array_equal(bandit.predict_reward(X), before)
    bandit.partial_fit(X[80:], action[80:], reward=reward[80:])
    whole = bandit_of(DecisionTreeRegressor(max_depth=3))
    whole.fit(X, action, reward=reward)
    assert_allclose(bandit.predict_reward(X), whole.predict_reward(X))
    assert_allclose(bandit.gamma_, whole.gamma_)


def test_models_that_can_go_on_do_and_keep_no_rows(log):
    X, action, reward, _ = log
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    bandit = bandit_of(SGDRegressor()).fit(X[:60], action[:60], reward=reward[:60])
    old = bandit.estimators_
    coef = old[0][0].coef_.copy()
    bandit.partial_fit(X[60:], action[60:], reward=reward[60:])
    assert bandit._log is None
    assert (bandit.estimators_[0][0].coef_ != coef).any()
    assert_array_equal(old[0][0].coef_, coef)  # what was fitted is left alone
    refit = bandit_of(SGDRegressor(), update="refit").fit(X, action, reward=reward)
    assert refit._log is not None


def test_classifiers_predict_the_chance_of_a_click(log):
    X, action, reward, _ = log
    click = (reward > 0).astype(float)
    bandit = bandit_of(LogisticRegression(), exploration="small_loss", gamma=20.0)
    bandit.fit(X, action, reward=click)
    rows = action == "b"
    alone = LogisticRegression().fit(X[rows], click[rows]).predict_proba(X)[:, 1]
    assert_allclose(bandit.predict_reward(X)[:, 1], alone)
    none = bandit_of(LogisticRegression()).fit(
        X, action, reward=np.where(rows, 0, click)
    )
    assert_allclose(none.predict_reward(X)[:, 1], 0)
    going = bandit_of(GaussianNB())
    for half in (slice(60), slice(60, None)):
        going.partial_fit(X[half], action[half], reward=click[half])
    assert_allclose(going.predict_reward(X).max(axis=1).max(), 1, atol=0.5)
    with pytest.raises(ValueError, match="needs rewards of 0 and 1"):
        bandit_of(LogisticRegression()).fit(X, action, reward=reward)


def test_members_differ_and_their_deviation_is_the_optimism(log):
    X, action, reward, _ = log
    model = DecisionTreeRegressor(max_depth=2, random_state=0)
    bandit = bandit_of(model, n_estimators=4, width=2.0).fit(X, action, reward=reward)
    mean, std = bandit.predict_reward(X, return_std=True)
    members = np.array(
        [[m.predict(X) for m in models] for models in bandit.estimators_]
    )
    assert_allclose(mean, members.mean(axis=1).T)
    assert_allclose(std, members.std(axis=1).T)
    expected = log_barrier_probabilities(mean + 2 * std, bandit.gamma_)
    assert_allclose(bandit.predict_proba(X), expected)
    again = bandit_of(model, n_estimators=4, width=2.0).fit(X, action, reward=reward)
    assert_array_equal(again.predict_proba(X), bandit.predict_proba(X))
    two = bandit_of(model, n_estimators=4, width=2.0, n_jobs=2)
    two.fit(X, action, reward=reward)
    assert_array_equal(two.predict_proba(X), bandit.predict_proba(X))


def test_actions_without_rows_have_the_mean(log):
    X, action, reward, _ = log
    seen = action != "d"
    bandit = bandit_of(KNeighborsRegressor(2)).fit(
        X[seen], action[seen], reward=reward[seen]
    )
    assert_allclose(bandit.predict_reward(X)[:, 3], reward[seen].mean())


def test_models_without_weights_take_repeated_rows(log):
    X, action, reward, w = log
    times = np.repeat(np.arange(120), w.astype(int))
    one = bandit_of(KNeighborsRegressor(3)).fit(X, action, w, reward=reward)
    two = bandit_of(KNeighborsRegressor(3)).fit(
        X[times], action[times], reward=reward[times]
    )
    assert_allclose(one.predict_reward(X), two.predict_reward(X))
    with pytest.raises(ValueError, match="takes no sample_weight"):
        bandit_of(KNeighborsRegressor()).fit(X, action, w / 2, reward=reward)


def test_it_learns():
    problem = make_linear_bandit(1500, 4, 4, kind="random_features", random_state=0)
    forest = RandomForestRegressor(10, min_samples_leaf=5)
    run = simulate(RegressorBandit(forest), problem, batch_size=100, random_state=0)
    uniform = (problem.best - problem.expected.mean(axis=1)).mean()
    assert run.expected_regret[0, 1000:].mean() < 0.75 * uniform


def test_updates_need_a_model_that_can(log):
    X, action, reward, _ = log
    with pytest.raises(ValueError, match=r"update='refit'"):
        bandit_of(DecisionTreeRegressor(), update="partial_fit").fit(
            X, action, reward=reward
        )
    with pytest.raises(ValueError, match="pass classes="):
        RegressorBandit().partial_fit(X, action, reward=reward)


def test_nets_of_skorch_work_as_they_are(log):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    X, action, reward, _ = log
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    net = skorch.NeuralNetRegressor(
        torch.nn.Linear,
        module__in_features=3,
        module__out_features=1,
        max_epochs=40,
        lr=0.1,
        train_split=None,
        verbose=0,
    )
    bandit = bandit_of(net).fit(X, action, reward=reward)
    linear = bandit_of(LinearRegression()).fit(X, action, reward=reward)
    gap = bandit.predict_reward(X)[:, 0] - linear.predict_reward(X)[:, 0]
    assert np.std(gap) < 0.3 * linear.predict_reward(X)[:, 0].std()
    bandit.partial_fit(X, action, reward=reward)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [DecisionTreeRegressor(max_depth=5), LogisticRegression(), GaussianNB()],
    ids=str,
)
def test_any_model_passes_all_checks(model):
    check_estimator(RegressorBandit(model))
