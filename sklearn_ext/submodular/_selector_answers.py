"""What a fitted selector says about rows."""

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._compat import _safe_indexing
from sklearn_ext._core._validation import FLOATS, check_weights

DATA = {"accept_sparse": "csr", "dtype": FLOATS}


def extent(X):
    """Return the number of rows of anything that has some.

    Parameters
    ----------
    X : object
        An array, a data frame, a list.

    Returns
    -------
    int
        Number of rows.
    """
    if shape := getattr(X, "shape", None):
        return shape[0]
    return len(X) if hasattr(X, "__len__") and shape is None else 1


def check_rows(selector, X):
    """Check rows that come after fit; plain arrays skip the general machinery.

    Its overhead is a multiple of an update of one row.

    Parameters
    ----------
    selector : DynamicSubmodularSelector
        Fitted.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    {ndarray, sparse array} of shape (n_samples, n_features)
        Rows.
    """
    plain = (
        type(X) is np.ndarray
        and X.dtype in FLOATS
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == selector.n_features_in_
        and not hasattr(selector, "feature_names_in_")
        and np.isfinite(X).all()
    )
    return X if plain else validate_data(selector, X, reset=False, **DATA)


class SelectorAnswers(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin):
    """Assigns rows to the selected ones."""

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
        return self._nearest(check_rows(self, X))

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
        X = check_rows(self, X)
        return self._similarities(X).astype(X.dtype, copy=False)

    def score(self, X, y=None, sample_weight=None):
        """Return the mean similarity of rows to their most similar selected row.

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
        X = check_rows(self, X)
        weight = check_weights(sample_weight, X)
        nearest = [S.max(axis=1) for S in self._similarities_by_batch(X)]
        return float(np.average(np.concatenate(nearest), weights=weight))

    def select(self, X):
        """Return the selected rows out of the table that was fitted last.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The table that `fit` was given: an array, a data frame, ...

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
                "update(s); read exemplars_ instead."
            )
        return _safe_indexing(X, self.selected_indices_)

    def _similarities(self, X):
        exemplars = self.exemplars_
        if not exemplars.shape[0]:
            reason = (
                "no active rows to compare with; add some by partial_fit"
                if not self.n_active_
                else "no selected rows to compare with, because forbidden or zero "
                f"weights bar all {self.n_active_} active ones"
            )
            raise ValueError(f"There are {reason}.")
        return self.objective_model_.similarity(X, exemplars)

    def _similarities_by_batch(self, X, batch_size=16_384):
        for start in range(0, X.shape[0], batch_size):
            yield self._similarities(X[start : start + batch_size])

    def _nearest(self, X):
        nearest = [S.argmax(axis=1) for S in self._similarities_by_batch(X)]
        return np.concatenate(nearest)
