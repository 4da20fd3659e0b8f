"""FrozenFeatures: the network is only read, and its features are what torch says."""

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sklearn_ext.probes import FrozenFeatures

torch = pytest.importorskip("torch")


def conv_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 5, 3), torch.nn.BatchNorm2d(5), torch.nn.ReLU()
    )


class Tokens(torch.nn.Module):
    """Embeds ids; says which token stands for the class."""

    def __init__(self, keys=("last_hidden_state",), named="cls_token"):
        super().__init__()
        self.table = torch.nn.Embedding(10, 3)
        self.keys = keys
        if named:
            self.register_parameter(named, torch.nn.Parameter(torch.zeros(1)))

    def forward(self, input_ids, attention_mask=None):
        out = self.table(input_ids)
        found = {"last_hidden_state": out, "pooler_output": out[:, -1]}
        return {key: found.get(key, out) for key in self.keys}


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(30, 64)).astype(np.float32)


def state_of(net):
    return {k: v.clone() for k, v in net.state_dict().items()}


@pytest.mark.parametrize(
    "module", [torch.nn.Identity(), torch.nn.Identity, torch.nn.Tanh()]
)
def test_every_check_holds_with_a_module_too(module):
    results = check_estimator(FrozenFeatures(module), on_fail=None)
    assert not [r for r in results if r["status"] == "failed"]


def test_features_are_the_pooled_output_in_evaluation_mode(images):
    net = conv_net()
    found = FrozenFeatures(net, input_shape=(1, 8, 8)).fit_transform(images)
    with torch.inference_mode():
        truth = net.eval()(torch.tensor(images).reshape(-1, 1, 8, 8)).mean((2, 3))
    assert found.dtype == np.float32
    assert_allclose(found, truth.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("batch_size", [1, 7, 30, 1000])
def test_the_batch_size_does_not_matter(images, batch_size):
    one = FrozenFeatures(conv_net(), input_shape=(1, 8, 8))
    other = clone(one).set_params(batch_size=batch_size)
    assert_allclose(
        other.fit_transform(images), one.fit_transform(images), rtol=1e-5, atol=1e-6
    )


def test_the_network_is_left_as_it_was(images):
    net = conv_net().train()
    net[0].eval()  # flags may differ within a network
    before = state_of(net)
    seen = []
    net[1].register_forward_hook(lambda m, args, out: seen.append(m.training))
    features = FrozenFeatures(net, input_shape=(1, 8, 8), layer="1").fit(images)
    features.transform(images)
    assert not any(seen)  # it did run in evaluation mode
    assert [m.training for m in net.modules()] == [True, False, True, True]
    for key, value in net.state_dict().items():
        assert_array_equal(value, before[key])
    assert len(net[1]._forward_hooks) == 1


def test_a_counter_in_a_buffer_is_not_moved():
    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x):
            self.calls += 1
            return x

    net = Counting()
    FrozenFeatures(net).fit_transform(np.ones((4, 2)))
    assert net.calls == 0


def test_a_layer_is_taken_and_the_rest_is_not_computed(images):
    net = conv_net()
    net[2].forward = None  # calling it would raise
    found = FrozenFeatures(net, input_shape=(1, 8, 8), layer="0", pooling="flatten")
    with torch.inference_mode():
        truth = net[0](torch.tensor(images).reshape(-1, 1, 8, 8)).flatten(1)
    assert_allclose(found.fit_transform(images), truth.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "reduce"),
    [
        ("auto", lambda t: t.mean((2, 3))),
        ("mean", lambda t: t.mean((2, 3))),
        ("max", lambda t: t.amax((2, 3))),
        ("flatten", lambda t: t.flatten(1)),
        (lambda t: t[:, :, 0, 0], lambda t: t[:, :, 0, 0]),
    ],
)
def test_pooling_of_maps(images, pooling, reduce):
    net = torch.nn.Identity()
    found = FrozenFeatures(net, input_shape=(4, 4, 4), pooling=pooling)
    truth = reduce(torch.tensor(images).reshape(-1, 4, 4, 4)).numpy()
    assert_allclose(found.fit_transform(images), truth, rtol=1e-5, atol=1e-6)


def tokenize(texts):
    ids = [[int(c) for c in text] for text in texts]
    width = max(map(len, ids))
    padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    lengths = torch.tensor([[len(row)] for row in ids])
    return {"input_ids": padded, "attention_mask": torch.arange(width) < lengths}


@pytest.mark.parametrize(
    ("pooling", "named", "reduce"),
    [
        ("auto", "cls_token", lambda rows: rows[0]),
        ("auto", "class_token", lambda rows: rows[0]),
        ("auto", None, lambda rows: rows.mean(0)),
        ("cls", None, lambda rows: rows[0]),
        ("mean", "cls_token", lambda rows: rows.mean(0)),
        ("max", None, lambda rows: rows.max(0)),
    ],
)
def test_texts_are_pooled_over_their_real_tokens(pooling, named, reduce):
    texts = ["123", "4", "56789", "11"]
    net = Tokens(named=named)
    features = FrozenFeatures(net, preprocess=tokenize, pooling=pooling, batch_size=3)
    table = net.table.weight.detach().numpy()
    truth = [reduce(table[[int(c) for c in text]]) for text in texts]
    for X in (texts, np.array(texts), pd.Series(texts)):
        assert_allclose(features.fit_transform(X), truth, rtol=1e-6)


def test_rows_of_length_one(images):
    features = FrozenFeatures(torch.nn.Identity(), normalize=True)
    found = features.fit_transform(images)
    assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    plain = FrozenFeatures(normalize=True).fit_transform(images)
    assert_allclose(plain, found, rtol=1e-6)
    assert_array_equal(features.transform(np.zeros((1, 64))), np.zeros((1, 64)))


def test_arrays_tensors_datasets_and_frames_give_one_answer(images):
    features = FrozenFeatures(conv_net(), input_shape=(1, 8, 8)).fit(images)
    truth = features.transform(images)
    cube = images.reshape(-1, 1, 8, 8)
    dataset = torch.utils.data.TensorDataset(torch.tensor(cube), torch.zeros(30))
    for X in (torch.tensor(images), images.astype(np.float64), dataset):
        assert_allclose(features.transform(X), truth, rtol=1e-5, atol=1e-6)
    assert_allclose(FrozenFeatures(conv_net()).fit_transform(cube), truth, atol=1e-6)
    frame = pd.DataFrame(images).add_prefix("p")
    features = clone(features).set_output(transform="pandas").fit(frame)
    out = features.transform(frame)
    assert list(out.columns) == [f"frozenfeatures{i}" for i in range(5)]
    assert_allclose(out, truth, rtol=1e-6)


def test_half_precision_weights_and_autocast(images):
    truth = FrozenFeatures(conv_net(), input_shape=(1, 8, 8)).fit_transform(images)
    half = FrozenFeatures(conv_net().bfloat16(), input_shape=(1, 8, 8))
    amp = FrozenFeatures(conv_net(), input_shape=(1, 8, 8), amp=True)
    for features in (half, amp):
        found = features.fit_transform(images)
        assert found.dtype == np.float32
        assert_allclose(found, truth, atol=0.02)
        assert not np.allclose(found, truth, atol=1e-6)
    double = FrozenFeatures(conv_net().double(), input_shape=(1, 8, 8))
    assert double.fit_transform(images).dtype == np.float64


def test_clones_share_the_module_and_keep_output_settings(images):
    net = conv_net()
    features = FrozenFeatures(net, input_shape=(1, 8, 8)).set_output(transform="pandas")
    features.fit(images)
    twin = clone(features)
    assert twin.module is net
    assert not hasattr(twin, "module_")
    assert isinstance(twin.fit_transform(images), pd.DataFrame)


def test_grid_search_over_layers_and_head(images):
    y = images[:, 0] > 0
    pipe = make_pipeline(
        FrozenFeatures(conv_net(), input_shape=(1, 8, 8), pooling="flatten"),
        LogisticRegression(),
    )
    grid = {"frozenfeatures__layer": ["0", None], "logisticregression__C": [0.1, 1]}
    with joblib.parallel_config("threading"):
        search = GridSearchCV(pipe, grid, cv=2, n_jobs=2).fit(images, y)
    assert search.best_score_ > 0.5
    again = pickle.loads(pickle.dumps(search))
    assert_allclose(again.predict_proba(images), search.predict_proba(images))


def test_a_fitted_skorch_net_is_a_module(images):
    skorch = pytest.importorskip("skorch")
    y = (images[:, 0] > 0).astype(np.int64)
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(64, 4), torch.nn.ReLU()),
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=2,
        verbose=0,
    )
    with pytest.raises(NotFittedError, match="not fitted"):
        FrozenFeatures(net).fit(images)
    net.fit(images, y)
    features = FrozenFeatures(net)
    pipe = make_pipeline(features, LogisticRegression())
    pipe = clone(pipe).fit(images, y)  # the net stays fitted
    with torch.inference_mode():
        truth = net.module_.eval()(torch.tensor(images)).numpy()
    assert_allclose(pipe[0].transform(images), truth, rtol=1e-5)
    assert_allclose(FrozenFeatures(FrozenEstimator(net)).fit_transform(images), truth)
    again = pickle.loads(pickle.dumps(features))
    assert_allclose(again.fit_transform(images), truth)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pickles_return_the_same_network(images, dtype):
    net = conv_net().to(dtype).train()
    net[0].weight.requires_grad_(False)
    net.append(net[2])  # a part that occurs twice
    features = FrozenFeatures(net, input_shape=(1, 8, 8)).fit(images)
    again = pickle.loads(pickle.dumps(features))
    assert again.module is again.module_
    assert again.module[2] is again.module[3]
    assert not again.module.training
    assert net.training
    needs = [p.requires_grad for p in again.module.parameters()]
    assert needs == [p.requires_grad for p in net.parameters()]
    for key, value in again.module.state_dict().items():
        assert value.dtype == net.state_dict()[key].dtype
        assert torch.equal(value, net.state_dict()[key])
    assert_array_equal(again.transform(images), features.transform(images))


def test_the_cache_key_depends_on_weights_and_not_on_the_training_flag(images):
    net = conv_net()
    features = FrozenFeatures(net, input_shape=(1, 8, 8))
    key = joblib.hash(features)
    net.eval()
    features.fit_transform(images)
    assert joblib.hash(clone(features)) == key
    assert joblib.hash(FrozenFeatures(conv_net(), input_shape=(1, 8, 8))) == key
    with torch.no_grad():
        net[0].bias += 1
    assert joblib.hash(clone(features)) != key


def test_the_cache_key_is_the_same_in_another_process():
    code = """if True:
        import joblib, torch
        from sklearn_ext.probes import FrozenFeatures
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
        print(joblib.hash(FrozenFeatures(net)))
    """
    other = subprocess.run([sys.executable, "-c", code], capture_output=True).stdout
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    assert joblib.hash(FrozenFeatures(net)) == other.decode().strip()


def test_a_cached_pipeline_computes_the_features_once(images, tmp_path):
    calls = []

    class Counted(torch.nn.Module):
        def forward(self, x):
            calls.append(len(x))
            return x

    globals()["Counted"] = Counted  # importable by name, for the cache's pickles
    Counted.__qualname__ = "Counted"
    y = images[:, 0] > 0
    net = Counted()
    for C in (0.1, 1.0, 10.0):
        net.train(C == 1.0)
        head = LogisticRegression(C=C)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib remarks on slow hashing
            make_pipeline(FrozenFeatures(net), head, memory=str(tmp_path)).fit(
                images, y
            )
    assert sum(calls) == 31  # the first row at fit, then all rows, once


def test_threads_may_share_one_network(images):
    net = conv_net().train()
    features = FrozenFeatures(net, input_shape=(1, 8, 8), layer="1").fit(images)
    truth = features.transform(images)
    found = joblib.Parallel(4, prefer="threads")(
        joblib.delayed(features.transform)(images) for _ in range(8)
    )
    for rows in found:
        assert_array_equal(rows, truth)
    assert net.training


def test_progress_is_printed_on_request(images, capsys):
    FrozenFeatures(torch.nn.Identity(), verbose=1).fit_transform(images)
    assert "30 of 30 rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "pooling", "width"),
    [
        (("last_hidden_state",), "auto", 3),
        (("pooler_output", "other"), "auto", 3),
        (("logits",), "auto", 3),
        (("last_hidden_state", "pooler_output"), "mean", 3),
    ],
)
def test_dicts_with_one_answer(keys, pooling, width):
    net = Tokens(keys)
    features = FrozenFeatures(net, preprocess=tokenize, pooling=pooling)
    assert features.fit_transform(["12", "34"]).shape == (2, width)


@pytest.mark.parametrize("keys", [("last_hidden_state", "pooler_output"), ("a", "b")])
def test_dicts_with_two_answers(keys):
    features = FrozenFeatures(Tokens(keys), preprocess=tokenize)
    with pytest.raises(TypeError, match=rf"under \['{keys[0]}', '{keys[1]}'\]"):
        features.fit(["12", "34"])


class Returns(torch.nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        return self.what(x)


def test_tuples_give_their_first_tensor():
    X = np.ones((2, 3))
    found = FrozenFeatures(Returns(lambda x: ("label", 2 * x, x))).fit_transform(X)
    assert_array_equal(found, 2 * X)
    with pytest.raises(TypeError, match=r"found a tuple of \['str'\]"):
        FrozenFeatures(Returns(lambda x: ("label",))).fit(X)
    with pytest.raises(TypeError, match="found a str"):
        FrozenFeatures(Returns(lambda x: "label")).fit(X)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"layer": "cnv"}, ValueError, "layer='cnv' is not a layer"),
        ({"layer": "unused"}, RuntimeError, "never called"),
        ({"input_shape": (2, 3)}, ValueError, r"input_shape=\(2, 3\) has 6 values"),
        ({"pooling": "cls"}, ValueError, "needs an output of shape"),
        ({"pooling": lambda t: t.sum()}, ValueError, "pooling must return"),
        (
            {"device": "cuda:77"},
            RuntimeError,
            r"is not on this machine, which has \['cpu'",
        ),
        ({"module": dict}, TypeError, "callable returned a dict"),
        ({"module": None, "layer": "0"}, ValueError, "layer='0' needs a module"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"module": 3}, ValueError, "module"),
    ],
)
def test_bad_parameters(images, params, error, match):
    net = conv_net()
    net[0].unused = torch.nn.Identity()
    net.unused = torch.nn.Sequential()
    net.forward = lambda x: net[0](x)
    features = FrozenFeatures(net, input_shape=(1, 8, 8)).set_params(**params)
    with pytest.raises(error, match=match):
        features.fit(images)


def test_bad_rows(images):
    features = FrozenFeatures(torch.nn.Identity())
    with pytest.raises(TypeError, match="Sparse data was passed"):
        features.fit(sparse.csr_array(images))
    with pytest.raises(TypeError, match="Sparse data was passed"):
        FrozenFeatures().fit(sparse.csr_array(images))
    with pytest.raises(ValueError, match="at least one row"):
        features.fit(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        features.fit(torch.tensor([[torch.nan]]))
    with pytest.raises(ValueError, match="0 rows"):
        FrozenFeatures(torch.nn.Identity(), preprocess=tokenize).fit([])
    features.fit(images)
    with pytest.raises(ValueError, match="X has 3 features"):
        features.transform(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="one output per row, got 1 for 30 rows"):
        FrozenFeatures(Returns(lambda x: x[:1])).fit(images).transform(images)


def test_a_failed_fit_keeps_what_was_fitted(images):
    features = FrozenFeatures(torch.nn.Identity()).fit(images)
    with pytest.raises(ValueError, match="0 sample"):
        features.fit(images[:0])
    assert features.transform(images).shape == images.shape


def test_without_torch_the_error_says_how_to_get_it(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-ext\[torch\]'"):
        FrozenFeatures(dict).fit(images)
    assert_array_equal(FrozenFeatures().fit_transform(images), images)


def test_what_the_module_was_given_stands_beside_its_error():
    integers = np.arange(6).reshape(2, 3)
    with pytest.raises(RuntimeError) as caught:
        FrozenFeatures(torch.nn.Linear(3, 2)).fit(integers)
    assert "gave the module int64 of shape (1, 3)" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError) as caught:
        FrozenFeatures(torch.nn.Linear(4, 2)).fit(np.ones((2, 3), np.float32))
    assert "float32 of shape (1, 3). input_shape" in caught.value.__notes__[0]


def test_batches_of_other_widths_do_not_mix(images):
    ragged = Returns(lambda x: x[:, : 1 + len(x) % 2])
    features = FrozenFeatures(ragged, batch_size=7).fit(images)
    with pytest.raises(ValueError, match="equally many features, got 2 and then 1"):
        features.transform(images)
