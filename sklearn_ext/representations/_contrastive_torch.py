"""Encoder with projection heads, batches of corrupted copies, and their losses."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sklearn_ext._numerics._corruption import corrupt
from sklearn_ext.representations._temperatures import individual_temperatures

FENCE = 1.5  # interquartile ranges beyond the quartiles, as in a box plot


class Encoder(nn.Module):
    """Hidden layers, then heads of two layers each that training alone uses.

    Parameters
    ----------
    sizes : sequence of int
        Number of columns, then the widths of the hidden layers.
    n_heads : int
        Number of projection heads.
    n_classes : int
        Classes that have a prototype in every head.
    double : bool
        Whether to train in double precision.
    """

    def __init__(self, sizes, n_heads, n_classes, double):
        super().__init__()
        width = sizes[-1]
        # drawn in double precision, so that both precisions start at the same net
        self.hidden = nn.ModuleList(_linear(*pair) for pair in pairwise(sizes))
        self.heads = nn.ModuleList(
            nn.Sequential(_linear(width, width), nn.ReLU(), _linear(width, width))
            for _ in range(n_heads)
        )
        prototypes = torch.randn(n_heads, n_classes, width, dtype=torch.float64)
        self.prototypes = nn.Parameter(prototypes)
        self.to(torch.float64 if double else torch.float32)

    def forward(self, X):
        """Return projections (n_heads, n_samples, width) and prototypes."""
        for layer in self.hidden:
            X = torch.relu(layer(X))
        return torch.stack([head(X) for head in self.heads]), self.prototypes

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
    prototypes : bool
        Whether labelled rows are also told from prototypes of other classes.
    """

    def __init__(self, temperature, limits, prototypes):
        super().__init__()
        self.temperature, self.limits = temperature, limits
        self.prototypes = prototypes

    def forward(self, output, target):
        """Return the mean over heads and rows."""
        projections, prototypes = output
        z = functional.normalize(projections, dim=-1)
        n = z.shape[1] // 2
        S = z[:, :n] @ z[:, n:].mT  # (n_heads, n, n)
        loss, tau = self._of_pairs(S)
        if self.prototypes:
            loss = loss + self._of_classes(z[:, :n], S, prototypes, target["y"], tau)
        return loss

    def _of_pairs(self, S):
        n = S.shape[1]
        own = torch.eye(n, dtype=torch.bool, device=S.device)
        if self.temperature is not None or n == 1:
            tau = torch.full_like(S[..., :1], self.temperature or 1.0)
            log_p = functional.log_softmax(S / tau, dim=2)
            return -log_p[:, own].mean(), tau
        others = S[:, ~own].reshape(-1, n - 1)
        tau = individual_temperatures(others.detach(), **self.limits)
        loss = tau * torch.logsumexp(others / tau[:, None], dim=1)
        return (loss - S[:, own].reshape(-1)).mean(), tau.reshape(*S.shape[:2], 1)

    def _of_classes(self, z, S, prototypes, code, tau):
        known = code >= 0
        if not known.any():
            return S.sum() * 0
        centres = functional.normalize(prototypes, dim=-1)
        to_class = z[:, known] @ centres.mT  # (n_heads, n_known, n_classes)
        other = known & (code[known, None] != code)
        to_row = S[:, known].masked_fill(~other, -torch.inf)
        to_row = to_row.masked_fill(_outlying(S[:, known].detach(), other), -torch.inf)
        logits = torch.cat([to_class, to_row], dim=2) / tau[:, known]
        log_p = functional.log_softmax(logits, dim=2)
        return -log_p[:, torch.arange(len(logits[0])), code[known]].mean()


def _outlying(S, other):
    """Return which similarities of rows of different classes are beyond the fences."""
    seen = S[:, other]
    if seen.shape[1] == 0:
        return torch.zeros_like(S, dtype=torch.bool)
    low, high = torch.quantile(
        seen, torch.tensor([0.25, 0.75], dtype=S.dtype, device=S.device), dim=1
    )
    reach = FENCE * (high - low)
    low, high = (low - reach)[:, None, None], (high + reach)[:, None, None]
    return (low > S) | (high < S)


class Spectral(nn.Module):
    """The spectral loss, whose linear minimum `CorruptionComponents` has."""

    def forward(self, output, target):
        """Return the mean over heads."""
        projections, _ = output
        n = projections.shape[1] // 2
        S = projections[:, :n] @ projections[:, n:].mT
        own = torch.eye(n, dtype=torch.bool, device=S.device)
        return (S[:, ~own] ** 2).mean() - 2 * S[:, own].mean()
