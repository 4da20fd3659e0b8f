"""Held-out residuals of folds: total sums less those of the fold."""

from dataclasses import dataclass

import numpy as np

from sklearn_ext.random_features._arrays import float64, like, namespace, to_numpy
from sklearn_ext.random_features._dual import CentredKernel
from sklearn_ext.random_features._spectra import DualSpectrum, PrimalSpectrum
from sklearn_ext.random_features._statistics import Rows, centred, summarize


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
        """Take positions among the copies of the rows."""
        n = len(rows.copies)
        complete = len(np.union1d(train, test)) == n == len(train) + len(test)
        at_train, train = rows.part(train)
        at_test, test = rows.part(test)
        return cls(train, test, at_train, at_test, complete)


def fold_residuals_primal(features, folds, total, alphas, *, fit_intercept, batch_size):
    """Return residuals of each fold under the model of its training rows.

    Parameters
    ----------
    features : callable
        The feature map.
    folds : list of Fold
        The folds.
    total : RidgeStatistics
        Sums of all rows.
    alphas : sequence of float
        The grid.
    fit_intercept : bool
        Whether there is an intercept.
    batch_size : int
        Rows at a time.

    Returns
    -------
    list of ndarray of shape (n_alphas, n_test, t)
        One array a fold.
    """
    settings = {"fit_intercept": fit_intercept, "batch_size": batch_size}
    found = []
    for fold in folds:
        held = fold.test
        if fold.complete:
            moments = total - summarize(features, held, **settings)
        else:  # the training rows are not what the fold leaves
            moments = summarize(features, fold.train, **settings)
        spectrum = PrimalSpectrum.of(moments, fit_intercept=fit_intercept)
        parts = [
            _predict(spectrum, alphas, centred(features(batch.X), moments.mean))
            for batch in held.batches(batch_size)
        ]
        fitted = namespace(moments.gram).concat(parts, axis=1)
        found.append(to_numpy((held.Y - moments.y_mean)[None, :, :] - fitted))
    return found


def fold_residuals_dual(K, folds, alphas, *, fit_intercept):
    """Return residuals of each fold from the kernel matrix of all rows.

    Parameters
    ----------
    K : array of shape (n, n)
        Kernel matrix, not centred.
    folds : list of Fold
        The folds.
    alphas : sequence of float
        The grid.
    fit_intercept : bool
        Whether there is an intercept.

    Returns
    -------
    list of ndarray of shape (n_alphas, n_test, t)
        One array a fold.
    """
    xp, found = namespace(K), []
    K = float64(K)
    for fold in folds:
        kept, held = fold.train, fold.test
        at = (fold.at_train, fold.at_test)
        at_train, at_test = (like(i, K, dtype=xp.int64) for i in at)
        columns = xp.take(K, at_train, axis=1)
        K_train = xp.take(columns, at_train, axis=0)
        K_test = xp.take(columns, at_test, axis=0)
        kernel = CentredKernel.of(K_train, kept, fit_intercept=fit_intercept)
        spectrum = DualSpectrum.of(kernel)
        for_alpha = []
        for j in range(len(alphas)):
            w = spectrum.shrinkage(alphas[j : j + 1])
            coef, intercept = kernel.coefficients(spectrum.U @ (w * spectrum.c))
            for_alpha.append(held.Y - K_test @ coef - intercept)
        found.append(to_numpy(xp.stack(for_alpha, axis=0)))
    return found


def _predict(spectrum, alphas, A):
    xp = namespace(A)
    Z = float64(A) @ spectrum.V
    W = spectrum.shrinkage(alphas)
    return xp.stack(
        [Z @ (W[:, j : j + 1] * spectrum.c) for j in range(len(alphas))], axis=0
    )
