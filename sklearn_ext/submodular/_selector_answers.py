"""What a fitted selector says about rows."""

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._compat import _safe_indexing
from sklearn_ext._core._validation import check_weights
from sklearn_ext.submodular._rounding import alike
from sklearn_ext.submodular._selector_rows import extent


class SelectorAnswers(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin):
    """Assigns rows to the selected ones."""

    def fit_predict(self, X, y=None, **fit_params):
        """Begin with a table, and return the most similar selected row of each.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Passed to `fit`.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Positions in ``selected_ids_``.
        """
        return self.fit(X, y, **fit_params).labels_

    def predict(self, X):
        """Return the most similar selected row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Positions in ``selected_ids_``.
        """
        check_is_fitted(self)
        _, X = self._more_rows(X)
        return self._nearest(X)

    def transform(self, X):
        """Return similarities to the selected rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_selected)
            Similarities.
        """
        check_is_fitted(self)
        _, X = self._more_rows(X)
        return self._similarities(X).astype(X.dtype, copy=False)

    def score(self, X, y=None, sample_weight=None):
        """Return the mean similarity of rows to their most similar selected row.

        Similarities of two encoders, or at two scales, are not comparable: search such
        parameters by what comes after the selector.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The mean.
        """
        check_is_fitted(self)
        _, X = self._more_rows(X)
        weight = check_weights(sample_weight, X)
        nearest = [S.max(axis=1) for S in self._similarities_by_batch(X)]
        return float(np.average(np.concatenate(nearest), weights=weight))

    def select(self, X):
        """Return the selected rows out of the table that was fitted last.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table that `fit` was given: an array, a data frame, ... After an update
            look up ``selected_ids_`` in your own table instead.

        Returns
        -------
        array-like of shape (n_selected, n_features)
            Its selected rows.
        """
        check_is_fitted(self)
        n = extent(X)
        if self._n_updates or n != self.n_active_:
            raise ValueError(
                f"select takes the table of the last fit, unchanged since: got {n} "
                f"rows where {self.n_active_} are stored, after {self._n_updates} "
                "update(s); look the rows up by their ids, for instance "
                "frame.set_index('id').loc[selector.selected_ids_]."
            )
        return _safe_indexing(X, self.selected_indices_)

    def _similarities(self, X):
        exemplars = self._encoded_exemplars()
        if not exemplars.shape[0]:
            reason = (
                "no active rows to compare with; add some by partial_fit"
                if not self.n_active_
                else "no selected rows to compare with, because forbidden or zero "
                f"weights bar all {self.n_active_} active ones"
            )
            raise ValueError(f"There are {reason}.")
        return self.objective_model_.similarity(X, exemplars)

    def _encoded_exemplars(self):
        return self._Z.take(np.array(self._answer().slots, dtype=np.intp))

    def _similarities_by_batch(self, X, batch_size=16_384):
        for start in range(0, X.shape[0], batch_size):
            yield self._similarities(X[start : start + batch_size])

    def _nearest(self, X):
        nearest = [alike(S).argmax(axis=1) for S in self._similarities_by_batch(X)]
        return np.concatenate(nearest)
