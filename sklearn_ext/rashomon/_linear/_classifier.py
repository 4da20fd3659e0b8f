"""The Rashomon set of linear classifiers under the 0-1 loss."""

from functools import partial
from numbers import Integral

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import check_level
from sklearn_ext.rashomon._information._certificates import (
    certified,
    conditional_means,
    largest_mean,
    refuse_weights,
    unit_rows,
)
from sklearn_ext.rashomon._linear._halfspaces import (
    ErrorLaw,
    best_on_circle,
    crude_law,
    direction_errors,
    draw_on_circle,
    exact_circle,
    split_levels,
    splitting_law,
)
from sklearn_ext.rashomon._linear._logistic_sets import LogisticProblem, minimize
from sklearn_ext.rashomon._linear._members import Coordinates, TwoClassMixin
from sklearn_ext.rashomon._linear._sparse_rows import deviations
from sklearn_ext.rashomon._ratio import CONSTRAINTS, ENOUGH, RatioMixin, warn_weak

SLIP = 1e-9  # difference of mean errors that is taken for rounding


@shared_docs(RatioMixin)
class RashomonLinearClassifier(TwoClassMixin, ExtEstimator):
    """All linear classifiers whose training error is nearly the smallest one.

    Hypotheses are directions, uniform on the sphere of standardised features and a
    constant. With two coordinates the law of the error is exact; otherwise directions
    are drawn in blocks, and when too few are inside, levels of the error are split:
    particles move along great circles, on which the error is known everywhere from a
    sort. Cost of M draws ``O(M n p)``, of one splitting step ``O(N n (p + log n))``.
    Only products of directions and rows are needed, so sparse rows stay sparse, even
    when they are standardised; ``n p`` is then the number of stored entries.

    Parameters
    ----------
    theta : float, default=0.05
        Slack of the error.
    theta_mode : {"absolute", "relative"}, default="absolute"
        Whether the threshold is the smallest error plus theta or times one plus theta.
    reference_loss : float or None, default=None
        Error that replaces the smallest one found.
    fit_intercept : bool, default=True
        Whether to append a constant column.
    standardize : bool, default=True
        Whether to scale the features first; the prior depends on it.
    method : {"auto", "exact", "crude", "splitting"}, default="auto"
        The circle (two coordinates only), plain draws, or splitting. "auto" takes the
        first that is possible and finds at least 30 directions.
    n_draws : int, default=100_000
        Directions of ``method="crude"``.
    n_particles : int, default=50
        Directions in each run of ``method="splitting"``.
    n_steps : int or "auto", default="auto"
        Moves at each level; "auto" is twice the number of coordinates, at least 20.
    n_replicates : int, default=4
        Independent runs of ``method="splitting"``.
    n_members : int, default=200
        Classifiers kept from the set.
    predict_with : {"members", "best"}, default="members"
        Votes of the members, or the best direction found.
    confidence_level : float, default=0.95
        Coverage of the interval of the ratio.
    device : str or None, default=None
        Torch device that evaluates plain draws; None uses numpy.
    n_jobs : int or None, default=None
        Threads for the runs of ``method="splitting"``.
    random_state : int, RandomState instance or None, default=None
        Source of directions.

    Attributes
    ----------
    best_coef_ : ndarray of shape (1, n_features)
        Best coefficients found.
    best_intercept_ : ndarray of shape (1,)
        Their intercept.
    log_ratio_, log10_ratio_, ratio_, information_bits_ : see RatioMixin
    log_ratio_interval_ : see RatioMixin
    interval_kind_ : {"exact", "confidence"}
        What the interval means.
    exact_ : see RatioMixin
    ess_ : float
        Directions inside; nan where the ratio is exact.
    method_ : {"exact", "crude", "splitting"}
        How the ratio was found.
    min_loss_ : float
        Smallest error found.
    threshold_loss_ : float
        Largest error in the set.
    loss_grid_ : ndarray of shape (n_levels,)
        Errors at which the distribution is known.
    log_cdf_ : ndarray of shape (n_levels,)
        Logarithm of the share of directions with at most these errors.
    hypothesis_space_ : dict
        Name, dimension and prior of the space.
    members_ : LinearMembers
        Classifiers of the set, for features as given.
    classes_ : ndarray of shape (2,)
        Class labels.
    n_features_in_, feature_names_in_ : see RatioMixin

    See Also
    --------
    RashomonLogisticRegression : The same for the log loss.
    cover_count : Number of labelings that hyperplanes produce.

    References
    ----------
    .. [1] L. Semenova, C. Rudin, R. Parr, "On the Existence of Simpler Machine
       Learning Models", FAccT 2022.
    .. [2] S. K. Au, J. L. Beck, "Estimation of small failure probabilities in high
       dimensions by subset simulation", Probabilistic Engineering Mechanics 16, 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.rashomon import RashomonLinearClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = RashomonLinearClassifier(random_state=0).fit(X[50:, 2:], y[50:])
    >>> print(clf.method_, f"{clf.min_loss_:.2f}", f"{clf.log10_ratio_:.1f}")
    crude 0.03 -1.0
    """

    _parameter_constraints: dict = {
        **CONSTRAINTS,
        "fit_intercept": ["boolean"],
        "standardize": ["boolean"],
        "method": [StrOptions({"auto", "exact", "crude", "splitting"})],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_particles": [Interval(Integral, 2, None, closed="left")],
        "n_steps": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "n_replicates": [Interval(Integral, 2, None, closed="left")],
        "predict_with": [StrOptions({"members", "best"})],
        "device": [str, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        theta=0.05,
        theta_mode="absolute",
        reference_loss=None,
        fit_intercept=True,
        standardize=True,
        method="auto",
        n_draws=100_000,
        n_particles=50,
        n_steps="auto",
        n_replicates=4,
        n_members=200,
        predict_with="members",
        confidence_level=0.95,
        device=None,
        n_jobs=None,
        random_state=None,
    ):
        self.theta = theta
        self.theta_mode = theta_mode
        self.reference_loss = reference_loss
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.method = method
        self.n_draws = n_draws
        self.n_particles = n_particles
        self.n_steps = n_steps
        self.n_replicates = n_replicates
        self.n_members = n_members
        self.predict_with = predict_with
        self.confidence_level = confidence_level
        self.device = device
        self.n_jobs = n_jobs
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
        self : RashomonLinearClassifier
            Fitted estimator.
        """
        X, label, weight = self._checked_table(X, y, sample_weight)
        self._n_rows = unit_rows(weight)
        scaling = _scaling(X, weight, self.standardize)
        self._coordinates = Coordinates(*scaling, self.fit_intercept)
        rows = self._coordinates.rows(X, 2.0 * label - 1.0)
        seed = np.random.SeedSequence(
            int(check_random_state(self.random_state).randint(2**31 - 1))
        )
        weight = np.ldexp(weight, -int(np.floor(np.log2(weight.mean()))))  # near one
        total = float(weight.sum())
        plane = rows.shape[1] == 2 and self.method in ("auto", "exact")
        if self.method == "exact" and not plane:
            raise ValueError(
                "method='exact' needs two coordinates, the intercept included; got "
                f"{rows.shape[1]}. Use method='auto'."
            )
        best = best_on_circle(rows, weight) if plane else _good_direction(rows, weight)
        self.min_loss_ = float(direction_errors(best[None], rows, weight)[0]) / total
        limit = total * self._limit(self.theta)
        law, self.method_ = self._find(rows, weight, limit, seed, plane)
        errors = direction_errors(law.directions, rows, weight) / total
        if len(errors) and errors.min() < self.min_loss_ - SLIP:
            best, self.min_loss_ = law.directions[errors.argmin()], float(errors.min())
        self.threshold_loss_ = self._mean_threshold(self.theta)
        inside = errors <= self._limit(self.theta)
        self._errors, found = errors[inside], law.directions[inside]
        self._law = ErrorLaw(law.errors / total, law.log_cdf, law.n_draws, found)
        self._store_ratio(self._at(self.theta))
        self.loss_grid_ = self._law.errors
        self.log_cdf_ = logsumexp(law.log_cdf, axis=0) - np.log(len(law.log_cdf))
        best = self._coordinates.members(best[None])
        self.best_coef_, self.best_intercept_ = best.coef, best.intercept
        if self.log_ratio_ == -np.inf:
            self._warn_empty()
        if self.log_ratio_ == -np.inf or not len(found):
            self.members_ = best
        else:
            rng = np.random.default_rng(seed.spawn(1)[0])
            few = len(found) < self.n_members
            chosen = rng.choice(len(found), size=self.n_members, replace=few)
            self.members_ = self._coordinates.members(found[chosen])
        self.hypothesis_space_ = {
            "name": "linear classifiers",
            "dimension": rows.shape[1],
            "prior": "uniform directions",
            "standardized": self.standardize,
            "intercept": self.fit_intercept,
        }
        if self.method_ == "splitting" and self.ess_ > 0:  # else the set seems empty
            advice = "Use more n_particles or a larger theta."
            warn_weak(self.ess_, "directions", advice)
        return self

    def decision_function(self, X):
        """Share of members that vote for the second class, minus one half.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Positive for the second class; margins when the best direction predicts.
        """
        X = self._checked(X)
        if self.predict_with == "best":
            return X @ self.best_coef_[0] + self.best_intercept_[0]
        return (self.members_.decision(X) > 0).mean(axis=0) - 0.5

    def predict_proba(self, X):
        """Share of members that vote for each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Shares; zero or one when the best direction predicts.
        """
        score = self.decision_function(X)
        second = score + 0.5 if self.predict_with == "members" else score > 0
        return np.stack([1.0 - second, second], axis=1).astype(np.float64)

    def generalization_bound(self, theta=None, *, confidence_level=0.95):
        """Certify the mean error of the directions of the set on new rows.

        The theorem of PAC-Bayes for the uniform distribution on the set. It needs
        ``standardize=False``, since the scale of the training rows would enter the
        prior, and rows without weights. Where the ratio was sampled, a quarter of the
        probability of failure goes to its lower limit and a quarter to the mean error.

        Parameters
        ----------
        theta : float or None, default=None
            Slack of the set, at most the fitted one; None takes that.
        confidence_level : float, default=0.95
            Probability with which the bound holds; after ``method="splitting"`` it is
            as nominal as the interval of the ratio.

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
        check_level(confidence_level)
        delta = 1 - confidence_level
        if self.hypothesis_space_["standardized"]:
            raise ValueError(
                "The certificate needs a scale of the features that does not come from "
                "these rows: fit with standardize=False, on features scaled by other "
                "rows."
            )
        refuse_weights(self._n_rows)
        theta = self.theta if theta is None else theta
        limit, law = self._kept_limit(theta), self._law
        mean = min(self._mean_threshold(theta), 1.0)
        if self.method_ == "exact":
            log_ratio, within = self._at(theta).log_ratio, law.errors <= limit
            logs = law.log_cdf[0][within]
            mean = conditional_means(law.errors[within], logs, logs)[-1]
        else:
            share = delta / 4
            log_ratio = law.at(limit, 1 - 2 * share).low  # both ends fail alike
            errors = self._errors[self._errors <= limit] / max(mean, SLIP)
            if self.method_ == "crude":  # directions of a splitting are related
                even = np.ones(len(errors))
                mean *= largest_mean(np.minimum(errors, 1), even, len(errors), share)
            delta /= 2
        return certified(log_ratio, mean, self._n_rows, delta, theta, confidence_level)

    def _limit(self, theta):
        """Largest mean error in the set of a slack, with room for rounding."""
        return self._mean_threshold(theta) + SLIP

    def _kept_limit(self, theta):
        """Limit of a set that is not empty and whose directions were kept."""
        limit = self.min_loss_ + self._slack(theta, SLIP)  # or the set is empty
        if limit > self.threshold_loss_ + 2 * SLIP:
            raise ValueError(
                f"theta={theta} is beyond the fitted {self.theta}, up to which "
                "directions were kept. Fit with the larger theta."
            )
        return limit

    def _at(self, theta):
        return self._law.at(self._limit(theta), self.confidence_level)

    def _ratios_at(self, thetas):
        return [self._at(theta) for theta in thetas]

    def _sample(self, n_samples, theta, seed):
        """Draw uniformly among the directions found, with replacement."""
        inside = np.flatnonzero(self._errors <= self._kept_limit(theta))
        if not len(inside):
            raise ValueError(
                "No direction was found inside the set. Use method='splitting', more "
                "n_draws, or a larger theta."
            )
        chosen = np.random.default_rng(seed).choice(inside, size=n_samples)
        return self._coordinates.members(self._law.directions[chosen])

    def _find(self, rows, weight, limit, seed, plane):
        """Law of the errors, with directions within a limit; how it was found."""
        if plane:
            rng = np.random.default_rng(seed.spawn(1)[0])
            kept = draw_on_circle(rows, weight, limit, self.n_members, rng)
            return ErrorLaw(*exact_circle(rows, weight), 0, kept), "exact"
        p, (crude_seed, split_seed) = rows.shape[1], seed.spawn(2)
        if self.method != "splitting":
            draws = self.n_draws, crude_seed, self.device
            law = crude_law(rows, weight, limit, *draws)
            if self.method == "crude" or len(law.directions) >= ENOUGH or p == 1:
                return law, "crude"
        run = partial(
            split_levels,
            rows,
            weight,
            limit,
            n_particles=self.n_particles,
            n_steps=max(20, 2 * p) if self.n_steps == "auto" else self.n_steps,
        )
        seeds = split_seed.spawn(self.n_replicates)
        return splitting_law(run, seeds, self.n_jobs), "splitting"


def _scaling(X, weight, standardize):
    p = X.shape[1]
    if not standardize:
        return np.zeros(p), np.ones(p)
    share = weight / weight.sum()
    centre = X.T @ share
    scale = deviations(X, centre, share)
    return centre, 1 / np.where(scale > 1e-12 * abs(centre), scale, 1.0)


def _good_direction(rows, weight):
    """Direction of a penalised logistic regression: a reference for the error."""
    p = rows.shape[1]
    share, penalty = weight / weight.sum(), np.full(p, 1e-4)
    w = minimize(LogisticProblem(rows, np.ones(len(rows)), share, penalty))
    norm = np.linalg.norm(w)
    return w / norm if norm > 0 else np.eye(p)[-1]
