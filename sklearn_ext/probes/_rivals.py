"""Rivals of a comparison, the majority class among them; the winner predicts."""

import numpy as np
from sklearn.base import is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._optional import require
from sklearn_ext._core._validation import check_weights

MAJORITY = "majority class"


def check_labels(y, owner):
    """Return labels as an array, the classes, and the class of each row."""
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        what = "one class" if len(classes) else "0 sample(s)"
        raise ValueError(
            f"{owner} needs at least two classes, got {what}; rows whose "
            "sample_weight is 0 do not count."
        )
    return y, classes, codes


def _delegates(method):
    """Say whether ``method`` of the recommended estimator can be called."""

    def check(self):
        winner = getattr(self, "estimator_", None)
        if winner is None and not getattr(self, "refit", True):
            raise AttributeError(
                f"{method} needs a refitted estimator, but refit={self.refit!r}."
            )
        for model in self._rivals().values() if winner is None else [winner]:
            getattr(model, method)
        return True

    return available_if(check)


class PredictsByWinner:
    """The methods that ``estimator_`` has, once it is there; else its candidates.

    Candidates are what ``_rivals()`` returns, a dict of name to classifier; what was
    measured of them is what ``_columns()`` returns, a dict of name to array.
    """

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

    @property
    def n_features_in_(self):
        """Number of features, where ``estimator_`` knows it."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features, where ``estimator_`` knows them."""
        return self.estimator_.feature_names_in_

    def _checked_rivals(self):
        """Return two classifiers at least, and one that every head has to beat.

        The majority class never looks at X.
        """
        rivals = self._rivals()
        if len(rivals) < 2:
            raise ValueError(
                f"{type(self).__name__} compares at least 2 estimators, got "
                f"{list(rivals)}: add one to the dict."
            )
        if MAJORITY in rivals:
            raise ValueError(
                f"estimators must not use the name {MAJORITY!r}, which is that of the "
                "classifier to beat: choose another."
            )
        for name, estimator in rivals.items():
            can = hasattr(estimator, "fit") and hasattr(estimator, "predict")
            if not can or is_regressor(estimator):
                kind = "the regressor " if can else ""
                raise ValueError(
                    f"estimators[{name!r}] must be a classifier, got "
                    f"{kind}{estimator!r}."
                )
        return {**rivals, MAJORITY: DummyClassifier(strategy="prior")}

    def _check_weights(self, sample_weight, X):
        """Return weights, if every rival will see them."""
        for name, estimator in self._rivals().items():
            if not has_fit_parameter(estimator, "sample_weight"):
                raise ValueError(
                    f"estimators[{name!r}], a {type(estimator).__name__}, takes no "
                    "sample_weight in fit; leave the weights out, or enable metadata "
                    "routing and say who requests them."
                )
        return check_weights(sample_weight, X, dtype=np.float64)

    def results_frame(self, container="pandas"):
        """Return what was measured as a table.

        Parameters
        ----------
        container : {"pandas", "polars"}, default="pandas"
            Library of the table.

        Returns
        -------
        DataFrame
            Of `TwoRegimes` with the columns estimator, train_size, repeat, score and
            fit_time, of `ProbeSearchCV` with those of ``cv_results_``.
        """
        check_is_fitted(self)
        if container not in ("pandas", "polars"):
            raise ValueError(
                f"container must be 'pandas' or 'polars', got {container!r}."
            )
        library = require(container, extra="all", user="results_frame")
        return library.DataFrame(self._columns())

    def _router(self):
        """Return a router that knows what the rivals request."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(**self._rivals(), method_mapping=mapping)

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
                accept_sparse="csr",
                ensure_all_finite=finite,
            )
        return getattr(self.estimator_, method)(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        rivals = [get_tags(rival).input_tags for rival in self._rivals().values()]
        tags.input_tags.sparse = all(rival.sparse for rival in rivals)
        tags.input_tags.allow_nan = all(rival.allow_nan for rival in rivals)
        return tags
