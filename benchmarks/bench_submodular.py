"""Static and dynamic submodular selection beside apricot, submodlib and k-medoids."""

import copy
import resource
import time
from itertools import product
from pathlib import Path
from threading import Event, Thread

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs
from sklearn.metrics import pairwise_distances_argmin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import Comparison, Study
from benchmarks.real_data import load
from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    maximize,
)
from sklearn_ext.submodular._engine._guess import finish


def digits_stream(n, seed=0):
    """Real digits, drawn again and again with a little noise."""
    digits = load_digits().data / 16
    rng = np.random.default_rng(seed)
    X = digits[rng.integers(0, len(digits), n)]
    return (X + 0.05 * rng.standard_normal(X.shape)).astype(np.float32)


def mnist_kernel(n):
    """Kernel of n real digits, and their pixels."""
    X = load("mnist5k", as_frame=False).data[:n] / 255
    return X, rbf_kernel(X, gamma=1 / (2 * X.var(axis=0).sum()))


class _Static(Comparison):
    n, k, repeats = 5000, 100, 3
    few = {"apricot": 1, "submodlib": 1}

    def setup(self):
        self.X, self.S = mnist_kernel(self.n)

    def quality(self, result):
        rows = np.asarray(result, dtype=int)
        return {"value / n": float(self.S[rows].max(axis=0).mean())}


class StaticLazy(_Static):
    title = "Facility location, lazy greedy, n=5,000, k=100, the same kernel matrix"
    note = """Ours by compiled loops (numba), loaded before, and by numpy. apricot
    compiles when it fits: its first run is not counted. All use lazy greedy on all
    5,000 candidates. One timed run of the peers."""
    targets = {"apricot": 10, "submodlib": 5}
    versions = ("numpy", "numba", "apricot-select", "submodlib-py")

    def setup(self):
        super().setup()
        maximize(FacilityLocation("precomputed"), np.eye(2), 1, backend="numba")

    def time_ours(self):
        objective = FacilityLocation("precomputed")
        return maximize(objective, self.S, self.k, backend="numba").indices

    def time_ours_by_numpy(self):
        objective = FacilityLocation("precomputed")
        return maximize(objective, self.S, self.k, backend="numpy").indices

    def time_apricot(self):
        from apricot import FacilityLocationSelection

        chosen = FacilityLocationSelection(self.k, "precomputed", optimizer="lazy")
        return chosen.fit(self.S).ranking

    def time_submodlib(self):
        from submodlib import FacilityLocationFunction

        objective = FacilityLocationFunction(
            n=self.n, mode="dense", sijs=self.S, separate_rep=False
        )
        found = objective.maximize(self.k, optimizer="LazyGreedy", show_progress=False)
        return [row for row, _ in found]


class StaticFeatures(_Static):
    title = "Square roots of feature sums, n=5,000, d=784, k=100"
    versions = ("numpy", "apricot-select")
    targets = {"apricot": 10}

    def quality(self, result):
        rows = np.asarray(result, dtype=int)
        return {"value": float(np.sqrt(self.X[rows].sum(axis=0)).mean())}

    def time_ours(self):
        return maximize(FeatureBased(), self.X, self.k).indices

    def time_apricot(self):
        from apricot import FeatureBasedSelection

        chosen = FeatureBasedSelection(self.k, concave_func="sqrt", optimizer="lazy")
        return chosen.fit(self.X).ranking


class _Medoids(_Static):
    """Exchanges beside FasterPAM at its own start, at BUILD and at our start."""

    note = """Ours is lazy greedy with exchanges to a local optimum on the kernel
    matrix, and with 1,000 sampled reference rows and no matrix. FasterPAM starts at its
    own default (random medoids), at its BUILD, and at the rows of our lazy greedy,
    whose time is counted: its best. KMeans takes the row nearest to each centre. The
    time of the kernel matrix, or of one minus it, is counted for nobody."""
    versions = ("numpy", "numba", "scikit-learn", "kmedoids")
    few = {"FasterPAM_from_BUILD": 1}

    def setup(self):
        self.X = self.rows()
        self.gamma = 1 / (2 * self.X.var(axis=0).sum())
        self.S = rbf_kernel(self.X, gamma=self.gamma)
        self.D = 1 - self.S
        maximize(FacilityLocation("precomputed"), np.eye(3), 2, n_swaps=None)

    def time_ours(self):
        found = maximize(FacilityLocation("precomputed"), self.S, self.k, n_swaps=None)
        return found.indices

    def time_ours_sampled(self):
        objective = FacilityLocation(gamma=self.gamma)
        return maximize(objective, self.X, self.k, n_swaps=None, random_state=0).indices

    def fasterpam(self, medoids, **settings):
        from kmedoids import fasterpam

        return fasterpam(self.D, medoids, n_cpu=1, **settings).medoids

    def time_FasterPAM(self):
        return self.fasterpam(self.k, random_state=0)

    def time_FasterPAM_from_BUILD(self):
        return self.fasterpam(self.k, init="build", random_state=0)

    def time_FasterPAM_from_our_greedy(self):
        found = maximize(FacilityLocation("precomputed"), self.S, self.k)
        return self.fasterpam(found.indices.astype(np.uint64))

    def time_KMeans(self):
        centres = KMeans(self.k, n_init=1, random_state=0).fit(self.X).cluster_centers_
        return pairwise_distances_argmin(centres, self.X)

    def time_random(self):
        return np.random.default_rng(0).choice(len(self.X), self.k, replace=False)


class Medoids(_Medoids):
    title = "Exemplars by exchanges: 5,000 digits of 784 pixels, k=100"

    def rows(self):
        return mnist_kernel(5000)[0]


class MedoidsFew(_Medoids):
    title = "Exemplars by exchanges: 5,000 digits of 784 pixels, k=10"
    k = 10

    def rows(self):
        return mnist_kernel(5000)[0]


class MedoidsSmallDigits(_Medoids):
    title = "Exemplars by exchanges: 1,797 digits of 64 pixels, k=50"
    k = 50

    def rows(self):
        return load_digits().data / 16


class MedoidsOfATable(_Medoids):
    title = "Exemplars by exchanges: breast cancer, 569 rows of 30 columns, k=20"
    k = 20

    def rows(self):
        return StandardScaler().fit_transform(load_breast_cancer().data)


class MedoidsOfClusters(_Medoids):
    title = "Exemplars by exchanges: 4,000 rows in 40 Gaussian clusters, k=40"
    k = 40

    def rows(self):
        return make_blobs(4000, 10, centers=40, random_state=0)[0]


class _Updates:
    """A sliding window: each update forgets the oldest row and adds one."""

    def __init__(self, X, n, **params):
        self.X, self.n, self.next = X, n, n
        start, wall = time.process_time(), time.perf_counter()
        self.model = DynamicSubmodularSelector(random_state=0, **params).fit(X[:n])
        self.fit_seconds = time.process_time() - start
        self.fit_wall = time.perf_counter() - wall
        start = time.process_time()
        self.step()
        self.build_seconds = time.process_time() - start
        self.build_calls = self.model.n_oracle_calls_

    def step(self, **params):
        new = self.X[self.next][None], [self.next]
        self.model.update(new, forget=[self.next - self.n], **params)
        self.next += 1

    def run(self, n_updates, **params):
        """Return seconds of each update and calls per update."""
        seconds, calls = [], self.model.n_oracle_calls_
        for _ in range(n_updates):
            start = time.process_time()
            self.step(**params)
            seconds.append(time.process_time() - start)
        return np.array(seconds), (self.model.n_oracle_calls_ - calls) / n_updates


def rerun(model):
    """Return seconds and calls of lazy greedy on all rows, singletons cached."""
    oracle, state = model._living.oracle, model._living.start.state
    slots, calls = model._living.table.slots, oracle.n_calls
    start = time.process_time()
    oracle.gains(slots, state)
    singles = time.process_time() - start
    model.reoptimize()
    whole = time.process_time() - start - singles
    return whole - singles, oracle.n_calls - calls - 2 * len(slots)


class DynamicUpdate(Study):
    title = "One update (a row leaves, a row comes) beside solving anew, m=500"
    note = """The re-run is lazy greedy with the gains of single rows cached, by the
    same backend. Means hold the rare rebuilds. Times are those of the CPU and include
    all checks of input. Targets at n=100,000: a ratio of 50, p50 of 0.3 ms by numpy."""
    versions = ("scikit-learn", "numpy", "numba")

    def run(self):
        columns = ["n", "k", "backend", "calls", "mean ms", "p50 ms", "p99 ms"]
        columns += ["max ms", "re-run calls", "re-run ms", "ratio of means"]
        rows = []
        sizes = [(10_000, 10, 4000), (10_000, 100, 2000)]
        sizes += [(100_000, 10, 4000), (100_000, 100, 3000)]
        for (n, k, updates), backend in product(sizes, ("numpy", "numba")):
            X = digits_stream(n + updates + 1)
            window = _Updates(
                X,
                n,
                n_select=k,
                objective=FacilityLocation(n_reference=500),
                refine="pool",
                backend=backend,
            )
            seconds, calls = window.run(updates)
            ms = 1000 * np.array(
                [seconds.mean(), *np.quantile(seconds, [0.5, 0.99, 1])]
            )
            again, again_calls = rerun(window.model)
            ratio = 1000 * again / ms[0]
            cells = [f"{n:,}", k, backend, f"{calls:.0f}", *(f"{v:.3g}" for v in ms)]
            cells += [f"{again_calls:,}", f"{1000 * again:.0f}", f"{ratio:.0f}"]
            rows.append(cells)
        return {"columns": columns, "rows": rows}


def expected_calls(model):
    """Return calls of an update of random rows: what it may rebuild, by its chance.

    A random living row is the i-th chosen row of a guess with chance 1 / n. A random
    new row replaces it with chance 1 / n, up to the chance that it replaced one before.
    Each of these rebuilds is made, its calls counted, and undone.
    """
    oracle, n, rng = model._living.oracle, model.n_active_, np.random.default_rng(0)
    lookups, rebuilds = 1, 0
    for guess in model._living.engine.guesses.values():
        lookups += np.log2(min(len(guess.slots), guess.k - 1) + 1)
        for i, slot in enumerate(guess.slots.copy(), 1):
            inside = np.flatnonzero(guess.level >= i)
            for change in (
                guess.delete(np.array([slot])),
                guess._replace(i, rng.choice(inside)),
            ):
                saved = copy.deepcopy(vars(guess), {id(oracle): oracle})
                calls = oracle.n_calls
                finish(change)
                rebuilds += oracle.n_calls - calls
                vars(guess).update(saved)
    return lookups + rebuilds / n


class FlatCost(Study):
    title = "Calls per update by the number of rows, k=10, 16 columns, 128 references"
    note = """The expectation counts each rebuild that a random row can cause, by its
    chance, for the sets that the engine holds after 4,000 updates; guesses that are
    built anew are not in it. The mean of those updates holds few rebuilds: expect
    scatter, and none at a million rows. A static re-run grows with n."""
    versions = ("scikit-learn", "numpy", "numba")

    def run(self):
        rows = []
        for n in (10_000, 100_000, 1_000_000):
            X = digits_stream(n + 4001)[:, 20:36].copy()
            objective = FacilityLocation(n_reference=128)
            window = _Updates(X, n, n_select=10, objective=objective, refine="pool")
            _, calls = window.run(4000)
            built = window.build_calls / n
            expected = expected_calls(window.model)
            rows.append([f"{n:,}", f"{expected:.0f}", f"{calls:.0f}", f"{built:.1f}"])
        columns = ["n", "expected calls", "mean of 4,000 updates"]
        return {"columns": [*columns, "calls of fit and build / n"], "rows": rows}


class AdaptiveDeletions(Study):
    title = "Deletions that look at the answer: n=10,000, k=50, m=200, calls / n"
    note = """Each of 100 deletions takes a row that the engine holds or the answer
    shows, or a random row. In batches, ten go at a time."""

    def run(self):
        rows = []
        for victim in ("random row", "row of the answer", "row of the best guess"):
            cells = [victim]
            for size in (1, 10):
                objective = FacilityLocation(n_reference=200)
                X = digits_stream(10_001)
                window = _Updates(
                    X, 10_000, n_select=50, objective=objective, refine="pool"
                )
                cells.append(f"{self.calls(window.model, victim, size):.2g}")
            rows.append(cells)
        return {"columns": ["deleted", "one by one", "in tens"], "rows": rows}

    def calls(self, model, victim, size):
        """Return calls per deletion and row, those of reading the answer left out."""
        rng, spent = np.random.default_rng(0), 0
        for _ in range(100 // size):
            if victim == "random row":
                ids = rng.choice(model.active_ids_, size, replace=False)
            elif victim == "row of the answer":
                ids = rng.choice(model.selected_ids_, size, replace=False)
            else:
                best = np.array(model._living.engine.best())
                ids = model._living.table.ids(rng.choice(best, size, replace=False))
            before = model.n_oracle_calls_
            model.update(forget=ids)
            spent += model.n_oracle_calls_ - before
        return spent / 100 / 10_000


class SlicedUpdates(Study):
    title = "Bounded latency: n=20,000, k=50, m=500, calls of single updates"
    note = """With max_calls ("auto", the default, is 10,000) a rebuild is carried on by
    later updates, in blocks of up to 2,048 rows and their levels. 500 updates; the
    certificate is the smallest seen, read every 50."""

    def run(self):
        rows = []
        for max_calls in (None, "auto", 2000):
            X = digits_stream(20_501)
            objective = FacilityLocation(n_reference=500)
            window = _Updates(
                X, 20_000, n_select=50, objective=objective, refine="pool"
            )
            spent, stale, least = [], 0, 1.0
            for i in range(500):
                before = window.model.n_oracle_calls_
                window.step(max_calls=max_calls)
                spent.append(window.model.n_oracle_calls_ - before)
                stale += window.model.stale_
                if i % 50 == 0:
                    least = min(least, window.model.certificate_)
            calls = np.quantile(spent, [0.5, 0.99, 1]).astype(int).tolist()
            rows.append([max_calls, *calls, f"{stale / 500:.2f}", f"{least:.3f}"])
        columns = ["max_calls", "median", "99 %", "most", "share of stale answers"]
        return {"columns": [*columns, "least certificate"], "rows": rows}


def mean_nearest(similarities, rows):
    """Facility location of chosen rows."""
    return float(similarities[rows].max(axis=0).mean())


class Quality(Study):
    title = "Value by share of greedy's on all rows, after 500 updates, n=5,000"
    note = """A sliding window over digits. Random sets are 20 draws. MiniBatchKMeans
    sees the same stream by partial_fit, forgets nothing, and is given the nearest
    living row to each centre; the sieve cannot forget and reads the last window."""

    def run(self):
        columns = ["k", "best guess", "guesses", "pool", "sieve", "bucketed", "random"]
        columns += ["MiniBatchKMeans", "changes per read"]
        rows = []
        for k in (10, 50):
            X, n = digits_stream(5501), 5000
            found, changes = {}, []
            for refine in ("none", "guesses", "pool"):
                window = _Updates(X, n, n_select=k, refine=refine)
                for _ in range(50):
                    window.run(10)
                    changes += [window.model.n_changes_] if refine == "pool" else []
                found[refine] = window.model.objective_
            model = window.model
            bucketed = _Updates(X, n, n_select=k, refine="none", algorithm="bucketed")
            bucketed.run(500)
            living = X[501:5501]
            rows_ = model.objective_model_.represent(living)
            reference = FacilityLocation("precomputed")
            greedy = mean_nearest(rows_, maximize(reference, rows_, k).indices)
            sieve = mean_nearest(
                rows_, maximize(reference, rows_, k, method="sieve").indices
            )
            rng = np.random.default_rng(0)
            draws = [
                mean_nearest(rows_, rng.choice(n, k, replace=False)) for _ in range(20)
            ]
            kmeans = MiniBatchKMeans(k, random_state=0, n_init=1)
            for start in range(0, len(X), 500):
                kmeans.partial_fit(X[start : start + 500])
            near = pairwise_distances_argmin(kmeans.cluster_centers_, living)
            values = [found["none"], found["guesses"], found["pool"], sieve]
            values += [
                bucketed.model.objective_,
                np.mean(draws),
                mean_nearest(rows_, near),
            ]
            cells = [f"{v / greedy:.3f}" for v in values]
            rows.append([k, *cells, f"{np.mean(changes):.1f}"])
        return {"columns": columns, "rows": rows}


class _Peak(Thread):
    """Watches the resident memory of this process, beyond what it has at first."""

    def __init__(self):
        super().__init__(daemon=True)
        self.first = self.most = self.now()
        self.stopped = Event()

    def now(self):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def run(self):
        while not self.stopped.wait(0.01):
            self.most = max(self.most, self.now())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.join()

    @property
    def gigabytes(self):
        return (self.most - self.first) / 1e9


class Million(Study):
    title = "A million rows: 16 columns, 128 references, k=50"
    note = """Peak memory is resident memory beyond that of the process with the data
    loaded, looked at 100 times a second; 512 MB of it are the coordinates."""
    versions = ("scikit-learn", "numpy", "numba")

    def run(self):
        parts = [digits_stream(77_001, seed)[:, 20:36] for seed in range(13)]
        X = np.concatenate(parts)
        del parts
        columns = ["", "numpy", "numba", "target"]
        found = [self.measure(X, backend) for backend in columns[1:3]]
        targets = ["60", "", "", "1.2", "1", "", "", ""]
        names = ["wall seconds of fit", "CPU seconds of fit"]
        names += ["CPU seconds of the first update", "peak GB", "p50 update ms"]
        names += ["mean update ms", "calls per update", "value, certificate"]
        rows = [list(row) for row in zip(names, *found, targets, strict=True)]
        return {"columns": columns, "rows": rows}

    def measure(self, X, backend):
        objective = FacilityLocation(n_reference=128)
        n, params = 1_000_000, {"n_select": 50, "refine": "pool", "backend": backend}
        with _Peak() as peak:
            window = _Updates(X, n, objective=objective, **params)
            seconds, calls = window.run(1000)
            value, proven = window.model.objective_, window.model.certificate_
        cells = [f"{window.fit_wall:.1f}", f"{window.fit_seconds:.1f}"]
        cells += [f"{window.build_seconds:.1f}", f"{peak.gigabytes:.2f}"]
        cells += [f"{1000 * np.median(seconds):.2g}", f"{1000 * seconds.mean():.2g}"]
        return [*cells, f"{calls:.0f}", f"{value:.3f}, {proven:.3f}"]


BENCHMARKS = [
    StaticLazy,
    StaticFeatures,
    Medoids,
    MedoidsFew,
    MedoidsSmallDigits,
    MedoidsOfATable,
    MedoidsOfClusters,
    DynamicUpdate,
    FlatCost,
    AdaptiveDeletions,
    SlicedUpdates,
    Quality,
    Million,
]
