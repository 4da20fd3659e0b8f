"""Which rows have a label, one convention a test."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklearn_ext.representations._labels import check_target, is_labeled, plain


@pytest.mark.parametrize(
    ("y", "unlabeled", "expected"),
    [
        ([0, 1, -1, 1], "auto", [1, 1, 0, 1]),
        ([-1, 1, -1, 1], "auto", [1, 1, 1, 1]),  # two classes
        ([-1, 1, -1, 1], -1, [0, 1, 0, 1]),
        ([0, 1, -1, 2], None, [1, 1, 1, 1]),
        ([0, 1, 9, 1], 9, [1, 1, 0, 1]),
        ([0.0, np.nan, 1.0], "auto", [1, 0, 1]),
        ([0.0, -1.0, 1.0], "auto", [1, 0, 1]),  # whole numbers, as LabelSpreading
        ([0.0, -1.0, 1.5], "auto", [1, 1, 1]),
        ([0.0, -1.0, 1.0, np.nan], "auto", [1, 1, 1, 0]),  # NaN is the mark
        ([-1.0, 1.0, -1.0], "auto", [1, 1, 1]),
        ([0.0, -1.0, 1.0], -1, [1, 0, 1]),
        ([True, False], "auto", [1, 1]),
        (["a", "b", "?"], "?", [1, 1, 0]),
        (["a", "b", "?"], -1, [1, 1, 1]),
        ([0, 1, 2], "?", [1, 1, 1]),
    ],
)
def test_marks_of_arrays(y, unlabeled, expected):
    assert_array_equal(is_labeled(np.array(y), unlabeled), np.array(expected, bool))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("labels", [["a", "b"], [0, 1], [True, False]])
def test_missing_objects(missing, labels):
    y = np.array([labels[0], missing, labels[1]], dtype=object)
    assert_array_equal(is_labeled(y), [True, False, True])
    assert_array_equal(is_labeled(y, np.nan), [True, False, True])
    assert plain(y[is_labeled(y)]).tolist() == labels


def test_minus_one_among_integers_that_are_objects():
    for y in (pd.Series([0, -1, 1], dtype="Int64"), np.array([0, -1, 1], dtype=object)):
        found = check_target(y, numeric=False, user="It")
        assert_array_equal(is_labeled(found), [True, False, True])
    y = np.array([0, -1, None, 1], dtype=object)  # None is the mark
    assert_array_equal(is_labeled(y), [True, True, False, True])


def test_minus_one_is_a_number_of_a_regression():
    assert is_labeled(np.array([0.0, -1.0, 1.0]), numeric=True).all()


def test_whoever_knows_the_classes_says_whether_minus_one_marks():
    y = np.array([-1, 1, -1])
    assert_array_equal(is_labeled(y, minus_one=True), [False, True, False])
    assert is_labeled(np.array([-1, 1, 2]), minus_one=False).all()


@pytest.mark.parametrize("dtype", ["Int64", "category", "boolean"])
def test_labels_of_a_frame_keep_their_kind(dtype):
    values = [True, None, False] if dtype == "boolean" else [0, None, 1]
    y = pd.Series(values, dtype=dtype)
    if dtype == "category":
        y = pd.Series(pd.Categorical([0, None, 1]))
    found = check_target(y, numeric=False, user="It")
    kind = "b" if dtype == "boolean" else "i"
    assert plain(found[is_labeled(found)]).dtype.kind == kind


def test_objects_with_a_mark_of_their_own():
    y = np.array(["a", "?", None, 3], dtype=object)
    assert_array_equal(is_labeled(y, "?"), [True, False, True, True])


def test_series_with_missing_values():
    for y in (pd.Series([0, None, 1], dtype="Int64"), pd.Series(["a", None, "b"])):
        found = check_target(y, numeric=False, user="It")
        assert_array_equal(is_labeled(found), [True, False, True])


def test_rows_of_several_outputs_are_labelled_as_a_whole():
    y = np.array([[1.0, 2.0], [np.nan, np.nan]])
    assert_array_equal(is_labeled(y), [True, False])
    y[1, 0] = 3
    with pytest.raises(ValueError, match="row 1 has it in some of 2"):
        is_labeled(y)


def test_a_target_is_needed():
    with pytest.raises(ValueError, match=r"y is None. Mark rows .* by NaN"):
        check_target(None, numeric=True, user="It")
    with pytest.raises(ValueError, match="infinity"):
        check_target([1.0, np.inf], numeric=True, user="It")
