"""The error of random-feature ridge from the eigenvalues of its kernel.

With ``h_i = lambda_i / (lambda_i + gamma)``, ``z = sum h_i`` and ``q = sum h_i ** 2``,
the effective ridge ``gamma`` solves ``(n - z) (1 - z / k) gamma = ridge``, whose left
side increases from zero where ``z = min(n, k)``: one root of one equation, and along a
path of ridges no root at all, since the ridge is explicit in ``gamma``.
"""

from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.utils import Bunch

from sklearn_ext._numerics._arrays import blocks

CHUNK = 2**16  # entries of (points, eigenvalues) at a time: they stay in the cache
MAX_STEPS = 200
FINITE = "non-negative and finite"


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
    n, k, ridge, noise = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (n, k, ridge, noise))
    )
    task = Task.of(eigenvalues, eigencoefs, n, k, ridge, noise, n_pool)
    if return_norm and not (ridge > 0).all():
        raise ValueError("return_norm needs a positive ridge, got ridge=0.")
    if return_norm and np.isfinite(n_pool):
        raise ValueError(f"return_norm needs n_pool=inf, got n_pool={n_pool:g}.")
    found = []
    for at in blocks(n.size, max(1, CHUNK // task.lam.size)):
        part, ridges = task[at], ridge.ravel()[at]
        gamma = part.effective_ridge(ridges)
        found.append(part.errors(gamma, ridges, return_norm=return_norm))
    joined = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    return Bunch(**{name: e.reshape(n.shape)[()] for name, e in joined.items()})


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
    task = Task.of(eigenvalues, eigencoefs, n, k, 0.0, noise, n_pool)
    return Bunch(**task.path(n_points))


def optimal_ridge(eigenvalues, eigencoefs, n, k=np.inf, noise=0.0):
    """Return the ridge of least predicted test error.

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

    Returns
    -------
    ridge : float
        The best ridge; zero where overfitting does no harm.
    test : float
        Its test error.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import optimal_ridge
    >>> eigenvalues = np.arange(1.0, 1001) ** -1.5
    >>> ridge, test = optimal_ridge(eigenvalues, eigenvalues**0.5, n=100, noise=0.1)
    >>> ridge > 0
    True
    """
    task = Task.of(eigenvalues, eigencoefs, n, k, 0.0, noise, np.inf)
    path = task.path(100)
    best = int(np.argmin(path["test"]))
    found = float(path["ridge"][best]), float(path["test"][best])
    if best == 0:
        return found
    lowest = path["gamma"][0]
    edges = path["gamma"][[max(best - 1, 1), min(best + 1, 99)]] - lowest

    def at(log_offset):
        between = task.along(np.array([lowest, lowest + np.exp(log_offset)]))
        return float(between["ridge"][1]), float(between["test"][1])

    least = minimize_scalar(
        lambda x: at(x)[1],
        bounds=np.log(edges),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return min(found, at(least.x), key=itemgetter(1))


def required_features(eigenvalues, eigencoefs, n, noise=0.0, tol=0.05):
    """Return the least width whose tuned error is close to that of infinite width.

    Parameters
    ----------
    eigenvalues, eigencoefs : array-like
        The task, as in :func:`rf_eigenframework`.
    n : float
        Number of training rows.
    noise : float, default=0.0
        Variance of the label noise.
    tol : float, default=0.05
        Relative excess of the error that is allowed.

    Returns
    -------
    int
        The number of features. With tuned ridges more features never harm, so that it
        is found by bisection.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.random_features import required_features
    >>> eigenvalues = np.arange(1.0, 1001) ** -1.5
    >>> required_features(eigenvalues, eigenvalues**0.5, n=50, noise=0.1) > 50
    True
    """
    if not tol > 0:
        raise ValueError(f"tol must be positive, got {tol!r}.")
    goal = (1 + tol) * optimal_ridge(eigenvalues, eigencoefs, n, np.inf, noise)[1]

    def enough(k):
        return optimal_ridge(eigenvalues, eigencoefs, n, float(k), noise)[1] <= goal

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class Task:
    """A spectrum and one or several points: rows, features and noise."""

    lam: np.ndarray  # (n_modes,), positive eigenvalues
    v2: np.ndarray  # (n_modes,), squared coefficients, summed over targets
    unseen: float  # squared coefficients of eigenvalue zero
    n: np.ndarray  # (n_points,)
    k: np.ndarray  # (n_points,)
    noise: np.ndarray  # (n_points,), summed over targets
    n_pool: float  # rows of the pool; infinite without one

    @classmethod
    def of(cls, eigenvalues, eigencoefs, n, k, ridge, noise, n_pool):
        """Check what the user gave; the ridge is not kept."""
        lam = np.asarray(eigenvalues, dtype=np.float64)
        v = np.asarray(eigencoefs, dtype=np.float64)
        if lam.ndim != 1 or v.ndim not in (1, 2) or len(v) != len(lam):
            raise ValueError(
                "eigenvalues must have shape (n_modes,) and eigencoefs (n_modes,) or "
                f"(n_modes, n_targets), got {lam.shape} and {v.shape}."
            )
        if not (np.isfinite(lam).all() and np.isfinite(v).all()):
            raise ValueError(
                "eigenvalues and eigencoefs must be finite, got inf or nan."
            )
        if lam.size == 0 or lam.min() < -1e-10 * max(lam.max(), 0) or lam.max() <= 0:
            low = lam.min() if lam.size else "none"
            raise ValueError(
                "eigenvalues must be non-negative and not all zero, got a least of "
                f"{low}."
            )
        n, k, ridge, noise = (
            np.asarray(a, dtype=np.float64).ravel() for a in (n, k, ridge, noise)
        )
        for name, values, ok, rule in [
            ("n", n, n > 0, "positive"),
            ("k", k, k > 0, "positive"),
            ("ridge", ridge, (ridge >= 0) & (ridge < np.inf), FINITE),
            ("noise", noise, (noise >= 0) & (noise < np.inf), FINITE),
        ]:
            if not ok.all():
                raise ValueError(f"{name} must be {rule}, got {values[~ok][0]:g}.")
        if np.isfinite(n_pool) and (n >= n_pool).any():
            raise ValueError(
                f"n must be below the {n_pool:g} rows of the pool, got {n.max():g}: "
                "the coefficients say nothing beyond it. Measure on more rows."
            )
        if np.isfinite(n_pool) and noise.any():
            raise ValueError(
                "The coefficients measured on a pool hold its noise: give n_pool with "
                f"noise=0, got noise={noise.max():g}."
            )
        v2 = (v**2).reshape(len(v), -1)
        n_targets, v2, seen = v2.shape[1], v2.sum(axis=1), lam > 0
        unseen = v2[~seen].sum()
        return cls(lam[seen], v2[seen], unseen, n, k, noise * n_targets, float(n_pool))

    def __getitem__(self, at):
        return replace(self, n=self.n[at], k=self.k[at], noise=self.noise[at])

    def fitted(self, gamma):
        """Return ``h = lam / (lam + gamma)``, of shape (n_points, n_modes)."""
        return self.lam / (self.lam + gamma[:, None])

    def effective_ridge(self, ridge):
        """Return the root of ``(n - z)(1 - z / k) gamma = ridge (1 - z / N)``.

        Without a ridge (or with endless rows) it is where ``z = min(n, k)``.
        """
        n, k, ridge = np.broadcast_arrays(self.n, self.k, ridge)
        gamma, limit = np.zeros(n.shape), np.minimum(n, k)
        solved = (ridge > 0) & np.isfinite(n)
        if solved.any():
            gamma[solved] = self._balanced(n[solved], k[solved], ridge[solved])
        full = ~solved & (self.lam.size > limit)  # else z never reaches it: gamma is 0
        if full.any():
            gamma[full] = self._filled(limit[full])
        return gamma

    def _filled(self, limit):
        """Return ``gamma`` where ``z`` is the limit, below the number of modes."""

        def step(t):
            h = self.fitted(np.exp(t))
            z, slope = h.sum(axis=1), -(h * (1 - h)).sum(axis=1)
            # z behaves like 1 / gamma: Newton on its logarithm
            return z > limit, -np.log(z / limit) * z / np.where(slope < 0, slope, -1.0)

        low = np.full(limit.shape, np.log(self.lam.min()) - 80.0)
        high = np.log(self.lam.sum() / np.minimum(limit, self.lam.size)) + 1e-12
        return np.exp(_root(step, low, high))

    def _balanced(self, n, k, ridge):
        """Return ``gamma`` of positive ridges, by the logarithm of both sides."""

        def step(t):
            h = self.fitted(np.exp(t))
            z = h.sum(axis=1)
            dz = np.einsum("ij,ij->i", h, h) - z  # -sum h (1 - h)
            inside = z < np.minimum(n, k)
            z = np.where(inside, z, 0.0)
            excess = np.log(n - z) + np.log1p(-z / k) - np.log1p(-z / self.n_pool)
            excess = np.where(inside, excess + t - np.log(ridge), -np.inf)
            with np.errstate(invalid="ignore"):
                slope = 1 - dz / (n - z) - np.where(np.isinf(k), 0.0, dz / (k - z))
                return excess < 0, -excess / (slope + dz / (self.n_pool - z))

        # (n - z)(1 - z / k) / (1 - z / N) <= n, so gamma is at least ridge / n
        low = np.log(ridge / n)
        high = low + 1.0
        while (short := step(high)[0]).any():
            low, high = np.where(short, high, low), np.where(short, high + 3.0, high)
        return np.exp(_root(step, low, high))

    def errors(self, gamma, ridge, *, return_norm=False):
        """Return the errors where the effective ridge is known.

        Parameters
        ----------
        gamma, ridge : ndarray of shape (n_points,)
            Effective ridges, and the ridges that they belong to.
        return_norm : bool, default=False
            Whether to add the squared norm of the coefficients.

        Returns
        -------
        dict
            Arrays of shape (n_points,).
        """
        lam, v2, n, k, noise = self.lam, self.v2, self.n, self.k, self.noise
        h = self.fitted(gamma)
        rest = gamma[:, None] / (lam + gamma[:, None])  # 1 - h without cancellation
        z, q = h.sum(axis=1), (h * h).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            k_chi = (h * h / lam).sum(axis=1) / (1 - q / k)
            k_chi = np.where(q < k, k_chi, 0.0)  # as many modes as features: no bias
            squares = rest * rest
            bias = squares @ v2 + k_chi / k * (squares @ (lam * v2)) + self.unseen
            ups = (q * (1 - 2 * z / k) + z * z / k) / (n * (1 - q / k))
            ups = np.where(q < k, ups, z / n)
            if np.isfinite(self.n_pool):
                ups = ups + (2 * z - n * ups - z * z / n) / self.n_pool
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

    def path(self, n_points):
        """Return errors and ridges of the one point along a path of ridges."""
        lowest, highest = self.effective_ridge(0.0)[0], 10 * self.lam.sum()
        # equal steps of log(gamma - lowest): fine where the path leaves interpolation
        first = min(1e-8 * max(lowest, self.lam[-1]), highest)
        offsets = np.geomspace(first, highest, n_points - 1)
        return self.along(lowest + np.concatenate([[0.0], offsets]))

    def along(self, gamma):
        """Return errors and ridges of effective ridges, of which the first has none."""
        parts = np.array_split(gamma, max(1, gamma.size * self.lam.size // CHUNK))
        z = np.concatenate([self.fitted(part).sum(axis=1) for part in parts])
        ridge = (self.n - z) * (1 - z / self.k) / (1 - z / self.n_pool) * gamma
        ridge = np.maximum(ridge, 0.0)
        ridge[0] = 0.0
        return {"ridge": ridge, **self.errors(gamma, ridge)}


def _root(step, low, high):
    """Solve by Newton, and by bisection where a step leaves the bracket.

    ``step`` says of each point whether its root lies above, and the step to it.
    """
    t = high
    for _ in range(MAX_STEPS):
        below, change = step(t)
        low, high = np.where(below, t, low), np.where(below, high, t)
        new = t + change
        new = np.where((new >= low) & (new <= high), new, (low + high) / 2)
        close = np.abs(new - t) <= 4e-16 * np.maximum(1.0, np.abs(t))
        t = new
        if (close | (high - low <= 1e-15 * np.abs(high))).all():
            break
    return t
