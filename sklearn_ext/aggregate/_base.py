"""What the estimators of the family share: bags as metadata, scores at bag level."""

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._compat import _safe_indexing
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext.aggregate._bags._marks import BagMarks, warn_if_cut
from sklearn_ext.aggregate._bags._partition import (
    IN_SCORE,
    Bags,
    bag_values,
    check_bags,
    check_lengths,
    split_missing,
    warn_if_forgotten,
)
from sklearn_ext.aggregate._metrics import bag_log_loss
from sklearn_ext.aggregate._proportions._targets import class_shares, class_targets


class BagMixin:
    """Estimators that take ``bags`` in ``fit`` and ``score`` without being asked."""

    __metadata_request__fit = {"bags": True}
    __metadata_request__score = {"bags": True}

    def _take(self, X, y, bags, sample_weight, *, whole_rows=True, **checks):
        """Validate the data of a fit and mark its bags; targets stand for ``y``."""
        check_lengths(X, y, bags)
        X, y = self._validated(X, y, **checks)
        y = self._targets(y)
        X, y, bags = check_bags(X, y, bags, sample_weight, whole_rows=whole_rows)
        self._marks, self.n_bags_ = BagMarks.of(X, y, bags), len(bags.ids)
        return X, y, bags

    def _validated(self, X, y="no_validation", **checks):
        sparse = "csr" if self._takes_sparse else False
        return validate_data(self, X, y, accept_sparse=sparse, dtype=FLOATS, **checks)

    def _rows(self, X):
        """Validate rows to predict for."""
        check_is_fitted(self)
        return self._validated(X, reset=False)


class BagRegressorMixin(BagMixin, RegressorMixin):
    """Regressors of rows from aggregates of their bags."""

    def _targets(self, y):
        return np.asarray(y, dtype=float)

    def score(self, X, y, bags=None, sample_weight=None):
        """Return R², of bag means against aggregates when ``bags`` is given.

        Without bags ``y`` are responses of rows and the score is the usual one. With
        bags it never rewards predictions that shrink towards the replicated mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Responses, or aggregates replicated on the rows of their bag. Where the
            regressor has ``allow_missing_aggregate``, rows of NaN are left out.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The score.
        """
        if getattr(self, "allow_missing_aggregate", False):
            check_consistent_length(X, y, bags, sample_weight)
            missing = split_missing(y)[1].reshape(len(y), -1).any(axis=1)
            rows = np.flatnonzero(~missing)
            X, y, bags, sample_weight = (
                None if a is None else _safe_indexing(a, rows)
                for a in (X, y, bags, sample_weight)
            )
        if bags is None:
            score = super().score(X, y, sample_weight)
            values = np.asarray(y, dtype=float)
            if not warn_if_forgotten(values, IN_SCORE):
                warn_if_cut(self, X, values)
            return score
        predicted = self.predict(X)
        y = check_array(y, ensure_2d=False, dtype=float, input_name="y")
        check_consistent_length(X, y)
        weights = check_weights(sample_weight, y, dtype=np.float64)
        partition = Bags.of(bags, len(y), weights)
        warn_if_cut(self, X, y, partition)
        means = bag_values(y, partition, getattr(self, "aggregate", "mean"))
        found = partition.means(predicted)
        return r2_score(means, found, sample_weight=partition.sizes)

    def predict_bags(self, X, bags):
        """Predict the aggregate of each bag.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        bags : array-like of shape (n_samples,)
            Labels of the bags.

        Returns
        -------
        ndarray of shape (n_bags,) or (n_bags, n_targets)
            Aggregates, in the sorted order of the labels.
        """
        predicted = self.predict(X)
        partition = Bags.of(bags, len(predicted))
        summed = getattr(self, "aggregate", "mean") == "sum"
        return partition.sums(predicted) if summed else partition.means(predicted)


class BagClassifierMixin(BagMixin, ClassifierMixin):
    """Classifiers of rows from class proportions of their bags."""

    def _targets(self, y):
        self.classes_, targets = class_targets(self, y)
        return targets

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_bag_proportions(self, X, bags):
        """Predict the class proportions of each bag.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        bags : array-like of shape (n_samples,)
            Labels of the bags.

        Returns
        -------
        ndarray of shape (n_bags, n_classes)
            Mean probabilities, in the sorted order of the labels.
        """
        probabilities = self.predict_proba(X)
        return Bags.of(bags, len(probabilities)).means(probabilities)

    def score(self, X, y, bags=None, sample_weight=None):
        """Return the accuracy, or with bags minus the divergence from proportions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Class labels; with bags also proportions, replicated on the rows and with
            columns in the order that ``fit`` takes.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Accuracy of rows without bags, minus :func:`bag_log_loss` with bags.
        """
        if bags is None:
            if np.ndim(y) == 2 and np.shape(y)[1] > 1:
                raise ValueError(
                    "score got proportions but no bags. Pass bags=, or the class of "
                    f"each row. {IN_SCORE}"
                )
            return super().score(X, y, sample_weight)
        shares = class_shares(y, self.classes_, self.classes)
        weights = check_weights(sample_weight, shares, dtype=np.float64)
        partition = Bags.of(bags, len(shares), weights)
        warn_if_cut(self, X, shares, partition)
        return -bag_log_loss(
            shares, self.predict_proba(X), bags=bags, sample_weight=sample_weight
        )
