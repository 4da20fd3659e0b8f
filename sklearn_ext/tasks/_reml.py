r"""Restricted likelihood of the population that tasks are drawn from.

Task g has :math:`y_g = X_g w_g + e`, noise of variance :math:`\sigma^2`, and
:math:`w_g \sim N(\mu, \Sigma)` with :math:`\Sigma = \sigma^2 \Lambda \Lambda'`. From
the products :math:`A_g = X_g'X_g`, :math:`b_g = X_g'y_g`, :math:`c_g = y_g'y_g` alone,

.. math::

   M_g = I + \Lambda' A_g \Lambda, \qquad
   E_g = A_g - A_g \Lambda M_g^{-1} \Lambda' A_g, \qquad P = \sum_g E_g,

and with :math:`\mu` and :math:`\sigma^2` at their optimum given :math:`\Lambda`, twice
the negative restricted log likelihood is

.. math::

   \sum_g \log|M_g| + \log|P| + (N - p)(1 + \log(2 \pi R / (N - p))),

where :math:`R` is the generalised residual sum of squares. The factor may be singular:
a variance of zero is an ordinary point. We write :math:`\Lambda =
\operatorname{diag}(s) D^{-1} L` with a unit lower triangle L whose rows D makes of
length one, so that scales :math:`s_j` and correlations (rows of L) are told apart, and
a penalty :math:`-\nu \log|R|` on the correlation matrix is
:math:`\nu \sum_j \log(1 + \sum_{k<j} L_{jk}^2)`. The search is over
:math:`\operatorname{arsinh}(s_j / u)`: a logarithm where a variance is large, smooth
through zero. There the slope is zero whatever the data say, so a scale that ends there
is tried once more from elsewhere. One evaluation with its gradient is a few products of
stacked small matrices; rows are not seen.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, optimize

FLOOR = 1e-12  # of the variance of y: least variance of the noise
STARTS = np.arange(-5.0, 9.0, 2.0)  # logarithms of scales that are tried first
LARGEST = 2e4  # scale: noise that is less beside the tasks drowns in rounding
ASLEEP = 0.05  # level of a scale that may be zero by accident


@dataclass(frozen=True)
class Products:
    """Uncentred products of all tasks in the coordinates of the fit.

    Attributes
    ----------
    weight : ndarray of shape (n_tasks,)
        Summed weights.
    A : ndarray of shape (n_tasks, d, d)
        Products of the columns, the constant one included.
    b : ndarray of shape (n_tasks, d)
        Products of columns and target.
    c : ndarray of shape (n_tasks,)
        Squares of the target.
    """

    weight: np.ndarray
    A: np.ndarray
    b: np.ndarray
    c: np.ndarray


@dataclass(frozen=True)
class Population:
    """The fitted prior of the tasks.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        Mean of the coefficients.
    factor : ndarray of shape (d, k)
        A square root of the covariance of the coefficients, over the noise's.
    noise_var : float
        Variance of the noise.
    mean_cov : ndarray of shape (d, d)
        Covariance of the estimated mean, over the noise's variance.
    log_likelihood : float
        Restricted (or full) log likelihood, without the penalty.
    n_iter : int
        Iterations of the optimiser.
    last_gain : float
        Gain of its last iteration, in nats.
    converged : bool
        Whether it stopped by itself.
    """

    mean: np.ndarray
    factor: np.ndarray
    noise_var: float
    mean_cov: np.ndarray
    log_likelihood: float
    n_iter: int = 0
    last_gain: float = 0.0
    converged: bool = True

    @property
    def cov(self):
        """Covariance of the coefficients."""
        return self.noise_var * self.factor @ self.factor.T


@dataclass(frozen=True)
class Shape:
    """Which coefficients differ from task to task, and how they may go together.

    Attributes
    ----------
    d : int
        Number of coefficients.
    random : ndarray of shape (k,)
        Those that differ.
    correlated : bool
        Whether they may be correlated.
    strength : float
        Of the penalty on their correlations.
    restricted : bool
        Whether the mean is integrated out (REML) or maximised over (ML).
    fixed_mean : bool
        Whether the mean is zero instead of estimated.
    unit : float
        Scale below which the search is linear, and above which it is logarithmic: what
        one task can tell from zero.
    """

    d: int
    random: np.ndarray
    correlated: bool = True
    strength: float = 0.0
    restricted: bool = True
    fixed_mean: bool = False
    unit: float = 1.0

    def start(self, log_scale=0.0):
        """Return parameters at which all scales are alike and nothing is correlated."""
        k = len(self.random)
        n_lower = k * (k - 1) // 2 if self.correlated else 0
        level = np.arcsinh(np.exp(log_scale) / self.unit)
        return np.concatenate([np.full(k, level), np.zeros(n_lower)])

    def bounds(self):
        """Return bounds of the parameters: scales that rounding bears."""
        k = len(self.random)
        most = np.arcsinh(LARGEST / self.unit)
        return [(-most, most)] * k + [(None, None)] * (len(self.start()) - k)

    def triangle(self, theta):
        """Return the unit triangle (k, k) and the lengths of its rows."""
        k = len(self.random)
        triangle = np.eye(k)
        if self.correlated:
            triangle[np.tril_indices(k, -1)] = theta[k:]
        return triangle, np.sqrt((triangle**2).sum(axis=1))

    def factor(self, theta):
        """Return the factor (d, k)."""
        triangle, lengths = self.triangle(theta)
        factor = np.zeros((self.d, len(triangle)))
        scales = self.unit * np.sinh(theta[: len(triangle)])
        factor[self.random] = (scales / lengths)[:, None] * triangle
        return factor

    def pack(self, slope, theta):
        """Chain the gradient in the factor (d, k) to that in the parameters."""
        triangle, lengths = self.triangle(theta)
        k, slope = len(triangle), slope[self.random]
        rows = triangle / lengths[:, None]
        by_scale = (slope * rows).sum(axis=1)
        by_level = self.unit * np.cosh(theta[:k]) * by_scale
        if not self.correlated:
            return by_level
        ratio = self.unit * np.sinh(theta[:k]) / lengths
        by_triangle = ratio[:, None] * (slope - by_scale[:, None] * rows)
        return np.concatenate([by_level, by_triangle[np.tril_indices(k, -1)]])

    def penalty(self, theta):
        """Return the penalty on correlations and its gradient in the parameters."""
        if not self.correlated or not self.strength:
            return 0.0, 0.0
        triangle, lengths = self.triangle(theta)
        k = len(triangle)
        slope = 2 * self.strength * triangle / (lengths**2)[:, None]
        gradient = np.concatenate([np.zeros(k), slope[np.tril_indices(k, -1)]])
        return 2 * self.strength * np.log(lengths).sum(), gradient


def deviance(factor, products, shape, floor):
    """Return the deviance at a factor, its gradient (d, k), and the population.

    Parameters
    ----------
    factor : ndarray of shape (d, k)
        Lambda.
    products : Products
        Of all tasks.
    shape : Shape
        Of the model.
    floor : float
        Least variance of the noise.

    Returns
    -------
    value : float
        Twice the negative log likelihood, at the best mean and noise.
    gradient : ndarray of shape (d, k)
        In the factor.
    population : Population
        Mean and noise.
    """
    A, b, d = products.A, products.b, shape.d
    n_tasks, k = len(A), factor.shape[1]
    B = (A.reshape(-1, d) @ factor).reshape(n_tasks, d, k)  # A_g Lambda
    M = np.eye(k) + np.einsum("jk,gjl->gkl", factor, B, optimize=True)
    lower = np.linalg.cholesky(M)
    log_det = 2 * np.log(np.einsum("gkk->gk", lower)).sum()
    # by its triangle, not by its inverse: what is left of A is small, and would drown
    half = np.linalg.inv(lower)
    W = B @ half.transpose(0, 2, 1)
    Q, T = W @ half, half.transpose(0, 2, 1) @ half
    E = A - W @ W.transpose(0, 2, 1)
    P = E.sum(axis=0)
    small = np.einsum("gkl,gl->gk", half, b @ factor)  # Lambda' b_g
    e = b - np.einsum("gjk,gk->gj", W, small)
    r = products.c.sum() - (small**2).sum()
    values, vectors = linalg.eigh((P + P.T) / 2)
    kept = values > max(values[-1], 0) * d * np.finfo(float).eps
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    if shape.fixed_mean:
        mean, rank, log_P = np.zeros(d), 0, 0.0
    else:
        mean, rank = inverse @ e.sum(axis=0), int(kept.sum())
        log_P = np.log(values[kept]).sum()
        r = r - mean @ e.sum(axis=0)
    weight = products.weight.sum()
    dof = max(weight - rank, 1.0) if shape.restricted else weight
    noise_var = max(r / dof, floor)
    value = log_det + dof * (1 + np.log(2 * np.pi * noise_var))
    u = b - A @ mean
    v = np.einsum("gkl,gl->gk", T, u @ factor)
    left = u - np.einsum("gjk,gk->gj", B, v)
    gradient = 2 * np.tensordot(B, T, axes=([0, 2], [0, 1]))
    if noise_var > floor:
        gradient -= 2 * left.T @ v / noise_var
    if shape.restricted and not shape.fixed_mean:
        value += log_P
        inner = (E.reshape(-1, d) @ inverse).reshape(n_tasks, d, d)
        gradient -= 2 * np.tensordot(inner, Q, axes=([0, 2], [0, 1]))
    mean_cov = np.zeros((d, d)) if shape.fixed_mean else inverse
    found = Population(mean, factor, float(noise_var), mean_cov, -float(value) / 2)
    return value, gradient, found


def fit_population(
    products, shape, floor, *, max_iter, tol, report=lambda found: False
):
    """Maximise the penalised likelihood over the factor.

    Parameters
    ----------
    products : Products
        Of all tasks, in coordinates in which columns and target have variance one.
    shape : Shape
        Of the model.
    floor : float
        Least variance of the noise.
    max_iter : int
        Iterations at most.
    tol : float
        Gain in nats below which it stops.
    report : callable
        Called with the population after each iteration; True stops.

    Returns
    -------
    Population
        At the best factor found; its likelihood is never below that of the start.
    """
    if len(shape.random) == 0:
        found = deviance(np.zeros((shape.d, 0)), products, shape, floor)[2]
        report(found)
        return found

    shape = replace(shape, unit=products.weight.mean() ** -0.5)
    last = None

    def objective(theta):
        nonlocal last
        value, slope, last = deviance(shape.factor(theta), products, shape, floor)
        extra, by_penalty = shape.penalty(theta)
        return value + extra, shape.pack(slope, theta) + by_penalty

    start = min(map(shape.start, STARTS), key=lambda theta: objective(theta)[0])
    trace = [objective(start)[0]]
    stopped = False

    def after_iteration(intermediate_result):
        nonlocal stopped
        trace.append(intermediate_result.fun)
        if report(last):
            stopped = True
            raise StopIteration

    n_iter, theta = 0, start
    while True:
        result = optimize.minimize(
            objective,
            theta,
            jac=True,
            method="L-BFGS-B",
            bounds=shape.bounds(),
            callback=after_iteration,
            options={
                "maxiter": max_iter - n_iter,
                "maxfun": 20 * max_iter + 20,
                "ftol": 2 * tol / max(abs(trace[0]), 1.0),
                "gtol": 1e-10,
                "maxcor": 30,
            },
        )
        n_iter += result.nit
        exhausted = result.status == 1 and n_iter >= max_iter
        if stopped or exhausted:
            break
        theta = _woken(objective, result.x, len(shape.random), result.fun - 2 * tol)
        if theta is None or n_iter >= max_iter:
            break
    best = deviance(shape.factor(result.x), products, shape, floor)[2]
    gain = (trace[-2] - trace[-1]) / 2 if len(trace) > 1 else 0.0
    return replace(best, n_iter=n_iter, last_gain=float(gain), converged=not exhausted)


def _woken(objective, theta, k, value):
    """Return parameters below a value with a scale of zero raised, None if none are.

    At a scale of zero the slope is zero whether or not the variance should be.
    """
    found = None
    for j in np.flatnonzero(abs(theta[:k]) < ASLEEP):
        for level in (0.3, 1.0):
            raised = theta.copy()
            raised[j] = level
            if (there := objective(raised)[0]) < value:
                found, value = raised, there
    return found
