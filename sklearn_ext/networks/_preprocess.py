"""A raw table becomes numbers that a network can take."""

from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    Interval,
    StrOptions,
    _check_feature_names,
    _check_feature_names_in,
    _check_n_features,
    _num_samples,
    _safe_indexing,
)
from sklearn_ext._core._tables import (
    CATEGORIES,
    STRINGS,
    TRUTHS,
    as_floats,
    category_mask,
    column,
    column_names,
    dtypes,
    factorize,
)
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import dense
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._quantiles import normal_scores, quantiles

LIMIT = 6.0  # scores that no table of fewer than a billion rows passes
N_LEVELS = 768  # between which they are interpolated: no error above 1 / 64
BIN_ROWS = 20  # distinct rows that a bin has at least
BEND = 3.0  # where robust columns flatten
MAX_SHARE = 0.05  # a level that so many rows have is never rare
MAX_LEVELS = 256  # columns of a category at most; more levels share one
TIES = 1e-9  # shares of the weight so close are equal: sums of weights round
TIMES = ("datetime", "Datetime", "timestamp", "date", "Date", "time", "Time")
TIMES += ("duration", "Duration", "period")


class TablePreprocessor(TransformerMixin, ExtEstimator, auto_wrap_output_keys=None):
    r"""Numbers on one scale, categories as indicators, nothing missing.

    What it learns depends on each row through its weight alone: repetition of a row
    and its weight are the same, a row of weight zero is no row, and neither the order
    of the rows nor a constant factor of all weights changes anything. Constant columns
    are dropped. Cost: one sort of each column; memory: the result and one column.

    Parameters
    ----------
    numeric : {"quantile", "robust", "standard", "passthrough"}, default="quantile"
        What becomes of numbers. ``"quantile"``: the normal quantile of a value's rank,
        where equal values share the rank of their middle; between known values it is
        interpolated, beyond them it goes on and flattens: one more at most, however far
        away the value is. ``"robust"``: less the median, over the distance of the
        quartiles, then :math:`z / \sqrt{1 + (z / 3)^2}`. ``"standard"``: mean zero and
        variance one. ``"passthrough"``: as they are; the only choice for sparse rows.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Columns that are categories: those of a data frame that hold categories,
        strings or truth values, a mask, positions, or names. None has none.
    n_bins : int, default=0
        Bins between quantiles of each column of numbers, which has a column for each:
        how far a value is through the bin, from 0 to 1, less the mean. There are fewer
        where a bin would have less than twenty distinct rows. A column whose values
        fill one bin has none, and columns that are passed through have none.
    min_frequency : int, default=5
        Levels of a category in fewer rows than that share one column, to which levels
        belong that were not seen. Weighted rows count by their share of the weight,
        times the number of distinct rows; a level with a share of a twentieth is never
        rare.

    Attributes
    ----------
    is_category_ : ndarray of bool of shape (n_features_in_,)
        Which columns are categories.
    is_constant_ : ndarray of bool of shape (n_numbers,)
        Which columns of numbers are dropped.
    has_missing_ : ndarray of bool of shape (n_numbers,)
        Which have an indicator of missing values behind them.
    fill_ : ndarray of shape (n_numbers,)
        What missing numbers become, on the new scale.
    values_, scores_ : list of ndarray
        Some values of each column, and their scores; empty if not ``"quantile"``.
    center_, scale_ : ndarray of shape (n_numbers,)
        What is taken off, and by what the rest is divided; 0 and 1 if ``"quantile"``.
    medians_ : ndarray of shape (n_numbers,)
        What missing numbers become, as far as bins are concerned.
    edges_, bin_means_ : list of ndarray
        Ends of the bins of each column of numbers, ascending, and what is taken off.
    levels_ : list of ndarray
        Levels of each category that have a column of their own, ascending: strings or
        numbers.
    has_missing_level_, has_rare_levels_ : ndarray of bool of shape (n_categories,)
        Which categories have a column for missing values, and one for rare levels,
        after those of the levels.
    n_features_out_ : int
        Columns of the result: numbers, indicators of their missing values, categories,
        bins.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, when all are strings.

    See Also
    --------
    sklearn.preprocessing.QuantileTransformer : Without weights, cut off at the ends.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ext.networks._preprocess import TablePreprocessor
    >>> X = pd.DataFrame({"age": [20, 30, None, 50], "city": ["A", "B", "A", "B"]})
    >>> TablePreprocessor().fit_transform(X).round(2)
    array([[-0.97,  0.  ,  1.  ,  0.  ],
           [ 0.  ,  0.  ,  0.  ,  1.  ],
           [ 0.  ,  1.  ,  1.  ,  0.  ],
           [ 0.97,  0.  ,  0.  ,  1.  ]])
    """

    _parameter_constraints: dict = {
        "numeric": [StrOptions({"quantile", "robust", "standard", "passthrough"})],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "n_bins": [Interval(Integral, 0, None, closed="left")],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        numeric="quantile",
        *,
        categorical_features="from_dtype",
        n_bins=0,
        min_frequency=5,
    ):
        self.numeric = numeric
        self.categorical_features = categorical_features
        self.n_bins = n_bins
        self.min_frequency = min_frequency

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn scales and levels.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows: numbers, NaN where they are missing, and categories.
        y : object, default=None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        TablePreprocessor
            The fitted preprocessor.
        """
        self._numeric = self.numeric
        numbers, categories = self._read(X, reset=True)
        w = check_weights(sample_weight, numbers, dtype=np.float64)
        w = w / w.max()  # so that no product overflows
        if not (kept := w > 0).all():
            numbers, w = numbers[kept], w[kept]
            categories = [(codes[kept], keys) for codes, keys in categories]
        self._learn_numbers(numbers, w)
        self._learn_bins(numbers, categories, w)
        self._learn_levels(numbers, categories, w)
        n_numbers = (~self.is_constant_).sum() + self.has_missing_.sum()
        n_levels = sum(self._width(j) for j in range(len(categories)))
        n_bins = sum(len(means) for means in self.bin_means_)
        self.n_features_out_ = int(n_numbers + n_levels + n_bins)
        return self

    def transform(self, X):
        """Code rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows; numbers may be missing where none was before.

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_features_out_)
            The coded rows, in single precision where the numbers are.
        """
        return self.bins.widen(self.narrow(X))

    def narrow(self, X):
        """Code rows, all bins of a number in one column: how many it is through.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows; numbers may be missing where none was before.

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_narrow)
            What ``bins.widen`` makes the coded rows of.
        """
        check_is_fitted(self)
        numbers, categories = self._read(X, reset=False)
        shown = np.flatnonzero(~self.is_constant_)
        if sparse.issparse(numbers):
            return numbers[:, shown]
        binned = [j for j, means in enumerate(self.bin_means_) if len(means)]
        n_narrow = self.bins.n_plain + len(binned)
        Z = np.zeros((len(numbers), n_narrow), dtype=numbers.dtype)
        for place, j in enumerate(shown):
            Z[:, place] = self._scaled(numbers[:, j], j)
        end = len(shown)
        for place, j in enumerate(np.flatnonzero(self.has_missing_), start=end):
            Z[:, place] = np.isnan(numbers[:, j])
        end += self.has_missing_.sum()
        for j, (codes, keys) in enumerate(categories):
            place = self._places(j, keys)[codes]
            rows = np.flatnonzero(place >= 0)
            Z[rows, end + place[rows]] = 1
            end += self._width(j)
        for place, j in enumerate(binned, start=end):
            x = numbers[:, j].astype(np.float64)
            x[np.isnan(x)] = self.medians_[j]
            Z[:, place] = _through(x, self.edges_[j]).sum(axis=1)
        return Z

    def without_bins(self):
        """Return the same codes without bins."""
        plain = copy(self)
        plain.n_features_out_ = self.bins.n_plain
        plain.edges_, plain.bin_means_ = ([np.empty(0)] * len(self.edges_),) * 2
        return plain

    @property
    def bins(self):
        """Where the bins of each column of numbers are in a narrow table."""
        sizes = [len(means) for means in self.bin_means_]
        n_plain = self.n_features_out_ - sum(sizes)
        full = [size for size in sizes if size]
        return Bins(
            n_plain,
            np.repeat(n_plain + np.arange(len(full)), full),
            np.concatenate([np.arange(size) for size in [0, *full]]).astype(float),
            np.concatenate([np.empty(0), *self.bin_means_]),
        )

    def get_feature_names_out(self, input_features=None):
        """Name the coded columns.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,), default=None
            Names of the columns; None means those of `fit`, or x0, x1, and so on.

        Returns
        -------
        ndarray of str
            Names: of numbers as they were, ``a_missing``, ``b_level``, ``b_other``,
            ``a_bin0``.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        numbers, categories = names[~self.is_category_], names[self.is_category_]
        out = list(numbers[~self.is_constant_])
        out += [f"{name}_missing" for name in numbers[self.has_missing_]]
        for j, name in enumerate(categories):
            out += [f"{name}_{level}" for level in self.levels_[j].tolist()]
            out += [f"{name}_missing"] * int(self.has_missing_level_[j])
            out += [f"{name}_other"] * int(self.has_rare_levels_[j])
        for name, means in zip(numbers, self.bin_means_, strict=True):
            out += [f"{name}_bin{t}" for t in range(len(means))]
        return np.asarray(out, dtype=object)

    # --- reading ------------------------------------------------------------------

    def _read(self, X, *, reset):
        """Return numbers as an array, and categories as codes and keys."""
        if sparse.issparse(X):
            return self._read_sparse(X, reset=reset), []
        if reset:
            _check_times(X)
            is_category = _find_categories(X, self.categorical_features)
        else:
            is_category = self.is_category_
        if not is_category.any():
            X = _numbers(validate_data, self, X, reset=reset)
            self.is_category_ = np.zeros(X.shape[1], dtype=bool)
            return X, []
        if not column_names(X):
            X = check_array(X, dtype=None, ensure_all_finite=False)
        _check_feature_names(self, X, reset=reset)
        _check_n_features(self, X, reset=reset)
        self.is_category_ = is_category
        found = [factorize(column(X, j)) for j in np.flatnonzero(is_category)]
        if is_category.all():
            return np.empty((_num_samples(X), 0)), found
        rest = _safe_indexing(X, np.flatnonzero(~is_category), axis=1)
        return _numbers(check_array, rest, input_name="X"), found

    def _read_sparse(self, X, *, reset):
        if self._numeric != "passthrough":
            raise TypeError(
                "Sparse rows would become dense; pass numeric='passthrough' to keep "
                "them sparse, or X.toarray()."
            )
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=reset)
        if reset:
            if category_mask(X, self.categorical_features).any():
                raise TypeError(
                    f"categorical_features={self.categorical_features!r} names columns "
                    "of a sparse container, which holds numbers alone; encode them, or "
                    "pass X.toarray()."
                )
            self.is_category_ = np.zeros(X.shape[1], dtype=bool)
        elif self.is_category_.any() or self.has_missing_.any():
            raise TypeError(
                "The rows of fit had categories or missing values, which a sparse "
                "container cannot hold; pass them as they were."
            )
        return X

    # --- numbers ------------------------------------------------------------------

    def _learn_numbers(self, numbers, w):
        d = numbers.shape[1]
        constant, missing = np.zeros(d, dtype=bool), np.zeros(d, dtype=bool)
        fill, center, scale = np.zeros(d), np.zeros(d), np.ones(d)
        tables = [(np.empty(0), np.empty(0))] * d
        if sparse.issparse(numbers):
            low, high = (dense(m).ravel() for m in (numbers.min(0), numbers.max(0)))
            constant = low == high
        for j in range(d if not sparse.issparse(numbers) else 0):
            known = ~np.isnan(numbers[:, j])
            x, v = numbers[known, j].astype(np.float64), w[known]
            constant[j] = not len(x) or x.min() == x.max()
            missing[j] = 0 < len(x) < len(known)
            if constant[j]:
                continue
            if self._numeric == "quantile":
                tables[j] = normal_scores(x, v, limit=LIMIT, n_levels=N_LEVELS)
            else:
                center[j], scale[j], fill[j] = _scale(x, v, self._numeric)
        self.is_constant_, self.has_missing_, self.fill_ = constant, missing, fill
        self.center_, self.scale_ = center, scale
        self.values_, self.scores_ = ([t[side] for t in tables] for side in (0, 1))

    def _scaled(self, x, j):
        z = x.astype(np.float64)
        if self._numeric == "quantile":
            z = _score(z, self.values_[j], self.scores_[j])
        elif self._numeric != "passthrough":
            z = (z / 2 - self.center_[j] / 2) / (self.scale_[j] / 2)  # no overflow
        if self._numeric == "robust":
            z /= np.hypot(1, z / BEND)
        return np.where(np.isnan(x), self.fill_[j], z)

    # --- bins ---------------------------------------------------------------------

    def _learn_bins(self, numbers, categories, w):
        d = numbers.shape[1]
        self.medians_ = np.zeros(d)
        self.edges_, self.bin_means_ = ([np.empty(0)] * d for _ in range(2))
        if self.n_bins == 0 or self._numeric == "passthrough":
            return
        n_bins = min(self.n_bins, _n_distinct(numbers, categories, w) // BIN_ROWS)
        if n_bins < 2:
            return
        shares = np.linspace(0, 1, n_bins + 1)
        for j in np.flatnonzero(~self.is_constant_):
            known = ~np.isnan(numbers[:, j])
            x, v = numbers[known, j].astype(np.float64), w[known]
            *ends, self.medians_[j] = quantiles(x, v, [*shares, 0.5])
            edges = np.unique([x.min(), *ends[1:-1], x.max()])
            if len(edges) > 2:
                total = v @ _through(x, edges)
                middle = _through(self.medians_[j : j + 1], edges)[0]
                total += w[~known].sum() * middle
                self.edges_[j], self.bin_means_[j] = edges, total / w.sum()

    # --- categories ---------------------------------------------------------------

    def _learn_levels(self, numbers, categories, w):
        levels, shares = [], []  # the first share is that of missing values
        for codes, keys in categories:
            found, place = _sorted_levels(keys)
            at = np.append(place + 1, 0)[codes]
            levels.append(found)
            shares.append(np.bincount(at, w, minlength=len(found) + 1) / w.sum())
        least = self._least_share(numbers, categories, shares, w)
        rare, missing, self.levels_ = [], [], []
        for found, share in zip(levels, shares, strict=True):
            common = (share >= least) & _largest(share, MAX_LEVELS)
            has_rare = bool((share[~common] > 0).any())
            shown = common.sum() + has_rare > 1  # else the block is constant
            self.levels_.append(found[common[1:] & shown])
            missing.append(bool(common[0] and shown))
            rare.append(has_rare and shown)
        self.has_missing_level_ = np.array(missing, dtype=bool)
        self.has_rare_levels_ = np.array(rare, dtype=bool)

    def _least_share(self, numbers, categories, shares, w):
        """Return the share of the weight below which a level is rare."""
        smallest = min((s[s > 0].min() for s in shares), default=1.0)
        if self.min_frequency == 1 or smallest >= MAX_SHARE:
            return np.finfo(np.float64).tiny
        n_distinct = _n_distinct(numbers, categories, w)
        return min(self.min_frequency / n_distinct, MAX_SHARE) * (1 - TIES)

    def _places(self, j, keys):
        """Return the column, within its block, of each key and of missing values.

        It is -1 where there is none.
        """
        levels = self.levels_[j]
        other = self._width(j) - 1 if self.has_rare_levels_[j] else -1
        known = {level: at for at, level in enumerate(levels.tolist())}
        keys = map(str, keys) if levels.dtype.kind == "U" else keys
        missing = len(levels) if self.has_missing_level_[j] else other
        return np.array([*(known.get(k, other) for k in keys), missing], dtype=np.intp)

    def _width(self, j):
        extra = int(self.has_missing_level_[j]) + int(self.has_rare_levels_[j])
        return len(self.levels_[j]) + extra


@dataclass(frozen=True)
class Bins:
    """Columns of bins, one after the other, and what they are made of.

    Attributes
    ----------
    n_plain : int
        Columns in front of them, which stay as they are.
    source : ndarray of int of shape (n_bins,)
        Column of a narrow table that says how many bins a number is through.
    before : ndarray of shape (n_bins,)
        How many of the same number come before.
    mean : ndarray of shape (n_bins,)
        What is taken off.
    """

    n_plain: int
    source: np.ndarray
    before: np.ndarray
    mean: np.ndarray

    @property
    def n_columns(self):
        """Number of columns of a wide table."""
        return self.n_plain + len(self.source)

    def none(self):
        """Return the same without any."""
        return Bins(self.n_plain, self.source[:0], self.before[:0], self.mean[:0])

    def widen(self, Z):
        """Give each bin its column: 1 beyond it, 0 short of it, a share within."""
        if not len(self.source):
            return Z
        before, mean = self.before.astype(Z.dtype), self.mean.astype(Z.dtype)
        share = (Z[:, self.source] - before).clip(0, 1)
        return np.hstack([Z[:, : self.n_plain], share - mean])


def _check_times(X):
    for name, dtype in zip(column_names(X), dtypes(X), strict=True):
        if dtype.startswith(TIMES):
            raise TypeError(
                f"Column {name!r} holds times ({dtype}); make numbers of them first, "
                "such as year, day of the week or seconds since a date."
            )


def _find_categories(X, chosen):
    mask = category_mask(X, chosen, (*CATEGORIES, *STRINGS, *TRUTHS))
    if isinstance(chosen, str):  # from_dtype: objects may be strings or numbers
        for j in np.flatnonzero([name == "object" for name in dtypes(X)]):
            mask[j] = as_floats(column(X, j)) is None
    return mask


def _numbers(check, *args, **options):
    """Validate numbers by one of scikit-learn's functions; the last of args is X."""
    X = args[-1]
    objects = [name == "object" for name in dtypes(X)]
    if any(objects):  # numbers of pandas, some of them missing
        X = X.copy()
        for j in np.flatnonzero(objects):
            if (found := as_floats(column(X, j))) is not None:
                X.isetitem(j, found)
    options |= {"dtype": FLOATS, "ensure_all_finite": "allow-nan"}
    with words_explained(X):
        return check(*args[:-1], X, **options)


@contextmanager
def words_explained(X):
    """Say of words among the numbers of X how they become categories."""
    try:
        yield
    except ValueError as error:
        words = np.asarray(X).dtype.kind in "OUS"  # else they are not in X
        if not words or "could not convert string" not in str(error):
            raise
        raise ValueError(
            f"{error}. Columns of strings are categories where X is a data frame, or "
            "where categorical_features names them."
        ) from error


# --- arrays in, arrays out ------------------------------------------------------------


def _score(x, values, scores):
    """Interpolate scores; beyond the known values they grow by one at most."""
    power = -np.frexp(np.abs(values).max())[1]  # of two, lest differences overflow
    with np.errstate(over="ignore"):
        x, values = np.ldexp(x, power), np.ldexp(values, power)
        slope = (scores[-1] - scores[0]) / (values[-1] - values[0])
        beyond = x - x.clip(values[0], values[-1])
        more = np.sign(beyond) * (1 - 1 / (1 + slope * np.abs(beyond)))
    return np.interp(x, values, scores) + more


def _n_distinct(numbers, categories, w):
    codes = [np.column_stack([codes for codes, _ in categories])] if categories else []
    return len(EqualRows.of(numbers, *codes, w=w))


def _through(x, edges):
    """Return how far each value is through each bin, from 0 to 1."""
    low, width = edges[:-1] / 2, np.diff(edges / 2)  # halves, lest differences overflow
    return ((x[:, None] / 2 - low) / width).clip(0, 1)


def _scale(x, w, numeric):
    """Return center and scale of a column, and what its median becomes."""
    low, median, high = quantiles(x, w, (0.25, 0.5, 0.75))
    if numeric == "passthrough":
        return 0.0, 1.0, median
    if numeric == "robust":
        scale = high - low if high > low else x.max() / 2 - x.min() / 2
        return median, scale, 0.0
    share = w / w.sum()
    mean = share @ x
    away = x / 2 - mean / 2
    peak = np.abs(away).max()
    scale = 2 * peak * np.sqrt(share @ (away / peak) ** 2)
    return mean, scale, (median / 2 - mean / 2) / (scale / 2)


def _sorted_levels(keys):
    """Return distinct keys, ascending, all numbers or all texts; and their places."""
    if any(isinstance(key, str) for key in keys):
        keys = [str(key) for key in keys]
    return np.unique(np.asarray(keys), return_inverse=True)


def _largest(share, k):
    """Return which are the k largest, the first ones among equals."""
    order = np.lexsort((np.arange(len(share)), -np.round(share / TIES)))
    mask = np.zeros(len(share), dtype=bool)
    mask[order[:k]] = True
    return mask
