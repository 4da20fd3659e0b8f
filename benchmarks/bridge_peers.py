"""What light bridges are compared with: published Adam, POT, and simple maps."""

import numpy as np
import torch

from sklearn_ext.bridge import LightSchrodingerBridge
from sklearn_ext.bridge._adam_torch import LightBridge

STEPS, BATCH = 10_000, 128
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


class SinkhornPlan:
    """Discrete entropic transport by POT, out of sample by its dual potential."""

    def __init__(self, epsilon, n_rows=None, *, n_iter=1000, tol=1e-6):
        self.epsilon, self.n_rows = epsilon, n_rows
        self.n_iter, self.tol = n_iter, tol

    def fit(self, X, Y):
        """Solve between the first rows of both samples."""
        import ot

        X, Y = X[: self.n_rows], Y[: self.n_rows]
        cost = ot.dist(X, Y) / 2
        a, b = np.full(len(X), 1 / len(X)), np.full(len(Y), 1 / len(Y))
        _, log = ot.sinkhorn(
            a,
            b,
            cost,
            self.epsilon,
            method="sinkhorn_log",
            numItermax=self.n_iter,
            stopThr=self.tol,
            log=True,
            warn=False,
        )
        self.Y, self.g = Y, np.ravel(log["log_v"])
        self.n_iter_ = log["niter"] + 1
        return self

    def _weights(self, X):
        cost = ((X[:, None, :] - self.Y[None]) ** 2).sum(-1) / 2
        score = self.g - cost / self.epsilon
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return score / score.sum(axis=1, keepdims=True)

    def transform(self, X):
        """Return conditional means."""
        parts = np.array_split(X, max(1, len(X) // 100))
        return np.vstack([self._weights(part) @ self.Y for part in parts])

    def conditional_mean_cov(self, X):
        """Return moments of the conditional laws."""
        means, covariances = [], []
        for row in X:
            w = self._weights(row[None])[0]
            mean = w @ self.Y
            gap = self.Y - mean
            means.append(mean)
            covariances.append((gap * w[:, None]).T @ gap)
        return np.array(means), np.array(covariances)


def whitening(X, Y):
    """Map by matching mean and covariance through whitening both sides."""

    def root(Z, power):
        lam, V = np.linalg.eigh(np.cov(Z, rowvar=False))
        return (V * lam**power) @ V.T

    return (X - X.mean(axis=0)) @ root(X, -0.5) @ root(Y, 0.5) + Y.mean(axis=0)
