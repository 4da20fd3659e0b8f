"""Is it calibrated, and does the confidence find the errors? With intervals."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.special import digamma, ndtri
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from sklearn_ext._core._validation import check_level, check_weights, warn

CELLS = 2**22  # simulated outcomes that are held at a time


# what is measured: a confidence for every row, and whether the row was right


@dataclass(frozen=True)
class Judged:
    """Rows with a confidence each, and the outcome that it is about."""

    confidence: np.ndarray  # (n_samples,)
    hit: np.ndarray  # (n_samples,), 0.0 or 1.0
    weight: np.ndarray  # (n_samples,), all positive

    @classmethod
    def of(cls, confidence, hit, sample_weight=None):
        """Check a confidence and drop the rows without weight."""
        confidence = column_or_1d(confidence, dtype=np.float64)
        confidence = check_array(confidence[:, None], input_name="confidence")[:, 0]
        check_consistent_length(confidence, hit)
        _check_range(confidence, "confidence must be a probability")
        weight = check_weights(sample_weight, confidence, dtype=np.float64)
        kept = weight > 0
        hit = np.asarray(hit, dtype=np.float64)
        return cls(confidence[kept], hit[kept], weight[kept])

    def levels(self):
        """Group rows of equal confidence, from the least confident on."""
        level, group = np.unique(self.confidence, return_inverse=True)
        weight = np.bincount(group, self.weight)
        return level, group, weight, np.bincount(group, self.weight * self.hit)


def top_label(y_true, y_proba, y_pred, confidence, labels=None):
    """Return confidence and correctness of the predicted class.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes) or None
        Probabilities; one column is that of the second class.
    y_pred : array-like of shape (n_samples,) or None
        Predicted classes; None means the most probable.
    confidence : array-like of shape (n_samples,) or None
        Probability that the prediction is right; None means that of the class.
    labels : array-like of shape (n_classes,) or None
        Classes of the columns.

    Returns
    -------
    confidence, hit : ndarray of shape (n_samples,)
        Probability of being right, and whether the row was.
    """
    y_true = column_or_1d(y_true)
    if y_proba is None:
        if y_pred is None or confidence is None:
            raise ValueError(
                "Give either y_proba, or both y_pred and confidence; got "
                f"y_pred={'None' if y_pred is None else 'given'} and "
                f"confidence={'None' if confidence is None else 'given'}."
            )
    else:
        classes, proba = class_probabilities(y_true, y_proba, labels)
        if y_pred is None:
            # as predict has it: the first of equals
            y_pred = classes[proba.argmax(axis=1)]
        if confidence is None:
            place = _places(classes, column_or_1d(y_pred), "y_pred")
            confidence = proba[np.arange(len(proba)), place]
    y_pred = column_or_1d(y_pred)
    check_consistent_length(y_true, y_pred)
    return confidence, y_true == y_pred


def class_probabilities(y_true, y_proba, labels=None):
    """Return the classes, and one checked column of probabilities for each."""
    proba = check_array(
        y_proba, ensure_2d=False, dtype=np.float64, input_name="y_proba"
    )
    check_consistent_length(y_true, proba)
    if proba.ndim == 1 or proba.shape[1] == 1:
        second = proba.reshape(-1)
        proba = np.column_stack([1 - second, second])
    _check_range(proba, "y_proba must hold probabilities")
    away = abs(proba.sum(axis=1) - 1).max()
    if away > 1e-4:  # what float32 leaves of many classes is less
        raise ValueError(
            f"The rows of y_proba must sum to one; the largest deviation is {away:.3g}."
        )
    found = np.unique(y_true)
    classes = found if labels is None else np.unique(labels)
    if len(classes) != proba.shape[1]:
        raise ValueError(
            f"y_proba has {proba.shape[1]} classes but "
            f"{'y_true' if labels is None else 'labels'} has {len(classes)}: pass the "
            "classes of the columns as labels=model.classes_."
        )
    return classes, proba


def _check_range(proba, wanted):
    low, high = proba.min(), proba.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"{wanted} between 0 and 1, got values from {low:g} to {high:g}."
        )


def _places(classes, y, name):
    place = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = classes[place] != y
    if unknown.any():
        raise ValueError(
            f"{name} has the class {np.asarray(y)[unknown][0]!r}, which is none of "
            f"{classes.tolist()}."
        )
    return place


# calibration: bins, an interval that survives zero, a test by simulation


def bins_of(judged, n_bins):
    """Deal rows to bins of equal weight; rows of equal confidence stay together.

    Parameters
    ----------
    judged : Judged
        The rows.
    n_bins : int or "auto"
        Number of bins; "auto" grows with the power 2/5 of the weight.

    Returns
    -------
    ndarray of shape (n_samples,)
        Bin of each row, without gaps, ascending with the confidence.
    """
    _, group, weight, _ = judged.levels()
    total = weight.sum()
    if isinstance(n_bins, str):
        if n_bins != "auto":
            raise ValueError(f"n_bins must be 'auto' or an int, got {n_bins!r}.")
        n_bins = int(np.clip(2 * total**0.4, 5, 50))
    elif not isinstance(n_bins, Integral) or n_bins < 1:
        raise ValueError(f"n_bins must be 'auto' or a positive int, got {n_bins!r}.")
    middle = np.cumsum(weight) - weight / 2
    bin_of = np.minimum((n_bins * middle / total).astype(int), n_bins - 1)
    return np.unique(bin_of, return_inverse=True)[1][group]


def calibration_error(
    y_true,
    y_proba=None,
    *,
    y_pred=None,
    confidence=None,
    kind="top",
    n_bins="auto",
    labels=None,
    sample_weight=None,
    confidence_level=0.95,
):
    """Root mean squared calibration error, with an interval that is valid at zero.

    In bins of equal mass the squared difference of accuracy and mean confidence is
    averaged after what chance adds to it is subtracted, so a calibrated model is told
    zero and not a positive number that falls with the sample. The interval takes the
    variance at each hypothetical error: it neither collapses at zero nor needs a
    bootstrap. Binning can hide error, never invent it. Cost is one sort.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Probabilities; one column is the probability of the second class. May be left
        out where ``y_pred`` and ``confidence`` are given.
    y_pred : array-like of shape (n_samples,), default=None
        Predicted classes; None means the most probable.
    confidence : array-like of shape (n_samples,), default=None
        Probability that the prediction is right; None means that of the class.
    kind : {"top", "classwise"}, default="top"
        Calibration of the confidence in the prediction, or of each class's
        probability with intervals that hold together (Bonferroni).
    n_bins : int or "auto", default="auto"
        Bins of equal mass; "auto" is ``2 * n ** 0.4``, between 5 and 50.
    labels : array-like of shape (n_classes,), default=None
        Classes of the columns, where ``y_true`` may lack some.
    sample_weight : array-like of shape (n_samples,), default=None
        How often each row counts.
    confidence_level : float, default=0.95
        Level of the interval.

    Returns
    -------
    Bunch
        ``error``, ``low``, ``high``: root mean squared error in units of probability;
        ``squared``: its square before it is cut at zero; ``n_bins``: bins that were
        used. With ``kind="classwise"`` each is an array of one entry a class.

    Raises
    ------
    ValueError
        When probabilities do not sum to one, or something needed is missing.

    See Also
    --------
    calibration_test : Test of calibration by simulation.
    sklearn.calibration.calibration_curve : The curve without an interval.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.calibration import calibration_error
    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.5, 1, 2000)
    >>> y = rng.random(2000) < p - 0.1
    >>> found = calibration_error(y, p)
    >>> found.low < 0.1 < found.high
    True
    """
    check_level(confidence_level)
    _check_option("kind", kind, ("top", "classwise"))
    if kind == "top":
        answer = top_label(y_true, y_proba, y_pred, confidence, labels)
        return Bunch(
            **_one_error(Judged.of(*answer, sample_weight), n_bins, confidence_level)
        )
    if y_proba is None:
        raise ValueError("kind='classwise' needs y_proba, got None.")
    y_true = column_or_1d(y_true)
    classes, proba = class_probabilities(y_true, y_proba, labels)
    level = 1 - (1 - confidence_level) / len(classes)
    found = [
        _one_error(Judged.of(p, y_true == c, sample_weight), n_bins, level)
        for c, p in zip(classes, proba.T, strict=True)
    ]
    return Bunch(**{name: np.array([f[name] for f in found]) for name in found[0]})


def _one_error(judged, n_bins, confidence_level):
    """Return the debiased calibration error of binned rows, and its interval.

    The variance of the estimate is taken at each hypothetical error (Wilson's device),
    so the interval has a width where the estimate is zero.
    """
    bin_of = bins_of(judged, n_bins)
    w, r = judged.weight, judged.hit - judged.confidence
    mass = np.bincount(bin_of, w)
    mean = np.bincount(bin_of, w * r) / mass
    spread = np.bincount(bin_of, w * (r - mean[bin_of]) ** 2)
    # a single row has no spread: take what its confidence says
    said = np.bincount(bin_of, w * judged.confidence * (1 - judged.confidence)) / mass
    one = mass <= 1
    variance = np.where(one, said, spread / np.where(one, 1, mass - 1)) / mass
    share = mass / mass.sum()
    squared = share @ (mean**2 - variance)
    fixed = 2 * (share**2) @ variance**2
    slope = 4 * (share * variance).max()
    q = ndtri((1 + confidence_level) / 2)
    middle = squared + q**2 * slope / 2
    half = q * np.sqrt(fixed + slope * max(squared, 0) + q**2 * slope**2 / 4)
    return {
        "error": float(max(squared, 0)) ** 0.5,
        "low": float(max(middle - half, 0)) ** 0.5,
        "high": float(max(middle + half, 0)) ** 0.5,
        "squared": float(squared),
        "n_bins": int(bin_of.max() + 1),
    }


def simulate(confidence, n_draws, rng):
    """Yield blocks of outcomes as a calibrated model would meet them.

    Parameters
    ----------
    confidence : ndarray of shape (n_samples,)
        Probability of a hit.
    n_draws : int
        Draws in all.
    rng : RandomState
        The generator.

    Yields
    ------
    ndarray of shape (n_block, n_samples), dtype bool
        Outcomes.
    """
    step = max(1, CELLS // max(1, len(confidence)))
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        yield rng.random_sample((size, len(confidence))) < confidence


def calibration_test(
    y_true,
    y_proba=None,
    *,
    y_pred=None,
    confidence=None,
    n_bins="auto",
    labels=None,
    n_draws=999,
    statistic="both",
    random_state=None,
):
    """Test whether confidences are calibrated, exactly and by simulation.

    If they are, each row is right with its own probability, independently; outcomes so
    drawn give any statistic's law, hence a p-value that is exact in finite samples.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Probabilities; one column is the probability of the second class. May be left
        out where ``y_pred`` and ``confidence`` are given.
    y_pred : array-like of shape (n_samples,), default=None
        Predicted classes; None means the most probable.
    confidence : array-like of shape (n_samples,), default=None
        Probability that the prediction is right; None means that of the class.
    n_bins : int or "auto", default="auto"
        Bins of the binned statistic; "auto" is ``2 * n ** 0.4``, between 5 and 50.
    labels : array-like of shape (n_classes,), default=None
        Classes of the columns, where ``y_true`` may lack some.
    n_draws : int, default=999
        Simulated outcomes; the smallest p-value is ``1 / (1 + n_draws)``.
    statistic : {"both", "binned", "spiegelhalter"}, default="both"
        Squared differences in bins, which find wiggles; Spiegelhalter's, stronger
        against plain over- and underconfidence; or the smaller p-value of both, twice.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    Bunch
        ``statistic``: the value, for both a dict of two; ``pvalue``.

    See Also
    --------
    calibration_error : How large the error is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.calibration import calibration_test
    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(500)
    >>> y = rng.random(500) < p
    >>> bool(calibration_test(y, p, random_state=0).pvalue > 0.05)
    True
    """
    _check_option("statistic", statistic, ("both", "binned", "spiegelhalter"))
    if not isinstance(n_draws, Integral) or n_draws < 1:
        raise ValueError(f"n_draws must be a positive int, got {n_draws!r}.")
    judged = Judged.of(*top_label(y_true, y_proba, y_pred, confidence, labels))
    order = np.argsort(judged.confidence, kind="stable")
    c, hit = judged.confidence[order], judged.hit[order]
    bin_of = bins_of(judged, n_bins)[order]
    starts = np.flatnonzero(np.diff(bin_of, prepend=-1))
    mass = np.diff(starts, append=len(c))

    def binned(outcomes):
        gaps = np.add.reduceat(outcomes - c, starts, axis=1)
        return (gaps**2 / mass).sum(axis=1)

    def spiegelhalter(outcomes):
        return abs((outcomes - c) @ (1 - 2 * c))

    known = {"binned": binned, "spiegelhalter": spiegelhalter}
    used = known if statistic == "both" else {statistic: known[statistic]}
    seen = {name: float(measure(hit[None])[0]) for name, measure in used.items()}
    above = dict.fromkeys(used, 0)
    for outcomes in simulate(c, n_draws, check_random_state(random_state)):
        for name, measure in used.items():
            # equal outcomes differ by rounding alone
            least = seen[name] - 1e-9 * (1 + seen[name])
            above[name] += int((measure(outcomes) >= least).sum())
    pvalues = [(1 + count) / (1 + n_draws) for count in above.values()]
    return Bunch(
        statistic=seen if statistic == "both" else seen[statistic],
        pvalue=min(1.0, len(used) * min(pvalues)),
    )


# does the confidence find the errors?


def harmonic(m):
    """Return the harmonic number of a count, also of one that is no integer."""
    return digamma(np.asarray(m, dtype=np.float64) + 1) + np.euler_gamma


def _decreasing(judged):
    """Levels from the most confident on: group of rows, weight, mean error."""
    level, group, weight, hits = judged.levels()
    weight, hits = weight[::-1], hits[::-1]
    return len(level) - 1 - group, weight, 1 - hits / weight


def risk_coverage_area(judged, kind):
    """Area under the risk-coverage curve, and each row's influence on it.

    Parameters
    ----------
    judged : Judged
        The rows.
    kind : {"selective", "generalized"}
        Errors over accepted rows, or over all rows.

    Returns
    -------
    area : float
        The area; ties count as their mean over all orders.
    influence : ndarray of shape (n_samples,)
        Influence of the rows; its mean is zero but for terms of order 1 / n.
    """
    group, weight, error = _decreasing(judged)
    total = weight.sum()
    after = np.cumsum(weight)
    before = np.concatenate([[0.0], after[:-1]])
    if kind == "selective":
        primitive = after * harmonic(after) - after
        cost = harmonic(total) - np.diff(primitive, prepend=0.0) / weight
        moved = error * (harmonic(after) - harmonic(before))
    else:
        cost = (total - (before + after) / 2 + 0.5) / total
        moved = error * weight / total
    area = float(error @ (weight * cost) / total)
    # raising a row costs those below it their ranks; half of its own level
    below = np.cumsum(moved[::-1])[::-1] - moved / 2
    level = error @ weight / total
    own = (1 - judged.hit) * cost[group] - below[group]
    centre = level - area if kind == "selective" else level - 2 * area
    return area, own + centre


def _oracle(judged, kind):
    """Area of the confidence that ranks every error last, and its slope in the rate."""
    perfect = Judged(judged.hit, judged.hit, judged.weight)
    area, _ = risk_coverage_area(perfect, kind)
    rate = 1 - np.average(judged.hit, weights=judged.weight)
    if kind == "generalized":
        return area, rate
    return area, -np.log(max(1 - rate, 1e-300)) if rate < 1 else 1.0


def area_under_risk_coverage(
    y_true,
    y_pred,
    confidence,
    *,
    kind="selective",
    excess=False,
    sample_weight=None,
    confidence_level=None,
):
    """Area under the risk-coverage curve, small where errors come last.

    Rows are accepted from the most confident on; the error among the accepted ones is
    averaged over all shares that may be accepted. A random order gives the error rate
    r, an order that has all errors last about ``r + (1 - r) * log(1 - r)``. Rows of
    equal confidence count as the mean over all their orders. The standard error comes
    from the influence of each row, without resampling. Cost is one sort.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_pred : array-like of shape (n_samples,)
        Predicted classes.
    confidence : array-like of shape (n_samples,)
        Probability that the prediction is right; only its order matters.
    kind : {"selective", "generalized"}, default="selective"
        Errors over accepted rows, or over all rows, which weighs the rows that are
        accepted first less.
    excess : bool, default=False
        Whether to subtract the area of the best order.
    sample_weight : array-like of shape (n_samples,), default=None
        How often each row counts.
    confidence_level : float, default=None
        Level of an interval; None for the number alone.

    Returns
    -------
    float or Bunch
        The area; with a ``confidence_level`` a bunch of ``area``, ``low``, ``high``
        and ``standard_error``.

    See Also
    --------
    correctness_auc : Ranking of errors whatever their rate.
    RiskCoverageDisplay : The curve.

    Examples
    --------
    >>> from sklearn_ext.calibration import area_under_risk_coverage
    >>> area_under_risk_coverage([0, 1, 1, 0], [0, 1, 1, 1], [0.9, 0.8, 0.7, 0.6])
    0.0625
    """
    _check_option("kind", kind, ("selective", "generalized"))
    judged = Judged.of(*top_label(y_true, None, y_pred, confidence), sample_weight)
    area, influence = risk_coverage_area(judged, kind)
    if excess:
        best, slope = _oracle(judged, kind)
        rate = 1 - np.average(judged.hit, weights=judged.weight)
        area, influence = area - best, influence - slope * (1 - judged.hit - rate)
    error = np.sqrt(judged.weight @ influence**2) / judged.weight.sum()
    return _with_interval(area, error, confidence_level)


def _with_interval(area, error, confidence_level):
    """Return an area, or with a level a bunch of it, its interval and its error."""
    if confidence_level is None:
        return float(area)
    check_level(confidence_level)
    half = ndtri((1 + confidence_level) / 2) * error
    low, high = np.clip([area - half, area + half], 0, 1)
    return Bunch(
        area=float(area), low=float(low), high=float(high), standard_error=float(error)
    )


def correctness_auc(
    y_true, y_pred, confidence, *, sample_weight=None, confidence_level=None
):
    """Probability that a right prediction has more confidence than a wrong one.

    The area under the ROC curve of correctness, with the interval of DeLong from
    midranks in one sort. Half is no better than chance.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_pred : array-like of shape (n_samples,)
        Predicted classes.
    confidence : array-like of shape (n_samples,)
        Probability that the prediction is right; only its order matters.
    sample_weight : array-like of shape (n_samples,), default=None
        How often each row counts.
    confidence_level : float, default=None
        Level of an interval; None for the number alone.

    Returns
    -------
    float or Bunch
        The area; with a ``confidence_level`` a bunch of ``area``, ``low``, ``high``
        and ``standard_error``. NaN, with a warning, where all or no rows are right.

    See Also
    --------
    area_under_risk_coverage : Weighs the errors that are accepted first more.

    Examples
    --------
    >>> from sklearn_ext.calibration import correctness_auc
    >>> correctness_auc([0, 1, 1, 0], [0, 1, 1, 1], [0.9, 0.8, 0.5, 0.6])
    0.6666666666666666
    """
    judged = Judged.of(*top_label(y_true, None, y_pred, confidence), sample_weight)
    _, group, weight, hits = judged.levels()
    misses = weight - hits
    right, wrong = hits.sum(), misses.sum()
    if min(right, wrong) <= 0:
        warn(
            f"correctness_auc is not defined where "
            f"{'no' if right <= 0 else 'every'} prediction is right: NaN.",
            UndefinedMetricWarning,
        )
        area, error = np.nan, np.nan
    else:
        passed = ((np.cumsum(misses) - misses / 2) / wrong)[group]
        above = ((right - np.cumsum(hits) + hits / 2) / right)[group]
        is_hit, w = judged.hit == 1, judged.weight
        area = hits / right @ ((np.cumsum(misses) - misses / 2) / wrong)
        variance = _mean_variance(passed[is_hit], w[is_hit])
        error = np.sqrt(variance + _mean_variance(above[~is_hit], w[~is_hit]))
    return _with_interval(area, error, confidence_level)


def _mean_variance(values, weight):
    total = weight.sum()
    mean = weight @ values / total
    return weight @ (values - mean) ** 2 / max(total - 1, 1) / total


# the log-loss, in two parts


def log_loss_split(y_true, y_proba, *, labels=None, sample_weight=None):
    """Split the log-loss into that of being right and that of the rest.

    With the confidence c in the predicted class and q the probabilities of the others
    given that it is wrong, every row's log-loss is that of c against correctness plus,
    where the row is wrong, that of q: the chain rule. So with parameters of their own
    there is no conflict between calibrating correctness and the log-loss; with two
    classes they are the same.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Probabilities; one column is the probability of the second class.
    labels : array-like of shape (n_classes,), default=None
        Classes of the columns, where ``y_true`` may lack some.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    Bunch
        ``correctness``, ``rest`` and their sum ``total``, the log-loss.

    See Also
    --------
    sklearn.metrics.log_loss : The total.

    Examples
    --------
    >>> from sklearn_ext.calibration import log_loss_split
    >>> parts = log_loss_split([0, 1, 2], [[0.8, 0.1, 0.1]] * 3)
    >>> [round(value, 3) for value in parts.values()]
    [1.147, 0.462, 1.609]
    """
    y_true = column_or_1d(y_true)
    classes, proba = class_probabilities(y_true, y_proba, labels)
    w = check_weights(sample_weight, y_true, dtype=np.float64)
    code = _places(classes, y_true, "y_true")
    rows, best = np.arange(len(proba)), proba.argmax(axis=1)
    dtype = np.asarray(y_proba).dtype
    eps = np.finfo(dtype).eps if dtype.kind == "f" else 2.2e-16
    c = proba[rows, best].clip(eps, 1 - eps)
    right = best == code
    correctness = -np.where(right, np.log(c), np.log1p(-c))
    total = -np.log(proba[rows, code].clip(eps, 1 - eps))
    parts = np.average(np.stack([correctness, total]), axis=1, weights=w)
    return Bunch(
        correctness=float(parts[0]),
        rest=float(parts[1] - parts[0]),
        total=float(parts[1]),
    )


def correctness_log_loss(hit, confidence, weight):
    """Return the log-loss of confidences against correctness."""
    c = np.clip(confidence, 1e-15, 1 - 1e-15)
    return float(-np.average(np.where(hit, np.log(c), np.log1p(-c)), weights=weight))


# scorers


def confidence_of(estimator, X):
    """Return a fitted classifier's confidence, and its predictions.

    Parameters
    ----------
    estimator : object
        A classifier with ``confidence``, or with ``predict_proba``.
    X : array-like
        Rows.

    Returns
    -------
    y_pred, confidence : ndarray of shape (n_samples,)
        Predictions, and the probability that they are right.
    """
    y_pred = estimator.predict(X)
    if hasattr(estimator, "confidence"):
        return y_pred, estimator.confidence(X)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has neither confidence nor predict_proba: a "
            "confidence needs one of them."
        )
    return y_pred, estimator.predict_proba(X).max(axis=1)


def _log_loss(y_true, y_pred, confidence, *, sample_weight):
    judged = Judged.of(*top_label(y_true, None, y_pred, confidence), sample_weight)
    return correctness_log_loss(judged.hit == 1, judged.confidence, judged.weight)


SCORES = {  # with the sign that makes larger better
    "correctness_auc": (1, correctness_auc),
    "neg_area_under_risk_coverage": (-1, area_under_risk_coverage),
    "neg_correctness_log_loss": (-1, _log_loss),
}


@dataclass(frozen=True)
class CalibrationScorer:
    """A scorer of confidences, as ``scoring`` takes it."""

    name: str

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score a fitted classifier: larger is better."""
        sign, score = SCORES[self.name]
        return sign * score(
            y, *confidence_of(estimator, X), sample_weight=sample_weight
        )


def get_calibration_scorer(name):
    """Return a scorer for ``scoring`` of searches and cross-validation.

    It scores ``confidence(X)`` where the estimator has it, else the largest of
    ``predict_proba``.

    Parameters
    ----------
    name : str
        "neg_correctness_log_loss", "correctness_auc" or
        "neg_area_under_risk_coverage".

    Returns
    -------
    callable
        Called with estimator, X and y; larger is better.

    See Also
    --------
    sklearn.metrics.get_scorer : Scorers of predictions.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_ext.calibration import get_calibration_scorer
    >>> scorer = get_calibration_scorer("neg_correctness_log_loss")
    >>> X, y = load_wine(return_X_y=True)
    >>> scores = cross_val_score(GaussianNB(), X, y, scoring=scorer)
    """
    if name not in SCORES:
        raise ValueError(f"name must be one of {sorted(SCORES)}, got {name!r}.")
    return CalibrationScorer(name)


def _check_option(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be one of {list(allowed)}, got {value!r}.")
