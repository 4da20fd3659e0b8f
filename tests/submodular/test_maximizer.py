"""The bare engine under user functions."""

import joblib
import numpy as np
import pytest
from scipy import sparse

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    DynamicMaximizer,
    DynamicSubmodularSelector,
    GraphCut,
)
from tests.submodular._problems import best_value, table, total_of_roots, value_of


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
def test_bounds_enclose_the_optimum_of_a_user_function(algorithm, rng):
    X = table(rng, 9) + 0.01
    objective = CallableObjective(total_of_roots).fit_reference(X)
    engine = DynamicMaximizer(objective, 3, algorithm=algorithm, random_state=0)
    engine.insert(X[:5], ids=list("abcde")).insert(X[5:])
    alive = dict(zip([*"abcde", 5, 6, 7, 8], X, strict=True))
    for gone in ("a", 6, "c"):
        engine.delete([gone])
        del alive[gone]
        optimum = best_value(objective, np.array(list(alive.values())), 3)
        lower, upper = engine.bounds()
        chosen = np.array([alive[i] for i in engine.solution()])
        assert np.isclose(value_of(objective, chosen), lower)
        assert lower >= optimum / 2.4
        assert upper >= optimum - 1e-9
    assert engine.n_calls > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: DynamicMaximizer(GraphCut(), 2), "needs a monotone objective"),
        (lambda c: DynamicMaximizer(Coverage(), 2), "call its fit_reference first"),
        (lambda c: DynamicMaximizer(c, 0), "'k' parameter of"),
        (lambda c: DynamicMaximizer(c, 2, algorithm="x"), "'algorithm' parameter"),
        (lambda c: DynamicMaximizer(c, 2.5), "'k' parameter of"),
        (lambda c: DynamicMaximizer(c, 2, guesses="x"), "'guesses' parameter"),
        (lambda c: DynamicMaximizer(c, 2, max_guesses=1), "'max_guesses' parameter"),
        (lambda c: DynamicMaximizer(c, 2).insert([[1]]), "Expected rows of 2 coord"),
        (lambda c: DynamicMaximizer(c, 2).insert([[1, 0]] * 2, ["a"] * 2), "twice"),
        (lambda c: DynamicMaximizer(c, 2).insert([[1, np.nan]]), "must be finite"),
    ],
    ids=range(10),
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make(Coverage().fit_reference(np.eye(2)))


@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_rows_and_weights_in_any_layout(backend, rng):
    X, weights = rng.uniform(size=(20, 6)), rng.uniform(size=(6, 2))
    objective = Coverage(weights=weights[:, 0]).fit_reference(X)
    kinds = [X, np.asfortranarray(X), sparse.csr_array(X)]
    found = [
        DynamicMaximizer(objective, 3, backend=backend, random_state=0).insert(rows)
        for rows in kinds
    ]
    assert found[0].solution() == found[1].solution() == found[2].solution()


def test_unknown_ids():
    engine = DynamicMaximizer(Coverage().fit_reference(np.eye(2)), 1)
    with pytest.raises(KeyError, match="unknown id"):
        engine.delete(["a"])


class FailsAt:
    """The total of roots, which raises an error at one of its calls."""

    def __init__(self):
        self.left = np.inf

    def __call__(self, rows):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("no answer")
        return total_of_roots(rows)


def state_of(engine):
    """Return everything that updates change, calls aside, as plain objects."""
    inner, table = engine._engine, engine._table
    guesses = [
        (power, [np.array(part, dtype=object).tolist() for part in described(guess)])
        for power, guess in inner.guesses.items()
    ]
    inside = inner._inside.nonzero()[0]
    singles = inner._singles[inside].tolist()
    drawn = inner._rng.bit_generator.state
    known = table._slot_of.copy(), table.slots.tolist(), table.next_id
    return guesses, inside.tolist(), singles, inner._top, drawn, known


def described(guess):
    """Return levels and choices of a guess."""
    level = dict(zip(*(p.tolist() for p in nonzero(guess.level)), strict=True))
    values = [state.value for state in guess.states]
    if hasattr(guess, "slots"):
        return [list(level.items()), guess.slots, values, guess.counts.tolist()]
    return [list(level.items()), values, *map(str, guess.batches)]


def nonzero(level):
    at = np.flatnonzero(level)
    return at, level[at]


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
def test_a_function_that_fails_undoes_the_update(algorithm, rng):
    X, function = table(rng, 30) + 0.01, FailsAt()
    objective = CallableObjective(function).fit_reference(X)
    engine = DynamicMaximizer(objective, 3, algorithm=algorithm, random_state=0)
    engine.insert(X[:20])
    n_failed = 0
    for insert, ids in [(True, range(40, 50)), (False, range(0, 18, 2)), (False, None)]:
        before, answer, bounds = state_of(engine), engine.solution(), engine.bounds()
        ids = answer if ids is None else ids
        args = (X[20:], ids) if insert else (ids,)
        update = engine.insert if insert else engine.delete
        for calls in (0, 3, 15, 30, 60):
            function.left = calls
            try:
                update(*args)
            except RuntimeError:
                n_failed += 1
                function.left = np.inf
                assert state_of(engine) == before
                assert engine.solution() == answer
                assert engine.bounds() == bounds
                continue
            function.left = np.inf
            break
        else:
            update(*args)
    assert n_failed > 8


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "sieve"])
def test_a_function_that_fails_leaves_the_snapshot_of_a_selector(algorithm, rng):
    X, function = table(rng, 40) + 0.01, FailsAt()
    objective, settings = CallableObjective(function), {"algorithm": algorithm}
    model = DynamicSubmodularSelector(3, objective, random_state=0, **settings)
    model.fit(X[:20]).partial_fit(X[20:25])
    answer = model.selected_ids_.tolist()
    before = model.snapshot().state["_living"]
    for calls in (0, 10, 40):
        model.objective_model_.func.left = calls
        with pytest.raises(RuntimeError, match="no answer"):
            model.partial_fit(X[25:])
        model.objective_model_.func.left = np.inf
        assert model.selected_ids_.tolist() == answer
        after = model.snapshot().state["_living"]
        for part in ("engine", "sieve"):
            now, then = getattr(after, part), getattr(before, part)
            assert joblib.hash(inner(now)) == joblib.hash(inner(then))
    assert model.partial_fit(X[25:]).n_active_ >= 3


def inner(engine):
    """Return what an engine or a sieve holds, its oracle aside: that counts calls."""
    if engine is None:
        return None
    state = {k: v for k, v in vars(engine).items() if k != "oracle"}
    guesses = state.pop("guesses", {})
    state["guesses"] = [described(guess) for guess in guesses.values()]
    if "_sets" in state:
        state["_sets"] = [
            (power, chosen, [s.value for s in states])
            for power, (chosen, states) in state["_sets"].items()
        ]
    state["_rng"] = state["_rng"].bit_generator.state if "_rng" in state else None
    return state
