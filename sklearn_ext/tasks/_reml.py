r"""Restricted likelihood of the population that tasks are drawn from.

Task g has :math:`y_g = X_g w_g + e`, noise of variance :math:`\sigma^2`, and
:math:`w_g \sim N(\mu, \Sigma)` with :math:`\Sigma = \sigma^2 \Lambda \Lambda'`. With
:math:`V_g = I + X_g \Lambda \Lambda' X_g'`, :math:`P = \sum_g X_g' V_g^{-1} X_g`, and
with :math:`\mu` and :math:`\sigma^2` at their optimum given :math:`\Lambda`, twice the
negative restricted log likelihood is

.. math::

   \sum_g \log|V_g| + \log|P| + (N - p)(1 + \log(2 \pi R / (N - p))),

where :math:`R` is the generalised residual sum of squares. `_products` and `_rows`
evaluate it, each from its side. The factor may be singular: a variance of zero is an
ordinary point. We write :math:`\Lambda = \operatorname{diag}(s) D^{-1} L` with a unit
lower triangle L whose rows D makes of length one, so that scales :math:`s_j` and
correlations (rows of L) are told apart, and a penalty :math:`-\nu \log|R|` on the
correlation matrix is :math:`\nu \sum_j \log(1 + \sum_{k<j} L_{jk}^2)`. The search is
over :math:`\operatorname{arsinh}(s_j / u)`: a logarithm where a variance is large,
smooth through zero. There the slope is zero whatever the data say, so a scale that ends
there is tried once more from elsewhere.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import linalg, optimize

FLOOR = 1e-12  # of the variance of y: least variance of the noise
STARTS = np.arange(-5.0, 9.0, 2.0)  # logarithms of scales that are tried first
LARGEST = 2e4  # scale: noise that is less beside the tasks drowns in rounding
DEEPEST = 2e6  # scale over its unit: the same where rows are many or weights large
ASLEEP = 0.05  # level of a scale that may be zero by accident
FEW = 64  # coefficients that are treated one by one, or by eigenvalues


@dataclass(frozen=True)
class Population:
    """The fitted prior of the tasks.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        Mean of the coefficients.
    factor : ndarray of shape (d, k)
        A square root of the covariance of the coefficients, over the noise's.
    shape : Shape
        Which coefficients differ.
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
    shape: "Shape"
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
    owner : ndarray of shape (k,) or None
        Which scale each has; None is one of its own.
    strength : float
        Of the penalty on their correlations.
    restricted : bool
        Whether the mean is integrated out (REML) or maximised over (ML).
    fixed_mean : bool
        Whether the mean is zero instead of estimated.
    unit : float
        Scale below which the search is linear, and above which it is logarithmic: what
        one task can tell from zero.
    span : ndarray of shape (d, rank) or None
        Basis of what the columns of all rows say, where some of them are functions
        of others. It is found once: from P, which is small where tasks differ much,
        rounding would give another rank here and there.
    """

    d: int
    random: np.ndarray
    correlated: bool = True
    strength: float = 0.0
    restricted: bool = True
    fixed_mean: bool = False
    unit: float = 1.0
    owner: np.ndarray | None = None
    span: np.ndarray | None = None

    @property
    def n_scales(self):
        """Number of scales."""
        return len(self.random) if self.owner is None else int(self.owner.max()) + 1

    @property
    def highest(self):
        """Level of the largest scale that rounding bears."""
        return np.arcsinh(min(LARGEST / self.unit, DEEPEST))

    def levels(self, theta):
        """Return the arsinh of the scale of each coefficient that differs."""
        levels = theta[: self.n_scales]
        return levels if self.owner is None else levels[self.owner]

    def start(self, log_scale=0.0):
        """Return parameters at which all scales are alike and nothing is correlated."""
        k = len(self.random)
        n_lower = k * (k - 1) // 2 if self.correlated else 0
        level = min(np.arcsinh(np.exp(log_scale) / self.unit), self.highest)
        return np.concatenate([np.full(self.n_scales, level), np.zeros(n_lower)])

    def starts(self):
        """Return where a search may begin: all scales alike, or two of every size.

        Where rows are fewer than columns, slopes that differ look like noise, and the
        likelihood has a mode for each.
        """
        if self.owner is None or self.n_scales != 2:
            return [self.start(log_scale) for log_scale in STARTS]
        levels = np.arcsinh(np.exp(STARTS[::2]) / self.unit)
        levels = np.unique(np.minimum(levels, self.highest))
        return [np.array(pair) for pair in product(levels, repeat=2)]

    def bounds(self):
        """Return bounds of the parameters: scales that rounding bears."""
        k, most = self.n_scales, self.highest
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
        scales = self.unit * np.sinh(self.levels(theta))
        factor[self.random] = (scales / lengths)[:, None] * triangle
        return factor

    def pack(self, slope, theta):
        """Chain the gradient in the factor (d, k) to that in the parameters."""
        triangle, lengths = self.triangle(theta)
        k, slope = len(triangle), slope[self.random]
        rows = triangle / lengths[:, None]
        by_scale = (slope * rows).sum(axis=1)
        by_level = self.unit * np.cosh(self.levels(theta)) * by_scale
        if self.owner is not None:
            by_level = np.bincount(self.owner, by_level)
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


def concentrate(factor, P, e, r, log_det, weight, shape, floor):
    """Return the deviance at the best mean and noise for a factor.

    Parameters
    ----------
    factor : ndarray of shape (d, k)
        Lambda.
    P : ndarray of shape (d, d)
        Sum of X'V^-1 X over the tasks.
    e : ndarray of shape (d,)
        Sum of X'V^-1 y.
    r : float
        Sum of y'V^-1 y.
    log_det : float
        Sum of log determinants of V.
    weight : float
        Number of rows.
    shape : Shape
        Of the model.
    floor : float
        Least variance of the noise.

    Returns
    -------
    value : float
        Twice the negative log likelihood.
    root : ndarray of shape (d, rank)
        A square root of the (pseudo) inverse of P.
    population : Population
        Mean and noise.
    """
    d = shape.d
    root, log_P = np.zeros((d, 0)), 0.0
    if not shape.fixed_mean:
        root, log_P = _inverse_root(P, shape.span)
    rank = root.shape[1]
    mean = root @ (root.T @ e)
    dof = max(weight - rank, 1.0) if shape.restricted else weight
    noise_var = max((r - mean @ e) / dof, floor)
    value = log_det + dof * (1 + np.log(2 * np.pi * noise_var))
    if shape.restricted:
        value += log_P
    found = Population(
        mean, factor, shape, float(noise_var), root @ root.T, -float(value) / 2
    )
    return value, root, found


def inverse_half(gram):
    """Return roots of the inverse of I plus each matrix, and the log determinants.

    Parameters
    ----------
    gram : ndarray of shape (n, k, k)
        Positive semidefinite, but for rounding.

    Returns
    -------
    half : ndarray of shape (n, k, k)
        H with H'H the inverse: of a triangle, or of eigenvalues where rounding has
        more to say than the identity.
    log_det : ndarray of shape (n,)
        The log determinants.
    """
    k = gram.shape[-1]
    try:
        lower = np.linalg.cholesky(np.eye(k) + gram)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(gram)
        values = 1 + np.maximum(values, 0)
        half = vectors.transpose(0, 2, 1) / np.sqrt(values)[:, :, None]
        return half, np.log(values).sum(axis=1)
    return np.linalg.inv(lower), 2 * np.log(np.einsum("gkk->gk", lower)).sum(axis=1)


def _span(gram):
    """Return a basis (d, rank) of the range of a matrix, None if that is all."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > 10 * len(gram) * np.finfo(float).eps * values[-1]
    return None if kept.all() else vectors[:, kept]


def _inverse_root(P, span=None):
    """Return a root (d, rank) of the pseudo-inverse, and the log determinant."""
    if span is not None:
        root, log_P = _inverse_root(span.T @ P @ span)
        return span @ root, log_P
    if len(P) > FEW:  # a triangle is found in a tenth of the time, if it is safe
        lower, failed = linalg.lapack.dpotrf(P, lower=True)
        pivots = np.diag(lower)
        if not failed and pivots.min() > 1e-5 * pivots.max():
            inverse, _ = linalg.lapack.dtrtri(lower, lower=True)
            return np.tril(inverse).T, 2 * np.log(pivots).sum()
    values, vectors = linalg.eigh((P + P.T) / 2)
    kept = values > max(values[-1], 0) * len(P) * np.finfo(float).eps
    root = vectors[:, kept] / np.sqrt(values[kept])
    return root, np.log(values[kept]).sum()


def fit_population(
    products, shape, floor, *, max_iter, tol, report=lambda found: False
):
    """Maximise the penalised likelihood over the factor.

    Parameters
    ----------
    products : Products or Rows
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
    if not shape.fixed_mean:
        shape = replace(shape, span=_span(products.gram))
    if len(shape.random) == 0:
        found = products.deviance(np.zeros((shape.d, 0)), shape, floor)[2]
        report(found)
        return found

    shape = replace(shape, unit=products.weight.mean() ** -0.5)
    last = None

    def objective(theta):
        nonlocal last
        value, slope, last = products.deviance(shape.factor(theta), shape, floor)
        extra, by_penalty = shape.penalty(theta)
        return value + extra, shape.pack(slope, theta) + by_penalty

    start = min(shape.starts(), key=lambda theta: objective(theta)[0])
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
        theta = _woken(objective, result.x, shape.n_scales, result.fun - 2 * tol)
        if theta is None or n_iter >= max_iter:
            break
    best = products.deviance(shape.factor(result.x), shape, floor)[2]
    gain = (trace[-2] - trace[-1]) / 2 if len(trace) > 1 else 0.0
    return replace(best, n_iter=n_iter, last_gain=float(gain), converged=not exhausted)


def _woken(objective, theta, k, value):
    """Return parameters below a value with scales of zero raised, None if none are.

    At a scale of zero the slope is zero whether or not the variance should be.
    """
    asleep = np.flatnonzero(abs(theta[:k]) < ASLEEP)
    if len(asleep) > FEW:
        return _woken_together(objective, theta, asleep, value)
    found = None
    for j in asleep:
        for level in (0.3, 1.0):
            raised = theta.copy()
            raised[j] = level
            if (there := objective(raised)[0]) < value:
                found, value = raised, there
    return found


def _woken_together(objective, theta, asleep, value):
    """Raise all scales at once along which the deviance falls just above zero."""
    raised = theta.copy()
    raised[asleep] = 1e-3
    rising = asleep[objective(raised)[1][asleep] < 0]
    for level in (1.0, 0.3, 0.1, 0.03) if len(rising) else ():
        raised = theta.copy()
        raised[rising] = level
        if objective(raised)[0] < value:
            return raised
    return None
