"""Linear models drawn from a Rashomon set."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._validation import check_weights
from sklearn_ext.rashomon._linear._sparse_rows import make_rows
from sklearn_ext.rashomon._ratio import PathMixin

ROWS = {"accept_sparse": ("csr", "csc"), "dtype": np.float64}


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


@dataclass(frozen=True)
class Coordinates:
    """Columns that are centred and scaled, and perhaps a constant.

    Parameters
    ----------
    centre : ndarray of shape (n_features,)
        What is taken off each column.
    unit : ndarray of shape (n_features,)
        What each column is then multiplied by, and each coefficient too.
    constant : bool
        Whether a column of ones follows.
    """

    centre: np.ndarray
    unit: np.ndarray
    constant: bool

    def rows(self, X, sign=None):
        """Map rows of features, times a sign of each row."""
        scale = 1 / self.unit
        return make_rows(X, self.centre, scale, sign=sign, constant=self.constant)

    def members(self, points):
        """Map points to models of the features as they were given."""
        coef = points[:, : len(self.unit)] * self.unit
        intercept = points[:, -1] if self.constant else np.zeros(len(points))
        return LinearMembers(coef, intercept - coef @ self.centre)


class TwoClassMixin(PathMixin, ClassifierMixin):
    """Predictions of two classes from ``decision_function`` and ``members_``."""

    _takes_sparse = True

    def predict(self, X):
        """Predict the class with the positive decision.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        second = self.decision_function(X) > 0
        return self.classes_[second.astype(int)]

    def member_predictions(self, X):
        """Predict with every stored member.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples)
            Class labels.
        """
        X = self._checked(X)
        return self.classes_[(self.members_.decision(X) > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _checked(self, X):
        """Validate rows that a fitted model is asked about."""
        check_is_fitted(self)
        return validate_data(self, X, reset=False, **ROWS)

    def _checked_table(self, X, y, sample_weight):
        """Validate what ``fit`` is given; rows without weight are dropped.

        Returns
        -------
        X : ndarray or sparse array of shape (n_kept, n_features)
            Rows in float64.
        label : ndarray of int, shape (n_kept,)
            Zero or one.
        weight : ndarray of shape (n_kept,)
            Positive weights.
        """
        X, y = validate_data(self, X, y, **ROWS)
        check_classification_targets(y)
        weight = check_weights(sample_weight, X, dtype=np.float64)
        kept = weight > 0
        classes, label = np.unique(y[kept], return_inverse=True)
        if len(classes) == 1:
            raise ValueError(
                f"{type(self).__name__} needs two classes with positive weight, got "
                "one class."
            )
        if len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}."
            )
        self.classes_ = classes
        return X[kept], label, weight[kept]
