"""The Rashomon set among candidate estimators of any kind."""

from numbers import Integral, Real
from operator import attrgetter

import numpy as np
from scipy.sparse import issparse
from scipy.stats import rankdata
from sklearn.base import MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv, cross_validate
from sklearn.utils import assert_all_finite, column_or_1d, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    Interval,
    StrOptions,
    _routing_enabled,
    _safe_indexing,
)
from sklearn_ext._core._validation import warn
from sklearn_ext.rashomon._candidates import expand_candidates, listed
from sklearn_ext.rashomon._metrics import ambiguity, discrepancy, prediction_range
from sklearn_ext.rashomon._ratio import RatioMixin, exactly

ROUNDING = 1e-12  # means of the same scores in another order differ by less


def _can_vote_softly(search):
    if search.voting != "soft":
        return False
    members = getattr(search, "members_", None)
    if members is None:
        members = [candidate[1] for candidate in listed(search.estimators)]
    return all(hasattr(member, "predict_proba") for member in members)


class RashomonSearchCV(RatioMixin, MetaEstimatorMixin, ExtEstimator):
    """Keep all candidates whose cross-validated score is nearly the best.

    The candidates that are left, fitted to all rows, vote; their disagreement is
    measured on predictions for rows that they had not seen. The Rashomon ratio is
    their share of all candidates. Weights, and the scale of the columns, matter as far
    as they do to the candidates; the default ones scale where they need it.

    Parameters
    ----------
    estimators : list of tuple, dict or None, default=None
        ``(name, estimator)`` or ``(name, estimator, distributions, n_iter)`` with
        distributions as for scikit-learn's ``RandomizedSearchCV``; a dict maps names to
        estimators. None takes a tree, a linear model, a support vector machine, a
        random forest and boosting.
    theta : float or "1se", default=0.05
        Slack of the mean score; "1se" is the standard error of the best one.
    scoring : str, callable or None, default=None
        Score; None takes the estimators' own.
    cv : int, splitter or None, default=None
        Cross-validation; every candidate sees the same splits.
    refit : {"all", "best", "simplest"}, default="all"
        Which candidates inside the set are fitted to all rows and predict.
    complexity : callable, str or None, default=None
        For ``refit="simplest"``: a function of a fitted estimator, or the dotted name
        of an attribute such as ``"tree_.node_count"``. None takes the order of
        ``estimators``.
    voting : {"soft", "hard", "best"}, default="soft"
        Mean probabilities where all members have them, majority, or the best member.
        Regressors average.
    error_score : "raise" or float, default="raise"
        Score of a candidate whose fit fails; nan excludes it.
    n_jobs : int or None, default=None
        Workers for the candidates.
    random_state : int, RandomState instance or None, default=None
        Source of sampled parameters.

    Attributes
    ----------
    cv_results_ : dict
        For each candidate its name, parameters, mean and standard deviation of the
        score, rank, mean fit time and whether it is ``in_rashomon_set``.
    members_ : list of estimator
        Fitted candidates that predict.
    weights_ : ndarray of shape (n_members,)
        Their weights in the vote.
    best_index_ : int
        Place of the best candidate.
    best_score_ : float
        Its mean score.
    ambiguity_ : float
        Share of rows on which out-of-fold predictions of the set differ from the best
        candidate's; only when classes are predicted.
    discrepancy_ : float
        Largest such share for one candidate; only when classes are predicted.
    prediction_range_ : ndarray of shape (n_samples, 2)
        Range of the out-of-fold predictions; only when the target is continuous.
    log_ratio_ : float
        Natural logarithm of the Rashomon ratio.
    log10_ratio_ : float
        Its decimal logarithm.
    ratio_ : float
        Candidates inside divided by all that could be fitted.
    information_bits_ : float
        Minus the binary logarithm of the ratio.
    log_ratio_interval_ : tuple of float
        Twice ``log_ratio_``: the space is finite.
    interval_kind_ : {"exact"}
        What the interval means.
    exact_ : bool
        Always true.
    ess_ : float
        Always nan.
    method_ : {"cross-validation", "given search"}
        Where the scores come from.
    min_loss_ : float
        Minus the best score.
    threshold_loss_ : float
        Minus the smallest score inside.
    hypothesis_space_ : dict
        Name and size of the space.
    classes_ : ndarray of shape (n_classes,)
        Class labels, only when the candidates are classifiers.
    n_features_in_ : int
        Number of features, only when the members know it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, only when the members know them.

    See Also
    --------
    similar_performance : The quick check before a search.
    sklearn.model_selection.GridSearchCV : Keeps the best candidate alone.

    References
    ----------
    .. [1] L. Semenova, C. Rudin, R. Parr, "On the Existence of Simpler Machine
       Learning Models", FAccT 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_ext.rashomon import RashomonSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> trees = [(f"depth {d}", DecisionTreeClassifier(max_depth=d)) for d in (1, 2, 3)]
    >>> print(f"{RashomonSearchCV(trees).fit(X, y).ratio_:.2f}")
    0.67
    """

    _parameter_constraints: dict = {
        "estimators": [list, tuple, dict, None],
        "theta": [Interval(Real, 0, None, closed="left"), StrOptions({"1se"})],
        "scoring": [str, callable, None],
        "cv": ["cv_object"],
        "refit": [StrOptions({"all", "best", "simplest"})],
        "complexity": [callable, str, None],
        "voting": [StrOptions({"soft", "hard", "best"})],
        "error_score": [StrOptions({"raise"}), Real],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimators=None,
        *,
        theta=0.05,
        scoring=None,
        cv=None,
        refit="all",
        complexity=None,
        voting="soft",
        error_score="raise",
        n_jobs=None,
        random_state=None,
    ):
        self.estimators = estimators
        self.theta = theta
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.complexity = complexity
        self.voting = voting
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **params):
        """Cross-validate the candidates and fit those inside the set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        **params : dict
            Further inputs for each row, such as ``sample_weight`` or ``groups``:
            routed where metadata routing is enabled; otherwise ``groups`` goes to the
            splitter and the rest to ``fit``.

        Returns
        -------
        self : RashomonSearchCV
            Fitted estimator.
        """
        if y is None:
            raise ValueError(
                "RashomonSearchCV requires y to be passed, but the target y is None."
            )
        if np.asarray(y).shape[1:] == (1,):
            y = column_or_1d(y, warn=True)
        if np.asarray(y).dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        X, y = indexable(X if hasattr(X, "shape") else np.asarray(X), y)
        candidates = expand_candidates(listed(self.estimators), self.random_state)
        for name, estimator, _ in candidates:
            if issparse(X) and not get_tags(estimator).input_tags.sparse:
                raise TypeError(
                    f"Sparse X was passed, but the candidate {name!r} takes dense rows "
                    "only. Give X.toarray(), or a scaler that does not centre."
                )
        to_fit, to_split, to_validate = self._routed(params)
        classification = is_classifier(candidates[0][1])
        cv = check_cv(self.cv, y, classifier=classification)
        splits = list(cv.split(X, y, **to_split))
        found = Parallel(n_jobs=self.n_jobs)(
            delayed(cross_validated)(
                estimator, X, y, splits, self.scoring, self.error_score, to_validate
            )
            for _, estimator, _ in candidates
        )
        for (name, _, _), result in zip(candidates, found, strict=True):
            if "error" in result:
                warn(
                    f"All fits of {name!r} failed, so it is left out: "
                    f"{result['error']}",
                    FitFailedWarning,
                )
        scores = np.array([f["test_score"] for f in found])
        self._select(candidates, scores, np.array([f["fit_time"] for f in found]))
        self.method_ = "cross-validation"
        self._disagreement(X, splits, found, classification)
        return self._fit_members(candidates, X, y, to_fit)

    @classmethod
    def from_search(cls, search, X, y, **params):
        """Take the scores of a fitted scikit-learn search and fit the set.

        Parameters
        ----------
        search : estimator
            A fitted ``GridSearchCV`` or ``RandomizedSearchCV``; of several metrics
            the one that its ``refit`` names.
        X : array-like of shape (n_samples, n_features)
            Rows for the members.
        y : array-like of shape (n_samples,)
            Target.
        **params : dict
            Parameters of the new object, such as ``theta``.

        Returns
        -------
        RashomonSearchCV
            Fitted estimator, without out-of-fold disagreement.
        """
        if not hasattr(search, "cv_results_"):
            raise ValueError(
                "from_search takes a fitted GridSearchCV or RandomizedSearchCV, got "
                f"{type(search).__name__} without cv_results_. Fit it first."
            )
        results = search.cv_results_
        if "iter" in results:
            raise ValueError(
                f"{type(search).__name__} scores candidates on numbers of rows that "
                "differ, so they cannot be compared; give a fitted GridSearchCV or "
                "RandomizedSearchCV."
            )
        metric = _metric_of(search)
        folds = [f"split{i}_test_{metric}" for i in range(search.n_splits_)]
        name = type(search.estimator).__name__
        candidates = [
            (name, clone(search.estimator).set_params(**clone(p, safe=False)), p)
            for p in results["params"]
        ]
        new = cls([(name, search.estimator)], **params)
        new._validate_params()
        scores = np.stack([results[fold] for fold in folds], axis=1)
        new._select(candidates, scores, results["mean_fit_time"][:, None])
        new.method_ = "given search"
        return new._fit_members(candidates, X, y, {})

    @property
    def classes_(self):
        """Class labels."""
        return self.members_[0].classes_

    @property
    def n_features_in_(self):
        """Number of features."""
        return self.members_[0].n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features."""
        return self.members_[0].feature_names_in_

    def predict(self, X):
        """Predict by the vote or the mean of the members.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels or numbers.
        """
        check_is_fitted(self)
        self._check_finite(X)
        if self.voting == "best" or len(self.members_) == 1:
            return self.members_[0].predict(X)
        if not is_classifier(self.members_[0]):
            return self.weights_ @ self.member_predictions(X)
        if _can_vote_softly(self):
            best = self.predict_proba(X).argmax(axis=1)
            return self.classes_[best]
        P = self.member_predictions(X)
        votes = np.stack([self.weights_ @ (label == P) for label in self.classes_])
        return self.classes_[votes.argmax(axis=0)]

    @available_if(_can_vote_softly)
    def predict_proba(self, X):
        """Average the probabilities of the members.

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
        self._check_finite(X)
        each = [member.predict_proba(X) for member in self.members_]
        return np.tensordot(self.weights_, each, axes=1)

    def member_predictions(self, X):
        """Predict with every member.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_members, n_samples)
            Class labels or numbers.
        """
        check_is_fitted(self)
        return np.stack([member.predict(X) for member in self.members_])

    def score(self, X, y, **params):
        """Score the predictions, by ``scoring`` where it was given.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Target.
        **params : dict
            Inputs of the scorer, such as ``sample_weight``.

        Returns
        -------
        float
            The score; accuracy or R2 by default.
        """
        check_is_fitted(self)
        if self.scoring is not None:
            return check_scoring(self, self.scoring)(self, X, y, **params)
        name = "accuracy" if is_classifier(self.members_[0]) else "r2"
        return check_scoring(self, name)._score_func(y, self.predict(X), **params)

    def get_metadata_routing(self):
        """Say which inputs go where.

        Returns
        -------
        MetadataRouter
            Routes to the candidates, the splitter and the scorer.
        """
        router = MetadataRouter(owner=self)
        for name, estimator, *_ in listed(self.estimators):
            router.add(
                **{name.replace(" ", "_"): estimator},
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        if hasattr(self.cv, "get_metadata_routing"):
            router.add(
                splitter=self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = [get_tags(candidate[1]) for candidate in listed(self.estimators)]
        tags.estimator_type = inner[0].estimator_type
        tags.classifier_tags = inner[0].classifier_tags
        tags.regressor_tags = inner[0].regressor_tags
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        tags.input_tags.sparse = all(t.input_tags.sparse for t in inner)
        tags.input_tags.allow_nan = all(t.input_tags.allow_nan for t in inner)
        tags.target_tags.required = True
        return tags

    def _routed(self, params):
        """Sort inputs: for ``fit`` of the members, the splitter and validation."""
        names = [name for name, *_ in listed(self.estimators)]
        if not _routing_enabled():
            to_split = {k: v for k, v in params.items() if k == "groups"}
            to_fit = {k: v for k, v in params.items() if k != "groups"}
            return dict.fromkeys(names, to_fit), to_split, to_fit
        routed = process_routing(self, "fit", **params)
        to_fit = {name: routed[name.replace(" ", "_")].fit for name in names}
        to_split = routed.splitter.split if "splitter" in routed else {}
        used = set().union(*(given.keys() for given in to_fit.values()))
        return to_fit, to_split, {k: v for k, v in params.items() if k in used}

    def _check_finite(self, X):
        """Refuse what some candidate refused: the members might accept it."""
        if isinstance(X, np.ndarray) and not get_tags(self).input_tags.allow_nan:
            assert_all_finite(X)

    def _select(self, candidates, scores, times):
        inside, best, theta = select_scores(scores, self.theta)
        self.cv_results_ = results_table(candidates, scores, times, inside)
        mean = self.cv_results_["mean_test_score"]
        self.best_index_, self.best_score_ = best, float(mean[best])
        self.min_loss_ = -self.best_score_
        self.threshold_loss_ = float(theta - mean[best])
        n_scored = int((~np.isnan(mean)).sum())
        self._store_ratio(exactly(float(np.log(inside.sum() / n_scored))))
        self.hypothesis_space_ = {
            "name": "candidates",
            "size": n_scored,
            "prior": "uniform",
        }

    def _disagreement(self, X, splits, found, classification):
        inside = np.flatnonzero(self.cv_results_["in_rashomon_set"])
        order = sorted(inside, key=lambda i: i != self.best_index_)  # the best first
        unseen = np.stack([out_of_fold(found[i], X, splits) for i in order])
        if classification:
            rows = np.concatenate([test for _, test in splits])
            self.ambiguity_ = ambiguity(unseen[:, rows])
            self.discrepancy_ = discrepancy(unseen[:, rows])
        else:
            self.prediction_range_ = prediction_range(unseen)

    def _fit_members(self, candidates, X, y, to_fit):
        inside = np.flatnonzero(self.cv_results_["in_rashomon_set"])
        rank = self.cv_results_["rank_test_score"]
        order = sorted(inside, key=lambda i: rank[i])
        measured = self.refit == "simplest" and self.complexity is not None
        if self.refit == "best":
            order = order[:1]
        elif self.refit == "simplest" and not measured:
            order = [min(inside)]
        members = Parallel(n_jobs=self.n_jobs)(
            delayed(clone(estimator).fit)(X, y, **to_fit.get(name, {}))
            for name, estimator, _ in (candidates[i] for i in order)
        )
        if measured:
            members = [min(members, key=lambda m: complexity_of(m, self.complexity))]
        self.members_ = members
        self.weights_ = np.full(len(members), 1 / len(members))
        return self


def _metric_of(search):
    """Name of the metric, in the columns of ``cv_results_``, that ranks candidates."""
    if not search.multimetric_:
        return "score"
    if isinstance(search.refit, str):
        return search.refit
    raise ValueError(
        "The search has several metrics, and from_search ranks by the one that its "
        f"refit names: give the name of one of {list(search.scorer_)}, got "
        f"refit={search.refit!r}."
    )


def cross_validated(estimator, X, y, splits, scoring, error_score, params):
    """Score one candidate on all folds; keep the models, or the error."""
    try:
        return cross_validate(
            estimator,
            X,
            y,
            scoring=scoring,
            cv=splits,
            params=params or None,
            error_score=error_score,
            return_estimator=True,
        )
    except ValueError as error:
        if error_score == "raise":
            raise
        failed = np.full(len(splits), error_score, dtype=float)
        times = np.zeros(len(splits))
        return {"test_score": failed, "fit_time": times, "error": error}


def out_of_fold(result, X, splits):
    """Predictions for the rows of each test fold by the model that missed them."""
    tests = [test for _, test in splits]
    pairs = zip(result["estimator"], tests, strict=True)
    said = np.concatenate([m.predict(_safe_indexing(X, test)) for m, test in pairs])
    blank = np.nan if said.dtype.kind == "f" else np.zeros(1, dtype=said.dtype)
    out = np.full(X.shape[0], blank)
    out[np.concatenate(tests)] = said
    return out


def select_scores(scores, theta):
    """Candidates whose mean score is within theta of the best one.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        Scores; nan where no fit succeeded.
    theta : float or "1se"
        Slack; "1se" is the standard error of the best candidate.

    Returns
    -------
    inside : ndarray of bool, shape (n_candidates,)
        Whether each candidate is in the set.
    best : int
        Place of the best one.
    theta : float
        The slack in numbers.
    """
    mean = scores.mean(axis=1)
    if np.isnan(mean).all():
        raise ValueError(
            "No candidate could be fitted: all scores are nan. Set "
            "error_score='raise' to see why."
        )
    best = int(np.argmax(mean >= np.nanmax(mean) - ROUNDING))  # of equals the first
    if theta == "1se":
        if scores.shape[1] == 1:
            raise ValueError(
                "theta='1se' needs two folds at least, whose scores differ; got one. "
                "Give a number, or cv with more folds."
            )
        theta = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    return mean >= mean[best] - theta - ROUNDING, best, float(theta)


def results_table(candidates, scores, times, inside):
    """Names, parameters, scores and ranks of the candidates, as ``cv_results_``."""
    mean = scores.mean(axis=1)
    digits = int(-np.log10(ROUNDING))
    ordered = -np.nan_to_num(mean, nan=-np.inf).round(digits)
    rank = rankdata(ordered, method="ordinal")
    return {
        "name": [name for name, _, _ in candidates],
        "params": [params for _, _, params in candidates],
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=1),
        "rank_test_score": rank,
        "mean_fit_time": times.mean(axis=1),
        "in_rashomon_set": inside,
    }


def complexity_of(member, complexity):
    """Measure a fitted candidate, by a function or by the name of an attribute."""
    if callable(complexity):
        return complexity(member)
    try:
        return attrgetter(complexity)(member)
    except AttributeError:
        raise ValueError(
            f"complexity={complexity!r} is no attribute of the fitted {member!r}. "
            "Name one that every candidate has, or give a function."
        ) from None
