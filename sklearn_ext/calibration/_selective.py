"""Abstain where the confidence is low, with a promise about what is answered."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.special import bdtr, betaincinv
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    _safe_indexing,
    validate_params,
)
from sklearn_ext._core._validation import check_level, warn
from sklearn_ext.calibration._correctness import CorrectnessCalibratedClassifier
from sklearn_ext.calibration._folds import whole_folds
from sklearn_ext.calibration._inner import ClassifierInside, fitted, rows_of
from sklearn_ext.calibration._metrics import Judged, confidence_of


def least_rows(target_error, confidence_level):
    """Return the fewest accepted rows that could keep a promise: all of them right."""
    return math.ceil(math.log(1 - confidence_level) / math.log1p(-target_error) - 1e-9)


@dataclass(frozen=True)
class SelectionCurve:
    """What is accepted at every threshold, from the most confident rows on.

    Parameters
    ----------
    thresholds : ndarray of shape (n_levels,)
        Distinct confidences of held-out rows, descending.
    accepted : ndarray of shape (n_levels,), dtype int
        Rows at least as confident.
    errors : ndarray of shape (n_levels,), dtype int
        Errors among them.
    bounds : ndarray of shape (n_levels,)
        Upper Clopper-Pearson bound of the error at each threshold alone.
    confidence_level : float
        Level of the bounds.

    See Also
    --------
    SelectiveClassifierCV : Keeps it as ``selection_``.
    """

    thresholds: np.ndarray
    accepted: np.ndarray
    errors: np.ndarray
    bounds: np.ndarray
    confidence_level: float


def selection_curve(confidence, correct, confidence_level):
    """Count rows and errors above every confidence."""
    check_level(confidence_level)
    correct = np.asarray(correct)
    if not np.isin(correct, (0, 1)).all():
        raise ValueError("correct must say of every row whether it was right, 0 or 1.")
    judged = Judged.of(confidence, correct.astype(bool))
    level, _, mass, hits = (part[::-1] for part in judged.levels())
    accepted = np.cumsum(mass).astype(int)
    errors = np.cumsum(mass - hits).astype(int)
    bounds = upper_bound(errors, accepted, confidence_level)
    return SelectionCurve(level, accepted, errors, bounds, confidence_level)


def certify(curve, target_error, confidence_level, start_fraction, n_thresholds):
    """Test thresholds in a fixed order, and stop at the first failure.

    Returns
    -------
    place, first : int
        The place of the last threshold that passed, None where none did, and of the
        one that was tried first.
    """
    check_level(confidence_level)
    if not 0 < target_error < 1:
        raise ValueError(f"target_error must lie between 0 and 1, got {target_error}.")
    n, least = curve.accepted[-1], least_rows(target_error, confidence_level)
    if n < least:
        raise ValueError(
            f"With target_error={target_error:g} and confidence_level="
            f"{confidence_level:g} at least {least} accepted rows without an error "
            f"are needed; got {n}."
        )
    start = max(start_fraction, least / n)
    ranks = np.ceil(np.linspace(start, 1, n_thresholds) * n - 1e-9)
    places = np.unique(np.searchsorted(curve.accepted, ranks))
    errors, accepted = curve.errors[places].astype(float), curve.accepted[places]
    passed = bdtr(errors, accepted, target_error) <= 1 - confidence_level + 1e-12
    n_passed = len(places) if passed.all() else passed.argmin()
    return int(places[n_passed - 1]) if n_passed else None, int(places[0])


def upper_bound(errors, accepted, confidence_level):
    """Upper Clopper-Pearson bound of an error rate, one-sided."""
    missed = np.maximum(accepted - errors, 1)
    bound = betaincinv(errors + 1, missed, confidence_level)
    return np.where(errors == accepted, 1.0, bound)


@validate_params(
    {
        "confidence": ["array-like"],
        "correct": ["array-like"],
        "start_fraction": [Interval(Real, 0, 1, closed="both")],
        "n_thresholds": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def selective_threshold(
    confidence,
    correct,
    *,
    target_error=0.05,
    confidence_level=0.9,
    start_fraction=0.25,
    n_thresholds=40,
):
    r"""Least confidence whose rows have at most a stated error, with a promise.

    Thresholds are tried from ``start_fraction`` of the rows on to all rows; each has
    the exact p-value :math:`P(\operatorname{Bin}(m, \alpha) \le k)` of "the error is
    above :math:`\alpha`", and the first failure stops. A fixed sequence needs no
    correction: for independent rows that neither the classifier nor its confidence has
    seen, the error above the returned threshold exceeds ``target_error`` with
    probability at most ``1 - confidence_level``. A threshold picked by its empirical
    error breaks its word every second time.

    Parameters
    ----------
    confidence : array-like of shape (n_samples,)
        Probability that the prediction is right; only its order matters.
    correct : array-like of shape (n_samples,)
        Whether it was.
    target_error : float, default=0.05
        Largest error of the rows that are answered.
    confidence_level : float, default=0.9
        Probability that the promise holds.
    start_fraction : float, default=0.25
        Share of rows that is tried first, chosen before looking: below it nothing is
        found, above it much more. 0 starts at the fewest rows that could do.
    n_thresholds : int, default=40
        Thresholds to try.

    Returns
    -------
    float
        The threshold; infinity where nothing can be promised.

    Raises
    ------
    ValueError
        When there are too few rows for any promise.

    See Also
    --------
    SelectiveClassifierCV : The estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ext.calibration import selective_threshold
    >>> rng = np.random.default_rng(0)
    >>> c = rng.uniform(0.5, 1, 2000)
    >>> t = selective_threshold(c, rng.random(2000) < c, target_error=0.2)
    >>> bool(0.5 < t < 0.7)
    True
    """
    curve = selection_curve(confidence, correct, confidence_level)
    place, _ = certify(
        curve, target_error, confidence_level, start_fraction, n_thresholds
    )
    return np.inf if place is None else float(curve.thresholds[place])


def _has_probabilities(model):
    inner = getattr(model, "estimator_", model._base())
    return hasattr(inner, "predict_proba")


class SelectiveClassifierCV(ClassifierInside):
    r"""Answer only where the error is small, with a promise on what is answered.

    A row is accepted where the confidence is at least ``threshold_``: the lowest one
    for which, with probability ``confidence_level`` over the rows of ``fit``, the
    error of accepted rows is at most ``target_error``. See `selective_threshold` for
    the sequence of exact binomial tests behind it.

    With a ``FrozenEstimator`` and rows that it has not seen the promise is a theorem
    for independent rows. With cross-validation it is not: the threshold is certified
    for models of folds and used for the one that is refitted to all rows. On real
    tables it held. Nothing survives a shift: rows from elsewhere are not covered.

    Parameters
    ----------
    estimator : classifier, default=None
        With ``confidence`` or ``predict_proba``; None is logistic regression on
        standardised columns, whatever their scale. The folds of a
        `CorrectnessCalibratedClassifier` are used as they are, so it is fitted once.
    target_error : float or None, default=0.05
        Largest error of accepted rows.
    target_coverage : float, default=None
        Instead of ``target_error=None``: share of rows to accept. No error is promised
        then; ``error_bound_`` says what is known.
    confidence_level : float, default=0.9
        Probability that the promise holds.
    start_fraction : float, default=0.25
        Share of rows that is tried first, chosen before looking; 0 where only few can
        be answered.
    n_thresholds : int, default=40
        Thresholds to try.
    cv : int, splitter or iterable, default=None
        None deals distinct rows to five stratified folds; with ``groups`` it keeps each
        group in one fold.
    n_jobs : int, default=None
        Folds fitted at a time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    estimator_ : classifier
        Fitted to all rows.
    threshold_ : float
        Least confidence that is accepted; infinity where nothing can be promised.
    coverage_ : float
        Share of held-out rows at or above it.
    error_ : float
        Error among them; NaN where there are none.
    error_bound_ : float
        Upper bound of the error at the threshold, of level ``confidence_level``.
    selection_ : SelectionCurve
        Accepted rows and errors at every threshold.
    guarantee_ : {"exact", "cross-validated", "none"}
        What the promise rests on.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, only where all are strings.

    See Also
    --------
    CorrectnessCalibratedClassifier : A confidence that finds more of the errors.
    sklearn.model_selection.TunedThresholdClassifierCV : Moves the cut of two classes.

    References
    ----------
    Geifman, El-Yaniv. "Selective Classification for Deep Neural Networks." NeurIPS,
    2017. Angelopoulos, Bates, Candes, Jordan, Lei. "Learn then Test." Annals of Applied
    Statistics, 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_ext.calibration import SelectiveClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = SelectiveClassifierCV(target_error=0.02).fit(X, y)
    >>> model.predict_or_reject(X[:4], reject_label=-1)
    array([0, 0, 0, 0])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "target_error": [Interval(Real, 0, 1, closed="neither"), None],
        "target_coverage": [Interval(Real, 0, 1, closed="right"), None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "start_fraction": [Interval(Real, 0, 1, closed="both")],
        "n_thresholds": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator=None,
        *,
        target_error=0.05,
        target_coverage=None,
        confidence_level=0.9,
        start_fraction=0.25,
        n_thresholds=40,
        cv=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.target_error = target_error
        self.target_coverage = target_coverage
        self.confidence_level = confidence_level
        self.start_fraction = start_fraction
        self.n_thresholds = n_thresholds
        self.cv = cv
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, **params):
        """Fit the classifier and choose the threshold on rows it has not seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, as the classifier takes them.
        y : array-like of shape (n_samples,)
            Classes.
        groups : array-like of shape (n_samples,), default=None
            Groups that share a fold.
        **params : dict
            Further inputs of classifier and splitter, with metadata routing. Weights
            must be equal: there is no binomial promise for weighted rows.

        Returns
        -------
        self : SelectiveClassifierCV
            The fitted model.
        """
        if (self.target_error is None) == (self.target_coverage is None):
            raise ValueError(
                "Give one of target_error and target_coverage and set the other to "
                f"None; got target_error={self.target_error!r} and target_coverage="
                f"{self.target_coverage!r}."
            )
        _refuse_weights(params)
        correct, confidence = self._held_out(X, y, groups, params)
        self.classes_ = np.asarray(self.estimator_.classes_)
        self.selection_ = selection_curve(confidence, correct, self.confidence_level)
        if self.target_error is None:
            place = self._covering(len(confidence))
        else:
            place = self._certified(self.target_error, self.confidence_level)
        self._store(place)
        return self

    def _held_out(self, X, y, groups, params):
        base = self._base()
        alone = isinstance(base, (FrozenEstimator, CorrectnessCalibratedClassifier))
        cv = None if alone else self.cv  # the others are split, or split themselves
        data = self._training(X, y, None, groups, params, cv)
        X, y, routed = data.X, data.y, data.routed["estimator"]
        _refuse_weights(routed)  # they may have come under another name
        if isinstance(base, FrozenEstimator):
            self.estimator_ = clone(base)
            y_pred, confidence = confidence_of(self.estimator_, X)
            return y_pred == y, confidence
        if alone:
            model = clone(base)
            if self.cv is not None:
                model.set_params(cv=self.cv)
            self.estimator_ = model
            weight = routed.pop("sample_weight", None)
            groups = routed.pop("groups", data.groups)
            return model._fit_with_held_out(X, y, weight, groups, routed)
        splits = data.splits
        if splits is None:
            splits = whole_folds(X, data.code, data.groups)
        parts = Parallel(n_jobs=self.n_jobs)(
            delayed(_fold)(base, X, y, *parts, routed) for parts in splits
        )
        self.estimator_ = clone(base).fit(X, y, **routed)
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _certified(self, target_error, confidence_level):
        curve = self.selection_
        steps = self.start_fraction, self.n_thresholds
        place, first = certify(curve, target_error, confidence_level, *steps)
        if place is None:
            accepted = curve.accepted[first]
            bound = upper_bound(curve.errors[first], accepted, confidence_level)
            warn(
                f"No error of {target_error:g} can be certified: the "
                f"{accepted} most confident rows, with which the sequence starts, "
                f"allow {bound:.3g}. Everything is rejected; raise "
                "target_error, lower start_fraction, or find a better confidence."
            )
        return place

    def _covering(self, n):
        k = math.ceil((1 - self.target_coverage) * (n + 1) - 1e-9)
        wanted = n - max(k, 1) + 1  # rows from the k-th smallest confidence on
        return int(np.searchsorted(self.selection_.accepted, wanted))

    def _store(self, place):
        curve = self.selection_
        if place is None:
            self.threshold_, self.coverage_ = np.inf, 0.0
            self.error_, self.error_bound_ = np.nan, np.nan
        else:
            self.threshold_ = float(curve.thresholds[place])
            self.coverage_ = float(curve.accepted[place] / curve.accepted[-1])
            self.error_ = float(curve.errors[place] / curve.accepted[place])
            self.error_bound_ = float(curve.bounds[place])
        frozen = isinstance(self._base(), FrozenEstimator)
        promised = self.target_error is not None and place is not None
        kind = "exact" if frozen else "cross-validated"
        self.guarantee_ = kind if promised else "none"

    def at(self, *, target_error=None, confidence_level=None):
        """Threshold for another promise, from the stored curve.

        Which promise is asked for must not depend on the curve.

        Parameters
        ----------
        target_error : float, default=None
            Largest error of accepted rows; None means that of the estimator.
        confidence_level : float, default=None
            Probability that the promise holds; None means that of the estimator.

        Returns
        -------
        float
            The threshold; infinity where nothing can be promised.
        """
        check_is_fitted(self)
        target_error = self.target_error if target_error is None else target_error
        if target_error is None:
            raise ValueError("at needs a target_error; the estimator has none.")
        if confidence_level is None:
            confidence_level = self.confidence_level
        place = self._certified(target_error, confidence_level)
        return np.inf if place is None else float(self.selection_.thresholds[place])

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        """Return the classifier's probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(rows_of(self, X)))

    def confidence(self, X):
        """Return the classifier's confidence, on which acceptance rests.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Confidences.
        """
        check_is_fitted(self)
        return np.asarray(self._said(X)[1])

    def accept(self, X):
        """Say which rows are answered.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,), dtype bool
            Whether the confidence reaches the threshold.
        """
        return self.confidence(X) >= self.threshold_

    def predict_or_reject(self, X, reject_label=None):
        """Predict the rows that are accepted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        reject_label : object, default=None
            Stands for the other rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Classes and labels of rejection; of dtype object where the label is None.
        """
        check_is_fitted(self)
        said, confidence = self._said(X)
        label = np.asarray(reject_label)
        answer = np.asarray(said).astype(np.result_type(label.dtype, self.classes_))
        answer[confidence < self.threshold_] = reject_label
        return answer

    def _said(self, X):
        return confidence_of(self.estimator_, rows_of(self, X))


def _fold(base, X, y, train, test, params):
    model = fitted(base, X, y, train, params)
    y_pred, confidence = confidence_of(model, _safe_indexing(X, test))
    return y_pred == y[test], confidence


def _refuse_weights(params):
    weight = params.get("sample_weight")
    if weight is not None and np.ndim(weight) and np.ptp(np.asarray(weight)) > 0:
        raise ValueError(
            "sample_weight must be equal for all rows: there is no binomial promise "
            "for weighted rows. Choose the threshold on rows drawn as those to come."
        )
