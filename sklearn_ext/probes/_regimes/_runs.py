"""One repeat of a learning curve: fit every estimator to growing prefixes."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_ext._core._compat import _check_method_params, _safe_indexing
from sklearn_ext.probes._rivals import majority


@dataclass(frozen=True)
class Plan:
    """What all repeats share."""

    estimators: dict
    preprocessor: Any
    scorer: Any
    sizes: np.ndarray
    X: Any
    y: np.ndarray
    X_test: Any  # None where each repeat holds out its own rows
    y_test: np.ndarray | None
    fit_params: dict = field(default_factory=dict)  # by estimator, one value a row
    score_params: dict = field(default_factory=dict)  # one value a row
    weight: np.ndarray | None = None  # of the rows, for the majority


def run_repeat(plan, rows, test=None):
    """Fit and score every estimator on every prefix of the rows.

    Parameters
    ----------
    plan : Plan
        What all repeats share.
    rows : ndarray of int
        Training rows in the order of this repeat.
    test : ndarray of int, default=None
        Its test rows; None where the plan has some of its own.

    Returns
    -------
    scores, times : dict
        By estimator, arrays of shape (n_sizes,): scores on the test rows, and seconds
        to fit (for estimators fitted from sums, of all blocks so far).
    models : dict
        The models of the largest size.
    baseline : ndarray of shape (n_sizes,)
        Scores of the majority class, NaN where the scorer has none for it.
    """
    n_sizes = len(plan.sizes)
    scores = {name: np.empty(n_sizes) for name in plan.estimators}
    times = {name: np.empty(n_sizes) for name in plan.estimators}
    X, y = _safe_indexing(plan.X, rows), plan.y[rows]
    X_test, y_test, score_params = plan.X_test, plan.y_test, plan.score_params
    if test is not None:
        X_test, y_test = _safe_indexing(plan.X, test), plan.y[test]
        score_params = _check_method_params(plan.X, score_params, indices=test)
    params = {
        name: _check_method_params(plan.X, given, indices=rows)
        for name, given in plan.fit_params.items()
    }
    runs = {
        name: _run(estimator, X, y, params[name], plan.preprocessor is None)
        for name, estimator in plan.estimators.items()
    }
    models, baseline = {}, np.empty(n_sizes)
    for i, size in enumerate(plan.sizes):
        Z, Z_test = _safe_indexing(X, slice(0, size)), X_test
        if plan.preprocessor is not None:
            step = make_preprocessor(plan.preprocessor, X).fit(Z, y[:size])
            Z, Z_test = step.transform(Z), step.transform(Z_test)
        for name, run in runs.items():
            try:
                models[name], times[name][i] = run(Z, y[:size])
                scores[name][i] = plan.scorer(
                    models[name], Z_test, y_test, **score_params
                )
            except Exception as error:
                error.add_note(f"TwoRegimes: {name!r} on {size} rows.")
                raise
        w = None if plan.weight is None else plan.weight[rows[:size]]
        model = majority().fit(Z, y[:size], w)
        try:
            baseline[i] = plan.scorer(model, Z_test, y_test, **score_params)
        except Exception:  # a scorer of the user's that asks for what it has not
            baseline[i] = np.nan
    return scores, times, models, baseline


def make_preprocessor(preprocessor, X):
    """Return an unfitted transformer for a name or a transformer."""
    if preprocessor == "minmax":
        return MinMaxScaler()
    if preprocessor == "standard":
        return StandardScaler(with_mean=not sparse.issparse(X))
    return clone(preprocessor)


def adds_up(estimator):
    """Whether fits to growing data can be had from sums."""
    needs_all_rows = getattr(estimator, "temperature", None) == "loo"
    return (
        hasattr(estimator, "_summarize")
        and hasattr(estimator, "_solve")
        and not needs_all_rows
    )


def _run(estimator, X, y, params, raw):
    if raw and adds_up(estimator) and set(params) <= {"sample_weight"}:
        return _Sums(estimator, X, y, params.get("sample_weight"))
    return _Refits(estimator, X, params)


class _Refits:
    """Fit a fresh clone to every prefix."""

    def __init__(self, estimator, X, params):
        self.estimator, self.X, self.params = estimator, X, params

    def __call__(self, Z, y):
        params = _check_method_params(self.X, self.params, indices=np.arange(len(y)))
        model, start = clone(self.estimator), time.perf_counter()
        model.fit(Z, y, **params)
        return model, time.perf_counter() - start


class _Sums:
    """Add the new rows to the sums of the prefix before: one pass in all."""

    def __init__(self, estimator, X, y, weight):
        estimator._validate_params()
        self.estimator, self.X, self.y, self.weight = estimator, X, y, weight
        self.done, self.seconds, self.summary = 0, 0.0, None

    def __call__(self, Z, y):
        start = time.perf_counter()
        new, first = slice(self.done, len(y)), self.summary is None
        if first:
            self.checked = clone(self.estimator)  # knows what later blocks must match
        w = None if self.weight is None else self.weight[new]
        block = self.checked._summarize(
            _safe_indexing(self.X, new), y[new], w, reset=first
        )
        self.summary = block if first else self.summary + block
        self.done = len(y)
        model = clone(self.estimator)
        model.__dict__.update(self.checked.__dict__)
        model._solve(self.summary)
        self.seconds += time.perf_counter() - start
        return model, self.seconds


def long_table(sizes, scores, times):
    """Columns of a table with one row for each estimator, size and repeat."""
    names = list(scores)
    n_sizes, n_repeats = scores[names[0]].shape
    return {
        "estimator": np.repeat(names, n_sizes * n_repeats),
        "train_size": np.tile(np.repeat(sizes, n_repeats), len(names)),
        "repeat": np.tile(np.arange(n_repeats), n_sizes * len(names)),
        "score": np.concatenate([scores[name].ravel() for name in names]),
        "fit_time": np.concatenate([times[name].ravel() for name in names]),
    }
