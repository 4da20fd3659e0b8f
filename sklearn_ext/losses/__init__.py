"""Losses: linear heads for labels that lie, and for the worst case.

In the order in which data pass:

- ``_linear``: rows checked and encoded; scores and predictions of linear classifiers
- ``_row_terms``: loss of a row from the probability of its label; suspects
- ``_robust``: the objective in the worst case; certified radius and accuracy
- ``_comp_sum``: CompSumClassifier, for some wrong labels
- ``_comp_sum_cv``: CompSumClassifierCV chooses the loss, the penalty and the rows
- ``_noise``: noise_report, how many labels are wrong, and whose
- ``_spherical_terms``: spherical losses, their one gradient, sums that add
- ``_spherical``: SphericalClassifier, for thousands of classes
- ``_groups``: WorstGroupClassifier, for the subgroup that fares worst
- ``_separability``: separability, a bracket of the largest margin
- ``_losses_torch``: losses and an optimizer for nets; only whoever asks needs torch
- ``_theory``: what a small surrogate loss promises for the zero-one loss
- ``_plots``: displays
"""

from sklearn_ext.losses._comp_sum import CompSumClassifier
from sklearn_ext.losses._comp_sum_cv import CompSumClassifierCV
from sklearn_ext.losses._groups._worst_group import WorstGroupClassifier
from sklearn_ext.losses._noise import NoiseReport, noise_report
from sklearn_ext.losses._plots import (
    CertifiedAccuracyDisplay,
    GroupLossDisplay,
    LabelQualityDisplay,
    NoiseReportDisplay,
    NoiseRobustnessDisplay,
)
from sklearn_ext.losses._robust import (
    certified_accuracy,
    certified_accuracy_scorer,
    certified_radius,
)
from sklearn_ext.losses._row_terms import comp_sum_loss
from sklearn_ext.losses._separability import Separability, separability
from sklearn_ext.losses._spherical import SphericalClassifier
from sklearn_ext.losses._theory import comp_sum_bound, comp_sum_transform

__all__ = [
    "CertifiedAccuracyDisplay",
    "CompSumClassifier",
    "CompSumClassifierCV",
    "GroupLossDisplay",
    "LabelQualityDisplay",
    "NoiseReport",
    "NoiseReportDisplay",
    "NoiseRobustnessDisplay",
    "Separability",
    "SphericalClassifier",
    "WorstGroupClassifier",
    "certified_accuracy",
    "certified_accuracy_scorer",
    "certified_radius",
    "comp_sum_bound",
    "comp_sum_loss",
    "comp_sum_transform",
    "noise_report",
    "separability",
]

OF_TORCH = ("CompSumLoss", "OrthogonalGradient", "StableMaxLoss", "ZLoss")


def __getattr__(name):
    if name in OF_TORCH:  # not in __all__: only whoever asks needs torch
        from sklearn_ext._core._optional import require

        require("torch", extra="torch", user=name)
        from sklearn_ext.losses import _losses_torch

        return getattr(_losses_torch, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
