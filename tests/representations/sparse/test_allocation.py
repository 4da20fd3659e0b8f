"""A shared budget spent best, and the price that spends it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ext.representations import allocate_budget
from sklearn_ext.representations._sparse._allocation import (
    GainTable,
    capped_prices,
    common_factor,
    feature_prices,
    price_of,
)
from sklearn_ext.representations._sparse._pursuit import Choice


def falling_gains(rng, n=12, width=6):
    gains = -np.sort(-rng.exponential(size=(n, width)), axis=1)
    gains[rng.random(n) < 0.2, 3:] = 0
    return gains


def most_saved(gains, budget):
    """Dynamic programming over rows: the most that `budget` steps save."""
    best = np.zeros(budget + 1)
    for row in np.concatenate([np.zeros((len(gains), 1)), gains.cumsum(axis=1)], 1):
        best = np.array(
            [
                max(best[b - t] + row[t] for t in range(min(b, len(row) - 1) + 1))
                for b in range(budget + 1)
            ]
        )
    return best[budget]


def test_mutual_choice_is_the_best_by_dynamic_programming():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        gains = falling_gains(rng)
        k = rng.uniform(0.2, 5)
        kept = allocate_budget(gains, k)
        budget = int(len(gains) * k)
        assert kept.sum() == min(budget, (gains > 0).sum())
        assert_allclose(gains[kept].sum(), most_saved(gains, budget), rtol=1e-12)
        assert (np.diff(kept.astype(int), axis=1) <= 0).all()  # first steps first


@pytest.mark.parametrize("seed", range(20))
def test_mutual_choice_is_one_price(seed):
    gains = falling_gains(np.random.default_rng(seed))
    for budget in (1, 7, 20, 40):
        price = price_of(gains, budget)
        kept = allocate_budget(gains, budget / len(gains) + 1e-9)
        assert_array_equal((gains >= price) & (gains > 0), kept)


def test_rows_may_come_in_any_order(rng):
    gains = falling_gains(rng)
    order = rng.permutation(len(gains))
    assert_array_equal(
        allocate_budget(gains, 2)[order], allocate_budget(gains[order], 2)
    )


def test_ties_never_exceed_the_budget():
    gains = np.ones((5, 4))
    for k in (0.3, 1, 1.5, 3.9):
        kept = allocate_budget(gains, k)
        assert kept.sum() == int(5 * k)
        assert (np.diff(kept.astype(int), axis=1) <= 0).all()
        assert (gains >= price_of(gains, int(5 * k))).sum() <= 5 * k


def test_a_gain_counts_no_more_than_the_one_before():
    kept = allocate_budget([[1.0, 9.0], [2.0, 0.5]], 0.5)
    assert_array_equal(kept, [[False, False], [True, False]])


def test_each_row_may_have_its_own_budget(rng):
    gains = falling_gains(rng)
    kept = allocate_budget(gains, 2, "row")
    assert (kept.sum(axis=1) == np.minimum(2, (gains > 0).sum(axis=1))).all()
    assert kept[:, 2:].sum() == 0


def test_each_feature_may_have_its_own_budget(rng):
    gains = rng.exponential(size=(11, 5))
    kept = allocate_budget(gains, 1.5, "feature")
    assert (kept.sum(axis=0) == 4).all()  # ceil(11 * 1.5 / 5)
    for column, mine in zip(gains.T, kept.T, strict=True):
        assert column[mine].min() > column[~mine].max()


@pytest.mark.parametrize("allocation", ["mutual", "row", "feature"])
def test_nothing_is_spent_on_nothing(allocation):
    assert not allocate_budget(np.zeros((4, 3)), 2, allocation).any()


def test_wrong_budgets_are_refused():
    with pytest.raises(ValueError, match=r"whole n_nonzero_coefs, got 1\.5"):
        allocate_budget(np.ones((4, 3)), 1.5, "row")
    with pytest.raises(ValueError, match="rows and steps, got 1-d"):
        allocate_budget(np.ones(4), 1)
    with pytest.raises(ValueError, match="got NaN"):
        allocate_budget([[np.nan, 1.0]], 1)
    with pytest.raises(ValueError, match="'n_nonzero_coefs'"):
        allocate_budget(np.ones((4, 3)), 0)
    with pytest.raises(ValueError, match="'allocation'"):
        allocate_budget(np.ones((4, 3)), 1, "batch")


def test_a_table_of_gains_knows_all_prices(rng):
    gains = falling_gains(rng, n=4000).T
    table = GainTable.of(gains, 10.0)
    for k in (0.3, 1.0, 2.2, 4.0):
        kept = (gains >= table.price(k)).sum() / 4000
        assert_allclose(kept, k, rtol=5e-3)
        saved = np.sort(gains.ravel())[::-1][: int(4000 * k)].sum() / 4000
        assert_allclose(table.fvu(k), 1 - saved / 10, rtol=5e-3)
    assert table.price(table.largest) == 0
    assert_allclose(table.largest, (gains > 0).sum() / 4000)


def test_tables_of_two_halves_mix_to_that_of_all(rng):
    gains = falling_gains(rng, n=4000).T
    one, other = gains[:, :2000], 2 * gains[:, 2000:]
    both = GainTable.of(np.concatenate([one, other], axis=1), 15.0)
    mixed = GainTable.of(one, 10.0).mixed(GainTable.of(other, 20.0), 0.5)
    for k in (0.3, 1.0, 2.2, 4.0):
        assert_allclose(mixed.price(k), both.price(k), rtol=1e-2)
        assert_allclose(mixed.fvu(k), both.fvu(k), rtol=1e-2)


def taken_at(gains):
    """Return how rows choose where what an atom saves depends on no other."""

    def choose(prices):
        net = np.where(gains >= prices, gains - prices, -1)
        order = np.argsort(-net, axis=1)
        count = (net >= 0).sum(axis=1)
        bids = np.take_along_axis(gains, order, 1).T
        return Choice(order.T, bids, bids, bids, count)

    return choose


def test_prices_of_features_meet_their_caps(rng):
    gains = rng.exponential(size=(60, 8)) * np.arange(1, 9)
    prices = feature_prices(taken_at(gains), 10, np.full(8, 1.0))
    assert ((gains >= prices).sum(axis=0) <= 10).all()
    assert (gains >= prices).sum() >= 0.85 * 80
    kept = allocate_budget(gains, 10 * 8 / 60, "feature")
    assert ((gains >= prices) <= kept).all()


def test_a_common_factor_spends_the_budget(rng):
    gains, prices = rng.exponential(size=(500, 8)), rng.uniform(0.5, 2, 8)
    choose = taken_at(gains)
    factor = common_factor(lambda f: choose(f * prices), 2.0)
    assert_allclose(choose(factor * prices).count.mean(), 2.0, rtol=1e-2)


def test_prices_lie_between_who_pays_and_who_does_not():
    gains = np.array([5.0, 3.0, 3.0, 1.0, 0.0])
    expected = {0: 10.0, 1: 4.0, 2: 4.0, 3: 2.0, 4: 0.0}
    assert {k: price_of(gains, k) for k in expected} == expected


def test_budgets_are_not_lost_to_rounding():
    """0.29 times 100 is 28.999999999999996, and 2.3 times 10 / 23 is above one."""
    for k, budget in ((0.29, 29), (0.57, 57), (1.15, 115)):
        assert allocate_budget(np.ones((100, 3)), k).sum() == budget
    kept = allocate_budget(np.ones((100, 3)), 0.57, "feature")
    assert (kept.sum(axis=0) == 19).all()


@pytest.mark.parametrize("allocation", ["mutual", "row", "feature"])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_empty_tables_of_gains(allocation, shape):
    assert allocate_budget(np.zeros(shape), 1, allocation).shape == shape


def test_caps_hold_where_atoms_are_alike(rng):
    """Rows move on together from one copy of an atom to the next."""
    gains = np.repeat(rng.exponential(size=(60, 2)), 4, axis=1)

    def choose(prices):
        net = np.where(gains >= prices, gains - prices, -1)
        best = net.argmax(axis=1)
        rows = np.arange(60)
        worth = net[rows, best]
        net[rows, best] = 0
        bids = gains[rows, best] - np.maximum(net.max(axis=1), 0)
        return Choice(best[None], bids[None], bids[None], bids[None], worth >= 0)

    prices = feature_prices(choose, 10, np.full(8, 0.1))
    prices = capped_prices(choose, 10, prices)
    choice = choose(prices)
    assert np.bincount(choice.atoms[0][choice.count]).max() <= 10
