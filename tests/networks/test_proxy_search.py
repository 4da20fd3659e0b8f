"""A search on a small copy: scikit-learn's search of the copy, and the real model."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.fixes import parse_version

from sklearn_ext.networks import ProxySearchCV
from sklearn_ext.networks._proxy_search import best_first, ranks_by_stage

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:200], Y[:200]
WINE = load_wine(return_X_y=True)
GRID = {"min_samples_leaf": [1, 10, 40]}


def tree():
    return DecisionTreeRegressor(max_depth=8, random_state=0)


def searched(estimator=None, param_grid=GRID, **options):
    options = {"proxy_params": {"max_depth": 2}, "cv": KFold(3), **options}
    return ProxySearchCV(estimator or tree(), param_grid, **options)


def test_boosting_is_searched_short_and_fitted_long():
    boosting = HistGradientBoostingRegressor(random_state=0)
    search = ProxySearchCV(
        boosting, {"max_leaf_nodes": [3, 31]}, proxy_params={"max_iter": 20}, cv=3
    ).fit(X, Y)
    assert search.best_estimator_.max_iter == 100
    assert search.best_estimator_.n_iter_ == 100
    own = clone(boosting).set_params(**search.best_params_).fit(X, Y)
    assert_array_equal(search.predict(X), own.predict(X))
    assert boosting.max_iter == 100  # what was given is not touched


@pytest.mark.parametrize("train", [False, True])
def test_the_first_stage_is_the_search_of_the_proxy(train):
    ours = searched(return_train_score=train).fit(X, Y).cv_results_
    proxy = tree().set_params(max_depth=2)
    theirs = GridSearchCV(proxy, GRID, cv=KFold(3), return_train_score=train)
    theirs = theirs.fit(X, Y).cv_results_
    assert ours.keys() == {*theirs, "stage"}
    assert ours["params"] == theirs["params"]
    for name, values in theirs.items():
        if "test_" in name or "train_" in name:
            assert_array_equal(ours[name], values)
    assert_array_equal(ours["stage"], "proxy")


def test_a_proxy_of_equal_size_is_the_search_itself():
    ours, theirs = searched(proxy_params={}), GridSearchCV(tree(), GRID, cv=KFold(3))
    ours.fit(X, Y), theirs.fit(X, Y)
    for name in ("best_params_", "best_index_", "best_score_", "n_splits_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, Y) == theirs.score(X, Y)


def test_the_best_are_scored_again_at_full_size():
    search = searched(n_verify=2).fit(X, Y)
    results = search.cv_results_
    assert results["stage"].tolist() == ["proxy"] * 3 + ["target"] * 2
    kept = np.argsort(-results["mean_test_score"][:3], kind="stable")[:2]
    assert results["params"][3:] == [results["params"][i] for i in kept]
    full = GridSearchCV(tree(), GRID, cv=KFold(3)).fit(X, Y).cv_results_
    assert_array_equal(results["mean_test_score"][3:], full["mean_test_score"][kept])
    assert search.best_index_ >= 3
    assert search.best_score_ == results["mean_test_score"][3:].max()
    assert sorted(results["rank_test_score"]) == [1, 2, 3, 4, 5]
    assert results["rank_test_score"][3:].max() == 2
    assert pd.DataFrame(results).shape[0] == 5


def test_verifying_can_correct_the_proxy():
    # a stump hides that leaves of one row overfit; the full tree does not
    grid = {"min_samples_leaf": [1, 60]}
    options = {"proxy_params": {"max_depth": 1}, "cv": KFold(3)}
    assert searched(param_grid=grid, **options).fit(X, Y).best_params_ == {
        "min_samples_leaf": 1
    }
    assert searched(param_grid=grid, n_verify=2, **options).fit(X, Y).best_params_ == {
        "min_samples_leaf": 60
    }


def test_more_to_verify_than_there_are_verifies_all():
    search = searched(n_verify=50).fit(X, Y)
    assert search.cv_results_["stage"].tolist() == ["proxy"] * 3 + ["target"] * 3


class KeepsSplits(ShuffleSplit):
    def split(self, X, y=None, groups=None):
        for train, test in super().split(X, y, groups):
            self.drawn.append(test)
            yield train, test


def test_both_stages_see_the_same_folds_of_a_splitter_that_draws():
    splitter = KeepsSplits(n_splits=2)
    splitter.drawn = []
    search = searched(n_verify=3, cv=splitter, proxy_params={}).fit(X, Y)
    assert len(splitter.drawn) == 2
    results = search.cv_results_
    for parameters, score in zip(
        results["params"][3:], results["mean_test_score"][3:], strict=True
    ):
        at = results["params"].index(parameters)
        assert results["mean_test_score"][at] == score


def test_pipelines_and_several_grids():
    pipeline = make_pipeline(PCA(5), tree())
    grids = [
        {"decisiontreeregressor__min_samples_leaf": [5, 20]},
        {"pca__whiten": [True, False]},
    ]
    proxy = {"decisiontreeregressor__max_depth": 2, "pca__n_components": 2}
    search = ProxySearchCV(pipeline, grids, proxy_params=proxy, n_verify=2, cv=3)
    search.fit(X, Y)
    assert search.best_estimator_[-1].max_depth == 8
    assert search.best_estimator_[0].n_components == 5
    assert len(search.cv_results_["params"]) == 6
    own = {name for name in search.cv_results_ if name.startswith("param_")}
    assert own == {
        "param_decisiontreeregressor__min_samples_leaf",
        "param_pca__whiten",
    }


def test_a_step_can_be_searched_whose_parameter_is_small():
    pipeline = make_pipeline(StandardScaler(), tree())
    grid = {"decisiontreeregressor": [tree(), tree().set_params(min_samples_leaf=30)]}
    proxy = {"decisiontreeregressor__max_depth": 1}
    search = ProxySearchCV(pipeline, grid, proxy_params=proxy, cv=2).fit(X, Y)
    assert search.best_estimator_[-1].max_depth == 8
    assert grid["decisiontreeregressor"][0].max_depth == 8


def test_classifiers_are_delegated_to():
    search = ProxySearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.01, 1.0]},
        proxy_params={"logisticregression__tol": 0.1},
        cv=3,
    ).fit(*WINE)
    best = search.best_estimator_
    assert_array_equal(search.classes_, [0, 1, 2])
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert_array_equal(getattr(search, name)(WINE[0]), getattr(best, name)(WINE[0]))
    assert search.n_features_in_ == 13
    assert not hasattr(search, "transform")
    loaded = pickle.loads(pickle.dumps(search))
    assert_array_equal(loaded.predict(WINE[0]), search.predict(WINE[0]))


def test_names_of_columns():
    frame = pd.DataFrame(X).add_prefix("c")
    search = searched().fit(frame, Y)
    assert_array_equal(search.feature_names_in_, frame.columns)


def test_without_refit_there_is_a_winner_and_no_model():
    search = searched(refit=False, n_verify=2).fit(X, Y)
    assert search.best_params_ in search.cv_results_["params"]
    with pytest.raises(AttributeError, match="predict"):
        search.predict(X)
    search.set_params(refit=True).fit(X, Y)
    search.set_params(refit=False).fit(X, Y)
    assert not hasattr(search, "best_estimator_")


def test_several_scores():
    scoring = ["r2", "neg_mean_absolute_error"]
    search = searched(scoring=scoring, refit="r2", n_verify=2).fit(X, Y)
    assert search.multimetric_
    assert search.best_score_ == search.cv_results_["mean_test_r2"][3:].max()
    for name in scoring:
        assert search.cv_results_[f"rank_test_{name}"][3:].max() == 2
    assert searched(scoring=scoring, refit=False).fit(X, Y).multimetric_


@pytest.mark.parametrize("refit", [False, lambda results: 0])
def test_several_scores_need_one_that_decides(refit):
    def scored(estimator, X, y):
        return {"r2": estimator.score(X, y), "depth": estimator.get_depth()}

    for scoring in (["r2", "neg_mean_absolute_error"], scored):
        search = searched(scoring=scoring, refit=refit, n_verify=2)
        with pytest.raises(ValueError, match=r"n_verify=2 with several scores needs"):
            search.fit(X, Y)


def test_a_function_chooses_from_both_stages():
    def smallest_of_the_target(results):
        at = np.flatnonzero(results["stage"] == "target")
        return int(at[np.argmin(results["param_min_samples_leaf"][at])])

    search = searched(refit=smallest_of_the_target, n_verify=2).fit(X, Y)
    assert search.cv_results_["stage"][search.best_index_] == "target"


class Picky(DecisionTreeRegressor):
    def fit(self, X, y, sample_weight=None, check_input=True):
        if self.min_samples_leaf == 10:
            raise ValueError("not ten")
        return super().fit(X, y, sample_weight, check_input)


def test_candidates_that_fail_are_not_verified():
    search = searched(Picky(random_state=0), n_verify=3)
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        search.fit(X, Y)
    assert {"min_samples_leaf": 10} not in search.cv_results_["params"][3:]
    assert search.cv_results_["rank_test_score"][1] == 5
    with pytest.raises(ValueError, match="not ten"):
        search.set_params(error_score="raise").fit(X, Y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"proxy_params": {"min_samples_leaf": 3}},
            ValueError,
            "_leaf' stands",
        ),
        ({"proxy_params": {"depth": 3}}, ValueError, "Invalid parameter 'depth'"),
        ({"proxy_params": None}, ValueError, "'proxy_params' parameter"),
        ({"n_verify": 0}, ValueError, "'n_verify' parameter"),
        ({"param_grid": {"min_samples_leaf": 3}}, TypeError, "min_samples_leaf"),
        ({"param_grid": {"leaf": [3]}}, ValueError, "Invalid parameter 'leaf'"),
    ],
)
def test_bad_settings_say_what_to_do(options, error, message):
    search = searched().fit(X, Y)
    before = dict(vars(search))
    with pytest.raises(error, match=message):
        search.set_params(**options).fit(X, Y)
    assert {n: v for n, v in vars(search).items() if n.endswith("_")} == {
        n: v for n, v in before.items() if n.endswith("_")
    }


def test_workers_agree():
    one, two = (searched(n_jobs=n, n_verify=2).fit(X, Y) for n in (1, 2))
    assert_array_equal(one.predict(X), two.predict(X))
    assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )


def test_weights_and_groups_without_routing():
    w, groups = np.random.default_rng(0).integers(1, 4, len(X)), np.arange(len(X)) % 5
    options = {"cv": GroupKFold(5), "n_verify": 2}
    search = searched(**options).fit(X, Y, sample_weight=w, groups=groups)
    theirs = GridSearchCV(tree().set_params(max_depth=2), GRID, cv=GroupKFold(5))
    theirs.fit(X, Y, sample_weight=w, groups=groups)
    assert_array_equal(
        search.cv_results_["mean_test_score"][:3],
        theirs.cv_results_["mean_test_score"],
    )
    own = tree().set_params(**search.best_params_).fit(X, Y, sample_weight=w)
    assert_array_equal(search.predict(X), own.predict(X))


def test_weights_and_groups_are_routed():
    w, groups = np.random.default_rng(0).integers(1, 4, len(X)), np.arange(len(X)) % 5
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("r2").set_score_request(sample_weight=True)
        model = tree().set_fit_request(sample_weight=True)
        splitter = GroupKFold(5)
        search = searched(model, cv=splitter, scoring=scorer, n_verify=2)
        search.fit(X, Y, sample_weight=w, groups=groups)
        theirs = GridSearchCV(
            clone(model).set_params(max_depth=2), GRID, cv=splitter, scoring=scorer
        )
        theirs.fit(X, Y, sample_weight=w, groups=groups)
    assert_array_equal(
        search.cv_results_["mean_test_score"][:3],
        theirs.cv_results_["mean_test_score"],
    )


class Watcher:
    """Note the tasks of a fit."""

    def __init__(self):
        self.tasks = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.tasks.append(context.task_name)

    def teardown(self, estimator, context):
        self.tasks.append("down")


@pytest.mark.parametrize("n_verify", [1, 2])
def test_callbacks_see_the_stages(n_verify):
    watcher, search = Watcher(), searched(n_verify=n_verify)
    if not hasattr(search, "set_callbacks"):
        assert parse_version(sklearn.__version__) < parse_version("1.9")
        return
    search.set_callbacks(watcher).fit(X, Y)
    assert [t for t in watcher.tasks if t in ("proxy", "target", "search")] == [
        *(("proxy", "target") if n_verify > 1 else ("proxy",)),
        "search",
    ]
    fits = sum(task == "candidate-split-evaluation" for task in watcher.tasks)
    assert fits == 9 + 3 * (n_verify if n_verify > 1 else 0)
    assert watcher.tasks[-1] == "down"


def test_ties_go_to_the_first_whatever_the_last_bit():
    scores = np.array([0.1 + 0.2, 0.3, np.nan, 0.5, 0.3 - 1e-16])
    assert best_first(scores).tolist() == [3, 0, 1, 4]
    assert best_first(np.full(2, np.nan)).tolist() == [0, 1]
    verified = np.array([False, False, False, True, True])
    assert ranks_by_stage(scores, verified).tolist() == [3, 3, 5, 1, 2]
    far = np.array([-1e300, -1.0, -1.0 - 1e-9])
    assert ranks_by_stage(far, np.zeros(3, dtype=bool)).tolist() == [3, 1, 2]


def test_the_signature_is_the_documented_one():
    assert list(inspect.signature(ProxySearchCV).parameters) == [
        "estimator",
        "param_grid",
        "proxy_params",
        "n_verify",
        "scoring",
        "cv",
        "n_jobs",
        "refit",
        "error_score",
        "return_train_score",
    ]


def test_refit_may_have_any_name_with_one_score():
    for options in ({"scoring": "r2", "refit": "r2"}, {"refit": "score"}):
        search = searched(n_verify=2, **options).fit(X, Y)
        assert search.best_index_ >= len(GRID["min_samples_leaf"])


def test_unknown_name_of_the_deciding_score():
    def several(estimator, X, y):
        return {"a": estimator.score(X, y), "b": 0.0}

    with pytest.raises(ValueError, match="'c' is none of the scores: a, b"):
        searched(n_verify=2, scoring=several, refit="c").fit(X, Y)


def test_a_fit_without_refit_leaves_no_time_of_one():
    search = searched().fit(X, Y)
    search.set_params(refit=False).fit(X, Y)
    assert not hasattr(search, "refit_time_")
