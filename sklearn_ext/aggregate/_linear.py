"""Linear regression from aggregates: bag loss, instance loss and between."""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import Interval, StrOptions, _safe_indexing
from sklearn_ext._core._validation import FLOATS
from sklearn_ext.aggregate._base import (
    BagRegressorBase,
    check_bags,
    check_lengths,
    check_magnitude,
)
from sklearn_ext.aggregate._precision import precision_weights
from sklearn_ext.aggregate._solvers import solve_dual, solve_lsqr, solve_normal
from sklearn_ext.aggregate._statistics import BaggedData, summarize

_MANY_SPARSE_FEATURES = 500  # beyond it the operator is cheaper than d x d products


def split_missing(y):
    """Return y with 0 for NaN, and where it was NaN."""
    y = check_array(
        y, ensure_2d=False, dtype=float, ensure_all_finite="allow-nan", input_name="y"
    )
    missing = np.isnan(y)
    return np.where(missing, 0.0, y), missing


def warn_one_bag(data):
    """Warn where every model is constant."""
    if data.n_bags == 1:
        warnings.warn(
            "There is one bag: slopes cannot be estimated and the model is constant.",
            UserWarning,
            stacklevel=5,
        )


class LinearBagModel(MultiOutputMixin, BagRegressorBase):
    """What the linear members share; they differ in ``rho`` and how it is chosen."""

    __metadata_request__fit = {"response_noise_var": True}

    _parameter_constraints: dict = {
        "aggregate": [StrOptions({"mean", "sum"})],
        "bag_weight": [StrOptions({"size", "uniform", "precision"})],
        "fit_intercept": ["boolean"],
        "compute_covariance": ["boolean"],
        "allow_missing_aggregate": ["boolean"],
    }

    _leaves_out = False  # whether bags are left out to judge a model

    def _data(self, X, y, bags, sample_weight, response_noise_var, *, reset=True):
        """Validate and take bag means."""
        missing = None
        if self.allow_missing_aggregate and y is not None:
            y, missing = split_missing(y)
        check_lengths(X, y, bags)
        try:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse="csr",
                dtype=FLOATS,
                multi_output=True,
                y_numeric=True,
                reset=reset,
            )
        except ValueError as error:
            if "Input y contains NaN" not in str(error):
                raise
            raise ValueError(
                f"{error} Where a bag has no aggregate, leave NaN on all its rows and "
                f"set {type(self).__name__}(allow_missing_aggregate=True)."
            ) from None
        self._one_target, self._dtype = y.ndim == 1, X.dtype.name
        noise = self._check_noise(response_noise_var, y)
        if missing is not None and missing.any():
            y = np.where(missing, np.nan, y)
        y = y.reshape(len(y), -1)
        both = y if noise is None else np.column_stack([y, noise])
        X, both, bags = check_bags(
            X, both, bags, sample_weight, whole_rows=self._leaves_out
        )
        y = both[:, : y.shape[1]]
        data = BaggedData.of(X, y, bags, self.aggregate, self.bag_weight)
        check_magnitude(data.x_means, "X")
        if noise is not None:
            noise = bags.means(both[:, -1])
            if self.aggregate == "sum":
                noise = noise / bags.sizes**2
            data = precision_weights(data, noise, fit_intercept=self.fit_intercept)
        self.bag_sizes_ = bags.sizes if data.known.all() else bags.sizes[data.known]
        return data

    def _check_noise(self, response_noise_var, y):
        if (self.bag_weight == "precision") != (response_noise_var is not None):
            raise ValueError(
                "response_noise_var and bag_weight='precision' go together: the "
                "variance of each published aggregate decides the weight of its bag. "
                f"Got bag_weight={self.bag_weight!r} and response_noise_var="
                f"{'None' if response_noise_var is None else 'an array'}."
            )
        if response_noise_var is None:
            return None
        noise = np.atleast_1d(response_noise_var)
        noise = check_array(
            noise, ensure_2d=False, dtype=float, input_name="response_noise_var"
        )
        if noise.shape != (len(y),) or noise.min() < 0:
            raise ValueError(
                "response_noise_var must hold one non-negative variance per row, got "
                f"shape {noise.shape} and minimum {noise.min():g} for {len(y)} rows."
            )
        return noise

    def _set(self, solution, n_samples, n_bags):
        """Store the solution in the shapes and dtype of the data."""
        pick = (lambda a: a[0]) if self._one_target else (lambda a: a)
        self.coef_ = pick(solution.coef.T.astype(self._dtype))
        self.intercept_ = (
            pick(solution.intercept.astype(self._dtype)) if self.fit_intercept else 0.0
        )
        noise = solution.noise_variance(n_bags, self.fit_intercept)
        noise = np.broadcast_to(noise, solution.residual.shape).astype(float)
        self.noise_var_ = pick(noise)
        self.effective_dof_ = float(solution.trace + self.fit_intercept)
        self.coef_covariance_ = None
        if solution.unscaled_covariance is not None:
            self.coef_covariance_ = pick(
                noise[:, None, None] * solution.unscaled_covariance
            )
        self.n_bags_ = n_bags
        self.attenuation_ = n_bags / n_samples
        return self

    def predict(self, X):
        """Predict the response of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return X @ self.coef_.T + self.intercept_

    def score(self, X, y, bags=None, sample_weight=None):
        """Return R², of bag means against aggregates when ``bags`` is given.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Responses, or aggregates replicated on the rows of their bag. With
            ``allow_missing_aggregate`` rows of NaN are left out.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The score.
        """
        if self.allow_missing_aggregate:
            check_consistent_length(X, y, bags, sample_weight)
            missing = split_missing(y)[1].reshape(len(y), -1).any(axis=1)
            rows = np.flatnonzero(~missing)
            X, y, bags, sample_weight = (
                None if a is None else _safe_indexing(a, rows)
                for a in (X, y, bags, sample_weight)
            )
        return self._score(X, y, bags, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class StreamingBagModel(LinearBagModel):
    """Members with a given ``rho``: one solve, in memory or from merged sums."""

    __metadata_request__partial_fit = {"bags": True}

    _parameter_constraints: dict = {
        **LinearBagModel._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"auto", "cholesky", "eigh", "dual", "lsqr"})],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    }

    @fit_context()
    def fit(self, X, y, bags=None, sample_weight=None, response_noise_var=None):
        """Fit to rows and the aggregates of their bags.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; sparse ones are never densified.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Aggregates replicated on the rows of their bag. With ``aggregate="mean"``
            individual responses do as well: only their bag means are used.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag, which is ridge regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows inside and across bags.
        response_noise_var : array-like of shape (n_samples,), default=None
            Variance that the release added to the aggregate of the row's bag, for
            ``bag_weight="precision"``.

        Returns
        -------
        object
            The fitted estimator.
        """
        data = self._data(X, y, bags, sample_weight, response_noise_var)
        warn_one_bag(data)
        solver = self._solver_for(data)
        asked = {"fit_intercept": self.fit_intercept}
        self.stats_ = None
        if solver == "dual":
            if sparse.issparse(data.X):
                raise ValueError(
                    "solver='dual' would densify a sparse X. Use solver='lsqr'."
                )
            solution = solve_dual(
                data,
                self._chosen_rho(),
                self.alpha,
                covariance=self.compute_covariance,
                **asked,
            )
        elif solver == "lsqr":
            if self.compute_covariance:
                raise ValueError(
                    "solver='lsqr' cannot give the covariance of the slopes. Use "
                    "solver='cholesky', or compute_covariance=False."
                )
            solution = solve_lsqr(
                data,
                self._chosen_rho(),
                self.alpha,
                tol=self.tol,
                max_iter=self.max_iter,
                **asked,
            )
        else:
            self.stats_ = summarize(data, need_within=self._needs_within())
            solution = self._solve_sums(self.stats_, solver)
        self.n_iter_ = solution.n_iter
        return self._set(solution, data.X.shape[0], data.n_bags)

    @fit_context()
    def partial_fit(self, X, y, bags=None, sample_weight=None):
        """Add the rows of further bags; each bag must be complete in its call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Aggregates replicated on the rows of their bag.
        bags : array-like of shape (n_samples,), default=None
            Labels, which have no meaning beyond this call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        object
            The fitted estimator.
        """
        first = not hasattr(self, "coef_")
        if not first and self.stats_ is None:
            raise ValueError(
                "partial_fit cannot go on from a fit by the solver 'dual' or 'lsqr', "
                "which keeps no sums. Fit with solver='cholesky'."
            )
        block = self._summarize(X, y, bags, sample_weight, reset=first)
        return self._solve(block if first else self.stats_.merge(block))

    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of whole bags as if they were one table.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y, bags)`` or ``(X, y, bags, sample_weight)``, or callables
            that load such a tuple.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        object
            The fitted estimator.
        """
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs)

    def _summarize(self, X, y, bags=None, sample_weight=None, *, reset):
        if self.bag_weight == "precision":
            raise ValueError(
                "bag_weight='precision' needs all bags at once: the weights follow "
                "from a first fit. Use fit, or bag_weight='size'."
            )
        data = self._data(X, y, bags, sample_weight, None, reset=reset)
        return summarize(data, need_within=self._needs_within())

    def _solve(self, stats):
        solver = "eigh" if self.solver == "eigh" else "cholesky"
        solution = self._solve_sums(stats, solver)
        self.stats_, self.bag_sizes_, self.n_iter_ = stats, None, 1
        return self._set(solution, stats.n_samples, stats.n_bags)

    def _chosen_rho(self, stats=None):
        return self._rho()

    def _needs_within(self):
        return self._rho() > 0

    def _solve_sums(self, stats, solver):
        stats = stats.centred(self.fit_intercept)
        return solve_normal(
            stats,
            self._chosen_rho(stats),
            self.alpha,
            solver=solver,
            covariance=self.compute_covariance,
        )

    def _solver_for(self, data):
        if self.solver != "auto":
            return self.solver
        n_features = data.X.shape[1]
        if sparse.issparse(data.X):
            many = n_features > _MANY_SPARSE_FEATURES and not self.compute_covariance
            return "lsqr" if many else "cholesky"
        n_rows = len(data.omega) + (data.X.shape[0] if self._needs_within() else 0)
        return "dual" if n_features > n_rows else "cholesky"
