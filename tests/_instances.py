"""One instance of every public estimator, for the tests that hold for all of them."""

from sklearn_ext import all_estimators

# Parameters that only make the common tests faster; defaults are tested by R24.
FAST = {}

ESTIMATORS = [cls(**FAST.get(name, {})) for name, cls in all_estimators()]
IDS = [type(estimator).__name__ for estimator in ESTIMATORS]
