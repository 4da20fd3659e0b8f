"""Metrics of confidence against loops, simulation and closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.datasets import load_wine
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import Perceptron
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from sklearn_ext._numerics._held_out import clopper_pearson
from sklearn_ext.calibration import (
    area_under_risk_coverage,
    calibration_error,
    calibration_test,
    correctness_auc,
    get_calibration_scorer,
    log_loss_split,
)
from sklearn_ext.calibration._metrics import Judged, bins_of


def predictions(n, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    proba = softmax(2 * rng.normal(size=(n, n_classes)), axis=1)
    return rng.integers(0, n_classes, n), proba


def rows(n, seed=0, truth=lambda c: c):
    rng = np.random.default_rng(seed)
    c = rng.uniform(0.3, 0.95, n)
    return c, rng.random(n) < truth(c)


def area(c, right, **options):
    return area_under_risk_coverage(np.ones(len(c)), right, c, **options)


# the chain rule of the log-loss


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_the_parts_of_the_log_loss_add_up(n_classes):
    y, proba = predictions(200, n_classes)
    w = np.random.default_rng(1).random(200)
    parts = log_loss_split(y, proba, sample_weight=w)
    assert_allclose(parts.total, log_loss(y, proba, sample_weight=w), rtol=1e-12)
    c, right = proba.max(axis=1), proba.argmax(axis=1) == y
    by_hand = -np.average(np.where(right, np.log(c), np.log(1 - c)), weights=w)
    assert_allclose(parts.correctness, by_hand, rtol=1e-12)
    q = proba[np.arange(200), y] / (1 - c)
    rest = -np.average(np.where(right, 0, np.log(np.where(right, 1, q))), weights=w)
    assert_allclose(parts.rest, rest, rtol=1e-10, atol=1e-13)


def test_on_two_classes_the_log_loss_is_that_of_correctness():
    y, proba = predictions(300, 2)
    parts = log_loss_split(y, proba[:, 1])
    assert_allclose(parts.correctness, log_loss(y, proba), rtol=1e-12)
    assert_allclose(parts.rest, 0, atol=1e-13)


def test_balanced_weights_miscalibrate():
    a, eta = 0.8, 0.6
    grid = np.linspace(1e-4, 1 - 1e-4, 100_001)
    right, wrong = (1 - a) * eta, a * (1 - eta)
    for loss in (
        right * (1 - grid) ** 2 + wrong * grid**2,
        -right * np.log(grid) - wrong * np.log(1 - grid),
    ):
        assert_allclose(grid[loss.argmin()], 0.2727, atol=1e-4)


def test_one_shared_temperature_pulls_a_narrow_error_both_ways():
    logits, step = np.array([1.0, 0.9, -2.0]), 1e-6

    def entropy(beta):
        return -np.log(softmax(beta * logits)[1])

    def of_correctness(beta):
        return -np.log(1 - softmax(beta * logits)[0])

    for loss, beta, slope in (
        (entropy, 0.5, -0.252),
        (entropy, 1.0, -0.023),
        (of_correctness, 0.5, 0.299),
        (of_correctness, 1.0, 0.129),
    ):
        found = (loss(beta + step) - loss(beta - step)) / (2 * step)
        assert_allclose(found, slope, atol=6e-4)


# the calibration error and its interval


def test_the_squared_error_is_that_of_a_loop():
    c, right = rows(500)
    judged = Judged.of(c, right)
    bin_of = bins_of(judged, 10)
    total = 0.0
    for b in range(10):
        gap = (right - c)[bin_of == b]
        total += len(gap) / 500 * (gap.mean() ** 2 - gap.var(ddof=1) / len(gap))
    found = calibration_error(np.ones(500), y_pred=right, confidence=c, n_bins=10)
    assert_allclose(found.squared, total, rtol=1e-12)
    assert found.low <= found.error <= found.high


TRUTHS = {
    "calibrated": lambda c: c,
    "offset": lambda c: c - 0.03,
    "sinus": lambda c: c + 0.05 * np.sin(12 * c),
}


@pytest.mark.parametrize("n", [300, 1000])
@pytest.mark.parametrize("name", TRUTHS)
def test_the_estimate_is_unbiased_and_the_interval_holds_it(name, n):
    truth, rng = TRUTHS[name], np.random.default_rng(3)
    inside, gaps, n_draws = 0, [], 200
    for _ in range(n_draws):
        c = rng.uniform(0.3, 0.95, n)
        right = rng.random(n) < truth(c)
        bin_of = bins_of(Judged.of(c, right), "auto")
        mass = np.bincount(bin_of)
        binned = np.bincount(bin_of, truth(c) - c) / mass
        target = mass @ binned**2 / n
        found = calibration_error(np.ones(n), y_pred=right, confidence=c)
        inside += found.low**2 <= target <= found.high**2
        gaps.append(found.squared - target)
    assert inside / n_draws >= 0.93
    assert abs(np.mean(gaps)) < 3.5 * np.std(gaps) / n_draws**0.5


def test_weights_are_repeated_rows():
    c, right = rows(200)
    times = np.random.default_rng(1).integers(0, 4, 200)
    many, also = np.repeat(c, times), np.repeat(right, times)
    calls = {
        "error": lambda c, r, w: calibration_error(
            np.ones(len(c)), y_pred=r, confidence=c, sample_weight=w
        ),
        "area": lambda c, r, w: area(c, r, sample_weight=w, confidence_level=0.9),
        "generalized": lambda c, r, w: area(
            c, r, sample_weight=w, kind="generalized", confidence_level=0.9
        ),
        "excess": lambda c, r, w: area(
            c, r, sample_weight=w, excess=True, confidence_level=0.9
        ),
        "auc": lambda c, r, w: correctness_auc(
            np.ones(len(c)), r, c, sample_weight=w, confidence_level=0.9
        ),
    }
    for call in calls.values():
        one, other = call(c, right, times), call(many, also, None)
        assert_allclose(list(one.values()), list(other.values()), rtol=1e-12)


def test_classwise_errors_are_those_of_each_class():
    y, proba = predictions(400, 3)
    found = calibration_error(y, proba, kind="classwise")
    for k in range(3):
        one = calibration_error(
            np.ones(400),
            y_pred=y == k,
            confidence=proba[:, k],
            confidence_level=1 - 0.05 / 3,
        )
        assert_allclose([found.error[k], found.high[k]], [one.error, one.high])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibration_error([0, 1], [[0.5, 0.4]] * 2), "deviation is 0.1"),
        (lambda: calibration_error([0, 1], [0.5, 1.4]), "between 0 and 1"),
        (lambda: calibration_error([0, 1], y_pred=[0, 1]), "confidence=None"),
        (
            lambda: calibration_error([0, 1], y_pred=[0, 1], confidence=[0.2, 2]),
            "confidence must be a probability",
        ),
        (lambda: calibration_error([0, 1], [0.5, 0.5], kind="ece"), "kind must be"),
        (lambda: calibration_error([0, 1], [0.5, 0.5], n_bins=0), "n_bins"),
        (
            lambda: calibration_error([0, 1], [0.5, 0.5], n_bins="many"),
            "or an int",
        ),
        (lambda: calibration_error([0, 1], [[0.5, 0.3, 0.2]] * 2), "labels=model"),
        (lambda: calibration_error([0, 1], [0.5, 0.5], confidence_level=95), "level"),
        (lambda: calibration_test([0, 1], [0.5, 0.5], n_draws=0), "n_draws"),
        (lambda: calibration_test([0, 1], [0.5, 0.5], statistic="t"), "statistic"),
        (lambda: area_under_risk_coverage([1], [1], [0.5], kind="all"), "kind must"),
        (lambda: get_calibration_scorer("ece"), "neg_correctness_log_loss"),
        (lambda: calibration_error([0, 1], kind="classwise"), "needs y_proba"),
        (lambda: log_loss_split([0, 3], [0.5, 0.5], labels=[0, 1]), "has the class"),
    ],
)
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# the test of calibration


@pytest.mark.parametrize("statistic", ["binned", "spiegelhalter", "both"])
def test_the_test_has_its_size(statistic):
    pvalues = []
    for seed in range(200):
        c, right = rows(150, seed)
        found = calibration_test(
            np.ones(150),
            y_pred=right,
            confidence=c,
            n_draws=99,
            statistic=statistic,
            random_state=seed,
        )
        pvalues.append(found.pvalue)
    assert np.mean(np.array(pvalues) <= 0.05) <= 0.07 + 0.016
    if statistic != "both":  # uniform: Kolmogorov's distance
        ranks = np.arange(1, 201) / 200
        assert abs(np.sort(pvalues) - ranks).max() < 1.63 / 200**0.5


def test_the_test_finds_an_offset():
    c, right = rows(2000, truth=lambda c: c - 0.08)
    options = {"y_pred": right, "confidence": c, "random_state": 0}
    assert calibration_test(np.ones(2000), **options).pvalue < 0.01
    assert calibration_test(np.ones(2000), n_draws=9, **options).pvalue == 0.2


# risk and coverage


def slow_area(c, right):
    wrong = 1 - right[np.argsort(-c, kind="stable")]
    return np.mean([wrong[:k].mean() for k in range(1, len(c) + 1)])


def test_the_area_is_that_of_a_loop():
    c, right = rows(120)
    assert_allclose(area(c, right), slow_area(c, right), rtol=1e-12)


def test_ties_are_the_mean_of_all_orders():
    rng = np.random.default_rng(0)
    c, right = np.round(rng.random(40), 1), rng.random(40) < 0.7
    orders = [
        slow_area(c[order], right[order])
        for order in (rng.permutation(40) for _ in range(4000))
    ]
    spread = np.std(orders) / 4000**0.5
    assert abs(area(c, right) - np.mean(orders)) < 4 * spread


def test_the_generalized_area_is_that_of_its_identity():
    c, right = rows(200)
    c = np.round(c, 2)
    a, n = right.mean(), 200
    auc = correctness_auc(np.ones(n), right, c)
    assert_allclose(auc, roc_auc_score(right, c), rtol=1e-12)
    expected = (1 - auc) * a * (1 - a) + (1 - a) * (1 - a + 1 / n) / 2
    assert_allclose(area(c, right, kind="generalized"), expected, rtol=1e-12)


def test_the_excess_is_over_the_best_order():
    c, right = rows(500)
    best = area(right.astype(float), right)
    assert_allclose(area(c, right, excess=True), area(c, right) - best, rtol=1e-12)
    r = 1 - right.mean()
    assert_allclose(best, r + (1 - r) * np.log(1 - r), atol=2e-3)
    assert_allclose(area(np.full(500, 0.5), right), r, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"kind": "generalized"}, {"excess": True}])
def test_the_standard_error_is_that_of_the_bootstrap(options):
    c, right = rows(400, 1)
    found = area(c, right, confidence_level=0.9, **options)
    rng, values = np.random.default_rng(2), []
    for _ in range(800):
        drawn = rng.integers(0, 400, 400)
        values.append(area(c[drawn], right[drawn], **options))
    assert_allclose(found.standard_error, np.std(values), rtol=0.1)
    assert found.low < found.area < found.high


def test_the_interval_of_the_area_holds_it():
    draws = [rows(300, seed) for seed in range(300)]
    truth = np.mean([area(*rows(20_000, seed)) for seed in range(20)])
    found = [area(c, right, confidence_level=0.95) for c, right in draws]
    inside = np.mean([f.low <= truth <= f.high for f in found])
    assert inside >= 0.92


def test_delong_is_a_loop_over_pairs():
    c, right = rows(150)
    c = np.round(c, 2)
    pairs = (c[right][:, None] > c[~right]) + 0.5 * (c[right][:, None] == c[~right])
    variance = pairs.mean(axis=1).var(ddof=1) / right.sum()
    variance += pairs.mean(axis=0).var(ddof=1) / (~right).sum()
    found = correctness_auc(np.ones(150), right, c, confidence_level=0.95)
    assert_allclose([found.area, found.standard_error], [pairs.mean(), variance**0.5])


@pytest.mark.parametrize(("right", "word"), [(True, "every"), (False, "no")])
def test_without_both_kinds_of_rows_there_is_no_auc(right, word):
    with pytest.warns(UndefinedMetricWarning, match=word):
        assert np.isnan(correctness_auc([True] * 3, [right] * 3, [0.1, 0.2, 0.3]))


def test_clopper_pearson_inverts_the_binomial():
    from scipy.stats import binom

    for hits, n in ((0, 5), (3, 20), (7, 7)):
        low, high = clopper_pearson(hits, n, 0.9)
        if hits:
            assert_allclose(binom.sf(hits - 1, n, low), 0.05, rtol=1e-9)
        if hits < n:
            assert_allclose(binom.cdf(hits, n, high), 0.05, rtol=1e-9)
    assert clopper_pearson(0, 5)[0] == 0
    assert clopper_pearson(7, 7)[1] == 1


# scorers and inputs


@pytest.mark.parametrize(
    "name",
    ["correctness_auc", "neg_area_under_risk_coverage", "neg_correctness_log_loss"],
)
def test_scorers_guide_a_search(name):
    X, y = load_wine(return_X_y=True)
    grid = {"var_smoothing": [1e-9, 1e-2]}
    scorer = get_calibration_scorer(name)
    search = GridSearchCV(GaussianNB(), grid, scoring=scorer, cv=3).fit(X, y)
    assert search.best_params_ == {"var_smoothing": 1e-9}


def test_a_scorer_needs_a_confidence():
    X, y = load_wine(return_X_y=True)
    model = Perceptron().fit(X, y)
    with pytest.raises(TypeError, match="neither confidence nor predict_proba"):
        get_calibration_scorer("correctness_auc")(model, X, y)


def test_string_classes_and_one_column():
    rng = np.random.default_rng(0)
    p = expit(2 * rng.normal(size=300))
    y = np.where(rng.random(300) < p, "yes", "no")
    one = calibration_error(y, p)
    assert one == calibration_error(y, np.column_stack([1 - p, p]))
    y_pred = np.where(p > 0.5, "yes", "no")
    assert one == calibration_error(y, p, y_pred=y_pred)


def test_the_unit_of_weights_does_not_change_an_area():
    y_true, y_pred, confidence = [1, 0, 1, 1], [1, 1, 1, 0], [0.9, 0.7, 0.6, 0.2]
    weight = np.array([1.0, 2, 3, 4])
    area = correctness_auc(y_true, y_pred, confidence, sample_weight=weight)
    for unit in (1e-300, 1e300):
        found = correctness_auc(y_true, y_pred, confidence, sample_weight=unit * weight)
        assert_allclose(found, area)
