"""What neural collapse says about features, and what it does not."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.harness import Study
from benchmarks.real_data import load
from sklearn_ext.probes import collapse_diagnostics, collapse_geometry

SIZES = 256, 256


def hidden(net, X):
    """Features of the last hidden layer."""
    for W, b in list(zip(net.coefs_, net.intercepts_, strict=True))[:-1]:
        X = np.maximum(X @ W + b, 0)
    return X


def digits():
    """Return MNIST images between zero and one, their digits, and a fixed order."""
    bunch = load("mnist5k")
    X = bunch.data.to_numpy(np.float64) / 255
    return X, bunch.target.to_numpy(int), np.random.default_rng(0).permutation(len(X))


def few_shot(F, y, n_labels=5, n_draws=20):
    """Mean accuracy of logistic regression on a few labels of each class."""
    scores = []
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        chosen = [rng.permutation(np.flatnonzero(y == c))[:n_labels] for c in set(y)]
        taken = np.concatenate(chosen)
        rest = np.setdiff1d(np.arange(len(y)), taken)
        head = LogisticRegression(max_iter=2000).fit(F[taken], y[taken])
        scores.append(head.score(F[rest], y[rest]))
    return np.mean(scores)


class CollapseAndTransfer(Study):
    title = "Collapse on one's own classes, and what the features are worth for others"
    note = """A net of 256 and 256 units is trained on digits 0 to 4 (squared error,
    Adam in batches of 100) with more and more weight decay and epochs; its features
    meet digits 5 to 9. CDNV: class-distance normalised variance, on test rows of the
    source and on the target. Few-shot: logistic regression on five labels of each
    target class, mean of 20 draws."""
    settings = (1e-4, 3), (1e-4, 40), (1e-2, 40), (1e-1, 40), (1.0, 80)

    def run(self):
        X, y, order = digits()
        own = order[y[order] < 5]
        train, test = own[:2000], own[2000:]
        other = order[y[order] >= 5][:1500]
        raw = few_shot(X[other], y[other])
        rows = [["raw pixels", "", "", "", "", "", f"{raw:.3f}"]]
        for alpha, epochs in self.settings:
            net = MLPRegressor(
                hidden_layer_sizes=SIZES,
                alpha=alpha,
                batch_size=100,
                max_iter=epochs,
                random_state=0,
            )
            net.set_params(n_iter_no_change=epochs, tol=0)
            _fit_quietly(net, X[train], np.eye(5)[y[train]])
            accuracy = (net.predict(X[test]).argmax(axis=1) == y[test]).mean()
            source = collapse_diagnostics(hidden(net, X[test]), y[test], n_bootstrap=0)
            F = hidden(net, X[other])
            target = collapse_diagnostics(F, y[other], n_bootstrap=0)
            cells = [source.cdnv, source.nc1, accuracy, target.cdnv]
            shown = [f"{alpha:g}", epochs, *(f"{cell:.3f}" for cell in cells)]
            rows.append([*shown, f"{few_shot(F, y[other]):.3f}"])
        columns = ["decay", "epochs", "source CDNV", "source NC1", "source accuracy"]
        return {"columns": [*columns, "target CDNV", "few-shot"], "rows": rows}


class ImbalancedGeometry(Study):
    title = "Lengths and angles in a plain net with 480 to 30 rows a class"
    note = """Ten digits of MNIST with 480, 353, ... 30 rows; a net of 256 and 256 units
    with biases, 150 epochs, decay 0.1. Slopes of the logarithm of the length on that of
    the count, of class means and of rows of the last layer; the model of
    collapse_geometry without decay has -0.25 and 0.25, and with the decay at which the
    smallest class is a tenth from vanishing, what the first line shows. Cosine: mean
    absolute value of class means. Simplex: mean deviation of centred cosines."""

    def run(self):
        X, y, order = digits()
        counts = np.geomspace(480, 30, 10).round().astype(int)
        train = np.concatenate(
            [order[y[order] == c][:n] for c, n in zip(range(10), counts, strict=True)]
        )
        safe = collapse_geometry(counts, 1e-3, 1e-3).largest_safe_decay
        model = collapse_geometry(counts, 0.9 * safe, 1e-3)
        logs = np.log(counts)
        slopes = [
            np.polyfit(logs, np.log(norms), 1)[0]
            for norms in (model.feature_norms, model.weight_norms)
        ]
        rows = [["model", *(f"{s:+.2f}" for s in slopes), "0", ""]]
        X, y = X[train], y[train]
        options = {"hidden_layer_sizes": SIZES, "alpha": 0.1, "batch_size": 100}
        options |= {"max_iter": 150, "tol": 0, "n_iter_no_change": 150}
        for name, net, target in (
            ("squared error", MLPRegressor(**options, random_state=0), np.eye(10)[y]),
            ("cross-entropy", MLPClassifier(**options, random_state=0), y),
        ):
            _fit_quietly(net, X, target)
            W = net.coefs_[-1].T
            found = collapse_diagnostics(hidden(net, X), y, W, n_bootstrap=0)
            slopes = [
                np.polyfit(logs, np.log(norms), 1)[0]
                for norms in (found.norms, np.linalg.norm(W, axis=1))
            ]
            cells = [f"{s:+.2f}" for s in slopes]
            cells += [f"{found.nc2_orthogonal:.2f}", f"{found.nc2_etf:.2f}"]
            rows.append([name, *cells])
        columns = ["", "slope of features", "slope of weights", "cosine", "simplex"]
        return {"columns": columns, "rows": rows}


def _fit_quietly(net, X, y):
    with warnings.catch_warnings():  # the number of epochs is part of the setting
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(X, y)


BENCHMARKS = CollapseAndTransfer, ImbalancedGeometry
