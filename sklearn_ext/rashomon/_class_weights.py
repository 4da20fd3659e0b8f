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
