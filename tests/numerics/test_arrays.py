"""The array layer: one spelling for NumPy, sparse, torch and strict arrays."""

from dataclasses import dataclass

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, special

from sklearn_ext._numerics import _arrays as arrays

torch = pytest.importorskip("torch", reason="torch is not installed")
MAKERS = {
    "numpy": np.asarray,
    "torch": torch.tensor,
    "strict": array_api_strict.asarray,
}


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def test_what_came_comes_back(make):
    values = np.arange(6.0).reshape(2, 3)
    x = make(values)
    back = arrays.to_numpy(x)
    assert isinstance(back, np.ndarray)
    assert_array_equal(back, values)
    again = arrays.like(back, x)
    assert type(again) is type(x)
    assert again.dtype == x.dtype
    assert arrays.namespace(again) is arrays.namespace(x)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows_are_numpys(form):
    x = form(np.eye(3, dtype=np.float32))
    assert arrays.namespace(x) is arrays.namespace(np.eye(3))
    assert arrays.to_numpy(x) is x
    assert arrays.like([1.0, 2.0], x).dtype == np.float32
    assert arrays.like(x, np.zeros(1)).dtype == np.float64
    assert_array_equal(arrays.dense(x), np.eye(3))
    assert arrays.device_of(x) == "cpu"


def test_sums_are_in_double(make):
    x = make(np.ones(3, dtype=np.float32))
    assert arrays.single(x)
    wide = arrays.float64(x)
    assert wide.dtype == arrays.widest(x) == arrays.namespace(x).float64
    assert not arrays.single(wide)
    assert arrays.float64(wide) is wide
    assert arrays.rounding(x) == pytest.approx(np.finfo(np.float32).eps, rel=0.01)
    assert arrays.rounding(wide) == pytest.approx(np.finfo(np.float64).eps, rel=0.05)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", lambda v: np.maximum(v, 0)),
        ("cos", np.cos),
        ("exp", np.exp),
        ("erf", special.erf),
    ],
)
def test_functions_are_numpys(make, name, expected):
    values = np.linspace(-2, 2, 9)
    found = getattr(arrays, name)(make(values.copy()))
    assert_allclose(arrays.to_numpy(found), expected(values), rtol=1e-12)


def test_numpy_is_overwritten():
    for name in ("relu", "cos", "exp", "erf"):
        x = np.linspace(-2, 2, 9)
        assert getattr(arrays, name)(x) is x


def test_flat_lays_end_to_end(make):
    parts = np.arange(4.0).reshape(2, 2), np.arange(3.0)
    found = arrays.to_numpy(arrays.flat(*map(make, parts)))
    assert_array_equal(found, [0, 1, 2, 3, 0, 1, 2])


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, torch.tensor])
def test_products_with_rows(form):
    rng = np.random.default_rng(0)
    X, A, B = rng.normal(size=(5, 3)), rng.normal(size=(2, 5)), rng.normal(size=(2, 3))
    bring = torch.tensor if form is torch.tensor else np.asarray
    found = arrays.times_rows(bring(A), form(X))
    assert_allclose(arrays.to_numpy(found), A @ X, rtol=1e-12)
    found = arrays.times_columns(bring(B), form(X))
    assert_allclose(arrays.to_numpy(found), B @ X.T, rtol=1e-12)


@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (2, 5), (0, 4)])
def test_blocks_cover_every_row_once(n, size):
    found = [np.arange(n)[rows] for rows in arrays.blocks(n, size)]
    assert all(1 <= len(part) <= size for part in found)
    assert_array_equal(np.concatenate([[], *found]), np.arange(n))


def test_a_device_makes_tensors_and_none_does_not():
    x = np.ones(3)
    assert arrays.to_device(x, None) is x
    assert arrays.is_tensor(arrays.to_device(x, "cpu"))
    assert not arrays.is_tensor(x)
    x.flags.writeable = False
    assert_array_equal(arrays.to_device(x, "cpu").numpy(), x)
    with pytest.raises(RuntimeError, match="device='nowhere' is not on this machine"):
        arrays.to_device(x, "nowhere")


@dataclass(frozen=True)
class Pair(arrays.ArrayHolder):
    values: object
    inner: object = None
    name: str = ""


def test_a_holder_converts_all_its_arrays(make):
    pair = Pair(np.ones(2), Pair(np.zeros(3)), "kept")
    x = make(np.ones(1, dtype=np.float32))
    found = pair.like(x)
    assert found.name == "kept"
    assert found.values.dtype == found.inner.values.dtype == x.dtype
    assert type(found.inner.values) is type(x)


@pytest.mark.parametrize("convert", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_full_columns_move_near_zero(convert, dtype):
    rng = np.random.default_rng(0)
    X = np.add(rng.normal(size=(30, 3)), [0, 2048, 2048]).astype(dtype)
    X[4, 2] = 0  # no more than a zero: the column spreads from there
    given = convert(X)
    moved, pivot = arrays.near_zero(given)
    assert moved.dtype == pivot.dtype == dtype
    assert_array_equal(pivot, [X[0, 0], X[0, 1], 0])
    assert_array_equal(moved.toarray(), X - pivot)
    assert_array_equal(given.toarray(), X)  # the caller's rows are as they were
    empty = convert(np.where(rng.random((30, 3)) < 0.5, X, 0))
    same, pivot = arrays.near_zero(empty)
    assert same is empty
    assert not pivot.any()


def test_entries_that_add_up_are_one_entry_of_a_full_column():
    rows, columns = [0, 0, 1, 1], [0, 0, 0, 1]
    X = sparse.coo_array(([5.0, 2.0, 9.0, 1.0], (rows, columns)), shape=(2, 2)).tocsr()
    moved, pivot = arrays.near_zero(X)
    assert_array_equal(pivot, [7, 0])
    assert_array_equal(moved.toarray(), [[0, 0], [2, 1]])
