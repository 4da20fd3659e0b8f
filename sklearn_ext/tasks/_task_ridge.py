"""One regression a task, drawn from a population that all tasks together teach."""

from copy import copy
from numbers import Integral, Real

import numpy as np
from scipy import sparse, stats
from sklearn.base import RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    _check_feature_names,
    _check_n_features,
    _safe_indexing,
)
from sklearn_ext._core._validation import FLOATS, check_level, check_weights, warn
from sklearn_ext.tasks._groups import check_groups, positions, union
from sklearn_ext.tasks._noise import NoisePrior
from sklearn_ext.tasks._posterior import Scale, Tasks
from sklearn_ext.tasks._reml import FLOOR, Shape, fit_population
from sklearn_ext.tasks._statistics import MANY_COLUMNS, TaskStatistics

MANY = 200  # coefficients beyond which a full covariance has more than 20,000 entries


class TaskRidge(CallbackSupportMixin, RegressorMixin, ExtEstimator):
    r"""Linear regression for many related tasks with a few rows each.

    Stores, patients, sensors: task g has its own coefficients :math:`w_g`, drawn from
    :math:`N(\mu, \Sigma)`, and rows :math:`y = x'w_g + e` with noise of variance
    :math:`\sigma^2`. Mean, covariance and noise are estimated from all tasks by
    restricted maximum likelihood; the prediction for a task is the posterior mean given
    its rows, which shrinks its own least squares towards the population as far as its
    rows are few. A task without rows is predicted by the population. This is the mixed
    model of statistics as a predictor that also serves *new* tasks from a few rows of
    theirs (:meth:`condition`).

    Rows are read once; the fit works on sums, in time :math:`O(n d^2)` once and
    :math:`O(G d^3)` an iteration, for G tasks and d columns, and memory
    :math:`O(G d^2)`. Beyond 64 columns each task keeps a factor with no more rows than
    it has itself, and an iteration works on matrices of rows by rows: memory is that of
    the data, and an iteration :math:`O(n d^2 + d^3)`, or, where ``estimator`` has the
    shared part and nothing is correlated, :math:`O(n d)` times the rows of a task.
    Columns and target are centred and scaled inside, so their units do not matter. The
    likelihood counts rows: an integer weight equals repetition, and the scale of
    ``sample_weight`` matters, unlike in least squares.

    Parameters
    ----------
    covariance_type : {"full", "diag", "spherical", "intercept"}, default="full"
        Which coefficients differ between tasks: all, correlated; all, independently;
        all, independently and the slopes of columns of unit variance equally much; or
        the intercept alone (a random intercept, slopes shared).
    group_feature : int, str or None, default=None
        Column of ``X``, by position or name, that holds the task of each row, instead
        of the argument ``groups``. It is no regressor, and may hold strings. Searches
        and metrics that know nothing of groups work with it.
    estimator : regressor or None, default=None
        Model of what the tasks share, if that is far from linear: it is fitted to all
        rows, and the tasks differ by a linear part of its residuals, whose population
        mean is zero. The residuals are taken out of groups.
    prior_strength : float or "auto", default="auto"
        Pull on the correlations of the coefficients, by the penalty
        :math:`-\nu \log |R|` on minus twice the log likelihood, for the correlation
        matrix R. ``"auto"`` is the number of coefficients that differ; 0 is the pure
        (restricted) likelihood. It has no effect unless ``covariance_type="full"``.
    method : {"reml", "ml"}, default="reml"
        Restricted or full maximum likelihood.
    max_iter : int, default=1000
        Iterations of the optimiser (L-BFGS) at most.
    tol : float, default=1e-8
        Gain of the log likelihood, in nats, at which the optimiser stops.
    fit_intercept : bool, default=True
        Whether every task has an intercept. Without one, neither columns nor target
        are centred.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Slopes of the population; only without ``group_feature`` and ``estimator``, for
        with them the population is no linear model of the columns of ``X``.
    intercept_ : float
        Intercept of the population.
    prior_mean_ : ndarray of shape (n_coefficients,)
        Mean of the population: intercept, if there is one, then slopes of the
        regressors, which are the columns of ``X`` without ``group_feature``.
    prior_cov_ : ndarray of shape (n_coefficients, n_coefficients)
        Covariance of the population, in the same order.
    noise_var_ : float
        Variance of the noise.
    groups_ : ndarray of shape (n_tasks,)
        Labels of the tasks, sorted.
    n_tasks_ : int
        Number of tasks.
    task_coef_ : ndarray of shape (n_tasks, n_regressors)
        Slopes of each task, in the order of ``groups_``.
    task_intercept_ : ndarray of shape (n_tasks,)
        Intercepts.
    task_cov_ : ndarray of shape (n_tasks, n_coefficients, n_coefficients)
        Covariance of intercept and slopes of each task given its rows, the uncertainty
        of the population's mean included; made when it is read.
    task_noise_var_ : ndarray of shape (n_tasks,)
        Variance of the noise of each task, shrunk towards what tasks have in common
        (Smyth [4]_); intervals use it, the likelihood has one noise for all.
    shrinkage_ : ndarray of shape (n_tasks,)
        How much of a task's coefficients the population decides: 1 for a task without
        rows, towards 0 with many; the mean over the coefficients that differ.
    log_likelihood_ : float
        Restricted, or full, log likelihood at the solution, without the penalty.
    n_iter_ : int
        Iterations of the optimiser.
    unidentified_ : ndarray of int
        Regressors that are constant in every task: tasks cannot differ in their slopes.
    shared_ : regressor
        The fitted ``estimator``; only when there is one.
    sufficient_statistics_ : TaskStatistics
        Sums that ``partial_fit``, ``merge`` and ``condition`` add to.
    n_features_in_ : int
        Number of columns, ``group_feature`` included.
    feature_names_in_ : ndarray of str
        Names of the columns; only when ``X`` has names that are strings.

    See Also
    --------
    sklearn.linear_model.RidgeCV : One model for all; with one-hot groups, a shared
        slope and an intercept each.
    sklearn.preprocessing.TargetEncoder : Groups as a column for any model.
    ContextSplit : Folds that ask how a new task fares with some labelled rows.

    References
    ----------
    .. [1] N. M. Laird and J. H. Ware, "Random-effects models for longitudinal data",
       Biometrics 38, 1982.
    .. [2] D. Bates, M. Mächler, B. Bolker and S. Walker, "Fitting linear mixed-effects
       models using lme4", Journal of Statistical Software 67, 2015.
    .. [3] Y. Chung, A. Gelman, S. Rabe-Hesketh, J. Liu and V. Dorie, "Weakly
       informative prior for point estimation of covariance matrices in hierarchical
       models", Journal of Educational and Behavioral Statistics 40, 2015.
    .. [4] G. K. Smyth, "Linear models and empirical Bayes methods for assessing
       differential expression in microarray experiments", Statistical Applications in
       Genetics and Molecular Biology 3, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.tasks import TaskRidge
    >>> X, store = np.array([[0.0], [1.0], [2.0]] * 3), np.repeat(["a", "b", "c"], 3)
    >>> y = np.array([0.1, 0.9, 2.1, 5.0, 6.1, 6.9, 9.1, 9.9, 11.0])
    >>> model = TaskRidge(covariance_type="intercept").fit(X, y, groups=store)
    >>> model.predict([[3.0], [3.0]], groups=["a", "new"]).round(1)
    array([3. , 7.6])
    """

    __metadata_request__fit = {"groups": True}
    __metadata_request__partial_fit = {"groups": True}
    __metadata_request__predict = {"groups": True}
    __metadata_request__score = {"groups": True}

    _parameter_constraints: dict = {
        "covariance_type": [StrOptions({"full", "diag", "spherical", "intercept"})],
        "group_feature": [Integral, str, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "prior_strength": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="left"),
        ],
        "method": [StrOptions({"reml", "ml"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
    }

    def __init__(
        self,
        covariance_type="full",
        *,
        group_feature=None,
        estimator=None,
        prior_strength="auto",
        method="reml",
        max_iter=1000,
        tol=1e-8,
        fit_intercept=True,
    ):
        self.covariance_type = covariance_type
        self.group_feature = group_feature
        self.estimator = estimator
        self.prior_strength = prior_strength
        self.method = method
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Estimate the population and every task.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.
        groups : array-like of shape (n_samples,), default=None
            The task of each row. None, without ``group_feature``, is one task: least
            squares.

        Returns
        -------
        TaskRidge
            The fitted estimator.

        Raises
        ------
        ValueError
            When groups are missing values or of another length, when both ``groups``
            and ``group_feature`` are given, or when every group has one row.
        """
        Z, target, w, groups = self._check(X, y, sample_weight, groups, reset=True)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        tasks = FitTasks(self, X, y, max_subtasks=self.max_iter, metadata=metadata)
        vars(self).pop("shared_", None)
        if self.estimator is not None:
            target = target - self._out_of_group(Z, target, w, groups)
        return self._solve(TaskStatistics.of(Z, target, groups, w), tasks)

    @fit_context()
    def partial_fit(self, X, y, sample_weight=None, groups=None):
        """Add rows, of known tasks or new ones, and estimate everything anew.

        Any split of the rows into calls gives what one ``fit`` gives.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.
        groups : array-like of shape (n_samples,), default=None
            The task of each row.

        Returns
        -------
        TaskRidge
            The fitted estimator.
        """
        first = not hasattr(self, "_tasks")
        added = self._summarize(X, y, sample_weight, groups, reset=first)
        return self._solve(added if first else self.sufficient_statistics_ + added)

    @fit_context()
    def merge(self, other):
        """Take in what another fitted model has seen.

        Parameters
        ----------
        other : TaskRidge
            Fitted to other rows of the same columns, wherever they are.

        Returns
        -------
        TaskRidge
            This estimator, as if it had seen the rows of both.

        Raises
        ------
        ValueError
            When the other model has other columns.
        """
        if not isinstance(other, TaskRidge):
            raise TypeError(f"merge needs a TaskRidge, got {type(other).__name__}.")
        for model in (self, other):
            check_is_fitted(model)
            model._refuse_shared("merge")
        names = [m._regressor_names() for m in (self, other)]
        if all(names) and names[0] != names[1]:
            raise ValueError(
                f"merge needs models of the same columns, got {names[0]} here and "
                f"{names[1]} in the other."
            )
        ours, theirs = self.sufficient_statistics_, other.sufficient_statistics_
        if ours.x_mean.shape[1] != theirs.x_mean.shape[1]:
            raise ValueError(
                f"merge needs models of the same columns: this one has "
                f"{ours.x_mean.shape[1]} regressors, the other "
                f"{theirs.x_mean.shape[1]}."
            )
        if self._grouped != other._grouped:
            raise ValueError("merge needs groups in both models or in neither.")
        return self._solve(ours + theirs)

    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of rows as if they were one table.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y, sample_weight, groups)``, or callables that load one;
            ``sample_weight`` may be None, and what follows y left out.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        TaskRidge
            The fitted estimator.
        """
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs)

    def condition(self, X, y, groups=None, sample_weight=None):
        """Return a model that knows more rows of its tasks, under the same population.

        For serving: a new store's first sales change the predictions for this store,
        while mean, covariance and noise of the population stay. The time is that of the
        new rows and their tasks, however many other tasks there are; what is known of
        these is shared with this model, not copied.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of known tasks or new ones.
        y : array-like of shape (n_samples,)
            Target.
        groups : array-like of shape (n_samples,), default=None
            The task of each row; needed unless ``group_feature`` is set.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        TaskRidge
            A new fitted model; this one stays as it is.
        """
        check_is_fitted(self)
        if groups is None and self.group_feature is None:
            raise ValueError("condition needs groups=: the task of each new row.")
        rows, target, w, groups = self._check(X, y, sample_weight, groups, reset=False)
        target = target - self._shared(rows)
        added = TaskStatistics.of(rows, target, groups, w)
        news = self._known(added.groups) + added
        news = Tasks.of(news, self._population, self._scale)
        model = copy(self)
        model._news = news if self._news is None else self._news.replaced(news)
        return model

    def known_groups(self, groups):
        """Say which labels are of tasks that the model knows.

        Parameters
        ----------
        groups : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
            Whether each is in ``groups_``.
        """
        check_is_fitted(self)
        return self._positions(check_groups(groups)) != len(self._tasks.groups)

    def predict(self, X, groups=None, return_std=False):
        """Predict the target of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        groups : array-like of shape (n_samples,), default=None
            The task of each row. An unknown task is predicted by the population, as
            are all rows when there are no groups.
        return_std : bool, default=False
            Whether to return the standard deviation of the target, too: of the task's
            coefficients, the population's mean and the task's noise.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predictions.
        std : ndarray of shape (n_samples,)
            Only with ``return_std``.
        """
        rows, at = self._rows(X, groups)
        mean = self._mean(rows, at)
        if not return_std:
            return mean
        noise, _ = self._noise(at)
        noise = np.where(at == len(self._tasks.groups), self.noise_var_, noise)
        variance = self._variance(rows, at) + noise
        return mean, np.sqrt(variance).astype(mean.dtype)

    def predict_interval(self, X, groups=None, confidence_level=0.9):
        """Predict an interval for the target of each row.

        The noise is that of the task, ``task_noise_var_``. The quantiles are Student's
        with Satterthwaite's degrees of freedom: the variance that is due to the
        coefficients was learnt from as many tasks as there are, that of the noise from
        the task's rows and from how much tasks differ. One task alone has the intervals
        of least squares.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        groups : array-like of shape (n_samples,), default=None
            The task of each row.
        confidence_level : float, default=0.9
            Share of new targets that the intervals shall hold, if the model is right.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends.
        """
        check_level(confidence_level)
        rows, at = self._rows(X, groups)
        mean, between = self._mean(rows, at), self._variance(rows, at)
        noise, dof_noise = self._noise(at)
        total, (dof_rows, dof_tasks) = between + noise, self._dof
        by_noise = noise**2 * (1 / dof_noise + 1 / dof_rows)
        dof = total**2 / (by_noise + between**2 / dof_tasks)
        if not self._n_random:  # all variance is the noise's: least squares
            dof = np.full(len(total), dof_rows)
        half = stats.t.ppf((1 + confidence_level) / 2, dof) * np.sqrt(total)
        return np.stack([mean - half, mean + half], axis=1).astype(mean.dtype)

    def score(self, X, y, sample_weight=None, groups=None):
        """Return R² of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            The task of each row.

        Returns
        -------
        float
            The score.
        """
        return r2_score(y, self.predict(X, groups), sample_weight=sample_weight)

    @property
    def sufficient_statistics_(self):
        """What the rows of all tasks say; ``partial_fit`` and ``merge`` add to it."""
        return self._all_tasks().statistics

    @property
    def groups_(self):
        """Labels of the tasks, sorted."""
        return self._all_tasks().groups

    @property
    def n_tasks_(self):
        """Number of tasks."""
        check_is_fitted(self)
        known = self._tasks.groups
        news = known[:0] if self._news is None else self._news.groups
        return len(known) + int((positions(known, news) < 0).sum())

    @property
    def coef_(self):
        """Slopes of the population, if its predictions are linear in the columns."""
        check_is_fitted(self)
        if len(self._slopes) != self.n_features_in_ or hasattr(self, "shared_"):
            raise AttributeError(
                "coef_ needs group_feature=None and estimator=None: see prior_mean_."
            )
        return self._slopes

    @property
    def task_coef_(self):
        """Slopes of each task."""
        return self._scale.coefficients(self._all_tasks().means)[1]

    @property
    def task_intercept_(self):
        """Intercept of each task."""
        return self._scale.coefficients(self._all_tasks().means)[0]

    @property
    def shrinkage_(self):
        """How much of a task's coefficients the population decides."""
        return 1 - self._all_tasks().share / max(self._n_random, 1)

    @property
    def task_noise_var_(self):
        """Variance of the noise of each task."""
        tasks = self._all_tasks()
        noise, _ = self._noise_prior.posterior(tasks.rss, tasks.dof)
        return noise * self._scale.y_scale**2

    @property
    def task_cov_(self):
        """Covariance of intercept and slopes of each task given its rows."""
        products = self._scale.products(self.sufficient_statistics_)
        return self._scale.covariance(products.covariance(self._population))

    def get_metadata_routing(self):
        """Return what metadata the methods ask for: no groups where a column has them.

        Returns
        -------
        MetadataRequest
            The requests.
        """
        routing = super().get_metadata_routing()
        if self.group_feature is not None:
            for method in ("fit", "partial_fit", "predict", "score"):
                getattr(routing, method).add_request(param="groups", alias=False)
        return routing

    # --- rows in ------------------------------------------------------------------

    def _summarize(self, X, y, sample_weight=None, groups=None, *, reset):
        if reset:
            vars(self).pop("shared_", None)
        self._refuse_shared("partial_fit")
        rows, target, w, groups = self._check(X, y, sample_weight, groups, reset=reset)
        return TaskStatistics.of(rows, target, groups, w)

    def _refuse_shared(self, method):
        shared = getattr(self, "shared_", self.estimator)
        if shared is not None:
            raise ValueError(
                f"{method} works with estimator=None: {type(shared).__name__} needs "
                "all rows at once. Use fit."
            )

    def _check(self, X, y, sample_weight, groups, *, reset):
        """Return regressors, target, weights and labels, without absent rows."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        X, groups = self._regressors(X, groups, reset=reset)
        check_consistent_length(X, y)
        y = check_array(
            y, ensure_2d=False, dtype=FLOATS, input_name="y", estimator=self
        )
        y = column_or_1d(y, warn=True)
        w = check_weights(sample_weight, X, dtype=np.float64)
        grouped = groups is not None
        if reset:
            self._grouped = grouped
        elif grouped != self._grouped:
            said = ["without groups", "with groups"]
            raise ValueError(
                f"the first rows came {said[self._grouped]}, these come "
                f"{said[grouped]}: whose rows are they?"
            )
        if not grouped:
            groups = np.zeros(len(X), dtype=int)
        present = w > 0
        X, y, w, groups = (a[present] for a in (X, y, w, groups))
        for name, values in (
            ("X", X),
            ("y", y[:, None]),
            ("sample_weight", w[:, None]),
        ):
            _refuse_magnitude(name, values)
        return X, y, w, groups

    def _regressors(self, X, groups, *, reset):
        """Return the checked columns without the group's, and the groups or None."""
        if self.group_feature is None:
            X = validate_data(self, X, dtype=FLOATS, reset=reset)
            return X, None if groups is None else check_groups(groups, len(X))
        if groups is not None:
            raise ValueError(
                "groups and group_feature say the same in two ways: pass groups= or "
                f"set group_feature={self.group_feature!r}, not both."
            )
        if sparse.issparse(X):
            raise TypeError(
                "Sparse data was passed, but group_feature needs a dense X: pass "
                "groups= and X.toarray()."
            )
        if not hasattr(X, "shape"):
            X = np.asarray(X, dtype=object)
        if len(X.shape) != 2:
            raise ValueError(f"Expected 2D array, got an X of shape {X.shape}.")
        _check_feature_names(self, X, reset=reset)
        _check_n_features(self, X, reset=reset)
        column = self._group_column()
        others = [j for j in range(self.n_features_in_) if j != column]
        groups = check_groups(_safe_indexing(X, column, axis=1), X.shape[0])
        if not others and self.fit_intercept:  # the groups are all there is
            return np.empty((X.shape[0], 0)), groups
        X = check_array(
            _safe_indexing(X, others, axis=1),
            dtype=FLOATS,
            estimator=self,
            input_name="X",
        )
        return X, groups

    def _regressor_names(self):
        names = list(getattr(self, "feature_names_in_", ()))
        if names and self.group_feature is not None:
            del names[self._group_column()]
        return names

    def _group_column(self):
        wanted, n = self.group_feature, self.n_features_in_
        if isinstance(wanted, str):
            names = list(getattr(self, "feature_names_in_", ()))
            if wanted in names:
                return names.index(wanted)
            raise ValueError(
                f"group_feature={wanted!r} is no column of X, which has "
                f"{names or 'no names: pass a data frame or a position'}."
            )
        if not -n <= wanted < n:
            raise ValueError(
                f"group_feature={wanted} is no column of X, which has {n} columns."
            )
        return wanted % n

    def _rows(self, X, groups):
        """Return regressors and each row's task by position (`_positions`)."""
        check_is_fitted(self)
        X, groups = self._regressors(X, groups, reset=False)
        if groups is None:
            if self.n_tasks_ > 1:
                warn(
                    f"No groups: all rows are predicted by the population of the "
                    f"{self.n_tasks_} tasks that were fitted. Pass groups=."
                )
            return X, np.full(len(X), len(self._tasks.groups))
        at, known = self._positions(groups), self._tasks.groups
        if (at == len(known)).all() and groups.dtype.kind != known.dtype.kind:
            warn(
                f"No group is known: labels are {groups.dtype} here and "
                f"{known.dtype} in fit. The population predicts all rows."
            )
        return X, at

    # --- the shared part ----------------------------------------------------------

    def _out_of_group(self, X, y, w, groups):
        """Fit the shared model; return predictions that saw no row of their task."""
        weighted = not np.all(w == 1)
        if weighted and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"estimator={type(self.estimator).__name__} takes no sample_weight in "
                "fit: fit without weights, or choose one that does."
            )

        def fitted(rows):
            weights = {"sample_weight": w[rows]} if weighted else {}
            return clone(self.estimator).fit(X[rows], y[rows], **weights)

        self.shared_ = fitted(slice(None))
        labels, codes = np.unique(groups, return_inverse=True)
        if len(labels) == 1:
            return self.shared_.predict(X)
        folds = GroupKFold(min(5, len(labels)))
        shared = np.empty(len(X))
        for train, test in folds.split(X, groups=codes % folds.n_splits):
            shared[test] = fitted(train).predict(X[test])
        return shared

    def _shared(self, X):
        shared = getattr(self, "shared_", None)
        return 0.0 if shared is None else shared.predict(X)

    # --- the fit ------------------------------------------------------------------

    def _solve(self, statistics, tasks=None):
        scale = Scale.of(
            statistics,
            fit_intercept=self.fit_intercept,
            centre_y=self.estimator is None,  # else the population's mean is zero
        )
        products = scale.products(statistics)
        shape = self._shape(statistics)
        total, n_tasks = statistics.weight.sum(), len(statistics.weight)
        if n_tasks > 1 and total < n_tasks:
            warn(
                f"sample_weight sums to {total:.3g}, less than one row for each of "
                f"{n_tasks} tasks. Weights count rows here: scale them to a mean of "
                "one if they are precisions or shares."
            )

        def report(population):
            if tasks is None:
                return False
            return tasks.end(
                lambda: self._attributes(population, shape, statistics, scale)
            )

        population = fit_population(
            products, shape, FLOOR, max_iter=self.max_iter, tol=self.tol, report=report
        )
        if not population.converged:
            warn(
                f"The likelihood was still rising after max_iter={self.max_iter} "
                f"iterations, by {population.last_gain:.2g} nats in the last: raise "
                "max_iter or tol.",
                ConvergenceWarning,
            )
        state = self._attributes(population, shape, statistics, scale)
        if total >= n_tasks > 1:
            share = state["_tasks"].share.sum()
            _warn_if_exhausted(total, population, share, final=tasks is not None)
        self.__dict__.update(state)
        if tasks is not None:
            tasks.close(**state)
        return self

    def _shape(self, statistics):
        """Decide which coefficients can differ between the tasks."""
        first = int(self.fit_intercept)
        n_regressors = statistics.x_mean.shape[1]
        d = first + n_regressors
        if self.covariance_type == "intercept" and not first:
            raise ValueError(
                "covariance_type='intercept' needs fit_intercept=True: without an "
                "intercept nothing differs between tasks."
            )
        if len(statistics.groups) == 1:
            candidates = np.zeros(0, dtype=int)
        elif self.covariance_type == "intercept":
            candidates = np.zeros(1, dtype=int)
        else:
            candidates = np.arange(d)
        if len(candidates) and not statistics.vary:
            raise ValueError(
                "every group has one row (or copies of one): what differs between "
                "groups and what is noise cannot be told apart. Use coarser groups, or "
                "a model without groups."
            )
        constant = first + self._unidentified(statistics)
        random = candidates[~np.isin(candidates, constant)]
        strength, k = self.prior_strength, len(random)
        if self.covariance_type == "full" and k > MANY:
            warn(
                f"A full covariance of {k} coefficients has {k * (k + 1) // 2} entries "
                f"to be learnt from {len(statistics.groups)} tasks, and an iteration "
                "costs their number times the rows. covariance_type='diag', "
                "'spherical' or 'intercept' has fewer."
            )
        owner = (
            np.minimum(random, first) if self.covariance_type == "spherical" else None
        )
        return Shape(
            d,
            random,
            correlated=self.covariance_type == "full",
            owner=owner if k else None,
            strength=k if strength == "auto" else strength,
            restricted=self.method == "reml",
            fixed_mean=self.estimator is not None,
        )

    def _unidentified(self, statistics):
        """Return regressors that are constant in every task."""
        if len(statistics.groups) == 1 or not self.fit_intercept:
            return np.zeros(0, dtype=int)
        within = statistics.within.squares[:-1]
        return np.flatnonzero(within <= 1e-10 * statistics.total[2])

    def _attributes(self, population, shape, statistics, scale):
        """Return every fitted attribute, in the units of the data."""
        first = int(self.fit_intercept)
        intercept, slopes = scale.coefficients(population.mean)
        n_rows = statistics.weight.sum()
        rank = np.linalg.matrix_rank(population.mean_cov) if shape.restricted else 0
        tasks = Tasks.of(statistics, population, scale)
        span = population.shape.span
        dof_noise = n_rows - tasks.share.sum()
        dof_noise -= len(population.mean) if span is None else span.shape[1]
        return {
            "_population": population,
            "_scale": scale,
            "_n_random": len(shape.random),
            "_tasks": tasks,
            "_news": None,  # tasks of which more is known since the fit
            "_noise_prior": NoisePrior.of(tasks.rss, tasks.dof, population.noise_var),
            "_dof": (max(dof_noise, 1.0), max(len(tasks.groups) - 1.0, 1.0)),
            "_slopes": slopes,
            "intercept_": float(intercept),
            "prior_mean_": np.append([intercept] * first, slopes),
            "prior_cov_": scale.covariance(population.cov),
            "noise_var_": population.noise_var * scale.y_scale**2,
            "log_likelihood_": population.log_likelihood
            + scale.log_volume(n_rows, rank),
            "n_iter_": max(population.n_iter, 1),
            "unidentified_": self._unidentified(statistics),
        }

    # --- what is known of each task -----------------------------------------------

    def _all_tasks(self):
        check_is_fitted(self)
        return self._tasks if self._news is None else self._tasks.replaced(self._news)

    def _known(self, groups):
        """Return statistics of tasks with these labels, empty where there are none."""
        union(self._tasks.groups[:1], groups)  # refuses labels of another kind
        known = self._tasks.statistics.aligned(groups)
        if self._news is None:
            return known
        at = positions(self._news.groups, groups)
        touched = at[at >= 0]
        if not len(touched):
            return known
        return known.replaced(self._news.statistics.take(touched))

    def _positions(self, groups):
        """Return where each label stands: at a task of the fit, n_tasks if at none.

        Tasks that `condition` has touched follow from n_tasks + 1.
        """
        n_tasks = len(self._tasks.groups)
        at = positions(self._tasks.groups, groups)
        at = np.where(at < 0, n_tasks, at)
        if self._news is None:
            return at
        news = positions(self._news.groups, groups)
        return np.where(news < 0, at, n_tasks + 1 + news)

    # --- rows out -----------------------------------------------------------------

    def _mean(self, X, at):
        Z = self._scale.design(X.astype(np.float64, copy=False))
        n_tasks = len(self._tasks.groups)
        means = self._tasks.means[np.minimum(at, n_tasks - 1)]
        means[at == n_tasks] = self._population.mean
        if self._news is not None:
            means[at > n_tasks] = self._news.means[at[at > n_tasks] - n_tasks - 1]
        linear = np.einsum("ij,ij->i", Z, means)
        mean = self._scale.y_mean + self._scale.y_scale * linear + self._shared(X)
        return mean.astype(X.dtype)

    def _noise(self, at):
        """Return variance of the noise of each row and its degrees of freedom."""
        prior, tasks, n_tasks = self._noise_prior, self._tasks, len(self._tasks.groups)
        news = at > n_tasks
        rss, dof = (
            np.where(at < n_tasks, values[np.minimum(at, n_tasks - 1)], 0.0)
            for values in (tasks.rss, tasks.dof)
        )
        if news.any():
            rss[news], dof[news] = (
                values[at[news] - n_tasks - 1]
                for values in (self._news.rss, self._news.dof)
            )
        variance, dof = prior.posterior(rss, dof)
        return variance * self._scale.y_scale**2, dof

    def _variance(self, X, at):
        """Return the variance of each row's prediction that its coefficients cause."""
        Z = self._scale.design(X.astype(np.float64, copy=False))
        n_tasks, variance = len(self._tasks.groups), np.empty(len(Z))
        at = np.where(at == n_tasks, -1, at)
        for rows, tasks, first in (
            (at < n_tasks, self._tasks, 0),
            (at > n_tasks, self._news, n_tasks + 1),
        ):
            if not rows.any():
                continue
            wanted, codes = np.unique(at[rows], return_inverse=True)
            wanted = np.where(wanted < 0, -1, wanted - first)
            products = self._scale.products(tasks.statistics.take(wanted, wanted))
            variance[rows] = products.variance(self._population, Z[rows], codes)
        return self._scale.y_scale**2 * variance


def _warn_if_exhausted(n_rows, population, share, *, final):
    """Say that nothing is left from which noise could be learnt.

    Where columns are few, only of what is no first block of rows. One variance for the
    slopes of many columns is as good as noise: its intervals hold.
    """
    spent, shape = np.linalg.matrix_rank(population.mean_cov), population.shape
    few = len(shape.random) <= MANY_COLUMNS
    if spent >= n_rows:
        warn(
            f"The mean of {spent} coefficients takes all that {n_rows:.3g} rows say, "
            "and leaves nothing to tell noise from tasks. Let a penalised model have "
            "the shared part: estimator=RidgeCV()."
        )
    elif share > 0.99 * n_rows and (final if few else shape.n_scales > 2):
        advice = (
            "covariance_type='spherical' has one variance for all slopes."
            if shape.n_scales > 2
            else "covariance_type='intercept' lets the slopes be shared."
            if len(shape.random) > 1
            else "Use coarser groups."
        )
        variances = (
            "One variance explains"
            if shape.n_scales == 1
            else f"{shape.n_scales} variances explain"
        )
        warn(
            f"{variances} all {n_rows:.3g} rows, and no noise is left: intervals of "
            f"these tasks will be too short. {advice}"
        )


def _refuse_magnitude(name, values):
    """Refuse columns whose squares leave double precision."""
    if not len(values):
        return
    largest = np.maximum(values.max(axis=0), -values.min(axis=0)).astype(float)
    bad = np.flatnonzero((largest > 1e100) | ((largest > 0) & (largest < 1e-100)))
    if len(bad):
        raise ValueError(
            f"{name} holds values of order {largest[bad[0]]:.0e} in column {bad[0]}, "
            "whose products cannot be computed: use other units, between 1e-100 and "
            "1e100."
        )
