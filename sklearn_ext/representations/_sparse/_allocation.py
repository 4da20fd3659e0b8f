"""How many atoms each row may have: a budget for all rows, and the price that meets it.

Given a dictionary the rows are independent, so a budget shared by all rows is a price:
whoever saves it takes one more atom. A new row then needs no batch to be coded.
"""

from dataclasses import dataclass
from itertools import count
from numbers import Integral, Real

import numpy as np

from sklearn_ext._core._compat import Interval, StrOptions, validate_params

LEVELS = 1000  # of a table of gains
ROUNDS = 16  # of prices that rise and fall, and then of such that only rise
LEAP = 4.0  # by which a price moves at most in a round
HASTE = 0.01  # growing step by which prices rise at least, where caps are exceeded


@validate_params(
    {
        "gains": ["array-like"],
        "n_nonzero_coefs": [Interval(Real, 0, None, closed="neither")],
        "allocation": [StrOptions({"mutual", "row", "feature"})],
    },
    prefer_skip_nested_validation=True,
)
def allocate_budget(gains, n_nonzero_coefs, allocation="mutual"):
    r"""Spend a budget of non-zero codes where they save most.

    For gains that fall along each row (what each further atom saves) the result saves
    as much as any choice within the budget: the largest gains are kept, which the best
    choice by dynamic programming is, too. A gain above the one before it counts like
    that one, as a row cannot take the second atom without the first.

    Parameters
    ----------
    gains : array-like of shape (n_samples, n_steps)
        What each step of each row saves of the squared error. For ``"feature"`` columns
        are features, and steps have no order.
    n_nonzero_coefs : float
        Mean number of entries kept per row.
    allocation : {"mutual", "row", "feature"}, default="mutual"
        ``"mutual"`` keeps ``floor(n_samples * n_nonzero_coefs)`` entries, wherever they
        are; ``"row"`` the first ``n_nonzero_coefs`` of each row; ``"feature"`` the
        largest ``ceil(n_samples * n_nonzero_coefs / n_features)`` of each column.

    Returns
    -------
    ndarray of bool of shape (n_samples, n_steps)
        What is kept; entries without a gain never are. Ties go to earlier rows.

    References
    ----------
    .. [1] K. Ayonrinde, "Adaptive sparse allocation with mutual choice & feature choice
       sparse autoencoders", arXiv:2411.02124, 2024.

    Examples
    --------
    >>> from sklearn_ext.representations import allocate_budget
    >>> allocate_budget([[9.0, 4.0, 3.0], [2.0, 1.0, 0.0]], 1.5).astype(int)
    array([[1, 1, 1],
           [0, 0, 0]])
    """
    gains = np.asarray(gains, dtype=np.float64)
    if gains.ndim != 2:
        raise ValueError(
            f"gains must be a table of rows and steps, got {gains.ndim}-d."
        )
    if np.isnan(gains).any():
        raise ValueError("gains must be numbers, got NaN: what is not taken gains 0.")
    n, width = gains.shape
    if allocation == "feature":
        cap = most_rows(n, n_nonzero_coefs, max(width, 1))
        order = np.argsort(-gains, axis=0, kind="stable")[:cap]
        kept = np.zeros(gains.shape, dtype=bool)
        np.put_along_axis(kept, order, True, axis=0)
        return kept & (gains > 0)
    falling = np.minimum.accumulate(gains, axis=1)
    kept = falling > 0
    if allocation == "row":
        if not isinstance(n_nonzero_coefs, Integral):
            raise ValueError(
                "allocation='row' needs a whole n_nonzero_coefs, got "
                f"{n_nonzero_coefs!r}; 'mutual' takes fractions."
            )
        return kept & (np.arange(width) < n_nonzero_coefs)
    budget = whole_budget(n, n_nonzero_coefs)
    if kept.sum() <= budget:
        return kept
    order = np.argsort(-falling, axis=None, kind="stable")[:budget]
    kept = np.zeros(gains.size, dtype=bool)
    kept[order] = True
    return kept.reshape(gains.shape)


def whole_budget(n, n_nonzero_coefs):
    """Return the non-zero codes of n rows; 100 rows with 0.29 have 29 of them."""
    return int(round(n * n_nonzero_coefs, 6))


def most_rows(n, n_nonzero_coefs, m):
    """Return the rows that each of m features may have."""
    return int(np.ceil(round(n * n_nonzero_coefs / m, 6)))


@dataclass(frozen=True)
class GainTable:
    """What further atoms save, from the most to the least: every budget has its price.

    Attributes
    ----------
    ranks : ndarray of shape (n_levels,)
        Atoms per row, rising.
    gains : ndarray of shape (n_levels,)
        What the last of so many saves.
    saved : ndarray of shape (n_levels,)
        What all of them save, per row.
    square : float
        Mean squared length of the rows.
    """

    ranks: np.ndarray
    gains: np.ndarray
    saved: np.ndarray
    square: float

    @classmethod
    def of(cls, gains, square):
        """Sum up a budget that rows share.

        Parameters
        ----------
        gains : ndarray of shape (depth, n)
            Gains of the steps of each row, zero where there is none.
        square : float
            Mean squared length of the rows.
        """
        falling = np.sort(gains[gains > 0].astype(np.float64))[::-1]
        if not len(falling):
            return cls(np.zeros(1), np.zeros(1), np.zeros(1), square)
        n, top = gains.shape[1], len(falling) - 1
        at = np.unique(np.linspace(0, top, LEVELS + 1).astype(int))
        saved = np.cumsum(falling)[at] / n
        return cls((at + 1) / n, falling[at], saved, square)

    @classmethod
    def by_step(cls, gains, square):
        """Sum up a budget that each row has for itself, steps of all rows in turn."""
        mean = gains.mean(axis=1, dtype=np.float64)
        return cls(np.arange(1.0, len(mean) + 1), mean, np.cumsum(mean), square)

    @property
    def largest(self):
        """Most atoms per row that the pursuit went for."""
        return float(self.ranks[-1])

    def price(self, n_nonzero_coefs):
        """Return the price of a budget, zero where it buys everything."""
        if n_nonzero_coefs >= self.largest:
            return 0.0
        return float(np.interp(n_nonzero_coefs, self.ranks, self.gains))

    def fvu(self, n_nonzero_coefs):
        """Return what so many atoms a row leave unexplained, before the refit."""
        ranks, saved = np.append(0, self.ranks), np.append(0, self.saved)
        left = self.square - np.interp(n_nonzero_coefs, ranks, saved)
        return left / self.square if self.square > 0 else 0.0 * left

    def mixed(self, other, share):
        """Let another table count for a share, and this one for the rest."""
        levels = np.unique(np.append(self.gains, other.gains))[::-1]
        levels = levels[:: max(1, len(levels) // LEVELS)]
        old, new = self._at(levels), other._at(levels)
        mean = [(1 - share) * a + share * b for a, b in zip(old, new, strict=True)]
        return GainTable(mean[0], levels, mean[1], mean[2])

    def _at(self, levels):
        ranks = np.interp(-levels, -self.gains, self.ranks, left=0.0)
        saved = np.interp(-levels, -self.gains, self.saved, left=0.0)
        return ranks, saved, self.square


def price_of(gains, budget):
    """Return the price at which so many gains are kept, and not more.

    Parameters
    ----------
    gains : ndarray
        Gains of all steps, zero where there is none.
    budget : int
        How many may be kept.

    Returns
    -------
    float
        It lies between the last gain kept and the first that is not, so that rounding
        does not change who pays; above all that are equal, where not all can be kept.
    """
    positive = gains[gains > 0].astype(np.float64)
    if len(positive) <= budget:
        return 0.0
    if budget < 1:
        return float(positive.max() * 2)
    cut = len(positive) - budget
    ordered = np.partition(positive, [cut - 1, cut])
    below, last = ordered[cut - 1], ordered[cut]
    if last - below > 1e-9 * last:
        return float((below + last) / 2)
    above = positive[positive > last * (1 + 1e-9)]
    return float((last + above.min()) / 2 if len(above) else 2 * last)


def feature_prices(choose, cap, prices, entry=np.inf, rounds=ROUNDS):
    """Find prices of atoms at which about as many rows as ``cap`` take each.

    Prices move by the ratio of demand and supply, ever less; then, as in an auction,
    they only rise to what the last of the rows that can be served would pay before it
    took another atom.

    Parameters
    ----------
    choose : callable
        Takes prices (m,), returns the `Choice` of all rows.
    cap : int
        Most rows an atom may have.
    prices : ndarray of shape (m,)
        Where to start, positive.
    entry : float, default=inf
        Most that an atom costs at the start, which nobody takes.
    rounds : int
        Of prices that may fall, and of such that rise.

    Returns
    -------
    ndarray of shape (m,)
        The prices.
    """
    for turn in range(rounds):
        usage, _ = _bids(choose(prices), len(prices))
        ratio = (usage + 0.5) / max(cap - 0.5, 0.5)
        moved = prices * np.clip(ratio, 1 / LEAP, LEAP) ** max(0.25, 0.95**turn)
        prices = np.where(usage > 0, moved, np.minimum(moved, entry))
    for _ in range(rounds):
        over, least = _rising(choose(prices), cap, prices)
        if not len(over):
            break
        prices = prices.copy()
        prices[over] = least
    return prices


def capped_prices(choose, cap, prices):
    """Raise prices until no atom is taken by more rows than ``cap``.

    What is in too much demand rises each time, and ever faster, so that this ends where
    atoms are so alike that rows move on together to the cheapest of them.

    Parameters
    ----------
    choose, cap, prices
        As for `feature_prices`.

    Returns
    -------
    ndarray of shape (m,)
        The prices.
    """
    for turn in count():
        over, least = _rising(choose(prices), cap, prices)
        if not len(over):
            return prices
        prices = prices.copy()
        prices[over] = np.maximum(least, prices[over] * (1 + HASTE * turn))


def _rising(choice, cap, prices):
    """Return atoms that too many rows take, and what so many would pay for them."""
    usage, bids = _bids(choice, len(prices))
    over = np.flatnonzero(usage > cap)
    return over, np.array([max(price_of(bids(j), cap), prices[j]) for j in over])


def _bids(choice, m):
    """Count the rows of each atom; return also what tells what they would pay."""
    taken = np.arange(len(choice.atoms))[:, None] < choice.count
    atoms, gains = choice.atoms[taken], choice.gains[taken]
    usage = np.bincount(atoms, minlength=m)
    order = np.argsort(atoms, kind="stable")
    start = np.concatenate([[0], np.cumsum(usage)])
    return usage, lambda j: gains[order[start[j] : start[j + 1]]]


def common_factor(choose, n_nonzero_coefs, rounds=12):
    """Find what all prices are to be multiplied by, so that rows spend their budget.

    Parameters
    ----------
    choose : callable
        Takes the factor, returns the `Choice` of all rows.
    n_nonzero_coefs : float
        Mean number of atoms that a row should take.
    rounds : int
        Bisections of the logarithm, between a sixteenth and sixteen.

    Returns
    -------
    float
        The factor.
    """
    low, high = -4.0, 4.0  # powers of two
    for _ in range(rounds):
        middle = (low + high) / 2
        if choose(2.0**middle).count.mean() > n_nonzero_coefs:
            low = middle
        else:
            high = middle
    return 2.0 ** ((low + high) / 2)
