"""Logistic probe that chooses its penalty on held-out rows."""

from inspect import signature
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
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
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import warn
from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext.probes._logistic import _probe
from sklearn_ext.probes._logistic._path import check_Cs
from sklearn_ext.probes._logistic._probe import LinearScoresMixin, LogisticProbe

PROBE = LogisticProbe._parameter_constraints
OWN = "C", "solver", "warm_start", "sgd_params", "random_state"  # of LogisticProbe
SHARED = [name for name in PROBE if name not in OWN]
FEW_HELD_OUT = 1000  # fewer say too little of C to be looked at only once


@shared_docs(LogisticProbe)
class LogisticProbeCV(LinearScoresMixin, ExtEstimator):
    """Logistic probe whose C is the best on held-out rows.

    Every fold decomposes its rows once and follows the path of all C from the strongest
    penalty on. The mean score decides, ties go to the stronger penalty, and the probe
    is fitted again to all rows. The cost is that of :func:`logistic_probe_path` a fold.

    Rows are held out whole: equal rows (in X and y) go to the same fold, and are one
    row of their summed weight. So a weight of two is a row given twice, also for the
    choice of C, and neither the order of rows nor the scale of weights changes the
    model. The units of the columns do: scale them first where they differ.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=13
        Inverse penalties, or how many on a logarithmic grid.
    C_range : tuple of two floats, default=(1e-4, 1e2)
        Ends of that grid for distinct rows of mean weight one. It is divided by their
        mean weight, because C multiplies weights; values listed in ``Cs`` are absolute.
    cv : float, int, splitter or None, default=None
        A float in (0, 1) holds out this fraction of each class once, an integer deals
        each class to so many folds. None takes 0.1, as is usual for linear evaluation,
        from 10,000 distinct rows on; of fewer, a tenth says too little of C, and None
        takes five folds. A splitter or an iterable of splits is used as it is, without
        regard to equal rows or those of weight zero.
    scoring : str, callable or None, default=None
        What is maximised; None is accuracy. A fold in which it is NaN, such as one
        class alone for "roc_auc", is left out of the mean, with a warning.
    refine : int, default=0
        How often the bracket around the best C is halved on the logarithmic scale, two
        more values each time.
    n_jobs : int or None, default=None
        Folds at a time, in threads.
    fit_intercept, class_weight, preconditioner, tol : see LogisticProbe
    max_iter : int, default=500
        Iterations at most, for each C.
    memory, device : see LogisticProbe
    batch_size : int or None, default=None
        Rows worked on at a time; None fits a cache.
    random_state : int, RandomState instance or None, default=None
        Another seed holds out other rows, where ``cv`` is no splitter. None is no
        chance but a fixed seed: the rows' values alone decide, alike in every fit.

    Attributes
    ----------
    C_ : float
        The best inverse penalty.
    Cs_ : ndarray of shape (n_Cs,)
        All that were tried, ascending.
    scores_ : ndarray of shape (n_folds, n_Cs)
        Held-out scores.
    best_score_ : float
        Mean score of ``C_`` over the folds that have one.
    classes_, coef_, intercept_ : see LogisticProbe
    n_iter_ : int
        Iterations of the last fit, to all rows.
    n_evaluations_ : int
        Passes over the rows in it.
    objective_, gap_bound_, converged_ : see LogisticProbe
    n_features_in_, feature_names_in_ : see LogisticProbe

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

    _takes_sparse = True
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
        X, y, weight = _probe.checked(self, X, y, sample_weight)
        if sample_weight is not None:
            sample_weight = weight  # one for each row, also where one was given
        data = _probe.labelled(self, X, y, weight)
        codes = np.unique(y, return_inverse=True)[1]
        seed = 0  # a splitter draws for itself
        if self.random_state is not None and isinstance(self.cv, Real | None):
            seed = check_random_state(self.random_state).randint(2**31 - 1)
        # in single precision, for folds that are alike in both
        rows = EqualRows.in_either_precision(to_numpy(X), codes, w=weight, seed=seed)
        Cs = self._grid(data.weight.sum() / len(rows))
        template = LogisticProbe(**{name: getattr(self, name) for name in SHARED})
        scorer = self._scorer()
        split, score = self._route(scorer, sample_weight, groups, params)
        cv = self.cv
        if cv is None:
            cv = 5 if 0.1 * len(rows) < FEW_HELD_OUT else 0.1
        cv = whole_row_folds(rows, codes, cv) if isinstance(cv, Real) else cv
        folds = list(check_cv(cv, y, classifier=True).split(X, y, **split))

        def held_out(Cs):
            found = Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(_fold_scores)(template, X, y, weight, fold, Cs, scorer, score)
                for fold in folds
            )
            return np.array(found)

        scores = held_out(Cs)
        for _ in range(self.refine):
            new = _halve(Cs, _best(_means(scores)))
            scores, Cs = np.hstack([scores, held_out(new)]), np.concatenate([Cs, new])
            order = np.argsort(Cs)
            scores, Cs = scores[:, order], Cs[order]
        means = _means(scores, name=type(self).__name__)
        best = _best(means)
        self.Cs_, self.scores_, self.C_ = Cs, scores, float(Cs[best])
        self.best_score_ = float(means[best])
        self.classes_ = data.classes
        _probe.solve_probe(self, data, self.C_)
        return self

    def _grid(self, mean_weight):
        if not isinstance(self.Cs, Integral):
            return np.unique(check_Cs(self.Cs))
        ends = check_Cs(self.C_range, name="C_range")
        if len(ends) != 2 or not np.isfinite(ends).all():
            raise ValueError(
                f"C_range must be two positive finite numbers, got {self.C_range!r}."
            )
        return np.geomspace(*np.sort(ends), self.Cs) / mean_weight

    def _route(self, scorer, sample_weight, groups, params):
        given = {"sample_weight": sample_weight, "groups": groups, **params}
        given = {name: value for name, value in given.items() if value is not None}
        if _routing_enabled():
            routed = process_routing(self, "fit", **given)
            return routed.splitter.split, routed.scorer.score
        _raise_for_params(params, self, "fit")
        function = getattr(scorer, "_score_func", None)  # of `score` there is none
        takes = function is None or "sample_weight" in signature(function).parameters
        weighted = takes and sample_weight is not None
        split = {} if groups is None else {"groups": groups}
        return split, {"sample_weight": sample_weight} if weighted else {}

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
        router = MetadataRouter(owner=self).add_self_request(self)
        splits = MethodMapping().add(caller="fit", callee="split")
        scores = MethodMapping().add(caller="fit", callee="score")
        splitter = self.cv if hasattr(self.cv, "split") else None
        router.add(splitter=splitter, method_mapping=splits)
        return router.add(scorer=self._scorer(), method_mapping=scores)


def _fold_scores(template, X, y, weight, fold, Cs, scorer, params):
    """Held-out score of every C."""
    train, test = fold
    probe = clone(template)
    data = _probe.labelled(
        probe, *_probe.checked(probe, X[train], y[train], weight[train])
    )
    path = _probe.solve_probes(probe, data, Cs)
    probe.classes_ = data.classes
    params = _check_method_params(X, params, indices=test)
    scores = []
    for solution in path:
        _probe.store_solution(probe, solution)
        scores.append(scorer(probe, X[test], y[test], **params))
    return scores


def whole_row_folds(rows, codes, cv):
    """Hold out distinct rows of each class; the only one of a class stays in training.

    Parameters
    ----------
    rows : EqualRows
        The distinct rows; those of weight zero are in no fold.
    codes : ndarray of shape (n_samples,)
        Class of each row.
    cv : int or float
        Number of folds to which rows are dealt in turn, or the fraction of each class
        that is held out once, one row at least.

    Returns
    -------
    list of (ndarray, ndarray)
        Positions of training and of held-out rows.
    """
    owner = codes[rows.first]
    count = np.bincount(owner)
    order = np.argsort(owner, kind="stable")  # rows of a class in the order of a hash
    order = order[count[owner[order]] > 1]
    if not len(order):
        raise ValueError(
            "No row can be held out, because no class has two distinct rows. Pass a "
            "splitter as cv, or use LogisticProbe with a fixed C."
        )
    fold = np.full(len(rows) + 1, -1)  # the last one is that of rows without a group
    if isinstance(cv, Integral):
        fold[order] = np.arange(len(order)) % cv
    else:
        of_class = owner[order]
        rank = np.arange(len(order)) - np.searchsorted(of_class, of_class)
        wanted = np.clip(np.round(cv * count), 1, count - 1)
        fold[order[rank < wanted[of_class]]] = 0
    present, fold = rows.group >= 0, fold[rows.group]
    return [
        (np.flatnonzero(present & (fold != k)), np.flatnonzero(fold == k))
        for k in range(fold.max() + 1)
    ]


def _means(scores, name=None):
    """Mean score of each C over the folds that have one for all of them."""
    usable = ~np.isnan(scores).any(axis=1)
    if not usable.any():
        raise ValueError(
            "No fold has a score for every C: all have a NaN. Use another scoring, or "
            "a cv whose held-out rows have all classes."
        )
    if name and not usable.all():
        warn(
            f"{name}: the held-out score is NaN in {(~usable).sum()} of {len(usable)} "
            "folds, which are left out of the mean. Use another scoring, or a cv "
            "whose held-out rows have all classes."
        )
    return scores[usable].mean(axis=0)


def _best(means):
    """Return the first of the best; what rounding tells apart is equal."""
    return int(np.argmax(means >= means.max() - 1e-12 * max(abs(means.max()), 1.0)))


def _halve(Cs, best):
    """Middles, on the logarithmic scale, between the best and its neighbours."""
    ends = Cs[[max(best - 1, 0), min(best + 1, len(Cs) - 1)]]
    middles = np.sqrt(ends * Cs[best])
    return middles[~np.isin(middles, Cs) & np.isfinite(middles)]
