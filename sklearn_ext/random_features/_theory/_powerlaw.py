"""Tasks whose eigenvalues and coefficients decay as powers, at infinite width."""

import numpy as np
from scipy.optimize import brentq
from sklearn.utils import Bunch, check_random_state


def powerlaw_test_error(fitting_ratio, a, b, s_rel, n):
    r"""Predict the test error of a power-law task at a fitting ratio.

    With :math:`\lambda_i = i^{-a}` and :math:`v_i^2 = i^{-b}`, and noise of ``s_rel``
    times the noiseless error without a ridge,

    .. math::
        E = a C A^{b-1} \frac{(1 - r)^{1 - b} + a s_{rel}}{1 + (a - 1) r}, \quad
        r = \sqrt{R}, \quad A = \frac{\pi / a}{n \sin(\pi / a)}, \quad
        C = \frac{a - b + 1}{a^2} \frac{\pi}{\sin(\pi (b - 1) / a)}.

    Parameters
    ----------
    fitting_ratio : array-like
        Training over test error :math:`R`, in [0, 1).
    a : float
        Exponent of the eigenvalues, above 1.
    b : float
        Exponent of the squared coefficients, between 1 and ``2 a + 1``.
    s_rel : float
        Relative noise, non-negative.
    n : float
        Number of training rows.

    Returns
    -------
    ndarray
        Test errors, noise included.

    Examples
    --------
    >>> from sklearn_ext.random_features import powerlaw_test_error
    >>> few = powerlaw_test_error(0.1, a=1.5, b=1.4, s_rel=0.5, n=100)
    >>> many = powerlaw_test_error(0.1, a=1.5, b=1.4, s_rel=0.5, n=1000)
    >>> bool(many < few)
    True
    """
    _check(a, b, s_rel, n)
    r = np.sqrt(np.asarray(fitting_ratio, dtype=np.float64))
    if not ((r >= 0) & (r < 1)).all():
        raise ValueError(f"fitting_ratio must lie in [0, 1), got {fitting_ratio!r}.")
    A = np.pi / a / np.sin(np.pi / a) / n
    gap = a - b + 1
    # the sine vanishes with the gap; their quotient tends to a / pi
    C = 1 / a if abs(gap) < 1e-9 else gap / a**2 * np.pi / np.sin(np.pi * (b - 1) / a)
    return a * C * A ** (b - 1) * ((1 - r) ** (1 - b) + a * s_rel) / (1 + (a - 1) * r)


def optimal_fitting_ratio(a, b, s_rel):
    """Return the ratio of training to test error at the best ridge.

    Parameters
    ----------
    a : float
        Exponent of the eigenvalues, above 1.
    b : float
        Exponent of the squared coefficients, between 1 and ``2 a + 1``.
    s_rel : float
        Relative noise, non-negative.

    Returns
    -------
    float
        The ratio; zero up to :func:`overfitting_threshold`.

    Examples
    --------
    >>> from sklearn_ext.random_features import optimal_fitting_ratio
    >>> round(optimal_fitting_ratio(1.12, 1.36, s_rel=5), 3)
    0.187
    """
    _check(a, b, s_rel)
    if s_rel <= overfitting_threshold(a, b):
        return 0.0

    def slope(r):
        loss = (1 - r) + a * s_rel * (1 - r) ** b
        return (b - 1) * (1 + (a - 1) * r) - (a - 1) * loss

    return float(brentq(slope, 0.0, 1.0, xtol=1e-15) ** 2)


def overfitting_threshold(a, b):
    """Return the relative noise up to which no ridge is the best ridge.

    Parameters
    ----------
    a : float
        Exponent of the eigenvalues, above 1.
    b : float
        Exponent of the squared coefficients, between 1 and ``2 a + 1``.

    Returns
    -------
    float
        ``(b - a) / (a (a - 1))``; negative where a ridge helps even without noise.

    Examples
    --------
    >>> from sklearn_ext.random_features import overfitting_threshold
    >>> round(overfitting_threshold(1.12, 1.36), 3)
    1.786
    """
    _check(a, b)
    return (b - a) / (a * (a - 1))


def powerlaw_exponents(K, y, sizes=None, n_repeats=5, *, random_state=None):
    """Estimate the exponents of a task from subsets of its kernel matrix.

    The inverse trace of the inverse kernel matrix of ``n`` rows falls as ``n ** -a``,
    the test error without a ridge as ``n ** -(b - 1)``; both slopes are fitted over
    nested subsets, which is steadier than a fit to the finite spectrum.

    Parameters
    ----------
    K : array-like of shape (n_samples, n_samples)
        Kernel matrix.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets with as little noise as can be.
    sizes : array-like of int or None, default=None
        Sizes of the subsets, at most half the rows; None takes eight of them.
    n_repeats : int, default=5
        Orders of the rows to average over.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders.

    Returns
    -------
    Bunch
        ``a``, ``b`` and their standard errors over the repeats, ``a_se``, ``b_se``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import powerlaw_exponents
    >>> X = np.random.default_rng(0).uniform(size=(200, 1))
    >>> K = np.minimum(X, X.T)
    >>> found = powerlaw_exponents(K, np.sin(9 * X[:, 0]), random_state=0)
    >>> 1.5 < found.a < 2.5
    True
    """
    K, y = np.asarray(K, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if K.ndim != 2 or K.shape != (len(y), len(y)):
        raise ValueError(
            f"K must be square with as many rows as y, got {K.shape} and {y.shape}."
        )
    if sizes is None:
        sizes = np.geomspace(min(20, len(y) // 4), len(y) // 2, 8)
        sizes = np.unique(sizes.astype(int))
    sizes = np.asarray(sizes)
    if len(sizes) < 2 or sizes.min() < 2 or sizes.max() >= len(y):
        raise ValueError(
            f"sizes must be at least two numbers from 2 to {len(y) - 1}, got "
            f"{sizes.tolist()}."
        )
    rng, slopes = check_random_state(random_state), []
    for _ in range(n_repeats):
        order = rng.permutation(len(y))
        logs = np.log([_inverse_trace_and_error(K, y, order, size) for size in sizes])
        slopes.append([np.polyfit(np.log(sizes), log, 1)[0] for log in logs.T])
    a, b = -np.array(slopes).T
    root = np.sqrt(n_repeats)
    a_se, b_se = (x.std(ddof=1) / root if n_repeats > 1 else np.nan for x in (a, b))
    means = {"a": a.mean(), "b": b.mean() + 1, "a_se": a_se, "b_se": b_se}
    return Bunch(**{name: float(value) for name, value in means.items()})


def _inverse_trace_and_error(K, y, order, size):
    train, test = order[:size], order[size:]
    inverse = np.linalg.pinv(K[np.ix_(train, train)], hermitian=True)
    predicted = K[np.ix_(test, train)] @ (inverse @ y[train])
    return 1 / np.trace(inverse), np.mean((predicted - y[test]) ** 2)


def _check(a, b, s_rel=0.0, n=1):
    if not a > 1:
        raise ValueError(f"a must be above 1, got {a!r}.")
    if not 1 < b < 2 * a + 1:
        raise ValueError(
            f"b must lie between 1 and 2 a + 1 = {2 * a + 1:g}, got {b!r}."
        )
    if not s_rel >= 0:
        raise ValueError(f"s_rel must be non-negative, got {s_rel!r}.")
    if not n > 0:
        raise ValueError(f"n must be positive, got {n!r}.")
