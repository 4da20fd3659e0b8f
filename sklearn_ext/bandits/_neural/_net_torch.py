"""A net with one hidden layer, kept as its start and the way that it has gone."""

import torch
from torch import nn

from sklearn_ext.bandits._ridge._feature_map import CLIP


class Moved(nn.Module):
    """One hidden layer; the parameters are differences to the start.

    So a decay of the parameters is a ridge pull towards the start, and the perturbation
    ``c <theta - theta_0, signs>`` is a product with them.

    Parameters
    ----------
    start : list of ndarray
        Weights and offsets of both layers, where training began once.
    moved : list of ndarray
        How far they have moved since.
    signs : ndarray of shape (n_members, n_parameters)
        Random signs of each member.
    perturbation : float
        Their factor c.
    standardize : Waves
        Means and scales of the columns.
    """

    def __init__(self, start, moved, signs, perturbation, standardize):
        super().__init__()
        self.register_buffer("mean", torch.tensor(standardize.mean))
        self.register_buffer("scale", torch.tensor(standardize.scale))
        for i, (at, way) in enumerate(zip(start, moved, strict=True)):
            self.register_buffer(f"start{i}", torch.tensor(at))
            self.register_parameter(f"moved{i}", nn.Parameter(torch.tensor(way)))
        self.register_buffer("signs", torch.tensor(signs))
        self.perturbation = perturbation

    def forward(self, X):
        """Return outputs of shape (n_samples, n_actions, n_members)."""
        W, b, V, c = (
            getattr(self, f"start{i}") + getattr(self, f"moved{i}") for i in range(4)
        )
        z = ((X - self.mean) / self.scale).clamp(-CLIP, CLIP)
        outputs = torch.relu(z @ W + b) @ V + c
        if self.perturbation == 0:
            return outputs[..., None]
        way = torch.cat([getattr(self, f"moved{i}").reshape(-1) for i in range(4)])
        return outputs[..., None] + self.perturbation * (self.signs @ way)


def squared_error(outputs, reward):
    """Return the mean over members of the squared errors of the actions taken."""
    # zeros in place of what was not seen, or NaN would come back in the gradient
    return _seen((outputs - torch.nan_to_num(reward)[..., None]) ** 2, reward)


def log_loss(outputs, reward):
    """Return the same of the log loss, outputs being log odds."""
    target = torch.nan_to_num(reward)[..., None].expand_as(outputs)
    losses = nn.functional.binary_cross_entropy_with_logits(
        outputs, target, reduction="none"
    )
    return _seen(losses, reward)


def _seen(losses, reward):
    """Average over members, and add up the actions whose reward was seen."""
    losses = losses.mean(dim=-1)
    return torch.where(torch.isnan(reward), torch.zeros_like(losses), losses).sum(dim=1)
