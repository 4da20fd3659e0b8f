"""What TwoRegimes refuses, and by which words."""

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sklearn_ext.probes import NaiveBayesProbe
from tests.probes.regimes._rivals import Recorder, pair


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"estimators": {"a": Recorder()}}, r"at least 2 estimators, got \['a'\]"),
        ({"estimators": {"a": Recorder(), "b": 3}}, r"\['b'\] must be a classifier"),
        (
            {"estimators": {"majority class": Recorder(), "b": Recorder()}},
            "must not use the name 'majority class'",
        ),
        ({"refit": "three"}, "refit='three' names no estimator"),
        ({"train_sizes": [2, 100]}, "holds 2, fewer than the 10 classes"),
        ({"train_sizes": [20, 700]}, "holds 700, but only 480 rows"),
        ({"train_sizes": ("per_class", [80])}, "rarest class"),
        ({"test_size": 1.5}, "test_size"),
        ({"scoring": "accurately"}, "scoring"),
        ({"preprocessor": "max"}, "preprocessor"),
    ],
)
def test_bad_parameters(digits, params, match):
    with pytest.raises(ValueError, match=match):
        pair().set_params(**params).fit(*digits)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"y": np.zeros(600)}, "at least two classes, got one class"),
        ({"y": np.r_[np.zeros(599), 7]}, "Class 7.0 has 1 row, but at least 2"),
        (
            {"y": np.array(["usual"] * 599 + ["rare"])},
            "Class 'rare' has 1 row, but at least 2",
        ),
        (
            {"y": np.array(["usual"] * 599 + ["rare"], dtype=object)},
            "Class 'rare' has 1 row, but at least 2",
        ),
        ({"y": None}, "requires y"),
        ({"X_test": np.zeros((2, 64))}, "X_test and y_test go together"),
        ({"y_test": np.zeros(2)}, "X_test and y_test go together"),
        ({"X_test": np.zeros((1, 64)), "y_test": [10]}, r"that y lacks: \[10\]"),
        ({"X_test": np.zeros((2, 64)), "y_test": [1]}, "inconsistent numbers"),
        ({"sample_weight": -np.ones(600)}, "must be non-negative, got a minimum of -1"),
        ({"sample_weight": np.zeros(600)}, "at least one non-zero"),
        ({"sample_weight": np.ones(3)}, r"expected \(600,\)"),
        ({"groups": np.zeros(600)}, "puts all rows into one group"),
        ({"groups": [1, 2]}, "inconsistent numbers"),
    ],
)
def test_bad_data(digits, given, match):
    X, y = digits
    with pytest.raises(ValueError, match=match):
        pair().fit(X, **{"y": y, **given})


def test_fewer_groups_than_folds(digits):
    X, y = digits
    recorded = pair(train_sizes=[20], n_repeats=1).fit(X, y, groups=np.arange(600) % 3)
    assert recorded.train_sizes_ == [20]  # one group of three is held out


def test_a_class_in_one_group(digits):
    X, y = digits
    groups = y % 2  # whichever is held out takes five classes with it
    probe = pair(test_size=0.5, train_sizes=[20])
    with pytest.raises(ValueError, match=r"Class \d lies in so few groups"):
        probe.fit(X, y, groups=groups)
    with pytest.raises(ValueError, match=r"Class '\d' lies in so few groups"):
        probe.fit(X, y.astype(str).astype(object), groups=groups)


def test_weights_that_an_estimator_would_not_see(digits):
    X, y = digits
    two = {"one": NaiveBayesProbe(), "two": KNeighborsClassifier()}
    with pytest.raises(
        ValueError, match=r"\['two'\], a KNeighborsClassifier, takes no"
    ):
        pair().set_params(estimators=two).fit(X, y, sample_weight=np.ones(600))
    with pytest.raises(ValueError, match="extra keyword arguments"):
        pair().fit(X, y, colour=np.ones(600))


def test_an_estimator_that_fails_says_which_and_where(digits):
    X, y = digits
    two = {"one": NaiveBayesProbe(), "near": KNeighborsClassifier(50)}
    model = pair().set_params(estimators=two)
    with pytest.raises(ValueError, match="n_neighbors") as failure:
        model.fit(X, y)
    assert failure.value.__notes__ == ["TwoRegimes: 'near' on 40 rows."]


def test_a_failed_fit_keeps_the_model(digits):
    X, y = digits
    model = pair().fit(X, y)
    before = joblib.hash(vars(model))
    with pytest.raises(ValueError, match="one class"):
        model.fit(X, np.zeros(600))
    assert joblib.hash(vars(model)) == before
