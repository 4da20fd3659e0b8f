"""What the rows of each action say of its reward: sums that can be added.

Rows are read once. An action keeps the weight of its rows, the means of their features
and rewards and their centred products; so blocks of rows, in any order and from
anywhere, add up to the statistics of the whole log.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class BanditStatistics:
    """Weighted moments of features and rewards, an action each.

    Attributes
    ----------
    n_rows : float
        Summed weight of the rows, each counted once.
    weight : ndarray of shape (n_actions,)
        Summed weight of the rows that an action learnt from.
    x_mean : ndarray of shape (n_actions, n_components)
        Means of the features.
    r_mean : ndarray of shape (n_actions,)
        Means of the rewards.
    xx : ndarray of shape (n_actions, n_components, n_components)
        Centred products of the features.
    xr : ndarray of shape (n_actions, n_components)
        Centred products of features and rewards.
    rr : ndarray of shape (n_actions,)
        Centred squares of the rewards.
    r_low, r_high : float
        Extremes of the rewards.
    """

    n_rows: float
    weight: np.ndarray
    x_mean: np.ndarray
    r_mean: np.ndarray
    xx: np.ndarray
    xr: np.ndarray
    rr: np.ndarray
    r_low: float
    r_high: float

    @classmethod
    def empty(cls, n_actions, n_components):
        """Return the statistics of no rows."""
        K, m = n_actions, n_components
        return cls(
            0.0,
            np.zeros(K),
            np.zeros((K, m)),
            np.zeros(K),
            np.zeros((K, m, m)),
            np.zeros((K, m)),
            np.zeros(K),
            np.inf,
            -np.inf,
        )

    @classmethod
    def of(cls, Z, action, reward, w, n_actions):
        """Summarise rows of which the reward of the action taken is known.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_components)
            Features.
        action : ndarray of int of shape (n_samples,)
            Positions of the actions taken.
        reward : ndarray of shape (n_samples,)
            What came back.
        w : ndarray of shape (n_samples,)
            Positive weights.
        n_actions : int
            Number of actions.

        Returns
        -------
        BanditStatistics
            The sums.
        """
        total = cls.empty(n_actions, Z.shape[1])
        order = np.argsort(action, kind="stable")
        taken, starts = np.unique(action[order], return_index=True)
        stops = np.append(starts[1:], len(order))
        rows, w = np.column_stack([Z, reward])[order], w[order]
        for k, start, stop in zip(taken, starts, stops, strict=True):
            weight, mean, P = _moments(rows[start:stop], w[start:stop])
            total.weight[k], total.x_mean[k] = weight, mean[:-1]
            total.r_mean[k], total.rr[k] = mean[-1], P[-1, -1]
            total.xx[k], total.xr[k] = P[:-1, :-1], P[:-1, -1]
        return replace(
            total,
            n_rows=float(w.sum()),
            r_low=float(reward.min()),
            r_high=float(reward.max()),
        )

    @classmethod
    def of_demonstrations(cls, Z, action, w, n_actions):
        """Summarise rows of which the right action is known.

        The reward of that action is one and of every other zero: every action learns
        from every row. See `of` for the parameters.
        """
        right = action[:, None] == np.arange(n_actions)
        weight, mean, P = _moments(np.column_stack([Z, right]), w)
        K, m = n_actions, Z.shape[1]
        return cls(
            float(weight),
            np.full(K, weight),
            np.tile(mean[:m], (K, 1)),
            mean[m:],
            np.tile(P[:m, :m], (K, 1, 1)),
            P[m:, :m].copy(),
            np.diagonal(P)[m:].copy(),
            0.0,
            1.0,
        )

    def __add__(self, other):
        weight = self.weight + other.weight
        share = np.divide(
            other.weight, weight, out=np.zeros_like(weight), where=weight > 0
        )
        dx, dr = other.x_mean - self.x_mean, other.r_mean - self.r_mean
        between = self.weight * share
        xx = self.xx + other.xx
        for k in np.flatnonzero(between):
            xx[k] += (between[k] * dx[k])[:, None] * dx[k]
        return BanditStatistics(
            self.n_rows + other.n_rows,
            weight,
            self.x_mean + share[:, None] * dx,
            self.r_mean + share * dr,
            xx,
            self.xr + other.xr + (between * dr)[:, None] * dx,
            self.rr + other.rr + between * dr**2,
            min(self.r_low, other.r_low),
            max(self.r_high, other.r_high),
        )

    def discounted(self, factor):
        """Return the statistics with all weights times a factor."""
        if factor == 1:
            return self
        return replace(
            self,
            **{
                name: factor * getattr(self, name)
                for name in ("n_rows", "weight", "xx", "xr", "rr")
            },
        )

    def take(self, actions):
        """Return the statistics of some actions, in another order; -1 is a new one."""
        actions = np.asarray(actions)
        known = actions >= 0

        def spread(values):
            keep = known.reshape(-1, *[1] * (values.ndim - 1))
            return np.where(keep, values[actions], 0.0)

        fields = ("weight", "x_mean", "r_mean", "xx", "xr", "rr")
        return replace(self, **{name: spread(getattr(self, name)) for name in fields})

    @property
    def pooled(self):
        """Means of features and rewards of all actions, and their variances."""
        total = self.weight.sum()
        share = self.weight / total
        x_mean, r_mean = share @ self.x_mean, share @ self.r_mean
        x_var = np.einsum("kjj->j", self.xx) / total
        x_var = x_var + share @ (self.x_mean - x_mean) ** 2
        r_var = self.rr.sum() / total + share @ (self.r_mean - r_mean) ** 2
        return x_mean, float(r_mean), x_var, float(r_var)

    def with_prior_row(self):
        """Return moments in which each action has one more row, the pooled mean.

        Its reward is the pooled mean reward: an action that was never tried starts
        from there.
        """
        x_mean, r_mean, _, _ = self.pooled
        weight = self.weight + 1
        dx, dr = x_mean - self.x_mean, r_mean - self.r_mean
        between = self.weight / weight
        xx = self.xx + np.einsum("k,ki,kj->kij", between, dx, dx)
        return replace(
            self,
            weight=weight,
            x_mean=self.x_mean + dx / weight[:, None],
            r_mean=self.r_mean + dr / weight,
            xx=xx,
            xr=self.xr + (between * dr)[:, None] * dx,
            rr=self.rr + between * dr**2,
        )


def _moments(rows, w):
    """Return weight, means and centred products of all columns."""
    weight, first = w.sum(), rows[0]
    # differences from a row are small numbers where the columns are far from zero
    rows = rows - first
    shift = (w / weight) @ rows
    rows -= shift
    weighted = rows if np.all(w == 1) else rows * w[:, None]
    return weight, first + shift, weighted.T @ rows
