"""Subsets of rows that represent a table, while its rows come and go."""

from sklearn_ext.submodular._check import SubmodularityCheck, check_submodular
from sklearn_ext.submodular._composed import CallableObjective, Mixture
from sklearn_ext.submodular._coordinates import (
    Coverage,
    FeatureBased,
    ProbabilisticCoverage,
    SaturatedCoverage,
)
from sklearn_ext.submodular._facility_location import FacilityLocation
from sklearn_ext.submodular._feature_selector import SubmodularFeatureSelector
from sklearn_ext.submodular._maximize import Selection, maximize
from sklearn_ext.submodular._maximizer import DynamicMaximizer
from sklearn_ext.submodular._pairwise import GraphCut, LogDet
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
