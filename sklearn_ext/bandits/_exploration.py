"""From scores of actions to probabilities with which each is tried, and a draw."""

from math import isfinite
from typing import NamedTuple

import numpy as np

CELLS = 2**16  # worked on at a time, so that they stay in the cache of a core
MAX_STEPS = 100  # of Newton; three to seven are usual
PRECISION = 4e-16  # of the sum, for each action
LARGE = 1e300  # gaps below it can be told from infinite ones


def log_barrier_probabilities(scores, gamma, available=None):
    r"""Return the policy that trades scores for a log barrier.

    The maximiser over the simplex of
    :math:`\langle p, u \rangle + \gamma^{-1} \sum_a \log p_a` is

    .. math:: p_a = \frac{1}{\lambda + \gamma (\max u - u_a)}

    with the :math:`\lambda` in [1, K] that makes them sum to one. For scores u of a
    regression and any true rewards it bounds the regret of a row by
    :math:`(K - 1) / \gamma + \gamma / 4` times the expected squared error, the same for
    every action that might be the best one: no policy has a lower worst case. With u
    the cumulated rewards and gamma a learning rate it is the step of follow the
    regularised leader. Time is that of a few passes over the scores.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_actions) or (n_actions,)
        Predicted rewards u, or an optimistic estimate of them.
    gamma : float or array-like of shape (n_samples,)
        How far differences of scores count; towards 0 all actions are equally likely,
        towards infinity the best one is certain, ties are shared.
    available : array-like of bool, of the shape of ``scores``, default=None
        Which actions may be taken; the others get probability zero, and the policy is
        the one of the problem without them. None allows all.

    Returns
    -------
    ndarray of the shape of ``scores``
        Probabilities; each row sums to one.

    See Also
    --------
    inverse_gap_probabilities : The form of the papers, with lambda = K.

    References
    ----------
    .. [1] D. J. Foster and A. Rakhlin, "Beyond UCB: optimal and efficient contextual
       bandits with regression oracles", ICML 2020.
    .. [2] Y. Dai, H. Luo, C.-Y. Wei and J. Zimmert, "Refined regret for adversarial
       MDPs with linear function approximation", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.bandits import log_barrier_probabilities
    >>> log_barrier_probabilities([0.9, 0.5, 0.1], gamma=10).round(3)
    array([0.709, 0.185, 0.106])
    """
    return _checked("log_barrier", scores, gamma, available)


def inverse_gap_probabilities(scores, gamma, available=None):
    r"""Return inverse-gap weights, the exploration rule of the papers.

    :math:`p_a = 1 / (K + \gamma (\max u - u_a))` for all but the best action, which has
    the rest. Its worst case is up to twice that of :func:`log_barrier_probabilities`.

    Parameters
    ----------
    scores : array-like of shape (n_samples, n_actions) or (n_actions,)
        Predicted rewards u.
    gamma : float or array-like of shape (n_samples,)
        How far differences of scores count.
    available : array-like of bool, of the shape of ``scores``, default=None
        Which actions may be taken. None allows all.

    Returns
    -------
    ndarray of the shape of ``scores``
        Probabilities; each row sums to one.

    See Also
    --------
    log_barrier_probabilities : The rule with the lowest worst case.

    References
    ----------
    .. [1] R. Deb, Y. Ban, S. Zuo, J. He and A. Banerjee, "Contextual bandits with
       online neural regression", ICLR 2024.

    Examples
    --------
    >>> from sklearn_ext.bandits import inverse_gap_probabilities
    >>> inverse_gap_probabilities([0.9, 0.5, 0.1], gamma=10).round(3)
    array([0.766, 0.143, 0.091])
    """
    return _checked("inverse_gap", scores, gamma, available)


def small_loss_gamma(scores, gamma, reward_range, available=None):
    """Divide gamma by the predicted loss of each row's best action.

    Where even the best action is predicted to lose much, exploring costs little in
    proportion: the small-loss form of the rule (FastCB).

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_actions)
        Predicted rewards.
    gamma : float
        The gamma of a row that loses everything.
    reward_range : tuple of float
        Lowest and highest reward.
    available : ndarray of bool of shape (n_samples, n_actions), default=None
        Which actions may be taken.

    Returns
    -------
    ndarray of shape (n_samples,)
        A gamma a row.
    """
    low, high = reward_range
    best = np.where(available, scores, -np.inf) if available is not None else scores
    loss = (high - best.max(axis=1)) / max(high - low, np.finfo(float).tiny)
    return gamma / np.clip(loss, 1e-6, 1.0)


class Rule(NamedTuple):
    """How a bandit makes probabilities of scores, as it was set when it learnt.

    Attributes
    ----------
    exploration : str
        Name of the rule.
    gamma : float or "auto"
        How far differences of scores count.
    min_probability : float
        Probability of each action at least.
    width : float
        How many standard errors are added to a prediction.
    reward_range : tuple of float or None
        Lowest and highest reward; None is those seen.
    """

    exploration: str
    gamma: object
    min_probability: float
    width: float
    reward_range: tuple | None

    def check(self, n_actions):
        """Refuse a least probability that so many actions cannot have."""
        if self.min_probability * n_actions > 1:
            raise ValueError(
                f"min_probability={self.min_probability:g} is more than 1 / "
                f"{n_actions}, one over the number of actions."
            )

    def probabilities(self, scores, gamma, reward_range, available=None):
        """Return the probabilities of the actions.

        Parameters
        ----------
        scores : ndarray of shape (n_samples, n_actions)
            Predicted rewards, widths included.
        gamma : float
            How far their differences count.
        reward_range : tuple of float
            Lowest and highest reward seen.
        available : ndarray of bool of shape (n_samples, n_actions), default=None
            Which actions may be taken.

        Returns
        -------
        ndarray of shape (n_samples, n_actions)
            Probabilities.
        """
        self.check(scores.shape[1])
        if not isfinite(np.vdot(scores, scores)) and not np.isfinite(scores).all():
            row = np.flatnonzero(~np.isfinite(scores).all(axis=1))[0]
            raise ValueError(
                f"The scores of row {row} are {scores[row].tolist()}: the row is too "
                "far from all that was learnt, or the model of the reward failed."
            )
        if self.exploration == "small_loss":
            bounds = self.reward_range or reward_range
            gamma = small_loss_gamma(scores, gamma, bounds, available)
        p = explore(self.exploration, scores, gamma, available)
        return raise_to_minimum(p, self.min_probability, available)


def raise_to_minimum(probabilities, minimum, available=None):
    """Mix probabilities with the uniform ones, so that none is below a minimum.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_actions)
        Probabilities.
    minimum : float
        At most one over the number of actions.
    available : ndarray of bool of shape (n_samples, n_actions), default=None
        Which actions may be taken; the others stay at zero.

    Returns
    -------
    ndarray of shape (n_samples, n_actions)
        Probabilities.
    """
    if minimum == 0:
        return probabilities
    if available is None:
        return minimum + (1 - probabilities.shape[1] * minimum) * probabilities
    free = 1 - available.sum(axis=1, keepdims=True) * minimum
    return available * minimum + free * probabilities


def draw(probabilities, rng):
    """Draw an action a row, by one uniform number each.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_actions)
        Probabilities.
    rng : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        Positions of actions; never one of probability zero.
    """
    below = probabilities.cumsum(axis=1)
    # below 1 in units of the last bit, hence below the sum, whatever it rounds to
    at = rng.random_sample(len(below)) * below[:, -1]
    if len(below) == 1:
        return below[0].searchsorted(at, side="right")
    return (below <= at[:, None]).sum(axis=1)


def _checked(exploration, scores, gamma, available):
    scores = np.asarray(scores, dtype=np.float64)
    one = scores.ndim == 1
    scores = np.atleast_2d(scores)
    gamma = np.asarray(gamma, dtype=np.float64)
    if np.any(gamma < 0) or np.isnan(gamma).any():
        raise ValueError(f"gamma must not be negative, got {gamma.min():g}.")
    if available is not None:
        available = np.atleast_2d(np.asarray(available, dtype=bool))
        if available.shape != scores.shape:
            raise ValueError(
                f"available must have the shape of the scores, {scores.shape}, got "
                f"{available.shape}."
            )
        if len(empty := np.flatnonzero(~available.any(axis=1))):
            raise ValueError(f"No action is available in row {empty[0]}.")
    out = explore(exploration, scores, gamma, available)
    return out[0] if one else out


def explore(exploration, scores, gamma, available=None):
    """Return probabilities by the rule of this name, without checking anything.

    Parameters
    ----------
    exploration : {"log_barrier", "small_loss", "inverse_gap", "greedy"}
        The rule; ``"small_loss"`` is the log barrier with a gamma a row.
    scores : ndarray of shape (n_samples, n_actions)
        Predicted rewards.
    gamma : float or ndarray of shape (n_samples,)
        How far differences of scores count; ``"greedy"`` is the limit as it grows.
    available : ndarray of bool of shape (n_samples, n_actions), default=None
        Which actions may be taken.

    Returns
    -------
    ndarray of shape (n_samples, n_actions)
        Probabilities.
    """
    if len(scores) == 1 and available is None and exploration == "log_barrier":
        # a single row, where the overhead of arrays is what costs
        row, gamma = scores[0], float(gamma)
        top = float(row.max())
        if (top - float(row.min())) * gamma < LARGE:
            return _log_barrier_of_one((top - row) * gamma)[None]
    rule, gamma = RULES[exploration], np.asarray(gamma)
    step = max(1, CELLS // scores.shape[1])
    if len(scores) <= step:
        return rule(_gaps(scores, gamma[..., None], available))
    out = np.empty_like(scores)
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        rate = gamma if gamma.ndim == 0 else gamma[rows, None]
        mask = None if available is None else available[rows]
        out[rows] = rule(_gaps(scores[rows], rate, mask))
    return out


def _gaps(scores, gamma, available):
    """Return gaps to the best action, times gamma; infinite where not available."""
    if available is not None:
        scores = np.where(available, scores, -np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = scores.max(axis=1, keepdims=True) - scores
        scaled = gamma * gaps
    if not np.isfinite(gamma).all():
        scaled[gaps == 0] = 0.0
    if available is not None:
        scaled[~available] = np.inf  # also for a gamma of zero
    return scaled


def _log_barrier(gaps):
    """Solve for lambda by Newton on one over the sum of the probabilities.

    That is concave and grows with lambda, close to a line: no step from below
    overshoots, and the first from above lands below. So the start may be a guess: exact
    where all gaps are equal, close where they are large.
    """
    ones = np.ones(gaps.shape[1])
    others = (1 / (1 + gaps)).dot(ones) - 1
    with np.errstate(divide="ignore"):
        lam = np.where(others < 0.5, 1 / (1 - others), 1 + others)
    for _ in range(MAX_STEPS):
        p = 1 / (lam[:, None] + gaps)
        total = p.dot(ones)
        if np.abs(total - 1).max() < PRECISION * len(ones):
            break
        step = (total - 1) * total / np.einsum("ij,ij->i", p, p)
        lam = np.maximum(lam + step, 1.0)
    return p / total[:, None]


def _log_barrier_of_one(gaps):
    """Do the same for a single row of finite gaps."""
    ones = np.ones(len(gaps))
    others = float((1 / (1 + gaps)).dot(ones)) - 1
    lam = 1 / (1 - others) if others < 0.5 else 1 + others
    for _ in range(MAX_STEPS):
        p = 1 / (lam + gaps)
        total = float(p.dot(ones))
        if abs(total - 1) < PRECISION * len(gaps):
            break
        lam = max(lam + (total - 1) * total / float(p.dot(p)), 1.0)
    return p / total


def _inverse_gap(gaps):
    finite = np.isfinite(gaps)
    with np.errstate(over="ignore"):
        p = 1 / (finite.sum(axis=1, keepdims=True) + gaps)
    best = gaps.argmin(axis=1)
    rows = np.arange(len(gaps))
    p[rows, best] = 0.0
    p[rows, best] = 1 - p.sum(axis=1)
    return p


def _greedy(gaps):
    best = gaps == 0
    return best / best.sum(axis=1, keepdims=True)


RULES = {
    "log_barrier": _log_barrier,
    "small_loss": _log_barrier,
    "inverse_gap": _inverse_gap,
    "greedy": _greedy,
}
