"""Neural collapse: the minimum against an optimiser, measurements against loops."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.probes import (
    CollapseDisplay,
    collapse_diagnostics,
    collapse_geometry,
)

COUNTS = np.array([60, 30, 15, 6, 2])


def trained(counts, lw, lh, n_layers, seed, d=6):
    """Minimise over all layers and features by L-BFGS from a random start."""
    y = np.repeat(np.arange(len(counts)), counts)
    n, k = len(y), len(counts)
    Y = np.eye(k)[:, y]
    shapes = [(d, d)] * (n_layers - 1) + [(k, d), (d, n)]
    sizes = np.cumsum([a * b for a, b in shapes])

    def parts(v):
        cut = np.split(v, sizes[:-1])
        return [c.reshape(s) for c, s in zip(cut, shapes, strict=True)]

    def objective(v):
        *layers, H = parts(v)
        outs = [H]
        for W in layers:
            outs.append(W @ outs[-1])
        rest = outs[-1] - Y
        value = (rest**2).sum() / (2 * n) + lh / 2 * (H**2).sum()
        value += lw / 2 * sum((W**2).sum() for W in layers)
        back, slopes = rest / n, []
        for W, before in zip(layers[::-1], outs[-2::-1], strict=True):
            slopes.insert(0, back @ before.T + lw * W)
            back = W.T @ back
        return value, np.concatenate([s.ravel() for s in [*slopes, back + lh * H]])

    start = np.random.default_rng(seed).normal(size=sizes[-1]) * 0.7
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-11}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    *layers, H = parts(found.x)
    return layers, H, y, found.fun


@pytest.mark.parametrize(
    ("n_layers", "lw", "lh"), [(1, 0.02, 0.002), (2, 0.004, 0.001), (3, 0.002, 0.0005)]
)
def test_geometry_is_the_minimum_that_an_optimiser_finds(n_layers, lw, lh):
    found = collapse_geometry(COUNTS, lw, lh, n_layers)
    runs = [trained(COUNTS, lw, lh, n_layers, seed) for seed in range(3)]
    layers, H, y, value = min(runs, key=lambda run: run[-1])
    means = np.stack([H[:, y == k].mean(axis=1) for k in range(5)])
    assert_allclose(np.linalg.norm(means, axis=1), found.feature_norms, atol=2e-3)
    assert_allclose(np.linalg.norm(layers[-1], axis=1), found.weight_norms, atol=2e-3)
    assert abs(H - means[y].T).max() < 1e-3  # no scatter within classes
    alive = means[found.survives]
    unit = alive / np.linalg.norm(alive, axis=1, keepdims=True)
    assert abs(unit @ unit.T - np.eye(len(unit))).max() < 1e-3
    n, a = COUNTS.sum(), found.weight_norms
    parts = (found.outputs - 1) ** 2 * COUNTS / (2 * n) + (n_layers + 1) * lw * a**2 / 2
    assert_allclose(value, parts.sum(), rtol=1e-5)


def test_decay_below_rounding():
    found = collapse_geometry([60, 3], 1e-20, 1e-20, n_layers=3)
    assert_allclose(found.outputs, 1)


def test_one_layer_in_closed_form():
    lw, lh, n = 0.01, 0.005, COUNTS.sum()
    found = collapse_geometry(COUNTS, lw, lh)
    sigma = np.maximum(np.sqrt(COUNTS) - n * np.sqrt(lw * lh), 0)
    assert_allclose(found.feature_norms**2, np.sqrt(lw / lh) * sigma / COUNTS)
    assert_allclose(found.weight_norms**2, np.sqrt(lh / lw) * sigma)
    assert_allclose(found.outputs, sigma / np.sqrt(COUNTS))
    assert_array_equal(found.survives, n**2 * lw * lh < COUNTS)
    assert "1 vanished" in repr(collapse_geometry(COUNTS, 0.01, 0.02))


@pytest.mark.parametrize("n_layers", [1, 2, 3, 5])
def test_the_smallest_class_vanishes_at_the_largest_safe_decay(n_layers):
    safe = collapse_geometry(COUNTS, 0.01, 0.003, n_layers).largest_safe_decay
    below = collapse_geometry(COUNTS, 0.999 * safe, 0.003, n_layers)
    above = collapse_geometry(COUNTS, 1.001 * safe, 0.003, n_layers)
    assert below.survives.all()
    assert_array_equal(above.survives, [True, True, True, True, False])
    if n_layers > 1:  # it jumps
        assert below.outputs[-1] > 0.3


def plain(X, y, coef=None):
    """Compute the quantities without corrections, by loops."""
    classes = np.unique(y)
    k = len(classes)
    means = np.array([X[y == c].mean(axis=0) for c in classes])
    centred = means - means.mean(axis=0)
    within = np.mean([np.cov(X[y == c].T) for c in classes], axis=0)
    between = centred.T @ centred / k
    nc1 = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / k
    etf, raw = [], []
    for i in range(k):
        for j in range(i):
            a, b = centred[i], centred[j]
            etf.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b) + 1 / (k - 1))
            a, b = means[i], means[j]
            raw.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    near = ((X[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    return nc1, np.abs(etf).mean(), np.abs(raw).mean(), near, centred


def table(rng, n=90, d=6, k=4):
    y = np.r_[np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)]
    return 1 + rng.normal(size=(n, d)) + 2 * rng.normal(size=(k, d))[y], y


def test_measurements_equal_loops(rng):
    X, y = table(rng)
    names = np.array(["d", "a", "c", "b"])[y]
    coef, shift = rng.normal(size=(4, 6)), rng.normal(size=4)
    found = collapse_diagnostics(X, names, coef, intercept=shift, n_bootstrap=0)
    nc1, etf, raw, near, centred = plain(X, names)
    assert_allclose(found.nc1, nc1, rtol=1e-9)
    assert_allclose(found.nc2_etf, etf, rtol=1e-9)
    assert_allclose(found.nc2_orthogonal, raw, rtol=1e-9)
    apart = centred / np.linalg.norm(centred) - coef / np.linalg.norm(coef)
    assert_allclose(found.nc3, np.linalg.norm(apart))
    assert_allclose(found.nc4, ((X @ coef.T + shift).argmax(axis=1) != near).mean())
    counts = found.class_counts
    v = np.array([X[names == c].var(axis=0, ddof=1).sum() for c in "abcd"])
    means = np.array([X[names == c].mean(axis=0) for c in "abcd"])
    top, bottom = [], []
    for i in range(4):
        for j in range(i):
            top.append((v[i] + v[j]) / 2)
            square = ((means[i] - means[j]) ** 2).sum()
            bottom.append(square - v[i] / counts[i] - v[j] / counts[j])
            assert_allclose(found.cdnv_pairs[i, j], top[-1] / bottom[-1])
    assert_allclose(found.cdnv, sum(top) / sum(bottom))
    assert_allclose(found.norms**2, (means**2).sum(axis=1) - v / counts)
    assert np.isnan(found.intervals["cdnv"]).all()
    without = collapse_diagnostics(X, names, n_bootstrap=0)
    assert np.isnan(without.nc3)
    assert_allclose(without.nc4, (np.array(list("abcd"))[near] != names).mean())


def test_weights_equal_repetition(rng):
    X, y = table(rng)
    w = rng.integers(0, 4, 90)
    w[:4] = 2
    a = collapse_diagnostics(X, y, sample_weight=w, n_bootstrap=0)
    b = collapse_diagnostics(np.repeat(X, w, axis=0), np.repeat(y, w), n_bootstrap=0)
    for name in ("nc1", "cdnv", "nc2_etf", "nc2_orthogonal", "nc4"):
        assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9)
    assert_allclose(a.norms, b.norms)
    assert_allclose(a.cdnv_pairs, b.cdnv_pairs)


def test_rotations_and_scales_change_nothing(rng):
    X, y = table(rng)
    coef = rng.normal(size=(4, 6))
    Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    a = collapse_diagnostics(X, y, coef, random_state=0, n_bootstrap=20)
    b = collapse_diagnostics(7 * X @ Q, y, coef @ Q, random_state=0, n_bootstrap=20)
    for name in a.intervals:
        assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-8)
        assert_allclose(a.intervals[name], b.intervals[name], rtol=1e-8)
    assert_allclose(7 * a.norms, b.norms)
    shifted = collapse_diagnostics(X + 100, y, coef, n_bootstrap=0)
    for name in ("nc1", "cdnv", "nc2_etf", "nc3"):
        assert_allclose(getattr(a, name), getattr(shifted, name), rtol=1e-8)


def test_a_collapsed_simplex_is_recognised():
    k = 5
    means = np.eye(k) - 1 / k
    y = np.repeat(np.arange(k), 8)
    found = collapse_diagnostics(means[y], y, means)
    assert_allclose([found.nc1, found.cdnv, found.nc2_etf, found.nc3], 0, atol=1e-12)
    assert found.nc4 == 0
    assert_allclose(found.nc2_orthogonal, 0.25)
    raw = collapse_diagnostics(np.eye(k)[y], y, n_bootstrap=0)
    assert raw.nc2_orthogonal < 1e-12


def test_two_classes_take_one_row_of_weights(rng):
    X, y = table(rng, k=2)
    model = LogisticRegression().fit(X, y)
    one = collapse_diagnostics(
        X, y, model.coef_, intercept=model.intercept_, n_bootstrap=0
    )
    two = collapse_diagnostics(
        X,
        y,
        np.vstack([-model.coef_, model.coef_]),
        intercept=np.r_[-model.intercept_, model.intercept_],
        n_bootstrap=0,
    )
    assert one.nc3 == two.nc3
    near = plain(X, y)[3]
    assert one.nc4 == (model.predict(X) != near).mean()
    assert one.nc2_etf < 1e-9


def truth_of(rng, k=10, d=50, sd=2.0):
    means = rng.normal(size=(k, d))
    pairs = np.triu_indices(k, 1)
    apart = ((means[:, None] - means) ** 2).sum(axis=2)[pairs].mean()
    return means, sd, d * sd**2 / apart


@pytest.mark.parametrize("n", [5, 20, 100])
def test_the_bias_of_small_samples_is_gone(n):
    rng = np.random.default_rng(0)
    means, sd, truth = truth_of(rng)
    y = np.repeat(np.arange(10), n)
    found, without = [], []
    for _ in range(40):
        X = means[y] + sd * rng.normal(size=(len(y), 50))
        found.append(collapse_diagnostics(X, y, n_bootstrap=0).cdnv)
        centre = X.reshape(10, n, 50).mean(axis=1)
        apart = ((centre[:, None] - centre) ** 2).sum(axis=2)
        spread = ((X - centre[y]) ** 2).sum() / len(y)
        without.append(spread / apart[np.triu_indices(10, 1)].mean())
    assert_allclose(np.median(found), truth, rtol=0.06)
    if n <= 20:
        assert np.mean(without) < 0.9 * truth


def test_intervals_cover():
    rng = np.random.default_rng(1)
    means, sd, truth = truth_of(rng, k=5, d=20)
    y, covered = np.repeat(np.arange(5), 20), []
    for seed in range(120):
        X = means[y] + sd * rng.normal(size=(100, 20))
        found = collapse_diagnostics(X, y, n_bootstrap=60, random_state=seed)
        low, high = found.intervals["cdnv"]
        assert low <= found.cdnv <= high
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.85


def test_a_class_of_one_row(rng):
    X, y = table(rng)
    X, y = np.vstack([X, rng.normal(size=(1, 6))]), np.append(y, 9)
    with pytest.warns(UserWarning, match=r"A class of one row .* \[9\] count"):
        found = collapse_diagnostics(X, y, n_bootstrap=10)
    assert np.isnan(found.norms[-1])
    assert np.isnan(found.cdnv_pairs[-1]).all()
    assert np.isfinite([found.nc1, found.cdnv, found.nc2_etf]).all()
    assert np.isfinite(found.norms[:-1]).all()


def test_no_class_has_a_variance(rng):
    X = rng.normal(size=(4, 6))
    for y in (np.arange(4), np.array([0, 0, 0, 1])):
        with pytest.warns(UserWarning, match="A class of one row"):
            found = collapse_diagnostics(X, y, n_bootstrap=5)
        assert np.isnan(found.cdnv)  # rather than infinite
        assert np.isnan(found.intervals["cdnv"]).all()
        assert np.isnan(found.nc1) == (len(set(y)) == 4)


@pytest.mark.parametrize("scale", [1e-4, 1e-8, 1e-11])
def test_rows_that_have_collapsed_keep_their_digits(scale):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.eye(3, 6)[y] + scale * rng.normal(size=(60, 6))
    found = collapse_diagnostics(X, y, n_bootstrap=20, random_state=0)
    own = [X[y == c] for c in range(3)]
    variance = np.mean([rows.var(axis=0, ddof=1).sum() for rows in own])
    means = np.array([rows.mean(axis=0) for rows in own])
    apart = np.mean([((means[i] - means[i - 1]) ** 2).sum() for i in range(3)])
    assert_allclose(found.cdnv, variance / (apart - 2 * variance / 20), rtol=1e-5)
    low, high = found.intervals["cdnv"]
    assert found.cdnv / 2 < low < found.cdnv < high < 2 * found.cdnv


def test_weights_of_zero_have_no_direction(rng):
    X, y = table(rng)
    found = collapse_diagnostics(X, y, np.zeros((4, 6)), n_bootstrap=0)
    assert np.isnan(found.nc3)


def test_means_no_farther_apart_than_chance():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 30)), np.arange(40) % 2
    found = [
        collapse_diagnostics(rng.normal(size=(40, 30)), y, n_bootstrap=5).cdnv
        for _ in range(20)
    ]
    assert np.isinf(found).any()
    wide = [
        collapse_diagnostics(rng.normal(size=(40, 30)), y, n_bootstrap=9).intervals
        for _ in range(20)
    ]
    ends = np.array([interval["cdnv"] for interval in wide])
    assert not np.isnan(ends).any()
    assert np.isinf(ends).any()
    assert np.isinf(collapse_diagnostics(np.ones_like(X), y, n_bootstrap=0).nc1)


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"class_counts": [3, 0]}, "one positive number of rows for each class"),
            ({"class_counts": [[3]]}, "one positive number of rows for each class"),
            ({"weight_decay": 0}, "weight_decay must be positive"),
            ({"feature_decay": np.inf}, "feature_decay must be positive"),
            ({"n_layers": 0}, "n_layers must be a whole number"),
            ({"n_layers": 1.5}, "n_layers must be a whole number"),
            ({"n_layers": np.inf}, "n_layers must be a whole number"),
            ({"n_layers": "two"}, "n_layers must be a whole number"),
        ],
    )
    def test_geometry(self, change, message):
        good = {"class_counts": [3, 2], "weight_decay": 0.1, "feature_decay": 0.1}
        with pytest.raises(ValueError, match=message):
            collapse_geometry(**good | change)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": np.zeros(6)}, "needs two classes, got one class"),
            ({"y": np.arange(5)}, "inconsistent numbers of samples"),
            ({"coef": np.ones((2, 2))}, "one row for each of the 3 classes"),
            ({"intercept": np.ones(3)}, "intercept needs coef"),
            ({"coef": np.ones((3, 2)), "intercept": [1.0]}, "one number for each cl"),
            ({"n_bootstrap": -1}, "n_bootstrap must be at least 0"),
            ({"n_bootstrap": 2.5}, "n_bootstrap must be at least 0, a whole number"),
            ({"coef": np.full((3, 2), np.nan)}, "contains NaN"),
            ({"coef": np.ones((3, 2)), "intercept": [0, 0, np.inf]}, "infinity"),
            ({"confidence_level": 1.0}, "confidence_level must lie between 0 and 1"),
        ],
    )
    def test_diagnostics(self, change, message):
        good = {"X": np.arange(12.0).reshape(6, 2), "y": np.arange(6) % 3}
        with pytest.raises(ValueError, match=message):
            collapse_diagnostics(**good | change)


class TestDisplay:
    def test_cosines(self, rng):
        X, y = table(rng)
        found = collapse_diagnostics(X, y, n_bootstrap=0)
        display = CollapseDisplay(diagnostics=found, name="features").plot()
        assert_array_equal(display.artist_.get_array(), found.cosines)
        assert display.ax_.get_title() == "features"
        assert "-0.33" in display.ax_.get_xlabel()
        plt.close("all")

    def test_norms(self, rng):
        X, y = table(rng)
        found = collapse_diagnostics(X, y, n_bootstrap=0)
        geometry = collapse_geometry(found.class_counts, 1e-3, 1e-3)
        display = CollapseDisplay(diagnostics=found, geometry=geometry)
        at = np.asarray(display.plot(kind="norms").artist_.get_offsets())
        assert_allclose(np.log(at).mean(axis=0), 0, atol=1e-12)
        assert_allclose(at[:, 1] / at[0, 1], found.norms / found.norms[0])
        predicted = geometry.feature_norms
        assert_allclose(at[:, 0] / at[0, 0], predicted / predicted[0])
        at = CollapseDisplay(diagnostics=found).plot(kind="norms").artist_
        ratio = (found.class_counts / found.class_counts[0]) ** -0.25
        at = np.asarray(at.get_offsets())
        assert_allclose(at[:, 0] / at[0, 0], ratio)
        plt.close("all")

    def test_pipelines_pass_their_features_on(self, rng):
        X, y = table(rng)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
        display = CollapseDisplay.from_estimator(model, X, y, kind="norms")
        last = model[-1]
        direct = collapse_diagnostics(
            model[:-1].transform(X),
            y,
            last.coef_,
            intercept=last.intercept_,
            n_bootstrap=0,
        )
        assert_allclose(display.diagnostics.nc3, direct.nc3)
        assert display.diagnostics.nc4 == direct.nc4
        plt.close("all")

    def test_labels_of_some_classes_take_their_weights(self, rng):
        X, y = table(rng)
        model = LogisticRegression().fit(X, y)
        some = y != np.unique(y)[1]
        rows = [0, 2, 3]
        direct = collapse_diagnostics(
            X[some],
            y[some],
            model.coef_[rows],
            intercept=model.intercept_[rows],
            n_bootstrap=0,
        )
        shown = CollapseDisplay.from_estimator(model, X[some], y[some])
        weighted = CollapseDisplay.from_estimator(model, X, y, sample_weight=some * 1.0)
        for found in (shown.diagnostics, weighted.diagnostics):
            assert_allclose([found.nc3, found.nc4], [direct.nc3, direct.nc4])
        with pytest.raises(ValueError, match="one row for each of the 4 classes"):
            CollapseDisplay.from_estimator(model, X, np.where(some, y, 77))
        plt.close("all")

    def test_refusals(self, rng):
        X, y = table(rng)
        display = CollapseDisplay(diagnostics=collapse_diagnostics(X, y, n_bootstrap=0))
        with pytest.raises(ValueError, match="kind must be 'cosines' or 'norms'"):
            display.plot(kind="angles")
        display.geometry = collapse_geometry([3, 2], 0.1, 0.1)
        with pytest.raises(ValueError, match="geometry has 2 classes, diagnostics"):
            display.plot(kind="norms")
        display.geometry = collapse_geometry([1, 1, 1, 1], 9, 9)
        with pytest.raises(ValueError, match="nothing to draw"):
            display.plot(kind="norms")
        with pytest.raises(TypeError, match="coef_, or a Pipeline that ends in one"):
            CollapseDisplay.from_estimator(KMeans(2, n_init=1).fit(X), X, y)
        plt.close("all")


def test_whole_numbers_are_labels_however_many(rng):
    y = np.r_[np.arange(30), np.arange(30), np.arange(30, 90)]
    with pytest.warns(UserWarning, match="A class of one row") as caught:
        collapse_diagnostics(rng.normal(size=(120, 3)), y, n_bootstrap=0)
    assert not any("regression" in str(w.message) for w in caught)
