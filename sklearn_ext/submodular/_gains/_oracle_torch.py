"""Rows, states and gains on a torch device."""

import numpy as np
import torch

from sklearn_ext._numerics._arrays import blocks, dense
from sklearn_ext.submodular._gains._oracle import Oracle, States

BATCH = 16_384  # rows that are represented, or evaluated, at a time


def _tensor(array, device, dtype=None):
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.copy()  # torch warns of memory that it must not write
    return torch.as_tensor(array, device=device, dtype=dtype)


def _kind(dtype):
    return torch.from_numpy(np.empty(0, dtype)).dtype


class TensorStates(States):
    """States on a device."""

    def _room(self, n):
        return self[0].new_empty(n, len(self[0]))


class TensorRows:
    """Rows of a tensor whose capacity doubles."""

    dense = True

    def __init__(self, rows):
        self._rows = rows

    @property
    def dtype(self):
        """Dtype of the rows, as numpy's."""
        return np.dtype(str(self._rows.dtype).removeprefix("torch."))

    @property
    def width(self):
        """Entries stored by a row."""
        return self._rows.shape[1]

    def take(self, slots):
        """Return copies of rows."""
        return self._rows[_tensor(slots, self._rows.device)]

    def put(self, slots, rows):
        """Write rows, which may be numpy's."""
        if not len(slots):
            return
        n, top = len(self._rows), int(slots.max()) + 1
        if top > n:
            larger = self._rows.new_zeros(max(top, 2 * n), self.width)
            larger[:n] = self._rows
            self._rows = larger
        device, dtype = self._rows.device, self._rows.dtype
        self._rows[_tensor(slots, device)] = _tensor(dense(rows), device, dtype)


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

    states = TensorStates
    largest = BATCH

    def __init__(self, objective, device):
        super().__init__(objective)
        self.device = device
        self._weights = self._there(objective.coord_weights_)

    def _there(self, array):
        return _tensor(array, self.device)

    def represent(self, X):
        """Return coordinates, as a tensor where they are Gaussian similarities."""
        objective = self.objective
        gaussian = hasattr(objective, "_gaussian") and objective._gaussian(X)
        if not gaussian or objective.n_neighbors is not None:
            return objective.represent(X)
        kind, given, kernel = _kind(X.dtype), X, objective._kernel
        X, Y = self._there(X - kernel.centre), self._there(kernel.centred)
        squares = X.square().sum(1)[:, None] + Y.square().sum(1) - 2 * (X @ Y.T)
        S = (-objective.gamma_ * squares.clamp_min_(0)).exp_()
        # the objective knows how to refuse what is not finite
        return S.to(kind) if bool(S.isfinite().all()) else objective.represent(given)

    def hold(self, rows):
        """Take rows of coordinates."""
        self._rows = TensorRows(self._there(rows))

    def load(self, X):
        """Take rows of data; they are always copied."""
        n = X.shape[0]
        first = self.represent(X[:1])
        kind = first.dtype if torch.is_tensor(first) else _kind(first.dtype)
        shape = n, self.objective.n_coords_
        self._rows = TensorRows(torch.empty(shape, dtype=kind, device=self.device))
        for part in blocks(n, BATCH):
            self._rows.put(np.arange(n)[part], self.represent(X[part]))

    def empty_state(self):
        """Return the state of the empty set."""
        return self._there(self.objective.empty_state())

    def _take(self, slots):
        return self._there(dense(self.rows.take(slots))).double()

    def _sums(self, rows, states):
        return (rows - states).clamp_min_(0) @ self._weights

    def gains(self, slots, state):
        """Return the gain of each slot."""
        self.n_calls += len(slots)
        cut = blocks(len(slots), BATCH)
        parts = [self._sums(self._take(slots[part]), state) for part in cut]
        return torch.cat(parts).cpu().numpy() if parts else np.empty(0)

    def levels(self, slots, states, tau, low, high):
        """Return levels as `Oracle.levels` does."""
        rows, table = self._take(slots), states.table
        high = self._there(high)
        low = torch.full_like(high, low)
        while (open_ := torch.nonzero(low < high).ravel()).numel():
            self.n_calls += len(open_)
            middle = (low[open_] + high[open_] + 1) // 2
            passed = self._sums(rows[open_], table[middle - 1]) >= tau
            low[open_] = torch.where(passed, middle, low[open_])
            high[open_] = torch.where(passed, high[open_], middle - 1)
        return low.cpu().numpy()

    def level(self, slot, states, tau, high):
        """Return a level as `Oracle.level` does, by all gains at once."""
        if high == 1:
            return 1
        self.n_calls += high - 1
        gains = self._sums(self._take(np.array([slot])), states.table[1:high])
        return 1 + int((gains >= tau).sum())

    def add(self, state, slot):
        """Return the state with one slot more."""
        return torch.maximum(state, self._take(np.array([slot]))[0])

    def _value(self, state):
        return float(state @ self._weights)

    def host(self, state):
        """Return a state as a numpy array."""
        return state.cpu().numpy()

    def host_rows(self, slots):
        """Return rows as a dense numpy array of doubles."""
        return self._take(slots).cpu().numpy()
