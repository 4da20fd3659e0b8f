"""The models that clients meet: quick to fit, for they are fitted many times."""

import pytest
from sklearn.base import clone, is_classifier, is_regressor

from tests._instances import ESTIMATORS


def seeded(estimator):
    """Return a clone whose fits repeat."""
    model = clone(estimator)
    known = "random_state" in model.get_params()
    return model.set_params(random_state=0) if known else model


# Each compares or searches models itself: inside another search nothing new is tested.
SEARCHERS = {"RashomonSearchCV", "TwoRegimes"}
QUICK = [seeded(e) for e in ESTIMATORS if type(e).__name__ not in SEARCHERS]
CLASSIFIERS = [e for e in QUICK if is_classifier(e)]
REGRESSORS = [e for e in QUICK if is_regressor(e)]


def each(models):
    """Run a test on each of the models."""
    return pytest.mark.parametrize("model", models, ids=lambda e: type(e).__name__)
