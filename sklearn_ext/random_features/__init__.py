"""Ridge regression on random features, with theory that predicts its error."""

from sklearn_ext.random_features._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._classifier_cv import RandomFeatureRidgeClassifierCV
from sklearn_ext.random_features._eigenstructure import (
    fitting_ratio_score,
    kernel_eigenstructure,
    pool_correction,
    scaling_report,
)
from sklearn_ext.random_features._features import RandomFeatures
from sklearn_ext.random_features._powerlaw import (
    optimal_fitting_ratio,
    overfitting_threshold,
    powerlaw_exponents,
    powerlaw_test_error,
)
from sklearn_ext.random_features._ridge import RandomFeatureRidge
from sklearn_ext.random_features._ridge_cv import RandomFeatureRidgeCV
from sklearn_ext.random_features._theory import (
    optimal_ridge,
    required_features,
    rf_eigenframework,
    rf_ridge_path,
)

__all__ = [
    "RandomFeatureRidge",
    "RandomFeatureRidgeCV",
    "RandomFeatureRidgeClassifier",
    "RandomFeatureRidgeClassifierCV",
    "RandomFeatures",
    "fitting_ratio_score",
    "kernel_eigenstructure",
    "optimal_fitting_ratio",
    "optimal_ridge",
    "overfitting_threshold",
    "pool_correction",
    "powerlaw_exponents",
    "powerlaw_test_error",
    "required_features",
    "rf_eigenframework",
    "rf_ridge_path",
    "scaling_report",
]
