"""The bracket of the largest margin."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import linprog
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import scale
from sklearn.svm import SVC

from sklearn_ext.losses import separability


@pytest.mark.parametrize("seed", range(20))
def test_bracket_holds_the_margin_of_a_hard_svm(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(20, 80), rng.integers(2, 8)
    X, w = rng.normal(size=(n, d)) + 3, rng.normal(size=d)
    score = (X - 3) @ w / np.linalg.norm(w)
    y = (score > 0).astype(int)
    X = X + np.where(y == 1, 0.2, -0.2)[:, None] * w / np.linalg.norm(w)
    svm = SVC(kernel="linear", C=1e8, tol=1e-8).fit(X, y)
    margin = 1 / np.linalg.norm(svm.coef_)
    found = separability(X, y)
    assert found.separable
    assert found.margin_lower <= margin * (1 + 1e-5)
    assert found.margin_upper >= margin * (1 - 1e-5)
    assert found.margin_upper - found.margin_lower <= 1e-2 * found.margin_upper
    signed = np.where(y == 1, 1, -1) * (X @ found.coef[0] + found.intercept[0])
    own = signed.min() / np.linalg.norm(found.coef)
    assert_allclose(own, found.margin_lower, rtol=1e-6)


def strictly(X, y, fit_intercept=True):
    """Whether a plane has all rows at least one away, by linear programming."""
    s = np.where(y == 1, 1.0, -1.0)[:, None]
    rows = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    found = linprog(
        np.zeros(rows.shape[1]),
        A_ub=-s * rows,
        b_ub=-np.ones(len(X)),
        bounds=(None, None),
    )
    return found.status == 0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_linear_programming(seed, fit_intercept):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 4)).round(1)
    y = (X[:, 0] + 0.6 * rng.normal(size=12) > 0).astype(int)
    if seed % 3 == 0:  # two equal rows of both classes: at best quasi-separated
        X = np.vstack([X, X[:1]])
        y = np.r_[y, 1 - y[0]]
    if len(np.unique(y)) < 2:
        y[0] = 1 - y[0]
    found = separability(X, y, fit_intercept=fit_intercept)
    assert found.separable == strictly(X, y, fit_intercept)


def test_many_classes():
    X, y = load_iris(return_X_y=True)
    assert not separability(X, y).separable
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 6)) * 4
    labels = rng.integers(0, 5, 100)
    Z = centres[labels] + 0.3 * rng.normal(size=(100, 6))
    found = separability(Z, labels)
    assert found.separable
    assert found.margin_upper - found.margin_lower <= 1e-2 * found.margin_upper
    scores = Z @ found.coef.T + found.intercept
    own = scores[np.arange(100), labels]
    scores[np.arange(100), labels] = -np.inf
    least = (own - scores.max(axis=1)).min() / np.linalg.norm(found.coef)
    assert_allclose(least, found.margin_lower, rtol=1e-6)


def test_passes_stay_below_the_guarantee_of_normalised_steps(digits):
    X, y = digits
    found = separability(X, y == 0)
    assert found.margin_upper - found.margin_lower <= 1e-2 * found.margin_upper
    radius = np.linalg.norm(X - X.mean(axis=0), axis=1).max()
    assert found.n_passes < 2.2 * (radius / found.margin_lower) ** 2


def test_a_margin_of_three_ten_thousandths_of_the_rows_is_found():
    X, y = load_breast_cancer(return_X_y=True)
    X, sign = scale(X), np.where(y == 1, 1, -1)
    found = separability(X, y)
    assert found.separable
    assert_allclose(found.margin_upper, found.margin_lower, rtol=1e-5)
    own = sign * (X @ found.coef[0] + found.intercept) / np.linalg.norm(found.coef)
    assert_allclose(found.margin_lower, own.min(), rtol=1e-6)
    assert own.min() < 3e-4 * np.linalg.norm(X, axis=1).mean()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_the_bracket_closes_on_raw_columns(form, fit_intercept):
    X, y = load_wine(return_X_y=True)
    found = separability(form(X), y, fit_intercept=fit_intercept)
    assert_allclose(found.margin_upper, found.margin_lower, rtol=1e-4)
    assert found.n_passes < 3000


def test_units_and_offsets_change_nothing():
    X, y = load_iris(return_X_y=True)
    one, other = separability(X, y == 0), separability(1e3 * X + 1e6, y == 0)
    assert_allclose(other.margin_lower, 1e3 * one.margin_lower, rtol=2e-2)


def test_sparse_rows():
    X, y = load_iris(return_X_y=True)
    found = separability(sparse.csr_array(X), y == 0)
    assert found.separable
    assert_allclose(found.margin_lower, separability(X, y == 0).margin_lower, rtol=2e-2)


def test_refusals():
    X = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match="needs two classes"):
        separability(X, [1, 1, 1])
    with pytest.raises(ValueError, match="tol and max_iter must be positive"):
        separability(X, [0, 1, 1], tol=0)
