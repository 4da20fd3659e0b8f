"""Members that are tuned narrow, trained wide, and leave rows out."""

import pickle
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import sklearn_ext
from tests._marks import CALLBACKS, POLARS

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

from sklearn_ext.networks import MuMLPClassifier, MuMLPRegressor  # noqa: E402
from sklearn_ext.networks import _mlp as mlp  # noqa: E402
from sklearn_ext.networks._preprocess import Bins  # noqa: E402
from sklearn_ext.networks._training._members import (  # noqa: E402
    Members,
    Plan,
    TrainingRows,
)
from sklearn_ext.networks._training._train_torch import Watch, train  # noqa: E402

SMALL = {"hidden_units": 24, "n_members": 4, "max_iter": 15, "random_state": 0}
FIXED = SMALL | {"learning_rate": 0.02}
BOTH = [MuMLPClassifier, MuMLPRegressor]


def table_of(cls, n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    signal = X[:, 0] * X[:, 1] + X[:, 2] + 0.3 * rng.normal(size=n)
    return X, np.array(["a", "b", "c"])[
        np.digitize(signal, [-0.5, 0.7])
    ] if cls is MuMLPClassifier else signal


def said(model, X):
    return (model.predict_proba if hasattr(model, "classes_") else model.predict)(X)


# --- it learns ------------------------------------------------------------------------


def test_wine_and_diabetes_out_of_the_box():
    X, y = load_wine(return_X_y=True)
    assert cross_val_score(MuMLPClassifier(random_state=0), X, y, cv=3).mean() > 0.93
    X, y = load_diabetes(return_X_y=True)
    model = MuMLPRegressor(random_state=0)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.42


@pytest.mark.parametrize("cls", BOTH)
def test_the_honest_score_is_that_of_fresh_rows(cls):
    X, y = table_of(cls, 1600)
    model = cls(random_state=0, n_members=5, max_iter=20).fit(X[:800], y[:800])
    assert abs(model.oob_score_ - model.score(X[800:], y[800:])) < 0.04
    assert model.oob_score_ > 0.7


def test_many_targets():
    X, y = table_of(MuMLPRegressor)
    Y = np.c_[y, 1e6 - 3e3 * y, np.full(len(y), 7.5)]
    model = MuMLPRegressor(**FIXED).fit(X, Y)
    found = model.predict(X)
    assert found.shape == model.oob_prediction_.shape == Y.shape
    assert model.member_predictions(X).shape == (4, len(X), 3)
    assert_array_equal(found[:, 2], 7.5)
    assert np.corrcoef(found[:, 1], Y[:, 1])[0, 1] > 0.8
    assert_allclose(model.member_predictions(X).mean(axis=0), found)


def test_members_and_their_mean():
    X, y = table_of(MuMLPClassifier)
    model = MuMLPClassifier(**FIXED).fit(X, y)
    members = model.member_predictions(X)
    assert members.shape == (4, len(X), 3)
    assert_allclose(members.sum(axis=2), 1)
    assert_allclose(members.mean(axis=0), model.predict_proba(X))
    assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))
    scores = model.decision_function(X)
    assert_allclose(scores.mean(axis=1), 0, atol=1e-12)
    assert_allclose(softmax(scores, axis=1), model.predict_proba(X))
    two = MuMLPClassifier(**FIXED).fit(X, y == "a")
    odds = two.decision_function(X)
    assert_allclose(1 / (1 + np.exp(-odds)), two.predict_proba(X)[:, 1])


# --- rows left out --------------------------------------------------------------------


@pytest.mark.parametrize("cls", BOTH)
def test_each_row_is_judged_by_the_member_that_left_it_out(cls):
    X, y = table_of(cls)
    model = cls(**FIXED, early_stopping=False).fit(X, y)
    members = model.member_predictions(X)
    found = getattr(model, "oob_decision_function_", None)
    found = model.oob_prediction_ if found is None else found
    gaps = np.abs(members - found).reshape(4, len(X), -1).max(axis=2)
    own = gaps.argmin(axis=0)
    assert_allclose(gaps.min(axis=0), 0, atol=1e-6)  # single against double precision
    assert_allclose(np.bincount(own), len(X) / 4, atol=2)


@pytest.mark.parametrize("cls", BOTH)
def test_nobody_leaves_rows_out(cls):
    X, y = table_of(cls)
    model = cls(**FIXED).fit(X, y)
    assert hasattr(model, "oob_score_")
    model.set_params(leave_out=None).fit(X, y)
    assert not [name for name in vars(model) if name.startswith("oob_")]
    assert model.n_iter_ == model.best_iter_ == 15
    assert model.stop_reason_ == "max_iter"


@pytest.mark.parametrize("cls", BOTH)
def test_one_member_leaves_a_tenth_out(cls):
    X, y = table_of(cls)
    model = cls(**(FIXED | {"n_members": 1, "max_iter": 60})).fit(X, y)
    found = getattr(model, "oob_decision_function_", None)
    found = model.oob_prediction_ if found is None else found
    known = np.isfinite(found.reshape(len(X), -1)).all(axis=1)
    assert known.sum() == 12
    assert model.score(X, y) > 0.3


def test_rare_classes_are_never_left_out():
    X, y = table_of(MuMLPClassifier)
    y = np.where(y == "c", "b", y).astype(object)
    y[:2] = "rare", "rarest"
    model = MuMLPClassifier(**FIXED).fit(X, y)
    known = np.isfinite(model.oob_decision_function_).all(axis=1)
    assert_array_equal(np.flatnonzero(~known), [0, 1])
    assert model.predict_proba(X).shape == (len(X), 4)


def test_bins_stay_where_they_help():
    X = np.random.default_rng(0).standard_normal((400, 3))
    waves = np.sin(6 * X[:, 0])
    slanted = np.tanh(X @ [1.0, 1.0, 1.0]) * np.tanh(X @ [1.0, -1.0, 1.0])
    for y, n_columns in ((waves, 3 + 3 * 16), (slanted, 3)):
        model = MuMLPRegressor(**(SMALL | {"learning_rate": "auto"})).fit(X, y)
        assert model.preprocessor_.n_features_out_ == n_columns
        assert model.weights_["weight_0"].shape[1] == n_columns
        assert_allclose(model.member_predictions(X).mean(0), model.predict(X))
    model = MuMLPRegressor(**FIXED, n_bins=5).fit(X, waves)
    assert model.preprocessor_.n_features_out_ == 3 + 3 * 5


def code_of(model):
    return model.preprocessor_.numeric, len(model.preprocessor_.bins.source) > 0


def test_few_rows_are_coded_as_plainly_as_they_may_be():
    rng = np.random.default_rng(0)
    X, noise = rng.standard_normal((600, 3)), rng.standard_normal(600)
    plane, waves = X @ [1.0, -2.0, 0.5] + noise, np.sin(6 * X[:, 0])
    model = MuMLPRegressor(**SMALL)
    few = slice(300)
    assert code_of(model.fit(X[few], plane[few])) == ("standard", False)
    assert code_of(model.fit(X[few], waves[few])) == ("quantile", True)
    assert code_of(model.fit(np.exp(3 * X[few]), plane[few])) == ("quantile", False)
    assert model.fit(X, plane).preprocessor_.numeric == "quantile"
    model.set_params(numeric="standard")
    assert model.fit(X, plane).preprocessor_.numeric == "standard"
    model.set_params(numeric="auto", learning_rate=0.02)  # no search that could tell
    assert code_of(model.fit(X[few], plane[few])) == ("quantile", True)


@pytest.mark.parametrize(
    ("n", "losses", "code"),
    [
        (100, [1.0, 0.96, 0.96], ("standard", False)),
        (100, [1.0, 0.94, 0.90], ("quantile", False)),
        (100, [1.0, 0.96, 0.94], ("quantile", True)),
        (100, [1.0, 0.94, 0.89], ("quantile", True)),
        (501, [1.0, 0.995], ("quantile", True)),
        (501, [1.0, 0.985], ("quantile", False)),
    ],
)
def test_codes_of_numbers_are_tried_in_turn(n, losses, code, monkeypatch):
    """Few rows: from the plainest on, each richer one by five per cent better."""
    X, y = table_of(MuMLPRegressor, n)
    found = iter(losses)

    def rate(self, table, *args):
        return 0.02, SimpleNamespace(least=next(found))

    monkeypatch.setattr(MuMLPRegressor, "_rate", rate)
    assert code_of(MuMLPRegressor(**SMALL).fit(X, y)) == code
    assert not list(found)


def test_a_code_that_diverges_leaves_the_choice_to_the_others():
    """One row outweighs all: the plainest code puts the others far away."""
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((120, 3)), np.ones(120)
    w[0] = 1e5
    model = MuMLPRegressor(random_state=0, max_iter=3, n_members=2)
    y = X @ [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="diverged at every learning rate"):
        clone(model).set_params(numeric="standard", n_bins=0).fit(X, y, w)
    assert code_of(model.fit(X, y, w))[0] == "quantile"


@pytest.mark.parametrize("cls", BOTH)
def test_few_rows_are_coded_alike_in_any_container(cls):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0] + rng.standard_normal(300)
    y = y > 0 if cls is MuMLPClassifier else y
    model = cls(**SMALL).fit(X, y)
    assert code_of(model) == ("standard", False)
    frame = pd.DataFrame(X, columns=list("abcd"))
    for rows in (X.astype(np.float32), 1e3 * X + 7, frame):
        other = clone(model).fit(rows, y)
        assert code_of(other) == code_of(model)
        assert other.learning_rate_ == model.learning_rate_
        assert_allclose(said(other, rows), said(model, X), rtol=1e-2, atol=1e-3)
    frame["e"] = np.where(X[:, 3] > 0, "up", "down")
    model.fit(frame, y)
    n_columns = model.preprocessor_.n_features_out_
    assert model.weights_["weight_0"].shape[1] == n_columns >= 6
    before = said(model, frame)
    model.set_params(numeric="robust", n_bins=4)  # of the next fit
    assert_array_equal(said(model, frame), before)


@pytest.mark.parametrize("cls", BOTH)
def test_the_best_epoch_is_kept(cls):
    X, y = table_of(cls, 400)
    y = np.random.default_rng(0).permutation(y)  # nothing to learn, much to remember
    model = cls(**(SMALL | {"max_iter": 60, "learning_rate": 0.03})).fit(X, y)
    losses = model.history_.oob_loss
    assert model.best_iter_ == np.argmin(losses) + 1 < model.n_iter_
    assert model.stop_reason_ == "patience"
    assert model.n_iter_ == model.best_iter_ + model.n_iter_no_change
    assert len(losses) == len(model.loss_curve_) == model.n_iter_
    for name in ("activation_rms", "logit_rms", "gradient_norm", "learning_rate"):
        assert (getattr(model.history_, name) > 0).all(), name


def test_a_member_among_others_is_a_net_trained_alone():
    """Rows left out, batches and rates of the others do not reach it."""
    rng = np.random.default_rng(0)
    n, k = 200, 4
    rows = TrainingRows(
        Z=rng.normal(size=(n, 3)).astype(np.float32),
        bins=Bins(3, np.empty(0, int), np.empty(0), np.empty(0)),
        target=rng.integers(0, 3, n),
        weight=np.ones(n),
        fold=np.arange(n) % k,
        order=np.arange(n),
        n_outputs=3,
    )
    plan = Plan(
        hidden_units=16,
        n_layers=2,
        residual=False,
        base_units=16,
        max_iter=4,
        batch_size=64,
        weight_decay=0.02,
        dropout=0.0,
        warmup=0.1,
        logit_penalty=0.01,
        keep_best=False,
        patience=9,
        device="cpu",
        seed=7,
    )
    rates, laziness = np.array([0.01, 0.05, 1e6, 0.1]), np.array([1.0, 8.0, 1.0, 0.5])
    members = Members(rates, np.arange(k), np.arange(10, 10 + k), laziness)
    together = train(rows, members, plan)
    assert_array_equal(together.diverged, [False, False, True, False])
    for j in (0, 1, 3):
        at = slice(j, j + 1)
        one = Members(rates[at], np.array([j]), np.array([10 + j]), laziness[at])
        alone = train(rows, one, plan)
        mine = rows.fold == j
        assert_allclose(
            together.outputs[mine], alone.outputs[mine], rtol=1e-4, atol=1e-4
        )
        assert np.isnan(alone.outputs[~mine]).all()
        # targets of rows left out do not matter
        other = replace(rows, target=np.where(mine, 0, rows.target))
        assert_array_equal(train(other, one, plan).outputs[mine], alone.outputs[mine])


# --- weights, order, copies -----------------------------------------------------------


@pytest.mark.parametrize("n", [60, 300])  # one batch, and three
@pytest.mark.parametrize("cls", BOTH)
def test_weights_are_repetition_and_order_is_nothing(cls, n):
    X, y = table_of(cls, n)
    w = np.random.default_rng(1).integers(0, 3, n)
    model = cls(**SMALL).fit(X, y, sample_weight=w)
    again = np.random.default_rng(2).permutation(np.repeat(np.arange(n), w))
    repeated = cls(**SMALL).fit(X[again], y[again])
    assert model.learning_rate_ == repeated.learning_rate_
    assert_allclose(said(repeated, X), said(model, X), rtol=1e-7)
    assert_allclose(repeated.oob_score_, model.oob_score_, rtol=1e-12)
    scaled = cls(**SMALL).fit(X, y, sample_weight=w * 1e300)
    assert_allclose(said(scaled, X), said(model, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls", BOTH)
def test_weights_that_cannot_be(cls):
    X, y = table_of(cls)
    with pytest.raises(ValueError, match="non-negative"):
        cls(**FIXED).fit(X, y, sample_weight=np.r_[-1, np.ones(len(X) - 1)])
    with pytest.raises(ValueError, match="at least one non-zero"):
        cls(**FIXED).fit(X, y, sample_weight=np.zeros(len(X)))


@pytest.mark.parametrize("cls", BOTH)
def test_one_row_of_nearly_all_the_weight(cls):
    X, y = table_of(cls)
    w = np.r_[1e300, np.ones(len(X) - 1)]
    model = cls(**SMALL).fit(X, y, sample_weight=w)
    assert np.isfinite(said(model, X)).all()


def test_class_weight():
    X, y = table_of(MuMLPClassifier)
    heavy, fixed = {"a": 30.0}, FIXED | {"numeric": "passthrough"}
    plain, tilted = (
        MuMLPClassifier(**fixed, class_weight=weight).fit(X, y)
        for weight in (None, heavy)
    )
    assert (tilted.predict(X) == "a").mean() > (plain.predict(X) == "a").mean()
    w = np.where(y == "a", 30.0, 1.0)
    same = MuMLPClassifier(**fixed).fit(X, y, sample_weight=w)
    assert_allclose(same.predict_proba(X), tilted.predict_proba(X), atol=1e-4)
    with pytest.raises(ValueError, match="'z', which is not one of the classes"):
        MuMLPClassifier(class_weight={"z": 2.0}).fit(X, y)


# --- rates ----------------------------------------------------------------------------


@pytest.mark.parametrize("cls", BOTH)
def test_a_diverging_rate_only_loses_the_vote(cls):
    X, y = table_of(cls, 300)
    rates = [0.001, 0.005, 0.02, 0.08, 0.3]
    one = cls(**SMALL, learning_rates=rates).fit(X, y)
    state = torch.get_rng_state()
    two = cls(**SMALL, learning_rates=[*rates, 1e6]).fit(X, y)
    assert_array_equal(torch.get_rng_state(), state)
    assert np.isinf(two.learning_rate_curve_.loss[-1]).all()
    assert one.learning_rate_ == two.learning_rate_
    assert_allclose(
        one.learning_rate_curve_.loss, two.learning_rate_curve_.loss[:-1], rtol=1e-4
    )
    assert_allclose(said(one, X), said(two, X))


def test_the_border_of_a_grid_is_told():
    X, y = table_of(MuMLPRegressor, 300)
    with pytest.warns(ConvergenceWarning, match="Widen"):
        MuMLPRegressor(**SMALL, learning_rates=[1e-5, 1e-4]).fit(X, y)


@pytest.mark.parametrize("cls", BOTH)
def test_divergence_is_an_error_that_leaves_the_state(cls):
    X, y = table_of(cls)
    model = cls(**FIXED).fit(X, y)
    before = said(model, X), model.learning_rate_
    model.set_params(learning_rate=1e6)
    with pytest.raises(
        ValueError, match=r"All 4 members diverged at .*=1e\+06, in epoch"
    ):
        model.fit(X, y)
    assert_array_equal(said(model, X), before[0])
    assert model.learning_rate_ == before[1]
    with pytest.raises(ValueError, match="diverged at every learning rate"):
        cls(**SMALL, learning_rates=[1e5, 1e6]).fit(X, y)


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0},
        {"learning_rate": np.nan},
        {"learning_rate": "best"},
        {"hidden_units": 0},
        {"n_layers": 0},
        {"n_members": 0},
        {"dropout": 1.0},
        {"batch_size": 0},
    ],
)
@pytest.mark.parametrize("cls", BOTH)
def test_parameters_are_checked(cls, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {cls.__name__}"):
        cls(**wrong).fit(*table_of(cls))


def test_plain_nets_that_are_deep_are_warned_of():
    X, y = table_of(MuMLPRegressor)
    with pytest.warns(UserWarning, match="n_layers=9 does not keep its learning rate"):
        MuMLPRegressor(**FIXED, n_layers=9, residual=False).fit(X, y)


@pytest.mark.parametrize("more", [{"n_layers": 4}, {"dropout": 0.2}, {"laziness": 8.0}])
@pytest.mark.parametrize("cls", BOTH)
def test_settings_that_change_the_net(cls, more):
    X, y = table_of(cls, 200)
    model = cls(**(FIXED | {"max_iter": 40}), **more).fit(X, y)
    assert model.score(X, y) > 0.6
    assert_array_equal(said(clone(model).fit(X, y), X), said(model, X))


# --- bad and odd tables ---------------------------------------------------------------


def test_one_class():
    X, _ = table_of(MuMLPClassifier)
    with pytest.raises(ValueError, match="at least two classes, got one class: 'a'"):
        MuMLPClassifier().fit(X, ["a"] * len(X))
    w, y = np.zeros((2, len(X)), dtype=int)
    w[0] = y[0] = 1
    with pytest.raises(ValueError, match="at least two classes, got one class: 1"):
        MuMLPClassifier().fit(X, y, sample_weight=w)


@pytest.mark.parametrize("cls", BOTH)
def test_columns_without_content(cls):
    X, y = table_of(cls)
    model = cls(**(FIXED | {"max_iter": 60})).fit(np.ones_like(X), y)
    found = said(model, np.ones_like(X))
    assert np.ptp(found.reshape(len(X), -1), axis=0).max() == 0
    assert_allclose(
        found[0], np.mean(y) if cls is MuMLPRegressor else found[0], atol=0.6
    )


def test_a_constant_target():
    X, _ = table_of(MuMLPRegressor)
    for value in (0.0, 3.7, 1e300):
        model = MuMLPRegressor(**FIXED).fit(X, np.full(len(X), value))
        assert_array_equal(model.predict(X), value)


@pytest.mark.parametrize(("scale", "middle"), [(1.0, 1e9), (1e300, 0.0)])
def test_single_precision_of_rows_is_not_that_of_targets(scale, middle):
    X, y = table_of(MuMLPRegressor)
    y = y / abs(y).max()
    model = MuMLPRegressor(**FIXED).fit(X.astype(np.float32), y * scale + middle)
    for found in (model.predict(X.astype(np.float32)), *model.member_predictions(X)):
        assert np.corrcoef((found - middle) / scale, y)[0, 1] > 0.7


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_targets_of_any_size(scale):
    X, y = table_of(MuMLPRegressor)
    one = MuMLPRegressor(**FIXED).fit(X, y)
    other = MuMLPRegressor(**FIXED).fit(X, y * scale)
    assert_allclose(other.predict(X) / scale, one.predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(pd.DataFrame, id="pandas"),
        pytest.param(pl.DataFrame, marks=POLARS, id="polars"),
    ],
)
def test_frames_with_categories_and_missing_values(library):
    X, y = table_of(MuMLPClassifier, 200)
    shop = np.array(["north", "south", "east"])[np.digitize(X[:, 3], [-0.5, 0.5])]
    X[::7, 0] = np.nan
    columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "shop": shop}
    frame = library(columns)
    model = MuMLPClassifier(**FIXED).fit(frame, y)
    assert_array_equal(model.feature_names_in_, list(columns))
    assert model.n_features_in_ == 4
    assert model.score(frame, y) > 0.6
    unseen = library({**columns, "shop": ["west"] * len(X)})
    assert np.isfinite(model.predict_proba(unseen)).all()
    with pytest.raises(ValueError, match="same order"):
        model.predict(library({name: columns[name] for name in reversed(columns)}))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(frame, y[:-1])
    with pytest.raises(ValueError, match="0 sample"):
        model.fit(frame[:0], y[:0])


def test_texts_that_spell_one_number_are_two_categories():
    X = pd.DataFrame({"code": ["01"] * 50 + ["1"] * 50})
    y = np.r_[np.zeros(60), np.ones(40)]
    model = MuMLPClassifier(**FIXED | {"leave_out": None, "max_iter": 60}).fit(X, y)
    assert_allclose(model.predict_proba(X[::99])[:, 1], [0, 0.8], atol=0.05)


def test_mixed_arrays_name_their_categories():
    X, y = table_of(MuMLPRegressor)
    mixed = X.astype(object)
    mixed[:, 3] = np.where(X[:, 3] > 0, "yes", "no")
    model = MuMLPRegressor(**FIXED, categorical_features=[3]).fit(mixed, y)
    assert model.score(mixed, y) > 0.5


def test_arrays_of_words_are_told_how_to_become_categories():
    X, y = table_of(MuMLPRegressor)
    words = np.where(X > 0, "yes", "no")
    for table in (words, words.astype(object)):
        with pytest.raises(ValueError, match="where categorical_features names them"):
            MuMLPRegressor(**FIXED).fit(table, y)
    model = MuMLPRegressor(**FIXED).fit(X, y)
    with pytest.raises(ValueError, match="where categorical_features names them"):
        model.predict(words)
    with pytest.raises(ValueError, match=r"could not convert string.*'(yes|no)'\)?$"):
        MuMLPRegressor(**FIXED).fit(X, words[:, 0])


def test_sparse_rows_pass_through():
    X, y = table_of(MuMLPRegressor)
    X = np.where(abs(X) > 0.5, X, 0)
    dense = MuMLPRegressor(**FIXED, numeric="passthrough").fit(X, y)
    thin = sparse.csr_array(X)
    model = MuMLPRegressor(**FIXED, numeric="passthrough").fit(thin, y)
    assert_allclose(model.predict(thin), dense.predict(X), rtol=1e-5, atol=1e-5)
    with pytest.raises(TypeError, match="numeric='passthrough'"):
        MuMLPRegressor(**FIXED).fit(thin, y)


def test_numbers_beyond_single_precision():
    X, y = table_of(MuMLPRegressor)
    with pytest.raises(ValueError, match="single precision cannot"):
        MuMLPRegressor(**FIXED, numeric="passthrough").fit(X * 1e200, y)
    MuMLPRegressor(**FIXED).fit(X * 1e200, y)
    with pytest.raises(ValueError, match=r"diverged at every .* as they are: scale X"):
        MuMLPRegressor(**SMALL, numeric="passthrough").fit(X * 1e5, y)


@pytest.mark.parametrize("numeric", ["quantile", "robust", "standard", "passthrough"])
@pytest.mark.parametrize("cls", BOTH)
def test_rows_as_far_away_as_numbers_go_have_predictions(cls, numeric):
    X, y = table_of(cls)
    for dtype in (np.float64, np.float32):
        far = np.where(abs(X) > 1, np.finfo(dtype).max / 2, X)
        model = cls(**FIXED, numeric=numeric).fit(X.astype(dtype), y)
        assert np.isfinite(said(model, far.astype(dtype))).all()


def test_devices_that_are_not_there():
    X, y = table_of(MuMLPRegressor)
    if torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(RuntimeError, match=r"not on this machine.*None"):
        MuMLPRegressor(device="cuda").fit(X, y)


# --- what clients do ------------------------------------------------------------------


@pytest.mark.parametrize("cls", BOTH)
def test_predictions_feel_nothing_but_the_fit(cls):
    X, y = table_of(cls)
    model = cls(**FIXED).fit(X, y)
    before = said(model, X)
    model.set_params(numeric="standard", categorical_features=[0], laziness=3.0)
    model.set_params(n_members=2, hidden_units=3)
    assert_array_equal(said(model, X), before)


@pytest.mark.parametrize("cls", BOTH)
def test_stored_models_load_without_torch(cls, tmp_path):
    X, y = table_of(cls)
    model = cls(**FIXED).fit(X, y)
    pickle_file, skops_file = tmp_path / "model.pickle", tmp_path / "model.skops"
    pickle_file.write_bytes(pickle.dumps(model))
    skops.io.dump(model, skops_file)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "said.npy", said(model, X))
    code = (
        "import pickle, sys, numpy as np\n"
        "class Absent:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name.partition('.')[0] in ('torch', 'skorch'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import skops.io, sklearn_ext\n"
        f"folder = {str(tmp_path)!r}\n"
        "X, said = (np.load(f'{folder}/{name}.npy') for name in ('X', 'said'))\n"
        "stored = open(f'{folder}/model.pickle', 'rb')\n"
        "trusted = sklearn_ext.trusted_types()\n"
        "for model in (pickle.load(stored), "
        "skops.io.load(f'{folder}/model.skops', trusted=trusted)):\n"
        "    call = getattr(model, 'predict_proba', model.predict)\n"
        "    np.testing.assert_allclose(call(X), said, rtol=1e-12)\n"
        "try:\n"
        "    model.fit(X, X[:, 0])\n"
        "except (ImportError, ValueError) as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if cls is MuMLPRegressor:
        assert "MuMLPRegressor needs torch: pip install" in done.stdout


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    "setting",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: config_context(transform_output="pandas"),
    ],
)
def test_settings_of_the_user_change_nothing(cls, setting):
    X, y = table_of(cls)
    X = pd.DataFrame(X, columns=list("abcd")).assign(a=np.where(X[:, 0] > 0, "p", "q"))
    expected = said(cls(**FIXED).fit(X, y), X)
    with setting():
        assert_array_equal(said(cls(**FIXED).fit(X, y), X), expected)


def test_before_the_fit():
    with pytest.raises(NotFittedError):
        MuMLPClassifier().predict(np.ones((2, 2)))


def test_grid_search_in_a_pipeline():
    X, y = table_of(MuMLPClassifier)
    pipe = make_pipeline(StandardScaler(), MuMLPClassifier(**FIXED))
    grid = {"mumlpclassifier__hidden_units": [4, 16]}
    found = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert found.best_score_ > 0.5


def test_weights_are_routed():
    X, y = table_of(MuMLPClassifier)
    w = np.random.default_rng(0).uniform(size=len(X))
    with config_context(enable_metadata_routing=True):
        model = MuMLPClassifier(**FIXED).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"hidden_units": [8]}, cv=KFold(2))
        search.fit(X, y, sample_weight=w)
    assert np.isfinite(search.best_score_)


class Follower:
    def __init__(self, stop_at=None):
        self.stop_at, self.ends = stop_at, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(
        self, estimator, context, *, X, y, metadata=None, fitted_estimator=None
    ):
        shape = said(fitted_estimator, X).shape
        self.ends.append((context.task_name, shape, metadata))
        return context.task_id + 1 == self.stop_at


@CALLBACKS
@pytest.mark.parametrize("cls", BOTH)
def test_callbacks_see_every_epoch_and_stop(cls):
    X, y = table_of(cls)
    w, watch = np.ones(len(X)), Follower(stop_at=5)
    model = cls(**FIXED).set_callbacks(watch).fit(X, y, sample_weight=w)
    assert [name for name, *_ in watch.ends] == ["epoch"] * 5 + ["fit"]
    assert {shape[0] for _, shape, _ in watch.ends} == {len(X)}
    assert watch.ends[0][2]["sample_weight"] is w
    assert model.n_iter_ == 5 == len(model.history_.oob_loss)
    assert model.stop_reason_ == "callback"


@pytest.mark.slow
@pytest.mark.parametrize("cls", BOTH)
def test_checks_of_scikit_learn_with_defaults(cls):
    check_estimator(cls())
    assert sklearn_ext


# --- features or a kernel -------------------------------------------------------------


def test_the_report_tells_a_kernel_from_features():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 10))
    smooth = np.sin(X[:, 0]) + rng.normal(size=400)
    rule = np.sign(X[:, 0] * X[:, 1]) + 0.1 * rng.normal(size=400)
    for d, y, needed in ((1, smooth, False), (10, rule, True)):
        model = MuMLPRegressor(random_state=0, kernel_report=True).fit(X[:, :d], y)
        assert (model.regime_ == "features needed") == needed
        gap, error = model.regime_gap_
        assert_allclose(gap, model.rich_score_ - model.lazy_score_)
        assert error > 0
        assert len(model.kernel_similarity_) == len(model.target_alignment_)
        assert len(model.kernel_similarity_) == model.n_iter_ + 1
        assert_allclose(model.kernel_similarity_[0], 1)
        assert model.target_alignment_[-1] > model.target_alignment_[0]
        assert model.weight_change_.keys() == {"weight_0", "weight_1", "weight_out"}
        assert min(model.weight_change_.values()) > 0
    assert not hasattr(model.set_params(kernel_report=False).fit(X, y), "regime_")


def test_large_tables_are_predicted_in_parts(monkeypatch):
    X, y = table_of(MuMLPClassifier)
    frame = pd.DataFrame(X).add_prefix("c")
    for rows in (X, X.tolist(), frame, pl.from_pandas(frame)):
        model = MuMLPClassifier(**FIXED).fit(rows, y)
        whole = model.predict_proba(rows)
        with monkeypatch.context() as patch:
            patch.setattr(mlp, "BLOCK", 50)
            assert_allclose(model.predict_proba(rows), whole, rtol=1e-12)
            again = MuMLPClassifier(**FIXED).fit(rows, y)
        assert_array_equal(again.weights_["weight_0"], model.weights_["weight_0"])


def test_outputs_that_explode_are_an_instability():
    X, y = table_of(MuMLPRegressor)
    model = MuMLPRegressor(**FIXED).fit(X, y)
    assert model.stop_reason_ != "instability"
    epochs = [{"logit_rms": r, "oob_loss": o} for r, o in ((1, 1), (1, 1), (2, 2))]
    watch = Watch.__new__(Watch)
    watch.plan = SimpleNamespace(warmup=0.05, max_iter=20)
    watch.training = SimpleNamespace(history=epochs)
    assert not watch._unstable()
    epochs[-1] = {"logit_rms": 11, "oob_loss": 2}
    assert watch._unstable()
    epochs[-1] = {"logit_rms": 11, "oob_loss": 0.9}
    assert not watch._unstable()


@pytest.mark.parametrize("cls", BOTH)
def test_members_that_do_not_train_are_told(cls):
    X, y = table_of(cls)
    idle = {"learning_rate": 1e-9, "max_iter": 100, "early_stopping": False}
    told = r"\d of 4 members did not train: at .* learning_rate='auto' finds one"
    with pytest.warns(ConvergenceWarning, match=told):
        cls(**(SMALL | idle)).fit(X, y)
    idle |= {"learning_rate": "auto", "learning_rates": [1e-9]}
    told = r"\d of 4 members did not train: at .* found no rate .* other learning_rates"
    with pytest.warns(ConvergenceWarning, match=told):
        cls(**(SMALL | idle)).fit(X, y)


@pytest.mark.parametrize("cls", BOTH)
def test_the_report_of_columns_without_content(cls):
    X, y = table_of(cls)
    model = cls(**FIXED, kernel_report=True).fit(np.ones_like(X), y)
    assert model.regime_ == "unclear"
    assert sorted(model.weight_change_) == ["weight_1", "weight_out"]


# --- members that explode -------------------------------------------------------------


@pytest.mark.parametrize("cls", BOTH)
def test_members_that_explode_are_left_out(cls, monkeypatch):
    X, y = table_of(cls)
    made = cls._members

    def uneven(self, rate, seed):
        rates = np.array([0.02, 1e6, 0.02, 1e6])
        return replace(made(self, rate, seed), rates=rates)

    monkeypatch.setattr(cls, "_members", uneven)
    with pytest.warns(ConvergenceWarning, match=r"2 of 4 members diverged at learning"):
        model = cls(**FIXED).fit(X, y)
    assert_array_equal(model.diverged_members_, [False, True, False, True])
    assert model.member_predictions(X).shape[0] == 2
    assert np.isfinite(said(model, X)).all()
    assert np.isfinite(model.oob_score_)
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("cls", BOTH)
def test_a_rate_that_is_too_large_at_full_width_is_halved(cls, monkeypatch):
    X, y = table_of(cls)
    real, calls = mlp._train, []

    def explode_once(rows, members, plan, report=None):
        training = real(rows, members, plan, report)
        if report is not None:
            calls.append(members.rates[0])
            training.diverged[0] = len(calls) == 1
        return training

    monkeypatch.setattr(mlp, "_train", explode_once)
    model = cls(**SMALL).fit(X, y)
    assert calls == [2 * model.learning_rate_, model.learning_rate_]
    assert not model.diverged_members_.any()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_search_does_not_know_the_width_that_it_is_for():
    """At width 64, too, where all rates are as they were asked for."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    options = {"n_members": 1, "max_iter": 1, "proxy_iter": 3, "random_state": 0}
    curves = [
        MuMLPClassifier(width, **options).fit(X, y).learning_rate_curve_
        for width in (48, 64)
    ]
    assert_allclose(curves[0].loss, curves[1].loss, rtol=1e-6)
