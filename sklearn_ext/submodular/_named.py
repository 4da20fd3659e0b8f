"""Objectives that go by a name."""

from sklearn_ext.submodular._coordinates import (
    Coverage,
    FeatureBased,
    ProbabilisticCoverage,
    SaturatedCoverage,
)
from sklearn_ext.submodular._facility_location import FacilityLocation
from sklearn_ext.submodular._pairwise import LogDet

OBJECTIVES = {
    "facility_location": FacilityLocation,
    "coverage": Coverage,
    "feature_based": FeatureBased,
    "saturated_coverage": SaturatedCoverage,
    "probabilistic_coverage": ProbabilisticCoverage,
    "log_det": LogDet,
}
