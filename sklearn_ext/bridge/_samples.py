"""What comes in: rows of both sides, whose they are, and how much each counts."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sklearn import config_context
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklearn_ext._core._compat import get_namespace
from sklearn_ext._core._tables import column_names
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import (
    float64,
    is_array,
    like,
    namespace,
    single,
    to_device,
    to_numpy,
)
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext.bridge._checks import plain

CLOSE = 1e-9  # relative difference that may be rounding
LARGEST_SINGLE, LARGEST_DOUBLE = 1e30, 1e140  # variances, and their inverses


@dataclass(frozen=True)
class Sample:
    """Weighted rows of one side."""

    X: object
    w: object

    @cached_property
    def size(self):
        """How many rows these are worth, on whatever scale the weights are.

        Each counts for its weight relative to the mean, at most for one: a value that
        many rows share is one row, and a row of vanishing weight vanishes.
        """
        w = self.host[1]
        return float(np.minimum(w / w.mean(), 1).sum())

    @property
    def mean(self):
        """Weighted mean of the rows, exact where a column is constant."""
        return namespace(self.X).astype(self.double_mean, self.X.dtype)

    @cached_property
    def double_mean(self):
        """Weighted mean of the rows in double precision, whatever their dtype."""
        first = self.X[0, :]
        beyond = (self.w / namespace(self.X).sum(self.w)) @ (self.X - first)
        return float64(first) + float64(beyond)

    @cached_property
    def mean_variance(self):
        """Variance of a feature, averaged over features."""
        xp = namespace(self.X)
        w, X = self.w / xp.sum(self.w), self.X - self.mean
        return float(xp.sum((X * X) * w[:, None])) / X.shape[1]

    def on(self, device):
        """Return the sample on a torch device; None leaves it where it is."""
        return Sample(to_device(self.X, device), to_device(self.w, device))

    def rows(self, chosen):
        """Return some rows with their weights."""
        xp = namespace(self.X)
        index = like(chosen, self.X, xp.int64)
        return Sample(xp.take(self.X, index, axis=0), xp.take(self.w, index))

    def distinct(self):
        """Return each row once with its summed weight, in an order of values alone."""
        found = EqualRows.of(to_numpy(self.X), w=self.host[1])
        return replace(self.rows(found.first), w=like(found.weight, self.w))

    @cached_property
    def order(self):
        """The rows in their :func:`principal_order`."""
        return principal_order(*self.host)

    def represented(self, size):
        """Return ``size`` rows that stand for equal shares of the weight; few stay."""
        if self.X.shape[0] <= size:
            return self
        part = self.rows(systematic(self.order, self.host[1], size))
        return replace(part, w=part.w * 0 + 1)

    @property
    def host(self):
        """Rows and weights as NumPy's, in float64."""
        return tuple(np.asarray(to_numpy(a), float) for a in (self.X, self.w))


def principal_axes(X, w):
    """Return the rows around their weighted mean, and the axes of their covariance."""
    X = X - w @ X / w.sum()
    return X, np.linalg.eigh((X * w[:, None]).T @ X)[1]


def principal_order(X, w):
    """Order rows along the first principal axis of their weighted covariance.

    The order depends on the weighted set of rows only, so that draws along it are the
    same however rows are ordered, repeated or weighted.
    """
    centred, axes = principal_axes(X, w)
    score = centred @ axes[:, -1]
    size = np.abs(score)
    third = w @ (score * size * size)
    if abs(third) <= CLOSE * (w @ (size * size * size)):  # no more than rounding
        size_of = np.abs(axes[:, -1])
        third = axes[np.argmax(size_of >= (1 - CLOSE) * size_of.max()), -1]
    unit = size.max() or 1.0
    score = score / (unit if third > 0 else -unit)
    # ties that only rounding would break are broken by another projection
    other = X @ np.sqrt(np.arange(2.0, 2.0 + X.shape[1]))
    return np.lexsort((other, np.round(score, 12)))


def systematic(order, w, size):
    """Take ``size`` rows at equal steps of weight along an order."""
    bounds = np.cumsum(w[order])
    levels = (np.arange(size) + 0.5) / size * bounds[-1]
    return order[np.searchsorted(bounds, levels, side="right").clip(max=len(w) - 1)]


def around(sides, centre):
    """Return both samples relative to a mean each."""
    return [
        replace(side, X=side.X - like(mean, side.X))
        for side, mean in zip(sides, centre, strict=True)
    ]


def mean_square_gap(source, target):
    """Return E|x - y|^2 of independent rows of both sides.

    Half of it less epsilon L is the value of entropic transport, wherever the origin.
    """
    gap = to_numpy(source.double_mean) - to_numpy(target.double_mean)
    D = source.X.shape[1]
    return D * (source.mean_variance + target.mean_variance) + float(gap @ gap)


def float_types(X):
    """Return the dtypes that are kept, in the library that validation will see."""
    xp, _ = get_namespace(X)
    return xp.float64, xp.float32


def two_samples(
    estimator,
    X,
    X_target=None,
    sample_domain=None,
    sample_weight=None,
    target_weight=None,
    *,
    reset=True,
):
    """Return source and target as validated, weighted samples.

    Rows without weight are left out. Without ``X_target`` and ``sample_domain`` both
    samples are ``X``. A first fit (``reset``) needs two rows on each side; what is
    added to it, or scored, may be one.
    """
    fewest = 2 if reset else 1
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
        estimator, X, reset=reset, dtype=float_types(X), ensure_min_samples=fewest
    )
    w = checked_weights(sample_weight, X, "sample_weight", "X")
    if X_target is not None:
        Y = _target_rows(estimator, X_target, X, fewest)
        v = checked_weights(target_weight, Y, "target_weight", "X_target")
        return _weighted(X, w, "X", fewest), _weighted(Y, v, "X_target", fewest)
    if sample_domain is None:
        both = _weighted(X, w, "X", fewest)
        return both, both
    domain = check_domain(sample_domain, X.shape[0])
    return tuple(
        _weighted(X, w, f"domain {d} ({role}) of sample_domain", fewest, domain == d)
        for d, role in ((0, "source"), (1, "target"))
    )


def check_domain(sample_domain, n_samples):
    """Return which rows are target rows as integers; both kinds need not occur."""
    domain = host(sample_domain)
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


def _target_rows(estimator, X_target, X, fewest):
    expected = getattr(estimator, "feature_names_in_", None)
    if (expected is None) != (names_of(X_target) is None):
        one, other = ("X", "X_target") if expected is not None else ("X_target", "X")
        warn(
            f"{one} has feature names and {other} has none: the columns of both are "
            "taken to be in one order."
        )
    types = float_types(X_target)
    Y = other_table(
        X_target, "X_target", X, expected, dtype=types, ensure_min_samples=fewest
    )
    if namespace(Y) != namespace(X):
        return like(Y, X)
    return namespace(X).astype(Y, X.dtype, copy=False)


def other_table(table, name, X, expected, **params):
    """Validate a table beside X, whose columns have the expected names, if any."""
    check_columns(table, expected, name)
    Y = check_array(table, input_name=name, estimator=name, **params)
    if Y.shape[1] != X.shape[1]:
        raise ValueError(
            f"{name} has {Y.shape[1]} features and X has {X.shape[1]}: both need the "
            "same columns."
        )
    return Y


def checked_weights(weight, X, name, rows):
    """Return weights of X, which the message calls ``rows``, on the host, or None."""
    if weight is None:
        return None
    w = host(weight)
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


def _weighted(X, w, where, fewest, rows=None):
    """Keep the rows with weight, out of some; there must be one or two at least."""
    xp = namespace(X)
    kept = np.arange(X.shape[0]) if rows is None else np.flatnonzero(rows)
    if w is not None and len(kept):
        kept = kept[w[kept] > 0]
        if not len(kept):
            raise ValueError(
                f"Sample weights must contain at least one non-zero number in {where}."
            )
    if len(kept) < fewest:
        raise ValueError(
            f"At least {fewest} row(s) are needed on each side, got n_samples = "
            f"{len(kept)} in {where}."
        )
    whole = Sample(X, xp.ones_like(X[:, 0]) if w is None else like(w, X))
    return whole if len(kept) == X.shape[0] else whole.rows(kept)


def host(values):
    """Return an array of any library and device, or a list, as NumPy's."""
    return to_numpy(values) if is_array(values) else np.asarray(values)


def names_of(X):
    """Return the names of the columns of a table, or None where there are none."""
    names = column_names(X)
    return names if names and all(isinstance(name, str) for name in names) else None


def check_columns(table, expected, name):
    """Refuse a table whose named columns are not those of X, in order."""
    names = names_of(table)
    if names is None or expected is None or names == list(expected):
        return
    missing = [column for column in expected if column not in names]
    unexpected = [column for column in names if column not in expected]
    if missing or unexpected:
        parts = (("missing", missing), ("unexpected", unexpected))
        told = ", ".join(f"{what} {_few(some)}" for what, some in parts if some)
        raise ValueError(f"{name} must have the columns of X: {told}.")
    raise ValueError(
        f"{name} must have the columns of X in the same order, which is "
        f"{_few(expected)}, got {_few(names)}. Select them in that order."
    )


def _few(names, limit=8):
    shown = [str(column) for column in names]
    if len(shown) <= limit:
        return str(shown)
    return f"{shown[:limit]} and {len(shown) - limit} more"


def choose_epsilon(epsilon, source, target):
    """Resolve "scale", and refuse what the dtype cannot resolve."""
    with np.errstate(over="ignore", invalid="ignore"):  # an error follows
        variance = (source.mean_variance + target.mean_variance) / 2
    coarse = single(source.X)
    limit = LARGEST_SINGLE if coarse else LARGEST_DOUBLE
    if not (variance == 0 or 1 / limit < variance < limit):
        raise ValueError(
            f"The mean variance of a feature is {variance:.3g}; squares of such values "
            f"lose all precision in {'float32' if coarse else 'float64'}. Scale the "
            "columns first."
        )
    if epsilon == "scale":
        return 0.1 * variance or 1.0
    lowest = (1e-6 if coarse else 1e-12) * variance
    if epsilon < lowest:
        raise ValueError(
            f"epsilon={epsilon:g} is below {lowest:.3g}, the least that this dtype "
            "resolves on these data: use a larger epsilon, float64, or exact optimal "
            "transport."
        )
    if epsilon > limit:
        raise ValueError(
            f"epsilon={epsilon:g} is above {limit:.3g}, whose square this dtype still "
            "holds: use a smaller epsilon; from far above the variance on, the plan "
            "changes no more."
        )
    return float(epsilon)


def warn_about_data(X, y, came_as, sides):
    """Warn of data that can be fitted, but that hardly anybody wants to."""
    messages, shape = [], getattr(y, "shape", ())
    if len(shape) == 2 and shape[1:] == getattr(X, "shape", ())[1:] and shape[1] > 1:
        messages.append(
            "y is ignored. It looks like a table with the columns of X: pass the "
            "target as X_target."
        )
    if came_as is None:
        messages.append(
            "no X_target and no sample_domain: the rows are mapped to themselves; pass "
            "X_target, or sample_domain with 0 for source and 1 for target rows. "
            "Pipelines and searches pass sample_domain on with metadata routing, after "
            "set_fit_request(sample_domain=True)."
        )
    squares = ((side.X - side.mean) ** 2 for side in sides)
    variance = sum(to_numpy(namespace(Z).mean(Z, axis=0)) for Z in squares)
    variance = variance[variance > 0]
    if len(variance) and variance.max() > 1e4 * variance.min():
        messages.append(
            "Columns differ in scale more than a hundredfold, and the cost is "
            "Euclidean: the largest will decide alone. Scale them first, for instance "
            "with StandardScaler fitted on both sides."
        )
    for message in messages:
        warn(message)
