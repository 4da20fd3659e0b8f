"""Theorem helpers, volumes and counts of hypothesis spaces."""

from math import comb

import numpy as np
from scipy.special import gammaln


def _check(name, value, holds, allowed):
    """Refuse a number outside what a theorem speaks of; nan fails every test."""
    if not np.all(holds):
        raise ValueError(f"{name} must be {allowed}, got {value}.")


def _check_whole(name, value):
    """Refuse what is no whole number from 1 upwards."""
    whole = not isinstance(value, (bool, np.bool_)) and value >= 1 and value % 1 == 0
    _check(name, value, whole, "a whole number from 1 upwards")


def log_ball(n_dims, radius=1.0):
    """Logarithm of the volume of a ball."""
    half = n_dims / 2
    return n_dims * np.log(radius) + half * np.log(np.pi) - gammaln(half + 1)


def existence_probability(log_ratio, n_simple):
    """Probability that a random simple class meets the Rashomon set.

    ``n_simple`` models drawn independently from the space hit a set of ratio r with
    probability ``1 - (1 - r)**n_simple``; drawn without replacement they hit it at
    least as often.

    Parameters
    ----------
    log_ratio : float or array-like
        Natural logarithm of the Rashomon ratio.
    n_simple : int
        Number of models in the simple class.

    Returns
    -------
    float or ndarray
        The probability; accurate for ratios far below machine precision.

    See Also
    --------
    required_log_ratio : The ratio that reaches a given probability.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.rashomon import existence_probability
    >>> f"{existence_probability(np.log(1e-30), 1000):.3g}"
    '1e-27'
    """
    _check("log_ratio", log_ratio, np.asarray(log_ratio) <= 0, "at most 0")
    _check_whole("n_simple", n_simple)
    with np.errstate(divide="ignore"):
        log_miss = np.log1p(-np.exp(np.asarray(log_ratio, dtype=float)))
    return -np.expm1(n_simple * log_miss)


def required_log_ratio(n_simple, delta):
    """Log ratio at which ``n_simple`` random models hit the set surely enough.

    Solves ``1 - (1 - r)**n_simple = 1 - delta``, that is ``r = 1 - delta**(1/n)``.

    Parameters
    ----------
    n_simple : int
        Number of models in the simple class.
    delta : float
        Allowed probability of missing the set, in (0, 1).

    Returns
    -------
    float
        Natural logarithm of the ratio.

    See Also
    --------
    existence_probability : The inverse question.

    Examples
    --------
    >>> from sklearn_ext.rashomon import required_log_ratio
    >>> round(required_log_ratio(1000, 0.05), 3)
    -5.812
    """
    _check_whole("n_simple", n_simple)
    _check("delta", delta, 0 < delta < 1, "between 0 and 1")
    return float(np.log(-np.expm1(np.log(delta) / n_simple)))


def simple_model_bound(n_samples, n_simple, delta=0.05, gamma=0.0, loss_range=1.0):
    """Bound the true risk of the best model of a large class by a simple one.

    If some model of a finite simple class is within ``gamma`` of the best model f* of
    the large class in true risk, then with probability ``1 - delta`` the best
    training loss of the simple class lies in ``[L(f*) - lower, L(f*) + upper]``. The
    complexity of the large class does not enter.

    Parameters
    ----------
    n_samples : int
        Number of training rows.
    n_simple : int
        Number of models in the simple class.
    delta : float, default=0.05
        Probability that the bound fails.
    gamma : float, default=0.0
        Excess true risk of the simple class.
    loss_range : float, default=1.0
        Length of the interval that holds every loss.

    Returns
    -------
    lower_offset : float
        ``loss_range sqrt((ln n_simple + ln(2/delta)) / (2 n_samples))``.
    upper_offset : float
        ``gamma + loss_range sqrt(ln(2/delta) / (2 n_samples))``.

    See Also
    --------
    existence_probability : How probable it is that such a model exists.

    Examples
    --------
    >>> from sklearn_ext.rashomon import simple_model_bound
    >>> [round(offset, 3) for offset in simple_model_bound(1000, 100)]
    [0.064, 0.043]
    """
    _check_whole("n_samples", n_samples)
    _check_whole("n_simple", n_simple)
    _check("delta", delta, 0 < delta < 1, "between 0 and 1")
    _check("gamma", gamma, gamma >= 0, "at least 0")
    _check("loss_range", loss_range, 0 < loss_range < np.inf, "positive and finite")
    tail = np.log(2 / delta)
    lower = loss_range * np.sqrt((np.log(n_simple) + tail) / (2 * n_samples))
    return float(lower), float(gamma + loss_range * np.sqrt(tail / (2 * n_samples)))


def log_ellipsoid_volume(A, tau):
    """Logarithm of the volume of ``{w : w' A w <= tau}``.

    Parameters
    ----------
    A : array-like of shape (n_dims, n_dims)
        Positive definite matrix.
    tau : float
        Positive size.

    Returns
    -------
    float
        ``(p/2) log(pi tau) - log Gamma(p/2 + 1) - log det(A) / 2``.

    Raises
    ------
    ValueError
        When ``A`` is not positive definite, so that the volume is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.rashomon import log_ellipsoid_volume
    >>> round(float(np.exp(log_ellipsoid_volume(np.eye(2), 1.0))), 6)
    3.141593
    """
    A = np.asarray(A, dtype=float)
    _check("tau", tau, tau > 0, "positive")
    sign, log_det = np.linalg.slogdet(A)
    if sign <= 0 or not np.isfinite(log_det) or np.linalg.eigvalsh(A)[0] <= 0:
        raise ValueError(
            "The ellipsoid has infinite volume: A must be positive definite."
        )
    return float(log_ball(len(A), np.sqrt(tau)) - log_det / 2)


def cover_count(n_samples, n_features):
    """Count the labelings of points in general position that hyperplanes produce.

    Parameters
    ----------
    n_samples : int
        Number of points.
    n_features : int
        Number of coordinates; hyperplanes pass through the origin, so append a
        constant column for an intercept.

    Returns
    -------
    int
        Cover's ``2 sum_{i < p} C(n - 1, i)``, exact.

    Examples
    --------
    >>> from sklearn_ext.rashomon import cover_count
    >>> cover_count(4, 3)
    14
    """
    _check_whole("n_samples", n_samples)
    _check_whole("n_features", n_features)
    n, p = int(n_samples), int(n_features)
    return 2 * sum(comb(n - 1, i) for i in range(p))
