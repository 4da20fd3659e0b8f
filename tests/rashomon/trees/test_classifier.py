"""The tree classifier: its numbers and its invariances."""

import pickle
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.rashomon import RashomonTreeClassifier
from tests._marks import CALLBACKS
from tests.rashomon.trees._brute_force import full_trees


def small(rng, n=40, p=3, k=2):
    X = rng.integers(0, 3, (n, p)).astype(float)
    return X, rng.integers(0, k, n)


def fit(X, y, weight=None, **params):
    params = {"max_depth": 2, "random_state": 0} | params
    return RashomonTreeClassifier(**params).fit(X, y, weight)


def every_tree(clf, X, y, k=2):
    bits = np.stack([X[:, f] <= t for f, t in clf.splits_], axis=1)
    found = full_trees(bits, k, 2, clf._splits.prior)
    return found, found.losses(np.searchsorted(clf.classes_, y), np.ones(len(y)))


@pytest.mark.parametrize("k", [2, 3])
def test_everything_equals_enumeration(rng, k):
    X, y = small(rng, k=k)
    clf = fit(X, y, theta=0.1)
    found, loss = every_tree(clf, X, y, k)
    n = len(y)
    inside = loss <= loss.min() + 0.1 * n + 1e-9
    mass = found.mass * inside / (found.mass * inside).sum()
    assert clf.exact_
    assert clf.method_ == "exact"
    assert_allclose(clf.min_loss_, loss.min() / n)
    assert_allclose(clf.ratio_, found.mass[inside].sum(), rtol=1e-12)
    assert clf.log_ratio_interval_ == (clf.log_ratio_, clf.log_ratio_)
    assert_allclose(clf.information_bits_, -np.log2(clf.ratio_))
    for theta in (0.0, 0.05, 0.1, 0.2, 0.9):  # beyond the fitted theta too
        share = found.mass[loss <= loss.min() + theta * n + 1e-9].sum()
        assert_allclose(clf.log_ratio_at(theta), np.log(share), atol=1e-12)
    votes = np.stack([mass @ (found.labels == c) for c in range(k)], axis=1)
    assert_allclose(clf.vote_share(X), votes, atol=1e-12)
    assert_allclose(clf.ambiguity(X), ((votes > 0).sum(axis=1) > 1).mean())
    best = clf.best_.predict(X)
    differs = (clf.classes_[found.labels] != best).mean(axis=1)
    assert_allclose(clf.discrepancy(X), differs[inside].max())
    assert_allclose(clf.discrepancy(X, baseline=best), differs[inside].max())
    group = X[:, 0] > 0
    rate = found.labels == k - 1
    gap = rate[:, group].mean(axis=1) - rate[:, ~group].mean(axis=1)
    assert_allclose(clf.parity_range(X, group), [gap[inside].min(), gap[inside].max()])
    usage = clf.feature_usage()
    root = np.bincount(clf._splits.feature[found.root], mass, minlength=X.shape[1])
    assert_allclose(usage.root, root, atol=1e-12)
    assert_allclose(usage.nodes.sum(), 3)


def test_model_class_reliance_equals_enumeration(rng):
    X, y = small(rng)
    clf = fit(X, y, theta=0.05)
    loss = every_tree(clf, X, y)[1]
    order = np.random.RandomState(3)
    orders = [order.permutation(len(y)) for _ in range(2)]
    reliance = clf.model_class_reliance(X, y, n_repeats=2, random_state=3)
    members = [
        clf.members_[i] for i in range(len(clf.members_))
    ]  # inside the set, so within the range
    for feature in range(X.shape[1]):
        added = np.zeros(len(members))
        for o in orders:
            moved = X.copy()
            moved[:, feature] = X[o, feature]
            added += [
                (m.predict(moved) != y).mean() - (m.predict(X) != y).mean()
                for m in members
            ]
        added /= 2
        assert reliance[feature, 0] <= added.min() + 1e-12
        assert added.max() <= reliance[feature, 1] + 1e-12
    # the range itself: enumerate trees and permuted rows
    bits = np.stack([X[:, f] <= t for f, t in clf.splits_], axis=1)
    inside = loss <= loss.min() + 0.05 * len(y) + 1e-9
    columns = clf._splits.feature == 0
    added = np.zeros(inside.sum())
    for o in orders:
        moved = bits.copy()
        moved[:, columns] = bits[o][:, columns]
        both = full_trees(np.concatenate([bits, moved]), 2, 2, clf._splits.prior)
        wrong = both.labels[inside] != np.tile(y, 2)
        added += wrong[:, len(y) :].mean(axis=1) - wrong[:, : len(y)].mean(axis=1)
    assert_allclose(reliance[0], [added.min() / 2, added.max() / 2], atol=1e-12)


def test_exact_counts_and_log_count(rng):
    X, y = small(rng)
    clf = fit(X, y, exact_counts=True, split_prior="split", theta=0.1)
    loss = every_tree(clf, X, y)[1]
    inside = (loss <= loss.min() + 4 + 1e-9).sum()
    assert clf.count_ == inside
    assert_allclose(clf.log_count_, np.log(inside))
    assert_allclose(
        fit(X, y, split_prior="split", theta=0.1).log_count_, np.log(inside)
    )
    assert fit(X, y).count_ is None


def test_pattern_ratio(rng):
    X, y = small(rng, n=25)
    clf = fit(X, y, theta=0.1)
    found, loss = every_tree(clf, X, y)
    inside = loss <= loss.min() + 2.5 + 1e-9
    exact = clf.pattern_ratio()
    assert exact.n_total == len(np.unique(found.labels, axis=0))
    assert exact.n_inside == len(np.unique(found.labels[inside], axis=0))
    assert exact.exact
    sampled = clf.pattern_ratio(method="sampled", n_samples=5000, random_state=0)
    assert not sampled.exact
    assert abs(sampled.n_inside / exact.n_inside - 1) < 0.1
    with pytest.raises(ValueError, match="more than max_patterns=10 patterns"):
        clf.pattern_ratio(max_patterns=10)


def test_sparse_space_objective_and_best(rng):
    X, y = small(rng)
    clf = fit(X, y, space="sparse", alpha=0.05, theta=0.05)
    leaves = (clf.members_.arrays.label >= 0).sum(axis=1)
    wrong = (clf.member_predictions(X) != y).sum(axis=1)
    objective = (wrong + 2 * leaves) / 40
    assert (objective <= clf.threshold_loss_ + 1e-9).all()
    best = (clf.best_.predict(X) != y).mean()
    assert best <= clf.min_loss_ <= best + 0.05 * 4
    with pytest.raises(ValueError, match="pattern_ratio needs space='full'"):
        clf.pattern_ratio()


def test_weights_equal_repetition_bit_for_bit(rng):
    X, y = small(rng)
    w = rng.integers(0, 4, len(y))
    one, two = fit(X, y, w), fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert one.log_ratio_ == two.log_ratio_
    assert_array_equal(one.log_cdf_, two.log_cdf_)
    assert one.splits_ == two.splits_


def test_invariances(rng):
    X, y = small(rng)
    base = fit(X, y)
    order = rng.permutation(len(y))
    assert_allclose(fit(X[order], y[order]).log_ratio_, base.log_ratio_, rtol=1e-12)
    names = np.array(["b", "a"])[y]
    assert_allclose(fit(X, names).log_ratio_, base.log_ratio_, rtol=1e-12)
    assert_allclose(fit(-X, y).log_ratio_, base.log_ratio_, rtol=1e-12)
    thetas = np.linspace(0, 1, 9)
    logs = base.log_ratio_at(thetas)
    assert (np.diff(logs) >= 0).all()
    assert logs[-1] == 0.0


def test_relative_theta_and_reference_loss(rng):
    X, y = small(rng)
    base = fit(X, y, theta=0.1)
    relative = fit(X, y, theta=0.1 / base.min_loss_, theta_mode="relative")
    assert_allclose(relative.log_ratio_, base.log_ratio_)
    moved = fit(X, y, theta=0.1 - 0.025, reference_loss=base.min_loss_ + 0.025)
    assert_allclose(moved.log_ratio_, base.log_ratio_)


def test_empty_set_warns_and_predicts_with_the_best(rng):
    X, y = small(rng)
    with pytest.warns(RuntimeWarning, match="The Rashomon set is empty: the smallest"):
        clf = fit(X, y, reference_loss=0.0, theta=0.01)
    assert clf.log_ratio_ == -np.inf
    assert clf.ratio_ == 0
    assert_array_equal(clf.predict(X), clf.best_.predict(X))
    with pytest.raises(ValueError, match="The Rashomon set is empty"):
        clf.sample(3)


def test_constant_features_leave_constant_trees():
    clf = fit(np.zeros((10, 2)), np.arange(10) > 3, theta=0.0)
    assert_allclose(clf.ratio_, 0.5)
    assert clf.predict(np.zeros((1, 2)))[0]
    assert clf.hypothesis_space_["depth"] == 0


def test_depth_zero(rng):
    X, y = small(rng)
    clf = fit(X, y, max_depth=0, theta=0)
    assert_allclose(clf.min_loss_, min(y.mean(), 1 - y.mean()))
    assert clf.members_[0].n_leaves == 1
    assert clf.feature_usage().nodes.sum() == 0


def test_without_repeats(rng):
    X, y = small(rng)
    clf = fit(X, y, repeats=False)
    split = clf.members_.arrays.split
    assert (split[:, 0] != split[:, 1]).all()
    with pytest.raises(ValueError, match="max_depth=9 without repeats needs at least"):
        fit(X, y, repeats=False, max_depth=9)


def test_partial_fit_and_blocks_equal_one_fit(rng):
    X, y = small(rng, n=60)
    params = {"thresholds": [[0.5, 1.5]] * 3, "max_depth": 2, "random_state": 0}
    whole = RashomonTreeClassifier(**params).fit(X, y)
    parts = RashomonTreeClassifier(**params)
    for rows in np.array_split(np.arange(60), 4):
        parts.partial_fit(X[rows], y[rows], classes=[0, 1])
    blocks = [(X[r], y[r]) for r in np.array_split(np.arange(60), 4)]
    other = RashomonTreeClassifier(**params).fit_blocks(blocks, classes=[0, 1])
    for clf in (parts, other):
        assert_array_equal(clf.log_cdf_, whole.log_cdf_)
        assert_array_equal(clf.predict_proba(X), whole.predict_proba(X))
    assert not hasattr(RashomonTreeClassifier(), "partial_fit")
    with pytest.raises(ValueError, match="first partial_fit needs classes"):
        RashomonTreeClassifier(**params).partial_fit(X, y)
    with pytest.raises(ValueError, match="not among the classes"):
        parts.partial_fit(X, y + 5)


def test_containers_agree(rng):
    X, y = small(rng)
    base = fit(X, y)
    for other in (sparse.csr_array(X), sparse.csc_matrix(X)):
        found = fit(other, y)
        assert found.log_ratio_ == base.log_ratio_
        assert_array_equal(found.predict_proba(other), base.predict_proba(X))
    for frame in (pd.DataFrame(X), pl.DataFrame(X)):
        named = frame.rename(columns=str) if isinstance(frame, pd.DataFrame) else frame
        found = fit(named, y)
        assert_array_equal(found.predict_proba(named), base.predict_proba(X))
        text = found.members_[0].to_text()
        assert found.feature_names_in_[0] in text or "class" in text


def test_voting_modes():
    X, y = load_iris(return_X_y=True)
    members = fit(X, y, n_members=4000)
    exact = fit(X, y, voting="exact")
    assert_allclose(members.predict_proba(X), exact.predict_proba(X), atol=0.05)
    assert_allclose(exact.predict_proba(X), exact.vote_share(X))
    best = fit(X, y, voting="best")
    assert_allclose(1 - best.score(X, y), best.min_loss_)
    simplest = fit(X, y, voting="simplest")
    fewest = min(simplest.members_, key=lambda tree: tree.n_leaves)
    assert_array_equal(simplest.predict(X), fewest.predict(X))


def test_votes_for_unknown_patterns_match_members(rng):
    X, y = small(rng, p=5)
    clf = fit(X, y, n_members=5000, theta=0.1)
    new = rng.integers(0, 3, (30, 5)).astype(float)
    assert_allclose(clf.vote_share(new), clf.predict_proba(new), atol=0.04)


def test_members_and_texts(rng):
    X, y = load_iris(return_X_y=True)
    clf = fit(X, y)
    trees = clf.sample(5, random_state=1)
    assert len(trees) == len(list(trees)) == 5
    assert_array_equal(trees[:2][1].predict(X), trees[1].predict(X))
    assert ((trees[0].predict(X) != y).mean()) <= clf.threshold_loss_ + 1e-9
    again = pickle.loads(pickle.dumps(trees[0]))
    assert again.to_text() == trees[0].to_text()
    assert "feature_" in clf.best_.to_text()
    named = fit(pd.DataFrame(X, columns=list("uvwx")), y)
    text = named.best_.to_text()
    assert any(f"{name} <= " in text for name in "uvwx")
    assert text == named.best_.to_text("uvwx")
    assert clf.best_.n_leaves <= 4
    smaller = clf.sample(50, theta=0.0, random_state=0)
    for tree in smaller:
        assert_allclose((tree.predict(X) != y).mean(), clf.min_loss_)


def test_summary_names_the_space(rng):
    X, y = small(rng)
    text = str(fit(X, y).summary())
    assert "log10 Rashomon ratio" in text
    assert "(exact; method exact)" in text
    assert "complete trees" in text
    assert "prior=feature" in text


def test_bounds_for_real_weights(rng):
    X, y = small(rng)
    w = rng.random(len(y))
    clf = fit(X, y, w, theta=0.1)
    assert clf.method_ == "bracket"
    assert clf.interval_kind_ == "bound"
    found, _ = every_tree(clf, X, y)
    loss = found.losses(y, w)
    exact = np.log(found.mass[loss <= loss.min() + 0.1 * w.sum()].sum())
    low, high = clf.log_ratio_interval_
    assert low - 1e-9 <= exact <= high + 1e-9
    assert low <= clf.log_ratio_ <= high  # also where both bounds count the same trees
    with pytest.warns(UserWarning, match="The loss grid is coarse"):
        fit(X, y, w, theta=0.02, loss_grid=8, max_depth=4)


def test_class_weight_balanced_equals_dict(rng):
    X, y = small(rng)
    n = np.bincount(y)
    auto = fit(X, y, class_weight="balanced")
    given = fit(X, y, class_weight={0: len(y) / 2 / n[0], 1: len(y) / 2 / n[1]})
    assert_allclose(auto.log_ratio_, given.log_ratio_)


def test_more_label_noise_enlarges_the_set_on_moons():
    X, y = make_moons(2000, noise=0.2, random_state=0)
    flip = np.random.default_rng(0).random(2000) < 0.3
    clean, noisy = (fit(X, t, max_depth=3) for t in (y, np.where(flip, 1 - y, y)))
    assert noisy.log10_ratio_ - clean.log10_ratio_ > 1


def test_search_over_depth_and_theta():
    X, y = load_breast_cancer(return_X_y=True)
    grid = {"rashomontreeclassifier__max_depth": [1, 2]}
    pipe = make_pipeline(StandardScaler(), RashomonTreeClassifier(random_state=0))
    search = GridSearchCV(pipe, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.85


def test_clone_keeps_everything():
    clf = RashomonTreeClassifier(2, theta=0.1, thresholds=[[1.0]])
    assert clone(clf).get_params()["thresholds"] == [[1.0]]


def test_merge_equals_one_fit(rng):
    X, y = rng.normal(size=(60, 2)), rng.integers(2, size=60)
    make = lambda: RashomonTreeClassifier(2, thresholds=[[-1, 0], [0, 1]])  # noqa: E731
    halves = [make().fit(X[:30], y[:30]), make().fit(X[30:], y[30:])]
    merged, whole = halves[0].merge(halves[1]), make().fit(X, y)
    assert merged.log_ratio_ == whole.log_ratio_
    other = RashomonTreeClassifier(2, thresholds=[[-1, 0.5], [0, 1]]).fit(X, y)
    before = merged.log_ratio_
    with pytest.raises(ValueError, match="merge needs models with equal thresholds"):
        merged.merge(other)
    assert merged.log_ratio_ == before
    assert not hasattr(RashomonTreeClassifier(), "merge")


class Progress:
    """A callback that counts, and stops the fit after some parts."""

    def __init__(self, stop_after=np.inf):
        self.stop_after, self.seen, self.of = stop_after, 0, None

    def setup(self, estimator, context):
        self.seen, self.of = 0, context.max_subtasks

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.seen += context.parent is not None
        return self.seen >= self.stop_after

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize(
    "params",
    [
        {"max_depth": 4},
        {"max_depth": 2},
        {"max_depth": 3, "loss_grid": 64},
        {"max_depth": 3, "method": "mc", "n_draws": 20_000},
        {"max_depth": 3, "method": "smc", "n_replicates": 4},
    ],
)
@CALLBACKS
def test_callbacks_see_every_part_of_the_work(rng, params):
    X, y = small(rng, n=100)
    params = {"theta": 0.2, "random_state": 0} | params
    clf, bar = RashomonTreeClassifier(**params), Progress()
    clf.set_callbacks(bar).fit(X, y)
    assert bar.seen == bar.of == 20
    log_ratio = clf.log_ratio_
    with pytest.raises(RuntimeError, match="A callback stopped the fit, which has no"):
        clf.set_callbacks(Progress(3)).fit(X[:50], y[:50])
    assert clf.log_ratio_ == log_ratio
    assert clf.set_callbacks().fit(X, y).log_ratio_ == log_ratio


def test_what_predictions_found_is_not_stored(rng):
    X, y = small(rng)
    clf = fit(X, y, theta=0.1)
    before = pickle.dumps(clf)
    clf.vote_share(X), clf.feature_usage(), clf.predict(X)
    assert pickle.dumps(clf) == before


def test_samples_are_of_the_fitted_set_whatever_set_params_said_later(rng):
    X, y = small(rng)
    clf = fit(X, y, theta=0.05)
    before = clf.sample(20, random_state=0).arrays
    clf.set_params(theta=0.4, reference_loss=0.5)
    after = clf.sample(20, random_state=0).arrays
    assert_array_equal(after.split, before.split)
    assert_array_equal(after.label, before.label)


@pytest.mark.filterwarnings("ignore:The loss grid is coarse")
def test_extremes_of_deep_sparse_trees_with_weights_hold_those_of_members(rng):
    X, y = small(rng, k=3)
    weight, values = rng.random(len(y)), rng.normal(size=(len(y), 3))
    clf = fit(X, y, weight, max_depth=3, space="sparse", alpha=0.01, n_members=20)
    label = np.searchsorted(clf.classes_, clf.member_predictions(X))
    sums = values[np.arange(len(y)), label].sum(axis=1)
    low, high = clf.extremes(X, values)
    assert low <= sums.min() + 1e-9
    assert high >= sums.max() - 1e-9


def test_nothing_is_computed_before_it_is_read(rng):
    X, y = small(rng)
    clf = fit(X, y, exact_counts=True, split_prior="split")
    asked = "sklearn_ext.rashomon._trees._sets.ExactTreeSet.count"
    with mock.patch(asked, side_effect=KeyError), pytest.raises(KeyError):
        assert clf.count_
    assert clf._read == {}
    assert clf.count_ == round(np.exp(fit(X, y, split_prior="split").log_count_))
    assert clf.members_.arrays is clf.members_.arrays
    again = pickle.loads(pickle.dumps(clf))
    assert again._read == {}
    assert_array_equal(again.members_.arrays.split, clf.members_.arrays.split)


def test_views_draw_no_trees_and_count_none(rng):
    X, y = small(rng)
    clf = fit(X, y, exact_counts=True)
    late = {"members_", "best_", "count_", "log_count_", "loss_grid_", "log_cdf_"}
    clf._repr_html_()
    assert not late & set(dir(clf))
    assert clf._read == {}
    assert clf.count_ > 0
    assert clf.best_ is not None
    assert late & set(dir(clf)) == {"count_", "log_count_", "best_"}
    assert {"count_", "log_count_"} <= set(dir(fit(X, y)))  # nothing to count there
