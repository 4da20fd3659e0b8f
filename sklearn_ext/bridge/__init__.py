"""Entropic transport and Schrödinger bridges between two unpaired populations."""

from sklearn_ext.bridge._datasets import make_entropic_ot
from sklearn_ext.bridge._gaussian import gaussian_entropic_plan
from sklearn_ext.bridge._light import LightSchrodingerBridge
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
    "SchrodingerBridgeDisplay",
    "SchrodingerBridgeTrajectory",
    "bures_wasserstein_uvp",
    "conditional_bures_uvp",
    "energy_distance",
    "gaussian_entropic_plan",
    "make_entropic_ot",
]
