"""A bandit run through a log by rejection, and rewards predicted out of fold."""

import time
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import (
    check_consistent_length,
    check_random_state,
    check_X_y,
    indexable,
)
from sklearn.utils.validation import column_or_1d

from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    _num_samples,
    _safe_indexing,
    validate_params,
)
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers
from sklearn_ext.bandits._log import (
    check_actions,
    check_propensity,
    check_reward,
    positions,
)
from sklearn_ext.bandits._problems import BanditRun, beginner
from sklearn_ext.bandits._values._weights import FEW


@validate_params(
    {
        "bandit": [HasMethods(["decide", "partial_fit"])],
        "X": ["array-like"],
        "action": ["array-like"],
        "reward": ["array-like"],
        "propensity": ["array-like", None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def replay(
    bandit, X, action, reward, propensity=None, *, batch_size=1, random_state=None
):
    """Run a bandit that learns through the log of another policy.

    A logged row is kept with a probability proportional to that of its action under the
    bandit over that under the log, and dropped otherwise: what is kept is what the
    bandit would have seen had it decided itself, if rows do not depend on each other.
    Of a log that drew K actions uniformly about one row in K is kept.

    Parameters
    ----------
    bandit : estimator
        A bandit of this family; a clone that knows nothing is run. It must know the
        logged actions; of others the log has nothing to show.
    X : array-like of shape (n_samples, n_features)
        Rows of the log, in their order.
    action : array-like of shape (n_samples,)
        Logged actions.
    reward : array-like of shape (n_samples,)
        Their rewards.
    propensity : array-like of shape (n_samples,), default=None
        Probabilities with which they were drawn. None means equal ones.
    batch_size : int, default=1
        Logged rows between two updates.
    random_state : int, RandomState instance or None, default=None
        Seed of what is kept, and of the bandit.

    Returns
    -------
    BanditRun
        The rows that were kept, with the bandit's own propensities; regret is unknown
        and NaN.

    See Also
    --------
    simulate : Where all rewards are known.
    policy_value : For a policy that does not learn, from all rows.

    References
    ----------
    .. [1] L. Li, W. Chu, J. Langford and X. Wang, "Unbiased offline evaluation of
       contextual-bandit-based news article recommendation algorithms", WSDM 2011.

    Examples
    --------
    >>> from sklearn_ext.bandits import (
    ...     RidgeBandit, make_bandit_log, make_linear_bandit, replay)
    >>> log = make_bandit_log(make_linear_bandit(400, random_state=0), random_state=0)
    >>> run = replay(RidgeBandit(), *log, batch_size=20, random_state=0)
    >>> run.reward.mean() > log[2].mean()
    np.True_
    """
    rng = check_random_state(random_state)
    X, action = check_X_y(X, action, dtype=np.float64)
    labels = np.unique(action)
    reward = check_reward(reward, len(X))
    if propensity is None:
        p = np.full(len(X), 1 / len(labels))
    else:
        p = check_propensity(propensity, len(X))
    keep_rate = p.min() / p
    bandit = beginner(bandit, labels, rng)
    known = check_actions(bandit.get_params().get("actions", labels))
    at = positions(known, action, name="action")
    kept, own, start = [], [], time.process_time()
    for first in range(0, len(X), batch_size):
        rows = np.arange(first, min(first + batch_size, len(X)))
        chance = bandit.decide(X[rows], random_state=rng).probabilities
        chance = chance[np.arange(len(rows)), at[rows]]
        chosen = rng.random_sample(len(rows)) < chance * keep_rate[rows]
        rows = rows[chosen]
        if len(rows):
            bandit.partial_fit(X[rows], action[rows], reward=reward[rows])
        kept.append(rows)
        own.append(chance[chosen])
    seconds = time.process_time() - start
    rows = np.concatenate(kept)
    if len(rows) < FEW:
        warn(
            f"replay kept {len(rows)} of {len(X)} rows. It keeps a row in proportion "
            f"to the least propensity, {p.min():.3g}: a longer log, or one without "
            "such rare actions, shows more."
        )
    return BanditRun(
        row=rows[None],
        action=action[None, rows],
        reward=reward[None, rows],
        propensity=np.concatenate(own)[None],
        expected_regret=np.full((1, len(rows)), np.nan),
        cpu_seconds=np.array([seconds]),
    )


@validate_params(
    {
        "regressor": [HasMethods(["fit", "predict"])],
        "X": ["array-like", "sparse matrix"],
        "action": ["array-like"],
        "reward": ["array-like"],
        "cv": ["cv_object"],
        "labels": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def cross_fit_rewards(regressor, X, action, reward, *, cv=5, labels=None):
    """Predict the reward of every action in every row by models that did not see it.

    Parameters
    ----------
    regressor : estimator
        A clone is fitted for each action and fold.
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
        Rows, as the regressor takes them.
    action : array-like of shape (n_samples,)
        Logged actions.
    reward : array-like of shape (n_samples,)
        Their rewards.
    cv : int or splitter, default=5
        Folds. A number deals distinct rows of X, action and reward, so that copies stay
        together; a splitter is given the actions as classes. For the betting interval
        of "dr" predictions may use earlier rows alone: pass ``TimeSeriesSplit()``; rows
        that it tests in no fold get 0.
    labels : array-like of shape (n_actions,), default=None
        All actions. None takes those that were logged.

    Returns
    -------
    ndarray of shape (n_samples, n_actions)
        Predictions for ``predicted_reward`` of :func:`policy_value`, in the sorted
        order of actions. An action without rows in a fold gets the mean reward of the
        fold.

    See Also
    --------
    policy_value : Takes them.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_ext.bandits import (
    ...     cross_fit_rewards, make_bandit_log, make_linear_bandit)
    >>> log = make_bandit_log(make_linear_bandit(100, random_state=0), random_state=0)
    >>> X, action, reward, _ = log
    >>> cross_fit_rewards(Ridge(), X, action, reward).shape
    (100, 5)
    """
    action = column_or_1d(np.asarray(action))
    labels = np.unique(action if labels is None else np.asarray(labels))
    at = positions(labels, action, name="action")
    (X,) = indexable(X)
    check_consistent_length(X, at)
    n = _num_samples(X)
    reward = check_reward(reward, n)
    out = np.zeros((n, len(labels)))
    for train, test in _folds(X, at, reward, cv):
        for k in range(len(labels)):
            rows = train[at[train] == k]
            if len(rows):
                model = clone(regressor).fit(_safe_indexing(X, rows), reward[rows])
                out[test, k] = model.predict(_safe_indexing(X, test))
            else:
                out[test, k] = reward[train].mean()
    return out


def _folds(X, at, reward, cv):
    if not isinstance(cv, Integral):
        yield from check_cv(cv).split(X, at)
        return
    equal = EqualRows.of(as_numbers(X), at.astype(np.float64), reward)
    if cv > len(equal):
        raise ValueError(f"cv={cv} folds need 2 to {len(equal)}, the distinct rows.")
    fold = equal.deal(cv, strata=at)
    for k in range(cv):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)
