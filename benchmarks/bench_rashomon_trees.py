"""Rashomon sets of trees beside naive loops, TreeFARMS and PRAXIS."""

import contextlib
import os
import time
import tracemalloc

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.tree import ExtraTreeClassifier

from benchmarks.harness import Comparison, Study
from benchmarks.real_data import load
from sklearn_ext.rashomon import RashomonTreeClassifier
from sklearn_ext.rashomon._trees._problem import TreeSpace, make_splits, merge_rows
from sklearn_ext.rashomon._trees._sampled import (
    LeafCounter,
    leaf_losses,
    loss_laws,
    random_structures,
)


def recidivism(n_rows=4966):
    """ProPublica's recidivism set as seven numeric features."""
    bunch = load("compas")
    d = bunch.data
    names = ["age", "priors_count", "juv_fel_count", "juv_misd_count"]
    numbers = [d[name].to_numpy(float) for name in [*names, "juv_other_count"]]
    flags = [(d["sex"] == "Male"), (d["c_charge_degree"] == "F")]
    X = np.column_stack([*numbers, *(np.asarray(f, dtype=float) for f in flags)])
    return X[:n_rows], np.asarray(bunch.target).astype(int)[:n_rows]


class ExactTrees(Comparison):
    title = "Exact ratio of complete trees, recidivism, about 44 splits, depth 2"
    note = """The loop is the same recursion on loss polynomials written plainly: every
    row is kept, subsets are remembered, and each split is one numpy.convolve of whole
    polynomials. Both give the law of the loss; ours is truncated at theta=0.05."""
    repeats = 3
    few = {"plain_recursion": 1}
    targets = {"plain_recursion": 2}
    depth = 2

    def setup(self):
        self.X, self.y = recidivism()

    def time_ours(self):
        clf = RashomonTreeClassifier(self.depth, n_thresholds=13, n_members=1)
        return clf.fit(self.X, self.y).log10_ratio_

    def time_plain_recursion(self):
        splits = make_splits(self.X, np.ones(len(self.y)), n_thresholds=13)
        bits, y = splits.bits(self.X), self.y
        memo = {}

        def losses(inside, depth):
            key = inside.tobytes(), depth
            if key not in memo:
                n, ones = int(inside.sum()), int(y[inside].sum())
                found = np.zeros(n + 1)
                if depth == 0:
                    found[ones] += 0.5
                    found[n - ones] += 0.5
                else:
                    for bit, p in zip(bits.T, splits.prior, strict=True):
                        sides = (inside & bit, inside & ~bit)
                        a, b = (losses(side, depth - 1) for side in sides)
                        found += p * np.convolve(a, b)
                memo[key] = found
            return memo[key]

        law = losses(np.ones(len(y), dtype=bool), self.depth)
        best = np.flatnonzero(law)[0]
        last = int(np.floor(best + 0.05 * len(y) + 1e-6))
        return np.log10(law[: last + 1].sum())

    def quality(self, result):
        return {"log10 ratio": f"{result:.6f}"}


class TreeSizes(Study):
    title = "Larger spaces of trees"
    note = """CPU seconds of one fit, one thread, and the peak of its memory by
    tracemalloc (measured in a second fit). theta is 0.05. Bounds take real weights."""

    def run(self):
        X, y = recidivism()
        rng = np.random.default_rng(0)
        small = rng.integers(0, 2, (500, 15)).astype(float)
        xor = small[:, :3].sum(axis=1) % 2
        noisy = np.where(rng.random(500) < 0.2, 1 - xor, xor)
        w = rng.uniform(0.5, 1.5, len(y))
        shared = {"n_thresholds": 13, "n_members": 1}
        cells = {**shared, "loss_grid": 256}
        tasks = [
            ("4966 rows, 44 splits, depth 3, exact", X, y, None, 3, shared, 1.5),
            ("the same, depth 4, exact", X, y, None, 4, shared, ""),
            ("the same, depth 4, 256 cells", X, y, None, 4, cells, 4),
            ("the same, depth 3, real weights", X, y, w, 3, cells, ""),
            (
                "500 rows, 15 splits, depth 5, exact",
                small,
                noisy,
                None,
                5,
                {"n_members": 1},
                0.6,
            ),
            (
                "sparse trees, depth 3",
                X,
                y,
                None,
                3,
                {**shared, "space": "sparse", "theta": 0.01, "trivial_splits": False},
                1,
            ),
            (
                "sparse trees, depth 4",
                X,
                y,
                None,
                4,
                {**shared, "space": "sparse", "theta": 0.01, "trivial_splits": False},
                8,
            ),
        ]
        rows = [self._one(*task) for task in tasks]
        columns = [
            "task",
            "seconds",
            "target",
            "peak MB",
            "log10 size",
            "log10 ratio",
            "width",
        ]
        return {"columns": columns, "rows": rows}

    @staticmethod
    def _one(label, X, y, w, depth, params, target):
        clf = RashomonTreeClassifier(depth, random_state=0, **params)
        start = time.process_time()
        clf.fit(X, y, w)
        seconds = time.process_time() - start
        tracemalloc.start()
        clf.fit(X, y, w)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        low, high = np.array(clf.log_ratio_interval_) / np.log(10)
        size = clf.hypothesis_space_["log10_size"]
        return [
            label,
            f"{seconds:.2f}",
            target,
            f"{peak / 1e6:.0f}",
            f"{size:.1f}",
            f"{clf.log10_ratio_:.3f}",
            f"{high - low:.3f}",
        ]


class SparseTrees(Comparison):
    title = "Sparse trees near the optimum, recidivism, 48 splits, depth 3"
    note = """Errors plus 50 for each leaf, at most 1.03 times the optimum, no empty
    leaves, the same binary table. Ours counts every labelled tree, exactly. TreeFARMS
    lists its trees one by one in a shared structure; PRAXIS, compiled too, prunes by
    what a greedy search promises, or by a search of full depth (exact). Plain trees:
    leaves have the label of the majority and no two siblings agree. Ours are seen by
    20,000 uniform draws, not timed. The peak does not see the memory of compiled
    code."""
    repeats = 3
    targets = {"PRAXIS_greedy": 0.5, "PRAXIS_exact": 0.5}
    versions = ("treefarms", "tree-praxis", "scikit-learn", "numpy", "scipy")
    depth = 3

    def setup(self):
        X, self.y = recidivism()
        self.bits = make_splits(X, np.ones(len(X)), n_thresholds=13).bits(X)
        self.alpha = 50 / len(X)

    def time_ours(self):
        clf = RashomonTreeClassifier(
            self.depth,
            space="sparse",
            alpha=self.alpha,
            theta=0.03,
            theta_mode="relative",
            trivial_splits=False,
            exact_counts=True,
            n_members=1,
            thresholds=[[0.5]] * self.bits.shape[1],
        )
        clf.fit(self.bits, self.y)
        assert clf.count_ > 0  # counted when it is first read
        return clf

    def time_PRAXIS_greedy(self):
        return self._praxis(lookahead_k=1)  # its default

    def time_PRAXIS_exact(self):
        return self._praxis(lookahead_k=self.depth)

    def _praxis(self, **options):
        from praxis import PRAXIS

        model = PRAXIS()
        with _silence():
            model.fit(
                self.bits.astype(np.uint8),
                self.y,
                lambda_reg=self.alpha,
                depth_budget=self.depth,
                rashomon_mult=0.03,
                **options,
            )
        return model.get_min_objective() / len(self.y), model.count_trees()

    def time_TreeFARMS(self):
        from treefarms import TREEFARMS

        names = [f"f{i}" for i in range(self.bits.shape[1])]
        settings = {
            "regularization": self.alpha,
            "rashomon_bound_multiplier": 0.03,
            "depth_budget": self.depth + 1,
            "worker_limit": 1,
            "time_limit": 0,
            "verbose": False,
            "rashomon": True,
            "rashomon_trie": "",
        }
        with _silence():
            return TREEFARMS(settings).fit(
                pd.DataFrame(self.bits.astype(int), columns=names),
                pd.Series(self.y, name="class"),
            )

    def quality(self, result):
        if isinstance(result, tuple):  # PRAXIS
            return {"optimum": f"{result[0]:.5f}", "trees": result[1]}
        if isinstance(result, RashomonTreeClassifier):
            arrays = result.sample(20_000, random_state=0).arrays
            whole = np.concatenate([arrays.split, arrays.label], axis=1)
            width = arrays.split.shape[1]
            feature = result._splits.feature
            trees = {
                _nested(feature, row[:width], row[width:], 0)
                for row in np.unique(whole, axis=0)
            }
            self.ours, best, count = trees, result.min_loss_, result.count_
        else:
            found, count = result.model_set, result.get_tree_count()
            trees = {_unpacked(found.get_tree_at_idx_raw(i)) for i in range(count)}
            metrics = [found.get_tree_metric_at_idx(i) for i in range(count)]
            best = min(m["loss"] + m["complexity"] for m in metrics)
        everywhere = np.ones(len(self.y), dtype=bool)
        return {
            "optimum": f"{best:.5f}",
            "trees": count,
            "seen": len(trees),
            "plain": sum(self._is_plain(tree, everywhere) for tree in trees),
            "in ours": len(trees & self.ours),
        }

    def _is_plain(self, tree, rows):
        if isinstance(tree, int):
            return (self.y[rows] == tree).mean() >= 0.5
        split, one, zero = tree
        bit = self.bits[:, split]
        same = isinstance(one, int) and one == zero
        sides = ((one, rows & bit), (zero, rows & ~bit))
        return not same and all(self._is_plain(*side) for side in sides)


class DeeperSparseTrees(SparseTrees):
    title = "The same at depth 4, without TreeFARMS"
    note = "As above. TreeFARMS needs more than five minutes here and is left out."
    time_TreeFARMS = None
    depth = 4

    @classmethod
    def candidates(cls):
        return [name for name in super().candidates() if name != "TreeFARMS"]


class SeparableSparseTrees(DeeperSparseTrees):
    title = "Sparse trees where few splits matter: breast cancer, 60 splits, depth 4"
    note = "As above, with errors plus 6 for each leaf."

    def setup(self):
        X, self.y = load_breast_cancer(return_X_y=True)
        self.bits = make_splits(X, np.ones(len(X)), n_thresholds=2).bits(X)
        self.alpha = 6 / len(X)


def _nested(feature, split, label, node):
    """Write a tree as (split, side of ones, side of zeros); a leaf is its label."""
    if label[node] >= 0:
        return int(label[node])
    # our own cut at 0.5 sends ones to the first child
    below = (_nested(feature, split, label, 2 * node + side) for side in (1, 2))
    return (int(feature[split[node]]), *below)


def _unpacked(tree):
    if "prediction" in tree:
        return int(tree["prediction"])
    return (int(tree["feature"]), _unpacked(tree["true"]), _unpacked(tree["false"]))


@contextlib.contextmanager
def _silence():
    """Drop what compiled code prints."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


class DeepStructures(Comparison):
    title = "Laws of the loss of 2,000 random trees of depth 7 on 569 rows"
    note = """Ours: every split is drawn from the prior, labels are integrated out. The
    loop fits as many of scikit-learn's random trees, whose labels are those of the
    majority: one loss for each tree instead of its law."""
    repeats = 3
    few = {"ExtraTree_loop": 1}
    targets = {"ExtraTree_loop": 15}
    n = 2000

    def setup(self):
        self.X, self.y = load_breast_cancer(return_X_y=True)

    def time_ours(self):
        weight = np.ones(len(self.y))
        splits = make_splits(self.X, weight)
        rows = merge_rows(splits.bits(self.X), self.y, weight, 2)
        ones = np.ones(len(splits), dtype=int)
        space = TreeSpace(7, 2, splits.prior, ones, leaf_weight=0.5)
        split = random_structures(space, self.n, np.random.default_rng(0))
        cells = leaf_losses(LeafCounter.of(rows).counts(split)).astype(int)
        return loss_laws(cells, 0, 100)[:, -1].mean()

    def time_ExtraTree_loop(self):
        inside = 0
        for seed in range(self.n):
            tree = ExtraTreeClassifier(max_depth=7, max_features=1, random_state=seed)
            inside += (tree.fit(self.X, self.y).predict(self.X) != self.y).sum() < 100
        return inside / self.n


class LabelVariance(Study):
    title = "Labels integrated out: variance of the ratio for the same time"
    note = """20,000 structures of depth 3, recidivism. Relative variance of one
    structure, and times its CPU seconds. Target of the gain: 15."""

    def run(self):
        X, y = recidivism()
        weight = np.ones(len(y))
        splits = make_splits(X, weight, n_thresholds=13)
        rows = merge_rows(splits.bits(X), y, weight, 2)
        ones = np.ones(len(splits), dtype=int)
        space = TreeSpace(3, 2, splits.prior, ones, leaf_weight=0.5)
        clf = RashomonTreeClassifier(3, n_thresholds=13, n_members=1).fit(X, y)
        last = int(clf.threshold_loss_ * len(y) + 1e-6)
        rng, n = np.random.default_rng(0), 20_000
        start = time.process_time()
        cells = leaf_losses(
            LeafCounter.of(rows).counts(random_structures(space, n, rng))
        )
        counted = time.process_time() - start
        start = time.process_time()
        label = rng.integers(0, 2, (n, 8, 1))
        crude = np.take_along_axis(cells, label, axis=2).sum(axis=(1, 2)) <= last
        crude_time = counted + time.process_time() - start
        start = time.process_time()
        low = int(cells.min(axis=2).sum(axis=1).min())
        law = loss_laws(cells.astype(int), low, last - low + 1)[:, -1]
        exact_time = counted + time.process_time() - start
        start = time.process_time()
        clf.fit(X, y)
        recursion = time.process_time() - start
        table = []
        for name, terms, seconds in (
            ("labels drawn", crude, crude_time),
            ("labels exact", law, exact_time),
        ):
            variance = terms.var() / terms.mean() ** 2
            table.append((name, terms.mean(), seconds, variance))
        work = [seconds * variance / n for _, _, seconds, variance in table]
        rows = [
            [
                name,
                f"{np.log10(mean):.3f}",
                f"{seconds:.2f}",
                f"{variance:.3g}",
                f"{mine:.3g}",
                f"{work[0] / mine:.3g}",
            ]
            for (name, mean, seconds, variance), mine in zip(table, work, strict=True)
        ]
        rows.append(
            ["recursion", f"{clf.log10_ratio_:.3f}", f"{recursion:.2f}", "0", "0", ""]
        )
        columns = ["", "log10 ratio", "seconds", "variance", "variance x time", "gain"]
        return {"columns": columns, "rows": rows}
