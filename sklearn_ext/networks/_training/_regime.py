"""Does the table need features, or would a kernel do: a verdict from paired scores."""

from dataclasses import dataclass

import numpy as np

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
