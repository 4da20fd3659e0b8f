"""Pipelines, searches, data frames, metadata, storage and tensors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_ext import trusted_types
from sklearn_ext.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
    RandomFeatureRidgeCV,
    RandomFeatures,
)
from tests.random_features._given import RidgeOnlyClassifierCV, RidgeOnlyCV, given

RIDGES = [
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeClassifierCV,
]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    return X, (np.sin(X.sum(axis=1)) > 0).astype(int)


@pytest.mark.parametrize("cls", RIDGES)
@pytest.mark.parametrize("k", [20, "infinite"])
@pytest.mark.parametrize("kernel", ["relu", "rbf", "laplacian"])
def test_sparse_rows_equal_dense(cls, k, kernel, data):
    X, y = data
    X = X * (X > 0)
    dense = given(cls)(k, kernel=kernel, random_state=0).fit(X, y)
    held = given(cls)(k, kernel=kernel, random_state=0).fit(sparse.csr_array(X), y)
    assert_allclose(held.predict(sparse.coo_array(X)), dense.predict(X), atol=1e-9)
    scaled = given(cls)(k, kernel=kernel, standardize=True, random_state=0)
    assert np.isfinite(scaled.fit(sparse.csc_array(X), y).predict(X)).all()


def test_wide_sparse_rows_stay_sparse(data):
    _, y = data
    X = sparse.csr_array(
        sparse.random(60, 20_000, 0.001, "csr", None, np.random.default_rng(0))
    )
    model = RidgeOnlyCV(30, random_state=0).fit(X, y)
    assert model.predict(X).shape == (60,)


@pytest.mark.parametrize("cls", RIDGES)
def test_frames_in_a_pipeline(cls, data):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = make_pipeline(
        StandardScaler(), RandomFeatures(n_components=30, random_state=0), RidgeCV()
    ).set_output(transform="pandas")
    names = model.fit(frame, y)[:-1].get_feature_names_out()
    assert names[0] == "randomfeatures0"
    ridge = given(cls)(30, random_state=0).fit(frame, y)
    assert (ridge.feature_names_in_ == frame.columns).all()
    assert_allclose(
        ridge.predict(frame), given(cls)(30, random_state=0).fit(X, y).predict(X)
    )
    with pytest.raises(ValueError, match="feature names"):
        ridge.predict(frame[list("edcba")])


@pytest.mark.parametrize("cls", RIDGES)
def test_grid_search_over_the_width(cls, data):
    X, y = data
    grid = {"n_components": [5, 50], "kernel": ["relu", "matern"]}
    search = GridSearchCV(given(cls)(random_state=0), grid, cv=3).fit(X, y)
    assert search.best_params_["n_components"] in (5, 50)
    assert search.best_score_ > 0.0


@pytest.mark.parametrize("cls", RIDGES)
@pytest.mark.parametrize("k", [20, "infinite"])
def test_storage(cls, k, data):
    X, y = data
    model = given(cls)(k, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_allclose(again.predict(X), model.predict(X), rtol=1e-12)
    stream = clone(model).set_params(n_components=20)
    classes = {"classes": [0, 1]} if hasattr(model, "predict_proba") else {}
    stream.partial_fit(X[:30], y[:30], **classes)
    later = pickle.loads(pickle.dumps(stream)).partial_fit(X[30:], y[30:])
    stream.partial_fit(X[30:], y[30:])
    assert_allclose(later.predict(X), stream.predict(X), rtol=1e-12)


@pytest.mark.parametrize("cls", RIDGES)
def test_skops_trusts_the_fitted_state(cls, data):
    skops = pytest.importorskip("skops.io")
    X, y = data
    model = given(cls)(20, random_state=0).fit(X, y)
    again = skops.loads(skops.dumps(model), trusted=trusted_types())
    assert_allclose(again.predict(X), model.predict(X), rtol=1e-12)


@pytest.mark.parametrize("cls", RIDGES)
def test_prediction_after_blocks_keeps_the_attributes(cls, data):
    X, y = data
    classes = {"classes": [0, 1]} if hasattr(cls, "predict_proba") else {}
    model = given(cls)(20, random_state=0).partial_fit(X, y, **classes)
    before = dict(vars(model))
    model.predict(X)  # solves, inside what it holds
    assert all(vars(model)[name] is value for name, value in before.items())
    assert vars(model).keys() == before.keys()


def test_groups_and_weights_are_routed(data):
    X, y = data
    groups, w = np.arange(60) % 6, np.linspace(0.5, 1.5, 60)
    plain = RidgeOnlyCV(20, [0.1, 1.0], cv=GroupKFold(3), random_state=0)
    expected = clone(plain).fit(X, y, sample_weight=w, groups=groups)
    scorer = get_scorer("neg_mean_squared_error")
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(plain).set_params(scoring=scorer.set_score_request())
        routed.set_params(scoring=None)
        routed.fit(X, y, sample_weight=w, groups=groups)
        assert_allclose(routed.fold_error_path_, expected.fold_error_path_)
        weighted = scorer.set_score_request(sample_weight=True)
        scored = clone(plain).set_params(scoring=weighted)
        scored.fit(X, y, sample_weight=w, groups=groups)
        assert_allclose(scored.best_score_, expected.best_score_, rtol=1e-9)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            clone(plain).set_fit_request(sample_weight=True, groups=True),
        )
        pipeline.fit(X, y, sample_weight=w, groups=groups)
        unset = make_pipeline(StandardScaler(), clone(plain))
        with pytest.raises(UnsetMetadataPassedError):
            unset.fit(X, y, sample_weight=w, groups=groups)


def test_weights_of_an_unweighted_scorer_stay_out(data):
    X, y = data
    w = np.where(y > 0, 5.0, 1.0)
    scorer = get_scorer("accuracy")
    model = RidgeOnlyClassifierCV(20, [0.1], scoring=scorer, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = scorer.set_score_request(sample_weight=True)
        heavy = clone(model).set_params(scoring=weighted).fit(X, y, sample_weight=w)
        plain = scorer.set_score_request(sample_weight=False)
        light = clone(model).set_params(scoring=plain).fit(X, y, sample_weight=w)
    right = (heavy.loo_predictions_ > 0) == y
    assert_allclose(heavy.best_score_, np.average(right, weights=w))
    assert_allclose(light.best_score_, np.mean(right))


@pytest.mark.parametrize("cls", RIDGES)
@pytest.mark.parametrize(
    "params", [{}, {"n_components": "infinite"}, {"map": "landmarks"}]
)
def test_tensors_in_tensors_out(cls, params, data):
    torch = pytest.importorskip("torch")
    X, y = data
    params = {"n_components": 20, "kernel": "rbf", "standardize": True, **params}
    expected = given(cls)(random_state=0, **params).fit(X, y)
    with sklearn.config_context(array_api_dispatch=True):
        tensors = torch.as_tensor(X), torch.as_tensor(y)
        model = given(cls)(random_state=0, **params).fit(*tensors)
        predicted = model.predict(tensors[0])
        assert isinstance(predicted, torch.Tensor)
        assert_allclose(predicted.numpy(), expected.predict(X), rtol=1e-7, atol=1e-9)
        if hasattr(model, "predict_proba"):
            P = model.predict_proba(tensors[0])
            assert_allclose(P.numpy(), expected.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("cls", RIDGES)
def test_a_model_that_was_moved_to_torch_knows_its_ratio(cls, data):
    torch = pytest.importorskip("torch")
    model = given(cls)(20, random_state=0).fit(*data)
    expected = model.kappa_, model.fitting_ratio_
    model._fitted = model._fitted.convert(torch.as_tensor)
    assert_allclose((model.kappa_, model.fitting_ratio_), expected)


@pytest.mark.parametrize("cls", RIDGES)
@pytest.mark.parametrize("k", [20, 100, "infinite"])
def test_a_device_computes_and_numpy_is_stored(cls, k, data):
    pytest.importorskip("torch")
    X, y = data
    expected = given(cls)(k, random_state=0).fit(X, y)
    model = given(cls)(k, device="cpu", random_state=0).fit(X, y)
    assert_allclose(model.predict(X), expected.predict(X), rtol=1e-7, atol=1e-9)
    if k != "infinite":
        classes = {"classes": [0, 1]} if hasattr(cls, "predict_proba") else {}
        stream = given(cls)(k, device="cpu", random_state=0)
        stream.partial_fit(X[:40], y[:40], **classes).partial_fit(X[40:], y[40:])
        assert isinstance(stream.component_coef_, np.ndarray)
        assert_allclose(stream.predict(X), expected.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernel", ["relu", "step", "relu2", "erf", "ntk", "matern"])
@pytest.mark.parametrize("map_", ["random", "landmarks"])
def test_features_of_tensors(kernel, map_):
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(0).standard_normal((30, 80))
    model = RandomFeatures(kernel, 20, map=map_, random_state=0)
    if map_ == "random":
        model.set_params(sampling="structured")
    expected = clone(model).fit_transform(X)
    with sklearn.config_context(array_api_dispatch=True):
        found = clone(model).fit_transform(torch.as_tensor(X))
    assert_allclose(found.numpy(), expected, atol=1e-6)


def test_cross_validation_beats_a_linear_model(data):
    X, y = data
    rng = np.random.default_rng(1)
    X = rng.standard_normal((300, 3))
    y = np.sin(2 * X[:, 0]) * X[:, 1]
    ours = cross_val_score(RidgeOnlyCV(300, random_state=0), X, y, cv=4)
    linear = cross_val_score(RidgeCV(), X, y, cv=4)
    assert ours.mean() > linear.mean() + 0.5


def test_the_documented_pipeline_takes_strings_and_missing_values():
    rng = np.random.default_rng(0)
    n = 300
    table = pd.DataFrame({"income": np.exp(3 * rng.standard_normal(n))})
    table["age"] = np.where(rng.random(n) < 0.2, np.nan, rng.uniform(20, 70, n))
    table["place"] = rng.choice(["north", "south", None], n)
    y = np.log(table.income) + (table.place == "north") + 0.1 * rng.standard_normal(n)
    columns = make_column_transformer(
        (
            SimpleImputer(strategy="median", add_indicator=True),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5),
            make_column_selector(dtype_exclude="number"),
        ),
        sparse_threshold=0,
    )
    model = make_pipeline(columns, RandomFeatureRidgeCV(random_state=0))
    assert model.fit(table[:200], y[:200]).score(table[200:], y[200:]) > 0.95
    new = table[:2].assign(place=["elsewhere", None], age=[np.nan, 1e6])
    assert np.isfinite(model.predict(new)).all()
