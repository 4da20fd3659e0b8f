"""A fitted bridge against quadrature in one dimension, repetition, and the paper."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import norm

from sklearn_ext.bridge import (
    EntropicPlan,
    LightSchrodingerBridge,
    SchrodingerBridgeTrajectory,
    conditional_bures_uvp,
)

GRID = np.linspace(-60.0, 80.0, 40_001)  # wide: the tails decide at t < 1
STEP = GRID[1] - GRID[0]
AT = np.array([-3.0, -1.2, 0.4, 2.0])
KINDS = ["spherical", "diag", "tied", "full"]


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(3)
    X = rng.normal(-1.0, 1.3, size=(400, 1))
    Y = np.concatenate([rng.normal(2, 0.5, (200, 1)), rng.normal(6, 1.0, (150, 1))])
    return X, Y


@pytest.fixture(scope="module")
def bridge(sides):
    model = LightSchrodingerBridge(
        3, epsilon=0.8, fit_inverse_transform=True, random_state=0
    )
    return model.fit(sides[0], X_target=sides[1])


def log_v(bridge, y):
    """Log of the adjusted potential from the public attributes alone."""
    spread = np.sqrt(bridge.epsilon_ * bridge.scales_[:, 0])
    parts = bridge.log_weights_[:, None] + norm.logpdf(
        y, bridge.means_, spread[:, None]
    )
    return logsumexp(parts, axis=0)


def log_phi(bridge, x, t):
    """Log of phi_t(x) = E[phi_1(x + sqrt(eps (1 - t)) Z)], by quadrature."""
    eps = bridge.epsilon_
    end = log_v(bridge, GRID) + GRID**2 / (2 * eps)
    if t == 1:
        return log_v(bridge, x) + x**2 / (2 * eps)
    kernel = norm.logpdf(GRID[None], x[:, None], np.sqrt(eps * (1 - t)))
    return logsumexp(end + kernel, axis=1) + np.log(STEP)


def test_conditional_law_by_quadrature(bridge):
    joint = np.outer(AT, GRID) / bridge.epsilon_ + log_v(bridge, GRID)
    log_c = logsumexp(joint, axis=1) + np.log(STEP)
    density = np.exp(joint - log_c[:, None])
    X = AT[:, None]
    assert_allclose(bridge.transform(X)[:, 0], density @ GRID * STEP, rtol=1e-9)
    y = np.array([1.5, 2.5, 5.0, 7.0])
    expected = AT * y / bridge.epsilon_ + log_v(bridge, y) - log_c
    assert_allclose(bridge.log_density(X, y[:, None]), expected, rtol=1e-9)
    cost = (density * (GRID - X) ** 2 / 2).sum(axis=1) * STEP
    assert_allclose(bridge.transport_cost(X), cost, rtol=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.4, 0.9])
def test_drift_by_quadrature(bridge, t):
    h = 1e-4
    slope = (log_phi(bridge, AT + h, t) - log_phi(bridge, AT - h, t)) / (2 * h)
    found = bridge.drift(AT[:, None], t)[:, 0]
    assert_allclose(found, bridge.epsilon_ * slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("t", "s"), [(0.0, 0.3), (0.2, 0.7), (0.5, 1.0)])
def test_transition_by_quadrature(bridge, t, s):
    x, to = AT, AT + 0.7
    expected = (
        log_phi(bridge, to, s)
        - log_phi(bridge, x, t)
        + norm.logpdf(to, x, np.sqrt(bridge.epsilon_ * (s - t)))
    )
    found = bridge.log_density(x[:, None], to[:, None], t, s)
    assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("t", [0.25, 0.8, 1.0])
def test_marginal_density_is_the_mean_transition_and_integrates_to_one(
    bridge, sides, t
):
    X = sides[0]
    y = np.linspace(-15, 20, 1501)
    density = np.exp(bridge.score_samples(y[:, None], t))
    assert_allclose(density.sum() * (y[1] - y[0]), 1.0, rtol=1e-6)
    some = y[600:900:50]
    brute = [
        logsumexp(bridge.log_density(X, np.full_like(X, v), 0.0, t)) - np.log(len(X))
        for v in some
    ]
    assert_allclose(bridge.score_samples(some[:, None], t), brute, rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_push_forward_keeps_masses_and_mean_of_the_target(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) * [1.0, 2.0] + 4
    Y = np.concatenate([rng.normal(size=(150, 2)), rng.normal(size=(150, 2)) + 5])
    model = LightSchrodingerBridge(
        3, covariance_type=kind, prior_strength=0, reg_covar=0, tol=1e-10
    )
    model.set_params(balance_iter=50, max_iter=1000, random_state=0)
    model.fit(X, X_target=Y)
    # a loss within 1e-10 of its minimum leaves parameters right to about 1e-5
    assert_allclose(model.transform(X).mean(axis=0), Y.mean(axis=0), atol=1e-4)
    mixture = model._plan.parameters
    scores = mixture.target_scores(mixture.features(Y))
    mass = np.exp(scores - logsumexp(scores, axis=0)).mean(axis=1)
    assert_allclose(model.gate_proba(X).mean(axis=0), mass, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_estimator_takes_weights_as_repetitions_on_both_sides(kind):
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(80, 2)), rng.normal(size=(60, 2)) * 2 + 1
    w, v = rng.integers(0, 4, 80), rng.integers(0, 4, 60)
    model = LightSchrodingerBridge(3, covariance_type=kind, random_state=0)
    one = model.fit(X, X_target=Y, sample_weight=w, target_weight=v)
    mapped, loss, epsilon = one.transform(X), one.loss_, one.epsilon_
    two = model.fit(np.repeat(X, w, axis=0), X_target=np.repeat(Y, v, axis=0))
    assert two.epsilon_ == pytest.approx(epsilon, rel=1e-12)
    assert_allclose(two.transform(X), mapped, rtol=1e-7)
    assert two.loss_ == pytest.approx(loss, rel=1e-9)


def test_trajectory_takes_weights_as_repetitions():
    rng = np.random.default_rng(2)
    times = np.repeat([0.0, 1.0, 2.0], 40)
    X = rng.normal(size=(120, 2)) + times[:, None]
    w = rng.integers(0, 4, 120)
    model = SchrodingerBridgeTrajectory(2, random_state=0).fit(X, times, w)
    epsilon, mean = model.epsilon_, model.bridges_[0].transform(X)
    score = model.score(X, times, w)
    rows = np.repeat(np.arange(120), w)
    again = SchrodingerBridgeTrajectory(2, random_state=0).fit(X[rows], times[rows])
    assert again.epsilon_ == pytest.approx(epsilon, rel=1e-10)
    assert_allclose(again.bridges_[0].transform(X), mean, rtol=1e-7)
    assert again.score(X[rows], times[rows]) == pytest.approx(score, rel=1e-8)


def test_trajectory_starts_from_rows_in_proportion_to_weight():
    X = np.array([[0.0], [10.0], [1.0], [2.0]])
    model = SchrodingerBridgeTrajectory(1, random_state=0).fit(
        X, [0, 0, 1, 1], sample_weight=[3.0, 1.0, 1.0, 1.0]
    )
    start = model.interpolate(0.0, 4000, random_state=0)
    assert np.mean(start == 10) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(("D", "epsilon"), [(2, 1.0), (16, 1.0), (16, 10.0)])
def test_error_lies_in_the_range_of_the_paper(D, epsilon):
    # "Light Schrödinger Bridge" reports cBW2-UVP from 0.03 to 0.62 % on pairs with
    # a potential of five components around the sphere of radius 5
    rng = np.random.default_rng(0)
    mu = rng.normal(size=(5, D))
    mu *= 5 / np.linalg.norm(mu, axis=1, keepdims=True)
    plan = EntropicPlan.from_potential(
        np.full(5, 0.2), mu, np.tile(0.1 * np.eye(D), (5, 1, 1)), epsilon
    )
    Y = plan.sample(rng.normal(size=(10_000, D)), random_state=1)
    model = LightSchrodingerBridge(
        5, epsilon=epsilon, covariance_type="spherical", random_state=0
    )
    model.fit(rng.normal(size=(10_000, D)), X_target=Y)
    X = rng.normal(size=(300, D))
    assert conditional_bures_uvp(model, plan, X, Y) < 0.62
