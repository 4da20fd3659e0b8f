"""Codes by one product: ridge, lengths, a threshold."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_wine

from sklearn_ext.representations import SparseAutoencoder
from sklearn_ext.representations._sparse._dictionary import CodeStatistics, Dictionary
from sklearn_ext.representations._sparse._linear import RIDGE, LinearEncoder
from sklearn_ext.representations._sparse._pursuit import Rule, as_sparse
from tests.representations.sparse.conftest import unit


@pytest.fixture
def made(rng):
    X = rng.standard_normal((600, 8))
    dictionary = Dictionary(unit(rng.standard_normal((20, 8))), X.mean(axis=0), 32)
    sums = CodeStatistics.of(X, dictionary, Rule(3), with_rows=True)
    return X, dictionary, LinearEncoder.of(dictionary, sums)


def test_the_map_is_ridge_of_codes_on_rows(made):
    X, dictionary, encoder = made
    rows = dictionary.centred(X)
    choice = dictionary.choose(rows, Rule(3))
    Z = as_sparse(choice, dictionary.fit(choice, Rule(3))[0], 20).toarray()
    penalty = RIDGE * np.square(rows).sum() / 8
    expected = np.linalg.solve(rows.T @ rows + penalty * np.eye(8), rows.T @ Z)
    assert_allclose(encoder.coef, expected.T, atol=1e-10)
    assert_allclose(encoder.intercept, Z.mean(axis=0), atol=1e-12)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("price", [0.0, 0.05, "own"])
def test_the_largest_scores_are_kept(made, rng, positive, price):
    X, dictionary, encoder = made
    rows = dictionary.centred(X)
    price = rng.uniform(0, 0.1, 20) if price == "own" else price
    choice = encoder.choose(rows, Rule(5, price, positive))
    codes = as_sparse(choice, choice.coefs, 20).toarray()
    scores = rows @ encoder.coef.T + encoder.intercept
    scores = np.maximum(scores, 0) if positive else scores
    paid = np.where((scores**2 >= price), scores**2, 0)
    fifth = np.sort(paid, axis=1)[:, -5][:, None]
    assert_allclose(codes, np.where((paid >= fifth) & (paid > 0), scores, 0))
    saved = encoder.fit(choice, Rule(5))[1]
    left = np.square(rows - codes @ dictionary.atoms).sum(axis=1)
    assert_allclose(np.square(rows).sum(axis=1) - saved, left)


def test_stretched_codes_fit_best(made):
    X, dictionary, encoder = made
    rows, rule = dictionary.centred(X), Rule(3, 0.02)
    choice = encoder.choose(rows, rule)
    Z = as_sparse(choice, choice.coefs, 20).toarray()
    sums = CodeStatistics.of(X, encoder, rule)
    factor = encoder.stretched(sums)[0].intercept / encoder.intercept

    def error(s):
        return np.square(rows - (Z * s) @ dictionary.atoms).sum()

    best = error(factor)
    assert best < 0.95 * error(1.0)
    for j in range(20):
        for step in (0.9, 1.1):
            other = factor.copy()
            other[j] *= step
            assert error(other) >= best * (1 - 1e-4)


@pytest.mark.parametrize("allocation", ["mutual", "row", "feature"])
def test_one_product_codes_new_rows(allocation):
    X = load_digits(return_X_y=True)[0][:900]
    model = SparseAutoencoder(
        60,
        n_nonzero_coefs=5,
        encoder="linear",
        allocation=allocation,
        price="train",
        max_iter=5,
        random_state=0,
    ).fit(X)
    codes = model.transform(X).toarray()
    scores = (X - model.mean_) @ model.encoder_coef_.T + model.encoder_intercept_
    kept = np.maximum(scores, 0)
    if allocation == "row":
        kept = np.where(kept >= np.sort(kept, axis=1)[:, [-5]], kept, 0)
    else:
        kept = np.where(kept**2 >= model.price_, kept, 0)
    assert_allclose(codes, kept, atol=1e-9)
    assert 4 < (codes != 0).sum() / len(X) <= 5.01
    assert model.score(X) > -0.4
    plain = SparseAutoencoder(60, n_nonzero_coefs=5, max_iter=5, random_state=0).fit(X)
    assert plain.score(X) > model.score(X)
    assert not hasattr(model.set_params(encoder="pursuit").fit(X), "encoder_coef_")
    assert_array_equal(model.components_.shape, (60, 64))


@pytest.mark.parametrize("allocation", ["mutual", "row"])
def test_longer_codes_are_taken_only_where_they_explain_more(allocation):
    """On a raw table one column is all the variance, and most features say the same."""
    X = load_wine().data
    model = SparseAutoencoder(encoder="linear", allocation=allocation, random_state=0)
    assert model.fit(X).score(X) > -0.3
