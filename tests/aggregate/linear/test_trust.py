"""One line that says when slopes from bags must not be trusted."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse, stats

from sklearn_ext.aggregate import (
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
)

MODELS = [
    BagRegressor(),
    BagRegressor(solver="dual"),
    BagRegressor(solver="lsqr"),
    InterpolatingAggregateRegressor(),
    InterpolatingAggregateRegressorCV(),
]


def table(rng, n_bags=60, size=5, d=2, alike=0.0):
    bags = np.repeat(np.arange(n_bags), size)
    X = rng.normal(size=(len(bags), d))
    X[:, 0] += alike * rng.normal(size=n_bags)[bags]
    return X, X.sum(axis=1) + 0.1 * rng.normal(size=len(bags)), bags


@pytest.mark.parametrize("model", MODELS)
def test_random_bags_raise_no_doubt(model, rng):
    X, y, bags = table(rng)
    text = model.fit(X, y, bags=bags).summary()
    assert text.startswith(f"{type(model).__name__}: 60 bags of 5 rows, 2 features; ")
    assert text.endswith("no doubt about slopes from bags and columns alone")
    assert "\n" not in text


@pytest.mark.parametrize("model", MODELS)
def test_few_bags(model, rng):
    X, y, bags = table(rng, n_bags=8)
    text = model.fit(X, y, bags=bags).summary()
    assert "do not trust the slopes: few bags (3.5 a slope, below 5)" in text


@pytest.mark.parametrize("model", MODELS)
def test_no_variation_between_bags(model, rng):
    X, y, bags = table(rng)
    means = pd.DataFrame(X).groupby(bags).transform("mean").to_numpy()
    X[:, 1] -= means[:, 1]
    frame = pd.DataFrame(X, columns=["age", "dose"])
    text = model.fit(frame, y, bags=bags).summary()
    assert "no variation between bags in dose" in text
    assert "age" not in text


@pytest.mark.parametrize("model", MODELS)
def test_rows_that_are_alike(model, rng):
    X, y, bags = table(rng, alike=2.0)
    text = model.fit(X, y, bags=bags).summary()
    assert "rows of a bag are alike in column 0, so that" in text
    assert "(ecological bias)" in text
    assert "column 1" not in text


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cls", [BagRegressor, InstanceRegressor])
def test_rows_that_are_the_same(cls, seed):
    rng = np.random.default_rng(seed)
    bags = np.repeat(np.arange(40), 3)
    X = rng.normal(size=(40, 3))[bags]  # rounding makes the spread inside negative
    said = cls().fit(X, X.sum(axis=1), bags=bags).summary()
    assert "alike in column 0, column 1, column 2, so" in said


def test_one_bag_and_rows_of_their_own(rng):
    X, y, bags = table(rng)
    with pytest.warns(UserWarning, match="one bag"):
        text = BagRegressor().fit(X, y, bags=0 * bags).summary()
    assert "few bags" in text
    assert "no variation between bags in column 0, column 1" in text
    assert "no doubt" in BagRegressor().fit(X, y).summary()


@pytest.mark.parametrize("rho", [0.1, 0.5])
def test_a_weight_that_shrinks(rng, rho):
    X, y, bags = table(rng, n_bags=400)
    model = InterpolatingAggregateRegressor(rho).fit(X, y, bags=bags)
    said = re.search(r"rho=[\d.]+ leaves about (\d+)% of slopes", model.summary())
    assert_allclose(int(said[1]) / 100, model.coef_.mean(), atol=0.03)
    assert "rho=1 leaves" in InstanceRegressor().fit(X, y, bags=bags).summary()
    stretched = InstanceRegressor(debias=True).fit(X, y, bags=bags)
    assert "no doubt" in stretched.summary()


def test_many_columns_are_counted(rng):
    X, y, bags = table(rng, n_bags=100, d=6)
    X[:, :] = np.round(X, 1)
    X[:, 1:] = 3.0
    text = BagRegressor().fit(X, y, bags=bags).summary()
    assert "in column 1, column 2, column 3 and 2 more" in text


def test_blocks_and_sparse_rows_say_the_same(rng):
    X, y, bags = table(rng, alike=1.0)
    whole = BagRegressor().fit(X, y, bags=bags)
    parts = BagRegressor().partial_fit(X[:150], y[:150], bags[:150])
    parts.partial_fit(X[150:], y[150:], bags[150:])
    assert parts.summary() == whole.summary()
    for solver in ("cholesky", "lsqr"):
        thin = BagRegressor(solver=solver).fit(sparse.csr_array(X), y, bags=bags)
        assert thin.summary() == whole.summary()
        assert_allclose(thin._columns.within, whole._columns.within)
    within = InterpolatingAggregateRegressor(0.1).fit(X, y, bags=bags)
    assert_allclose(within._columns.within, whole._columns.within)


def test_scatter_is_that_of_an_analysis_of_variance(rng):
    X, y, bags = table(rng, alike=0.3)
    columns = BagRegressor().fit(X, y, bags=bags)._columns
    groups = [X[bags == b] for b in range(60)]
    F = stats.f_oneway(*groups).statistic
    ours = (columns.between / 59) / (columns.within / 240)
    assert_allclose(ours, F)


def test_bags_without_an_aggregate(rng):
    X, y, bags = table(rng, alike=1.0)
    y[bags < 10] = np.nan
    for kind in (np.asarray, sparse.csr_array):
        model = BagRegressor(allow_missing_aggregate=True).fit(kind(X), y, bags=bags)
        inside = X - pd.DataFrame(X).groupby(bags).transform("mean").to_numpy()
        assert_allclose(model._columns.within, (inside**2).sum(axis=0))
        assert "50 bags" in model.summary()


def test_doubts_of_random_bags_are_rare():
    doubted = 0
    for seed in range(100):
        X, y, bags = table(np.random.default_rng(seed), d=4)
        doubted += "do not" in BagRegressor().fit(X, y, bags=bags).summary()
    assert doubted <= 5


@pytest.mark.parametrize("size", [3, 40])
def test_large_tables_are_sampled_by_whole_bags(size):
    rng = np.random.default_rng(0)
    X, y, bags = table(rng, n_bags=130_000 // size, size=size, alike=0.5)
    found = BagRegressor().fit(X, y, bags=bags)._columns.within
    inside = X - pd.DataFrame(X).groupby(bags).transform("mean").to_numpy()
    assert_allclose(found, (inside**2).sum(axis=0), rtol=0.03)
