"""A comparison of two heads, and a classifier that notes its rows."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_ext.probes import LogisticProbe, NaiveBayesProbe, TwoRegimes

SEEN = []


class Recorder(ClassifierMixin, BaseEstimator):
    """Notes which rows it gets; the first column is their number."""

    def __init__(self, name="a"):
        self.name = name

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        weight = None if sample_weight is None else np.array(sample_weight)
        SEEN.append((self.name, "fit", np.array(X)[:, 0].astype(int), y, weight))
        return self

    def predict(self, X):
        SEEN.append((self.name, "predict", np.array(X)[:, 0].astype(int), None, None))
        return np.full(len(X), self.classes_[0])


def pair(**params):
    two = {"one": NaiveBayesProbe(), "two": LogisticProbe()}
    defaults = {"n_repeats": 3, "train_sizes": [40, 100, 400], "random_state": 0}
    return TwoRegimes(two, **{**defaults, **params})
