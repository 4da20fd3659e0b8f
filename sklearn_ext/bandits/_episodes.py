"""Actions that change the next rows: a short horizon, by the same log barrier."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sklearn_ext._core._compat import HasMethods, Interval, validate_params
from sklearn_ext.bandits._adversarial import loss_weights
from sklearn_ext.bandits._exploration import draw, explore


@dataclass(frozen=True)
class EpisodicPolicy:
    """A policy for each step of an episode, linear in features of what is observed.

    Parameters
    ----------
    weights : ndarray of shape (horizon, n_actions, n_features)
        Cumulated weights of the rewards to come.
    learning_rate : float
        Gamma of the log barrier.
    features : callable
        From an observation to its features.
    returns : ndarray of shape (n_episodes,)
        Sum of the rewards of each episode that was played.

    See Also
    --------
    episodic_log_barrier : Learns it.
    """

    weights: np.ndarray
    learning_rate: float
    features: object
    returns: np.ndarray

    def probabilities(self, step, x):
        """Return the probabilities of the actions at a step.

        Parameters
        ----------
        step : int
            Step of the episode, from 0.
        x : object
            What is observed.

        Returns
        -------
        ndarray of shape (n_actions,)
            Probabilities.
        """
        scores = self.weights[step] @ self.features(x)
        return explore("log_barrier", scores[None], self.learning_rate)[0]

    def act(self, step, x, random_state=None):
        """Draw an action at a step.

        Parameters
        ----------
        step : int
            Step of the episode, from 0.
        x : object
            What is observed.
        random_state : int, RandomState instance or None, default=None
            Source of the draw.

        Returns
        -------
        int
            The action.
        """
        rng = check_random_state(random_state)
        return int(draw(self.probabilities(step, x)[None], rng)[0])


@validate_params(
    {
        "env": [HasMethods(["reset", "step"])],
        "n_episodes": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "feature_map": [callable, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "reg_covar": [Interval(Real, 0, None, closed="neither")],
        "stationary": ["boolean"],
        "return_range": ["array-like"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def episodic_log_barrier(
    env,
    n_episodes,
    *,
    horizon,
    feature_map=None,
    batch_size=20,
    learning_rate=10.0,
    reg_covar=0.01,
    stationary=False,
    return_range=(0, 1),
    random_state=None,
):
    r"""Learn to act for a few steps by playing, with the log barrier at every step.

    For each step and action the reward to come is taken to be linear in the features,
    as it is in a linear Markov decision process. After each batch of episodes its
    weights are estimated without bias, :math:`\Sigma_{ha}^{-1}` times the mean of
    :math:`\phi G_h` over the episodes that took the action, where
    :math:`\Sigma_{ha}` is weighted by the policy and :math:`G_h` is the return from
    there on, less the lowest one; the next policy is the log barrier of the cumulated
    estimates. Returns are those that were played: nothing looks ahead and nothing is
    added for what is unknown, so rewards must be met by chance often enough to be
    learnt from. Where they are rare, Q-learning is the better tool.

    Parameters
    ----------
    env : object
        An environment with gymnasium's ``reset`` and ``step`` and discrete actions.
    n_episodes : int
        Episodes to play.
    horizon : int
        Most steps of an episode.
    feature_map : callable, default=None
        From an observation to a vector. None: one-hot, for discrete observations.
    batch_size : int, default=20
        Episodes between two updates.
    learning_rate : float, default=10.0
        Gamma of the log barrier.
    reg_covar : float, default=0.01
        Added to the diagonal of each covariance.
    stationary : bool, default=False
        Whether all steps share one policy, and all that was played teaches it: much
        faster, where the step does not matter.
    return_range : tuple of float, default=(0, 1)
        Lowest and highest sum of rewards. Where most episodes earn the lowest, their
        estimates have no noise.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws and of the environment.

    Returns
    -------
    EpisodicPolicy
        The last policy, with the returns of all episodes.

    See Also
    --------
    AdversarialLinearBandit : For one step.

    References
    ----------
    .. [1] Y. Dai, H. Luo, C.-Y. Wei and J. Zimmert, "Refined regret for adversarial
       MDPs with linear function approximation", ICML 2023.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from sklearn_ext.bandits import episodic_log_barrier
    >>> class Lever:
    ...     action_space = observation_space = SimpleNamespace(n=2)
    ...     def reset(self, seed=None):
    ...         return 0, {}
    ...     def step(self, action):
    ...         return 0, float(action == 1), True, False, {}
    >>> policy = episodic_log_barrier(Lever(), 400, horizon=1, random_state=0)
    >>> policy.probabilities(0, 0)[1] > 0.9
    np.True_
    """
    rng = check_random_state(random_state)
    bounds = np.asarray(return_range, dtype=np.float64)
    if bounds.shape != (2,) or not 0 < bounds[1] - bounds[0] < np.inf:
        raise ValueError(
            "return_range must be the lowest and the highest sum of rewards, both "
            f"finite, got {return_range!r}."
        )
    low, high = bounds.tolist()
    n_actions = _count(env, "action_space", "actions")
    features = feature_map or _OneHot(_count(env, "observation_space", "observations"))
    weights, returns = None, []
    while len(returns) < n_episodes:
        size = min(batch_size, n_episodes - len(returns))
        games = [
            _play(env, weights, features, n_actions, horizon, learning_rate, rng)
            for _ in range(size)
        ]
        returns += [sum(reward) for _, _, reward in games]
        if weights is None:
            weights = np.zeros((horizon, n_actions, len(games[0][0][0])))
        steps = [range(horizon)] if stationary else [[step] for step in range(horizon)]
        for group in steps:
            moved = _estimate(
                games, group, weights[group[0]], learning_rate, reg_covar, low, high
            )
            weights[list(group)] += moved
    return EpisodicPolicy(weights, learning_rate, features, np.array(returns))


def _play(env, weights, features, n_actions, horizon, learning_rate, rng):
    """Return features, actions and rewards of one episode."""
    seen, done, rewards = [], [], []
    x, _ = env.reset(seed=int(rng.randint(2**31 - 1)))
    for step in range(horizon):
        phi = np.asarray(features(x), dtype=np.float64)
        if phi.ndim != 1 or not np.isfinite(phi).all():
            raise ValueError(
                f"feature_map must return a finite vector, got {phi!r} for {x!r}."
            )
        scores = np.zeros(n_actions) if weights is None else weights[step] @ phi
        p = explore("log_barrier", scores[None], learning_rate)
        action = int(draw(p, rng)[0])
        x, reward, ended, cut, _ = env.step(action)
        if not np.isfinite(reward):
            raise ValueError(f"env.step({action}) gave the reward {reward!r}.")
        seen.append(phi)
        done.append(action)
        rewards.append(float(reward))
        if ended or cut:
            break
    return seen, done, rewards


def _estimate(games, steps, weights, learning_rate, reg_covar, low, high):
    """Estimate the weights of the returns from some steps on, as a mean over them."""
    played = [
        (seen[step], done[step], sum(rewards[step:]))
        for seen, done, rewards in games
        for step in steps
        if step < len(seen)
    ]
    if not played:
        return 0.0
    phi, action, to_come = (np.array(column) for column in zip(*played, strict=True))
    taken = action[:, None] == np.arange(len(weights))
    gain = taken * ((to_come - low) / (high - low))[:, None]
    policy = explore("log_barrier", phi @ weights.T, learning_rate)
    ones = np.ones(len(phi))
    return loss_weights(phi, gain, phi, ones, policy, reg_covar) / len(phi)


def _count(env, space, what):
    space_, size = getattr(env, space, None), None
    if isinstance(getattr(space_, "n", None), Integral):
        size = space_.n
    if size is None:
        raise ValueError(
            f"The {what} of {type(env).__name__} must be discrete: "
            f"env.{space}.n is no number."
            + (" Pass feature_map=." if what == "observations" else "")
        )
    if (start := getattr(space_, "start", 0)) != 0:
        raise ValueError(
            f"env.{space} starts at {start}: {what} are counted from 0 here, wrap the "
            "environment."
        )
    return int(size)


@dataclass(frozen=True)
class _OneHot:
    """Features of one of n observations; a class, so that policies can be stored."""

    n: int

    def __call__(self, x):
        phi = np.zeros(self.n)
        phi[int(x)] = 1.0
        return phi
