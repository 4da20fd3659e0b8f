"""Risk of the linear members for Gaussian rows and random bags, in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar


class Risk(NamedTuple):
    """Excess risk and its parts.

    Parameters
    ----------
    bias_squared : float
        Part that grows with the signal.
    variance : float
        Part that grows with the noise.
    risk : float
        Their sum, the expected squared error of the slopes in the norm of the
        covariance of the rows.
    attenuation : float
        Factor of the true slopes in the mean estimate; NaN for unequal eigenvalues,
        where each direction has its own.
    """

    bias_squared: float
    variance: float
    risk: float
    attenuation: float


def aggregate_risk(
    n_samples,
    n_bags,
    n_features,
    rho,
    *,
    alpha=0.0,
    noise_var=1.0,
    signal=1.0,
    eigenvalues=None,
    theta=None,
):
    r"""Excess risk of the interpolating estimator, for many rows and features.

    For rows :math:`x \sim N(0, \Sigma)`, bags formed at random, weights by size and no
    intercept, as n, m and d grow together. Only the numbers of rows and bags matter,
    not the sizes of the bags. With ``rho=0`` the risk has a pole at m = d, with
    ``rho > 0`` (and ``alpha=0``) at n = d.

    Parameters
    ----------
    n_samples : float
        Number of rows, n.
    n_bags : float
        Number of bags, m.
    n_features : int
        Number of features, d.
    rho : float
        Interpolation weight.
    alpha : float, default=0.0
        Ridge penalty.
    noise_var : float, default=1.0
        Variance of the noise of a row.
    signal : float, default=1.0
        Squared norm of the true slopes; unused when ``theta`` is given.
    eigenvalues : array-like of shape (n_features,) or None, default=None
        Eigenvalues of the covariance of the rows; None stands for ones.
    theta : array-like of shape (n_features,) or None, default=None
        True slopes in the basis of the eigenvectors; None spreads ``signal`` evenly.

    Returns
    -------
    Risk
        The named tuple ``(bias_squared, variance, risk, attenuation)``.

    References
    ----------
    .. [1] Javanmard, Chen, Mirrokni, Badanidiyuru, Fu, "Learning from Aggregate
       responses: Instance Level versus Bag Level Loss Functions", ICLR 2024.

    Examples
    --------
    >>> from sklearn_ext.aggregate import aggregate_risk
    >>> print(round(aggregate_risk(400, 200, 100, rho=1.0).risk, 6))
    0.5
    >>> print(round(aggregate_risk(400, 200, 100, rho=0.0).risk, 6))
    1.0
    """
    n, m, d = n_samples, n_bags, n_features
    if not 0 < m <= n or d < 1:
        raise ValueError(
            "There must be features and 0 < n_bags <= n_samples, got "
            f"n_samples={n}, n_bags={m}, n_features={d}."
        )
    if rho < 0 or alpha < 0:
        raise ValueError(
            f"rho and alpha must be non-negative, got rho={rho} and alpha={alpha}."
        )
    inside = n - m if rho > 0 else 0.0  # rows whose spread inside bags counts
    alike = eigenvalues is None and theta is None  # one direction stands for all
    if alike:
        tau = _equal_directions(m / d, inside / d, rho, alpha / d)
        energy, h = signal, 1 / d
    else:
        e = np.ones(d) if eigenvalues is None else np.asarray(eigenvalues, float)
        if theta is None:
            theta = np.full(d, np.sqrt(signal / d))
        theta = np.asarray(theta, dtype=float)
        if e.shape != (d,) or theta.shape != (d,):
            raise ValueError(
                f"eigenvalues and theta must hold {d} numbers, got shapes {e.shape} "
                f"and {theta.shape}."
            )
        tau, h = _own_directions(m, inside, rho, alpha, e)
        energy = e * theta**2
    at_bags = 1 / (1 + 1 / tau)
    at_rows = 1 / (1 + 1 / (rho * tau)) if rho > 0 else 0.0
    kept = m * at_bags * h  # of the true slopes
    missed, carried = energy * (1 - kept) ** 2, energy * kept**2
    if alike:
        squares = d * h**2
    else:
        squares, missed, carried = h @ h, missed.sum(), carried.sum()
        kept = kept[0] if np.allclose(kept, kept[0]) else np.nan
    a1, a2 = m * at_bags**2 * squares, inside * at_rows**2 * squares
    left = 1 - a1 - a2
    if left <= 1e-12:
        return Risk(np.inf, np.inf, np.inf, kept)
    bias = missed + (a1 * missed + a2 * carried) / left
    variance = noise_var * a1 / left
    return Risk(bias, variance, bias + variance, kept)


def _equal_directions(a, b, rho, ridge):
    """Root of ``a t/(1+t) + b rho t/(1+rho t) + ridge t = 1``.

    Here a = m/d, b = (n-m)/d and ridge = alpha/d; the root is infinite where slopes
    interpolate, the limit of a vanishing ridge.
    """
    if ridge == 0:
        if a + b <= 1:
            return np.inf
        if b == 0:
            return 1 / (a - 1)
        c, lead = a - 1 + rho * (b - 1), rho * (a + b - 1)
        root = np.sqrt(c * c + 4 * lead)
        return 2 / (c + root) if c > 0 else (root - c) / (2 * lead)

    def excess(log_t):
        t = np.exp(log_t)
        return a * t / (1 + t) + b * rho * t / (1 + rho * t) + ridge * t - 1

    return np.exp(brentq(excess, -60.0, np.log(1 / ridge) + 1e-9, xtol=1e-15))


def _own_directions(m, inside, rho, alpha, e):
    """Return the root for unequal eigenvalues, and what falls to each direction."""
    if alpha == 0 and m + inside <= len(e):
        raise ValueError(
            "Without a ridge the general formula needs more rows than features (bags, "
            f"for rho=0): got {m + inside:g} for {len(e)} features. Give a small alpha."
        )

    def resolvent(tau):
        return e / ((m / (1 + tau) + rho * inside / (1 + rho * tau)) * e + alpha)

    def excess(log_tau):
        tau = np.exp(log_tau)
        return tau - np.sum(resolvent(tau))

    low = np.log(np.sum(resolvent(0.0)))  # tau is at least this
    top = max(low + 5.0, 5.0)
    while excess(top) < 0:
        top += 5.0
    tau = np.exp(brentq(excess, low - 1e-9, top, xtol=1e-14))
    return tau, resolvent(tau) / tau


def optimal_rho(n_samples, n_bags, n_features, **model):
    r"""Interpolation weight of least risk.

    Starts from :math:`d \sigma^2 / (|\theta|^2 (n - m))` and minimises over log rho.

    Parameters
    ----------
    n_samples : float
        Number of rows.
    n_bags : float
        Number of bags.
    n_features : int
        Number of features.
    **model : object
        ``alpha``, ``noise_var``, ``signal``, ``eigenvalues`` and ``theta`` of
        :func:`aggregate_risk`.

    Returns
    -------
    rho : float
        The weight; 0 when every row is a bag, where it has no effect.
    risk : float
        Its risk.

    Examples
    --------
    >>> from sklearn_ext.aggregate import optimal_rho
    >>> rho, risk = optimal_rho(1000, 200, 100)
    >>> print(round(rho, 4), round(risk, 4))
    0.1297 0.4298
    """

    def risk_at(log_rho):
        rho = np.exp(log_rho)
        return aggregate_risk(n_samples, n_bags, n_features, rho, **model).risk

    if n_bags == n_samples:
        return 0.0, aggregate_risk(n_samples, n_bags, n_features, 0.0, **model).risk
    signal = model.get("signal", 1.0)
    if model.get("theta") is not None:
        e = model.get("eigenvalues")
        signal = np.sum((1.0 if e is None else np.asarray(e)) * model["theta"] ** 2)
    noise = model.get("noise_var", 1.0)
    start = n_features * noise / (max(signal, 1e-300) * (n_samples - n_bags))
    center = np.log(max(start, 1e-12))
    grid = center + np.linspace(-12, 12, 49)
    best = grid[np.argmin([risk_at(value) for value in grid])]
    found = minimize_scalar(
        risk_at, bounds=(best - 0.5, best + 0.5), options={"xatol": 1e-6}
    )
    return float(np.exp(found.x)), float(found.fun)
