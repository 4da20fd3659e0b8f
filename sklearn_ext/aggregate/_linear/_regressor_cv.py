"""Choice of rho and alpha by leave-one-bag-out in closed form."""

from dataclasses import replace

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext.aggregate._linear._lobo import lobo_errors
from sklearn_ext.aggregate._linear._regressors import (
    InterpolatingAggregateRegressor,
    LinearBagModel,
)
from sklearn_ext.aggregate._linear._solvers import in_row_space, solve_normal
from sklearn_ext.aggregate._linear._statistics import summarize
from sklearn_ext.aggregate._linear._trust import ColumnScatter

_TIE = 1e-6  # of an error: what rounding, or another processor, may change


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

    _leaves_out = True

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
        data = self._data(X, y, bags, sample_weight, response_noise_var)
        if data.n_bags == 1:
            raise ValueError(
                "Leave-one-bag-out needs at least two bags, got one bag with "
                f"n_samples = {data.X.shape[0]}."
            )
        columns = ColumnScatter.of(data)
        data, basis = in_row_space(data, self.fit_intercept)
        stats = summarize(data).centred(self.fit_intercept)
        self._make_grids(stats)
        errors = lobo_errors(
            data,
            stats,
            self.rhos_,
            self.alphas_,
            fit_intercept=self.fit_intercept,
            loo=self.loo,
        )
        self.lobo_scores_ = -errors
        self.rho_, self.alpha_ = self._best(errors, stats.y_scatter.mean())
        self.best_score_ = -errors.min()
        solution = solve_normal(stats, self.rho_, self.alpha_)
        if basis is not None:
            solution = replace(solution, coef=basis @ solution.coef)
        return self._store(solution, columns, stats, data)

    def _make_grids(self, stats):
        scale = np.trace(stats.between + stats.within) / self.n_features_in_
        scale = scale or 1.0  # constant rows: any penalty gives the constant model
        self.rhos_ = _grid(self.rhos, "rhos", np.r_[0, np.logspace(-4, 1, 15)])
        self.alphas_ = _grid(self.alphas, "alphas", np.logspace(-8, 2, 16) * scale)

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
