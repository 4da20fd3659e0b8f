"""One instance of every public estimator, and small real data that suit each."""

import inspect
from importlib.util import find_spec

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from sklearn_ext import all_estimators
from sklearn_ext.probes import (
    NaiveBayesProbe,
    ShrinkageDiscriminantProbe,
)

# Parameters that only make the common tests faster; defaults are tested by R24.
FAST = {
    "AggregateNetClassifier": {"max_epochs": 15},
    "AggregateNetRegressor": {"max_epochs": 15},
    "CompSumClassifierCV": {"Cs": 3, "taus": (1.0, 1.7)},
    "ContrastiveEncoder": {"hidden_layer_sizes": (16,), "max_iter": 20},
    "LightSchrodingerBridge": {"n_components": 3},  # some checks have 4 distinct rows
    # checks of arrays compare two fits, and seed them from scikit-learn 1.8 on
    "LightSchrodingerBridgeCV": {"random_state": 0},
    "MuMLPClassifier": {"hidden_units": 16, "n_members": 3, "proxy_units": 8},
    "MuMLPRegressor": {"hidden_units": 16, "n_members": 3, "proxy_units": 8},
    "NoPropRegressor": {"n_blocks": 3, "n_components": 40, "n_members": 2},
    "ProbeSearchCV": {
        "estimators": {
            "bayes": NaiveBayesProbe(var_shrinkage=0.0),  # warns of no copies
            "discriminant": ShrinkageDiscriminantProbe(var_shrinkage=0.0),
        },
        "cv": 3,
    },
    "ProxySearchCV": {
        "estimator": LinearRegression(),
        "param_grid": {"fit_intercept": [True, False]},
        "proxy_params": {"tol": 1e-5},
        "cv": 3,
        "error_score": "raise",
    },
    "RashomonSearchCV": {
        "estimators": [
            ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
            ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
        ],
        "cv": 2,
    },
    "SelectiveClassifierCV": {"target_error": 0.4},  # some checks have 20 rows
    # scikit-learn's checks try one component, and have 20 rows
    "SparseAutoencoder": {"n_components": 8, "n_nonzero_coefs": 1},
    "TwoRegimes": {"n_repeats": 2, "n_bootstrap": 20},
}

# Not tested where torch is missing; fitting them there is an ImportError by design.
NEEDS_TORCH = {
    "AggregateNetClassifier",
    "AggregateNetRegressor",
    "ContrastiveEncoder",
    "MuMLPClassifier",
    "MuMLPRegressor",
    "NeuralBandit",
}
LEFT_OUT = set() if find_spec("skorch") else NEEDS_TORCH

# Checks of scikit-learn fit bridges without a target, which warns by design.
MAPPED_TO_THEMSELVES = "ignore:no X_target and no sample_domain"
# Small data have few errors, and a confidence learnt from them says so; checks have two
# classes for a classifier of thousands, which says so.
FEW_ERRORS = "ignore:.*(out of fold|certified|is the better tool)"

ESTIMATORS = [
    cls(**FAST.get(name, {})) for name, cls in all_estimators() if name not in LEFT_OUT
]
IDS = [type(estimator).__name__ for estimator in ESTIMATORS]


def plain(cls, **params):
    """Return an instance with defaults, and its own example of what has none."""
    required = {
        name: FAST[cls.__name__][name]
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is parameter.empty
    }
    return cls(**{**required, **params})


def data_for(estimator, n_rows=90, n_features=6):
    """Return rows (standardised) and target of a set that the estimator can learn."""
    if is_regressor(estimator):
        load = load_diabetes
    elif (
        is_classifier(estimator) and not get_tags(estimator).classifier_tags.multi_class
    ):
        load = load_breast_cancer
    else:
        load = load_wine
    X, y = load(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))[:n_rows]
    X = scale(X[rows, :n_features])
    return (abs(X) if get_tags(estimator).input_tags.positive_only else X), y[rows]


def fitted(estimator, X=None, y=None, **fit_params):
    """Fit a clone, with the target wherever the estimator accepts one."""
    if X is None:
        X, y = data_for(estimator)
    model = clone(estimator)
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    return model.fit(X, y, **fit_params)


def outputs(model, X):
    """Return everything that a fitted model says about rows, as arrays by method."""
    said = {}
    for name in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, name):
            result = getattr(model, name)(X)
            result = result.toarray() if hasattr(result, "toarray") else result
            said[name] = np.asarray(result)
    return said
