"""From sums to a classifier: means, variances, priors and the forms that score rows."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from sklearn_ext.probes._naive_bayes_forms import linear_form, quadratic_form
from sklearn_ext.probes._naive_bayes_statistics import NaiveBayesStatistics, add_up


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
    variances: np.ndarray  # (n_features,) or (n_classes, n_features)
    log_prior: np.ndarray  # (n_classes,), -inf where no row was seen
    shrinkage: float | np.ndarray
    epsilon: float
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
        if self.densities.variances.ndim == 1:
            return linear_form(self.densities).centred()
        return quadratic_form(self.densities)

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
    variances, shrinkage = shrink(within, count, settings.var_shrinkage)
    guessed = settings.var_shrinkage == "auto" and not within.any() and total.any()
    if settings.var_shrinkage == "auto":
        variances = _fill_empty(variances, within, total, count)
    epsilon = settings.var_smoothing
    if settings.smoothing == "relative":
        epsilon = epsilon * total.max()
    return Densities(
        statistics.pivot,
        offsets,
        smooth(variances, epsilon, total),
        log_priors(count, settings.priors),
        shrinkage,
        float(epsilon),
        bool(guessed),
    )


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
    squares = statistics.sumsq
    if statistics.per_class:
        within = squares / _positive(count)[:, None] - offsets**2
        squares = squares.sum(axis=0)
    else:
        within = (squares - count @ offsets**2) / weight
    return np.maximum(within, 0), np.maximum(squares / weight - mean**2, 0)


def shrink(variances, count, amount):
    """Draw variances towards their mean over the features.

    Parameters
    ----------
    variances : ndarray of shape (n_features,) or (n_classes, n_features)
        Variances within classes.
    count : ndarray of shape (n_classes,)
        Weight of each class.
    amount : float or "auto"
        Share of the mean; "auto" estimates the share that minimises the squared
        error, ``sum_j Var(v_j) / sum_j (v_j - mean) ** 2``. For normal rows and
        ``f`` degrees of freedom ``2 v ** 2 / (f + 2)`` is an unbiased estimate of the
        variance of ``v``.

    Returns
    -------
    variances : ndarray of the same shape
        The shrunken variances.
    amount : float or ndarray of shape (n_classes,)
        The share used.
    """
    mean = variances.mean(axis=-1, keepdims=True)
    if amount == "auto":
        shared = variances.ndim == 1
        free = count.sum() - np.count_nonzero(count) if shared else count - 1
        ratios = variances / _positive(mean)  # their squares do not overflow
        noise = 2 / (np.maximum(free, 1) + 2) * (ratios**2).sum(axis=-1)
        spread = ((ratios - ratios.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        few = noise >= spread
        amount = np.where(few, 1.0, noise / np.where(few, 1.0, spread))
    share = np.asarray(amount, dtype=float)
    result = (1 - share[..., None]) * variances + share[..., None] * mean
    return result, float(share) if share.ndim == 0 else share


def smooth(variances, epsilon, total):
    """Add epsilon and keep every variance away from zero.

    A variance below the rounding of its feature's total variance is rounding itself,
    and a feature that never varies says nothing whatever its variance.

    Parameters
    ----------
    variances : ndarray of shape (n_features,) or (n_classes, n_features)
        Variances within classes.
    epsilon : float
        What is added.
    total : ndarray of shape (n_features,)
        Variance over all rows.

    Returns
    -------
    ndarray of the same shape
        Positive variances.
    """
    variances = np.maximum(variances + epsilon, np.finfo(float).eps * total)
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


def _fill_empty(variances, within, total, count):
    """Give classes whose rows never vary the scatter there is elsewhere."""
    empty = ~variances.any(axis=-1, keepdims=True)
    pooled = within.mean()
    if within.ndim == 2:
        pooled = count @ within.mean(axis=1) / count.sum()
    return np.where(empty, pooled if pooled > 0 else total.mean(), variances)
