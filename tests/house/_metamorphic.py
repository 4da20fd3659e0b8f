"""Changes of the data that must not change the answer, for any estimator.

A relation takes an unfitted estimator and a table, fits it on both sides of a change
and compares what the two models say. The tables below hold what is true of single
estimators: each of their lines is a statement that the documentation makes, too.
"""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from tests._instances import fitted, outputs

# all weights times c is the penalty times c**power; nothing else may feel the scale
PENALTY = {
    "BagRegressor": ("alpha", 1),
    "CompSumClassifier": ("C", -1),
    "InstanceRegressor": ("alpha", 1),
    "InterpolatingAggregateRegressor": ("alpha", 1),
    "LabelProportionClassifier": ("alpha", 1),
    "LogisticProbe": ("C", -1),
    "RandomFeatureRidge": ("alpha", 1),
    "RandomFeatureRidgeClassifier": ("alpha", 1),
    "RashomonLogisticRegression": ("C", -1),
    "RashomonRidge": ("alpha", 1),
    "WorstGroupClassifier": ("C", -1),
}
# weights are counts of evidence here: their docstrings say that their scale matters
COUNTS = {
    "AdversarialLinearBandit",
    "AggregateBoostingRegressor",
    "AggregateMetaRegressor",  # if the estimator that it fits takes them so
    "CorrectnessCalibratedClassifier",  # if the estimator that it fits takes them so
    "LogLossMixtureClassifier",  # likewise
    "NaiveBayesProbe",
    "NeuralBandit",  # in gamma
    "ProbeSearchCV",  # its heads
    "RegressorBandit",
    "RidgeBandit",
    "ShrinkageDiscriminantProbe",
}
# the answer may move with the units of the columns: these penalise coefficients,
# measure distances, or draw features of fixed width; their docstrings say "scale"
FEELS_UNITS = {
    "AggregateMetaRegressor",  # of what it fits
    "AggregateNetClassifier",  # batches are drawn by the rows' values
    "AggregateNetRegressor",
    "BagRegressor",
    "CompSumClassifier",
    "CompSumClassifierCV",
    "ConcatenatedRepresentations",
    "ContrastiveEncoder",  # batches are drawn by the rows' values
    "CorrectnessCalibratedClassifier",  # folds are dealt by the rows' values
    "DynamicSubmodularSelector",
    "FrozenFeatures",
    "HiddenLayer",  # batches are drawn by the rows' values
    "InstanceRegressor",
    "InterpolatingAggregateRegressor",
    "InterpolatingAggregateRegressorCV",
    "LabelProportionClassifier",
    "LightSchrodingerBridge",
    "LightSchrodingerBridgeCV",
    "LogLossMixtureClassifier",  # folds are dealt by the rows' values
    "LogisticProbe",
    "LogisticProbeCV",
    "NaiveBayesProbe",  # shrinks variances together where their units compare
    "ProbeSearchCV",  # the heads that it compares do
    "ProxySearchCV",  # of what it searches
    "RandomFeatureRidge",
    "RandomFeatureRidgeCV",
    "RandomFeatureRidgeClassifier",
    "RandomFeatureRidgeClassifierCV",
    "RandomFeatures",
    "RashomonLogisticRegression",
    "RashomonRidge",
    "RashomonSearchCV",  # of what it searches
    "RegressorBandit",  # of its estimator
    "SchrodingerBridgeTrajectory",
    "SelectiveClassifierCV",  # folds are dealt by the rows' values
    "SparseAutoencoder",
    "ShrinkageDiscriminantProbe",  # as NaiveBayesProbe
    "SphericalClassifier",
    "SubmodularFeatureSelector",
    "SubmodularSampler",
    "TwoRegimes",
    "WorstGroupClassifier",
}
# neurons far from zero are all on or all off: their docstrings say "far from zero"
FEELS_OFFSETS = {
    "RandomFeatureRidge",
    "RandomFeatureRidgeClassifier",
}
# the order of rows is part of the question (a stream), or seeds are spent row by row
FEELS_ORDER = {
    "ProxySearchCV",  # its splitter sees rows as they are
    "RashomonSearchCV",  # splitters that the user may pass see rows as they are
    "TwoRegimes",  # likewise
}
# draws at random by design, so that two fits without a seed differ
DRAWS = {
    "AggregateNetClassifier",
    "AggregateNetRegressor",
    "ConcatenatedRepresentations",
    "ContrastiveEncoder",
    "HiddenLayer",
    "LightSchrodingerBridge",
    "LightSchrodingerBridgeCV",
    "MuMLPClassifier",
    "MuMLPRegressor",
    "NeuralBandit",
    "NoPropRegressor",
    "PretrainedClassifier",
    "PretrainedRegressor",
    "RandomFeatureRidge",
    "RandomFeatureRidgeCV",
    "RandomFeatureRidgeClassifier",
    "RandomFeatureRidgeClassifierCV",
    "RandomFeatures",
    "RashomonLinearClassifier",
    "RashomonTreeClassifier",
    "RegressorBandit",
    "RidgeBandit",
    "SchrodingerBridgeTrajectory",
    "SparseAutoencoder",
    "TwoRegimes",
}
# walks from draw to draw, so that rounding leads elsewhere in the same distribution
WALKS = {"RashomonLinearClassifier"}


def _weights(n, seed=0):
    return np.random.default_rng(seed).integers(1, 4, n).astype(float)


def _says_the_same(one, other, X, *, rtol, X_other=None):
    """Compare predictions, and every fitted number such as a chosen ridge."""
    said, also = outputs(one, X), outputs(other, X if X_other is None else X_other)
    assert said.keys() == also.keys()
    for method, expected in said.items():
        if expected.dtype.kind == "f":
            atol = rtol * max(abs(expected).max(initial=0), 1e-300)
            assert_allclose(also[method], expected, rtol=rtol, atol=atol)
        elif method == "predict":
            clear = _clear(outputs(one, X))
            assert (also[method] == expected)[clear].all(), method
        else:
            np.testing.assert_array_equal(also[method], expected)


def _clear(said):
    """Rows whose best class is not decided by the last bits."""
    chances = said.get("predict_proba")
    if chances is None:
        return slice(None)
    ordered = np.sort(chances, axis=1)
    return ordered[:, -1] - ordered[:, -2] > 1e-4


def _takes_weights(estimator):
    return has_fit_parameter(estimator, "sample_weight")


def weights_times_a_constant(estimator, X, y):
    """Survey weights, exposures and inverse variances come on any scale."""
    if not _takes_weights(estimator):
        return
    if type(estimator).__name__ in COUNTS:
        assert "weight" in inspect.getdoc(type(estimator)).lower()
        return
    w = _weights(len(X)) / 2
    name, power = PENALTY.get(type(estimator).__name__, (None, 0))
    one = fitted(estimator, X, y, sample_weight=w)
    for factor in (2.0, 1e4, 1e-4):
        other = clone(estimator)
        if name is not None:
            value = getattr(other, name) * factor**power
            other.set_params(**{name: value})
        other = fitted(other, X, y, sample_weight=factor * w)
        _says_the_same(one, other, X, rtol=1e-4)


def twos_for_everybody(estimator, X, y):
    """Equal weights are no weights, whatever they are."""
    if not _takes_weights(estimator) or type(estimator).__name__ in {*PENALTY, *COUNTS}:
        return
    one = fitted(estimator, X, y)
    other = fitted(estimator, X, y, sample_weight=np.full(len(X), 2.0))
    _says_the_same(one, other, X, rtol=1e-4)


def weights_repeat_rows(estimator, X, y):
    """A row of weight three is three rows: in the fit, and in whatever it chooses."""
    if not _takes_weights(estimator):
        return
    w = _weights(len(X))
    times = w.astype(int)
    one = fitted(estimator, X, y, sample_weight=w)
    other = fitted(estimator, np.repeat(X, times, axis=0), np.repeat(y, times))
    _says_the_same(one, other, X, rtol=1e-4)


def halves_of_copies_are_wholes(estimator, X, y):
    """Two copies of half the weight are one row; fractions are no other case."""
    if not _takes_weights(estimator):
        return
    w = _weights(len(X)) / 4
    one = fitted(estimator, X, y, sample_weight=w)
    twice = np.tile(np.arange(len(X)), 2)
    other = fitted(estimator, X[twice], y[twice], sample_weight=w[twice] / 2)
    _says_the_same(one, other, X, rtol=1e-4)


def integer_weights_are_numbers(estimator, X, y):
    """The dtype of weights says nothing."""
    if not _takes_weights(estimator):
        return
    w = _weights(len(X))
    one = fitted(estimator, X, y, sample_weight=w)
    other = fitted(estimator, X, y, sample_weight=w.astype(int))
    _says_the_same(one, other, X, rtol=1e-12)


def weight_zero_is_absence(estimator, X, y):
    """A row of weight zero is not there, not even in a fold."""
    if not _takes_weights(estimator):
        return
    w = _weights(len(X)) - 1.0
    one = fitted(estimator, X, y, sample_weight=w)
    other = fitted(estimator, X[w > 0], y[w > 0], sample_weight=w[w > 0])
    _says_the_same(one, other, X, rtol=1e-4)


def rows_in_another_order(estimator, X, y):
    """A table is a set of rows."""
    if type(estimator).__name__ in FEELS_ORDER:
        return
    order = np.random.default_rng(1).permutation(len(X))
    one, other = fitted(estimator, X, y), fitted(estimator, X[order], y[order])
    _says_the_same(one, other, X, rtol=1e-4)


def columns_in_other_units(estimator, X, y):
    """Metres or millimetres, Celsius or kelvin: only some may feel it, and say so."""
    if type(estimator).__name__ in FEELS_UNITS:
        assert "scale" in inspect.getdoc(type(estimator)).lower()
        return
    rng = np.random.default_rng(2)
    units = 2.0 ** rng.integers(-10, 11, X.shape[1])
    other_X = X * units
    one, other = fitted(estimator, X, y), fitted(estimator, other_X, y)
    _says_the_same(one, other, X, rtol=1e-3, X_other=other_X)


def float32_far_from_zero(estimator, X, y):
    """Years, kelvin and pascals in float32: as good as the same numbers in float64."""
    for offset in (2e3, 1e5):
        single = (X + offset).astype(np.float32)
        one = fitted(estimator, single.astype(np.float64), y)
        other = fitted(estimator, single, y)
        said, also = outputs(one, single.astype(np.float64)), outputs(other, single)
        for method, expected in said.items():
            if expected.dtype.kind == "f":
                atol = 2e-2 * np.ptp(expected)
                assert_allclose(also[method], expected, rtol=2e-2, atol=atol)
            elif method == "predict":
                assert np.mean(also[method] == expected) > 0.95


def sparse_rows_far_from_zero(estimator, X, y):
    """A full column of kelvin or years in a sparse table: as good as in a dense one."""
    name = type(estimator).__name__
    if not get_tags(estimator).input_tags.sparse or name in WALKS:
        return
    far = X + 1e6
    one, other = fitted(estimator, far, y), fitted(estimator, sparse.csr_array(far), y)
    said, also = outputs(one, far), outputs(other, sparse.csr_array(far))
    for method, expected in said.items():
        found = also[method]
        if expected.dtype.kind == "f":
            atol = 1e-3 * max(np.ptp(expected), 1e-9)
            assert_allclose(found, expected, rtol=1e-3, atol=atol, err_msg=method)
        elif method == "predict":
            assert np.mean(found == expected) > 0.95


def far_from_zero_is_as_good(estimator, X, y):
    """An offset of the columns must not cost what the estimator learnt."""
    if not hasattr(estimator, "score"):
        return
    if type(estimator).__name__ in ("AggregateNetClassifier", "AggregateNetRegressor"):
        return  # nets want standardised columns, and say so
    if type(estimator).__name__ in FEELS_OFFSETS:
        assert "far from zero" in inspect.getdoc(type(estimator))
        estimator = clone(estimator).set_params(standardize=True)
    here = fitted(estimator, X, y).score(X, y)
    for offset in (2e3, 1e5):
        there = fitted(estimator, X + offset, y).score(X + offset, y)
        assert there > here - 0.02 * max(1.0, abs(here)), offset


def two_fits_without_a_seed(estimator, X, y):
    """What is deterministic in scikit-learn is so here."""
    if type(estimator).__name__ in DRAWS:
        assert "random_state" in estimator.get_params()
        return
    one, other = clone(estimator).fit(X, y), clone(estimator).fit(X, y)
    _says_the_same(one, other, X, rtol=1e-12)


def metadata_is_not_forgotten(estimator, X, y):
    """What `fit` was told, other methods must not guess in silence."""
    takes = inspect.signature(estimator.fit).parameters
    values = {"bags": np.arange(len(X)) // 2, "sample_domain": np.arange(len(X)) % 2}
    if "bags" in takes:
        estimator, y = _published(estimator, y, values["bags"])
    for name in values.keys() & takes.keys():
        model = fitted(estimator, X, y, **{name: values[name]})
        for method in ("transform", "predict", "score", "partial_fit"):
            call = getattr(model, method, None)
            if call is None or name not in inspect.signature(call).parameters:
                continue
            rows = (X,) if method in ("transform", "predict") else (X, y)
            with pytest.raises((ValueError, UserWarning), match=name):
                call(*rows)


def _published(estimator, y, bags):
    """What bags publish, on each of their rows: without bags it is no response."""
    responses = (y == y[0]) if is_classifier(estimator) else y
    means = (np.bincount(bags, responses) / np.bincount(bags))[bags]
    if not is_classifier(estimator):
        return estimator, means
    named = clone(estimator).set_params(classes=[False, True])
    return named, np.column_stack([1 - means, means])


def a_target_without_signal(estimator, X, y):
    """On noise a model may be poor, never wild."""
    if not hasattr(estimator, "predict"):
        return
    noise = np.random.default_rng(3).permutation(y)
    said = fitted(estimator, X, noise).predict(X)
    if is_classifier(estimator):
        assert set(np.unique(said)) <= set(np.unique(y))
    elif said.dtype.kind == "f" and said.ndim == 1:
        middle, spread = np.mean(noise), np.ptp(noise)
        assert abs(said - middle).max() < 3 * spread


RELATIONS = {
    name: thing
    for name, thing in list(globals().items())
    if inspect.isfunction(thing)
    and thing.__module__ == __name__
    and not name.startswith("_")
}
