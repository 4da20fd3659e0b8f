"""The selector of columns: greedy's choice, sums, relevances, groups."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest, f_classif, r_regression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_ext.submodular import SubmodularFeatureSelector


def brute_force(C, r, k, trade_off):
    """Return greedy's choice, column after column, from the definition."""
    chosen = []
    for _ in range(k):
        values = [
            (1 - trade_off) * C[[*chosen, j]].max(axis=0).mean()
            + trade_off * r[[*chosen, j]].sum() / k
            if j not in chosen
            else -1
            for j in range(len(C))
        ]
        chosen.append(int(np.argmax(values)))
    return chosen


@pytest.mark.parametrize("relevance", ["none", "f"])
def test_columns_are_greedys(relevance):
    X, y = load_breast_cancer(return_X_y=True)
    selector = SubmodularFeatureSelector(5, relevance=relevance).fit(X, y)
    F, _ = f_classif(X, y)
    explained = F / (F + len(y) - 2)
    t = 0.5 if relevance == "f" else 0
    expected = brute_force(abs(np.corrcoef(X.T)), explained, 5, t)
    assert_array_equal(np.argsort(selector.ranking_)[:5][:5], expected)
    assert_array_equal(np.flatnonzero(selector.support_), np.sort(expected))
    assert_array_equal(selector.transform(X), X[:, np.sort(expected)])
    if relevance == "f":
        assert_allclose(selector.relevance_, explained, rtol=1e-9)


def test_copies_are_not_selected(rng):
    X = rng.normal(size=(100, 4))
    y = X[:, 0] + 0.1 * rng.normal(size=100)
    X = np.column_stack([X, X[:, 0], np.ones(100)])
    selector = SubmodularFeatureSelector(4, relevance="f", trade_off=0.2).fit(X, y)
    assert selector.support_[[0, 4]].sum() == 1
    assert not selector.support_[5]
    assert_allclose(selector.relevance_[:5], r_regression(X[:, :5], y) ** 2)
    only = SubmodularFeatureSelector(2).fit(np.ones((5, 3)))
    assert_array_equal(only.support_, [True, False, False])


def test_blocks_equal_one_fit(rng):
    X = rng.normal(size=(90, 6)) + 100
    y = (X @ np.arange(6.0)) + rng.normal(size=90)
    whole = SubmodularFeatureSelector(3, relevance="f").fit(X, y)
    parts = [(X[i::3], y[i::3]) for i in range(3)]
    blocks = SubmodularFeatureSelector(3, relevance="f").fit_blocks(parts)
    stream = SubmodularFeatureSelector(3, relevance="f")
    labels = SubmodularFeatureSelector(3, relevance="f")
    kinds = np.where(y > np.median(y), "high", "low")
    for i in range(3):
        stream.partial_fit(*parts[i])
        labels.partial_fit(X[i::3], kinds[i::3], classes=["low", "high"])
    for model in (blocks, stream):
        assert_array_equal(model.ranking_, whole.ranking_)
        assert_allclose(model.relevance_, whole.relevance_)
        assert_allclose(model.gains_, whole.gains_)
    expected = SubmodularFeatureSelector(3, relevance="f").fit(X, kinds)
    assert_allclose(labels.relevance_, expected.relevance_)
    with pytest.raises(ValueError, match="not among the classes"):
        labels.partial_fit(X[:2], ["low", "none"])


def test_other_relevances_initial_and_shares():
    X, y = load_breast_cancer(return_X_y=True)
    model = SubmodularFeatureSelector(0.1, relevance="mutual_info").fit(X, y)
    assert model.support_.sum() == 3
    assert model.relevance_.max() == 1
    scored = SubmodularFeatureSelector(
        1, relevance=lambda X, y: np.arange(30), trade_off=1
    )
    assert np.flatnonzero(scored.fit(X, y).support_) == [29]
    with pytest.raises(ValueError, match="initial must be column numbers"):
        SubmodularFeatureSelector(3, initial=[99]).fit(X)
    first = SubmodularFeatureSelector(3, initial=[7, 2]).fit(X)
    assert_array_equal(np.argsort(first.ranking_)[:2], [7, 2])
    with pytest.raises(ValueError, match="needs all rows at once"):
        SubmodularFeatureSelector(relevance="mutual_info").partial_fit(X, y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        SubmodularFeatureSelector(relevance="f").fit(X)
    with pytest.raises(ValueError, match="30 non-negative numbers"):
        SubmodularFeatureSelector(relevance=lambda X, y: [1.0]).fit(X, y)
    with pytest.raises(ValueError, match="takes no weights"):
        SubmodularFeatureSelector().fit_blocks([(X, None, np.ones(len(X)))])


def test_fewer_copies_help_a_classifier():
    X, y = load_breast_cancer(return_X_y=True)
    X = np.column_stack([X, X, X])
    accuracies = []
    for step in (SubmodularFeatureSelector(4, relevance="f"), SelectKBest(k=4)):
        model = make_pipeline(step, LogisticRegression(max_iter=5000))
        accuracies.append(model.fit(X[::2], y[::2]).score(X[1::2], y[1::2]))
    assert accuracies[0] > accuracies[1]


# groups


def grouped_brute_force(C, r, groups, k, trade_off):
    """Return greedy's choice of groups from the definition, and what each adds."""
    labels = list(dict.fromkeys(groups))
    members = {g: [j for j, h in enumerate(groups) if h == g] for g in labels}

    def value(chosen):
        columns = [j for g in chosen for j in members[g]]
        if not columns:
            return 0.0
        near = C[columns].max(axis=0)
        near = np.mean([near[members[g]].mean() for g in labels])
        told = sum(max(r[members[g]]) for g in chosen) / k
        return (1 - trade_off) * near + trade_off * told

    chosen, values = [], [0.0]
    for _ in range(k):
        left = [g for g in labels if g not in chosen]
        chosen.append(max(left, key=lambda g: value([*chosen, g])))
        values.append(value(chosen))
    return chosen, np.diff(values)


@pytest.mark.parametrize("kind", [int, str, tuple])
def test_groups_are_greedys(kind, rng):
    X, y = load_breast_cancer(return_X_y=True)
    numbers = rng.integers(0, 9, 30)
    groups = [(int(g), "g") if kind is tuple else kind(g) for g in numbers]
    model = SubmodularFeatureSelector(4, relevance="f", trade_off=0.3, groups=groups)
    model.fit(X, y)
    F, _ = f_classif(X, y)
    C, r = abs(np.corrcoef(X.T)), F / (F + len(y) - 2)
    chosen, gains = grouped_brute_force(C, r, groups, 4, 0.3)
    for rank, group in enumerate(chosen, 1):
        members = [g == group for g in groups]
        assert_array_equal(model.ranking_ == rank, members)
    assert_allclose(model.gains_, gains, atol=1e-12)
    assert_array_equal(model.support_, [g in chosen for g in groups])
    assert model.groups_.tolist() == groups


def test_groups_of_one_column_change_nothing():
    X, y = load_breast_cancer(return_X_y=True)
    plain = SubmodularFeatureSelector(6, relevance="f").fit(X, y)
    alone = SubmodularFeatureSelector(6, relevance="f", groups=range(30)).fit(X, y)
    assert_array_equal(alone.ranking_, plain.ranking_)
    assert_allclose(alone.gains_, plain.gains_, rtol=1e-12)


def test_indicators_of_one_variable_go_together(rng):
    table = pd.DataFrame(
        {"colour": rng.choice(list("abcde"), 200), "kind": rng.choice(list("xy"), 200)}
    )
    encoder = OneHotEncoder(sparse_output=False).set_output(transform="pandas")
    X = encoder.fit_transform(table)
    X["size"] = rng.normal(size=200)
    y = (table["colour"] == "b").astype(float) + 0.01 * rng.normal(size=200)
    variable = [name.split("_")[0] for name in X.columns]
    model = SubmodularFeatureSelector(1, relevance="f", trade_off=0.9, groups=variable)
    names = model.fit(X, y).get_feature_names_out()
    assert names.tolist() == [f"colour_{c}" for c in "abcde"]
    share = SubmodularFeatureSelector(0.67, groups=variable).fit(X)
    assert len(set(np.array(variable)[share.support_])) == 2
    first = SubmodularFeatureSelector(
        1, groups=variable, initial=["kind_y", "kind_x"]
    ).fit(X)
    assert first.get_feature_names_out().tolist() == ["kind_x", "kind_y"]
    assert first.gains_.shape == (1,)


def test_groups_stay_through_blocks(rng):
    X = rng.normal(size=(60, 6))
    groups = list("aabbcc")
    whole = SubmodularFeatureSelector(2, groups=groups).fit(X)
    stream = SubmodularFeatureSelector(2, groups=groups)
    stream.partial_fit(X[:20]).partial_fit(X[20:])
    blocks = SubmodularFeatureSelector(2, groups=groups)
    blocks.fit_blocks([(X[:20],), (X[20:],)])
    for model in (stream, blocks):
        assert_array_equal(model.ranking_, whole.ranking_)
        assert_allclose(model.gains_, whole.gains_)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"groups": ["a", "b"]}, "one label a column: got 2 for 4 columns"),
        ({"groups": [[1], 2, 3, 4]}, r"hashable, such as .*, got \[1\]"),
        ({"initial": ["a"]}, r"holds \['a'\], but the columns .* have no names"),
        ({"initial": [1, 1]}, "initial holds a column twice"),
    ],
)
def test_bad_groups_and_initial(params, message, rng):
    X = rng.normal(size=(9, 4))
    with pytest.raises(ValueError, match=message):
        SubmodularFeatureSelector(2, **params).fit(X)
