"""NaiveBayesProbe against densities, GaussianNB, LDA and brute force."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._numerics._held_out import best_temperature
from sklearn_ext.probes import NaiveBayesProbe, ShrinkageDiscriminantProbe
from sklearn_ext.probes._gaussian._temperature import distinct_rows, leave_one_out

PLAIN = {"covariance": "shared", "var_smoothing": 0.0, "var_shrinkage": 0.0}
SHARED = NaiveBayesProbe(covariance="shared")
MODES = pytest.mark.parametrize("covariance", ["auto", "shared", "class"])


def table(rng, n=90, d=6, k=3, offset=0.0):
    y = np.r_[np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)]
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d) + rng.normal(size=(k, d))[y]
    return X + offset, y


def same(one, other, X, rtol=1e-9):
    assert_array_equal(one.classes_, other.classes_)
    for name in ("class_count_", "theta_", "var_", "class_prior_", "epsilon_"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol, 1e-10)
    assert_allclose(one.predict_proba(X), other.predict_proba(X), 1e-7, 1e-9)


# what it computes


def test_scores_are_sums_of_normal_log_densities(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance="shared", priors=[0.5, 0.3, 0.2]).fit(X, y)
    scale = np.sqrt(probe.var_)
    joint = np.stack(
        [
            np.log(prior) + stats.norm.logpdf(X, mean, scale).sum(axis=1)
            for prior, mean in zip(probe.class_prior_, probe.theta_, strict=True)
        ],
        axis=1,
    )
    assert_allclose(probe.predict_joint_log_proba(X), joint, rtol=1e-10)
    linear = X @ probe.coef_.T + probe.intercept_
    assert_allclose(probe.decision_function(X), linear, rtol=1e-9, atol=1e-9)
    gaps = np.diff(linear, axis=1)
    assert_allclose(gaps, np.diff(joint, axis=1), rtol=1e-9, atol=1e-9)


def test_variances_are_pooled_maximum_likelihood(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe(**PLAIN).fit(X, y)
    means = np.stack([X[y == k].mean(axis=0) for k in range(3)])
    assert_allclose(probe.theta_, means)
    assert_allclose(probe.var_, ((X - means[y]) ** 2).mean(axis=0))
    assert_allclose(probe.class_prior_, np.bincount(y) / len(y))


class DiagonalCovariance(BaseEstimator):
    def fit(self, X, y=None):
        self.covariance_ = np.diag(X.var(axis=0))
        return self


def test_shared_equals_lda_with_a_diagonal_covariance(rng):
    X, y = table(rng)
    lda = LinearDiscriminantAnalysis("lsqr", covariance_estimator=DiagonalCovariance())
    probe = NaiveBayesProbe(**PLAIN).fit(X, y)
    assert_allclose(probe.predict_proba(X), lda.fit(X, y).predict_proba(X), 1e-8)


def test_class_variances_equal_gaussian_nb(rng):
    X, y = table(rng, offset=10)
    probe = NaiveBayesProbe(**PLAIN | {"covariance": "class"}).fit(X, y)
    peer = GaussianNB(var_smoothing=0).fit(X, y)
    assert_allclose(probe.theta_, peer.theta_, rtol=1e-10)
    assert_allclose(probe.var_, peer.var_, rtol=1e-10)
    joint = peer.predict_joint_log_proba(X)
    assert_allclose(probe.predict_joint_log_proba(X), joint, rtol=1e-10)


def test_smoothing_adds_to_the_variances(rng):
    X, y = table(rng)
    plain = NaiveBayesProbe(**PLAIN).fit(X, y)
    share = NaiveBayesProbe(**PLAIN | {"var_smoothing": 0.1}).fit(X, y)
    assert_allclose(share.epsilon_, 0.1 * X.var(axis=0))  # each feature its own
    assert_allclose(share.var_, plain.var_ + share.epsilon_)
    fixed = NaiveBayesProbe(**PLAIN | {"var_smoothing": 0.1, "smoothing": "absolute"})
    assert_allclose(fixed.fit(X, y).var_, plain.var_ + 0.1)


def test_full_shrinkage_is_the_nearest_mean(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe(
        covariance="shared", var_shrinkage=1.0, priors="uniform"
    ).fit(X, y)
    distances = ((X[:, None] - probe.theta_) ** 2).sum(axis=2)
    assert_array_equal(probe.predict(X), distances.argmin(axis=1))


def test_predictions_do_not_depend_on_units(rng):
    X, y = table(rng)
    scale, shift = np.array([2.0, -3.0, 0.1, 10.0, -1.0, 5.0]), rng.normal(size=6)
    one = NaiveBayesProbe(**PLAIN).fit(X, y)
    other = NaiveBayesProbe(**PLAIN).fit(X * scale + shift, y)
    assert_allclose(other.predict_proba(X * scale + shift), one.predict_proba(X), 1e-8)


@MODES
def test_order_of_classes_and_features_is_immaterial(rng, covariance):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance=covariance).fit(X, y)
    order = rng.permutation(6)
    moved = NaiveBayesProbe(covariance=covariance).fit(X[:, order], 2 - y)
    expected = probe.predict_proba(X)[:, ::-1]
    assert_allclose(moved.predict_proba(X[:, order]), expected, rtol=1e-8, atol=1e-12)


# adding up


@MODES
@pytest.mark.parametrize("shrinkage", ["auto", 0.3])
def test_any_split_into_batches_equals_one_fit(rng, covariance, shrinkage):
    X, y = table(rng, offset=50)
    probe = NaiveBayesProbe(covariance=covariance, var_shrinkage=shrinkage)
    whole = clone(probe).fit(X, y)
    order = rng.permutation(len(X))
    cuts = [0, *np.sort(rng.choice(np.arange(1, 90), 6, replace=False)), 90]
    stream = clone(probe)
    for start, stop in pairwise(cuts):
        rows = order[start:stop]
        stream.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    same(stream, whole, X)


@pytest.mark.parametrize("size", [1, 3, 64])
def test_batches_smaller_than_the_number_of_classes(rng, size):
    X, y = table(rng, n=400, k=120)
    whole = NaiveBayesProbe().fit(X, y)
    stream = NaiveBayesProbe()
    for start in range(0, 400, size):
        part = slice(start, start + size)
        stream.partial_fit(X[part], y[part], classes=np.arange(120))
        held = sum(len(p.classes) for p in stream._model.parts)
        assert held <= 2 * 120  # what waits stays small
    same(stream, whole, X)


@MODES
def test_partial_fit_goes_on_after_fit(rng, covariance):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance=covariance).fit(X[:50], y[:50])
    probe.partial_fit(X[50:], y[50:])
    same(probe, NaiveBayesProbe(covariance=covariance).fit(X, y), X)


@MODES
def test_merging_in_any_tree_equals_one_fit(rng, covariance):
    X, y = table(rng)
    whole = NaiveBayesProbe(covariance=covariance).fit(X, y)
    a, b, c = (
        NaiveBayesProbe(covariance=covariance).fit(X[part], y[part])
        for part in (slice(0, 20), slice(20, 60), slice(60, None))
    )
    before = pickle.dumps(a)
    for merged in (a.merge(b, c), a.merge(b).merge(c), c.merge(b.merge(a))):
        same(merged, whole, X)
        assert merged.n_features_in_ == 6
    assert pickle.dumps(a) == before


def test_merging_takes_the_union_of_labels(rng):
    X, y = table(rng)
    names = np.array(["ant", "bee", "cow"])[y]
    low = y < 2
    a, b = (NaiveBayesProbe().fit(X[rows], names[rows]) for rows in (~low, low))
    same(a.merge(b), NaiveBayesProbe().fit(X, names), X)


@MODES
def test_blocks_with_different_labels_equal_one_fit(rng, covariance):
    X, y = table(rng)
    w = rng.uniform(0.1, 2, 90)
    order = np.argsort(y, kind="stable")
    parts = [order[:25], order[25:70], order[70:]]
    blocks = [(X[p], y[p], w[p]) for p in parts[:2]]
    blocks.append(lambda: (X[parts[2]], y[parts[2]], w[parts[2]]))
    probe = NaiveBayesProbe(covariance=covariance).fit_blocks(blocks, n_jobs=2)
    same(probe, NaiveBayesProbe(covariance=covariance).fit(X, y, w), X)


@MODES
@pytest.mark.parametrize("temperature", [1.0, "loo"])
@pytest.mark.parametrize("shrinkage", ["auto", 0.0])
def test_weights_are_repetition(rng, covariance, shrinkage, temperature):
    X, y = table(rng)
    w = rng.integers(0, 4, 90)
    w[:6] = 2
    probe = NaiveBayesProbe(covariance=covariance, var_shrinkage=shrinkage)
    probe.set_params(temperature=temperature)
    weighted = clone(probe).fit(X, y, w)
    same(weighted, clone(probe).fit(np.repeat(X, w, axis=0), np.repeat(y, w)), X)
    ones = clone(probe).fit(X, y, np.ones(90))
    assert_array_equal(ones.var_, clone(probe).fit(X, y).var_)


def test_a_class_of_weight_zero_is_a_class_removed(rng):
    X, y = table(rng)
    w = (y != 2).astype(float)
    weighted = NaiveBayesProbe(covariance="shared").fit(X, y, w)
    removed = NaiveBayesProbe(covariance="shared").fit(X[y != 2], y[y != 2])
    assert_allclose(weighted.var_, removed.var_, rtol=1e-12)
    assert weighted.var_shrinkage_ == pytest.approx(removed.var_shrinkage_)
    assert_allclose(weighted.predict_proba(X)[:, :2], removed.predict_proba(X))


# temperature


@pytest.mark.parametrize("temperature", [0.2, 7.0, "loo"])
@MODES
def test_temperature_does_not_change_predictions(rng, covariance, temperature):
    X, y = table(rng, k=2)
    plain = NaiveBayesProbe(covariance=covariance).fit(X, y)
    warm = NaiveBayesProbe(covariance=covariance, temperature=temperature).fit(X, y)
    assert_array_equal(warm.predict(X), plain.predict(X))
    odds = warm.decision_function(X) * warm.temperature_  # softer or harder
    assert_allclose(odds, plain.decision_function(X), rtol=1e-9)
    assert_allclose(np.log(warm.predict_proba(X)), warm.predict_log_proba(X))


@MODES
def test_leave_one_out_scores_equal_refits(rng, covariance):
    """Means, and variances by class, are those of all other rows; shares are kept."""
    X, y = table(rng, n=30)
    X[y == 1] *= 4  # so that auto takes variances by class
    w = rng.uniform(0.5, 2, 30)
    probe = NaiveBayesProbe(covariance=covariance, var_shrinkage=0.3).fit(X, y, w)
    found = leave_one_out(probe._model, X, y, w)
    kept = 1 - probe.var_shrinkage_

    def moments(rows):
        mean = np.average(X[rows], weights=w[rows], axis=0)
        return mean, np.average((X[rows] - mean) ** 2, weights=w[rows], axis=0)

    for i in range(30):
        rows = np.flatnonzero(y == y[i])
        (mean, own), (less, left) = moments(rows), moments(rows[rows != i])
        before = after = probe.var_
        if covariance != "shared":
            before = probe.var_[y[i]]
            after = before + kept[y[i]] * (left - own)
        change = stats.norm.logpdf(X[i], less, np.sqrt(after)).sum()
        change -= stats.norm.logpdf(X[i], mean, np.sqrt(before)).sum()
        assert found[i] == pytest.approx(change, rel=1e-6)


@pytest.mark.parametrize("priors", [None, "uniform"])
def test_the_temperature_is_that_of_brute_force(rng, priors):
    X, y = table(rng, n=40)
    probe = NaiveBayesProbe(covariance="shared", priors=priors, temperature="loo").fit(
        X, y
    )
    scores = np.empty((40, 3))
    for i in range(40):
        rest = np.delete(np.arange(40), i)
        means = np.stack([X[rest][y[rest] == k].mean(axis=0) for k in range(3)])
        shares = np.bincount(y[rest]) if priors is None else np.ones(3)
        scores[i] = np.log(shares) - ((X[i] - means) ** 2 / probe.var_).sum(axis=1) / 2
    expected = best_temperature(scores, y, np.ones(40))
    assert probe.temperature_ == pytest.approx(expected, rel=1e-6)


def test_probabilities_of_few_rows_by_class_are_usable():
    """Log-loss of variances by class, which a row that is left out must leave too."""
    rng = np.random.default_rng(0)
    y = np.arange(2000) % 4
    X = rng.gamma(0.5, size=(2000, 200)) * (1 + 0.5 * rng.normal(size=(4, 200))[y] ** 2)
    fit, held = slice(0, 80), slice(80, None)
    probe = NaiveBayesProbe(covariance="class", temperature="loo").fit(X[fit], y[fit])
    logs = probe.predict_log_proba(X[held])
    assert -logs[np.arange(1920), y[held]].mean() < np.log(4)


def test_loo_temperature_makes_probabilities_usable(rng):
    """Ten copies of each feature make plain naive Bayes ten times too sure."""
    X, y = table(rng, n=600, d=3, k=2)
    X = np.tile(X, 10)
    fit, held = slice(0, 300), slice(300, None)
    plain = NaiveBayesProbe().fit(X[fit], y[fit])
    warm = NaiveBayesProbe(temperature="loo").fit(X[fit], y[fit])
    assert 3 < warm.temperature_ < 40

    def log_loss(probe):
        return -probe.predict_log_proba(X[held])[np.arange(300), y[held]].mean()

    assert log_loss(warm) < 0.8 * log_loss(plain)


def test_loo_without_a_row_to_leave_out_is_one():
    X = np.eye(3)
    with pytest.warns(UserWarning, match="No two rows of a class differ"):
        probe = NaiveBayesProbe(temperature="loo").fit(X, [0, 1, 2])
    assert probe.temperature_ == 1
    assert_array_equal(probe.predict(X), [0, 1, 2])


def test_copies_are_found_whatever_tells_rows_apart(rng):
    """Of many rows the same are looked at, with and without copies."""
    X = table(rng, n=6000, d=12)[0]
    X[:, :8] = np.round(X[:, :8])  # which many rows share
    w = rng.integers(1, 4, 6000)
    codes = rng.integers(0, 300, 6000)
    rows, weight = distinct_rows(X, codes, w.astype(float))
    many, ones = distinct_rows(
        np.repeat(X, w, axis=0), np.repeat(codes, w), np.ones(w.sum())
    )
    assert_array_equal(X[rows], np.repeat(X, w, axis=0)[many])
    assert_array_equal(weight, ones)
    once, _ = distinct_rows(X, codes, np.ones(6000))
    assert_array_equal(once, rows)
    wide, _ = distinct_rows(X[:, ::-1], codes, np.ones(6000))
    assert len(wide) == 6000


# edges


@MODES
def test_one_class_is_predicted_with_certainty(rng, covariance):
    probe = NaiveBayesProbe(covariance=covariance)
    probe.fit(rng.normal(size=(5, 2)), ["only"] * 5)
    assert_array_equal(probe.predict(np.zeros((2, 2))), ["only", "only"])
    assert_array_equal(probe.predict_proba(np.zeros((2, 2))), [[1], [1]])


@MODES
def test_a_class_not_seen_yet_is_never_predicted(rng, covariance):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance=covariance)
    probe.partial_fit(X, y, classes=[-1, 0, 1, 2, 9])
    assert_array_equal(probe.class_prior_[[0, 4]], 0)
    assert np.isfinite(probe.theta_).all()
    assert_array_equal(probe.predict_proba(X)[:, [0, 4]], 0)
    assert np.isneginf(probe.predict_log_proba(X)[:, [0, 4]]).all()
    expected = NaiveBayesProbe(covariance=covariance).fit(X, y).predict_proba(X)
    assert_allclose(probe.predict_proba(X)[:, 1:4], expected, rtol=1e-9, atol=1e-12)
    uniform = NaiveBayesProbe(priors="uniform").partial_fit(X, y, classes=range(4))
    assert_allclose(uniform.class_prior_, [1 / 3, 1 / 3, 1 / 3, 0])


@MODES
@pytest.mark.parametrize("smoothing", [0.0, 1e-9])
def test_a_constant_feature_says_nothing(rng, covariance, smoothing):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance=covariance, var_smoothing=smoothing)
    probe.set_params(var_shrinkage=0.0)
    alone = clone(probe).fit(X, y)
    both = clone(probe).fit(np.c_[X, np.full(90, 7.3)], y)
    found = both.predict_proba(np.c_[X, np.full(90, 7.3)])
    assert_allclose(found, alone.predict_proba(X), rtol=1e-8, atol=1e-12)


@MODES
@pytest.mark.parametrize("shrinkage", ["auto", 0.0])
@pytest.mark.parametrize("smoothing", [0.0, 1e-9])
def test_only_constant_features_leave_the_prior(covariance, shrinkage, smoothing):
    probe = NaiveBayesProbe(covariance=covariance, var_shrinkage=shrinkage)
    probe.set_params(var_smoothing=smoothing).fit(np.full((4, 2), 0.1), [0, 1, 1, 1])
    assert_allclose(probe.predict_proba(np.full((2, 2), 0.1)), [[0.25, 0.75]] * 2)
    assert_array_equal(probe.predict(np.full((2, 2), 0.1)), [1, 1])


@pytest.mark.parametrize("alike", [True, False])
def test_one_row_a_class_makes_the_nearest_row_win(rng, alike):
    """Near in terms of the variances of all rows, or of their mean in one unit."""
    units = np.ones(60) if alike else np.geomspace(1e-3, 1e3, 60)
    X, new = rng.normal(size=(5, 60)) * units, rng.normal(size=(50, 60)) * units
    v = np.full(60, X.var(axis=0).mean()) if alike else X.var(axis=0)
    nearest = ((new[:, None] - X) ** 2 / v).sum(axis=2).argmin(axis=1)
    with pytest.warns(UserWarning, match="Give at least two rows to some class"):
        probe = NaiveBayesProbe(covariance="shared").fit(X, np.arange(5))
    with pytest.warns(UserWarning, match="Give at least two rows to some class"):
        default = NaiveBayesProbe().fit(X, np.arange(5))
    assert_array_equal(default.predict(new), nearest)
    assert probe.var_shrinkage_ == alike
    assert_array_equal(probe.predict(new), nearest)
    assert_allclose(probe.var_, v, rtol=1e-6)
    plain = NaiveBayesProbe(covariance="shared", var_shrinkage=0.0)
    plain.fit(X, np.arange(5))
    apart = ((new[:, None] - X) ** 2 / X.var(axis=0)).sum(axis=2)
    assert_array_equal(plain.predict(new), apart.argmin(axis=1))
    assert np.isfinite(plain.decision_function(new)).all()


def test_a_class_of_one_row_takes_the_shared_variances(rng):
    X, y = table(rng)
    X, y = np.r_[X, [[20.0] * 6]], np.r_[y, 3]
    probe = NaiveBayesProbe(covariance="class").fit(X, y)
    shared = NaiveBayesProbe(covariance="shared").fit(X, y)
    assert probe.var_shrinkage_[3] == 1
    assert_allclose(probe.var_[3], shared.var_, rtol=1e-6)
    assert probe.predict(np.full((1, 6), 19.0)) == 3


# units


UNITS = np.tile([1e-3, 1, 20.0, 1e3, 1e-2, 5.0], 6)  # a metre here, grams there


@MODES
@pytest.mark.parametrize("cls", [NaiveBayesProbe, ShrinkageDiscriminantProbe])
def test_defaults_do_not_depend_on_units_that_differ(rng, cls, covariance):
    X, y = table(rng, n=120, d=36)
    X[:, UNITS == 1e3] *= np.geomspace(1, 30, 6)
    params = {"covariance": covariance} if cls is NaiveBayesProbe else {}
    one = cls(var_shrinkage=0.0, **params).fit(X, y)
    other = cls(**params).fit(X * UNITS, y)
    if covariance == "shared":
        assert other.var_shrinkage_ == 0
        found = other.predict_proba(X * UNITS)
        assert_allclose(found, one.predict_proba(X), rtol=1e-6, atol=1e-9)
    third = cls(**params).fit(X[:, ::-1] * np.square(UNITS), y)
    moved = third.predict_proba(X[:, ::-1] * np.square(UNITS))
    assert_allclose(moved, other.predict_proba(X * UNITS), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    ("probe", "peer"),
    [
        (SHARED, make_pipeline(StandardScaler(), SHARED)),
        (NaiveBayesProbe(), GaussianNB()),
        (NaiveBayesProbe(covariance="class"), GaussianNB()),
        (ShrinkageDiscriminantProbe(), LinearDiscriminantAnalysis()),
    ],
    ids=["shared", "auto", "class", "discriminant"],
)
def test_raw_columns_cost_nothing(load, probe, peer):
    """Columns whose spreads differ by 1e4 and more are no reason for another head."""
    X, y = load(return_X_y=True)
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0)
    ours, theirs = (cross_val_score(m, X, y, cv=folds).mean() for m in (probe, peer))
    assert ours > theirs - 0.01


def test_class_variances_lean_on_the_shared_ones(rng):
    """With few rows a class they err less than their own; with many, little changes."""
    X, y = table(rng, n=4000, d=30)
    fit, held = slice(0, 12), slice(2000, None)
    own = NaiveBayesProbe(covariance="class", var_shrinkage=0)
    few = NaiveBayesProbe(covariance="class").fit(X[fit], y[fit])
    assert few.score(X[held], y[held]) > own.fit(X[fit], y[fit]).score(X, y) + 0.02
    X = X * np.where(y[:, None] == 0, 3.0, 1.0)  # one class is wider
    many = NaiveBayesProbe(covariance="class").fit(X, y)
    assert many.var_shrinkage_.max() < 0.01
    half = NaiveBayesProbe(covariance="class", var_shrinkage=0.5).fit(X, y)
    shared = NaiveBayesProbe(covariance="shared", var_shrinkage=0).fit(X, y)
    own.fit(X, y)
    assert_allclose(half.var_, (own.var_ + shared.var_) / 2, rtol=1e-6)


# shared variances or those of each class


def ringed(rng, n, d=20, draw=np.random.Generator.standard_normal):
    """Two classes around nearly the same point, the second half as wide."""
    y = rng.integers(0, 2, n)
    return draw(rng, size=(n, d)) * np.where(y[:, None] == 1, 0.5, 1.0) + 0.1, y


def test_classes_that_differ_in_spread_are_told_apart(rng):
    X, y = ringed(rng, 2000)
    fit, held = slice(0, 1000), slice(1000, None)
    probe = NaiveBayesProbe().fit(X[fit], y[fit])
    peer = GaussianNB().fit(X[fit], y[fit])
    assert peer.score(X[held], y[held]) > 0.95
    assert probe.score(X[held], y[held]) > peer.score(X[held], y[held]) - 0.01
    with pytest.raises(AttributeError, match="covariance='auto' here"):
        _ = probe.coef_


def test_classes_of_heavy_tails_share_variances(rng):
    """An outlier would speak for the wider class, whichever it came from."""

    def heavy(rng, size):
        return rng.standard_t(2.5, size=size)

    X, y = ringed(rng, 2000, draw=heavy)
    probe = NaiveBayesProbe().fit(X, y)
    shared = clone(SHARED).fit(X, y)
    assert (probe.var_shrinkage_ == 1).all()
    assert_allclose(probe.var_, np.tile(shared.var_, (2, 1)), rtol=1e-10)
    assert_allclose(probe.coef_, shared.coef_, rtol=1e-10)
    assert_allclose(probe.predict_proba(X), shared.predict_proba(X), rtol=1e-8)


def test_a_column_that_is_constant_in_a_class_decides(rng):
    """As it does for GaussianNB; other columns of the class stay shared."""
    y = np.arange(300) % 3
    X = rng.normal(size=(300, 6))
    X[y == 1, 2] = 0.0
    probe = NaiveBayesProbe().fit(X, y)
    assert probe.var_[1, 2] < 1e-3 * probe.var_[0, 2]
    others = np.delete(probe.var_shrinkage_, 2, axis=1)
    assert others.min() > 100 * probe.var_shrinkage_[1, 2]
    off = X[y == 1].copy()
    off[:, 2] += 0.1
    assert (probe.predict(off) != 1).all()


def test_a_constant_column_is_no_certainty(rng):
    """Else a frequent class, which proves it, outbids a rare one, which cannot."""
    y = np.repeat([0, 1, 2], [400, 8, 400])
    X = rng.normal(size=(808, 5))
    X[y < 2, 2] = 0.0
    probe = NaiveBayesProbe().fit(X, y)
    assert_allclose(probe.var_shrinkage_[0, 2], 0.01 / 399.01, rtol=1e-9)


def test_few_rows_a_class_share_variances(rng):
    X, y = table(rng, n=8, d=200, k=4)
    probe, shared = NaiveBayesProbe().fit(X, y), clone(SHARED).fit(X, y)
    assert np.median(probe.var_shrinkage_) > 0.9
    new = X[rng.integers(8, size=400)] + rng.normal(size=(400, 200))
    assert (probe.predict(new) == shared.predict(new)).mean() > 0.9


def test_shares_follow_their_formula(rng):
    X, y = table(rng, n=400)
    X[y == 0, 0] *= 1.7
    X[:, 1] = rng.choice([-1.0, 1.0], 400)  # of two values, whose kurtosis is one
    probe = NaiveBayesProbe(var_smoothing=0).fit(X, y)
    count = np.bincount(y)
    own = np.stack([X[y == k].var(axis=0) for k in range(3)])
    residuals = X - np.stack([X[y == k].mean(axis=0) for k in range(3)])[y]
    shared = (residuals**2).mean(axis=0)
    kurtosis = (residuals**4).mean(axis=0) / (count / 400 @ own**2)
    ratios = own / shared
    gain = np.minimum(ratios - 1 - np.log(ratios), (ratios - 1) ** 2 / 2)
    free = (count - 1)[:, None]
    bound = 6 * np.exp(-free * gain / np.maximum(kurtosis - 1, 1))
    bound = np.maximum(bound, 0.01 / (0.01 + free))
    common = NaiveBayesProbe(covariance="class").fit(X, y).var_shrinkage_
    assert bound[0, 0] < common[0] < bound[0, 1]  # both sides are met
    share = np.minimum(bound, common[:, None])
    assert_allclose(probe.var_shrinkage_, share, rtol=1e-8)
    assert_allclose(probe.var_, own + share * (shared - own), rtol=1e-8)


@pytest.mark.parametrize("order", [np.argsort, lambda y: np.argsort(-y)])
def test_the_choice_does_not_hang_on_the_order_of_batches(rng, order):
    X, y = ringed(rng, 600, draw=lambda rng, size: rng.standard_t(8, size=size))
    rows = order(X[:, 0] + 5 * y)  # sorted, so that the first pivot is far
    probe = NaiveBayesProbe()
    for part in np.array_split(rows, 11):
        probe.partial_fit(X[part], y[part], classes=[0, 1])
    whole = NaiveBayesProbe().fit(X, y)
    assert 0 < whole.var_shrinkage_.mean() < 1
    same(probe, whole, X)
    assert_allclose(probe.var_shrinkage_, whole.var_shrinkage_, rtol=1e-9)


# whole rows


@pytest.mark.parametrize(
    "probe", [NaiveBayesProbe(), SHARED, ShrinkageDiscriminantProbe()]
)
def test_weights_that_are_shares_only_compare_rows(rng, probe):
    X, y = table(rng, n=24, d=60)
    X *= np.geomspace(1, 3, 60)
    X[y == 1] *= 2
    w = rng.uniform(0.5, 1.5, 24)
    one, other = (clone(probe).fit(X, y, c * w / w.sum()) for c in (1.0, 1e-9))
    assert 0 < np.mean(one.var_shrinkage_) < 1
    assert_allclose(one.var_shrinkage_, other.var_shrinkage_, rtol=1e-9)
    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-7)
    plain = clone(probe).fit(X, y)
    equal = clone(probe).fit(X, y, np.full(24, 1 / 24))
    assert_allclose(equal.predict_proba(X), plain.predict_proba(X), rtol=1e-7)


@pytest.mark.parametrize("covariance", ["shared", "class"])  # with fixed shares
@pytest.mark.parametrize("factor", [0.01, 3.0, 1000.0])
def test_the_temperature_leaves_out_whole_rows(rng, covariance, factor):
    """Copies, or a larger weight, do not testify for the row that is left out."""
    X, y = table(rng, n=40, d=20)
    probe = NaiveBayesProbe(covariance=covariance, temperature="loo", var_shrinkage=0.5)
    once = clone(probe).fit(X, y)
    weighted = clone(probe).fit(X, y, np.full(40, factor))
    assert_allclose(weighted.temperature_, once.temperature_, rtol=1e-7)
    copies = clone(probe).fit(np.tile(X, (3, 1)), np.tile(y, 3))
    assert_allclose(copies.temperature_, once.temperature_, rtol=1e-7)
    order = rng.permutation(40)
    assert_allclose(
        clone(probe).fit(X[order], y[order]).temperature_, once.temperature_, rtol=1e-9
    )


def test_properties_wait_for_fit():
    probe = NaiveBayesProbe()
    for name in ("theta_", "var_", "coef_", "sufficient_statistics_"):
        assert not hasattr(probe, name)
        with pytest.raises(NotFittedError):
            getattr(probe, name)
    with pytest.raises(NotFittedError):
        probe.predict([[1.0]])


def test_parameters_set_after_fit_wait_for_the_next_fit(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe().partial_fit(X, y, classes=[0, 1, 2])
    probe.set_params(priors="uniform", var_smoothing=1.0)
    same(probe, NaiveBayesProbe().fit(X, y), X)


def test_stored_probes_hold_sums_only(rng):
    X, y = table(rng, n=2000, d=50)
    probe = NaiveBayesProbe().fit(X, y)
    probe.predict(X)
    assert len(pickle.dumps(probe)) < 3 * probe.theta_.nbytes + 4000
    assert_array_equal(pickle.loads(pickle.dumps(probe)).predict(X), probe.predict(X))


def test_digits_with_few_rows():
    """Shared variances err far less than variances by class; shrinking helps."""
    X, y = load_digits(return_X_y=True)
    errors = np.zeros(3)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(X))
        fit = np.concatenate([order[y[order] == k][:2] for k in range(10)])
        for i, probe in enumerate(
            [NaiveBayesProbe(), NaiveBayesProbe(var_shrinkage=0.0), GaussianNB()]
        ):
            errors[i] += 1 - probe.fit(X[fit], y[fit]).score(X, y)
    assert errors[0] < 0.95 * errors[1]
    assert errors[1] < 0.8 * errors[2]


@pytest.mark.parametrize("scale", [1e-100, 1e100])
@MODES
def test_scale_of_features_does_not_matter(rng, covariance, scale):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance=covariance).fit(X, y)
    scaled = NaiveBayesProbe(covariance=covariance).fit(X * scale, y)
    assert_allclose(scaled.var_shrinkage_, probe.var_shrinkage_, rtol=1e-12)
    assert_allclose(
        scaled.predict_proba(X * scale), probe.predict_proba(X), rtol=1e-9, atol=1e-15
    )


@pytest.mark.parametrize("covariance", ["auto", "class", "shared"])
@pytest.mark.parametrize("n_constant", [1, 40])
def test_constant_columns_say_nothing(covariance, n_constant):
    """Neither when they join, nor when they take another value later."""
    X, y = load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    probe = NaiveBayesProbe(covariance=covariance)
    expected = clone(probe).fit(X, y).predict_proba(X)
    constant = np.full((len(X), n_constant), 7.0)
    probe.fit(np.hstack([X, constant]), y)
    for value in (7.0, 8.0, -1e3):
        constant[:] = value
        found = probe.predict_proba(np.hstack([X, constant]))
        assert_allclose(found, expected, atol=1e-7)  # far away, 1e8 cancels


@pytest.mark.parametrize("covariance", ["auto", "class", "shared"])
def test_rows_of_next_to_no_weight_are_next_to_absent(covariance):
    X, y = load_wine(return_X_y=True)
    there = np.arange(len(y)) % 3 > 0
    probe = NaiveBayesProbe(covariance=covariance)
    expected = clone(probe).fit(X[there], y[there]).predict_proba(X)
    for weight in (1e-9, 1e-300):
        probe.fit(X, y, sample_weight=np.where(there, 1.0, weight))
        assert_allclose(probe.predict_proba(X), expected, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e-20])
def test_shares_may_be_of_any_size(scale):
    X, y = load_wine(return_X_y=True)
    expected = NaiveBayesProbe().fit(X, y).predict_proba(X)
    probe = NaiveBayesProbe().fit(X, y, sample_weight=np.full(len(y), scale))
    assert_allclose(probe.predict_proba(X), expected, rtol=1e-8, atol=1e-12)
