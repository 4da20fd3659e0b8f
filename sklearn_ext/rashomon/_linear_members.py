"""Linear models drawn from a Rashomon set."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearMembers:
    """A collection of linear models.

    Parameters
    ----------
    coef : ndarray of shape (n_members, n_features)
        Coefficients.
    intercept : ndarray of shape (n_members,)
        Intercepts.
    """

    coef: np.ndarray
    intercept: np.ndarray

    def __len__(self):
        return len(self.coef)

    def __getitem__(self, key):
        key = key if isinstance(key, slice) else slice(key, key + 1 or None)
        return LinearMembers(self.coef[key], self.intercept[key])

    def decision(self, X):
        """Value of every model at every row: (n_members, n_samples)."""
        return np.asarray(X @ self.coef.T).T + self.intercept[:, None]
