"""Ridge regression on random features, with theory that predicts its error.

The rooms, in the order in which data pass through them:

- ``_features``: the transformer
- ``_scaling``: columns on one scale
- ``_maps``: from rows to features: random maps, landmarks, the exact kernel
- ``_kernels``: the kernels that the maps approximate, as exact matrices
- ``_ridge/``: the estimators: distinct rows, sums, the choice of a ridge
- ``_theory/``: predicted errors, and the eigenvalues of data
- ``_plots``: what was chosen, and spectra
- ``_plots_predicted``: errors that theory predicts, beside measured ones
- ``_module_torch``: the features in front of a torch head

Solvers, spectra and leave-one-out are in ``sklearn_ext._numerics._ridge``, gradient
flow and iterated ridge in ``_filters``, weights and waves in ``_random_features``, the
hash of rows in ``_equal_rows``.
"""

from sklearn_ext.random_features._features import RandomFeatures
from sklearn_ext.random_features._plots import (
    EigenspectrumDisplay,
    KernelChoiceDisplay,
    RidgePathDisplay,
)
from sklearn_ext.random_features._plots_predicted import (
    FittingRatioDisplay,
    RFLearningCurveDisplay,
    TrainingTimeDisplay,
)
from sklearn_ext.random_features._ridge._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._ridge._classifier_cv import (
    RandomFeatureRidgeClassifierCV,
)
from sklearn_ext.random_features._ridge._ridge import RandomFeatureRidge
from sklearn_ext.random_features._ridge._ridge_cv import RandomFeatureRidgeCV
from sklearn_ext.random_features._theory._eigenstructure import (
    fitting_ratio_score,
    kernel_eigenstructure,
    scaling_report,
)
from sklearn_ext.random_features._theory._framework import (
    optimal_ridge,
    required_features,
    rf_eigenframework,
    rf_ridge_path,
)
from sklearn_ext.random_features._theory._powerlaw import (
    optimal_fitting_ratio,
    overfitting_threshold,
    powerlaw_exponents,
    powerlaw_test_error,
)
from sklearn_ext.random_features._theory._time import (
    optimal_stopping,
    overtraining,
    rf_flow_curve,
)

__all__ = [
    "EigenspectrumDisplay",
    "FittingRatioDisplay",
    "KernelChoiceDisplay",
    "RFLearningCurveDisplay",
    "RandomFeatureRidge",
    "RandomFeatureRidgeCV",
    "RandomFeatureRidgeClassifier",
    "RandomFeatureRidgeClassifierCV",
    "RandomFeatures",
    "RidgePathDisplay",
    "TrainingTimeDisplay",
    "fitting_ratio_score",
    "kernel_eigenstructure",
    "optimal_fitting_ratio",
    "optimal_ridge",
    "optimal_stopping",
    "overfitting_threshold",
    "overtraining",
    "powerlaw_exponents",
    "powerlaw_test_error",
    "required_features",
    "rf_eigenframework",
    "rf_flow_curve",
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
