"""Models whose kernel, map and columns are given: they choose a ridge alone."""

from functools import partial

from sklearn_ext.random_features import (
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
)


def given(cls):
    """Return a constructor in which only what is under test is left to choose."""
    return partial(cls, kernel="relu", map="random", standardize=False)


RidgeOnlyCV = given(RandomFeatureRidgeCV)
RidgeOnlyClassifierCV = given(RandomFeatureRidgeClassifierCV)
