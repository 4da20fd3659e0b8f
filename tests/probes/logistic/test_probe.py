"""LogisticProbe as users meet it: scikit-learn's optimum, inputs, errors, callbacks."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ext.probes import LogisticProbe
from tests._marks import CALLBACKS


def data_of(rng, n=150, d=6, k=3, dtype=np.float64):
    y = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    X = rng.standard_normal((n, d)) + rng.standard_normal((k, d))[y]
    return X.astype(dtype), y


def peer(C, X, y, sample_weight=None, **params):
    model = LogisticRegression(C=C, tol=1e-10, max_iter=100_000, **params)
    return model.fit(X, y, sample_weight)


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("C", [1e-2, 1, 30])
@pytest.mark.parametrize("intercept", [True, False])
def test_optimum_is_that_of_scikit_learn(k, C, intercept):
    X, y = data_of(np.random.default_rng(0), n=300, k=k)
    weight = np.random.default_rng(1).uniform(0.1, 2, len(y))
    params = {"fit_intercept": intercept, "class_weight": {0: 2.0}}
    ours = LogisticProbe(C, tol=1e-12, **params).fit(X, y, weight)
    theirs = peer(C, X, y, weight, **params)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


def test_balanced_classes_weigh_the_same(rng):
    X, y = data_of(rng)
    weight = rng.integers(1, 4, len(y))
    ours = LogisticProbe(class_weight="balanced", tol=1e-12).fit(X, y, weight)
    each = weight.sum() / (3 * np.bincount(y, weight))
    by_hand = LogisticProbe(tol=1e-12).fit(X, y, weight * each[y])
    assert_allclose(ours.coef_, by_hand.coef_, atol=1e-6)


def test_no_penalty(rng):
    X, y = data_of(rng, k=2)
    X, y = np.r_[X, X[:20]], np.r_[y, 1 - y[:20]]  # not separable
    ours = LogisticProbe(np.inf, tol=1e-13).fit(X, y)
    theirs = peer(1e12, X, y)
    assert ours.gap_bound_ == np.inf
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-3)


def test_separable_without_penalty_has_no_optimum():
    X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), [0, 0, 1, 1]
    with pytest.warns(ConvergenceWarning, match="the optimum is at infinity"):
        probe = LogisticProbe(np.inf).fit(X, y)
    assert not probe.converged_
    assert probe.score(X, y) == 1


def test_warns_when_unfinished(rng):
    X, y = data_of(rng)
    with pytest.warns(ConvergenceWarning, match=r"at C=7: after 2 iterations"):
        probe = LogisticProbe(7, max_iter=2).fit(X, y)
    assert probe.n_iter_ == 2
    assert not probe.converged_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(rng, dtype):
    X, y = data_of(rng, dtype=dtype)
    probe = LogisticProbe().fit(X, y)
    assert probe.coef_.dtype == dtype
    assert probe.intercept_.dtype == np.float64
    assert probe.predict_proba(X).dtype == dtype
    exact = LogisticProbe(tol=1e-12).fit(X.astype(np.float64), y)
    assert_allclose(probe.coef_, exact.coef_, atol=2e-2)


@pytest.mark.parametrize("offset", [2000, 100_000])
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("n", [30, 300])  # below and above the number of features
@pytest.mark.parametrize("params", [{}, {"solver": "sgd", "random_state": 0}])
def test_single_precision_far_from_zero(rng, offset, k, n, params):
    if params:
        pytest.importorskip("skorch", reason="skorch is not installed")
    X, y = data_of(rng, n=n, d=40, k=k)
    X = (X + offset).astype(np.float32)
    single, double = (
        LogisticProbe(tol=1e-8, **params).fit(rows, y) for rows in (X, X.astype(float))
    )
    rtol = 0.01 if params else 1e-3
    assert_allclose(single.coef_, double.coef_, atol=rtol * abs(double.coef_).max())
    expected = double.predict_proba(X.astype(float))
    assert_allclose(single.predict_proba(X), expected, atol=1e-2 if params else 1e-3)


@pytest.mark.parametrize("preconditioner", [None, "diag"])
@pytest.mark.parametrize("C", [1, 100])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_converged_is_true(load, C, preconditioner):
    X, y = load(return_X_y=True)  # columns in units that differ by 1e5
    best = LogisticProbe(C, tol=1e-10, max_iter=5000, memory=30).fit(X, y).objective_
    probe = LogisticProbe(C, preconditioner=preconditioner)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        probe.fit(X, y)
    assert probe.converged_ == (not caught)
    if probe.converged_:
        assert probe.objective_ / best - 1 < 5e-4


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("shape", [(150, 6), (20, 40)])
def test_sparse_is_dense(rng, form, shape):
    X, y = data_of(rng, *shape)
    X = X * (abs(X) > 0.5)
    dense = LogisticProbe(tol=1e-12).fit(X, y)
    found = LogisticProbe(tol=1e-12).fit(form(X), y)
    assert_allclose(found.objective_, dense.objective_, rtol=1e-9)
    assert_allclose(
        found.decision_function(form(X)), dense.decision_function(X), atol=1e-4
    )


def test_wide_sparse_rows_take_variances(rng):
    X = sparse.random(60, 5000, 0.02, format="csr", random_state=0)
    y = np.arange(60) % 3
    probe = LogisticProbe(10).fit(X, y)
    assert probe.score(X, y) == 1


def test_weights_are_repeats_and_zero_is_absence(rng):
    X, y = data_of(rng)
    weight = rng.integers(0, 3, len(y))
    weighted = LogisticProbe().fit(X, y, weight)
    repeated = LogisticProbe().fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7, atol=1e-9)


def test_order_of_features_and_names_of_classes_do_not_matter(rng):
    X, y = data_of(rng)
    order = rng.permutation(X.shape[1])
    plain = LogisticProbe(tol=1e-12).fit(X, y)
    turned = LogisticProbe(tol=1e-12).fit(X[:, order], y)
    assert_allclose(turned.coef_, plain.coef_[:, order], atol=1e-5)
    named = LogisticProbe(tol=1e-12).fit(X, np.array(["c", "b", "a"])[y])
    assert_allclose(named.coef_[::-1], plain.coef_, atol=1e-5)
    assert set(named.predict(X)) <= {"a", "b", "c"}


@pytest.mark.parametrize("k", [2, 3])
def test_probabilities_agree_with_each_other(rng, k):
    X, y = data_of(rng, k=k)
    probe = LogisticProbe().fit(X, y)
    proba = probe.predict_proba(X)
    assert_allclose(proba.sum(1), 1)
    assert_allclose(np.log(proba), probe.predict_log_proba(X))
    assert_array_equal(proba.argmax(1), probe.predict(X))
    assert probe.decision_function(X).shape == ((len(X),) if k == 2 else (len(X), k))


def test_warm_start_saves_iterations(rng):
    X, y = data_of(rng)
    probe = LogisticProbe(warm_start=True).fit(X, y)
    again = clone(probe).fit(X, y)
    first = again.n_iter_
    assert again.fit(X, y).n_iter_ < first
    assert again.set_params(C=2).fit(X, y).score(X, y) > 0.5
    with_other_classes = again.fit(X, y == 1)  # starts afresh
    assert with_other_classes.coef_.shape == (1, X.shape[1])


def test_frames_and_routed_weights(rng):
    X, y = data_of(rng)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    weight = rng.integers(1, 3, len(y))
    pipe = make_pipeline(StandardScaler(), LogisticProbe())
    pipe.fit(frame, y, logisticprobe__sample_weight=weight)
    direct = LogisticProbe().fit(StandardScaler().fit_transform(X), y, weight)
    assert_allclose(pipe[-1].coef_, direct.coef_)
    assert list(LogisticProbe().fit(frame, y).feature_names_in_) == list("abcdef")


@CALLBACKS
def test_callbacks_see_iterations_and_stop_the_fit(rng):
    X, y = data_of(rng)
    seen = []

    class StopAtThree:
        max_propagation_depth = 0

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name != "fit":
                seen.append(fitted_estimator.predict_proba(X))
            return len(seen) == 3

    probe = LogisticProbe(tol=0).set_callbacks(StopAtThree()).fit(X, y)
    assert probe.n_iter_ == 3
    assert_allclose(seen[-1], probe.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"C": 0}, "'C'"),
        ({"C": np.nan}, "'C'"),
        ({"tol": -1}, "'tol'"),
        ({"memory": 0}, "'memory'"),
        ({"solver": "newton"}, "'solver'"),
    ],
)
def test_bad_parameters(params, match):
    with pytest.raises(InvalidParameterError, match=match):
        LogisticProbe(**params).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize(
    ("X", "y", "weight", "match"),
    [
        ([[0.0], [1.0]], [1, 1], None, "at least two classes"),
        ([[0.0], [1.0]], [0, 1], [1, 0], "at least two classes"),
        ([[np.nan], [1.0]], [0, 1], None, "NaN"),
        (np.array([[1j], [1.0]]), [0, 1], None, "Complex"),
        ([0.0, 1.0], [0, 1], None, "Expected 2D"),
        (np.empty((0, 2)), [], None, "0 sample"),
        (np.empty((2, 0)), [0, 1], None, "0 feature"),
        ([[0.0], [1.0]], [0, 1, 1], None, "inconsistent"),
        ([[0.0], [1.0]], [0.5, 0.7], None, "Unknown label type"),
        ([[0.0], [1.0]], [0, 1], [1, -1], "must be non-negative"),
        ([[0.0], [1.0]], [0, 1], [0, 0], "at least one non-zero"),
    ],
)
def test_bad_data_is_named_and_leaves_the_fit(X, y, weight, match):
    probe = LogisticProbe().fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    before = dict(vars(probe))
    with pytest.raises(ValueError, match=match):
        probe.fit(X, y, weight)
    assert vars(probe) == before


def test_class_weight_of_zero_is_refused():
    with pytest.raises(ValueError, match="class_weight must be positive"):
        LogisticProbe(class_weight={0: 0.0}).fit([[0.0], [1.0]], [0, 1])


def test_partial_fit_is_for_sgd_only():
    assert not hasattr(LogisticProbe(), "partial_fit")
    assert hasattr(LogisticProbe(solver="sgd"), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit needs solver='sgd', got"):
        LogisticProbe().partial_fit([[0.0], [1.0]], [0, 1])


def test_devices(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    X, y = data_of(rng)
    host = LogisticProbe(tol=1e-12).fit(X, y)
    found = LogisticProbe(tol=1e-12, device="cpu").fit(X, y)
    assert isinstance(found.coef_, np.ndarray)
    assert_allclose(found.coef_, host.coef_, atol=1e-6)
    half = torch.from_numpy(X).to(torch.bfloat16)
    assert LogisticProbe().fit(half, torch.from_numpy(y)).coef_.dtype == np.float32
    few = X[:5], np.array([0, 1, 2, 0, 1])
    wide = LogisticProbe(tol=1e-12, device="cpu").fit(*few)
    assert_allclose(wide.coef_, LogisticProbe(tol=1e-12).fit(*few).coef_, atol=1e-4)
    with pytest.raises(TypeError, match="Sparse rows are computed on the host"):
        LogisticProbe(device="cpu").fit(sparse.csr_array(X), y)
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(
        RuntimeError, match=r"is not on this machine, which has \['cpu'"
    ):
        LogisticProbe(device=absent).fit(X, y)
    with pytest.raises(RuntimeError, match="device='nowhere' is not on this machine"):
        LogisticProbe(device="nowhere").fit(X, y)


@pytest.mark.parametrize(("dtype", "scale"), [(np.float64, 1e160), (np.float32, 1e25)])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_squares_that_overflow_are_named(rng, solver, dtype, scale):
    X, y = data_of(rng)
    probe = LogisticProbe(solver=solver)
    with pytest.raises(ValueError, match="whose squares overflow; scale X"):
        probe.fit((X * scale).astype(dtype), y)


def test_one_class_is_named_plainly(rng):
    X, _ = data_of(rng)
    with pytest.raises(ValueError, match=r"got one class: 7\.$"):
        LogisticProbe().fit(X, np.full(len(X), 7))


def test_a_warning_points_to_the_caller_of_fit(rng):
    with pytest.warns(ConvergenceWarning, match="did not converge") as caught:
        LogisticProbe(max_iter=1).fit(*data_of(rng))
    assert caught[0].filename == __file__
    assert "inf" not in str(caught[0].message)


@pytest.mark.parametrize("n", [5, 60])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_rows_are_read_only(rng, n, dtype, device):
    if device:
        pytest.importorskip("torch", reason="torch is not installed")
    X, y = data_of(rng, n=n, dtype=dtype)
    before = X.copy()
    LogisticProbe(device=device).fit(X, y).predict(X)
    assert_array_equal(X, before)
    X.flags.writeable = False
    LogisticProbe(device=device).fit(X, y).predict(X)


def test_missing_torch_is_explained(rng, monkeypatch):
    X, y = data_of(rng)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ImportError, match=r"sklearn-ext\[torch\]"):
        LogisticProbe(device="cpu").fit(X, y)


@pytest.mark.gpu
def test_tensors_on_cuda(rng):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    X, y = data_of(rng, dtype=np.float32)
    host = LogisticProbe().fit(X, y)
    rows = torch.from_numpy(X).cuda()
    found = LogisticProbe().fit(rows, y)
    assert_allclose(found.objective_, host.objective_, rtol=1e-5)
    assert_allclose(found.predict_proba(rows), host.predict_proba(X), atol=1e-2)
    with pytest.raises(ValueError, match="is expecting 6 features"):
        found.predict(rows[:, :2])
