"""RidgeBandit: streams, merges, decisions, actions that come and go, errors."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import RBFSampler
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from sklearn_ext.bandits import (
    BanditProblem,
    RidgeBandit,
    log_barrier_probabilities,
    make_linear_bandit,
    simulate,
)
from sklearn_ext.bandits._log import WARM_UP
from tests.bandits.test_ridge_sums import same

ABCD = list("abcd")


def linear(**params):
    return RidgeBandit(ABCD, feature_map=None, **params)


def stream(bandit, X, action, reward, w=None, sizes=(7, 40, 1, 30, 42), order=None):
    order = np.arange(len(X)) if order is None else order
    for rows in np.split(order, np.cumsum(sizes)[:-1]):
        weights = None if w is None else w[rows]
        bandit.partial_fit(
            X[rows], action[rows], sample_weight=weights, reward=reward[rows]
        )
    return bandit


# --- streams, merges, blocks ----------------------------------------------------------


def test_stream_merge_blocks_and_fit_agree(log):
    X, action, reward, w = log
    whole = linear().fit(X, action, w, reward=reward)
    halves = [slice(0, 60), slice(60, None)]
    one, two = (linear().fit(X[h], action[h], w[h], reward=reward[h]) for h in halves)
    blocks = [
        (X[h], action[h], w[h], reward[h])
        for h in (slice(0, 30), slice(30, 50), slice(50, None))
    ]
    others = [
        stream(linear(), X, action, reward, w),
        stream(
            linear(),
            X,
            action,
            reward,
            w,
            order=np.random.RandomState(0).permutation(120),
        ),
        one.merge(two),
        linear().fit_blocks(blocks),
        linear().fit_blocks(blocks, n_jobs=2),
    ]
    for other in others:
        same(whole.sufficient_statistics_, other.sufficient_statistics_)
        assert other.alpha_ == whole.alpha_
        assert_allclose(other.gamma_, whole.gamma_, rtol=1e-12)
        assert_allclose(other.predict_reward(X), whole.predict_reward(X), rtol=1e-9)
        assert_allclose(other.predict_proba(X), whole.predict_proba(X), rtol=1e-8)


def test_a_map_sees_the_first_rows_in_whatever_batches(log):
    X, action, reward, _ = log
    first = slice(0, WARM_UP)
    one = RidgeBandit(ABCD, random_state=0)
    one.fit(X[first], action[first], reward=reward[first])
    two = stream(
        RidgeBandit(ABCD, random_state=0),
        *(a[first] for a in (X, action, reward)),
        sizes=(1, 1, 1, 20, 27),
    )
    assert one._warm_up is None
    assert two._warm_up is None
    assert_allclose(one.predict_proba(X), two.predict_proba(X), rtol=1e-10)
    rest = slice(WARM_UP, None)
    for bandit in (one, two):
        bandit.partial_fit(X[rest], action[rest], reward=reward[rest])
    assert_allclose(one.predict_proba(X), two.predict_proba(X), rtol=1e-8)


def test_demonstrations_and_rewards_mix_while_the_map_is_warm(log):
    X, action, reward, _ = log
    bandit = RidgeBandit(ABCD, random_state=0)
    bandit.partial_fit(X[:20], action[:20]).partial_fit(
        X[20:40], action[20:40], reward=reward[20:40]
    )
    expected = 20 + np.array([(action[20:40] == a).sum() for a in ABCD])
    assert_allclose(bandit.class_count_, expected)


def test_a_frozen_transformer_is_a_map_that_workers_share(log):
    X, action, reward, _ = log
    frozen = FrozenEstimator(
        make_pipeline(StandardScaler(), PolynomialFeatures(include_bias=False)).fit(X)
    )
    make = lambda: RidgeBandit(ABCD, feature_map=frozen)  # noqa: E731
    whole = make().fit(X, action, reward=reward)
    one = make().fit(X[:60], action[:60], reward=reward[:60])
    two = make().fit(X[60:], action[60:], reward=reward[60:])
    assert_allclose(one.merge(two).predict_reward(X), whole.predict_reward(X))


def test_forgetting_is_a_discount_of_weights(log):
    X, action, reward, _ = log
    f = 0.97
    aged = f ** np.arange(119, -1, -1)
    explicit = linear().fit(X, action, aged, reward=reward)
    for bandit in (
        linear(forget=f).fit(X, action, reward=reward),
        stream(linear(forget=f), X, action, reward),
    ):
        same(explicit.sufficient_statistics_, bandit.sufficient_statistics_)
        assert_allclose(bandit.predict_reward(X), explicit.predict_reward(X), rtol=1e-8)


def test_a_row_of_weight_three_is_forgotten_as_three_rows(log):
    X, action, reward, w = log
    times = np.repeat(np.arange(120), w.astype(int))
    one = linear(forget=0.9).fit(X, action, w, reward=reward)
    two = linear(forget=0.9).fit(X[times], action[times], reward=reward[times])
    same(one.sufficient_statistics_, two.sufficient_statistics_)


def test_what_is_forgotten_to_the_last_bit_leaves_no_trace(log):
    X, action, reward, _ = log
    action = np.where(np.arange(120) < 10, action, "a")
    action[3] = "d"
    for bandit in (linear(forget=1e-8), linear(forget=1e-8)):
        bandit.fit(X, action, reward=reward)
        assert_allclose(bandit.predict_proba(X).sum(axis=1), 1)
        assert_allclose(bandit.class_count_[3], 0, atol=1e-12)


# --- rows one by one ------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.3, 30.0, "evidence"])
@pytest.mark.parametrize("demonstrate", [False, True])
def test_rank_one_updates_are_the_solve_of_the_same_sums(rng, alpha, demonstrate):
    X = rng.normal(size=(5200, 3)) * [1.0, 100.0, 0.01] + [0.0, 1e3, 5.0]
    action = rng.choice(ABCD, size=5200)
    reward = None if demonstrate else X[:, 0] + rng.normal(size=5200)
    n = 5200 if not demonstrate else 1200
    bandit, start = linear(alpha=alpha), n - 190

    def seen(rows):
        return {} if demonstrate else {"reward": reward[rows]}

    bandit.partial_fit(X[:1000], action[:1000], **seen(slice(1000)))
    for i in range(1000, n):
        rows = slice(i, i + 1)
        bandit.partial_fit(X[rows], action[rows], **seen(rows))
        if i == start:  # some rows after a solve
            assert bandit._recent or bandit._solved_at == i + 1
    found, exact = bandit._posterior, linear(alpha=alpha)
    exact.partial_fit(X[:n], action[:n], **seen(slice(n)))
    same(exact.sufficient_statistics_, bandit.sufficient_statistics_)
    assert_allclose(bandit.gamma_, exact.gamma_, rtol=1e-10)
    assert_allclose(bandit.class_count_, exact.class_count_)
    assert bandit._solved_at < n <= 1.2 * bandit._solved_at + 1
    # the pooled quantities of the last solve, and the rows of now
    f, std = exact.predict_reward(X[:50], return_std=True)
    also, std_too = bandit.predict_reward(X[:50], return_std=True)
    assert_allclose(also, f, atol=0.02)
    assert_allclose(std_too, std, rtol=0.1)
    # exactly: the products of the last solve's prior row, and then the rows since
    again = linear(alpha=alpha).partial_fit(
        X[: int(bandit._solved_at)],
        action[: int(bandit._solved_at)],
        **seen(slice(int(bandit._solved_at))),
    )
    then = again._posterior.ready_for_rows(again.sufficient_statistics_)
    A = np.array([np.linalg.inv(E) for E in then.inverse])
    Z = then.scale.rows(X[int(bandit._solved_at) : n])
    at = np.searchsorted(ABCD, action[int(bandit._solved_at) : n])
    for k in range(4):
        taught = np.full(len(Z), True) if demonstrate else at == k
        rows = np.vstack([then.mean[k], Z[taught]])
        w = np.append(then.weight[k], np.ones(taught.sum()))
        mean = np.average(rows, axis=0, weights=w)
        E = A[k] + (w[:, None] * (rows - mean)).T @ (rows - mean)
        assert_allclose(found.inverse[k], np.linalg.inv(E), rtol=1e-8, atol=1e-12)
        assert_allclose(found.mean[k], mean, rtol=1e-8, atol=1e-10)


def test_rank_one_slopes_solve_the_normal_equations(log):
    X, action, reward, w = log
    for alpha in (0.5, 20.0):
        bandit = linear(alpha=alpha).fit(X, action, w, reward=reward)
        before = bandit._posterior.ready_for_rows(bandit.sufficient_statistics_)
        z = before.scale.rows(X[:1])[0] + 1
        after = before.after_row(z, 1, 3.0, 2.0)
        B = np.linalg.inv(before.mean_inverse[1])
        c = B @ before.coef[1]
        share = 2 / (before.weight[1] + 2)
        d = z - before.mean[1]
        between = before.weight[1] * share
        B = B + between * np.outer(d, d)
        c = c + between * d * (3.0 - before.level[1])
        assert_allclose(after.coef[1], np.linalg.solve(B, c), rtol=1e-9)
        assert_allclose(np.linalg.inv(after.mean_inverse[1]), B, rtol=1e-8, atol=1e-8)
        gain = after.log_det - before.log_det
        assert_allclose(
            gain,
            np.linalg.slogdet(B)[1]
            - np.linalg.slogdet(B - between * np.outer(d, d))[1],
            rtol=1e-8,
        )
        level = before.level[1] + share * (3.0 - before.level[1])
        assert_allclose(after.rewards(after.mean[1][None])[0, 1], level)


def test_a_stream_of_rows_sums_up_what_waits(log, monkeypatch):
    X, action, reward, _ = log
    monkeypatch.setattr("sklearn_ext.bandits._ridge._bandit.KEPT", 5)
    bandit = linear().fit(X[:60], action[:60], reward=reward[:60])
    for i in range(60, 120):
        rows = slice(i, i + 1)
        bandit.partial_fit(X[rows], action[rows], reward=reward[rows])
        assert len(bandit._recent) < 5
    whole = linear().fit(X, action, reward=reward)
    same(whole.sufficient_statistics_, bandit.sufficient_statistics_)


def test_single_rows_are_checked_as_any(log):
    X, action, reward, _ = log
    bandit = linear().fit(X, action, reward=reward)
    for cell in (np.nan, np.inf):
        bad = X[:1].copy()
        bad[0, 1] = cell
        with pytest.raises(ValueError, match="Input X contains"):
            bandit.decide(bad)
        with pytest.raises(ValueError, match="Input X contains"):
            bandit.partial_fit(bad, action[:1], reward=reward[:1])
    for rows in (X[0], X[:1, :2], X[:0]):
        with pytest.raises(ValueError, match=r"Expected 2D|features|0 sample"):
            bandit.decide(rows)
    bandit = RidgeBandit(ABCD).fit(X, action, reward=reward)
    assert len(bandit.decide(np.full((1, 3), 1e300))) == 1  # finite, far and clipped


# --- units, order ---------------------------------------------------------------------


@pytest.mark.parametrize("feature_map", [None, "random_features"])
def test_units_and_order_do_not_matter(log, feature_map):
    X, action, reward, w = log
    make = lambda: RidgeBandit(feature_map=feature_map, random_state=0)  # noqa: E731
    said = make().fit(X, action, w, reward=reward).predict_proba(X)
    other = X * [1e6, 1.0, 1.0] + [0.0, 1e4, 7.0]
    for scale in (10.0, 1e-150, 1e150 / np.abs(reward).max()):
        bandit = make().fit(other, action, w, reward=scale * reward)
        assert_allclose(bandit.predict_proba(other), said, rtol=1e-6, atol=1e-9)
    order = np.random.default_rng(0).permutation(120)
    bandit = make().fit(X[order], action[order], w[order], reward=reward[order])
    assert_allclose(bandit.predict_proba(X), said, rtol=1e-8)


def test_scores_are_optimistic_by_the_width(log):
    X, action, reward, _ = log
    bandit = linear(width=0.7).fit(X, action, reward=reward)
    f, std = bandit.predict_reward(X, return_std=True)
    expected = log_barrier_probabilities(f + 0.7 * std, bandit.gamma_)
    assert_allclose(bandit.predict_proba(X), expected, rtol=1e-12)
    plain = clone(bandit).set_params(width=0.0).fit(X, action, reward=reward)
    expected = log_barrier_probabilities(f, bandit.gamma_)
    assert_allclose(plain.predict_proba(X), expected, rtol=1e-12)
    assert_array_equal(plain.predict(X), np.array(ABCD)[f.argmax(axis=1)])
    assert_allclose(
        X @ bandit.coef_.T + bandit.intercept_, f, rtol=1e-9, atol=1e-9 * abs(f).max()
    )


def test_gamma_grows_with_the_rows(log):
    X, action, reward, _ = log
    bandit = linear().fit(X, action, reward=reward)
    rewards = bandit.sufficient_statistics_
    assert_allclose(bandit.gamma_, 100 * np.sqrt(120) / reward.std())
    assert_allclose(rewards.pooled[3], reward.var())
    assert linear(gamma=7.0).fit(X, action, reward=reward).gamma_ == 7


def test_small_loss_takes_the_range(log):
    X, action, reward, _ = log
    squashed = 1 / (1 + np.exp(-reward))
    known = linear(exploration="small_loss", reward_range=(0, 1), width=0, gamma=30.0)
    p = known.fit(X, action, reward=squashed).predict_proba(X)
    f = known.predict_reward(X)
    loss = np.clip(1 - f.max(axis=1), 1e-6, 1)
    assert_allclose(p, log_barrier_probabilities(f, 30 / loss), rtol=1e-12)
    seen = clone(known).set_params(reward_range="auto")
    assert abs(seen.fit(X, action, reward=squashed).predict_proba(X) - p).max() > 1e-4


# --- decisions ------------------------------------------------------------------------


def test_decisions_follow_the_probabilities(log):
    X, action, reward, _ = log
    bandit = linear(gamma=3.0).fit(X, action, reward=reward)
    p = bandit.predict_proba(X[:1])[0]
    made = bandit.decide(np.repeat(X[:1], 5000, axis=0), random_state=0)
    counts = np.array([(made.action == a).sum() for a in ABCD])
    assert chisquare(counts, 5000 * p).pvalue > 1e-4
    at = np.searchsorted(ABCD, made.action)
    assert_allclose(made.propensity, p[at])
    assert_allclose(made.probabilities, np.tile(p, (5000, 1)))
    again = bandit.decide(np.repeat(X[:1], 5000, axis=0), random_state=0)
    assert_array_equal(again.action, made.action)


def test_available_actions(log):
    X, action, reward, _ = log
    bandit = linear().fit(X, action, reward=reward)
    made = bandit.decide(X, available=["a", "d"], random_state=0)
    assert set(made.action) <= {"a", "d"}
    f, std = bandit.predict_reward(X, return_std=True)
    u = (f + 0.5 * std)[:, [0, 3]]
    expected = log_barrier_probabilities(u, bandit.gamma_)
    assert_allclose(made.probabilities[:, [0, 3]], expected, rtol=1e-12)
    mask = np.random.default_rng(0).uniform(size=(120, 4)) < 0.5
    mask[:, 1] = True
    made = bandit.decide(X, available=mask, random_state=0)
    assert mask[np.arange(120), np.searchsorted(ABCD, made.action)].all()
    raised = linear(min_probability=0.1).fit(X, action, reward=reward)
    p = raised.predict_proba(X, available=mask)
    assert_allclose(p.sum(axis=1), 1)
    assert p[mask].min() >= 0.1
    assert not p[~mask].any()


def test_decisions_before_any_fit_are_uniform():
    bandit = linear()
    made = bandit.decide(np.zeros((6, 2)), random_state=0)
    assert_allclose(made.propensity, 0.25)
    made = bandit.decide(np.zeros((6, 2)), available=["b", "c"], random_state=0)
    assert set(made.action) <= {"b", "c"}
    assert_allclose(made.propensity, 0.5)
    assert len(made) == 6


def test_rewards_that_are_all_equal_keep_it_uniform(log):
    X, action, _, _ = log
    for value in (0.0, 0.1):
        bandit = linear().fit(X, action, reward=np.full(120, value))
        assert bandit.reward_scale_ == 1
        assert_allclose(bandit.predict_proba(X), 0.25, rtol=1e-6)


def test_the_first_reward_that_differs_gives_a_scale(log):
    X, action, _, _ = log
    bandit = linear().fit(X, action, reward=np.zeros(120))
    bandit.partial_fit(X[:1], action[:1], reward=[0.0])
    assert bandit._recent  # nothing new: a row among others
    bandit.partial_fit(X[:1], action[:1], reward=[1.0])
    assert bandit.noise_var_ > 0
    whole = linear().fit(
        np.vstack([X, X[:1], X[:1]]),
        np.r_[action, action[:1], action[:1]],
        reward=np.r_[np.zeros(121), 1.0],
    )
    assert_allclose(bandit.predict_proba(X), whole.predict_proba(X), rtol=1e-8)


@pytest.mark.parametrize("weight", [1e12, 1e16, 1e30, 1e300])
def test_weights_beyond_all_penalties_leave_least_squares(log, weight):
    X, action, reward, _ = log
    X, reward = np.vstack([X, X + 1]), np.r_[reward, reward]
    action = np.r_[action, action]
    least = linear(alpha=1e-6).fit(X, action, reward=reward).predict_reward(X)[:, :2]
    for alpha in (1e-2, 5.0, "evidence"):
        bandit = linear(alpha=alpha)
        bandit.fit(X, action, np.full(240, weight), reward=reward)
        said = bandit.predict_reward(X)[:, :2]
        assert_allclose(said, least, atol=0.02 * abs(least).max())
    waves = RidgeBandit(ABCD, random_state=0)
    waves.fit(X, action, np.full(240, weight), reward=reward)
    assert abs(waves.predict_reward(X)).max() < 1e4


def test_an_action_without_rows_starts_at_the_mean(log):
    X, action, reward, _ = log
    seen = action != "d"
    bandit = linear().fit(X[seen], action[seen], reward=reward[seen])
    assert_allclose(bandit.predict_reward(X)[:, 3], reward[seen].mean())
    assert bandit.class_count_[3] == 0


@pytest.mark.parametrize("n_rows", [1, 2, 3])
@pytest.mark.parametrize("feature_map", [None, "random_features"])
def test_few_rows_copies_and_constant_columns(n_rows, feature_map):
    X = np.column_stack([np.full(n_rows, 0.1), np.arange(n_rows)])
    bandit = RidgeBandit(ABCD, feature_map=feature_map)
    bandit.fit(X, ["a"] * n_rows, reward=np.arange(n_rows) * 1.0)
    assert_allclose(bandit.predict_proba(X + 1).sum(axis=1), 1)


# --- actions that come and go ---------------------------------------------------------


def test_actions_come_and_go(log):
    X, action, reward, _ = log
    kept = action != "c"
    bandit = RidgeBandit(list("abd"), feature_map=None)
    bandit.fit(X[kept], action[kept], reward=reward[kept])
    bandit.add_actions(["c"])
    assert list(bandit.classes_) == ABCD
    assert_allclose(bandit.predict_reward(X)[:, 2], reward[kept].mean())
    bandit.partial_fit(X[~kept], action[~kept], reward=reward[~kept])
    whole = linear().fit(X, action, reward=reward)
    assert_allclose(bandit.predict_reward(X), whole.predict_reward(X), rtol=1e-8)
    bandit.drop_actions(["c"])
    alone = RidgeBandit(list("abd"), feature_map=None)
    alone.fit(X[kept], action[kept], reward=reward[kept])
    assert_allclose(bandit.predict_reward(X), alone.predict_reward(X), rtol=1e-8)


def test_actions_come_and_go_while_the_map_is_warm(log):
    X, action, reward, _ = log
    kept, order = action != "c", np.argsort(action == "c", kind="stable")
    X, action, reward = X[order], action[order], reward[order]
    bandit = RidgeBandit(list("abd"), random_state=0)
    bandit.partial_fit(X[:8], action[:8], reward=reward[:8]).add_actions(["c"])
    assert list(bandit.classes_) == ABCD
    bandit.partial_fit(X[8:], action[8:], reward=reward[8:])
    whole = RidgeBandit(ABCD, random_state=0).fit(X, action, reward=reward)
    assert_allclose(bandit.predict_proba(X), whole.predict_proba(X), rtol=1e-6)
    bandit = RidgeBandit(ABCD, random_state=0)
    first = np.r_[0:8, 118:120]  # two rows of what is dropped
    bandit.partial_fit(X[first], action[first], reward=reward[first])
    bandit.drop_actions(["c"]).partial_fit(X[8:50], action[8:50], reward=reward[8:50])
    alone = RidgeBandit(list("abd"), random_state=0)
    alone.fit(X[:50], action[:50], reward=reward[:50])
    assert kept.sum() > 50
    assert_allclose(bandit.predict_proba(X), alone.predict_proba(X), rtol=1e-6)
    shown = RidgeBandit(list("abd"), random_state=0).partial_fit(X[:8], action[:8])
    shown.add_actions(["c"])  # demonstrations said nothing of it
    assert shown.class_count_.tolist() == [8, 8, 0, 8]
    shown.partial_fit(X[8:80], action[8:80], reward=reward[8:80])
    assert shown.class_count_[2] == 0


def test_no_actions_may_come_and_go(log):
    X, action, reward, _ = log
    bandit = RidgeBandit([1, 2, 3, 4], feature_map=None)
    bandit.fit(X, np.searchsorted(ABCD, action) + 1, reward=reward)
    for change in (bandit.add_actions, bandit.drop_actions):
        assert change([]).classes_.dtype.kind == "i"
        assert bandit.classes_.tolist() == [1, 2, 3, 4]
    assert list(linear().fit(X, action, reward=reward).add_actions([]).classes_) == ABCD


def test_longer_labels_are_not_cut():
    X = np.arange(4.0)[:, None]
    bandit = RidgeBandit(["a", "b"], feature_map=None).fit(
        X, list("abab"), reward=X[:, 0]
    )
    bandit.add_actions(["much longer"])
    assert list(bandit.classes_) == ["a", "b", "much longer"]
    assert set(bandit.decide(X, available=["much longer"]).action) == {"much longer"}


def test_summary_has_a_line_an_action(log):
    X, action, reward, _ = log
    seen = action != "d"
    lines = linear().fit(X[seen], action[seen], reward=reward[seen]).summary()
    lines = lines.splitlines()
    assert len(lines) == 5
    assert f"{reward[action == 'a'].mean():.4g}" in lines[1]
    assert lines[4].split() == ["d", "0", "-"]


# --- scores, searches, persistence ----------------------------------------------------


def test_score_is_the_self_normalised_value(log):
    X, action, reward, w = log
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 1, size=120)
    bandit = linear().fit(X, action, reward=reward)
    same_action = bandit.predict(X) == action
    weight = w * same_action / p
    found = bandit.score(X, action, w, reward=reward, propensity=p)
    assert_allclose(found, weight @ reward / weight.sum())
    assert_allclose(bandit.score(X, action), same_action.mean())


def test_settings_are_chosen_by_the_value_on_the_log(log):
    X, action, reward, _ = log
    p = np.full(120, 0.25)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(linear(), {"alpha": [0.1, "evidence"]}, cv=3)
        search.fit(X, action, reward=reward, propensity=p)
        assert np.isfinite(search.best_score_)
        best = search.best_estimator_
        assert_allclose(
            best.predict_reward(X),
            linear(**search.best_params_)
            .fit(X, action, reward=reward)
            .predict_reward(X),
        )
        pipe = make_pipeline(StandardScaler(), linear())
        GridSearchCV(pipe, {"ridgebandit__width": [0, 1]}, cv=3).fit(
            X, action, reward=reward, propensity=p
        )
    with config_context(enable_metadata_routing=False):
        pipe = make_pipeline(StandardScaler(), linear())
        pipe.fit(X, action, ridgebandit__reward=reward)
        search = GridSearchCV(linear(), {"alpha": [0.1, 1.0]}, cv=3)
        search.fit(X, action, reward=reward)  # sliced with the folds, as scikit-learn


@pytest.mark.parametrize(
    "params",
    [
        {"feature_map": StandardScaler()},
        {"exploration": "small_loss"},
        {"exploration": "inverse_gap"},
        {"exploration": "greedy"},
        {"alpha": 1.0, "width": 0.0},
        {"n_components": 0},
    ],
    ids=str,
)
@pytest.mark.slow
def test_settings_pass_all_checks(params):
    check_estimator(RidgeBandit(**params))


def test_pickles_continue_the_stream(log):
    X, action, reward, _ = log
    for cut in (20, 100):  # the map is warm, or frozen
        one = RidgeBandit(ABCD, random_state=0)
        one.partial_fit(X[:cut], action[:cut], reward=reward[:cut])
        two = pickle.loads(pickle.dumps(one))
        for bandit in (one, two):
            bandit.partial_fit(X[cut:], action[cut:], reward=reward[cut:])
        assert_array_equal(one.predict_proba(X), two.predict_proba(X))
        assert one._warm_up is None


def test_regret_grows_slower_than_the_root():
    problem = make_linear_bandit(10_000, 5, 10, random_state=0)
    bandit = RidgeBandit(feature_map=None)
    run = simulate(bandit, problem, batch_size=100, random_state=0)
    total = run.expected_regret[0].cumsum()
    for n in (1000, 2000, 5000):
        assert total[9999] / total[n - 1] < 0.8 * np.sqrt(10_000 / n)
    uniform = (problem.best - problem.expected.mean(axis=1)).mean()
    assert run.expected_regret[0, 5000:].mean() < 0.02 * uniform


@pytest.mark.slow
def test_exploration_beats_greed_where_rows_do_not_explore_by_themselves():
    """Ten actions whose means do not depend on the row: five worlds."""
    lost = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        mean = np.tile(rng.permutation(np.linspace(0, 1, 10)), (4000, 1))
        X = rng.normal(size=(4000, 2))
        noise = rng.normal(size=mean.shape)
        problem = BanditProblem(X, mean + noise, mean, np.arange(10))
        for params in ({}, {"exploration": "greedy", "width": 0.0}):
            bandit = RidgeBandit(feature_map=None, **params)
            run = simulate(bandit, problem, batch_size=20, random_state=seed)
            lost.append(run.mean_regret[0])
    ours, greedy = np.mean(lost[::2]), np.mean(lost[1::2])
    assert ours < 0.75 * greedy
    assert ours < 0.25 * 0.5  # of drawing at random


# --- errors ---------------------------------------------------------------------------


def broken(log, message, *, error=ValueError, params=None, later=True, **changed):
    X, action, reward, _ = log
    given = {"X": X, "y": action, "reward": reward, **changed}
    for method in ("fit", "partial_fit"):
        with pytest.raises(error, match=message):
            getattr(RidgeBandit(ABCD).set_params(**params or {}), method)(**given)
    bandit = linear().fit(X, action, reward=reward).set_params(**params or {})
    before = pickle.dumps(vars(bandit))
    for method in ("fit", "partial_fit") if later else ("fit",):
        with pytest.raises(error, match=message):
            getattr(bandit, method)(**given)
        assert pickle.dumps(vars(bandit)) == before


def test_rewards_are_checked(log):
    reward = log[2]
    broken(log, "reward has 119 values for 120 rows", reward=reward[1:])
    broken(log, "one number a row", reward=reward[:, None])
    for bad in (np.nan, np.inf):
        broken(log, "in row 7", reward=np.where(np.arange(120) == 7, bad, reward))
    broken(log, "use other units", reward=1e151 * np.ones(120))
    broken(log, r"rewards go from", params={"reward_range": (0, 1)})
    for bad in ((1, 0), (0, 1, 2)):
        broken(log, "lowest and the highest", params={"reward_range": bad})


def test_propensities_are_checked(log):
    X, action, reward, _ = log
    for bad in (0.0, 1.2, np.nan, -1.0):
        p = np.where(np.arange(120) == 3, bad, 0.5)
        broken(log, "probability with which the logged action was drawn", propensity=p)
        with pytest.raises(ValueError, match="row 3"):
            linear().fit(X, action, reward=reward).score(
                X, action, reward=reward, propensity=p
            )
    broken(log, "one number a row", propensity=np.ones(3))


def test_actions_are_checked(log):
    X, action, reward, _ = log
    broken(log, "'e'.*add_actions", y=np.where(action == "a", "e", action))
    broken(log, "not among the actions", y=np.arange(120) % 4)
    for bad, message in (
        (["a", "a", "b"], "distinct"),
        (["a"], "at least two actions.*class"),
    ):
        with pytest.raises(ValueError, match=message):
            RidgeBandit(bad).fit(X, action, reward=reward)
    with pytest.raises(ValueError, match=r"one class, .*actions="):
        RidgeBandit().fit(X, np.full(120, "a"), reward=reward)
    with pytest.raises(ValueError, match="pass classes="):
        RidgeBandit().partial_fit(X, action, reward=reward)
    with pytest.raises(ValueError, match="not what the first call was given"):
        linear().fit(X, action, reward=reward).partial_fit(
            X, action, classes=list("abc"), reward=reward
        )


def test_parameters_are_checked(log):
    broken(
        log, "min_probability=0.3 is more than 1 / 4", params={"min_probability": 0.3}
    )
    for params in (
        {"gamma": 0.0},
        {"gamma": -1.0},
        {"width": -0.1},
        {"forget": 0.0},
        {"forget": 1.1},
        {"min_probability": -0.1},
        {"alpha": 0.0},
        {"exploration": "thompson"},
    ):
        broken(log, f"The '{next(iter(params))}' parameter", params=params, later=False)


def test_available_is_checked(log):
    X, action, reward, _ = log
    bandit = linear().fit(X, action, reward=reward)
    for bad, message in (
        (["a", "z"], "available holds .*'z'"),
        (np.ones((3, 4), bool), r"\(3, 4\); 120 rows and 4 actions need \(120, 4\)"),
        (np.ones((120, 4)), "booleans of shape"),
        ([], "no action in row 0"),
        (np.arange(480).reshape(120, 4) > 3, "no action in row 0"),
    ):
        for asked in (bandit, linear()):
            with pytest.raises(ValueError, match=message):
                asked.decide(X, available=bad)


def test_scores_say_what_a_log_needs(log):
    X, action, reward, _ = log
    bandit = linear().fit(X, action, reward=reward)
    with pytest.raises(ValueError, match=r"log Decisions\.propensity"):
        bandit.score(X, action, reward=reward)
    with pytest.warns(UserWarning, match="deterministic"):
        bandit.score(X, action, reward=reward, propensity=np.ones(120))
    other = np.where(bandit.predict(X) == "a", "b", "a")
    with pytest.warns(UserWarning, match="None of the predicted actions was logged"):
        value = bandit.score(X, other, reward=reward, propensity=np.full(120, 0.5))
    assert np.isnan(value)


def test_merge_is_checked(log):
    X, action, reward, _ = log
    one = linear().fit(X, action, reward=reward)
    with pytest.raises(TypeError, match="merge needs a RidgeBandit, got ndarray"):
        one.merge(X)
    with pytest.raises(ValueError, match="same columns, got 3 here and 2"):
        one.merge(linear().fit(X[:, :2], action, reward=reward))
    seen = action != "d"
    abc = RidgeBandit(list("abc"), feature_map=None)
    with pytest.raises(ValueError, match="same actions"):
        one.merge(abc.fit(X[seen], action[seen], reward=reward[seen]))
    with pytest.raises(ValueError, match=r"forget=1, got 0\.9"):
        one.merge(linear(forget=0.9).fit(X, action, reward=reward))
    with pytest.raises(ValueError, match="forget=1"):
        linear(forget=0.9).fit_blocks([(X, action, None, reward)])
    with pytest.raises(ValueError, match="FrozenEstimator"):
        RidgeBandit(random_state=0).fit(X, action, reward=reward).merge(
            RidgeBandit(random_state=1).fit(X, action, reward=reward)
        )


def test_changes_of_actions_are_checked(log):
    X, action, reward, _ = log
    bandit = linear().fit(X, action, reward=reward)
    with pytest.raises(ValueError, match="actions already"):
        bandit.add_actions(["a", "e"])
    with pytest.raises(ValueError, match="of the kind of classes_"):
        bandit.add_actions([1])
    with pytest.raises(ValueError, match=r"labels holds .*'z'"):
        bandit.drop_actions(["z"])
    with pytest.raises(ValueError, match="at least two actions"):
        bandit.drop_actions(["a", "b", "c"])


def test_a_map_must_return_a_table_of_the_rows(log):
    from sklearn.preprocessing import FunctionTransformer

    X, action, reward, _ = log
    shorter = FunctionTransformer(lambda X: X[1:])
    with pytest.raises(ValueError, match="must return a table of 120 rows"):
        RidgeBandit(feature_map=shorter).fit(X, action, reward=reward)


def test_a_map_must_return_finite_numbers(log):
    from sklearn.preprocessing import FunctionTransformer

    X, action, reward, _ = log
    inverse = FunctionTransformer(lambda X: np.where(X > 0, X, np.inf))
    with pytest.raises(ValueError, match=r"feature_map=FunctionTransformer.*infinity"):
        RidgeBandit(feature_map=inverse).fit(X, action, reward=reward)


def test_a_map_that_draws_takes_the_seed(log):
    X, action, reward, _ = log
    said = [
        RidgeBandit(
            ABCD, feature_map=make_pipeline(StandardScaler(), RBFSampler()), **seed
        )
        .fit(X, action, reward=reward)
        .predict_reward(X)
        for seed in ({"random_state": 0}, {"random_state": 0}, {"random_state": 1})
    ]
    assert_array_equal(said[0], said[1])
    assert (said[0] != said[2]).any()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("feature_map", [None, "random_features"])
def test_columns_beyond_all_squares_are_refused(log, feature_map):
    X, action, reward, _ = log
    with pytest.raises(ValueError, match="1e150"):
        RidgeBandit(feature_map=feature_map).fit(1e200 * X, action, reward=reward)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_reward", "decision_function"]
)
def test_nothing_is_said_before_a_fit(log, method):
    with pytest.raises(NotFittedError):
        getattr(linear(), method)(log[0])
    with pytest.raises(NotFittedError):
        RidgeBandit().decide(log[0])
