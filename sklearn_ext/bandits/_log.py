"""What comes back: rows, actions, rewards and propensities, checked."""

from dataclasses import dataclass

import numpy as np

WARM_UP = 50  # rows that have been seen when centres and scales of columns are frozen


@dataclass(frozen=True)
class Log:
    """Checked rows, positions of their actions, rewards (NaN: shown), weights."""

    X: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    w: np.ndarray

    def __len__(self):
        return len(self.X)

    def after(self, earlier=None):
        """Return the rows of both, in arrays that nobody else writes into."""
        parts = [vars(log).values() for log in (earlier, self) if log is not None]
        return Log(*map(np.concatenate, zip(*parts, strict=True)))

    @property
    def is_short(self):
        """Say whether there are so few rows that columns have no scale yet."""
        return len(self) < WARM_UP and self.w.sum() < WARM_UP

    def counts(self, n_actions):
        """Return how many rows each action learns from; all do from what was shown."""
        shown, w = np.isnan(self.reward), self.w
        counts = np.bincount(self.action[~shown], w[~shown], minlength=n_actions)
        return counts + w[shown].sum()


def check_actions(actions):
    """Check the labels that there are to choose from.

    Parameters
    ----------
    actions : array-like of shape (n_actions,)
        Labels.

    Returns
    -------
    ndarray of shape (n_actions,)
        The labels, sorted.
    """
    labels = np.asarray(actions)
    try:
        known = np.unique(labels)
        comparable = labels.ndim == 1 and bool((labels == labels).all())
    except TypeError:
        comparable = False
    if not comparable:
        raise ValueError(
            f"actions must be a list of labels of one kind, none of them missing, got "
            f"{labels.tolist()}."
        )
    if len(known) != len(labels):
        raise ValueError(f"actions must be distinct, got {labels.tolist()}.")
    if len(known) < 2:
        raise ValueError(
            f"A bandit chooses between at least two actions (more than one class), got "
            f"actions={labels.tolist()}."
        )
    return known


def positions(labels, actions, *, name="y"):
    """Return where actions stand among sorted labels.

    Parameters
    ----------
    labels : ndarray of shape (n_actions,)
        Labels that are known, sorted.
    actions : ndarray of shape (n_samples,)
        Labels to look up.
    name : str, default="y"
        What the caller calls them, for the message.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        Positions.
    """
    kinds = labels.dtype.kind, actions.dtype.kind
    if "O" not in kinds and (kinds[0] in "US") != (kinds[1] in "US"):
        at, found = np.zeros(len(actions), int), np.zeros(len(actions), bool)
    else:
        try:
            at = labels.searchsorted(actions)
        except TypeError:  # labels that do not compare
            known = {label: i for i, label in enumerate(labels.tolist())}
            at = np.array([known.get(a, len(labels)) for a in actions.tolist()], int)
        at = np.minimum(at, len(labels) - 1)
        found = labels[at] == actions
    if not np.all(found):
        unknown = np.unique(np.asarray(actions)[~np.asarray(found, dtype=bool)])[
            :5
        ].tolist()
        raise ValueError(
            f"{name} holds {unknown}, which are not among the actions "
            f"{labels.tolist()} (classes_). Name all of them in actions=, or add them "
            "with add_actions."
        )
    return at


def check_available(available, n_rows, labels):
    """Return which actions may be taken in each row.

    Parameters
    ----------
    available : array-like or None
        Booleans of shape (n_rows, n_actions), or a list of labels for all rows.
    n_rows : int
        Number of rows.
    labels : ndarray of shape (n_actions,)
        The actions.

    Returns
    -------
    ndarray of bool of shape (n_rows, n_actions) or None
        None if all are allowed.
    """
    if available is None:
        return None
    if hasattr(available, "columns"):
        available = _in_order(available, labels)
    mask = np.asarray(available)
    if mask.dtype != bool or (mask.ndim == 1 and labels.dtype == bool):
        if mask.ndim != 1:
            raise ValueError(
                "available must be booleans of shape (n_samples, n_actions), here "
                f"{(n_rows, len(labels))}, or a list of labels; got {mask.dtype} of "
                f"shape {mask.shape}."
            )
        allowed = np.zeros(len(labels), dtype=bool)
        if len(mask):
            allowed[positions(labels, mask, name="available")] = True
        mask = np.tile(allowed, (n_rows, 1))
    elif mask.shape != (n_rows, len(labels)):
        raise ValueError(
            f"available has the shape {mask.shape}; {n_rows} rows and {len(labels)} "
            f"actions need {(n_rows, len(labels))}."
        )
    if len(empty := np.flatnonzero(~mask.any(axis=1))):
        raise ValueError(f"available allows no action in row {empty[0]}.")
    return mask


def _in_order(frame, labels):
    """Return the columns of a frame in the order of the actions that name them."""
    names, wanted = ([str(x) for x in v] for v in (frame.columns, labels.tolist()))
    if names == [str(i) for i in range(len(labels))]:
        return np.asarray(frame)  # columns without names
    if sorted(names) != sorted(wanted):
        raise ValueError(
            f"available has the columns {list(frame.columns)}; the actions are "
            f"{labels.tolist()}."
        )
    return np.asarray(frame)[:, [names.index(label) for label in wanted]]


def check_reward(reward, n_rows, reward_range=None):
    """Return rewards as numbers, one a row and inside their range.

    Parameters
    ----------
    reward : array-like of shape (n_rows,)
        Rewards.
    n_rows : int
        Number of rows.
    reward_range : tuple of float or None, default=None
        Lowest and highest reward, if they are known.

    Returns
    -------
    ndarray of shape (n_rows,)
        The rewards.
    """
    reward = np.asarray(reward)
    if reward.dtype.kind in "US":
        raise ValueError(f"reward must be numbers, got {reward.dtype}.")
    if reward.ndim != 1:
        raise ValueError(
            f"reward must have one number a row, of shape ({n_rows},), got the shape "
            f"{reward.shape}."
        )
    reward = reward.astype(np.float64, copy=False)
    if len(reward) != n_rows:
        raise ValueError(f"reward has {len(reward)} values for {n_rows} rows of X.")
    size = np.abs(reward).max(initial=0.0)
    if not size <= 1e150:
        if len(bad := np.flatnonzero(~np.isfinite(reward))):
            raise ValueError(
                f"reward is {reward[bad[0]]} in row {bad[0]}: pass rows when their "
                "reward has come, in any order; NaN and inf are no rewards."
            )
        raise ValueError(
            f"reward is as large as {size:.0e}, and its square cannot be computed: use "
            "other units, below 1e150."
        )
    if reward_range is not None and n_rows:
        low, high = reward_range
        if reward.min() < low or reward.max() > high:
            raise ValueError(
                f"reward_range is {(low, high)}, but rewards go from "
                f"{reward.min():g} to {reward.max():g}."
            )
    return reward


def check_size(X):
    """Refuse numbers whose squares are beyond all numbers."""
    size = max(abs(X.max(initial=0.0)), abs(X.min(initial=0.0)))
    if not size <= 1e150:
        raise ValueError(
            f"X is as large as {size:.0e}, and its square cannot be computed: use "
            "other units, below 1e150."
        )


def check_propensity(propensity, n_rows):
    """Return propensities, one a row and possible.

    Parameters
    ----------
    propensity : array-like of shape (n_rows,)
        Probabilities with which logged actions were drawn.
    n_rows : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_rows,)
        The propensities.
    """
    propensity = np.asarray(propensity, dtype=np.float64)
    if propensity.shape != (n_rows,):
        raise ValueError(
            f"propensity must have one number a row, of shape ({n_rows},), got the "
            f"shape {propensity.shape}."
        )
    bad = np.flatnonzero(~((propensity > 0) & (propensity <= 1)))
    if len(bad):
        raise ValueError(
            "propensity is the probability with which the logged action was drawn, "
            f"more than 0 and at most 1; row {bad[0]} has {propensity[bad[0]]}."
        )
    return propensity


def are_labels(y, classes, n_rows):
    """Say whether actions are such that checking them would change nothing."""
    return type(y) is np.ndarray and y.dtype == classes.dtype and y.shape == (n_rows,)
