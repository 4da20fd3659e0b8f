"""Weights of classes, from the estimators' ``class_weight``."""

import numpy as np

from sklearn_ext._numerics._classes import class_factors


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
    factor = class_factors(class_weight, classes, np.bincount(label, weight), zero=True)
    weight = scaled_weights(weight, factor[label])
    if not np.bincount(label, weight).all():
        raise ValueError(
            "class_weight must leave both classes with positive weight, got "
            f"{class_weight}."
        )
    return weight
