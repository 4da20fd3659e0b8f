"""Nested subsets, crossings, regimes, intervals and power laws as arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.probes._regimes._curves import (
    bootstrap_means,
    compare,
    crossings,
    find_regimes,
    fit_power_law,
    interval,
    power_law,
)
from sklearn_ext.probes._regimes._subsets import hold_out, nested_order, resolve_sizes

SIZES = np.array([10, 20, 40, 80, 160])


@pytest.fixture(params=range(3))
def random_state(request):
    return np.random.RandomState(request.param)


@pytest.fixture
def codes(random_state):
    """One very common class, one very rare."""
    counts = [500, 120, 37, 2]
    return random_state.permutation(np.repeat(np.arange(4), counts))


def test_held_out_rows_are_stratified(codes, random_state):
    train, test = hold_out(codes, 0.2, random_state)
    assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(codes)))
    assert_array_equal(np.bincount(codes[test]), [100, 24, 7, 1])


def test_every_prefix_is_stratified_and_complete(codes, random_state):
    order = nested_order(codes, random_state)
    assert_array_equal(np.sort(order), np.arange(len(codes)))
    seen = np.cumsum(codes[order][:, None] == np.arange(4), axis=0)
    share = np.bincount(codes) / len(codes)
    sizes = np.arange(1, len(codes) + 1)[:, None]
    assert (seen[3:] > 0).all()
    assert abs(seen[4:] - sizes[4:] * share).max() < 2 + 4  # a row each comes first
    assert abs(seen - sizes * share)[100:].max() < 3


def test_balanced_prefixes(codes, random_state):
    order = nested_order(codes, random_state, balanced=True)
    for per_class in (1, 2):
        found = np.bincount(codes[order[: 4 * per_class]], minlength=4)
        assert_array_equal(found, [per_class] * 4)


def test_orders_are_uniform_over_the_rows_of_a_class():
    codes = np.repeat([0, 1], [6, 3])
    rng = np.random.RandomState(0)
    orders = np.array([nested_order(codes, rng) for _ in range(4000)])
    share = np.mean(orders[:, :4, None] == np.arange(9), axis=(0, 1)) * 4
    assert_allclose(share[:6], share[:6].mean(), atol=0.04)
    assert_allclose(share[6:], share[6:].mean(), atol=0.04)


@pytest.mark.parametrize(
    ("train_sizes", "expected"),
    [
        ([40, 10, 10], [10, 40]),
        ((10, 20), [10, 20]),
        (np.array([0.1, 1.0]), [100, 1000]),
        (("per_class", [1, 4, 2]), [5, 10, 20]),
    ],
)
def test_sizes(train_sizes, expected):
    assert_array_equal(resolve_sizes(train_sizes, 1000, 5, 30), expected)


def test_automatic_sizes_are_geometric():
    sizes = resolve_sizes("auto", 1000, 5, 30)
    assert (sizes[0], sizes[-1], len(sizes)) == (10, 1000, 8)
    assert_allclose(np.diff(np.log(sizes)), np.log(100) / 7, rtol=0.06)
    assert_array_equal(resolve_sizes("auto", 7, 5, 1), [7])


@pytest.mark.parametrize(
    ("train_sizes", "match"),
    [
        ([3, 10], "holds 3, fewer than the 5 classes"),
        ([10, 2000], "holds 2000, but only 1000 rows"),
        ([0.5, 1.5], r"shares of the training rows in \(0, 1\]"),
        ([0.001], "holds 1, fewer than the 5 classes"),
        ([], "must be 'auto', a list"),
        (["a", "b", "c"], "must be 'auto', a list"),
        ([[1, 2], [3, 4]], "must be 'auto', a list"),
        (("per_class", [1, 31]), "rarest class, 30; got"),
        (("per_class", [0]), "rarest class, 30; got"),
        (("per_class", [1.5]), "needs whole sizes"),
        (("per_class", [np.nan]), "needs whole sizes"),
        ([0.5, np.nan], r"shares of the training rows in \(0, 1\]"),
    ],
)
def test_bad_sizes(train_sizes, match):
    with pytest.raises(ValueError, match=match):
        resolve_sizes(train_sizes, 1000, 5, 30)


def slow_crossing(sizes, d):
    """The definition, interval by interval."""
    at, leader = None, 0
    for i, now in enumerate(d):
        if leader > 0 and now < 0:
            t = d[i - 1] / (d[i - 1] - now)
            at = np.exp((1 - t) * np.log(sizes[i - 1]) + t * np.log(sizes[i]))
        leader = np.sign(now) or leader
    if at is not None:
        return at
    return np.inf if leader >= 0 else sizes[0]


def test_crossings_follow_the_definition(rng):
    differences = rng.normal(size=(500, 5)).round(1)  # with exact zeros
    found = crossings(SIZES, differences)
    slow = [slow_crossing(SIZES, d) for d in differences]
    assert_allclose(found, slow, rtol=1e-12)
    assert_allclose(crossings(SIZES[:1], np.array([[1.0], [-1.0]])), [np.inf, 10])


@pytest.mark.parametrize(
    ("difference", "at", "censored"),
    [
        ([2, 1, -1, -2, -2], np.sqrt(20 * 40), None),
        ([1, 1, 0, -1, -1], 40, None),
        ([1, 1, 1, 1, 1], np.inf, "above"),
        ([-1, -1, -1, -1, -1], 10, "below"),
        ([-1, -1, 1, 1, 1], np.sqrt(20 * 40), None),
        ([-1, 1, -1, -1, -1], np.sqrt(20 * 40), None),
        ([1, -1, 1, -1, 1], np.sqrt(80 * 160), None),
        ([-1, -1, -1, -1, 0], 10, "below"),
        ([0, 0, -1, 0, -1], 10, "below"),
        ([0, 0, 1, 0, 0], np.inf, "above"),
        ([0, 0, 0, 0, 0], np.inf, "above"),
        ([0, 1, 0, 0, -1], 80, None),
    ],
)
def test_crossovers_by_hand(difference, at, censored):
    found, turned = (compared(sign * np.array(difference)) for sign in (1.0, -1.0))
    assert_allclose(found.crossover, at)
    assert found.censored == censored
    if censored is None:  # the order of the two does not matter
        assert_allclose(turned.crossover, at)
        assert turned.censored is None
    swapped = {"nb": "lr", "lr": "nb", "tie": "tie"}
    assert [(*r[:2], swapped[r[2]], r[3]) for r in turned.regimes] == found.regimes


def compared(mean, shifts=(0.0,)):
    return compare(
        SIZES,
        mean[:, None] + np.array(shifts),
        ("nb", "lr"),
        confidence_level=0.9,
        n_bootstrap=200,
        rng=np.random.RandomState(0),
    )


def test_intervals_do_not_depend_on_the_order():
    mean, shifts = np.array([0.05, 0.02, -0.01, -0.03, -0.05]), np.linspace(-3, 3, 6)
    found = compared(mean, 0.01 * shifts)
    turned = compared(-mean, -0.01 * shifts)
    assert np.isfinite(found.crossover_ci).all()
    assert_allclose(turned.crossover_ci, found.crossover_ci)


def test_equal_scores_tie_in_spite_of_rounding():
    mean = np.array([-1.0, 1e-17, 0.0, -2e-17, 1.0])
    found = compared(mean)
    assert [r[2] for r in found.regimes] == ["lr", "tie", "nb"]
    assert_allclose([r[:2] for r in found.regimes], [(10, 20), (20, 80), (80, 160)])
    assert not found.difference[1:4].any()


def test_regimes_cover_the_grid_in_order():
    mean = np.array([-1.0, 1.0, 1.0, -1.0, -1.0])
    ci = mean[:, None] + [-0.5, 0.5]
    ci[-2:] = [-3, 3]
    found = find_regimes(SIZES, mean, ci, ("nb", "lr"))
    lows, highs, winners, significant = zip(*found, strict=True)
    assert_allclose(lows, [10, np.sqrt(200), np.sqrt(3200)])
    assert_allclose(highs, [np.sqrt(200), np.sqrt(3200), 160])
    assert winners == ("lr", "nb", "lr")
    assert significant == (True, True, False)


def test_bootstrap_means_are_means_of_resampled_repeats():
    values = np.random.default_rng(0).normal(size=(4, 6))
    means = bootstrap_means(values, 4000, np.random.RandomState(0))
    assert_allclose(means.mean(axis=0), values.mean(axis=1), atol=0.03)
    assert_allclose(means.std(axis=0), values.std(axis=1) / np.sqrt(6), rtol=0.06)
    same = bootstrap_means(np.ones((4, 1)) * values, 10, np.random.RandomState(1))
    assert same.shape == (10, 4)


def test_intervals_take_infinite_replicates():
    replicates = np.r_[np.arange(90.0), np.full(10, np.inf)]
    assert_allclose(interval(replicates, 0.8), [9, 89])
    assert np.isinf(interval(replicates, 0.9)[1])


def draw_differences(rng, n_repeats=10):
    """Curves whose mean crosses zero at exactly 50 rows; noise runs along a curve."""
    mean = 0.05 * (np.log(50) - np.log(SIZES))
    noise = rng.normal(scale=0.03, size=(len(SIZES), n_repeats))
    return mean[:, None] + np.cumsum(noise, axis=0) / np.sqrt(2)


def test_intervals_hold_the_true_crossover_most_of_the_time():
    rng = np.random.default_rng(0)
    held = []
    for seed in range(100):
        found = compare(
            SIZES,
            draw_differences(rng),
            ("nb", "lr"),
            confidence_level=0.9,
            n_bootstrap=500,
            rng=np.random.RandomState(seed),
        )
        held.append(found.crossover_ci[0] <= 50 <= found.crossover_ci[1])
    assert 0.7 <= np.mean(held) < 1


def test_one_repeat_has_no_interval():
    found = compare(
        SIZES,
        draw_differences(np.random.default_rng(0), 1),
        ("nb", "lr"),
        confidence_level=0.9,
        n_bootstrap=10,
        rng=np.random.RandomState(0),
    )
    assert np.isnan(found.difference_ci).all()
    assert np.isnan(found.crossover_ci).all()
    assert not any(significant for *_, significant in found.regimes)


@pytest.mark.parametrize("q", [0.1, 0.5, 1.0, 2.0])
def test_power_laws_are_recovered(q):
    errors = power_law(SIZES, 0.1, 2.0, q)
    assert_allclose(fit_power_law(SIZES, errors), (0.1, 2.0, q), rtol=1e-6)


def test_power_laws_never_go_below_zero():
    a, b, _ = fit_power_law(SIZES, np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert a >= 0
    assert b == 0
