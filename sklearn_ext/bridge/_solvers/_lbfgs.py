"""Quasi-Newton minimisation of the penalised loss, on the host, in float64."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext.bridge._mixture import decompose, rotate
from sklearn_ext.bridge._samples import Sample
from sklearn_ext.bridge._solvers._fixed_point import (
    Fit,
    evaluate,
    own_mass,
    penalty,
    prior_squares,
    problem_of,
)
from sklearn_ext.bridge._solvers._start import solve

WARM_UP = 10  # fixed-point passes before it


def pack(mixture):
    """Return free parameters: log a, r / sqrt(eps), and log S or Cholesky factors."""
    if mixture.axes is None:
        tail = np.log(mixture.lam)
    else:
        factor = np.linalg.cholesky(mixture.scales)
        D = factor.shape[-1]
        factor[..., range(D), range(D)] = np.log(factor[..., range(D), range(D)])
        tail = factor[..., *np.tril_indices(D)]
    means = mixture.means / np.sqrt(mixture.epsilon)
    return np.concatenate([mixture.log_weights, means.ravel(), tail.ravel()])


def unpack(theta, like):
    """Undo :func:`pack`; return the mixture and the factors of full scales."""
    K, D = like.means.shape
    ell, means, tail = np.split(theta, [K, K + K * D])
    means = means.reshape(K, D) * np.sqrt(like.epsilon)
    if like.axes is None:
        factor, scales = None, np.exp(tail).reshape(like.lam.shape)
    else:
        factor = np.zeros(like.axes.shape)
        factor[..., *np.tril_indices(D)] = tail.reshape(len(factor), -1)
        factor[..., range(D), range(D)] = np.exp(factor[..., range(D), range(D)])
        scales = factor @ np.swapaxes(factor, -1, -2)
    lam, axes = decompose(scales)
    return replace(like, log_weights=ell, means=means, lam=lam, axes=axes), factor


def loss_and_gradient(theta, problem, anchor):
    """Return the penalised loss and its gradient in the free parameters.

    ``anchor`` is the state whose masses and pooled covariances the prior holds fixed.
    """
    mixture, factor = unpack(theta, anchor.mixture)
    kind, eps, D = mixture.covariance_type, mixture.epsilon, mixture.means.shape[1]
    state = evaluate(problem, mixture)
    value = state.loss + penalty(problem, mixture, anchor)
    p, q = state.source, replace(state.target, mean=state.target.mean - mixture.means)
    (here, source), (there, target) = p.sums(kind), q.sums(kind)
    source = source + prior_squares(problem, anchor.source)
    target = target + prior_squares(problem, anchor.target)
    mass = own_mass(q) + problem.prior
    if factor is None:
        inverse = 1 / mixture.lam
        d_means = here - there * inverse
        d_scales = (source - target * inverse**2) / eps + mass * inverse
        tail = d_scales / 2 * mixture.lam * (D // mixture.lam.shape[1])
    else:
        V = mixture.axes
        inverse = (V / mixture.lam[:, None, :]) @ np.swapaxes(V, 1, 2)
        d_means = here - rotate(there, inverse)
        d_scales = (source - inverse @ target @ inverse) / eps + mass * inverse
        d_factor = d_scales @ factor
        d_factor[..., range(D), range(D)] *= factor[..., range(D), range(D)]
        tail = d_factor[..., *np.tril_indices(D)]
    parts = [p.mass - q.mass, d_means.ravel() / np.sqrt(eps), tail.ravel()]
    return value, np.concatenate(parts)


def fit_lbfgs(source, target, options, rng, *, mixture, report):
    """Make ten fixed-point passes, then L-BFGS; return a Fit and the passes in all."""
    warm_up = replace(options, max_iter=min(WARM_UP, options.max_iter))
    first, n_iter = solve(source, target, warm_up, rng, mixture=mixture)
    problem = problem_of(Sample(*source.host), Sample(*target.host), options)
    mixture = first.state.mixture.convert(to_numpy)
    anchor = evaluate(problem, mixture)
    curve, stopped = [*first.curve], []

    def follow(theta):
        state = evaluate(problem, unpack(theta, mixture)[0])
        curve.append(state.loss)
        if report(state):
            stopped.append(True)
            raise StopIteration

    left = max(1, options.max_iter - n_iter)
    found = minimize(
        loss_and_gradient,
        pack(mixture),
        (problem, anchor),
        method="L-BFGS-B",
        jac=True,
        callback=follow,
        options={"maxiter": left, "ftol": 1e-12, "gtol": 1e-7, "maxcor": 20},
    )
    last = evaluate(problem, unpack(found.x, mixture)[0])
    drop = curve[-2] - curve[-1] if len(curve) > 1 else 0.0
    done = found.success or drop < options.tol * mixture.means.shape[1]
    fit = Fit(last, curve, bool(done), drop, stopped=bool(stopped))
    return fit, n_iter + found.nit
