"""Which head for these features: several of them on the same folds."""

import time
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, indexable

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    StrOptions,
    _check_method_params,
    _num_samples,
    _raise_for_params,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext._numerics._equal_rows import EqualRows, as_numbers
from sklearn_ext.probes._logistic._probe_cv import whole_row_folds
from sklearn_ext.probes._rivals import MAJORITY, PredictsByWinner, check_labels
from sklearn_ext.probes._search import _measures
from sklearn_ext.probes._search._summary import ProbeSearchSummary

LOSSES = {"accuracy": "error", "neg_log_loss": "log_loss"}
ROUNDING = 1e-12


class ProbeSearchCV(PredictsByWinner, ClassifierMixin, ExtEstimator):
    """Compare heads on the same folds, and be the best of them.

    Every head is fitted to the same training rows and predicts the same held-out rows:
    error, log-loss, calibration and time stand side by side, with what each is behind
    the best, in pairs and with a standard error. Equal rows are held out together and
    deal themselves to folds by a hash, so that the answer repeats, whatever the order
    of the rows. The best head is fitted to all rows and predicts; where it does not
    beat the majority class, that is what is recommended and predicts.

    Integer weights equal repetition; on the scale of weights depends what does so in
    the heads. The comparison answers for the number of rows at hand; `TwoRegimes` tells
    how the answer changes with it. The time is that of ``cv + 1`` fits of every head.
    The heads feel the scale of the features: put a scaler in front where columns come
    in different units.

    Parameters
    ----------
    estimators : dict of str to classifier or None, default=None
        At least two heads by name. None takes ``naive_bayes`` and ``naive_bayes_class``
        (variances shared and by class, with a temperature), ``discriminant``,
        ``logistic`` (which chooses its C) and ``neighbors`` (ten nearest distinct
        rows). Of equals the first is recommended.
    scoring : {"accuracy", "neg_log_loss"}, default="accuracy"
        What decides; all measures are taken in any case.
    cv : int, splitter or iterable, default=5
        A number deals distinct rows to so many folds, class by class; a splitter of
        scikit-learn, or pairs of training and test rows, sees rows as they are.
    n_jobs : int or None, default=None
        Fits that run at a time, as threads. The result does not depend on it, the
        measured times do.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    cv_results_ : dict of str to ndarray of shape (n_estimators + 1,)
        Columns ``estimator``, ``error``, ``log_loss``, ``calibration_error`` (mean
        distance of confidence and accuracy over ten bins), ``fit_time`` and
        ``predict_time`` (seconds a fold), ``behind`` (mean loss above that of the best
        estimator, in terms of ``scoring``), ``behind_se`` (its standard error, over
        distinct rows) and ``rank``. The last row is the majority class. NaN where an
        estimator has no probabilities.
    recommended_ : str
        The best estimator, or "majority class" where none beats it.
    level_ : list of str
        Estimators at most two standard errors behind the best, the best included.
    estimator_ : estimator
        The recommended one, fitted to all rows.
    n_features_in_ : int
        Number of features; only when ``estimator_`` knows it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features; only when all are strings.

    See Also
    --------
    ProbeSearchDisplay : Draw the comparison.
    TwoRegimes : The comparison at growing numbers of rows.
    sklearn.model_selection.GridSearchCV : The best settings of one classifier.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J. (2023). "Revisiting
       Discriminative vs. Generative Classifiers: Theory and Implications". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import ProbeSearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = ProbeSearchCV().fit(X[:500] / 16, y[:500])
    >>> search.level_
    ['discriminant', 'logistic', 'neighbors']
    """

    _parameter_constraints: dict = {
        "estimators": [dict, None],
        "scoring": [StrOptions(set(LOSSES))],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            "array-like",
        ],
        "n_jobs": [Integral, None],
    }

    def __init__(self, estimators=None, *, scoring="accuracy", cv=5, n_jobs=None):
        self.estimators = estimators
        self.scoring = scoring
        self.cv = cv
        self.n_jobs = n_jobs

    # fitting

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None, **params):
        """Measure all heads and fit the recommended one to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, in whatever form the heads take.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, of measuring and of every fit, also where metadata
            routing is enabled.
        groups : array-like of shape (n_samples,), default=None
            Groups for the splitter.
        **params : dict
            With metadata routing enabled, whatever heads and splitter request.

        Returns
        -------
        ProbeSearchCV
            The fitted comparison.
        """
        rivals = self._checked_rivals()
        task = self._task(rivals, *indexable(X, y, groups), sample_weight, params)
        runs = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_run)(name, rivals[name], task, fold)
            for name in rivals
            for fold in task.folds
        )
        results, recommended, level = self._compare(list(rivals), runs, task)
        model = clone(rivals[recommended])
        model.fit(task.X, task.y, **task.fit_params[recommended])
        self.estimator_ = model
        self.classes_, self.cv_results_ = task.classes, results
        self.recommended_, self.level_ = recommended, level
        return self

    def _rivals(self):
        if self.estimators is not None:
            return self.estimators
        from sklearn_ext.probes import (
            LogisticProbeCV,
            NaiveBayesProbe,
            ShrinkageDiscriminantProbe,
        )
        from sklearn_ext.probes._search._neighbors import NearestRows

        return {
            "naive_bayes": NaiveBayesProbe(temperature="loo"),
            "naive_bayes_class": NaiveBayesProbe(covariance="class", temperature="loo"),
            "discriminant": ShrinkageDiscriminantProbe(),
            "logistic": LogisticProbeCV(random_state=0),
            "neighbors": NearestRows(),
        }

    def _task(self, rivals, X, y, groups, sample_weight, params):
        """Check what there is to measure on, leave out rows of no weight, and split."""
        y, classes, codes = check_labels(y, type(self).__name__)
        weight, shared = np.ones(len(y)), {}
        if sample_weight is not None:
            weight = self._check_weights(sample_weight, X)
            shared = {"sample_weight": weight}
        given = {} if groups is None else {"groups": groups}
        if _routing_enabled():
            routed = process_routing(self, "fit", **given, **params)
        else:
            _raise_for_params(params, self, "fit")
            routed = Bunch(splitter=Bunch(split=given))
        fit = {n: {**routed.get(n, Bunch(fit={})).fit, **shared} for n in rivals}
        folds = []
        if not isinstance(self.cv, Integral):  # a splitter sees rows as they are
            splitter = check_cv(self.cv, y, classifier=True)
            folds = splitter.split(X, y, **routed.splitter.split)
            folds = [tuple(map(np.asarray, fold)) for fold in folds]
        if not weight.all():
            there, place = np.flatnonzero(weight), np.cumsum(weight > 0) - 1
            fit = {n: _check_method_params(X, fit[n], indices=there) for n in fit}
            folds = [
                tuple(place[part[weight[part] > 0]] for part in fold) for fold in folds
            ]
            X, weight = _safe_indexing(X, there), weight[there]
            y, classes, codes = check_labels(y[there], type(self).__name__)
        rows = EqualRows.in_either_precision(_numbers(X), codes, w=weight)
        counts = np.bincount(codes[rows.first])
        if not folds and counts.min() < 2:
            rare = classes[[counts.argmin()]].tolist()[0]
            raise ValueError(
                f"Class {rare!r} has 1 distinct row, but at least 2 are needed, one to "
                "fit and one to measure. Add rows, or leave the class out."
            )
        folds = folds or whole_row_folds(rows, codes, self.cv)
        return Task(X, y, classes, codes, weight, rows.group, fit, folds)

    def _compare(self, names, runs, task):
        """Measure what the folds gave, and name the best."""
        held = np.concatenate([test for _, test in task.folds])
        codes, weight = task.codes[held], task.weight[held]
        results, losses, measured = {"estimator": np.array(names)}, {}, []
        for k, name in enumerate(names):
            parts = runs[k * len(task.folds) : (k + 1) * len(task.folds)]
            proba, predicted, *seconds = zip(*parts, strict=True)
            predicted = np.concatenate(predicted)
            lacks = any(part is None for part in proba)
            proba = None if lacks else np.concatenate(proba)
            found = _measures.row_losses(proba, predicted, codes)
            losses[name] = found[LOSSES[self.scoring]]
            measured.append(
                [
                    *(weight @ loss / weight.sum() for loss in found.values()),
                    _measures.calibration_error(proba, codes, weight),
                    *np.mean(seconds, axis=1),
                ]
            )
        results |= zip(_measures.MEASURES, np.transpose(measured), strict=True)
        mean = results[LOSSES[self.scoring]].round(12)  # equal to rounding is equal
        if np.isnan(mean).any():
            raise ValueError(
                f"scoring={self.scoring!r} needs probabilities, which "
                f"{results['estimator'][np.isnan(mean)].tolist()} lack: take "
                "scoring='accuracy', or wrap them in CalibratedClassifierCV."
            )
        # of equals the majority class, then the first
        order = np.lexsort([results["estimator"] != MAJORITY, mean])
        best = next(names[k] for k in order if names[k] != MAJORITY)
        behind = _measures.paired(losses, best, weight, task.group[held])
        results["behind"], results["behind_se"] = np.transpose(list(behind.values()))
        results["rank"] = np.argsort(order) + 1
        level = [
            name
            for name, (gap, error) in behind.items()
            if name != MAJORITY and gap <= _measures.LEVEL * error + ROUNDING
        ]
        return results, names[order[0]], level

    # what was found

    def summary(self):
        """Return the comparison for printing.

        Returns
        -------
        ProbeSearchSummary
            ``print`` shows a table, the recommendation and who is level with it.
        """
        check_is_fitted(self, "cv_results_")
        return ProbeSearchSummary(
            self.cv_results_, self.scoring, self.recommended_, self.level_
        )

    def _columns(self):
        return self.cv_results_

    # what scikit-learn asks

    def get_metadata_routing(self):
        """Say which inputs per row the heads and the splitter request.

        Returns
        -------
        MetadataRouter
            Routes of `fit`.
        """
        return self._router().add(
            splitter=self.cv if hasattr(self.cv, "split") else None,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )


def _numbers(X):
    """Return what tells rows apart; where nothing does, every row is its own."""
    try:
        numbers = as_numbers(X)
    except (ValueError, TypeError):
        return np.arange(_num_samples(X))
    return numbers if numbers.shape[1] else np.arange(_num_samples(X))


@dataclass(frozen=True, eq=False)
class Task:
    """Rows of positive weight, and what to do with them."""

    X: Any
    y: np.ndarray
    classes: np.ndarray
    codes: np.ndarray  # (n_samples,), positions of the labels among the classes
    weight: np.ndarray  # (n_samples,)
    group: np.ndarray  # (n_samples,), the same for copies of a row
    fit_params: dict  # by head
    folds: list  # of training and held-out rows


def _run(name, estimator, task, fold):
    """Return held-out probabilities, places of predictions, and seconds of a fold."""
    train, test = fold
    params = _check_method_params(task.X, task.fit_params[name], indices=train)
    X, held = _safe_indexing(task.X, train), _safe_indexing(task.X, test)
    model, proba, start = clone(estimator), None, time.perf_counter()
    try:
        model.fit(X, task.y[train], **params)
        fitted = time.perf_counter()
        predicted = np.searchsorted(task.classes, model.predict(held))
        done = time.perf_counter()
        if hasattr(model, "predict_proba"):
            proba = np.zeros((len(test), len(task.classes)))
            places = np.searchsorted(task.classes, model.classes_)
            proba[:, places] = model.predict_proba(held)
    except Exception as error:
        error.add_note(f"ProbeSearchCV: {name!r} on {len(train)} rows.")
        raise
    return proba, predicted, fitted - start, done - fitted
