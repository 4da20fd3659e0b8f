"""What NaiveBayesProbe refuses, with what words, and that nothing changes then."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB

from sklearn_ext.probes import NaiveBayesProbe


def table(rng, n=90, d=6, k=3):
    y = np.r_[np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)]
    return rng.normal(size=(n, d)) + rng.normal(size=(k, d))[y], y


BAD_FIT = [
    ({"priors": [0.5, 0.5]}, {}, "one number for each of the 3 classes"),
    ({"priors": [1.5, -0.5, 0]}, {}, "non-negative, got"),
    ({"priors": [0.5, 0.5, 0.5]}, {}, "sum to one, got a sum of 1.5"),
    ({}, {"sample_weight": -np.ones(90)}, "must be non-negative"),
    ({}, {"sample_weight": np.zeros(90)}, "at least one non-zero"),
    ({}, {"X": np.full((90, 6), np.nan)}, "contains NaN"),
    ({}, {"X": np.full((90, 6), np.inf)}, "contains infinity"),
    ({}, {"X": np.r_[[[1e200] * 6], np.zeros((89, 6))]}, "so large that their squares"),
    ({}, {"X": np.ones((90, 6)) * 1j}, "Complex data not supported"),
    ({}, {"X": np.ones(90)}, "Expected 2D array, got 1D"),
    ({}, {"X": np.ones((0, 6)), "y": []}, "0 sample"),
    ({}, {"X": np.ones((90, 0))}, "0 feature"),
    ({}, {"X": np.ones((80, 6))}, "inconsistent numbers of samples"),
    ({}, {"y": np.linspace(0, 1, 90)}, "Unknown label type: continuous"),
    ({"temperature": 0.0}, {}, "'temperature' parameter"),
    ({"var_shrinkage": 1.5}, {}, "'var_shrinkage' parameter"),
    ({"covariance": "full"}, {}, "'covariance' parameter"),
    ({"batch_size": 0}, {}, "'batch_size' parameter"),
]


def state(probe):
    return {name: id(value) for name, value in vars(probe).items()}


@pytest.mark.parametrize(("params", "given", "message"), BAD_FIT)
def test_bad_input_to_fit(params, given, message):
    X, y = table(np.random.default_rng(0))
    probe = NaiveBayesProbe().fit(X, y).set_params(**params)
    before = state(probe)
    with pytest.raises(ValueError, match=message):
        probe.fit(**{"X": X, "y": y} | given)
    assert state(probe) == before


BAD_UPDATE = [
    ({}, {"y": np.full(90, 7)}, r"labels \[7\] that are not among the classes"),
    ({}, {"y": np.full(90, "a")}, r"labels \['a'\] that are not among the classes"),
    ({}, {"classes": [0, 1]}, "classes must stay as at the first call"),
    ({}, {"X": np.ones((90, 5))}, "5 features, but NaiveBayesProbe is expecting 6"),
    ({}, {"X": np.full((90, 6), np.nan)}, "contains NaN"),
    ({}, {"X": np.full((90, 6), np.inf)}, "contains infinity"),
    ({}, {"sample_weight": np.zeros(90)}, "at least one non-zero"),
    ({}, {"sample_weight": -np.ones(90)}, "must be non-negative"),
    ({}, {"sample_weight": np.ones(89)}, "sample_weight"),
    ({}, {"y": np.zeros(89)}, "inconsistent numbers of samples"),
    ({"covariance": "class"}, {}, "covariance cannot change"),
    ({"priors": [0.5, 0.5]}, {}, "one number for each of the 3 classes"),
    ({"temperature": "loo"}, {}, "partial_fit does not have.*CalibratedClassifierCV"),
]


@pytest.mark.parametrize(("params", "given", "message"), BAD_UPDATE)
def test_bad_input_to_partial_fit(params, given, message):
    X, y = table(np.random.default_rng(0))
    probe = NaiveBayesProbe().partial_fit(X, y, classes=[0, 1, 2]).set_params(**params)
    before = state(probe)
    with pytest.raises(ValueError, match=message):
        probe.partial_fit(**{"X": X, "y": y} | given)
    assert state(probe) == before


def test_the_first_partial_fit_needs_classes(rng):
    X, y = table(rng)
    with pytest.raises(ValueError, match="partial_fit needs classes"):
        NaiveBayesProbe().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"labels \[2\] that are not among"):
        NaiveBayesProbe().partial_fit(X, y, classes=[0, 1])


def test_what_does_not_merge(rng):
    import pandas as pd

    X, y = table(rng)
    probe = NaiveBayesProbe().fit(X, y)
    before = state(probe)
    with pytest.raises(ValueError, match="got auto and class"):
        probe.merge(NaiveBayesProbe(covariance="class").fit(X, y))
    with pytest.raises(ValueError, match="number of features, 6, got 5"):
        probe.merge(NaiveBayesProbe().fit(X[:, :5], y))
    with pytest.raises(TypeError, match="takes a NaiveBayesProbe, got GaussianNB"):
        probe.merge(GaussianNB().fit(X, y))
    with pytest.raises(NotFittedError):
        probe.merge(NaiveBayesProbe())
    with pytest.raises(ValueError, match="temperature='loo' needs all rows"):
        NaiveBayesProbe(temperature="loo").fit(X, y).merge(probe)
    assert state(probe) == before
    one, other = (
        NaiveBayesProbe().fit(pd.DataFrame(X, columns=list(names)), y)
        for names in ("abcdef", "abcdeg")
    )
    with pytest.raises(ValueError, match="same feature names in the same order"):
        one.merge(other)
    assert list(one.merge(one).feature_names_in_) == list("abcdef")


def test_bad_blocks_leave_the_state(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe().fit(X, y)
    before = state(probe)
    with pytest.raises(ValueError, match="contains NaN"):
        probe.fit_blocks([(X, y), (X * np.nan, y)])
    with pytest.raises(ValueError, match="at least one block"):
        probe.fit_blocks([])
    with pytest.raises(ValueError, match="which fit_blocks does not have"):
        NaiveBayesProbe(temperature="loo").fit_blocks([(X, y)])
    assert state(probe) == before


def test_class_variances_have_no_coefficients(rng):
    probe = NaiveBayesProbe(covariance="class").fit(*table(rng))
    assert not hasattr(probe, "coef_")
    with pytest.raises(AttributeError, match="quadratic decision function"):
        probe.intercept_  # noqa: B018


def test_priors_that_leave_no_class(rng):
    X, y = table(rng)
    with pytest.raises(ValueError, match="probability zero to every class"):
        NaiveBayesProbe(priors=[0, 0, 0, 1.0]).partial_fit(X, y, range(4)).predict(X)


def test_text_and_number_labels_do_not_join(rng):
    X, y = table(rng)
    text = np.array(["a", "b", "c"])[y]
    numbers = NaiveBayesProbe().fit(X, y)
    with pytest.raises(ValueError, match=r"all text or all numbers.*\[0 1 2\]"):
        numbers.merge(NaiveBayesProbe().fit(X, text))
    with pytest.raises(ValueError, match="all text or all numbers"):
        NaiveBayesProbe().fit_blocks([(X, y), (X, text)])
