"""What one update costs at most by default, and what is kept and stored of rows."""

import pickle

import numpy as np
import pytest

from sklearn_ext.submodular import CallableObjective, DynamicSubmodularSelector
from sklearn_ext.submodular._living import LATENCY

BLOCK = 2048 * 8  # gains of one block: rows, and their levels by halving


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20_000, 8)).astype(np.float32)


def stream(selector, X, n, **options):
    """Replace chosen rows one by one; return gains of each update, and staleness."""
    first = 10**6 * (1 + selector._living.n_updates)
    rng, calls, stale = np.random.default_rng(1), [], []
    for i in range(n):
        chosen = selector.selected_ids_
        gone = chosen[rng.integers(len(chosen))] if i % 2 else selector.active_ids_[i]
        before = selector.n_oracle_calls_
        selector.update((X[i : i + 1] + 1, [first + i]), forget=[gone], **options)
        calls.append(selector.n_oracle_calls_ - before)
        stale.append(selector.stale_)
        assert selector.certificate_ > 0.5
    return np.array(calls), np.array(stale)


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
def test_no_update_does_all_the_work_of_a_rebuild(rows, algorithm):
    fitted = DynamicSubmodularSelector(20, algorithm=algorithm, random_state=0)
    fitted.fit(rows)
    calls, stale = stream(pickle.loads(pickle.dumps(fitted)), rows, 30, max_calls=None)
    assert calls.max() > 3 * (LATENCY + BLOCK)
    assert not stale.any()
    bounded, stale = stream(fitted, rows, 30)
    assert bounded.max() <= LATENCY + BLOCK
    assert stale.any()
    fitted._living.finish()
    assert not fitted.stale_
    bounded, stale = stream(fitted, rows, 60)
    assert not stale.all()


def test_small_tables_are_never_stale(rows):
    selector = DynamicSubmodularSelector(20, random_state=0).fit(rows[:300])
    _, stale = stream(selector, rows, 40)
    assert not stale.any()


def test_functions_of_the_user_are_not_interrupted(rows):
    def covered(chosen):
        return float(np.tanh(abs(chosen).sum(axis=0)).sum())

    objective = CallableObjective(covered)
    selector = DynamicSubmodularSelector(5, objective=objective, random_state=0)
    selector.fit(rows[:60])
    selector.update(rows[60:61], forget=[0])
    assert not selector.stale_


def test_rows_stay_in_single_precision_and_are_stored_once(rows):
    selector = DynamicSubmodularSelector(20, random_state=0).fit(rows)
    selector.update(rows[:1])
    living = selector._living
    assert living.Z.dtype == living.oracle.rows.dtype == np.float32
    assert living.X is living.Z
    stored = pickle.dumps(selector)
    assert len(stored) < 2 * rows.nbytes + 40 * len(rows)  # ids, levels, first gains
    assert len(stored) < living.oracle.rows.arrays[0].nbytes / 20  # coordinates stay
    again = pickle.loads(stored)
    assert again.exemplars_.dtype == np.float32
    assert again.selected_ids_.tolist() == selector.selected_ids_.tolist()
