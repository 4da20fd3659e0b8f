"""How many labels are wrong, which classes are confused, and whose label is wrong."""

from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from sklearn_ext._core._pipelines import innermost
from sklearn_ext._core._validation import check_level
from sklearn_ext.losses._comp_sum_cv import CompSumClassifierCV
from sklearn_ext.losses._linear import check_rows, codes_of

TEMPERATURES = np.geomspace(0.02, 32, 23)
NEAR = 4.0  # log-likelihood; below the best by less, rows cannot tell settings apart
TRACE = 1e-12


@dataclass(frozen=True)
class NoiseReport:
    """What the held-out models say of the labels.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Labels.
    noise_rate : float
        Estimated share of wrong labels.
    noise_rate_interval : ndarray of shape (2,)
        Its bootstrap interval.
    confusion : ndarray of shape (n_classes, n_classes)
        Probability that a row of the true class k (row) bears the label j (column).
    confusion_interval : ndarray of shape (2, n_classes, n_classes)
        Lower and upper ends, entry by entry.
    wrong_proba : ndarray of shape (n_samples,)
        Probability that the label of a row is wrong.
    likely : ndarray of shape (n_samples,)
        The likeliest true label of each row.
    temperature : float
        By which the models' scores were divided.

    See Also
    --------
    noise_report : Makes it.
    NoiseReportDisplay : Draws it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifierCV, noise_report
    >>> X, y = load_iris(return_X_y=True)
    >>> report = noise_report(CompSumClassifierCV(Cs=3).fit(X, y), X, y)
    >>> report.noise_rate < 0.1
    True
    """

    classes: np.ndarray
    noise_rate: float
    noise_rate_interval: np.ndarray
    confusion: np.ndarray
    confusion_interval: np.ndarray
    wrong_proba: np.ndarray
    likely: np.ndarray
    temperature: float


def noise_report(
    estimator,
    X,
    y,
    sample_weight=None,
    *,
    groups=None,
    confidence_level=0.95,
    n_bootstrap=100,
    random_state=None,
):
    r"""Estimate how many labels are wrong, and which.

    Models are fitted to five folds in two ways: with the ``tau`` and ``C`` that are
    best for all rows, suspect or not, and as logistic regressions with the ``C`` of
    least held-out log-loss. Their softmax, with a temperature, stands for the
    probabilities p of the true classes of held-out rows. A row of true class k bears
    the label j with probability :math:`T_{kj}`. The way, the temperature and T maximise
    the likelihood :math:`\sum_i \log \sum_k p_{ik} T_{k y_i}` of the labels (T by EM),
    and Bayes' rule gives the probability that a label is wrong. A flat temperature
    explains errors of the model, T those of the labels; where the linear model is poor
    and sure, T takes its errors for noise, and where it learns the noise the rate is
    too low. Few rows do not tell these apart; then the interval is wide, as each
    resample chooses way and temperature among those that the rows do not rule out.

    Parameters
    ----------
    estimator : CompSumClassifierCV
        Fitted, to these rows or to others; or a Pipeline that ends in one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Labels, of which some may be wrong.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows; the bootstrap draws rows, not weights.
    groups : array-like of shape (n_samples,), default=None
        Groups for the estimator's splitter, if it wants any.
    confidence_level : float, default=0.95
        Of the intervals, which hold the spread of rows and of temperatures, but take
        the models as they are.
    n_bootstrap : int, default=100
        Resamples.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap.

    Returns
    -------
    NoiseReport
        Rate, confusion and rows.

    See Also
    --------
    CompSumClassifier.label_quality : The ranking alone, from a single fit.

    References
    ----------
    .. [1] A. Dawid, A. Skene, "Maximum Likelihood Estimation of Observer Error-Rates
       Using the EM Algorithm", Applied Statistics 28, 1979.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifierCV, noise_report
    >>> X, y = load_iris(return_X_y=True)
    >>> y[::10] = (y[::10] + 1) % 3
    >>> report = noise_report(CompSumClassifierCV(Cs=3).fit(X, y), X, y)
    >>> 0.05 < report.noise_rate < 0.15
    True
    """
    estimator, (X,), _ = innermost(
        estimator, X, wanted=CompSumClassifierCV, user="noise_report"
    )
    check_level(confidence_level)
    check_scalar(n_bootstrap, "n_bootstrap", Integral, min_val=2)
    codes = codes_of(estimator, check_rows(estimator, X), y)
    if len(np.unique(codes)) < 2:
        raise ValueError(
            "noise_report needs rows of at least two classes, got one class in y: "
            f"{estimator.classes_[codes[:1]].tolist()[0]!r}."
        )
    probas, w = estimator.held_out(X, y, sample_weight, groups)
    rows = np.flatnonzero((probas[0].sum(axis=1) > 0) & (w > 0))
    ways = [np.log(np.maximum(proba, 1e-300)) for proba in probas]
    fits = []
    for logs in ways:
        for temperature in TEMPERATURES:
            p = _tempered(logs[rows], temperature)
            fits.append(_Fit(logs, temperature, *transition(p, codes[rows], w[rows])))
    best = max(fits, key=lambda fit: fit.value)
    near = [fit for fit in fits if len(rows) * (best.value - fit.value) < NEAR]
    p = _tempered(best.logs, best.temperature)
    wrong, posterior = _posterior(p, codes, best.transition)
    rng = check_random_state(random_state)
    rates, tables = [], []
    for _ in range(n_bootstrap):
        drawn = np.bincount(rng.choice(len(rows), len(rows)), minlength=len(rows))
        rate, table = _refit(near, rows, codes[rows], drawn * w[rows])
        rates.append(rate)
        tables.append(table)
    ends = [(1 - confidence_level) / 2, (1 + confidence_level) / 2]
    return NoiseReport(
        classes=estimator.classes_,
        noise_rate=float(np.average(wrong[rows], weights=w[rows])),
        noise_rate_interval=np.quantile(rates, ends),
        confusion=best.transition,
        confusion_interval=np.quantile(tables, ends, axis=0),
        wrong_proba=wrong,
        likely=estimator.classes_[posterior.argmax(axis=1)],
        temperature=float(best.temperature),
    )


class _Fit(NamedTuple):
    """Probabilities with a temperature, and the transition that suits them."""

    logs: np.ndarray
    temperature: float
    transition: np.ndarray
    value: float


def _refit(fits, rows, codes, w):
    """Rate and transition of the setting that is best for other weights."""
    found = []
    for fit in fits:
        p = _tempered(fit.logs[rows], fit.temperature)
        T, value = transition(p, codes, w, fit.transition)
        found.append((value, p, T))
    _, p, T = max(found, key=lambda one: one[0])
    return np.average(_posterior(p, codes, T)[0], weights=w), T


def transition(p, codes, w, start=None, *, max_iter=300, tol=1e-7):
    """Probabilities of labels given true classes that make the labels likely.

    Parameters
    ----------
    p : ndarray of shape (n_samples, n_classes)
        Probabilities of the true classes.
    codes : ndarray of shape (n_samples,)
        Labels.
    w : ndarray of shape (n_samples,)
        Weights of the rows.
    start : ndarray of shape (n_classes, n_classes), default=None
        Where EM starts; the likelihood is concave, so that this only saves steps.
    max_iter : int, default=300
        Steps.
    tol : float, default=1e-7
        Increase of the mean log-likelihood at which to stop.

    Returns
    -------
    T : ndarray of shape (n_classes, n_classes)
        True classes in rows, labels in columns.
    value : float
        Mean log-likelihood.
    """
    K = p.shape[1]
    T = 0.8 * np.eye(K) + 0.2 / K if start is None else start + 1e-6
    T, before = T / T.sum(axis=1, keepdims=True), -np.inf
    for _ in range(max_iter):
        joint = p * T[:, codes].T
        total = np.maximum(joint.sum(axis=1), 1e-300)
        value = float(w @ np.log(total) / w.sum())
        if value - before < tol:
            break
        before = value
        share = joint * (w / total)[:, None]
        counts = np.array([np.bincount(codes, column, K) for column in share.T])
        counts += TRACE * np.eye(K)  # a class that nobody has keeps its label
        T = counts / counts.sum(axis=1, keepdims=True)
    return T, value


def _posterior(p, codes, T):
    joint = p * T[:, codes].T
    joint /= np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)
    return 1 - joint[np.arange(len(codes)), codes], joint


def _tempered(logs, temperature):
    logs = logs / temperature
    p = np.exp(logs - logs.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
