"""LightSchrodingerBridge as an estimator: inputs, domains, routing, streams, errors."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    bures_wasserstein_uvp,
    conditional_bures_uvp,
    energy_distance,
    make_entropic_ot,
)


@parametrize_with_checks(
    [
        LightSchrodingerBridge(3, covariance_type="full"),
        LightSchrodingerBridge(3, covariance_type="tied"),
        LightSchrodingerBridge(3, covariance_type="spherical"),
        LightSchrodingerBridge(3, fit_inverse_transform=True, max_iter=300),
    ]
)
def test_scikit_learn_checks_of_other_settings(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def pair():
    return make_entropic_ot(
        2000, 1500, 3, epsilon=1.0, n_components=3, radius=4, random_state=0
    )


@pytest.fixture(scope="module")
def bridge(pair):
    return make(fit_inverse_transform=True).fit(pair.X, X_target=pair.Y)


def make(**params):
    return LightSchrodingerBridge(3, **{"epsilon": 1.0, "random_state": 0, **params})


def pooled(pair):
    X = np.vstack([pair.X, pair.Y])
    return X, np.repeat([0, 1], [len(pair.X), len(pair.Y)])


def test_pooled_domains_give_the_same_fit(pair, bridge):
    X, domain = pooled(pair)
    order = np.random.default_rng(0).permutation(len(X))
    other = make().fit(X[order], sample_domain=domain[order])
    assert_allclose(other.transform(pair.X), bridge.transform(pair.X), atol=1e-8)
    mapped = other.transform(X[order], sample_domain=domain[order])
    assert_array_equal(mapped[domain[order] == 1], X[order][domain[order] == 1])
    again = make().fit_transform(X[order], sample_domain=domain[order])
    assert_allclose(again, mapped, atol=1e-12)
    score = other.score(X, sample_domain=domain)
    assert_allclose(score, bridge.score(pair.X, X_target=pair.Y), rtol=1e-8)


def test_without_target_rows_are_smoothed_towards_themselves(pair):
    model = make().fit(pair.Y)
    assert_allclose(
        model.transform(pair.Y).mean(axis=0), pair.Y.mean(axis=0), atol=0.05
    )
    assert model.ot_value(pair.Y, pair.Y) == pytest.approx(model.ot_value_, rel=1e-8)


def test_answers_agree_with_each_other(pair, bridge):
    X = pair.X[:50]
    mean, cov = bridge.conditional_mean_cov(X)
    assert_allclose(bridge.transform(X), mean, atol=1e-10)
    moved = np.sum((mean - X) ** 2, axis=1) + np.trace(cov, axis1=1, axis2=2)
    assert_allclose(bridge.transport_cost(X), moved / 2, rtol=1e-8)
    half = bridge.interpolate(X, 0.5)
    assert_allclose(half, (X + mean) / 2, atol=1e-10)
    assert_array_equal(bridge.interpolate(X, 0, kind="sample"), X)
    assert bridge.interpolate(X, 0.3, kind="sample").shape == X.shape
    drawn = bridge.sample(X, 400)
    assert drawn.shape == (50, 400, 3)
    spread = np.sqrt(np.diagonal(cov, axis1=1, axis2=2) / 400)
    assert (abs(drawn.mean(axis=1) - mean) < 5 * spread).all()
    assert bridge.sample_path(X, 5).shape == (50, 5, 3)
    assert bridge.sample_path(X, [0, 0.5], n_samples=2).shape == (50, 2, 2, 3)
    assert bridge.sample_path(X, 4, method="euler").shape == (50, 4, 3)
    assert_allclose(bridge.gate_proba(X).sum(axis=1), 1)
    assert_allclose(bridge.drift(X, 0.0), mean - X, atol=1e-8)
    law = bridge.conditional(X)
    inside = np.sum(law.weights[:, :, None] * law.means, axis=1)
    assert_allclose(inside, mean, atol=1e-9)
    assert bridge.log_density(X, drawn[:, 0]).shape == (50,)
    assert bridge.log_potential(X, 0.5).shape == (50,)
    D = X.shape[1]
    expected = bridge.ot_value_ + D / 2 * np.log(2 * np.pi)
    assert bridge.kl_to_prior_ == pytest.approx(expected)


def test_draws_repeat_and_follow_their_seed(pair, bridge):
    X = pair.X[:5]
    assert_array_equal(bridge.sample(X), bridge.sample(X))
    one = bridge.sample(X, random_state=np.random.default_rng(1))
    two = bridge.sample(X, random_state=np.random.default_rng(1))
    assert_array_equal(one, two)
    assert (one != bridge.sample(X)).any()


def test_the_way_back(pair, bridge):
    back = bridge.inverse_transform(pair.Y[:300])
    assert energy_distance(back, pair.X) < energy_distance(pair.Y[:300], pair.X)
    true_source = pair.plan.conditional_mean(pair.X[:200])
    returned = bridge.inverse_transform(true_source)
    nothing = np.mean((pair.X[:200] - pair.X.mean(axis=0)) ** 2)
    assert np.mean((returned - pair.X[:200]) ** 2) < nothing
    density = bridge.score_samples(pair.Y)
    noise = np.random.default_rng(0).normal(size=pair.Y.shape) * pair.Y.std(axis=0)
    assert density.mean() > bridge.score_samples(noise + pair.Y.mean(axis=0)).mean()


def test_early_stopping_keeps_the_best_pass(pair):
    model = make(early_stopping=True, n_iter_no_change=2).fit(pair.X, X_target=pair.Y)
    assert model.converged_
    truth = pair.plan
    assert conditional_bures_uvp(model, truth, pair.X[:200], pair.Y) < 1


def test_warm_start_continues(pair, bridge):
    model = make(warm_start=True).fit(pair.X, X_target=pair.Y)
    first = model.n_iter_
    model.fit(pair.X, X_target=pair.Y)
    assert model.n_iter_ <= first
    assert_allclose(model.loss_, bridge.loss_, atol=1e-3)


def test_stream_of_batches_comes_close_to_one_fit(pair):
    many = make_entropic_ot(
        20_000, 20_000, 3, epsilon=1.0, n_components=3, radius=4, random_state=0
    )
    stream = make()
    for X, Y in zip(np.split(many.X, 20), np.split(many.Y, 20), strict=True):
        stream.partial_fit(X, X_target=Y)
    batch = make().fit(many.X, X_target=many.Y)
    assert stream.n_batches_seen_ == 20
    laws = many.plan, many.X[:500], many.Y
    assert conditional_bures_uvp(stream, *laws) < max(
        4 * conditional_bures_uvp(batch, *laws), 0.2
    )


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_partial_fit_goes_on_from_a_fit(pair, kind):
    model = make(covariance_type=kind).fit(pair.X, X_target=pair.Y)
    loss = model.loss_
    for _ in range(3):
        model.partial_fit(pair.X, X_target=pair.Y)
    assert model.n_batches_seen_ == 4
    assert abs(model.loss_ - loss) < 0.02


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_float32_agrees(pair, kind):
    double = make(covariance_type=kind).fit(pair.X, X_target=pair.Y)
    single = make(covariance_type=kind).fit(
        pair.X.astype(np.float32), X_target=pair.Y.astype(np.float32)
    )
    assert single.means_.dtype == np.float32
    assert single.loss_ == pytest.approx(double.loss_, rel=1e-4)
    mapped = single.transform(pair.X.astype(np.float32))
    assert mapped.dtype == np.float32
    assert_allclose(mapped, double.transform(pair.X), atol=0.05)


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_tensors_agree_with_numpy(pair, kind):
    torch = pytest.importorskip("torch")
    X, Y = torch.as_tensor(pair.X), torch.as_tensor(pair.Y)
    plain = make(covariance_type=kind).fit(pair.X, X_target=pair.Y)
    with config_context(array_api_dispatch=True):
        tensors = make(covariance_type=kind).fit(X, X_target=Y)
        mapped = tensors.transform(X)
        assert isinstance(tensors.scales_, torch.Tensor)
        assert_allclose(mapped.numpy(), plain.transform(pair.X), atol=1e-8)
        if kind in ("spherical", "diag"):  # signs of eigenvectors are a library's own
            assert_allclose(tensors.sample(X).numpy(), plain.sample(pair.X), atol=1e-7)
        assert_allclose(tensors.score(X, X_target=Y), -plain.loss_, rtol=1e-8)
    moved = make(covariance_type=kind, device="cpu").fit(pair.X, X_target=pair.Y)
    assert isinstance(moved.means_, np.ndarray)
    assert_allclose(moved.transform(pair.X), plain.transform(pair.X), atol=1e-8)


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_adam_comes_close_to_the_fixed_point(pair, kind):
    pytest.importorskip("skorch")
    X, Y = pair.X[:600], pair.Y[:500]
    fixed = make(covariance_type=kind).fit(X, X_target=Y)
    model = make(
        covariance_type=kind,
        solver="adam",
        torch_params={"max_epochs": 5, "batch_size": 128},
    ).fit(X, X_target=Y)
    assert model.n_iter_ == 5
    assert abs(model.loss_ - fixed.loss_) < 0.1


def test_pickle_and_frames(pair, bridge):
    twin = pickle.loads(pickle.dumps(bridge))
    assert_array_equal(twin.transform(pair.X), bridge.transform(pair.X))
    frame = pd.DataFrame(pair.X, columns=["a", "b", "c"])
    target = pd.DataFrame(pair.Y, columns=["a", "b", "c"])
    model = make().set_output(transform="pandas").fit(frame, X_target=target)
    assert list(model.transform(frame).columns) == ["a", "b", "c"]
    model = make().set_output(transform="polars")
    model.fit(pl.from_pandas(frame), X_target=pl.from_pandas(target))
    assert model.transform(pl.from_pandas(frame)).columns == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        make().fit(frame, X_target=target[["b", "a", "c"]])


# Routing: what the user guide says about pipelines and searches


def test_pooled_search_through_a_pipeline(pair):
    X, domain = pooled(pair)
    X, domain = X[::5], domain[::5]
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_transform_request(sample_domain=True)
        step.set_score_request(sample_domain=True)
        pipe = Pipeline([("scale", StandardScaler()), ("bridge", step)])
        grid = {"bridge__n_components": [1, 3]}
        search = GridSearchCV(pipe, grid, cv=StratifiedKFold(3), error_score="raise")
        search.fit(X, domain, sample_domain=domain)
    assert search.best_params_ == {"bridge__n_components": 3}


def test_a_classifier_can_follow_in_the_pipeline(pair):
    X, domain = pooled(pair)
    y = (X[:, 0] > 0).astype(int)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_transform_request(sample_domain=True)
        pipe = make_pipeline(step, LogisticRegression())
        pipe.fit(X, y, sample_domain=domain)
        assert pipe.predict(pair.X, sample_domain=np.zeros(len(pair.X))).shape == (
            len(pair.X),
        )


def test_transform_input_carries_the_target_through_earlier_steps(pair):
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(X_target=True)
        pipe = Pipeline(
            [("scale", StandardScaler()), ("bridge", step)],
            transform_input=["X_target"],
        )
        pipe.fit(pair.X, X_target=pair.Y)
    scaler = pipe.named_steps["scale"]
    direct = make().fit(scaler.transform(pair.X), X_target=scaler.transform(pair.Y))
    assert_allclose(
        pipe.transform(pair.X), direct.transform(scaler.transform(pair.X)), atol=1e-10
    )


def test_search_slices_a_target_of_equal_length_and_only_that(pair):
    seen = []

    class Spy(LightSchrodingerBridge):
        def fit(self, X, y=None, *, X_target=None, **params):
            seen.append(len(X_target))
            return super().fit(X, y, X_target=X_target, **params)

        def score(self, X, y=None, *, X_target=None):
            return 0.0

    with config_context(enable_metadata_routing=True):
        for n_target in (200, 300):
            spy = Spy(1, random_state=0).set_fit_request(X_target=True)
            spy.set_score_request(X_target=False)
            search = GridSearchCV(spy, {"n_components": [1]}, cv=2, refit=False)
            search.fit(pair.X[:300], X_target=pair.Y[:n_target])
    assert seen == [200, 200, 150, 150]


def test_pipeline_score_forwards_weights_even_when_none(pair):
    X, domain = pooled(pair)
    with config_context(enable_metadata_routing=True):
        step = make().set_fit_request(sample_domain=True)
        step.set_score_request(sample_domain=True)
        pipe = Pipeline([("bridge", step)]).fit(X, sample_domain=domain)
        score = pipe.score(X, sample_domain=domain)
    direct = make().fit(X, sample_domain=domain)
    assert score == pytest.approx(direct.score(X, sample_domain=domain))


def test_domains_reach_a_step_by_prefix_without_routing(pair):
    X, domain = pooled(pair)
    pipe = Pipeline([("scale", StandardScaler()), ("bridge", make())])
    pipe.fit(X, bridge__sample_domain=domain)
    assert pipe.named_steps["bridge"].target_mean_.shape == (3,)


# Bad input


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


def test_search_without_routing_cannot_score_something_else(pair):
    X, domain = pooled(pair)
    grid = {"n_components": [1, 3]}
    search = GridSearchCV(make(), grid, refit=False, error_score="raise")
    with pytest.raises(ValueError, match=r"score needs target rows.*metadata routing"):
        search.fit(X[::9], domain[::9], sample_domain=domain[::9])


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
        LightSchrodingerBridge(1).fit(pair.X * [1, 1, 1000])


def test_a_table_as_y_warns(pair):
    with pytest.warns(UserWarning, match="pass the target as X_target"):
        make().fit(pair.X, pair.X)


def test_early_stopping_needs_rows(pair):
    with pytest.raises(ValueError, match="leaves fewer than two of 10 rows"):
        make(early_stopping=True).fit(pair.X[:10])


def test_failed_fit_leaves_the_last_one(pair):
    model = make().fit(pair.X, X_target=pair.Y)
    before = clone(model), model.transform(pair.X)
    with pytest.raises(ValueError, match="X_target has 2 features"):
        model.fit(pair.X, X_target=pair.Y[:, :2])
    assert_array_equal(model.transform(pair.X), before[1])


# Metrics and data


def test_energy_distance_against_its_definition(rng):
    X, Y = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))
    d = np.linalg.norm
    between = np.mean([d(x - y) for x in X for y in Y])
    xx = np.mean([d(X[i] - X[j]) for i in range(7) for j in range(7) if i != j])
    yy = np.mean([d(Y[i] - Y[j]) for i in range(5) for j in range(5) if i != j])
    assert_allclose(energy_distance(X, Y), between - xx / 2 - yy / 2, rtol=1e-12)
    w = rng.integers(1, 3, 7)
    assert_allclose(
        energy_distance(X, Y, x_weight=w),
        energy_distance(np.repeat(X, w, axis=0), Y),
        rtol=1e-12,
    )


def test_uvp_in_closed_form():
    X, Y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    gap = ((1 - 3) ** 2 + 1 + 4) / 2 - 2
    assert bures_wasserstein_uvp(X, Y) == pytest.approx(100 * gap / 2)


@pytest.mark.parametrize("kind", ["isotropic", "diagonal", "full"])
def test_known_pairs_have_equal_gates(kind):
    pair = make_entropic_ot(20_000, 10, 2, kind=kind, random_state=0)
    assert_allclose(pair.plan.gate_proba(pair.X).mean(axis=0), 0.2, atol=0.02)
    again = make_entropic_ot(20_000, 10, 2, kind=kind, random_state=0)
    assert_array_equal(pair.Y, again.Y)


def test_unknown_kind_of_pair():
    with pytest.raises(ValueError, match="kind must be one of"):
        make_entropic_ot(kind="round")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"epsilon": -1.0}, "epsilon must be positive"),
        ({"epsilon": np.inf}, "epsilon must be positive"),
        ({"n_source": 0}, "n_source must be at least 1"),
        ({"n_components": 0}, "n_components must be at least 1"),
    ],
)
def test_bad_known_pairs(change, match):
    with pytest.raises(ValueError, match=match):
        make_entropic_ot(**change)


def test_uvp_needs_variance_in_the_target():
    with pytest.raises(ValueError, match="All rows of Y are equal"):
        bures_wasserstein_uvp([[0.0], [1.0]], [[2.0], [2.0]])
