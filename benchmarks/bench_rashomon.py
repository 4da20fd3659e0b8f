"""Rashomon ratios beside naive loops that compute the same thing."""

import time
import tracemalloc

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import scale
from sklearn.tree import ExtraTreeClassifier
from threadpoolctl import threadpool_limits

from benchmarks.harness import Comparison, Study, _torch_threads
from benchmarks.real_data import load
from sklearn_ext.rashomon import RashomonLinearClassifier, RashomonTreeClassifier
from sklearn_ext.rashomon._halfspaces import direction_errors, random_directions
from sklearn_ext.rashomon._logistic_sets import (
    LogisticProblem,
    cast_rays,
    minimize,
)
from sklearn_ext.rashomon._splits import make_splits, merge_rows
from sklearn_ext.rashomon._trees_laws import (
    LeafCounter,
    leaf_losses,
    loss_laws,
    random_structures,
)
from sklearn_ext.rashomon._trees_space import TreeSpace


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


class LinearHypotheses(Comparison):
    title = "Errors of 20,000 linear classifiers on 1,000 rows, 20 columns"
    note = """The loop sets the coefficients of a fitted scikit-learn classifier and
    calls predict. Ours makes float32 products in blocks."""
    repeats = 3
    few = {"predict_loop": 1}
    targets = {"predict_loop": 100}
    n = 20_000

    def setup(self):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((1000, 20), dtype=np.float32)
        self.y = (self.X[:, 0] + rng.standard_normal(1000) > 0).astype(int)
        self.w = random_directions(self.n, 20, rng, dtype=np.float32)

    def time_ours(self):
        sign = (2 * self.y - 1).astype(np.float32)
        return direction_errors(self.w, self.X * sign[:, None])

    def time_predict_loop(self):
        model = SGDClassifier().fit(self.X, self.y)
        model.intercept_[:] = 0
        errors = np.empty(self.n)
        for i, w in enumerate(self.w):
            model.coef_ = w[None]
            errors[i] = (model.predict(self.X) != self.y).sum()
        return errors

    def quality(self, result):
        return {"smallest error": f"{result.min():.0f}", "mean": f"{result.mean():.3f}"}


class MillionHypotheses(Study):
    title = "A million linear classifiers on 1,000 rows, 20 columns"
    note = """CPU seconds, one thread. The loop is that of the table above: 20,000 calls
    of predict, times fifty. Products are in float32; the estimator also draws its
    directions, and works in float64. Torch runs on its CPU device."""
    n = 1_000_000

    def run(self):
        from sklearn_ext.rashomon._evaluate_torch import direction_errors_torch

        task = LinearHypotheses()
        task.setup()
        with threadpool_limits(1):
            start = time.process_time()
            task.time_predict_loop()
            loop = (time.process_time() - start) * self.n / task.n
        rng = np.random.default_rng(1)
        w = random_directions(self.n, 20, rng, dtype=np.float32)
        rows = task.X * (2 * task.y - 1).astype(np.float32)[:, None]
        crude = {"method": "crude", "n_draws": self.n, "n_members": 1}
        crude |= {"fit_intercept": False, "random_state": 0}

        def fit(device):
            RashomonLinearClassifier(device=device, **crude).fit(task.X, task.y)

        ways = [
            ("blocks in numpy", lambda: direction_errors(w, rows)),
            ("blocks in torch", lambda: direction_errors_torch(w, rows, device="cpu")),
            ("estimator, numpy", lambda: fit(None)),
            ("estimator, torch", lambda: fit("cpu")),
        ]
        found = [["predict loop", f"{loop:.0f}", "", ""]]
        with threadpool_limits(1), _torch_threads(1):
            for name, work in ways:
                work()
                start = time.process_time()
                work()
                seconds = time.process_time() - start
                found.append([name, f"{seconds:.2f}", f"{loop / seconds:.0f}", "100"])
        return {"columns": ["", "seconds", "ratio", "target"], "rows": found}


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


class LogisticDraws(Comparison):
    title = "Effective uniform draws from a logistic set, 30 features and intercept"
    note = """2,000 draws. Hit and run: one chain in the same whitened coordinates, ends
    of each chord by bisection. The effective size of the chain is that of its slowest
    coordinate by the initial monotone sequence of autocorrelations."""
    repeats = 3
    few = {"hit_and_run": 1}
    targets = {"hit_and_run": 20}
    n = 2000

    def setup(self):
        X, y = load_breast_cancer(return_X_y=True)
        n = len(y)
        penalty = np.append(np.full(30, 1 / n), 0.0)
        A = np.c_[scale(X), np.ones(n)]
        self.problem = LogisticProblem(A, 2.0 * y - 1, np.full(n, 1 / n), penalty)
        self.centre = minimize(self.problem)
        self.slack = 0.05 * self.problem.value(self.centre)

    def time_ours(self):
        rng = np.random.default_rng(0)
        rays = cast_rays(self.problem, self.centre, self.slack, self.n, rng)
        return rays.draw(self.n, rng), rays.ess

    def time_hit_and_run(self):
        rng = np.random.default_rng(0)
        H = self.problem.hessian(self.centre)
        whiten = np.linalg.inv(np.linalg.cholesky(H)).T
        limit = self.problem.value(self.centre) + self.slack
        w, chain = self.centre.copy(), []
        for _ in range(self.n):
            u = rng.standard_normal(len(w))
            d = whiten @ (u / np.linalg.norm(u))
            ends = [self._end(w, s * d, limit) for s in (1.0, -1.0)]
            w = w + d * rng.uniform(-ends[1], ends[0])
            chain.append(w)
        return np.array(chain), _chain_size(np.array(chain))

    def _end(self, w, d, limit):
        low, high = 0.0, np.sqrt(2 * self.slack)
        while self.problem.value(w + high * d) < limit:
            high *= 2
        for _ in range(25):
            middle = (low + high) / 2
            if self.problem.value(w + middle * d) < limit:
                low = middle
            else:
                high = middle
        return low

    def quality(self, result):
        return {"effective draws": f"{result[1]:.0f}"}


def _chain_size(chain):
    n, worst = len(chain), np.inf
    for x in (chain - chain.mean(axis=0)).T:
        spectrum = abs(np.fft.rfft(x, 2 * n)) ** 2
        rho = np.fft.irfft(spectrum)[:n] / (x @ x)
        pairs = rho[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
        stop = np.argmax(pairs < 0) or len(pairs)
        worst = min(worst, n / max(2 * pairs[:stop].sum() - 1, 1e-9))
    return worst


class LabelVariance(Study):
    title = "Labels integrated out: variance of the ratio for the same time"
    note = """Relative variance times CPU seconds for each structure, depth 3,
    recidivism. Crude: labels are drawn too. Target: 15 times less."""

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
        table = []
        for name, terms, seconds in (
            ("labels drawn", crude, crude_time),
            ("labels exact", law, exact_time),
        ):
            work = terms.var() / terms.mean() ** 2 * seconds / n
            table.append([name, terms.mean(), seconds, work])
        rows = [
            [
                name,
                f"{np.log10(mean):.3f}",
                f"{s:.2f}",
                f"{work:.3g}",
                f"{table[0][3] / work:.3g}",
            ]
            for name, mean, s, work in table
        ]
        rows.append(["exact", f"{clf.log10_ratio_:.3f}", "", "", ""])
        return {
            "columns": ["", "log10 ratio", "seconds", "variance x time", "gain"],
            "rows": rows,
        }


BENCHMARKS = (
    ExactTrees,
    TreeSizes,
    LinearHypotheses,
    MillionHypotheses,
    DeepStructures,
    LogisticDraws,
    LabelVariance,
)
