"""One name and one default for one idea, across all families."""

import inspect
from importlib import import_module

import pytest

from sklearn_ext import FAMILIES, all_estimators

# names that other packages use, and ours for the same idea
OURS = {
    "chunk_size": "batch_size",
    "chunk_rows": "batch_size",
    "confidence": "confidence_level",
    "coverage": "confidence_level",
    "gpu": "device",
    "n_iter": "max_iter",
    "n_mc": "n_draws",
    "n_restarts": "n_init",
    "n_threads": "n_jobs",
    "rng": "random_state",
    "seed": "random_state",
}
# a name above that means something else in a family
ELSEWHERE = {("calibration", "confidence")}  # probability that a prediction is right
# ideas that mean the same everywhere, so that their default is one, too
DEFAULTS = {
    "class_weight": None,
    "device": None,
    "fit_intercept": True,
    "n_jobs": None,
    "sample_weight": None,
    "verbose": 0,
    "warm_start": False,
}


def public_calls():
    """Yield names and signatures of public functions, constructors and methods."""
    for family in FAMILIES:
        module = import_module(f"sklearn_ext.{family}")
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.isclass(value):
                yield f"{family}.{name}", inspect.signature(value)
            elif not issubclass(value, (Exception, tuple)):
                yield f"{family}.{name}", inspect.signature(value)
                for method, call in vars(value).items():
                    if not method.startswith("_") and inspect.isfunction(call):
                        yield f"{family}.{name}.{method}", inspect.signature(call)


CALLS = dict(public_calls())


@pytest.mark.parametrize("theirs", OURS)
def test_names_of_the_vocabulary(theirs):
    found = [
        name
        for name, call in CALLS.items()
        if theirs in call.parameters
        and (name.partition(".")[0], theirs) not in ELSEWHERE
    ]
    assert not found, f"{theirs!r} is called {OURS[theirs]!r} here: {found}"


@pytest.mark.parametrize("parameter", DEFAULTS)
def test_one_default_for_one_idea(parameter):
    empty = inspect.Parameter.empty
    defaults = {
        name: call.parameters[parameter].default
        for name, call in CALLS.items()
        if parameter in call.parameters
    }
    other = {
        name: default
        for name, default in defaults.items()
        if default is not empty and default != DEFAULTS[parameter]
    }
    assert defaults
    assert not other


@pytest.mark.parametrize("estimator", dict(all_estimators()).values())
def test_no_estimator_fixes_a_seed(estimator):
    parameters = inspect.signature(estimator).parameters
    if "random_state" in parameters:
        assert parameters["random_state"].default is None
