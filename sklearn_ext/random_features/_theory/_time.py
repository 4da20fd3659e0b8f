"""The error of gradient flow over its time, as the theory predicts it.

Gradient flow is a linear operation on ridges, the inverse Laplace transform. Its error
is quadratic, hence the same operation twice on an error of two ridges: that of the
product of their residuals. Both ridges are complex, and so are their effective ridges.
"""

from functools import partial

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.utils import Bunch

from sklearn_ext._numerics._filters import talbot
from sklearn_ext.random_features._theory._framework import (
    check_points,
    check_pool,
    check_spectrum,
    rf_eigenframework,
    rf_ridge_path,
    solve_gamma,
)

N_NODES = 12  # of each transform: errors to 1e-5 of the largest along the path
N_STEPS = 12  # along the arc from a real ridge to a complex one
TIE = 1e-7  # of the error before training: less harm is rounding
SEARCHED = 60  # times among which the best is looked for first


def rf_flow_curve(
    eigenvalues, eigencoefs, n, k=np.inf, times=None, noise=0.0, *, n_pool=np.inf
):
    r"""Predict the errors of gradient descent on random features over its time.

    Gradient descent of small steps on half the sum of squares, from zero coefficients,
    has fitted the share :math:`1 - e^{-t e}` of what lies along an eigenvector of
    eigenvalue :math:`e` at time :math:`t`. Its test error is the inverse Laplace
    transform, in both arguments, of :math:`T(s_1, s_2) / (s_1 s_2)`, with

    .. math::
        T = \frac{1}{1 - \Upsilon} \Bigl[ \sum_i \frac{\gamma_1 \gamma_2 (1 + \chi
        \lambda_i)}{(\lambda_i + \gamma_1)(\lambda_i + \gamma_2)} v_i^2 + \sigma^2
        \Bigr], \quad \chi = \frac{1}{k - q} \sum_i \frac{\lambda_i}{(\lambda_i +
        \gamma_1)(\lambda_i + \gamma_2)},

    :math:`\Upsilon = (q (k - z_1 - z_2) + z_1 z_2) / (n (k - q))`, :math:`q = \sum_i
    h_{1i} h_{2i}` and :math:`h = \lambda / (\lambda + \gamma)`, the error of
    :func:`rf_eigenframework` where both ridges are the same. The cost is that of some
    hundred of its points for each time.

    Parameters
    ----------
    eigenvalues, eigencoefs : array-like
        The task, as in :func:`rf_eigenframework`.
    n : float
        Number of training rows.
    k : float, default=inf
        Number of features.
    times : array-like of shape (n_times,) or None, default=None
        Positive times; infinity is the model without a ridge. Times of estimators are
        one over their ``alpha``. None spans the path in 60 steps.
    noise : float, default=0.0
        Variance of the label noise.
    n_pool : float, default=inf
        Rows of the pool, as in :func:`rf_eigenframework`.

    Returns
    -------
    Bunch
        Arrays of shape (n_times,): ``time``, ``test`` (noise included) and ``train``.

    See Also
    --------
    optimal_stopping : The time of least error.
    overtraining : What it costs not to stop.

    Notes
    -----
    On real tables and pools it held to five percent up to the best time, and was up to
    a fifth off far beyond it.

    References
    ----------
    .. [1] Advani, Saxe and Sompolinsky, "High-dimensional dynamics of generalization
       error in neural networks", Neural Networks 132, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import rf_flow_curve
    >>> eigenvalues = np.arange(1.0, 401) ** -1.5
    >>> task = eigenvalues, eigenvalues**0.5
    >>> curve = rf_flow_curve(*task, n=100, k=100, times=[3, 300], noise=0.2)
    >>> bool(curve.test[0] < curve.test[1])
    True
    """
    lam, v2, unseen, n_targets = check_spectrum(eigenvalues, eigencoefs)
    point = [np.asarray([value], dtype=np.float64) for value in (n, k, 0.0, noise)]
    check_points(*point)
    check_pool(point[0], point[3], n_pool)
    if not np.isfinite(n):
        raise ValueError(f"n must be finite, got {n}: endless rows take no time.")
    task = {"n_pool": n_pool, "noise": noise}
    if times is None:
        times = _default_times(eigenvalues, eigencoefs, n, k, **task)
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or times.size == 0 or not (times > 0).all():
        raise ValueError(f"times must be one or more positive numbers, got {times!r}.")
    at = partial(_errors_at, lam, v2, unseen, float(n), float(k), noise * n_targets)
    found = np.empty((2, len(times)))
    for j, time in enumerate(times.tolist()):
        if np.isfinite(time):
            found[:, j] = at(time, float(n_pool))
        else:
            end = rf_eigenframework(eigenvalues, eigencoefs, n, k, **task)
            found[:, j] = end.test, end.train
    return Bunch(time=times, test=found[0], train=found[1])


def optimal_stopping(eigenvalues, eigencoefs, n, k=np.inf, noise=0.0, *, n_pool=np.inf):
    """Return the time at which gradient descent has the least predicted test error.

    Parameters
    ----------
    eigenvalues, eigencoefs : array-like
        The task, as in :func:`rf_eigenframework`.
    n : float
        Number of training rows.
    k : float, default=inf
        Number of features.
    noise : float, default=0.0
        Variance of the label noise.
    n_pool : float, default=inf
        Rows of the pool, as in :func:`rf_eigenframework`.

    Returns
    -------
    time : float
        The best time; infinite where overfitting does no harm.
    test : float
        The test error there.

    See Also
    --------
    optimal_ridge : The best ridge of the same task.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import optimal_stopping
    >>> eigenvalues = np.arange(1.0, 401) ** -1.5
    >>> time, test = optimal_stopping(eigenvalues, eigenvalues**0.5, n=100, noise=0.2)
    >>> 1 < time < 1000
    True
    """
    task = {"noise": noise, "n_pool": n_pool}
    curve = partial(rf_flow_curve, eigenvalues, eigencoefs, n, k, **task)
    times = _default_times(eigenvalues, eigencoefs, n, k, **task)
    path = curve(times=times)
    best = int(np.argmin(path.test))
    if path.test[-1] <= path.test[best] + TIE * path.test[0]:
        return np.inf, float(path.test[-1])
    edges = np.log(times[[max(best - 1, 0), min(best + 1, len(times) - 2)]])
    found = minimize_scalar(
        lambda log_time: curve(times=[np.exp(log_time)]).test[0],
        bounds=edges,
        method="bounded",
        options={"xatol": 1e-4},
    )
    if found.fun >= path.test[best]:
        return float(times[best]), float(path.test[best])
    return float(np.exp(found.x)), float(found.fun)


def overtraining(eigenvalues, eigencoefs, n, k=np.inf, noise=0.0, *, n_pool=np.inf):
    """Return the predicted test error of endless training over that of the best time.

    Parameters
    ----------
    eigenvalues, eigencoefs : array-like
        The task, as in :func:`rf_eigenframework`.
    n : float
        Number of training rows.
    k : float, default=inf
        Number of features.
    noise : float, default=0.0
        Variance of the label noise.
    n_pool : float, default=inf
        Rows of the pool, as in :func:`rf_eigenframework`.

    Returns
    -------
    float
        One where overfitting does no harm; infinite for as many features as rows and
        more eigenvalues, where the error diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import overtraining
    >>> eigenvalues = np.arange(1.0, 401) ** -1.5
    >>> task = eigenvalues, eigenvalues**0.5
    >>> narrow, wide = (overtraining(*task, 100, k, noise=0.2) for k in (110, 1000))
    >>> narrow > wide > 1
    True
    """
    task = {"noise": noise, "n_pool": n_pool}
    time, best = optimal_stopping(eigenvalues, eigencoefs, n, k, **task)
    if np.isinf(time):
        return 1.0
    end = rf_eigenframework(eigenvalues, eigencoefs, n, k, **task).test
    return float(end / best) if best > 0 else np.inf


def _default_times(eigenvalues, eigencoefs, n, k, *, noise, n_pool):
    """Return times that span the path, ascending, the last of them infinite."""
    path = rf_ridge_path(eigenvalues, eigencoefs, n, k, noise, n_pool=n_pool)
    ridges = path.ridge[path.ridge > 0]
    # beyond, what is left to fit is less than rounding leaves of the transform
    last = max(ridges[0], 1e-9 * ridges[-1])
    return np.append(1 / np.geomspace(ridges[-1], last, SEARCHED - 1), np.inf)


def _errors_at(lam, v2, unseen, n, k, noise, time, n_pool):
    """Return test and training error at a time."""
    nodes, weights = talbot(N_NODES)
    ridges = nodes / time
    gamma = complex_gamma(lam, n, k, ridges, n_pool)
    # the transform of both arguments needs the conjugate nodes of one of them
    both = np.concatenate([gamma, gamma.conj()])
    weights_of_both = np.concatenate([weights, weights.conj()]) / 2
    products = residual_products(lam, v2, unseen, n, k, noise, gamma, both, n_pool)
    test = (weights @ products @ weights_of_both).real
    # training: |exp(-t K) y|^2 is y' exp(-2 t K) y, whose transform is known, and
    # whose derivative is that of equal ridges
    ridges = ridges / 2
    gamma = complex_gamma(lam, n, k, ridges, n_pool)
    same = equal_residuals(lam, v2, unseen, n, k, noise, gamma, n_pool)
    left = (n - occupied(lam, gamma)) / n
    train = (weights @ (left**2 * same / nodes)).real
    return max(test, 0.0), max(train, 0.0)


def occupied(lam, gamma):
    """Return ``z`` of complex effective ridges."""
    return (lam / (lam + gamma[:, None])).sum(axis=1)


def complex_gamma(lam, n, k, ridges, n_pool=np.inf):
    """Return the effective ridges of complex ridges.

    The root at the absolute value is continued along the arc, by Newton in its
    logarithm.

    Parameters
    ----------
    lam : ndarray of shape (n_modes,)
        Positive eigenvalues.
    n, k : float
        Rows and features.
    ridges : ndarray of shape (n_ridges,)
        Complex, not on the negative axis.
    n_pool : float
        Rows of the pool.

    Returns
    -------
    ndarray of shape (n_ridges,)
        The roots, complex.
    """
    size, angle = np.abs(ridges), np.angle(ridges)
    rows, widths = (np.full(size.shape, float(value)) for value in (n, k))
    t = np.log(solve_gamma(lam, rows, widths, size, n_pool)).astype(complex)
    for step in range(1, N_STEPS + 1):
        goal = np.log(size) + 1j * angle * step / N_STEPS
        for _ in range(2 if step < N_STEPS else 6):
            h = lam / (lam + np.exp(t)[:, None])
            z, dz = h.sum(axis=1), (h * h - h).sum(axis=1)
            value = (n - z) * (1 - z / k) / (1 - z / n_pool) * np.exp(t - goal) - 1
            slope = 1 - dz / (n - z) - dz / k / (1 - z / k) + dz / (n_pool - z)
            t = t - value / ((value + 1) * slope)
    return np.exp(t)


def residual_products(lam, v2, unseen, n, k, noise, one, two, n_pool=np.inf):
    """Return expected products of the residuals of two ridges on new rows.

    Parameters
    ----------
    lam, v2 : ndarray of shape (n_modes,)
        Positive eigenvalues and squared coefficients.
    unseen : float
        Squared coefficients of eigenvalue zero.
    n, k, noise, n_pool : float
        Rows, features, noise and rows of the pool.
    one, two : ndarray of shape (n_one,) and (n_two,)
        Effective ridges, complex.

    Returns
    -------
    ndarray of shape (n_one, n_two)
        The products.
    """
    fitted = [lam / (lam + gamma[:, None]) for gamma in (one, two)]
    left = [gamma[:, None] / (lam + gamma[:, None]) for gamma in (one, two)]
    z1, z2 = fitted[0].sum(axis=1)[:, None], fitted[1].sum(axis=1)
    q = fitted[0] @ fitted[1].T
    chi = (fitted[0] / lam) @ fitted[1].T / (1 - q / k) / k
    bias = (left[0] * v2) @ left[1].T + chi * ((left[0] * (lam * v2)) @ left[1].T)
    return _overfitted(bias + unseen + noise, q, z1, z2, n, k, n_pool)


def equal_residuals(lam, v2, unseen, n, k, noise, gamma, n_pool=np.inf):
    """Return the diagonal of `residual_products` of a ridge with itself."""
    h = lam / (lam + gamma[:, None])
    left = gamma[:, None] / (lam + gamma[:, None])
    z, q = h.sum(axis=1), (h * h).sum(axis=1)
    chi = (h * h / lam).sum(axis=1) / (1 - q / k) / k
    squares = left * left
    bias = squares @ v2 + chi * (squares @ (lam * v2)) + unseen
    return _overfitted(bias + noise, q, z, z, n, k, n_pool)


def _overfitted(bias, q, z1, z2, n, k, n_pool):
    ups = (q * (1 - (z1 + z2) / k) + z1 * z2 / k) / (n * (1 - q / k))
    ups = ups + (z1 + z2 - n * ups - z1 * z2 / n) / n_pool
    return bias / (1 - ups)
