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
    model = {"signal": signal}
    if ridge and eigenvalues is not None:  # else the covariance does not matter
        e = np.asarray(eigenvalues, dtype=float)
        # slopes that explain `signal` evenly
        model = {"eigenvalues": e, "theta": np.sqrt(signal / (n_features * e))}
    released = 2 * (bounds[1] - bounds[0]) ** 2 / epsilon**2

    def best_at(size):
        """Return (rho, alpha, risk) of the best member."""
        shape, noise = (n_samples, n_samples / size, n_features), released / size
        known = {**model, "noise_var": noise_var + noise}
        if not ridge and rho == "optimal":
            best, risk = optimal_rho(*shape, **known)
            return best, 0.0, risk
        if not ridge:
            return rho, 0.0, aggregate_risk(*shape, rho, **known).risk
        weight = 0.0 if rho == "optimal" else rho

        def risk_at(log_alpha):
            return aggregate_risk(*shape, weight, alpha=np.exp(log_alpha), **known).risk

        center = np.log(known["noise_var"] * n_features / signal)
        found = minimize_scalar(risk_at, bounds=(center - 10, center + 10))
        return weight, np.exp(found.x), found.fun

    sizes = np.arange(1, min(k_max, n_samples) + 1)
    rhos, alphas, risks = table = np.array([best_at(size) for size in sizes]).T
    best = int(np.argmin(risks))
    chosen = map(float, table[:, best])
    return BagSizeChoice(int(sizes[best]), *chosen, sizes, rhos, alphas, risks)
