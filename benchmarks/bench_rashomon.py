"""Rashomon ratios beside naive loops that compute the same thing."""

import time

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import OneHotEncoder, scale
from threadpoolctl import threadpool_limits

from benchmarks.bench_rashomon_information import BitsOfClasses, Certificates, Tails
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
from benchmarks.real_data import load
from sklearn_ext.rashomon import RashomonLinearClassifier, RashomonTreeClassifier
from sklearn_ext.rashomon._linear._halfspaces import direction_errors, random_directions
from sklearn_ext.rashomon._linear._logistic_draws import cast_rays, temper
from sklearn_ext.rashomon._linear._logistic_sets import (
    LogisticProblem,
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
    note = """All in float32 and one thread. Blocks: the product of 1,000 directions and
    all rows, compared with zero and counted, the same three lines that anybody writes
    in numpy. One matvec each: a product of the rows with one direction and a count.
    The predict loop sets the coefficients of a fitted scikit-learn classifier and calls
    predict, which checks its input each time."""
    repeats = 3
    few = {"predict_loop": 1}
    n = 20_000

    def setup(self):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((1000, 20), dtype=np.float32)
        self.y = (self.X[:, 0] + rng.standard_normal(1000) > 0).astype(int)
        self.w = random_directions(self.n, 20, rng, dtype=np.float32)

    def time_ours(self):
        return direction_errors(self.w, self._signed())

    def time_numpy_blocks(self):
        rows = self._signed().T
        errors = np.empty(self.n)
        for i in range(0, self.n, 1000):
            wrong = self.w[i : i + 1000] @ rows <= 0
            errors[i : i + 1000] = np.count_nonzero(wrong, axis=1)
        return errors

    def time_one_matvec_each(self):
        rows = self._signed()
        return np.array([np.count_nonzero(rows @ w <= 0) for w in self.w])

    def _signed(self):
        return self.X * (2 * self.y - 1).astype(np.float32)[:, None]

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
    note = """CPU seconds, one thread. The loop and the plain blocks are those of the
    table above, times fifty; ratios are to the plain blocks. Products are in float32;
    the estimator also draws its directions, and works in float64. Torch runs on its CPU
    device."""
    n = 1_000_000

    def run(self):
        from sklearn_ext.rashomon._linear._halfspaces_torch import (
            direction_errors_torch,
        )

        task = LinearHypotheses()
        task.setup()
        with threadpool_limits(1):
            loop = _seconds(task.time_predict_loop) * self.n / task.n
            plain = _seconds(task.time_numpy_blocks) * self.n / task.n
        rng = np.random.default_rng(1)
        w = random_directions(self.n, 20, rng, dtype=np.float32)
        rows = task._signed()
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
        found = [["predict loop", loop], ["plain numpy blocks", plain]]
        with threadpool_limits(1), _torch_threads(1):
            for name, work in ways:
                work()
                found.append([name, _seconds(work)])
        rows = [[name, f"{t:.2f}", f"{plain / t:.2g}"] for name, t in found]
        return {"columns": ["", "seconds", "ratio"], "rows": rows}


def _seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


class LogisticDraws(Comparison):
    title = "Effective uniform draws from a logistic set, 30 features and intercept"
    note = """2,000 draws. Hit and run: one chain in the same whitened coordinates, ends
    of each chord by bisection. rashomon-py: its own hit and run after its default of
    200 steps; with mix, half of the steps propose a point of the Hessian's ellipsoid,
    its best setting in moderate dimensions. The effective size of a chain is that of
    its slowest coordinate by the initial monotone sequence of autocorrelations."""
    repeats = 3
    few = {"hit_and_run": 1, "rashomon_py": 1, "rashomon_py_mix": 1}
    targets = {"hit_and_run": 20}
    versions = ("scikit-learn", "numpy", "scipy", "rashomon-py")
    n = 2000

    def setup(self):
        X, y = load_breast_cancer(return_X_y=True)
        self.X, self.y, n = scale(X), y, len(y)
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

    def time_rashomon_py(self):
        return self._peer(0.0)

    def time_rashomon_py_mix(self):
        return self._peer(0.5)

    def _peer(self, mix):
        from rashomon import RashomonSet

        peer = RashomonSet(  # its C is ours times the number of rows
            C=float(len(self.y)), epsilon=0.05, fit_intercept=True, random_state=0
        ).fit(self.X, self.y)
        chain = peer.sample_hitandrun(
            self.n, ellipsoid_mix=mix, compute_diagnostics=False
        )
        return chain, _chain_size(chain)

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


class OneHotDraws(Study):
    title = "Draws from a logistic set of a hundred one-hot columns"
    note = """1,500 rows of the adult table, standardised, C = 1, theta = 0.05; each way
    with four seeds. Directions: how many distinct ones from the optimum. Agreement: the
    largest difference between two seeds of the share of 200 draws that vote for the
    second class, over 300 rows; independent draws differ by about 0.13. Spread:
    standard deviation of log10 of the volume between seeds. rashomon-py: hit and run,
    20 steps for each of 200 draws, half of them proposals from the Hessian's ellipsoid.
    Rays: 1,000 of them, which this package uses where they are effective."""
    versions = ("scikit-learn", "numpy", "scipy", "rashomon-py")
    n, n_seeds = 200, 4

    def run(self):
        from rashomon import RashomonSet

        X, y = _one_hot_adult()
        n, p = X.shape
        problem = LogisticProblem(
            np.c_[X, np.ones(n)],
            2.0 * y - 1,
            np.full(n, 1 / n),
            np.append(np.full(p, 1 / n), 0.0),
        )
        centre = minimize(problem)
        slack = 0.05 * problem.value(centre)
        peer = RashomonSet(C=float(n), epsilon=0.05, fit_intercept=True, random_state=0)
        peer.fit(X, y)

        def with_rays(rng):
            drawn = cast_rays(problem, centre, slack, 1000, rng)
            return drawn.draw(self.n, rng), drawn.log_volume

        def tempered(rng):
            drawn = temper(problem, centre, slack, 256, rng)
            return drawn.draw(self.n, rng), drawn.log_volume

        def hit_and_run(rng):
            seed = int(rng.integers(2**31))
            chain = peer.sample_hitandrun(
                self.n, thin=20, ellipsoid_mix=0.5, random_state=seed
            )
            return np.c_[chain[:, 1:], chain[:, 0]], np.nan

        rows = []
        ways = ("rays", with_rays), ("tempered", tempered), ("rashomon-py", hit_and_run)
        for name, draw in ways:
            votes, volumes, seconds = [], [], []
            for seed in range(self.n_seeds):
                start = time.process_time()
                points, log_volume = draw(np.random.default_rng(seed))
                seconds.append(time.process_time() - start)
                votes.append((points @ problem.X[:300].T > 0).mean(axis=0))
                volumes.append(log_volume / np.log(10))
            apart = max(
                abs(a - b).max() for i, a in enumerate(votes) for b in votes[:i]
            )
            spread = np.std(volumes, ddof=1)
            rows.append(
                [
                    name,
                    f"{np.median(seconds):.2g}",
                    f"{_directions(points - centre)}",
                    f"{apart:.2f}",
                    "" if np.isnan(spread) else f"{np.mean(volumes):.2f}",
                    "" if np.isnan(spread) else f"{spread:.2f}",
                ]
            )
        columns = ["", "seconds", "directions", "agreement", "log10 volume", "spread"]
        return {"columns": columns, "rows": rows}


def _directions(away):
    unit = away / np.linalg.norm(away, axis=1, keepdims=True)
    return len(np.unique(unit.round(6), axis=0))


def _one_hot_adult():
    table = load("adult")
    y = np.asarray(table.target)[:1500]
    words = make_column_selector(dtype_exclude="number")
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encode, words), remainder="passthrough")
    X = scale(columns.fit_transform(table.data.iloc[:1500]))
    return X[:, X.std(axis=0) > 0], (y == np.unique(y)[1]).astype(int)


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
    OneHotDraws,
    LabelVariance,
    SampledLabels,
    Certificates,
    Tails,
    BitsOfClasses,
)
