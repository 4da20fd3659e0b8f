"""Slopes without any penalty, and what is known of their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse, stats

from sklearn_ext.aggregate._linear._solvers import smallest_pivot
from sklearn_ext.aggregate._linear._statistics import AggregateStatistics, BaggedData

_BATCH = 4096  # bags worked on at a time
_COLLINEAR = 1e-10
_ALONE = 1e-8  # what is left of a bag that alone decides a slope


@dataclass(frozen=True)
class BagSlopes:
    """Least squares of aggregates on bag means.

    For bags formed at random these slopes have no bias; a penalty, and ``rho > 0``
    above all, shrinks them by amounts that no covariance tells.
    """

    coef: np.ndarray  # (n_features, n_targets)
    covariance: np.ndarray  # (n_targets, n_features, n_features)
    freedom: int

    @classmethod
    def of(
        cls, sums: AggregateStatistics, data: BaggedData | None, *, fit_intercept=True
    ) -> BagSlopes:
        """Fit to centred sums; the residuals of bags come from ``data``.

        With ``data`` the covariance is the jackknife-like HC3, which asks nothing of
        the noise of a bag. Without, it takes noise of rows that is equal and weights by
        size.
        """
        d = len(sums.x_mean)
        freedom = sums.n_bags - fit_intercept - d
        if freedom < 1:
            raise ValueError(
                f"compute_covariance=True needs more bags than slopes, got "
                f"{sums.n_bags} bags for {d} features: what a penalty adds in place of "
                "bags is a bias that no interval can tell. Use fewer features or more "
                "bags."
            )
        inverse = _inverse(sums.between)
        coef = inverse @ sums.cross
        rest = np.maximum(sums.y_scatter - np.sum(sums.cross * coef, axis=0), 0.0)
        noise = rest / freedom
        if data is None:
            return cls(coef, noise[:, None, None] * inverse, freedom)
        middle = np.zeros((len(noise), d, d))
        share = data.omega / sums.weight * fit_intercept
        for start in range(0, len(share), _BATCH):
            bags = slice(start, start + _BATCH)
            root = np.sqrt(data.omega[bags])[:, None]
            means = data.x_means[bags]
            means = means.toarray() if sparse.issparse(means) else means
            U = root * (means - sums.x_mean)
            error = root * (data.y_means[bags] - sums.y_mean) - U @ coef
            left = 1 - np.sum((U @ inverse) * U, axis=1) - share[bags]
            alone = (left < _ALONE)[:, None]
            left = np.maximum(left, _ALONE)[:, None]
            error = np.where(alone, np.sqrt(noise / _ALONE) * (root > 0), error / left)
            for target, weights in enumerate(error.T):
                pulled = U * weights[:, None]
                middle[target] += pulled.T @ pulled
        return cls(coef, inverse @ middle @ inverse, freedom)


def half_widths(covariance, freedom, confidence_level):
    """Return what to add on both sides of slopes whose covariances are given."""
    errors = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return stats.t.ppf((1 + confidence_level) / 2, freedom) * errors


def _inverse(between):
    try:
        factor = linalg.cholesky(between, lower=True, check_finite=False)
        collinear = smallest_pivot(between, factor) < _COLLINEAR
    except linalg.LinAlgError:
        collinear = True
    if collinear:
        raise ValueError(
            "compute_covariance=True needs slopes that the bags determine, but some "
            "columns are constant or combinations of others over the bag means. Drop "
            "them, for instance one of each set of one-hot columns."
        )
    return linalg.cho_solve((factor, True), np.eye(len(between)), check_finite=False)
