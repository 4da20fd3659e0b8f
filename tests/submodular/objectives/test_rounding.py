"""Another processor rounds otherwise: no decision may follow it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.submodular import (
    Coverage,
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    GraphCut,
    LogDet,
    ProbabilisticCoverage,
    SubmodularFeatureSelector,
    maximize,
)
from sklearn_ext.submodular._objectives._base import SubmodularObjective
from sklearn_ext.submodular._objectives._rounding import alike, below
from sklearn_ext.submodular._objectives._similarities import kernel_scale
from sklearn_ext.submodular._sampler import _split

METHODS = ["greedy", "lazy", "stochastic", "threshold", "sieve", "pruned"]


@pytest.fixture
def shaken(monkeypatch):
    """Return a function that adds noise to the last digits of all gains from now on."""

    def shake(seed):
        noise = np.random.default_rng(seed)
        for name in ("gains", "gains_at"):
            clean = getattr(SubmodularObjective, name)

            def shaky(self, *args, clean=clean):
                gains = clean(self, *args)
                steps = noise.integers(-3, 4, size=len(gains))
                return gains * (1 + steps * np.finfo(np.float64).eps)

            monkeypatch.setattr(SubmodularObjective, name, shaky)

    return shake


def tied(rng, n=120, d=20):
    """Return zeros and ones: many rows gain the same, and sums are round numbers."""
    return (rng.uniform(size=(n, d)) < 0.3).astype(np.float64)


OBJECTIVES = {
    "coverage": Coverage(),
    "roots": FeatureBased(),
    "facility": FacilityLocation(),
    "neighbors": FacilityLocation(n_neighbors=4),
    "logdet": LogDet(),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_static_choices(name, method, seed, shaken):
    X = tied(np.random.default_rng(seed))
    settings = {"method": method, "random_state": 0, "backend": "numpy"}
    if name in ("coverage", "facility") and method == "lazy":
        settings["n_swaps"] = None
    # a share of a half puts thresholds on gains that are a half, a quarter, ...
    settings["epsilon"] = 0.5 if seed % 2 else 0.1
    clean = maximize(OBJECTIVES[name], X, 10, **settings)
    shaken(seed)
    found = maximize(OBJECTIVES[name], X, 10, **settings)
    assert_array_equal(found.indices, clean.indices)
    assert_allclose(found.upper_bound, clean.upper_bound, rtol=1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("refine", ["none", "pool", "full"])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "greedy", "sieve"])
@pytest.mark.parametrize("name", ["coverage", "facility"])
def test_choices_after_updates(name, algorithm, refine, seed, shaken):
    X = tied(np.random.default_rng(seed))

    def follow():
        # ten columns of weight 1/20 and k = 10: thresholds are gains of one column
        params = {"algorithm": algorithm, "refine": refine, "random_state": seed}
        params |= {"stability": 0.0, "backend": "numpy"}
        model = DynamicSubmodularSelector(10, OBJECTIVES[name], **params).fit(X[:80])
        seen = [model.selected_ids_, model.labels_]
        for i in range(10):
            gone = [] if algorithm == "sieve" else [3 * i, 3 * i + 1]
            model.update(X[80 + 4 * i : 84 + 4 * i], forget=gone)
            seen += [model.selected_ids_, model.predict(X)]
        return seen

    clean = follow()
    shaken(seed)
    for got, want in zip(follow(), clean, strict=True):
        assert_array_equal(got, want)


def test_the_first_threshold_admits_the_row_that_defined_it(monkeypatch, rng):
    X = rng.uniform(size=(60, 5))
    best = maximize(Coverage(), X, 4, method="greedy").indices[0]
    clean, calls = SubmodularObjective.gains, []

    def falling(self, rows, state):  # each sum a little below the one before
        calls.append(1)
        return clean(self, rows, state) * (1 - len(calls) * np.finfo(float).eps)

    monkeypatch.setattr(SubmodularObjective, "gains", falling)
    found = maximize(Coverage(), X, 4, method="threshold", backend="numpy")
    assert found.indices[0] == best


def test_what_is_alike_keeps_its_order(rng):
    values = np.sort(10.0 ** rng.uniform(-200, 200, size=1000))
    values = np.concatenate([-values[::-1], [0.0], values])
    assert np.all(np.diff(alike(values)) >= 0)
    assert_allclose(alike(values), values, rtol=2e-10)
    near = values * (1 + rng.integers(-4, 5, size=len(values)) * 2.0**-52)
    assert (alike(near) != alike(values)).mean() < 1e-2
    thirds = np.array([1 / 3, 0.1, 0.7, 1e100 / 3, 5.0])
    assert_array_equal(alike(np.nextafter(thirds, np.inf)), alike(thirds))
    assert_array_equal(alike(np.nextafter(thirds, 0)), alike(thirds))
    assert alike(2.5).shape == ()
    assert below(1.0) < 1.0


@pytest.mark.parametrize("factor", [1e-300, 1e-9, 1 / 3, 0.1, 7.0, 1e200])
def test_the_scale_of_a_kernel_is_free_of_that_of_weights(factor):
    rng = np.random.default_rng(0)
    for n in range(3, 40):  # the sums of counts are often just half of all
        X, w = rng.normal(size=(n, 2)), rng.integers(1, 4, size=n).astype(float)
        scale = kernel_scale(X, w, 0)
        assert kernel_scale(X, factor * w, 0) == scale


def test_zeros_that_are_rounded():
    """Sums of products that are zero but for rounding are no negative similarities."""
    X = np.array([[0.1, 0.2, -0.30000000000000016], [1.0, 1.0, 1.0]])
    for rows in (X, X.astype(np.float32)):
        found = maximize(FacilityLocation("linear"), rows, 2)
        assert sorted(found.indices.tolist()) == [0, 1]
    S = np.array([[1.0, -1e-17], [-1e-17, 1.0]])
    found = maximize(FacilityLocation("precomputed"), S, 2)
    assert_allclose(found.value, 1.0)
    tops = np.array([[1 + 2e-16, 0.0], [0.0, 1.0]])
    assert maximize(Coverage(), tops, 2).value == 1.0
    assert maximize(ProbabilisticCoverage(), tops, 2).value == 1.0
    with pytest.raises(ValueError, match=r"similarities of at least 0.*-0\.001"):
        maximize(FacilityLocation("precomputed"), S - 1e-3, 1)
    with pytest.raises(ValueError, match=r"at most 1.* maximum of 1\.001"):
        maximize(Coverage(), tops + 1e-3, 1)


def test_a_row_that_adds_nothing_but_rounding_to_a_graph_cut(rng):
    alone = 100 * rng.permutation(14)[:, None] + rng.normal(size=(14, 3))
    found = maximize(GraphCut(1.0, gamma=50.0), alone, 14)
    assert len(found.indices) == 0  # each gains 1 - 1


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 / 7, -3e-5 / 7])
def test_a_column_that_varies_by_rounding_alone_is_constant(value, rng):
    X = rng.normal(size=(997, 4))
    X[:, 2] = value * (1 + rng.integers(-1, 2, size=997) * np.finfo(float).eps)
    model = SubmodularFeatureSelector(4).fit(X)
    assert model.get_support().tolist() == [True, True, False, True]
    again = SubmodularFeatureSelector(4).partial_fit(X[:300]).partial_fit(X[300:])
    assert_array_equal(again.get_support(), model.get_support())


def test_columns_that_are_copies_up_to_sign_and_scale(rng):
    X = rng.normal(size=(200, 3))
    X = np.column_stack([X[:, 0], X[:, 1], -X[:, 0] / 3, X[:, 2], 7 * X[:, 0] + 1e3])
    model = SubmodularFeatureSelector(3).fit(X)
    assert model.get_support().tolist() == [True, True, False, True, False]


def test_thirds_are_dealt_to_the_first_class_of_equal_remainders():
    assert _split(4, np.array([3, 12, 21])) == [1, 1, 2]
    # 5 / 3, 20 / 3 and 35 / 3 have the same rest: in floats they have three
    assert _split(20, np.array([1, 4, 7])) == [2, 7, 11]
