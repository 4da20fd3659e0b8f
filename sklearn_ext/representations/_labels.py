"""Which rows have a label: not -1 among whole numbers, not NaN, not None."""

import numpy as np
from sklearn.utils.validation import check_array, column_or_1d

UNLABELED = -1  # of integer classes, as in scikit-learn's semi-supervised module


def check_target(y, *, numeric, user):
    """Return the target as an array, missing values allowed.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    numeric : bool
        Whether it holds numbers to be predicted, in any number of columns.
    user : str
        Name of the estimator, for the message.

    Returns
    -------
    ndarray
        Numbers in float64, labels as they are.
    """
    if y is None:
        raise ValueError(
            f"{user} requires y to be passed, but the target y is None. Mark rows "
            f"without a label by {'NaN' if numeric else '-1'}."
        )
    if numeric:
        options = {"ensure_2d": False, "ensure_all_finite": "allow-nan"}
        return check_array(y, dtype=np.float64, input_name="y", **options)
    if hasattr(y, "to_list") and not isinstance(y.dtype, np.dtype):  # of a data frame
        values = y.to_list()  # integers stay integers, though some are missing
        y = np.empty(len(values), dtype=object)
        y[:] = values
    return column_or_1d(y, warn=True)


def is_labeled(y, unlabeled="auto", *, numeric=False, minus_one=None):
    """Tell which rows have a label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    unlabeled : object, default="auto"
        ``"auto"``: NaN marks rows without a label among numbers, None or any missing
        value among objects, and where none is missing -1 among whole numbers, if there
        are at least two other labels. None: all rows have one. Any other value is the
        mark itself.
    numeric : bool, default=False
        Whether -1 is a number like any other.
    minus_one : bool or None, default=None
        Whether -1 marks rows whatever the other labels; None looks at them.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        True where there is a label.
    """
    if unlabeled is None:
        return np.ones(len(y), dtype=bool)
    if isinstance(unlabeled, str) and unlabeled == "auto":
        known = _is_known(y)
        if not numeric and known.all():
            return known & ~_is_minus_one(plain(y), minus_one)
        return known
    if y.dtype.kind == "O":
        return np.array([_is_other(value, unlabeled) for value in y], dtype=bool)
    if (y.dtype.kind == "U") != isinstance(unlabeled, str):
        return np.ones(len(y), dtype=bool)
    if y.dtype.kind == "f":
        return _whole_rows(np.isnan(y) if np.isnan(unlabeled) else y == unlabeled)
    return y != unlabeled


def _is_known(y):
    if y.dtype.kind == "f":
        return _whole_rows(np.isnan(y))
    if y.dtype.kind == "O":
        missing = [_is_missing(value) for value in y.ravel()]
        return _whole_rows(np.array(missing, dtype=bool).reshape(y.shape))
    return np.ones(len(y), dtype=bool)


def _is_minus_one(y, marks):
    """Tell where -1 marks rows: among whole numbers, beside two labels."""
    whole = y.dtype.kind == "i" or (y.dtype.kind == "f" and (y == np.rint(y)).all())
    if not whole or marks is False:
        return np.zeros(len(y), dtype=bool)
    found = y == UNLABELED
    if marks is None and len(np.unique(y[~found])) < 2:
        return np.zeros(len(y), dtype=bool)
    return ~_whole_rows(found)


def _whole_rows(marked):
    if marked.ndim == 1:
        return ~marked
    some, every = marked.any(axis=1), marked.all(axis=1)
    if (some & ~every).any():
        first = int(np.flatnonzero(some & ~every)[0])
        raise ValueError(
            "A row without a label has its mark in all outputs, but row "
            f"{first} has it in some of {marked.shape[1]}. Fit one model an output."
        )
    return ~every


def _is_missing(value):
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return bool(value != value)


def _is_other(value, mark):
    if isinstance(mark, float) and np.isnan(mark):
        return not _is_missing(value)
    if value is None or isinstance(value, str) != isinstance(mark, str):
        return True
    return bool(value != mark)


def plain(labels):
    """Return labels that were objects only because some were missing as what they are.

    Parameters
    ----------
    labels : ndarray of shape (n_labeled,)
        Labels, none missing.

    Returns
    -------
    ndarray of shape (n_labeled,)
        Numbers and booleans in their own dtype, texts as objects.
    """
    if labels.dtype.kind != "O":
        return labels
    found = np.array(labels.tolist())
    return found if found.dtype.kind in "iufb" else labels
