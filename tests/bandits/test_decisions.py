"""What all four bandits promise: copies of what they keep, settings of their fit."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.tree import DecisionTreeRegressor

from sklearn_ext.bandits import (
    AdversarialLinearBandit,
    NeuralBandit,
    RegressorBandit,
    RidgeBandit,
)
from sklearn_ext.bandits._rewards import RewardMoments

ABCD = list("abcd")
BANDITS = {
    "waves": RidgeBandit(ABCD, random_state=0),
    "columns": RidgeBandit(ABCD, feature_map=None),
    "refit": RegressorBandit(LinearRegression(), ABCD, random_state=0),
    "goes on": RegressorBandit(SGDRegressor(), ABCD, random_state=0),
    "several": RegressorBandit(None, ABCD, n_estimators=3, random_state=0),
    "adversarial": AdversarialLinearBandit(ABCD),
    "neural": NeuralBandit(ABCD, max_iter=3, random_state=0),
    "forgetful neural": NeuralBandit(ABCD, max_iter=3, replay=False, random_state=0),
}


@pytest.fixture(params=BANDITS)
def bandit(request):
    if "neural" in request.param:
        pytest.importorskip("skorch")
    return clone(BANDITS[request.param])


@pytest.fixture
def clicks():
    """Return rows of unit scale, actions, clicks and weights."""
    rng = np.random.default_rng(0)
    X, action = rng.normal(size=(120, 3)), rng.choice(ABCD, size=120)
    reward = (rng.normal(size=120) < X[:, 0] * (action < "c")).astype(float)
    return X, action, reward, rng.integers(1, 4, size=120).astype(float)


# --- what is kept is a copy -----------------------------------------------------------


@pytest.mark.parametrize("size", [1, 20])
def test_buffers_of_the_user_may_be_used_again(bandit, clicks, size):
    X, action, reward, w = (column[:60] for column in clicks)
    other = clone(bandit)
    buffers = [np.empty_like(column[:size]) for column in (X, action, reward, w)]
    for start in range(0, 60, size):
        rows = slice(start, start + size)
        for buffer, column in zip(buffers, (X, action, reward, w), strict=True):
            buffer[:] = column[rows]
        rows_now, y, r, weight = buffers
        bandit.partial_fit(rows_now, y, sample_weight=weight, reward=r)
        other.partial_fit(
            X[rows].copy(),
            action[rows].copy(),
            sample_weight=w[rows].copy(),
            reward=reward[rows].copy(),
        )
    assert_allclose(bandit.predict_proba(X), other.predict_proba(X), rtol=1e-9)


# --- settings are those of the fit ----------------------------------------------------

CHANGES = [
    {"exploration": "inverse_gap"},
    {"gamma": 1.0},
    {"width": 9.0},
    {"min_probability": 0.1},
    {"reward_range": (-7, 9)},
    {"learning_rate": 3.0},
    {"alpha": 1.0},
    {"n_estimators": 1},
    {"loss": "log_loss"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("small_loss", [False, True])
def test_settings_changed_after_a_fit_wait_for_the_next(
    bandit, clicks, change, small_loss
):
    X, action, reward, _ = clicks
    if not change.keys() <= bandit.get_params().keys():
        return
    if "exploration" in bandit.get_params():
        bandit.set_params(exploration="small_loss" if small_loss else "log_barrier")
    bandit.fit(X, action, reward=reward)
    p, f, gamma = bandit.predict_proba(X), bandit.decision_function(X), bandit.gamma_
    bandit.set_params(**change)
    assert_array_equal(bandit.predict_proba(X), p)
    assert_array_equal(bandit.decision_function(X), f)
    assert bandit.gamma_ == gamma


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (BANDITS["goes on"], {"n_estimators": 3}),
        (BANDITS["goes on"], {"update": "refit"}),
        (BANDITS["refit"], {"estimator": SGDRegressor()}),
        (BANDITS["neural"], {"perturbation": 0.1, "n_members": 2}),
        (BANDITS["neural"], {"hidden_units": 7}),
        (BANDITS["neural"], {"replay": False}),
        (BANDITS["forgetful neural"], {"replay": True}),
        (BANDITS["neural"], {"loss": "log_loss"}),
        (BANDITS["waves"], {"n_components": 3}),
        (BANDITS["waves"], {"feature_map": None}),
        (BANDITS["columns"], {"alpha": 2.0}),
    ],
    ids=str,
)
def test_a_stream_goes_on_after_settings_were_changed(model, change, clicks):
    X, action, reward, _ = clicks
    if isinstance(model, NeuralBandit):
        pytest.importorskip("skorch")
    model = clone(model).fit(X[:70], action[:70], reward=reward[:70])
    model.set_params(**change).partial_fit(X[70:], action[70:], reward=reward[70:])
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


# --- updates that fail ----------------------------------------------------------------


def test_a_failed_update_leaves_the_bandit_as_it_was(bandit, clicks):
    X, action, reward, _ = clicks
    for _ in range(2):  # before anything was learnt, and after
        before = pickle.dumps(vars(bandit))
        for changed in (
            {"reward": np.where(np.arange(120) == 7, np.nan, reward)},
            {"y": np.where(action == "a", "z", action)},
            {"propensity": np.zeros(120)},
            {"X": np.where(np.arange(120)[:, None] == 5, np.inf, X)},
            {"sample_weight": -np.ones(120)},
            {"sample_weight": np.zeros(120)},
            {"reward": list("x" * 120)},
        ):
            given = {"X": X, "y": action, "reward": reward, **changed}
            with pytest.raises(ValueError, match=r"\w"):
                bandit.partial_fit(**given)
            assert pickle.dumps(vars(bandit)) == before
        bandit.partial_fit(X, action, reward=reward)


# --- decisions ------------------------------------------------------------------------


def test_propensities_are_the_frequencies(bandit, clicks):
    X, action, reward, _ = clicks
    if "gamma" in bandit.get_params():
        bandit.set_params(gamma=5.0)
    bandit.fit(X, action, reward=reward)
    rows = np.repeat(X[:1], 4000, axis=0)
    for available in (None, ["a", "c", "d"]):
        made = bandit.decide(rows, available=available, random_state=3)
        p = made.probabilities[0]
        assert_allclose(made.probabilities.sum(axis=1), 1, rtol=1e-12)
        at = np.searchsorted(ABCD, made.action)
        assert_array_equal(made.propensity, made.probabilities[np.arange(4000), at])
        counts = np.bincount(at, minlength=4)
        assert not counts[p == 0].any()
        assert chisquare(counts[p > 0], 4000 * p[p > 0]).pvalue > 1e-4


@pytest.mark.parametrize(
    "labels",
    [
        [3, 1, 2, 7],
        [0.5, 1.5, 2.25, 9.75],
        ["mail", "phone", "a", "much longer than the others"],
        [np.int16(4), np.int16(2), np.int16(1), np.int16(8)],
        pd.Index(["w", "x", "y", "z"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["columns", "refit", "adversarial"])
def test_labels_of_every_kind(name, clicks, labels):
    X, action, reward, _ = clicks
    names, bandit = np.asarray(labels), clone(BANDITS[name])
    y, half = names[np.searchsorted(ABCD, action)], slice(0, 60)
    bandit.set_params(actions=labels).partial_fit(X, y, reward=reward)
    bandit.partial_fit(X[half], pd.Series(y[half]), reward=reward[half])
    bandit.partial_fit(X[half], y[half].tolist(), reward=reward[half])
    made = bandit.decide(X, random_state=0)
    assert_array_equal(bandit.classes_, np.unique(names))
    assert set(made.action.tolist()) <= set(names.tolist())
    made = bandit.decide(X, available=names[:2], random_state=0)
    assert set(made.action.tolist()) <= set(names[:2].tolist())


def test_two_labels_may_be_booleans(bandit, clicks):
    X, action, reward, _ = clicks
    bandit.set_params(actions=[True, False]).fit(X, action == "a", reward=reward)
    assert bandit.decide(X[:2], available=[True]).action.tolist() == [True, True]


def test_a_frame_of_what_is_available_is_read_by_its_names(bandit, clicks):
    X, action, reward, _ = clicks
    bandit.fit(X, action, reward=reward)
    allowed = {k: [k == "a", k in "ad"] for k in "dcba"}
    for frame in (pd.DataFrame(allowed), pl.DataFrame(allowed)):
        p = bandit.predict_proba(X[:2], available=frame)
        assert_array_equal(p > 0, [[1, 0, 0, 0], [1, 0, 0, 1]])
    with pytest.raises(ValueError, match=r"columns \['a', 'b'\].*'a', 'b', 'c', 'd'"):
        bandit.decide(X[:2], available=pd.DataFrame(allowed)[["a", "b"]])


def test_frames_are_read_by_their_names(bandit, clicks):
    X, action, reward, _ = clicks
    frame = pd.DataFrame(X, columns=["x", "y", "z"])
    bandit.fit(frame, action, reward=pd.Series(reward, index=range(120, 240)))
    p = bandit.predict_proba(frame)
    assert_allclose(clone(bandit).fit(X, action, reward=reward).predict_proba(X), p)
    for bad in (frame[["y", "x", "z"]], frame.rename(columns={"x": "q"})):
        with pytest.raises(ValueError, match="feature names"):
            bandit.decide(bad)
        with pytest.raises(ValueError, match="feature names"):
            bandit.partial_fit(bad, action, reward=reward)


# --- scores ---------------------------------------------------------------------------


def test_scores_check_the_log(bandit, clicks):
    X, action, reward, w = clicks
    bandit.fit(X, action, reward=reward)
    p = np.full(120, 0.25)
    for bad, message in (
        (np.full(120, np.nan), "NaN"),
        (-w, "non-negative"),
        (np.zeros(120), "non-zero"),
        (w[:3], r"\(3,\), expected"),
    ):
        with pytest.raises(ValueError, match=message):
            bandit.score(X, action, bad, reward=reward, propensity=p)
    with pytest.raises(ValueError, match="120 rows"):
        bandit.score(X, action[:5], reward=reward[:5], propensity=p[:5])
    with pytest.raises(ValueError, match=r"y holds \[0, 1\], .*\['a', 'b', 'c', 'd'\]"):
        bandit.score(X, np.arange(120) % 2, reward=reward, propensity=p)


# --- what is said ---------------------------------------------------------------------


def test_messages_show_plain_values(clicks):
    X, _, reward, _ = clicks
    y = np.arange(120) % 3
    model = RidgeBandit([0, 1, 2], feature_map=None).fit(X, y, reward=reward)
    other = RidgeBandit([0, 1], feature_map=None).fit(X, y % 2, reward=reward)
    for attempt in (
        lambda: model.partial_fit(X, y + 1, reward=reward),
        lambda: model.partial_fit(X, y, classes=np.arange(4), reward=reward),
        lambda: model.add_actions([2, 3]),
        lambda: model.drop_actions(np.array([0, 1])),
        lambda: model.drop_actions(np.array([9])),
        lambda: model.merge(other),
        lambda: model.decide(X, available=np.array([7])),
        lambda: RidgeBandit(np.array([1, 1])).fit(X, y, reward=reward),
        lambda: RidgeBandit(np.array([1])).fit(X, y, reward=reward),
    ):
        with pytest.raises(ValueError, match=r"\[\d") as caught:
            attempt()
        assert "np." not in str(caught.value)


@pytest.mark.parametrize("actions", [[np.nan, 1.0], [None, "a"], [["a"], ["b"]]])
def test_actions_that_cannot_be_labels(clicks, actions):
    X, _, reward, _ = clicks
    with pytest.raises(ValueError, match="actions"):
        RidgeBandit(actions).fit(X, ["a"] * 120, reward=reward)
    with pytest.raises(ValueError, match="actions"):
        RidgeBandit(actions).decide(X)


# --- rows by which nothing was standardised yet ---------------------------------------


@pytest.mark.parametrize("name", ["waves", "columns", "adversarial", "neural"])
def test_the_first_row_does_not_decide_about_units(name, clicks):
    X, action, reward, _ = clicks
    if name == "neural":
        pytest.importorskip("skorch")
    said = []
    for unit in (np.ones(3), np.array([1e3, 1e-3, 1e8])):
        model = clone(BANDITS[name])
        for start in range(0, 60, 4):
            rows = slice(start, start + 4)
            model.partial_fit(X[rows] * unit, action[rows], reward=reward[rows])
        said.append(model.decision_function(X * unit))
    assert_allclose(said[1], said[0], rtol=1e-5, atol=1e-6 * abs(said[0]).max())


def test_a_tree_of_one_row_an_action(clicks):
    X, _, reward, _ = clicks
    model = RegressorBandit(DecisionTreeRegressor(), ABCD, random_state=0)
    model.fit(X[:1], ["a"], reward=reward[:1])
    assert_allclose(model.predict_proba(X), 0.25)


# --- weights are repeated rows --------------------------------------------------------


@pytest.mark.parametrize("name", ["waves", "columns", "refit", "adversarial"])
def test_a_stream_of_weights_is_one_of_repeated_rows(name, clicks):
    X, action, reward, w = clicks
    one, two = clone(BANDITS[name]), clone(BANDITS[name])
    if name == "adversarial":
        one.set_params(n_reference=50)
        two.set_params(n_reference=50)
    for rows in np.array_split(np.arange(120), 9):
        one.partial_fit(X[rows], action[rows], None, w[rows], reward=reward[rows])
        times = np.repeat(rows, w[rows].astype(int))
        two.partial_fit(X[times], action[times], reward=reward[times])
    assert_allclose(two.predict_proba(X), one.predict_proba(X), rtol=1e-6)


# --- rows that nobody can judge -------------------------------------------------------


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_rows_beyond_all_numbers_are_refused(clicks):
    X, action, reward, _ = clicks
    model = clone(BANDITS["columns"]).fit(X, action, reward=reward)
    for rows in (np.full((1, 3), 1e300), np.vstack([X[:4], np.full((1, 3), 1e300)])):
        with pytest.raises(ValueError, match=rf"row {len(rows) - 1} .*too far"):
            model.decide(rows)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_row_that_fails_half_way_changes_nothing(rng, monkeypatch, error):
    """Single rows are learnt outside of the context of a fit, and undone as there."""
    X, action, reward = rng.normal(size=(60, 3)), np.arange(60) % 3, rng.random(60)
    bandit = RidgeBandit(feature_map=None).fit(X, action, reward=reward)
    bandit.partial_fit(X[:1], action[:1], reward=reward[:1])
    bandit.set_params(min_probability=0.1)
    before, row = joblib.hash(vars(bandit)), (X[1:2], action[1:2])

    def fail(*args):
        raise error("half way")

    with pytest.raises(ValueError, match="not among the actions"):
        bandit.partial_fit(X[1:2], np.array([7]), reward=reward[1:2])
    assert joblib.hash(vars(bandit)) == before
    with monkeypatch.context() as patched:
        patched.setattr(RewardMoments, "after_row", fail)
        with pytest.raises(error, match="half way"):
            bandit.partial_fit(*row, reward=reward[1:2])
    assert joblib.hash(vars(bandit)) == before
    bandit.partial_fit(*row, reward=reward[1:2])
    assert joblib.hash(vars(bandit)) != before
