"""What linear classifiers share: rows checked and encoded, scores, predictions."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from sklearn_ext._core._scores import ScoresMixin
from sklearn_ext._core._validation import FLOATS, check_weights, warn
from sklearn_ext._numerics._arrays import is_tensor, single
from sklearn_ext._numerics._classes import Labelled, check_squares, places_of


def labelled(
    estimator, X, y, sample_weight, class_weight=None, *, reset=True, alone=False
) -> Labelled:
    """Check rows, labels and weights; rows without weight are as good as absent.

    ``alone`` lets rows of one class pass, as a block of a stream may hold.
    """
    X, y = check_rows(estimator, X, y, reset=reset)
    check_classification_targets(y)
    weight = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
    user = type(estimator).__name__
    return Labelled.of(X, y, weight, class_weight, user=user, alone=alone)


def check_rows(estimator, X, y="no_validation", *, reset=False):
    """Check rows, and labels if given, on the host; finite, with finite squares."""
    X, y = (v.detach().cpu().numpy() if is_tensor(v) else v for v in (X, y))
    form = "csr" if get_tags(estimator).input_tags.sparse else False
    checked = validate_data(
        estimator, X, y, reset=reset, accept_sparse=form, dtype=FLOATS
    )
    if not isinstance(y, str):
        check_squares(checked[0])
    return checked


def codes_of(estimator, X, y):
    """Return the code of each label; all must be known to the fitted estimator."""
    y = column_or_1d(y.detach().cpu().numpy() if is_tensor(y) else y)
    if len(y) != X.shape[0]:
        raise ValueError(f"y has {len(y)} labels for the {X.shape[0]} rows of X.")
    return places_of(y, estimator.classes_, advice="the model was not fitted with them")


def linear_scores(X, coef, intercept):
    """Score rows with one column a class; one row of coefficients scores the second."""
    scores = X @ coef.T + intercept
    if scores.shape[1] == 1:
        return np.column_stack([np.zeros_like(scores), scores])
    return scores


class LinearClassifierMixin(ScoresMixin):
    """Predictions from ``coef_`` and ``intercept_``, as in scikit-learn."""

    _takes_sparse = True

    def _scores(self, X):
        check_is_fitted(self)
        return linear_scores(check_rows(self, X), self.coef_, self.intercept_)


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
        warn(
            f"{name}: at C=inf the classes are separated without error, so the optimum "
            "is at infinity; use separability(X, y), or choose a finite C.",
            ConvergenceWarning,
        )
    elif not converged:
        warn(
            f"{name} did not converge in max_iter={max_iter} iterations. Increase "
            "max_iter or tol, lower C, or scale the features.",
            ConvergenceWarning,
        )
