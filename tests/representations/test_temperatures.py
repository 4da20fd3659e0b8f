"""Individual temperatures: the least loss, its dual, the distance from uniform."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from sklearn_ext.representations._temperatures import individual_temperatures


def robust_loss(h, tau, rho):
    return tau * (logsumexp(h / tau) - np.log(len(h))) + tau * rho


def information(h, tau):
    p = softmax(h / tau)
    return np.log(len(h)) + np.sum(p * np.log(np.maximum(p, 1e-300)))


@pytest.fixture
def similarities(rng):
    scale = rng.uniform(0.2, 2, size=(40, 1))
    return scale * rng.normal(size=(40, 64))


@pytest.mark.parametrize("rho", [0.1, 0.5, 1.0, 2.0])
def test_the_loss_is_least_there(similarities, rho):
    found = individual_temperatures(similarities, rho=rho)
    for h, tau in zip(similarities, found, strict=True):
        best = minimize_scalar(
            lambda log_tau, h=h: robust_loss(h, np.exp(log_tau), rho),
            bounds=np.log([0.05, 10.0]),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert robust_loss(h, tau, rho) <= best.fun + 1e-10
        assert_allclose(np.log(tau), best.x, atol=1e-4)


@pytest.mark.parametrize("rho", [0.1, 1.0])
def test_the_softmax_is_at_that_distance_from_uniform(similarities, rho):
    found = individual_temperatures(similarities, rho=rho, min_temperature=1e-3)
    inside = (found > 1e-3) & (found < 10)
    assert inside.all()
    distances = [information(h, t) for h, t in zip(similarities, found, strict=True)]
    assert_allclose(distances, rho, rtol=1e-5)


def test_the_least_loss_is_the_worst_mean(similarities):
    """Minimum over temperatures = maximum of p.h over distributions within rho."""
    rho, found = 0.7, individual_temperatures(similarities, rho=0.7)
    for h, tau in zip(similarities[:10], found, strict=False):
        p = softmax(h / tau)
        assert_allclose(robust_loss(h, tau, rho), p @ h, rtol=1e-5)
        rng = np.random.default_rng(0)
        for q in softmax(3 * rng.normal(size=(200, len(h))) + h / tau, axis=1):
            share = 1.0  # move from p's competitor to uniform until it is allowed
            while np.log(len(h)) + np.sum(q * np.log(q + 1e-300)) > rho:
                share *= 0.9
                q = share * q + (1 - share) / len(h)
            assert q @ h <= p @ h + 1e-9


def test_more_information_needs_a_lower_temperature(similarities):
    paths = [individual_temperatures(similarities, rho=r) for r in (0.1, 0.5, 1, 3)]
    assert (np.diff(paths, axis=0) <= 0).all()


def test_what_no_softmax_carries_gives_the_least_temperature(similarities):
    for rho in (np.log(64), 6.0):
        found = individual_temperatures(similarities, rho=rho, min_temperature=0.2)
        assert_array_equal(found, 0.2)


def test_equal_similarities_are_uniform_at_any_temperature():
    found = individual_temperatures(np.ones((2, 5)), max_temperature=4.0)
    assert_array_equal(found, 0.05)  # where tau * rho is least


def test_scale_and_offset(similarities):
    free = {"min_temperature": 1e-4, "max_temperature": 1e4}
    one = individual_temperatures(similarities, **free)
    assert_allclose(individual_temperatures(similarities + 1e3, **free), one, rtol=1e-6)
    assert_allclose(
        individual_temperatures(7 * similarities, **free), 7 * one, rtol=1e-5
    )


def test_a_wide_limit_is_kept(similarities):
    found = individual_temperatures(similarities * 100, rho=0.01, max_temperature=3.0)
    assert_array_equal(found, 3.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_huge_similarities(dtype):
    most = np.finfo(dtype).max
    for size in (most, most / 10, most / 1e10):
        h = np.array([[size, -size, 0, 1], [size, size, size, -size]], dtype=dtype)
        found = individual_temperatures(h)
        # log 4 of one above all is more than a nat, log(4 / 3) of three is less
        assert_allclose(found, [10.0, 0.05], rtol=1e-6)


def test_one_other_and_ties():
    assert_array_equal(individual_temperatures(np.array([[3.0], [1e30]])), 0.05)
    ties = np.array([[1, 1, 0, 0.0]])
    for rho, least in ((np.log(2) + 1e-6, True), (np.log(2) - 1e-3, False)):
        assert (individual_temperatures(ties, rho=rho) == 0.05).all() == least


def test_float32_and_integers():
    h = np.random.default_rng(0).integers(-3, 4, size=(5, 20))
    whole = individual_temperatures(h)
    single = individual_temperatures(h.astype(np.float32))
    assert single.dtype == np.float32
    assert_allclose(single, whole, rtol=1e-4)


def test_tensors_stay_tensors(similarities):
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    found = individual_temperatures(torch.tensor(similarities))
    assert isinstance(found, torch.Tensor)
    assert_allclose(found.numpy(), individual_temperatures(similarities), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"similarities": np.ones(3)}, r"n_others\) with at least one other, .*\(3,\)"),
        ({"similarities": np.ones((3, 0))}, r"at least one other, got shape \(3, 0\)"),
        ({"similarities": [[1.0]]}, "got list"),
        ({"similarities": np.array([[1.0, -np.inf]])}, "similarities must be finite"),
        ({"rho": 0}, "rho must be positive, got 0"),
        ({"rho": np.nan}, "rho must be positive, got nan"),
        (
            {"min_temperature": 2.0, "max_temperature": 1.0},
            "min_temperature=2.0 and max_temperature=1.0",
        ),
        ({"max_temperature": np.inf}, "< infinity, .* max_temperature=inf"),
    ],
)
def test_errors(call, message):
    call = {"similarities": np.ones((3, 4))} | call
    with pytest.raises(ValueError, match=message):
        individual_temperatures(call.pop("similarities"), **call)
