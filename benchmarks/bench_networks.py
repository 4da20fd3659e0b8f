"""Networks for tables beside what people use for tables."""

import subprocess
import sys
import warnings
from statistics import mean

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmarks import networks_hierarchical
from benchmarks import networks_peers as peers
from benchmarks.harness import Comparison, Study
from benchmarks.networks_tables import CHOICE, EVIDENCE, N_SPLITS, REGRESSION, table
from sklearn_ext.networks import (
    HierarchicalPolynomialRegressor,
    MuMLPClassifier,
    mup_scales,
)
from sklearn_ext.networks._preprocess import TablePreprocessor

METHODS = list(peers.METHODS)
RATES = 2.0 ** np.arange(-10, -2)
ALPHAS = np.logspace(-4, 4, 17)


# --- accuracy, table by table ---------------------------------------------------------


class _Tables(Study):
    note = """Accuracy, or coefficient of determination where the table is marked by an
    R, on test rows; means of three splits, of fewer where that many are marked. Every
    method at its defaults on the same raw frames. Fits of the peers are kept in
    benchmarks/results/networks_tables.json, as are CPU seconds; ratios of times are in
    tables of their own."""
    versions = ("scikit-learn", "numpy", "scipy", "torch", "skorch")
    names: dict = {}

    def run(self):
        for method in METHODS[:-1]:
            peers.main(method, *self.names)
        figures = peers.stored()
        rows = [self._row(name, figures[name]) for name in self.names]
        for is_regression in (False, True):
            for methods in (METHODS[:-1], METHODS):
                rows.append(self._mean(figures, is_regression, methods))
        columns = ["table", "training rows", *METHODS]
        return {"columns": columns, "rows": rows}

    def _row(self, name, figures):
        n_train = len(table(name).split(0)[0])
        label = f"{name} (R²)" if name in REGRESSION else name
        return [label, f"{n_train:,}", *(_shown(figures.get(m, {})) for m in METHODS)]

    def _mean(self, figures, is_regression, methods):
        """Return means over the tables, and splits, that all the methods have."""
        found, n_tables = {method: [] for method in methods}, 0
        for name in self.names:
            splits = [set(figures[name].get(m, {})) for m in methods]
            common = set.intersection(*splits)
            if not common or (name in REGRESSION) != is_regression:
                continue
            n_tables += 1
            for m in methods:
                found[m].append(mean(figures[name][m][s]["score"] for s in common))
        cells = [f"{mean(found[m]):.4f}" if found.get(m) else "" for m in METHODS]
        label = f"mean {'R²' if is_regression else 'accuracy'} of {n_tables} tables"
        return [label + ", all four" * (methods == METHODS), "", *cells]


def _shown(splits):
    if not splits:
        return ""
    found = f"{mean(s['score'] for s in splits.values()):.3f}"
    return found if len(splits) == N_SPLITS else f"{found} ({len(splits)})"


class ChoiceTables(_Tables):
    """The tables on which defaults were chosen."""

    title = "Fourteen tables on which our defaults were chosen"
    names = CHOICE


class EvidenceTables(_Tables):
    """The tables on which nothing was chosen."""

    title = "Sixteen tables on which nothing was chosen"
    names = EVIDENCE


class LogLoss(Study):
    """How good probabilities are."""

    title = "Log loss of the classification tables, mean of three splits"
    note = "Less is better; the tables of the two lists together."
    versions = _Tables.versions

    def run(self):
        figures, rows = peers.stored(), []
        for name in (*CHOICE, *EVIDENCE):
            if name not in REGRESSION:
                found = [figures[name].get(m, {}).values() for m in METHODS]
                cells = [
                    f"{mean(s['log_loss'] for s in f):.3f}" if f else "" for f in found
                ]
                rows.append([name, *cells])
        return {"columns": ["table", *METHODS], "rows": rows}


class HonestScores(Study):
    """The score out of fold, beside the score on test rows."""

    title = "Score out of fold, without a further fit, beside that of new rows"
    note = """Of every table and split: ``oob_score_`` less the score on test rows. Each
    member is scored on the rows that it left out, the ensemble on test rows."""
    versions = _Tables.versions

    def run(self):
        figures, rows = peers.stored(), []
        for label, names in (("choice", CHOICE), ("evidence", EVIDENCE)):
            for kind in (False, True):
                chosen = [n for n in names if (n in REGRESSION) == kind]
                gaps = [
                    mean(
                        s["oob_score_"] - s["score"]
                        for s in figures[n]["ours"].values()
                    )
                    for n in chosen
                ]
                worst = chosen[int(np.argmax(np.abs(gaps)))]
                rows.append(
                    [
                        f"{label}, {'R²' if kind else 'accuracy'}",
                        str(len(chosen)),
                        f"{mean(gaps):+.4f}",
                        f"{max(gaps, key=abs):+.3f} ({worst})",
                    ]
                )
        return {"columns": ["tables", "number", "mean", "largest"], "rows": rows}


class CrossValidation(Comparison):
    """An honest score, and what it costs elsewhere."""

    title = "An honest score of the ensemble, vehicle: ours has it from the fit"
    note = """Ours: one fit and its ``oob_score_``. The peer: the same fit and five more
    by ``cross_val_score``."""
    repeats = 1
    targets = {"five_folds": 5}
    versions = _Tables.versions

    def setup(self):
        self.X, self.y, *_ = numbers("vehicle")
        self.time_ours()

    def time_ours(self):
        return MuMLPClassifier(random_state=0).fit(self.X, self.y).oob_score_

    def time_five_folds(self):
        model = MuMLPClassifier(random_state=0)
        model.fit(self.X, self.y)
        return cross_val_score(model, self.X, self.y).mean()

    def quality(self, result):
        return {"score": float(result)}


# --- time -----------------------------------------------------------------------------


def numbers(name, seed=0):
    """Return a table as preprocessed numbers: training rows and labels, test ones."""
    data = table(name)
    train, test = data.split(seed)
    code = TablePreprocessor().fit(data.X.iloc[train])
    X, X_test = (code.transform(data.X.iloc[rows]) for rows in (train, test))
    return X, data.y[train], X_test, data.y[test]


class _Beside(Comparison):
    repeats = 3
    versions = _Tables.versions
    name, peer = "", ""

    def setup(self):
        self.data = table(self.name)
        peers.measure("ours", self.data, 0)  # what is imported is not timed

    def time_ours(self):
        return peers.measure("ours", self.data, 0)

    def quality(self, result):
        return {"score": result["score"]}


class _BesideAll(_Beside):
    def time_hist_gradient_boosting(self):
        return peers.measure("HistGradientBoosting", self.data, 0)

    def time_scikit_learn_mlp(self):
        return peers.measure("MLP of scikit-learn", self.data, 0)


class _BesideRealMLP(_Beside):
    versions = (*_Tables.versions, "pytabkit")
    repeats = 2
    targets = {"realmlp": 3}

    def time_realmlp(self):
        return peers.measure("RealMLP-TD", self.data, 0)


def _timed(base, name):
    beside = "beside RealMLP-TD, " if base is _BesideRealMLP else ""
    return type(
        f"{base.__name__[1:]}{name.title()}",
        (base,),
        {
            "name": name,
            "title": f"Fit and prediction at defaults, {beside}{name}",
            "__doc__": f"Time on {name}.",
            "__module__": __name__,
        },
    )


BESIDE = [_timed(_BesideAll, name) for name in ("adult", "letter", "concrete")]
BESIDE += [_timed(_BesideRealMLP, name) for name in ("german", "concrete", "letter")]


class RateSearch(Comparison):
    """The automatic rate, beside a search over rates."""

    title = "Finding the learning rate: letter, eight rates, two of five folds"
    note = """Ours is the whole fit of one member of one epoch with
    ``learning_rate="auto"``, which tries every rate with bins of numbers and without;
    ``n_bins=0`` tries them without alone. The peer tries the same rates for as many
    epochs of as large batches, on two validation sets of a fifth, for nets of 32 and 32
    units and of the full size, 128 and 128."""
    repeats = 3
    targets = {"grid_search": 2, "grid_search_at_full_size": 6}
    versions = _Tables.versions

    def setup(self):
        self.X, self.y, self.X_test, self.y_test = numbers("letter")
        self.time_ours()

    def time_ours(self):
        return self._ours()

    def time_ours_without_bins(self):
        return self._ours(n_bins=0)

    def _ours(self, **options):
        model = MuMLPClassifier(n_members=1, max_iter=1, random_state=0, **options)
        return model.fit(self.X, self.y).learning_rate_

    def _search(self, units):
        net = MLPClassifier(
            (units, units), max_iter=25, n_iter_no_change=25, batch_size=128
        )
        grid = {"learning_rate_init": RATES}
        folds = ShuffleSplit(2, test_size=0.2, random_state=0)
        search = GridSearchCV(net, grid, scoring="neg_log_loss", cv=folds, refit=False)
        with quiet():
            search.fit(self.X, self.y)
        return search.best_params_["learning_rate_init"]

    def time_grid_search(self):
        return self._search(32)

    def time_grid_search_at_full_size(self):
        return self._search(128)

    def quality(self, result):
        return {"rate": f"2^{np.log2(result):g}"}


def quiet():
    """Return a context without warnings of epochs that were not enough."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)


class EightNets(Comparison):
    """Eight nets at once, with scores out of fold."""

    title = "Eight nets of 128 and 128 units, 40 epochs, letter"
    note = """The same columns, rate and batch size. Ours leaves an eighth of the rows
    out of
    each member and scores them in every epoch; the peer fits eight nets to all rows and
    has no such score. Accuracy of the mean probability on test rows."""
    repeats = 3
    targets = {"eight_mlp_classifiers": 1.25}
    versions = _Tables.versions

    def setup(self):
        self.X, self.y, self.X_test, self.y_test = numbers("letter")
        self.time_ours()

    def time_ours(self):
        model = MuMLPClassifier(
            learning_rate=0.01,
            batch_size=128,
            n_iter_no_change=40,
            n_bins=0,
            random_state=0,
        )
        model.fit(self.X, self.y)
        return model.predict_proba(self.X_test), model.classes_, model.oob_score_

    def time_eight_mlp_classifiers(self):
        nets = [
            MLPClassifier(
                (128, 128),
                max_iter=40,
                n_iter_no_change=40,
                batch_size=128,
                learning_rate_init=0.01,
                random_state=seed,
            )
            for seed in range(8)
        ]
        with quiet():
            proba = [n.fit(self.X, self.y).predict_proba(self.X_test) for n in nets]
        return np.mean(proba, axis=0), nets[0].classes_, np.nan

    def quality(self, result):
        proba, classes, oob = result
        accuracy = np.mean(classes[proba.argmax(axis=1)] == self.y_test)
        return {"accuracy": float(accuracy), "out of fold": float(oob)}


class OneMember(Comparison):
    """One member, and eight, an epoch."""

    title = "Ten epochs of 10,000 rows of 20 columns, 128 and 128 units"
    note = """Ours is one member, no bins, batches of 200 rows, no rows left out; the
    peer is scikit-learn's at the same size. Eight members are ours as well: at most 2.5
    times one was wanted."""
    repeats = 5
    targets = {"scikit_learn_mlp": 1}
    versions = _Tables.versions

    def setup(self):
        self.X, self.y = make_classification(
            10_000, 20, n_informative=10, random_state=0
        )
        self.X = self.X.astype(np.float32)
        self.time_ours()

    def _ours(self, n_members):
        model = MuMLPClassifier(
            n_members=n_members,
            learning_rate=0.01,
            max_iter=10,
            batch_size=200,
            leave_out=None,
            numeric="standard",
            n_bins=0,
            random_state=0,
        )
        return model.fit(self.X, self.y)

    def time_ours(self):
        return self._ours(1)

    def time_ours_eight_members(self):
        return self._ours(8)

    def time_scikit_learn_mlp(self):
        net = MLPClassifier(
            (128, 128), batch_size=200, max_iter=10, n_iter_no_change=10, random_state=0
        )
        with quiet():
            return net.fit(self.X, self.y)

    def quality(self, result):
        return {"accuracy on its rows": float(result.score(self.X, self.y))}


class Memory(Study):
    """What a fit and an import add."""

    title = "Memory of a fit, and what an import loads"
    note = """50,000 rows of 30 columns in single precision, three epochs, in a process
    of its own, which has fitted a tiny net before: the largest resident size less that
    before the fit, beside the bytes of the table and of the parameters."""
    versions = _Tables.versions
    code = """
import re, numpy as np
from sklearn_ext.networks import MuMLPRegressor
def peak():  # ru_maxrss may be that of the process that started this one
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) / 1024
rng = np.random.default_rng(0)
few = rng.standard_normal((100, 3), dtype=np.float32)
net = MuMLPRegressor(4, learning_rate=.01, max_iter=3, random_state=0)
net.fit(few, few[:, 0])  # what is imported does not count
net.set_params(hidden_units=128)
X = rng.standard_normal((50_000, 30), dtype=np.float32)
before = peak()
net.fit(X, X[:, 0] * X[:, 1])
print(peak() - before, X.nbytes / 2**20, net.n_parameters_ * 4 / 2**20)
"""
    imports = """
import sys, sklearn_ext.networks
print(*(name in sys.modules for name in ("torch", "skorch", "matplotlib")))
"""

    def run(self):
        peak, table_size, parameters = map(float, _said(self.code).split())
        loaded = _said(self.imports).split()
        rows = [
            ["more memory at the peak of the fit", f"{peak:.1f} MB"],
            ["the table", f"{table_size:.1f} MB"],
            ["parameters of the eight members", f"{parameters:.1f} MB"],
            [
                "torch, skorch, matplotlib loaded by the import",
                ", ".join(loaded),
            ],
        ]
        return {"columns": ["", ""], "rows": rows}


def _said(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout


# --- rates over widths ----------------------------------------------------------------


class RateShift(Study):
    """Where the best rate is at two widths, and what carrying it costs."""

    title = "Rates carried from width 64 to width 256"
    note = """Three layers, one member, 1,200 rows, 12 epochs, base width 32. The best
    rate is the optimum of the log loss on test rows, by a parabola through the best
    three, as a power of two; "carried" is the loss of width 256 at the best rate of
    width 64."""
    versions = _Tables.versions
    rates = 2.0 ** np.arange(-11, 0)

    def run(self):
        rows = []
        for name in ("letter", "california"):
            X, y, X_test, y_test = numbers(name)
            for parametrization in ("standard", "mup"):
                curves = [
                    self._curve(
                        X[:1200], y[:1200], X_test, y_test, width, parametrization
                    )
                    for width in (64, 256)
                ]
                at = [_optimum(np.log2(self.rates), curve) for curve in curves]
                carried = curves[1][int(np.nanargmin(curves[0]))]
                best = np.nanmin(curves[1])
                rows.append(
                    [
                        name,
                        parametrization,
                        f"{at[0]:.1f}",
                        f"{at[1]:.1f}",
                        f"{at[1] - at[0]:+.1f}",
                        f"{carried:.3f}",
                        f"{best:.3f}",
                        f"{carried / best:.3f}",
                    ]
                )
        columns = ["table", "parametrisation", "best rate, 64", "best rate, 256"]
        columns += ["shift", "loss carried", "own best", "ratio"]
        return {"columns": columns, "rows": rows}

    def _curve(self, X, y, X_test, y_test, width, parametrization):
        losses = []
        for rate in self.rates:
            net = MuMLPClassifier(
                width,
                n_layers=3,
                residual=False,
                n_members=1,
                learning_rate=rate,
                max_iter=12,
                batch_size=128,
                base_units=32,
                parametrization=parametrization,
                leave_out=None,
                random_state=0,
            )
            with warnings.catch_warnings(action="ignore"):
                try:
                    proba = net.fit(X, y).predict_proba(X_test)
                except ValueError:  # all members diverged
                    losses.append(np.nan)
                    continue
            losses.append(log_loss(y_test, proba, labels=net.classes_))
        return np.array(losses)


def _optimum(x, loss):
    at = int(np.clip(np.nanargmin(loss), 1, len(x) - 2))
    a, b, _ = np.polyfit(x[at - 1 : at + 2], loss[at - 1 : at + 2], 2)
    return float(np.clip(-b / (2 * a), x[at - 1], x[at + 1])) if a > 0 else float(x[at])


class SameUpdates(Study):
    """Our rate factors beside the package of the authors."""

    title = "Five steps of AdamW at width 480: our factors beside mup's MuAdamW"
    note = """The same module, data and initial function, two hidden layers, base width
    64. mup writes the factor of the output into the forward pass, ours into initial
    weights and rate; its output weights are compared after division by 7.5. Largest
    difference of a tensor over the largest change of it."""
    versions = ("scikit-learn", "numpy", "torch", "mup")

    def run(self):
        import torch

        ours, theirs = (self._trained(mup) for mup in (False, True))
        rows = []
        for name, (start, end) in ours.items():
            moved = (end - start).abs().max()
            gap = (end - theirs[name][1]).abs().max()
            rows.append([name, f"{float(moved):.3g}", f"{float(gap / moved):.1e}"])
        assert torch.get_default_dtype() == torch.float32
        return {"columns": ["tensor", "largest change", "difference"], "rows": rows}

    def _trained(self, mup, n=480, base=64, d=10, k=3, rate=0.01):
        import torch
        from mup import MuAdamW, MuReadout, set_base_shapes
        from torch import nn

        def net(width):
            out = MuReadout(width, k) if mup else nn.Linear(width, k)
            layers = nn.Linear(d, width), nn.ReLU(), nn.Linear(width, width)
            return nn.Sequential(*layers, nn.ReLU(), out).double()

        model = net(n)
        scales = mup_scales(n, base_units=base)
        names = ["weight_0", "bias_0", "weight_1", "bias_1", "weight_out", "bias_out"]
        if mup:
            set_base_shapes(model, net(base), delta=net(2 * base))
        draw = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, p in zip(names, model.parameters(), strict=True):
                p.copy_(
                    torch.randn(p.shape, generator=draw, dtype=p.dtype) / p[0].numel()
                )
                if mup and name == "weight_out":
                    p.mul_(n / base)
        X = torch.randn(64, d, generator=draw, dtype=torch.float64)
        y = torch.randint(k, (64,), generator=draw)
        if mup:
            optimizer = MuAdamW(model.parameters(), lr=rate, weight_decay=0, eps=1e-30)
        else:
            groups = [
                {"params": [p], "lr": rate * scales[name]["rate"]}
                for name, p in zip(names, model.parameters(), strict=True)
            ]
            optimizer = torch.optim.AdamW(groups, weight_decay=0, eps=1e-30)
        starts = [p.detach().clone() for p in model.parameters()]
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), y).backward()
            optimizer.step()
        ends = [p.detach().clone() for p in model.parameters()]
        divide = {"weight_out": n / base} if mup else {}
        return {
            name: (start / divide.get(name, 1), end / divide.get(name, 1))
            for name, start, end in zip(names, starts, ends, strict=True)
        }


# --- polynomials seen through a curve -------------------------------------------------


class _Link(Comparison):
    repeats = 3
    curve, target = None, 0.0
    n, d = 2400, 20

    def setup(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n + 2000, self.d))
        A = rng.standard_normal((self.d, self.d))
        p = np.einsum("ni,ij,nj->n", X, A, X) - np.trace(A)
        y = self.curve(p / p.std())
        self.X, self.X_test = X[: self.n], X[self.n :]
        self.y, self.y_test = y[: self.n], y[self.n :]

    def time_ours(self):
        return HierarchicalPolynomialRegressor().fit(self.X, self.y)

    def time_polynomial_ridge(self):
        columns = PolynomialFeatures(2, include_bias=False), StandardScaler()
        return make_pipeline(*columns, RidgeCV(ALPHAS)).fit(self.X, self.y)

    def time_kernel_ridge_best_of_six(self):
        grid = {"alpha": [0.01, 0.1, 1.0], "gamma": [0.01, 0.05]}
        search = GridSearchCV(KernelRidge(kernel="rbf"), grid, cv=3)
        return search.fit(self.X, self.y)

    def time_hist_gradient_boosting(self):
        return HistGradientBoostingRegressor(random_state=0).fit(self.X, self.y)

    def quality(self, result):
        return {"R²": float(result.score(self.X_test, self.y_test))}


class LinkRelu(_Link):
    """A quadratic form behind a kink."""

    title = "max(p, 0) of a quadratic form p, 20 columns, 2,400 rows"
    note = "R² on 2,000 fresh rows."
    few = {"kernel_ridge_best_of_six": 0}
    curve = staticmethod(lambda t: np.maximum(t, 0))


class LinkSquare(_Link):
    """A quadratic form behind a parabola."""

    title = "p + p² of a quadratic form p, 20 columns, 2,400 rows"
    note = "R² on 2,000 fresh rows."
    few = {"kernel_ridge_best_of_six": 0}
    curve = staticmethod(lambda t: t + t**2)


class FootballPrices(Comparison):
    """Raw prices of players."""

    title = "Raw prices of 1,500 footballers"
    note = """R² on 2,000 other players, of prices and not their logarithms; numbers
    preprocessed alike for all but boosting. The log ridge is a ridge of log prices,
    exponentiated."""
    repeats = 5
    versions = ("scikit-learn", "numpy", "scipy")

    def setup(self):
        data = table("fifa")
        train, test = data.split(0)
        code = TablePreprocessor("standard", categorical_features=None)
        X = data.X[[c for c in data.X if c not in data.categories]]
        self.X, self.X_test = (
            code.fit(X.iloc[train]).transform(X.iloc[rows]) for rows in (train, test)
        )
        self.y, self.y_test = np.exp(data.y[train]), np.exp(data.y[test])

    def time_ours(self):
        return (
            HierarchicalPolynomialRegressor().fit(self.X, self.y).predict(self.X_test)
        )

    def time_ridge(self):
        return RidgeCV(ALPHAS).fit(self.X, self.y).predict(self.X_test)

    def time_log_ridge(self):
        model = RidgeCV(ALPHAS).fit(self.X, np.log(self.y))
        return np.exp(model.predict(self.X_test))

    def time_hist_gradient_boosting(self):
        model = HistGradientBoostingRegressor(random_state=0)
        return model.fit(self.X, self.y).predict(self.X_test)

    def quality(self, result):
        return {"R²": float(r2_score(self.y_test, result))}


BENCHMARKS = [
    ChoiceTables,
    EvidenceTables,
    LogLoss,
    *BESIDE,
    HonestScores,
    CrossValidation,
    RateSearch,
    EightNets,
    OneMember,
    Memory,
    RateShift,
    SameUpdates,
    LinkRelu,
    LinkSquare,
    FootballPrices,
    *networks_hierarchical.BENCHMARKS,
]
