"""Rows, states and gains on a torch device."""

import copy

import numpy as np
import torch

from sklearn_ext._numerics._arrays import blocks, dense, like, single, to_device
from sklearn_ext.submodular._gains._oracle import Oracle
from sklearn_ext.submodular._rows._stores import DenseRows

BATCH = 16_384  # rows that are represented, or evaluated, at a time


class TorchOracle(Oracle):
    """An oracle with rows and states on a device, in blocks of thousands of rows.

    It is for objectives that are maxima over their members. Gaussian similarities are
    computed on the device as well, in doubles as by numpy; others come from the CPU.

    Parameters
    ----------
    objective : SubmodularObjective
        With its reference fitted.
    device : torch.device
        Where the rows go.
    """

    largest = _step = BATCH
    ways = 2**31  # all at once
    _side_by_side = True

    def __init__(self, objective, device):
        super().__init__(copy.copy(objective))
        self._like = torch.empty(0, dtype=torch.float64, device=device)
        self.objective.coord_weights_ = self._there(objective.coord_weights_)

    def _there(self, array):
        return like(array, self._like)

    def represent(self, X):
        """Return coordinates as a tensor; of Gaussian similarities made there."""
        objective = self.objective
        gaussian = hasattr(objective, "_gaussian") and objective._gaussian(X)
        if gaussian and objective.n_neighbors is None:
            kernel = objective._kernel
            A = torch.as_tensor(X - kernel.centre).to(self._like)
            B = self._there(kernel.centred)
            squares = A.square().sum(1)[:, None] + B.square().sum(1) - 2 * (A @ B.T)
            S = (-objective.gamma_ * squares.clamp_min_(0)).exp_()
            if bool(S.isfinite().all()):
                return S.float() if single(X) else S
        # the objective knows how to refuse what is not finite
        return to_device(dense(objective.represent(X)), self._like.device)

    def hold(self, rows):
        """Take rows of coordinates."""
        self._rows = DenseRows(self._there(rows))

    def load(self, X):
        """Take rows of data; they are always copied."""
        shape = X.shape[0], self.objective.n_coords_
        self._rows = DenseRows(self.represent(X[:1]).new_empty(shape))
        for part in blocks(X.shape[0], BATCH):
            self._rows.put(np.arange(X.shape[0])[part], self.represent(X[part]))

    def empty_state(self):
        """Return the state of the empty set."""
        return self._there(self.objective.empty_state())
