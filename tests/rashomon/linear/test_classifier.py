"""Linear classifiers under the 0-1 loss: arcs, plain draws and splitting."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.rashomon import RashomonLinearClassifier, cover_count
from sklearn_ext.rashomon._linear._halfspaces import (
    _Reservoir,
    _walk,
    arcs_of,
    direction_errors,
    draw_on_arcs,
    exact_circle,
    random_directions,
    split_levels,
)
from sklearn_ext.rashomon._ratio import replicate_interval


def blobs(rng, n=60, p=2):
    X = rng.normal(size=(n, p))
    return X, (X[:, 0] + 0.7 * rng.normal(size=n) > 0).astype(int)


def circles(rng, p, n):
    start, across = random_directions(n, p, rng), rng.normal(size=(n, p))
    across -= (across * start).sum(axis=1, keepdims=True) * start
    return start, across / np.linalg.norm(across, axis=1, keepdims=True)


def test_circle_finds_the_optimum_that_draws_miss():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 2))
    y = X @ [1, 0.3] + 0.5 * rng.normal(size=40) > 0
    clf = RashomonLinearClassifier(
        n_draws=1, fit_intercept=False, standardize=False, random_state=0
    ).fit(X, y)
    angle = np.linspace(0, 2 * np.pi, 100_001)
    wrong = np.stack([np.cos(angle), np.sin(angle)], 1) @ X.T * (2 * y - 1) <= 0
    errors = wrong.sum(axis=1)
    assert clf.min_loss_ * 40 == errors.min()
    assert_allclose(clf.ratio_, (errors <= errors.min() + 2).mean(), atol=1e-4)
    members = (clf.member_predictions(X) != y).sum(axis=1)
    assert members.max() <= errors.min() + 2
    assert len(np.unique(clf.members_.coef, axis=0)) == 200
    tiny = clone(clf).fit(X, y, 1e-12 * np.ones(40))
    assert_allclose(tiny.log_ratio_, clf.log_ratio_)


def test_members_are_a_sequence_of_members():
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    members = RashomonLinearClassifier(n_draws=500, n_members=7).fit(X, y).members_
    assert np.asarray(members, dtype=object).shape == (7,)
    assert_allclose([m.decision(X) for m in members], members.decision(X))
    with pytest.raises(IndexError):
        members[7]


@pytest.mark.parametrize("n", [1, 255, 256, 70_000])  # around the widths of counters
def test_errors_of_directions_are_counted_row_by_row(rng, n):
    rows, w = rng.normal(size=(n, 2)), rng.normal(size=(40, 2))
    rows[:, 0] = np.abs(rows[:, 0])
    w[:2] = [[-1.0, 0.0], [1.0, 0.0]]  # wrong and right about every row
    assert_array_equal(
        direction_errors(w, rows), [(rows @ direction <= 0).sum() for direction in w]
    )


def test_errors_along_arcs_equal_direct_counts(rng):
    rows, weight = rng.normal(size=(15, 3)), rng.integers(1, 4, 15).astype(float)
    rows[4] = 0.0  # a tie for every direction
    start, across = circles(rng, 3, 6)
    angle, length, errors = arcs_of(rows, weight, start, across)
    assert_allclose(length.sum(axis=1), 2 * np.pi)
    middle = angle + length / 2
    for c in range(6):
        on = (
            np.cos(middle[c])[:, None] * start[c]
            + np.sin(middle[c])[:, None] * across[c]
        )
        assert_allclose(direction_errors(on, rows, weight), errors[c])


def test_errors_along_arcs_with_boundaries_at_the_ends():
    rows = np.array([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
    eye = np.eye(2)
    angle, length, errors = arcs_of(rows, np.ones(4), eye[:1], eye[1:])
    wide = length[0] > 1e-9
    middle = (angle + length / 2)[0, wide]
    on = np.stack([np.cos(middle), np.sin(middle)], axis=1)
    assert_allclose(direction_errors(on, rows), errors[0, wide])


def test_equal_rows_of_both_classes_open_no_arc(rng):
    """Rounding turns equal rows at angles that differ by an ulp."""
    X = np.repeat(rng.normal(size=(25, 3)), 2, axis=0)
    rows = X * np.tile([1.0, -1.0], 25)[:, None]  # each pair has one error exactly
    _, length, errors = arcs_of(rows * 3, np.ones(50), *circles(rng, 3, 40))
    assert (errors[length > 0] == 25).all()
    levels, log_cdf = exact_circle(rows[:, :2], np.ones(50))
    assert_allclose(levels, [25])
    assert_allclose(log_cdf, 0.0)


def test_angles_are_drawn_uniformly_inside():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9, 3))
    start, across = circles(rng, 3, 1)
    angle, length, errors = arcs_of(rows, np.ones(9), start, across)
    limit = np.sort(errors[0])[8]
    many = [np.repeat(a, 5000, axis=0) for a in (angle, length, errors)]
    phi = draw_on_arcs(*many, limit, rng)
    on = np.cos(phi)[:, None] * start + np.sin(phi)[:, None] * across
    assert (direction_errors(on, rows) <= limit).all()
    arc = (np.searchsorted(angle[0], (phi + np.pi) % (2 * np.pi) - np.pi) - 1) % 18
    inside = errors[0] <= limit
    expected = np.where(inside, length[0], 0)
    seen = np.bincount(arc, minlength=18)
    kept = expected > 1e-6
    share = expected[kept] / expected.sum()
    assert stats.chisquare(seen[kept], seen[kept].sum() * share).pvalue > 1e-3


def test_two_coordinates_are_exact(rng):
    X, y = blobs(rng, p=1)
    clf = RashomonLinearClassifier(random_state=0).fit(X, y)
    assert clf.method_ == "exact"
    assert clf.exact_
    draws = RashomonLinearClassifier(method="crude", random_state=1).fit(X, y)
    low, high = draws.log_ratio_interval_
    assert low - 0.1 < clf.log_ratio_ < high + 0.1
    w = random_directions(200_000, 2, rng)
    rows = np.c_[(X - X.mean()) / X.std(), np.ones(len(X))] * (2 * y - 1)[:, None]
    errors, log_cdf = exact_circle(rows, np.ones(len(y)))
    seen = direction_errors(w, rows)
    for e, p in zip(errors[::5], np.exp(log_cdf[0][::5]), strict=True):
        assert abs((seen <= e).mean() - p) < 5 * np.sqrt(p * (1 - p) / 2e5) + 1e-9


@pytest.mark.parametrize(("d", "k"), [(20, 2), (40, 6)])
def test_splitting_against_the_binomial_law(d, k):
    exact = stats.binom.logcdf(k, d, 0.5)
    logs = []
    for seed in range(4):
        errors, log_cdf, found = split_levels(
            np.eye(d),
            np.ones(d),
            k,
            n_particles=60,
            n_steps=2 * d,
            rng=np.random.default_rng(seed),
        )
        assert ((found <= 0).sum(axis=1) <= k).all()
        logs.append(log_cdf[errors <= k][-1])
    assert abs(np.mean(logs) - exact) < 4 * np.std(logs, ddof=1) / 2 + 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("d", "n_runs"), [(12, 60), (40, 20)])
def test_splitting_interval_covers(d, n_runs):
    exact, covered = stats.binom.logcdf(1, d, 0.5), 0
    for seed in range(n_runs):
        logs = []
        for rng in np.random.default_rng(seed).spawn(4):
            errors, log_cdf, _ = split_levels(
                np.eye(d), np.ones(d), 1, n_particles=30, n_steps=2 * d, rng=rng
            )
            logs.append(log_cdf[errors <= 1][-1])
        _, low, high = replicate_interval(logs, 0.95)
        covered += low <= exact <= high
    assert covered / n_runs >= 0.90


def test_whole_curve_of_splitting():
    errors, log_cdf, _ = split_levels(
        np.eye(16),
        np.ones(16),
        1,
        n_particles=300,
        n_steps=40,
        rng=np.random.default_rng(0),
    )
    expected = stats.binom.logcdf(errors, 16, 0.5)
    assert_allclose(log_cdf, expected, atol=0.35)
    assert (np.diff(log_cdf) >= 0).all()


def test_estimator_on_orthants():
    """Rows are unit vectors: errors of a random direction are binomial."""
    X = np.concatenate([np.eye(12), -np.eye(12)])
    y = np.repeat([1, 0], 12)  # the same constraint twice
    params = {
        "standardize": False,
        "fit_intercept": False,
        "reference_loss": 2 / 12,
        "theta": 0.0,
        "random_state": 0,
    }
    exact = stats.binom.logcdf(2, 12, 0.5)
    for method in ("crude", "splitting"):
        clf = RashomonLinearClassifier(method=method, **params).fit(X, y)
        low, high = clf.log_ratio_interval_
        assert low - 0.1 < exact < high + 0.1
        assert clf.method_ == method
        assert clf.min_loss_ == 0
        said = clf.member_predictions(X)
        assert ((said != y).mean(axis=1) <= clf.threshold_loss_ + 1e-9).all()


def test_crude_interval_is_clopper_pearson_and_zero_hits_warn(rng):
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(RuntimeWarning, match=r"No draw is inside.*'splitting'"):
        clf = RashomonLinearClassifier(
            method="crude", n_draws=500, theta=0.0, random_state=0
        ).fit(X, y)
    low, high = clf.log_ratio_interval_
    assert clf.log_ratio_ == low == -np.inf
    assert_allclose(high, np.log(1 - 0.025 ** (1 / 500)))
    assert clf.score(X, y) > 0.95


def test_auto_splits_levels_when_draws_miss():
    X, y = load_breast_cancer(return_X_y=True)
    X, y = X[:150, :8], y[:150]
    clf = RashomonLinearClassifier(
        theta=0.0,
        reference_loss=0.06,
        n_draws=500,
        n_steps=10,
        n_particles=30,
        random_state=0,
    ).fit(X, y)
    assert clf.method_ == "splitting"
    assert -15 < clf.log_ratio_ < -3
    assert clf.log_ratio_at(0.1) > clf.log_ratio_
    assert (np.diff(clf.log_cdf_) >= 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_no_level_is_lost_between_walks(seed):
    """Columns of very different units: circles seldom meet the lowest errors."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 3)) * [1, 100, 1e4]
    y = (X[:, 0] > 0).astype(int)
    clf = RashomonLinearClassifier(
        theta=0, standardize=False, n_draws=1000, random_state=0
    ).fit(X, y)
    assert clf.method_ == "splitting"
    said = clf.member_predictions(X) != y
    assert (said.mean(axis=1) <= clf.threshold_loss_ + 1e-9).all()


def test_lower_levels_are_drawn_uniformly():
    """Two coordinates: the arcs of the half circle that errs at most once."""
    rows = np.array([[1.0, 0.0], [0.8, 0.6], [-0.28, 0.96]])
    rng, angles = np.random.default_rng(0), []
    for _ in range(300):
        w = np.ones((20, 2)) / np.sqrt(2)
        lower = _Reservoir(w, 1)
        _walk(rows, np.ones(3), w, 2, 6, rng, lower)
        angles.append(np.arctan2(*lower.directions.T[::-1]))
    phi = np.sort(np.ravel(angles))
    middle = np.arctan2(rows[:, 1], rows[:, 0])
    first, last = middle[1] - np.pi / 2, middle[1] + np.pi / 2  # two of three right
    assert stats.kstest((phi - first) / (last - first), "uniform").pvalue > 1e-3


def test_weights_equal_repetition(rng):
    X, y = blobs(rng)
    w = rng.integers(1, 3, len(y))
    one = RashomonLinearClassifier(random_state=0).fit(X, y, w)
    two = RashomonLinearClassifier(random_state=0).fit(
        np.repeat(X, w, axis=0), np.repeat(y, w)
    )
    assert_allclose(one.log_ratio_, two.log_ratio_)


def test_best_direction_predicts(rng):
    X, y = blobs(rng, p=3)
    clf = RashomonLinearClassifier(predict_with="best", random_state=0).fit(X, y)
    assert_allclose(1 - clf.score(X, y), clf.min_loss_)
    assert set(np.unique(clf.predict_proba(X))) == {0.0, 1.0}


def test_weak_splitting_warns(rng):
    X, y = blobs(rng, p=3)
    with pytest.warns(ConvergenceWarning, match="rests on .* directions, fewer"):
        RashomonLinearClassifier(
            method="splitting", n_particles=5, n_replicates=2, random_state=0
        ).fit(X, y)


def test_bad_input(rng):
    X, y = blobs(rng)
    with pytest.raises(ValueError, match="method='exact' needs two coordinates"):
        RashomonLinearClassifier(method="exact").fit(X, y)
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        RashomonLinearClassifier().fit(X, np.arange(60) % 3)


def test_cover_count_against_enumeration(rng):
    rows = rng.normal(size=(5, 2))
    w = random_directions(50_000, 2, rng)
    assert len(np.unique(w @ rows.T > 0, axis=0)) == cover_count(5, 2) == 10


def test_torch_counts_the_same_errors(rng):
    from sklearn_ext.rashomon._linear._halfspaces_torch import direction_errors_torch

    rows, w = rng.normal(size=(40, 6)), random_directions(500, 6, rng)
    weight = rng.random(40)
    expected = direction_errors(w, rows)
    assert_array_equal(direction_errors_torch(w, rows, device="cpu"), expected)
    expected = direction_errors(w, rows, weight)
    assert_allclose(direction_errors_torch(w, rows, weight, device="cpu"), expected)
    X, y = blobs(rng)
    one, two = (
        RashomonLinearClassifier(device=d, n_draws=5000, random_state=0).fit(X, y)
        for d in (None, "cpu")
    )
    assert one.log_ratio_ == two.log_ratio_


def test_draws_from_the_set(rng):
    X, y = blobs(rng, p=3)
    clf = RashomonLinearClassifier(theta=0.1, random_state=0).fit(X, y)
    for theta, limit in ((None, clf.threshold_loss_), (0.04, clf.min_loss_ + 0.04)):
        members = clf.sample(300, theta=theta, random_state=0)
        wrong = ((members.decision(X) > 0) != y).mean(axis=1)
        assert wrong.max() <= limit + 1e-9
        assert len(np.unique(members.coef, axis=0)) > 20
    with pytest.raises(ValueError, match=r"theta=0.2 is beyond the fitted 0.1"):
        clf.sample(theta=0.2)
    with pytest.warns(RuntimeWarning, match="No draw is inside"):
        clf = RashomonLinearClassifier(
            method="crude", n_draws=2, theta=0.0, random_state=0
        ).fit(X, y)
    with pytest.raises(ValueError, match="No direction was found inside the set"):
        clf.sample()


@pytest.mark.parametrize("as_rows", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("unit", [1e-200, 1e-30, 1e-15, 1e15, 1e200])
def test_standardised_columns_may_have_any_unit(rng, unit, as_rows):
    X = rng.normal(size=(40, 2))
    y = (X @ [1, -1] + 0.2 * rng.normal(size=40) > 0).astype(int)
    one = RashomonLinearClassifier(n_draws=2000, random_state=0).fit(as_rows(X), y)
    other = clone(one).fit(as_rows(X * unit), y)
    assert_allclose(other.log_ratio_, one.log_ratio_, rtol=1e-12)
    assert_array_equal(other.predict(as_rows(X * unit)), one.predict(as_rows(X)))
