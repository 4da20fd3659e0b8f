"""What a ratio is worth on new rows, and what bits can and cannot be extrapolated."""

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale
from sklearn.tree import DecisionTreeClassifier

from benchmarks.harness import Study
from benchmarks.real_data import load
from benchmarks.real_data_readers import keel
from sklearn_ext.rashomon import (
    NetworkSpace,
    RashomonTreeClassifier,
    inductive_bias,
    thresholds_from,
)

NAMED = {"german", "australian", "titanic", "breast_cancer", "bands", "tic-tac-toe"}


def table_of(name, n_rows=None, seed=0):
    """Return numbers and indicators without gaps, and labels of two classes."""
    if name in NAMED:
        bunch = load(name)
        X, y = bunch.data, bunch.target
    else:
        frame = keel(name)
        X, y = frame.drop(columns="class"), frame["class"]
    X = pd.get_dummies(X, dtype=float)
    X, y = X.fillna(X.median()).to_numpy(float), np.asarray(y).astype(str)
    order = np.random.default_rng(seed).permutation(len(X))[:n_rows]
    X, y = X[order], y[order]
    return X[:, X.std(axis=0) > 0], (y == np.unique(y)[-1]).astype(int)


class Certificates(Study):
    title = "Certificates of trees of depth 2 on twelve tables"
    note = """Confidence 0.95; means over 12 divisions. Cuts come from the 40 % of the
    rows (without labels) on which the true error is measured. True: mean error there of
    the set of least bound. Uniform, Gibbs: certificates from the other 60 %. Held out:
    a greedy tree of depth 2 on four fifths of these, and the one-sided limit of Clopper
    and Pearson on the last fifth. Broken: certificates (of 24) below the error on the
    other rows, which is itself an estimate."""
    sets = ("heart", "german", "sonar", "bupa", "pima", "australian", "breast_cancer")
    sets += ("titanic", "saheart", "ionosphere", "tic-tac-toe", "phoneme")
    n_divisions = 12

    def run(self):
        names = ["data", "training rows", "true", "uniform", "Gibbs", "held out"]
        rows = [self._row(name) for name in self.sets]
        return {"columns": [*names, "broken"], "rows": rows}

    def _row(self, name):
        X, y = table_of(name, 2200)
        n, found = len(X) * 3 // 5, []
        for seed in range(self.n_divisions):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(X))
            train, rest = order[:n], order[n:]
            cuts = thresholds_from(X[rest])
            clf = RashomonTreeClassifier(2, thresholds=cuts, n_members=1)
            clf.fit(X[train], y[train])
            certificate = clf.generalization_bound()
            warm = clf.generalization_bound(posterior="gibbs").bound
            clf.set_params(theta=certificate.theta).fit(X[train], y[train])
            share = clf.vote_share(X[rest])
            true = 1 - share[np.arange(len(rest)), y[rest]].mean()
            part = n * 4 // 5
            tree = DecisionTreeClassifier(max_depth=2, random_state=seed)
            tree.fit(X[train[:part]], y[train[:part]])
            wrong = int((tree.predict(X[train[part:]]) != y[train[part:]]).sum())
            limit = stats.beta.ppf(0.95, wrong + 1, n - part - wrong)
            found.append([true, certificate.bound, warm, limit])
        found = np.array(found)
        broken = int((found[:, [0]] > found[:, 1:3]).sum())
        return [name, n, *(f"{mean:.3f}" for mean in found.mean(axis=0)), broken]


class Tails(Study):
    title = "Bits from a tail that is fitted to a sample: error against the exact law"
    note = """24 spaces of trees (eight tables of at most 300 rows, depth 2, 3 and 4),
    whose laws are known exactly; 30,000 sampled losses, so that log2 of the sample is
    14.9. For each loss of a law: estimated bits less exact ones, median (10 to 90 %),
    and the share of infinite estimates. Noncentral: a scaled noncentral chi-square by
    three moments. Pareto: generalised, for the lowest 5 %. Depth: exact bits beyond
    log2 of the sample."""
    sets = ("heart", "german", "sonar", "bupa")
    sets += ("pima", "australian", "breast_cancer", "titanic")
    n_samples = 30_000
    depths = (-3, 0), (0, 3), (9, 12), (18, 21)

    def run(self):
        errors = {depth: [] for depth in self.depths}
        for i, name in enumerate(self.sets):
            X, y = table_of(name, 300)
            for depth in (2, 3, 4):
                clf = RashomonTreeClassifier(depth, theta=1.0, n_members=1)
                clf.fit(X, y)
                rng = np.random.default_rng([i, depth])
                self._measure(clf.loss_grid_ * len(y), clf.log_cdf_, rng, errors)
        rows = []
        for (low, high), found in errors.items():
            cells = [_middle(column) for column in np.array(found).T]
            rows.append([f"{low} to {high}", len(found), *cells])
        columns = ["depth", "losses", "noncentral", "Pareto", "normal"]
        return {"columns": columns, "rows": rows}

    def _measure(self, losses, logs, rng, errors):
        mass = np.diff(np.exp(logs), prepend=0.0)
        sample = rng.choice(losses, size=self.n_samples, p=mass / mass.sum())
        sample = sample.astype(float)
        beyond = -logs / np.log(2) - np.log2(self.n_samples)
        tails = noncentral_tail(sample), pareto_tail(sample), normal_tail(sample)
        for low, high in self.depths:
            at = losses[(beyond >= low) & (beyond < high)]
            exact = beyond[(beyond >= low) & (beyond < high)]
            exact = exact + np.log2(self.n_samples)
            # half a loss further, as a continuous law stands for whole numbers
            guesses = [-tail(at + 0.5) / np.log(2) - exact for tail in tails]
            errors[low, high].extend(np.array(guesses).T)


def noncentral_tail(sample):
    """Logarithm of the distribution function of a scaled noncentral chi-square."""
    mean, var = sample.mean(), sample.var()
    third = ((sample - mean) ** 3).mean()
    root = np.sqrt(max(64 * var**2 - 32 * mean * third, 0.0))
    scales = (8 * var + np.array([root, -root])) / (16 * mean)
    for a in scales:
        away = var / (2 * a**2) - mean / a if a > 0 else -1.0
        if away >= 0 and mean / a - away > 0:
            return lambda t, a=a, nc=away, k=mean / a - away: np.log(
                np.maximum(stats.ncx2.cdf(t / a, k, nc), 1e-300)
            )
    a = var / (2 * mean)  # central, by two moments
    return lambda t: stats.chi2.logcdf(t / a, mean / a)


def pareto_tail(sample, share=0.05):
    """Logarithm of the distribution function of a generalised Pareto tail."""
    edge = np.quantile(sample, share)
    excess = edge - sample[sample < edge]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # on the way of the search
        shape, _, scale_ = stats.genpareto.fit(excess, floc=0)
    inside = np.log(len(excess) / len(sample))

    def tail(t):
        with np.errstate(divide="ignore"):
            return inside + stats.genpareto.logsf(edge - t, shape, 0, scale_)

    return tail


def normal_tail(sample):
    """Logarithm of the distribution function of a normal law."""
    return stats.norm(sample.mean(), sample.std()).logcdf


def _middle(errors):
    finite = np.isfinite(errors)
    ends = np.quantile(np.where(finite, errors, 1e9), [0.5, 0.1, 0.9])
    middle, low, high = (f"{e:+.1f}" if e < 1e8 else "inf" for e in ends)
    endless = f", {1 - finite.mean():.0%} infinite" if not finite.all() else ""
    return f"{middle} ({low}, {high}){endless}"


class BitsOfClasses(Study):
    title = "Do bits tell which class of models learns from few rows?"
    note = """Bits by splitting (4 runs of 100 particles) for a loss halfway between the
    majority and logistic regression, on at most 400 rows; beside them the error of the
    class after 30 training rows, mean of 20 draws: logistic regression, and nets of
    scikit-learn (lbfgs, alpha 0.1). Rank correlation over the five classes. inf: no run
    arrived."""
    sets = ("banana", "heart", "sonar", "bupa")
    sets += ("pima", "australian", "breast_cancer", "ionosphere")
    layers = (), (8,), (16,), (64,), (8, 8)

    def run(self):
        names = ["linear", *("x".join(map(str, sizes)) for sizes in self.layers[1:])]
        rows = []
        for name in self.sets:
            X, y = table_of(name, 400)
            X = scale(X)
            logistic = LogisticRegression(max_iter=1000).fit(X, y)
            target = (min(y.mean(), 1 - y.mean()) + 1 - logistic.score(X, y)) / 2
            with warnings.catch_warnings():  # few runs, and nets that stop early
                warnings.simplefilter("ignore", ConvergenceWarning)
                pairs = [self._pair(X, y, sizes, target) for sizes in self.layers]
            bits, error = np.array(pairs).T
            rank = stats.spearmanr(bits, error).statistic
            cells = [f"{b:.1f} / {e:.3f}" for b, e in pairs]
            rows.append([name, f"{target:.3f}", *cells, f"{rank:.1f}"])
        return {"columns": ["data", "loss", *names, "rank correlation"], "rows": rows}

    def _pair(self, X, y, sizes, target):
        found = inductive_bias(
            NetworkSpace(sizes),
            X,
            y,
            target_loss=target,
            n_particles=100,
            n_replicates=4,
            random_state=0,
        )
        errors = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(X))
            while len(np.unique(y[order[:30]])) < 2:
                order = rng.permutation(len(X))
            model = LogisticRegression(max_iter=1000)
            if sizes:
                model = MLPClassifier(sizes, solver="lbfgs", alpha=0.1, random_state=0)
            model.fit(X[order[:30]], y[order[:30]])
            errors.append(1 - model.score(X[order[30:]], y[order[30:]]))
        return found.bits, np.mean(errors)
