import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers, hash_rows


@pytest.fixture
def rows():
    """Rows over three levels, so that many are equal and many cells are zero."""
    return np.random.default_rng(0).integers(-1, 2, (200, 4)).astype(float)


def test_groups_are_those_of_a_lexicographic_sort(rows):
    same = EqualRows.of(rows)
    expected = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    assert len(same) == expected.max() + 1
    pairs = np.unique(np.column_stack([same.group, expected]), axis=0)
    assert len(pairs) == len(same)  # one to one
    assert_array_equal(same.group[same.first], np.arange(len(same)))
    assert_array_equal(same.weight, np.bincount(same.group))


@pytest.mark.parametrize(
    "convert",
    [
        sparse.csr_array,
        sparse.csc_matrix,
        sparse.coo_array,
        lambda rows: rows.astype(np.float32),
        lambda rows: rows.astype(int),
        lambda rows: np.asfortranarray(rows),
        lambda rows: np.where(rows == 0, -0.0, rows),
        lambda rows: rows.tolist(),
    ],
    ids=["csr", "csc", "coo", "float32", "int", "fortran", "negative zero", "list"],
)
def test_hash_ignores_how_a_row_is_stored(rows, convert):
    assert_array_equal(hash_rows(convert(rows)), hash_rows(rows))


def test_explicit_zeros_and_doubled_entries_are_what_they_sum_to():
    data, column, row = [1.0, 2.0, 0.0], [1, 1, 0], [0, 0, 1]
    stored = sparse.csr_array((data, column, [0, 2, 3]), shape=(2, 2))
    stored_twice = sparse.coo_array((data, (row, column)), shape=(2, 2))
    dense = np.array([[0.0, 3.0], [0.0, 0.0]])
    assert_array_equal(hash_rows(stored), hash_rows(dense))
    assert_array_equal(hash_rows(stored_twice), hash_rows(dense))
    assert stored.nnz == 3  # the caller's matrix is as it was


def test_all_nan_are_one_value():
    payload = np.array([0x7FF8000000000001], dtype=np.uint64).view(float)
    hashes = hash_rows(np.array([payload, [np.nan], [-np.nan], [1.0]]))
    assert len(set(hashes)) == 2


def test_tables_stand_side_by_side(rows):
    y = np.arange(200) % 3
    whole = np.column_stack([rows, y])
    assert_array_equal(hash_rows(rows, y), hash_rows(whole))
    assert_array_equal(hash_rows(sparse.csr_array(rows), y), hash_rows(whole))


def test_columns_seeds_and_last_bits_matter():
    assert hash_rows([[1.0, 2.0]]) != hash_rows([[2.0, 1.0]])
    assert hash_rows([[1.0]], seed=0) != hash_rows([[1.0]], seed=1)
    assert hash_rows([[1.0]]) != hash_rows([[np.nextafter(1.0, 2.0)]])
    assert hash_rows([[1.0]], seed=-1) != hash_rows([[1.0]], seed=1)


def test_no_collision_on_a_regular_grid():
    grid = np.stack(np.meshgrid(*[np.arange(18.0)] * 4), axis=-1).reshape(-1, 4)
    assert len(np.unique(hash_rows(grid))) == len(grid)


def test_each_bit_of_the_hash_is_set_for_half_of_the_rows():
    hashes = hash_rows(np.arange(20_000.0)[:, None])
    shares = [np.mean((hashes >> np.uint64(bit)) & np.uint64(1)) for bit in range(64)]
    assert np.abs(np.array(shares) - 0.5).max() < 0.02  # 5.6 standard errors


def test_weights_equal_repetition_and_zero_equals_removal(rows):
    w = np.random.default_rng(1).integers(0, 4, len(rows))
    weighted = EqualRows.of(rows, w=w)
    repeated = EqualRows.of(np.repeat(rows, w, axis=0))
    assert_array_equal(weighted.hash, repeated.hash)
    assert_array_equal(weighted.weight, repeated.weight)
    position = np.searchsorted(weighted.hash, hash_rows(rows[w > 0]))
    assert_array_equal(weighted.group[w > 0], position)
    lost = ~np.isin(hash_rows(rows), weighted.hash)
    assert_array_equal(weighted.group == -1, lost)


def test_folds_follow_rows_and_are_even(rows):
    shuffled = np.random.default_rng(2).permutation(len(rows))
    folds = EqualRows.of(rows).deal(5)
    assert_array_equal(EqualRows.of(rows[shuffled]).deal(5), folds[shuffled])
    distinct = np.bincount(folds[EqualRows.of(rows).first])
    assert distinct.max() - distinct.min() <= 1
    repeated = EqualRows.of(np.repeat(rows, 3, axis=0)).deal(5)
    assert_array_equal(repeated, np.repeat(folds, 3))


def test_folds_spread_each_stratum():
    X, y = np.arange(103.0)[:, None], np.arange(103) % 4
    folds = EqualRows.of(X, y).deal(5, strata=y)
    table = np.array([np.bincount(folds[y == k], minlength=5) for k in range(4)])
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    assert np.ptp(table.sum(axis=0)) <= 1


def test_rows_of_weight_zero_are_in_no_fold():
    w = np.array([1.0, 0.0, 2.0, 0.0])
    folds = EqualRows.of(np.array([1.0, 2.0, 3.0, 1.0]), w=w).deal(2)
    assert folds[1] == -1
    assert folds[0] == folds[3] != folds[2]


def test_either_precision_has_the_same_order_and_no_other_groups():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(60, 2)), 2, axis=0)
    single = X.astype(np.float32)
    one = EqualRows.in_either_precision(X, seed=3)
    other = EqualRows.in_either_precision(single, seed=3)
    assert_array_equal(one.group, other.group)
    assert_array_equal(one.deal(4), other.deal(4))
    far = X + 1e9  # a time in seconds: single precision would take all for one row
    found = EqualRows.in_either_precision(far, w=np.arange(120.0))
    assert len(found) == 60
    assert_array_equal(found.group[::2], found.group[1::2])
    assert_array_equal(found.weight[found.group[::2]], np.arange(1.0, 240, 4))
    order = rng.permutation(120)
    shuffled = EqualRows.in_either_precision(far[order], w=np.arange(120.0)[order])
    assert_array_equal(shuffled.group, found.group[order])


def test_rows_without_weight_have_no_group_in_either_precision():
    X, w = np.array([[1.0], [2.0], [2.0], [3.0]]), np.array([0.0, 1.0, 0.0, 2.0])
    found = EqualRows.in_either_precision(X, w=w)
    assert found.group[0] == -1
    assert found.group[1] == found.group[2] >= 0
    assert sorted(found.weight) == [1.0, 2.0]


@pytest.mark.parametrize("library", ["pandas", "polars", "object"])
def test_columns_of_anything_become_numbers(library):
    columns = {"size": [1.5, 2.0, 1.5, 2.0], "name": ["b", "a", "b", "c"]}
    if library == "object":
        table = np.array(list(zip(*columns.values(), strict=True)), dtype=object)
    else:
        table = pytest.importorskip(library).DataFrame(columns)
    numbers = as_numbers(table)
    assert_array_equal(numbers, [[1.5, 1], [2, 0], [1.5, 1], [2, 2]])
    assert_array_equal(as_numbers(columns["name"]), [[1], [0], [1], [2]])


@pytest.mark.parametrize("dtype", [str, object])
def test_texts_are_not_the_numbers_that_they_spell(dtype):
    codes = np.array([["01"], ["1"], ["1.0"], ["1"]], dtype=dtype)
    assert len(EqualRows.of(as_numbers(codes))) == 3
    assert_array_equal(as_numbers(np.array([[1], [1.0]], dtype=object)), 1)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_what_is_missing_is_no_text(missing):
    column = np.array([[missing], [str(missing)], [1], ["1"]], dtype=object)
    numbers = as_numbers(column)
    assert len(EqualRows.of(numbers)) == 4
    assert np.isnan(numbers[0])


def test_values_without_a_hash_are_their_text():
    lists = np.empty((3, 1), dtype=object)
    lists[:, 0] = [[2], [1], [2]]
    assert_array_equal(as_numbers(lists), [[1], [0], [1]])


def test_single_precision_needs_no_second_table():
    X = np.random.default_rng(0).normal(size=(100_000, 40))
    tracemalloc.start()
    EqualRows.in_either_precision(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes
