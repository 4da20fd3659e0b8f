"""The estimator against the dense normal model, and what it promises."""

import datetime
import inspect
import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.tasks import ContextSplit, TaskRidge
from tests._marks import DEFAULT_SCORES
from tests.tasks.conftest import dense, make

FORMS = [
    (form, method)
    for form in ("full", "diag", "intercept")
    for method in ("reml", "ml")
]


@pytest.mark.parametrize(("form", "method"), FORMS)
def test_likelihood_is_that_of_the_dense_normal_model(table, form, method):
    model = TaskRidge(form, method=method).fit(table.X, table.y, groups=table.groups)
    D, V, inverse = dense(model, table)
    rest = table.y - D @ model.prior_mean_
    expected = np.linalg.slogdet(V)[1] + rest @ inverse @ rest
    count = table.n
    if method == "reml":
        expected += np.linalg.slogdet(D.T @ inverse @ D)[1]
        count -= D.shape[1]
    expected = -(expected + count * np.log(2 * np.pi)) / 2
    assert_allclose(model.log_likelihood_, expected, rtol=1e-8)


def test_mean_is_generalised_least_squares(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    D, _, inverse = dense(model, table)
    expected = np.linalg.solve(D.T @ inverse @ D, D.T @ inverse @ table.y)
    assert_allclose(model.prior_mean_, expected, rtol=1e-6)


def test_posterior_is_dense_conditioning(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    D, _, inverse = dense(model, table)
    mean_cov = np.linalg.inv(D.T @ inverse @ D)
    rest = table.y - D @ model.prior_mean_
    rows = np.random.default_rng(0).permutation(table.n)[:6]
    X, groups = table.X[rows] * 1.1, table.groups[rows].copy()
    groups[-1] = 99  # nobody knows this task
    new = np.column_stack([np.ones(len(X)), X])
    cross = np.where(groups[:, None] == table.groups, new @ model.prior_cov_ @ D.T, 0)
    mean, std = model.predict(X, groups, return_std=True)
    assert_allclose(mean, new @ model.prior_mean_ + cross @ inverse @ rest, rtol=1e-6)
    own = np.einsum("ij,jk,ik->i", new, model.prior_cov_, new)
    left = new - cross @ inverse @ D  # what the estimated mean adds
    variance = own - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    variance += np.einsum("ij,jk,ik->i", left, mean_cov, left)
    noise = model.task_noise_var_[np.minimum(groups, 11)]
    noise[-1] = model.noise_var_
    assert_allclose(std**2, variance + noise, rtol=1e-5)


def test_coefficients_of_tasks_predict(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    slopes = model.task_coef_[table.groups]
    expected = model.task_intercept_[table.groups] + (slopes * table.X).sum(axis=1)
    assert_allclose(model.predict(table.X, table.groups), expected, rtol=1e-7)
    design = np.column_stack([np.ones(table.n), table.X])
    cov = model.task_cov_[table.groups]
    spread = np.einsum("ij,ijk,ik->i", design, cov, design)
    spread += model.task_noise_var_[table.groups]
    _, std = model.predict(table.X, table.groups, return_std=True)
    assert_allclose(std**2, spread, rtol=1e-5)
    new = model.predict(table.X, np.full(table.n, 77))
    assert_allclose(new, model.intercept_ + table.X @ model.coef_, rtol=1e-7)


def test_penalised_optimum_cannot_be_improved(table):
    """Nudge the population: penalised likelihood falls, by brute force."""
    model = TaskRidge(prior_strength=2.0).fit(table.X, table.y, groups=table.groups)

    def value(cov, noise):
        probe = deepcopy(model)
        probe.prior_cov_, probe.noise_var_ = cov, noise
        D, V, inverse = dense(probe, table)
        mean = np.linalg.solve(D.T @ inverse @ D, D.T @ inverse @ table.y)
        rest = table.y - D @ mean
        like = np.linalg.slogdet(V)[1] + rest @ inverse @ rest
        like += np.linalg.slogdet(D.T @ inverse @ D)[1]
        centre = np.eye(len(cov))
        centre[0, 1:] = table.X.mean(axis=0)  # the penalty is on centred columns
        there = centre @ cov @ centre.T
        scale = np.sqrt(np.diag(there))
        return like - 2.0 * np.linalg.slogdet(there / np.outer(scale, scale))[1]

    best = value(model.prior_cov_, model.noise_var_)
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky(model.prior_cov_)
    for _ in range(40):
        nudge = np.eye(len(root)) + 0.02 * rng.normal(size=root.shape)
        cov = root @ nudge @ nudge.T @ root.T
        noise = model.noise_var_ * np.exp(0.02 * rng.normal())
        assert value(cov, noise) > best - 1e-5


def test_no_worse_than_many_starts():
    """The likelihood is that of a plain optimiser of dense matrices, from anywhere."""
    from scipy.optimize import minimize

    table = make(3, n_tasks=10, d=1, high=6)
    model = TaskRidge(prior_strength=0).fit(table.X, table.y, groups=table.groups)
    z = (table.X - table.X.mean()) / table.X.std()
    D = np.column_stack([np.ones(table.n), z])
    same = table.groups[:, None] == table.groups

    def loss(theta):
        L = np.array([[theta[0], 0], [theta[1], theta[2]]])
        V = np.where(same, D @ L @ L.T @ D.T, 0) + np.exp(theta[3]) * np.eye(table.n)
        inverse = np.linalg.inv(V)
        P = D.T @ inverse @ D
        rest = table.y - D @ np.linalg.solve(P, D.T @ inverse @ table.y)
        value = np.linalg.slogdet(V)[1] + rest @ inverse @ rest
        return value + np.linalg.slogdet(P)[1]

    starts = [[10, 0, 10, 5], [1, 5, 1, 3], [30, -10, 3, 6]]
    best = min(minimize(loss, s, method="Nelder-Mead").fun for s in starts)
    best += 2 * np.log(table.X.std())  # the scale of the column in the determinant
    mine = -2 * model.log_likelihood_ - (table.n - 2) * np.log(2 * np.pi)
    assert mine < best + 1e-4


def test_weights_count_rows(table):
    w = np.random.default_rng(1).integers(0, 4, table.n)
    w[:2] = 1
    weighted = TaskRidge().fit(table.X, table.y, sample_weight=w, groups=table.groups)
    repeated = TaskRidge().fit(
        np.repeat(table.X, w, axis=0),
        np.repeat(table.y, w),
        groups=np.repeat(table.groups, w),
    )
    assert_array_equal(weighted.groups_, repeated.groups_)
    assert_allclose(weighted.log_likelihood_, repeated.log_likelihood_, rtol=1e-9)
    assert_allclose(weighted.task_coef_, repeated.task_coef_, rtol=1e-5)


def test_order_and_labels_say_nothing(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    order = np.random.default_rng(2).permutation(table.n)
    names = np.array([f"store {9 - g % 10}-{g}" for g in table.groups])
    other = TaskRidge().fit(table.X[order], table.y[order], groups=names[order])
    assert_allclose(
        other.predict(table.X, names), model.predict(table.X, table.groups), rtol=1e-6
    )


def test_affine_columns_change_nothing(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    A = [1e-3, 40.0] * table.X + [7.0, -1e4]
    other = TaskRidge().fit(A, 5 * table.y + 3, groups=table.groups)
    expected = 5 * model.predict(table.X, table.groups) + 3
    assert_allclose(other.predict(A, table.groups), expected, rtol=1e-6)
    mixed = table.X @ np.array(
        [[1.0, 0.5 * np.divide(*table.X.std(axis=0)[::-1])], [0, 1]]
    )
    pure = TaskRidge(prior_strength=0)  # the pull is on correlations of these columns
    one = clone(pure).fit(table.X, table.y, groups=table.groups)
    two = clone(pure).fit(mixed, table.y, groups=table.groups)
    assert_allclose(one.log_likelihood_, two.log_likelihood_, atol=1e-4)


def test_float32_far_from_zero():
    table = make(4)
    X = (table.X / table.X.std(axis=0) + 1e5).astype(np.float32)
    single = TaskRidge().fit(X, table.y, groups=table.groups)
    double = TaskRidge().fit(X.astype(float), table.y, groups=table.groups)
    said = single.predict(X, table.groups)
    assert said.dtype == np.float32
    assert_allclose(said, double.predict(X.astype(float), table.groups), rtol=1e-3)


def test_many_rows_a_task_give_its_own_least_squares():
    table = make(5, n_tasks=6, d=1, low=3000, high=3001)
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    for task in range(6):
        rows = table.groups == task
        own = LinearRegression().fit(table.X[rows], table.y[rows])
        assert_allclose(model.task_coef_[task], own.coef_, rtol=5e-3)
    assert model.shrinkage_.max() < 0.01


def test_equal_tasks_are_pooled():
    rng = np.random.default_rng(6)
    X, groups = rng.normal(size=(400, 2)), np.arange(400) // 4
    y = X @ [1.0, -2.0] + rng.normal(size=400)
    y -= LinearRegression().fit(X, y).predict(X) - X @ [1.0, -2.0]
    model = TaskRidge(prior_strength=0).fit(X, y, groups=groups)
    assert np.trace(model.prior_cov_) < 0.1 * model.noise_var_
    pooled = LinearRegression().fit(X, y).predict(X)
    assert np.mean((model.predict(X, groups) - pooled) ** 2) < 0.05


def test_one_task_is_least_squares(table):
    model = TaskRidge().fit(table.X, table.y)
    own = LinearRegression().fit(table.X, table.y)
    assert_allclose(model.predict(table.X), own.predict(table.X), rtol=1e-7)
    assert_allclose(model.prior_cov_, 0)
    assert model.n_tasks_ == 1


def test_no_intercept(table):
    model = TaskRidge(fit_intercept=False).fit(table.X, table.y, groups=table.groups)
    assert_array_equal(model.task_intercept_, 0)
    assert model.intercept_ == 0
    assert model.prior_cov_.shape == (2, 2)
    zero = model.predict(np.zeros((1, 2)), groups=[0])
    assert_allclose(zero, 0, atol=1e-9)


@pytest.mark.parametrize("n_blocks", [2, 5])
def test_blocks_equal_one_fit(table, n_blocks):
    whole = TaskRidge().fit(table.X, table.y, groups=table.groups)
    order = np.random.default_rng(3).permutation(table.n)
    blocks = np.array_split(order, n_blocks)
    stream = TaskRidge()
    for rows in blocks:
        stream.partial_fit(table.X[rows], table.y[rows], groups=table.groups[rows])
    parts = [
        (table.X[rows], table.y[rows], None, table.groups[rows]) for rows in blocks
    ]
    blockwise = TaskRidge().fit_blocks(parts, n_jobs=2)
    one, two = (
        TaskRidge().fit(table.X[half], table.y[half], groups=table.groups[half])
        for half in (order[: table.n // 2], order[table.n // 2 :])
    )
    for other in (stream, blockwise, one.merge(two)):
        assert_array_equal(other.groups_, whole.groups_)
        found, expected = other.sufficient_statistics_, whole.sufficient_statistics_
        for name in ("weight", "x_mean", "y_mean"):
            one, two = getattr(found, name), getattr(expected, name)
            assert_allclose(one, two, rtol=1e-8, atol=1e-8)
        for name in ("xx", "xy", "yy"):
            one, two = getattr(found.within, name), getattr(expected.within, name)
            assert_allclose(one, two, rtol=1e-8, atol=1e-8)
        assert_allclose(
            other.predict(table.X, table.groups),
            whole.predict(table.X, table.groups),
            rtol=1e-6,
        )


def test_condition_is_the_posterior_and_leaves_the_original():
    table = make(7, n_tasks=14)
    old = table.groups < 10
    model = TaskRidge().fit(table.X[old], table.y[old], groups=table.groups[old])
    before = pickle.dumps(model)
    more = model.condition(table.X[~old], table.y[~old], groups=table.groups[~old])
    assert pickle.dumps(model) == before
    assert_array_equal(more.groups_, np.arange(14))
    assert_allclose(more.prior_cov_, model.prior_cov_)
    for task in range(10, 14):
        rows = table.groups == task
        D = np.column_stack([np.ones(rows.sum()), table.X[rows]])
        V = D @ model.prior_cov_ @ D.T + model.noise_var_ * np.eye(len(D))
        gain = model.prior_cov_ @ D.T @ np.linalg.inv(V)
        expected = model.prior_mean_ + gain @ (table.y[rows] - D @ model.prior_mean_)
        found = np.append(more.task_intercept_[task], more.task_coef_[task])
        assert_allclose(found, expected, rtol=1e-5)
    assert_allclose(more.task_coef_[:10], model.task_coef_, rtol=1e-9)


def test_condition_on_more_rows_of_a_known_task():
    table = make(8, n_tasks=8, low=8, high=14)
    first = np.arange(table.n) % 2 == 0
    model = TaskRidge().fit(table.X[first], table.y[first], groups=table.groups[first])
    more = model.condition(
        table.X[~first], table.y[~first], groups=table.groups[~first]
    )
    assert_allclose(more.shrinkage_ < model.shrinkage_, True)
    assert_array_equal(more.known_groups([0, 7, 8]), [True, True, False])


def test_group_feature_is_the_same_as_groups(table):
    expected = TaskRidge().fit(table.X, table.y, groups=table.groups)
    names = np.array([f"t{g:02d}" for g in table.groups])
    frame = pd.DataFrame(table.X, columns=["a", "b"])
    frame.insert(1, "store", names)
    beside = np.column_stack([table.X, table.groups])
    for X, column in (
        (frame, "store"),
        (frame, 1),
        (pl.from_pandas(frame), "store"),
        (beside, 2),
        (beside, -1),
        (frame.to_numpy().tolist(), 1),
    ):
        model = TaskRidge(group_feature=column).fit(X, table.y)
        assert_allclose(
            model.predict(X), expected.predict(table.X, table.groups), rtol=1e-7
        )
        assert model.n_features_in_ == 3
        assert model.prior_mean_.shape == (3,)
        with pytest.raises(AttributeError, match="coef_ needs group_feature=None"):
            model.coef_  # noqa: B018


def test_only_a_group_column_is_a_random_intercept():
    table = make(9, low=2)
    frame = pd.DataFrame({"store": table.groups.astype(str)})
    model = TaskRidge(group_feature="store").fit(frame, table.y)
    other = TaskRidge("intercept").fit(
        np.zeros((table.n, 1)), table.y, groups=table.groups
    )
    expected = other.predict(np.zeros((table.n, 1)), table.groups)
    assert_allclose(model.predict(frame), expected, rtol=1e-6)


def test_shared_estimator_takes_what_is_far_from_linear():
    rng = np.random.default_rng(10)
    groups = np.repeat(np.arange(40), 15)
    X = rng.uniform(-2, 2, (600, 1))
    y = np.sin(3 * X[:, 0]) + rng.normal(size=40)[groups] + 0.1 * rng.normal(size=600)
    boosting = HistGradientBoostingRegressor(random_state=0)
    model = TaskRidge(estimator=boosting).fit(X, y, groups=groups)
    assert not hasattr(model, "coef_")  # the population is the boosting's
    linear = TaskRidge().fit(X, y, groups=groups)
    new_X, new_groups = rng.uniform(-2, 2, (300, 1)), rng.integers(0, 40, 300)
    truth = (
        np.sin(3 * new_X[:, 0])
        + (y - np.sin(3 * X[:, 0])).reshape(40, 15).mean(axis=1)[new_groups]
    )
    error, other = (
        np.mean((m.predict(new_X, new_groups) - truth) ** 2) for m in (model, linear)
    )
    assert error < 0.5 * other
    assert_array_equal(model.prior_mean_, 0)
    grown = model.condition(X[:3], y[:3] + 1, groups=[99] * 3)
    assert grown.n_tasks_ == 41
    assert_allclose(grown.predict(X[:3], [99] * 3), y[:3] + 1, atol=0.6)


def test_intervals_hold_their_share():
    table = make(11, n_tasks=60, low=4, high=12)
    rng = np.random.default_rng(0)
    known = rng.random(table.n) < 0.6
    model = TaskRidge().fit(table.X[known], table.y[known], groups=table.groups[known])
    low, high = model.predict_interval(table.X[~known], table.groups[~known]).T
    inside = np.mean((low <= table.y[~known]) & (table.y[~known] <= high))
    assert 0.85 < inside < 0.95  # 190 rows: a standard error is .022
    wider = model.predict_interval(table.X, table.groups, confidence_level=0.99)
    assert (np.ptp(wider, axis=1) > 1.3 * (high - low).min()).all()


def test_search_over_new_tasks_routes_groups():
    table = make(12, n_tasks=20, low=4, high=9)
    grid = {"covariance_type": ["full", "diag", "intercept"]}
    folds = ContextSplit(3, n_context=2, random_state=0)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(TaskRidge(), grid, cv=folds)
        search.fit(table.X, table.y, groups=table.groups)
        assert search.best_score_ > 0.5
        pipe = make_pipeline(StandardScaler(), TaskRidge())
        pipe.fit(table.X, table.y, groups=table.groups)
        routed = pipe.predict(table.X, groups=table.groups)
    plain = TaskRidge().fit(table.X, table.y, groups=table.groups)
    assert_allclose(routed, plain.predict(table.X, table.groups), rtol=1e-6)
    frame = pd.DataFrame(table.X, columns=["a", "b"]).assign(store=table.groups)
    column = GridSearchCV(TaskRidge(group_feature="store"), grid, cv=folds)
    column.fit(frame, table.y, groups=table.groups)
    assert column.best_params_ == search.best_params_


def test_a_column_that_is_constant_in_every_task_has_no_slope_of_a_task():
    table = make(13, n_tasks=15, low=3)
    size = np.linspace(0, 1, 15)[table.groups]
    X = np.column_stack([table.X, size])
    model = TaskRidge().fit(X, table.y + 30 * size, groups=table.groups)
    assert_array_equal(model.unidentified_, [2])
    assert_allclose(model.prior_cov_[3], 0, atol=1e-12)
    assert np.ptp(model.task_coef_[:, 2]) < 1e-9


def test_exact_tasks_do_not_crash():
    rng = np.random.default_rng(14)
    groups, X = np.repeat(np.arange(6), 8), rng.normal(size=(48, 1))
    y = rng.normal(size=6)[groups] + rng.normal(size=6)[groups] * X[:, 0]
    model = TaskRidge().fit(X, y, groups=groups)
    assert 0 < model.noise_var_ < 1e-6 * y.var()
    assert_allclose(model.predict(X, groups), y, atol=1e-3)


def test_constant_target():
    model = TaskRidge().fit(np.arange(8.0)[:, None], np.ones(8), groups=[0, 1] * 4)
    assert_allclose(model.predict([[3.0]], groups=[0]), 1)


REFUSED = [
    ({}, {"groups": [0, 1]}, "groups has 2 labels for 6 rows"),
    ({}, {"groups": [0, 0, 1, 1, np.nan, 2]}, "groups contains missing labels"),
    ({}, {"groups": ["a", "a", "b", "b", None, "c"]}, "groups contains missing labels"),
    ({}, {"groups": ["a", "a", "b", "b", np.nan, "c"]}, "contains missing labels"),
    ({}, {"groups": ["a", "a", 1, 1, "b", "b"]}, "labels of one kind, got int, str"),
    ({}, {"groups": [["a", "b"]] * 6}, "For nested or crossed groups join the labels"),
    ({}, {"groups": np.arange(6)}, "every group has one row"),
    ({"group_feature": 0}, {"groups": [0, 0, 1, 1, 2, 2]}, "say the same in two ways"),
    ({"group_feature": "z"}, {}, "group_feature='z' is no column of X"),
    ({"group_feature": 7}, {}, "group_feature=7 is no column of X, which has 2"),
    (
        {"covariance_type": "intercept", "fit_intercept": False},
        {"groups": [0, 0, 1, 1, 2, 2]},
        "needs fit_intercept=True",
    ),
    ({"covariance_type": "banded"}, {}, "covariance_type"),
    ({"prior_strength": -1.0}, {}, "prior_strength"),
]


@pytest.mark.parametrize(("params", "fit", "message"), REFUSED)
def test_bad_input_is_refused_and_nothing_is_lost(params, fit, message):
    X, y = np.arange(12.0).reshape(6, 2) ** 2, np.arange(6.0)
    model = TaskRidge().fit(X, y, groups=[0, 0, 0, 1, 1, 1])
    before = model.coef_
    model.set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **fit)
    assert model.coef_ is before


def test_updates_that_fail_leave_the_model(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="groups are <U1 here and were int64 before"):
        model.partial_fit(table.X[:2], table.y[:2], groups=["a", "b"])
    with pytest.raises(ValueError, match="merge needs models of the same columns"):
        model.merge(TaskRidge().fit(table.X[:, :1], table.y))
    with pytest.raises(ValueError, match="condition needs groups="):
        model.condition(table.X[:2], table.y[:2])
    with pytest.raises(ValueError, match="confidence_level must lie between 0 and 1"):
        model.predict_interval(table.X, table.groups, confidence_level=90)
    assert pickle.dumps(model) == before
    shared = TaskRidge(estimator=LinearRegression())
    with pytest.raises(ValueError, match="works with estimator=None"):
        shared.partial_fit(table.X, table.y, groups=table.groups)


def test_labels_of_another_kind_are_unknown_and_said(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    with pytest.warns(UserWarning, match="No group is known: labels are <U"):
        said = model.predict(table.X, table.groups.astype(str))
    assert_allclose(said, model.intercept_ + table.X @ model.coef_, rtol=1e-7)


def test_forgotten_groups_are_said(table):
    model = TaskRidge().fit(table.X, table.y, groups=table.groups)
    for method in (model.predict, lambda X: model.score(X, table.y)):
        with pytest.warns(UserWarning, match="predicted by the population of the 12"):
            method(table.X)


def test_too_few_iterations_are_said(table):
    with pytest.warns(
        ConvergenceWarning, match=r"still rising after max_iter=2 .* nats"
    ):
        TaskRidge(max_iter=2).fit(table.X, table.y, groups=table.groups)


def test_signature_keeps_what_follows_positional():
    names = list(inspect.signature(TaskRidge.fit).parameters)
    assert names == ["self", "X", "y", "sample_weight", "groups"]


DAYS = np.arange(12).astype("timedelta64[D]")
LABELS = {
    "tuples": pd.Series([(i, "x") for i in range(12)]),
    "index": pd.MultiIndex.from_arrays([range(12), range(12)]),
    "categories": pd.Categorical([f"c{i}" for i in range(12)]),
    "strings": pd.Series([f"c{i}" for i in range(12)], dtype="string"),
    "numpy strings": np.array(["a", *map(np.str_, range(11))], dtype=object),
    "nullable": pd.Series(range(12), dtype="Int64"),
    "dates": np.datetime64("2020-01-01") + DAYS,
    "zoned": pd.Series(pd.date_range("2020-01-01", periods=12, tz="UTC")),
    "durations": DAYS,
    "objects": np.array([datetime.date(2020, 1, 1 + i) for i in range(12)], object),
    "enum": pl.Series([f"c{i}" for i in range(12)], dtype=pl.Categorical),
}


def labels_of(name, codes):
    labels = LABELS[name]
    return labels.take(codes) if isinstance(labels, pd.Index) else labels[codes]


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_kind(table, name):
    codes = table.groups
    groups = labels_of(name, codes)
    model = TaskRidge().fit(table.X, table.y, groups=groups)
    expected = TaskRidge().fit(table.X, table.y, groups=codes)
    assert model.n_tasks_ == expected.n_tasks_
    assert_allclose(
        model.predict(table.X, groups), expected.predict(table.X, codes), rtol=1e-6
    )
    more = model.condition(table.X, table.y, groups=groups)
    assert more.n_tasks_ == model.n_tasks_


@pytest.mark.parametrize("fitted", ["dates", "nullable", "tuples", "objects"])
def test_labels_that_cannot_be_compared_are_unknown(table, fitted):
    codes = table.groups
    model = TaskRidge().fit(table.X, table.y, groups=labels_of(fitted, codes))
    for other in {"dates", "nullable", "tuples", "zoned", "categories"} - {fitted}:
        groups = labels_of(other, codes)
        assert not model.known_groups(groups).any()
        with pytest.raises(ValueError, match="use labels of one kind"):
            model.condition(table.X, table.y, groups=groups)


def test_missing_dates_and_labels_without_an_order_are_refused(table):
    dates = (np.datetime64("2020-01-01") + DAYS)[table.groups]
    dates[0] = "NaT"
    with pytest.raises(ValueError, match="groups contains missing labels"):
        TaskRidge().fit(table.X, table.y, groups=dates)
    sets = pd.Series([frozenset([i]) for i in table.groups])
    with pytest.raises(ValueError, match="can be sorted, got frozenset"):
        TaskRidge().fit(table.X, table.y, groups=sets)


def test_shared_estimator_under_routing(table):
    """Neither its own folds nor its weights ask for metadata."""
    model = TaskRidge(estimator=LinearRegression())
    args = {"groups": table.groups, "sample_weight": np.full(table.n, 2.0)}
    expected = model.fit(table.X, table.y, **args).predict(table.X, table.groups)
    with config_context(enable_metadata_routing=True):
        clone(model).fit(table.X, table.y, groups=table.groups)
        routed = clone(model).fit(table.X, table.y, **args)
        assert_allclose(routed.predict(table.X, groups=table.groups), expected)
    with pytest.raises(ValueError, match="KNeighborsRegressor takes no sample_weight"):
        TaskRidge(estimator=KNeighborsRegressor()).fit(table.X, table.y, **args)


def test_the_shared_part_belongs_to_the_fit(table):
    shared = TaskRidge(estimator=LinearRegression())
    shared.fit(table.X, table.y, groups=table.groups)
    expected = shared.predict(table.X, table.groups)
    shared.set_params(estimator=None)  # as long as it is not fitted again
    assert_allclose(shared.predict(table.X, table.groups), expected)
    plain = TaskRidge().fit(table.X, table.y, groups=table.groups)
    for update in (
        lambda: plain.merge(shared),
        lambda: shared.merge(plain),
        lambda: shared.partial_fit(table.X, table.y, groups=table.groups),
    ):
        with pytest.raises(ValueError, match="LinearRegression needs all rows"):
            update()
    shared.fit(table.X, table.y, groups=table.groups)
    assert not hasattr(shared, "shared_")
    assert_allclose(
        shared.predict(table.X, table.groups), plain.predict(table.X, table.groups)
    )


def test_updates_keep_to_groups_and_columns(table):
    args = table.X, table.y
    grouped, pooled = (
        TaskRidge().fit(*args, groups=table.groups),
        TaskRidge().fit(*args),
    )
    with pytest.raises(ValueError, match="came with groups, these come without groups"):
        grouped.partial_fit(*args)
    with pytest.raises(ValueError, match="came without groups, these come with groups"):
        pooled.partial_fit(*args, groups=table.groups)
    with pytest.raises(ValueError, match="groups in both models or in neither"):
        grouped.merge(pooled)
    blocks = [(*args, None, table.groups), args]
    with pytest.raises(ValueError, match="these come without groups"):
        TaskRidge().fit_blocks(blocks)
    with pytest.raises(TypeError, match="merge needs a TaskRidge, got LinearReg"):
        grouped.merge(LinearRegression().fit(*args))
    one, two = (
        TaskRidge().fit(pd.DataFrame(table.X, columns=names), table.y)
        for names in (["a", "b"], ["b", "a"])
    )
    with pytest.raises(ValueError, match=r"got \['a', 'b'\] here and \['b', 'a'\]"):
        one.merge(two)


@pytest.mark.parametrize("routing", [pytest.param(True, marks=DEFAULT_SCORES), False])
def test_a_search_deals_groups_to_folds_beside_a_group_column(table, routing):
    frame = pd.DataFrame(table.X, columns=["a", "b"]).assign(store=table.groups)
    grid = {"covariance_type": ["diag", "intercept"]}
    folds = ContextSplit(2, n_context=1, random_state=0)
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(TaskRidge(group_feature="store"), grid, cv=folds)
        search.fit(frame, table.y, groups=table.groups)
    assert np.isfinite(search.best_score_)


@pytest.mark.parametrize("times", [1e-170, 1e170])
def test_values_whose_squares_leave_double_precision_are_refused(table, times):
    for X, y in ((table.X * [1, times], table.y), (table.X, table.y * times)):
        with pytest.raises(ValueError, match="use other units"):
            TaskRidge().fit(X, y, groups=table.groups)
    w = np.full(table.n, times)
    with pytest.raises(ValueError, match="sample_weight holds values"):
        TaskRidge().fit(table.X, table.y, sample_weight=w, groups=table.groups)


def test_weights_that_are_no_counts_are_said(table):
    w = np.full(table.n, 1 / table.n)
    with pytest.warns(UserWarning, match="sums to 1, less than one row for each of 12"):
        TaskRidge().fit(table.X, table.y, sample_weight=w, groups=table.groups)


def test_shapes_with_a_group_column():
    with pytest.raises(ValueError, match=r"2D array, got an X of shape \(6,\)"):
        TaskRidge(group_feature=0).fit(np.arange(6.0), np.arange(6.0))
    with pytest.raises(TypeError, match="group_feature needs a dense X"):
        TaskRidge(group_feature=0).fit(sparse.eye_array(6).tocsr(), np.arange(6.0))


@pytest.mark.parametrize("copies", [1, 2])
def test_intervals_of_one_task_are_those_of_least_squares(rng, copies):
    X, new = rng.normal(size=(12, 6)), rng.normal(size=(4, 6))
    y = X[:, 0] + rng.normal(size=12)
    model = TaskRidge().fit(np.tile(X, copies), y)
    low, high = model.predict_interval(np.tile(new, copies)).T
    D, N = (np.column_stack([np.ones(len(a)), a]) for a in (X, new))
    rest = y - D @ np.linalg.lstsq(D, y, rcond=None)[0]
    leverage = ((N @ np.linalg.inv(D.T @ D)) * N).sum(axis=1)
    half = stats.t.ppf(0.95, 5) * np.sqrt(rest @ rest / 5 * (1 + leverage))
    assert_allclose((high - low) / 2, half)


def test_large_labels_are_not_rounded(table):
    """Hashes: numpy would compare int64 and uint64 as floats."""
    signed = 2**62 + table.groups
    unsigned = signed.astype(np.uint64)
    model = TaskRidge("intercept").fit(table.X, table.y, groups=signed)
    assert model.known_groups(unsigned).all()
    assert not model.known_groups(unsigned + np.uint64(2**63)).any()
    whole = TaskRidge("intercept").fit(table.X, table.y, groups=table.groups)
    first = np.arange(table.n) % 2 == 0
    model.fit(table.X[first], table.y[first], groups=signed[first])
    model.partial_fit(table.X[~first], table.y[~first], groups=unsigned[~first])
    assert model.n_tasks_ == whole.n_tasks_
    assert_allclose(model.log_likelihood_, whole.log_likelihood_)
    mixed = np.append(np.uint64(2**64 - 1), unsigned[1:])
    negative = TaskRidge("intercept").fit(table.X, table.y, groups=-table.groups)
    assert_array_equal(negative.known_groups(mixed), np.zeros(table.n, dtype=bool))
    with pytest.raises(ValueError, match="groups are uint64 here and were int64"):
        negative.partial_fit(table.X, table.y, groups=mixed)


@pytest.mark.parametrize("form", ["full", "diag"])
def test_a_fit_that_leaves_no_noise_is_said(form):
    """Two rows a task, and three coefficients for them."""
    table = make(0, n_tasks=40, low=1, high=3, noise=0.01)
    model = TaskRidge(form)
    with pytest.warns(UserWarning, match="3 variances explain all .* no noise is left"):
        model.fit(table.X, table.y, groups=table.groups)
    assert model.noise_var_ < 1e-5 * table.y.var()


def test_a_sphere_that_leaves_no_noise_is_said():
    table = make(0, n_tasks=40, low=1, high=3, noise=0.01)
    model = TaskRidge("spherical")
    with pytest.warns(UserWarning, match="2 variances explain all .* rows.*intercept"):
        model.fit(table.X, table.y, groups=table.groups)


@pytest.mark.parametrize("kind", [list, lambda codes: np.array(codes, dtype=object)])
def test_large_integers_of_both_signs_are_labels(table, kind):
    ids = kind([int(g) + (2**63 if g > 4 else -9) for g in table.groups])
    one = TaskRidge().fit(table.X, table.y, groups=ids)
    two = TaskRidge().fit(table.X, table.y, groups=table.groups)
    assert one.n_tasks_ == two.n_tasks_
    assert_allclose(one.predict(table.X, ids), two.predict(table.X, table.groups))


def test_models_of_other_regressors_do_not_merge(table):
    frame = pd.DataFrame(table.X, columns=["a", "b"])
    frame["store"], frame["city"] = table.groups, table.groups % 3
    one, two = (
        TaskRidge("intercept", group_feature=column).fit(frame, table.y)
        for column in ("store", "city")
    )
    with pytest.raises(ValueError, match="models of the same columns"):
        one.merge(two)
