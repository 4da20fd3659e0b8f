"""Spectral filters: ridge, and what else is linear in the solutions of ridges.

A filter ``f`` fits the share ``f(e)`` of a target along an eigenvector of eigenvalue
``e``: ridge ``e / (e + alpha)``, gradient flow from zero until the time ``1 / alpha``
``1 - exp(-e / alpha)``, ridge fitted again to its own residuals
``1 - (alpha / (e + alpha)) ** 2``.

The last two are linear operations on the ridge solution as a function of its ridge:
the inverse Laplace transform ``theta(t) = L^-1[theta(s) / s]``, and ``R - alpha
dR/dalpha``. A linear operation commutes with leaving rows out, so that the same
operation on the leave-one-out residuals of ridges gives those of the filter, exactly.
Both operations are sums over complex ridges, `Filter.ridges`: Talbot's nodes of the
transform, and a complex step for the derivative.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_ext._numerics._arrays import namespace

N_NODES = 12  # residuals to 2e-6 of the targets; 8: 3e-4, 16: 1e-8, 24: 3e-13
STEP = 1e-8  # of a complex derivative, relative: its error is the square
GONE = 1e-3  # of what rounding resolves: a ridge below is none


@dataclass(frozen=True)
class Filter:
    """Ridge: the filter that all others are sums of."""

    name = "ridge"

    def shrinkage(self, e, alpha):
        """Return ``f(e) / e`` for eigenvalues that are positive or a ridge that is."""
        return 1 / (e + alpha)

    def left(self, e, alpha):
        """Return ``1 - f(e)`` without cancellation, for a positive ridge."""
        return alpha / (e + alpha)

    def ridges(self, alpha):
        """Return complex ridges and weights: the filter is the real part of their sum.

        Parameters
        ----------
        alpha : float
            A positive ridge.

        Returns
        -------
        ridges, weights : ndarray of shape (n_ridges,)
            Complex; of two that are conjugate only one is there.
        """
        return np.array([alpha + 0j]), np.ones(1, dtype=complex)


class Flow(Filter):
    """Gradient flow on half the sum of squares, from zero until ``1 / alpha``."""

    name = "flow"

    def shrinkage(self, e, alpha):
        """Return ``(1 - exp(-e / alpha)) / e``."""
        xp = namespace(e)
        if alpha == 0:
            return 1 / e
        x = e / alpha
        moved = x > 1e-8
        safe = xp.where(moved, x, xp.ones_like(x))
        return xp.where(moved, -xp.expm1(-safe) / safe, 1 - x / 2) / alpha

    def left(self, e, alpha):
        """Return ``exp(-e / alpha)``."""
        return namespace(e).exp(-e / alpha)

    def ridges(self, alpha):
        """Return Talbot's nodes and weights at the time ``1 / alpha``."""
        nodes, weights = talbot(N_NODES)
        return nodes * alpha, weights


class Iterated(Filter):
    """Ridge, and once more ridge of the same ``alpha`` on what it has left."""

    name = "iterated"

    def shrinkage(self, e, alpha):
        """Return ``(e + 2 alpha) / (e + alpha) ** 2``."""
        once = 1 / (e + alpha)
        return once + alpha * once * once

    def left(self, e, alpha):
        """Return ``(alpha / (e + alpha)) ** 2``."""
        once = alpha / (e + alpha)
        return once * once

    def ridges(self, alpha):
        """Return the complex step of ``R - alpha dR/dalpha``."""
        return np.array([alpha * (1 + 1j * STEP)]), np.array([1 + 1j / STEP])


RIDGE = Filter()
FILTERS = {f.name: f for f in (RIDGE, Flow(), Iterated())}


def talbot(n_nodes):
    """Return nodes and weights for ``F(s) / s`` at the time one.

    ``f(t) = Re sum_j weights_j F(nodes_j / t)`` inverts the Laplace transform of a
    function whose singularities lie on the negative axis: the trapezoidal rule on a
    cotangent contour [1]_ for the Bromwich integral, of conjugate nodes one.

    Parameters
    ----------
    n_nodes : int
        Even number of nodes on the whole contour.

    Returns
    -------
    nodes, weights : ndarray of shape (n_nodes / 2,)
        Complex.

    References
    ----------
    .. [1] Weideman, "Optimizing Talbot's contours for the inversion of the Laplace
       transform", SIAM J. Numer. Anal. 44, 2006.
    """
    angle = np.pi * (2 * np.arange(n_nodes // 2, n_nodes) + 1) / n_nodes - np.pi
    cot = 1 / np.tan(0.6407 * angle)
    nodes = 0.5017 * angle * cot - 0.6122 + 0.2645j * angle
    slope = 0.5017 * (cot - 0.6407 * angle * (1 + cot * cot)) + 0.2645j
    weights = 2 * np.exp(n_nodes * nodes) * slope / (1j * nodes * n_nodes)
    return n_nodes * nodes, weights
