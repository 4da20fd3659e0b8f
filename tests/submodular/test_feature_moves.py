"""Columns that come and go, beside a fit from scratch."""

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer

from sklearn_ext.submodular import SubmodularFeatureSelector

X, Y = load_breast_cancer(return_X_y=True)
NAMES = [f"c{i}" for i in range(30)]


def same(model, expected):
    assert_array_equal(model.ranking_, expected.ranking_)
    assert_allclose(model.gains_, expected.gains_, rtol=1e-9)
    assert_allclose(model.relevance_, expected.relevance_, rtol=1e-9)
    ours, theirs = model.sufficient_statistics_, expected.sufficient_statistics_
    for name in ("n", "x_mean", "t_mean", "xx", "xt", "tt"):
        want = getattr(theirs, name)
        scale = np.max(np.abs(want), initial=0)
        assert_allclose(getattr(ours, name), want, rtol=1e-9, atol=1e-12 * scale)
    assert model.n_features_in_ == expected.n_features_in_
    assert model.groups_.tolist() == expected.groups_.tolist()


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("relevance", ["none", "f of labels", "f of numbers"])
def test_columns_come_and_go_as_in_a_fit_from_scratch(relevance, grouped):
    groups = [f"g{i // 3}" for i in range(30)] if grouped else None
    y = Y + X[:, 0] / 100 if relevance == "f of numbers" else Y
    kind = "none" if relevance == "none" else "f"

    def selector(columns):
        chosen = [groups[j] for j in columns] if grouped else None
        return SubmodularFeatureSelector(4, relevance=kind, groups=chosen)

    model = selector(range(20)).fit(X[:400, :20], y[:400])
    order = np.random.default_rng(0).permutation(400)  # rows in any order
    model.add_features(
        X[order, 20:28],
        X[order, :20],
        y[order],
        groups=groups[20:28] if grouped else None,
    )
    same(model, selector(range(28)).fit(X[:400, :28], y[:400]))
    model.forget_features([0, 27, 5])
    kept = [j for j in range(28) if j not in (0, 5, 27)]
    same(model, selector(kept).fit(X[:400][:, kept], y[:400]))
    model.partial_fit(X[400:][:, kept], y[400:])
    same(model, selector(kept).fit(X[:, kept], y))
    assert_array_equal(model.transform(X[:, kept]), X[:, kept][:, model.support_])


def test_names_follow():
    frame = pd.DataFrame(X, columns=NAMES)
    model = SubmodularFeatureSelector(5, relevance="f").fit(frame[NAMES[:10]], Y)
    model.add_features(frame[NAMES[10:20]], frame[NAMES[:10]], Y)
    model.forget_features(["c3", "c12"])
    model.add_features(
        X[:, 20:21],
        frame[[n for n in NAMES[:20] if n not in ("c3", "c12")]],
        Y,
        names=["c20"],
    )
    kept = [n for n in NAMES[:21] if n not in ("c3", "c12")]
    assert model.feature_names_in_.tolist() == kept
    expected = SubmodularFeatureSelector(5, relevance="f").fit(frame[kept], Y)
    assert_array_equal(model.get_feature_names_out(), expected.get_feature_names_out())
    assert model.feature_names_in_.dtype == expected.feature_names_in_.dtype
    model.partial_fit(frame[kept], Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame[NAMES], Y)


def test_initial_columns_keep_their_place():
    model = SubmodularFeatureSelector(3, initial=[7, 2]).fit(X)
    with pytest.raises(ValueError, match="column 7 is in initial"):
        model.forget_features([1, 7])
    model.forget_features([0, 1, 3])
    assert_array_equal(np.argsort(model.ranking_)[:2], [4, 0])
    kept = [j for j in range(30) if j not in (0, 1, 3)]
    expected = SubmodularFeatureSelector(3, initial=[4, 0]).fit(X[:, kept])
    assert_array_equal(model.ranking_, expected.ranking_)
    named = SubmodularFeatureSelector(3, initial=["c7"])
    named.fit(pd.DataFrame(X, columns=NAMES))
    with pytest.raises(ValueError, match="column 'c7' is in initial"):
        named.forget_features(["c7"])


def test_relevances_that_need_all_rows():
    def by_column(X, y):
        return np.abs(X).mean(axis=0)

    model = SubmodularFeatureSelector(3, relevance=by_column).fit(X[:, :8], Y)
    model.add_features(X[:, 8:], X[:, :8], Y)
    expected = SubmodularFeatureSelector(3, relevance=by_column).fit(X, Y)
    assert_allclose(model.relevance_, expected.relevance_)
    largest = int(model.relevance_.argmax())
    kept = [j for j in range(30) if j != largest]
    model.forget_features([largest])
    expected.fit(X[:, kept], Y)
    assert_allclose(model.relevance_, expected.relevance_)
    assert_array_equal(model.ranking_, expected.ranking_)


def test_nothing_to_forget_is_no_change():
    model = SubmodularFeatureSelector(3).fit(X)
    before = joblib.hash(model)
    assert joblib.hash(model.forget_features([])) == before


F = pd.DataFrame(X, columns=NAMES)
BAD = [
    (lambda m: m.add_features(X[:5, :1], X, Y), "inconsistent numbers of samples"),
    (lambda m: m.add_features(X[:5, :1], X[:5], Y[:5]), r"the 569 rows .* \(5 of them"),
    (lambda m: m.add_features(X[:, :1], X[::-1] + 1, Y), r"others \(569 of them\)"),
    (lambda m: m.add_features(X[:, :1], 2 * X - X.mean(axis=0), Y), "got others"),
    (lambda m: m.add_features(X[:, :1], X, 1 - Y), "X and y must be"),
    (lambda m: m.add_features(X[:, :1], X), "requires y"),
    (lambda m: m.add_features(X[:, :1], X[:, :9], Y), "9 features"),
    (lambda m: m.add_features(X[:, :1] * np.nan, X, Y), "Input X_new contains NaN"),
    (lambda m: m.add_features(F[["c1"]], X, Y), "fitted have no names"),
    (lambda m: m.add_features(X[:, :1], X, Y, groups=[1]), "exactly when the others"),
    (lambda m: m.forget_features([30]), "numbers from 0 to 29, got 30 to 30"),
    (lambda m: m.forget_features([1, 1]), "features holds a column twice"),
    (lambda m: m.forget_features(["c1"]), r"holds \['c1'\]"),
    (lambda m: m.forget_features(range(30)), "at least one must remain"),
    (lambda m: m.forget_features(3), "must be a list"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_calls_change_nothing(call, message):
    model = SubmodularFeatureSelector(3, relevance="f").fit(X, Y)
    before = joblib.hash(model)
    with pytest.raises(ValueError, match=message):
        call(model)
    assert joblib.hash(model) == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.add_features(X[:, :1], F), "new ones need some"),
        (lambda m: m.add_features(F[["c1"]], F), "two columns 'c1'"),
        (lambda m: m.add_features(X[:, :2], F, names=["a"]), "got 1 for 2 columns"),
        (lambda m: m.add_features(X[:, :2], F, names=["a", "a"]), "two columns 'a'"),
        (lambda m: m.forget_features(["c1", "d"]), r"holds \['d'\], .* other names"),
    ],
)
def test_bad_names_change_nothing(call, message):
    model = SubmodularFeatureSelector(3).fit(F)
    before = joblib.hash(model)
    with pytest.raises(ValueError, match=message):
        call(model)
    assert joblib.hash(model) == before
