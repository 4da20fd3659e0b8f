"""The sampler and the selector of columns."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.feature_selection import SelectKBest, f_classif, r_regression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ext.submodular import (
    FacilityLocation,
    SubmodularFeatureSelector,
    SubmodularSampler,
    maximize,
)


def test_sampler_returns_rows_in_their_container(rng):
    X = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    y = pd.Series(np.repeat(["x", "y"], [30, 10]))
    sampler = SubmodularSampler(8, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    expected = maximize(FacilityLocation(), X.to_numpy(), 8).indices
    assert_array_equal(sampler.sample_indices_, expected)
    assert_array_equal(X_new, X.iloc[expected])
    assert y_new.tolist() == y.iloc[expected].tolist()
    thin, nothing = sampler.fit_resample(sparse.csr_array(X.to_numpy()))
    assert sparse.issparse(thin)
    assert nothing is None


@pytest.mark.parametrize(
    ("strategy", "counts"),
    [
        ("per_class", [6, 2]),
        ("equal", [4, 4]),
        ({"x": 3}, [3, 0]),
        ({"y": 99}, [0, 10]),
    ],
)
def test_shares_of_the_classes(strategy, counts, rng):
    X, y = rng.normal(size=(40, 2)), np.repeat(["x", "y"], [30, 10])
    sampler = SubmodularSampler(8, sampling_strategy=strategy)
    _, kept = sampler.fit_resample(X, y)
    assert [(kept == c).sum() for c in "xy"] == counts


def test_share_of_rows_and_errors(rng):
    X = rng.normal(size=(40, 2))
    assert len(SubmodularSampler(0.25).fit(X).sample_indices_) == 10
    with pytest.raises(ValueError, match="sampling_strategy='equal' needs y"):
        SubmodularSampler(sampling_strategy="equal").fit(X)
    with pytest.raises(ValueError, match=r"names \['z'\], which are no classes"):
        SubmodularSampler(sampling_strategy={"z": 1}).fit(X, ["a"] * 40)
    with pytest.raises(ValueError, match="0 or more, for each class, got -1"):
        SubmodularSampler(sampling_strategy={"a": -1}).fit(X, ["a"] * 40)
    with pytest.raises(ValueError, match="inconsistent"):
        SubmodularSampler().fit(X, [1, 2])


def test_representative_rows_teach_more_than_random_ones():
    X, y = load_digits(return_X_y=True)
    train, test = slice(0, 1200), slice(1200, None)
    model = LogisticRegression(max_iter=1000)
    sampler = SubmodularSampler(40, random_state=0)
    ours = model.fit(*sampler.fit_resample(X[train], y[train])).score(X[test], y[test])
    scores = []
    for seed in range(5):
        rows = np.random.default_rng(seed).choice(1200, 40, replace=False)
        scores.append(model.fit(X[rows], y[rows]).score(X[test], y[test]))
    assert ours > np.mean(scores)


def test_imbalanced_learn_takes_the_sampler():
    pipeline = pytest.importorskip("imblearn.pipeline")
    X, y = load_digits(return_X_y=True)
    model = pipeline.make_pipeline(SubmodularSampler(60), LogisticRegression())
    assert model.fit(X, y).predict(X).shape == y.shape


# columns


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
    with pytest.raises(ValueError, match="not among classes"):
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
