"""Checks of numbers and devices that scikit-learn's constraints let through."""

from numbers import Integral

import numpy as np

from sklearn_ext._core._compat import Interval
from sklearn_ext._core._optional import torch_device


def check_parameters(estimator):
    """Refuse truth values for numbers, no workers, and devices that are not here.

    Parameters
    ----------
    estimator : estimator
        Its parameters are read; each has passed its ``_parameter_constraints``.
    """
    params = estimator.get_params(deep=False)
    check_slack(params["theta"], params.get("reference_loss"))
    for name, allowed in estimator._parameter_constraints.items():
        numeric = any(a is Integral or isinstance(a, Interval) for a in allowed)
        if numeric and _is_truth(params[name]):
            raise ValueError(
                f"{name} must be a number, got the truth value {params[name]}. Give "
                f"{int(params[name])} if you meant that."
            )
    check_workers(params.get("n_jobs"))
    if params.get("device") is not None:
        torch_device(params["device"])  # before any work


def check_slack(theta, reference_loss=None):
    """Refuse truth values, which count as numbers elsewhere, and endless losses."""
    if _is_truth(theta):
        raise ValueError(
            f"theta must be a non-negative number, got the truth value {theta}."
        )
    if reference_loss is None:
        return
    if _is_truth(reference_loss) or not np.isfinite(reference_loss):
        raise ValueError(
            f"reference_loss must be a finite number or None, got {reference_loss}."
        )


def check_workers(n_jobs):
    """Refuse no workers; truth values are refused as parameters."""
    if n_jobs == 0:
        raise ValueError(
            "n_jobs must be None or a whole number other than 0, got 0. Use 1 for one "
            "worker, or -1 for one on each core."
        )


def check_count(name, value):
    """Refuse what is no whole number from 1 upwards.

    Parameters
    ----------
    name : str
        What the caller calls it.
    value : int
        The number of draws or repeats that a user asks for.
    """
    if not isinstance(value, (Integral, np.integer)) or _is_truth(value) or value < 1:
        raise ValueError(
            f"{name} must be a whole number from 1 upwards, got {value!r}."
        )


def _is_truth(value):
    return isinstance(value, (bool, np.bool_))
