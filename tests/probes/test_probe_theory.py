"""The bound from log-loss to error, and the synthetic data with its exact error."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from sklearn_ext.probes import (
    NaiveBayesProbe,
    h_consistency_bound,
    h_consistency_transform,
    make_gaussian_probe_data,
)
from sklearn_ext.probes._data import bayes_error_on_a_line


def test_bound_inverts_the_transform():
    t = np.r_[0, np.geomspace(1e-8, 1, 200), 1 - np.geomspace(1e-12, 0.5, 50)]
    assert_allclose(h_consistency_bound(h_consistency_transform(t)), t, rtol=1e-7)
    small = t[t < 0.99]
    found = h_consistency_bound(h_consistency_transform(small))
    assert_allclose(found, small, rtol=1e-12)


def test_transform_equals_its_definition():
    t = np.linspace(0, 0.999, 50)
    expected = (1 + t) / 2 * np.log(1 + t) + (1 - t) / 2 * np.log(1 - t)
    assert_allclose(h_consistency_transform(t), expected, rtol=1e-10, atol=1e-16)
    assert h_consistency_transform(1) == np.log(2)
    assert (h_consistency_transform(t) >= t**2 / 2).all()


def test_bound_ends_at_one():
    assert_array_equal(h_consistency_bound([np.log(2), 5, np.inf]), [1, 1, 1])
    assert h_consistency_bound(0.0) == 0
    x = np.linspace(0, 3, 50)
    assert_allclose(h_consistency_bound(x, exact=False), np.minimum(1, np.sqrt(2 * x)))
    assert (h_consistency_bound(x) <= h_consistency_bound(x, exact=False)).all()


@pytest.mark.parametrize("n_classes", [2, 3, 5, 10])
def test_no_distribution_and_scores_violate_the_bound(rng, n_classes):
    p = rng.dirichlet(np.full(n_classes, 0.5), 5000)
    scores = rng.normal(size=(5000, n_classes)) * rng.uniform(0.01, 5, (5000, 1))
    log_q = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    excess = np.sum(p * (np.log(np.maximum(p, 1e-300)) - log_q), axis=1)
    chosen = p[np.arange(5000), scores.argmax(axis=1)]
    regret = p.max(axis=1) - chosen
    assert (regret <= h_consistency_bound(np.maximum(excess, 0)) + 1e-12).all()


@pytest.mark.parametrize("t", [0.01, 0.3, 0.9])
def test_bound_is_reached(t):
    """Two likely classes and equal scores for both: the tie may fall the wrong way."""
    p, q = np.array([(1 + t) / 2, (1 - t) / 2]), np.array([0.5, 0.5])
    excess = (p * np.log(p / q)).sum()
    assert h_consistency_bound(excess) == pytest.approx(p[0] - p[1], rel=1e-10)


def test_confined_scores_have_no_such_bound():
    """Three classes, scores within a box: the best log-loss there is a tie.

    So logistic regression has no excess over the best of the box, and may yet choose
    the second class, which errs 0.1 more often.
    """
    p, limit = np.array([0.55, 0.45, 0.0]), 0.25
    grid = np.linspace(-limit, limit, 41)
    a, b, c = np.meshgrid(grid, grid, grid, indexing="ij")
    total = np.log(np.exp(a) + np.exp(b) + np.exp(c))
    loss = total - p[0] * a - p[1] * b - p[2] * c
    best = np.unravel_index(loss.argmin(), loss.shape)
    assert_allclose([a[best], b[best], c[best]], [limit, limit, -limit])


@pytest.mark.parametrize("bad", [-1e-9, [0.1, -1], np.nan])
def test_negative_excess(bad):
    with pytest.raises(ValueError, match="excess_log_loss must be non-negative, got"):
        h_consistency_bound(bad)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_transform_outside(bad):
    with pytest.raises(ValueError, match="t must lie between zero and one"):
        h_consistency_transform(bad)


@pytest.mark.parametrize("d", [2, 4, 10])
def test_bayes_error_of_two_classes(d):
    _, _, error = make_gaussian_probe_data(10, d, return_bayes_error=True)
    assert error == pytest.approx(norm.cdf(-np.sqrt((d + 1) / 2)), rel=1e-12)


@pytest.mark.parametrize("k", [3, 5, 7])
def test_bayes_error_of_neighbouring_classes(k):
    d = 5
    _, _, error = make_gaussian_probe_data(10, d, k, return_bayes_error=True)
    information = (d // 2) / d + (d - d // 2)
    gaps = np.diff([-1.0, *2.0 ** np.arange(k - 1)])
    expected = 2 * norm.cdf(-gaps * np.sqrt(information) / 2).sum() / k
    assert error == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("weights", [None, [0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
@pytest.mark.parametrize("scale", [True, False])
def test_bayes_error_equals_a_simulation(weights, scale):
    n, d = 100_000, 3
    X, y, error = make_gaussian_probe_data(
        n,
        d,
        3,
        scale=scale,
        weights=weights,
        return_bayes_error=True,
        random_state=0,
    )
    priors = np.full(3, 1 / 3) if weights is None else np.array(weights)
    means, v = np.array([-1.0, 1.0, 2.0]), np.array([3.0, 1.0, 1.0])
    if scale:
        means, v = means - 1.0, v / 1.0  # 2 ** (3 - 3) is one
    scores = np.log(priors) - 0.5 * ((X[:, None] - means[:, None]) ** 2 / v).sum(axis=2)
    found = (scores.argmax(axis=1) != y).mean()
    assert abs(found - error) < 4 * np.sqrt(error * (1 - error) / n)


def test_a_class_that_is_never_likeliest():
    error = bayes_error_on_a_line(
        np.array([-1.0, 0.0, 1.0]), np.array([0.49, 0.02, 0.49])
    )
    assert error == pytest.approx(0.02 + 0.98 * norm.cdf(-1), rel=1e-10)


def test_scale_is_an_affine_map():
    plain = make_gaussian_probe_data(20, 4, 5, scale=False, random_state=0)[0]
    scaled = make_gaussian_probe_data(20, 4, 5, random_state=0)[0]
    assert_allclose(scaled, (plain - 4) / 4)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.5, 0.0], "positive and sum to one"),
        ([0.5, 0.5], "for each of the 3 classes"),
        ([0.5, 0.5, 0.5], "positive and sum to one"),
    ],
)
def test_bad_class_probabilities(weights, message):
    with pytest.raises(ValueError, match=message):
        make_gaussian_probe_data(n_classes=3, weights=weights)


def test_size_needed_by_naive_bayes_does_not_grow_with_the_features():
    """Nine to eleven rows suffice at 100 to 1000 features in the paper's simulation."""
    for d in (50, 100, 200):
        step = int(np.ceil(np.log(d)))
        held = make_gaussian_probe_data(
            4000, d, return_bayes_error=True, random_state=9
        )
        errors = {}
        for m in range(4, 40, step):
            found = []
            for seed in range(5):
                X, y = make_gaussian_probe_data(m, d, random_state=seed)
                if len(np.unique(y)) == 2:
                    probe = NaiveBayesProbe(
                        covariance="shared",
                        var_shrinkage=0.0,
                        smoothing="absolute",
                        var_smoothing=1e-9,
                    )
                    found.append(1 - probe.fit(X, y).score(*held[:2]))
            errors[m] = np.mean(found)
        enough = [m for m, error in errors.items() if error < held[2] + 0.01]
        assert enough[0] <= 19
