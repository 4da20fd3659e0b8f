"""Bounds of the zero-one loss."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ext.losses import comp_sum_bound, comp_sum_loss, comp_sum_transform
from sklearn_ext.probes import h_consistency_transform

TAUS = [0, 0.5, 1, 1.4, 1.7, 2, 2.5]


def best_risk(truth, tau):
    """Least conditional risk, at the power of the population."""
    if tau >= 2:
        return (1 - truth.max()) / (tau - 1)
    p = truth ** (1 / (2 - tau))
    return comp_sum_loss(p / p.sum(), tau=tau) @ truth


@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize("tau", TAUS)
def test_transform_increases_and_inverts(tau, n_classes):
    t = np.linspace(0, 1, 21)
    value = comp_sum_transform(t, tau=tau, n_classes=n_classes)
    assert value[0] == 0
    assert (np.diff(value) > 0).all()
    back = comp_sum_bound(value, tau=tau, n_classes=n_classes)
    assert_allclose(back, t, atol=1e-6)
    assert comp_sum_bound(100.0, tau=tau, n_classes=n_classes) == 1


@pytest.mark.parametrize("n_classes", [2, 3, 6])
@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.4, 1.7, 2])
def test_no_violation(tau, n_classes):
    rng = np.random.default_rng(0)
    for _ in range(1000):
        truth = rng.dirichlet(np.ones(n_classes) * rng.choice([0.3, 1, 5]))
        scores = rng.choice([0.1, 1, 4]) * rng.normal(size=n_classes)
        first, second = np.argsort(scores)[-2:]
        if rng.random() < 0.5:
            scores[second] = scores[first] = max(scores)  # a tie, broken badly
        p = np.exp(scores - scores.max())
        p /= p.sum()
        worst = truth[scores >= scores.max() - 1e-12].min()
        error = truth.max() - worst
        excess = comp_sum_loss(p, tau=tau) @ truth - best_risk(truth, tau)
        least = comp_sum_transform(error, tau=tau, n_classes=n_classes)
        assert least <= excess + 1e-9


@pytest.mark.parametrize("tau", [0, 0.5, 1, 1.4, 1.7])
def test_tight_for_two_classes(tau):
    for t in (0.1, 0.4, 0.9):
        truth = np.array([1 + t, 1 - t]) / 2
        excess = comp_sum_loss(np.full(2, 0.5), tau=tau) @ truth
        excess -= best_risk(truth, tau)
        assert_allclose(comp_sum_transform(t, tau=tau), excess, rtol=1e-9)


def test_at_one_it_is_that_of_the_probes():
    t = np.linspace(0, 1, 11)
    theirs = [h_consistency_transform(one) for one in t]
    assert_allclose(comp_sum_transform(t), theirs, rtol=1e-12)


def test_refusals():
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        comp_sum_transform(1.5)
    with pytest.raises(ValueError, match="excess must be non-negative"):
        comp_sum_bound(-1)
    with pytest.raises(ValueError, match="tau must be a non-negative number"):
        comp_sum_bound(1, tau=-1)
    with pytest.raises(ValueError, match="n_classes must be at least 2"):
        comp_sum_transform(0.1, n_classes=1)
