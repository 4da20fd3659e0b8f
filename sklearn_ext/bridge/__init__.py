"""Entropic transport and Schrödinger bridges between two unpaired populations.

In the order in which rows pass:

- ``_light``: the bridge between two populations; ``_light_cv``: the same, its settings
  chosen; ``_trajectory``: a chain of them
- ``_samples``: what comes in: rows of both sides, domains, weights, names of columns
- ``_solvers/``: from two samples to a mixture
- ``_mixture``: that mixture between centred rows, in closed form
- ``_plan``: the plan and its bridge, and what plan and estimator answer alike
- ``_draws``: random draws of components and paths
- ``_known``: plans that are known, between Gaussians or drawn for tests
- ``_metrics``, ``_plots``: how far samples and plans are apart, and pictures
- ``_checks``: times, counts, and how values are shown in messages

A new covariance type is its algebra in ``_mixture``, its sums and its Gaussian problem
in ``_solvers/_fixed_point``, and free parameters in ``_solvers/_lbfgs`` and
``_solvers/_adam_torch``; ``"scale"`` of epsilon is in ``_samples``.
"""

from sklearn_ext.bridge._known import gaussian_entropic_plan, make_entropic_ot
from sklearn_ext.bridge._light import LightSchrodingerBridge
from sklearn_ext.bridge._light_cv import LightSchrodingerBridgeCV
from sklearn_ext.bridge._metrics import (
    bures_wasserstein_uvp,
    conditional_bures_uvp,
    energy_distance,
)
from sklearn_ext.bridge._plan import EntropicPlan
from sklearn_ext.bridge._plots import SchrodingerBridgeDisplay
from sklearn_ext.bridge._trajectory import SchrodingerBridgeTrajectory

__all__ = [
    "EntropicPlan",
    "LightSchrodingerBridge",
    "LightSchrodingerBridgeCV",
    "SchrodingerBridgeDisplay",
    "SchrodingerBridgeTrajectory",
    "bures_wasserstein_uvp",
    "conditional_bures_uvp",
    "energy_distance",
    "gaussian_entropic_plan",
    "make_entropic_ot",
]
