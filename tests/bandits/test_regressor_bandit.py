"""Any model of the reward as a bandit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
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


def test_an_action_that_was_never_tried_has_the_mean_of_now(log):
    X, action, reward, _ = log
    seen = action != "d"
    X, action, reward = X[seen], action[seen], reward[seen]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    for model in (SGDRegressor(), LinearRegression()):
        bandit = bandit_of(model, refit_growth=1.0)
        for rows in (slice(0, 1), slice(1, 30), slice(30, None)):
            bandit.partial_fit(X[rows], action[rows], reward=reward[rows])
        assert_allclose(bandit.predict_reward(X)[:, 3], reward.mean())


def test_a_fit_is_a_whole_one_of_models_that_can_go_on(log):
    X, action, reward, _ = log
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    bandit = bandit_of(SGDRegressor(tol=1e-6, max_iter=3000))
    bandit.fit(X, action, reward=reward)
    for k, label in enumerate("ab"):
        rows = action == label
        ours = bandit.estimators_[k][0]
        alone = clone(ours).fit(X[rows], reward[rows])
        assert_array_equal(ours.coef_, alone.coef_)
        assert ours.n_iter_ > 1
    before = bandit.predict_reward(X)
    bandit.partial_fit(X[:9], action[:9], reward=reward[:9])
    assert abs(bandit.predict_reward(X) - before).max() < 2


@pytest.mark.parametrize("model", [GaussianNB(), SGDClassifier(loss="log_loss")])
def test_classifiers_that_go_on_may_begin_with_equal_clicks(log, model):
    X, action, reward, _ = log
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    click, action = (reward > 0).astype(float), np.where(action == "d", "a", action)
    for first in (np.zeros(60), click[:60]):
        bandit = bandit_of(model).fit(X[:60], action[:60], reward=first)
        bandit.partial_fit(X[60:], action[60:], reward=click[60:])
        p = bandit.predict_reward(X)
        assert (p >= 0).all()
        assert (p <= 1).all()


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.parametrize(
    "model",
    [KNeighborsRegressor(), CalibratedClassifierCV(GaussianNB())],
    ids=lambda model: type(model).__name__,
)
def test_models_that_need_more_rows_wait_for_them(log, model):
    X, action, reward, _ = log
    click = (reward > 0).astype(float)
    bandit = bandit_of(model, refit_growth=1.0)
    for rows in np.array_split(np.arange(120), 40):
        bandit.partial_fit(X[rows], action[rows], reward=click[rows])
        assert np.isfinite(bandit.decide(X).propensity).all()
        if rows[0] == 0:
            means = [click[:3][action[:3] == a] for a in ABCD]
            means = [m.mean() if len(m) else click[:3].mean() for m in means]
            assert_allclose(bandit.predict_reward(X[:1])[0], means)
    assert not isinstance(bandit.estimators_[0][0], float)
    with pytest.raises(ValueError, match="'n_neighbors' parameter"):
        bandit_of(KNeighborsRegressor(-1)).fit(X[:3], action[:3], reward=click[:3])
    with pytest.raises(ValueError, match="n_neighbors"):
        bandit_of(KNeighborsRegressor(100)).fit(X, action, reward=click).decide(X)


def test_members_count_a_weight_as_so_many_draws(rng):
    X, w = np.zeros((4000, 1)), np.full(4000, 9.0)
    bandit = bandit_of(CountsRows(), n_estimators=1)
    r = rng.normal(size=4000)
    bandit.set_params(n_estimators=2).fit(X, ["a"] * 4000, w, reward=r)
    for member in bandit.estimators_[0]:
        assert_allclose(member.w_.mean(), 9, rtol=0.05)
        assert_allclose(member.w_.var(), 9, rtol=0.15)  # not 81
    bandit.fit(X[:50], ["a"] * 50, np.full(50, 1e300), reward=r[:50])
    assert_allclose(bandit.estimators_[0][0].w_, 1e300)


def test_seeds_reach_models_inside_pipelines(log):
    X, action, reward, _ = log
    forest = make_pipeline(StandardScaler(), RandomForestRegressor(3))
    said = [
        bandit_of(forest).fit(X, action, reward=reward).predict_reward(X)
        for _ in range(2)
    ]
    assert_array_equal(said[0], said[1])


class CountsRows(RegressorMixin, BaseEstimator):
    """Keeps the weights that it was given."""

    def fit(self, X, y, sample_weight=None):
        self.w_ = sample_weight
        return self

    def predict(self, X):
        return np.full(len(X), np.nan)


def test_predictions_that_are_no_numbers_are_refused(log):
    X, action, reward, _ = log
    bandit = bandit_of(CountsRows()).fit(X, action, reward=reward)
    with pytest.raises(ValueError, match="model of the reward failed"):
        bandit.decide(X)


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
