"""What linear classifiers share: rows checked and encoded, scores, predictions."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import is_tensor, single, to_device


@dataclass(frozen=True)
class Labelled:
    """Rows of positive weight with the codes of their classes."""

    X: Any  # array or CSR matrix
    y: np.ndarray  # (n_samples,), codes
    weight: np.ndarray  # (n_samples,), float64, positive
    classes: np.ndarray

    def on(self, device):
        """Return the rows on a torch device, or where they are."""
        if device is not None and sparse.issparse(self.X):
            raise TypeError(
                f"Sparse rows are computed on the host only, got device={device!r}. "
                "Choose device=None or pass dense rows."
            )
        return to_device(self.X, device)

    def take(self, rows):
        """Return some rows, without the classes that none of them has."""
        kept, codes = np.unique(self.y[rows], return_inverse=True)
        return Labelled(self.X[rows], codes, self.weight[rows], self.classes[kept])


def labelled(
    estimator, X, y, sample_weight, class_weight=None, *, reset=True, alone=False
) -> Labelled:
    """Check rows, labels and weights; rows without weight are as good as absent.

    ``alone`` lets rows of one class pass, as a block of a stream may hold.
    """
    X, y = check_rows(estimator, X, y, reset=reset)
    check_classification_targets(y)
    weight = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
    keep = weight > 0
    if not keep.all():
        X, y, weight = X[np.flatnonzero(keep)], y[keep], weight[keep]
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2 and not alone:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes, got one class: "
            f"{classes.tolist()[0]!r}."
        )
    if isinstance(class_weight, str):  # balanced, by the rows' own weights
        count = np.bincount(codes, weight)
        weight = weight * (weight.sum() / (len(classes) * count))[codes]
    elif class_weight is not None:
        each = compute_class_weight(class_weight, classes=classes, y=y)
        weight = weight * each[codes]
        if (weight <= 0).any():
            raise ValueError(
                "class_weight must be positive for every class in y, got "
                f"{class_weight!r}. Leave out rows of classes that are not wanted."
            )
    return Labelled(X, codes, weight, classes)


def check_rows(estimator, X, y="no_validation", *, reset=False):
    """Check rows, and labels if given, on the host; finite, with finite squares."""
    X, y = (v.detach().cpu().numpy() if is_tensor(v) else v for v in (X, y))
    form = "csr" if get_tags(estimator).input_tags.sparse else False
    checked = validate_data(
        estimator, X, y, reset=reset, accept_sparse=form, dtype=FLOATS
    )
    X = checked if isinstance(y, str) else checked[0]
    largest = max(float(X.max()), -float(X.min()))
    if not isinstance(y, str) and largest > np.sqrt(np.finfo(X.dtype).max) / 4:
        raise ValueError(
            f"X holds values as large as {largest:.1e}, whose squares overflow; "
            "scale X."
        )
    return checked


def codes_of(estimator, X, y):
    """Return the code of each label; all must be known to the fitted estimator."""
    y = column_or_1d(y.detach().cpu().numpy() if is_tensor(y) else y)
    if len(y) != X.shape[0]:
        raise ValueError(f"y has {len(y)} labels for the {X.shape[0]} rows of X.")
    known = np.isin(y, estimator.classes_)
    if not known.all():
        new = np.unique(y[~known]).tolist()[:5]
        raise ValueError(
            f"y holds labels that {type(estimator).__name__} was not fitted with: "
            f"{new}. Its classes are {estimator.classes_.tolist()[:10]}."
        )
    return np.searchsorted(estimator.classes_, y)


def linear_scores(X, coef, intercept):
    """Score rows with one column a class; one row of coefficients scores the second."""
    scores = X @ coef.T + intercept
    if scores.shape[1] == 1:
        return np.column_stack([np.zeros_like(scores), scores])
    return scores


class LinearClassifierMixin(ClassifierMixin):
    """Predictions from ``coef_`` and ``intercept_``, as in scikit-learn."""

    def _scores(self, X):
        check_is_fitted(self)
        return linear_scores(check_rows(self, X), self.coef_, self.intercept_)

    def decision_function(self, X):
        """Score the classes, up to a term common to all.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log odds of the second.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X):
        """Predict the label of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = self._scores(X).argmax(axis=1)  # NotFittedError before classes_
        return self.classes_[best]

    def predict_log_proba(self, X):
        """Return the logarithm of the softmax of the scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return log_softmax(self._scores(X), axis=1)

    def predict_proba(self, X):
        """Return the softmax of the scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to one.
        """
        return np.exp(self.predict_log_proba(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def store_solution(estimator, solution, data):
    """Set the attributes of a solution that all linear classifiers have."""
    dtype = np.float32 if single(data.X) else np.float64
    estimator.classes_ = data.classes
    estimator.coef_ = solution.coef.astype(dtype)
    estimator.intercept_ = solution.intercept.astype(dtype)
    estimator.objective_ = solution.objective
    estimator.gap_bound_ = solution.gap_bound


def warn_unless_converged(estimator, converged, unbounded, max_iter):
    """Say what the solver left undone, and what helps."""
    name = type(estimator).__name__
    if unbounded:
        warnings.warn(
            f"{name}: at C=inf the classes are separated without error, so the optimum "
            "is at infinity; use separability(X, y), or choose a finite C.",
            ConvergenceWarning,
            stacklevel=5,  # the caller of fit
        )
    elif not converged:
        warnings.warn(
            f"{name} did not converge in max_iter={max_iter} iterations. Increase "
            "max_iter or tol, lower C, or scale the features.",
            ConvergenceWarning,
            stacklevel=5,  # the caller of fit
        )
