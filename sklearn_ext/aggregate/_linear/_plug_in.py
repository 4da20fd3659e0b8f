"""Interpolation weight of least predicted risk, from the sums of the data alone."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from sklearn_ext.aggregate._linear._statistics import AggregateStatistics
from sklearn_ext.aggregate._theory._risk import optimal_rho


def plug_in_rho(stats: AggregateStatistics, alpha, *, fit_intercept=True) -> float:
    """Put estimates of noise, signal and covariance into the theory of the risk.

    The noise is that of a ridge on bag means whose penalty is the most likely one; the
    signal is the variance of the aggregates, times the size of the bags, beyond the
    noise. Several targets are averaged. The number of rows is read off the share of
    the scatter that lies between bags, which weights and copies of rows leave alone.
    ``stats`` must be centred around the means.
    """
    n, m, d = _rows_like_random(stats), stats.n_bags, len(stats.x_mean)
    stats = stats.centred(fit_intercept)
    noise, theta = _likely_ridge(stats, fit_intercept)
    variance = stats.y_scatter.mean() / max(m - fit_intercept, 1)
    if n - m < 1e-9 * m or variance == 0:
        return 0.0
    noise = max(noise, 1e-9 * variance)
    signal = max(variance - noise, 1e-3 * variance)
    if alpha == 0:
        return optimal_rho(n, m, d, noise_var=noise, signal=signal)[0]
    scatter = stats.between + stats.within
    scale = np.trace(scatter) / d
    values, vectors = linalg.eigh(scatter / scale)
    values = np.maximum(values, 0.0) / max(n - 1, 1)
    slopes = np.sqrt(((vectors.T @ theta) ** 2).mean(axis=1) * scale)
    explained = values @ slopes**2
    if alpha / scale > 1e12 * m or explained == 0:  # no slopes, whatever rho
        return 0.0
    slopes = slopes * np.sqrt(signal / explained)
    model = {"noise_var": noise, "eigenvalues": values, "theta": slopes}
    return optimal_rho(n, m, d, alpha=alpha / scale, **model)[0]


def _rows_like_random(stats):
    """Return how many rows random bags would hold that keep as much of the scatter."""
    between, within = np.diag(stats.between), np.diag(stats.within)
    total = between + within
    varying = total > 0
    share = np.mean(between[varying] / total[varying]) if varying.any() else 1.0
    if share <= 0:  # equal means: no number of rows does
        return stats.n_bags
    return stats.n_bags + max(stats.n_bags - 1, 0) * (1 - share) / share


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

    alphas = scale * np.logspace(-8, 4, 97)
    surprises = np.array([fit(alpha)[0] for alpha in alphas])
    alpha = alphas[surprises <= surprises.min() + 1e-9 * freedom][-1]
    theta = vectors @ (turned / (values + alpha)[:, None])
    return fit(alpha)[1], theta
