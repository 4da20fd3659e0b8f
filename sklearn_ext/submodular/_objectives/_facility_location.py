"""Facility location over a fixed reference set."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_random_state

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._validation import check_weights
from sklearn_ext._numerics._arrays import dense, near_zero
from sklearn_ext.submodular._objectives._coordinates import MaximumObjective
from sklearn_ext.submodular._objectives._similarities import (
    GaussianKernel,
    drawn_rows,
    euclidean_distances,
    keep_largest,
    kernel_scale,
    similarities,
)

WITH_SCALE = {"rbf", "laplacian", "polynomial", "poly", "sigmoid", "chi2"}
METRICS = {"cosine", "linear", "neg_distance", "precomputed", "additive_chi2"}


class FacilityLocation(MaximumObjective):
    r"""How well a set represents reference rows: similarity to the nearest member.

    .. math:: f(S) = \sum_{r \in W} w_r \max_{e \in S} \mathrm{sim}(e, r)

    The reference set W is drawn once and stays fixed while rows come and go: with the
    living rows as reference, every update would change the objective, and no guarantee
    would hold. A gain costs one operation per reference row, memory is
    O(n_samples n_reference), never n_samples squared (unless you ask for it).
    With similarities in [0, 1], sampling the reference changes the value of every set
    of k rows out of N by at most
    :math:`\sqrt{(\ln \binom{N}{k} + \ln(2/\delta)) / (2 m)}` with chance
    :math:`1-\delta`.

    Parameters
    ----------
    metric : str or callable, default="rbf"
        "rbf", "cosine" (negative ones count as zero), "linear", "neg_distance" (the
        largest distance between reference rows minus the distance: its constant makes
        every set look good, prefer "rbf"), "precomputed" (rows of similarities to the
        reference), another kernel of scikit-learn or a callable ``metric(X, Y)``.
    gamma : float, default=None
        Scale of the kernel; None takes one over the median squared distance of
        reference rows for "rbf".
    reference : "sample" or array-like, default="sample"
        The rows to be represented, of shape (n_reference, n_features); "sample" draws
        ``n_reference`` of those at hand.
    n_reference : int, default=1000
        Number of reference rows at most; all rows when there are fewer. Otherwise they
        are drawn in proportion to their weights, equal rows as one.
    n_neighbors : int, default=None
        Keep only the largest similarities of each row; None keeps all.

    Attributes
    ----------
    reference_ : ndarray of shape (n_coords, n_features)
        Reference rows; None for precomputed similarities.
    gamma_ : float
        Scale of the kernel.
    n_coords_ : int
        Number of reference rows.
    coord_weights_ : ndarray of shape (n_coords,)
        Their weights, summing to one.

    See Also
    --------
    LogDet : Diversity instead of representation.
    sklearn.cluster.KMeans : Centres that need not be rows.

    Examples
    --------
    >>> from sklearn_ext.submodular import FacilityLocation, maximize
    >>> found = maximize(FacilityLocation(), [[0.0], [0.1], [0.2], [5.0]], 2)
    >>> found.indices.tolist()
    [1, 3]
    """

    weighs_reference = True

    _parameter_constraints: dict = {
        "metric": [StrOptions(METRICS | WITH_SCALE), callable],
        "gamma": [Interval(Real, 0, None, closed="neither"), None],
        "reference": [StrOptions({"sample"}), "array-like"],
        "n_reference": [Interval(Integral, 1, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        metric="rbf",
        *,
        gamma=None,
        reference="sample",
        n_reference=1000,
        n_neighbors=None,
    ):
        self.metric = metric
        self.gamma = gamma
        self.reference = reference
        self.n_reference = n_reference
        self.n_neighbors = n_neighbors

    @property
    def may_fail(self):
        """Whether a function of the user computes coordinates."""
        return callable(self.metric)

    def _fit_reference(self, X, sample_weight, random_state):
        seed = check_random_state(random_state).randint(2**31 - 1)
        weights = check_weights(sample_weight, X, dtype=np.float64)
        self.reference_, self.gamma_, self._farthest = None, self.gamma, None
        self._prepared = None
        if self.metric == "precomputed":
            own = X.shape[0] == X.shape[1]  # columns are the rows themselves
            self._weigh(weights if own else np.ones(X.shape[1]))
            return
        if isinstance(self.reference, str):
            rows, weights = drawn_rows(X, weights, self.n_reference, seed)
            X = X[rows].copy()
        else:
            n_features = X.shape[1]
            X = check_array(self.reference, dtype=np.float64, input_name="reference")
            if X.shape[1] != n_features:
                raise ValueError(
                    f"reference must have the {n_features} features of the rows, got "
                    f"{X.shape[1]}."
                )
            weights = np.ones(len(X))
        self.reference_ = X
        self._weigh(weights)
        if self.metric == "rbf" and self.gamma is None:
            self.gamma_ = kernel_scale(X, weights, seed)
        if self.metric == "neg_distance":
            near = near_zero(X)[0] if sparse.issparse(X) else X - X[:1]
            self._farthest = euclidean_distances(near).max()

    def _weigh(self, weights):
        self.n_coords_ = len(weights)
        self.coord_weights_ = weights / weights.sum()

    def _represent(self, X):
        if self.metric == "precomputed":
            return self._in_range(X, "similarities")
        S = self._similarity(X, self.reference_).astype(X.dtype, copy=False)
        S = self._in_range(S, "similarities")
        return S if self.n_neighbors is None else keep_largest(S, self.n_neighbors)

    def _gaussian(self, X):
        """Tell whether similarities of rows to the reference are plainly Gaussian."""
        thin = sparse.issparse(X) or sparse.issparse(self.reference_)
        return self.metric == "rbf" and not thin

    @property
    def _kernel(self):
        """The Gaussian kernel to the reference, prepared once."""
        if self._prepared is None or self._prepared.rows is not self.reference_:
            self._prepared = GaussianKernel(self.reference_, self.gamma_)
        return self._prepared

    def __getstate__(self):
        state = super().__getstate__()
        return {k: None if k == "_prepared" else v for k, v in state.items()}

    def _similarity(self, X, Y):
        if self.metric == "precomputed":
            return super()._similarity(X, Y)
        if Y is self.reference_ and self._gaussian(X):
            return self._kernel(X)
        return dense(similarities(X, Y, self.metric, self.gamma_, self._farthest))
