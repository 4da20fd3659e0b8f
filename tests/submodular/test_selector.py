"""The selector: updates, answers, identifiers, weights, bad input."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext.submodular import (
    CallableObjective,
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    GraphCut,
    maximize,
)
from tests.submodular._problems import IDS, OBJECTIVES, best_value, table, value_of

ALGORITHMS = ["leveled", "bucketed", "greedy"]


def selector(n_select=5, **params):
    return DynamicSubmodularSelector(n_select, **{"random_state": 0, **params})


def test_fit_is_the_static_solution(rng):
    X = rng.normal(size=(80, 4))
    model = selector().fit(X)
    found = maximize(FacilityLocation(), X, 5)
    assert_array_equal(model.selected_ids_, found.indices)
    assert_array_equal(model.selected_indices_, found.indices)
    assert_array_equal(model.exemplars_, X[found.indices])
    assert_allclose(model.objective_curve_, np.cumsum(found.gains))
    assert_allclose(model.certificate_, found.certificate)
    assert_array_equal(model.select(X), X[found.indices])
    assert_array_equal(model.fit_predict(X), model.labels_)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("refine", ["auto", "pool", "guesses", "none"])
def test_ratio_and_bound_of_the_answers(algorithm, refine, rng):
    X, k = table(rng, 10), 3
    model = selector(k, algorithm=algorithm, refine=refine, pool_size=2).fit(X[:4])
    rows = model.objective_model_.represent(X)
    alive = set(range(4))
    out = set(range(4, 10))
    for _ in range(15):
        leave = rng.choice(sorted(alive), min(len(alive), rng.integers(0, 3)), False)
        come = rng.choice(sorted(out), min(len(out), rng.integers(1, 3)), False)
        alive = (alive - set(leave.tolist())) | set(come.tolist())
        out = (out - set(come.tolist())) | set(leave.tolist())
        model.update((X[come.astype(int)], come), forget=leave)
        optimum = best_value(model.objective_model_, rows[sorted(alive)], k)
        ids = model.selected_ids_
        assert set(ids.tolist()) <= alive
        assert len(set(ids.tolist())) == len(ids) <= k
        assert_allclose(value_of(model.objective_model_, rows[ids]), model.objective_)
        slack = 2.4 if algorithm == "bucketed" else 2.1
        assert model.objective_ >= optimum / (slack * 1.01) - 1e-12
        assert model.upper_bound_ >= optimum - 1e-9
        assert np.all(np.diff(model.gains_) <= 1e-12)
        assert_array_equal(model.active_ids_[model.selected_indices_], ids)
        assert_array_equal(model.exemplars_, X[ids])


@pytest.mark.parametrize("name", IDS)
def test_every_objective_follows_updates(name, rng):
    X = table(rng, 40)
    model = selector(4, objective=OBJECTIVES[name], refine="pool").fit(X[:30])
    model.partial_fit(X[30:]).forget(model.selected_ids_)
    assert model.n_active_ == 40 - 4
    assert 1 <= len(model.selected_ids_) <= 4
    assert 0 < model.certificate_ <= 1


def test_value_stays_near_greedy_and_the_answer_stable():
    X = load_digits().data / 16
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    model = selector(20, refine="pool", pool_size=400).fit(X[order[:1000]])
    changes, ratios = [], []
    for i in range(60):
        model.update((X[order[1000 + i]][None], [1000 + i]), forget=[i])
        gone = int(i in set(previous)) if (previous := ids_or_none(model, i)) else 0
        changes.append(model.n_changes_ - gone)
        if i % 20 == 0:
            now = model._X.take(model._table.slots)
            rows = model.objective_model_.represent(now)
            full = maximize(FacilityLocation("precomputed"), rows, 20)
            ratios.append(model.objective_ / full.value)
    assert min(ratios) > 0.96
    assert np.mean(changes) < 1


def ids_or_none(model, i):
    return model.selected_ids_.tolist()


def test_same_calls_same_answers_and_reading_changes_nothing(rng):
    X = rng.normal(size=(200, 3))
    often, once = selector(refine="pool").fit(X[:100]), selector(refine="pool")
    once.fit(X[:100])
    for i in range(20):
        for model in (often, once):
            model.update((X[100 + i][None], [100 + i]), forget=[i])
        calls = often.n_oracle_calls_
        first = often.selected_ids_
        assert often.n_oracle_calls_ >= calls
        read = joblib.hash(often)
        assert_array_equal(often.selected_ids_, first)
        assert joblib.hash(often) == read
    assert set(once.selected_ids_) <= set(once.active_ids_)
    again = selector(refine="pool").fit(X[:100])
    for i in range(20):
        again.update((X[100 + i][None], [100 + i]), forget=[i])
    assert_array_equal(again.selected_ids_, once.selected_ids_)


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


def test_numbering_goes_on_and_slots_are_reused(rng):
    X = rng.normal(size=(6, 2))
    model = selector(2).fit(X).forget([0, 1]).partial_fit(X[:3])
    assert sorted(model.active_ids_.tolist()) == [2, 3, 4, 5, 6, 7, 8]
    assert len(model._table._free) == 0
    assert model._table._size == 7
    model.partial_fit(X[:1], ids=[100]).partial_fit(X[:1])
    assert 101 in model.active_ids_


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


def test_recomputed_coordinates_change_nothing(rng):
    X = rng.normal(size=(60, 3))
    models = [selector(4, max_cache_mb=mb).fit(X[:50]) for mb in (1024, 0)]
    for model in models:
        model.partial_fit(X[50:]).forget(range(10))
    assert_array_equal(models[0].selected_ids_, models[1].selected_ids_)


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


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_forget_everything(algorithm, rng):
    X = rng.normal(size=(10, 2))
    model = selector(3, algorithm=algorithm).fit(X).forget(range(10))
    assert model.selected_ids_.shape == (0,)
    assert model.objective_ == 0
    assert model.certificate_ == 1
    with pytest.raises(ValueError, match="no active rows"):
        model.predict(X)
    model.partial_fit(X[:2])
    assert sorted(model.selected_ids_.tolist()) == [10, 11]


def test_nothing_to_gain_is_reported():
    model = selector(3, objective="coverage")
    with pytest.warns(UserWarning, match="No row adds anything"):
        model.fit(np.zeros((4, 2)))
    assert model.selected_ids_.tolist() == [0]
    assert model.objective_ == 0
    assert model.certificate_ == 1
    assert_array_equal(model.predict(np.zeros((2, 2))), 0)
    assert selector(3).fit(np.ones((5, 2))).selected_ids_.tolist() == [0]


def test_purge_takes_rows_out_of_the_reference(rng):
    X = rng.normal(size=(20, 2))
    model = selector(3).fit(X)
    model.forget([0, 1])
    assert (model.objective_model_.reference_ == X[0]).all(axis=1).any()
    model.forget([2, 3], purge=True)
    reference = model.objective_model_.reference_
    assert not (reference[:, None] == X[2:4]).all(axis=2).any()
    assert reference.shape == (20, 2)
    assert sorted(model.active_ids_.tolist()) == list(range(4, 20))


def test_refresh_and_reoptimize(rng):
    X = rng.normal(size=(60, 2))
    model = selector(4, refine="pool", pool_size=0).fit(X[:30])
    model.partial_fit(X[30:] + 4)
    before, bound = model.objective_, model.upper_bound_
    model.reoptimize()
    assert model.objective_ >= before
    assert model.upper_bound_ <= bound
    model.refresh_reference()
    assert len(model.objective_model_.reference_) == 60
    assert model.n_active_ == 60
    model.partial_fit(X[:1])
    assert 60 in model.active_ids_
    model.refresh_reference(X[:7])
    assert len(model.objective_model_.reference_) == 7
    sieved = selector(3, algorithm="sieve").fit(X)
    with pytest.raises(NotImplementedError, match="does not store the rows"):
        sieved.reoptimize()


def test_sieve_stores_few_rows_and_does_not_forget(rng):
    X = rng.normal(size=(3000, 2))
    model = selector(5, algorithm="sieve").fit(X[:1000])
    model.partial_fit(X[1000:])
    assert model.n_active_ < 400
    best = maximize(FacilityLocation(), X, 5, random_state=0).value
    assert model.objective_ > 0.4 * best
    with pytest.raises(NotImplementedError, match="cannot forget"):
        model.forget([0])


def test_work_in_slices(rng):
    X = rng.normal(size=(3000, 3))
    model = selector(5, refine="pool", pool_size=50).fit(X[:2000])
    stale = 0
    for i in range(100):
        model.update((X[2000 + i][None], [2000 + i]), forget=[i], max_calls=20)
        stale += model.stale_
        assert set(model.selected_ids_.tolist()) <= set(model.active_ids_.tolist())
        assert 0 < model.certificate_ <= 1
    assert stale > 0
    model.partial_fit(X[:1], ids=[9999])
    assert not model.stale_
    assert model.n_active_ == 2001


def test_snapshots(rng):
    X = rng.normal(size=(60, 2))
    model = selector(3, refine="pool").fit(X[:40])
    model.partial_fit(X[40:50])
    kept = model.snapshot()
    expected = model.selected_ids_
    twin = pickle.loads(pickle.dumps(model))
    deep = copy.deepcopy(model)
    model.forget(range(30)).partial_fit(X[50:])
    after = model.selected_ids_
    assert_array_equal(model.restore(kept).selected_ids_, expected)
    for other in (model, twin, deep):
        other.forget(range(30)).partial_fit(X[50:])
        assert_array_equal(other.selected_ids_, after)
    with pytest.raises(ValueError, match="restore takes what snapshot"):
        model.restore({"n_select": 3})
    with pytest.raises(ValueError, match="with other parameters"):
        selector(4).fit(X).restore(kept)


BAD_CALLS = [
    (lambda m, X: m.partial_fit(X[:2], ids=["a", "a"]), ValueError, "duplicate id 'a'"),
    (lambda m, X: m.partial_fit(X[:1], ids=[3]), ValueError, "duplicate id 3: already"),
    (lambda m, X: m.partial_fit(X[:2], ids=[1.5]), ValueError, "got 1 for 2 rows"),
    (lambda m, X: m.partial_fit(X[:1], ids=[[1]]), ValueError, "must be hashable"),
    (lambda m, X: m.partial_fit(X[:1], ids="index"), ValueError, "with a data frame"),
    (lambda m, X: m.partial_fit(X[:0]), ValueError, "0 sample"),
    (lambda m, X: m.update(X[:0, :1]), ValueError, "X has 1 features"),
    (lambda m, X: m.partial_fit(X[:1], sample_weight=[1]), ValueError, "no reference"),
    (lambda m, X: m.partial_fit(X[:, :1]), ValueError, "1 features"),
    (lambda m, X: m.partial_fit(X[0]), ValueError, "2D array"),
    (lambda m, X: m.partial_fit(X * np.nan), ValueError, "NaN"),
    (lambda m, X: m.partial_fit(-X), ValueError, "FeatureBased needs features"),
    (lambda m, X: m.forget(range(100, 107)), KeyError, r"\[100.*104\] and 2 more"),
    (lambda m, X: m.replace([55], X[:1]), KeyError, r"unknown id \[55\]"),
    (lambda m, X: m.update((X[:1], [4]), forget=[3]), ValueError, "duplicate id 4"),
    (lambda m, X: m.update(X[:1], forget=[77]), KeyError, "unknown id"),
    (lambda m, X: m.forget("abc"), ValueError, "must be a list of identifiers"),
    (lambda m, X: m.forget(np.int64(3)), ValueError, r"got np.int64\(3\)"),
    (lambda m, X: m.forget([[3]]), ValueError, r"tuples, got \[3\]"),
    (lambda m, X: m.forget([3], missing="skip"), ValueError, "'raise' or 'ignore'"),
    (lambda m, X: m.replace([3], X[:0]), ValueError, "got 1 for 0 rows"),
    (lambda m, X: m.replace(None, X[:1]), ValueError, "got 0 for 1 rows"),
    (lambda m, X: m.update((X, [1], [2])), ValueError, "a pair .* got 3 parts"),
    (lambda m, X: m.update(X[:1], max_calls=0), ValueError, "positive int, got 0"),
    (lambda m, X: m.update(X[:1], max_calls="a"), ValueError, "positive int, got 'a'"),
    (lambda m, X: m.restore(None), ValueError, "restore takes"),
    (lambda m, X: m.select(X[:3]), ValueError, "table of the last fit"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS)
def test_bad_calls_change_nothing(call, error, message):
    X = np.abs(np.random.default_rng(0).normal(size=(12, 3)))
    model = selector(3, objective=FeatureBased()).fit(X[:9])
    model.partial_fit(X[9:])
    before = joblib.hash(model.snapshot())
    with pytest.raises(error, match=message):
        call(model, X)
    assert joblib.hash(model.snapshot()) == before
    model.partial_fit(X[:1]).forget([0])  # and it still works
    assert model.n_active_ == 12


def test_a_function_that_fails_in_the_middle_changes_nothing(rng):
    fail = []

    def func(rows):
        if fail and len(rows) > 1:
            raise RuntimeError("no more")
        return float(np.sqrt(len(rows)))

    X = rng.normal(size=(10, 2))
    model = selector(3, objective=CallableObjective(func)).fit(X[:8])
    model.partial_fit(X[8:9])
    ids, chosen = model.active_ids_, model.selected_ids_
    fail.append(True)
    with pytest.raises(RuntimeError, match="no more"):
        model.update((X[9:], ["x"]), forget=chosen[:1])
    fail.clear()
    assert_array_equal(model.active_ids_, ids)
    assert_array_equal(model.selected_ids_, chosen)
    model.update((X[9:], ["x"]), forget=chosen[:1])
    assert model.n_active_ == 9
    assert 10 in model.partial_fit(X[:1]).active_ids_.tolist()  # the tenth row came


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_select": 0}, "'n_select' parameter"),
        ({"epsilon": 1.0}, "'epsilon' parameter"),
        ({"algorithm": "fast"}, "'algorithm' parameter"),
        ({"objective": "best"}, "'objective' parameter"),
        ({"objective": FacilityLocation("best")}, "'metric' parameter"),
        ({"objective": GraphCut()}, "needs a monotone objective, which GraphCut"),
        ({"initial": [99]}, "unknown id"),
    ],
)
def test_bad_parameters(params, message):
    X = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises((ValueError, KeyError), match=message):
        selector(**params).fit(X)


def test_not_monotone_objectives_are_solved_anew(rng):
    X = rng.normal(size=(20, 2))
    model = selector(4, objective=GraphCut(), algorithm="greedy").fit(X)
    model.forget(model.selected_ids_)
    assert len(model.selected_ids_) > 0


def test_missing_ids_can_be_ignored_and_empty_updates_do_nothing(rng):
    X = rng.normal(size=(9, 2))
    model = selector(2).fit(X)
    before = joblib.hash(model.snapshot())
    model.forget([77], missing="ignore").forget([]).update().update(X[:0])
    model.update([])
    assert joblib.hash(model.snapshot()) == before
    model.replace([1], X[2:3] + 1)
    assert_allclose(model._X.take(model._table.find([1])), X[2:3] + 1)
    with pytest.raises(AttributeError, match="before fit"):
        selector().certificate_  # noqa: B018


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
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, clone(model))
        pipe.fit(X, ids=ids, sample_weight=np.ones(20))
        assert pipe[-1].active_ids_.tolist() == ids.tolist()
        grid = {"dynamicsubmodularselector__n_select": [2, 3]}
        search = GridSearchCV(pipe, grid, cv=2).fit(
            X, ids=ids, sample_weight=np.ones(20)
        )
        assert set(search.best_estimator_[-1].selected_ids_) <= set(ids)
    pipe = make_pipeline(StandardScaler(), selector(3))
    pipe.fit(X, dynamicsubmodularselector__ids=ids)
    assert set(pipe[-1].selected_ids_) <= set(ids)


def test_large_identifiers_do_not_warn(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = selector(2).fit(rng.normal(size=(3, 2)), ids=[2**40, 1, 0])
    assert 2**40 in model.active_ids_


@pytest.mark.parametrize("refine", ["none", "guesses", "pool"])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
@pytest.mark.parametrize("name", ["sqrt", "saturated", "coverage"])
def test_answers_while_work_is_under_way(name, algorithm, refine, rng):
    X, k = table(rng, 10), 3
    model = selector(
        k, objective=OBJECTIVES[name], algorithm=algorithm, refine=refine, pool_size=2
    ).fit(X[:3])
    rows = model.objective_model_.represent(X)
    alive, out = {0, 1, 2}, set(range(3, 10))
    for _ in range(25):
        leave = rng.choice(sorted(alive), min(len(alive), rng.integers(0, 3)), False)
        come = rng.choice(sorted(out), min(len(out), rng.integers(0, 3)), False)
        leave, come = leave.astype(int), come.astype(int)
        alive = (alive - set(leave.tolist())) | set(come.tolist())
        out = (out - set(come.tolist())) | set(leave.tolist())
        budget = None if rng.random() < 0.4 else int(rng.integers(1, 12))
        model.update((X[come], come), forget=leave, max_calls=budget)
        ids = model.selected_ids_.tolist()
        assert set(ids) <= alive
        assert len(set(ids)) == len(ids) <= k
        assert_allclose(value_of(model.objective_model_, rows[ids]), model.objective_)
        optimum = best_value(model.objective_model_, rows[sorted(alive)], k)
        assert model.upper_bound_ >= optimum - 1e-9
        if not model.stale_:
            slack = 2.4 if algorithm == "bucketed" else 2.1
            assert model.objective_ >= optimum / (slack * 1.01) - 1e-12
