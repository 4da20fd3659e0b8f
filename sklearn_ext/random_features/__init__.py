"""Ridge regression on random features, with theory that predicts its error."""

from sklearn_ext.random_features._classifier import RandomFeatureRidgeClassifier
from sklearn_ext.random_features._classifier_cv import RandomFeatureRidgeClassifierCV
from sklearn_ext.random_features._features import RandomFeatures
from sklearn_ext.random_features._ridge import RandomFeatureRidge
from sklearn_ext.random_features._ridge_cv import RandomFeatureRidgeCV

__all__ = [
    "RandomFeatureRidge",
    "RandomFeatureRidgeCV",
    "RandomFeatureRidgeClassifier",
    "RandomFeatureRidgeClassifierCV",
    "RandomFeatures",
]
