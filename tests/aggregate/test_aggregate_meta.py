"""Majorise-minimise around any regressor."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from sklearn_ext.aggregate import (
    AggregateMetaRegressor,
    InterpolatingAggregateRegressor,
)


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
