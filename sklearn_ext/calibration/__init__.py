"""Confidence that means something, and the right to say "I do not know".

In the order in which rows pass:

- ``_nearest``: the nearest rows, exactly or through cells
- ``_opinions``: features of a prediction: own score, nearest rows and how near they
  are, corrupted copies
- ``_inner``: classifiers inside an estimator: their rows, weights and routing
- ``_folds``: folds that keep copies of a row together
- ``_confidence``: the model of correctness, what it says of held-out rows
- ``_correctness``: the probability that a prediction is right, as an estimator, and a
  warning of rows unlike those of training
- ``_selective``: a threshold below which nothing is answered, with a promise
- ``_mixture``: one probability from several classifiers, with a certificate
- ``_metrics``: is it calibrated, does the confidence find the errors; with intervals
- ``_plots``: reliability, and risk against coverage
"""

from sklearn_ext.calibration._confidence import DriftReport
from sklearn_ext.calibration._correctness import CorrectnessCalibratedClassifier
from sklearn_ext.calibration._metrics import (
    area_under_risk_coverage,
    calibration_error,
    calibration_test,
    correctness_auc,
    get_calibration_scorer,
    log_loss_split,
)
from sklearn_ext.calibration._mixture import (
    LogLossMixtureClassifier,
    mixture_regret_bound,
    mixture_weights,
)
from sklearn_ext.calibration._plots import ReliabilityDisplay, RiskCoverageDisplay
from sklearn_ext.calibration._selective import (
    SelectionCurve,
    SelectiveClassifierCV,
    selective_threshold,
)

__all__ = [
    "CorrectnessCalibratedClassifier",
    "DriftReport",
    "LogLossMixtureClassifier",
    "ReliabilityDisplay",
    "RiskCoverageDisplay",
    "SelectionCurve",
    "SelectiveClassifierCV",
    "area_under_risk_coverage",
    "calibration_error",
    "calibration_test",
    "correctness_auc",
    "get_calibration_scorer",
    "log_loss_split",
    "mixture_regret_bound",
    "mixture_weights",
    "selective_threshold",
]
