"""Values of policies: slow loops, worlds that can be enumerated, bad input."""

import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_ext.bandits import (
    PolicyValueDisplay,
    RidgeBandit,
    compare_policies,
    make_bandit_log,
    make_linear_bandit,
    policy_value,
    policy_value_curve,
    simulate,
)

LABELS = np.array(["a", "b", "c"])


def a_log(rng, n=400):
    p = rng.dirichlet([2, 2, 2], n)
    at = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    means = np.array([0.2, 0.5, 0.7])
    reward = (rng.random(n) < means[at]).astype(float)
    return LABELS[at], reward, p[np.arange(n), at], p


def slow(action, reward, propensity, target, estimator, predicted=None):
    top = bottom = 0.0
    for i, a in enumerate(action):
        k = list(LABELS).index(a)
        w = target[i, k] / propensity[i]
        if estimator in ("ips", "snips"):
            top += w * reward[i]
            bottom += w if estimator == "snips" else 1
            continue
        top += sum(target[i, j] * predicted[i, j] for j in range(3))
        bottom += 1
        if estimator == "dr":
            top += w * (reward[i] - predicted[i, k])
    return top / bottom


@pytest.mark.parametrize("estimator", ["snips", "ips", "dr", "dm"])
def test_estimates_are_those_of_a_loop(rng, estimator):
    action, reward, p, _ = a_log(rng)
    target = rng.dirichlet([1, 1, 1], len(action))
    f = rng.random((len(action), 3))
    given = {"predicted_reward": f} if estimator in ("dr", "dm") else {}
    found = policy_value(
        action, reward, p, target, estimator=estimator, interval=None, **given
    )
    assert_allclose(found.value, slow(action, reward, p, target, estimator, f))
    assert np.isnan(found.lower)
    w = target[np.arange(len(p)), np.searchsorted(LABELS, action)] / p
    assert_allclose(found.effective_sample_size, w.sum() ** 2 / (w**2).sum())
    assert_allclose(found.max_weight, w.max())


@pytest.mark.filterwarnings("ignore:The target takes", "ignore:The log has an eff")
@pytest.mark.parametrize("estimator", ["ips", "dr"])
def test_unbiased_in_a_world_that_is_enumerated(estimator):
    """Three rows, two actions, eight logs: the mean over all is the value."""
    p = np.array([[0.3, 0.7], [0.5, 0.5], [0.9, 0.1]])
    mean = np.array([[0.2, 0.9], [0.4, 0.1], [0.6, 0.5]])
    target = np.array([[0.5, 0.5], [1.0, 0.0], [0.2, 0.8]])
    f = np.array([[0.5, 0.5], [0.3, 0.9], [0.1, 0.2]])
    given = {"predicted_reward": f} if estimator == "dr" else {}
    total = 0.0
    for at in product(range(2), repeat=3):
        rows = np.arange(3)
        chance = p[rows, at].prod()
        found = policy_value(
            np.array(at),
            mean[rows, at],
            p[rows, at],
            target,
            labels=[0, 1],
            estimator=estimator,
            interval=None,
            **given,
        )
        total += chance * found.value
    assert_allclose(total, (target * mean).sum(axis=1).mean(), rtol=1e-12)


def test_terms_of_the_doubly_robust_interval_are_unbiased_and_not_negative(rng):
    from sklearn_ext.bandits._values._policy import CAP, _robust
    from sklearn_ext.bandits._values._weights import Logged

    p = rng.dirichlet([0.3, 1, 1], 50)
    mean, f = rng.random((50, 3)), rng.random((50, 3))
    target = rng.dirichlet([1, 1, 0.2], 50)
    total, rows = np.zeros(50), np.arange(50)
    for k in range(3):
        taken = np.full(50, LABELS[k])
        log = Logged.of(taken, mean[:, k], p, LABELS)
        w = target[rows, k] / p[rows, k]
        terms = _robust(log, w, target, mean[:, k], f)
        assert (terms >= 0).all()
        total += p[:, k] * terms
    assert_allclose(total - CAP, (target * mean).sum(axis=1), rtol=1e-9)


def test_forms_of_a_target_agree(rng):
    problem = make_linear_bandit(300, 4, 3, random_state=0)
    X, action, reward, p = make_bandit_log(problem, random_state=0)
    model = LogisticRegression().fit(X, action)
    log = action, reward, p
    given = {"interval": None}
    by_model = policy_value(*log, model, X=X, **given)
    assert by_model == policy_value(*log, model.predict(X), **given)
    one_hot = (model.predict(X)[:, None] == np.arange(3)).astype(float)
    assert by_model == policy_value(*log, one_hot, **given)
    explored = policy_value(*log, model, X=X, policy="explore", **given)
    assert explored == policy_value(*log, model.predict_proba(X), **given)


def test_the_logging_policy_earns_what_it_earned(rng):
    action, reward, _, every = a_log(rng)
    found = policy_value(action, reward, every, every)
    assert_allclose(found.value, reward.mean())
    assert found.lower < reward.mean() < found.upper
    assert_allclose(found.effective_sample_size, len(action))


@pytest.mark.parametrize("estimator", ["snips", "ips", "dr"])
def test_the_normal_interval(rng, estimator):
    action, reward, p, _ = a_log(rng)
    target = np.tile([0.0, 0.5, 0.5], (len(action), 1))
    f = np.full((len(action), 3), 0.4)
    given = {"predicted_reward": f} if estimator == "dr" else {}
    found = policy_value(
        action, reward, p, target, estimator=estimator, interval="normal", **given
    )
    w = target[np.arange(len(p)), np.searchsorted(LABELS, action)] / p
    if estimator == "snips":
        pull = w * (reward - found.value) / w.mean()
    elif estimator == "ips":
        pull = w * reward - found.value
    else:
        pull = 0.4 + w * (reward - 0.4) - found.value
    half = norm.ppf(0.975) * pull.std() / np.sqrt(len(p))
    assert_allclose(found.upper - found.value, half, rtol=1e-6)


def test_the_doubly_robust_interval_holds_the_value(rng):
    action, reward, _, every = a_log(rng, 2000)
    target = np.full(len(action), "c")
    f = np.tile([0.2, 0.5, 0.7], (len(action), 1))
    plain = policy_value(action, reward, every, target, estimator="ips")
    robust = policy_value(
        action, reward, every, target, estimator="dr", predicted_reward=f
    )
    assert robust.lower < 0.7 < robust.upper
    assert robust.upper - robust.lower < 1.1 * (plain.upper - plain.lower)


def test_differences(rng):
    action, reward, p, every = a_log(rng, 3000)
    best, worst = np.full(3000, "c"), np.full(3000, "a")
    found = compare_policies(action, reward, p, best, worst)
    assert found.lower > 0.2
    assert found.upper < 0.8
    assert found.e_value > 1e3
    back = compare_policies(action, reward, p, worst, best)
    assert_allclose([back.lower, back.upper], [-found.upper, -found.lower], rtol=1e-9)
    assert_allclose(back.value, -found.value)
    assert back.e_value < 1
    apart = [policy_value(action, reward, p, x) for x in (best, worst)]
    assert_allclose(found.value, apart[0].value - apart[1].value)
    assert found.upper - found.lower < sum(v.upper - v.lower for v in apart)
    logging = compare_policies(action, reward, p, best)
    assert_allclose(logging.value, apart[0].value - reward.mean())
    same = compare_policies(action, reward, every, every)
    assert same.lower < 0 < same.upper
    assert_allclose(same.e_value, 1)


def test_other_units_of_reward(rng):
    action, reward, p, _ = a_log(rng)
    target = np.full(len(action), "b")
    one = policy_value(action, reward, p, target)
    other = policy_value(action, 30 * reward - 10, p, target, reward_range=(-10, 20))
    for name in ("value", "lower", "upper"):
        assert_allclose(getattr(other, name), 30 * getattr(one, name) - 10, rtol=1e-9)


def test_the_curve_ends_at_the_value(rng):
    action, reward, p, _ = a_log(rng, 700)
    target = np.full(700, "b")
    curve = policy_value_curve(action, reward, p, target, n_points=7)
    assert list(curve.times) == [100, 200, 300, 400, 500, 600, 700]
    whole = policy_value(action, reward, p, target)
    for name in ("value", "lower", "upper"):
        assert_allclose(curve[name][-1], getattr(whole, name), rtol=1e-8)
    part = policy_value(action[:300], reward[:300], p[:300], target[:300])
    assert_allclose(curve.lower[2], part.lower, rtol=1e-8)


def test_a_bandit_that_learnt_is_judged_on_its_own_log():
    problem = make_linear_bandit(1500, 3, 3, rate=0.3, random_state=0)
    run = simulate(RidgeBandit(), problem, batch_size=50, random_state=0)
    log = run.action[0], run.reward[0], run.propensity[0]
    best = problem.expected.argmax(axis=1)[run.row[0]]
    found = policy_value(*log, best)
    assert found.lower < problem.expected.max(axis=1).mean() < found.upper
    X = problem.X[run.row[0]]
    uniform = DummyClassifier(strategy="uniform").fit(X, log[0])
    with pytest.warns(UserWarning, match=r"sum to \d\d% of the rows"):  # it was sure
        shown = policy_value(*log, uniform, X=X, policy="explore")
    assert shown.lower < problem.expected.mean() < shown.upper


GOOD = [0, 1] * 50, [0.0, 1.0] * 50, [0.5] * 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"propensity": [0.0] + [0.5] * 99},
            "probability with which the logged action",
        ),
        ({"propensity": [1.5] + [0.5] * 99}, "row 0 has 1.5"),
        ({"propensity": [np.nan] + [0.5] * 99}, "row 0 has nan"),
        ({"propensity": [0.5] * 99}, r"of shape \(100,\), got the shape \(99,\)"),
        ({"propensity": [[0.5, 0.2]] * 100}, "sum to one"),
        ({"reward": [0.0, 2.0] * 50}, "rewards go from 0 to 2"),
        ({"reward": [0.0, np.nan] * 50}, "reward is nan in row 1"),
        ({"reward_range": None}, "needs reward_range"),
        ({"reward_range": (1, 0)}, "lowest and the highest"),
        ({"reward_range": (0, np.inf)}, "both finite"),
        ({"target": [0] * 99}, "99 actions for 100"),
        ({"target": [5] * 100}, "not among the actions"),
        (
            {"target": [[0.5, 0.2]] * 100},
            "target must be probabilities that sum to one",
        ),
        ({"target": [[1.0]] * 100}, r"\(100, 2\)"),
        ({"target": RidgeBandit()}, "pass the rows of the log in X="),
        ({"estimator": "dr"}, "needs predicted_reward"),
        ({"estimator": "dr", "predicted_reward": np.ones((3, 2))}, r"shape \(100, 2\)"),
        (
            {"estimator": "dr", "predicted_reward": np.ones((100, 2))},
            "probabilities of all",
        ),
        ({"estimator": "dm", "predicted_reward": np.ones((100, 2))}, "has no interval"),
    ],
)
def test_bad_input(change, message):
    given = dict(zip(("action", "reward", "propensity"), GOOD, strict=True))
    given = {**given, "target": [0] * 100, **change}
    with pytest.raises(ValueError, match=message):
        policy_value(**given)


def test_little_overlap_is_said():
    with pytest.warns(UserWarning, match="deterministic"):
        policy_value(*GOOD[:2], [1.0] * 100, GOOD[0])
    with pytest.warns(UserWarning, match=r"never logged, \[.*2.*\], in 30.0%"):
        policy_value(*GOOD, [0, 1] * 35 + [2] * 30, labels=[0, 1, 2])
    with pytest.warns(UserWarning, match="effective sample size of 5.0 rows"):
        policy_value(*(x[:10] for x in GOOD), [0] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nothing = policy_value([0] * 10, [1] * 10, [0.5] * 10, [1] * 10, labels=[0, 1])
    assert np.isnan(nothing.value)
    assert (nothing.lower, nothing.upper) == (0, 1)


def test_displays(rng):
    action, reward, p, _ = a_log(rng)
    values = {a: policy_value(action, reward, p, [a] * len(p)) for a in "abc"}
    display = PolicyValueDisplay.from_values(values)
    shown = [t.get_text() for t in display.ax_.get_yticklabels()]
    assert shown == ["a", "b", "c"]
    assert display.ax_.get_xlabel() == "mean reward"
    difference = compare_policies(action, reward, p, ["c"] * len(p))
    display = PolicyValueDisplay.from_values({"c": difference})
    assert display.ax_.get_xlabel() == "difference of mean rewards"
    display = PolicyValueDisplay.from_log(action, reward, p, ["c"] * len(p), n_points=5)
    assert len(display.ax_.lines[0].get_xdata()) == 5
    assert display.plot(name="c").ax_.get_legend() is not None


def test_one_line(rng):
    action, reward, p, _ = a_log(rng)
    target = ["c"] * len(p)
    assert "with 95 % at any time), snips" in str(
        policy_value(action, reward, p, target)
    )
    plain = policy_value(action, reward, p, target, interval=None)
    assert "(" not in str(plain)
    assert "e-value" in str(compare_policies(action, reward, p, target))


def test_evidence_agrees_with_the_bound_at_a_horizon(rng):
    action = rng.integers(0, 2, 2000)
    reward = (rng.random(2000) < np.where(action == 0, 0.6, 0.4)).astype(float)
    for n in range(200, 2001, 50):
        log = action[:n], reward[:n], [0.5] * n
        found = compare_policies(*log, [0] * n, horizon=2000)
        assert (found.lower > 0) == (found.e_value > 40), n


@pytest.mark.filterwarnings("ignore:The log has an effective sample size")
def test_a_log_that_contradicts_itself_says_nothing(rng):
    """One row whose action could hardly have been drawn refutes every value."""
    action, reward = rng.integers(0, 2, 300), rng.random(300)
    p = np.full(300, 0.5)
    p[action.tolist().index(0)] = 1e-8
    log = action, reward, p, [0] * 300
    with pytest.warns(UserWarning, match="contradicts itself"):
        found = policy_value(*log)
    assert (found.lower, found.upper) == (0, 1)
    with pytest.warns(UserWarning, match="contradicts itself"):
        found = compare_policies(*log)
    assert (found.lower, found.upper) == (-1, 1)
    with pytest.warns(UserWarning, match="contradicts itself"):
        curve = policy_value_curve(*log, n_points=3)
    assert (curve.lower <= curve.upper).all()


@pytest.mark.filterwarnings("ignore:The log has an effective sample size")
def test_weights_that_overflow():
    p = [1e-300] + [0.5] * 99
    found = policy_value(*GOOD[:2], p, GOOD[0], interval=None)
    assert found.effective_sample_size == 1
    with pytest.raises(ValueError, match="row 0 is too small"):
        policy_value(*GOOD[:2], [5e-324] + [0.5] * 99, GOOD[0])


def test_no_rows():
    for function in (policy_value, compare_policies, policy_value_curve):
        with pytest.warns(UserWarning, match="effective sample size of 0.0"):
            found = function([], [], [], [])
        assert np.all(np.isnan(found.value))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (0, "got 0"),
        ("logging", "got 'logging'"),
        (None, "got None"),
        (np.zeros((100, 2, 1)), r"the shape \(100, 2, 1\)"),
    ],
)
def test_targets_that_are_none(target, message):
    with pytest.raises(ValueError, match=message):
        policy_value(*GOOD, target)


def test_columns_need_sorted_labels():
    table = np.tile([0.25, 0.75], (100, 1))
    assert policy_value(*GOOD, table, labels=[0, 1]).value
    assert policy_value(*GOOD, [1] * 100, labels=[1, 0]).value == 1
    for labels in ([1, 0], [0, 0, 1]):
        with pytest.raises(ValueError, match="must be distinct and sorted"):
            policy_value(*GOOD, table, labels=labels)
        with pytest.raises(ValueError, match="propensity has a column for each"):
            policy_value(*GOOD[:2], table, [0] * 100, labels=labels)
        with pytest.raises(ValueError, match="predicted_reward has a column"):
            policy_value(
                *GOOD, [0] * 100, labels=labels, estimator="dr", predicted_reward=table
            )


# --- weights that sum to too little ---------------------------------------------------


def _drawn(rng, p):
    at = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1)
    at = np.minimum(at, p.shape[1] - 1)
    return at, rng.integers(0, 2, len(p)), p[np.arange(len(p)), at]


def test_correct_logs_raise_no_alarm(rng):
    """Five hundred logs, fixed and adaptive, with targets that they never tried."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*effective sample size")
        for run in range(500):
            n, K = int(rng.integers(50, 1500)), int(rng.integers(2, 8))
            p = rng.dirichlet(np.full(K, rng.uniform(0.2, 3)), n)
            if run % 2:  # the favourite changes by what was drawn so far
                p = np.full((n, K), 0.02)
                p[np.arange(n), np.sort(rng.integers(0, K, n))] += 1 - 0.02 * K
            p = 0.02 + (1 - 0.02 * K) * p
            action, reward, propensity = _drawn(rng, p / p.sum(axis=1, keepdims=True))
            target = rng.integers(0, K, n) if run % 3 else np.full(n, action[0])
            given = {"labels": np.arange(K), "interval": None}
            if len(np.unique(action)) == K:
                policy_value(action, reward, propensity, target, **given)


@pytest.mark.parametrize("factor", [1.6, 3.0])
def test_propensities_that_are_too_large_are_noticed(rng, factor):
    p = np.full((3000, 4), 0.25)
    action, reward, propensity = _drawn(rng, p)
    log = action, reward, factor * propensity
    with pytest.warns(UserWarning, match=r"sum to .* of the rows.*either the prop"):
        policy_value(*log, np.zeros(3000, int), interval=None)
    with pytest.warns(UserWarning, match=r"sum to .* of the rows"):
        compare_policies(*log, np.zeros(3000, int), interval=None)


def test_all_probabilities_tell_wrong_ones_from_rare_actions(rng):
    n = 4000
    target = np.zeros(n, int)
    p = np.where(np.arange(n)[:, None] % 2, [0.7, 0.3], [1e-7, 1 - 1e-7])
    action, reward, propensity = _drawn(rng, p)  # a sure log: half is never seen
    assert (propensity > 0.01).all()
    with pytest.warns(UserWarning, match=r"sum to 5\d% .*: in the others its actions"):
        policy_value(action, reward, p, target, interval=None)
    with pytest.warns(UserWarning, match=r"sum to 5\d% .*either"):
        policy_value(action, reward, propensity, target, interval=None)
    action, reward, _ = _drawn(rng, np.tile([0.3, 0.7], (n, 1)))
    wrong = np.tile([0.6, 0.4], (n, 1))
    with pytest.warns(UserWarning, match=r"rows, and should .*: the propensities are"):
        policy_value(action, reward, wrong, target, interval=None)


def test_what_was_never_logged_is_not_missed_twice(rng):
    action, reward, propensity = _drawn(rng, np.full((900, 3), 1 / 3))
    target = np.tile([0.4, 0.0, 0.0, 0.6], (900, 1))
    with pytest.warns(UserWarning, match=r"never logged, \[3\], in 60.0%") as caught:
        policy_value(
            action, reward, propensity, target, labels=[0, 1, 2, 3], interval=None
        )
    assert len(caught) == 1
