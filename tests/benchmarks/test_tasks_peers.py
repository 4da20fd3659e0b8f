"""Peers of tasks get so much time, and what they leave out is said."""

import numpy as np
import pytest

pytest.importorskip("pandas", reason="the grouped sets are data frames")

from benchmarks.bench_tasks import interval_score, limited_error, one_noise_interval
from benchmarks.tasks_peers import PEERS, installed
from sklearn_ext.tasks import TaskRidge
from sklearn_ext.tasks._noise import EQUAL, NoisePrior


def mean_of(X, y, groups, new, new_groups):
    return np.full(len(new), y.mean())


def never_ready(X, y, groups, new, new_groups):
    while True:
        pass


def broken(X, y, groups, new, new_groups):
    raise RuntimeError("no convergence")


DRAWS = [(np.ones((3, 1)), np.arange(3.0), None, np.ones((2, 1)), None, np.ones(2))]


def test_a_peer_is_measured_ended_or_quoted():
    assert limited_error(mean_of, DRAWS, 30) == 0.0
    assert limited_error(never_ready, DRAWS, 1) == "over 1 s"
    assert limited_error(broken, DRAWS, 30) == "RuntimeError: no convergence"


def test_installed_peers_are_a_part_of_all():
    assert set(installed()) <= {package for package, _ in PEERS.values()}


def test_one_noise_is_ours_where_tasks_are_alike(rng):
    groups = np.repeat(np.arange(30), 6)
    X = rng.normal(size=(180, 2))
    y = rng.normal(size=30)[groups] + X[:, 0] + rng.normal(size=180)
    model = TaskRidge().fit(X, y, groups=groups)
    ours = model.predict_interval(X, groups)
    model._noise_prior = NoisePrior(EQUAL, model._population.noise_var)
    alike = model.predict_interval(X, groups)
    np.testing.assert_allclose(one_noise_interval(model, X, groups), alike, rtol=1e-6)
    assert abs(interval_score(ours, y) / interval_score(alike, y) - 1) < 0.1


def test_interval_score_counts_width_and_distance():
    interval = np.array([[0.0, 1.0], [0.0, 1.0]])
    assert interval_score(interval, np.array([0.5, 1.1])) == pytest.approx(2.0)
