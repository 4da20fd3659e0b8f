"""Rashomon sets: how many models are nearly as good as the best one."""

from sklearn_ext.rashomon._candidates import similar_performance
from sklearn_ext.rashomon._curve import rashomon_curve, rashomon_elbow
from sklearn_ext.rashomon._intervals import clopper_pearson
from sklearn_ext.rashomon._linear_classifier import RashomonLinearClassifier
from sklearn_ext.rashomon._logistic import RashomonLogisticRegression
from sklearn_ext.rashomon._metrics import (
    ambiguity,
    discrepancy,
    pairwise_disagreement,
    pattern_diversity,
    prediction_range,
    rashomon_capacity,
)
from sklearn_ext.rashomon._multiplicity_plots import (
    MultiplicityCurveDisplay,
    MultiplicityDisplay,
)
from sklearn_ext.rashomon._plots import RashomonCurveDisplay, RashomonRatioDisplay
from sklearn_ext.rashomon._range_plots import (
    CoefficientRangeDisplay,
    VariableImportanceCloudDisplay,
)
from sklearn_ext.rashomon._ridge import RashomonRidge
from sklearn_ext.rashomon._search import RashomonSearchCV
from sklearn_ext.rashomon._theory import (
    cover_count,
    existence_probability,
    log_ellipsoid_volume,
    required_log_ratio,
    simple_model_bound,
)
from sklearn_ext.rashomon._trees._classifier import RashomonTreeClassifier

__all__ = [
    "CoefficientRangeDisplay",
    "MultiplicityCurveDisplay",
    "MultiplicityDisplay",
    "RashomonCurveDisplay",
    "RashomonLinearClassifier",
    "RashomonLogisticRegression",
    "RashomonRatioDisplay",
    "RashomonRidge",
    "RashomonSearchCV",
    "RashomonTreeClassifier",
    "VariableImportanceCloudDisplay",
    "ambiguity",
    "clopper_pearson",
    "cover_count",
    "discrepancy",
    "existence_probability",
    "log_ellipsoid_volume",
    "pairwise_disagreement",
    "pattern_diversity",
    "prediction_range",
    "rashomon_capacity",
    "rashomon_curve",
    "rashomon_elbow",
    "required_log_ratio",
    "similar_performance",
    "simple_model_bound",
]
