"""Certificates: formulas against brute force, promises against resampled tables."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats
from scipy.special import xlogy

from sklearn_ext.rashomon import (
    RashomonLinearClassifier,
    RashomonLogisticRegression,
    RashomonTreeClassifier,
    pac_bayes_bound,
    thresholds_from,
)
from sklearn_ext.rashomon._information._certificates import (
    conditional_means,
    largest_mean,
    largest_rate,
)
from tests.rashomon.trees._brute_force import full_trees, sparse_trees

CUTS = [[0.5, 1.5], [0.5], [-5.0, 0.5]]  # the cut at -5 is constant on every table


def table(rng, n=40, k=2):
    X = rng.integers(0, 3, (n, 3)).astype(float)
    X[:, 1:] = X[:, 1:] > 1
    return X, rng.integers(0, k, n)


def fit(X, y, **params):
    params = {"max_depth": 2, "thresholds": CUTS, "random_state": 0} | params
    return RashomonTreeClassifier(**params).fit(X, y)


def coin(q, p):
    return xlogy(q, q / p) + xlogy(1 - q, (1 - q) / (1 - p))


@pytest.mark.parametrize("rate", [0.0, 0.013, 0.4, 0.97, 1.0])
@pytest.mark.parametrize("divergence", [0.0, 1e-3, 0.2, 3.0])
def test_inversion_equals_brute_force(rate, divergence):
    grid = np.linspace(0, 1, 1_000_001)[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = grid[(coin(rate, grid) <= divergence) & (grid >= rate)]
    found = largest_rate(np.array(rate), np.array(divergence))
    assert_allclose(found, inside.max(initial=rate), atol=2e-6)


def test_inversion_of_nothing_known():
    assert largest_rate(np.array(0.1), np.array(np.inf)) == 1.0
    assert pac_bayes_bound(-np.inf, 0.1, 100) == 1.0


@pytest.mark.parametrize("n", [1, 2, 7, 50, 700])
def test_the_moment_that_the_theorem_rests_on(n):
    """The mean of exp(n kl) of a coin and its n throws is at most 2 sqrt(n)."""
    hits = np.arange(n + 1)
    for p in (0.02, 0.3, 0.5, 0.9):
        logs = stats.binom.logpmf(hits, n, p) + n * coin(hits / n, p)
        assert 1 <= np.exp(logs).sum() <= 2 * np.sqrt(n) + 1e-9


def test_bound_of_the_least_delta():
    assert pac_bayes_bound(-1.0, 0.1, 10, delta=5e-324) == 1  # and no overflow


def test_bound_is_that_of_its_formula():
    found = pac_bayes_bound(np.log([1e-3, 1e-9]), 0.2, 400, 0.1, 8)
    price = (-np.log([1e-3, 1e-9]) + np.log(2 * np.sqrt(400) * 8 / 0.1)) / 400
    assert_allclose(coin(0.2, found), price, rtol=1e-9)
    assert found[0] < found[1]


def test_means_follow_from_the_law(rng):
    losses = np.cumsum(rng.random(20))
    mass = rng.dirichlet(np.ones(20))
    logs = np.log(np.cumsum(mass))
    by_sum = np.cumsum(mass * losses) / np.cumsum(mass)
    assert_allclose(conditional_means(losses, logs, logs), by_sum, rtol=1e-10)
    assert (conditional_means(losses, logs - 0.1, logs) >= by_sum).all()


def test_limits_of_means_hold(rng):
    broken = 0
    for _ in range(400):
        values = rng.beta(2, 5, 200)
        broken += largest_mean(values, np.ones(200), 200, 0.1) < 2 / 7
    assert broken <= stats.binom.ppf(0.999, 400, 0.1)
    assert largest_mean(np.zeros(1), np.ones(1), 1, 0.1) == 1.0


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("prior", ["feature", "split", "gap"])
def test_complete_trees_equal_enumeration(rng, k, prior):
    X, y = table(rng, k=k)
    clf = fit(X, y, split_prior=prior)
    every = clf._statistics.splits
    found = full_trees(every.bits(X), k, 2, every.prior)
    constant = np.isin(np.arange(5), [3])  # in the order of CUTS
    mass = full_trees(every.bits(X), k, 2, np.where(constant, 0, every.prior)).mass
    error = (found.labels != y).mean(axis=1)
    posterior = mass * (error <= clf.threshold_loss_ + 1e-9)
    posterior /= posterior.sum()
    bits = xlogy(posterior, posterior / found.mass).sum() / np.log(2)
    result = clf.generalization_bound(theta=0.05)
    assert_allclose(result.bits, bits, rtol=1e-10)
    assert_allclose(result.mean_loss, posterior @ error, rtol=1e-10)
    assert_allclose(
        result.bound, pac_bayes_bound(-bits * np.log(2), posterior @ error, 40)
    )
    warm = mass * np.exp(-0.7 * 40 * error)
    share = clf._plan.space.weight.sum()
    assert_allclose(share, 1)
    kept = mass.sum()  # of all trees: those without the constant cut
    assert_allclose(clf.evidence(0.7), np.log(warm.sum() / kept), rtol=1e-10)
    assert_allclose(clf.gibbs_loss(0.7), warm @ error / warm.sum(), rtol=1e-10)
    best = clf.generalization_bound(posterior="gibbs")
    last = clf.min_loss_ + 0.12 + 1e-9
    warm = mass * np.exp(-best.beta * 40 * error) * (error <= last)
    warm /= warm.sum()
    assert_allclose(best.mean_loss, warm @ error, rtol=1e-9)
    assert_allclose(best.bits, xlogy(warm, warm / found.mass).sum() / np.log(2))
    assert best.bound <= result.bound


def test_the_search_takes_the_threshold_of_least_bound(rng):
    X, y = table(rng, 60)
    clf = fit(X, y, theta=0.2)
    best = clf.generalization_bound()
    thetas = np.arange(13) / 60
    bounds = [clf.generalization_bound(theta).bound for theta in thetas]
    assert_allclose(best.bound, min(bounds))
    assert_allclose(best.theta, thetas[np.argmin(bounds)], atol=1e-12)
    assert best.vote_bound == min(1, 2 * best.bound)
    assert best.bound > clf.generalization_bound(confidence_level=0.5).bound


@pytest.mark.parametrize("mode", ["absolute", "relative"])
def test_theta_is_told_in_the_units_of_the_estimator(rng, mode):
    X, y = table(rng, 60)
    clf = fit(X, y, theta=0.1, theta_mode=mode)
    best = clf.generalization_bound()
    again = clf.generalization_bound(best.theta)
    assert_allclose([again.bound, again.bits], [best.bound, best.bits], rtol=1e-9)


def test_sparse_trees_equal_enumeration(rng):
    X, y = table(rng)
    clf = fit(X, y, space="sparse", alpha=0.025)
    bits = clf._statistics.splits.bits(X)
    found = sparse_trees(bits[:, [0, 1, 2, 4]], 2, 2)
    error = (found.labels != y).mean(axis=1)
    loss = error + 0.025 * found.leaves
    inside = loss <= loss.min() + 0.05 + 1e-9
    every = len(sparse_trees(bits, 2, 2).mass)
    result = clf.generalization_bound(0.05)
    assert_allclose(result.bits, np.log2(every / inside.sum()), rtol=1e-10)
    assert_allclose(result.mean_loss, error[inside].mean(), rtol=1e-10)
    warm = clf.generalization_bound(posterior="gibbs")
    weight = np.exp(-warm.beta * 40 * loss) * (loss <= loss.min() + 0.12 + 1e-9)
    assert warm.mean_loss >= weight @ error / weight.sum()


def test_without_repeats_the_divergence_is_no_smaller(rng):
    X, y = table(rng)
    clf = fit(X, y, repeats=False, split_prior="gap")
    every = clf._statistics.splits
    found = full_trees(every.bits(X), 2, 2, every.prior, repeats=False)
    fewer = np.where(np.arange(5) == 3, 0, every.prior)
    mass = full_trees(every.bits(X), 2, 2, fewer / fewer.sum(), repeats=False).mass
    inside = (found.labels != y).mean(axis=1) <= clf.threshold_loss_ + 1e-9
    posterior = np.nan_to_num(mass) * inside
    posterior /= posterior.sum()
    bits = xlogy(posterior, posterior / found.mass).sum() / np.log(2)
    assert bits <= clf.generalization_bound(0.05).bits <= bits + 1


@pytest.mark.parametrize("params", [{}, {"loss_grid": "unit"}, {"space": "sparse"}])
@pytest.mark.parametrize("posterior", ["uniform", "gibbs"])
def test_errors_of_separable_rows_are_not_below_zero(params, posterior):
    for seed in range(4):
        X = np.random.default_rng(seed).normal(size=(341, 2))
        cuts = [[0.0, 0.5], [0.0]]
        clf = fit(X, X[:, 0] > 0, max_depth=3, thresholds=cuts, **params)
        for theta in (None, 0.0, 0.01, 0.2):
            found = clf.generalization_bound(theta, posterior=posterior)
            assert 0 <= found.mean_loss < found.bound


def test_trees_whose_cuts_are_all_constant():
    X, y = np.zeros((40, 2)), np.arange(40) % 2
    full = fit(X, y, thresholds=[[1.0], [2.0]]).generalization_bound()
    assert full.bits == np.inf  # no tree of the prior is a single leaf
    assert full.bound == 1
    sparse = fit(X, y, thresholds=[[1.0], [2.0]], space="sparse")
    depth_one = 2 + 2 * 2**2
    size = 2 + 2 * depth_one**2
    bits = sparse.generalization_bound(0.05).bits
    assert_allclose(bits, np.log2(size / 2))
    leaf = fit(X, y, max_depth=0, thresholds=[[1.0], [2.0]])
    assert str(leaf.generalization_bound(0.05).bits) == "0.0"


def test_rounded_losses_bound_the_certificate(rng):
    X, y = table(rng, 60)
    exact = fit(X, y, theta=0.06).generalization_bound(0.06)
    rounded = fit(X, y, theta=0.06, loss_grid=400).generalization_bound(0.06)
    assert exact.bound <= rounded.bound <= exact.bound + 0.01
    assert rounded.mean_loss >= exact.mean_loss


@pytest.mark.parametrize("beta", [0.2, 1.0, 4.0])
def test_the_rashomon_curve_is_the_evidence(rng, beta):
    X, y = table(rng, 50)
    clf = fit(X, y, theta=1.0)
    n, losses = 50, clf.loss_grid_
    ends = np.append(losses, np.inf)
    parts = [
        np.exp(logs - beta * n * a) * -np.expm1(-beta * n * (b - a))
        for logs, a, b in zip(clf.log_cdf_, ends[:-1], ends[1:], strict=True)
    ]
    assert_allclose(np.exp(clf.evidence(beta)), np.sum(parts), rtol=1e-10)
    curve = integrate.quad(
        lambda t: n * beta * np.exp(-n * beta * t + clf.log_ratio_at(t)),
        0,
        2.0,
        limit=400,
        points=losses - clf.min_loss_,
    )
    moved = np.exp(clf.evidence(beta) + n * beta * clf.min_loss_)
    assert_allclose(curve[0], moved, rtol=1e-3)
    one_term = (n * beta * losses - clf.log_cdf_).min()
    assert one_term >= -clf.evidence(beta) - 1e-12


def test_evidence_widens_a_narrow_law(rng):
    X, y = table(rng, 50)
    betas = np.array([[0.0, 0.05], [0.5, 3.0]])
    narrow, wide = fit(X, y, theta=0.0), fit(X, y, theta=1.0)
    assert_allclose(narrow.evidence(betas), wide.evidence(betas), atol=1e-10)
    assert_allclose(narrow.gibbs_loss(betas), wide.gibbs_loss(betas), rtol=1e-9)
    assert narrow.evidence(0.0) == pytest.approx(0.0, abs=1e-12)
    assert np.ndim(narrow.gibbs_loss(1.0)) == 0


def test_blocks_count_their_rows(rng):
    X, y = table(rng, 60)
    whole = fit(X, y).generalization_bound()
    clf = RashomonTreeClassifier(2, thresholds=CUTS, random_state=0)
    blocks = [(X[:25], y[:25]), (X[25:], y[25:])]
    assert clf.fit_blocks(blocks, classes=[0, 1]).generalization_bound() == whole
    clf.partial_fit(X[:5], y[:5], sample_weight=np.full(5, 2.0))
    with pytest.raises(ValueError, match="weight two is not two"):
        clf.generalization_bound()


class World:
    """Sixteen kinds of rows whose true errors are known."""

    def __init__(self, noise):
        self.X = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1).T
        rule = (self.X[:, 0] > 0) ^ (self.X[:, 1] * self.X[:, 2] > 0)
        self.second = np.where(rule, 1 - noise, noise)

    def draw(self, n, rng):
        at = rng.integers(0, 16, n)
        return self.X[at], (rng.random(n) < self.second[at]).astype(int)

    def error(self, votes):
        """True error of a share of votes for the second class."""
        return np.mean(votes * (1 - self.second) + (1 - votes) * self.second)


@pytest.mark.parametrize("noise", [0.1, 0.35])
def test_certificates_of_trees_break_in_no_more_than_their_share(noise):
    world, rng = World(noise), np.random.default_rng(0)
    broken, forged, n, delta = [], [], 60, 0.5
    clf = RashomonTreeClassifier(2, thresholds=[[0.5]] * 4)
    for _ in range(80):
        X, y = world.draw(n, rng)
        worst = []
        for theta in (0.0, 0.1, 0.3):
            clf.set_params(theta=theta).fit(X, y)
            truth = world.error(clf.vote_share(world.X)[:, 1])
            found = clf.generalization_bound(theta, confidence_level=1 - delta)
            worst.append(truth - found.bound)
            forged.append(truth > pac_bayes_bound(0.0, found.mean_loss, 100 * n, delta))
        broken.append(max(worst) > 0)
    assert np.mean(broken) <= delta
    assert np.mean(forged) > 0.5  # without the divergence, and with false rows


def test_the_certificate_of_plain_draws_holds_and_knows_its_errors(rng):
    w = np.array([1.0, -0.5, 0.2])
    broken = 0
    for seed in range(20):
        X = rng.normal(size=(150, 3))
        y = X @ w + 0.5 * rng.normal(size=150) > 0
        clf = RashomonLinearClassifier(
            standardize=False,
            fit_intercept=False,
            method="crude",
            n_draws=4000,
            random_state=seed,
        ).fit(X, y)
        found = clf.generalization_bound()
        direct = (clf.member_predictions(X) != y).mean()
        assert direct < found.mean_loss <= clf.threshold_loss_ + 1e-12
        assert found.bits >= clf.information_bits_
        new = rng.normal(size=(2000, 3))
        truth = new @ w + 0.5 * rng.normal(size=2000) > 0
        broken += (clf.member_predictions(new) != truth).mean() > found.bound
    assert broken <= 1


def test_the_certificate_on_a_circle_is_exact(rng):
    X = rng.normal(size=(80, 2))
    y = X[:, 0] + 0.5 * rng.normal(size=80) > 0
    clf = RashomonLinearClassifier(
        standardize=False, fit_intercept=False, n_members=4000, random_state=0
    ).fit(X, y)
    found = clf.generalization_bound()
    assert found.bits == clf.information_bits_
    errors = (clf.member_predictions(X) != y).mean(axis=1)
    assert_allclose(found.mean_loss, errors.mean(), atol=0.002)
    assert_allclose(
        found.bound, pac_bayes_bound(clf.log_ratio_, found.mean_loss, 80), rtol=1e-12
    )


def test_after_splitting_the_threshold_stands_for_the_mean(rng):
    X = rng.normal(size=(100, 4))
    y = X[:, 0] > 0.1 * rng.normal(size=100)
    clf = RashomonLinearClassifier(
        standardize=False, method="splitting", theta=0.02, random_state=0
    ).fit(X, y)
    found = clf.generalization_bound()
    assert_allclose(found.mean_loss, clf.threshold_loss_)
    assert found.bits >= clf.information_bits_
    assert clf.generalization_bound(0.0).bits > found.bits


@pytest.mark.parametrize("params", [{"radius": 3.0}, {"space": "gaussian"}])
def test_logistic_certificates_hold(rng, params):
    w = np.array([1.0, -1.0, 0.5])
    X = rng.normal(size=(200, 3))
    y = rng.random(200) < 1 / (1 + np.exp(-2 * X @ w))
    clf = RashomonLogisticRegression(
        fit_intercept=False, random_state=0, n_rays=4000, **params
    ).fit(X, y)
    found = clf.generalization_bound(random_state=0)
    assert clf.information_bits_ <= found.bits <= clf.information_bits_ + 0.7
    direct = (clf.sample(4000, random_state=0).decision(X) > 0) != y
    assert_allclose(found.mean_loss, direct.mean(), atol=0.01)
    assert found.mean_loss > direct.mean() - 0.002
    new = rng.normal(size=(4000, 3))
    truth = rng.random(4000) < 1 / (1 + np.exp(-2 * new @ w))
    assert (clf.member_predictions(new) != truth).mean() < found.bound < 0.5
    assert clf.generalization_bound(0.2, random_state=0).bits < found.bits
    clf.set_params(fit_intercept=True, C=1e-3, radius=0.1, theta=0.5, prior_scale=9.0)
    assert clf.generalization_bound(random_state=0) == found  # as it was fitted


def test_thresholds_from_other_rows():
    X = np.random.default_rng(0).normal(size=(500, 40))
    cuts = thresholds_from(X)
    assert [len(c) for c in cuts] == [1] * 40
    assert_allclose([c[0] for c in cuts], np.median(X, axis=0), atol=0.02)
    assert len(thresholds_from(X[:, :2], n_thresholds=7)[1]) == 7
    clf = RashomonTreeClassifier(1, thresholds=thresholds_from(X[:, :2]))
    clf.fit(X[:99, :2], X[:99, 0] > 0)
    assert clf.generalization_bound().bound < 0.4


class TestRefusals:
    def test_cuts_of_the_training_rows(self, rng):
        X, y = table(rng)
        clf = RashomonTreeClassifier(2).fit(X, y)
        with pytest.raises(ValueError, match="thresholds chosen without these rows, f"):
            clf.generalization_bound()

    def test_parameters_that_were_set_after_the_fit(self, rng):
        X, y = table(rng)
        clf = RashomonTreeClassifier(2).fit(X, y).set_params(thresholds=CUTS)
        with pytest.raises(ValueError, match="thresholds chosen without these rows, f"):
            clf.generalization_bound()
        clf = fit(X, y, class_weight="balanced").set_params(class_weight=None)
        with pytest.raises(ValueError, match="fit with class_weight=None"):
            clf.generalization_bound()
        clf = fit(X, y)
        bound = clf.generalization_bound()
        clf.set_params(thresholds=None, class_weight="balanced", max_depth=7)
        assert clf.generalization_bound() == bound
        clf = RashomonLinearClassifier(n_draws=500).fit(X, y)
        with pytest.raises(ValueError, match="standardize=False"):
            clf.set_params(standardize=False).generalization_bound()

    @pytest.mark.parametrize("wrong", ["a", True, np.nan, [0.1]])
    def test_numbers_of_linear_models(self, rng, wrong):
        X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
        linear = RashomonLinearClassifier(standardize=False, n_draws=500)
        own = {"fit_intercept": False, "radius": 2.0, "theta": 0.3}
        for model in (linear, RashomonLogisticRegression(**own)):
            model.fit(X, y)
            with pytest.raises(ValueError, match="theta must be a "):
                model.generalization_bound(wrong)
            with pytest.raises(ValueError, match="confidence_level must lie between"):
                model.generalization_bound(confidence_level=wrong)

    def test_weights(self, rng):
        X, y = table(rng)
        clf = RashomonTreeClassifier(2, thresholds=CUTS)
        clf.fit(X, y, np.full(40, 2.0))
        with pytest.raises(ValueError, match="weight two is not two independent rows"):
            clf.generalization_bound()
        clf.fit(X, y, np.arange(40) % 2)  # half of the rows are left out
        bound = clf.generalization_bound()
        assert bound == clf.fit(X[1::2], y[1::2]).generalization_bound()
        with pytest.raises(ValueError, match="fit with class_weight=None"):
            clf.set_params(class_weight="balanced").fit(X, y).generalization_bound()

    def test_sampled_laws(self, rng):
        X, y = table(rng)
        clf = fit(X, y, method="mc", n_draws=3000, theta=0.2)
        with pytest.raises(ValueError, match="law of the loss, got method 'mc'"):
            clf.generalization_bound()
        with pytest.raises(ValueError, match="exact law, got method 'mc'"):
            clf.evidence(1.0)

    def test_numbers_and_names(self, rng):
        clf = fit(*table(rng))
        with pytest.raises(ValueError, match="posterior must be 'uniform' or 'gibbs'"):
            clf.generalization_bound(posterior="normal")
        with pytest.raises(ValueError, match="confidence_level must lie between"):
            clf.generalization_bound(confidence_level=1.0)
        with pytest.raises(ValueError, match="beta must be finite and at least 0"):
            clf.gibbs_loss(-1.0)
        rounded = fit(*table(rng), loss_grid=64, theta=0.06)
        with pytest.raises(ValueError, match="needs the exact law, got bounds"):
            rounded.generalization_bound(posterior="gibbs")

    def test_empty_sets(self, rng):
        X, y = table(rng)
        with pytest.warns(RuntimeWarning, match="set is empty"):
            clf = fit(X, y, reference_loss=0.0, theta=0.0)
        with pytest.raises(ValueError, match="nothing to certify"):
            clf.generalization_bound(0.0)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"log_ratio": 0.1}, "log_ratio must be at most 0"),
            ({"mean_loss": 1.1}, "mean_loss must be from 0 to 1"),
            ({"n_samples": 0}, "n_samples must be a whole number"),
            ({"delta": 0}, "delta must be between 0 and 1"),
            ({"n_choices": 0.5}, "n_choices must be a whole number"),
        ],
    )
    def test_bound(self, change, message):
        good = {"log_ratio": -1.0, "mean_loss": 0.1, "n_samples": 10}
        with pytest.raises(ValueError, match=message):
            pac_bayes_bound(**good | change)

    def test_linear_priors(self, rng):
        X = rng.normal(size=(40, 2))
        y = X[:, 0] > 0
        clf = RashomonLinearClassifier(n_draws=500).fit(X, y)
        with pytest.raises(ValueError, match="standardize=False"):
            clf.generalization_bound()
        clf = RashomonLinearClassifier(standardize=False, n_draws=500)
        with pytest.raises(ValueError, match="weight two"):
            clf.fit(X, y, np.full(40, 0.5)).generalization_bound()
        with pytest.raises(ValueError, match=r"theta=0\.5 is beyond the fitted 0\.05"):
            clf.fit(X, y).generalization_bound(0.5)

    def test_logistic_priors(self, rng):
        X = rng.normal(size=(60, 2))
        y = X[:, 0] + rng.normal(size=60) > 0
        clf = RashomonLogisticRegression(n_rays=100)
        with pytest.raises(ValueError, match="fit_intercept=False on rows with a col"):
            clf.fit(X, y).generalization_bound()
        clf.set_params(fit_intercept=False)
        with pytest.raises(ValueError, match="radius=, or with space='gaussian'"):
            clf.fit(X, y).generalization_bound()
        clf.set_params(radius=2.0)
        with pytest.raises(ValueError, match="weight two"):
            clf.fit(X, y, np.full(60, 2.0)).generalization_bound()
