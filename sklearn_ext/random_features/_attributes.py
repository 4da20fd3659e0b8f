"""Fitted attributes of the ridge estimators, read off their solution."""

import numpy as np

from sklearn_ext.random_features._arrays import to_numpy
from sklearn_ext.random_features._solvers import factorize


class FittedRidgeAttributes:
    """Attributes that wait until ``partial_fit`` has seen its last block."""

    @property
    def coef_(self):
        """Coefficients of the features."""
        if self._infinite:
            raise AttributeError("coef_ needs finite n_components; see dual_coef_.")
        return self._shaped(self._solution().coef)

    @property
    def dual_coef_(self):
        """Coefficients of the training rows."""
        if not self._infinite:
            raise AttributeError("dual_coef_ needs n_components='infinite'; see coef_.")
        return self._shaped(self._solution().coef)

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
        return float(intercept[0]) if self._one_target else intercept

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
        solution = self._solution()
        left = solution.weight * (1 - self._degrees_of_freedom() / solution.n_distinct)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._scalar(to_numpy(solution.alpha) / left)

    @property
    def fitting_ratio_(self):
        """Predicted ratio of training to test error."""
        n = self._solution().n_distinct
        return self._scalar(np.maximum(1 - self._degrees_of_freedom() / n, 0.0) ** 2)

    def _degrees_of_freedom(self):
        """Return them for each target; computed when first asked for."""
        solution, fit = self._solution(), self._fitted
        if solution.dof is not None:
            return to_numpy(solution.dof)
        if fit.dof is None:
            gram, eps = fit.summary.moments.gram, fit.summary.moments.eps
            alphas = solution.alpha.tolist()
            dof = {a: factorize(gram, a, eps=eps).dof() for a in set(alphas)}
            fit.dof = np.array([dof[a] for a in alphas])
        return fit.dof + self.fit_intercept

    def _shaped(self, coef):
        return coef[:, 0] if self._one_target else coef.T

    def _scalar(self, values):
        values = np.atleast_1d(values)
        return float(values[0]) if np.all(values == values[0]) else values
