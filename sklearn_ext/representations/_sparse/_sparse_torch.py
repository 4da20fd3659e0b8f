"""The same problem by gradients: a network with a linear encoder; imported in fit."""

import math

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.optim import Adam

from sklearn_ext._core._optional import torch_device
from sklearn_ext._core._torch import WeightedLoss, fit_net
from sklearn_ext.representations._sparse._dictionary import Dictionary, squares
from sklearn_ext.representations._sparse._linear import LinearEncoder

DEFAULTS = {"max_epochs": 20, "batch_size": 1024, "lr": 2e-3}
PATIENCE = 10  # steps after which a feature that nobody used is idle
MEMORY = 0.99  # of running usage, a step
MANY = 32  # idle features that explain what is left of a row, at most


class SparseNet(nn.Module):
    """``z = kept(relu((x - b) W' + c))``, and ``z D + b`` as the row.

    Parameters
    ----------
    atoms : ndarray of shape (m, d)
        Where decoder and encoder start.
    k : float
        Budget of a row.
    allocation : {"mutual", "row", "feature"}
        Who shares it, within a batch.
    positive : bool
        Whether codes are non-negative.
    aux : float, default=1/32
        Weight of the loss by which idle features learn from what the others leave.
    zipf : bool, default=False
        Whether features that are used less than Zipf's law would have it take part in
        that loss, too; otherwise those that are not used at all.
    """

    def __init__(self, atoms, k, allocation, positive, aux=1 / 32, zipf=False):
        super().__init__()
        atoms = torch.as_tensor(np.array(atoms))
        self.decoder, self.encoder = nn.Parameter(atoms), nn.Parameter(atoms.clone())
        self.intercept = nn.Parameter(torch.zeros(len(atoms), dtype=atoms.dtype))
        self.centre = nn.Parameter(torch.zeros(atoms.shape[1], dtype=atoms.dtype))
        self.k, self.allocation, self.positive = k, allocation, positive
        self.aux, self.zipf = aux, zipf
        self.register_buffer("unused", torch.zeros(len(atoms)))
        self.register_buffer("usage", torch.full((len(atoms),), k / len(atoms)))

    def forward(self, X):
        """Return rows as the codes have them, and the auxiliary loss of each."""
        scores = (X - self.centre) @ self.encoder.T + self.intercept
        scores = torch.relu(scores) if self.positive else scores
        codes = scores * self._kept(scores.detach().square())
        rows = codes @ self.decoder + self.centre
        if not self.training:
            return rows, torch.zeros_like(rows[:, 0])
        return rows, self.aux * self._auxiliary(X - rows.detach(), scores, codes)

    def _kept(self, worth):
        """Allocate the budget of a batch."""
        n, m = worth.shape
        if self.allocation == "row":
            least = worth.topk(int(self.k), dim=1).values[:, -1:]
        elif self.allocation == "feature":
            cap = min(n, math.ceil(n * self.k / m))
            least = worth.topk(cap, dim=0).values[-1:]
        else:
            least = worth.flatten().topk(max(1, int(n * self.k))).values[-1]
        return (worth >= least) & (worth > 0)

    def _auxiliary(self, left, scores, codes):
        """Let idle features explain what is left, and note who is idle."""
        with torch.no_grad():
            used = (codes != 0).to(self.usage.dtype).mean(dim=0)
            self.unused[:] = torch.where(used > 0, 0, self.unused + 1)
            self.usage.mul_(MEMORY).add_(used, alpha=1 - MEMORY)
            idle = self.unused > PATIENCE
            if self.zipf:
                ranks = torch.empty_like(self.usage)
                order = self.usage.argsort(descending=True)
                ranks[order] = torch.arange(
                    1, len(order) + 1, device=order.device, dtype=ranks.dtype
                )
                law = self.usage.sum() / ranks / (1 / ranks).sum()
                idle = idle | (self.usage < law / 2)
        if not idle.any():
            return torch.zeros_like(left[:, 0])
        own = scores[:, idle]
        size = own.detach().square()
        least = size.topk(min(MANY, size.shape[1]), dim=1).values[:, -1:]
        theirs = (own * (size >= least)) @ self.decoder[idle]
        return (left - theirs).square().sum(dim=1)


class UnitAtoms(Callback):
    """Keep the atoms at unit length, and their steps along the sphere."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        """Take out of the gradient what would change lengths."""
        decoder = net.module_.decoder
        along = (decoder.grad * decoder.data).sum(dim=1, keepdim=True)
        decoder.grad -= along * decoder.data

    def on_batch_end(self, net, training=False, **kwargs):
        """Set the lengths to one."""
        with torch.no_grad():
            decoder = net.module_.decoder
            decoder /= decoder.norm(dim=1, keepdim=True).clamp_min(1e-12)


def row_loss(output, target):
    """Squared error of each row, and its auxiliary loss."""
    rows, auxiliary = output
    return (target - rows).square().sum(dim=1) + auxiliary


def train(estimator, X, dictionary, rule, seed, state):
    """Train the network.

    Parameters
    ----------
    estimator : SparseAutoencoder
        Whose parameters hold.
    X : ndarray of shape (n, d)
        Rows as they came.
    dictionary : Dictionary
        Where it starts.
    rule : Rule
        Signs of the codes.
    seed : int
        Of the batches.
    state : callable
        Maps the encoder so far to fitted attributes.

    Returns
    -------
    encoder : LinearEncoder
        The encoder and its dictionary.
    curve : list of float
        Loss of each epoch, as a fraction of the variance.
    """
    rows = dictionary.centred(X)
    scale = float(np.sqrt(squares(rows).mean())) or 1.0
    rows = (rows / scale).astype(rows.dtype, copy=False)

    def learnt(net):
        module = net.module_
        atoms, coef, intercept, centre = (
            p.detach().cpu().numpy().astype(rows.dtype)
            for p in (module.decoder, module.encoder, module.intercept, module.centre)
        )
        found = Dictionary(
            atoms, dictionary.mean + scale * centre, dictionary.batch_size
        )
        return LinearEncoder(found, coef, scale * intercept)

    params = {
        "module": SparseNet,
        "module__atoms": dictionary.atoms,
        "module__k": estimator.n_nonzero_coefs,
        "module__allocation": estimator.allocation,
        "module__positive": rule.positive,
        "criterion": WeightedLoss,
        "criterion__row_loss": row_loss,
        "optimizer": Adam,
        "device": torch_device(estimator.device or "cpu")[1],
        **DEFAULTS,
        **(estimator.torch_params or {}),
    }
    net = fit_net(
        estimator,
        rows,
        None,
        rows,
        np.ones(len(rows), dtype=rows.dtype),
        seed=seed,
        callbacks=[UnitAtoms()],
        state=lambda net: state(learnt(net)),
        **params,
    )
    return learnt(net), [float(loss) for loss in net.history[:, "train_loss"]]
