"""Sums of independent Bernoulli variables: probability of a count, rows given it."""

import numpy as np
from scipy.special import expit, log_expit

from sklearn_ext.aggregate._bags._partition import Bags


def count_likelihood(logits, bags: Bags, counts):
    """Return the log-probability of each bag's count and of each row given it.

    Parameters
    ----------
    logits : ndarray of shape (n_samples,)
        Log-odds of the rows.
    bags : Bags
        Partition; weights are ignored.
    counts : ndarray of shape (n_bags,)
        Number of ones in each bag.

    Returns
    -------
    log_probability : ndarray of shape (n_bags,)
        Log-probability of the counts.
    posterior : ndarray of shape (n_samples,)
        Probability of one of each row, given the count of its bag.
    """
    log_probability, posterior = np.empty(len(counts)), np.empty(len(logits))
    rows, begin = bags.order()
    for size in np.unique(bags.counts):
        of_size = np.flatnonzero(bags.counts == size)
        members = rows[begin[of_size][:, None] + np.arange(size)]
        log_probability[of_size], posterior[members] = _equal_bags(
            logits[members], counts[of_size]
        )
    return log_probability, posterior


def _equal_bags(logits, counts):
    """Treat bags of one size at once, (n_bags, size).

    Given the count, rows are distributed alike under any common shift of their
    log-odds. The shift that makes the count the expected one keeps its probability far
    from underflow.
    """
    size = logits.shape[1]
    inner = (counts > 0) & (counts < size)
    posterior = np.repeat((counts == size)[:, None], size, axis=1).astype(float)
    sign = np.where(counts == size, 1.0, -1.0)[:, None]
    log_probability = log_expit(sign * logits).sum(axis=1)
    if inner.any():
        f, c = logits[inner], counts[inner]
        shift = _centring_shift(f, c)[:, None]
        q = expit(f + shift)
        totals = _distribution(q)
        at_count = np.take_along_axis(totals, c[:, None], axis=1)
        log_probability[inner] = (
            np.log(at_count[:, 0])
            - c * shift[:, 0]
            + (log_expit(-f) - log_expit(-f - shift)).sum(axis=1)
        )
        posterior[inner] = np.clip(q * _without_each(q, totals, c) / at_count, 0, 1)
    return log_probability, posterior


def _centring_shift(logits, counts, n_iter=60):
    """Solve ``sum_i expit(logits_i + shift) = count`` by safeguarded Newton steps."""
    share = np.log(counts / (logits.shape[1] - counts))
    low, high = share - logits.max(axis=1), share - logits.min(axis=1)
    shift = share - logits.mean(axis=1)
    for _ in range(n_iter):
        q = expit(logits + shift[:, None])
        excess = q.sum(axis=1) - counts
        if np.abs(excess).max() < 1e-8:
            break
        low, high = np.where(excess < 0, shift, low), np.where(excess > 0, shift, high)
        slope = np.maximum((q * (1 - q)).sum(axis=1), 1e-300)
        newton = shift - excess / slope
        inside = (newton > low) & (newton < high)
        shift = np.where(inside, newton, (low + high) / 2)
    return shift


def _distribution(q):
    """Probabilities of 0 .. size ones, (n_bags, size + 1)."""
    n_bags, size = q.shape
    totals = np.zeros((n_bags, size + 1))
    totals[:, 0] = 1.0
    for i in range(size):
        p = q[:, i, None]
        totals[:, 1 : i + 2] = totals[:, 1 : i + 2] * (1 - p) + totals[:, : i + 1] * p
        totals[:, 0] *= 1 - p[:, 0]
    return totals


def _without_each(q, totals, counts):
    """Probability of ``count - 1`` ones among the other rows, for each row.

    Divides one factor out of the distribution: of ones for odds up to one, of zeros
    for larger odds. So rounding errors never grow.
    """
    size = q.shape[1]
    small, rarer = q <= 0.5, np.minimum(q, 1 - q)
    wanted = np.where(small, counts[:, None] - 1, size - counts[:, None])
    found = others = np.zeros_like(q)
    for j in range(size):
        total = np.where(small, totals[:, j, None], totals[:, size - j, None])
        others = (total - rarer * others) / (1 - rarer)
        found = np.where(wanted == j, others, found)
    return found
