"""Probabilities from scores: oracles, limits, worst cases, draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import chisquare

from sklearn_ext.bandits import (
    _exploration,
    inverse_gap_probabilities,
    log_barrier_probabilities,
)
from sklearn_ext.bandits._exploration import (
    draw,
    explore,
    raise_to_minimum,
    small_loss_gamma,
)


@pytest.mark.parametrize("n_actions", [1, 2, 10, 100, 1000])
def test_rows_sum_to_one(rng, n_actions):
    scores = rng.normal(size=(40, n_actions)) * 10.0 ** rng.uniform(-6, 300, (40, 1))
    for gamma in (1e-3, 1.0, 1e4):
        p = log_barrier_probabilities(scores, gamma)
        assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-14)
        assert p.min() >= 0


@pytest.mark.parametrize("n_actions", [2, 5, 12])
@pytest.mark.parametrize("gamma", [0.5, 20.0])
def test_log_barrier_is_the_maximiser(rng, n_actions, gamma):
    u = rng.uniform(size=n_actions)

    def loss(s):
        p = np.exp(s - s.max())
        p /= p.sum()
        gradient = -(u + 1 / (gamma * p))
        return -(u @ p + np.log(p).sum() / gamma), p * (gradient - p @ gradient)

    s = minimize(
        loss, np.zeros(n_actions), jac=True, method="BFGS", options={"gtol": 1e-10}
    ).x
    p = np.exp(s - s.max())
    expected = p / p.sum()
    assert_allclose(log_barrier_probabilities(u, gamma), expected, rtol=0, atol=1e-7)


def test_lambda_is_one_for_all_actions(rng):
    u, gamma = rng.uniform(size=(50, 7)), 13.0
    p = log_barrier_probabilities(u, gamma)
    lam = 1 / p - gamma * (u.max(axis=1, keepdims=True) - u)
    assert_allclose(lam, np.broadcast_to(lam[:, :1], lam.shape), rtol=1e-10)
    assert lam.min() >= 1 - 1e-12
    assert lam.max() <= 7 + 1e-12


def test_limits_of_gamma():
    u = [0.3, 0.9, 0.9, 0.1]
    assert_allclose(log_barrier_probabilities(u, 0), 0.25)
    assert_allclose(log_barrier_probabilities(u, np.inf), [0, 0.5, 0.5, 0])
    assert_allclose(explore("greedy", np.array([u]), 1.0)[0], [0, 0.5, 0.5, 0])
    assert_allclose(log_barrier_probabilities(u, 1e12), [0, 0.5, 0.5, 0], atol=1e-11)


def test_gaps_of_zero_and_of_the_largest_numbers():
    assert_allclose(log_barrier_probabilities([2.0, 2.0, 2.0], 5), 1 / 3)
    assert_array_equal(log_barrier_probabilities([0.0, 1e300], 1e10), [0, 1])
    assert_array_equal(log_barrier_probabilities([-1.7e308, 1.7e308], 1.0), [0, 1])


def _worst(p, u, gamma, best):
    """Regret less gamma/4 of the squared error, at the worst rewards for one best."""
    # the rewards g enter as quadratics: g_a = u_a + 2 (1[a = best] - p_a) / (gamma p_a)
    g = u + 2 * ((np.arange(len(u)) == best) - p) / (gamma * p)
    return g[best] - p @ g - gamma / 4 * p @ (u - g) ** 2


def test_the_log_barrier_equalises_the_worst_case(rng):
    for _ in range(100):
        n_actions = int(rng.integers(2, 9))
        u, gamma = rng.uniform(size=n_actions), 10.0 ** rng.uniform(-1, 3)
        p = log_barrier_probabilities(u, gamma)
        worst = [_worst(p, u, gamma, best) for best in range(n_actions)]
        assert_allclose(worst, (n_actions - 1) / gamma, rtol=1e-10)
        p = inverse_gap_probabilities(u, gamma)
        theirs = max(_worst(p, u, gamma, best) for best in range(n_actions))
        assert theirs >= (n_actions - 1) / gamma * (1 - 1e-10)
        assert theirs <= 2 * (n_actions - 1) / gamma * (1 + 1e-10)


def test_no_other_rewards_are_worse(rng):
    u, gamma = rng.uniform(size=4), 7.0
    p = log_barrier_probabilities(u, gamma)
    g = u + rng.normal(size=(20_000, 4))
    value = g.max(axis=1) - g @ p - gamma / 4 * (u - g) ** 2 @ p
    assert value.max() <= 3 / gamma


def test_inverse_gap_is_the_formula_of_the_papers(rng):
    u, gamma = rng.uniform(size=6), 9.0
    p, best = inverse_gap_probabilities(u, gamma), u.argmax()
    others = np.delete(np.arange(6), best)
    assert_allclose(p[others], 1 / (6 + gamma * (u[best] - u[others])))
    assert_allclose(p.sum(), 1)


def test_small_loss_is_the_published_form(rng):
    losses, gamma = rng.uniform(0.1, 1, size=5), 11.0
    best = losses.min()
    published = best / (5 * best + gamma * (losses - best))
    scores = 1 - losses[None]
    p = inverse_gap_probabilities(scores, small_loss_gamma(scores, gamma, (0, 1)))[0]
    worse = losses > best
    assert_allclose(p[worse], published[worse], rtol=1e-12)
    in_cents = inverse_gap_probabilities(
        100 * scores, small_loss_gamma(100 * scores, gamma, (0, 100)) / 100
    )
    assert_allclose(in_cents[0], p, rtol=1e-12)


def test_unavailable_actions_are_another_problem_not_a_rescaling(rng):
    scores = rng.uniform(size=(30, 5))
    available = rng.uniform(size=(30, 5)) < 0.6
    available[:, 2] = True
    for name in ("log_barrier", "inverse_gap", "greedy"):
        p = explore(name, scores, 8.0, available)
        assert not p[~available].any()
        for row in range(30):
            allowed = available[row]
            alone = explore(name, scores[row : row + 1, allowed], 8.0)[0]
            assert_allclose(p[row, allowed], alone, rtol=1e-12)
    free = log_barrier_probabilities(scores, 8.0) * available
    assert abs(free / free.sum(axis=1, keepdims=True) - p).max() > 0.01


@pytest.mark.parametrize("n_actions", [2, 3, 50])
def test_one_row_is_a_row_of_many(rng, n_actions):
    scores = rng.normal(size=(30, n_actions))
    many = log_barrier_probabilities(scores, 40.0)
    for row in range(30):
        assert_allclose(log_barrier_probabilities(scores[row], 40.0), many[row])


def test_blocks_of_rows_are_put_together(rng):
    scores = rng.normal(size=(2**16 // 8 + 3, 8))
    available = rng.uniform(size=scores.shape) < 0.7
    available[:, 0] = True
    for gamma in (5.0, rng.uniform(1, 9, size=len(scores))):
        whole = log_barrier_probabilities(scores, gamma, available)
        part = slice(2**16 // 8 - 2, None)
        rate = gamma if np.ndim(gamma) == 0 else gamma[part]
        again = log_barrier_probabilities(scores[part], rate, available[part])
        assert_allclose(whole[part], again, rtol=1e-13)


def test_a_gamma_a_row(rng):
    scores, gamma = rng.uniform(size=(9, 3)), rng.uniform(1, 50, size=9)
    each = [log_barrier_probabilities(u, g) for u, g in zip(scores, gamma, strict=True)]
    assert_allclose(log_barrier_probabilities(scores, gamma), each, rtol=1e-13)


def test_minimum_probability(rng):
    p = log_barrier_probabilities(rng.normal(size=(20, 4)), 1e3)
    raised = raise_to_minimum(p, 0.1)
    assert_allclose(raised.sum(axis=1), 1)
    assert raised.min() >= 0.1
    available = np.ones((20, 4), dtype=bool)
    available[:, 3] = False
    raised = raise_to_minimum(
        log_barrier_probabilities(np.zeros((20, 4)), 1.0, available), 0.2, available
    )
    assert_allclose(raised, np.tile([1 / 3, 1 / 3, 1 / 3, 0], (20, 1)))


def test_draws_follow_the_probabilities():
    p = np.array([0.0, 0.2, 0.5, 0.0, 0.3, 0.0])
    drawn = draw(np.tile(p, (20_000, 1)), np.random.RandomState(0))
    counts = np.bincount(drawn, minlength=6)
    assert not counts[p == 0].any()
    assert chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 1e-4


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_gamma_must_not_be_negative(bad):
    with pytest.raises(ValueError, match="gamma must not be negative"):
        log_barrier_probabilities([[1.0, 2.0]], bad)


def test_masks_are_checked():
    with pytest.raises(
        ValueError, match=r"shape of the scores, \(1, 2\), got \(1, 3\)"
    ):
        log_barrier_probabilities([[1.0, 2.0]], 1, [[True, True, False]])
    with pytest.raises(ValueError, match="No action is available in row 1"):
        log_barrier_probabilities(np.ones((2, 2)), 1, [[True, True], [False, False]])


@pytest.mark.parametrize("n_actions", [2, 10, 1000])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 30.0, 1e3, 1e6])
def test_eight_steps_are_enough(rng, monkeypatch, n_actions, spread):
    """On one over the sum Newton is so close to a line that it needs few steps."""
    scores = spread * rng.exponential(size=(200, n_actions))
    found = log_barrier_probabilities(scores, 1.0)
    one = log_barrier_probabilities(scores[0], 1.0)
    monkeypatch.setattr(_exploration, "MAX_STEPS", 8)
    assert_allclose(log_barrier_probabilities(scores, 1.0), found, rtol=1e-12)
    assert_allclose(log_barrier_probabilities(scores[0], 1.0), one, rtol=1e-12)
    assert_allclose(one, found[0], rtol=1e-12)


def test_a_single_row_is_drawn_as_in_a_batch(rng):
    p = rng.dirichlet(np.full(5, 0.3), size=300) * (rng.random((300, 5)) < 0.7)
    p = p[p.sum(axis=1) > 0]
    together = draw(p, np.random.RandomState(0))
    source = np.random.RandomState(0)
    assert_array_equal(np.concatenate([draw(row[None], source) for row in p]), together)
