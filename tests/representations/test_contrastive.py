"""The contrastive encoder: batches, losses, and what it learns."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV

torch = pytest.importorskip("torch", reason="the torch extra is not installed")
pytest.importorskip("skorch", reason="the torch extra is not installed")

from sklearn_ext.representations import _contrastive_torch as nets  # noqa: E402
from sklearn_ext.representations._contrastive import ContrastiveEncoder  # noqa: E402
from sklearn_ext.representations._corruption_components import (  # noqa: E402
    CorruptionComponents,
)
from sklearn_ext.representations._temperatures import (  # noqa: E402
    individual_temperatures,
)

LIMITS = {"rho": 1.0, "min_temperature": 0.05, "max_temperature": 10.0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X.astype(np.float32), y


@pytest.fixture
def projections(rng):
    return torch.tensor(rng.normal(size=(2, 14, 5)), requires_grad=True)


def products(projections):
    z = projections.detach().numpy()
    z = z / np.linalg.norm(z, axis=2, keepdims=True)
    return [one[:7] @ one[7:].T for one in z]


# --- losses ---------------------------------------------------------------------------


def test_one_temperature_is_a_softmax_over_the_batch(projections):
    found = nets.InfoNCE(0.3, LIMITS)(projections, {}).item()
    each = [
        -np.diag(log_softmax(S / 0.3, axis=1)).mean() for S in products(projections)
    ]
    assert_allclose(found, np.mean(each))


def test_individual_temperatures_are_at_the_optimum(projections):
    found = nets.InfoNCE(None, LIMITS)(projections, {}).item()
    losses = []
    for S in products(projections):
        others = S[~np.eye(7, dtype=bool)].reshape(7, 6)
        tau = individual_temperatures(others, **LIMITS)
        soft = tau * (logsumexp(others / tau[:, None], axis=1) - np.log(6) + 1.0)
        losses.append(soft - np.diag(S))
    assert_allclose(found, np.mean(losses))


def test_the_gradient_needs_none_of_the_temperature(projections):
    """At the optimum a change of the temperature changes the loss in second order."""
    loss = nets.InfoNCE(None, LIMITS | {"rho": 0.3})
    value = loss(projections, {})
    (gradient,) = torch.autograd.grad(value, projections)
    step = torch.randn(projections.shape, dtype=torch.float64)
    ahead, behind = (loss((projections + e * step).detach(), {}) for e in (1e-4, -1e-4))
    slope = (ahead - behind).item() / 2e-4
    assert_allclose(slope, (gradient * step).sum().item(), rtol=1e-4, atol=1e-7)


def test_spectral_loss(projections):
    z = projections.detach().numpy()
    expected = []
    for one in z:
        S = one[:7] @ one[7:].T
        off = S[~np.eye(7, dtype=bool)]
        expected.append(np.mean(off**2) - 2 * np.mean(np.diag(S)))
    assert_allclose(nets.Spectral()(projections, {}).item(), np.mean(expected))


# --- batches and layers ---------------------------------------------------------------


@pytest.mark.parametrize(("n", "sizes"), [(7, [7]), (20, [10, 10]), (26, [9, 9, 8])])
def test_batches_hold_each_row_once_in_equal_parts(n, sizes):
    X = np.arange(2.0 * n).reshape(n, 2)
    data = SimpleNamespace(X=X, y={"w": np.arange(n)})
    pairs = list(nets.CorruptedPairs(data, 8, corruption=1e-9))
    assert [len(batch) // 2 for batch, _ in pairs] == sizes
    rows = np.concatenate([target["w"] for _, target in pairs])
    assert_array_equal(np.sort(rows), np.arange(n))
    for batch, target in pairs:
        assert_array_equal(batch, np.tile(X[target["w"]], (2, 1)))


def test_both_copies_are_corrupted_on_their_own():
    X = np.arange(400.0).reshape(200, 2)
    data = SimpleNamespace(X=X, y={"w": np.arange(200)})
    ((batch, target),) = nets.CorruptedPairs(data, 200, corruption=0.5)
    one, two = batch.numpy()[:200], batch.numpy()[200:]
    kept = X[target["w"]]
    for copy in (one, two):
        assert 0.35 < np.mean(copy == kept) < 0.65
    assert 0.15 < np.mean((one == kept) & (two == kept)) < 0.35


def test_both_precisions_start_at_the_same_net():
    made = []
    for double in (False, True):
        torch.manual_seed(0)
        made.append(nets.Encoder([3, 4], 2, double))
    for one, two in zip(*(net.parameters() for net in made), strict=True):
        assert one.dtype == torch.float32
        assert_allclose(one.detach(), two.detach(), rtol=1e-6)


def test_transform_is_the_nets_own_last_layer(digits):
    X = digits[0][:300]
    seen = {}

    class Watch(ContrastiveEncoder):
        def _state(self, net):
            seen["net"] = net
            return super()._state(net)

    encoder = Watch((9, 7), max_iter=2, random_state=0).fit(X)
    Z = torch.tensor(encoder._standardised(X))
    for layer in seen["net"].module_.hidden:
        Z = torch.relu(layer(Z))
    assert_allclose(encoder.transform(X), Z.detach(), rtol=1e-5, atol=1e-6)
    assert [W.shape for W in encoder.coefs_] == [(64, 9), (9, 7)]


# --- the estimator --------------------------------------------------------------------


@pytest.mark.parametrize(
    "params", [{}, {"temperature": 0.5}, {"loss": "spectral"}, {"n_heads": 3}]
)
def test_it_learns(digits, params):
    X, y = digits
    encoder = ContrastiveEncoder((64,), max_iter=12, random_state=0, **params).fit(X)
    assert encoder.loss_curve_[-1] < encoder.loss_curve_[0]
    assert len(encoder.loss_curve_) == encoder.n_iter_ == 12
    rows = np.concatenate([np.flatnonzero(y == c)[:16] for c in range(10)])
    head = RidgeClassifierCV(np.logspace(-3, 3, 7)).fit(
        encoder.transform(X)[rows], y[rows]
    )
    assert head.score(encoder.transform(X), y) > 0.65


def test_the_least_spectral_loss_of_a_linear_map_is_that_of_the_components():
    """Trained long enough, the loss comes close to the closed form, and not below."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + rng.normal(size=(500, 6))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    best = CorruptionComponents(None, n_bins=None, corruption=0.3).fit(Z)
    least = -np.sum(best.eigenvalues_**2)
    W = torch.nn.Linear(6, 6, bias=False, dtype=torch.float64)
    torch.nn.init.normal_(W.weight, std=0.3, generator=torch.Generator().manual_seed(0))
    step = torch.optim.Adam(W.parameters(), lr=0.03)
    data, means = SimpleNamespace(X=Z, y={"w": np.ones(500)}), []
    torch.manual_seed(0)
    for epoch in range(150):
        ((batch, _),) = nets.CorruptedPairs(data, 500, corruption=0.3)
        loss = nets.Spectral()(W(batch)[None], {})
        step.zero_grad()
        loss.backward()
        step.step()
        if epoch >= 75:
            means.append(loss.item())
    assert abs(np.mean(means) - least) < 0.02 * abs(least)


def test_equal_rows_are_one_and_their_order_says_nothing(digits):
    X = digits[0][:200]
    encoder = ContrastiveEncoder((8,), max_iter=3, random_state=0)
    one = encoder.fit(X).transform(X)
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(200), 2))
    assert_array_equal(encoder.fit(X[rows]).transform(X), one)


def test_precisions_agree(digits):
    X = digits[0][:300]
    encoder = ContrastiveEncoder((16,), max_iter=5, random_state=0)
    single = encoder.fit(X).transform(X)
    double = encoder.fit(X.astype(np.float64)).transform(X.astype(np.float64))
    assert single.dtype == np.float32
    assert_allclose(single, double, atol=1e-3 * abs(double).max())


def test_columns_of_a_group_move_together(digits):
    X = digits[0][:300, :4]
    with pytest.raises(ValueError, match=r"each of 4 columns, got shape \(3,\)"):
        ContrastiveEncoder(feature_groups=[0, 0, 1]).fit(X)
    groups = list("aabb")
    one, two = (
        ContrastiveEncoder((4,), max_iter=2, feature_groups=g, random_state=0).fit(X)
        for g in (groups, None)
    )
    assert abs(one.coefs_[0] - two.coefs_[0]).max() > 0


def test_the_users_generator_is_left_alone(digits):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    ContrastiveEncoder((4,), max_iter=1).fit(digits[0][:50])
    assert_array_equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden_layer_sizes": ()}, r"at least one width, each 1 or more, got \(\)"),
        ({"hidden_layer_sizes": (8, 0)}, r"got \(8, 0\)"),
        (
            {"min_temperature": 20.0},
            "min_temperature=20.0 must be below max_temperature",
        ),
        ({"temperature": "mine"}, "'temperature' parameter"),
        ({"corruption": 0.0}, "'corruption' parameter"),
    ],
)
def test_errors(digits, params, message):
    with pytest.raises(ValueError, match=message):
        ContrastiveEncoder(**params).fit(digits[0][:20])


def test_errors_of_the_data():
    with pytest.raises(ValueError, match=r"rows that differ, got 6 sample\(s\)"):
        ContrastiveEncoder().fit(np.ones((6, 2)))
    with pytest.raises(RuntimeError, match="device='cuda:99' is not on this machine"):
        ContrastiveEncoder((4,), device="cuda:99").fit(np.eye(6))


def test_without_torch_the_error_names_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(
        ImportError, match=r"ContrastiveEncoder needs torch: pip install"
    ):
        ContrastiveEncoder().fit(np.eye(6))
