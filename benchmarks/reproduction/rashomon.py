"""Large Rashomon sets and what goes with them: Semenova et al. (2022); evidence."""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import make_moons

from benchmarks.bench_rashomon_information import table_of
from benchmarks.harness import Study
from benchmarks.real_data import load
from sklearn_ext.rashomon import (
    RashomonTreeClassifier,
    rashomon_curve,
    similar_performance,
)


class Alike(Study):
    title = "Do algorithms perform alike where the set is large?"
    note = """Spread: largest less smallest five-fold accuracy of logistic regression, a
        tree, a forest, boosting and a support vector machine with an RBF kernel. Ratio
        of trees of depth three, theta = 0.05 above the best of the five; up to 1000
        rows. Minus infinity: no such tree is that good."""
    sets = (
        *("iris", "wine", "breast_cancer", "german", "monk1", "monk2", "monk3"),
        *("tic-tac-toe", "mushroom", "australian", "housevotes", "chess"),
        *("spambase", "bands", "titanic", "compas"),
    )

    def run(self):
        rows, spread, logs = [], [], []
        for name in self.sets:
            X, y = numbers(name)
            check = similar_performance(X, y)
            best = 1 - max(check.table["mean_score"])
            clf = RashomonTreeClassifier(
                3, reference_loss=best, n_members=1, random_state=0
            ).fit(X, y)
            spread.append(check.spread)
            logs.append(clf.log10_ratio_)
            rows.append([name, *X.shape, 1 - best, check.spread, clf.log10_ratio_])
        for row in rows:
            row[3:] = [f"{value:.3f}" for value in row[3:]]
        found = stats.spearmanr(spread, logs)
        text = f"rank correlation {found.statistic:.2f}, p = {found.pvalue:.3f}"
        rows.append([text, "", "", "", "", ""])
        names = ["data", "rows", "columns", "best accuracy", "spread", "log10 ratio"]
        return {"columns": names, "rows": rows}


def numbers(name):
    """Return columns of numbers and indicators, and labels, of at most 1000 rows."""
    bunch = load(name)
    keep = np.random.default_rng(0).permutation(len(bunch.data))[:1000]
    X = pd.get_dummies(bunch.data.iloc[keep], dtype=float)
    X = X.fillna(X.median()).to_numpy(float)
    return X[:, X.std(axis=0) > 0], np.asarray(bunch.target)[keep].astype(str)


class LabelNoise(Study):
    title = "Label noise and the size of the set"
    note = """Decimal logarithm of the ratio, trees of depth three on two moons,
        theta = 0.05, mean and standard deviation of five draws."""
    flips = 0.0, 0.1, 0.2, 0.3

    def run(self):
        rows = []
        for n in (400, 2000):
            cells = []
            for flip in self.flips:
                found = []
                for seed in range(5):
                    X, y = make_moons(n, noise=0.2, random_state=seed)
                    wrong = np.random.default_rng(seed).random(n) < flip
                    clf = RashomonTreeClassifier(3, n_members=1, random_state=0)
                    clf.fit(X, np.where(wrong, 1 - y, y))
                    found.append(clf.log10_ratio_)
                cells.append(f"{np.mean(found):.2f} ± {np.std(found, ddof=1):.2f}")
            rows.append([n, *cells])
        shares = [f"{flip:.0%} flipped" for flip in self.flips]
        return {"columns": ["rows", *shares], "rows": rows}


class Elbow(Study):
    title = "The Rashomon curve over depth"
    note = """Training and five-fold test error and log10 ratio (theta = 0.05) of trees
        by depth; the elbow is in bold."""
    sets = "breast_cancer", "compas", "australian", "monk3"

    def run(self):
        rows = []
        for name in self.sets:
            X, y = numbers(name)
            clf = RashomonTreeClassifier(n_members=1, voting="best", random_state=0)
            curve = rashomon_curve(clf, X, y, param_range=[0, 1, 2, 3], cv=5)
            for i, depth in enumerate(curve.param):
                label = f"**{depth}**" if i == curve.elbow else depth
                values = curve.risk[i], curve.test_risk[i]
                log10 = curve.log_ratio[i] / np.log(10)
                cells = [f"{value:.3f}" for value in values]
                rows.append([name, label, *cells, f"{log10:.2f}"])
        names = ["data", "depth", "training error", "test error", "log10 ratio"]
        return {"columns": names, "rows": rows}


class Evidence(Study):
    title = "The Rashomon curve as evidence"
    note = """Trees of depth two, at most 600 rows. Regret in nats: minus the log of the
        evidence at beta, less the loss of the best tree. One term: its bound
        n beta theta - ln r(theta) at the best theta, which is the loss plus the log of
        one over the share of models that are as good."""
    sets = "heart", "german", "australian", "breast_cancer"

    def run(self):
        rows = []
        for name in self.sets:
            X, y = table_of(name, 600)
            clf = RashomonTreeClassifier(2, theta=0.2, n_members=1).fit(X, y)
            for beta in (0.5, 1.0, 5.0):
                cost = len(y) * beta * (clf.loss_grid_ - clf.min_loss_)
                regret = -clf.evidence(beta) - len(y) * beta * clf.min_loss_
                one_term = (cost - clf.log_cdf_).min()
                rows.append([name, beta, f"{regret:.3f}", f"{one_term:.3f}"])
        return {"columns": ["data", "beta", "regret", "one term"], "rows": rows}


BENCHMARKS = [Alike, LabelNoise, Elbow, Evidence]
