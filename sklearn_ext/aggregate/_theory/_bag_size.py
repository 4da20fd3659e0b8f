"""Which bag size loses least under a privacy budget."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from sklearn_ext.aggregate._theory._risk import aggregate_risk, optimal_rho


@dataclass(frozen=True)
class BagSizeChoice:
    """Risk over bag sizes and its least.

    Parameters
    ----------
    bag_size : int
        Size of least risk.
    rho : float
        Its interpolation weight.
    alpha : float
        Its ridge penalty.
    risk : float
        Its excess risk.
    bag_sizes : ndarray of shape (k_max,)
        All sizes.
    rhos : ndarray of shape (k_max,)
        Interpolation weight at each size.
    alphas : ndarray of shape (k_max,)
        Ridge penalty at each size.
    risks : ndarray of shape (k_max,)
        Excess risk at each size.
    """

    bag_size: int
    rho: float
    alpha: float
    risk: float
    bag_sizes: np.ndarray
    rhos: np.ndarray
    alphas: np.ndarray
    risks: np.ndarray


def optimal_bag_size(
    n_samples,
    n_features,
    *,
    epsilon,
    bounds,
    noise_var,
    signal=1.0,
    rho="optimal",
    ridge=False,
    k_max=30,
    eigenvalues=None,
):
    r"""Bag size of least risk when means are released with Laplace noise.

    For random bags of k rows the noise of a released mean acts like noise of rows of
    variance :math:`\sigma^2 + 2 (hi - lo)^2 / (k \epsilon^2)`; the risk follows from
    :func:`aggregate_risk`. The bias of clipping is ignored. With a tuned ridge the
    answer is always 1: the information of a row, :math:`1 / (k \sigma^2 + 2 (hi -
    lo)^2 / \epsilon^2)`, falls with k. Larger bags help without a ridge, or when bags
    are curated.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_features : int
        Number of features.
    epsilon : float
        Privacy loss.
    bounds : tuple of (float, float)
        Range of the clipped responses.
    noise_var : float
        Variance of the noise of a row.
    signal : float, default=1.0
        Variance that the features explain.
    rho : float or "optimal", default="optimal"
        Interpolation weight; ``"optimal"`` takes the best at each size.
    ridge : bool, default=False
        Whether the ridge penalty is tuned; ``rho`` is then 0 unless it is a number.
    k_max : int, default=30
        Largest bag size.
    eigenvalues : array-like of shape (n_features,) or None, default=None
        Eigenvalues of the covariance of the rows, which matter with a ridge.

    Returns
    -------
    BagSizeChoice
        The choice and the table behind it.

    Examples
    --------
    >>> from sklearn_ext.aggregate import optimal_bag_size
    >>> budget = {"epsilon": 1.0, "bounds": (-8, 8), "noise_var": 1.0}
    >>> optimal_bag_size(6000, 1000, ridge=True, **budget).bag_size
    1
    """
    if epsilon <= 0 or not bounds[0] < bounds[1]:
        raise ValueError(
            f"epsilon must be positive and bounds low < high, got epsilon={epsilon} "
            f"and bounds={bounds}."
        )
    sizes = np.arange(1, min(k_max, n_samples) + 1)
    released = 2 * (bounds[1] - bounds[0]) ** 2 / epsilon**2
    rows = [
        _best_at(
            n_samples,
            n_samples / size,
            n_features,
            noise_var + released / size,
            signal,
            rho,
            ridge,
            eigenvalues,
        )
        for size in sizes
    ]
    rhos, alphas, risks = np.array(rows).T
    best = int(np.argmin(risks))
    return BagSizeChoice(
        int(sizes[best]),
        float(rhos[best]),
        float(alphas[best]),
        float(risks[best]),
        sizes,
        rhos,
        alphas,
        risks,
    )


def _best_at(n, m, d, noise_var, signal, rho, ridge, eigenvalues):
    """Return (rho, alpha, risk) of the best member at one bag size."""
    if not ridge:  # then the covariance of the rows does not matter
        model = {"noise_var": noise_var, "signal": signal}
        if rho == "optimal":
            best, risk = optimal_rho(n, m, d, **model)
            return best, 0.0, risk
        return rho, 0.0, aggregate_risk(n, m, d, rho, **model).risk
    weight = 0.0 if rho == "optimal" else rho
    model = {"noise_var": noise_var, "signal": signal}
    if eigenvalues is not None:
        e = np.asarray(eigenvalues, dtype=float)
        model = {"noise_var": noise_var, "eigenvalues": e}
        model["theta"] = np.sqrt(signal / (d * e))  # explains `signal` evenly

    def risk_at(log_alpha):
        return aggregate_risk(n, m, d, weight, alpha=np.exp(log_alpha), **model).risk

    center = np.log(noise_var * d / signal)
    found = minimize_scalar(risk_at, bounds=(center - 10, center + 10))
    return weight, float(np.exp(found.x)), float(found.fun)
