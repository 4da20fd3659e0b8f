"""Metrics against their definitions, and known pairs."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    bures_wasserstein_uvp,
    conditional_bures_uvp,
    energy_distance,
    make_entropic_ot,
)


def test_energy_distance_against_its_definition(rng):
    X, Y = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))
    d = np.linalg.norm
    between = np.mean([d(x - y) for x in X for y in Y])
    xx = np.mean([d(X[i] - X[j]) for i in range(7) for j in range(7) if i != j])
    yy = np.mean([d(Y[i] - Y[j]) for i in range(5) for j in range(5) if i != j])
    assert_allclose(energy_distance(X, Y), between - xx / 2 - yy / 2, rtol=1e-12)
    u = rng.random(7)
    between = sum(u[i] * d(X[i] - y) for i in range(7) for y in Y) / u.sum() / 5
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    xx = sum(u[i] * u[j] * d(X[i] - X[j]) for i, j in pairs)
    xx = xx / sum(u[i] * u[j] for i, j in pairs)
    found = energy_distance(X, Y, x_weight=u)
    assert_allclose(found, between - xx / 2 - yy / 2, rtol=1e-12)


@pytest.mark.parametrize("factor", [2.0, 0.5, 1 / 7, 1e-200, 1e300])
def test_weights_of_samples_are_relative(factor, rng):
    X, Y = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))
    u, w = rng.random(7), rng.random(5)
    weighted = energy_distance(X, Y, x_weight=u, y_weight=w)
    again = energy_distance(X, Y, x_weight=factor * u, y_weight=w / factor)
    assert_allclose(again, weighted, rtol=1e-12)
    alike = energy_distance(X, Y, x_weight=np.full(7, factor))
    assert_allclose(alike, energy_distance(X, Y), rtol=1e-12)
    assert energy_distance(X, Y, x_weight=np.ones(7)) == energy_distance(X, Y)


@pytest.mark.parametrize("discrete", [False, True])
def test_weighted_samples_of_one_law_are_no_distance_apart(discrete):
    rng, found = np.random.default_rng(0), []
    for _ in range(400):  # drawn from one law, weighted back to the other
        X, Y = rng.normal(size=(40, 2)), rng.normal(size=(30, 2))
        u = 0.5 + (X[:, 0] > 0)
        if discrete:
            X, Y = (X > 0) * 1.0, (Y > 0) * 1.0
        keep = rng.random(40) < 1 / (2 * u)  # so that u mends it
        found.append(energy_distance(X[keep], Y, x_weight=u[keep]))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 4 * error


def test_one_row_that_counts_has_no_distance_to_itself():
    rows = np.array([[0.0], [3.0]])
    assert energy_distance(rows, [[4.0], [4.0]], x_weight=[1, 0]) == 4


def test_bad_weights_of_samples():
    rows = np.eye(3)
    with pytest.raises(ValueError, match="x_weight must have one entry for each of"):
        energy_distance(rows, rows, x_weight=np.ones(2))
    with pytest.raises(ValueError, match="y_weight must be non-negative"):
        energy_distance(rows, rows, y_weight=-np.ones(3))
    with pytest.raises(ValueError, match="x_weight must not be zero everywhere"):
        energy_distance(rows, rows, x_weight=np.zeros(3))


def test_bridges_of_named_columns_are_judged_without_warnings():
    known = make_entropic_ot(100, 100, random_state=0)
    X, Y = (pd.DataFrame(rows).add_prefix("c") for rows in (known.X, known.Y))
    bridge = LightSchrodingerBridge(2, random_state=0).fit(X, X_target=Y)
    expected = conditional_bures_uvp(bridge._plan, known.plan, known.X, known.Y)
    found = conditional_bures_uvp(bridge, known.plan, X, Y)
    assert_allclose(found, expected, rtol=1e-10)  # frames lie column by column


@pytest.mark.parametrize("metric", [energy_distance, bures_wasserstein_uvp])
def test_metrics_refuse_other_columns(metric, rng):
    X = pd.DataFrame(rng.normal(size=(7, 2)), columns=["a", "b"])
    Y = pd.DataFrame(rng.normal(size=(5, 2)), columns=["a", "b"])
    for half_named in ((X.to_numpy(), Y), (X, Y.to_numpy())):
        assert_allclose(metric(*half_named), metric(X, Y), rtol=1e-10)
    with pytest.raises(ValueError, match=r"same order, which is .'a', 'b'., got"):
        metric(X, Y[["b", "a"]])
    with pytest.raises(ValueError, match=r"missing \['b'\], unexpected \['c'\]"):
        metric(X, Y.rename(columns={"b": "c"}))
    with pytest.raises(ValueError, match="Y has 1 features and X has 2"):
        metric(X.to_numpy(), Y[["a"]])


def test_uvp_in_closed_form():
    X, Y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    gap = ((1 - 3) ** 2 + 1 + 4) / 2 - 2
    assert bures_wasserstein_uvp(X, Y) == pytest.approx(100 * gap / 2)


def test_uvp_needs_variance_in_the_target():
    with pytest.raises(ValueError, match="All rows of Y are equal"):
        bures_wasserstein_uvp([[0.0], [1.0]], [[2.0], [2.0]])
