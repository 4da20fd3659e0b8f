"""Polynomials behind a curve beside ridges, boosting and random features.

Targets are raw: prices, wages and counts, not their logarithms. What decides when a
curve is taken, and how smooth it is, was chosen on other splits of the tables of
``CHOICE`` and on none of ``KEPT``.
"""

import time

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.defaults_data import raw
from benchmarks.harness import Study
from benchmarks.real_data_readers import rdata
from sklearn_ext.networks import HierarchicalPolynomialRegressor
from sklearn_ext.random_features import RandomFeatureRidgeCV, RandomFeatures

ALPHAS = np.logspace(-4, 4, 17)
FRAMES = {  # name: set of an R package, target, columns that give it away
    "boston": ("MASS/Boston", "medv", []),
    "saratoga": ("mosaicData/SaratogaHouses", "price", []),
    "chicago": ("modeldata/Chicago", "ridership", ["date"]),
    "sacramento": ("modeldata/Sacramento", "price", ["zip"]),
    "salaries": ("carData/Salaries", "salary", []),
    "cps1988": ("AER/CPS1988", "wage", []),
    "houseprices": ("AER/HousePrices", "price", []),
    "loans": (
        "openintro/loans_full_schema",
        "interest_rate",
        ["grade", "sub_grade", "emp_title", "state"],
    ),
}
CHOICE = (
    "fifa",
    "diamonds",
    "ames",
    "boston",
    "concrete",
    "saratoga",
    "wage",
    "diabetes",
    "autompg",
    "sacramento",
    "salaries",
    "cps1988",
    "car_prices",
    "chicago",
    "houseprices",
    "hitters",
    "slid",
    "biomass",
)
KEPT = (
    "deliveries",
    "loans",
    "chem97",
    "meats",
    "apartments",
    "fertility",
    "birthdays",
    "hotel_rates",
    "cps",
    "babies",
)
N_TRAIN, N_TEST, SEEDS = 1500, 1000, (10, 11, 12)


def raw_table(name):
    """Return columns as numbers and indicators, and the target in its own units."""
    if name not in FRAMES:
        return raw(name, N_TRAIN + N_TEST)
    path, target, hidden = FRAMES[name]
    frame = rdata(path).dropna(subset=[target])
    if len(frame) > N_TRAIN + N_TEST:
        frame = frame.sample(N_TRAIN + N_TEST, random_state=0)
    y, frame = frame[target].to_numpy(np.float64), frame.drop(columns=[target, *hidden])
    numbers = frame.select_dtypes("number").astype(float)
    numbers = numbers.fillna(numbers.median()).fillna(0.0)
    common = frame.select_dtypes(exclude="number").astype(str)
    if common.shape[1]:
        common = pd.get_dummies(common, dtype=float)
        common = common.loc[:, common.sum() >= 20]
    X = pd.concat([numbers, common], axis=1).to_numpy(np.float64)
    return X[:, X.std(axis=0) > 0], y


def ridge():
    """Return a ridge on columns of one scale, by leave-one-out."""
    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS))


METHODS = {
    "ridge": ridge,
    "log ridge": lambda: TransformedTargetRegressor(
        ridge(), func=np.log, inverse_func=np.exp
    ),
    "ours without a curve": lambda: HierarchicalPolynomialRegressor(
        max_iter=0, min_gain=0.999
    ),
    "ours": HierarchicalPolynomialRegressor,
    "random features": lambda: RandomFeatureRidgeCV(random_state=0),
    "ours on random features": lambda: HierarchicalPolynomialRegressor(
        feature_map=RandomFeatures(n_components=512, random_state=0)
    ),
    "boosting": lambda: HistGradientBoostingRegressor(random_state=0),
}


class _RawTables(Study):
    names: tuple = ()
    note = """Coefficient of determination on up to 1,000 new rows, 1,500 rows for
    training at most (seven tenths of small tables), means of three splits; everything
    at its defaults. The log ridge is a ridge of log y, exponentiated, where y is
    positive. Without a curve, ours is a ridge whose degree, one or two, leave-one-out
    chooses. "Boosting" is HistGradientBoostingRegressor. Curves: of how many of the
    three splits ours took one. Seconds: CPU, all fits and predictions together."""

    def run(self):
        """Fit everything on every split."""
        rows, scores, self.seconds = [], [], dict.fromkeys(METHODS, 0.0)
        for name in self.names:
            X, y = raw_table(name)
            found = np.array([self._split(X, y, seed) for seed in SEEDS])
            mean, curves = found[:, :-1].mean(axis=0), int(found[:, -1].sum())
            scores.append(mean)
            cells = ["" if np.isnan(s) else f"{s:.3f}" for s in mean]
            n = len(self._rows(len(y), SEEDS[0])[0])
            rows.append([name, n, X.shape[1], *cells, curves])
        total = np.mean(scores, axis=0)
        cells = ["" if np.isnan(s) else f"{s:.3f}" for s in total]
        rows.append(["**mean**", "", "", *cells, ""])
        spent = [f"{self.seconds[method]:.1f}" for method in METHODS]
        rows.append(["CPU seconds", "", "", *spent, ""])
        columns = ["table", "rows", "columns", *METHODS, "curves"]
        return {"columns": columns, "rows": rows}

    def _rows(self, n, seed):
        order = np.random.default_rng(seed).permutation(n)
        m = min(N_TRAIN, int(0.7 * n))
        return order[:m], order[m : m + N_TEST]

    def _split(self, X, y, seed):
        train, test = self._rows(len(y), seed)
        found = []
        for method, make in METHODS.items():
            if method == "log ridge" and y.min() <= 0:
                found.append(np.nan)
                continue
            start = time.process_time()
            model = make().fit(X[train], y[train])
            found.append(model.score(X[test], y[test]))
            self.seconds[method] += time.process_time() - start
            if method == "ours":
                curve = model.best_stage_ != "ridge"
        return [*found, curve]


class RawTables(_RawTables):
    """Raw targets of tables on which rules were chosen."""

    title = "Raw targets: tables on which rules were chosen, on other splits"
    names = CHOICE


class KeptRawTables(_RawTables):
    """Raw targets of tables that chose nothing."""

    title = "Raw targets: tables that chose nothing"
    names = KEPT


class Links(Study):
    """Curves of every kind, by rows."""

    title = "Quadratic forms of 20 columns behind a curve"
    note = """R² on 2,000 fresh rows, means of three draws of form and rows, noise of a
    twentieth of the target's standard deviation. Ridge: all 230 monomials, without a
    curve. Paper: a curve through the index of a ridge on y, no rounds. Index: absolute
    correlation of ours with the true form. Seconds: CPU of one fit of ours."""
    curves = {
        "max(t, 0)": lambda t: np.maximum(t, 0),
        "t + t²": lambda t: t + t**2,
        "exp(t)": np.exp,
        "sin(2t)": lambda t: np.sin(2 * t),
        "t + (t³ - 3t) / 2": lambda t: t + 0.5 * (t**3 - 3 * t),
        "t² - 1": lambda t: t**2 - 1,
        "abs(t)": np.abs,
        "t": lambda t: t,
    }

    def run(self):
        """Fit every curve."""
        rows = []
        for n in (800, 2400):
            for name, curve in self.curves.items():
                found = np.mean([self._draw(curve, n, seed) for seed in range(3)], 0)
                rows.append([f"{name}, {n:,} rows", *(f"{v:.3f}" for v in found)])
        columns = [
            "curve",
            "ridge",
            "paper",
            "**ours**",
            "boosting",
            "index",
            "seconds",
        ]
        return {"columns": columns, "rows": rows}

    def _draw(self, curve, n, seed):
        rng = np.random.default_rng(100 + seed)
        X = rng.standard_normal((n + 2000, 20))
        A = rng.standard_normal((20, 20))
        A = A + A.T
        p = np.einsum("ij,jk,ik->i", X, A, X) - np.trace(A)
        p /= np.sqrt(2 * (A**2).sum())
        y = curve(p)
        y = y + 0.05 * y.std() * rng.standard_normal(len(y))
        train, test = slice(n), slice(n, None)
        start = time.process_time()
        model = HierarchicalPolynomialRegressor().fit(X[train], y[train])
        seconds = time.process_time() - start
        others = (
            HierarchicalPolynomialRegressor(2, max_iter=0, min_gain=0.999),
            _Paper(),
            HistGradientBoostingRegressor(random_state=0),
        )
        scores = [
            other.fit(X[train], y[train]).score(X[test], y[test]) for other in others
        ]
        index = abs(np.corrcoef(model.index(X[test]), p[test])[0, 1])
        own = model.score(X[test], y[test])
        return scores[0], scores[1], own, scores[2], index, seconds


class _Paper:
    """A curve through the index of a ridge on the target."""

    def fit(self, X, y):
        from sklearn_ext.networks._hierarchical._model import Monomials
        from sklearn_ext.networks._hierarchical._single_index import (
            Problem,
            WholeRows,
            fit_link,
        )

        rows = WholeRows.of(X, y, np.ones(len(y)))
        self.features = Monomials.of(rows.X, rows.share, 2)
        (self.stage,) = Problem(rows, self.features, None, 20, False)._ridges(
            rows.y[:, None]
        )
        self.link, _ = fit_link(self.stage.index, rows.y, rows.w, 20)
        self.rows = rows
        return self

    def score(self, X, y):
        t = self.features(X) @ self.stage.coef + self.stage.intercept
        said = self.rows.center + self.rows.scale * self.link(t)
        return 1 - np.mean((y - said) ** 2) / y.var()


BENCHMARKS = [RawTables, KeptRawTables, Links]
