"""The choice of a ridge by errors of rows that were held out."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, zip_longest
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sklearn_ext._core._base import fit_context
from sklearn_ext._core._compat import Interval, StrOptions, _routing_enabled
from sklearn_ext._numerics._arrays import (
    float64,
    like,
    namespace,
    take_rows,
    to_numpy,
)
from sklearn_ext._numerics._filters import FILTERS
from sklearn_ext._numerics._ridge import (
    CentredKernel,
    DualSpectrum,
    PrimalSpectrum,
    RidgeMoments,
    conjugate_gradients,
    generalized_errors,
    warn_of_rounding,
)
from sklearn_ext.random_features._maps import InfiniteMap, LandmarkMap, RandomMap
from sklearn_ext.random_features._ridge._base import RIDGE_CONSTRAINTS, Solution
from sklearn_ext.random_features._ridge._candidates import (
    SEARCH_CONSTRAINTS,
    candidates,
    names_to_search,
)
from sklearn_ext.random_features._ridge._rows import Rows

TIE = 1e-10  # scores closer than this share of them are equal

CV_CONSTRAINTS = {
    **RIDGE_CONSTRAINTS,
    **SEARCH_CONSTRAINTS,
    "tie_break": [StrOptions({"best", "first"})],
    "alphas": ["array-like", Interval(Real, 0, None, closed="left"), None],
    "cv": [StrOptions({"loo", "gcv"}), "cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "refine": ["boolean"],
    "loo_subset": [Interval(Integral, 1, None, closed="left")],
    "store_cv_results": ["boolean"],
}


@dataclass(frozen=True)
class Plan:
    """How held-out errors are measured, and what is kept of them."""

    # "loo", "gcv", "given" where nothing is chosen, a splitter, a number of folds to
    # which distinct rows are dealt, or a list of rows to train and to test on
    cv: object
    groups: np.ndarray | None = None  # of all rows, those of no weight included
    scorer: object = None  # None: the squared error
    weigh_scores: bool = False
    per_target: bool = False  # whether each target has its own ridge
    refine: bool = False  # whether to look between the neighbours of the best
    store: bool = False  # whether to keep all errors


@dataclass(frozen=True)
class Fold:
    """Distinct rows to train on and to test on, with the weights they have there."""

    train: Rows
    test: Rows
    at_train: np.ndarray  # their positions among all distinct rows
    at_test: np.ndarray
    complete: bool  # whether the two parts are all copies of all rows

    @classmethod
    def of(cls, rows, train, test):
        """Take positions among the copies of the rows, or masks."""
        parts = [
            np.flatnonzero(part) if part.dtype == bool else part
            for part in map(np.asarray, (train, test))
        ]
        n = len(rows.copies)
        complete = len(np.union1d(*parts)) == n == sum(map(len, parts))
        (at_train, train), (at_test, test) = map(rows.part, parts)
        return cls(train, test, at_train, at_test, complete)


@dataclass(frozen=True)
class Problem:
    """A spectrum, the rows it comes from, and the features that join the two."""

    spectrum: PrimalSpectrum | DualSpectrum
    encoder: Any
    features: Any
    rows: Rows | None  # all of them; None where only their sums are left
    held: Rows | None  # those that leave-one-out looks at
    batch_size: int

    @property
    def is_dual(self):
        """Whether the spectrum is that of the kernel matrix."""
        return isinstance(self.spectrum, DualSpectrum)

    def batches(self, rows):
        """Yield features, targets and weights."""
        return rows.batches(self.features, self.batch_size)

    def hold_out(self, alphas, folds):
        """Return residuals (a, n_held, t) with their rows, of each part held out."""
        if folds is None:
            return [(self.leave_one_out(alphas), self.held)]
        if not self.is_dual:
            return [(self._leave_out_primal(alphas, fold), fold.test) for fold in folds]
        K = float64(self.features(self.rows.X))
        K = K if self.spectrum.kernel.A is None else K @ K.T
        return [(self._leave_out_dual(alphas, fold, K), fold.test) for fold in folds]

    def leave_one_out(self, alphas):
        """Return residuals of shape (a, n_held, t)."""
        if self.is_dual:
            return self.spectrum.leave_one_out(alphas)
        return self.spectrum.leave_one_out(alphas, self.batches(self.held))

    def _leave_out_primal(self, alphas, fold):
        intercept = {"fit_intercept": self.spectrum.fit_intercept}
        if fold.complete:
            held = RidgeMoments.of_batches(self.batches(fold.test), **intercept)
            moments = self.spectrum.moments - held
        else:  # the training rows are not what the fold leaves
            moments = RidgeMoments.of_batches(self.batches(fold.train), **intercept)
        spectrum = PrimalSpectrum.of(moments, self.spectrum.filter)
        return spectrum.residuals(alphas, self.batches(fold.test))

    def _leave_out_dual(self, alphas, fold, K):
        xp, train, test = namespace(K), fold.train, fold.test
        columns = xp.take(K, like(fold.at_train, K, dtype=xp.int64), axis=1)
        own, new = (take_rows(columns, at) for at in (fold.at_train, fold.at_test))
        intercept = {"fit_intercept": self.spectrum.fit_intercept}
        kernel = CentredKernel.of(own, train.Y, train.w, **intercept)
        spectrum = DualSpectrum.of(kernel, self.spectrum.filter)
        return spectrum.residuals(alphas, new, test.Y)

    def solve(self, alphas):
        """Return coefficients, intercepts and refinement steps for a ridge a target."""
        coef, intercept = self.spectrum.solve(alphas)
        moments = None if self.is_dual else self.spectrum.moments
        if self.rows is None or self.is_dual or not moments.is_blurred(alphas):
            warn_of_rounding(alphas, self.spectrum.cut)
            return coef, intercept, 0
        batches = partial(self.batches, self.rows)
        coef, n_iter = conjugate_gradients(batches, moments, coef, alphas)
        return coef, moments.intercept(coef), n_iter


@dataclass(frozen=True)
class Grid:
    """What was measured for each ridge of an ascending grid."""

    alphas: np.ndarray  # (a,)
    train: np.ndarray  # (a, t), weighted mean squared errors of all rows
    dof: np.ndarray  # (a,)
    gcv: np.ndarray  # (a, t)
    error: np.ndarray  # (a, t), weighted mean squared held-out errors
    scores: np.ndarray  # (a, t) or (a, 1): higher is better
    held: list  # pairs of residuals (a, n_held, t) and rows of a fold; none of "gcv"

    def __add__(self, other):
        order = np.argsort(np.concatenate([self.alphas, other.alphas]), kind="stable")

        def both(one, two):
            return np.concatenate([one, two])[order]

        names = ("alphas", "train", "dof", "gcv", "error", "scores")
        parts = [both(getattr(self, n), getattr(other, n)) for n in names]
        pairs = zip(self.held, other.held, strict=True)
        return Grid(*parts, [(both(R, S), rows) for (R, rows), (S, _) in pairs])

    def best(self):
        """Return the position of the best ridge for each column of scores.

        Ties, scores that differ by no more than rounding, go to the largest ridge.
        """
        scores = np.where(np.isnan(self.scores), -np.inf, self.scores)
        top = scores.max(axis=0)
        if not np.isfinite(top).all():
            raise ValueError(
                "No alpha of the grid has a finite held-out error: each row fixes its "
                f"own prediction. Add an alpha above {self.alphas.max():g}."
            )
        tied = scores >= top - TIE * np.abs(top)
        return len(scores) - 1 - np.argmax(tied[::-1], axis=0)

    def between(self, best, n_points=20):
        """Return ridges between the neighbours of the best one."""
        alphas = self.alphas
        low, high = alphas[max(best - 1, 0)], alphas[min(best + 1, len(alphas) - 1)]
        if not 0 < low < high:
            return np.empty(0)
        inside = np.geomspace(low, high, n_points + 2)[1:-1]
        return inside[~np.isin(inside, alphas)]


@dataclass(frozen=True)
class Held:
    """Distinct rows that leave-one-out looked at, without their features."""

    Y: np.ndarray  # (m, t)
    w: np.ndarray  # (m,)
    row: np.ndarray  # (n,), the distinct row of each copy
    index: np.ndarray  # (n,), positions of the copies in the data


@dataclass(frozen=True)
class Choice(Solution):
    """A fitted ridge with the grid it was chosen from."""

    grid: Grid | None = None
    best_score: float = 0.0
    loo: np.ndarray | None = None  # (m, t), leave-one-out residuals
    held: Held | None = None  # their rows
    cv_results: np.ndarray | None = None  # (n_held, t, a)
    temperature: float | None = None  # of classes


def choose(model, posed, rows, held, features, plan, alphas=None):
    """Choose a ridge for each target, or take the one that is given.

    Parameters
    ----------
    model : BaseRandomFeatureRidge
        The model, its features drawn.
    posed : RidgeMoments or CentredKernel
        What it has summed.
    rows, held : Rows or None
        Its rows, and those that leave-one-out looks at.
    features : callable
        Forms their features.
    plan : Plan
        How ridges are compared.
    alphas : ndarray or None, default=None
        The grid, ascending; None is the spectrum's own.

    Returns
    -------
    Choice
        The solution, and what was found on the way.
    """
    side = PrimalSpectrum if isinstance(posed, RidgeMoments) else DualSpectrum
    spectrum = side.of(posed, FILTERS[model.filter])
    size = model._batch(max(1, spectrum.e.shape[0]))
    problem = Problem(spectrum, model._encoder, features, rows, held, size)
    if plan.cv in ("loo", "gcv") and spectrum.n < 2:
        raise ValueError(
            "Choosing a ridge needs at least 2 samples that differ, got n_samples=1: "
            "equal rows count as one."
        )
    folds = None if isinstance(plan.cv, str) else _folds(problem, plan)
    grid = _measure(problem, plan, folds, alphas)
    if plan.refine:
        for best in set(grid.best().tolist()):
            if (more := grid.between(best)).size:
                grid = grid + _measure(problem, plan, folds, more)
    best = np.arange(len(grid.alphas)) if plan.cv == "given" else grid.best()
    best = np.broadcast_to(best, grid.train.shape[1])
    coef, intercept, n_iter = problem.solve(grid.alphas[best])
    loo, held = _left_out(problem, plan, grid, best)
    scores = None if loo is None else held.Y - loo
    return Choice(
        coef,
        intercept,
        grid.alphas[best],
        spectrum.weight,
        spectrum.n,
        "dual-eigen" if problem.is_dual else "primal-eigen",
        grid.dof[best],
        n_iter,
        grid=replace(grid, held=[]),
        best_score=float(np.mean(grid.scores.max(axis=0))),
        loo=loo,
        held=held,
        cv_results=_all_errors(grid) if plan.store else None,
        temperature=(
            1.0 if loo is None else problem.encoder.temperature(scores, held.Y, held.w)
        ),
    )


def _measure(problem, plan, folds, alphas):
    spectrum = problem.spectrum
    alphas = spectrum.default_alphas() if alphas is None else alphas
    grid = alphas.tolist()
    train, dof = spectrum.train_error(grid), spectrum.dof(grid)
    gcv = generalized_errors(train, dof, spectrum.n)
    if plan.cv in ("gcv", "given"):
        return Grid(alphas, train, dof, gcv, gcv, _over_targets(-gcv, plan), [])
    held = problem.hold_out(grid, folds)
    error = np.mean([_mean_squares(R, to_numpy(rows.w)) for R, rows in held], axis=0)
    scores = _over_targets(-error, plan)
    if plan.scorer is not None:
        found = [_score(R, rows, plan, problem.encoder) for R, rows in held]
        scores = np.mean(found, axis=0)
    return Grid(alphas, train, dof, gcv, error, scores, held)


def _mean_squares(R, w):
    with np.errstate(invalid="ignore"):
        return np.einsum("art,r->at", R * R, w / w.sum())


def _over_targets(scores, plan):
    return scores if plan.per_target else scores.mean(axis=1, keepdims=True)


def _score(R, rows, plan, encoder):
    """Return the scorer's value for each ridge, of shape (a, 1).

    The scorer sees rows as they were given; of blocks only their weights are left.
    """
    row, _, s = rows.given()
    Y, w, weight = (to_numpy(array)[row] for array in (rows.Y, rows.w, rows.s))
    R, w = R[:, row], w / weight * s  # of the classes
    model = encoder.held_model(Y, w)
    params = {"sample_weight": s} if plan.weigh_scores else {}
    y, scores = encoder.labels(Y), np.full((len(R), 1), -np.inf)
    for j, r in enumerate(R):
        if np.isfinite(r).all():
            scores[j] = plan.scorer(model, encoder.squeezed(Y - r), y, **params)
    return scores


def _folds(problem, plan):
    rows, encoder, cv = problem.rows, problem.encoder, plan.cv
    row, index, _ = rows.given()
    y = encoder.labels(to_numpy(rows.Y))
    if isinstance(cv, list):  # of all rows, those of no weight included
        parts = [[np.isin(index, part) for part in pair] for pair in cv]
    elif not isinstance(cv, Integral):
        params = {} if plan.groups is None else {"groups": plan.groups[index]}
        parts = cv.split(np.empty((len(row), 1)), y[row], **params)
    else:
        if cv > len(rows):
            raise ValueError(
                f"cv={cv} folds need as many rows that differ, got {len(rows)}: equal "
                "rows count as one."
            )
        fold = rows.deal(cv, y if encoder.stratified else None)[row]
        parts = [(fold != j, fold == j) for j in range(cv)]
    return [Fold.of(rows, train, test) for train, test in parts]


def _left_out(problem, plan, grid, best):
    """Return leave-one-out residuals at the solution, and their rows."""
    wanted = plan.cv == "loo" or problem.encoder.stratified  # for the temperature
    if problem.held is None or not wanted:
        return None, None
    if plan.cv == "loo":
        R = grid.held[0][0][best, :, np.arange(len(best))].T
    else:
        used, at = np.unique(grid.alphas[best], return_inverse=True)
        R = problem.leave_one_out(used.tolist())[at, :, np.arange(len(best))].T
    rows = problem.held
    return R, Held(to_numpy(rows.Y), to_numpy(rows.w), *rows.given()[:2])


def _padded(rows):
    """Stack rows of different lengths; nan where they end."""
    return np.array(list(zip_longest(*rows, fillvalue=np.nan))).T


def _all_errors(grid):
    """Return squared held-out errors of each row and ridge, of shape (n, t, a)."""
    if not grid.held:
        return None
    held = [R[:, rows.given()[0]] for R, rows in grid.held]
    return np.moveaxis(np.concatenate(held, axis=1) ** 2, 0, -1)


@dataclass(frozen=True)
class Search:
    """Candidates and their held-out errors, at the width of the search."""

    candidates: tuple  # of dicts of parameters
    alphas: tuple  # (a,) each
    errors: tuple  # (a,) each, means over targets
    scores: np.ndarray  # (q,), higher is better
    gap: np.ndarray | None = None  # (q,), mean error beyond that of the best
    gap_se: np.ndarray | None = None  # (q,), its standard error over rows
    best: int = 0

    @classmethod
    def of(cls, tried, first):
        """Compare pairs of a candidate and the choice that was made with it.

        Parameters
        ----------
        tried : list of tuple
            The pairs.
        first : bool
            Whether to take the first that is not worse by a standard error.
        """
        scores = np.array([choice.best_score for _, choice in tried])
        top = scores.max()
        best = int(np.argmax(scores >= top - TIE * abs(top)))
        gap, gap_se = _paired([choice for _, choice in tried], best)
        if first:
            best = int(np.argmax(gap <= gap_se))
            gap, gap_se = _paired([choice for _, choice in tried], best)
        return cls(
            tuple(candidate.described() for candidate, _ in tried),
            tuple(choice.grid.alphas for _, choice in tried),
            tuple(choice.grid.error.mean(axis=1) for _, choice in tried),
            scores,
            gap,
            gap_se,
            best,
        )

    @property
    def is_clear(self):
        """Whether the best other kernel is worse by two standard errors."""
        names = np.array([c["kernel"] for c in self.candidates])
        others = np.flatnonzero(names != names[self.best])
        if not len(others):
            return True
        other = others[np.argmax(self.scores[others])]
        return bool(self.gap[other] > 2 * self.gap_se[other])


def _paired(choices, best):
    """Return weighted means of paired differences of squared errors, and their s.e."""
    if any(choice.loo is None for choice in choices):
        return None, None
    w = choices[best].held.w / choices[best].held.w.sum()
    squares = np.stack([(choice.loo**2).mean(axis=1) for choice in choices])
    gaps = squares - squares[best]
    mean = gaps @ w
    return mean, np.sqrt((gaps - mean[:, None]) ** 2 @ w**2)


class ChoosesItsRidge:
    """Chooses a ridge from a grid by held-out errors; left of the base class.

    Scalings and kernels are chosen by the same errors, if there are several.
    """

    _search = None

    @property
    def _per_target(self):
        return getattr(self, "alpha_per_target", False)

    @property
    def _sample_rows(self):
        wanted = self.cv == "loo" or self._encodes.stratified  # for the temperature
        return self.loo_subset if wanted else 0

    def _grid(self):
        if self.alphas is None:
            return None
        alphas = np.unique(np.asarray(self.alphas, dtype=np.float64))
        if alphas.size == 0 or not np.isfinite(alphas).all() or alphas[0] < 0:
            raise ValueError(
                f"alphas must be one or more non-negative numbers, got {self.alphas!r}."
            )
        return alphas

    def _candidates(self, rows, *, blocks=False):
        names = names_to_search(self, rows.X, blocks=blocks)
        return candidates(self, rows.X, rows.s, *names, search=not blocks)

    def _pick(self, rows, plan):
        """Compare the candidates at the width of the search."""
        others = self._candidates(rows)
        found = list(islice(others, 2))
        self._search = None
        if len(found) == 1:
            return found[0]
        if self.tie_break == "first" and plan.cv != "loo":
            raise ValueError(
                f"tie_break='first' needs cv='loo', got cv={self.cv!r}: only there are "
                "the errors of candidates paired row by row."
            )
        plan = replace(plan, refine=False, store=False)
        width = np.inf if self._infinite else self.n_components
        width = min(width, self.search_components or np.inf)
        rng, tried = check_random_state(self.random_state), []
        for candidate, Z in chain(found, others):
            self._draw(rows, candidate, Z, width, rng=deepcopy(rng))
            tried.append((candidate, self._fit_rows(rows, plan).solution))
        self._search = Search.of(tried, self.tie_break == "first")
        candidate = tried[self._search.best][0]
        scaler = candidate.scaler
        return candidate, rows.X if scaler is None else scaler(rows.X)

    def _solved(self, posed, rows, held, features, plan):
        plan = plan or self._plan_of_blocks()
        return choose(self, posed, rows, held, features, plan, self._grid())

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit to all rows at once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets; of a classifier, the classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; an integer counts as that many equal rows, which
            leave-one-out leaves out together.
        groups : array-like of shape (n_samples,), default=None
            Groups of the rows, for the splitter.

        Returns
        -------
        estimator
            The fitted model.
        """
        dealt = self.cv is None or isinstance(self.cv, Integral)
        if groups is not None and (dealt or isinstance(self.cv, str)):
            raise ValueError(
                f"groups need folds, such as cv=GroupKFold(), got cv={self.cv!r}, "
                "which would ignore them."
            )
        check_consistent_length(X, groups)
        groups, weigh_scores = self._routed(sample_weight, groups)
        groups = groups if groups is None else np.asarray(groups)
        cv = self._splitter(y)
        if dealt:
            cv = cv.get_n_splits()
        elif not hasattr(self.cv, "split"):
            cv = list(cv.split())
        plan = self._plan(cv, groups=groups, weigh_scores=weigh_scores)
        return self._fit(X, y, sample_weight, plan)

    def _plan(self, cv, **how):
        if self.scoring is not None and (cv == "gcv" or self._per_target):
            raise ValueError(
                "scoring needs held-out predictions of all targets at once: cv='gcv' "
                "has no predictions to score, and alpha_per_target=True does not use "
                f"them; got scoring={self.scoring!r}. Use scoring=None."
            )
        if cv == "gcv" and self.filter == "flow":
            raise ValueError(
                "Generalised cross-validation is biased for filter='flow'; use cv='loo'"
                " or folds, got cv='gcv'."
            )
        return Plan(
            cv,
            scorer=self._scorer(),
            per_target=self._per_target,
            refine=self.refine,
            store=self.store_cv_results,
            **how,
        )

    def _routed(self, sample_weight, groups):
        """Return groups for the splitter, and whether the scorer gets weights."""
        if not _routing_enabled():
            return groups, sample_weight is not None
        given = {"sample_weight": sample_weight, "groups": groups}
        given = {name: value for name, value in given.items() if value is not None}
        routed = process_routing(self, "fit", **given)
        split = routed.get("splitter", {}).get("split", {})
        score = routed.get("scorer", {}).get("score", {})
        return split.get("groups"), "sample_weight" in score

    def _splitter(self, y=None):
        if isinstance(self.cv, str):
            return self.cv
        return check_cv(self.cv, y, classifier=self._encodes.stratified)

    def _scorer(self):
        if self.scoring is None:
            return None
        return check_scoring(self, scoring=self.scoring)

    def _solve(self, summary):
        if self.cv == "loo" and summary.held is None:
            raise ValueError(
                "Leave-one-out needs rows of one of the models, and fit keeps none. "
                "Fit one or both by partial_fit or fit_blocks before merge, or use "
                "cv='gcv'."
            )
        return super()._solve(summary)

    def _check_blocks(self):
        self._plan_of_blocks()

    def _plan_of_blocks(self):
        if not isinstance(self.cv, str):
            raise ValueError(
                f"Folds need all rows at once, got cv={self.cv!r}. Use cv='loo' or "
                "'gcv' with partial_fit, merge and fit_blocks."
            )
        return self._plan(self.cv, weigh_scores=True)

    def get_metadata_routing(self):
        """Say who gets which metadata: the splitter groups, the scorer weights.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        if (scorer := self._scorer()) is not None:
            mapping = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=scorer, method_mapping=mapping)
        if not isinstance(splitter := self._splitter(), str):
            mapping = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=splitter, method_mapping=mapping)
        return router

    @property
    def kernel_(self):
        """The chosen kernel."""
        return self._parameter_of_kernel("kernel")

    @property
    def gamma_(self):
        """Its rate."""
        return self._parameter_of_kernel("gamma")

    @property
    def length_scale_(self):
        """Its length scale."""
        return self._parameter_of_kernel("length_scale")

    @property
    def standardize_(self):
        """The chosen scaling."""
        self._solution()
        return self._candidate.standardize

    @property
    def map_(self):
        """The kind of features."""
        self._solution()
        names = {LandmarkMap: "landmarks", RandomMap: "random", InfiniteMap: "infinite"}
        return names.get(type(self._features.map), "feature_map")

    def _parameter_of_kernel(self, name):
        self._solution()
        if self.feature_map is not None:
            raise AttributeError(f"{name}_ is not known with a feature_map.")
        return self._candidate.described()[name]

    @property
    def candidates_(self):
        """The candidates."""
        return list(self._compared().candidates)

    @property
    def n_candidates_(self):
        """Their number."""
        return len(self._compared().candidates)

    @property
    def candidate_alphas_(self):
        """The grid of each candidate."""
        return _padded(self._compared().alphas)

    @property
    def candidate_errors_(self):
        """Held-out errors of each candidate."""
        return _padded(self._compared().errors)

    @property
    def choice_is_clear_(self):
        """Whether the best other kernel is clearly worse."""
        if self.cv != "loo":
            raise AttributeError("choice_is_clear_ needs cv='loo'.")
        return self._compared().is_clear

    def _compared(self):
        """Return what was searched, or the one candidate that there was."""
        solution = self._solution()
        return self._search or Search.of([(self._candidate, solution)], False)

    @property
    def alpha_(self):
        """The chosen ridge."""
        alpha = self._solution().alpha
        return alpha if self._per_target else float(alpha[0])

    @property
    def time_(self):
        """When gradient descent stops."""
        if self.filter != "flow":
            raise AttributeError(f"time_ needs filter='flow', got {self.filter!r}.")
        with np.errstate(divide="ignore"):
            return 1 / np.asarray(self.alpha_)[()]

    @property
    def alphas_(self):
        """The grid."""
        return self._solution().grid.alphas

    @property
    def best_score_(self):
        """Score of the chosen ridge."""
        return self._solution().best_score

    @property
    def loo_error_path_(self):
        """Leave-one-out error for each ridge."""
        if self.cv != "loo":
            raise AttributeError("loo_error_path_ needs cv='loo'.")
        return self._path(self._solution().grid.error)

    @property
    def fold_error_path_(self):
        """Mean error of the folds for each ridge."""
        if isinstance(self.cv, str):
            raise AttributeError("fold_error_path_ needs folds, such as cv=5.")
        return self._path(self._solution().grid.error)

    @property
    def train_error_path_(self):
        """Training error for each ridge."""
        return self._path(self._solution().grid.train)

    @property
    def gcv_path_(self):
        """Generalised cross-validation error for each ridge."""
        if self.filter == "flow":
            raise AttributeError(
                "gcv_path_ is biased for filter='flow'; use loo_error_path_."
            )
        return self._path(self._solution().grid.gcv)

    @property
    def dof_path_(self):
        """Degrees of freedom for each ridge."""
        return self._solution().grid.dof

    @property
    def overfitting_cost_(self):
        """Error at the smallest ridge over that at the best."""
        error = self._solution().grid.error.mean(axis=1)
        best = error.min()
        return float(error[0] / best) if best > 0 else 1.0

    @property
    def cv_results_(self):
        """Squared held-out errors of each row for each ridge."""
        results = self._solution().cv_results
        if results is None:
            raise AttributeError(
                "cv_results_ needs store_cv_results=True and no 'gcv'."
            )
        return results[:, 0] if results.shape[1] == 1 else results

    @property
    def loo_residuals_(self):
        """Leave-one-out residuals."""
        solution = self._left_out()
        return self._encoder.squeezed(solution.loo[solution.held.row])

    @property
    def loo_predictions_(self):
        """Leave-one-out predictions."""
        solution = self._left_out()
        held = solution.held
        return self._encoder.squeezed((held.Y - solution.loo)[held.row])

    @property
    def loo_indices_(self):
        """Rows of the leave-one-out results."""
        return self._left_out().held.index

    def _left_out(self):
        solution = self._solution()
        if solution.loo is None:
            raise AttributeError("Leave-one-out results need cv='loo'.")
        return solution

    def _path(self, errors):
        return errors[:, 0] if errors.shape[1] == 1 else errors
