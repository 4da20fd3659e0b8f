"""The bridge that chooses its settings by itself."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context

from sklearn_ext.bridge import (
    LightSchrodingerBridge,
    LightSchrodingerBridgeCV,
    make_entropic_ot,
)
from sklearn_ext.bridge._solvers import _choose, _start
from tests.bridge._small import pooled


def chosen(**params):
    return LightSchrodingerBridgeCV(**{"epsilon": 1.0, "random_state": 0, **params})


def gap(model, known, seed=0, n=4000):
    """Divergence from the true plan, on new rows."""
    X = np.random.default_rng(1000 + seed).normal(size=(n, known.X.shape[1]))
    Y = known.plan.sample(X, random_state=seed)
    return np.mean(known.plan.log_density(X, Y) - model.log_density(X, Y))


@pytest.fixture(scope="module")
def model(pair):
    return chosen(fit_inverse_transform=True).fit(pair.X, X_target=pair.Y)


@pytest.mark.parametrize(("D", "kind"), [(16, "isotropic"), (8, "diagonal")])
def test_the_choice_is_nearer_to_the_truth_than_the_defaults(D, kind):
    ratios = []
    for seed in range(4):
        known = make_entropic_ot(1500, 1500, D, kind=kind, random_state=seed)
        default = LightSchrodingerBridge(epsilon=1.0, random_state=seed)
        default.fit(known.X, X_target=known.Y)
        model = chosen(random_state=seed).fit(known.X, X_target=known.Y)
        assert 4 <= model.best_params_["n_components"] <= 10
        ratios.append(gap(model, known, seed) / gap(default, known, seed))
    assert np.median(ratios) < 0.75
    assert max(ratios) < 1.1


def test_few_full_components_are_chosen_where_one_is_the_truth():
    known = make_entropic_ot(1500, 1500, 4, kind="full", n_components=1, random_state=0)
    model = chosen().fit(known.X, X_target=known.Y)
    assert model.best_params_["n_components"] <= 2  # diagonal ones took fourteen
    assert model.best_params_["covariance_type"] in ("full", "tied")
    assert gap(model, known) < 0.02


def test_results_say_what_was_tried(pair, model):
    results = model.cv_results_
    assert set(results) == {*model.best_params_, "held_out_loss", "n_iter"}
    best = results["held_out_loss"].argmin()
    for name, value in model.best_params_.items():
        assert results[name][best] == value
    assert model.n_components_ <= model.best_params_["n_components"]
    assert np.isfinite(results["held_out_loss"]).all()
    assert model.score(pair.X, X_target=pair.Y) == pytest.approx(-model.loss_)


def test_only_what_is_listed_is_tried(pair):
    lists = {
        "n_components": [4, 2],
        "covariance_type": ["tied"],
        "prior_strength": (5.0,),
        "init_params": ["kmeans"],
    }
    model = chosen(**lists).fit(pair.X, X_target=pair.Y)
    for name, values in lists.items():
        assert set(model.cv_results_[name]) <= set(values)
    one = {name: values[0] for name, values in lists.items()}
    model = chosen(**one).fit(pair.X, X_target=pair.Y)
    assert model.best_params_ == one
    assert len(model.cv_results_["n_iter"]) == 1
    plain = LightSchrodingerBridge(
        4, epsilon=1.0, covariance_type="tied", prior_strength=5.0, random_state=0
    ).fit(pair.X, X_target=pair.Y)
    assert model.loss_ == pytest.approx(plain.loss_, abs=5e-3)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_components": [0]}, "n_components as a list must have values"),
        ({"n_components": []}, "n_components as a list must"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"covariance_type": ["round"]}, "covariance_type as a list .* got"),
        ({"covariance_type": "round"}, "'covariance_type' parameter"),
        ({"prior_strength": [-1.0]}, "prior_strength as a list"),
        ({"init_params": ["random"]}, "init_params as a list"),
    ],
)
def test_bad_lists(pair, params, match):
    with pytest.raises(ValueError, match=match):
        chosen(**params).fit(pair.X, X_target=pair.Y)


@pytest.mark.parametrize("how", ["scaled", "repeated", "shuffled"])
def test_a_weighted_sample_has_one_choice_in_any_form(pair, how):
    X, Y = pair.X[:300], pair.Y[:200]
    rng = np.random.default_rng(0)
    u, w = rng.integers(1, 4, 300), rng.integers(1, 3, 200)
    base = chosen().fit(X, X_target=Y, sample_weight=u, target_weight=w)
    if how == "scaled":
        A, B, weights = X, Y, {"sample_weight": u / 1e3, "target_weight": 7.0 * w}
    elif how == "repeated":
        A, B, weights = np.repeat(X, u, axis=0), np.repeat(Y, w, axis=0), {}
    else:
        A, B = X[::-1], Y[::-1]
        weights = {"sample_weight": u[::-1], "target_weight": w[::-1]}
    other = chosen().fit(A, X_target=B, **weights)
    assert other.best_params_ == base.best_params_
    assert_allclose(other.transform(X), base.transform(X), rtol=1e-6, atol=1e-7)


def test_settings_that_are_one_model_are_not_told_apart_by_rounding():
    """With one feature all types of one component agree: the first is taken."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, 1)), rng.normal(2, 0.5, size=(300, 1))
    for dtype in (np.float64, np.float32):
        model = chosen(n_components=1, prior_strength=20.0, init_params="kmeans")
        model.fit(X.astype(dtype), X_target=Y.astype(dtype))
        assert np.ptp(model.cv_results_["held_out_loss"]) < 1e-5
        assert model.best_params_["covariance_type"] == "diag"


def test_few_rows_take_the_first_of_each_list(pair):
    model = chosen(n_components=[2, 1]).fit(pair.X[:6], X_target=pair.Y[:6])
    assert model.best_params_["n_components"] == 2
    assert len(model.cv_results_["held_out_loss"]) == 0
    assert np.isfinite(model.transform(pair.X)).all()


def test_many_rows_are_chosen_by_some(pair, monkeypatch):
    monkeypatch.setattr(_choose, "SEARCH_ROWS", 500)
    seen = []
    search = _choose.Search.__init__

    def spy(self, sides, *args):
        seen.append([side.X.shape[0] for side in sides])
        search(self, sides, *args)

    monkeypatch.setattr(_choose.Search, "__init__", spy)
    model = chosen().fit(pair.X, X_target=pair.Y)
    assert seen == [[400, 400]]
    assert gap(model, pair) < 0.1


def test_a_fit_that_must_not_go_on_makes_one_pass():
    known = make_entropic_ot(150, 150, 8, random_state=0)
    params = {"n_components": [30], "prior_strength": [0.0], "init_params": ["kmeans"]}
    model = chosen(**params, covariance_type=["diag"])
    model.fit(known.X, X_target=known.Y)
    assert model.n_iter_ == 1
    assert model.converged_
    longer = LightSchrodingerBridge(
        30, epsilon=1.0, prior_strength=0.0, random_state=0, max_iter=300, tol=1e-3
    ).fit(known.X, X_target=known.Y)
    assert gap(model, known) < gap(longer, known)


def test_small_epsilon_is_reached_through_larger_ones(pair, monkeypatch):
    levels = []
    annealed = _choose.annealed

    def spy(problem, state):
        levels.append(state.mixture.epsilon / problem.options.epsilon)
        return annealed(problem, state)

    monkeypatch.setattr(_choose, "annealed", spy)
    model = chosen(epsilon=0.002, n_components=[2, 3], prior_strength=[20.0])
    model.fit(pair.X[:300], X_target=pair.Y[:300])
    assert set(levels) == {_start.ANNEAL[0]}
    assert np.isfinite(model.loss_)


def test_everything_else_is_a_bridge(pair, model):
    X, domain = pooled(pair)
    other = chosen(default_domain="source").fit(X, sample_domain=domain)
    assert other.best_params_ == model.best_params_
    assert_allclose(other.transform(pair.X), model.transform(pair.X), atol=1e-8)
    assert model.inverse_transform(pair.Y[:50]).shape == (50, 3)
    assert isinstance(model.inverse_, LightSchrodingerBridgeCV)
    twin = pickle.loads(pickle.dumps(model))
    assert_array_equal(twin.transform(pair.X), model.transform(pair.X))
    before = gap(model, pair)
    twin.partial_fit(pair.X[:100], X_target=pair.Y[:100])
    assert twin.best_params_ == model.best_params_
    assert gap(twin, pair) < before + 0.01
    stream = chosen().partial_fit(pair.X[:500], X_target=pair.Y[:500])
    stream.partial_fit(pair.X[500:], X_target=pair.Y[500:])
    assert stream.n_batches_seen_ == 2
    single = chosen().fit(pair.X.astype("f4"), X_target=pair.Y.astype("f4"))
    assert single.means_.dtype == np.float32
    assert gap(single.fit(pair.X, X_target=pair.Y), pair) < 0.1


def test_tensors_agree_with_numpy(pair, model):
    torch = pytest.importorskip("torch")
    X, Y = torch.as_tensor(pair.X), torch.as_tensor(pair.Y)
    with config_context(array_api_dispatch=True):
        tensors = chosen().fit(X, X_target=Y)
        assert tensors.best_params_ == model.best_params_
        mapped = tensors.transform(X).numpy()
    assert_allclose(mapped, model.transform(pair.X), rtol=0, atol=1e-7)
    moved = chosen(device="cpu").fit(pair.X, X_target=pair.Y)
    assert_allclose(moved.transform(pair.X), model.transform(pair.X), atol=1e-7)


def test_one_component_takes_clusters_that_were_drawn_once(pair):
    following = []
    for types in ("diag", ["diag", "tied"]):
        rng = np.random.default_rng(0)
        model = chosen(
            n_components=1,
            covariance_type=types,
            init_params="kmeans",
            random_state=rng,
        )
        model.fit(pair.X[:60], X_target=pair.Y[:60])
        following.append(rng.random())
    assert following[0] == following[1]
