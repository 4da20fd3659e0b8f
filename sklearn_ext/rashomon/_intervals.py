"""Confidence intervals of ratios that were estimated by sampling."""

import numpy as np
from scipy import special, stats

from sklearn_ext._numerics._held_out import clopper_pearson as binomial_interval


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
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"confidence_level must be between 0 and 1, got {confidence_level}."
        )
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
