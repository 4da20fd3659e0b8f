"""From sums to a classifier: means, variances, priors and the forms that score rows."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from sklearn_ext.probes._gaussian._forms import linear_form, quadratic_form
from sklearn_ext.probes._gaussian._statistics import (
    NaiveBayesStatistics,
    add_up,
    moved_tails,
)

COMPARABLE = 10, 30  # effective number of features whose variances are summed
HEAVY = 4, 8  # kurtosis within classes; that of a normal feature is 3
MANY_HEAVY = 0.2, 0.45  # share of the features whose tails are heavy
WORTH = 0.01  # rows that shared variances count for at least
EPS = np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class Settings:
    """What turns sums into a model; see the parameters of NaiveBayesProbe."""

    priors: np.ndarray | str | None = None
    var_smoothing: float = 1e-9
    smoothing: str = "relative"
    var_shrinkage: float | str = 0.0


@dataclass(frozen=True, eq=False)
class Densities:
    """Class densities: normal, with independent features."""

    pivot: np.ndarray  # (n_features,)
    offsets: np.ndarray  # (n_classes, n_features), means less the pivot
    variances: np.ndarray  # (n_features,) where shared, else (n_classes, n_features)
    log_prior: np.ndarray  # (n_classes,), -inf where no row was seen
    shrinkage: float | np.ndarray
    epsilon: float | np.ndarray  # (n_features,) where it is relative
    guessed: bool  # no two rows of a class differ: variances are those of all rows


@dataclass(frozen=True, eq=False)
class NaiveBayesModel:
    """Sums and settings, with everything that follows from them computed on demand.

    Nothing of what is computed is part of its state: it is not pickled, and two
    threads that ask at once get the same numbers.
    """

    parts: tuple[NaiveBayesStatistics, ...]
    settings: Settings

    @cached_property
    def statistics(self):
        """All sums in one."""
        return add_up(self.parts)

    @cached_property
    def densities(self):
        """Means, variances and priors."""
        return fit_densities(self.statistics, self.settings)

    @cached_property
    def form(self):
        """What scores rows."""
        found = self.densities
        if found.variances.ndim == 1:
            return linear_form(found, found.offsets / found.variances).centred()
        return quadratic_form(found)

    def __getstate__(self):
        return {field.name: getattr(self, field.name) for field in fields(self)}


def fit_densities(statistics, settings) -> Densities:
    """Estimate means, variances and priors from sums.

    Parameters
    ----------
    statistics : NaiveBayesStatistics
        The sums.
    settings : Settings
        Smoothing, shrinkage and priors.

    Returns
    -------
    Densities
        The class densities.
    """
    count = statistics.count
    offsets = statistics.sum / _positive(count)[:, None]
    within, total = moments(statistics)
    pooled = within if within.ndim == 1 else count @ within / count.sum()
    guessed = settings.var_shrinkage == "auto" and not pooled.any() and total.any()
    rows, amount = count_rows(statistics), settings.var_shrinkage
    if within.ndim == 2:
        kurtosis = statistics.tails and kurtoses(statistics, within)
        variances, share = shrink_to_shared(
            within, pooled, total, rows, amount, kurtosis
        )
    else:
        variances, share = shrink_to_mean(within, total, rows, amount)
    epsilon = settings.var_smoothing
    if settings.smoothing == "relative":
        epsilon = epsilon * total
    return Densities(
        statistics.pivot,
        offsets,
        smooth(variances, epsilon, total),
        log_priors(count, settings.priors),
        share,
        epsilon,
        bool(guessed),
    )


def count_rows(statistics):
    """Return how many rows of each class there are to estimate from.

    That is the weight, so that a weight of two is a row given twice; but weights that
    sum to less than the effective number of distinct rows (shares, say) only say how
    rows compare, and are scaled up to that number.

    Parameters
    ----------
    statistics : NaiveBayesStatistics
        The sums.

    Returns
    -------
    ndarray of shape (n_classes,)
        Numbers of rows.
    """
    count = statistics.count
    scale = statistics.n_rows / count.sum()
    return count * scale if scale > 1 + 1e-9 else count  # ones stay whole numbers


def moments(statistics):
    """Return the variances within classes and the variance over all rows.

    Parameters
    ----------
    statistics : NaiveBayesStatistics
        The sums.

    Returns
    -------
    within : ndarray of shape (n_features,) or (n_classes, n_features)
        Maximum likelihood variances, zero for a class without rows.
    total : ndarray of shape (n_features,)
        Variance around the mean of all rows.
    """
    count, weight = statistics.count, statistics.count.sum()
    offsets = statistics.sum / _positive(count)[:, None]
    mean = statistics.sum.sum(axis=0) / weight
    if statistics.per_class:
        within = _less(statistics.sumsq / _positive(count)[:, None], offsets**2)
    else:
        within = _less(statistics.sumsq / weight, count @ offsets**2 / weight)
    total = np.atleast_2d(statistics.sumsq / weight).sum(axis=0)
    total = _less(total, mean**2)
    constant = total <= (8 * EPS * (statistics.pivot + mean)) ** 2
    return np.where(constant, 0, within), np.where(constant, 0, total)


def _less(squares, centre):
    """Subtract, and make zeros of what is left by rounding."""
    difference = squares - centre
    return np.where(difference <= 4 * EPS * squares, 0, difference)


def shrink_to_mean(variances, total, rows, amount):
    """Draw shared variances towards their mean over the features.

    Parameters
    ----------
    variances : ndarray of shape (n_features,)
        Variances within classes.
    total : ndarray of shape (n_features,)
        Variances over all rows.
    rows : ndarray of shape (n_classes,)
        Number of rows of each class.
    amount : float or "auto"
        Share of the mean. "auto" estimates the share that minimises the squared error,
        ``sum_j Var(v_j) / sum_j (v_j - mean) ** 2``, among the features that vary (for
        normal rows and ``f`` degrees of freedom ``2 v ** 2 / (f + 2)`` is an unbiased
        estimate of the variance of ``v``), and takes as much of it as the features are
        `comparable`.

    Returns
    -------
    variances : ndarray of shape (n_features,)
        The shrunken variances. Under "auto", those over all rows stand in where no two
        rows of a class differ.
    share : float
        The share used.
    """
    if amount != "auto":
        return variances + amount * (variances.mean() - variances), float(amount)
    varies = total > 0
    if not varies.any():
        return variances, 1.0
    if not variances.any():
        variances = total
    alike = comparable(total[varies])
    mean = variances[varies].mean()
    ratios = variances[varies] / mean  # their squares do not overflow
    free = max(rows.sum() - np.count_nonzero(rows), 1)
    noise = 2 / (free + 2) * (ratios**2).sum()
    share = alike * min(1.0, noise / max(((ratios - 1) ** 2).sum(), 1e-300))
    return np.where(varies, variances + share * (mean - variances), 0), float(share)


def comparable(total):
    """Say how far features share a unit: 1 as far as one can tell, 0 not at all.

    The mean of variances in different units is that of the few features in the
    smallest unit, and drawing the others to it drowns them. So the effective number of
    features that the sum of the variances over all rows is made of has to be large,
    ``(sum v) ** 2 / sum v ** 2``: above 10, and the larger the better up to 30.

    Parameters
    ----------
    total : ndarray of shape (n_features,)
        Positive variances over all rows.

    Returns
    -------
    float
        Between 0 and 1, linear in between.
    """
    parts = total / total.max()  # their squares do not overflow
    return float(_ramp(parts.sum() ** 2 / (parts**2).sum(), *COMPARABLE))


def _ramp(x, low, high):
    """Rise from 0 at ``low`` to 1 at ``high``."""
    return np.clip((x - low) / (high - low), 0, 1)


def shrink_to_shared(variances, pooled, total, rows, amount, kurtosis=None):
    """Draw the variances of each class towards those that all classes share.

    Parameters
    ----------
    variances : ndarray of shape (n_classes, n_features)
        Variances within each class.
    pooled : ndarray of shape (n_features,)
        Their mean, weighted by the classes.
    total : ndarray of shape (n_features,)
        Variances over all rows.
    rows : ndarray of shape (n_classes,)
        Number of rows of each class.
    amount : float or "auto"
        Share of the pooled variances. "auto" first shrinks these themselves, as without
        classes, and takes them for worth as many rows as the ratios of the variances to
        them say: few where classes differ by more than their noise. With a kurtosis,
        how far the pooled variances are drawn to their mean over the features.
    kurtosis : ndarray of shape (n_features,), default=None
        Of the features within classes. With it the sums advise on each feature.

    Returns
    -------
    variances : ndarray of shape (n_classes, n_features) or (n_features,)
        The shrunken variances, one row where all classes take the shared ones.
    share : ndarray of shape (n_classes,) or (n_classes, n_features)
        The share of each class. With a kurtosis less where the variance of a class is
        clearly another, at most the number of features times the likelihood ratio of
        equal variances, but the worth of a hundredth of a row; more where many features
        have heavy tails, whose outliers would all speak for the class with the largest
        variance.
    """
    if kurtosis is None and amount != "auto":
        share = np.full(len(rows), amount, dtype=float)
        return variances + share[:, None] * (pooled - variances), share
    pooled, _ = shrink_to_mean(pooled, total, rows, amount)
    known = pooled > 0
    ratios = variances[:, known] / pooled[known]
    shares = _class_shares(ratios, rows)
    if kurtosis is None:
        return variances + shares[:, None] * (pooled - variances), shares
    share = np.ones_like(variances)
    if known.any():
        free, kurtosis = np.maximum(rows - 1, 0), kurtosis[known]
        bound = known.sum() * np.exp(-_evidence(ratios, free, kurtosis))
        bound = np.maximum(bound, (WORTH / (WORTH + free))[:, None])
        share[:, known] = np.minimum(shares[:, None], bound)
        heavy = _ramp(_ramp(kurtosis, *HEAVY).mean(), *MANY_HEAVY)
        share[:, known] += (1 - share[:, known]) * heavy
    if (share == 1).all():
        return pooled, share
    return variances + share * (pooled - variances), share


def _evidence(ratios, free, kurtosis):
    """Log-likelihood ratio of the variance of a class against the shared one.

    The variance of a variance grows with the kurtosis less one, 2 where features are
    normal. The bound keeps a class of a few rows that do not differ from proving much.
    """
    with np.errstate(divide="ignore"):
        exact = ratios - 1 - np.log(ratios)
    bounded = np.minimum(exact, (ratios - 1) ** 2 / 2)
    return free[:, None] * bounded / np.maximum(kurtosis - 1, 1)


def kurtoses(statistics, within):
    """Kurtosis of each feature around the means of its classes.

    Parameters
    ----------
    statistics : NaiveBayesStatistics
        The sums, with third and fourth powers.
    within : ndarray of shape (n_classes, n_features)
        Variances within each class.

    Returns
    -------
    ndarray of shape (n_features,)
        Fourth powers over those of normal classes with such variances, times 3; at
        least 1.
    """
    part = statistics.count / statistics.count.sum()
    means = statistics.sum / _positive(statistics.count)[:, None]
    ratios = within / np.maximum(part @ within, np.finfo(float).tiny)
    fourths = moved_tails(statistics, -means).fourths * statistics.count.sum()
    return np.maximum(fourths / np.maximum(part @ ratios**2, 1), 1)


def _class_shares(ratios, rows):
    """Estimate a prior's worth in rows from ratios of variances, common to classes."""
    free, part = np.maximum(rows - 1, 0), rows / rows.sum()
    if ratios.size == 0:
        return np.ones(len(rows))
    squares, spread = (ratios**2).mean(axis=1), ((ratios - 1) ** 2).mean(axis=1)
    seen = part * (free > 0)
    differ = seen @ (spread - 2 / (free + 2) * squares)
    if not differ > 0:
        return np.ones(len(rows))
    worth = 2 * (seen @ squares) / differ
    return worth / (worth + free)


def smooth(variances, epsilon, total):
    """Add epsilon and keep every variance away from zero.

    A variance below the rounding of its feature's total variance is rounding itself,
    and a feature that never varies says nothing whatever its variance.

    Parameters
    ----------
    variances : ndarray of shape (n_features,) or (n_classes, n_features)
        Variances within classes.
    epsilon : float or ndarray of shape (n_features,)
        What is added.
    total : ndarray of shape (n_features,)
        Variance over all rows.

    Returns
    -------
    ndarray of the same shape
        Positive variances.
    """
    variances = np.maximum(variances + epsilon, EPS * total)
    return np.where(variances > 0, variances, 1.0)


def log_priors(count, priors):
    """Return log priors; a class without rows has none.

    Parameters
    ----------
    count : ndarray of shape (n_classes,)
        Weight of each class.
    priors : ndarray of shape (n_classes,), "uniform" or None
        None takes the shares of the classes.

    Returns
    -------
    ndarray of shape (n_classes,)
        Logarithms, -inf where ``count`` is zero.
    """
    if priors is None:
        shares = count
    elif isinstance(priors, str):
        shares = np.sign(count)
    else:
        shares = np.where(count > 0, priors, 0.0)
    if not (mass := shares.sum()) > 0:
        raise ValueError(
            "priors give probability zero to every class that has rows; give a "
            "positive prior to at least one of them."
        )
    with np.errstate(divide="ignore"):
        return np.log(shares / mass)


def _positive(count):
    return np.where(count > 0, count, 1.0)
