"""Does the table need features, or would a kernel do: a verdict from paired scores."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.networks._tangent import kernel_alignment, neural_tangent_kernel

N_ROWS = 256  # on which kernels are computed
LAZINESS = 32.0  # at which a net is its linearisation


@dataclass(frozen=True)
class Regime:
    """How much better nets are that learn features than those that cannot.

    Attributes
    ----------
    lazy_score, rich_score : float
        Accuracy or R² out of fold.
    gap : float
        Their difference.
    standard_error : float
        Of the difference, from pairs of the same row.
    """

    lazy_score: float
    rich_score: float
    gap: float
    standard_error: float

    @classmethod
    def of(cls, lazy, rich, weight):
        """Compare the scores of rows, whose weighted means are the scores."""
        share = weight / weight.sum()
        gaps = rich - lazy
        gap = float(share @ gaps)
        error = float(np.sqrt(share**2 @ (gaps - gap) ** 2))
        return cls(float(share @ lazy), float(share @ rich), gap, error)

    @property
    def verdict(self):
        """In words: a gap within one standard error is none, beyond two it is one."""
        if self.gap <= self.standard_error:
            return "kernel sufficient"
        return "features needed" if self.gap > 2 * self.standard_error else "unclear"


def row_scores(outputs, target, weight):
    """Return scores of rows whose weighted mean is accuracy, or mean R² of targets."""
    if target.ndim == 1:
        return (outputs.argmax(axis=1) == target).astype(float)
    spread = np.average(
        (target - np.average(target, axis=0, weights=weight)) ** 2,
        axis=0,
        weights=weight,
    )
    error = (outputs.astype(np.float64) - target) ** 2
    return 1 - (error / np.where(spread > 0, spread, 1)).mean(axis=1)


class KernelPath:
    """The tangent kernel of the first member, followed through training.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_coded)
        Coded rows on which it is computed.
    target : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Codes of classes, or standardised numbers.
    """

    def __init__(self, Z, target):
        self.Z = Z
        wanted = target
        if target.ndim == 1:
            wanted = (target[:, None] == np.unique(target)).astype(float)
        self.target = wanted @ wanted.T
        self.similarity, self.alignment, self.start = [], [], None

    def look(self, weights):
        """Take down where the kernel is."""
        K = neural_tangent_kernel(weights, self.Z)
        if self.start is None:
            self.start = K, weights
        self.similarity.append(kernel_alignment(K, self.start[0]))
        self.alignment.append(kernel_alignment(K, self.target))

    def moved(self, weights, members):
        """Return the relative change of the weights of each layer of some members."""
        return {
            name: float(_size(weights[name] - start[members]) / _size(start[members]))
            for name, start in self.start[1].items()
            if name.startswith("weight_") and start.size  # no columns, no weights
        }


def _size(weights):
    return np.sqrt(np.square(weights, dtype=np.float64).sum())
