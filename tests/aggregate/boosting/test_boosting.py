"""Boosted trees with joint leaves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_friedman1

from sklearn_ext.aggregate import (
    AggregateBoostingRegressor,
    BagRegressor,
    InterpolatingAggregateRegressor,
)
from sklearn_ext.aggregate._bags._partition import Bags
from sklearn_ext.aggregate._boosting._trees import Bins, grow, leaves


@pytest.fixture
def linear(rng):
    X, bags = rng.normal(size=(150, 4)), np.arange(150) // 3
    return X, X @ [1.0, -1.0, 2.0, 0.0] + rng.normal(size=150), bags


def slow_tree(X, residuals, weights, *, depth, least, l2):
    """Leaf of each row, growing by trying every cut."""
    leaf = np.zeros(len(X), dtype=int)
    for _ in range(depth):
        new = 2 * leaf
        for node in np.unique(leaf):
            rows = leaf == node
            best, right = 1e-9, None

            def part(mask):
                moment = weights[mask] @ residuals[mask]
                return moment**2 / (weights[mask].sum() + l2)

            for x in X.T:
                for cut in np.unique(x[rows])[:-1]:
                    low, high = rows & (x <= cut), rows & (x > cut)
                    if min(weights[low].sum(), weights[high].sum()) < least:
                        continue
                    gain = part(low) + part(high) - part(rows)
                    if gain > best * (1 + 1e-9):
                        best, right = gain, high
            if right is not None:
                new[right] += 1
        leaf = new
    return leaf


def test_trees_match_a_slow_search(rng):
    X = rng.normal(size=(60, 3)).round(1)
    g, w = rng.normal(size=60), rng.uniform(0.5, 2, 60)
    bins = Bins.of(X, w, 255)
    params = {"depth": 3, "least": 4.0, "l2": 0.7}
    tree, leaf = grow(bins.flat(X), g, w, bins, **params)
    np.testing.assert_array_equal(leaf, slow_tree(X, g, w, **params))
    np.testing.assert_array_equal(leaf, leaves(X, tree.feature, tree.threshold))


def test_trees_on_some_rows_and_few_bins(rng):
    X, g = rng.normal(size=(400, 2)), rng.normal(size=400)
    bins = Bins.of(X, np.ones(400), 16)
    assert bins.width == 16
    counts = np.bincount(np.searchsorted(bins.edges[0], X[:, 0]))
    assert counts.max() - counts.min() <= 2  # quantiles
    rows = np.arange(0, 400, 3)
    params = {"depth": 3, "least": 5, "l2": 1.0}
    tree, leaf = grow(bins.flat(X), g, np.ones(400), bins, rows=rows, **params)
    few = Bins(bins.edges)
    alone, _ = grow(few.flat(X[rows]), g[rows], np.ones(len(rows)), few, **params)
    np.testing.assert_array_equal(tree.threshold, alone.threshold)
    np.testing.assert_array_equal(leaf, leaves(X, tree.feature, tree.threshold))


@pytest.mark.parametrize("seed", range(20))
def test_equal_splits_are_not_told_apart_by_rounding(seed):
    """A column and its mirror image split alike; sums run the other way round."""
    rng = np.random.default_rng(seed)
    x, g, w = rng.normal(size=200), rng.normal(size=200), rng.uniform(0.5, 2, 200)
    X = np.c_[x, -x, np.exp(x), -x]
    bins = Bins.of(X, w, 255)
    tree, _ = grow(bins.flat(X), g, w, bins, depth=4, least=2.0, l2=0.5)
    assert (tree.feature[np.isfinite(tree.threshold)] == 0).all()


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_first_tree_has_the_jointly_best_leaves(rng, rho):
    X, bags = rng.normal(size=(200, 3)), rng.integers(0, 50, 200)
    y, w = X[:, 0] + rng.normal(size=200), rng.uniform(0.5, 2, 200)
    model = AggregateBoostingRegressor(
        rho, n_estimators=1, learning_rate=1.0, l2_regularization=0.5
    ).fit(X, y, bags=bags, sample_weight=w)
    leaf = leaves(X, model.features_[0], model.thresholds_[0])
    onehot = (leaf[:, None] == np.unique(leaf)).astype(float)
    exact = InterpolatingAggregateRegressor(rho, 0.5, fit_intercept=False)
    exact.fit(onehot, y - model.baseline_, bags=bags, sample_weight=w)
    assert_allclose(
        model.predict(X) - model.baseline_, onehot @ exact.coef_, rtol=1e-5, atol=1e-7
    )


def test_boosting_lowers_the_training_loss(linear):
    X, y, bags = linear
    model = AggregateBoostingRegressor(0.0, n_estimators=50).fit(X, y, bags=bags)
    assert (np.diff(model.train_score_) <= 1e-12).all()
    gaps = Bags.of(bags, 150).means(y - model.predict(X))
    assert_allclose(model.train_score_[-1], np.mean(gaps**2))


def test_boosting_stops_early_by_bags():
    X, y = make_friedman1(900, noise=1.0, random_state=0)
    bags = np.random.default_rng(0).permutation(900) // 3
    model = AggregateBoostingRegressor(
        early_stopping=True, n_iter_no_change=3, random_state=0, learning_rate=0.5
    ).fit(X, y, bags=bags)
    assert model.n_iter_ < 300
    assert len(model.values_) == model.n_iter_
    half = AggregateBoostingRegressor(subsample_bags=0.5, random_state=0)
    assert half.fit(X, y, bags=bags).score(X, y) > 0.6
    again = half.predict(X)
    assert_allclose(half.fit(X, y, bags=bags).predict(X), again, rtol=0)
    with pytest.raises(ValueError, match="holds 0 of 2 bags out"):
        model.fit(X, y, bags=np.arange(900) % 2)


def test_boosting_beats_linear_bags_on_curves():
    X, y = make_friedman1(3000, noise=1.0, random_state=0)
    bags = np.random.default_rng(0).permutation(3000) // 3
    clean, truth = make_friedman1(2000, noise=0.0, random_state=1)
    boosted = AggregateBoostingRegressor().fit(X, y, bags=bags)
    linear = BagRegressor().fit(X, y, bags=bags)
    assert np.mean((boosted.predict(clean) - truth) ** 2) < 1.6
    assert np.mean((linear.predict(clean) - truth) ** 2) > 5
