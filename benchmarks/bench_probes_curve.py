"""A learning curve: eight nested sizes, five orders, ours and refits of the peers."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from benchmarks.bench_probes_logistic import DEFAULT, TIGHT, frozen_like, objective
from benchmarks.bench_probes_nb import correlated
from benchmarks.harness import Comparison
from sklearn_ext.probes import LogisticProbe, NaiveBayesProbe

N_SIZES, N_ORDERS, HELD_OUT = 8, 5, 1600


class _Curve(Comparison):
    n_samples, n_features, n_classes = 8000, 512, 20
    data = staticmethod(correlated)

    def setup(self):
        self.X, self.y = self.data(self.n_samples, self.n_features, self.n_classes)
        self.held = self.X[:HELD_OUT], self.y[:HELD_OUT]
        self.classes = np.arange(self.n_classes)
        pool = np.arange(HELD_OUT, self.n_samples)
        sizes = np.geomspace(2 * self.n_classes, len(pool), N_SIZES)
        self.sizes = np.rint(sizes).astype(int)
        rng = np.random.default_rng(0)
        self.orders = [self._order(rng.permutation(pool)) for _ in range(N_ORDERS)]

    def _order(self, rows):
        """Put one row of each class first: every prefix then holds all of them."""
        first = np.unique(self.y[rows], return_index=True)[1]
        return np.r_[rows[first], np.delete(rows, first)]

    def refits(self, make):
        """Fit anew to every prefix of every order."""
        return [
            self.scored(make().fit(self.X[order[:size]], self.y[order[:size]]))
            for order in self.orders
            for size in self.sizes
        ]

    def scored(self, model):
        """Return the model and its accuracy on the rows held out."""
        return model, model.score(*self.held)

    def quality(self, found):
        accuracy = np.reshape([score for _, score in found], (N_ORDERS, N_SIZES))
        least, most = accuracy.mean(axis=0)[[0, -1]]
        return {"accuracy, 40 rows": least, f"{self.sizes[-1]:,} rows": most}


class NaiveBayesCurve(_Curve):
    title = "Learning curve of naive Bayes: 8 sizes x 5 orders, n=8,000, d=512, K=20"
    note = """Prefixes of 40 to 6400 rows, each scored on 1600 others. Ours adds the new
        rows to the sums of the prefix before; GaussianNB, whose variances are those of
        each class, is fitted anew."""
    targets = {"GaussianNB": 5}

    def time_ours(self):
        found = []
        for order in self.orders:
            probe = NaiveBayesProbe()
            for start, stop in zip([0, *self.sizes], self.sizes, strict=False):
                rows = order[start:stop]
                probe.partial_fit(self.X[rows], self.y[rows], self.classes)
                found.append(self.scored(probe))
        return found

    def time_GaussianNB(self):
        return self.refits(GaussianNB)


class LogisticCurve(_Curve):
    title = "Learning curve of logistic regression: the same sizes and orders, C=1"
    note = """Every prefix is fitted anew by all. Gap: relative excess of the objective
        over that of a reference solved to 1e-9, the median and the worst of 40 fits."""
    repeats = 3
    few = {"lbfgs_1e4": 2, "lbfgs_1e6": 1}
    targets = {"lbfgs_1e4": 3}

    def setup(self):
        super().setup()
        best = self.refits(lambda: LogisticProbe(tol=1e-9, max_iter=2000))
        self.best = self._objectives(best)

    def _objectives(self, found):
        prefixes = [order[:size] for order in self.orders for size in self.sizes]
        return np.array(
            [
                objective(self.X[rows], self.y[rows], 1.0, m.coef_, m.intercept_)
                for (m, _), rows in zip(found, prefixes, strict=True)
            ]
        )

    def quality(self, found):
        gaps = self._objectives(found) / self.best - 1
        shown = {"gap, median": np.median(gaps), "worst": gaps.max()}
        return {name: f"{gap:.1e}" for name, gap in shown.items()} | super().quality(
            found
        )

    def time_ours(self):
        return self.refits(LogisticProbe)

    def time_ours_1e2(self):
        return self.refits(lambda: LogisticProbe(tol=1e-2))

    def time_ours_1e6(self):
        return self.refits(lambda: LogisticProbe(tol=1e-6))

    def time_lbfgs_1e4(self):
        return self.refits(lambda: LogisticRegression(tol=DEFAULT, max_iter=10_000))

    def time_lbfgs_1e6(self):
        return self.refits(lambda: LogisticRegression(tol=TIGHT, max_iter=10_000))


class LogisticCurveFrozen(LogisticCurve):
    title = "The same on features with the moments of frozen ones"
    data = staticmethod(frozen_like)


BENCHMARKS = [NaiveBayesCurve, LogisticCurve, LogisticCurveFrozen]
