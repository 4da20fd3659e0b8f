"""Chains of bridges through snapshots."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.bridge import SchrodingerBridgeTrajectory, energy_distance


@pytest.fixture(scope="module")
def snapshots():
    rng = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0, 3.0, 4.0], 400)
    X = rng.normal(size=(1600, 2)) * 0.5
    X[:, 0] += 2 * y
    X[:, 1] += np.sin(y) * np.sign(rng.normal(size=1600))
    order = rng.permutation(1600)
    return X[order], y[order]


@pytest.fixture(scope="module")
def model(snapshots):
    return SchrodingerBridgeTrajectory(4, random_state=0).fit(*snapshots)


def test_one_bridge_a_span_with_noise_in_proportion(model):
    assert_array_equal(model.times_, [0, 1, 3, 4])
    spans = [bridge.epsilon_ for bridge in model.bridges_]
    assert_allclose(spans, model.epsilon_ * np.array([1, 2, 1]))


def test_interpolation_beats_the_snapshots_beside(snapshots, model):
    X, y = snapshots
    kept = (y == 0) | (y == 3)
    held = SchrodingerBridgeTrajectory(4, random_state=0).fit(X[kept], y[kept])
    drawn = held.interpolate(1.0, 400, random_state=1)
    truth = X[y == 1]
    here = energy_distance(drawn, truth)
    assert here < energy_distance(X[y == 0], truth)
    assert here < energy_distance(X[y == 3], truth)
    for t in (0, 3, 4):
        assert energy_distance(model.interpolate(t, 400), X[y == t]) < 0.05


def test_paths_pass_through_all_spans(snapshots, model):
    X, y = snapshots
    start = X[y == 0]
    paths = model.sample_path(start, [0, 0.5, 1, 2, 3.5, 4], random_state=0)
    assert paths.shape == (400, 6, 2)
    assert_allclose(paths[:, 0], start, atol=1e-12)
    assert energy_distance(paths[:, 2], X[y == 1]) < 0.1
    assert energy_distance(paths[:, 5], X[y == 4]) < 0.1
    assert model.sample_path(start).shape == (400, 4, 2)


def test_score_prefers_what_fits(snapshots, model):
    X, y = snapshots
    rough = SchrodingerBridgeTrajectory(1, epsilon=model.epsilon_, random_state=0)
    assert model.score(X, y) > rough.fit(X, y).score(X, y)
    some = y < 2
    assert np.isfinite(model.score(X[some], y[some]))


def test_weights_are_shares_of_their_snapshot(snapshots):
    X, y = (rows[::8] for rows in snapshots)
    w = np.random.default_rng(0).integers(0, 4, len(X))
    base = SchrodingerBridgeTrajectory(2, random_state=0).fit(X, y, sample_weight=w)
    score = base.score(X, y, sample_weight=w)
    for A, b, u in (
        (X, y, w / 1e4 * (1 + y)),  # a factor for every snapshot
        (np.repeat(X, w, axis=0), np.repeat(y, w), None),
        (X[::-1], y[::-1], w[::-1]),
    ):
        other = SchrodingerBridgeTrajectory(2, random_state=0)
        other.fit(A, b, sample_weight=u)
        assert other.epsilon_ == pytest.approx(base.epsilon_, rel=1e-10)
        for one, two in zip(base.bridges_, other.bridges_, strict=True):
            assert_allclose(two.transform(X), one.transform(X), rtol=1e-7, atol=1e-8)
        assert other.score(A, b, sample_weight=u) == pytest.approx(score, rel=1e-8)
    missing = np.where(y == 3, 0, w)  # no row counts at one of the times
    assert np.isfinite(base.score(X, y, sample_weight=missing))


def test_snapshot_of_one_row_is_a_point(snapshots):
    X, y = snapshots
    X, y = np.vstack([X[y == 1], [[9.0, 9.0]]]), np.append(y[y == 1], 5.0)
    model = SchrodingerBridgeTrajectory(2, random_state=0).fit(X, y)
    assert_allclose(model.interpolate(5.0, 10), 9.0, atol=0.1)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m, X, y: m.fit(X, y * 0), "needs two or more, got only"),
        (lambda m, X, y: m.interpolate(7.0), "t must lie between 0.0 and 4.0, got 7"),
        (
            lambda m, X, y: m.interpolate(pd.DataFrame(X), 0.5),
            r"number between 0.0 and 4.0, got DataFrame .* interpolate\(t, n_samples\)",
        ),
        (lambda m, X, y: m.interpolate(np.nan), "t must lie between 0.0 and 4.0"),
        (lambda m, X, y: m.sample_path(X, [1, 0]), "times must increase within"),
        (lambda m, X, y: m.score(X, y + 1), "y must hold times of the fit"),
        (lambda m, X, y: m.score(X, y * 0), "No two consecutive times"),
    ],
)
def test_bad_times(snapshots, model, call, match):
    with pytest.raises(ValueError, match=match):
        call(model, *snapshots)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.ones(3), "sample_weight must have one entry for each of the"),
        (np.ones((4, 1)), r"got shape \(4, 1\)"),
        (np.zeros(4), "at least one non-zero number"),
    ],
)
def test_bad_weights(weight, match):
    X, y = np.arange(8.0).reshape(4, 2), np.repeat([0, 1], 2)
    with pytest.raises(ValueError, match=match):
        SchrodingerBridgeTrajectory(1).fit(X, y, sample_weight=weight)
