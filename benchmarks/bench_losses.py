"""Linear heads for wrong labels, many classes and worst groups, beside peers."""

import time
import warnings

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from benchmarks.harness import Study
from benchmarks.real_data import load
from sklearn_ext.losses import (
    CompSumClassifier,
    CompSumClassifierCV,
    SphericalClassifier,
    WorstGroupClassifier,
    noise_report,
)

N_DRAWS = 2
N_TRAIN = 1000
SETS = ("digits", "satimage", "spambase", "breast_cancer")
NOISE = (("none", 0.0), ("sym", 0.2), ("sym", 0.4), ("pair", 0.35))


def flipped(y, kind, rate, rng):
    """Move a share of labels to any other class, or to the next one."""
    n_classes = y.max() + 1
    step = 1 if kind == "pair" else rng.integers(1, n_classes, len(y))
    return np.where(rng.random(len(y)) < rate, (y + step) % n_classes, y)


def draw(name, kind, rate, seed):
    """Return standardised rows: noisy ones to train on, and true ones to test on.

    Parameters
    ----------
    name : str
        A set of `benchmarks.real_data`.
    kind : {"none", "sym", "pair"}
        Who is flipped to whom.
    rate : float
        Share of labels that are flipped.
    seed : int
        Of rows and flips.

    Returns
    -------
    tuple of ndarray
        Training rows, noisy labels, true labels, test rows, their labels.
    """
    bunch = load(name, as_frame=False)
    X = np.asarray(bunch.data, float)
    y = np.unique(bunch.target, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    n = min(N_TRAIN, 2 * len(y) // 3)
    train, test = order[:n], order[n : n + 4000]
    mean, spread = X[train].mean(axis=0), X[train].std(axis=0) + 1e-9
    A, B = (X[train] - mean) / spread, (X[test] - mean) / spread
    return A, flipped(y[train], kind, rate, rng), y[train], B, y[test]


def plain(A, t):
    """Fit log-loss with C by cross-validation on the same folds as ours."""
    return CompSumClassifierCV(taus=(1.0,), prune=False).fit(A, t)


class LabelNoise(Study):
    """Test accuracy on clean labels."""

    title = "Wrong labels: accuracy on clean test rows"
    note = """1,000 training rows (two thirds of small sets), standardised; means of two
    draws. *log-loss* chooses C by cross-validation; cleanlab's ``CleanLearning`` wraps
    logistic regression at that C; *tau* is ours without pruning, *ours* the default of
    ``CompSumClassifierCV``. Settings are chosen on the noisy training rows."""
    versions = ("scikit-learn", "cleanlab")

    def run(self):
        """Fit everything everywhere."""
        from cleanlab.classification import CleanLearning

        names = ("log-loss", "cleanlab", "tau", "ours")
        rows = []
        for name in SETS:
            for kind, rate in NOISE:
                found, seconds = {n: [] for n in names}, []
                for seed in range(N_DRAWS):
                    A, t, _, B, clean = draw(name, kind, rate, seed)
                    first = plain(A, t)
                    start = time.process_time()
                    ours = CompSumClassifierCV().fit(A, t)
                    seconds.append(time.process_time() - start)
                    model = LogisticRegression(C=first.C_, max_iter=2000)
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        peer = CleanLearning(model, seed=seed).fit(A, t)
                    tau = CompSumClassifierCV(prune=False).fit(A, t)
                    for n, fitted in zip(names, (first, peer, tau, ours), strict=True):
                        found[n].append(np.mean(fitted.predict(B) == clean))
                cells = [f"{np.mean(found[n]):.3f}" for n in names]
                rows.append([name, kind, rate, *cells, f"{np.mean(seconds):.1f}"])
        columns = ["set", "noise", "rate", *names, "seconds"]
        return {"columns": columns, "rows": rows}


class WrongRows(Study):
    """Ranking of the flipped rows, and the estimated rate."""

    title = "Which labels are wrong: AUROC of the flipped rows, and the estimated rate"
    note = """*out of fold* is the probability of the label by logistic regression that
    left the row out, which is what cleanlab ranks by; *one fit* is ``label_quality`` of
    ``CompSumClassifier(tau=1.5)`` on its training rows; *report* is ``noise_report``.
    One draw."""

    def run(self):
        """Rank everything everywhere."""
        rows = []
        for name in SETS:
            for kind, rate in NOISE[1:]:
                A, t, true, _, _ = draw(name, kind, rate, 0)
                wrong = t != true
                C = plain(A, t).C_
                held = cross_val_predict(
                    LogisticRegression(C=C, max_iter=2000), A, t, method="predict_proba"
                )[np.arange(len(t)), t]
                one = CompSumClassifier(1.5, C=C).fit(A, t).label_quality(A, t)
                report = noise_report(
                    CompSumClassifierCV().fit(A, t), A, t, random_state=0
                )
                low, high = report.noise_rate_interval
                cells = [
                    roc_auc_score(wrong, -held),
                    roc_auc_score(wrong, -one),
                    roc_auc_score(wrong, report.wrong_proba),
                    wrong.mean(),
                    report.noise_rate,
                ]
                interval = f"{low:.3f} to {high:.3f}"
                shown = [f"{cell:.3f}" for cell in cells]
                rows.append([name, kind, rate, *shown, interval])
        columns = ["set", "noise", "rate", "out of fold", "one fit", "report"]
        columns += ["wrong", "estimated", "interval"]
        return {"columns": columns, "rows": rows}


class ManyClasses(Study):
    """Three thousand classes."""

    title = "3,000 classes: 20,000 rows of 100 columns, drawn"
    note = """Rows around random centres; 4,000 test rows. The softmax is scikit-learn's
    at its default C with 15 iterations, which is where its test accuracy is
    flat."""

    def run(self):
        """Fit every method once."""
        rng = np.random.default_rng(0)
        K, d, n = 3000, 100, 24_000
        centres, y = rng.normal(size=(K, d)), rng.integers(0, K, n)
        X = centres[y] + 2.0 * rng.normal(size=(n, d))
        A, B, t, u = X[:20_000], X[20_000:], y[:20_000], y[20_000:]
        models = {
            "SphericalClassifier": SphericalClassifier(),
            "ridge": RidgeClassifier(100.0),
            "discriminant": LinearDiscriminantAnalysis(),
            "softmax": LogisticRegression(max_iter=15),
        }
        rows = []
        for name, model in models.items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(A, t)
            seconds = time.process_time() - start
            scores = model.decision_function(B)
            top = np.argpartition(-scores, 5, axis=1)[:, :5]
            five = np.mean((model.classes_[top] == u[:, None]).any(axis=1))
            first = np.mean(model.predict(B) == u)
            rows.append([name, f"{first:.3f}", f"{five:.3f}", f"{seconds:.1f}"])
        columns = ["", "top 1", "top 5", "CPU seconds"]
        return {"columns": columns, "rows": rows}


class WorstGroup(Study):
    """The worst subgroup of the census table."""

    title = "Worst subgroup, adult (32,561 rows, 16,281 test rows), C = 1"
    note = """Balanced: every subgroup has the same total weight."""

    def run(self):
        """Fit three ways to two kinds of subgroups."""
        import pandas as pd

        train, test = load("adult"), load("adult_test")
        both = pd.get_dummies(pd.concat([train.data, test.data]), dtype=float)
        both = both.loc[:, both.mean() > 0.002].to_numpy()
        n = len(train.data)
        mean, spread = both[:n].mean(axis=0), both[:n].std(axis=0) + 1e-9
        A, B = (both[:n] - mean) / spread, (both[n:] - mean) / spread
        positive = sorted(set(train.target))[1]
        y, u = (np.asarray(part.target == positive, int) for part in (train, test))
        rows = []
        for kind in ("label x sex", "sex x race"):
            groups = []
            for part, label in ((train, y), (test, u)):
                sex = part.data["sex"].astype(str)
                race = part.data["race"].astype(str)
                cell = (
                    sex + race if "race" in kind else sex + pd.Series(label).astype(str)
                )
                groups.append(cell.to_numpy(dtype=str))
            rows += self._ways(kind, A, y, B, u, *groups)
        columns = ["subgroups", "model", "worst loss", "worst accuracy", "accuracy"]
        return {"columns": [*columns, "gap", "CPU seconds"], "rows": rows}

    def _ways(self, kind, A, y, B, u, g, h):
        _, codes, count = np.unique(g, return_inverse=True, return_counts=True)
        ways = {
            "logistic": lambda: LogisticRegression(max_iter=1000).fit(A, y),
            "balanced": lambda: LogisticRegression(max_iter=1000).fit(
                A, y, len(y) / (len(count) * count[codes])
            ),
            "ours": lambda: WorstGroupClassifier().fit(A, y, subgroups=g),
        }
        for name, fit in ways.items():
            start = time.process_time()
            model = fit()
            seconds = time.process_time() - start
            lost = -model.predict_log_proba(B)[np.arange(len(u)), u]
            right = model.predict(B) == u
            cells = [lost[h == k].mean() for k in np.unique(h)]
            hits = [right[h == k].mean() for k in np.unique(h)]
            gap = f"{model.gap_bound_ / model.objective_:.0e}" if name == "ours" else ""
            shown = [f"{v:.3f}" for v in (max(cells), min(hits), right.mean())]
            yield [kind, name, *shown, gap, f"{seconds:.2f}"]


BENCHMARKS = [LabelNoise, WrongRows, ManyClasses, WorstGroup]
