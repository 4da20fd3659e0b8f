"""Linear classification from class proportions of bags."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._validation import warn
from sklearn_ext.aggregate._bags._partition import check_magnitude
from sklearn_ext.aggregate._base import BagClassifierMixin
from sklearn_ext.aggregate._proportions._losses import (
    BagLoss,
    CountLoss,
    MixedLoss,
    RowLoss,
    debiased_targets,
)


class LabelProportionClassifier(CallbackSupportMixin, BagClassifierMixin, ExtEstimator):
    r"""Logistic regression from the class proportions of bags.

    With :math:`q_i` the class probabilities of a row and :math:`p_a` the proportions
    of its bag it minimises

    .. math::
        (1 - \rho) \sum_a S_a \mathrm{CE}(p_a, \bar q_a) + \rho \sum_i s_i
        \mathrm{CE}(p_a, q_i) + \tfrac{\alpha}{2} \|w\|^2

    by L-BFGS. The second part is convex and pulls every row to the proportions of its
    bag; the first is not convex, so its search starts from the minimum of the second.
    Each iteration takes O(n d) time; memory is O(n (d + n_classes)).

    Parameters
    ----------
    rho : float, default=0.01
        Weight of the instance-level loss in ``loss="interpolate"``.
    alpha : float, default=1.0
        Ridge penalty, the inverse of ``C`` in
        :class:`~sklearn.linear_model.LogisticRegression`: columns should share a scale,
        and weights times a constant ask for alpha times that constant.
    loss : {"interpolate", "bag", "instance", "em", "easyllp"}, default="interpolate"
        ``"bag"`` and ``"instance"`` are the ends ``rho=0`` and ``rho=1``. ``"em"``
        maximises the exact likelihood of the counts of two classes, O(k²) for a bag
        of k rows. ``"easyllp"`` replaces labels by pseudo-labels that are unbiased for
        random bags; convex.
    fit_intercept : bool, default=True
        Whether to fit an unpenalised intercept.
    max_iter : int, default=200
        Most iterations of each of the two searches.
    tol : float, default=1e-5
        Largest entry of the gradient, per unit of weight, at which a search ends.
    classes : array-like of shape (n_classes,) or None, default=None
        Classes in the order of the columns of proportions; None takes the labels.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Slopes of the log-odds; one row for two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    n_bags_ : int
        Number of bags.
    n_iter_ : int
        Iterations of both searches.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when all are strings.

    See Also
    --------
    AggregateNetClassifier : A neural network on the same losses.
    sklearn.linear_model.LogisticRegression : When rows have labels.

    References
    ----------
    .. [1] Busa-Fekete, Choi, Dick, Gentile, Medina, "Easy Learning from Label
       Proportions", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import LabelProportionClassifier
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> labels = X[:, 0] > 0  # only their shares in the bags are used
    >>> model = LabelProportionClassifier().fit(X, labels, bags=np.arange(400) // 4)
    >>> model.score(X, labels) > 0.95
    True
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        "rho": [Interval(Real, 0, 1, closed="both")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions({"interpolate", "bag", "instance", "em", "easyllp"})],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "classes": ["array-like", None],
    }

    def __init__(
        self,
        rho=0.01,
        alpha=1.0,
        *,
        loss="interpolate",
        fit_intercept=True,
        max_iter=200,
        tol=1e-5,
        classes=None,
    ):
        self.rho = rho
        self.alpha = alpha
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.classes = classes

    @fit_context()
    def fit(self, X, y, bags=None, sample_weight=None):
        """Fit to rows and the class proportions of their bags.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Class labels, of which only the shares in the bags are used; or these
            shares, replicated on the rows of their bag, together with ``classes``.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag, which is logistic
            regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows inside and across bags.

        Returns
        -------
        LabelProportionClassifier
            The fitted estimator.
        """
        data = X, y
        X, targets, bags = self._take(
            X, y, bags, sample_weight, whole_rows=False, multi_output=True
        )
        check_magnitude(X, "X")
        search = _Search(X, bags.weights, self)
        tasks = FitTasks(self, *data, max_subtasks=None)
        params = np.zeros(search.shape)
        self.n_iter_ = 0
        for loss in self._losses(targets, bags):
            params = self._minimise(search, loss, params, tasks)
        tasks.close(**self._store(search, params))
        return self

    def _losses(self, targets, bags):
        """List the losses to be minimised one after the other."""
        proportions = bags.means(targets)
        row = RowLoss(bags.spread(proportions), bags.weights)
        rho = {"bag": 0.0, "instance": 1.0}.get(self.loss, self.rho)
        if self.loss == "easyllp":
            return [RowLoss(debiased_targets(proportions, bags), bags.weights)]
        if self.loss == "em":
            return [row, CountLoss(_counts(proportions, bags), bags)]
        if rho == 1 or bags.are_rows:  # then both losses are the same
            return [row]
        return [row, MixedLoss(rho, BagLoss(proportions, bags), row)]

    def _minimise(self, search, loss, params, tasks):
        def report(intermediate_result):
            if tasks.end(**self._store(search, intermediate_result.x)):
                raise StopIteration

        found = minimize(
            search.evaluate,
            params.ravel(),
            args=(loss,),
            jac=True,
            method="L-BFGS-B",
            callback=report,
            options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 1e-14},
        )
        self.n_iter_ += max(found.nit, 1)
        if found.status == 1:
            warn(
                f"L-BFGS did not converge within max_iter={self.max_iter}. Raise "
                "max_iter, tol or alpha.",
                ConvergenceWarning,
            )
        return found.x

    def _store(self, search, params):
        """Store the slopes and return all that predictions need."""
        self.coef_, self.intercept_ = search.slopes(params)
        names = ("coef_", "intercept_", "classes_")
        return {name: getattr(self, name) for name in names}

    def decision_function(self, X):
        """Return the log-odds, or for several classes the logits, of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; positive ones favour the second of two classes.
        """
        scores = self._rows(X) @ self.coef_.T + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X):
        """Predict the class probabilities of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros_like(scores), scores])
        return softmax(scores, axis=1)


def _counts(proportions, bags):
    """Return how many rows of each bag are of the second class."""
    if proportions.shape[1] != 2:
        raise ValueError(
            "Only binary classification is supported by loss='em', got "
            f"{proportions.shape[1]} classes. Use loss='interpolate'."
        )
    if (bags.weights != 1).any():
        raise ValueError("loss='em' counts rows and takes no sample_weight.")
    counts = proportions[:, 1] * bags.counts
    whole = np.round(counts)
    if np.abs(counts - whole).max() > 1e-6 * bags.counts.max():
        raise ValueError(
            "loss='em' needs proportions that are counts over the size of the bag; "
            "these are not. Use loss='interpolate'."
        )
    return whole.astype(np.intp)


class _Search:
    """The penalised objective in coordinates where its Hessian is near the identity.

    Columns are centred, sparse ones by a shift of the intercept, and scaled by the
    diagonal of the Hessian at zero.
    """

    def __init__(self, X, weights, estimator):
        self.dtype, X = X.dtype, X.astype(float)
        self.total = weights.sum()
        self.alpha, self.intercept = estimator.alpha, estimator.fit_intercept
        self.n_classes = len(estimator.classes_)
        self.shape = (1 if self.n_classes == 2 else self.n_classes, X.shape[1] + 1)
        mean = (weights @ X) / self.total
        self.center = mean if self.intercept else np.zeros_like(mean)
        self.shift = np.zeros_like(mean)  # of the intercept, instead of the columns
        if not sparse.issparse(X):
            X = X - self.center
            squares = weights @ X**2
        else:
            squares = np.asarray(weights @ X.multiply(X))
            squares = np.maximum(squares - self.total * self.center**2, 0)
            self.shift = self.center
        self.X = X
        curvature = squares / 4 + self.alpha
        curvature[curvature == 0] = 1.0
        self.scale = np.sqrt(self.total / 4 / curvature)

    def slopes(self, params):
        """Return coefficients and intercepts in the user's coordinates."""
        params = params.reshape(self.shape)
        coef = params[:, :-1] * self.scale
        intercept = np.zeros(len(coef))
        if self.intercept:
            intercept = params[:, -1] - coef @ self.center
        return coef.astype(self.dtype), intercept.astype(self.dtype)

    def evaluate(self, params, loss):
        """Return the objective per unit of weight, and its gradient, for L-BFGS."""
        binary = self.n_classes == 2
        params = params.reshape(self.shape)
        coef = params[:, :-1] * self.scale
        intercept = params[:, -1] * self.intercept - coef @ self.shift
        logits = self.X @ coef.T + intercept
        if binary:
            logits = np.column_stack([np.zeros(len(logits)), logits])
        value, slope = loss(logits)
        slope = slope[:, 1:] if binary else slope
        at_intercept = slope.sum(axis=0)
        gradient = slope.T @ self.X - np.outer(at_intercept, self.shift)
        gradient = (gradient + self.alpha * coef) * self.scale
        value += self.alpha / 2 * np.sum(coef**2)
        at_intercept = at_intercept * self.intercept
        full = np.column_stack([gradient, at_intercept])
        return value / self.total, full.ravel() / self.total
