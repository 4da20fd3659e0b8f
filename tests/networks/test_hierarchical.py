"""A polynomial behind a curve: closed forms against refits, and what it promises."""

import warnings
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, sparse
from scipy.integrate import quad
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from sklearn_ext.networks import HierarchicalPolynomialRegressor
from sklearn_ext.networks._hierarchical._model import Link, Monomials, n_monomials
from sklearn_ext.networks._hierarchical._single_index import (
    Problem,
    WholeRows,
    _curvature,
    _Waves,
    fit_link,
    place_knots,
)
from sklearn_ext.random_features import RandomFeatures

CURVES = {
    "relu": lambda t: np.maximum(t, 0),
    "exp": np.exp,
    "parabola": lambda t: t + t**2,
    "sine": lambda t: np.sin(2 * t),
    "cubic": lambda t: t + 0.5 * (t**3 - 3 * t),
    "even": lambda t: t**2 - 1,
    "absolute": np.abs,
}


def behind_a_curve(g, n, d=20, seed=0, noise=0.05):
    """Rows, targets g(p(x)) with a random quadratic p of variance one, and new rows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n + 2000, d))
    A = rng.standard_normal((d, d))
    A = A + A.T
    p = np.einsum("ij,jk,ik->i", X, A, X) - np.trace(A)
    f = g(p / np.sqrt(2 * (A**2).sum()))
    y = f + noise * f.std() * rng.standard_normal(len(f))
    return X[:n], y[:n], X[n:], y[n:]


def a_table(n=150, d=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.exp(X[:, 0] + 0.5 * X[:, 1]) + 0.1 * rng.standard_normal(n)


def a_problem(X, y, w, degree, alphas=None):
    rows = WholeRows.of(X, y, w)
    features = Monomials.of(rows.X, rows.share, degree)
    return rows, Problem(rows, features, alphas, 20, False)


# --- ridge -----------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2, 4])  # 4: more features than rows
def test_rows_left_out_are_refits(degree):
    rng = np.random.default_rng(0)
    X, y = a_table(30)
    again = np.r_[np.arange(30), np.arange(12)]  # whole rows: copies leave together
    X, y = X[again], y[again] + 0.1 * rng.standard_normal(42)
    w = rng.uniform(0.5, 2, 42)
    rows, problem = a_problem(X, y, w, degree, alphas=np.array([0.7]))
    assert len(rows) == 30
    pull = rng.uniform(0.1, 2, 30)
    Y = np.column_stack([rows.y, rng.standard_normal(30)])
    stages = problem._ridges(Y, rows.w * pull)
    Phi, v = problem.features(rows.X), rows.w * pull
    center, level = np.average(Phi, axis=0, weights=v), np.average(Y, 0, weights=v)
    for j, stage in enumerate(stages):
        for i in range(30):
            rest = np.delete(np.arange(30), i)
            refit = Ridge(alpha=0.7).fit(Phi[rest], Y[rest, j], v[rest])
            said = refit.predict(Phi[[i]])[0]
            assert_allclose(stage.residual[i], Y[i, j] - said, rtol=1e-8)
            slopes = Ridge(alpha=0.7, fit_intercept=False)
            slopes.fit(Phi[rest] - center, Y[rest, j] - level[j], v[rest])
            said = slopes.predict(Phi[[i]] - center)[0] + level[j]
            assert_allclose(stage.index[i], said, rtol=1e-8)
        error = rows.spread + np.average(stage.residual**2, weights=v)
        assert stage.error == pytest.approx(error)


def test_a_weighted_ridge_is_a_ridge_of_scaled_rows():
    X, y = a_table(40)
    w = np.random.default_rng(1).uniform(0.5, 2, 40)
    rows, problem = a_problem(X, y, w, 2, alphas=np.array([0.3]))
    (stage,) = problem._ridges(rows.y[:, None])
    A = np.column_stack([problem.features(rows.X), np.ones(40)])
    penalty = 0.3 * np.diag(np.append(np.ones(A.shape[1] - 1), 0.0))
    root = np.sqrt(rows.w)[:, None]
    scaled = (root * A).T @ (root * A) + penalty
    expected = np.linalg.solve(scaled, (root * A).T @ (root[:, 0] * rows.y))
    found = np.append(stage.coef, stage.intercept)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_straight_line_is_the_ridge_exactly():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0] + rng.standard_normal(200)
    model = HierarchicalPolynomialRegressor(1).fit(X, y)
    assert model.best_stage_ == "ridge"
    Z = StandardScaler().fit_transform(X)
    ridge = Ridge(alpha=model.alpha_).fit(Z, y)
    assert_allclose(model.component_coef_, ridge.coef_, rtol=1e-9)
    assert_allclose(model.predict(X), ridge.predict(Z), rtol=1e-9)
    assert_array_equal(model.link([-1e9, 0.0, 1e9]), [-1e9, 0.0, 1e9])


def test_the_ridge_is_chosen_as_RidgeCV_does():
    X, y = load_diabetes(return_X_y=True)
    alphas = np.logspace(-2, 4, 13)
    model = HierarchicalPolynomialRegressor(1, alphas=alphas, max_iter=0, min_gain=0.5)
    model.fit(X, y)
    Z = StandardScaler().fit_transform(X)
    peer = RidgeCV(alphas=alphas).fit(Z, y)
    assert model.alpha_ == pytest.approx(peer.alpha_)
    assert model.loo_error_ == pytest.approx(-peer.best_score_, rel=1e-9)
    assert_allclose(model.predict(X), peer.predict(Z), rtol=1e-9)


# --- curve -----------------------------------------------------------------------


def test_the_curve_is_straight_beyond_its_knots_and_smooth_between():
    rng = np.random.default_rng(0)
    t = rng.standard_normal(300)
    link, _ = fit_link(t, np.sin(2 * t), np.ones(300), 20)
    low, high = link.knots[[0, -1]]
    for far, slope in ((low - np.arange(4.0), 0), (high + np.arange(4.0), -1)):
        assert_allclose(np.diff(link(far)) / np.diff(far), link.slopes[slope])
    at = np.linspace(low - 1, high + 1, 501)
    numeric = (link(at + 1e-6) - link(at - 1e-6)) / 2e-6
    assert_allclose(link.derivative(at), numeric, atol=1e-5)
    bent = (link.derivative(link.knots + 1e-6) - link.derivative(link.knots)) / 1e-6
    before = (link.derivative(link.knots) - link.derivative(link.knots - 1e-6)) / 1e-6
    assert_allclose(bent, before, atol=1e-3 * abs(bent).max())  # second derivatives
    assert_allclose(link(link.knots), link.values)


def test_the_penalty_is_the_integral_of_the_squared_second_derivative():
    from scipy.interpolate import CubicSpline

    knots = np.array([0.0, 0.1, 0.35, 0.4, 0.8, 1.0])
    values = np.random.default_rng(0).standard_normal(6)
    spline = CubicSpline(knots, values, bc_type="natural")
    pieces = pairwise(knots)
    total = sum(quad(lambda t: spline(t, 2) ** 2, a, b)[0] for a, b in pieces)
    assert_allclose(values @ _curvature(knots) @ values, total, rtol=1e-9)


def test_rows_left_out_by_the_curve_are_refits():
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(0)
    t, w = np.sort(rng.uniform(0, 1, 40)), rng.uniform(0.5, 2, 40)
    y = np.cos(5 * t) + 0.1 * rng.standard_normal(40)
    knots = np.linspace(t[0], t[-1], 7)
    B = CubicSpline(knots, np.eye(7), bc_type="natural")(t)
    root, penalty = np.sqrt(w), _curvature(knots)
    waves = _Waves.of(B * root[:, None], penalty)
    for lam in (waves.grid[0], waves.grid[10]):
        found = waves.left_out(root * y, lam) / root
        for i in range(40):
            rest = np.delete(np.arange(40), i)
            G = B[rest].T @ (w[rest, None] * B[rest]) + lam * penalty
            values = np.linalg.solve(G, B[rest].T @ (w[rest] * y[rest]))
            assert_allclose(found[i], y[i] - B[i] @ values, rtol=1e-6, atol=1e-9)


def test_a_rising_curve_is_the_best_one_that_rises():
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(0)
    t, y = rng.uniform(0, 1, 60), rng.standard_normal(60)
    knots = np.linspace(t.min(), t.max(), 6)
    B = CubicSpline(knots, np.eye(6), bc_type="natural")(t)
    penalty = _curvature(knots)
    waves = _Waves.of(B, penalty)
    lam = waves.grid[8]
    values = waves.rising(y, lam)
    assert (np.diff(values) >= -1e-12).all()

    def loss(v):
        return ((y - B @ v) ** 2).sum() + lam * v @ penalty @ v

    rises = {"type": "ineq", "fun": np.diff}
    best = optimize.minimize(loss, np.zeros(6), constraints=rises, tol=1e-12)
    assert loss(values) <= best.fun * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_monotonic_curves_never_fall(seed):
    X, y = a_table(200, seed=seed)
    y = np.sin(2 * y)  # the best curve falls
    free = HierarchicalPolynomialRegressor(1, min_gain=0.0).fit(X, y)
    model = clone(free).set_params(monotonic=True).fit(X, y)
    t = np.linspace(-10, 10, 4001)
    assert (np.diff(model.link(t)) >= -1e-12).all()
    assert (np.diff(free.link(t)) < 0).any()


def test_a_rising_curve_costs_nothing_where_the_truth_rises():
    X, y = a_table(400)
    free = HierarchicalPolynomialRegressor(1).fit(X, y)
    rising = HierarchicalPolynomialRegressor(1, monotonic=True).fit(X, y)
    assert rising.loo_error_ < 1.1 * free.loo_error_


def test_knots_lie_in_tails_and_in_the_bulk():
    t = np.append(np.linspace(0, 1, 99), 100.0)
    knots = place_knots(t, np.ones(100), 20)
    assert knots[0] == 0
    assert knots[-1] == 100
    assert (knots < 1).sum() >= 8
    assert ((knots > 1) & (knots < 100)).sum() >= 8
    assert place_knots(np.repeat(np.arange(19.0), 5), np.ones(95), 20) is None


# --- the index -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("relu", 0.99),
        ("parabola", 0.98),
        ("sine", 0.98),
        ("cubic", 0.98),
        ("exp", 0.95),
        ("even", 0.98),
        ("absolute", 0.98),
    ],
)
def test_links_of_every_kind_are_found(name, least):
    X, y, X_new, y_new = behind_a_curve(CURVES[name], 2400)
    model = HierarchicalPolynomialRegressor(2).fit(X, y)
    assert model.best_stage_ == "refined"
    assert model.score(X_new, y_new) > least
    ridge = HierarchicalPolynomialRegressor(2, max_iter=0, min_gain=0.99).fit(X, y)
    assert ridge.best_stage_ == "ridge"
    assert ridge.score(X_new, y_new) < 0.8


def test_the_two_layers_of_the_paper_stand_between_ridge_and_rounds():
    X, y, X_new, y_new = behind_a_curve(CURVES["relu"], 2400)
    paper = HierarchicalPolynomialRegressor(2, max_iter=0).fit(X, y)
    assert paper.best_stage_ == "link"
    assert 0.85 < paper.score(X_new, y_new) < 0.95
    assert paper.n_iter_ == 2
    assert len(paper.loo_error_path_) == 2


def test_few_rows_are_enough_where_boosting_sees_nothing():
    X, y, X_new, y_new = behind_a_curve(CURVES["parabola"], 800)
    model = HierarchicalPolynomialRegressor(2).fit(X, y)
    boosting = HistGradientBoostingRegressor(max_iter=30).fit(X, y)
    assert model.score(X_new, y_new) > 0.98
    assert boosting.score(X_new, y_new) < 0.3


def test_products_are_found_that_a_line_and_a_first_curve_do_not_see():
    X, y, X_new, y_new = behind_a_curve(CURVES["absolute"], 800, seed=101)
    model = HierarchicalPolynomialRegressor().fit(X, y)
    assert model.degree_ == 2
    assert model.score(X_new, y_new) > 0.98


def test_errors_of_rows_left_out_are_honest():
    for seed in range(3):
        X, y, X_new, y_new = behind_a_curve(CURVES["relu"], 800, d=10, seed=seed)
        model = HierarchicalPolynomialRegressor(2).fit(X, y)
        error = np.mean((y_new - model.predict(X_new)) ** 2)
        assert 0.6 < model.loo_error_ / error < 1.4


def test_noise_rarely_gets_a_curve_and_never_a_wild_one():
    curves, scores = 0, []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((2300, 5)), rng.standard_normal(2300)
        model = HierarchicalPolynomialRegressor().fit(X[:300], y[:300])
        curves += model.best_stage_ != "ridge"
        scores.append(model.score(X[300:], y[300:]))
    assert curves <= 2
    assert np.median(scores) > -0.03
    assert min(scores) > -0.3


def test_one_row_alone_is_no_evidence():
    """The squares of one row may be most of the error: luck, not a curve."""
    X, y, X_new, y_new = behind_a_curve(CURVES["cubic"], 800)
    assert np.sort(y**2)[-2:].sum() > 0.85 * (y**2).sum()
    model = HierarchicalPolynomialRegressor(2).fit(X, y)
    ridge = HierarchicalPolynomialRegressor(2, min_gain=0.999).fit(X, y)
    assert model.score(X_new, y_new) > ridge.score(X_new, y_new) - 0.1


def test_balanced_rows_do_not_tell_their_own_targets():
    """Where slopes are zero by design, leaving a row out moves them by its target."""
    rng = np.random.default_rng(0)
    half = rng.standard_normal((150, 3))
    X, noise = np.r_[half, -half], rng.standard_normal(150)
    model = HierarchicalPolynomialRegressor(1).fit(X, np.r_[noise, noise])
    assert model.best_stage_ == "ridge"
    square = half[:, 0] ** 2  # and an even curve is found all the same
    model = HierarchicalPolynomialRegressor(1).fit(X, np.r_[square, square])
    assert model.score(X, np.r_[square, square]) > 0.99
    design = np.array(list(product([-1.0, 0.0, 1.0], repeat=4)))
    model = HierarchicalPolynomialRegressor(1).fit(design, rng.standard_normal(81))
    assert model.best_stage_ == "ridge"


def test_min_gain_is_the_price_of_a_stage():
    X, y = a_table(300)
    eager = HierarchicalPolynomialRegressor(1, min_gain=0.0).fit(X, y)
    path = eager.loo_error_path_
    assert eager.loo_error_ == path.min()
    lazy = HierarchicalPolynomialRegressor(1, min_gain=0.999).fit(X, y)
    assert lazy.best_stage_ == "ridge"
    assert lazy.loo_error_ == path[0]


def test_the_degree_is_that_of_the_least_error():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    flat = X @ rng.standard_normal(6) + rng.standard_normal(300)
    assert HierarchicalPolynomialRegressor().fit(X, flat).degree_ == 1
    products = X[:, 0] * X[:, 1] + 0.1 * rng.standard_normal(300)
    assert HierarchicalPolynomialRegressor().fit(X, products).degree_ == 2
    wide = rng.standard_normal((60, 50))  # 1,325 monomials of degree 2
    assert HierarchicalPolynomialRegressor().fit(wide, wide[:, 0]).degree_ == 1


# --- rows ------------------------------------------------------------------------


def the_same(one, other, X, rtol=1e-7):
    assert one.best_stage_ == other.best_stage_
    assert_allclose(other.alpha_, one.alpha_, rtol=1e-6)
    assert_allclose(other.loo_error_path_, one.loo_error_path_, rtol=1e-6)
    said = one.predict(X)
    assert_allclose(other.predict(X), said, rtol=rtol, atol=rtol * abs(said).max())


def test_weights_are_repetition():
    X, y = a_table()
    w = np.random.default_rng(0).integers(0, 4, len(y))
    model = HierarchicalPolynomialRegressor()
    one = clone(model).fit(X, y, sample_weight=w)
    assert one.best_stage_ == "refined"
    other = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    the_same(one, other, X)
    order = np.random.default_rng(1).permutation(len(y))
    the_same(one, clone(model).fit(X[order], y[order], sample_weight=w[order]), X)
    scaled = clone(model).fit(X, y, sample_weight=1e-3 * w)
    assert_allclose(scaled.predict(X), one.predict(X), rtol=1e-7)


def test_targets_that_tie_keep_their_rank_where_rows_are_joined():
    """The mean of equal targets is not their value to the last bit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    y = rng.poisson(np.exp(X[:, 0])) / 10
    w = np.full(200, 3)
    one = HierarchicalPolynomialRegressor().fit(X, y, sample_weight=w)
    other = HierarchicalPolynomialRegressor().fit(np.repeat(X, 3, 0), np.repeat(y, 3))
    the_same(one, other, X)


def test_units_and_offsets_of_columns_and_target_do_not_matter():
    X, y = a_table()
    one = HierarchicalPolynomialRegressor().fit(X, y)
    moved = X * [1e8, 1e-8, 3.0] + [0.0, 1.0, 1e4]
    other = HierarchicalPolynomialRegressor().fit(moved, 1e6 * y + 1e7)
    expected = 1e6 * one.predict(X) + 1e7
    assert_allclose(other.predict(moved), expected, rtol=1e-6)
    assert other.best_stage_ == one.best_stage_


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e150, 1e300])
def test_units_that_squares_do_not_survive(unit):
    X, y = a_table()
    said = HierarchicalPolynomialRegressor().fit(X, y).predict(X)
    columns = HierarchicalPolynomialRegressor().fit(unit * X, y)
    assert_allclose(columns.predict(unit * X), said, rtol=1e-7)
    target = HierarchicalPolynomialRegressor().fit(X, unit * y)
    assert_allclose(target.predict(X) / unit, said, rtol=1e-7, atol=1e-9)


def test_a_target_that_varies_in_its_last_bits_gets_no_curve():
    X, y = a_table()
    model = HierarchicalPolynomialRegressor().fit(X, 1 + 1e-15 * y)
    assert model.best_stage_ == "ridge"
    assert_allclose(model.predict(X), 1)


@pytest.mark.parametrize("n_knots", [4, 1000])
def test_any_number_of_knots(n_knots):
    X, y = a_table()
    model = HierarchicalPolynomialRegressor(1, n_knots=n_knots).fit(X, y)
    assert 4 <= len(model.link_.knots) <= 75
    assert model.score(X, y) > 0.9


def test_constant_columns_are_no_features_that_count():
    X, y = a_table()
    one = HierarchicalPolynomialRegressor(2).fit(X, y)
    more = np.column_stack([X, np.full(len(y), 1e6), np.full(len(y), 0.1)])
    other = HierarchicalPolynomialRegressor(2).fit(more, y)
    assert_allclose(other.predict(more), one.predict(X), rtol=1e-7)
    alone = HierarchicalPolynomialRegressor().fit(more[:, 3:], y)
    assert_allclose(alone.predict(more[:, 3:]), y.mean())


def test_a_constant_target_is_predicted():
    X, _ = a_table()
    for value in (0.0, 0.1, -3e20):
        model = HierarchicalPolynomialRegressor().fit(X, np.full(len(X), value))
        assert_allclose(model.predict(X), value, rtol=1e-12)
        assert model.best_stage_ == "ridge"
        assert model.loo_error_ == 0


def test_few_distinct_values_of_the_index_get_no_curve():
    X = np.repeat(np.arange(12.0), 20)[:, None]
    y = np.exp(X[:, 0] / 3)
    model = HierarchicalPolynomialRegressor(1).fit(X, y)
    assert model.best_stage_ == "ridge"
    assert len(model.loo_error_path_) == 1


def test_predictions_go_on_straight():
    X, y = a_table()
    model = HierarchicalPolynomialRegressor(1).fit(X, y)
    assert model.best_stage_ == "refined"
    far = np.outer(np.arange(10.0, 14.0), [1.0, 0.5, 0.0])
    said = model.predict(far)
    assert_allclose(np.diff(said, 2), 0, atol=1e-7 * abs(said).max())


def test_sparse_rows_are_dense_ones():
    X, y = a_table()
    X = np.where(abs(X) > 0.7, X, 0)
    one = HierarchicalPolynomialRegressor(2).fit(X, y)
    other = HierarchicalPolynomialRegressor(2).fit(sparse.csr_array(X), y)
    assert_allclose(other.predict(sparse.csc_array(X)), one.predict(X), rtol=1e-9)


def test_blocks_of_rows_are_one_table(monkeypatch):
    from sklearn_ext.networks._hierarchical import _model, _single_index

    X, y = a_table()
    one = HierarchicalPolynomialRegressor(2).fit(X, y)
    monkeypatch.setattr(_single_index, "KEPT", 0)
    monkeypatch.setattr(_model, "CELLS", 9 * 20)
    other = HierarchicalPolynomialRegressor(2).fit(X, y)
    the_same(one, other, X)


# --- features --------------------------------------------------------------------


@pytest.mark.parametrize("interaction_only", [False, True])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_monomials_are_those_of_scikit_learn_on_one_scale(degree, interaction_only):
    X = np.random.default_rng(0).standard_normal((50, 4)) * [1, 10, 0.1, 1] + 5
    made = Monomials.of(
        X, np.full(50, 1 / 50), degree, interaction_only=interaction_only
    )
    Z = StandardScaler().fit_transform(X)
    peer = PolynomialFeatures(
        degree, include_bias=False, interaction_only=interaction_only
    )
    expected = StandardScaler().fit_transform(peer.fit_transform(Z))
    assert_allclose(made(X), expected, rtol=1e-8, atol=1e-8)
    names = [f"x{j}" for j in range(4)]
    assert_array_equal(made.names(np.array(names)), peer.get_feature_names_out(names))
    counted = n_monomials(4, degree, interaction_only=interaction_only)
    assert counted == len(made) == len(expected.T)


def test_powers_of_indicators_are_left_out():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(80), rng.integers(0, 2, 80)])
    model = HierarchicalPolynomialRegressor(3, min_gain=0.0).fit(X, X[:, 0])
    names = model.get_feature_names_out().tolist()
    assert names == ["x0", "x1", "x0^2", "x0 x1", "x0^3", "x0^2 x1"]


def test_names_come_from_the_frame():
    X, y = a_table()
    frame = pd.DataFrame(X, columns=["age", "size", "floor"])
    model = HierarchicalPolynomialRegressor(2).fit(frame, y)
    names = model.get_feature_names_out()
    assert names[:5].tolist() == ["age", "size", "floor", "age^2", "age size"]
    assert len(names) == len(model.component_coef_)
    text = model.summary(n_terms=2)
    assert "* age\n" in text
    assert "y = g(t)" in text
    assert "and 7 smaller terms" in text
    noise = np.random.default_rng(1).standard_normal(len(X))
    straight = HierarchicalPolynomialRegressor(1).fit(frame, X[:, 0] + noise)
    assert straight.summary().endswith("y = t")


@pytest.mark.parametrize(
    "feature_map",
    ["linear", RandomFeatures(n_components=60, random_state=0), SplineTransformer(5)],
    ids=["linear", "random", "splines"],
)
def test_feature_maps(feature_map):
    X, y = a_table(300)
    model = HierarchicalPolynomialRegressor(feature_map=feature_map).fit(X, y)
    assert model.score(X, y) > 0.9
    assert len(model.get_feature_names_out()) == len(model.component_coef_)
    assert hasattr(model, "degree_") == (feature_map == "linear")
    w = np.random.default_rng(0).integers(1, 4, len(y))
    one = clone(model).fit(X, y, sample_weight=w)
    other = clone(model).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    the_same(one, other, X, rtol=1e-6)


def test_linear_is_degree_one():
    X, y = a_table()
    one = HierarchicalPolynomialRegressor(feature_map="linear").fit(X, y)
    other = HierarchicalPolynomialRegressor(1).fit(X, y)
    assert_array_equal(one.predict(X), other.predict(X))


def test_index_and_link_are_the_prediction():
    X, y = a_table()
    model = HierarchicalPolynomialRegressor(2).fit(X, y)
    assert_array_equal(model.link(model.index(X)), model.predict(X))
    t = model.index(X)
    features = model.feature_map_(X) @ model.component_coef_ + model.intercept_
    assert_allclose(t, features)
    knots = model.link_.knots
    assert_allclose(model.link(knots), model.link_.values)
    assert isinstance(model.link_, Link)


# --- the contract ----------------------------------------------------------------


def test_parameters_changed_after_fit_change_nothing():
    X, y = a_table()
    model = HierarchicalPolynomialRegressor(2).fit(X, y)
    before = model.predict(X)
    model.set_params(degree=1, standardize=False, monotonic=True, feature_map="linear")
    assert_array_equal(model.predict(X), before)


def test_another_fit_forgets_the_first():
    X, y = a_table()
    model = HierarchicalPolynomialRegressor(2).fit(X, y)
    model.set_params(feature_map=SplineTransformer()).fit(X, y)
    assert not hasattr(model, "degree_")
    fresh = HierarchicalPolynomialRegressor(2, feature_map=SplineTransformer())
    assert_array_equal(fresh.fit(X, y).predict(X), model.predict(X))


def test_it_can_be_searched_in_a_pipeline():
    X, y = a_table()
    pipe = make_pipeline(StandardScaler(), HierarchicalPolynomialRegressor())
    name = "hierarchicalpolynomialregressor"
    search = GridSearchCV(pipe, {f"{name}__degree": [1, 2, "auto"]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [1.0, 0.0]}, "alphas must be a list of positive numbers"),
        ({"alphas": [[1.0]]}, "alphas must be a list of positive numbers"),
        ({"alphas": []}, "alphas must be a list of positive numbers"),
        ({"alphas": [np.inf]}, "alphas must be finite"),
        ({"alphas": [np.nan]}, "alphas must be a list of positive numbers"),
        ({"degree": 0}, "degree"),
        ({"degree": "two"}, "degree"),
        ({"n_knots": 3}, "n_knots"),
        ({"max_iter": -1}, "max_iter"),
        ({"min_gain": 1.0}, "min_gain"),
        ({"feature_map": "poly"}, "feature_map"),
        ({"feature_map": 3}, "feature_map"),
    ],
)
def test_bad_parameters(options, message):
    X, y = a_table(40)
    with pytest.raises(ValueError, match=message):
        HierarchicalPolynomialRegressor(**options).fit(X, y)


def test_too_many_monomials_name_the_ways_out():
    X = np.random.default_rng(0).standard_normal((30, 100))
    with pytest.raises(ValueError, match=r"5,150 monomials of degree 2.*") as error:
        HierarchicalPolynomialRegressor(2).fit(X, X[:, 0])
    for way in ("smaller degree", "interaction_only=True", "RandomFeatures"):
        assert way in str(error.value)
    wide = sparse.csr_array(np.eye(30, 5001))
    with pytest.raises(ValueError, match=r"5,001 monomials"):
        HierarchicalPolynomialRegressor().fit(wide, np.arange(30.0))
    with pytest.raises(ValueError, match=r"feature_map may make 5,000 columns"):
        HierarchicalPolynomialRegressor(
            feature_map=RandomFeatures(n_components=6000, random_state=0)
        ).fit(X, X[:, 0])


def test_several_targets_are_refused():
    X, y = a_table(40)
    with pytest.raises(ValueError, match="1d array"):
        HierarchicalPolynomialRegressor().fit(X, np.c_[y, y])


def test_no_torch_and_no_other_family_is_imported():
    import subprocess
    import sys

    code = (
        "import sys, sklearn_ext.networks._hierarchical._regressor;"
        "assert 'torch' not in sys.modules;"
        "assert not [m for m in sys.modules if m.startswith('sklearn_ext.probes')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("heavy", [1e12, 1e300])
def test_one_row_that_outweighs_all(heavy):
    X, y = a_table()
    w = np.ones(len(y))
    w[3] = heavy
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = HierarchicalPolynomialRegressor().fit(X, y, sample_weight=w)
    assert np.isfinite(model.predict(X)).all()
    assert_allclose(model.predict(X[[3]]), y[3], rtol=1e-4)


@pytest.mark.parametrize("light", [1e-300, 1e-16])
def test_rows_of_next_to_no_weight_are_absent(light):
    X, y = a_table()
    w = np.where(np.arange(len(y)) % 3, 1.0, light)
    one = HierarchicalPolynomialRegressor().fit(X, y, sample_weight=w)
    there = w == 1
    other = HierarchicalPolynomialRegressor().fit(X[there], y[there])
    assert_allclose(one.predict(X), other.predict(X), rtol=1e-7)
