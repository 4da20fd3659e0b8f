"""What the estimators that choose their ridge have in common."""

from numbers import Integral, Real

import numpy as np
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sklearn_ext._core._compat import Interval, StrOptions, _routing_enabled
from sklearn_ext.random_features._base_ridge import RIDGE_CONSTRAINTS
from sklearn_ext.random_features._grid import default_alphas
from sklearn_ext.random_features._tuned import Plan, TunedRidge

CV_CONSTRAINTS = {
    **RIDGE_CONSTRAINTS,
    "alphas": ["array-like", Interval(Real, 0, None, closed="left"), None],
    "cv": [StrOptions({"loo", "gcv"}), "cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "refine": ["boolean"],
    "loo_subset": [Interval(Integral, 1, None, closed="left")],
    "store_cv_results": ["boolean"],
    "solver": [StrOptions({"auto", "primal", "dual"})],
}


class TunedRidgeCV(TunedRidge):
    """Chooses a ridge from a grid by held-out errors."""

    @property
    def _sample_rows(self):
        return self.loo_subset if self.cv == "loo" or self._needs_loo else 0

    def _alphas_of_grid(self, spectrum):
        if self.alphas is None:
            return default_alphas(spectrum)
        alphas = np.unique(np.asarray(self.alphas, dtype=np.float64))
        if alphas.size == 0 or not np.isfinite(alphas).all() or alphas[0] < 0:
            raise ValueError(
                f"alphas must be one or more non-negative numbers, got {self.alphas!r}."
            )
        return alphas

    def _fit_cv(self, X, y, sample_weight, groups):
        dealt = self.cv is None or isinstance(self.cv, Integral)
        if groups is not None and (dealt or isinstance(self.cv, str)):
            raise ValueError(
                f"groups need folds, such as cv=GroupKFold(), got cv={self.cv!r}, "
                "which would ignore them."
            )
        check_consistent_length(X, groups)
        if self.scoring is not None and (
            self.cv == "gcv" or getattr(self, "alpha_per_target", False)
        ):
            raise ValueError(
                "scoring scores the held-out predictions of all targets at once, which "
                "cv='gcv' does not have and alpha_per_target=True does not use; got "
                f"scoring={self.scoring!r}. Use scoring=None."
            )
        groups, weigh_scores = self._routed(sample_weight, groups)
        splitter = self._splitter(y)
        plan = Plan(
            splitter,
            groups if groups is None else np.asarray(groups),
            listed=not (dealt or isinstance(self.cv, str) or hasattr(self.cv, "split")),
            n_folds=splitter.get_n_splits() if dealt else None,
            scorer=self._scorer(),
            weigh_scores=weigh_scores,
        )
        return self._fit(X, y, sample_weight, plan)

    def _routed(self, sample_weight, groups):
        """Return groups for the splitter, and whether the scorer gets weights."""
        if not _routing_enabled():
            return groups, sample_weight is not None
        given = {"sample_weight": sample_weight, "groups": groups}
        given = {name: value for name, value in given.items() if value is not None}
        routed = process_routing(self, "fit", **given)
        split = routed.splitter.split if "splitter" in routed else {}
        score = routed.scorer.score if "scorer" in routed else {}
        return split.get("groups"), "sample_weight" in score

    def _splitter(self, y=None):
        if isinstance(self.cv, str):
            return self.cv
        return check_cv(self.cv, y, classifier=self._target_is_class)

    def _scorer(self):
        if self.scoring is None:
            return None
        return check_scoring(self, scoring=self.scoring)

    def _check_blocks(self):
        self._plan_of_blocks()

    def _plan_of_blocks(self):
        if not isinstance(self.cv, str):
            raise ValueError(
                f"Folds need all rows at once, got cv={self.cv!r}. Use cv='loo' or "
                "'gcv' with partial_fit, merge and fit_blocks."
            )
        if self.cv == "gcv" and self.scoring is not None:
            raise ValueError("cv='gcv' has no predictions to score; use scoring=None.")
        return Plan(self.cv, scorer=self._scorer(), weigh_scores=True)

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
    def alpha_(self):
        """The chosen ridge."""
        alpha = self._solution().alpha
        return alpha if getattr(self, "alpha_per_target", False) else float(alpha[0])

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
        return self._squeezed(solution.loo[solution.loo_rows.row])

    @property
    def loo_predictions_(self):
        """Leave-one-out predictions."""
        solution = self._left_out()
        held = solution.loo_rows
        return self._squeezed((held.Y - solution.loo)[held.row])

    @property
    def loo_indices_(self):
        """Rows of the leave-one-out results."""
        return self._left_out().loo_rows.index

    def _left_out(self):
        solution = self._solution()
        if solution.loo is None:
            raise AttributeError("Leave-one-out results need cv='loo'.")
        return solution

    def _path(self, errors):
        return errors[:, 0] if errors.shape[1] == 1 else errors
