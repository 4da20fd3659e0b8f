"""A bandit whose rewards a net predicts, with one output an action."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._optional import require
from sklearn_ext.bandits._decisions import DecisionMixin
from sklearn_ext.bandits._exploration import RULES
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
    from where the net stands. Columns are standardised by the first call. Training
    needs torch and skorch; decisions need neither. Weights count rows in gamma; in the
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

    __metadata_request__fit = {"reward": True, "propensity": True}
    __metadata_request__partial_fit = {"reward": True, "propensity": True}
    __metadata_request__score = {"reward": True, "propensity": True}

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

    @fit_context()
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
            Probability with which the action was drawn; checked, and not needed.

        Returns
        -------
        NeuralBandit
            The fitted bandit.
        """
        log = self._check_log(X, y, sample_weight, None, reward, propensity, reset=True)
        return self._start(log)

    @fit_context()
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
        """Train on.

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
            What came back. None: demonstrations, in which y was right.
        propensity : array-like of shape (n_samples,), default=None
            Probability with which the action was drawn; see `fit`.

        Returns
        -------
        NeuralBandit
            The fitted bandit.
        """
        first = not hasattr(self, "coefs_")
        self._check_first_call(first, classes)
        log = self._check_log(
            X, y, sample_weight, classes, reward, propensity, reset=first
        )
        if first:
            return self._start(log)
        added = RewardMoments.of_log(log, len(self.classes_))
        self._seen = self._seen + added
        self.class_count_ = self.class_count_ + self._counts(log)
        if self.replay:
            self._log = log = self._log.followed_by(log)
        return self._train(log)

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
        return self._seen.gamma if isinstance(self.gamma, str) else self.gamma

    # --- the fit ------------------------------------------------------------------

    def _start(self, log):
        rng = check_random_state(self.random_state)
        self._map = Waves.of(log.X, log.w, 0, rng)
        self._seen = RewardMoments.of_log(log, len(self.classes_))
        self._unit = (0.0, 1.0)  # the log loss takes rewards as they are
        if self.loss == "squared_error":
            self._unit = (self._seen.mean, self._seen.scale)
        d, h, K = log.X.shape[1], self.hidden_units, len(self.classes_)
        self._first = [
            rng.standard_normal((d, h)) * np.sqrt(2 / d),
            np.zeros(h),
            rng.standard_normal((h, K)) * np.sqrt(1 / h) * 0.1,
            np.zeros(K),
        ]
        n_parameters = sum(part.size for part in self._first)
        n_signs = self.n_members * n_parameters if self.perturbation else 0
        signs = rng.choice([-1.0, 1.0], size=n_signs)
        self._signs = signs.reshape(self.n_members, -1)
        self.coefs_ = self._first
        self._seed = rng.randint(2**31 - 1)
        self.class_count_ = self._counts(log)
        self._log = log if self.replay else None
        return self._train(log)

    def _counts(self, log):
        K, shown = len(self.classes_), np.isnan(log.reward)
        counts = np.bincount(log.action[~shown], log.w[~shown], minlength=K)
        return counts + log.w[shown].sum()

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
            module__perturbation=float(self.perturbation),
            module__standardize=self._map,
            criterion=WeightedLoss,
            criterion__row_loss=getattr(_net_torch, self.loss),
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
        if self.loss == "log_loss":
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
        if self.loss == "log_loss":
            return expit(outputs)
        middle, unit = self._unit
        return middle + unit * outputs

    def _optimism(self, rows):
        return 0.0
