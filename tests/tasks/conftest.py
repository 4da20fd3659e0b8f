"""Small tables of tasks, and the dense model as an oracle."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass
class Table:
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray

    @property
    def n(self):
        return len(self.y)


def make(seed=0, n_tasks=12, d=2, low=1, high=7, noise=0.5):
    """Tasks of a few rows, columns in other units and far from zero."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_tasks), rng.integers(low, high, n_tasks))
    units, offset = 10.0 ** rng.integers(-2, 3, d), 100 * rng.normal(size=d)
    Z = rng.normal(size=(len(groups), d))
    W = np.column_stack(
        [3 + rng.normal(size=n_tasks), rng.normal(1, 0.7, (n_tasks, d))]
    )
    y = W[groups, 0] + (Z * W[groups, 1:]).sum(axis=1)
    y += noise * rng.normal(size=len(groups))
    return Table(Z * units + offset * units, 20 * y - 400, groups)


@pytest.fixture(params=range(3))
def table(request):
    return make(request.param)


def dense(model, table, w=None):
    """Return design, covariance and the inverse of the covariance of all rows."""
    D = np.column_stack([np.ones(table.n), table.X])
    same = table.groups[:, None] == table.groups
    w = np.ones(table.n) if w is None else w
    V = np.where(same, D @ model.prior_cov_ @ D.T, 0) + np.diag(model.noise_var_ / w)
    return D, V, np.linalg.inv(V)
