"""Nets: whole-bag batches, losses against the array versions, stopping, pickling."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from sklearn_ext.aggregate import (  # noqa: E402
    AggregateNetClassifier,
    AggregateNetRegressor,
    BagRegressor,
)
from sklearn_ext.aggregate._bags._partition import Bags  # noqa: E402
from sklearn_ext.aggregate._nets._net_torch import (  # noqa: E402
    MLP,
    BagLoader,
    CentredLoss,
    CrossEntropy,
    SquaredLoss,
    bag_tables,
)
from sklearn_ext.aggregate._proportions._losses import (  # noqa: E402
    BagLoss,
    MixedLoss,
    RowLoss,
    debiased_targets,
)


class Linear(torch.nn.Linear):
    """A user's module, importable by name."""


class Dataset:
    def __init__(self, X, **y):
        self.X, self.y = X, y


@pytest.fixture
def batch(rng):
    bag = np.sort(np.r_[np.arange(9), rng.integers(0, 9, 21)])
    w = rng.uniform(0.5, 2, 30)
    bags = Bags.of(bag, 30, w)
    p = rng.dirichlet(np.ones(3), size=9)
    target = {"y": bags.spread(p), "w": w, "bag": bag}
    target = {key: torch.as_tensor(v) for key, v in target.items()}
    return bags, p, target | bag_tables(target)


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_cross_entropy_is_that_of_the_linear_member(rng, batch, rho):
    bags, p, target = batch
    logits = rng.normal(size=(30, 3))
    row, bag = RowLoss(bags.spread(p), bags.weights), BagLoss(p, bags)
    output = torch.tensor(logits, requires_grad=True)
    loss = CrossEntropy(rho)(output, target)
    loss.backward()
    value, slope = MixedLoss(rho, bag, row)(logits)
    assert_allclose(loss.item(), value / 30)
    assert_allclose(output.grad.numpy(), slope / 30, atol=1e-12)


def test_squared_loss(rng, batch):
    bags, p, target = batch
    f = rng.normal(size=(30, 3))
    own = bags.means(f)
    by_bag = np.sum(bags.sizes[:, None] * (p - own) ** 2)
    by_row = np.sum(bags.weights[:, None] * (bags.spread(p) - f) ** 2)
    found = SquaredLoss(0.3)(torch.tensor(f), target)
    assert_allclose(found.item(), (0.7 * by_bag + 0.3 * by_row) / 30)


def test_centred_loss_is_easyllp_over_all_bags(rng):
    """Up to the factor m / (m - 1) of its covariance, which removes a bias."""
    m, k = 8, 4
    bags = Bags.of(np.repeat(np.arange(m), k), m * k)
    p, logits = rng.dirichlet(np.ones(2), size=m), rng.normal(size=(m * k, 2))
    overall = p.mean(axis=0)
    plain = RowLoss(debiased_targets(p, bags), bags.weights)(logits)[0] / (m * k)
    base = RowLoss(np.tile(overall, (m * k, 1)), bags.weights)(logits)[0] / (m * k)
    target = {"y": bags.spread(p), "w": bags.weights, "bag": bags.codes}
    target = {key: torch.as_tensor(v) for key, v in target.items()}
    target |= bag_tables(target)
    found = CentredLoss(overall)(torch.tensor(logits), target).item()
    assert_allclose(found - base, (plain - base) * m / (m - 1), rtol=1e-9)


def test_batches_hold_whole_bags(rng):
    bag = np.sort(np.r_[np.arange(10), rng.integers(0, 10, 40)])
    X = np.arange(50.0)[:, None]
    data = Dataset(X, y=X, w=np.ones(50), bag=bag)
    torch.manual_seed(0)
    seen = []
    for rows, target in BagLoader(data, 3, shuffle=True):
        rows = rows[:, 0].numpy().astype(int)
        assert set(np.flatnonzero(np.isin(bag, bag[rows]))) == set(rows)
        assert len(np.unique(target["bag"])) == len(np.unique(bag[rows]))
        pairs = set(zip(target["bag"].numpy(), bag[rows], strict=True))
        assert len(pairs) == len(np.unique(bag[rows]))
        seen += list(rows)
    assert sorted(seen) == list(range(50))
    assert seen != list(range(50))


@pytest.mark.parametrize(("bags_per_batch", "lr"), [(None, 0.05), (25, 0.01)])
def test_linear_module_meets_the_closed_form(rng, bags_per_batch, lr):
    X = rng.normal(size=(400, 3)) * [1, 5, 0.2] + 2
    y = X @ [1.0, 0.3, -2.0] + 0.1 * rng.normal(size=400)
    bags = rng.permutation(400) // 2
    net = AggregateNetRegressor(
        Linear, 0.0, bags_per_batch=bags_per_batch, lr=lr, random_state=0
    ).fit(X, y, bags=bags)
    exact = BagRegressor(1e-6).fit(X, y, bags=bags)
    assert_allclose(net.predict(X), exact.predict(X), atol=0.15)
    assert net.score(X, y, bags=bags) > 0.98
    copy = pickle.loads(pickle.dumps(net))
    assert_allclose(copy.predict(X), net.predict(X))


def test_stopping_by_held_out_bags(rng):
    X = rng.normal(size=(200, 5))
    y, bags = X[:, 0] + rng.normal(size=200), np.arange(200) // 2
    net = AggregateNetRegressor(
        early_stopping=True, n_iter_no_change=3, lr=0.02, random_state=0
    ).fit(X, y, bags=bags)
    assert net.n_iter_ < 100
    assert len(net.loss_curve_) == net.n_iter_
    with pytest.raises(ValueError, match="holds 0 of 2 bags out"):
        net.fit(X, y, bags=np.arange(200) % 2)
    assert net.n_bags_ == 100


@pytest.mark.parametrize("loss", ["ce", "centred"])
def test_classifier_learns_rows(rng, loss):
    X = rng.normal(size=(600, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "apart")
    bags = rng.permutation(600) // 3
    net = AggregateNetClassifier(
        loss=loss, max_epochs=60, bags_per_batch=32, lr=0.01, random_state=0
    ).fit(X, y, bags=bags)
    assert net.score(X, y) > (0.85 if loss == "ce" else 0.7)
    assert net.predict_bag_proportions(X, bags).shape == (200, 2)


def test_torch_generators_are_left_alone(rng):
    X, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    net = AggregateNetRegressor(max_epochs=2, random_state=0).fit(X, y)
    net.predict(X)
    assert torch.rand(1) == expected
    again = AggregateNetRegressor(max_epochs=2, random_state=0).fit(X, y)
    assert_allclose(again.predict(X), net.predict(X), rtol=0)


def test_two_targets_and_the_default_module(rng):
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    net = AggregateNetRegressor(MLP, max_epochs=3).fit(X, Y, bags=np.arange(40) // 4)
    assert net.predict(X).shape == (40, 2)
    assert net.predict_bags(X, np.arange(40) // 4).shape == (10, 2)


def test_devices(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = AggregateNetRegressor(max_epochs=2, random_state=0)
    found = model.fit(X, y).predict(X)
    assert_allclose(model.set_params(device="cpu").fit(X, y).predict(X), found)
    with pytest.raises(RuntimeError, match="device='nowhere' is not on this machine"):
        model.set_params(device="nowhere").fit(X, y)
