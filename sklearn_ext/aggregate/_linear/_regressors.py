"""The linear bag model and its members, with given penalties or the best."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import MultiOutputMixin
from sklearn.utils.validation import check_array, check_is_fitted

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import check_level, warn
from sklearn_ext.aggregate._bags._marks import BagMarks
from sklearn_ext.aggregate._bags._partition import (
    check_bags,
    check_lengths,
    check_magnitude,
    split_missing,
)
from sklearn_ext.aggregate._base import BagRegressorMixin
from sklearn_ext.aggregate._linear._lobo import lobo_errors
from sklearn_ext.aggregate._linear._plug_in import plug_in_rho
from sklearn_ext.aggregate._linear._precision import precision_weights
from sklearn_ext.aggregate._linear._solvers import (
    in_row_space,
    solve_dual,
    solve_lsqr,
    solve_normal,
)
from sklearn_ext.aggregate._linear._statistics import BaggedData, summarize
from sklearn_ext.aggregate._linear._trust import ColumnScatter, bag_slopes, half_widths

_MANY_SPARSE_FEATURES = 500  # beyond it the operator is cheaper than d x d products
_TIE = 1e-6  # of an error: what rounding, or another processor, may change


class LinearBagModel(MultiOutputMixin, BagRegressorMixin, ExtEstimator):
    """What the linear members share; they differ in ``rho`` and how it is chosen."""

    __metadata_request__fit = {"response_noise_var": True}

    _takes_sparse = True
    _stretches = False  # whether slopes are multiplied by rows per bag
    _parameter_constraints: dict = {
        "aggregate": [StrOptions({"mean", "sum"})],
        "bag_weight": [StrOptions({"size", "uniform", "precision"})],
        "fit_intercept": ["boolean"],
        "compute_covariance": ["boolean"],
        "allow_missing_aggregate": ["boolean"],
    }

    def _data(
        self, X, y, bags, sample_weight, noise_var, *, reset=True, whole_rows=False
    ):
        """Validate and take bag means."""
        check_lengths(X, y, bags)
        if y is not None:
            y, missing = split_missing(y)
        X, y = self._validated(X, y, multi_output=True, y_numeric=True, reset=reset)
        if missing.any() and not self.allow_missing_aggregate:
            raise ValueError(
                "Input y contains NaN. Where a bag has no aggregate, leave NaN on all "
                f"its rows and set {type(self).__name__}(allow_missing_aggregate=True)."
            )
        self._one_target, self._dtype = y.ndim == 1, X.dtype.name
        noise = self._check_noise(noise_var, y)
        y = np.where(missing, np.nan, y).reshape(len(y), -1)
        both = y if noise is None else np.column_stack([y, noise])
        X, both, bags = check_bags(X, both, bags, sample_weight, whole_rows=whole_rows)
        y = both[:, : y.shape[1]]
        self._marks = BagMarks.of(X, y, bags)
        data = BaggedData.of(X, y, bags, self.aggregate, self.bag_weight)
        check_magnitude(data.x_means, "X")
        if noise is not None:
            noise = bags.means(both[:, -1])
            if self.aggregate == "sum":
                noise = noise / bags.sizes**2
            data = precision_weights(data, noise, fit_intercept=self.fit_intercept)
        self.bag_sizes_ = bags.sizes[data.known]
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

    def _pick(self, values):
        """Drop the axis of targets where ``y`` had none."""
        return values[0] if self._one_target else values

    def _store(self, solution, columns, stats, data):
        """Store the solution in the shapes and dtype of the data.

        ``stats`` and ``data`` give slopes without penalty, which intervals lie around.
        """
        m, self._columns = columns.n_bags, columns
        if self._stretches:
            solution = replace(solution, coef=solution.coef * (columns.n_rows / m))
        self.coef_ = self._pick(solution.coef.T.astype(self._dtype))
        self.intercept_ = 0.0
        if self.fit_intercept:
            self.intercept_ = self._pick(solution.intercept.astype(self._dtype))
        self.noise_var_ = self._pick(solution.noise_variance(m, self.fit_intercept))
        self.effective_dof_ = float(solution.trace + self.fit_intercept)
        self.n_bags_, self.attenuation_ = m, m / columns.n_rows
        self.unbiased_coef_ = self.coef_covariance_ = None
        if not self.compute_covariance:
            return self
        coef, covariance, self._freedom = bag_slopes(
            stats.centred(self.fit_intercept), data, fit_intercept=self.fit_intercept
        )
        self.unbiased_coef_ = self._pick(coef.T)
        self.coef_covariance_ = self._pick(covariance)
        reach = half_widths(self.coef_covariance_, self._freedom, 0.68)
        if (np.abs(self.coef_ - self.unbiased_coef_) > reach).any():
            warn(
                "Penalties shrink some slopes by more than a standard error: intervals "
                "around coef_ would not cover. Use coef_interval(), whose intervals "
                "lie around unbiased_coef_.",
            )
        return self

    def coef_interval(self, confidence_level=0.95):
        """Return intervals of the slopes; needs ``compute_covariance=True``.

        They lie around ``unbiased_coef_``, the least squares on bag means, since a
        penalty shrinks slopes by amounts that no covariance tells, and are Student's
        with as many degrees of freedom as bags outnumber slopes. For bags formed at
        random they cover; for others, slopes between bags need not be those of rows.

        Parameters
        ----------
        confidence_level : float, default=0.95
            Probability that the interval of a slope covers it.

        Returns
        -------
        ndarray of shape (2, n_features) or (2, n_targets, n_features)
            Lower and upper ends.
        """
        check_is_fitted(self)
        if self.coef_covariance_ is None:
            raise ValueError(
                "coef_interval needs compute_covariance=True when the model is fitted."
            )
        check_level(confidence_level)
        half = half_widths(self.coef_covariance_, self._freedom, confidence_level)
        return np.stack([self.unbiased_coef_ - half, self.unbiased_coef_ + half])

    def summary(self):
        """Say in one line whether the slopes can be trusted.

        They must not be with few bags, where a column does not vary between bags, where
        rows of a bag are alike, so that slopes between bags need not be those of rows,
        or where ``rho`` shrinks them. What bags and columns cannot show stays unsaid:
        that bags were formed by the response, above all.

        Returns
        -------
        str
            Bags, rows, features, and the doubts.
        """
        check_is_fitted(self)
        columns = self._columns
        d = self.n_features_in_
        names = getattr(self, "feature_names_in_", [f"column {j}" for j in range(d)])
        doubts = columns.doubts(0.0 if self._stretches else self.rho_, names)
        size = columns.n_rows / columns.n_bags
        verdict = "no doubt about slopes from bags and columns alone"
        if doubts:
            verdict = f"do not trust the slopes: {'; '.join(doubts)}"
        return (
            f"{type(self).__name__}: {columns.n_bags} bags of {size:.3g} rows, {d} "
            f"features; {verdict}"
        )

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
        return self._rows(X) @ self.coef_.T + self.intercept_


class StreamingBagModel(LinearBagModel):
    """Members with a given ``rho``: one solve, in memory or from merged sums.

    Each says by ``_asked_rho`` which one it is, a number or ``"theory"``.
    """

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
        if data.n_bags == 1:
            warn(
                "There is one bag: slopes cannot be estimated and the model is "
                "constant.",
            )
        self._in_bags = bags is not None
        solver = self._solver_for(data)
        if solver in ("dual", "lsqr"):
            return self._solve_rows(data, solver)
        return self._solve(summarize(data, need_within=self._asked_rho != 0), data)

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
        if not first and self._in_bags and bags is None:
            raise ValueError(
                "partial_fit got no bags, but earlier rows came in bags. Pass bags=; "
                "bags=np.arange(len(y)) says that rows are their own bags."
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
        self._in_bags = bags is not None
        return summarize(data, need_within=self._asked_rho != 0)

    def _solve(self, stats, data=None):
        """Solve sums; of a single call, ``data`` holds the bags."""
        self.rho_ = self._used_rho(stats)
        centred = stats.centred(self.fit_intercept)
        solution = solve_normal(centred, self.rho_, self.alpha, solver=self.solver)
        self.stats_, self.n_iter_ = stats, 1
        if data is None:
            self.bag_sizes_ = None
        return self._store(solution, ColumnScatter.from_sums(stats), stats, data)

    def _solve_rows(self, data, solver):
        """Solve without sums over pairs of features."""
        options, sums, stats = {"fit_intercept": self.fit_intercept}, None, None
        if solver == "dual":
            if sparse.issparse(data.X):
                raise ValueError(
                    "solver='dual' would densify a sparse X. Use solver='lsqr'."
                )
            if self._asked_rho == "theory":
                sums = summarize(in_row_space(data, self.fit_intercept)[0])
            if self.compute_covariance:
                stats = summarize(data, need_within=False)
        else:
            if self.compute_covariance:
                raise ValueError(
                    "solver='lsqr' cannot give the covariance of the slopes. Use "
                    "solver='cholesky', or compute_covariance=False."
                )
            options |= {"tol": self.tol, "max_iter": self.max_iter}
        self.rho_ = self._used_rho(sums)
        solve = solve_dual if solver == "dual" else solve_lsqr
        solution = solve(data, self.rho_, self.alpha, **options)
        self.stats_, self.n_iter_ = None, solution.n_iter
        return self._store(solution, ColumnScatter.of(data), stats, data)

    def _used_rho(self, sums):
        """Return the weight as a number; the theory reads it off the sums, if any."""
        if self._asked_rho != "theory":
            return float(self._asked_rho)
        if sums is None:
            return 0.0
        return plug_in_rho(sums, self.alpha, fit_intercept=self.fit_intercept)

    def _solver_for(self, data):
        if self.solver != "auto":
            return self.solver
        n_features = data.X.shape[1]
        if sparse.issparse(data.X):
            many = n_features > _MANY_SPARSE_FEATURES and not self.compute_covariance
            return "lsqr" if many else "cholesky"
        n_rows = len(data.omega) + (self._asked_rho != 0) * data.X.shape[0]
        return "dual" if n_features > n_rows else "cholesky"


class InterpolatingAggregateRegressor(StreamingBagModel):
    r"""Linear regression between the bag-level and the instance-level loss.

    With bag means :math:`\bar x_a`, aggregates :math:`\bar y_a` and bag weights
    :math:`\omega_a` it minimises

    .. math::
        \sum_a \omega_a \Big[(\bar y_a - b - \bar x_a\theta)^2 + \rho \sum_{i \in a}
        \tfrac{s_i}{S_a} ((x_i - \bar x_a)\theta)^2\Big] + \alpha \|\theta\|^2,

    that is :math:`(1 - \rho)` times the bag-level loss plus :math:`\rho` times the
    instance-level loss. The second term sees no response: it penalises the spread of
    predictions inside a bag. Time is O(n d + m d² + d³) for n rows in m bags, plus
    O(n d²) when ``rho > 0``; memory is O(m d + d²).

    Parameters
    ----------
    rho : float or "theory", default="theory"
        Weight of the instance-level loss: 0 is the bag-level loss, 1 the
        instance-level loss, and more than 1 is legal. ``"theory"`` minimises the
        predicted risk of :func:`aggregate_risk` at this ``alpha`` for random bags, with
        the noise, the signal and the covariance estimated; with ``solver="lsqr"``,
        which forms no sums to read them from, it is 0. A fixed weight is a trap: 0.1
        loses half of every slope with bags of ten rows and few features.
    alpha : float, default=1.0
        Ridge penalty, in the scale of :class:`~sklearn.linear_model.Ridge`; weights
        times a constant ask for alpha times that constant.
    aggregate : {"mean", "sum"}, default="mean"
        What ``y`` carries: the (weighted) mean of the bag, or its total, replicated on
        the rows.
    bag_weight : {"size", "uniform", "precision"}, default="size"
        Weight of a bag: its size, best for equal noise of the rows; one; or the
        inverse variance that follows from ``response_noise_var`` and an estimate of
        the noise of the rows.
    fit_intercept : bool, default=True
        Whether to fit an unpenalised intercept.
    solver : {"auto", "cholesky", "eigh", "dual", "lsqr"}, default="auto"
        ``"cholesky"`` and ``"eigh"`` solve the normal equations, ``"dual"`` works in
        the space of rows, ``"lsqr"`` only multiplies with ``X``. ``"auto"`` takes
        ``"lsqr"`` for sparse rows with more than 500 features (without
        ``compute_covariance``), ``"dual"`` when features outnumber rows and bags, and
        ``"cholesky"`` else.
    tol : float, default=1e-8
        Tolerance of ``"lsqr"``.
    max_iter : int or None, default=None
        Most iterations of ``"lsqr"``; None takes twice the number of features.
    compute_covariance : bool, default=False
        Whether to fit the slopes without any penalty as well, and their covariance,
        for :meth:`coef_interval`. Refused where bags do not outnumber slopes.
    allow_missing_aggregate : bool, default=False
        Whether bags whose ``y`` is NaN are allowed. They count as unlabelled rows: in
        the spread of predictions inside bags only, so they matter when ``rho > 0``.

    Attributes
    ----------
    rho_ : float
        The interpolation weight that was used.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Slopes.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    noise_var_ : float or ndarray of shape (n_targets,)
        Variance of a response of weight one: of a row for the weights ``"size"`` and
        ``"precision"``, of an aggregate for ``"uniform"``. NaN when the model leaves
        no degrees of freedom or the solver was ``"lsqr"``.
    effective_dof_ : float
        Trace of the map from aggregates to fitted aggregates, intercept included; NaN
        for ``"lsqr"``.
    unbiased_coef_ : ndarray of the shape of ``coef_`` or None
        Least squares of aggregates on bag means, which no penalty shrinks; None
        without ``compute_covariance``.
    coef_covariance_ : ndarray of shape (n_features, n_features) or None
        Covariance of ``unbiased_coef_``, with a leading axis for several targets; None
        without ``compute_covariance``. After ``fit`` it follows from the residuals of
        bags left out, whatever their noise; after ``partial_fit`` it takes noise of
        rows that is equal and weights by size.
    n_bags_ : int
        Number of bags that have an aggregate.
    bag_sizes_ : ndarray of shape (n_bags,) or None
        Total weight of each of them; None after ``partial_fit``.
    attenuation_ : float
        Bags per row: the factor by which the instance-level loss shrinks every slope
        when bags are random.
    stats_ : AggregateStatistics or None
        The sums that ``partial_fit`` goes on from; None for ``"dual"`` and ``"lsqr"``.
    n_iter_ : int
        Iterations of ``"lsqr"``; 1 for the direct solvers.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when all are strings.

    See Also
    --------
    InterpolatingAggregateRegressorCV : Chooses ``rho`` and ``alpha``.
    BagRegressor : The member ``rho=0``.
    sklearn.linear_model.Ridge : When every row has its own response.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import InterpolatingAggregateRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y, bags = X @ [1.0, -2.0], np.arange(300) // 3  # only bag means of y are used
    >>> model = InterpolatingAggregateRegressor(rho=0.001, alpha=0.1)
    >>> model.fit(X, y, bags=bags).coef_.round(1)
    array([ 1., -2.])
    """

    _parameter_constraints: dict = {
        **StreamingBagModel._parameter_constraints,
        "rho": [Interval(Real, 0, None, closed="left"), StrOptions({"theory"})],
    }

    def __init__(
        self,
        rho="theory",
        alpha=1.0,
        *,
        aggregate="mean",
        bag_weight="size",
        fit_intercept=True,
        solver="auto",
        tol=1e-8,
        max_iter=None,
        compute_covariance=False,
        allow_missing_aggregate=False,
    ):
        self.rho = rho
        self.alpha = alpha
        self.aggregate = aggregate
        self.bag_weight = bag_weight
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.compute_covariance = compute_covariance
        self.allow_missing_aggregate = allow_missing_aggregate

    @property
    def _asked_rho(self):
        return self.rho


@shared_docs(InterpolatingAggregateRegressor)
class BagRegressor(StreamingBagModel):
    r"""Ridge regression of aggregates on bag means.

    Minimises :math:`\sum_a \omega_a (\bar y_a - b - \bar x_a\theta)^2 + \alpha
    \|\theta\|^2`, the member ``rho=0`` of the family: unbiased for bags formed at
    random, and the baseline that any other method has to beat. It never needs a pass
    over pairs of features of the rows: time O(n d + m d² + d³), memory O(m d + d²).

    Parameters
    ----------
    alpha : see InterpolatingAggregateRegressor
    aggregate, bag_weight : see InterpolatingAggregateRegressor
    fit_intercept, solver, tol, max_iter : see InterpolatingAggregateRegressor
    compute_covariance : see InterpolatingAggregateRegressor
    allow_missing_aggregate : bool, default=False
        Whether bags whose ``y`` is NaN are allowed; they are left out.

    Attributes
    ----------
    rho_ : see InterpolatingAggregateRegressor
    coef_, intercept_, noise_var_ : see InterpolatingAggregateRegressor
    effective_dof_ : see InterpolatingAggregateRegressor
    unbiased_coef_, coef_covariance_ : see InterpolatingAggregateRegressor
    n_bags_, bag_sizes_, attenuation_ : see InterpolatingAggregateRegressor
    stats_, n_iter_ : see InterpolatingAggregateRegressor
    n_features_in_, feature_names_in_ : see InterpolatingAggregateRegressor

    See Also
    --------
    InterpolatingAggregateRegressorCV : Chooses ``rho`` and ``alpha``.
    sklearn.linear_model.Ridge : When every row has its own response.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import BagRegressor
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y, bags = X @ [1.0, -2.0], np.arange(300) // 3
    >>> BagRegressor().fit(X, y, bags=bags).coef_.round(1)
    array([ 1., -2.])
    """

    _asked_rho = 0.0

    def __init__(
        self,
        alpha=1.0,
        *,
        aggregate="mean",
        bag_weight="size",
        fit_intercept=True,
        solver="auto",
        tol=1e-8,
        max_iter=None,
        compute_covariance=False,
        allow_missing_aggregate=False,
    ):
        self.alpha = alpha
        self.aggregate = aggregate
        self.bag_weight = bag_weight
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.compute_covariance = compute_covariance
        self.allow_missing_aggregate = allow_missing_aggregate


@shared_docs(InterpolatingAggregateRegressor)
class InstanceRegressor(StreamingBagModel):
    r"""Ridge regression of rows on the replicated aggregate of their bag.

    The member ``rho=1`` of the family, and a trap: with bags formed at random it
    recovers only the fraction m/n of every slope in expectation. It is stable, and
    good when the rows of a bag are alike. Time is O(n d² + d³), memory O(m d + d²).

    Parameters
    ----------
    alpha : see InterpolatingAggregateRegressor
    debias : bool, default=False
        Whether to multiply the slopes by n/m. Only right for random bags, and of high
        variance: with bags of two rows, four rows per feature and noise variance 0.1
        the excess risk is 0.4, against 0.1 for the bag-level loss.
    aggregate, bag_weight : see InterpolatingAggregateRegressor
    fit_intercept, solver, tol, max_iter : see InterpolatingAggregateRegressor
    compute_covariance : see InterpolatingAggregateRegressor
    allow_missing_aggregate : bool, default=False
        Whether bags whose ``y`` is NaN are allowed. They count as unlabelled rows: in
        the spread of predictions inside bags only, which shrinks the slopes.

    Attributes
    ----------
    rho_ : see InterpolatingAggregateRegressor
    coef_, intercept_ : see InterpolatingAggregateRegressor
    noise_var_ : float or ndarray of shape (n_targets,)
        As there, but far too large for random bags, whose shrunken slopes leave signal
        in the residuals.
    effective_dof_ : see InterpolatingAggregateRegressor
    unbiased_coef_, coef_covariance_ : see InterpolatingAggregateRegressor
    n_bags_, bag_sizes_, attenuation_ : see InterpolatingAggregateRegressor
    stats_, n_iter_ : see InterpolatingAggregateRegressor
    n_features_in_, feature_names_in_ : see InterpolatingAggregateRegressor

    See Also
    --------
    BagRegressor : Unbiased for random bags.
    InterpolatingAggregateRegressorCV : Chooses between the two.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import InstanceRegressor
    >>> X = np.random.default_rng(0).normal(size=(3000, 2))
    >>> y, bags = X @ [1.0, -2.0], np.arange(3000) // 2
    >>> InstanceRegressor().fit(X, y, bags=bags).coef_.round(1)  # a half is lost
    array([ 0.5, -1. ])
    """

    _asked_rho = 1.0
    _parameter_constraints: dict = {
        **StreamingBagModel._parameter_constraints,
        "debias": ["boolean"],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        debias=False,
        aggregate="mean",
        bag_weight="size",
        fit_intercept=True,
        solver="auto",
        tol=1e-8,
        max_iter=None,
        compute_covariance=False,
        allow_missing_aggregate=False,
    ):
        self.alpha = alpha
        self.debias = debias
        self.aggregate = aggregate
        self.bag_weight = bag_weight
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.compute_covariance = compute_covariance
        self.allow_missing_aggregate = allow_missing_aggregate

    @property
    def _stretches(self):
        return self.debias


@shared_docs(InterpolatingAggregateRegressor)
class InterpolatingAggregateRegressorCV(LinearBagModel):
    r"""Linear regression from aggregates that chooses its two penalties.

    Every pair of a grid is judged by its leave-one-bag-out error
    :math:`\tfrac1m \sum_a \omega_a e_a^2` in closed form. For bags formed at random,
    weighted by size, this estimates the mean squared error of *rows*; for bags of
    similar rows it does not, but still compares models at bag level. One generalised
    eigenproblem for each alpha gives all rhos: time O(n d² + m d² n_alphas +
    m d n_alphas n_rhos), memory O(m d + d²).

    Parameters
    ----------
    rhos : array-like of shape (n_rhos,) or None, default=None
        Grid for ``rho``; None takes 0 and 15 values from 1e-4 to 10.
    alphas : array-like of shape (n_alphas,) or None, default=None
        Grid for ``alpha``; None takes 16 values from 1e-8 to 100 times the mean
        diagonal entry of the scatter matrix, so the scale of weights does not matter;
        that of single columns does.
    loo : {"response", "bag"}, default="response"
        What is left out: the aggregate only, while the rows of the bag still count as
        unlabelled rows, or the whole bag.
    aggregate : see InterpolatingAggregateRegressor
    bag_weight : {"size", "uniform", "precision"}, default="size"
        Weight of a bag, as in :class:`InterpolatingAggregateRegressor`; the errors
        carry it too.
    fit_intercept, compute_covariance : see InterpolatingAggregateRegressor
    allow_missing_aggregate : see InterpolatingAggregateRegressor

    Attributes
    ----------
    rho_ : float
        Chosen interpolation weight.
    alpha_ : float
        Chosen ridge penalty. Among errors equal to 1e-6 the larger alpha, then the
        larger rho, is taken.
    rhos_ : ndarray of shape (n_rhos,)
        The grid for rho.
    alphas_ : ndarray of shape (n_alphas,)
        The grid for alpha.
    lobo_scores_ : ndarray of shape (n_rhos, n_alphas)
        Negated leave-one-bag-out errors; minus infinity where leaving a bag out leaves
        the slopes undetermined.
    best_score_ : float
        Largest of them.
    coef_, intercept_ : see InterpolatingAggregateRegressor
    noise_var_, effective_dof_ : see InterpolatingAggregateRegressor
    unbiased_coef_, coef_covariance_ : see InterpolatingAggregateRegressor
    n_bags_ : int
        Number of bags that have an aggregate; without labels, of distinct rows.
    bag_sizes_, attenuation_ : see InterpolatingAggregateRegressor
    n_features_in_, feature_names_in_ : see InterpolatingAggregateRegressor

    See Also
    --------
    InterpolatingAggregateRegressor : With given penalties.
    RhoPathDisplay : Draws the errors over the grid.
    sklearn.linear_model.RidgeCV : When every row has its own response.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import InterpolatingAggregateRegressorCV
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y, bags = X @ [1.0, -2.0], np.arange(300) // 3
    >>> InterpolatingAggregateRegressorCV().fit(X, y, bags=bags).coef_.round(1)
    array([ 1., -2.])
    """

    _parameter_constraints: dict = {
        **LinearBagModel._parameter_constraints,
        "rhos": ["array-like", None],
        "alphas": ["array-like", None],
        "loo": [StrOptions({"response", "bag"})],
    }

    def __init__(
        self,
        rhos=None,
        alphas=None,
        *,
        loo="response",
        aggregate="mean",
        bag_weight="size",
        fit_intercept=True,
        compute_covariance=False,
        allow_missing_aggregate=False,
    ):
        self.rhos = rhos
        self.alphas = alphas
        self.loo = loo
        self.aggregate = aggregate
        self.bag_weight = bag_weight
        self.fit_intercept = fit_intercept
        self.compute_covariance = compute_covariance
        self.allow_missing_aggregate = allow_missing_aggregate

    @fit_context()
    def fit(self, X, y, bags=None, sample_weight=None, response_noise_var=None):
        """Judge the grid and fit with the best pair.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Aggregates replicated on the rows of their bag; with ``aggregate="mean"``
            individual responses do as well.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag.
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
        data = self._data(
            X, y, bags, sample_weight, response_noise_var, whole_rows=True
        )
        if data.n_bags == 1:
            raise ValueError(
                "Leave-one-bag-out needs at least two bags, got one bag with "
                f"n_samples = {data.X.shape[0]}."
            )
        columns = ColumnScatter.of(data)
        data, basis = in_row_space(data, self.fit_intercept)
        stats = summarize(data).centred(self.fit_intercept)
        scale = np.trace(stats.between + stats.within) / self.n_features_in_
        scale = scale or 1.0  # constant rows: any penalty gives the constant model
        self.rhos_ = _grid(self.rhos, "rhos", np.r_[0, np.logspace(-4, 1, 15)])
        self.alphas_ = _grid(self.alphas, "alphas", np.logspace(-8, 2, 16) * scale)
        options = {"fit_intercept": self.fit_intercept, "loo": self.loo}
        errors = lobo_errors(data, stats, self.rhos_, self.alphas_, **options)
        self.lobo_scores_ = -errors
        self.rho_, self.alpha_ = self._best(errors, stats.y_scatter.mean())
        self.best_score_ = -errors.min()
        solution = solve_normal(stats, self.rho_, self.alpha_)
        if basis is not None:
            coef, x_mean = basis @ solution.coef, basis @ solution.x_mean
            solution = replace(solution, coef=coef, x_mean=x_mean)
        return self._store(solution, columns, stats, data)

    def _best(self, errors, scatter):
        least = errors.min()
        if not np.isfinite(least):
            raise ValueError(
                "No pair of rhos and alphas is feasible: without one of the bags the "
                "slopes are not determined. Add a positive value to alphas."
            )
        tied = np.argwhere(errors <= least * (1 + _TIE) + 1e-20 * scatter)
        i, j = max(tied, key=lambda at: (self.alphas_[at[1]], self.rhos_[at[0]]))
        return float(self.rhos_[i]), float(self.alphas_[j])


def _grid(values, name, default):
    if values is None:
        return default
    grid = check_array(values, ensure_2d=False, dtype=float, input_name=name)
    if grid.ndim != 1 or grid.min() < 0:
        raise ValueError(
            f"{name} must be a 1-D grid of non-negative numbers, got shape "
            f"{grid.shape} with minimum {grid.min():g}."
        )
    return grid
