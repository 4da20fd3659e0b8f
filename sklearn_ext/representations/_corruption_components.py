"""What linear contrastive learning with corrupted copies finds, in closed form."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    check_array,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    StrOptions,
    _check_feature_names,
    _check_n_features,
    _num_samples,
    _safe_indexing,
)
from sklearn_ext._core._tables import category_mask
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import dense
from sklearn_ext._numerics._corruption import corrupt
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._factors import eigh
from sklearn_ext.representations._views import RandomFeaturesView

N_WAVES = 300
RANK = 1e-10  # eigenvalues below this share of the largest are rounding
ROUNDING = 1e-20  # variance of a coded column that is constant


class CorruptionComponents(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ExtEstimator
):
    r"""Components on which two corrupted copies of a row agree, exactly.

    Contrastive learning on tables makes two copies of each row, replaces a share c of
    the columns of each by values of other rows, and looks for a map f under which the
    copies of a row agree and those of different rows do not. For a linear map and the
    spectral loss :math:`-2\, \mathrm{E} f(x)^\top f(x^+) + \mathrm{E} (f(x)^\top
    f(x^-))^2` nothing need be trained. With :math:`\Sigma` the covariance of columns
    and :math:`k = (1 - c)^2`, copies have the cross-covariance :math:`C_+ = k \Sigma`
    and the covariance :math:`C = k \Sigma + (1 - k) \operatorname{blockdiag} \Sigma`;
    the minimum are the leading eigenvectors of :math:`C_+ v = \lambda C v`, each times
    :math:`\sqrt \lambda`. With :math:`\mu` the eigenvalues of the correlation
    matrix, :math:`\lambda = k \mu / (k \mu + 1 - k)`. Hence

    - on numbers (``n_bins=None``) it is PCA of the standardised columns, and the
      corruption only sets the weight of each component;
    - on categories, and on numbers cut into bins, whose columns of a block move
      together, it is multiple correspondence analysis;
    - on a ``feature_map`` of the whole row, such as random Fourier features, the same
      problem holds with both matrices estimated from corrupted copies, where the mean
      variance over the number of rows is added to the diagonal of :math:`C`.

    It is a map, a baseline for contrastive nets, and a proof of what their loss does.
    As the only representation in front of a classifier it seldom beats the best of
    plain columns, their tilt and random features.

    Bins and scales are the rows' own, so units do not matter, but for the draws of a
    ``feature_map``, which go by the rows' values. Cost: one product of all rows, one
    eigendecomposition of the coded columns, or of the rows where these are fewer.

    Parameters
    ----------
    n_components : int or None, default=32
        Number of components, at most as many as there are; None keeps all.
    corruption : float, default=0.5
        Probability c that a column is replaced in a copy, above 0 and below 1.
    n_bins : int or None, default=8
        Numbers are cut at quantiles into so many bins, fewer where values repeat; None
        takes them as they are, standardised.
    feature_map : {"random_features"}, transformer or None, default=None
        A map of the coded row: None is none, ``"random_features"`` are 300 random
        Fourier features with ``gamma`` one over the mean squared distance of two rows.
        With a map, numbers are standardised instead of cut. One whose `fit` takes
        no weights sees each distinct row once.
    n_draws : int, default=4
        Corrupted copies of a row from which the matrices are estimated, with a
        ``feature_map`` only.
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Columns that are categories: those of a data frame with such a dtype, a mask,
        positions, or names. None has none.
    random_state : int, RandomState instance or None, default=None
        Seed of random features and copies, with a ``feature_map`` only.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_coded)
        The map, on coded or mapped rows.
    mean_ : ndarray of shape (n_coded,)
        Mean of these.
    eigenvalues_ : ndarray of shape (n_components,)
        The eigenvalues :math:`\lambda`, descending: how far copies agree.
    n_components_ : int
        Number of components.
    feature_map_ : object
        The fitted map, only with ``feature_map``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, when all are strings.

    See Also
    --------
    ContrastiveEncoder : A net that is trained on such copies.
    sklearn.decomposition.PCA : Without the scaling of columns.

    References
    ----------
    .. [1] D. Bahri, H. Jiang, Y. Tay and D. Metzler, "SCARF: Self-Supervised
       Contrastive Learning using Random Feature Corruption", ICLR 2022.
    .. [2] J. Z. HaoChen, C. Wei, A. Gaidon and T. Ma, "Provable Guarantees for
       Self-Supervised Deep Learning with Spectral Contrastive Loss", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ext.representations import CorruptionComponents
    >>> X, _ = load_wine(return_X_y=True)
    >>> CorruptionComponents(2).fit(X).transform(X).shape
    (178, 2)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "corruption": [Interval(Real, 0, 1, closed="neither")],
        "n_bins": [Interval(Integral, 2, None, closed="left"), None],
        "feature_map": [
            StrOptions({"random_features"}),
            HasMethods(["fit", "transform"]),
            None,
        ],
        "n_draws": [Interval(Integral, 2, None, closed="left")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=32,
        *,
        corruption=0.5,
        n_bins=8,
        feature_map=None,
        n_draws=4,
        categorical_features="from_dtype",
        random_state=None,
    ):
        self.n_components = n_components
        self.corruption = corruption
        self.n_bins = n_bins
        self.feature_map = feature_map
        self.n_draws = n_draws
        self.categorical_features = categorical_features
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Find the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows: numbers, and categories of any type in a data frame.
        y : object, default=None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        CorruptionComponents
            The fitted components.
        """
        w = check_weights(sample_weight, X, dtype=np.float64)
        w = w / w.max()  # so that no product overflows
        if not w.all():
            X, w = _safe_indexing(X, np.flatnonzero(w)), w[w > 0]
        numbers, categories = self._read(X, reset=True)
        n_bins = None if self.feature_map is not None else self.n_bins
        self._encoder = None
        if categories is not None:
            self._encoder = OneHotEncoder(
                handle_unknown="ignore", sparse_output=False, dtype=numbers.dtype
            ).fit(categories)
        if self.feature_map is not None:
            numbers, categories, w = self._distinct(numbers, categories, w)
        self._coding = Coding.of(numbers, w, n_bins)
        Z, groups = self._code(numbers, categories), self._groups()
        self.__dict__.pop("feature_map_", None)
        if self.feature_map is None:
            found = components_of(Z, w, groups, self.corruption)
        else:
            found = self._of_map(Z, w, groups)
        if len(found.eigenvalues) == 0:
            raise ValueError(
                "CorruptionComponents needs rows that differ, got "
                f"{len(Z)} sample(s) that are all equal."
            )
        kept = slice(self.n_components)
        self.components_ = found.components[kept].astype(numbers.dtype)
        self.eigenvalues_ = found.eigenvalues[kept]
        self.mean_ = found.mean.astype(numbers.dtype)
        self.n_components_ = len(self.components_)
        return self

    def transform(self, X):
        """Map rows to the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; a category that was not seen is none of those that were.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            The components.
        """
        check_is_fitted(self)
        Z = self._code(*self._read(X, reset=False))
        if hasattr(self, "feature_map_"):
            Z = self._mapped(Z)
        return ((Z - self.mean_) @ self.components_.T).astype(self.components_.dtype)

    @property
    def _n_features_out(self):
        return self.n_components_

    # --- coding -------------------------------------------------------------------

    def _read(self, X, *, reset):
        """Return columns of numbers as an array, and those of categories, or None."""
        if reset:
            self._is_category = category_mask(X, self.categorical_features)
        if not self._is_category.any():
            X = validate_data(self, X, dtype=FLOATS, reset=reset)
            return X, None
        _check_feature_names(self, X, reset=reset)
        _check_n_features(self, X, reset=reset)
        parts = [
            _safe_indexing(X, np.flatnonzero(at), axis=1)
            for at in (~self._is_category, self._is_category)
        ]
        if self._is_category.all():
            return np.empty((_num_samples(X), 0)), parts[1]
        return check_array(parts[0], dtype=FLOATS, input_name="X"), parts[1]

    def _code(self, numbers, categories):
        Z = self._coding(numbers)
        if categories is None:
            return Z
        coded = self._encoder.transform(categories)
        return np.hstack([Z, coded]).astype(Z.dtype, copy=False)

    def _groups(self):
        """Return the original column of each coded one."""
        sizes = list(self._coding.sizes)
        if self._encoder is not None:
            sizes += [len(c) for c in self._encoder.categories_]
        return np.repeat(np.arange(len(sizes)), sizes)

    # --- the components of a map of corrupted copies ------------------------------

    def _distinct(self, numbers, categories, w):
        """Merge equal rows, in an order of their values, as copies are drawn by row."""
        tables = [numbers]
        if categories is not None:
            tables.append(self._encoder.transform(categories))
            tables = tables[not numbers.shape[1] :]
        rows = EqualRows.in_either_precision(*tables, w=w)
        if categories is not None:
            categories = _safe_indexing(categories, rows.first)
        return numbers[rows.first], categories, rows.weight

    def _of_map(self, Z, w, groups):
        rng = check_random_state(self.random_state)
        if isinstance(self.feature_map, str):
            view = RandomFeaturesView(N_WAVES, random_state=rng)
            self.feature_map_ = view.fit(Z, sample_weight=w)
        else:
            weighted = has_fit_parameter(self.feature_map, "sample_weight")
            options = {"sample_weight": w} if weighted else {}
            self.feature_map_ = clone(self.feature_map).fit(Z, **options)
        draw = np.random.default_rng(rng.randint(2**31 - 1))
        copies = (
            corrupt(Z, Z, draw, corruption=self.corruption, groups=groups, w=w)
            for _ in range(self.n_draws)
        )
        return components_of_copies(map(self._mapped, copies), w)

    def _mapped(self, Z):
        return np.asarray(dense(self.feature_map_.transform(Z)))


@dataclass(frozen=True)
class Coding:
    """How numbers are coded: each in the indicators of its bin, or standardised.

    Attributes
    ----------
    edges : tuple of ndarray or None
        Upper ends of the bins of each column, without the last.
    mean, scale : ndarray of shape (n_features,) or None
        Instead of bins.
    """

    edges: tuple | None
    mean: np.ndarray | None
    scale: np.ndarray | None

    @classmethod
    def of(cls, X, w, n_bins):
        """Learn bins, or means and scales where ``n_bins`` is None.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Numbers.
        w : ndarray of shape (n_samples,)
            Positive weights.
        n_bins : int or None
            Number of bins at most.

        Returns
        -------
        Coding
            The code.
        """
        if n_bins is not None:
            return cls(tuple(_edges(x, w, n_bins) for x in X.T), None, None)
        mean = w @ X.astype(np.float64) / w.sum()
        away = X - mean
        power = np.frexp(np.abs(away).max(axis=0))[1]  # of two, lest squares overflow
        variance = w @ np.ldexp(away, -power) ** 2 / w.sum()
        constant = X.min(axis=0) == X.max(axis=0)
        scale = np.where(constant, np.inf, np.ldexp(np.sqrt(variance), power))
        return cls(None, mean, scale)

    @property
    def sizes(self):
        """Number of coded columns of each column."""
        if self.edges is None:
            return [1] * len(self.mean)
        return [len(e) + 1 for e in self.edges]

    def __call__(self, X):
        """Code rows, in their precision."""
        if self.edges is None:
            return ((X - self.mean) / self.scale).astype(X.dtype)
        parts = [
            np.searchsorted(e, x)[:, None] == np.arange(len(e) + 1)
            for e, x in zip(self.edges, X.T, strict=True)
        ]
        return np.hstack([np.empty((len(X), 0)), *parts]).astype(X.dtype)


def _edges(x, w, n_bins):
    """Return values that close bins of equal weight; equal values share a bin."""
    order = np.argsort(x, kind="stable")
    reached = np.cumsum(w[order]) / w.sum()
    levels = np.arange(1, n_bins) / n_bins
    at = np.searchsorted(reached, levels - 1e-9)  # sums of weights round
    edges = np.unique(x[order][at])
    return edges[edges < x.max()]


# --- the eigenproblem, arrays in, arrays out ------------------------------------------


@dataclass(frozen=True)
class Components:
    """Components on which copies agree: rows that map centred columns, descending."""

    components: np.ndarray  # (n_found, n_coded)
    eigenvalues: np.ndarray  # (n_found,)
    mean: np.ndarray  # (n_coded,)


def components_of(Z, w, groups, corruption):
    """Minimise the spectral loss over linear maps, given how copies are corrupted.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_coded)
        Coded rows.
    w : ndarray of shape (n_samples,)
        Their weights.
    groups : ndarray of int of shape (n_coded,)
        Columns of the same group are replaced together.
    corruption : float
        Probability that a group is replaced in a copy.

    Returns
    -------
    Components
        All components that the rows have.
    """
    share, keep = w / w.sum(), (1 - corruption) ** 2
    mean = share @ Z.astype(np.float64)
    V = (Z - mean) * np.sqrt(share)[:, None]
    blocks = (V[:, groups == g] for g in np.unique(groups))
    parts = [_whitener(block.T @ block) for block in blocks]
    white = np.hstack([V[:, groups == g] @ R for g, R in enumerate(parts)])
    n, q = white.shape
    if q <= n:
        mu, U = eigh(white.T @ white)
    else:
        mu, left = eigh(white @ white.T)
        U = white.T @ left / np.sqrt(np.where(mu > 0, mu, np.inf))
    order = np.flatnonzero(mu > RANK * mu.max(initial=0.0))[::-1]
    mu, U = mu[order], U[:, order]
    scaled = U * np.sqrt(keep * mu) / (keep * mu + 1 - keep)
    ends = np.cumsum([R.shape[1] for R in parts])[:-1]
    components = np.empty((len(mu), Z.shape[1]))
    for g, (R, block) in enumerate(zip(parts, np.split(scaled, ends), strict=True)):
        components[:, groups == g] = (R @ block).T
    return Components(signed(components), keep * mu / (keep * mu + 1 - keep), mean)


def components_of_copies(copies, w):
    """Minimise the spectral loss over linear maps of given corrupted copies.

    Parameters
    ----------
    copies : iterable of ndarray of shape (n_samples, n_columns)
        Two copies of all rows, or more.
    w : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    Components
        All components on which copies agree.
    """
    share, n_draws, total, each, gram = w / w.sum(), 0, 0.0, 0.0, 0.0
    for copy in copies:
        P = np.asarray(copy, dtype=np.float64)
        total, each = total + P, each + share @ P
        gram, n_draws = gram + P.T @ (P * share[:, None]), n_draws + 1
    mean = each / n_draws
    both = total.T @ (total * share[:, None]) - gram
    C = gram / n_draws - np.outer(mean, mean)
    # what rows leave unknown of directions in which they hardly vary
    np.fill_diagonal(C, np.diagonal(C) + np.trace(C) / len(w))
    together = both / (n_draws * (n_draws - 1)) - np.outer(mean, mean)
    R = _whitener(C)
    found, U = eigh(R.T @ ((together + together.T) / 2) @ R)
    order = np.flatnonzero(found > RANK)[::-1]
    components = (R @ (U[:, order] * np.sqrt(found[order]))).T
    return Components(signed(components), found[order], mean)


def _whitener(C):
    """Return the map after which columns of covariance ``C`` have the identity."""
    e, U = eigh(C)
    kept = e > max(RANK * e.max(initial=0.0), ROUNDING)
    return U[:, kept] / np.sqrt(e[kept])


def signed(components):
    """Give each component the sign of its product with a vector without symmetries."""
    d = components.shape[1]
    return components * np.where(components @ np.cos(np.arange(d)) < 0, -1, 1)[:, None]
