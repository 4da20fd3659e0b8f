"""Encoder with projection heads, batches of corrupted copies, and their losses."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sklearn_ext._numerics._corruption import corrupt
from sklearn_ext.representations._temperatures import individual_temperatures


class Encoder(nn.Module):
    """Hidden layers, then heads of two layers each that training alone uses.

    Parameters
    ----------
    sizes : sequence of int
        Number of columns, then the widths of the hidden layers.
    n_heads : int
        Number of projection heads.
    double : bool
        Whether to train in double precision.
    """

    def __init__(self, sizes, n_heads, double):
        super().__init__()
        width = sizes[-1]
        # drawn in double precision, so that both precisions start at the same net
        self.hidden = nn.ModuleList(_linear(*pair) for pair in pairwise(sizes))
        self.heads = nn.ModuleList(
            nn.Sequential(_linear(width, width), nn.ReLU(), _linear(width, width))
            for _ in range(n_heads)
        )
        self.to(torch.float64 if double else torch.float32)

    def forward(self, X):
        """Return projections of shape (n_heads, n_samples, width)."""
        for layer in self.hidden:
            X = torch.relu(layer(X))
        return torch.stack([head(X) for head in self.heads])

    def weights(self):
        """Return weights (inputs, outputs) and offsets of the hidden layers."""
        parts = [(layer.weight.T, layer.bias) for layer in self.hidden]
        return [[part.detach().cpu().numpy() for part in pair] for pair in parts]


def _linear(n_in, n_out):
    return nn.Linear(n_in, n_out, dtype=torch.float64)


class CorruptedPairs:
    """Batches of two corrupted copies of each row, one below the other.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Rows, and a dict of what belongs to them.
    batch_size : int
        Rows of a batch at most, if there are twice as many.
    shuffle : bool
        Rows are always shuffled.
    corruption, groups : float, ndarray of int or None
        See `corrupt`.
    """

    def __init__(self, dataset, batch_size, shuffle=True, corruption=0.6, groups=None):
        self.X = np.asarray(dataset.X)
        self.y = {k: torch.as_tensor(v) for k, v in dataset.y.items()}
        self.batch_size = batch_size
        self.how = {"corruption": corruption, "groups": groups}

    def __iter__(self):
        n = len(self.X)
        rng = np.random.default_rng(int(torch.randint(2**31 - 1, (1,))))
        # parts of equal size: a last batch of few rows would have few negatives
        for rows in np.array_split(rng.permutation(n), max(1, n // self.batch_size)):
            copies = [corrupt(self.X[rows], self.X, rng, **self.how) for _ in range(2)]
            yield (
                torch.from_numpy(np.concatenate(copies)),
                {k: v[rows] for k, v in self.y.items()},
            )


class InfoNCE(nn.Module):
    """Tell a row's second copy from the second copies of the other rows.

    Parameters
    ----------
    temperature : float or None
        One for all; None finds that of each row, by ``limits``.
    limits : dict
        Parameters of `individual_temperatures`.
    """

    def __init__(self, temperature, limits):
        super().__init__()
        self.temperature, self.limits = temperature, limits

    def forward(self, projections, target):
        """Return the mean over heads and rows."""
        S, own = _similarities(functional.normalize(projections, dim=-1))
        if self.temperature is not None:
            log_p = functional.log_softmax(S / self.temperature, dim=2)
            return -log_p[:, own].mean()
        others = S[:, ~own].reshape(-1, S.shape[1] - 1)
        tau = individual_temperatures(others.detach(), **self.limits)
        mean = torch.logsumexp(others / tau[:, None], dim=1) - math.log(others.shape[1])
        return (tau * (mean + self.limits["rho"]) - S[:, own].reshape(-1)).mean()


class Spectral(nn.Module):
    """The spectral loss, whose linear minimum `CorruptionComponents` has."""

    def forward(self, projections, target):
        """Return the mean over heads and pairs of rows."""
        S, own = _similarities(projections)
        return (S[:, ~own] ** 2).mean() - 2 * S[:, own].mean()


def _similarities(z):
    """Return products of first and second copies, and which are of the same row."""
    n = z.shape[1] // 2
    own = torch.eye(n, dtype=torch.bool, device=z.device)
    return z[:, :n] @ z[:, n:].mT, own  # (n_heads, n, n)
