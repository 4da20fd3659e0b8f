"""Cuts, merged rows, units of weights: what must not depend on scale or rounding."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.rashomon import RashomonTreeClassifier
from sklearn_ext.rashomon._trees._problem import (
    EqualSplits,
    Rows,
    TreeSpace,
    common_unit,
    in_units,
    make_splits,
    merge_rows,
    weighted_cuts,
)


def table(rng, n=60):
    X = rng.integers(0, 3, (n, 3)).astype(float)
    return X, (X[:, 0] + rng.integers(0, 3, n) > 2).astype(int)


def fit(X, y, weight=None, **params):
    params = {"max_depth": 2, "random_state": 0} | params
    return RashomonTreeClassifier(**params).fit(X, y, weight)


def says_the_same(one, two, X):
    assert one.method_ == two.method_
    assert_allclose(two.log_ratio_, one.log_ratio_, rtol=1e-9)
    assert_allclose(two.min_loss_, one.min_loss_, rtol=1e-9, atol=1e-12)
    assert_allclose(two.predict_proba(X), one.predict_proba(X), atol=1e-9)
    assert two.best_.to_text() == one.best_.to_text()


@pytest.mark.parametrize("space", ["full", "sparse"])
@pytest.mark.parametrize("factor", [1e-100, 1e-3, 1 / 3, 0.1, 7.0, 1e100])
def test_the_scale_of_weights_says_nothing(rng, space, factor):
    X, y = table(rng)
    w = rng.integers(1, 4, len(y)).astype(float)
    params = {"space": space, "alpha": 0.03}
    one, two = fit(X, y, w, **params), fit(X, y, factor * w, **params)
    assert two.exact_
    says_the_same(one, two, X)
    w = w + rng.random(len(y))
    says_the_same(fit(X, y, w, **params), fit(X, y, factor * w, **params), X)


@pytest.mark.parametrize("weight", [0.001, 0.3, 2.0, np.pi])
def test_equal_weights_are_no_weights(rng, weight):
    X, y = table(rng)
    for params in ({}, {"space": "sparse"}, {"n_thresholds": 1}):
        one = fit(X, y, **params)
        two = fit(X, y, np.full(len(y), weight), **params)
        assert two.log_ratio_ == one.log_ratio_
        assert_array_equal(two.predict_proba(X), one.predict_proba(X))


def test_every_row_twice_changes_nothing(rng):
    X, y = table(rng)
    for params in (
        {},
        {"space": "sparse", "alpha": 0.02},
        {"class_weight": "balanced"},
    ):
        one = fit(X, y, **params)
        two = fit(np.repeat(X, 2, axis=0), np.repeat(y, 2), **params)
        says_the_same(one, two, X)


def test_the_order_of_rows_says_nothing(rng):
    X, y = rng.normal(size=(80, 3)), rng.integers(0, 2, 80)
    w, order = rng.random(80), rng.permutation(80)
    says_the_same(fit(X, y, w), fit(X[order], y[order], w[order]), X)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("space", ["full", "sparse"])
def test_rounding_decides_no_tie(seed, space):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (50, 3)).astype(float)
    y = (X[:, 1] + (rng.random(50) < 0.2) > 0.5).astype(int)
    w = rng.random(50)  # sums of the sides of a mirrored split differ by rounding
    both = np.c_[X, 1 - X]
    clf = fit(both, y, w, space=space, alpha=0.001)
    split = clf.best_.feature
    assert (split < 3).all(), "the first of two equally good splits is the best one"
    for factor in (1 / 3, 0.7):
        assert_array_equal(fit(both, y, factor * w, space=space).best_.feature, split)


def test_narrow_columns_are_cut_between_their_values(rng):
    single = (rng.random((60, 2)) + 1e5).astype(np.float32)
    y = rng.integers(0, 2, 60)
    for prior in ("feature", "gap"):
        one = fit(single.astype(np.float64), y, split_prior=prior)
        two = fit(single, y, split_prior=prior)
        assert one.splits_ == two.splits_
        assert one.log_ratio_ == two.log_ratio_


def test_units_of_columns_say_nothing(rng):
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    for prior in ("feature", "split", "gap"):
        one = fit(X, y, split_prior=prior)
        for units in ([1e-300, 1, 1e300], [1e5, 3, 1e-7]):
            two = fit(X * units, y, split_prior=prior)
            assert_allclose(two.log_ratio_, one.log_ratio_, rtol=1e-9)
            labels = two.member_predictions(X * units)
            assert_array_equal(labels, one.member_predictions(X))


def test_common_units():
    assert common_unit(np.array([4.0, 6.0, 0.0])) == 2.0
    assert common_unit(np.array([2.0**40, 2.0**40 + 1])) == 1.0
    assert_allclose(common_unit(np.array([0.2, 0.3, 1.1])), 0.1)
    thirds = np.array([1 / 3] * 7).cumsum()  # with the rounding of sums
    assert_allclose(common_unit(thirds), 1 / 3)
    assert_allclose(common_unit(np.array([124 / 249, 81 / 151])), 1 / 249 / 151)
    assert common_unit(np.random.default_rng(0).random(20)) is None


def test_a_leaf_costs_what_alpha_says():
    counts = np.array([[20.0, 20.0], [0.0, 3.0]])
    for alpha in (0.001, 0.01, 0.03, 0.2):
        weight, cost = in_units(counts, alpha)
        assert cost % 1 == 0
        assert_allclose(cost / weight.sum(), alpha, rtol=0.05 if alpha > 0.002 else 0.2)
        assert_allclose(weight / weight.sum(), counts / counts.sum())
        assert_array_equal(weight, np.rint(weight))
    weight, cost = in_units(np.array([[np.e, 1.0], [0.5, np.pi]]), 0.03)
    assert_allclose(cost / weight.sum(), 0.03)


def test_the_cost_of_a_leaf_is_told(rng):
    X, y = table(rng, 40)
    clf = fit(X, y, space="sparse", alpha=0.01)
    assert_allclose(clf.hypothesis_space_["leaf_cost"], 0.01, rtol=0.05)
    assert "leaf_cost=0.01" in str(clf.summary())
    assert "leaf_cost" not in fit(X, y).hypothesis_space_


@pytest.mark.parametrize(
    ("prior", "expected"),
    [("feature", [0.5, 0.25, 0.25]), ("split", [1 / 3] * 3), ("gap", [0.5, 0.2, 0.3])],
)
def test_priors(prior, expected):
    X = np.array([[0, 0], [1, 2], [0, 5], [1, 0]], dtype=float)
    splits = make_splits(X, np.ones(4), prior=prior)
    assert_allclose(splits.prior, expected)
    assert_allclose(splits.threshold, [0.5, 1, 3.5])


def test_cuts_invert_the_weighted_distribution():
    values = np.arange(10.0)
    cuts, gaps = weighted_cuts(values, np.ones(10), 3)
    assert_allclose(cuts, [2.5, 4.5, 7.5])
    assert_allclose(gaps, 0.5)  # to either side
    weight = np.array([1, 5, 1, 1, 1, 1, 1, 1, 1, 1])
    repeated = np.repeat(values, weight)
    assert_array_equal(
        weighted_cuts(values, weight, 3)[0],
        weighted_cuts(repeated, np.ones(len(repeated)), 3)[0],
    )
    assert len(weighted_cuts(np.ones(4), np.ones(4), 3)[0]) == 0


def test_tables_of_rows_add_up(rng):
    bits, y = rng.random((60, 4)) < 0.5, rng.integers(0, 3, 60)
    whole = merge_rows(bits, y, np.ones(60), 3)
    parts = [
        merge_rows(bits[s], y[s], np.ones(30), 3) for s in (slice(30), slice(30, 60))
    ]
    summed = parts[0] + parts[1]
    assert_array_equal(summed.bits, whole.bits)
    assert_array_equal(summed.weight, whole.weight)


def test_rows_are_located(rng):
    rows = Rows(np.array([[0, 1], [1, 0]], dtype=bool), np.ones((2, 2)))
    ones = np.ones(2, dtype=int)
    space, equal = TreeSpace(2, 2, ones / 2, ones), EqualSplits(ones.cumsum() - 1, ones)
    bits = np.array([[0, 1], [1, 1], [1, 0], [1, 1]], dtype=bool)
    joined, _, place = equal.joined(rows, space, bits)
    assert_array_equal(joined.bits[place], bits)
    assert_array_equal(joined.weight[place], [[1, 1], [0, 0], [1, 1], [0, 0]])
    assert joined.total == rows.total
    known, same, place = equal.joined(rows, space, bits[::2])
    assert known is rows
    assert same is space
    assert_array_equal(place, [0, 1])


def test_space_sizes_of_sparse_trees():
    space = TreeSpace(3, 2, np.ones(4), np.ones(4, dtype=int), complete=False)
    sizes = [2]
    for _ in range(3):
        sizes.append(2 + 4 * sizes[-1] ** 2)
    assert space.size == sizes[-1]


def test_class_weights_are_exact_where_their_unit_is_not_too_fine(rng):
    X, y = table(rng, 40)
    small = fit(X, y, class_weight="balanced")
    assert small.exact_
    X, y = rng.normal(size=(400, 2)), np.arange(400) < 151
    params = {"max_depth": 3, "n_thresholds": 12}
    large = fit(X, y, class_weight="balanced", **params)
    assert large.method_ == "bracket"
    cost = large.estimate_cost(X, y)
    assert cost.n_degrees < 600
    again = fit(X, y, np.full(400, 0.3), class_weight="balanced", **params)
    says_the_same(large, again, X)
    w = {True: 249, False: 151}
    other = fit(X, y, class_weight=w, **params)
    assert_allclose(other.log_ratio_, large.log_ratio_)
    few = (X[:, :1] > 0).astype(float)
    assert fit(few, y, max_depth=1, class_weight="balanced").exact_
