"""Rashomon sets: how many models are nearly as good as the best one.

In the order in which data pass through the rooms:

``_candidates``
    the quick check before a search: do different algorithms perform alike?
``_search``
    the estimator of any candidates: cross-validation, the set, its votes.
``_linear``
    ridge, logistic regression and linear classifiers.
``_trees``
    trees of limited depth.
``_information``
    what a ratio promises for new rows, and bits where no law is exact.
``_class_weights``
    what ``class_weight`` multiplies, for both.
``_ratio``
    the ratio, its interval and its space, as every estimator reports them; numbers
    that are refused.
``_curve``
    risk and ratio along nested spaces.
``_metrics``
    how much the predictions of several models disagree.
``_theory``
    what a ratio says about simple models; volumes and counts.
``_plots``
    the displays.
"""

from sklearn_ext.rashomon._candidates import similar_performance
from sklearn_ext.rashomon._curve import rashomon_curve, rashomon_elbow
from sklearn_ext.rashomon._information._certificates import (
    CertificateResult,
    pac_bayes_bound,
)
from sklearn_ext.rashomon._information._inductive_bias import (
    NetworkSpace,
    inductive_bias,
)
from sklearn_ext.rashomon._information._tree_certificates import thresholds_from
from sklearn_ext.rashomon._linear._classifier import RashomonLinearClassifier
from sklearn_ext.rashomon._linear._logistic import RashomonLogisticRegression
from sklearn_ext.rashomon._linear._ridge import RashomonRidge
from sklearn_ext.rashomon._metrics import (
    ambiguity,
    discrepancy,
    pairwise_disagreement,
    pattern_diversity,
    prediction_range,
    rashomon_capacity,
)
from sklearn_ext.rashomon._plots import (
    CoefficientRangeDisplay,
    MultiplicityCurveDisplay,
    MultiplicityDisplay,
    RashomonCurveDisplay,
    RashomonRatioDisplay,
    VariableImportanceCloudDisplay,
)
from sklearn_ext.rashomon._ratio import clopper_pearson
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
    "CertificateResult",
    "CoefficientRangeDisplay",
    "MultiplicityCurveDisplay",
    "MultiplicityDisplay",
    "NetworkSpace",
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
    "inductive_bias",
    "log_ellipsoid_volume",
    "pac_bayes_bound",
    "pairwise_disagreement",
    "pattern_diversity",
    "prediction_range",
    "rashomon_capacity",
    "rashomon_curve",
    "rashomon_elbow",
    "required_log_ratio",
    "similar_performance",
    "simple_model_bound",
    "thresholds_from",
]
