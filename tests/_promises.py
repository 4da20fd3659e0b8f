"""What third-party clients rely on, one function a promise, for any estimator.

Each function takes an unfitted estimator and raises ``AssertionError`` (or whatever
the broken estimator raises) when the promise is broken. The suite runs them on every
public estimator, and on deliberately broken ones to see that they can fail.
"""

import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_clusterer, is_regressor
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LinearRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

import sklearn_ext
from tests._instances import data_for, fitted, outputs, plain


def same(model, other, X, rtol=1e-6, X_other=None):
    """Assert that two models say the same about rows."""
    said, also = outputs(model, X), outputs(other, X if X_other is None else X_other)
    assert said.keys() == also.keys()
    for method, expected in said.items():
        if expected.dtype.kind == "f":
            assert_allclose(
                also[method], expected, rtol=rtol, atol=rtol * abs(expected).max()
            )
        else:
            assert_array_equal(also[method], expected)


def r1_init_only_stores(estimator):
    cls = type(estimator)
    for name in inspect.signature(cls).parameters:
        for value in (object(), np.arange(3)):
            assert getattr(plain(cls, **{name: value}), name) is value
    assert set(vars(plain(cls))) == set(inspect.signature(cls).parameters)


def r2_fit_returns_self(estimator):
    X, y = data_for(estimator)
    model = clone(estimator)
    assert model.fit(X, y) is model


def r3_parameters_and_reprs(estimator):
    model = fitted(estimator)
    assert clone(model).get_params().keys() == estimator.get_params().keys()
    pipe = make_pipeline(StandardScaler(), estimator)
    name = type(estimator).__name__
    nested = {f"{name.lower()}__{key}" for key in estimator.get_params()}
    assert nested <= pipe.get_params().keys()
    assert name in repr(model)
    if isinstance(model, GridSearchCV):  # pages show no other text before 1.9
        model.set_params(error_score=np.nan)
    assert name in model._repr_html_()


def r4_input_containers_and_dtypes(estimator):
    X, y = data_for(estimator)
    model = fitted(estimator, X, y)
    wide = np.repeat(X, 2, axis=1)
    frozen = X.copy()
    frozen.setflags(write=False)
    for other in (np.asfortranarray(X), wide[:, ::2], X.astype(object), frozen):
        before = np.array(other, copy=True)
        same(model, fitted(estimator, other, y), X, X_other=other)
        assert_array_equal(other, before)
    fitted(estimator, (10 * X).astype(int), y)  # integers are accepted
    same(model, fitted(estimator, X.tolist(), y.tolist()), X, X_other=X.tolist())


def r4_float32_agrees(estimator):
    X, y = data_for(estimator)
    model, single = fitted(estimator, X, y), fitted(estimator, X.astype(np.float32), y)
    said, also = outputs(model, X), outputs(single, X.astype(np.float32))
    for method, expected in said.items():
        if expected.dtype.kind == "f":
            assert_allclose(
                also[method], expected, rtol=5e-2, atol=5e-2 * abs(expected).max()
            )
        else:
            assert np.mean(also[method] == expected) > 0.95
    for transform in {"transform"} & said.keys():
        assert also[transform].dtype == np.float32


def r5_dataframes(estimator):
    X, y = data_for(estimator)
    model = fitted(estimator, X, y)
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    for other in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        named = fitted(estimator, other, y)
        same(model, named, X, X_other=other)
    named = fitted(estimator, frame, y)
    assert_array_equal(named.feature_names_in_, frame.columns)
    method = getattr(named, "predict", getattr(named, "transform", None))
    if method is not None:
        with pytest.raises(ValueError, match="same order"):
            method(frame[frame.columns[::-1]])


def r6_sparse_is_right_or_refused(estimator):
    X, y = data_for(estimator)
    X = np.where(abs(X) > 0.5, X, 0)
    containers = (sparse.csr_array, sparse.csc_array, sparse.csr_matrix)
    if not get_tags(estimator).input_tags.sparse:
        with pytest.raises(TypeError, match=r"(?i)sparse"):
            fitted(estimator, sparse.csr_array(X), y)
        return
    model = fitted(estimator, X, y)
    for container in (*containers, sparse.coo_array):
        same(model, fitted(estimator, container(X), y), X, 1e-5, X_other=container(X))


def r7_state_is_all_there_is(estimator, tmp_path):
    X, _ = data_for(estimator)
    model = fitted(estimator)
    before = joblib.hash(model)
    same(model, pickle.loads(pickle.dumps(model)), X, 1e-9)
    same(model, pickle.loads(cloudpickle.dumps(model)), X, 1e-9)
    joblib.dump(model, tmp_path / "model.joblib")
    same(model, joblib.load(tmp_path / "model.joblib", mmap_mode="r"), X, 1e-9)
    expected = outputs(model, X)
    with ThreadPoolExecutor(4) as pool:
        for said in pool.map(lambda _: outputs(model, X), range(8)):
            for method, result in said.items():
                assert_array_equal(result, expected[method])
    assert joblib.hash(model) == before  # nothing is written by predicting


def r8_same_seed_same_answer(estimator):
    X, _ = data_for(estimator)
    np.random.seed(7)
    state = np.random.get_state()[1].copy()
    one, two = outputs(fitted(estimator), X), outputs(fitted(estimator), X)
    for method, expected in one.items():
        assert_array_equal(two[method], expected)
    assert_array_equal(np.random.get_state()[1], state)  # the user's generator


def r9_labels_of_any_type(estimator):
    if not is_classifier(estimator):
        return
    X, y = data_for(estimator)
    names = np.array(["zebra", "ant", "bee"])
    for labels in (names[y], (y == 1), 10 * y - 7):
        model = fitted(estimator, X, labels)
        assert_array_equal(model.classes_, np.unique(labels))
        assert set(np.unique(model.predict(X))) <= set(model.classes_)
        chances = model.predict_proba(X)
        assert chances.shape == (len(X), len(model.classes_))
        assert chances.min() >= 0
        assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
        best = model.classes_[chances.argmax(axis=1)]
        clear = np.sort(chances, axis=1)[:, -1] > np.sort(chances, axis=1)[:, -2] + 1e-9
        assert_array_equal(best[clear], model.predict(X)[clear])
        if len(model.classes_) == 2 and hasattr(model, "decision_function"):
            assert model.decision_function(X).shape == (len(X),)


def r10_targets_of_regressors(estimator):
    if not is_regressor(estimator):
        return
    X, y = data_for(estimator)
    y = y.astype(float)
    predicted = fitted(estimator, X, y).predict(X)
    assert predicted.shape == y.shape
    shifted = fitted(estimator, X, y + 3).predict(X)
    assert_allclose(shifted - 3, predicted, rtol=1e-4, atol=1e-4 * abs(predicted).max())
    if get_tags(estimator).target_tags.multi_output:
        both = fitted(estimator, X, np.c_[y, -y]).predict(X)
        assert both.shape == (len(y), 2)


def r11_weights(estimator):
    if not has_fit_parameter(estimator, "sample_weight"):
        return
    X, y = data_for(estimator)
    w = np.tile([0, 1, 2], 30)
    weighted = fitted(estimator, X, y, sample_weight=w)
    score_of = getattr(weighted, "score", lambda X, y: None)
    if "sample_weight" in inspect.signature(score_of).parameters:
        score = weighted.score(X, y, sample_weight=w)
        repeated = weighted.score(np.repeat(X, w, axis=0), np.repeat(y, w))
        assert_allclose(score, repeated, rtol=1e-6)
    with pytest.raises(ValueError, match="non-negative"):
        fitted(estimator, X, y, sample_weight=w - 1)


def r12_weights_are_routed(estimator):
    if not (is_classifier(estimator) or is_regressor(estimator)):
        return
    if not has_fit_parameter(estimator, "sample_weight"):
        return
    X, y = data_for(estimator)
    w = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    scorer = get_scorer("accuracy" if is_classifier(estimator) else "r2")
    with config_context(enable_metadata_routing=True):
        model = clone(estimator).set_fit_request(sample_weight=True)
        if "sample_weight" in inspect.signature(model.score).parameters:
            model.set_score_request(sample_weight=True)
        pipe = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True), model
        )
        search = GridSearchCV(
            pipe,
            {"standardscaler__with_std": [True]},
            cv=KFold(2),
            scoring=scorer.set_score_request(sample_weight=True),
        )
        search.fit(X, y, sample_weight=w)
        assert np.isfinite(search.best_score_)


def r14_transformers(estimator):
    if not hasattr(estimator, "transform"):
        return
    X, y = data_for(estimator)
    index = [f"row{i}" for i in range(len(X))]
    frame = pd.DataFrame(X, index=index).add_prefix("c")
    model = fitted(estimator, frame, y)
    names = model.get_feature_names_out()
    plain = model.transform(frame)
    plain = plain.toarray() if sparse.issparse(plain) else np.asarray(plain)
    assert plain.shape[1] == len(names)
    dense = fitted(estimator, frame, y)
    if not sparse.issparse(dense.transform(frame)):
        out = dense.set_output(transform="pandas").transform(frame)
        assert_array_equal(out.columns, names)
        assert_array_equal(out.index, index)
        out = dense.set_output(transform="polars").transform(frame)
        assert out.columns == list(names)


def r15_clusterers(estimator):
    if not is_clusterer(estimator):
        return
    X, _ = data_for(estimator)
    model = clone(estimator)
    labels = model.fit_predict(X)
    assert_array_equal(labels, model.labels_)
    assert labels.dtype.kind == "i"


def trusted_for(model):
    """Return our types, and for a search what one of scikit-learn's own stores."""
    trusted = set(sklearn_ext.trusted_types())
    if isinstance(model, GridSearchCV):
        X = np.arange(6.0)[:, None]
        peer = GridSearchCV(LinearRegression(), {}, cv=2).fit(X, X)
        trusted.update(skops.io.get_untrusted_types(data=skops.io.dumps(peer)))
    return trusted


def r17_skops(estimator):
    X, _ = data_for(estimator)
    model = fitted(estimator)
    stored = skops.io.dumps(model)
    trusted = trusted_for(model)
    assert not set(skops.io.get_untrusted_types(data=stored)) - trusted
    loaded = skops.io.loads(stored, trusted=sorted(trusted))
    same(model, loaded, X, 1e-9)


# a map of the columns is fitted to the first rows: sums are those of the whole without
FROZEN_EARLY = {"RidgeBandit": {"feature_map": None}}


def r19_chunks_equal_one_fit(estimator):
    if not hasattr(estimator, "_summarize") or not hasattr(estimator, "partial_fit"):
        return
    X, y = data_for(estimator)
    first = {"classes": np.unique(y)} if is_classifier(estimator) else {}
    name = type(estimator).__name__
    estimator = clone(estimator).set_params(**FROZEN_EARLY.get(name, {}))
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    whole = clone(estimator).partial_fit(X, y, **first)
    parts = clone(estimator)
    for rows in np.array_split(np.random.default_rng(0).permutation(len(X)), 4):
        parts.partial_fit(X[rows], y[rows], **first)
        first = {}
    same(whole, parts, X)


def r20_workers_agree(estimator):
    X, y = data_for(estimator)
    if "n_jobs" not in estimator.get_params():
        return
    one = fitted(clone(estimator).set_params(n_jobs=1), X, y)
    two = fitted(clone(estimator).set_params(n_jobs=2), X, y)
    same(one, two, X, 1e-12)


def r25_coefficients_are_those_of_the_columns(estimator):
    """SHAP, SelectFromModel and RFE take `coef_` for those of a linear model."""
    X, y = data_for(estimator)
    model = fitted(estimator, X, y)
    if not hasattr(model, "coef_"):
        return
    coef = np.atleast_2d(model.coef_)
    assert coef.shape[1] == model.n_features_in_ == X.shape[1]
    scores = X @ coef.T + model.intercept_
    if is_regressor(model):
        assert_allclose(scores[:, 0], model.predict(X), rtol=1e-6, atol=1e-6)
    elif len(coef) == 1:
        assert_array_equal(model.classes_[(scores[:, 0] > 0) * 1], model.predict(X))
    else:
        assert_array_equal(model.classes_[scores.argmax(axis=1)], model.predict(X))
    kept = SelectFromModel(model, prefit=True, threshold=-np.inf, max_features=2)
    assert kept.transform(X).shape == (len(X), 2)
    assert RFE(estimator, n_features_to_select=2, step=2).fit(X, y).n_features_ == 2


def failed_fit_leaves_the_state(estimator):
    X, y = data_for(estimator)
    model = fitted(estimator, X, y)
    before = joblib.hash(vars(model))
    broken = X.copy()
    broken[0, 0] = np.inf
    for method in ("fit", "partial_fit"):
        if hasattr(model, method):
            with pytest.raises(ValueError, match=r"(?i)inf"):
                getattr(model, method)(broken, y)
            with pytest.raises(ValueError):  # noqa: PT011 (scikit-learn's own words)
                getattr(model, method)(X[:0], y[:0])
            assert joblib.hash(vars(model)) == before


def failed_batches_without_rows(estimator):
    """No rows are an error, as in scikit-learn: of a first batch, a later one, a block.

    `failed_fit_leaves_the_state` looks at what a fitted model is afterwards.
    """
    X, y = data_for(estimator)
    labels = {"classes": np.unique(y)} if is_classifier(estimator) else {}
    model, nothing = clone(estimator), (X[:0], y[:0])
    calls = [("partial_fit", nothing)]
    calls += [
        ("fit_blocks", ([nothing, (X, y)],)),
        ("fit_blocks", ([(X, y), nothing],)),
    ]
    for name, args in calls:
        if (method := getattr(model, name, None)) is None:
            continue
        takes = inspect.signature(method).parameters
        with pytest.raises(ValueError, match=r"0 sample"):
            method(*args, **{k: v for k, v in labels.items() if k in takes})
        assert vars(model).keys() == vars(clone(estimator)).keys()


PROMISES = {
    name: function
    for name, function in list(globals().items())
    if (name.startswith("r") and name[1:2].isdigit()) or name.startswith("failed")
}
