"""Candidate estimators: the set, its votes, its disagreement, and the cheap check."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.exceptions import DataConversionWarning, FitFailedWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_ext import trusted_types
from sklearn_ext.rashomon import (
    RashomonSearchCV,
    RashomonTreeClassifier,
    similar_performance,
)
from sklearn_ext.rashomon._search import results_table, select_scores

TREES = [
    (f"depth {d}", DecisionTreeClassifier(max_depth=d, random_state=0))
    for d in (1, 2, 3)
]


def iris():
    return load_iris(return_X_y=True)


def test_set_and_disagreement_equal_a_loop():
    X, y = iris()
    search = RashomonSearchCV(TREES, theta=0.02).fit(X, y)
    mean = np.array([cross_val_score(tree, X, y).mean() for _, tree in TREES])
    inside = mean >= mean.max() - 0.02
    assert_allclose(search.cv_results_["mean_test_score"], mean)
    assert_array_equal(search.cv_results_["in_rashomon_set"], inside)
    assert_allclose(search.ratio_, inside.mean())
    said = np.stack(
        [
            cross_val_predict(t, X, y)
            for (_, t), i in zip(TREES, inside, strict=True)
            if i
        ]
    )
    best = cross_val_predict(TREES[mean.argmax()][1], X, y)
    assert_allclose(search.ambiguity_, (said != best).any(axis=0).mean())
    assert_allclose(search.discrepancy_, (said != best).mean(axis=1).max())
    assert len(search.members_) == inside.sum()
    mix = np.mean([m.predict_proba(X) for m in search.members_], axis=0)
    assert_allclose(search.predict_proba(X), mix)
    assert "candidates" in str(search.summary())


def test_one_standard_error():
    X, y = iris()
    search = RashomonSearchCV(TREES, theta="1se").fit(X, y)
    scores = [cross_val_score(tree, X, y) for _, tree in TREES]
    best = max(scores, key=np.mean)
    se = best.std(ddof=1) / np.sqrt(5)
    assert_allclose(-search.threshold_loss_, best.mean() - se)


@pytest.mark.parametrize(
    ("refit", "complexity", "depth"),
    [
        ("simplest", "tree_.node_count", 2),
        ("simplest", lambda tree: -tree.get_depth(), 3),
        ("simplest", None, 2),
    ],
)
def test_refit_chooses_members(refit, complexity, depth):
    X, y = iris()
    search = RashomonSearchCV(TREES, theta=0.05, refit=refit, complexity=complexity)
    search.fit(X, y)
    assert len(search.members_) == 1
    assert search.members_[0].get_depth() == depth


def test_best_member_and_votes():
    X, y = iris()
    best = RashomonSearchCV(TREES, refit="best").fit(X, y)
    assert_array_equal(best.predict(X), best.members_[0].predict(X))
    mixed = [*TREES, ("svm", SVC())]
    hard = RashomonSearchCV(mixed, voting="hard", theta=0.05).fit(X, y)
    P = hard.member_predictions(X)
    votes = np.stack([(label == P).mean(axis=0) for label in hard.classes_])
    assert_array_equal(hard.predict(X), hard.classes_[votes.argmax(axis=0)])
    assert not hasattr(hard, "predict_proba")
    soft = RashomonSearchCV(mixed, theta=0.05).fit(X, y)
    assert not hasattr(soft, "predict_proba")  # SVC has none, so the majority decides
    assert soft.score(X, y) > 0.9


def test_sampled_parameters():
    X, y = iris()
    space = ("knn", KNeighborsClassifier(), {"n_neighbors": [1, 3, 5, 7]}, 3)
    search = RashomonSearchCV([space], random_state=0).fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    again = RashomonSearchCV([space], random_state=0).fit(X, y)
    assert search.cv_results_["params"] == again.cv_results_["params"]


def test_regressors_average_and_show_a_range():
    X, y = load_diabetes(return_X_y=True)
    search = RashomonSearchCV([("ols", LinearRegression()), ("ridge", Ridge(0.1))])
    search.fit(X, y)
    assert_allclose(search.predict(X), search.member_predictions(X).mean(axis=0))
    assert (search.prediction_range_[:, 0] <= search.prediction_range_[:, 1]).all()
    assert not hasattr(search, "ambiguity_")
    assert search.score(X, y) > 0.4


def test_from_a_fitted_search():
    X, y = iris()
    grid = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}
    ).fit(X, y)
    found = RashomonSearchCV.from_search(grid, X, y, theta=0.02)
    direct = RashomonSearchCV(TREES, theta=0.02).fit(X, y)
    assert_array_equal(
        found.cv_results_["in_rashomon_set"], direct.cv_results_["in_rashomon_set"]
    )
    assert_array_equal(found.predict(X), direct.predict(X))
    assert found.method_ == "given search"


def test_candidates_that_take_no_sparse_rows_are_named():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(TypeError, match=r"Sparse X was passed, but .* 'linear' takes"):
        RashomonSearchCV().fit(csr_array(X), y)


def test_equal_means_are_equal_whatever_the_order_of_folds():
    scores = np.array(
        [[0.1, 0.2, 0.3, 0.7], [0.7, 0.3, 0.2, 0.1], [0.3, 0.1, 0.7, 0.2]]
    )
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        inside, best, _ = select_scores(scores[order], 0.0)
        assert best == 0
        assert inside.all()
        table = results_table([("", None, {})] * 3, scores[order], scores, inside)
        assert_array_equal(table["rank_test_score"], [1, 2, 3])


def test_from_a_search_with_several_metrics():
    X, y = load_iris(return_X_y=True)
    grid, scoring = {"max_depth": [1, 2, 3]}, ["accuracy", "neg_log_loss"]
    tree = DecisionTreeClassifier(random_state=0)
    several = GridSearchCV(tree, grid, scoring=scoring, refit="neg_log_loss", cv=3)
    single = GridSearchCV(tree, grid, scoring="neg_log_loss", cv=3)
    one, other = (
        RashomonSearchCV.from_search(search.fit(X, y), X, y, theta=0.5)
        for search in (several, single)
    )
    assert_allclose(
        one.cv_results_["mean_test_score"], single.cv_results_["mean_test_score"]
    )
    assert one.ratio_ == other.ratio_
    search = GridSearchCV(tree, grid, scoring=scoring, refit=False, cv=3).fit(X, y)
    with pytest.raises(ValueError, match=r"one of \['accuracy', 'neg_log_loss'\], got"):
        RashomonSearchCV.from_search(search, X, y)


def test_metadata_with_and_without_routing():
    X, y = iris()
    w, groups = np.linspace(1, 2, 150), np.arange(150) % 10
    plain = RashomonSearchCV(TREES, cv=GroupKFold(5))
    plain.fit(X, y, sample_weight=w, groups=groups)
    with config_context(enable_metadata_routing=True):
        asking = [
            (
                name.replace(" ", "_"),
                DecisionTreeClassifier(max_depth=d, random_state=0)
                .set_fit_request(sample_weight=True)
                .set_score_request(sample_weight=False),
            )
            for d, (name, _) in enumerate(TREES, 1)
        ]
        routed = RashomonSearchCV(asking, cv=GroupKFold(5))
        routed.fit(X, y, sample_weight=w, groups=groups)
    assert_allclose(
        routed.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )


def test_failing_candidates():
    X, y = iris()
    bad = [*TREES, ("bad", DecisionTreeClassifier(max_features=99.0))]
    with pytest.raises(ValueError, match="max_features"):
        RashomonSearchCV(bad).fit(X, y)
    with pytest.warns(FitFailedWarning, match="All fits of 'bad' failed"):
        search = RashomonSearchCV(bad, error_score=np.nan).fit(X, y)
    assert not search.cv_results_["in_rashomon_set"][3]
    assert search.hypothesis_space_["size"] == 3


def test_bad_input():
    X, y = iris()
    with pytest.raises(ValueError, match=r"estimators must hold \(name, estimator\)"):
        RashomonSearchCV([("tree", 3)]).fit(X, y)
    with pytest.raises(ValueError, match="at least one candidate, got none"):
        RashomonSearchCV([("knn", KNeighborsClassifier(), {}, 0)]).fit(X, y)
    with pytest.raises(ValueError, match="at least one candidate, got none"):
        RashomonSearchCV([]).fit(X, y)
    with pytest.raises(ValueError, match=r"estimators must hold \(name, estimator\)"):
        RashomonSearchCV([SVC()]).fit(X, y)
    with pytest.raises(ValueError, match="complexity='depth_' is no attribute of"):
        RashomonSearchCV(TREES, refit="simplest", complexity="depth_").fit(X, y)
    with pytest.raises(
        ValueError, match=r"takes a fitted GridSearchCV .* got SVC with"
    ):
        RashomonSearchCV.from_search(SVC(), X, y)
    for given, message in (
        ({"estimators": [SVC()]}, r"must hold \(name, estimator\), got SVC"),
        ({"estimators": []}, "at least one candidate, got none"),
        ({"estimators": {}}, "at least one candidate, got none"),
        ({"estimators": {"svm": 3}}, r"must hold \(name, estimator\), got \('svm', 3"),
        ({"estimators": SVC()}, r"a dict or a list of \(name, estimator\), got SVC"),
        ({"tol": np.nan}, "tol must be a finite number from 0 upwards, got nan"),
        ({"tol": True}, "tol must be a finite number from 0 upwards, got True"),
        ({"n_jobs": 0}, "n_jobs must be None or a whole number other than 0"),
    ):
        with pytest.raises(ValueError, match=message):
            similar_performance(X, y, **given)
    with pytest.raises(ValueError, match="must be 'default', a dict or a list"):
        similar_performance(X, y, estimators="all")
    with pytest.raises(ValueError, match="The 'theta' parameter"):
        RashomonSearchCV(TREES, theta="2se").fit(X, y)


def test_candidates_as_a_dict():
    X, y = iris()
    one, two = (similar_performance(X, y, estimators=e) for e in (TREES, dict(TREES)))
    assert one.table["name"] == two.table["name"]
    assert one.spread == two.spread
    one, two = (RashomonSearchCV(e).fit(X, y) for e in (TREES, dict(TREES)))
    assert_array_equal(one.predict(X), two.predict(X))
    assert one.ratio_ == two.ratio_


def test_similar_performance_equals_a_loop():
    X, y = iris()
    found = similar_performance(X, y, estimators=TREES, tol=0.05)
    scores = np.array([cross_val_score(tree, X, y) for _, tree in TREES])
    mean = scores.mean(axis=1)
    assert_allclose(found.table["mean_score"], mean)
    assert_allclose(found.spread, mean.max() - mean.min())
    gap = scores[mean.argmax()] - scores[mean.argmin()]
    assert_allclose(found.spread_se, gap.std(ddof=1) / np.sqrt(5))
    assert found.best == TREES[mean.argmax()][0]
    assert found.simplest_within_tol == "depth 2"
    assert not found.similar


def test_similar_performance_passes_weights():
    X, y = iris()
    w = np.where(y == 2, 0.0, 1.0)
    found = similar_performance(X, y, estimators=TREES[:1], sample_weight=w)
    plain = similar_performance(X, y, estimators=TREES[:1])
    assert found.table["mean_score"][0] <= plain.table["mean_score"][0] + 1e-12


@pytest.mark.slow
def test_alike_algorithms_go_with_large_sets():
    """Over bundled and synthetic sets the spread falls as the ratio grows."""
    spread, log_ratio = [], []
    sets = [iris()]
    for seed in range(13):
        sets.append(
            make_classification(
                250,
                6,
                n_informative=2 + seed % 4,
                n_redundant=0,
                n_clusters_per_class=1 + seed % 2,
                class_sep=0.3 + 0.15 * seed,
                flip_y=0.02 * (13 - seed),
                random_state=seed,
            )
        )
    candidates = [
        ("tree", DecisionTreeClassifier(max_depth=5, random_state=0)),
        ("linear", LogisticRegression(max_iter=500)),
        ("svm", SVC()),
        ("knn", KNeighborsClassifier()),
    ]
    for X, y in sets:
        check = similar_performance(X, y, estimators=candidates)
        best = 1 - max(check.table["mean_score"])
        clf = RashomonTreeClassifier(3, n_members=1, reference_loss=best).fit(X, y)
        spread.append(check.spread)
        log_ratio.append(clf.log_ratio_)
    assert stats.spearmanr(spread, log_ratio).statistic < 0


def test_targets_in_a_column_are_flattened_with_a_warning(rng):
    X = rng.normal(size=(30, 2))
    y = X[:, 0] + rng.normal(size=30)
    peers = [("ridge", Ridge()), ("line", LinearRegression())]
    flat = RashomonSearchCV(peers, theta=1.0).fit(X, y)
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        column = RashomonSearchCV(peers, theta=1.0).fit(X, y[:, None])
    assert_allclose(column.predict(X), flat.predict(X))
    assert_allclose(column.prediction_range_, flat.prediction_range_)


def test_a_default_search_is_stored_by_skops():
    """Its members are scikit-learn's, and theirs are for the reader to trust."""
    skops_io = pytest.importorskip("skops.io", reason="needs skops")
    X, y = iris()
    model = RashomonSearchCV(cv=3, random_state=0).fit(X, y)
    trees = [m for m in model.members_ if isinstance(m, DecisionTreeClassifier)]
    assert trees
    stored = skops_io.dumps(model)
    foreign = set(skops_io.get_untrusted_types(data=stored)) - set(trusted_types())
    members = skops_io.dumps(model.members_)
    assert foreign == set(skops_io.get_untrusted_types(data=members))
    loaded = skops_io.loads(stored, trusted=[*trusted_types(), *foreign])
    assert_array_equal(loaded.predict(X), model.predict(X))
