"""Forming bags, publishing and expanding aggregates, diagnostics, rounds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.aggregate import (
    InstanceRegressor,
    aggregate_responses,
    bag_diagnostics,
    expand_aggregates,
    make_bags,
    prior_boost,
)


def scatter_inside(values, bags):
    return sum(
        np.sum((values[bags == b] - values[bags == b].mean()) ** 2)
        for b in np.unique(bags)
    )


def partitions(n, least):
    """All partitions of n rows into sets of at least ``least``."""
    if n == 0:
        yield []
        return
    from itertools import combinations

    first, others = 0, list(range(1, n))
    for size in range(least - 1, n):
        for chosen in combinations(others, size):
            rest = [i for i in others if i not in chosen]
            for more in partitions(len(rest), least):
                yield [[first, *chosen]] + [[rest[i] for i in block] for block in more]


@pytest.mark.parametrize("least", [2, 3])
@pytest.mark.parametrize("n", [6, 8])
def test_optimal1d_beats_every_partition(rng, n, least):
    values = rng.normal(size=n)
    bags = make_bags(n, least, strategy="optimal1d", by=values)
    assert np.bincount(bags).min() >= least
    best = min(
        sum(np.sum((values[b] - values[b].mean()) ** 2) for b in blocks)
        for blocks in partitions(n, least)
    )
    assert_allclose(scatter_inside(values, bags), best, rtol=1e-9)


def test_sorted_bags_are_the_best_equal_ones(rng):
    values = rng.normal(size=6)
    bags = make_bags(6, 2, strategy="sorted", by=values)
    best = min(
        sum(np.sum((values[b] - values[b].mean()) ** 2) for b in blocks)
        for blocks in partitions(6, 2)
        if all(len(b) == 2 for b in blocks)
    )
    assert_allclose(scatter_inside(values, bags), best)


@pytest.mark.parametrize("strategy", ["random", "sorted", "kmeans"])
@pytest.mark.parametrize(
    ("remainder", "sizes"),
    [("merge", [5] * 6 + [7]), ("short", [2] + [5] * 7), ("drop", [5] * 7)],
)
def test_sizes(rng, strategy, remainder, sizes):
    X = rng.normal(size=(37, 3))
    bags = make_bags(X, 5, strategy=strategy, by=1, remainder=remainder, random_state=0)
    assert sorted(np.bincount(bags[bags >= 0])) == sizes
    assert np.sum(bags == -1) == (2 if remainder == "drop" else 0)


def test_clusters_are_tighter_than_chance(rng):
    X = rng.normal(size=(400, 4))
    inside = {
        strategy: sum(
            scatter_inside(x, make_bags(X, 10, strategy=strategy, random_state=0))
            for x in X.T
        )
        for strategy in ("random", "kmeans")
    }
    assert inside["kmeans"] < 0.5 * inside["random"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((4, 5), "bag_size=5 exceeds the number of rows, 4"),
        ((4, 0), "'bag_size' parameter"),
    ],
)
def test_messages_of_make_bags(args, message):
    with pytest.raises(ValueError, match=message):
        make_bags(*args)
    with pytest.raises(ValueError, match="pass X instead of their number"):
        make_bags(9, 3, strategy="kmeans")
    with pytest.raises(ValueError, match="pass by="):
        make_bags(9, 3, strategy="sorted")
    with pytest.raises(ValueError, match="pass X instead of its length"):
        make_bags(9, 3, strategy="sorted", by=0)
    with pytest.raises(ValueError, match="one value for each of 9 rows"):
        make_bags(9, 3, strategy="sorted", by=[1.0, 2.0])
    with pytest.raises(ValueError, match="Input by contains NaN"):
        make_bags(3, 3, strategy="sorted", by=[1.0, 2.0, np.nan])
    with pytest.raises(ValueError, match=r"by=2 names no column of X, of shape \(9, 2"):
        make_bags(np.zeros((9, 2)), 3, strategy="sorted", by=2)


@pytest.mark.parametrize("aggregate", ["mean", "sum"])
def test_publish_and_expand(rng, aggregate):
    y, bags = rng.normal(size=(30, 2)), rng.choice(list("abcd"), 30)
    w = rng.uniform(size=30)
    ids, values, sizes = aggregate_responses(
        y, bags, aggregate=aggregate, sample_weight=w
    )
    for label, value, size in zip(ids, values, sizes, strict=True):
        rows = bags == label
        total = w[rows] @ y[rows]
        assert_allclose(value, total / (size if aggregate == "mean" else 1))
    order = rng.permutation(len(ids))
    rows = expand_aggregates(ids[order], values[order], bags)
    assert_array_equal(rows, values[np.searchsorted(ids, bags)])


def test_messages_of_expand():
    with pytest.raises(ValueError, match="'c', which has no aggregate"):
        expand_aggregates(["a", "b"], [1.0, 2.0], ["a", "c"])
    with pytest.raises(ValueError, match="'a' more than once"):
        expand_aggregates(["a", "a"], [1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="2 bag_ids but 1 values"):
        expand_aggregates(["a", "b"], [1.0], ["a"])
    with pytest.raises(ValueError, match="there are no aggregates"):
        expand_aggregates([], [], ["a"])
    with pytest.raises(ValueError, match="bag_ids has missing labels"):
        expand_aggregates(["a", None], [1.0, 2.0], ["a"])
    with pytest.raises(ValueError, match="aggregate must be 'mean' or 'sum'"):
        aggregate_responses([1.0], [0], aggregate="median")


def test_diagnostics(rng):
    X = rng.normal(size=(500, 3))
    random = bag_diagnostics(X, make_bags(500, 5, random_state=1))
    assert random.verdict == "random-like"
    assert_allclose(random.between_share, random.expected_share, atol=0.06)
    curated = bag_diagnostics(X, make_bags(X, 5, strategy="kmeans"))
    assert curated.verdict == "clustered"
    assert curated.effective_sample_size > random.effective_sample_size
    assert (curated.n_bags, curated.sizes) == (100, (5.0, 5.0, 5.0))
    assert not bag_diagnostics(X, np.arange(500) // 50).enough_bags


def test_prior_boost_learns_bags(rng):
    n, d = 4800, 20
    X = rng.normal(size=(n, d))
    theta = np.full(d, d**-0.5)
    y = X @ theta + 0.5 * rng.normal(size=n)
    risks = []
    for n_rounds in (1, 2):
        done = prior_boost(
            InstanceRegressor(1e-3),
            X,
            y,
            n_rounds=n_rounds,
            bag_size=20,
            random_state=0,
        )
        risks.append(np.sum((done.estimator.coef_ - theta) ** 2))
        assert np.bincount(done.bags).min() == 20  # every row in one bag
        codes = done.bags
        assert_allclose(done.y, (np.bincount(codes, y) / np.bincount(codes))[codes])
        assert done.rounds.max() == n_rounds - 1
    assert risks[0] > 0.8
    assert risks[1] < 0.5 * risks[0]


def test_prior_boost_with_a_curator(rng):
    X, asked = rng.normal(size=(100, 2)), []

    def curator(rows, bags):
        asked.append(rows)
        return np.zeros(len(rows))

    done = prior_boost(
        InstanceRegressor(), X, curator, n_rounds=3, bag_size=5, random_state=0
    )
    assert_array_equal(np.sort(np.concatenate(asked)), np.arange(100))
    assert_allclose(done.estimator.coef_, 0)
    with pytest.raises(ValueError, match="do not fit into 100 rows"):
        prior_boost(InstanceRegressor(), X, curator, n_rounds=30, bag_size=5)
