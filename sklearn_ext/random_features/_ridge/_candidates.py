"""Scalings and kernels among which held-out errors choose."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy.sparse import issparse

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext.random_features._kernels import KERNELS, Kernel
from sklearn_ext.random_features._maps import MAP_CONSTRAINTS, resolve_kernels
from sklearn_ext.random_features._scaling import SCALINGS, scaling

SEARCH_CONSTRAINTS = {  # where several are allowed, in place of one
    "kernel": [StrOptions({*KERNELS, "auto"}), list, tuple],
    "gamma": [*MAP_CONSTRAINTS["gamma"], "array-like"],
    "length_scale": [*MAP_CONSTRAINTS["length_scale"], "array-like"],
    "standardize": ["boolean", StrOptions({*SCALINGS, "auto"}), list, tuple],
    "search_components": [Interval(Integral, 1, None, closed="left"), None],
}
MAX_COLUMNS, MAX_CELLS = 1000, 2**27  # of sparse rows that "auto" makes dense
OF_DENSE, OF_SPARSE = ("clip", "quantile"), (False, "standard")
OF_NUMBERS, OF_CLASSES = ("relu", "laplacian"), ("relu", "laplacian", "rbf")


@dataclass(frozen=True)
class Candidate:
    """A scaling and a kernel; no kernel where the user has a feature map."""

    standardize: str | bool
    scaler: Any
    kernel: Kernel | None

    def described(self):
        """Return the choice as a dict of parameters."""
        names = {"kernel": "name", "gamma": "gamma", "length_scale": "length_scale"}
        known = {key: getattr(self.kernel, name, None) for key, name in names.items()}
        return known | {"standardize": self.standardize}


def candidates(params, X, w, kernels, scalings, *, search=False):
    """Yield each candidate of some names, with the rows that it has scaled.

    Parameters
    ----------
    params : estimator
        Its numbers describe the kernels.
    X : array of shape (n_samples, n_features)
        The rows.
    w : array of shape (n_samples,)
        Their weights.
    kernels, scalings : sequence
        Names.
    search : bool, default=False
        Whether rules may give several numbers.

    Yields
    ------
    candidate : Candidate
        A scaling and a kernel.
    Z : array of shape (n_samples, n_features)
        The scaled rows.
    """
    for name in scalings:
        scaler = scaling(name, X, w)
        Z, found = X if scaler is None else scaler(X), [None]
        if params.feature_map is None:
            found = resolve_kernels(params, kernels, Z, w, search=search)
        for kernel in found:
            yield Candidate(name, scaler, kernel), Z


def names_to_search(params, X, *, blocks):
    """Return kernels and scalings that lists and ``"auto"`` stand for.

    Parameters
    ----------
    params : estimator
        It has the parameters of ``SEARCH_CONSTRAINTS``.
    X : array of shape (n_samples, n_features)
        The rows.
    blocks : bool
        Whether more rows will come: blocks, which cannot choose, take the first.

    Returns
    -------
    kernels, scalings : tuple
        The names.
    """
    kernels = OF_CLASSES if params._encodes.stratified else OF_NUMBERS
    kernels = _listed("kernel", params.kernel, kernels, KERNELS)
    small = X.shape[1] <= MAX_COLUMNS and X.shape[0] * X.shape[1] <= MAX_CELLS
    scalings = OF_SPARSE if issparse(X) and not small else OF_DENSE
    if blocks or params.feature_map is not None:
        scalings = (False,)  # features of the user's own want the columns as they are
    allowed = (*SCALINGS, False)
    scalings = _listed("standardize", params.standardize, scalings, allowed)
    for name in ("gamma", "length_scale"):
        _check_numbers(name, getattr(params, name))
    if params.feature_map is not None and not isinstance(params.kernel, str):
        raise ValueError(
            f"feature_map replaces the kernel, got kernel={params.kernel!r} beside "
            "it. Leave kernel='auto'."
        )
    if not blocks:
        return kernels, scalings
    for name in ("kernel", "gamma", "length_scale", "standardize"):
        if np.size(given := getattr(params, name)) > 1:
            raise ValueError(
                f"Blocks cannot choose, got {name}={given!r}: fit once on a sample, "
                "then pass what it has chosen, kernel=model.kernel_ and so on."
            )
    return kernels[:1], scalings


def _listed(parameter, given, auto, allowed):
    if isinstance(given, str) and given == "auto":
        return tuple(auto)
    names = given if isinstance(given, list | tuple) else (given,)
    names = tuple("standard" if name is True else name for name in names)
    unknown = [name for name in names if name not in allowed]
    if not names or unknown:
        shown = ", ".join(map(repr, allowed))
        raise ValueError(
            f"{parameter} must be 'auto', one or a list of {shown}; got {given!r}."
        )
    return tuple(dict.fromkeys(names))


def _check_numbers(parameter, given):
    if isinstance(given, str):
        return
    numbers = np.asarray(given, dtype=np.float64)
    if numbers.size == 0 or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise ValueError(
            f"{parameter} must be 'auto', 'scale', one or several positive numbers; "
            f"got {given!r}."
        )
