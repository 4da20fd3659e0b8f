"""Small problems whose optimum can be enumerated."""

from itertools import combinations

import numpy as np

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    LogDet,
    Mixture,
    ProbabilisticCoverage,
    SaturatedCoverage,
)


def total_of_roots(rows):
    """Return a monotone submodular function that a user may write."""
    return float(np.sqrt(np.abs(rows)).sum(axis=1).sum() ** 0.5) if len(rows) else 0.0


OBJECTIVES = {
    "facility": FacilityLocation(),
    "cosine": FacilityLocation("cosine"),
    "distance": FacilityLocation("neg_distance"),
    "neighbors": FacilityLocation(n_neighbors=3),
    "coverage": Coverage(),
    "sqrt": FeatureBased("sqrt"),
    "log1p": FeatureBased("log1p"),
    "ratio": FeatureBased("ratio"),
    "saturated": SaturatedCoverage(0.3),
    "chances": ProbabilisticCoverage(),
    "logdet": LogDet(2.0),
    "logdet_linear": LogDet(kernel="linear"),
    "mixture": Mixture([("fl", FacilityLocation()), ("ld", LogDet())], weights=[1, 2]),
    "callable": CallableObjective(total_of_roots),
}
IDS = list(OBJECTIVES)


def selector(n_select=5, **params):
    """Return a selector that draws the same things each time."""
    return DynamicSubmodularSelector(n_select, **{"random_state": 0, **params})


def table(rng, n, d=4):
    """Return rows in [0, 1], half of the entries zero."""
    return rng.uniform(size=(n, d)) * (rng.uniform(size=(n, d)) < 0.6)


def value_of(objective, rows):
    """Return the value of a set of coordinates, one added after another."""
    state = objective.empty_state()
    for i in range(rows.shape[0]):
        state = objective.add(state, rows[i : i + 1])
    return objective.value(state)


def best_value(objective, rows, k):
    """Return the value of the best set of at most k rows, by enumeration."""
    n = rows.shape[0]
    sizes = range(1, min(k, n) + 1)
    subsets = [list(s) for size in sizes for s in combinations(range(n), size)]
    return max([value_of(objective, rows[s]) for s in subsets], default=0.0)
