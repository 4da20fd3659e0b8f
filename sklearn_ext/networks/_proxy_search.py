"""Search on a small copy of a model, and fit the model itself with what won."""

from copy import deepcopy
from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils import get_tags
from sklearn.utils.multiclass import type_of_target

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import Interval, splitter_of

STAGES = "proxy", "target"
DIGITS = 12  # of a mean score; those beyond depend on the order of sums


class ProxySearchCV(GridSearchCV, ExtEstimator):
    """Search settings on a small copy of an estimator, then fit the estimator itself.

    Every candidate of the grid is cross-validated on the proxy, which is a clone of
    the estimator with ``proxy_params`` set: fewer or narrower members, fewer rounds.
    The winner is set on the estimator as it was given, and that is fitted to all rows.
    So a grid costs what it costs on the proxy, plus one full fit. With ``n_verify``
    above one the best candidates of the proxy are cross-validated again at full size,
    on the same folds, and the best of these wins.

    All else is as in scikit-learn's searches: pipelines, metadata, callbacks, scores,
    and methods of the best estimator. It takes any estimator. That what is best for
    the proxy is best for the target, too, is a hope with most of them: for the
    learning rate of `MuMLPClassifier` and `MuMLPRegressor` over widths there is a
    theory. Otherwise verify.

    The time is that of one fit of the proxy a candidate and fold, of ``n_verify`` fits
    of the estimator a fold when that is above one, and of the last fit. Weights and
    the scale of columns matter as far as they do to the estimator.

    Parameters
    ----------
    estimator : estimator
        The model at the size that is wanted in the end.
    param_grid : dict of str to sequence, or list of such dicts
        Settings to try, as `GridSearchCV` takes them.
    proxy_params : dict of str to object
        What makes the estimator small: set on clones of it before the candidates'
        settings, such as ``{"hidden_units": 32, "n_members": 2}`` or, in a pipeline,
        ``{"mlp__hidden_units": 32}``. No name may stand in ``param_grid``, too.
    n_verify : int, default=1
        Candidates that are scored again at full size; 1 trusts the proxy.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in `GridSearchCV`. With several scores ``refit`` names the one that decides.
    cv : int, splitter, iterable or None, default=None
        As in `GridSearchCV`; both stages see the same folds, also of a splitter that
        draws new ones every time.
    n_jobs : int or None, default=None
        Fits that run at a time.
    refit : bool, str or callable, default=True
        Whether the winner is fitted to all rows; the name of the deciding score; or a
        function of ``cv_results_`` that returns the position of the winner.
    error_score : "raise" or float, default=nan
        Score of a candidate that cannot be fitted.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has the scores on training rows, too.

    Attributes
    ----------
    cv_results_ : dict of str to array
        As in `GridSearchCV`, one entry a candidate and, after these, one a verified
        candidate. ``stage`` is "proxy" or "target". ``params`` are those of the grid
        alone, their columns masked where a candidate has no such one. Ranks compare
        candidates within a stage; those of the target come first.
    best_index_ : int
        Position of the winner in ``cv_results_``.
    best_params_ : dict
        Settings of the winner, without ``proxy_params``.
    best_score_ : float
        Mean score of the winner over the folds: of its proxy where ``n_verify=1``,
        else at full size. Only when ``refit`` is no function.
    best_estimator_ : estimator
        The estimator with the winner's settings, fitted to all rows. Only when
        ``refit`` is not False.
    refit_time_ : float
        Seconds of that fit. Only when ``refit`` is not False.
    scorer_ : callable or dict
        What scored.
    n_splits_ : int
        Number of folds.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Labels; only when ``best_estimator_`` is a classifier.
    n_features_in_ : int
        Number of columns; only when ``best_estimator_`` knows it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns; only when ``best_estimator_`` knows them.

    See Also
    --------
    LearningRateTransferDisplay : Whether a learning rate carries over to other widths.
    sklearn.model_selection.GridSearchCV : Search at full size.
    sklearn.model_selection.HalvingGridSearchCV : Search on few rows first.

    References
    ----------
    .. [1] Yang, G., Hu, E. J. (2021). "Feature Learning in Infinite-Width Neural
       Networks". ICML.
    .. [2] Wortsman, M., et al. (2024). "Small-scale proxies for large-scale
       Transformer training instabilities". ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> from sklearn_ext.networks import ProxySearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> boosting, grid = HistGradientBoostingRegressor(), {"max_leaf_nodes": [3, 31]}
    >>> search = ProxySearchCV(boosting, grid, proxy_params={"max_iter": 20}).fit(X, y)
    >>> search.best_params_, search.best_estimator_.max_iter
    ({'max_leaf_nodes': 31}, 100)
    """

    _parameter_constraints: dict = {
        **{
            name: allowed
            for name, allowed in GridSearchCV._parameter_constraints.items()
            if name not in ("verbose", "pre_dispatch")
        },
        "proxy_params": [dict],
        "n_verify": [Interval(Integral, 1, None, closed="left")],
    }
    verbose, pre_dispatch = 0, "2*n_jobs"  # of GridSearchCV; a callback shows progress

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        proxy_params,
        n_verify=1,
        scoring=None,
        cv=None,
        n_jobs=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
    ):
        self.estimator = estimator
        self.param_grid = param_grid
        self.proxy_params = proxy_params
        self.n_verify = n_verify
        self.scoring = scoring
        self.cv = cv
        self.n_jobs = n_jobs
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Score all candidates on the proxy and fit the estimator with the best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, in whatever form the estimator takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target.
        **params : dict
            ``sample_weight``, ``groups`` and others, as `GridSearchCV` takes them:
            routed to estimator, splitter and scores where metadata routing is enabled.

        Returns
        -------
        ProxySearchCV
            The fitted search.
        """
        self._check_names()
        self._check_target(y)
        best = "best_index_", "best_params_", "best_score_", "best_estimator_"
        for name in (*best, "refit_time_"):
            self.__dict__.pop(name, None)  # of an earlier fit with another refit
        super().fit(X, y, **params)
        # the user's splitter is not what was learnt
        self.__dict__.pop("_checked_cv_orig", None)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags = deepcopy(get_tags(self.estimator).target_tags)
        return tags

    def _check_target(self, y):
        """Refuse a missing or infinite target as a whole, not fold by fold."""
        if y is None and get_tags(self).target_tags.required:
            raise ValueError(
                f"This {type(self).__name__} requires y to be passed, but the target y "
                f"is None: {type(self.estimator).__name__} learns from it."
            )
        if y is not None and is_classifier(self.estimator):
            with np.errstate(invalid="ignore"):  # it casts infinity, then refuses it
                type_of_target(y, input_name="y")

    def _check_names(self):
        """Refuse settings that the proxy cannot have, before anything is fitted."""
        both = {name for some in ParameterGrid(self.param_grid) for name in some}
        if both := sorted(both & self.proxy_params.keys()):
            raise ValueError(
                f"{', '.join(map(repr, both))} stands in param_grid and in "
                "proxy_params. Search it, or fix it for the proxy: leave it out of one."
            )
        clone(self.estimator).set_params(**self.proxy_params)
        if isinstance(self.scoring, (list, tuple, dict)) and self.n_verify > 1:
            self._deciding(several=True)

    def _deciding(self, *, several):
        """Return the name of the score by which candidates are kept for the target."""
        if not several:  # as in GridSearchCV, whatever refit calls it
            return "score"
        if isinstance(self.refit, str):
            return self.refit
        raise ValueError(
            f"n_verify={self.n_verify} with several scores needs the one by which "
            f"candidates are kept: set refit to its name, got refit={self.refit!r}."
        )

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        """Score the grid on the proxy, and the best of it again at full size."""
        candidates, verify = list(ParameterGrid(self.param_grid)), self.n_verify > 1
        stages = Stages(self, evaluate_candidates, callback_ctx, 1 + verify)
        results = stages.run(
            STAGES[0], [{**self.proxy_params, **c} for c in candidates]
        )
        if verify:
            known = [n[10:] for n in results if n.startswith("mean_test_")]
            decides = self._deciding(several=known != ["score"])
            if decides not in known:
                raise ValueError(
                    f"refit={decides!r} is none of the scores: {', '.join(known)}."
                )
            order = best_first(results[f"mean_test_{decides}"])
            kept = [candidates[i] for i in order[: self.n_verify]]
            results = stages.run(STAGES[1], kept)
            candidates += kept
        stages.close()
        # what `fit` reads next is this very dict: speak of the grid's parameters alone
        results["params"] = candidates
        own = {f"param_{name}" for some in candidates for name in some}
        for name in [name for name in results if name.startswith("param_")]:
            column = results.pop(name)
            if name in own:
                results[name] = column if np.ma.is_masked(column) else column.data
        verified = results["stage"] == STAGES[1]
        for name in [n for n in results if n.startswith("mean_test_")]:
            rank = name.replace("mean_", "rank_", 1)
            results[rank] = ranks_by_stage(results[name], verified)


class Stages:
    """The two rounds of one search: the same folds, one callback task each."""

    def __init__(self, search, evaluate_candidates, callback_ctx, n_stages):
        self.search, self.evaluate = search, evaluate_candidates
        self.folds = SameFolds(splitter_of(search, evaluate_candidates))
        self.context = callback_ctx
        if callback_ctx is not None:  # scikit-learn >= 1.9
            self.context = callback_ctx.subcontext(
                task_name="search", max_subtasks=n_stages
            ).call_on_fit_task_begin(estimator=search)

    def run(self, stage, candidates):
        """Score candidates and return all results so far."""
        more = {"stage": [stage] * len(candidates)}
        if self.context is None:
            return self.evaluate(candidates, cv=self.folds, more_results=more)
        task = self.context.subcontext(
            task_name=stage,
            max_subtasks=len(candidates) * self.search.n_splits_,
            sequential_subtasks=False,
        ).call_on_fit_task_begin(estimator=self.search)
        results = self.evaluate(
            candidates, cv=self.folds, more_results=more, callback_ctx=task
        )
        task.call_on_fit_task_end(estimator=self.search)
        return results

    def close(self):
        """Tell callbacks that the search is over."""
        if self.context is not None:
            self.context.call_on_fit_task_end(estimator=self.search)


class SameFolds:
    """A splitter that splits once: shuffled folds are the same ones in both stages."""

    def __init__(self, splitter):
        self.splitter, self.splits = splitter, None

    def split(self, X, y=None, groups=None, **params):
        """Return the folds that the first call drew."""
        if self.splits is None:
            given = {"groups": groups} if groups is not None else {}
            self.splits = list(self.splitter.split(X, y, **given, **params))
        return self.splits


def best_first(scores):
    """Order candidates by falling score, ties as they come, without failed ones.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,)
        Mean scores, NaN where a fit failed.

    Returns
    -------
    ndarray of int
        Positions; all of them where every candidate failed.
    """
    known = comparable(scores)
    order = np.argsort(-known, kind="stable")
    return order[: np.isfinite(known).sum() or None]


def ranks_by_stage(scores, verified):
    """Rank candidates that were scored at full size first, then the others.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates,)
        Mean scores, NaN where a fit failed, which ranks last of its stage.
    verified : ndarray of bool of shape (n_candidates,)
        Which were scored at full size.

    Returns
    -------
    ndarray of int of shape (n_candidates,)
        Ranks from one; equal scores of a stage share the smallest.
    """
    ranks, before = np.empty(len(scores), dtype=np.int32), 0
    for rows in (np.flatnonzero(verified), np.flatnonzero(~verified)):
        known = comparable(scores[rows])
        ranks[rows] = before + 1 + (known > known[:, None]).sum(axis=1)
        before += len(rows)
    return ranks


def comparable(scores):
    """Return scores without their last, accidental, digits; failed ones are least."""
    known = np.array([float(f"{score:.{DIGITS}g}") for score in scores])
    return np.where(np.isnan(known), -np.inf, known)
