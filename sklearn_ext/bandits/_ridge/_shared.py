"""Slopes that actions have in common, or that follow from the actions' own features."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext._numerics._factors import eigh

COMMON = np.append(np.logspace(-2, 3, 11), np.inf)  # the last one shares nothing
EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class SharedPrior:
    """What the actions say together of the slopes of each.

    Attributes
    ----------
    value : float
        Minus twice the log evidence, up to a constant.
    noise_var : float
        The best variance of the noise.
    log_det : float
        Log determinant of all coefficients.
    slopes : ndarray of shape (n_actions, n_components)
        The prior mean of each action's slopes.
    """

    value: float
    noise_var: float
    log_det: float
    slopes: np.ndarray


def share_slopes(products, inverse, alpha, features):
    r"""Estimate slopes that are drawn around a linear function of actions' features.

    The slopes of action k are :math:`\theta_k = W x_k + \delta_k`, with
    :math:`\delta_k \sim N(0, s^2/\alpha)` and
    :math:`W \sim N(0, s^2/\alpha_0)`, and :math:`\alpha_0` has the largest evidence.
    With :math:`M_k = \alpha (I - \alpha B_k^{-1})`,

    .. math:: \operatorname{vec} W = \Big(\sum_k x_k x_k' \otimes M_k + \alpha_0
        \Big)^{-1} \sum_k x_k \otimes \alpha B_k^{-1} c_k .

    Parameters
    ----------
    products : Products
        Centred products of each action.
    inverse : ndarray of shape (n_actions, n_components, n_components)
        :math:`B_k^{-1} = (A_k + \alpha)^{-1}`.
    alpha : float
        Penalty of what is an action's own.
    features : ndarray of shape (n_actions, q)
        Features :math:`x_k` of the actions; ones alone are slopes in common.

    Returns
    -------
    SharedPrior
        The prior mean of each action, in time :math:`O(K m^3 + (q m)^3)`.
    """
    K, m = products.c.shape
    q = features.shape[1]
    own = np.einsum("kij,kj->ki", inverse, products.c)
    total = alpha * (features.T @ own).ravel()
    M = alpha * (np.eye(m) - alpha * inverse)
    pairs = np.einsum("kp,kq->kpq", features, features).reshape(K, q * q)
    G = (pairs.T @ M.reshape(K, -1)).reshape(q, q, m, m)
    G = G.transpose(0, 2, 1, 3).reshape(q * m, q * m)
    e, V = eigh((G + G.T) / 2)
    z = V.T @ total
    # log det (I + A / alpha) = -log det (alpha B^-1)
    log_det = -float(np.linalg.slogdet(alpha * inverse)[1].sum())
    residual = float(products.yy.sum() - np.einsum("kj,kj->", products.c, own))
    best = None
    for common in COMMON:
        shrunk = z / (e + common)
        left = max(residual - z @ shrunk, EPS * products.yy.sum())
        noise_var = left / products.n
        both = log_det + float(np.log1p(e / common).sum())
        value = products.n * np.log(noise_var) + both
        if best is None or value < best[0]:
            best = value, noise_var, both, shrunk
    value, noise_var, both, shrunk = best
    W = (V @ shrunk).reshape(q, m)
    return SharedPrior(float(value), float(noise_var), both, features @ W)
