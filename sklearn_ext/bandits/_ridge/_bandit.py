"""A bandit of ridge regressions, one an action, from sums."""

import math
from numbers import Integral, Real

import joblib
import numpy as np
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_ext._core import _blocks
from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import HasMethods, Interval, StrOptions
from sklearn_ext.bandits._decisions import DecisionMixin
from sklearn_ext.bandits._exploration import RULES
from sklearn_ext.bandits._log import Log, check_size, positions
from sklearn_ext.bandits._rewards import RewardMoments
from sklearn_ext.bandits._ridge._feature_map import PlainColumns, Transformed, Waves
from sklearn_ext.bandits._ridge._posterior import (
    ALPHAS,
    WAVE_PENALTIES,
    Posterior,
    Products,
    Scale,
    choose_penalties,
)
from sklearn_ext.bandits._ridge._statistics import BanditStatistics

GROWTH = 1.5  # of the rows, after which the whole grid of penalties is looked at
FEW = 4  # rows of a batch that are learnt one by one,
PATIENCE = 1.2  # until the rows have grown by this since all was solved anew,
KEPT = 256  # or so many of them wait to be summed up


class RidgeBandit(DecisionMixin, ExtEstimator):
    r"""Choose one of several actions for each row, and learn from what comes back.

    Every action has a ridge regression of its reward, kept as sums of the rows in which
    it was taken. For a row the action's predicted reward :math:`f_a` is raised by a
    multiple of its uncertainty, :math:`u_a = f_a + \text{width}\, \hat\sigma
    \sqrt{v_a}`, and actions are drawn with the probabilities

    .. math:: p_a = \frac{1}{\lambda + \gamma (\max u - u_a)}

    that have the lowest worst case among all (see :func:`log_barrier_probabilities`).
    `decide` returns the probability of the action that it drew. Log it: with it any
    other policy can be judged later on the same log.

    .. warning:: ``y`` is the action that was *taken*. A log fitted without ``reward=``
       is read as demonstrations, the action taken was right and all others were wrong,
       and imitates whoever made the log.

    The fit reads rows once, in time :math:`O(n m^2)` for m features, and solves in
    :math:`O(K m^3)` for K actions; memory is :math:`O(K m^2)`. Rows may come in
    batches, late and in any order: sums add, and the fit is that of all rows at once.
    Batches of up to four rows are learnt by rank-one updates in :math:`O(K m^2)`. In
    between, the coordinates, the penalty and the noise are those of the last solve,
    which comes when rows have grown by a fifth; the sums stay exact. No rows are kept,
    but for the first 50 while a map of features is not frozen yet, and the last few of
    a stream.

    Weights count rows: weight two is two rows, in the evidence and in gamma as in the
    sums, so that the scale of ``sample_weight`` matters.

    Parameters
    ----------
    actions : array-like of shape (n_actions,), default=None
        Labels of the actions. With them `decide` works before any fit. None takes the
        labels of the first ``fit``, or ``classes`` of the first ``partial_fit``.
    feature_map : {"random_features"}, transformer or None, default="random_features"
        Columns of the ridge: ``"random_features"``, the standardised columns, clipped
        at three deviations, and random waves of them; None, the columns themselves,
        penalised in proportion to their variances, so that units do not matter; or a
        transformer, of which a clone is fitted. A map is fitted to the first rows and
        then stays as it is: to the first call of ``fit``, or to the first 50 rows of
        ``partial_fit``.
    n_components : int, default=100
        Number of waves.
    alpha : "evidence" or float, default="evidence"
        Penalty. ``"evidence"`` takes the most likely one of 13 values from 0.01 to 10,
        and with it a further factor, from 1 to 256, for the waves; ``partial_fit``
        follows them from where they stand and looks at all when the rows have grown by
        half.
    action_features : {"shared"}, dict or None, default=None
        What the slopes of the actions have in common: nothing (None); a part that is
        the same for all (``"shared"``); or a linear function of the features that the
        dict gives each label. How much is found by the evidence. It pays where actions
        have few rows, or new ones with known features come; each solve inverts more.
    width : float, default=0.5
        How many standard errors of a prediction are added to it while exploring. Zero
        leaves the exploration to gamma alone; it pays with few actions, and fails with
        many.
    exploration : {"log_barrier", "small_loss", "inverse_gap", "greedy"}
        From scores to probabilities; the default is ``"log_barrier"``.
        ``"small_loss"`` divides gamma by the predicted loss of the row's best action,
        ``"inverse_gap"`` is the rule of the papers, ``"greedy"`` takes the best score
        and shares ties.
    gamma : "auto" or float, default="auto"
        How far differences of scores count. ``"auto"`` is
        :math:`100 \sqrt{t} / s_r` for t rows whose rewards have the standard deviation
        :math:`s_r`.
    min_probability : float, default=0.0
        Probability of each action at least. Set it, for instance to 0.02, when the log
        is to judge policies that are very unlike this one.
    forget : float, default=1.0
        Factor of all sums for each row that comes: 0.999 remembers about a thousand
        rows, for worlds that drift.
    reward_range : "auto" or tuple of (float, float), default="auto"
        Lowest and highest reward; ``"auto"`` is those seen. Only ``"small_loss"`` needs
        it, but rewards outside of a given range are refused.
    random_state : int, RandomState instance or None, default=None
        Seed of the waves. Draws of actions have their own, in `decide`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_actions,)
        Labels of the actions, sorted.
    class_count_ : ndarray of shape (n_actions,)
        Rows that each action has learnt from.
    alpha_ : float
        Penalty.
    wave_penalty_ : float
        Further factor of the penalty of waves; only when there are waves.
    gamma_ : float
        How far differences of scores count now.
    noise_var_ : float
        Variance of the rewards around their predictions.
    reward_mean_ : float
        Mean of the rewards.
    reward_scale_ : float
        Their standard deviation; one if all are equal.
    information_gain_ : float
        :math:`\frac12 \sum_a \log\det(I + S_a / \alpha)`: the regret, in nats of the
        log loss, of predicting online instead of knowing the best coefficients.
    coef_ : ndarray of shape (n_actions, n_features)
        Slopes; only when ``feature_map=None``.
    intercept_ : ndarray of shape (n_actions,)
        Intercepts; only when ``feature_map=None``.
    sufficient_statistics_ : BanditStatistics
        Sums that ``partial_fit`` and ``merge`` add to.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns; only when ``X`` has names that are strings.

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : When the right action of each row is known.
    Decisions : What to log.

    References
    ----------
    .. [1] R. Deb, Y. Ban, S. Zuo, J. He and A. Banerjee, "Contextual bandits with
       online neural regression", ICLR 2024.
    .. [2] D. J. Foster and A. Krishnamurthy, "Efficient first-order contextual bandits:
       prediction, allocation, and triangular discrimination", NeurIPS 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.bandits import RidgeBandit
    >>> rng = np.random.default_rng(0)
    >>> bandit = RidgeBandit(["left", "right"], random_state=0)
    >>> for day in range(20):
    ...     X = rng.normal(size=(10, 2))
    ...     made = bandit.decide(X, random_state=day)
    ...     came_back = (made.action == "right") == (X[:, 0] > 0)
    ...     bandit = bandit.partial_fit(X, made.action, reward=came_back)
    >>> bandit.predict([[-1.0, 0.0], [1.0, 0.0]])
    array(['left', 'right'], dtype='<U5')
    """

    _parameter_constraints: dict = {
        "actions": ["array-like", None],
        "feature_map": [
            StrOptions({"random_features"}),
            HasMethods(["fit", "transform"]),
            None,
        ],
        "n_components": [Interval(Integral, 0, None, closed="left")],
        "alpha": [
            StrOptions({"evidence"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "action_features": [StrOptions({"shared"}), dict, None],
        "width": [Interval(Real, 0, None, closed="left")],
        "exploration": [StrOptions(set(RULES))],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "min_probability": [Interval(Real, 0, 1, closed="left")],
        "forget": [Interval(Real, 0, 1, closed="right")],
        "reward_range": [StrOptions({"auto"}), "array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        actions=None,
        *,
        feature_map="random_features",
        n_components=100,
        alpha="evidence",
        action_features=None,
        width=0.5,
        exploration="log_barrier",
        gamma="auto",
        min_probability=0.0,
        forget=1.0,
        reward_range="auto",
        random_state=None,
    ):
        self.actions = actions
        self.feature_map = feature_map
        self.n_components = n_components
        self.alpha = alpha
        self.action_features = action_features
        self.width = width
        self.exploration = exploration
        self.gamma = gamma
        self.min_probability = min_probability
        self.forget = forget
        self.reward_range = reward_range
        self.random_state = random_state

    # --- learning -----------------------------------------------------------------

    def _start(self, log, *, stream):
        self._seed = self._draw_seed()
        return self._warm(log)

    def _go_on(self, log):
        if self._warm_up is not None:
            return self._warm(log, self._warm_up)
        weight = float(log.w.sum())
        if max(len(log), weight) <= FEW and self.forget == 1:
            grown = self._seen.n_rows + weight > PATIENCE * self._solved_at
            # the first reward that differs from all others is the first with a scale
            first = self.noise_var_ == 0 and (log.reward != self._seen.mean).any()
            if not grown and not first:
                return self._learn_rows(log)
        kept = self.sufficient_statistics_.discounted(self.forget**weight)
        return self._solve(kept + self._sums(log), follow=True)

    def fit_blocks(self, blocks, *, n_jobs=None, classes=None):
        """Learn from blocks of rows as if they were one log.

        The map of features, if there is one, is fitted to the first block.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, action, sample_weight, reward)``, or callables that load one;
            ``sample_weight`` may be None.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.
        classes : array-like of shape (n_actions,), default=None
            All actions; needed unless ``actions`` is given or the first block has all.

        Returns
        -------
        RidgeBandit
            The fitted bandit.
        """
        self._refuse_to_forget("fit_blocks")
        return _blocks.fit_blocks(self, blocks, n_jobs=n_jobs, classes=classes)

    @fit_context()
    def merge(self, other):
        """Take in what another bandit has learnt.

        Parameters
        ----------
        other : RidgeBandit
            Fitted to other rows of the same columns and actions, with the same map of
            features: ``feature_map=None``, or a frozen transformer.

        Returns
        -------
        RidgeBandit
            This bandit, as if it had learnt from the rows of both.

        Raises
        ------
        ValueError
            When columns, actions or maps differ, or when one of them forgets.
        """
        if not isinstance(other, RidgeBandit):
            raise TypeError(f"merge needs a RidgeBandit, got {type(other).__name__}.")
        for model in (self, other):
            check_is_fitted(model)
            model._refuse_to_forget("merge")
        names = [list(getattr(m, "feature_names_in_", ())) for m in (self, other)]
        if self.n_features_in_ != other.n_features_in_ or (
            all(names) and names[0] != names[1]
        ):
            raise ValueError(
                "merge needs bandits of the same columns, got "
                f"{names[0] or self.n_features_in_} here and "
                f"{names[1] or other.n_features_in_} in the other."
            )
        ours, theirs = self.classes_.tolist(), other.classes_.tolist()
        if ours != theirs:
            raise ValueError(
                f"merge needs bandits of the same actions (classes_), got {ours} here "
                f"and {theirs} in the other: use add_actions first."
            )
        if joblib.hash(self._map) != joblib.hash(other._map):
            raise ValueError(
                "merge needs bandits whose features are the same, but their "
                "feature_map was fitted to other rows or drawn by another seed: use "
                "feature_map=None, or sklearn.frozen.FrozenEstimator(transformer)."
            )
        self._warm_up = None
        return self._solve(self.sufficient_statistics_ + other.sufficient_statistics_)

    @fit_context()
    def add_actions(self, labels):
        """Add actions; until they are tried, the mean of all is expected of them.

        Parameters
        ----------
        labels : array-like of shape (n_new,)
            Labels that are not among ``classes_``.

        Returns
        -------
        RidgeBandit
            The bandit.
        """
        check_is_fitted(self)
        new = column_or_1d(np.asarray(labels))
        if not len(new):
            return self
        text = [a.dtype.kind in "US" for a in (self.classes_, new)]
        if text[0] != text[1] and "O" not in (self.classes_.dtype.kind, new.dtype.kind):
            raise ValueError(
                f"labels must be of the kind of classes_ ({self.classes_.dtype}), got "
                f"{new.dtype}."
            )
        if len(known := np.intersect1d(self.classes_, new)):
            raise ValueError(
                f"labels holds {known.tolist()}, which are actions already."
            )
        return self._take(np.union1d(self.classes_, new))

    @fit_context()
    def drop_actions(self, labels):
        """Drop actions, and what was learnt of them.

        For actions that are out of reach for a while, pass ``available=`` to `decide`
        instead.

        Parameters
        ----------
        labels : array-like of shape (n_dropped,)
            Labels among ``classes_``.

        Returns
        -------
        RidgeBandit
            The bandit.
        """
        check_is_fitted(self)
        dropped = column_or_1d(np.asarray(labels))
        at = positions(self.classes_, dropped, name="labels")
        kept = np.delete(self.classes_, at)
        if len(kept) < 2:
            raise ValueError(
                f"A bandit chooses between at least two actions; {kept.tolist()} would "
                "be left."
            )
        return self._take(kept)

    def summary(self):
        """Describe the actions: rows, and mean reward where they were taken.

        Returns
        -------
        str
            A line an action.
        """
        check_is_fitted(self)
        known = self.sufficient_statistics_
        width = max(6, *(len(str(label)) for label in self.classes_))
        lines = [f"{'action':<{width}}  {'rows':>10}  {'mean reward':>11}"]
        for label, n, mean in zip(
            self.classes_, known.weight, known.r_mean, strict=True
        ):
            shown = f"{mean:11.4g}" if n > 0 else f"{'-':>11}"
            lines.append(f"{label!s:<{width}}  {n:10.6g}  {shown}")
        return "\n".join(lines)

    # --- what it says of rows -----------------------------------------------------

    def predict_reward(self, X, return_std=False):
        """Predict the reward of every action.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return standard errors, too.

        Returns
        -------
        reward : ndarray of shape (n_samples, n_actions)
            Predicted mean rewards.
        std : ndarray of shape (n_samples, n_actions)
            Their standard errors, without the noise of a single reward; only with
            ``return_std=True``.
        """
        check_is_fitted(self)
        rows = self._rows(X)
        reward = self._rewards(rows)
        return (reward, self._std(rows)) if return_std else reward

    @property
    def sufficient_statistics_(self):
        """Sums of all rows."""
        if not self._recent:
            return self._known
        Z, action, reward, w = map(np.concatenate, zip(*self._recent, strict=True))
        return self._known + self._sums_of(Z, action, reward, w)

    @property
    def class_count_(self):
        """Rows that each action has learnt from."""
        return self._posterior.weight - 1

    @property
    def alpha_(self):
        """Penalty."""
        return self._posterior.alpha

    @property
    def wave_penalty_(self):
        """Further factor of the penalty of waves."""
        if not isinstance(self._map, Waves):
            raise AttributeError("wave_penalty_ needs feature_map='random_features'")
        return self._wave_penalty

    @property
    def noise_var_(self):
        """Variance of the rewards around their predictions."""
        return self._posterior.noise_var

    @property
    def information_gain_(self):
        """Half the log determinant of what was learnt."""
        return self._posterior.log_det / 2

    @property
    def coef_(self):
        """Slopes, if the features are the columns."""
        return self._linear("coef_").coef / self._posterior.scale.spread

    @property
    def intercept_(self):
        """Intercepts, if the features are the columns."""
        scale = self._linear("intercept_").scale
        return self._posterior.rewards(-scale.origin[None] / scale.spread)[0]

    def _linear(self, name):
        if not isinstance(self._map, PlainColumns):
            raise AttributeError(f"{name} needs feature_map=None")
        return self._posterior

    def _rows(self, X):
        return self._posterior.scale.rows(self._map(self._table(X)))

    # --- the map ------------------------------------------------------------------

    def _fitted_map(self, log, seed):
        if self.feature_map is None:
            return PlainColumns()
        if not isinstance(self.feature_map, str):
            return Transformed.of(self.feature_map, log.X, seed)
        rng = np.random.RandomState(seed)
        return Waves.of(log.X, log.w, self.n_components, rng)

    def _draw_seed(self):
        return check_random_state(self.random_state).randint(2**31 - 1)

    def _warm(self, log, earlier=None):
        """Fit the map anew to all rows so far, and keep these while they are few."""
        log = log.after(earlier) if earlier is not None or log.is_short else log
        self._map = self._fitted_map(log, self._seed)
        few = self.feature_map is not None and log.is_short
        self._warm_up = log if few else None
        return self._solve(self._sums(log))

    # --- the fit ------------------------------------------------------------------

    def _summarize(
        self,
        X,
        y,
        sample_weight=None,
        reward=None,
        propensity=None,
        *,
        classes=None,
        reset=True,
    ):
        log = self._check_log(
            X, y, sample_weight, classes, reward, propensity, reset=reset
        )
        if reset:
            self._seed, self._warm_up = self._draw_seed(), None
            self._map = self._fitted_map(log, self._seed)
        return self._sums(log)

    def _sums(self, log):
        """Return the sums of rows; older ones count less, if the bandit forgets."""
        w = log.w
        if (f := self.forget) < 1:  # a row of weight w is w rows one after the other
            later = w.sum() - np.cumsum(w)
            w = f**later * (1 - f**w) / (1 - f)
        kept = w > 0  # what is forgotten to the last bit has no mean either
        Z = self._map(log.X if kept.all() else log.X[kept])
        return self._sums_of(Z, log.action[kept], log.reward[kept], w[kept])

    def _sums_of(self, Z, action, reward, w):
        """Return the sums of features; rewards that are NaN are demonstrations."""
        K, right = len(self.classes_), np.isnan(reward)
        check_size(Z)
        if right.all():
            return BanditStatistics.of_demonstrations(Z, action, w, K)
        if not right.any():
            return BanditStatistics.of(Z, action, reward, w, K)
        one, other = (
            self._sums_of(Z[k], action[k], reward[k], w[k]) for k in (right, ~right)
        )
        return one + other

    def _solve(self, statistics, *, follow=False):
        """Set what is fitted; follow the penalty from where it stands, if asked."""
        scale = Scale.of(statistics, scaled=self._map.scaled)
        products = Products.of(statistics, scale)
        alpha, features = self.alpha, self._features()
        self._wave_penalty = 1.0
        if isinstance(alpha, str):
            grown = not follow or statistics.n_rows >= GROWTH * self._searched_at
            if grown:
                self._searched_at = statistics.n_rows
            n_columns = self._map.n_columns(products.c.shape[1])
            start = None if grown else self._at
            self._at = choose_penalties(products, n_columns, start, features)
            alpha, penalty = ALPHAS[self._at[0]], WAVE_PENALTIES[self._at[1]]
            self._wave_penalty = penalty
            scale = scale.with_waves(n_columns, penalty)
            products = products.with_waves(n_columns, penalty)
        self._known, self._recent = statistics, ()
        self._solved_at = statistics.n_rows
        self._posterior = Posterior.of(products, scale, alpha, features)
        self._seen = RewardMoments.of(statistics)
        return self

    def _features(self):
        """Return features of the actions in the order of ``classes_``."""
        given = self.action_features
        if given is None:
            return None
        if isinstance(given, str):
            return np.ones((len(self.classes_), 1))
        if missing := [k for k in self.classes_.tolist() if k not in given]:
            raise ValueError(
                f"action_features has no entry for the actions {missing}: give each "
                "label its features, or use action_features='shared'."
            )
        rows = [np.atleast_1d(given[label]) for label in self.classes_.tolist()]
        if len({row.shape for row in rows}) > 1 or rows[0].ndim != 1:
            raise ValueError(
                "action_features must give every action the same number of features, "
                f"got the shapes {[row.shape for row in rows]}."
            )
        return check_array(np.array(rows), dtype=np.float64)

    def _learn_rows(self, log):
        """Learn a few rows one by one; their sums are taken later."""
        Z, posterior, seen = self._map(log.X), self._posterior, self._seen
        if posterior.mean_inverse is None:
            posterior = posterior.ready_for_rows(self._known)
        rows = posterior.scale.rows(Z)
        columns = (x.tolist() for x in (log.action, log.reward, log.w))
        for z, k, r, w in zip(rows, *columns, strict=True):
            taught = [(k, r)]
            if r != r:  # a demonstration
                taught = [(j, float(j == k)) for j in range(len(self.classes_))]
            for action, reward in taught:
                posterior = posterior.after_row(z, action, reward, w)
            seen = seen.after_row([reward for _, reward in taught], w)
        self._posterior, self._seen = posterior, seen
        # the user may write the next row into the same arrays
        Z = Z.copy() if Z is log.X else Z
        self._recent = (*self._recent, (Z, log.action, log.reward.copy(), log.w))
        if len(self._recent) >= KEPT:
            self._known, self._recent = self.sufficient_statistics_, ()
        return self

    def _take(self, labels):
        """Rearrange the actions; labels that are new start without rows."""
        at = {label: i for i, label in enumerate(self.classes_.tolist())}
        order = [at.get(label, -1) for label in labels.tolist()]
        self.classes_, log, self._warm_up = labels, self._warm_up, None
        if log is not None and not np.isnan(log.reward).any():
            to = np.full(len(at), -1)
            to[[i for i in order if i >= 0]] = np.flatnonzero(np.array(order) >= 0)
            kept = to[log.action] >= 0
            if kept.any():
                there = to[log.action[kept]]
                return self._warm(
                    Log(log.X[kept], there, log.reward[kept], log.w[kept])
                )
        # what was shown says nothing of an action that was not there: the map stays
        return self._solve(self.sufficient_statistics_.take(order))

    # --- scores -------------------------------------------------------------------

    def _rewards(self, rows):
        return self._posterior.rewards(rows)

    def _std(self, rows):
        return np.sqrt(self.noise_var_ * self._posterior.variances(rows))

    def _scores(self, rows):
        rewards = self._rewards(rows)
        if self._rule.width == 0 or self.noise_var_ == 0:
            return rewards
        unit = self._rule.width * math.sqrt(self.noise_var_)
        return rewards + unit * np.sqrt(self._posterior.variances(rows))

    def _refuse_to_forget(self, what):
        if self.forget < 1:
            raise ValueError(
                f"{what} needs forget=1, got {self.forget:g}: with forgetting, sums "
                "depend on the order of the rows."
            )
