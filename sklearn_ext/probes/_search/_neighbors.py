"""Nearest neighbours as a head: copies of a row are one neighbour that weighs more."""

from numbers import Integral

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._equal_rows import EqualRows

DATA = {"accept_sparse": "csr", "dtype": FLOATS}


class NearestRows(ClassifierMixin, ExtEstimator):
    """Shares of the classes among the nearest distinct rows, and one row of all.

    Beside scikit-learn's, weights are repetition, whatever their scale, and no
    probability is zero: the shares of all rows count as one neighbour more.
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")]
    }

    def __init__(self, n_neighbors=10):
        self.n_neighbors = n_neighbors

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Keep the distinct rows, and what their copies vote for."""
        X, y = validate_data(self, X, y, **DATA)
        check_classification_targets(y)
        weight = check_weights(sample_weight, X, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        rows = EqualRows.of(X, w=weight)
        votes = np.zeros((len(rows), len(self.classes_)))
        kept = rows.group >= 0
        np.add.at(votes, (rows.group[kept], codes[kept]), weight[kept])
        self._votes = votes / rows.weight.mean()
        self._shares = votes.sum(axis=0) / votes.sum()
        n_neighbors = min(self.n_neighbors, len(rows))
        self._index = NearestNeighbors(n_neighbors=n_neighbors).fit(X[rows.first])
        return self

    def predict_proba(self, X):
        """Return the shares of the classes."""
        check_is_fitted(self, "_index")
        X = validate_data(self, X, reset=False, **DATA)
        nearest = self._index.kneighbors(X, return_distance=False)
        votes = self._shares + sum(self._votes[column] for column in nearest.T)
        return votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the class with the largest share."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
