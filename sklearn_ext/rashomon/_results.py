"""What every Rashomon estimator reports about the size of its set."""

import warnings
from dataclasses import dataclass
from math import log

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.rashomon._checks import check_parameters, check_slack

ENOUGH = 30  # effective draws from which an interval is reliable


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
        super()._validate_params()
        check_parameters(self)

    def _store_ratio(self, estimate):
        self.log_ratio_ = float(estimate.log_ratio)
        self.log_ratio_interval_ = (float(estimate.low), float(estimate.high))
        self.interval_kind_ = estimate.kind
        self.exact_ = estimate.kind == "exact"
        self.ess_ = float(estimate.ess)


def describe_space(name, dimension, space, *, radius=None, scale=None):
    """Describe a space of coefficients: uniform in a ball or box, or normal."""
    found = {"name": name, "dimension": dimension}
    if space == "gaussian":
        return found | {"prior": f"normal, scale {scale:g}"}
    return found | {"prior": f"uniform in a {space}", "radius": radius}


def loss_threshold(best, theta, mode, reference=None):
    """Largest loss in the set: reference plus theta, or times one plus theta."""
    check_slack(theta)
    if not 0 <= theta < np.inf:
        raise ValueError(f"theta must be a finite number from 0 upwards, got {theta}.")
    base = best if reference is None else reference
    return base + theta if mode == "absolute" else base * (1 + theta)


def refuse_empty(slack):
    """Refuse questions to a set that holds nothing."""
    if slack < 0:
        raise ValueError(
            "The Rashomon set is empty: the threshold is below the smallest loss. "
            "Raise theta or reference_loss."
        )


def warn_empty(min_loss, threshold, method):
    """Warn that no model is inside; say whether that is known or only likely."""
    if method in ("mc", "smc", "crude", "splitting"):
        reason = "No draw is inside the set"
        advice = "Use method='smc' or 'splitting', more draws, or a larger theta."
    else:
        reason = "The Rashomon set is empty"
        advice = "Raise theta or reference_loss."
    warnings.warn(
        f"{reason}: the smallest loss is {min_loss:.6g}, the threshold "
        f"{threshold:.6g}. The best model predicts alone. {advice}",
        RuntimeWarning,
        stacklevel=5,
    )


def warn_weak(ess, what, advice, so="its interval is not reliable"):
    """Warn when a sampled ratio rests on few effective draws."""
    if ess < ENOUGH:
        warnings.warn(
            f"The ratio rests on {ess:.3g} {what}, fewer than {ENOUGH}: {so}. {advice}",
            ConvergenceWarning,
            stacklevel=5,
        )


def log_of(count):
    """Logarithm of a whole number of any size."""
    return log(count) if count else -np.inf
