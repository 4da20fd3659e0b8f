"""Static and dynamic submodular selection beside apricot, submodlib and k-medoids."""

import time

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances_argmin
from sklearn.metrics.pairwise import rbf_kernel

from benchmarks.harness import Comparison, Study
from benchmarks.real_data import load
from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    maximize,
)


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
    few = {"apricot": 1, "submodlib": 1, "kmedoids_FasterPAM": 1}

    def setup(self):
        self.X, self.S = mnist_kernel(self.n)

    def quality(self, result):
        rows = np.asarray(result, dtype=int)
        return {"value / n": float(self.S[rows].max(axis=0).mean())}


class StaticLazy(_Static):
    title = "Facility location, lazy greedy, n=5,000, k=100, the same kernel matrix"
    note = """apricot compiles when it fits: its first run is not counted. All use lazy
    greedy on all 5,000 candidates. One timed run of the peers."""
    targets = {"apricot": 10, "submodlib": 5}
    versions = ("numpy", "apricot-select", "submodlib-py")

    def time_ours(self):
        return maximize(FacilityLocation("precomputed"), self.S, self.k).indices

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


class Medoids(_Static):
    title = "Exemplars by exchanges, n=5,000, k=100"
    note = """Ours is lazy greedy with exchanges to a local optimum on the kernel
    matrix, then with 1,000 sampled reference rows and no matrix. FasterPAM starts at
    its own default. KMeans takes the row nearest to each centre. The time of the kernel
    matrix is counted for nobody."""
    versions = ("numpy", "scikit-learn", "kmedoids")

    def time_ours(self):
        found = maximize(FacilityLocation("precomputed"), self.S, self.k, n_swaps=None)
        return found.indices

    def time_ours_sampled(self):
        objective = FacilityLocation(gamma=1 / (2 * self.X.var(axis=0).sum()))
        return maximize(objective, self.X, self.k, n_swaps=None, random_state=0).indices

    def time_kmedoids_FasterPAM(self):
        from kmedoids import fasterpam

        return fasterpam(1 - self.S, self.k, random_state=0, n_cpu=1).medoids

    def time_KMeans(self):
        centres = KMeans(self.k, n_init=1, random_state=0).fit(self.X).cluster_centers_
        return pairwise_distances_argmin(centres, self.X)

    def time_random(self):
        return np.random.default_rng(0).choice(self.n, self.k, replace=False)


class _Updates:
    """A sliding window: each update forgets the oldest row and adds one."""

    def __init__(self, X, n, **params):
        self.X, self.n, self.next = X, n, n
        start = time.process_time()
        self.model = DynamicSubmodularSelector(random_state=0, **params).fit(X[:n])
        self.fit_seconds = time.process_time() - start
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
    oracle, state = model._oracle, model._state
    slots, calls = model._table.slots, oracle.n_calls
    start = time.process_time()
    oracle.gains(slots, state)
    singles = time.process_time() - start
    model.reoptimize()
    whole = time.process_time() - start - singles
    return whole - singles, oracle.n_calls - calls - 2 * len(slots)


class DynamicUpdate(Study):
    title = "One update (a row leaves, a row comes) beside solving anew, m=500"
    note = """The re-run is lazy greedy with the gains of single rows cached. Means hold
    the rare rebuilds. Times are those of the CPU and include all checks of input."""

    def run(self):
        columns = ["n", "k", "calls", "mean ms", "p50 ms", "p99 ms", "max ms"]
        columns += ["re-run calls", "re-run ms", "ratio of means", "target"]
        rows = []
        for n, k, updates in [
            (10_000, 10, 4000),
            (10_000, 100, 2000),
            (100_000, 10, 4000),
            (100_000, 100, 3000),
        ]:
            objective = FacilityLocation(n_reference=500)
            X = digits_stream(n + updates + 1)
            window = _Updates(X, n, n_select=k, objective=objective, refine="pool")
            seconds, calls = window.run(updates)
            ms = 1000 * np.array(
                [seconds.mean(), *np.quantile(seconds, [0.5, 0.99, 1])]
            )
            again, again_calls = rerun(window.model)
            ratio = 1000 * again / ms[0]
            cells = [n, k, f"{calls:.0f}", *(f"{value:.3g}" for value in ms)]
            target = "50" if n == 100_000 else ""
            cells += [again_calls, f"{1000 * again:.0f}", f"{ratio:.0f}", target]
            rows.append(cells)
        return {"columns": columns, "rows": rows}


class FlatCost(Study):
    title = "Calls per update by the number of rows, k=10, 16 columns, 128 references"
    note = """Averages over 4,000 updates, of which few are rebuilds of the first
    levels: expect scatter. A static re-run grows with n."""

    def run(self):
        rows = []
        for n in (10_000, 100_000, 1_000_000):
            X = digits_stream(n + 4001)[:, 20:36].copy()
            objective = FacilityLocation(n_reference=128)
            window = _Updates(X, n, n_select=10, objective=objective, refine="pool")
            _, calls = window.run(4000)
            built = window.build_calls / n
            rows.append([f"{n:,}", f"{calls:.0f}", f"{built:.1f}"])
        columns = ["n", "calls", "calls of fit and build / n"]
        return {"columns": columns, "rows": rows}


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
                best = np.array(model._engine.best())
                ids = model._table.ids(rng.choice(best, size, replace=False))
            before = model.n_oracle_calls_
            model.update(forget=ids)
            spent += model.n_oracle_calls_ - before
        return spent / 100 / 10_000


class SlicedUpdates(Study):
    title = "Bounded latency: n=20,000, k=50, m=500, calls of single updates"
    note = """With max_calls a rebuild is carried on by later updates, in blocks of up
    to 2,048 rows and their levels. 500 updates; the certificate is the smallest seen,
    read every 50."""

    def run(self):
        rows = []
        for max_calls in (None, 20_000, 2000):
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


class Million(Study):
    title = "A million rows: 16 columns, 128 references, k=50"
    note = "Peak memory is that of the process beyond what it had with the data loaded."
    threads = 2

    def run(self):
        import resource

        X = digits_stream(1_001_001)[:, 20:36].copy()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        objective = FacilityLocation(n_reference=128)
        start = time.perf_counter()
        window = _Updates(X, 1_000_000, n_select=50, objective=objective, refine="pool")
        total = time.perf_counter() - start
        seconds, calls = window.run(1000)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
        value, proven = window.model.objective_, window.model.certificate_
        rows = [
            ["CPU seconds of fit", f"{window.fit_seconds:.1f}", ""],
            ["CPU seconds of the first update", f"{window.build_seconds:.1f}", ""],
            ["wall seconds of both", f"{total:.1f}", "60"],
            ["peak GB", f"{peak:.2f}", "1.2"],
            ["p50 update ms", f"{1000 * np.median(seconds):.2g}", "1"],
            ["mean update ms", f"{1000 * seconds.mean():.2g}", ""],
            ["calls per update", f"{calls:.0f}", ""],
            ["value, certificate", f"{value:.3f}, {proven:.3f}", ""],
        ]
        return {"columns": ["", "measured", "target"], "rows": rows}


BENCHMARKS = [
    StaticLazy,
    StaticFeatures,
    Medoids,
    DynamicUpdate,
    FlatCost,
    AdaptiveDeletions,
    SlicedUpdates,
    Quality,
    Million,
]
