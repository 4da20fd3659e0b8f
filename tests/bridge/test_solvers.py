"""The solvers: stationarity, equivalences, recovery of known plans."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from sklearn_ext.bridge import (
    EntropicPlan,
    LightSchrodingerBridge,
    conditional_bures_uvp,
    gaussian_entropic_plan,
    make_entropic_ot,
)
from sklearn_ext.bridge._samples import Sample, principal_order, systematic
from sklearn_ext.bridge._solvers import _start
from sklearn_ext.bridge._solvers._fixed_point import (
    Options,
    Rows,
    advance,
    evaluate,
    expect,
    penalty,
)
from sklearn_ext.bridge._solvers._lbfgs import loss_and_gradient, pack
from sklearn_ext.bridge._solvers._start import (
    kmeans_plus_plus,
    nearest,
    problem_of,
    solve,
)

KINDS = ["spherical", "diag", "tied", "full"]


def blobs(rng, n=400, m=300, D=2):
    centres = rng.normal(size=(3, D)) * 3
    X = rng.normal(size=(n, D))
    Y = centres[rng.integers(3, size=m)] + rng.normal(size=(m, D)) * 0.5
    return X, Y + 1.0


def samples(X, Y):
    return [Sample(Z - Z.mean(axis=0), np.ones(len(Z))) for Z in (X, Y)]


def exact(kind, K=3, **params):
    defaults = {"prior_strength": 0.0, "reg_covar": 0.0, "balance_iter": 20}
    return LightSchrodingerBridge(
        K,
        epsilon=1.0,
        covariance_type=kind,
        tol=1e-13,
        max_iter=3000,
        random_state=0,
        **{**defaults, **params},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_stationary_point_matches_moments_and_has_no_gradient(kind, rng):
    X, Y = blobs(rng)
    bridge = exact(kind).fit(X, X_target=Y)
    mean, cov = bridge.conditional_mean_cov(X)
    got = cov.mean(axis=0) + np.cov(mean, rowvar=False, ddof=0)
    want = np.cov(Y, rowvar=False, ddof=0)
    assert_allclose(mean.mean(axis=0), Y.mean(axis=0), atol=1e-5)
    if kind in ("full", "tied"):
        assert_allclose(got, want, atol=1e-5)
    elif kind == "diag":
        assert_allclose(np.diag(got), np.diag(want), atol=1e-5)
    else:
        assert_allclose(np.trace(got), np.trace(want), atol=1e-5)
    source, target = bridge._stream.source, bridge._stream.target
    assert_allclose(source.mass, target.mass, atol=1e-5)
    options = Options(3, 1.0, kind, 0.0, 0.0)
    problem = problem_of(*samples(X, Y), options)
    mixture = bridge._stream.mixture
    anchor = evaluate(problem, mixture)
    _, gradient = loss_and_gradient(pack(mixture), problem, anchor)
    assert abs(gradient).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_against_differences(kind, rng):
    X, Y = blobs(rng, n=60, m=50)
    options = Options(2, 1.0, kind, max_iter=2)
    problem = problem_of(*samples(X, Y), options)
    fit, _ = solve(*samples(X, Y), options, np.random.RandomState(0))
    anchor = evaluate(problem, fit.state.mixture)
    theta = pack(fit.state.mixture)
    theta = theta + 0.05 * rng.normal(size=len(theta))
    _, gradient = loss_and_gradient(theta, problem, anchor)
    numeric = approx_fprime(
        theta, lambda at: loss_and_gradient(at, problem, anchor)[0], 1e-6
    )
    assert_allclose(gradient, numeric, atol=2e-5)


def test_one_full_component_is_the_gaussian_plan(rng):
    X, Y = blobs(rng, D=3)
    bridge = exact("full", K=1).fit(X, X_target=Y)
    C0, C1 = (np.cov(Z, rowvar=False, ddof=0) for Z in (X, Y))
    plan = gaussian_entropic_plan(X.mean(axis=0), C0, Y.mean(axis=0), C1, 1.0)
    assert_allclose(bridge.scales_, plan.parameters.scales, atol=1e-10)
    assert_allclose(bridge.transform(X), plan.conditional_mean(X), atol=1e-10)
    S = bridge.scales_[0]
    assert_allclose(S @ C0 @ S + S, C1, atol=1e-10)


@pytest.mark.parametrize("kind", ["diag", "full"])
def test_source_at_one_point_gives_a_gaussian_mixture(kind, rng):
    _, Y = blobs(rng)
    X = np.zeros((50, 2))
    bridge = exact(kind).fit(X, X_target=Y)
    eps_S = bridge.epsilon_ * bridge.scales_
    precisions = 1 / eps_S if kind == "diag" else np.linalg.inv(eps_S)
    weights = np.exp(bridge.log_weights_ - logsumexp(bridge.log_weights_))
    mixture = GaussianMixture(
        3,
        covariance_type=kind,
        reg_covar=0.0,
        tol=1e-12,
        max_iter=1000,
        weights_init=weights,
        means_init=bridge.means_,
        precisions_init=precisions,
    ).fit(Y)
    assert_allclose(-bridge.loss_, mixture.score(Y), rtol=1e-10)
    order, other = np.argsort(bridge.means_[:, 0]), np.argsort(mixture.means_[:, 0])
    assert_allclose(bridge.means_[order], mixture.means_[other], rtol=0, atol=1e-6)
    assert_allclose(eps_S[order], mixture.covariances_[other], rtol=0, atol=1e-6)


def test_penalised_loss_never_rises(rng):
    X, Y = blobs(rng)
    for prior in (0.0, 20.0):
        options = Options(5, 0.5, "diag", prior, 0.0, max_iter=1)
        problem = problem_of(*samples(X, Y), options)
        fit, _ = solve(*samples(X, Y), options, np.random.RandomState(1))
        state = fit.state
        for _ in range(15):
            before = state.loss + penalty(problem, state.mixture, state)
            found, drop = advance(problem, state)
            if found is None:
                break
            after = found.loss + penalty(problem, found.mixture, state)
            assert after <= before + 1e-9 * abs(before)
            assert_allclose(drop, before - after, atol=1e-12)
            state = found


@pytest.mark.parametrize("kind", KINDS)
def test_quasi_newton_hardly_improves_the_fixed_point(kind, rng):
    X, Y = blobs(rng)
    params = {"covariance_type": kind, "epsilon": 1.0, "prior_strength": 0.0}
    params |= {"random_state": 0, "tol": 1e-7, "max_iter": 500}
    fixed = LightSchrodingerBridge(3, **params).fit(X, X_target=Y)
    newton = LightSchrodingerBridge(3, solver="lbfgs", **params).fit(X, X_target=Y)
    assert abs(newton.loss_ - fixed.loss_) < 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_fit_follows_shifts_scales_and_rotations(kind, rng):
    X, Y = blobs(rng)
    params = {"covariance_type": kind, "random_state": 0}
    base = LightSchrodingerBridge(3, epsilon=0.7, **params).fit(X, X_target=Y)
    shift = np.array([5.0, -3.0])
    moved = LightSchrodingerBridge(3, epsilon=0.7, **params)
    moved.fit(X + shift, X_target=Y - shift)
    assert_allclose(
        moved.transform(X + shift), base.transform(X) - shift, rtol=0, atol=1e-10
    )
    small = LightSchrodingerBridge(3, epsilon=0.7 / 16, **params)
    small.fit(X / 4, X_target=Y / 4)
    assert_allclose(small.transform(X / 4) * 4, base.transform(X), rtol=0, atol=1e-8)
    order = rng.permutation(len(X))
    mixed = LightSchrodingerBridge(3, epsilon=0.7, **params)
    mixed.fit(X[order], X_target=Y[rng.permutation(len(Y))])
    assert_allclose(mixed.transform(X), base.transform(X), rtol=0, atol=1e-8)
    if kind == "diag":
        return
    R = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    turned = LightSchrodingerBridge(3, epsilon=0.7, **params).fit(X @ R, X_target=Y @ R)
    assert_allclose(turned.transform(X @ R) @ R.T, base.transform(X), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_repetitions_and_zero_is_absence(kind, rng):
    X, Y = blobs(rng, 100, 80)
    u, w = rng.integers(0, 3, 100), rng.integers(0, 3, 80)
    params = {"covariance_type": kind, "random_state": 0, "epsilon": 1.0}
    weighted = LightSchrodingerBridge(3, **params).fit(
        X, X_target=Y, sample_weight=u, target_weight=w
    )
    repeated = LightSchrodingerBridge(3, **params).fit(
        np.repeat(X, u, axis=0), X_target=np.repeat(Y, w, axis=0)
    )
    assert_allclose(weighted.transform(X), repeated.transform(X), rtol=1e-7, atol=1e-8)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-9)


def changed(X, Y, u, w, how, rng):
    """Return the same weighted samples in another form."""
    if how == "scaled":
        return X, Y, u / u.sum() / 3, w * 1e5
    if how == "repeated":
        return np.repeat(X, u, axis=0), np.repeat(Y, w, axis=0), None, None
    rows, others = rng.permutation(len(X)), rng.permutation(len(Y))
    return X[rows], Y[others], u[rows], w[others]


@pytest.mark.parametrize("how", ["scaled", "repeated", "shuffled"])
@pytest.mark.parametrize(
    "params",
    [
        *({"covariance_type": kind} for kind in KINDS),
        {"early_stopping": True, "validation_fraction": 0.3, "prior_strength": 0.0},
        {"init_params": "k-means++", "early_stopping": True},
        {"solver": "lbfgs"},
        {"fit_inverse_transform": True},
        {"epsilon": "scale", "epsilon_annealing": True},
    ],
    ids=lambda params: "-".join(map(str, params.values())),
)
def test_a_weighted_sample_has_one_bridge_in_any_form(params, how, rng):
    X, Y = blobs(rng, 100, 80)
    u, w = rng.integers(1, 4, 100), rng.integers(0, 3, 80)
    params = {"epsilon": 1.0, "random_state": 0, **params}
    base = LightSchrodingerBridge(4, **params)
    base.fit(X, X_target=Y, sample_weight=u, target_weight=w)
    A, B, a, b = changed(X, Y, u, w, how, rng)
    other = LightSchrodingerBridge(4, **params)
    other.fit(A, X_target=B, sample_weight=a, target_weight=b)
    assert_allclose(other.transform(X), base.transform(X), rtol=1e-6, atol=1e-7)
    assert_allclose(other.loss_, base.loss_, rtol=1e-8)
    if base.fit_inverse_transform:
        back = base.inverse_transform(Y)
        assert_allclose(other.inverse_transform(Y), back, rtol=1e-6, atol=1e-7)
        assert_allclose(other.score_samples(Y), base.score_samples(Y), rtol=1e-7)


@pytest.mark.parametrize("how", ["scaled", "repeated", "shuffled"])
def test_large_weighted_samples_have_one_bridge_in_any_form(how, rng, monkeypatch):
    """Also where only some rows make the start and the first passes."""
    monkeypatch.setattr(_start, "STAGED_FROM", 1000)
    monkeypatch.setattr(_start, "STAGES", ((500, 5),))
    monkeypatch.setattr(_start, "STARTING_ROWS", 300)
    X, Y = blobs(rng, 900, 800)
    u, w = rng.integers(1, 4, 900), rng.integers(1, 3, 800)
    base = LightSchrodingerBridge(4, epsilon=1.0, random_state=0)
    base.fit(X, X_target=Y, sample_weight=u, target_weight=w)
    A, B, a, b = changed(X, Y, u, w, how, rng)
    other = LightSchrodingerBridge(4, epsilon=1.0, random_state=0)
    other.fit(A, X_target=B, sample_weight=a, target_weight=b)
    assert_allclose(other.transform(X), base.transform(X), rtol=1e-6, atol=1e-7)


def test_rows_of_vanishing_weight_vanish(rng):
    X, Y = blobs(rng, 100, 80)
    far = np.vstack([X, 5 + rng.normal(size=(300, 2))])
    w = np.repeat([1.0, 1e-12], [100, 300])
    params = {"epsilon": 1.0, "random_state": 0, "n_init": 1}
    without = LightSchrodingerBridge(3, **params).fit(X, X_target=Y)
    with_them = LightSchrodingerBridge(3, **params)
    with_them.fit(far, X_target=Y, sample_weight=w)
    assert_allclose(with_them.transform(X), without.transform(X), atol=1e-6)


def test_blocks_give_the_same_moments(rng):
    X = rng.normal(size=(1000, 2))
    w = rng.random(1000)
    for kind in KINDS:
        scores = rng.normal(size=(3, 1000))
        whole, parts = Rows.of(X, w, kind), Rows.of(X, w, kind, block=128)
        value, one = expect([scores.copy()], whole, kind)
        cuts = [scores[:, i : i + 128].copy() for i in range(0, 1000, 128)]
        also, many = expect(cuts, parts, kind)
        assert_allclose(also, value, rtol=1e-12)
        assert_allclose(many.spread, one.spread, rtol=1e-9)
        assert_allclose(many.mean, one.mean, atol=1e-12)


def test_draws_ignore_order_and_repetition(rng):
    Y = rng.normal(size=(200, 3))
    w = rng.integers(1, 4, 200).astype(float)
    again, ones = np.repeat(Y, w.astype(int), axis=0), np.ones(int(w.sum()))
    shuffled = rng.permutation(len(again))
    again = again[shuffled]
    one = kmeans_plus_plus(Y, w, 5, principal_order(Y, w), np.random.RandomState(3))
    two = kmeans_plus_plus(
        again, ones, 5, principal_order(again, ones), np.random.RandomState(3)
    )
    assert_allclose(one, two)
    a = Y[systematic(principal_order(Y, w), w, 50)]
    b = again[systematic(principal_order(again, ones), ones, 50)]
    assert_allclose(a, b)


def test_loss_gap_is_the_divergence_from_the_truth():
    """L - L* = KL(truth || model) >= 0, on a grid in one dimension."""
    x, y = np.linspace(-3, 3, 61), np.linspace(-12, 12, 4001)
    u = np.exp(-(x**2) / 2)
    u /= u.sum()
    truth = EntropicPlan.from_parameters(
        [0.0, 0.5], [[-1.0], [1.5]], [[0.6], [1.1]], 0.8
    )
    model = EntropicPlan.from_parameters(
        [0.2, 0.1], [[-0.7], [1.0]], [[0.9], [0.8]], 0.8
    )

    def law(plan):
        score = x[:, None] * y / 0.8 + plan.log_adjusted_potential(y[:, None])
        return score - plan.log_normalizer(x[:, None])[:, None]

    step = y[1] - y[0]
    joint = u[:, None] * np.exp(law(truth)) * step

    def value(plan):
        c = u @ plan.log_normalizer(x[:, None])
        return c - joint.sum(axis=0) @ plan.log_adjusted_potential(y[:, None])

    divergence = np.sum(joint * (law(truth) - law(model)))
    assert_allclose(value(model) - value(truth), divergence, atol=1e-10)
    assert divergence > 0


def test_plan_solves_the_schrodinger_system():
    """Log-domain Sinkhorn between the plan's own marginals finds the plan."""
    x, y, eps = np.linspace(-3, 3, 41), np.linspace(-9, 9, 181), 0.8
    plan = EntropicPlan.from_parameters(
        [0.0, 0.5], [[-1.0], [1.5]], [[0.6], [1.1]], eps
    )
    u = np.exp(-(x**2) / 2)
    u /= u.sum()
    score = x[:, None] * y / eps + plan.log_adjusted_potential(y[:, None])
    law = np.exp(score - logsumexp(score, axis=1, keepdims=True))
    target = u @ law
    kernel, g = x[:, None] * y / eps, np.zeros(len(y))
    for _ in range(3000):
        f = np.log(u) - logsumexp(kernel + g, axis=1)
        g = np.log(target) - logsumexp(kernel + f[:, None], axis=0)
    found = np.exp(kernel + f[:, None] + g)
    gap = abs(found / found.sum(axis=1, keepdims=True) - law).sum(axis=1) / 2
    assert gap.max() < 1e-10


@pytest.mark.parametrize(
    ("D", "epsilon", "kind", "limit"),
    [(2, 1.0, "isotropic", 0.5), (8, 1.0, "diagonal", 0.8), (4, 1.0, "full", 0.8)],
)
def test_known_plans_are_recovered(D, epsilon, kind, limit):
    pair = make_entropic_ot(
        4000, 4000, D, epsilon=epsilon, kind=kind, radius=3, random_state=1
    )
    shape = "full" if kind == "full" else "diag"
    bridge = LightSchrodingerBridge(
        5, epsilon=epsilon, covariance_type=shape, random_state=0
    ).fit(pair.X, X_target=pair.Y)
    assert conditional_bures_uvp(bridge, pair.plan, pair.X[:300], pair.Y) < limit
    cost = abs(bridge.ot_value_ - bridge.ot_value(pair.X, pair.Y))
    assert cost < 1e-8 * abs(bridge.ot_value_)
    truth = pair.plan.transport_cost(pair.X)
    assert_allclose(bridge.transport_cost(pair.X).mean(), truth.mean(), rtol=0.05)


@pytest.mark.parametrize("n_init", [1, 2])
@pytest.mark.parametrize(("D", "kind"), [(16, "diagonal"), (8, "full")])
def test_no_start_is_stuck_where_two_components_share_a_cluster(D, kind, n_init):
    """As many components as the truth has: each must find its own."""
    for seed in range(12):
        known = make_entropic_ot(1500, 1500, D, kind=kind, random_state=seed)
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1000, D))
        Y = known.plan.sample(X, random_state=rng)
        shape = "full" if kind == "full" else "diag"
        bridge = LightSchrodingerBridge(
            5, epsilon=1.0, covariance_type=shape, n_init=n_init, random_state=seed
        ).fit(known.X, X_target=known.Y)
        gap = np.mean(known.plan.log_density(X, Y) - bridge.log_density(X, Y))
        assert gap < 0.7, seed  # those that are stuck are 2 to 5 nats away


def test_clusters_that_were_cut_are_merged_again(rng):
    """Long clusters side by side, each in three pieces."""
    label = np.repeat(range(4), 150)
    Y = rng.normal(size=(600, 2)) * [8.0, 0.5] + np.outer(label, [0.0, 4.0])
    piece = 3 * label + np.digitize(Y[:, 0], [-4.0, 4.0])
    shares = (piece == np.arange(12)[:, None]) / 600
    found = _start.merge(Y, shares, 4)
    assert_allclose(found.sum(axis=0), 1 / 600)
    assert len(set(zip(found.argmax(axis=0), label, strict=True))) == 4
    assert_array_equal(_start.merge(Y, found, 4), found)


@pytest.mark.parametrize("sign", [1, -1])
def test_order_of_symmetric_rows_does_not_hang_on_rounding(sign):
    """Third moments are zero but for rounding, which must not turn the order round."""
    half = np.random.default_rng(0).normal(size=(50, 2)) * [3.0, 1.0]
    X = np.vstack([half, -half])
    base = principal_order(X, np.ones(100))
    for power in range(-30, 31, 3):
        noise = 1 + sign * 2.0**-52 * (np.arange(200).reshape(100, 2) % 3 + power % 2)
        assert_array_equal(principal_order(X * noise, np.ones(100)), base)
    ties = nearest(np.array([[0.1 + 0.2], [0.3]]), np.array([[0.0], [0.6]]))
    assert_array_equal(ties, 0)


def test_large_samples_grow_in_stages(monkeypatch, rng):
    X, Y = blobs(rng, 3000, 3000)
    whole = LightSchrodingerBridge(3, random_state=0).fit(X, X_target=Y)
    monkeypatch.setattr(_start, "STAGED_FROM", 1000)
    monkeypatch.setattr(_start, "STAGES", ((300, 10), (1000, 5)))
    staged = LightSchrodingerBridge(3, random_state=0).fit(X, X_target=Y)
    assert abs(staged.loss_ - whole.loss_) < 5e-3
    assert staged.n_iter_ > len(staged.loss_curve_)
    short = LightSchrodingerBridge(3, max_iter=2, tol=1e-12, random_state=0)
    with pytest.warns(ConvergenceWarning):  # callbacks expect the passes on parts, too
        short.fit(X, X_target=Y)
    assert short.n_iter_ == 6


def test_small_epsilon_is_reached_through_larger_ones(rng):
    X, Y = blobs(rng)
    params = {"epsilon": 0.01, "random_state": 0, "prior_strength": 1.0, "tol": 1e-2}
    cold = LightSchrodingerBridge(6, epsilon_annealing=False, **params)
    warm = LightSchrodingerBridge(6, epsilon_annealing=True, **params)
    cold.fit(X, X_target=Y)
    warm.fit(X, X_target=Y)
    assert warm.loss_ < cold.loss_ + 0.05 * abs(cold.loss_)
    assert warm.epsilon_ == 0.01


def test_balance_reaches_the_masses(rng):
    X, Y = blobs(rng)
    options = Options(4, 1.0, "diag", balance_iter=300)
    problem = problem_of(*samples(X, Y), options)
    fit, _ = solve(*samples(X, Y), options, np.random.RandomState(0))
    mass = np.array([0.1, 0.2, 0.3, 0.4])
    state = evaluate(problem, fit.state.mixture, mass)
    assert_allclose(state.source.mass, mass, atol=1e-3)
