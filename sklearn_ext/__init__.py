"""Recent machine-learning papers as scikit-learn estimators.

Each family is a subpackage that is imported on first use; ``import sklearn_ext``
itself imports neither torch nor any family.
"""

from importlib import import_module

__version__ = "0.1.0"

FAMILIES = (
    "aggregate",
    "bandits",
    "bridge",
    "calibration",
    "losses",
    "networks",
    "probes",
    "random_features",
    "rashomon",
    "representations",
    "submodular",
    "tasks",
)

__all__ = ["FAMILIES", "__version__", "all_estimators", "trusted_types", *FAMILIES]


def __getattr__(name):
    if name in FAMILIES:
        return import_module(f"{__name__}.{name}")
    if name in ("all_estimators", "trusted_types"):
        return getattr(import_module(f"{__name__}._core._discovery"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
