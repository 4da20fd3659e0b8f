"""The side of the rows against the side of the columns."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import RidgeCV

from sklearn_ext.tasks import TaskRidge, TaskShrinkageDisplay, _statistics
from sklearn_ext.tasks._posterior import Scale
from sklearn_ext.tasks._products import Products
from sklearn_ext.tasks._reml import Shape
from sklearn_ext.tasks._rows import Rows, _rounded_up
from sklearn_ext.tasks._statistics import Factors, Sums, TaskStatistics
from tests.tasks.conftest import make

SHAPES = {
    "full": {},
    "diag": {"correlated": False},
    "spherical": {"correlated": False, "owner": np.array([0, 1])},
    "ml": {"restricted": False},
    "fixed mean": {"fixed_mean": True},
}


def both_sides(monkeypatch, X, y, groups, w=None, *, fit_intercept=True):
    """Return products and rows that say the same."""
    w, found = np.ones(len(y)) if w is None else w, []
    for many, kind in ((10**9, Products), (0, Rows)):
        monkeypatch.setattr(_statistics, "MANY_COLUMNS", many)
        statistics = TaskStatistics.of(X, y, groups, w)
        scale = Scale.of(statistics, fit_intercept=fit_intercept)
        found.append(scale.products(statistics))
        assert isinstance(found[-1], kind)
    return found


@pytest.mark.parametrize("high", [3, 9])  # fewer rows than columns; more, and fewer
@pytest.mark.parametrize("kind", SHAPES)
def test_both_sides_agree(monkeypatch, rng, kind, high):
    table = make(1, n_tasks=15, d=4, high=high)
    w = rng.uniform(0.5, 2, table.n)
    one, two = both_sides(monkeypatch, table.X, table.y, table.groups, w)
    shape = Shape(5, np.array([0, 3]), **{"strength": 2.0, **SHAPES[kind]})
    theta = rng.normal(size=len(shape.start()))
    factor = shape.factor(theta)
    found = [side.deviance(factor, shape, 1e-12) for side in (one, two)]
    assert_allclose(found[0][0], found[1][0], rtol=1e-10)
    slopes = [shape.pack(slope, theta) for _, slope, _ in found]
    assert_allclose(slopes[0], slopes[1], rtol=1e-7, atol=1e-7)
    population = found[0][2]
    for name in ("mean", "noise_var", "mean_cov"):
        expected = getattr(found[1][2], name)
        assert_allclose(getattr(population, name), expected, rtol=1e-7, atol=1e-10)
    for a, b in zip(one.posterior(population), two.posterior(population), strict=True):
        assert_allclose(a, b, rtol=1e-8, atol=1e-8)
    expected = one.covariance(population)
    assert_allclose(two.covariance(population), expected, rtol=1e-7, atol=1e-9)
    Z, tasks = rng.normal(size=(40, 5)), rng.integers(0, len(one.weight), 40)
    expected = one.variance(population, Z, tasks)
    assert_allclose(two.variance(population, Z, tasks), expected, rtol=1e-7)
    own = two.least_squares()
    assert_allclose(own, one.least_squares(), rtol=1e-6, atol=1e-6)


def test_spherical_gradient_is_that_of_differences(monkeypatch, rng):
    table = make(2, d=4)
    shape = Shape(5, np.arange(5), correlated=False, owner=np.array([0, 1, 1, 1, 1]))
    theta = rng.normal(size=2)
    for side in both_sides(monkeypatch, table.X, table.y, table.groups):

        def value(theta, side=side):
            return side.deviance(shape.factor(theta), shape, 1e-12)[0]

        found = shape.pack(side.deviance(shape.factor(theta), shape, 1e-12)[1], theta)
        steps = 1e-6 * np.eye(2)
        expected = [(value(theta + s) - value(theta - s)) / 2e-6 for s in steps]
        assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("d", [2, 70])
def test_factors_have_the_products_of_the_sums(rng, d):
    n = 200
    X, y = rng.normal(size=(n, d)) + 1e6, rng.normal(size=n)
    groups, w = np.sort(rng.integers(0, 40, n)), rng.random(n) + 0.1
    groups[:90] = 0  # one task of more rows than columns
    table = np.column_stack([X, y])
    sizes = np.unique(groups, return_counts=True)[1]
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(table * w[:, None], starts)
    table -= np.repeat(means / np.add.reduceat(w, starts)[:, None], sizes, axis=0)
    sums, factors = (kind.of(table, w, starts, sizes) for kind in (Sums, Factors))
    assert_array_equal(factors.sizes, np.minimum(sizes - 1, d + 1))
    assert_allclose(factors.squares, sums.squares, rtol=1e-7)
    for task, rows in enumerate(np.split(factors.rows, factors.starts[1:])):
        assert_allclose(
            rows[:, :-1].T @ rows[:, :-1], sums.xx[task], rtol=1e-6, atol=1e-7
        )
        assert_allclose(rows[:, :-1].T @ rows[:, -1], sums.xy[task], atol=1e-7)


@pytest.mark.parametrize("form", ["full", "diag", "spherical", "intercept"])
def test_fitted_models_agree(monkeypatch, form):
    """Blocks, merges and conditioning from both sides."""
    table = make(3, n_tasks=25, d=3, high=8)
    order = np.random.default_rng(0).permutation(table.n)
    parts, late = np.array_split(order[:-20], 4), order[-20:]
    models = []
    for many in (64, 0):
        monkeypatch.setattr(_statistics, "MANY_COLUMNS", many)
        model = TaskRidge(form, tol=1e-10)
        for rows in parts[:2]:
            model.partial_fit(table.X[rows], table.y[rows], groups=table.groups[rows])
        rows = np.concatenate(parts[2:])
        other = TaskRidge(form).fit(
            table.X[rows], table.y[rows], groups=table.groups[rows]
        )
        model.merge(other)
        for rows in np.array_split(late, 3):
            model = model.condition(
                table.X[rows], table.y[rows], groups=table.groups[rows]
            )
        models.append(model)
    one, two = models
    assert isinstance(two.sufficient_statistics_.within, Factors)
    assert_allclose(one.log_likelihood_, two.log_likelihood_, atol=1e-5)
    for name in ("noise_var_", "shrinkage_", "task_coef_", "task_cov_"):
        found, expected = getattr(two, name), getattr(one, name)
        assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    said = [m.predict_interval(table.X, table.groups) for m in models]
    assert_allclose(said[1], said[0], rtol=1e-3, atol=1e-3 * table.y.std())


def test_blocks_of_rows_equal_one_fit(rng):
    d, n_tasks = 70, 12
    groups = np.repeat(np.arange(n_tasks), 6)
    X = rng.normal(size=(len(groups), d)) + 1e4
    y = rng.normal(size=n_tasks)[groups] + rng.normal(size=len(groups))
    whole = TaskStatistics.of(X, y, groups, np.ones(len(y)))
    order = rng.permutation(len(y))
    parts = [
        TaskStatistics.of(X[r], y[r], groups[r], np.ones(len(r)))
        for r in np.array_split(order, 30)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert_array_equal(total.within.sizes, whole.within.sizes)
    one, two = (
        np.stack([r.T @ r for r in np.split(s.within.rows, s.within.starts[1:])])
        for s in (total, whole)
    )
    assert_allclose(one, two, rtol=1e-7, atol=1e-7)


def test_wide_tasks_with_a_ridge_for_the_shared_part(rng):
    """More columns than all rows: what is shared is penalised, the tasks are not."""
    d, n_tasks = 150, 20
    groups = np.repeat(np.arange(n_tasks), 6)
    X = rng.normal(size=(len(groups), d))
    y = 3 * rng.normal(size=n_tasks)[groups] + X[:, 0]
    y += 0.1 * rng.normal(size=len(groups))
    train = np.arange(len(y)) % 6 < 4
    ridge = RidgeCV(np.logspace(0, 5, 11))
    model = TaskRidge("spherical", estimator=ridge)
    model.fit(X[train], y[train], groups=groups[train])
    assert model.score(X[~train], y[~train], groups=groups[~train]) > 0.7
    with pytest.warns(UserWarning, match="takes all that 80 rows say"):
        model = TaskRidge("intercept").fit(X[train], y[train], groups=groups[train])
    assert np.isfinite(model.predict_interval(X, groups)).all()


def test_many_scales_wake_together(rng):
    """Seventy slopes that differ, started so high that all are put to sleep."""
    d, n_tasks = 80, 60
    groups = np.repeat(np.arange(n_tasks), 16)
    X = rng.normal(size=(len(groups), d))
    slopes = rng.normal(size=(n_tasks, d)) * (np.arange(d) < 5)
    y = (X * slopes[groups]).sum(axis=1) + rng.normal(size=len(groups))
    model = TaskRidge("diag").fit(X, y, groups=groups)
    differ = np.diag(model.prior_cov_)[1:]
    assert differ[:5].min() > 10 * np.median(differ[5:])
    spherical = TaskRidge("spherical").fit(X, y, groups=groups)
    assert spherical.log_likelihood_ < model.log_likelihood_
    spread = np.diag(spherical.prior_cov_)[1:] * X.var(axis=0)
    assert_allclose(spread, spread[0], rtol=1e-6)


def test_an_unknown_task_is_the_population(rng):
    groups = np.repeat(np.arange(10), 5)
    X = rng.normal(size=(50, 66))
    y = rng.normal(size=10)[groups] + 0.1 * X[:, 0]
    with pytest.warns(UserWarning, match="takes all that 50 rows say"):
        model = TaskRidge("spherical").fit(X, y, groups=groups)
    mean, std = model.predict(X[:3], np.array([0, 77, 88]), return_std=True)
    assert_allclose(mean[1:], model.intercept_ + X[1:3] @ model.coef_, atol=1e-6)
    assert np.isfinite(std).all()


def test_full_covariance_of_many_coefficients_is_said():
    X = np.random.default_rng(0).normal(size=(30, 201))
    groups = np.arange(30) // 10
    with (
        pytest.warns(UserWarning, match="202 coefficients has 20503 entries"),
        pytest.warns(UserWarning, match="takes all that 30 rows"),
    ):
        TaskRidge(tol=1e3).fit(X, X[:, 0], groups=groups)


def test_shrinkage_is_drawn_of_wide_tasks(rng):
    groups = np.repeat(np.arange(10), [100, *[5] * 9])
    X = rng.normal(size=(len(groups), 66))
    y = rng.normal(size=10)[groups] + 0.1 * X[:, 0] + rng.normal(size=len(groups))
    model = TaskRidge("spherical").fit(X, y, groups=groups)
    display = TaskShrinkageDisplay.from_estimator(model)
    plt.close("all")
    assert np.isfinite(display.own).sum() == 1  # one task has rows enough


def test_sizes_are_rounded_up_to_few():
    sizes = np.arange(1000)
    found = _rounded_up(sizes)
    assert (found >= sizes).all()
    assert (found <= 1.25 * sizes + 1).all()
    assert len(np.unique(found)) < 45


# Extremes of the side of the rows


def wide(rng, n_tasks=30, d=70, low=2, high=8):
    groups = np.repeat(np.arange(n_tasks), rng.integers(low, high, n_tasks))
    X = rng.normal(size=(len(groups), d))
    slope = 1 + 0.5 * rng.normal(size=n_tasks)
    y = 2 * rng.normal(size=n_tasks)[groups] + X[:, 0] * slope[groups]
    return X, y + 0.3 * rng.normal(size=len(groups)), groups


def ridge():
    return RidgeCV(np.logspace(0, 4, 9))


@pytest.mark.parametrize("form", ["full", "diag", "spherical", "intercept"])
def test_one_row_a_task_is_refused(rng, form):
    X = rng.normal(size=(30, 70))
    for copies in (1, 5):
        groups = np.repeat(np.arange(30), copies)
        table, y = np.repeat(X, copies, axis=0), np.repeat(X[:, 0], copies)
        for shared in (None, ridge()):
            model = TaskRidge(form, estimator=shared)
            with pytest.raises(ValueError, match="every group has one row"):
                model.fit(table, y, groups=groups)


@pytest.mark.parametrize("form", ["spherical", "intercept"])
def test_weights_count_rows(rng, form):
    X, y, groups = wide(rng)
    w = rng.integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), w)
    model = TaskRidge(form, tol=1e-10)
    one = model.fit(X, y, groups=groups, sample_weight=w).predict_interval(X, groups)
    two = model.fit(X[rows], y[rows], groups=groups[rows]).predict_interval(X, groups)
    assert_allclose(one, two, rtol=1e-4, atol=1e-4)


def test_columns_that_are_constant_or_constant_in_every_task(rng):
    X, y, groups = wide(rng)
    X[:, 3], X[:, 4] = 7.0, groups
    model = TaskRidge("spherical", estimator=ridge()).fit(X, y, groups=groups)
    assert_array_equal(model.unidentified_, [3, 4])
    assert_allclose(model.prior_cov_[[4, 5], [4, 5]], 0, atol=1e-12)
    assert np.isfinite(model.predict_interval(X, groups)).all()


def test_float32_far_from_zero_and_units(rng):
    X, y, groups = wide(rng)
    said = TaskRidge("spherical").fit(X, y, groups=groups).predict(X, groups)
    far = (X + 1e4).astype(np.float32)
    model = TaskRidge("spherical").fit(far, y.astype(np.float32), groups=groups)
    found = model.predict(far, groups)
    assert found.dtype == np.float32
    assert_allclose(found, said, atol=0.05)
    model = TaskRidge("spherical").fit(1e6 * X + 1e7, 1e-5 * y, groups=groups)
    assert_allclose(1e5 * model.predict(1e6 * X + 1e7, groups), said, atol=1e-6)


@pytest.mark.parametrize("form", ["full", "diag"])
def test_tasks_that_explain_every_row_are_said(rng, form):
    X, y, groups = wide(rng)
    with pytest.warns(UserWarning, match="71 variances explain all .* rows"):
        model = TaskRidge(form).fit(X, y, groups=groups)
    assert np.isfinite(model.predict_interval(X, groups)).all()


def test_spherical_intervals_hold_where_variances_of_each_slope_do_not(rng):
    """Slopes of many columns look like noise; their sum is what an interval needs."""
    X, y, groups = wide(rng, low=4, high=12)
    train = rng.random(len(y)) < 0.6
    model = TaskRidge("spherical").fit(X[train], y[train], groups=groups[train])
    low, high = model.predict_interval(X[~train], groups[~train]).T
    assert np.mean((low <= y[~train]) & (y[~train] <= high)) > 0.78


def test_one_task_of_many_rows_among_small_ones(rng):
    X, y, groups = wide(rng)
    more = rng.normal(size=(400, 70))
    X, groups = np.vstack([more, X]), np.append(np.full(400, 77), groups)
    y = np.append(more[:, 1] + 0.3 * rng.normal(size=400), y)
    model = TaskRidge("spherical").fit(X, y, groups=groups)
    assert model.sufficient_statistics_.within.sizes.max() == 71
    own = model.task_coef_[model.groups_ == 77][0]
    assert_allclose(own, np.eye(70)[1], atol=0.12)
    assert model.shrinkage_[model.groups_ == 77] < 0.1


def test_sparse_rows_are_refused_with_the_way_out(rng):
    X, y, groups = wide(rng)
    with pytest.raises(TypeError, match="dense data is required"):
        TaskRidge().fit(sparse.csr_array(X), y, groups=groups)


def test_conditioning_shares_what_it_does_not_touch(rng):
    X, y, groups = wide(rng)
    for columns in (slice(None), slice(2)):
        table = X[:, columns]
        model = TaskRidge("spherical").fit(table, y, groups=groups)
        one = model.condition(table[:3], y[:3], groups=[5, 99, 99])
        two = one.condition(table[3:5], y[3:5], groups=[99, 0])
        assert two._tasks is model._tasks
        assert_array_equal(two._news.groups, [0, 5, 99])
        at_once = model.condition(table[:5], y[:5], groups=[5, 99, 99, 99, 0])
        for name in ("task_coef_", "task_noise_var_", "shrinkage_", "task_cov_"):
            assert_allclose(getattr(two, name), getattr(at_once, name), atol=1e-9)
        assert two.n_tasks_ == len(two.groups_) == 31
        assert model.n_tasks_ == 30
        assert_array_equal(two.known_groups([99, 3, 50]), [True, True, False])
        assert one.known_groups([99]).all()
        assert not model.known_groups([99]).any()
        third = two.condition(table[:2], y[:2], groups=[100, 101])
        assert third.n_tasks_ == 33
        assert_allclose(third.task_coef_[:31], two.task_coef_)
        again = pickle.loads(pickle.dumps(two))
        said = again.predict_interval(table, groups)
        assert_allclose(said, at_once.predict_interval(table, groups), atol=1e-9)
        with pytest.raises(ValueError, match="groups are <U1 here"):
            two.condition(table[:1], y[:1], groups=["a"])
        refit = two.partial_fit(table[:1], y[:1], groups=[99])
        assert refit._news is None
        assert refit.n_tasks_ == 31


def test_the_better_of_two_modes_is_found(rng):
    """Slopes that differ, or noise: no point of a grid is likelier than the fit."""
    X, y, groups = wide(rng)
    model = TaskRidge("spherical").fit(X, y, groups=groups)
    shape, statistics = model._population.shape, model.sufficient_statistics_
    rows = model._scale.products(statistics)
    levels = np.linspace(*shape.bounds()[0], 9)[4:]
    best = min(
        rows.deviance(shape.factor(np.array([a, b])), shape, 1e-12)[0]
        for a in levels
        for b in levels
    )
    assert -2 * model._population.log_likelihood < best + 1e-6


@pytest.mark.parametrize("form", ["diag", "spherical"])
@pytest.mark.parametrize("weight", [1e6, 1e12])
@pytest.mark.parametrize("d", [3, 70])
def test_large_weights_and_copies_of_rows(rng, form, weight, d):
    """Products beside which the identity drowns, of fewer rows than they look."""
    X, y, groups = (np.repeat(a, 3, axis=0) for a in wide(rng, d=d))
    model = TaskRidge(form).fit(
        X, y, groups=groups, sample_weight=np.full(len(y), weight)
    )
    assert np.isfinite(model.predict_interval(X, groups)).all()
    assert np.isfinite(model.task_cov_).all()
    assert model.score(X, y, groups=groups) > 0.98


@pytest.mark.parametrize("form", ["full", "diag", "spherical", "intercept"])
def test_indicators_of_all_levels_cost_no_rank(monkeypatch, form):
    """Columns that add to the constant one: where tasks differ much, too."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), rng.integers(2, 9, 30))
    n = len(groups)
    level, X = rng.integers(0, 5, n), rng.normal(size=(n, 3))
    X = np.column_stack([X, np.eye(5)[level], X[:, 0] + 2 * X[:, 1]])
    slope = 1 + 0.5 * rng.normal(size=30)
    y = 2 * rng.normal(size=30)[groups] + X[:, 0] * slope[groups]
    y += 0.3 * rng.normal(size=n)
    said = []
    for many in (64, 0):
        monkeypatch.setattr(_statistics, "MANY_COLUMNS", many)
        model = TaskRidge(form).fit(X, y, groups=groups)
        assert np.linalg.matrix_rank(model._population.mean_cov) == 8
        said.append(model.log_likelihood_)
    assert_allclose(said[0], said[1], atol=1e-3)
