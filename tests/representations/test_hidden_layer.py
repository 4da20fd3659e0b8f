"""Hidden layers: the rest of the net on top of them is the net's own answer."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext.representations._hidden_layer import HiddenLayer


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def net(*sizes, **params):
    params = {"max_iter": 30, "random_state": 0} | params
    return MLPClassifier(sizes or (8,), **params)


def trained(model, X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **params)


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
def test_the_last_layer_gives_the_nets_own_answer(wine, activation):
    X, y = wine
    layer = trained(HiddenLayer(net(9, 7, activation=activation)), X, y)
    own = layer.estimator_
    scores = layer.transform(X) @ own.coefs_[-1] + own.intercepts_[-1]
    assert_allclose(softmax(scores, axis=1), own.predict_proba(X), rtol=1e-10)


def test_each_layer_leads_to_the_next(wine):
    X, y = wine
    layers = [
        trained(HiddenLayer(net(9, 7, 5), layer=i, activation=a), X, y)
        for i in (0, 1, 2)
        for a in (False, True)
    ]
    own, found = layers[0].estimator_, [layer.transform(X) for layer in layers]
    assert [f.shape[1] for f in found] == [9, 9, 7, 7, 5, 5]
    for i in (1, 2):
        ahead = found[2 * i - 1] @ own.coefs_[i] + own.intercepts_[i]
        assert_allclose(found[2 * i], ahead)
        assert_allclose(found[2 * i + 1], np.maximum(ahead, 0))
    last = trained(HiddenLayer(net(9, 7, 5)), X, y).transform(X)
    assert_array_equal(last, found[-1])


def test_a_regressor_by_default_where_y_are_numbers(wine):
    X, _ = wine
    y = X @ np.arange(13.0) + 0.5
    layer = HiddenLayer(random_state=0).fit(X, y)
    own = layer.estimator_[-1]
    assert isinstance(own, MLPRegressor)
    answer = layer.transform(X) @ own.coefs_[-1] + own.intercepts_[-1]
    assert_allclose(answer[:, 0], layer.estimator_.predict(X))
    both = HiddenLayer(random_state=0).fit(X, np.c_[y, -y])
    assert both.transform(X).shape == (178, 64)


def test_it_works_in_a_pipeline(wine):
    X, y = wine
    model = make_pipeline(StandardScaler(), HiddenLayer(random_state=0), RidgeCV())
    assert model.fit(X, y == 0).score(X, y == 0) > 0.9


def test_default_equal_rows_are_one_row_of_their_weight(wine):
    X, y = wine[0][:40], np.array(["a", "b"])[wine[1][:40] % 2]
    y[::4] = "b"
    w = np.arange(40) % 3
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(40), w))
    model = HiddenLayer(random_state=0)
    one = model.fit(X, y, sample_weight=w).transform(X)
    assert_array_equal(model.fit(X[rows], y[rows]).transform(X), one)
    huge = model.fit(X, y, sample_weight=w * 2.0**990).transform(X)
    assert_allclose(huge, one, atol=1e-9)


def test_weights_reach_the_net_in_a_pipeline(wine):
    X, y = wine
    w = np.where(y == 0, 0.0, 1.0)
    pipe = make_pipeline(StandardScaler(), net())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        layer = HiddenLayer(pipe).fit(X, y, sample_weight=w)
        by_hand = pipe.fit(
            X, y, standardscaler__sample_weight=w, mlpclassifier__sample_weight=w
        )
    assert_allclose(layer.estimator_.predict_proba(X), by_hand.predict_proba(X))


def test_seed_goes_to_the_net_within(wine):
    X, y = wine
    pipe = make_pipeline(StandardScaler(), net(random_state=None))
    one, two, other = (
        trained(HiddenLayer(pipe, random_state=s), X, y).transform(X) for s in (1, 1, 2)
    )
    assert_array_equal(one, two)
    assert abs(one - other).max() > 0.1
    assert pipe[-1].random_state is None


def test_a_fitted_net_stays_as_it_is(wine):
    X, y = wine
    frame = pd.DataFrame(X).add_prefix("c")
    source = trained(make_pipeline(StandardScaler(), net()), frame, y)
    layer = HiddenLayer(source, prefit=True).fit(frame[:3])
    assert layer.estimator_ is source
    own = source[-1]
    scores = layer.transform(frame) @ own.coefs_[-1] + own.intercepts_[-1]
    assert_allclose(softmax(scores, axis=1), source.predict_proba(frame))
    assert list(layer.get_feature_names_out()[:2]) == ["hiddenlayer0", "hiddenlayer1"]


def test_set_params_after_fit_changes_nothing(wine):
    layer = trained(HiddenLayer(net(9, 7)), *wine)
    before = layer.transform(wine[0])
    layer.set_params(layer=0, activation=False, prefit=True, estimator=None)
    assert_array_equal(layer.transform(wine[0]), before)


def test_weights_reach_the_net_with_metadata_routing(wine):
    X, y = wine
    w = np.arange(len(X)) % 3
    nested = make_pipeline(StandardScaler(), make_pipeline("passthrough", net()))
    for layer in (HiddenLayer(random_state=0), HiddenLayer(nested)):
        plain = trained(clone(layer), X, y).transform(X)
        weighted = trained(clone(layer), X, y, sample_weight=w).transform(X)
        with config_context(enable_metadata_routing=True):
            assert_array_equal(trained(clone(layer), X, y).transform(X), plain)
            again = trained(clone(layer), X, y, sample_weight=w).transform(X)
        assert_array_equal(again, weighted)
        assert abs(weighted - plain).max() > 0.01


def test_tables_reach_a_pipeline_with_their_columns(wine):
    X, y = wine
    frame = pd.DataFrame(X).add_prefix("c").assign(place=list("ab") * 89)
    frame.loc[3, "c0"] = np.nan
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (OneHotEncoder(), ["place"]), remainder=numbers, sparse_threshold=1.0
    )
    pipe = make_pipeline(columns, net())
    source = trained(clone(pipe), frame, y)
    layer = trained(HiddenLayer(pipe), frame, y)
    Z = layer.transform(frame)
    scores = Z @ source[-1].coefs_[-1] + source[-1].intercepts_[-1]
    assert_allclose(softmax(scores, axis=1), source.predict_proba(frame))
    fitted = HiddenLayer(source, prefit=True).fit(frame)
    assert_array_equal(fitted.transform(frame), Z)
    with pytest.raises(ValueError, match="feature names"):
        layer.transform(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        layer.fit(frame, y[:-1])


def test_missing_values_for_a_pipeline_that_takes_them(wine):
    X, y = np.where(wine[0] > 2, np.nan, wine[0]), wine[1]
    layer = trained(HiddenLayer(make_pipeline(SimpleImputer(), net())), X, y)
    filled = SimpleImputer().fit_transform(X)
    expected = trained(HiddenLayer(net()), filled, y).transform(filled)
    assert_allclose(layer.transform(X), expected)
    with pytest.raises(ValueError, match="contains NaN"):
        HiddenLayer(net()).fit(X, y)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (HiddenLayer(prefit=True), ValueError, "got estimator=None: pass a network"),
        (HiddenLayer(net(), prefit=True), NotFittedError, "MLPClassifier"),
        (HiddenLayer(net(), layer=1), ValueError, "below 1, .* MLPClassifier, got 1"),
        (HiddenLayer(net(), layer=-2), ValueError, "got -2"),
        (HiddenLayer(net(), layer="hidden"), ValueError, "got 'hidden'"),
        (HiddenLayer(LogisticRegression()), TypeError, "got LogisticRegression, which"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_errors(wine, model, error, message):
    with pytest.raises(error, match=message):
        model.fit(*wine)


def test_errors_of_the_data(wine):
    X, y = wine
    with pytest.raises(ValueError, match="got one class, 'a'"):
        HiddenLayer().fit(X, np.full(len(X), "a"))
    source = trained(net(), X, y)
    with pytest.raises(ValueError, match="takes 13 columns, got X with 2"):
        HiddenLayer(source, prefit=True).fit(X[:, :2])


# --- skorch nets ----------------------------------------------------------------------


@pytest.fixture
def torch():
    pytest.importorskip("skorch", reason="the torch extra is not installed")
    return pytest.importorskip("torch")


def skorch_net(torch, sizes, **params):
    from skorch import NeuralNetClassifier

    layers = []
    for pair in pairwise(sizes):
        layers += [torch.nn.Linear(*pair), torch.nn.ReLU()]
    module = torch.nn.Sequential(*layers[:-1])
    params = {"verbose": 0, "max_epochs": 2, "train_split": None} | params
    return NeuralNetClassifier(module, criterion=torch.nn.CrossEntropyLoss, **params)


def test_equal_weights_give_equal_activations(torch, wine):
    X, y = wine
    mlp = trained(net(9, 7), X, y)
    other = skorch_net(torch, [13, 9, 7, 3]).initialize()
    with torch.no_grad():
        for i, at in enumerate((0, 2, 4)):
            other.module_[at].weight.copy_(torch.tensor(mlp.coefs_[i].T))
            other.module_[at].bias.copy_(torch.tensor(mlp.intercepts_[i]))
    for layer, name in ((0, "1"), (1, "3"), (-1, -1)):
        ours = HiddenLayer(mlp, layer=layer, prefit=True).fit(X).transform(X)
        theirs = HiddenLayer(other, layer=name, prefit=True).fit(X).transform(X)
        assert_allclose(theirs, ours, atol=1e-5)
    before = HiddenLayer(mlp, activation=False, prefit=True).fit(X).transform(X)
    theirs = HiddenLayer(other, layer="2", prefit=True).fit(X).transform(X)
    assert_allclose(theirs, before, atol=1e-5)
    assert not other.module_._forward_hooks


def test_a_skorch_net_is_trained_by_its_seed(torch, wine):
    X, y = wine
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, two = (
        HiddenLayer(Fresh.net(torch), random_state=0).fit(X, y).transform(X)
        for _ in range(2)
    )
    assert_array_equal(one, two)
    other = HiddenLayer(Fresh.net(torch), random_state=1).fit(X, y).transform(X)
    assert abs(one - other).max() > 0.01
    assert_array_equal(torch.get_rng_state(), state)


class Fresh:
    """A net whose module is built anew in each fit."""

    @staticmethod
    def net(torch):
        from skorch import NeuralNetClassifier

        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = torch.nn.Linear(13, 6)
                self.act = torch.nn.Tanh()
                self.out = torch.nn.Linear(6, 3)

            def forward(self, X):
                return self.out(self.act(self.hidden(X)))

        return NeuralNetClassifier(
            Module, criterion=torch.nn.CrossEntropyLoss, verbose=0, max_epochs=2
        )


def test_sub_modules_by_name(torch, wine):
    X, y = wine
    last, named, hidden = (
        HiddenLayer(Fresh.net(torch), layer=layer, random_state=0).fit(X, y)
        for layer in (-1, "act", "hidden")
    )
    assert_array_equal(last.transform(X), named.transform(X))
    assert_allclose(np.tanh(hidden.transform(X)), named.transform(X), atol=1e-6)
    with pytest.raises(ValueError, match=r"\['hidden', 'act', 'out'\], got 'none'"):
        HiddenLayer(Fresh.net(torch), layer="none").fit(X, y)
    with pytest.raises(ValueError, match="no meaning for a skorch net"):
        HiddenLayer(Fresh.net(torch), activation=False).fit(X, y)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        HiddenLayer(Fresh.net(torch)).fit(X, y, sample_weight=np.ones(len(y)))


def test_a_module_that_is_passed_twice_counts_by_its_last_output(torch, wine):
    from skorch import NeuralNetClassifier

    X, act = wine[0], torch.nn.Tanh()
    module = torch.nn.Sequential(
        torch.nn.Linear(13, 5), act, torch.nn.Linear(5, 6), act, torch.nn.Linear(6, 3)
    )
    twice = NeuralNetClassifier(module, criterion=torch.nn.CrossEntropyLoss)
    twice.initialize()
    shared = HiddenLayer(twice, layer="1", prefit=True).fit(X).transform(X)
    before = HiddenLayer(twice, layer="2", prefit=True).fit(X).transform(X)
    assert_allclose(shared, np.tanh(before), atol=1e-6)


def test_a_module_without_rows_is_an_error(torch, wine):
    from skorch import NeuralNetClassifier

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.memory = torch.nn.LSTM(13, 3)
            self.unused = torch.nn.Linear(3, 3)

        def forward(self, X):
            return self.memory(X)[0]

    net = NeuralNetClassifier(Module, criterion=torch.nn.CrossEntropyLoss).initialize()
    for layer, got in (("memory", "a tuple"), (-1, "nothing, as it is not used")):
        with pytest.raises(ValueError, match=f"layer={layer!r} must .* got {got}"):
            HiddenLayer(net, layer=layer, prefit=True).fit(wine[0])


def test_classes_of_any_kind_reach_a_skorch_classifier(torch, wine):
    X, y = wine
    model = HiddenLayer(Fresh.net(torch), random_state=0)
    one = model.fit(X, y).transform(X)
    for names in (y.astype(float), y.astype(np.int32), np.array(list("abc"))[y]):
        assert_array_equal(model.fit(X, names).transform(X), one)
