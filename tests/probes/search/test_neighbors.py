"""Nearest distinct rows, against scikit-learn and against repetition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier

from sklearn_ext.probes._search._neighbors import NearestRows


def table(rng, n=80):
    X, y = rng.normal(size=(n, 4)), rng.integers(0, 3, n)
    return X + y[:, None], np.array(["a", "b", "c"])[y], rng.normal(size=(30, 4)) + 1


def test_votes_are_those_of_scikit_learn_and_one_more(rng):
    X, y, new = table(rng)
    found = NearestRows(7).fit(X, y).predict_proba(new)
    votes = 7 * KNeighborsClassifier(7).fit(X, y).predict_proba(new)
    shares = np.unique(y, return_counts=True)[1] / len(y)
    assert_allclose(found, (votes + shares) / 8)


@pytest.mark.parametrize("factor", [1, 0.01])
def test_weights_are_repetition_on_any_scale(rng, factor):
    X, y, new = table(rng)
    w = rng.integers(0, 4, 80)
    weighted = NearestRows().fit(X, y, factor * w).predict_proba(new)
    repeated = NearestRows().fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(weighted, repeated.predict_proba(new))


def test_equal_rows_of_two_classes_vote_for_both():
    X, y = np.array([[0.0], [0.0], [5.0], [9.0]]), np.array([0, 1, 1, 1])
    found = NearestRows(1).fit(X, y).predict_proba([[0.1]])
    votes = np.array([0.75 + 0.25, 0.75 + 0.75])  # weights are 4 / 3 in the mean
    assert_allclose(found, [votes / votes.sum()])


def test_few_rows_sparse_rows_and_their_order(rng):
    X, y, new = table(rng, 5)
    head = NearestRows().fit(X, y)
    thin = NearestRows().fit(sparse.csr_array(X), y)
    assert_allclose(thin.predict_proba(sparse.csr_array(new)), head.predict_proba(new))
    order = rng.permutation(5)
    assert_array_equal(
        NearestRows().fit(X[order], y[order]).predict(new), head.predict(new)
    )
    assert (head.predict_proba(new) > 0).all()
