"""Learning from aggregates beside what one would otherwise do.

llp-learn pins an old stack; install its code alone, ``pip install --no-deps
llp-learn==1.6.0``, to see its rows. Its image model, which is not used here, wants
torchvision at import: an empty stand-in is enough.
"""

import contextlib
import io
import sys
import time
import tracemalloc
import types
import warnings
from itertools import product

import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import Comparison, Study
from benchmarks.real_data import available, load
from sklearn_ext.aggregate import (
    AggregateBoostingRegressor,
    AggregateNetClassifier,
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
    LabelProportionClassifier,
    make_bags,
)

try:
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    stand_in = types.ModuleType("torchvision.models")
    stand_in.resnet18 = None
    sys.modules.setdefault("torchvision.models", stand_in)
    from llp_learn.dllp import DLLP
    from llp_learn.em import EM
except ImportError:
    DLLP = EM = None


def linear_data(n, d, k, *, shuffled=True, seed=0):
    """Gaussian rows, a linear response, and random bags of k rows."""
    rng = np.random.default_rng(seed)
    X, coef = rng.normal(size=(n, d)), rng.normal(size=d) / np.sqrt(d)
    y, bags = X @ coef + rng.normal(size=n), np.arange(n) // k
    return X, y, rng.permutation(bags) if shuffled else bags, coef


def pandas_means(X, y, bags):
    """Bag means as one would take them."""
    groups = pd.DataFrame(X).groupby(bags)
    return groups.mean(), pd.Series(y).groupby(bags).mean(), groups.size()


def indicator_means(X, y, bags):
    """Bag means by one sparse product: the fastest way without our package."""
    n, m = len(bags), bags.max() + 1
    rows = sparse.csr_array((np.ones(n), bags, np.arange(n + 1)), shape=(n, m))
    sizes = np.bincount(bags)
    return (rows.T @ X) / sizes[:, None], np.bincount(bags, y) / sizes, sizes


def sums_by_hand(X, y, bags):
    """Scatters between and within bags, cross products, and the means."""
    means, targets, sizes = indicator_means(X, y, bags)
    x_mean, y_mean = np.average(X, axis=0), np.average(targets, weights=sizes)
    centred, gaps = X - x_mean, means - x_mean
    between = (gaps.T * sizes) @ gaps
    cross = (gaps.T * sizes) @ (targets - y_mean)
    return between, centred.T @ centred - between, cross, x_mean, y_mean


class _ByHand:
    """What the quality of a model needs."""

    def __init__(self, coef):
        self.coef_ = coef


class _Linear(Comparison):
    n, d, k, shuffled = 1_000_000, 20, 10, True
    versions = ("scikit-learn", "numpy", "scipy", "pandas")

    def setup(self):
        self.X, self.y, self.bags, self.coef = linear_data(
            self.n, self.d, self.k, shuffled=self.shuffled
        )

    def quality(self, model):
        return {"excess risk": float(np.sum((model.coef_ - self.coef) ** 2))}


class BagLossShuffled(_Linear):
    title = "Bag-level loss, 1M x 20, 100k bags of 10 in random order"
    targets = {"pandas_groupby_and_Ridge": 6}

    def time_ours(self):
        return BagRegressor().fit(self.X, self.y, bags=self.bags)

    def time_pandas_groupby_and_Ridge(self):
        means, y, sizes = pandas_means(self.X, self.y, self.bags)
        return Ridge().fit(means.to_numpy(), y, sample_weight=sizes)

    def time_sparse_indicator_and_Ridge(self):
        means, y, sizes = indicator_means(self.X, self.y, self.bags)
        return Ridge().fit(means, y, sample_weight=sizes)


class BagLossContiguous(BagLossShuffled):
    title = "Bag-level loss, 1M x 20, rows sorted by bag"
    shuffled = False
    targets = {"pandas_groupby_and_Ridge": 5}


class Interpolated(_Linear):
    title = "Interpolated loss, rho = 0.3, 1M x 20, 100k bags in random order"
    targets = {"Ridge_on_stacked_rows": 4}

    def time_ours(self):
        model = InterpolatingAggregateRegressor(0.3)
        return model.fit(self.X, self.y, bags=self.bags)

    def time_Ridge_on_stacked_rows(self):
        means, y, sizes = pandas_means(self.X, self.y, self.bags)
        codes = np.searchsorted(means.index, self.bags)
        return Ridge().fit(
            np.vstack([self.X, means]),
            np.concatenate([y.to_numpy()[codes], y]),
            sample_weight=np.concatenate([np.full(self.n, 0.3), 0.7 * sizes]),
        )

    def time_sums_by_hand(self):
        between, within, cross, _, _ = sums_by_hand(self.X, self.y, self.bags)
        A = between + 0.3 * within + np.eye(self.d)
        return _ByHand(np.linalg.solve(A, cross))


class InstanceLoss(_Linear):
    title = "Instance-level loss, 1M x 20, 100k bags in random order"
    note = "The peer gets the replicated means for nothing."
    targets = {"Ridge_on_replicated_means": 1.2}

    def setup(self):
        super().setup()
        self.replicated = (np.bincount(self.bags, self.y) / self.k)[self.bags]

    def time_ours(self):
        return InstanceRegressor().fit(self.X, self.y, bags=self.bags)

    def time_Ridge_on_replicated_means(self):
        return Ridge().fit(self.X, self.replicated)


class Selection(_Linear):
    title = "Choice of rho and alpha, 200k x 50, 20k bags: 256 pairs against 15 alphas"
    note = "RidgeCV gets the bag means for nothing. Target: at most 3 times its time."
    n, d = 200_000, 50
    targets = {"RidgeCV_on_bag_means": 0.33}

    def setup(self):
        super().setup()
        self.means = [a.to_numpy() for a in pandas_means(self.X, self.y, self.bags)]

    def time_ours(self):
        model = InterpolatingAggregateRegressorCV()
        return model.fit(self.X, self.y, bags=self.bags)

    def time_RidgeCV_on_bag_means(self):
        X, y, sizes = self.means
        return RidgeCV(np.logspace(-8, 2, 15) * 2e4).fit(X, y, sample_weight=sizes)


class SelectionOfWholeBags(_Linear):
    title = "The same choice with whole bags left out, rows and aggregate"
    note = "Beside the default, which leaves out the aggregate only."
    n, d, repeats = 200_000, 50, 3

    def time_ours(self):
        model = InterpolatingAggregateRegressorCV(loo="bag")
        return model.fit(self.X, self.y, bags=self.bags)

    def time_ours_response_only(self):
        model = InterpolatingAggregateRegressorCV()
        return model.fit(self.X, self.y, bags=self.bags)


class SelectionByFolds(Study):
    title = "Choice among 240 pairs, 200k x 50, 20k bags: closed form and 5 folds"
    note = """GroupKFold fits Ridge to stacked rows; 3 of its 240 pairs are timed, times
    80. The target of 300 is for this. By hand, the folds take sums once each and solve
    the normal equations for all 240 pairs. All in CPU seconds."""

    def run(self):
        X, y, bags, coef = linear_data(200_000, 50, 10)
        rhos, alphas = np.r_[0, np.logspace(-4, 1, 14)], np.logspace(-3, 6, 16)
        start = time.process_time()
        model = InterpolatingAggregateRegressorCV(rhos, alphas).fit(X, y, bags=bags)
        ours = time.process_time() - start
        start = time.process_time()
        for rho in (0.01, 0.1, 0.5):
            for train, test in GroupKFold(5).split(X, y, bags):
                self._fold(X, y, bags, train, test, rho)
        folds = 80 * (time.process_time() - start)
        start = time.process_time()
        chosen = self._by_hand(X, y, bags, rhos, alphas)
        hand = time.process_time() - start
        columns = ["", "seconds", "ratio", "target", "excess risk"]
        rows = [["**ours**", f"{ours:.3g}", "", "", f"{self._risk(model.coef_, coef)}"]]
        rows.append(["GroupKFold(5)", f"{folds:.3g}", f"{folds / ours:.3g}", "300", ""])
        rows.append(["GroupKFold(5), sums by hand", f"{hand:.3g}"])
        rows[-1] += [f"{hand / ours:.3g}", "", self._risk(chosen, coef)]
        return {"columns": columns, "rows": rows}

    @staticmethod
    def _risk(found, coef):
        return f"{np.sum((found - coef) ** 2):.3g}"

    @staticmethod
    def _by_hand(X, y, bags, rhos, alphas):
        """Return the slopes of the best pair; sums once a fold, then small solves."""
        errors = np.zeros((len(rhos), len(alphas)))
        d = X.shape[1]

        def slopes(sums):
            between, within, cross = sums[:3]
            A = between + rhos[:, None, None] * within
            A = A[:, None] + alphas[:, None, None] * np.eye(d)
            return np.linalg.solve(A, cross[:, None])[..., 0]

        for train, test in GroupKFold(5).split(X, y, bags):
            codes = np.unique(bags[train], return_inverse=True)[1]
            sums = sums_by_hand(X[train], y[train], codes)
            codes = np.unique(bags[test], return_inverse=True)[1]
            means, targets, sizes = indicator_means(X[test], y[test], codes)
            coefs = slopes(sums).reshape(-1, d)
            gaps = (targets - sums[4])[:, None] - (means - sums[3]) @ coefs.T
            errors += (sizes @ gaps**2).reshape(errors.shape)
        i, j = np.unravel_index(errors.argmin(), errors.shape)
        return slopes(sums_by_hand(X, y, bags))[i, j]

    @staticmethod
    def _fold(X, y, bags, train, test, rho):
        means, targets, sizes = pandas_means(X[train], y[train], bags[train])
        codes = np.searchsorted(means.index, bags[train])
        weights = np.concatenate([np.full(len(train), rho), (1 - rho) * sizes])
        stacked = np.concatenate([targets.to_numpy()[codes], targets])
        model = Ridge().fit(np.vstack([X[train], means]), stacked, weights)
        held, observed, _ = pandas_means(X[test], y[test], bags[test])
        return np.mean((observed - model.predict(held.to_numpy())) ** 2)


class Streamed(Study):
    title = "Ten million rows of 20 float32 features through partial_fit"
    note = """Chunks of 500 000 rows; making a chunk is not counted. Targets: 8 seconds
    and 500 MB. Peak is what one call allocates."""

    def run(self):
        model, seconds = InterpolatingAggregateRegressor(0.1), 0.0
        tracemalloc.start()
        for seed in range(20):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(500_000, 20)).astype(np.float32)
            y, bags = X @ np.arange(20.0), rng.permutation(500_000) // 10
            tracemalloc.reset_peak()
            base = tracemalloc.get_traced_memory()[0]
            start = time.process_time()
            model.partial_fit(X, y, bags=bags)
            seconds += time.process_time() - start
        peak = (tracemalloc.get_traced_memory()[1] - base) / 1e6
        tracemalloc.stop()
        columns = ["rows", "bags", "CPU seconds", "peak MB"]
        rows = [["10 000 000", str(model.n_bags_), f"{seconds:.3g}", f"{peak:.3g}"]]
        return {"columns": columns, "rows": rows}


class _Proportions(Comparison):
    repeats = 3
    m = 500

    def setup(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(4000, 10))
        odds = X @ rng.normal(size=10) * 0.7
        y = (odds + rng.logistic(size=4000) > 0).astype(int)
        self.X, self.y, self.test = X[:2000], y[:2000], (X[2000:], y[2000:])
        self.bags = rng.permutation(2000) * self.m // 2000
        self.shares = np.bincount(self.bags, self.y) / np.bincount(self.bags)

    def quality(self, model):
        X, y = self.test
        found = model.predict(X.astype(np.float32) if model.__class__ is DLLP else X)
        return {"test accuracy": float(np.mean((found > 0).astype(int) == y))}


class ProportionNet(_Proportions):
    title = "Neural network on proportions, 2000 x 10, 500 bags: 20 epochs"
    note = """Two hidden layers of ours, 128 bags a step, against one of llp-learn's,
    which takes one bag a step; loaders run in the process itself."""
    targets = {"llp_learn_DLLP": 50} if DLLP else {}
    versions = ("scikit-learn", "torch", "skorch")

    def time_ours(self):
        model = AggregateNetClassifier(
            max_epochs=20, lr=0.04, random_state=0, bags_per_batch=128
        )
        return model.fit(self.X.astype(np.float32), self.y, bags=self.bags)

    def quality(self, model):
        if isinstance(model, AggregateNetClassifier):
            X, y = self.test
            return {"test accuracy": model.score(X.astype(np.float32), y)}
        return super().quality(model)

    if DLLP:

        def time_llp_learn_DLLP(self):
            return fit_dllp(self, n_epochs=20)


class ProportionLinear(_Proportions):
    title = "Linear classifier on proportions, 2000 x 10, 500 bags"
    note = """Whole fits of ours, beside the network's whole fit of 20 epochs and beside
    one of its epochs, for which the target of 100 is."""
    targets = {"one_epoch_of_llp_learn_DLLP": 100, "llp_learn_EM": 1} if DLLP else {}

    def time_ours(self):
        return LabelProportionClassifier().fit(self.X, self.y, bags=self.bags)

    def time_ours_em(self):
        model = LabelProportionClassifier(loss="em")
        return model.fit(self.X, self.y, bags=self.bags)

    if DLLP:

        def time_llp_learn_DLLP(self):
            return fit_dllp(self, n_epochs=20)

        def time_one_epoch_of_llp_learn_DLLP(self):
            return fit_dllp(self, n_epochs=1)

        def time_llp_learn_EM(self):
            model = EM(LogisticRegression(), init_y="majority", random_state=0)
            model.fit(self.X, self.bags, self.shares)
            return model


class ProportionLinearFewBags(ProportionLinear):
    title = "Linear classifier on proportions, 2000 x 10, 100 bags"
    m = 100


def fit_dllp(data, n_epochs):
    """Train llp-learn's network in silence."""
    model = DLLP(0.003, n_epochs, "simple-mlp", n_jobs=0, device="cpu", random_state=0)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        model.fit(data.X.astype(np.float32), data.bags, data.shares.astype(np.float32))
    return model


class Boosting(Comparison):
    title = "Boosted trees, Friedman-1, 9000 rows, bags of 3, noise variance 1"
    note = """HistGradientBoosting is given the responses of all rows. Targets: at most
    twice its excess error, and at most five times its time (a ratio of 0.2)."""
    repeats = 3
    k = 3
    targets = {"HistGradientBoosting_on_row_labels": 0.2}

    def setup(self):
        self.X, self.y = make_friedman1(9000, noise=1.0, random_state=0)
        self.bags = np.random.default_rng(0).permutation(9000) // self.k
        self.test = make_friedman1(20_000, noise=0.0, random_state=1)

    def quality(self, model):
        X, truth = self.test
        return {"excess error": float(np.mean((model.predict(X) - truth) ** 2))}

    def time_ours(self):
        model = AggregateBoostingRegressor(random_state=0)
        return model.fit(self.X, self.y, bags=self.bags)

    def time_HistGradientBoosting_on_row_labels(self):
        return HistGradientBoostingRegressor(random_state=0).fit(self.X, self.y)

    def time_HistGradientBoosting_on_replicated_means(self):
        means = (np.bincount(self.bags, self.y) / np.bincount(self.bags))[self.bags]
        return HistGradientBoostingRegressor(random_state=0).fit(self.X, means)

    def time_linear_on_bags(self):
        return BagRegressor().fit(self.X, self.y, bags=self.bags)


class Boosting10(Boosting):
    title = "Boosted trees, Friedman-1, 9000 rows, bags of 10, noise variance 1"
    k = 10


class TunedRidge(Study):
    title = "Choosing rho as well: excess risk against RidgeCV on bag means"
    note = """2000 rows, 40 features with eigenvalues j^-1.5 and flat signal, bags of
    10, mean of 20 draws. Curated bags are clusters of the features."""

    def run(self):
        columns = ["bags", "ours", "RidgeCV on bag means", "instance loss", "ratio"]
        rows = []
        for strategy in ("random", "kmeans"):
            risks = np.mean([self._risks(strategy, seed) for seed in range(20)], axis=0)
            label = {"random": "random", "kmeans": "curated"}[strategy]
            cells = [f"{risk:.3g}" for risk in risks]
            rows.append([label, *cells, f"{risks[1] / risks[0]:.3g}"])
        return {"columns": columns, "rows": rows}

    @staticmethod
    def _risks(strategy, seed):
        rng = np.random.default_rng(seed)
        e = np.arange(1, 41.0) ** -1.5
        X, coef = rng.normal(size=(2000, 40)) * np.sqrt(e), np.sqrt(1 / (40 * e))
        y = X @ coef + np.sqrt(0.5) * rng.normal(size=2000)
        bags = make_bags(X, 10, strategy=strategy, random_state=seed)
        means = X[np.argsort(bags)].reshape(200, 10, 40).mean(axis=1)
        targets = y[np.argsort(bags)].reshape(200, 10).mean(axis=1)
        alphas = np.logspace(-6, 2, 25)
        models = [
            InterpolatingAggregateRegressorCV().fit(X, y, bags=bags),
            RidgeCV(alphas).fit(means, targets),
            InstanceRegressor(1e-3).fit(X, y, bags=bags),
        ]
        return [e @ (model.coef_ - coef) ** 2 for model in models]


class DefaultWeight(Study):
    title = "Which rho by default? Excess risk over that of the bag-level loss"
    note = """Geometric mean and worst case over 84 settings: 300 and 2000 rows, 5 to 60
    features with equal eigenvalues and with j^-1.5, bags of 2 to 50, noise variance
    0.1, 1 and 5, means of four draws; alpha = 1. Below 1 is better than rho = 0."""

    def run(self):
        models = {
            'rho="theory", the default': InterpolatingAggregateRegressor(),
            "rho = 0.001": InterpolatingAggregateRegressor(0.001),
            "rho = 0.01": InterpolatingAggregateRegressor(0.01),
            "rho = 0.1, the former default": InterpolatingAggregateRegressor(0.1),
            "both penalties by leave-one-bag-out": InterpolatingAggregateRegressorCV(),
        }
        columns = ["", "random bags", "worst", "curated bags", "worst "]
        found = {name: [] for name in models}
        for strategy in ("random", "kmeans"):
            ratios = {name: [] for name in models}
            for setting in self._settings():
                base = np.mean(
                    [
                        self._risk(BagRegressor(), strategy, *setting, s)
                        for s in range(4)
                    ]
                )
                for name, model in models.items():
                    risk = np.mean(
                        [self._risk(model, strategy, *setting, s) for s in range(4)]
                    )
                    ratios[name].append(risk / base)
            for name, values in ratios.items():
                mean = np.exp(np.mean(np.log(values)))
                found[name] += [f"{mean:.3g}", f"{max(values):.3g}"]
        return {"columns": columns, "rows": [[k, *v] for k, v in found.items()]}

    @staticmethod
    def _settings():
        for n, d in ((300, 5), (300, 40), (2000, 5), (2000, 60)):
            for k in (2, 5, 20, 50):
                for decay, noise in product((0.0, 1.5), (0.1, 1.0, 5.0)):
                    if n // k >= 8:
                        yield n, d, k, decay, noise

    @staticmethod
    def _risk(model, strategy, n, d, k, decay, noise, seed):
        rng = np.random.default_rng(seed)
        e = np.arange(1, d + 1.0) ** -decay
        X, coef = rng.normal(size=(n, d)) * np.sqrt(e), rng.normal(size=d)
        coef /= np.sqrt(d * e)
        y = X @ coef + np.sqrt(noise) * rng.normal(size=n)
        bags = make_bags(X, k, strategy=strategy, random_state=seed)
        found = model.fit(X, y, bags=bags).coef_
        return e @ (found - coef) ** 2 / (e @ coef**2)


class Coverage(Study):
    title = "Coverage of 95 % intervals of slopes"
    note = """Random bags, four slopes (1, 0.5, -0.5, 0), 400 draws; the worst slope in
    brackets. Beside `coef_interval`: 1.96 standard errors around the penalised slopes
    of rho = 0.1, and the classical intervals of least squares on bag means."""

    def run(self):
        columns = ["rows", "bags of", "noise", "correlation", "bag_weight"]
        columns += ["coef_interval", "classical", "around penalised slopes"]
        rows = []
        settings = [(600, 5, "equal", 0, "size"), (600, 2, "grows with x", 0, "size")]
        settings += [(600, 20, "grows with x", 0.5, "size")]
        settings += [(200, 10, "equal", 0.5, "size"), (600, 5, "t(3)", 0, "size")]
        settings += [(600, 5, "equal", 0, "uniform, unequal sizes")]
        settings += [(3000, 2, "grows with x", 0, "uniform, unequal sizes")]
        for setting in settings:
            inside = np.mean([self._inside(*setting, s) for s in range(400)], axis=0)
            cells = [f"{row.mean():.3f} ({row.min():.3f})" for row in inside]
            n, k, noise, correlation, weight = setting
            rows.append([str(n), str(k), noise, f"{correlation:g}", weight, *cells])
        return {"columns": columns, "rows": rows}

    @staticmethod
    def _inside(n, k, noise, correlation, weight, seed):
        rng = np.random.default_rng(seed)
        truth = np.array([1, 0.5, -0.5, 0])
        mix = np.linalg.cholesky((1 - correlation) * np.eye(4) + correlation)
        X = rng.normal(size=(n, 4)) @ mix.T
        errors = rng.standard_t(3, n) if noise == "t(3)" else rng.normal(size=n)
        errors *= 1.5 * np.abs(X[:, 0]) if noise.startswith("grows") else 1
        bags = np.arange(n) // k
        if weight != "size":
            bags = rng.integers(0, n // k, n)
        asked = {"bag_weight": weight.split(",")[0], "compute_covariance": True}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that slopes are shrunk
            model = InterpolatingAggregateRegressor(0.1, **asked)
            model.fit(X, X @ truth + errors, bags=bags)
        low, high = model.coef_interval()
        sums = model.stats_
        inverse, freedom = np.linalg.inv(sums.between), model.n_bags_ - 5
        rest = sums.y_scatter - sums.cross[:, 0] @ inverse @ sums.cross[:, 0]
        classical = np.sqrt(np.diag(inverse) * rest / freedom)
        classical *= stats.t.ppf(0.975, freedom)
        A = np.linalg.inv(sums.between + 0.1 * sums.within + np.eye(4))
        old = 1.96 * np.sqrt(model.noise_var_ * np.diag(A @ sums.between @ A))
        return [
            (low < truth) & (truth < high),
            np.abs(model.unbiased_coef_ - truth) < classical,
            np.abs(model.coef_ - truth) < old,
        ]


REAL = {
    "chem97": "pupils in schools",
    "tv16": "voters in states",
    "acs_employment": "adults by household role, year and marriage",
}


def real_rows(name, n_rows=60_000):
    """Standardised numeric and one-hot features, response and natural bags."""
    bunch = load(name)
    keep = np.sort(np.random.default_rng(0).permutation(len(bunch.data))[:n_rows])
    X = pd.get_dummies(bunch.data.iloc[keep], drop_first=True).astype(float)
    target = pd.Series(bunch.target).iloc[keep]
    numeric = target.dtype.kind in "fiub"
    y = np.asarray(target if numeric else pd.Categorical(target).codes, dtype=float)
    bags = pd.factorize(pd.Series(bunch.bags).iloc[keep])[0]
    return StandardScaler().fit_transform(X), y, bags


class RealBags(Study):
    title = "R² of rows when only means of bags are shown"
    note = """Real data; up to 60 000 rows. Random bags lose little, natural bags
    confound: slopes between states are not slopes between voters. The replicated mean
    as label explains almost nothing."""

    def run(self):
        columns = ["data", "rows x features", "all labels", "random 10", "random 50"]
        columns += ["random 200", "natural bags", "number", "replicated means, 50"]
        rows = []
        for name, what in REAL.items():
            if not available(name):
                continue
            X, y, natural = real_rows(name)
            cells = [f"{Ridge().fit(X, y).score(X, y):.3f}"]
            for size in (10, 50, 200):
                bags = make_bags(len(X), size, random_state=0)
                cells.append(
                    self._score(InterpolatingAggregateRegressorCV(), X, y, bags)
                )
            cells.append(self._score(BagRegressor(), X, y, natural))
            cells.append(str(len(np.unique(natural))))
            bags = make_bags(len(X), 50, random_state=0)
            cells.append(self._score(InstanceRegressor(), X, y, bags))
            shape = f"{X.shape[0]} x {X.shape[1]}"
            rows.append([f"{name}: {what}", shape, *cells])
        return {"columns": columns, "rows": rows}

    @staticmethod
    def _score(model, X, y, bags):
        return f"{model.fit(X, y, bags=bags).score(X, y):.3f}"


BENCHMARKS = (
    BagLossShuffled,
    BagLossContiguous,
    Interpolated,
    InstanceLoss,
    Selection,
    SelectionOfWholeBags,
    SelectionByFolds,
    DefaultWeight,
    Coverage,
    Streamed,
    ProportionNet,
    ProportionLinear,
    ProportionLinearFewBags,
    Boosting,
    Boosting10,
    TunedRidge,
    RealBags,
)
