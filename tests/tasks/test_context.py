"""Folds and curves over new tasks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.tasks import ContextSplit, TaskRidge, context_curve
from tests.tasks.conftest import make


@pytest.mark.parametrize("shuffle", [True, False])
def test_folds_keep_the_context_and_test_each_other_row_once(shuffle):
    table = make(0, n_tasks=11, low=1, high=9)
    folds = ContextSplit(4, n_context=2, shuffle=shuffle, random_state=0)
    tested = np.zeros(table.n, dtype=int)
    assert folds.get_n_splits() == 4
    for train, test in folds.split(table.X, groups=table.groups):
        assert_array_equal(np.sort(np.append(train, test)), np.arange(table.n))
        tested[test] += 1
        for task in np.unique(table.groups[test]):
            assert np.sum(table.groups[train] == task) == 2
    counts = np.bincount(table.groups)
    assert_array_equal(
        np.bincount(table.groups, weights=tested), np.maximum(counts - 2, 0)
    )


def test_without_shuffle_the_first_rows_stay():
    groups = np.array([0, 1, 0, 1, 0, 1])
    for train, test in ContextSplit(2, n_context=1, shuffle=False).split(
        np.zeros(6), groups=groups
    ):
        task = groups[test[0]]
        first = np.flatnonzero(groups == task)[0]
        assert first in train
        assert test.min() > first


def test_a_seed_repeats_the_folds_and_none_draws_them():
    groups = np.repeat(np.arange(10), 5)

    def tests(seed):
        folds = ContextSplit(2, n_context=1, random_state=seed)
        return [t.tolist() for _, t in folds.split(groups, groups=groups)]

    assert tests(0) == tests(0)
    assert tests(0) != tests(1)


@pytest.mark.parametrize(
    ("params", "groups", "message"),
    [
        ({}, None, "ContextSplit needs groups="),
        (
            {"n_splits": 9},
            [0, 0, 1, 1],
            "must lie between 2 and the number of tasks, 2",
        ),
        ({"n_splits": 2, "n_context": 2}, [0, 0, 1, 1], "nothing is left to test"),
        ({"n_splits": 2, "n_context": -1}, [0, 0, 1, 1], "must not be negative"),
        ({"n_splits": 2}, [0, 0, 1], "groups has 3 labels for 4 rows"),
    ],
)
def test_bad_folds_are_refused(params, groups, message):
    with pytest.raises(ValueError, match=message):
        list(ContextSplit(**params).split(np.zeros((4, 1)), groups=groups))


def test_curve_falls_as_the_model_expects():
    table = make(1, n_tasks=80, low=12, high=16)
    curve = context_curve(
        TaskRidge(),
        table.X,
        table.y,
        table.groups,
        n_repeats=4,
        random_state=0,
        n_context=(0, 2, 4, 8, 90),
    )
    assert_array_equal(curve.n_context, [0, 2, 4, 8])  # no task has 90 rows
    error = curve.error.mean(axis=1)
    assert (np.diff(error) < 0).all()
    assert_allclose(curve.predicted.mean(axis=1), error, rtol=0.35)
    assert_allclose(curve.error[0], curve.population)
    assert np.isnan(curve.own[0]).all()
    assert (curve.own[1:3].mean(axis=1) > error[1:3]).all()


def test_curve_refuses_what_it_cannot_measure():
    table = make(2)
    with pytest.raises(ValueError, match="must hold numbers from 0 to"):
        context_curve(TaskRidge(), table.X, table.y, table.groups, n_context=(50,))
    with pytest.raises(ValueError, match="set group_feature=None"):
        context_curve(TaskRidge(group_feature=0), table.X, table.y, table.groups)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_context": 2.5}, "n_context must be a whole number, got 2.5"),
        ({"n_splits": "a"}, "n_splits must be a whole number, got 'a'"),
        ({"shuffle": "no"}, "shuffle must be True or False, got 'no'"),
    ],
)
def test_parameters_of_another_kind_are_refused(params, message):
    groups = np.repeat(np.arange(10), 5)
    with pytest.raises(TypeError, match=message):
        next(ContextSplit(**params).split(groups, groups=groups))


def test_curve_needs_whole_numbers_and_two_tasks():
    table = make(2)
    with pytest.raises(TypeError, match=r"must be a whole number, got .*1\.5"):
        context_curve(TaskRidge(), table.X, table.y, table.groups, n_context=(1.5,))
    with pytest.raises(ValueError, match="needs at least two tasks"):
        context_curve(TaskRidge(), table.X, table.y, np.zeros(table.n))


@pytest.mark.parametrize("seed", range(20))
def test_tasks_that_can_be_tested_are_dealt_to_all_folds(seed):
    groups = np.repeat(np.arange(8), [9, 2, 2, 2, 9, 2, 2, 9])
    folds = ContextSplit(3, n_context=2, random_state=seed)
    tested = [np.unique(groups[t]) for _, t in folds.split(groups, groups=groups)]
    assert_array_equal(np.sort(np.concatenate(tested)), [0, 4, 7])
