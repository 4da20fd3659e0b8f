"""How far slopes from bags can be trusted: their errors, and reasons for doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.aggregate._linear._solvers import definite_factor
from sklearn_ext.aggregate._linear._statistics import (
    AggregateStatistics,
    BaggedData,
    spread_inside,
    squares,
)

FEW = 5  # bags a slope, below which slopes are mostly noise
FLAT = 0.1  # of the share of variance between bags that random bags have
ALIKE = 2.0  # times the variance between bags that random bags have
UNLIKELY = 0.01  # probability, over all columns, of finding random bags alike
KEPT = 0.8  # share of a slope that a weight of the spread inside bags must leave
SHOWN = 3  # columns that are named

_BATCH = 4096  # bags worked on at a time
_COLLINEAR = 1e-10
_ALONE = 1e-8  # what is left of a bag that alone decides a slope


def bag_slopes(
    sums: AggregateStatistics, data: BaggedData | None, *, fit_intercept=True
):
    """Fit least squares of aggregates on bag means to centred sums.

    For bags formed at random these slopes have no bias; a penalty, and ``rho > 0``
    above all, shrinks them by amounts that no covariance tells. The residuals of bags
    come from ``data``: with it the covariance is the jackknife-like HC3, which asks
    nothing of the noise of a bag. Without, it takes noise of rows that is equal and
    weights by size.

    Returns
    -------
    coef : ndarray of shape (n_features, n_targets)
        Slopes.
    covariance : ndarray of shape (n_targets, n_features, n_features)
        Their covariance.
    freedom : int
        By how many the bags outnumber what is fitted.
    """
    d = len(sums.x_mean)
    freedom = sums.n_bags - fit_intercept - d
    if freedom < 1:
        raise ValueError(
            f"compute_covariance=True needs more bags than slopes, got {sums.n_bags} "
            f"bags for {d} features: what a penalty adds in place of bags is a bias "
            "that no interval can tell. Use fewer features or more bags."
        )
    factor = definite_factor(sums.between, _COLLINEAR)
    if factor is None:
        raise ValueError(
            "compute_covariance=True needs slopes that the bags determine, but some "
            "columns are constant or combinations of others over the bag means. Drop "
            "them, for instance one of each set of one-hot columns."
        )
    inverse = linalg.cho_solve((factor, True), np.eye(d), check_finite=False)
    coef = inverse @ sums.cross
    rest = np.maximum(sums.y_scatter - np.sum(sums.cross * coef, axis=0), 0.0)
    noise = rest / freedom
    if data is None:
        return coef, noise[:, None, None] * inverse, freedom
    middle = np.zeros((len(noise), d, d))
    share = data.omega / sums.weight * fit_intercept
    for bags in blocks(len(share), _BATCH):
        U, target = data.around(sums.x_mean, sums.y_mean, bags)
        left = (1 - np.sum((U @ inverse) * U, axis=1) - share[bags])[:, None]
        error = (target - U @ coef) / np.maximum(left, _ALONE)
        error = np.where(left < _ALONE, np.sqrt(noise / _ALONE), error)
        for at, weights in enumerate(error.T):
            pulled = U * weights[:, None]
            middle[at] += pulled.T @ pulled
    return coef, inverse @ middle @ inverse, freedom


def half_widths(covariance, freedom, confidence_level):
    """Return what to add on both sides of slopes whose covariances are given."""
    errors = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return stats.t.ppf((1 + confidence_level) / 2, freedom) * errors


@dataclass(frozen=True)
class ColumnScatter:
    """Scatter of each column between bags and inside them.

    Parameters
    ----------
    between : ndarray of shape (n_features,)
        Weighted squares of bag means around their mean.
    within : ndarray of shape (n_features,)
        Weighted squares of rows around their bag mean.
    n_rows, n_bags : int
        How many there are.
    """

    between: np.ndarray
    within: np.ndarray
    n_rows: int
    n_bags: int

    @classmethod
    def of(cls, data: BaggedData) -> ColumnScatter:
        """Take it from rows and bag means."""
        mean, _ = data.center()
        between = squares(data.x_means, data.omega, mean)
        within = spread_inside(data, mean)
        return cls(between, within, data.X.shape[0], data.n_bags)

    @classmethod
    def from_sums(cls, sums: AggregateStatistics) -> ColumnScatter:
        """Take it from sums, which hold the scatter inside bags or its diagonal."""
        between = np.diag(sums.between)
        within = np.maximum(sums.spread, 0.0)  # rounding, where rows are the same
        return cls(between, within, sums.n_samples, sums.n_bags)

    def doubts(self, rho, names):
        """Say why slopes must not be trusted.

        Parameters
        ----------
        rho : float
            Weight of the spread inside bags that the slopes were fitted with.
        names : sequence of str
            Names of the columns.

        Returns
        -------
        list of str
            Reasons, the most serious first; empty where nothing is known.
        """
        m, n, d = self.n_bags, self.n_rows, len(self.between)
        found = []
        if m - 1 < FEW * d:
            found.append(f"few bags ({(m - 1) / d:.2g} a slope, below {FEW})")
        total = self.between + self.within
        share = self.between / np.where(total > 0, total, 1.0)
        by_chance = (m - 1) / max(n - 1, 1)
        if (flat := (share < FLAT * by_chance) | (m == 1)).any():
            found.append(f"no variation between bags in {_listed(names, flat)}")
        if n > m > 1:
            mean_within = self.within / (n - m)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (self.between / (m - 1)) / mean_within
            surprise = stats.f.sf(ratio, m - 1, n - m) * d
            alike = (ratio > ALIKE) & (surprise < UNLIKELY)
            if alike.any():
                found.append(
                    f"rows of a bag are alike in {_listed(names, alike)}, so that "
                    "slopes between bags need not be those of rows (ecological bias)"
                )
        left = self.between.sum() / ((self.between + rho * self.within).sum() or 1.0)
        if rho > 0 and left < KEPT:
            found.append(f"rho={rho:.3g} leaves about {left:.0%} of slopes")
        return found


def _listed(names, chosen):
    chosen = [name for name, use in zip(names, chosen, strict=True) if use]
    more = f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
    return ", ".join(chosen[:SHOWN]) + more
