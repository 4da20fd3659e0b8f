"""The Rashomon set of ridge regression, in closed form."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._blocks import check_mergeable, fit_blocks
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import FLOATS, check_weights
from sklearn_ext._numerics._arrays import dense
from sklearn_ext.rashomon._linear._ellipsoids import (
    Ellipsoid,
    RidgeStatistics,
    ellipsoid_share,
    quadratic_range,
    solve_ridge,
)
from sklearn_ext.rashomon._linear._members import LinearMembers
from sklearn_ext.rashomon._ratio import (
    CONSTRAINTS,
    CoefficientSpace,
    PathMixin,
    RatioMixin,
    warn_weak,
)

ROUNDING = 1e-12  # share by which a mean of equal numbers may miss them
TINY = 1e-290  # a smaller sum of weights loses digits of the products
DATA = {"accept_sparse": ("csr", "csc"), "dtype": FLOATS}


@shared_docs(RatioMixin)
class RashomonRidge(PathMixin, RegressorMixin, ExtEstimator):
    r"""All ridge regressions that are nearly as good as the best one.

    The objective ``J(w) = sum_i weight_i (y_i - x_i'w - b)**2 + alpha ||w||**2``, with
    the intercept b optimal for each w, exceeds its minimum by a quadratic form. So
    the Rashomon set is an ellipsoid, and its volume, its share of a ball, uniform
    draws and all ranges over it have closed forms. Losses are ``J`` divided by the
    total weight. Time ``O(n p**2 + p**3)``, memory ``O(p**2)``.

    Parameters
    ----------
    alpha : float, default=1.0
        Penalty, as in scikit-learn's ``Ridge``.
    theta : float, default=0.05
        Slack of the loss.
    theta_mode : {"relative", "absolute"}, default="relative"
        Whether the threshold is the smallest loss times one plus theta, or plus theta.
    reference_loss : float or None, default=None
        Loss that replaces the smallest one.
    space : {"ball", "box", "gaussian"}, default="ball"
        Prior of the coefficients: uniform in a ball or a box around zero, or normal.
    radius : float or None, default=None
        Radius of the ball, or half the side of the box. None takes the smallest
        radius that surely holds every model as good as the zero model,
        ``sqrt(J(0) / alpha)``.
    prior_scale : float, default=1.0
        Standard deviation of the normal prior.
    fit_intercept : bool, default=True
        Whether there is an intercept; it is no coordinate of the space.
    n_members : int, default=200
        Models drawn uniformly from the set.
    predict_with : {"best", "members"}, default="best"
        The optimum, or the mean of the members.
    n_draws : int, default=10_000
        Draws where the ratio has no closed form.
    confidence_level : float, default=0.95
        Coverage of the interval in that case.
    random_state : int, RandomState instance or None, default=None
        Source of members and draws.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Optimal coefficients.
    intercept_ : float
        Optimal intercept.
    coef_range_ : ndarray of shape (n_features, 2)
        Smallest and largest value of each coefficient in the set.
    log_volume_ : float
        Logarithm of the volume of the set.
    log_ratio_, log10_ratio_, ratio_, information_bits_ : see RatioMixin
    log_ratio_interval_ : see RatioMixin
    interval_kind_ : {"exact", "confidence"}
        What the interval means.
    exact_ : see RatioMixin
    ess_ : float
        Effective number of draws; nan where nothing was sampled.
    method_ : {"closed form", "sampled"}
        How the ratio was found.
    min_loss_ : float
        Smallest loss.
    threshold_loss_ : float
        Largest loss in the set.
    hypothesis_space_ : dict
        Name, dimension, size and prior of the space.
    members_ : LinearMembers
        Drawn models.
    n_features_in_, feature_names_in_ : see RatioMixin

    See Also
    --------
    RashomonLogisticRegression : The same for classification.
    sklearn.linear_model.Ridge : The optimum alone.

    References
    ----------
    .. [1] L. Semenova, C. Rudin, R. Parr, "On the Existence of Simpler Machine
       Learning Models", FAccT 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_ext.rashomon import RashomonRidge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RashomonRidge(theta=0.01, random_state=0).fit(X, y)
    >>> print(f"{model.log10_ratio_:.2f}", model.exact_)
    -12.21 True
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "space": [StrOptions({"ball", "box", "gaussian"})],
        "radius": [Interval(Real, 0, None, closed="neither"), None],
        "prior_scale": [Interval(Real, 0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "predict_with": [StrOptions({"best", "members"})],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        theta=0.05,
        theta_mode="relative",
        reference_loss=None,
        space="ball",
        radius=None,
        prior_scale=1.0,
        fit_intercept=True,
        n_members=200,
        predict_with="best",
        n_draws=10_000,
        confidence_level=0.95,
        random_state=None,
    ):
        self.alpha = alpha
        self.theta = theta
        self.theta_mode = theta_mode
        self.reference_loss = reference_loss
        self.space = space
        self.radius = radius
        self.prior_scale = prior_scale
        self.fit_intercept = fit_intercept
        self.n_members = n_members
        self.predict_with = predict_with
        self.n_draws = n_draws
        self.confidence_level = confidence_level
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Find the Rashomon set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        self : RashomonRidge
            Fitted estimator.
        """
        return self._solve(self._summarize(X, y, sample_weight, reset=True))

    @fit_context()
    def partial_fit(self, X, y, sample_weight=None):
        """Add the rows of one more block; equals ``fit`` on all rows.

        The first block has two rows at least, later ones may have one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        self : RashomonRidge
            Fitted estimator.
        """
        first = not hasattr(self, "_statistics")
        block = self._summarize(X, y, sample_weight, reset=first)
        return self._solve(block if first else self._statistics + block)

    @fit_context()
    def merge(self, other):
        """Add the rows of another fitted model.

        Parameters
        ----------
        other : RashomonRidge
            A model fitted to other rows of the same features.

        Returns
        -------
        self : RashomonRidge
            The model of all rows.
        """
        check_mergeable(self, other)
        if self.fit_intercept != other.fit_intercept:
            raise ValueError(
                "merge takes a model with the same fit_intercept: this one has "
                f"{self.fit_intercept}, the other {other.fit_intercept}."
            )
        return self._solve(self._statistics + other._statistics)

    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of rows as if they were one table.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y)`` or ``(X, y, sample_weight)``, or callables that load one.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        self : RashomonRidge
            Fitted estimator.
        """
        return fit_blocks(self, blocks, n_jobs=n_jobs)

    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions of the optimum, or their mean over the members.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **DATA)
        if self.predict_with == "best":
            coef, intercept = self.coef_, self.intercept_
        else:
            coef = self.members_.coef.mean(axis=0)
            intercept = self.members_.intercept.mean()
        # in float64: columns far from zero cancel against the intercept
        return (np.asarray(X @ coef) + intercept).astype(X.dtype)

    def predict_range(self, X):
        """Smallest and largest prediction of any model in the set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            The ranges, in closed form.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **DATA)
        away = dense(X) - self._sums.x_mean
        middle = away @ self.coef_ + self._sums.y_mean
        half = self._ellipsoid.half_widths(away)
        return np.stack([middle - half, middle + half], axis=1)

    def model_class_reliance(self):
        """Range over the set of the loss added by switching each feature.

        The mean squared error on the training rows when a feature is taken from
        another row, minus the plain one. Both rows are drawn independently by their
        weights, so a row meets itself now and then: for n rows of equal weight the
        mean over pairs of different rows is larger by a factor ``n / (n - 1)``.

        Returns
        -------
        ndarray of shape (n_features, 2)
            Smallest and largest reliance, in closed form.
        """
        check_is_fitted(self)
        s, e = self._statistics, self._ellipsoid  # centred, whatever the model is
        M, c = s.xx / s.weight, s.xy / s.weight
        root = e.vectors * np.sqrt(max(e.size, 0.0) / e.values)
        found = np.empty((len(M), 2))
        for j, row in enumerate(M):
            D = np.zeros_like(M)
            D[j], D[:, j] = -row, -row
            D[j, j] = 0.0
            line = np.zeros(len(M))
            line[j] = 2 * c[j]
            constant = e.centre @ D @ e.centre + line @ e.centre
            g = root.T @ (2 * D @ e.centre + line)
            found[j] = np.add(constant, quadratic_range(root.T @ D @ root, g))
        return found

    def _summarize(self, X, y, sample_weight=None, *, reset=True):
        fewest = 2 if reset else 1  # sums of one row add to those of others
        X, y = validate_data(
            self, X, y, reset=reset, y_numeric=True, ensure_min_samples=fewest, **DATA
        )
        weight = check_weights(sample_weight, X, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            statistics = RidgeStatistics.of(X, y, weight)
        sums = statistics.weight, statistics.yy, statistics.xy, statistics.xx
        if not all(np.isfinite(part).all() for part in sums):
            raise ValueError(
                "Sums of squares overflow: the largest number is "
                f"{abs(X).max():.3g} in X, {abs(y).max():.3g} in y and "
                f"{weight.max():.3g} in sample_weight. Scale them down."
            )
        vanished = statistics.yy < TINY <= statistics.weight
        if vanished and np.ptp(y[weight > 0]) > 0:
            raise ValueError(
                "Sums of squares underflow: the largest number is "
                f"{abs(y).max():.3g} in y and {weight.max():.3g} in sample_weight. "
                "Scale them up."
            )
        return statistics

    def _solve(self, statistics):
        s = statistics if self.fit_intercept else statistics.about_zero()
        alpha = float(self.alpha)
        if self.space != "gaussian" and self.radius is None and alpha == 0:
            raise ValueError(
                f"space={self.space!r} with alpha=0 has no natural radius: give "
                "radius, or use alpha > 0."
            )
        if s.weight < TINY:
            raise ValueError(
                f"sample_weight must have a sum of at least {TINY:g}, got "
                f"{s.weight:g}. Scale the weights up."
            )
        rounding = s.weight * (ROUNDING * s.y_mean) ** 2
        if s.yy <= rounding:
            raise ValueError(
                "The target is constant, so the Rashomon ratio is undefined."
            )
        centre, best, values, vectors = solve_ridge(s, alpha)
        self._statistics, self._sums = statistics, s
        self._best, self._eigen = best, (values, vectors)
        self.coef_ = centre
        self.intercept_ = float(s.y_mean - s.x_mean @ centre)
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=2)
        self._seed = int(seeds[0])
        self.min_loss_ = best / s.weight
        self._ellipsoid = ellipsoid = self._at(self.theta)
        self.threshold_loss_ = self.min_loss_ + ellipsoid.size / s.weight
        share = self._share(ellipsoid)
        self._store_ratio(share)
        warn_weak(share.ess, "draws", "Use more n_draws or a larger theta.")
        self.method_ = "closed form" if share.kind == "exact" else "sampled"
        self.log_volume_ = float(ellipsoid.log_volume)
        half = ellipsoid.half_widths(np.eye(len(centre)))
        self.coef_range_ = np.stack([centre - half, centre + half], axis=1)
        self.hypothesis_space_ = self._space().describe("linear models")
        rng = np.random.default_rng(int(seeds[1]))
        if ellipsoid.size < 0:
            self._warn_empty()
            self.members_ = self._members(centre[None])
        else:
            self.members_ = self._members(ellipsoid.draw(self.n_members, rng))
        return self

    def _sample(self, n_samples, theta, seed):
        ellipsoid = self._within(self._slack(theta))
        return self._members(ellipsoid.draw(n_samples, np.random.default_rng(seed)))

    def _ratios_at(self, thetas):
        return [self._share(self._at(theta)) for theta in thetas]

    def _at(self, theta):
        """Ellipsoid of another slack."""
        # the difference of the means is zero, not rounding, for theta of zero
        return self._within(self._mean_threshold(theta) - self.min_loss_)

    def _within(self, slack):
        """Ellipsoid of the models that lose at most so much more than the best one."""
        return Ellipsoid(self.coef_, *self._eigen, self._sums.weight * slack)

    def _space(self):
        radius = self.radius
        if radius is None and self.space != "gaussian":
            radius = np.sqrt(self._sums.yy / self.alpha)
        return CoefficientSpace(self.space, len(self.coef_), radius, self.prior_scale)

    def _share(self, ellipsoid):
        return ellipsoid_share(
            ellipsoid,
            self._space(),
            # the natural ball holds all that is as good as no coefficients
            held=self.radius is None and self._best + ellipsoid.size <= self._sums.yy,
            n_draws=self.n_draws,
            confidence_level=self.confidence_level,
            rng=np.random.default_rng(self._seed),
        )

    def _members(self, coef):
        s = self._sums
        return LinearMembers(coef, s.y_mean - coef @ s.x_mean)
