"""Small problems with their recursion and the enumeration of their trees."""

import numpy as np

from sklearn_ext.rashomon._trees._graph import Grid, build_graph
from sklearn_ext.rashomon._trees._problem import (
    TreeSpace,
    distinct_patterns,
    merge_rows,
)
from sklearn_ext.rashomon._trees._recursion import (
    expand,
    smallest_losses,
)
from tests.rashomon.trees._brute_force import full_trees, sparse_trees

# splits, depth, classes, repeats (complete) or trivial splits (sparse)
COMPLETE = [
    (3, 0, 2, True),
    (3, 1, 2, True),
    (3, 2, 2, True),
    (4, 2, 3, True),
    (2, 3, 2, True),
    (3, 3, 2, False),
]
SPARSE = [(m, d, k, t) for m, d, k in [(3, 1, 2), (3, 2, 2), (2, 3, 2)] for t in (1, 0)]
CASES = [(*case, True) for case in COMPLETE] + [(*case, False) for case in SPARSE]


class Case:
    """One small problem, its recursion and its enumeration."""

    def __init__(self, rng, m, depth, k, flag, complete, *, uniform=False):
        n = 14
        self.bits, self.y = rng.random((n, m)) < 0.5, rng.integers(0, k, n)
        self.w = rng.integers(1, 4, n).astype(float)
        uniform = uniform or not complete
        prior = np.full(m, 1 / m) if uniform else rng.dirichlet(np.ones(m))
        self.rows = merge_rows(self.bits, self.y, self.w, k)
        self.space = TreeSpace(
            depth,
            k,
            prior if complete else np.ones(m),
            np.ones(m, dtype=int),
            complete=complete,
            leaf_weight=1 / k if complete else 1.0,
            leaf_cost=0.0 if complete else 1.0,
            repeats=bool(flag) or not complete,
            trivial=bool(flag) or complete,
        )
        if complete:
            self.all = full_trees(self.bits, k, depth, prior, repeats=flag)
            self.loss = self.all.losses(self.y, self.w)
        else:
            self.all = sparse_trees(self.bits, k, depth, trivial=flag)
            self.loss = self.all.losses(self.y, self.w) + self.all.leaves
        self.graph = build_graph(self.rows, self.space)
        self.smallest = smallest_losses(self.graph)
        self.place = distinct_patterns(self.bits)[1]

    def expanded(self, threshold):
        return expand(self.graph, self.smallest, Grid(1.0, "exact", 1e-9), threshold)

    def inside(self, threshold):
        mass = self.all.mass * (self.loss <= threshold)
        return mass / mass.sum()
