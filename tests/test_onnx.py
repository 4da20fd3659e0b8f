"""What onnxruntime computes is what we compute."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_ext import (
    aggregate,
    probes,
    random_features,
    rashomon,
    representations,
)
from sklearn_ext.onnx import register_converters

skl2onnx = pytest.importorskip("skl2onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime")

# what the tuned ridges may choose from that is not to be had in ONNX is given
PLAIN = {"kernel": "relu", "map": "random", "standardize": True, "random_state": 0}
CLASSIFIERS = [
    probes.NaiveBayesProbe(),
    probes.NaiveBayesProbe(covariance="class", temperature=3.0),
    probes.NaiveBayesProbe(temperature="loo"),
    probes.ShrinkageDiscriminantProbe(),
    probes.LogisticProbe(),
    probes.LogisticProbeCV(Cs=3),
    random_features.RandomFeatureRidgeClassifier(n_components=30, random_state=0),
    random_features.RandomFeatureRidgeClassifierCV(n_components=30, **PLAIN),
]
REGRESSORS = [
    aggregate.BagRegressor(),
    aggregate.InstanceRegressor(),
    aggregate.InterpolatingAggregateRegressor(),
    aggregate.InterpolatingAggregateRegressorCV(),
    random_features.RandomFeatureRidgeCV(n_components=30, **PLAIN),
    rashomon.RashomonRidge(),
]
MAPS = [
    *({"kernel": name} for name in ("relu", "step", "relu2", "erf", "ntk")),
    *({"kernel": name} for name in ("rbf", "laplacian", "matern")),
    {"kernel": "rbf", "fourier": "pair"},
    {"kernel": "relu", "standardize": False, "fit_intercept": False},
]


def run(model, X, dtype=np.float32):
    register_converters()
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    options = {id(last): {"zipmap": False}} if is_classifier(last) else None
    stored = skl2onnx.to_onnx(model, X[:1].astype(dtype), options=options)
    session = onnxruntime.InferenceSession(
        stored.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X.astype(dtype)})


FAR = {
    "RandomFeatureRidgeClassifier": {"standardize": True, "map": "random"},
}


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 2.0**17), (np.float64, 1e9)])
@pytest.mark.parametrize("model", CLASSIFIERS + REGRESSORS, ids=repr)
def test_columns_far_from_zero_keep_their_digits(model, dtype, far):
    """Years, pascals, seconds since 1970: an intercept in single precision is lost."""
    classifies = is_classifier(model)
    X, y = (load_wine if classifies else load_diabetes)(return_X_y=True)
    X = (StandardScaler().fit_transform(X).round(1) + far).astype(dtype)
    model = clone(model).set_params(**FAR.get(type(model).__name__, {}))
    model.fit(X.astype(float), y)
    said = run(model, X, dtype)[-1]
    expected = (
        model.predict_proba(X.astype(float))
        if classifies
        else model.predict(X.astype(float))
    )
    scale = np.ptp(expected)
    assert_allclose(said, expected.reshape(said.shape), atol=1e-4 * scale, rtol=1e-4)


@pytest.mark.parametrize("names", [None, np.array(["zebra", "ant", "bee"])])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_classifiers(model, load, names):
    X, y = load(return_X_y=True)
    y = y if names is None else names[y]
    pipe = make_pipeline(StandardScaler(), model).fit(X, y)
    label, chances = run(pipe, X)
    assert_allclose(chances, pipe.predict_proba(X), atol=1e-3)
    clear = np.ptp(np.sort(chances, axis=1)[:, -2:], axis=1) > 1e-3
    assert_array_equal(label[clear], pipe.predict(X)[clear])


def assert_predicts(model, X):
    (said,) = run(model, X)
    expected = model.predict(X).reshape(said.shape)
    assert_allclose(said, expected, rtol=1e-3, atol=1e-3 * abs(expected).max())


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda m: type(m).__name__)
def test_regressors(model):
    X, y = load_diabetes(return_X_y=True)
    assert_predicts(make_pipeline(StandardScaler(), model).fit(X, y), X)
    if get_tags(model).target_tags.multi_output:
        assert_predicts(clone(model).fit(X, np.c_[y, -y, 2 * y]), X)


@pytest.mark.parametrize("n_components", [30, 31])
@pytest.mark.parametrize("params", MAPS, ids=str)
def test_every_map_of_random_features(params, n_components):
    X, y = load_diabetes(return_X_y=True)
    model = random_features.RandomFeatureRidge(
        n_components=n_components, random_state=0, **params
    )
    assert_predicts(model.fit(10 * X, y), 10 * X)


def test_structured_weights():
    X, y = load_digits(return_X_y=True)
    model = random_features.RandomFeatureRidge(
        n_components=100, sampling="structured", random_state=0
    )
    assert_predicts(model.fit(X, y), X)


@pytest.mark.parametrize("params", [{"map": "landmarks"}, {"n_components": np.inf}])
def test_models_that_keep_rows_are_refused(params):
    X, y = load_diabetes(return_X_y=True)
    model = random_features.RandomFeatureRidge(random_state=0, **params).fit(X, y)
    with pytest.raises(NotImplementedError, match="Only map='random' with a finite"):
        run(model, X)


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("allocation", ["mutual", "feature"])
def test_sparse_codes_of_a_linear_encoder(allocation, positive):
    X, _ = load_digits(return_X_y=True)
    model = representations.SparseAutoencoder(
        40,
        n_nonzero_coefs=4,
        encoder="linear",
        allocation=allocation,
        positive_code=positive,
        max_iter=3,
        random_state=0,
    ).fit(X)
    (said,) = run(model, X)
    expected = model.transform(X).toarray()
    # a code that is as large as its price may fall on either side
    clear = abs(expected**2 - model.price_) > 1e-3 * np.max(model.price_)
    assert_allclose(said[clear], expected[clear], atol=1e-3)
    assert clear.mean() > 0.99


def test_codes_by_pursuit_are_refused():
    X, _ = load_digits(return_X_y=True)
    for params in ({}, {"encoder": "linear", "allocation": "row"}):
        model = representations.SparseAutoencoder(
            10, n_nonzero_coefs=2, max_iter=1, random_state=0, **params
        ).fit(X)
        with pytest.raises(NotImplementedError, match="Only encoder='linear'"):
            run(model, X)


def test_registering_twice_changes_nothing():
    register_converters()
    register_converters()


def test_missing_skl2onnx_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"sklearn-ext\[onnx\]"):
        register_converters()
