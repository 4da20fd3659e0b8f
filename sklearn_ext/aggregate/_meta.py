"""Any regressor on aggregates, by majorising the bag-level loss."""

from numbers import Integral, Real

import numpy as np
from scipy import linalg
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.utils import get_tags
from sklearn.utils.validation import (
    check_array,
    check_is_fitted,
    has_fit_parameter,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    _num_samples,
)
from sklearn_ext._core._validation import warn
from sklearn_ext.aggregate._base import BagRegressorMixin


class AggregateMetaRegressor(CallbackSupportMixin, BagRegressorMixin, ExtEstimator):
    r"""Fit any regressor of rows to aggregates of bags.

    With predictions f of the rows, the squared loss of the family is majorised by a
    plain least-squares problem on pseudo-responses

    .. math:: z_i = \bar y_a + (1 - \rho)(f_i - \bar f_a),

    so the regressor is refitted to z and predicts the next f, starting from the
    replicated aggregates. Only the spread of f inside bags enters; it moves by
    Anderson's extrapolation of the last fits as long as the learner answers as a linear
    one would, and else by steps short enough for any ``rho``. The limit for
    least-squares learners, with a penalty or without, is the closed form of
    :class:`InterpolatingAggregateRegressor`. For others there is no guarantee. Where
    the search does not settle it warns and keeps the fit of least objective. The cost
    is that of ``n_iter_`` fits. What the scale of columns and of weights means is up to
    the regressor.

    Parameters
    ----------
    estimator : regressor or None, default=None
        What is fitted; None takes :class:`~sklearn.linear_model.Ridge`.
    rho : float, default=0.0
        Weight of the spread of predictions inside a bag: 0 is the bag-level loss, 1
        the instance-level loss.
    max_iter : int, default=20
        Most fits.
    tol : float, default=1e-4
        The search ends when predictions move less than this times the standard
        deviation of the aggregates. Those of trees jump: 0.03 or more is enough.

    Attributes
    ----------
    estimator_ : regressor
        The last fit if the search settled, else that of least objective. The learner's
        own penalty counts: its slope is read off the residuals of each fit.
    objective_ : float
        The loss of bags of this fit, per unit of weight and without the learner's own
        penalty.
    n_iter_ : int
        Number of fits.
    n_bags_ : int
        Number of bags.
    n_features_in_ : int
        Number of features seen in fit, when the regressor counts them.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when the regressor knows them.

    See Also
    --------
    InterpolatingAggregateRegressor : The linear case in closed form.
    AggregateBoostingRegressor : Trees that are fitted to bags directly.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from sklearn_ext.aggregate import AggregateMetaRegressor
    >>> X = np.random.default_rng(0).uniform(-2, 2, size=(900, 1))
    >>> trees = HistGradientBoostingRegressor(max_iter=20)
    >>> model = AggregateMetaRegressor(trees, tol=0.05)
    >>> y, bags = X[:, 0] ** 2, np.arange(900) // 3
    >>> model.fit(X, y, bags=bags).score(X, y) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "rho": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, estimator=None, rho=0.0, *, max_iter=20, tol=1e-4):
        self.estimator = estimator
        self.rho = rho
        self.max_iter = max_iter
        self.tol = tol

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, bags=None, sample_weight=None):
        """Fit the regressor until its predictions settle.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, passed on as they are.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Aggregates replicated on the rows of their bag; individual responses do as
            well, since only bag means are used.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag, so one fit is enough.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; the regressor must take them.

        Returns
        -------
        AggregateMetaRegressor
            The fitted estimator.
        """
        data, estimator = (X, y), self._inner()
        if sample_weight is not None and not has_fit_parameter(
            estimator, "sample_weight"
        ):
            raise ValueError(
                f"{type(estimator).__name__}.fit takes no sample_weight. Leave the "
                "weights out, or choose another estimator."
            )
        X, y, bags = self._take(X, y, bags, sample_weight, whole_rows=False)
        weights = {} if sample_weight is None else {"sample_weight": bags.weights}
        search = _Search(bags.means(y), bags, self.rho)
        tasks = FitTasks(self, *data, max_subtasks=self.max_iter, task_name="refit")
        for iteration in range(self.max_iter):
            model = clone(estimator).fit(X, search.pseudo_responses(), **weights)
            f = np.asarray(model.predict(X), dtype=float).reshape(y.shape)
            moved = search.take(f)
            settled = moved <= self.tol or bags.are_rows or self.rho == 1
            if settled or search.is_best:
                self.objective_, self.estimator_ = search.loss, model
            self.n_iter_ = iteration + 1
            if tasks.end(estimator_=self.estimator_) or settled:
                break
        else:
            warn(
                f"Predictions still move by {moved:.1g} of the standard deviation of "
                f"the aggregates after max_iter={self.max_iter} fits, more than tol="
                f"{self.tol:g}. Raise max_iter; or tol, where the predictions of the "
                "estimator jump.",
                ConvergenceWarning,
            )
        tasks.close(estimator_=self.estimator_)
        return self

    def _validated(self, X, y):
        if y is None:
            raise ValueError(
                "AggregateMetaRegressor requires y to be passed, but the target y is "
                "None."
            )
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        if _num_samples(X) != len(y):
            raise ValueError(f"X has {_num_samples(X)} rows but y has {len(y)}.")
        return X, y

    def _inner(self):
        return Ridge() if self.estimator is None else self.estimator

    @property
    def n_features_in_(self):
        """Number of features seen in fit, if the regressor counts them."""
        check_is_fitted(self)
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features, if the regressor knows them."""
        check_is_fitted(self)
        return self.estimator_.feature_names_in_

    def predict(self, X):
        """Predict the response of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self._inner())
        tags.input_tags = inner.input_tags
        tags.target_tags.multi_output = inner.target_tags.multi_output
        return tags


class _Search:
    """The fixed point of "fit to pseudo-responses, predict", inside bags.

    What is iterated is the spread of predictions inside bags: the next pseudo-responses
    need no more.
    """

    MEMORY = 10  # fits that the extrapolation looks back on

    def __init__(self, means, bags, rho):
        self.means, self.bags, self.rho = means, bags, rho
        self.rows = bags.spread(means)
        self.scale = self.rows.std() or 1.0
        self.spread = np.zeros_like(self.rows)  # what the next fit is made from
        self.penalty, self.least, self.last = 0.0, np.inf, None
        self.tried, self.expected = [], np.inf
        self.linear = True

    def pseudo_responses(self):
        """Return what the next fit is fitted to."""
        return self.rows + (1 - self.rho) * self.spread

    def take(self, f):
        """Take in the predictions of the fit; return how far they moved."""
        self._judge(f, self.pseudo_responses() - f)
        gap = f - self.bags.spread(self.bags.means(f)) - self.spread
        moved = np.sqrt(np.mean(gap**2))
        self._step(gap, moved)
        return moved / self.scale

    def _judge(self, f, pull):
        """Update the objective; ``2 pull`` is the slope of the learner's penalty."""
        self.loss = interpolated_loss(f, self.means, self.bags, self.rho)
        if self.last is not None:
            before, pulled = self.last
            gained = np.sum(self.bags.weights @ ((f - before) * (pull + pulled)))
            self.penalty += gained / self.bags.sizes.sum()
        self.last = f, pull
        self.is_best = self.loss + self.penalty < self.least
        if self.is_best:
            self.least = self.loss + self.penalty

    def _step(self, gap, moved):
        """Move towards the fixed point, from where a linear learner would be nearest.

        A step of one may overshoot when ``rho > 2``; this one is a contraction for
        least-squares learners, whose answers lie between none and ``1 - rho`` times
        what they are asked for.
        """
        length = 2 / (1 + self.rho) if self.rho > 1 else 1.0
        if moved > self.expected:  # a linear one would have come nearer
            self.linear, self.tried = False, []
        at, left = self.spread, gap
        if self.linear and self.tried:
            steps = np.array([at, gap]) - np.array(self.tried)
            spreads, gaps = steps.reshape(len(steps), 2, -1).transpose(1, 2, 0)
            share = linalg.lstsq(gaps, gap.ravel(), cond=1e-8)[0]
            at = at - (spreads @ share).reshape(at.shape)
            left = gap - (gaps @ share).reshape(at.shape)
            self.expected = np.sqrt(np.mean(left**2)) + 1e-9 * self.scale
        self.tried = [*self.tried, (self.spread, gap)][-self.MEMORY :]
        self.spread = at + length * left


def interpolated_loss(f, means, bags, rho):
    """Return bag-level loss plus rho times the spread inside bags, by weight."""
    own = bags.means(f)
    inside = bags.weights @ (f - bags.spread(own)) ** 2
    total = np.sum(bags.sizes @ (means - own) ** 2 + rho * inside)
    return float(total / bags.sizes.sum())
