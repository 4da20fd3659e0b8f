"""The light bridge as a torch module: matrix products, no (batch, K, D) tensors."""

import math

import torch
from skorch.callbacks import Callback

from sklearn_ext._core._torch import EndOfTraining


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
        return self.weights / self.epsilon, self.means, self._scales()

    def _factor(self):
        diagonal = torch.diagonal(self.scales, dim1=-2, dim2=-1)
        return torch.tril(self.scales, -1) + torch.diag_embed(torch.exp(diagonal))

    def _scales(self):
        if self.covariance_type in ("tied", "full"):
            factor = self._factor()
            return factor @ factor.mT
        return torch.exp(self.scales)

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


class KeepBest(Callback):
    """Stop when an epoch no longer does better on rows held out."""

    def __init__(self, no_better):
        self.no_better = no_better

    def on_epoch_end(self, net, **kwargs):
        """Look at the net."""
        if self.no_better(net):
            raise EndOfTraining


def bridge_loss(output, weight):
    """Return u log c(x) - w log v(y) for each pair of rows."""
    return weight[:, 0] * output[:, 0] - weight[:, 1] * output[:, 1]
