"""Training through skorch: weights, seeds, loaders, callbacks."""

import pickle
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

from sklearn_ext._core._base import ExtEstimator  # noqa: E402
from sklearn_ext._core._compat import CallbackSupportMixin  # noqa: E402
from sklearn_ext._core._torch import (  # noqa: E402
    ReportEpochs,
    TensorLoader,
    WeightedLoss,
    fit_net,
)
from sklearn_ext.aggregate import (  # noqa: E402
    AggregateNetClassifier,
    AggregateNetRegressor,
)
from sklearn_ext.bandits import NeuralBandit  # noqa: E402
from sklearn_ext.bridge import LightSchrodingerBridge  # noqa: E402
from sklearn_ext.networks import MuMLPClassifier, MuMLPRegressor  # noqa: E402
from sklearn_ext.probes import LogisticProbe  # noqa: E402
from sklearn_ext.representations import (  # noqa: E402
    ContrastiveEncoder,
    SparseAutoencoder,
)
from tests._marks import CALLBACKS  # noqa: E402


class Slope(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 1, dtype=torch.float64)

    def forward(self, X):
        return self.line(X)[:, 0]


def squared(output, target):
    return (output - target) ** 2


class Reporter(CallbackSupportMixin, ExtEstimator):
    pass


class Watch:
    def __init__(self, stop_at=None):
        self.ends, self.stop_at = [], stop_at

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator=None):
        self.ends.append((context.task_name, len(X), fitted_estimator))
        return context.task_id + 1 == self.stop_at


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    return X, X @ [1.0, -2.0] + 0.1 * rng.normal(size=40)


def train(X, y, w=None, reporter=None, **params):
    params = {"max_epochs": 40, "lr": 0.2, "seed": 0, "device": "cpu"} | params
    net = {"module": Slope, "criterion": WeightedLoss, "criterion__row_loss": squared}
    w = np.ones(len(X)) if w is None else w
    return fit_net(reporter or Reporter(), X, y, y, w, **net, **params)


def test_weights_equal_repetition(data):
    X, y = data
    w = np.arange(40.0) % 3
    repeated = np.repeat(np.arange(40), w.astype(int))
    one, two = train(X, y, w), train(X[repeated], y[repeated])
    assert_allclose(one.predict(X), two.predict(X), rtol=1e-9)


def test_minibatches_learn_and_repeat(data):
    X, y = data
    nets = [train(X, y, batch_size=8, lr=0.05) for _ in range(2)]
    assert_array_equal(nets[0].predict(X), nets[1].predict(X))
    assert np.mean((nets[0].predict(X) - y) ** 2) < 0.05


def test_weights_count_in_minibatches(data):
    X, y = data
    w = np.r_[np.ones(20), np.zeros(20)]
    wrong = np.where(w > 0, y, -50.0)  # rows without weight must not matter
    net = train(X, wrong, w, batch_size=8, lr=0.05)
    assert np.mean((net.predict(X[:20]) - y[:20]) ** 2) < 0.05


def test_the_global_generator_is_left_alone(data):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    train(*data, batch_size=8)
    assert_array_equal(torch.get_rng_state(), state)


@CALLBACKS
def test_callbacks_see_every_epoch_and_stop(data):
    watch = Watch(stop_at=5)
    reporter = Reporter().set_callbacks(watch)
    net = train(*data, reporter=reporter)
    assert len(net.history) == 5
    assert [name for name, _, _ in watch.ends] == ["epoch"] * 5 + ["fit"]
    assert all(rows == 40 for _, rows, _ in watch.ends)
    assert watch.ends[0][2].net_ is not None


FEW = {"max_epochs": 3}
NETS = [
    AggregateNetClassifier(**FEW, classes=[0, 1]),
    AggregateNetRegressor(**FEW),
    ContrastiveEncoder((8,), max_iter=3),
    LightSchrodingerBridge(2, solver="adam", torch_params=FEW),
    LogisticProbe(solver="sgd", sgd_params=FEW),
    MuMLPClassifier(8, max_iter=3, learning_rate=0.01),
    MuMLPRegressor(8, max_iter=3, learning_rate=0.01),
    NeuralBandit(max_iter=3),
    SparseAutoencoder(4, n_nonzero_coefs=2, solver="adam", torch_params=FEW),
]


@pytest.mark.parametrize("net", NETS, ids=lambda net: type(net).__name__)
def test_an_interrupt_leaves_what_was_fitted(net, data, monkeypatch):
    """Of skorch it would be a quiet end of training, half way."""
    X, number = data
    label = (number > 0).astype(int)
    fits = {
        "AggregateNetClassifier": lambda X: net.fit(X, label, bags=label),
        "LightSchrodingerBridge": lambda X: net.fit(X, X_target=X + 1),
        "LogisticProbe": lambda X: net.fit(X, label),
        "MuMLPClassifier": lambda X: net.fit(X, label),
        "NeuralBandit": lambda X: net.fit(X, label, reward=number),
    }
    fit = fits.get(type(net).__name__, lambda X: net.fit(X, number))
    epochs, before = [], joblib.hash(vars(fit(X)))

    def interrupt(self, net, **kwargs):
        epochs.append(net)
        raise KeyboardInterrupt

    monkeypatch.setattr(ReportEpochs, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(2 * X)
    assert len(epochs) == 1
    assert joblib.hash(vars(net)) == before


def test_the_net_keeps_no_data(data):
    X, y = data
    small = len(pickle.dumps(train(X, y)))
    large = len(pickle.dumps(train(np.tile(X, (50, 1)), np.tile(y, 50))))
    assert abs(large - small) < 200  # epochs' timings differ by some bytes


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", [-1, 7, 40])
def test_loader_yields_each_row_once(data, size, shuffle):
    X, y = data
    loader = TensorLoader(
        SimpleNamespace(X=X, y={"y": y}), batch_size=size, shuffle=shuffle
    )
    batches = list(loader)
    rows = np.concatenate([batch for batch, _ in batches])
    targets = np.concatenate([target["y"] for _, target in batches])
    assert_array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))
    assert_allclose(rows @ [1.0, -2.0] - targets, targets * 0, atol=0.5)
    assert len(batches) == {-1: 1, 7: 6, 40: 1}[size]
