"""Probes: cheap classifiers on frozen features, and which of them to take."""

from sklearn_ext.probes._data import make_gaussian_probe_data
from sklearn_ext.probes._diagnostics import probe_diagnostics
from sklearn_ext.probes._diagnostics_plots import ProbeDiagnosticsDisplay
from sklearn_ext.probes._discriminant import ShrinkageDiscriminantProbe
from sklearn_ext.probes._frozen_features import FrozenFeatures
from sklearn_ext.probes._naive_bayes import NaiveBayesProbe
from sklearn_ext.probes._naive_bayes_statistics import NaiveBayesStatistics
from sklearn_ext.probes._theory import h_consistency_bound, h_consistency_transform

__all__ = [
    "FrozenFeatures",
    "NaiveBayesProbe",
    "NaiveBayesStatistics",
    "ProbeDiagnosticsDisplay",
    "ShrinkageDiscriminantProbe",
    "h_consistency_bound",
    "h_consistency_transform",
    "make_gaussian_probe_data",
    "probe_diagnostics",
]
