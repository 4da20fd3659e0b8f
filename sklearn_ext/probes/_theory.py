"""From excess log-loss to excess error."""

import numpy as np


def h_consistency_transform(t):
    r"""Least excess log-loss that an excess error of ``t`` costs.

    .. math:: T(t) = \tfrac{1 + t}{2} \log(1 + t) + \tfrac{1 - t}{2} \log(1 - t)

    grows from ``T(0) = 0`` to ``T(1) = log 2``, at least as ``t ** 2 / 2``. For every
    classifier, whatever the number of classes, its error above the best possible is at
    most the inverse of this function at its log-loss above the best possible.

    Parameters
    ----------
    t : array-like
        Excess errors between zero and one.

    Returns
    -------
    ndarray or float
        The transform of each, in natural logarithms.

    See Also
    --------
    h_consistency_bound : The inverse.

    References
    ----------
    .. [1] A. Mao, M. Mohri and Y. Zhong, "Cross-entropy loss functions: theoretical
       analysis and applications", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.probes import h_consistency_transform
    >>> print(f"{h_consistency_transform(1.0):.4f}")
    0.6931
    """
    t = np.asarray(t, dtype=np.float64)
    if not ((t >= 0) & (t <= 1)).all():
        raise ValueError(f"t must lie between zero and one, got {t}.")
    inside = np.minimum(t, np.nextafter(1.0, 0.0))
    # the same function, without the cancellation that small t would suffer
    value = inside * np.arctanh(inside) + 0.5 * np.log1p(-(inside**2))
    return np.where(t == 1, np.log(2), value)[()]


def h_consistency_bound(excess_log_loss, *, exact=True):
    """Bound the excess error of a classifier by its excess log-loss.

    The excess is over the best of *all* functions. Over the best of a restricted class
    the same bound holds for unbounded scores when the minimizability gaps of the two
    losses are added on the two sides; those gaps cannot be estimated, so they are left
    to the caller: pass the sum. No such bound holds for more than two classes when
    scores are confined to a box.

    Parameters
    ----------
    excess_log_loss : array-like
        Log-loss above the best possible, non-negative, in natural logarithms.
    exact : bool, default=True
        Invert the transform, which no bound of this kind can improve; False takes the
        weaker ``sqrt(2 x)``, at most one.

    Returns
    -------
    ndarray or float
        Bounds on the error above the best possible.

    Raises
    ------
    ValueError
        When an excess is negative or not a number.

    See Also
    --------
    h_consistency_transform : The function that is inverted.

    References
    ----------
    .. [1] A. Mao, M. Mohri and Y. Zhong, "Cross-entropy loss functions: theoretical
       analysis and applications", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.probes import h_consistency_bound
    >>> print(f"{h_consistency_bound(0.02):.3f}")
    0.199
    """
    x = np.asarray(excess_log_loss, dtype=np.float64)
    if not (x >= 0).all():
        raise ValueError(
            f"excess_log_loss must be non-negative, got {x}; subtract the smallest "
            "log-loss that is possible, not one that happens to be larger."
        )
    simple = np.minimum(np.sqrt(2 * x), 1.0)
    if not exact:
        return simple[()]
    # the transform is convex: Newton's method from the right never overshoots
    t = np.minimum(simple, np.nextafter(1.0, 0.0))
    for _ in range(100):
        slope = np.arctanh(t)
        step = (h_consistency_transform(t) - x) / np.where(slope > 0, slope, 1.0)
        t = np.clip(t - step, 0.0, np.nextafter(1.0, 0.0))
        if np.all(np.abs(step) <= 1e-15 * t):
            break
    return np.where(x >= np.log(2), 1.0, t)[()]
