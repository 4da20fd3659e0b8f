"""What onnxruntime computes is what we compute."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext import probes
from sklearn_ext.onnx import register_converters

skl2onnx = pytest.importorskip("skl2onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime")

CLASSIFIERS = [
    probes.NaiveBayesProbe(),
    probes.NaiveBayesProbe(covariance="class", temperature=3.0),
    probes.NaiveBayesProbe(temperature="loo"),
    probes.ShrinkageDiscriminantProbe(),
    probes.LogisticProbe(),
    probes.LogisticProbeCV(Cs=3),
]


def run(model, X):
    register_converters()
    options = {id(model): {"zipmap": False}}
    if hasattr(model, "steps"):
        options = {id(model.steps[-1][1]): {"zipmap": False}}
    stored = skl2onnx.to_onnx(model, X[:1].astype(np.float32), options=options)
    session = onnxruntime.InferenceSession(
        stored.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X.astype(np.float32)})


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


def test_registering_twice_changes_nothing():
    register_converters()
    register_converters()


def test_missing_skl2onnx_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"sklearn-ext\[onnx\]"):
        register_converters()
