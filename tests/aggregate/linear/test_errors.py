"""Bad input of the linear members: what is said, and that nothing is lost."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.aggregate import (
    AggregateBoostingRegressor,
    AggregateMetaRegressor,
    AggregateStatistics,
    BagRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
    iter_bag_chunks,
)
from sklearn_ext.aggregate._bags._partition import encode_bags

X = np.random.default_rng(0).normal(size=(12, 2))
Y = X @ [1.0, -1.0]
BAGS = np.arange(12) // 3
KINDS = ["far", "negative", "unsigned", "wide", "huge", "float", "bool", "list"]
KINDS += ["category", "series", "polars", "dates"]


def wrong(**changed):
    return {"X": X, "y": Y, "bags": BAGS} | changed


@pytest.mark.parametrize(
    ("params", "inputs", "message"),
    [
        ({"rho": -0.1}, wrong(), "'rho' parameter of .* must be a float"),
        ({"rho": np.nan}, wrong(), "'rho' parameter"),
        ({}, wrong(y=np.full(12, "a")), "could not convert string to float"),
        ({"alpha": -1.0}, wrong(), "'alpha' parameter of .* must be a float"),
        ({"alpha": np.inf}, wrong(), "'alpha' parameter"),
        ({}, wrong(bags=BAGS[:5]), "bags has length 5, expected 12"),
        ({}, wrong(bags=np.ones((12, 1))), r"1-D array; got shape \(12, 1\)"),
        ({}, wrong(bags=np.where(BAGS, np.nan, BAGS)), "bags has missing labels"),
        ({}, wrong(bags=[None, *"abcabcabcab"]), "bags has missing labels"),
        ({}, wrong(bags=pd.array([None, *range(11)])), "bags has missing labels"),
        ({}, wrong(bags=np.array([1, "a"] * 6, object)), "labels of one type"),
        ({}, wrong(bags=[1, "a"] * 6), "labels of one type"),
        ({}, wrong(bags=[np.nan, *"abcabcabcab"]), "bags has missing labels"),
        ({"aggregate": "sum"}, wrong(), "y is not constant in bag"),
        ({}, wrong(sample_weight=np.zeros(12)), "at least one non-zero"),
        ({}, wrong(sample_weight=-np.ones(12)), "must be non-negative"),
        ({"bag_weight": "precision"}, wrong(), "go together"),
        ({}, wrong(response_noise_var=np.ones(12)), "go together"),
        (
            {"bag_weight": "precision"},
            wrong(response_noise_var=-np.ones(12)),
            "one non-negative variance per row",
        ),
        (
            {"bag_weight": "precision"},
            wrong(response_noise_var=1.0),
            "one non-negative variance per row",
        ),
        (
            {"solver": "lsqr", "compute_covariance": True},
            wrong(),
            "solver='lsqr' cannot give the covariance",
        ),
        (
            {"solver": "dual"},
            wrong(X=sparse.csr_matrix(X)),
            "would densify a sparse X. Use solver='lsqr'",
        ),
    ],
)
def test_messages_and_state(params, inputs, message):
    model = InterpolatingAggregateRegressor().fit(X, Y, bags=BAGS)
    before = dict(model.__dict__)
    model.set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(**inputs)
    after = {k: v for k, v in model.__dict__.items() if k not in params}
    assert after == {k: v for k, v in before.items() if k not in params}


def test_bags_without_weight_are_left_out():
    w = np.where(BAGS == 1, 0.0, 1.0)
    model = BagRegressor()
    with pytest.warns(UserWarning, match="1 of 4 bags have a total weight of zero"):
        model.fit(X, Y, bags=BAGS, sample_weight=w)
    kept = BAGS != 1
    assert model.n_bags_ == 3
    expected = BagRegressor().fit(X[kept], Y[kept], bags=BAGS[kept])
    assert_allclose(model.coef_, expected.coef_)


def test_one_bag_is_constant():
    model = InterpolatingAggregateRegressor()
    with pytest.warns(UserWarning, match="one bag: slopes cannot be estimated"):
        model.fit(X, Y, bags=np.zeros(12))
    assert_allclose(model.predict(X), Y.mean())
    with pytest.raises(ValueError, match="needs at least two bags, got one bag"):
        InterpolatingAggregateRegressorCV().fit(X, Y, bags=np.zeros(12))


def test_large_rho_is_fine_for_lsqr():
    dense = InterpolatingAggregateRegressor(3.0).fit(X, Y, bags=BAGS)
    lsqr = InterpolatingAggregateRegressor(3.0, solver="lsqr", tol=1e-13)
    assert_allclose(lsqr.fit(X, Y, bags=BAGS).coef_, dense.coef_, rtol=1e-8)


def test_lsqr_that_stops_early_says_so():
    model = BagRegressor(solver="lsqr", max_iter=1)
    with pytest.warns(ConvergenceWarning, match="did not converge within 1 iter"):
        model.fit(X, Y, bags=BAGS)


def test_units_of_features_do_not_matter():
    units = np.array([1e-7, 1e5])
    for model in (BagRegressor(0.0), InterpolatingAggregateRegressorCV([0, 1], [0.0])):
        coef = clone(model).fit(X, Y, bags=BAGS).coef_
        scaled = clone(model).fit(X * units, Y, bags=BAGS).coef_
        assert_allclose(scaled * units, coef, rtol=1e-7)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": Y[:5]}, "inconsistent numbers of samples"),
        ({"y": np.where(BAGS, np.nan, Y)}, "Input y contains NaN"),
        ({"sample_weight": -np.ones(12)}, "must be non-negative"),
        ({"sample_weight": np.ones(5)}, r"expected \(12,\)"),
        ({"bags": BAGS[:5]}, "bags has length 5, expected 12"),
    ],
)
def test_scores(changed, message):
    model = BagRegressor().fit(X, Y, bags=BAGS)
    with pytest.raises(ValueError, match=message):
        model.score(**wrong(**changed))


def test_streaming_errors():
    model = BagRegressor().partial_fit(X, Y, bags=BAGS)
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.partial_fit(X[:, :1], Y, bags=BAGS)
    with pytest.raises(ValueError, match="Cannot merge statistics"):
        model.partial_fit(X, np.c_[Y, Y], bags=BAGS)
    assert model.n_bags_ == 4
    precise = BagRegressor(bag_weight="precision")
    with pytest.raises(ValueError, match="needs all bags at once"):
        precise.partial_fit(X, Y, bags=BAGS)
    dual = BagRegressor(solver="dual").fit(X, Y, bags=BAGS)
    with pytest.raises(ValueError, match="keeps no sums"):
        dual.partial_fit(X, Y, bags=BAGS)
    changed = InterpolatingAggregateRegressor(0.0).partial_fit(X, Y, bags=BAGS)
    changed.set_params(rho=0.5)
    with pytest.raises(ValueError, match="needs the within scatter"):
        changed.partial_fit(X, Y, bags=BAGS)


def test_bags_of_a_stream_are_weighted_alike():
    model = BagRegressor().partial_fit(X, Y, bags=BAGS)
    before = dict(model.__dict__)
    model.set_params(bag_weight="uniform")
    with pytest.raises(ValueError, match="weighted by 'size' with others weighted by"):
        model.partial_fit(X, Y, bags=BAGS)
    model.set_params(bag_weight="size")
    with pytest.raises(ValueError, match="partial_fit got no bags, but earlier rows"):
        model.partial_fit(X, Y)
    assert model.__dict__ == before
    one, two = (
        AggregateStatistics.of(X, Y, BAGS, bag_weight=name)
        for name in ("size", "uniform")
    )
    with pytest.raises(ValueError, match="give all rows the same bag_weight"):
        one.merge(two)


@pytest.mark.parametrize("what", ["X", "y", "sample_weight"])
@pytest.mark.parametrize("model", [BagRegressor(), InterpolatingAggregateRegressorCV()])
def test_numbers_whose_squares_overflow(model, what):
    inputs = wrong(sample_weight=np.ones(12))
    inputs[what] = 1e300 * np.abs(inputs[what])
    with pytest.raises(ValueError, match=f"{what} holds numbers up to .*e\\+300"):
        model.fit(**inputs)


@pytest.mark.parametrize(
    "model", [AggregateMetaRegressor(), AggregateBoostingRegressor()]
)
def test_responses_whose_squares_overflow(model):
    with pytest.raises(ValueError, match="y holds numbers up to"):
        model.fit(X, 1e300 * Y, bags=BAGS)


def test_grids():
    for grid in ([[0.0, 1.0]], [-1.0]):
        with pytest.raises(ValueError, match="rhos must be a 1-D grid"):
            InterpolatingAggregateRegressorCV(rhos=grid).fit(X, Y, bags=BAGS)


def test_chunks_need_contiguous_bags():
    with pytest.raises(ValueError, match="bags must be contiguous"):
        next(iter_bag_chunks(X, Y, BAGS % 2, 3))
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        next(iter_bag_chunks(X, Y, BAGS, 0))
    chunks = list(iter_bag_chunks(X, Y, BAGS, 5))
    assert [len(chunk[1]) for chunk in chunks] == [6, 6]
    assert_array_equal(np.concatenate([chunk[2] for chunk in chunks]), BAGS)


@pytest.mark.parametrize(
    "labels",
    [
        BAGS * 1_000_000_007,
        BAGS - 50,
        BAGS.astype(np.uint8),
        np.where(BAGS, 100, -100).astype(np.int8),
        BAGS.astype(np.uint64) + np.uint64(2**63),
        BAGS.astype(float),
        BAGS % 2 == 0,
        [f"bag {b}" for b in BAGS],
        pd.Series(BAGS).astype("category"),
        pd.Series([f"bag {b}" for b in BAGS]),
        pl.Series(BAGS),
        pd.to_datetime(BAGS, unit="D"),
    ],
    ids=KINDS,
)
def test_labels_of_every_kind(labels):
    ids, codes = encode_bags(labels, 12)
    expected, inverse = np.unique(np.asarray(labels), return_inverse=True)
    assert_array_equal(ids, expected)
    assert ids.dtype == expected.dtype
    assert_array_equal(codes, inverse)
