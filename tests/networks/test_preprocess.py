"""Tables as numbers: scales, levels, and that weights are repetition."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import ndtri
from sklearn.base import clone

from sklearn_ext.networks._preprocess import LIMIT, N_LEVELS, TablePreprocessor
from tests._marks import READS_POLARS

NUMERIC = ("quantile", "robust", "standard", "passthrough")


def frame(n=300, seed=0):
    """Make a table with every kind of column."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "amount": np.exp(2 * rng.standard_normal(n)),
            "count": rng.integers(0, 4, n),
            "often_zero": np.where(rng.random(n) < 0.7, 0.0, rng.random(n)),
            "same": 7.0,
            "city": rng.choice(
                ["Rome", "Oslo", "Lima", "Bonn"], n, p=[0.5, 0.3, 0.19, 0.01]
            ),
            "member": rng.random(n) < 0.3,
            "size": pd.Categorical(rng.choice(["S", "M", "L"], n)),
        }
    )
    table.loc[rng.random(n) < 0.2, "amount"] = np.nan
    table.loc[rng.random(n) < 0.1, "city"] = None
    return table


# --- numbers --------------------------------------------------------------------------


def test_scores_are_normal_quantiles_of_middle_ranks():
    X = np.array([[3.0], [1.0], [1.0], [10.0]])
    found = TablePreprocessor().fit(X).transform([[1.0], [3.0], [6.5], [10.0]])
    z = ndtri([1 / 4, 5 / 8, 7 / 8])
    assert_allclose(found[:, 0], [z[0], z[1], (z[1] + z[2]) / 2, z[2]], rtol=1e-12)


def test_many_values_are_off_by_one_spacing_at_most():
    x = np.exp(3 * np.random.default_rng(0).standard_normal(20_000))
    x[:6000] = 2.0  # an atom between its neighbours
    found = TablePreprocessor().fit(x[:, None])
    ends = (np.searchsorted(np.sort(x), x, side) for side in ("left", "right"))
    z = found.transform(x[:, None])[:, 0]
    assert_allclose(z, ndtri(sum(ends) / 40_000), atol=2 * LIMIT / (N_LEVELS - 1))
    assert len(found.values_[0]) <= 2 * N_LEVELS + 2


def test_beyond_known_values_scores_go_on_and_flatten():
    x = np.random.default_rng(0).standard_normal(500)
    model = TablePreprocessor().fit(x[:, None])
    far = x.max() + np.array([0.0, 1e-9, 0.1, 1.0, 10.0, 1e9, 1e308])
    z = model.transform(far[:, None])[:, 0]
    assert (np.diff(z[:6]) > 0).all()
    assert z[-1] <= z[0] + 1
    slope = (z[2] - z[0]) / 0.1
    inside = (z[0] - model.scores_[0][0]) / (x.max() - x.min())
    assert_allclose(slope, inside, rtol=0.2)
    low = model.transform(x.min() - far[:, None])[:, 0]
    assert (np.diff(low[:6]) < 0).all()
    assert low[-1] >= model.scores_[0][0] - 1


@pytest.mark.parametrize("numeric", ["quantile", "robust", "standard"])
def test_units_do_not_matter(numeric):
    X = np.exp(np.random.default_rng(0).standard_normal((200, 3)))
    expected = TablePreprocessor(numeric).fit_transform(X)
    for factor in (1e8, -1e-8, 1e300, 1e-300):
        found = TablePreprocessor(numeric).fit_transform(factor * X)
        assert_allclose(np.sign(factor) * found, expected, atol=1e-9)


@pytest.mark.parametrize("numeric", ["quantile", "robust", "standard"])
def test_single_precision_far_from_zero(numeric):
    X = (1e6 + np.random.default_rng(0).integers(0, 9, (200, 2))).astype(np.float32)
    found = TablePreprocessor(numeric).fit_transform(X)
    assert found.dtype == np.float32
    near = TablePreprocessor(numeric).fit_transform(X.astype(float) - 1e6)
    assert_allclose(found, near, atol=1e-6)


def test_robust_is_median_and_quartiles_that_bend():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1e6])
    z = TablePreprocessor("robust").fit_transform(x[:, None])[:, 0]
    raw = (x - 4.5) / 4  # quartiles 2.5 and 6.5
    assert_allclose(z, raw / np.sqrt(1 + (raw / 3) ** 2))
    assert z[-1] < 3
    atom = np.r_[np.zeros(90), np.arange(10.0)]  # quartiles that agree
    z = TablePreprocessor("robust").fit_transform(atom[:, None])[:, 0]
    assert_allclose(z[-1], 2 / np.sqrt(1 + (2 / 3) ** 2))


def test_missing_numbers_are_the_median_and_say_so():
    x = np.array([1.0, 2.0, 9.0, np.nan])
    for numeric in NUMERIC:
        model = TablePreprocessor(numeric).fit(x[:, None])
        Z = model.transform(np.array([[np.nan], [2.0]]))
        assert_allclose(Z[0, 0], Z[1, 0], atol=1e-12)
        assert_array_equal(Z[:, 1], [1, 0])
        assert_array_equal(model.get_feature_names_out(), ["x0", "x0_missing"])
    known = TablePreprocessor().fit(x[:3, None])
    assert_allclose(known.transform([[np.nan]]), [[0.0]])  # none before: no indicator


def test_constant_columns_are_dropped():
    X = np.c_[np.full(4, 3.0), np.arange(4.0), np.full(4, np.nan), [1, 1, np.nan, 1]]
    model = TablePreprocessor().fit(X)
    assert_array_equal(model.get_feature_names_out(), ["x1", "x3_missing"])
    assert TablePreprocessor().fit_transform(X[:, :1]).shape == (4, 0)


# --- bins -----------------------------------------------------------------------------


def test_bins_say_how_far_a_value_is_through_them():
    x = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    X = np.c_[np.repeat(x, 20), np.arange(100.0)]
    model = TablePreprocessor(n_bins=4).fit(X)
    assert_allclose(model.edges_[0], x)
    X = np.c_[[-1.0, 0.5, 2.0, 5.0, 9.0], np.zeros(5)]
    Z = model.transform(X)[:, 2:6] + model.bin_means_[0]
    expected = [[0, 0, 0, 0], [0.5, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0.25], [1] * 4]
    assert_allclose(Z, expected)
    assert_allclose(model.bin_means_[0], [0.8, 0.6, 0.4, 0.2])
    names = ["x0", "x1", "x0_bin0", "x0_bin1", "x0_bin2", "x0_bin3", "x1_bin0"]
    assert_array_equal(model.get_feature_names_out()[:7], names)


@pytest.mark.parametrize(("n", "n_bins"), [(39, 0), (59, 2), (60, 3), (900, 16)])
def test_few_distinct_rows_have_few_bins(n, n_bins):
    X = np.repeat(np.random.default_rng(0).standard_normal((n, 1)), 3, axis=0)
    assert len(TablePreprocessor(n_bins=16).fit(X).bin_means_[0]) == n_bins


def test_bins_have_mean_zero_also_where_values_are_missing():
    X, w = frame(), np.random.default_rng(0).random(300)
    model = TablePreprocessor(n_bins=8).fit(X, sample_weight=w)
    names = model.get_feature_names_out()
    Z = model.transform(X)
    bins = np.char.find(names.astype(str), "_bin") > 0
    assert bins.sum() == 8 + 3 + 3  # amounts, four counts, and many zeros
    assert_allclose(w @ Z[:, bins], 0, atol=1e-9)
    filled = X.assign(amount=X["amount"].fillna(model.medians_[0]))
    assert_allclose(model.transform(filled)[:, bins], Z[:, bins])


def test_columns_of_two_values_have_no_bins():
    X = np.c_[np.arange(60) % 2, np.zeros(60), np.arange(60)].astype(float)
    model = TablePreprocessor(n_bins=3).fit(X)
    assert [len(means) for means in model.bin_means_] == [0, 0, 3]
    assert model.transform(X).shape == (60, 5)
    passed = TablePreprocessor("passthrough", n_bins=3).fit(X)
    assert passed.transform(X).shape == (60, 2)


def test_bins_can_be_dropped():
    X = frame()
    with_bins = TablePreprocessor(n_bins=8).fit(X)
    model, plain = with_bins.without_bins(), TablePreprocessor().fit(X)
    assert with_bins.n_features_out_ > plain.n_features_out_
    assert_array_equal(model.transform(X), plain.transform(X))
    assert_array_equal(model.get_feature_names_out(), plain.get_feature_names_out())
    assert model.n_features_out_ == plain.n_features_out_


@pytest.mark.parametrize("factor", [1e8, 1e300, 1e-300])
def test_units_do_not_matter_to_bins(factor):
    X = np.exp(np.random.default_rng(0).standard_normal((200, 3)))
    expected = TablePreprocessor(n_bins=5).fit_transform(X)
    found = TablePreprocessor(n_bins=5).fit_transform(factor * X)
    assert_allclose(found, expected, atol=1e-9)


# --- weights --------------------------------------------------------------------------


@pytest.mark.parametrize("n_bins", [0, 7])
@pytest.mark.parametrize("numeric", NUMERIC)
def test_weights_are_repetition(numeric, n_bins):
    X = frame()
    w = np.random.default_rng(1).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), w)
    order = np.random.default_rng(2).permutation(rows)
    model = TablePreprocessor(numeric, n_bins=n_bins)
    expected = clone(model).fit(X.iloc[rows].reset_index(drop=True)).transform(X)
    for found in (
        clone(model).fit(X, sample_weight=w),
        clone(model).fit(X, sample_weight=0.1 * w),
        clone(model).fit(X, sample_weight=1e-300 * w),
        clone(model).fit(X, sample_weight=1e300 * w),
        clone(model).fit(X.iloc[order].reset_index(drop=True)),
    ):
        assert_allclose(found.transform(X), expected, rtol=1e-9, atol=1e-9)


def test_levels_of_weight_zero_are_none():
    X = pd.DataFrame({"a": ["p", "q", "r"] * 40})
    w = (X["a"] != "r").astype(float)
    names = TablePreprocessor().fit(X, sample_weight=w).get_feature_names_out()
    assert_array_equal(names, ["a_p", "a_q"])


def test_few_distinct_rows_keep_their_levels():
    X = pd.DataFrame({"a": ["p", "q", "r"] * 1000})  # three distinct rows
    assert TablePreprocessor().fit(X).n_features_out_ == 3


# --- categories -----------------------------------------------------------------------


def test_rare_and_unknown_levels_share_a_column():
    a = ["p"] * 100 + ["q"] * 100 + ["r"] * 3 + ["s"] * 2 + [None] * 20
    X = pd.DataFrame({"a": a, "b": np.arange(225.0)})
    model = TablePreprocessor(categorical_features=["a"]).fit(X)
    names = ["b", "a_p", "a_q", "a_missing", "a_other"]
    assert_array_equal(model.get_feature_names_out(), names)
    new = pd.DataFrame({"a": ["p", "s", "new", None], "b": 0.0})
    expected = [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert_array_equal(model.transform(new)[:, 1:], expected)
    all_kept = TablePreprocessor(min_frequency=1).fit(X)
    assert all_kept.n_features_out_ == 6
    assert not all_kept.transform(new)[2, 1:].any()  # no column to share


def test_rare_missing_values_join_the_rare_levels():
    a = ["p"] * 100 + ["q"] * 100 + [None] * 2
    X = pd.DataFrame({"a": a, "b": np.arange(202.0)})
    model = TablePreprocessor().fit(X)
    assert_array_equal(model.get_feature_names_out()[1:], ["a_p", "a_q", "a_other"])
    assert_array_equal(model.transform(X)[-1, 1:], [0, 0, 1])


def test_names_of_rows_are_no_information():
    X = pd.DataFrame({"id": [f"row {i}" for i in range(200)], "b": np.arange(200.0)})
    assert_array_equal(TablePreprocessor().fit(X).get_feature_names_out(), ["b"])


def test_many_levels_are_bounded():
    X = pd.DataFrame({"a": np.repeat(np.arange(1000), 8).astype(str)})
    X["b"] = np.arange(8000.0)
    model = TablePreprocessor().fit(X)
    assert model.n_features_out_ <= 258


def test_categories_by_position_name_and_mask():
    X = np.c_[np.arange(40) % 3, np.arange(40.0)]
    table = pd.DataFrame(X, columns=["a", "b"])
    expected = TablePreprocessor(categorical_features=[0]).fit_transform(X)
    assert expected.shape == (40, 4)
    for chosen in ([True, False], [-2], ["a"]):
        found = TablePreprocessor(categorical_features=chosen).fit_transform(table)
        assert_array_equal(found, expected)
    nothing = TablePreprocessor(categorical_features=None).fit_transform(table)
    assert nothing.shape == (40, 2)
    with pytest.raises(ValueError, match=r"\['c'\], which are no columns"):
        TablePreprocessor(categorical_features=["c"]).fit(table)


def test_strings_in_an_array():
    X = np.array([["p", 1.0], ["q", 2.0]] * 20, dtype=object)
    found = TablePreprocessor(categorical_features=[0]).fit_transform(X)
    assert found.shape == (40, 3)
    with pytest.raises(ValueError, match="or where categorical_features names them"):
        TablePreprocessor().fit(X)


# --- tables of any library ------------------------------------------------------------


@pytest.mark.parametrize("numeric", NUMERIC)
def test_libraries_agree(numeric):
    X = frame()
    model = TablePreprocessor(numeric).fit(X)
    expected = model.transform(X)
    assert np.isfinite(expected).all()
    assert_array_equal(model.feature_names_in_, X.columns)
    kinds = [
        X.convert_dtypes(),
        X.astype({"city": object, "member": "boolean", "count": "Int8"}),
        X.astype({"city": "category", "count": object}),
        pa.Table.from_pandas(X),
    ]
    if READS_POLARS:
        kinds += [
            pl.from_pandas(X),
            pl.from_pandas(X).with_columns(pl.col("city").cast(pl.Categorical)),
        ]
    for other in kinds:
        assert_allclose(TablePreprocessor(numeric).fit_transform(other), expected)
        assert_allclose(model.transform(other), expected)


def test_names_and_their_order_are_checked():
    X = frame()
    model = TablePreprocessor().fit(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(X[X.columns[::-1]])
    model = TablePreprocessor(categorical_features=[0]).fit(X[["city", "count"]].values)
    with pytest.raises(ValueError, match="1 features, but TablePreprocessor is expe"):
        model.transform(X[["city"]].to_numpy())


def test_single_precision_of_a_frame_is_kept():
    X = frame()[["amount", "city"]].astype({"amount": np.float32})
    assert TablePreprocessor().fit_transform(X).dtype == np.float32


def test_times_are_refused():
    X = pd.DataFrame({"when": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    for table in (X, pl.from_pandas(X), pa.Table.from_pandas(X)):
        with pytest.raises(TypeError, match="'when' holds times"):
            TablePreprocessor().fit(table)


# --- sparse rows, bad rows, state -----------------------------------------------------


def test_sparse_rows_pass_through():
    rng = np.random.default_rng(0)
    X = rng.random((50, 6)) * (rng.random((50, 6)) < 0.3)
    X[:, 2] = 0
    X = sparse.csr_array(X)
    model = TablePreprocessor("passthrough").fit(X)
    Z = model.transform(X)
    assert sparse.issparse(Z)
    dense = TablePreprocessor("passthrough").fit(X.toarray())
    assert_array_equal(Z.toarray(), dense.transform(X.toarray()))
    assert_array_equal(dense.transform(X).toarray(), Z.toarray())
    assert_array_equal(model.transform(X.toarray()), Z.toarray())
    with pytest.raises(TypeError, match="numeric='passthrough'"):
        TablePreprocessor().fit(X)
    with pytest.raises(TypeError, match=r"categorical_features=\[1\] names columns"):
        TablePreprocessor("passthrough", categorical_features=[1]).fit(X)
    holes = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    with pytest.raises(TypeError, match="categories or missing values"):
        TablePreprocessor("passthrough").fit(holes).transform(
            sparse.csr_array(holes[1:])
        )


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.array([[1.0], [np.inf]]), "infinity"),
        (np.arange(3.0), "Reshape your data"),
        (np.empty((3, 0)), "0 feature"),
        (np.array([[1 + 2j]]), "Complex"),
    ],
)
def test_bad_rows(X, match):
    with pytest.raises(ValueError, match=match):
        TablePreprocessor().fit(X)


def test_a_failed_fit_leaves_the_state():
    X = frame()
    model = TablePreprocessor().fit(X)
    before = model.transform(X)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(X.assign(amount=np.inf))
    assert_array_equal(model.transform(X), before)
    model.set_params(numeric="robust", categorical_features=None, min_frequency=50)
    assert_array_equal(model.transform(X), before)


def test_state_is_arrays():
    skops = pytest.importorskip("skops.io")
    X = frame()
    model = TablePreprocessor().fit(X)
    data = skops.dumps(model)
    own = "sklearn_ext.networks._preprocess.TablePreprocessor"
    assert skops.get_untrusted_types(data=data) in ([], [own])
    loaded = skops.loads(data, trusted=[own])
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_rows_stay_as_they_are():
    X = np.random.default_rng(0).standard_normal((20, 2))
    X[3, 1] = np.nan
    X.setflags(write=False)
    TablePreprocessor().fit_transform(X)
    table = frame().astype({"count": object})
    copy = table.copy(deep=True)
    TablePreprocessor().fit_transform(table)
    pd.testing.assert_frame_equal(table, copy)
