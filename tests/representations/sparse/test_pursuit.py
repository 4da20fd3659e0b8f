"""Few atoms for each row, beside closed forms, loops and scipy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from sklearn_ext.representations._sparse._dictionary import Dictionary, squares
from sklearn_ext.representations._sparse._pursuit import (
    MANY_SWEEPS,
    Choice,
    Rule,
    as_sparse,
    pursue,
    refit,
    saved_by,
)
from tests.representations.sparse.conftest import unit


def run(X, D, rule):
    return pursue(X @ D.T, squares(X), D @ D.T, rule)


def loop(x, D, rule):
    """Matching pursuit of one row, word for word."""
    left, atoms, gains = x.copy(), [], []
    price = np.broadcast_to(rule.price, len(D))
    for _ in range(rule.depth):
        products = D @ left
        if rule.positive:
            products = np.maximum(products, 0)
        net = products**2 - price
        net[atoms] = -np.inf
        j = net.argmax()
        if net[j] < 0 or products[j] == 0:
            break
        atoms.append(int(j))
        second = max(0, np.delete(net, j).max())
        own = np.ndim(rule.price) > 0  # then: what the row would have paid
        gains.append(products[j] ** 2 - (second if own else 0))
        left = left - products[j] * D[j]
    return atoms, gains


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("price", [0.0, 0.2, "own"])
def test_steps_are_those_of_a_slow_loop(rng, positive, price):
    X, D = rng.standard_normal((40, 12)), unit(rng.standard_normal((25, 12)))
    price = rng.uniform(0, 1, 25) if price == "own" else price
    rule = Rule(9, price, positive)
    choice = run(X, D, rule)
    for i, x in enumerate(X):
        atoms, gains = loop(x, D, rule)
        if np.ndim(price) == 0:  # a row stops when a step is not worth its price
            assert choice.count[i] == len(atoms)
            gains = np.minimum.accumulate(gains) if gains else gains
        assert_array_equal(choice.atoms[: len(atoms), i], atoms)
        assert_allclose(choice.gains[: len(atoms), i], gains, rtol=1e-10)
        assert (choice.gains[len(atoms) :, i] == 0).all()


def test_one_atom_in_closed_form(rng):
    x, D = rng.standard_normal((1, 6)), unit(rng.standard_normal((1, 6)))
    for sign in (1, -1):
        D = sign * D
        product = float(x[0] @ D[0])
        choice = run(x, D, Rule(1))
        coefs, saved = refit(choice, D @ D.T, True)
        assert choice.count[0] == (product > 0)
        assert_allclose(coefs.ravel(), max(product, 0), rtol=1e-12)
        assert_allclose(saved, max(product, 0) ** 2, rtol=1e-12)


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_orthonormal_atoms_are_hard_thresholding(rng, positive, orthogonal):
    D, _ = np.linalg.qr(rng.standard_normal((10, 10)))
    X, price = rng.standard_normal((30, 10)), 0.5
    rule = Rule(10, price, positive, orthogonal)
    choice = run(X, D, rule)
    coefs, saved = refit(choice, D @ D.T, positive)
    codes = as_sparse(choice, coefs, 10).toarray()
    P = X @ D.T
    expected = np.where((price <= P**2) & ((P > 0) | (not positive)), P, 0)
    assert_allclose(codes, expected, atol=1e-12)
    error = np.square(X - codes @ D).sum()
    assert_allclose(error, np.square(X).sum() - np.square(expected).sum(), rtol=1e-12)
    assert_allclose(squares(X) - saved, np.square(X - codes @ D).sum(axis=1))


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_refit_is_least_squares_on_the_support(rng, positive, orthogonal):
    X, D = rng.standard_normal((60, 30)), unit(rng.standard_normal((50, 30)))
    choice = run(X, D, Rule(7, 0.3, positive, orthogonal))
    coefs, saved = refit(choice, D @ D.T, positive, MANY_SWEEPS)
    for i, x in enumerate(X):
        n = choice.count[i]
        support = D[choice.atoms[:n, i]].T
        if positive:
            expected = optimize.nnls(support, x)[0]
        else:
            expected = np.linalg.lstsq(support, x, rcond=None)[0]
        assert_allclose(coefs[:n, i], expected, atol=1e-6)
        error = np.square(x - support @ expected).sum()
        assert_allclose(x @ x - saved[i], error, atol=1e-8)
    assert_allclose(saved_by(choice, D @ D.T, coefs), saved, rtol=1e-12)


def test_orthogonal_pursuit_knows_what_a_step_saves(rng):
    X, D = rng.standard_normal((20, 15)), unit(rng.standard_normal((30, 15)))
    choice = run(X, D, Rule(5, 0.0, False, True))
    for steps in (1, 2, 5):
        _, saved = refit(choice.cut(steps), D @ D.T, False, MANY_SWEEPS)
        # gains fall by definition: their sum is at most what is saved
        assert (choice.gains[:steps].sum(axis=0) <= saved * (1 + 1e-3)).all()
    _, plain = refit(run(X, D, Rule(5, 0.0, False)), D @ D.T, False, MANY_SWEEPS)
    assert saved.sum() > plain.sum()


@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_price_stops_where_a_cut_would(rng, orthogonal):
    X, D = rng.standard_normal((200, 15)), unit(rng.standard_normal((40, 15)))
    whole = run(X, D, Rule(12, 0.0, True, orthogonal))
    price = 0.4
    stopped = run(X, D, Rule(12, price, True, orthogonal))
    assert_array_equal(stopped.count, (whole.gains >= price).sum(axis=0))
    assert_allclose(stopped.gains, whole.cut(stopped.count).padded(12).gains)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_rows_do_not_feel_their_batch(rng, batch_size):
    X, D = rng.standard_normal((90, 15)), unit(rng.standard_normal((40, 15)))
    rule = Rule(6, 0.3)
    order = rng.permutation(90)
    one = Dictionary(D, np.zeros(15), 128).choose(X, rule)
    other = Dictionary(D, np.zeros(15), batch_size).choose(X[order], rule)
    assert_array_equal(one.count[order], other.count)
    assert_allclose(one.gains[:, order], other.padded(len(one.gains)).gains)


def test_rows_without_anything_have_no_atoms():
    D = np.eye(3)
    X = np.array([[0.0, 0, 0], [-1, -2, -3], [0, 2, 0]])
    choice = run(X, D, Rule(3))
    assert_array_equal(choice.count, [0, 0, 1])
    codes = as_sparse(choice, refit(choice, np.eye(3), True)[0], 3)
    assert_array_equal(codes.toarray(), [[0, 0, 0], [0, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_not_pursued(rng, dtype):
    D = unit(rng.standard_normal((20, 8))).astype(dtype)
    X = (3 * D[:5] + D[5:10]).astype(dtype)
    choice = run(X, D, Rule(20, 0.0, False, True))
    assert (choice.count < 20).all()


def test_joined_rows_stand_side_by_side(rng):
    X, D = rng.standard_normal((9, 5)), unit(rng.standard_normal((8, 5)))
    parts = [run(X[:4], D, Rule(3)), run(X[4:], D, Rule(5))]
    both = Choice.join(parts)
    assert both.atoms.shape == (5, 9)
    assert_array_equal(both.count, [*parts[0].count, *parts[1].count])
