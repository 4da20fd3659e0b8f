"""The two sides of one ridge problem behind one face, for a grid of ridges."""

from dataclasses import dataclass
from typing import Any

from sklearn_ext.random_features._arrays import float64, namespace
from sklearn_ext.random_features._dual import CentredKernel
from sklearn_ext.random_features._folds import (
    fold_residuals_dual,
    fold_residuals_primal,
)
from sklearn_ext.random_features._solvers import (
    conjugate_gradients,
    is_blurred,
    warn_of_rounding,
)
from sklearn_ext.random_features._spectra import DualSpectrum, PrimalSpectrum
from sklearn_ext.random_features._statistics import Rows


@dataclass(frozen=True)
class PrimalProblem:
    """Sums of all rows, and some rows for leave-one-out."""

    spectrum: PrimalSpectrum
    features: Any
    held: Rows | None  # for leave-one-out
    rows: Rows | None  # all of them; None where only their sums are left
    batch_size: int

    name = "primal-eigen"

    def leave_one_out(self, alphas):
        """Return residuals of shape (a, n_held, t)."""
        return self.spectrum.residuals(
            alphas, self.features, self.held, batch_size=self.batch_size
        )

    def leave_folds_out(self, alphas, folds):
        """Return residuals of shape (a, n_test, t), one array a fold."""
        spectrum = self.spectrum
        return fold_residuals_primal(
            self.features,
            folds,
            spectrum.moments,
            alphas,
            fit_intercept=spectrum.fit_intercept,
            batch_size=self.batch_size,
        )

    def solve(self, alphas):
        """Return coefficients, intercepts and refinement steps for a ridge a target."""
        xp, moments = namespace(self.spectrum.e), self.spectrum.moments
        columns = [
            self.spectrum.coefficients(a, j) for j, a in enumerate(alphas.tolist())
        ]
        coef, n_iter = xp.stack(columns, axis=1), 0
        if self.rows is not None and is_blurred(moments, alphas.tolist()):
            coef, n_iter = conjugate_gradients(
                self.features,
                self.rows,
                moments,
                coef,
                alphas,
                batch_size=self.batch_size,
            )
        else:
            warn_of_rounding(self.spectrum.e, alphas, moments.eps)
        return coef, moments.y_mean - moments.mean @ coef, n_iter


@dataclass(frozen=True)
class DualProblem:
    """The kernel matrix of all rows."""

    spectrum: DualSpectrum
    kernel: CentredKernel
    features: Any

    name = "dual-eigen"

    @property
    def held(self):
        """Rows for leave-one-out: all."""
        return self.kernel.rows

    rows = held

    def leave_one_out(self, alphas):
        """Return residuals of shape (a, n, t)."""
        return self.spectrum.residuals(alphas)

    def leave_folds_out(self, alphas, folds):
        """Return residuals of shape (a, n_test, t), one array a fold."""
        Phi = float64(self.features(self.kernel.rows.X))
        K = Phi if self.kernel.A is None else Phi @ Phi.T
        return fold_residuals_dual(
            K, folds, alphas, fit_intercept=self.kernel.fit_intercept
        )

    def solve(self, alphas):
        """Return coefficients, intercepts and refinement steps for a ridge a target."""
        xp = namespace(self.spectrum.e)
        columns = [
            self.spectrum.coefficients(a, j) for j, a in enumerate(alphas.tolist())
        ]
        warn_of_rounding(self.spectrum.e, alphas, self.spectrum.eps)
        return (*self.kernel.coefficients(xp.stack(columns, axis=1)), 0)
