"""ShrinkageDiscriminantProbe against formulas written out, LDA and naive Bayes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sklearn_ext.probes import NaiveBayesProbe, ShrinkageDiscriminantProbe


def table(rng, n=60, d=8, k=3):
    y = np.r_[np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)]
    noise = rng.normal(size=(n, d)) + rng.normal(size=(n, 2)) @ rng.normal(size=(2, d))
    return noise * rng.uniform(0.5, 2, d) + rng.normal(size=(k, d))[y], y


def by_definition(X, y, w):
    """Every matrix written out: shares, weights and intercepts."""
    k, d = y.max() + 1, X.shape[1]
    count = np.bincount(y, w)
    means = np.stack([w[y == c] @ X[y == c] / count[c] for c in range(k)])
    residuals = X - means[y]
    total, free = w.sum(), w.sum() - k
    v = w @ residuals**2 / free
    Z = residuals / np.sqrt(v)
    R = (Z.T * w) @ Z / free
    noise = signal = 0.0
    for a in range(d):
        for b in range(d):
            if a != b:
                product = Z[:, a] * Z[:, b]
                square, mean = w @ product**2 / total, w @ product / total
                noise += (square - mean**2) / free
                signal += R[a, b] ** 2
    rho = min(1, noise / signal)
    ml = v * free / total
    # of the maximum likelihood variances, as in naive Bayes
    spread = ((ml - ml.mean()) ** 2).sum()
    share = min(1, 2 / (free + 2) * (ml**2).sum() / spread)
    around = X - w @ X / total
    v_all = w @ around**2 / total
    share *= np.clip((v_all.sum() ** 2 / (v_all**2).sum() - 10) / 20, 0, 1)
    v = (1 - share) * v + share * v.mean()
    shrunken = (1 - rho) * R + rho * np.eye(d)
    V = np.sqrt(v)[:, None] * shrunken * np.sqrt(v)
    W = np.linalg.solve(V, means.T).T
    b = np.log(count / total) - 0.5 * (W * means).sum(axis=1)
    return rho, share, W - W.mean(axis=0), b - b.mean()


@pytest.mark.parametrize(("n", "d"), [(60, 8), (60, 50), (25, 80)])
def test_equals_its_definition(rng, n, d):
    X, y = table(rng, n, d)
    w = rng.uniform(0.5, 2, n)
    rho, share, coef, intercept = by_definition(X, y, w)
    probe = ShrinkageDiscriminantProbe().fit(X, y, w)
    assert 0 < rho < 1
    assert probe.correlation_shrinkage_ == pytest.approx(rho, rel=1e-9)
    assert probe.var_shrinkage_ == pytest.approx(share, rel=1e-9)
    assert_allclose(probe.coef_, coef, rtol=1e-6, atol=1e-8)
    assert_allclose(probe.intercept_, intercept, rtol=1e-6, atol=1e-7)


def test_no_shrinkage_is_linear_discriminant_analysis(rng):
    X, y = table(rng)
    probe = ShrinkageDiscriminantProbe(correlation_shrinkage=0, var_shrinkage=0)
    peer = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    coef = peer.coef_ * (60 - 3) / 60  # it divides the covariance by all rows
    assert_allclose(probe.fit(X, y).coef_, coef - coef.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("shrinkage", ["auto", 0.0])
def test_full_shrinkage_is_naive_bayes(rng, shrinkage):
    X, y = table(rng)
    probe = ShrinkageDiscriminantProbe(
        correlation_shrinkage=1, var_shrinkage=shrinkage, priors="uniform"
    ).fit(X, y)
    bayes = NaiveBayesProbe(
        covariance="shared", var_shrinkage=shrinkage, priors="uniform"
    ).fit(X, y)
    scale = 60 / (60 - 3)  # variances are divided by the degrees of freedom
    assert_allclose(probe.var_, bayes.var_ * scale)
    assert_allclose(scale * probe.decision_function(X), bayes.decision_function(X))


@pytest.mark.parametrize("share", [1e-3, 0.3, "auto"])
def test_few_rows_equal_the_full_system(rng, share):
    """The system in as many equations as rows gives what that of all features does."""
    X, y = table(rng, 30, 40)
    X[:, 7] = 3.0  # a constant feature has no correlations
    probe = ShrinkageDiscriminantProbe(correlation_shrinkage=share).fit(X, y)
    rows = np.repeat(X, 2, axis=0), np.repeat(y, 2)
    many = ShrinkageDiscriminantProbe(correlation_shrinkage=share)
    many.fit(*rows, np.full(60, 0.5))  # the same sums, from more rows than features
    assert probe.correlation_shrinkage_ == pytest.approx(many.correlation_shrinkage_)
    assert_allclose(probe.coef_, many.coef_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("d", [6, 100])
def test_weights_are_repetition(rng, d):
    X, y = table(rng, 40, d)
    w = rng.integers(0, 3, 40)
    w[:6] = 1
    weighted = ShrinkageDiscriminantProbe().fit(X, y, w)
    repeated = ShrinkageDiscriminantProbe()
    repeated.fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-9)
    assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("d", [6, 100])
def test_float32_agrees_with_float64(rng, d):
    X, y = table(rng, 50, d)
    wide = ShrinkageDiscriminantProbe().fit(X, y).predict_proba(X)
    X = X.astype(np.float32)
    found = ShrinkageDiscriminantProbe().fit(X, y).predict_proba(X)
    assert found.dtype == np.float32
    assert_allclose(found, wide, atol=1e-4)


def test_beats_both_ends_on_correlated_features(rng):
    X, y = table(rng, 400, 30)
    fit, held = slice(0, 60), slice(60, None)
    scores = [
        probe.fit(X[fit], y[fit]).score(X[held], y[held])
        for probe in (
            ShrinkageDiscriminantProbe(),
            NaiveBayesProbe(),
            LinearDiscriminantAnalysis(),
        )
    ]
    assert scores[0] >= max(scores[1:]) - 0.02
    assert scores[0] > min(scores[1:]) + 0.02


def test_digits_at_ten_rows_a_class():
    X, y = load_digits(return_X_y=True)
    errors = np.zeros(2)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(X))
        fit = np.concatenate([order[y[order] == k][:10] for k in range(10)])
        for i, probe in enumerate([ShrinkageDiscriminantProbe(), NaiveBayesProbe()]):
            errors[i] += 1 - probe.fit(X[fit], y[fit]).score(X, y)
    assert errors[0] < errors[1]


def test_one_row_a_class_has_no_correlations(rng):
    X = rng.normal(size=(4, 3))
    with pytest.warns(UserWarning, match="No two rows of a class differ") as caught:
        probe = ShrinkageDiscriminantProbe().fit(X, list("abcd"))
    assert caught[0].filename == __file__
    assert probe.correlation_shrinkage_ == 1
    assert_array_equal(probe.predict(X), list("abcd"))


def test_fewer_rows_than_features_have_a_solution_of_least_norm():
    """Eigenvalues that are zero but for rounding are none."""
    X, y = load_digits(return_X_y=True)
    params = {"correlation_shrinkage": 0.0, "var_shrinkage": 0.0}
    probe = ShrinkageDiscriminantProbe(**params).fit(X[:50], y[:50])
    other = ShrinkageDiscriminantProbe(**params).fit(1.7 * X[:50], y[:50])
    assert_allclose(other.coef_ * 1.7, probe.coef_, rtol=1e-6, atol=1e-6)
    assert probe.score(X[50:], y[50:]) > 0.4


def test_a_perfect_copy_is_solved(rng):
    X, y = table(rng)
    X = np.c_[X, X[:, 0], np.ones(60)]
    probe = ShrinkageDiscriminantProbe(correlation_shrinkage=0.0).fit(X, y)
    assert np.isfinite(probe.coef_).all()
    assert probe.score(X, y) > 0.7


@pytest.mark.parametrize(
    ("params", "given", "message"),
    [
        ({}, {"X": np.full((60, 8), np.nan)}, "contains NaN"),
        ({}, {"sample_weight": np.zeros(60)}, "at least one non-zero"),
        ({}, {"sample_weight": -np.ones(60)}, "must be non-negative"),
        ({"priors": [1.0]}, {}, "one number for each of the 3 classes"),
        ({"correlation_shrinkage": 2}, {}, "'correlation_shrinkage' parameter"),
    ],
)
def test_bad_input_leaves_the_state(params, given, message):
    X, y = table(np.random.default_rng(0))
    probe = ShrinkageDiscriminantProbe().fit(X, y)
    before = dict(vars(clone(probe).fit(X, y)))
    coef = probe.coef_
    with pytest.raises(ValueError, match=message):
        probe.set_params(**params).fit(**{"X": X, "y": y} | given)
    assert probe.coef_ is coef
    assert vars(probe).keys() == before.keys()


def test_sparse_rows_are_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        ShrinkageDiscriminantProbe().fit(sparse.csr_array(np.eye(4)), [0, 1, 0, 1])


def test_squares_that_overflow_are_named():
    X = np.random.default_rng(0).standard_normal((20, 3)) * 1e160
    with pytest.raises(ValueError, match="squares overflow; scale X"):
        ShrinkageDiscriminantProbe().fit(X, np.arange(20) % 2)


def test_rows_of_next_to_no_weight_are_next_to_absent():
    X, y = load_wine(return_X_y=True)
    there = np.arange(len(y)) % 3 > 0
    expected = ShrinkageDiscriminantProbe().fit(X[there], y[there])
    for weight in (1e-9, 1e-300):
        probe = ShrinkageDiscriminantProbe()
        probe.fit(X, y, sample_weight=np.where(there, 1.0, weight))
        assert_allclose(probe.predict_proba(X), expected.predict_proba(X), atol=1e-7)


def test_many_classes_of_whole_numbers_are_asked_about(rng):
    y = np.r_[np.arange(30), np.arange(10)]
    with pytest.warns(UserWarning, match="could represent a regression problem"):
        ShrinkageDiscriminantProbe().fit(rng.normal(size=(40, 3)), y)
