"""Weights, units, offsets, order and copies: what must not change a selection."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

from sklearn_ext.submodular import (
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    LogDet,
    SubmodularFeatureSelector,
    SubmodularSampler,
    maximize,
)
from sklearn_ext.submodular._objectives._similarities import drawn_rows
from tests.submodular._problems import selector


def chosen_rows(X, **params):
    """Return the values of the rows that are chosen when a reference is drawn."""
    model = selector(7, objective=FacilityLocation(n_reference=50))
    return model.fit(X, **params).exemplars_


@pytest.mark.parametrize("factor", [1e-200, 1 / 3, 1e4, 1e250])
def test_weights_times_a_constant(factor, rng):
    X, w = rng.normal(size=(300, 3)), rng.integers(1, 4, size=300).astype(float)
    assert_array_equal(
        chosen_rows(X, sample_weight=factor * w), chosen_rows(X, sample_weight=w)
    )


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_copies_are_weights_though_the_reference_is_drawn(kind, rng):
    X, w = rng.normal(size=(300, 3)), rng.integers(0, 4, size=300)
    repeated = chosen_rows(kind(np.repeat(X, w, axis=0)))
    weighted = chosen_rows(kind(X), sample_weight=w)
    halves = np.concatenate([w, w]) / 2
    twice = chosen_rows(kind(np.vstack([X, X])), sample_weight=halves)
    if kind is not np.asarray:
        repeated, weighted, twice = (a.toarray() for a in (repeated, weighted, twice))
    assert_array_equal(repeated, weighted)
    assert_array_equal(twice, weighted)


def test_order_does_not_matter_though_the_reference_is_drawn(rng):
    X = rng.normal(size=(700, 3))
    order = rng.permutation(700)
    assert_array_equal(chosen_rows(X[order]), chosen_rows(X))
    for objective in (FacilityLocation(n_reference=100), LogDet(kernel="linear")):
        found = maximize(objective, X, 9, random_state=0)
        shuffled = maximize(objective, X[order], 9, random_state=0)
        assert_array_equal(order[shuffled.indices], found.indices)
        assert_allclose(shuffled.upper_bound, found.upper_bound)


def test_sampled_weights_are_unbiased(rng):
    X, w = rng.normal(size=(400, 2)), rng.exponential(size=400) ** 2
    w[::7] = 0
    marked = X[:, 0] > 0.5
    totals = []
    for seed in range(400):
        rows, weights = drawn_rows(X, w, 30, seed)
        assert len(rows) == 30
        assert w[rows].all()
        assert np.all(np.diff(rows) > 0)
        totals.append(weights[marked[rows]].sum())
    error = np.std(totals) / np.sqrt(len(totals))
    assert abs(np.mean(totals) - w[marked].sum()) < 4 * error
    _, equal = drawn_rows(X, np.ones(400), 30, 0)
    assert len(set(equal.tolist())) == 1  # a simple random sample
    rows, weights = drawn_rows(X, w, 400, 0)
    assert_array_equal(rows, np.flatnonzero(w))
    assert_array_equal(weights, w[rows])


@pytest.mark.parametrize("offset", [2e3, 1e5])
@pytest.mark.parametrize(
    "objective",
    [
        FacilityLocation(),
        FacilityLocation("neg_distance"),
        FacilityLocation("cosine"),
        FacilityLocation("laplacian"),
        LogDet(),
        FeatureBased(),
    ],
    ids=str,
)
def test_singles_far_from_zero(objective, offset, rng):
    X = (rng.normal(size=(200, 3)) + offset).astype(np.float32)
    double = maximize(objective, X.astype(np.float64), 8, random_state=0)
    single = maximize(objective, X, 8, random_state=0)
    assert_allclose(single.value, double.value, rtol=1e-5)
    model = objective.fit_reference(X.astype(np.float64))
    rows = model.represent(X.astype(np.float64))
    values = [
        model.value(_state_of(model, rows[found.indices])) for found in (single, double)
    ]
    assert values[0] > values[1] * (1 - 1e-5)


def _state_of(model, rows):
    state = model.empty_state()
    for i in range(len(rows)):
        state = model.add(state, rows[i : i + 1])
    return state


@pytest.mark.parametrize("offset", [2e3, 1e5])
def test_columns_as_singles_far_from_zero(offset, rng):
    X = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    X = (X + offset).astype(np.float32)
    model = SubmodularFeatureSelector(3, relevance="f")
    y = X[:, 1].astype(np.float64)
    double = model.fit(X.astype(np.float64), y).ranking_
    assert_array_equal(model.fit(X, y).ranking_, double)


def test_units_do_not_change_which_columns_are_selected(rng):
    X, y = load_breast_cancer(return_X_y=True)
    model = SubmodularFeatureSelector(6, relevance="f").fit(X, y)
    units = 10.0 ** rng.integers(-6, 7, size=30) * rng.choice([-1, 1], size=30)
    there = SubmodularFeatureSelector(6, relevance="f").fit(X * units + 3 * units, y)
    assert_array_equal(there.ranking_, model.ranking_)


RAW = {"wine": load_wine, "breast cancer": load_breast_cancer}


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize(
    "select",
    [
        lambda X: maximize("facility_location", X, 5),
        lambda X: maximize("log_det", X, 5),
        DynamicSubmodularSelector(random_state=0).fit,
        SubmodularSampler(20, random_state=0).fit,
    ],
    ids=["maximize", "log_det", "selector", "sampler"],
)
def test_a_few_columns_drown_the_others(name, select):
    X = RAW[name]().data
    with pytest.warns(UserWarning, match=r"Column\(s\) \[\d+.*99\.\d+% .* Scale the"):
        select(X)
    select(StandardScaler().fit_transform(X))


@pytest.mark.parametrize("load", [load_iris, load_digits], ids=["iris", "digits"])
def test_no_warning_where_columns_have_one_unit(load):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maximize("facility_location", load().data, 5)
        maximize("facility_location", load().data[:, 2:3], 5)


def test_warning_names_the_fewest_columns_that_drown_the_others(rng):
    X = rng.normal(size=(200, 12))
    X[:, 7] *= 1e3
    with pytest.warns(UserWarning, match=r"Column\(s\) \[7\] of 12 make 100\.00% of"):
        DynamicSubmodularSelector(5).fit(X)
    X[:, 2] *= 1e3
    with pytest.warns(UserWarning, match=r"Column\(s\) \[(2, 7|7, 2)\] of 12"):
        DynamicSubmodularSelector(5).fit(X)
    X[:, :4] = rng.normal(size=(200, 4)) * 1e3  # a third is not few
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DynamicSubmodularSelector(5).fit(X)


def test_similarities_that_are_nearly_all_zero_or_one(rng):
    far = rng.normal(size=(300, 4)) * 10.0 ** rng.uniform(-4, 4, size=(300, 1))
    with pytest.warns(UserWarning, match=r"\d\d% of the similarities .* 0\.01 or"):
        found = maximize("facility_location", far, 5)
    assert found.certificate > 0.8  # which is why it needs saying
    maximize(FacilityLocation(gamma=1.0), far, 5)  # the user's own scale


def test_a_second_fit_that_fails_changes_nothing(rng):
    X = rng.normal(size=(40, 3))
    bad = np.full((5, 3), np.nan)
    for model in (
        selector().fit(X).partial_fit(X[:3]),
        SubmodularSampler(5, random_state=0).fit(X),
        SubmodularFeatureSelector(2).fit(X),
    ):
        before = pickle.dumps(model)
        for call in (model.fit, getattr(model, "partial_fit", model.fit)):
            for rows in (bad, X[:0], X[:, :0]):
                with pytest.raises(ValueError, match=r"NaN|sample|feature"):
                    call(rows)
        assert pickle.dumps(model) == before


@pytest.mark.parametrize("solver", ["lazy", "greedy", "threshold"])
def test_two_fits_without_a_seed_agree_up_to_the_reference_size(solver, rng):
    X = rng.normal(size=(200, 3))
    first, second = (
        DynamicSubmodularSelector(5, solver=solver).fit(X) for _ in range(2)
    )
    assert_array_equal(first.selected_ids_, second.selected_ids_)


@pytest.mark.parametrize("metric", ["rbf", "neg_distance"])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_selections_far_from_zero(rng, metric, form, offset):
    X = rng.normal(size=(200, 4)).round(3)
    model = DynamicSubmodularSelector(
        6, objective=FacilityLocation(metric=metric), random_state=0
    )
    expected = model.fit(X).selected_ids_
    assert_array_equal(model.fit(form(X + offset)).selected_ids_, expected)
    model.partial_fit(form(X[:3] + offset + 0.25))
    assert np.isfinite(model.certificate_)
