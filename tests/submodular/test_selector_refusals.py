"""What a selector refuses: each message, and that nothing has changed."""

import re

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from sklearn_ext.submodular import (
    CallableObjective,
    Coverage,
    FacilityLocation,
    FeatureBased,
    GraphCut,
    LogDet,
    Mixture,
    ProbabilisticCoverage,
    SaturatedCoverage,
)
from tests.submodular._problems import (
    OBJECTIVES,
    selector,
)

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
    (lambda m, X: m.update(X[:1], max_calls=True), ValueError, "positive int, got Tr"),
    (lambda m, X: m.update(X[:1], max_calls="a"), ValueError, "positive int, got 'a'"),
    (lambda m, X: m.restore(None), ValueError, "restore takes"),
    (lambda m, X: m.partial_fit(X[:1], ids=[None]), ValueError, "got None for row 0"),
    (lambda m, X: m.update((X[:1], [np.nan])), ValueError, "missing, got nan"),
    (lambda m, X: m.select(X[:3]), ValueError, "table of the last fit"),
    (lambda m, X: m.select(X), ValueError, r"loc\[selector.selected_ids_\]"),
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


BAD_PARAMETERS = [
    ({"n_select": 0}, "'n_select' parameter"),
    ({"epsilon": 0.0}, "'epsilon' parameter"),
    ({"epsilon": 1.0}, "range (0.0, 1.0)"),
    ({"algorithm": "fast"}, "'algorithm' parameter"),
    ({"solver": "sieve"}, "'solver' parameter"),
    ({"guesses": "few"}, "'guesses' parameter"),
    ({"max_guesses": 1}, "'max_guesses' parameter"),
    ({"refine": "best"}, "'refine' parameter"),
    ({"objective": "best"}, "'objective' parameter"),
    ({"objective": FacilityLocation("best")}, "'metric' parameter"),
    ({"encoder": "pca"}, "'encoder' parameter"),
    ({"initial": [99]}, "initial holds [99], which no row that fit was given has"),
    ({"initial": [3, "W-x"], "algorithm": "sieve"}, "initial holds ['W-x'], which no"),
    ({"initial": "abc"}, "'initial' parameter"),
    ({"objective": GraphCut()}, "needs a monotone objective, which GraphCut is not"),
    ({"objective": Mixture([("a", GraphCut())])}, "which Mixture is not; use algori"),
    (
        {"objective": CallableObjective(len, monotone=False), "algorithm": "sieve"},
        "algorithm='sieve' needs a monotone objective, which CallableObjective is not",
    ),
]


@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS)
def test_bad_parameters(params, message):
    X = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises((ValueError, KeyError), match=re.escape(message)):
        selector(**params).fit(X)


@pytest.mark.parametrize(
    ("X", "ids", "message"),
    [
        ([[np.nan, 1.0]], None, "contains NaN"),
        ([[np.inf, 1.0]], None, "contains infinity"),
        ([1.0, 2.0], None, "Expected 2D array, got 1D array"),
        (np.empty((0, 2)), None, "Found array with 0 sample(s)"),
        (np.empty((2, 0)), None, "Found array with 0 feature(s)"),
        ([["a", "b"]], None, "could not convert string to float"),
        ([[1.0], [2.0]], ["a", "a"], "duplicate id 'a': given twice"),
        ([[1.0], [2.0]], ["a"], "one id a row: got 1 for 2 rows"),
        (pd.DataFrame({"sku": [1.0, 2.0]}), "sku", "given by itself, ids=table['sku']"),
        ([[1.0], [2.0]], [1, np.nan], "must not be missing, got nan for row 1"),
        ([[1.0], [2.0]], ["a", pd.NA], "must not be missing, got <NA> for row 1"),
        ([[1.0], [2.0]], np.array(["2020", "NaT"], "M8[D]"), "missing, got np.dat"),
    ],
)
def test_bad_tables(X, ids, message):
    model = selector()
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, ids=ids)
    assert vars(model) == vars(selector())


OUT_OF_RANGE = [
    (FeatureBased(), -2.0, "FeatureBased needs features of at least 0, got a min"),
    (SaturatedCoverage(), -2.0, "SaturatedCoverage needs features of at least 0"),
    (ProbabilisticCoverage(), -0.5, "ProbabilisticCoverage needs probabilities of at"),
    (ProbabilisticCoverage(), 1.5, "of at most 1, got a maximum of 1.5"),
    (Coverage(), -0.5, "Coverage needs entries of at least 0"),
    (Coverage(), 1.5, "Coverage needs entries of at most 1, got a maximum of 1.5"),
    (FacilityLocation("linear"), -2.0, "FacilityLocation needs similarities of at lea"),
]


@pytest.mark.parametrize("refused", ["in fit", "later"])
@pytest.mark.parametrize(("objective", "value", "message"), OUT_OF_RANGE)
def test_rows_out_of_range_of_the_objective(objective, value, message, refused, rng):
    X = rng.uniform(0.1, 0.9, size=(9, 3))
    model = selector(2, objective=objective)
    bad = X.copy()
    bad[4, 1] = value
    if refused == "later":
        model.fit(X).partial_fit(X)
    before = joblib.hash(model)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.partial_fit(bad)
    assert joblib.hash(model) == before


@pytest.mark.parametrize(
    ("func", "message"),
    [
        (lambda rows: 1.0 + len(rows), "must be 0 for the empty set, got 1"),
        (lambda rows: len(rows) * (2.5 - len(rows)), "a row lowered its value by 0.5"),
        (lambda rows: np.inf if len(rows) else 0.0, "must be finite, got inf"),
        (lambda rows: np.nan if len(rows) else 0.0, "must be finite, got nan"),
    ],
)
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed", "greedy", "sieve"])
def test_functions_that_are_no_monotone_set_functions(func, message, algorithm, rng):
    X = rng.normal(size=(9, 2))
    with pytest.raises(ValueError, match=re.escape(message)):
        selector(3, objective=CallableObjective(func), algorithm=algorithm).fit(X)


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e20, 1e300])
@pytest.mark.parametrize("algorithm", ["leveled", "bucketed"])
@pytest.mark.parametrize("name", ["sqrt", "saturated"])
def test_the_scale_of_an_objective_changes_nothing(name, algorithm, scale, rng):
    X = rng.uniform(0.1, 1, size=(30, 3))
    answers = []
    for factor in (1.0, scale):
        model = selector(3, objective=OBJECTIVES[name], algorithm=algorithm)
        model.fit(factor * X[:20]).partial_fit(factor * X[20:]).forget([0, 1])
        answers.append((model.selected_ids_, model.objective_, model.certificate_))
    assert_array_equal(answers[1][0], answers[0][0])
    power = 0.5 if name == "sqrt" else 1.0
    assert_allclose(answers[1][1], answers[0][1] * scale**power, rtol=1e-9)
    assert answers[1][2] > 1 / 2.1


def test_scales_at_which_nothing_can_be_computed(rng):
    X = rng.uniform(0.1, 1, size=(30, 3))
    for objective in (FacilityLocation(), FacilityLocation("linear"), LogDet()):
        with pytest.raises(ValueError, match="scale the rows"):
            selector(3, objective=objective).fit(1e200 * X)


def test_what_an_emptied_selector_cannot_say(rng):
    X = rng.normal(size=(9, 2))
    model = selector(3).fit(X).forget(range(9))
    for method in (model.predict, model.transform, model.score):
        with pytest.raises(ValueError, match="no active rows to compare with"):
            method(X)
    assert model.exemplars_.shape == (0, 2)
    assert model.get_feature_names_out().shape == (0,)
    assert model.upper_bound_ == 0


def test_unfitted_selectors_say_so(rng):
    X, model = rng.normal(size=(9, 2)), selector()
    calls = [model.forget, model.update, model.predict, model.transform, model.score]
    for call in [*calls, model.select, model.refresh_reference]:
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(X)
    for call in (model.snapshot, model.reoptimize):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call()
