"""Learning rows from aggregates: the response is known per bag of rows only.

The rooms, in the order in which data pass:

- ``_bags/``: form bags, reduce responses to aggregates and back; check and sum bags,
  keep them whole
- ``_privacy``: release noisy aggregates under label privacy
- ``_theory/``: the risk to expect, the weight and the bag size of least risk
- ``_base``: what bags mean to ``score``: mixins of all regressors and classifiers
- ``_linear/``: linear regression in closed form, with given penalties or the best
- ``_meta``: any other regressor, refitted to pseudo-responses
- ``_boosting/``: boosted trees whose leaves are refitted to the bags
- ``_nets/``: neural networks on batches of whole bags
- ``_proportions/``: linear classification from class proportions
- ``_metrics``: scores that compare bag by bag, and cross-validation with them
- ``_plots``: displays
"""

from sklearn_ext.aggregate._bags._make_bags import make_bags
from sklearn_ext.aggregate._bags._splitters import (
    BagKFold,
    BagShuffleSplit,
    LeaveOneBagOut,
)
from sklearn_ext.aggregate._bags._tools import (
    AggregatedResponses,
    BagDiagnostics,
    PriorBoostResult,
    aggregate_responses,
    bag_diagnostics,
    expand_aggregates,
    prior_boost,
)
from sklearn_ext.aggregate._boosting._regressor import AggregateBoostingRegressor
from sklearn_ext.aggregate._linear._regressors import (
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
)
from sklearn_ext.aggregate._linear._statistics import (
    AggregateStatistics,
    iter_bag_chunks,
)
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
from sklearn_ext.aggregate._nets._estimators import (
    AggregateNetClassifier,
    AggregateNetRegressor,
)
from sklearn_ext.aggregate._plots import (
    BagCalibrationDisplay,
    PrivacyTradeoffDisplay,
    RhoPathDisplay,
    RiskCurveDisplay,
)
from sklearn_ext.aggregate._privacy import (
    PrivacyLeakWarning,
    PrivateAggregates,
    gaussian_bounds,
    gaussian_noise_scale,
    privatize_aggregates,
)
from sklearn_ext.aggregate._proportions._classifier import LabelProportionClassifier
from sklearn_ext.aggregate._theory._bag_size import BagSizeChoice, optimal_bag_size
from sklearn_ext.aggregate._theory._risk import Risk, aggregate_risk, optimal_rho

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
