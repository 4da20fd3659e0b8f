"""Certificates: what a Rashomon ratio promises about the error on new rows.

For the uniform distribution on a set of prior mass r the divergence from the prior is
``-ln r``, so the theorem of PAC-Bayes needs no more than the ratio and the mean
training error. It holds for all distributions at once: thresholds and temperatures may
be chosen after looking at the rows, at no price. Only the prior may not look at them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, xlogy

from sklearn_ext.rashomon._theory import _check, _check_whole

HALVINGS = 60  # of an interval of length one: to rounding


@dataclass(frozen=True)
class CertificateResult:
    """A bound of the error on new rows that holds with a stated confidence.

    Parameters
    ----------
    bound : float
        Mean error on new rows of a model drawn from the set is at most this.
    theta : float
        Slack of the set.
    mean_loss : float
        Mean error of the set on the training rows; an upper limit where it was sampled.
    bits : float
        Divergence of the distribution from the prior, in bits.
    confidence_level : float
        Probability, over training tables, with which the bound holds.
    posterior : {"uniform", "gibbs"}
        How the models of the set are weighted.
    beta : float
        Inverse temperature of one training error; zero where all weigh the same.
    """

    bound: float
    theta: float
    mean_loss: float
    bits: float
    confidence_level: float
    posterior: str = "uniform"
    beta: float = 0.0

    @property
    def vote_bound(self):
        """Bound of the majority vote: it errs where half of the models do."""
        return min(2 * self.bound, 1.0)


def pac_bayes_bound(log_ratio, mean_loss, n_samples, delta=0.05, n_choices=1):
    """Bound the true mean error of a Rashomon set by its ratio.

    With probability ``1 - delta`` over tables of independent rows, for all sets of the
    space, ``n kl(mean_loss || true) <= -log_ratio + ln(2 sqrt(n) n_choices / delta)``
    with the divergence kl of two coins; the bound is the largest true error allowed.

    Parameters
    ----------
    log_ratio : float or array-like
        Natural logarithm of the Rashomon ratio; for another distribution over models
        minus its divergence from the prior. The prior does not depend on the rows.
    mean_loss : float or array-like
        Mean training error of the models, from 0 to 1.
    n_samples : int
        Number of training rows, all of weight one.
    delta : float, default=0.05
        Probability that the bound fails.
    n_choices : int, default=1
        Number of priors, for instance depths of trees, among which the rows chose.
        Thresholds of one prior are no choice.

    Returns
    -------
    float or ndarray
        The bound; one where it says nothing.

    See Also
    --------
    simple_model_bound : A bound for a finite class.

    References
    ----------
    .. [1] A. Maurer, "A Note on the PAC Bayesian Theorem", 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.rashomon import pac_bayes_bound
    >>> round(pac_bayes_bound(np.log(1e-4), 0.2, 500), 3)
    0.313
    """
    _check("log_ratio", log_ratio, np.asarray(log_ratio) <= 0, "at most 0")
    mean = np.asarray(mean_loss, dtype=float)
    _check("mean_loss", mean_loss, (mean >= 0) & (mean <= 1), "from 0 to 1")
    _check_whole("n_samples", n_samples)
    _check("delta", delta, 0 < delta < 1, "between 0 and 1")
    _check_whole("n_choices", n_choices)
    price = np.log(2 * np.sqrt(n_samples) * n_choices) - np.log(delta)
    found = largest_rate(mean, (price - np.asarray(log_ratio, dtype=float)) / n_samples)
    return float(found) if found.ndim == 0 else found


def certified(log_ratio, mean_loss, n_samples, delta, theta, confidence_level):
    """Bound the error of a set by :func:`pac_bayes_bound`.

    Parameters
    ----------
    log_ratio, mean_loss, n_samples, delta
        As for :func:`pac_bayes_bound`; the ratio may exceed one by rounding.
    theta, confidence_level : float
        Fields of the certificate.

    Returns
    -------
    CertificateResult
        The certificate.
    """
    log_ratio, mean_loss = min(float(log_ratio), 0.0), float(mean_loss)
    return CertificateResult(
        bound=pac_bayes_bound(log_ratio, mean_loss, n_samples, delta),
        theta=float(theta),
        mean_loss=mean_loss,
        bits=float(-log_ratio / np.log(2)) + 0.0,  # no -0
        confidence_level=confidence_level,
    )


def largest_rate(rate, divergence):
    """Largest p whose ``kl(rate || p)`` is at most the divergence.

    Parameters
    ----------
    rate : ndarray
        Observed rates, from 0 to 1.
    divergence : ndarray
        Allowed divergence, not negative; may be infinite.

    Returns
    -------
    ndarray
        Rates from ``rate`` to one.
    """
    rate, divergence = np.broadcast_arrays(rate, divergence)
    low, high = rate.astype(float), np.ones(rate.shape)
    entropy = xlogy(rate, rate) + xlogy(1 - rate, 1 - rate)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        with np.errstate(divide="ignore"):  # at one, where nothing is below
            cost = entropy - xlogy(rate, middle) - xlogy(1 - rate, 1 - middle)
        inside = cost <= divergence
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return high


def largest_mean(values, weight, size, delta):
    """Upper limit of a mean of values in [0, 1] from draws, by their variance.

    The bound of Maurer and Pontil (2009) for independent draws; with weights the
    effective number of draws takes the place of their number.

    Parameters
    ----------
    values : ndarray of shape (n_draws,)
        One value for each draw.
    weight : ndarray of shape (n_draws,)
        Weights of the draws.
    size : float
        Effective number of draws.
    delta : float
        Probability that the limit fails.

    Returns
    -------
    float
        The limit, at most one.
    """
    if size <= 2:
        return 1.0
    share = weight / weight.sum()
    mean = share @ values
    variance = share @ (values - mean) ** 2 * size / (size - 1)
    price = np.log(2 / delta)
    slack = np.sqrt(2 * variance * price / size) + 7 * price / (3 * (size - 1))
    return float(min(mean + slack, 1.0))


def unit_rows(weight):
    """Count rows, if each counts once; None where a weight is not one."""
    return len(weight) if (weight == 1).all() else None


def refuse_weights(n_rows):
    """Refuse rows that do not count once each: they are no independent rows."""
    if n_rows is None:
        raise ValueError(
            "The certificate counts independent rows: it needs fits without "
            "sample_weight, got weights other than one. A row of weight two is not two "
            "independent rows."
        )


def conditional_means(losses, log_low, log_high):
    """Mean loss of the set at each threshold, from the law of the loss.

    Parameters
    ----------
    losses : ndarray of shape (n_losses,)
        Increasing losses.
    log_low, log_high : ndarray of shape (n_losses,)
        Bounds of the logarithm of the share with at most these losses; equal where the
        law is exact.

    Returns
    -------
    ndarray of shape (n_losses,)
        The means; upper limits where the law is bounded.
    """
    area = log_low[:-1] + np.log(np.diff(losses))
    area = np.append(-np.inf, np.logaddexp.accumulate(area))
    means = losses - np.exp(area - np.where(np.isfinite(log_high), log_high, 0.0))
    return np.clip(means, losses[:1], losses)  # rounding may lead below the least loss


def gibbs(losses, log_cdf, betas):
    """Evidence and mean loss of ``exp(-beta loss)`` times the prior.

    Parameters
    ----------
    losses : ndarray of shape (n_losses,)
        Increasing losses, summed over rows.
    log_cdf : ndarray of shape (n_losses,)
        Logarithm of the prior share with at most these losses.
    betas : ndarray of shape (n_betas,)
        Inverse temperatures.

    Returns
    -------
    log_evidence : ndarray of shape (n_betas,)
        Natural logarithm of the sum of ``P(loss) exp(-beta loss)``.
    mean : ndarray of shape (n_betas,)
        Mean loss under the Gibbs distribution.
    """
    with np.errstate(divide="ignore"):  # losses that no model has
        step = np.log(-np.expm1(np.minimum(log_cdf[:-1] - log_cdf[1:], 0.0)))
    logs = np.append(log_cdf[:1], log_cdf[1:] + step) - np.multiply.outer(betas, losses)
    total = logsumexp(logs, axis=1)
    return total, np.exp(logs - total[:, None]) @ losses
