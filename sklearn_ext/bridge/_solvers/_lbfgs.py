"""Quasi-Newton minimisation of the penalised loss, on the host, in float64."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._samples import Sample
from sklearn_ext.bridge._solvers._fixed_point import (
    Fit,
    expect,
    penalty,
    pooled,
    squares,
    taller,
)
from sklearn_ext.bridge._solvers._start import problem_of, solve, warm_state

WARM_UP = 10  # fixed-point passes before it


def pack(mixture):
    """Return free parameters: log a, r / sqrt(eps), and log S or Cholesky factors."""
    scales = mixture.scales
    if mixture.covariance_type in ("tied", "full"):
        factor = np.linalg.cholesky(scales)
        D = factor.shape[-1]
        factor = factor.copy()
        factor[..., range(D), range(D)] = np.log(factor[..., range(D), range(D)])
        tail = factor[..., *np.tril_indices(D)]
    else:
        tail = np.log(scales)
    means = mixture.means / np.sqrt(mixture.epsilon)
    return np.concatenate([mixture.log_weights, means.ravel(), tail.ravel()])


def unpack(theta, like):
    """Undo :func:`pack`; return the mixture and the factors of full scales."""
    K, D = like.means.shape
    ell, means = theta[:K], theta[K : K + K * D].reshape(K, D)
    tail, factor = theta[K + K * D :], None
    if like.covariance_type in ("tied", "full"):
        shape = (D, D) if like.covariance_type == "tied" else (K, D, D)
        factor = np.zeros(shape)
        factor[..., *np.tril_indices(D)] = tail.reshape(*shape[:-2], -1)
        factor[..., range(D), range(D)] = np.exp(factor[..., range(D), range(D)])
        scales = factor @ np.swapaxes(factor, -1, -2)
    else:
        scales = np.exp(tail).reshape(like.scales.shape)
    means = means * np.sqrt(like.epsilon)
    mixture = PotentialMixture.of(
        ell, means, scales, like.epsilon, like.covariance_type
    )
    return mixture, factor


def loss_and_gradient(theta, problem, anchor, weight):
    """Return the penalised loss and its gradient in the free parameters.

    ``anchor`` is the state whose masses and pooled covariances the prior holds fixed.
    """
    mixture, factor = unpack(theta, anchor.mixture)
    kind, eps = mixture.covariance_type, mixture.epsilon
    scores = (mixture.source_scores(F) for F, _ in problem.source.blocks)
    c, p = expect(scores, problem.source, kind)
    scores = (mixture.target_scores(F) for F, _ in problem.target.blocks)
    v, q = expect(scores, problem.target, kind)
    gap = q.mean - mixture.means
    value = c - v + penalty(problem, mixture, anchor)
    if kind in ("spherical", "diag"):
        d_means, tail = _diagonal(mixture, p, q, gap, anchor, weight, problem.floor)
    else:
        d_means, tail = _full(mixture, factor, p, q, gap, anchor, weight, problem.floor)
    parts = [p.mass - q.mass, d_means.ravel() / np.sqrt(eps), tail.ravel()]
    return value, np.concatenate(parts)


def _diagonal(mixture, p, q, gap, anchor, delta, floor):
    lam, eps = mixture.lam, mixture.epsilon
    kind = mixture.covariance_type
    P, Q = p.mass[:, None], q.mass[:, None]
    d_means = P * p.mean - Q * gap / lam
    there = P * (p.spread + squares(p.mean, kind)) + _prior(anchor.source, delta, floor)
    here = Q * (q.spread + squares(gap, kind)) + _prior(anchor.target, delta, floor)
    gradient = (there - here / lam**2) / (2 * eps) + (Q + delta) / (2 * lam)
    n_each = mixture.means.shape[1] if kind == "spherical" else 1
    return d_means, gradient * lam * n_each


def _full(mixture, factor, p, q, gap, anchor, delta, floor):
    eps, D = mixture.epsilon, mixture.means.shape[1]
    S, P, Q = mixture.scales, p.mass[:, None], q.mass[:, None]
    inverse = np.linalg.inv(S)
    if mixture.covariance_type == "tied":
        d_means = P * p.mean - (Q * gap) @ inverse
        there = p.spread + (P * p.mean).T @ p.mean
        there = there + floor * np.eye(D)
        here, mass = q.spread + (Q * gap).T @ gap + floor * np.eye(D), 1.0
    else:
        d_means = P * p.mean - Q * (inverse @ gap[:, :, None])[:, :, 0]
        there = _weighted_squares(p, p.mean) + _prior(anchor.source, delta, floor)
        here = _weighted_squares(q, gap) + _prior(anchor.target, delta, floor)
        mass = (Q + delta)[:, :, None]
    gradient = (there - inverse @ here @ inverse) / (2 * eps) + mass * inverse / 2
    d_factor = 2 * gradient @ factor
    d_factor[..., range(D), range(D)] *= factor[..., range(D), range(D)]
    return d_means, d_factor[..., *np.tril_indices(D)]


def _prior(moments, delta, floor):
    """Return what prior and floor add to a component's squares."""
    mass = taller(moments.mass + delta, moments.spread)
    if moments.spread.ndim == 3:
        floor = floor * np.eye(moments.spread.shape[-1])
    return delta * pooled(moments) + mass * floor


def _weighted_squares(moments, means):
    return moments.mass[:, None, None] * (moments.spread + squares(means, "full"))


def fit_lbfgs(sides, options, rng, mixture, report):
    """Make ten fixed-point passes, then L-BFGS; return a Fit and the passes in all."""
    warm_up = replace(options, max_iter=min(WARM_UP, options.max_iter))
    first, n_iter = solve(*sides, warm_up, rng, mixture=mixture)
    sides = [Sample(*side.host) for side in sides]
    problem = problem_of(*sides, options)
    mixture = first.state.mixture.like(sides[0].X)
    anchor = warm_state(problem, mixture)
    weight = 0.0 if options.covariance_type == "tied" else problem.prior
    curve, stopped = [*first.curve], []

    def follow(theta):
        state = warm_state(problem, unpack(theta, mixture)[0])
        curve.append(state.loss)
        if report(state):
            stopped.append(True)
            raise StopIteration

    left = max(1, options.max_iter - n_iter)
    found = minimize(
        loss_and_gradient,
        pack(mixture),
        (problem, anchor, weight),
        method="L-BFGS-B",
        jac=True,
        callback=follow,
        options={"maxiter": left, "ftol": 1e-12, "gtol": 1e-7, "maxcor": 20},
    )
    last = warm_state(problem, unpack(found.x, mixture)[0])
    drop = curve[-2] - curve[-1] if len(curve) > 1 else 0.0
    done = found.success or drop < options.tol * mixture.means.shape[1]
    fit = Fit(last, curve, bool(done), drop, stopped=bool(stopped))
    return fit, n_iter + found.nit
