"""Linear classifier whose worst subgroup fares as well as it can, certified."""

from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval
from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext._numerics._arrays import single
from sklearn_ext._numerics._logistic import prepare, solve
from sklearn_ext.losses._groups._game import Game, Play, play
from sklearn_ext.losses._linear import LinearClassifierMixin, labelled

FEW = 10  # rows; a smaller subgroup decides the maximum or is memorised


class WorstGroupClassifier(CallbackSupportMixin, LinearClassifierMixin, ExtEstimator):
    r"""Logistic regression for the subgroup that fares worst, with a certificate.

    It minimises, over coefficients W and intercepts b,

    .. math:: \max_g L_g(W, b) + \frac{1}{2 C N} \|W\|^2,

    where :math:`L_g` is the weighted mean loss of subgroup g, log-loss by default, and
    N the sum of the weights: with one subgroup that is logistic regression. The maximum
    is replaced by ``log mean exp(beta L) / beta`` and beta grows. For any mix q of the
    subgroups the minimum of the q-weighted objective is a lower bound on what any
    linear model can reach; the bound is computed from its dual problem, and the fit
    stops when the best point lies within ``tol`` of the best bound. The cost is that of
    ten to thirty logistic fits. The penalty feels the scale of the columns: standardise
    them.

    It helps where subgroups contain the label or differ in it. Where they are tiny, or
    do not tell the labels apart, weights or plain logistic regression are as good.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty.
    tau : float, default=1.0
        How much a badly fitted row may pull, at most one, where the loss is convex: 1
        is log-loss, 0 is the sum-exponential loss, which asks for the worst rows, too.
    beta : float, default=inf
        How far from the mean over the subgroups (0) to the maximum (infinity).
    fit_intercept : bool, default=True
        Whether the scores have intercepts, which are not penalised.
    tol : float, default=1e-3
        Gap at which to stop, relative to the objective.
    max_iter : int, default=1000
        Iterations at most.
    device : str or None, default=None
        A torch device on which to compute; None computes on the host.
    batch_size : int or None, default=None
        Rows worked on at a time; None fits a cache.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (1 or n_classes, n_features)
        Coefficients, in the dtype of X; one row for two classes.
    intercept_ : ndarray of shape (1 or n_classes,)
        Intercepts.
    subgroups_ : ndarray of shape (n_subgroups,)
        Sorted labels of the subgroups.
    subgroup_losses_ : ndarray of shape (n_subgroups,)
        Mean loss of each.
    subgroup_weights_ : ndarray of shape (n_subgroups,)
        The mix q that certifies the optimum: its large entries bind, and a subgroup
        without weight has slack.
    objective_ : float
        Value at the coefficients.
    lower_bound_ : float
        No linear model has a smaller objective.
    gap_bound_ : float
        ``objective_ - lower_bound_``; only for ``beta=inf`` it is meant to vanish.
    n_iter_ : int
        Iterations.
    n_evaluations_ : int
        Passes over the rows.
    converged_ : bool
        Whether ``tol`` was reached.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when X has string names for them.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : For the mean over all rows.
    CompSumClassifier : For wrong labels.

    References
    ----------
    .. [1] S. Sagawa et al., "Distributionally Robust Neural
       Networks for Group Shifts", ICLR 2020.
    .. [2] X. Cai et al., "Variance Reduced Halpern Iteration for
       Finite-Sum Monotone Inclusions", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_ext.losses import WorstGroupClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = WorstGroupClassifier().fit(scale(X), y)  # the classes are subgroups
    >>> bool(model.gap_bound_ <= 1e-3 * model.objective_)
    True
    """

    __metadata_request__fit = {"subgroups": None}

    _parameter_constraints: dict = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "tau": [Interval(Real, 0, 1, closed="both")],
        "beta": [Interval(Real, 0, None, closed="both")],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "device": [str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        C=1.0,
        *,
        tau=1.0,
        beta=np.inf,
        fit_intercept=True,
        tol=1e-3,
        max_iter=1000,
        device=None,
        batch_size=None,
    ):
        self.C = C
        self.tau = tau
        self.beta = beta
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.device = device
        self.batch_size = batch_size

    @fit_context()
    def fit(self, X, y, sample_weight=None, subgroups=None):
        """Fit to the subgroup that is worst.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights within the subgroups.
        subgroups : array-like of shape (n_samples,), default=None
            The population that each row counts for; None takes the classes.

        Returns
        -------
        self : WorstGroupClassifier
            The fitted classifier.
        """
        data = labelled(self, X, y, sample_weight)
        names, codes = self._subgroups(subgroups, y, sample_weight, data)
        size = np.bincount(codes, data.weight)
        self._warn_of_few(names, size, subgroups)
        problem = prepare(
            data.on(self.device),
            data.y,
            data.weight,
            len(data.classes),
            fit_intercept=self.fit_intercept,
            batch_size=self.batch_size,
        )
        share = data.weight / size[codes]
        game = Game(problem, self.C, codes, share, len(names), float(self.tau))
        given = {"sample_weight": sample_weight, "subgroups": subgroups}
        given = {name: value for name, value in given.items() if value is not None}
        tasks = FitTasks(self, X, y, max_subtasks=None, metadata=given or None)

        def report(now):
            state = "classes_", "coef_", "intercept_"
            return tasks.end(
                lambda: dict(zip(state, (data.classes, *now()), strict=True))
            )

        if len(names) == 1 and self.tau == 1:
            found = self._alone(problem, report)
        else:
            options = {"beta": self.beta, "tol": self.tol, "max_iter": self.max_iter}
            found = play(game, report=report, **options)
        self._store(found, game, data, names)
        self._of_classes = subgroups is None
        tasks.close(classes_=data.classes, coef_=self.coef_, intercept_=self.intercept_)
        if not (found.converged or found.interrupted):
            warn(
                f"WorstGroupClassifier stopped after {found.n_iter} iterations with "
                f"objective {found.objective:.6g} and lower bound "
                f"{found.lower_bound:.6g}. Increase max_iter or tol, lower C, scale "
                "the features, or join subgroups of few rows.",
                ConvergenceWarning,
            )
        return self

    def _subgroups(self, subgroups, y, sample_weight, data):
        """Return sorted labels and the codes of the rows that have weight."""
        if subgroups is None:
            return data.classes, data.y
        keep = slice(None)
        if sample_weight is not None:
            keep = check_weights(sample_weight, np.empty((len(y), 0))) > 0
        return codes_of_subgroups(subgroups, y, keep)

    def _warn_of_few(self, names, size, subgroups):
        few = size < FEW
        if subgroups is not None and few.any() and len(names) > 1:
            warn(
                f"Subgroups {names[few].tolist()[:5]} have fewer than {FEW} rows of "
                "weight: the training loss of such a subgroup can be driven to 0, or "
                "dominates the maximum. Join them with others."
            )

    def _alone(self, problem, report):
        """One subgroup is logistic regression, exactly."""
        options = {"tol": min(self.tol, 1e-4), "max_iter": self.max_iter}
        solution = solve(problem, self.C, report=report, **options)
        minimum = solution.minimum
        return Play(
            minimum.theta,
            np.ones(1),
            solution.objective,
            solution.objective - solution.gap_bound,
            minimum.n_iter,
            minimum.n_evaluations,
            minimum.converged,
            minimum.interrupted,
        )

    def _store(self, found, game, data, names):
        dtype = np.float32 if single(data.X) else np.float64
        coef, intercept = game.problem.coefficients(found.theta)
        self.classes_, self.subgroups_ = data.classes, names
        self.coef_, self.intercept_ = coef.astype(dtype), intercept.astype(dtype)
        self.subgroup_losses_ = game.losses(found.theta)
        self.subgroup_weights_ = found.q
        self.objective_, self.lower_bound_ = found.objective, found.lower_bound
        self.gap_bound_ = found.objective - found.lower_bound
        self.n_iter_, self.n_evaluations_ = found.n_iter, found.n_evaluations
        self.converged_, self._tau = found.converged, game.tau

    def worst_group_score(self, X, y, subgroups=None, sample_weight=None):
        """Accuracy of the subgroup with the least.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            True labels.
        subgroups : array-like of shape (n_samples,), default=None
            Subgroup of each row; None takes the labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            The accuracy.
        """
        check_is_fitted(self)
        said, y = self.predict(X), column_or_1d(y)
        check_consistent_length(said, y)
        _, codes = codes_of_subgroups(subgroups, y)
        w = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
        count = np.bincount(codes, w)
        right = np.bincount(codes, w * (said == y))
        return float((right[count > 0] / count[count > 0]).min())


def codes_of_subgroups(subgroups, y, keep=slice(None)):
    """Return sorted labels of subgroups, and the code of each row that is kept."""
    values = np.asarray(y if subgroups is None else subgroups)
    if values.ndim != 1 or len(values) != len(y):
        raise ValueError(
            f"subgroups has shape {values.shape}, y has {len(y)} labels: pass one "
            "subgroup for each row, with several columns joined to one label."
        )
    if _has_missing(values):
        raise ValueError(
            "subgroups holds missing values (NaN, NaT, NA or None); give these rows a "
            "subgroup of their own, or leave them out."
        )
    try:
        return np.unique(values[keep], return_inverse=True)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in values.tolist()})
        raise TypeError(
            f"subgroups holds labels that cannot be sorted, of types {kinds}; pass "
            "strings, or numbers, alone."
        ) from error


def _has_missing(values):
    if values.dtype.kind == "O":
        return any(
            value is None or type(value).__name__ == "NAType" or value != value
            for value in values
        )
    return values.dtype.kind in "fmM" and bool(np.any(values != values))
