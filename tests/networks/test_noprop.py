"""The law of a target by blocks: closed forms against quadrature, refits and laws."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, sparse
from scipy.integrate import quad
from scipy.stats import chi2, norm
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ext._numerics._ridge import PrimalSpectrum, RidgeMoments
from sklearn_ext.networks import NoPropRegressor, crps_loss
from sklearn_ext.networks._noprop import _chain
from sklearn_ext.networks._noprop._chain import (
    GAMMA_FIRST,
    Regression,
    Waves,
    expected_moments,
    fit_chain,
    flow,
    hermite,
    left_out_errors,
    mean_and_scale,
    noise_levels,
    signal_and_noise,
    standardised,
)
from sklearn_ext.networks._noprop._rows import Rows
from sklearn_ext.networks._noprop._tables import (
    LEVELS,
    Tail,
    interpolation,
    normal_values,
    read,
)

SMALL = {"n_blocks": 3, "n_components": 40, "n_members": 3, "random_state": 0}
HUMPS = {**SMALL, "n_blocks": 6, "n_components": 80}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def two_humps(n, rng):
    """A target on either side of a line, farther apart to the right."""
    X = rng.uniform(-1, 1, (n, 2))
    side = rng.choice([-1.0, 1.0], n)
    return X, X[:, 0] + side * (1.5 + X[:, 1]) + 0.2 * rng.standard_normal(n)


@pytest.fixture
def block(rng):
    """Rows of a block, and the same with forty values of noise for each."""
    n, d, k = 70, 3, 30
    X, e = rng.standard_normal((n, d)), rng.standard_normal(n)
    w = rng.integers(1, 4, n).astype(float)
    waves = Waves.draw(d, k, 0.3, np.random.RandomState(0))
    signal, noise = signal_and_noise(0.7)
    nodes, shares = np.polynomial.hermite_e.hermegauss(40)
    P = waves.angles(X)
    z = [signal * e + noise * node for node in nodes]
    Phi = [waves.size * np.cos(P + np.outer(v, waves.rate)) for v in z]
    target = [e - signal * v for v in z]
    return {
        "waves": waves,
        "rows": (P, e, w),
        "levels": (signal, noise),
        "shares": shares / shares.sum(),
        "features": np.array(Phi),
        "targets": np.array(target),
    }


def drawn_moments(block, w):
    """Moments of all rows with all their noise, one by one."""
    Phi, targets = block["features"], block["targets"][..., None]
    weights = np.outer(block["shares"], w)
    kept = weights.ravel() > 0
    flat = (A.reshape(-1, A.shape[-1])[kept] for A in (Phi, targets))
    return RidgeMoments.of(*flat, weights.ravel()[kept])


class TestBlocks:
    """Sums over all noise, and rows that leave with theirs."""

    def test_moments_are_those_of_every_noise(self, block):
        found = expected_moments(block["waves"], [block["rows"]], *block["levels"])
        drawn = drawn_moments(block, block["rows"][2])
        for name in ("gram", "cross", "mean", "y_mean", "y_square"):
            assert_allclose(getattr(found, name), getattr(drawn, name), atol=1e-12)

    def test_moments_of_batches_add_up(self, block):
        P, e, w = block["rows"]
        parts = [(P[rows], e[rows], w[rows]) for rows in (slice(30), slice(30, None))]
        whole = expected_moments(block["waves"], [block["rows"]], *block["levels"])
        found = expected_moments(block["waves"], parts, *block["levels"])
        assert_allclose(found.gram, whole.gram, atol=1e-12)
        assert_allclose(found.cross, whole.cross, atol=1e-12)

    def test_weights_are_repetition(self, block):
        P, e, w = block["rows"]
        times = w.astype(int)
        again = (np.repeat(P, times, axis=0), np.repeat(e, times), np.ones(times.sum()))
        one = expected_moments(block["waves"], [(P, e, w)], *block["levels"])
        other = expected_moments(block["waves"], [again], *block["levels"])
        assert_allclose(one.gram, other.gram, atol=1e-12)
        assert_allclose(one.cross, other.cross, atol=1e-12)

    def test_rows_leave_with_their_weight_and_noise(self, block):
        (P, e, w), (signal, noise) = block["rows"], block["levels"]
        waves, n_terms, alphas = block["waves"], 14, np.array([3.0, 0.1])
        moments = expected_moments(waves, [(P, e, w)], signal, noise)
        terms = waves.expansion(P + np.outer(signal * e, waves.rate), noise, n_terms)
        targets = np.zeros((len(e), n_terms))
        targets[:, 0], targets[:, 1] = noise**2 * e, -signal * noise
        spectrum = PrimalSpectrum.of(moments)
        found = left_out_errors(spectrum, terms, targets, w, alphas)
        for i in (0, 7, 31):
            rest = PrimalSpectrum.of(
                drawn_moments(block, np.where(w == w, w, 0) * (np.arange(len(w)) != i))
            )
            for alpha, errors in zip(alphas, found, strict=True):
                coef, intercept = rest.solve([alpha])
                said = block["features"][:, i] @ coef[:, 0] + intercept
                error = block["shares"] @ (block["targets"][:, i] - said) ** 2
                assert_allclose(errors[i], error, rtol=1e-6)

    def test_expansion_is_the_wave(self, rng):
        waves = Waves.draw(2, 9, 0.5, np.random.RandomState(1))
        P, eps = waves.angles(rng.standard_normal((5, 2))), 0.8
        terms = waves.expansion(P, 0.4, 25)
        hermites = [
            np.polynomial.hermite_e.hermeval(eps, np.eye(25)[m])
            / np.sqrt(float(np.prod(np.arange(1, m + 1, dtype=float))))
            for m in range(25)
        ]
        wave = waves.size * np.cos(P + waves.rate * 0.4 * eps)
        assert_allclose(np.einsum("nmk,m->nk", terms, hermites), wave, atol=1e-9)

    def test_cubics_interpolate_values_and_slopes(self, rng):
        knots = np.linspace(-7, 7, 128)
        z = np.sort(rng.uniform(-6, 6, (3, 20)), axis=1)
        rates = np.array([0.3, 1.0, 2.5])[:, None]
        value, slope = hermite(
            z, knots, np.sin(rates * knots), rates * np.cos(rates * knots)
        )
        assert_allclose(value, np.sin(rates * z), atol=2e-5)
        assert_allclose(slope, rates * np.cos(rates * z), atol=2e-3)
        far, none = hermite(np.array([[99.0]]), knots, knots[None], 1 + 0 * knots[None])
        assert (far[0, 0], none[0, 0]) == (knots[-1], 0.0)


class TestFlow:
    """Noise becomes the law that exact posteriors belong to."""

    @pytest.mark.parametrize("n_blocks", [1, 3, 16])
    @pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.3, 0.5), (-0.7, 2.0)])
    def test_a_normal_law_is_exact_for_any_number_of_blocks(self, n_blocks, mean, std):
        ratio = noise_levels(n_blocks)

        def posterior(t, z):
            signal, noise = signal_and_noise(ratio[t])
            slope = signal * std**2 / (signal**2 * std**2 + noise**2)
            return mean + slope * (z - signal * mean), np.full(z.shape, slope)

        z = np.linspace(-3, 3, 31)[None]
        assert_allclose(flow(z, ratio, posterior), mean + std * z, atol=1e-9)

    def test_without_tweedies_variance_it_would_be_too_narrow(self):
        """Means alone, as in the paper's chain, lose a sixteenth in sixteen."""
        signals, noises = signal_and_noise(noise_levels(16))
        z = np.array([1.0])
        for a, s, a_next, s_next in zip(
            signals, noises, [*signals[1:], 1.0], [*noises[1:], 0.0], strict=True
        ):
            said = a * z  # exact for a standard normal law
            z = a_next * said + s_next * (z - a * said) / s
        assert z[0] < 0.94

    def test_two_humps_come_out_with_blocks_enough(self):
        """Quantiles of a mixture, from its exact posteriors."""
        places, width = np.array([-1.0, 1.0]), 0.3

        def law(n_blocks):
            ratio = noise_levels(n_blocks)

            def posterior(t, z):
                a, s = signal_and_noise(ratio[t])
                square = a**2 * width**2 + s**2
                share = a * width**2 / square
                gap = z[..., None] - a * places
                said = places + share * gap
                chance = np.exp(-(gap**2) / (2 * square))
                chance /= chance.sum(axis=-1, keepdims=True)
                mean = (chance * said).sum(axis=-1)
                second = (chance * (said**2 + width**2 * s**2 / square)).sum(axis=-1)
                return mean, a / s**2 * (second - mean**2)

            levels = np.array([0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
            said = flow(norm.ppf(levels)[None], ratio, posterior)[0]
            true = norm.cdf((said[:, None] - places) / width).mean(axis=1)
            return abs(true - levels).max()

        assert law(64) < 0.01
        assert law(8) < 0.05
        assert law(64) < law(8)

    def test_linear_blocks_give_the_closed_form(self, rng):
        """y | x normal and linear in x: means and variances of draws are known."""
        X = rng.standard_normal((400, 3))
        y = 2 + X @ [1.0, -2.0, 0.5] + 0.7 * rng.standard_normal(400)
        left = y - LinearRegression().fit(X, y).predict(X)
        chain = fit_chain(
            X, y, np.ones(400), n_blocks=8, n_components=20, alpha=1e9, gamma=0.1,
            rng=np.random.RandomState(0), left=left,
        )  # fmt: skip
        nodes, shares = np.polynomial.hermite_e.hermegauss(30)
        drawn, shares = chain.deviations(X[:50], nodes), shares / shares.sum()
        assert_allclose(drawn @ shares, 0, atol=1e-6)
        assert_allclose(drawn**2 @ shares, np.mean(left**2), rtol=1e-5)

    def test_what_is_learnt_of_a_normal_law_is_normal(self, rng):
        """Bounds are three standard errors, or .999 of chi-square for four numbers."""
        n, sigma = 800, 0.7
        X = rng.standard_normal((n, 3))
        truth = 2 + X @ [1.0, -2.0, 0.5]
        y = truth + sigma * rng.standard_normal(n)
        model = NoPropRegressor(estimator=LinearRegression(), **SMALL).fit(X, y)
        mean, std = model.predict(X, return_std=True)
        assert np.sum((mean - truth) ** 2) < sigma**2 * chi2.ppf(0.999, 4)
        assert abs(std.mean() - sigma) < 3 * sigma / np.sqrt(2 * n)
        assert std.std() < 0.02 * sigma
        levels = np.array([0.01, 0.1, 0.3, 0.7, 0.9, 0.99])
        said = (model.predict_quantiles(X, levels) - mean[:, None]) / sigma
        assert abs(said - norm.ppf(levels)).max(axis=0).max() < 0.3
        assert abs(said.mean(axis=0) / norm.ppf(levels) - 1).max() < 0.06


def smoother(A, X, w, landmarks, gamma, penalty):
    """Return the matrix that takes targets of X to predictions at A, and its ridge.

    From the definition: penalised are the square of the kernel's part in its space, and
    4 d times the squares of the columns' coefficients.
    """

    def kernel(B):
        gaps = abs(B[:, None, :] - landmarks).sum(axis=2)
        return np.exp(-gamma * gaps)

    m, d = len(landmarks), X.shape[1]
    inner = kernel(landmarks) + 1e-8 * np.eye(m)
    within = np.c_[kernel(X), X, np.ones(len(X))]
    size = np.zeros((m + d + 1, m + d + 1))
    size[:m, :m], size[m:-1, m:-1] = inner, 4 * d * np.eye(d)
    free = within[:, :-1] - w @ within[:, :-1] / w.sum()
    features = linalg.solve(size[:-1, :-1], free.T, assume_a="pos")
    ridge = penalty * w @ (free * features.T).sum(axis=1) / len(X)
    normal = within.T @ (w[:, None] * within) + ridge * size
    here = np.c_[kernel(A), A, np.ones(len(A))]
    return here @ linalg.solve(normal, within.T * w), ridge


class TestRegression:
    """The block that sees no noise."""

    @pytest.mark.parametrize("n", [90, 25])  # rows, beside 20 landmarks and 3 columns
    @pytest.mark.parametrize("alpha", [0.01, 3.0])
    def test_it_is_the_ridge_of_its_definition(self, alpha, n, rng):
        X, y = rng.standard_normal((n, 3)), rng.standard_normal(n)
        new, w = rng.standard_normal((7, 3)), rng.integers(1, 4, n).astype(float)
        found, left = Regression.fit(X[:20], 0.2, X, y, w, alpha)
        H, ridge = smoother(new, X, w, X[:20], 0.2, alpha)
        assert_allclose(found.predict(new), H @ y, rtol=1e-5, atol=1e-7)
        for i in (0, 5, n - 1):  # the first two are landmarks, which stay
            rest, v = np.delete(X, i, axis=0), np.delete(w, i)
            unit = smoother(X[[i]], rest, v, X[:20], 0.2, 1.0)[1]
            H = smoother(X[[i]], rest, v, X[:20], 0.2, ridge / unit)[0]
            assert_allclose(left[i], y[i] - H @ np.delete(y, i), rtol=1e-5, atol=1e-7)

    @pytest.mark.parametrize("n", [90, 20])
    def test_rows_come_in_batches(self, n, monkeypatch, rng):
        X, y, w = rng.standard_normal((n, 3)), rng.standard_normal(n), np.ones(n)
        one, left = Regression.fit(X[:20], 0.2, X, y, w, "auto")
        monkeypatch.setattr(_chain, "BATCH", 7)
        other, again = Regression.fit(X[:20], 0.2, X, y, w, "auto")
        assert_allclose(other.predict(X), one.predict(X), rtol=1e-9, atol=1e-9)
        assert_allclose(again, left, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
    def test_errors_are_bias_and_variance(self, alpha, rng):
        """A straight line costs a rough kernel what theory says, to three deviations.

        Of the squared error with bias b and smoother H: the mean is |b|^2 + s^2 |H|^2,
        the variance 2 s^4 |H'H|^2 + 4 s^2 |H'b|^2.
        """
        n, sigma = 500, 0.7
        X = rng.standard_normal((n, 3))
        truth = 2 + X @ [1.0, -2.0, 0.5]
        options = {"n_blocks": 1, "n_components": 40, "alpha": alpha, "gamma": 0.1}
        U = standardised(X, *mean_and_scale(X, np.ones(n)))
        H = smoother(U, U, np.ones(n), U[:80], GAMMA_FIRST / 3, alpha)[0]
        bias = H @ truth - truth
        mean = bias @ bias + sigma**2 * np.sum(H**2)
        square = 2 * sigma**4 * np.sum((H.T @ H) ** 2)
        square += 4 * sigma**2 * np.sum((H.T @ bias) ** 2)
        errors = []
        for _ in range(8):
            y = truth + sigma * rng.standard_normal(n)
            drawn = np.random.RandomState(0)
            chain = fit_chain(X, y, np.ones(n), rng=drawn, **options)
            errors.append(np.sum((chain.centre(X) - truth) ** 2))
        assert abs(np.mean(errors) - mean) < 3 * np.sqrt(square / len(errors))


class TestRows:
    """Who is merged, and who shares a fold."""

    def test_equal_rows_are_one(self, rng):
        X, y = rng.standard_normal((30, 2)), rng.standard_normal(30)
        times = rng.integers(0, 4, 30)
        some = Rows.of(X, y, times.astype(float), 3)
        twice = np.repeat(np.arange(30), times)
        other = Rows.of(X[twice], y[twice], np.ones(len(twice)), 3)
        assert_array_equal(X[some.first], X[twice][other.first])
        assert_array_equal(some.weight, other.weight)
        assert_array_equal(some.fold, other.fold)
        assert_array_equal(some.place < 0, times == 0)
        here = some.place >= 0
        assert_array_equal(y[some.first][some.place[here]], y[here])

    def test_few_rows_measured_twice_stay_together(self, rng):
        X, y = rng.standard_normal((500, 2)), rng.standard_normal(500)
        X[1] = X[0]
        rows = Rows.of(X, y, np.ones(500), 5)
        fold = rows.fold[rows.place]
        assert fold[0] == fold[1]
        assert np.bincount(fold).max() - np.bincount(fold).min() <= 2

    def test_draws_of_few_laws_are_dealt_one_by_one(self, rng):
        X, y = rng.integers(0, 2, (500, 1)) * 1.0, rng.standard_normal(500)
        rows = Rows.of(X, y, np.ones(500), 5)
        fold = rows.fold[rows.place]
        assert_array_equal(np.bincount(fold), [100] * 5)
        assert len(np.unique(fold[X[:, 0] == 0])) == 5

    def test_units_and_offsets_change_no_fold(self, rng):
        X, y = rng.standard_normal((100, 3)), rng.standard_normal(100)
        w = np.ones(100)
        one = Rows.of(X, y, w, 4)
        other = Rows.of(X * [2.0**10, 0.25, 1.0] + [0, 1, 8], y * 3 + 7, w, 4)
        assert_array_equal(one.fold[one.place], other.fold[other.place])


class TestTables:
    """Reading tables of normal values, and the ends that they give."""

    def test_reading_is_straight_and_goes_on(self, rng):
        z = np.array([-7.0, -5.0, -0.03, 0.0, 2.22, 6.0])
        table = np.stack([LEVELS, 2 * LEVELS + 1])
        assert_allclose(table @ interpolation(z), [z, 2 * z + 1], atol=1e-12)
        assert_allclose(read(table, np.stack([z, z])), [z, 2 * z + 1], atol=1e-12)

    def test_normal_values_invert_tables(self, rng):
        table = np.cumsum(rng.exponential(size=(6, len(LEVELS))), axis=1)
        z = np.array([-6.0, -5.0, -1.234, 0.0, 3.21, 5.5])
        y = read(table, z[:, None])[:, 0]
        assert_allclose(normal_values(table, y)[1:5], z[1:5], atol=1e-9)
        assert normal_values(table, y)[0] <= -5
        assert normal_values(table, y)[5] >= 5

    def test_a_law_of_one_value(self):
        table = np.full((3, len(LEVELS)), 2.0)
        found = normal_values(table, np.array([1.0, 2.0, 3.0]))
        assert found[0] < found[1] < found[2]
        assert np.isfinite(found).all()

    @pytest.mark.parametrize("share", [0.55, 0.9, 0.95, 0.999])
    def test_ends_cover_their_share_of_left_out_rows(self, share, rng):
        """Against the definition: the least value that covers the share."""
        tables = np.sort(rng.standard_normal((3, 4, len(LEVELS))), axis=2)
        z = [rng.standard_normal(size) for size in (40, 30, 50)]
        w = [rng.integers(1, 4, len(v)).astype(float) for v in z]
        total = sum(v.sum() for v in w)
        left_out = [(a, b / total) for a, b in zip(z, w, strict=True)]
        found = Tail.of(left_out, 1 - share).end(tables)
        weight = np.concatenate(w) / total
        for row in range(4):
            values = np.concatenate(
                [tables[k, row] @ interpolation(z[k]) for k in range(3)]
            )
            order = np.argsort(values)
            at = np.searchsorted(np.cumsum(weight[order]), share - 1e-9)
            assert_allclose(found[row], values[order][at])


class TestCrps:
    """The score, against its definitions."""

    def test_all_pairs(self, rng):
        y, draws = rng.standard_normal(7), rng.standard_normal((7, 9))
        pairs = abs(draws[:, :, None] - draws[:, None, :]).mean(axis=(1, 2))
        expected = abs(draws - y[:, None]).mean(axis=1) - pairs / 2
        assert_allclose(crps_loss(y, draws), expected.mean())
        w = np.arange(7.0)
        assert_allclose(
            crps_loss(y, draws, sample_weight=w), np.average(expected, weights=w)
        )

    def test_twice_the_pinball_loss(self, rng):
        y, draws = rng.standard_normal(5), np.sort(rng.standard_normal((5, 4)), axis=1)
        losses = [
            mean_pinball_loss(y, draws[:, j], alpha=(j + 0.5) / 4) for j in range(4)
        ]
        assert_allclose(crps_loss(y, draws), 2 * np.mean(losses))

    def test_integral_over_thresholds(self):
        draws, y = np.array([[0.0, 1.0, 3.0]]), 2.0
        expected = quad(
            lambda v: ((draws <= v).mean() - (y <= v)) ** 2, -1, 4, points=[0, 1, 2, 3]
        )[0]
        assert_allclose(crps_loss([y], draws), expected)

    def test_shapes_that_do_not_fit(self):
        with pytest.raises(ValueError, match="inconsistent"):
            crps_loss([1.0, 2.0], [[1.0, 2.0]])


class TestRegressor:
    """The estimator."""

    def test_two_humps_are_seen(self, rng):
        X, y = two_humps(900, rng)
        model = NoPropRegressor(**HUMPS).fit(X, y)
        here = np.array([[0.0, 0.5]])  # humps at -2 and 2
        drawn = model.sample(here, 2000, random_state=0)[0]
        assert np.mean(abs(drawn) < 1) < 0.15
        assert 0.4 < np.mean(drawn > 0) < 0.6
        assert abs(np.median(drawn[drawn > 0]) - 2) < 0.3

    def test_spread_follows_the_rows(self, rng):
        X = rng.uniform(-1, 1, (800, 2))
        y = X[:, 0] + np.exp(X[:, 1]) * rng.standard_normal(800)
        model = NoPropRegressor(**HUMPS).fit(X, y)
        _, std = model.predict([[0, -0.8], [0, 0.8]], return_std=True)
        assert 2.5 < std[1] / std[0] < 9

    def test_quantiles_rise_and_draws_agree(self, rng):
        X, y = two_humps(300, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        levels = np.linspace(0.01, 0.99, 60)
        said = model.predict_quantiles(X[:20], levels)
        assert (np.diff(said, axis=1) >= 0).all()
        drawn = model.sample(X[:20], 4000, random_state=0)
        assert (
            abs(
                (drawn[:, :, None] < said[:, None, ::12]).mean(axis=1) - levels[::12]
            ).max()
            < 0.04
        )
        assert_array_equal(model.predict_quantiles(X[:20], levels[::-1]), said[:, ::-1])
        mean, std = model.predict(X[:20], return_std=True)
        assert_allclose(drawn.mean(axis=1), mean, atol=0.15)
        assert_allclose(drawn.std(axis=1), std, rtol=0.15)
        assert model.sample(X[:20], random_state=0).shape == (20,)
        assert_allclose(model.member_predictions(X).mean(axis=0), model.predict(X))

    def test_rows_are_predicted_by_chains_that_have_not_seen_them(self):
        X, y = load_diabetes(return_X_y=True)
        X, y = X[:120], y[:120]
        model = NoPropRegressor(**SMALL).fit(X, y)
        rows = Rows.of(X, y, np.ones(120), 3)
        fold = rows.fold[rows.place]
        changed = np.where(np.arange(120) == 5, y + 1e4, y)
        other = NoPropRegressor(**SMALL).fit(X, changed)
        assert_allclose(other.oof_prediction_[5], model.oof_prediction_[5])
        for k in range(3):
            own = model.member_predictions(X)[k]
            assert_allclose(own[fold == k], model.oof_prediction_[fold == k])

    def test_an_estimator_sees_neither_fold(self, rng):
        X, y = two_humps(120, rng)
        model = NoPropRegressor(estimator=KNeighborsRegressor(1), **SMALL).fit(X, y)
        assert len(model.estimators_) == 3
        changed = np.where(np.arange(120) == 5, y + 1e4, y)
        other = clone(model).fit(X, changed)
        assert_allclose(other.oof_prediction_[5], model.oof_prediction_[5])

    def test_an_estimator_that_fits_better_helps(self, rng):
        X = rng.uniform(-1, 1, (600, 6))
        y = 3.0 * ((X[:, 0] > 0) & (X[:, 1] > 0.2)) + 0.2 * rng.standard_normal(600)
        trees = HistGradientBoostingRegressor(max_iter=60, random_state=0)
        one = NoPropRegressor(**SMALL).fit(X, y)
        other = NoPropRegressor(estimator=trees, **SMALL).fit(X, y)
        assert other.oof_crps_ < 0.9 * one.oof_crps_

    def test_levels_are_uniform(self, rng):
        X = rng.uniform(-1, 1, (900, 2))
        y = X[:, 0] + np.exp(X[:, 1]) * rng.exponential(size=900)
        model = NoPropRegressor(**HUMPS).fit(X, y)
        share = np.histogram(model.oof_levels_, bins=10, range=(0, 1))[0] / 900
        assert abs(share - 0.1).max() < 0.04

    @pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
    def test_intervals_hold_what_they_promise(self, level):
        X, y = load_diabetes(return_X_y=True)
        inside = []
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(len(y))
            train, test = order[:250], order[250:]
            model = NoPropRegressor(**SMALL).fit(X[train], y[train])
            ends = model.predict_interval(X[test], level)
            inside.append((ends[:, 0] <= y[test]) & (y[test] <= ends[:, 1]))
        assert abs(np.mean(inside) - level) < 0.05

    def test_intervals_hold_where_the_blocks_are_wrong(self, rng):
        """A ridge so large that nothing is learnt: calibration alone must do it."""
        X, y = two_humps(1200, rng)
        model = NoPropRegressor(alpha=1e6, **SMALL).fit(X[:600], np.exp(y[:600]))
        ends = model.predict_interval(X[600:], 0.9)
        inside = (ends[:, 0] <= np.exp(y[600:])) & (np.exp(y[600:]) <= ends[:, 1])
        assert abs(inside.mean() - 0.9) < 0.04

    def test_too_few_rows_for_the_level(self, rng):
        X, y = two_humps(30, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        assert_array_equal(model.predict_interval(X[:2], 0.99), [[-np.inf, np.inf]] * 2)
        assert np.isfinite(model.predict_interval(X[:2], 0.8)).all()

    def test_larger_levels_are_wider(self, rng):
        X, y = two_humps(300, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        narrow, wide = (model.predict_interval(X, level) for level in (0.5, 0.9))
        assert (wide[:, 0] <= narrow[:, 0]).all()
        assert (narrow[:, 1] <= wide[:, 1]).all()

    @pytest.mark.parametrize("scale", [1e-300, 1e-3, 1e8, 1e300])
    def test_weights_of_any_scale(self, scale, rng):
        X, y = two_humps(60, rng)
        w = rng.integers(0, 3, 60).astype(float)
        one = NoPropRegressor(**SMALL).fit(X, y, sample_weight=w)
        other = NoPropRegressor(**SMALL).fit(X, y, sample_weight=w * scale)
        assert_allclose(other.predict(X), one.predict(X), rtol=1e-6)
        assert_allclose(other.predict_interval(X), one.predict_interval(X), rtol=1e-6)
        assert_array_equal(np.isnan(one.oof_prediction_), w == 0)

    @pytest.mark.parametrize("unit", [1e-150, 1e8, 1e150])
    def test_targets_and_columns_of_any_unit(self, unit, rng):
        X, y = two_humps(60, rng)
        here = NoPropRegressor(**SMALL).fit(X, y).predict(X)
        there = NoPropRegressor(**SMALL).fit(X * unit, y * unit).predict(X * unit)
        assert_allclose(there / unit, here, rtol=1e-4, atol=1e-4)

    def test_constant_targets_and_columns(self, rng):
        X = rng.standard_normal((40, 3))
        model = NoPropRegressor(**SMALL).fit(X, np.full(40, 7.0))
        assert_allclose(model.predict(X), 7.0)
        assert_allclose(model.predict_interval(X, 0.5), 7.0)
        y = X[:, 0]
        X[:, 1] = 3.0
        model = NoPropRegressor(**SMALL).fit(X, y)
        assert np.isfinite(model.predict(X)).all()
        far = np.r_[X * 1e6, X * 1e150]
        assert (np.diff(model.predict_quantiles(far)) >= 0).all()
        nothing = np.ones((40, 2))
        model = NoPropRegressor(**SMALL).fit(nothing, y)
        said = model.predict_quantiles(nothing[:1], [0.1, 0.5, 0.9])
        assert_allclose(said[0], np.quantile(y, [0.1, 0.5, 0.9]), atol=0.5)

    def test_parameters_set_after_the_fit_change_no_prediction(self, rng):
        X, y = two_humps(60, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        before = model.predict_quantiles(X), model.predict_interval(X)
        model.set_params(n_blocks=9, n_members=7, estimator=Ridge(), alpha=3.0)
        assert_array_equal(model.predict_quantiles(X), before[0])
        assert_array_equal(model.predict_interval(X), before[1])

    def test_jobs_change_nothing(self, rng):
        X, y = two_humps(60, rng)
        one = NoPropRegressor(**SMALL).fit(X, y)
        two = NoPropRegressor(n_jobs=2, **SMALL).fit(X, y)
        assert_array_equal(one.predict(X), two.predict(X))

    def test_many_rows_are_predicted_as_one_by_one(self, rng):
        X, y = two_humps(60, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        many = rng.uniform(-1, 1, (2100, 2))
        said = model.predict(many)
        assert_allclose(model.predict(many[2000:2003]), said[2000:2003], rtol=1e-9)

    def test_searches_and_pipelines(self, rng):
        X, y = two_humps(90, rng)
        pipe = make_pipeline(StandardScaler(), NoPropRegressor(**SMALL))
        grid = {"noproprregressor__alpha".replace("rr", "r"): [0.1, "auto"]}
        search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
        assert np.isfinite(search.best_score_)


class TestErrors:
    """What cannot be done says so, and leaves the model as it was."""

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"n_blocks": 0}, "n_blocks"),
            ({"n_components": 0}, "n_components"),
            ({"alpha": 0.0}, "alpha"),
            ({"alpha": "loo"}, "alpha"),
            ({"gamma": -1.0}, "gamma"),
            ({"n_draws": 0}, "n_draws"),
            ({"n_members": 1}, "n_members"),
        ],
    )
    def test_parameters(self, options, match, rng):
        with pytest.raises(ValueError, match=match):
            NoPropRegressor(**options).fit(*two_humps(30, rng))

    def test_rows(self, rng):
        X, y = two_humps(30, rng)
        model = NoPropRegressor(**SMALL)
        with pytest.raises(TypeError, match="Sparse"):
            model.fit(sparse.csr_array(X), y)
        with pytest.raises(ValueError, match="1d array"):
            model.fit(X, np.c_[y, y])
        with pytest.raises(ValueError, match="NaN"):
            model.fit(np.where(X > 0.9, np.nan, X), y)
        with pytest.raises(ValueError, match="distinct rows"):
            model.fit(np.ones((5, 2)), np.ones(5))
        with pytest.raises(ValueError, match="at least 3 folds with an estimator"):
            model.set_params(estimator=Ridge(), n_members=2).fit(X, y)

    def test_weights_that_the_estimator_does_not_take(self, rng):
        X, y = two_humps(30, rng)
        model = NoPropRegressor(estimator=KNeighborsRegressor(2), **SMALL)
        with pytest.raises(ValueError, match="KNeighborsRegressor does not take it"):
            model.fit(X, y, sample_weight=np.ones(30))
        model.fit(X, y)

    def test_too_few_rows_for_the_folds(self, rng):
        X, y = two_humps(4, rng)
        model = NoPropRegressor(**SMALL)
        assert np.isfinite(model.fit(X[:3], y[:3]).predict(X)).all()
        with pytest.raises(ValueError, match="2 distinct rows"):
            model.fit(X[:2], y[:2])
        with pytest.raises(ValueError, match="n_members=2 and 3 distinct rows"):
            model.set_params(n_members=2).fit(X[:3], y[:3])

    def test_targets_whose_spread_overflows(self, rng):
        X, y = two_humps(30, rng)
        with pytest.raises(ValueError, match="Divide it by a constant"):
            NoPropRegressor(**SMALL).fit(X, np.sign(y) * 1e303)
        model = NoPropRegressor(**SMALL).fit(X, np.sign(y) * 1e299)
        assert all(
            np.isfinite(part).all() for part in model.predict(X, return_std=True)
        )

    def test_estimators_that_predict_something_else(self, rng):
        class Broken(Ridge):
            shape, value = (), 1.0

            def predict(self, X):
                return np.full((len(X), *self.shape), self.value)

        class Twofold(Broken):
            shape = (2,)

        class Undefined(Broken):
            value = np.nan

        X, y = two_humps(30, rng)
        for estimator, match in ((Twofold(), r"of shape"), (Undefined(), "with NaN")):
            with pytest.raises(ValueError, match=match):
                NoPropRegressor(estimator=estimator, **SMALL).fit(X, y)

    def test_questions(self, rng):
        X, y = two_humps(30, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        for level in (0, 1, "0.9", None):
            with pytest.raises(ValueError, match="confidence_level"):
                model.predict_interval(X, level)
        for levels in ([0.0], [1.0], [[0.5]], [np.nan]):
            with pytest.raises(ValueError, match="quantiles"):
                model.predict_quantiles(X, levels)
        for n_samples in (0, 1.5, "3"):
            with pytest.raises(ValueError, match="n_samples"):
                model.sample(X, n_samples)

    def test_a_failed_fit_leaves_the_model(self, rng):
        X, y = two_humps(30, rng)
        model = NoPropRegressor(**SMALL).fit(X, y)
        before = model.predict(X)
        with pytest.raises(ValueError, match="distinct rows"):
            model.fit(np.ones((5, 2)), np.ones(5))
        assert_array_equal(model.predict(X), before)

    def test_nothing_warns(self, rng):
        X, y = two_humps(60, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = NoPropRegressor(**SMALL).fit(X, np.round(y))
            model.predict_interval(X)


QUICK = {"n_blocks": 2, "n_components": 40, "random_state": 0}


class TestRowsThatTellNothingNew:
    def test_a_vanishing_weight_is_none(self, rng):
        X, y, w = rng.normal(size=(90, 2)), rng.normal(size=90), np.ones(90)
        w[:30] = 1e-300
        light = NoPropRegressor(**QUICK).fit(X, y, sample_weight=w)
        without = NoPropRegressor(**QUICK).fit(X[30:], y[30:])
        assert_allclose(light.predict_interval(X), without.predict_interval(X))

    def test_few_heavy_rows_promise_no_interval(self, rng):
        X, y, w = rng.normal(size=(90, 2)), rng.normal(size=90), np.full(90, 1e-6)
        w[:3] = 1.0
        model = NoPropRegressor(**QUICK).fit(X, y, sample_weight=w)
        assert np.isinf(model.predict_interval(X[:2])).all()

    def test_rows_measured_repeatedly_share_a_fold(self, rng):
        X = rng.normal(size=(60, 3))
        y = np.repeat(rng.normal(size=60), 3) + 0.01 * rng.normal(size=180)
        model = NoPropRegressor(**QUICK).fit(np.repeat(X, 3, axis=0), y)
        low, high = model.predict_interval(rng.normal(size=(1000, 3))).T
        new = rng.normal(size=1000)
        assert ((low <= new) & (new <= high)).mean() > 0.8

    def test_draws_of_a_discrete_law_are_dealt_one_by_one(self, rng):
        for n_values in (2, 30, 200):
            X = rng.integers(0, n_values, size=(400, 1)).astype(float)
            rows = Rows.of(X, rng.normal(size=400), np.ones(400), 5)
            sizes = np.bincount(rows.fold)
            assert sizes.max() - sizes.min() <= 1
