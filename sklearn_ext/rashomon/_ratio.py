"""The Rashomon ratio as every estimator reports it: checked, estimated, described."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy import special, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._optional import torch_device
from sklearn_ext._core._validation import check_level, warn
from sklearn_ext._numerics._held_out import clopper_pearson as binomial_interval

ENOUGH = 30  # effective draws from which an interval is reliable
CONSTRAINTS = {  # of what all but the search among candidates have
    "theta": [Interval(Real, 0, None, closed="left")],
    "theta_mode": [StrOptions({"absolute", "relative"})],
    "reference_loss": [Real, None],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
}


@dataclass(frozen=True)
class RatioEstimate:
    """A logarithmic Rashomon ratio with its interval.

    Parameters
    ----------
    log_ratio : float
        Natural logarithm of the ratio.
    low, high : float
        Interval of the logarithm.
    kind : {"exact", "bound", "confidence", "none"}
        What the interval means; "none" where too few draws bear one.
    ess : float, default=nan
        Effective number of draws, where there are draws.
    """

    log_ratio: float
    low: float
    high: float
    kind: str
    ess: float = np.nan


def exactly(log_ratio):
    """Wrap a ratio without uncertainty."""
    return RatioEstimate(log_ratio, log_ratio, log_ratio, "exact")


@dataclass(frozen=True)
class CoefficientSpace:
    """A prior of coefficients: uniform in a ball or a box around zero, or normal.

    Parameters
    ----------
    kind : {"ball", "box", "gaussian"}
        Which of them.
    n_dims : int
        Number of coefficients.
    radius : float or None
        Radius of the ball, half the side of the box.
    scale : float
        Standard deviation of the normal prior.
    """

    kind: str
    n_dims: int
    radius: float | None
    scale: float

    def describe(self, name):
        """Say what the space holds, for ``hypothesis_space_``."""
        found = {"name": name, "dimension": self.n_dims}
        if self.kind == "gaussian":
            return found | {"prior": f"normal, scale {self.scale:g}"}
        radius = float(self.radius)
        return found | {"prior": f"uniform in a {self.kind}", "radius": radius}


@dataclass(frozen=True, repr=False)  # notebooks show the text
class RashomonSummary:
    """A Rashomon ratio together with the space that it is a share of.

    Parameters
    ----------
    estimate : RatioEstimate
        The ratio.
    method : str
        How it was found.
    min_loss : float
        Smallest loss in the space.
    threshold_loss : float
        Largest loss in the set.
    space : dict
        The hypothesis space and its prior.
    """

    estimate: RatioEstimate
    method: str
    min_loss: float
    threshold_loss: float
    space: dict

    def __repr__(self):
        ten = np.log(10)
        low, high = self.estimate.low / ten, self.estimate.high / ten
        end = {
            "exact": "exact",
            "bound": f"bounds [{low:.3f}, {high:.3f}]",
            "confidence": f"interval [{low:.3f}, {high:.3f}]",
            "none": "no interval, too few effective draws",
        }[self.estimate.kind]
        details = ", ".join(f"{key}={_short(v)}" for key, v in self.space.items())
        return (
            f"log10 Rashomon ratio {self.estimate.log_ratio / ten:.3f} "
            f"({end}; method {self.method})\n"
            f"loss at most {self.threshold_loss:.6g}, smallest {self.min_loss:.6g}\n"
            f"share of: {details}"
        )


def _short(value):
    return f"{value:.6g}" if isinstance(value, float) else value


class RatioMixin:
    """What an estimator of a Rashomon set reports about its size.

    Attributes
    ----------
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
    exact_ : bool
        Whether the ratio is exact.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when ``X`` has string names.
    """

    @property
    def ratio_(self):
        """Rashomon ratio; zero where the logarithm underflows."""
        return float(np.exp(self.log_ratio_))

    @property
    def log10_ratio_(self):
        """Decimal logarithm of the ratio."""
        return self.log_ratio_ / np.log(10)

    @property
    def information_bits_(self):
        """Bits of inductive bias that single out the set: ``-log2`` of the ratio."""
        return -self.log_ratio_ / np.log(2)

    def summary(self):
        """Return the ratio, its interval and its hypothesis space for printing.

        Returns
        -------
        RashomonSummary
            ``print`` shows it on three lines and names the space.
        """
        return RashomonSummary(
            RatioEstimate(
                self.log_ratio_, *self.log_ratio_interval_, self.interval_kind_
            ),
            self.method_,
            self.min_loss_,
            self.threshold_loss_,
            self.hypothesis_space_,
        )

    def _validate_params(self):
        """Refuse truth values for numbers, no workers, and devices not here, too."""
        super()._validate_params()
        params = self.get_params(deep=False)
        check_slack(params["theta"], params.get("reference_loss"))
        for name, allowed in self._parameter_constraints.items():
            numeric = any(a is Integral or isinstance(a, Interval) for a in allowed)
            if numeric and _is_truth(params[name]):
                raise ValueError(
                    f"{name} must be a number, got the truth value {params[name]}. "
                    f"Give {int(params[name])} if you meant that."
                )
        check_workers(params.get("n_jobs"))
        if params.get("device") is not None:
            torch_device(params["device"])  # before any work

    def _mean_threshold(self, theta):
        """Largest mean loss within a slack of the smallest one."""
        mode, reference = self.theta_mode, self.reference_loss
        return loss_threshold(self.min_loss_, theta, mode, reference)

    def _warn_empty(self):
        """Warn that no model is inside; say whether that is known or only likely."""
        sampled = self.method_ in ("mc", "smc", "crude", "splitting")
        if sampled and self.threshold_loss_ >= self.min_loss_:
            reason = "No draw is inside the set"
            rarer = {"mc": "method='smc', ", "crude": "method='splitting', "}
            advice = f"Use {rarer.get(self.method_, '')}more draws, or a larger theta."
        else:
            reason = "The Rashomon set is empty"
            advice = "Raise theta or reference_loss."
        warn(
            f"{reason}: the smallest loss is {self.min_loss_:.6g}, the threshold "
            f"{self.threshold_loss_:.6g}. The best model predicts alone. {advice}",
            RuntimeWarning,
        )

    def _store_ratio(self, estimate):
        self.log_ratio_ = float(estimate.log_ratio)
        self.log_ratio_interval_ = (float(estimate.low), float(estimate.high))
        self.interval_kind_ = estimate.kind
        self.exact_ = estimate.kind == "exact"
        self.ess_ = float(estimate.ess)


class PathMixin(RatioMixin):
    """What other thresholds change, and draws from the set.

    From ``_ratios_at`` for several slacks, and ``_sample`` for one.
    """

    def sample(self, n_samples=1, *, theta=None, random_state=None):
        """Draw models uniformly from the set, with respect to the prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of draws; independent ones, but where the set itself was sampled.
        theta : float or None, default=None
            Slack of the set; None takes the fitted one, which is the largest allowed
            where the set was sampled.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        LinearMembers or TreeMembers
            A sequence of models.

        Raises
        ------
        ValueError
            When the set is empty.
        """
        check_is_fitted(self)
        check_count("n_samples", n_samples)
        seed = check_random_state(random_state).randint(2**31)
        return self._sample(n_samples, theta, seed)

    def log_ratio_at(self, theta):
        """Logarithm of the ratio at other thresholds, without refitting.

        Parameters
        ----------
        theta : float or array-like
            Slack, measured as in ``theta_mode``.

        Returns
        -------
        float or ndarray
            Natural logarithm of the ratio.
        """
        check_is_fitted(self)
        found = self._ratios_at(np.ravel(theta))
        logs = [float(estimate.log_ratio) for estimate in found]
        return logs[0] if np.ndim(theta) == 0 else np.reshape(logs, np.shape(theta))

    def log_ratio_interval_at(self, theta):
        """Interval of the logarithm of the ratio at one other threshold.

        Parameters
        ----------
        theta : float
            Slack, measured as in ``theta_mode``.

        Returns
        -------
        low, high : float
            The interval.
        """
        check_is_fitted(self)
        (estimate,) = self._ratios_at([theta])
        return float(estimate.low), float(estimate.high)

    def _asked_threshold(self, theta):
        """Largest mean loss of a slack; None is the fitted one, not a later theta."""
        return self.threshold_loss_ if theta is None else self._mean_threshold(theta)

    def _slack(self, theta, slip=0.0):
        """Slack over the smallest loss; of a set that holds something."""
        slack = self._asked_threshold(theta) - self.min_loss_ + slip
        if slack < 0:
            raise ValueError(
                "The Rashomon set is empty: the threshold is below the smallest loss. "
                "Raise theta or reference_loss."
            )
        return slack


def counted(hits, n_draws, confidence_level, log_part=0.0):
    """Estimate a share of a part of the space, of which draws from it were counted."""
    ends = clopper_pearson(hits, n_draws, confidence_level)
    with np.errstate(divide="ignore"):
        logs = np.log([hits / n_draws, *ends]) + log_part
    return RatioEstimate(*logs, "confidence", float(hits))


def log_cdf_at(levels, log_cdf, values):
    """Read logarithms of shares with at most these values; -inf below all levels."""
    place = np.searchsorted(levels, values, side="right")
    return np.append(-np.inf, log_cdf)[place]


def loss_threshold(best, theta, mode, reference=None):
    """Largest loss in the set: reference plus theta, or times one plus theta."""
    check_slack(theta)
    if not (isinstance(theta, Real) and 0 <= theta < np.inf):
        shown = theta if isinstance(theta, Real) else repr(theta)
        raise ValueError(f"theta must be a finite number from 0 upwards, got {shown}.")
    base = best if reference is None else reference
    return base + theta if mode == "absolute" else base * (1 + theta)


def warn_weak(
    ess, what, advice, so="its interval is not reliable", *, subject="The ratio rests"
):
    """Warn when a sampled ratio, or another subject, rests on few effective draws."""
    if ess < ENOUGH:
        warn(
            f"{subject} on {ess:.3g} {what}, fewer than {ENOUGH}: {so}. {advice}",
            ConvergenceWarning,
        )


def check_slack(theta, reference_loss=None):
    """Refuse truth values, which count as numbers elsewhere, and endless losses."""
    if _is_truth(theta):
        raise ValueError(
            f"theta must be a non-negative number, got the truth value {theta}."
        )
    if reference_loss is None:
        return
    if _is_truth(reference_loss) or not np.isfinite(reference_loss):
        raise ValueError(
            f"reference_loss must be a finite number or None, got {reference_loss}."
        )


def check_workers(n_jobs):
    """Refuse no workers; truth values are refused as parameters."""
    if n_jobs == 0:
        raise ValueError(
            "n_jobs must be None or a whole number other than 0, got 0. Use 1 for one "
            "worker, or -1 for one on each core."
        )


def check_count(name, value):
    """Refuse what is no whole number from 1 upwards.

    Parameters
    ----------
    name : str
        What the caller calls it.
    value : int
        The number of draws or repeats that a user asks for.
    """
    if not isinstance(value, (Integral, np.integer)) or _is_truth(value) or value < 1:
        raise ValueError(
            f"{name} must be a whole number from 1 upwards, got {value!r}."
        )


def _is_truth(value):
    return isinstance(value, (bool, np.bool_))


def clopper_pearson(hits, n_draws, confidence_level=0.95):
    """Exact binomial interval of a share.

    Parameters
    ----------
    hits : int or array-like of int
        Number of successes.
    n_draws : int
        Number of independent trials.
    confidence_level : float, default=0.95
        Probability at least with which the interval covers the share.

    Returns
    -------
    low, high : float or ndarray
        Quantiles of beta distributions; without hits the interval is
        ``(0, 1 - (alpha/2)**(1/n_draws))``.

    Examples
    --------
    >>> from sklearn_ext.rashomon import clopper_pearson
    >>> [round(float(end), 4) for end in clopper_pearson(0, 100)]
    [0.0, 0.0362]
    """
    hits = np.asarray(hits)
    if not n_draws >= 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}.")
    if not ((hits >= 0) & (hits <= n_draws)).all():
        raise ValueError(f"hits must be from 0 to n_draws={n_draws}, got {hits}.")
    check_level(confidence_level)
    low, high = binomial_interval(hits, n_draws, confidence_level)
    return low[()], high[()]


def effective_size(terms):
    """Effective number of terms in a sum of non-negative terms (first axis)."""
    terms = np.asarray(terms, dtype=float)
    top = terms.max(axis=0, initial=0.0)
    scaled = terms / np.where(top > 0, top, 1.0)
    square = (scaled**2).sum(axis=0)
    return scaled.sum(axis=0) ** 2 / np.where(square > 0, square, 1.0)


def log_mean_interval(log_mean, ess, n_terms, confidence_level):
    """Interval of a logarithmic mean of independent non-negative terms.

    By the delta method on the logarithm; the relative variance of the mean of M terms
    with effective size e is ``(M / e - 1) / M``.
    """
    z = stats.norm.ppf(0.5 + confidence_level / 2)
    half = z * np.sqrt(max(n_terms / max(ess, 1e-300) - 1, 0.0) / max(n_terms - 1, 1))
    return log_mean - half, min(log_mean + half, 0.0)


def systematic(logs, n, rng):
    """Draw n places by logarithms of weights, evenly spread: few are drawn twice."""
    ends = np.cumsum(np.exp(logs - logs.max()))
    at = (np.arange(n) + rng.random()) / n
    return np.minimum(np.searchsorted(ends, at * ends[-1]), len(logs) - 1)


def replicate_interval(log_estimates, confidence_level):
    """Logarithm of the mean of independent estimates, and a Student interval.

    The interval is Student's for the logarithms, moved so that it contains the
    logarithm of the mean, which is the unbiased scale.

    Parameters
    ----------
    log_estimates : array-like of shape (n_replicates,)
        Logarithms of independent estimates; -inf for those that found nothing.
    confidence_level : float
        Nominal coverage.

    Returns
    -------
    log_mean, low, high : float
        The estimate and its interval.
    """
    logs = np.asarray(log_estimates, dtype=float)
    log_mean = float(special.logsumexp(logs) - np.log(len(logs)))
    found = logs[np.isfinite(logs)]
    if len(found) < 2:
        return log_mean, -np.inf, 0.0
    half = stats.t.ppf(0.5 + confidence_level / 2, len(found) - 1)
    half *= found.std(ddof=1) / np.sqrt(len(found))
    low, high = found.mean() - half, found.mean() + half
    if len(found) < len(logs):
        low = -np.inf
    return log_mean, min(low, log_mean), min(max(high, log_mean), 0.0)
