"""Few labels, many rows: both estimators, end to end."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, make_moons
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale

from sklearn_ext.representations import (
    PretrainedClassifier,
    PretrainedRegressor,
    _pretrained,
)
from sklearn_ext.representations._views import named_views


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, np.where(np.arange(len(y)) < 80, y, -1), y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), np.where(np.arange(len(y)) < 60, y, np.nan), y


def classifier(**options):
    return PretrainedClassifier(random_state=0, **options)


def regressor(**options):
    return PretrainedRegressor(random_state=0, **options)


def test_side_by_side_is_the_mean_of_kernels(digits):
    X, y, _ = digits
    model = classifier(fallback=None).fit(X, y)
    V = model.transform(X[:50])
    kernels = []
    for name, view in model.views_:
        part = view.transform(X[:50] / model.scale_)
        kernels.append(part @ part.T)
        assert name in ("raw", "tilt", "random_features")
    assert_allclose(V @ V.T, np.mean(kernels, axis=0), atol=1e-12)


def test_the_head_is_ridge_on_the_labelled_rows(diabetes):
    X, y, _ = diabetes
    model = regressor().fit(X, y)
    known = ~np.isnan(y)
    ridge = Ridge(alpha=model.alpha_ * 1.0, solver="cholesky")
    ridge.fit(model.transform(X[known]), y[known])
    assert_allclose(model.view_coef_[0], ridge.coef_, rtol=1e-7, atol=1e-9)
    assert_allclose(model.predict(X), ridge.predict(model.transform(X)), rtol=1e-9)
    assert_array_equal(model.loo_indices_, np.flatnonzero(known))


def test_what_it_says_of_itself_is_leave_one_out(diabetes):
    X, y, _ = diabetes
    model = regressor(fallback=None).fit(X, y)
    V, t = model.transform(X[:60]), y[:60]
    raw = X[:60] - X.mean(axis=0)
    said, errors = {}, {}
    for name, table, alphas in (("views", V, [model.alpha_]), ("raw", raw, None)):
        if alphas is None:  # the grid of the raw columns, at unit size
            raw = raw / np.sqrt(X.var(axis=0).sum())
            A = raw - raw.mean(axis=0)
            alphas = np.logspace(-4, 2.5, 20) * (A**2).sum() / 60
            table = raw
        ridge = RidgeCV(alphas, store_cv_results=True).fit(table, t)
        errors[name] = ridge.cv_results_.mean(axis=0).min() / t.var()
        said[name] = ridge
    assert_allclose(model.loo_error_, errors["views"], rtol=1e-8)
    assert_allclose(model.loo_error_raw_, errors["raw"], rtol=1e-8)
    assert_allclose(model.gain_, errors["raw"] - errors["views"], rtol=1e-6)
    assert model.gain_interval_[0] < model.gain_ < model.gain_interval_[1]
    assert_allclose(
        ((t - model.loo_predictions_) ** 2).mean() / t.var(), model.loo_error_
    )


def test_importance_is_the_error_without_the_view(diabetes):
    X, y, _ = diabetes
    model = regressor(fallback=None).fit(X, y)
    for name in ("raw", "tilt"):
        others = [n for n in ("raw", "tilt", "random_features") if n != name]
        pair = regressor(views=others, fallback=None)
        # the same features: seeds are drawn for random features alone
        expected = pair.fit(X, y).loo_error_ - model.loo_error_
        assert_allclose(model.view_importance_[name], expected, rtol=1e-6, atol=1e-12)


def test_unlabelled_rows_help(digits):
    X, y, truth = digits
    known, new = y >= 0, slice(1000, None)
    with_all = classifier().fit(X[:1000], y[:1000]).score(X[new], truth[new])
    alone = classifier(views="raw").fit(X[known], y[known]).score(X[new], truth[new])
    assert with_all > alone + 0.02


def test_probabilities_are_tempered_by_rows_left_out(digits):
    X, y, truth = digits
    model = classifier().fit(X, y)
    P = model.predict_proba(X[80:])
    chosen = -np.log(P[np.arange(len(P)), truth[80:]]).mean()
    for factor in (0.5, 2.0):
        other = clone(model).fit(X, y)
        other.temperature_ *= factor
        Q = other.predict_proba(X[80:])
        assert chosen < -np.log(Q[np.arange(len(P)), truth[80:]]).mean()


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["one", "two", "three"], dtype=object),
        np.array([10, -5, 3]),
        np.array([1.0, 2.5, 4.0]) * 2,
    ],
    ids=["objects", "integers", "whole numbers"],
)
def test_labels_of_any_kind(labels):
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 150)
    X = rng.normal(size=(150, 4)) + code[:, None]
    missing = {"O": None, "i": -1, "f": np.nan}[labels.dtype.kind]
    y = labels[code].copy()
    y[30:] = missing
    model = classifier().fit(X, y)
    assert_array_equal(model.classes_, np.unique(labels))
    assert model.n_unlabeled_ == 120
    assert set(model.predict(X)) <= set(labels.tolist())


def test_minus_one_and_one_are_two_classes():
    X, y = make_moons(100, noise=0.1, random_state=0)
    model = classifier().fit(X, 2 * y - 1)
    assert_array_equal(model.classes_, [-1, 1])
    assert model.n_unlabeled_ == 0
    assert model.decision_function(X).shape == (100,)
    with pytest.raises(ValueError, match=r"one class: 1.*two other labels"):
        classifier(unlabeled=-1).fit(X, 2 * y - 1)


def test_a_mark_of_ones_own():
    X, y = make_moons(100, noise=0.1, random_state=0)
    text = np.where(np.arange(100) < 20, np.array(["up", "down"])[y], "unknown")
    model = classifier(unlabeled="unknown").fit(X, text)
    assert_array_equal(model.classes_, ["down", "up"])
    number = np.where(np.arange(100) < 20, y, -999.0)
    assert regressor(unlabeled=-999).fit(X, number).n_unlabeled_ == 80
    nullable = pd.Series(y, dtype="Int64").mask(np.arange(100) >= 20)
    assert classifier().fit(X, nullable).n_unlabeled_ == 80


@pytest.mark.parametrize("views", ["auto", ("raw", "tilt", "triangle")])
def test_weights_are_repetition(digits, views):
    X, y, _ = digits
    X, y = X[:300], y[:300]
    times = np.random.default_rng(0).integers(0, 3, 300)
    weighted = classifier(views=views).fit(X, y, sample_weight=times)
    repeated = classifier(views=views).fit(
        np.repeat(X, times, axis=0), np.repeat(y, times)
    )
    assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-7
    )
    for name in (
        "alpha_",
        "loo_error_",
        "loo_error_raw_",
        "gain_",
        "gain_interval_",
        "temperature_",
    ):
        assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-7)


@pytest.mark.parametrize("factor", [3.0, 1e-300, 1e300])
def test_the_scale_of_weights_does_not_matter(diabetes, factor):
    X, y, _ = diabetes
    w = np.random.default_rng(0).uniform(0.5, 1, len(y))
    one = regressor().fit(X, y, sample_weight=w)
    other = regressor().fit(X, y, sample_weight=w * factor)
    assert_allclose(other.predict(X), one.predict(X), rtol=1e-8)
    assert_allclose(other.alpha_ / factor, one.alpha_, rtol=1e-8)


def test_one_output_is_one_column_of_many(diabetes):
    X, y, _ = diabetes
    two = np.column_stack([y, 1e6 * y])
    one = regressor(fallback=None)
    model, single = clone(one).fit(X, two), clone(one).fit(X, y)
    assert_allclose(model.predict(X), np.outer(single.predict(X), [1, 1e6]), rtol=1e-6)
    assert_allclose(model.loo_error_, single.loo_error_, rtol=1e-8)
    assert model.loo_predictions_.shape == (60, 2)
    assert model.view_coef_.shape == (2, 10 + 10 + 300)


def blocks_of(X, y):
    return [
        (X[:30], y[:30]),
        (X[30:100],),
        (X[100:300], y[100:300]),
        (X[300:], y[300:]),
    ]


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_blocks_are_one_table(kind, digits, diabetes):
    X, y, _ = digits if kind == "classifier" else diabetes
    model = {"classifier": classifier, "regressor": regressor}[kind]()
    y = y.copy()
    y[30:100] = -1 if kind == "classifier" else np.nan
    whole = clone(model).fit(X, y)
    parts = clone(model)
    for block in reversed(blocks_of(X, y)):
        parts.partial_fit(*block)
    others = clone(model).fit_blocks(blocks_of(X, y), n_jobs=2)
    half = clone(model).partial_fit(X[:200], y[:200])
    half.merge(clone(model).partial_fit(X[200:], y[200:]))
    for other in (parts, others, half):
        assert_allclose(
            other._scores(X), whole._scores(X), atol=1e-7 * np.nanmax(abs(y))
        )
        assert other.n_unlabeled_ == whole.n_unlabeled_
        assert_allclose(other.gain_, whole.gain_, atol=1e-8)


def test_labels_may_come_last(digits):
    X, _, truth = digits
    model = classifier(standardize=False).partial_fit(X)
    with pytest.raises(Exception, match="not fitted"):
        model.predict(X)
    with pytest.raises(Exception, match="not fitted"):
        model.transform(X)
    model.partial_fit(X[:5], np.zeros(5, dtype=int))  # one class is none so far
    assert not hasattr(model, "view_coef_")
    model.partial_fit(X[:80], truth[:80])
    assert model.score(X[80:], truth[80:]) > 0.75
    with pytest.raises(ValueError, match="at least 2 labelled rows, got 0"):
        classifier().fit_blocks([(X,)])


def test_classes_of_a_stream(digits):
    X, _, truth = digits
    two = np.where(truth % 2 == 0, 1, -1)
    model = classifier().partial_fit(X[:50], two[:50], classes=[-1, 1])
    assert_array_equal(model.classes_, [-1, 1])
    with pytest.raises(
        ValueError, match=r"classes must stay .*\[-1, 1\], got \[0, 1\]"
    ):
        model.partial_fit(X[50:90], two[50:90], classes=[0, 1])
    with pytest.raises(ValueError, match="not among the classes"):
        model.partial_fit(X[:2], [3, 1])
    assert model.score(X, two) > 0.8  # as it was


def test_views_that_must_see_rows_are_no_sums(digits):
    X, y, _ = digits
    for call in ("partial_fit", "fit_blocks"):
        model = classifier(views=("raw", PCA(3)))
        arguments = (X, y) if call == "partial_fit" else ([(X, y)],)
        with pytest.raises(ValueError, match="'pca' must see all rows: use fit"):
            getattr(model, call)(*arguments)


def planted(kind, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 50)) * np.linspace(3, 0.3, 50)
    if kind == "last component":
        return X, 10 * X[:, -1] + 0.1 * rng.normal(size=2000)
    X = rng.normal(size=(2000, 3))
    return X, np.sin(2 * X[:, 0]) * X[:, 1] + 0.1 * rng.normal(size=2000)


def test_the_fallback_catches_views_that_harm():
    X, truth = planted("last component")
    y = np.where(np.arange(2000) < 200, truth, np.nan)
    model, views = (
        regressor(fallback="raw").fit(X, y),
        regressor(fallback=None).fit(X, y),
    )
    assert model.raw_share_ == 1
    assert model.gain_interval_[1] < 0
    assert [name for name, _ in model.views_] == ["raw"]
    assert_allclose(model.loo_error_, model.loo_error_raw_)
    assert model.score(X[200:], truth[200:]) > views.score(X[200:], truth[200:])
    assert views.raw_share_ == 0
    mixture = regressor().fit(X, y)
    assert mixture.raw_share_ > 0.9
    assert (
        mixture.score(X[200:], truth[200:]) > model.score(X[200:], truth[200:]) - 0.01
    )


def test_the_fallback_leaves_views_that_help():
    X, truth = planted("curve")
    y = np.where(np.arange(2000) < 200, truth, np.nan)
    for fallback in ("raw", "mixture"):
        model = regressor(fallback=fallback).fit(X, y)
        assert model.raw_share_ < 0.1
    assert model.gain_interval_[0] > 0
    assert model.view_importance_["random_features"] > 0.3


@pytest.mark.parametrize("views", ["auto", ("tilt", "random_features")])
def test_a_mixture_is_that_of_both_predictions(views):
    X, truth = planted("last component")
    truth = truth + 4 * np.sin(X[:, 0])
    y = np.where(np.arange(2000) < 150, truth, np.nan)
    model = regressor(standardize=False, views=views).fit(X, y)
    head = regressor(standardize=False, views=views, fallback=None).fit(X, y)
    raw = regressor(standardize=False, views="raw").fit(X, y)
    share = model.raw_share_
    assert 0.1 < share < 0.9
    both = (1 - share) * head.predict(X) + share * raw.predict(X)
    assert_allclose(model.predict(X), both, rtol=1e-8, atol=1e-8)
    left = (1 - share) * head.loo_predictions_ + share * raw.loo_predictions_
    assert_allclose(model.loo_predictions_, left, rtol=1e-8, atol=1e-8)
    t = y[:150]
    assert_allclose(((t - left) ** 2).mean() / t.var(), model.loo_error_, rtol=1e-8)
    for other in (share - 0.05, share + 0.05):
        worse = (1 - other) * head.loo_predictions_ + other * raw.loo_predictions_
        assert ((t - worse) ** 2).mean() / t.var() > model.loo_error_


def test_selection_takes_the_subset_of_the_least_error():
    X, truth = planted("last component")
    y = np.where(np.arange(2000) < 250, truth, np.nan)
    model = regressor(selection="loo", fallback=None).fit(X, y)
    errors = {}
    for some in (
        ["raw"],
        ["tilt"],
        ["raw", "tilt"],
        ["raw", "tilt", "random_features"],
    ):
        errors[*some] = regressor(views=some, fallback=None).fit(X, y).loo_error_
    chosen = min(errors, key=errors.get)
    assert tuple(name for name, _ in model.views_) == chosen
    assert_allclose(model.loo_error_, errors[chosen])
    assert len(chosen) < 3
    with pytest.raises(
        ValueError, match="at least 200 distinct labelled rows, got 100"
    ):
        regressor(selection="loo").fit(X[150:], y[150:])
    with pytest.raises(ValueError, match="at most 8 views, got 9"):
        regressor(selection="loo", views=[PCA(2)] * 9).fit(X, y)


def test_all_views_and_any_transformer(digits):
    X, y, truth = digits
    model = classifier(views=[*["raw", "triangle", "graph"], ("own", PCA(5))]).fit(X, y)
    assert list(model.view_importance_) == ["raw", "triangle", "graph", "own"]
    assert not hasattr(model, "sufficient_statistics_")
    names = model.get_feature_names_out()
    assert names[0] == "raw0"
    assert names[-1] == "own4"
    assert len(names) == model.transform(X).shape[1]
    assert model.score(X[80:], truth[80:]) > 0.8
    assert len(classifier(views="all").fit(X, y).views_) == 6


def test_the_users_transformer_is_left_alone(digits):
    X, y, _ = digits
    pca = PCA(5, svd_solver="randomized")
    classifier(views=["raw", pca]).fit(X, y)
    assert pca.random_state is None
    assert not hasattr(pca, "mean_")


def test_it_ends_a_pipeline_and_a_search(digits):
    X, _, truth = digits
    pipe = make_pipeline(StandardScaler(), classifier())
    grid = {"pretrainedclassifier__views": ["raw", "auto"]}
    search = GridSearchCV(pipe, grid, cv=3, scoring="accuracy").fit(
        X[:300], truth[:300]
    )
    assert search.best_score_ > 0.9
    same = pickle.loads(pickle.dumps(search))
    assert_array_equal(same.predict(X), search.predict(X))


def test_changed_parameters_do_not_change_predictions(digits):
    X, y, _ = digits
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    model.set_params(views="graph", n_components=3, fallback=None, unlabeled=4)
    assert_array_equal(model.predict_proba(X), before)


def test_copies_leave_together_though_their_labels_differ():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    twice = classifier().fit(np.r_[X, X], np.r_[y, 1 - y])
    # everything is undecided, and no twin tells of the other
    assert twice.loo_error_ >= 0.5 - 1e-9
    assert_allclose(twice.predict_proba(X), 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.full(40, np.nan), "at least 2 labelled rows, got 0 of n_samples = 40"),
        (np.r_[1.0, np.full(39, np.nan)], "at least 2 labelled rows, got 1"),
        (np.r_[1.0, 1.0, np.full(38, np.nan)], "one class: 1.0"),
        (np.r_[np.inf, 1.0, np.full(38, np.nan)], "infinity"),
        (np.r_[0.3, 0.7, np.full(38, np.nan)], "Unknown label type"),
        (np.arange(39), "inconsistent numbers of samples"),
    ],
)
def test_labels_that_cannot_be_learnt_from(y, match):
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match=match):
        classifier().fit(X, y)


def test_all_targets_missing_or_infinite():
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match=r"got 0 of n_samples = 40; mark .* by NaN"):
        regressor().fit(X, np.full(40, np.nan))
    with pytest.raises(ValueError, match="infinity"):
        regressor().fit(X, np.r_[np.inf, np.zeros(39)])
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(np.where(X > 2, np.nan, X), np.arange(40.0))


def test_a_class_of_one_row_and_two_rows_in_all():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.r_[0, 1, 2, np.full(37, -1)]
    model = classifier().fit(X, y)
    assert np.isfinite(model.gain_interval_).all()
    model = classifier().fit(X, np.r_[0, 1, np.full(38, -1)])
    assert np.isnan(model.gain_interval_).all()
    assert model.raw_share_ == 0


def test_rows_without_variance():
    y = np.r_[0, 1, 1, np.full(37, -1)]
    with pytest.warns(UserWarning, match=r"\['raw', 'tilt', 'random_features'\]"):
        model = classifier().fit(np.full((40, 3), 0.1), y)
    assert model.transform(np.ones((5, 3))).shape == (5, 0)
    assert_array_equal(model.predict(np.ones((5, 3))), 1)
    X = np.random.default_rng(0).normal(size=(40, 3))
    one = classifier().fit(X, y).predict_proba(X)
    padded = np.c_[X, np.full(40, 7.0)]
    assert_allclose(
        classifier(views=("raw", "tilt")).fit(padded, y).predict_proba(padded),
        classifier(views=("raw", "tilt")).fit(X, y).predict_proba(X),
        atol=1e-9,
    )
    assert one.shape == (40, 2)


def test_labelled_rows_that_are_all_equal():
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[:4] = X[0]
    y = np.r_[0, 1, 1, 1, np.full(36, -1)]
    model = classifier().fit(X, y)
    assert np.isnan(model.loo_error_)
    assert_array_equal(model.predict(X), 1)


def test_many_columns_say_what_they_take(diabetes, monkeypatch):
    monkeypatch.setattr(_pretrained, "MANY_COLUMNS", 9)
    X, y, _ = diabetes
    with pytest.warns(UserWarning, match=r"10 columns takes 0\.0 GB.*by PCA"):
        regressor().fit(X, y)


@pytest.mark.parametrize("alphas", [[], [1.0, 0.0], [np.inf], [[1.0], [2.0]]])
def test_ridges_that_are_none(diabetes, alphas):
    X, y, _ = diabetes
    with pytest.raises(ValueError, match="alphas must hold positive finite numbers"):
        regressor(alphas=alphas).fit(X, y)


def test_ridges_of_ones_own_are_absolute(diabetes):
    X, y, _ = diabetes
    model = regressor(alphas=[0.5]).fit(X, y, sample_weight=np.full(len(y), 2.0))
    assert model.alpha_ == 0.5
    assert_allclose(model.predict(X), regressor(alphas=[0.25]).fit(X, y).predict(X))


def test_a_failed_fit_leaves_the_model(digits):
    X, y, _ = digits
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="labelled rows"):
        model.fit(X, np.full(len(X), np.nan))
    with pytest.raises(ValueError, match="views must name"):
        model.set_params(views="rwa").fit(X, y)
    assert_array_equal(model.predict_proba(X), before)


def test_views_that_are_none_are_named():
    assert len(named_views("auto")) == 3
    X, y = make_moons(60, random_state=0)
    with pytest.raises(TypeError, match="got 3"):
        classifier(views=[3]).fit(X, y)


def test_columns_of_any_size(diabetes):
    X, y, _ = diabetes
    one = regressor().fit(X, y)
    other = regressor().fit(1e8 * X, y)
    assert_allclose(other.predict(1e8 * X), one.predict(X), rtol=1e-6)


def test_single_precision(digits):
    X, y, _ = digits
    narrow = X.astype(np.float32)
    model = classifier().fit(narrow, y)
    assert model.transform(narrow).dtype == np.float32
    assert np.mean(model.predict(narrow) == classifier().fit(X, y).predict(X)) > 0.995


def test_integer_weights_on_part_of_the_rows(digits):
    X, y, _ = digits
    w = np.ones(len(y))
    w[:40] = 0  # half of the labels are not there
    model = classifier().fit(X, y, sample_weight=w)
    other = classifier().fit(X[40:], y[40:])
    assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-9)
    assert_array_equal(model.loo_indices_, np.arange(40, 80))


def test_a_search_over_unlabelled_rows_scores_those_with_a_label(digits, diabetes):
    X, y, truth = digits
    grid = {"views": ["raw", "auto"]}
    shuffled = KFold(3, shuffle=True, random_state=0)
    text = np.where(y < 0, None, truth.astype(str).astype(object))
    for labels in (y, y.astype(float), text):
        folds = shuffled if labels is text else 3  # strata of None there are none
        search = GridSearchCV(classifier(), grid, cv=folds).fit(X[:400], labels[:400])
        assert search.best_score_ > 0.5
        fold = np.flatnonzero(y[:400] >= 0)
        model = search.best_estimator_
        assert model.score(X[:400], labels[:400]) == np.mean(
            model.predict(X[fold]) == labels[fold]
        )
        w = np.arange(1.0, 401)
        assert_allclose(
            model.score(X[:400], labels[:400], sample_weight=w),
            np.average(model.predict(X[fold]) == labels[fold], weights=w[fold]),
        )
    X, y, _ = diabetes
    search = GridSearchCV(regressor(), grid, cv=shuffled).fit(X, y)
    assert search.best_score_ > 0.1
    known = ~np.isnan(y)
    model = search.best_estimator_
    assert model.score(X, y) == model.score(X[known], y[known])
    with pytest.raises(ValueError, match="score needs a row with a label, got none"):
        model.score(X[60:], y[60:])


def test_minus_one_scores_as_a_class_where_it_is_one():
    X, y = make_moons(100, noise=0.1, random_state=0)
    model = classifier().fit(X, 2 * y - 1)
    assert model.score(X[y == 0], np.full(50, -1)) > 0.7
    assert model.score(X, 2 * y - 1) == np.mean(model.predict(X) == 2 * y - 1)


def test_rows_without_weight_say_nothing_of_the_marks():
    X, y = make_moons(100, noise=0.1, random_state=0)
    y = 2 * y - 1
    y[5] = 3
    w = np.ones(100)
    w[5] = 0
    model = classifier().fit(X, y, sample_weight=w)
    assert_array_equal(model.classes_, [-1, 1])


def test_a_class_minus_one_stays_one_in_later_blocks():
    X, y = make_moons(100, noise=0.1, random_state=0)
    y = 2 * y - 1
    whole = classifier().fit(X, y)
    model = classifier().fit(X[:50], y[:50]).partial_fit(X[50:], y[50:])
    assert model.n_unlabeled_ == 0
    assert_allclose(model.predict_proba(X), whole.predict_proba(X), atol=1e-7)


@pytest.mark.parametrize("unlabeled", [None, -1])
def test_a_missing_target_that_is_no_mark_is_refused(diabetes, unlabeled):
    X, y, _ = diabetes
    with pytest.raises(ValueError, match="Input y contains NaN"):
        regressor(unlabeled=unlabeled).fit(X, y)


def test_labels_of_several_kinds_are_named():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array(["a", "b", None, 3] * 10, dtype=object)
    with pytest.raises(ValueError, match=r"one kind, got \['int', 'str'\].*unlabeled"):
        classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"got \['NoneType', 'str'\]"):
        classifier(unlabeled=3).fit(X, y)


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_targets_of_any_size(diabetes, factor):
    X, y, _ = diabetes
    one, other = regressor().fit(X, y), regressor().fit(X, y * factor)
    assert_allclose(other.predict(X) / factor, one.predict(X), rtol=1e-8)
    assert_allclose(other.loo_error_, one.loo_error_, rtol=1e-8)


def test_a_target_that_does_not_vary(diabetes):
    X, y, _ = diabetes
    model = regressor().fit(X, np.where(np.isnan(y), np.nan, 3.1))
    assert_allclose(model.predict(X), 3.1, rtol=1e-14)
    assert model.loo_error_ == 0
    assert model.gain_ == 0  # not a gain of rounding
    two = regressor(fallback=None).fit(X, np.c_[y, np.where(np.isnan(y), y, 3.1)])
    one = regressor(fallback=None).fit(X, y)
    assert_allclose(two.predict(X)[:, 0], one.predict(X), rtol=1e-9)


def test_weights_that_are_nearly_none(digits):
    X, y, _ = digits
    X, y = X[:300], y[:300]
    w = np.where(np.arange(300) % 2, 1.0, 1e-300)
    model = classifier(alphas=[0.1]).fit(X, y, sample_weight=w)
    other = classifier(alphas=[0.1]).fit(X[1::2], y[1::2])
    assert_allclose(model.decision_function(X), other.decision_function(X), atol=1e-9)
    assert_allclose(model.gain_, other.gain_, rtol=1e-9)
    assert np.isfinite(model.gain_interval_).all()
    assert abs(model.loo_predictions_).max() < 10


def test_names_of_columns_are_distinct(digits):
    X, y, _ = digits
    views = [("a", PCA(12)), ("a1", PCA(2)), PCA(3), PCA(4)]
    names = classifier(views=views, fallback=None).fit(X, y).get_feature_names_out()
    assert len(set(names)) == 21
    assert names[0] == "a0"


def test_pairs_of_views_are_pairs(digits):
    X, y, _ = digits
    with pytest.raises(ValueError, match=r"pairs of a name and a view, got \('raw', "):
        classifier(views=[("raw", "tilt", 2)]).fit(X, y)


@pytest.mark.parametrize("views", ["auto", ("raw", "triangle", ("own", PCA(3)))])
def test_columns_are_standardised_by_all_rows(diabetes, views):
    X, y, _ = diabetes
    X = X[:, :6] * [1, 1e8, 1e-8, 3, 1, 2] + [0, 1, 0, 1e3, 5, 0]
    scaler = StandardScaler().fit(X)
    model = regressor(views=views).fit(X, y)
    other = regressor(views=views, standardize=False).fit(scaler.transform(X), y)
    assert_allclose(model.predict(X), other.predict(scaler.transform(X)), rtol=1e-6)
    assert_allclose(model.scale_, scaler.scale_)
    assert_array_equal(other.scale_, 1)
    w = np.random.default_rng(0).integers(0, 3, len(y))
    scaler = StandardScaler().fit(X, sample_weight=w)
    if views == "auto":
        assert_allclose(regressor().fit(X, y, w).scale_, scaler.scale_)


def test_scales_are_felt_on_request(diabetes):
    X, y, _ = diabetes
    wide = X * np.r_[1e4, np.ones(9)]
    one = regressor(standardize=False).fit(wide, y)
    assert one.loo_error_ > regressor().fit(wide, y).loo_error_ + 0.05


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("value", [0.1, 1e8, 1e20, -1e-20])
def test_a_column_that_does_not_vary_plays_no_part(diabetes, standardize, value):
    X, y, _ = diabetes
    model = regressor(standardize=standardize, views=("raw", "tilt"))
    padded = np.c_[X, np.full(len(X), value)]
    one = clone(model).fit(X, y)
    for other in (
        clone(model).fit(padded, y),
        clone(model).fit_blocks([(padded[:99], y[:99]), (padded[99:], y[99:])]),
    ):
        assert np.isinf(other.scale_[-1])
        assert_allclose(other.predict(padded), one.predict(X), rtol=1e-8)
        padded[:, -1] = 7  # whatever new rows say there
        assert_allclose(other.predict(padded), one.predict(X), rtol=1e-8)
        padded[:, -1] = value


def test_single_precision_far_from_zero(diabetes):
    X, y, _ = diabetes
    narrow = (X + 1e5).astype(np.float32)
    wide = narrow.astype(np.float64)
    model, other = regressor().fit(narrow, y), regressor().fit(wide, y)
    assert_allclose(model.predict(narrow), other.predict(wide), rtol=1e-6)
    assert model.transform(narrow).dtype == np.float32


def test_rows_left_out_are_refits_on_views_of_all_rows():
    rng = np.random.default_rng(0)
    X, code = rng.normal(size=(120, 5)), rng.integers(0, 3, 120)
    X[5], X[7], X[100] = X[6], X[8], X[3]  # twins, some of other classes
    y = np.where(np.arange(120) < 40, code, -1)
    for views in ("auto", ("raw", "triangle", "graph", PCA(2))):
        w = rng.integers(1, 4, 120) if views == "auto" else np.ones(120)
        model = classifier(views=views, fallback=None, alphas=[0.3])
        V = model.fit(X, y, sample_weight=w).transform(X)[:40]
        Y, left = np.eye(3)[code[:40]], np.empty((40, 3))
        for i in range(40):
            kept = (X[:40] != X[i]).any(axis=1)
            ridge = Ridge(alpha=0.3).fit(V[kept], Y[kept], sample_weight=w[:40][kept])
            left[i] = ridge.predict(V[[i]])[0]
        assert_allclose(model.loo_predictions_, left, atol=1e-10)
        error = np.average(((Y - left) ** 2).sum(axis=1), weights=w[:40])
        assert_allclose(model.loo_error_, error, rtol=1e-10)


def test_merging_keeps_the_classes_of_either(digits):
    X, _, truth = digits
    every = np.arange(12)
    other = classifier().partial_fit(X[60:90], truth[60:90], classes=every)
    model = classifier().partial_fit(X[:60]).merge(other)
    assert_array_equal(model.classes_, every)
    ten = classifier().partial_fit(X[:60], truth[:60], classes=np.arange(10))
    with pytest.raises(ValueError, match=r"merge takes .* of the same classes"):
        ten.merge(other)
    assert_array_equal(ten.classes_, np.arange(10))
    whole = classifier(views=("raw", "triangle")).fit(X[:60], truth[:60])
    with pytest.raises(ValueError, match=r"merge takes .* fitted from moments"):
        ten.merge(whole)


def test_blocks_of_other_targets_are_named(digits, diabetes):
    X, _, truth = digits
    model = classifier().partial_fit(X[:60], truth[:60])
    with pytest.raises(ValueError, match="one kind in all blocks, got int64 and <U"):
        model.partial_fit(X[60:], truth[60:].astype(str))
    X, _, t = diabetes
    model = regressor().partial_fit(X[:60], t[:60])
    with pytest.raises(ValueError, match="one shape in all blocks, got 1 and 2 col"):
        model.partial_fit(X[60:], np.c_[t, t][60:])
    model = regressor().partial_fit(X[:60]).partial_fit(X[60:], np.c_[t, t][60:])
    assert model.predict(X).shape == (len(X), 2)


def test_views_that_do_not_map_rows_are_named(digits):
    X, y, _ = digits
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="FunctionTr"):
        classifier(views=["raw", FunctionTransformer(np.log)]).fit(X - 1, y)
    with pytest.raises(ValueError, match="one row for each of 1797, got 3"):
        classifier(views=["raw", FunctionTransformer(_first_three)]).fit(X, y)
    with pytest.raises(TypeError, match="names of views must be str, got 1"):
        classifier(views=[(1, PCA(2))]).fit(X, y)


def _first_three(X):
    return X[:3]


def test_weights_are_routed(digits):
    X, y, _ = digits
    X, y = X[:400], y[:400]
    w = np.random.default_rng(0).integers(1, 3, 400).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        one = classifier().set_fit_request(sample_weight=True)
        one.set_score_request(sample_weight=True)
        search = GridSearchCV(one, {"views": ["raw", "auto"]}, cv=3)
        search.fit(X, y, sample_weight=w)
    direct = classifier(**search.best_params_).fit(X, y, sample_weight=w)
    assert_array_equal(search.predict(X), direct.predict(X))


def test_many_classes_of_one_label():
    rng = np.random.default_rng(0)
    names = [np.str_(f"c{i}") for i in range(30)]  # NumPy's own texts, too
    y = np.array([*names, *[None] * 170], dtype=object)
    model = classifier().fit(rng.normal(size=(200, 4)), y)  # no warning
    assert len(model.classes_) == 30
    assert_array_equal(model.loo_indices_, np.arange(30))


def test_the_last_bit_of_a_scale_moves_no_row():
    rng = np.random.default_rng(0)
    for _ in range(5):
        X, y = rng.normal(size=(60, 10)) * 3 + 7, rng.integers(0, 3, 60)
        w = rng.integers(0, 5, 60)
        model = classifier(views=("raw", "triangle"))
        weighted = clone(model).fit(X, y, sample_weight=w)
        repeated = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
        assert_array_equal(weighted.scale_, repeated.scale_)
        assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-9)


@pytest.mark.parametrize("factor", [1e-307, 1e300, 1e305])
def test_weights_of_any_size_on_columns_of_any_size(diabetes, factor):
    X, y, _ = diabetes
    X = X * np.logspace(-8, 8, 10)
    w = np.random.default_rng(0).uniform(0.5, 1, len(y))
    one = regressor(alphas=[0.5]).fit(X, y, sample_weight=w)
    other = regressor(alphas=[0.5 * factor]).fit(X, y, sample_weight=w * factor)
    assert_allclose(other.predict(X), one.predict(X), rtol=1e-8)
    assert_allclose(other.alpha_, 0.5 * factor)
    parts = regressor().fit_blocks(
        [(X[:60], y[:60], factor * w[:60]), (X[60:], y[60:], factor * w[60:])]
    )
    whole = regressor().fit(X, y, sample_weight=w)
    assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-7)
    assert_allclose(parts.alpha_ / factor, whole.alpha_, rtol=1e-7)


def test_a_block_that_weighs_nothing_makes_no_column_vary(diabetes):
    X, _, t = diabetes
    wide = np.c_[X, np.zeros(len(X))]
    wide[:10, -1] = 1
    model = regressor().partial_fit(wide[:60], sample_weight=np.full(60, 1e-300))
    model.partial_fit(wide[60:], t[60:])
    assert np.isinf(model.scale_[-1])
    other = regressor(views=("raw", "tilt")).fit(X[60:], t[60:])
    same = regressor(views=("raw", "tilt")).partial_fit(
        wide[:60], sample_weight=np.full(60, 1e-300)
    )
    same.partial_fit(wide[60:], t[60:])
    assert_allclose(same.predict(wide), other.predict(X), rtol=1e-8)


def test_weights_as_far_apart_as_numbers_go(digits):
    X, y, _ = digits
    X, y = X[:300], y[:300]
    w = np.where(np.arange(300) % 2, 1e300, 1e-300)
    model = classifier(alphas=[1e299]).fit(X, y, sample_weight=w)
    other = classifier(alphas=[0.1]).fit(X[1::2], y[1::2])
    assert_allclose(model.decision_function(X), other.decision_function(X), atol=1e-9)
    assert len(model.loo_predictions_) == len(model.loo_indices_) == 80
    order = np.argsort(w, kind="stable")
    parts = classifier(alphas=[1e299])
    for part in (order[:150], order[150:]):
        parts.partial_fit(X[part], y[part], sample_weight=w[part])
    assert_allclose(parts.decision_function(X), model.decision_function(X), atol=1e-9)
