"""Minibatch Adam, the published algorithm, through skorch.

The module makes matrix products, no (batch, K, D) tensors.
"""

import math
from dataclasses import replace

import numpy as np
import torch

from sklearn_ext._core._torch import ReportEpochs, WeightedLoss, fit_net
from sklearn_ext._numerics._arrays import single, to_numpy
from sklearn_ext.bridge._mixture import PotentialMixture
from sklearn_ext.bridge._samples import Sample
from sklearn_ext.bridge._solvers._fixed_point import Fit, evaluate, problem_of
from sklearn_ext.bridge._solvers._start import start


class LightBridge(torch.nn.Module):
    """Log-normalizer and adjusted log-potential of paired rows.

    Parameters
    ----------
    log_weights, means, scales : ndarray
        Where to start, in the public shapes.
    epsilon : float
        Entropic regularisation.
    covariance_type : str
        Type of the scales.
    """

    def __init__(self, log_weights, means, scales, epsilon, covariance_type):
        super().__init__()
        self.epsilon, self.covariance_type = epsilon, covariance_type
        start = (torch.as_tensor(a) for a in (log_weights, means, scales))
        log_weights, means, scales = start
        self.weights = torch.nn.Parameter(epsilon * log_weights)
        self.means = torch.nn.Parameter(means.clone())
        if covariance_type in ("tied", "full"):
            factor = torch.linalg.cholesky(scales)
            diagonal = torch.diagonal(factor, dim1=-2, dim2=-1)
            scales = torch.tril(factor, -1) + torch.diag_embed(torch.log(diagonal))
        else:
            scales = torch.log(scales)
        self.scales = torch.nn.Parameter(scales)

    def parameters_in_data_form(self):
        """Return log a, r and S."""
        if self.covariance_type in ("tied", "full"):
            factor = self._factor()
            scales = factor @ factor.mT
        else:
            scales = torch.exp(self.scales)
        return self.weights / self.epsilon, self.means, scales

    def _factor(self):
        diagonal = torch.diagonal(self.scales, dim1=-2, dim2=-1)
        return torch.tril(self.scales, -1) + torch.diag_embed(torch.exp(diagonal))

    def forward(self, X):
        """Return log c(x) and log v(y) of rows that hold x and y side by side."""
        x, y = X.tensor_split(2, dim=1)
        form = (
            self._matrices if self.covariance_type in ("tied", "full") else self._axes
        )
        source, target = form(x, y)
        ell, eps = self.weights / self.epsilon, self.epsilon
        linear = x @ self.means.T
        c = torch.logsumexp(ell + (source + linear) / eps, dim=1)
        v = torch.logsumexp(ell + target, dim=1)
        return torch.stack([c, v], dim=1)

    def _axes(self, x, y):
        """Return x' S x / 2 and log N(y | r, eps S) for scales along the axes."""
        lam, r, D = torch.exp(self.scales), self.means, x.shape[1]
        if self.covariance_type == "spherical":
            lam = lam[:, None].expand(-1, D)
        var = self.epsilon * lam
        inside = (y**2) @ (1 / var).T - 2 * y @ (r / var).T + (r**2 / var).sum(1)
        log_det = torch.log(2 * math.pi * var).sum(1)
        return (x**2 / 2) @ lam.T, -(inside + log_det) / 2

    def _matrices(self, x, y):
        factor, D = self._factor(), x.shape[1]
        if factor.ndim == 2:
            factor = factor.expand(len(self.means), D, D)
        source = ((x @ factor) ** 2).sum(-1).T / 2  # (batch, K)
        gap = (y[None] - self.means[:, None]).mT  # (K, D, batch)
        inside = torch.linalg.solve_triangular(factor, gap, upper=False)
        log_det = 2 * torch.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)
        constant = log_det + D * math.log(2 * math.pi * self.epsilon)
        return source, -((inside**2).sum(1).T / self.epsilon + constant) / 2


def bridge_loss(output, weight):
    """Return u log c(x) - w log v(y) for each pair of rows."""
    return weight[:, 0] * output[:, 0] - weight[:, 1] * output[:, 1]


def paired(sides, rng):
    """Put rows of both sides side by side, the shorter side repeated.

    Returns
    -------
    rows : ndarray of shape (n_pairs, 2 * n_features)
        Source and target rows; which meet is chance.
    weights : ndarray of shape (n_pairs, 2)
        Weights of both with mean one: repetition does not make a row count more.
    """
    n = max(side.X.shape[0] for side in sides)
    rows, weights = [], []
    for side in sides:
        turns = -(-n // len(side.X))
        order = [np.argsort(rng.random(len(side.X))) for _ in range(turns)]
        order = np.concatenate(order)[:n]
        w = side.w[order] / np.bincount(order, minlength=len(side.X))[order]
        rows.append(side.X[order])
        weights.append(w * (n / w.sum()))
    return np.hstack(rows), np.stack(weights, axis=1)


def fit_adam(sides, options, rng, mixture, passes, params):
    """Train by minibatches from clusters of the target, or from a mixture.

    ``passes`` hear of each epoch, and may look at the state at its end. ``params`` are
    those of :class:`~skorch.net.NeuralNet`.

    Returns
    -------
    fit : Fit
        State after the last epoch; the losses are those of the epochs.
    n_iter : int
        Epochs.
    """
    dtype = np.float32 if single(sides[0].X) else np.float64
    host = [Sample(*side.host) for side in sides]
    problem = problem_of(*host, replace(options, n_init=1, anneal=False))
    if mixture is None:
        mixture = start(problem, host[1], rng).state.mixture
    mixture = mixture.convert(to_numpy)  # from a device, where a fit goes on
    rows, weights = (a.astype(dtype) for a in paired(host, rng))
    kind = options.covariance_type

    def learnt(net):
        arrays = net.module_.parameters_in_data_form()
        arrays = (to_numpy(a).astype(float) for a in arrays)
        mixture = PotentialMixture.of(*arrays, options.epsilon, kind)
        return evaluate(problem, mixture)

    net = fit_net(
        None,
        rows,
        None,
        weights,
        np.ones(len(rows), dtype=dtype),
        seed=int(rng.random() * 2**31),
        callbacks=[ReportEpochs(passes, learnt)],
        **{
            "module": LightBridge,
            "module__log_weights": mixture.log_weights.astype(dtype),
            "module__means": mixture.means.astype(dtype),
            "module__scales": mixture.scales.astype(dtype),
            "module__epsilon": options.epsilon,
            "module__covariance_type": kind,
            "criterion": WeightedLoss,
            "criterion__row_loss": bridge_loss,
            "optimizer": torch.optim.Adam,
            **params,
        },
    )
    curve = [float(loss) for loss in net.history[:, "train_loss"]]
    return Fit(learnt(net), curve, True, 0.0), len(curve)
