"""What light bridges are compared with: Adam as published, and a simple map."""

import numpy as np
import torch

from sklearn_ext.bridge import LightSchrodingerBridge
from sklearn_ext.bridge._solvers._adam_torch import LightBridge

STEPS, BATCH = 10_000, 128
BEST_RATES = 1e-3, 3e-3, 1e-2, 3e-2
RATES = {0.1: 1e-3, 1.0: 3e-3, 10.0: 6e-2}  # as published, by epsilon


class BroadcastBridge(LightBridge):
    """The same losses in the published form, with (batch, K, D) tensors."""

    def _axes(self, x, y):
        lam, r = torch.exp(self.scales), self.means
        var = self.epsilon * lam
        gap = y[:, None, :] - r[None]
        inside = (gap**2 / var + torch.log(2 * torch.pi * var)).sum(-1)
        source = (x[:, None, :] ** 2 * lam[None] / 2).sum(-1)
        return source, -inside / 2


def adam(X, Y, epsilon, n_components, *, module=LightBridge, steps=STEPS):
    """Fit as published: random target rows, unit scales, minibatches of 128."""
    rows = np.random.default_rng(0).choice(len(Y), n_components, replace=False)
    per_epoch = -(-max(len(X), len(Y)) // BATCH)
    K, D = n_components, X.shape[1]
    params = {
        "module": module,
        "module__log_weights": np.zeros(K, dtype=X.dtype),
        "module__means": (Y[rows] - Y.mean(axis=0)).astype(X.dtype),
        "module__scales": np.ones((K, D), dtype=X.dtype),
        "max_epochs": max(1, steps // per_epoch),
        "batch_size": BATCH,
        "lr": RATES.get(epsilon, 1e-3),
    }
    bridge = LightSchrodingerBridge(
        K, epsilon=epsilon, solver="adam", torch_params=params, random_state=0
    )
    return bridge.fit(X, X_target=Y)


def best_adam(X, Y, epsilon, n_components, rate):
    """Fit from clusters, until rows that are held out no longer gain."""
    per_epoch = -(-max(len(X), len(Y)) // BATCH)
    params = {"max_epochs": STEPS // per_epoch, "batch_size": BATCH, "lr": rate}
    bridge = LightSchrodingerBridge(
        n_components,
        epsilon=epsilon,
        solver="adam",
        early_stopping=True,
        n_iter_no_change=10,
        torch_params=params,
        random_state=0,
    )
    return bridge.fit(X, X_target=Y)


def whitening(X, Y):
    """Map by matching mean and covariance through whitening both sides."""

    def root(Z, power):
        lam, V = np.linalg.eigh(np.cov(Z, rowvar=False))
        return (V * lam**power) @ V.T

    return (X - X.mean(axis=0)) @ root(X, -0.5) @ root(Y, 0.5) + Y.mean(axis=0)
