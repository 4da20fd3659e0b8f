"""Ridge regression on random features, with theory that predicts its error."""

from sklearn_ext.random_features._features import RandomFeatures
from sklearn_ext.random_features._ridge import RandomFeatureRidge

__all__ = ["RandomFeatureRidge", "RandomFeatures"]
