"""Interpolation weight of least predicted risk, from the sums of the data alone."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from sklearn_ext.aggregate._statistics import AggregateStatistics
from sklearn_ext.aggregate._theory import optimal_rho


def plug_in_rho(stats: AggregateStatistics, alpha, *, fit_intercept=True) -> float:
    """Put estimates of noise, signal and covariance into the theory of the risk.

    The noise is that of a ridge on bag means whose penalty is the most likely one; the
    signal is the variance of the aggregates, times the
    size of the bags, beyond the noise. Several targets are averaged. ``stats`` must be
    centred and weighted by size.
    """
    n, m, d = stats.n_samples, stats.n_bags, len(stats.x_mean)
    noise, theta = _likely_ridge(stats, fit_intercept)
    freedom = max(m - fit_intercept, 1)
    variance = stats.y_scatter.mean() / freedom
    signal = max(variance - noise, 1e-3 * variance)
    if m == n or variance == 0:
        return 0.0
    model = {"noise_var": max(noise, 1e-9 * variance), "signal": signal}
    if alpha > 0:
        values, vectors = linalg.eigh((stats.between + stats.within) / stats.weight)
        values = np.maximum(values, 0.0)
        slopes = np.sqrt(((vectors.T @ theta) ** 2).mean(axis=1))
        explained = values @ slopes**2
        model = {"noise_var": model["noise_var"], "eigenvalues": values}
        model["theta"] = slopes * np.sqrt(signal / explained) if explained else slopes
    return optimal_rho(n, m, d, alpha=alpha, **model)[0]


def _likely_ridge(stats, fit_intercept):
    """Return noise variance and slopes of the ridge on bag means of most likelihood.

    Slopes are drawn alike from a normal law of variance noise / alpha; the noise is
    profiled out. Steadier than cross-validation when bags hardly outnumber features.
    """
    values, vectors = linalg.eigh(stats.between)
    values = np.maximum(values, 0.0)
    turned = vectors.T @ stats.cross
    explained = (turned**2).mean(axis=1)
    freedom, scale = max(stats.n_bags - fit_intercept, 1), values.mean() or 1.0

    def fit(alpha):
        unexplained = stats.y_scatter.mean() - explained @ (1 / (values + alpha))
        noise = max(unexplained / freedom, 1e-300)
        return freedom * np.log(noise) + np.log1p(values / alpha).sum(), noise

    alpha = min(scale * np.logspace(-8, 4, 97), key=lambda alpha: fit(alpha)[0])
    theta = vectors @ (turned / (values + alpha)[:, None])
    return fit(alpha)[1], theta
