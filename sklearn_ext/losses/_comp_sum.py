"""Linear classifier whose loss need not trust every label."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    Interval,
    Options,
    StrOptions,
)
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._logistic import prepare, solve
from sklearn_ext.losses._linear import (
    LinearClassifierMixin,
    check_rows,
    codes_of,
    labelled,
    store_solution,
    warn_unless_converged,
)
from sklearn_ext.losses._robust import solve_robust


class LabelQualityMixin(LinearClassifierMixin):
    """How far a model believes the labels that it is shown."""

    def label_quality(self, X, y):
        """Probability of each row's own label: small where the label is suspect.

        Training rows may be ranked by the very fit that saw them: with ``tau`` above
        one it hardly bends to wrong labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their labels, wrong ones included.

        Returns
        -------
        ndarray of shape (n_samples,)
            Values in [0, 1]; look at the rows with the smallest first.
        """
        check_is_fitted(self)
        X = check_rows(self, X)
        codes = codes_of(self, X, y)
        return self.predict_proba(X)[np.arange(len(codes)), codes]


class CompSumClassifier(CallbackSupportMixin, LabelQualityMixin, ExtEstimator):
    r"""Linear classifier for labels of which some are wrong, and for robust margins.

    It minimises, over coefficients W and intercepts b,

    .. math:: \frac1N \sum_i w_i \frac{1 - p_i^{\tau - 1}}{\tau - 1}
        + \frac{1}{2 C N} \|W\|^2, \quad N = \sum_i w_i,

    where :math:`p_i` is the softmax probability of the row's own label. Its gradient is
    that of the log-loss with the weight of each row times :math:`p_i^{\tau - 1}`: above
    ``tau=1`` rows that disagree with the model pull less, and at 2 hardly at all. At 1
    it is logistic regression, below 1 hard rows pull more. Up to 1 the objective is
    convex; above, L-BFGS starts from the solution for 1 and finds a local minimum. The
    cost is two to four times that of a logistic fit. The penalty feels the scale of the
    columns: standardise them.

    With ``epsilon`` the loss is that of the worst change of each row by at most so
    much, exactly so for two classes, and an upper bound for more. Its cost grows with
    n_classes^2 n_features.

    With two classes and much noise prefer :class:`CompSumClassifierCV`, which may
    prune. Probabilities are sharper than the noisy labels deserve, which with wrong
    labels is close to the truth; where labels are right and the linear model is not,
    calibrate.

    Parameters
    ----------
    tau : float, default=1.7
        How much a badly fitted row may pull: 1 is log-loss, towards 2 rows that
        disagree are ignored, 0 is the sum-exponential loss. Of two classes without
        noise 1 is as good or better.
    C : float, default=1.0
        Inverse strength of the penalty; infinity for none. Weights
        :math:`p_i^{\tau - 1}` shrink the loss, so that C is not comparable between
        values of ``tau``.
    epsilon : float, default=0.0
        Largest change of a row to be survived, in the units of X.
    norm : {2, inf}, default=2
        What measures the change: Euclidean length, or the largest entry.
    fit_intercept : bool, default=True
        Whether the scores have intercepts, which are not penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the rows.
    tol : float, default=1e-4
        Stop when the objective lies above its minimum by this part of itself, as its
        last decreases foretell.
    max_iter : int, default=500
        Iterations at most, for each stage of the fit.
    memory : int, default=10
        Steps that L-BFGS remembers.
    warm_start : bool, default=False
        Start from the coefficients of the last fit, if it had the same classes.
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
        Intercepts; they sum to zero for more than two classes.
    n_iter_ : int
        Iterations.
    n_evaluations_ : int
        Passes over the rows.
    objective_ : float
        Value at the coefficients.
    gap_bound_ : float
        The objective exceeds its minimum by no more: a certificate from the dual
        problem, which exists only for ``tau=1`` and ``epsilon=0``; else NaN.
    converged_ : bool
        Whether ``tol`` was reached.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when X has string names for them.

    See Also
    --------
    CompSumClassifierCV : Chooses tau and C on the noisy labels, and may prune.
    certified_radius : How large a change each row survives.
    sklearn.linear_model.LogisticRegression : For labels that can be trusted.

    References
    ----------
    .. [1] A. Mao, M. Mohri, Y. Zhong, "Cross-Entropy Loss Functions: Theoretical
       Analysis and Applications", ICML 2023.
    .. [2] Z. Zhang, M. Sabuncu, "Generalized Cross Entropy Loss for Training Deep
       Neural Networks with Noisy Labels", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.losses import CompSumClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> noisy, rng = y.copy(), np.random.default_rng(0)
    >>> wrong = rng.random(len(y)) < 0.3
    >>> noisy[wrong] = rng.integers(0, 10, wrong.sum())
    >>> model = CompSumClassifier(C=0.01).fit(X, noisy)
    >>> first = model.label_quality(X, noisy).argsort()[:100]
    >>> float(np.mean(noisy[first] != y[first])) > 0.95
    True
    """

    _parameter_constraints: dict = {
        "tau": [Interval(Real, 0, None, closed="left")],
        "C": [Interval(Real, 0, None, closed="right")],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "norm": [Options(Real, {2, np.inf})],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "memory": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        tau=1.7,
        *,
        C=1.0,
        epsilon=0.0,
        norm=2,
        fit_intercept=True,
        class_weight=None,
        tol=1e-4,
        max_iter=500,
        memory=10,
        warm_start=False,
        device=None,
        batch_size=None,
    ):
        self.tau = tau
        self.C = C
        self.epsilon = epsilon
        self.norm = norm
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.memory = memory
        self.warm_start = warm_start
        self.device = device
        self.batch_size = batch_size

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, of which some may be wrong.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of two equals a row given twice.

        Returns
        -------
        self : CompSumClassifier
            The fitted classifier.
        """
        data = labelled(self, X, y, sample_weight, self.class_weight)
        warn_of_large_tau(self.tau)
        problem = prepare_rows(self, data)
        previous = None
        if self.warm_start and hasattr(self, "coef_"):
            same = np.array_equal(self.classes_, data.classes)
            if same and self.coef_.shape[1] == data.X.shape[1]:
                previous = problem.point(self.coef_, self.intercept_)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        tasks = FitTasks(self, X, y, max_subtasks=None, metadata=metadata)

        def report(now):
            names = "classes_", "coef_", "intercept_"
            return tasks.end(
                lambda: dict(zip(names, (data.classes, *now()), strict=True))
            )

        stages = solve_stages(self, problem, self.C, self.tau, previous, report)
        finish(self, stages, data)
        tasks.close(classes_=data.classes, coef_=self.coef_, intercept_=self.intercept_)
        return self


def warn_of_large_tau(tau):
    """Warn of losses that hardly have a gradient where it is needed."""
    if tau > 2:
        warn(
            f"tau={tau:g}: beyond 2 rows that are fitted badly get nearly no gradient. "
            "Choose tau in [0, 2]."
        )


def prepare_rows(model, data):
    """Compute what depends neither on C nor on tau, with a model's parameters."""
    # the largest entry is no property of the space that few rows span
    few = data.X.shape[0] < data.X.shape[1]
    diag = model.epsilon > 0 and model.norm != 2 and few
    return prepare(
        data.on(model.device),
        data.y,
        data.weight,
        len(data.classes),
        fit_intercept=model.fit_intercept,
        preconditioner="diag" if diag else "auto",
        batch_size=model.batch_size,
    )


def solve_stages(model, problem, C, tau, start=None, report=None):
    """Solve for tau from a start: log-loss first, then tau, then the worst case.

    Parameters
    ----------
    model : CompSumClassifier or CompSumClassifierCV
        Holds the parameters of the solver and of the worst case.
    problem : Problem
        Of `prepare_rows`.
    C, tau : float
        Inverse penalty and exponent.
    start : array, optional
        A flat point; None starts from the discriminant, above ``tau=1`` by way of the
        solution for one.
    report : callable, optional
        As ``solve`` takes it.

    Returns
    -------
    list of Solution
        One a stage; the last one is the answer.
    """
    options = {"tol": model.tol, "max_iter": model.max_iter, "memory": model.memory}
    options["report"] = report
    stages = []
    for q in [0.0, tau - 1] if start is None and tau > 1 else [tau - 1]:
        stages.append(solve(problem, C, q=q, start=start, **options))
        start = stages[-1].minimum.theta
        if stages[-1].minimum.interrupted:
            return stages
    if model.epsilon > 0:
        worst = {"epsilon": model.epsilon, "norm": model.norm}
        stages.append(
            solve_robust(problem, C, q=tau - 1, start=start, **worst, **options)
        )
    return stages


def finish(model, stages, data):
    """Set the fitted attributes and warn of what was left undone."""
    solution, minima = stages[-1], [stage.minimum for stage in stages]
    store_solution(model, solution, data)
    model.n_iter_ = sum(minimum.n_iter for minimum in minima)
    model.n_evaluations_ = sum(minimum.n_evaluations for minimum in minima)
    done = minima[-1].converged
    model.converged_ = bool(done and not solution.unbounded)
    warn_unless_converged(
        model, done or minima[-1].interrupted, solution.unbounded, model.max_iter
    )
