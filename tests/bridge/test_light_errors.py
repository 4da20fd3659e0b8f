"""Bad input and edge cases: messages name the parameter and the fix."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    make_entropic_ot,
)
from tests.bridge._small import make


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (np.ones(4), ValueError, "Expected 2D array, got 1D array"),
        (np.full((4, 3), np.nan), ValueError, "Input {} contains NaN"),
        (np.full((4, 3), np.inf), ValueError, "Input {} contains infinity"),
        (sparse.eye_array(4, 3), TypeError, "Sparse data was passed"),
        (np.full((4, 3), "a", dtype=object), ValueError, "could not convert string"),
    ],
)
def test_bad_rows(pair, X, error, match):
    with pytest.raises(error, match=match.format("X")):
        make().fit(X, X_target=pair.Y)
    with pytest.raises(error, match=match.format("X_target")):
        make().fit(pair.X, X_target=X)


def test_both_or_neither_kind_of_target(pair):
    with pytest.raises(ValueError, match="X_target and sample_domain were both given"):
        make().fit(pair.X, X_target=pair.Y, sample_domain=np.zeros(len(pair.X)))
    with pytest.raises(ValueError, match="target_weight goes with X_target"):
        make().fit(pair.X, target_weight=np.ones(3))


@pytest.mark.parametrize(
    ("target", "match"),
    [
        (np.ones((5, 2)), "X_target has 2 features and X has 3"),
        (np.full((5, 3), np.nan), "X_target contains NaN"),
        (np.ones((1, 3)), "a minimum of 2 is required"),
        (np.ones(3), "Expected 2D array"),
    ],
)
def test_bad_targets(pair, target, match):
    with pytest.raises(ValueError, match=match):
        make().fit(pair.X, X_target=target)


@pytest.mark.parametrize(
    ("domain", "match"),
    [
        ([0, 1], "one entry for each of the 10 rows of X, got shape"),
        ([0] * 5 + [2] * 5, r"must be 0 \(source\) or 1 \(target\)"),
        ([0] * 10, r"domain 1 \(target\)"),
        ([1] * 10, r"domain 0 \(source\)"),
        ([0] * 9 + [1], r"n_samples = 1 in domain 1 \(target\)"),
    ],
)
def test_bad_domains(pair, domain, match):
    with pytest.raises(ValueError, match=match):
        make().fit(pair.X[:10], sample_domain=domain)


@pytest.mark.parametrize("epsilon", [0, -1.0, np.nan, "small"])
def test_bad_epsilon_is_an_invalid_parameter(pair, epsilon):
    with pytest.raises(ValueError, match="'epsilon' parameter"):
        make(epsilon=epsilon).fit(pair.X)


def test_epsilon_below_resolution(pair):
    with pytest.raises(ValueError, match="use a larger epsilon, float64, or exact"):
        make(epsilon=1e-7).fit(pair.X.astype(np.float32) * 10)
    with pytest.raises(ValueError, match="use a larger epsilon"):
        make(epsilon=1e-14).fit(pair.X)


def test_more_components_than_distinct_rows(pair):
    Y = np.repeat(pair.Y[:2], 10, axis=0)
    with pytest.warns(ConvergenceWarning, match="more than the 2 distinct target rows"):
        model = make().fit(pair.X, X_target=Y)
    assert model.n_components_ == 2


def test_constant_columns_are_fine(pair):
    X, Y = pair.X.copy(), pair.Y.copy()
    X[:, 0], Y[:, 1] = 2.0, 3.0
    model = make(max_iter=300).fit(X, X_target=Y)
    assert_allclose(model.transform(X)[:, 1], 3.0, atol=1e-2)
    assert np.isfinite(model.sample(X)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reg_covar", [1e-6, 0])
@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_all_rows_equal_are_points(kind, reg_covar, dtype):
    X, Y = np.full((24, 2), 0.1, dtype), np.full((20, 2), 3.3, dtype)
    model = LightSchrodingerBridge(
        1, covariance_type=kind, reg_covar=reg_covar, random_state=0
    )
    model.fit(X, X_target=Y)
    assert model.epsilon_ == 1.0
    assert np.isfinite([model.loss_, model.ot_value_, model.kl_to_prior_]).all()
    assert_allclose(model.transform(X), Y[[0] * 24], rtol=1e-6)
    assert_allclose(model.sample(X, random_state=0), Y[[0] * 24], atol=1e-5)
    assert_allclose(model.drift(X, 0.0), Y[[0] * 24] - X, rtol=1e-5)
    for side in (X, Y):  # to or from a population
        cloud = np.random.default_rng(0).normal(size=(30, 2)).astype(dtype)
        assert np.isfinite(model.fit(side, X_target=cloud).transform(side)).all()
        moved = model.fit(cloud, X_target=side).transform(cloud)
        assert_allclose(moved, side[[0] * 30], atol=1e-3)


def test_values_whose_squares_overflow_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    for rows in (X * 1e150, X * 1e-100, (X * 1e25).astype(np.float32)):
        with pytest.raises(ValueError, match="Scale the columns first"):
            make().fit(rows)


def test_full_scales_held_by_the_floor_warn():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 8)), rng.normal(size=(24, 8))
    params = {"prior_strength": 0, "covariance_type": "full", "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="covariance_type='diag'"):
        LightSchrodingerBridge(6, **params).fit(X, X_target=Y)
    LightSchrodingerBridge(2, **params | {"prior_strength": 20}).fit(X, X_target=Y)


def test_domains_of_objects_are_named(pair):
    with pytest.raises(ValueError, match=r"sample_domain must be 0 .* got None"):
        make().fit(pair.X, sample_domain=[None] * len(pair.X))


def test_values_are_shown_as_they_were_written(pair, bridge):
    with pytest.raises(ValueError, match=r"for each row, got 'a'\.$"):
        make().fit(pair.X, sample_domain=np.repeat("a", len(pair.X)))
    with pytest.raises(ValueError, match=r"got 1\.5\.$"):
        bridge.drift(pair.X, np.float64(1.5))
    with pytest.raises(ValueError, match=r"got 0\.$"):
        bridge.sample(pair.X, np.int64(0))
    for name, value in {"epsilon": np.float64(-1.0), "n_source": np.int64(0)}.items():
        with pytest.raises(ValueError, match=rf"got {value}\.$"):
            make_entropic_ot(**{name: value})


def test_identical_and_repeated_rows_are_fine(pair):
    X = np.repeat(pair.X[:50], 4, axis=0)
    model = make(max_iter=300).fit(X, X_target=X)
    assert np.isfinite(model.transform(X)).all()


def test_bad_weights(pair):
    n = len(pair.X)
    with pytest.raises(ValueError, match="sample_weight must be non-negative"):
        make().fit(pair.X, X_target=pair.Y, sample_weight=-np.ones(n))
    with pytest.raises(ValueError, match="at least one non-zero"):
        make().fit(pair.X, X_target=pair.Y, target_weight=np.zeros(len(pair.Y)))
    with pytest.raises(ValueError, match="at least one non-zero"):
        make().fit(pair.X, sample_weight=np.zeros(n))
    match = r"target_weight must have one entry for each of the 1500 rows of X_target"
    for wrong in (np.ones(3), np.ones((len(pair.Y), 1)), 1.0):
        with pytest.raises(ValueError, match=match):
            make().fit(pair.X, X_target=pair.Y, target_weight=wrong)
    with pytest.raises(ValueError, match="target_weight contains NaN"):
        make().fit(pair.X, X_target=pair.Y, target_weight=np.full(len(pair.Y), np.nan))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda b, X: b.drift(X, 1.5), r"t must lie in \[0, 1\], got 1.5"),
        (lambda b, X: b.interpolate(X, -0.1), r"t must lie in \[0, 1\]"),
        (lambda b, X: b.log_density(X, X, 0.5, 0.5), "s must be later than t"),
        (lambda b, X: b.conditional(X, 0.5, 2), r"s must lie in \[0, 1\]"),
        (lambda b, X: b.sample_path(X, [0.5, 0.2]), "times must increase"),
        (lambda b, X: b.sample_path(X, [0, 2]), r"times in \[0, 1\]"),
        (lambda b, X: b.sample_path(X, 1), "times must be an integer of at least 2"),
        (lambda b, X: b.sample_path(X, 2.5), r"list of times in \[0, 1\], got 2.5"),
        (
            lambda b, X: b.sample_path(X, [0, np.nan]),
            r"times in \[0, 1\], got \[ 0. nan\]",
        ),
        (lambda b, X: b.drift(X, np.nan), r"t must lie in \[0, 1\], got nan"),
        (
            lambda b, X: b.interpolate(0.5, pd.DataFrame(X)),
            r"got DataFrame of shape \(4, 3\)\. Rows come first",
        ),
        (lambda b, X: b.drift(0.5, X), r"got ndarray of shape \(4, 3\)\. Rows come"),
        (lambda b, X: b.log_potential(0.5, X), r"^t must .* Rows come first"),
        (lambda b, X: b.conditional(0.5, X), "Rows come first, then times"),
        (lambda b, X: b.sample_path(5, X), r"^times must .* Rows come first"),
        (lambda b, X: b.drift(X, "late"), r"t must lie in \[0, 1\], got 'late'"),
        (lambda b, X: b.sample(X, 0), "n_samples must be an integer of at least 1"),
        (lambda b, X: b.score(X), "score needs target rows"),
        (lambda b, X: b.sample_path(X, method="magic"), "'exact' or 'euler'"),
        (lambda b, X: b.interpolate(X, 0.5, kind="mode"), "'mean' or 'sample'"),
        (lambda b, X: b.score_samples(X, 0), "t must be positive"),
        (lambda b, X: b.log_density(X, X[:2]), "X and Y are paired"),
    ],
)
def test_bad_times_and_choices(pair, bridge, call, match):
    with pytest.raises(ValueError, match=match):
        call(bridge, pair.X[:4])


def test_methods_that_need_the_source_say_so(pair):
    model = make().fit(pair.X, X_target=pair.Y)
    for name in ("inverse_transform", "score_samples"):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError, match="fit_inverse_transform=True"):
            getattr(model, name)
    with pytest.raises(NotFittedError):
        make(fit_inverse_transform=True).inverse_transform(pair.X)


def test_partial_fit_with_other_features(pair):
    model = make().partial_fit(pair.X, X_target=pair.Y)
    with pytest.raises(ValueError, match="is expecting 3 features"):
        model.partial_fit(pair.X[:, :2], X_target=pair.Y[:, :2])


def test_too_few_passes_warn(pair):
    with pytest.warns(ConvergenceWarning, match="max_iter=1 reached"):
        make(max_iter=1, n_init=1, tol=0.0).fit(pair.X, X_target=pair.Y)


def test_columns_of_very_different_scale_warn(pair):
    with pytest.warns(UserWarning, match="Scale them first"):
        LightSchrodingerBridge(1).fit(pair.X * [1, 1, 1000], X_target=pair.Y)


def test_a_missing_target_warns_where_it_is_missing(pair):
    match = "no X_target and no sample_domain: the rows are mapped to themselves"
    with pytest.warns(UserWarning, match=match) as seen:
        make().fit(pair.X)
    assert [warning.filename for warning in seen] == [__file__]
    with pytest.warns(UserWarning, match=match):
        make().partial_fit(pair.X)
    make().fit(pair.X, X_target=pair.Y)
    make().fit(pair.X, sample_domain=np.arange(len(pair.X)) % 2)


def test_a_batch_without_target_is_refused(pair):
    model = make().fit(pair.X, X_target=pair.Y)
    with pytest.raises(ValueError, match="This batch has no target rows"):
        model.partial_fit(pair.X)


def test_a_table_as_y_warns(pair):
    with pytest.warns(UserWarning, match="pass the target as X_target"):
        make().fit(pair.X, pair.X, X_target=pair.Y)


def test_early_stopping_needs_rows(pair):
    with pytest.raises(ValueError, match="leaves fewer than two of 10 rows"):
        make(early_stopping=True).fit(pair.X[:10], X_target=pair.Y)


def test_failed_fit_leaves_the_last_one(pair):
    model = make().fit(pair.X, X_target=pair.Y)
    before = clone(model), model.transform(pair.X)
    with pytest.raises(ValueError, match="X_target has 2 features"):
        model.fit(pair.X, X_target=pair.Y[:, :2])
    assert_array_equal(model.transform(pair.X), before[1])
