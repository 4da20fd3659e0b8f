"""fit_blocks: any engine, same numbers, nothing lost on failure."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._core._blocks import check_mergeable, fit_blocks


class ColumnMeans(ExtEstimator):
    _parameter_constraints: dict = {}

    def _summarize(self, X, y, sample_weight=None, *, reset=True):
        X = validate_data(self, X, reset=reset)
        w = np.ones(len(X)) if sample_weight is None else sample_weight
        return np.append(w @ X, w.sum())

    def _solve(self, summary):
        self.mean_ = summary[:-1] / summary[-1]
        return self


def blocks_of(X, w, size):
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        yield X[rows], None, w[rows]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_blocks_equal_one_table(rng, n_jobs, size):
    X, w = rng.normal(size=(50, 3)), rng.uniform(size=50)
    whole = fit_blocks(ColumnMeans(), [(X, None, w)])
    parts = fit_blocks(ColumnMeans(), blocks_of(X, w, size), n_jobs=n_jobs)
    assert_allclose(parts.mean_, whole.mean_, rtol=1e-12)
    assert_allclose(parts.mean_, np.average(X, axis=0, weights=w), rtol=1e-12)


def test_loaders_are_called_in_the_workers(rng):
    X = rng.normal(size=(20, 2))
    loaders = [lambda part=part: (part, None) for part in np.split(X, 4)]
    assert_allclose(fit_blocks(ColumnMeans(), loaders).mean_, X.mean(axis=0))


def test_no_block_is_an_error():
    with pytest.raises(ValueError, match="at least one block, got none"):
        fit_blocks(ColumnMeans(), [])


def test_a_table_in_place_of_blocks_is_an_error(rng):
    with pytest.raises(ValueError, match=r"must yield tuples \(X, y\).*got ndarray"):
        fit_blocks(ColumnMeans(), [rng.normal(size=(20, 2)), np.ones(20)])


def test_a_bad_block_leaves_the_estimator_as_it_was(rng):
    X = rng.normal(size=(20, 2))
    model = fit_blocks(ColumnMeans(), [(X, None)])
    before = model.mean_.copy()
    with pytest.raises(ValueError, match="3 features, but ColumnMeans is expecting 4"):
        fit_blocks(model, [(np.ones((5, 4)), None), (np.ones((5, 3)), None)])
    assert model.n_features_in_ == 2
    assert_allclose(model.mean_, before)


class Means(ColumnMeans):
    def fit(self, X, y=None):
        return fit_blocks(self, [(X, y)])


class OtherMeans(Means):
    """Of the same base, but another class."""


def test_only_models_of_the_same_table_can_be_merged(rng):
    X = rng.normal(size=(6, 2))
    model = Means().fit(X)
    check_mergeable(model, Means().fit(-X))
    with pytest.raises(TypeError, match="takes a OtherMeans, got Means"):
        check_mergeable(OtherMeans().fit(X), model)
    with pytest.raises(NotFittedError):
        check_mergeable(model, Means())
    with pytest.raises(ValueError, match="number of features, 2, got 1"):
        check_mergeable(model, Means().fit(X[:, :1]))
    named = [
        Means().fit(pd.DataFrame(X, columns=list(names))) for names in ("ab", "ba")
    ]
    with pytest.raises(ValueError, match=r"\['a', 'b'\], got \['b', 'a'\]"):
        check_mergeable(*named)
    check_mergeable(model, named[0])  # one of them has no names
