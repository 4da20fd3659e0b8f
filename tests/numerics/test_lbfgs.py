"""L-BFGS: it falls to the minimum, remembers, stops, and says how it ended."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize, rosen, rosen_der

from sklearn_ext._numerics._lbfgs import Stopping, minimise


class Point(NamedTuple):
    value: float
    gradient: np.ndarray


def plain(vector, now):
    return vector


def unknown(theta, now):
    return np.inf


def bowl(rng, d=12, condition=1e3):
    """Return a convex function with its curvatures: log-cosh along random axes."""
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    A = np.geomspace(1, condition**0.5, d)[:, None] * turn

    def evaluate(theta):
        z = A @ theta - 1
        return Point(float(np.logaddexp(z, -z).sum()), A.T @ np.tanh(z))

    return evaluate, A


def test_it_falls_to_the_minimum_of_scipy(rng):
    evaluate, A = bowl(rng)
    values = []
    found = minimise(
        evaluate,
        np.zeros(len(A)),
        plain,
        unknown,
        Stopping(tol=1e-12),
        report=lambda theta, now: values.append(now.value),
    )
    assert found.converged
    assert not found.interrupted
    assert np.all(np.diff(values) <= 0)
    assert len(values) == found.n_iter
    peer = minimize(lambda t: evaluate(t)[:2], np.zeros(len(A)), jac=True, tol=1e-9)
    assert_allclose(found.evaluation.value, peer.fun, rtol=1e-8)
    assert_allclose(found.theta, np.linalg.solve(A, np.ones(len(A))), atol=1e-3)


def test_a_preconditioner_saves_iterations(rng):
    evaluate, A = bowl(rng, condition=1e6)
    inverse = np.linalg.inv(A.T @ A)
    counts = [
        minimise(evaluate, np.zeros(len(A)), apply, unknown, Stopping(1e-9)).n_iter
        for apply in (plain, lambda vector, now: inverse @ vector)
    ]
    assert counts[1] < 0.5 * counts[0]


def test_pairs_of_negative_curvature_are_skipped():
    found = minimise(
        lambda t: Point(rosen(t) + 1, rosen_der(t)),
        np.array([-1.2, 1.0]),
        plain,
        unknown,
        Stopping(tol=1e-14),
    )
    assert_allclose(found.theta, 1, atol=1e-4)


def test_it_stops_by_bound_floor_report_and_count(rng):
    evaluate, A = bowl(rng)
    start = np.zeros(len(A))
    bounded = minimise(evaluate, start, plain, lambda theta, now: 0.0, Stopping())
    assert (bounded.n_iter, bounded.n_evaluations, bounded.converged) == (0, 1, True)
    floored = minimise(evaluate, start, plain, unknown, Stopping(0, floor=1e9))
    assert (floored.n_iter, floored.converged) == (0, True)
    told = minimise(
        evaluate, start, plain, unknown, Stopping(0), report=lambda theta, now: True
    )
    assert (told.n_iter, told.converged, told.interrupted) == (1, False, True)
    short = minimise(evaluate, start, plain, unknown, Stopping(0, max_iter=3))
    assert (short.n_iter, short.converged, short.interrupted) == (3, False, False)


def test_first_length_is_tried_first(rng):
    evaluate, A = bowl(rng)
    tried = []

    def watched(theta):
        tried.append(theta)
        return evaluate(theta)

    minimise(
        watched,
        np.zeros(len(A)),
        plain,
        unknown,
        Stopping(max_iter=1),
        first_length=lambda theta, step: 0.125,
    )
    assert_allclose(tried[1], -0.125 * evaluate(tried[0]).gradient)


def test_tensors_are_moved_as_arrays_are(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    evaluate, A = bowl(rng)

    def on_tensors(theta):
        now = evaluate(theta.numpy())
        return Point(now.value, torch.from_numpy(now.gradient))

    start = np.zeros(len(A))
    host = minimise(evaluate, start, plain, unknown, Stopping(1e-8))
    found = minimise(on_tensors, torch.tensor(start), plain, unknown, Stopping(1e-8))
    assert_allclose(found.theta.numpy(), host.theta, rtol=1e-6)


def stairs(theta):
    """Fall fast, then slowly along a plateau, then far down."""
    z = theta[0]
    falls = 3 - np.tanh(5 * (z - 1)) - np.tanh(5 * (z - 9)) - 1e-5 * z
    slope = 5 * (np.tanh(5 * (z - 1)) ** 2 + np.tanh(5 * (z - 9)) ** 2 - 2) - 1e-5
    return Point(float(falls), np.array([slope]))


@pytest.mark.parametrize(
    "options",
    [
        {"stopping": Stopping(1e-3, patience=0.9)},
        {"stopping": Stopping(1e-3), "excess": lambda theta, now: now.value - 0.999},
    ],
)
def test_a_plateau_is_not_the_minimum(options):
    def crawl(vector, now):
        return vector / max(abs(vector[0]), 1e-300)  # unit steps, whatever the slope

    plain = {"stopping": Stopping(1e-3)}
    found, patient = (
        minimise(stairs, np.zeros(1), crawl, unknown, memory=1, **given)
        for given in (plain, options)
    )
    assert found.converged
    assert found.evaluation.value > 2.9
    assert patient.evaluation.value < 1.1 or not patient.converged
