"""Linear models drawn from a Rashomon set."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import validate_data

from sklearn_ext._core._validation import check_weights
from sklearn_ext.rashomon._results import check_theta


@dataclass(frozen=True)
class LinearMembers:
    """A collection of linear models.

    Parameters
    ----------
    coef : ndarray of shape (n_members, n_features)
        Coefficients.
    intercept : ndarray of shape (n_members,)
        Intercepts.
    """

    coef: np.ndarray
    intercept: np.ndarray

    def __len__(self):
        return len(self.coef)

    def __getitem__(self, key):
        key = key if isinstance(key, slice) else slice(key, key + 1 or None)
        return LinearMembers(self.coef[key], self.intercept[key])

    def decision(self, X):
        """Value of every model at every row: (n_members, n_samples)."""
        return np.asarray(X @ self.coef.T).T + self.intercept[:, None]


def check_two_classes(estimator, X, y, sample_weight):
    """Validate data of a binary classifier; rows without weight are dropped.

    Parameters
    ----------
    estimator : estimator
        It gets ``classes_`` and the feature attributes.
    X, y, sample_weight : array-like
        As passed to ``fit``.

    Returns
    -------
    X : ndarray of shape (n_kept, n_features)
        Rows in float64.
    label : ndarray of int, shape (n_kept,)
        Zero or one.
    weight : ndarray of shape (n_kept,)
        Positive weights.
    """
    check_theta(estimator.theta)
    X, y = validate_data(estimator, X, y, dtype=np.float64)
    check_classification_targets(y)
    weight = check_weights(sample_weight, X, dtype=np.float64)
    kept = weight > 0
    classes, label = np.unique(y[kept], return_inverse=True)
    if len(classes) == 1:
        raise ValueError(
            f"{type(estimator).__name__} needs two classes with positive weight, got "
            "one class."
        )
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}."
        )
    estimator.classes_ = classes
    return X[kept], label, weight[kept]


def class_factors(label, weight, classes, class_weight):
    """Weight of each row from the weights of the classes."""
    if class_weight is None:
        return 1.0
    if class_weight == "balanced":
        total = np.bincount(label, weight)
        factor = weight.sum() / (len(total) * total)
    else:
        factor = np.array([float(class_weight.get(c, 1.0)) for c in classes.tolist()])
    return factor[label]
