"""The sampler."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_ext.submodular import FacilityLocation, SubmodularSampler, maximize


def test_sampler_returns_rows_in_their_container(rng):
    X = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
    y = pd.Series(np.repeat(["x", "y"], [30, 10]))
    sampler = SubmodularSampler(8, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    expected = maximize(FacilityLocation(), X.to_numpy(), 8).indices
    assert_array_equal(sampler.sample_indices_, expected)
    assert_array_equal(X_new, X.iloc[expected])
    assert y_new.tolist() == y.iloc[expected].tolist()
    thin, nothing = sampler.fit_resample(sparse.csr_array(X.to_numpy()))
    assert sparse.issparse(thin)
    assert nothing is None


@pytest.mark.parametrize(
    ("strategy", "counts"),
    [
        ("per_class", [6, 2]),
        ("equal", [4, 4]),
        ({"x": 3}, [3, 0]),
    ],
)
def test_shares_of_the_classes(strategy, counts, rng):
    X, y = rng.normal(size=(40, 2)), np.repeat(["x", "y"], [30, 10])
    sampler = SubmodularSampler(8, sampling_strategy=strategy)
    _, kept = sampler.fit_resample(X, y)
    assert [(kept == c).sum() for c in "xy"] == counts


def test_more_rows_than_there_are_raise_a_warning(rng):
    X, y = rng.normal(size=(40, 2)), np.repeat(["x", "y"], [30, 10])
    with pytest.warns(UserWarning, match="99 rows .* out of 10 of class y"):
        _, kept = SubmodularSampler(sampling_strategy={"y": 99}).fit_resample(X, y)
    assert kept.tolist() == ["y"] * 10
    with pytest.warns(UserWarning, match="41 rows .* out of 40; all"):
        SubmodularSampler(41).fit(X)
    assert len(SubmodularSampler(40).fit(X).sample_indices_) == 40  # without one


def test_share_of_rows_and_errors(rng):
    X = rng.normal(size=(40, 2))
    assert len(SubmodularSampler(0.25).fit(X).sample_indices_) == 10
    with pytest.raises(ValueError, match="sampling_strategy='equal' needs y"):
        SubmodularSampler(sampling_strategy="equal").fit(X)
    with pytest.raises(ValueError, match=r"names \['z'\], which are no classes"):
        SubmodularSampler(sampling_strategy={"z": 1}).fit(X, ["a"] * 40)
    with pytest.raises(ValueError, match="0 or more, for each class, got -1"):
        SubmodularSampler(sampling_strategy={"a": -1}).fit(X, ["a"] * 40)
    with pytest.raises(ValueError, match="inconsistent"):
        SubmodularSampler().fit(X, [1, 2])


def test_representative_rows_teach_more_than_random_ones():
    X, y = load_digits(return_X_y=True)
    train, test = slice(0, 1200), slice(1200, None)
    model = LogisticRegression(max_iter=1000)
    sampler = SubmodularSampler(40, random_state=0)
    ours = model.fit(*sampler.fit_resample(X[train], y[train])).score(X[test], y[test])
    scores = []
    for seed in range(5):
        rows = np.random.default_rng(seed).choice(1200, 40, replace=False)
        scores.append(model.fit(X[rows], y[rows]).score(X[test], y[test]))
    assert ours > np.mean(scores)


def test_pipelines_of_scikit_learn_do_not_take_the_sampler():
    X, y = load_digits(return_X_y=True)
    model = make_pipeline(SubmodularSampler(60), LogisticRegression())
    with pytest.raises(TypeError, match="intermediate steps should be transformers"):
        model.fit(X, y)


def test_imbalanced_learn_takes_the_sampler():
    pipeline = pytest.importorskip("imblearn.pipeline")
    X, y = load_digits(return_X_y=True)
    model = pipeline.make_pipeline(SubmodularSampler(60), LogisticRegression())
    assert model.fit(X, y).predict(X).shape == y.shape
