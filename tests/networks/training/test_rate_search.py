"""Which rate of a grid is best, read from losses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.networks._training import _rate_search as search


def curve(*means):
    rates = 2.0 ** np.arange(len(means))
    return search.read_curve(rates, np.repeat(means, 2)[None])


def test_folds_of_a_rate_share_the_epoch():
    losses = np.array([[3.0, 1.0, 2.0, 2.0], [1.0, 2.0, 2.0, 1.5]])
    found = search.read_curve(np.array([0.1, 0.2]), losses)
    assert_allclose(found.loss, [[1.0, 2.0], [2.0, 1.5]])
    assert found.best == 0


def test_divergence_loses_the_vote_for_good():
    losses = np.array([[0.1, 0.1, 2.0, 2.0], [np.inf, 0.1, 2.0, 2.0]])
    assert search.read_curve(np.array([1.0, 2.0]), losses).best == 1


def test_a_fold_without_rows_has_no_vote():
    losses = np.array([[3.0, np.nan, 2.0, np.nan]])
    assert search.read_curve(np.array([1.0, 2.0]), losses).best == 1


def test_the_smallest_of_rates_that_are_about_as_good_is_taken():
    assert curve(2.0, 1.0 + 1e-9, 1.0, 3.0).best == 1
    assert curve(2.0, 1.04, 1.03, 1.0).best == 1
    assert curve(2.0, 1.06, 1.0, 1.0).best == 2


@pytest.mark.parametrize(
    ("means", "side"),
    [
        ((1.0, 2.0, 3.0), -1),
        ((3.0, 2.0, 1.0), 1),
        ((3.0, 1.0, 2.0), 0),
        ((1.0, 1.001, 3.0), 0),  # flat: nothing is to be had beyond
        ((1.0,), 0),
    ],
)
def test_beyond_the_border(means, side):
    assert search.beyond(curve(*means)) == side


def test_further_rates_and_the_joined_curve():
    rates = np.array([0.25, 0.5])
    assert_allclose(search.further(rates, 1), [1.0, 2.0, 4.0])
    assert_allclose(search.further(rates, -1), [1 / 32, 1 / 16, 1 / 8])
    one = search.read_curve(rates, np.array([[2.0, 1.0]]))
    two = search.read_curve(np.array([0.125]), np.array([[0.5]]))
    joined = search.joined(one, two)
    assert_allclose(joined.learning_rates, [0.125, 0.25, 0.5])
    assert_allclose(joined.loss[:, 0], [0.5, 2.0, 1.0])
    assert joined.best == 0


def test_the_border_of_the_users_grid_is_told():
    with pytest.warns(
        ConvergenceWarning, match="largest of its learning rates, 4; .*Wid"
    ):
        search.warn_of_border(curve(3.0, 2.0, 1.0), "MuMLPClassifier")


@pytest.mark.parametrize(
    "rates", [[], [0.1, -1.0], [np.nan], [[0.1, 0.2]], ["a"], [True]]
)
def test_rates_are_checked(rates):
    with pytest.raises(ValueError, match="positive finite numbers, got"):
        search.rate_grid(rates, 100)


def test_few_steps_are_large():
    assert search.rate_grid(None, 50)[0] > search.rate_grid(None, 500)[0]
    assert_allclose(search.rate_grid([0.2, 0.1, 0.2], 5), [0.1, 0.2])
