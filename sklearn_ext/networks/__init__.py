"""Networks for tables: tuned narrow, trained wide.

In the order in which rows pass:

- ``_preprocess``: a raw table becomes numbers that a network can take
- ``_parametrization``: how weights start and move, so that a rate fits every width
- ``_mlp``: an ensemble of perceptrons that finds its own rate and leaves rows out
- ``_training/``: rows left out, search for the rate, training, and what it tells
- ``_tangent/``: the kernel of a network, and how sharp its loss is
- ``_hierarchical``: a polynomial seen through an unknown curve, in closed form
- ``_proxy_search``: search on a small copy, refit the large one
- ``_noprop/``: draws from the distribution of a numeric target
- ``_transfer``: how a loss depends on the rate, and what a wrong rate costs
- ``_plots``: rates over widths, training, link, movement of the kernel
"""

from sklearn_ext.networks._hierarchical._regressor import (
    HierarchicalPolynomialRegressor,
)
from sklearn_ext.networks._mlp import MuMLPClassifier, MuMLPRegressor
from sklearn_ext.networks._noprop._plots import ConditionalDistributionDisplay
from sklearn_ext.networks._noprop._regressor import NoPropRegressor
from sklearn_ext.networks._noprop._tables import crps_loss
from sklearn_ext.networks._parametrization import mup_scales
from sklearn_ext.networks._plots import (
    FeatureLearningDisplay,
    LearningRateTransferDisplay,
    LinkDisplay,
    TrainingDisplay,
)
from sklearn_ext.networks._proxy_search import ProxySearchCV
from sklearn_ext.networks._tangent import (
    kernel_alignment,
    neural_tangent_kernel,
    sharpness,
)
from sklearn_ext.networks._transfer import learning_rate_sensitivity

__all__ = [
    "ConditionalDistributionDisplay",
    "FeatureLearningDisplay",
    "HierarchicalPolynomialRegressor",
    "LearningRateTransferDisplay",
    "LinkDisplay",
    "MuMLPClassifier",
    "MuMLPRegressor",
    "NoPropRegressor",
    "ProxySearchCV",
    "TrainingDisplay",
    "crps_loss",
    "kernel_alignment",
    "learning_rate_sensitivity",
    "mup_scales",
    "neural_tangent_kernel",
    "sharpness",
]
