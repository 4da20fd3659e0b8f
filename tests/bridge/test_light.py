"""LightSchrodingerBridge as an estimator: answers, streams, dtypes, libraries."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    conditional_bures_uvp,
    energy_distance,
    make_entropic_ot,
)
from tests._instances import MAPPED_TO_THEMSELVES
from tests._marks import skip_absent_device
from tests.bridge._small import make, pooled


@parametrize_with_checks(
    [
        LightSchrodingerBridge(3, covariance_type="full"),
        LightSchrodingerBridge(3, covariance_type="tied"),
        LightSchrodingerBridge(3, covariance_type="spherical"),
        LightSchrodingerBridge(3, fit_inverse_transform=True, max_iter=300),
        LightSchrodingerBridge(3, init_params="k-means++"),
    ]
)
@pytest.mark.filterwarnings(MAPPED_TO_THEMSELVES)
def test_scikit_learn_checks_of_other_settings(estimator, check):
    skip_absent_device(check)
    check(estimator)


def test_pooled_domains_give_the_same_fit(pair, bridge):
    X, domain = pooled(pair)
    order = np.random.default_rng(0).permutation(len(X))
    other = make(default_domain="source").fit(X[order], sample_domain=domain[order])
    assert_allclose(other.transform(pair.X), bridge.transform(pair.X), atol=1e-8)
    mapped = other.transform(X[order], sample_domain=domain[order])
    assert_array_equal(mapped[domain[order] == 1], X[order][domain[order] == 1])
    again = make().fit_transform(X[order], sample_domain=domain[order])
    assert_allclose(again, mapped, atol=1e-12)
    score = other.score(X, sample_domain=domain)
    assert_allclose(score, bridge.score(pair.X, X_target=pair.Y), rtol=1e-8)


def test_rows_without_their_domain_are_refused_or_declared(pair):
    X, domain = pooled(pair)
    model = make().fit(X, sample_domain=domain)
    match = r"fitted with sample_domain.*set default_domain to 'source' or 'target'"
    with pytest.raises(ValueError, match=match):
        model.transform(pair.Y)
    assert_array_equal(model.transform(pair.Y, np.ones(len(pair.Y))), pair.Y)
    mapped = model.transform(pair.X, np.zeros(len(pair.X)))
    model.set_params(default_domain="target")
    same = model.transform(pair.Y)
    assert_array_equal(same, pair.Y)
    assert same is not pair.Y
    model.set_params(default_domain="source")
    assert_array_equal(model.transform(pair.X), mapped)
    model.set_params(default_domain=None).partial_fit(X[::9], sample_domain=domain[::9])
    with pytest.raises(ValueError, match=match):
        model.transform(pair.Y)
    model.fit(pair.X, X_target=pair.Y)  # all rows of X are source rows
    assert_allclose(model.transform(pair.X), mapped, atol=1e-8)


def test_a_pipeline_refuses_rows_whose_domain_it_forgets(pair):
    X, domain = pooled(pair)
    y = X[:, 0] > 0
    for chosen in (None, "target"):
        pipe = make_pipeline(make(default_domain=chosen), LogisticRegression())
        pipe.fit(X, y, lightschrodingerbridge__sample_domain=domain)
        if chosen is None:
            with pytest.raises(ValueError, match="was not told whose the rows are"):
                pipe.score(pair.Y, y[domain == 1])
        else:
            assert pipe.score(pair.Y, y[domain == 1]) == pipe[1].score(
                pair.Y, y[domain == 1]
            )


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_score_and_loss_do_not_depend_on_the_origin(pair, kind):
    X, Y = pair.X[:400], pair.Y[:300]
    model = make(covariance_type=kind).fit(X, X_target=Y)
    assert model.score(X, X_target=Y) == pytest.approx(-model.loss_, abs=1e-10)
    half = model.score(X[:200], X_target=Y[:150])
    for offset in (100.0, -2e3, 1e5):
        there = make(covariance_type=kind).fit(X + offset, X_target=Y - 2 * offset)
        assert there.loss_ == pytest.approx(model.loss_, abs=1e-8)
        found = there.score(X[:200] + offset, X_target=Y[:150] - 2 * offset)
        assert found == pytest.approx(half, abs=1e-8)
        cost = there.ot_value(X + offset, Y - 2 * offset)
        assert cost == pytest.approx(there.ot_value_, rel=1e-10)


def test_scores_differ_by_divergences(pair, bridge):
    X, Y = pair.X, pair.plan.sample(pair.X, random_state=0)  # rows are pairs
    other = make(covariance_type="spherical").fit(pair.X[:99], X_target=pair.Y)
    gap = bridge.score(X, X_target=Y) - other.score(X, X_target=Y)
    nats = np.mean(bridge.log_density(X, Y) - other.log_density(X, Y))
    assert gap == pytest.approx(nats, rel=1e-9)


@pytest.mark.parametrize("offset", [2e3, 1e5])
def test_single_precision_far_from_zero(pair, offset):
    X, Y = ((Z[:500] + offset).astype(np.float32) for Z in (pair.X, pair.Y))
    params = {"fit_inverse_transform": True, "warm_start": True}
    single, double = make(**params), make(**params)
    for _ in range(2):  # the second goes on from the first
        single.fit(X, X_target=Y)
        double.fit(X.astype(float), X_target=Y.astype(float))
        for name in ("transform", "inverse_transform", "transport_cost", "drift"):
            t = (0.5,) if name == "drift" else ()
            found = getattr(single, name)(X, *t)
            expected = getattr(double, name)(X.astype(float), *t)
            assert_allclose(found - X[:, 0].min(), expected - X[:, 0].min(), atol=0.02)
        assert single.score(X, X_target=Y) == pytest.approx(
            double.score(X.astype(float), X_target=Y.astype(float)), abs=1e-3
        )
        for name in ("log_density", "score_samples"):
            found, expected = (
                getattr(model, name)(*(A.astype(dtype) for A in rows))
                for model, dtype in ((single, np.float32), (double, float))
                for rows in [(X, Y) if name == "log_density" else (Y,)]
            )
            assert_allclose(found, expected, atol=0.05, rtol=1e-3)
        assert single.ot_value(X, Y) == pytest.approx(double.ot_value_, rel=1e-3)


def test_without_target_rows_are_smoothed_towards_themselves(pair):
    with pytest.warns(UserWarning, match="the rows are mapped to themselves"):
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


def test_the_way_back_is_continuous_and_takes_little_memory(pair, bridge):
    line = np.linspace(0, 1, 2001)[:, None]
    Y = pair.Y[:1] * 3 * (1 - line) + pair.Y.mean(axis=0) * line
    steps = np.linalg.norm(np.diff(bridge.inverse_transform(Y), axis=0), axis=1)
    assert steps.max() < 40 * np.median(steps)
    many = np.repeat(pair.Y, 20, axis=0)  # 30 000 rows beside 2 000 stored ones
    tracemalloc.start()
    back = bridge.inverse_transform(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # one array of all pairs has 480 MB
    again = bridge.inverse_transform(pair.Y)
    assert_allclose(back[::20], again, rtol=1e-10, atol=1e-10)


def test_early_stopping_keeps_the_best_pass(pair):
    model = make(early_stopping=True, n_iter_no_change=2).fit(pair.X, X_target=pair.Y)
    assert model.converged_
    truth = pair.plan
    assert conditional_bures_uvp(model, truth, pair.X[:200], pair.Y) < 1


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_equal_first_components_over_fit_least_when_stopped_early(kind):
    known = make_entropic_ot(1500, 1500, 6, epsilon=1.0, radius=4, random_state=0)
    X = np.random.default_rng(1).normal(size=(5000, 6))
    Y = known.plan.sample(X, random_state=2)
    gaps = {}
    for start in ("kmeans", "k-means++"):
        model = LightSchrodingerBridge(
            25,
            epsilon=1.0,
            covariance_type=kind,
            init_params=start,
            early_stopping=True,
            random_state=0,
        ).fit(known.X, X_target=known.Y)
        truth = known.plan.log_density(X, Y)
        gaps[start] = np.mean(truth - model.log_density(X, Y))
    assert gaps["k-means++"] < 0.6 * gaps["kmeans"]


@pytest.mark.parametrize("solver", ["fixed_point", "lbfgs", "adam"])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_fit_on_a_device_goes_on_where_the_rows_are(pair, solver, stopped):
    pytest.importorskip("skorch")
    X, Y = pair.X[:300], pair.Y[:300]
    params = {"solver": solver, "early_stopping": stopped}
    params["torch_params"] = {"max_epochs": 2}
    host, away = make(**params), make(device="cpu", **params)
    for model in (host, away):
        model.fit(X, X_target=Y)
    assert isinstance(away._stream.target.mass, np.ndarray)
    assert_allclose(away.transform(X), host.transform(X), rtol=0, atol=1e-6)
    away = pickle.loads(pickle.dumps(away)).partial_fit(X, X_target=Y)
    assert np.isfinite(away.transform(X)).all()


def test_adam_stops_early(pair):
    pytest.importorskip("skorch")
    X, Y = pair.X[:300], pair.Y[:300]
    model = make(
        solver="adam",
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=1,
        torch_params={"max_epochs": 60, "lr": 3.0},
    ).fit(X, X_target=Y)
    assert model.n_iter_ < 60


def test_an_absent_device_is_named(pair):
    torch = pytest.importorskip("torch")
    absent = f"cuda:{torch.cuda.device_count()}"
    for solver in ("fixed_point", "adam"):
        with pytest.raises(RuntimeError, match=f"device='{absent}' is not on this"):
            make(device=absent, solver=solver).fit(pair.X, X_target=pair.Y)


def test_warm_start_continues(pair, bridge):
    model = make(warm_start=True).fit(pair.X, X_target=pair.Y)
    first = model.n_iter_
    model.fit(pair.X, X_target=pair.Y)
    assert model.n_iter_ <= first
    assert_allclose(model.loss_, bridge.loss_, atol=1e-3)


def test_a_small_batch_moves_a_large_fit_a_little():
    known = make_entropic_ot(5000, 5000, 8, epsilon=1.0, random_state=0)
    rng = np.random.default_rng(9)
    X = rng.normal(size=(4000, 8))
    Y = known.plan.sample(X, random_state=rng)
    truth = known.plan.log_density(X, Y).mean()
    model = LightSchrodingerBridge(5, epsilon=1.0, random_state=0)
    model.fit(known.X, X_target=known.Y)
    before = truth - model.log_density(X, Y).mean()
    for _ in range(20):
        batch = rng.normal(size=(2, 20, 8))
        Z = known.plan.sample(batch[1], random_state=rng)
        model.partial_fit(batch[0], X_target=Z)
        assert truth - model.log_density(X, Y).mean() < 1.5 * before
    assert conditional_bures_uvp(model, known.plan, X[:200], Y) < 0.5


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_batches_count_for_their_rows_and_weights(pair, kind):
    """Weights of all batches on another scale, or copies for weights: one model."""
    start = make(covariance_type=kind).fit(pair.X, X_target=pair.Y)
    X, Y = pair.X[:60], pair.Y[:40]
    once, heavy = (pickle.loads(pickle.dumps(start)) for _ in range(2))
    once.partial_fit(np.repeat(X, 3, axis=0), X_target=np.repeat(Y, 2, axis=0))
    heavy.partial_fit(
        X, X_target=Y, sample_weight=np.full(60, 3), target_weight=np.full(40, 2)
    )
    assert_allclose(heavy.transform(X), once.transform(X), rtol=1e-9, atol=1e-9)
    scaled = make(covariance_type=kind)
    weights = {"sample_weight": np.full(2000, 0.1), "target_weight": np.full(1500, 0.2)}
    scaled.fit(pair.X, X_target=pair.Y, **weights)
    scaled.partial_fit(
        X, X_target=Y, sample_weight=np.full(60, 0.3), target_weight=np.full(40, 0.4)
    )
    assert_allclose(scaled.transform(X), heavy.transform(X), rtol=1e-7, atol=1e-7)


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


def test_the_way_back_learns_from_all_batches(pair):
    model = make(fit_inverse_transform=True, early_stopping=True)
    batches = (np.array_split(rows, 50) for rows in (pair.X, pair.Y))
    for X, Y in zip(*batches, strict=True):  # too small to hold rows out
        before = getattr(model, "inverse_", None)
        model.partial_fit(X[:15], X_target=Y[:15])
        assert model.inverse_ is not before
    assert model.inverse_.n_batches_seen_ == model.n_batches_seen_ == 50
    model.fit(pair.X, X_target=pair.Y)
    assert model.inverse_.n_batches_seen_ == 1
    last = make(early_stopping=True).fit(pair.X, X_target=pair.Y)
    last.set_params(fit_inverse_transform=True).partial_fit(X[:15], X_target=Y[:15])
    assert np.isfinite(last.inverse_transform(pair.Y)).all()


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_partial_fit_goes_on_from_a_fit(pair, kind):
    model = make(covariance_type=kind).fit(pair.X, X_target=pair.Y)
    loss = model.loss_
    for _ in range(3):
        model.partial_fit(pair.X, X_target=pair.Y)
    assert model.n_batches_seen_ == 4
    assert abs(model.loss_ - loss) < 0.02


@pytest.mark.parametrize("kind", ["spherical", "diag", "tied", "full"])
def test_batches_of_one_row_are_taken(pair, kind):
    """A stream may come row by row; early rows weigh what many weigh."""
    model = make(covariance_type=kind).fit(pair.X[:200], X_target=pair.Y[:200])
    score = model.score(pair.X, X_target=pair.Y)
    for i in range(200, 230):
        model.partial_fit(pair.X[i : i + 1], X_target=pair.Y[i : i + 1])
    rows = np.vstack([pair.X[:1], pair.Y[:1]])
    model.partial_fit(rows, sample_domain=[0, 1])
    assert model.n_batches_seen_ == 32
    assert abs(model.score(pair.X, X_target=pair.Y) - score) < 0.1
    with pytest.raises(ValueError, match=r"At least 1 row.*n_samples = 0 in domain 1"):
        model.partial_fit(rows, sample_domain=[0, 0])
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        make().partial_fit(pair.X[:1], X_target=pair.Y[:1])


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
        assert_allclose(mapped.numpy(), plain.transform(pair.X), rtol=0, atol=1e-8)
        if kind in ("spherical", "diag"):  # signs of eigenvectors are a library's own
            assert_allclose(tensors.sample(X).numpy(), plain.sample(pair.X), atol=1e-7)
        assert_allclose(tensors.score(X, X_target=Y), -plain.loss_, rtol=1e-8)
    moved = make(covariance_type=kind, device="cpu").fit(pair.X, X_target=pair.Y)
    assert isinstance(moved.means_, np.ndarray)
    assert_allclose(moved.transform(pair.X), plain.transform(pair.X), rtol=0, atol=1e-8)


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


def test_columns_of_the_target_are_those_of_the_rows(pair):
    frame = pd.DataFrame(pair.X, columns=["a", "b", "c"])
    target = pd.DataFrame(pair.Y, columns=["a", "b", "c"])
    plain = make().fit(frame, X_target=target)
    other = target[["b", "a", "c"]], target.rename(columns={"b": "d"}), target[["a"]]
    matches = (
        r"X_target must have the columns of X in the same order.*\['b', 'a', 'c'\]",
        r"X_target must have the columns of X: missing \['b'\], unexpected \['d'\]",
        r"X_target must have the columns of X: missing \['b', 'c'\]",
    )
    for table, match in zip(other, matches, strict=True):
        for wrong in (table, pl.from_pandas(table), pa.Table.from_pandas(table)):
            with pytest.raises(ValueError, match=match):
                make().fit(frame, X_target=wrong)
        with pytest.raises(ValueError, match=match):
            plain.score(frame, X_target=table)
        with pytest.raises(ValueError, match=match):
            plain.partial_fit(frame, X_target=table)
    with pytest.warns(UserWarning, match="X has feature names and X_target has none"):
        make().fit(frame, X_target=pair.Y)
    with pytest.warns(UserWarning, match="X_target has feature names and X has none"):
        make().fit(pair.X, X_target=target)
    wide = pd.DataFrame(np.ones((4, 30))).add_prefix("f")
    with pytest.raises(ValueError, match=r"missing .* and 22 more"):
        make().fit(wide, X_target=wide.add_prefix("g"))
