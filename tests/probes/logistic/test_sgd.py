"""LogisticProbe by minibatches through skorch."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.utils import estimator_checks

from sklearn_ext.probes import LogisticProbe

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("skorch", reason="skorch is not installed")


def data_of(rng, n=1500, d=8, k=3, dtype=np.float64):
    y = rng.integers(0, k, n)
    X = 2 + 0.7 * rng.standard_normal((k, d))[y] + rng.standard_normal((n, d))
    return (X * np.geomspace(0.1, 10, d)).astype(dtype), y


def excess(probe, X, y):
    """Relative excess of the objective over the exact optimum."""
    exact = LogisticProbe(probe.C, fit_intercept=probe.fit_intercept, tol=1e-12)
    best = exact.fit(X, y).objective_
    proba = probe.predict_proba(X)[np.arange(len(y)), y]
    penalty = np.sum(probe.coef_**2) / (2 * probe.C * len(y))
    return (-np.mean(np.log(proba)) + penalty) / best - 1


@pytest.mark.parametrize(("k", "intercept"), [(2, False), (3, True)])
def test_comes_near_the_optimum(k, intercept):
    X, y = data_of(np.random.default_rng(0), n=1000, k=k)
    X = X if intercept else X - X.mean(0)
    probe = LogisticProbe(
        0.01, solver="sgd", fit_intercept=intercept, random_state=0, batch_size=64
    ).fit(X, y)
    assert 0 <= excess(probe, X, y) < 5e-3
    assert probe.n_iter_ == 20


def test_sparse_rows_are_refused():
    with pytest.raises(TypeError, match="dense data is required"):
        LogisticProbe(solver="sgd").fit(sparse.csr_array(np.eye(4)), [0, 1, 0, 1])


@pytest.mark.parametrize(
    "name", ["check_sample_weight_equivalence_on_dense_data", "check_n_features_in"]
)
def test_full_batches_pass_the_checks_of_weights(name):
    probe = LogisticProbe(solver="sgd", random_state=0, batch_size=10_000)
    getattr(estimator_checks, name)("LogisticProbe", probe)


def test_state_is_arrays():
    X, y = data_of(np.random.default_rng(0), dtype=np.float32)
    probe = LogisticProbe(solver="sgd", random_state=0, sgd_params={"max_epochs": 2})
    probe.fit(X, y)
    assert probe.coef_.dtype == np.float32
    assert not any("torch" in type(v).__module__ for v in vars(probe).values())
    again = pickle.loads(pickle.dumps(probe))
    assert_allclose(again.predict_proba(X), probe.predict_proba(X))


def test_same_seed_same_result_and_generator_untouched():
    import torch

    X, y = data_of(np.random.default_rng(0), n=300)
    before = torch.get_rng_state()
    first, second = (
        LogisticProbe(solver="sgd", random_state=3).fit(X, y).coef_ for _ in range(2)
    )
    assert_allclose(first, second, rtol=0)
    assert torch.equal(before, torch.get_rng_state())


def test_weights_count_in_minibatches():
    rng = np.random.default_rng(0)
    X, y = data_of(rng, n=600)
    weight = rng.integers(0, 4, len(y)).astype(float)
    params = {"solver": "sgd", "random_state": 0, "sgd_params": {"max_epochs": 30}}
    found = LogisticProbe(0.01, **params).fit(X, y, weight)
    exact = LogisticProbe(0.01, tol=1e-12).fit(X, y, weight)
    assert abs(found.predict_proba(X) - exact.predict_proba(X)).max() < 0.05


def test_stream_learns_and_failed_batches_leave_it():
    X, y = data_of(np.random.default_rng(0), n=3000)
    probe = LogisticProbe(0.01, solver="sgd", random_state=0, batch_size=64)
    for start in range(0, 3000, 500):
        rows = slice(start, start + 500)
        probe.partial_fit(X[rows], y[rows], classes=None if start else [0, 1, 2])
    assert excess(probe, X, y) < 0.1
    before = dict(vars(probe))
    with pytest.raises(
        ValueError, match=r"labels \[7\] that are not among the classes"
    ):
        probe.partial_fit(X[:2], [7, 1])
    with pytest.raises(ValueError, match="expecting 8 features"):
        probe.partial_fit(X[:2, :3], [0, 1])
    with pytest.raises(ValueError, match="classes must stay"):
        probe.partial_fit(X[:2], [0, 1], classes=[0, 1])
    assert vars(probe) == before


def test_stream_goes_on_from_a_fit_of_the_same_solver():
    X, y = data_of(np.random.default_rng(0), n=300)
    probe = LogisticProbe(0.01, solver="sgd", random_state=0).fit(X, y)
    assert excess(probe.partial_fit(X, y), X, y) < 0.05  # from zero it is 0.38
    exact = probe.set_params(solver="lbfgs").fit(X, y)
    exact.set_params(solver="sgd")
    with pytest.raises(ValueError, match="first partial_fit needs classes"):
        exact.partial_fit(X, y)
    assert not hasattr(probe.fit(X, y), "gap_bound_")


def test_stream_needs_classes_first():
    X, y = data_of(np.random.default_rng(0), n=20)
    with pytest.raises(ValueError, match="first partial_fit needs classes"):
        LogisticProbe(solver="sgd").partial_fit(X, y)
    with pytest.raises(ValueError, match="at least two classes"):
        LogisticProbe(solver="sgd").partial_fit(X, y, classes=[1])


def test_unknown_settings_are_named():
    X, y = data_of(np.random.default_rng(0), n=20)
    with pytest.raises(ValueError, match=r"unknown keys \['epochs'\]"):
        LogisticProbe(solver="sgd", sgd_params={"epochs": 3}).fit(X, y)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_epochs": 0}, "max_epochs must be an integer from 1 on, got 0"),
        ({"max_epochs": 1.5}, "max_epochs must be an integer from 1 on, got 1.5"),
        ({"lr": -1.0}, "lr must be a positive number or None, got -1.0"),
        ({"momentum": 1}, r"momentum must lie in \[0, 1\), got 1"),
    ],
)
def test_bad_settings(setting, message):
    X, y = data_of(np.random.default_rng(0), n=20)
    with pytest.raises(ValueError, match=message):
        LogisticProbe(solver="sgd", sgd_params=setting).fit(X, y)


def test_class_weight_counts_in_streams_too(rng):
    X = rng.standard_normal((400, 3))
    y = np.arange(400) % 2
    params = {"solver": "sgd", "random_state": 0}
    by_class = LogisticProbe(class_weight={1: 3.0}, **params)
    by_class.partial_fit(X, y, classes=[0, 1])
    by_row = LogisticProbe(**params).partial_fit(X, y, [0, 1], 1 + 2.0 * y)
    assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-6)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all rows"):
        by_class.set_params(class_weight="balanced").partial_fit(X, y)
