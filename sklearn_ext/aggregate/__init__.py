"""Learning rows from aggregates: regressors, classifiers and tools for bags."""

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
from sklearn_ext.aggregate._regressor_cv import InterpolatingAggregateRegressorCV
from sklearn_ext.aggregate._regressors import (
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
)
from sklearn_ext.aggregate._splitters import (
    BagKFold,
    BagShuffleSplit,
    LeaveOneBagOut,
)
from sklearn_ext.aggregate._statistics import AggregateStatistics, iter_bag_chunks

__all__ = [
    "AggregateStatistics",
    "BagKFold",
    "BagRegressor",
    "BagShuffleSplit",
    "InstanceRegressor",
    "InterpolatingAggregateRegressor",
    "InterpolatingAggregateRegressorCV",
    "LeaveOneBagOut",
    "bag_cross_validate",
    "bag_log_loss",
    "bag_mean_absolute_error",
    "bag_mean_squared_error",
    "bag_r2_score",
    "get_bag_scorer",
    "instance_mse_from_bags",
    "instance_r2_from_bags",
    "iter_bag_chunks",
]
