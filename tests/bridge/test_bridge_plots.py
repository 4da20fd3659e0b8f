"""The display draws what it says, and refuses what it cannot."""

import matplotlib.pyplot as plt
import numpy as np
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


def test_ellipses_hold_the_conditional_law(fitted):
    bridge, pair = fitted
    shown = SchrodingerBridgeDisplay.from_estimator(
        bridge, pair.X, pair.Y, features=(0, 1), kind="components"
    )
    law = bridge.conditional(bridge.source_mean_[None])
    cov = law.covariances
    cov = np.stack([np.diag(c) for c in cov]) if cov.ndim == 2 else cov
    assert_allclose(shown.ellipses[0], law.means[0][:, :2], atol=1e-12)
    assert_allclose(shown.ellipses[1], cov[:, :2, :2], atol=1e-12)


def test_marginals_make_five_axes(fitted):
    bridge, pair = fitted
    shown = SchrodingerBridgeDisplay.from_estimator(bridge, pair.X, kind="marginals")
    assert [ax.get_title() for ax in shown.ax_][::2] == [
        "t = 0.00",
        "t = 0.50",
        "t = 1.00",
    ]


def test_from_predictions_uses_given_axes(rng):
    _, ax = plt.subplots()
    paths = rng.normal(size=(5, 4, 2))
    shown = SchrodingerBridgeDisplay.from_predictions(
        paths, np.linspace(0, 1, 4), target=paths[:, -1], ax=ax
    )
    assert shown.ax_ is ax
    with pytest.raises(ValueError, match="needs a bridge: use from_estimator"):
        shown.plot(kind="map")
    with pytest.raises(ValueError, match="kind must be one of"):
        shown.plot(kind="flow")


def test_bad_features(fitted):
    bridge, pair = fitted
    with pytest.raises(ValueError, match="two columns out of"):
        SchrodingerBridgeDisplay.from_estimator(bridge, pair.X, features=(0, 9))
