"""The linear members with a given interpolation weight."""

from numbers import Real

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext.aggregate._linear import StreamingBagModel
from sklearn_ext.aggregate._plug_in import plug_in_rho


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
    rho : float or "theory", default=0.1
        Weight of the instance-level loss: 0 is the bag-level loss, 1 the
        instance-level loss, and more than 1 is legal. ``"theory"`` minimises the
        predicted risk of :func:`aggregate_risk` at this ``alpha``, with the noise,
        the signal and the covariance estimated; for random bags weighted by size.
    alpha : float, default=1.0
        Ridge penalty, in the scale of :class:`~sklearn.linear_model.Ridge`.
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
        Whether to estimate the covariance of the slopes.
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
    coef_covariance_ : ndarray of shape (n_features, n_features) or None
        Estimated covariance of the slopes given the rows, with a leading axis for
        several targets; None without ``compute_covariance``.
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
        rho=0.1,
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

    def _needs_within(self):
        return self.rho == "theory" or self.rho > 0

    def _solver_for(self, data):
        if self.rho != "theory":
            return super()._solver_for(data)
        if self.solver in ("dual", "lsqr"):
            raise ValueError(
                "rho='theory' reads the sums of the normal equations, which solver="
                f"{self.solver!r} avoids. Use solver='cholesky', or give rho a number."
            )
        return "eigh" if self.solver == "eigh" else "cholesky"

    def _chosen_rho(self, stats=None):
        if self.rho != "theory":
            self.rho_ = float(self.rho)
        elif self.bag_weight != "size":
            raise ValueError(
                "rho='theory' holds for bags weighted by size, got bag_weight="
                f"{self.bag_weight!r}. Use InterpolatingAggregateRegressorCV."
            )
        else:
            self.rho_ = plug_in_rho(stats, self.alpha, fit_intercept=self.fit_intercept)
        return self.rho_


class BagRegressor(StreamingBagModel):
    r"""Ridge regression of aggregates on bag means.

    Minimises :math:`\sum_a \omega_a (\bar y_a - b - \bar x_a\theta)^2 + \alpha
    \|\theta\|^2`, the member ``rho=0`` of the family: unbiased for bags formed at
    random, and the baseline that any other method has to beat. It never needs a pass
    over pairs of features of the rows: time O(n d + m d² + d³), memory O(m d + d²).

    Parameters
    ----------
    alpha : float, default=1.0
        Ridge penalty, in the scale of :class:`~sklearn.linear_model.Ridge`.
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
        As in :class:`InterpolatingAggregateRegressor`.
    tol : float, default=1e-8
        Tolerance of ``"lsqr"``.
    max_iter : int or None, default=None
        Most iterations of ``"lsqr"``; None takes twice the number of features.
    compute_covariance : bool, default=False
        Whether to estimate the covariance of the slopes.
    allow_missing_aggregate : bool, default=False
        Whether bags whose ``y`` is NaN are allowed; they are left out.

    Attributes
    ----------
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
    coef_covariance_ : ndarray of shape (n_features, n_features) or None
        Estimated covariance of the slopes given the rows, with a leading axis for
        several targets; None without ``compute_covariance``.
    n_bags_ : int
        Number of bags that have an aggregate.
    bag_sizes_ : ndarray of shape (n_bags,) or None
        Total weight of each of them; None after ``partial_fit``.
    attenuation_ : float
        Bags per row: the factor by which the instance-level loss would shrink every
        slope when bags are random.
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

    def _rho(self):
        return 0.0


class InstanceRegressor(StreamingBagModel):
    r"""Ridge regression of rows on the replicated aggregate of their bag.

    The member ``rho=1`` of the family, and a trap: with bags formed at random it
    recovers only the fraction m/n of every slope in expectation. It is stable, and
    good when the rows of a bag are alike. Time is O(n d² + d³), memory O(m d + d²).

    Parameters
    ----------
    alpha : float, default=1.0
        Ridge penalty, in the scale of :class:`~sklearn.linear_model.Ridge`.
    debias : bool, default=False
        Whether to multiply the slopes by n/m. Only right for random bags, and of high
        variance: with bags of two rows, four rows per feature and noise variance 0.1
        the excess risk is 0.4, against 0.1 for the bag-level loss.
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
        As in :class:`InterpolatingAggregateRegressor`.
    tol : float, default=1e-8
        Tolerance of ``"lsqr"``.
    max_iter : int or None, default=None
        Most iterations of ``"lsqr"``; None takes twice the number of features.
    compute_covariance : bool, default=False
        Whether to estimate the covariance of the slopes.
    allow_missing_aggregate : bool, default=False
        Whether bags whose ``y`` is NaN are allowed. They count as unlabelled rows: in
        the spread of predictions inside bags only, which shrinks the slopes.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Slopes.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    noise_var_ : float or ndarray of shape (n_targets,)
        Variance of a response of weight one, as in
        :class:`InterpolatingAggregateRegressor`; far too large here for random bags,
        whose shrunken slopes leave signal in the residuals.
    effective_dof_ : float
        Trace of the map from aggregates to fitted aggregates, intercept included; NaN
        for ``"lsqr"``.
    coef_covariance_ : ndarray of shape (n_features, n_features) or None
        Estimated covariance of the slopes given the rows, with a leading axis for
        several targets; None without ``compute_covariance``.
    n_bags_ : int
        Number of bags that have an aggregate.
    bag_sizes_ : ndarray of shape (n_bags,) or None
        Total weight of each of them; None after ``partial_fit``.
    attenuation_ : float
        Bags per row: the factor that shrinks every slope when bags are random.
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

    def _rho(self):
        return 1.0

    def _set(self, solution, n_samples, n_bags):
        if self.debias:
            solution = solution.stretched(n_samples / n_bags)
        return super()._set(solution, n_samples, n_bags)
