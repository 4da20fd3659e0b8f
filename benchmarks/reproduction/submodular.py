"""Answers that follow updates: Banihashem et al. (2023, 2024)."""

from itertools import combinations

import numpy as np

from benchmarks.bench_submodular import digits_stream
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


class CallsByAlgorithm(Study):
    title = "Gains evaluated per update, by algorithm and size of the answer"
    note = """Facility location of noisy digits, 128 reference rows, 4000 living rows; a
        random row leaves and another one comes, 600 times; epsilon = 0.1."""
    sizes = 5, 20, 80

    def run(self):
        rows = []
        for k in self.sizes:
            cells = [f"{self.calls(k, algorithm):.0f}" for algorithm in ALGORITHMS]
            rows.append([k, *cells])
        return {"columns": ["k", *ALGORITHMS], "rows": rows}

    @staticmethod
    def calls(k, algorithm):
        X = digits_stream(4600)
        objective = FacilityLocation(n_reference=128)
        objective.fit_reference(X[:4000], random_state=0)
        rows = np.asarray(objective.represent(X))
        engine = DynamicMaximizer(objective, k, algorithm=algorithm, random_state=0)
        engine.insert(rows[:4000])
        built, alive = engine.n_calls, np.arange(4000)
        rng = np.random.default_rng(0)
        for new in range(4000, 4600):
            at = rng.integers(4000)
            engine.delete([alive[at]]).insert(rows[new : new + 1], ids=[new])
            alive[at] = new
        return (engine.n_calls - built) / 600


BENCHMARKS = [Ratio, CallsByAlgorithm]
