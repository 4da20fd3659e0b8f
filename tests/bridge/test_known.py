"""Known plans: between Gaussians, against equation and closed form, and drawn ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import sqrtm

from sklearn_ext.bridge import gaussian_entropic_plan, make_entropic_ot
from sklearn_ext.bridge._solvers._fixed_point import covariance_map, variance_map


def spd(rng, D=4):
    A = rng.normal(size=(D, D))
    return A @ A.T + 0.1 * np.eye(D)


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 10.0])
def test_covariance_map_solves_its_equation(rng, epsilon):
    C0, C1 = spd(rng), spd(rng)
    S = covariance_map(C0, C1, epsilon)
    assert_allclose(S @ C0 @ S + epsilon * S, C1, rtol=0, atol=1e-10)
    assert np.linalg.eigvalsh(S).min() > 0


def test_singular_covariances_are_allowed(rng):
    C1, low = spd(rng), np.diag([1.0, 2.0, 0.0, 0.0])
    assert_allclose(covariance_map(0 * C1, C1, 0.5), C1 / 0.5, rtol=1e-10)
    S = covariance_map(low, C1, 0.5)
    assert_allclose(S @ low @ S + 0.5 * S, C1, atol=1e-10)
    S = covariance_map(C1, low, 0.5)
    assert_allclose(S @ C1 @ S + 0.5 * S, low, atol=1e-10)


def test_variance_map_is_the_scalar_case(rng):
    v0, v1 = rng.uniform(0, 2, 5), rng.uniform(0, 2, 5)
    s = variance_map(v0, v1, 0.3)
    assert_allclose(s**2 * v0 + 0.3 * s, v1, rtol=1e-12)
    one = covariance_map(v0[:, None, None], v1[:, None, None], 0.3)
    assert_allclose(one[:, 0, 0], s, rtol=1e-12)
    assert_allclose(variance_map(np.zeros(1), np.ones(1), 0.3), 1 / 0.3)


def test_cross_covariance_equals_the_published_formula(rng):
    C0, C1, eps = spd(rng), spd(rng), 0.7
    plan = gaussian_entropic_plan(np.zeros(4), C0, np.zeros(4), C1, eps)
    root = sqrtm(C0).real
    inverse = np.linalg.inv(root)
    D = sqrtm(4 * root @ C1 @ root + eps**2 * np.eye(4)).real
    cross = root @ D @ inverse / 2 - eps / 2 * np.eye(4)
    assert_allclose(C0 @ plan.parameters.scales[0], cross, rtol=1e-8, atol=1e-9)


def test_limits_in_epsilon():
    plan = gaussian_entropic_plan([0.0], [[4.0]], [1.0], [[9.0]], 1e-9)
    assert_allclose(plan.conditional_mean([[2.0]]), [[1 + 2 * 3 / 2]], rtol=1e-6)
    plan = gaussian_entropic_plan([0.0], [[4.0]], [1.0], [[9.0]], 1e9)
    mean, cov = plan.conditional_mean_cov(np.array([[2.0]]))
    assert_allclose(mean, [[1.0]], rtol=1e-6)
    assert_allclose(cov, [[[9.0]]], rtol=1e-6)


def test_pushing_the_source_gives_the_target(rng):
    C0, C1, eps = spd(rng), spd(rng), 0.7
    m0, m1 = rng.normal(size=4), rng.normal(size=4)
    plan = gaussian_entropic_plan(m0, C0, m1, C1, eps)
    S = plan.parameters.scales[0]
    assert_allclose(S @ C0 @ S + eps * S, C1, rtol=1e-9)
    assert_allclose(plan.conditional_mean(m0[None]), m1[None], rtol=1e-12)


def test_dual_value_is_the_entropic_cost(rng):
    """E|x|^2/2 + E|y|^2/2 - eps L equals the closed-form optimum (section 4)."""
    C0, C1, eps, D = spd(rng), spd(rng), 0.7, 4
    m0, m1 = rng.normal(size=D), rng.normal(size=D)
    plan = gaussian_entropic_plan(m0, C0, m1, C1, eps)
    S = plan.parameters.scales[0]
    shift = m1 - S @ m0
    mean_c = (np.trace(S @ C0) + m0 @ S @ m0 + 2 * shift @ m0) / (2 * eps)
    gap = m1 - shift
    inside = np.trace(np.linalg.solve(S, C1)) + gap @ np.linalg.solve(S, gap)
    logdet = np.linalg.slogdet(2 * np.pi * eps * S)[1]
    loss = mean_c + (inside / eps + logdet) / 2
    squares = (np.trace(C0) + m0 @ m0 + np.trace(C1) + m1 @ m1) / 2
    dual = squares - eps * loss
    transport = (np.sum((m0 - m1) ** 2) + np.trace(C0) + np.trace(C1)) / 2
    transport -= np.trace(C0 @ S)
    entropy = (D + logdet) / 2
    assert_allclose(dual, transport - eps * entropy, rtol=1e-10)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="epsilon must be positive and finite, got 0"):
        gaussian_entropic_plan([0.0], [[1.0]], [0.0], [[1.0]], 0)
    with pytest.raises(ValueError, match="must agree, got shapes"):
        gaussian_entropic_plan([0.0, 1.0], [[1.0]], [0.0], [[1.0]], 1.0)


@pytest.mark.parametrize("kind", ["isotropic", "diagonal", "full"])
def test_known_pairs_have_equal_gates(kind):
    pair = make_entropic_ot(20_000, 10, 2, kind=kind, random_state=0)
    assert_allclose(pair.plan.gate_proba(pair.X).mean(axis=0), 0.2, atol=0.02)
    again = make_entropic_ot(20_000, 10, 2, kind=kind, random_state=0)
    assert_array_equal(pair.Y, again.Y)


def test_unknown_kind_of_pair():
    with pytest.raises(ValueError, match="kind must be one of"):
        make_entropic_ot(kind="round")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"epsilon": -1.0}, "epsilon must be positive"),
        ({"epsilon": np.inf}, "epsilon must be positive"),
        ({"n_source": 0}, "n_source must be at least 1"),
        ({"n_components": 0}, "n_components must be at least 1"),
    ],
)
def test_bad_known_pairs(change, match):
    with pytest.raises(ValueError, match=match):
        make_entropic_ot(**change)
