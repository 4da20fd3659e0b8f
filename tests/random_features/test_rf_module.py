"""The torch module against the transformer and the ridge, and inside skorch."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatures,
)

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from sklearn_ext.random_features import RandomFeatureModule  # noqa: E402
from tests._marks import PICKLED_TENSORS  # noqa: E402


def make(n=200, d=5):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    return X, np.sin(X @ rng.standard_normal(d)).astype(np.float32)


@pytest.mark.parametrize("kernel", ["relu", "rbf", "ntk", "erf", "step"])
def test_features_are_those_of_the_transformer(kernel):
    X, _ = make()
    params = {"kernel": kernel, "n_components": 30, "gamma": 0.3, "random_state": 0}
    module = RandomFeatureModule(5, dtype=torch.float64, **params)
    with torch.no_grad():
        module.head.weight.copy_(torch.eye(30)[:1])
        module.head.bias.zero_()
        out = module(torch.as_tensor(X))
    expected = RandomFeatures(**params).fit_transform(X.astype(np.float64))
    assert_allclose(out.numpy()[:, 0], expected[:, 0], rtol=1e-10)
    assert [name for name, _ in module.named_parameters()] == [
        "head.weight",
        "head.bias",
    ]


@PICKLED_TENSORS
@pytest.mark.parametrize("standardize", [True, False])
def test_a_ridge_is_a_warm_start(standardize):
    X, y = make()
    ridge = RandomFeatureRidge(50, standardize=standardize, random_state=0).fit(X, y)
    module = RandomFeatureModule.from_ridge(ridge, squeeze=True)
    with torch.no_grad():
        out = module(torch.as_tensor(X)).numpy()
    assert_allclose(out, ridge.predict(X), rtol=1e-3, atol=1e-4)
    again = pickle.loads(pickle.dumps(module))
    with torch.no_grad():
        assert_allclose(again(torch.as_tensor(X)).numpy(), out, rtol=1e-6)
    classes = (y > 0.5).astype(int) + (y > -0.5)
    many = RandomFeatureRidgeClassifier(50, random_state=0).fit(X, classes)
    head = RandomFeatureModule.from_ridge(many).head
    assert head.weight.shape == (3, 50)


def test_skorch_trains_a_loss_without_a_formula():
    X, y = make()
    y = y + 20.0 * (np.arange(200) % 10 == 0)  # outliers
    torch.manual_seed(0)
    net = skorch.NeuralNetRegressor(
        RandomFeatureModule,
        module__n_features=5,
        module__squeeze=True,
        module__n_components=100,
        module__random_state=0,
        criterion=torch.nn.L1Loss,
        optimizer=torch.optim.Adam,
        lr=0.05,
        max_epochs=60,
        batch_size=-1,
        train_split=None,
        verbose=0,
    ).fit(X, y.astype(np.float32))
    losses = net.history[:, "train_loss"]
    assert losses[-1] < losses[0]
    clean = np.arange(200) % 10 != 0
    robust = np.median(np.abs(net.predict(X) - y)[clean])
    ridge = RandomFeatureRidge(100, random_state=0).fit(X, y)
    assert robust < np.median(np.abs(ridge.predict(X) - y)[clean])


def test_what_it_refuses():
    X, y = make()
    with pytest.raises(ValueError, match="needs map='random', got map='landmarks'"):
        RandomFeatureModule(5, map="landmarks")
    with pytest.raises(ValueError, match=r"rows of 5 columns, got .* \(2, 4\)"):
        RandomFeatureModule(5)(torch.zeros(2, 4))
    infinite = RandomFeatureRidge("infinite").fit(X, y)
    with pytest.raises(ValueError, match="finite width, got InfiniteMap"):
        RandomFeatureModule.from_ridge(infinite)
