"""One step of gradient descent in context, against simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.tasks import in_context_risk, one_step_preconditioner

D, M, NOISE = 3, 5, 0.7


@pytest.fixture(scope="module")
def drawn():
    """Contexts, new rows and truths of many tasks."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, D, D))
    x_cov, prior_cov = A @ A.T / D + 0.2 * np.eye(D), B @ B.T / D
    n = 200_000
    X = rng.normal(size=(n, M, D)) @ np.linalg.cholesky(x_cov).T
    w = rng.normal(size=(n, D)) @ np.linalg.cholesky(prior_cov).T
    y = np.einsum("nmd,nd->nm", X, w) + np.sqrt(NOISE) * rng.normal(size=(n, M))
    s = np.einsum("nmd,nm->nd", X, y) / M
    return x_cov, prior_cov, X, w, y, s


def test_preconditioner_is_the_regression_of_coefficients_on_the_step(drawn):
    x_cov, prior_cov, _, w, _, s = drawn
    expected = np.linalg.lstsq(s, w, rcond=None)[0].T
    found = one_step_preconditioner(x_cov, prior_cov, NOISE, M)
    assert_allclose(found, expected, atol=0.02 * abs(expected).max())


def test_risk_of_one_step(drawn):
    x_cov, prior_cov, _, w, _, s = drawn
    step = one_step_preconditioner(x_cov, prior_cov, NOISE, M)
    miss = s @ step.T - w
    simulated = np.einsum("nd,de,ne->n", miss, x_cov, miss).mean()
    assert_allclose(in_context_risk(x_cov, prior_cov, NOISE, M), simulated, rtol=0.02)


def test_risk_of_the_bayes_ridge(drawn):
    x_cov, prior_cov, X, w, y, _ = drawn
    few = slice(0, 20_000)
    inner = X[few].transpose(0, 2, 1) @ X[few] / NOISE + np.linalg.inv(prior_cov)
    b = np.einsum("nmd,nm->nd", X[few], y[few])[:, :, None] / NOISE
    miss = np.linalg.solve(inner, b)[:, :, 0] - w[few]
    simulated = np.einsum("nd,de,ne->n", miss, x_cov, miss).mean()
    found = in_context_risk(
        x_cov, prior_cov, NOISE, M, learner="bayes", n_draws=5000, random_state=0
    )
    assert_allclose(found, simulated, rtol=0.03)
    assert found < in_context_risk(x_cov, prior_cov, NOISE, M)


def test_isotropic_step_is_a_number():
    step = one_step_preconditioner(np.eye(4), np.eye(4), 0.5, n_context=7)
    assert_allclose(step, np.eye(4) / (1 + (4 + 1 + 0.5) / 7))


def test_a_singular_prior_is_allowed():
    prior = np.diag([1.0, 0.0])
    step = one_step_preconditioner(np.eye(2), prior, 1.0, n_context=3)
    assert_allclose(step[1], 0)
    assert (
        in_context_risk(np.eye(2), prior, 1.0, 3, learner="bayes", random_state=0) > 0
    )


@pytest.mark.parametrize(
    ("x_cov", "prior_cov", "message"),
    [
        (np.ones((2, 3)), np.eye(2), "x_cov must be a square matrix"),
        (np.eye(2), np.eye(3), "prior_cov must have the shape of x_cov"),
        (np.eye(2), -np.eye(2), "prior_cov must be a covariance"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), np.eye(2), "x_cov must be a covariance"),
    ],
)
def test_bad_covariances_are_refused(x_cov, prior_cov, message):
    with pytest.raises(ValueError, match=message):
        one_step_preconditioner(x_cov, prior_cov, 1.0, 3)
