"""Bags without an aggregate, and rho chosen by theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone

from sklearn_ext.aggregate import (
    BagRegressor,
    InstanceRegressor,
    InterpolatingAggregateRegressor,
    InterpolatingAggregateRegressorCV,
    aggregate_responses,
    expand_aggregates,
    optimal_rho,
)

KNOWN = {"allow_missing_aggregate": True}


@pytest.fixture
def published(rng):
    """Bags of unequal size, three in ten without an aggregate."""
    bags = np.sort(rng.integers(0, 40, 150))
    X = rng.normal(size=(150, 4)) + 0.3 * bags[:, None] % 3
    y, w = X @ [1.0, -1, 0.5, 0] + rng.normal(size=150), rng.uniform(0.5, 2, 150)
    ids, means, _ = aggregate_responses(y, bags, sample_weight=w)
    means[::3] = np.nan
    return X, expand_aggregates(ids, means, bags), bags, w


def dense(X, y, bags, w, rho, alpha, omega_of):
    """Solve the normal equations by loops over bags."""
    d = X.shape[1]
    inside, rows, targets, omegas = np.zeros((d, d)), [], [], []
    for bag in np.unique(bags):
        at = bags == bag
        size, mean = w[at].sum(), np.average(X[at], axis=0, weights=w[at])
        gaps = X[at] - mean
        inside += omega_of(size) / size * (gaps.T * w[at]) @ gaps
        if not np.isnan(y[at][0]):
            rows.append(mean), targets.append(y[at][0]), omegas.append(omega_of(size))
    rows, targets, omegas = map(np.array, (rows, targets, omegas))
    rows = rows - np.average(rows, axis=0, weights=omegas)
    centred = targets - np.average(targets, weights=omegas)
    A = (rows.T * omegas) @ rows + rho * inside + alpha * np.eye(d)
    return np.linalg.solve(A, (rows.T * omegas) @ centred)


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "dual", "lsqr"])
@pytest.mark.parametrize("bag_weight", ["size", "uniform"])
@pytest.mark.parametrize("rho", [0.0, 0.4, 3.0])
def test_rows_of_other_bags_count_inside_only(published, solver, bag_weight, rho):
    X, y, bags, w = published
    model = InterpolatingAggregateRegressor(
        rho, 0.7, solver=solver, bag_weight=bag_weight, tol=1e-13, **KNOWN
    )
    model.fit(X, y, bags=bags, sample_weight=w)
    omega_of = (lambda size: size) if bag_weight == "size" else (lambda size: 1.0)
    expected = dense(X, y, bags, w, rho, 0.7, omega_of)
    assert_allclose(model.coef_, expected, rtol=1e-9, atol=1e-11)
    assert model.n_bags_ == len(np.unique(bags[~np.isnan(y)]))
    assert len(model.bag_sizes_) == model.n_bags_
    on_sparse = clone(model).set_params(solver="lsqr")
    on_sparse.fit(sparse.csr_matrix(X), y, bags=bags, sample_weight=w)
    assert_allclose(on_sparse.coef_, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("loo", ["response", "bag"])
def test_choice_leaves_out_bags_with_aggregates(published, loo):
    X, y, bags, _ = published
    model = InterpolatingAggregateRegressorCV([0.0, 0.5], [0.3], loo=loo, **KNOWN)
    model.fit(X, y, bags=bags)
    expected = np.zeros(2)
    labels = np.unique(bags[~np.isnan(y)])
    for i, rho in enumerate([0.0, 0.5]):
        one = InterpolatingAggregateRegressor(rho, 0.3, **KNOWN)
        for bag in labels:
            at = bags == bag
            kept = ~at if loo == "bag" else slice(None)
            without = np.where(at, np.nan, y)
            one.fit(X[kept], without[kept], bags=bags[kept])
            error = y[at][0] - one.predict(X[at]).mean()
            expected[i] += at.sum() * error**2 / len(labels)
    assert_allclose(-model.lobo_scores_[:, 0], expected, rtol=1e-8)


def test_the_bag_loss_leaves_them_out(published):
    X, y, bags, w = published
    kept = ~np.isnan(y)
    found = BagRegressor(**KNOWN).fit(X, y, bags=bags, sample_weight=w)
    plain = BagRegressor().fit(X[kept], y[kept], bags=bags[kept], sample_weight=w[kept])
    assert_allclose(found.coef_, plain.coef_, rtol=1e-10)
    assert_allclose(found.noise_var_, plain.noise_var_, rtol=1e-10)
    assert_allclose(
        found.score(X, y, bags=bags, sample_weight=w),
        plain.score(X[kept], y[kept], bags=bags[kept], sample_weight=w[kept]),
    )


def test_precision_weights_without_some_aggregates(published):
    X, y, bags, _ = published
    noise, kept = (1 + bags % 4) / 4, ~np.isnan(y)
    found = BagRegressor(bag_weight="precision", **KNOWN)
    found.fit(X, y, bags=bags, response_noise_var=noise)
    plain = BagRegressor(bag_weight="precision")
    plain.fit(X[kept], y[kept], bags=bags[kept], response_noise_var=noise[kept])
    assert_allclose(found.coef_, plain.coef_, rtol=1e-8)


def test_streams_and_several_targets(published):
    X, y, bags, _ = published
    both, cut = np.c_[y, 2 * y], np.searchsorted(bags, 20)
    whole = InstanceRegressor(**KNOWN).fit(X, both, bags=bags)
    parts = InstanceRegressor(**KNOWN).partial_fit(X[:cut], both[:cut], bags=bags[:cut])
    parts.partial_fit(X[cut:], both[cut:], bags=bags[cut:])
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-10)
    assert_allclose(whole.coef_[1], 2 * whole.coef_[0])
    assert parts.n_bags_ == whole.n_bags_


def test_messages_about_missing_aggregates(published):
    X, y, bags, _ = published
    with pytest.raises(ValueError, match="Input y contains NaN"):
        BagRegressor().fit(X, y, bags=bags)
    partly = y.copy()
    partly[np.flatnonzero(bags == 1)[0]] = np.nan
    with pytest.raises(ValueError, match="NaN on some rows of bag 1 only"):
        BagRegressor(**KNOWN).fit(X, partly, bags=bags)
    model = BagRegressor(**KNOWN)
    with pytest.raises(ValueError, match="y is NaN for every bag"):
        model.fit(X, np.full(150, np.nan), bags=bags)
    for short in ({"y": y[:9], "bags": bags}, {"y": y, "bags": bags[:9]}):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.fit(X, y, bags=bags).score(X, **short)


@pytest.mark.parametrize("alpha", [0.0, 5.0])
def test_theory_is_near_the_best_rho(alpha):
    rng = np.random.default_rng(0)
    found, best, bag = [], [], []
    for _ in range(5):
        coef = rng.normal(size=100) / 10
        X = rng.normal(size=(1000, 100))
        y, bags = 1e4 * (X @ coef + rng.normal(size=1000)), rng.permutation(1000) // 5

        def risk(rho, X=X, y=y, bags=bags, coef=coef):
            model = InterpolatingAggregateRegressor(rho, alpha).fit(X, y, bags=bags)
            return np.sum((model.coef_ / 1e4 - coef) ** 2)

        found.append(risk("theory"))
        best.append(min(risk(rho) for rho in np.logspace(-2, 0, 7)))
        bag.append(risk(0.0))
    assert np.mean(found) < 1.05 * np.mean(best)
    assert np.mean(found) < 0.7 * np.mean(bag)


def test_theory_in_parts_and_its_limits():
    rng = np.random.default_rng(0)
    X, bags = rng.normal(size=(200, 3)), np.arange(200) // 4
    y = X[:, 0] + rng.normal(size=200)
    whole = InterpolatingAggregateRegressor("theory").fit(X, y, bags=bags)
    parts = InterpolatingAggregateRegressor("theory")
    for rows in (slice(80), slice(80, 200)):
        parts.partial_fit(X[rows], y[rows], bags=bags[rows])
    assert_allclose(parts.rho_, whole.rho_, rtol=1e-6)
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-6)
    assert clone(whole).set_params(solver="lsqr").fit(X, y, bags=bags).rho_ == 0
    uniform = clone(whole).set_params(bag_weight="uniform", alpha=0.25)
    assert_allclose(uniform.fit(X, y, bags=bags).coef_, whole.coef_, rtol=1e-5)
    wide = np.c_[X, 1e-3 * rng.normal(size=(200, 300))]
    dual, primal = clone(whole), clone(whole).set_params(solver="eigh")
    dual.fit(wide, y, bags=bags)
    assert dual.stats_ is None
    primal.fit(wide, y, bags=bags)
    assert_allclose(dual.rho_, primal.rho_, rtol=0.05)
    constant = clone(whole).fit(X, np.ones(200), bags=bags)
    assert_allclose(constant.predict(X), 1)


@pytest.mark.parametrize("factor", [1e-4, 2.0, 1e4])
def test_theory_does_not_depend_on_the_scale_of_weights(rng, factor):
    X, w = rng.normal(size=(200, 5)), rng.uniform(0.5, 2, 200)
    y, bags = X[:, 0] + rng.normal(size=200), np.arange(200) // 5
    one = InterpolatingAggregateRegressor().fit(X, y, bags=bags, sample_weight=w)
    other = InterpolatingAggregateRegressor(alpha=factor)
    other.fit(X, y, bags=bags, sample_weight=factor * w)
    assert_allclose(other.rho_, one.rho_, rtol=1e-4)
    times = rng.integers(1, 3, 200)
    weighted = InterpolatingAggregateRegressor()
    weighted.fit(X, y, bags=bags, sample_weight=times)
    repeated = InterpolatingAggregateRegressor().fit(
        np.repeat(X, times, axis=0), np.repeat(y, times), bags=np.repeat(bags, times)
    )
    assert_allclose(repeated.rho_, weighted.rho_, rtol=1e-4)


@pytest.mark.parametrize("size", [5, 20, 50])
def test_the_default_keeps_the_slopes(rng, size):
    """A fixed rho of 0.1 left .75, .32 and .12 of them."""
    X = rng.normal(size=(2000, 5))
    y, bags = X.sum(axis=1) + rng.normal(size=2000), np.arange(2000) // size
    model = InterpolatingAggregateRegressor().fit(X, y, bags=bags)
    bag = BagRegressor().fit(X, y, bags=bags)
    assert model.coef_.mean() > 0.85 * bag.coef_.mean()
    assert np.sum((model.coef_ - 1) ** 2) < 1.5 * np.sum((bag.coef_ - 1) ** 2) + 0.05


def test_best_rho_does_not_depend_on_units():
    theta, e = np.ones(20) / 4, np.arange(1.0, 21)
    first = optimal_rho(400, 100, 20, alpha=1.0, theta=theta, eigenvalues=e)
    other = optimal_rho(
        400, 100, 20, alpha=1.0, noise_var=1e14, theta=1e7 * theta, eigenvalues=e
    )
    assert_allclose(other[0], first[0], rtol=1e-4)
    assert_allclose(other[1], 1e14 * first[1], rtol=1e-6)
