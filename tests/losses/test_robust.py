"""Worst cases: objective, radius, certified accuracy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.losses import (
    CompSumClassifier,
    certified_accuracy,
    certified_accuracy_scorer,
    certified_radius,
)
from sklearn_ext.losses._comp_sum import prepare_rows
from sklearn_ext.losses._linear import labelled
from sklearn_ext.losses._robust import RobustObjective, radii

NORMS = [2, np.inf]


def objective(X, y, tau, norm, smoothing=0.01, epsilon=0.3):
    model = CompSumClassifier(tau, epsilon=epsilon, norm=norm)
    problem = prepare_rows(model, labelled(model, X, y, None))
    plain = problem.at(1.0, tau - 1)
    return problem, RobustObjective(plain, problem.axes, epsilon, norm, smoothing)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.7, 2])
def test_gradient(table, tau, norm):
    X, y = table
    problem, f = objective(X, y, tau, norm)
    rng = np.random.default_rng(0)
    theta = 0.3 * rng.normal(size=problem.objective.start().size)
    gradient = f(theta).gradient
    v = gradient / np.linalg.norm(gradient)
    slope = (f(theta + 1e-6 * v).value - f(theta - 1e-6 * v).value) / 2e-6
    assert_allclose(gradient @ v, slope, rtol=1e-6)
    w = rng.normal(size=len(v))
    slope = (f(theta + 1e-6 * w).value - f(theta - 1e-6 * w).value) / 2e-6
    size = np.linalg.norm(gradient) * np.linalg.norm(w)
    assert_allclose(gradient @ w, slope, atol=1e-6 * size)


@pytest.mark.parametrize("norm", NORMS)
def test_gradient_with_fewer_rows_than_features(wine, norm):
    X, y = wine
    X, y = np.hstack([X, X**2, X**3])[::6], y[::6]
    problem, f = objective(X, y, 1, norm)
    rng = np.random.default_rng(0)
    theta = 0.3 * rng.normal(size=problem.objective.start().size)
    gradient = f(theta).gradient
    v = gradient / np.linalg.norm(gradient)
    slope = (f(theta + 1e-6 * v).value - f(theta - 1e-6 * v).value) / 2e-6
    assert_allclose(gradient @ v, slope, rtol=1e-6)
    w = rng.normal(size=len(v))
    slope = (f(theta + 1e-6 * w).value - f(theta - 1e-6 * w).value) / 2e-6
    size = np.linalg.norm(gradient) * np.linalg.norm(w)
    assert_allclose(gradient @ w, slope, atol=1e-6 * size)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("tau", [0, 0.5, 1])
def test_convex_up_to_one(table, tau, norm):
    X, y = table
    problem, f = objective(X, y, tau, norm)
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = rng.normal(size=(2, problem.objective.start().size))
        middle = f((a + b) / 2).value
        assert middle <= (f(a).value + f(b).value) / 2 * (1 + 1e-12)


@pytest.mark.parametrize("tau", [0, 1, 1.7])
def test_binary_loss_is_the_largest_over_the_box(cancer, tau):
    X, y = cancer
    X, y = X[:30, :3], y[:30]
    problem, f = objective(X, y, tau, np.inf, smoothing=0.0)
    theta = np.random.default_rng(2).normal(size=problem.objective.start().size)
    coef, intercept = problem.coefficients(theta)
    corners = 0.3 * np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    scores = (X[:, None] + corners) @ coef[0] + intercept[0]
    p = 1 / (1 + np.exp(-np.where(y == 1, 1, -1)[:, None] * scores))
    q = tau - 1
    losses = -np.log(p) if q == 0 else (1 - p**q) / q
    penalty = coef @ coef.T / (2 * len(X))
    assert_allclose(f(theta).value, losses.max(axis=1).mean() + penalty.item())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n_classes", [2, 5])
def test_radius_is_the_distance_to_the_closest_boundary(n_classes, norm):
    rng = np.random.default_rng(3)
    k = 1 if n_classes == 2 else n_classes
    coef, intercept = rng.normal(size=(k, 4)), rng.normal(size=k)
    X = rng.normal(size=(200, 4))
    both = coef if k > 1 else np.vstack([0 * coef, coef])
    offset = intercept if k > 1 else np.r_[0, intercept]
    y = (X @ both.T + offset).argmax(axis=1)
    rho = radii(X, y, coef, intercept, norm)
    assert (rho >= 0).all()

    def right(rows, delta):
        return (rows + delta) @ both.T + offset

    for i in range(50):  # towards each rival in the worst direction
        flips = []
        for rival in set(range(n_classes)) - {y[i]}:
            v = both[rival] - both[y[i]]
            d = v / np.linalg.norm(v) if norm == 2 else np.sign(v)
            for share in (1 - 1e-6, 1 + 1e-6):
                said = right(X[i], rho[i] * share * d).argmax()
                flips.append((share > 1, said != y[i]))
        assert not any(flip for beyond, flip in flips if not beyond)
        assert any(flip for beyond, flip in flips if beyond)
    for _ in range(50):  # 10,000 random ones that are smaller
        delta = rng.normal(size=X.shape)
        delta /= np.linalg.norm(delta, ord=norm, axis=1)[:, None]
        delta *= (0.999 * rho * rng.random(len(X)))[:, None]
        assert (right(X, delta).argmax(axis=1) == y).all()


def test_wrong_rows_have_negative_radii(wine):
    X, y = wine
    model = LogisticRegression().fit(X, y)
    other = (y + 1) % 3
    assert (certified_radius(model, X, other) < 0).mean() > 0.95


@pytest.mark.parametrize("norm", NORMS)
def test_robust_training_certifies_more_rows(table, norm):
    X, y = table
    epsilon = 0.5 if norm == 2 else 0.3
    plain = CompSumClassifier(1).fit(X, y)
    robust = CompSumClassifier(1, epsilon=epsilon, norm=norm).fit(X, y)
    options = {"epsilon": epsilon, "norm": norm}
    assert certified_accuracy(robust, X, y, **options) >= certified_accuracy(
        plain, X, y, **options
    )
    assert robust.converged_
    assert np.isnan(robust.gap_bound_)


def test_robust_optimum_is_a_stationary_point(wine):
    X, y = wine
    options = {"tau": 1, "epsilon": 0.2, "norm": 2}
    loose = CompSumClassifier(**options).fit(X, y)
    tight = CompSumClassifier(**options, tol=1e-9).fit(X, y)
    assert_allclose(loose.objective_, tight.objective_, rtol=1e-3)


def test_sparse_rows_are_as_good(wine):
    from scipy import sparse

    X, y = wine
    X = np.where(abs(X) > 0.5, X, 0)
    options = {"epsilon": 0.2, "norm": np.inf, "tol": 1e-9}
    dense = CompSumClassifier(1, **options).fit(X, y)
    thin = CompSumClassifier(1, **options).fit(sparse.csr_array(X), y)
    assert_allclose(thin.objective_, dense.objective_, rtol=1e-6)
    assert_allclose(
        certified_radius(thin, sparse.csr_array(X), y),
        certified_radius(thin, X, y),
        rtol=1e-6,
    )


def test_all_rows_equal():
    X, y = np.ones((6, 2)), np.array([0, 1, 1, 0, 1, 1])
    model = CompSumClassifier(1, epsilon=0.5).fit(X, y)
    assert_allclose(model.predict_proba(X)[0, 1], 2 / 3, rtol=1e-3)
    # no change of a row matters where nothing depends on it
    radius = certified_radius(LogisticRegression().fit(X, y), X, y)
    assert (radius[y == 1] > 1).all()


def test_too_many_pairs(monkeypatch, wine):
    monkeypatch.setattr("sklearn_ext.losses._robust.LARGEST", 10)
    with pytest.raises(ValueError, match="Set epsilon=0"):
        CompSumClassifier(epsilon=0.1).fit(*wine)


def test_refusals(wine):
    X, y = wine
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"norm must be 2 or numpy\.inf, got 1"):
        certified_radius(model, X, y, norm=1)
    with pytest.raises(ValueError, match=r"\[7\] that are not among"):
        certified_radius(model, X, np.full(len(y), 7))
    with pytest.raises(ValueError, match="y has 3 labels for the"):
        certified_radius(model, X, y[:3])
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    with pytest.raises(TypeError, match="Of a Pipeline pass the last step"):
        certified_radius(pipe, X, y)


def test_scorer_weighs_rows(wine):
    X, y = wine
    model = LogisticRegression().fit(X, y)
    w = (y == 0).astype(float)
    scorer = certified_accuracy_scorer(0.5)
    share = (certified_radius(model, X, y) > 0.5)[y == 0].mean()
    assert_allclose(scorer(model, X, y, sample_weight=w), share)
