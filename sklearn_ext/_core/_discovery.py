"""What the package offers: its estimators, and the types found in their state."""

import inspect
from importlib import import_module
from pkgutil import walk_packages

from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClusterMixin,
    RegressorMixin,
    TransformerMixin,
)

import sklearn_ext

KINDS = {
    "classifier": ClassifierMixin,
    "cluster": ClusterMixin,
    "regressor": RegressorMixin,
    "transformer": TransformerMixin,
}


def all_estimators(type_filter=None):
    """List the public estimators.

    Parameters
    ----------
    type_filter : {"classifier", "regressor", "transformer", "cluster"} or None, \
            default=None
        Only estimators of this kind; None lists all.

    Returns
    -------
    list of tuple
        ``(name, class)``, sorted by name.

    Raises
    ------
    ValueError
        When ``type_filter`` is unknown.

    Examples
    --------
    >>> from sklearn_ext import all_estimators
    >>> classifiers = dict(all_estimators("classifier"))
    """
    if type_filter is not None and type_filter not in KINDS:
        raise ValueError(
            f"type_filter must be None or one of {sorted(KINDS)}, got {type_filter!r}."
        )
    kind = KINDS.get(type_filter, BaseEstimator)
    families = [import_module(f"sklearn_ext.{name}") for name in sklearn_ext.FAMILIES]
    public = {
        name: getattr(family, name) for family in families for name in family.__all__
    }
    return sorted(
        (name, thing)
        for name, thing in public.items()
        if inspect.isclass(thing)
        and issubclass(thing, BaseEstimator)
        and issubclass(thing, kind)
        and callable(getattr(thing, "fit", None))
    )


def trusted_types():
    """List the types of this package that a stored estimator may hold.

    Pass them to ``skops.io.load(file, trusted=sklearn_ext.trusted_types())``, or as
    ``skops_trusted_types`` to MLflow.

    Returns
    -------
    list of str
        Full names of the classes, sorted; classes of other packages, subclasses of
        ours included, are never in it.

    Notes
    -----
    Models of other packages inside ours are for you to trust. Trees of scikit-learn,
    which `RashomonSearchCV` tries by default, are written in C and read without a check
    that they are whole; for a file whose maker you trust, add their types:
    ``trusted=[*sklearn_ext.trusted_types(), "sklearn.tree._tree.Tree"]``.
    `skops.io.get_untrusted_types` lists what is missing.

    Examples
    --------
    >>> import sklearn_ext
    >>> all(name.startswith("sklearn_ext.") for name in sklearn_ext.trusted_types())
    True
    """
    names = set()
    for room in (*sklearn_ext.FAMILIES, "_numerics"):
        package = import_module(f"sklearn_ext.{room}")
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith(("_torch", "_plots")):  # never in a stored estimator
                continue
            module = import_module(found.name)
            names |= {
                f"{module.__name__}.{name}"
                for name, thing in vars(module).items()
                if inspect.isclass(thing) and thing.__module__ == module.__name__
            }
    return sorted(names)
