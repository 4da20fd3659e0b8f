"""Mergeable moments of columns and a target, and what columns are worth."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.submodular._objective import SubmodularObjective


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

    @property
    def spread(self):
        """Standard deviations times root n, zero for columns that do not vary."""
        squares = np.diag(self.xx)
        noise = self.n * (np.finfo(np.float64).eps * self.x_mean) ** 2
        return np.sqrt(np.where(squares > noise, squares, 0))

    @property
    def correlations(self):
        """Absolute correlations of columns, zero where one does not vary."""
        scale = np.outer(self.spread, self.spread)
        ratio = np.divide(
            abs(self.xx), scale, out=np.zeros_like(scale), where=scale > 0
        )
        return np.minimum(ratio, 1)

    @property
    def explained(self):
        """Share of each column's variance that the target explains, or the reverse."""
        if self.classes is None:
            between = self.xt**2 / np.where(self.tt > 0, self.tt, 1)
        else:
            between = self.xt**2 / (self.n * np.maximum(self.t_mean, 1 / self.n))
        total = self.spread**2
        between = between.sum(axis=1)
        ratio = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
        return np.minimum(ratio, 1)


class ColumnObjective(SubmodularObjective):
    """Mean correlation to the nearest chosen column, mixed with mean relevance.

    A row of coordinates holds a column's correlations, and its relevance last.
    """

    def __init__(self, trade_off, n_select):
        self.trade_off = trade_off
        self.n_select = n_select

    def _fit_reference(self, X, sample_weight, random_state):
        self.n_coords_ = X.shape[1]

    def _represent(self, X):
        return X

    def _empty(self):
        return np.zeros(self.n_coords_)

    def _gains(self, rows, state):
        near = np.maximum(rows[:, :-1] - state[:-1], 0).mean(axis=1)
        return (1 - self.trade_off) * near + self._relevance(rows[:, -1])

    def _relevance(self, total):
        return self.trade_off * total / self.n_select

    def _add(self, state, row):
        new = np.maximum(state, row[0])
        new[-1] = state[-1] + row[0, -1]
        return new

    def _value(self, state):
        near = state[:-1].mean()
        return (1 - self.trade_off) * near + self._relevance(state[-1])
