"""Closed forms of plan and bridge against quadrature, differences and simulation."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from sklearn_ext.bridge import EntropicPlan
from sklearn_ext.bridge._mixture import join, split

KINDS = ["spherical", "diag", "tied", "full"]


def random_plan(rng, kind, D=3, K=3, epsilon=0.7, means=True):
    A = rng.normal(size=(K, D, D)) / 2
    full = A @ np.swapaxes(A, 1, 2) + 0.2 * np.eye(D)
    scales = {
        "spherical": rng.uniform(0.2, 2, K),
        "diag": rng.uniform(0.2, 2, (K, D)),
        "tied": full[0],
        "full": full,
    }[kind]
    ell, r = rng.normal(size=K), rng.normal(size=(K, D))
    plan = EntropicPlan.from_parameters(ell, r, scales, epsilon, kind)
    if not means:
        return plan
    return EntropicPlan(plan.mixture, rng.normal(size=D), rng.normal(size=D))


def full_scales(plan):
    m = plan.parameters
    K, D = m.means.shape
    scales = m.scales
    if m.covariance_type == "spherical":
        return scales[:, None, None] * np.eye(D)
    if m.covariance_type == "diag":
        return scales[:, :, None] * np.eye(D)
    return np.broadcast_to(scales, (K, D, D))


@pytest.fixture(params=KINDS)
def plan(request, rng):
    return random_plan(rng, request.param)


@pytest.fixture
def X(rng):
    return rng.normal(size=(6, 3)) * 1.5


def test_scales_survive_their_eigenbasis(rng):
    A = rng.normal(size=(2, 3, 3))
    S = A @ np.swapaxes(A, 1, 2)
    assert_allclose(join(*split(S, "full"), "full"), S, rtol=1e-12)
    assert_allclose(join(*split(S[0], "tied"), "tied"), S[0], rtol=1e-12)


@pytest.mark.parametrize("kind", ["spherical", "diag", "full"])
def test_normalizer_and_conditional_moments_against_quadrature(rng, kind):
    plan = random_plan(rng, kind, D=1)
    y = np.linspace(-40, 40, 400_001)
    x = rng.normal(size=4)
    law = np.exp(
        x[:, None] * y / plan.epsilon + plan.log_adjusted_potential(y[:, None])
    )
    c = np.trapezoid(law, y, axis=1)
    assert_allclose(plan.log_normalizer(x[:, None]), np.log(c), rtol=1e-9)
    mean = np.trapezoid(law * y, y, axis=1) / c
    var = np.trapezoid(law * y**2, y, axis=1) / c - mean**2
    got_mean, got_cov = plan.conditional_mean_cov(x[:, None])
    assert_allclose(got_mean[:, 0], mean, rtol=1e-9)
    assert_allclose(got_cov[:, 0, 0], var, rtol=1e-9)
    assert_allclose(plan.conditional_mean(x[:, None])[:, 0], mean, rtol=1e-9)
    cost = np.trapezoid(law * (y - x[:, None]) ** 2 / 2, y, axis=1) / c
    assert_allclose(plan.transport_cost(x[:, None]), cost, rtol=1e-9)
    grid = np.linspace(-40, 40, 40_001)
    pairs = np.full((len(grid), 1), x[0]), grid[:, None]
    density = np.exp(plan.log_density(*pairs))
    assert_allclose(np.trapezoid(density, grid), 1, rtol=1e-9)


def test_log_density_equals_the_ratio_of_potentials(plan, X, rng):
    Y = rng.normal(size=X.shape)
    direct = np.sum(X * Y, axis=1) / plan.epsilon + plan.log_adjusted_potential(Y)
    assert_allclose(plan.log_density(X, Y), direct - plan.log_normalizer(X), rtol=1e-9)
    t, s = 0.3, 0.7
    ratio = plan.log_potential(Y, s) - plan.log_potential(X, t)
    variance = plan.epsilon * (s - t)
    heat = norm.logpdf(Y - X, scale=np.sqrt(variance)).sum(axis=1)
    assert_allclose(plan.log_density(X, Y, t, s), ratio + heat, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_log_density_where_gates_underflow(kind, dtype):
    scales = {"spherical": [0.2] * 2, "diag": [[0.2]] * 2, "tied": [[0.2]]}
    scales["full"] = [[[0.2]]] * 2
    plan = EntropicPlan.from_parameters(
        [0.0, 0.0], [[-3.0], [3.0]], scales[kind], 0.01, kind
    )
    x, y = np.array([[2.0]], dtype), np.array([[-2.6]], dtype)
    # the gate of the component that reaches y is exp(-1200)
    expected = norm.logpdf(-2.6, -3 + 0.4, np.sqrt(0.002)) - 1200
    found = plan.__sklearn_array_api_convert__(lambda a: a.astype(dtype))
    assert_allclose(found.log_density(x, y), expected, rtol=1e-5)
    direct = 2 * -2.6 / 0.01 + plan.log_adjusted_potential(y) - plan.log_normalizer(x)
    assert_allclose(found.log_density(x, y), direct, rtol=1e-5)


def test_potential_at_both_ends(plan, X):
    half = np.sum(X**2, axis=1) / (2 * plan.epsilon)
    assert_allclose(
        plan.log_potential(X, 0.0), plan.log_normalizer(X) - half, rtol=1e-9
    )
    constant = X.shape[1] / 2 * np.log(2 * np.pi * plan.epsilon)
    assert_allclose(
        plan.log_potential(X, 1.0),
        plan.log_adjusted_potential(X) + half + constant,
        rtol=1e-9,
    )


def test_centred_form_equals_the_parameters_in_data_coordinates(plan, X):
    m = plan.parameters
    zero = np.zeros(3)
    direct = EntropicPlan(m, zero, zero)
    for t in (0.0, 0.4, 1.0):
        assert_allclose(plan.log_potential(X, t), direct.log_potential(X, t), rtol=1e-9)
        assert_allclose(plan.drift(X, t), direct.drift(X, t), rtol=1e-8, atol=1e-10)
    assert_allclose(plan.conditional_mean(X), direct.conditional_mean(X), rtol=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0])
def test_drift_is_the_gradient_of_the_potential(plan, X, t):
    h, gradient = 1e-5, np.empty_like(X)
    for d in range(3):
        step = np.eye(3)[d] * h
        high, low = plan.log_potential(X + step, t), plan.log_potential(X - step, t)
        gradient[:, d] = (high - low) / (2 * h)
    assert_allclose(plan.drift(X, t), plan.epsilon * gradient, rtol=1e-7, atol=1e-8)


def test_drift_points_at_the_expected_end(plan, X):
    t = 0.4
    law = plan.conditional(X, t, 1.0)
    end = np.sum(law.weights[:, :, None] * law.means, axis=1)
    assert_allclose(plan.drift(X, t), (end - X) / (1 - t), rtol=1e-9)


def test_potential_against_the_heat_kernel(rng):
    plan = random_plan(rng, "diag", D=1)
    y = np.linspace(-40, 40, 400_001)
    x, t = rng.normal(size=3), 0.35
    heat = norm.pdf(y, x[:, None], np.sqrt(plan.epsilon * (1 - t)))
    end = np.exp(plan.log_potential(y[:, None], 1.0))
    assert_allclose(
        plan.log_potential(x[:, None], t),
        np.log(np.trapezoid(heat * end, y, axis=1)),
        rtol=1e-9,
    )


def test_diagonal_matrices_give_the_same_plan_in_every_form(rng, X):
    s = rng.uniform(0.3, 2)
    ell, r = rng.normal(size=3), rng.normal(size=(3, 3))
    scales = {
        "spherical": np.full(3, s),
        "diag": np.full((3, 3), s),
        "tied": s * np.eye(3),
        "full": np.tile(s * np.eye(3), (3, 1, 1)),
    }
    plans = [EntropicPlan.from_parameters(ell, r, scales[k], 0.5, k) for k in KINDS]
    Y = rng.normal(size=X.shape)
    for other in plans[1:]:
        assert_allclose(other.drift(X, 0.6), plans[0].drift(X, 0.6), rtol=1e-10)
        assert_allclose(
            other.log_density(X, Y, 0.2, 0.9), plans[0].log_density(X, Y, 0.2, 0.9)
        )
        assert_allclose(other.transport_cost(X), plans[0].transport_cost(X))


def test_conditional_mixture_against_its_textbook_form(plan, X):
    m, S = plan.parameters, full_scales(plan)
    A = (
        m.log_weights
        + (np.einsum("nd,kde,ne->nk", X, S, X) / 2 + X @ m.means.T) / plan.epsilon
    )
    p = np.exp(A - logsumexp(A, axis=1, keepdims=True))
    means = m.means + np.einsum("kde,ne->nkd", S, X)
    law = plan.conditional(X)
    assert_allclose(law.weights, p, rtol=1e-8)
    assert_allclose(plan.gate_proba(X), p, rtol=1e-8)
    assert_allclose(law.means, means, rtol=1e-8)
    T = np.sum(p[:, :, None] * means, axis=1)
    d = means - T[:, None]
    cov = np.einsum("nk,kde->nde", p, plan.epsilon * S)
    cov += np.einsum("nk,nkd,nke->nde", p, d, d)
    got_T, got_cov = plan.conditional_mean_cov(X)
    assert_allclose(got_T, T, rtol=1e-8)
    assert_allclose(got_cov, cov, rtol=1e-8)
    cost = (np.sum((T - X) ** 2, axis=1) + np.trace(cov, axis1=1, axis2=2)) / 2
    assert_allclose(plan.transport_cost(X), cost, rtol=1e-8)


def test_three_transitions_compose_to_one(plan):
    n = 40_000
    start = np.tile([[0.5, -1.0, 0.2]], (n, 1))
    x, times = start, [0.0, 0.25, 0.7, 1.0]
    rng = np.random.default_rng(0)
    for t, s in pairwise(times):
        x = plan.sample(x, t, s, random_state=rng)
    mean, cov = plan.conditional_mean_cov(start[:1])
    spread = np.sqrt(np.diag(cov[0]) / n)
    assert (abs(x.mean(axis=0) - mean[0]) < 4.5 * spread).all()
    fourth = np.mean((x - x.mean(axis=0)) ** 4, axis=0)
    error = np.sqrt(fourth / n)
    assert (abs(x.var(axis=0) - np.diag(cov[0])) < 4.5 * error).all()


def test_exact_paths_have_the_marginals_of_the_transition(plan):
    n, t = 40_000, 0.4
    start = np.tile([[0.5, -1.0, 0.2]], (n, 1))
    paths = plan.sample_path(start, np.array([0.0, t, 1.0]), random_state=0)
    assert_allclose(paths[:, 0], start, rtol=0, atol=1e-15)
    law = plan.conditional(start[:1], 0.0, t)
    mean = law.weights @ law.means[0]
    error = np.sqrt(paths[:, 1].var(axis=0) / n)
    assert (abs(paths[:, 1].mean(axis=0) - mean[0]) < 4.5 * error).all()
    end = (1 - t) * start[0] + t * plan.conditional_mean(start[:1])[0]
    assert_allclose(mean[0], end, rtol=1e-8)


def test_exact_paths_agree_with_euler_paths(rng):
    plan = random_plan(rng, "diag")
    start = np.tile([[0.5, -1.0, 0.2]], (4000, 1))
    exact = plan.sample_path(start, np.linspace(0, 1, 3), random_state=0)
    fine = np.linspace(0, 1, 501)
    euler = plan.sample_path(start, fine, method="euler", random_state=1)[:, ::250]
    error = np.sqrt((exact.var(axis=0) + euler.var(axis=0)) / 4000) + 1e-12
    gap = abs(exact.mean(axis=0) - euler.mean(axis=0))
    assert (gap < 4.5 * error + 5e-3).all()
    assert_allclose(exact.std(axis=0), euler.std(axis=0), rtol=0.08)


def test_potential_is_a_martingale_under_the_prior(rng):
    plan = random_plan(rng, "full", epsilon=0.5)
    x, t, s = np.array([[0.4, -0.3, 0.8]]), 0.2, 0.6
    noise = rng.normal(size=(200_000, 3)) * np.sqrt(plan.epsilon * (s - t))
    ratio = np.exp(plan.log_potential(x + noise, s) - plan.log_potential(x, t))
    assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / np.sqrt(len(ratio))


def test_marginal_density_against_the_brute_force_mixture(plan, X, rng):
    source, u, t = rng.normal(size=(5, 3)), rng.dirichlet(np.ones(5)), 0.6
    law = plan.conditional(source, 0.0, t)
    cov = law.covariances
    density = np.zeros(len(X))
    for i in range(5):
        for k in range(3):
            C = np.diag(cov[k]) if cov.ndim == 2 else cov[k]
            component = multivariate_normal(law.means[i, k], C).pdf(X)
            density += u[i] * law.weights[i, k] * component
    got = plan.log_marginal(X, t, source, u)
    assert_allclose(got, np.log(density), rtol=1e-10, atol=1e-10)


def test_published_potential_gives_the_same_plan(rng):
    K, D, eps = 2, 2, 0.8
    A = rng.normal(size=(K, D, D))
    cov = A @ np.swapaxes(A, 1, 2) + 0.5 * np.eye(D)
    w, mu = rng.dirichlet(np.ones(K)), rng.normal(size=(K, D))
    plan = EntropicPlan.from_potential(w, mu, cov, eps)
    Y = rng.normal(size=(7, D))
    phi = sum(w[k] * multivariate_normal(mu[k], cov[k]).pdf(Y) for k in range(K))
    gap = np.log(phi) - plan.log_potential(Y, 1.0)
    assert_allclose(gap - gap[0], 0, atol=1e-12)


def test_float32_and_tensors_keep_their_kind(plan, X):
    single = plan.__sklearn_array_api_convert__(lambda a: a.astype(np.float32))
    assert single.drift(X.astype(np.float32), 0.5).dtype == np.float32
    torch = pytest.importorskip("torch")
    moved = plan.__sklearn_array_api_convert__(torch.as_tensor)
    rows = torch.as_tensor(X)
    assert_allclose(moved.conditional_mean(rows).numpy(), plan.conditional_mean(X))
    path = moved.sample_path(rows, np.linspace(0, 1, 4), random_state=3)
    same = plan.sample_path(X, np.linspace(0, 1, 4), random_state=3)
    assert_allclose(path.numpy(), same, rtol=1e-10, atol=1e-12)
