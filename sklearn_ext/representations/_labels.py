"""Which rows have a label: -1 among integers, NaN among numbers, None among objects."""

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
    return column_or_1d(y, warn=True)


def is_labeled(y, unlabeled="auto"):
    """Tell which rows have a label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    unlabeled : object, default="auto"
        ``"auto"``: -1 among integers marks rows without a label if there are at least
        two other labels, NaN does so among numbers, None or any missing value among
        objects. None: all rows have one. Any other value is the mark itself.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        True where there is a label.
    """
    if unlabeled is None:
        return np.ones(len(y), dtype=bool)
    if y.dtype.kind == "f":
        marked = np.isnan(y)
        if not isinstance(unlabeled, str) and not np.isnan(unlabeled):
            marked = y == unlabeled
        return _whole_rows(marked)
    if isinstance(unlabeled, str) and unlabeled == "auto":
        if y.dtype.kind == "i":
            marked = y == UNLABELED
            several = len(np.unique(y[~marked])) > 1
            return _whole_rows(marked) if several else np.ones(len(y), dtype=bool)
        if y.dtype.kind == "O":
            missing = [_is_missing(value) for value in y.ravel()]
            return _whole_rows(np.array(missing, dtype=bool).reshape(y.shape))
        return np.ones(len(y), dtype=bool)
    if y.dtype.kind == "O":
        return np.array([_is_other(value, unlabeled) for value in y], dtype=bool)
    if (y.dtype.kind == "U") != isinstance(unlabeled, str):
        return np.ones(len(y), dtype=bool)
    return y != unlabeled


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
