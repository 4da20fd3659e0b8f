"""Probes: cheap classifiers on frozen features, and which of them to take."""

from sklearn_ext.probes._discriminant import ShrinkageDiscriminantProbe
from sklearn_ext.probes._frozen_features import FrozenFeatures
from sklearn_ext.probes._naive_bayes import NaiveBayesProbe
from sklearn_ext.probes._naive_bayes_statistics import NaiveBayesStatistics

__all__ = [
    "FrozenFeatures",
    "NaiveBayesProbe",
    "NaiveBayesStatistics",
    "ShrinkageDiscriminantProbe",
]
