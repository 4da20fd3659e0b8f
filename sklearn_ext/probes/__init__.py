"""Probes: cheap classifiers on frozen features, and which of them to take.

- ``_features/``: ``FrozenFeatures``, features that a frozen network computes
- ``_gaussian/``: ``NaiveBayesProbe`` and ``ShrinkageDiscriminantProbe``, from sums
- ``_logistic/``: ``LogisticProbe``, its path and the choice of C
- ``_regimes/``: ``TwoRegimes``, which head wins at how many labels
- ``_search/``: ``ProbeSearchCV``, which head is best on the same folds
- ``_rivals``: heads that are compared, the majority class among them; the best predicts
- ``_diagnostics``, ``_diagnostics_plots``: do the features suit naive Bayes?
- ``_collapse``, ``_collapse_plots``: have the features collapsed to a point a class?
- ``_theory``: from log-loss to error
- ``_data``: classes whose best possible error is known
"""

from sklearn_ext.probes._collapse import collapse_diagnostics, collapse_geometry
from sklearn_ext.probes._collapse_plots import CollapseDisplay
from sklearn_ext.probes._data import make_gaussian_probe_data
from sklearn_ext.probes._diagnostics import probe_diagnostics
from sklearn_ext.probes._diagnostics_plots import ProbeDiagnosticsDisplay
from sklearn_ext.probes._features._frozen_features import FrozenFeatures
from sklearn_ext.probes._gaussian._discriminant import ShrinkageDiscriminantProbe
from sklearn_ext.probes._gaussian._naive_bayes import NaiveBayesProbe
from sklearn_ext.probes._gaussian._statistics import NaiveBayesStatistics
from sklearn_ext.probes._logistic._path import logistic_probe_path
from sklearn_ext.probes._logistic._probe import LogisticProbe
from sklearn_ext.probes._logistic._probe_cv import LogisticProbeCV
from sklearn_ext.probes._regimes._plots import TwoRegimesDisplay
from sklearn_ext.probes._regimes._two_regimes import TwoRegimes
from sklearn_ext.probes._search._plots import ProbeSearchDisplay
from sklearn_ext.probes._search._probe_search_cv import ProbeSearchCV
from sklearn_ext.probes._theory import h_consistency_bound, h_consistency_transform

__all__ = [
    "CollapseDisplay",
    "FrozenFeatures",
    "LogisticProbe",
    "LogisticProbeCV",
    "NaiveBayesProbe",
    "NaiveBayesStatistics",
    "ProbeDiagnosticsDisplay",
    "ProbeSearchCV",
    "ProbeSearchDisplay",
    "ShrinkageDiscriminantProbe",
    "TwoRegimes",
    "TwoRegimesDisplay",
    "collapse_diagnostics",
    "collapse_geometry",
    "h_consistency_bound",
    "h_consistency_transform",
    "logistic_probe_path",
    "make_gaussian_probe_data",
    "probe_diagnostics",
]
