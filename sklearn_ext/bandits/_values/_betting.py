"""Bounds on a mean that hold at every time, by betting against it.

Terms are non-negative and, given the past, have the mean v. Whoever bets the fraction
c of a fortune on "more than v" has after n terms the fortune
``prod(1 - c + c * term / v)``, a martingale of mean one; so is the mean over several
c. By Ville's inequality it never exceeds 1 / alpha but with probability alpha, however
often one looks. Every factor decreases in v: the values that are not refuted are a half
line, whose end is the root of one decreasing function.
"""

from dataclasses import dataclass

import numpy as np

FRACTIONS = 0.5 ** np.arange(1, 13)
MAX_STEPS = 100  # of Newton; five to ten are usual
LARGE = 1e30  # products of eight such factors are still numbers
LOWEST = -700.0  # logarithm of what is zero beside the largest term
GROUP = 8  # factors that are multiplied before a logarithm is taken


@dataclass(frozen=True)
class Bets:
    """Fortunes of several ways to bet, as functions of log v.

    Parameters
    ----------
    terms : ndarray of shape (n_positive,)
        Terms above zero.
    fractions : list of float or ndarray of shape (n_positive,)
        What each way bets on those terms.
    lost : ndarray of shape (n_ways,)
        Logarithm of what is left after the terms that are zero.
    log_share : ndarray of shape (n_ways,)
        Logarithm of the share of the fortune that each way starts with.
    """

    terms: np.ndarray
    fractions: list
    lost: np.ndarray
    log_share: np.ndarray

    @classmethod
    def of(cls, terms, *, size=1.0, horizon=None, alpha=0.05):
        """Read all terms; a ``horizon`` adds bets that suit this number of them.

        Terms are kept in units of ``size``; what is bet on them must not depend on it,
        as the largest of all terms is not known when the first bet is made.
        """
        positive = terms > 0
        n_zero = len(terms) - int(positive.sum())
        ways = list(FRACTIONS)
        lost = n_zero * np.log1p(-FRACTIONS)
        log_share = np.full(len(ways), -np.log(len(ways)))
        if horizon is not None:
            tuned = _tuned_fractions(terms, horizon, alpha)
            ways.append(tuned[positive])
            lost = np.append(lost, np.log1p(-tuned[~positive]).sum())
            log_share = np.append(log_share - np.log(2), -np.log(2))
        return cls(terms[positive] / size, ways, lost, log_share)

    def log_fortune(self, log_v):
        """Return the logarithm of the mean fortune, and its slope in log v."""
        with np.errstate(over="ignore"):
            scaled = self.terms * np.exp(-log_v)
        each = [self._way(c, scaled) for c in self.fractions]
        values = self.lost + self.log_share + [value for value, _ in each]
        top = values.max()
        share = np.exp(values - top)
        total = share.sum()
        slope = share @ [slope for _, slope in each] / total
        return top + np.log(total), slope

    @staticmethod
    def _way(c, scaled):
        factors = 1 - c + c * scaled
        return _log_product(factors), -(1 - (1 - c) / factors).sum()


def _log_product(factors):
    if len(factors) < 4 * GROUP or factors.max() > LARGE:
        return np.log(factors).sum()
    whole = len(factors) // GROUP * GROUP
    products = factors[:whole].reshape(-1, GROUP).prod(axis=1)
    return np.log(products).sum() + np.log(factors[whole:]).sum()


def _tuned_fractions(terms, horizon, alpha):
    """Return a bet for each term that knows the terms before it alone.

    For a mean of one and a second moment s the fortune after n terms is largest near
    ``sqrt(2 log(1 / alpha) / (n (s - 1)))``.
    """
    terms = np.minimum(terms, LARGE)  # squares must not overflow
    n = np.arange(1, len(terms) + 1)
    mean = (np.cumsum(terms) + 1) / (n + 1)
    square = (np.cumsum(terms**2) + 2) / (n + 1)
    spread = np.maximum(square / mean**2 - 1, 1e-3)
    bet = np.minimum(0.5, np.sqrt(2 * np.log(2 / alpha) / (horizon * spread)))
    return np.concatenate([[min(0.5, FRACTIONS[3])], bet[:-1]])[: len(terms)]


def lower_bound(terms, alpha, *, horizon=None, start=None):
    """Return the lowest mean that the terms do not refute.

    Parameters
    ----------
    terms : ndarray of shape (n,)
        Non-negative numbers with a common mean given their past, in order.
    alpha : float
        Probability with which the bound may ever be wrong.
    horizon : int, default=None
        Number of terms at which the bound should be close; it holds at all of them.
    start : float, default=None
        A guess of the bound.

    Returns
    -------
    float
        The bound; 0 where no term is positive.
    """
    size = terms.max(initial=0.0)
    if not size > 0:
        return 0.0
    bets = Bets.of(terms, size=size, horizon=horizon, alpha=alpha)
    target = -np.log(alpha)
    mean = bets.terms.sum() / len(terms)  # the root is below it
    s = np.log(min(start / size, mean) if start else mean)
    # convex and decreasing: a step from above lands below, and steps from below never
    # go beyond the root
    for _ in range(MAX_STEPS):
        value, slope = bets.log_fortune(s)
        before, s = s, max(s - (value - target) / slope, LOWEST)
        if abs(s - before) < 1e-13 * max(1.0, abs(s)):
            break
    return float(size * np.exp(s)) if s > LOWEST else 0.0


def log_fortune(terms, mean, *, horizon=None, alpha=0.05):
    """Return the logarithm of the fortune of betting against a mean.

    Parameters
    ----------
    terms : ndarray of shape (n,)
        Non-negative numbers.
    mean : float
        The mean to bet against, above zero.
    horizon, alpha : int or None, float
        As for `lower_bound`; its bound exceeds ``mean`` where this fortune exceeds
        ``1 / alpha``.

    Returns
    -------
    float
        Logarithm of an e-value.
    """
    bets = Bets.of(terms, horizon=horizon, alpha=alpha)
    return float(bets.log_fortune(np.log(mean))[0])
