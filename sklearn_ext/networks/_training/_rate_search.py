"""Which learning rate is best: the losses of a grid of rates, read."""

from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_ext._core._validation import warn

N_FOLDS, N_HELD = 5, 2  # of five folds, two are left out by a member of each rate
NEAR = 0.05  # losses so near the least, relative, are as good: the smallest rate wins
CLEARLY = 0.01  # lower loss at the border of a grid, relative, that points beyond it
N_FURTHER = 3  # rates tried there


@dataclass(frozen=True)
class LearningRateCurve:
    """Losses of narrow members over learning rates.

    Attributes
    ----------
    learning_rates : ndarray of shape (n_rates,)
        The rates, ascending.
    loss : ndarray of shape (n_rates, n_held)
        Loss of each member on the fold that it left out, at the best epoch of the rate;
        infinite of those that diverged, NaN of those without rows.
    best : int
        Place of the smallest rate that is about as good as the best one: small rates
        train more evenly, and what narrow members say is noisy.
    """

    learning_rates: np.ndarray
    loss: np.ndarray
    best: int

    @property
    def least(self):
        """Least loss of all rates, mean over the folds."""
        return np.nanmean(self.loss, axis=1).min()


def rate_grid(learning_rates, n_steps):
    """Return the rates to try, ascending.

    Parameters
    ----------
    learning_rates : array-like or None
        The user's own; None takes seven powers of two.
    n_steps : int
        Steps of the search: those who take few take large ones.

    Returns
    -------
    ndarray of shape (n_rates,)
        The rates.
    """
    if learning_rates is None:
        return 2.0 ** (np.arange(-9, -2) + (2 if n_steps < 100 else 0))
    rates = np.asarray(learning_rates)
    if (
        rates.ndim != 1
        or not len(rates)
        or rates.dtype.kind not in "fiu"
        or not (np.isfinite(rates) & (rates > 0)).all()
    ):
        raise ValueError(
            "learning_rates must be a list of positive finite numbers, got "
            f"{rates.tolist()}."
        )
    return np.unique(rates.astype(float))


def read_curve(rates, member_loss):
    """Find the best rate.

    Parameters
    ----------
    rates : ndarray of shape (n_rates,)
        The rates, ascending.
    member_loss : ndarray of shape (n_epochs, n_rates * n_held)
        Out-of-fold loss of each member by epoch, the members of a rate side by side;
        infinite where they diverged, NaN of a member that left no row out.

    Returns
    -------
    LearningRateCurve
        What was found.
    """
    gone = np.isinf(member_loss).any(axis=0)
    losses = np.where(gone, np.inf, member_loss)
    losses = losses.reshape(len(member_loss), len(rates), -1)
    epoch = np.nanmean(losses, axis=2).argmin(axis=0)
    loss = losses[epoch, np.arange(len(rates))]
    mean = np.nanmean(loss, axis=1)
    best = int(np.argmax(mean <= mean.min() * (1 + NEAR)))
    return LearningRateCurve(rates, loss, best)


def beyond(curve):
    """Return the direction in which the best rate lies outside the grid, or 0."""
    mean, best = np.nanmean(curve.loss, axis=1), curve.best
    if len(mean) == 1 or best not in (0, len(mean) - 1):
        return 0
    inner = 1 if best == 0 else len(mean) - 2
    return (-1 if best == 0 else 1) * int(mean[inner] > mean[best] * (1 + CLEARLY))


def further(rates, side):
    """Return rates beyond the grid, ascending."""
    steps = 2.0 ** np.arange(1, 1 + N_FURTHER)
    return rates[-1] * steps if side > 0 else rates[0] / steps[::-1]


def joined(one, other):
    """Return the curve over the rates of both."""
    rates = np.r_[one.learning_rates, other.learning_rates]
    order = np.argsort(rates)
    loss = np.vstack([one.loss, other.loss])[order]
    return read_curve(rates[order], loss.reshape(1, -1))


def warn_of_border(curve, user):
    """Say that the best rate is the last of the grid that the user gave."""
    if beyond(curve):
        rates = curve.learning_rates
        side = "smallest" if curve.best == 0 else "largest"
        warn(
            f"{user} did best with the {side} of its learning rates, "
            f"{rates[curve.best]:g}; a better one may lie beyond. Widen "
            f"learning_rates=, which runs from {rates[0]:g} to {rates[-1]:g}.",
            ConvergenceWarning,
        )
