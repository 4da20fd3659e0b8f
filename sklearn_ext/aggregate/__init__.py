"""Learning rows from aggregates: regressors, classifiers and tools for bags."""

from sklearn_ext.aggregate._bag_size import BagSizeChoice, optimal_bag_size
from sklearn_ext.aggregate._boosting import AggregateBoostingRegressor
from sklearn_ext.aggregate._make_bags import make_bags
from sklearn_ext.aggregate._meta import AggregateMetaRegressor
from sklearn_ext.aggregate._metrics import (
    bag_cross_validate,
    bag_log_loss,
    bag_mean_absolute_error,
    bag_mean_squared_error,
    bag_r2_score,
    get_bag_scorer,
    instance_mse_from_bags,
    instance_r2_from_bags,
)
from sklearn_ext.aggregate._net import AggregateNetRegressor
from sklearn_ext.aggregate._net_classifier import AggregateNetClassifier
from sklearn_ext.aggregate._privacy import (
    PrivacyLeakWarning,
    PrivateAggregates,
    gaussian_bounds,
    gaussian_noise_scale,
    privatize_aggregates,
)
from sklearn_ext.aggregate._proportions import LabelProportionClassifier
from sklearn_ext.aggregate._regressor_cv import InterpolatingAggregateRegressorCV
from sklearn_ext.aggregate._regressors import (
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
)
from sklearn_ext.aggregate._selection_plots import (
    BagCalibrationDisplay,
    RhoPathDisplay,
)
from sklearn_ext.aggregate._splitters import (
    BagKFold,
    BagShuffleSplit,
    LeaveOneBagOut,
)
from sklearn_ext.aggregate._statistics import AggregateStatistics, iter_bag_chunks
from sklearn_ext.aggregate._theory import Risk, aggregate_risk, optimal_rho
from sklearn_ext.aggregate._theory_plots import (
    PrivacyTradeoffDisplay,
    RiskCurveDisplay,
)
from sklearn_ext.aggregate._tools import (
    AggregatedResponses,
    BagDiagnostics,
    PriorBoostResult,
    aggregate_responses,
    bag_diagnostics,
    expand_aggregates,
    prior_boost,
)

__all__ = [
    "AggregateBoostingRegressor",
    "AggregateMetaRegressor",
    "AggregateNetClassifier",
    "AggregateNetRegressor",
    "AggregateStatistics",
    "AggregatedResponses",
    "BagCalibrationDisplay",
    "BagDiagnostics",
    "BagKFold",
    "BagRegressor",
    "BagShuffleSplit",
    "BagSizeChoice",
    "InstanceRegressor",
    "InterpolatingAggregateRegressor",
    "InterpolatingAggregateRegressorCV",
    "LabelProportionClassifier",
    "LeaveOneBagOut",
    "PriorBoostResult",
    "PrivacyLeakWarning",
    "PrivacyTradeoffDisplay",
    "PrivateAggregates",
    "RhoPathDisplay",
    "Risk",
    "RiskCurveDisplay",
    "aggregate_responses",
    "aggregate_risk",
    "bag_cross_validate",
    "bag_diagnostics",
    "bag_log_loss",
    "bag_mean_absolute_error",
    "bag_mean_squared_error",
    "bag_r2_score",
    "expand_aggregates",
    "gaussian_bounds",
    "gaussian_noise_scale",
    "get_bag_scorer",
    "instance_mse_from_bags",
    "instance_r2_from_bags",
    "iter_bag_chunks",
    "make_bags",
    "optimal_bag_size",
    "optimal_rho",
    "prior_boost",
    "privatize_aggregates",
]
