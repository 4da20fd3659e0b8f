"""The report of noise against injected noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, KFold

from sklearn_ext.losses import CompSumClassifierCV, noise_report
from sklearn_ext.losses._noise import transition
from tests.losses.conftest import flipped

SMALL = {"Cs": [0.01, 0.1, 1.0], "taus": (1.0, 1.7)}


@pytest.mark.parametrize(("rate", "pair"), [(0.0, False), (0.3, False), (0.3, True)])
def test_rate_confusion_and_rows(digits, rate, pair):
    X, y = digits
    noisy = flipped(y, rate, pair=pair)
    model = CompSumClassifierCV(**SMALL).fit(X, noisy)
    report = noise_report(model, X, noisy, random_state=0)
    wrong = noisy != y
    assert abs(report.noise_rate - wrong.mean()) < 0.03
    low, high = report.noise_rate_interval
    assert low <= report.noise_rate <= high
    assert_allclose(report.confusion.sum(axis=1), 1)
    truth = np.array([np.bincount(noisy[y == k], minlength=10) for k in range(10)])
    truth = truth / truth.sum(axis=1, keepdims=True)
    assert abs(report.confusion - truth).max() < 0.12
    assert np.mean(report.likely == y) > 0.95
    if rate:
        assert roc_auc_score(wrong, report.wrong_proba) > 0.98
        sure = report.wrong_proba > 0.9
        assert abs(wrong[sure].mean() - report.wrong_proba[sure].mean()) < 0.05
        unsure = report.wrong_proba < 0.1
        assert wrong[unsure].mean() < 0.05


@pytest.mark.parametrize("name", ["digits", "cancer"])
def test_pruning_does_not_hide_the_noise(request, name):
    X, y = request.getfixturevalue(name)
    X, y = X[:800], y[:800]
    t = flipped(y, 0.3, pair=True)
    report = noise_report(
        CompSumClassifierCV(Cs=5, taus=(1, 1.7), prune=True).fit(X, t),
        X,
        t,
        random_state=0,
        n_bootstrap=5,
    )
    assert abs(report.noise_rate - np.mean(t != y)) < 0.05


def test_em_finds_the_transition_of_known_classes():
    rng = np.random.default_rng(0)
    T = np.array([[0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9]])
    p = rng.dirichlet([0.2] * 3, size=20_000)
    true = (p.cumsum(axis=1) > rng.random(len(p))[:, None]).argmax(axis=1)
    codes = (T[true].cumsum(axis=1) > rng.random(len(p))[:, None]).argmax(axis=1)
    found, value = transition(p, codes, np.ones(len(p)))
    assert_allclose(found, T, atol=0.03)
    other, same = transition(p, codes, np.ones(len(p)), np.full((3, 3), 1 / 3))
    assert value >= transition(p, codes, np.ones(len(p)), T, max_iter=1)[1]
    assert same <= value + 1e-4
    assert other.shape == (3, 3)


def test_rows_without_weight_say_nothing(wine):
    X, y = wine
    w = (np.arange(len(y)) % 2).astype(float)
    kept = w > 0
    one = noise_report(
        CompSumClassifierCV(**SMALL).fit(X, y, w), X, y, w, random_state=0
    )
    Z, t = X[kept], y[kept]
    two = noise_report(CompSumClassifierCV(**SMALL).fit(Z, t), Z, t, random_state=0)
    assert_allclose(one.noise_rate, two.noise_rate, atol=1e-5)
    assert_allclose(one.confusion, two.confusion, atol=1e-3)


def test_it_repeats(wine):
    X, y = wine
    model = CompSumClassifierCV(**SMALL).fit(X, y)
    one, two = (noise_report(model, X, y, random_state=3) for _ in range(2))
    assert_array_equal(one.noise_rate_interval, two.noise_rate_interval)


def test_refusals(wine):
    X, y = wine
    with pytest.raises(TypeError, match="noise_report takes a fitted CompSum"):
        noise_report(LogisticRegression().fit(X, y), X, y)
    with pytest.raises(NotFittedError):
        noise_report(CompSumClassifierCV(), X, y)
    model = CompSumClassifierCV(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="confidence_level must lie between"):
        noise_report(model, X, y, confidence_level=1)
    with pytest.raises(TypeError, match="n_bootstrap must be an instance of"):
        noise_report(model, X, y, n_bootstrap="many")
    with pytest.raises(ValueError, match="was not fitted with them"):
        noise_report(model, X, y + 5)
    with pytest.raises(ValueError, match="at least two classes, got one class in y"):
        noise_report(model, X[y == 1], y[y == 1])
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    model = CompSumClassifierCV(**SMALL, cv=folds).fit(X, y)
    with pytest.raises(ValueError, match="serves only the rows that it was made for"):
        noise_report(model, X[::2], y[::2])


def test_groups_reach_the_splitter(wine):
    X, y = wine
    groups = np.arange(len(y)) % 9
    model = CompSumClassifierCV(**SMALL, cv=GroupKFold(3)).fit(X, y, groups=groups)
    report = noise_report(model, X, y, groups=groups, n_bootstrap=2)
    assert report.noise_rate < 0.1
