"""Classifiers that give each class a joint log score."""

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin

BUFFER_BYTES = 8 << 20  # rows scored at a time


class ScoresMixin(ClassifierMixin):
    """Predictions from ``_scores(X)``, log scores of shape (n_samples, n_classes)."""

    def decision_function(self, X):
        """Log scores of the classes, up to a term common to all.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Features.

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
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = self._scores(X).argmax(axis=1)  # NotFittedError before classes_
        return self.classes_[best]

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return log_softmax(self._scores(X))

    def predict_proba(self, X):
        """Probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; rows sum to one.
        """
        return np.exp(self.predict_log_proba(X))


def log_softmax(scores):
    """Normalise joint log scores; classes at minus infinity stay there.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        At least one finite score in each row.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Log probabilities.
    """
    scores = scores - scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def score_rows(form, X, batch_size=None):
    """Score rows in batches, in the floating dtype of the rows.

    Parameters
    ----------
    form : LinearForm or QuadraticForm
        What scores rows.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows.
    batch_size : int, default=None
        Rows scored at a time; None takes as many as fit in the cache.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Joint log scores; float32 for rows in float32 or float16.
    """
    dtype = np.float64 if X.dtype == np.float64 else np.float32
    if sparse.issparse(X):
        return form.scores_sparse(X).astype(dtype, copy=False)
    n, d = X.shape
    batch_size = batch_size or max(256, BUFFER_BYTES // (8 * d))
    form = form.in_dtype(dtype)
    scores = np.empty((n, len(form.intercept)), dtype)
    for start in range(0, n, batch_size):
        part = slice(start, start + batch_size)
        scores[part] = form.scores(X[part])
    return scores
