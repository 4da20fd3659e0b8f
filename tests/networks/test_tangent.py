"""The tangent kernel against Jacobians, lazy training, and the largest curvature."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sklearn_ext._numerics._nets import initial_weights, shapes
from sklearn_ext.networks import (
    MuMLPClassifier,
    MuMLPRegressor,
    kernel_alignment,
    mup_scales,
    neural_tangent_kernel,
    sharpness,
)

torch = pytest.importorskip("torch")
from sklearn_ext._numerics._nets._nets_torch import BatchedMLP  # noqa: E402
from sklearn_ext.networks._tangent._curvature_torch import (  # noqa: E402
    largest_curvature,
    member_losses,
    outputs,
)

NETS = [((4, 7, 2), 0.0), ((4, 7, 7, 3), 0.0), ((4, 6, 6, 6, 1), 0.8)]


def make(k, sizes, branch=0.0, *, base_units=None, seed=0):
    std = {name: 1 / math.sqrt(shape[0]) for name, shape in shapes(sizes).items()}
    net = initial_weights(k, sizes, std, seed=seed, branch=branch)
    return net if base_units is None else {**net, "base_units": np.array(base_units)}


def tensors_of(net, dtype=torch.float64):
    return {k: torch.as_tensor(v, dtype=dtype) for k, v in net.items() if v.ndim}


def jacobian_kernel(net, member, X, Z, factors):
    """The definition: products of the gradients of each row and output."""
    tensors = tensors_of(net)
    leaves = [t.requires_grad_() for t in tensors.values()]
    branch = float(net["branch"])
    total = 0
    for c in range(net["bias_out"].shape[1]):
        sides = []
        for rows in (X, Z):
            out = outputs(tensors, torch.as_tensor(rows), branch)[member, :, c]
            gradients = [torch.autograd.grad(o, leaves, retain_graph=True) for o in out]
            sides.append(
                np.array(
                    [
                        np.concatenate(
                            [
                                math.sqrt(factors[name]) * g.numpy().ravel()
                                for name, g in zip(tensors, row, strict=True)
                            ]
                        )
                        for row in gradients
                    ]
                )
            )
        total = total + sides[0] @ sides[1].T
    return total


@pytest.mark.parametrize(("sizes", "branch"), NETS)
@pytest.mark.parametrize("rates", [False, True])
def test_kernel_is_the_product_of_jacobians(sizes, branch, rates):
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((6, 4)), rng.standard_normal((5, 4))
    net = make(3, sizes, branch, base_units=2)
    factors = dict.fromkeys(shapes(sizes), 1.0)
    if rates:
        n_layers = len(sizes) - 2
        base_layers = n_layers * branch**2 if branch else 2
        scales = mup_scales(sizes[1], 2, n_layers, base_layers, residual=branch > 0)
        factors = {name: scale["rate"] for name, scale in scales.items()}
    expected = jacobian_kernel(net, 1, X, Z, factors)
    found = neural_tangent_kernel(net, X, Z, member=1, rates=rates)
    assert_allclose(found, expected, rtol=1e-10)
    square = neural_tangent_kernel(net, X, member=1, rates=rates)
    assert_allclose(square, jacobian_kernel(net, 1, X, X, factors), rtol=1e-10)


def test_lazy_training_is_kernel_regression():
    """Steps of gradient descent far from zero are those of the kernel at the start."""
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((20, 4)), rng.standard_normal((30, 4))
    y, sizes, alpha = np.sin(X[:, 0]), (4, 128, 128, 1), 100.0
    std = {name: math.sqrt(2 / shape[0]) for name, shape in shapes(sizes).items()}
    net = BatchedMLP(2, sizes, std, laziness=[alpha, 1.0], dtype=np.float64, seed=1)
    K, Kz = (
        neural_tangent_kernel(net.to_weights(), rows, X, rates=False) for rows in (X, Z)
    )
    step = 1 / np.linalg.eigvalsh(K)[-1]
    optimizer = torch.optim.SGD(net.parameters(), lr=step)
    rows, target = torch.as_tensor(X), torch.as_tensor(y)
    for _ in range(50):
        optimizer.zero_grad()
        (0.5 * (net(rows)[:, 0, 0] - target).square()).sum().backward()
        optimizer.step()
    values, vectors = np.linalg.eigh(K)
    passed = (1 - (1 - step * values) ** 50) / values
    expected = Kz @ vectors @ (passed * (vectors.T @ y))
    found = net(torch.as_tensor(Z))[:, 0, 0].detach().numpy()
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_kernel_of_lazy_members_is_that_of_their_outputs():
    net = BatchedMLP(
        2, (4, 7, 1), dict.fromkeys(shapes((4, 7, 1)), 1.0), laziness=[1.0, 8.0]
    )
    X, weights = np.random.default_rng(0).standard_normal((5, 4)), net.to_weights()
    plain = {k: v for k, v in weights.items() if k != "laziness"}
    for member, factor in ((0, 1), (1, 64)):
        K = neural_tangent_kernel(weights, X, member=member)
        assert_allclose(K, factor * neural_tangent_kernel(plain, X, member=member))
        assert K.dtype == np.float32


def test_alignment_is_a_cosine_of_centred_kernels():
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((9, 4)) for _ in range(2))
    K, L = A @ A.T, B @ B.T
    H = np.eye(9) - 1 / 9
    expected = np.trace(H @ K @ H @ L) / (
        np.linalg.norm(H @ K @ H) * np.linalg.norm(H @ L @ H)
    )
    assert_allclose(kernel_alignment(K, L), expected)
    assert_allclose(kernel_alignment(K, 1e300 * K + 7e300), 1.0)
    assert_allclose(kernel_alignment(1e-300 * K, K), 1.0)
    assert kernel_alignment(K, np.full((9, 9), 0.1)) == 0.0


def test_errors_say_what_to_do():
    net = make(2, (4, 7, 1))
    with pytest.raises(
        ValueError, match="member=2 is not one of the 2 members, 0 to 1"
    ):
        neural_tangent_kernel(net, np.zeros((3, 4)), member=2)
    with pytest.raises(ValueError, match=r"4 columns, got 5. .*preprocessor_"):
        neural_tangent_kernel(net, np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"shapes \(3, 3\) and \(2, 2\)"):
        kernel_alignment(np.eye(3), np.eye(2))


@pytest.mark.parametrize(("sizes", "branch"), NETS)
def test_curvature_is_the_largest_eigenvalue_of_the_hessian(sizes, branch):
    rng = np.random.default_rng(0)
    X, codes = rng.standard_normal((12, 4)), rng.integers(sizes[-1], size=12)
    numbers = 3 * rng.standard_normal((12, sizes[-1]))
    net = make(2, sizes, branch, seed=4)
    factors = {name: 1 / (1 + i) for i, name in enumerate(shapes(sizes))}
    for target in (codes, numbers) if sizes[-1] > 1 else (numbers,):
        found = largest_curvature(
            net, X, target, factors=factors, max_iter=5000, tol=1e-9, seed=0
        )
        for j in range(2):
            tensors = {k: v[j : j + 1] for k, v in tensors_of(net).items()}
            names, shape = list(tensors), [t.shape for t in tensors.values()]
            sizes_flat = [math.prod(s) for s in shape]

            def loss(flat, names=names, shape=shape, parts=sizes_flat, target=target):
                split = zip(names, flat.split(parts), shape, strict=True)
                own = {name: part.reshape(s) for name, part, s in split}
                out = outputs(own, torch.as_tensor(X), branch)
                return member_losses(out, torch.as_tensor(target)).sum()

            flat = torch.cat([t.ravel() for t in tensors.values()])
            H = torch.autograd.functional.hessian(loss, flat).numpy()
            roots = np.repeat(np.sqrt([factors[n] for n in names]), sizes_flat)
            expected = np.linalg.eigvalsh(roots[:, None] * H * roots)[-1]
            assert_allclose(found[j], expected, rtol=1e-5)


@pytest.mark.parametrize("rates", [False, True])
def test_sharpness_of_fitted_estimators(rates):
    X, y = load_iris(return_X_y=True)
    fixed = {"learning_rate": 0.01, "max_iter": 3, "n_members": 3, "random_state": 0}
    labels = np.array(["a", "b", "c"])[y]
    model = MuMLPClassifier(**fixed).fit(X, labels)
    state = set(vars(model))
    found = sharpness(model, X, labels, rates=rates)
    assert found.shape == (3,)
    assert (found > 0).all()
    assert set(vars(model)) == state
    with pytest.raises(ValueError, match="holds 'z', which is not one of"):
        sharpness(model, X, np.where(labels == "a", "z", labels))
    X, y = load_diabetes(return_X_y=True)
    model = MuMLPRegressor(**fixed).fit(X, y)
    found = sharpness(model, X, y, rates=rates)
    assert_allclose(MuMLPRegressor(**fixed).fit(X, 9 * y + 7).n_iter_, 3)
    again = sharpness(
        MuMLPRegressor(**fixed).fit(X, 9 * y + 7), X, 9 * y + 7, rates=rates
    )
    assert_allclose(found, again, rtol=1e-3)


def descent(width, kernel_scaling, n_steps=60, rate=1.5):
    """Gradient descent on 256 digits; rate times sharpness at its end, and the loss.

    In weights of variance one, whose multipliers are in front of them, all move at one
    rate. Kernel scaling leaves that rate alone; muP divides the output by the root of
    the relative width more, and multiplies the rate by the relative width.
    """
    X, y = load_digits(return_X_y=True)
    X, y = (X[:256] - X.mean()) / X.std(), torch.as_tensor(y[:256])
    wide = 1.0 if kernel_scaling else width / 64
    sizes = (64, width, width, 10)
    std = {"weight_0": 1 / 8, "bias_0": 0.5, "weight_1": math.sqrt(2 / width)}
    std |= {"weight_out": math.sqrt(2 / width / wide), "bias_1": 0.0, "bias_out": 0.0}
    net = initial_weights(1, sizes, std, seed=0)
    moves = {"weight_0": wide / 64, "weight_1": wide / width, "weight_out": 1 / width}
    moves |= {"bias_0": wide, "bias_1": wide, "bias_out": 1.0}
    moves = {name: rate * moves[name] for name in shapes(sizes)}
    tensors = tensors_of(net, torch.float32)
    tensors = {k: t.requires_grad_() for k, t in tensors.items()}
    rows = torch.as_tensor(X, dtype=torch.float32)
    for _ in range(n_steps):
        loss = member_losses(outputs(tensors, rows, 0.0), y).sum()
        gradients = torch.autograd.grad(loss, list(tensors.values()))
        with torch.no_grad():
            for (name, t), g in zip(tensors.items(), gradients, strict=True):
                t -= moves[name] * g
    net |= {name: t.detach().numpy() for name, t in tensors.items()}
    found = largest_curvature(
        net, X, y.numpy(), factors=moves, max_iter=30, tol=1e-2, seed=0
    )
    return float(found[0]), float(loss.detach())


@pytest.mark.slow
def test_sharpness_under_mup_is_flat_in_the_width_and_falls_under_kernel_scaling():
    widths = (64, 256, 1024)
    mup, loss = np.transpose([descent(n, kernel_scaling=False) for n in widths])
    assert mup.max() < 1.4 * mup.min()
    ntk, ntk_loss = np.transpose([descent(n, kernel_scaling=True) for n in widths])
    assert ntk[2] < ntk[1] < ntk[0]
    assert ntk[2] < 0.75 * ntk[0]
    assert ntk_loss[2] > 1.2 * loss[2]


@pytest.mark.parametrize("member", [1.5, "a", None])
def test_member_is_an_integer(member):
    with pytest.raises(ValueError, match=f"member={member!r} is not one of the 2"):
        neural_tangent_kernel(make(2, (4, 7, 2)), np.ones((2, 4)), member=member)


def test_alignment_is_never_beyond_one():
    for seed in range(20):
        A = np.random.default_rng(seed).normal(size=(9, 3))
        assert abs(kernel_alignment(A @ A.T, A @ A.T)) <= 1
        assert abs(kernel_alignment(A @ A.T, -A @ A.T)) <= 1


class TestSharpnessRefuses:
    @pytest.fixture
    def net(self):
        X, y = load_iris(return_X_y=True)
        options = {"hidden_units": 4, "n_members": 2, "learning_rate": 0.01}
        return MuMLPRegressor(**options, max_iter=1, random_state=0).fit(X, y), X, y

    def test_what_is_no_net(self, net):
        model, X, y = net
        for wrong in (LinearRegression().fit(X, y), make_pipeline(model)):
            with pytest.raises(TypeError, match="sharpness takes a fitted MuMLP"):
                sharpness(wrong, X, y)

    def test_targets_of_another_width(self, net):
        model, X, y = net
        with pytest.raises(ValueError, match="y has 2 columns, but the fit was to 1"):
            sharpness(model, X, np.c_[y, y])

    def test_no_products(self, net):
        with pytest.raises(ValueError, match="max_iter must be a positive integer"):
            sharpness(*net, max_iter=0)
