"""Sums from which every linear model of the family is solved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from sklearn_ext._numerics._arrays import blocks, dense, near_zero
from sklearn_ext.aggregate._bags._partition import Bags, bag_values, show
from sklearn_ext.aggregate._linear._solvers import solve_normal

_ENOUGH_ROWS = 20_000  # to tell the spread of a column inside bags to a per cent
_BLOCK = 1 << 17  # numbers of a block of centred rows: they stay in the cache


@dataclass(frozen=True)
class BaggedData:
    """Rows, their bags and the two tables of bag means."""

    X: np.ndarray  # (n_samples, n_features), dense or CSR
    bags: Bags
    x_means: np.ndarray  # (n_bags, n_features), as X
    y_means: np.ndarray  # (n_bags, n_targets), 0 where there is no aggregate
    omega: np.ndarray  # (n_bags,), 0 where there is no aggregate
    inner: np.ndarray  # (n_bags,), weights of the spread inside bags
    bag_weight: str = "size"  # how both came about

    @classmethod
    def of(cls, X, y, bags: Bags, aggregate="mean", bag_weight="size") -> BaggedData:
        """Take bag means; ``y`` is (n_samples, n_targets), NaN without aggregate."""
        omega = bags.sizes if bag_weight == "size" else np.ones(len(bags.ids))
        y = np.asarray(y, dtype=float)
        inner = omega
        if (missing := np.isnan(y)).any():
            omega = np.where(_known_bags(missing, bags), omega, 0.0)
            y = np.where(missing, 0.0, y)
        means = bags.means(X), bag_values(y, bags, aggregate)
        return cls(X, bags, *means, omega, inner, bag_weight)

    def weighed(self, weights) -> BaggedData:
        """Return the same bags with other weights; those without aggregate keep 0."""
        return replace(self, omega=np.where(self.known, weights, 0.0), inner=weights)

    @cached_property
    def known(self) -> np.ndarray:
        """Which bags have an aggregate."""
        return self.omega > 0

    @property
    def n_bags(self) -> int:
        """Number of bags that have an aggregate."""
        return int(np.count_nonzero(self.known))

    @cached_property
    def row_weights(self) -> np.ndarray:
        """Weights c_i = omega_a s_i / S_a of the rows in the within scatter."""
        if self.inner is self.bags.sizes:
            return self.bags.weights
        return self.bags.weights * self.bags.spread(self.inner / self.bags.sizes)

    def center(self, fit_intercept=True):
        """Return weighted means of features and aggregates; zero if none is fitted."""
        if not fit_intercept:
            return np.zeros(self.X.shape[1]), np.zeros(self.y_means.shape[1])
        total = self.omega.sum()
        return (self.omega @ self.x_means) / total, (self.omega @ self.y_means) / total

    def around(self, x_mean, y_mean, chosen=slice(None)):
        """Return centred means of features and aggregates times the root of weights."""
        root = np.sqrt(self.omega[chosen])[:, None]
        means = dense(self.x_means[chosen])
        return root * (means - x_mean), root * (self.y_means[chosen] - y_mean)


def _known_bags(missing, bags: Bags):
    """Return which bags have an aggregate; one is there on all rows or on none."""
    share = bags.means(missing.mean(axis=1))
    partly = (share > 0) & (share < 1 - 1e-9)
    if partly.any():
        raise ValueError(
            f"y is NaN on some rows of bag {show(bags.ids[partly][0])} only. A bag "
            "without an aggregate has NaN on all its rows and for all targets; leave "
            "out rows that its aggregate does not cover."
        )
    if (known := share == 0).any():
        return known
    raise ValueError("y is NaN for every bag: there is no aggregate to learn from.")


@dataclass(frozen=True)
class AggregateStatistics:
    r"""Centred sums over bags; they add when bags come in blocks.

    With bag means :math:`\bar x_a`, aggregates :math:`\bar y_a` and bag weights
    :math:`\omega_a`, they hold the between scatter :math:`B`, the within scatter
    :math:`W` and the cross products :math:`r` that the normal equations
    :math:`(B + \rho W + \alpha I)\,\theta = r` need. Memory is
    O(n_features²), whatever the number of rows.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_bags : int
        Number of bags that have an aggregate.
    weight : float
        Sum of the bag weights.
    x_mean : ndarray of shape (n_features,)
        Weighted mean of the bag means.
    y_mean : ndarray of shape (n_targets,)
        Weighted mean of the aggregates.
    between : ndarray of shape (n_features, n_features)
        Scatter of the bag means around ``x_mean``.
    within : ndarray of shape (n_features, n_features) or None
        Scatter of the rows around their bag means; None when it was left out.
    cross : ndarray of shape (n_features, n_targets)
        Cross products of bag means and aggregates, both centred.
    y_scatter : ndarray of shape (n_targets,)
        Sum of squares of the centred aggregates.
    bag_weight : {"size", "uniform", "precision"}, default="size"
        How the bags were weighted; only sums that agree in it can be merged.
    spread : ndarray of shape (n_features,) or None, default=None
        Diagonal of ``within``, which is held without it too.

    See Also
    --------
    InterpolatingAggregateRegressor : Fitted from these sums.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import AggregateStatistics
    >>> X = np.array([[0.0], [2.0], [4.0], [6.0]])
    >>> stats = AggregateStatistics.of(X, [1.0, 1.0, 5.0, 5.0], bags=[0, 0, 1, 1])
    >>> coef, intercept = stats.solve(rho=0.0, alpha=0.0)
    >>> print(coef, intercept)
    [[1.]] [0.]
    """

    n_samples: int
    n_bags: int
    weight: float
    x_mean: np.ndarray
    y_mean: np.ndarray
    between: np.ndarray
    within: np.ndarray | None
    cross: np.ndarray
    y_scatter: np.ndarray
    bag_weight: str = "size"
    spread: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        X,
        y,
        bags=None,
        sample_weight=None,
        *,
        aggregate="mean",
        bag_weight="size",
    ) -> AggregateStatistics:
        """Summarise rows whose bags are complete.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Responses or replicated aggregates; NaN on all rows of a bag without an
            aggregate, which then counts in the within scatter only.
        bags : array-like of shape (n_samples,), default=None
            Labels of the bags; None makes every row a bag.
        sample_weight : array-like of shape (n_samples,), default=None
            Positive weights of the rows.
        aggregate : {"mean", "sum"}, default="mean"
            What ``y`` carries.
        bag_weight : {"size", "uniform"}, default="size"
            Weight of a bag.

        Returns
        -------
        AggregateStatistics
            The sums.
        """
        X = X if sparse.issparse(X) else np.asarray(X)
        y = np.asarray(y, dtype=float).reshape(X.shape[0], -1)
        bags = Bags.of(bags, X.shape[0], sample_weight)
        return summarize(BaggedData.of(X, y, bags, aggregate, bag_weight))

    def __add__(self, other: AggregateStatistics) -> AggregateStatistics:
        if self.cross.shape != other.cross.shape:
            raise ValueError(
                f"Cannot merge statistics of (features, targets) {self.cross.shape} "
                f"with {other.cross.shape}: summarise the same columns."
            )
        if self.bag_weight != other.bag_weight:
            raise ValueError(
                f"Cannot merge statistics of bags weighted by {self.bag_weight!r} with "
                f"others weighted by {other.bag_weight!r}: give all rows the same "
                "bag_weight."
            )
        weight = self.weight + other.weight
        share = other.weight / weight
        gap = self.weight * share
        dx, dy = other.x_mean - self.x_mean, other.y_mean - self.y_mean
        return replace(
            self,
            n_samples=self.n_samples + other.n_samples,
            n_bags=self.n_bags + other.n_bags,
            weight=weight,
            x_mean=self.x_mean + share * dx,
            y_mean=self.y_mean + share * dy,
            between=self.between + other.between + gap * np.outer(dx, dx),
            within=_add_if_held(self.within, other.within),
            cross=self.cross + other.cross + gap * np.outer(dx, dy),
            y_scatter=self.y_scatter + other.y_scatter + gap * dy**2,
            spread=_add_if_held(self.spread, other.spread),
        )

    def merge(self, other: AggregateStatistics) -> AggregateStatistics:
        """Return the sums over the bags of both.

        Parameters
        ----------
        other : AggregateStatistics
            Sums over other bags with the same features and targets.

        Returns
        -------
        AggregateStatistics
            The sums over all bags; neither operand changes.
        """
        return self + other

    def centred(self, fit_intercept: bool) -> AggregateStatistics:
        """Return sums around the means, or around zero without an intercept.

        Parameters
        ----------
        fit_intercept : bool
            Whether the model has an intercept.

        Returns
        -------
        AggregateStatistics
            Sums whose means are zero when there is no intercept.
        """
        if fit_intercept:
            return self
        zero = np.zeros_like
        w, x, y = self.weight, self.x_mean, self.y_mean
        return replace(
            self,
            x_mean=zero(x),
            y_mean=zero(y),
            between=self.between + w * np.outer(x, x),
            cross=self.cross + w * np.outer(x, y),
            y_scatter=self.y_scatter + w * y**2,
        )

    def solve(self, rho, alpha, fit_intercept=True):
        """Solve for slopes and intercepts.

        Parameters
        ----------
        rho : float
            Weight of the spread of predictions inside a bag; 0 is the bag-level loss
            and 1 the instance-level loss.
        alpha : float
            Ridge penalty.
        fit_intercept : bool, default=True
            Whether to fit an unpenalised intercept.

        Returns
        -------
        coef : ndarray of shape (n_features, n_targets)
            Slopes; of least norm where they are not unique.
        intercept : ndarray of shape (n_targets,)
            Intercepts.
        """
        solution = solve_normal(self.centred(fit_intercept), rho, alpha)
        return solution.coef, solution.intercept


def summarize(data: BaggedData, *, need_within=True) -> AggregateStatistics:
    """Summarise prepared bag means; the within scatter costs a pass over rows."""
    x_mean, y_mean = data.center()
    y_centred = data.y_means - y_mean
    weighted = data.omega[:, None] * y_centred
    between = _scatter(data.x_means, data.omega, x_mean)
    within = _within(data, between, x_mean) if need_within else None
    return AggregateStatistics(
        n_samples=len(data.bags.codes),
        n_bags=data.n_bags,
        weight=data.omega.sum(),
        x_mean=x_mean,
        y_mean=y_mean,
        between=between,
        within=within,
        cross=_centred_product(data.x_means, x_mean, weighted),
        y_scatter=(weighted * y_centred).sum(axis=0),
        bag_weight=data.bag_weight,
        spread=spread_inside(data, x_mean) if within is None else np.diag(within),
    )


def squares(X, weights, center):
    """Weighted squares of the columns around a centre.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
        Rows.
    weights : ndarray of shape (n,)
        Their weights.
    center : ndarray of shape (n_features,)
        The centre.

    Returns
    -------
    ndarray of shape (n_features,)
        The sums.
    """
    if sparse.issparse(X):  # centring would densify X
        crossed = 2 * center * (weights @ X)
        return X.multiply(X).T @ weights - crossed + weights.sum() * center**2
    found = np.zeros(X.shape[1])
    for rows in blocks(len(X), max(1, _BLOCK // X.shape[1])):
        block = X[rows] - center
        found += weights[rows] @ np.square(block, out=block)
    return found


def spread_inside(data: BaggedData, center) -> np.ndarray:
    """Weighted squares of each column around its bag means: the within diagonal.

    Of large tables every so-and-so-many-th bag stands for all.
    """
    n, weights = data.X.shape[0], data.row_weights
    if data.bags.are_rows:
        return np.zeros(data.X.shape[1])
    X, means, inner, step = data.X, data.x_means, data.inner, n // _ENOUGH_ROWS
    if step > 1:
        rows = np.flatnonzero(data.bags.codes % step == 0)
        X, weights, means, inner = X[rows], weights[rows], means[::step], inner[::step]
    found = squares(X, weights, center) - squares(means, inner, center)
    return np.maximum(found, 0.0) * (data.inner.sum() / inner.sum())


def _add_if_held(left, right):
    return None if left is None or right is None else left + right


def _scatter(X, weights, center):
    """Return the sum of ``w (x - center)(x - center)'``."""
    if sparse.issparse(X):  # centring would densify X: correct the product instead
        X, pivot = near_zero(X)
        product = (X.T @ X.multiply(weights[:, None]).tocsr()).toarray()
        rest = center - pivot
        away = weights @ X - weights.sum() * rest  # zero where center is the mean
        product -= weights.sum() * np.outer(rest, rest)
        return product - np.outer(away, rest) - np.outer(rest, away)
    n, d = X.shape
    total, step = np.zeros((d, d)), max(1, _BLOCK // d)
    root = None if (weights == 1).all() else np.sqrt(weights)
    buffer = np.empty((min(step, n), d))  # new memory for every block would cost more
    for start in range(0, n, step):
        rows = X[start : start + step]
        block = np.subtract(rows, center, out=buffer[: len(rows)])
        if root is not None:
            block *= root[start : start + step, None]
        total += block.T @ block
    return total


def _centred_product(X, center, Y):
    if sparse.issparse(X):
        X, pivot = near_zero(X)
        center = center - pivot
    return X.T @ Y - np.outer(center, Y.sum(axis=0))


def _within(data: BaggedData, between, center):
    """Return the scatter of rows around bag means as total minus between.

    The difference is as stable as the sum that it enters: both errors are rounding
    errors of the total.
    """
    if data.bags.are_rows:
        return np.zeros_like(between)
    if not data.known.all():
        between = _scatter(data.x_means, data.inner, center)
    return _scatter(data.X, data.row_weights, center) - between


def iter_bag_chunks(X, y, bags, batch_size):
    """Cut rows that are sorted by bag into chunks that hold whole bags.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows; memory maps are read chunk by chunk.
    y : array-like of shape (n_samples,)
        Responses.
    bags : array-like of shape (n_samples,)
        Labels; the rows of a bag must be next to each other.
    batch_size : int
        Rows of a chunk at least, save the last: a chunk ends with the bag that
        reaches this number.

    Yields
    ------
    tuple
        ``(X, y, bags)`` of one chunk.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.aggregate import iter_bag_chunks
    >>> X, bags = np.zeros((6, 1)), np.array([0, 0, 0, 1, 2, 2])
    >>> [len(chunk[0]) for chunk in iter_bag_chunks(X, X[:, 0], bags, 2)]
    [3, 3]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    bags = np.asarray(bags)
    starts = np.flatnonzero(bags[1:] != bags[:-1]) + 1
    if len(starts) + 1 != len(np.unique(bags)):
        raise ValueError(
            "bags must be contiguous, but a label comes back after another one. Sort "
            "the rows by bag first."
        )
    borders = np.append(starts, len(bags))
    start = 0
    while start < len(bags):
        reached = np.searchsorted(borders, start + batch_size)
        stop = borders[min(reached, len(borders) - 1)]
        yield X[start:stop], y[start:stop], bags[start:stop]
        start = stop
