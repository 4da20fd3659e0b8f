"""The error of gradient flow over its time, as the theory predicts it.

Gradient flow is a linear operation on ridges, the inverse Laplace transform. Its error
is quadratic, hence the same operation twice on an error of two ridges: that of the
product of their residuals. Both ridges are complex, and so are their effective ridges.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.utils import Bunch

from sklearn_ext._numerics._filters import talbot
from sklearn_ext.random_features._theory._framework import Task

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
    task = _task(eigenvalues, eigencoefs, n, k, noise, n_pool)
    times = np.asarray(_span(task) if times is None else times, dtype=np.float64)
    if times.ndim != 1 or times.size == 0 or not (times > 0).all():
        raise ValueError(f"times must be one or more positive numbers, got {times!r}.")
    test = np.array([_test_error(task, time) for time in times.tolist()])
    train = np.array([_training_error(task, time) for time in times.tolist()])
    return Bunch(time=times, test=test, train=train)


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
    return _best_time(_task(eigenvalues, eigencoefs, n, k, noise, n_pool))


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
    task = _task(eigenvalues, eigencoefs, n, k, noise, n_pool)
    time, best = _best_time(task)
    if np.isinf(time):
        return 1.0
    return _test_error(task, np.inf) / best if best > 0 else np.inf


def _task(eigenvalues, eigencoefs, n, k, noise, n_pool):
    task = Task.of(eigenvalues, eigencoefs, n, k, 0.0, noise, n_pool)
    if not np.isfinite(n):
        raise ValueError(f"n must be finite, got {n}: endless rows take no time.")
    return task


def _best_time(task):
    """Return the time of least test error, and that error."""
    times = _span(task)
    tests = np.array([_test_error(task, time) for time in times.tolist()])
    best = int(np.argmin(tests))
    if tests[-1] <= tests[best] + TIE * tests[0]:
        return np.inf, float(tests[-1])
    found = minimize_scalar(
        lambda log_time: _test_error(task, np.exp(log_time)),
        bounds=np.log(times[[max(best - 1, 0), min(best + 1, len(times) - 2)]]),
        method="bounded",
        options={"xatol": 1e-4},
    )
    if found.fun >= tests[best]:
        return float(times[best]), float(tests[best])
    return float(np.exp(found.x)), float(found.fun)


def _span(task):
    """Return times that span the path, ascending, the last of them infinite."""
    ridges = task.path(100)["ridge"]
    ridges = ridges[ridges > 0]
    # beyond, what is left to fit is less than rounding leaves of the transform
    last = max(ridges[0], 1e-9 * ridges[-1])
    return np.append(1 / np.geomspace(ridges[-1], last, SEARCHED - 1), np.inf)


def _test_error(task, time):
    if np.isinf(time):
        return float(task.errors(task.effective_ridge(0.0), np.zeros(1))["test"][0])
    nodes, weights = talbot(N_NODES)
    products = residual_products(task, complex_ridge(task, nodes / time))
    weights_of_both = np.concatenate([weights, weights.conj()]) / 2
    return max((weights @ products @ weights_of_both).real, 0.0)


def _training_error(task, time):
    if np.isinf(time):
        return float(task.errors(task.effective_ridge(0.0), np.zeros(1))["train"][0])
    # |exp(-t K) y|^2 is y' exp(-2 t K) y, whose transform is known, and whose
    # derivative is that of equal ridges
    nodes, weights = talbot(N_NODES)
    gamma = complex_ridge(task, nodes / time / 2)
    equal = np.diagonal(residual_products(task, gamma))
    left = (task.n - task.fitted(gamma).sum(axis=1)) / task.n
    return max((weights @ (left**2 * equal / nodes)).real, 0.0)


def complex_ridge(task, ridges):
    """Return the effective ridges of complex ridges.

    The root at the absolute value is continued along the arc, by Newton in its
    logarithm.

    Parameters
    ----------
    task : Task
        One point.
    ridges : ndarray of shape (n_ridges,)
        Complex, not on the negative axis.

    Returns
    -------
    ndarray of shape (n_ridges,)
        The roots, complex.
    """
    n, k, n_pool = task.n, task.k, task.n_pool
    size, angle = np.abs(ridges), np.angle(ridges)
    t = np.log(task.effective_ridge(size)).astype(complex)
    for step in range(1, N_STEPS + 1):
        goal = np.log(size) + 1j * angle * step / N_STEPS
        for _ in range(2 if step < N_STEPS else 6):
            h = task.fitted(np.exp(t))
            z, dz = h.sum(axis=1), (h * h - h).sum(axis=1)
            value = (n - z) * (1 - z / k) / (1 - z / n_pool) * np.exp(t - goal) - 1
            slope = 1 - dz / (n - z) - dz / k / (1 - z / k) + dz / (n_pool - z)
            t = t - value / ((value + 1) * slope)
    return np.exp(t)


def residual_products(task, gamma):
    """Return expected products of the residuals of two ridges on new rows.

    The transform of both arguments needs the conjugate nodes of one of them.

    Parameters
    ----------
    task : Task
        One point.
    gamma : ndarray of shape (n_ridges,)
        Effective ridges, complex.

    Returns
    -------
    ndarray of shape (n_ridges, 2 * n_ridges)
        The products with all ridges, and with their conjugates.
    """
    lam, v2, n, k = task.lam, task.v2, task.n, task.k
    inverse = 1 / (lam + gamma[:, None])
    fitted, left = lam * inverse, gamma[:, None] * inverse
    fitted_too, left_too = (np.concatenate([a, a.conj()]).T for a in (fitted, left))
    z1, z2, q = fitted.sum(axis=1)[:, None], fitted_too.sum(axis=0), fitted @ fitted_too
    chi = inverse @ fitted_too / (1 - q / k) / k
    bias = (left * v2) @ left_too + chi * ((left * (lam * v2)) @ left_too)
    ups = (q * (1 - (z1 + z2) / k) + z1 * z2 / k) / (n * (1 - q / k))
    ups = ups + (z1 + z2 - n * ups - z1 * z2 / n) / task.n_pool
    return (bias + task.unseen + task.noise) / (1 - ups)
