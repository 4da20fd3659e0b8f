"""Answers that follow updates: Banihashem et al. (2023, 2024)."""

from itertools import combinations

import numpy as np

from benchmarks.harness import Study
from sklearn_ext.submodular import (
    Coverage,
    DynamicMaximizer,
    FacilityLocation,
    FeatureBased,
    LogDet,
)

ALGORITHMS = "leveled", "bucketed"


class Ratio(Study):
    title = "Share of the optimum, by enumeration after every update"
    note = """The best set of three out of at most 12 rows in [0, 1] of four columns;
        150 single insertions and deletions each, epsilon = 0.1, five seeds. Smallest
        share and, in brackets, the mean."""
    objectives = {
        "facility location": FacilityLocation(),
        "coverage": Coverage(),
        "square roots": FeatureBased("sqrt"),
        "log det": LogDet(),
    }

    def run(self):
        rows = []
        for name, objective in self.objectives.items():
            cells = []
            for algorithm in ALGORITHMS:
                found = [self.shares(objective, algorithm, s) for s in range(5)]
                found = np.concatenate(found)
                cells.append(f"{found.min():.3f} ({found.mean():.3f})")
            rows.append([name, *cells])
        return {"columns": ["objective", *ALGORITHMS], "rows": rows}

    @staticmethod
    def shares(objective, algorithm, seed):
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(162, 4)) * (rng.uniform(size=(162, 4)) < 0.6)
        objective.fit_reference(X)
        rows = np.asarray(objective.represent(X))
        engine = DynamicMaximizer(objective, 3, algorithm=algorithm, random_state=seed)
        engine.insert(rows[:8])
        alive, following, shares = list(range(8)), 8, []
        for _ in range(150):
            if len(alive) < 12 and (len(alive) < 4 or rng.random() < 0.5):
                engine.insert(rows[following : following + 1], ids=[following])
                alive.append(following)
                following += 1
            else:
                engine.delete([alive.pop(rng.integers(len(alive)))])
            sets = combinations(alive, min(3, len(alive)))
            best = max(value(objective, rows[list(chosen)]) for chosen in sets)
            found = value(objective, rows[engine.solution()])
            shares.append(found / best if best else 1.0)
        return shares


def value(objective, rows):
    """Value of a set of coordinates."""
    state = objective.empty_state()
    for i in range(len(rows)):
        state = objective.add(state, rows[i : i + 1])
    return objective.value(state)


BENCHMARKS = [Ratio]
