"""What all bandits do: decide among available actions, and be judged on a log."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import _num_samples
from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext.bandits._exploration import Rule, draw
from sklearn_ext.bandits._log import (
    Log,
    are_labels,
    check_actions,
    check_available,
    check_propensity,
    check_reward,
    positions,
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
    """A bandit that predicts rewards: what it learns from, and what it decides.

    The bandit has the parameters ``actions`` and ``reward_range`` and, unless it is
    without them, those of a `Rule`. To learn it has ``_start(log, stream)`` and
    ``_go_on(log)``, which keep the moments of the rewards as ``_seen``; to decide
    ``_rows(X)``, which checks rows, ``_rewards(rows)``, the predicted reward of each
    action, and ``_scores(rows)``, that reward with what is added while it is explored.
    """

    __metadata_request__fit = {"reward": True, "propensity": True}
    __metadata_request__partial_fit = {"reward": True, "propensity": True}
    __metadata_request__score = {"reward": True, "propensity": True}

    # --- learning -----------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, reward=None, propensity=None):
        """Learn from a whole log, and forget what was learnt before.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            The action that was taken in each row.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.
        reward : array-like of shape (n_samples,), default=None
            What came back. None: demonstrations, in which y was right.
        propensity : array-like of shape (n_samples,), default=None
            Probability with which the action was drawn. It is checked, but not needed
            to learn rewards; scorers need it.

        Returns
        -------
        estimator
            The fitted bandit.
        """
        log = self._check_log(X, y, sample_weight, None, reward, propensity, reset=True)
        return self._start(log, stream=False)

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X,
        y,
        classes=None,
        sample_weight=None,
        *,
        reward=None,
        propensity=None,
    ):
        """Learn from more rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            The action that was taken in each row.
        classes : array-like of shape (n_actions,), default=None
            All actions; needed in the first call unless ``actions`` is given.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.
        reward : array-like of shape (n_samples,), default=None
            What came back. None: demonstrations, in which y was right. Calls with and
            without rewards may be mixed.
        propensity : array-like of shape (n_samples,), default=None
            Probability with which the action was drawn; see `fit`.

        Returns
        -------
        estimator
            The fitted bandit.
        """
        first = not self.__sklearn_is_fitted__()
        self._check_first_call(first, classes)
        given = X, y, sample_weight, classes, reward, propensity
        log = self._check_log(*given, reset=first)
        return self._start(log, stream=True) if first else self._go_on(log)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_seen")

    @property
    def reward_mean_(self):
        """Mean of the rewards."""
        return self._seen.mean

    @property
    def reward_scale_(self):
        """Standard deviation of the rewards."""
        return self._seen.scale

    @property
    def gamma_(self):
        """How far differences of scores count now."""
        gamma = self._rule.gamma
        return self._seen.gamma if isinstance(gamma, str) else gamma

    # --- decisions ----------------------------------------------------------------

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
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)
        rows = self._rows(X)
        mask = check_available(available, len(rows), self.classes_)
        seen = self._seen.low, self._seen.high
        return self._rule.probabilities(self._scores(rows), self.gamma_, seen, mask)

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
        if len(action) != len(said):
            raise ValueError(f"y has {len(action)} actions for {len(said)} rows of X.")
        reward = check_reward(reward, len(action))
        propensity = check_propensity(propensity, len(action))
        if np.all(propensity == 1) and len(np.unique(action)) > 1:
            warn(
                "All propensities are 1: the log is deterministic, and only its own "
                "actions can be judged."
            )
        w = (said == action) / propensity
        if sample_weight is not None:
            w = w * check_weights(sample_weight, said, dtype=np.float64)
        if not w.any():
            if not np.isin(action.astype(object), self.classes_.astype(object)).any():
                positions(self.classes_, action)  # say that they are of another kind
            warn("None of the predicted actions was logged: their value is unknown.")
            return float("nan")
        return float(w @ reward / w.sum())

    # --- rows in ------------------------------------------------------------------

    def _check_log(self, X, y, sample_weight, classes, reward, propensity, *, reset):
        """Return rows of positive weight, with positions of their actions."""
        if reset or not (self._is_plain(X) and are_labels(y, self.classes_, len(X))):
            X, y = validate_data(self, X, y, dtype=np.float64, reset=reset)
            if self.actions is None and classes is None:  # else prices are labels, too
                check_classification_targets(y)
            y = column_or_1d(y, warn=True)
        if sample_weight is None:
            w = np.ones(len(X))
        else:
            w = check_weights(sample_weight, X, dtype=np.float64).copy()
        bounds = self._given_range()
        if reward is not None:
            reward = check_reward(reward, len(X), bounds)
        elif bounds is not None:
            check_reward(np.array([0.0, 1.0]), 2, bounds)
        if propensity is not None:
            check_propensity(propensity, len(X))
        if sample_weight is not None and not (kept := w > 0).all():
            X, y, w = X[kept], y[kept], w[kept]
            reward = None if reward is None else reward[kept]
        if reward is None:
            reward = np.full(len(X), np.nan)
        if reset:
            self.classes_ = self._labels(y, classes)
        self._rule = self._rule_of(bounds)
        self._rule.check(len(self.classes_))
        return Log(X, positions(self.classes_, y), reward, w)

    def _labels(self, y, classes):
        named = self.actions if classes is None else classes
        if named is not None:
            return check_actions(named)
        labels = np.unique(y)
        if len(labels) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two actions, but y holds one "
                f"class, {labels.tolist()[0]!r}: name all actions in actions=."
            )
        return labels

    def _check_first_call(self, first, classes):
        """Check what `partial_fit` is told of all actions."""
        if first:
            if classes is None and self.actions is None:
                raise ValueError(
                    "The first call of partial_fit needs all actions: pass classes=, "
                    "or name them in actions=."
                )
            return
        if classes is None:
            return
        named = np.unique(classes)
        if len(named) != len(self.classes_) or not np.all(named == self.classes_):
            raise ValueError(
                f"classes={named.tolist()} is not what the first call was given, "
                f"{self.classes_.tolist()}: use add_actions or drop_actions."
            )

    def _table(self, X):
        """Return checked rows."""
        if self._is_plain(X):
            return X
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _is_plain(self, X):
        """Say whether a table is such that checking it would change nothing.

        For rows one by one scikit-learn's checks would take longer than all the rest.
        """
        return (
            type(X) is np.ndarray
            and X.dtype == np.float64
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == self.n_features_in_
            and "feature_names_in_" not in self.__dict__
            and np.isfinite(X).all()
        )

    def _given_range(self):
        """Return the lowest and the highest reward, None where they are not given."""
        if isinstance(self.reward_range, str):
            return None
        bounds = np.asarray(self.reward_range, dtype=np.float64)
        if bounds.shape != (2,) or not bounds[0] < bounds[1]:
            raise ValueError(
                "reward_range must be 'auto' or the lowest and the highest reward, got "
                f"{self.reward_range!r}."
            )
        return float(bounds[0]), float(bounds[1])

    def _rule_of(self, bounds):
        """Return how probabilities are made until the next rows come."""
        return Rule(
            self.exploration, self.gamma, self.min_probability, self.width, bounds
        )
