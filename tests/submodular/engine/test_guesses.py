"""The dynamic engine: definitions after every update, ratios, laws and costs."""

import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_ext.submodular import (
    Coverage,
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
)
from sklearn_ext.submodular._engine._guess import LeveledGuess, finish
from sklearn_ext.submodular._engine._guesses import Engine
from sklearn_ext.submodular._gains._oracle import Oracle
from sklearn_ext.submodular._rows._stores import row_store
from tests.submodular._problems import IDS, OBJECTIVES, best_value, table, value_of


def make(objective, X, k, *, kind="leveled", epsilon=0.1, seed=0, guesses="boundary"):
    objective = clone(objective).fit_reference(X, random_state=0)
    oracle = Oracle(objective, row_store(objective.represent(X)))
    rng = np.random.default_rng(seed)
    state = objective.empty_state()
    settings = DynamicSubmodularSelector(
        k, algorithm=kind, epsilon=epsilon, guesses=guesses
    )
    return Engine(oracle, settings, state, rng)


def slots(*numbers):
    return np.array(numbers, dtype=np.intp)


def check_levels(guess, alive):
    """Recompute levels, counts and thresholds from their definitions."""
    oracle, tau = guess.oracle, guess.tau
    assert len(set(guess.slots)) == len(guess.slots) <= guess.k
    assert set(guess.slots) <= alive
    members = np.array(sorted(alive), dtype=np.intp)
    counts = np.zeros(guess.k + 1, dtype=int)
    inside = np.ones(len(members), dtype=bool)
    expected = np.zeros(len(members), dtype=int)
    for z in range(1, min(len(guess.slots), guess.k - 1) + 2):
        inside &= oracle.gains(members, guess.states[z - 1]) >= tau
        expected[inside] = z
        counts[z] = inside.sum()
        if z <= len(guess.slots):
            assert guess.slots[z - 1] in members[inside]
            inside &= members != guess.slots[z - 1]  # a chosen row goes no deeper
    assert_array_equal(guess.level[members], expected)
    if not guess.full:
        assert counts[len(guess.slots) + 1] == 0
    rest = np.setdiff1d(np.flatnonzero(guess.level), members)
    assert not len(rest)
    recounted = [(guess.level >= i).sum() for i in range(1, guess.k + 1)]
    assert_array_equal(guess.counts[1:], recounted)


def stream(rng, n, steps):
    """Yield random batches (delete, insert) of one to three slots each."""
    alive, out = set(), set(range(n))
    for _ in range(steps):
        leave = rng.choice(sorted(alive), min(len(alive), rng.integers(0, 4)), False)
        come = rng.choice(sorted(out), min(len(out), rng.integers(0, 4)), False)
        alive = (alive - set(leave.tolist())) | set(come.tolist())
        out = (out - set(come.tolist())) | set(leave.tolist())
        yield slots(*leave), slots(*come), alive


@pytest.mark.parametrize("name", IDS)
def test_definitions_ratio_and_bound_after_every_update(name, rng):
    X, k = table(rng, 9), 3
    engine = make(OBJECTIVES[name], X, k)
    objective = engine.oracle.objective
    rows = objective.represent(X)
    for delete, insert, alive in stream(rng, 9, 25):
        engine.update(delete, insert)
        for guess in engine.guesses.values():
            check_levels(guess, alive)
        optimum = best_value(objective, rows[sorted(alive)], k)
        value = value_of(objective, rows[engine.best()])
        assert value >= optimum / 2.1 - 1e-12
        assert engine.bound >= optimum - 1e-9
        assert len(engine.guesses) <= 3


@pytest.mark.parametrize("guesses", ["boundary", "all"])
@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_any_scale(scale, guesses, rng):
    X, k = table(rng, 8), 2
    weights = np.full(4, scale)
    engine = make(FeatureBased(weights=weights), X, k, guesses=guesses)
    objective = engine.oracle.objective
    for delete, insert, alive in stream(rng, 8, 20):
        engine.update(delete, insert)
        optimum = best_value(objective, X[sorted(alive)], k)
        assert value_of(objective, X[engine.best()]) >= optimum / 2.1
        assert engine.bound >= optimum * (1 - 1e-9)


def test_all_gone_and_back_and_fewer_useful_rows_than_k(rng):
    X = np.vstack([np.eye(3), np.zeros((5, 3))])
    engine = make(Coverage(), X, 5)
    engine.update(slots(), np.arange(8))
    assert sorted(engine.best()) == [0, 1, 2]
    assert engine.bound <= 1.1 + 1e-9
    engine.update(np.arange(8), slots())
    assert engine.best() == []
    assert engine.bound == 0
    engine.update(slots(), slots(1))
    assert engine.best() == [1]


def uniform_after(updates, seeds, n, k=2):
    """Return first and second chosen slots over seeds; rows are alike by symmetry."""
    first, second = [], []
    objective = Coverage().fit_reference(np.eye(n))
    for seed in range(seeds):
        oracle = Oracle(objective, row_store(np.eye(n)))
        rng, first_state = np.random.default_rng(seed), objective.empty_state()
        guess = LeveledGuess(oracle, 1.9 / n, k, first_state, rng)
        for insert, batch in updates:
            update = guess.insert(batch, np.full(len(batch), 1 / n)) if insert else None
            finish(update or guess.delete(batch))
        first.append(guess.slots[0])
        second.append(guess.slots[1])
    return np.array(first), np.array(second)


SINGLE = [(True, slots(i)) for i in range(8)]
SINGLE += [(False, slots(2)), (False, slots(5)), (True, slots(8)), (False, slots(0))]
BATCH = [(True, slots(0, 1, 2, 3)), (True, slots(4, 5, 6)), (False, slots(1, 5))]
BATCH += [(True, slots(7, 8))]


@pytest.mark.parametrize("updates", [SINGLE, BATCH], ids=["single", "batch"])
def test_choices_are_uniform(updates):
    first, second = uniform_after(updates, 2500, 9)
    alive = np.unique(first)
    assert len(alive) == (6 if updates is SINGLE else 7)
    assert chisquare(np.unique(first, return_counts=True)[1]).pvalue > 1e-3
    given = second[first == alive[2]]
    assert set(np.unique(given)) == set(alive) - {alive[2]}
    assert chisquare(np.unique(given, return_counts=True)[1]).pvalue > 1e-3


def calls_per_update(n, k, updates, kind="leveled"):
    """Return expected calls: replacing a random row, averaged over updates."""
    digits = load_digits().data / 16
    rng = np.random.default_rng(0)
    X = digits[rng.integers(0, len(digits), n + updates)]
    X = X + 0.05 * rng.normal(size=X.shape)
    engine = make(FacilityLocation(n_reference=60), X, k, kind=kind)
    engine.update(slots(), np.arange(n))
    built, alive = engine.oracle.n_calls, list(range(n))
    for i in range(updates):
        at = rng.integers(n)
        engine.update(slots(alive[at]), slots(n + i))
        alive[at] = n + i
    return (engine.oracle.n_calls - built) / updates, built / n


@pytest.mark.slow
def test_cost_does_not_grow_with_the_number_of_rows():
    k, updates = 5, 10_000
    small, _ = calls_per_update(1000, k, updates)
    large, built = calls_per_update(16_000, k, updates)
    assert large < 1.5 * small
    assert max(small, large) <= 3 * 2 * k * (1 + math.log2(k + 1))
    assert built < 25


@pytest.mark.parametrize("kind", ["leveled", "bucketed"])
def test_calls_stay_below_the_expectation(kind):
    k = 5
    calls, _ = calls_per_update(400, k, 400, kind)
    factor = 3 if kind == "leveled" else 9
    assert calls <= factor * 2 * k * (1 + math.log2(k + 1))


def test_work_in_slices_ends_where_work_at_once_does(rng):
    X = rng.normal(size=(600, 3))
    whole, sliced = (make(FacilityLocation(), X, 5, seed=3) for _ in range(2))
    for engine in (whole, sliced):
        engine.update(slots(), np.arange(500))
    objective, rows = whole.oracle.objective, whole.oracle.rows.take(np.arange(600))
    busy = 0
    for i in range(100):
        whole.update(slots(i), slots(500 + i))
        before = sliced.oracle.n_calls
        sliced.update(slots(i), slots(500 + i), max_calls=50)
        assert sliced.oracle.n_calls - before < 50 + 2048
        busy += not sliced.idle
        alive = np.arange(i + 1, 501 + i)
        greedy = best_greedy(objective, rows[alive], 5)
        assert sliced.bound >= greedy
    assert busy > 0
    sliced.finish()
    assert sliced.best() == whole.best()
    assert sliced.bound == whole.bound
    # new rows were looked at once more while others were under way
    assert whole.oracle.n_calls <= sliced.oracle.n_calls <= whole.oracle.n_calls + 100


def best_greedy(objective, rows, k):
    state = objective.empty_state()
    for _ in range(k):
        best = int(objective.gains(rows, state).argmax())
        state = objective.add(state, rows[best : best + 1])
    return objective.value(state)


def test_storing_a_busy_engine_finishes_its_work(rng):
    X = rng.normal(size=(300, 3))
    engine = make(FacilityLocation(), X, 5)
    engine.update(slots(), np.arange(300), max_calls=10)
    assert not engine.idle
    again = pickle.loads(pickle.dumps(engine))
    assert again.idle
    assert again.best() == engine.best()
    for engine_ in (engine, again):
        engine_.update(slots(*engine_.best()[:2]), slots())
    assert again.best() == engine.best()


# the bucketed guess


@pytest.mark.parametrize("name", IDS)
def test_bucketed_bounds_after_every_update(name, rng):
    X, k = table(rng, 9), 3
    engine = make(OBJECTIVES[name], X, k, kind="bucketed")
    objective = engine.oracle.objective
    rows = objective.represent(X)
    for delete, insert, alive in stream(rng, 9, 25):
        engine.update(delete, insert)
        optimum = best_value(objective, rows[sorted(alive)], k)
        assert engine.bound >= optimum - 1e-9
        best = engine.best()
        assert set(best) <= alive
        assert len(set(best)) == len(best)
        # buckets of a few rows lose no row without a rebuild
        assert value_of(objective, rows[engine.best()]) >= optimum / 2.4 - 1e-12


ORDERS = {
    "random": lambda X, rng: rng.permutation(len(X)),
    "best first": lambda X, rng: np.argsort(-X.sum(axis=1)),
    "worst first": lambda X, rng: np.argsort(X.sum(axis=1)),
}


@pytest.mark.parametrize("order", ORDERS)
def test_bucketed_batches_lose_what_their_bucket_loses(order):
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 0.54, size=(300, 6))
    gone = ORDERS[order](X, rng)
    lost = []
    for seed in range(60):
        engine = make(FeatureBased(), X, 20, kind="bucketed", seed=seed)
        engine.update(slots(), np.arange(300))
        guess = engine.guesses[min(engine.guesses)]
        batch, bucket = guess.batches[0].slots, guess.batches[0].bucket
        early = [s for s in gone.tolist() if s in set(bucket.tolist())]
        early = set(early[: len(bucket) // 10])  # just before the trigger
        lost.append(len(early & set(batch)) / len(batch))
    assert np.mean(lost) < 0.2


def test_bucketed_triggers_do_not_look_at_the_batches(rng):
    """Deleting a row of the bucket has one effect, chosen or not."""
    X = rng.uniform(0.5, 0.54, size=(200, 6))
    engine = make(FeatureBased(), X, 5, kind="bucketed")
    engine.update(slots(), np.arange(200))
    stored = pickle.dumps(engine.guesses[min(engine.guesses)])
    guess = pickle.loads(stored)
    chosen = guess.batches[0].slots[0]
    other = next(s for s in guess.batches[0].bucket if s not in guess.chosen)
    effects = []
    for slot in (chosen, other):
        guess = pickle.loads(stored)
        rebuilt = guess.oracle.n_rebuilds
        finish(guess.delete(slots(slot)))
        effects.append((guess.batches[0].size, len(guess.batches[0].removed)))
        assert guess.oracle.n_rebuilds == rebuilt
    assert effects[0] == effects[1]
