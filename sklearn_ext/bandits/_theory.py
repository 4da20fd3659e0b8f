"""Bounds of the papers as functions, and the estimators that ours replaced."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import Interval, validate_params


@validate_params(
    {
        "n_actions": [Interval(Integral, 2, None, closed="left")],
        "n_rows": [Interval(Real, 0, None, closed="neither")],
        "regression_regret": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def theoretical_gamma(n_actions, n_rows, regression_regret):
    r"""Return the gamma that the theory of the log barrier asks for.

    With scores of a regression whose squared errors exceed the best possible by R in
    sum, the regret is at most :math:`T (K - 1) / \gamma + \gamma R / 4`, the least at
    :math:`\gamma = 2 \sqrt{(K - 1) T / R}`. It explores far too much in practice:
    `RidgeBandit` takes another by default.

    Parameters
    ----------
    n_actions : int
        Actions K.
    n_rows : float
        Rows T.
    regression_regret : float
        Excess R of the summed squared errors.

    Returns
    -------
    float
        The gamma.

    See Also
    --------
    log_barrier_probabilities : Where it goes.
    regression_regret_bound : An R.

    References
    ----------
    .. [1] D. J. Foster and A. Rakhlin, "Beyond UCB: optimal and efficient contextual
       bandits with regression oracles", ICML 2020.

    Examples
    --------
    >>> from sklearn_ext.bandits import theoretical_gamma
    >>> theoretical_gamma(5, 10_000, 100)
    40.0
    """
    return float(2 * np.sqrt((n_actions - 1) * n_rows / regression_regret))


@validate_params(
    {
        "information_gain": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "norm": [Interval(Real, 0, None, closed="left")],
        "reward_bound": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def regression_regret_bound(information_gain, *, alpha=1.0, norm=1.0, reward_bound=1.0):
    r"""Bound how much more an online ridge errs than the best weights in hindsight.

    For any rows in any order, rewards within :math:`\pm B` and weights u, the
    forecaster that counts the row to predict among those of its Gram matrix has summed
    squared errors of at most those of u plus :math:`\alpha |u|^2 + 2 B^2 g`, with
    :math:`g = \frac12 \log\det(I + G / \alpha)`.

    Parameters
    ----------
    information_gain : float
        The gain g; `RidgeBandit` has it as ``information_gain_``.
    alpha : float, default=1.0
        Penalty.
    norm : float, default=1.0
        Norm of u.
    reward_bound : float, default=1.0
        Largest absolute reward B.

    Returns
    -------
    float
        The bound.

    See Also
    --------
    theoretical_gamma : What it is for.

    References
    ----------
    .. [1] K. S. Azoury and M. K. Warmuth, "Relative loss bounds for on-line density
       estimation with the exponential family of distributions", Machine Learning 2001.

    Examples
    --------
    >>> from sklearn_ext.bandits import regression_regret_bound
    >>> regression_regret_bound(10.0)
    21.0
    """
    return float(alpha * norm**2 + 2 * reward_bound**2 * information_gain)


def magnitude_reduced(scores, losses, mean_negative):
    r"""Return unbiased estimates of losses that are never far below zero.

    A score :math:`z = \phi' \Sigma^{-1} \phi_t` times the loss is unbiased and may be
    very negative; :math:`z \ell - \min(z, 0) + \mathrm{E} \min(z, 0)` has the same mean
    and at least the value of its last term, for losses in [0, 1]. It is not linear in
    the features, so that cumulated estimates would need the whole past: here it is a
    reference.

    Parameters
    ----------
    scores : ndarray
        Scores z.
    losses : ndarray
        Losses, in [0, 1].
    mean_negative : float or ndarray
        Mean of :math:`\min(z, 0)`.

    Returns
    -------
    ndarray
        The estimates.

    References
    ----------
    .. [1] Y. Dai, H. Luo, C.-Y. Wei and J. Zimmert, "Refined regret for adversarial
       MDPs with linear function approximation", ICML 2023.
    """
    return scores * losses - np.minimum(scores, 0) + mean_negative


def geometric_resampling(rows, n_terms, *, step, reg_covar, random_state=None):
    r"""Estimate an inverse covariance by the series of the papers.

    :math:`c \sum_{j \le M} \prod_{i \le j} (I - c (x_i x_i' + \beta I))` with fresh
    rows: a reference beside the inverse of the sampled covariance, which takes their
    place and is closer for the same draws.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
        Rows to draw from.
    n_terms : int
        Terms M after the first.
    step : float
        The c, at most one over the largest squared norm.
    reg_covar : float
        Added to the diagonal.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    ndarray of shape (m, m)
        The estimate.
    """
    rng = check_random_state(random_state)
    product = np.eye(rows.shape[1])
    total = product.copy()
    for row in rows[rng.randint(len(rows), size=n_terms)]:
        product = (1 - step * reg_covar) * product - step * np.outer(product @ row, row)
        total += product
    return step * total
