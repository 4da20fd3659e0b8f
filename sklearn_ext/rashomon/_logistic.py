"""The Rashomon set of penalised logistic regression."""

from numbers import Integral, Real

import numpy as np
from scipy.special import entr, expit, gammaln, logsumexp
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext.rashomon._class_weights import class_factors
from sklearn_ext.rashomon._intervals import clopper_pearson, log_mean_interval
from sklearn_ext.rashomon._linear_members import LinearMembers, check_two_classes
from sklearn_ext.rashomon._logistic_sets import (
    LogisticProblem,
    cast_profiled_rays,
    cast_rays,
    functional_maxima,
    minimize,
)
from sklearn_ext.rashomon._results import (
    RatioEstimate,
    RatioMixin,
    exactly,
    loss_threshold,
    warn_empty,
)


class RashomonLogisticRegression(RatioMixin, ClassifierMixin, ExtEstimator):
    r"""All logistic regressions that are nearly as good as the best one.

    The objective is ``J(w, b) = mean log loss + ||w||**2 / (2 C n)``, scikit-learn's
    divided by ``C n``. Its sublevel set is convex; the distance to the surface along
    random rays, found by Newton's method for all rays at once, gives the volume and
    independent uniform draws. For the ratio the intercept is profiled out, since it is
    not penalised. Ranges of coefficients and of predictions are exact. Time for R rays
    and s Newton steps: ``O(R n p s)``.

    Parameters
    ----------
    C : float, default=1.0
        Inverse penalty, as in scikit-learn's ``LogisticRegression``.
    theta : float, default=0.05
        Slack of the objective.
    theta_mode : {"relative", "absolute"}, default="relative"
        Whether the threshold is the minimum times one plus theta, or plus theta.
    reference_loss : float or None, default=None
        Objective that replaces the minimum.
    fit_intercept : bool, default=True
        Whether there is an intercept; it is no coordinate of the space.
    space : {"ball", "gaussian"}, default="ball"
        Prior of the coefficients: uniform in a ball around zero, or normal.
    radius : float or None, default=None
        Radius of the ball. None takes the smallest one that surely holds every model
        as good as the constant one, ``sqrt(2 C n J(0))``.
    prior_scale : float, default=1.0
        Standard deviation of the normal prior.
    n_rays : int, default=1000
        Rays for the volume and for the draws.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply ``sample_weight``.
    n_members : int, default=200
        Models drawn from the set.
    predict_with : {"best", "members"}, default="best"
        The optimum, or the mean probability of the members.
    confidence_level : float, default=0.95
        Coverage of the interval of the ratio.
    random_state : int, RandomState instance or None, default=None
        Source of rays and members.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features)
        Optimal coefficients.
    intercept_ : ndarray of shape (1,)
        Optimal intercept.
    coef_range_ : ndarray of shape (n_features, 2)
        Smallest and largest value of each coefficient in the set.
    log_volume_ : float
        Logarithm of the volume of the set of coefficients.
    log_ratio_ : float
        Natural logarithm of the Rashomon ratio.
    log10_ratio_ : float
        Its decimal logarithm.
    ratio_ : float
        The ratio; zero where it underflows.
    information_bits_ : float
        Minus the binary logarithm of the ratio.
    log_ratio_interval_ : tuple of float
        Interval of ``log_ratio_``.
    interval_kind_ : {"exact", "confidence"}
        What the interval means.
    exact_ : bool
        Whether the ratio is exact.
    ess_ : float
        Effective number of rays.
    method_ : {"rays"}
        How the ratio was found.
    min_loss_ : float
        Smallest objective.
    threshold_loss_ : float
        Largest objective in the set.
    hypothesis_space_ : dict
        Name, dimension, size and prior of the space.
    members_ : LinearMembers
        Drawn models.
    classes_ : ndarray of shape (2,)
        Class labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when ``X`` has string names.

    See Also
    --------
    RashomonRidge : The same for regression, in closed form.
    sklearn.linear_model.LogisticRegression : The optimum alone.

    References
    ----------
    .. [1] L. Semenova, C. Rudin, R. Parr, "On the Existence of Simpler Machine
       Learning Models", FAccT 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_ext.rashomon import RashomonLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = RashomonLogisticRegression(random_state=0).fit(scale(X), y)
    >>> print(f"{clf.log10_ratio_:.0f}", f"{clf.flips(scale(X)).mean():.2f}")
    -42 0.07
    """

    _parameter_constraints: dict = {
        "C": [Interval(Real, 0, None, closed="right")],
        "theta": [Interval(Real, 0, None, closed="left")],
        "theta_mode": [StrOptions({"absolute", "relative"})],
        "reference_loss": [Real, None],
        "fit_intercept": ["boolean"],
        "space": [StrOptions({"ball", "gaussian"})],
        "radius": [Interval(Real, 0, None, closed="neither"), None],
        "prior_scale": [Interval(Real, 0, None, closed="neither")],
        "n_rays": [Interval(Integral, 2, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "predict_with": [StrOptions({"best", "members"})],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        C=1.0,
        *,
        theta=0.05,
        theta_mode="relative",
        reference_loss=None,
        fit_intercept=True,
        space="ball",
        radius=None,
        prior_scale=1.0,
        n_rays=1000,
        class_weight=None,
        n_members=200,
        predict_with="best",
        confidence_level=0.95,
        random_state=None,
    ):
        self.C = C
        self.theta = theta
        self.theta_mode = theta_mode
        self.reference_loss = reference_loss
        self.fit_intercept = fit_intercept
        self.space = space
        self.radius = radius
        self.prior_scale = prior_scale
        self.n_rays = n_rays
        self.class_weight = class_weight
        self.n_members = n_members
        self.predict_with = predict_with
        self.confidence_level = confidence_level
        self.random_state = random_state

    @fit_context()
    def fit(self, X, y, sample_weight=None):
        """Find the Rashomon set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Two classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        self : RashomonLogisticRegression
            Fitted estimator.
        """
        X, label, weight = check_two_classes(self, X, y, sample_weight)
        total = np.bincount(label, weight)
        weight = weight * class_factors(total, self.classes_, self.class_weight)[label]
        if not np.bincount(label, weight).all():
            raise ValueError(
                "class_weight must leave both classes with positive weight, got "
                f"{self.class_weight}."
            )
        problem = self._problem_of(X, label, weight)
        self._problem, self._centre = problem, minimize(problem)
        self._dimension = X.shape[1]
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=3)
        self._seeds = [int(seed) for seed in seeds]
        self.min_loss_ = problem.value(self._centre)
        self.threshold_loss_ = self._threshold_at(self.theta)
        self._store_optimum()
        estimate, self.log_volume_ = self._measure(self.threshold_loss_)
        self._store_ratio(estimate)
        self.method_ = "rays"
        self.hypothesis_space_ = self._describe_space()
        self.coef_range_ = self._ranges(np.eye(self._dimension, len(self._centre)))
        self.members_ = self._draw_members()
        return self

    def decision_function(self, X):
        """Log odds of the second class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log odds; of the mean probability when members predict.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        if self.predict_with == "best":
            return X @ self.coef_[0] + self.intercept_[0]
        share = expit(self.members_.decision(X)).mean(axis=0)
        return np.log(share) - np.log1p(-share)

    def predict_proba(self, X):
        """Predict the probabilities of both classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Probabilities in the order of ``classes_``.
        """
        odds = self.decision_function(X)
        return np.stack([expit(-odds), expit(odds)], axis=1)

    def predict(self, X):
        """Predict the more probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        second = self.decision_function(X) > 0
        return self.classes_[second.astype(int)]

    def predict_range(self, X):
        """Smallest and largest probability of the second class in the set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            The ranges, exact.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        rows = self._rows(X)
        distinct, place = np.unique(rows, axis=0, return_inverse=True)
        return expit(self._ranges(distinct))[place]

    def flips(self, X):
        """Say for which rows models of the set disagree about the class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of bool, shape (n_samples,)
            Whether the range of the probability crosses one half.
        """
        low, high = self.predict_range(X).T
        return (low <= 0.5) & (high > 0.5)

    def ambiguity(self, X):
        """Share of rows for which models of the set disagree, exactly.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        float
            Mean of ``flips``.
        """
        return float(self.flips(X).mean())

    def log_ratio_at(self, theta):
        """Logarithm of the ratio at other thresholds, without refitting.

        Parameters
        ----------
        theta : float or array-like
            Slack, measured as in ``theta_mode``; each value casts its own rays.

        Returns
        -------
        float or ndarray
            Natural logarithm of the ratio.
        """
        check_is_fitted(self)
        logs = [
            self._measure(self._threshold_at(t))[0].log_ratio for t in np.ravel(theta)
        ]
        return logs[0] if np.ndim(theta) == 0 else np.reshape(logs, np.shape(theta))

    def sample(self, n_samples=1, *, theta=None, random_state=None):
        """Draw models uniformly from the set, intercepts included.

        Parameters
        ----------
        n_samples : int, default=1
            Number of draws.
        theta : float or None, default=None
            Slack of the set; None takes the fitted one.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        LinearMembers
            Coefficients and intercepts.
        """
        check_is_fitted(self)
        rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
        slack = self._threshold_at(self.theta if theta is None else theta)
        slack -= self.min_loss_
        if slack < 0:
            raise ValueError(
                "The Rashomon set is empty: the threshold is below the smallest loss. "
                "Raise theta or reference_loss."
            )
        return self._draw(slack, n_samples, rng, rng)

    def member_predictions(self, X):
        """Predict with every stored member.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples)
            Class labels.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.classes_[(self.members_.decision(X) > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _problem_of(self, X, label, weight):
        total = weight.sum()
        penalty = np.full(X.shape[1], 1 / (self.C * total))
        # centred columns change only the intercept, and a shear keeps volumes
        self._mean = np.zeros(X.shape[1])
        if self.fit_intercept:
            self._mean = weight @ X / total
            X, penalty = self._rows(X), np.append(penalty, 0.0)
        if np.isinf(self.C) and self.space == "ball" and self.radius is None:
            raise ValueError(
                "C=inf has no natural ball: give radius, or use a finite C."
            )
        return LogisticProblem(X, 2.0 * label - 1.0, weight / total, penalty)

    def _rows(self, X):
        return np.c_[X - self._mean, np.ones(len(X))] if self.fit_intercept else X

    def _unshifted(self, points):
        """Coefficients and intercepts for features as they were given."""
        coef = points[:, : self._dimension]
        if not self.fit_intercept:
            return coef, np.zeros(len(points))
        return coef, points[:, -1] - coef @ self._mean

    def _store_optimum(self):
        coef, self.intercept_ = self._unshifted(self._centre[None])
        self.coef_ = coef.copy()
        share = self._problem.weight @ (self._problem.sign > 0)
        base = entr(share) + entr(1 - share) if self.fit_intercept else np.log(2)
        self._zero_loss = float(base)

    def _threshold_at(self, theta):
        return loss_threshold(
            self.min_loss_, theta, self.theta_mode, self.reference_loss
        )

    def _ball(self):
        if self.radius is not None:
            return float(self.radius)
        return float(np.sqrt(2 * self._zero_loss / self._problem.penalty[0]))

    def _measure(self, threshold):
        """Ratio and log volume of the set within a threshold."""
        slack = threshold - self.min_loss_
        if slack <= 0:
            return exactly(-np.inf), -np.inf
        rng = np.random.default_rng(self._seeds[0])
        cast = cast_profiled_rays if self.fit_intercept else cast_rays
        rays = cast(self._problem, self._centre, slack, self.n_rays, rng)
        log_share, low, high = self._share(rays, threshold, rng)
        half = -log_mean_interval(0.0, rays.ess, self.n_rays, self.confidence_level)[0]
        log_ratio = rays.log_volume + log_share
        estimate = RatioEstimate(
            min(log_ratio, 0.0),
            rays.log_volume + low - half,
            min(rays.log_volume + high + half, 0.0),
            "confidence",
            rays.ess,
        )
        return estimate, rays.log_volume

    def _share(self, rays, threshold, rng):
        """Logarithm of density times share inside the space, and its interval."""
        p = self._dimension
        if self.space == "gaussian":
            points = rays.draw(self.n_rays, rng) / self.prior_scale
            logs = -0.5 * (points**2).sum(axis=1)
            logs -= p * np.log(self.prior_scale * np.sqrt(2 * np.pi))
            mean = float(logsumexp(logs) - np.log(len(logs)))
            ess = np.exp(2 * logsumexp(logs) - logsumexp(2 * logs))
            low = log_mean_interval(0.0, ess, len(logs), self.confidence_level)[0]
            return mean, mean + low, mean - low
        radius = self._ball()
        log_space = p * np.log(radius) + p / 2 * np.log(np.pi) - gammaln(p / 2 + 1)
        if self.radius is None and threshold <= self._zero_loss:
            return (-log_space,) * 3  # the ball holds the whole set
        inside = np.linalg.norm(rays.draw(self.n_rays, rng), axis=1) <= radius
        ends = clopper_pearson(int(inside.sum()), len(inside), self.confidence_level)
        with np.errstate(divide="ignore"):
            return tuple(np.log([inside.mean(), *ends]) - log_space)

    def _ranges(self, functionals):
        slack = max(self.threshold_loss_ - self.min_loss_, 0.0)
        both = np.concatenate([functionals, -functionals])
        found = functional_maxima(self._problem, self._centre, slack, both)
        high, low = np.split(found, 2)
        return np.stack([-low, high], axis=1)

    def _draw_members(self):
        slack = self.threshold_loss_ - self.min_loss_
        if slack < 0:
            warn_empty(self.min_loss_, self.threshold_loss_, self.method_)
            return LinearMembers(self.coef_, self.intercept_)
        rngs = [np.random.default_rng(seed) for seed in self._seeds[1:]]
        return self._draw(slack, self.n_members, *rngs)

    def _draw(self, slack, n, rng_rays, rng_points):
        if slack == 0:
            points = np.repeat(self._centre[None], n, axis=0)
        else:
            rays = cast_rays(
                self._problem, self._centre, slack, max(self.n_rays, n), rng_rays
            )
            points = rays.draw(n, rng_points)
        return LinearMembers(*self._unshifted(points))

    def _describe_space(self):
        space = {"name": "logistic models", "dimension": self._dimension}
        if self.space == "gaussian":
            return space | {"prior": f"normal, scale {self.prior_scale:g}"}
        return space | {"prior": "uniform in a ball", "radius": self._ball()}
