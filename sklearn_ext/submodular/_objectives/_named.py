"""Objectives that go by a name."""

from sklearn.base import BaseEstimator, clone

from sklearn_ext._core._compat import HasMethods, StrOptions
from sklearn_ext.submodular._objectives._coordinates import (
    Coverage,
    FeatureBased,
    ProbabilisticCoverage,
    SaturatedCoverage,
)
from sklearn_ext.submodular._objectives._facility_location import FacilityLocation
from sklearn_ext.submodular._objectives._pairwise import LogDet

OBJECTIVES = {
    "facility_location": FacilityLocation,
    "coverage": Coverage,
    "feature_based": FeatureBased,
    "saturated_coverage": SaturatedCoverage,
    "probabilistic_coverage": ProbabilisticCoverage,
    "log_det": LogDet,
}
OBJECTIVE = [  # what a parameter of this name may be
    StrOptions(set(OBJECTIVES)),
    HasMethods(["fit_reference", "represent", "gains", "add"]),
]


def make_objective(objective, algorithm="greedy"):
    """Return a fresh objective by name or as a clone, fit for an algorithm.

    Parameters
    ----------
    objective : str or SubmodularObjective
        The user's.
    algorithm : str, default="greedy"
        Dynamic ones need monotone objectives.

    Returns
    -------
    SubmodularObjective
        A new one.
    """
    if isinstance(objective, str):
        return OBJECTIVES[objective]()
    objective = clone(objective)
    if isinstance(objective, BaseEstimator):
        objective._validate_params()
    if not objective.monotone and algorithm != "greedy":
        raise ValueError(
            f"algorithm={algorithm!r} needs a monotone objective, which "
            f"{type(objective).__name__} is not; use algorithm='greedy', which solves "
            "anew after updates."
        )
    return objective
