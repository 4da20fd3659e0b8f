"""Fits and predictions of one candidate on the folds of a cross-validation."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from sklearn_ext._core._compat import _safe_indexing


def cross_validated(estimator, X, y, splits, scoring, error_score, params):
    """Score one candidate on all folds; keep the models, or the error."""
    try:
        return cross_validate(
            estimator,
            X,
            y,
            scoring=scoring,
            cv=splits,
            params=params or None,
            error_score=error_score,
            return_estimator=True,
        )
    except ValueError as error:
        if error_score == "raise":
            raise
        failed = np.full(len(splits), error_score, dtype=float)
        times = np.zeros(len(splits))
        return {"test_score": failed, "fit_time": times, "error": error}


def out_of_fold(result, X, splits):
    """Predictions for the rows of each test fold by the model that missed them."""
    out = None
    for model, (_, test) in zip(result["estimator"], splits, strict=True):
        said = model.predict(_safe_indexing(X, test))
        if out is None:
            n = X.shape[0]
            kind = float if said.dtype.kind == "f" else said.dtype
            out = np.zeros(n, dtype=kind)
            if said.dtype.kind == "f":
                out[:] = np.nan
        out[test] = said
    return out


def fitted(estimator, X, y, params):
    """Fit a clone to all rows."""
    return clone(estimator).fit(X, y, **params)
