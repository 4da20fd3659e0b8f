"""Losses for nets, and orthogonal steps."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.model_selection import GridSearchCV

from sklearn_ext.losses import comp_sum_loss
from sklearn_ext.losses._spherical_terms import z_terms

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from sklearn_ext.losses import (  # noqa: E402
    CompSumLoss,
    OrthogonalGradient,
    StableMaxLoss,
    ZLoss,
)


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return 3 * rng.normal(size=(20, 5)), rng.integers(0, 5, 20)


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.7, 2])
def test_comp_sum_is_that_of_numpy(scores, tau):
    Z, y = scores
    output = torch.tensor(Z, requires_grad=True)
    each = CompSumLoss(tau, reduction="none")(output, torch.tensor(y))
    p = softmax(Z, axis=1)
    own = p[np.arange(20), y]
    assert_allclose(each.detach(), comp_sum_loss(own, tau=tau), rtol=1e-9)
    each.sum().backward()
    residual = (p - np.eye(5)[y]) * own[:, None] ** (tau - 1)
    assert_allclose(output.grad, residual, rtol=1e-6, atol=1e-9)
    total = CompSumLoss(tau, reduction="sum")(output, torch.tensor(y))
    mean = CompSumLoss(tau)(output, torch.tensor(y))
    assert_allclose(total.item() / 20, mean.item())


def test_z_is_that_of_numpy(scores):
    Z, y = scores
    each = ZLoss(reduction="none")(torch.tensor(Z), torch.tensor(y))
    own = Z[np.arange(20), y]
    expected = z_terms(own, Z.sum(1), (Z**2).sum(1), 5, 0.0, 0.1, 10.0)[0]
    assert_allclose(each, expected, rtol=1e-9)


def test_stable_max(scores):
    Z, y = scores
    s = np.where(Z >= 0, Z + 1, 1 / (1 - np.minimum(Z, 0)))
    expected = np.log(s.sum(axis=1)) - np.log(s[np.arange(20), y])
    found = StableMaxLoss(reduction="none")(torch.tensor(Z), torch.tensor(y))
    assert_allclose(found, expected, rtol=1e-9)
    wild = torch.tensor([[-1e6, 0.0, 1e6]], requires_grad=True)
    StableMaxLoss()(wild, torch.tensor([0])).backward()
    assert torch.isfinite(wild.grad).all()


@pytest.mark.parametrize("rescale", [True, False])
def test_gradient_is_orthogonal(rescale):
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(3, 4)) for _ in range(2)]
    still = torch.nn.Parameter(torch.zeros(4))
    scalar = torch.nn.Parameter(torch.ones(()))
    params = [*weights, still, scalar]
    optimizer = OrthogonalGradient(params, torch.optim.SGD, lr=0, rescale=rescale)
    sum(
        (p * (k + torch.arange(p.numel()).reshape(p.shape))).pow(2).sum() + p.sum()
        for k, p in enumerate(params)
    ).backward()
    before = [p.grad.clone() for p in params]
    optimizer.step()
    for p, old in zip(weights, before, strict=False):
        inner = (p * p.grad).sum().detach() / (p.norm() * old.norm()).detach()
        assert abs(float(inner)) < 1e-6
        assert (abs(p.grad.norm() / old.norm() - 1) < 1e-5) == rescale
    for p, old in zip(params[2:], before[2:], strict=True):
        assert torch.equal(p.grad, old)


def test_state_goes_round_and_schedulers_reach_the_base():
    def model():
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 2)
        return net, OrthogonalGradient(net.parameters(), torch.optim.Adam, lr=0.1)

    def step(net, optimizer):
        optimizer.zero_grad()
        net(torch.ones(4, 3)).pow(2).sum().backward()
        optimizer.step()

    net, optimizer = model()
    step(net, optimizer)
    other, again = model()
    other.load_state_dict(net.state_dict())
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(net, optimizer)
    step(other, again)
    assert torch.equal(net.weight, other.weight)
    schedule = torch.optim.lr_scheduler.StepLR(again, 1, gamma=0.1)
    step(other, again)
    schedule.step()
    assert_allclose(again.base.param_groups[0]["lr"], 0.01)


def test_closure():
    w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = OrthogonalGradient([w], torch.optim.SGD, lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w - 3).pow(2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 5
    assert not torch.equal(w.detach(), torch.tensor([1.0, 2.0]))


def test_inside_a_search_over_nets(wine):
    X, y = wine
    torch.manual_seed(0)
    net = skorch.NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=X.shape[1],
        module__out_features=3,
        criterion=CompSumLoss,
        optimizer=OrthogonalGradient,
        optimizer__base=torch.optim.Adam,
        lr=0.05,
        max_epochs=15,
        train_split=None,
        verbose=0,
    )
    search = GridSearchCV(net, {"criterion__tau": [1.0, 1.7]}, cv=2, scoring="accuracy")
    search.fit(X.astype(np.float32), y)
    assert search.best_score_ > 0.9


def test_refusals():
    with pytest.raises(ValueError, match="tau must be non-negative"):
        CompSumLoss(-1)
    with pytest.raises(ValueError, match="scale must be positive"):
        ZLoss(scale=0)
    with pytest.raises(ValueError, match="reduction must be"):
        StableMaxLoss(reduction="average")
