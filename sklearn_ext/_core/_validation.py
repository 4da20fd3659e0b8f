"""Checks that several families share, and how users are warned."""

import sys
import warnings
from numbers import Real

import numpy as np

from sklearn_ext._core._compat import (
    _check_n_features,
    _check_sample_weight,
    get_namespace,
)

FLOATS = (np.float64, np.float32)  # dtypes that are kept; others become float64
# packages and modules whose lines say nothing to a user
INSIDE = {"sklearn_ext", "sklearn", "scipy", "joblib", "skorch", "skops"}
INSIDE |= {"functools", "pickle"}  # cached properties, and models that joblib loads


def check_weights(sample_weight, X, *, dtype=None, name="sample_weight"):
    """Check weights of rows: one each, finite, also in sum, non-negative, not all zero.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), scalar or None
        The weights; None means ones.
    X : array-like
        The rows that are weighted.
    dtype : dtype, default=None
        Dtype of the result; None keeps that of floating weights, else float64.
    name : str, default="sample_weight"
        What the caller calls the weights, for the message.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights.
    """
    w = _check_sample_weight(sample_weight, X, dtype=dtype)
    if sample_weight is None:
        return w
    if (low := w.min()) < 0:
        raise ValueError(f"{name} must be non-negative, got a minimum of {low:g}.")
    if not w.any():
        # scikit-learn's words before 1.9, where it does not check this itself
        raise ValueError("Sample weights must contain at least one non-zero number.")
    xp, _ = get_namespace(w)
    with np.errstate(over="ignore"):
        total = float(xp.sum(w))
    if not np.isfinite(total):
        raise ValueError(
            f"{name} must have a finite sum, but overflows {w.dtype} with a largest "
            f"weight of {w.max():g}; divide all weights by a constant."
        )
    return w


def check_tensor(estimator, X, *, reset, allow_nd=False):
    """Check a tensor as `validate_data` checks arrays, wherever it lives.

    Parameters
    ----------
    estimator : estimator
        Whose ``n_features_in_`` is set or compared.
    X : tensor
        The rows.
    reset : bool
        Whether to set the number of features.
    allow_nd : bool, default=False
        Whether rows may have more than one dimension.
    """
    if 0 in X.shape or X.ndim < 2 or (X.ndim > 2 and not allow_nd):
        least = "at least " if allow_nd else ""
        raise ValueError(
            f"Expected {least}2D array with at least one row and one feature, got "
            f"shape {tuple(X.shape)}. Reshape the tensor to (n_samples, n_features)."
        )
    if not bool(X.isfinite().all()):
        raise ValueError("Input X contains NaN or infinity.")
    _check_n_features(estimator, X, reset=reset)


def check_level(confidence_level):
    """Refuse a ``confidence_level`` that is no number between 0 and 1.

    Parameters
    ----------
    confidence_level : float
        As the user gave it to a method or function.
    """
    if not (isinstance(confidence_level, Real) and 0 < confidence_level < 1):
        raise ValueError(
            f"confidence_level must lie between 0 and 1, got {confidence_level!r}."
        )


def warn(message, category=UserWarning):
    """Warn at the innermost line outside these packages.

    A fixed ``stacklevel`` cannot: fits are reached through ``fit``, ``partial_fit``,
    ``fit_blocks``, a Pipeline or a search.

    Parameters
    ----------
    message : str
        What is said.
    category : type, default=UserWarning
        Class of the warning.
    """
    frame, level = sys._getframe(1), 2
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if name.partition(".")[0] not in INSIDE:
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
