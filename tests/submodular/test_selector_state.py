"""The state of a selector: emptied, purged, solved anew, copied and restored."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

import sklearn_ext
from sklearn_ext.submodular import (
    CallableObjective,
    FacilityLocation,
    LogDet,
    Mixture,
)
from sklearn_ext.submodular._selector import same
from tests.submodular._problems import selector, total_of_roots


@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "greedy"])
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


def test_nothing_can_be_selected(rng):
    with pytest.raises(ValueError, match="bar all 4 active ones"):
        selector(3, forbidden=range(4)).fit(rng.normal(size=(4, 2)))
    model = selector(3).fit(rng.normal(size=(4, 2))).forget(range(4))
    with pytest.raises(ValueError, match="no active rows to solve for"):
        model.refresh_reference()


def test_nothing_to_gain_is_reported():
    model = selector(3, objective="coverage")
    with pytest.warns(UserWarning, match="No row adds anything"):
        model.fit(np.zeros((4, 2)))
    assert model.selected_ids_.tolist() == [0]
    assert model.objective_ == 0
    assert model.certificate_ == 1
    assert_array_equal(model.predict(np.zeros((2, 2))), 0)
    assert selector(3).fit(np.ones((5, 2))).selected_ids_.tolist() == [0]


def test_a_sieve_may_begin_with_rows_that_add_nothing():
    model = selector(3, objective="coverage", algorithm="sieve")
    with pytest.warns(UserWarning, match="No row adds anything"):
        model.fit(np.zeros((4, 2)))
    assert model.selected_ids_.tolist() == [0]
    model.partial_fit(np.eye(2))
    assert model.selected_ids_.tolist() == [4, 5]
    assert sorted(model.active_ids_.tolist()) == [4, 5]


@pytest.mark.parametrize("solver", ["stochastic", "threshold"])
def test_answers_of_every_solver_are_in_greedy_order(solver, rng):
    model = selector(8, solver=solver, objective="feature_based")
    model.fit(rng.uniform(size=(60, 4)))
    assert (np.diff(model.gains_) <= 1e-12).all()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_without_a_cache(kind, rng):
    X = kind(rng.uniform(size=(20, 3)))
    for metric in ("rbf", "cosine", "neg_distance"):
        model = selector(3, objective=FacilityLocation(metric), max_cache_mb=0)
        model.fit(X).partial_fit(X[:2]).forget([0]).forget(range(1, 22))
        assert model.partial_fit(X[:5]).n_active_ == 5
        assert len(model.selected_ids_) == 3


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


def test_purge_reaches_members_of_mixtures_and_references_of_the_user(rng):
    X = rng.normal(size=(12, 2))
    user = FacilityLocation(reference=X)  # float64, while the rows become float32
    mixture = Mixture([("a", user), ("b", FacilityLocation()), ("c", LogDet())])
    model = selector(3, objective=mixture).fit(X.astype(np.float32))
    model.forget([3], purge=True)
    for member in model.objective_model_.objectives_[:2]:
        reference = member.reference_.astype(np.float32)
        assert reference.shape == (12, 2)
        assert not (reference == X[3].astype(np.float32)).all(axis=1).any()
    stored = model._living.X.take(np.arange(11))
    assert not (stored == X[3].astype(np.float32)).all(axis=1).any()


def test_refresh_and_reoptimize(rng):
    X = rng.normal(size=(60, 2))
    model = selector(4, refine="pool", pool_size=0).fit(X[:30])
    model.partial_fit(X[30:] + 4)
    before, bound = model.objective_, model.upper_bound_
    model.reoptimize()
    assert model.objective_ >= before
    assert model.upper_bound_ <= bound
    rebuilt = model.n_rebuilds_
    model.refresh_reference()
    assert model.n_rebuilds_ == rebuilt
    assert len(model.objective_model_.reference_) == 60
    assert model.n_active_ == 60
    model.partial_fit(X[:1])
    assert 60 in model.active_ids_
    model.refresh_reference(X[:7])
    assert len(model.objective_model_.reference_) == 7
    sieved = selector(3, algorithm="sieve").fit(X)
    with pytest.raises(NotImplementedError, match="does not store the rows"):
        sieved.reoptimize()


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


def test_parameters_that_structures_depend_on_need_another_fit(rng):
    X = rng.normal(size=(12, 2))
    model = selector(2).fit(X).partial_fit(X + 1)
    with pytest.raises(ValueError, match="n_select was 2 in fit and is 5 now"):
        model.set_params(n_select=5).partial_fit(X)
    with pytest.raises(ValueError, match="call fit again"):
        model.reoptimize()
    with pytest.raises(ValueError, match="algorithm was 'leveled' in fit"):
        model.set_params(n_select=2, algorithm="sieve").update(X)
    model.set_params(algorithm="leveled").partial_fit(X)
    assert model.n_active_ == 36


def test_missing_ids_can_be_ignored_and_empty_updates_do_nothing(rng):
    X = rng.normal(size=(9, 2))
    model = selector(2).fit(X)
    before = joblib.hash(model.snapshot())
    model.forget([77], missing="ignore").forget([]).update().update(X[:0])
    model.update([])
    assert joblib.hash(model.snapshot()) == before
    model.replace([1], X[2:3] + 1)
    assert_allclose(model._living.X.take(model._living.table.find([1])), X[2:3] + 1)
    with pytest.raises(AttributeError, match="not fitted yet"):
        selector().certificate_  # noqa: B018


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "greedy", "sieve"])
def test_updates_of_a_model_in_mapped_files(algorithm, kind, tmp_path, rng):
    X = rng.uniform(size=(60, 3))
    model = selector(4, algorithm=algorithm).fit(kind(X[:40]))
    model.partial_fit(kind(X[40:44]))
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    for m in (model, mapped):
        if algorithm != "sieve":
            m.forget(m.active_ids_[:7]).forget(m.active_ids_[5:9])
        m.partial_fit(kind(X[44:]))
    assert_array_equal(mapped.selected_ids_, model.selected_ids_)
    assert_allclose(mapped.upper_bound_, model.upper_bound_)


def test_a_snapshot_is_restored_where_the_parameters_are_the_same(rng):
    X = rng.normal(size=(2100, 3))
    params = {"random_state": np.random.RandomState(3), "refine": "pool"}
    params |= {"forbidden": np.arange(2000), "initial": (2001,)}
    params |= {"objective": FacilityLocation(reference=X[:50])}
    model = selector(4, **params).fit(X)
    kept, expected = model.snapshot(), model.selected_ids_
    again, stored = pickle.loads(pickle.dumps((model, kept)))
    assert_array_equal(again.restore(stored).selected_ids_, expected)
    params["random_state"].uniform(size=7)  # the stream was read on by others
    assert_array_equal(model.partial_fit(X[:9]).restore(kept).selected_ids_, expected)
    assert_array_equal(clone(model).fit(X[::-1]).restore(kept).n_active_, 2100)


@pytest.mark.parametrize(
    "changed",
    [
        {"forbidden": np.r_[np.arange(1000), 2050, np.arange(1001, 2000)]},
        {"objective": FacilityLocation(gamma=1 + 1e-15)},
        {"objective": Mixture([("a", FacilityLocation(n_reference=9))])},
        {"initial": (2002,)},
        {"random_state": 1},
    ],
    ids=range(5),
)
def test_a_snapshot_is_refused_where_one_parameter_differs(changed, rng):
    X = rng.normal(size=(2100, 3))
    params = {"forbidden": np.arange(2000), "initial": (2001,)}
    params |= {"objective": FacilityLocation(gamma=1.0)}
    if isinstance(changed.get("objective"), Mixture):
        params["objective"] = Mixture([("a", FacilityLocation(n_reference=8))])
    model = selector(4, **params).fit(X)
    kept = model.snapshot()
    model.set_params(**changed)
    name = next(iter(changed))
    with pytest.raises(ValueError, match=f"other parameters: {name}. Set them as"):
        model.restore(kept)
    assert model.n_active_ == 2100


def test_what_are_the_same_parameters():
    frame, table = pd.DataFrame({"a": [1]}), sparse.csr_array(np.eye(3))
    for thing in (None, 1, "x", frame, table, np.nan, [np.nan, {"a": np.ones(3)}], len):
        assert same(thing, copy.deepcopy(thing))
    scaler = StandardScaler(with_mean=False)
    assert same(scaler, clone(scaler))
    assert same(np.random.default_rng(0), np.random.default_rng(1))
    for one, other in (
        (1, 1.0),
        (1, True),
        ((1,), [1]),
        ((1, 2), (1,)),
        (frame, frame + 1),
        (table, 2 * table),
        (scaler, StandardScaler()),
        ({"a": 1}, {"b": 1}),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (lambda: 1, lambda: 1),
    ):
        assert not same(one, other)


@pytest.mark.parametrize("max_cache_mb", [1024, 0])
@pytest.mark.parametrize("algorithm", ["leveled", "greedy"])
def test_a_stored_selector_is_about_its_table(algorithm, max_cache_mb, rng):
    X = rng.normal(size=(3000, 20))
    params = {"algorithm": algorithm, "max_cache_mb": max_cache_mb}
    model = selector(5, **params).fit(X).partial_fit(X[:5] + 1)
    assert len(model.selected_ids_) == 5  # the answer is stored, too
    stored = pickle.dumps(model)
    assert len(stored) < 2 * X.nbytes  # reference rows and states included
    again = pickle.loads(stored)
    assert_array_equal(again.predict(X), model.predict(X))
    assert again._living.oracle._rows is None or max_cache_mb == 0  # reading needs none
    for m in (model, again):
        m.forget(range(100)).update(X[:7] - 1)
    assert_array_equal(again.selected_ids_, model.selected_ids_)
    assert_allclose(again.upper_bound_, model.upper_bound_)


class Counted:
    """A function that changes with every call."""

    def __init__(self):
        self.n_calls = 0

    def __call__(self, rows):
        self.n_calls += 1
        return total_of_roots(rows)


def test_snapshots_share_functions_and_frozen_encoders(rng):
    X = rng.uniform(size=(20, 4))
    frozen = FrozenEstimator(PCA(2).fit(X))
    near = Mixture([("own", CallableObjective(Counted()))])
    model = selector(3, encoder=frozen, objective=near).fit(X)
    kept, expected = model.snapshot(), model.selected_ids_
    assert kept.parameters["encoder"] is frozen
    model.partial_fit(X[:5])
    assert_array_equal(model.restore(kept).selected_ids_, expected)


@pytest.mark.parametrize("objective", ["facility_location", "log_det"])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "sieve"])
def test_sets_are_stored_by_skops(algorithm, objective, rng):
    model = selector(5, algorithm=algorithm, objective=objective)
    model.fit(rng.uniform(size=(80, 3))).update(rng.uniform(size=(4, 3)))
    stored = skops.io.dumps(model)
    again = skops.io.loads(stored, trusted=sklearn_ext.trusted_types())
    more = rng.uniform(size=(6, 3))
    for one in (model, again):
        one.update(more)
        if algorithm != "sieve":
            one.forget(one.selected_ids_[:2])
    assert_array_equal(again.selected_ids_, model.selected_ids_)
    assert again.upper_bound_ == model.upper_bound_
