"""The adjusted potential as a Gaussian mixture, and all that follows in closed form."""

from dataclasses import dataclass, replace
from math import pi
from typing import Any

from sklearn_ext.bridge._frames import (
    array_namespace,
    features,
    gaussian_exponents,
    log_sum_exp,
    mixed_affine,
    quadratic,
    rotate,
    rotate_back,
)

LEAST = 1e-14  # eigenvalue of a scale matrix: a constant target leaves none of its own


@dataclass(frozen=True)
class PotentialMixture:
    """Adjusted Schrödinger potential v(y) = sum_k a_k N(y | r_k, eps S_k).

    The entropic plan is pi(y|x) = exp(<x,y>/eps) v(y) / c(x), and the bridge follows
    dX = g(X, t) dt + sqrt(eps) dW. Arrays may be of any array API library.
    """

    log_weights: Any  # log a_k, up to a common shift: (K,)
    means: Any  # r_k: (K, D)
    lam: Any  # eigenvalues of S_k, in the shapes of _frames
    axes: Any  # eigenvectors of S_k
    epsilon: float
    covariance_type: str

    @classmethod
    def of(cls, log_weights, means, scales, epsilon, covariance_type):
        """Build from scale matrices in their public shapes."""
        return cls(
            log_weights,
            means,
            *split(scales, covariance_type),
            epsilon,
            covariance_type,
        )

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

    def map(self, function):
        """Apply a function to every array, for instance to change its library."""
        axes = None if self.axes is None else function(self.axes)
        arrays = (function(a) for a in (self.log_weights, self.means, self.lam))
        return PotentialMixture(*arrays, axes, self.epsilon, self.covariance_type)

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
        xp = array_namespace(F)
        variance = self.epsilon * self.lam
        A = gaussian_exponents(F, variance, self.rotated, self.axes)
        log_det = self.sum_over_features(xp.log(2 * pi * variance))
        A += (self.log_weights - log_det / 2)[:, None]
        return A

    def bridge_scores(self, F, t):
        """Return the braces of log phi_t: their log-sum-exp over k is log phi_t(x)."""
        xp = array_namespace(F)
        eps, rho = self.epsilon, self.rotated
        B = 1 - t + t * self.lam
        A = quadratic(F, (self.lam - 1) / (eps * B), rho / (eps * B), self.axes)
        constant = self.log_weights - t * xp.sum(rho * rho / B, axis=1) / (2 * eps)
        constant = constant - self.sum_over_features(xp.log(B)) / 2
        A += constant[:, None]
        return A

    def sum_over_features(self, values):
        """Sum an array of the shape of ``lam`` over the features each entry covers."""
        xp = array_namespace(values)
        repeats = self.means.shape[1] if self.covariance_type == "spherical" else 1
        return xp.sum(values, axis=1) * repeats

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
        xp = array_namespace(X)
        scores = self.bridge_scores(self.features(X), t)
        scores -= xp.max(scores, axis=0)
        return scores - xp.log(xp.sum(xp.exp(scores), axis=0))

    def drift(self, X, t):
        """Return g(x, t) = sum_k w_k(x, t) B_k^-1 (r_k + (S_k - I) x)."""
        B = 1 - t + t * self.lam
        _, w = self.log_potential(X, t)
        return mixed_affine(X, w, (self.lam - 1) / B, self.rotated / B, self.axes)

    def transition(self, t, s):
        """Describe X_s given X_t = x, a Gaussian for each component.

        Returns
        -------
        scale, shift, variance : arrays in the eigenbasis
            The mean of component k is V_k (scale_k * V_k' x + shift_k), its covariance
            V_k diag(variance_k) V_k'; the weights are those of :meth:`log_potential`.
        """
        tau = (s - t) / (1 - t)
        B = 1 - t + t * self.lam
        scale = 1 - tau + tau * self.lam / B
        shift = tau * (1 - t) * self.rotated / B
        spread = tau**2 * (1 - t) * self.lam / B + tau * (1 - tau) * (1 - t)
        return scale, shift, self.epsilon * spread

    def conditional_mean(self, X):
        """Return T(x) = E[Y | X = x]."""
        _, p = self.log_normalizer(X)
        return mixed_affine(X, p, self.lam, self.rotated, self.axes)

    def transport_cost(self, X):
        """Return E[|x - Y|^2 / 2 | X = x]."""
        xp = array_namespace(X)
        F, rho, less = self.features(X), self.rotated, self.lam - 1
        _, p = log_sum_exp(self.source_scores(F))
        # |(S - I) x + r|^2 is a quadratic form of x too
        moved = quadratic(F, 2 * less**2, 2 * less * rho, self.axes)
        fixed = xp.sum(rho**2, axis=1) + self.epsilon * self.sum_over_features(self.lam)
        return xp.sum(p * (moved + fixed[:, None]), axis=0) / 2


def split(scales, covariance_type):
    """Return ``lam`` and ``axes`` of scale matrices in their public shapes."""
    xp = array_namespace(scales)
    if covariance_type in ("spherical", "diag"):
        lam = xp.clip(scales, LEAST, None)
        return (lam[:, None] if covariance_type == "spherical" else lam), None
    lam, axes = xp.linalg.eigh(scales)
    # rounding must not make a nearly singular matrix indefinite
    floor = xp.max(lam, axis=-1, keepdims=True) * LEAST
    lam = xp.clip(xp.maximum(lam, floor), LEAST, None)
    return (lam[None, :], axes) if covariance_type == "tied" else (lam, axes)


def join(lam, axes, covariance_type):
    """Undo :func:`split`."""
    if covariance_type == "spherical":
        return lam[:, 0]
    if covariance_type == "diag":
        return lam
    xp = array_namespace(lam)
    if covariance_type == "tied":
        return (axes * lam[0, :]) @ axes.T
    return (axes * lam[:, None, :]) @ xp.matrix_transpose(axes)


def shifted(mixture, source_mean, target_mean):
    """Move a mixture of centred rows to the coordinates of the data.

    If ``mixture`` is the adjusted potential between x - source_mean and
    y - target_mean, the result is the one between x and y.
    """
    xp = array_namespace(mixture.means)
    m = rotate(mixture.means * 0 + source_mean, mixture.axes)
    moved = mixture.lam * m  # V_k' S_k source_mean
    means = mixture.means + target_mean - rotate_back(moved, mixture.axes)
    gain = xp.sum(m * (moved / 2 - mixture.rotated), axis=1) / mixture.epsilon
    log_weights = mixture.log_weights + gain
    return replace(mixture, means=means, log_weights=log_weights)
