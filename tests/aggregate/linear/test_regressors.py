"""Closed forms of the linear members against oracles."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg, sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_ext.aggregate import (
    AggregateStatistics,
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
    iter_bag_chunks,
)
from sklearn_ext.aggregate._linear._statistics import _scatter

RHOS = [0.0, 0.3, 1.0, 2.5]


@pytest.fixture
def problem(rng):
    n, d = 120, 6
    X = rng.normal(size=(n, d)) + 3.0
    bags = rng.integers(0, 25, size=n) * 7 - 30
    y = X @ rng.normal(size=(d, 2)) + rng.normal(size=(n, 2))
    return X, y, bags, rng.uniform(0.5, 2.0, size=n)


def bag_means(X, y, bags, w, uniform=False):
    """Loop over bags: means, sizes, and weights of bags."""
    labels = np.unique(bags)
    rows = [bags == label for label in labels]
    x_means = np.array([np.average(X[r], axis=0, weights=w[r]) for r in rows])
    y_means = np.array([np.average(y[r], axis=0, weights=w[r]) for r in rows])
    sizes = np.array([w[r].sum() for r in rows])
    return rows, x_means, y_means, np.ones(len(rows)) if uniform else sizes, sizes


def stacked_ridge(X, y, bags, w, rho, alpha, *, uniform=False, intercept=True):
    """Ridge on bag rows and (target zero) deviations of rows from their bag."""
    rows, x_means, y_means, omega, sizes = bag_means(X, y, bags, w, uniform)
    mu = np.average(x_means, axis=0, weights=omega) * intercept
    nu = np.average(y_means, axis=0, weights=omega) * intercept
    parts = [np.sqrt(omega)[:, None] * (x_means - mu)]
    target = [np.sqrt(omega)[:, None] * (y_means - nu)]
    for a, r in enumerate(rows):
        c = rho * omega[a] * w[r] / sizes[a]
        parts.append(np.sqrt(c)[:, None] * (X[r] - x_means[a]))
        target.append(np.zeros((r.sum(), y.shape[1])))
    V, t = np.vstack(parts), np.vstack(target)
    coef = np.linalg.solve(V.T @ V + alpha * np.eye(X.shape[1]), V.T @ t)
    return coef.T, nu - mu @ coef


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("bag_weight", ["size", "uniform"])
@pytest.mark.parametrize("solver", ["cholesky", "eigh", "dual", "lsqr"])
def test_solvers_match_stacked_rows(problem, rho, intercept, bag_weight, solver):
    X, y, bags, w = problem
    model = InterpolatingAggregateRegressor(
        rho,
        0.7,
        bag_weight=bag_weight,
        fit_intercept=intercept,
        solver=solver,
        tol=1e-13,
    ).fit(X, y, bags=bags, sample_weight=w)
    coef, offset = stacked_ridge(
        X, y, bags, w, rho, 0.7, uniform=bag_weight == "uniform", intercept=intercept
    )
    assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-10)
    assert_allclose(model.intercept_, offset if intercept else 0.0, atol=1e-8)


@pytest.mark.parametrize("rho", RHOS)
def test_members_are_ridges(problem, rho):
    X, y, bags, w = problem
    y = y[:, 0]
    _, x_means, y_means, omega, _ = bag_means(X, y[:, None], bags, w)
    replicated = y_means[:, 0][np.unique(bags, return_inverse=True)[1]]
    on_bags = Ridge(0.5).fit(x_means, y_means[:, 0], omega)
    on_rows = Ridge(0.5).fit(X, replicated, w)
    bag = BagRegressor(0.5).fit(X, y, bags=bags, sample_weight=w)
    instance = InstanceRegressor(0.5).fit(X, y, bags=bags, sample_weight=w)
    assert_allclose(bag.coef_, on_bags.coef_, rtol=1e-10)
    assert_allclose(bag.predict(X), on_bags.predict(X), rtol=1e-10)
    assert_allclose(instance.coef_, on_rows.coef_, rtol=1e-10)
    assert_allclose(instance.predict(X), on_rows.predict(X), rtol=1e-10)
    single = InterpolatingAggregateRegressor(rho, 0.5).fit(X, y, sample_weight=w)
    assert_allclose(single.coef_, Ridge(0.5).fit(X, y, w).coef_, rtol=1e-10)


def test_interpolation_is_a_ridge_on_both_tables(problem):
    X, y, bags, w = problem
    rho = 0.3
    _, x_means, y_means, omega, _ = bag_means(X, y, bags, w)
    replicated = y_means[np.unique(bags, return_inverse=True)[1]]
    both = Ridge(0.5).fit(
        np.vstack([X, x_means]),
        np.vstack([replicated, y_means]),
        np.concatenate([rho * w, (1 - rho) * omega]),
    )
    model = InterpolatingAggregateRegressor(rho, 0.5).fit(
        X, y, bags=bags, sample_weight=w
    )
    assert_allclose(model.coef_, both.coef_, rtol=1e-10)
    assert_allclose(model.intercept_, both.intercept_, rtol=1e-9)


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "lsqr"])
def test_sparse_equals_dense(rng, rho, make, solver):
    X = sparse.random(90, 12, 0.3, "csr", None, rng)
    y, bags = rng.normal(size=90), rng.integers(0, 30, 90)
    dense = InterpolatingAggregateRegressor(rho).fit(X.toarray(), y, bags=bags)
    model = InterpolatingAggregateRegressor(rho, solver=solver, tol=1e-13)
    model.fit(make(X), y, bags=bags)
    assert_allclose(model.coef_, dense.coef_, rtol=1e-7, atol=1e-10)
    assert_allclose(model.predict(make(X)), dense.predict(X.toarray()), rtol=1e-7)


def test_wide_sparse_takes_lsqr_and_wide_dense_takes_dual(rng):
    X = sparse.random(60, 700, 0.1, "csr", None, rng)
    y, bags = rng.normal(size=60), np.arange(60) // 3
    lsqr = InterpolatingAggregateRegressor(0.2, tol=1e-13).fit(X, y, bags=bags)
    assert lsqr.n_iter_ > 0
    assert np.isnan(lsqr.noise_var_)
    dual = InterpolatingAggregateRegressor(0.2).fit(X.toarray(), y, bags=bags)
    assert dual.stats_ is None
    full = InterpolatingAggregateRegressor(0.2, solver="cholesky")
    full.fit(X.toarray(), y, bags=bags)
    assert_allclose(lsqr.coef_, full.coef_, rtol=1e-6, atol=1e-9)
    assert_allclose(dual.coef_, full.coef_, rtol=1e-8, atol=1e-11)
    assert_allclose(dual.noise_var_, full.noise_var_, rtol=1e-7)


@pytest.mark.parametrize("solver", ["dual", "cholesky", "lsqr"])
@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_least_norm_without_penalty(rng, solver, rho):
    X, y = rng.normal(size=(12, 20)), rng.normal(size=12)
    bags = np.arange(12) // 3
    model = InterpolatingAggregateRegressor(rho, 0.0, solver=solver, tol=1e-14)
    if solver == "lsqr":
        model.fit(X, y, bags=bags)
    else:
        with pytest.warns(linalg.LinAlgWarning, match="positive alpha, or rho > 0"):
            model.fit(X, y, bags=bags)
    x_means, y_means = X.reshape(4, 3, 20).mean(1), y.reshape(4, 3).mean(1)
    if rho == 0:
        oracle = LinearRegression().fit(x_means, y_means).coef_
    else:
        inside = np.sqrt(rho) * (X - np.repeat(x_means, 3, axis=0))
        V = np.vstack([np.sqrt(3) * (x_means - x_means.mean(0)), inside])
        t = np.r_[np.sqrt(3) * (y_means - y_means.mean()), np.zeros(12)]
        oracle = np.linalg.lstsq(V, t)[0]
    assert_allclose(model.coef_, oracle, rtol=1e-6, atol=1e-8)


def test_float32_and_offsets(rng):
    X, bags = rng.normal(size=(300, 4)), rng.integers(0, 80, 300)
    y = X @ np.arange(1.0, 5) + 0.1 * rng.normal(size=300)
    exact = InterpolatingAggregateRegressor().fit(X, y, bags=bags)
    single = InterpolatingAggregateRegressor().fit(
        X.astype(np.float32), y.astype(np.float32), bags=bags
    )
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    assert_allclose(single.coef_, exact.coef_, rtol=1e-4)
    shifted = InterpolatingAggregateRegressor().fit(X + 1e6, y, bags=bags)
    assert_allclose(shifted.coef_, exact.coef_, rtol=1e-8)


def test_only_the_partition_matters(rng, problem):
    X, y, bags, w = problem
    fit = InterpolatingAggregateRegressor(0.1).fit(X, y, bags=bags, sample_weight=w)
    names = np.array([f"bag {label}" for label in -bags])
    order = rng.permutation(len(X))
    other = InterpolatingAggregateRegressor(0.1).fit(
        X[order], y[order], bags=names[order], sample_weight=w[order]
    )
    assert_allclose(other.coef_, fit.coef_, rtol=1e-10)
    _, _, y_means, _, _ = bag_means(X, y, bags, w)
    replicated = y_means[np.unique(bags, return_inverse=True)[1]]
    again = InterpolatingAggregateRegressor(0.1).fit(
        X, replicated, bags=bags, sample_weight=w
    )
    assert_allclose(again.coef_, fit.coef_, rtol=1e-10)


def test_integer_weights_repeat_rows_inside_the_bag(problem, rng):
    X, y, bags, _ = problem
    w = rng.integers(0, 4, size=len(X))
    w[bags == bags[0]] = 1  # every bag keeps a row
    w[np.unique(bags, return_index=True)[1]] = 1
    weighted = InterpolatingAggregateRegressor(0.1)
    weighted.fit(X, y, bags=bags, sample_weight=w)
    repeated = InterpolatingAggregateRegressor(0.1).fit(
        np.repeat(X, w, axis=0), np.repeat(y, w, axis=0), bags=np.repeat(bags, w)
    )
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-10)
    assert_allclose(weighted.noise_var_, repeated.noise_var_, rtol=1e-9)


def test_totals(problem):
    X, y, bags, w = problem
    codes = np.unique(bags, return_inverse=True)[1]
    totals = np.column_stack([np.bincount(codes, w * t)[codes] for t in y.T])
    mean = BagRegressor().fit(X, y, bags=bags, sample_weight=w)
    total = BagRegressor(aggregate="sum").fit(X, totals, bags=bags, sample_weight=w)
    assert_allclose(total.coef_, mean.coef_, rtol=1e-10)
    sizes = np.bincount(codes)[:, None]
    assert_allclose(total.predict_bags(X, bags), sizes * mean.predict_bags(X, bags))
    assert_allclose(
        total.score(X, totals, bags=bags, sample_weight=w),
        mean.score(X, y, bags=bags, sample_weight=w),
    )


def test_debiased_slopes(rng):
    X, bags = rng.normal(size=(4000, 3)) + 5, np.arange(4000) // 4
    y = X @ [1.0, -2.0, 3.0] + 7 + 0.1 * rng.normal(size=4000)
    plain = InstanceRegressor(1e-6).fit(X, y, bags=bags)
    stretched = InstanceRegressor(1e-6, debias=True).fit(X, y, bags=bags)
    assert plain.attenuation_ == 0.25
    assert_allclose(plain.coef_, [0.25, -0.5, 0.75], atol=0.1)
    assert_allclose(stretched.coef_, 4 * plain.coef_)
    assert_allclose(stretched.predict(X).mean(), y.mean(), rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_streams_merge_to_one_fit(problem, intercept):
    X, y, bags, w = problem
    order = np.argsort(bags, kind="stable")
    X, y, bags, w = X[order], y[order], bags[order], w[order]
    model = InterpolatingAggregateRegressor(0.4, fit_intercept=intercept)
    whole = model.fit(X, y, bags=bags, sample_weight=w)
    chunks = [
        (a, b, labels, w[np.isin(bags, labels)])
        for a, b, labels in iter_bag_chunks(X, y, bags, 17)
    ]
    assert len(chunks) > 4
    streamed = InterpolatingAggregateRegressor(0.4, fit_intercept=intercept)
    for chunk in reversed(chunks):
        streamed.partial_fit(*chunk)
    blocks = InterpolatingAggregateRegressor(0.4, fit_intercept=intercept)
    blocks.fit_blocks(chunks, n_jobs=2)
    for other in (streamed, blocks):
        assert_allclose(other.coef_, whole.coef_, rtol=1e-10)
        assert_allclose(other.intercept_, whole.intercept_, rtol=1e-9, atol=1e-12)
        assert_allclose(other.noise_var_, whole.noise_var_, rtol=1e-9)
        assert other.n_bags_ == whole.n_bags_
        assert other.bag_sizes_ is None


def test_statistics_solve_like_the_estimator(problem):
    X, y, bags, w = problem
    stats = AggregateStatistics.of(X, y, bags, w)
    coef, intercept = stats.solve(0.2, 1.5)
    model = InterpolatingAggregateRegressor(0.2, 1.5).fit(
        X, y, bags=bags, sample_weight=w
    )
    assert_allclose(coef.T, model.coef_, rtol=1e-12)
    assert_allclose(intercept, model.intercept_, rtol=1e-12)
    half = bags < 0
    parts = [AggregateStatistics.of(X[r], y[r], bags[r], w[r]) for r in (half, ~half)]
    merged = parts[1].merge(parts[0])
    assert_allclose(merged.between, stats.between, rtol=1e-10)
    with pytest.raises(ValueError, match="Cannot merge statistics"):
        stats.merge(AggregateStatistics.of(X[:, :2], y))


def refit_errors(X, y, bags, w, rho, alpha, *, loo, intercept, uniform):
    """Leave-one-bag-out by refits; "response" keeps the rows of the bag in W."""
    rows, x_means, y_means, omega, sizes = bag_means(X, y, bags, w, uniform)
    errors = []
    for a, inside in enumerate(rows):
        if loo == "bag":
            keep = ~inside
            coef, offset = stacked_ridge(
                X[keep],
                y[keep],
                bags[keep],
                w[keep],
                rho,
                alpha,
                uniform=uniform,
                intercept=intercept,
            )
        else:
            others = np.arange(len(rows)) != a
            mu = np.average(x_means[others], axis=0, weights=omega[others])
            nu = np.average(y_means[others], axis=0, weights=omega[others])
            mu, nu = mu * intercept, nu * intercept
            u = np.sqrt(omega[others])[:, None] * (x_means[others] - mu)
            t = np.sqrt(omega[others])[:, None] * (y_means[others] - nu)
            A = u.T @ u + alpha * np.eye(X.shape[1])
            for b, r in enumerate(rows):
                D = (X[r] - x_means[b]) * np.sqrt(omega[b] * w[r] / sizes[b])[:, None]
                A += rho * D.T @ D
            coef = np.linalg.solve(A, u.T @ t).T
            offset = nu - mu @ coef.T
        error = y_means[a] - x_means[a] @ coef.T - offset
        errors.append(omega[a] * error**2)
    return np.mean(errors)


@pytest.mark.parametrize("loo", ["response", "bag"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("bag_weight", ["size", "uniform"])
def test_lobo_matches_refits(problem, loo, intercept, bag_weight):
    X, y, bags, w = problem
    rhos, alphas = [0.0, 0.2, 2.5], [0.5, 20.0]
    model = InterpolatingAggregateRegressorCV(
        rhos, alphas, loo=loo, fit_intercept=intercept, bag_weight=bag_weight
    ).fit(X, y, bags=bags, sample_weight=w)
    oracle = [
        [
            refit_errors(
                X,
                y,
                bags,
                w,
                rho,
                alpha,
                loo=loo,
                intercept=intercept,
                uniform=bag_weight == "uniform",
            )
            for alpha in alphas
        ]
        for rho in rhos
    ]
    assert_allclose(-model.lobo_scores_, oracle, rtol=1e-9)
    best = InterpolatingAggregateRegressor(
        model.rho_, model.alpha_, fit_intercept=intercept, bag_weight=bag_weight
    ).fit(X, y, bags=bags, sample_weight=w)
    assert_allclose(model.coef_, best.coef_, rtol=1e-10)


def test_lobo_of_bags_larger_than_the_features(rng):
    X, y = rng.normal(size=(90, 3)) + 1, rng.normal(size=(90, 1))
    bags, w = np.arange(90) // 15, rng.uniform(0.5, 2, 90)
    model = InterpolatingAggregateRegressorCV([0.0, 0.7, 2.0], [3.0], loo="bag")
    model.fit(X, y, bags=bags, sample_weight=w)
    oracle = [
        refit_errors(X, y, bags, w, rho, 3.0, loo="bag", intercept=True, uniform=False)
        for rho in (0.0, 0.7, 2.0)
    ]
    assert_allclose(-model.lobo_scores_[:, 0], oracle, rtol=1e-9)


@pytest.mark.parametrize("loo", ["response", "bag"])
def test_lobo_without_alpha_and_few_bags(rng, loo):
    X, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 1))
    bags = np.arange(40) // 8  # five bags: B is singular
    model = InterpolatingAggregateRegressorCV([0.0, 0.5, 2.0], [0.0], loo=loo)
    model.fit(X, y, bags=bags)
    assert model.lobo_scores_[0, 0] == -np.inf
    for i, rho in enumerate([0.5, 2.0], start=1):
        oracle = refit_errors(
            X, y, bags, np.ones(40), rho, 0.0, loo=loo, intercept=True, uniform=False
        )
        assert_allclose(-model.lobo_scores_[i, 0], oracle, rtol=1e-7)


def test_selection_with_more_features_than_rows(rng):
    X, y, bags = rng.normal(size=(30, 45)), rng.normal(size=30), np.arange(30) // 2
    grid = {"rhos": [0.0, 0.5], "alphas": [1.0, 5.0]}
    wide = InterpolatingAggregateRegressorCV(**grid).fit(X, y, bags=bags)
    direct = InterpolatingAggregateRegressor(wide.rho_, wide.alpha_).fit(
        X, y, bags=bags
    )
    assert_allclose(wide.coef_, direct.coef_, rtol=1e-8, atol=1e-10)


def test_ties_take_the_larger_penalty():
    X, bags = np.zeros((20, 2)), np.arange(20) // 2
    model = InterpolatingAggregateRegressorCV([0.0, 1.0, 2.0], [0.1, 1.0])
    model.fit(X, np.arange(20.0), bags=bags)
    assert (model.rho_, model.alpha_) == (2.0, 1.0)


def test_no_feasible_pair(rng):
    X, y = rng.normal(size=(6, 9)), rng.normal(size=6)
    with pytest.raises(ValueError, match="Add a positive value to alphas"):
        InterpolatingAggregateRegressorCV([0.0], [0.0]).fit(
            X, y, bags=np.arange(6) // 2
        )


def test_lobo_estimates_the_error_of_rows():
    """For random bags the criterion is the mean squared error of new rows."""
    gaps = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, 20))
        coef = rng.normal(size=20) / np.sqrt(20)
        y = X @ coef + rng.normal(size=400)
        model = InterpolatingAggregateRegressorCV([0.1], [5.0]).fit(
            X, y, bags=np.arange(400) // 4
        )
        row_error = 1 + np.sum((model.coef_ - coef) ** 2)
        gaps.append(-model.best_score_ - row_error)
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(30)


def test_streams_need_memory_for_one_chunk_only(rng):
    X, y, bags = (
        rng.normal(size=(2000, 30)),
        rng.normal(size=2000),
        np.arange(2000) // 4,
    )
    peaks = []
    for n_chunks in (2, 20):
        model = InterpolatingAggregateRegressor(0.1).partial_fit(X, y, bags=bags)
        tracemalloc.start()
        for _ in range(n_chunks):
            model.partial_fit(X, y, bags=bags)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


@pytest.mark.parametrize("offset", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("rho", [0.0, 0.3, "theory"])
def test_sparse_columns_far_from_zero_keep_their_digits(rng, rho, offset):
    X = np.c_[rng.normal(size=(60, 3)) + offset, rng.random(60) < 0.3]
    y, bags = X @ [1.0, -1.0, 0.5, 2.0] + rng.normal(size=60), np.arange(60) % 20
    model = InterpolatingAggregateRegressor(rho=rho)
    expected = clone(model).fit(X, y, bags=bags)
    found = clone(model).fit(sparse.csr_array(X), y, bags=bags)
    assert_allclose(found.coef_, expected.coef_, rtol=1e-6)
    assert_allclose(found.predict(sparse.csr_array(X)), expected.predict(X), rtol=1e-6)


def test_sparse_sums_around_any_point(rng):
    """Bags without an aggregate are summed around the mean of the others."""
    X, w = rng.normal(size=(20, 3)) + 5, rng.random(20)
    for centre in (np.zeros(3), np.full(3, 5.0), rng.normal(size=3)):
        away = X - centre
        expected = (away.T * w) @ away
        assert_allclose(_scatter(sparse.csr_array(X), w, centre), expected, rtol=1e-10)
