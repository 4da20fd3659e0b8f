"""Ridge regression on random features, with theory that predicts its error."""

from sklearn_ext.random_features._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._classifier_cv import RandomFeatureRidgeClassifierCV
from sklearn_ext.random_features._eigenstructure import (
    fitting_ratio_score,
    kernel_eigenstructure,
    scaling_report,
)
from sklearn_ext.random_features._features import RandomFeatures
from sklearn_ext.random_features._optimal import optimal_ridge, required_features
from sklearn_ext.random_features._path_plots import (
    FittingRatioDisplay,
    RidgePathDisplay,
)
from sklearn_ext.random_features._powerlaw import (
    optimal_fitting_ratio,
    overfitting_threshold,
    powerlaw_exponents,
    powerlaw_test_error,
)
from sklearn_ext.random_features._ridge import RandomFeatureRidge
from sklearn_ext.random_features._ridge_cv import RandomFeatureRidgeCV
from sklearn_ext.random_features._task_plots import (
    EigenspectrumDisplay,
    RFLearningCurveDisplay,
)
from sklearn_ext.random_features._theory import rf_eigenframework, rf_ridge_path

__all__ = [
    "EigenspectrumDisplay",
    "FittingRatioDisplay",
    "RFLearningCurveDisplay",
    "RandomFeatureRidge",
    "RandomFeatureRidgeCV",
    "RandomFeatureRidgeClassifier",
    "RandomFeatureRidgeClassifierCV",
    "RandomFeatures",
    "RidgePathDisplay",
    "fitting_ratio_score",
    "kernel_eigenstructure",
    "optimal_fitting_ratio",
    "optimal_ridge",
    "overfitting_threshold",
    "powerlaw_exponents",
    "powerlaw_test_error",
    "required_features",
    "rf_eigenframework",
    "rf_ridge_path",
    "scaling_report",
]


def __getattr__(name):
    if name == "RandomFeatureModule":  # not in __all__: only whoever asks needs torch
        from sklearn_ext._core._optional import require

        require("torch", extra="torch", user=name)
        from sklearn_ext.random_features._module_torch import RandomFeatureModule

        return RandomFeatureModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
