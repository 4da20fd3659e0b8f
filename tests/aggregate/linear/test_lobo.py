"""Leave-one-bag-out at the edges: few bags, collinear columns, equal rows."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from sklearn_ext.aggregate import InterpolatingAggregateRegressorCV


def solve(A, b):
    """Gauss elimination in fractions."""
    A = [[*row, right] for row, right in zip(A, b, strict=True)]
    for i in range(len(A)):
        p = max(range(i, len(A)), key=lambda r: abs(A[r][i]))
        A[i], A[p] = A[p], A[i]
        for r in range(i + 1, len(A)):
            factor = A[r][i] / A[i][i]
            A[r] = [x - factor * y for x, y in zip(A[r], A[i], strict=True)]
    found = [Fraction(0)] * len(A)
    for i in reversed(range(len(A))):
        rest = sum(A[i][j] * found[j] for j in range(i + 1, len(A)))
        found[i] = (A[i][-1] - rest) / A[i][i]
    return found


def exact_error(X, y, bags, rho, alpha, loo):
    """Leave bags out by refits in rational numbers; weights are sizes."""
    X = [[Fraction(float(x)) for x in row] for row in X]
    y, rho, alpha = [Fraction(float(v)) for v in y], Fraction(rho), Fraction(alpha)
    labels, d = sorted(set(bags)), len(X[0])
    rows = {a: [i for i, bag in enumerate(bags) if bag == a] for a in labels}
    size = {a: len(rows[a]) for a in labels}
    mean = {
        a: [sum(X[i][j] for i in rows[a]) / size[a] for j in range(d)] for a in labels
    }
    target = {a: sum(y[i] for i in rows[a]) / size[a] for a in labels}
    total = Fraction(0)
    for out in labels:
        others = [a for a in labels if a != out]
        weight = sum(size[a] for a in others)
        x0 = [sum(size[a] * mean[a][j] for a in others) / weight for j in range(d)]
        y0 = sum(size[a] * target[a] for a in others) / weight
        A = [[Fraction(0)] * d for _ in range(d)]
        r = [Fraction(0)] * d
        for a in others:
            gap = [mean[a][j] - x0[j] for j in range(d)]
            for j in range(d):
                r[j] += size[a] * gap[j] * (target[a] - y0)
                for k in range(d):
                    A[j][k] += size[a] * gap[j] * gap[k]
        for a in labels if loo == "response" else others:
            for i in rows[a]:
                gap = [X[i][j] - mean[a][j] for j in range(d)]
                for j in range(d):
                    for k in range(d):
                        A[j][k] += rho * gap[j] * gap[k]
        for j in range(d):
            A[j][j] += alpha
        slopes = solve(A, r)
        fitted = sum((mean[out][j] - x0[j]) * slopes[j] for j in range(d))
        total += size[out] * (target[out] - y0 - fitted) ** 2
    return float(total / len(labels))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("loo", ["response", "bag"])
def test_scores_of_few_bags_are_exact(seed, loo):
    """A bag leaves 1e-8 for its own prediction: a difference would be rounding."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, rng.integers(3, 5))
    bags = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(len(bags), rng.integers(2, 6))) * 3 + 5
    y = rng.normal(size=len(bags)) + 3
    model = InterpolatingAggregateRegressorCV(loo=loo).fit(X, y, bags=bags)
    for i, j in ((0, 0), (0, 1), (1, 0), (8, 0), (15, 0), (8, 8)):
        expected = exact_error(X, y, bags, model.rhos_[i], model.alphas_[j], loo)
        assert_allclose(-model.lobo_scores_[i, j], expected, rtol=1e-5)


@pytest.mark.parametrize("loo", ["response", "bag"])
@pytest.mark.parametrize("shape", [(60, 8, 4), (100, 5, 2), (18, 6, 3), (100, 8, 6)])
@pytest.mark.parametrize("extra", ["none", "copy", "one-hot"])
def test_a_doubtful_grid_point_does_not_spoil_the_choice(rng, loo, shape, extra):
    n, d, m = shape
    X = rng.normal(size=(n, d))
    y, bags = X[:, 0] + rng.normal(size=n), np.arange(n) % m
    if extra == "copy":
        X = np.c_[X, X[:, 0]]
    elif extra == "one-hot":
        X = np.c_[X, X[:, 0] > 0, X[:, 0] <= 0]
    model = InterpolatingAggregateRegressorCV(loo=loo).fit(X, y, bags=bags)
    assert not np.isnan(model.lobo_scores_).any()
    assert np.isfinite(model.best_score_)


def test_equal_rows_are_left_out_together(rng):
    X, w = rng.normal(size=(40, 5)), rng.integers(1, 4, 40)
    y = X[:, 0] + rng.normal(size=40)
    plain = InterpolatingAggregateRegressorCV().fit(X, y)
    weighted = InterpolatingAggregateRegressorCV().fit(X, y, sample_weight=w)
    twice = np.repeat(X, w, axis=0), np.repeat(y, w)
    repeated = InterpolatingAggregateRegressorCV().fit(*twice)
    assert_allclose(repeated.lobo_scores_, weighted.lobo_scores_, rtol=1e-9)
    assert repeated.n_bags_ == 40
    refits = []
    for i in range(40):
        kept = np.arange(40) != i
        ridge = Ridge(weighted.alpha_).fit(X[kept], y[kept], w[kept])
        refits.append(w[i] * (y[i] - ridge.predict(X[i : i + 1])[0]) ** 2)
    assert_allclose(-weighted.best_score_, np.mean(refits), rtol=1e-8)
    assert plain.alpha_ > 0


@pytest.mark.parametrize("factor", [1e-4, 2.0, 1e4])
@pytest.mark.parametrize("in_bags", [True, False])
def test_the_scale_of_weights_does_not_change_the_choice(rng, factor, in_bags):
    X, w = rng.normal(size=(60, 4)), rng.uniform(0.1, 0.4, 60)
    y, bags = X[:, 0] + rng.normal(size=60), np.arange(60) // 3 if in_bags else None
    one = InterpolatingAggregateRegressorCV().fit(X, y, bags=bags, sample_weight=w)
    two = InterpolatingAggregateRegressorCV()
    two.fit(X, y, bags=bags, sample_weight=factor * w)
    assert two.rho_ == one.rho_
    assert_allclose(two.alpha_, factor * one.alpha_)
    assert_allclose(two.coef_, one.coef_, rtol=1e-8)
