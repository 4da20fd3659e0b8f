"""Leave-one-bag-out errors of the linear members, over a whole (rho, alpha) grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg

from sklearn_ext._numerics._arrays import blocks, dense
from sklearn_ext.aggregate._linear._solvers import definite_factor
from sklearn_ext.aggregate._linear._statistics import AggregateStatistics, BaggedData

_BATCH = 1024  # bags worked on at a time: their tables stay in the cache
_NUMBERS = 1 << 20  # of a batch of products of two rows of a bag
_DETERMINED = 1e-10  # what a bag must leave for its own prediction
_DOUBTFUL = 1e-3  # less than this may be rounding where bags are few


def lobo_errors(
    data: BaggedData,
    stats: AggregateStatistics,
    rhos,
    alphas,
    *,
    fit_intercept=True,
    loo="response",
):
    """Return the mean squared leave-one-bag-out error of every grid point.

    ``stats`` must be centred. The error of a bag carries its weight; several targets
    are averaged. Where leaving a bag out leaves slopes undetermined it is infinite.
    Where bags hardly outnumber features, a bag may leave so little for its own
    prediction that rounding decides; such grid points are computed another way.
    """
    rhos = np.asarray(rhos, dtype=float)
    left = _LeftOut(data, stats, fit_intercept, rows_too=loo == "bag")
    paths = [_Path.of(stats, rhos, alpha) for alpha in alphas]
    totals = left.squares(paths, rhos)
    again = left.refitted if left.rows_too else left.from_inverse
    few = data.n_bags <= len(stats.x_mean) + fit_intercept
    for j, (path, alpha) in enumerate(zip(paths, alphas, strict=True)):
        totals[path.kept < _DETERMINED, j] = np.inf
        if few and alpha > 0:
            for i in np.flatnonzero((path.kept < _DOUBTFUL) & np.isfinite(path.kept)):
                totals[i, j] = again(rhos[i], alpha)
    return totals / (data.n_bags * data.y_means.shape[1])


@dataclass(frozen=True)
class _Path:
    """Inverses and slopes for all rhos at one alpha, and what they leave of a bag."""

    vectors: np.ndarray  # (n_features, n_features)
    shrink: np.ndarray  # (n_features, n_rhos), 0 where slopes are not unique
    slopes: np.ndarray  # (n_features, n_rhos * n_targets)
    kept: np.ndarray  # (n_rhos,), least ``1 - h`` so far, -inf if not unique

    @classmethod
    def of(cls, stats, rhos, alpha):
        """Solve one eigenproblem for all rhos."""
        vectors, scale = _diagonal(stats.between, stats.within, alpha, rhos)
        unique = (scale > 1e-12).all(axis=0)
        shrink = np.where(unique, 1 / np.where(unique, scale, 1.0), 0.0)
        slopes = (vectors.T @ stats.cross)[:, None] * shrink[:, :, None]
        kept = np.where(unique, np.inf, -np.inf)
        return cls(vectors, shrink, slopes.reshape(len(slopes), -1), kept)


def _diagonal(between, within, alpha, rhos):
    """Return Q and s with ``(B + rho W + alpha I)^-1 = Q diag(1 / s(rho)) Q'``.

    The eigenproblem is that of W against B + alpha I, or against T + alpha I where
    that is singular. ``s`` has shape (n_features, n_rhos) and is 0 where slopes are
    not unique.
    """
    ridge = alpha * np.eye(len(between))
    for offset, base in enumerate((between, between + within)):
        if definite_factor(base + ridge, 1e-13) is not None:
            values, vectors = linalg.eigh(within, base + ridge, check_finite=False)
            values = np.clip(values, 0.0, 1.0 if offset else None)
            return vectors, 1 + (rhos - offset) * values[:, None]
    return np.eye(len(between)), np.zeros((len(between), len(rhos)))


class _LeftOut:
    """Squared errors of bags that are left out, summed over bags and targets.

    What is left out of a bag is its aggregate, its rows still counting in W, or
    ``rows_too``.
    """

    def __init__(self, data, stats, fit_intercept, *, rows_too):
        self.data, self.stats, self.fit_intercept = data, stats, fit_intercept
        self.rows_too = rows_too and not data.bags.are_rows
        self.share = data.omega / stats.weight * fit_intercept

    def _bags(self, chosen):
        """Return weighted centred means of features and aggregates."""
        return self.data.around(self.stats.x_mean, self.stats.y_mean, chosen)

    def squares(self, paths, rhos):
        """Return the sums for whole paths, (n_rhos, n_alphas).

        With ``V = (u, sqrt(rho) D)``, the mean of the bag and its deviations, the error
        is the first entry of ``(I - V A^-1 V')^-1 q``. Elimination from below leaves
        just this entry, for all bags of a batch and all rhos at once.
        """
        totals = np.zeros((len(rhos), len(paths)))
        for chosen, deviations in self._batches():
            means, targets = self._bags(chosen)
            rows = np.concatenate([means[None], deviations.transpose(1, 0, 2)])
            roots = np.ones((len(rows), 1, len(rhos)))
            roots[1:] = np.sqrt(rhos)
            share = self.share[chosen, None]
            for j, path in enumerate(paths):
                rotated = rows @ path.vectors  # (size, n_bags, n_features)
                system = _what_is_left(rotated, path.shrink, roots, share)
                fitted = rotated @ path.slopes
                right = fitted.reshape(*rows.shape[:2], len(rhos), -1)
                right = right * -roots[..., None]
                right[0] += targets[:, None]
                error, kept = _first_entry(system, right)
                np.minimum(path.kept, kept.min(axis=0), out=path.kept)
                totals[:, j] += np.einsum("art,art->r", error, error)
        return totals

    def _batches(self):
        """Yield bags and the weighted deviations from their means that go with them.

        Of bags with more rows than features a triangle is kept, which has the same
        products of columns.
        """
        data, d = self.data, len(self.stats.x_mean)
        known = np.flatnonzero(data.known)
        if not self.rows_too:
            for batch in blocks(len(known), _BATCH):
                chosen = known[batch]
                yield chosen, np.empty((len(chosen), 0, d))
            return
        order, begin = data.bags.order()
        counts = data.bags.counts[known]
        for size in np.unique(counts):
            of_size = known[counts == size]
            step = max(1, _NUMBERS // max((min(size, d) + 1) ** 2 * d, size))
            for batch in blocks(len(of_size), step):
                chosen = of_size[batch]
                rows = order[begin[chosen][:, None] + np.arange(size)]
                inside = dense(data.X[rows.ravel()]).reshape(*rows.shape, d)
                inside = inside - dense(data.x_means[chosen])[:, None]
                inside = np.sqrt(data.row_weights[rows])[:, :, None] * inside
                yield chosen, inside if size <= d else np.linalg.qr(inside, mode="r")

    def from_inverse(self, rho, alpha):
        """Return the sum for one pair, from the inverse of ``I - H`` itself.

        ``I - U A^-1 U' = (I + U (rho W + alpha I)^-1 U')^-1`` has no difference that
        could cancel. The direction of the intercept, in which the product is zero, is
        lifted by a known amount.
        """
        values, vectors = self._within
        means, targets = self._bags(self.data.known)
        rotated = means @ vectors
        K = (rotated / (rho * values + alpha)) @ rotated.T
        share = self.share[self.data.known]
        lift = np.trace(K) / len(K) or 1.0
        K += lift * np.sqrt(np.outer(share, share))
        K[np.diag_indices_from(K)] += 1
        inverse = linalg.inv(K, check_finite=False)
        kept = np.diag(inverse) - share / (1 + lift)
        return np.sum((inverse @ targets / kept[:, None]) ** 2)

    @cached_property
    def _within(self):
        values, vectors = linalg.eigh(self.stats.within)
        return np.maximum(values, 0.0), vectors

    def refitted(self, rho, alpha):
        """Return the sum for one pair, by refits without each bag."""
        total, data = 0.0, self.data
        means, targets = self._bags(data.known)
        roots = np.sqrt(data.omega[data.known])
        place = np.cumsum(data.known) - 1
        for chosen, deviations in self._batches():
            for bag, inside in zip(place[chosen], deviations, strict=True):
                share = np.where(np.arange(len(roots)) == bag, 0.0, roots)
                share *= self.fit_intercept / max(share @ share, 1e-300)
                x = means - np.outer(roots, share @ means)
                y = targets - np.outer(roots, share @ targets)
                U, t = np.delete(x, bag, axis=0), np.delete(y, bag, axis=0)
                A = U.T @ U + rho * (self.stats.within - inside.T @ inside)
                A[np.diag_indices_from(A)] += alpha
                slopes = np.linalg.solve(A, U.T @ t)
                total += np.sum((y[bag] - x[bag] @ slopes) ** 2)
        return total


def _what_is_left(rows, shrink, roots, share):
    """Return the upper triangle of ``I - V A^-1 V'`` of each bag for every rho.

    ``rows`` (size, n_bags, n_features) hold the mean first, ``roots`` (size, 1, n_rhos)
    what they are multiplied by, ``share`` (n_bags, 1) the part of the intercept; the
    result has shape (size, size, n_bags, n_rhos).
    """
    size, n_bags, n_features = rows.shape
    left = np.empty((size, size, n_bags, roots.shape[2]))
    for row in range(size):
        products = (rows[row] * rows[row:]).reshape(-1, n_features) @ shrink
        products = products.reshape(size - row, n_bags, -1)
        np.multiply(products, -roots[row] * roots[row:], out=left[row, row:])
        left[row, row] += 1 if row else 1 - share
    return left


def _first_entry(A, right):
    """Solve stacks of systems for their first entry alone, and return the least pivot.

    ``A`` is symmetric, holds its upper triangle, (size, size, ...), and is overwritten.
    """
    for last in range(len(A) - 1, 0, -1):
        pivot = np.maximum(A[last, last], _DETERMINED)
        for row in range(last):
            factor = A[row, last] / pivot
            A[row, row:last] -= factor * A[row:last, last]
            right[row] -= factor[..., None] * right[last]
    least = np.einsum("ii...->i...", A).min(axis=0)
    return right[0] / np.maximum(A[0, 0], _DETERMINED)[..., None], least
