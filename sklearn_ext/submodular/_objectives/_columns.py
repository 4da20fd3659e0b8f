"""Mergeable moments of columns and a target, and what columns are worth."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.submodular._objectives._coordinates import MaximumObjective

ROUNDING = 64 * np.finfo(np.float64).eps  # spread over mean that may be rounding


@dataclass(frozen=True)
class ColumnStatistics:
    """Centred moments of columns x and target columns t."""

    n: float
    x_mean: np.ndarray  # (n_features,)
    t_mean: np.ndarray  # (n_targets,)
    xx: np.ndarray  # (n_features, n_features)
    xt: np.ndarray  # (n_features, n_targets)
    tt: np.ndarray  # (n_targets,)
    classes: np.ndarray | None  # labels whose indicators are the target

    @classmethod
    def of(cls, X, T, classes=None):
        """Return the moments of rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Columns.
        T : ndarray of shape (n_samples, n_targets)
            Target columns, or none.
        classes : ndarray, default=None
            Labels whose indicators ``T`` holds.

        Returns
        -------
        ColumnStatistics
            The moments.
        """
        X, T = X.astype(np.float64), T.astype(np.float64)
        x_mean, t_mean = X.mean(axis=0), T.mean(axis=0)
        x_mean += (X - x_mean).mean(axis=0)  # which summing row by row had left
        X, T = X - x_mean, T - t_mean
        return cls(
            float(len(X)), x_mean, t_mean, X.T @ X, X.T @ T, (T**2).sum(axis=0), classes
        )

    def __add__(self, other):
        n = self.n + other.n
        share = other.n / n
        dx, dt = other.x_mean - self.x_mean, other.t_mean - self.t_mean
        weight = self.n * share
        return ColumnStatistics(
            n,
            self.x_mean + share * dx,
            self.t_mean + share * dt,
            self.xx + other.xx + weight * np.outer(dx, dx),
            self.xt + other.xt + weight * np.outer(dx, dt),
            self.tt + other.tt + weight * dt**2,
            self.classes,
        )

    def with_columns(self, X, X_new, T):
        """Return the moments with more columns behind the others.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            The rows that these are the moments of.
        X_new : ndarray of shape (n_samples, n_new)
            More columns of them.
        T : ndarray of shape (n_samples, n_targets)
            Their target columns.

        Returns
        -------
        ColumnStatistics
            The moments.
        """
        more = ColumnStatistics.of(X_new, T, self.classes)
        X_new = X_new - more.x_mean
        mixed = X_new.T @ (X - self.x_mean)  # (n_new, n_features)
        return replace(
            self,
            x_mean=np.concatenate([self.x_mean, more.x_mean]),
            xx=np.block([[self.xx, mixed.T], [mixed, more.xx]]),
            xt=np.concatenate([self.xt, more.xt]),
        )

    def of_columns(self, kept):
        """Return the moments of some of the columns.

        Parameters
        ----------
        kept : ndarray of int
            Their positions.

        Returns
        -------
        ColumnStatistics
            The moments.
        """
        return replace(
            self,
            x_mean=self.x_mean[kept],
            xx=self.xx[np.ix_(kept, kept)],
            xt=self.xt[kept],
        )

    def is_of(self, X, T):
        """Tell whether these can be the moments of rows, by number, mean and spread.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        T : ndarray of shape (n_samples, n_targets)
            Their target columns.

        Returns
        -------
        bool
            False when they are those of other rows.
        """
        if len(X) != self.n:
            return False
        x_mean, t_mean = (a.mean(axis=0, dtype=np.float64) for a in (X, T))
        squares = ((X - x_mean) ** 2).sum(axis=0)
        slack = 1e-6 * self.spread + 1e-9 * abs(self.x_mean)
        t_slack = 1e-6 * np.sqrt(self.tt) + 1e-9 * abs(self.t_mean)
        return bool(
            np.all(abs(x_mean - self.x_mean) <= slack)
            and np.all(abs(t_mean - self.t_mean) <= t_slack)
            and np.all(abs(np.sqrt(squares) - self.spread) <= np.sqrt(self.n) * slack)
        )

    @property
    def spread(self):
        """Standard deviations times root n, zero for columns that do not vary."""
        squares = np.diag(self.xx)
        noise = self.n * (ROUNDING * self.x_mean) ** 2
        return np.sqrt(np.where(squares > noise, squares, 0))

    @property
    def correlations(self):
        """Absolute correlations of columns, zero where one does not vary."""
        return _share(abs(self.xx), np.outer(self.spread, self.spread))

    @property
    def explained(self):
        """Share of each column's variance that the target explains, or the reverse."""
        if self.classes is None:
            between = self.xt**2 / np.where(self.tt > 0, self.tt, 1)
        else:
            between = self.xt**2 / (self.n * np.maximum(self.t_mean, 1 / self.n))
        return _share(between.sum(axis=1), self.spread**2)


def groups_as_rows(correlations, relevance, codes):
    """Return one row of coordinates for each group of columns.

    Parameters
    ----------
    correlations : ndarray of shape (n_features, n_features)
        Absolute correlations.
    relevance : ndarray of shape (n_features,)
        Relevances.
    codes : ndarray of int, of shape (n_features,)
        Number of each column's group.

    Returns
    -------
    ndarray of shape (n_groups, n_features + 1)
        Each group's largest correlation with every column, and its largest relevance.
    """
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    rows = np.column_stack([correlations, relevance])
    return np.maximum.reduceat(rows[order], first, axis=0)


class ColumnObjective(MaximumObjective):
    """Mean correlation to the nearest chosen column, mixed with mean relevance.

    A row of coordinates holds a column's correlations, and its relevance last, which is
    summed; or those of a group of columns.
    """

    of_maxima = False

    def _raise(self, x, c, at):
        raised = super()._raise(x, c, at)
        raised[..., -1] = x[..., -1]
        return raised

    def _add(self, state, row):
        new = super()._add(state, row)
        new[-1] = state[-1] + row[0, -1]
        return new


def _share(part, whole):
    """Return the share of a part, at most 1, and zero of nothing."""
    share = np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
    return np.minimum(share, 1)
