"""The slopes of losses, which are written down, against autograd."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch")
from sklearn_ext.networks._training._train_torch import (  # noqa: E402
    MemberLoss,
    row_loss,
)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize("own_rows", [False, True])
def test_loss_and_slope_are_those_of_the_formula(kind, penalty, own_rows):
    rng = np.random.default_rng(0)
    output = torch.as_tensor(3 * rng.standard_normal((2, 4, 7))).requires_grad_()
    shape = (2, 7) if own_rows else (7,)
    if kind == "classes":
        y = torch.as_tensor(rng.integers(4, size=shape))
        total = output.logsumexp(1)
        expected = total - output.gather(1, y.expand(2, 7)[:, None])[:, 0]
        expected = expected + penalty * total**2
    else:
        y = torch.as_tensor(rng.standard_normal((*shape, 4)))
        expected = (output - y.mT).square().mean(1)
    table = np.zeros(3, int) if kind == "classes" else np.zeros((3, 4))
    of_row = row_loss(SimpleNamespace(target=table), penalty)
    losses, slope = of_row(output.detach(), y)
    assert_allclose(losses, expected.detach(), rtol=1e-12)
    expected.sum().backward()
    assert_allclose(slope, output.grad, rtol=1e-12, atol=1e-14)


def test_loss_of_a_batch_is_the_sum_of_means_over_rows_that_are_not_left_out():
    rng = np.random.default_rng(0)
    output = torch.as_tensor(rng.standard_normal((2, 1, 6))).requires_grad_()
    y, w = rng.standard_normal((6, 1)), np.array([1.0, 2, 0, 1, 1, 3], np.float32)
    target = {"y": y, "weight": w, "fold": np.array([0, 1, 0, 1, 2, -1])}
    target = {name: torch.as_tensor(a) for name, a in target.items()}
    of_row = row_loss(SimpleNamespace(target=y), 0.0)
    loss = MemberLoss(of_row, np.arange(2), np.array([0.5, 2.0]))
    scaled = w * np.array([[0, 0.5, 0, 0.5, 0.5, 0.5], [2, 0, 2, 0, 2, 2]])
    square = (output[:, 0] - target["y"][:, 0]).square()
    expected = (torch.as_tensor(scaled) * square).mean(1)
    assert_allclose(loss(output, target).detach(), expected.sum().detach(), rtol=1e-7)
    (wanted,) = torch.autograd.grad(expected.sum(), output)
    assert_allclose(loss.slope(output.detach(), target), wanted, rtol=1e-7)
    assert_allclose(loss.mean(), expected.detach(), rtol=1e-7)
    loss.slope(output.detach() + 1, target)
    assert (loss.mean() > expected.detach().numpy()).all()
