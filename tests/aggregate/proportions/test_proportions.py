"""The proportion classifier: losses, gradients, exact counts, limits, messages."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.special import expit, log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_ext.aggregate import LabelProportionClassifier, bag_log_loss
from sklearn_ext.aggregate._bags._partition import Bags
from sklearn_ext.aggregate._proportions._losses import (
    BagLoss,
    CountLoss,
    MixedLoss,
    RowLoss,
    debiased_targets,
)
from sklearn_ext.aggregate._proportions._poisson_binomial import count_likelihood


@pytest.fixture
def bagged(rng):
    X = rng.normal(size=(240, 4)) * [1, 10, 0.1, 1] + [0, 5, 0, 0]
    y = (X[:, 0] + 0.1 * X[:, 1] + 0.5 * rng.logistic(size=240) > 0.5).astype(int)
    return X, y, np.r_[np.arange(60), rng.integers(0, 60, 180)]


def brute_force(logits, count):
    """Enumerate all outcomes of a bag."""
    q, total, rows = expit(logits), 0.0, np.zeros(len(logits))
    for outcome in product([0, 1], repeat=len(logits)):
        if sum(outcome) == count:
            outcome = np.array(outcome)
            p = np.prod(np.where(outcome, q, 1 - q))
            total, rows = total + p, rows + p * outcome
    return np.log(total), rows / total


def test_counts_match_enumeration(rng):
    codes = np.repeat(np.arange(9), [1, 1, 3, 5, 8, 8, 2, 8, 7])
    order = rng.permutation(len(codes))
    bags = Bags.of(codes[order], len(codes))
    logits = 3 * rng.normal(size=len(codes))
    counts = np.array([rng.integers(0, size + 1) for size in bags.counts])
    log_p, posterior = count_likelihood(logits, bags, counts)
    for a, count in enumerate(counts):
        expected, rows = brute_force(logits[bags.codes == a], count)
        assert_allclose(log_p[a], expected, rtol=1e-11, atol=1e-12)
        assert_allclose(posterior[bags.codes == a], rows, rtol=1e-11, atol=1e-13)


def test_counts_far_from_expectation():
    """Odds of e^-60 a row: the count has probability near 1e-260 and no underflow."""
    bags = Bags.of(np.zeros(20, int), 20)
    logits = np.linspace(-61, -59, 20)
    log_p, posterior = count_likelihood(logits, bags, np.array([10]))
    assert_allclose(posterior.sum(), 10, rtol=1e-9)
    shifted, same = count_likelihood(logits + 60, bags, np.array([10]))
    assert_allclose(posterior, same, rtol=1e-8)
    gain = np.sum(np.log1p(np.exp(logits + 60)) - np.log1p(np.exp(logits)))
    assert_allclose(log_p, shifted - 600 + gain, rtol=1e-10)


def test_large_bags_stay_exact(rng):
    logits = 4 * rng.normal(size=2000)
    bags = Bags.of(np.zeros(2000, int), 2000)
    count = int(expit(logits).sum()) + 100
    _, posterior = count_likelihood(logits, bags, np.array([count]))
    assert_allclose(posterior.sum(), count, rtol=1e-9)


def all_losses(rng, n_classes=3):
    bags = Bags.of(rng.integers(0, 8, 30), 30, rng.uniform(0.5, 2, 30))
    p = rng.dirichlet(np.ones(n_classes), size=len(bags.ids))
    row, bag = RowLoss(bags.spread(p), bags.weights), BagLoss(p, bags)
    losses = [row, bag, MixedLoss(0.3, bag, row)]
    if n_classes == 2:
        plain = Bags.of(bags.codes, 30)
        losses.append(CountLoss(plain.counts // 2, plain))
    return losses


@pytest.mark.parametrize("n_classes", [2, 3])
def test_gradients_by_finite_differences(rng, n_classes):
    logits = rng.normal(size=(30, n_classes))
    direction = rng.normal(size=logits.shape)
    for loss in all_losses(rng, n_classes):
        step = 1e-6 * direction
        slope = (loss(logits + step)[0] - loss(logits - step)[0]) / 2e-6
        assert_allclose(np.vdot(loss(logits)[1], direction), slope, rtol=1e-6)


def test_losses_are_what_they_say(rng):
    logits = rng.normal(size=(30, 3))
    row, bag, mixed = all_losses(rng)
    w, bags = row.weights, bag.bags
    by_rows = -np.sum(w[:, None] * row.targets * log_softmax(logits, axis=1))
    q, by_bags = softmax(logits, axis=1), 0.0
    for a in range(len(bags.ids)):
        rows = bags.codes == a
        mean = np.average(q[rows], axis=0, weights=w[rows])
        by_bags -= w[rows].sum() * bag.proportions[a] @ np.log(mean)
    assert_allclose(row(logits)[0], by_rows)
    assert_allclose(bag(logits)[0], by_bags)
    assert_allclose(mixed(logits)[0], 0.7 * by_bags + 0.3 * by_rows)


def test_the_gap_of_the_losses_sees_no_response(rng):
    """Canonical losses of mean logits: instance minus bag is a Jensen gap."""
    bags = Bags.of(rng.integers(0, 6, 20), 20, rng.uniform(0.5, 2, 20))
    f = rng.normal(size=20)
    for psi in (lambda f: f**2 / 2, np.exp, lambda f: np.log1p(np.exp(f))):
        gaps = []
        for y in rng.uniform(size=(2, len(bags.ids))):
            instance = bags.weights @ (psi(f) - bags.spread(y) * f)
            mean = bags.means(f)
            gaps.append(instance - bags.sizes @ (psi(mean) - y * mean))
        jensen = bags.sizes @ (bags.means(psi(f)) - psi(bags.means(f)))
        assert_allclose(gaps, jensen, rtol=1e-10)


def test_squared_gap_is_the_spread_and_bounds_curved_losses(rng):
    bags = Bags.of(rng.integers(0, 6, 20), 20, rng.uniform(0.5, 2, 20))
    f, y = rng.normal(size=20), rng.uniform(size=len(bags.ids))
    mean = bags.means(f)
    spread = bags.weights @ (f - bags.spread(mean)) ** 2
    instance = bags.weights @ (bags.spread(y) - f) ** 2
    assert_allclose(instance - bags.sizes @ (y - mean) ** 2, spread)
    gap = bags.weights @ np.log1p(np.exp(f)) - bags.sizes @ np.log1p(np.exp(mean))
    assert 0 <= gap <= spread / 8 + 1e-12  # curvature of the logistic loss <= 1/4


def test_pseudo_labels_are_unbiased():
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=40)
    total = np.zeros(40)
    for _ in range(4000):
        bags = Bags.of(rng.permutation(np.arange(40) // 4), 40)
        y = (rng.uniform(size=40) < truth).astype(float)
        total += debiased_targets(bags.means(np.c_[1 - y, y]), bags)[:, 1]
    # partners come from a finite set, so their mean leans away from the row
    expected = truth - (4 - 1) / 39 * (truth - truth.mean())
    assert_allclose(total / 4000, expected, atol=0.06)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_instance_loss_is_logistic_regression_on_copies(rng, bagged, n_classes):
    X, _, bags = bagged
    y = rng.integers(0, n_classes, len(X))
    w = rng.uniform(0.5, 2, len(X))
    model = LabelProportionClassifier(loss="instance", tol=1e-9, max_iter=2000)
    model.fit(X, y, bags=bags, sample_weight=w)
    partition = Bags.of(bags, len(X), w)
    p = partition.spread(partition.means(np.eye(n_classes)[y]))
    copies = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(
        np.tile(X, (n_classes, 1)),
        np.repeat(np.arange(n_classes), len(X)),
        np.concatenate([w * p[:, c] for c in range(n_classes)]),
    )
    assert_allclose(model.predict_proba(X), copies.predict_proba(X), atol=1e-4)
    assert_allclose(model.coef_, copies.coef_, atol=2e-3)


@pytest.mark.parametrize("loss", ["bag", "interpolate", "em", "easyllp"])
def test_learns_rows_from_shares(bagged, loss):
    X, y, bags = bagged
    model = LabelProportionClassifier(loss=loss).fit(X, y, bags=bags)
    oracle = LogisticRegression(max_iter=1000).fit(X, y).score(X, y)
    assert model.score(X, y) > oracle - (0.15 if loss == "easyllp" else 0.08)
    shares = np.bincount(bags, y, 60) / np.bincount(bags, minlength=60)
    columns = np.column_stack([1 - shares, shares])[bags]
    model.set_params(classes=[0, 1])
    assert_allclose(model.fit(X, columns, bags=bags).score(X, y), model.score(X, y))


def test_singletons_are_logistic_regression(bagged):
    X, y, _ = bagged
    oracle = LogisticRegression(tol=1e-10, max_iter=5000).fit(X, y)
    for loss in ("interpolate", "bag", "em", "easyllp"):
        model = LabelProportionClassifier(loss=loss, tol=1e-9).fit(X, y)
        assert_allclose(model.coef_, oracle.coef_, atol=2e-3)


def test_without_intercept_and_sparse(bagged):
    X, y, bags = bagged
    model = LabelProportionClassifier(fit_intercept=False).fit(X, y, bags=bags)
    assert model.intercept_ == 0
    thin = LabelProportionClassifier().fit(sparse.csr_matrix(X), y, bags=bags)
    dense = LabelProportionClassifier().fit(X, y, bags=bags)
    assert_allclose(thin.coef_, dense.coef_, rtol=1e-4)


def test_columns_follow_classes(bagged):
    X, y, bags = bagged
    shares = np.bincount(bags, y, 60) / np.bincount(bags, minlength=60)
    columns = np.column_stack([1 - shares, shares])[bags]
    names = LabelProportionClassifier(classes=["yes", "no"])
    names.fit(X, columns[:, ::-1], bags=bags)  # column 0 is the share of ones: "yes"
    assert list(names.classes_) == ["no", "yes"]
    plain = LabelProportionClassifier().fit(X, y, bags=bags)
    assert_allclose(names.coef_, plain.coef_, rtol=1e-6)
    found = names.predict_bag_proportions(X, bags)
    assert_allclose(
        names.score(X, columns[:, ::-1], bags=bags),  # in the order of fit
        -bag_log_loss(columns, names.predict_proba(X), bags=bags),
    )
    assert found.shape == (60, 2)


@pytest.mark.parametrize(
    ("params", "y", "message"),
    [
        ({}, "shares", "but no names for them: pass classes="),
        ({"classes": [0, 1]}, "half", "sum to 1"),
        ({"classes": [0, 1, 2]}, "shares", "names 3 classes but y has 2 columns"),
        ({"classes": [1, 1]}, "shares", "at least two different classes"),
        ({}, "float", r"y=np.column_stack\(\[1 - p, p\]\)"),
        ({}, "one", "at least two classes, got one class"),
        ({"classes": [0, 7]}, "labels", r"labels \[1\] that are not among the classes"),
        ({"loss": "em"}, "three", "Only binary classification is supported"),
        ({"loss": "em", "classes": [0, 1]}, "odd", "counts over the size of the bag"),
    ],
)
def test_messages(bagged, params, y, message):
    X, labels, bags = bagged
    share = labels.mean()
    targets = {
        "shares": np.tile([1 - share, share], (240, 1)),
        "half": np.tile([0.2, 0.3], (240, 1)),
        "float": np.full(240, 0.3) + np.arange(240) / 1000,
        "one": np.zeros(240, int),
        "labels": labels,
        "three": np.arange(240) % 3,
        "odd": np.tile([0.123456, 1 - 0.123456], (240, 1)),
    }
    model = LabelProportionClassifier().fit(X, labels, bags=bags)
    coef = model.coef_
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(X, targets[y], bags=bags)
    assert model.coef_ is coef


def test_warnings(bagged):
    X, y, bags = bagged
    empty = np.column_stack([1 - y, y, 0 * y])
    with pytest.warns(UserWarning, match=r"No bag holds the class \['c'\]"):
        LabelProportionClassifier(classes=list("abc")).fit(X, empty, bags=bags)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        LabelProportionClassifier(max_iter=2).fit(X, y, bags=bags)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        LabelProportionClassifier(loss="em").fit(
            X, y, bags=bags, sample_weight=np.full(240, 2.0)
        )


def test_columns_whose_squares_overflow_are_refused():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)) * 1e160, np.arange(40) % 2
    with pytest.raises(ValueError, match=r"X holds numbers up to .* squares overflow"):
        LabelProportionClassifier().fit(X, y, bags=np.arange(40) // 4)
