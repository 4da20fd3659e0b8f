"""What the ridge estimators share: reading rows, features, sums, prediction."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ext._core._base import ExtEstimator, fit_context
from sklearn_ext._core._blocks import fit_blocks
from sklearn_ext._core._compat import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    check_same_namespace,
    get_namespace_and_device,
    move_to,
)
from sklearn_ext._core._validation import check_weights, warn
from sklearn_ext._numerics._arrays import (
    ArrayHolder,
    blocks,
    float64,
    namespace,
    single,
    take_rows,
    to_device,
    to_numpy,
)
from sklearn_ext._numerics._factors import factorize
from sklearn_ext._numerics._filters import FILTERS
from sklearn_ext._numerics._ridge import CentredKernel, RidgeMoments
from sklearn_ext.random_features._maps import (
    MAP_CONSTRAINTS,
    Features,
    InfiniteMap,
    UserMap,
    build_map,
    is_blurred_by_means,
    same,
    warn_of_memory,
)
from sklearn_ext.random_features._ridge._candidates import candidates
from sklearn_ext.random_features._ridge._encoders import Numbers
from sklearn_ext.random_features._ridge._rows import Remembered, Rows, Summary, span_of
from sklearn_ext.random_features._scaling import SCALINGS

RIDGE_CONSTRAINTS = {
    **MAP_CONSTRAINTS,
    "n_components": [
        Interval(Integral, 1, None, closed="left"),
        StrOptions({"infinite"}),
        Options(Real, {np.inf}),
    ],
    "feature_map": [HasMethods(["fit", "transform"]), None],
    "filter": [StrOptions(set(FILTERS))],
    "fit_intercept": ["boolean"],
    "solver": [StrOptions({"auto", "primal", "dual"})],
    "standardize": ["boolean", StrOptions(set(SCALINGS))],
    "precision": [StrOptions({"auto", "float64"})],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "device": [str, None],
}
# what the first block has fixed
DRAWN_FROM = "n_components", "filter", *MAP_CONSTRAINTS, "standardize", "fit_intercept"
BLOCK_BYTES = 2**25  # features of one batch: large enough for BLAS, small in memory


@dataclass(frozen=True)
class Solution(ArrayHolder):
    """A fitted ridge: ``predict`` is ``features @ coef + intercept``."""

    coef: np.ndarray  # (k, t)
    intercept: np.ndarray  # (t,)
    alpha: np.ndarray  # (t,)
    weight: float  # of all rows
    n: int  # distinct rows
    solver: str
    dof: np.ndarray | None = None  # (t,), intercept included; None: not computed
    n_iter: int = 0


@dataclass
class Fit(ArrayHolder):
    """Sums, and the solution: it waits until somebody asks for it."""

    summary: Summary
    solution: Solution | None = None


class BaseRandomFeatureRidge(ExtEstimator):
    """Reads rows, draws features and keeps sums; subclasses say how to solve.

    They define ``_solved(posed, rows, held, features, plan)``, which returns the
    `Solution` of `RidgeMoments` or a `CentredKernel`.
    """

    _takes_sparse = True
    _encodes = Numbers
    _sample_rows = 0  # rows that partial_fit keeps for leave-one-out
    _draws_rows = True  # for that, or to deal them to folds

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Fit to all rows at once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets; of a classifier, the classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; an integer counts as that many equal rows.

        Returns
        -------
        estimator
            The fitted model.
        """
        return self._fit(X, y, sample_weight)

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None):
        """Add the rows of one more block; the ridge is found when it is next needed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows. The first block fixes what is measured on data: scaling,
            ``gamma="scale"``, landmarks.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        estimator
            The model, as if it had been fitted to all rows so far; leave-one-out looks
            at ``loo_subset`` of them, where the ridge is chosen.
        """
        return self._partial_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, plan=None):
        rows = self._read(X, y, sample_weight, reset=True)
        self._draw(rows, *self._pick(rows, plan), self.n_components)
        return self._keep(self._fit_rows(rows, plan))

    def _pick(self, rows, plan):
        """Return a scaling with a kernel, and the rows that it has scaled."""
        return next(self._candidates(rows))

    def _candidates(self, rows, *, blocks=False):
        return candidates(self, rows.X, rows.s, (self.kernel,), (self.standardize,))

    def _fit_rows(self, rows, plan):
        features, limit = self._features.like(rows.X), self._sample_rows
        if self._is_dual(rows):
            posed, held = self._kernel_of(rows), rows
            kept = None if posed.A is None else replace(posed, K=None)
        else:
            features = Remembered(features, rows.X)
            posed = kept = self._sum(rows, features)
            held = rows if limit else None
            if 0 < limit < len(rows):
                held = rows.merged(limit)
        solution = self._solved(posed, rows, held, features, plan)
        summary = Summary(len(rows.copies), kept, span_of(rows.Y))
        return Fit(summary, self._stored(solution))

    def _keep(self, fit):
        """Keep what was fitted, on the host, so that it is stored anywhere."""
        self._fitted, self.n_samples_seen_ = fit, fit.summary.n_rows
        if self.device is not None:
            self._fitted = fit.convert(to_numpy)
            self._features = self._features.convert(to_numpy)
        return self

    def _partial_fit(self, X, y, sample_weight, **params):
        first = not hasattr(self, "_fitted")
        self._check_finite_width("partial_fit")
        if not first:
            self._check_resumable()
        block = self._summarize(X, y, sample_weight, reset=first, **params)
        return self._solve(block if first else self._fitted.summary + block)

    def _summarize(self, X, y, sample_weight=None, *, reset=True, **params):
        self._check_finite_width("fit_blocks")
        rows = self._read(X, y, sample_weight, reset=reset, **params)
        if reset:
            candidate, Z = next(self._candidates(rows, blocks=True))
            self._warn_of_first_block(candidate)
            self._draw(rows, candidate, Z, self.n_components, blocks=True)
        self._check_blocks()
        moments, limit = self._sum(rows, self._features.like(rows.X)), self._sample_rows
        held = replace(rows.merged(limit), copies=None) if limit else None
        summary = Summary(len(rows.copies), moments, span_of(rows.Y), held, limit)
        return summary if self.device is None else summary.convert(to_numpy)

    def _check_blocks(self):
        """Refuse blocks that could be added but not solved."""

    def _solve(self, summary):
        return self._keep(Fit(summary))

    def _solution(self):
        """Return the solution; solve first if sums have been added since."""
        check_is_fitted(self)
        fit = self._fitted
        if fit.solution is None:
            moments, held = fit.summary.moments, fit.summary.held
            solution = self._solved(moments, None, held, self._features, None)
            fit.solution = self._stored(solution)
        return fit.solution

    @fit_context()
    def merge(self, other):
        """Add the sums of another model with the same feature map.

        Parameters
        ----------
        other : estimator
            A fitted model of the same class, parameters and ``random_state``.

        Returns
        -------
        estimator
            The estimator itself, as if it had seen the rows of both.

        Raises
        ------
        ValueError
            When the feature maps differ, the width is infinite, or leave-one-out has no
            rows left, since ``fit`` has fitted both models.
        """
        check_is_fitted(self)
        check_is_fitted(other)
        self._check_finite_width("merge")
        self._check_resumable()
        if type(self) is not type(other):
            raise ValueError(
                f"merge needs two models of one class, got {type(self).__name__} and "
                f"{type(other).__name__}."
            )
        if self.fit_intercept != other.fit_intercept:
            raise ValueError("merge needs models with the same fit_intercept.")
        self._encoder.check_same(other._encoder)
        self._check_blocks()
        if not same(self._features.in_single(), other._features.in_single()):
            raise ValueError(
                "merge needs models with the same feature map, got different weights, "
                "scaling or landmarks. Give both the same parameters and an integer "
                "random_state; let what is measured on the data (gamma, standardize, "
                "landmarks) come from the same first block."
            )
        return self._solve(self._fitted.summary + other._fitted.summary)

    @fit_context(prefer_skip_nested_validation=False)
    def fit_blocks(self, blocks, *, n_jobs=None):
        """Fit to blocks of rows as if they were one table, and solve once.

        Parameters
        ----------
        blocks : iterable
            Tuples ``(X, y)`` or ``(X, y, sample_weight)``, or callables that load one.
        n_jobs : int or None, default=None
            Threads, or workers of the active joblib backend.

        Returns
        -------
        estimator
            The estimator itself.
        """
        return fit_blocks(self, blocks, n_jobs=n_jobs)

    def _check_finite_width(self, method):
        if self._infinite:
            raise ValueError(
                f"{method} needs finite n_components, got {self.n_components!r}: a "
                "kernel model keeps its rows instead of sums."
            )

    def _check_resumable(self):
        drawn = self._drawn_from.items()
        changed = [name for name, v in drawn if not same(v, getattr(self, name))]
        if changed:
            raise ValueError(
                f"{changed} changed since the first block, which fixed the features. "
                "Restore it, or call fit to start anew."
            )

    def _warn_of_first_block(self, candidate):
        names, kernel = [], candidate.kernel
        for name in ("gamma", "length_scale"):
            rule = getattr(self, name)
            ruled = isinstance(rule, str) and getattr(kernel, name, None) is not None
            names += [f"{name}={rule!r}"] * ruled
        names += [f"standardize={self.standardize!r}"] * bool(candidate.standardize)
        if names:
            warn(
                f"{' and '.join(names)} is measured on the first block and kept. "
                "Give a number, or scale beforehand, if that block is not typical."
            )

    def _read(self, X, y, sample_weight, *, reset, classes=None):
        xp, _, device = get_namespace_and_device(X)
        if not self._encodes.stratified:  # labels may be strings, which only NumPy has
            y = move_to(y, xp=xp, device=device)
        floats, checks = (xp.float64, xp.float32), self._encodes.checks
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=floats, reset=reset, **checks
        )
        s = check_weights(move_to(sample_weight, xp=xp, device=device), X)
        s, index = float64(s), np.arange(X.shape[0])
        if not bool(xp.all(s > 0)):  # rows of no weight are as if they were absent
            index = np.flatnonzero(to_numpy(s) > 0)
            X, y, s = (take_rows(array, index) for array in (X, y, s))
        if reset:
            self._encoder = self._encodes.of(y, classes)
        elif classes is not None:
            self._encoder.check_stay(classes)
        Y, w = self._encoder.encode(
            y,
            s,
            class_weight=getattr(self, "class_weight", None),
            streaming=classes is not None or not reset,
        )
        X = float64(X) if self.precision == "float64" else X
        if not reset and hasattr(self, "_fitted"):
            index += self.n_samples_seen_
        rows = Rows.of(X, Y, w, s, index, keyed=self._draws_rows)
        names = "X", "Y", "w", "s"
        return replace(rows, **{n: self._on_device(getattr(rows, n)) for n in names})

    def _on_device(self, array):
        if self.device is not None and issparse(array):
            raise TypeError(
                f"device={self.device!r} needs dense rows, got a sparse container. Use "
                "device=None."
            )
        return to_device(array, self.device)

    def _draw(self, rows, candidate, Z, width, *, rng=None, blocks=False):
        """Fix scaling and feature map; ``Z`` are the rows that it has scaled."""
        infinite = width in ("infinite", np.inf)
        if self.feature_map is not None:
            self._check_finite_width("feature_map")
        # conjugate gradients, which refine single precision, refine ridges alone
        double = infinite or not self._is_ridge or is_blurred_by_means(Z, rows.s)
        Z = float64(Z) if double else Z
        if self.feature_map is not None:
            fmap = UserMap(_fit_without_target(self.feature_map, Z))
        elif infinite:
            warn_of_memory(len(rows))
            own = Z if Z is not rows.X else Z * 1  # the caller may fill it anew
            fmap = InfiniteMap(candidate.kernel, own)
        else:
            how = {"origin": rows.X, "rng": rng, "blocks": blocks}
            fmap = build_map(self, candidate.kernel, Z, width, **how)
        self._features = Features(candidate.scaler, fmap, double)
        self._candidate = replace(candidate, scaler=None)
        self._dtype = "float32" if single(rows.X) else "float64"
        self._drawn_from = {name: getattr(self, name) for name in DRAWN_FROM}

    @property
    def _is_ridge(self):
        return self.filter == "ridge"

    @property
    def _infinite(self):
        return self.n_components in ("infinite", np.inf)

    def _is_dual(self, rows):
        infinite = isinstance(self._features.map, InfiniteMap)
        if infinite or self.solver in ("primal", "dual", "cg"):
            return infinite or self.solver == "dual"
        # as many rows as features, less the intercept, span fewer directions
        return self._features.width(rows.X) >= len(rows)

    def _batch(self, width):
        """Return how many rows' features are formed at a time."""
        if self.batch_size is not None:
            return self.batch_size
        room = min(BLOCK_BYTES, get_config()["working_memory"] * 2**20) // (8 * width)
        return int(min(max(room, 256), 8192))

    def _sum(self, rows, features):
        batches = rows.batches(features, self._batch(self._features.width(rows.X)))
        with np.errstate(over="ignore", invalid="ignore"):
            moments = RidgeMoments.of_batches(batches, fit_intercept=self.fit_intercept)
        _check_finite(moments.gram, moments.y_square)
        return moments

    def _kernel_of(self, rows):
        infinite = isinstance(self._features.map, InfiniteMap)
        form = CentredKernel.of if infinite else CentredKernel.of_features
        with np.errstate(over="ignore", invalid="ignore"):
            Phi = self._features.like(rows.X)(rows.X)
            kernel = form(Phi, rows.Y, rows.w, fit_intercept=self.fit_intercept)
        _check_finite(kernel.K, kernel.B * kernel.B)
        return kernel

    def _stored(self, solution):
        """Return coefficients in the precision of the features."""
        if self._features.double:
            return solution
        coef, intercept = map(self._like_rows, (solution.coef, solution.intercept))
        return replace(solution, coef=coef, intercept=intercept)

    def _like_rows(self, array):
        xp = namespace(array)
        return xp.astype(array, getattr(xp, self._dtype), copy=False)

    def predict(self, X):
        """Predict the target or the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        """
        scores = self._decision(X, "predict")
        if not self._encodes.stratified:
            self._encoder.warn_beyond(scores, self._fitted.summary.span)
        return self._encoder.decode(scores)

    def _decision(self, X, method):
        """Return ``features @ coef + intercept``, of shape (n_samples, t)."""
        solution = self._solution()
        if self.device is None:
            check_same_namespace(X, self, attribute="_coefficients", method=method)
        coef, intercept = solution.coef, solution.intercept
        features, xp = self._features, namespace(coef)
        dtype = (xp.float64, xp.float32) if features.double else coef.dtype
        X = validate_data(self, X, accept_sparse="csr", dtype=dtype, reset=False)
        if self.device is not None:
            X, coef, intercept = map(self._on_device, (X, coef, intercept))
            features = features.like(X)
        size, n = self._batch(coef.shape[0]), X.shape[0]
        if n <= size:
            out = features(X) @ coef
        else:
            parts = [features(X[rows, ...]) @ coef for rows in blocks(n, size)]
            out = namespace(coef).concat(parts, axis=0)
        out = self._like_rows(out + intercept)
        return out if self.device is None else to_numpy(out)

    @property
    def _coefficients(self):
        return self._solution().coef

    @property
    def component_coef_(self):
        """Coefficients of the random features."""
        if self._infinite:
            raise AttributeError(
                "component_coef_ needs finite n_components; see dual_coef_."
            )
        return self._encoder.shaped(self._solution().coef)

    @property
    def dual_coef_(self):
        """Coefficients of the training rows."""
        if not self._infinite:
            raise AttributeError(
                "dual_coef_ needs n_components='infinite'; see component_coef_."
            )
        return self._encoder.shaped(self._solution().coef)

    @property
    def X_fit_(self):
        """Training rows of the kernel model."""
        if not self._infinite:
            raise AttributeError("X_fit_ needs n_components='infinite'.")
        return self._features.map.rows

    @property
    def intercept_(self):
        """Intercept."""
        intercept = self._solution().intercept
        return float(intercept[0]) if self._encoder.one else intercept

    @property
    def solver_(self):
        """Side and method of the solution."""
        return self._solution().solver

    @property
    def n_iter_(self):
        """Conjugate gradient steps."""
        return self._solution().n_iter

    @property
    def effective_dof_(self):
        """Effective degrees of freedom."""
        return self._scalar(self._degrees_of_freedom())

    @property
    def kappa_(self):
        """Effective ridge."""
        self._check_ridge("kappa_")
        solution = self._solution()
        left = solution.weight * (1 - self._degrees_of_freedom() / solution.n)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._scalar(to_numpy(solution.alpha) / left)

    @property
    def fitting_ratio_(self):
        """Predicted ratio of training to test error."""
        self._check_ridge("fitting_ratio_")
        n = self._solution().n
        return self._scalar(np.maximum(1 - self._degrees_of_freedom() / n, 0.0) ** 2)

    def _check_ridge(self, name):
        if not self._is_ridge:
            raise AttributeError(
                f"{name} is known of ridges alone, got filter={self.filter!r}."
            )

    def _degrees_of_freedom(self):
        """Return them for each target; computed when first asked for."""
        solution = self._solution()
        if solution.dof is None:
            moments, alphas = self._fitted.summary.moments, solution.alpha.tolist()
            gram, rounding = moments.gram, moments.rounding
            dof = {a: factorize(gram, a, rounding=rounding).dof() for a in set(alphas)}
            dof = np.array([dof[a] for a in alphas]) + self.fit_intercept
            self._fitted.solution = solution = replace(solution, dof=dof)
        return to_numpy(solution.dof)

    def _waiting(self):
        fit = self.__dict__.get("_fitted")
        if fit is None or (fit.solution is not None and fit.solution.dof is not None):
            return ()
        return "effective_dof_", "kappa_", "fitting_ratio_"

    def _scalar(self, values):
        alpha = to_numpy(self._solution().alpha)  # equal ones have equal values
        values = np.atleast_1d(values)
        return float(values[0]) if np.all(alpha == alpha[0]) else values

    def get_kernel(self):
        """Return the kernel that the features approximate.

        Returns
        -------
        callable
            ``kernel(X, Y)`` is the exact kernel matrix, in the scale of the columns
            that ``standardize`` leaves.

        Raises
        ------
        ValueError
            With ``feature_map``, whose kernel is not known.
        """
        check_is_fitted(self)
        if self.feature_map is not None:
            raise ValueError(
                "get_kernel knows the kernels of the built-in maps, got a feature_map."
            )
        return self._features.map.kernel

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags


def _fit_without_target(transformer, X):
    """Fit a copy of the user's transformer; leave-one-out forbids it the targets."""
    try:
        return clone(transformer).fit(X)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"feature_map={transformer!r} cannot be fitted to rows alone: {error} "
            "Leave-one-out and blocks need features that do not depend on the targets; "
            "put a transformer that does in a Pipeline in front of this estimator."
        ) from error


def _check_finite(products, y_square):
    xp = namespace(products)
    for what, sums in (("features", products), ("targets", y_square)):
        if not bool(xp.isfinite(xp.sum(xp.abs(sums)))):
            raise ValueError(
                f"The squares of the {what} have no finite sum: they overflow, or "
                "feature_map returned NaN. Scale the columns, for instance by "
                "standardize=True, and the targets."
            )
