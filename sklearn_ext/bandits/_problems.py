"""Worlds in which every action's reward is known, and bandits that run through them."""

import time
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ext._core._compat import Interval, StrOptions, validate_params
from sklearn_ext._numerics._random_features import draw_phases, gaussian_weights, waves
from sklearn_ext.bandits._exploration import draw
from sklearn_ext.bandits._log import check_actions, check_available, positions


@dataclass(frozen=True)
class BanditProblem:
    """Rows with the reward that each action would have.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    rewards : ndarray of shape (n_samples, n_actions)
        What each action would bring, noise included.
    expected : ndarray of shape (n_samples, n_actions)
        What it brings on average.
    actions : ndarray of shape (n_actions,)
        Labels, sorted.
    available : ndarray of bool of shape (n_samples, n_actions), default=None
        The actions that may be taken in each row; None allows all.

    See Also
    --------
    make_bandit_from_classification : From a table with labels.
    make_linear_bandit : Drawn at random.
    simulate : Runs a bandit through it.
    """

    X: np.ndarray
    rewards: np.ndarray
    expected: np.ndarray
    actions: np.ndarray
    available: np.ndarray | None = None

    def __post_init__(self):
        n, K = len(self.X), len(self.actions)
        if not np.array_equal(self.actions, np.unique(self.actions)):
            raise ValueError("actions of a BanditProblem must be distinct and sorted.")
        for name in ("rewards", "expected"):
            if (shape := np.shape(getattr(self, name))) != (n, K):
                raise ValueError(f"{name} has the shape {shape}, not {(n, K)}.")
        check_available(self.available, n, np.asarray(self.actions))

    def __len__(self):
        return len(self.X)

    def take(self, rows):
        """Return some of the rows, in another order.

        Parameters
        ----------
        rows : ndarray of int
            Positions.

        Returns
        -------
        BanditProblem
            The problem of these rows.
        """
        kept = None if self.available is None else self.available[rows]
        return BanditProblem(
            self.X[rows], self.rewards[rows], self.expected[rows], self.actions, kept
        )

    @property
    def best(self):
        """Expected reward of the best action that may be taken in each row."""
        if self.available is None:
            return self.expected.max(axis=1)
        return np.where(self.available, self.expected, -np.inf).max(axis=1)


@validate_params(
    {
        "X": ["array-like"],
        "y": ["array-like"],
        "noise": [Interval(Real, 0, None, closed="left")],
        "wrong_reward": [Interval(Real, None, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_bandit_from_classification(
    X, y, *, noise=0.0, wrong_reward=0.0, random_state=None
):
    """Turn a table with labels into a bandit problem: the right label earns one.

    It answers whether a bandit would have worked on data that one has, before anything
    is deployed.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Labels, which become the actions.
    noise : float, default=0.0
        Standard deviation of normal noise in the rewards.
    wrong_reward : float, default=0.0
        Reward of a wrong label, below one.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    BanditProblem
        The rows in their order.

    See Also
    --------
    simulate : Runs a bandit through it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.bandits import make_bandit_from_classification
    >>> problem = make_bandit_from_classification(*load_iris(return_X_y=True))
    >>> problem.expected[0]
    array([1., 0., 0.])
    """
    X, y = check_X_y(X, y, dtype=np.float64)
    check_classification_targets(y)
    labels, right = np.unique(y, return_inverse=True)
    expected = np.full((len(X), len(labels)), float(wrong_reward))
    expected[np.arange(len(X)), right] = 1.0
    rng = check_random_state(random_state)
    return BanditProblem(X, _noisy(expected, noise, rng), expected, labels)


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_actions": [Interval(Integral, 2, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "kind": [StrOptions({"linear", "random_features"})],
        "shared": [Interval(Real, 0, 1, closed="both")],
        "rate": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_linear_bandit(
    n_samples=1000,
    n_features=10,
    n_actions=5,
    *,
    noise=0.5,
    kind="linear",
    shared=0.0,
    rate=None,
    random_state=None,
):
    r"""Draw a bandit problem whose rewards are linear in the columns, or in waves.

    The expected rewards are :math:`X'(\sqrt s\, \theta_0 + \sqrt{1 - s}\, \theta_a)`
    with standard normal columns and unit variance over rows; s is the share of an
    effect that all actions have in common, and says nothing about which is best.

    Parameters
    ----------
    n_samples, n_features, n_actions : int
        Sizes.
    noise : float, default=0.5
        Standard deviation of the noise.
    kind : {"linear", "random_features"}, default="linear"
        Whether effects are linear in the columns or in random waves of them.
    shared : float, default=0.0
        Share s of the variance that is common to all actions.
    rate : float, default=None
        For clicks: rewards are 0 or 1 with a mean of about ``rate``; the odds are the
        exponentials of the effects above. None gives normal rewards.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    BanditProblem
        Rows, rewards and their expectations; actions are 0, 1, ...

    See Also
    --------
    make_bandit_from_classification : From a table with labels.

    Examples
    --------
    >>> from sklearn_ext.bandits import make_linear_bandit
    >>> make_linear_bandit(100, 3, 4, random_state=0).rewards.shape
    (100, 4)
    """
    rng = check_random_state(random_state)
    X = rng.standard_normal((n_samples, n_features))
    if kind == "linear":
        Z, m = X / np.sqrt(n_features), n_features
    else:
        m = 10 * n_features
        W = gaussian_weights(n_features, m, "iid", rng) * np.sqrt(2 / n_features)
        Z = waves(X @ W + draw_phases(m, rng), m)
    theta = np.sqrt(1 - shared) * rng.standard_normal((m, n_actions))
    theta += np.sqrt(shared) * rng.standard_normal((m, 1))
    effects = Z @ theta
    if rate is None:
        expected = effects
        rewards = _noisy(expected, noise, rng)
    else:
        odds = rate / (1 - rate) * np.exp(effects - 0.5)  # mean odds: those of the rate
        expected = odds / (1 + odds)
        rewards = (rng.random_sample(expected.shape) < expected).astype(np.float64)
    return BanditProblem(X, rewards, expected, np.arange(n_actions))


def make_bandit_log(problem, policy=None, *, random_state=None):
    """Let a policy choose in a problem, and return the log that it leaves.

    Parameters
    ----------
    problem : BanditProblem
        Rows with all rewards.
    policy : object or array-like of shape (n_samples, n_actions), default=None
        Something with ``predict_proba`` and ``classes_``, of which the actions that may
        be taken keep their proportions, or probabilities in the order of
        ``problem.actions``. None draws uniformly.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    action : ndarray of shape (n_samples,)
        Actions.
    reward : ndarray of shape (n_samples,)
        Their rewards.
    propensity : ndarray of shape (n_samples,)
        Probabilities with which they were drawn.

    See Also
    --------
    simulate : For a bandit that learns on the way.

    Examples
    --------
    >>> from sklearn_ext.bandits import make_bandit_log, make_linear_bandit
    >>> X, action, reward, propensity = make_bandit_log(make_linear_bandit(100))
    >>> propensity[0]
    np.float64(0.2)
    """
    rng = check_random_state(random_state)
    n, K = problem.rewards.shape
    if policy is None:
        allowed = problem.available
        allowed = np.ones((n, K)) if allowed is None else allowed
        p = allowed / allowed.sum(axis=1, keepdims=True)
    elif hasattr(policy, "predict_proba"):
        p = _in_order(policy, problem, slice(None))
    else:
        p = check_array(policy, dtype=np.float64)
        if p.shape != (n, K) or p.min() < 0 or not np.allclose(p.sum(axis=1), 1):
            raise ValueError(
                f"policy must be probabilities of shape {(n, K)} that sum to one in "
                f"each row, or have predict_proba; got the shape {p.shape}."
            )
        if problem.available is not None:
            _check_allowed(np.where(problem.available, 0.0, p).max(axis=1) == 0)
    at, rows = draw(p, rng), np.arange(n)
    return problem.X, problem.actions[at], problem.rewards[rows, at], p[rows, at]


@dataclass(frozen=True)
class BanditRun:
    """What happened when a bandit ran through a problem, once or several times.

    Parameters
    ----------
    row : ndarray of int of shape (n_repeats, n_samples)
        Rows of the problem, in the order of each repeat.
    action : ndarray of shape (n_repeats, n_samples)
        Actions taken.
    reward : ndarray of shape (n_repeats, n_samples)
        What came back.
    propensity : ndarray of shape (n_repeats, n_samples)
        Probabilities with which actions were drawn.
    expected_regret : ndarray of shape (n_repeats, n_samples)
        Expected reward of the best action less that of the one taken.
    cpu_seconds : ndarray of shape (n_repeats,)
        Time of deciding and learning.

    See Also
    --------
    simulate : Makes it.
    RegretDisplay : Draws it.
    """

    row: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    propensity: np.ndarray
    expected_regret: np.ndarray
    cpu_seconds: np.ndarray

    @property
    def mean_regret(self):
        """Expected regret a row, the mean of each repeat."""
        return self.expected_regret.mean(axis=1)

    def log(self):
        """Return the log as a data frame.

        Returns
        -------
        pandas.DataFrame
            Columns ``repeat``, ``row``, ``action``, ``reward`` and ``propensity``, a
            line for each decision, in order.
        """
        import pandas as pd

        n_repeats, n = self.action.shape
        return pd.DataFrame(
            {
                "repeat": np.repeat(np.arange(n_repeats), n),
                "row": self.row.ravel(),
                "action": self.action.ravel(),
                "reward": self.reward.ravel(),
                "propensity": self.propensity.ravel(),
            }
        )


@validate_params(
    {
        "bandit": [object],
        "problem": [BanditProblem],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "delay": [Interval(Integral, 0, None, closed="left")],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def simulate(
    bandit,
    problem,
    *,
    batch_size=1,
    delay=0,
    n_repeats=1,
    shuffle=True,
    random_state=None,
    n_jobs=None,
):
    """Run a bandit through a problem: decide, see the rewards of what was done, learn.

    Parameters
    ----------
    bandit : estimator
        A bandit of this family, of which clones that know nothing are run; or anything
        fitted with ``predict_proba`` and ``classes_``, which decides without learning.
    problem : BanditProblem
        Rows with all rewards.
    batch_size : int, default=1
        Rows that are decided before the bandit learns.
    delay : int, default=0
        Further batches until rewards come back.
    n_repeats : int, default=1
        Runs; they differ in the order of the rows and in the draws.
    shuffle : bool, default=True
        Whether to shuffle the rows; False keeps the order of time.
    random_state : int, RandomState instance or None, default=None
        Seed of orders, draws and bandits.
    n_jobs : int or None, default=None
        Repeats that run at a time.

    Returns
    -------
    BanditRun
        Actions, rewards, propensities and regret.

    See Also
    --------
    RegretDisplay : Draws runs beside each other.

    Examples
    --------
    >>> from sklearn_ext.bandits import RidgeBandit, make_linear_bandit, simulate
    >>> problem = make_linear_bandit(500, 3, 4, random_state=0)
    >>> run = simulate(RidgeBandit(), problem, batch_size=50, random_state=0)
    >>> run.action.shape
    (1, 500)
    """
    rng = check_random_state(random_state)
    seeds = rng.randint(2**31 - 1, size=n_repeats)
    runs = Parallel(n_jobs=n_jobs)(
        delayed(_run)(bandit, problem, batch_size, delay, shuffle, seed)
        for seed in seeds
    )
    return BanditRun(*map(np.array, zip(*runs, strict=True)))


def _run(bandit, problem, batch_size, delay, shuffle, seed):
    rng = np.random.RandomState(seed)
    n = len(problem)
    order = rng.permutation(n) if shuffle else np.arange(n)
    world = problem.take(order)
    learns = hasattr(bandit, "partial_fit") and hasattr(bandit, "decide")
    own = slice(None)  # columns of the actions that the bandit knows
    if learns:
        bandit = beginner(bandit, problem.actions, rng)
        known = check_actions(bandit.get_params().get("actions", problem.actions))
        own = positions(problem.actions, known, name="actions")
    at, propensity = np.empty(n, dtype=int), np.empty(n)
    waiting, start = [], time.process_time()
    for first in range(0, n, batch_size):
        rows = slice(first, first + batch_size)
        if learns:
            mask = None if world.available is None else world.available[rows, own]
            made = bandit.decide(world.X[rows], available=mask, random_state=rng)
            at[rows] = np.searchsorted(problem.actions, made.action)
            propensity[rows] = made.propensity
        else:
            p = _in_order(bandit, world, rows)
            at[rows] = draw(p, rng)
            propensity[rows] = p[np.arange(len(p)), at[rows]]
        waiting.append(rows)
        if learns and len(waiting) > delay:
            past = waiting.pop(0)
            seen = np.take_along_axis(world.rewards[past], at[past, None], axis=1)
            bandit.partial_fit(
                world.X[past], problem.actions[at[past]], reward=seen[:, 0]
            )
    seconds = time.process_time() - start
    rows = np.arange(n)
    regret = world.best - world.expected[rows, at]
    action, reward = problem.actions[at], world.rewards[rows, at]
    return order, action, reward, propensity, regret, seconds


def beginner(bandit, actions, rng):
    """Return a clone that knows the actions, has a seed, and has learnt nothing."""
    new = clone(bandit)
    params = new.get_params()
    if "actions" in params and params["actions"] is None:
        new.set_params(actions=actions)
    if "random_state" in params:
        new.set_params(random_state=rng.randint(2**31 - 1))
    return new


def _in_order(policy, problem, rows):
    """Return a policy's probabilities of the problem's actions that may be taken."""
    labels, actions = np.asarray(policy.classes_), problem.actions
    if not np.isin(labels, actions).all():
        raise ValueError(
            f"The policy chooses among {labels.tolist()}, the problem has the actions "
            f"{actions.tolist()}."
        )
    X = problem.X[rows]
    p = np.zeros((len(X), len(actions)))
    p[:, np.searchsorted(actions, labels)] = policy.predict_proba(X)
    if problem.available is None:
        return p
    p *= problem.available[rows]
    total = p.sum(axis=1, keepdims=True)
    _check_allowed(total[:, 0] > 0)
    return p / total


def _check_allowed(possible):
    if len(bad := np.flatnonzero(~possible)):
        raise ValueError(
            f"In row {bad[0]} the policy takes an action that cannot be taken there "
            "(available)."
        )


def _noisy(expected, noise, rng):
    if noise == 0:
        return expected.copy()
    return expected + noise * rng.standard_normal(expected.shape)
