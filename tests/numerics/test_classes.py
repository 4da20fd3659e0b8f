"""Labels as places among classes, and what a class weighs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils import compute_class_weight

from sklearn_ext._numerics._classes import (
    Labelled,
    check_squares,
    class_factors,
    classes_of_stream,
    places_of,
)


@pytest.mark.parametrize("classes", [[1, 3, 7], ["a", "b", "d"], [-1.5, 0.0, 2.0]])
def test_places_lead_back_to_the_labels(classes):
    classes = np.array(classes)
    y = classes[[2, 0, 0, 1]]
    assert_array_equal(classes[places_of(y, classes)], y)


@pytest.mark.parametrize("y", [[1, 9], [0, 1], ["a", "b"]])
def test_unknown_labels_are_named(y):
    with pytest.raises(ValueError, match=r"w has labels .* among the classes \[1, 3\]"):
        places_of(np.array(y), np.array([1, 3]), name="w")


def test_a_stream_keeps_its_classes():
    known = classes_of_stream([3, 1, 1])
    assert_array_equal(known, [1, 3])
    assert classes_of_stream(None, known) is known
    assert_array_equal(classes_of_stream([1, 3], known), known)
    with pytest.raises(ValueError, match="first partial_fit needs classes"):
        classes_of_stream(None)
    with pytest.raises(ValueError, match=r"must stay as at the first call, \[1, 3\]"):
        classes_of_stream([1, 4], known)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 3.0}, {"b": 0.5}])
def test_factors_are_those_of_scikit_learn(class_weight):
    y = np.array(["a", "b", "b", "b", "c"])
    classes, places = np.unique(y, return_inverse=True)
    expected = compute_class_weight(class_weight, classes=classes, y=y)
    found = class_factors(class_weight, classes, np.bincount(places, np.ones(5)))
    assert_allclose(found, expected)


def test_factors_that_are_none():
    classes, total = np.array([0, 1]), np.ones(2)
    with pytest.raises(ValueError, match="names 5, which is not one of the classes"):
        class_factors({0: 1.0, 5: 2.0}, classes, total)
    for wrong in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="must be positive for every class"):
            class_factors({0: wrong}, classes, total)
    assert_array_equal(class_factors({0: 0.0}, classes, total, zero=True), [0, 1])


def test_rows_without_weight_are_absent():
    X, y = np.arange(4.0)[:, None], np.array(["a", "b", "c", "a"])
    rows = Labelled.of(X, y, np.array([1.0, 2.0, 0.0, 1.0]), {"b": 3.0}, user="A model")
    assert_array_equal(rows.X.ravel(), [0, 1, 3])
    assert_array_equal(rows.classes, ["a", "b"])
    assert_array_equal(rows.weight, [1, 6, 1])
    assert_array_equal(rows.take([1]).classes, ["b"])
    with pytest.raises(ValueError, match="A model needs at least two classes, got one"):
        Labelled.of(X, y, np.array([1.0, 0.0, 0.0, 1.0]), user="A model")
    assert len(Labelled.of(X[:1], y[:1], np.ones(1), user="A", alone=True).classes) == 1


def test_squares_that_overflow():
    check_squares(np.array([[1e18]], dtype=np.float32))
    with pytest.raises(ValueError, match="whose squares overflow"):
        check_squares(np.array([[1e19]], dtype=np.float32))
