"""The model inside a pipeline or a search, and tables as that model sees them."""

from typing import NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


class Innermost(NamedTuple):
    """A fitted model, tables in its own columns, and the names of these."""

    model: object
    tables: tuple
    names: np.ndarray | None


def innermost(estimator, *tables, wanted, user):
    """Return the wanted model that ends a pipeline, with transformed tables.

    Parameters
    ----------
    estimator : object
        A fitted model of the wanted classes, a fitted Pipeline that ends in one, or a
        fitted search with ``best_estimator_``; also nested.
    *tables : array-like or None
        Rows as ``estimator`` takes them; None stays None.
    wanted : type or tuple of type
        Classes that serve.
    user : str
        Who asks, for the message.

    Returns
    -------
    Innermost
        The model, tables that passed through the steps before it, and names of their
        columns, None where nobody knows any.

    Raises
    ------
    TypeError
        When something else is given.
    """
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    model, heads = peel(estimator, wanted)
    if not isinstance(model, wanted):
        *most, last = [cls.__name__ for cls in wanted]
        names = f"{', '.join(most)} or {last}" if most else last
        raise TypeError(
            f"{user} takes a fitted {names}, or a Pipeline that ends in one, got "
            f"{describe(estimator)}."
        )
    check_is_fitted(model)
    for head in heads:
        tables = tuple(None if t is None else head.transform(t) for t in tables)
    return Innermost(model, tables, _names(model, heads))


def peel(estimator, wanted=()):
    """Walk to the last step of pipelines and the best model of searches.

    Parameters
    ----------
    estimator : object
        Where to begin.
    wanted : tuple of type, default=()
        Classes at which to stop.

    Returns
    -------
    model : object
        The first object of the classes, or the innermost one.
    heads : list of Pipeline
        The steps that were passed on the way.
    """
    heads = []
    while not isinstance(estimator, wanted):
        if isinstance(estimator, Pipeline):
            if len(estimator.steps) > 1:
                heads.append(estimator[:-1])
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            break
    return estimator, heads


def _names(model, heads):
    if (names := getattr(model, "feature_names_in_", None)) is not None:
        return names
    try:  # the model saw a bare array, but the steps may know what they made
        for head in heads:
            names = head.get_feature_names_out(names)
    except (AttributeError, ValueError):  # a step that names nothing
        return None
    known = names is not None and len(names) == getattr(model, "n_features_in_", None)
    return names if known else None


def describe(estimator):
    name = type(estimator).__name__
    if isinstance(estimator, Pipeline):
        steps = "... " if len(estimator.steps) > 1 else ""
        return f"{name}({steps}{describe(estimator.steps[-1][1])})"
    if hasattr(estimator, "best_estimator_"):
        return f"{name} of {describe(estimator.best_estimator_)}"
    return name
