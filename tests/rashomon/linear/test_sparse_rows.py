"""Sparse rows give the answers of dense ones, and stay sparse on the way."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.utils import get_tags

from sklearn_ext.rashomon import (
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonRidge,
)
from sklearn_ext.rashomon._linear import _halfspaces, _logistic_sets, _sparse_rows
from sklearn_ext.rashomon._linear._halfspaces import direction_errors, random_directions
from sklearn_ext.rashomon._linear._halfspaces_torch import direction_errors_torch
from sklearn_ext.rashomon._linear._sparse_rows import gram, grams, make_rows

FORMATS = [sparse.csr_array, sparse.csc_array, sparse.csr_matrix]


def sparse_table(rng, n=60, p=4, density=0.4):
    X = np.where(rng.random((n, p)) < density, rng.normal(1, 1, (n, p)), 0.0)
    return X, (X[:, 0] - X[:, 1] + 0.7 * rng.normal(size=n) > 0).astype(int)


@pytest.mark.parametrize("constant", [True, False])
def test_rows_stand_in_for_the_dense_matrix(rng, constant):
    X, _ = sparse_table(rng)
    centre, scale = rng.normal(size=4), rng.uniform(0.5, 2, 4)
    sign = rng.choice([-1.0, 1.0], 60)
    options = {"sign": sign, "constant": constant}
    dense = make_rows(X, centre, scale, **options)
    rows = make_rows(sparse.csc_array(X), centre, scale, **options)
    expected = (X - centre) / scale
    expected = np.c_[expected, np.ones(60)] if constant else expected
    assert_allclose(dense, expected * sign[:, None])
    p = 4 + constant
    assert rows.shape == dense.shape == (60, p)
    A, v, w = rng.normal(size=(3, p)), rng.normal(size=(2, 60)), rng.random((2, 60))
    for many, one in ((A, A[0]), (v, v[0])):
        for B in (many, one):
            left = (B @ rows.T, B @ dense.T) if many is A else (B @ rows, B @ dense)
            assert_allclose(*left, atol=1e-12)
    assert_allclose(rows @ A[0], dense @ A[0], atol=1e-12)
    assert_allclose(gram(rows, w[0]), (dense.T * w[0]) @ dense, atol=1e-12)
    with mock.patch.object(_sparse_rows, "BLOCK", 100):  # several blocks of rows
        assert_allclose(grams(dense, w), grams(rows, w), atol=1e-12)
    assert_allclose(grams(dense, w)[1], gram(dense, w[1]), atol=1e-12)


@pytest.mark.parametrize("container", FORMATS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("space", ["ball", "gaussian"])
def test_logistic_sparse_equals_dense(rng, container, intercept, space):
    X, y = sparse_table(rng)
    w = rng.integers(0, 3, 60)
    params = {"fit_intercept": intercept, "space": space, "n_rays": 200}
    one, two = (
        RashomonLogisticRegression(**params, random_state=0).fit(rows, y, w)
        for rows in (X, container(X))
    )
    for name in ("coef_", "intercept_", "coef_range_", "log_ratio_", "log_volume_"):
        assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-6, atol=1e-8)
    assert_allclose(two.members_.coef, one.members_.coef, rtol=1e-6, atol=1e-8)
    assert_allclose(two.log_ratio_at(0.2), one.log_ratio_at(0.2), rtol=1e-6)
    S = container(X)
    assert_allclose(two.predict_range(S), one.predict_range(X), atol=1e-7)
    assert_allclose(two.predict_proba(S), one.predict_proba(X), atol=1e-8)
    assert_array_equal(two.member_predictions(S), one.member_predictions(X))
    mean = one.set_params(predict_with="members")
    assert_allclose(mean.predict_proba(S), mean.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("container", FORMATS)
@pytest.mark.parametrize(
    ("p", "params"),
    [
        (1, {"method": "exact"}),
        (4, {"method": "crude", "n_draws": 2000}),
        (4, {"method": "crude", "n_draws": 2000, "device": "cpu"}),
        (4, {"method": "splitting", "n_steps": 6}),
        (4, {"method": "crude", "n_draws": 2000, "standardize": False}),
        (4, {"method": "crude", "n_draws": 2000, "fit_intercept": False}),
    ],
)
def test_linear_sparse_equals_dense(rng, container, p, params):
    X, y = sparse_table(rng)
    X, w = X[:, :p], rng.integers(1, 3, 60)
    one, two = (
        RashomonLinearClassifier(theta=0.1, random_state=0, **params).fit(rows, y, w)
        for rows in (X, container(X))
    )
    assert two.min_loss_ == one.min_loss_
    for name in ("best_coef_", "best_intercept_", "log_ratio_", "log_cdf_"):
        assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-9, atol=1e-12)
    S = container(X)
    assert_allclose(two.decision_function(S), one.decision_function(X))
    assert_array_equal(two.member_predictions(S), one.member_predictions(X))
    assert_array_equal(two.predict(S), one.predict(X))


@pytest.mark.parametrize(
    "model",
    [
        RashomonRidge(n_members=5),
        RashomonLogisticRegression(n_members=5, n_rays=40, theta=1e-4),
        RashomonLinearClassifier(n_draws=50, theta=1.0, n_members=5),
    ],
    ids=lambda model: type(model).__name__,
)
def test_fits_never_hold_the_dense_table(model):
    n, p = 10_000, 100
    assert get_tags(model).input_tags.sparse
    X = sparse.random(n, p, density=0.01, format="csr", random_state=0)
    chance = 0.3 + 0.4 * np.asarray(X.sum(axis=1)).ravel()
    y = (np.random.default_rng(0).random(n) < chance).astype(int)
    with (
        mock.patch.object(_logistic_sets, "BLOCK", n),  # one ray at a time
        mock.patch.object(_halfspaces, "BLOCK", n),
        mock.patch.object(_halfspaces, "FEWEST", 1),
    ):
        model.fit(X[:500], y[:500])  # imports are no part of it
        tracemalloc.start()
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < n * p * 8 / 2


def test_torch_counts_errors_of_sparse_rows(rng):
    X, y = sparse_table(rng)
    rows = make_rows(sparse.csr_array(X), X.mean(axis=0), sign=2.0 * y - 1)
    w, weight = random_directions(300, 5, rng), rng.random(60)
    found = direction_errors_torch(w, rows, device="cpu")
    assert_array_equal(found, direction_errors(w, rows))
    found = direction_errors_torch(w, rows, weight, device="cpu")
    assert_allclose(found, direction_errors(w, rows, weight))


def test_far_columns_stay_accurate_enough(rng):
    """Sparse columns are not shifted, so a mean far from zero costs digits."""
    X, y = sparse_table(rng)
    X[:, 2] += 100.0
    one, two = (
        RashomonLogisticRegression(n_rays=200, random_state=0).fit(rows, y)
        for rows in (X, sparse.csr_array(X))
    )
    assert_allclose(two.coef_, one.coef_, rtol=1e-5, atol=1e-7)
    assert_allclose(two.log_ratio_, one.log_ratio_, rtol=1e-5)
