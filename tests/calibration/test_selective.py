"""The promise on what is answered, counted over simulated and real runs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB

from sklearn_ext.calibration import (
    CorrectnessCalibratedClassifier,
    LogLossMixtureClassifier,
    RiskCoverageDisplay,
    SelectiveClassifierCV,
    selective_threshold,
)
from sklearn_ext.calibration._selective import least_rows, selection_curve


def data(n=1500, seed=0, **options):
    options = {"n_informative": 5, "flip_y": 0.1, **options}
    return make_classification(n, 8, n_classes=3, random_state=seed, **options)


def draw(n, rng):
    """Confidence, whether right, and the true error above a threshold."""
    c = rng.uniform(0.6, 1, n)
    return c, rng.random(n) < c


def true_error(t):
    return (1 - max(t, 0.6)) / 2


@pytest.mark.parametrize(
    ("target_error", "confidence_level", "rows"),
    [(0.05, 0.9, 45), (0.1, 0.9, 22), (0.01, 0.95, 299), (0.5, 0.5, 1)],
)
def test_the_fewest_rows_that_could_do(target_error, confidence_level, rows):
    assert least_rows(target_error, confidence_level) == rows
    chances = binom.cdf(0, [rows, rows - 1], target_error)
    assert chances[0] <= 1 - confidence_level + 1e-12
    assert rows == 1 or chances[1] > 1 - confidence_level


@pytest.mark.parametrize("target_error", [0.05, 0.1])
@pytest.mark.parametrize("n", [300, 1500])
def test_the_promise_is_kept(n, target_error):
    rng, broken, naive, n_draws = np.random.default_rng(0), 0, 0, 400
    for _ in range(n_draws):
        c, right = draw(n, rng)
        t = selective_threshold(c, right, target_error=target_error)
        broken += np.isfinite(t) and true_error(t) > target_error
        order = np.argsort(-c)
        risk = np.cumsum(~right[order]) / np.arange(1, n + 1)
        passed = np.flatnonzero(risk <= target_error)
        naive += len(passed) > 0 and true_error(c[order][passed[-1]]) > target_error
    assert broken / n_draws <= 0.1 + 3 * (0.1 * 0.9 / n_draws) ** 0.5
    assert naive / n_draws > 0.35  # what is usually done


def test_the_threshold_is_that_of_a_loop():
    rng = np.random.default_rng(1)
    for n in (60, 400):
        c, right = draw(n, rng)
        c = np.round(c, 2)
        expected = np.inf
        least = least_rows(0.2, 0.9)
        for share in np.linspace(max(0.25, least / n), 1, 40):
            t = np.sort(c)[::-1][int(np.ceil(share * n - 1e-9)) - 1]
            kept = c >= t
            if binom.cdf((~right[kept]).sum(), kept.sum(), 0.2) > 0.1:
                break
            expected = t
        assert selective_threshold(c, right, target_error=0.2) == expected


def test_more_is_accepted_for_less():
    c, right = draw(800, np.random.default_rng(2))
    by_error = [selective_threshold(c, right, target_error=a) for a in (0.1, 0.15, 0.2)]
    levels = (0.99, 0.9, 0.6)
    by_level = [
        selective_threshold(c, right, target_error=0.15, confidence_level=level)
        for level in levels
    ]
    assert by_error == sorted(by_error, reverse=True)
    assert by_level == sorted(by_level, reverse=True)


def test_equal_confidences_are_one_threshold():
    right = np.arange(200) % 20 > 0
    c = np.full(200, 0.5)
    assert selective_threshold(c, right, target_error=0.1) == 0.5
    assert selective_threshold(c, right, target_error=0.05) == np.inf


def test_too_few_rows_for_any_promise():
    message = (
        "With target_error=0.01 and confidence_level=0.95 at least 299 accepted rows "
        "without an error are needed; got 120."
    )
    with pytest.raises(ValueError, match=message):
        selective_threshold(
            np.linspace(0, 1, 120),
            np.ones(120),
            target_error=0.01,
            confidence_level=0.95,
        )


def test_bounds_are_those_of_the_binomial():
    c, right = draw(100, np.random.default_rng(3))
    curve = selection_curve(c, right, 0.9)
    some = curve.errors < curve.accepted
    chance = binom.cdf(curve.errors[some], curve.accepted[some], curve.bounds[some])
    assert_allclose(chance, 0.1, rtol=1e-8)


@pytest.fixture(scope="module")
def fitted():
    X, y = data()
    return SelectiveClassifierCV(GaussianNB(), target_error=0.2).fit(X, y), X, y


def test_it_answers_or_rejects(fitted):
    model, X, y = fitted
    assert 0 < model.coverage_ < 1
    assert model.error_ <= model.error_bound_ <= 0.2
    assert model.guarantee_ == "cross-validated"
    assert_array_equal(model.predict(X), GaussianNB().fit(X, y).predict(X))
    accepted = model.accept(X)
    assert_array_equal(accepted, model.confidence(X) >= model.threshold_)
    answer = model.predict_or_reject(X)
    assert answer.dtype == object
    assert_array_equal([a is None for a in answer], ~accepted)
    answer = model.predict_or_reject(X, reject_label=-1)
    assert answer.dtype.kind == "i"
    assert_array_equal(answer[accepted], model.predict(X)[accepted])
    assert (answer[~accepted] == -1).all()
    drawn = RiskCoverageDisplay.from_estimator(model, X, y)
    assert_allclose(drawn.chosen[0], accepted.mean())


def test_labels_of_rejection_are_not_cut():
    X, y = data(300)
    names = np.array(["a", "b", "c"])[y]
    model = SelectiveClassifierCV(GaussianNB(), target_error=0.3).fit(X, names)
    assert "to a person" in model.predict_or_reject(X, reject_label="to a person")


def test_another_promise_without_a_fit(fitted):
    model, X, y = fitted
    other = SelectiveClassifierCV(
        GaussianNB(), target_error=0.25, confidence_level=0.8
    ).fit(X, y)
    assert model.at(target_error=0.25, confidence_level=0.8) == other.threshold_
    assert model.at() == model.threshold_


def test_nothing_can_be_promised():
    X, y = data()
    y = np.random.default_rng(0).permutation(y)
    with pytest.warns(UserWarning, match="No error of 0.05 can be certified"):
        model = SelectiveClassifierCV(GaussianNB()).fit(X, y)
    assert model.threshold_ == np.inf
    assert not model.accept(X).any()
    assert model.guarantee_ == "none"


def test_a_share_instead_of_an_error():
    X, y = data()
    model = SelectiveClassifierCV(
        GaussianNB(), target_error=None, target_coverage=0.7
    ).fit(X, y)
    k = int(np.ceil(0.3 * 1501))
    thresholds = model.selection_.thresholds
    assert model.threshold_ == np.sort(thresholds)[k - 1]
    assert abs(model.coverage_ - 0.7) < 0.002
    assert model.guarantee_ == "none"
    with pytest.raises(ValueError, match="at needs a target_error"):
        model.at()


@pytest.mark.parametrize(
    "params",
    [
        {"target_error": None},
        {"target_error": 0.1, "target_coverage": 0.5},
    ],
)
def test_one_target(params):
    with pytest.raises(ValueError, match="one of target_error and target_coverage"):
        SelectiveClassifierCV(GaussianNB(), **params).fit(*data(100))


def test_a_frozen_classifier_makes_it_exact():
    X, y = data()
    base = GaussianNB().fit(X[:500], y[:500])
    model = SelectiveClassifierCV(FrozenEstimator(base), target_error=0.2)
    model.fit(X[500:], y[500:])
    assert model.guarantee_ == "exact"
    right = base.predict(X[500:]) == y[500:]
    c = base.predict_proba(X[500:]).max(axis=1)
    assert model.threshold_ == selective_threshold(c, right, target_error=0.2)


def test_a_calibrated_classifier_is_fitted_once():
    X, y = data()

    class Counted(GaussianNB):
        fits = []

        def fit(self, X, y, sample_weight=None):
            self.fits.append(len(y))
            return super().fit(X, y, sample_weight)

    inner = CorrectnessCalibratedClassifier(Counted())
    model = SelectiveClassifierCV(inner, target_error=0.2).fit(X, y)
    assert len(Counted.fits) == 6
    plain = SelectiveClassifierCV(GaussianNB(), target_error=0.2).fit(X, y)
    assert model.coverage_ > plain.coverage_  # the nearest rows find more errors
    assert_array_equal(model.confidence(X), model.estimator_.confidence(X))


@pytest.mark.parametrize(
    ("calibrated", "n_splits", "most"), [(False, 20, 5), (True, 10, 3)]
)
def test_the_promise_holds_on_digits(calibrated, n_splits, most):
    X, y = load_digits(return_X_y=True)
    broken = 0
    for seed in range(n_splits):
        order = np.random.default_rng(seed).permutation(len(X))
        train, test = order[:600], order[600:]
        base = GaussianNB(var_smoothing=1e-2)
        if calibrated:
            base = CorrectnessCalibratedClassifier(base)
        model = SelectiveClassifierCV(base, target_error=0.05).fit(X[train], y[train])
        accepted = model.accept(X[test])
        wrong = model.predict(X[test]) != y[test]
        broken += accepted.any() and wrong[accepted].mean() > 0.05
    assert broken <= most  # more has a chance of about one in 80


def test_only_equal_weights_and_routed_groups():
    X, y = data(300)
    model = SelectiveClassifierCV(GaussianNB(), target_error=0.3, cv=GroupKFold(4))
    model.fit(X, y, groups=np.arange(300) // 3)
    with pytest.raises(ValueError, match="no binomial promise"):
        model.fit(X, y, sample_weight=np.arange(300))
    with config_context(enable_metadata_routing=True):
        base = LogisticRegression().set_fit_request(sample_weight=True)
        routed = SelectiveClassifierCV(base, target_error=0.3, cv=GroupKFold(4))
        routed.fit(X, y, sample_weight=np.ones(300), groups=np.arange(300) // 3)
        assert routed.coverage_ > 0
    kept = SelectiveClassifierCV(GaussianNB(), target_error=0.3)
    assert kept.fit(X, y, groups=np.arange(300) // 3).coverage_ > 0


def test_weights_under_another_name_are_refused():
    X, y = make_classification(300, random_state=0)
    with config_context(enable_metadata_routing=True):
        base = LogisticRegression().set_fit_request(sample_weight="mass")
        model = SelectiveClassifierCV(base, target_error=0.3)
        with pytest.raises(ValueError, match="no binomial promise"):
            model.fit(X, y, mass=np.arange(300))
        model.fit(X, y, mass=np.ones(300))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target_error": 0}, "target_error must lie between 0 and 1, got 0"),
        ({"target_error": 1.5}, "target_error must lie"),
        ({"target_error": np.nan}, "target_error must lie"),
        ({"confidence_level": 1.0}, "confidence_level must lie"),
        ({"start_fraction": 2.0}, "start_fraction"),
        ({"n_thresholds": 0}, "n_thresholds"),
        ({"correct": [np.nan] + [1] * 99}, "correct must say"),
        ({"correct": [0.5] * 100}, "correct must say"),
    ],
)
def test_impossible_promises(change, message):
    given = {"confidence": np.full(100, 0.7), "correct": np.ones(100), **change}
    with pytest.raises(ValueError, match=message):
        selective_threshold(**given)


def test_impossible_promises_of_a_fitted_model(fitted):
    model = fitted[0] if isinstance(fitted, tuple) else fitted
    for target_error in (-0.1, 0.0, 2.0):
        with pytest.raises(ValueError, match="target_error must lie"):
            model.at(target_error=target_error)
    with pytest.raises(ValueError, match="confidence_level must lie"):
        model.at(confidence_level=1.5)


def test_clients_score_it():
    X, y = data(600)
    model = SelectiveClassifierCV(GaussianNB(), target_error=0.3)
    assert (cross_val_score(model, X, y, scoring="neg_log_loss", cv=2) < 0).all()
    mute = SelectiveClassifierCV(Perceptron(), target_error=0.3)
    assert not hasattr(mute, "predict_proba")
    with pytest.raises(TypeError, match="neither confidence nor predict_proba"):
        mute.fit(X, y)


@pytest.mark.parametrize("form", ["list", "mask", "list of truths"])
@pytest.mark.parametrize(
    "model",
    [
        SelectiveClassifierCV(GaussianNB(), target_error=0.5),
        CorrectnessCalibratedClassifier(GaussianNB()),
        LogLossMixtureClassifier([("bayes", GaussianNB())]),
    ],
    ids=["selective", "correctness", "mixture"],
)
def test_splits_may_be_lists_or_masks(model, form):
    X, y = data(200)

    def shaped(first, last):
        if form == "list":
            return list(range(first, last))
        mask = (np.arange(200) >= first) & (np.arange(200) < last)
        return mask if form == "mask" else mask.tolist()

    said = []
    for part in (np.arange, shaped):
        cv = [(part(0, 100), part(100, 200)), (part(50, 200), part(0, 50))]
        said.append(clone(model).set_params(cv=cv).fit(X, y).predict_proba(X))
    assert_array_equal(*said)
