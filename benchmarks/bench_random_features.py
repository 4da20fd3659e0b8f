"""Random-feature ridge beside what one would take otherwise.

``python -m benchmarks random_features`` runs everything.
"""

import tracemalloc

import numpy as np
from scipy import linalg
from scipy.optimize import brentq
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
)
from sklearn.metrics import log_loss, r2_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, SVR

from benchmarks.harness import Comparison, Study
from benchmarks.random_features_data import SETS, splits, table
from benchmarks.random_features_filters import FiltersOnTables, LeaveOneOutOverTime
from benchmarks.random_features_landmarks import LandmarksOfLargeTables
from benchmarks.random_features_peers import TunedBoosting, TunedMachines
from benchmarks.random_features_tables import TablesOfClasses, TablesOfNumbers
from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
    RandomFeatures,
    rf_eigenframework,
)


def synthetic(n, d=30, t=10, seed=0):
    """Return rows and targets that are smooth functions of projections, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    Y = np.tanh(X @ rng.standard_normal((d, t)) / 2)
    return X, Y + 0.3 * rng.standard_normal((n, t))


class LeaveOneOut(Comparison):
    """Twenty ridges by leave-one-out on given features."""

    title = "Leave-one-out over 20 ridges, n=4000, k=1000, 10 targets, float64"
    note = "The same features for both; the chosen ridge must agree."
    targets = {"RidgeCV": 7}
    few = {"RidgeCV": 2}
    repeats = 5
    dtype, k = np.float64, 1000

    def setup(self):
        X, self.Y = synthetic(4000)
        Phi = RandomFeatures(n_components=self.k, random_state=0).fit_transform(X)
        self.Phi = Phi.astype(self.dtype)
        self.alphas = np.logspace(-4, 2, 20)

    def time_ours(self):
        model = RandomFeatureRidgeCV(
            alphas=self.alphas, feature_map=FunctionTransformer()
        )
        return model.fit(self.Phi, self.Y)

    def time_RidgeCV(self):
        return RidgeCV(self.alphas).fit(self.Phi, self.Y)

    def quality(self, result):
        return {"alpha": float(result.alpha_)}


class LeaveOneOutSingle(LeaveOneOut):
    title = "The same in float32"
    targets = {"RidgeCV": 12}
    dtype = np.float32


class InfiniteWidth(Comparison):
    """The exact kernel, 20 ridges."""

    title = "Infinite width, n=1000, 10 targets, 20 ridges"
    note = """Ours chooses by leave-one-out, the peer by five folds: the cost of
    choosing is compared, the criteria differ."""
    targets = {"grid_search_KernelRidge": 20}
    few = {"grid_search_KernelRidge": 2}

    def setup(self):
        X, Y = synthetic(2000)
        self.X, self.Y, self.new = X[:1000], Y[:1000], (X[1000:], Y[1000:])
        self.alphas = np.logspace(-4, 2, 20)

    def time_ours(self):
        model = RandomFeatureRidgeCV(
            "infinite", self.alphas, kernel="rbf", gamma=1 / 30, standardize=False
        )
        return model.fit(self.X, self.Y)

    def time_grid_search_KernelRidge(self):
        search = GridSearchCV(
            KernelRidge(kernel="rbf", gamma=1 / 30), {"alpha": self.alphas}, cv=5
        )
        return search.fit(self.X, self.Y)

    def quality(self, result):
        X, Y = self.new
        return {"test R2": float(r2_score(Y, result.predict(X)))}


class FoldsOfOneKernel(Comparison):
    """The strongest way to tune kernel ridge: one decomposition a fold, by hand."""

    title = "Infinite width, five folds, n=1000, 10 targets, 20 ridges"
    note = """The peer decomposes each fold's kernel matrix once, by hand, and reads all
    ridges off it; then it fits once by Cholesky. Ours is beside it with the same five
    folds, and by leave-one-out, which needs a single decomposition."""
    targets = {"eigen_by_hand": 2}

    def setup(self):
        X, Y = synthetic(2000)
        self.X, self.Y, self.new = X[:1000], Y[:1000], (X[1000:], Y[1000:])
        self.alphas = np.logspace(-4, 2, 20)

    def _fit(self, cv):
        model = RandomFeatureRidgeCV(
            "infinite",
            self.alphas,
            kernel="rbf",
            gamma=1 / 30,
            standardize=False,
            cv=cv,
        )
        return model.fit(self.X, self.Y)

    def time_ours(self):
        return self._fit("loo")

    def time_ours_with_five_folds(self):
        return self._fit(KFold(5))

    def time_eigen_by_hand(self):
        K, errors = rbf_kernel(self.X, gamma=1 / 30), np.zeros(20)
        for train, test in KFold(5).split(self.X):
            e, V = linalg.eigh(K[np.ix_(train, train)], driver="evd")
            c, new = V.T @ self.Y[train], K[np.ix_(test, train)] @ V
            for j, alpha in enumerate(self.alphas):
                found = new @ (c / (e + alpha)[:, None])
                errors[j] += np.mean((self.Y[test] - found) ** 2)
        best = self.alphas[errors.argmin()]
        return KernelRidge(best, kernel="rbf", gamma=1 / 30).fit(self.X, self.Y)

    def quality(self, result):
        X, Y = self.new
        alpha = getattr(
            result, "alpha_", result.alpha if hasattr(result, "alpha") else 0
        )
        shown = {"alpha": float(alpha)}
        return shown | {"test R2": f"{r2_score(Y, result.predict(X)):.4f}"}


class TridiagonalRoute(Comparison):
    """What leave-one-out needs of a kernel matrix, without its eigenvectors."""

    title = (
        "Leave-one-out of a kernel matrix by its tridiagonal form, n=1000, 20 ridges"
    )
    note = """Given the centred kernel matrix and 10 targets. Ours decomposes it; the
    route reduces it to tridiagonal form ``T``, forms the rotation ``Q``, and reads
    solutions and leverages of each ridge off factors of ``T``, by recurrences over the
    columns of ``Q``. *Reduction and rotation* are its first two steps alone, which no
    way to leverages of single rows can do without."""
    targets = {"tridiagonal": 1}

    def setup(self):
        X, self.Y = synthetic(1000)
        K = rbf_kernel(X, gamma=1 / 30)
        mean = K.mean(axis=0)
        self.K = K - mean - mean[:, None] + mean.mean()
        self.alphas = np.logspace(-4, 2, 20)

    def time_ours(self):
        e, U = linalg.eigh(self.K, driver="evd", check_finite=False)
        W, c = 1 / (np.maximum(e, 0)[:, None] + self.alphas), U.T @ self.Y
        maps = (W[:, :, None] * c[:, None, :]).reshape(len(e), -1)
        dual = (U @ maps).reshape(len(e), len(self.alphas), -1)
        return dual / ((U * U) @ W)[:, :, None]

    def _reduced(self):
        n, lapack = len(self.K), linalg.lapack
        size = int(lapack.dsytrd_lwork(n, lower=1)[0])
        C, d, e, tau, _ = lapack.dsytrd(self.K, lower=1, lwork=size)
        Q = np.eye(n, order="F")
        Q[1:, 1:] = lapack.dorgqr(np.asfortranarray(C[1:, :-1]), tau, lwork=64 * n)[0]
        return d, e, Q

    def time_reduction_and_rotation(self):
        return self._reduced()[2]

    def time_tridiagonal(self):
        d, e, Q = self._reduced()
        turned, QT = Q.T @ self.Y, np.ascontiguousarray(Q.T)
        duals, own = [], []
        for alpha in self.alphas:
            pivot, lower = _factor(d + alpha, e)
            z = QT[0]
            total = z * z / pivot[0]
            for i in range(1, len(d)):
                z = QT[i] - lower[i - 1] * z
                total += z * z / pivot[i]
            own.append(total)
            bands = np.stack([np.append(0, e), d + alpha])
            duals.append(linalg.solveh_banded(bands, turned, check_finite=False))
        dual = (Q @ np.concatenate(duals, axis=1)).reshape(len(d), len(own), -1)
        return dual / np.stack(own, axis=1)[:, :, None]

    def quality(self, result):
        if result.ndim == 2:
            return {}
        return {"mean squared residual": f"{np.mean(result**2, axis=(0, 2)).min():.6f}"}


def _factor(d, e):
    """Return pivots and multipliers of a symmetric tridiagonal matrix."""
    pivot, lower = d.tolist(), []
    for i, off in enumerate(e.tolist()):
        lower.append(off / pivot[i])
        pivot[i + 1] -= lower[i] * off
    return pivot, lower


class FixedRidge(Comparison):
    title = "One ridge on given features, n=4000, k=1000, 10 targets, float64"
    targets = {"Ridge_cholesky": 1 / 1.1}
    dtype = np.float64

    def setup(self):
        X, self.Y = synthetic(4000)
        Phi = RandomFeatures(n_components=1000, random_state=0).fit_transform(X)
        self.Phi = Phi.astype(self.dtype)

    def time_ours(self):
        model = RandomFeatureRidge(alpha=0.1, feature_map=FunctionTransformer())
        return model.fit(self.Phi, self.Y)

    def time_Ridge_cholesky(self):
        return Ridge(0.1, solver="cholesky").fit(self.Phi, self.Y)


class FixedRidgeSingle(FixedRidge):
    title = "The same in float32"
    targets = {"Ridge_cholesky": 1 / 0.7}
    dtype = np.float32


class Landmarks(Comparison):
    title = "Landmark features, n=4000, 30 columns, 1000 landmarks"
    note = "Cholesky of the landmarks' kernel matrix, where the peer takes an SVD."
    targets = {"Nystroem": 1 / 0.7}

    def setup(self):
        self.X, Y = synthetic(4000)
        self.y = Y[:, 0]
        self.params = {"gamma": 1 / 30, "n_components": 1000, "random_state": 0}

    def time_ours(self):
        features = RandomFeatures("rbf", map="landmarks", **self.params)
        return features.fit_transform(self.X)

    def time_Nystroem(self):
        return Nystroem(**self.params).fit_transform(self.X)

    def quality(self, result):
        fitted = Ridge(0.1).fit(result, self.y).predict(result)
        return {"sum of ridge predictions": f"{np.abs(fitted).sum():.6f}"}


class StructuredWeights(Comparison):
    title = "8192 features of 1024 columns, 4000 rows, float32"
    note = "Transform only; the peer is one matrix product with independent weights."
    targets = {"dense_weights": 1 / 0.4}

    def setup(self):
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((4000, 1024)).astype(np.float32)
        make = {"n_components": 8192, "random_state": 0}
        self.fast = RandomFeatures(sampling="structured", **make).fit(self.X)
        self.dense = RandomFeatures(sampling="iid", **make).fit(self.X)

    def time_ours(self):
        return self.fast.transform(self.X)

    def time_dense_weights(self):
        return self.dense.transform(self.X)


class Theory(Comparison):
    title = "Predicted errors at 100 points, 10000 eigenvalues"
    note = """The peer solves the two published equations by nested root finding, at a
    tenth of the points; so its ratio is to be multiplied by ten."""
    repeats = 3
    few = {"nested_roots_10_points": 1}

    def setup(self):
        self.lam = np.arange(1.0, 10_001) ** -1.5
        self.ridge = np.geomspace(1e-3, 10, 100)

    def time_ours(self):
        return rf_eigenframework(self.lam, self.lam**0.5, 256, 1000, self.ridge, 0.5)

    def time_nested_roots_10_points(self):
        return [_nested(self.lam, 256, 1000, ridge) for ridge in self.ridge[::10]]


def _nested(lam, n, k, ridge):
    def gamma_of(kappa):
        def features(log_gamma):
            gamma = np.exp(log_gamma)
            return (lam / (lam + gamma)).sum() + k * kappa / gamma - k

        return np.exp(brentq(features, np.log(kappa) - 1e-9, 20))

    def rows(log_kappa):
        kappa = np.exp(log_kappa)
        gamma = gamma_of(kappa)
        return (lam / (lam + gamma)).sum() + ridge / kappa - n

    return gamma_of(np.exp(brentq(rows, np.log(ridge / n), 10)))


class Streaming(Study):
    """A million rows from a generator."""

    title = "A million rows of 30 columns streamed at 2000 features"
    note = """Blocks of 20000 rows from a generator; memory as counted by tracemalloc,
    the block included, against three matrices of moments and 256 MB."""

    def run(self):
        k, size, n_blocks = 2000, 20_000, 50
        W = np.random.default_rng(0).standard_normal((30, 1))
        model = RandomFeatureRidge(k, random_state=0)
        tracemalloc.start()
        for seed in range(n_blocks):
            X = np.random.default_rng(seed).standard_normal((size, 30))
            model.partial_fit(X, np.tanh(X @ W)[:, 0])
        model.predict(X[:10])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        budget = 3 * 8 * k**2 + 256e6
        columns = ["rows", "peak MB", "budget MB"]
        row = [str(size * n_blocks), f"{peak / 1e6:.0f}", f"{budget / 1e6:.0f}"]
        return {"columns": columns, "rows": [row]}


class Accuracy(Study):
    """Regression and classification on real data, five paired splits."""

    title = "Test error on real data, five paired splits, up to 1000 training rows"
    note = """Regression: 1 - R2; classification: share of errors; mean and standard
    error in percent. Columns and targets are standardised, categories are
    indicators. Peers choose
    among four settings by three-fold grid search: gradient boosting with rate 0.05 or
    0.2 and 7 or 31 leaves; support vectors with C of 1 or 30, kernel ridge and 1024
    Nystroem landmarks (ridge or ridge classifier) with alpha of 0.1 or 1, each with
    gamma of 1 / p or 0.2 / p. Ours choose their ridge by leave-one-out and nothing
    else: 1024 random ReLU features (the defaults), 1024 landmarks of the Laplacian
    kernel, and the ReLU kernel at infinite width."""
    names = tuple(name for name in SETS if name not in ("letter", "satimage"))

    def models(self, task, X):
        return _models(task, X.shape[1])

    def run(self):
        rows, labels = [], []
        for name in self.names:
            X, y, task = table(name)
            if task == "regression":  # support vectors and KernelRidge depend on it
                y = (y - y.mean()) / y.std()
                labels = list(self.models(task, X))
            found = {label: [] for label in labels}
            for train, test in splits(len(X), n_train=1000):
                for label, model in self.models(task, X[train]).items():
                    model.fit(X[train], y[train])
                    found[label].append(100 * (1 - model.score(X[test], y[test])))
            cells = [_cell(np.array(errors)) for errors in found.values()]
            rows.append([f"{name} ({task[0]})", *cells])
        return {"columns": ["data", *labels], "rows": rows}


def _cell(errors):
    if not errors.size:
        return ""
    return f"{errors.mean():.1f} ± {errors.std(ddof=1) / np.sqrt(errors.size):.1f}"


def _models(task, p):
    regression = task == "regression"
    ours = RandomFeatureRidgeCV if regression else RandomFeatureRidgeClassifierCV
    boost = (
        HistGradientBoostingRegressor(random_state=0)
        if regression
        else HistGradientBoostingClassifier(random_state=0)
    )
    vectors, ridge = (SVR(), Ridge()) if regression else (SVC(), RidgeClassifier())
    nystroem = Pipeline(
        [("map", Nystroem(n_components=1024, random_state=0)), ("ridge", ridge)]
    )
    gamma, alpha = [1 / p, 0.2 / p], [0.1, 1.0]
    common = {"standardize": True, "random_state": 0}
    plain = {"kernel": "relu", "map": "random", **common}
    models = {
        "**default**": ours(random_state=0),
        "**random**": ours(**plain),
        "**landmarks**": ours(kernel="laplacian", map="landmarks", **common),
        "**infinite**": ours("infinite", **plain),
        "boosting": _tuned(boost, learning_rate=[0.05, 0.2], max_leaf_nodes=[7, 31]),
        "SVM": _tuned(vectors, C=[1, 30], gamma=gamma),
        "Nystroem": _tuned(nystroem, ridge__alpha=alpha, map__gamma=gamma),
    }
    if regression:
        models["KernelRidge"] = _tuned(
            KernelRidge(kernel="rbf"), alpha=alpha, gamma=gamma
        )
    return models


def _tuned(model, **grid):
    return make_pipeline(StandardScaler(), GridSearchCV(model, grid, cv=3))


class AccuracyOfBestPeers(Accuracy):
    """The same data with peers that get our kernel, our grid, and their own budget."""

    title = "The same with peers at their best"
    note = """Nystroem has our Laplacian kernel with our gamma and 1024 landmarks, its
    ridge (or ridge classifier) chosen by leave-one-out from 31 alphas between 1e-8 and
    100. Boosting has 300 trees at most and stops early, choosing among rates of 0.05 or
    0.1 and 7 or 31 leaves by three folds; beside it its defaults. Ours are the
    landmarks of the table above and random ReLU features."""

    def models(self, task, X):
        regression = task == "regression"
        ours = RandomFeatureRidgeCV if regression else RandomFeatureRidgeClassifierCV
        boosting = (
            HistGradientBoostingRegressor
            if regression
            else HistGradientBoostingClassifier
        )
        tuned = boosting(max_iter=300, early_stopping=True, random_state=0)
        ridge = RidgeCV if regression else RidgeClassifierCV
        varying = (X.std(axis=0) > 0).mean()  # columns that scaling brings to one
        nystroem = Nystroem(
            "laplacian",
            gamma=0.3 / (X.shape[1] * varying),
            n_components=min(1024, len(X)),
            random_state=0,
        )
        common = {"standardize": True, "random_state": 0}
        return {
            "**random**": ours(kernel="relu", map="random", **common),
            "**landmarks**": ours(kernel="laplacian", map="landmarks", **common),
            "Nystroem, our kernel and grid": make_pipeline(
                StandardScaler(), nystroem, ridge(np.logspace(-8, 2, 31))
            ),
            "boosting, 300 trees, early stopping": _tuned(
                tuned, learning_rate=[0.05, 0.1], max_leaf_nodes=[7, 31]
            ),
            "boosting, defaults": boosting(random_state=0),
        }


class Probabilities(Study):
    """Log-loss of probabilities from leave-one-out scores."""

    title = "Log-loss on digits and breast cancer, five paired splits"
    note = """The same ridge classifier; temperatures from leave-one-out scores, or the
    peer's five refits with a sigmoid or isotonic map."""

    def run(self):
        rows = []
        for name, n_train in [
            ("digits", 300),
            ("digits", 1200),
            ("breast_cancer", 300),
        ]:
            X, y, _ = table(name)
            found = []
            for train, test in splits(len(X), n_train=n_train):
                model = RandomFeatureRidgeClassifierCV(
                    kernel="relu", map="random", standardize=True, random_state=0
                )
                model.fit(X[train], y[train])
                losses = [log_loss(y[test], model.predict_proba(X[test]))]
                for method in ("sigmoid", "isotonic"):
                    fixed = RandomFeatureRidgeClassifier(
                        alpha=model.alpha_, standardize=True, random_state=0
                    )
                    peer = CalibratedClassifierCV(fixed, method=method, cv=5)
                    peer.fit(X[train], y[train])
                    losses.append(log_loss(y[test], peer.predict_proba(X[test])))
                found.append(losses)
            found = np.array(found)
            se = found.std(axis=0, ddof=1) / np.sqrt(len(found))
            pairs = zip(found.mean(axis=0), se, strict=True)
            cells = [f"{m:.3f} ± {s:.3f}" for m, s in pairs]
            rows.append([f"{name}, {n_train} rows", *cells])
        columns = ["data", "**ours**", "calibrated, sigmoid", "calibrated, isotonic"]
        return {"columns": columns, "rows": rows}


BENCHMARKS = (
    LeaveOneOut,
    LeaveOneOutSingle,
    InfiniteWidth,
    FoldsOfOneKernel,
    TridiagonalRoute,
    FixedRidge,
    FixedRidgeSingle,
    Landmarks,
    StructuredWeights,
    Theory,
    Streaming,
    Accuracy,
    AccuracyOfBestPeers,
    Probabilities,
    TablesOfNumbers,
    TablesOfClasses,
    TunedBoosting,
    TunedMachines,
    LandmarksOfLargeTables,
    LeaveOneOutOverTime,
    FiltersOnTables,
)
