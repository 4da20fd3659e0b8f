"""Rashomon ratios beside naive loops that compute the same thing."""

import time

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from benchmarks.bench_rashomon_trees import (
    DeeperSparseTrees,
    DeepStructures,
    ExactTrees,
    LabelVariance,
    SeparableSparseTrees,
    SparseTrees,
    TreeSizes,
)
from benchmarks.harness import Comparison, Study, _torch_threads
from sklearn_ext.rashomon import RashomonLinearClassifier, RashomonTreeClassifier
from sklearn_ext.rashomon._halfspaces import direction_errors, random_directions
from sklearn_ext.rashomon._logistic_sets import (
    LogisticProblem,
    cast_rays,
    minimize,
)
from sklearn_ext.rashomon._trees._problem import TreeSpace, make_splits, merge_rows
from sklearn_ext.rashomon._trees._sampled import (
    LeafCounter,
    leaf_losses,
    loss_laws,
    random_structures,
)


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


class SampledLabels(Study):
    title = "Labels drawn near the majority: trees of depth 7, 300 rows, 6 splits"
    note = """Decimal logarithm of the ratio within theta = 0.2 of the optimum, 20,000
    random structures. Labels are drawn too, the majority's with probability q, and
    weighted for it; or they are integrated out. Four fifths of all leaves are empty.
    Claimed error: the estimate's own relative standard error."""

    def run(self):
        rng, n = np.random.default_rng(2), 20_000
        X = rng.integers(0, 2, (300, 6)).astype(float)
        y = X[:, 0].astype(int) ^ X[:, 1].astype(int)
        y = np.where(rng.random(300) < 0.9, rng.integers(0, 2, 300), y)
        weight = np.ones(300)
        splits = make_splits(X, weight)
        data = merge_rows(splits.bits(X), y, weight, 2)
        ones = np.ones(len(splits), dtype=int)
        space = TreeSpace(7, 2, splits.prior, ones, leaf_weight=0.5)
        clf = RashomonTreeClassifier(7, theta=0.2, n_members=1).fit(X, y)
        last = int(clf.threshold_loss_ * 300 + 1e-6)
        cells = leaf_losses(
            LeafCounter.of(data).counts(random_structures(space, n, rng))
        )
        low = int(cells.min(axis=2).sum(axis=1).min())
        law = loss_laws(cells.astype(int), low, last - low + 1)[:, -1]
        rows = [["exact", f"{clf.log10_ratio_:.2f}", ""], _estimate("no labels", law)]
        for q in (0.6, 0.75, 0.9):
            terms = _label_terms(cells, q, last, rng)
            rows.append(_estimate(f"labels, q = {q:g}", terms))
        return {"columns": ["", "log10 ratio", "claimed error"], "rows": rows}


def _label_terms(cells, q, last, rng):
    """Weigh random labels by prior over proposal; zero beyond the threshold."""
    best = cells.argmin(axis=2)
    kept = rng.random(best.shape) < q
    label = np.where(kept, best, 1 - best)[..., None]
    loss = np.take_along_axis(cells, label, axis=2).sum(axis=(1, 2))
    log_weight = np.where(kept, np.log(0.5 / q), np.log(0.5 / (1 - q))).sum(axis=1)
    return np.where(loss <= last, np.exp(log_weight), 0.0)


def _estimate(name, terms):
    error = terms.std() / terms.mean() / np.sqrt(len(terms))
    return [name, f"{np.log10(terms.mean()):.2f}", f"{error:.2g}"]


BENCHMARKS = (
    ExactTrees,
    TreeSizes,
    SparseTrees,
    DeeperSparseTrees,
    SeparableSparseTrees,
    LinearHypotheses,
    MillionHypotheses,
    DeepStructures,
    LogisticDraws,
    LabelVariance,
    SampledLabels,
)
