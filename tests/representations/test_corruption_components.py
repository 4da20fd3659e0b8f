"""Corruption components: Monte Carlo, PCA, correspondence analysis, a minimum."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    StandardScaler,
)

from sklearn_ext._numerics._corruption import corrupt
from sklearn_ext.representations._corruption_components import (
    Coding,
    CorruptionComponents,
    components_of,
    components_of_copies,
)


def table(rng, n=300, d=6):
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) + rng.normal(size=(n, d))


def covariances(Z, groups, corruption):
    S = np.cov(Z.T, bias=True)
    keep = (1 - corruption) ** 2
    block = S * (groups[:, None] == groups)
    return keep * S, keep * S + (1 - keep) * block


def spectral_loss(W, together, C):
    return -2 * np.trace(W @ together @ W.T) + np.sum((W @ C @ W.T) ** 2)


@pytest.mark.parametrize("corruption", [0.3, 0.6])
def test_covariances_of_copies_by_monte_carlo(corruption):
    rng = np.random.default_rng(0)
    Z, groups = table(rng, 40, 4), np.array([0, 1, 0, 2])
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    rows = np.tile(Z, (10_000, 1))
    one, two = (
        corrupt(rows, Z, rng, corruption=corruption, groups=groups) for _ in range(2)
    )
    together, C = covariances(Z, groups, corruption)
    assert_allclose(one.T @ two / len(rows), together, atol=6e-3)
    assert_allclose(one.T @ one / len(rows), C, atol=6e-3)


@pytest.mark.parametrize("corruption", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("rank", [1, 2])
def test_the_loss_is_least_there(corruption, rank, rng):
    Z, groups = table(rng), np.array([0, 1, 2, 3, 3, 3])
    found = components_of(Z, np.ones(len(Z)), groups, corruption)
    together, C = covariances(Z, groups, corruption)
    ours = spectral_loss(found.components[:rank], together, C)
    assert_allclose(ours, -np.sum(found.eigenvalues[:rank] ** 2), rtol=1e-9)
    starts = [rng.normal(size=rank * 6) for _ in range(4)]
    best = min(
        minimize(
            lambda W: spectral_loss(W.reshape(rank, 6), together, C),
            start,
            method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000},
        ).fun
        for start in starts
    )
    assert_allclose(ours, best, rtol=1e-6)


def test_on_numbers_it_is_pca_of_the_correlation_matrix(rng):
    X = table(rng) * [1, 10, 0.1, 5, 1, 100] + 7
    model = CorruptionComponents(None, n_bins=None, corruption=0.4).fit(X)
    pca = PCA().fit(StandardScaler().fit_transform(X))
    cosines = np.sum(model.components_ * pca.components_, axis=1)
    assert_allclose(abs(cosines), np.linalg.norm(model.components_, axis=1), rtol=1e-10)
    mu, keep = pca.explained_variance_ * (len(X) - 1) / len(X), 0.6**2
    assert_allclose(model.eigenvalues_, keep * mu / (keep * mu + 1 - keep), rtol=1e-10)


def test_the_corruption_sets_nothing_but_the_weights(rng):
    X = table(rng)
    one, two = (
        CorruptionComponents(None, corruption=c).fit(X).components_ for c in (0.2, 0.7)
    )
    one, two = (V / np.linalg.norm(V, axis=1, keepdims=True) for V in (one, two))
    assert_allclose(one[:5], two[:5], atol=1e-7)


def test_two_columns_in_bins_are_correspondence_analysis(rng):
    X = table(rng, 500, 2)
    model = CorruptionComponents(None, n_bins=5).fit(X)
    codes = [
        np.searchsorted(e, x) for e, x in zip(model._coding.edges, X.T, strict=True)
    ]
    counts = np.zeros((5, 5))
    np.add.at(counts, tuple(codes), 1 / len(X))
    row, column = counts.sum(axis=1), counts.sum(axis=0)
    standardised = (counts - np.outer(row, column)) / np.sqrt(np.outer(row, column))
    singular = np.linalg.svd(standardised, compute_uv=False)[:4]
    keep = 0.25
    mu = np.sort(np.r_[1 + singular, 1 - singular])[::-1]
    assert_allclose(model.eigenvalues_, keep * mu / (keep * mu + 1 - keep), rtol=1e-9)


def test_more_coded_columns_than_rows(rng):
    X = table(rng, 30, 6)
    wide = CorruptionComponents(5).fit(X)  # 48 indicators, 30 rows
    coded = wide._code(X, None)
    expected = covariances(coded, wide._groups(), 0.5)
    found = wide.components_
    assert_allclose(
        found @ expected[1] @ found.T, np.diag(wide.eigenvalues_), atol=1e-9
    )
    assert_allclose(
        found @ expected[0] @ found.T, np.diag(wide.eigenvalues_**2), atol=1e-9
    )


@pytest.mark.parametrize("n_bins", [None, 4])
def test_copies_estimate_the_same_components(n_bins):
    rng = np.random.default_rng(0)
    X = table(rng, 2000, 5)
    coding = Coding.of(X, np.ones(len(X)), n_bins)
    Z, groups = coding(X), np.repeat(np.arange(5), coding.sizes)
    exact = components_of(Z, np.ones(len(X)), groups, 0.4)
    copies = [corrupt(Z, Z, rng, corruption=0.4, groups=groups) for _ in range(60)]
    drawn = components_of_copies(copies, np.ones(len(X)))
    assert_allclose(drawn.eigenvalues[:3], exact.eigenvalues[:3], rtol=0.02)


def test_random_features_agree_more_than_any_linear_map():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 600)
    X = np.c_[np.cos(angle), np.sin(angle)] + 0.05 * rng.normal(size=(600, 2))
    line = CorruptionComponents(2, n_bins=None, corruption=0.3).fit(X)
    waves = CorruptionComponents(
        2, feature_map="random_features", corruption=0.3, random_state=0
    ).fit(X)
    # on a circle the columns say nothing of each other, squares of them do
    assert waves.eigenvalues_[0] > line.eigenvalues_[0] + 0.05
    assert waves.transform(X).shape == (600, 2)


def test_a_feature_map_may_be_a_transformer(rng):
    X = table(rng)
    square = FunctionTransformer(lambda X: np.c_[X, X**2])
    model = CorruptionComponents(4, feature_map=square, random_state=0).fit(X)
    assert model.components_.shape == (4, 12)


def test_a_feature_map_may_give_sparse_columns(rng):
    X = table(rng)
    for map_ in (KBinsDiscretizer(3), KBinsDiscretizer(3, encode="onehot-dense")):
        map_.set_params(quantile_method="averaged_inverted_cdf")
        model = CorruptionComponents(4, feature_map=map_, random_state=0).fit(X)
        assert model.transform(X).shape == (300, 4)


def test_a_feature_map_sees_the_weights_that_it_takes(rng):
    X, w = table(rng), rng.integers(0, 4, 300)
    model = CorruptionComponents(4, feature_map=StandardScaler(), random_state=0)
    model.fit(X, sample_weight=w)
    assert_allclose(model.feature_map_.mean_, 0, atol=1e-12)
    again = model.fit(np.repeat(X, w, axis=0))
    assert_allclose(again.feature_map_.mean_, 0, atol=1e-12)


def test_a_fit_without_a_map_forgets_an_earlier_one(rng):
    X = table(rng)
    model = CorruptionComponents(3, feature_map="random_features", random_state=0)
    model.fit(X).set_params(feature_map=None).fit(X)
    assert not hasattr(model, "feature_map_")
    assert_array_equal(model.transform(X), CorruptionComponents(3).fit_transform(X))


@pytest.mark.parametrize(
    "params", [{}, {"n_bins": None}, {"feature_map": "random_features"}]
)
def test_weights_and_columns_of_any_size(rng, params):
    X, w = 100 * table(rng), rng.integers(0, 4, 300)
    model = CorruptionComponents(3, random_state=0, **params)
    one = model.fit(X, sample_weight=w).transform(X)
    for size in (2.0**1013, 2.0**-1060):
        other = model.fit(X, sample_weight=w * size).transform(X)
        assert_allclose(other, one, rtol=1e-9, atol=1e-11)
    for size in (2.0**600, 2.0**-600):
        other = model.fit(X * size, sample_weight=w).transform(X * size)
        assert np.isfinite(other).all()
        if "feature_map" not in params:  # draws go by the rows' values
            assert_allclose(other, one, rtol=1e-9, atol=1e-11)


def test_a_mask_is_the_users(rng):
    mask = np.arange(3) == 0
    X = np.c_[rng.integers(0, 3, 200), table(rng, 200, 2)]
    model = CorruptionComponents(3, categorical_features=mask).fit(X)
    before = model.transform(X)
    mask[:] = True
    assert_array_equal(model.transform(X), before)


def test_missing_categories_are_one(rng):
    place = rng.choice(["sea", "hill", "town"], 200).astype(object)
    frame = pd.DataFrame({"place": place, "size": rng.normal(size=200)})
    named = frame.astype({"place": "category"})
    frame.loc[::7, "place"] = None
    missing = frame.astype({"place": "category"})
    named["place"] = named["place"].cat.add_categories("none")
    named.loc[::7, "place"] = "none"
    one, two = (CorruptionComponents(None).fit(f) for f in (missing, named))
    assert_allclose(one.eigenvalues_, two.eigenvalues_)
    frame.loc[3, "size"] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        two.fit(frame.astype({"place": "category"}))
    assert_allclose(one.eigenvalues_, two.eigenvalues_)  # as it was


def test_categories_of_a_frame(rng):
    place = rng.choice(["sea", "hill", "town"], 200)
    size = rng.normal(size=200) + 2 * (place == "sea")
    kind = np.where(place == "sea", "wet", "dry")
    data = {"place": place, "size": size, "kind": kind}
    frame = pd.DataFrame(data).astype({"place": "category", "kind": "category"})
    model = CorruptionComponents(None).fit(frame)
    assert model.mean_.shape == (8 + 3 + 2,)
    assert list(model.feature_names_in_) == ["place", "size", "kind"]
    plain = CorruptionComponents(None, categorical_features=["place", "kind"])
    assert_allclose(
        plain.fit(pd.DataFrame(data)).transform(frame), model.transform(frame)
    )
    enum = pl.DataFrame(data).with_columns(
        pl.col("place").cast(pl.Categorical), pl.col("kind").cast(pl.Categorical)
    )
    other = CorruptionComponents(None).fit(enum)
    assert_allclose(other.eigenvalues_, model.eigenvalues_)
    codes = np.unique(place, return_inverse=True)[1], size, (kind == "wet") * 1.0
    mask = CorruptionComponents(None, categorical_features=[True, False, True])
    assert_allclose(mask.fit(np.c_[codes]).eigenvalues_, model.eigenvalues_)
    unknown = frame.assign(place=pd.Categorical(["moon"] * 200))
    assert np.isfinite(model.transform(unknown)).all()
    with pytest.raises(ValueError, match="same order"):
        model.transform(frame[["size", "place", "kind"]])


def test_only_categories():
    frame = pd.DataFrame(
        {"a": list("xyxyxxyy"), "b": list("ststsstt")}, dtype="category"
    )
    model = CorruptionComponents(None).fit(frame)
    assert_allclose(model.eigenvalues_, 0.5 / (0.5 + 0.75))  # mu = 2, keep = 1/4


def test_repeated_values_and_constant_columns(rng):
    X = np.c_[np.ones(90), np.tile([0.0, 1, 1], 30), rng.normal(size=90)]
    model = CorruptionComponents(None).fit(X)
    assert [len(e) + 1 for e in model._coding.edges] == [1, 2, 8]
    assert np.isfinite(model.transform(X)).all()
    assert model.n_components_ == 8
    far = CorruptionComponents(None, n_bins=None).fit(X + np.array([1e9, 0, 0]))
    assert far.n_components_ == 2


def test_weights_are_repetition(rng):
    X, w = table(rng, 60), rng.integers(0, 4, 60)
    repeated = np.repeat(X, w, axis=0)
    for params in ({}, {"n_bins": None}, {"feature_map": "random_features"}):
        model = CorruptionComponents(4, random_state=0, **params)
        one = model.fit(X, sample_weight=w).transform(X)
        assert_allclose(model.fit(repeated).transform(X), one, rtol=1e-7, atol=1e-9)


def test_no_more_components_than_there_are(rng):
    model = CorruptionComponents(50, n_bins=None).fit(table(rng))
    assert model.n_components_ == 6
    assert len(model.get_feature_names_out()) == 6


def test_same_seed_same_answer(rng):
    X = table(rng)
    model = CorruptionComponents(4, feature_map="random_features", random_state=3)
    assert_array_equal(model.fit(X).transform(X), model.fit(X).transform(X))


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({}, np.ones((5, 2)), r"rows that differ, got 5 sample\(s\)"),
        (
            {"categorical_features": ["age"]},
            pd.DataFrame({"a": [1.0, 2]}),
            r"names \['age'\], which are no columns of X: it has \['a'\]",
        ),
        ({"categorical_features": ["age"]}, np.eye(3), "it has no names"),
        ({"categorical_features": [True]}, np.eye(3), "mask of 1 columns, got 3"),
        ({"categorical_features": [3]}, np.eye(3), "names column 3, got 3"),
        ({"corruption": 1.0}, np.eye(3), "'corruption' parameter"),
        ({"n_bins": 1}, np.eye(3), "'n_bins' parameter"),
    ],
)
def test_errors(params, X, message):
    with pytest.raises(ValueError, match=message):
        CorruptionComponents(**params).fit(X)
