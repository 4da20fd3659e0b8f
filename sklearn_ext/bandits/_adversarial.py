"""A bandit for rewards that react to what it does."""

from numbers import Integral, Real

import numpy as np
from scipy import linalg

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._core._compat import Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext.bandits._decisions import DecisionMixin
from sklearn_ext.bandits._exploration import Rule, explore
from sklearn_ext.bandits._rewards import RewardMoments
from sklearn_ext.bandits._ridge._bandit import RidgeBandit
from sklearn_ext.bandits._ridge._feature_map import Waves


@shared_docs(RidgeBandit)
class AdversarialLinearBandit(DecisionMixin, ExtEstimator):
    r"""Choose actions when the other side reacts to what was chosen before.

    Follow the regularised leader with a log barrier: after each batch the loss weights
    of each action are estimated without bias from the rows in which it was taken,

    .. math:: \hat\theta_a = \Sigma_a^{-1} \sum_{i: a_i = a} x_i (1 - r_i), \qquad
        \Sigma_a = \text{mean}\; \pi(a | x) x x' + \text{reg\_covar}\, I,

    and cumulated; the next policy is the log barrier of minus the cumulated losses with
    the learning rate as gamma. The covariance under the current policy is the mean over
    the last ``n_reference`` rows, its inverse is direct: with the same draws its error
    is a fifth of that of matrix geometric resampling. Rewards are scaled to [0, 1] by
    ``reward_range``; a column of ones is added.

    It is for opponents who know the probabilities of each row and lower the reward of
    what is likely: there it earned 0.56 where drawing at random earns 0.50 and ridges,
    which are soon sure of themselves, 0.33. Where the other side only follows what was
    taken lately, ridges earn as much (0.74 both, with a learning rate of 1); in a world
    that stays as it is, or that changes once, a :class:`RidgeBandit` (with ``forget``)
    is better. Weights count rows: their sum decides how far the scores reach.

    A batch is taken to be one that the bandit itself decided since its last update,
    among all actions; the log of a first ``fit``, one of constant shares of the
    actions. Columns are standardised by the first call of ``fit`` or the first 50 rows
    of ``partial_fit``, which count as one batch, and then stay as they are.

    Time is :math:`O(n m^2 K)` for the covariances and :math:`O(K m^3)` a batch.

    .. warning:: ``y`` is the action that was *taken*: see :class:`RidgeBandit`.

    Parameters
    ----------
    actions : see RidgeBandit
    learning_rate : float, default=0.03
        How far cumulated losses count. Small values are robust to opponents who see the
        probabilities, 1 suits all others.
    reg_covar : float, default=0.01
        Added to the diagonal of the covariances.
    n_reference : int, default=500
        Rows over which the covariances are taken.
    reward_range : "auto" or tuple of (float, float), default="auto"
        Lowest and highest reward; ``"auto"`` is (0, 1), or the extremes of the first
        call if they lie outside.

    Attributes
    ----------
    classes_ : see RidgeBandit
    class_count_ : see RidgeBandit
    coef_ : ndarray of shape (n_actions, n_features)
        Cumulated estimates of the rewards' weights, which are scores.
    intercept_ : ndarray of shape (n_actions,)
        Those of the column of ones.
    gamma_ : float
        The learning rate.
    reward_mean_, reward_scale_ : see RidgeBandit
    n_features_in_, feature_names_in_ : see RidgeBandit

    See Also
    --------
    RidgeBandit : For rewards that do not react.

    References
    ----------
    .. [1] Y. Dai, H. Luo, C.-Y. Wei and J. Zimmert, "Refined regret for adversarial
       MDPs with linear function approximation", ICML 2023.

    Examples
    --------
    >>> from sklearn_ext.bandits import (
    ...     AdversarialLinearBandit, make_linear_bandit, simulate)
    >>> problem = make_linear_bandit(400, 3, 4, rate=0.3, random_state=0)
    >>> run = simulate(AdversarialLinearBandit(), problem, batch_size=20)
    >>> run.propensity.shape
    (1, 400)
    """

    _parameter_constraints: dict = {
        "actions": ["array-like", None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "reg_covar": [Interval(Real, 0, None, closed="neither")],
        "n_reference": [Interval(Integral, 1, None, closed="left")],
        "reward_range": [StrOptions({"auto"}), "array-like"],
    }

    def __init__(
        self,
        actions=None,
        *,
        learning_rate=0.03,
        reg_covar=0.01,
        n_reference=500,
        reward_range="auto",
    ):
        self.actions = actions
        self.learning_rate = learning_rate
        self.reg_covar = reg_covar
        self.n_reference = n_reference
        self.reward_range = reward_range

    @property
    def coef_(self):
        """Cumulated weights of the columns."""
        return self._theta[:, :-1] / self._map.scale

    @property
    def intercept_(self):
        """Cumulated weights of the column of ones."""
        return self._theta[:, -1] - self.coef_ @ self._map.mean

    def _start(self, log, *, stream):
        self._spec = self.n_reference, self.reg_covar
        shares = log.counts(len(self.classes_))
        if stream:  # where nothing is known, decisions are drawn by equal chances
            shares = np.ones_like(shares)
        policy = np.tile(shares / shares.sum(), (len(log), 1))
        return self._begin(log.after(), policy)

    def _go_on(self, log):
        K, shown = len(self.classes_), np.isnan(log.reward).all()
        Z = self._rows_of(log.X)
        if self._warm_up is not None:
            earlier, policy = self._warm_up
            policy = np.vstack([policy, self._policy(Z)])
            return self._begin(log.after(earlier), policy)
        rows, w = self._reference
        rows, w = self._latest(np.vstack([rows, Z]), np.append(w, log.w))
        policy = np.ones((len(rows), K)) if shown else self._policy(rows)
        self._theta = self._theta - self._estimates(Z, log, rows, w, policy)
        self._reference, self._played = (rows, w), self._rule.gamma
        self._seen = self._seen + RewardMoments.of_log(log, K)
        self.class_count_ = self.class_count_ + log.counts(K)
        return self

    def _begin(self, log, policy):
        """Learn from the first rows as from one batch, standardised by themselves."""
        K, shown = len(self.classes_), np.isnan(log.reward)
        policy = np.where(shown[:, None], 1.0, policy)
        self._seen = RewardMoments.of_log(log, K)
        self._bounds = self._rule.reward_range or (
            min(0.0, self._seen.low),
            max(1.0, self._seen.high),
        )
        self._map = Waves.of(log.X, log.w, 0, np.random.RandomState(0))
        Z = self._rows_of(log.X)
        rows, w = self._latest(Z, log.w)
        self._theta = -self._estimates(Z, log, rows, w, policy[len(Z) - len(rows) :])
        self._reference, self._played = (rows, w), self._rule.gamma
        self.class_count_ = log.counts(K)
        self._warm_up = (log, policy) if log.is_short else None
        return self

    def _latest(self, rows, w):
        """Return the last rows that together count ``n_reference``."""
        n, _ = self._spec
        later = np.cumsum(w[::-1])[::-1] - w
        w = np.clip(n - later, 0, w)[-n:]
        return rows[-n:][w > 0], w[w > 0]

    def _policy(self, rows):
        """Return the probabilities with which rows were decided until now."""
        return explore("log_barrier", rows @ self._theta.T, self._played)

    def _estimates(self, Z, log, rows, w, policy):
        """Estimate the loss weights of a batch, of all actions where it was shown."""
        low, high = self._bounds
        taken = log.action[:, None] == np.arange(len(self.classes_))
        lost = taken * ((high - log.reward) / (high - low))[:, None]
        loss = np.where(np.isnan(log.reward)[:, None], ~taken, lost) * log.w[:, None]
        return loss_weights(Z, loss, rows, w, policy, self._spec[1])

    def _rule_of(self, bounds):
        return Rule("log_barrier", self.learning_rate, 0.0, 0.0, bounds)

    # --- scores -------------------------------------------------------------------

    def _rows_of(self, X):
        return np.column_stack([self._map(X), np.ones(len(X))])

    def _rows(self, X):
        return self._rows_of(self._table(X))

    def _rewards(self, rows):
        return rows @ self._theta.T

    def _scores(self, rows):
        return self._rewards(rows)


def loss_weights(Z, loss, reference, w, policy, reg_covar):
    r"""Estimate the summed loss weights of each action without bias.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, m)
        Rows of a batch.
    loss : ndarray of shape (n_samples, n_actions)
        Their losses, zero where an action was not taken.
    reference : ndarray of shape (n_reference, m)
        Rows over which the covariances are taken.
    w : ndarray of shape (n_reference,)
        Their weights.
    policy : ndarray of shape (n_reference, n_actions)
        Probabilities of the actions under the policy that decided the batch.
    reg_covar : float
        Added to the diagonal of each covariance.

    Returns
    -------
    ndarray of shape (n_actions, m)
        :math:`\Sigma_a^{-1} \sum_i z_i \ell_{ia}`.
    """
    m = Z.shape[1]
    out = np.empty((loss.shape[1], m))
    for k, total in enumerate(loss.T @ Z):
        share = w * policy[:, k] / w.sum()
        covariance = (reference * share[:, None]).T @ reference
        covariance.flat[:: m + 1] += reg_covar
        out[k] = linalg.solve(covariance, total, assume_a="pos", check_finite=False)
    return out
