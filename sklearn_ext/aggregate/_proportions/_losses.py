"""Losses of a linear classifier against class proportions, with their gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, softmax

from sklearn_ext.aggregate._bags._partition import Bags
from sklearn_ext.aggregate._proportions._poisson_binomial import count_likelihood


@dataclass(frozen=True)
class RowLoss:
    """Cross-entropy of every row against targets of its own.

    The targets are proportions of the bag (the instance-level loss) or pseudo-labels,
    which may leave [0, 1] without harm to convexity.
    """

    targets: np.ndarray  # (n_samples, n_classes), rows sum to one
    weights: np.ndarray  # (n_samples,)

    def __call__(self, logits):
        """Return the loss and its gradient by the logits."""
        log_q = log_softmax(logits, axis=1)
        loss = -self.weights @ (self.targets * log_q).sum(axis=1)
        return loss, self.weights[:, None] * (np.exp(log_q) - self.targets)


@dataclass(frozen=True)
class BagLoss:
    """Cross-entropy of mean probabilities against proportions, bag by bag."""

    proportions: np.ndarray  # (n_bags, n_classes)
    bags: Bags

    def __call__(self, logits):
        """Return the loss and its gradient by the logits."""
        probabilities = softmax(logits, axis=1)
        means = np.maximum(self.bags.means(probabilities), 1e-300)
        ratio = np.where(self.proportions > 0, self.proportions / means, 0.0)
        loss = -self.bags.sizes @ np.sum(self.proportions * np.log(means), axis=1)
        pull = self.bags.spread(ratio)
        pull = pull - (pull * probabilities).sum(axis=1, keepdims=True)
        return loss, -self.bags.weights[:, None] * probabilities * pull


@dataclass(frozen=True)
class MixedLoss:
    """``(1 - rho)`` of one loss and ``rho`` of another."""

    rho: float
    bag: BagLoss
    row: RowLoss

    def __call__(self, logits):
        """Return the loss and its gradient by the logits."""
        (bag, bag_slope), (row, row_slope) = self.bag(logits), self.row(logits)
        rho = self.rho
        return (1 - rho) * bag + rho * row, (1 - rho) * bag_slope + rho * row_slope


@dataclass(frozen=True)
class CountLoss:
    """Exact negative log-likelihood of binary counts.

    Its gradient is that of an M-step after an exact E-step (Fisher's identity), so a
    quasi-Newton method reaches the fixed point of EM in far fewer E-steps.
    """

    counts: np.ndarray  # (n_bags,)
    bags: Bags

    def __call__(self, logits):
        """Return the loss and its gradient by the logits; column 0 is the reference."""
        log_odds = logits[:, 1] - logits[:, 0]
        log_probability, posterior = count_likelihood(log_odds, self.bags, self.counts)
        slope = expit(log_odds) - posterior
        return -log_probability.sum(), np.column_stack([-slope, slope])


def debiased_targets(proportions, bags: Bags):
    """Pseudo-labels of rows whose mean given the row is that of its own label.

    ``z = (S_a / s_i) (p_a - p) + p`` with p the overall proportions; for bags formed
    at random.
    """
    overall = np.average(proportions, axis=0, weights=bags.sizes)
    stretch = bags.spread(bags.sizes) / bags.weights
    return stretch[:, None] * (bags.spread(proportions) - overall) + overall
