"""Functions of the user that fail at any call: as if the update had not been asked."""

import numpy as np
import pytest

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    FacilityLocation,
    Mixture,
    maximize,
)
from sklearn_ext.submodular._gains._oracle import Oracle
from sklearn_ext.submodular._maximize import SOLVERS
from tests.submodular._problems import best_value, selector, total_of_roots


class Fuse:
    """The total of roots, which fails after a number of calls, once."""

    left = np.inf  # of the class, since objectives are cloned

    def __call__(self, rows):
        Fuse.left -= 1
        if Fuse.left < 0:
            Fuse.left = np.inf
            raise RuntimeError("no answer")
        return total_of_roots(rows)


def tried(model, change, calls):
    """Make a change whose function fails after some calls; tell whether it did."""
    Fuse.left = calls
    try:
        change(model)
    except RuntimeError:
        return True
    finally:
        Fuse.left = np.inf
    return False


def changes(model, X, rng):
    """Return a change of any kind for a selector of few rows."""
    alive = model.active_ids_.tolist()
    new = X[rng.integers(0, len(X), rng.integers(1, 9))]
    gone = rng.choice(alive, min(len(alive), rng.integers(1, 4)), replace=False)
    gone = gone.tolist()
    if model.algorithm == "sieve":
        return lambda m: m.partial_fit(new)
    kinds = [
        lambda m: m.partial_fit(new) if len(alive) < 30 else m,
        lambda m: m.forget(gone),
        lambda m: m.update(new, forget=gone),
        lambda m: m.replace(gone, X[: len(gone)]),
        lambda m: m.refresh_reference() if alive else m,
        lambda m: m.forget(gone, purge=True),
    ]
    return kinds[rng.integers(len(kinds))]


class NeverEmpty(Coverage):
    """An objective of the user, whose gains of no rows fail."""

    def gains(self, rows, state):
        assert rows.shape[0]
        return super().gains(rows, state)


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "greedy"])
def test_no_gains_of_no_rows_are_asked_for(algorithm, rng):
    model = selector(4, objective=NeverEmpty(), algorithm=algorithm, backend="numpy")
    model.fit(rng.uniform(size=(30, 3))).forget([1, 2])
    gone = model.selected_ids_[:2].tolist()
    assert not {*gone, 1, 2} & set(model.forget(gone).selected_ids_.tolist())


@pytest.mark.parametrize("method", SOLVERS)
def test_no_gains_of_no_candidates_are_asked_for(method, rng):
    X = rng.uniform(size=(5, 3))
    given = {"candidates": [1], "initial": [1], "backend": "numpy"}
    with pytest.warns(UserWarning, match="0 rows to choose from"):
        found = maximize(NeverEmpty(), X, 2, method=method, **given)
    assert found.indices.tolist() == [1]


@pytest.mark.parametrize("mixed", [False, True], ids=["alone", "mixed"])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "sieve", "greedy"])
def test_streams_go_on_as_if_nothing_had_failed(algorithm, mixed):
    objective, n_failed = CallableObjective(Fuse()), 0
    if mixed:
        objective = Mixture([("near", FacilityLocation()), ("own", objective)])
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = np.round(rng.uniform(size=(60, 3)), 1)  # with ties
        ours, twin = (
            selector(3, objective=objective, algorithm=algorithm).fit(X[:12])
            for _ in range(2)
        )
        for _ in range(10):
            change = changes(ours, X, rng)
            if tried(ours, change, int(rng.integers(0, 90))):
                n_failed += 1
                assert ours.active_ids_.tolist() == twin.active_ids_.tolist()
                if rng.random() < 0.5:  # never tried again
                    continue
                change(ours)
            change(twin)
            assert ours.active_ids_.tolist() == twin.active_ids_.tolist()
            if rng.random() < 0.5:
                tried(ours, lambda m: m.selected_ids_, int(rng.integers(0, 200)))
                assert ours.selected_ids_.tolist() == twin.selected_ids_.tolist()
                assert ours.upper_bound_ == twin.upper_bound_
    assert n_failed > (3 if algorithm == "greedy" else 15)


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
def test_work_under_way_that_fails_is_begun_anew(algorithm):
    n_failed = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(40, 3))
        objective = CallableObjective(Fuse())
        model = selector(3, objective=objective, algorithm=algorithm).fit(X[:12])
        for step in range(12):
            gone, new = model.active_ids_[:2], X[14 + 2 * step : 16 + 2 * step]
            kinds = [
                lambda m, new=new, gone=gone: m.update(new, forget=gone, max_calls=5),
                lambda m, new=new: m.partial_fit(new),
                lambda m: m.snapshot(),
                lambda m: m.refresh_reference(),
                lambda m, gone=gone: m.forget(gone, purge=True),
            ]
            change = kinds[rng.integers(len(kinds))]
            n_failed += tried(model, change, int(rng.integers(0, 60)))
            table, engine = model._living.table, model._living.engine
            spare = table._free + table._gone
            assert len(set(spare)) == len(spare)
            if engine is not None and engine.idle:
                assert engine._inside.nonzero()[0].tolist() == table.slots.tolist()
            fitted = model.objective_model_
            rows = fitted.represent(model._living.X.take(table.slots))
            assert model.upper_bound_ >= best_value(fitted, rows, 3) - 1e-9
        model.partial_fit(X[:1])
        assert not model.stale_
    assert n_failed > 15


@pytest.mark.parametrize("max_calls", [None, 40])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
def test_an_interrupt_leaves_the_table_and_a_bound_that_holds(
    algorithm, max_calls, monkeypatch
):
    """Nothing is taken down to undo it: the sets are built anew by the next update."""
    evaluate, n_interrupted = Oracle.gains, 0
    fuse = {"left": np.inf}

    def gains(self, slots, state):
        fuse["left"] -= 1
        if fuse["left"] < 0:
            raise KeyboardInterrupt
        return evaluate(self, slots, state)

    monkeypatch.setattr(Oracle, "gains", gains)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(60, 3))
        model = selector(3, algorithm=algorithm, backend="numpy", refine="guesses")
        model.fit(X[:20]).partial_fit(X[20:22])
        for i in range(15):
            before = model.active_ids_.tolist()
            gone = rng.choice(before, 2, replace=False).tolist()
            fuse["left"] = rng.integers(0, 25)
            try:
                model.update(X[22 + 2 * i : 24 + 2 * i], gone, max_calls=max_calls)
            except KeyboardInterrupt:
                n_interrupted += 1
                assert model.active_ids_.tolist() == before
            fuse["left"] = np.inf
            living = model._living
            rows = living.oracle.rows.take(living.table.slots)
            best = best_value(model.objective_model_, rows, 3)
            assert model.upper_bound_ >= best - 1e-9
            if not model.stale_:
                inside = living.engine._inside.nonzero()[0]
                assert inside.tolist() == living.table.slots.tolist()
        model.partial_fit(X[:1])
        best = best_value(
            model.objective_model_,
            model._living.oracle.rows.take(model._living.table.slots),
            3,
        )
        assert model.objective_ >= best / 2.1
    assert n_interrupted > 5


def test_storing_makes_a_stale_answer_anew(rng):
    X = rng.uniform(size=(400, 3))
    model = selector(5, refine="none").fit(X[:300]).partial_fit(X[300:350])
    model.update(X[350:], forget=model.selected_ids_, max_calls=1)
    assert model.stale_
    assert len(model.selected_ids_) == 5
    model.snapshot()
    assert not model.stale_
    chosen = model._living.table.find(model.selected_ids_.tolist())
    assert set(chosen.tolist()) == set(model._living.engine.best())
