"""Probes: cheap classifiers on frozen features, and which of them to take."""

from sklearn_ext.probes._data import make_gaussian_probe_data
from sklearn_ext.probes._diagnostics import probe_diagnostics
from sklearn_ext.probes._diagnostics_plots import ProbeDiagnosticsDisplay
from sklearn_ext.probes._discriminant import ShrinkageDiscriminantProbe
from sklearn_ext.probes._frozen_features import FrozenFeatures
from sklearn_ext.probes._logistic._path import logistic_probe_path
from sklearn_ext.probes._logistic._probe import LogisticProbe
from sklearn_ext.probes._logistic._probe_cv import LogisticProbeCV
from sklearn_ext.probes._naive_bayes import NaiveBayesProbe
from sklearn_ext.probes._naive_bayes_statistics import NaiveBayesStatistics
from sklearn_ext.probes._regimes_plots import TwoRegimesDisplay
from sklearn_ext.probes._theory import h_consistency_bound, h_consistency_transform
from sklearn_ext.probes._two_regimes import TwoRegimes

__all__ = [
    "FrozenFeatures",
    "LogisticProbe",
    "LogisticProbeCV",
    "NaiveBayesProbe",
    "NaiveBayesStatistics",
    "ProbeDiagnosticsDisplay",
    "ShrinkageDiscriminantProbe",
    "TwoRegimes",
    "TwoRegimesDisplay",
    "h_consistency_bound",
    "h_consistency_transform",
    "logistic_probe_path",
    "make_gaussian_probe_data",
    "probe_diagnostics",
]
