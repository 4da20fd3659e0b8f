"""A bandit of the user's own models, a clone or several an action."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sklearn_ext._core._base import ExtEstimator
from sklearn_ext._core._compat import HasMethods, Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext.bandits._decisions import DecisionMixin
from sklearn_ext.bandits._exploration import RULES
from sklearn_ext.bandits._rewards import RewardMoments
from sklearn_ext.bandits._ridge._bandit import RidgeBandit
from sklearn_ext.bandits._ridge._feature_map import with_seed

ENOUGH = 30  # rows of an action from which a model that cannot be fitted is an error


@shared_docs(RidgeBandit)
class RegressorBandit(DecisionMixin, ExtEstimator):
    r"""Choose actions by any model of the reward.

    Each action has a clone of ``estimator``, fitted to the rows in which it was taken;
    the clones' predictions are the scores from which :class:`RidgeBandit` makes its
    probabilities. A regressor predicts the reward. A classifier with ``predict_proba``
    predicts the probability of a reward of one, by log loss; rewards are 0 or 1 then,
    and ``exploration="small_loss"`` suits it. Nets of skorch are regressors like
    others. An action without rows is expected to bring the mean of all, and one with
    fewer than 30, where the estimator cannot be fitted to so few, its own mean.

    ``n_estimators`` clones an action, each with weights drawn from a Poisson law with
    mean one, differ by about as much as the model is unsure; ``width`` times their
    deviation is added to the prediction, as the ridge's own standard error is there.
    One clone alone gives no deviation, and gamma is all that explores.

    Weights count rows, as in :class:`RidgeBandit`. Units of columns matter as far as
    they matter to the estimator: scale them where it is a ridge or a net.

    .. warning:: ``y`` is the action that was *taken*: see :class:`RidgeBandit`.

    Parameters
    ----------
    estimator : regressor or classifier, default=None
        Model of the reward; None is :class:`sklearn.linear_model.Ridge`.
    actions : see RidgeBandit
    update : {"auto", "partial_fit", "refit"}, default="auto"
        How clones learn in ``partial_fit``: by their own, or by a new fit to the whole
        log, which is kept. ``"auto"`` takes the first where there is one. ``fit`` is a
        whole fit of the clones.
    refit_growth : float, default=1.5
        Factor by which the log must grow before it is fitted again.
    n_estimators : int, default=1
        Clones an action.
    width : float, default=0.5
        How many standard deviations of the clones are added to their mean while
        exploring.
    exploration, gamma, min_probability, reward_range : see RidgeBandit
    n_jobs : int or None, default=None
        Actions that are fitted at a time.
    random_state : int, RandomState instance or None, default=None
        Seed of the clones and of their weights.

    Attributes
    ----------
    classes_, class_count_ : see RidgeBandit
    estimators_ : list of list
        The clones of each action, in the order of ``classes_``; a number where there
        was nothing to fit.
    gamma_, reward_mean_, reward_scale_ : see RidgeBandit
    n_features_in_, feature_names_in_ : see RidgeBandit

    See Also
    --------
    RidgeBandit : In closed form, with a width of its own; try it first.

    References
    ----------
    .. [1] R. Deb, Y. Ban, S. Zuo, J. He and A. Banerjee, "Contextual bandits with
       online neural regression", ICLR 2024.
    .. [2] N. C. Oza and S. Russell, "Online bagging and boosting", AISTATS 2001.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from sklearn_ext.bandits import (
    ...     RegressorBandit, make_bandit_log, make_linear_bandit)
    >>> X, action, reward, _ = make_bandit_log(make_linear_bandit(500, random_state=0))
    >>> bandit = RegressorBandit(DecisionTreeRegressor(max_depth=4))
    >>> bandit.fit(X, action, reward=reward).decide(X[:3]).action.shape
    (3,)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "actions": ["array-like", None],
        "update": [StrOptions({"auto", "partial_fit", "refit"})],
        "refit_growth": [Interval(Real, 1, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Real, 0, None, closed="left")],
        "exploration": [StrOptions(set(RULES))],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "min_probability": [Interval(Real, 0, 1, closed="left")],
        "reward_range": [StrOptions({"auto"}), "array-like"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        actions=None,
        *,
        update="auto",
        refit_growth=1.5,
        n_estimators=1,
        width=0.5,
        exploration="log_barrier",
        gamma="auto",
        min_probability=0.0,
        reward_range="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.actions = actions
        self.update = update
        self.refit_growth = refit_growth
        self.n_estimators = n_estimators
        self.width = width
        self.exploration = exploration
        self.gamma = gamma
        self.min_probability = min_probability
        self.reward_range = reward_range
        self.n_jobs = n_jobs
        self.random_state = random_state

    def predict_reward(self, X, return_std=False):
        """Predict the reward of every action.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return the deviations of the clones, too.

        Returns
        -------
        reward : ndarray of shape (n_samples, n_actions)
            Mean predictions of the clones.
        std : ndarray of shape (n_samples, n_actions)
            Their standard deviations, zero for one clone; only with
            ``return_std=True``.
        """
        check_is_fitted(self)
        said = self._member_predictions(self._rows(X))
        mean = said.mean(axis=0)
        return (mean, said.std(axis=0)) if return_std else mean

    # --- the fit ------------------------------------------------------------------

    def _start(self, log, *, stream):
        model = self._model()
        can = hasattr(model, "partial_fit")
        if self.update == "partial_fit" and not can:
            raise ValueError(
                f"update='partial_fit' needs an estimator that has it, and "
                f"{type(model).__name__} has not: use update='refit'."
            )
        self._keeps_log = self.update == "refit" or not can
        self._log = log.after() if self._keeps_log else None
        self._fitted_at = log.w.sum()
        self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._seen = RewardMoments.of_log(log, len(self.classes_))
        self.class_count_ = log.counts(len(self.classes_))
        self._calls, self._n_members = 0, self.n_estimators
        self.estimators_ = self._fitted(log, stream=stream)
        return self

    def _go_on(self, log):
        self._seen = self._seen + RewardMoments.of_log(log, len(self.classes_))
        self.class_count_ = self.class_count_ + log.counts(len(self.classes_))
        if not self._keeps_log:
            self.estimators_ = self._fitted(log, self.estimators_, stream=True)
            return self
        self._log = log.after(self._log)
        if self._log.w.sum() >= self.refit_growth * self._fitted_at:
            self._fitted_at = self._log.w.sum()
            self.estimators_ = self._fitted(self._log)
        return self

    def _model(self):
        return Ridge() if self.estimator is None else self.estimator

    def _fitted(self, log, known=None, *, stream=False):
        """Fit the clones of each action, or let those that are known go on."""
        if known is not None:
            self._calls += 1  # new weights; a new fit draws those of a first one
        seeds = np.random.SeedSequence([self._seed, self._calls])
        seeds, mean = seeds.generate_state(len(self.classes_)), self._seen.mean
        if known is not None:  # what was never tried brings the mean of now
            known = [
                k if n > 0 else [mean] * len(k)
                for k, n in zip(known, self.class_count_, strict=True)
            ]
        return Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_action)(
                self._model(),
                known and known[k],
                *_rows_of(log, k),
                self._n_members,
                mean,
                np.random.RandomState(seeds[k]),
                not stream or self._keeps_log,
                not self._keeps_log,
            )
            for k in range(len(self.classes_))
        )

    # --- scores -------------------------------------------------------------------

    def _rows(self, X):
        return self._table(X)

    def _member_predictions(self, X):
        """Return predictions of shape (n_estimators, n_samples, n_actions)."""
        said = [
            [_predicted(model, X) for model in members] for members in self.estimators_
        ]
        return np.moveaxis(np.array(said), 0, 2)

    def _rewards(self, rows):
        return self._member_predictions(rows).mean(axis=0)

    def _scores(self, rows):
        said = self._member_predictions(rows)
        return said.mean(axis=0) + self._rule.width * said.std(axis=0)


def _rows_of(log, k):
    """Return rows, rewards and weights from which an action learns."""
    shown = np.isnan(log.reward)
    mine = shown | (log.action == k)
    reward = np.where(shown, log.action == k, log.reward)
    return log.X[mine], reward[mine], log.w[mine]


def _fit_action(model, known, X, reward, w, n_estimators, mean, rng, whole, goes_on):
    """Fit or continue the clones of one action."""
    members = []
    for i in range(n_estimators):
        drawn = w if n_estimators == 1 else _draws(w, rng)
        seed, old = rng.randint(2**31 - 1), known[i] if known else mean
        kept = drawn > 0
        part = X[kept], reward[kept], drawn[kept]
        if not len(part[0]):
            members.append(old)
        elif isinstance(old, float):
            members.append(_fresh(model, *part, seed, whole, goes_on))
        else:
            members.append(_continued(old, *part))
    return members


def _draws(w, rng):
    """Draw for each row how often a bootstrap takes it, if it is there w times."""
    many = w > 1e9  # a Poisson number is its mean there
    return np.where(many, w, rng.poisson(np.where(many, 0.0, w)))


def _fresh(model, X, reward, w, seed, whole, goes_on):
    model = with_seed(clone(model), seed, everywhere=True)
    if is_classifier(model):
        reward = _clicks(reward)
        if np.ptp(reward) == 0:  # nothing to tell apart
            if not goes_on:
                return float(reward[0])
            whole = False  # `partial_fit` is told of both classes
    method, constant = "fit" if whole else "partial_fit", np.ptp(reward) == 0
    if len(X) >= ENOUGH and not constant:
        return _learn(model, method, X, reward, w)
    _check_repeatable(model, w)
    try:
        model = _learn(model, method, X, reward, w)
        enough = bool(np.isfinite(_predicted(model, X[:1])).all())
    except ValueError as error:  # neighbours, folds: it takes more rows
        if len(X) >= ENOUGH or isinstance(error, TypeError):  # a bad parameter is both
            raise
        enough = False
    return model if enough else float(np.average(reward, weights=w))


def _continued(model, X, reward, w):
    if is_classifier(model):
        reward = _clicks(reward)
    copy = deepcopy(model)  # so that an update that fails changes nothing
    return _learn(copy, "partial_fit", X, reward, w)


def _learn(model, method, X, reward, w):
    call, given = getattr(model, method), {}
    if method == "partial_fit" and is_classifier(model):
        given["classes"] = np.array([0, 1])
    if _is_net(model):  # targets have the shape of its outputs
        X, reward = X.astype(np.float32), reward[:, None].astype(np.float32)
    if np.all(w == 1):
        return call(X, reward, **given)
    if has_fit_parameter(model, "sample_weight"):
        return call(X, reward, sample_weight=w, **given)
    _check_repeatable(model, w)
    rows = np.repeat(np.arange(len(w)), w.astype(int))
    return call(X[rows], reward[rows], **given)


def _check_repeatable(model, w):
    if np.any(w % 1) and not has_fit_parameter(model, "sample_weight"):
        raise ValueError(
            f"estimator={type(model).__name__} takes no sample_weight, and weights "
            "that are no whole numbers cannot be repeated rows."
        )


def _is_net(model):
    """Say whether a model is one of skorch, whose weights are of single precision."""
    return hasattr(model, "module") and hasattr(model, "train_split")


def _clicks(reward):
    if not np.isin(reward, (0, 1)).all():
        raise ValueError(
            "A classifier as estimator needs rewards of 0 and 1, got values from "
            f"{reward.min():g} to {reward.max():g}: use a regressor."
        )
    return reward.astype(int)


def _predicted(model, X):
    if isinstance(model, float):
        return np.full(len(X), model)
    X = X.astype(np.float32) if _is_net(model) else X
    if not is_classifier(model):
        return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X))
    with np.errstate(divide="ignore", invalid="ignore"):  # of a class never seen
        chances = model.predict_proba(X)
    at = np.flatnonzero(model.classes_ == 1)
    return chances[:, at[0]] if len(at) else np.zeros(len(X))
