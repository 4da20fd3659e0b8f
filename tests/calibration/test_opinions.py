"""Features of a prediction against loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_ext.calibration import _nearest
from sklearn_ext.calibration._nearest import Cells, search_in
from sklearn_ext.calibration._opinions import (
    Corruption,
    Familiarity,
    NeighborVote,
    corruption_features,
    familiarity_feature,
    numbers_of,
    own_features,
    vote_feature,
)


def table(n=150, p=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) * [1, 2, 3, 4, 5, 6, 7][:p], rng.integers(0, 3, n)


def vote_of(X, code, weight, k=10):
    vote = NeighborVote.of(X, code, weight, n_neighbors=k, n_classes=3)
    return lambda queries: vote(queries)[0]


def slow_votes(X, code, queries, k):
    Z, Q = X / X.std(axis=0), queries / X.std(axis=0)
    votes = np.zeros((len(Q), 3))
    for i, q in enumerate(Q):
        for j in np.argsort(((Z - q) ** 2).sum(axis=1))[:k]:
            votes[i, code[j]] += 1
    return votes


@pytest.mark.parametrize("p", [3, 7])  # a tree, and brute force
def test_votes_are_those_of_a_loop(p):
    X, code = table(p=p)
    queries = table(p=p, seed=1)[0]
    vote = vote_of(X, code, np.ones(len(X)))
    assert_allclose(vote(queries), slow_votes(X, code, queries, 10), atol=1e-9)


def test_weights_are_copies_and_order_does_not_matter():
    X, code = table()
    X = np.round(X)  # many rows at the same distance
    queries = np.round(table(seed=1)[0])
    times = np.random.default_rng(2).integers(1, 4, len(X))
    one = vote_of(X, code, times.astype(float))(queries)
    copied = np.random.default_rng(3).permutation(np.repeat(np.arange(len(X)), times))
    other = vote_of(X[copied], code[copied], np.ones(len(copied)))(queries)
    assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    assert_allclose(one.sum(axis=1), 10)


def test_rows_at_the_same_distance_share_what_is_left():
    X = np.array([[0.0], [1], [-1], [1.0], [5]])
    code, queries = np.array([0, 1, 2, 2, 0]), np.array([[0.0]])
    assert_allclose(vote_of(X, code, np.ones(5), k=2)(queries), [[1, 1 / 3, 2 / 3]])
    assert_allclose(vote_of(X, code, np.ones(5), k=99)(queries), [[2, 1, 2]])


def test_sparse_rows_vote_as_dense_ones():
    X, code = table()
    X[abs(X) < 2] = 0
    dense = vote_of(X, code, np.ones(len(X)))(X)
    assert_allclose(vote_of(sparse.csr_array(X), code, np.ones(len(X)))(X), dense)


def test_a_constant_column_says_nothing():
    X, code = table()
    wide = np.column_stack([X, np.full(len(X), 1e6)])
    w = np.ones(len(X))
    assert_allclose(vote_of(wide, code, w)(wide), vote_of(X, code, w)(X), atol=1e-9)


def test_the_vote_becomes_log_odds():
    votes = np.array([[10.0, 0, 0], [2, 5, 3]])
    found = vote_feature(votes, np.array([0, 2]))
    assert_allclose(found, [np.log(10.5 / 0.5), np.log(3.5 / 7.5)])


def test_own_features():
    proba = np.array([[0.2, 0.8], [0.6, 0.4]])
    score, label = own_features(proba, np.array([1, 0]))
    assert_allclose(score[:, 0], np.log([4, 1.5]))
    assert_allclose(label, [[1, np.log(4)], [0, 0]])
    score, label = own_features(np.array([[0.2, 0.5, 0.3]]), np.array([1]))
    p = np.array([0.2, 0.5, 0.3])
    assert_allclose(score, [[0, np.log(5 / 3), -(p * np.log(p)).sum()]], atol=1e-12)
    assert_allclose(label, [[0, 1, 0]])


def test_copies_depend_on_nothing_but_the_row():
    X, _ = table()
    rng = np.random.RandomState(0)
    copies_of = Corruption.of(X, np.ones(len(X)), n_draws=400, share=0.3, rng=rng)
    copies = copies_of(X).reshape(400, *X.shape)
    assert abs((copies != X).mean() - 0.3) < 0.03
    assert_allclose(copies_of(X[5:6]), copies[:, 5])
    for column in range(X.shape[1]):
        assert np.isin(copies[:, :, column], X[:, column]).all()
    proba = np.array([[[0.9, 0.1]], [[0.3, 0.7]]])
    found = corruption_features(proba, np.array([0]))
    assert_allclose(found, [[np.log(0.6 / 0.4), 0.5, 0.3]])


def test_what_cannot_be_near_is_said():
    with pytest.raises(ValueError, match="pass a pipeline with an imputer or an enc"):
        numbers_of(np.array([[np.nan, 1.0]]))
    with pytest.raises(ValueError, match="opinions='neighbors'"):
        numbers_of(np.array([["a", "b"]], dtype=object))


def test_cells_find_most_of_the_nearest_rows():
    rng = np.random.default_rng(0)
    X = 2000 + rng.normal(size=(8_300, 6)) @ rng.normal(size=(6, 8))
    queries, rows = X[:300], X[300:]
    cells = search_in(rows)
    assert isinstance(cells, Cells)
    distance, place = cells.kneighbors(queries, 10)
    assert_allclose(
        distance, np.linalg.norm(queries[:, None] - rows[place], axis=2), rtol=1e-3
    )
    squared = ((queries**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1)) - (
        2 * queries @ rows.T
    )
    exact = np.argpartition(squared, 10, axis=1)[:, :10]
    found = [len(set(a) & set(b)) / 10 for a, b in zip(place, exact, strict=True)]
    assert np.mean(found) > 0.8
    alone = cells.kneighbors(queries[7:8], 10)[1]
    assert set(alone[0]) == set(place[7])


def test_all_cells_are_an_exact_search(monkeypatch):
    X, _ = table(400)
    monkeypatch.setattr(_nearest, "N_PROBES", 10**6)
    distance, _ = Cells.of(X).kneighbors(X[:20], 5)
    slow = np.sort(np.linalg.norm(X[:20, None] - X, axis=2), axis=1)[:, :5]
    assert_allclose(distance, slow, rtol=1e-3, atol=1e-2)


def test_far_queries_are_answered():
    X, code = table(6000)
    vote = NeighborVote.of(X, code, np.ones(6000), n_neighbors=10, n_classes=3)
    assert isinstance(vote.search, Cells)
    for far in (1e3, 1e12, 1e300):
        votes, distance = vote(X[:3] * far)
        assert_allclose(votes.sum(axis=1), 10)
        assert (distance > 1).all()


@pytest.mark.parametrize("n", [300, 6000])
def test_an_offset_does_not_blur_distances(n):
    X, code = table(n)
    options = {"n_neighbors": 10, "n_classes": 3}
    here = NeighborVote.of(X, code, np.ones(n), **options)
    there = NeighborVote.of(X + 1e6, code, np.ones(n), **options)
    found = here(X[:500])[1], there(X[:500] + 1e6)[1]
    if n == 300:
        assert_allclose(*found, rtol=1e-6, atol=1e-6)
    else:  # the order of rows is another, and so are the cells
        assert_allclose(found[0].mean(), found[1].mean(), rtol=0.01)


def test_familiarity_is_a_share_of_rows():
    rng = np.random.default_rng(0)
    distance, times = rng.random(50), rng.integers(1, 4, 50)
    known = Familiarity.of(distance, times.astype(float))
    asked = np.r_[rng.random(20), distance[:3], 0.0, 9.0]
    copied = np.repeat(distance, times)
    slow = [(1 + (copied >= d - 1e-12).sum()) / (1 + len(copied)) for d in asked]
    assert_allclose(known(asked), slow)
    assert_allclose(familiarity_feature(known(asked))[-2:], [0, np.log(0.05)])


def test_the_distance_is_the_mean_of_those_that_vote():
    X = np.array([[0.0], [1], [3]])
    options = {"n_neighbors": 2, "n_classes": 2}
    vote = NeighborVote.of(X, np.array([0, 1, 1]), np.array([1, 2.0, 1]), **options)
    scale = np.sqrt(((X[:, 0] - 1.25) ** 2) @ [1, 2, 1] / 4)
    assert_allclose(vote(np.array([[0.0]]))[1], (0 + 1) / 2 / scale)


def test_many_equal_rows_share_a_cell():
    X = np.repeat(np.arange(4.0)[:, None], 50, axis=0) * np.ones(6)
    distance, _ = Cells.of(X).kneighbors(X[[0, 199]], 60)
    assert (distance[:, :50] == 0).all()
