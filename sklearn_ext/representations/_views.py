"""Views of a row: small transformers, learnt from all rows, each of unit size.

A view maps a row to columns whose variances sum to one over the rows that it has seen.
So views that stand side by side, each divided by the root of their number, have the
mean of their kernels as the kernel of the whole, and none drowns another.

The three cheap views ask nothing of the rows but their moments: weighted mean and
covariance, which add (`moments_of`). They may be fitted to rows, or to moments alone.
"""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.extmath import randomized_svd
from sklearn.utils.validation import (
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import HasMethods, Interval
from sklearn_ext._core._validation import FLOATS, check_weights, warn
from sklearn_ext._numerics._arrays import blocks, dense
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._factors import eigh
from sklearn_ext._numerics._random_features import (
    MAX_ORTHOGONAL,
    draw_phases,
    gaussian_weights,
    n_waves,
    waves,
)
from sklearn_ext._numerics._ridge import RidgeMoments

AUTO = ("raw", "tilt", "random_features")
ALL = (*AUTO, "triangle", "graph", "trees")
MANY_ROWS = 20_000  # from here on a graph of all rows is said to take long
N_CLUSTERS, N_EIGENVECTORS, N_NEIGHBORS = 300, 64, 10
N_TREES, DEPTH, N_POWERS = 200, 6, 2
LEAST_EIGENVALUE = 0.1  # Nystrom's formula divides by it
CELLS = 2**22  # of a table of distances that are held at a time


def moments_of(X, w):
    """Return mean and covariance of rows as sums that add, in double precision."""
    first = X[0].astype(np.float64)  # from which constants are exactly zero
    A = X - first
    moments = RidgeMoments.of(A, np.empty((len(A), 0)), w.astype(np.float64))
    return replace(moments, mean=moments.mean + first)


def total_variance(moments):
    """Return the summed variance of the columns; zero where it is mere rounding."""
    gram = np.diagonal(moments.gram).sum()
    return gram / moments.weight if gram > moments.rounding.noise else 0.0


class View(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ExtEstimator):
    """What views share: rows are checked, kept in their precision, scaled to unit size.

    A subclass fits itself in ``_fit(X, w)``, or, where moments are all that
    it needs, in ``fit_moments(moments)``, and maps checked rows in ``map(X)``.
    """

    _parameter_constraints: dict = {}

    @fit_context()
    def fit(self, X, y=None, sample_weight=None):
        """Learn the view from rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        View
            The fitted view.
        """
        X = validate_data(self, X, dtype=FLOATS)
        w = check_weights(sample_weight, X, dtype=np.float64)
        if not w.all():
            X, w = X[w > 0], w[w > 0]
        self._fit(X, w)
        return self

    def transform(self, X):
        """Map rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            The view, of unit size over the rows that it was learnt from; zero where
            those do not vary in it.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        return self.map(X)

    @property
    def varies(self):
        """Whether the rows that it was learnt from differ in this view."""
        return self.scale_ > 0

    @property
    def _n_features_out(self):
        return self.n_columns_

    def _unit(self, V, dtype):
        """Centre and scale columns, which may be overwritten."""
        V -= self.centre_
        V /= self.scale_ or np.inf
        return V.astype(dtype, copy=False)


class MomentView(View):
    """A view that needs no more than mean and covariance."""

    def _fit(self, X, w):
        self.fit_moments(moments_of(X, w))

    def fit_moments(self, moments):
        """Learn the view from `moments_of` rows, of one table or many blocks.

        Parameters
        ----------
        moments : RidgeMoments
            Mean and covariance.

        Returns
        -------
        MomentView
            The fitted view.
        """
        self.mean_ = moments.mean
        self.n_features_in_ = len(moments.mean)
        self._fit_variance(moments, total_variance(moments))
        return self

    def _away(self, X):
        return X.astype(np.float64, copy=False) - self.mean_


class RawView(MomentView):
    """The columns themselves."""

    def _fit_variance(self, moments, variance):
        self.scale_, self.n_columns_ = np.sqrt(variance), len(moments.mean)

    def map(self, X):
        V = self._away(X)
        V /= self.scale_ or np.inf
        return V.astype(X.dtype, copy=False)


class TiltView(MomentView):
    """Principal components, each scaled by a power of its own standard deviation.

    A ridge on it penalises ``beta' Sigma^-power beta``: answers are expected along the
    directions in which the rows vary.
    """

    _parameter_constraints: dict = {"power": [Interval(Real, -1, None, closed="left")]}

    def __init__(self, power=1.0):
        self.power = power

    def _fit_variance(self, moments, variance):
        e, V = eigh(moments.gram)
        kept = e > moments.rounding.cut(e)
        e, V = (e[kept], V[:, kept]) if variance and kept.any() else (e[:1], V[:, :1])
        e = e / moments.weight
        tilt = (e / (e[-1] or 1.0)) ** (self.power / 2) if variance else np.zeros(1)
        self.scale_, self.n_columns_ = np.sqrt(float(e @ tilt**2)), len(e)
        self.components_ = V * (tilt / (self.scale_ or np.inf))

    def map(self, X):
        return (self._away(X) @ self.components_).astype(X.dtype, copy=False)


class RandomFeaturesView(MomentView):
    """Random Fourier features of the row, as wide as rows are apart.

    They approximate ``exp(-gamma |x - z|^2)`` with one over ``gamma`` the mean squared
    distance of two rows, twice the summed variance. Mean and size are those that rows
    of this covariance have if they are normal, closed forms of the moments; for other
    rows the size is about one.
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_components=300, *, random_state=None):
        self.n_components = n_components
        self.random_state = random_state

    def _fit_variance(self, moments, variance):
        k, d = self.n_components, len(moments.mean)
        rng, self.n_columns_ = check_random_state(self.random_state), k
        sampling = "orthogonal" if d <= MAX_ORTHOGONAL else "iid"
        W = gaussian_weights(d, n_waves(k, pair=True), sampling, rng)
        self.phases_ = draw_phases(k, rng, pair=True)
        self.gamma_ = 1 / (2 * variance) if variance else 0.0
        self.weights_ = W * np.sqrt(2 * self.gamma_)
        covariance = moments.gram / moments.weight
        apart = np.eye(d) + 4 * self.gamma_ * covariance  # E k(x, z) = |apart|^-1/2
        self.scale_ = np.sqrt(-np.expm1(-np.linalg.slogdet(apart)[1] / 2))
        spread = np.einsum("ij,ij->j", self.weights_, covariance @ self.weights_)
        cosines = np.cos(self.phases_) * np.exp(-spread / 2)
        self.centre_ = np.sqrt(2 / k) * np.append(cosines, np.zeros(k // 2))

    def map(self, X):
        P = self._away(X) @ self.weights_
        P += self.phases_
        return self._unit(waves(P, self.n_components, pair=True), X.dtype)


class RowsView(View):
    """A view that must see the rows; mean and size are those of its columns there."""

    def _measure(self, V, w):
        """Take mean and size from the view of all rows, and forget those."""
        self.n_columns_ = V.shape[1]
        self.centre_ = (w / w.sum()) @ V
        V = V - self.centre_
        square = np.einsum("ij,ij->i", V, V)
        noise = (1e-14 * np.abs(self.centre_).max(initial=0.0)) ** 2 * V.shape[1]
        variance = float(w @ square / w.sum())
        self.scale_ = np.sqrt(variance) if variance > noise else 0.0


class TriangleView(RowsView):
    """Nearness to each of many k-means centres, zero beyond the mean distance.

    ``max(0, mean_k |x - c_k| - |x - c_k|)``: of the nearer half of the centres it says
    how near they are.
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_clusters=N_CLUSTERS, *, random_state=None):
        self.n_clusters = n_clusters
        self.random_state = random_state

    def _fit(self, X, w):
        # of distinct rows in their own order, so that repetition changes no bit
        rows = EqualRows.in_either_precision(X, w=w)
        A, v = X[rows.first].astype(np.float64), rows.weight
        self.mean_ = (v / v.sum()) @ A
        A -= self.mean_
        k = min(self.n_clusters, len(A))
        rng = check_random_state(self.random_state)
        means = KMeans(k, n_init=1, random_state=rng).fit(A, sample_weight=v)
        self.centres_ = means.cluster_centers_
        self._measure(self._near(A), v)

    def _near(self, A):
        squares = np.einsum("ij,ij->i", self.centres_, self.centres_)
        out = np.empty((len(A), len(squares)))
        for rows in blocks(len(A), max(1, CELLS // len(squares))):
            D = A[rows] @ (-2 * self.centres_.T) + squares
            D += np.einsum("ij,ij->i", A[rows], A[rows])[:, None]
            D = np.sqrt(np.maximum(D, 0, out=D), out=D)
            out[rows] = np.maximum(D.mean(axis=1, keepdims=True) - D, 0)
        return out

    def map(self, X):
        return self._unit(self._near(X - self.mean_), X.dtype)


class GraphView(RowsView):
    """Slowest functions on the graph of each row's nearest rows.

    Eigenvectors of the walk from a row to one of its neighbours, itself among them,
    each divided by the root of 1.02 less its eigenvalue: functions that change slowly
    along the rows count most. Every row, of the graph or new, has the mean of its
    neighbours over the eigenvalue (Nystrom).
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, n_components=N_EIGENVECTORS, n_neighbors=N_NEIGHBORS):
        self.n_components = n_components
        self.n_neighbors = n_neighbors

    def _fit(self, X, w):
        if w.max() > w.min():
            raise ValueError(
                "The view 'graph' takes no sample_weight: a graph of neighbours has no "
                "weighted rows. Leave the view out, or pass repeated rows."
            )
        if len(X) > MANY_ROWS:
            seconds = len(X) ** 2 * (1e-8 + 1e-10 * X.shape[1])
            warn(
                f"The view 'graph' compares all {len(X)} rows with each other, about "
                f"{seconds:.0f} seconds here, and again for new rows. Leave it out, or "
                "fit to fewer rows."
            )
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        A = X - self.mean_
        k = min(self.n_neighbors, len(A))
        self.neighbors_ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(A)
        graph = self.neighbors_.kneighbors_graph(A)
        graph = graph.maximum(graph.T)
        root = np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
        e, V = _leading(
            graph.multiply(1 / root).T.multiply(1 / root), self.n_components
        )
        kept = e > LEAST_EIGENVALUE
        e, V = e[kept], V[:, kept]
        self.functions_ = V / root[:, None] / (e * np.sqrt(1.02 - e.clip(max=1.0)))
        self._measure(self._neighbourly(A), w)

    def _neighbourly(self, A):
        return self.functions_[
            self.neighbors_.kneighbors(A, return_distance=False)
        ].mean(axis=1)

    def map(self, X):
        return self._unit(self._neighbourly(X - self.mean_), X.dtype)


def _leading(S, k):
    """Return the k largest eigenvalues, ascending, of a sparse symmetric matrix."""
    n = S.shape[0]
    if n <= max(2 * k, 100):
        e, V = np.linalg.eigh(dense(S))
        return e[-k:], V[:, -k:]
    return eigsh(
        sparse.csr_array(S), k=k, which="LA", v0=np.sqrt(np.arange(1.0, n + 1))
    )


class TreesView(RowsView):
    """In which leaf of each of many random trees a row falls, on few columns.

    Trees cut columns at random thresholds and know no target. Two rows are as near as
    they have leaves in common; the view keeps the leading singular vectors of the table
    of leaves.
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_trees": [Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, n_components=200, *, n_trees=N_TREES, max_depth=DEPTH, random_state=None
    ):
        self.n_components = n_components
        self.n_trees = n_trees
        self.max_depth = max_depth
        self.random_state = random_state

    def _fit(self, X, w):
        rows = EqualRows.in_either_precision(X, w=w)
        A, v = X[rows.first].astype(np.float64), rows.weight / rows.weight.sum()
        self.mean_ = v @ A
        spread = np.sqrt(v @ (A - self.mean_) ** 2)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        rng, A = check_random_state(self.random_state), self._standard(A)
        self.trees_ = RandomTreesEmbedding(
            self.n_trees, max_depth=self.max_depth, random_state=rng
        ).fit(A)
        leaves = self.trees_.transform(A).multiply(np.sqrt(v)[:, None]).tocsr()
        k = min(self.n_components, *leaves.shape)
        _, _, V = randomized_svd(leaves, k, n_iter=N_POWERS, random_state=rng)
        self.components_ = V.T
        self._measure(self._fallen(A), v)

    def _standard(self, X):
        """Trees hold columns in single precision, which scales and levels would eat."""
        return (X - self.mean_) / self.spread_

    def _fallen(self, A):
        out = np.empty((len(A), self.components_.shape[1]))
        for rows in blocks(len(A), max(1, CELLS // self.n_trees)):
            out[rows] = self.trees_.transform(A[rows]) @ self.components_
        return out

    def map(self, X):
        return self._unit(self._fallen(self._standard(X)), X.dtype)


class TransformerView(RowsView):
    """The columns of any transformer, at unit size."""

    _parameter_constraints: dict = {"transformer": [HasMethods(["fit", "transform"])]}

    def __init__(self, transformer):
        self.transformer = transformer

    def _fit(self, X, w):
        options = {}
        if has_fit_parameter(self.transformer, "sample_weight"):
            options = {"sample_weight": w}
        elif w.max() > w.min():
            raise ValueError(
                f"The view {type(self.transformer).__name__} takes no sample_weight in "
                "fit. Leave it out, or pass repeated rows."
            )
        self.transformer_ = clone(self.transformer).fit(X, None, **options)
        self._measure(self._columns(X), w)

    def _columns(self, X):
        V = dense(self.transformer_.transform(X))
        V = np.asarray(V, dtype=np.float64)
        name = type(self.transformer).__name__
        if len(V) != len(X):
            raise ValueError(
                f"The view {name} must return one row for each of {len(X)}, got "
                f"{len(V)}."
            )
        assert_all_finite(V, input_name=f"view {name}")
        return V.reshape(len(X), -1).copy()

    def map(self, X):
        return self._unit(self._columns(X), X.dtype)


def named_views(views, *, n_components=300):
    """Return pairs of a name and an unfitted view.

    Parameters
    ----------
    views : "auto", "all", str, transformer or sequence
        Names of views, transformers, or pairs of a name and either.
    n_components : int, default=300
        Columns of random features.

    Returns
    -------
    list of tuple
        Distinct names, and views; a transformer is wrapped to be of unit size.
    """
    known = {
        "raw": RawView,
        "tilt": TiltView,
        "random_features": lambda: RandomFeaturesView(n_components),
        "triangle": TriangleView,
        "graph": GraphView,
        "trees": TreesView,
    }
    if isinstance(views, str):
        views = {"auto": AUTO, "all": ALL}.get(views, (views,))
    elif hasattr(views, "transform"):
        views = (views,)
    pairs = []
    for entry in views:
        if isinstance(entry, tuple) and len(entry) != 2:
            raise ValueError(
                f"views must hold pairs of a name and a view, got {entry!r}."
            )
        name, view = entry if isinstance(entry, tuple) else (None, entry)
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"The names of views must be str, got {name!r}.")
        if isinstance(view, str):
            if view not in known:
                raise ValueError(
                    f"views must name some of {list(known)}, or be 'auto', 'all' or "
                    f"transformers; got {view!r}."
                )
            name, view = name or view, known[view]()
        elif not (hasattr(view, "fit") and hasattr(view, "transform")):
            raise TypeError(
                "views must hold names, transformers or pairs of a name and a "
                f"transformer; got {view!r}."
            )
        else:
            name = name or type(view).__name__.lower()
            view = view if isinstance(view, View) else TransformerView(view)
        taken = [other for other, _ in pairs]
        if name in taken:
            same = sum(other.rpartition("-")[0] == name for other in taken)
            name = f"{name}-{same + 2}"
        pairs.append((name, view))
    if not pairs:
        raise ValueError("views must hold at least one view, got none.")
    return pairs
