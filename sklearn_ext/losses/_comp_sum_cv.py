"""Chooses tau, C and whether to prune on held-out rows, with the labels as they are."""

from dataclasses import replace
from functools import partial
from inspect import signature
from numbers import Integral
from types import SimpleNamespace

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, softmax
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._callbacks import FitTasks
from sklearn_ext._core._compat import CallbackSupportMixin, Interval, StrOptions
from sklearn_ext._core._docs import shared_docs
from sklearn_ext._core._validation import check_weights
from sklearn_ext._numerics._arrays import near_zero, rounding
from sklearn_ext._numerics._equal_rows import EqualRows
from sklearn_ext._numerics._logistic import solve_path
from sklearn_ext.losses._comp_sum import (
    CompSumClassifier,
    LabelQualityMixin,
    finish,
    prepare_rows,
    solve_stages,
    warn_of_large_tau,
)
from sklearn_ext.losses._linear import (
    Labelled,
    check_rows,
    labelled,
    linear_scores,
    store_solution,
)
from sklearn_ext.losses._robust import radii
from sklearn_ext.losses._row_terms import suspects

ALONE = CompSumClassifier._parameter_constraints
SHARED = (
    "epsilon",
    "norm",
    "fit_intercept",
    "class_weight",
    "tol",
    "max_iter",
    "memory",
    "device",
    "batch_size",
)
TIE = 1e-9  # means of scores that differ by less are equal


@shared_docs(CompSumClassifier)
class CompSumClassifierCV(CallbackSupportMixin, LabelQualityMixin, ExtEstimator):
    """Comp-sum classifier that chooses its loss, its penalty and its rows.

    Every pair of ``C`` and ``tau`` is scored by held-out accuracy *on the labels as
    they are*. Where labels are flipped at random to any other class, accuracy on noisy
    labels increases with accuracy on true ones, so the ranking is right in expectation;
    where the flips depend on the class it is a heuristic. The search costs one logistic
    path a fold and as many warm solves as there are other values of ``tau``, and twice
    that with ``prune="auto"``. The penalty is that of standardised columns, so that
    their scale does not matter.

    Folds are dealt to distinct rows: copies of a row stand on one side, whatever their
    labels, and integer weights equal repetition. A class of one distinct row is always
    trained on.

    Callbacks see a task a fold of each pass over the folds. One that stops the search
    has the best pair of the folds so far fitted, to all rows unless ``prune=True`` had
    come to its second pass.

    Parameters
    ----------
    taus : array-like of shape (n_taus,), default=(1.0, 1.35, 1.7, 2.0)
        How much a badly fitted row may pull: candidates.
    Cs : int or array-like of shape (n_Cs,), default=9
        Inverse penalties, or how many on a logarithmic grid.
    C_range : tuple of two floats, default=(1e-4, 1e2)
        Ends of that grid, divided by the mean weight of the distinct rows.
    epsilon : see CompSumClassifier
    norm : see CompSumClassifier
    cv : int, splitter, iterable or None, default=None
        None deals five folds, an int as many; a splitter sees the rows as they are.
    scoring : str, callable or None, default=None
        What is maximised; None is accuracy, certified at ``epsilon`` if that is set.
    prune : bool or "auto", default="auto"
        Whether rows that held-out models contradict with confidence are left out of the
        last fit. "auto" fits the folds again without such rows, found by models that
        know none of the fold's test rows, and prunes if their held-out score, of all
        rows, is better by more than its noise. With two classes
        it prunes unless the score is worse by more than its noise, and fits the rest by
        the ``tau`` closest to one alone: there a loss that trusts labels less gains
        little, and pruning hardly harms.
    standardize : bool, default=True
        Whether the penalty is that of columns of standard deviation one; else it feels
        their scale. With ``epsilon`` above zero, which is in the units of X, columns
        stay as they are.
    n_jobs : int or None, default=None
        Folds at a time, in threads.
    fit_intercept, class_weight, tol, max_iter, memory, device : see CompSumClassifier
    batch_size : see CompSumClassifier
    random_state : int, RandomState instance or None, default=None
        Which rows go to which fold; None is always the same.

    Attributes
    ----------
    C_ : float
        The best inverse penalty.
    tau_ : float
        The best exponent.
    Cs_ : ndarray of shape (n_Cs,)
        Inverse penalties that were tried, ascending.
    taus_ : ndarray of shape (n_taus,)
        Exponents that were tried, ascending; of two classes only one, if ``pruned_``
        by "auto".
    scores_ : ndarray of shape (n_folds, n_Cs, n_taus)
        Held-out scores, of the folds without suspect rows if ``pruned_``; of fewer
        folds if a callback stopped the search.
    best_score_ : float
        Mean score of the chosen pair.
    pruned_ : bool
        Whether the last fit was to the rows without the suspect ones.
    n_pruned_ : int
        How many rows it left out.
    classes_, coef_, intercept_, n_iter_, n_evaluations_ : see CompSumClassifier
    objective_, gap_bound_, converged_ : see CompSumClassifier
    n_features_in_, feature_names_in_ : see CompSumClassifier

    See Also
    --------
    CompSumClassifier : With given tau and C.
    sklearn.linear_model.LogisticRegressionCV : For labels that can be trusted.

    References
    ----------
    .. [1] A. Mao, M. Mohri, Y. Zhong, "Cross-Entropy Loss Functions: Theoretical
       Analysis and Applications", ICML 2023.
    .. [2] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating
       Uncertainty in Dataset Labels", JAIR 70, 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ext.losses import CompSumClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CompSumClassifierCV(Cs=3).fit(X, y)
    >>> model.scores_.shape
    (5, 3, 4)
    """

    _parameter_constraints: dict = {
        "taus": ["array-like"],
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "C_range": [tuple, list],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "prune": ["boolean", StrOptions({"auto"})],
        "standardize": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        **{name: ALONE[name] for name in SHARED},
    }

    def __init__(
        self,
        taus=(1.0, 1.35, 1.7, 2.0),
        *,
        Cs=9,
        C_range=(1e-4, 1e2),
        epsilon=0.0,
        norm=2,
        cv=None,
        scoring=None,
        prune="auto",
        standardize=True,
        n_jobs=None,
        fit_intercept=True,
        class_weight=None,
        tol=1e-4,
        max_iter=500,
        memory=10,
        device=None,
        batch_size=None,
        random_state=None,
    ):
        self.taus = taus
        self.Cs = Cs
        self.C_range = C_range
        self.epsilon = epsilon
        self.norm = norm
        self.cv = cv
        self.scoring = scoring
        self.prune = prune
        self.standardize = standardize
        self.n_jobs = n_jobs
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.memory = memory
        self.device = device
        self.batch_size = batch_size
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose tau, C and rows, and fit.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, of which some may be wrong.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, of fitting and of scoring.
        groups : array-like of shape (n_samples,), default=None
            Groups for the splitter.

        Returns
        -------
        self : CompSumClassifierCV
            The fitted classifier.
        """
        taus = _positive("taus", self.taus, zero=True)
        if not np.isfinite(taus[-1]):
            raise ValueError(f"taus must be finite numbers, got {self.taus!r}.")
        warn_of_large_tau(taus[-1])
        data = labelled(self, X, y, sample_weight, self.class_weight)
        rows = self._rows(X, y, sample_weight, data.classes)
        scale = (
            _deviations(data.X, data.weight)
            if self.standardize and not self.epsilon
            else None
        )
        rows = rows.over(scale)
        folds = self._folds(rows, groups)
        Cs = self._grid(rows)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        n_passes = 1 if self.prune is False else 2
        tasks = FitTasks(
            self,
            X,
            y,
            max_subtasks=n_passes * len(folds),
            task_name="fold",
            metadata=metadata,
        )
        scores, stopped = self._search(tasks, rows, folds, Cs, taus)
        at, pruned, suspect = _best(scores), False, np.zeros(len(rows.y), bool)
        whole = float(Cs[at[0]]), float(taus[at[1]])
        if self.prune is not False and not stopped:
            held = self._held_out(rows, folds, *whole)
            suspect = self._suspects(rows, held)
            two = self.prune == "auto" and len(data.classes) == 2
            kept = taus[[abs(taus - 1).argmin()]] if two else taus
            unseen = [self._suspects_of(fold, rows, folds, whole) for fold in folds]
            again, _ = self._search(tasks, rows, folds, Cs, kept, unseen)
            pruned = self.prune is True or (
                len(again) == len(folds)
                and (
                    not _clearly_better(scores, again)
                    if two
                    else _clearly_better(again, scores)
                )
            )
            if pruned:
                scores, at, taus = again, _best(again), kept
        self.Cs_, self.taus_, self.scores_ = Cs, taus, scores
        self.C_, self.tau_ = float(Cs[at[0]]), float(taus[at[1]])
        self.best_score_ = float(scores.mean(axis=0)[at])
        self.pruned_, self._whole = bool(pruned), whole  # C and tau for all rows
        kept = (rows.weight > 0) & ~(suspect & pruned)
        self.n_pruned_ = int((rows.weight > 0).sum() - kept.sum())
        finish(self, *self._solved(rows, kept, self.C_, self.tau_))
        self._scale = scale
        tasks.close(
            classes_=self.classes_, coef_=self.coef_, intercept_=self.intercept_
        )
        return self

    def held_out(self, X, y, sample_weight=None, groups=None):
        """Return probabilities by models that left the row out, in two ways.

        The first models have the tau and C that score best for all rows: models
        without suspect rows are too sure to tell how many labels are wrong. The second
        are logistic regressions with the C of least held-out log-loss: theirs is the
        probability of the label as it is, without a local minimum.

        Parameters
        ----------
        X : {array-like, sparse matrix, tensor} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels, of classes that were fitted.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        groups : array-like of shape (n_samples,), default=None
            Groups for the splitter.

        Returns
        -------
        probas : list of ndarray of shape (n_samples, n_classes)
            Zeros where a row was never held out.
        weight : ndarray of shape (n_samples,)
            Weights of the rows.
        """
        check_is_fitted(self)
        rows = self._rows(X, y, sample_weight, self.classes_, reset=False)
        rows = rows.over(self._scale)
        folds = self._folds(rows, groups)
        lost = np.zeros(len(self.Cs_))
        for train, test in folds:
            data = rows.take(_trained(rows, train, None))
            known = np.searchsorted(rows.classes, data.classes)
            at = np.flatnonzero(np.isin(rows.y[test], known))
            own, X_test = np.searchsorted(known, rows.y[test[at]]), rows.X[test[at]]
            for i, found in enumerate(self._path(prepare_rows(self, data), self.Cs_)):
                scores = linear_scores(X_test, found.coef, found.intercept)
                logs = log_softmax(scores, axis=1)[np.arange(len(own)), own]
                lost[i] -= rows.seen[test[at]] @ logs
        C = float(self.Cs_[lost.argmin()])
        ways = dict.fromkeys([self._whole, (C, 1.0)])
        return [self._held_out(rows, folds, *way) for way in ways], rows.seen

    def _rows(self, X, y, sample_weight, classes, *, reset=True):
        """Return all rows, those without weight too: splitters see them as they are."""
        X, y = check_rows(self, X, y, reset=reset)
        seen = check_weights(sample_weight, np.empty((len(y), 0)), dtype=np.float64)
        codes = np.searchsorted(classes, y)
        codes = np.minimum(codes, len(classes) - 1)  # of rows without weight
        weight = seen
        if isinstance(self.class_weight, str):
            count = np.bincount(codes, seen)
            weight = seen * (seen.sum() / (len(classes) * count))[codes]
        elif self.class_weight is not None:
            given = [self.class_weight.get(c, 1.0) for c in classes.tolist()]
            weight = seen * np.array(given)[codes]
        return _Rows(X, codes, weight, classes, seen=seen, labels=y)

    def _grid(self, rows):
        if not isinstance(self.Cs, Integral):
            return _positive("Cs", self.Cs)
        ends = _positive("C_range", self.C_range)
        if len(ends) != 2 or not np.isfinite(ends).all():
            raise ValueError(
                f"C_range must be two positive finite numbers, got {self.C_range!r}."
            )
        return np.geomspace(*ends, self.Cs) / rows.distinct().weight.mean()

    def _folds(self, rows, groups):
        if self.cv is not None and not isinstance(self.cv, Integral):
            splitter = check_cv(self.cv, rows.labels, classifier=True)
            folds = list(splitter.split(rows.given, rows.labels, groups))
            self._check_folds(folds, rows)
            return folds
        n_folds, seed = self.cv or 5, 0
        if self.random_state is not None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
        fold = rows.deal(n_folds, seed)
        tests = [np.flatnonzero(fold == k) for k in range(n_folds)]
        if not any(map(len, tests)):
            raise ValueError(
                "No row can be held out, because no class has two distinct rows. Pass "
                "a splitter as cv, or use CompSumClassifier with a fixed C."
            )
        return [
            (np.flatnonzero(fold != k), test)
            for k, test in enumerate(tests)
            if len(test)
        ]

    def _check_folds(self, folds, rows):
        """Refuse folds of other rows, and folds that tell nothing."""
        if not folds:
            raise ValueError(
                "cv has no folds; an iterator is used up by the first fit: pass a list."
            )
        for k, (train, test) in enumerate(folds):
            where = f"Fold {k} of cv"
            if max(np.max(train, initial=0), np.max(test, initial=0)) >= len(rows.y):
                raise ValueError(
                    f"{where} names rows beyond the {len(rows.y)} of X; a list of "
                    "folds serves only the rows that it was made for."
                )
            if not _has_two_classes(rows, train):
                raise ValueError(
                    f"{where} trains on fewer than two classes; deal rows of every "
                    "class to every fold, as StratifiedKFold does."
                )
            if not (rows.seen[test] > 0).any():
                raise ValueError(f"{where} tests no row of positive weight.")

    def _search(self, tasks, rows, folds, Cs, taus, suspects=None):
        """Return the folds' scores, and whether a callback wants no more of them."""
        score = self._score()
        suspects = [None] * len(folds) if suspects is None else suspects
        runs = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(
            delayed(_fold_scores)(self, rows, fold, Cs, taus, score, suspect)
            for fold, suspect in zip(folds, suspects, strict=True)
        )
        found, stopped = [], False
        for scores in runs:
            found.append(scores)
            stopped = tasks.end(partial(self._so_far, rows, Cs, taus, found))
            if stopped:
                break
        runs.close()
        if not np.isfinite(found).all():
            raise ValueError(
                f"scoring={self.scoring!r} gave a score that is not finite; choose "
                "another, or folds that all know every class."
            )
        return np.array(found), stopped

    def _so_far(self, rows, Cs, taus, scores):
        """Fit the best pair of some folds to all rows, for a callback that asks."""
        i, j = _best(np.array(scores))
        stages, data = self._solved(rows, rows.weight > 0, Cs[i], taus[j])
        model = SimpleNamespace()
        store_solution(model, stages[-1], data)
        return vars(model)

    def _solved(self, rows, kept, C, tau):
        """Solve for rows; return the stages, the last in units of X, and the rows."""
        data = rows.take(np.flatnonzero(kept))
        stages = solve_stages(self, prepare_rows(self, data), C, tau)
        stages[-1] = rows.in_own_units(stages[-1])
        return stages, data

    def _path(self, problem, Cs):
        """Solve log-loss for every C."""
        options = {"tol": self.tol, "max_iter": self.max_iter, "memory": self.memory}
        return solve_path(problem, Cs, **options)

    def _score(self):
        """Return ``(solution, data, rows, test)`` to the held-out score."""
        if self.scoring is None:
            return _Accuracy(self.epsilon, self.norm)
        model = CompSumClassifier(**{name: getattr(self, name) for name in SHARED})
        scorer = check_scoring(model, scoring=self.scoring)
        function = getattr(scorer, "_score_func", scorer)
        weighs = "sample_weight" in signature(function).parameters
        return _Scorer(scorer, model, weighs, self.n_features_in_)

    def _suspects_of(self, fold, rows, folds, chosen):
        """Suspects among a fold's training rows, by models that know no tested label.

        Otherwise rows would stay that the tested labels speak for, and the fold would
        be scored on what it had seen.
        """
        mine = np.zeros(len(rows.y), dtype=bool)
        mine[fold[0]] = True
        inner = [tuple(part[mine[part]] for part in other) for other in folds]
        inner = [(a, b) for a, b in inner if len(b) and _has_two_classes(rows, a)]
        return self._suspects(rows, self._held_out(rows, inner, *chosen))

    def _suspects(self, rows, proba):
        known = proba.sum(axis=1) > 0  # held out by some fold
        suspect = np.zeros(len(rows.y), dtype=bool)
        suspect[known] = suspects(proba[known], rows.y[known], rows.seen[known])
        left = np.bincount(rows.y, (rows.weight > 0) & ~suspect, len(rows.classes))
        return suspect & (left[rows.y] > 0)

    def _held_out(self, rows, folds, C, tau, suspect=None):
        """Probabilities by models of other folds; zeros of rows never held out."""
        proba = np.zeros((len(rows.y), len(rows.classes)))
        for train, test in folds:
            data = rows.take(_trained(rows, train, suspect))
            problem = prepare_rows(self, data)
            solution = solve_stages(self, problem, C, tau)[-1]
            columns = np.searchsorted(rows.classes, data.classes)
            scores = linear_scores(rows.X[test], solution.coef, solution.intercept)
            proba[test[:, None], columns] = softmax(scores, axis=1)
        return proba


class _Rows(Labelled):
    """All rows, also those without weight, and what the user gave them as."""

    def __init__(self, X, y, weight, classes, *, seen, labels, given=None, scale=None):
        super().__init__(X, y, weight, classes)
        more = {"seen": seen, "labels": labels}  # weights without those of classes
        more |= {"given": X if given is None else given, "scale": scale}
        for name, value in more.items():
            object.__setattr__(self, name, value)

    def over(self, scale):
        """Return the rows with their columns divided by a scale."""
        if scale is None:
            return self
        part = (1 / scale).astype(self.X.dtype)
        X = (
            self.X @ sparse.diags_array(part)
            if sparse.issparse(self.X)
            else self.X * part
        )
        X = X.tocsr() if sparse.issparse(X) else X
        more = {"seen": self.seen, "labels": self.labels, "given": self.X}
        return _Rows(X, self.y, self.weight, self.classes, scale=scale, **more)

    def in_own_units(self, solution):
        """Return a solution whose coefficients belong to the columns as given."""
        if self.scale is None:
            return solution
        coef = (solution.coef / self.scale).astype(solution.coef.dtype)
        return replace(solution, coef=coef)

    def distinct(self):
        """Group equal rows of the same class."""
        return EqualRows.of(self.given, self.y, w=self.seen)

    def deal(self, n_folds, seed):
        """Deal rows to folds, equal ones to the same, whatever their labels.

        If the label decided, too, a row that was labelled twice would find its other
        label in the other folds and its own in none. Every fold leaves rows of every
        class to train on: where it would not, they are never held out.

        Parameters
        ----------
        n_folds : int
            Number of folds.
        seed : int
            Another seed, other folds.

        Returns
        -------
        ndarray of shape (n_samples,)
            Fold of each row; -1 where it is never held out.
        """
        seen = self.seen > 0
        group = EqualRows.of(self.given, w=self.seen).group
        n_classes, n_groups = len(self.classes), group.max() + 1
        pairs = np.unique(group[seen] * n_classes + self.y[seen])
        of_group, code = pairs // n_classes, pairs % n_classes
        # the rarest label of equal rows is what is to be spread over the folds
        rank = np.empty(n_classes, dtype=np.intp)
        count = np.bincount(code, minlength=n_classes)
        rank[np.argsort(count, kind="stable")] = np.arange(n_classes)
        rarest = np.full(n_groups, n_classes)
        np.minimum.at(rarest, of_group, rank[code])
        strata = np.where(group < 0, -1, np.argsort(rank)[rarest[group]])
        # in an order that both precisions share
        equal = EqualRows.in_either_precision(
            self.given, strata, w=self.seen, seed=seed
        )
        fold = equal.deal(n_folds, strata=strata)
        for k in range(n_classes):
            own = group[seen & (self.y == k)]
            if len(np.unique(fold[seen & (self.y == k)])) == 1:
                fold[np.isin(group, own)] = -1
        return fold


class _Accuracy:
    """Weighted accuracy of held-out rows, certified where epsilon is positive."""

    def __init__(self, epsilon, norm):
        self.epsilon, self.norm = epsilon, norm

    def __call__(self, solution, data, rows, test):
        X, weight = rows.X[test], rows.seen[test]
        known = np.searchsorted(rows.classes, data.classes)
        if self.epsilon > 0:
            own = np.full(len(rows.classes), -1)
            own[known] = np.arange(len(known))
            codes = own[rows.y[test]]
            right = np.zeros(len(test), dtype=bool)
            rho = radii(X, codes, solution.coef, solution.intercept, self.norm)
            right = (codes >= 0) & (rho > self.epsilon)
        else:
            scores = linear_scores(X, solution.coef, solution.intercept)
            right = known[scores.argmax(axis=1)] == rows.y[test]
        return float(weight @ right / weight.sum())


class _Scorer:
    """A scorer of scikit-learn, fed with models from their solutions."""

    def __init__(self, scorer, model, weighs, n_features):
        self.scorer, self.model, self.weighs = scorer, model, weighs
        self.n_features = n_features

    def __call__(self, solution, data, rows, test):
        model = CompSumClassifier(**self.model.get_params())
        model.n_features_in_ = self.n_features
        store_solution(model, rows.in_own_units(solution), data)
        params = {"sample_weight": rows.seen[test]} if self.weighs else {}
        return float(self.scorer(model, rows.given[test], rows.labels[test], **params))


def _deviations(X, weight):
    """Return standard deviations of the columns; one for those that do not vary."""
    share, pivot, eps = weight / weight.sum(), 0.0, rounding(X)
    if sparse.issparse(X):
        X, pivot = near_zero(sparse.csr_array(X, dtype=np.float64))
    top = abs(X).max(axis=0)  # brought near one first: squares over- and underflow
    top = np.asarray(top.todense() if sparse.issparse(top) else top, float).ravel()
    top[top == 0] = 1.0
    if sparse.issparse(X):
        X = (X @ sparse.diags_array(1 / top)).tocsr()
        mean = X.T @ share
        variance = np.maximum(X.power(2).T @ share - mean**2, 0)
    else:
        away = (X - X[0]) / top  # what does not vary is zero to the last digit
        variance = share @ (away - share @ away) ** 2
        mean = X[0] / top + share @ away
    deviation = top * np.sqrt(variance)
    varies = deviation > 8 * eps * abs(top * mean + pivot)
    return np.where(varies, deviation, 1.0)


def _trained(rows, train, suspect):
    """Rows of a fold with weight and not suspect, unless a whole class is."""
    used = rows.weight[train] > 0
    if suspect is not None:
        trusted = used & ~suspect[train]
        left = np.bincount(rows.y[train], trusted, minlength=len(rows.classes))
        used = trusted | (used & (left[rows.y[train]] == 0))
    return train[used]


def _has_two_classes(rows, train):
    return len(np.unique(rows.y[_trained(rows, train, None)])) > 1


def _fold_scores(model, rows, fold, Cs, taus, score, suspect):
    """Held-out score of every pair, (n_Cs, n_taus)."""
    train, test = fold
    data = rows.take(_trained(rows, train, suspect))
    test = test[rows.seen[test] > 0]
    problem = prepare_rows(model, data)
    plain = SimpleNamespace(**vars(model) | {"epsilon": 0.0})
    scores = np.empty((len(Cs), len(taus)))
    for i, first in enumerate(model._path(problem, Cs)):
        start = {True: first.minimum.theta, False: first.minimum.theta}
        # away from one on both sides, each solution from its neighbour
        for j in np.argsort(abs(taus - 1), kind="stable"):
            beyond = bool(taus[j] > 1)
            solution = first
            if taus[j] != 1:
                solution = solve_stages(plain, problem, Cs[i], taus[j], start[beyond])[
                    -1
                ]
                start[beyond] = solution.minimum.theta
            if model.epsilon > 0:
                solution = solve_stages(
                    model, problem, Cs[i], taus[j], solution.minimum.theta
                )[-1]
            scores[i, j] = score(solution, data, rows, test)
    return scores


def _best(scores):
    """Position of the best mean; of equals the strongest penalty, then least tau."""
    mean = scores.mean(axis=0)
    return np.unravel_index(int(np.argmax(mean >= mean.max() - TIE)), mean.shape)


def _clearly_better(scores, before):
    """Whether the best of new scores exceeds the old best by its standard error."""
    gain = scores[:, *_best(scores)] - before[:, *_best(before)]
    noise = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
    return bool(gain.mean() > noise + TIE)


def _positive(name, values, *, zero=False):
    try:
        found = np.unique(np.asarray(values, dtype=float).ravel())
    except (TypeError, ValueError):
        found = np.array([np.nan])
    low = found[0] >= 0 if zero and len(found) else len(found) and found[0] > 0
    if not low or np.isnan(found).any():
        sign = "non-negative" if zero else "positive"
        raise ValueError(f"{name} must be {sign} numbers, got {values!r}.")
    return found
