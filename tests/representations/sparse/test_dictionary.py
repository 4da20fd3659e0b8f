"""Where atoms start, what a pass tells them, how they learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.representations._sparse._dictionary import (
    CodeStatistics,
    Dictionary,
    Start,
    chance,
    improve,
    is_held_out,
    revive,
)
from sklearn_ext.representations._sparse._pursuit import (
    MANY_SWEEPS,
    Rule,
    as_sparse,
)
from tests.representations.sparse.conftest import unit


def codes_of(dictionary, X, rule):
    rows = dictionary.centred(X)
    choice = dictionary.choose(rows, rule)
    coefs, _ = dictionary.fit(choice, rule)
    return rows, as_sparse(choice, coefs, len(dictionary.atoms)).toarray()


@pytest.fixture
def start(rng):
    X = rng.standard_normal((700, 8)) + 3
    D = unit(rng.standard_normal((20, 8)))
    return X, Dictionary(D, X.mean(axis=0), 32)


def test_statistics_are_what_they_say(start):
    X, dictionary = start
    rule = Rule(3)
    sums = CodeStatistics.of(X, dictionary, rule, with_rows=True)
    rows, Z = codes_of(dictionary, X, rule)
    left = rows - Z @ dictionary.atoms
    assert_allclose(sums.zz, Z.T @ Z, rtol=1e-10, atol=1e-10)
    assert_allclose(sums.zx, Z.T @ rows, rtol=1e-10, atol=1e-10)
    assert_allclose(sums.xx, rows.T @ rows, rtol=1e-10, atol=1e-10)
    assert_allclose(sums.z, Z.sum(axis=0))
    assert_array_equal(sums.usage, (Z != 0).sum(axis=0))
    assert_allclose(sums.error, np.square(left).sum())
    assert_allclose(sums.fvu, np.square(left).sum() / np.square(rows).sum())
    worst = np.sort(np.square(left).sum(axis=1))[::-1][: len(sums.rest)]
    assert_allclose(np.square(sums.rest).sum(axis=1), worst)


def test_statistics_of_parts_add_up(start):
    X, dictionary = start
    rule, mask = Rule(3), np.arange(700) % 3 > 0
    whole = CodeStatistics.of(X, dictionary, rule, mask=mask)
    parts = [
        CodeStatistics.of(X[at], dictionary, rule, mask=mask[at])
        for at in (slice(0, 100), slice(100, None))
    ]
    both = parts[0] + parts[1]
    for name in ("n_samples", "zz", "zx", "z", "usage", "error", "square", "rest"):
        assert_allclose(getattr(both, name), getattr(whole, name), atol=1e-10)
    assert_allclose((whole * 0.5).zz, whole.zz / 2)


def test_the_best_atoms_for_fixed_codes(start):
    """Without the pull to where they were: least squares."""
    X, dictionary = start
    sums = CodeStatistics.of(X, dictionary, Rule(3))
    rows, Z = codes_of(dictionary, X, Rule(3))
    expected = np.linalg.lstsq(Z, rows, rcond=None)[0]
    better = improve(dictionary, sums)
    cosine = (better.atoms * unit(expected)).sum(axis=1)
    assert cosine.min() > 0.99
    assert_allclose(np.linalg.norm(better.atoms, axis=1), 1, rtol=1e-12)


def test_every_step_lowers_the_error_of_fixed_codes(planted):
    X, _ = planted
    dictionary = Start.of(X, 60, 0).dictionary(30, 0.0, np.random.RandomState(0), 128)
    errors = []
    for _ in range(8):
        sums = CodeStatistics.of(X, dictionary, Rule(3))
        rows, Z = codes_of(dictionary, X, Rule(3))
        before = np.square(rows - Z @ dictionary.atoms).sum()
        better = improve(dictionary, sums)
        # the length of an atom is free: its codes take it up
        scale = np.linalg.lstsq(
            np.einsum("nm,md->ndm", Z, better.atoms).reshape(-1, 30),
            rows.ravel(),
            rcond=None,
        )[0]
        assert np.square(rows - (Z * scale) @ better.atoms).sum() <= before
        errors.append(sums.fvu)
        dictionary = better
    assert (np.diff(errors) < 0).all()


def test_the_start_is_the_same_for_any_blocks_and_order(rng):
    X = rng.standard_normal((500, 4)) + 100
    X[400:] = X[:100]  # copies
    whole = Start.of(X, 40, 7)
    order = rng.permutation(500)
    parts = np.array_split(X[order], 3)
    both = sum((Start.of(p, 40, 7) for p in parts[1:]), Start.of(parts[0], 40, 7))
    assert_array_equal(both.rows, whole.rows)
    assert len(np.unique(whole.rows, axis=0)) == 40
    assert_allclose(both.mean, X.mean(axis=0))
    assert_allclose(both.square, np.square(X - X.mean(axis=0)).sum())


def test_single_precision_starts_alike(rng):
    X = rng.standard_normal((500, 4))
    one, other = Start.of(X, 40, 7), Start.of(X.astype(np.float32), 40, 7)
    assert_allclose(one.rows, other.rows, rtol=1e-6)
    assert_array_equal(chance(X, 3), chance(X.astype(np.float32), 3))


def test_rows_that_are_held_out_are_no_atoms(rng):
    X = rng.standard_normal((500, 4))
    X[250:] = X[:250]
    held = is_held_out(chance(X, 7), 0.3)
    assert_array_equal(held[250:], held[:250])  # copies go together
    assert 0.2 < held.mean() < 0.4
    start = Start.of(X, 200, 7)
    dictionary = start.dictionary(60, 0.3, np.random.RandomState(0), 128)
    among = unit(X[held] - X.mean(axis=0)) @ dictionary.atoms.T
    assert among.max() < 1 - 1e-9


def test_idle_atoms_start_anew_from_what_is_left(start):
    X, dictionary = start
    atoms = dictionary.atoms.copy()
    atoms[[2, 5]] = -unit(X[:2] - X.mean(axis=0) + 50)  # opposite to the rows
    dictionary = Dictionary(atoms, X.mean(axis=0), 32)
    X = X - X.mean(axis=0) + 50
    dictionary = Dictionary(atoms, np.zeros(8), 32)
    sums = CodeStatistics.of(X, dictionary, Rule(3))
    assert set(np.flatnonzero(sums.usage == 0)) >= {2, 5}
    alive = revive(dictionary, sums, Rule(3), 0.0)
    again = CodeStatistics.of(X, alive, Rule(3))
    assert (again.usage[[2, 5]] > 0).all()
    kept = sums.usage > 0
    assert_array_equal(alive.atoms[kept], atoms[kept])


def test_nothing_is_revived_where_nothing_is_left():
    X = np.eye(4)
    dictionary = Dictionary(np.concatenate([np.eye(4), -np.eye(4)]), np.zeros(4))
    sums = CodeStatistics.of(X, dictionary, Rule(2))
    assert revive(dictionary, sums, Rule(2), 0.02) is dictionary


def test_float32_far_from_zero_keeps_its_digits(rng):
    X = (rng.standard_normal((300, 5)) + 1e5).astype(np.float32)
    start = Start.of(X, 50, 0)
    dictionary = start.dictionary(20, 0.0, np.random.RandomState(0), 64)
    exact = X.astype(np.float64) - X.astype(np.float64).mean(axis=0)
    assert_allclose(dictionary.centred(X), exact, atol=1e-6)
    assert dictionary.centred(X).dtype == np.float32
    assert_allclose(start.square, np.square(exact).sum(), rtol=1e-6)


def test_refitting_to_the_end_changes_little(start):
    X, dictionary = start
    rows, rule = dictionary.centred(X), Rule(3)
    choice = dictionary.choose(rows, rule)
    few = dictionary.fit(choice, rule)[1].sum()
    many = dictionary.fit(choice, rule, MANY_SWEEPS)[1].sum()
    assert few <= many <= few * (1 + 1e-3)
