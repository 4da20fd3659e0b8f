"""The display draws what it says, and refuses what it cannot."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    SchrodingerBridgeDisplay,
    make_entropic_ot,
)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module", params=[("diag", 2), ("full", 3)])
def fitted(request):
    kind, D = request.param
    pair = make_entropic_ot(200, 200, D, random_state=0)
    bridge = LightSchrodingerBridge(3, covariance_type=kind, random_state=0)
    return bridge.fit(pair.X, X_target=pair.Y), pair


@pytest.mark.parametrize("kind", ["paths", "map", "components"])
def test_kinds_draw_on_one_axes(fitted, kind):
    bridge, pair = fitted
    shown = SchrodingerBridgeDisplay.from_estimator(
        bridge, pair.X, pair.Y, kind=kind, n_rows=30
    )
    assert shown.paths.shape == (30, 21, 2)
    labels = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert {"source", "target"} <= set(labels)
    if kind == "components":
        assert len(shown.ax_.patches) == bridge.n_components_
    if kind == "paths":
        assert len(shown.ax_.collections[-1].get_segments()) == 30 * 20


def test_ellipses_make_up_the_law_of_mapped_rows(fitted):
    bridge, pair = fitted
    shown = SchrodingerBridgeDisplay.from_estimator(
        bridge, pair.X, pair.Y, features=(0, 1), kind="components"
    )
    centres, covariances, masses = shown.ellipses
    assert_allclose(masses.sum(), 1)
    means, inner = bridge.conditional_mean_cov(pair.X)
    assert_allclose(masses @ centres, means.mean(axis=0)[:2], atol=1e-12)
    total = inner.mean(axis=0) + np.cov(means, rowvar=False, ddof=0)
    gaps = centres - masses @ centres
    found = np.einsum("k,kde->de", masses, covariances) + (gaps.T * masses) @ gaps
    assert_allclose(found, total[:2, :2], atol=1e-12)


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("kind", ["paths", "map", "components", "marginals"])
def test_tables_are_shown_without_warnings(fitted, kind, output):
    _, pair = fitted
    X, Y = (pd.DataFrame(rows).add_prefix("c") for rows in (pair.X, pair.Y))
    bridge = LightSchrodingerBridge(3, random_state=0).fit(X, X_target=Y)
    bridge.set_output(transform=output)
    by_name = SchrodingerBridgeDisplay.from_estimator(
        bridge, X, Y, kind=kind, features=("c1", "c0")
    )
    by_number = SchrodingerBridgeDisplay.from_estimator(
        bridge, X, Y, kind=kind, features=(1, 0)
    )
    assert by_name.labels == by_number.labels == ("c1", "c0")
    assert_allclose(by_name.paths, by_number.paths)
    SchrodingerBridgeDisplay.from_estimator(bridge, X, Y, kind=kind)


def test_colorbar_is_as_tall_as_the_axes(fitted):
    bridge, pair = fitted
    shown = SchrodingerBridgeDisplay.from_estimator(bridge, pair.X, pair.Y)
    shown.figure_.canvas.draw()
    (bar,) = shown.ax_.child_axes
    here, there = (ax.get_window_extent() for ax in (shown.ax_, bar))
    assert_allclose((there.y0, there.y1), (here.y0, here.y1), atol=1)


@pytest.mark.parametrize("flat", [0.05, 1.0, 20.0])
def test_texts_stay_inside_the_figure(flat):
    pair = make_entropic_ot(200, 200, random_state=0)
    X, Y = pair.X * [1, flat], pair.Y * [1, flat]
    bridge = LightSchrodingerBridge(2, random_state=0).fit(X, X_target=Y)
    for kind in ("paths", "map", "components", "marginals"):
        shown = SchrodingerBridgeDisplay.from_estimator(bridge, X, Y, kind=kind)
        assert len(shown.paths) == (30 if kind == "paths" else 200)
        shown.figure_.canvas.draw()
        box = shown.figure_.get_tightbbox()
        width, height = shown.figure_.get_size_inches()
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_marginals_make_five_axes(fitted):
    bridge, pair = fitted
    shown = SchrodingerBridgeDisplay.from_estimator(bridge, pair.X, kind="marginals")
    assert [ax.get_title() for ax in shown.ax_][::2] == [
        "t = 0.00",
        "t = 0.50",
        "t = 1.00",
    ]
    shown = SchrodingerBridgeDisplay.from_estimator(
        bridge, pair.X, pair.Y, kind="marginals"
    )
    assert [ax.get_title() for ax in shown.ax_][4:] == ["t = 1.00", "target"]


def test_from_predictions_uses_given_axes(rng):
    _, ax = plt.subplots()
    paths = rng.normal(size=(5, 4, 2))
    shown = SchrodingerBridgeDisplay.from_predictions(
        paths, np.linspace(0, 1, 4), target=paths[:, -1], ax=ax
    )
    assert shown.ax_ is ax
    with pytest.raises(ValueError, match=r"shape \(n_samples, n_times, 2\)"):
        SchrodingerBridgeDisplay.from_predictions(paths, [0, 1])
    with pytest.raises(ValueError, match="needs a bridge: use from_estimator"):
        shown.plot(kind="map")
    with pytest.raises(ValueError, match="kind must be one of"):
        shown.plot(kind="flow")


def test_bad_features(fitted):
    bridge, pair = fitted
    for wrong, told in {
        (0, 9): r"got \(0, 9\)",
        ("a", 1): r"got \('a', 1\)",
        "first": "got 'first'",
        (0, -1): r"got \(0, -1\)",
        (0, 1, 1): r"got \(0, 1, 1\)",
        3: "got 3",
    }.items():
        with pytest.raises(ValueError, match=f"two columns out of .*{told}"):
            SchrodingerBridgeDisplay.from_estimator(bridge, pair.X, features=wrong)
    table = pd.DataFrame(pair.X).add_prefix("c")
    named = LightSchrodingerBridge(1).fit(table, X_target=table + 1)
    with pytest.raises(ValueError, match=r"by number or name out of .'c0', 'c1'"):
        SchrodingerBridgeDisplay.from_estimator(named, table, features=("c0", "x"))
