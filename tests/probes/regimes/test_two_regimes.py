"""TwoRegimes: fair subsets, the right winner, and a well-behaved meta-estimator."""

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import norm
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_ext.probes import LogisticProbe, NaiveBayesProbe, TwoRegimes
from tests._marks import CALLBACKS
from tests.probes.regimes._rivals import SEEN, Recorder, pair


@pytest.fixture
def seen():
    SEEN.clear()
    return SEEN


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = np.c_[np.arange(300.0), rng.normal(size=(300, 2))]
    y = np.repeat(["a", "b", "c"], [200, 90, 10])
    return X, y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


def recorders(**params):
    two = {"a": Recorder("a"), "b": Recorder("b")}
    return TwoRegimes(
        two, **{"n_repeats": 3, "random_state": 0, "refit": False, **params}
    )


def test_subsets_are_nested_complete_and_the_same_for_all(rows, seen):
    X, y = rows
    model = recorders(train_sizes=[3, 10, 50, 240]).fit(X, y)
    fits = {n: [s for s in seen if s[:2] == (n, "fit")] for n in "ab"}
    tests = [s[2] for s in seen if s[1] == "predict"]
    assert len(fits["a"]) == len(fits["b"]) == 12
    for repeat in range(3):
        subsets = fits["a"][4 * repeat : 4 * repeat + 4]
        for one, other in zip(subsets, fits["b"][4 * repeat :], strict=False):
            assert_array_equal(one[2], other[2])
        for small, large in pairwise(subsets):
            assert_array_equal(small[2], large[2][: len(small[2])])
        assert set(subsets[0][3]) == {"a", "b", "c"}
        held_out = tests[8 * repeat : 8 * repeat + 8]
        for test in held_out:
            assert_array_equal(test, held_out[0])
        assert not set(held_out[0]) & set(subsets[-1][2])
        assert len(held_out[0]) == 60
    orders = {tuple(f[2]) for f in fits["a"][3::4]}
    assert len(orders) == 3  # repeats differ
    assert_array_equal(model.train_sizes_, [3, 10, 50, 240])


def test_groups_stay_together(rows, seen):
    X, y = rows
    groups = np.arange(300) // 5
    recorders(train_sizes=[20]).fit(X, y, groups=groups)
    for fit, test in zip(seen[::4], seen[1::4], strict=True):
        assert not set(groups[fit[2]]) & set(groups[test[2]])


def test_given_test_rows_are_used(rows, seen):
    X, y = rows
    model = recorders(train_sizes=[1.0]).fit(
        X, y, X_test=X[::10] + 1000, y_test=y[::10]
    )
    assert all(len(s[2]) == 300 for s in seen if s[1] == "fit")
    assert all(min(s[2]) >= 1000 for s in seen if s[1] == "predict")
    assert_allclose(model.test_scores_["a"], np.mean(y[::10] == "a"))


def test_weights_go_along_and_weightless_rows_are_left_out(rows, seen):
    X, y = rows
    weight = np.arange(300) % 4.0
    model = recorders(train_sizes=[3, 100]).fit(X, y, sample_weight=weight)
    for _, kind, numbers, _, w in seen:
        assert weight[numbers].min() > 0
        if kind == "fit":
            assert_array_equal(w, weight[numbers])
    test = [s[2] for s in seen if s[1] == "predict"]
    expected = [np.average(y[t] == "a", weights=weight[t]) for t in test[::4]]
    assert_allclose(model.test_scores_["a"][0], expected)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("covariance", ["shared", "class"])
def test_curves_from_sums_equal_refits(digits, container, covariance):
    X, y = digits

    class Refitted(NaiveBayesProbe):
        _summarize = property()  # hides it

    params = {"covariance": covariance, "var_smoothing": 1e-3}
    two = {"sums": NaiveBayesProbe(**params), "fits": Refitted(**params)}
    model = TwoRegimes(two, scoring="neg_log_loss", n_repeats=2, random_state=0)
    model.fit(container(X), y, sample_weight=1 + y % 3)
    assert_allclose(model.test_scores_["sums"], model.test_scores_["fits"], rtol=1e-6)
    assert (np.diff(model.fit_times_["sums"], axis=0) > 0).all()


def test_temperature_that_needs_all_rows_is_refitted(digits):
    X, y = digits
    one = NaiveBayesProbe(covariance="shared")
    two = {"loo": clone(one).set_params(temperature="loo"), "one": one}
    model = TwoRegimes(two, scoring="neg_log_loss", n_repeats=2, random_state=0)
    model.fit(X, y)
    assert (model.test_scores_["loo"][2:] > model.test_scores_["one"][2:]).all()
    assert model.recommended_ == "loo"


def correlated(n, rng, d=30):
    """Two classes whose features share a noise, and the exact errors of rules.

    Naive Bayes ignores the common noise, so its limit lies above the Bayes error.
    """
    mean = np.full(d, 0.25) * np.where(np.arange(d) % 3, 1, 0.2)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, d)) + 0.45 * rng.normal(size=(n, 1))
    covariance = np.eye(d) + 0.45**2
    return X + np.where(y == 1, 1, -1)[:, None] * mean, y, mean, covariance


def exact_error(w, b, mean, covariance):
    spread = np.sqrt(w @ covariance @ w)
    return (norm.cdf(-(w @ mean + b) / spread) + norm.cdf((b - w @ mean) / spread)) / 2


def test_two_regimes_on_data_with_known_limits():
    rng = np.random.default_rng(0)
    X, y, mean, covariance = correlated(8000, rng)
    two = {"nb": NaiveBayesProbe(), "lr": LogisticProbe(C=1000.0)}
    model = TwoRegimes(
        two, train_sizes=[20, 40, 80, 160, 640, 4000], n_repeats=8, random_state=0
    )
    model.fit(X, y)
    nb_limit = exact_error(mean / np.diag(covariance), 0, mean, covariance)
    bayes = exact_error(np.linalg.solve(covariance, mean), 0, mean, covariance)
    errors = {name: 1 - s.mean(axis=1) for name, s in model.test_scores_.items()}
    assert bayes < nb_limit - 0.01
    assert_allclose(errors["nb"][-1], nb_limit, atol=0.01)
    assert_allclose(errors["lr"][-1], bayes, atol=0.01)
    assert [r[2] for r in model.regimes_] == ["nb", "lr"]
    assert model.regimes_[0][3]
    assert model.regimes_[1][3]
    assert model.crossover_censored_ is None
    low, high = model.crossover_ci_
    assert 80 < low <= model.crossover_ <= high < 4000
    assert model.regimes_[0][1] == pytest.approx(model.crossover_)
    assert model.recommended_ == "lr"
    final = model.estimator_
    found = exact_error(final.coef_[0], final.intercept_[0], mean, covariance)
    assert_allclose(found, bayes, atol=0.005)
    assert_allclose(model.extrapolate([4000])["nb"], nb_limit, atol=0.02)


@pytest.mark.parametrize("preprocessor", [None, "minmax"])
def test_the_same_seed_gives_the_same_result_with_any_n_jobs(digits, preprocessor):
    X, y = digits
    found = [
        pair(n_jobs=n_jobs, preprocessor=preprocessor).fit(X, y)
        for n_jobs in (None, 1, 2)
    ]
    for other in found[1:]:
        for name in ("one", "two"):
            assert_array_equal(other.test_scores_[name], found[0].test_scores_[name])
        assert_array_equal(other.difference_ci_, found[0].difference_ci_)
        assert other.crossover_ == found[0].crossover_
    other = pair(random_state=1).fit(X, y)
    assert (other.test_scores_["one"] != found[0].test_scores_["one"]).any()


def test_preprocessors_see_only_the_subset(digits):
    X, y = digits
    by_name = pair(preprocessor="minmax").fit(X, y)
    by_object = pair(preprocessor=MinMaxScaler()).fit(X, y)
    two = {
        "one": make_pipeline(MinMaxScaler(), NaiveBayesProbe()),
        "two": make_pipeline(MinMaxScaler(), LogisticProbe()),
    }
    by_pipeline = pair().set_params(estimators=two).fit(X, y)
    for name in ("one", "two"):
        expected = by_pipeline.test_scores_[name]
        assert_allclose(by_name.test_scores_[name], expected)
        assert_allclose(by_object.test_scores_[name], expected)
    assert_allclose(by_name.predict_proba(X), by_pipeline.predict_proba(X))
    assert by_name.n_features_in_ == 64
    standard = pair(preprocessor="standard").fit(sparse.csr_array(X), y)
    assert standard.score(sparse.csr_array(X), y) > 0.9


def test_prediction_is_that_of_the_refitted_estimator(digits):
    X, y = digits
    model = pair().fit(X, y)
    assert model.recommended_ == "two"
    alone = LogisticProbe().fit(X, y)
    assert_array_equal(model.predict(X), alone.predict(X))
    assert_allclose(model.predict_proba(X), alone.predict_proba(X))
    assert_allclose(model.decision_function(X), alone.decision_function(X))
    other = pair(refit="one").fit(X, y)
    assert isinstance(other.estimator_, NaiveBayesProbe)
    assert other.recommended_ == "two"


def test_methods_exist_when_the_estimator_has_them(digits):
    X, y = digits
    two = {"one": KNeighborsClassifier(1), "two": DummyClassifier()}
    model = pair().set_params(estimators=two)
    assert hasattr(model, "predict_proba")
    assert not hasattr(model, "decision_function")
    model.fit(X, y)
    assert model.recommended_ == "one"
    assert not hasattr(model, "decision_function")
    no_refit = pair(refit=False)
    assert not hasattr(no_refit, "predict")
    no_refit.fit(X, y)
    with pytest.raises(AttributeError, match="predict"):
        no_refit.predict(X)


def test_the_majority_class_is_recommended_where_nothing_beats_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 20)), np.where(rng.random(300) < 0.8, "no", "yes")
    w = np.where(y == "yes", 8.0, 1.0)
    model = pair(train_sizes=[20, 100, 240]).fit(X, y)
    assert model.recommended_ == "majority class"
    assert model.gain_ < 0
    assert_array_equal(model.predict(X), "no")
    assert_allclose(
        model.predict_proba(X)[0], [np.mean(y == "no"), np.mean(y == "yes")]
    )
    scores = {n: s[-1].mean() for n, s in model.test_scores_.items()}
    assert_allclose(
        model.gain_, max(scores.values()) - model.baseline_scores_[-1].mean()
    )
    assert_allclose(model.baseline_scores_, 0.8, atol=0.02)
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(np.full((2, 20), np.nan))
    with pytest.raises(ValueError, match="has 3 features, but TwoRegimes is expecting"):
        model.predict(np.zeros((2, 3)))
    weighted = pair(train_sizes=[20, 100, 240]).fit(X, y, sample_weight=w)
    assert (weighted.baseline_scores_[-1] > 0.5).all()
    if weighted.recommended_ == "majority class":
        assert_array_equal(weighted.predict(X), "yes")
    named = pair(train_sizes=[240], refit="two").fit(X, y)
    assert isinstance(named.estimator_, LogisticProbe)


def test_a_scorer_that_the_majority_cannot_answer(digits):
    X, y = digits

    def largest_weight(estimator, X, y):
        return np.abs(estimator.coef_).max()

    linear = {"one": NaiveBayesProbe(covariance="shared"), "two": LogisticProbe()}
    model = pair(scoring=largest_weight, train_sizes=[400])
    model.set_params(estimators=linear).fit(X, y)
    assert np.isnan(model.baseline_scores_).all()
    assert model.recommended_ in ("one", "two")


def test_more_than_two_estimators(digits):
    X, y = digits
    three = {"dummy": DummyClassifier(), "nb": GaussianNB(), "lr": LogisticProbe()}
    model = pair().set_params(estimators=three).fit(X, y)
    assert model.recommended_ == "lr"
    assert {r[2] for r in model.regimes_} <= {"dummy", "nb"}
    assert set(model.curve_params_) == set(three)


def test_texts_go_through_pipelines():
    texts = ["red apple", "green apple", "old car", "new car"] * 10
    y = ["fruit", "fruit", "thing", "thing"] * 10
    two = {
        "a": make_pipeline(TfidfVectorizer(), NaiveBayesProbe()),
        "b": make_pipeline(TfidfVectorizer(), LogisticProbe()),
    }
    model = TwoRegimes(two, train_sizes=[4, 16], n_repeats=2, random_state=0)
    assert model.fit(texts, y).score(texts, y) == 1.0


def test_frames_keep_their_names(digits):
    X, y = digits
    frame = pd.DataFrame(X).add_prefix("p")
    model = pair(preprocessor="standard").fit(frame, y)
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert model.score(frame, y) > 0.9


def test_tables_of_results(digits):
    X, y = digits
    model = pair().fit(X, y)
    table = model.results_frame()
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 2 * 3 * 3
    means = table.groupby(["estimator", "train_size"])["score"].mean()
    assert_allclose(means["two"], model.test_scores_["two"].mean(axis=1))
    row = table[(table.estimator == "one") & (table["repeat"] == 2)]
    assert_array_equal(row.fit_time, model.fit_times_["one"][:, 2])
    assert isinstance(model.results_frame("polars"), pl.DataFrame)
    with pytest.raises(ValueError, match="'pandas' or 'polars', got 'arrow'"):
        model.results_frame("arrow")


def test_sizes_per_class(digits):
    X, y = digits
    with pytest.warns(UserWarning, match="No two rows of a class differ"):
        model = pair(train_sizes=("per_class", [1, 2, 8])).fit(X, y)
    assert_array_equal(model.train_sizes_, [10, 20, 80])


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", get_scorer("accuracy")])
def test_scorings(digits, scoring):
    X, y = digits
    model = pair(scoring=scoring).fit(X, y)
    scores = model.test_scores_
    assert_allclose(model.difference_, (scores["one"] - scores["two"]).mean(axis=1))
    assert min(map(np.min, model._errors().values())) >= 0


def test_metadata_routing(rows, seen):
    X, y = rows
    weight = np.arange(300) % 3 + 1.0
    with config_context(enable_metadata_routing=True):
        two = {
            "a": Recorder("a").set_fit_request(sample_weight=True),
            "b": Recorder("b").set_fit_request(sample_weight=False),
        }
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        model = recorders(train_sizes=[50], scoring=scorer).set_params(estimators=two)
        model.fit(X, y, sample_weight=weight)
    for name, kind, numbers, _, w in seen:
        if (name, kind) == ("a", "fit"):
            assert_array_equal(w, weight[numbers])
        assert name == "a" or w is None
    test = [s[2] for s in seen if s[1] == "predict"]
    expected = [np.average(y[t] == "a", weights=weight[t]) for t in test[::2]]
    assert_allclose(model.test_scores_["a"][0], expected)


def test_groups_are_routed_to_it(digits):
    X, y = digits
    groups = np.arange(len(y)) // 4
    with config_context(enable_metadata_routing=True):
        model = pair(train_sizes=[50]).set_fit_request(groups=True)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"tworegimes__preprocessor": [None, "minmax"]},
            cv=2,
        )
        search.fit(X, y, groups=groups)
    assert search.best_score_ > 0.8


@CALLBACKS
def test_callbacks_see_every_repeat_and_may_stop(digits):
    X, y = digits

    class Stop:
        seen = 0

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.parent is None:
                return False
            assert fitted_estimator.predict(X).shape == y.shape
            Stop.seen += 1
            return Stop.seen == 2

        def teardown(self, estimator, context):
            pass

    model = pair(n_repeats=5).set_callbacks(Stop()).fit(X, y)
    assert Stop.seen == 2
    assert model.test_scores_["one"].shape == (3, 2)
    assert model.score(X, y) > 0.9


def test_defaults_and_clones():
    X, y = load_digits(return_X_y=True)
    model = TwoRegimes(n_repeats=2, random_state=0).fit(X[:400] / 16, y[:400])
    assert list(model.test_scores_) == ["naive_bayes", "logistic"]
    assert model.train_sizes_[0] == 20
    two = {"a": LogisticRegression(C=3), "b": GaussianNB()}
    twin = clone(TwoRegimes(two))
    assert twin.estimators["a"] is not two["a"]
    assert twin.estimators["a"].C == 3


def test_one_number_weighs_every_row():
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200] % 2
    model = TwoRegimes(train_sizes=[20, 60], n_repeats=2, random_state=0)
    expected = clone(model).fit(X, y, sample_weight=np.full(200, 2.0))
    found = clone(model).fit(X, y, sample_weight=2.0)
    for name, scores in expected.test_scores_.items():
        assert_array_equal(found.test_scores_[name], scores)
