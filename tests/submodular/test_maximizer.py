"""The bare engine under user functions."""

import numpy as np
import pytest

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    DynamicMaximizer,
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
        (lambda c: DynamicMaximizer(c, 0), "got k=0"),
        (lambda c: DynamicMaximizer(c, 2, algorithm="x"), "algorithm='x'"),
        (lambda c: DynamicMaximizer(c, 2).insert([[1]]), "Expected rows of 2 coord"),
        (lambda c: DynamicMaximizer(c, 2).insert([[1, 0]] * 2, ["a"] * 2), "twice"),
        (lambda c: DynamicMaximizer(c, 2).insert([[1, np.nan]]), "must be finite"),
    ],
    ids=range(7),
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make(Coverage().fit_reference(np.eye(2)))


def test_unknown_ids():
    engine = DynamicMaximizer(Coverage().fit_reference(np.eye(2)), 1)
    with pytest.raises(KeyError, match="unknown id"):
        engine.delete(["a"])
