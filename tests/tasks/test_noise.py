"""Variances of noise, shrunk: against the density, and drawn ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, stats

from sklearn_ext.tasks import TaskRidge
from sklearn_ext.tasks._noise import EQUAL, HALF, LIKELY, NoisePrior


def drawn(rng, nu, scale=3.0, n_tasks=400):
    dof = rng.uniform(2, 12, n_tasks)
    variance = scale * nu / rng.chisquare(nu, n_tasks)
    return variance * rng.chisquare(dof), dof, variance


def test_fit_is_the_optimum_of_the_f_density(rng):
    rss, dof, _ = drawn(rng, 5.0)
    f, q = HALF * dof, HALF * rss

    def minus(theta):
        nu, s = np.exp(theta)
        logs = stats.f.logpdf(q / f / s, f, nu) - np.log(s)
        return -logs.sum() - stats.gamma.logpdf(nu, LIKELY[0], scale=1 / LIKELY[1])

    best = optimize.minimize(minus, [1.0, 1.0], method="Nelder-Mead", tol=1e-9)
    found = NoisePrior.of(rss, dof, noise_var=2.0)
    assert_allclose([found.dof, found.scale], np.exp(best.x), rtol=1e-3)


def test_shrunk_variances_are_nearer_than_common_ones(rng):
    rss, dof, variance = drawn(rng, 4.0)
    common = rss.sum() / dof.sum()
    shrunk, _ = NoisePrior.of(rss, dof, common).posterior(rss, dof)

    def away(guess):
        return np.median(abs(np.log(guess / variance)))

    assert away(shrunk) < 0.8 * away(np.full(400, common))


def test_mean_of_the_tasks_is_not_below_the_likelihoods(rng):
    rss, dof, _ = drawn(rng, 1.0)
    prior = NoisePrior.of(rss, dof, rss.sum() / dof.sum())
    shrunk, _ = prior.posterior(rss, dof)
    assert np.average(shrunk, weights=dof) >= (1 - 1e-9) * rss.sum() / dof.sum()


@pytest.mark.parametrize("rss", [[2.0], [2.0, 0.0], [0.0, 0.0]])
def test_one_task_that_says_anything_is_like_all(rss):
    rss = np.array(rss)
    prior = NoisePrior.of(rss, np.where(rss > 0, 4.0, 0.0), 0.5)
    assert prior.dof == EQUAL
    variance, dof = prior.posterior(rss, rss)
    assert_allclose(variance, 0.5)
    assert (dof >= EQUAL).all()


def test_exact_tasks_keep_their_noise_positive():
    prior = NoisePrior.of(np.zeros(9), np.full(9, 3.0), 1e-12)
    variance, dof = prior.posterior(np.zeros(9), np.full(9, 3.0))
    assert np.isfinite(variance).all()
    assert (variance > 0).all()
    assert np.isfinite(dof).all()


def test_intervals_know_noisy_tasks(rng):
    """Noise of one to ten: held in every task, where one variance for all is not."""
    n_tasks, n = 60, 12
    groups = np.repeat(np.arange(n_tasks), 2 * n)
    spread = np.where(np.arange(n_tasks) % 3 == 0, 3.0, 0.3)
    X = rng.normal(size=(len(groups), 1))
    y = rng.normal(size=n_tasks)[groups] + X[:, 0]
    y += spread[groups] * rng.normal(size=len(y))
    train = np.arange(len(y)) % 2 == 0
    model = TaskRidge().fit(X[train], y[train], groups=groups[train])
    low, high = model.predict_interval(X[~train], groups[~train]).T
    inside = (low <= y[~train]) & (y[~train] <= high)
    noisy = spread[groups[~train]] > 1
    assert 0.84 < inside[noisy].mean() < 0.96
    assert inside[~noisy].mean() > 0.84
    common = 2 * 1.645 * model.noise_var_**0.5
    assert np.median((high - low)[~noisy]) < 0.7 * common
    noise = model.task_noise_var_
    assert noise[spread > 1].min() > noise[spread < 1].max()


def test_conditioning_learns_the_noise_of_a_new_task(rng):
    groups = np.repeat(np.arange(40), 10)
    X = rng.normal(size=(400, 1))
    noise = np.where(groups % 2, 3.0, 0.3) * rng.normal(size=400)
    model = TaskRidge().fit(X, X[:, 0] + noise, groups=groups)
    new = rng.normal(size=(10, 1))
    quiet = model.condition(new, new[:, 0], groups=np.full(10, 99))
    _, before = model.predict(new, np.full(10, 99), return_std=True)
    _, after = quiet.predict(new, np.full(10, 99), return_std=True)
    assert after.max() < 0.5 * before.min()
    assert_allclose(quiet.task_noise_var_[:-1], model.task_noise_var_)
