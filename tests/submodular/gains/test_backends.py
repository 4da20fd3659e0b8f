"""The same selections, whatever computes the gains."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_ext.submodular import (
    Coverage,
    DynamicMaximizer,
    DynamicSubmodularSelector,
    FacilityLocation,
    FeatureBased,
    SubmodularSampler,
    maximize,
)
from sklearn_ext.submodular._gains import _oracle_compiled as compiled
from sklearn_ext.submodular._gains._backends import make_oracle
from sklearn_ext.submodular._gains._oracle import States
from sklearn_ext.submodular._rows._stores import represent_rows
from tests._marks import PICKLED_TENSORS
from tests.submodular._problems import table


@pytest.fixture
def rng():
    """One seed: the same selections are compared in many places."""
    return np.random.default_rng(3)


METHODS = ["greedy", "lazy", "stochastic", "threshold", "sieve", "pruned"]
OBJECTIVES = {
    "facility": FacilityLocation(n_reference=60),
    "neighbors": FacilityLocation(n_neighbors=5, n_reference=60),
    "cosine": FacilityLocation("cosine", n_reference=60),
    "coverage": Coverage(),
}


def on_torch(device="cpu"):
    """Return arguments for a torch device, or skip."""
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device is here")
    return {"backend": "torch", "device": device}


def where(name):
    if name == "numba":
        pytest.importorskip("numba", reason="the compiled extra is not installed")
    return {"backend": name} if name in ("auto", "numba") else on_torch(name)


PLACES = ["auto", "numba", "cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("place", PLACES)
def test_columns_far_from_zero(place, rng):
    """Squares of 1e16 would leave no digit of the distances between rows."""
    X = np.round(rng.normal(size=(80, 3)), 3)
    far = X + np.array([1e8, -1e8, 1e7])
    objective = FacilityLocation(gamma=0.3)
    near = maximize(objective, X, 5, random_state=0)
    found = maximize(objective, far, 5, random_state=0, **where(place))
    assert_array_equal(found.indices, near.indices)
    assert_allclose(found.gains, near.gains, rtol=1e-6)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_static_selections_agree(name, dtype, place, rng):
    X, objective = rng.uniform(size=(200, 6)).astype(dtype), OBJECTIVES[name]
    there = where(place)
    for method in METHODS:
        settings = {"method": method, "initial": [7], "random_state": 0}
        found = maximize(objective, X, 12, **settings, **there)
        expected = maximize(objective, X, 12, **settings, backend="numpy")
        assert_array_equal(found.indices, expected.indices)
        assert_allclose(found.gains, expected.gains, rtol=1e-6, atol=1e-8)
        assert_allclose(found.upper_bound, expected.upper_bound, rtol=1e-6)
    swapped = maximize(objective, X, 5, n_swaps=None, random_state=0, **there)
    expected = maximize(objective, X, 5, n_swaps=None, random_state=0, backend="numpy")
    assert_array_equal(swapped.indices, expected.indices)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["facility", "neighbors", "coverage"])
def test_exchanges_agree(name, dtype, place, rng):
    X, objective = rng.uniform(size=(150, 8)).astype(dtype), OBJECTIVES[name]
    settings = {"method": "sieve", "initial": [3], "random_state": 0}
    before = maximize(objective, X, 9, **settings)
    for n_swaps in (1, 3, None):
        found = maximize(objective, X, 9, n_swaps=n_swaps, **settings, **where(place))
        expected = maximize(
            objective, X, 9, n_swaps=n_swaps, **settings, backend="numpy"
        )
        assert_array_equal(found.indices, expected.indices)
        assert expected.value > before.value


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "sieve"])
@pytest.mark.parametrize("name", OBJECTIVES)
@PICKLED_TENSORS
def test_selections_agree_after_updates(name, algorithm, place, rng):
    X = rng.uniform(size=(260, 5))
    settings = {"algorithm": algorithm, "refine": "guesses", "random_state": 0}
    model = DynamicSubmodularSelector(9, OBJECTIVES[name], **settings)
    ours = clone(model).set_params(**where(place)).fit(X[:150])
    numpy = clone(model).set_params(backend="numpy").fit(X[:150])
    for i in range(30):
        gone = [] if algorithm == "sieve" else [i, *range(90 + 2 * i, 92 + 2 * i)]
        new = X[150 + 3 * i : 153 + 3 * i]
        for m in (ours, numpy):
            m.update(new, forget=gone)
        assert_array_equal(ours.selected_ids_, numpy.selected_ids_)
        assert_allclose(ours.certificate_, numpy.certificate_)
        if algorithm != "sieve":
            assert ours._living.engine.candidates == numpy._living.engine.candidates
    again = pickle.loads(pickle.dumps(ours)).partial_fit(X[:3])
    assert_array_equal(again.selected_ids_, ours.partial_fit(X[:3]).selected_ids_)


@pytest.mark.parametrize("place", PLACES)
def test_bare_engine_sampler_and_rows_computed_anew(place, rng):
    X, there = rng.uniform(size=(80, 4)), where(place)
    objective = Coverage().fit_reference(X)
    found = [
        DynamicMaximizer(objective, 4, random_state=0, **settings)
        .insert(X[:50])
        .delete(range(0, 50, 3))
        .insert(X[50:])
        for settings in (there, {"backend": "numpy"})
    ]
    assert found[0].solution() == found[1].solution()
    assert_allclose(found[0].bounds(), found[1].bounds())
    sampler = SubmodularSampler(7, random_state=0)
    small = clone(sampler).set_params(**there).fit(X).sample_indices_
    assert_array_equal(
        small, sampler.set_params(backend="numpy").fit(X).sample_indices_
    )
    model = DynamicSubmodularSelector(5, max_cache_mb=0, random_state=0)
    ours = clone(model).set_params(**there).fit(X).forget(range(20)).selected_ids_
    model.set_params(backend="numpy").fit(X).forget(range(20))
    assert_array_equal(ours, model.selected_ids_)


def growing(oracle, n):
    """Return the states of n rows of an oracle's, one after another."""
    states = oracle.states([oracle.empty_state()])
    for slot in range(n):
        states.append(oracle.add(states[-1], slot))
    return states


@pytest.mark.parametrize("place", ["numpy", *PLACES])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gains_and_levels_from_their_definition(dtype, kind, place, rng):
    X = table(rng, 70, 9).astype(dtype)
    X.flags.writeable = False  # as memory maps are
    there = {"backend": "numpy"} if place == "numpy" else where(place)
    objective = Coverage(weights=rng.uniform(size=9)).fit_reference(X)
    oracle = make_oracle(objective, **there)
    oracle.load(kind(X))
    states, slots = growing(oracle, 12), np.arange(12, 70)
    gains = np.stack([oracle.gains(slots, state) for state in states], axis=1)
    heights = [np.zeros(9), *np.maximum.accumulate(X[:12].astype(np.float64))]
    rises = np.maximum(X[slots, None] - np.array(heights), 0)
    assert_allclose(gains, rises @ objective.coord_weights_, atol=1e-14)
    assert np.all(np.diff(gains, axis=1) <= 0)  # to the last bit
    alone = [oracle.gains(slots[i : i + 1], states[5])[0] for i in range(58)]
    if not place.startswith("c"):  # torch is allowed to sum a row as its batch wants
        assert_array_equal(alone, gains[:, 5])
    tau = np.quantile(gains[:, 6], 0.5)
    passing = slots[gains[:, 0] >= tau]
    top = np.full(len(passing), 13)
    expected = (gains[gains[:, 0] >= tau] >= tau).sum(axis=1)
    assert_array_equal(oracle.levels(passing, states, tau, 1, top), expected)
    single = [oracle.level(slot, states, tau, 13) for slot in passing.tolist()]
    assert_array_equal(single, expected)


def test_rows_come_in_batches_with_room_for_more(rng):
    X = rng.uniform(size=(90, 4))
    objective = FacilityLocation(n_reference=30).fit_reference(X, random_state=0)
    rows = represent_rows(objective, X, batch_size=40)
    # BLAS may round a row otherwise in another batch
    assert_allclose(rows.take(np.arange(90)), objective.represent(X), rtol=1e-12)
    rows.put(np.array([90, 200]), rows.take([0, 1]))
    assert_array_equal(rows.take(np.array([89, 90, 200])), rows.take([89, 0, 1]))


def test_states_are_the_same_as_an_array_after_cuts(rng):
    states, expected = States([np.zeros(3)]), [np.zeros(3)]
    for step in range(40):
        if step % 7 == 6:
            states.cut(len(expected) // 2)
            del expected[len(expected) // 2 :]
        expected.append(rng.uniform(size=3))
        states.append(expected[-1])
        assert_array_equal(states.table, expected)


def test_nothing_is_compiled_after_the_import(rng):
    pytest.importorskip("numba", reason="the compiled extra is not installed")
    kernels = compiled.compiled_kernels()
    loops = [kernels.gains, kernels.levels, kernels.exchanges]
    assert [len(loop.signatures) for loop in loops] == [4, 4, 2]
    with pytest.raises(TypeError, match="No matching definition"):
        kernels.gains((np.ones((1, 1), dtype=np.int8),), *[np.ones(1)] * 4)


@pytest.mark.slow
def test_the_import_compiles_and_no_fit_does(tmp_path):
    pytest.importorskip("numba", reason="the compiled extra is not installed")
    code = (
        "from sklearn_ext.submodular import FacilityLocation, maximize\n"
        "import numpy as np\n"
        "from numba.core import event\n"
        "with event.install_recorder('numba:compile') as record:\n"
        "    maximize(FacilityLocation(), np.eye(9), 3, backend='numba')\n"
        "print(len(record.buffer))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "0"
    assert list(tmp_path.rglob("*.nbi"))


def test_without_numba(monkeypatch, rng):
    X = rng.uniform(size=(50, 3))
    with_it = DynamicSubmodularSelector(4, random_state=0).fit(X).partial_fit(X[:5])
    compiled.compiled_kernels.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(
        sys.modules, "sklearn_ext.submodular._gains._kernels_numba", raising=False
    )
    try:
        assert compiled.compiled_kernels() is None
        without = DynamicSubmodularSelector(4, random_state=0).fit(X).partial_fit(X[:5])
        assert_array_equal(with_it.selected_ids_, without.selected_ids_)
        again = pickle.loads(pickle.dumps(with_it)).partial_fit(X[5:7])
        assert_array_equal(
            again.selected_ids_, without.partial_fit(X[5:7]).selected_ids_
        )
        with pytest.raises(ImportError, match=r"sklearn-ext\[compiled\]"):
            maximize(FacilityLocation(), X, 3, backend="numba")
    finally:
        compiled.compiled_kernels.cache_clear()


@pytest.mark.parametrize("error", [RuntimeError("no locator"), OSError(28, "full")])
def test_without_room_for_compiled_loops(error, monkeypatch, rng):
    def fails(name):
        raise error

    compiled.compiled_kernels.cache_clear()
    monkeypatch.setattr(compiled, "import_module", fails)
    try:
        assert len(maximize(FacilityLocation(), rng.uniform(size=(9, 2)), 3).indices)
        assert compiled.compiled_kernels() is None
    finally:
        compiled.compiled_kernels.cache_clear()


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"backend": "numba", "device": "cpu"}, ValueError, "backend='numba' runs on"),
        ({"backend": "cupy"}, ValueError, "'backend' parameter"),
        ({"device": 3}, ValueError, "'device' parameter"),
        ({"device": "nowhere"}, RuntimeError, "'nowhere' is not on this machine"),
    ],
    ids=range(4),
)
def test_bad_parameters(params, error, message, rng):
    if "device" in params:
        on_torch()
    with pytest.raises(error, match=message):
        DynamicSubmodularSelector(**params).fit(rng.uniform(size=(9, 2)))


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_objectives_that_have_no_such_gains(backend, rng):
    with pytest.raises(ValueError, match=f"{backend}.* got FeatureBased; use backend"):
        maximize(FeatureBased(), rng.uniform(size=(9, 2)), 2, backend=backend)
    with pytest.raises(ValueError, match="'backend' parameter of Dyn"):
        DynamicMaximizer(Coverage().fit_reference(np.eye(2)), 1, backend="cupy")
