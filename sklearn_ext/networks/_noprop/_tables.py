"""The law of each row's target as a table of normal values: reading and scoring it."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from sklearn_ext._core._validation import check_weights

LEVELS = np.linspace(-5.0, 5.0, 101)  # normal values at which rows are tabulated


def crps_loss(y_true, y_draws, *, sample_weight=None):
    r"""Mean continuous ranked probability score of draws; the smaller, the better.

    With draws :math:`d_1, \dots, d_m` for a row it is :math:`\frac1m \sum_j |d_j - y| -
    \frac1{2 m^2} \sum_{jk} |d_j - d_k|`, in the units of the target: the absolute error
    where all draws agree. It rewards the right distribution: its expectation is least
    for draws of the truth. For quantiles at the levels :math:`(j - 1/2) / m` it is
    twice their mean pinball loss.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Targets.
    y_draws : array-like of shape (n_samples, n_draws)
        Equally likely values for each of them, in any order.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        The score.

    References
    ----------
    .. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction,
       and estimation", JASA 2007.

    Examples
    --------
    >>> from sklearn_ext.networks import crps_loss
    >>> crps_loss([1.0], [[0.0, 2.0]])
    0.5
    """
    y_true = column_or_1d(check_array(y_true, ensure_2d=False, dtype=np.float64))
    y_draws = check_array(y_draws, dtype=np.float64)
    check_consistent_length(y_true, y_draws)
    w = check_weights(sample_weight, y_draws, dtype=np.float64)
    m = y_draws.shape[1]
    level, gap = (np.arange(m) + 0.5) / m, y_true[:, None] - np.sort(y_draws, axis=1)
    loss = 2 * np.maximum(level * gap, (level - 1) * gap).mean(axis=1)
    return float((w / w.sum()) @ loss)


def interpolation(z):
    """Return the matrix that reads tables at normal values, straight beyond the ends.

    Returns
    -------
    ndarray of shape (len(LEVELS), len(z))
        ``table @ matrix`` are values at z.
    """
    left = np.clip(np.searchsorted(LEVELS, z) - 1, 0, len(LEVELS) - 2)
    share = (z - LEVELS[left]) / (LEVELS[1] - LEVELS[0])
    matrix, at = np.zeros((len(LEVELS), len(z))), np.arange(len(z))
    matrix[left, at], matrix[left + 1, at] = 1 - share, share
    return matrix


def read(table, z):
    """Return values at normal values z of shape (n, m), each row its own."""
    left = np.clip(np.searchsorted(LEVELS, z) - 1, 0, len(LEVELS) - 2)
    share = (z - LEVELS[left]) / (LEVELS[1] - LEVELS[0])
    low = np.take_along_axis(table, left, axis=1)
    return low + share * (np.take_along_axis(table, left + 1, axis=1) - low)


def normal_values(table, y):
    """Return the normal value that each row's table turns into its target."""
    left = np.clip((table < y[:, None]).sum(axis=1) - 1, 0, len(LEVELS) - 2)[:, None]
    low = np.take_along_axis(table, left, axis=1)[:, 0]
    rise = np.take_along_axis(table, left + 1, axis=1)[:, 0] - low
    spread = (table[:, -1] - table[:, 0]) / (LEVELS[-1] - LEVELS[0])
    step = LEVELS[1] - LEVELS[0]
    outside = (y < table[:, 0]) | (y > table[:, -1])
    # what lies beyond the ends is judged by no less than a hundredth of the mean slope
    rise = np.where(outside, np.maximum(rise, spread * step / 100), rise)
    safe = np.where(rise > 0, rise, 1.0)
    share = np.where(rise > 0, (y - low) / safe, np.where(outside, y - low, 0.5))
    return LEVELS[left[:, 0]] + step * share


@dataclass(frozen=True)
class Tail:
    """Normal values of left-out rows that may decide where an upper end lies."""

    matrices: list  # one a chain, (levels, some)
    weight: np.ndarray  # of all, in the order of chains
    beyond: float  # weight that may lie above the end

    @classmethod
    def of(cls, left_out, beyond):
        """Keep the rows of each chain with at most ``beyond`` above them, and one."""
        matrices, weights = [], []
        for z, w in left_out:
            order = np.argsort(-z, kind="stable")
            above = np.cumsum(w[order]) - w[order]
            kept = order[above <= beyond + 1e-9]
            matrices.append(interpolation(z[kept]))
            weights.append(w[kept])
        return cls(matrices, np.concatenate(weights), beyond)

    def end(self, tables):
        """Return the least value with no more than ``beyond`` above it, of each row."""
        parts = [T @ M for T, M in zip(tables, self.matrices, strict=True)]
        values = np.concatenate(parts, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        through = np.cumsum(self.weight[order], axis=1)
        at = (through <= self.beyond + 1e-9).sum(axis=1)
        at = np.minimum(at, values.shape[1] - 1)[:, None]
        return np.take_along_axis(values, np.take_along_axis(order, at, 1), 1)[:, 0]
