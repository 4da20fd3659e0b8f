"""Entropic transport and Schrödinger bridges between two unpaired populations."""

from sklearn_ext.bridge._plan import EntropicPlan

__all__ = ["EntropicPlan"]
