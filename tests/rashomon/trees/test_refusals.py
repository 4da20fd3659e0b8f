"""What the tree classifier refuses, and how it says so."""

from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_breast_cancer

from sklearn_ext.rashomon import RashomonTreeClassifier
from sklearn_ext.rashomon._trees import _plan


def small(rng, n=40, p=3):
    return rng.integers(0, 3, (n, p)).astype(float), rng.integers(0, 2, n)


def fit(X, y, weight=None, **params):
    params = {"max_depth": 2, "random_state": 0} | params
    return RashomonTreeClassifier(**params).fit(X, y, weight)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"theta": -0.1}, r"The 'theta' parameter .* range \[0.0, inf\). Got -0.1"),
        ({"theta": np.nan}, "The 'theta' parameter .* Got nan"),
        ({"theta": np.inf}, "The 'theta' parameter .* Got inf"),
        ({"theta": True}, "theta must be a non-negative number, got the truth value"),
        ({"space": "dense"}, "The 'space' parameter .*'full'.* Got 'dense'"),
        ({"method": "guess"}, "The 'method' parameter .*'smc'.* Got 'guess'"),
        ({"voting": "all"}, "The 'voting' parameter .*'simplest'.* Got 'all'"),
        ({"split_prior": "x"}, "The 'split_prior' parameter .*'gap'.* Got 'x'"),
        ({"theta_mode": "x"}, "The 'theta_mode' parameter .*'relative'.* Got 'x'"),
        ({"max_depth": -1}, r"The 'max_depth' parameter .* range \[0, inf\). Got -1"),
        ({"max_depth": 2.5}, "The 'max_depth' parameter .* an int .* Got 2.5"),
        ({"max_depth": True}, "max_depth must be a number, got the truth value True"),
        ({"n_draws": True}, "n_draws must be a number, got the truth value True"),
        ({"n_members": 0}, r"The 'n_members' parameter .* range \[1, inf\). Got 0"),
        ({"n_jobs": 0}, "n_jobs must be None or a whole number other than 0, got 0"),
        ({"thresholds": [[0.5]]}, "one array of cuts for each of the 3 features"),
        (
            {"thresholds": [[np.nan], [1], [1]]},
            r"finite cuts for each feature, got \[nan\] for feature 0",
        ),
        ({"thresholds": [[1], [[1]], [1]]}, "a flat array .* for feature 1"),
        ({"exact_counts": True, "loss_grid": 64}, "needs the exact recursion"),
        ({"space": "sparse", "method": "mc"}, "samples complete trees"),
        ({"method": "smc", "repeats": False}, "needs repeats=True"),
    ],
)
def test_parameters(rng, params, message):
    X, y = small(rng)
    with pytest.raises(ValueError, match=message):
        fit(X, y, **params)


def test_classes_and_weights(rng):
    X, y = small(rng)
    with pytest.raises(ValueError, match="at least two classes"):
        fit(X, np.zeros(len(y)))
    with pytest.raises(ValueError, match="at least two classes"):
        fit(X, y, (y == 0).astype(float))
    with pytest.raises(ValueError, match="sample_weight must be non-negative"):
        fit(X, y, np.where(y == 0, -1.0, 1.0))
    with pytest.raises(ValueError, match="loss_grid='unit' needs weights that are"):
        fit(X, y, rng.random(len(y)), loss_grid="unit")


def test_rows_in_the_words_of_scikit_learn(rng):
    X, y = small(rng)
    for value, message in ((np.nan, "contains NaN"), (np.inf, "contains infinity")):
        with pytest.raises(ValueError, match=message):
            fit(np.where(X == 0, value, X), y)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        fit(X[:, 0], y)
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        fit(X[:0], y[:0])
    with pytest.raises(ValueError, match=r"X has 2 features, .* expecting 3"):
        fit(X, y).predict(X[:, :2])


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(("yes", "no"), ["no", "yes"]), ((True, False), [False, True]), ((7, 3), [3, 7])],
)
def test_labels_of_any_kind(rng, labels, classes):
    X, y = small(rng)
    clf = fit(X, np.array(labels)[y])
    assert_array_equal(clf.classes_, classes)
    assert set(clf.predict(X)) <= set(labels)


def test_everything_inside_has_a_log_ratio_of_zero(rng):
    X, y = small(rng)
    for weight in (None, rng.random(len(y))):
        assert fit(X, y, weight, theta=1.0).log_ratio_ == 0.0
    assert fit(X, y, theta=1.0, method="mc", n_draws=100).log_ratio_ == 0.0


def test_cost_is_predicted(rng):
    X, y = small(rng, p=6)
    cost = RashomonTreeClassifier(max_depth=4).estimate_cost(X, y)
    clf = fit(X, y, max_depth=4)
    assert cost.subsets == tuple(len(level) for level in clf._set.graph.levels)
    assert cost.n_degrees == clf._set.upper.ranges.length
    assert "operations" in str(cost)


def test_too_much_work_is_refused_before_it_starts(rng):
    X, y = small(rng, p=6)
    message = (
        r"needs about .* operations and .* MB .*n_thresholds.*loss_grid.*method='mc'"
    )
    with (
        mock.patch.object(_plan, "smallest_losses", side_effect=KeyError),
        pytest.raises(ValueError, match=message),
    ):
        fit(X, y, max_depth=4, method="exact", exact_budget=10.0)


def test_refuses_bad_questions(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    clf = RashomonTreeClassifier(1, random_state=0).fit(X, y)
    for theta in (np.nan, -0.1, "a", None):
        for ask in (clf.log_ratio_at, clf.log_ratio_interval_at):
            with pytest.raises(ValueError, match="theta must be a finite number from"):
                ask(theta)
    with pytest.raises(ValueError, match=r"theta must be .* truth value True"):
        clf.log_ratio_at(True)
    with pytest.raises(
        ValueError, match=r"baseline has labels .* not among the classes"
    ):
        clf.discrepancy(X, y + 5)
    with pytest.raises(ValueError, match="y must hold one of the classes"):
        clf.model_class_reliance(X, y[:7])
    with pytest.raises(ValueError, match="values must have one row for each of X"):
        clf.extremes(X, np.ones(40))
    with pytest.raises(ValueError, match="values must be finite numbers"):
        clf.extremes(X, np.full((40, 2), np.nan))
    with pytest.raises(ValueError, match="group must have rows inside and outside"):
        clf.parity_range(X, np.ones(40))
    names = np.array(["a", "b"])[y]
    message = (
        r"group must be a boolean mask of the 40 rows, e.g. X\['sex'\] == 'fem.*got"
    )
    for group in (np.ones(3), y * np.nan, y + 1, names, names.astype(object), X[:, 0]):
        with pytest.raises(ValueError, match=message):
            clf.parity_range(X, group)
    assert clf.parity_range(X, y) == clf.parity_range(X, y == 1)
    with pytest.raises(ValueError, match="positive must be one of"):
        clf.parity_range(X, y, positive="z")
    with pytest.raises(ValueError, match="method must be 'exact' or 'sampled'"):
        clf.pattern_ratio(method="guess")


@pytest.mark.parametrize("value", [-1, 0, 2.5, True, "a", None])
def test_numbers_of_draws_and_repeats(rng, value):
    X, y = small(rng)
    clf = fit(X, y)
    asked = {
        "n_samples": clf.sample,
        "n_repeats": lambda n: clf.model_class_reliance(X, y, n_repeats=n),
        "max_patterns": clf.pattern_ratio,
    }
    for name, ask in asked.items():
        message = rf"{name} must be a whole number from 1 upwards, got {value!r}\."
        with pytest.raises(ValueError, match=message):
            ask(value)
    with pytest.raises(ValueError, match="n_samples must be a whole number from 1"):
        clf.pattern_ratio(method="sampled", n_samples=value)


def test_refuses_bad_weights_and_references(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    for reference in (np.nan, np.inf, True):
        with pytest.raises(ValueError, match="reference_loss must be a finite number"):
            RashomonTreeClassifier(1, reference_loss=reference).fit(X, y)
    with pytest.raises(ValueError, match="class_weight must hold finite numbers"):
        RashomonTreeClassifier(1, class_weight={0: -1}).fit(X, y)
    with pytest.raises(ValueError, match="class_weight names 5"):
        RashomonTreeClassifier(1, class_weight={5: 2}).fit(X, y)
    with pytest.raises(ValueError, match="must have a finite sum, got inf"):
        RashomonTreeClassifier(1, class_weight={0: 1e308, 1: 1e308}).fit(X, y)


def test_refuses_memory_and_warns_of_minutes(rng):
    X, y = rng.normal(size=(100, 9000)), np.arange(100) % 2
    with pytest.raises(ValueError, match="above the limits"):
        RashomonTreeClassifier(2, method="exact").fit(X, y)
    with pytest.raises(ValueError, match="for the members alone"):
        RashomonTreeClassifier(40).fit(X, y)
    with pytest.raises(ValueError, match="Lower max_depth or n_draws"):
        RashomonTreeClassifier(16, method="mc").fit(X[:, :2], y)
    with (
        pytest.warns(UserWarning, match="will take about"),
        mock.patch.object(_plan, "temper_losses", side_effect=KeyError),
        pytest.raises(KeyError),
    ):
        RashomonTreeClassifier(9, method="smc").fit(X[:, :2], y)


def test_what_takes_more_than_ten_seconds_says_so():
    X, y = load_breast_cancer(return_X_y=True)
    with (
        pytest.warns(UserWarning, match=r"about \d minutes .*ProgressBar"),
        mock.patch.object(_plan, "temper_losses", side_effect=KeyError),
        pytest.raises(KeyError),
    ):
        RashomonTreeClassifier(8).fit(X, y)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("space", ["full", "sparse"])
def test_sets_that_hold_nothing_at_any_depth(rng, depth, space):
    X, y = small(rng)
    with pytest.warns(RuntimeWarning, match="The Rashomon set is empty"):
        clf = fit(X, y, max_depth=depth, space=space, reference_loss=0.0, theta=0.01)
    assert clf.log_ratio_ == -np.inf
    assert_array_equal(clf.predict(X), clf.best_.predict(X))
    with pytest.raises(ValueError, match="The Rashomon set is empty"):
        clf.sample()
    assert clf.log_ratio_at(2.0) == 0.0


@pytest.mark.filterwarnings("ignore:The loss grid is coarse")
@pytest.mark.parametrize("below", [3e-9, 1e-8, 1e-3])
def test_sets_just_below_the_best_tree_hold_nothing(rng, below):
    X, y = small(rng)
    w = rng.random(len(y))  # losses are rounded
    params = {"max_depth": 2, "theta": 0.0, "n_members": 3}
    reference = fit(X, y, w, **params).min_loss_ - below
    with pytest.warns(RuntimeWarning, match="The Rashomon set is empty"):
        clf = fit(X, y, w, reference_loss=reference, **params)
    assert clf.log_ratio_ == -np.inf
    assert len(clf.members_) == 1
    assert_array_equal(clf.vote_share(X).argmax(axis=1), clf.predict(X))
    with pytest.raises(ValueError, match="The Rashomon set is empty"):
        fit(X, y, w, reference_loss=reference, **params | {"theta": 0.1}).sample(
            theta=0.0
        )


def test_constant_trees_are_counted_under_any_prior(rng):
    X, y = small(rng)
    X[:3, 0] = 7.0  # more cuts of one feature: splits are not uniform
    clf = fit(X, y, max_depth=0, theta=1.0)
    assert clf.log_count_ == pytest.approx(np.log(2))


@pytest.mark.parametrize("params", [{"space": "sparse"}, {"method": "mc"}, {}])
@pytest.mark.parametrize("theta", [1e6, 1e300])
def test_thresholds_beyond_all_losses_cost_nothing(rng, params, theta):
    X, y = small(rng)
    clf = fit(X, y, theta=theta, **params)
    assert clf.log_ratio_ == 0.0
    assert len(clf.loss_grid_) < 200
    assert clf.log_ratio_at(2 * theta) == 0.0
    assert ((clf.vote_share(X) > 0) & (clf.vote_share(X) < 1)).all()
    assert clf.discrepancy(X) > 0


def test_leaves_and_weights_of_any_cost(rng):
    X, y = small(rng)
    clf = fit(X, y, space="sparse", alpha=1e6, theta=1.0)
    assert clf.best_.n_leaves == 1
    with pytest.raises(ValueError, match="The exact recursion needs about"):
        fit(X, y, space="sparse", alpha=1e6, theta=1e7, loss_grid="unit")
    heavy = fit(X, y, np.full(40, 1e300))
    assert heavy.log_ratio_ == pytest.approx(fit(X, y).log_ratio_, rel=0.1)
