"""Ridge: volumes, shares, ranges and draws against sampling and other formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse, stats
from scipy.special import gammaln
from sklearn.linear_model import Ridge

from sklearn_ext.rashomon import RashomonRidge, log_ellipsoid_volume
from sklearn_ext.rashomon._linear._ellipsoids import (
    Ellipsoid,
    cumulants,
    ellipsoid_share,
    quadratic_range,
    tilt_of,
    unit_ball,
)
from sklearn_ext.rashomon._ratio import CoefficientSpace


def data(rng, n=60, p=3):
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) + 2
    return X, X @ rng.normal(size=p) + rng.normal(size=n) + 5


def objective(model, X, y, coef, alpha=1.0):
    """Penalised sum of squares with the intercept at its best."""
    away, target = X - X.mean(axis=0), y - y.mean()
    rest = target - coef @ away.T
    return (rest**2).sum(axis=-1) + alpha * (coef**2).sum(axis=-1)


def test_optimum_is_scikit_learns(rng):
    X, y = data(rng)
    w = rng.random(len(y))
    for intercept in (True, False):
        model = RashomonRidge(2.0, fit_intercept=intercept).fit(X, y, w)
        peer = Ridge(2.0, fit_intercept=intercept).fit(X, y, w)
        assert_allclose(model.coef_, peer.coef_)
        assert_allclose(model.intercept_, peer.intercept_, atol=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5])
def test_volume_against_a_box(p):
    rng = np.random.default_rng(p)
    X, y = data(rng, p=p)
    model = RashomonRidge(theta=0.2).fit(X, y)
    low, high = model.coef_range_.T
    points = rng.uniform(low, high, (200_000, p))
    inside = objective(model, X, y, points) <= model.threshold_loss_ * len(y)
    estimate = inside.mean() * np.prod(high - low)
    spread = 5 / np.sqrt(inside.sum())
    assert_allclose(np.exp(model.log_volume_), estimate, rtol=spread)
    A = (X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) + np.eye(p)
    tau = (model.threshold_loss_ - model.min_loss_) * len(y)
    assert_allclose(log_ellipsoid_volume(A, tau), model.log_volume_)


@pytest.mark.parametrize("space", ["ball", "box", "gaussian"])
def test_ratio_against_draws_from_the_space(space):
    rng = np.random.default_rng(1)
    X, y = data(rng, n=8, p=2)
    model = RashomonRidge(theta=1.0, space=space, prior_scale=2.0, random_state=0).fit(
        X, y
    )
    if space == "gaussian":
        points = 2.0 * rng.standard_normal((400_000, 2))
    else:
        radius = model.hypothesis_space_["radius"]
        draw = unit_ball(400_000, 2, rng)
        points = radius * (draw if space == "ball" else rng.uniform(-1, 1, draw.shape))
    inside = objective(model, X, y, points) <= model.threshold_loss_ * len(y)
    assert_allclose(model.ratio_, inside.mean(), rtol=5 / np.sqrt(inside.sum()))


@pytest.mark.parametrize("space", ["ball", "box"])
def test_ratio_in_a_space_that_cuts_the_set(space):
    rng = np.random.default_rng(2)
    X, y = data(rng, n=12, p=3)
    whole = RashomonRidge(theta=0.5).fit(X, y)
    radius = np.linalg.norm(whole.coef_)
    model = RashomonRidge(theta=0.5, space=space, radius=radius, random_state=0)
    model.fit(X, y)
    assert model.interval_kind_ == "confidence"
    points = (
        unit_ball(400_000, 3, rng)
        if space == "ball"
        else rng.uniform(-1, 1, (400_000, 3))
    )
    inside = objective(model, X, y, radius * points) <= model.threshold_loss_ * len(y)
    low, high = model.log_ratio_interval_
    assert low - 0.1 < np.log(inside.mean()) < high + 0.1


def ruben(a, b, x, terms=400):
    """Distribution function of ``sum a (z + b)**2`` as a mixture of chi-squares."""
    beta, p = a.min(), len(a)
    powers = 1 - beta / a
    k = np.arange(1, terms)[:, None]
    g = (powers**k).sum(axis=1)
    g += k[:, 0] * beta * (b**2 / a * powers ** (k - 1)).sum(axis=1)
    c = np.empty(terms)
    c[0] = np.exp(-(b**2).sum() / 2) * np.sqrt(beta / a).prod()
    for r in range(1, terms):
        c[r] = (g[:r][::-1] * c[:r]).sum() / (2 * r)
    return (c * stats.chi2.cdf(x / beta, p + 2 * np.arange(terms))).sum()


@pytest.mark.parametrize("p", [2, 10, 50])
def test_gaussian_share_against_rubens_series(p):
    rng = np.random.default_rng(p)
    values = rng.uniform(1, 3, p)
    centre = 0.3 * rng.normal(size=p)
    vectors = np.linalg.qr(rng.normal(size=(p, p)))[0]
    ellipsoid = Ellipsoid(centre, values, vectors, 0.3 * p)
    found = ellipsoid_share(
        ellipsoid,
        CoefficientSpace("gaussian", p, None, 1.0),
        n_draws=20_000,
        confidence_level=0.99,
        rng=rng,
    )
    exact = np.log(ruben(values, -(vectors.T @ centre), 0.3 * p))
    assert found.low - 0.02 < exact < found.high + 0.02


def test_gaussian_share_far_in_the_tail():
    p, size = 60, 1e-2
    ellipsoid = Ellipsoid(np.zeros(p), np.ones(p), np.eye(p), size)
    found = ellipsoid_share(
        ellipsoid,
        CoefficientSpace("gaussian", p, None, 1.0),
        n_draws=20_000,
        confidence_level=0.95,
        rng=np.random.default_rng(0),
    )
    exact = p / 2 * np.log(size / 2) - gammaln(p / 2 + 1) - size / 2  # chi-square tail
    assert_allclose(found.log_ratio, exact, atol=0.1)


def test_tilt_moves_the_mean_to_the_target(rng):
    a, b = rng.uniform(0.5, 2, 5), rng.normal(size=5)
    t = tilt_of(a, b, 1.0)
    step = 1e-6
    slope = (cumulants(a, b, t + step) - cumulants(a, b, t - step)) / (2 * step)
    assert_allclose(slope, 1.0, rtol=1e-5)
    assert tilt_of(a, b, 1e6) == 0.0


def test_ranges_are_attained(rng):
    X, y = data(rng)
    model = RashomonRidge(theta=0.1, n_members=20_000, random_state=0).fit(X, y)
    threshold = model.threshold_loss_ * len(y)
    for j in range(3):
        A = (X - X.mean(axis=0)).T @ (X - X.mean(axis=0)) + np.eye(3)
        away = np.linalg.solve(A, np.eye(3)[j])
        step = model.coef_range_[j, 1] - model.coef_[j]
        end = model.coef_ + away * step / away[j]
        assert_allclose(objective(model, X, y, end), threshold)
    members = model.members_
    assert (objective(model, X, y, members.coef) <= threshold * (1 + 1e-9)).all()
    low, high = model.coef_range_.T
    assert (members.coef >= low - 1e-9).all()
    assert (members.coef <= high + 1e-9).all()
    assert_allclose(members.coef.max(axis=0), high, atol=0.1 * (high - low).max())
    ranges = model.predict_range(X)
    seen = members.decision(X)
    assert (seen >= ranges[:, 0] - 1e-9).all()
    assert (seen <= ranges[:, 1] + 1e-9).all()
    assert (seen.max(axis=0) > ranges[:, 1] - 0.2 * np.ptp(ranges, axis=1)).all()


def test_draws_are_uniform_in_the_ellipsoid(rng):
    X, y = data(rng, p=4)
    model = RashomonRidge(theta=0.1).fit(X, y)
    coef = model.sample(20_000, random_state=0).coef
    excess = objective(model, X, y, coef) / len(y) - model.min_loss_
    share = excess / (model.threshold_loss_ - model.min_loss_)
    assert_allclose(share.mean(), 4 / 6, atol=0.01)  # p / (p + 2)
    assert stats.kstest(share**2, "uniform").pvalue > 1e-4  # share**(p/2)


@pytest.mark.parametrize("intercept", [True, False])
def test_model_class_reliance_against_pairs(rng, intercept):
    X, y = data(rng, n=25)
    X, y, w = X + 5, y + 3, rng.random(25)
    model = RashomonRidge(
        theta=0.1, fit_intercept=intercept, n_members=4000, random_state=0
    ).fit(X, y, w)
    found = model.model_class_reliance()
    members, share = model.members_, w / w.sum()
    plain = (y - members.decision(X)) ** 2 @ share
    for j in range(3):
        switched = np.zeros(len(members))
        for row, chance in zip(X, share, strict=True):
            moved = X.copy()
            moved[:, j] = row[j]
            switched += chance * ((y - members.decision(moved)) ** 2 @ share)
        added = switched - plain
        assert found[j, 0] <= added.min() + 1e-9
        assert added.max() <= found[j, 1] + 1e-9
        assert np.ptp(added) > 0.7 * np.ptp(found[j])


def test_reliance_knows_no_scale_of_weights(rng):
    X, y = data(rng)
    reliance = [
        RashomonRidge(share).fit(X, y, np.full(60, share)).model_class_reliance()
        for share in (1, 2 / 60, 1 / 60, 0.5 / 60)
    ]
    for other in reliance[1:]:
        assert_allclose(other, reliance[0], rtol=1e-9)
    w = rng.integers(0, 4, 60)
    one = RashomonRidge().fit(X, y, w).model_class_reliance()
    two = RashomonRidge().fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    assert_allclose(one, two.model_class_reliance(), rtol=1e-9)


@pytest.mark.parametrize("middle", [2_000, 100_000])
def test_far_columns_in_float32_predict_as_in_float64(rng, middle):
    X = (rng.normal(size=(80, 3)) + middle).astype(np.float32)
    y = (X - np.float32(middle)) @ [1.0, 2.0, -1.0] + 0.1 * rng.normal(size=80)
    near = RashomonRidge(random_state=0).fit(X.astype(float), y)
    far = RashomonRidge(random_state=0).fit(X, y.astype(np.float32))
    assert_allclose(far.predict(X), near.predict(X.astype(float)), atol=1e-5)
    assert far.predict(X).dtype == np.float32
    assert_allclose(far.predict_range(X), near.predict_range(X), atol=1e-5)


def test_numbers_beyond_floating_point_are_named(rng):
    X, y = data(rng)
    with pytest.raises(ValueError, match=r"Sums of squares overflow.* in X.* Scale"):
        RashomonRidge().fit(1e200 * X, y)
    with pytest.raises(ValueError, match=r"1e\+305 in sample_weight"):
        RashomonRidge().fit(1e3 * X, y, np.full(60, 1e305))
    with pytest.raises(ValueError, match="sample_weight must have a finite sum"):
        RashomonRidge().fit(X, y, np.full(60, 1e307))
    with pytest.raises(ValueError, match="a sum of at least 1e-290, got"):
        RashomonRidge().fit(X, y, np.full(60, 1e-300))
    for value in (0.1, 0.7, 1e9 / 3):
        with pytest.raises(ValueError, match="The target is constant"):
            RashomonRidge().fit(X, np.full(60, value))


@pytest.mark.parametrize("hard", [False, True])
def test_quadratic_range_against_a_grid(rng, hard):
    Q = np.diag([-1.0, -1.0, 2.0]) if hard else rng.normal(size=(3, 3))
    Q, g = Q + Q.T, np.array([0, 0, 0.5]) if hard else rng.normal(size=3)
    ball = unit_ball(200_000, 3, rng)
    ball = np.concatenate([ball, ball / np.linalg.norm(ball, axis=1, keepdims=True)])
    seen = np.einsum("ij,jk,ik->i", ball, Q, ball) + ball @ g
    low, high = quadratic_range(Q, g)
    assert_allclose([low, high], [seen.min(), seen.max()], atol=0.02 * np.ptp(seen))
    assert low <= seen.min() + 1e-9
    assert high >= seen.max() - 1e-9


def test_blocks_and_merge_equal_one_fit(rng):
    X, y = data(rng, n=90)
    w = rng.random(90)
    whole = RashomonRidge(random_state=0).fit(X, y, w)
    parts = RashomonRidge(random_state=0)
    for rows in np.array_split(rng.permutation(90), 5):
        parts.partial_fit(X[rows], y[rows], w[rows])
    blocks = RashomonRidge(random_state=0).fit_blocks(
        [(X[:30], y[:30], w[:30]), (X[30:], y[30:], w[30:])]
    )
    halves = [
        RashomonRidge(random_state=0).fit(X[s], y[s], w[s])
        for s in (slice(40), slice(40, 90))
    ]
    for model in (parts, blocks, halves[0].merge(halves[1])):
        assert_allclose(model.log_ratio_, whole.log_ratio_, rtol=1e-10)
        assert_allclose(model.coef_range_, whole.coef_range_, rtol=1e-10)


def test_sparse_input_and_theta_path(rng):
    X, y = data(rng)
    X[rng.random(X.shape) < 0.5] = 0
    model = RashomonRidge(random_state=0).fit(X, y)
    other = RashomonRidge(random_state=0).fit(sparse.csr_array(X), y)
    assert_allclose(other.log_ratio_, model.log_ratio_)
    assert_allclose(other.predict_range(sparse.csr_array(X)), model.predict_range(X))
    again = RashomonRidge(theta=0.2).fit(X, y)
    assert_allclose(
        model.log_ratio_at([0.05, 0.2]), [model.log_ratio_, again.log_ratio_]
    )
    assert model.log_ratio_at(0.0) == -np.inf
    absolute = RashomonRidge(theta=0.05 * model.min_loss_, theta_mode="absolute")
    assert_allclose(absolute.fit(X, y).log_ratio_, model.log_ratio_)


def test_members_predict_about_the_optimum(rng):
    X, y = data(rng)
    best = RashomonRidge().fit(X, y)
    mean = RashomonRidge(predict_with="members", n_members=5000, random_state=0)
    gap = mean.fit(X, y).predict(X) - best.predict(X)
    assert abs(gap).max() < 0.1 * y.std()
    assert_allclose(mean.members_[3].decision(X), mean.members_.decision(X)[3])
    assert len(mean.members_[:7]) == 7


@pytest.mark.parametrize("mode", ["relative", "absolute"])
def test_slack_of_zero_leaves_the_optimum(rng, mode):
    for n in range(20, 40):  # totals by which means round up and down
        X, y = data(rng, n)
        model = RashomonRidge(theta=0.0, theta_mode=mode, n_members=2).fit(X, y)
        assert model.log_ratio_ == -np.inf  # of a point, without a warning
        assert_allclose(model.members_.coef, np.tile(model.coef_, (2, 1)))


def test_members_of_weighted_and_repeated_rows_are_equal(rng):
    X, y = data(rng)
    w = rng.integers(0, 4, len(y))
    one = RashomonRidge(random_state=0).fit(X, y, w)
    rows = rng.permutation(np.repeat(np.arange(len(y)), w))
    two = RashomonRidge(random_state=0).fit(X[rows], y[rows])
    assert_allclose(one.members_.coef, two.members_.coef)


def test_bad_input(rng):
    X, y = data(rng)
    with pytest.raises(ValueError, match="infinite volume"):
        RashomonRidge(0.0, radius=1.0).fit(np.c_[X, X[:, 0]], y)
    with pytest.raises(ValueError, match="alpha=0 has no natural radius"):
        RashomonRidge(0.0).fit(X, y)
    with pytest.raises(ValueError, match="The target is constant"):
        RashomonRidge().fit(X, np.ones(len(y)))
    with pytest.raises(ValueError, match="theta must be a non-negative number"):
        RashomonRidge(theta=False).fit(X, y)
    with pytest.warns(RuntimeWarning, match="The Rashomon set is empty"):
        model = RashomonRidge(reference_loss=0.0, theta_mode="absolute").fit(X, y)
    assert model.log_ratio_ == -np.inf
    assert_allclose(model.predict(X), RashomonRidge().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="The Rashomon set is empty"):
        model.sample()
    with pytest.raises(ValueError, match="infinite volume"):
        log_ellipsoid_volume(np.zeros((2, 2)), 1.0)


def test_blocks_of_one_row_add(rng):
    X, y = data(rng, n=40)
    whole = RashomonRidge(random_state=0).fit(X, y)
    parts = RashomonRidge(random_state=0).partial_fit(X[:2], y[:2])
    for i in range(2, 40):
        parts.partial_fit(X[i : i + 1], y[i : i + 1])
    rest = [(X[:39], y[:39]), (X[39:], y[39:])]
    for model in (parts, RashomonRidge(random_state=0).fit_blocks(rest)):
        assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
        assert_allclose(model.log_ratio_, whole.log_ratio_, rtol=1e-9)
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        RashomonRidge().partial_fit(X[:1], y[:1])


@pytest.mark.parametrize("offset", [1e4, 1e6, 1e8])
def test_sparse_columns_far_from_zero_keep_their_digits(rng, offset):
    X, y = data(rng)
    X = np.c_[X + offset, rng.random(len(X)) < 0.2]
    dense = RashomonRidge(random_state=0).fit(X, y)
    found = RashomonRidge(random_state=0).fit(sparse.csr_array(X), y)
    assert_allclose(found.coef_, dense.coef_, rtol=1e-7, atol=1e-9)
    assert_allclose(found.log_ratio_, dense.log_ratio_, rtol=1e-8)
    assert_allclose(found.predict(sparse.csr_array(X)), dense.predict(X), atol=1e-6)
