"""Functions of the user that fail at any call: as if the update had not been asked."""

import numpy as np
import pytest

from sklearn_ext.submodular import CallableObjective, FacilityLocation, Mixture
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
            table, engine = model._table, model._engine
            spare = table._free + table._gone
            assert len(set(spare)) == len(spare)
            if engine is not None and engine.idle:
                assert engine._inside.nonzero()[0].tolist() == table.slots.tolist()
            fitted = model.objective_model_
            rows = fitted.represent(model._X.take(table.slots))
            assert model.upper_bound_ >= best_value(fitted, rows, 3) - 1e-9
        model.partial_fit(X[:1])
        assert not model.stale_
    assert n_failed > 15


def test_nothing_is_kept_to_undo_what_is_done(rng):
    X = rng.uniform(size=(200, 3))
    model = selector(5).fit(X[:100])
    for i in range(50):
        model.update(X[100 + i : 101 + i], forget=[i], max_calls=10)
    model.snapshot()  # finishes the work
    assert not model._engine._journal._entries


def test_storing_makes_a_stale_answer_anew(rng):
    X = rng.uniform(size=(400, 3))
    model = selector(5, refine="none").fit(X[:300]).partial_fit(X[300:350])
    model.update(X[350:], forget=model.selected_ids_, max_calls=1)
    assert model.stale_
    assert len(model.selected_ids_) == 5
    model.snapshot()
    assert not model.stale_
    chosen = model._table.find(model.selected_ids_.tolist())
    assert set(chosen.tolist()) == set(model._engine.best())
