"""Batched nets against nets trained alone, autograd and torch's own AdamW."""

import copy
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext._numerics._nets import (
    _forward,
    forward,
    initial_weights,
    members_of,
    n_parameters,
    shapes,
    sizes_of,
)
from tests._marks import PICKLED_TENSORS

torch = pytest.importorskip("torch")
from sklearn_ext._numerics._nets._nets_torch import (  # noqa: E402
    BatchedMLP,
    MemberAdam,
    spread,
    views,
)

PLAIN, DEEP = (5, 16, 16, 3), (5, 12, 12, 12, 12, 1)
NETS = [(PLAIN, 0.0), (PLAIN, 1.3), (DEEP, 0.0), (DEEP, 0.7), ((4, 9, 2), 0.0)]


def std_of(sizes):
    return {name: 1 / math.sqrt(shape[0]) for name, shape in shapes(sizes).items()}


def make(k=3, sizes=PLAIN, dtype=np.float64, **params):
    return BatchedMLP(k, sizes, std_of(sizes), dtype=dtype, **params)


def rows(n=30, d=5, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.standard_normal((n, d)), dtype=dtype)


def reference(tensors, X, branch, masks=None):
    """The formulas word by word, one member at a time, by autograd; (batch, k, K)."""
    out = []
    n_layers = len(tensors) // 2 - 1
    X = X * tensors["scale_0"][:, None] if "scale_0" in tensors else X
    for j in range(len(tensors["bias_0"])):
        own = {name: tensor[j] for name, tensor in tensors.items()}
        x = X if X.ndim == 2 else X[j]
        mask = [1.0] * n_layers if masks is None else [m[j] for m in masks]
        h = x @ own["weight_0"] + own["bias_0"]
        for layer in range(1, n_layers):
            z = h.relu() * mask[layer - 1]
            z = z @ own[f"weight_{layer}"] + own[f"bias_{layer}"]
            h = h + branch * z if branch else z
        out.append(h.relu() * mask[-1] @ own["weight_out"] + own["bias_out"])
    return torch.stack(out, 1)


@pytest.mark.parametrize(("sizes", "branch"), NETS)
@pytest.mark.parametrize("own_rows", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_pass_and_gradient_are_those_of_autograd(sizes, branch, own_rows, scaled):
    net = make(sizes=sizes, branch=branch, scaled=scaled)
    with torch.no_grad():
        for scale in net._tensors().get("scale_0", ()):
            scale.copy_(torch.linspace(-0.5, 2.0, sizes[0]))
    X = rows(d=sizes[0])
    X = torch.stack([X, X + 1, X - 2]) if own_rows else X
    X.requires_grad_()
    members = net.members.detach().clone().requires_grad_()
    expected = reference(views(members, sizes), X, branch)
    signal = torch.randn(expected.shape, dtype=X.dtype, generator=torch.Generator())
    out = net(X)
    assert_allclose(out.detach(), expected.detach(), rtol=1e-12)
    (out * signal).sum().backward()
    of_rows, X.grad = X.grad, None
    (expected * signal).sum().backward()
    assert_allclose(net.members.grad, members.grad, rtol=1e-10, atol=1e-12)
    assert_allclose(of_rows, X.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("laziness", [None, [1.0, 4.0, 0.25]])
@pytest.mark.parametrize(("sizes", "branch"), NETS)
def test_gradient_without_a_graph_is_the_same(sizes, branch, laziness):
    params = {"sizes": sizes, "branch": branch, "laziness": laziness, "dropout": 0.3}
    net, twin = (make(**params, scaled=True, seed=2) for _ in range(2))
    for module in (net, twin):
        with torch.no_grad():
            module.members.add_(0.1 * module.members.sin())
    X = rows(d=sizes[0])
    for _ in range(2):
        net.zero_grad()
        net.outputs(X).pow(3).sum().backward()
        twin.differentiate(X, lambda out: 3 * out**2)
        assert_allclose(twin.members.grad, net.members.grad, rtol=1e-10, atol=1e-12)


def test_gradients_add_up_until_they_are_forgotten():
    net, X = make(), rows()
    net(X).sum().backward()
    once = net.members.grad.clone()
    net(X).sum().backward()
    assert_allclose(net.members.grad, 2 * once, rtol=1e-12)
    net.zero_grad()
    net(X[:7]).sum().backward()
    net(X[7:]).sum().backward()
    assert_allclose(net.members.grad, once, rtol=1e-10, atol=1e-12)


def test_outputs_are_differentiated_before_the_net_is_evaluated_again():
    net, X = make(), rows()
    first = net(X)
    with torch.no_grad():
        net(X)
    first.sum().backward()
    for other in (X, X[:7]):
        late = net(X)
        net(other)
        with pytest.raises(RuntimeError, match="Call backward first"):
            late.sum().backward()


@pytest.mark.parametrize("for_gradient", [True, False])
def test_batches_of_all_sizes_lie_in_the_memory_of_the_largest(for_gradient):
    net, X = make(), rows()
    largest = net._kept_buffers(X, for_gradient)
    for part in (X[:-1], X[:7], X):
        found = net._kept_buffers(part, for_gradient)
        assert found.room is largest.room
        for a, b in zip(found.entering, largest.entering, strict=True):
            assert a.data_ptr() == b.data_ptr()
            assert a.shape[1] == len(part)
    other = net._kept_buffers(X, not for_gradient)  # an evaluation leaves it alone
    assert other.entering[0].data_ptr() != largest.entering[0].data_ptr()
    larger = torch.cat([X, X])
    assert_allclose(net(larger).detach()[: len(X)], net(X).detach(), rtol=1e-12)


@pytest.mark.parametrize("laziness", [None, [1.0, 4.0, 1.0]])
def test_scales_of_columns_start_at_one_and_become_part_of_the_first_matrix(laziness):
    X, net = rows(), make(scaled=True, laziness=laziness)
    expected = make(laziness=laziness)(X).detach()
    assert_allclose(net(X).detach(), expected, rtol=1e-12, atol=1e-14)
    with torch.no_grad():
        net._tensors()["scale_0"].copy_(torch.rand(3, 5, generator=torch.Generator()))
    weights = net.to_weights()
    assert "scale_0" not in weights
    found = forward(weights, X.numpy())
    assert_allclose(found, net(X).detach().transpose(0, 1), rtol=1e-10, atol=1e-12)


def test_scales_move_at_a_rate_of_their_own():
    net = make(scaled=True)
    factors = {name: 0.0 for name in shapes(PLAIN)} | {"scale_0": 6.0}
    optimizer = MemberAdam(
        net.parameters(), rates=[0.1, 0.01, 0.0], factors=spread(factors, PLAIN)
    )
    before = net.to_weights()
    net(rows()).square().sum().backward()
    optimizer.step()
    moved = (net._tensors()["scale_0"] - 1).abs()
    assert_allclose(moved, np.outer([0.6, 0.06, 0], np.ones(5)), rtol=1e-5)
    assert_array_equal(net.to_weights()["weight_1"], before["weight_1"])


def test_dropout_leaves_out_units_of_all_rows_and_is_undone_by_eval():
    net = make(dropout=0.4, seed=3)
    X, twin = rows(), make(seed=3)
    masks = copy.deepcopy(net)._masks()
    assert {round(float(m), 6) for m in masks[0].ravel()} == {0, round(1 / 0.6, 6)}
    members = net.members.detach().clone().requires_grad_()
    expected = reference(views(members, PLAIN), X, 0.0, masks)
    out = net(X)
    assert_allclose(out.detach(), expected.detach(), rtol=1e-12, atol=1e-14)
    out.square().sum().backward()
    expected.square().sum().backward()
    assert_allclose(net.members.grad, members.grad, rtol=1e-10, atol=1e-12)
    assert_allclose(net.eval()(X).detach(), twin(X).detach())


def train(net, X, y, masks, rates, orders, freeze=None):
    """A few epochs of minibatches; the loss is the sum of the members' losses."""
    optimizer = MemberAdam(net.parameters(), rates=rates)
    for order in orders:
        for batch in order.split(8):
            optimizer.zero_grad()
            error = (net(X[batch])[:, :, 0] - y[batch, None]).square()
            (masks[:, batch].T * error).mean(0).sum().backward()
            optimizer.step()
        if freeze is not None:
            optimizer.freeze(freeze)
    return net.to_weights()


@pytest.mark.parametrize("branch", [0.0, 0.8])
def test_members_of_a_batch_are_nets_trained_alone(branch):
    X, rng = rows(), np.random.default_rng(0)
    y, sizes, rates = X[:, 0].sin(), (5, 16, 16, 1), [0.03, 0.001, 0.01]
    masks = torch.as_tensor(rng.uniform(0, 2, (3, 30)).round())
    orders = [torch.as_tensor(rng.permutation(30)) for _ in range(5)]
    seeds = [7, 8, 9]
    together = make(sizes=sizes, branch=branch, seed=seeds)
    together = train(together, X, y, masks, rates, orders)
    for j in range(3):
        alone = make(1, sizes=sizes, branch=branch, seed=[seeds[j]])
        alone = train(alone, X, y, masks[[j]], rates[j : j + 1], orders)
        for name, w in members_of(together, [j]).items():
            assert_allclose(w, alone[name], rtol=1e-10, atol=1e-12)


def test_one_seed_spawns_members_that_do_not_depend_on_their_number_or_precision():
    std = std_of(PLAIN)
    many = initial_weights(5, PLAIN, std, seed=3)
    few = initial_weights(2, PLAIN, std, seed=3, dtype=np.float32)
    for name in shapes(PLAIN):
        assert_array_equal(many[name][:2].astype(np.float32), few[name])
    assert not np.allclose(many["weight_0"][0], many["weight_0"][1])
    assert_allclose(many["weight_1"].std(), 0.25, rtol=0.1)
    equal = initial_weights(2, PLAIN, std, seed=[4, 4])
    assert_array_equal(equal["weight_out"][0], equal["weight_out"][1])


def test_global_generators_stay_untouched():
    torch.manual_seed(0)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    make(dropout=0.5)(rows())
    assert_array_equal(torch.get_rng_state(), before)
    assert_array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize(("sizes", "branch"), NETS)
@pytest.mark.parametrize("laziness", [None, [1.0, 4.0, 0.25]])
def test_numpy_equals_torch(monkeypatch, sizes, branch, dtype, rtol, laziness):
    monkeypatch.setattr(_forward, "ROWS", 7)
    net = make(sizes=sizes, branch=branch, dtype=dtype, laziness=laziness)
    with torch.no_grad():
        net.members.add_(0.01 * net.members.sin())
    X = rows(d=sizes[0], dtype=net.members.dtype)
    expected = net(X).detach().permute(1, 0, 2)
    weights = net.to_weights()
    # f - f_0 rounds like f, and is then multiplied
    atol = rtol * float(expected.abs().max()) * max(laziness or [1])
    out = forward(weights, X.numpy())
    assert out.dtype == weights["weight_0"].dtype == dtype
    assert_allclose(out, expected, rtol=rtol, atol=atol)
    own = np.stack([X, X + 1, X])
    expected = net(torch.as_tensor(own)).detach().permute(1, 0, 2)
    out = forward(weights, own)
    assert_allclose(out, expected, rtol=rtol, atol=atol)
    assert n_parameters(weights) == net.members.numel()
    assert sizes_of(weights) == sizes


def test_lazy_members_start_at_zero_and_share_a_run_with_rich_ones():
    X = rows()
    net = make(laziness=[1.0, 32.0, 1.0], seed=2)
    out, rich = net(X), make(seed=2)(X)
    assert_allclose(out[:, [0, 2]].detach(), rich[:, [0, 2]].detach(), rtol=1e-12)
    assert_allclose(out[:, 1].detach(), 0, atol=1e-12)
    signal = torch.ones_like(out)
    out.backward(signal)
    plain = make(seed=2)
    plain(X).backward(signal)
    scale = torch.tensor([1.0, 32.0, 1.0])[:, None]
    assert_allclose(net.members.grad, scale * plain.members.grad, rtol=1e-12)
    assert "laziness" not in make(laziness=[1.0, 1.0, 1.0]).to_weights()


@PICKLED_TENSORS
def test_module_pickles_copies_and_reports_what_it_was_given():
    net = make(laziness=[1.0, 2.0, 3.0], branch=0.5, base_units=8, seed=1)
    X = rows()
    net(X).sum().backward()
    for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert_array_equal(twin(X).detach(), net(X).detach())
        with torch.no_grad():
            twin.members.zero_()
        assert not (twin(X) == net(X)).all()
    weights = net.to_weights()
    assert weights["base_units"] == 8
    assert weights["branch"] == 0.5
    weights["weight_0"][:] = 0
    assert (net.to_weights()["weight_0"] != 0).any()


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_equal_rates_are_adamw_of_torch(decay):
    sizes, X = PLAIN, rows()
    net, rate = make(), 0.02
    factors = {name: 1 / (1 + i) for i, name in enumerate(shapes(sizes))}
    decays = {name: decay * i for i, name in enumerate(shapes(sizes))}
    ours = MemberAdam(
        net.parameters(),
        rates=[rate] * 3,
        factors=spread(factors, sizes),
        decays=spread(decays, sizes),
    )
    tensors = {
        name: view.detach().clone().requires_grad_()
        for name, view in views(net.members, sizes).items()
    }
    groups = [
        {"params": [t], "lr": rate * factors[name], "weight_decay": decays[name]}
        for name, t in tensors.items()
    ]
    theirs = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-8)
    full = [group["lr"] for group in theirs.param_groups]
    for step in range(20):
        schedule = 0.5 + 0.5 * math.cos(step / 7)
        ours.param_groups[0]["lr"] = schedule  # what a callback or scheduler sets
        for group, lr in zip(theirs.param_groups, full, strict=True):
            group["lr"] = schedule * lr
        for optimizer, out in ((ours, net(X)), (theirs, reference(tensors, X, 0.0))):
            optimizer.zero_grad()
            (out - X[:, :3, None]).square().mean().backward()
            optimizer.step()
    for name, view in views(net.members.detach(), sizes).items():
        assert_allclose(view, tensors[name].detach(), rtol=1e-12, atol=1e-12)


def test_rate_zero_freezes_a_member_exactly_even_of_gradients_that_are_not_finite():
    net = make()
    optimizer = MemberAdam(net.parameters(), rates=[0.1, 0.0, 0.1], decays=0.1)
    before = net.members.detach().clone()
    for _ in range(3):
        net.members.grad = torch.ones_like(net.members)
        net.members.grad[1] = torch.nan
        optimizer.step()
    after = net.members.detach()
    assert_array_equal(after[1], before[1])
    assert (after[[0, 2]] != before[[0, 2]]).all()
    assert after.isfinite().all()


def test_member_that_is_not_finite_leaves_the_others_as_they_would_be():
    X, rng = rows(), np.random.default_rng(0)
    y, sizes, masks = X[:, 0].sin(), (5, 16, 16, 1), torch.ones(3, 30)
    orders = [torch.as_tensor(rng.permutation(30)) for _ in range(4)]
    healthy = train(make(sizes=sizes), X, y, masks, [0.01] * 3, orders)
    sick = make(sizes=sizes)
    with torch.no_grad():
        sick.members[1, 3] = torch.inf
    sick = train(sick, X, y, masks, [0.01] * 3, orders, freeze=[1])
    for name in shapes(sizes):
        assert_array_equal(sick[name][[0, 2]], healthy[name][[0, 2]])
    assert not np.isfinite(forward(sick, X.numpy())[1]).any()
    assert np.isfinite(forward(sick, X.numpy())[[0, 2]]).all()


@pytest.mark.slow
def test_a_step_does_not_import_the_compiler_of_torch():
    """It would take a second of the first fit."""
    code = """
import sys
from sklearn_ext._numerics._nets._nets_torch import BatchedMLP, MemberAdam
import torch
std = {f"{kind}_{layer}": 1.0 for kind in ("weight", "bias") for layer in (0, "out")}
net = BatchedMLP(2, (3, 4, 1), std)
optimizer = MemberAdam(net.parameters(), rates=[0.1, 0.1])
optimizer.zero_grad()
net(torch.ones(5, 3)).sum().backward()
optimizer.step()
assert "torch._dynamo" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_gradients_are_forgotten_or_set_to_zero():
    net = make()
    optimizer = MemberAdam([{"params": net.parameters(), "eps": 1e-3}], rates=[0.1] * 3)
    assert optimizer.param_groups[0]["eps"] == 1e-3
    net(rows()).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert_array_equal(net.members.grad, 0)
    optimizer.zero_grad()
    assert net.members.grad is None
