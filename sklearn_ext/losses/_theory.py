"""What a small surrogate loss promises for the zero-one loss."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import xlog1py


def comp_sum_transform(t, *, tau=1.0, n_classes=2):
    r"""Least excess of a comp-sum loss at which the excess error may be t.

    For all measurable functions :math:`T(R_{01} - R_{01}^*) \le R_\tau - R_\tau^*`.
    With :math:`A = [((1+t)^{1/(2-\tau)} + (1-t)^{1/(2-\tau)})/2]^{2-\tau}` it is
    :math:`2^{1-\tau} (1 - A) / (1 - \tau)` below one,
    :math:`[(1+t) \log(1+t) + (1-t) \log(1-t)] / 2` at one,
    :math:`(A - 1) / ((\tau - 1) K^{\tau-1})` up to two and
    :math:`t / ((\tau - 1) K^{\tau-1})` beyond. Between one and two it is tight for two
    classes and seems loose for more.

    Parameters
    ----------
    t : float or array-like
        Excess error in [0, 1].
    tau : float, default=1.0
        Exponent of the loss.
    n_classes : int, default=2
        Number K of classes.

    Returns
    -------
    float or ndarray
        The transform, non-negative and increasing.

    See Also
    --------
    comp_sum_bound : Its inverse.

    References
    ----------
    .. [1] A. Mao, M. Mohri, Y. Zhong, "Cross-Entropy Loss Functions: Theoretical
       Analysis and Applications", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.losses import comp_sum_transform
    >>> round(comp_sum_transform(0.4, tau=2), 3)
    0.2
    """
    _check(tau, n_classes)
    t = np.asarray(t, dtype=float)
    if not ((t >= 0) & (t <= 1)).all():
        raise ValueError(f"t must lie in [0, 1], got {t}.")
    if tau == 1:
        value = (xlog1py(1 + t, t) + xlog1py(1 - t, -t)) / 2
    elif tau >= 2:
        value = t / ((tau - 1) * n_classes ** (tau - 1))
    else:
        power = 1 / (2 - tau)
        mean = (((1 + t) ** power + (1 - t) ** power) / 2) ** (2 - tau)
        factor = 2 ** (1 - tau) if tau < 1 else n_classes ** (1 - tau)
        value = factor * (1 - mean) / (1 - tau)
    return float(value) if value.ndim == 0 else value


def comp_sum_bound(excess, *, tau=1.0, n_classes=2):
    """Largest excess error that an excess of a comp-sum loss allows.

    With many classes and ``tau`` above one the factor is large (126 at a thousand
    classes and 1.7): the bound says that the loss is consistent, not that it is small.

    Parameters
    ----------
    excess : float or array-like
        Loss above the least possible one, non-negative.
    tau : float, default=1.0
        Exponent of the loss.
    n_classes : int, default=2
        Number of classes.

    Returns
    -------
    float or ndarray
        The bound in [0, 1].

    See Also
    --------
    comp_sum_transform : The function that is inverted.

    References
    ----------
    .. [1] A. Mao, M. Mohri, Y. Zhong, "Cross-Entropy Loss Functions: Theoretical
       Analysis and Applications", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.losses import comp_sum_bound
    >>> round(comp_sum_bound(0.2, tau=2), 3)
    0.4
    """
    _check(tau, n_classes)
    excess = np.asarray(excess, dtype=float)
    if not (excess >= 0).all():
        raise ValueError(f"excess must be non-negative, got {excess}.")

    def one(value):
        if value >= comp_sum_transform(1.0, tau=tau, n_classes=n_classes):
            return 1.0
        return brentq(
            lambda t: comp_sum_transform(t, tau=tau, n_classes=n_classes) - value,
            0.0,
            1.0,
            xtol=1e-14,
        )

    found = np.array([one(value) for value in excess.ravel()]).reshape(excess.shape)
    return float(found) if found.ndim == 0 else found


def _check(tau, n_classes):
    if not 0 <= tau < np.inf:
        raise ValueError(f"tau must be a non-negative number, got {tau}.")
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}.")
