"""What people use for tables, at its best, each on the same raw frames.

``python -m benchmarks.networks_peers METHOD [TABLE ...]`` fits one method to every
split and keeps its figures in ``benchmarks/results/networks_tables.json``, where those
of other methods stay: the slowest needs hours.
"""

import fcntl
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.harness import limited
from benchmarks.networks_tables import N_SPLITS, TABLES, table

STORE = Path(__file__).parent / "results" / "networks_tables.json"


def boosting(data, seed):
    """Make gradient boosting at its defaults, which reads frames as they are."""
    kind = "Regressor" if data.is_regression else "Classifier"
    kinds = {
        "Regressor": HistGradientBoostingRegressor,
        "Classifier": HistGradientBoostingClassifier,
    }
    return kinds[kind](categorical_features="from_dtype", random_state=seed)


def sklearn_mlp(data, seed):
    """Make scikit-learn's perceptron at its defaults, on what it should be given.

    Scaled and imputed numbers with indicators of what was missing, one-hot categories
    whose rare levels share a column, a scaled target.
    """
    numbers = [c for c in data.X if c not in data.categories]
    levels = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False
    )
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        (levels, data.categories),
    )
    if not data.is_regression:
        return make_pipeline(columns, MLPClassifier(random_state=seed))
    net = TransformedTargetRegressor(
        MLPRegressor(random_state=seed), transformer=StandardScaler()
    )
    return make_pipeline(columns, net)


def realmlp(data, seed):
    """Make RealMLP-TD as documented: a fifth of the rows is its own validation set."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    kind = RealMLP_TD_Regressor if data.is_regression else RealMLP_TD_Classifier
    return kind(device="cpu", n_cv=1, random_state=seed, n_threads=1)


def ours(data, seed):
    """Make our networks at their defaults."""
    from sklearn_ext.networks import MuMLPClassifier, MuMLPRegressor

    kind = MuMLPRegressor if data.is_regression else MuMLPClassifier
    return kind(random_state=seed)


METHODS = {
    "ours": ours,
    "HistGradientBoosting": boosting,
    "MLP of scikit-learn": sklearn_mlp,
    "RealMLP-TD": realmlp,
}


def frames(data, train, test, method):
    """Return training and test frames as a method takes them."""
    X, known = data.X.copy(), data.X.iloc[train]
    for c in data.categories:
        if method != "ours":
            levels = sorted(set(known[c].dropna()))  # what else comes is missing
            X[c] = pd.Categorical(X[c].where(X[c].isin(levels)), levels)
        if method == "MLP of scikit-learn":  # its encoder wants strings
            X[c] = X[c].astype(object).where(X[c].notna(), "missing")
    if method == "RealMLP-TD":  # it takes no missing numbers
        numbers = [c for c in X if c not in data.categories]
        X[numbers] = X[numbers].fillna(known[numbers].median())
    return X.iloc[train], X.iloc[test]


def measure(method, data, seed):
    """Fit to the training rows of a split and score on its test rows.

    Parameters
    ----------
    method : str
        A key of ``METHODS``.
    data : Table
        The table.
    seed : int
        The split, and the seed of the method.

    Returns
    -------
    dict
        ``score`` (accuracy or coefficient of determination), ``log_loss`` of classes,
        ``fit`` and ``predict``, CPU seconds, and what our nets say of themselves.
    """
    train, test = data.split(seed)
    X, X_test = frames(data, train, test, method)
    model = METHODS[method](data, seed)
    with warnings.catch_warnings():
        # of epochs that were not enough, of categories that are new, of loggers
        for package in ("sklearn", "pytabkit", "lightning", "pytorch_lightning"):
            warnings.filterwarnings("ignore", module=rf"{package}\.")
        start = time.process_time()
        model.fit(X, data.y[train])
        fitted = time.process_time()
        found = {"fit": fitted - start}
        if data.is_regression:
            predicted = np.ravel(model.predict(X_test))
            found["predict"] = time.process_time() - fitted
            return found | {"score": r2_score(data.y[test], predicted)} | own(model)
        proba = model.predict_proba(X_test)
        found["predict"] = time.process_time() - fitted
    predicted = model.classes_[proba.argmax(axis=1)]
    proba = proba.astype(np.float64)
    proba /= proba.sum(axis=1, keepdims=True)
    seen = np.isin(data.y[test], model.classes_)
    loss = log_loss(data.y[test][seen], proba[seen], labels=model.classes_)
    found |= {"score": accuracy_score(data.y[test], predicted), "log_loss": loss}
    return found | own(model)


def own(model):
    """Return what a fitted net of ours says of itself."""
    names = ("oob_score_", "learning_rate_", "best_iter_", "n_iter_")
    return {name: float(getattr(model, name)) for name in names if hasattr(model, name)}


def stored():
    """Return all figures: by table, method and split."""
    return json.loads(STORE.read_text()) if STORE.exists() else {}


def keep(name, method, split, found):
    """Store the figures of one fit, beside those that others store meanwhile."""
    with open(STORE, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        figures = json.loads(file.read() or "{}")
        digits = {key: float(f"{value:.5g}") for key, value in found.items()}
        figures.setdefault(name, {}).setdefault(method, {})[str(split)] = digits
        order = {name: figures[name] for name in TABLES if name in figures}
        file.truncate(0)  # after this, "a+" writes from the start
        file.write(json.dumps(order, indent=1) + "\n")


def main(method, *names, splits=range(N_SPLITS), again=False):
    """Measure a method on tables, all by default, and keep what was found.

    Parameters
    ----------
    method : str
        A key of ``METHODS``.
    *names : str
        Tables; none means all.
    splits : iterable of int, default=range(N_SPLITS)
        Which splits.
    again : bool, default=False
        Whether to measure what is stored already.
    """
    for name in names or TABLES:
        data = None
        for split in splits:
            if not again and str(split) in stored().get(name, {}).get(method, {}):
                continue
            data = data or table(name)
            with limited(1):
                found = measure(method, data, split)
            keep(name, method, split, found)
            print(name, method, split, found, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
