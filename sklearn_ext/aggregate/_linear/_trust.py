"""When slopes from bags must not be trusted, as far as rows and bags can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

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
        if (flat := share < FLAT * by_chance).any() or m == 1:
            flat = _listed(names, flat | (m == 1))
            found.append(f"no variation between bags in {flat}")
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
