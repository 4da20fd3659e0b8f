"""WorstGroupClassifier: optimum, certificate, subgroups, bad input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ext.losses import WorstGroupClassifier
from sklearn_ext.losses._groups._game import (
    Game,
    SmoothedObjective,
    convex_gap,
    simplex_quadratic,
)
from sklearn_ext.losses._groups._worst_group import prepare
from sklearn_ext.losses._linear import labelled


def three(seed=0, n=60):
    """Rows whose rule differs between three subgroups."""
    rng = np.random.default_rng(seed)
    X, g = rng.normal(size=(n, 3)), rng.integers(0, 3, n)
    rules = np.array([[2.0, 0, 0], [1.0, 1.0, 0], [0.5, -1.0, 1.0]])
    y = ((X * rules[g]).sum(axis=1) + 0.5 * rng.normal(size=n) > 0).astype(int)
    return X, y, g


def oracle(X, y, g, w, C):
    """Epigraph form, for SLSQP."""
    d = X.shape[1]

    def losses(v):
        margins = np.where(y == 1, 1, -1) * (X @ v[:d] + v[d])
        lost = np.logaddexp(0, -margins)
        return np.bincount(g, w * lost) / np.bincount(g, w)

    start = np.r_[np.zeros(d + 1), 1.0]
    found = minimize(
        lambda v: v[-1] + v[:d] @ v[:d] / (2 * C * w.sum()),
        start,
        constraints={"type": "ineq", "fun": lambda v: v[-1] - losses(v)},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    return found.fun


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_optimum_and_its_certificate(seed, C):
    X, y, g = three(seed)
    w = np.random.default_rng(seed).integers(1, 4, len(y)).astype(float)
    best = oracle(X, y, g, w, C)
    model = WorstGroupClassifier(C, tol=1e-5).fit(X, y, w, subgroups=g)
    assert model.lower_bound_ <= best + 1e-8
    assert model.objective_ >= best - 1e-8
    assert_allclose(model.objective_, best, rtol=2e-5)
    assert_allclose(model.gap_bound_, model.objective_ - model.lower_bound_)
    assert model.converged_
    q = model.subgroup_weights_
    assert_allclose(q.sum(), 1)
    slack = model.subgroup_losses_ < 0.97 * model.subgroup_losses_.max()
    assert (q[slack] < 1e-2).all()


def test_losses_are_those_of_the_subgroups(wine):
    X, y = wine
    g = np.array(["b", "a", "c"])[np.random.default_rng(0).integers(0, 3, len(y))]
    model = WorstGroupClassifier(0.1).fit(X, y, subgroups=g)
    assert_array_equal(model.subgroups_, ["a", "b", "c"])
    own = -model.predict_log_proba(X)[np.arange(len(y)), y]
    means = [own[g == name].mean() for name in model.subgroups_]
    assert_allclose(model.subgroup_losses_, means, rtol=1e-9)
    penalty = (model.coef_**2).sum() / (2 * 0.1 * len(y))
    assert_allclose(model.objective_, max(means) + penalty, rtol=1e-9)


def test_one_subgroup_is_logistic_regression(table):
    X, y = table
    ours = WorstGroupClassifier(tol=1e-10).fit(X, y, subgroups=np.zeros(len(y)))
    theirs = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


def test_without_subgroups_the_classes_are_meant(table):
    X, y = table
    one = WorstGroupClassifier(0.1).fit(X, y)
    two = WorstGroupClassifier(0.1).fit(X, y, subgroups=y)
    assert_array_equal(one.coef_, two.coef_)


def test_worst_fares_better_than_under_the_mean():
    X, y, g = three(n=600)
    g = np.where(g == 2, 2, 0)
    mean, ours = LogisticRegression().fit(X, y), WorstGroupClassifier()
    ours.fit(X, y, subgroups=g)
    own = -mean.predict_log_proba(X)[np.arange(len(y)), y]
    assert ours.subgroup_losses_.max() < max(own[g == k].mean() for k in (0, 2))
    said = ours.predict(X) == y
    worst = min(said[g == k].mean() for k in (0, 2))
    assert_allclose(ours.worst_group_score(X, y, g), worst)
    assert ours.worst_group_score(X, y) <= ours.score(X, y)


@pytest.mark.parametrize("seed", range(3))
def test_optimum_to_the_millionth(seed):
    X, y, g = three(seed)
    best = oracle(X, y, g, np.ones(len(y)), 1.0)
    model = WorstGroupClassifier(tol=1e-6).fit(X, y, subgroups=g)
    assert model.lower_bound_ - 1e-9 <= best <= model.objective_ + 1e-9
    assert_allclose([model.objective_, model.lower_bound_], best, rtol=1.1e-6)


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("beta", [0.0, 3.0, 100.0])
def test_gradient_of_the_smoothed_game(beta, tau):
    X, y, g = three()
    model = WorstGroupClassifier()
    data = labelled(model, X, y, None)
    problem = prepare(data.X, data.y, data.weight, 2)
    share = 1 / np.bincount(g)[g]
    f = SmoothedObjective(Game(problem, 1.0, g, share, 3, tau), beta)
    rng = np.random.default_rng(0)
    theta, v = rng.normal(size=(2, problem.objective.start().size))
    slope = (f(theta + 1e-6 * v).value - f(theta - 1e-6 * v).value) / 2e-6
    assert_allclose(f(theta).gradient @ v, slope, rtol=1e-6)


def test_between_mean_and_maximum():
    X, y, g = three(n=300)
    losses = [
        WorstGroupClassifier(beta=beta).fit(X, y, subgroups=g).subgroup_losses_
        for beta in (0.0, 10.0, np.inf)
    ]
    worst = [loss.max() for loss in losses]
    mean = [loss.mean() for loss in losses]
    assert worst[0] > worst[1] > worst[2]
    assert mean[0] < mean[1] < mean[2]


def test_quadratic_over_the_simplex():
    rng = np.random.default_rng(0)
    B = rng.normal(size=(6, 6))
    A, c = B @ B.T, rng.normal(size=6)
    q = simplex_quadratic(A, c, np.full(6, 1 / 6))
    assert_allclose(q.sum(), 1)
    slope = A @ q + c
    assert_allclose(slope[q > 1e-9], slope.min(), rtol=1e-6)


def test_weight_zero_drops_a_subgroup():
    X, y, g = three()
    w = (g != 2).astype(float)
    one = WorstGroupClassifier().fit(X, y, w, subgroups=g)
    two = WorstGroupClassifier().fit(X[g != 2], y[g != 2], subgroups=g[g != 2])
    assert_array_equal(one.subgroups_, [0, 1])
    assert_allclose(one.coef_, two.coef_)


def test_subgroups_are_routed():
    X, y, g = three(n=200)
    with config_context(enable_metadata_routing=True):
        model = WorstGroupClassifier().set_fit_request(subgroups=True)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"worstgroupclassifier__C": [0.01, 1.0]},
            cv=3,
        )
        search.fit(X, y, subgroups=g)
        assert_array_equal(search.best_estimator_[-1].subgroups_, [0, 1, 2])
    search = GridSearchCV(WorstGroupClassifier(), {"C": [0.01, 1.0]}, cv=3)
    search.fit(X, y, subgroups=g)
    assert_array_equal(search.best_estimator_.subgroups_, [0, 1, 2])


def test_torch_device_gives_the_same():
    pytest.importorskip("torch")
    X, y, g = three()
    here = WorstGroupClassifier(tol=1e-5).fit(X, y, subgroups=g)
    there = WorstGroupClassifier(tol=1e-5, device="cpu").fit(X, y, subgroups=g)
    assert_allclose(there.objective_, here.objective_, rtol=2e-5)


class TestRefusals:
    def test_other_length(self, wine):
        with pytest.raises(ValueError, match=r"shape \(3,\), y has 178 labels"):
            WorstGroupClassifier().fit(*wine, subgroups=[1, 2, 3])

    @pytest.mark.parametrize("missing", [np.nan, None])
    def test_missing(self, wine, missing):
        g = np.array(["a"] * 178, dtype=object)
        g[3] = missing
        with pytest.raises(ValueError, match="subgroups holds missing values"):
            WorstGroupClassifier().fit(*wine, subgroups=g)

    def test_missing_of_other_kinds(self, wine):
        X, y = wine
        pd = pytest.importorskip("pandas")
        texts = pd.Series(np.where(y == 0, None, "a")).astype("string")
        days = np.where(y == 0, np.datetime64("NaT"), np.datetime64("2020-01-01"))
        for g in (texts, days, pd.Series(days)):
            with pytest.raises(ValueError, match="subgroups holds missing values"):
                WorstGroupClassifier().fit(X, y, subgroups=g)

    def test_several_columns(self, wine):
        X, y = wine
        with pytest.raises(ValueError, match="columns joined to one label"):
            WorstGroupClassifier().fit(X, y, subgroups=np.c_[y, y])

    def test_columns_in_unlike_units_say_so(self, wine):
        X, y = wine
        with pytest.warns(ConvergenceWarning, match="scale the features"):
            WorstGroupClassifier(0.1).fit(X * np.r_[1e8, np.ones(12)], y)

    def test_labels_that_cannot_be_sorted(self, wine):
        X, y = wine
        mixed = np.array([1, "a"] * (len(y) // 2), dtype=object)
        with pytest.raises(TypeError, match="subgroups holds labels that cannot be so"):
            WorstGroupClassifier().fit(X, y, subgroups=mixed)

    def test_few_rows(self, wine):
        g = np.arange(178) < 5
        with pytest.warns(UserWarning, match=r"\[True\] have fewer than 10 rows"):
            WorstGroupClassifier(0.1).fit(*wine, subgroups=g)

    def test_too_few_iterations(self, wine):
        with pytest.warns(ConvergenceWarning, match="and lower bound"):
            WorstGroupClassifier(max_iter=2).fit(*wine)

    def test_score_of_another_length(self, wine):
        X, y = wine
        model = WorstGroupClassifier(0.1).fit(X, y)
        with pytest.raises(ValueError, match="y has 178 labels"):
            model.worst_group_score(X, y, [0, 1])
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.worst_group_score(X, y[:10])


def comp_sum_worst(v, X, y, g, w, C, tau):
    """Worst mean of ``(p ** (tau - 1) - 1) / (1 - tau)``, and the penalty."""
    d = X.shape[1]
    lost = np.logaddexp(0, -np.where(y == 1, 1, -1) * (X @ v[:d] + v[d]))
    lost = (np.exp((1 - tau) * lost) - 1) / (1 - tau)
    means = np.bincount(g, w * lost) / np.bincount(g, w)
    return means, v[:d] @ v[:d] / (2 * C * w.sum())


@pytest.mark.parametrize("tau", [0.0, 0.5])
@pytest.mark.parametrize("n_subgroups", [1, 3])
def test_other_convex_losses_are_certified_too(tau, n_subgroups):
    X, y, g = three()
    g = g % n_subgroups
    w = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    start = np.r_[np.zeros(X.shape[1] + 1), 1.0]
    found = minimize(
        lambda v: v[-1] + comp_sum_worst(v[:-1], X, y, g, w, 1.0, tau)[1],
        start,
        constraints={
            "type": "ineq",
            "fun": lambda v: v[-1] - comp_sum_worst(v[:-1], X, y, g, w, 1.0, tau)[0],
        },
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    model = WorstGroupClassifier(1.0, tau=tau, tol=1e-5).fit(X, y, w, subgroups=g)
    assert model.converged_
    assert model.lower_bound_ <= found.fun + 1e-8
    assert_allclose(model.objective_, found.fun, rtol=2e-5)
    v = np.r_[model.coef_[0], model.intercept_]
    means, penalty = comp_sum_worst(v, X, y, g, w, 1.0, tau)
    assert_allclose(model.subgroup_losses_, means)
    assert_allclose(model.objective_, means.max() + penalty)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_bound_holds_far_from_the_optimum(wine, fit_intercept):
    X, y = wine
    model = WorstGroupClassifier(0.1, tau=0.5, tol=1e-8, fit_intercept=fit_intercept)
    with np.errstate(all="raise"):
        best = model.fit(X, y, subgroups=np.zeros(len(y)))
    data = labelled(best, X, y, None)
    problem = prepare(data.X, data.y, data.weight, 3, fit_intercept=fit_intercept)
    share = data.weight / data.weight.sum()
    game = Game(problem, 0.1, np.zeros(len(y), int), share, 1, 0.5)
    objective, rng = game.mix(np.ones(1)), np.random.default_rng(0)
    for size in (0.0, 0.01, 0.1, 1.0):
        theta = game.plain.start() + size * rng.normal(size=game.plain.start().shape)
        if not fit_intercept:
            theta[-3:] = 0
        now = objective(theta)
        bound = now.value - convex_gap(objective, theta, now)
        assert bound <= best.objective_ + 1e-10


@pytest.mark.parametrize("scale", [1e8, 1.0])
def test_without_a_penalty_worth_the_name_zero_is_reached(wine, scale):
    X, y = wine
    w = np.full(len(y), 1e12 if scale == 1 else 1.0)
    model = WorstGroupClassifier().fit(X * scale, y, w)
    assert model.converged_
    assert model.score(X * scale, y) == 1
    assert 0 <= model.lower_bound_ <= model.objective_ < 1e-9


@pytest.mark.slow
@parametrize_with_checks([WorstGroupClassifier(tau=0.0)])
def test_scikit_learn_checks_for_the_sum_exponential_loss(estimator, check):
    check(estimator)


def test_tau_above_one_is_refused(wine):
    with pytest.raises(ValueError, match="tau"):
        WorstGroupClassifier(tau=1.7).fit(*wine)
