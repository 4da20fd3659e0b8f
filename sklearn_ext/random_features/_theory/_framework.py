"""The error of random-feature ridge from the eigenvalues of its kernel.

With ``h_i = lambda_i / (lambda_i + gamma)``, ``z = sum h_i`` and ``q = sum h_i ** 2``,
the effective ridge ``gamma`` solves ``(n - z) (1 - z / k) gamma = ridge``, whose left
side increases from zero where ``z = min(n, k)``: one root of one equation, and along a
path of ridges no root at all, since the ridge is explicit in ``gamma``.
"""

import numpy as np
from sklearn.utils import Bunch

CHUNK = 2**16  # entries of (points, eigenvalues) at a time: they stay in the cache
MAX_STEPS = 200


def rf_eigenframework(
    eigenvalues,
    eigencoefs,
    n,
    k=np.inf,
    ridge=0.0,
    noise=0.0,
    *,
    n_pool=np.inf,
    return_norm=False,
):
    r"""Predict the errors of random-feature ridge regression.

    The kernel has eigenvalues :math:`\lambda_i`, the target the coefficients
    :math:`v_i` on its eigenfunctions. Training on ``n`` rows with ``k`` features gives
    the expected test error

    .. math::
        E = \frac{1}{1 - \Upsilon} \Bigl[\sum_i \Bigl(\frac{\gamma}{\lambda_i +
        \gamma}\Bigr)^2 (1 + \chi \lambda_i) v_i^2 + \sigma^2 \Bigr], \quad
        \chi = \frac{1}{k - q} \sum_i \frac{\lambda_i}{(\lambda_i + \gamma)^2},

    where :math:`\Upsilon = (q (k - 2 z) + z^2) / (n (k - q))` and :math:`\sigma^2` is
    the noise, and the training error :math:`((n - z) / n)^2 E`. The cost is one pass
    over the eigenvalues a Newton step, for all points at once.

    Rows drawn from a pool of ``N``, on which eigenvalues and coefficients were
    measured, are never drawn twice. Then the ridge becomes :math:`(1 - z / N)` times
    itself, :math:`\Upsilon` grows by :math:`(2 z - n \Upsilon - z^2 / n) / N`, and
    :math:`E` is the error on the rows of the pool that were not drawn.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_modes,)
        Eigenvalues of the kernel, non-negative.
    eigencoefs : array-like of shape (n_modes,) or (n_modes, n_targets)
        Coefficients :math:`v_i` of the target (not squared).
    n : array-like
        Number of training rows; ``inf`` is allowed.
    k : array-like, default=inf
        Number of features.
    ridge : array-like, default=0.0
        The parameter ``alpha`` of the estimators.
    noise : array-like, default=0.0
        Variance of the label noise, for each target.
    n_pool : float, default=inf
        Rows of the pool that the training rows are drawn from; of the coefficients
        from :func:`kernel_eigenstructure`, its ``n_pool``. They hold the noise of the
        pool: leave ``noise`` at zero. Without a pool, every row is a new one.
    return_norm : bool, default=False
        Whether to return the expected squared norm of the coefficients as well; it
        needs a positive ridge and no pool.

    Returns
    -------
    Bunch
        Arrays of the shape that ``n``, ``k``, ``ridge`` and ``noise`` broadcast to:
        ``test`` (noise included), ``train``, ``bias``, ``variance``, ``kappa``,
        ``gamma``, ``dof`` (:math:`z`), ``fitting_ratio`` (train over test) and
        ``overfitting_coef`` (:math:`1 / (1 - \Upsilon)`); with ``return_norm`` also
        ``norm``. Errors of several targets are summed, the noise once a target.

    Raises
    ------
    ValueError
        When an input has the wrong sign or shape.

    References
    ----------
    .. [1] Simon, Karkada, Ghosh and Belkin, "More is better in modern machine
       learning", ICLR 2024.
    .. [2] Defilippis, Loureiro and Misiakiewicz, "Dimension-free deterministic
       equivalents and scaling laws for random feature regression", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import rf_eigenframework
    >>> eigenvalues = np.arange(1.0, 1001) ** -1.5
    >>> wide = rf_eigenframework(eigenvalues, eigenvalues**0.5, n=100, ridge=0.1)
    >>> narrow = rf_eigenframework(eigenvalues, eigenvalues**0.5, 100, 50, ridge=0.1)
    >>> bool(wide.test < narrow.test)
    True
    """
    lam, v2, unseen, t = check_spectrum(eigenvalues, eigencoefs)
    n, k, ridge, noise = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (n, k, ridge, noise))
    )
    check_points(n, k, ridge, noise)
    check_pool(n, noise, n_pool)
    if return_norm and not (ridge > 0).all():
        raise ValueError("return_norm needs a positive ridge, got ridge=0.")
    if return_norm and np.isfinite(n_pool):
        raise ValueError(f"return_norm needs n_pool=inf, got n_pool={n_pool:g}.")
    shape = n.shape
    points = [a.ravel() for a in (n, k, ridge, noise * t)]
    size = max(1, CHUNK // max(1, lam.size))
    found = []
    for start in range(0, points[0].size, size):
        part = [a[start : start + size] for a in points]
        gamma = solve_gamma(lam, *part[:3], n_pool)
        options = {"n_pool": n_pool, "return_norm": return_norm}
        found.append(errors_at(lam, v2, unseen, gamma, *part, **options))
    return Bunch(
        **{
            name: np.concatenate([part[name] for part in found]).reshape(shape)[()]
            for name in found[0]
        }
    )


def check_spectrum(eigenvalues, eigencoefs):
    """Return positive eigenvalues, squared coefficients, their rest, and targets."""
    lam = np.asarray(eigenvalues, dtype=np.float64)
    v = np.asarray(eigencoefs, dtype=np.float64)
    if lam.ndim != 1 or v.ndim not in (1, 2) or len(v) != len(lam):
        raise ValueError(
            "eigenvalues must have shape (n_modes,) and eigencoefs (n_modes,) or "
            f"(n_modes, n_targets), got {lam.shape} and {v.shape}."
        )
    if not (np.isfinite(lam).all() and np.isfinite(v).all()):
        raise ValueError("eigenvalues and eigencoefs must be finite, got inf or nan.")
    if lam.size == 0 or lam.min() < -1e-10 * max(lam.max(), 0) or lam.max() <= 0:
        low = lam.min() if lam.size else "none"
        raise ValueError(
            f"eigenvalues must be non-negative and not all zero, got a least of {low}."
        )
    v2 = (v**2).reshape(len(v), -1).sum(axis=1)
    seen = lam > 0
    return lam[seen], v2[seen], v2[~seen].sum(), 1 if v.ndim == 1 else v.shape[1]


def check_points(n, k, ridge, noise):
    for name, values, ok, rule in [
        ("n", n, n > 0, "positive"),
        ("k", k, k > 0, "positive"),
        ("ridge", ridge, (ridge >= 0) & (ridge < np.inf), "non-negative and finite"),
        ("noise", noise, (noise >= 0) & (noise < np.inf), "non-negative and finite"),
    ]:
        if not ok.all():
            raise ValueError(f"{name} must be {rule}, got {values[~ok][0]:g}.")


def check_pool(n, noise, n_pool):
    if np.isinf(n_pool):
        return
    if (n >= n_pool).any():
        raise ValueError(
            f"n must be below the {n_pool:g} rows of the pool, got {n.max():g}: the "
            "coefficients say nothing beyond it. Measure on more rows."
        )
    if noise.any():
        raise ValueError(
            "The coefficients measured on a pool hold its noise: give n_pool with "
            f"noise=0, got noise={noise.max():g}."
        )


def occupation(lam, gamma):
    """Return ``h = lam / (lam + gamma)``, of shape (n_points, n_modes)."""
    return lam / (lam + gamma[:, None])


def solve_gamma(lam, n, k, ridge, n_pool=np.inf):
    """Return the root of ``(n - z)(1 - z / k) gamma = ridge (1 - z / N)``.

    Newton in ``log gamma``, and bisection where a step leaves the bracket. Without a
    ridge (or with endless rows) the root is where ``z = min(n, k)``.
    """
    limit = np.minimum(n, k)
    gamma = np.zeros(n.shape)
    solved = (ridge > 0) & np.isfinite(n)
    if solved.any():
        gamma[solved] = _newton(lam, n[solved], k[solved], ridge[solved], n_pool)
    full = ~solved & (lam.size > limit)  # else z never reaches it, and gamma is zero
    if full.any():
        gamma[full] = _gamma_at(lam, limit[full])
    return gamma


def _gamma_at(lam, z):
    """Return ``gamma`` where the occupation is ``z``, below the number of modes."""
    total = lam.sum()
    low = np.full(z.shape, np.log(lam.min()) - 80.0)
    high = np.log(total / np.minimum(z, lam.size)) + 1e-12
    t = high.copy()
    for _ in range(MAX_STEPS):
        h = occupation(lam, np.exp(t))
        value = h.sum(axis=1)
        low, high = np.where(value > z, t, low), np.where(value > z, high, t)
        slope = -(h * (1 - h)).sum(axis=1)
        # z behaves like 1 / gamma: Newton on its logarithm
        step = -np.log(value / z) * value / np.where(slope < 0, slope, -1.0)
        t, done = _advance(t, step, low, high)
        if done:
            break
    return np.exp(t)


def _newton(lam, n, k, ridge, n_pool):
    # (n - z)(1 - z / k) / (1 - z / N) <= n, so gamma is at least ridge / n
    low = np.log(ridge / n)
    high = low + 1.0
    while (short := _excess(lam, n, k, ridge, n_pool, high)[0] < 0).any():
        low, high = np.where(short, high, low), np.where(short, high + 3.0, high)
    t = high.copy()
    for _ in range(MAX_STEPS):
        value, slope = _excess(lam, n, k, ridge, n_pool, t)
        low, high = np.where(value < 0, t, low), np.where(value < 0, high, t)
        with np.errstate(invalid="ignore"):
            step = -value / slope
        t, done = _advance(t, step, low, high)
        if done:
            break
    return np.exp(t)


def _excess(lam, n, k, ridge, n_pool, t):
    """Return the logarithm of left over right side, and its slope, in log gamma."""
    h = occupation(lam, np.exp(t))
    z = h.sum(axis=1)
    dz = np.einsum("ij,ij->i", h, h) - z  # -sum h (1 - h)
    inside = z < np.minimum(n, k)
    z = np.where(inside, z, 0.0)
    value = np.log(n - z) + np.log1p(-z / k) - np.log1p(-z / n_pool) + t - np.log(ridge)
    with np.errstate(invalid="ignore"):
        slope = 1 - dz / (n - z) - np.where(np.isinf(k), 0.0, dz / (k - z))
        slope += dz / (n_pool - z)
    return np.where(inside, value, -np.inf), slope


def _advance(t, step, low, high):
    new = t + step
    outside = ~((new >= low) & (new <= high))
    new = np.where(outside, (low + high) / 2, new)
    close = np.abs(new - t) <= 4e-16 * np.maximum(1.0, np.abs(t))
    return new, bool((close | (high - low <= 1e-15 * np.abs(high))).all())


def errors_at(
    lam, v2, unseen, gamma, n, k, ridge, noise, *, n_pool=np.inf, return_norm=False
):
    """Return the errors where ``gamma`` is known.

    Parameters
    ----------
    lam, v2 : ndarray of shape (n_modes,)
        Positive eigenvalues and squared coefficients.
    unseen : float
        Squared coefficients of eigenvalue zero.
    gamma, n, k, ridge, noise : ndarray of shape (n_points,)
        The points.
    n_pool : float, default=inf
        Rows of the pool.
    return_norm : bool, default=False
        Whether to add the squared norm of the coefficients.

    Returns
    -------
    dict
        Arrays of shape (n_points,).
    """
    h = occupation(lam, gamma)
    rest = gamma[:, None] / (lam + gamma[:, None])  # 1 - h without cancellation
    z, q = h.sum(axis=1), (h * h).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        k_chi = (h * h / lam).sum(axis=1) / (1 - q / k)
        k_chi = np.where(q < k, k_chi, 0.0)  # as many modes as features: no bias
        squares = rest * rest
        bias = squares @ v2 + k_chi / k * (squares @ (lam * v2)) + unseen
        ups = (q * (1 - 2 * z / k) + z * z / k) / (n * (1 - q / k))
        ups = np.where(q < k, ups, z / n)
        if np.isfinite(n_pool):
            ups = ups + (2 * z - n * ups - z * z / n) / n_pool
        at_peak = (ridge == 0) & (n == k) & (lam.size > n)
        overfitting = np.where(at_peak | (ups >= 1), np.inf, 1 / (1 - ups))
        test = overfitting * (bias + noise)
        bias = np.where(bias > 0, overfitting * bias, 0.0)
        left = np.where((ridge == 0) & (z > n * (1 - 1e-9)), 0.0, 1 - z / n)
        train = np.where(left > 0, left**2 * test, 0.0)
        kappa = gamma * np.maximum(1 - z / k, 0.0)
        variance = np.where(noise > 0, noise * (overfitting - 1), 0.0)
    found = {
        "test": test,
        "train": train,
        "bias": bias,
        "variance": variance,
        "kappa": kappa,
        "gamma": gamma,
        "dof": z,
        "fitting_ratio": left**2,
        "overfitting_coef": overfitting,
    }
    if return_norm:
        inverse = (h / lam) @ v2  # sum v2 / (lam + gamma)
        weighted = (h * h / lam**2) @ v2 + k_chi / k * ((h * h / lam) @ v2)
        ratio = gamma / kappa
        found["norm"] = (
            ratio * inverse
            - ridge / n * ratio**2 * weighted * overfitting
            + noise / n * k_chi * overfitting
        )
    return found


def rf_ridge_path(
    eigenvalues,
    eigencoefs,
    n,
    k=np.inf,
    noise=0.0,
    n_points=100,
    *,
    n_pool=np.inf,
):
    """Predict the errors along a path of ridges, without solving for any.

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
    n_points : int, default=100
        Points of the path, the first at no ridge.
    n_pool : float, default=inf
        Rows of the pool, as in :func:`rf_eigenframework`.

    Returns
    -------
    Bunch
        As from :func:`rf_eigenframework`, with the array ``ridge`` in addition; all of
        shape (n_points,).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import rf_ridge_path
    >>> eigenvalues = np.arange(1.0, 1001) ** -1.5
    >>> path = rf_ridge_path(eigenvalues, eigenvalues**0.5, n=100, noise=0.1)
    >>> bool(path.test.min() < path.test[0])
    True
    """
    lam, v2, unseen, t = check_spectrum(eigenvalues, eigencoefs)
    point = [np.asarray([value], dtype=np.float64) for value in (n, k, 0.0, noise)]
    check_points(*point)
    check_pool(point[0], point[3], n_pool)
    lowest = solve_gamma(lam, *point[:3])[0]
    highest = 10 * lam.sum()
    # equal steps of log(gamma - lowest): fine where the path leaves interpolation
    offsets = np.geomspace(
        min(1e-8 * max(lowest, lam[-1]), highest), highest, n_points - 1
    )
    gamma = lowest + np.concatenate([[0.0], offsets])
    found = errors_along(lam, v2, unseen, gamma, n, k, noise * t, n_pool)
    return Bunch(**found)


def errors_along(lam, v2, unseen, gamma, n, k, noise, n_pool=np.inf):
    """Return errors and ridges at given ``gamma``, the first of them the lowest.

    Parameters
    ----------
    lam, v2 : ndarray of shape (n_modes,)
        Positive eigenvalues and squared coefficients.
    unseen : float
        Squared coefficients of eigenvalue zero.
    gamma : ndarray of shape (n_points,)
        Effective ridges, increasing from that without a ridge.
    n, k, noise, n_pool : float
        Rows, features, noise and rows of the pool.

    Returns
    -------
    dict
        Arrays of shape (n_points,).
    """
    z = np.concatenate(
        [
            occupation(lam, part).sum(axis=1)
            for part in np.array_split(gamma, max(1, gamma.size * lam.size // CHUNK))
        ]
    )
    ridge = np.maximum((n - z) * (1 - z / k) / (1 - z / n_pool) * gamma, 0.0)
    ridge[0] = 0.0
    n, k, noise = (np.full(gamma.shape, float(value)) for value in (n, k, noise))
    found = errors_at(lam, v2, unseen, gamma, n, k, ridge, noise, n_pool=n_pool)
    return {"ridge": ridge, **found}
