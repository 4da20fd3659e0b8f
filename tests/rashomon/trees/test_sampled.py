"""Sampled structures with exact labels, against the recursion."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.rashomon import RashomonTreeClassifier, clopper_pearson
from sklearn_ext.rashomon._ratio import (
    effective_size,
    log_mean_interval,
    replicate_interval,
)
from sklearn_ext.rashomon._trees._members import TreeArrays
from sklearn_ext.rashomon._trees._problem import TreeSpace, merge_rows
from sklearn_ext.rashomon._trees._sampled import (
    LeafCounter,
    draw_labels,
    leaf_losses,
    loss_laws,
    random_structures,
)


def space_of(m, depth, k=2, repeats=True):
    ones = np.ones(m, dtype=int)
    return TreeSpace(depth, k, ones / m, ones, leaf_weight=1 / k, repeats=repeats)


def xor_data(n, m, noise, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (n, m)).astype(float)
    y = X[:, 0].astype(int) ^ X[:, 1].astype(int)
    return X, np.where(rng.random(n) < noise, rng.integers(0, 2, n), y)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_leaf_counts_equal_a_loop(rng, k, real):
    bits, y = rng.random((70, 5)) < 0.5, rng.integers(0, k, 70)
    w = rng.random(70) if real else rng.integers(1, 4, 70).astype(float)
    split = random_structures(space_of(5, 3, k), 20, rng)
    found = LeafCounter.of(merge_rows(bits, y, w, k)).counts(split)
    for tree, counts in zip(split, found, strict=True):
        for leaf in range(8):
            node, inside = leaf + 7, np.ones(70, dtype=bool)
            while node:
                above = (node - 1) // 2
                side = bits[:, tree[above]]
                inside &= side if node == 2 * above + 2 else ~side
                node = above
            expected = np.bincount(y[inside], w[inside], minlength=k)
            assert_allclose(counts[leaf], expected, atol=1e-12)


@pytest.mark.parametrize("k", [2, 3])
def test_loss_laws_equal_all_labelings(rng, k):
    cells = rng.integers(0, 4, (6, 4, k))
    found = loss_laws(cells, 0, 9)
    labels = np.stack(np.meshgrid(*[range(k)] * 4), axis=-1).reshape(-1, 4)
    for tree, law in zip(cells, found, strict=True):
        loss = tree[np.arange(4), labels].sum(axis=1)
        expected = [(loss <= i).mean() for i in range(9)]
        assert_allclose(law, expected, atol=1e-14)


def test_labels_are_drawn_uniformly(rng):
    cells = np.array([[0, 2], [1, 0], [0, 0], [3, 1]])
    labels = np.stack(np.meshgrid(*[range(2)] * 4), axis=-1).reshape(-1, 4)
    allowed = labels[cells[np.arange(4), labels].sum(axis=1) <= 3]
    drawn = np.array([draw_labels(cells, 3, rng) for _ in range(3000)])
    code, seen = 2 ** np.arange(4), np.bincount(drawn @ 2 ** np.arange(4), minlength=16)
    assert (np.flatnonzero(seen) == np.sort(allowed @ code)).all()
    assert stats.chisquare(seen[seen > 0]).pvalue > 1e-3


def test_structures_follow_the_prior(rng):
    split = random_structures(space_of(4, 3, repeats=False), 4000, rng)
    for node in range(1, 7):
        above = node
        while above:
            above = (above - 1) // 2
            assert (split[:, node] != split[:, above]).all()
        assert stats.chisquare(np.bincount(split[:, node])).pvalue > 1e-4


@pytest.mark.parametrize("method", ["mc", "smc"])
@pytest.mark.parametrize(("depth", "m"), [(3, 6), (4, 5)])
def test_sampled_ratio_agrees_with_the_exact_one(method, depth, m):
    X, y = xor_data(200, m, 0.3)
    exact = RashomonTreeClassifier(depth, random_state=0).fit(X, y)
    clf = RashomonTreeClassifier(
        depth, method=method, n_draws=20_000, n_replicates=4, random_state=1
    ).fit(X, y)
    assert clf.method_ == method
    assert clf.interval_kind_ == "confidence"
    assert not clf.exact_
    assert_allclose(clf.min_loss_, exact.min_loss_)
    low, high = clf.log_ratio_interval_
    quantile = {"mc": 1.96, "smc": 3.18}[method]  # normal; Student with 3 d.f.
    sd = (high - low) / 2 / quantile
    assert abs(clf.log_ratio_ - exact.log_ratio_) < 4 * sd
    loss = (clf.member_predictions(X) != y).mean(axis=1)
    assert (loss <= clf.threshold_loss_ + 1e-9).all()
    with pytest.raises(ValueError, match="covers thresholds up to the fitted one"):
        clf.log_ratio_at(0.2)
    assert clf.log_ratio_at(0.02) < clf.log_ratio_
    assert 0 < clf.ambiguity(X) <= 1
    assert clf.discrepancy(X) <= exact.discrepancy(X) + 1e-12
    assert_allclose(clf.feature_usage().nodes.sum(), 2**depth - 1)


def test_depth_seven_against_the_exact_ratio():
    X, y = xor_data(300, 6, 0.9, seed=2)
    exact = RashomonTreeClassifier(7, theta=0.2, n_members=1, random_state=0).fit(X, y)
    clf = RashomonTreeClassifier(
        7,
        theta=0.2,
        method="mc",
        n_draws=5000,
        reference_loss=exact.min_loss_,
        n_members=5,
        random_state=0,
    ).fit(X, y)
    low, high = clf.log_ratio_interval_
    assert abs(clf.log_ratio_ - exact.log_ratio_) < 2 * (high - low)
    assert high - low < 0.5


def test_many_classes_and_real_weights_are_sampled_too(rng):
    X = rng.integers(0, 2, (150, 5)).astype(float)
    y = (X[:, 0] + X[:, 1]).astype(int)
    w = rng.random(150)
    params = {"max_depth": 3, "theta": 0.1, "n_members": 20, "random_state": 0}
    exact = RashomonTreeClassifier(**params).fit(X, y, w)
    clf = RashomonTreeClassifier(method="mc", n_draws=8000, **params).fit(X, y, w)
    low, high = clf.log_ratio_interval_
    assert low - 0.2 < exact.log_ratio_ < high + 0.2
    loss = (clf.member_predictions(X) != y) @ w / w.sum()
    assert (loss <= clf.threshold_loss_ + 1e-3).all()


def test_auto_falls_back_to_sampling_and_says_so():
    X, y = xor_data(200, 6, 0.3)
    small = {"max_depth": 4, "exact_budget": 10.0, "n_members": 5, "random_state": 0}
    clf = RashomonTreeClassifier(theta=0.15, **small).fit(X, y)
    assert clf.method_ == "mc"
    rare = RashomonTreeClassifier(theta=0.03, n_replicates=2, **small).fit(X, y)
    assert rare.method_ == "smc"


def test_weak_samples_warn():
    X, y = xor_data(200, 6, 0.1)
    clf = RashomonTreeClassifier(
        5, theta=0.0, method="mc", n_draws=50, n_members=2, random_state=0
    )
    with (
        pytest.warns(ConvergenceWarning, match=r"rests on .* effective draws"),
        pytest.warns(RuntimeWarning, match="No draw is inside the set.*smc"),
    ):
        clf.fit(X, y)
    low, high = clf.log_ratio_interval_
    assert low == -np.inf
    assert_allclose(high, np.log1p(-(0.025 ** (1 / 50))))


def test_runs_do_not_depend_on_threads():
    X, y = xor_data(100, 5, 0.2)
    params = {"method": "smc", "n_particles": 50, "n_replicates": 3, "random_state": 0}
    one, two = (
        RashomonTreeClassifier(3, n_jobs=j, **params).fit(X, y).log_ratio_
        for j in (1, 2)
    )
    assert one == two


def test_deep_trees_route_as_single_trees(rng):
    bits = rng.random((30, 6)) < 0.5
    trees = TreeArrays.blank(4, 5)
    trees.split[:] = random_structures(space_of(6, 5), 4, rng)
    trees.label[:, 31:] = rng.integers(0, 2, (4, 32))
    found = trees.predict(bits)
    for i in range(4):
        for r in range(30):
            node = 0
            while node < 31:
                node = 2 * node + 1 + int(bits[r, trees.split[i, node]])
            assert found[i, r] == trees.label[i, node]


def test_clopper_pearson_against_binomial_tails():
    low, high = clopper_pearson(7, 50, 0.9)
    assert_allclose(stats.binom.sf(6, 50, low), 0.05)
    assert_allclose(stats.binom.cdf(7, 50, high), 0.05)
    assert clopper_pearson(0, 100)[0] == 0
    assert_allclose(clopper_pearson(0, 100)[1], 1 - 0.025 ** (1 / 100))
    assert clopper_pearson(100, 100)[1] == 1
    assert_array_equal(np.shape(clopper_pearson([1, 2], 10)[0]), (2,))


def test_crude_interval_covers():
    rng = np.random.default_rng(0)
    hits = rng.binomial(500, 0.02, size=200)
    low, high = clopper_pearson(hits, 500)
    assert ((low <= 0.02) & (high >= 0.02)).mean() >= 0.93


def test_rao_blackwell_interval_covers():
    rng, covered, strong = np.random.default_rng(0), 0, 0
    for _ in range(200):
        terms = rng.lognormal(0, 1.0, 400) * (rng.random(400) < 0.5)
        ess = effective_size(terms)
        if ess >= 30:
            strong += 1
            low, high = log_mean_interval(np.log(terms.mean()) - 9, ess, 400, 0.95)
            covered += low <= np.log(0.5 * np.exp(1.0**2 / 2)) - 9 <= high
    assert strong > 100
    assert covered / strong >= 0.90


def test_replicate_interval():
    mean, low, high = replicate_interval([-5.0, -5.2, -4.9, -5.1], 0.95)
    assert low < mean < high
    assert_allclose(mean, np.log(np.mean(np.exp([-5.0, -5.2, -4.9, -5.1]))))
    half = stats.t.ppf(0.975, 3) * np.std([-5.0, -5.2, -4.9, -5.1], ddof=1) / 2
    assert_allclose((high - low) / 2, half)
    assert replicate_interval([-np.inf, -5.0, -5.1], 0.95)[1] == -np.inf


def test_structure_weights_need_no_labels():
    """The variance of the ratio falls by more than tenfold when labels are exact."""
    X, y = xor_data(300, 6, 0.4)
    rng = np.random.default_rng(0)
    rows = merge_rows(X > 0.5, y, np.ones(300), 2)
    space = space_of(6, 3)
    split = random_structures(space, 20_000, rng)
    cells = leaf_losses(LeafCounter.of(rows).counts(split)).astype(int)
    exact = loss_laws(cells, 0, 120)[:, -1]
    label = rng.integers(0, 2, (20_000, 8, 1))
    crude = np.take_along_axis(cells, label, axis=2).sum(axis=(1, 2)) <= 119
    assert_allclose(exact.mean(), crude.mean(), rtol=0.5)
    assert exact.var() < crude.var() / 5


@pytest.mark.parametrize("real", [False, True])
def test_torch_routes_the_same_rows(rng, real):
    from sklearn_ext.rashomon._trees._trees_torch import (
        TorchLeafCounter,
        tree_labels_torch,
    )

    bits, y = rng.random((50, 5)) < 0.5, rng.integers(0, 3, 50)
    rows = merge_rows(bits, y, rng.random(50) if real else np.ones(50), 3)
    split = random_structures(space_of(5, 4, 3), 30, rng)
    found = TorchLeafCounter(rows.bits, rows.weight, "cpu").counts(split)
    assert_allclose(found, LeafCounter.of(rows).counts(split), rtol=1e-12, atol=1e-12)
    trees = TreeArrays.blank(30, 4)
    trees.split[:] = split
    trees.split[:10, 7:] = -1  # some leaves one level up
    trees.label[:, 15:] = rng.integers(0, 3, (30, 16))
    trees.label[:10, 7:15] = 1
    labels = tree_labels_torch(trees.split, trees.label, bits, device="cpu")
    assert_array_equal(labels, trees.predict(bits))


def test_device_changes_nothing_but_the_place():
    X, y = xor_data(150, 5, 0.3)
    params = {"method": "mc", "n_draws": 2000, "theta": 0.15, "random_state": 0}
    one, two = (
        RashomonTreeClassifier(3, device=d, **params).fit(X, y) for d in (None, "cpu")
    )
    assert_allclose(one.log_ratio_, two.log_ratio_, rtol=1e-12)
    assert_array_equal(one.member_predictions(X), two.member_predictions(X))
