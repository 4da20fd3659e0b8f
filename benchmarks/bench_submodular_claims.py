"""What the user guide says about certificates, the bucketed engine and answers."""

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.bench_submodular import digits_stream, rerun
from benchmarks.harness import Study
from benchmarks.real_data import load
from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    LogDet,
    SaturatedCoverage,
    maximize,
)

OBJECTIVES = {
    "facility location, rbf": FacilityLocation(),
    "facility location, cosine": FacilityLocation("cosine"),
    "square roots of features": FeatureBased(),
    "saturated coverage": SaturatedCoverage(),
    "log determinant": LogDet(),
}
SIZES = (1_000, 10_000, 100_000)


class Proven(Study):
    title = "What lazy greedy proves of its own answer (certificate), by k"
    note = """Greedy selection from all rows of real tables, scaled to [0, 1]. The
    certificate is the value over a proven bound on the best value of k rows, so that
    the true share of the best value is at least that."""

    def run(self):
        sizes = [10, 30, 100, 300]
        tables = {
            "digits": load_digits().data / 16,
            "mnist5k": load("mnist5k", as_frame=False).data / 255,
            "satimage": _scaled(load("satimage", as_frame=False).data),
            "spambase": _scaled(load("spambase", as_frame=False).data),
        }
        rows = []
        for name, X in tables.items():
            for label, objective in OBJECTIVES.items():
                proven = [
                    maximize(objective, X, k, random_state=0).certificate for k in sizes
                ]
                rows.append([name, label, *(f"{share:.3f}" for share in proven)])
        return {"columns": ["table", "objective", *map(str, sizes)], "rows": rows}


class LeveledBucketed(Study):
    title = "The two engines on the same sliding window, n=10,000, m=200"
    note = """One update: the oldest row leaves, a row comes. The answer is the best
    guess itself (refine="none"), as a share of the value of lazy greedy on all rows,
    averaged over ten readings. Quiet updates leave all guesses' sets as they are."""

    def run(self):
        columns = ["k", "engine", "gains to build", "gains per update"]
        columns += ["quiet updates", "share of greedy"]
        rows = []
        for k, updates in [(10, 3000), (30, 3000), (100, 2000), (300, 1000)]:
            for algorithm in ("leveled", "bucketed"):
                rows.append([k, algorithm, *self._follow(k, algorithm, updates)])
        return {"columns": columns, "rows": rows}

    def _follow(self, k, algorithm, updates, n=10_000):
        X = digits_stream(n + updates + 1)
        model = DynamicSubmodularSelector(
            k,
            FacilityLocation(n_reference=200),
            algorithm=algorithm,
            refine="none",
            random_state=0,
        ).fit(X[:n])
        before = model.n_oracle_calls_
        model.update((X[n][None], [n]), forget=[0])
        build = model.n_oracle_calls_ - before
        calls, quiet, shares = 0, 0, []
        for i in range(1, updates + 1):
            before, rebuilds = model.n_oracle_calls_, model.n_rebuilds_
            model.update((X[n + i][None], [n + i]), forget=[i])
            calls += model.n_oracle_calls_ - before
            quiet += model.n_rebuilds_ == rebuilds
            if i % (updates // 10) == 0:
                coordinates = model._living.oracle.rows.take(model._living.table.slots)
                best = maximize(FacilityLocation("precomputed"), coordinates, k).value
                shares.append(model.objective_ / best)
        return [
            build,
            f"{calls / updates:.0f}",
            f"{quiet / updates:.1%}",
            f"{np.mean(shares):.3f}",
        ]


class AnswerCost(Study):
    title = "Gains of an update, of an answer and of solving anew, m=500, k=20"
    note = """An answer is made when it is read: a greedy choice from the guesses'
    sets, the answer before and 1,000 random rows (refine="pool"); here after every
    tenth of 1,000 updates. The re-run is lazy greedy on all rows with the gains of
    single rows cached. Certificate and share of the re-run's value: of the answers, at
    the end."""

    def run(self):
        columns = ["n", "update, median", "update, mean", "answer", "re-run"]
        columns += ["changed rows per answer", "certificate", "share of re-run"]
        return {"columns": columns, "rows": list(map(self._follow, SIZES))}

    def _follow(self, n):
        X = digits_stream(n + 1001)
        model = DynamicSubmodularSelector(
            20, FacilityLocation(n_reference=500), refine="pool", random_state=0
        ).fit(X[:n])
        model.update((X[n][None], [n]), forget=[0])
        updates, answers, changes = [], [], []
        for i in range(1, 1001):
            before = model.n_oracle_calls_
            model.update((X[n + i][None], [n + i]), forget=[i])
            updates.append(model.n_oracle_calls_ - before)
            if i % 10 == 0:
                before = model.n_oracle_calls_
                changes.append(model.n_changes_)
                answers.append(model.n_oracle_calls_ - before)
        proven, value = model.certificate_, model.objective_
        _, again = rerun(model)
        cells = [np.median(updates), np.mean(updates), np.mean(answers), again]
        return [
            n,
            *(f"{calls:.0f}" for calls in cells),
            f"{np.mean(changes):.2f}",
            f"{proven:.3f}",
            f"{value / model.objective_:.3f}",
        ]


def _scaled(X):
    X = np.asarray(X, dtype=np.float64)
    low, high = X.min(axis=0), X.max(axis=0)
    return (X - low) / np.where(high > low, high - low, 1)


BENCHMARKS = [Proven, LeveledBucketed, AnswerCost]
