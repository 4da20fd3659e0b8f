"""The probability of being right: exactness, leaks, errors, and what it is worth."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_classification,
)
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_ext.calibration import (
    CorrectnessCalibratedClassifier,
    LogLossMixtureClassifier,
    SelectiveClassifierCV,
    _correctness,
    calibration_error,
    correctness_auc,
    log_loss_split,
)
from sklearn_ext.calibration._confidence import CorrectnessModel
from sklearn_ext.calibration._folds import Equals, some_of, whole_folds
from sklearn_ext.calibration._metrics import correctness_log_loss
from tests._marks import TEMPERATURE


def data(n=900, n_classes=3, seed=0, **options):
    options = {"n_informative": 5, "flip_y": 0.1, **options}
    return make_classification(n, 8, n_classes=n_classes, random_state=seed, **options)


@pytest.fixture(scope="module", params=[2, 3])
def both(request):
    X, y = data(n_classes=request.param)
    model = CorrectnessCalibratedClassifier(GaussianNB()).fit(X[:600], y[:600])
    return model, X, y


def test_the_model_is_ridge_logistic_regression():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 5)) * [1, 10, 0.1, 1, 1] + 3
    hit = rng.random(400) < 0.7
    weight = rng.random(400) + 0.5
    weight *= 400 / weight.sum()
    model = CorrectnessModel.of(features, hit, weight, 0.1)
    scaled = (features - model.mean) / model.scale
    peer = LogisticRegression(C=0.1, tol=1e-10, solver="newton-cholesky")
    peer.fit(scaled, hit, weight)
    assert_allclose(model.coef, peer.coef_[0], atol=1e-8)
    assert_allclose(model(features), peer.predict_proba(scaled)[:, 1], atol=1e-8)


def test_predictions_are_those_of_the_classifier(both):
    model, X, y = both
    base = GaussianNB().fit(X[:600], y[:600])
    assert_array_equal(model.predict(X), base.predict(X))
    proba = model.predict_proba(X)
    assert_array_equal(model.classes_[proba.argmax(axis=1)], base.predict(X))
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert proba.min() >= 0


def test_the_confidence_is_the_largest_probability_unless_it_must_be_raised(both):
    model, X, _ = both
    c, proba = model.confidence(X), model.predict_proba(X)
    ordered = np.sort(proba, axis=1)
    raised = ordered[:, -1] < ordered[:, -2] * (1 + 1e-6)
    assert_allclose(ordered[~raised, -1], c[~raised], rtol=1e-12)
    assert (c[raised] <= ordered[raised, -1]).all()
    assert not raised.all()


def test_the_parts_of_an_explanation_add_up(both):
    model, X, _ = both
    c, parts = model.confidence(X), model.explain(X)
    added = parts.sum(axis=1) + model.correctness_intercept_
    assert_allclose(added, np.log(c / (1 - c)))
    opinions = ["neighbors", "familiarity"]
    assert list(model.get_explanation_names_out()) == ["score", "class", *opinions]
    assert list(model.get_opinion_names_out()) == opinions
    assert model.opinion_features(X).shape == (len(X), 2)


def test_other_classes_keep_their_order():
    X, y = data()
    model = CorrectnessCalibratedClassifier(GaussianNB()).fit(X, y)
    own, proba = model.estimator_.predict_proba(X), model.predict_proba(X)
    rows, best = np.arange(len(X)), own.argmax(axis=1)
    own[rows, best] = proba[rows, best] = -1
    seen = np.sort(own, axis=1)[:, 1] > 1e-5  # below, log-probabilities are cut
    assert_array_equal(own.argmax(axis=1)[seen], proba.argmax(axis=1)[seen])
    assert model.rest_temperature_ > 1  # naive Bayes is too sure here, too


@pytest.mark.parametrize("opinions", ["neighbors", "corruption", GaussianNB()])
def test_copies_are_weights(opinions):
    X, y = data(300)
    times = np.random.default_rng(0).integers(0, 4, 300)
    base = LogisticRegression(tol=1e-10, max_iter=1000)
    one = CorrectnessCalibratedClassifier(base, opinions=opinions, random_state=0)
    other = clone(one).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    one.fit(X, y, sample_weight=times)
    assert_allclose(
        one.correctness_coef_, other.correctness_coef_, rtol=1e-6, atol=1e-7
    )
    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-5)


def test_no_row_of_a_group_testifies_for_another():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), 8)
    X = rng.normal(size=(150, 5))[groups] + 0.01 * rng.normal(size=(1200, 5))
    y = rng.integers(0, 2, 150)[groups]  # noise, but the same within a group
    base = LogisticRegression()
    held = {}
    for cv in (GroupKFold(5), None):
        model = CorrectnessCalibratedClassifier(base, cv=cv)
        seen = {"groups": groups} if cv is not None else {}
        held[cv is None] = _held_auc(model, X, y, seen)
    assert held[False] < 0.6
    assert held[True] > 0.9  # copies of a group in other folds: the leak is real


def _held_auc(model, X, y, params):
    data = model._checked(X, y, None, params.get("groups"), {})
    held = model._held_out(data)
    hit = held.code == data.code[held.rows]
    confidence = expit(held.features[:, -2])  # of the vote
    return correctness_auc(hit, np.ones(len(hit), bool), confidence)


def test_groups_are_kept_together_without_a_splitter():
    X, y = data(200)
    groups = np.arange(200) // 4
    model = CorrectnessCalibratedClassifier(GaussianNB())
    splits = model._checked(X, y, None, groups, {}).splits
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])


def test_equal_rows_share_a_fold():
    X, y = data(120)
    X, y = np.tile(X, (3, 1)), np.tile(y, 3)
    for _, test in (
        CorrectnessCalibratedClassifier()._checked(X, y, None, None, {}).splits
    ):
        assert len(np.unique(X[test], axis=0)) * 3 == len(test)


def cells(n, n_columns=3, n_values=4, seed=0):
    """Rows of few values whose equals are drawn again and again."""
    rng = np.random.default_rng(seed)
    chance = np.random.default_rng(9).beta(1, 1, (n_values,) * n_columns)
    X = rng.integers(0, n_values, (n, n_columns))
    return X.astype(float), rng.random(n) < chance[*X.T]


@pytest.mark.parametrize("base", [LogisticRegression(), DecisionTreeClassifier()])
def test_draws_that_coincide_are_no_copies(base):
    X, y = cells(1500)
    B, u = cells(5000, seed=1)
    model = CorrectnessCalibratedClassifier(base).fit(X, y)
    right = model.predict(B) == u
    assert abs(model.confidence(B).mean() - right.mean()) < 0.03
    assert correctness_auc(u, model.predict(B), model.confidence(B)) > 0.7
    assert Equals.of(X, y.astype(int)).size == 1500


def test_draws_are_told_by_their_classes_or_by_chance():
    X, y = cells(1500)
    code = y.astype(int)
    assert Equals.of(X, code).are_draws  # equal rows disagree
    rule = (X.sum(axis=1) > 4).astype(int)
    assert Equals.of(X, rule).are_draws  # they must coincide
    digits, label = load_digits(return_X_y=True)
    assert not Equals.of(np.tile(digits, (3, 1)), np.tile(label, 3)).are_draws
    Z = np.random.default_rng(0).normal(size=(100, 1))
    copies = Equals.of(np.repeat(Z, 3, axis=0), np.repeat(code[:100], 3))
    assert not copies.are_draws
    assert copies.size == 100
    order = np.random.default_rng(0).permutation(1500)
    weight = np.random.default_rng(1).random(1500)
    fold = Equals.of(X, code, weight).folds()[2][1]
    again = Equals.of(X[order], code[order], weight[order]).folds()[2][1]
    assert_array_equal(np.sort(order[again]), fold)
    assert Equals.of(sparse.csr_array(X), rule).are_draws is False


def test_equals_of_another_class_share_a_fold_where_rows_are_copies():
    X, y = data(900, n_classes=2)
    X, y = np.vstack([X, X[:4]]), np.r_[y, 1 - y[:4]]
    assert not Equals.of(X, y).are_draws
    for train, _ in whole_folds(X, y):
        assert all((k in train) == (900 + k in train) for k in range(4))


def test_a_disputed_pair_counts_once_however_often_it_is_repeated():
    X, y = load_digits(return_X_y=True)
    X, code = np.concatenate([X, X[:1]]), np.append(y, (y[0] + 1) % 10)
    often = np.repeat(np.arange(len(code)), np.where(np.arange(len(code)) < 1, 50, 1))
    often = np.append(often, [len(code) - 1] * 49)
    assert not Equals.of(X, code).are_draws
    assert not Equals.of(X[often], code[often]).are_draws


def test_some_rows_are_kept_with_their_copies():
    group = np.array([3, 0, 1, 3, 2, 0, 4])
    assert_array_equal(some_of(np.arange(7), group, 2), [1, 2, 5])
    assert_array_equal(some_of(np.array([6, 0, 3]), group, 1), [0, 3])
    assert_array_equal(some_of(np.array([6, 0, 3]), group, 2), [6, 0, 3])


def test_of_many_rows_some_are_asked_and_vote(monkeypatch):
    X, y = data(4000)
    X, y, B, u = X[:2000], y[:2000], X[2000:], y[2000:]
    whole = CorrectnessCalibratedClassifier(GaussianNB()).fit(X, y)
    monkeypatch.setattr(_correctness, "MOST_ASKED", 500)
    monkeypatch.setattr(_correctness, "MOST_VOTERS", 600)
    model = CorrectnessCalibratedClassifier(GaussianNB()).fit(X, y)
    assert model.n_errors_ < 0.4 * whole.n_errors_
    assert len(model.opinions_[0].code) == 600
    hit = whole.predict(B) == u
    alone = CorrectnessCalibratedClassifier(GaussianNB(), opinions=None).fit(X, y)
    losses = [
        correctness_log_loss(hit, m.confidence(B), np.ones(2000))
        for m in (whole, model, alone)
    ]
    assert losses == sorted(losses)
    order = np.random.default_rng(0).permutation(2000)
    again = clone(model).fit(X[order], y[order])
    assert_allclose(
        again.correctness_coef_, model.correctness_coef_, rtol=1e-6, atol=1e-8
    )


# rows that the opinion does not know


def unknown(n=2000, seed=0):
    """Rows in a plane, wrong at random where they are sparse."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(3, size=(n, 2))
    y = X[:, 0] > 0
    away = abs(X[:, 1]) > 3
    y[away] = rng.random(away.sum()) < 0.5
    return X, y


def test_unknown_rows_have_less_confidence_and_it_is_calibrated():
    X, y = unknown()
    B, u = unknown(6000, 1)
    model = CorrectnessCalibratedClassifier().fit(X, y)
    rare = model.familiarity(B) < 0.05
    assert 0.03 < rare.mean() < 0.07
    parts = model.explain(B)[:, 3]
    assert model.correctness_coef_[-1] > 0
    assert parts[rare].max() < parts[~rare].min()
    right, c = model.predict(B) == u, model.confidence(B)
    odds = np.log(c / (1 - c)) - parts  # what votes alone would say
    gaps = [abs((p - right)[rare].mean()) for p in (c, expit(odds))]
    assert gaps[0] < 0.5 * gaps[1]
    far = model.confidence(np.array([[50.0, 50.0], [5e5, 5e5]]))
    assert far[1] < 0.9


def test_familiarity_never_lowers_the_confidence_of_familiar_rows():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 3))
    hit = rng.random(400) < expit(features @ [1, 0, -1])
    w = np.ones(400)
    free = CorrectnessModel.of(features, hit, w, 0.1)
    bound = CorrectnessModel.of(features, hit, w, 0.1, rising=2)
    assert free.coef[2] < 0 == bound.coef[2]
    without = CorrectnessModel.of(features[:, :2], hit, w, 0.1)
    assert_allclose(bound(features), without(features[:, :2]))
    same = CorrectnessModel.of(features, hit, w, 0.1, rising=0)
    assert_allclose(same.coef, free.coef)


def test_a_batch_from_elsewhere_is_told():
    X, y = data(1500, n_classes=2)
    model = CorrectnessCalibratedClassifier(GaussianNB()).fit(X[:700], y[:700])
    home = model.drift(X[700:])
    assert home.n_rows == 800
    assert home.low < home.expected < home.high
    assert not home.is_drift
    with pytest.warns(UserWarning, match=r"% of the 800 rows are further from the"):
        away = model.drift(X[700:] + 3 * X.std(axis=0))
    assert away.is_drift
    assert away.unknown > 0.5
    assert_allclose(away.confidence, model.confidence(X[700:] + 3 * X.std(0)).mean())
    assert not model.drift(X[700:701] + 9).is_drift  # one row is no batch
    with pytest.raises(ValueError, match="confidence_level"):
        model.drift(X, confidence_level=95)


def test_labels_without_signal_give_their_share():
    X, y = data(1500, n_classes=2)
    y = np.random.default_rng(0).permutation(y)
    model = CorrectnessCalibratedClassifier(GaussianNB()).fit(X[:700], y[:700])
    c, said = model.confidence(X[700:]), model.predict(X[700:])
    assert abs(correctness_auc(y[700:], said, c) - 0.5) < 0.06
    assert abs(c.mean() - (said == y[700:]).mean()) < 0.06


# what it is worth


def tables():
    digits = load_digits(return_X_y=True)
    cancer = load_breast_cancer(return_X_y=True)
    yield "digits", *digits
    yield "cancer, four columns", cancer[0][:, :4], cancer[1]
    for seed in (0, 1, 2):
        X, y = data(2000, n_classes=2 + seed, seed=seed, n_informative=6)
        yield f"drawn {seed}", X, y


@TEMPERATURE
def test_neighbours_beat_temperature_on_most_tables():
    better = 0
    for _, X, y in tables():
        A, B, t, u = train_test_split(X, y, test_size=0.4, random_state=0)
        base = GaussianNB()
        peer = CalibratedClassifierCV(
            base, method="temperature", ensemble=False, cv=5
        ).fit(A, t)
        model = CorrectnessCalibratedClassifier(base).fit(A, t)
        assert_array_equal(model.predict(B), peer.predict(B))
        theirs = log_loss_split(u, peer.predict_proba(B)).correctness
        ours = log_loss_split(u, model.predict_proba(B)).correctness
        better += ours < theirs
        losses = model.oof_log_loss_
        assert losses.calibrated < losses.base
    assert better >= 4


def test_it_is_calibrated_where_the_classifier_is_not():
    X, y = data(4000, n_classes=2)
    X = np.tile(X, 3)  # naive Bayes counts what it knows three times
    A, B, t, u = train_test_split(X, y, test_size=0.5, random_state=0)
    base = GaussianNB()
    model = CorrectnessCalibratedClassifier(base).fit(A, t)
    said = {"y_pred": model.predict(B)}
    before = calibration_error(u, base.fit(A, t).predict_proba(B), **said)
    after = calibration_error(u, confidence=model.confidence(B), **said)
    assert before.low > after.high


# inputs of every kind


def test_boosting_on_a_frame_in_a_pipeline():
    rng = np.random.default_rng(0)
    X, y = data(400, n_classes=2)
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(8)])
    frame["place"] = rng.choice(["north", "south"], 400)
    encoder = make_column_transformer(
        (OneHotEncoder(), ["place"]), remainder="passthrough"
    )
    boosting = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    outside = make_pipeline(encoder, CorrectnessCalibratedClassifier(boosting))
    inside = CorrectnessCalibratedClassifier(make_pipeline(encoder, boosting))
    outside.fit(frame, y)
    inside.fit(frame, y)
    assert_array_equal(inside.feature_names_in_, frame.columns)
    assert_allclose(inside.predict_proba(frame).sum(axis=1), 1)
    assert_array_equal(inside.predict(frame), outside.predict(frame))


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_texts_reach_a_pipeline(kind):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    words = np.array(["ham", "egg", "spam", "eel", "oat", "fig"])
    texts = kind([" ".join(words[rng.integers(k, 5 + k, 6)]) for k in y])
    pipe = make_pipeline(CountVectorizer(), LogisticRegression())
    model = CorrectnessCalibratedClassifier(pipe).fit(texts, y)
    assert model.confidence(texts).shape == (200,)
    assert not hasattr(model, "n_features_in_")
    picky = SelectiveClassifierCV(pipe, target_error=0.4).fit(texts, y)
    assert picky.accept(texts).any()
    mixed = LogLossMixtureClassifier([("words", pipe)]).fit(texts, y)
    assert_array_equal(mixed.predict(texts), model.predict(texts))


def test_a_classifier_as_the_opinion():
    X, y = data()
    forest = RandomForestClassifier(20, random_state=0)
    opinions = ["neighbors", forest, make_pipeline(StandardScaler(), GaussianNB())]
    model = CorrectnessCalibratedClassifier(
        RidgeClassifier(), opinions=opinions, random_state=0
    ).fit(X, y)
    names = ["neighbors", "familiarity", "randomforestclassifier", "gaussiannb"]
    assert list(model.get_opinion_names_out()) == names
    assert model.oof_log_loss_.calibrated < model.oof_log_loss_.own


@pytest.mark.parametrize("opinions", [None, (), []])
def test_without_opinions_the_own_score_is_calibrated(opinions):
    X, y = data()
    model = CorrectnessCalibratedClassifier(GaussianNB(), opinions=opinions).fit(X, y)
    assert model.opinion_features(X).shape == (len(X), 0)
    assert not hasattr(model, "drift")
    assert model.familiarity_ is None
    assert model.oof_log_loss_.calibrated == model.oof_log_loss_.own


def test_corrupted_copies_repeat_and_do_not_depend_on_other_rows():
    X, y = data()
    model = CorrectnessCalibratedClassifier(
        GaussianNB(), opinions="corruption", random_state=0
    )
    one, two = clone(model).fit(X, y), clone(model).set_params(n_jobs=2).fit(X, y)
    assert_array_equal(one.confidence(X), two.confidence(X))
    assert_allclose(one.confidence(X[3:5]), one.confidence(X)[3:5], rtol=1e-9)
    assert len(one.get_opinion_names_out()) == 3
    with pytest.raises(TypeError, match="sparse"):
        clone(model).set_params(estimator=LogisticRegression()).fit(
            sparse.csr_array(X), y
        )


def test_a_frozen_classifier_is_not_refitted():
    X, y = data(600)
    base = GaussianNB().fit(X[:300], y[:300])
    before = base.theta_.copy()
    model = CorrectnessCalibratedClassifier(FrozenEstimator(base)).fit(X[300:], y[300:])
    assert_array_equal(base.theta_, before)
    assert_array_equal(model.predict(X), base.predict(X))
    with pytest.raises(ValueError, match="frozen estimator knows"):
        CorrectnessCalibratedClassifier(FrozenEstimator(base)).fit(X, y + 5)


def test_a_class_may_be_missing_from_a_fold():
    X, y = data(300)
    y = y.astype(object)
    y[:] = [f"class {label}" for label in y]
    y[0] = "rare"
    model = CorrectnessCalibratedClassifier(GaussianNB()).fit(X, y)
    assert model.predict_proba(X).shape == (300, 4)


def test_weights_reach_only_who_takes_them():
    X, y = data(300)
    w = np.random.default_rng(0).random(300)
    model = CorrectnessCalibratedClassifier(KNeighborsClassifier())
    with pytest.warns(
        UserWarning, match="KNeighborsClassifier takes no sample_weight"
    ) as told:
        model.fit(X, y, sample_weight=w)
    assert {warning.filename for warning in told} == {__file__}  # the caller's line
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    model = CorrectnessCalibratedClassifier(pipe).fit(X, y, sample_weight=w)
    alone = clone(pipe).fit(
        X, y, logisticregression__sample_weight=w, standardscaler__sample_weight=w
    )
    assert_allclose(model.estimator_[-1].coef_, alone[-1].coef_)


def test_metadata_are_routed():
    X, y = data(300)
    w, groups = np.random.default_rng(0).random(300), np.arange(300) // 3
    with config_context(enable_metadata_routing=True):
        base = LogisticRegression().set_fit_request(sample_weight=True)
        forest = RandomForestClassifier(5, random_state=0)
        forest.set_fit_request(sample_weight=False)
        model = CorrectnessCalibratedClassifier(
            base, opinions=[forest, "neighbors"], cv=GroupKFold(4)
        )
        model.fit(X, y, sample_weight=w, groups=groups)
        alone = LogisticRegression().fit(X, y, w)
        assert_allclose(model.estimator_.coef_, alone.coef_)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        clone(model).fit(X, y, colour=w)


def test_a_search_tunes_it():
    X, y = data(300)
    grid = {"estimator__var_smoothing": [1e-9, 1e-2], "opinions": ["neighbors", None]}
    search = GridSearchCV(
        CorrectnessCalibratedClassifier(GaussianNB()),
        grid,
        cv=3,
        scoring="neg_log_loss",
    ).fit(X, y)
    assert search.best_params_["opinions"] == "neighbors"


# errors and warnings


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"opinions": "views"},
            ValueError,
            "'neighbors', 'corruption' or a classifier",
        ),
        ({"opinions": [LinearRegression()]}, ValueError, "or a list of these"),
        ({"opinions": ["neighbors"] * 2}, ValueError, "same one twice"),
        ({"estimator": LinearRegression()}, TypeError, "neither predict_proba nor"),
        ({"C": 0}, ValueError, "'C'"),
    ],
)
def test_wrong_parameters(params, error, message):
    X, y = data(100)
    with pytest.raises(error, match=message):
        CorrectnessCalibratedClassifier(**params).fit(X, y)


def test_a_classifier_must_rank():
    class Mute(GaussianNB):
        predict_proba = property()

    X, y = data(100)
    with pytest.raises(TypeError, match="neither predict_proba nor decision_function"):
        CorrectnessCalibratedClassifier(Mute()).fit(X, y)


def test_missing_values_are_told_what_to_do():
    X, y = data(100)
    X[0, 0] = np.nan
    boosting = HistGradientBoostingClassifier(max_iter=3)
    with pytest.raises(ValueError, match="pass a pipeline with an imputer"):
        CorrectnessCalibratedClassifier(boosting).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        CorrectnessCalibratedClassifier(boosting, opinions=boosting).fit(X, y)


def test_one_class_and_a_class_of_one_row():
    X, _ = data(60)
    with pytest.raises(ValueError, match="at least two classes, got the one class 1"):
        CorrectnessCalibratedClassifier().fit(X, np.ones(60))
    with pytest.raises(ValueError, match=r"at least two distinct rows; .* \[59, 1\]"):
        CorrectnessCalibratedClassifier().fit(X, np.arange(60) == 3)


def test_a_classifier_that_is_never_wrong():
    rng = np.random.default_rng(0)
    y = np.arange(100) % 2
    X = rng.normal(size=(100, 3)) + 50 * y[:, None]
    with pytest.warns(UserWarning, match="never wrong out of fold"):
        model = CorrectnessCalibratedClassifier().fit(X, y)
    assert_allclose(model.confidence(X), 100.5 / 101)


def test_a_classifier_that_is_never_right():
    class Wrong(LogisticRegression):
        def predict(self, X):
            return self.classes_[1 - super().predict_proba(X).argmax(axis=1)]

    y = np.arange(100) % 2
    X = np.random.default_rng(0).normal(size=(100, 3)) + 50 * y[:, None]
    with pytest.warns(UserWarning, match="never right out of fold"):
        model = CorrectnessCalibratedClassifier(Wrong()).fit(X, y)
    assert_allclose(model.confidence(X), 0.5 / 101)


def test_a_frozen_classifier_that_knows_the_rows():
    X, y = data(100)
    known = FrozenEstimator(DecisionTreeClassifier().fit(X, y))
    with pytest.warns(UserWarning, match="frozen estimator must not have seen"):
        CorrectnessCalibratedClassifier(known).fit(X, y)


def test_probabilities_must_be_numbers():
    class Broken(GaussianNB):
        def predict_proba(self, X):
            return np.full((len(X), 3), np.nan)

    X, y = data(100)
    with pytest.raises(ValueError, match="Broken gives 20 of 20 rows prob"):
        CorrectnessCalibratedClassifier(Broken()).fit(X, y)


def test_few_errors_are_told():
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(UserWarning, match=r"only 1\d errors out of fold"):
        CorrectnessCalibratedClassifier().fit(X, y)


def test_more_neighbours_than_rows():
    X, y = data(100)
    with pytest.warns(UserWarning, match="all of them vote"):
        CorrectnessCalibratedClassifier(GaussianNB(), n_neighbors=90).fit(X, y)


def test_methods_of_neighbours_follow_what_was_fitted():
    X, y = make_classification(200, flip_y=0.4, random_state=0)
    asked = CorrectnessCalibratedClassifier().fit(X, y).set_params(opinions=None)
    assert asked.drift(X).n_rows == len(asked.familiarity(X)) == 200
    alone = CorrectnessCalibratedClassifier(opinions=None).fit(X, y)
    alone.set_params(opinions="neighbors")
    assert not hasattr(alone, "drift")
    assert not hasattr(alone, "familiarity")


@pytest.mark.filterwarnings("ignore:FrozenEstimator takes no sample_weight")
def test_the_smallest_weights():
    X, y = make_classification(200, flip_y=0.3, random_state=0)
    w = np.arange(200) % 3
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    base = FrozenEstimator(tree.fit(X, y))
    said = [
        CorrectnessCalibratedClassifier(base).fit(X, y, scale * w).confidence(X)
        for scale in (1, 1e-310)
    ]
    assert_allclose(said[1], said[0], atol=1e-9)


def test_opinions_that_are_none():
    X, y = make_classification(60, random_state=0)
    for opinion in (3, None):
        with pytest.raises(ValueError, match="opinions must be 'neighbors'"):
            CorrectnessCalibratedClassifier(opinions=[opinion]).fit(X, y)
