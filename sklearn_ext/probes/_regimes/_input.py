"""What TwoRegimes is given, checked: rivals, labels, test rows, weights."""

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    column_or_1d,
    has_fit_parameter,
)


def check_rivals(estimators, refit):
    """Check that there are two classifiers, and that ``refit`` names one of them."""
    if len(estimators) < 2:
        raise ValueError(
            f"TwoRegimes compares at least 2 estimators, got {list(estimators)}: add "
            "one to the dict."
        )
    for name, estimator in estimators.items():
        can = hasattr(estimator, "fit") and hasattr(estimator, "predict")
        if can and is_regressor(estimator):
            raise ValueError(
                f"estimators[{name!r}] must be a classifier, got the regressor "
                f"{estimator!r}."
            )
        if not can:
            raise ValueError(
                f"estimators[{name!r}] must be a classifier, got {estimator!r}."
            )
    if refit and refit is not True and refit not in {"recommended", *estimators}:
        raise ValueError(
            f"refit={refit!r} names no estimator; known: {list(estimators)}, or "
            "'recommended', or False."
        )


def check_labels(y):
    """Return labels as an array, the classes, and the class of each row."""
    if y is None:
        raise ValueError(
            "TwoRegimes requires y to be passed, but the target y is None."
        )
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        what = "one class" if len(classes) else "0 sample(s)"
        raise ValueError(
            f"TwoRegimes needs at least two classes, got {what}; rows whose "
            "sample_weight is 0 do not count."
        )
    return y, classes, codes


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


def check_weighted(weight, X, estimators):
    """Return weights that every estimator will see, and which rows have any."""
    for name, estimator in estimators.items():
        if not has_fit_parameter(estimator, "sample_weight"):
            raise ValueError(
                f"estimators[{name!r}], a {type(estimator).__name__}, takes no "
                "sample_weight in fit; leave the weights out, or enable metadata "
                "routing and say who requests them."
            )
    weight = np.asarray(weight, dtype=float)
    check_consistent_length(X, weight)
    if weight.min(initial=0) < 0:
        raise ValueError(
            f"sample_weight must be non-negative, got a minimum of {weight.min():g}."
        )
    return weight, np.flatnonzero(weight)
