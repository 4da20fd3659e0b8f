"""The adjusted potential as a Gaussian mixture between centred rows, in closed form.

A scale matrix S_k is kept as V_k diag(lam_k) V_k'. Every function of S_k that the
closed forms need then acts on ``lam_k`` alone, and the four covariance types differ
only in ``axes`` (V) and in the shape of ``lam``:

============  ==============  ====================
type          lam             axes
============  ==============  ====================
spherical     (K, 1)          None
diag          (K, D)          None
tied          (1, D)          (1, D, D)
full          (K, D)          (K, D, D)
============  ==============  ====================

A stack of matrices, or of their diagonals, has the shape of ``axes``, or of ``lam``.

Arrays with one entry a component and row are component-major, (K, n): reductions over
the components then read contiguous memory.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from sklearn_ext._numerics._arrays import ArrayHolder, namespace

COVARIANCE_TYPES = ("diag", "spherical", "tied", "full")
LEAST = 1e-14  # eigenvalue of a scale matrix: a constant target leaves none of its own


@dataclass(frozen=True)
class PotentialMixture(ArrayHolder):
    """Adjusted Schrödinger potential v(y) = sum_k a_k N(y | r_k, eps S_k).

    The entropic plan is pi(y|x) = exp(<x,y>/eps) v(y) / c(x), and the bridge follows
    dX = g(X, t) dt + sqrt(eps) dW. Arrays may be of any array API library.
    """

    log_weights: Any  # log a_k, up to a common shift: (K,)
    means: Any  # r_k: (K, D)
    lam: Any  # eigenvalues of S_k, in the shapes above
    axes: Any  # eigenvectors of S_k
    epsilon: float
    covariance_type: str

    @classmethod
    def of(cls, log_weights, means, scales, epsilon, covariance_type):
        """Build from scale matrices in their public shapes."""
        lam, axes = split(scales, covariance_type)
        return cls(log_weights, means, lam, axes, epsilon, covariance_type)

    @property
    def scales(self):
        """Scale matrices: (K,), (K, D), (D, D) or (K, D, D) by covariance type."""
        return join(self.lam, self.axes, self.covariance_type)

    @property
    def rotated(self):
        """The vectors V_k' r_k."""
        return rotate(self.means, self.axes)

    def with_epsilon(self, epsilon):
        """Change epsilon and keep eps log a_k, the potential in units of cost."""
        scaled = self.log_weights * (self.epsilon / epsilon)
        return replace(self, log_weights=scaled, epsilon=epsilon)

    def features(self, X):
        """Store rows for the methods below that take them as F."""
        return features(X, self.covariance_type)

    def source_scores(self, F):
        """Return A_k(x) = log a_k + (x' S_k x / 2 + r_k' x) / eps, as (K, n)."""
        eps = self.epsilon
        A = quadratic(F, self.lam / eps, self.rotated / eps, self.axes)
        A += self.log_weights[:, None]
        return A

    def target_scores(self, F):
        """Return log a_k N(y | r_k, eps S_k), as (K, m)."""
        xp = namespace(F)
        variance = self.epsilon * self.lam
        A = gaussian_exponents(F, variance, self.rotated, self.axes)
        log_det = self.sum_over_features(xp.log(2 * math.pi * variance))
        A += (self.log_weights - log_det / 2)[:, None]
        return A

    def bridge_scores(self, F, t):
        """Return the braces of log phi_t: their log-sum-exp over k is log phi_t(x)."""
        xp = namespace(F)
        eps, rho = self.epsilon, self.rotated
        B = 1 - t + t * self.lam
        A = quadratic(F, (self.lam - 1) / (eps * B), rho / (eps * B), self.axes)
        constant = self.log_weights - t * xp.sum(rho * rho / B, axis=1) / (2 * eps)
        constant = constant - self.sum_over_features(xp.log(B)) / 2
        A += constant[:, None]
        return A

    def sum_over_features(self, values):
        """Sum an array of the shape of ``lam`` over the features each entry covers."""
        xp = namespace(values)
        return xp.sum(values, axis=1) * (self.means.shape[1] // values.shape[1])

    def log_normalizer(self, X):
        """Return log c(x) and the gates p_k(x), (K, n)."""
        return log_sum_exp(self.source_scores(self.features(X)))

    def log_adjusted(self, Y):
        """Return log v(y)."""
        return log_sum_exp(self.target_scores(self.features(Y)))[0]

    def log_potential(self, X, t):
        """Return log phi_t(x) and the weights w_k(x, t), (K, n)."""
        return log_sum_exp(self.bridge_scores(self.features(X), t))

    def log_gates(self, X, t):
        """Return log w_k(x, t), (K, n)."""
        xp = namespace(X)
        scores = self.bridge_scores(self.features(X), t)
        scores -= xp.max(scores, axis=0)
        return scores - xp.log(xp.sum(xp.exp(scores), axis=0))

    def drift(self, X, t):
        """Return g(x, t) = sum_k w_k(x, t) B_k^-1 (r_k + (S_k - I) x)."""
        B = 1 - t + t * self.lam
        _, w = self.log_potential(X, t)
        return mixed_affine(X, w, (self.lam - 1) / B, self.rotated / B, self.axes)

    def transitions(self, t, s):
        """Describe X_s given X_t = x, a Gaussian for each component.

        Yields
        ------
        V : array of shape (n_features, n_features) or None
            The eigenbasis, None where it is the standard one.
        scale, shift, variance : arrays in the eigenbasis
            The mean is V (scale * V' x + shift), the covariance V diag(variance) V';
            the weights are those of :meth:`log_potential`.
        """
        tau = (s - t) / (1 - t)
        B = 1 - t + t * self.lam
        scale = 1 - tau + tau * self.lam / B
        shift = tau * (1 - t) * self.rotated / B
        spread = tau**2 * (1 - t) * self.lam / B + tau * (1 - tau) * (1 - t)
        variance = self.epsilon * spread
        for k in range(shift.shape[0]):
            yield own(self.axes, k), own(scale, k), shift[k, :], own(variance, k)

    def conditional_mean(self, X):
        """Return T(x) = E[Y | X = x]."""
        _, p = self.log_normalizer(X)
        return mixed_affine(X, p, self.lam, self.rotated, self.axes)

    def transport_cost(self, X):
        """Return E[|x - Y|^2 / 2 | X = x]."""
        xp = namespace(X)
        F, rho, less = self.features(X), self.rotated, self.lam - 1
        _, p = log_sum_exp(self.source_scores(F))
        # |(S - I) x + r|^2 is a quadratic form of x too
        moved = quadratic(F, 2 * less**2, 2 * less * rho, self.axes)
        fixed = xp.sum(rho**2, axis=1) + self.epsilon * self.sum_over_features(self.lam)
        return xp.sum(p * (moved + fixed[:, None]), axis=0) / 2


def split(scales, covariance_type):
    """Return ``lam`` and ``axes`` of scale matrices in their public shapes."""
    if covariance_type == "spherical":
        return decompose(scales[:, None])
    return decompose(scales[None, ...] if covariance_type == "tied" else scales)


def decompose(scales):
    """Return ``lam`` and ``axes`` of a stack of scale matrices."""
    xp = namespace(scales)
    if scales.ndim == 2:
        return xp.clip(scales, LEAST, None), None
    lam, axes = xp.linalg.eigh(scales)
    # rounding must not make a nearly singular matrix indefinite
    floor = xp.max(lam, axis=-1, keepdims=True) * LEAST
    return xp.clip(xp.maximum(lam, floor), LEAST, None), axes


def join(lam, axes, covariance_type):
    """Undo :func:`split`."""
    if axes is None:
        return lam[:, 0] if covariance_type == "spherical" else lam
    scales = (axes * lam[:, None, :]) @ namespace(axes).matrix_transpose(axes)
    return scales[0, ...] if covariance_type == "tied" else scales


def shifted(mixture, source_mean, target_mean):
    """Move a mixture of centred rows to the coordinates of the data.

    If ``mixture`` is the adjusted potential between x - source_mean and
    y - target_mean, the result is the one between x and y.
    """
    xp = namespace(mixture.means)
    m = rotate(mixture.means * 0 + source_mean, mixture.axes)
    moved = mixture.lam * m  # V_k' S_k source_mean
    means = mixture.means + target_mean - rotate_back(moved, mixture.axes)
    gain = xp.sum(m * (moved / 2 - mixture.rotated), axis=1) / mixture.epsilon
    log_weights = mixture.log_weights + gain
    return replace(mixture, means=means, log_weights=log_weights)


def features(X, covariance_type):
    """Store rows so that a quadratic form along the axes is one matrix product."""
    if covariance_type in ("tied", "full"):
        return X
    xp = namespace(X)
    squares = X * X / 2
    if covariance_type == "spherical":
        squares = xp.sum(squares, axis=1, keepdims=True)
    return xp.concat([squares, X], axis=1)


def quadratic(F, square, linear, axes):
    """Evaluate x' V diag(square) V' x / 2 + linear' V' x for each component and row.

    Parameters
    ----------
    F : array of shape (n_samples, n_stored)
        Rows in the form of :func:`features`.
    square : array of the shape of ``lam``
        Eigenvalues of the quadratic form.
    linear : array of shape (n_components, n_features)
        Coefficients in the eigenbasis.
    axes : array or None
        The eigenbases.

    Returns
    -------
    array of shape (n_components, n_samples)
        The values.
    """
    xp = namespace(F)
    if axes is None:
        return xp.concat([square, linear], axis=1) @ F.T
    if axes.shape[0] == 1:
        Z = F @ axes[0, :, :]
        return square @ (Z * Z / 2).T + linear @ Z.T
    values = []
    for k in range(axes.shape[0]):
        Z = F @ axes[k, :, :]
        values.append((Z * Z) @ (square[k, :] / 2) + Z @ linear[k, :])
    return xp.stack(values)


def gaussian_exponents(F, variance, centres, axes):
    """Return -|V_k' y - centre_k|^2 / (2 variance_k), summed over features, (K, m)."""
    xp = namespace(F)
    if axes is None or axes.shape[0] < centres.shape[0]:
        constant = xp.sum(centres * centres / (2 * variance), axis=1)
        A = quadratic(F, -1 / variance, centres / variance, axes)
        A -= constant[:, None]
        return A
    values = []  # one component at a time can be centred first, which float32 needs
    for k in range(axes.shape[0]):
        Z = F @ axes[k, :, :] - centres[k, :]
        values.append((Z * Z) @ (-1 / (2 * variance[k, :])))
    return xp.stack(values)


def mixed_affine(X, gates, scale, shift, axes):
    """Evaluate sum_k p_k(x) V_k (diag(scale_k) V_k' x + shift_k) for each row.

    ``gates`` has shape (n_components, n_samples) and sums to one over components.
    """
    if axes is None:
        return gates.T @ shift + X * (gates.T @ scale)
    if axes.shape[0] == 1:  # one scale for all: the gates drop out of it
        V = axes[0, :, :]
        return (gates.T @ shift + (X @ V) * scale) @ V.T
    total = X * 0
    for k in range(axes.shape[0]):
        Z = (X @ axes[k, :, :]) * scale[k, :] + shift[k, :]
        total = total + gates[k, :, None] * (Z @ axes[k, :, :].T)
    return total


def rotate(vectors, axes):
    """Express vector k, a row of (n_components, n_features), in eigenbasis k."""
    return vectors if axes is None else (vectors[:, None, :] @ axes)[:, 0, :]


def rotate_back(vectors, axes):
    """Undo :func:`rotate`."""
    if axes is None:
        return vectors
    return rotate(vectors, namespace(axes).matrix_transpose(axes))


def own(values, k):
    """Return what component k has of its own, or shares with all: of lam or axes."""
    return None if values is None else values[0 if values.shape[0] == 1 else k, ...]


def log_sum_exp(A):
    """Return log sum_k exp(A_k) of each column, and the softmax; A is overwritten."""
    xp = namespace(A)
    top = xp.max(A, axis=0)
    A -= top
    share = xp.exp(A)
    total = xp.sum(share, axis=0)
    share /= total
    return top + xp.log(total), share
