"""Which head, and how many labels: learning curves of rival classifiers."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    indexable,
)

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    _raise_for_params,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext.probes._regimes import _curves, _runs, _subsets, _summary
from sklearn_ext.probes._rivals import MAJORITY, PredictsByWinner, check_labels


class TwoRegimes(PredictsByWinner, CallbackSupportMixin, ClassifierMixin, ExtEstimator):
    r"""Measure which of several classifiers wins at how many labels, and use it.

    Every repeat holds out other rows and orders the rest, so that the subsets of all
    sizes are nested, stratified and hold every class. Within a repeat all estimators
    are fitted to the same subsets and scored on the same held-out rows. The first two
    are compared: with the error :math:`e(m)` at :math:`m` rows,

    .. math:: D(m) = e_\text{second}(m) - e_\text{first}(m)

    and the crossover is the size where :math:`D` changes its sign for the last time,
    in either direction: the order of the two does not matter. There may be more than
    two regimes, and `regimes_` lists them all. The winner at the largest size is fitted
    to all rows and predicts.

    Beside them runs the majority class, which never looks at the rows. Where no
    estimator does better at the largest size, it is what is recommended and refitted
    (:class:`sklearn.dummy.DummyClassifier`), and `summary` says so. Copies of a row
    fall on both sides of a split; give them a group of their own.

    The heads feel the scale of the features as much as they do alone;
    ``preprocessor="standard"`` puts all on one. Estimators that are fitted from sums,
    such as `NaiveBayesProbe`, cost one pass over the rows a repeat; others are refitted
    for each size.

    Parameters
    ----------
    estimators : dict of str to classifier or None, default=None
        At least two rivals by name; the first two are the pair that is compared, in
        the order of the dict, which the representation sorts: `summary` names it. None
        takes ``{"naive_bayes": NaiveBayesProbe(), "logistic": LogisticProbe()}``.
    train_sizes : "auto", list or tuple, default="auto"
        "auto" takes eight geometric sizes from two rows a class to all training rows;
        a list holds numbers of rows, or shares in (0, 1]; ``("per_class", [1, 2, 4])``
        takes equally many rows of every class.
    n_repeats : int, default=10
        Number of draws of test rows and of orders of the training rows.
    test_size : float, default=0.2
        Share of the rows held out for scoring, unless ``X_test`` is given to `fit`.
    scoring : str, callable or None, default="accuracy"
        What is measured; None takes the ``score`` of the estimators.
    preprocessor : {"minmax", "standard"}, transformer or None, default=None
        Fitted to every subset before the estimators; the paper takes "minmax".
    confidence_level : float, default=0.9
        Of the intervals, which resample repeats. Repeats share rows, so the intervals
        are approximate and cover somewhat less than they say.
    n_bootstrap : int, default=1000
        Resamples behind an interval.
    refit : str or False, default="recommended"
        Which estimator is fitted to all rows: the recommended one, which may be the
        majority class, one by name, or none.
    n_jobs : int or None, default=None
        Repeats that run at a time, as threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Draws test rows, orders and resamples.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    train_sizes_ : ndarray of shape (n_sizes,)
        Numbers of training rows.
    test_scores_ : dict of str to ndarray of shape (n_sizes, n_repeats)
        Scores on the held-out rows.
    baseline_scores_ : ndarray of shape (n_sizes, n_repeats)
        Scores of the majority class on the same rows; NaN where the scorer asks for
        what it has not.
    fit_times_ : dict of str to ndarray of shape (n_sizes, n_repeats)
        Seconds to fit; for estimators fitted from sums, of all rows up to that size.
    difference_ : ndarray of shape (n_sizes,)
        Mean error of the second estimator minus that of the first.
    difference_ci_ : ndarray of shape (n_sizes, 2)
        Its paired bootstrap interval; NaN for a single repeat.
    crossover_ : float
        Size at which the lead changes for the last time. Without a change, ``inf`` if
        the first estimator leads or all scores are equal, the smallest size if the
        second leads.
    crossover_censored_ : {"above", "below"} or None
        Which of the two cases without a change of lead it is, "above" for ``inf``.
    crossover_ci_ : ndarray of shape (2,)
        Its bootstrap interval.
    regimes_ : list of tuple
        ``(low, high, winner, significant)`` in order of size; the winner is "tie" where
        the mean scores are equal.
    curve_params_ : dict of str to tuple
        ``(a, b, q)`` of the power law ``a + b * m ** -q`` of each error.
    recommended_ : str
        The estimator with the best mean score at the largest size; of equals, the
        best at the sizes before it, and at last the first. "majority class" where none
        has a better score than that.
    gain_ : float
        Mean score at the largest size of the best estimator less that of the majority
        class; NaN where the scorer has none for it.
    gain_ci_ : ndarray of shape (2,)
        Its paired bootstrap interval; NaN for a single repeat.
    estimator_ : estimator
        The refitted one; only when ``refit`` is not False. With a preprocessor it is a
        pipeline.
    n_features_in_ : int
        Number of features; only when ``estimator_`` knows it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features; only when all are strings.

    See Also
    --------
    TwoRegimesDisplay : Draw the curves.
    sklearn.model_selection.learning_curve : One estimator, cross-validated.
    sklearn.model_selection.GridSearchCV : The best settings at one size.

    References
    ----------
    .. [1] Zheng, C., Wu, G., Bao, F., Cao, Y., Li, C., Zhu, J. (2023). "Revisiting
       Discriminative vs. Generative Classifiers: Theory and Implications". ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import TwoRegimes
    >>> X, y = load_digits(return_X_y=True)
    >>> sizes = ("per_class", [2, 8, 32, 64])
    >>> model = TwoRegimes(train_sizes=sizes, n_repeats=3, random_state=0).fit(X, y)
    >>> model.recommended_
    'logistic'
    """

    _parameter_constraints: dict = {
        "estimators": [dict, None],
        "train_sizes": [StrOptions({"auto"}), "array-like", tuple],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "preprocessor": [
            StrOptions({"minmax", "standard"}),
            HasMethods(["fit", "transform"]),
            None,
        ],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_bootstrap": [Interval(Integral, 1, None, closed="left")],
        "refit": [str, "boolean", None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimators=None,
        *,
        train_sizes="auto",
        n_repeats=10,
        test_size=0.2,
        scoring="accuracy",
        preprocessor=None,
        confidence_level=0.9,
        n_bootstrap=1000,
        refit="recommended",
        n_jobs=None,
        random_state=None,
    ):
        self.estimators = estimators
        self.train_sizes = train_sizes
        self.n_repeats = n_repeats
        self.test_size = test_size
        self.scoring = scoring
        self.preprocessor = preprocessor
        self.confidence_level = confidence_level
        self.n_bootstrap = n_bootstrap
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state

    # fitting

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, X_test=None, y_test=None, **params):
        """Measure the curves and refit the recommended estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, in whatever form the estimators take.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never split; about ``test_size`` of them are held out.
        X_test : array-like of shape (n_test_samples, n_features), default=None
            Rows to score on; without them some rows of ``X`` are held out.
        y_test : array-like of shape (n_test_samples,), default=None
            Their labels.
        **params : dict
            ``sample_weight`` for estimators and scorer; with metadata routing enabled,
            whatever they request.

        Returns
        -------
        TwoRegimes
            The fitted model.
        """
        rivals = self._checked_rivals()
        if self.refit not in {True, False, None, "recommended", *self._rivals()}:
            raise ValueError(
                f"refit={self.refit!r} names no estimator; known: "
                f"{list(self._rivals())}, or 'recommended', or False."
            )
        X, y, groups = indexable(X, y, groups)
        X, y, groups, fit_params, score_params = self._route(
            rivals, X, y, groups, params
        )
        y, self.classes_, codes = check_labels(y, type(self).__name__)
        if X_test is not None or y_test is not None:
            y_test, score_params = check_test(X_test, y_test, self.classes_), {}
        rng = check_random_state(self.random_state)
        draws = self._draw(codes, groups, X_test is None, rng)
        counts = np.stack([np.bincount(codes[train]) for train, _ in draws])
        sizes = _subsets.resolve_sizes(
            self.train_sizes, counts.sum(axis=1).min(), counts.shape[1], counts.min()
        )
        plan = _runs.Plan(
            rivals,
            self.preprocessor,
            check_scoring(next(iter(rivals.values())), self.scoring),
            sizes,
            X,
            y,
            X_test,
            y_test,
            fit_params,
            score_params,
        )
        self._measure(plan, draws)
        self._compare(rng)
        self._refit(plan)
        return self

    def _draw(self, codes, groups, holds_out, rng):
        """Training rows, in order, and test rows of each repeat."""
        balanced, draws = _subsets.is_per_class(self.train_sizes), []
        for _ in range(self.n_repeats):
            train, test = np.arange(len(codes)), None
            if holds_out:
                train, test = _subsets.split(
                    codes, self.classes_, groups, self.test_size, rng
                )
            order = _subsets.nested_order(codes[train], rng, balanced=balanced)
            draws.append((train[order], test))
        return draws

    def _rivals(self):
        if self.estimators is None:
            from sklearn_ext.probes import LogisticProbe, NaiveBayesProbe

            return {"naive_bayes": NaiveBayesProbe(), "logistic": LogisticProbe()}
        return self.estimators

    def _route(self, rivals, X, y, groups, params):
        """Say which inputs per row go to which estimator, and to the scorer.

        Without routing, rows of weight zero are left out: they might be drawn.
        """
        given = {k: v for k, v in params.items() if k == "sample_weight"}
        if _routing_enabled():
            routed = process_routing(self, "fit", **params)
            fit = {name: routed[name].fit for name in self._rivals()}
            return X, y, groups, {**fit, MAJORITY: given}, routed.scorer.score
        _raise_for_params(params, self, "fit", allow=["sample_weight"])
        if given.pop("sample_weight", None) is not None:
            weight = self._check_weights(params["sample_weight"], X)
            rows = np.flatnonzero(weight)
            given["sample_weight"] = weight[rows]
            if len(rows) < len(weight):
                X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
                groups = None if groups is None else _safe_indexing(groups, rows)
        by_scorer = self.scoring is None or isinstance(self.scoring, str)
        fit = dict.fromkeys(rivals, given)
        return X, y, groups, fit, given if by_scorer else {}

    def _measure(self, plan, draws):
        tasks = FitTasks(
            self, plan.X, plan.y, max_subtasks=self.n_repeats, task_name="repeat"
        )
        runs = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_runs.run_repeat)(plan, *rows) for rows in draws
        )
        scores, times = [], []
        for found, seconds, models in runs:
            scores.append(found)
            times.append(seconds)
            leader = _leader({name: found[name] for name in self._rivals()})
            state = {"classes_": self.classes_, "estimator_": models[leader]}
            if tasks.end(**state):
                break
        runs.close()
        tasks.close(**state)
        self.train_sizes_ = plan.sizes
        self.test_scores_, self.fit_times_ = _by_name(scores), _by_name(times)
        self.baseline_scores_ = self.test_scores_.pop(MAJORITY)
        del self.fit_times_[MAJORITY]

    def _compare(self, rng):
        errors = self._errors()
        first, second = list(errors)[:2]
        found = _curves.compare(
            self.train_sizes_,
            errors[second] - errors[first],
            (first, second),
            confidence_level=self.confidence_level,
            n_bootstrap=self.n_bootstrap,
            rng=rng,
        )
        self.difference_ = found.difference
        self.difference_ci_ = found.difference_ci
        self.crossover_ = found.crossover
        self.crossover_censored_ = found.censored
        self.crossover_ci_ = found.crossover_ci
        self.regimes_ = found.regimes
        self.curve_params_ = {
            name: _curves.fit_power_law(self.train_sizes_, error.mean(axis=1))
            for name, error in errors.items()
        }
        best = _leader({n: s.mean(1) for n, s in self.test_scores_.items()})
        gains = (self.test_scores_[best] - self.baseline_scores_)[-1:]
        self.gain_, self.gain_ci_ = float(gains.mean()), np.full(2, np.nan)
        if gains.size > 1 and np.isfinite(gains).all():
            means = _curves.bootstrap_means(gains, self.n_bootstrap, rng)
            self.gain_ci_ = _curves.interval(means[:, 0], self.confidence_level)
        self.recommended_ = MAJORITY if self.gain_ < _curves.ROUNDING else best

    def _errors(self):
        best = _summary.best_score(self.scoring)
        return {name: best - score for name, score in self.test_scores_.items()}

    def _refit(self, plan):
        vars(self).pop("estimator_", None)
        if not self.refit:
            return
        name = self.refit if self.refit in self.test_scores_ else self.recommended_
        model, step, Z = clone(plan.estimators[name]), None, plan.X
        if plan.preprocessor is not None and name != MAJORITY:
            step = _runs.make_preprocessor(plan.preprocessor, Z)
            Z = step.fit_transform(Z, plan.y)
        model.fit(Z, plan.y, **plan.fit_params[name])
        if step is not None:
            model = Pipeline([("preprocessor", step), (name, model)])
        self.estimator_ = model

    # what was found

    def summary(self):
        """Return sizes, errors, winners and the crossover for printing.

        Returns
        -------
        TwoRegimesSummary
            ``print`` shows a table, the crossover and the recommendation.
        """
        check_is_fitted(self, "test_scores_")
        errors = {name: error.mean(axis=1) for name, error in self._errors().items()}
        first, second = pair = tuple(errors)[:2]
        low, high = self.difference_ci_.T
        better = np.where(low > 0, first, np.where(high < 0, second, "unclear"))
        better = np.where(self.difference_ == 0, _curves.TIE, better)
        return _summary.TwoRegimesSummary(
            pair,
            _summary.error_name(self.scoring),
            self.confidence_level,
            next(iter(self.test_scores_.values())).shape[1],
            self.train_sizes_,
            errors,
            self.difference_,
            self.difference_ci_,
            better.tolist(),
            self.regimes_,
            self.crossover_,
            self.crossover_ci_,
            self.crossover_censored_,
            _summary.is_clear(self.train_sizes_, self.difference_ci_, self.crossover_),
            self.recommended_,
            _summary.best_score(self.scoring) - self.baseline_scores_.mean(axis=1),
            self.gain_,
            self.gain_ci_,
        )

    def extrapolate(self, train_sizes):
        """Read the fitted power laws off at other sizes.

        Parameters
        ----------
        train_sizes : array-like of float
            Numbers of training rows.

        Returns
        -------
        dict of str to ndarray
            Expected error of each estimator.
        """
        check_is_fitted(self, "curve_params_")
        return {
            name: _curves.power_law(train_sizes, *curve)
            for name, curve in self.curve_params_.items()
        }

    def _columns(self):
        """Return one row for each estimator, size and repeat."""
        scores, times = self.test_scores_, self.fit_times_
        n_sizes, n_repeats = self.baseline_scores_.shape
        return {
            "estimator": np.repeat(list(scores), n_sizes * n_repeats),
            "train_size": np.tile(np.repeat(self.train_sizes_, n_repeats), len(scores)),
            "repeat": np.tile(np.arange(n_repeats), n_sizes * len(scores)),
            "score": np.ravel(list(scores.values())),
            "fit_time": np.ravel(list(times.values())),
        }

    # what scikit-learn asks

    def get_metadata_routing(self):
        """Say which inputs per row the parts request.

        Returns
        -------
        MetadataRouter
            Routes of `fit`.
        """
        return self._router().add(
            scorer=check_scoring(next(iter(self._rivals().values())), self.scoring),
            method_mapping=MethodMapping().add(caller="fit", callee="score"),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse &= self.preprocessor != "minmax"
        if isinstance(self.preprocessor, BaseEstimator):
            own = get_tags(self.preprocessor).input_tags
            tags.input_tags.sparse &= own.sparse
            tags.input_tags.allow_nan &= own.allow_nan
        return tags


def check_test(X_test, y_test, classes):
    """Return the labels of test rows that the user gave."""
    if X_test is None or y_test is None:
        raise ValueError("X_test and y_test go together, got only one of them.")
    y_test = column_or_1d(y_test, warn=True)
    check_consistent_length(X_test, y_test)
    unknown = np.setdiff1d(y_test, classes)
    if len(unknown):
        raise ValueError(f"y_test holds labels that y lacks: {unknown.tolist()}.")
    return y_test


def _by_name(repeats):
    """Gather dicts of arrays, one a repeat, into arrays (n_sizes, n_repeats)."""
    return {name: np.stack([r[name] for r in repeats], axis=1) for name in repeats[0]}


def _leader(curves):
    """Name of the best score at the largest size; smaller sizes break a tie."""
    return max(curves, key=lambda name: curves[name][::-1].round(12).tolist())
