"""The sums behind naive Bayes, and the densities and forms made of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, sparse

from sklearn_ext._numerics._held_out import best_temperature
from sklearn_ext.probes import NaiveBayesStatistics
from sklearn_ext.probes._gaussian._densities import (
    comparable,
    moments,
    shrink_to_mean,
    shrink_to_shared,
)
from sklearn_ext.probes._gaussian._statistics import add_up


def table(rng, n=120, d=5, k=4, offset=0.0):
    codes = rng.integers(0, k, n)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d) + codes[:, None] + offset
    return X, codes, np.arange(k), rng.uniform(0, 2, n)


def slow_sums(X, codes, classes, w, pivot):
    count = np.zeros(len(classes))
    total = np.zeros((len(classes), X.shape[1]))
    squares = np.zeros_like(total)
    for row, k, weight in zip(X, codes, w, strict=True):
        count[k] += weight
        total[k] += weight * (row - pivot)
        squares[k] += weight * (row - pivot) ** 2
    return count, total, squares


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("thin", [False, True])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_tails_equal_a_slow_loop(rng, batch_size, thin, scale):
    """Third powers by class and fourth ones over all rows, in any unit."""
    X, codes, classes, w = table(rng)
    X[rng.random(X.shape) < 0.7 * thin] = 0
    whole = NaiveBayesStatistics.of(
        sparse.csr_array(X * scale) if thin else X * scale,
        codes,
        classes,
        w,
        per_class=True,
        tails=True,
        batch_size=batch_size,
    )
    for found in (whole, whole.at(rng.normal(size=5) * scale)):
        rows = X - found.pivot / scale
        unit = np.sqrt(w @ rows**2)
        cubes = [(w * (codes == k)) @ rows**3 for k in classes]
        assert_allclose(found.tails.cubes, cubes / unit**3, rtol=1e-8, atol=1e-12)
        assert_allclose(found.tails.fourths, w @ rows**4 / unit**4, rtol=1e-9)


def test_tails_of_parts_add(rng):
    X, codes, classes, w = table(rng)
    kept = {"per_class": True, "tails": True}
    whole = NaiveBayesStatistics.of(X, codes, classes, w, **kept)
    low = codes < 2
    parts = [
        NaiveBayesStatistics.of(X[rows], codes[rows] - first, labels, w[rows], **kept)
        for rows, first, labels in ((~low, 2, classes[2:]), (low, 0, classes[:2]))
    ]
    joined = (parts[0] + parts[1]).at(whole.pivot).tails
    assert_allclose(joined.cubes, whole.tails.cubes, rtol=1e-8, atol=1e-12)
    assert_allclose(joined.fourths, whole.tails.fourths, rtol=1e-9)


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("batch_size", [None, 1, 7, 500])
def test_sums_equal_a_slow_loop(rng, per_class, batch_size):
    X, codes, classes, w = table(rng)
    found = NaiveBayesStatistics.of(
        X, codes, classes, w, per_class=per_class, batch_size=batch_size
    )
    count, total, squares = slow_sums(X, codes, classes, w, found.pivot)
    assert_allclose(found.count, count, rtol=1e-12)
    assert_allclose(found.sum, total, rtol=1e-10, atol=1e-10)
    assert_allclose(found.sumsq, squares if per_class else squares.sum(axis=0))
    assert_allclose(found.n_rows, w.sum() ** 2 / (w**2).sum())
    assert_allclose(NaiveBayesStatistics.of(X, codes, classes).n_rows, len(X))
    assert found.per_class is per_class


@pytest.mark.parametrize("per_class", [False, True])
def test_moving_the_pivot_is_undone_by_moving_back(rng, per_class):
    X, codes, classes, w = table(rng)
    there = NaiveBayesStatistics.of(X, codes, classes, w, per_class=per_class)
    pivot = rng.normal(size=5)
    moved = there.at(pivot)
    direct = NaiveBayesStatistics.of(
        X, codes, classes, w, per_class=per_class, pivot=pivot
    )
    for name in ("count", "sum", "sumsq"):
        assert_allclose(getattr(moved, name), getattr(direct, name), atol=1e-10)
        back = moved.at(there.pivot)
        assert_allclose(getattr(back, name), getattr(there, name), atol=1e-10)


@pytest.mark.parametrize("per_class", [False, True])
def test_parts_with_other_pivots_and_classes_add(rng, per_class):
    X, codes, classes, w = table(rng)
    whole = NaiveBayesStatistics.of(X, codes, classes, w, per_class=per_class)
    low = codes < 2
    parts = [
        NaiveBayesStatistics.of(
            X[rows], codes[rows] - first, labels, w[rows], per_class=per_class
        )
        for rows, first, labels in ((~low, 2, classes[2:]), (low, 0, classes[:2]))
    ]
    for joined in (parts[0] + parts[1], parts[1] + parts[0], add_up(parts)):
        joined = joined.at(whole.pivot)
        assert_allclose(joined.classes, classes)
        assert_allclose(joined.n_rows, w.sum() ** 2 / (w**2).sum())
        for name in ("count", "sum", "sumsq"):
            assert_allclose(getattr(joined, name), getattr(whole, name), atol=1e-9)


def test_statistics_of_another_kind_do_not_add(rng):
    X, codes, classes, w = table(rng)
    shared = NaiveBayesStatistics.of(X, codes, classes, w)
    by_class = NaiveBayesStatistics.of(X, codes, classes, w, per_class=True)
    narrow = NaiveBayesStatistics.of(X[:, :3], codes, classes, w)
    with pytest.raises(ValueError, match="the same covariance, got class and shared"):
        shared + by_class
    with pytest.raises(ValueError, match=r"same number of features, got \[3, 5\]"):
        shared + narrow


@pytest.mark.parametrize("offset", [1e6, -1e6])
def test_large_offsets_do_not_cancel(rng, offset):
    X, codes, classes, w = table(rng, n=1000)
    exact, _ = moments(NaiveBayesStatistics.of(X, codes, classes, w))
    moved, _ = moments(NaiveBayesStatistics.of(X + offset, codes, classes, w))
    assert_allclose(moved, exact, rtol=1e-9)  # X + offset itself is rounded


def test_a_far_first_batch_costs_little(rng):
    X, codes, classes, w = table(rng, n=1000)
    far = NaiveBayesStatistics.of(X, codes, classes, w, pivot=np.full(X.shape[1], 1e4))
    exact, _ = moments(NaiveBayesStatistics.of(X, codes, classes, w))
    assert_allclose(moments(far)[0], exact, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_rows_are_summed_in_float64(rng, dtype):
    X, codes, classes, w = table(rng, n=500, offset=3.0)
    X = X.astype(dtype)
    narrow = NaiveBayesStatistics.of(X, codes, classes, w)
    wide = NaiveBayesStatistics.of(
        X.astype(np.float64), codes, classes, w, pivot=narrow.pivot
    )
    assert_allclose(narrow.sum, wide.sum, rtol=1e-12, atol=1e-10)
    assert_allclose(narrow.sumsq, wide.sumsq, rtol=1e-12)
    quick = NaiveBayesStatistics.of(X, codes, classes, w, precise=False)
    assert_allclose(quick.at(narrow.pivot).sum, wide.sum, rtol=1e-4, atol=1e-3)
    assert_allclose(quick.at(narrow.pivot).sumsq, wide.sumsq, rtol=1e-5)


@pytest.mark.parametrize("per_class", [False, True])
def test_sparse_rows_give_the_same_sums(rng, per_class):
    X, codes, classes, w = table(rng)
    X[rng.random(X.shape) < 0.7] = 0
    dense = NaiveBayesStatistics.of(X, codes, classes, w, per_class=per_class)
    thin = NaiveBayesStatistics.of(
        sparse.csr_array(X), codes, classes, w, per_class=per_class
    )
    assert not thin.pivot.any()  # most entries are zero
    assert_allclose(thin.at(dense.pivot).sum, dense.sum, atol=1e-10)
    assert_allclose(thin.at(dense.pivot).sumsq, dense.sumsq, atol=1e-10)


def test_shrinkage_to_the_mean_follows_its_formula(rng):
    v, rows = rng.uniform(0.1, 2, 60), np.array([4.0, 7.0, 0.0])
    assert v.sum() ** 2 / (v**2).sum() > 30  # so many count
    free = 11 - 2  # a class without rows takes no degree of freedom
    share = (2 / (free + 2) * (v**2).sum()) / ((v - v.mean()) ** 2).sum()
    result, used = shrink_to_mean(v, v, rows, "auto")
    assert used == pytest.approx(min(1, share), rel=1e-12)
    assert_allclose(result, (1 - used) * v + used * v.mean())
    total = v * np.where(np.arange(60) < 9, 1e4, 1.0)  # nine in another unit
    result, used = shrink_to_mean(total, total, rows, "auto")
    assert used == 0
    assert_allclose(result, total)


@pytest.mark.parametrize(
    ("n_large", "n_small", "expected"),
    [(1, 0, 0), (10, 0, 0), (20, 0, 0.5), (30, 0, 1), (500, 0, 1), (9, 500, 0)],
)
@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_features_compare_where_many_make_up_the_variance(
    n_large, n_small, expected, unit
):
    total = unit * np.r_[np.ones(n_large), np.full(n_small, 1e-6)]
    assert comparable(total) == pytest.approx(expected, abs=1e-3)


def test_class_variances_are_worth_what_their_ratios_say(rng):
    rows, pooled = np.array([5.0, 9.0, 1.0]), rng.uniform(1, 2, 40)
    variances = pooled * rng.chisquare(4, (3, 40)) / 4 * [[0.5], [2.0], [0.0]]
    result, share = shrink_to_shared(variances, pooled, pooled, rows, "auto")
    shared, _ = shrink_to_mean(pooled, pooled, rows, "auto")
    squares = noise = spread = 0.0
    for k in range(2):  # one row has no variance
        ratios = variances[k] / shared
        squares += rows[k] / 15 * (ratios**2).mean()
        noise += rows[k] / 15 * 2 / (rows[k] + 1) * (ratios**2).mean()
        spread += rows[k] / 15 * ((ratios - 1) ** 2).mean()
    worth = 2 * squares / (spread - noise)
    assert_allclose(share, [worth / (worth + 4), worth / (worth + 8), 1])
    assert_allclose(result, variances + share[:, None] * (shared - variances))
    same = np.stack([pooled] * 3)
    assert_allclose(shrink_to_shared(same, pooled, pooled, rows, "auto")[1], 1)


def test_shrinkage_finds_the_share_that_errs_least():
    """Over many draws "auto" comes close to the best fixed share in squared error."""
    rng = np.random.default_rng(0)
    true = rng.uniform(0.5, 1.5, 200)
    shares = np.linspace(0, 1, 21)
    rows = np.array([6.0, 6.0])
    errors, auto = np.zeros(21), 0.0
    for _ in range(300):
        v = true * rng.chisquare(10, 200) / 10
        errors += [
            ((shrink_to_mean(v, v, rows, g)[0] - true) ** 2).sum() for g in shares
        ]
        auto += ((shrink_to_mean(v, v, rows, "auto")[0] - true) ** 2).sum()
    assert auto < 1.1 * errors.min()
    assert auto < 0.7 * errors[0]
    assert auto < 0.9 * errors[-1]


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_sparse_rows_far_from_zero_do_not_cancel(rng, per_class, offset):
    X, codes, classes, w = table(rng, n=600)
    X[:, 0] = np.where(rng.random(600) < 0.9, 0, X[:, 0])  # rare entries stay sparse
    X[:, 1:] += offset
    thin = NaiveBayesStatistics.of(
        sparse.csr_array(X), codes, classes, w, per_class=per_class
    )
    dense = NaiveBayesStatistics.of(X, codes, classes, w, per_class=per_class)
    assert thin.pivot[0] == 0
    for found, exact in zip(moments(thin), moments(dense), strict=True):
        assert_allclose(found, exact, rtol=1e-9)
    parts = [slice(0, 100), slice(100, 350), slice(350, None)]
    joined = add_up(
        [
            NaiveBayesStatistics.of(
                sparse.csr_array(X[p]), codes[p], classes, w[p], per_class=per_class
            )
            for p in parts
        ]
    )
    assert_allclose(moments(joined)[0], moments(dense)[0], rtol=1e-6)


def test_temperature_equals_a_bounded_search(rng):
    codes = rng.integers(0, 4, 200)
    scores = 30 * rng.normal(size=(200, 4))
    scores[np.arange(200), codes] += 20
    w = rng.uniform(0, 2, 200)

    def loss(log_temperature):
        tempered = scores / np.exp(log_temperature)
        tempered -= tempered.max(axis=1, keepdims=True)
        log_p = tempered - np.log(np.exp(tempered).sum(axis=1, keepdims=True))
        return -(w @ log_p[np.arange(200), codes])

    best = optimize.minimize_scalar(
        loss, bounds=(-3, 9), method="bounded", options={"xatol": 1e-9}
    )
    found = best_temperature(scores, codes, w)
    assert np.log(found) == pytest.approx(best.x, abs=1e-5)


@pytest.mark.parametrize(("sign", "bound"), [(1, -3), (-1, 9)])
def test_temperature_stays_within_its_bounds(sign, bound):
    codes = np.array([0, 1, 0])
    scores = sign * np.eye(2)[codes]
    found = best_temperature(scores, codes, np.ones(3))
    assert np.log(found) == pytest.approx(bound, abs=1e-6)
    assert best_temperature(scores[:0], codes[:0], np.ones(0)) == 1
