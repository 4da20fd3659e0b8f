"""Ridges chosen from a grid, or given, with exact leave-one-out at the solution."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.random_features._arrays import to_numpy
from sklearn_ext.random_features._base_ridge import BaseRandomFeatureRidge
from sklearn_ext.random_features._folds import Fold
from sklearn_ext.random_features._grid import (
    Grid,
    Held,
    TunedSolution,
    between,
    generalized,
    mean_squares,
)
from sklearn_ext.random_features._problems import DualProblem, PrimalProblem
from sklearn_ext.random_features._spectra import DualSpectrum, PrimalSpectrum


@dataclass(frozen=True)
class Plan:
    """How held-out errors are measured."""

    cv: object = "loo"  # "loo", "gcv", a splitter, or "given" where nothing is chosen
    groups: np.ndarray | None = None  # of all rows, those of no weight included
    listed: bool = False  # whether the folds are given as rows, not by a rule
    n_folds: int | None = None  # where distinct rows are dealt to folds, in place of cv
    scorer: object = None  # None: the squared error
    weigh_scores: bool = False


class TunedRidge(BaseRandomFeatureRidge):
    """Solves by eigenvectors, which serve every ridge and leave-one-out."""

    _needs_loo = True  # whether leave-one-out is wanted whatever chooses the ridge

    def _solve_primal(self, summary, rows, plan):
        fit_intercept = self.fit_intercept
        spectrum = PrimalSpectrum.of(summary.moments, fit_intercept=fit_intercept)
        held = None if summary.sample is None else summary.sample.rows
        features = self._features
        if rows is not None:
            features = features.like(rows.X)
        size = self._batch(spectrum.V.shape[0])
        return self._choose(PrimalProblem(spectrum, features, held, rows, size), plan)

    def _solve_dual(self, kernel, plan):
        features = self._features.like(kernel.rows.X)
        return self._choose(
            DualProblem(DualSpectrum.of(kernel), kernel, features), plan
        )

    def _choose(self, problem, plan):
        plan = plan or self._plan_of_blocks()
        if plan.cv in ("loo", "gcv") and problem.spectrum.n_distinct < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 samples that differ to leave "
                "one out, got n_samples=1: equal rows count as one."
            )
        folds = self._folds(problem, plan) if not isinstance(plan.cv, str) else None
        spectrum = problem.spectrum
        alphas = self._alphas_of_grid(spectrum)
        grid = self._measure(alphas, problem, plan, folds)
        if getattr(self, "refine", False):
            for best in set(grid.best().tolist()):
                if (more := between(alphas, best)).size:
                    grid = grid + self._measure(more, problem, plan, folds)
        t = grid.train.shape[1]
        best = [0] if plan.cv == "given" else grid.best()
        best = np.broadcast_to(best, (t,))
        coef, intercept, n_iter = problem.solve(grid.alphas[best])
        loo, held = self._held_at(best, grid, problem, plan)
        return TunedSolution(
            self._stored(coef),
            self._stored(intercept),
            grid.alphas[best],
            spectrum.weight,
            spectrum.n_distinct,
            problem.name,
            grid.dof[best],
            n_iter,
            grid=replace(grid, held=()),
            cv_results=self._all_errors(grid, problem, folds),
            best=best,
            best_score=float(np.mean(grid.scores.max(axis=0))),
            loo=loo,
            loo_rows=held,
            temperature=self._temperature(loo, held),
        )

    def _measure(self, alphas, problem, plan, folds):
        alphas_ = alphas.tolist()
        train = problem.spectrum.train_error(alphas_)
        dof = problem.spectrum.dof(alphas_)
        gcv = generalized(train, dof, problem.spectrum.n_distinct)
        if plan.cv in ("gcv", "given"):
            return Grid(alphas, train, dof, gcv, gcv, (), self._over_targets(-gcv))
        if folds is None:
            held, tests = [problem.leave_one_out(alphas_)], [problem.held]
        else:
            held = problem.leave_folds_out(alphas_, folds)
            tests = [fold.test for fold in folds]
        pairs = list(zip(held, tests, strict=True))
        errors = [mean_squares(R, to_numpy(rows.w)) for R, rows in pairs]
        error = np.mean(errors, axis=0)
        if plan.scorer is None:
            scores = self._over_targets(-error)
        else:
            scores = np.mean([self._score(R, rows, plan) for R, rows in pairs], axis=0)
        return Grid(alphas, train, dof, gcv, error, tuple(held), scores)

    def _score(self, R, rows, plan):
        """Return the scorer's value for each ridge, of shape (a, 1).

        The scorer sees rows as they were given; of blocks only their weights are left.
        """
        Y, s = to_numpy(rows.Y), to_numpy(rows.s)
        w = to_numpy(rows.w)
        if rows.copies is not None:
            copies = rows.copies.of(rows)
            row = copies.rows_among(rows)
            Y, R, w, s = Y[row], R[:, row], (w / s)[row] * copies.s, copies.s
        model = self._held_model(Y, w)
        params = {"sample_weight": s} if plan.weigh_scores else {}
        y, scores = self._labels(Y), np.full((len(R), 1), -np.inf)
        for j, r in enumerate(R):
            if np.isfinite(r).all():
                scores[j] = plan.scorer(model, self._squeezed(Y - r), y, **params)
        return scores

    def _over_targets(self, scores):
        if getattr(self, "alpha_per_target", False):
            return scores
        return scores.mean(axis=1, keepdims=True)

    def _folds(self, problem, plan):
        rows = problem.rows
        copies = rows.copies
        y = self._labels(to_numpy(rows.Y))
        if plan.n_folds is not None:
            if plan.n_folds > len(rows):
                raise ValueError(
                    f"cv={plan.n_folds} folds need as many rows that differ, got "
                    f"{len(rows)}: equal rows count as one."
                )
            fold = rows.deal(plan.n_folds, y if self._target_is_class else None)
            fold = fold[copies.rows_among(rows)]
            parts = [(fold != j, fold == j) for j in range(plan.n_folds)]
        else:
            groups = plan.groups
            params = {} if groups is None else {"groups": groups[copies.index]}
            X, y = np.empty((len(copies), 1)), y[copies.rows_among(rows)]
            if plan.listed:  # they count all rows, those of no weight included
                parts = [
                    [np.isin(copies.index, part) for part in fold]
                    for fold in plan.cv.split(X, y)
                ]
            else:
                parts = plan.cv.split(X, y, **params)
        return [Fold.of(rows, *map(_positions, part)) for part in parts]

    def _held_at(self, best, grid, problem, plan):
        """Return leave-one-out residuals at the solution, and their rows."""
        rows = problem.held
        if rows is None or not (plan.cv == "loo" or self._needs_loo):
            return None, None
        if plan.cv == "loo":
            R = grid.held[0][best, :, np.arange(len(best))].T
        else:
            used, at = np.unique(grid.alphas[best], return_inverse=True)
            R = problem.leave_one_out(used.tolist())
            R = R[at, :, np.arange(len(best))].T
        return R, Held.of(rows)

    def _all_errors(self, grid, problem, folds):
        """Return squared held-out errors of each row and ridge, if they are wanted."""
        if not getattr(self, "store_cv_results", False) or not grid.held:
            return None
        tests = [problem.held] if folds is None else [fold.test for fold in folds]
        pairs = zip(grid.held, tests, strict=True)
        held = [R[:, Held.of(rows).row] for R, rows in pairs]
        return np.moveaxis(np.concatenate(held, axis=1) ** 2, 0, -1)

    def _temperature(self, loo, held):
        return 1.0


def _positions(part):
    part = np.asarray(part)
    return np.flatnonzero(part) if part.dtype == bool else part
