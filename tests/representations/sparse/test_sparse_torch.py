"""The network by gradients: budgets of a batch, idle features, the estimator."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_wine

from sklearn_ext.representations import SparseAutoencoder

torch = pytest.importorskip("torch", reason="the torch extra is not installed")
pytest.importorskip("skorch", reason="the torch extra is not installed")
nets = pytest.importorskip("sklearn_ext.representations._sparse._sparse_torch")

QUICK = {"max_epochs": 12, "batch_size": 64, "lr": 5e-3}


def net(allocation, **options):
    atoms = np.eye(6, 4) + 0.1
    return nets.SparseNet(atoms, 2, allocation, True, **options).train()


@pytest.mark.parametrize("allocation", ["mutual", "row", "feature"])
def test_the_budget_of_a_batch(allocation):
    worth = torch.rand(9, 6, generator=torch.Generator().manual_seed(0))
    kept = net(allocation)._kept(worth).numpy()
    assert kept.sum() == 18
    if allocation == "row":
        assert (kept.sum(axis=1) == 2).all()
    if allocation == "feature":
        assert (kept.sum(axis=0) == 3).all()
    assert not net(allocation)._kept(torch.zeros(9, 6)).any()


def test_idle_features_learn_from_what_is_left():
    module = net("row")
    module.unused[5] = 2 * nets.PATIENCE
    X = torch.rand(20, 4, dtype=torch.float64)
    scores = torch.rand(20, 6, dtype=torch.float64, requires_grad=True)
    codes = scores.detach() * torch.tensor([1.0, 1, 1, 1, 1, 0])
    module._auxiliary(X, scores, codes).sum().backward()
    assert (scores.grad[:, 5] != 0).any()
    assert (scores.grad[:, :5] == 0).all()
    assert module.unused.tolist() == [0, 0, 0, 0, 0, 2 * nets.PATIENCE + 1]


def test_by_zipf_those_used_too_little_learn_too():
    module = net("row", zipf=True)
    module.usage[:] = torch.tensor([0.5, 0.25, 0.17, 0.12, 0.1, 0.001])
    X = torch.rand(20, 4, dtype=torch.float64)
    scores = torch.rand(20, 6, dtype=torch.float64, requires_grad=True)
    module._auxiliary(X, scores, (scores > 2) * scores.detach()).sum().backward()
    assert (scores.grad[:, 5] != 0).any()
    assert (scores.grad[:, :5] == 0).all()


@pytest.mark.parametrize("encoder", ["linear", "pursuit"])
@pytest.mark.parametrize("allocation", ["mutual", "row", "feature"])
def test_the_estimator(encoder, allocation):
    X, _ = load_digits(return_X_y=True)
    X = X[:900].astype(np.float32)
    model = SparseAutoencoder(
        60,
        n_nonzero_coefs=5,
        allocation=allocation,
        solver="adam",
        encoder=encoder,
        price="train",
        torch_params=QUICK,
        random_state=0,
    )
    state = torch.random.get_rng_state()
    model.fit(X)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.components_.dtype == np.float32
    assert_allclose(np.linalg.norm(model.components_, axis=1), 1, rtol=1e-5)
    assert 4 < model.transform(X).nnz / len(X) <= 5
    assert model.score(X) > -0.35
    assert len(model.loss_curve_) == model.n_iter_ == 12
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    again = model.components_
    assert_allclose(model.fit(X).components_, again)


def test_the_net_goes_on_from_the_alternating_dictionary():
    X, _ = load_digits(return_X_y=True)
    model = SparseAutoencoder(40, n_nonzero_coefs=4, max_iter=4, random_state=0).fit(X)
    cold = SparseAutoencoder(40, n_nonzero_coefs=4, solver="adam", random_state=0)
    cold.set_params(torch_params={**QUICK, "max_epochs": 2}).fit(X)
    model.set_params(warm_start=True, solver="adam", torch_params=cold.torch_params)
    assert model.fit(X).score(X) > cold.score(X)


def test_streams_are_for_the_other_solver():
    X, _ = load_digits(return_X_y=True)
    model = SparseAutoencoder(20, solver="adam")
    with pytest.raises(ValueError, match="takes solver='alternating', got 'adam'"):
        model.fit_blocks([X])
    with pytest.raises(ValueError, match="partial_fit takes solver='alternating'"):
        model.partial_fit(X)


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skorch", None)
    with pytest.raises(ImportError, match=r"sklearn-ext\[torch\]"):
        SparseAutoencoder(4, n_nonzero_coefs=2, solver="adam").fit(np.eye(9))


def test_a_net_that_has_learnt_little_is_no_worse_than_the_mean():
    """A few steps on a raw table: all features say the same, and their sum too much."""
    X = load_wine().data
    model = SparseAutoencoder(
        64, n_nonzero_coefs=4, solver="adam", encoder="linear", random_state=0
    )
    assert model.fit(X).score(X) > -0.3
