"""Weights of bags whose published aggregates carry noise of known variance."""

import numpy as np
from scipy.optimize import minimize_scalar

from sklearn_ext.aggregate._linear._solvers import solve_normal
from sklearn_ext.aggregate._linear._statistics import BaggedData, summarize


def precision_weights(data: BaggedData, noise, *, fit_intercept=True) -> BaggedData:
    """Weigh bags by ``1 / (1 / S_a + v_a / sigma²)``.

    The row variance sigma² and the slopes are estimated in turn, three times: sigma²
    by Gaussian likelihood of the residuals, since noise of very different variances
    would swamp a moment estimate.
    """
    sizes = data.bags.sizes
    known = np.where(data.known, sizes, 0.0)
    centred = data.y_means - np.average(data.y_means, axis=0, weights=known)
    variance = (known @ centred**2).mean() / data.n_bags
    for _ in range(3):
        data = data.weighed(_omega(sizes, noise, variance))
        variance = _row_variance(data, noise, fit_intercept)
    return data.weighed(_omega(sizes, noise, variance))


def _omega(sizes, noise, variance):
    if variance == 0:  # constant aggregates: any weights fit them
        return sizes
    return variance / (variance / sizes + noise)


def _row_variance(data, noise, fit_intercept):
    stats = summarize(data, need_within=False).centred(fit_intercept)
    m, known = data.n_bags, data.known
    alpha = np.trace(stats.between) / m  # the best ridge at signal-to-noise ratio one
    solution = solve_normal(stats, 0.0, alpha)
    errors = data.y_means - data.x_means @ solution.coef - solution.intercept
    freedom = max(m - fit_intercept - solution.trace, 1.0)
    squares = (errors[known] ** 2).mean(axis=1) * (m / freedom)
    sizes, noise = data.bags.sizes[known], noise[known]
    largest = (sizes @ squares) / m
    if largest == 0:
        return 0.0

    def surprise(log_variance):
        variances = np.exp(log_variance) / sizes + noise
        return np.sum(np.log(variances) + squares / variances)

    bounds = np.log(largest) + np.array([np.log(1e-4), 0.5])
    return float(np.exp(minimize_scalar(surprise, bounds=bounds).x))
