"""What all bandits do: decide among available actions, and be judged on a log."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_ext._core._compat import _num_samples
from sklearn_ext.bandits._exploration import (
    draw,
    explore,
    raise_to_minimum,
    small_loss_gamma,
)


@dataclass(frozen=True)
class Decisions:
    """Actions drawn for rows, with what has to be logged beside them.

    Parameters
    ----------
    action : ndarray of shape (n_samples,)
        Labels of the actions.
    propensity : ndarray of shape (n_samples,)
        Probability with which each of them was drawn. Log it: without it nobody can
        say later what another policy would have earned.
    probabilities : ndarray of shape (n_samples, n_actions)
        Probabilities of all actions, in the order of ``classes_``.

    See Also
    --------
    RidgeBandit.decide : Makes them.

    Examples
    --------
    >>> from sklearn_ext.bandits import RidgeBandit
    >>> made = RidgeBandit(["a", "b"]).decide([[0.0], [1.0]], random_state=0)
    >>> made.propensity
    array([0.5, 0.5])
    """

    action: np.ndarray
    propensity: np.ndarray
    probabilities: np.ndarray

    def __len__(self):
        return len(self.action)


class DecisionMixin(ClassifierMixin):
    """Decisions of a bandit that predicts rewards.

    The bandit has the parameters ``actions``, ``exploration``, ``min_probability`` and
    ``reward_range``, the attributes ``classes_`` and ``gamma_``, and three methods:
    ``_rows(X)`` checks rows, ``_rewards(rows)`` predicts the reward of each action, and
    ``_optimism(rows)`` what is added to it while actions are explored.
    """

    def decide(self, X, *, available=None, random_state=None):
        """Draw an action for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        available : array-like of bool of shape (n_samples, n_actions) or of labels, \
                default=None
            The actions that may be taken: in each row, in the order of ``classes_``, or
            a list of labels for all rows. None allows all.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. One uniform number a row is drawn.

        Returns
        -------
        Decisions
            Actions, their propensities, and the probabilities of all actions. Before
            any fit, with ``actions`` given, they are uniform.
        """
        rng = check_random_state(random_state)
        if not hasattr(self, "classes_") and self.actions is not None:
            labels = check_actions(self.actions)
            n = _num_samples(X)
            mask = check_available(available, n, labels)
            allowed = np.ones((n, len(labels))) if mask is None else mask
            probabilities = allowed / allowed.sum(axis=1, keepdims=True)
        else:
            probabilities = self.predict_proba(X, available)
            labels = self.classes_
        at = draw(probabilities, rng)
        propensity = probabilities[np.arange(len(at)), at]
        return Decisions(labels[at], propensity, probabilities)

    def predict_proba(self, X, available=None):
        """Return the probabilities with which each action is tried.

        They belong to the policy that explores, not to `predict`: while much is to be
        learnt, the most probable action may be another than the best predicted one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        available : array-like of bool of shape (n_samples, n_actions) or of labels, \
                default=None
            The actions that may be taken. None allows all.

        Returns
        -------
        ndarray of shape (n_samples, n_actions)
            Probabilities, in the order of ``classes_``.
        """
        check_is_fitted(self)
        rows = self._rows(X)
        mask = check_available(available, len(rows), self.classes_)
        scores = self._rewards(rows) + self._optimism(rows)
        gamma = self.gamma_
        if self.exploration == "small_loss":
            gamma = small_loss_gamma(scores, gamma, self._reward_range(), mask)
        p = explore(self.exploration, scores, gamma, mask)
        self._check_min_probability(len(self.classes_))
        return raise_to_minimum(p, self.min_probability, mask)

    def predict(self, X):
        """Return the action with the highest predicted reward.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of actions; nothing is explored.
        """
        check_is_fitted(self)
        best = self._rewards(self._rows(X)).argmax(axis=1)
        return self.classes_[best]

    def decision_function(self, X):
        """Return the predicted rewards.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_actions) or (n_samples,)
            The reward of each action; of two actions, the second's minus the first's.
        """
        check_is_fitted(self)
        rewards = self._rewards(self._rows(X))
        return rewards[:, 1] - rewards[:, 0] if rewards.shape[1] == 2 else rewards

    def score(self, X, y, sample_weight=None, *, reward=None, propensity=None):
        r"""Return what `predict` would have earned on a log, or its accuracy.

        With rewards it is the self-normalised estimate
        :math:`\sum w r / \sum w` with :math:`w = 1[\text{same action}] / p`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Logged actions; without ``reward``, right ones.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.
        reward : array-like of shape (n_samples,), default=None
            What came back. None returns the share of rows where ``predict`` says y.
        propensity : array-like of shape (n_samples,), default=None
            Probability with which each logged action was drawn; needed with ``reward``.

        Returns
        -------
        float
            Mean reward, or accuracy.
        """
        said = self.predict(X)
        if reward is None:
            return float(accuracy_score(y, said, sample_weight=sample_weight))
        if propensity is None:
            raise ValueError(
                "score with reward= needs propensity=, the probability with which each "
                "logged action was drawn: log Decisions.propensity beside the action."
            )
        action = column_or_1d(y)
        reward = check_reward(reward, len(action))
        propensity = check_propensity(propensity, len(action))
        if np.all(propensity == 1) and len(np.unique(action)) > 1:
            warnings.warn(
                "All propensities are 1: the log is deterministic, and only its own "
                "actions can be judged.",
                UserWarning,
                stacklevel=2,
            )
        w = (said == action) / propensity
        if sample_weight is not None:
            w = w * column_or_1d(sample_weight)
        if not w.any():
            warnings.warn(
                "None of the predicted actions was logged: their value is unknown.",
                UserWarning,
                stacklevel=2,
            )
            return float("nan")
        return float(w @ reward / w.sum())

    def _check_min_probability(self, n_actions):
        if self.min_probability * n_actions > 1:
            raise ValueError(
                f"min_probability={self.min_probability:g} is more than 1 / "
                f"{n_actions}, one over the number of actions."
            )


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
    labels = column_or_1d(np.asarray(actions))
    known = np.unique(labels)
    if len(known) != len(labels):
        raise ValueError(f"actions must be distinct, got {list(labels)}.")
    if len(known) < 2:
        raise ValueError(
            f"A bandit chooses between at least two actions (more than one class), got "
            f"actions={list(labels)}."
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
    text = [a.dtype.kind in "US" for a in (labels, actions)]
    if "O" not in (labels.dtype.kind, actions.dtype.kind) and text[0] != text[1]:
        found = at = np.zeros(len(actions), dtype=int)
    else:
        try:
            at = np.searchsorted(labels, actions)
        except TypeError:  # labels that do not compare
            known = {label: i for i, label in enumerate(labels.tolist())}
            at = np.array([known.get(a, len(labels)) for a in actions.tolist()], int)
        at = np.minimum(at, len(labels) - 1)
        found = labels[at] == actions
    if not np.all(found):
        unknown = list(np.unique(np.asarray(actions)[~np.asarray(found)])[:5])
        raise ValueError(
            f"{name} holds {unknown}, which are not among the actions "
            f"{list(labels)} (classes_). Name all of them in actions=, or add them "
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
    if reward.ndim != 1:
        raise ValueError(
            f"reward must have one number a row, of shape ({n_rows},), got the shape "
            f"{reward.shape}."
        )
    reward = reward.astype(np.float64)
    if len(reward) != n_rows:
        raise ValueError(f"reward has {len(reward)} values for {n_rows} rows of X.")
    if len(bad := np.flatnonzero(~np.isfinite(reward))):
        raise ValueError(
            f"reward is {reward[bad[0]]} in row {bad[0]}: pass rows when their reward "
            "has come, in any order; NaN and inf are no rewards."
        )
    size = np.abs(reward).max(initial=0.0)
    if size > 1e150:
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
