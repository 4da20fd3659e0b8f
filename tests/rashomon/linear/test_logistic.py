"""Logistic regression: volumes along rays, ranges and draws against sampling."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, signal, sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from sklearn_ext.rashomon import RashomonLogisticRegression, log_ellipsoid_volume
from sklearn_ext.rashomon._linear import _logistic
from sklearn_ext.rashomon._linear._logistic_draws import (
    cast_rays,
    temper,
    without_intercept,
)
from sklearn_ext.rashomon._linear._logistic_sets import (
    LogisticProblem,
    functional_maxima,
    minimize,
)


def problem_of(rng, n=80, p=2, *, penalty=0.05):
    X = rng.normal(size=(n, p))
    sign = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * X[:, 0] - 0.5)), 1.0, -1.0)
    w = rng.random(n)
    penalties = np.append(np.full(p, penalty), 0.0)
    return LogisticProblem(np.c_[X, np.ones(n)], sign, w / w.sum(), penalties)


def profiled(problem, coef):
    """Objective with the best intercept, by a scalar search."""

    def at(b):
        return problem.value(np.append(coef, b))

    return optimize.minimize_scalar(at, bounds=(-20, 20), method="bounded").fun


def objective(model, X, y, members):
    """Objective of drawn models, written plainly."""
    margin = members.decision(X) * (2 * (y == model.classes_[1]) - 1)
    penalty = (members.coef**2).sum(axis=1) / (2 * model.C * len(y))
    return np.logaddexp(0, -margin).mean(axis=1) + penalty


def test_minimum_is_scikit_learns(rng):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, :8])
    w = rng.random(len(y))
    for intercept in (True, False):
        model = RashomonLogisticRegression(2.0, fit_intercept=intercept).fit(X, y, w)
        peer = LogisticRegression(
            C=2.0, fit_intercept=intercept, tol=1e-10, max_iter=5000
        )
        peer.fit(X, y, w)
        assert_allclose(model.coef_, peer.coef_, atol=1e-4)
        assert_allclose(model.intercept_, peer.intercept_, atol=1e-4)


def test_volume_with_the_intercept_against_a_box(rng):
    problem = problem_of(rng)
    centre = minimize(problem)
    rays = cast_rays(problem, centre, 0.05, 4000, rng)
    eye = np.eye(3)
    high = functional_maxima(problem, centre, 0.05, eye)
    low = -functional_maxima(problem, centre, 0.05, -eye)
    points = rng.uniform(low, high, (100_000, 3))
    inside = (problem.value(points) <= problem.value(centre) + 0.05).mean()
    assert_allclose(np.exp(rays.log_volume), inside * np.prod(high - low), rtol=0.03)


def test_volume_without_the_intercept_against_a_box(rng):
    problem = problem_of(rng)
    centre = minimize(problem)
    rays = cast_rays(problem, centre, 0.05, 4000, rng, profiled=True)
    for point in rays.draw(20, rng):
        assert profiled(problem, point) <= problem.value(centre) + 0.05
    eye = np.eye(2, 3)
    high = functional_maxima(problem, centre, 0.05, eye)
    low = -functional_maxima(problem, centre, 0.05, -eye)
    points = rng.uniform(low, high, (1500, 2))
    limit = problem.value(centre) + 0.05
    inside = np.mean([profiled(problem, point) <= limit for point in points])
    assert_allclose(np.exp(rays.log_volume), inside * np.prod(high - low), rtol=0.1)


def test_small_sets_are_ellipsoids(rng):
    problem = problem_of(rng, p=4)
    centre = minimize(problem)
    rays = cast_rays(problem, centre, 1e-8, 500, rng)
    H = problem.hessian(centre)
    assert_allclose(rays.log_volume, log_ellipsoid_volume(H, 2e-8), atol=1e-3)
    assert_allclose(rays.ess, rays.log_weight.size, rtol=1e-3)
    assert rays.half_width(0.95) < 1e-3


def test_ends_of_ranges_lie_on_the_surface():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, :6])
    model = RashomonLogisticRegression(theta=0.1, n_members=5000, random_state=0)
    model.fit(X, y)
    problem, slack = model._problem, model.threshold_loss_ - model.min_loss_
    for j in range(6):
        for side in (0, 1):
            end = model.coef_range_[j, side] / model._space.unit[j]

            def rest(others, j=j, end=end):
                return problem.value(np.insert(others, j, end))

            start = np.delete(model._centre, j)
            best = optimize.minimize(rest, start, method="BFGS", options={"gtol": 1e-8})
            assert_allclose(best.fun - model.min_loss_, slack, rtol=1e-5)
    coef = model.members_.coef
    low, high = model.coef_range_.T
    assert ((coef >= low) & (coef <= high)).all()
    assert (np.ptp(coef, axis=0) > 0.6 * (high - low)).all()
    losses = objective(model, X, y, model.members_)
    assert (losses <= model.threshold_loss_ + 1e-9).all()


def test_flips_and_probability_ranges():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, :5])
    model = RashomonLogisticRegression(theta=0.1, n_members=3000, random_state=0)
    model.fit(X, y)
    ranges = model.predict_range(X)
    best = model.predict_proba(X)[:, 1]
    assert (ranges[:, 0] < best).all()
    assert (best < ranges[:, 1]).all()
    said = model.member_predictions(X)
    differ = (said != said[0]).any(axis=0)
    assert (model.flips(X) >= differ).all()  # members show a part of the flips
    assert_allclose(model.ambiguity(X), model.flips(X).mean())


@pytest.mark.parametrize("space", ["ball", "gaussian"])
def test_ratio_against_draws_from_the_space(space):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 2))
    y = (X[:, 0] + rng.normal(size=50) > 0).astype(int)
    model = RashomonLogisticRegression(
        0.1, theta=0.2, space=space, prior_scale=0.7, random_state=0, n_rays=4000
    ).fit(X, y)
    problem = model._problem
    if space == "gaussian":
        points = 0.7 * rng.standard_normal((4000, 2))
    else:
        u = rng.standard_normal((4000, 2))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        radius = model.hypothesis_space_["radius"]
        points = radius * u * np.sqrt(rng.random((4000, 1)))
    points = points / model._space.unit
    inside = np.mean([profiled(problem, p) <= model.threshold_loss_ for p in points])
    assert_allclose(model.ratio_, inside, rtol=5 / np.sqrt(4000 * inside))
    low, high = model.log_ratio_interval_
    assert low < model.log_ratio_ < high


def test_ball_that_cuts_the_set():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 2))
    y = (X[:, 0] + rng.normal(size=50) > 0).astype(int)
    whole = RashomonLogisticRegression(theta=0.2, random_state=0).fit(X, y)
    radius = np.linalg.norm(whole.coef_)
    model = RashomonLogisticRegression(theta=0.2, radius=radius, random_state=0)
    model.fit(X, y)
    u = rng.standard_normal((3000, 2))
    u *= (
        radius
        * np.sqrt(rng.random((3000, 1)))
        / np.linalg.norm(u, axis=1, keepdims=True)
    )
    u = u / model._space.unit
    inside = np.mean([profiled(model._problem, p) <= model.threshold_loss_ for p in u])
    assert_allclose(model.ratio_, inside, rtol=0.15)


def test_theta_path_and_draws():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, :4])
    model = RashomonLogisticRegression(random_state=0).fit(X, y)
    logs = model.log_ratio_at([0.0, 0.01, 0.05, 0.2])
    assert logs[0] == -np.inf
    assert_allclose(logs[2], model.log_ratio_)
    assert (np.diff(logs) > 0).all()
    smaller = model.sample(500, theta=0.01, random_state=0)
    limit = model.min_loss_ * 1.01
    assert (objective(model, X, y, smaller) <= limit + 1e-9).all()
    mean = RashomonLogisticRegression(predict_with="members", random_state=0).fit(X, y)
    assert_allclose(mean.predict_proba(X), model.predict_proba(X), atol=0.1)


def test_balanced_classes():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X[:, :4])
    n = np.bincount(y)
    auto = RashomonLogisticRegression(class_weight="balanced", random_state=0)
    given = RashomonLogisticRegression(
        class_weight={0: len(y) / 2 / n[0], 1: len(y) / 2 / n[1]}, random_state=0
    )
    assert_allclose(auto.fit(X, y).log_ratio_, given.fit(X, y).log_ratio_)


def test_bad_input():
    X = np.linspace(-1, 1, 20)[:, None]
    y = (X[:, 0] > 0).astype(int)
    with pytest.raises(ValueError, match="separable and nothing is penalised"):
        RashomonLogisticRegression(np.inf, radius=1.0).fit(X, y)
    with pytest.raises(ValueError, match="C=inf has no natural ball"):
        RashomonLogisticRegression(np.inf).fit(X, y)
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        RashomonLogisticRegression().fit(X, np.arange(20) % 3)
    with pytest.raises(ValueError, match="got one class"):
        RashomonLogisticRegression().fit(X, np.zeros(20))
    with pytest.warns(RuntimeWarning, match="The Rashomon set is empty"):
        model = RashomonLogisticRegression(reference_loss=0.0).fit(X, y)
    assert model.log_ratio_ == -np.inf
    with pytest.raises(ValueError, match="The Rashomon set is empty"):
        model.sample()


def test_far_columns_change_only_the_intercept(rng):
    X = rng.normal(size=(60, 2))
    y = X[:, 0] + rng.normal(size=60) > 0
    near, far = (
        RashomonLogisticRegression(random_state=0).fit(X + shift, y)
        for shift in (0.0, 1e6)
    )
    assert_allclose(far.coef_, near.coef_, rtol=1e-5)
    assert_allclose(far.log_ratio_, near.log_ratio_, rtol=1e-6)
    assert_allclose(far.predict_proba(X + 1e6), near.predict_proba(X), atol=1e-6)
    assert_allclose(far.predict_range(X + 1e6), near.predict_range(X), atol=1e-6)


def test_features_beyond_floating_point_are_named(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    with pytest.raises(ValueError, match="Scale the features, divide the weights, or"):
        RashomonLogisticRegression(C=1e12).fit(np.c_[X, y], y)


def test_weights_must_have_a_finite_sum(rng):
    clf = RashomonLogisticRegression(class_weight={0: 1e308, 1: 1e308})
    with pytest.raises(ValueError, match="must have a finite sum, got inf"):
        clf.fit(rng.normal(size=(20, 2)), np.arange(20) % 2)


def test_class_weight_must_leave_two_classes(rng):
    with pytest.raises(ValueError, match="must leave both classes with positive"):
        RashomonLogisticRegression(class_weight={0: 0.0}).fit(
            rng.normal(size=(9, 1)), np.arange(9) % 2
        )


@pytest.mark.parametrize("slack", [0.5, 3.0, 10.0])
def test_maxima_of_separated_classes(rng, slack):
    n = 12  # few rows and a weak penalty: the objective is far from quadratic
    X = np.c_[rng.normal(size=(n, 3)), np.ones(n)]
    sign = np.where(X[:, 0] > 0, 1.0, -1.0)
    penalty = np.array([1e-3, 1e-3, 1e-3, 0.0])
    problem = LogisticProblem(X, sign, np.full(n, 1 / n), penalty)
    centre = minimize(problem)
    functionals = np.concatenate([np.eye(4), -np.eye(4)])
    found = functional_maxima(problem, centre, slack, functionals)
    for s, end in zip(functionals, found, strict=True):
        j = int(np.argmax(abs(s)))

        def rest_of(free, j=j, value=end * s[j]):
            return problem.value(np.insert(free, j, value))

        low = optimize.minimize(rest_of, np.delete(centre, j), tol=1e-10).fun
        assert_allclose(low, problem.value(centre) + slack, rtol=1e-5)


WEAK = 0.02  # penalty of levels, some of which have one class only


def separable(p=60, seed=0):
    """Rows with one level each and no intercept: the objective is a sum over levels."""
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 30, p)
    ones = rng.binomial(times, rng.beta(0.3, 0.7, p))  # many levels of one class
    levels, signs = np.repeat(np.arange(p), times), []
    for n, k in zip(times, ones, strict=True):
        signs += [1.0] * k + [-1.0] * (n - k)
    n = len(levels)
    problem = LogisticProblem(
        np.eye(p)[levels], np.array(signs), np.full(n, 1 / n), np.full(p, WEAK / n)
    )
    return problem, times, ones


def log_volume_of_levels(times, ones, excess, cells=4000):
    """Volume of a sum of convex functions of one coordinate each, by convolution."""
    n, tilt = times.sum(), len(times) / (2 * excess)
    edges = excess * np.arange(cells + 1) / cells
    law, log_scale = None, 0.0
    for m, k in zip(times, ones, strict=True):
        w = np.linspace(-40, 40, 20_001)

        def loss(v, m=m, k=k):
            both = k * np.logaddexp(0, -v) + (m - k) * np.logaddexp(0, v)
            return (both + WEAK * v**2 / 2) / n

        f = loss(w)
        i = f.argmin()
        best = optimize.minimize_scalar(loss, bracket=(w[i - 1], w[i], w[i + 1]))
        high = np.interp(edges, f[i:] - best.fun, w[i:])
        low = -np.interp(edges, f[i::-1] - best.fun, -w[i::-1])
        mass = np.diff(high - low) * np.exp(-tilt * (edges[1:] + edges[:-1]) / 2)
        law = mass if law is None else signal.fftconvolve(law, mass)[:cells]
        log_scale += np.log(law.sum())
        law = law / law.sum()
    # a cell of the sum of p cells is centred at its place plus p / 2 cells
    centre = excess * (np.arange(cells) + len(times) / 2) / cells
    weight = np.clip(cells - np.arange(cells) - len(times) / 2 + 0.5, 0, 1)
    return log_scale + np.log((law * weight * np.exp(tilt * centre)).sum())


def test_tempered_volume_of_many_levels():
    problem, times, ones = separable()
    centre = minimize(problem)
    slack = 0.05 * problem.value(centre)
    exact = log_volume_of_levels(times, ones, slack)
    rng = np.random.default_rng(0)
    rays = cast_rays(problem, centre, slack, 1000, rng)
    assert rays.ess < 50  # so many levels of one class are no ellipsoid
    found = [temper(problem, centre, slack, 256, rng) for _ in range(2)]
    for drawn in found:
        assert abs(drawn.log_volume - exact) < 1.5 * drawn.half_width(0.95)
        assert drawn.ess > 100
        assert drawn.half_width(0.95) < 0.6
        inside = problem.value(drawn.draw(256, rng))
        assert (inside <= problem.value(centre) + slack * (1 + 1e-6)).all()
        assert len(np.unique(drawn.draw(200, rng), axis=0)) > 150


@pytest.mark.slow
def test_interval_of_tempered_volumes_covers():
    problem, times, ones = separable(30)
    centre = minimize(problem)
    slack = 0.05 * problem.value(centre)
    exact, covered = log_volume_of_levels(times, ones, slack), 0
    for seed in range(60):
        drawn = temper(problem, centre, slack, 128, np.random.default_rng(seed))
        covered += abs(drawn.log_volume - exact) <= drawn.half_width(0.95)
    assert covered >= 54


def test_tempered_draws_are_uniform(rng):
    """In three dimensions against points of a box that fall inside."""
    problem = problem_of(rng, n=30, penalty=0.01)
    centre, slack = minimize(problem), 0.3
    drawn = temper(problem, centre, slack, 2000, rng)
    high = functional_maxima(problem, centre, slack, np.eye(3))
    low = -functional_maxima(problem, centre, slack, -np.eye(3))
    points = rng.uniform(low, high, (40_000, 3))
    points = points[problem.value(points) <= problem.value(centre) + slack]
    volume = np.log(len(points) / 40_000) + np.log(high - low).sum()
    assert_allclose(drawn.log_volume, volume, atol=0.1)
    some = drawn.draw(1000, rng)
    for j in range(3):
        assert stats.ks_2samp(some[:, j], points[:, j]).pvalue > 1e-3
    coefs = without_intercept(problem, centre, slack, drawn)
    rays = cast_rays(problem, centre, slack, 4000, rng, profiled=True)
    assert_allclose(coefs.log_volume, rays.log_volume, atol=0.15)
    some, others = coefs.draw(1000, rng), rays.draw(1000, rng)
    for j in range(2):
        assert stats.ks_2samp(some[:, j], others[:, j]).pvalue > 1e-3


def one_hot(seed=0, n=150, p=60):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 15, (n, p // 15))
    X = np.hstack([np.eye(15)[column] for column in levels.T])
    return scale(X), (levels[:, 0] + rng.normal(size=n) * 6 > 9).astype(int)


def test_draws_of_a_one_hot_table_agree_between_seeds():
    X, y = one_hot()
    models = [RashomonLogisticRegression(10.0, random_state=s) for s in (0, 1)]
    for model in models:
        model.fit(X, y)
        assert model.method_ == "tempering"
        assert model.ess_ > 60
        assert model.interval_kind_ == "confidence"
        assert len(np.unique(model.members_.coef, axis=0)) > 120
    (low, high), (other_low, other_high) = (m.log_ratio_interval_ for m in models)
    assert max(low, other_low) < min(high, other_high)
    votes = [model.member_predictions(X).mean(axis=0) for model in models]
    assert abs(votes[0] - votes[1]).max() < 0.25


def test_an_interval_that_draws_cannot_bear_is_not_given():
    X, y = one_hot()
    clf = RashomonLogisticRegression(n_rays=2, n_members=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match="rests? on"):
        clf.fit(scale(X[:, :20]), y)
    assert clf.interval_kind_ == "none"
    assert clf.log_ratio_interval_ == (-np.inf, 0.0)
    assert "no interval, too few effective draws" in repr(clf.summary())


def test_units_and_weights_of_any_size(rng):
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    plain = RashomonLogisticRegression(1e6, random_state=0).fit(X, y)
    for factor in (1e100, 1e-100):
        far = RashomonLogisticRegression(1e6, radius=1.0, random_state=0)
        far.fit(factor * X, y)
        assert np.isfinite(far.log_volume_)
    for factor in (1e-100, 1e-280, 1e100):
        model = RashomonLogisticRegression(1e6 / factor, random_state=0)
        model.fit(X, y, np.full(60, factor))
        assert_allclose(model.coef_, plain.coef_, rtol=1e-6)
        assert_allclose(model.log_ratio_, plain.log_ratio_, rtol=1e-6)
    tiny = RashomonLogisticRegression(random_state=0).fit(X, y, np.full(60, 1e-100))
    assert_allclose(tiny.log_ratio_, 1.5 * np.log(0.05), rtol=1e-3)  # a ball in a ball
    with pytest.raises(ValueError, match="a sum of at least 1e-290, got"):
        RashomonLogisticRegression().fit(X, y, np.full(60, 1e-300))


def test_ranges_of_coefficients_wait_until_they_are_asked_for(rng, monkeypatch):
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 2
    asked = []

    def counted(*args):
        asked.append(len(args[3]))
        return functional_maxima(*args)

    monkeypatch.setattr(_logistic, "functional_maxima", counted)
    model = RashomonLogisticRegression(random_state=0).fit(X, y)
    model._repr_html_()  # lists the fitted attributes
    assert asked == []
    first = model.coef_range_
    assert model.coef_range_ is first
    assert asked == [6]
    assert model.fit(X, 1 - y).coef_range_ is not first


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_sparse_columns_may_have_the_units_of_dense_ones(rng, unit):
    X = rng.normal(size=(40, 2)) * unit
    y = (X[:, 0] + 0.5 * unit * rng.normal(size=40) > 0).astype(int)
    model = RashomonLogisticRegression(n_rays=100, n_members=3, random_state=0)
    dense = clone(model).fit(X, y)
    assert_allclose(
        model.fit(sparse.csr_array(X), y).log_ratio_, dense.log_ratio_, rtol=1e-6
    )
