"""Entropic plans and the bridges between their marginals."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from sklearn_ext._numerics._arrays import blocks, like, namespace
from sklearn_ext.bridge._checks import check_count, check_grid, check_times, plain
from sklearn_ext.bridge._draws import (
    as_generator,
    brownian_bridges,
    choose,
    draw_components,
    euler_paths,
)
from sklearn_ext.bridge._mixture import PotentialMixture, log_sum_exp, shifted

ENTRIES = 2**20  # of an array of rows against rows, at a time


class ClosedForms:
    """What a plan answers, and an estimator that has fitted one, in the same words.

    A class says in ``_asked`` which plan answers about which rows, and in ``_drawing``
    what draws for a ``random_state``.
    """

    def gate_proba(self, X):
        """Return the probability of each component given a source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Probabilities.
        """
        plan, X = self._asked(X, "gate_proba")
        return plan.mixture.log_normalizer(X - plan.source_mean)[1].T

    def conditional(self, X, t=0.0, s=1.0):
        """Describe X_s given X_t = x, a Gaussian mixture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t, s : float, default=0.0 and 1.0
            Times, 0 <= t < s <= 1.

        Returns
        -------
        Bunch
            ``weights`` (n_samples, K), ``means`` (n_samples, K, D) and ``covariances``,
            the same for all rows: (K, D, D), or variances (K, D).
        """
        t, s = check_times(t, s)
        plan, X = self._asked(X, "conditional")
        xp, m = namespace(X), plan.mixture
        X = X - plan.origin(t)
        means, covariances = [], []
        for V, scale, shift, variance in m.transitions(t, s):
            Z = (X if V is None else X @ V) * scale + shift
            means.append((Z if V is None else Z @ V.T) + plan.origin(s))
            flat = shift * 0 + variance
            covariances.append(flat if V is None else (V * flat) @ V.T)
        return Bunch(
            weights=m.log_potential(X, t)[1].T,
            means=xp.stack(means, axis=1),
            covariances=xp.stack(covariances),
        )

    def conditional_mean_cov(self, X):
        """Return mean and covariance of Y given X = x.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        means : ndarray of shape (n_samples, n_features)
            Conditional means.
        covariances : ndarray of shape (n_samples, n_features, n_features)
            Conditional covariances, sum_k p_k (eps S_k + d_k d_k').
        """
        plan, X = self._asked(X, "conditional_mean_cov")
        xp = namespace(X)
        law, mean = plan.conditional(X), plan.conditional_mean(X)
        inner = law.covariances
        if inner.ndim == 2:  # variances: put them on diagonals
            inner = inner[:, :, None] * like(np.eye(X.shape[1]), X)
        n, K, D = law.means.shape
        cov = xp.reshape(law.weights @ xp.reshape(inner, (K, D * D)), (n, D, D))
        for k in range(K):  # no array of n K D^2 entries
            d = law.means[:, k, :] - mean
            p = law.weights[:, k]
            cov = cov + (p[:, None] * d)[:, :, None] * d[:, None, :]
        return mean, cov

    def log_density(self, X, Y, t=0.0, s=1.0):
        """Return log p(X_s = y | X_t = x) of paired rows.

        Parameters
        ----------
        X, Y : array-like of shape (n_samples, n_features)
            Rows at time t and at time s.
        t, s : float, default=0.0 and 1.0
            Times, 0 <= t < s <= 1.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log-densities, from the mixture form: no difference of large numbers.
        """
        plan, X = self._asked(X, "log_density")
        _, Y = self._asked(Y, "log_density")
        if X.shape[0] != Y.shape[0]:
            raise ValueError(
                f"X and Y are paired, got {X.shape[0]} and {Y.shape[0]} rows."
            )
        t, s = check_times(t, s)
        xp, m = namespace(X), plan.mixture
        X, Y = X - plan.origin(t), Y - plan.origin(s)
        scores = []
        for V, scale, shift, variance in m.transitions(t, s):
            A, B = (X, Y) if V is None else (X @ V, Y @ V)
            gap, spread = B - A * scale - shift, shift * 0 + variance
            scores.append(-xp.sum(gap**2 / spread + xp.log(2 * np.pi * spread), axis=1))
        # gates stay logarithms: one that underflows may belong to the only component
        # that reaches y
        return log_sum_exp(m.log_gates(X, t) + xp.stack(scores) / 2)[0]

    def log_potential(self, X, t):
        """Return log phi_t(x), the Schrödinger potential at time t.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t : float
            Time in [0, 1].

        Returns
        -------
        ndarray of shape (n_samples,)
            Values; p(x_s | x_t) = phi_s(x_s) / phi_t(x_t) N(x_s | x_t, eps (s-t) I).
        """
        t = check_times(t)
        plan, X = self._asked(X, "log_potential")
        xp, goal = namespace(X), plan.target_mean
        jump = goal - plan.source_mean
        linear = (X - goal) @ jump + (1 - t) * xp.sum(jump**2) / 2
        gain = (linear + xp.sum(goal**2) / 2) / plan.epsilon
        return plan.mixture.log_potential(X - plan.origin(t), t)[0] + gain

    def drift(self, X, t):
        """Return the drift g(x, t) of dX = g dt + sqrt(epsilon) dW.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time t.
        t : float
            Time in [0, 1].

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Drift.
        """
        t = check_times(t)
        plan, X = self._asked(X, "drift")
        jump = plan.target_mean - plan.source_mean
        return plan.mixture.drift(X - plan.origin(t), t) + jump

    def transport_cost(self, X):
        """Return ``E[|x - Y|^2 / 2 | X = x]``, how far each row is moved.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Expected costs.
        """
        plan, X = self._asked(X, "transport_cost")
        jump, centred = plan.target_mean - plan.source_mean, X - plan.source_mean
        moved = plan.mixture.conditional_mean(centred) - centred
        inner = plan.mixture.transport_cost(centred)
        return inner + moved @ jump + jump @ jump / 2

    def sample_path(
        self, X, times=21, *, n_samples=None, method="exact", random_state=None
    ):
        """Draw paths of the bridge from each source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows at time 0.
        times : int or array-like of shape (n_times,), default=21
            Increasing times in [0, 1], or how many at equal steps from 0 to 1.
        n_samples : int or None, default=None
            Paths from each row; None draws one, without an axis for it.
        method : {"exact", "euler"}, default="exact"
            Exact at any times, or one Euler step of the stochastic differential
            equation for each interval.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness; None takes that of an estimator.

        Returns
        -------
        ndarray of shape (n_rows[, n_samples], n_times, n_features)
            Paths.
        """
        if method not in ("exact", "euler"):
            raise ValueError(f"method must be 'exact' or 'euler', got {plain(method)}.")
        times = check_grid(times)
        plan, X = self._asked(X, "sample_path")
        rng = self._drawing(random_state)

        def draw(start):
            if method == "euler":
                return euler_paths(plan, start, times, rng)
            stop = plan.sample(start, random_state=rng)
            return brownian_bridges(start, stop, times, plan.epsilon, rng)

        return draw_each(draw, X, n_samples)


@dataclass(frozen=True)
class EntropicPlan(ClosedForms):
    """Entropic transport plan pi(y|x) given by a Gaussian mixture, with its bridge.

    The plan is pi(y|x) = exp(<x,y>/eps) v(y) / c(x) with the adjusted potential
    v(y) = sum_k a_k N(y | r_k, eps S_k). For any law of the source it is the solution
    of entropic optimal transport with cost ``|x - y|^2 / 2`` between that law and the
    law of y it generates; dX = g(X, t) dt + sqrt(eps) dW is the Schrödinger bridge.
    All methods are closed forms of cost O(n_samples * n_components * n_features), times
    n_features for full scales, on numpy arrays or tensors as the plan's own are.

    Parameters
    ----------
    mixture : PotentialMixture
        The adjusted potential between centred rows.
    source_mean : array of shape (n_features,)
        What is subtracted from x, so that large means cost no accuracy.
    target_mean : array of shape (n_features,)
        What is subtracted from y.

    See Also
    --------
    LightSchrodingerBridge : Learns such a plan from two samples.
    make_entropic_ot : Draws random plans and samples from them.

    References
    ----------
    Korotin, Gushchin, Burnaev. Light Schrödinger Bridge. ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.bridge import EntropicPlan
    >>> plan = EntropicPlan.from_parameters([0.0], [[3.0]], [[0.5]], epsilon=1.0)
    >>> plan.conditional_mean(np.array([[2.0]]))
    array([[4.]])
    """

    mixture: PotentialMixture
    source_mean: Any
    target_mean: Any

    @classmethod
    def from_parameters(
        cls, log_weights, means, scales, epsilon, covariance_type="diag"
    ):
        """Build a plan from the parameters of v.

        Parameters
        ----------
        log_weights : array-like of shape (n_components,)
            The logarithms of a_k, up to a common shift.
        means : array-like of shape (n_components, n_features)
            The vectors r_k.
        scales : array-like
            The matrices S_k, in the shape that ``covariance_type`` asks for.
        epsilon : float
            Entropic regularisation, the variance of the bridge per unit of time.
        covariance_type : {"spherical", "diag", "tied", "full"}, default="diag"
            Shape of ``scales``: (K,), (K, D), (D, D) or (K, D, D).

        Returns
        -------
        EntropicPlan
            The plan.
        """
        arrays = (np.asarray(a, dtype=float) for a in (log_weights, means, scales))
        mixture = PotentialMixture.of(*arrays, float(epsilon), covariance_type)
        zero = np.zeros(mixture.means.shape[1])
        return cls(mixture, zero, zero)

    @classmethod
    def from_potential(cls, weights, means, covariances, epsilon):
        """Build a plan from the potential phi(y) = sum_k w_k N(y | mu_k, Sigma_k).

        This is the form in which benchmark pairs are published: phi is the Schrödinger
        potential at time 1, v(y) is proportional to ``phi(y) exp(-|y|^2 / (2 eps))``.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
            The weights w_k.
        means : array-like of shape (n_components, n_features)
            The means mu_k.
        covariances : array-like of shape (n_components, n_features, n_features)
            The covariances Sigma_k.
        epsilon : float
            Entropic regularisation.

        Returns
        -------
        EntropicPlan
            The plan, with full scales.
        """
        means, covariances = np.asarray(means, float), np.asarray(covariances, float)
        eye = np.eye(means.shape[1])
        # S = (I + eps Sigma^-1)^-1 without an inverse of Sigma
        scales = np.linalg.solve(covariances + epsilon * eye, covariances)
        scales = (scales + np.swapaxes(scales, 1, 2)) / 2
        less = eye - scales
        r = (less @ means[:, :, None])[:, :, 0]
        ell = np.log(weights) + np.linalg.slogdet(less)[1] / 2
        ell = ell - np.sum(means * r, axis=1) / (2 * epsilon)
        return cls.from_parameters(ell, r, scales, epsilon, "full")

    @property
    def epsilon(self):
        """Entropic regularisation."""
        return self.mixture.epsilon

    @property
    def parameters(self):
        """Mixture of the adjusted potential in the coordinates of the data."""
        return shifted(self.mixture, self.source_mean, self.target_mean)

    def __sklearn_array_api_convert__(self, converter):
        """Let scikit-learn move fitted estimators between array libraries."""
        means = converter(self.source_mean), converter(self.target_mean)
        return EntropicPlan(self.mixture.convert(converter), *means)

    def origin(self, t):
        """Return where the mean of the source has moved to at time t.

        Parameters
        ----------
        t : float
            Time in [0, 1].

        Returns
        -------
        array of shape (n_features,)
            The point between both means.
        """
        return self.source_mean * (1 - t) + self.target_mean * t

    def _asked(self, X, method):
        return self, X

    def _drawing(self, random_state):
        return as_generator(random_state)

    def conditional_mean(self, X):
        """Return T(x) = E[Y | X = x] = sum_k p_k(x) (r_k + S_k x).

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        array of shape (n_samples, n_features)
            Conditional means.
        """
        centred = X - self.source_mean
        return self.mixture.conditional_mean(centred) + self.target_mean

    def log_normalizer(self, X):
        """Return log c(x), c(x) = integral of exp(<x,y>/eps) v(y) dy.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Source rows.

        Returns
        -------
        array of shape (n_samples,)
            Values.
        """
        inner = self.mixture.log_normalizer(X - self.source_mean)[0]
        return inner + X @ self.target_mean / self.epsilon

    def log_adjusted_potential(self, Y):
        """Return log v(y).

        Parameters
        ----------
        Y : array of shape (n_samples, n_features)
            Target rows.

        Returns
        -------
        array of shape (n_samples,)
            Values.
        """
        Y = Y - self.target_mean
        return self.mixture.log_adjusted(Y) - Y @ self.source_mean / self.epsilon

    def sample(self, X, t=0.0, s=1.0, *, random_state=None):
        """Draw X_s given X_t = x, one for each row.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Rows at time t.
        t, s : float, default=0.0 and 1.0
            Times, 0 <= t < s <= 1.
        random_state : int, RandomState, Generator or None, default=None
            Source of randomness.

        Returns
        -------
        array of shape (n_samples, n_features)
            Draws.
        """
        rng, X = as_generator(random_state), X - self.origin(t)
        chosen = choose(self.mixture.log_potential(X, t)[1], rng)
        laws = self.mixture.transitions(t, s)
        return draw_components(X, chosen, laws, rng) + self.origin(s)

    def log_marginal(self, X, t, source, source_weight):
        """Return the log-density of X_t when the source is a weighted sample.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Rows at time t.
        t : float
            Time in (0, 1].
        source : array of shape (n_source, n_features)
            Rows of the source.
        source_weight : array of shape (n_source,)
            Weights that sum to one.

        Returns
        -------
        array of shape (n_samples,)
            Log-densities; cost O(n_samples * n_source * n_features).
        """
        xp, m = namespace(X), self.mixture
        # around the moving centre the law is that of the centred bridge: no difference
        # of potentials that grow with the means
        source, X = source - self.source_mean, X - self.origin(t)
        variance, heat = self.epsilon * t, []
        prior = xp.log(source_weight) - m.log_potential(source, 0.0)[0]
        prior = prior - xp.sum(source**2, axis=1) / (2 * variance)
        for rows in row_blocks(X, source):
            scores = source @ rows.T / variance + prior[:, None]
            own = xp.sum(rows**2, axis=1) / (2 * variance)
            heat.append(log_sum_exp(scores)[0] - own)
        constant = X.shape[1] / 2 * math.log(2 * math.pi * variance)
        return m.log_potential(X, t)[0] + xp.concat(heat) - constant

    def source_mean_given(self, Y, source, source_weight):
        """Return the mean of X given Y = y when the source is a weighted sample.

        Parameters
        ----------
        Y : array of shape (n_samples, n_features)
            Target rows.
        source : array of shape (n_source, n_features)
            Rows of the source.
        source_weight : array of shape (n_source,)
            Weights that sum to one.

        Returns
        -------
        mean : array of shape (n_samples, n_features)
            Means over the source rows, with weights P(x_i | y).
        size : array of shape (n_samples,)
            How many rows they rest on: one over the sum of squared weights.
        """
        xp = namespace(Y)
        source, Y = source - self.source_mean, Y - self.target_mean
        prior = xp.log(source_weight) - self.mixture.log_normalizer(source)[0]
        means, sizes = [], []
        for rows in row_blocks(Y, source):
            scores = source @ rows.T / self.epsilon + prior[:, None]
            _, weight = log_sum_exp(scores)
            means.append(weight.T @ source)
            sizes.append(1 / xp.sum(weight**2, axis=0))
        return xp.concat(means) + self.source_mean, xp.concat(sizes)


def row_blocks(X, partners):
    """Cut rows so that a block of them against all partners stays small."""
    cuts = blocks(X.shape[0], max(1, ENTRIES // partners.shape[0]))
    return (X[cut, :] for cut in cuts)


def draw_each(draw, X, n_samples):
    """Draw so often from every row, in an axis of its own; None is once, without it."""
    if n_samples is None:
        return draw(X)
    check_count(n_samples)
    xp = namespace(X)
    drawn = draw(xp.repeat(X, n_samples, axis=0))
    return xp.reshape(drawn, (X.shape[0], n_samples, *drawn.shape[1:]))
