"""Diagnostics against loops over rows and closed forms, and their pictures."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB

from sklearn_ext.probes import (
    NaiveBayesProbe,
    ProbeDiagnosticsDisplay,
    probe_diagnostics,
)


def table(rng, n=80, d=5, k=3):
    y = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    return rng.normal(size=(n, d)) + 2 * rng.normal(size=(k, d))[y], y


@pytest.mark.parametrize("covariance", ["auto", "shared", "class"])
def test_equals_a_loop_over_rows(rng, covariance):
    X, y = table(rng)
    w = rng.uniform(0.2, 2, 80)
    probe = NaiveBayesProbe(covariance=covariance, priors=[0.6, 0.3, 0.1]).fit(X, y)
    found = probe_diagnostics(probe, X, y, w)
    joint = probe.predict_joint_log_proba(X)
    scores = joint - np.log([0.6, 0.3, 0.1])
    for k in range(3):
        rows = y == k
        for a in range(3):
            for b in range(3):
                gap = scores[rows, a] - scores[rows, b]
                mean = np.average(gap, weights=w[rows])
                spread = np.average((gap - mean) ** 2, weights=w[rows])
                assert found.beta[k, a, b] == pytest.approx(abs(mean) / 5, abs=1e-10)
                assert found.alpha[k, a, b] == pytest.approx(spread / 5, abs=1e-8)
    best = np.sort(joint, axis=1)
    assert_allclose(found.margins, (best[:, 2] - best[:, 1]) / 5)
    for tau in (0.0, 0.3, 2.0):
        share = w[found.margins <= tau].sum() / w.sum()
        assert found.margin_mass(tau) == pytest.approx(share)
    assert_allclose(found.variances, probe.var_)


def test_separation_of_the_shared_model_in_closed_form(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance="shared").fit(X, y)
    found = probe_diagnostics(probe, X, y)
    mu, v = probe.theta_, probe.var_
    for k in range(3):
        far = ((mu[k] - mu) ** 2 / v).sum(axis=1)
        assert_allclose(found.beta[k], np.abs(far[:, None] - far) / 2 / 5, atol=1e-10)


def test_chebyshev(rng):
    X, y = table(rng, n=500, d=20)
    probe = NaiveBayesProbe().fit(X, y)
    found = probe_diagnostics(probe, X, y)
    scores = probe.predict_joint_log_proba(X) - np.log(probe.class_prior_)
    for k in range(3):
        for other in {0, 1, 2} - {k}:
            beta, alpha = found.beta[k, k, other], found.alpha[k, k, other]
            tau = beta / 2
            gap = np.abs(scores[y == k, k] - scores[y == k, other])
            share = (gap <= tau * 20).mean()
            assert share <= alpha / (20 * (beta - tau) ** 2) + 1e-12


def test_a_class_without_rows(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe().partial_fit(X, y, classes=range(4))
    found = probe_diagnostics(probe, X, y)
    assert np.isnan(found.beta[3]).all()
    assert np.isfinite(found.margins).all()
    assert np.isfinite(found.beta[:3, :3, :3]).all()


def test_bad_input(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe().fit(X, y)
    with pytest.raises(TypeError, match=r"a fitted NaiveBayesProbe, .* got Gaussian"):
        probe_diagnostics(GaussianNB().fit(X, y), X, y)
    with pytest.raises(NotFittedError):
        probe_diagnostics(NaiveBayesProbe(), X, y)
    with pytest.raises(ValueError, match="X has 80 rows, y has 79 labels"):
        probe_diagnostics(probe, X, y[1:])
    with pytest.raises(ValueError, match=r"labels \[7\]"):
        probe_diagnostics(probe, X, np.full(80, 7))
    with pytest.raises(ValueError, match="at least two classes"):
        probe_diagnostics(NaiveBayesProbe().fit(X, np.zeros(80)), X, np.zeros(80))


@pytest.mark.parametrize("covariance", ["auto", "shared", "class"])
@pytest.mark.parametrize("kind", ["variance", "beta", "alpha", "margin"])
def test_display(rng, kind, covariance):
    X, y = table(rng)
    probe = NaiveBayesProbe(covariance=covariance).fit(X, y)
    display = ProbeDiagnosticsDisplay.from_estimator(
        probe, X, y, kind=kind, name="digits", curve_kwargs={"color": "black"}
    )
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel()[0].islower()
    assert display.ax_.get_legend().get_texts()[0].get_text() == "digits"
    _, ax = plt.subplots()
    assert display.plot(ax, kind=kind).ax_ is ax
    if kind == "margin":
        shares = display.artist_.get_ydata()
        assert shares[-1] == pytest.approx(1)
    elif kind == "beta":
        assert display.artist_.get_data().values.sum() == 3 * 3
    plt.close("all")


def test_display_of_unknown_kind(rng):
    X, y = table(rng)
    found = probe_diagnostics(NaiveBayesProbe().fit(X, y), X, y)
    with pytest.raises(ValueError, match=r"kind must be one of .*'margin'"):
        ProbeDiagnosticsDisplay(diagnostics=found).plot(kind="histogram")


def test_nothing_to_draw(rng):
    X, y = table(rng)
    probe = NaiveBayesProbe().fit(X, y)
    _, rows = np.unique(y, return_index=True)
    with pytest.raises(ValueError, match=r"No alpha is positive.*several rows"):
        ProbeDiagnosticsDisplay.from_estimator(probe, X[rows], y[rows], kind="alpha")
    plt.close("all")


def test_labels_that_the_probe_does_not_know(rng):
    X, y = table(rng)
    with pytest.raises(ValueError, match=r"labels \[9\].*leave their rows out"):
        probe_diagnostics(NaiveBayesProbe().fit(X, y), X, np.full(len(y), 9))
