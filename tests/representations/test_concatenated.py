"""Views side by side: kernels add, seeds repeat, and each block has its size."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    QuantileTransformer,
    StandardScaler,
)

from sklearn_ext.representations._concatenated import (
    ConcatenatedRepresentations,
    Rows,
    representation_similarity,
)
from sklearn_ext.representations._hidden_layer import HiddenLayer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def net(width=6, **params):
    return MLPClassifier((width,), **({"max_iter": 20} | params))


def kernel(V, w=None):
    V = V - np.average(V, axis=0, weights=w)
    return V @ V.T / np.average((V**2).sum(axis=1), weights=w)


# --- blocks ---------------------------------------------------------------------------


def test_side_by_side_is_the_mean_of_kernels(wine):
    X, _ = wine
    model = ConcatenatedRepresentations(random_state=0).fit(X)
    Z = model.transform(X)
    kernels = [kernel(view.transform(X)) for _, view in model.views_]
    assert_allclose(Z @ Z.T, np.mean(kernels, axis=0), atol=1e-12)


def test_weights_are_those_of_kernels(wine):
    X, _ = wine
    pair = ["raw", ("few", PCA(2))]
    one = ConcatenatedRepresentations(pair, weights=[3, 1]).fit(X).transform(X)
    mixed = 0.75 * kernel(X) + 0.25 * kernel(PCA(2).fit_transform(X))
    assert_allclose(one @ one.T, mixed, atol=1e-12)
    by_name = ConcatenatedRepresentations(pair, weights={"raw": 3}).fit(X)
    assert_allclose(by_name.transform(X), one)
    alone = ConcatenatedRepresentations(pair, weights=[0, 2]).fit(X)
    assert [name for name, _ in alone.views_] == ["few"]


def test_ridge_on_it_is_a_kernel_ridge(wine):
    X, y = wine
    Z = ConcatenatedRepresentations(random_state=0).fit(X).transform(X)
    predicted = Ridge(0.1).fit(Z, y).predict(Z)
    dual = np.linalg.solve(Z @ Z.T + 0.1 * np.eye(len(X)), y - y.mean())
    assert_allclose(predicted, Z @ Z.T @ dual + y.mean(), rtol=1e-8)


def test_without_scales_columns_are_as_they_are(wine):
    X, _ = wine
    model = ConcatenatedRepresentations([PCA(2), PCA(3)], block_scale=False).fit(X)
    expected = np.hstack([PCA(2).fit_transform(X), PCA(3).fit_transform(X)])
    assert_allclose(model.transform(X), expected)
    assert list(model.get_feature_names_out()) == [
        "pca_0",
        "pca_1",
        "pca-2_0",
        "pca-2_1",
        "pca-2_2",
    ]


def test_weights_of_rows_count_in_sizes(wine):
    X, y = wine
    w = np.arange(len(X)) % 3
    model = ConcatenatedRepresentations(["raw", LinearDiscriminantAnalysis()])
    with pytest.raises(
        ValueError, match="'lineardiscriminantanalysis' takes no sample"
    ):
        model.fit(X, y, sample_weight=w)
    model.set_params(views=["raw", "tilt", "random_features"], random_state=0)
    Z = model.fit(X, sample_weight=w).transform(X)
    assert_allclose(np.average((Z**2).sum(axis=1), weights=w), 1)
    repeated = model.fit(np.repeat(X, w, axis=0)).transform(X)
    assert_allclose(Z, repeated, atol=1e-9)
    huge = model.fit(X, sample_weight=w * 2.0**1014).transform(X)
    assert_allclose(huge, Z, atol=1e-9)


def test_a_view_without_variance_is_left_out(wine):
    X, _ = wine
    frame = pd.DataFrame(X).add_prefix("c")
    constant = make_pipeline(QuantileTransformer(n_quantiles=50), PCA(1)).set_params(
        quantiletransformer__output_distribution="uniform"
    )
    flat = ("flat", Flat())
    with pytest.warns(UserWarning, match="The view 'flat' is the same for all rows"):
        model = ConcatenatedRepresentations([flat, "raw", constant]).fit(frame)
    assert [name for name, _ in model.views_] == ["raw", "pipeline"]
    assert model.get_feature_names_out()[0] == "raw_c0"
    assert model.transform(frame).shape == (178, 14)
    assert model.similarity_.shape == (2, 2)


class Missing(PCA):
    def transform(self, X):
        return np.full((len(X), 2), np.nan)


class Flat(PCA):
    def transform(self, X):
        return np.full((len(X), 2), 7.1)


# --- components, and back -------------------------------------------------------------


def test_components_are_pca_of_the_whole(wine):
    X, _ = wine
    whole = ConcatenatedRepresentations(random_state=0).fit(X).transform(X)
    model = ConcatenatedRepresentations(n_components=4, random_state=0).fit(X)
    pca = PCA(4).fit(whole)
    found = model.transform(X)
    assert_allclose(abs(found), abs(pca.transform(whole)), atol=1e-10)
    share = pca.explained_variance_ratio_
    assert_allclose(model.explained_variance_ratio_, share, rtol=1e-10)
    full = ConcatenatedRepresentations(n_components=1000, random_state=0).fit(X)
    assert full.n_components_ <= 177
    Z = full.transform(X)
    assert_allclose(Z @ Z.T, whole @ whole.T, atol=1e-10)
    assert full.get_feature_names_out()[2] == "concatenatedrepresentations2"


def test_components_of_columns_as_they_are(wine):
    X, _ = wine
    model = ConcatenatedRepresentations(["raw"], block_scale=False, n_components=3)
    found = model.fit(X + 5).transform(X + 5)
    size = np.sqrt(np.var(X, axis=0).sum())
    assert_allclose(abs(found), abs(PCA(3).fit_transform(X)) / size, atol=1e-10)


@pytest.mark.parametrize("n_components", [None, 13])
@pytest.mark.parametrize("block_scale", [True, False])
def test_raw_brings_the_rows_back(wine, n_components, block_scale):
    X, _ = wine
    model = ConcatenatedRepresentations(
        ["tilt", "raw"], n_components=n_components, block_scale=block_scale
    ).fit(X + 3)
    assert_allclose(model.inverse_transform(model.transform(X + 3)), X + 3)
    with pytest.raises(
        ValueError, match="X has 2 columns, but this representation has"
    ):
        model.inverse_transform(X[:, :2])


def test_nothing_else_can_be_undone(wine):
    X, _ = wine
    model = ConcatenatedRepresentations(["tilt"])
    assert not hasattr(model, "inverse_transform")
    with pytest.raises(AttributeError, match="needs the view 'raw' among views"):
        model.fit(X).inverse_transform(X)
    assert hasattr(ConcatenatedRepresentations(), "inverse_transform")


def test_set_params_after_fit_changes_nothing(wine):
    X, _ = wine
    model = ConcatenatedRepresentations(random_state=0).fit(X)
    before = model.transform(X)
    model.set_params(views=["tilt"], n_components=2, n_seeds=4, weights=[7])
    assert_array_equal(model.transform(X), before)
    assert hasattr(model, "inverse_transform")
    model = ConcatenatedRepresentations(["raw"], n_components=2).fit(X)
    assert not hasattr(model.set_params(n_components=None).fit(X), "components_")


# --- seeds ----------------------------------------------------------------------------


def test_seeds_are_side_by_side_and_do_not_depend_on_workers(wine):
    X, y = wine
    model = ConcatenatedRepresentations(net(), n_seeds=3, random_state=0)
    Z = model.fit(X, y).transform(X)
    assert [name for name, _ in model.views_] == [f"mlpclassifier{i}" for i in range(3)]
    assert model.get_feature_names_out()[8] == "mlpclassifier1_2"
    seeds = [view.random_state for _, view in model.views_]
    assert len(set(seeds)) == 3
    for i, (_, view) in enumerate(model.views_):
        own = HiddenLayer(net(), random_state=seeds[i]).fit(X, y).transform(X)
        part = Z[:, 6 * i : 6 * i + 6]
        assert_allclose(kernel(part), kernel(own))
        assert isinstance(view, HiddenLayer)
    two = clone(model).set_params(n_jobs=2).fit(X, y).transform(X)
    assert_array_equal(two, Z)


def test_a_view_keeps_its_own_seed_unless_one_is_given(wine):
    X, y = wine
    layer = HiddenLayer(net(random_state=3))
    Z = ConcatenatedRepresentations([layer, "raw"]).fit(X, y).transform(X)
    own = clone(layer).fit(X, y).transform(X)
    assert_allclose(kernel(Z[:, :6]), kernel(own))


def test_bootstrap_repeats_what_has_no_seed(wine):
    X, y = wine
    model = ConcatenatedRepresentations(
        ["raw", LinearDiscriminantAnalysis()],
        n_seeds=3,
        resample="bootstrap",
        random_state=0,
    )
    model.fit(X, y)
    means = [view.mean_ for name, view in model.views_ if name.startswith("raw")]
    assert len(means) == 3
    assert abs(means[0] - means[1]).max() > 0.01
    maps = [v.scalings_ for n, v in model.views_ if n.startswith("lineard")]
    assert abs(maps[0] - maps[1]).max() > 1e-3
    order = np.random.default_rng(0).permutation(len(X))
    other = clone(model).fit(X[order], y[order])
    assert_allclose(other.transform(X), model.transform(X), atol=1e-8)
    w = np.arange(len(X)) % 3
    weighted = clone(model).fit(X, y, sample_weight=w).transform(X)
    repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(repeated.transform(X), weighted, atol=1e-8)


def test_rows_without_label_are_for_views_that_need_none(wine):
    X, y = wine
    for marked in (
        np.where(np.arange(len(y)) % 2, -1, y),
        np.where(np.arange(len(y)) % 2, np.nan, y),
        np.where(np.arange(len(y)) % 2, None, np.array(list("abc"), dtype=object)[y]),
    ):
        layer = HiddenLayer(net(), random_state=0)
        model = ConcatenatedRepresentations(["raw", layer]).fit(X, marked)
        own = clone(layer).fit(X[::2], y[::2]).transform(X)
        assert_allclose(kernel(model.transform(X)[:, 13:]), kernel(own))
        assert_allclose(model.views_[0][1].mean_, X.mean(axis=0), atol=1e-12)
        assert len(model.views_[1][1].estimator_.classes_) == 3


def test_what_learns_from_labels_within_a_view_sees_none_but_those(wine):
    X, y = wine
    marked, lda = np.where(np.arange(len(y)) % 2, -1, y), LinearDiscriminantAnalysis()
    for view in (make_pipeline(StandardScaler(), lda), make_union(lda)):
        model = ConcatenatedRepresentations([view]).fit(X, marked)
        own = clone(view).fit(X[::2], y[::2]).transform(X)
        assert_allclose(kernel(model.transform(X)), kernel(own))
        with pytest.raises(ValueError, match="requires y to be passed"):
            model.fit(X)


def test_among_numbers_to_be_predicted_minus_one_is_a_number(wine):
    X, y = wine[0], np.random.default_rng(0).integers(-3, 4, len(wine[0]))
    regressor = MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0)
    for target in (y, np.c_[y, -y]):
        for wrapped in (regressor, make_pipeline(StandardScaler(), regressor)):
            model = ConcatenatedRepresentations(wrapped).fit(X, target)
            own = HiddenLayer(wrapped).fit(X, target).transform(X)
            assert_allclose(kernel(model.transform(X)), kernel(own))


def test_several_outputs_are_labels_of_a_row_together(wine):
    X, y = wine
    both = np.c_[y == 0, y == 1].astype(int)
    layer = HiddenLayer(net(), random_state=0)
    model = ConcatenatedRepresentations([layer])
    own = clone(layer).fit(X, both).transform(X)
    assert_allclose(kernel(model.fit(X, both).transform(X)), kernel(own))
    own = clone(layer).fit(X[::2], both[::2]).transform(X)
    unknown = (np.arange(len(y)) % 2 == 1)[:, None]
    for marked in (np.where(unknown, -1, both), np.where(unknown, None, both)):
        assert_allclose(kernel(model.fit(X, marked).transform(X)), kernel(own))
    marked[0, 1] = None
    with pytest.raises(ValueError, match="row 0 has it in some of 2"):
        model.fit(X, marked)


# --- what users pass ------------------------------------------------------------------


def test_fitted_views_stay_as_they_are(wine):
    X, y = wine
    source, pca = net(random_state=0).fit(X[:90], y[:90]), PCA(2).fit(X[:90])
    model = ConcatenatedRepresentations([source, pca], prefit=True).fit(X[90:])
    own = HiddenLayer(source, prefit=True).fit(X).transform(X)
    Z = model.transform(X)
    assert_allclose(kernel(Z[90:, :6]), kernel(own[90:]))
    assert model.views_[1][1] is pca
    frozen = HiddenLayer(
        FrozenEstimator(make_pipeline(StandardScaler(), source).fit(X, y))
    )
    again = clone(ConcatenatedRepresentations([frozen])).fit(X, y)
    assert again.transform(X).shape == (178, 6)


def test_tables_reach_users_views_with_their_columns(wine):
    X, y = wine
    frame = pd.DataFrame(X).add_prefix("c").assign(place=list("ab") * 89)
    views = [("first", First()), ("place", First(column="place"))]
    model = ConcatenatedRepresentations(views).fit(frame, y)
    assert model.transform(frame).shape == (178, 2)
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame[frame.columns[::-1]])


class First(TransformerMixin, BaseEstimator):
    """A column of a table as one number."""

    def __init__(self, column="c0"):
        self.column = column

    def fit(self, X, y=None):
        self.components_ = 1
        return self

    def transform(self, X):
        column = X[self.column]
        return column.astype("category").cat.codes.to_numpy()[:, None]


def test_fitted_views_beside_named_ones(wine):
    X, _ = wine
    pca = PCA(2).fit(X[:90])
    model = ConcatenatedRepresentations(["raw", pca], prefit=True).fit(X[90:])
    assert model.views_[1][1] is pca
    assert_allclose(model.views_[0][1].mean_, X[90:].mean(axis=0))


def test_missing_values_where_all_views_take_them(wine):
    X = np.where(wine[0] > 2, np.nan, wine[0])
    fill = make_pipeline(SimpleImputer(), PCA(2))
    model = ConcatenatedRepresentations([fill, clone(fill)]).fit(X)
    assert np.isfinite(model.transform(X)).all()
    with pytest.raises(ValueError, match="contains NaN"):
        ConcatenatedRepresentations([fill, "raw"]).fit(X)


def test_names_that_are_given_stay(wine):
    X, _ = wine
    views = [PCA(1), ("pca-2", PCA(2)), PCA(3)]
    model = ConcatenatedRepresentations(views).fit(X)
    assert [name for name, _ in model.views_] == ["pca", "pca-2", "pca-3"]


@pytest.mark.parametrize("size", [1e-100, 1e8, 1e150])
def test_weights_of_any_size(wine, size):
    X, _ = wine
    one = ConcatenatedRepresentations(["raw", "tilt"], weights=[2, 1]).fit(X)
    for scale in (size, size**2):
        weights = np.array([2.0, 1.0]) * scale
        other = ConcatenatedRepresentations(["raw", "tilt"], weights=weights).fit(X)
        assert_allclose(other.transform(X), one.transform(X), rtol=1e-12)


def test_sparse_rows_where_all_views_take_them(wine):
    X = sparse.csr_array(np.where(abs(wine[0]) > 1, wine[0], 0))
    model = ConcatenatedRepresentations([TruncatedSVD(2), TruncatedSVD(3)]).fit(X)
    assert_allclose(model.transform(X), model.transform(X.toarray()), atol=1e-12)
    with pytest.raises(TypeError, match=r"(?i)sparse"):
        ConcatenatedRepresentations().fit(X)


def test_parameters_of_named_views_are_searched(wine):
    X, y = wine
    model = ConcatenatedRepresentations([("few", PCA()), "raw"])
    assert model.get_params()["few__n_components"] is None
    model.set_params(few__n_components=2)
    assert model.fit(X).transform(X).shape == (178, 15)
    model.set_params(few=TruncatedSVD(4))
    assert model.fit(X).transform(X).shape == (178, 17)
    assert model.views[1] == "raw"
    pipe = make_pipeline(ConcatenatedRepresentations([("few", PCA())]), Ridge())
    grid = {"concatenatedrepresentations__few__n_components": [1, 2]}
    assert GridSearchCV(pipe, grid, cv=2).fit(X, y).best_params_
    one = ConcatenatedRepresentations(net()).set_params(views__hidden_layer_sizes=(3,))
    assert one.fit(X, y).transform(X).shape == (178, 3)


def test_metadata_reaches_the_views_that_ask_for_it(wine):
    X, y = wine
    w = np.where(y == 0, 0.5, 1.0)
    with config_context(enable_metadata_routing=True):
        deaf = HiddenLayer(net(), random_state=0)
        own = clone(deaf).fit(X, y).transform(X)
        model = ConcatenatedRepresentations([deaf]).fit(X, y)
        assert_allclose(kernel(model.transform(X)), kernel(own))
        with pytest.raises(UnsetMetadataPassedError):
            ConcatenatedRepresentations([deaf]).fit(X, y, sample_weight=w)
        for asks in (True, False):
            layer = clone(deaf).set_fit_request(sample_weight=asks)
            model = ConcatenatedRepresentations([layer]).fit(X, y, sample_weight=w)
            own = clone(deaf).fit(X, y, **({"sample_weight": w} if asks else {}))
            assert_allclose(kernel(model.transform(X), w), kernel(own.transform(X), w))
        wrapped = net(random_state=0).set_fit_request(sample_weight=True)
        model = ConcatenatedRepresentations(wrapped).fit(X, y, sample_weight=w)
        own = HiddenLayer(net(random_state=0)).fit(X, y, sample_weight=w)
        assert_allclose(kernel(model.transform(X), w), kernel(own.transform(X), w))
        asks = Told().set_fit_request(word=True).set_transform_request(word=True)
        model = ConcatenatedRepresentations([asks, "raw"]).fit(X, word="fit")
        assert model.views_[0][1].word_ == "fit"
        assert model.transform(X, word="transform").shape == (178, 15)
        outer = make_pipeline(ConcatenatedRepresentations([asks]), Ridge())
        assert outer.fit(X, y, word="fit")[0].views_[0][1].word_ == "fit"


def test_without_routing_parameters_of_fit_go_to_all_users_views(wine):
    X, _ = wine
    model = ConcatenatedRepresentations([Told(), "raw"]).fit(X, word="all")
    assert model.views_[0][1].word_ == "all"
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        model.transform(X, word="no")


class Told(PCA):
    def __init__(self):
        super().__init__(2)

    def fit(self, X, y=None, word=None):
        self.word_ = word
        return super().fit(X)

    def transform(self, X, word=None):
        assert word in (None, "fit", "transform")
        return super().transform(X)


# --- similarity -----------------------------------------------------------------------


def alignment(A, B):
    A, B = A - A.mean(axis=0), B - B.mean(axis=0)
    K, L = A @ A.T, B @ B.T
    return np.sum(K * L) / np.sqrt(np.sum(K * K) * np.sum(L * L))


def test_similarity_is_the_alignment_of_kernels(wine, rng):
    X, _ = wine
    model = ConcatenatedRepresentations(random_state=0).fit(X)
    views = [view.transform(X) for _, view in model.views_]
    expected = [[alignment(A, B) for B in views] for A in views]
    assert_allclose(model.similarity_, expected, rtol=1e-9)
    assert_allclose(representation_similarity(views), expected, rtol=1e-9)
    turn = np.linalg.qr(rng.normal(size=(13, 13)))[0]
    assert_allclose(representation_similarity([X, 3 * X @ turn + 1]), 1)


def test_weighted_similarity_is_that_of_repeated_rows(wine):
    X, _ = wine
    w = np.arange(len(X)) % 3
    found = representation_similarity([X[:, :4], X[:, 2:]], sample_weight=w)
    rows = np.repeat(X, w, axis=0)
    expected = representation_similarity([rows[:, :4], rows[:, 2:]])
    assert_allclose(found, expected)


@pytest.mark.parametrize("size", [1e-150, 1e8, 1e150])
def test_similarity_has_no_unit(wine, size):
    X, _ = wine
    one = representation_similarity([X, X[:, :3]])
    assert_allclose(representation_similarity([X * size, X[:, :3]]), one, rtol=1e-9)
    scaled = FunctionTransformer(lambda X: X * np.sqrt(size))
    model = ConcatenatedRepresentations(["raw", scaled]).fit(X)
    assert_allclose(model.similarity_, 1, rtol=1e-9)


def test_a_row_of_weight_zero_is_none(wine):
    X, w = wine[0].copy(), np.ones(178)
    X[0], w[0] = 1e18, 0
    found = representation_similarity([X[:, :4], X[:, 2:]], sample_weight=w)
    expected = representation_similarity([X[1:, :4], X[1:, 2:]])
    assert_allclose(found, expected, rtol=1e-12)


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_seeds": 2}, ValueError, "'raw' has none: pass resample='bootstrap'"),
        ({"views": "row"}, ValueError, "got 'row'"),
        ({"views": []}, ValueError, "at least one view, got none"),
        ({"views": [3]}, TypeError, "views must hold names, estimators, .* got 3"),
        ({"views": [("a", PCA(), 3)]}, TypeError, r"got \('a', PCA\(\), 3\)"),
        ({"views": [(3, PCA())]}, TypeError, r"got \(3, PCA\(\)\)"),
        ({"views": [("a", PCA()), ("a", PCA())]}, ValueError, "distinct, .* got 'a'"),
        ({"views": [("a__b", PCA())]}, ValueError, "without '__', .* got 'a__b'"),
        ({"views": [("weights", PCA())]}, ValueError, "no parameters .* 'weights'"),
        ({"views": [HiddenLayer()]}, ValueError, "requires y to be passed"),
        ({"weights": [1, 2]}, ValueError, r"weights must be 3 .* got \[1.0, 2.0\]"),
        ({"weights": [1, 1, -1]}, ValueError, "non-negative numbers"),
        ({"weights": [0, 0, 0]}, ValueError, "got only zeros"),
        ({"weights": {"row": 1}}, ValueError, r"names \['row'\], but the views are"),
        ({"views": [PCA()], "prefit": True}, NotFittedError, "PCA"),
        ({"views": [PCA()], "prefit": True, "n_seeds": 2}, ValueError, "not at all"),
        ({"resample": "jackknife"}, ValueError, "'resample' parameter"),
    ],
)
def test_errors(wine, params, error, message):
    with pytest.raises(error, match=message):
        ConcatenatedRepresentations(**params).fit(wine[0])


def test_errors_of_the_data(wine):
    with (
        pytest.warns(UserWarning, match="the same for all rows"),
        pytest.raises(ValueError, match=r"got 5 sample\(s\) without any difference"),
    ):
        ConcatenatedRepresentations("raw").fit(np.ones((5, 2)))
    with pytest.raises(ValueError, match="'missing' has columns with NaN, infinite"):
        ConcatenatedRepresentations([("missing", Missing()), "raw"]).fit(wine[0])
    with pytest.raises(ValueError, match="no row has one"):
        ConcatenatedRepresentations([HiddenLayer()]).fit(wine[0], np.full(178, np.nan))
    with pytest.raises(ValueError, match="two or more, got 1"):
        representation_similarity([wine[0]])


def test_minus_one_among_floats_is_a_number():
    rows = Rows(np.zeros((4, 2)), np.array([-1.0, 0.0, 2.0, 5.0]), np.ones(4))
    assert_array_equal(rows.labeled(numbers=False), np.arange(4))
    rows = Rows(np.zeros((4, 2)), np.array([-1, 0, 2, 5]), np.ones(4))
    assert_array_equal(rows.labeled(numbers=False), [1, 2, 3])
    assert_array_equal(rows.labeled(numbers=True), np.arange(4))
