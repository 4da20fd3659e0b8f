"""Scalings and kernels among which held-out errors choose."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import issparse

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext.random_features._kernels import KERNELS, Kernel
from sklearn_ext.random_features._maps import RULES, resolve_kernels
from sklearn_ext.random_features._scaling import SCALINGS, scaling

SEARCH_CONSTRAINTS = {  # where several are allowed, in place of one
    "kernel": [StrOptions({*KERNELS, "auto"}), list, tuple],
    "gamma": [
        StrOptions(RULES),
        Interval(Real, 0, None, closed="neither"),
        "array-like",
    ],
    "length_scale": [
        StrOptions(RULES),
        Interval(Real, 0, None, closed="neither"),
        "array-like",
    ],
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
        kernel = {} if self.kernel is None else asdict(self.kernel)
        kernel = {"kernel": kernel.pop("name", None), **kernel}
        names = ("kernel", "gamma", "length_scale")
        return {n: kernel.get(n) for n in names} | {"standardize": self.standardize}


@dataclass(frozen=True)
class Asked:
    """The names to choose from, each in turn; one of each where nothing is chosen."""

    kernels: tuple
    scalings: tuple
    search: bool = False  # whether rules may give several numbers

    @classmethod
    def of_search(cls, params, X, *, blocks, classes):
        """Read lists and ``"auto"``; blocks, which cannot choose, take the first."""
        auto = OF_CLASSES if classes else OF_NUMBERS
        kernels = _listed("kernel", params.kernel, auto, KERNELS)
        auto = OF_SPARSE if issparse(X) and not _is_small(X) else OF_DENSE
        if blocks or params.feature_map is not None:
            auto = (False,)  # features of the user's own want the columns as they are
        scalings = _listed("standardize", params.standardize, auto, (*SCALINGS, False))
        for name in ("gamma", "length_scale"):
            _check_numbers(name, getattr(params, name))
        if params.feature_map is not None and not isinstance(params.kernel, str):
            raise ValueError(
                f"feature_map replaces the kernel, got kernel={params.kernel!r} beside "
                "it. Leave kernel='auto'."
            )
        if blocks:
            _refuse_lists(params)
            kernels = kernels[:1]
        return cls(kernels, scalings, search=not blocks)

    def candidates(self, params, X, w):
        """Yield each candidate with the rows that it has scaled."""
        for name in self.scalings:
            scaler = scaling(name, X, w)
            Z = X if scaler is None else scaler(X)
            if params.feature_map is not None:
                kernels = [None]
            else:
                kernels = resolve_kernels(
                    params, self.kernels, Z, w, search=self.search
                )
            for kernel in kernels:
                yield Candidate(name, scaler, kernel), Z


def _is_small(X):
    """Whether sparse rows may be made dense, as their features are."""
    return X.shape[1] <= MAX_COLUMNS and X.shape[0] * X.shape[1] <= MAX_CELLS


def _refuse_lists(params):
    for name in ("kernel", "gamma", "length_scale", "standardize"):
        if np.size(given := getattr(params, name)) > 1:
            raise ValueError(
                f"Blocks cannot choose, got {name}={given!r}: fit once on a sample, "
                "then pass what it has chosen, kernel=model.kernel_ and so on."
            )


def _listed(parameter, given, auto, allowed):
    if isinstance(given, str) and given == "auto":
        return tuple(auto)
    several = isinstance(given, Sequence) and not isinstance(given, str)
    names = tuple(given) if several else (given,)
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
