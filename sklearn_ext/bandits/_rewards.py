"""Moments of all rewards, and the gamma that follows them."""

import math
from dataclasses import dataclass

import numpy as np

EPS = np.finfo(np.float64).eps
RATE = 100.0  # of gamma="auto", in units of the rewards' deviation and root rows


def deviation(mean, variance):
    """Return the standard deviation of rewards, one if they are all equal."""
    s_r = float(np.sqrt(variance))
    return s_r if s_r > 10 * EPS * abs(mean) else 1.0


@dataclass(frozen=True)
class RewardMoments:
    """Moments of all rewards: what gamma and the range of rewards need of the sums.

    Attributes
    ----------
    n_rows : float
        Summed weight of the rows, each counted once.
    weight : float
        Summed weight of the rewards; a demonstration has one for each action.
    mean, square : float
        Mean and centred squares.
    low, high : float
        Extremes.
    """

    n_rows: float
    weight: float
    mean: float
    square: float
    low: float
    high: float

    @classmethod
    def of(cls, statistics):
        """Take them from the sums of all actions."""
        s = statistics
        weight, (_, mean, _, variance) = float(s.weight.sum()), s.pooled
        return cls(s.n_rows, weight, mean, weight * variance, s.r_low, s.r_high)

    @classmethod
    def of_log(cls, log, n_actions):
        """Take them from rows; a demonstration is a reward of every action."""
        shown = np.isnan(log.reward)
        reward = np.concatenate([log.reward[~shown], [1.0, 0.0] * bool(shown.any())])
        right = log.w[shown].sum()
        w = np.concatenate(
            [log.w[~shown], [right, (n_actions - 1) * right] * bool(shown.any())]
        )
        mean = w @ reward / w.sum()
        square = w @ (reward - mean) ** 2
        n_rows, low, high = log.w.sum(), reward.min(), reward.max()
        return cls(*map(float, (n_rows, w.sum(), mean, square, low, high)))

    def __add__(self, other):
        weight = self.weight + other.weight
        gap, share = other.mean - self.mean, other.weight / weight
        return RewardMoments(
            self.n_rows + other.n_rows,
            weight,
            self.mean + share * gap,
            self.square + other.square + self.weight * share * gap**2,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    @property
    def scale(self):
        """Standard deviation of the rewards, one if all are equal."""
        return deviation(self.mean, self.square / self.weight)

    @property
    def gamma(self):
        """What ``gamma="auto"`` is: no unit, and grows with the root of the rows."""
        return RATE * math.sqrt(self.n_rows) / self.scale

    def after_row(self, rewards, w):
        """Return the moments after one more row, with the rewards that it taught."""
        weight, mean, square = self.weight, self.mean, self.square
        for reward in rewards:
            gap, total = reward - mean, weight + w
            mean += gap * w / total
            square += gap * gap * w * weight / total
            weight = total
        low, high = min(self.low, *rewards), max(self.high, *rewards)
        return RewardMoments(self.n_rows + w, weight, mean, square, low, high)
