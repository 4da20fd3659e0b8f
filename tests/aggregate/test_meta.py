"""Majorise-minimise around any regressor."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_ext.aggregate import (
    AggregateMetaRegressor,
    InterpolatingAggregateRegressor,
)
from sklearn_ext.aggregate._bags._partition import Bags
from sklearn_ext.aggregate._meta import interpolated_loss


@pytest.fixture
def linear(rng):
    X, bags = rng.normal(size=(120, 5)), np.arange(120) // 4
    return X, X.sum(axis=1) + rng.normal(size=120), bags


@pytest.mark.parametrize("alpha", [1e-6, 1.0, 100.0])
@pytest.mark.parametrize("rho", [0.0, 0.1, 1.5, 2.0, 3.0, 5.0, 30.0])
def test_penalised_learners_reach_the_closed_form_for_every_rho(linear, rho, alpha):
    X, y, bags = linear
    w = np.linspace(0.5, 2, 120)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        meta = AggregateMetaRegressor(Ridge(alpha), rho).fit(
            X, y, bags=bags, sample_weight=w
        )
    exact = InterpolatingAggregateRegressor(rho, alpha)
    exact.fit(X, y, bags=bags, sample_weight=w)
    assert_allclose(meta.predict(X), exact.predict(X), atol=1e-3 * y.std())


def test_the_penalty_of_the_learner_counts_where_the_search_ends_early(linear):
    """The penalised objective falls with every fit, the loss of bags rises."""
    X, y, bags = linear
    learner = Ridge(300.0)
    limit = InterpolatingAggregateRegressor(0.5, 300.0).fit(X, y, bags=bags).coef_
    gaps = []
    for n in (1, 2, 3, 4):
        meta = AggregateMetaRegressor(learner, 0.5, max_iter=n, tol=0.0)
        with pytest.warns(ConvergenceWarning, match=f"max_iter={n} fits"):
            meta.fit(X, y, bags=bags)
        gaps.append(np.linalg.norm(meta.estimator_.coef_ - limit))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.01 * gaps[0]


def test_few_fits_are_enough_for_smooth_learners(rng):
    X = rng.uniform(-2, 2, size=(300, 2))
    y, bags = X[:, 0] ** 2 + X[:, 1], np.arange(300) // 10
    learner = KernelRidge(kernel="rbf")
    meta = AggregateMetaRegressor(learner).fit(X, y, bags=bags)
    assert meta.n_iter_ < 20
    limit = AggregateMetaRegressor(learner, tol=1e-9, max_iter=200)
    limit.fit(X, y, bags=bags)
    assert_allclose(meta.predict(X), limit.predict(X), atol=0.01 * y.std())


def test_jumping_learners_are_told_so(rng):
    X = rng.uniform(-2, 2, size=(300, 2))
    trees = HistGradientBoostingRegressor(max_iter=10, random_state=0)
    meta = AggregateMetaRegressor(trees, max_iter=4)
    with pytest.warns(ConvergenceWarning, match="Raise max_iter; or tol"):
        meta.fit(X, X[:, 0] ** 2, bags=np.arange(300) // 3)
    assert meta.n_iter_ == 4


@pytest.fixture
def by_threes(rng):
    X, bags = rng.normal(size=(150, 4)), np.arange(150) // 3
    return X, X @ [1.0, -1.0, 2.0, 0.0] + rng.normal(size=150), bags


@pytest.mark.parametrize("rho", [0.0, 0.2, 1.0])
def test_meta_reaches_the_closed_form(by_threes, rho):
    X, y, bags = by_threes
    w = np.linspace(0.5, 2, 150)
    meta = AggregateMetaRegressor(LinearRegression(), rho, max_iter=500, tol=1e-10)
    meta.fit(X, y, bags=bags, sample_weight=w)
    exact = InterpolatingAggregateRegressor(rho, 0.0)
    exact.fit(X, y, bags=bags, sample_weight=w)
    assert_allclose(meta.estimator_.coef_, exact.coef_, atol=1e-6)
    assert meta.n_iter_ == 1 if rho == 1 else meta.n_iter_ < 500
    partition = Bags.of(bags, 150, w)
    expected = interpolated_loss(exact.predict(X), partition.means(y), partition, rho)
    assert_allclose(meta.objective_, expected, rtol=1e-8)


def test_meta_objective_falls(by_threes):
    X, y, bags = by_threes
    found = []
    for n in (1, 2, 3, 4):
        meta = AggregateMetaRegressor(LinearRegression(), max_iter=n, tol=0.0)
        with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
            found.append(meta.fit(X, y, bags=bags).objective_)
    assert (np.diff(found) < 0).all()


def test_meta_takes_pipelines_over_frames():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90), "b": rng.choice(list("xyz"), 90)})
    y, bags = frame["a"] + (frame["b"] == "x"), np.arange(90) // 3
    pipe = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["b"]), remainder="passthrough"),
        Ridge(0.01),
    )
    meta = AggregateMetaRegressor(pipe, max_iter=100).fit(frame, y, bags=bags)
    assert meta.score(frame, y) > 0.95
    assert list(meta.feature_names_in_) == ["a", "b"]
    assert meta.n_features_in_ == 2
    w = np.where(bags == 2, 0.0, 1.0)
    knn = AggregateMetaRegressor(KNeighborsRegressor())
    with pytest.raises(ValueError, match="fit takes no sample_weight"):
        knn.fit(frame[["a"]], y, bags=bags, sample_weight=w)
    with pytest.raises(ValueError, match="X has 90 rows but y has 4"):
        knn.fit(frame, y[:4])


def test_meta_keeps_the_best_iterate():
    X, y = make_friedman1(600, noise=1.0, random_state=0)
    bags = np.random.default_rng(0).permutation(600) // 3
    trees = HistGradientBoostingRegressor(max_iter=30, random_state=0)
    meta = AggregateMetaRegressor(trees, max_iter=6)
    first = AggregateMetaRegressor(trees, max_iter=1)
    for model in (meta, first):
        with pytest.warns(ConvergenceWarning, match="Raise max_iter; or tol"):
            model.fit(X, y, bags=bags)
    assert meta.objective_ < first.objective_
    clean, truth = make_friedman1(2000, noise=0.0, random_state=1)
    assert meta.score(clean, truth) > first.score(clean, truth) + 0.1
