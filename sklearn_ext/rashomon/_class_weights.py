"""Weights of classes, from the estimators' ``class_weight``."""

import numpy as np


def class_factors(total, classes, class_weight):
    """Return the factor of each class.

    Parameters
    ----------
    total : ndarray of shape (n_classes,)
        Weight of the rows of each class.
    classes : ndarray of shape (n_classes,)
        Class labels.
    class_weight : dict, "balanced" or None
        Factors by label; missing labels have one.

    Returns
    -------
    ndarray of shape (n_classes,)
        Non-negative factors.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        return total.sum() / (len(total) * np.where(total > 0, total, 1.0))
    labels = classes.tolist()
    factor = np.array([float(class_weight.get(label, 1.0)) for label in labels])
    unknown = [label for label in class_weight if label not in labels]
    if unknown and any(label not in class_weight for label in labels):
        raise ValueError(
            f"class_weight names {unknown[0]!r}, which is not one of the classes "
            f"{labels}."
        )
    if not (np.isfinite(factor) & (factor >= 0)).all():
        raise ValueError(
            f"class_weight must hold finite numbers from 0 upwards, got {class_weight}."
        )
    return factor


def scaled_weights(weight, factor):
    """Multiply weights by those of their classes; their sum must not overflow.

    Parameters
    ----------
    weight : ndarray
        Weights of rows.
    factor : ndarray
        Factors, that broadcast with the weights.

    Returns
    -------
    ndarray
        The products.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        weight = weight * factor
        total = weight.sum()
    if not np.isfinite(total):
        raise ValueError(
            "The weights of all rows, times those of their classes, must have a finite "
            f"sum, got {total:g}. Scale sample_weight or class_weight down."
        )
    return weight


def class_weighted(weight, label, classes, class_weight):
    """Multiply weights of rows by those of their classes; no class may vanish.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    label : ndarray of int, shape (n_samples,)
        Places of the rows' classes in ``classes``.
    classes : ndarray of shape (n_classes,)
        Class labels.
    class_weight : dict, "balanced" or None
        As for :func:`class_factors`.

    Returns
    -------
    ndarray of shape (n_samples,)
        The products.
    """
    factor = class_factors(np.bincount(label, weight), classes, class_weight)
    weight = scaled_weights(weight, factor[label])
    if not np.bincount(label, weight).all():
        raise ValueError(
            "class_weight must leave both classes with positive weight, got "
            f"{class_weight}."
        )
    return weight
