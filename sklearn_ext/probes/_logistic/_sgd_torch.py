"""The linear module, row losses and optimiser behind ``solver="sgd"``."""

import math

import torch
from torch.nn import functional


class LinearScores(torch.nn.Module):
    """Scores of centred and scaled features; the scaling is folded back afterwards."""

    def __init__(self, mean, scale, coef, intercept, fit_intercept):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer("scale", torch.as_tensor(scale))
        self.weight = torch.nn.Parameter(torch.as_tensor(coef).clone())
        self.bias = torch.nn.Parameter(
            torch.as_tensor(intercept).clone(), requires_grad=fit_intercept
        )

    def forward(self, X):
        """Score rows."""
        return ((X - self.mean) / self.scale) @ self.weight.T + self.bias


def row_loss(scores, codes):
    """Log-loss of each row: softmax, or logistic for one score."""
    if scores.shape[1] > 1:
        return functional.cross_entropy(scores, codes, reduction="none")
    return functional.binary_cross_entropy_with_logits(
        scores[:, 0], codes.to(scores.dtype), reduction="none"
    )


class DecayingSGD(torch.optim.SGD):
    """Nesterov steps whose length falls as a cosine, with a proximal L2 penalty.

    Features are scaled, so each has its own penalty; the proximal step is stable
    however large that is, and leaves the minimum where it belongs.
    """

    def __init__(self, params, lr, momentum, penalty, total_steps):
        super().__init__(params, lr=lr, momentum=momentum, nesterov=momentum > 0)
        self.penalty, self.total_steps = torch.as_tensor(penalty), total_steps
        self.first_lr, self.taken = lr, 0

    def step(self, closure=None):
        """Take one step; without a number of steps its length stays."""
        group = self.param_groups[0]
        if self.total_steps:
            done = min(self.taken / self.total_steps, 1.0)
            group["lr"] = self.first_lr * 0.5 * (1 + math.cos(math.pi * done))
        self.taken += 1
        loss = super().step(closure)
        weight = group["params"][0]
        momentum = group["momentum"]
        step = group["lr"] / (1 - momentum)  # what a lasting force moves in a step
        with torch.no_grad():
            weight /= 1 + step * self.penalty.to(weight)
        return loss
