"""Ridges chosen from a grid, or given, with exact leave-one-out at the solution."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ext.random_features._arrays import to_numpy
from sklearn_ext.random_features._base_ridge import BaseRandomFeatureRidge
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
        if plan.cv in ("loo", "gcv") and problem.n_units < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 samples to leave one out, got "
                "n_samples=1."
            )
        folds = self._folds(problem, plan) if not isinstance(plan.cv, str) else None
        spectrum = problem.spectrum
        eps = 1.2e-7 if self._dtype == "float32" else 2.3e-16
        largest = float(spectrum.e[-1]) if spectrum.e.shape[0] else 0.0
        if largest <= spectrum.rounding(eps):  # all rows are alike
            largest = 0.0
        alphas = self._alphas_of_grid(largest, eps)
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
            problem.n_units,
            problem.name,
            grid.dof[best],
            n_iter,
            grid=replace(grid, held=()),
            cv_results=self._all_errors(grid),
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
        gcv = generalized(train, dof, problem.n_units)
        if plan.cv in ("gcv", "given"):
            return Grid(alphas, train, dof, gcv, gcv, (), self._over_targets(-gcv))
        if folds is None:
            held, tests = [problem.leave_one_out(alphas_)], [problem.held]
        else:
            held = problem.leave_folds_out(alphas_, folds)
            tests = [problem.rows[test] for _, test in folds]
        pairs = list(zip(held, tests, strict=True))
        errors = [mean_squares(R, to_numpy(rows.w)) for R, rows in pairs]
        error = np.mean(errors, axis=0)
        if plan.scorer is None:
            scores = self._over_targets(-error)
        else:
            scores = np.mean([self._score(R, rows, plan) for R, rows in pairs], axis=0)
        return Grid(alphas, train, dof, gcv, error, tuple(held), scores)

    def _score(self, R, rows, plan):
        """Return the scorer's value for each ridge, of shape (a, 1)."""
        Y = to_numpy(rows.Y)
        model = self._held_model(Y, to_numpy(rows.w))
        params = {"sample_weight": to_numpy(rows.s)} if plan.weigh_scores else {}
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
        y = self._labels(to_numpy(rows.Y))
        groups = plan.groups
        params = {} if groups is None else {"groups": np.asarray(groups)[rows.index]}
        folds = list(plan.cv.split(np.empty((len(rows), 1)), y, **params))
        if not plan.listed:
            return folds
        # they count all rows, those of no weight included
        present = [np.isin(rows.index, part) for fold in folds for part in fold]
        parts = [np.flatnonzero(part) for part in present]
        return list(zip(parts[::2], parts[1::2], strict=True))

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
        Y, w = to_numpy(rows.Y), to_numpy(rows.w)
        return R, Held(rows.index, Y, w, rows.n_units)

    def _all_errors(self, grid):
        """Return squared held-out errors of each row and ridge, if they are wanted."""
        if not getattr(self, "store_cv_results", False) or not grid.held:
            return None
        return np.moveaxis(np.concatenate(grid.held, axis=1) ** 2, 0, -1)

    def _temperature(self, loo, held):
        return 1.0
