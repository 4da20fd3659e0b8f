"""Bags as metadata: splitters, scores, searches; and the trap they avoid."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.aggregate import (
    BagKFold,
    BagRegressor,
    BagShuffleSplit,
    InterpolatingAggregateRegressor,
    LabelProportionClassifier,
    LeaveOneBagOut,
    bag_cross_validate,
    bag_log_loss,
    bag_mean_absolute_error,
    bag_mean_squared_error,
    bag_r2_score,
    get_bag_scorer,
    instance_mse_from_bags,
    instance_r2_from_bags,
)
from tests._marks import DEFAULT_SCORES


@pytest.fixture
def replicated():
    """The example of the trap: 600 rows, 40 features, bags of five."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 40))
    coef = rng.normal(size=40)
    coef /= np.linalg.norm(coef)
    y = X @ coef + 0.7 * rng.normal(size=600)
    bags = rng.permutation(np.arange(600) // 5)
    return X, np.bincount(bags, y)[bags] / 5, bags, coef


SPLITTERS = [BagKFold(3), BagKFold(4, shuffle=True, random_state=0), LeaveOneBagOut()]
SPLITTERS += [BagShuffleSplit(5, test_size=0.3, random_state=1)]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_no_bag_is_split(rng, splitter):
    bags = rng.choice(list("abcdefghij"), size=50)
    X = np.zeros((50, 1))
    tested = []
    splits = list(splitter.split(X, bags=bags))
    assert len(splits) == splitter.get_n_splits(X, bags=bags)
    for train, test in splits:
        assert not set(bags[train]) & set(bags[test])
        tested += list(test)
    by_groups = splitter.split(X, groups=bags)
    assert_allclose(next(iter(by_groups))[1], splits[0][1])
    if not isinstance(splitter, BagShuffleSplit):
        assert sorted(tested) == list(range(50))


def test_splitter_without_bags():
    with pytest.raises(ValueError, match="BagKFold needs the bags"):
        next(BagKFold().split(np.zeros((4, 1))))
    with pytest.raises(ValueError, match="bags has length 3, expected 4"):
        next(BagKFold().split(np.zeros((4, 1)), bags=[1, 2, 3]))


@DEFAULT_SCORES
def test_search_routes_bags_everywhere(replicated):
    X, y, bags, _ = replicated
    pipe = make_pipeline(StandardScaler(), InterpolatingAggregateRegressor())
    grid = {"interpolatingaggregateregressor__rho": [0.0, 0.05, 1.0]}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipe, grid, cv=BagKFold(4))
        search.fit(X, y, bags=bags)
        by_name = GridSearchCV(
            pipe, grid, cv=BagKFold(4), scoring=get_bag_scorer("bag_r2")
        ).fit(X, y, bags=bags)
    assert search.best_estimator_[-1].n_bags_ == 120
    assert_allclose(
        search.cv_results_["mean_test_score"], by_name.cv_results_["mean_test_score"]
    )
    scores = []
    for train, test in BagKFold(4).split(X, bags=bags):
        model = make_pipeline(StandardScaler(), InterpolatingAggregateRegressor(0.05))
        name = "interpolatingaggregateregressor__bags"
        model.fit(X[train], y[train], **{name: bags[train]})
        scores.append(bag_r2_score(y[test], model.predict(X[test]), bags=bags[test]))
    assert_allclose(search.cv_results_["mean_test_score"][1], np.mean(scores))


def test_search_without_routing_passes_bags_to_fit(replicated):
    X, y, bags, _ = replicated
    search = GridSearchCV(BagRegressor(), {"alpha": [1.0, 10.0]}, cv=BagKFold(3))
    with pytest.warns(UserWarning, match="were bags= forgotten"):  # by the scores
        search.fit(X, y, groups=bags, bags=bags)
    assert search.best_estimator_.n_bags_ == 120


def test_the_trap_of_replicated_means(replicated):
    X, y, bags, coef = replicated
    grid = {
        "rho": [0.0, 0.03, 0.1, 0.3, 1.0],
        "alpha": [0.1, 1.0, 10.0, 100.0, 1000.0],
    }
    model = InterpolatingAggregateRegressor()
    naive = GridSearchCV(model, grid, cv=KFold(5, shuffle=True, random_state=0))
    with pytest.warns(UserWarning, match="y holds aggregates of bags that were fitted"):
        naive.fit(X, y, bags=bags)
    with config_context(enable_metadata_routing=True):
        aware = GridSearchCV(model, grid, cv=BagKFold(5)).fit(X, y, bags=bags)
    assert np.sum((naive.best_estimator_.coef_ - coef) ** 2) > 0.6
    assert np.sum((aware.best_estimator_.coef_ - coef) ** 2) < 0.25


@pytest.mark.parametrize(
    "model", [BagRegressor(), InterpolatingAggregateRegressor(rho=0.1)], ids=repr
)
def test_a_search_whose_folds_cut_bags_says_so(replicated, model):
    X, y, bags, _ = replicated
    grid = {"alpha": [1.0, 10.0]}
    cutting = KFold(5, shuffle=True, random_state=0)
    with config_context(enable_metadata_routing=True):
        with pytest.warns(UserWarning, match="bags that are scored were fitted to"):
            GridSearchCV(model, grid, cv=cutting).fit(X, y, bags=bags)
        GridSearchCV(model, grid, cv=BagKFold(5), return_train_score=True).fit(
            X, y, bags=bags
        )
    # labels that begin again in another table are no bags that were seen
    first, second = np.split(np.argsort(bags, kind="stable"), 2)
    fitted = clone(model).fit(X[first], y[first], bags=bags[first])
    fitted.score(X[second], y[second], bags=bags[second] - 60)
    # nor are rows without weight others
    w = np.ones(len(y))
    w[np.unique(bags, return_index=True)[1]] = 0
    fitted.fit(X, y, bags=bags, sample_weight=w).score(X, y, bags=bags, sample_weight=w)


def test_a_search_over_proportions_whose_folds_cut_bags_says_so():
    rng = np.random.default_rng(0)
    X, bags = rng.standard_normal((240, 3)), np.repeat(np.arange(60), 4)
    share = np.bincount(bags, X[:, 0] > 0) / 4
    P = np.column_stack([1 - share, share])[bags]
    search = GridSearchCV(
        LabelProportionClassifier(classes=[0, 1]),
        {"alpha": [1.0]},
        cv=KFold(2, shuffle=True, random_state=0),
    )
    with config_context(enable_metadata_routing=True):
        with pytest.warns(UserWarning, match="bags that are scored were fitted to"):
            search.fit(X, P, bags=bags)
        search.set_params(cv=BagKFold(3)).fit(X, P, bags=bags)


def test_cross_validation_without_routing(replicated):
    X, y, bags, _ = replicated
    found = bag_cross_validate(BagRegressor(), X, y, bags=bags, cv=3)
    with config_context(enable_metadata_routing=True):
        direct = cross_val_score(
            BagRegressor(), X, y, cv=BagKFold(3), params={"bags": bags}
        )
    assert_allclose(found["test_score"], direct)
    names = ["neg_bag_mean_squared_error", "neg_instance_mse"]
    several = bag_cross_validate(
        make_pipeline(StandardScaler(), Ridge()),  # knows nothing of bags
        X,
        y,
        bags=bags,
        scoring={name: get_bag_scorer(name) for name in names},
        return_train_score=True,
    )
    assert several["test_neg_instance_mse"].shape == (5,)


def test_metrics_match_loops(rng):
    y, pred = rng.normal(size=(2, 40))
    bags, w = rng.integers(0, 9, 40), rng.uniform(size=40)
    labels = np.unique(bags)
    mean = lambda v: np.array(  # noqa: E731
        [np.average(v[bags == b], weights=w[bags == b]) for b in labels]
    )
    sizes = np.array([w[bags == b].sum() for b in labels])
    gap = mean(y) - mean(pred)
    kwargs = {"bags": bags, "sample_weight": w}
    mse = np.average(gap**2, weights=sizes)
    assert_allclose(bag_mean_squared_error(y, pred, **kwargs), mse)
    assert_allclose(
        bag_mean_absolute_error(y, pred, **kwargs),
        np.average(abs(gap), weights=sizes),
    )
    center = np.average(mean(y), weights=sizes)
    total = np.average((mean(y) - center) ** 2, weights=sizes)
    assert_allclose(bag_r2_score(y, pred, **kwargs), 1 - mse / total)


def test_bags_without_weight_do_not_count(rng):
    y, pred = rng.normal(size=(2, 12))
    bags = np.arange(12) // 3
    w = np.where(bags == 1, 0.0, 1.0)
    kept = w > 0
    found = bag_r2_score(y, pred, bags=bags, sample_weight=w)
    assert_allclose(found, bag_r2_score(y[kept], pred[kept], bags=bags[kept]))
    X = y[:, None]
    model = BagRegressor().fit(X, y, bags=bags)
    assert_allclose(
        model.score(X, y, bags=bags, sample_weight=w),
        model.score(X[kept], y[kept], bags=bags[kept]),
    )


def test_bag_log_loss(rng):
    bags, y = np.arange(20) // 5, rng.choice(["a", "b", "c"], 20)
    y[:3] = "a", "b", "c"
    q = rng.dirichlet(np.ones(3), size=20)
    total = 0.0
    for b in range(4):
        p = np.mean(y[bags == b][:, None] == np.array(["a", "b", "c"]), axis=0)
        r = q[bags == b].mean(axis=0)
        total += np.sum(p[p > 0] * np.log(p[p > 0] / r[p > 0])) / 4
    assert_allclose(bag_log_loss(y, q, bags=bags), total)
    assert_allclose(
        bag_log_loss((y == "b").astype(float), q[:, 1], bags=bags, labels=[0.0, 1.0]),
        bag_log_loss(y == "b", np.c_[1 - q[:, 1], q[:, 1]], bags=bags),
    )
    with pytest.raises(ValueError, match="Name all classes with labels="):
        bag_log_loss(y[:3], q[:3, :2], bags=bags[:3])
    with pytest.raises(ValueError, match=r"holds \['b', 'c'\], which is not among"):
        bag_log_loss(["b", "c"], q[:2], bags=bags[:2], labels=["a", "d", "e"])


def test_row_error_from_bags_is_unbiased():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500) + 1
    pred = 0.5 * y + 0.5 * rng.normal(size=500) + 0.3
    sizes = np.repeat(np.arange(100), rng.multinomial(500, np.ones(100) / 100))
    estimates, r2 = [], []
    for _ in range(2000):
        bags = rng.permutation(sizes)
        estimates.append(instance_mse_from_bags(y, pred, bags=bags))
        r2.append(instance_r2_from_bags(y, pred, bags=bags))
    error = np.mean((y - pred) ** 2)
    assert abs(np.mean(estimates) - error) < 4 * np.std(estimates) / np.sqrt(2000)
    assert_allclose(np.mean(r2), 1 - error / np.var(y), atol=0.02)
    with pytest.raises(ValueError, match="at least two bags"):
        instance_mse_from_bags(y, pred, bags=np.zeros(500))


def test_scorers(replicated):
    X, y, bags, _ = replicated
    model = BagRegressor().fit(X, y, bags=bags)
    with config_context(enable_metadata_routing=True):
        scorer = get_bag_scorer("neg_bag_mean_squared_error")
        found = scorer(model, X, y, bags=bags)
    assert_allclose(found, -bag_mean_squared_error(y, model.predict(X), bags=bags))
    responses = X[:, 0]  # rows without bags
    assert_allclose(model.score(X, responses), get_scorer("r2")(model, X, responses))
    with pytest.raises(ValueError, match="name must be one of"):
        get_bag_scorer("r2")


@pytest.mark.parametrize("cv", [KFold(2, shuffle=True, random_state=0), [([0], [1])]])
def test_cut_bags_are_refused(cv):
    X, y, bags = np.arange(8.0)[:, None], np.arange(8.0), np.arange(8) // 2
    with pytest.raises(ValueError, match="cv cuts a bag"):
        bag_cross_validate(BagRegressor(), X, y, bags=bags, cv=cv)
    for whole in (
        GroupKFold(2),
        np.int64(2),
        BagKFold(2),
        [([0, 1, 2, 3], [4, 5, 6, 7])],
    ):
        found = bag_cross_validate(BagRegressor(), X, y, bags=bags, cv=whole)
        assert len(found["test_score"]) in (1, 2)


def test_lengths_of_metrics():
    with pytest.raises(ValueError, match="y_true has 2 rows but y_pred has 3"):
        bag_r2_score([1, 2], [1, 2, 3], bags=[0, 1])


@pytest.mark.parametrize(
    "metric", [bag_mean_squared_error, bag_mean_absolute_error, bag_r2_score]
)
def test_weights_of_metrics_are_shares(rng, metric):
    """Fractions, sums below one and copies of rows inside their bags."""
    y, pred = rng.normal(size=(2, 40))
    bags, times = rng.integers(0, 9, 40), rng.integers(1, 4, 40)
    weighted = metric(y, pred, bags=bags, sample_weight=times)
    for factor in (1e-4, 0.3, 1e4):
        scaled = metric(y, pred, bags=bags, sample_weight=factor * times)
        assert_allclose(scaled, weighted, rtol=1e-10)
    repeated = metric(
        np.repeat(y, times), np.repeat(pred, times), bags=bags.repeat(times)
    )
    assert_allclose(repeated, weighted, rtol=1e-10)


def test_weights_of_the_log_loss_are_shares(rng):
    q, y = rng.dirichlet(np.ones(2), size=40), rng.integers(0, 2, 40)
    bags, times = rng.integers(0, 9, 40), rng.integers(1, 4, 40)
    weighted = bag_log_loss(y, q, bags=bags, sample_weight=times)
    scaled = bag_log_loss(y, q, bags=bags, sample_weight=times / 1000)
    repeated = bag_log_loss(
        np.repeat(y, times), np.repeat(q, times, axis=0), bags=bags.repeat(times)
    )
    assert_allclose([scaled, repeated], weighted, rtol=1e-10)
