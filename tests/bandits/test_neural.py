"""A net with an output an action: perturbation, pull, losses."""

import pickle
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

pytest.importorskip("skorch")
torch = pytest.importorskip("torch")

from sklearn_ext.bandits import NeuralBandit, make_linear_bandit, simulate  # noqa: E402
from sklearn_ext.bandits._neural import _net_torch  # noqa: E402
from sklearn_ext.bandits._ridge._feature_map import Waves  # noqa: E402

ABCD = list("abcd")


def net_of(rng, signs, perturbation=0.3):
    start = [rng.normal(size=s) for s in ((2, 1), (1,), (1, 2), (2,))]
    moved = [0.1 * rng.normal(size=part.shape) for part in start]
    plain = Waves(np.zeros(2), np.ones(2), np.zeros((2, 0)), np.zeros(0))
    return _net_torch.Moved(start, moved, signs, perturbation, plain), start, moved


def test_the_mean_over_all_signs_is_a_pull_to_the_start(rng):
    """Squared loss over every vector of signs: the plain loss plus c² |way|²."""
    signs = np.array(list(product([-1.0, 1.0], repeat=7)))
    net, _, moved = net_of(rng, signs)
    X, y = torch.tensor(rng.normal(size=(5, 2))), torch.tensor(rng.normal(size=(5, 2)))
    loss = _net_torch.squared_error(net(X), y).detach().numpy()
    net.perturbation = 0.0
    plain = _net_torch.squared_error(net(X), y).detach().numpy()
    way = np.concatenate([part.ravel() for part in moved])
    assert_allclose(loss, plain + 2 * 0.3**2 * way @ way, rtol=1e-12)  # two outputs


def test_the_perturbation_is_the_formula(rng):
    signs = rng.choice([-1.0, 1.0], size=(3, 7))
    net, start, moved = net_of(rng, signs)
    X = rng.normal(size=(5, 2))
    W, b, V, c = (at + way for at, way in zip(start, moved, strict=True))
    f = np.maximum(X @ W + b, 0) @ V + c
    way = np.concatenate([part.ravel() for part in moved])
    expected = f[..., None] + 0.3 * signs @ way
    assert_allclose(net(torch.tensor(X)).detach().numpy(), expected)


def test_only_what_was_seen_is_lost(rng):
    f = torch.tensor(rng.normal(size=(4, 3, 2)), requires_grad=True)
    y = torch.tensor(rng.uniform(size=(4, 3)))
    y[0] = np.nan
    y[1, 2] = np.nan
    for loss in (_net_torch.squared_error, _net_torch.log_loss):
        values = loss(f, y)
        assert values[0] == 0
        (gradient,) = torch.autograd.grad(values.sum(), f)
        assert not gradient[0].any()
        assert not gradient[1, 2].any()
        assert gradient[1, 0].all()
    p, r = expit(f.detach().numpy()[2]), y.numpy()[2][:, None]
    expected = -(r * np.log(p) + (1 - r) * np.log(1 - p)).mean(axis=1).sum()
    assert_allclose(_net_torch.log_loss(f, y)[2].item(), expected)


def test_numpy_says_what_the_module_says(log):
    X, action, reward, _ = log
    bandit = NeuralBandit(ABCD, random_state=0).fit(X, action, reward=reward)
    moved = [a - b for a, b in zip(bandit.coefs_, bandit._first, strict=True)]
    net = _net_torch.Moved(bandit._first, moved, np.zeros((1, 0)), 0.0, bandit._map)
    f = net(torch.tensor(X))[..., 0].detach().numpy()
    assert_allclose(bandit.predict_reward(X), reward.mean() + reward.std() * f)


def test_a_pull_keeps_the_net_near_its_start(log):
    X, action, reward, _ = log

    def way(pull):
        bandit = NeuralBandit(ABCD, pull=pull, max_iter=100, random_state=0)
        bandit.fit(X, action, reward=reward)
        pairs = zip(bandit.coefs_, bandit._first, strict=True)
        return sum(((a - b) ** 2).sum() for a, b in pairs)

    assert way(1.0) < 0.5 * way(0.01) < 0.5 * way(0.0) + 1e-9


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "log_loss", "exploration": "small_loss"},
        {"perturbation": 0.01, "n_members": 5},
        {"replay": False},
    ],
    ids=str,
)
def test_it_learns(params):
    problem = make_linear_bandit(1200, 4, 3, rate=0.4, random_state=0)
    run = simulate(NeuralBandit(**params), problem, batch_size=100, random_state=0)
    uniform = (problem.best - problem.expected.mean(axis=1)).mean()
    assert run.expected_regret[0, 600:].mean() < 0.8 * uniform


def test_a_call_trains_on_from_where_the_net_stands(log):
    X, action, reward, _ = log
    bandit = NeuralBandit(ABCD, random_state=0).fit(X, action, reward=reward)
    at = np.arange(120), np.searchsorted(ABCD, action)
    loss = np.mean((bandit.predict_reward(X)[at] - reward) ** 2)
    before, start = bandit.coefs_[0].copy(), bandit._first[0]
    bandit.partial_fit(X[:10], action[:10], reward=reward[:10])
    assert len(bandit._log) == 130
    ways = [abs(a - b).mean() for a, b in ((bandit.coefs_[0], before), (before, start))]
    assert ways[0] < ways[1]  # and not from the start again
    assert np.mean((bandit.predict_reward(X)[at] - reward) ** 2) < 1.5 * loss
    alone = NeuralBandit(ABCD, replay=False, random_state=0)
    assert alone.fit(X, action, reward=reward)._log is None


def test_what_is_stored_is_arrays(log):
    X, action, reward, _ = log
    bandit = NeuralBandit(ABCD, random_state=0).fit(X, action, reward=reward)
    assert b"torch" not in pickle.dumps(bandit)
    again = NeuralBandit(ABCD, random_state=0).fit(X, action, reward=reward)
    assert_array_equal(again.predict_proba(X), bandit.predict_proba(X))


def test_log_losses_need_shares(log):
    X, action, reward, _ = log
    with pytest.raises(ValueError, match="needs rewards between 0 and 1"):
        NeuralBandit(ABCD, loss="log_loss").fit(X, action, reward=reward)
