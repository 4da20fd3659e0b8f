"""Values of policies, differences between two, and the curve over time."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.special import ndtri
from sklearn.utils import Bunch

from sklearn_ext._core._compat import Interval, StrOptions, validate_params
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import warn
from sklearn_ext.bandits._log import check_reward
from sklearn_ext.bandits._values._betting import log_fortune, lower_bound
from sklearn_ext.bandits._values._weights import Logged, check_order, effective_size

CAP = 2.0  # of predicted rewards in doubly robust terms, in units of the reward range
SETTINGS = {
    "estimator": [StrOptions({"snips", "ips", "dr", "dm"})],
    "interval": [StrOptions({"betting", "normal"}), None],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "reward_range": ["array-like", None],
    "horizon": [Interval(Integral, 1, None, closed="left"), None],
    "policy": [StrOptions({"best", "explore"})],
}


@dataclass(frozen=True)
class PolicyValue:
    """What a policy would have earned, with an interval.

    Parameters
    ----------
    value : float
        Estimated mean reward, or difference of two.
    lower, upper : float
        Ends of the interval; NaN without one.
    estimator : str
        How the value was estimated.
    interval : str or None
        Kind of the interval.
    confidence_level : float
        Its confidence.
    n_samples : int
        Rows of the log.
    effective_sample_size : float
        ``(sum w)^2 / sum w^2``: equal weights that would be as informative.
    max_weight : float
        Largest weight of a row.
    e_value : float or None
        Of a comparison: evidence against "the target is no better", at least
        ``1 / alpha`` as soon as ``lower`` is above zero. None for a value.

    See Also
    --------
    policy_value : Makes it.

    Examples
    --------
    >>> from sklearn_ext.bandits import policy_value
    >>> print(policy_value([0, 1] * 100, [1, 0] * 100, [0.5] * 200, [0] * 200))
    1.000 (0.759 to 1.000 with 95 % at any time), snips, 100 of 200 rows effective
    """

    value: float
    lower: float
    upper: float
    estimator: str
    interval: str | None
    confidence_level: float
    n_samples: int
    effective_sample_size: float
    max_weight: float
    e_value: float | None = None

    def __str__(self):
        """Say it in one line."""
        when = "at any time" if self.interval == "betting" else "at this row alone"
        around = (
            ""
            if self.interval is None
            else f" ({self.lower:.3f} to {self.upper:.3f} with "
            f"{100 * self.confidence_level:g} % {when})"
        )
        evidence = "" if self.e_value is None else f", e-value {self.e_value:.3g}"
        return (
            f"{self.value:.3f}{around}, {self.estimator}, "
            f"{self.effective_sample_size:.0f} of {self.n_samples} rows effective"
            f"{evidence}"
        )


@validate_params(
    {
        "action": ["array-like"],
        "reward": ["array-like"],
        "propensity": ["array-like"],
        "target": [object],
        **SETTINGS,
    },
    prefer_skip_nested_validation=True,
)
def policy_value(
    action,
    reward,
    propensity,
    target,
    *,
    X=None,
    labels=None,
    estimator="snips",
    predicted_reward=None,
    interval="betting",
    confidence_level=0.95,
    reward_range=(0, 1),
    horizon=None,
    policy="best",
):
    r"""Estimate what another policy would have earned, from the log of one that drew.

    With weights :math:`w = \pi(a|x) / p` of the logged actions, ``"ips"`` is the mean
    of :math:`w r`, ``"snips"`` divides its sum by :math:`\sum w`, ``"dm"`` is the mean
    reward that a model predicts, and ``"dr"`` adds the weighted errors of the model.

    The betting interval is valid at every row at once, also for a log whose policy
    learns, however often one looks and for whatever reason one stops.

    The weights sum to about the number of rows. Where they lack more than 30 % of it
    and more than five standard deviations, a warning says so: the propensities are
    wrong, or the log was so sure that what the target does was not drawn in the rest.

    Parameters
    ----------
    action : array-like of shape (n_samples,)
        Logged actions, in the order of time.
    reward : array-like of shape (n_samples,)
        Their rewards.
    propensity : array-like of shape (n_samples,) or (n_samples, n_actions)
        Probability with which each logged action was drawn, or the probabilities of all
        actions, which ``"dr"`` needs for its betting interval.
    target : array-like of shape (n_samples,) or (n_samples, n_actions), or estimator
        The policy to judge: its actions, its probabilities, or something fitted on
        other rows, which is asked about ``X``.
    X : array-like of shape (n_samples, n_features), default=None
        Rows, where ``target`` is an estimator.
    labels : array-like of shape (n_actions,), default=None
        All actions. Columns of tables are in their sorted order, and labels beside a
        table must be, too. None takes those that were logged.
    estimator : {"snips", "ips", "dr", "dm"}, default="snips"
        How to estimate the value. The betting interval of "snips" is that of "ips";
        "dm" has no interval, as nothing bounds the error of a model.
    predicted_reward : array-like of shape (n_samples, n_actions), default=None
        Rewards predicted without the row's own, for "dr" and "dm": by a bandit at the
        time of the decision, or by :func:`cross_fit_rewards`.
    interval : {"betting", "normal"} or None, default="betting"
        Kind of interval. "normal" is for one look at a log of one fixed policy: on
        logs of learning policies it misses far too often.
    confidence_level : float, default=0.95
        Confidence of the interval.
    reward_range : tuple of float or None, default=(0, 1)
        Lowest and highest reward that there can be; the betting interval needs it.
    horizon : int, default=None
        Number of rows at which the interval should be narrow; it stays valid at all.
    policy : {"best", "explore"}, default="best"
        Whether an estimator is judged by ``predict`` or by ``predict_proba``.

    Returns
    -------
    PolicyValue
        The value, its interval, and how much the log says.

    Raises
    ------
    ValueError
        For impossible propensities, actions or rewards, and where an interval lacks
        what it needs.

    See Also
    --------
    compare_policies : How much more one policy earns than another.
    policy_value_curve : The same at many times.

    References
    ----------
    .. [1] I. Waudby-Smith, L. Wu, A. Ramdas, N. Karampatziakis and P. Mineiro,
       "Anytime-valid off-policy inference for contextual bandits", 2022.
    .. [2] A. Swaminathan and T. Joachims, "The self-normalized estimator for
       counterfactual learning", NIPS 2015.

    Examples
    --------
    >>> from sklearn_ext.bandits import (
    ...     make_bandit_from_classification, make_bandit_log, policy_value)
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> problem = make_bandit_from_classification(X, y)
    >>> _, action, reward, propensity = make_bandit_log(problem, random_state=0)
    >>> policy_value(action, reward, propensity, y).value
    1.0
    """
    log = Logged.of(action, reward, propensity, labels)
    p = log.target(target, X, policy)
    w = log.weights(p)
    predicted = _check_predicted(predicted_reward, log, estimator)
    value = _value(log, w, p, predicted, estimator)
    lower = upper = np.nan
    if interval == "betting":
        terms = _Terms.of(log, w, p, predicted, estimator, reward_range)
        found = terms.ends(*terms.mean_bounds(1 - confidence_level, horizon))
        lower, upper = _within(*found, terms.low, terms.high)
    elif interval == "normal":
        half = _half_width(log, w, p, predicted, estimator, value, confidence_level)
        lower, upper = value - half, value + half
    return PolicyValue(
        value, lower, upper, estimator, interval, confidence_level, *_overlap(log, w)
    )


@validate_params(
    {
        "action": ["array-like"],
        "reward": ["array-like"],
        "propensity": ["array-like"],
        "target": [object],
        "baseline": [object],
        **{k: SETTINGS[k] for k in SETTINGS if k != "estimator"},
        "estimator": [StrOptions({"snips", "ips"})],
    },
    prefer_skip_nested_validation=True,
)
@shared_docs(policy_value)
def compare_policies(
    action,
    reward,
    propensity,
    target,
    baseline="logging",
    *,
    X=None,
    labels=None,
    estimator="snips",
    interval="betting",
    confidence_level=0.95,
    reward_range=(0, 1),
    horizon=None,
    policy="best",
):
    r"""Estimate how much more one policy would have earned than another.

    Both are judged on the same rows, so what they share cancels: with weights
    :math:`w_1` and :math:`w_0` the terms :math:`w_1 r + w_0 (1 - r)` have the mean
    :math:`v_1 - v_0 + 1` and are not negative, which is what a bet needs. The interval
    is narrower than the difference of two intervals, and an ``e_value`` says how strong
    the evidence is. Deploy the target when ``lower`` exceeds zero, and look as often as
    you like.

    Parameters
    ----------
    action : see policy_value
    reward : see policy_value
    propensity : see policy_value
    target : see policy_value
    baseline : as ``target``, or "logging", default="logging"
        The policy to beat; "logging" is the one that wrote the log.
    X : see policy_value
    labels : see policy_value
    estimator : {"snips", "ips"}, default="snips"
        How to estimate the two values.
    interval : see policy_value
    confidence_level : see policy_value
    reward_range : see policy_value
    horizon : see policy_value
    policy : see policy_value

    Returns
    -------
    PolicyValue
        The difference; ``effective_sample_size`` is that of the target.

    See Also
    --------
    policy_value : The value of one policy.

    Examples
    --------
    >>> from sklearn_ext.bandits import compare_policies
    >>> log = [0, 1] * 200, [1, 0] * 200, [0.5] * 400
    >>> compare_policies(*log, target=[0] * 400).lower > 0
    True
    """
    log = Logged.of(action, reward, propensity, labels)
    w = log.weights(log.target(target, X, policy))
    if isinstance(baseline, str) and baseline == "logging":
        base = np.ones(len(log))
    else:
        base = log.weights(log.target(baseline, X, policy))
    value = _mean(log, w, estimator) - _mean(log, base, estimator)
    lower = upper = evidence = np.nan
    if interval == "betting":
        alpha = (1 - confidence_level) / 2
        low, high = _range(reward_range, log)
        r = (log.reward - low) / (high - low)
        better = w * r + base * (1 - r)
        worse = base * r + w * (1 - r)
        lower = (high - low) * (lower_bound(better, alpha, horizon=horizon) - 1)
        upper = (high - low) * (1 - lower_bound(worse, alpha, horizon=horizon))
        lower, upper = _within(lower, upper, low - high, high - low)
        fortune = log_fortune(better, 1.0, horizon=horizon, alpha=alpha)
        evidence = float(np.exp(min(fortune, 700.0)))
    elif interval == "normal":
        means = [_mean(log, x, estimator) for x in (w, base)]
        pulls = [
            _pull(log, x, m, estimator) for x, m in zip((w, base), means, strict=True)
        ]
        half = _normal(pulls[0] - pulls[1], confidence_level)
        lower, upper = value - half, value + half
    return PolicyValue(
        value,
        lower,
        upper,
        estimator,
        interval,
        confidence_level,
        *_overlap(log, w),
        e_value=evidence,
    )


@validate_params(
    {
        "action": ["array-like"],
        "reward": ["array-like"],
        "propensity": ["array-like"],
        "target": [object],
        **{k: SETTINGS[k] for k in SETTINGS if k != "interval"},
        "n_points": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
@shared_docs(policy_value)
def policy_value_curve(
    action,
    reward,
    propensity,
    target,
    *,
    X=None,
    labels=None,
    estimator="snips",
    predicted_reward=None,
    confidence_level=0.95,
    reward_range=(0, 1),
    horizon=None,
    policy="best",
    n_points=50,
):
    """Estimate the value of a policy at many times, with a band valid at all of them.

    Parameters
    ----------
    action : see policy_value
    reward : see policy_value
    propensity : see policy_value
    target : see policy_value
    X : see policy_value
    labels : see policy_value
    estimator : see policy_value
    predicted_reward : see policy_value
    confidence_level : see policy_value
    reward_range : see policy_value
    horizon : see policy_value
    policy : see policy_value
    n_points : int, default=50
        Times, evenly spaced over the rows.

    Returns
    -------
    Bunch
        ``times``, numbers of rows; ``value``, ``lower`` and ``upper``, arrays of shape
        (n_points,).

    See Also
    --------
    policy_value : The value at the end.
    PolicyValueDisplay : Draws the curve.

    Examples
    --------
    >>> from sklearn_ext.bandits import policy_value_curve
    >>> log = [0, 1] * 100, [1, 0] * 100, [0.5] * 200
    >>> policy_value_curve(*log, [0] * 200, n_points=2).times
    array([100, 200])
    """
    log = Logged.of(action, reward, propensity, labels)
    p = log.target(target, X, policy)
    w = log.weights(p)
    predicted = _check_predicted(predicted_reward, log, estimator)
    terms = _Terms.of(log, w, p, predicted, estimator, reward_range)
    n = len(log)
    times = np.unique(np.linspace(0, n, min(n_points, n) + 1).astype(int)[1:])
    value, bounds, start = [], [], (None, None)
    for t in times:
        start = terms.first(t).mean_bounds(1 - confidence_level, horizon, start)
        bounds.append(terms.ends(*start))
        value.append(_value(log, w, p, predicted, estimator, t))
    ends = np.reshape(bounds, (-1, 2)).T
    lower, upper = _within(*ends, terms.low, terms.high)
    return Bunch(times=times, value=np.array(value), lower=lower, upper=upper)


@dataclass(frozen=True)
class _Terms:
    """Terms whose means are the value, and one less it, on the scale of 0 to 1."""

    gains: np.ndarray
    losses: np.ndarray
    shift: float  # what was added to both means, so that no term is negative
    low: float
    high: float

    @classmethod
    def of(cls, log, w, p, predicted, estimator, reward_range):
        if estimator == "dm":
            raise ValueError(
                "estimator='dm' has no interval: nothing bounds the error of a model. "
                "Pass interval=None, or take 'dr'."
            )
        low, high = _range(reward_range, log)
        r = (log.reward - low) / (high - low)
        if estimator != "dr":
            return cls(w * r, w * (1 - r), 0.0, low, high)
        f = np.clip((predicted - low) / (high - low), 0, 1)
        gains, losses = (_robust(log, w, p, *x) for x in ((r, f), (1 - r, 1 - f)))
        return cls(gains, losses, CAP, low, high)

    def first(self, n):
        return _Terms(self.gains[:n], self.losses[:n], self.shift, self.low, self.high)

    def mean_bounds(self, alpha, horizon, start=(None, None)):
        parts = zip((self.gains, self.losses), start, strict=True)
        return [
            lower_bound(x, alpha / 2, horizon=horizon, start=guess)
            for x, guess in parts
        ]

    def ends(self, gain, loss):
        size = self.high - self.low
        lower, upper = (min(max(x - self.shift, 0.0), 1.0) for x in (gain, loss))
        return self.low + size * lower, self.high - size * upper


def _within(lower, upper, low, high):
    """Keep ends within the range; where nothing lies between, it is all they say."""
    lower, upper = np.clip(lower, low, high), np.clip(upper, low, high)
    empty = lower > upper
    if np.any(empty):
        warn(
            "The log contradicts itself: at this confidence no value agrees with the "
            "propensities, as happens where actions were drawn far more often than "
            "they say. The interval is the whole range; check the propensities."
        )
    lower, upper = np.where(empty, low, lower), np.where(empty, high, upper)
    return (lower, upper) if np.ndim(lower) else (float(lower), float(upper))


def _robust(log, w, p, r, f):
    """Return w (r - g) + sum_a p_a g_a + CAP with g capped so that none is negative."""
    if log.probabilities is None:
        raise ValueError(
            "The betting interval of 'dr' needs the probabilities of all actions: pass "
            "Decisions.probabilities as propensity, or interval=None."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        cap = CAP * log.probabilities / p
    g = np.where(p > 0, np.minimum(f, cap), 0.0)
    taken = g[np.arange(len(log)), log.action]
    return np.maximum(w * (r - taken) + (p * g).sum(axis=1) + CAP, 0.0)


def _range(reward_range, log):
    if reward_range is None:
        raise ValueError(
            "A betting interval needs reward_range, the lowest and the highest reward "
            "that there can be; or pass interval=None."
        )
    bounds = np.asarray(reward_range, dtype=np.float64)
    if bounds.shape != (2,) or not 0 < bounds[1] - bounds[0] < np.inf:
        raise ValueError(
            "reward_range must be the lowest and the highest reward, both finite; got "
            f"{reward_range!r}."
        )
    check_reward(log.reward, len(log), bounds.tolist())
    return bounds.tolist()


def _check_predicted(predicted, log, estimator):
    if estimator not in ("dr", "dm"):
        return None
    if predicted is None:
        raise ValueError(
            f"estimator={estimator!r} needs predicted_reward, of shape "
            f"{(len(log), len(log.labels))}: what a bandit predicted when it decided, "
            "or cross_fit_rewards."
        )
    predicted = np.asarray(predicted, dtype=np.float64)
    check_order(log.given, log.labels, "predicted_reward")
    shape = (len(log), len(log.labels))
    if predicted.shape != shape or not np.isfinite(predicted).all():
        raise ValueError(
            f"predicted_reward must be finite and of shape {shape}, a column for each "
            f"of the actions {log.labels.tolist()}; got the shape {predicted.shape}."
        )
    return predicted


def _mean(log, w, estimator, n=None):
    w, r = w[:n], log.reward[:n]
    total = w.sum()
    if not total > 0:
        return float("nan")
    return float(w @ r / (total if estimator == "snips" else len(w)))


def _value(log, w, p, predicted, estimator, n=None):
    if predicted is None:
        return _mean(log, w, estimator, n)
    model = (p[:n] * predicted[:n]).sum(axis=1)
    if estimator == "dm":
        return float(model.mean())
    return float((model + _errors(log, w, predicted)[:n]).mean())


def _errors(log, w, predicted):
    return w * (log.reward - predicted[np.arange(len(log)), log.action])


def _pull(log, w, value, estimator):
    """Return what each row adds to the estimate, around its mean."""
    if estimator == "snips":
        return w * (log.reward - value) / w.mean()
    return w * log.reward - value


def _half_width(log, w, p, predicted, estimator, value, confidence_level):
    if estimator == "dm":
        raise ValueError(
            "estimator='dm' has no interval: nothing bounds the error of a model. Pass "
            "interval=None, or take 'dr'."
        )
    if estimator == "dr":
        pull = (p * predicted).sum(axis=1) + _errors(log, w, predicted) - value
    else:
        pull = _pull(log, w, value, estimator)
    return _normal(pull, confidence_level)


def _normal(pull, confidence_level):
    return float(
        ndtri(0.5 + confidence_level / 2) * np.sqrt((pull**2).sum()) / len(pull)
    )


def _overlap(log, w):
    return len(log), effective_size(w), float(w.max(initial=0.0))
