"""Static solvers against brute force and each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    FacilityLocation,
    FeatureBased,
    GraphCut,
    LogDet,
    maximize,
)
from sklearn_ext.submodular._engine._greedy import greedy, lazy, stochastic, threshold
from sklearn_ext.submodular._engine._guess import finish, walk
from sklearn_ext.submodular._engine._sieve import Sieve
from sklearn_ext.submodular._gains._oracle import Oracle
from sklearn_ext.submodular._objectives._named import OBJECTIVES as NAMED
from sklearn_ext.submodular._rows._stores import RepresentedRows, row_store
from tests.submodular._problems import IDS, OBJECTIVES, best_value, table, value_of

RATIOS = {
    "greedy": 1 - 1 / np.e,
    "lazy": 1 - 1 / np.e,
    "threshold": 1 - 1 / np.e - 0.1,
    "sieve": 0.4,
    "pruned": 1 - 1 / np.e,
}


@pytest.mark.parametrize("method", RATIOS)
@pytest.mark.parametrize("name", IDS)
def test_ratio_and_bound_against_enumeration(name, method, rng):
    X = table(rng, 9)
    objective = clone(OBJECTIVES[name])
    rows = objective.fit_reference(X).represent(X)
    for k in (1, 3):
        optimum = best_value(objective, rows, k)
        found = maximize(OBJECTIVES[name], X, k, method=method, random_state=0)
        assert found.value >= RATIOS[method] * optimum - 1e-12
        assert found.upper_bound >= optimum - 1e-9
        assert len(set(found.indices.tolist())) == len(found.indices) <= k
        assert_allclose(found.value, value_of(objective, rows[found.indices]))
        assert_allclose(found.gains.sum(), found.value)


@pytest.mark.parametrize("name", IDS)
def test_lazy_equals_greedy_with_ties(name, rng):
    X = np.round(table(rng, 60), 1)  # many ties
    greedy = maximize(OBJECTIVES[name], X, 8, method="greedy", random_state=0)
    lazy = maximize(OBJECTIVES[name], X, 8, method="lazy", random_state=0)
    assert_array_equal(lazy.indices, greedy.indices)
    assert_allclose(lazy.gains, greedy.gains, atol=1e-12)
    assert np.all(np.diff(greedy.gains) <= 1e-12)
    assert lazy.upper_bound >= lazy.value


@pytest.mark.parametrize("sizes", [1, 2000])
def test_walk_looks_row_after_row(sizes, rng, monkeypatch):
    X = rng.normal(size=(400, 4))
    objective = FacilityLocation()
    oracle = Oracle(objective, row_store(objective.fit_reference(X).represent(X)))
    order = rng.permutation(400)
    states, tau = [objective.empty_state()], 0.01
    chosen = []
    for at, slot in enumerate(order):
        if len(chosen) < 15 and oracle.gains(np.array([slot]), states[-1])[0] >= tau:
            chosen.append(at)
            states.append(oracle.add(states[-1], slot))
    monkeypatch.setattr("sklearn_ext.submodular._engine._guess.FIRST", sizes)
    done = finish(walk(oracle, order, [objective.empty_state()], tau, 15))
    assert done.chosen == chosen


def test_digits():
    X = load_digits().data
    lazy = maximize(FacilityLocation(), X, 20, random_state=0)
    assert lazy.certificate > 0.9
    assert lazy.n_calls < 5 * len(X)
    stochastic = maximize(
        FacilityLocation(), X, 20, method="stochastic", random_state=0
    )
    assert stochastic.value > 0.95 * lazy.value
    assert stochastic.n_calls == pytest.approx(2.3 * len(X), rel=0.02)
    swapped = maximize(FacilityLocation(), X, 20, n_swaps=None, random_state=0)
    assert swapped.value > 1.002 * lazy.value
    one = maximize(FacilityLocation(), X, 20, n_swaps=1, random_state=0)
    assert lazy.value < one.value < swapped.value
    assert len(set(one.indices) & set(lazy.indices)) == 19


def test_no_exchange_improves_a_swapped_set(rng):
    X = rng.normal(size=(40, 2))
    objective = FacilityLocation()
    rows = objective.fit_reference(X).represent(X)
    found = maximize(objective, X, 4, initial=[7], n_swaps=None)
    assert found.indices[0] == 7
    for out in range(1, 5):
        for new in range(40):
            other = found.indices.copy()
            other[out] = new
            assert value_of(objective, rows[other]) <= found.value + 1e-12


@pytest.mark.parametrize("objective", [LogDet(), GraphCut(), FeatureBased()])
def test_exchanges_need_a_maximum(objective):
    with pytest.raises(ValueError, match="Exchanges need FacilityLocation or Coverage"):
        maximize(objective, np.eye(4), 2, n_swaps=1)


def test_closed_forms():
    weights = np.array([3.0, 1.0, 5.0, 2.0])
    found = maximize(Coverage(weights=weights), np.eye(4), 2)
    assert_array_equal(found.indices, [2, 0])  # orthogonal rows: the heaviest
    assert found.value == found.upper_bound == 8
    nested = np.tril(np.ones((4, 4)))
    assert_array_equal(maximize(Coverage(), nested, 3).indices, [3])
    assert_array_equal(maximize(FacilityLocation(), np.ones((5, 2)), 3).indices, [0])
    modular = CallableObjective(lambda rows: float(rows.sum()))
    assert_array_equal(maximize(modular, weights[:, None], 2).indices, [2, 0])
    nothing = maximize(Coverage(), np.zeros((3, 2)), 2)
    assert len(nothing.indices) == 0
    assert nothing.certificate == 1


def test_candidates_initial_and_weights(rng):
    X = rng.normal(size=(30, 3))
    found = maximize(
        FacilityLocation(), X, 3, candidates=np.arange(10), initial=[20, 21]
    )
    assert_array_equal(found.indices[:2], [20, 21])
    assert len(found.indices) == 5
    assert found.indices[2:].max() < 10
    w = np.r_[np.zeros(15), np.ones(15)]
    weighted = maximize(FacilityLocation(), X, 3, sample_weight=w)
    assert_array_equal(
        weighted.indices, 15 + maximize(FacilityLocation(), X[15:], 3).indices
    )


@pytest.mark.parametrize("method", ["lazy", "sieve"])
def test_more_rows_than_there_are_raise_a_warning(method, rng):
    X = rng.normal(size=(9, 2))
    arguments = {"candidates": range(6), "initial": [5], "method": method}
    with pytest.warns(UserWarning, match="k=6 is more than the 5 rows") as caught:
        maximize(FacilityLocation(), X, 6, **arguments)
    assert [w.filename for w in caught] == [__file__]
    maximize(FacilityLocation(), X, 5, **arguments)  # without one


@pytest.mark.parametrize("name", sorted(NAMED))
def test_objectives_go_by_name(name, rng):
    X = rng.random((30, 4))
    named = maximize(name, X, 5, random_state=0)
    built = maximize(NAMED[name](), X, 5, random_state=0)
    assert_array_equal(named.indices, built.indices)
    assert named.value == built.value


def test_sparse_equals_dense(rng):
    X = table(rng, 40, 12)
    dense = maximize(FeatureBased(), X, 5)
    for form in (sparse.csr_array, sparse.csc_matrix):
        assert_array_equal(maximize(FeatureBased(), form(X), 5).indices, dense.indices)


def test_rows_are_reused_and_recomputed(rng):
    X = table(rng, 20, 6)
    store, dense = row_store(sparse.csr_array(X[:4])), row_store(X[:4])
    for turn in range(30):
        slots = rng.choice(12, 3, replace=False)
        rows = X[rng.choice(20, 3)] * (1 + turn)
        store.put(slots, sparse.csr_array(rows))
        dense.put(slots, rows)
        assert_array_equal(store.take(slots).toarray(), rows)
    kept = np.arange(4)
    assert_array_equal(store.take(kept).toarray(), dense.take(kept))
    assert store._used < 30 * 18
    objective = FacilityLocation().fit_reference(X)
    recomputed = RepresentedRows(Oracle(objective), row_store(X))
    assert_allclose(recomputed.take(kept), objective.represent(X)[:4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "'k' parameter"),
        ({"method": "best"}, "'method' parameter"),
        ({"candidates": [9]}, "candidates must be row numbers from 0 to 3, got 9 to 9"),
        ({"initial": [0, 0]}, "initial holds a row twice"),
        ({"initial": [0.5]}, "initial must be a list of row numbers"),
        ({"objective": FacilityLocation(gamma=-1)}, "'gamma' parameter"),
        ({"X": np.array([[np.nan]])}, "NaN"),
    ],
)
def test_bad_input(arguments, message):
    given = {"objective": Coverage(), "X": np.eye(4), "k": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        maximize(**given)


@pytest.mark.parametrize("method", ["greedy", "lazy", "sieve", "threshold"])
def test_initial_rows_are_not_chosen_again(method, rng):
    X = rng.uniform(size=(12, 3))
    found = maximize(FeatureBased(), X, 5, initial=[7, 2], method=method).indices
    assert found[:2].tolist() == [7, 2]
    assert len(set(found.tolist())) == len(found)


@pytest.mark.parametrize("solver", [greedy, lazy, stochastic, threshold])
def test_bound_is_the_value_when_all_rows_are_taken(solver, rng):
    X = rng.uniform(size=(6, 3))
    oracle = Oracle(FeatureBased().fit_reference(X), row_store(X))
    for n in (0, 6):
        picks = solver(oracle, np.arange(n), 8, oracle.empty_state(), rng)
        assert len(picks.slots) == n
        assert np.isclose(picks.bound, picks.value)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", IDS)
def test_sieve_ratio_and_bound_after_every_batch(name, epsilon):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, value = table(rng, 12), 0.0
        objective = clone(OBJECTIVES[name]).fit_reference(X, random_state=0)
        rows = objective.represent(X)
        oracle = Oracle(objective, row_store(rows))
        sets = Sieve(oracle, 3, oracle.empty_state(), epsilon)
        for batch in np.split(np.arange(12), [3, 4, 8, 10, 11]):
            sets.insert(batch)
            optimum = best_value(objective, rows[: batch[-1] + 1], 3)
            picks = sets.picks
            assert picks.bound >= optimum - 1e-9
            assert picks.value >= (0.5 - epsilon) * optimum - 1e-9
            assert picks.value >= value - 1e-12  # what was reached stays
            value = picks.value
