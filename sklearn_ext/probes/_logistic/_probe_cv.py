"""Logistic probe that chooses its penalty on held-out rows."""

from inspect import signature
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, _safe_indexing, check_random_state
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._compat import (
    Interval,
    _check_method_params,
    _raise_for_params,
    _routing_enabled,
)
from sklearn_ext._numerics._logistic import solve, solve_path
from sklearn_ext.probes._logistic._path import check_Cs
from sklearn_ext.probes._logistic._probe import (
    LinearScoresMixin,
    LogisticProbe,
    prepare_probe,
    solver_params,
    store_solution,
    warn_unless_converged,
)
from sklearn_ext.probes._logistic._rows import check_rows, labelled

PROBE = LogisticProbe._parameter_constraints
SHARED = (
    "fit_intercept",
    "class_weight",
    "preconditioner",
    "tol",
    "max_iter",
    "memory",
    "device",
    "batch_size",
)


NONE_TO_HOLD_OUT = (
    "No row can be held out, because no class has two rows. Pass a splitter as cv, or "
    "use LogisticProbe with a fixed C."
)
FEW_HELD_OUT = 1000  # fewer say too little of C to be looked at only once


class Dealt:
    """Five folds; a class of two rows or more is in the training rows of each."""

    def __init__(self, random_state):
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None):
        """Five."""
        return 5

    def split(self, X, y, groups=None):
        """Yield training and held-out rows; a class of one row stays in training."""
        rng = check_random_state(self.random_state)
        _, codes, count = np.unique(y, return_inverse=True, return_counts=True)
        order = rng.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]
        order = order[count[codes[order]] > 1]
        if not len(order):
            raise ValueError(NONE_TO_HOLD_OUT)
        # dealt in turn, so that rows of a class go to different folds
        fold = np.full(len(codes), -1)
        fold[order] = np.arange(len(order)) % self.get_n_splits()
        for k in range(min(self.get_n_splits(), len(order))):
            yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


class HeldOut:
    """Split once: from each class the same fraction, one row at least, is held out."""

    def __init__(self, fraction, random_state):
        self.fraction, self.random_state = fraction, random_state

    def get_n_splits(self, X=None, y=None, groups=None):
        """One."""
        return 1

    def split(self, X, y, groups=None):
        """Yield training and held-out rows; a class of one row stays in training."""
        rng = check_random_state(self.random_state)
        _, codes, count = np.unique(y, return_inverse=True, return_counts=True)
        wanted = np.maximum(1, np.round(self.fraction * count)).astype(int)
        wanted = np.minimum(wanted, count - 1)
        order = rng.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]
        rank = np.arange(len(codes)) - np.repeat(np.cumsum(count) - count, count)
        held = rank < wanted[codes[order]]
        if not held.any():
            raise ValueError(NONE_TO_HOLD_OUT)
        yield np.sort(order[~held]), np.sort(order[held])


class LogisticProbeCV(LinearScoresMixin, ExtEstimator):
    """Logistic probe whose C is the best on held-out rows.

    Every fold decomposes its rows once and follows the path of all C from the strongest
    penalty on. The mean score decides, ties go to the stronger penalty, and the probe
    is fitted again to all rows. The cost is that of :func:`logistic_probe_path` a fold.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=13
        Inverse penalties, or how many on a logarithmic grid.
    C_range : tuple of two floats, default=(1e-4, 1e2)
        Ends of that grid.
    cv : float, int, splitter or None, default=None
        A float in (0, 1) holds out this fraction of each class once. None takes 0.1,
        as is usual for linear evaluation, from 10,000 rows on; of fewer, a tenth says
        too little of C, and None takes five shuffled folds. Else as in scikit-learn.
    scoring : str, callable or None, default=None
        What is maximised; None is accuracy.
    refine : int, default=0
        How often the bracket around the best C is halved on the logarithmic scale, two
        more values each time.
    n_jobs : int or None, default=None
        Folds at a time, in threads.
    fit_intercept : bool, default=True
        Whether the scores have intercepts.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes.
    preconditioner : {"auto", "gram", "diag"} or None, default="auto"
        As in :class:`LogisticProbe`.
    tol : float, default=1e-4
        As in :class:`LogisticProbe`.
    max_iter : int, default=500
        Iterations at most, for each C.
    memory : int, default=10
        Steps that L-BFGS remembers.
    device : str or None, default=None
        A torch device on which to compute.
    batch_size : int or None, default=None
        Rows worked on at a time.
    random_state : int, RandomState instance or None, default=None
        Which rows are held out, where ``cv`` is a fraction or None.

    Attributes
    ----------
    C_ : float
        The best inverse penalty.
    Cs_ : ndarray of shape (n_Cs,)
        All that were tried, ascending.
    scores_ : ndarray of shape (n_folds, n_Cs)
        Held-out scores.
    best_score_ : float
        Mean score of ``C_``.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coef_ : ndarray of shape (1 or n_classes, n_features)
        Coefficients, fitted to all rows.
    intercept_ : ndarray of shape (1 or n_classes,)
        Intercepts.
    n_iter_ : int
        Iterations of the last fit.
    n_evaluations_ : int
        Passes over the rows of the last fit.
    objective_ : float
        Objective of the last fit.
    gap_bound_ : float
        Bound on its excess over the minimum.
    converged_ : bool
        Whether the last fit reached ``tol``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, when X has string names for them.

    See Also
    --------
    LogisticProbe : With a given C.
    sklearn.linear_model.LogisticRegressionCV : Other penalties.

    References
    ----------
    .. [1] C. Zheng et al., "Revisiting Discriminative vs. Generative Classifiers:
       Theory and Implications", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ext.probes import LogisticProbeCV
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = LogisticProbeCV(Cs=5, random_state=0).fit(X, y)
    >>> probe.scores_.shape
    (5, 5)
    """

    _parameter_constraints: dict = {
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "C_range": [tuple, list],
        "cv": [
            Interval(Real, 0, 1, closed="neither"),
            "cv_object",
        ],
        "scoring": [str, callable, None],
        "refine": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        **{name: PROBE[name] for name in SHARED},
    }

    def __init__(
        self,
        Cs=13,
        *,
        C_range=(1e-4, 1e2),
        cv=None,
        scoring=None,
        refine=0,
        n_jobs=None,
        fit_intercept=True,
        class_weight=None,
        preconditioner="auto",
        tol=1e-4,
        max_iter=500,
        memory=10,
        device=None,
        batch_size=None,
        random_state=None,
    ):
        self.Cs = Cs
        self.C_range = C_range
        self.cv = cv
        self.scoring = scoring
        self.refine = refine
        self.n_jobs = n_jobs
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.preconditioner = preconditioner
        self.tol = tol
        self.max_iter = max_iter
        self.memory = memory
        self.device = device
        self.batch_size = batch_size
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None, **params):
        """Choose C and fit to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, of fitting and of scoring.
        groups : array-like of shape (n_samples,), default=None
            Groups for the splitter.
        **params : dict
            Further inputs for splitter and scorer, with metadata routing.

        Returns
        -------
        self : LogisticProbeCV
            The fitted probe.
        """
        Cs = self._grid()
        data = labelled(self, X, y, sample_weight, self.class_weight)
        X, y = check_rows(self, X, y, reset=True)
        template = LogisticProbe(**{name: getattr(self, name) for name in SHARED})
        scorer = self._scorer()
        routed = self._route(scorer, sample_weight, groups, params)
        folds = list(self._splitter(y).split(X, y, **routed.splitter.split))
        score = Bunch(scorer=scorer, params=routed.scorer.score)
        rows = X, y, sample_weight, folds
        scores = self._held_scores(template, rows, Cs, score)
        for _ in range(self.refine):
            new = _halve(Cs, int(np.argmax(scores.mean(axis=0))))
            Cs = np.concatenate([Cs, new])
            more = self._held_scores(template, rows, new, score)
            order = np.argsort(Cs)
            Cs, scores = Cs[order], np.hstack([scores, more])[:, order]
        best = int(np.argmax(scores.mean(axis=0)))  # the first of equals
        self.Cs_, self.scores_, self.C_ = Cs, scores, float(Cs[best])
        self.best_score_ = float(scores.mean(axis=0)[best])
        self.classes_ = data.classes
        solution = solve(prepare_probe(self, data), self.C_, **solver_params(self))
        store_solution(self, solution, data)
        warn_unless_converged(self, solution, self.C_)
        return self

    def _grid(self):
        if not isinstance(self.Cs, Integral):
            return np.unique(check_Cs(self.Cs))
        ends = check_Cs(self.C_range, name="C_range")
        if len(ends) != 2 or not np.isfinite(ends).all():
            raise ValueError(
                f"C_range must be two positive finite numbers, got {self.C_range!r}."
            )
        return np.geomspace(*np.sort(ends), self.Cs)

    def _splitter(self, y=None):
        if self.cv is None and (y is None or 0.1 * len(y) < FEW_HELD_OUT):
            return Dealt(self.random_state)
        if self.cv is None or _is_fraction(self.cv):
            return HeldOut(self.cv or 0.1, self.random_state)
        return check_cv(self.cv, y, classifier=True)

    def _held_scores(self, template, rows, Cs, score):
        X, y, sample_weight, folds = rows
        found = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_fold_scores)(template, X, y, sample_weight, fold, Cs, score)
            for fold in folds
        )
        return np.array(found)

    def _route(self, scorer, sample_weight, groups, params):
        given = {"sample_weight": sample_weight, "groups": groups, **params}
        given = {name: value for name, value in given.items() if value is not None}
        if _routing_enabled():
            return process_routing(self, "fit", **given)
        _raise_for_params(params, self, "fit")
        weighted = sample_weight is not None and _takes_weights(scorer)
        return Bunch(
            splitter=Bunch(split={} if groups is None else {"groups": groups}),
            scorer=Bunch(score={"sample_weight": sample_weight} if weighted else {}),
        )

    def _scorer(self):
        template = LogisticProbe()
        if _routing_enabled() and self.scoring is None:
            template.set_score_request(sample_weight=True)  # weights rule both
        return check_scoring(template, scoring=self.scoring)

    def get_metadata_routing(self):
        """Tell scikit-learn that splitter and scorer take inputs of ``fit``.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=self._splitter(),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
            .add(
                scorer=self._scorer(),
                method_mapping=MethodMapping().add(caller="fit", callee="score"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _fold_scores(template, X, y, sample_weight, fold, Cs, score):
    """Held-out score of every C."""
    train, test = fold
    probe = clone(template)
    weight = None
    if sample_weight is not None:
        weight = _safe_indexing(np.asarray(sample_weight), train)
    data = labelled(probe, X[train], y[train], weight, probe.class_weight)
    path = solve_path(prepare_probe(probe, data), Cs, **solver_params(probe))
    probe.classes_ = data.classes
    params = _check_method_params(X, score.params, indices=test)
    scores = []
    for solution in path:
        store_solution(probe, solution, data)
        scores.append(score.scorer(probe, X[test], y[test], **params))
    return scores


def _is_fraction(cv):
    return isinstance(cv, Real) and not isinstance(cv, Integral)


def _halve(Cs, best):
    """Middles, on the logarithmic scale, between the best and its neighbours."""
    ends = Cs[[max(best - 1, 0), min(best + 1, len(Cs) - 1)]]
    middles = np.sqrt(ends * Cs[best])
    return middles[~np.isin(middles, Cs) & np.isfinite(middles)]


def _takes_weights(scorer):
    score = getattr(scorer, "_score_func", None)
    return score is None or "sample_weight" in signature(score).parameters
