"""Modules, losses and whole-bag batches of the neural members."""

import copy

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_ext._core._torch import EndOfTraining


class MLP(nn.Sequential):
    """Two hidden layers of rectified units."""

    def __init__(self, n_features, n_outputs, hidden_units=64):
        super().__init__(
            nn.Linear(n_features, hidden_units),
            nn.ReLU(),
            nn.Linear(hidden_units, hidden_units),
            nn.ReLU(),
            nn.Linear(hidden_units, n_outputs),
        )


class StandardisedNet(nn.Module):
    """A module behind the standardisation of its inputs, in the dtype of the data."""

    def __init__(self, build, n_outputs, mean, scale):
        super().__init__()
        mean = torch.tensor(mean)  # a copy: stored arrays may be read-only
        self.register_buffer("mean", mean)
        self.register_buffer("scale", torch.tensor(scale))
        self.body = (build or MLP)(len(mean), n_outputs).to(mean.dtype)

    def forward(self, X):
        """Return the outputs of the rows, (n_samples, n_outputs)."""
        return self.body((X - self.mean) / self.scale)


class BagLoader:
    """Batches of whole bags, as slices of whole tensors; rows are sorted by bag."""

    def __init__(self, dataset, batch_size=-1, shuffle=False):
        self.X = torch.as_tensor(dataset.X)
        y = {key: torch.as_tensor(value) for key, value in dataset.y.items()}
        self.y, self.tables = y, bag_tables(y)
        self.sizes = torch.bincount(y["bag"])
        self.starts = torch.cumsum(self.sizes, 0) - self.sizes
        self.batch_size, self.shuffle = batch_size, shuffle

    def __iter__(self):
        m = len(self.sizes)
        step = m if self.batch_size == -1 else self.batch_size
        if step >= m:
            yield self.X, self.y | self.tables
            return
        order = torch.randperm(m) if self.shuffle else torch.arange(m)
        for bags in order.split(step):
            sizes = self.sizes[bags]
            local = torch.repeat_interleave(torch.arange(len(bags)), sizes)
            shift = self.starts[bags] - (torch.cumsum(sizes, 0) - sizes)
            rows = torch.arange(len(local)) + shift[local]
            batch = {key: value[rows] for key, value in self.y.items()}
            batch |= {key: value[bags] for key, value in self.tables.items()}
            yield self.X[rows], batch | {"bag": local}


def bag_tables(target):
    """Return the weights of the bags and their aggregates."""
    size = torch.bincount(target["bag"], target["w"])
    aggregate = bag_means(target["y"], target | {"size": size})
    return {"size": size, "aggregate": aggregate}


def bag_means(values, target):
    """Return weighted means of rows bag by bag, (n_bags, n_outputs)."""
    size, weighted = target["size"], target["w"][:, None] * values
    total = weighted.new_zeros(len(size), values.shape[1])
    return total.index_add(0, target["bag"], weighted) / size[:, None]


class InterpolatedLoss(nn.Module):
    """``(1 - rho)`` times the loss of bag means, ``rho`` times that of the rows."""

    def __init__(self, rho):
        super().__init__()
        self.rho = rho

    def forward(self, output, target):
        """Return the loss per row of the batch."""
        w = target["w"]
        rows, bags = self.parts(output, target)
        total = (1 - self.rho) * (target["size"] @ bags) + self.rho * (w @ rows)
        return total / len(w)


class SquaredLoss(InterpolatedLoss):
    """Squared errors."""

    def parts(self, output, target):
        """Return the losses of the rows and of the bags."""
        gaps = target["aggregate"] - bag_means(output, target)
        return ((target["y"] - output) ** 2).sum(1), (gaps**2).sum(1)


class CrossEntropy(InterpolatedLoss):
    """Cross-entropy of mean probabilities against proportions."""

    def parts(self, output, target):
        """Return the losses of the rows and of the bags."""
        log_q = torch.log_softmax(output, dim=1)
        means = bag_means(log_q.exp(), target)
        means = means.clamp_min(torch.finfo(means.dtype).tiny)
        bags = -(target["aggregate"] * means.log()).sum(1)
        return -(target["y"] * log_q).sum(1), bags


class CentredLoss(nn.Module):
    """Debiased cross-entropy for random bags, centred within the batch.

    The loss against pseudo-labels is the loss against the overall proportions plus k
    times the covariance, over bags, of proportions and mean losses. Estimating that
    covariance around the means of the batch keeps its variance bounded in k.
    """

    def __init__(self, overall):
        super().__init__()
        self.register_buffer("overall", torch.tensor(overall))

    def forward(self, output, target):
        """Return the loss per row of the batch."""
        sizes, aggregates = target["size"], target["aggregate"]
        share = sizes / sizes.sum()
        means = bag_means(-torch.log_softmax(output, dim=1), target)
        center, overall = share @ means, share @ aggregates
        stretch = share * torch.bincount(target["bag"])
        covariance = stretch @ ((aggregates - overall) * (means - center)).sum(1)
        unbiased = (1 - (share**2).sum()).clamp_min(1e-6)
        total = self.overall @ center + covariance / unbiased
        return total * (sizes.sum() / len(target["w"]))


class BagStopping(Callback):
    """Stop when the loss of held-out bags no longer falls; keep the best weights."""

    def __init__(self, X, target, patience):
        self.X, self.target, self.patience = X, target, patience

    def on_train_begin(self, net, **kwargs):
        """Forget earlier training."""
        self.least, self.since, self.best = np.inf, 0, None

    def on_epoch_end(self, net, **kwargs):
        """Measure, and end training where nothing was gained for long."""
        device = net.device
        target = {k: torch.as_tensor(v).to(device) for k, v in self.target.items()}
        target |= bag_tables(target)
        net.module_.eval()
        with torch.no_grad():
            output = net.module_(torch.as_tensor(self.X).to(device))
            loss = float(net.criterion_(output, target))
        if loss < self.least:
            self.least, self.since = loss, 0
            self.best = copy.deepcopy(net.module_.state_dict())
        else:
            self.since += 1
        if self.since >= self.patience:
            raise EndOfTraining

    def on_train_end(self, net, **kwargs):
        """Return to the best weights."""
        if self.best is not None:
            net.module_.load_state_dict(self.best)


def weights_of(net):
    """Return the module's parameters and buffers as arrays."""
    state = net.module_.state_dict()
    return {name: value.detach().cpu().numpy().copy() for name, value in state.items()}


def outputs(build, n_outputs, weights, X, device):
    """Rebuild a module from its arrays and apply it to rows."""
    with torch.random.fork_rng([]):  # building draws weights that are thrown away
        net = StandardisedNet(build, n_outputs, weights["mean"], weights["scale"])
    state = {name: torch.tensor(value) for name, value in weights.items()}
    net.load_state_dict(state)
    net = net.to(device).eval()
    X = torch.as_tensor(np.array(X, dtype=weights["mean"].dtype, order="C"))
    with torch.no_grad():
        parts = [net(part.to(device)).cpu().numpy() for part in X.split(65_536)]
    return np.concatenate(parts)
