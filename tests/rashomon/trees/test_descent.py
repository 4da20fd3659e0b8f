"""Draws and shares of the recursion against every tree of small spaces."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sklearn_ext.rashomon._trees._descent import draw_trees, tree_shares
from tests.rashomon.trees._cases import CASES, COMPLETE, SPARSE, Case


@pytest.mark.parametrize("case", CASES)
def test_shares_equal_enumeration(rng, case):
    c = Case(rng, *case)
    threshold = c.loss.min() + 3
    shares, mass = tree_shares(c.expanded(threshold)), c.inside(threshold)
    for label in range(case[2]):
        expected = mass @ (c.all.labels == label)
        assert_allclose(shares.votes[c.place, label], expected, atol=1e-12)
    root = np.bincount(c.all.root + 1, mass, minlength=case[0] + 1)[1:]
    if case[1]:
        assert_allclose(shares.root, root, atol=1e-12)
    if c.space.complete:
        assert_allclose(shares.nodes.sum(), 2 ** case[1] - 1)
    else:
        assert_allclose(shares.nodes.sum(), mass @ c.all.leaves - 1)


@pytest.mark.parametrize("case", COMPLETE)
def test_draws_are_uniform(case):
    c = Case(np.random.default_rng(5), *case, True)
    threshold, n_draws = c.loss.min() + 3, 20_000
    trees = draw_trees(c.expanded(threshold), n_draws, np.random.default_rng(0))
    drawn, mass = trees.predict(c.bits), c.inside(threshold)
    assert ((drawn != c.y) @ c.w <= threshold).all()
    every = np.concatenate([c.all.labels[mass > 0], drawn])
    kinds, key = np.unique(every, axis=0, return_inverse=True)
    expected = np.bincount(key[: (mass > 0).sum()], mass[mass > 0], len(kinds))
    seen = np.bincount(key[(mass > 0).sum() :], minlength=len(kinds))
    if len(kinds) > 1:
        assert stats.chisquare(seen, n_draws * expected).pvalue > 1e-3


@pytest.mark.parametrize("case", SPARSE)
def test_sparse_draws_match_enumeration(case):
    c = Case(np.random.default_rng(5), *case, False)
    threshold, n_draws = c.loss.min() + 3, 20_000
    trees = draw_trees(c.expanded(threshold), n_draws, np.random.default_rng(0))
    leaves = (trees.label >= 0).sum(axis=1)
    loss = (trees.predict(c.bits) != c.y) @ c.w + leaves
    assert (loss <= threshold).all()
    mass = c.inside(threshold)
    spread = np.sqrt(mass @ (c.all.leaves - mass @ c.all.leaves) ** 2 / n_draws)
    assert abs(leaves.mean() - mass @ c.all.leaves) <= 5 * spread + 1e-12
    histogram = np.bincount(loss.astype(int)) / n_draws
    expected = np.bincount(c.loss.astype(int), mass)[: len(histogram)]
    assert_allclose(histogram, expected, atol=0.02)
