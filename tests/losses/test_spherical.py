"""SphericalClassifier: gradient, cost, streams, bad input."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.losses import SphericalClassifier
from sklearn_ext.losses._spherical_terms import SphericalObjective


def many(n=600, K=40, d=8, seed=0, noise=0.4):
    rng = np.random.default_rng(seed)
    centres, y = rng.normal(size=(K, d)), rng.integers(0, K, n)
    y[:K] = np.arange(K)
    return centres[y] + noise * rng.normal(size=(n, d)), y


def brute(loss, Z, y, w, W, alpha, scale=0.1, target=10.0):
    """Mean loss by all scores."""
    own, K = Z[np.arange(len(y)), y], Z.shape[1]
    if loss == "taylor":
        f = 1 + Z + Z**2 / 2
        each = np.log(f.sum(axis=1)) - np.log(1 + own + own**2 / 2)
        return w @ each + alpha / 2 * np.sum(W[:, :-1] ** 2)
    Wc = W[:, :-1] - W[:, :-1].mean(axis=0)
    s2 = Z.var(axis=1) + alpha * np.sum(Wc**2) / K
    z = (own - Z.mean(axis=1)) / np.sqrt(s2)
    return w @ np.logaddexp(0, scale * (target - z)) / scale


def objective(X, y, w, K, loss, alpha=0.3):
    rows = np.column_stack([X - w @ X, np.ones(len(X))])
    return SphericalObjective(rows, y, w, K, loss, alpha, 0.1, 10.0, True, 100)


@pytest.mark.parametrize("loss", ["z", "taylor"])
def test_value_and_gradient(loss):
    X, y = many(K=7)
    rng = np.random.default_rng(1)
    w = rng.random(len(X))
    w /= w.sum()
    f = objective(X, y, w, 7, loss)
    W = 0.5 * rng.normal(size=(7, X.shape[1] + 1))
    now = f(W.ravel())
    assert_allclose(now.value, brute(loss, f.X @ W.T, y, w, W, 0.3), rtol=1e-12)
    for _ in range(3):
        v = rng.normal(size=W.size)
        ends = [f(W.ravel() + h * v).value for h in (1e-6, -1e-6)]
        assert_allclose(now.gradient @ v, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def test_z_feels_neither_scale_nor_shift():
    X, y = many(K=7)
    w = np.full(len(X), 1 / len(X))
    f = objective(X, y, w, 7, "z")
    W = np.random.default_rng(2).normal(size=(7, X.shape[1] + 1))
    value = f(W.ravel()).value
    assert_allclose(f(3 * W.ravel()).value, value, rtol=1e-12)
    shifted = W + np.random.default_rng(3).normal(size=W.shape[1])
    assert_allclose(f(shifted.ravel()).value, value, rtol=1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_squares_are_the_normal_equations(fit_intercept):
    X, y = many()
    X = X + 5
    w = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    model = SphericalClassifier(
        "squared_error", alpha=0.2, fit_intercept=fit_intercept
    ).fit(X, y, w)
    Z = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    J = 0.2 * np.eye(Z.shape[1])
    J[X.shape[1] :] = 0
    one_hot = np.eye(40)[y]
    A = Z.T @ (Z * w[:, None]) / w.sum() + J
    W = np.linalg.solve(A, Z.T @ (one_hot * w[:, None]) / w.sum()).T
    assert_allclose(model.coef_, W[:, : X.shape[1]], rtol=1e-8, atol=1e-12)
    assert_allclose(model.decision_function(X), Z @ W.T, atol=1e-10)


def test_any_split_of_a_stream_is_one_fit():
    X, y = many()
    names = np.array([f"c{k:02d}" for k in range(40)])[y]
    order = np.argsort(y, kind="stable")  # new classes come late
    whole = SphericalClassifier("squared_error").fit(X, names)
    stream = SphericalClassifier("squared_error")
    for rows in np.array_split(order, 7):
        stream.partial_fit(X[rows], names[rows])
    assert_array_equal(stream.classes_, whole.classes_)
    assert_allclose(stream.coef_, whole.coef_, rtol=1e-8, atol=1e-12)
    parts = [(X[rows], names[rows]) for rows in np.array_split(order, 3)]
    blocks = SphericalClassifier("squared_error").fit_blocks(parts)
    assert_allclose(blocks.coef_, whole.coef_, rtol=1e-8, atol=1e-12)
    for halves in (parts[:2], parts[1::-1]):
        one, other = (SphericalClassifier("squared_error").fit(*p) for p in halves)
        third = SphericalClassifier("squared_error").fit(*parts[2])
        both = one.merge(other).merge(third)
        assert_allclose(both.coef_, whole.coef_, rtol=1e-8, atol=1e-12)


def test_sums_of_sparse_rows():
    X, y = many()
    X = np.where(abs(X) > 0.7, X, 0)
    dense = SphericalClassifier("squared_error").fit(X, y)
    thin = SphericalClassifier("squared_error").fit(sparse.csr_array(X), y)
    assert_allclose(thin.coef_, dense.coef_, rtol=1e-8, atol=1e-12)
    assert_array_equal(thin.predict(sparse.csr_array(X)), dense.predict(X))


def test_classes_that_nobody_has_seen():
    X, y = many()
    model = SphericalClassifier("squared_error").partial_fit(X, y, np.arange(42))
    assert_array_equal(model.class_count_[-2:], 0)
    assert set(model.predict(X)) <= set(range(40))
    with pytest.raises(ValueError, match=r"not in classes: \[39\]"):
        SphericalClassifier("squared_error").partial_fit(X, y, np.arange(39))


@pytest.mark.parametrize("loss", ["z", "taylor"])
def test_better_than_where_it_starts(loss):
    X, y = many(n=4000, K=200, noise=0.7)
    start = SphericalClassifier("squared_error").fit(X[:2000], y[:2000])
    model = SphericalClassifier(loss).fit(X[:2000], y[:2000])
    assert model.converged_
    gain = model.score(X[2000:], y[2000:]) - start.score(X[2000:], y[2000:])
    assert gain > (0.02 if loss == "z" else -0.02)


def test_as_good_as_the_truth():
    X, y = many(n=6000, K=200, d=60, noise=1.3)
    half = len(y) // 2
    best = LinearDiscriminantAnalysis().fit(X[:half], y[:half])
    ours = SphericalClassifier().fit(X[:half], y[:half])
    assert ours.score(X[half:], y[half:]) > 0.9 * best.score(X[half:], y[half:])


@pytest.mark.parametrize("loss", ["z", "taylor"])
def test_probabilities(loss):
    X, y = many()
    model = SphericalClassifier(loss).fit(X, y)
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))
    assert_allclose(np.log(proba), model.predict_log_proba(X))
    if loss == "taylor":
        o = X @ model.coef_.T + model.intercept_
        f = 1 + o + o**2 / 2
        assert_allclose(proba, f / f.sum(axis=1, keepdims=True), rtol=1e-10)
    own = proba[np.arange(len(y)), y]
    assert -np.log(own).mean() < np.log(40) - 1


def test_top_k():
    X, y = many()
    model = SphericalClassifier().fit(X, y)
    scores = model.decision_function(X)
    top = model.predict_top_k(X, 5)
    assert_array_equal(top, model.classes_[np.argsort(-scores, axis=1)[:, :5]])
    assert_array_equal(top[:, 0], model.predict(X))
    with pytest.raises(ValueError, match="k must be 1 to 40"):
        model.predict_top_k(X, 41)


@pytest.mark.parametrize("loss", ["z", "taylor"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_torch_device_gives_the_same(loss, fit_intercept):
    pytest.importorskip("torch")
    X, y = many()
    options = {"loss": loss, "fit_intercept": fit_intercept, "tol": 1e-9}
    options["max_iter"] = 500
    here = SphericalClassifier(**options).fit(X, y)
    there = SphericalClassifier(**options, device="cpu").fit(X, y)
    scale = abs(here.coef_).max()
    assert_allclose(there.coef_, here.coef_, atol=1e-4 * scale)
    assert isinstance(there.coef_, np.ndarray)
    single = SphericalClassifier(loss, device="cpu").fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32


@pytest.mark.slow
def test_no_array_of_rows_times_classes():
    X, y = many(n=20_000, K=3000, d=240)
    X = X.astype(np.float32)
    tracemalloc.start()
    with pytest.warns(ConvergenceWarning):
        model = SphericalClassifier(max_iter=2, tol=0).fit(X, y)
    model.predict_top_k(X[:100], 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    table = len(X) * 3000 * 4
    assert peak < table
    steps = 2 * model.memory + 6  # arrays of L-BFGS as large as the coefficients
    assert peak < 4 * X.nbytes + (steps + 4) * 2 * model.coef_.nbytes


@pytest.mark.parametrize("counts", [[10, 20, 30], [20, 20, 20]])
def test_all_rows_equal_predict_the_prior(counts):
    X, y = np.full((60, 3), 0.1), np.repeat([0, 1, 2], counts)
    for loss in ("z", "taylor", "squared_error"):
        model = SphericalClassifier(loss).fit(X, y)
        assert_allclose(model.coef_, 0, atol=1e-12)
        assert counts[model.predict(X)[0]] == max(counts)
        assert model.converged_


class TestRefusals:
    def test_missing_methods(self):
        with pytest.raises(AttributeError, match="loss='squared_error', got loss='z'"):
            SphericalClassifier().partial_fit  # noqa: B018
        with pytest.raises(AttributeError, match="needs loss='z' or loss='taylor'"):
            SphericalClassifier("squared_error").predict_proba  # noqa: B018

    def test_no_noise_and_few_rows(self):
        X, y = many(n=6, K=3)
        with pytest.raises(ValueError, match="the variance of scores may vanish"):
            SphericalClassifier(alpha=0).fit(X, y)

    def test_two_classes(self):
        X, y = many(K=2)
        with pytest.warns(UserWarning, match="CompSumClassifier is the better tool"):
            model = SphericalClassifier().fit(X, y)
        assert model.score(X, y) > 0.9

    def test_one_class(self):
        X, _ = many()
        with pytest.raises(ValueError, match="at least two classes, got one class"):
            SphericalClassifier().fit(X, np.zeros(len(X), int))

    def test_unknown_loss(self):
        with pytest.raises(ValueError, match="The 'loss' parameter"):
            SphericalClassifier("softmax").fit(*many())

    def test_merge_of_other_columns(self):
        X, y = many()
        one = SphericalClassifier("squared_error").fit(X, y)
        other = SphericalClassifier("squared_error").fit(X[:, :3], y)
        with pytest.raises(ValueError, match="has 8 features, the other 3"):
            one.merge(other)

    def test_too_few_iterations(self):
        with pytest.warns(ConvergenceWarning, match="in max_iter=1 iterations"):
            SphericalClassifier(max_iter=1).fit(*many())
