"""Linear models drawn from a Rashomon set."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import validate_data

from sklearn_ext._core._validation import check_weights
from sklearn_ext.rashomon._results import check_slack


@dataclass(frozen=True)
class LinearMember:
    """One linear model.

    Parameters
    ----------
    coef : ndarray of shape (n_features,)
        Coefficients.
    intercept : float
        Intercept.
    """

    coef: np.ndarray
    intercept: float

    def decision(self, X):
        """Value of the model at every row: (n_samples,)."""
        return np.asarray(X @ self.coef) + self.intercept


@dataclass(frozen=True)
class LinearMembers:
    """A sequence of linear models, packed into two arrays.

    A whole number as index gives one :class:`LinearMember`, which is no sequence
    itself; a slice gives fewer members.

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
        if isinstance(key, slice):
            return LinearMembers(self.coef[key], self.intercept[key])
        return LinearMember(self.coef[key], float(self.intercept[key]))

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
    check_slack(estimator.theta, estimator.reference_loss)
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
