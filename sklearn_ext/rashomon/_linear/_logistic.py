"""The Rashomon set of penalised logistic regression."""

from numbers import Integral, Real

import numpy as np
from scipy.special import entr, expit, log_expit, logsumexp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import check_level
from sklearn_ext._numerics._arrays import dense
from sklearn_ext.rashomon._class_weights import class_weighted
from sklearn_ext.rashomon._information import _certificates
from sklearn_ext.rashomon._linear._logistic_draws import draw_set
from sklearn_ext.rashomon._linear._logistic_ratio import ScaledSpace, estimate_ratio
from sklearn_ext.rashomon._linear._logistic_sets import (
    LogisticProblem,
    functional_maxima,
    minimize,
    ray_blocks,
)
from sklearn_ext.rashomon._linear._members import Coordinates, TwoClassMixin
from sklearn_ext.rashomon._linear._ridge import RashomonRidge
from sklearn_ext.rashomon._linear._sparse_rows import deviations
from sklearn_ext.rashomon._ratio import (
    CONSTRAINTS,
    RatioMixin,
    check_count,
    loss_threshold,
    warn_weak,
)

TINY = 1e-290  # a smaller sum of weights loses digits
MORE = "Use more n_rays or a smaller theta."


@shared_docs(RatioMixin, RashomonRidge)
class RashomonLogisticRegression(TwoClassMixin, ExtEstimator):
    r"""All logistic regressions that are nearly as good as the best one.

    The objective is ``J(w, b) = mean log loss + ||w||**2 / (2 C n)``, scikit-learn's
    divided by ``C n``, where n is the sum of the weights: as there, the scale of the
    columns and that of the weights matter. Its sublevel set is convex; the distance to
    the surface along random rays, found by Newton's method for all rays at once, gives
    the volume and independent uniform draws. Where too few rays are effective, as with
    a hundred one-hot columns, particles are tempered and moved instead. For the ratio
    the intercept is profiled out, since it is not penalised. Ranges of coefficients and
    of predictions are exact. Time for R rays and s Newton steps: ``O(R n p s)``, for
    sparse rows their stored entries in place of ``n p``; the Hessian of ``p**2``
    entries is dense.

    Parameters
    ----------
    C : float, default=1.0
        Inverse penalty, as in scikit-learn's ``LogisticRegression``.
    theta, theta_mode, reference_loss : see RashomonRidge
    fit_intercept : see RashomonRidge
    space : {"ball", "gaussian"}, default="ball"
        Prior of the coefficients: uniform in a ball around zero, or normal.
    radius : float or None, default=None
        Radius of the ball. None takes the smallest one that surely holds every model
        as good as the constant one, ``sqrt(2 C n J(0))``.
    prior_scale : see RashomonRidge
    n_rays : int, default=1000
        Rays for the volume and for the draws; where fewer than a quarter of them are
        effective, a quarter as many particles, and at least as many as draws.
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
        Smallest and largest value of each coefficient in the set; found when it is
        first asked for.
    log_volume_ : float
        Logarithm of the volume of the set of coefficients.
    log_ratio_, log10_ratio_, ratio_, information_bits_ : see RatioMixin
    log_ratio_interval_ : see RatioMixin
    interval_kind_ : {"exact", "confidence", "none"}
        What the interval means; "none" where fewer than 30 draws are effective, and
        the interval holds everything.
    exact_ : see RatioMixin
    ess_ : float
        Effective number of rays or particles.
    method_ : {"rays", "tempering"}
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
    n_features_in_, feature_names_in_ : see RatioMixin

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
        **CONSTRAINTS,
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "space": [StrOptions({"ball", "gaussian"})],
        "radius": [Interval(Real, 0, None, closed="neither"), None],
        "prior_scale": [Interval(Real, 0, None, closed="neither")],
        "n_rays": [Interval(Integral, 2, None, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "predict_with": [StrOptions({"best", "members"})],
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
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
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
        self._at_fit = self.get_params(deep=False)  # a later set_params waits
        X, label, weight = self._checked_table(X, y, sample_weight)
        self._n_rows = _certificates.unit_rows(weight)
        weight = class_weighted(weight, label, self.classes_, self.class_weight)
        self._problem, self._space = self._posed(X, label, weight)
        self._centre = minimize(self._problem)
        best = self._coordinates.members(self._centre[None])
        self.coef_, self.intercept_ = best.coef, best.intercept
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=2)
        self._seeds = [int(seed) for seed in seeds]
        self.min_loss_ = self._problem.value(self._centre)
        self.threshold_loss_ = self._mean_threshold(self.theta)
        slack = self.threshold_loss_ - self.min_loss_
        models, coefs, self.method_ = self._draw(slack, self.n_members, self._seeds[0])
        estimate, self.log_volume_ = self._measure(slack, coefs)
        self._store_ratio(estimate)
        warn_weak(estimate.ess, "effective draws", MORE, "no interval is given")
        self.hypothesis_space_ = self._space.describe("logistic models")
        self._coef_range = None
        if slack < 0:
            self._warn_empty()
        n = self.n_members if slack >= 0 else 1
        self.members_ = self._members(models, n, np.random.default_rng(self._seeds[1]))
        return self

    @property
    def coef_range_(self):
        """Smallest and largest value of each coefficient in the set."""
        check_is_fitted(self)
        if self._coef_range is None:
            unit = self._space.unit
            axes = np.eye(len(unit), len(self._centre)) * unit[:, None]
            self._coef_range = self._ranges(axes)
        return self._coef_range

    def _waiting(self):
        found = getattr(self, "_coef_range", None) is not None
        return () if found else ("coef_range_",)

    def decision_function(self, X):
        """Log odds of the second class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log odds; of the mean probability when members predict.
        """
        X = self._checked(X)
        if self.predict_with == "best":
            return X @ self.coef_[0] + self.intercept_[0]
        odds = self.members_.decision(X)
        second, first = (logsumexp(log_expit(s * odds), axis=0) for s in (1, -1))
        return second - first

    def predict_proba(self, X):
        """Predict the probabilities of both classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Probabilities in the order of ``classes_``.
        """
        odds = self.decision_function(X)
        return np.stack([expit(-odds), expit(odds)], axis=1)

    def predict_range(self, X):
        """Smallest and largest probability of the second class in the set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            The ranges, exact.
        """
        X = self._checked(X)
        rows = self._coordinates.rows(dense(X))
        distinct, place = np.unique(rows, axis=0, return_inverse=True)
        return expit(self._ranges(distinct))[place]

    def flips(self, X):
        """Say for which rows models of the set disagree about the class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
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
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        float
            Mean of ``flips``.
        """
        return float(self.flips(X).mean())

    def generalization_bound(
        self, theta=None, *, confidence_level=0.95, n_samples=4000, random_state=None
    ):
        """Certify the mean error (not log loss) of the set on new rows.

        The theorem of PAC-Bayes for the prior restricted to the set. The prior may not
        look at the rows: an intercept, which has none, and the ball that the labels
        choose are refused. Append a column of ones instead, and give ``radius`` or
        ``space="gaussian"``. A quarter of the probability of failure goes to the lower
        limit of the ratio, a quarter to the mean error of the draws.

        Parameters
        ----------
        theta : float or None, default=None
            Slack of the set; None takes the fitted one.
        confidence_level : float, default=0.95
            Probability with which the bound holds, as nominal as the interval of the
            ratio.
        n_samples : int, default=4000
            Models drawn from the set.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        CertificateResult
            ``bound``, ``theta``, ``mean_loss``, ``bits``, ``confidence_level`` and
            ``vote_bound``.

        Raises
        ------
        ValueError
            When the training rows entered the prior, or were weighted.
        """
        check_is_fitted(self)
        check_count("n_samples", n_samples)
        check_level(confidence_level)
        delta = 1 - confidence_level
        _certificates.refuse_weights(self._n_rows)
        if self._problem.intercept:
            raise ValueError(
                "The certificate needs a prior of every coefficient, and the intercept "
                "has none: fit with fit_intercept=False on rows with a column of ones."
            )
        if self._space.kind == "ball" and self._at_fit["radius"] is None:
            raise ValueError(
                "The certificate needs a space chosen without these rows: fit with "
                "radius=, or with space='gaussian'."
            )
        theta = self._at_fit["theta"] if theta is None else theta
        slack = self._slack(theta)
        seed = check_random_state(random_state).randint(2**31)
        drawn, *_ = self._draw(slack, n_samples, seed)
        level = 1 - delta / 2  # each end fails with a quarter
        log_ratio = self._measure(slack, drawn, level)[0].low
        mean = self._mean_error(drawn, delta / 4) if np.isfinite(log_ratio) else 1.0
        return _certificates.certified(
            log_ratio, mean, self._n_rows, delta / 2, theta, confidence_level
        )

    def _mean_error(self, drawn, delta):
        """Upper limit of the mean error of the prior restricted to the set."""
        points = drawn.points.reshape(drawn.log_weight.size, -1)
        coefs, logs = points * self._space.unit, drawn.log_weight.ravel()
        if self._space.kind == "gaussian":
            logs = logs - 0.5 * ((coefs / self._space.scale) ** 2).sum(axis=1)
        else:
            outside = np.linalg.norm(coefs, axis=1) > self._space.radius
            logs = np.where(outside, -np.inf, logs)
        wrong = np.empty(len(points))
        for part in ray_blocks(len(points), self._n_rows):
            margin = points[part] @ self._problem.X.T * self._problem.sign
            wrong[part] = (margin <= 0).mean(axis=1)
        weight = np.exp(logs - logs.max())
        size = weight.sum() ** 2 / (weight**2).sum() / drawn.inflation
        return _certificates.largest_mean(wrong, weight, size, delta)

    def _posed(self, X, label, weight):
        """Pose the problem in units that suit its columns, and the space around it."""
        total = weight.sum()
        if not total >= TINY:
            raise ValueError(
                f"Weights must have a sum of at least {TINY:g}, got {total:g}. Scale "
                "sample_weight or class_weight up."
            )
        natural = self.space == "ball" and self.radius is None
        if natural and np.isinf(self.C):
            raise ValueError(
                "C=inf has no natural ball: give radius, or use a finite C."
            )
        weight, penalty = weight / total, 1 / (self.C * total)
        # centred columns change only the intercept, and a shear keeps volumes
        mean = X.T @ weight if self.fit_intercept else np.zeros(X.shape[1])
        # in these units the curvature of the objective at zero is about one along each
        # coordinate, so columns and penalties of 1e100 are as good as those of one
        curvature = np.hypot(deviations(X, mean, weight) / 2, np.sqrt(penalty))
        unit = 1 / np.where(curvature > 0, curvature, 1.0)
        self._coordinates = Coordinates(mean, unit, self.fit_intercept)
        share, zero_loss = weight @ label, np.log(2)
        if self.fit_intercept:
            zero_loss = float(entr(share) + entr(1 - share))
        radius = np.sqrt(2 * zero_loss / penalty) if natural else self.radius
        holds_below = zero_loss if self.radius is None else -np.inf
        space = ScaledSpace(
            self.space, len(unit), radius, self.prior_scale, holds_below, unit
        )
        penalties = np.append(penalty * unit**2, np.zeros(int(self.fit_intercept)))
        rows, sign = self._coordinates.rows(X), 2.0 * label - 1.0
        return LogisticProblem(rows, sign, weight, penalties, self.fit_intercept), space

    def _mean_threshold(self, theta):
        mode, reference = (self._at_fit[k] for k in ("theta_mode", "reference_loss"))
        return loss_threshold(self.min_loss_, theta, mode, reference)

    def _sample(self, n_samples, theta, seed):
        slack = self._slack(theta)
        models, *_ = self._draw(slack, n_samples, seed)
        return self._members(models, n_samples, np.random.default_rng([seed, 1]))

    def _ratios_at(self, thetas):
        slacks = [self._mean_threshold(theta) - self.min_loss_ for theta in thetas]
        drawn = [self._draw(slack, 0, self._seeds[0])[1] for slack in slacks]
        return [self._measure(*pair)[0] for pair in zip(slacks, drawn, strict=True)]

    def _measure(self, slack, drawn, confidence_level=None):
        """Ratio and log volume of the set of a slack."""
        return estimate_ratio(
            self._problem,
            self._centre,
            slack,
            drawn,
            self._space,
            n_draws=self._at_fit["n_rays"],
            confidence_level=confidence_level or self._at_fit["confidence_level"],
            rng=np.random.default_rng([self._seeds[0], 1]),
        )

    def _draw(self, slack, n, seed):
        """Models and coefficients of a slack, None without one; how they were found."""
        rng, n_rays = np.random.default_rng(seed), self._at_fit["n_rays"]
        return draw_set(self._problem, self._centre, slack, n_rays, n, rng)

    def _members(self, drawn, n, rng):
        if drawn is None:
            points = np.repeat(self._centre[None], n, axis=0)
        else:
            missing = "the set's far ends may be missing"
            subject = "The draws rest"
            warn_weak(drawn.ess, "effective ones", MORE, missing, subject=subject)
            points = drawn.draw(n, rng)
        return self._coordinates.members(points)

    def _ranges(self, functionals):
        slack = max(self.threshold_loss_ - self.min_loss_, 0.0)
        both = np.concatenate([functionals, -functionals])
        found = functional_maxima(self._problem, self._centre, slack, both)
        high, low = np.split(found, 2)
        return np.stack([-low, high], axis=1)
