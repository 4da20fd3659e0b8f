"""ProbeSearchCV: the same rows for all, whole rows in folds, honest words."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ext.probes import (
    LogisticProbe,
    NaiveBayesProbe,
    ProbeSearchCV,
    ProbeSearchDisplay,
    ShrinkageDiscriminantProbe,
)
from tests.probes.regimes._rivals import SEEN, Recorder


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def heads():
    return {
        "bayes": NaiveBayesProbe(),
        "discriminant": ShrinkageDiscriminantProbe(),
        "logistic": LogisticProbe(),
    }


def row_of(search, name):
    where = search.cv_results_["estimator"].tolist().index(name)
    return {column: values[where] for column, values in search.cv_results_.items()}


def noise(rng, n=200):
    return rng.normal(size=(n, 20)), np.where(np.arange(n) % 5 == 0, "yes", "no")


def test_measures_are_those_of_held_out_predictions(digits):
    X, y = digits
    folds = StratifiedKFold(4)
    search = ProbeSearchCV(heads(), cv=folds).fit(X, y)
    for name, head in heads().items():
        proba = cross_val_predict(head, X, y, cv=folds, method="predict_proba")
        found = row_of(search, name)
        assert found["error"] == pytest.approx(np.mean(proba.argmax(axis=1) != y))
        loss = -np.log(np.maximum(proba[np.arange(300), y], np.finfo(float).eps)).mean()
        assert found["log_loss"] == pytest.approx(loss)
        assert found["fit_time"] > 0
    errors = {name: row_of(search, name)["error"] for name in heads()}
    assert search.recommended_ == min(errors, key=errors.get)
    assert row_of(search, search.recommended_)["rank"] == 1
    assert row_of(search, "majority class")["rank"] == 4
    alone = heads()[search.recommended_].fit(X, y)
    assert_array_equal(search.predict(X), alone.predict(X))
    assert_allclose(search.predict_proba(X), alone.predict_proba(X))
    assert search.n_features_in_ == 64


def test_log_loss_decides_when_asked(digits):
    X, y = digits
    rivals = {
        name: NaiveBayesProbe(covariance="shared", temperature=temperature)
        for name, temperature in (("sure", 1.0), ("warm", "loo"))
    }
    by_error = ProbeSearchCV(rivals).fit(X, y)
    assert by_error.recommended_ == "sure"  # no prediction differs: the first
    assert by_error.level_ == ["sure", "warm"]
    by_loss = ProbeSearchCV(rivals, scoring="neg_log_loss").fit(X, y)
    assert by_loss.recommended_ == "warm"
    assert by_loss.level_ == ["warm"]
    assert row_of(by_loss, "sure")["behind"] > 0
    calibration = [row_of(by_loss, n)["calibration_error"] for n in ("warm", "sure")]
    assert calibration[0] < calibration[1]


def test_copies_in_a_table_of_anything_are_held_out_together(rng):
    """Columns of texts are told apart, too: no copy testifies for its twin."""
    names, y = rng.permutation(60).astype(str), np.arange(60) % 2
    table = pd.DataFrame({"name": names, "size": rng.normal(size=60)})
    twice = pd.concat([table, table], ignore_index=True)
    encoded = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticProbe())
    search = ProbeSearchCV(
        {"a": encoded, "b": clone(encoded).set_params(logisticprobe__C=9.0)}
    )
    search.fit(twice, np.r_[y, y])
    assert search.cv_results_["error"].min() > 0.3  # names foretell nothing
    order = rng.permutation(120)
    again = clone(search).fit(twice.iloc[order], np.r_[y, y][order])
    assert_allclose(again.cv_results_["error"], search.cv_results_["error"])


def test_rows_that_only_double_precision_tells_apart_are_distinct():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    for rows in (X + 1e9, X * 1e-60):
        search = ProbeSearchCV(heads()).fit(rows, y)
        assert search.cv_results_["error"][:2].max() < 0.05


def test_copies_are_held_out_together(rng):
    X = np.c_[np.arange(40.0), rng.normal(size=(40, 2))]
    y = np.arange(40) % 2
    twice = np.r_[np.arange(40), np.arange(40)]
    SEEN.clear()
    rivals = {"a": Recorder("a"), "b": Recorder("b")}
    ProbeSearchCV(rivals, cv=4).fit(X[twice], y[twice])
    fits = [s for s in SEEN if s[:2] == ("a", "fit")][:4]
    tests = [s for s in SEEN if s[:2] == ("a", "predict")]
    others = [s for s in SEEN if s[:2] == ("b", "predict")]
    for fit, test, other in zip(fits, tests, others, strict=True):
        assert not set(fit[2]) & set(test[2])
        assert len(test[2]) == 20
        assert_array_equal(np.bincount(fit[3]), [30, 30])  # class by class
        assert_array_equal(test[2], other[2])  # the same rows for all


def test_weights_are_repetition_and_order_is_nothing(digits, rng):
    X, y = digits
    w = rng.integers(0, 3, 300)
    rivals = {"bayes": NaiveBayesProbe(), "logistic": LogisticProbe(tol=1e-10)}
    weighted = ProbeSearchCV(rivals, cv=3).fit(X, y, w)
    rows = rng.permutation(np.repeat(np.arange(300), w))
    repeated = ProbeSearchCV(rivals, cv=3).fit(X[rows], y[rows])
    for name in ("error", "log_loss", "calibration_error", "behind", "behind_se"):
        found, expected = (s.cv_results_[name] for s in (weighted, repeated))
        assert_allclose(found, expected, rtol=1e-4, atol=1e-9)
    assert weighted.recommended_ == repeated.recommended_
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-5)


def test_the_majority_class_is_recommended_where_nothing_beats_it(rng):
    X, y = noise(rng)
    search = ProbeSearchCV(heads()).fit(X, y)
    assert search.recommended_ == "majority class"
    assert isinstance(search.estimator_, DummyClassifier)
    assert_array_equal(search.predict(X), "no")
    assert str(search.summary()).endswith("majority class; no head beats it")
    assert row_of(search, "majority class")["behind"] < 0
    with pytest.raises(ValueError, match="contains NaN"):
        search.predict(np.full((1, 20), np.nan))
    blind = {n: DummyClassifier(strategy="prior") for n in "ab"}
    assert ProbeSearchCV(blind).fit(X, y).recommended_ == "majority class"
    X[:, 0] += 0.8 * (y == "yes")
    search.fit(X, y)
    if search.recommended_ != "majority class":  # better, but by a few rows
        assert "not clearly above the majority class" in str(search.summary())


def test_default_heads_on_real_rows():
    X, y = load_wine(return_X_y=True)
    search = make_pipeline(StandardScaler(), ProbeSearchCV(cv=3)).fit(X, y)
    results = search[-1].cv_results_
    assert results["estimator"].tolist() == [
        "naive_bayes",
        "naive_bayes_class",
        "discriminant",
        "logistic",
        "neighbors",
        "majority class",
    ]
    assert (results["error"][:5] < 0.06).all()
    assert search.score(X, y) > 0.97
    again = make_pipeline(StandardScaler(), ProbeSearchCV(cv=3, n_jobs=2)).fit(X, y)
    for name in ("error", "log_loss", "behind_se"):
        assert_array_equal(again[-1].cv_results_[name], results[name])
    twin = pickle.loads(pickle.dumps(search))
    assert_allclose(twin.predict_proba(X), search.predict_proba(X))


def test_summary_says_who_is_level(digits):
    X, y = digits
    search = ProbeSearchCV({"slow": LogisticProbe(), **heads()}).fit(X, y)
    lines = str(search.summary()).splitlines()
    assert lines[1].split()[:3] == ["head", "error", "log-loss"]
    assert [line.split()[0] for line in lines[2:6]] == [*search.estimators][:4]
    assert lines[6].startswith("majority class")
    assert lines[-1].startswith(f"recommended: {search.recommended_}")
    assert "slow" in search.level_
    assert "logistic" in search.level_  # it is the same head
    assert ("; level with it: " in lines[-1]) == (len(search.level_) > 1)
    frame = search.results_frame()
    assert isinstance(frame, pd.DataFrame)
    assert_array_equal(frame["error"], search.cv_results_["error"])
    assert isinstance(search.results_frame("polars"), pl.DataFrame)
    with pytest.raises(ValueError, match="'pandas' or 'polars', got 'arrow'"):
        search.results_frame("arrow")


def test_texts_frames_and_sparse_rows(digits):
    X, y = digits
    frame = pd.DataFrame(X).add_prefix("p")
    two = {"bayes": NaiveBayesProbe(), "logistic": LogisticProbe()}
    dense = ProbeSearchCV(two).fit(X, y)
    for other in (frame, sparse.csr_array(X), X.tolist()):
        found = ProbeSearchCV(two).fit(other, y)
        assert_allclose(found.cv_results_["error"], dense.cv_results_["error"])
    named = ProbeSearchCV(two).fit(frame, y)
    assert_array_equal(named.feature_names_in_, frame.columns)
    colours = ["red", "green", "blue", "old", "new", "red", "green", "blue"]  # copies
    texts = [f"{colour} {what}" for colour in colours for what in ("apple", "car")]
    labels = ["fruit", "thing"] * 8
    steps = {n: make_pipeline(TfidfVectorizer(), head) for n, head in two.items()}
    model = ProbeSearchCV(steps, cv=2).fit(texts, labels)
    assert model.cv_results_["error"][0] == 0  # of new texts: copies stay together
    assert model.predict(["red car apple"]).shape == (1,)


def test_groups_and_routing(digits):
    X, y = digits
    groups = np.arange(300) // 3
    w = 1.0 + y % 2
    plain = ProbeSearchCV(heads(), cv=GroupKFold(3)).fit(X, y, w, groups)
    with config_context(enable_metadata_routing=True):
        cv = GroupKFold(3).set_split_request(groups=True)
        routed = ProbeSearchCV(heads(), cv=cv).fit(X, y, w, groups=groups)
        inner = ProbeSearchCV(heads(), cv=2).set_fit_request(sample_weight=True)
        inner.set_score_request(sample_weight=True)
        search = GridSearchCV(inner, {"scoring": ["accuracy", "neg_log_loss"]}, cv=2)
        search.fit(X, y, sample_weight=w)
    assert_allclose(routed.cv_results_["error"], plain.cv_results_["error"])
    assert search.best_score_ > 0.8


def test_splits_are_of_all_rows_also_those_without_weight(digits):
    X, y = digits
    w = np.arange(300) % 3
    folds = list(StratifiedKFold(3).split(X, y))
    found = ProbeSearchCV(heads(), cv=folds).fit(X, y, w)
    kept = np.flatnonzero(w)
    place = np.full(300, -1)
    place[kept] = np.arange(len(kept))
    inside = [[place[p][place[p] >= 0] for p in fold] for fold in folds]
    expected = ProbeSearchCV(heads(), cv=inside).fit(X[kept], y[kept], w[kept])
    assert_allclose(found.cv_results_["error"], expected.cv_results_["error"])


def test_a_rare_class_may_be_missing_from_training():
    rng = np.random.default_rng(0)
    y = np.r_[np.repeat([0, 1], 20), [2, 2]]
    X = rng.normal(size=(42, 3)) + 4 * y[:, None]
    search = ProbeSearchCV(heads(), cv=[(np.arange(40), [40, 41, 0, 20])]).fit(X, y)
    assert np.isfinite(search.cv_results_["log_loss"]).all()
    assert row_of(search, "discriminant")["error"] == pytest.approx(0.5)
    assert set(search.predict(X)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        ({"estimators": {"one": NaiveBayesProbe()}}, {}, "at least 2 estimators, got"),
        (
            {"estimators": {"a": LinearRegression(), "b": NaiveBayesProbe()}},
            {},
            r"estimators\['a'\] must be a classifier, got the regressor",
        ),
        (
            {
                "estimators": {"svc": LinearSVC(), "b": NaiveBayesProbe()},
                "scoring": "neg_log_loss",
            },
            {},
            r"needs probabilities, which \['svc'\] lack: take scoring='accuracy'",
        ),
        (
            {"estimators": {"k": KNeighborsClassifier(), "b": NaiveBayesProbe()}},
            {"sample_weight": np.ones(300)},
            r"estimators\['k'\], a KNeighborsClassifier, takes no sample_weight",
        ),
        ({}, {"y": np.zeros(300)}, "ProbeSearchCV needs at least two classes"),
        (
            {},
            {"y": np.r_[2, np.arange(299) % 2]},
            "Class 2.0 has 1 distinct row|Class 2",
        ),
        ({"cv": 1}, {}, "'cv' parameter"),
        ({"scoring": "roc_auc"}, {}, "'scoring' parameter"),
    ],
)
def test_refusals_leave_the_state(digits, params, change, message):
    X, y = digits
    search = ProbeSearchCV(heads(), cv=2).fit(X, y)
    before = dict(vars(search))
    with pytest.raises(ValueError, match=message):
        search.set_params(**params).fit(**{"X": X, "y": y, **change})
    for name, value in before.items():
        if name.endswith("_"):
            assert getattr(search, name) is value


def test_heads_without_probabilities_have_errors_only(digits):
    X, y = digits
    search = ProbeSearchCV({"svc": LinearSVC(), "bayes": NaiveBayesProbe()}, cv=2)
    search.fit(X, y)
    found = row_of(search, "svc")
    assert np.isnan(found["log_loss"])
    assert np.isnan(found["calibration_error"])
    assert found["error"] < 0.3
    assert hasattr(search, "decision_function")
    assert clone(search).estimators["svc"] is not search.estimators["svc"]


def test_display_draws_the_best_on_top(digits):
    X, y = digits
    search = ProbeSearchCV(heads(), cv=2).fit(X, y)
    display = ProbeSearchDisplay.from_estimator(search, name="digits")
    ranks = [row_of(search, name)["rank"] for name in display.names]
    assert ranks == sorted(ranks)
    errors = [row_of(search, name)["error"] for name in display.names]
    assert_allclose(display.errorbar_.lines[0].get_xdata(), errors)
    assert display.ax_.get_xlabel() == "held-out error"
    assert display.ax_.get_title() == "digits"
    assert_allclose(display.baseline_line_.get_xdata(), search.cv_results_["error"][-1])
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels[0].startswith(display.names[0])
    assert labels[0].endswith(" s")
    by_loss = search.set_params(scoring="neg_log_loss").fit(X, y)
    _, ax = plt.subplots()
    drawn = ProbeSearchDisplay.from_estimator(by_loss, ax=ax)
    assert drawn.ax_ is ax
    assert ax.get_xlabel() == "held-out log-loss"
    plt.close("all")
