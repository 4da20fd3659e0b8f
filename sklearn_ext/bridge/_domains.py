"""Which rows are source, which are target, and how much each counts."""

import warnings

import numpy as np
from sklearn import config_context
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklearn_ext._core._compat import array_api_compat, get_namespace
from sklearn_ext.bridge._checks import plain
from sklearn_ext.bridge._columns import check_columns, names_of
from sklearn_ext.bridge._frames import array_namespace
from sklearn_ext.bridge._sampling import like, on_host
from sklearn_ext.bridge._solve import Sample


def float_types(X):
    """Return the dtypes that are kept, in the library that validation will see."""
    xp, _ = get_namespace(X)
    return xp.float64, xp.float32


def two_samples(
    estimator,
    X,
    *,
    X_target=None,
    sample_domain=None,
    sample_weight=None,
    target_weight=None,
    reset=True,
):
    """Return source and target as validated, weighted samples.

    Rows without weight are left out. Without ``X_target`` and ``sample_domain`` both
    samples are ``X``.
    """
    if X_target is not None and sample_domain is not None:
        raise ValueError(
            "X_target and sample_domain were both given. Pass X_target to map X to "
            "another table, or sample_domain (0 source, 1 target) to tell the rows of "
            "one table apart."
        )
    if target_weight is not None and X_target is None:
        raise ValueError(
            "target_weight goes with X_target, which is None. Without it, "
            "sample_weight covers all rows of X."
        )
    X = validate_data(
        estimator, X, reset=reset, dtype=float_types(X), ensure_min_samples=2
    )
    w = checked_weights(sample_weight, X, "sample_weight", "X")
    if X_target is not None:
        Y = _target_rows(estimator, X_target, X)
        v = checked_weights(target_weight, Y, "target_weight", "X_target")
        return _weighted(X, w, "X"), _weighted(Y, v, "X_target")
    if sample_domain is None:
        both = _weighted(X, w, "X")
        return both, both
    domain = check_domain(sample_domain, X.shape[0])
    return tuple(
        _weighted(*_take(X, w, domain == d), f"domain {d} ({role}) of sample_domain")
        for d, role in ((0, "source"), (1, "target"))
    )


def check_domain(sample_domain, n_samples):
    """Return which rows are target rows as integers; both kinds need not occur."""
    domain = on_host(sample_domain)
    if domain.shape != (n_samples,):
        raise ValueError(
            f"sample_domain must have one entry for each of the {n_samples} rows of X, "
            f"got shape {domain.shape}."
        )
    known = np.isin(domain, (0, 1))
    if not known.all():
        raise ValueError(
            "sample_domain must be 0 (source) or 1 (target) for each row, got "
            f"{plain(domain[~known][0])}."
        )
    return domain.astype(int)


def _target_rows(estimator, X_target, X):
    expected = getattr(estimator, "feature_names_in_", None)
    check_columns(X_target, expected, name="X_target", of="X")
    if (expected is None) != (names_of(X_target) is None):
        one, other = ("X", "X_target") if expected is not None else ("X_target", "X")
        warnings.warn(
            f"{one} has feature names and {other} has none: the columns of both are "
            "taken to be in one order.",
            UserWarning,
            stacklevel=6,
        )
    Y = check_array(
        X_target,
        input_name="X_target",
        dtype=float_types(X_target),
        ensure_min_samples=2,
        estimator="X_target",
    )
    if Y.shape[1] != X.shape[1]:
        raise ValueError(
            f"X_target has {Y.shape[1]} features and X has {X.shape[1]}: both need the "
            "same columns."
        )
    if array_namespace(Y) != array_namespace(X):
        return like(on_host(Y), X)
    return array_namespace(X).astype(Y, X.dtype, copy=False)


def checked_weights(weight, X, name, rows):
    """Return weights of X, which the message calls ``rows``, on the host, or None."""
    if weight is None:
        return None
    w = on_host(weight)
    if w.shape != (X.shape[0],):
        raise ValueError(
            f"{name} must have one entry for each of the {X.shape[0]} rows of {rows}, "
            f"got shape {w.shape}."
        )
    with config_context(array_api_dispatch=False):  # of the library of X or not
        w = check_array(w, ensure_2d=False, dtype=np.float64, input_name=name)
    if w.min() < 0:
        raise ValueError(f"{name} must be non-negative, got a minimum of {w.min():g}.")
    return w


def _take(X, w, mask):
    rows = np.flatnonzero(mask)
    if len(rows) == 0:
        return X[:0, :], None
    xp = array_namespace(X)
    index = xp.asarray(rows, device=array_api_compat.device(X))
    return xp.take(X, index, axis=0), None if w is None else w[rows]


def _weighted(X, w, where):
    """Drop rows without weight; what is left must be two rows or more."""
    xp = array_namespace(X)
    if w is not None and X.shape[0] and not w.any():
        raise ValueError(
            f"Sample weights must contain at least one non-zero number in {where}."
        )
    if w is not None and not w.all():
        X, w = _take(X, w, w > 0)
    if X.shape[0] < 2:
        raise ValueError(
            f"Two rows or more are needed on each side, got n_samples = {X.shape[0]} "
            f"in {where}."
        )
    return Sample(X, xp.ones_like(X[:, 0]) if w is None else like(w, X))
