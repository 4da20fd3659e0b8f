"""Class labels or replicated proportions as one table of targets."""

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._classes import places_of


def class_targets(estimator, y):
    """Return the classes and (n_samples, n_classes) targets that sum to one.

    ``y`` holds class labels, or proportions in the order of ``estimator.classes``.
    """
    name, classes = type(estimator).__name__, estimator.classes
    if y.ndim == 2 and y.shape[1] > 1:
        found, targets = _proportions(y, classes, name)
    else:
        y = column_or_1d(y, warn=True)
        if type_of_target(y) == "continuous":
            raise ValueError(
                "Unknown label type: continuous. Class labels are expected; "
                "proportions p of the second of two classes go in two columns, "
                "y=np.column_stack([1 - p, p]), with classes= naming both."
            )
        check_classification_targets(y)
        found, codes = np.unique(y, return_inverse=True)
        if classes is not None:
            found = _sorted_classes(classes)
            codes = places_of(y, found, advice="classes= must name all")
        if len(found) == 1:
            raise ValueError(f"{name} needs at least two classes, got one class.")
        targets = np.eye(len(found))[codes]
    if (absent := targets.max(axis=0) == 0).any():
        warn(
            f"No bag holds the class {found[absent].tolist()}: it will hardly be "
            "predicted.",
        )
    return found, targets


def class_shares(y, found, named):
    """Return what a fitted classifier is compared with, in the order of its classes.

    ``y`` holds labels out of ``found``, or proportions in the order of ``named``.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        return y if named is None else y[:, np.argsort(np.asarray(named))]
    y = column_or_1d(y)
    return np.eye(len(found))[places_of(y, found)]


def _sorted_classes(classes):
    classes = np.asarray(classes)
    if len(classes) < 2 or len(np.unique(classes)) < len(classes):
        raise ValueError("classes must name at least two different classes.")
    return np.sort(classes)


def _proportions(y, classes, name):
    if classes is None:
        raise ValueError(
            f"{name} got proportions of {y.shape[1]} classes but no names for them: "
            "pass classes=, in the order of the columns."
        )
    y = check_array(y, dtype=float)
    ordered = _sorted_classes(classes)
    if len(ordered) != y.shape[1]:
        raise ValueError(
            f"classes names {len(ordered)} classes but y has {y.shape[1]} columns."
        )
    if y.min() < 0 or np.abs(y.sum(axis=1) - 1).max() > 1e-6:
        raise ValueError(
            "Each row of proportions must be non-negative and sum to 1 (within 1e-6), "
            f"got a minimum of {y.min():g} and sums from {y.sum(axis=1).min():g} to "
            f"{y.sum(axis=1).max():g}."
        )
    return ordered, y[:, np.argsort(np.asarray(classes))]
