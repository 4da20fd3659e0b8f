"""Rows of a selector: identifiers, containers, weights, who may be selected."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.submodular import (
    FacilityLocation,
    FeatureBased,
)
from tests._marks import DEFAULT_SCORES
from tests.submodular._problems import (
    IDS,
    OBJECTIVES,
    selector,
    table,
    value_of,
)


@pytest.mark.parametrize("ids", [list("abcd"), [(0, 1), (0, 2), "x", 5], [9, 7, 5, 3]])
def test_identifiers_of_any_kind(ids):
    X = np.eye(4) + 0.1
    model = selector(2).fit(X, ids=ids)
    model.forget(ids[:1])
    assert model.active_ids_.tolist() == ids[1:]
    model.partial_fit(X[:1], ids=["new"])
    assert set(model.active_ids_.tolist()) == {*ids[1:], "new"}
    again = pickle.loads(pickle.dumps(model))
    assert again.active_ids_.tolist() == model.active_ids_.tolist()
    again.forget(["new"])
    assert again.active_ids_.tolist() == ids[1:]


def test_large_identifiers_do_not_warn(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = selector(2).fit(rng.normal(size=(3, 2)), ids=[2**40, 1, 0])
    assert 2**40 in model.active_ids_


@pytest.mark.parametrize(
    "ids",
    [[2**70, 1, 2], np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[ns]")],
)
def test_long_numbers_and_dates_come_back_as_they_were(ids, rng):
    X = rng.normal(size=(3, 2))
    model = pickle.loads(pickle.dumps(selector(3).fit(X, ids=ids)))
    assert set(model.selected_ids_) == set(ids)
    assert model.forget(ids[:1]).active_ids_.tolist() == list(ids[1:])


def test_numbering_goes_on_and_slots_are_reused(rng):
    X = rng.normal(size=(6, 2))
    model = selector(2).fit(X).forget([0, 1]).partial_fit(X[:3])
    assert sorted(model.active_ids_.tolist()) == [2, 3, 4, 5, 6, 7, 8]
    assert len(model._living.table._free) == 0
    assert model._living.table._size == 7
    model.partial_fit(X[:1], ids=[100]).partial_fit(X[:1])
    assert 101 in model.active_ids_


def test_ids_that_fit_was_given_are_wanted_later_too(rng):
    X = rng.normal(size=(6, 2))
    model = selector(2).fit(X[:3], ids=list("abc")).refresh_reference()
    for call in (model.partial_fit, model.update):
        with pytest.raises(ValueError, match="ids were given at fit; give them here"):
            call(X[3:])
    assert model.active_ids_.tolist() == list("abc")
    model.update(forget=["a"]).update((X[3:], list("def")), forget=["b"])
    assert model.active_ids_.tolist() == list("dcef")  # by slot
    assert model.fit(X[:3]).partial_fit(X[3:]).n_active_ == 6


def test_rows_can_be_fewer_than_are_to_be_selected(rng):
    X = table(rng, 9)
    model = selector(6, objective=FeatureBased()).fit(X[:4])
    assert sorted(model.selected_ids_) == [0, 1, 2, 3]
    assert len(model.partial_fit(X[4:]).selected_ids_) == 6


def test_index_of_a_frame(rng):
    frame = pd.DataFrame(
        rng.normal(size=(4, 2)), index=list("wxyz"), columns=["a", "b"]
    )
    model = selector(2).fit(frame, ids="index").forget(["w"])
    assert model.active_ids_.tolist() == ["x", "y", "z"]
    assert isinstance(selector(2).fit(frame).select(frame), pd.DataFrame)
    assert selector(2).fit(pl.from_pandas(frame)).feature_names_in_.tolist() == [
        "a",
        "b",
    ]


def test_rows_are_copied_and_dtypes_kept(rng):
    X = rng.normal(size=(20, 3)).astype(np.float32)
    model = selector(3).fit(X)
    expected = model.exemplars_.copy()
    X[:] = 0
    assert_array_equal(model.exemplars_, expected)
    assert model.exemplars_.dtype == model.transform(expected).dtype == np.float32


@pytest.mark.parametrize("name", IDS)
def test_updates_do_not_write_into_the_table_that_was_fitted(name, rng):
    X = table(rng, 10)
    before = X.copy()
    model = selector(3, objective=OBJECTIVES[name]).fit(X).forget([0, 1, 2])
    model.partial_fit(X[5:] / 2)  # in slots that are free
    assert_array_equal(X, before)


@pytest.mark.parametrize("objective", [FacilityLocation(n_neighbors=4), FeatureBased()])
def test_sparse_tables(objective, rng):
    X = table(rng, 30, 6)
    dense, thin = (selector(4, objective=objective) for _ in range(2))
    dense.fit(X[:20]).partial_fit(X[20:]).forget([0, 3])
    thin.fit(sparse.csr_array(X[:20])).partial_fit(sparse.csc_matrix(X[20:]))
    thin.forget([0, 3])
    assert_array_equal(thin.selected_ids_, dense.selected_ids_)
    assert sparse.issparse(thin.exemplars_)
    assert_array_equal(thin.predict(sparse.csr_array(X)), dense.predict(X))


def test_initial_and_forbidden(rng):
    X = rng.normal(size=(40, 3))
    first = selector(3).fit(X).selected_ids_
    model = selector(3, initial=[5, 6], forbidden=first).fit(X)
    assert model.selected_ids_[:2].tolist() == [5, 6]
    assert len(model.selected_ids_) == 5
    assert not set(first.tolist()) - {5, 6} & set(model.selected_ids_.tolist())
    rows = model.objective_model_.represent(X)
    expected = value_of(model.objective_model_, rows[model.selected_ids_])
    assert_allclose(model.objective_, expected)
    model.partial_fit(X[:5] + 1).forget(model.selected_ids_[2:])
    assert model.selected_ids_[:2].tolist() == [5, 6]
    assert_allclose(model.gains_.sum(), model.objective_)
    with pytest.raises(ValueError, match="id 5 is in initial and cannot be forgotten"):
        model.forget([5])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "greedy", "sieve"])
def test_initial_rows_stay_in_every_algorithm_and_container(algorithm, kind, rng):
    X = rng.uniform(size=(200, 5))
    model = selector(
        4, objective=FeatureBased(), algorithm=algorithm, initial=[3, 7]
    ).fit(kind(X[:150]))
    for _ in range(2):
        ids = model.selected_ids_.tolist()
        assert ids[:2] == [3, 7]
        assert len(set(ids)) == 6
        chosen = X[[i if i < 200 else i - 50 for i in ids]]
        assert_allclose(model.objective_, np.sqrt(chosen.sum(axis=0)).mean())
        model.partial_fit(kind(X[150:]))


def test_weights_are_those_of_the_reference(rng):
    X = rng.normal(size=(30, 2))
    w = rng.integers(0, 3, 30)
    weighted = selector(4).fit(X, sample_weight=w)
    repeated = selector(4).fit(np.repeat(X, w, axis=0))
    assert_allclose(weighted.exemplars_, repeated.exemplars_)
    assert_allclose(weighted.objective_, repeated.objective_)
    assert w[weighted.selected_ids_].min() > 0
    later = selector(4).fit(X).partial_fit(X + 9, sample_weight=np.eye(30)[3])
    assert not set(later.selected_ids_.tolist()) & (set(range(30, 60)) - {33})


def test_a_batch_of_zero_weights_is_never_selected(rng):
    X = rng.normal(size=(12, 2))
    model = selector(3).fit(X[:4]).partial_fit(X[4:], sample_weight=np.zeros(8))
    assert model.n_active_ == 12
    assert set(model.selected_ids_) <= set(range(4))


def test_grid_search_over_the_objective(rng):
    X = rng.normal(size=(60, 2))
    grid = {"objective__gamma": [0.1, 1.0]}
    model = selector(objective=FacilityLocation())
    search = GridSearchCV(model, grid, cv=2).fit(X)
    assert search.best_params_ == {"objective__gamma": 0.1}


def test_ids_and_weights_are_routed(rng):
    X = rng.normal(size=(20, 2))
    ids = np.array([f"r{i}" for i in range(20)])
    with config_context(enable_metadata_routing=True):
        model = selector(3).set_fit_request(ids=True, sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, model)
        pipe.fit(X, ids=ids, sample_weight=np.ones(20))
        assert pipe[-1].active_ids_.tolist() == ids.tolist()
    pipe = make_pipeline(StandardScaler(), selector(3))
    pipe.fit(X, dynamicsubmodularselector__ids=ids)
    assert set(pipe[-1].selected_ids_) <= set(ids)


@DEFAULT_SCORES
def test_a_search_routes_ids_and_weights(rng):
    X = rng.normal(size=(20, 2))
    ids = np.array([f"r{i}" for i in range(20)])
    with config_context(enable_metadata_routing=True):
        model = selector(3).set_fit_request(ids=True, sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        grid = {"dynamicsubmodularselector__n_select": [2, 3]}
        search = GridSearchCV(make_pipeline(scaler, model), grid, cv=2)
        search.fit(X, ids=ids, sample_weight=np.ones(20))
    assert set(search.best_estimator_[-1].selected_ids_) <= set(ids)
