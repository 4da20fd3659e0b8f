"""The scales of muP: what they are, and that they keep what a step changes."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from sklearn_ext.networks._parametrization import mup_scales

ENTRIES = ("std", "rate", "decay")


def column(scales, entry):
    return {name: row[entry] for name, row in scales.items()}


def test_base_width_is_the_ordinary_parametrisation():
    scales = mup_scales(64, base_units=64, n_layers=3, n_features=9)
    assert all(rate == 1 for rate in column(scales, "rate").values())
    assert column(scales, "decay") == {name: "weight" in name for name in scales}
    assert_allclose(scales["weight_0"]["std"], 1 / 3)
    for name in ("weight_1", "weight_2", "weight_out"):
        assert_allclose(scales[name]["std"], math.sqrt(2 / 64))
    assert [scales[f"bias_{b}"]["std"] for b in (0, 1, 2, "out")] == [0.5, 0, 0, 0]


def test_table_of_a_wide_residual_net():
    scales = mup_scales(256, base_units=64, n_layers=8, base_layers=2, residual=True)
    rows = {name: [scales[name][e] for e in ENTRIES] for name in scales}
    assert_allclose(rows["weight_0"], [1, 1, 1])
    assert_allclose(rows["bias_0"], [0.5, 1, 0])
    assert_allclose(rows["weight_5"], [math.sqrt(2 / 256), 0.125, 8])
    assert_allclose(rows["bias_5"], [0, 0.5, 0])
    assert_allclose(rows["weight_out"], [math.sqrt(2) * 8 / 256, 0.25, 4])
    assert_allclose(rows["bias_out"], [0, 1, 0])
    assert len(scales) == 2 * 9


@pytest.mark.parametrize("width", [16, 64, 1000])
def test_decay_of_a_step_does_not_depend_on_the_width(width):
    scales = mup_scales(width, n_layers=5, residual=True)
    for name, row in scales.items():
        assert_allclose(row["rate"] * row["decay"], float("weight" in name))


def changes(width, *, base_units, n_layers=3, residual=False, rate=2**-8, steps=5):
    """Root mean square of the last hidden layer, its change and that of the output."""
    torch = pytest.importorskip("torch")
    from sklearn_ext._numerics._nets._nets_torch import BatchedMLP, MemberAdam, spread

    X, y = load_digits(return_X_y=True)
    X = torch.as_tensor((X[:500] - X.mean()) / X.std(), dtype=torch.float32)
    y = torch.as_tensor(y[:500])
    scales = mup_scales(width, base_units, n_layers, 2, residual, n_features=64)
    sizes = (64, *[width] * n_layers, 10)
    branch = math.sqrt(2 / n_layers) if residual else 0.0
    net = BatchedMLP(2, sizes, column(scales, "std"), branch=branch, seed=0)
    factors = spread(column(scales, "rate"), sizes)
    optimizer = MemberAdam(net.parameters(), rates=[rate] * 2, factors=factors)
    hidden, out = net.last_hidden(X[:200]), net(X[:200]).detach()
    for step in range(steps):
        rows = slice(100 * step, 100 * (step + 1))
        optimizer.zero_grad()
        logits = net(X[rows]).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, y[rows].repeat_interleave(2))
        (2 * loss).backward()
        optimizer.step()

    def rms(a):
        return float(np.sqrt(np.mean(np.square(a.numpy()))))

    return (
        rms(hidden),
        rms(net.last_hidden(X[:200]) - hidden),
        rms(net(X[:200]).detach() - out),
    )


def test_coordinate_check():
    """What five steps change is flat in the width under muP, and grows without."""
    widths = (64, 256, 1024)
    _, hidden, out = np.transpose([changes(n, base_units=64) for n in widths])
    assert hidden.max() < 1.5 * hidden.min()
    assert out.max() < 1.5 * out.min()
    *_, out = np.transpose([changes(n, base_units=n) for n in widths])
    assert out[-1] > 4 * out[0]


def test_depth_check():
    """Residual branches that end in the linear map keep sizes and changes in depth."""
    depths = (2, 4, 8, 16, 32)
    size, change, _ = np.transpose(
        [
            changes(64, base_units=64, n_layers=n, residual=True, rate=2**-7)
            for n in depths
        ]
    )
    assert size.max() < 2 * size.min()
    assert change.max() < 2 * change.min()


@pytest.mark.parametrize("name", ["hidden_units", "n_layers", "n_features"])
@pytest.mark.parametrize("size", [0, -3, 1.5])
def test_sizes_are_positive_integers(name, size):
    with pytest.raises(ValueError, match=f"{name} must be a positive integer, got"):
        mup_scales(**{"hidden_units": 8, name: size})


@pytest.mark.parametrize("name", ["base_units", "base_layers"])
@pytest.mark.parametrize("size", [0, -3, "a"])
def test_bases_are_positive(name, size):
    with pytest.raises(ValueError, match=f"{name} must be positive, got"):
        mup_scales(8, **{name: size})
