"""Landmarks of tables with a hundred thousand rows: drawn, or chosen with care."""

import time

import numpy as np
import pandas as pd
from scipy import linalg
from scipy.stats import gmean
from sklearn.cluster import MiniBatchKMeans

from benchmarks.harness import Study
from benchmarks.random_features_data import columns_of
from benchmarks.real_data import load
from sklearn_ext._numerics._random_features import scale_gamma
from sklearn_ext._numerics._ridge import PrimalSpectrum, RidgeMoments
from sklearn_ext.random_features._kernels import Kernel
from sklearn_ext.random_features._maps import whiten_landmarks
from sklearn_ext.random_features._scaling import scaling

N_TRAIN, N_TEST, N_LOO = 100_000, 15_000, 15_000
N_POOL = 10_000  # rows that landmarks are chosen from
BLOCK, WIDER = 32, 4  # pivots at a time, chosen from so many times as many rows
SETS = (
    "acs_employment",
    "flights",
    "diamonds",
    "letter",
    "magic",
    "penbased",
    "apartments",
)


def table(name, n_rows):
    """Return raw columns, categories of half a percent as indicators, and targets."""
    try:
        data = load(name, n_rows=n_rows)
    except ValueError:  # fewer rows than that
        data = load(name)
    kept = data.target.notna().to_numpy()
    frame, y = data.data[kept], data.target[kept].to_numpy()
    numbers = frame.select_dtypes("number")
    categories = frame.select_dtypes(exclude="number").astype(str)
    if categories.shape[1]:
        indicators = pd.get_dummies(categories, dtype=float)
        indicators = indicators.loc[:, indicators.mean() >= 0.005]
        numbers = pd.concat([numbers, indicators], axis=1)
    X = numbers.astype(float).fillna(numbers.median()).to_numpy(np.float64)
    numeric = y.dtype.kind in "fiu" and len(np.unique(y)) > 10
    task = "regression" if numeric else "classification"
    return X[:, X.std(axis=0) > 0], columns_of(y, task)


def drawn(kernel, pool, m, rng):
    """Return rows drawn evenly."""
    return pool[:m]


def centres(kernel, pool, m, rng):
    """Return centres of clusters."""
    clusters = MiniBatchKMeans(
        m, n_init=1, max_iter=20, batch_size=2048, random_state=rng
    )
    return clusters.fit(pool).cluster_centers_


def by_leverage(kernel, pool, m, rng):
    """Return rows drawn by their ridge leverage, at half as many degrees of freedom."""
    Phi = whiten_landmarks(kernel, pool[:m])(pool)
    e, V = np.linalg.eigh(Phi.T @ Phi)
    ridges = np.geomspace(1e-8, 1, 200) * e[-1]
    dof = (np.maximum(e, 0) / (e + ridges[:, None])).sum(axis=1)
    ridge = ridges[np.argmin(np.abs(dof - m / 2))]
    Z, diagonal = Phi @ V, _diagonal(kernel, pool)
    missed = np.maximum(diagonal - np.einsum("ij,ij->i", Phi, Phi), 0) / ridge
    leverage = np.minimum((Z * Z) @ (1 / (e + ridge)) + missed, 1)
    at = rng.choice(len(pool), m, replace=False, p=leverage / leverage.sum())
    return pool[at]


def greedy(kernel, pool, m, rng):
    """Return rows, each chosen where those before explain the kernel least.

    That is Cholesky with pivots, of a kernel matrix of which only the chosen columns
    are formed. A block of pivots is found exactly among the rows that are explained
    least, and then taken out of all rows at once.
    """
    left, F, chosen = _diagonal(kernel, pool), np.empty((m, len(pool))), []
    while (j := len(chosen)) < m:
        near = np.argsort(-left)[: WIDER * BLOCK]
        inside = kernel(pool[near]) - F[:j, near].T @ F[:j, near]
        own, L = _pivots(inside, min(BLOCK, m - j))
        new = near[own]
        columns = kernel(pool, pool[new]).T - F[:j, new].T @ F[:j]
        F[j : j + len(new)] = linalg.solve_triangular(L, columns, lower=True)
        left = left - (F[j : j + len(new)] ** 2).sum(axis=0)
        chosen += new.tolist()
        left[chosen] = 0.0
    return pool[chosen]


def _pivots(K, size):
    """Return pivots of a small matrix in their order, and its factor there."""
    left, F, chosen = np.diagonal(K).copy(), np.empty((size, len(K))), []
    for j in range(size):
        i = int(np.argmax(left))
        F[j] = (K[i] - F[:j, i] @ F[:j]) / np.sqrt(left[i])
        left = left - F[j] ** 2
        left[i] = 0.0
        chosen.append(i)
    return chosen, F[:, chosen].T


def _diagonal(kernel, rows, size=256):
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    return np.concatenate([np.diag(kernel(part)) for part in parts])


class LandmarksOfLargeTables(Study):
    """Test errors by how landmarks were found, at two widths."""

    title = "Landmarks drawn evenly or chosen, up to 100,000 training rows"
    note = """Test mean squared error over the variance of the target (classes as plus
    and minus one) with landmarks of the Laplacian kernel, clipped columns and a ridge
    chosen by leave-one-out; the others over rows *drawn* evenly (``map="landmarks"``),
    from pools of 10,000 rows: *greedy* are pivots of Cholesky, *leverage* draws
    by ridge leverage, *centres* are those of clusters. Means of two splits. The seconds
    are those of the choice, and of all else."""
    methods = {
        "drawn": drawn,
        "greedy": greedy,
        "leverage": by_leverage,
        "centres": centres,
    }
    widths = (128, 512)

    def run(self):
        """Fit by all methods."""
        rows, ratios = [], []
        for name in SETS:
            for width in self.widths:
                n, errors, seconds, rest = self.compared(name, width)
                over = errors[1:] / errors[0]
                ratios.append(over)
                cells = [f"{errors[0]:.4f}", *(f"{value:.3f}" for value in over)]
                times = [f"{seconds[1]:.1f}", f"{rest:.1f}"]
                rows.append([name, str(n), str(width), *cells, *times])
                print(*rows[-1], sep="\t", flush=True)
        means = [f"{value:.3f}" for value in gmean(ratios, axis=0)]
        rows.insert(0, ["geometric mean", "", "", "", *means, "", ""])
        names = [*self.methods, "greedy s", "rest s"]
        return {"columns": ["table", "rows", "width", *names], "rows": rows}

    def compared(self, name, width, n_splits=2):
        """Return training rows, errors and seconds of methods, and other seconds."""
        X, Y = table(name, N_TRAIN + N_TEST)
        m = min(N_TRAIN, int(0.85 * len(X)))
        found = []
        for seed in range(n_splits):
            order = np.random.default_rng(seed).permutation(len(X))
            train, test = order[:m], order[m : m + N_TEST]
            scaler = scaling("clip", X[train], np.ones(m))
            data = scaler(X[train]), Y[train], scaler(X[test]), Y[test]
            found.append(self._compare(width, seed, *data))
        errors, seconds, rest = (
            np.mean(part, axis=0) for part in zip(*found, strict=True)
        )
        return m, errors, seconds, rest

    def _compare(self, width, seed, Z, Y, Z_test, Y_test):
        gamma = 0.3 * scale_gamma(Z, np.ones(len(Z)))
        kernel, pool = Kernel("laplacian", gamma), Z[:N_POOL]
        errors, seconds = [], []
        for choose in self.methods.values():
            start = time.process_time()
            rows = choose(kernel, pool, width, np.random.RandomState(seed))
            chosen = time.process_time()
            errors.append(_error(kernel, rows, Z, Y, Z_test, Y_test))
            seconds.append(chosen - start)
            rest = time.process_time() - chosen
        return np.array(errors) / np.var(Y_test), seconds, rest


def _error(kernel, landmarks, Z, Y, Z_test, Y_test):
    fmap = whiten_landmarks(kernel, landmarks)

    def batches(Z, Y):
        for i in range(0, len(Z), 8192):
            part = Z[i : i + 8192]
            yield fmap(part), Y[i : i + 8192], np.ones(len(part))

    spectrum = PrimalSpectrum.of(RidgeMoments.of_batches(batches(Z, Y)))
    alphas = spectrum.default_alphas().tolist()
    left_out = spectrum.leave_one_out(alphas, batches(Z[:N_LOO], Y[:N_LOO]))
    best = int(np.argmin((left_out**2).mean(axis=(1, 2))))
    return np.mean(spectrum.residuals([alphas[best]], batches(Z_test, Y_test)) ** 2)
