"""Subsets of rows that represent a table, while its rows come and go.

Rows pass through these rooms:

* ``_selector``, ``_sampler``, ``_feature_selector``: the estimators, each with its
  whole public behaviour; ``_maximize`` and ``_maximizer`` for those who want none
* ``_rows``: checked, encoded, named by ids and stored in slots
* ``_objectives``: made into coordinates by what a set shall be worth
* ``_gains``: what a row adds to a set, on whatever device
* ``_engine``: the algorithms, which see slots and gains alone
* ``_living``: the state of a selector as one object: the table, its sets, its answer
* ``_plots``: displays
"""

from sklearn_ext.submodular._engine._report import Selection
from sklearn_ext.submodular._feature_selector import SubmodularFeatureSelector
from sklearn_ext.submodular._maximize import maximize
from sklearn_ext.submodular._maximizer import DynamicMaximizer
from sklearn_ext.submodular._objectives._check import (
    SubmodularityCheck,
    check_submodular,
)
from sklearn_ext.submodular._objectives._composed import CallableObjective, Mixture
from sklearn_ext.submodular._objectives._coordinates import (
    Coverage,
    FeatureBased,
    ProbabilisticCoverage,
    SaturatedCoverage,
)
from sklearn_ext.submodular._objectives._facility_location import FacilityLocation
from sklearn_ext.submodular._objectives._pairwise import GraphCut, LogDet
from sklearn_ext.submodular._plots import (
    ExemplarDisplay,
    SelectionCurveDisplay,
    UpdateTraceDisplay,
)
from sklearn_ext.submodular._sampler import SubmodularSampler
from sklearn_ext.submodular._selector import DynamicSubmodularSelector

__all__ = [
    "CallableObjective",
    "Coverage",
    "DynamicMaximizer",
    "DynamicSubmodularSelector",
    "ExemplarDisplay",
    "FacilityLocation",
    "FeatureBased",
    "GraphCut",
    "LogDet",
    "Mixture",
    "ProbabilisticCoverage",
    "SaturatedCoverage",
    "Selection",
    "SelectionCurveDisplay",
    "SubmodularFeatureSelector",
    "SubmodularSampler",
    "SubmodularityCheck",
    "UpdateTraceDisplay",
    "check_submodular",
    "maximize",
]
