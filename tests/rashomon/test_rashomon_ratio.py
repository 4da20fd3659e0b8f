"""What every fitted object says about the size of its set."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize
from sklearn.linear_model import LogisticRegression

from sklearn_ext.rashomon import (
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonRidge,
    RashomonSearchCV,
    RashomonTreeClassifier,
)
from sklearn_ext.rashomon._linear._ellipsoids import (
    Ellipsoid,
    ellipsoid_share,
    unit_ball,
)
from sklearn_ext.rashomon._linear._logistic_ratio import profiled_values
from sklearn_ext.rashomon._linear._logistic_sets import LogisticProblem
from sklearn_ext.rashomon._ratio import CoefficientSpace


def data(n=50, p=3):
    X = np.random.default_rng(0).normal(size=(n, p))
    return X, (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0).astype(int)


@pytest.mark.parametrize(
    ("model", "space", "prior"),
    [
        (RashomonTreeClassifier(2), "complete trees", "prior=feature"),
        (RashomonTreeClassifier(2, space="sparse"), "sparse trees", "prior="),
        (RashomonRidge(), "linear models", "prior=uniform in a ball, radius="),
        (RashomonRidge(space="box"), "linear models", "prior=uniform in a box"),
        (RashomonLogisticRegression(), "logistic models", "prior=uniform in a ball"),
        (
            RashomonLogisticRegression(space="gaussian", prior_scale=2),
            "logistic models",
            "prior=normal, scale 2",
        ),
        (RashomonLinearClassifier(), "linear classifiers", "prior=uniform directions"),
        (
            RashomonSearchCV([("one", LogisticRegression())]),
            "candidates",
            "prior=uniform",
        ),
    ],
    ids=str,
)
def test_results_name_their_space(model, space, prior):
    model.fit(*data())
    assert model.hypothesis_space_["name"] == space
    text = str(model.summary())
    assert f"share of: name={space}" in text
    assert prior in text
    assert f"{model.log10_ratio_:.3f}" in text
    assert_allclose(model.ratio_, 10**model.log10_ratio_)
    assert_allclose(model.ratio_, 2.0**-model.information_bits_)
    low, high = model.log_ratio_interval_
    assert low <= model.log_ratio_ <= high <= 0
    assert model.exact_ == (model.interval_kind_ == "exact")


def test_summary_shows_radii_shortly():
    model = RashomonRidge(radius=1 / 3).fit(*data())
    assert "radius=0.333333" in str(model.summary())
    assert repr(model.summary()) == str(model.summary())  # what notebooks show


@pytest.mark.parametrize("intercept", [True, False])
def test_profiled_values_equal_a_scalar_search(rng, intercept):
    X = np.c_[rng.normal(size=(30, 2)), np.ones(30)][:, : 2 + intercept]
    sign, w = rng.choice([-1.0, 1.0], 30), rng.random(30)
    penalty = np.append([0.1, 0.2], 0.0)[: 2 + intercept]
    problem = LogisticProblem(X, sign, w / w.sum(), penalty)
    coef = rng.normal(size=(5, 2)) * [[1], [10], [100], [1e3], [0]]
    found = profiled_values(problem, coef)
    for c, value in zip(coef, found, strict=True):
        if intercept:
            reach = 50 + abs(X[:, :2] @ c).max()
            best = optimize.minimize_scalar(
                lambda b, c=c: problem.value(np.append(c, b)),
                bounds=(-reach, reach),
                method="bounded",
                options={"xatol": 1e-10},
            ).fun
        else:
            best = problem.value(c)
        assert_allclose(value, best, rtol=1e-6)


@pytest.mark.parametrize("space", ["ball", "box"])
def test_share_of_a_space_smaller_than_the_set(rng, space):
    """The set reaches out of the space on all sides, and holds a part of it."""
    centre, values = np.array([1.0, 0.5]), np.array([1.0, 3.0])
    ellipsoid = Ellipsoid(centre, values, np.eye(2), 2.0)
    found = ellipsoid_share(
        ellipsoid,
        CoefficientSpace(space, 2, 0.8, 1.0),
        n_draws=20_000,
        confidence_level=0.99,
        rng=rng,
    )
    draws = unit_ball(200_000, 2, rng) if space == "ball" else None
    points = rng.uniform(-1, 1, (200_000, 2)) if draws is None else draws
    inside = (((0.8 * points - centre) ** 2) @ values <= 2.0).mean()
    assert 0.2 < inside < 0.9
    assert found.low < np.log(inside) < found.high


def test_logistic_interval_covers():
    """A normal prior: rays and draws from the set both vary."""
    X, y = data()
    params = {"theta": 0.2, "space": "gaussian", "prior_scale": 1.5, "n_members": 1}
    models = [
        RashomonLogisticRegression(n_rays=100, random_state=seed, **params).fit(X, y)
        for seed in range(60)
    ]
    long = RashomonLogisticRegression(n_rays=20_000, random_state=0, **params).fit(X, y)
    truth = long.log_ratio_
    points = (
        1.5 * np.random.default_rng(1).standard_normal((10_000, 3)) / long._space.unit
    )
    inside = profiled_values(long._problem, points) <= long.threshold_loss_
    assert abs(np.log(inside.mean()) - truth) < 4 / np.sqrt(inside.sum())
    ends = np.array([m.log_ratio_interval_ for m in models])
    covered = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    assert covered.mean() >= 0.90
    spread = np.std([m.log_ratio_ for m in models])
    assert np.ptp(ends, axis=1).mean() < 6 * spread  # and not by being idle


def test_sampled_ridge_interval_covers():
    X, y = data()
    params = {"theta": 0.5, "space": "gaussian", "prior_scale": 0.3, "n_draws": 200}
    models = [
        RashomonRidge(random_state=seed, n_members=1, **params).fit(X, y)
        for seed in range(200)
    ]
    truth = RashomonRidge(random_state=0, **params | {"n_draws": 400_000}).fit(X, y)
    covered = np.mean(
        [
            low <= truth.log_ratio_ <= high
            for m in models
            for low, high in [m.log_ratio_interval_]
        ]
    )
    assert covered >= 0.90


def test_overlap_does_not_order_the_ratio():
    """Two normal classes, directions: the ratio falls and rises with the distance."""
    X = np.random.default_rng(0).normal(size=(2000, 2))
    y = np.arange(2000) % 2
    plane = RashomonLinearClassifier(fit_intercept=False, standardize=False)
    ratios = []
    for distance in (0.1, 2.0, 4.0, 8.0):
        moved = X + np.outer(distance * (y - 0.5), [1.0, 0.0])
        ratios.append(plane.fit(moved, y).ratio_)
    assert ratios[0] > 2 * ratios[1]
    assert ratios[1] < ratios[2] < ratios[3]


def test_equal_columns_have_wide_ranges_and_narrow_bootstraps(rng):
    x = rng.normal(size=300)
    X, y = np.c_[x, x], x + rng.normal(size=300)
    width = np.ptp(RashomonRidge(theta=0.01).fit(X, y).coef_range_[0])
    rows = rng.integers(300, size=(100, 300))
    again = [RashomonRidge(n_members=1).fit(X[i], y[i]).coef_[0] for i in rows]
    assert width > 5 * np.ptp(np.quantile(again, [0.025, 0.975]))
