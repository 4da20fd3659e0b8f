"""Equal columns count alike: nothing about a copy is hidden by its original."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.rashomon import RashomonTreeClassifier
from tests.rashomon.trees._brute_force import full_trees, sparse_trees

THETA = 0.08


def with_copy(rng, n=40):
    """Yes-or-no features of which the last repeats the first."""
    X = rng.integers(0, 2, (n, 3)).astype(float)
    X = np.c_[X, X[:, 0]]
    return X, (X[:, 0] * X[:, 1] + (rng.random(n) < 0.2) > 0).astype(int)


def fit(X, y, **params):
    params = {"max_depth": 2, "theta": THETA, "random_state": 0} | params
    return RashomonTreeClassifier(**params).fit(X, y)


def enumerated(clf, X, y, new):
    """Mass of every tree of the set, its labels on new rows, its root."""
    bits = [np.stack([Z[:, f] <= t for f, t in clf.splits_], axis=1) for Z in (X, new)]
    bits = np.concatenate(bits)
    cost = 0.0
    if clf.space == "full":
        found = full_trees(bits, 2, 2, clf._splits.prior)
    else:
        found, cost = sparse_trees(bits, 2, 2), clf.alpha * len(y)
    loss = (found.labels[:, : len(y)] != y).sum(axis=1) + cost * found.leaves
    inside = loss <= loss.min() + clf.theta * len(y) + 1e-9
    mass = found.mass[inside] / found.mass[inside].sum()
    return mass, found.labels[inside][:, len(y) :], found.root[inside]


@pytest.mark.parametrize("space", ["full", "sparse"])
@pytest.mark.parametrize("prior", ["feature", "split"])
def test_copies_have_the_answers_of_enumeration(rng, space, prior):
    X, y = with_copy(rng)
    new = rng.integers(0, 2, (9, 4)).astype(float)  # where the copies differ
    clf = fit(X, y, space=space, split_prior=prior)
    mass, labels, root = enumerated(clf, X, y, new)
    assert [f for f, _ in clf.splits_] == [0, 1, 2, 3]
    votes = mass @ (labels == 1)
    assert_allclose(clf.vote_share(new)[:, 1], votes, atol=1e-12)
    assert_allclose(clf.ambiguity(new), (labels != labels[0]).any(axis=0).mean())
    differs = (labels != clf.best_.predict(new)).mean(axis=1)
    assert_allclose(clf.discrepancy(new), differs.max())
    shares = np.bincount(root[root >= 0], mass[root >= 0], minlength=4)
    assert_allclose(clf.feature_usage().root, shares, atol=1e-12)


@pytest.mark.parametrize("method", ["exact", "mc"])
def test_copies_are_used_alike(rng, method):
    X, y = with_copy(rng)
    clf = fit(X, y, method=method, n_members=4000)
    usage = clf.feature_usage()
    rtol = 1e-12 if method == "exact" else 0.1
    for name in ("root", "nodes"):
        assert usage[name][0] > 0
        assert_allclose(usage[name][3], usage[name][0], rtol=rtol)
    features = clf._splits.feature[clf.sample(4000, random_state=1).arrays.split]
    nodes = np.bincount(features.ravel(), minlength=4) / 4000
    assert_allclose(nodes, usage.nodes, atol=0.1)


def test_copies_have_the_same_reliance(rng):
    X = with_copy(rng)[0]
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    one, two = fit(X[:, :3], y, theta=0.02), fit(X, y, theta=0.02)
    alone = one.model_class_reliance(X[:, :3], y, random_state=0)
    found = two.model_class_reliance(X, y, random_state=0)
    assert alone[0, 0] > 0  # no good tree can do without the feature
    assert found[0, 0] < 1e-12  # but it can without one of two copies
    assert found[0, 1] >= alone[0, 1] - 1e-12
    assert_allclose(found[0], found[3], atol=1e-12)
    moved, rng = np.tile(X, (5, 1)), np.random.RandomState(0)
    moved[:, 0] = np.concatenate([X[rng.permutation(len(y)), 0] for _ in range(5)])
    _, labels, _ = enumerated(two, X, y, np.concatenate([X, moved]))
    wrong = labels != np.tile(y, 6)
    added = wrong[:, len(y) :].mean(axis=1) - wrong[:, : len(y)].mean(axis=1)
    assert_allclose(found[0], [added.min(), added.max()], atol=1e-12)


def test_copies_leave_the_trees_as_they_are(rng):
    X, y = with_copy(rng)
    uniform = {"split_prior": "split", "exact_counts": True}
    one, two = fit(X, y, **uniform), fit(X, y, repeats=False, **uniform)
    assert one.splits_ == two.splits_
    bits = np.stack([X[:, f] <= t for f, t in one.splits_], axis=1)
    loss = full_trees(bits, 2, 2).losses(y, np.ones(len(y)))
    assert one.count_ == (loss <= loss.min() + THETA * len(y) + 1e-9).sum()
    exact, sampled = (
        one.pattern_ratio(method=method, random_state=0)
        for method in ("exact", "sampled")
    )
    assert_allclose(sampled.ratio, exact.ratio, rtol=0.05)
    curve = fit(X, y, method="mc", theta=0.2).multiplicity_at(X, [THETA, 0.2])
    assert (np.diff(curve.ambiguity) >= 0).all()
