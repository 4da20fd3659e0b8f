"""Bits by splitting, against laws that are exact."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext.rashomon import (
    NetworkSpace,
    RashomonLinearClassifier,
    RashomonTreeClassifier,
    inductive_bias,
)
from sklearn_ext.rashomon._information._inductive_bias import _losses
from sklearn_ext.rashomon._information._splitting import next_level, turn


class Orthant:
    """Share of negative coordinates: a binomial law."""

    def __init__(self, dim):
        self.dim = dim

    def __call__(self, z):
        return (z <= 0).mean(axis=1)

    def bits(self, k):
        return -stats.binom.logcdf(k, self.dim, 0.5) / np.log(2)


class Trees:
    """Random trees of depth two, read from normal numbers."""

    def __init__(self, clf, X, y):
        self.clf, self.y, self.dim = clf, y, 7
        self.bits = clf._splits.bits(X)

    def __call__(self, z):
        ends = stats.norm.ppf(np.cumsum(self.clf._splits.prior)[:-1])
        split = np.searchsorted(ends, z[:, :3])
        label = z[:, 3:] > 0
        root, one, zero = (self.bits[:, s].T for s in split.T)
        leaf = np.where(root, np.where(one, 0, 1), np.where(zero, 2, 3))
        return (np.take_along_axis(label, leaf, axis=1) != self.y).mean(axis=1)


def test_binomial_law():
    space, covered = Orthant(20), 0
    for seed in range(6):
        found = inductive_bias(space, target_loss=0.1, random_state=seed)
        assert found.reliable
        assert_allclose(found.bits, space.bits(2), atol=0.35)
        low, high = found.interval
        assert low <= found.bits <= high
        covered += low <= space.bits(2) <= high
        assert found.n_evaluations > 8 * 300 * 10
    assert covered >= 4


def test_thirty_bits():
    space = Orthant(40)
    found = inductive_bias(space, target_loss=0.05, n_steps=20, random_state=0)
    low, high = found.interval
    assert low - 0.3 <= space.bits(2) <= high + 0.3
    assert_allclose(found.bits, space.bits(2), atol=0.8)


def test_the_curve_is_the_law_on_the_way():
    space = Orthant(20)
    curve = inductive_bias(space, target_loss=0.1, random_state=0).curve
    assert (np.diff(curve.loss) > 0).all()
    assert (np.diff(curve.bits) <= 0).all()
    exact = [space.bits(round(k)) for k in curve.loss * 20]
    use = np.array(exact) <= 12.5
    assert use.sum() >= 8
    assert_allclose(curve.bits[use], np.array(exact)[use], atol=0.4)


def test_tree_spaces(rng):
    X = rng.integers(0, 3, (60, 4)).astype(float)
    y = (X[:, 0] > 0) ^ (X[:, 1] > 1) ^ (rng.random(60) < 0.1)
    clf = RashomonTreeClassifier(2, theta=0.02).fit(X, y)
    found = inductive_bias(
        Trees(clf, X, y),
        target_loss=clf.threshold_loss_ + 1e-9,
        n_particles=100,
        random_state=0,
    )
    assert found.reliable
    assert 4 < clf.information_bits_ < 20
    assert_allclose(found.bits, clf.information_bits_, atol=0.5)


def test_linear_models_are_uniform_directions(rng):
    X = rng.normal(size=(80, 3))
    y = 0.8 * rng.normal(size=80) < X @ [1.0, -1.0, 0.5]
    clf = RashomonLinearClassifier(
        standardize=False, method="crude", n_draws=200_000, random_state=0
    ).fit(X, y)
    found = inductive_bias("linear", X, y, target_loss=clf.threshold_loss_ + 1e-9)
    assert found.reliable
    assert_allclose(found.bits, clf.information_bits_, atol=0.4)


def test_frequent_losses_need_no_level():
    found = inductive_bias(Orthant(10), target_loss=0.5, random_state=0)
    assert_allclose(found.bits, Orthant(10).bits(5), atol=0.1)
    assert found.n_evaluations == 8 * 300
    everything = inductive_bias(Orthant(10), target_loss=1.0)
    assert everything.bits == 0
    assert everything.interval == (0, 0)
    assert everything.reliable


def test_what_every_model_reaches_needs_no_bits():
    found = inductive_bias("linear", [[0.0], [1.0]], [0, 1], target_loss=1.0)
    assert str(found.bits) == "0.0"  # rather than -0.0
    assert str(found.interval) == "(0.0, 0.0)"


def test_runs_that_do_not_arrive_are_said_so():
    with pytest.warns(ConvergenceWarning, match="8 of 8 did not reach the target loss"):
        found = inductive_bias(Orthant(20), target_loss=-0.1, random_state=0)
    assert not found.reliable
    assert found.bits == np.inf
    assert 10 < found.interval[0] < 20.6
    assert found.interval[1] == np.inf


def test_runs_that_disagree_are_said_so():
    with pytest.warns(ConvergenceWarning, match="standard deviation is .* bits"):
        found = inductive_bias(
            Orthant(30), target_loss=2 / 30, n_particles=40, n_steps=6, random_state=3
        )
    assert not found.reliable
    assert found.interval[1] == np.inf


def test_the_same_seed_gives_the_same_bits():
    a, b, c = (
        inductive_bias(Orthant(12), target_loss=0.1, random_state=s).bits
        for s in (1, 1, 2)
    )
    assert a == b
    assert a != c


def test_moves_keep_the_prior_within_the_level(rng):
    z = abs(rng.standard_normal((4000, 2)))  # both coordinates positive
    for _ in range(3):
        z, loss, tried = turn(lambda v: -v.min(axis=1), z, -z.min(axis=1), 0.0, rng)
    assert tried >= 4000
    assert_array_equal(loss, -z.min(axis=1))
    assert (z >= 0).all()
    assert stats.kstest(z.ravel(), stats.halfnorm.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("loss", "level", "target", "following"),
    [
        (np.arange(10.0), np.inf, -1.0, 1.0),
        (np.arange(10.0), np.inf, 3.0, 3.0),  # a fifth is within the target
        (np.repeat([1.0, 2.0], [1, 9]), 2.0, -1.0, 1.0),  # ties: the next lower loss
        (np.repeat([0.0, 2.0], [1, 9]), 2.0, 0.5, 0.5),  # nothing lies between
        (np.full(10, 2.0), 2.0, 0.0, 2.0),  # a stall
    ],
)
def test_levels(loss, level, target, following):
    assert next_level(loss, level, target) == following


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
def test_stacked_nets_equal_a_loop(rng, activation):
    space = NetworkSpace((4, 3), activation)
    X, act = rng.normal(size=(7, 2)), {"relu": lambda h: h * (h > 0), "tanh": np.tanh}
    z = rng.normal(size=(5, space.n_weights(2, 2)))
    assert z.shape[1] == 3 * 4 + 5 * 3 + 4 * 2
    found = space.outputs(z, X, 2)
    for net, out in zip(z, found, strict=True):
        W1, W2, W3 = (
            part.reshape(-1, c) / np.sqrt(len(part) // c)
            for part, c in zip(np.split(net, [12, 27]), (4, 3, 2), strict=True)
        )
        f = act.get(activation, lambda h: h)
        one = np.ones((7, 1))
        h = f(np.c_[X, one] @ W1)
        assert_allclose(np.c_[f(np.c_[h, one] @ W2), one] @ W3, out, rtol=1e-12)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("loss", ["zero_one", "log_loss"])
def test_losses_of_classes(rng, k, loss):
    X, y = rng.normal(size=(30, 2)), np.arange(30) % k
    space = NetworkSpace((3,))
    losses_of, dim = _losses(space, X, np.array(list("abc"))[y], loss)
    z = rng.normal(size=(6, dim))
    for net, found in zip(z, losses_of(z), strict=True):
        out = space.outputs(net[None], X, 1 if k == 2 else 3)[0]
        out = np.c_[np.zeros(30), out] if k == 2 else out
        wrong = (out.argmax(axis=1) != y).mean()
        log = -log_softmax(out, axis=1)[np.arange(30), y].mean()
        assert_allclose(found, wrong if loss == "zero_one" else log, rtol=1e-12)


def test_ties_are_errors():
    losses_of, _ = _losses("linear", np.ones((4, 1)), np.arange(4) % 2, "zero_one")
    assert_array_equal(losses_of(np.zeros((1, 2))), [1.0])
    losses_of, _ = _losses("linear", np.ones((3, 1)), np.arange(3), "zero_one")
    assert_array_equal(losses_of(np.zeros((1, 6))), [1.0])


def test_squared_errors(rng):
    X = rng.normal(size=(40, 2))
    y = X @ [0.5, -0.2]
    losses_of, dim = _losses("linear", X, y, "squared_error")
    z = rng.normal(size=(3, dim))
    direct = [((np.c_[X, np.ones(40)] @ w / np.sqrt(3) - y) ** 2).mean() for w in z]
    assert_allclose(losses_of(z), direct, rtol=1e-12)
    found = inductive_bias(
        "linear", X, y, target_loss=1e-3, loss="squared_error", random_state=0
    )
    Z = np.c_[X, np.ones(40)] / np.sqrt(3)
    w = np.linalg.lstsq(Z, y)[0]
    ball = np.linalg.eigvalsh(Z.T @ Z / 40)  # density times volume of the ellipsoid
    volume = np.log(4 / 3 * np.pi) + 1.5 * np.log(1e-3) - 0.5 * np.log(ball).sum()
    bits = -(volume + stats.norm.logpdf(w).sum()) / np.log(2)
    assert found.reliable
    assert_allclose(found.bits, bits, atol=0.4)


class TestRefusals:
    def test_space(self):
        with pytest.raises(ValueError, match="space must be 'linear', a NetworkSpace"):
            inductive_bias("quadratic", [[1.0]], [0], target_loss=0.1)
        with pytest.raises(ValueError, match=r"space\.dim must be a whole number"):
            inductive_bias(lambda z: z, target_loss=0.1)
        space = Orthant(3)
        space.__class__ = type("Wrong", (Orthant,), {"__call__": lambda s, z: z})
        with pytest.raises(ValueError, match="one loss for each of 300 vectors"):
            inductive_bias(space, target_loss=0.1)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"target_loss": np.nan}, "target_loss must be a finite number"),
            ({"loss": "hinge"}, "loss must be one of"),
            ({"n_particles": 5}, "n_particles at least 10"),
            ({"n_replicates": 1}, "n_replicates must be at least 2"),
            ({"n_steps": 0}, "n_steps must be a whole number"),
            ({"confidence_level": 1}, "confidence_level must lie between"),
            ({"y": [0, 0]}, "at least two classes, got one class"),
            ({"y": [0]}, "inconsistent numbers of samples"),
            ({"loss": "squared_error", "y": [[0], [1]]}, "y must have one dimension"),
            ({"y": [[0], [1]]}, "y must have one dimension"),
            ({"target_loss": "low"}, "target_loss must be a finite number"),
        ],
    )
    def test_numbers(self, change, message):
        good = {"X": [[0.0], [1.0]], "y": [0, 1], "target_loss": 0.1}
        with pytest.raises(ValueError, match=message):
            inductive_bias("linear", **good | change)

    def test_nets(self):
        with pytest.raises(ValueError, match="activation must be one of"):
            NetworkSpace((3,), "gelu")
        with pytest.raises(ValueError, match="activation must be one of"):
            NetworkSpace((3,), ["relu"])
        with pytest.raises(ValueError, match=r"for each layer, got 5\. Give \(5,\)\."):
            NetworkSpace(5)
        with pytest.raises(ValueError, match="hidden_layer_sizes must be a whole"):
            NetworkSpace((0,))
