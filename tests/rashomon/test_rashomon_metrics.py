"""Multiplicity metrics, the curve, and the theorem helpers."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.datasets import load_breast_cancer

from sklearn_ext.rashomon import (
    RashomonTreeClassifier,
    ambiguity,
    clopper_pearson,
    cover_count,
    discrepancy,
    existence_probability,
    log_ellipsoid_volume,
    pairwise_disagreement,
    pattern_diversity,
    prediction_range,
    rashomon_capacity,
    rashomon_curve,
    rashomon_elbow,
    required_log_ratio,
    simple_model_bound,
)


def test_disagreement_against_loops(rng):
    P = rng.integers(0, 3, (8, 30))
    base = rng.integers(0, 3, 30)
    assert_allclose(
        ambiguity(P, base), np.mean([any(P[:, i] != base[i]) for i in range(30)])
    )
    assert_allclose(discrepancy(P, base), max((p != base).mean() for p in P))
    D = pairwise_disagreement(P)
    for i, j in combinations(range(8), 2):
        assert_allclose(D[i, j], (P[i] != P[j]).mean())
    repeated = np.concatenate([P, P[:3]])
    double = np.mean([(a != b).mean() for a in P for b in P])
    assert_allclose(pattern_diversity(repeated), double)
    assert_allclose(
        prediction_range(P), np.stack([P.min(axis=0), P.max(axis=0)], axis=-1)
    )
    with pytest.raises(ValueError, match="one label for each of the 30 rows"):
        ambiguity(P, base[:3])


def test_capacity_of_known_channels():
    p = 0.11
    symmetric = np.array([[[1 - p, p]], [[p, 1 - p]]])
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    assert_allclose(rashomon_capacity(symmetric), 1 - entropy)
    sure = np.eye(3)[[0, 1, 1, 2, 0]][:, None]
    assert_allclose(rashomon_capacity(sure), np.log2(3), atol=1e-8)
    same = np.tile([[0.2, 0.3, 0.5]], (4, 1))[:, None]
    assert_allclose(rashomon_capacity(same), 0, atol=1e-9)
    assert_allclose(rashomon_capacity(same[..., :2]), 0)
    noiseless = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert_allclose(rashomon_capacity(noiseless, base=np.e), np.log(2))
    with pytest.raises(ValueError, match="scores must have shape"):
        rashomon_capacity(np.ones((3, 2)))


def test_binary_closed_form_equals_iterations(rng):
    from sklearn_ext.rashomon._metrics import _blahut

    second = rng.random((6, 40))
    P = np.stack([1 - second, second], axis=-1)
    assert_allclose(rashomon_capacity(P, base=np.e), _blahut(P, 1e-10), atol=1e-9)


def test_capacity_grows_with_the_set(rng):
    P = rng.dirichlet(np.ones(4), (7, 10))
    small, large = rashomon_capacity(P[:3]), rashomon_capacity(P)
    assert (large >= small - 1e-8).all()
    assert (large <= 2 + 1e-9).all()


def test_elbow():
    risk, logs = [0.5, 0.2, 0.19, 0.18], [-0.3, -0.4, -6.8, -6.4]
    assert rashomon_elbow(risk, logs) == 1
    assert rashomon_elbow([0.2, 0.2], [-1.0, -1.0]) == 0
    assert rashomon_elbow([0.5, 0.1, 0.1, 0.1], [-1.0, -1.2, -9.0, -np.inf]) == 1


def test_curve_over_depths():
    X, y = load_breast_cancer(return_X_y=True)
    clf = RashomonTreeClassifier(n_members=5, random_state=0)
    curve = rashomon_curve(clf, X[:, :6], y, param_range=[0, 1, 2, 3], cv=3)
    assert (np.diff(curve.risk) <= 0).all()
    assert curve.interval.shape == (4, 2)
    assert len(curve.test_risk) == 4
    assert curve.param[curve.elbow] in (1, 2)
    assert curve.log_ratio[0] > curve.log_ratio[3]


def test_existence_probability_against_draws(rng):
    r, s = 0.03, 20
    hits = (rng.random((40_000, s)) < r).any(axis=1).mean()
    found = existence_probability(np.log(r), s)
    assert abs(hits - found) < 5 * np.sqrt(found * (1 - found) / 40_000)
    without = 1 - stats.hypergeom.pmf(0, 1000, 30, s)
    assert without >= found
    assert existence_probability(0.0, 3) == 1
    assert_allclose(existence_probability(np.log([1e-30]), 10), 1e-29)


def test_required_ratio_inverts_it():
    log_ratio = required_log_ratio(500, 0.05)
    assert_allclose(existence_probability(log_ratio, 500), 0.95)
    assert_allclose(required_log_ratio(10**9, 0.05), np.log(-np.log(0.05) / 1e9))


def test_simple_model_bound_holds(rng):
    n, k, repeats = 200, 30, 2000
    risk = np.linspace(0.2, 0.4, k)  # the best simple model equals the best of all
    losses = rng.binomial(n, risk, (repeats, k)) / n
    lower, upper = simple_model_bound(n, k)
    best = losses.min(axis=1)
    assert ((best < 0.2 - lower) | (best > 0.2 + upper)).mean() <= 0.05
    assert simple_model_bound(n, k, gamma=0.1)[1] == upper + 0.1
    assert_allclose(simple_model_bound(n, k, loss_range=2.0)[0], 2 * lower)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: existence_probability(0.5, 3), "log_ratio must be at most 0"),
        (
            lambda: existence_probability(-1.0, 0),
            "n_simple must be a whole number from 1",
        ),
        (lambda: required_log_ratio(3, 1.0), "delta must be between 0 and 1"),
        (lambda: simple_model_bound(0, 3), "n_samples must be a whole number from 1"),
        (lambda: log_ellipsoid_volume(np.eye(2), 0.0), "tau must be positive"),
        (lambda: log_ellipsoid_volume(-np.eye(2), 1.0), "infinite volume"),
        (lambda: cover_count(3, 0), "n_features must be a whole number from 1"),
        (lambda: existence_probability(-1.0, 2.5), "whole number from 1 .* got 2.5"),
        (lambda: existence_probability(-1.0, True), "whole number from 1 .* got True"),
        (lambda: cover_count(2.5, 2), "n_samples must be a whole number"),
        (lambda: simple_model_bound(9, 3, gamma=-1), "gamma must be at least 0"),
        (lambda: simple_model_bound(9, 3, loss_range=0), "loss_range must be positive"),
        (lambda: clopper_pearson(0, 0), "n_draws must be at least 1"),
        (lambda: rashomon_capacity([[[1, 1]]], tol=0), "tol must be positive"),
        (lambda: prediction_range([]), "scores must have shape"),
        (lambda: clopper_pearson(5, 3), "hits must be from 0 to n_draws=3"),
        (lambda: clopper_pearson(1, 3, 2), "confidence_level must lie between"),
        (lambda: ambiguity([0, 1]), "predictions must have shape"),
        (lambda: rashomon_capacity([[[np.nan, 1]]]), "scores must be finite"),
        (lambda: rashomon_capacity([[[1, 1]]], base=1), "base must be larger"),
        (lambda: rashomon_elbow([1], [1, 2]), "equal lengths"),
    ],
)
def test_functions_refuse_what_means_nothing(call, message):
    with pytest.raises(ValueError, match=message):
        call()
