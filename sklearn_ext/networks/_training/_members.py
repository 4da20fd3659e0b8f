"""What members train on, where they differ, how they train, and what came of it."""

from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_ext.networks._preprocess import Bins
from sklearn_ext.networks._training._regime import KernelPath

DECAYING = 12  # batches of an epoch that decay in full
NO_FOLD = -2  # of members; -1 is that of rows which nobody leaves out


@dataclass(frozen=True)
class TrainingRows:
    """Coded rows with what is known of them.

    Attributes
    ----------
    Z : ndarray or CSR matrix of shape (n_rows, n_narrow)
        Coded columns, all bins of a number in one.
    bins : Bins
        What makes columns of bins.
    target : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Codes of classes, or standardised numbers.
    weight : ndarray of shape (n_rows,)
        Weights.
    fold : ndarray of shape (n_rows,)
        Which fold a row is in; -1 of rows that nobody leaves out.
    order : ndarray of shape (n_rows,)
        Order in which they are counted when batches are drawn.
    n_outputs : int
        Number of classes or of targets.
    """

    Z: np.ndarray
    bins: Bins
    target: np.ndarray
    weight: np.ndarray
    fold: np.ndarray
    order: np.ndarray
    n_outputs: int

    def dealt(self, fold):
        """Return the same rows in other folds."""
        return replace(self, fold=fold)

    def ordered(self, order):
        """Return the same rows, counted in another order."""
        return replace(self, order=order)

    def without_bins(self):
        """Return the same rows without columns of bins."""
        bins = self.bins.none()
        return replace(self, Z=self.Z[:, : bins.n_plain], bins=bins)

    @property
    def strata(self):
        """Classes, or None."""
        return self.target if self.target.ndim == 1 else None

    @property
    def constant_loss(self):
        """Loss of the best constant prediction."""
        if self.target.ndim == 2:
            return 1.0
        share = np.bincount(self.target, self.weight) / self.weight.sum()
        return float(-(share[share > 0] * np.log(share[share > 0])).sum())


@dataclass(frozen=True)
class Members:
    """Where members differ: each attribute has one entry a member."""

    rates: np.ndarray
    left_out: np.ndarray  # fold; NO_FOLD for none
    seeds: np.ndarray  # of the initial weights
    laziness: np.ndarray

    def __len__(self):
        return len(self.rates)

    def weights(self, rows):
        """Return by what the weights of its rows are multiplied, to have mean one."""
        total = rows.weight.sum()
        held = [rows.weight[rows.fold == fold].sum() for fold in self.left_out]
        return len(rows.weight) / (total - np.array(held))


@dataclass(frozen=True)
class Plan:
    """How all members are trained."""

    hidden_units: int
    n_layers: int
    residual: bool
    base_units: int
    max_iter: int
    batch_size: int
    weight_decay: float
    dropout: float
    warmup: float
    logit_penalty: float
    keep_best: bool
    patience: int
    device: object
    seed: int
    standard: bool = False  # parametrisation: rates are those of the width itself
    follow_kernel: bool = False

    def decay(self, n_batches):
        """Return the weight decay of a step, in rates."""
        return self.weight_decay * min(1, DECAYING / n_batches)

    def narrow(self, units, n_epochs):
        """Return the same for a net of other width, trained to the end."""
        return replace(
            self,
            hidden_units=units,
            base_units=units if self.standard else self.base_units,
            max_iter=n_epochs,
            keep_best=False,
            follow_kernel=False,
        )


@dataclass
class Training:
    """What came of it."""

    member_loss: list = field(
        default_factory=list
    )  # (n_epochs, n_members), out of fold
    train_loss: list = field(default_factory=list)  # (n_epochs, n_members)
    history: list = field(default_factory=list)  # a dict an epoch
    best: int = -1  # epoch whose weights are kept
    outputs: np.ndarray | None = None  # out of fold, (n_rows, n_outputs)
    weights: dict | None = None
    diverged: np.ndarray | None = None  # (n_members,)
    diverged_at: int = 0  # epoch of the first, from one
    largest: float = 0.0  # its largest activation
    stop_reason: str = "max_iter"
    path: KernelPath | None = None
