"""A bandit whose rewards a net predicts, with one output an action."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._optional import require
from sklearn_ext.bandits._decisions import DecisionMixin
from sklearn_ext.bandits._exploration import RULES, Rule
from sklearn_ext.bandits._rewards import RewardMoments
from sklearn_ext.bandits._ridge._bandit import RidgeBandit
from sklearn_ext.bandits._ridge._feature_map import Waves


@shared_docs(RidgeBandit)
class NeuralBandit(CallbackSupportMixin, DecisionMixin, ExtEstimator):
    r"""Choose actions by a net with one hidden layer and an output an action.

    The device of the paper [1]_: while it trains, the output is perturbed by
    :math:`c \langle \theta - \theta_0, \epsilon \rangle` with random signs
    :math:`\epsilon`, and the loss is averaged over several draws of these. Its mean
    over all signs is, for the squared loss, :math:`(f - r)^2 + c^2 |\theta -
    \theta_0|^2`: a ridge pull towards the start, which ``pull`` adds without the noise
    of the draws. The loss of a row counts the action taken alone.

    On five tables of 2,000 rows :class:`RidgeBandit`, whose waves are such a net with a
    fixed hidden layer, lost less on three and in the mean, in a fifth of the time. The
    net is for many rows and features that must be learnt.

    Rows are kept (``replay``), and each call of ``partial_fit`` trains on all of them
    from where the net stands. Columns and rewards are standardised by the first call of
    ``fit`` or the first 50 rows of ``partial_fit``; while there are fewer, each call
    trains a net from the start. Training needs torch and skorch; decisions need
    neither. Weights count rows in gamma; in the
    loss their scale does not matter.

    .. warning:: ``y`` is the action that was *taken*: see :class:`RidgeBandit`.

    Parameters
    ----------
    actions : see RidgeBandit
    hidden_units : int, default=100
        Width of the hidden layer.
    loss : {"squared_error", "log_loss"}, default="squared_error"
        ``"log_loss"`` predicts the probability of a reward of one; rewards are in
        [0, 1] then.
    pull : float, default=0.0
        Factor of :math:`|\theta - \theta_0|^2`.
    perturbation : float, default=0.0
        The factor c of the random perturbation.
    n_members : int, default=1
        Draws of signs, over which the loss is averaged.
    max_iter : int, default=20
        Epochs of training in each call.
    learning_rate : float, default=0.01
        Step of Adam.
    batch_size : int, default=256
        Rows a step.
    replay : bool, default=True
        Whether to keep the rows and train on all of them; else on the new ones alone.
    exploration, gamma, min_probability, reward_range : see RidgeBandit
    device : str or None, default=None
        Where to train; None is the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, signs and batches.

    Attributes
    ----------
    classes_, class_count_, gamma_, reward_mean_, reward_scale_ : see RidgeBandit
    coefs_ : list of ndarray
        Weights of the two layers, each followed by its offsets.
    n_iter_ : int
        Epochs of the last call.
    n_features_in_, feature_names_in_ : see RidgeBandit

    See Also
    --------
    RidgeBandit : In closed form; try it first.

    References
    ----------
    .. [1] R. Deb, Y. Ban, S. Zuo, J. He and A. Banerjee, "Contextual bandits with
       online neural regression", ICLR 2024.

    Examples
    --------
    >>> from sklearn_ext.bandits import (
    ...     NeuralBandit, make_bandit_log, make_linear_bandit)
    >>> X, action, reward, _ = make_bandit_log(make_linear_bandit(300, random_state=0))
    >>> bandit = NeuralBandit(max_iter=2).fit(X, action, reward=reward)
    >>> bandit.decide(X[:3]).probabilities.shape
    (3, 5)
    """

    _parameter_constraints: dict = {
        "actions": ["array-like", None],
        "hidden_units": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions({"squared_error", "log_loss"})],
        "pull": [Interval(Real, 0, None, closed="left")],
        "perturbation": [Interval(Real, 0, None, closed="left")],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "replay": ["boolean"],
        "exploration": [StrOptions(set(RULES))],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "min_probability": [Interval(Real, 0, 1, closed="left")],
        "reward_range": [StrOptions({"auto"}), "array-like"],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        actions=None,
        *,
        hidden_units=100,
        loss="squared_error",
        pull=0.0,
        perturbation=0.0,
        n_members=1,
        max_iter=20,
        learning_rate=0.01,
        batch_size=256,
        replay=True,
        exploration="log_barrier",
        gamma="auto",
        min_probability=0.0,
        reward_range="auto",
        device=None,
        random_state=None,
    ):
        self.actions = actions
        self.hidden_units = hidden_units
        self.loss = loss
        self.pull = pull
        self.perturbation = perturbation
        self.n_members = n_members
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.replay = replay
        self.exploration = exploration
        self.gamma = gamma
        self.min_probability = min_probability
        self.reward_range = reward_range
        self.device = device
        self.random_state = random_state

    def predict_reward(self, X):
        """Predict the reward of every action.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_actions)
            Predictions.
        """
        check_is_fitted(self)
        return self._rewards(self._rows(X))

    # --- the fit ------------------------------------------------------------------

    def _start(self, log, *, stream):
        self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._spec = self.loss, self.perturbation, self.n_members, self.replay
        return self._begin(log.after())

    def _go_on(self, log):
        if self._warm_up is not None:
            return self._begin(log.after(self._warm_up))
        K = len(self.classes_)
        self._seen = self._seen + RewardMoments.of_log(log, K)
        self.class_count_ = self.class_count_ + log.counts(K)
        if self._log is not None:
            self._log = log = log.after(self._log)
        return self._train(log)

    def _begin(self, log):
        """Draw a net for columns that are standardised by all rows so far."""
        rng, K = np.random.RandomState(self._seed), len(self.classes_)
        loss, perturbation, n_members, replay = self._spec
        self._map = Waves.of(log.X, log.w, 0, rng)
        self._seen = RewardMoments.of_log(log, K)
        self._unit = (0.0, 1.0)  # the log loss takes rewards as they are
        if loss == "squared_error":
            self._unit = (self._seen.mean, self._seen.scale)
        d, h = log.X.shape[1], self.hidden_units
        self._first = [
            rng.standard_normal((d, h)) * np.sqrt(2 / d),
            np.zeros(h),
            rng.standard_normal((h, K)) * np.sqrt(1 / h) * 0.1,
            np.zeros(K),
        ]
        n_parameters = sum(part.size for part in self._first)
        n_signs = n_members * n_parameters if perturbation else 0
        signs = rng.choice([-1.0, 1.0], size=n_signs)
        self._signs = signs.reshape(n_members, -1)
        self.coefs_ = self._first
        self.class_count_ = log.counts(K)
        self._warm_up = log if log.is_short else None
        self._log = log if replay else None
        return self._train(log)

    def _train(self, log):
        torch = require("torch", extra="torch", user="NeuralBandit")
        require("skorch", extra="torch", user="NeuralBandit")
        from sklearn_ext._core._torch import WeightedLoss, fit_net
        from sklearn_ext.bandits._neural import _net_torch

        target = self._targets(log)
        moved = [now - at for now, at in zip(self.coefs_, self._first, strict=True)]
        small = len(target) <= self.batch_size
        net = fit_net(
            self,
            log.X,
            self.classes_[log.action],
            target,
            log.w,
            seed=self._seed,
            batch_size=None if small else self.batch_size,
            state=self._state,
            module=_net_torch.Moved,
            module__start=self._first,
            module__moved=moved,
            module__signs=self._signs,
            module__perturbation=float(self._spec[1]),
            module__standardize=self._map,
            criterion=WeightedLoss,
            criterion__row_loss=getattr(_net_torch, self._spec[0]),
            optimizer=torch.optim.Adam,
            optimizer__weight_decay=2 * self.pull,
            lr=self.learning_rate,
            max_epochs=self.max_iter,
            device=self.device or "cpu",
        )
        self.__dict__.update(self._state(net))
        self.n_iter_ = len(net.history)
        return self

    def _state(self, net):
        """Return the weights of a net as arrays."""
        moved = [getattr(net.module_, f"moved{i}") for i in range(4)]
        moved = [part.detach().cpu().numpy() for part in moved]
        return {"coefs_": [a + b for a, b in zip(self._first, moved, strict=True)]}

    def _targets(self, log):
        """Return rewards of shape (n_samples, n_actions), NaN where none was seen."""
        K, shown = len(self.classes_), np.isnan(log.reward)
        taken = log.action[:, None] == np.arange(K)
        rewards = np.where(taken, log.reward[:, None], np.nan)
        rewards[shown] = taken[shown]
        if self._spec[0] == "log_loss":
            low, high = np.nanmin(rewards), np.nanmax(rewards)
            if low < 0 or high > 1:
                raise ValueError(
                    f"loss='log_loss' needs rewards between 0 and 1, got values from "
                    f"{low:g} to {high:g}: scale them, or take loss='squared_error'."
                )
        middle, unit = self._unit
        return (rewards - middle) / unit

    # --- scores -------------------------------------------------------------------

    def _rows(self, X):
        return self._map(self._table(X))

    def _rewards(self, rows):
        W, b, V, c = self.coefs_
        outputs = np.maximum(rows @ W + b, 0.0) @ V + c
        if self._spec[0] == "log_loss":
            return expit(outputs)
        middle, unit = self._unit
        return middle + unit * outputs

    def _scores(self, rows):
        return self._rewards(rows)

    def _rule_of(self, bounds):
        return Rule(self.exploration, self.gamma, self.min_probability, 0.0, bounds)
