"""The value of a policy as a score, for searches with metadata routing."""

from sklearn.base import BaseEstimator

from sklearn_ext._core._compat import StrOptions, validate_params
from sklearn_ext.bandits._values._policy import policy_value


class PolicyValueScorer(BaseEstimator):
    """A scorer that asks for ``reward`` and ``propensity``; see its maker."""

    def __init__(self, estimator, policy, bound, settings):
        self.estimator = estimator
        self.policy = policy
        self.bound = bound
        self.settings = settings

    def __call__(self, estimator, X, y, **params):
        """Score a fitted policy on logged rows."""
        return self.score(estimator, X, y, **params)

    def score(self, estimator, X, y, *, reward=None, propensity=None):
        """Score a fitted policy on logged rows.

        Parameters
        ----------
        estimator : estimator
            The policy.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Logged actions.
        reward : array-like of shape (n_samples,)
            Their rewards.
        propensity : array-like of shape (n_samples,)
            Probabilities with which they were drawn.

        Returns
        -------
        float
            The value, or its lower bound.
        """
        if reward is None or propensity is None:
            raise ValueError(
                "This scorer needs reward= and propensity= of the logged actions: "
                "enable metadata routing (sklearn.set_config(enable_metadata_routing="
                "True)) and pass both to fit of the search."
            )
        found = policy_value(
            y,
            reward,
            propensity,
            estimator,
            X=X,
            labels=estimator.classes_,
            estimator=self.estimator,
            interval="betting" if self.bound else None,
            policy=self.policy,
            **self.settings,
        )
        return found.lower if self.bound else found.value


@validate_params(
    {
        "estimator": [StrOptions({"snips", "ips"})],
        "policy": [StrOptions({"best", "explore"})],
        "bound": [StrOptions({"lower"}), None],
    },
    prefer_skip_nested_validation=True,
)
def make_policy_value_scorer(
    estimator="snips",
    *,
    policy="best",
    bound=None,
    confidence_level=0.95,
    reward_range=(0, 1),
):
    """Make a scorer by which a search chooses the policy that earns most on a log.

    Parameters
    ----------
    estimator : {"snips", "ips"}, default="snips"
        How to estimate the value.
    policy : {"best", "explore"}, default="best"
        Whether to judge ``predict`` or ``predict_proba``.
    bound : {"lower"} or None, default=None
        "lower" scores by the lower bound of the value instead of the estimate: a policy
        of which the log says little is not chosen for its luck.
    confidence_level : float, default=0.95
        Confidence of the bound.
    reward_range : tuple of float, default=(0, 1)
        Lowest and highest reward; only the bound needs it.

    Returns
    -------
    callable
        A scorer, ``scorer(estimator, X, y, reward=..., propensity=...)``. With metadata
        routing enabled it asks for both by itself.

    See Also
    --------
    policy_value : What it computes.

    Examples
    --------
    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_ext.bandits import (
    ...     RidgeBandit, make_bandit_log, make_linear_bandit, make_policy_value_scorer)
    >>> problem = make_linear_bandit(900, n_actions=2, rate=0.3, random_state=0)
    >>> X, action, reward, propensity = make_bandit_log(problem, random_state=0)
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     bandit = RidgeBandit().set_fit_request(reward=True)
    ...     search = GridSearchCV(
    ...         bandit, {"alpha": [1, 100]}, scoring=make_policy_value_scorer())
    ...     search = search.fit(X, action, reward=reward, propensity=propensity)
    >>> bool(search.best_score_ > reward.mean())
    True
    """
    scorer = PolicyValueScorer(
        estimator,
        policy,
        bound,
        {"confidence_level": confidence_level, "reward_range": reward_range},
    )
    try:
        return scorer.set_score_request(reward=True, propensity=True)
    except RuntimeError:  # without metadata routing both are passed by hand
        return scorer
