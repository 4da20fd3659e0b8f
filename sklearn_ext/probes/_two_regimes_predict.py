"""Predictions that TwoRegimes leaves to the estimator it recommends."""

from sklearn.dummy import DummyClassifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data


def _delegates(method):
    """Say whether ``method`` of the recommended estimator can be called."""

    def check(self):
        if hasattr(self, "estimator_"):
            getattr(self.estimator_, method)
        elif not self.refit:
            raise AttributeError(
                f"{method} needs a refitted estimator, but refit={self.refit!r}."
            )
        else:
            for estimator in self._rivals().values():
                getattr(estimator, method)
        return True

    return available_if(check)


class PredictsByEstimator:
    """The methods that ``estimator_`` has, once it is there; else its candidates."""

    def _answer(self, method, X):
        check_is_fitted(self)
        is_majority = isinstance(self.estimator_, DummyClassifier)
        if is_majority and hasattr(self, "n_features_in_"):  # it never looks at X
            finite = not get_tags(self).input_tags.allow_nan
            validate_data(
                self,
                X,
                reset=False,
                dtype=None,
                accept_sparse=True,
                ensure_all_finite=finite,
            )
        return getattr(self.estimator_, method)(X)

    @_delegates("predict")
    def predict(self, X):
        """Predict with the refitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        return self._answer("predict", X)

    @_delegates("predict_proba")
    def predict_proba(self, X):
        """Return the probabilities of the refitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        return self._answer("predict_proba", X)

    @_delegates("decision_function")
    def decision_function(self, X):
        """Return the scores of the refitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores, one column for two classes.
        """
        return self._answer("decision_function", X)
