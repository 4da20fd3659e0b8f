"""A target as probabilities of the logged actions, and its overlap with the log."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import column_or_1d

from sklearn_ext._core._validation import warn
from sklearn_ext.bandits._log import check_propensity, check_reward, positions

FEW = 30  # rows that count: below, estimates are not worth much
LACK = 0.3  # of what weights should sum to, from which on it is worth a warning,
SURE = 5.0  # if it is as many standard deviations: chance alone does so in 4e-6


@dataclass(frozen=True)
class Logged:
    """A checked log: positions of actions, rewards, propensities."""

    labels: np.ndarray  # (K,), sorted
    action: np.ndarray  # (n,), positions
    reward: np.ndarray  # (n,)
    propensity: np.ndarray  # (n,), of the logged actions
    probabilities: np.ndarray | None  # (n, K), of all actions where they were logged
    given: list  # labels in the order in which they were named

    def __len__(self):
        return len(self.action)

    @classmethod
    def of(cls, action, reward, propensity, labels=None):
        """Check what was logged; a propensity of all actions has their columns."""
        action = column_or_1d(np.asarray(action))
        given = np.unique(action) if labels is None else np.asarray(labels)
        labels = np.unique(given)
        at = positions(labels, action, name="action")
        reward = check_reward(reward, len(at))
        p, every = np.asarray(propensity, dtype=np.float64), None
        if p.ndim == 2:
            check_order(given.tolist(), labels, "propensity")
            every = _check_probabilities(p, len(at), labels, "propensity")
            p = every[np.arange(len(at)), at]
        p = check_propensity(p, len(at))
        if len(p) and (p == 1).all() and len(np.unique(at)) > 1:
            warn(
                "All propensities are 1: the log is deterministic, and only its own "
                "actions can be judged."
            )
        return cls(labels, at, reward, p, every, given.tolist())

    def target(self, target, X=None, policy="best"):
        """Return the target's probabilities of all actions, (n, K)."""
        n, K = len(self), len(self.labels)
        if hasattr(target, "predict"):
            if X is None:
                raise ValueError(
                    f"target is a {type(target).__name__}: pass the rows of the log in "
                    "X= too, so that it can be asked."
                )
            if policy == "explore":
                p = np.zeros((n, K))
                found = positions(
                    self.labels, np.asarray(target.classes_), name="target"
                )
                p[:, found] = target.predict_proba(X)
                return p
            target = target.predict(X)
        target = np.asarray(target)
        if target.ndim not in (1, 2):
            got = f"the shape {target.shape}" if target.ndim else repr(target.item())
            raise ValueError(
                f"target must be the actions of the {n} rows, their probabilities of "
                f"all actions, or something fitted; got {got}."
            )
        if target.ndim == 2:
            check_order(self.given, self.labels, "target")
            return _check_probabilities(target, n, self.labels, "target")
        if len(target) != n:
            raise ValueError(f"target has {len(target)} actions for {n} logged rows.")
        p = np.zeros((n, K))
        p[np.arange(n), positions(self.labels, target, name="target")] = 1.0
        return p

    def weights(self, target):
        """Return how much more often the target takes each logged action; warn."""
        never = np.setdiff1d(np.arange(len(self.labels)), self.action)
        if len(never) and (share := target[:, never].sum() / len(target)) > 0:
            warn(
                f"The target takes actions that were never logged, "
                f"{self.labels[never].tolist()}, in {share:.1%} of the rows: what they "
                "earn is unknown, and counts as nothing."
            )
        with np.errstate(over="ignore"):
            w = target[np.arange(len(self)), self.action] / self.propensity
        if len(bad := np.flatnonzero(~np.isfinite(w))):
            raise ValueError(
                f"The propensity {self.propensity[bad[0]]} of row {bad[0]} is too "
                "small to divide by: an action that was drawn had more."
            )
        if (size := effective_size(w)) < FEW:
            warn(
                f"The log has an effective sample size of {size:.1f} rows for this "
                f"target, fewer than {FEW}: it says little about it."
            )
        elif (share := missing_share(w, target.sum() - target[:, never].sum())) > 0:
            warn(
                f"The weights of this target sum to {1 - share:.0%} of the rows, and "
                f"should to about all: {self._why(w, target)}. The value is that of "
                "the rows that are there."
            )
        return w

    def _why(self, w, target):
        """Say what may be wrong where weights sum to too little."""
        wrong = "the propensities are not those with which actions were drawn"
        rare = (
            "in the others its actions were so rare that none of them was drawn (a "
            "log with min_probability would show them)"
        )
        if self.probabilities is None:
            return f"either {wrong}, or {rare}"
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = np.where(target > 0, target**2 / self.probabilities, 0.0).sum()
        # the sum of terms that are not negative is below its mean by t with
        # probability exp(-t^2 / 2 / their squares) at most
        return wrong if len(w) - w.sum() > SURE * np.sqrt(squares) else rare


def missing_share(w, due):
    """Return which share of the rows weights lack beyond doubt, or zero.

    The conditional mean of every weight is one, so they sum to about the number of
    rows. Where the sum is m times that, as many rows again would have brought squares
    of ``sum w^2 / m``; that is the variance of the sum.

    Parameters
    ----------
    w : ndarray of shape (n_samples,)
        Weights.
    due : float
        What they should sum to.

    Returns
    -------
    float
        ``1 - m`` if it is more than `LACK` and more than `SURE` standard deviations.
    """
    total = w.sum()
    if not 0 < total < (1 - LACK) * due:
        return 0.0
    m = float(total / due)
    return 1 - m if due - total > SURE * np.sqrt(w @ w / m) else 0.0


def effective_size(w):
    """Return the number of equal weights that would be as informative."""
    largest = w.max(initial=0.0)
    if not largest > 0:
        return 0.0
    w = w / largest  # squares must not overflow
    return float(w.sum() ** 2 / (w**2).sum())


def check_order(given, labels, name):
    """Refuse labels in another order than that of the columns of a table."""
    if given != labels.tolist():
        raise ValueError(
            f"{name} has a column for each action, in their sorted order, so labels "
            f"must be distinct and sorted, {labels.tolist()}; got {given}."
        )


def _check_probabilities(p, n, labels, name):
    p = check_array(p, dtype=np.float64, input_name=name)
    if p.shape != (n, len(labels)):
        raise ValueError(
            f"{name} has the shape {p.shape}; {n} rows and the {len(labels)} actions "
            f"{labels.tolist()} need {(n, len(labels))}. Name all actions in labels=."
        )
    if p.min() < 0 or not np.allclose(p.sum(axis=1), 1, atol=1e-6):
        raise ValueError(f"{name} must be probabilities that sum to one in each row.")
    return p
