"""What TwoRegimes is given, checked: test rows, weights, which head is refitted."""

import numpy as np
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
)

from sklearn_ext._core._validation import check_weights as check_any_weights


def check_test(X_test, y_test, classes):
    """Return the labels of test rows that the user gave."""
    if X_test is None or y_test is None:
        raise ValueError("X_test and y_test go together, got only one of them.")
    y_test = column_or_1d(y_test, warn=True)
    check_consistent_length(X_test, y_test)
    unknown = np.setdiff1d(y_test, classes)
    if len(unknown):
        raise ValueError(f"y_test holds labels that y lacks: {unknown.tolist()}.")
    return y_test


def check_refit(refit, estimators):
    """Check that ``refit`` names one of the rivals."""
    if refit and refit is not True and refit not in {"recommended", *estimators}:
        raise ValueError(
            f"refit={refit!r} names no estimator; known: {list(estimators)}, or "
            "'recommended', or False."
        )


def check_weights(weight, X):
    """Return weights, and which rows have any."""
    weight = check_any_weights(weight, X, dtype=np.float64)
    return weight, np.flatnonzero(weight)
