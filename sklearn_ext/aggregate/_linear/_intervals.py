"""Slopes without any penalty, and what is known of their errors."""

from __future__ import annotations

import numpy as np
from scipy import linalg, stats

from sklearn_ext._numerics._arrays import blocks
from sklearn_ext.aggregate._linear._solvers import definite_factor
from sklearn_ext.aggregate._linear._statistics import AggregateStatistics, BaggedData

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
