"""Selection in the space of an encoder; the rows themselves are kept."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    Normalizer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    ExemplarDisplay,
    FacilityLocation,
    SubmodularSampler,
)
from tests.submodular._problems import selector


# an encoder that does not learn, so that weights still equal repetitions
@parametrize_with_checks(
    [
        DynamicSubmodularSelector(encoder=Normalizer(norm="max")),
        SubmodularSampler(encoder=Normalizer(norm="max")),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


TEXTS = ["red apple", "green apple", "blue sky", "grey sky", "red rose", "blue rose"]


def same_stream(model, X, more):
    """Run every way in which rows come and go; return what was read on the way."""
    model.fit(X)
    seen = [model.labels_, model.selected_ids_]
    model.partial_fit(more[:5]).forget([1, 2])
    seen += [model.selected_ids_, model.predict(more), model.transform(more)]
    model.update((more[5:7], ["a", "b"]), forget=model.selected_ids_[:2])
    model.replace(["a"], more[7:8])
    seen += [np.array(model.selected_ids_, dtype=str), model.score(more)]
    model.forget(["b"], purge=True)
    seen += [np.array(model.selected_ids_, dtype=str), model.objective_]
    model.refresh_reference()
    seen += [model.objective_, model.upper_bound_]
    model.refresh_reference(more)
    return [*seen, model.objective_]


@pytest.mark.parametrize("params", [{}, {"refine": "pool"}, {"max_cache_mb": 0}])
@pytest.mark.parametrize("algorithm", ["leveled", "greedy"])
def test_selection_is_that_of_the_encoded_rows(algorithm, params, rng):
    X, more = rng.normal(size=(60, 5)), rng.normal(size=(8, 5))
    pca = PCA(2).fit(X)
    ours = selector(encoder=PCA(2), algorithm=algorithm, **params)
    plain = selector(algorithm=algorithm, **params)
    expected = same_stream(plain, pca.transform(X), pca.transform(more))
    for got, want in zip(same_stream(ours, X, more), expected, strict=True):
        if np.asarray(want).dtype.kind == "f":
            assert_allclose(got, want, rtol=1e-12)
        else:
            assert_array_equal(got, want)
    assert ours.exemplars_.shape == (5, 5)
    assert_allclose(pca.transform(ours.exemplars_), plain.exemplars_, atol=1e-12)
    assert ours.n_features_in_ == 5


def test_a_clone_is_fitted_and_a_frozen_one_stays(rng):
    X = rng.normal(size=(40, 5))
    pca = PCA(2)
    model = selector(encoder=pca).fit(X)
    assert not hasattr(pca, "components_")
    assert_array_equal(model.encoder_.components_, PCA(2).fit(X).components_)
    pca.fit(X[:20])
    frozen = selector(encoder=FrozenEstimator(pca)).fit(X)
    assert frozen.encoder_.estimator is pca
    assert clone(frozen).fit(X).encoder_.estimator is pca
    assert_allclose(
        frozen.transform(X[:3]),
        frozen.objective_model_.similarity(
            pca.transform(X[:3]), pca.transform(frozen.exemplars_)
        ),
    )
    assert selector().fit(X).encoder_ is None
    with pytest.raises(NotFittedError, match="PCA instance is not fitted"):
        selector(encoder=FrozenEstimator(PCA(2))).fit(X)


def test_the_target_reaches_the_encoder(rng):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] + 0.01 * rng.normal(size=(300, 64)), y[:300]
    encoder = LinearDiscriminantAnalysis(n_components=3)
    model, later = selector(encoder=encoder).fit(X, y), selector(encoder=encoder)
    assert model.encoder_.transform(X).shape == (300, 3)
    assert_array_equal(later.partial_fit(X, y).selected_ids_, model.selected_ids_)
    assert_array_equal(model.fit_predict(X, y), model.labels_)


def test_texts_are_stored_whole():
    model = selector(2, encoder=TfidfVectorizer()).fit(TEXTS)
    assert set(model.exemplars_) <= set(TEXTS)
    longer = "a very much longer sentence about the grey rose under the red sky"
    model.partial_fit([longer], ids=["long"]).forget(range(6))
    assert model.exemplars_.tolist() == [longer]
    assert model.predict(["grey sky"]).tolist() == [0]
    model.update(["green sky"]).replace(["long"], ["red apple"])
    assert set(model.exemplars_) == {"green sky", "red apple"}
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.forget(["long"]).exemplars_, ["green sky"])
    assert selector(2, encoder=TfidfVectorizer()).fit(TEXTS).select(TEXTS) == [
        TEXTS[i]
        for i in selector(2, encoder=TfidfVectorizer()).fit(TEXTS).selected_ids_
    ]


def test_frames_reach_the_encoder_with_names_and_dtypes(rng):
    frame = pd.DataFrame(
        {"size": rng.normal(size=30), "kind": rng.choice(["a", "b"], 30)},
        index=[f"r{i}" for i in range(30)],
    )
    encoder = make_column_transformer(
        (StandardScaler(), ["size"]), (OneHotEncoder(), ["kind"])
    )
    model = selector(3, encoder=encoder).fit(frame[:20], ids="index")
    assert model.feature_names_in_.tolist() == ["size", "kind"]
    model.partial_fit(frame[20:], ids="index").forget(["r0"])
    for i, row in zip(model.selected_ids_, model.exemplars_, strict=True):
        assert row.tolist() == frame.loc[i].tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame[["kind", "size"]])


def test_pictures_keep_their_shape_and_numbers(rng):
    pictures = rng.integers(0, 255, size=(20, 3, 4, 4)).astype(np.uint8)
    encoder = FunctionTransformer(lambda X: X.reshape(len(X), -1)[:, :5] / 255.0)
    model = selector(3, encoder=encoder).fit(pictures)
    assert model.exemplars_.shape == (3, 3, 4, 4)
    assert model.exemplars_.dtype == np.uint8
    bright = np.full((1, 3, 4, 4), 300.5)
    model.partial_fit(bright).forget(range(20))
    assert_array_equal(model.exemplars_, bright)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 4\), as those of fit had"):
        model.update(np.ones((1, 3, 4, 5)))


def test_sparse_rows(rng):
    X = rng.integers(0, 4, size=(40, 6))
    scale = FunctionTransformer(lambda X: X * 0.5, accept_sparse=True)
    dense, thin = selector(encoder=scale), selector(encoder=scale)
    dense.fit(X[:30]).partial_fit(X[30:])
    thin.fit(sparse.csr_array(X[:30])).partial_fit(sparse.csc_array(X[30:]))
    assert_array_equal(thin.selected_ids_, dense.selected_ids_)
    assert_array_equal(thin.exemplars_.toarray(), dense.exemplars_)


def test_rows_are_copied_though_the_encoder_returns_a_view(rng):
    X = rng.normal(size=(20, 4))
    before = X.copy()
    model = selector(encoder=FunctionTransformer(lambda X: X[:, :2])).fit(X)
    model.forget([0, 1]).partial_fit(X[5:7] + 1)  # into slots that are free
    assert_array_equal(X, before)


def test_missing_values_are_up_to_the_encoder(rng):
    X = rng.normal(size=(20, 3))
    X[0, 0] = np.nan
    model = selector(encoder=FunctionTransformer(np.nan_to_num)).fit(X)
    assert model.n_active_ == 20
    with pytest.raises(ValueError, match="Input encoded rows contains NaN"):
        selector(encoder=FunctionTransformer()).fit(X)


class Failing(TransformerMixin, BaseEstimator):
    """Copies rows until one is negative."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if np.min(X) < 0:
            raise RuntimeError("a negative row")
        return np.asarray(X)[: None if np.max(X) < 9 else 1]


def test_a_failing_encoder_changes_nothing(rng):
    X = rng.uniform(size=(12, 3))
    model = selector(3, encoder=Failing()).fit(X[:10])
    model.partial_fit(X[10:])
    before = joblib.hash(model.snapshot())
    for call in (model.partial_fit, model.update, model.predict, model.score):
        with pytest.raises(RuntimeError, match="a negative row"):
            call(-X)
        with pytest.raises(ValueError, match="one row for each row, got 1 for 12"):
            call(X + 9)
    assert joblib.hash(model.snapshot()) == before
    with pytest.raises(RuntimeError, match="a negative row"):
        model.fit(-X)
    assert joblib.hash(model.snapshot()) == before
    assert model.forget([0]).n_active_ == 11


def test_snapshots_share_the_encoder(rng):
    X = rng.normal(size=(30, 4))
    model = selector(encoder=PCA(2)).fit(X[:20])
    kept, expected = model.snapshot(), model.selected_ids_
    model.partial_fit(X[20:]).forget(expected)
    assert_array_equal(model.restore(kept).selected_ids_, expected)
    assert kept.state["encoder_"] is model.encoder_
    with pytest.raises(ValueError, match="with other parameters"):
        model.set_params(encoder__n_components=3).restore(kept)


def test_search_over_the_encoder_by_what_comes_after():
    X, y = load_digits(return_X_y=True)
    X, y = X[:400], y[:400]
    features = selector(20, encoder=PCA(random_state=0), objective=FacilityLocation())
    pipe = make_pipeline(features, LogisticRegression(C=100.0, max_iter=1000))
    grid = {
        "dynamicsubmodularselector__encoder__n_components": [1, 10],
        "dynamicsubmodularselector__objective__gamma": [None],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    best = search.best_estimator_[0]
    assert best.encoder_.n_components_ == 10
    assert search.best_params_["dynamicsubmodularselector__encoder__n_components"] == 10
    assert best.get_feature_names_out().shape == (20,)
    alone = GridSearchCV(features, {"encoder__n_components": [2, 3]}, cv=2).fit(X)
    assert alone.best_estimator_.exemplars_.shape == (20, 64)


def test_frozen_networks(rng):
    torch = pytest.importorskip("torch")
    from sklearn_ext.probes import FrozenFeatures

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.Tanh())
    X = rng.normal(size=(30, 6)).astype(np.float32)
    model = selector(encoder=FrozenFeatures(net)).fit(X[:20]).partial_fit(X[20:])
    with torch.no_grad():
        Z = net(torch.as_tensor(X)).numpy()
    plain = selector().fit(Z[:20]).partial_fit(Z[20:])
    assert_array_equal(model.selected_ids_, plain.selected_ids_)
    assert model.encoder_.module_ is net


def test_the_sampler_returns_rows_that_are_not_encoded(rng):
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    sampler = SubmodularSampler(20, encoder=PCA(5), sampling_strategy="equal")
    X_new, y_new = sampler.fit_resample(X, y)
    assert_array_equal(X_new, X[sampler.sample_indices_])
    assert np.bincount(y_new).tolist() == [2] * 10
    plain = SubmodularSampler(20, sampling_strategy="equal")
    expected = plain.fit(PCA(5).fit_transform(X), y).sample_indices_
    assert_array_equal(sampler.sample_indices_, expected)
    texts, _ = SubmodularSampler(2, encoder=TfidfVectorizer()).fit_resample(TEXTS)
    assert len(set(texts) & set(TEXTS)) == 2


def test_exemplars_are_drawn_where_they_are_compared():
    display = ExemplarDisplay.from_estimator(
        selector(2, encoder=TfidfVectorizer()).fit(TEXTS), TEXTS
    )
    assert display.points.shape == (6, 2)
    assert display.exemplars.shape == (2, 2)
