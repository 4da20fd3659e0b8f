"""Logistic regression as a probe on frozen features."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._optional import ConditionalMethod
from sklearn_ext._core._scores import ScoresMixin
from sklearn_ext._core._validation import FLOATS, check_tensor, check_weights, warn
from sklearn_ext._numerics._arrays import (
    blocks,
    finite_products,
    float64,
    is_tensor,
    like,
    rounding,
    to_numpy,
)
from sklearn_ext._numerics._classes import (
    Labelled,
    check_squares,
    class_factors,
    classes_of_stream,
    places_of,
)
from sklearn_ext._numerics._logistic import prepare, solve, solve_path
from sklearn_ext.probes._logistic._sgd import train

# fitted by one solver and not by the other
OF_ONE_SOLVER = ("_stream", "n_evaluations_", "objective_", "gap_bound_", "converged_")


class LinearScoresMixin(ScoresMixin):
    """Scores of a linear model: softmax, or logistic from one row of two classes."""

    def _scores(self, X):
        check_is_fitted(self)
        scores = linear_scores(check_rows(self, X), self.coef_, self.intercept_)
        if scores.shape[1] == 1:
            return np.column_stack([np.zeros_like(scores), scores])
        return scores


class NeedsSgd(ConditionalMethod):
    """A method that exists only with ``solver="sgd"``."""

    def missing(self, instance):
        """Return what is missing where another solver is named."""
        if instance.solver == "sgd":
            return None
        return (
            f"solver='sgd', got solver={instance.solver!r}, which solves for all rows "
            "at once."
        )


class LogisticProbe(CallbackSupportMixin, LinearScoresMixin, ExtEstimator):
    r"""Logistic regression with an L2 penalty, exact and fast on frozen features.

    It minimises, over coefficients W and intercepts b,

    .. math:: \frac1N \sum_i w_i \ell(y_i, W x_i + b) + \frac{1}{2 C N} \|W\|^2,
        \quad N = \sum_i w_i,

    where the loss is the log-loss of a softmax, or of one log-odds for two classes:
    ``C`` means what it means in :class:`~sklearn.linear_model.LogisticRegression`,
    and the optimum is the same. L-BFGS starts from the linear discriminant and works
    in the principal axes of the features, with a preconditioner that follows the
    curvature of each class. One iteration costs two products of X with a matrix of
    ``n_classes`` columns, the axes one product more, O(n_samples n_features^2), and
    a decomposition in O(n_features^3); with fewer rows than features the problem is
    first reduced to the space of the rows, which is exact. Besides X it needs memory
    for n_features^2 + 25 n_classes n_features numbers and one batch.

    The penalty feels the units of the columns: scale them first where they differ.
    Weights are amounts of evidence, so all of them times two is ``C`` times two.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty; infinity for none.
    fit_intercept : bool, default=True
        Whether the scores have intercepts, which are not penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the rows.
    solver : {"lbfgs", "sgd"}, default="lbfgs"
        "sgd" takes minibatch steps through skorch, for ``partial_fit`` and for data
        that do not fit into memory; it comes within some thousandths of the optimum.
    preconditioner : {"auto", "gram", "diag"} or None, default="auto"
        "gram" takes the second moments of the features, "diag" their variances only;
        "auto" is "gram" up to 4096 features or rows. None is plain L-BFGS.
    tol : float, default=1e-4
        Stop when the objective lies above its minimum by this part of itself, as its
        last decreases and its gradient foretell or as the dual problem bounds it; with
        the preconditioners None and "diag", which may rest on plateaus, the last sixth
        of all iterations must not have gained more, either. The gradient bound
        of scikit-learn's default stops at 1e-3 to 1e-1 on the data of
        ``benchmarks/bench_probes_logistic.py``.
    max_iter : int, default=500
        Iterations at most; for "sgd" the epochs are in ``sgd_params``.
    memory : int, default=10
        Steps that L-BFGS remembers.
    warm_start : bool, default=False
        Start from the coefficients of the last fit, if it had the same classes.
    device : str or None, default=None
        A torch device on which to compute; None stays on the host, or where the
        tensor X lives.
    batch_size : int or None, default=None
        Rows worked on at a time; None fits a cache. For "sgd" rows a step, None is 256.
    sgd_params : dict or None, default=None
        For "sgd": ``max_epochs`` (default 20), ``lr`` (default from the features'
        largest moment) and ``momentum`` (default 0.9).
    random_state : int, RandomState instance or None, default=None
        Order of the rows under "sgd".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (1 or n_classes, n_features)
        Coefficients, in the dtype of X; one row for two classes.
    intercept_ : ndarray of shape (1 or n_classes,)
        Intercepts, in float64, because far from zero they have more digits than X;
        they sum to zero for more than two classes.
    n_iter_ : int
        Iterations, or epochs.
    n_evaluations_ : int
        Passes over the rows, for "lbfgs".
    objective_ : float
        Value at the coefficients, for "lbfgs".
    gap_bound_ : float
        The objective exceeds its minimum by no more: a certificate from the dual
        problem, often far above the true gap; infinity without a penalty.
    converged_ : bool
        Whether ``tol`` was reached, for "lbfgs".
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when X has string names for them.

    See Also
    --------
    LogisticProbeCV : Chooses C.
    logistic_probe_path : Coefficients for many C.
    NaiveBayesProbe : One pass over the data, exact updates.
    sklearn.linear_model.LogisticRegression : Other penalties.

    References
    ----------
    .. [1] C. Zheng et al., "Revisiting Discriminative vs. Generative Classifiers:
       Theory and Implications", ICML 2023.
    .. [2] J. Nocedal, S. Wright, "Numerical Optimization", chapter 7, Springer 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import LogisticProbe
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = LogisticProbe(C=0.01).fit(X, y)
    >>> probe.score(X, y) > 0.98
    True
    """

    _parameter_constraints: dict = {
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "solver": [StrOptions({"lbfgs", "sgd"})],
        "preconditioner": [StrOptions({"auto", "gram", "diag"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "memory": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "sgd_params": [dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        C=1.0,
        *,
        fit_intercept=True,
        class_weight=None,
        solver="lbfgs",
        preconditioner="auto",
        tol=1e-4,
        max_iter=500,
        memory=10,
        warm_start=False,
        device=None,
        batch_size=None,
        sgd_params=None,
        random_state=None,
    ):
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.preconditioner = preconditioner
        self.tol = tol
        self.max_iter = max_iter
        self.memory = memory
        self.warm_start = warm_start
        self.device = device
        self.batch_size = batch_size
        self.sgd_params = sgd_params
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; a weight of two equals a row given twice.

        Returns
        -------
        self : LogisticProbe
            The fitted probe.
        """
        data = labelled(self, *checked(self, X, y, sample_weight))
        previous = None
        if self.warm_start and hasattr(self, "coef_"):
            same = np.array_equal(self.classes_, data.classes)
            if same and self.coef_.shape[1] == data.X.shape[1]:
                previous = self.coef_, self.intercept_
        for name in OF_ONE_SOLVER:
            vars(self).pop(name, None)
        self.classes_ = data.classes
        if self.solver == "sgd":
            train(self, data.X, data.y, data.weight, y, previous)
            return self
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        tasks = FitTasks(self, X, y, max_subtasks=self.max_iter, metadata=metadata)

        def fitted(coef, intercept):
            return {"classes_": data.classes, "coef_": coef, "intercept_": intercept}

        solve_probe(
            self, data, self.C, previous, lambda now: tasks.end(lambda: fitted(*now()))
        )
        tasks.close(**fitted(self.coef_, self.intercept_))
        return self

    @NeedsSgd
    @fit_context()
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Take one pass of minibatch steps over more rows; needs ``solver="sgd"``.

        Parameters
        ----------
        X : {array-like, tensor} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will come; needed in the first call only.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : LogisticProbe
            The updated probe.
        """
        stream = getattr(self, "_stream", None)
        rows, labels, weight = checked(self, X, y, sample_weight, reset=stream is None)
        self.classes_ = classes_of_stream(classes, stream and self.classes_)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, got one class: "
                f"{classes!r}."
            )
        codes = places_of(labels, self.classes_, advice="name all in the first call")
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' needs all rows at once, which partial_fit "
                "does not see. Pass a dict of weights."
            )
        total = np.bincount(codes, weight, minlength=len(self.classes_))
        weight = weight * class_factors(self.class_weight, self.classes_, total)[codes]
        start = stream and (self.coef_, self.intercept_)
        train(self, rows, codes, weight, y, start, stream, once=True)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver == "lbfgs"
        return tags


def checked(estimator, X, y, sample_weight, *, reset=True):
    """Check rows, labels and weights."""
    X, y = check_rows(estimator, X, y, reset=reset)
    check_squares(X)
    check_classification_targets(y)
    weight = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
    return X, y, weight


def labelled(estimator, X, y, weight):
    """Encode checked labels; rows without weight are as good as absent."""
    user = type(estimator).__name__
    return Labelled.of(X, y, weight, estimator.class_weight, user=user)


def check_rows(estimator, X, y="no_validation", *, reset=False):
    """Check rows, and labels if given; tensors off the host stay where they are."""
    y = y.cpu().numpy() if is_tensor(y) else y
    if is_tensor(X):
        X = X.detach()
        if X.dtype.is_floating_point and X.dtype.itemsize < 4:
            X = X.float()  # half precision is for storage
        if X.device.type != "cpu":
            X = X if X.dtype.is_floating_point else X.double()
            check_tensor(estimator, X, reset=reset)
            return X if isinstance(y, str) else (X, column_or_1d(y, warn=True))
        X = X.numpy()
    form = "csr" if get_tags(estimator).input_tags.sparse else False
    return validate_data(estimator, X, y, reset=reset, accept_sparse=form, dtype=FLOATS)


def solve_probe(probe, data, C, previous=None, report=None):
    """Fit to labelled rows; warn of what the solver left undone.

    Parameters
    ----------
    probe : LogisticProbe or LogisticProbeCV
        Whose parameters count, and whose fitted attributes are set.
    data : Labelled
        The rows.
    C : float
        Inverse penalty.
    previous : tuple of ndarray, default=None
        Coefficients and intercepts to start from.
    report : callable, default=None
        As `solve` takes it.
    """
    problem, params = _problem(probe, data)
    start = previous and problem.point(*previous)
    solution = solve(problem, C, start=start, report=report, **params)
    store_solution(probe, solution)
    warn_unless_converged(probe, solution, C)


def solve_probes(probe, data, Cs):
    """Return solutions for many C, with the other parameters of a probe."""
    problem, params = _problem(probe, data)
    return solve_path(problem, Cs, **params)


def _problem(probe, data):
    """Compute what does not depend on C; return it with what `solve` takes."""
    problem = prepare(
        data.on(probe.device),
        data.y,
        data.weight,
        len(data.classes),
        fit_intercept=probe.fit_intercept,
        preconditioner=probe.preconditioner,
        batch_size=probe.batch_size,
    )
    names = "tol", "max_iter", "memory"
    return problem, {name: getattr(probe, name) for name in names}


def store_solution(probe, solution):
    """Set the fitted attributes."""
    probe.coef_, probe.intercept_ = solution.coef, solution.intercept
    probe.n_iter_ = solution.minimum.n_iter
    probe.n_evaluations_ = solution.minimum.n_evaluations
    probe.objective_ = solution.objective
    probe.gap_bound_ = solution.gap_bound
    probe.converged_ = solution.minimum.converged and not solution.unbounded


def warn_unless_converged(probe, solution, C):
    """Say what the solver left undone, and what helps."""
    name, minimum, known = type(probe).__name__, solution.minimum, []
    if not solution.unbounded and (minimum.converged or minimum.interrupted):
        return
    if np.isfinite(minimum.expected_gap):  # at C=inf nothing may be known of the gap
        known.append(f" by an expected {minimum.expected_gap:.1e} of itself")
    if np.isfinite(solution.gap_bound):
        known.append(f" by {solution.gap_bound:.1e} at most")
    message = (
        f"{name} did not converge at C={C:g}: after {minimum.n_iter} iterations the "
        f"objective {solution.objective:.6g} lies above its minimum"
        f"{' and'.join(known)}. Increase max_iter or tol, lower C, or scale the "
        "features."
    )
    if solution.unbounded:
        message = (
            f"{name}: at C=inf the classes are separated without error, so the optimum "
            "is at infinity and the coefficients are one separator of many. Choose a "
            "finite C."
        )
    warn(message, ConvergenceWarning)  # the caller of fit


def linear_scores(X, coef, intercept):
    """Score rows in their dtype; far from zero about a row, which saves the digits.

    Parameters
    ----------
    X : {ndarray, sparse matrix, tensor} of shape (n_samples, n_features)
        Rows.
    coef : ndarray of shape (n_scores, n_features)
        Coefficients.
    intercept : ndarray of shape (n_scores,)
        Intercepts in float64.

    Returns
    -------
    ndarray of shape (n_samples, n_scores)
        The scores.
    """
    W = like(coef, X).T
    with finite_products():
        if sparse.issparse(X) or rounding(X) * float((abs(X[0]) @ abs(W)).max()) < 1e-5:
            scores = to_numpy(X @ W)
            return scores + intercept.astype(scores.dtype)
        pivot = X[0]
        parts = [to_numpy((X[rows] - pivot) @ W) for rows in blocks(X.shape[0], 4096)]
    offset = to_numpy(float64(pivot)) @ coef.T.astype(np.float64) + intercept
    return np.concatenate([(part + offset).astype(part.dtype) for part in parts])
