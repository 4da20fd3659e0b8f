"""One repeat of a learning curve: fit every estimator to growing prefixes."""

import time
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_ext._core._compat import _check_method_params, _safe_indexing
from sklearn_ext.probes._rivals import MAJORITY


@dataclass(frozen=True)
class Plan:
    """What all repeats share."""

    estimators: dict  # the majority class among them
    preprocessor: Any
    scorer: Any
    sizes: np.ndarray
    X: Any
    y: np.ndarray
    X_test: Any  # None where each repeat holds out its own rows
    y_test: np.ndarray | None
    fit_params: dict  # by estimator, one value a row
    score_params: dict  # one value a row


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
        By estimator, arrays of shape (n_sizes,): scores on the test rows, NaN where the
        scorer has none for the majority class, and seconds to fit (for estimators
        fitted from sums, of all blocks so far).
    models : dict
        The models of the largest size.
    """
    X, y = _safe_indexing(plan.X, rows), plan.y[rows]
    X_test, y_test, score_params = plan.X_test, plan.y_test, plan.score_params
    if test is not None:
        X_test, y_test = _safe_indexing(plan.X, test), plan.y[test]
        score_params = _check_method_params(plan.X, score_params, indices=test)
    scores = {name: np.empty(len(plan.sizes)) for name in plan.estimators}
    times = {name: np.empty(len(plan.sizes)) for name in plan.estimators}
    models = {}
    sums = {
        name: _Sums(plan.estimators[name]) for name in scores if adds_up(plan, name)
    }
    for i, size in enumerate(plan.sizes):
        Z, Z_test = _safe_indexing(X, slice(0, size)), X_test
        if plan.preprocessor is not None:
            step = make_preprocessor(plan.preprocessor, X).fit(Z, y[:size])
            Z, Z_test = step.transform(Z), step.transform(Z_test)
        for name, given in plan.fit_params.items():
            params = _check_method_params(plan.X, given, indices=rows[:size])
            fresh, start = clone(plan.estimators[name]), time.perf_counter()
            try:
                models[name] = sums.get(name, fresh).fit(Z, y[:size], **params)
                times[name][i] = time.perf_counter() - start
                scores[name][i] = plan.scorer(
                    models[name], Z_test, y_test, **score_params
                )
            except Exception as error:
                if name != MAJORITY:
                    error.add_note(f"TwoRegimes: {name!r} on {size} rows.")
                    raise
                # a scorer of the user's asks for what the majority class has not
                scores[name][i] = np.nan
    times |= {name: times[name].cumsum() for name in sums}
    return scores, times, models


def make_preprocessor(preprocessor, X):
    """Return an unfitted transformer for a name or a transformer."""
    if preprocessor == "minmax":
        return MinMaxScaler()
    if preprocessor == "standard":
        return StandardScaler(with_mean=not sparse.issparse(X))
    return clone(preprocessor)


def adds_up(plan, name):
    """Whether fits to growing data can be had from sums."""
    estimator, given = plan.estimators[name], plan.fit_params[name]
    return (
        plan.preprocessor is None
        and set(given) <= {"sample_weight"}
        and hasattr(estimator, "_summarize")
        and hasattr(estimator, "_solve")
        and getattr(estimator, "temperature", None) != "loo"  # needs all rows at once
    )


class _Sums:
    """Adds the new rows to the sums of the prefix before: one pass in all."""

    def __init__(self, estimator):
        estimator._validate_params()
        self.first, self.done = clone(estimator), 0

    def fit(self, X, y, sample_weight=None):
        """Return a model of a prefix of the rows that is longer than the last one."""
        new, first = slice(self.done, len(y)), self.done == 0
        X, w = _safe_indexing(X, new), sample_weight
        w = None if w is None else w[new]
        block = self.first._summarize(X, y[new], w, reset=first)
        self.done, self.summary = len(y), block if first else self.summary + block
        return copy(self.first)._solve(self.summary)
